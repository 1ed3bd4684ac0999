//! Finding a function, and what a write asks first; pages of lists.

use serde_json::{Map, Value, json};

use super::configuration::invalid;
use super::reference::{self, Reference};
use super::state::{Function, Phase, Version};
use crate::call::Call;
use crate::state::Region;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// The function that an ARN names, in this account and region.
pub(super) fn of_arn<'a>(region: &'a Region, arn: &str) -> Option<(&'a Function, Reference)> {
    let reference = reference::meant_by(arn)?;
    let function = region.functions.functions.get(&reference.name)?;
    let rest = arn.strip_prefix(function.arn.as_str())?;
    let known = rest.is_empty() || function.version(rest.strip_prefix(':')).is_some();
    known.then_some((function, reference))
}

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}

pub(super) fn found<'a>(region: &'a Region, reference: &Reference) -> Result<&'a Function, ApiError> {
    region.functions.functions.get(&reference.name).ok_or_else(|| not_found(&reference.arn))
}

pub(super) fn found_mut<'a>(region: &'a mut Region, reference: &Reference) -> Result<&'a mut Function, ApiError> {
    region.functions.functions.get_mut(&reference.name).ok_or_else(|| not_found(&reference.arn))
}

/// One page of a list: `Marker` says where it starts, `MaxItems` how long it is, and AWS never gives more than `most`.
pub(super) fn page(
    call: &Call,
    request: &RestRequest,
    member: &str,
    items: Vec<Value>,
    most: usize,
) -> Result<Response, ApiError> {
    let limit = request
        .parameter("MaxItems")
        .and_then(|limit| limit.parse::<usize>().ok())
        .map_or(most, |limit| limit.min(most));
    let start = match request.parameter("Marker") {
        None | Some("") => 0,
        Some(marker) => marker
            .strip_prefix("sandbox-")
            .and_then(|start| start.parse::<usize>().ok())
            .ok_or_else(|| invalid("Invalid pagination token"))?,
    };
    let end = start.saturating_add(limit).min(items.len());
    let mut answer = Map::new();
    if end < items.len() {
        answer.insert("NextMarker".to_owned(), json!(format!("sandbox-{end}")));
    }
    answer.insert(member.to_owned(), items.into_iter().skip(start).take(limit).collect());
    Ok(rest::answer(call, 200, &Value::Object(answer)))
}

/// The precondition that a caller may set on a write.
pub(super) fn check_revision(revision: Option<&str>, version: &Version) -> Result<(), ApiError> {
    if revision.is_none_or(|revision| revision == version.revision_id) {
        return Ok(());
    }
    Err(ApiError::new(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    ))
}

/// One edit at a time.
pub(super) fn check_idle(function: &Function) -> Result<(), ApiError> {
    let why = match function.latest.phase {
        Phase::Active => return Ok(()),
        Phase::Updating => format!("An update is in progress for resource: {}", function.arn),
        Phase::Pending => "The function is currently in the following state: Pending".to_owned(),
    };
    Err(ApiError::new(
        409,
        "ResourceConflictException",
        format!("The operation cannot be performed at this time. {why}"),
    ))
}
