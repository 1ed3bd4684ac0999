//! Who may invoke a function: its resource-based policy.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::services::Service;
use crate::wire::ApiError;
use crate::wire::arn::Arn;

/// The principal that rotates secrets.
const SECRETS_MANAGER: &str = "secretsmanager.amazonaws.com";

/// What the names of services end in.
const SERVICES: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];

/// The largest policy of a function, in bytes (Lambda quotas, "Function resource-based policy").
const MAX_POLICY_BYTES: usize = 20_480;

/// A function's policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its statements, in the order in which they came.
    pub statements: Vec<Statement>,
}

/// A statement, as AWS writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Its id, unique in its policy.
    pub sid: String,
    /// Always `Allow`: `AddPermission` knows nothing else.
    pub effect: String,
    /// `*`, `{"Service": …}` or `{"AWS": …}`.
    pub principal: Value,
    /// Such as `lambda:InvokeFunction`.
    pub action: String,
    /// The function's ARN, qualified where the permission is.
    pub resource: String,
    /// By operator, then by key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub condition: Map<String, Value>,
}

/// What a permission lets whom do.
#[derive(Debug, Clone, Default)]
pub struct Permission {
    /// The statement's id.
    pub statement_id: String,
    /// Such as `lambda:InvokeFunction`.
    pub action: String,
    /// A service, an account id, an ARN, or `*`.
    pub principal: String,
    /// `aws:SourceAccount`.
    pub source_account: Option<String>,
    /// `aws:SourceArn`.
    pub source_arn: Option<String>,
    /// `aws:PrincipalOrgID`.
    pub organization: Option<String>,
    /// `lambda:EventSourceToken`.
    pub event_source_token: Option<String>,
    /// `lambda:FunctionUrlAuthType`.
    pub url_auth_type: Option<String>,
    /// `lambda:InvokedViaFunctionUrl`.
    pub via_url: Option<bool>,
}

impl Permission {
    fn statement(&self, resource: String) -> Result<Statement, ApiError> {
        let principal = principal(&self.principal, &resource)?;
        let mut equals = Map::new();
        for (key, value) in [
            ("AWS:SourceAccount", &self.source_account),
            ("aws:PrincipalOrgID", &self.organization),
            ("lambda:EventSourceToken", &self.event_source_token),
            ("lambda:FunctionUrlAuthType", &self.url_auth_type),
        ] {
            if let Some(value) = value {
                equals.insert(key.to_owned(), json!(value));
            }
        }
        let mut condition = Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".to_owned(), Value::Object(equals));
        }
        if let Some(arn) = &self.source_arn {
            condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
        }
        if let Some(via_url) = self.via_url {
            condition.insert("Bool".to_owned(), json!({ "lambda:InvokedViaFunctionUrl": via_url.to_string() }));
        }
        Ok(Statement {
            sid: self.statement_id.clone(),
            effect: "Allow".to_owned(),
            principal,
            action: self.action.clone(),
            resource,
            condition,
        })
    }
}

fn principal(text: &str, resource: &str) -> Result<Value, ApiError> {
    let partition = Arn::parse(resource).map_or("aws", |arn| arn.partition);
    if text == "*" {
        Ok(json!("*"))
    } else if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(json!({ "AWS": format!("arn:{partition}:iam::{text}:root") }))
    } else if text.starts_with("arn:") {
        Ok(json!({ "AWS": text }))
    } else if SERVICES.iter().any(|domain| text.ends_with(domain)) {
        Ok(json!({ "Service": text }))
    } else {
        Err(ApiError::new(
            400,
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ))
    }
}

impl Policy {
    /// Adds a statement.
    pub fn add(&mut self, permission: &Permission, resource: String) -> Result<&Statement, ApiError> {
        if self.statements.iter().any(|statement| statement.sid == permission.statement_id) {
            return Err(ApiError::new(
                409,
                "ResourceConflictException",
                format!(
                    "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                    permission.statement_id
                ),
            ));
        }
        let statement = permission.statement(resource)?;
        let mut larger = self.clone();
        larger.statements.push(statement);
        if larger.document().len() > MAX_POLICY_BYTES {
            return Err(ApiError::new(
                400,
                "PolicyLengthExceededException",
                format!(
                    "The final policy size ({}) is bigger than the limit ({MAX_POLICY_BYTES}).",
                    larger.document().len()
                ),
            ));
        }
        *self = larger;
        self.statements.last().ok_or_else(|| ApiError::internal(Service::Lambda, "no statement"))
    }

    /// Removes a statement; false where there is none.
    pub fn remove(&mut self, statement_id: &str) -> bool {
        let before = self.statements.len();
        self.statements.retain(|statement| statement.sid != statement_id);
        self.statements.len() != before
    }

    /// The policy as JSON text.
    pub fn document(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'a> {
            version: &'static str,
            id: &'static str,
            statement: &'a [Statement],
        }
        let document = Document { version: "2012-10-17", id: "default", statement: &self.statements };
        // A statement holds strings and maps of strings alone.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// Whether a policy lets Secrets Manager invoke its function for an account's secret.
pub(super) fn permits(policy: &Policy, account: &str, secret_arn: &str) -> bool {
    policy.statements.iter().any(|statement| {
        let principal = match &statement.principal {
            Value::String(all) => all == "*",
            Value::Object(members) => members.get("Service").and_then(Value::as_str) == Some(SECRETS_MANAGER),
            _ => false,
        };
        let action = matches!(statement.action.as_str(), "lambda:InvokeFunction" | "lambda:*" | "*");
        principal && action && holds(&statement.condition, account, secret_arn)
    })
}

/// Whether every condition holds; one that isn't understood doesn't.
fn holds(condition: &Map<String, Value>, account: &str, secret_arn: &str) -> bool {
    condition.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, wanted)| {
                let given = match key.to_ascii_lowercase().as_str() {
                    "aws:sourceaccount" => account,
                    "aws:sourcearn" => secret_arn,
                    _ => return false,
                };
                wanted.as_str().is_some_and(|wanted| match operator.as_str() {
                    "StringEquals" | "ArnEquals" => wanted == given,
                    "ArnLike" | "StringLike" => like(wanted, given),
                    _ => false,
                })
            })
        })
    })
}

/// IAM's patterns: `*` for any characters, `?` for one. Linear but for the last `*`, which alone is tried again.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The star takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::reference::function_arn;

    fn policy(permission: &Permission) -> Policy {
        let mut policy = Policy::default();
        policy.add(permission, function_arn("111111111111", "eu-west-1", "rotate")).expect("a good permission");
        policy
    }

    fn rotation() -> Permission {
        Permission {
            statement_id: "SecretsManagerAccess".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: SECRETS_MANAGER.to_owned(),
            ..Permission::default()
        }
    }

    /// Without it, clients that compare the policy that they wrote with the one that they read would see a difference.
    #[test]
    fn statements_are_written_as_aws_writes_them() {
        let permission = Permission {
            source_account: Some("111111111111".to_owned()),
            source_arn: Some("arn:aws:secretsmanager:eu-west-1:111111111111:secret:*".to_owned()),
            ..rotation()
        };
        let document: Value = serde_json::from_str(&policy(&permission).document()).expect("JSON");
        assert_eq!(
            document,
            json!({"Version": "2012-10-17", "Id": "default", "Statement": [{
                "Sid": "SecretsManagerAccess",
                "Effect": "Allow",
                "Principal": {"Service": "secretsmanager.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": "arn:aws:lambda:eu-west-1:111111111111:function:rotate",
                "Condition": {
                    "StringEquals": {"AWS:SourceAccount": "111111111111"},
                    "ArnLike": {"AWS:SourceArn": "arn:aws:secretsmanager:eu-west-1:111111111111:secret:*"},
                },
            }]})
        );
    }

    /// Without it, rotation would be attached where AWS refuses it, or refused where AWS attaches it.
    #[test]
    fn secrets_manager_is_let_in_by_every_statement_that_means_it() {
        let secret = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf";
        let cases = [
            (rotation(), true),
            (Permission { principal: "*".to_owned(), action: "lambda:*".to_owned(), ..rotation() }, true),
            (Permission { source_account: Some("111111111111".to_owned()), ..rotation() }, true),
            (Permission { source_account: Some("222222222222".to_owned()), ..rotation() }, false),
            (
                Permission { source_arn: Some("arn:aws:secretsmanager:*:secret:a-??????".to_owned()), ..rotation() },
                true,
            ),
            (Permission { source_arn: Some("arn:aws:secretsmanager:*:secret:b-*".to_owned()), ..rotation() }, false),
            (Permission { principal: "s3.amazonaws.com".to_owned(), ..rotation() }, false),
            (Permission { action: "lambda:GetFunction".to_owned(), ..rotation() }, false),
            (Permission { organization: Some("o-1234567890".to_owned()), ..rotation() }, false),
        ];
        for (permission, expected) in cases {
            assert_eq!(permits(&policy(&permission), "111111111111", secret), expected, "{permission:?}");
        }
    }
}
