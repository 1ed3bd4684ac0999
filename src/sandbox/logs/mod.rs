//! Amazon `CloudWatch` Logs: what functions print.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::wire::{ApiError, Response};

/// An account's log groups in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {}

/// Answers a call.
#[expect(clippy::unused_async, reason = "operations wait")]
pub async fn handle(_shared: &Arc<Shared>, call: &Call, _request: Map<String, Value>) -> Result<Response, ApiError> {
    Err(ApiError::not_served(Service::Logs, &call.operation))
}
