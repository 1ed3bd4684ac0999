//! AWS `CloudFormation`: change sets, stacks, roll-backs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::{ApiError, Response};

/// An account's stacks in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {}

/// Answers a call.
#[expect(clippy::unused_async, reason = "operations wait")]
pub async fn handle(_shared: &Arc<Shared>, call: &Call, _request: Query) -> Result<Response, ApiError> {
    Err(ApiError::not_served(Service::CloudFormation, &call.operation))
}

/// Goes on with what was under way when the state was saved.
pub fn resume(_shared: &Arc<Shared>) {}
