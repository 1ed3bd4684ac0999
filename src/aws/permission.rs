//! A function's resource policy, reduced to what decides whether Secrets Manager may invoke the function.
//!
//! The policy is JSON that anyone with rights on the function wrote (IAM User Guide, "IAM JSON policy elements"). What isn't understood
//! counts as neither allowing nor denying, so that ours is added rather than another's misread.

use serde_json::{Map, Value};

use super::text::clean;
use crate::model::live::Statement;

/// The principal that invokes rotation functions.
const PRINCIPAL: &str = "secretsmanager.amazonaws.com";

/// What it does with them.
const ACTION: &str = "lambda:InvokeFunction";

/// The longest policy that is read, in bytes. Lambda's own limit is 20 KB.
const LONGEST: usize = 512 * 1024;

/// Reads a policy. `account` is the function's own: where a condition names several, ours is the one that matters.
pub fn parse(policy: &str, account: &str) -> Result<Vec<Statement>, String> {
    if policy.len() > LONGEST {
        return Err(format!("the function's policy has {} bytes", policy.len()));
    }
    let document: Value =
        serde_json::from_str(policy).map_err(|error| format!("the function's policy is no JSON: {error}"))?;
    Ok(one_or_many(document.get("Statement"))
        .into_iter()
        .filter_map(Value::as_object)
        .map(|one| statement(one, account))
        .collect())
}

fn statement(statement: &Map<String, Value>, account: &str) -> Statement {
    let text = |key: &str| statement.get(key).and_then(Value::as_str).unwrap_or_default();
    let conditions = Conditions::read(statement.get("Condition"), account);
    // Of a statement about all principals or actions but some, we don't claim to know what it means for this one.
    let inverted = ["NotPrincipal", "NotAction", "NotResource"].iter().any(|key| statement.contains_key(*key));
    let unclear = conditions.others || inverted;
    let covers = !unclear && names_principal(statement.get("Principal")) && names_action(statement.get("Action"));
    Statement {
        sid: clean(text("Sid")),
        allows: covers && text("Effect") == "Allow",
        denies: covers && text("Effect") == "Deny",
        source_account: conditions.source_account,
        source_arn: conditions.source_arn,
        other_conditions: unclear,
    }
}

/// `"*"`, or a map whose values are a text or a list.
fn names_principal(principal: Option<&Value>) -> bool {
    match principal {
        Some(Value::String(everyone)) => everyone == "*",
        Some(Value::Object(kinds)) => {
            let has = |kind: &str, wanted: &str| texts(kinds.get(kind)).any(|text| text == wanted);
            has("Service", PRINCIPAL) || has("Service", "*") || has("AWS", "*")
        }
        _ => false,
    }
}

fn names_action(action: Option<&Value>) -> bool {
    texts(action).any(|pattern| matches(&pattern.to_ascii_lowercase(), &ACTION.to_ascii_lowercase()))
}

#[derive(Default)]
struct Conditions {
    source_account: Option<String>,
    source_arn: Option<String>,
    others: bool,
}

impl Conditions {
    /// Reads `{"StringEquals": {"aws:SourceAccount": …}}`. Operators and keys are compared without regard to case, as IAM does.
    fn read(condition: Option<&Value>, account: &str) -> Self {
        let mut conditions = Self::default();
        let operators = match condition {
            None | Some(Value::Null) => return conditions,
            Some(Value::Object(operators)) => operators,
            Some(_) => return Self { others: true, ..conditions },
        };
        for (operator, keys) in operators {
            let Some(keys) = keys.as_object() else {
                conditions.others = true;
                continue;
            };
            for (key, values) in keys {
                let values: Vec<&str> = texts(Some(values)).collect();
                conditions.one(&operator_of(operator), &key.to_ascii_lowercase(), &values, account);
            }
        }
        conditions
    }

    fn one(&mut self, operator: &str, key: &str, values: &[&str], account: &str) {
        let like = operator == "stringlike";
        match (key, operator) {
            ("aws:sourceaccount", "stringequals" | "stringequalsignorecase" | "stringlike")
                if self.source_account.is_none() && !values.is_empty() =>
            {
                let names_ours = |value: &&&str| **value == account || (like && matches(value, account));
                let named = values.iter().find(names_ours).map_or(values[0], |_| account);
                self.source_account = Some(clean(named));
            }
            ("aws:sourcearn", "stringequals" | "stringlike" | "arnequals" | "arnlike")
                if self.source_arn.is_none() && values.len() == 1 =>
            {
                self.source_arn = Some(clean(values[0]));
            }
            _ => self.others = true,
        }
    }
}

/// An operator without what doesn't change its meaning for keys that a service always sends.
fn operator_of(operator: &str) -> String {
    let operator = operator.to_ascii_lowercase();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    operator.strip_suffix("ifexists").unwrap_or(operator).to_owned()
}

fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(many)) => many.iter().collect(),
        Some(one) => vec![one],
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    one_or_many(value).into_iter().filter_map(Value::as_str)
}

/// IAM's patterns: `*` is any text, `?` any one character. Linear in practice: only the last `*` is ever tried again.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111111111111";

    fn parsed(statement: &str) -> Statement {
        let policy = format!(r#"{{"Version": "2012-10-17", "Id": "default", "Statement": [{statement}]}}"#);
        parse(&policy, ACCOUNT).expect("a policy").remove(0)
    }

    /// Without it, the permission that the AWS guide has people add would be added a second time, or never.
    #[test]
    fn the_guides_own_statement_allows() {
        let statement = parsed(
            r#"{"Sid": "SecretsManagerAccess", "Effect": "Allow", "Principal": {"Service": "secretsmanager.amazonaws.com"},
                "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:eu-west-1:111111111111:function:f",
                "Condition": {"StringEquals": {"AWS:SourceAccount": "111111111111"}}}"#,
        );
        let expected = Statement {
            sid: "SecretsManagerAccess".into(),
            allows: true,
            denies: false,
            source_account: Some(ACCOUNT.into()),
            source_arn: None,
            other_conditions: false,
        };
        assert_eq!(statement, expected);
    }

    /// Without it, permissions that other tools write (lists, wildcards, ARNs, everyone) would be doubled at each apply.
    #[test]
    fn other_ways_to_allow_are_understood() {
        for (principal, action) in [
            (r#""*""#, r#""lambda:*""#),
            (r#"{"AWS": "*"}"#, r#"["lambda:GetFunction", "lambda:invokefunction"]"#),
            (r#"{"AWS": ["*"]}"#, r#""*""#),
            (r#"{"Service": ["events.amazonaws.com", "secretsmanager.amazonaws.com"]}"#, r#""lambda:Invoke*""#),
        ] {
            let statement = parsed(&format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": {action}}}"#));
            assert!(statement.allows && !statement.other_conditions, "{principal} {action}");
        }
        let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:x-a1b2c3";
        let statement = parsed(&format!(
            r#"{{"Effect": "Allow", "Principal": {{"Service": "secretsmanager.amazonaws.com"}}, "Action": "lambda:InvokeFunction",
                "Condition": {{"ArnLike": {{"AWS:SourceArn": "{arn}"}}}}}}"#
        ));
        assert_eq!((statement.allows, statement.source_arn.as_deref()), (true, Some(arn)));
    }

    /// Without it, a plan would promise that rotation works where a statement says the contrary, or nothing about it.
    #[test]
    fn what_does_not_concern_secrets_manager_counts_as_neither() {
        for (principal, action) in [
            (r#"{"Service": "events.amazonaws.com"}"#, r#""lambda:InvokeFunction""#),
            (r#"{"AWS": "arn:aws:iam::111111111111:root"}"#, r#""lambda:InvokeFunction""#),
            (r#"{"Service": "secretsmanager.amazonaws.com"}"#, r#""lambda:GetFunction""#),
            (r#"{"Service": "secretsmanager.amazonaws.com"}"#, r#""lambda:InvokeFunctionUrl""#),
            ("7", "null"),
        ] {
            let statement = parsed(&format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": {action}}}"#));
            assert!(!statement.allows && !statement.denies, "{principal} {action}");
        }
        let deny = parsed(r#"{"Effect": "Deny", "Principal": "*", "Action": "lambda:*"}"#);
        assert!(deny.denies && !deny.allows);
        let inverted = parsed(r#"{"Effect": "Deny", "NotPrincipal": {"Service": "x"}, "Action": "lambda:*"}"#);
        assert!(!inverted.denies && inverted.other_conditions);
    }

    /// Without it, a condition that never holds for our account would pass for a permission.
    #[test]
    fn conditions_are_read_or_declared_unknown() {
        let with = |condition: &str| {
            parsed(&format!(
                r#"{{"Effect": "Allow", "Principal": {{"Service": "secretsmanager.amazonaws.com"}},
                    "Action": "lambda:InvokeFunction", "Condition": {condition}}}"#
            ))
        };
        for (condition, account) in [
            (r#"{"StringLike": {"aws:sourceaccount": "1111*"}}"#, ACCOUNT),
            (r#"{"ForAnyValue:StringEquals": {"aws:SourceAccount": ["222222222222", "111111111111"]}}"#, ACCOUNT),
            (r#"{"StringEqualsIfExists": {"aws:SourceAccount": "222222222222"}}"#, "222222222222"),
        ] {
            let statement = with(condition);
            assert!(statement.allows, "{condition}");
            assert_eq!(statement.source_account.as_deref(), Some(account), "{condition}");
        }
        for condition in [
            r#"{"StringNotEquals": {"aws:SourceAccount": "111111111111"}}"#,
            r#"{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#,
            r#"{"ArnLike": {"aws:SourceArn": ["a", "b"]}}"#,
            r#"{"StringEquals": {"aws:SourceAccount": []}}"#,
            r#"{"StringEquals": {"aws:SourceAccount": "1"}, "StringLike": {"aws:SourceAccount": "2"}}"#,
            r#"{"StringEquals": 1}"#,
            r"[]",
        ] {
            let statement = with(condition);
            assert!(statement.other_conditions && !statement.allows, "{condition}");
        }
    }

    /// Without it, a broken or monstrous policy would end the program instead of being one unread thing.
    #[test]
    fn broken_policies_are_errors() {
        assert!(parse("{", ACCOUNT).is_err());
        assert!(parse(&"[".repeat(100_000), ACCOUNT).is_err());
        assert!(parse(&format!("\"{}\"", "x".repeat(LONGEST)), ACCOUNT).is_err());
        assert_eq!(parse(r#"{"Statement": ["x", 1]}"#, ACCOUNT), Ok(Vec::new()));
        let single = r#"{"Statement": {"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
        assert!(parse(single, ACCOUNT).expect("a policy")[0].allows);
    }

    /// Without it, a pattern made for it could keep the program busy for ever.
    #[test]
    fn patterns_match_as_iam_does() {
        assert!(matches("*", "") && matches("a*c?e", "abbcde") && matches("**", "x"));
        assert!(matches("a*bc", "abxbc") && matches("*:f*:live", "x:f:f:live") && !matches("a*bc", "abxbd"));
        assert!(!matches("a?", "a") && !matches("abc", "abcd") && !matches("", "a"));
        assert!(!matches(&"*a".repeat(5_000), &"b".repeat(50_000)));
    }
}
