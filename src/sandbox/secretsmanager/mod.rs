//! AWS Secrets Manager.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::service::{Call, Service, Shared};
use super::wire::{ApiError, Response};

/// An account's secrets in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {}

/// Answers a call.
#[expect(clippy::unused_async, reason = "operations wait")]
pub async fn handle(_shared: &Arc<Shared>, call: &Call, _request: Map<String, Value>) -> Result<Response, ApiError> {
    Err(ApiError::not_served(Service::SecretsManager, &call.operation))
}

/// Goes on with the rotations that were under way when the state was saved.
pub fn resume(_shared: &Arc<Shared>) {}

/// Creates a secret with a made-up value.
pub fn seed(_shared: &Arc<Shared>, _account: &str, _region: &str, _name: &str) -> bool {
    false
}
