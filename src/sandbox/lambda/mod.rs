//! AWS Lambda's control plane, and its `Invoke`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::state::Region;
use crate::sandbox::wire::rest::RestRequest;
use crate::sandbox::wire::{ApiError, Response};

/// An account's functions in a region.
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
    Err(ApiError::not_served(Service::Lambda, &call.operation))
}

/// Goes on with what was under way when the state was saved.
pub fn resume(_shared: &Arc<Shared>) {}

/// Creates a rotation function that Secrets Manager may invoke; false where the name is taken.
pub fn seed(_shared: &Arc<Shared>, _account: &str, _region: &str, _name: &str) -> bool {
    false
}

/// How an invocation from inside the sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeOutcome {
    /// The function returned this.
    Ok(Vec<u8>),
    /// The function failed: raised, exited, timed out.
    FunctionError {
        /// `errorType`, such as `ValueError`.
        kind: String,
        /// The whole error payload.
        payload: Vec<u8>,
    },
    /// There is no such function.
    NotFound,
    /// It can't be run now: its state, throttling, a runtime that the machine lacks; why.
    Unavailable(String),
}

/// Invokes a function as another service does: the caller has looked at its permission already.
#[expect(clippy::unused_async, reason = "functions take their time")]
pub async fn invoke_internal(
    _shared: &Arc<Shared>,
    _account: &str,
    _region: &str,
    _function_arn: &str,
    _payload: Vec<u8>,
) -> InvokeOutcome {
    InvokeOutcome::NotFound
}

/// Whether a function exists. The ARN may carry a version or an alias.
pub fn exists(_region: &Region, _function_arn: &str) -> bool {
    false
}

/// Whether the function's policy lets Secrets Manager invoke it for this account's secret, its conditions
/// (`aws:SourceAccount`, `aws:SourceArn`) included.
pub fn permits_secretsmanager(_region: &Region, _function_arn: &str, _account: &str, _secret_arn: &str) -> bool {
    false
}

/// The code that an unguessable URL (`/_sandbox/code/TOKEN`) of `GetFunction` leads to.
pub fn code(_shared: &Arc<Shared>, _token: &str) -> Option<Vec<u8>> {
    None
}
