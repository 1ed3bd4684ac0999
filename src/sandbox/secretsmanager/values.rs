//! Making secrets, their versions and values, and moving staging labels.

use serde_json::{Value as Json, json};

use super::input::{Input, invalid};
use super::lookup::{
    check_name, check_primary, edit_live, find, invalid_next_token, invalid_request, live, not_found_value,
};
use super::secret::{CURRENT, Secret, State, Value, Version};

use crate::call::Call;
use crate::clock::Time;
use crate::sts;
use crate::wire::ApiError;

/// What a raw request without a token is answered with; SDKs fill it in.
pub(super) const TOKEN_MISSING: &str = "You must provide a ClientRequestToken value. We recommend a UUID-type value.";

/// `CreateSecret`.
pub fn create(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let name = input.required("Name");
    check_name(name)?;
    let value = value(input)?;
    let token = input.text("ClientRequestToken");
    if value.is_some() && token.is_none() {
        return Err(invalid(TOKEN_MISSING));
    }
    if let Some(existing) = state.find(name) {
        if existing.deleted.is_some() {
            return Err(invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        // The same request again, after an answer that was lost, is answered again.
        let same = token.and_then(|token| existing.versions.get(token)).is_some_and(|version| version.value == value);
        if same {
            return Ok(json!({"ARN": existing.arn, "Name": name, "VersionId": token}));
        }
        // The same token again, with another value.
        if let Some(token) = token.filter(|token| existing.versions.contains_key(*token)) {
            return Err(token_in_use(token, &existing.arn));
        }
        return Err(ApiError::new(
            400,
            "ResourceExistsException",
            format!("The operation failed because the secret {name} already exists."),
        ));
    }
    let mut secret = Secret::new(&call.account, &call.region, name, call.now);
    secret.description = input.text("Description").filter(|text| !text.is_empty()).map(str::to_owned);
    secret.kms_key = input.text("KmsKeyId").filter(|text| !text.is_empty()).map(str::to_owned);
    secret.partner = input.text("Type").filter(|text| !text.is_empty()).map(str::to_owned);
    super::lifecycle::add_tags(&mut secret, input)?;
    let mut answer = json!({"ARN": secret.arn, "Name": name});
    if let (Some(value), Some(token)) = (value, token) {
        secret.versions.insert(token.to_owned(), Version::new(Some(value), &[CURRENT], call.now));
        answer["VersionId"] = json!(token);
    }
    state.insert(secret);
    Ok(answer)
}

/// `PutSecretValue`.
pub fn put(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let value =
        value(input)?.ok_or_else(|| invalid_request("You must provide either SecretString or SecretBinary."))?;
    let token = input.text("ClientRequestToken").ok_or_else(|| invalid(TOKEN_MISSING))?;
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    check_owner(secret)?;
    check_rotation_token(secret, token, call, input)?;
    let stages = input.texts("VersionStages").unwrap_or_else(|| vec![CURRENT]);
    add_version(secret, token, value, &stages, call.now)?;
    let stages = secret.versions.get(token).map(|version| version.stages.clone()).unwrap_or_default();
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": stages}))
}

/// What a service made, it alone may change.
fn check_owner(secret: &Secret) -> Result<(), ApiError> {
    match &secret.owning_service {
        Some(_) => {
            Err(invalid_request("This secret is managed by another AWS service: use that service to change it."))
        }
        None => Ok(()),
    }
}

/// `UpdateSecret`.
pub fn update(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let value = value(input)?;
    let token = input.text("ClientRequestToken");
    if value.is_some() && token.is_none() {
        return Err(invalid(TOKEN_MISSING));
    }
    let secret = edit_live(state, input.required("SecretId"))?;
    check_owner(secret)?;
    // Of a replica, the key alone can be changed
    // (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/standalone-secret.html>).
    if value.is_some() || ["Description", "Type"].iter().any(|name| input.text(name).is_some()) {
        check_primary(secret, call)?;
    }
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name});
    if let (Some(value), Some(token)) = (value, token) {
        add_version(secret, token, value, &[CURRENT], call.now)?;
        answer["VersionId"] = json!(token);
    }
    let set = |field: &mut Option<String>, name: &str| {
        if let Some(text) = input.text(name) {
            *field = Some(text.to_owned()).filter(|text| !text.is_empty());
        }
    };
    set(&mut secret.description, "Description");
    set(&mut secret.kms_key, "KmsKeyId");
    set(&mut secret.partner, "Type");
    secret.changed = call.now;
    Ok(answer)
}

/// `GetSecretValue`. The day of the access is noted, which is rarely a change.
pub fn get(state: &mut State, call: &Call, input: &Input) -> Result<(Json, bool), ApiError> {
    let id = input.required("SecretId");
    let secret = live(state, id)?;
    let answer = value_of(secret, input.text("VersionId"), input.text("VersionStage"))?;
    let today = Time(call.now.0 - call.now.0.rem_euclid(86_400_000));
    let version = answer["VersionId"].as_str().unwrap_or_default();
    let known =
        secret.accessed == Some(today) && secret.versions.get(version).is_some_and(|v| v.accessed == Some(today));
    if !known && let Some(secret) = state.edit(id) {
        secret.accessed = Some(today);
        if let Some(version) = secret.versions.get_mut(version) {
            version.accessed = Some(today);
        }
    }
    Ok((answer, !known))
}

/// `BatchGetSecretValue`.
pub fn get_batch(state: &State, input: &Input) -> Result<Json, ApiError> {
    let (found, next) = match (input.texts("SecretIdList"), input.structures("Filters")) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both."));
        }
        (Some(_), None) if input.number("MaxResults").is_some() => {
            return Err(invalid(
                "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
            ));
        }
        (Some(ids), None) => (ids.into_iter().map(|id| (id.to_owned(), live(state, id))).collect::<Vec<_>>(), None),
        (None, Some(_)) => {
            let (secrets, next) = super::describe::select(state, input, 20)?;
            (secrets.into_iter().map(|secret| (secret.arn.clone(), Ok(&**secret))).collect(), next)
        }
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for (id, secret) in found {
        match secret.and_then(|secret| value_of(secret, None, None)) {
            Ok(value) => values.push(value),
            Err(error) => errors.push(json!({"SecretId": id, "ErrorCode": error.code, "Message": error.message})),
        }
    }
    let mut answer = json!({"SecretValues": values, "Errors": errors});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// `ListSecretVersionIds`.
pub fn list_versions(state: &State, input: &Input) -> Result<Json, ApiError> {
    let secret = find(state, input.required("SecretId"))?;
    let deprecated = input.flag("IncludeDeprecated").unwrap_or(false);
    let most = input.number("MaxResults").and_then(|most| usize::try_from(most).ok()).unwrap_or(100);
    // The token is the last id of the page before: ids are sorted.
    let after = input.text("NextToken");
    if after.is_some_and(|after| !secret.versions.contains_key(after)) {
        return Err(invalid_next_token());
    }
    let mut versions = secret
        .versions
        .iter()
        .filter(|(id, version)| {
            (deprecated || !version.stages.is_empty()) && after.is_none_or(|after| id.as_str() > after)
        })
        .peekable();
    let mut page = Vec::new();
    let mut last = None;
    while let Some((id, version)) = versions.next_if(|_| page.len() < most) {
        let mut entry = json!({"VersionId": id, "CreatedDate": version.created.epoch_seconds(),
            "KmsKeyIds": [secret.kms_key.as_deref().unwrap_or("DefaultEncryptionKey")]});
        if !version.stages.is_empty() {
            entry["VersionStages"] = json!(version.stages);
        }
        if let Some(accessed) = version.accessed {
            entry["LastAccessedDate"] = accessed.epoch_seconds();
        }
        page.push(entry);
        last = Some(id);
    }
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name, "Versions": page});
    if versions.peek().is_some() {
        answer["NextToken"] = json!(last);
    }
    Ok(answer)
}

/// `UpdateSecretVersionStage`.
pub fn move_stage(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let label = input.required("VersionStage");
    let (to, from) = (input.text("MoveToVersionId"), input.text("RemoveFromVersionId"));
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    if to.is_none() && from.is_none() {
        return Err(invalid("You must provide MoveToVersionId, RemoveFromVersionId, or both."));
    }
    for id in [to, from].into_iter().flatten() {
        if !secret.versions.contains_key(id) {
            return Err(ApiError::new(
                400,
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret version: {id}"),
            ));
        }
    }
    let holder = secret.version_with(label).map(str::to_owned);
    match (&holder, from) {
        // Where it is already, nothing moves.
        (Some(holder), None) if to != Some(holder) => {
            return Err(invalid(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        (holder, Some(from)) if holder.as_deref() != Some(from) => {
            return Err(invalid(format!(
                "The parameter RemoveFromVersionId must name the version that staging label {label} is attached to; {from} isn't."
            )));
        }
        _ => {}
    }
    match to {
        Some(to) => {
            if secret.versions.get(to).is_some_and(|version| version.stages.len() >= 20 && !version.has(label)) {
                return Err(ApiError::new(
                    400,
                    "LimitExceededException",
                    "A version can have at most 20 staging labels.",
                ));
            }
            secret.move_stage(label, to);
        }
        None if label == CURRENT => {
            return Err(invalid("You can't remove the staging label AWSCURRENT: move it to another version instead."));
        }
        None => secret.drop_stage(label),
    }
    secret.changed = call.now;
    secret.tidy(call.now);
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

/// Whoever sets the value of a version that a rotation is making, under an assumed role or from another account, proves with
/// the event's `RotationToken` that it acts for that rotation ("Required for secret rotations using an IAM assumed role or
/// cross-account rotation", `PutSecretValue` in the API reference). AWS documents no error for it.
fn check_rotation_token(secret: &Secret, version: &str, call: &Call, input: &Input) -> Result<(), ApiError> {
    let run = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref());
    let Some(run) = run.filter(|run| run.token == version) else { return Ok(()) };
    // A function's process: its role is its own, and none that it has assumed.
    let is_own = call.access_key == call.account;
    match input.text("RotationToken") {
        Some(given) if run.proof.as_deref() == Some(given) => Ok(()),
        Some(_) => Err(invalid_request("The RotationToken isn't the one of the rotation that is under way.")),
        None if !is_own && sts::acts_for_another(&call.principal, &call.account) => Err(invalid_request(
            "You must provide a RotationToken to rotate a secret under an assumed role or from another account.",
        )),
        None => Ok(()),
    }
}

fn value_of(secret: &Secret, id: Option<&str>, stage: Option<&str>) -> Result<Json, ApiError> {
    let missing = || match (id, stage) {
        (Some(id), _) => not_found_value(&format!("VersionId: {id}")),
        (None, stage) => not_found_value(&format!("staging label: {}", stage.unwrap_or(CURRENT))),
    };
    let found = match id {
        Some(id) => Some(id),
        None => secret.version_with(stage.unwrap_or(CURRENT)),
    };
    let (id, version) = found.and_then(|id| secret.versions.get_key_value(id)).ok_or_else(missing)?;
    if stage.is_some_and(|stage| !version.has(stage)) {
        return Err(invalid_request("You provided a VersionStage that is not associated to the provided VersionId."));
    }
    let created = version.created.epoch_seconds();
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name, "VersionId": id, "CreatedDate": created});
    if !version.stages.is_empty() {
        answer["VersionStages"] = json!(version.stages);
    }
    let run = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref()).filter(|run| run.token == *id);
    let instead = run.and_then(|run| run.instead.as_ref());
    match instead.or(version.value.as_ref()).ok_or_else(missing)? {
        Value::Text(text) => answer["SecretString"] = json!(text),
        Value::Binary(bytes) => answer["SecretBinary"] = json!(bytes),
    }
    Ok(answer)
}

fn add_version(secret: &mut Secret, token: &str, value: Value, stages: &[&str], now: Time) -> Result<(), ApiError> {
    let first = secret.versions.is_empty();
    let version = secret.versions.entry(token.to_owned()).or_insert_with(|| Version::new(None, &[], now));
    match &version.value {
        // The same again does nothing.
        Some(known) if *known == value => return Ok(()),
        Some(_) => {
            return Err(token_in_use(token, &secret.arn));
        }
        None => version.value = Some(value),
    }
    for stage in stages {
        secret.move_stage(stage, token);
    }
    // Also where the caller asked for another label alone.
    if first {
        secret.move_stage(CURRENT, token);
    }
    secret.changed = now;
    // A value that somebody sets by hand counts as a rotation.
    if secret.version_with(CURRENT) == Some(token) && secret.rotation.as_ref().is_some_and(|r| r.run.is_none()) {
        secret.plan_next(now, now);
    }
    secret.tidy(now);
    Ok(())
}

fn token_in_use(token: &str, arn: &str) -> ApiError {
    let message = format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
    );
    ApiError::new(400, "ResourceExistsException", message)
}

fn value(input: &Input) -> Result<Option<Value>, ApiError> {
    match (input.text("SecretString"), input.text("SecretBinary")) {
        (Some(_), Some(_)) => {
            Err(invalid("You can't specify both a binary secret value and a string secret value in the same secret."))
        }
        (Some(text), None) => Ok(Some(Value::Text(text.to_owned()))),
        (None, Some(bytes)) => Ok(Some(Value::Binary(bytes.to_owned()))),
        (None, None) => Ok(None),
    }
}
