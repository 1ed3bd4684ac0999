//! Tags of functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::configuration::invalid;
use super::lookup::{found, found_mut};
use super::reference::{self, Reference};
use super::state::new_revision;
use crate::call::Call;
use crate::service::Shared;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// How many tags a function may have (AWS's tagging rules).
const MAX_TAGS: usize = 50;

/// The tags of a request.
pub(super) fn read(value: Option<&Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for (key, value) in value.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        tags.insert(key.clone(), value.to_owned());
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MAX_TAGS { Err(invalid("Number of tags exceeds resource tag limit.")) } else { Ok(()) }
}

/// The function of an ARN: versions have no tags.
fn of_function(call: &Call, arn: &str) -> Result<Reference, ApiError> {
    let reference = reference::resolve(call, arn, None)?;
    if reference.latest || reference.qualifier.is_some() {
        return Err(invalid("Tags on function aliases and versions are not supported. Please specify a function ARN."));
    }
    Ok(reference)
}

/// `TagResource`.
pub(super) fn add(shared: &Shared, call: &Call, request: &RestRequest, arn: &str) -> Result<Response, ApiError> {
    let reference = of_function(call, arn)?;
    let body = request.json()?;
    if body.get("Tags").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
        return Err(invalid("Tags cannot be null or empty."));
    }
    let tags = read(body.get("Tags"))?;
    shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        let mut all = function.tags.clone();
        all.extend(tags);
        check_count(&all)?;
        function.tags = all;
        function.latest.revision_id = new_revision();
        Ok::<_, ApiError>(())
    })?;
    Ok(rest::empty(call, 204))
}

/// `UntagResource`.
pub(super) fn remove(shared: &Shared, call: &Call, request: &RestRequest, arn: &str) -> Result<Response, ApiError> {
    let reference = of_function(call, arn)?;
    let keys: Vec<&str> = request.parameters("tagKeys").collect();
    if keys.is_empty() {
        return Err(invalid("TagKeys cannot be null or empty."));
    }
    shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        function.tags.retain(|key, _| !keys.contains(&key.as_str()));
        function.latest.revision_id = new_revision();
        Ok::<_, ApiError>(())
    })?;
    Ok(rest::empty(call, 204))
}

/// `ListTags`.
pub(super) fn list(shared: &Shared, call: &Call, arn: &str) -> Result<Response, ApiError> {
    let reference = of_function(call, arn)?;
    let tags = shared
        .read(&call.account, &call.region, |region| found(region, &reference).map(|function| function.tags.clone()))?;
    Ok(rest::answer(call, 200, &json!({ "Tags": tags })))
}
