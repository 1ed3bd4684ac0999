//! The AWS Serverless Application Repository: the applications that the sandbox serves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::wire::rest::RestRequest;
use crate::sandbox::wire::{ApiError, Response};

/// An account's applications in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {}

/// The operation that a method and path name.
pub fn operation(_request: &RestRequest) -> Option<&'static str> {
    None
}

/// Answers a call.
#[expect(clippy::unused_async, reason = "operations wait")]
pub async fn handle(_shared: &Arc<Shared>, call: &Call, _request: RestRequest) -> Result<Response, ApiError> {
    Err(ApiError::not_served(Service::ServerlessRepo, &call.operation))
}
