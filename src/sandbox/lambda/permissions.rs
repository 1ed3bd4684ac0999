//! The operations on who may invoke a function.

use serde_json::{Value, json};

use super::configuration::invalid;
use super::lookup::{found, found_mut, not_found};
use super::policy::{Permission, Policy};
use super::reference::{self, Reference};
use super::state::{Function, new_revision};
use crate::call::Call;
use crate::service::Shared;
use crate::state::Region;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

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
    if reference.latest {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
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
        let function = region.functions.functions.get(&reference.name);
        let function = function.ok_or_else(|| missing(format!("No policy found for: {}", reference.arn)))?;
        check_version(function, &reference)?;
        let policy = function.policies.get(&policy_key(&reference));
        let policy = policy.ok_or_else(|| missing("No policy is associated with the given resource."))?;
        if !policy.statements.iter().any(|statement| statement.sid == statement_id) {
            return Err(missing(format!("Statement {statement_id} is not found in resource policy.")));
        }
        change(region, &reference, request.parameter("RevisionId"), |policy, _| Ok(policy.remove(statement_id)))
    })?;
    Ok(rest::empty(call, 204))
}

/// `GetPolicy`.
pub(super) fn get(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let answer = shared.read(&call.account, &call.region, |region| {
        let function = found(region, &reference)?;
        let policy = function.policies.get(&policy_key(&reference));
        let policy = policy.filter(|policy| !policy.statements.is_empty()).ok_or_else(no_policy)?;
        let version = function.version(reference.qualifier.as_deref()).ok_or_else(no_policy)?;
        // A policy has no revision of its own: it is the function's, or the version's.
        Ok::<_, ApiError>(json!({ "Policy": policy.document(), "RevisionId": version.revision_id }))
    })?;
    Ok(rest::answer(call, 200, &answer))
}

fn no_policy() -> ApiError {
    missing("The resource you requested does not exist.")
}

fn missing(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", message)
}

/// That the version exists which a reference names.
fn check_version(function: &Function, reference: &Reference) -> Result<(), ApiError> {
    let Some(qualifier) = &reference.qualifier else { return Ok(()) };
    if function.version(Some(qualifier)).is_some() {
        return Ok(());
    }
    // A qualifier that is no number would be an alias.
    let is_number = qualifier.bytes().all(|byte| byte.is_ascii_digit());
    Err(if is_number {
        not_found(&reference.arn)
    } else {
        missing(format!("Cannot find alias arn: {}", reference.arn))
    })
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
    check_version(function, reference)?;
    let version = function.version_mut(reference.qualifier.as_deref()).ok_or_else(|| not_found(&reference.arn))?;
    if revision.is_some_and(|revision| revision != version.revision_id) {
        return Err(ApiError::new(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id",
        ));
    }
    let result = change(&mut policy, resource)?;
    version.revision_id = new_revision();
    if policy.statements.is_empty() {
        function.policies.remove(&key);
    } else {
        function.policies.insert(key, policy);
    }
    Ok(result)
}
