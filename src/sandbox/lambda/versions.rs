//! Published versions.

use serde_json::Value;

use super::lookup::{check_idle, check_revision, found, found_mut, not_found, page};
use super::reference::{self, Reference};
use super::state::{Function, Version};
use super::{configuration, describe};
use crate::call::Call;
use crate::clock::Time;
use crate::service::Shared;
use crate::state::Region;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// The version that a reference means, with its number where it is a published one.
pub(super) fn find<'a>(
    region: &'a Region,
    reference: &Reference,
) -> Result<(&'a Function, &'a Version, Option<u64>), ApiError> {
    let function = found(region, reference)?;
    let qualifier = reference.qualifier.as_deref();
    let found = function.number(qualifier).and_then(|number| Some((function.version(qualifier)?, number)));
    let (version, number) = found.ok_or_else(|| not_found(&reference.arn))?;
    Ok((function, version, number))
}

/// Publishes `$LATEST`, unless nothing changed since the newest version; its number.
pub(super) fn publish(function: &mut Function, description: Option<&str>, now: Time) -> u64 {
    let mut version = function.latest.clone();
    version.described = Some(version.settings.description.clone());
    if let Some(description) = description {
        description.clone_into(&mut version.settings.description);
    }
    if let Some((number, newest)) = function.published.last_key_value() {
        let mut same = newest.settings.clone();
        // A description that was given to the version alone isn't a change of the function.
        let described = newest.described.as_ref().unwrap_or(&same.description);
        let is_described_alike = *described == function.latest.settings.description;
        same.description.clone_from(&version.settings.description);
        if is_described_alike && same == version.settings && newest.code.sha256() == version.code.sha256() {
            return *number;
        }
    }
    let number = function.next_version;
    let phase = version.phase;
    version.edited(now, phase);
    function.published.insert(number, version);
    function.next_version += 1;
    number
}

/// `PublishVersion`.
pub(super) fn create(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let body = request.json()?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let reference = reference::resolve(call, name, None)?;
    let answer = shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        check_revision(text("RevisionId"), &function.latest)?;
        check_idle(function)?;
        if let Some(sha256) = text("CodeSha256").filter(|sha256| *sha256 != function.latest.code.sha256()) {
            return Err(configuration::invalid(format!(
                "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
                function.latest.code.sha256()
            )));
        }
        let number = publish(function, text("Description").filter(|text| !text.is_empty()), call.now);
        let version = function.published.get(&number).unwrap_or(&function.latest);
        Ok(describe::one(function, version, Some(number)))
    })?;
    Ok(rest::answer(call, 201, &Value::Object(answer)))
}

/// `ListVersionsByFunction`.
pub(super) fn list(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    let versions = shared.read(&call.account, &call.region, |region| {
        let function = found(region, &reference)?;
        let mut latest = describe::in_list(function, &function.latest, None);
        latest.insert("FunctionArn".to_owned(), Value::String(format!("{}:$LATEST", function.arn)));
        let published = function
            .published
            .iter()
            .map(|(number, version)| Value::Object(describe::in_list(function, version, Some(*number))));
        Ok::<_, ApiError>(std::iter::once(Value::Object(latest)).chain(published).collect())
    })?;
    page(call, request, "Versions", versions, 50)
}
