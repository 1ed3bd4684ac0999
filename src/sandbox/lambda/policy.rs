//! Who may invoke a function: its resource-based policy.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reference::{self, Reference};
use super::state::new_revision;
use super::{found, found_mut};
use crate::sandbox::service::{Call, Shared};
use crate::sandbox::state::Region;
use crate::sandbox::wire::arn::{Arn, partition};
use crate::sandbox::wire::rest::{self, RestRequest};
use crate::sandbox::wire::{ApiError, Response};

/// The principal that rotates secrets.
const SECRETS_MANAGER: &str = "secretsmanager.amazonaws.com";

/// The largest policy of a function, in bytes (Lambda quotas, "Function resource-based policy").
const MAX_POLICY_BYTES: usize = 20_480;

/// A function's policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its statements, in the order in which they came.
    pub statements: Vec<Statement>,
    /// Changes with each write.
    pub revision_id: String,
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
    } else if text.contains('.') {
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
        larger.revision_id = new_revision();
        *self = larger;
        self.statements
            .last()
            .ok_or_else(|| ApiError::internal(crate::sandbox::service::Service::Lambda, "no statement"))
    }

    /// Removes a statement; false where there is none.
    pub fn remove(&mut self, statement_id: &str) -> bool {
        let before = self.statements.len();
        self.statements.retain(|statement| statement.sid != statement_id);
        self.revision_id = new_revision();
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

/// `AddPermission`.
pub(super) fn add(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let body = request.json()?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let owned = |key: &str| text(key).map(str::to_owned);
    let permission = Permission {
        statement_id: owned("StatementId").unwrap_or_default(),
        action: owned("Action").unwrap_or_default(),
        principal: owned("Principal").unwrap_or_default(),
        source_account: owned("SourceAccount"),
        source_arn: owned("SourceArn"),
        organization: owned("PrincipalOrgID"),
        event_source_token: owned("EventSourceToken"),
        url_auth_type: owned("FunctionUrlAuthType"),
        via_url: body.get("InvokedViaFunctionUrl").and_then(Value::as_bool),
    };
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let statement = shared.write(&call.account, &call.region, |region| {
        change(region, &reference, text("RevisionId"), |policy, resource| policy.add(&permission, resource).cloned())
    })?;
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    Ok(rest::answer(call, 201, &json!({ "Statement": statement })))
}

/// `RemovePermission`.
pub(super) fn remove(
    shared: &Shared,
    call: &Call,
    request: &RestRequest,
    name: &str,
    statement_id: &str,
) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    shared.write(&call.account, &call.region, |region| {
        let key = policy_key(&reference);
        let known = found(region, &reference)?
            .policies
            .get(&key)
            .is_some_and(|policy| policy.statements.iter().any(|statement| statement.sid == statement_id));
        if !known {
            return Err(ApiError::new(
                404,
                "ResourceNotFoundException",
                format!("Statement {statement_id} is not found in resource policy."),
            )
            .field("Type", "User"));
        }
        change(region, &reference, request.parameter("RevisionId"), |policy, _| Ok(policy.remove(statement_id)))
    })?;
    Ok(rest::empty(call, 204))
}

/// `GetPolicy`.
pub(super) fn get(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let policy = shared.read(&call.account, &call.region, |region| {
        found(region, &reference)?
            .policies
            .get(&policy_key(&reference))
            .filter(|policy| !policy.statements.is_empty())
            .cloned()
            .ok_or_else(|| {
                ApiError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")
                    .field("Type", "User")
            })
    })?;
    Ok(rest::answer(call, 200, &json!({ "Policy": policy.document(), "RevisionId": policy.revision_id })))
}

/// `$LATEST` has no policy of its own.
fn policy_key(reference: &Reference) -> String {
    reference.qualifier.clone().unwrap_or_default()
}

fn change<T>(
    region: &mut Region,
    reference: &Reference,
    revision: Option<&str>,
    change: impl FnOnce(&mut Policy, String) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let function = found_mut(region, reference)?;
    let resource = match &reference.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", function.arn),
        None => function.arn.clone(),
    };
    let key = policy_key(reference);
    let mut policy = function.policies.get(&key).cloned().unwrap_or_default();
    if revision.is_some_and(|revision| revision != policy.revision_id) {
        return Err(ApiError::new(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id",
        ));
    }
    let result = change(&mut policy, resource)?;
    if policy.statements.is_empty() {
        function.policies.remove(&key);
    } else {
        function.policies.insert(key, policy);
    }
    Ok(result)
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
pub(in crate::sandbox) fn like(pattern: &str, text: &str) -> bool {
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

/// The ARN of a function.
pub(super) fn function_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:{}:lambda:{region}:{account}:function:{name}", partition(region))
}

#[cfg(test)]
mod tests {
    use super::*;

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
