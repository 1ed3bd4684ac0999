//! Finding a secret, and the errors that operations share.

use std::sync::Arc;

use super::input::invalid;
use super::secret::{Secret, State};
use crate::call::Call;
use crate::wire::ApiError;

/// The secret of an id.
pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Arc<Secret>, ApiError> {
    state.find(id).ok_or_else(not_found)
}

/// The secret of an id, unless it is scheduled for deletion.
pub(super) fn live<'a>(state: &'a State, id: &str) -> Result<&'a Secret, ApiError> {
    let secret = find(state, id)?;
    match secret.deleted {
        None => Ok(secret),
        Some(_) => Err(marked_for_deletion()),
    }
}

/// The same, to change it.
pub(super) fn edit_live<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Secret, ApiError> {
    let secret = state.edit(id).ok_or_else(not_found)?;
    match secret.deleted {
        None => Ok(secret),
        Some(_) => Err(marked_for_deletion()),
    }
}

pub(super) fn not_found() -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

pub(super) fn not_found_value(what: &str) -> ApiError {
    let message = format!("Secrets Manager can't find the specified secret value for {what}");
    ApiError::new(400, "ResourceNotFoundException", message)
}

pub(super) fn marked_for_deletion() -> ApiError {
    invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
}

pub(super) fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRequestException", message)
}

pub(super) fn invalid_next_token() -> ApiError {
    ApiError::new(400, "InvalidNextTokenException", "The NextToken value is invalid.")
}

/// Only the primary of a replicated secret can be written.
pub(super) fn check_primary(secret: &Secret, call: &Call) -> Result<(), ApiError> {
    match &secret.primary_region {
        Some(region) if *region != call.region => {
            Err(invalid("Operation not permitted on a replica secret. Call must be made in primary secret's region."))
        }
        _ => Ok(()),
    }
}

/// Refuses a text that can't be a secret's name.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=.@-!".contains(&b)) {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "ValidationException",
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
    ))
}
