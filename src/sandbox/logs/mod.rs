//! Amazon `CloudWatch` Logs: what functions print.
//!
//! Reading is served, and deleting: functions write through [`append`], which makes a group that isn't there. Old events make room for new ones, since all of it is part of the
//! sandbox's state.

pub(super) mod inputs;
mod read;
mod state;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::call::Call;
use crate::model::check;
use crate::operations::input;
use crate::service::Shared;
use crate::services::Service;
use crate::wire::{ApiError, Response, json};

pub use state::{State, append};

/// Answers a call.
#[expect(clippy::unused_async, reason = "every service is asked in the same way")]
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: Map<String, Value>) -> Result<Response, ApiError> {
    check(call.service, input(call.service, &call.operation)?, &request)?;
    if call.operation == "DeleteLogGroup" {
        shared.write(&call.account, &call.region, |region| delete(&mut region.logs, &request))?;
        return Ok(json::answer(call, &Value::Null));
    }
    let state = shared.read(&call.account, &call.region, |region| region.logs.clone());
    let answer = match call.operation.as_str() {
        "FilterLogEvents" => read::filter(&state, &request)?,
        "GetLogEvents" => read::get(&state, &request)?,
        "DescribeLogGroups" => read::groups(&state, call, &request)?,
        "DescribeLogStreams" => read::streams(&state, call, &request)?,
        operation => return Err(ApiError::not_served(Service::Logs, operation)),
    };
    Ok(json::answer(call, &answer))
}

/// `DeleteLogGroup`.
fn delete(state: &mut State, request: &Map<String, Value>) -> Result<(), ApiError> {
    let name = request.get("logGroupName").and_then(Value::as_str).unwrap_or_default();
    state.groups.remove(name).map(|_| ()).ok_or_else(read::no_such_group)
}
