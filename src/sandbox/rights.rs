//! What callers may do (`--allow`): IAM policies, as far as they are understood here.
//!
//! A policy is a document of IAM whose statements allow actions on resources, by names and patterns. Whatever else a policy can say
//! (`Deny`, `NotAction`, `NotResource`, `Condition`, `Principal`, variables) is refused with its place: half an evaluation would be
//! believed where it is wrong. Several policies count together, as they do on a role.
//!
//! Without a policy, nobody is asked for rights. With one, every signed call is held to it, and what a service does in its caller's name
//! too ([`super::needs`], and [`super::cloudformation`] for the resources of stacks). What was asked is remembered, so that a test can
//! tell which actions of a policy a run needed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::lambda::policy::like;
use super::services::{Protocol, Service};
use super::wire::ApiError;

/// The longest policy that is read, in bytes: far above IAM's own limits.
const LONGEST: u64 = 1024 * 1024;

/// How many different questions are remembered.
const REMEMBERED: usize = 100_000;

/// What allowing anything is written as.
pub const ANYTHING: &str = "*";

/// Why a policy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// It can't be read.
    #[error("cannot read the policy `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It isn't a policy, or says what isn't understood.
    #[error("the policy `{path}` can't be used: {problem}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        problem: Problem,
    },
}

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Problem {
    /// From 1 up.
    pub line: usize,
    /// From 1 up: where the text that is wrong ends.
    pub column: usize,
    /// In words.
    pub what: String,
}

/// What may be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Actions, in lower case, and what they are allowed on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Policy {
    /// Whether an action is allowed on a resource.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        // The names of actions are the same in any case; resources aren't.
        let action = action.to_ascii_lowercase();
        self.statements.iter().any(|statement| {
            statement.actions.iter().any(|pattern| like(pattern, &action))
                && statement.resources.iter().any(|pattern| like(pattern, resource))
        })
    }
}

/// Reads the policies of several files as one; `None` where there are none.
pub fn read(paths: &[PathBuf]) -> Result<Option<Policy>, RightsError> {
    let mut all: Option<Policy> = None;
    for path in paths {
        let text = text_of(path).map_err(|source| RightsError::Io { path: path.clone(), source })?;
        let one = parse(&text).map_err(|problem| RightsError::Format { path: path.clone(), problem })?;
        all.get_or_insert_default().statements.extend(one.statements);
    }
    Ok(all)
}

fn text_of(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST {
        return Err(std::io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    Ok(text)
}

/// Reads one policy.
pub fn parse(text: &str) -> Result<Policy, Problem> {
    // A list of a document's members would be taken for the document.
    if !text.trim_start().starts_with('{') {
        let what = "a policy is an object with `Version` and `Statement`".to_owned();
        return Err(Problem { line: 1, column: 1, what });
    }
    let document: Document = serde_json::from_str(text).map_err(|error| problem(&error))?;
    let statements = document.statements.0.into_iter();
    let lower = |Actions(actions): Actions| actions.iter().map(|action| action.to_ascii_lowercase()).collect();
    let statements = statements.map(|one| Statement { actions: lower(one.actions), resources: one.resources.0 });
    Ok(Policy { statements: statements.collect() })
}

fn problem(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    // The place stands at the end of serde's own text, too.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    Problem { line: error.line(), column: error.column(), what }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "Version")]
    _version: Version,
    #[serde(rename = "Id", default)]
    _id: Option<String>,
    #[serde(rename = "Statement")]
    statements: Several<RawStatement>,
}

/// The language's version: in the older one, `${…}` means something else.
#[derive(Deserialize)]
enum Version {
    #[serde(rename = "2012-10-17")]
    Current,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatement {
    #[serde(rename = "Sid", default)]
    _sid: Option<String>,
    #[serde(rename = "Effect")]
    _effect: Effect,
    #[serde(rename = "Action")]
    actions: Actions,
    #[serde(rename = "Resource")]
    resources: Resources,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
}

/// One or a list: policies leave the brackets out around one.
struct Several<T>(Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for OneOrMany<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|one| Several(vec![one]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| Several(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Several(all))
            }
        }
        deserializer.deserialize_any(OneOrMany(std::marker::PhantomData))
    }
}

struct Actions(Vec<String>);

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, |action| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '*' | '?');
            let form = |(service, name): (&str, &str)| {
                !service.is_empty() && !name.is_empty() && service.chars().chain(name.chars()).all(allowed)
            };
            let is_one = action == ANYTHING || action.split_once(':').is_some_and(form);
            if is_one { Ok(()) } else { Err(format!("`{action}` is no action: `service:Operation`, or `*`")) }
        })
        .map(Self)
    }
}

struct Resources(Vec<String>);

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, |resource| {
            if resource.contains("${") {
                return Err(format!("`{resource}` has a variable, which isn't understood here"));
            }
            let is_arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
            if is_arn || resource == ANYTHING { Ok(()) } else { Err(format!("`{resource}` is no ARN, and not `*`")) }
        })
        .map(Self)
    }
}

fn checked<'de, D: Deserializer<'de>>(
    deserializer: D,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Vec<String>, D::Error> {
    let texts: Several<String> = Several::deserialize(deserializer)?;
    texts.0.iter().try_for_each(|text| check(text)).map_err(de::Error::custom)?;
    Ok(texts.0)
}

/// What callers may do, and what they asked for.
#[derive(Debug, Default)]
pub struct Rights {
    policy: Mutex<Option<Arc<Policy>>>,
    asked: Mutex<BTreeMap<(String, String), bool>>,
}

/// A question that was asked of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Such as `lambda:GetFunction`.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    /// The answer.
    pub allowed: bool,
}

impl Rights {
    /// The rights by a policy; `None`: nobody is asked.
    pub fn new(policy: Option<Policy>) -> Self {
        let rights = Self::default();
        rights.replace(policy);
        rights
    }

    /// Puts another policy in the place of the old one, and forgets what was asked.
    pub fn replace(&self, policy: Option<Policy>) {
        *lock(&self.policy) = policy.map(Arc::new);
        lock(&self.asked).clear();
    }

    /// Whether callers are asked for rights at all.
    pub fn are_held(&self) -> bool {
        lock(&self.policy).is_some()
    }

    /// Refuses what isn't allowed.
    pub fn check(&self, principal: &str, action: &str, resource: &str) -> Result<(), Refusal> {
        let Some(policy) = lock(&self.policy).clone() else { return Ok(()) };
        let allowed = policy.allows(action, resource);
        let mut asked = lock(&self.asked);
        if asked.len() < REMEMBERED {
            asked.insert((action.to_owned(), resource.to_owned()), allowed);
        }
        drop(asked);
        if allowed {
            return Ok(());
        }
        Err(Refusal { principal: principal.to_owned(), action: action.to_owned(), resource: resource.to_owned() })
    }

    /// What was asked since the policy was set.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = lock(&self.asked);
        let one = |((action, resource), allowed): (&(String, String), &bool)| Asked {
            action: action.clone(),
            resource: resource.clone(),
            allowed: *allowed,
        };
        asked.iter().map(one).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That something isn't allowed: in the words that most services have for it (IAM User Guide, "Troubleshoot access denied error
/// messages").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    principal: String,
    /// What was asked.
    pub action: String,
    /// On what.
    pub resource: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, action, resource } = self;
        write!(f, "User: {principal} is not authorized to perform: {action}")?;
        // Secrets Manager and EC2 name no resource where the action has none.
        if resource != ANYTHING || !(action.starts_with("secretsmanager:") || action.starts_with("ec2:")) {
            write!(f, " on resource: {resource}")?;
        }
        write!(f, " because no identity-based policy allows the {action} action")
    }
}

impl Refusal {
    /// As the service that was called says it.
    pub fn error(&self, service: Service) -> ApiError {
        let refused = |status, code| ApiError::new(status, code, self.to_string());
        match service.protocol() {
            Protocol::Json => refused(400, "AccessDeniedException"),
            Protocol::Query => refused(403, "AccessDenied"),
            Protocol::Rest => refused(403, "AccessDeniedException"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(rest: &str) -> String {
        format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", {rest}}}]}}"#)
    }

    /// Without it, a policy would let through what IAM refuses, or refuse what it allows.
    #[test]
    fn actions_and_resources_are_matched_as_iam_does() {
        let text = statement(
            r#""Action": ["secretsmanager:Describe*", "LAMBDA:getfunction"], "Resource": "arn:aws:*:::a-??""#,
        );
        let policy = parse(&text).expect("a policy");
        for (action, resource, allowed) in [
            ("secretsmanager:DescribeSecret", "arn:aws:s3:::a-xy", true),
            ("lambda:GetFunction", "arn:aws:s3:::a-xy", true),
            ("lambda:GetFunctionX", "arn:aws:s3:::a-xy", false),
            ("lambda:GetFunction", "arn:aws:s3:::a-xyz", false),
            ("lambda:GetFunction", "arn:aws:s3:::A-xy", false),
            ("secretsmanager:GetSecretValue", "arn:aws:s3:::a-xy", false),
            ("lambda:GetFunction", "*", false),
        ] {
            assert_eq!(policy.allows(action, resource), allowed, "{action} on {resource}");
        }
        let one = r#"{"Version": "2012-10-17", "Id": "x", "Statement": {"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        assert!(parse(one).expect("one statement").allows("s3:GetObject", "*"));
        let none = parse(r#"{"Version": "2012-10-17", "Statement": []}"#).expect("nothing is allowed");
        assert!(!none.allows("sts:AssumeRole", "*"));
    }

    /// Without it, a policy with a denial or a condition would be believed to mean what it doesn't.
    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let two = r#""Action": "a:B", "Resource": "*", "#;
        for (text, line, says) in [
            (statement(&format!("{two}\"Condition\": {{}}")), 1, "unknown field `Condition`"),
            (statement(r#""NotAction": "a:B", "Resource": "*""#), 1, "unknown field `NotAction`"),
            (statement(&format!("{two}\"Principal\": \"*\"")), 1, "unknown field `Principal`"),
            (statement(r#""Action": "a:B""#), 1, "missing field `Resource`"),
            (statement(r#""Action": "DescribeSecret", "Resource": "*""#), 1, "`DescribeSecret` is no action"),
            (statement(r#""Action": "a:B", "Resource": "secret/x""#), 1, "`secret/x` is no ARN"),
            (statement(r#""Action": "a:B", "Resource": "arn:aws:s3:::${aws:username}""#), 1, "has a variable"),
            (statement(r#""Action": 7, "Resource": "*""#), 1, "expected one, or a list of them"),
            (statement(two).replace("Allow", "Deny").replace("\"*\", ", "\"*\""), 1, "unknown variant `Deny`"),
            (statement(two).replace("2012-10-17", "2008-10-17"), 1, "unknown variant `2008-10-17`"),
            ("{\n\"Version\": \"2012-10-17\",\n\"Statements\": []}".to_owned(), 3, "unknown field `Statements`"),
            ("[]".to_owned(), 1, "a policy is an object"),
            (String::new(), 1, "a policy is an object"),
            ("{".to_owned(), 1, "EOF"),
        ] {
            let problem = parse(&text).expect_err(&text);
            assert!(problem.what.contains(says), "{text}: {problem}");
            assert_eq!(problem.line, line, "{text}");
            assert!(!problem.what.contains(" at line "), "{problem}");
        }
    }

    /// Without it, hints and tests would read words that AWS never says.
    #[test]
    fn refusals_have_each_services_form() {
        let policy = parse(r#"{"Version": "2012-10-17", "Statement": []}"#).expect("a policy");
        let rights = Rights::new(Some(policy));
        let refusal = rights.check("arn:aws:iam::1:user/u", "lambda:GetPolicy", "arn:aws:lambda:r:1:function:f");
        let error = refusal.expect_err("nothing is allowed").error(Service::Lambda);
        assert_eq!((error.status, error.code.as_str()), (403, "AccessDeniedException"));
        assert_eq!(
            error.message,
            "User: arn:aws:iam::1:user/u is not authorized to perform: lambda:GetPolicy on resource: \
             arn:aws:lambda:r:1:function:f because no identity-based policy allows the lambda:GetPolicy action"
        );
        let list = rights.check("u", "secretsmanager:ListSecrets", ANYTHING).expect_err("nothing is allowed");
        assert!(!list.to_string().contains("on resource"), "{list}");
        assert_eq!(rights.asked().len(), 2);
        rights.replace(None);
        assert!(!rights.are_held() && rights.asked().is_empty() && rights.check("u", "a:B", "*").is_ok());
    }
}
