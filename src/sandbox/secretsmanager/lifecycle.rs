//! Deleting, restoring, tags, resource policies.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::input::{Input, invalid};
use super::lookup::{check_primary, edit_live, find, invalid_request, live, not_found};
use super::secret::{Secret, State};
use crate::call::Call;
use crate::wire::ApiError;

/// How many tags a secret may have.
const MOST_TAGS: usize = 50;

/// `DeleteSecret`.
pub fn delete(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let id = input.required("SecretId");
    let force = input.flag("ForceDeleteWithoutRecovery").unwrap_or(false);
    let days = input.number("RecoveryWindowInDays");
    if force && days.is_some() {
        return Err(invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."));
    }
    let days = u64::try_from(days.unwrap_or(30))
        .ok()
        .filter(|days| (7..=30).contains(days))
        .ok_or_else(|| invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."))?;
    if force && state.find(id).is_none() {
        // AWS deletes without looking first, so that a second delete is no error.
        let arn = if id.starts_with("arn:") {
            id.to_owned()
        } else {
            Secret::new(&call.account, &call.region, id, call.now).arn
        };
        let name = arn.rsplit_once(":secret:").map_or(id, |(_, name)| name);
        let name = if id.starts_with("arn:") { name } else { id };
        return Ok(json!({"ARN": arn, "Name": name, "DeletionDate": call.now.epoch_seconds()}));
    }
    let secret = find(state, id)?;
    if !secret.replicas.is_empty() {
        let regions: Vec<&str> = secret.replicas.iter().map(|replica| replica.region.as_str()).collect();
        return Err(invalid(format!(
            "You can't delete secret {} that still has replica regions [{}].",
            secret.arn,
            regions.join(", ")
        )));
    }
    check_primary(secret, call)?;
    if secret.owning_service.is_some() {
        return Err(invalid_request("This secret is managed by another AWS service: use that service to delete it."));
    }
    let (arn, name) = (secret.arn.clone(), secret.name.clone());
    if force {
        state.remove(&name);
        return Ok(json!({"ARN": arn, "Name": name, "DeletionDate": call.now.epoch_seconds()}));
    }
    if secret.deleted.is_some() {
        return Err(invalid_request(
            "You can't perform this operation on the secret because it was already scheduled for deletion.",
        ));
    }
    let end = call.now.plus(Duration::from_hours(24 * days));
    if let Some(secret) = state.edit(id) {
        secret.deleted = Some(end);
        secret.changed = call.now;
        if let Some(rotation) = &mut secret.rotation {
            rotation.run = None;
        }
    }
    Ok(json!({"ARN": arn, "Name": name, "DeletionDate": end.epoch_seconds()}))
}

/// `RestoreSecret`.
pub fn restore(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    find(state, input.required("SecretId"))?;
    let secret = state.edit(input.required("SecretId")).ok_or_else(not_found)?;
    secret.deleted = None;
    secret.changed = call.now;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

/// `TagResource`.
pub fn tag(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    add_tags(secret, input)?;
    secret.changed = call.now;
    Ok(Json::Null)
}

/// `UntagResource`.
pub fn untag(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    let keys = input.texts("TagKeys").unwrap_or_default();
    secret.tags.retain(|(key, _)| !keys.contains(&key.as_str()));
    secret.changed = call.now;
    Ok(Json::Null)
}

/// Adds a request's `Tags`, each in place of one with its key.
pub(super) fn add_tags(secret: &mut Secret, input: &Input) -> Result<(), ApiError> {
    let mut tags = secret.tags.clone();
    for tag in input.structures("Tags").unwrap_or_default() {
        let key = tag.text("Key").ok_or_else(|| invalid("You must specify the Key of each tag."))?.to_owned();
        let value = tag.text("Value").unwrap_or_default().to_owned();
        if key.starts_with("aws:") {
            return Err(invalid("You can't add a tag whose key starts with aws:, which is reserved for AWS use."));
        }
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(invalid(format!("A secret can have at most {MOST_TAGS} tags.")));
    }
    secret.tagged |= !tags.is_empty();
    secret.tags = tags;
    Ok(())
}

/// `GetResourcePolicy`.
pub fn get_policy(state: &State, input: &Input) -> Result<Json, ApiError> {
    let secret = live(state, input.required("SecretId"))?;
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(policy) = &secret.policy {
        answer["ResourcePolicy"] = json!(policy);
    }
    Ok(answer)
}

/// `PutResourcePolicy`.
pub fn put_policy(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    let policy = input.required("ResourcePolicy");
    let open = is_public(&parse_policy(policy)?);
    if open && input.flag("BlockPublicPolicy").unwrap_or(false) {
        return Err(ApiError::new(
            400,
            "PublicPolicyException",
            "You can't attach a resource policy that allows broad access to the secret.",
        ));
    }
    secret.policy = Some(policy.to_owned());
    secret.changed = call.now;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

/// `DeleteResourcePolicy`.
pub fn delete_policy(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    secret.policy = None;
    secret.changed = call.now;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

/// `ValidateResourcePolicy`.
pub fn validate_policy(state: &State, input: &Input) -> Result<Json, ApiError> {
    if let Some(id) = input.text("SecretId") {
        live(state, id)?;
    }
    let errors = if is_public(&parse_policy(input.required("ResourcePolicy"))?) {
        vec![json!({"CheckName": "PUBLIC_ACCESS", "ErrorMessage": "The policy allows broad access to the secret."})]
    } else {
        Vec::new()
    };
    Ok(json!({"PolicyValidationPassed": errors.is_empty(), "ValidationErrors": errors}))
}

fn parse_policy(text: &str) -> Result<Json, ApiError> {
    serde_json::from_str::<Json>(text)
        .ok()
        .filter(|policy| policy["Statement"].is_array() || policy["Statement"].is_object())
        .ok_or_else(|| {
            ApiError::new(
                400,
                "MalformedPolicyDocumentException",
                "This resource policy contains invalid JSON, or no Statement.",
            )
        })
}

/// Whether a statement lets everybody in, without a condition.
fn is_public(policy: &Json) -> bool {
    let statements = match &policy["Statement"] {
        Json::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    statements.into_iter().any(|statement| {
        let principal = &statement["Principal"];
        statement["Effect"] == "Allow"
            && statement["Condition"].is_null()
            && (principal == "*" || principal["AWS"] == "*" || principal["AWS"] == json!(["*"]))
    })
}
