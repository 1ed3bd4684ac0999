//! AWS `CloudTrail`: what Secrets Manager says of rotations.
//!
//! Looking up is served; the events are those of rotations and tests alone, which AWS writes about itself. Calls aren't among them:
//! the sandbox has a log of its own for those. They are there at once, where AWS takes minutes.

pub(super) mod inputs;
mod lookup;
mod state;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::call::Call;
use crate::model::check;
use crate::operations::input;
use crate::service::Shared;
use crate::services::Service;
use crate::wire::{ApiError, Response, json};

pub use state::{Happened, State, happened};

/// Answers a call.
#[expect(clippy::unused_async, reason = "every service is asked in the same way")]
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: Map<String, Value>) -> Result<Response, ApiError> {
    check(call.service, input(call.service, &call.operation)?, &request)?;
    let state = shared.read(&call.account, &call.region, |region| region.trail.clone());
    match call.operation.as_str() {
        "LookupEvents" => Ok(json::answer(call, &lookup::events(&state, call, &request)?)),
        operation => Err(ApiError::not_served(Service::CloudTrail, operation)),
    }
}
