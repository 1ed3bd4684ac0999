//! Access across accounts: whoever names another account's secret by its ARN may do what the secret's resource policy allows.
//!
//! There is no IAM here but for the roles of the applications' functions, which may do what their templates say. Within an account
//! everything else is allowed, and a key that is no session's stands for everybody in its
//! account. Conditions aren't evaluated: a statement that has one neither allows nor denies.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html>

use std::borrow::Cow;

use serde_json::Value as Json;

use super::input::Input;
use super::lookup::invalid_request;
use super::secret::Secret;
use crate::call::Call;
use crate::cloudformation::role_statements;
use crate::cloudformation::template::Place;
use crate::lambda::policy::like;
use crate::service::Shared;
use crate::wire::ApiError;
use crate::wire::arn::Arn;

/// What a policy says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// No statement is about it.
    Silent,
    Denied,
}

/// The call as it is to be performed: in the account of the secret that it names, where its policy allows that.
pub(super) fn in_the_secrets_account<'a>(
    shared: &Shared,
    call: &'a Call,
    input: &Input,
) -> Result<Cow<'a, Call>, ApiError> {
    let id = input.text("SecretId").unwrap_or_default();
    let Some(arn) = Arn::parse(id).filter(|arn| is_elsewhere(arn, call)) else { return Ok(Cow::Borrowed(call)) };
    let secret = shared.read(arn.account, &call.region, |region| region.secrets.find(id).cloned());
    let verdict = secret.as_deref().map_or(Verdict::Silent, |secret| judge(secret, call));
    let because = match verdict {
        Verdict::Allowed => None,
        // Whether there is such a secret isn't told either.
        Verdict::Silent => Some("because no resource-based policy allows the"),
        Verdict::Denied => Some("with an explicit deny in a resource-based policy for the"),
    };
    if let Some(because) = because {
        let action = action(call);
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: {id} {because} {action} action",
            call.principal
        );
        return Err(ApiError::new(400, "AccessDeniedException", message));
    }
    if secret.is_some_and(|secret| secret.kms_key.as_deref().is_none_or(is_default_key)) && touches_value(call, input) {
        return Err(invalid_request(
            "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
        ));
    }
    Ok(Cow::Owned(Call { account: arn.account.to_owned(), ..call.clone() }))
}

/// Refuses what the role of an application's function doesn't allow, as AWS does; the secret's own policy may allow it all the same.
/// Of other accounts' secrets, their policies decide.
pub(super) fn check_role(shared: &Shared, call: &Call, input: &Input) -> Result<(), ApiError> {
    let caller = Arn::parse(&call.principal);
    let role = caller.and_then(|arn| arn.resource.strip_prefix("assumed-role/")?.split('/').next());
    let id = input.text("SecretId");
    let elsewhere = id.and_then(Arn::parse).is_some_and(|arn| is_elsewhere(&arn, call));
    let Some(role) = role.filter(|_| !elsewhere) else { return Ok(()) };
    let place = Place { account: &call.account, region: &call.region };
    let allowed = shared.read(&call.account, &call.region, |region| {
        let Some(statements) = role_statements(&region.stacks, place, role) else { return true };
        let secret = id.and_then(|id| region.secrets.find(id));
        let resource = secret.map(|secret| secret.arn.as_str()).or(id).unwrap_or("*");
        let allows = |statement: &Json| {
            statement["Effect"] == "Allow"
                && any_like(&statement["Action"], &action(call), true)
                && any_like(&statement["Resource"], resource, false)
                && is_met(&statement["Condition"], secret.map(AsRef::as_ref))
        };
        statements.iter().any(allows) || secret.is_some_and(|secret| judge(secret, call) == Verdict::Allowed)
    });
    if allowed {
        return Ok(());
    }
    let (action, resource) = (action(call), id.map(|id| format!(" on resource: {id}")).unwrap_or_default());
    let message = format!(
        "User: {} is not authorized to perform: {action}{resource} because no identity-based policy allows the {action} action",
        call.principal
    );
    Err(ApiError::new(400, "AccessDeniedException", message))
}

/// Whether the condition of an application's role is met: the secret rotates with the function that the role is for.
fn is_met(condition: &Json, secret: Option<&Secret>) -> bool {
    let function = &condition["StringEquals"]["secretsmanager:resource/AllowRotationLambdaArn"];
    let attached = secret.and_then(|secret| secret.rotation.as_ref()?.function.as_deref());
    condition.is_null() || (function.is_string() && function.as_str() == attached)
}

/// Whether a key is AWS's own, which no other account can use: by its alias, or by the alias's ARN.
fn is_default_key(key: &str) -> bool {
    const ALIAS: &str = "alias/aws/secretsmanager";
    key == ALIAS || Arn::parse(key).is_some_and(|arn| arn.service == "kms" && arn.resource == ALIAS)
}

/// Whether an ARN is that of another account's secret in the region of the call: other regions' aren't found at all.
fn is_elsewhere(arn: &Arn<'_>, call: &Call) -> bool {
    arn.service == "secretsmanager" && arn.region == call.region && arn.account != call.account
}

fn action(call: &Call) -> String {
    format!("secretsmanager:{}", call.operation)
}

fn touches_value(call: &Call, input: &Input) -> bool {
    match call.operation.as_str() {
        "GetSecretValue" | "PutSecretValue" => true,
        "UpdateSecret" => input.text("SecretString").is_some() || input.text("SecretBinary").is_some(),
        _ => false,
    }
}

/// What a secret's policy says: a denial outweighs everything.
fn judge(secret: &Secret, call: &Call) -> Verdict {
    let policy: Json = secret.policy.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let statements = several(&policy["Statement"]);
    let names_all = |statement: &Json| {
        statement["Condition"].is_null()
            && names(&statement["Principal"], call)
            && any_like(&statement["Action"], &action(call), true)
            && any_like(&statement["Resource"], &secret.arn, false)
    };
    let about = |effect: &str| {
        let denies = effect == "Deny";
        statements.iter().any(|statement| {
            statement["Effect"] == effect && (names_all(statement) || denies && may_deny(statement, secret, call))
        })
    };
    if about("Deny") {
        Verdict::Denied
    } else if about("Allow") {
        Verdict::Allowed
    } else {
        Verdict::Silent
    }
}

/// Whether a denial that isn't read in full could be about a call: by the elements that exclude, each of which is read, or by
/// one that is none of a policy's. What can't be read denies, so that no rehearsal is let in where AWS lets nobody in.
fn may_deny(statement: &Json, secret: &Secret, call: &Call) -> bool {
    const READ: [&str; 8] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"];
    let unread = statement
        .as_object()
        .is_some_and(|all| all.keys().any(|name| name != "Condition" && !READ.contains(&name.as_str())));
    // An element, or the one that excludes.
    let meets = |name: &str, is_met: &dyn Fn(&Json) -> bool| {
        let excluded = &statement[format!("Not{name}")];
        if excluded.is_null() { is_met(&statement[name]) } else { !is_met(excluded) }
    };
    unread
        || statement["Condition"].is_null()
            && meets("Principal", &|listed| names(listed, call))
            && meets("Action", &|listed| any_like(listed, &action(call), true))
            && meets("Resource", &|listed| any_like(listed, &secret.arn, false))
}

/// One or several: policies leave the brackets out around one.
fn several(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        Json::Null => Vec::new(),
        one => vec![one],
    }
}

/// Whether one of the patterns is met. The names of actions are the same in any case.
fn any_like(patterns: &Json, text: &str, any_case: bool) -> bool {
    several(patterns).into_iter().filter_map(Json::as_str).any(|pattern| {
        if any_case { like(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase()) } else { like(pattern, text) }
    })
}

/// Whether a statement's principals name the caller.
fn names(principal: &Json, call: &Call) -> bool {
    let listed = if principal.is_string() { several(principal) } else { several(&principal["AWS"]) };
    listed.into_iter().filter_map(Json::as_str).any(|principal| is_caller(principal, call))
}

/// Whether a principal is the caller: everybody, the caller's account, its role, its session.
fn is_caller(principal: &str, call: &Call) -> bool {
    if principal == "*" || principal == call.account {
        return true;
    }
    let (Some(named), Some(caller)) = (Arn::parse(principal), Arn::parse(&call.principal)) else { return false };
    if named.account != caller.account {
        return false;
    }
    // `assumed-role/ROLE/SESSION` comes from `role/PATH/ROLE`.
    let role = caller.resource.strip_prefix("assumed-role/").and_then(|session| session.split('/').next());
    match role {
        None => true,
        Some(role) => {
            named.resource == "root"
                || principal == call.principal
                || named.resource.strip_prefix("role/").and_then(|path| path.rsplit('/').next()) == Some(role)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Time;
    use crate::services::Service;

    fn verdict(policy: &Json, principal: &str) -> Verdict {
        let mut secret = Secret::new("111111111111", "eu-west-1", "a", Time(0));
        secret.policy = Some(policy.to_string());
        let call = Call {
            service: Service::SecretsManager,
            operation: "GetSecretValue".to_owned(),
            account: "222222222222".to_owned(),
            region: "eu-west-1".to_owned(),
            request_id: String::new(),
            access_key: String::new(),
            principal: principal.to_owned(),
            now: Time(0),
        };
        judge(&secret, &call)
    }

    fn statement(effect: &str, principal: &Json, action: &str) -> Json {
        json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"})
    }

    /// Without it, a policy could let in whom it doesn't name, or keep out whom it does.
    #[test]
    fn policies_are_read_as_iam_reads_them() {
        let session = "arn:aws:sts::222222222222:assumed-role/rotation/session";
        let allow = |principal: Json| json!({"Statement": statement("Allow", &principal, "secretsmanager:Get*")});
        for principal in [
            json!("*"),
            json!({"AWS": "222222222222"}),
            json!({"AWS": ["arn:aws:iam::222222222222:root"]}),
            json!({"AWS": "arn:aws:iam::222222222222:role/path/rotation"}),
            json!({"AWS": session}),
        ] {
            assert_eq!(verdict(&allow(principal.clone()), session), Verdict::Allowed, "{principal}");
        }
        for principal in [
            json!({"AWS": "arn:aws:iam::333333333333:root"}),
            json!({"AWS": "arn:aws:iam::222222222222:role/other"}),
            json!({"Service": "lambda.amazonaws.com"}),
        ] {
            assert_eq!(verdict(&allow(principal.clone()), session), Verdict::Silent, "{principal}");
        }
        let everybody = json!("*");
        let put = json!({"Statement": [statement("Allow", &everybody, "secretsmanager:PutSecretValue")]});
        assert_eq!(verdict(&put, session), Verdict::Silent);
        let both = [
            statement("Allow", &everybody, "secretsmanager:*"),
            statement("Deny", &everybody, "secretsmanager:getsecretvalue"),
        ];
        assert_eq!(verdict(&json!({"Statement": both}), session), Verdict::Denied);
    }

    /// Without it, a rehearsal would read what a policy on AWS keeps it from.
    #[test]
    fn denials_count_by_what_they_exclude_and_by_what_is_not_understood() {
        let session = "arn:aws:sts::222222222222:assumed-role/rotation/session";
        let everybody = json!("*");
        let denied = |deny: Json| {
            let both = [statement("Allow", &everybody, "secretsmanager:*"), deny];
            verdict(&json!({"Statement": both}), session) == Verdict::Denied
        };
        let base = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
        let but = |without: &str, with: &str, value: Json| {
            let mut deny = base.clone();
            deny.as_object_mut().expect("an object").remove(without);
            deny[with] = value;
            denied(deny)
        };
        assert!(but("Action", "NotAction", json!("secretsmanager:DescribeSecret")));
        assert!(!but("Action", "NotAction", json!(["secretsmanager:Get*"])));
        assert!(but("Resource", "NotResource", json!("arn:aws:s3:::*")));
        assert!(!but("Resource", "NotResource", json!("*")));
        assert!(but("Principal", "NotPrincipal", json!({"AWS": "333333333333"})));
        assert!(!but("Principal", "NotPrincipal", json!({"AWS": "222222222222"})));
        assert!(but("Action", "Actions", json!("x")));
    }

    /// Without it, the default key would be anybody's by its alias's ARN.
    #[test]
    fn the_default_key_has_two_names() {
        assert!(is_default_key("alias/aws/secretsmanager"));
        assert!(is_default_key("arn:aws:kms:eu-west-1:111111111111:alias/aws/secretsmanager"));
        assert!(!is_default_key("arn:aws:kms:eu-west-1:111111111111:alias/mine"));
    }
}
