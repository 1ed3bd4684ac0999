//! AWS's JSON 1.1 protocol: `X-Amz-Target` names the operation, bodies are JSON.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use serde_json::{Map, Value, json};

use super::{ApiError, Response};
use crate::call::Call;
use crate::services::Service;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The service and operation of an `X-Amz-Target`.
pub fn target(header: &str) -> Option<(Service, &str)> {
    let (prefix, operation) = header.rsplit_once('.')?;
    let service = match prefix {
        "secretsmanager" => Service::SecretsManager,
        "Logs_20140328" => Service::Logs,
        // The model has one of them, Smithy's clients send the other.
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" | "CloudTrail_20131101" => Service::CloudTrail,
        _ => return None,
    };
    Some((service, operation))
}

/// Reads a body: an object, or nothing.
pub fn read(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(ApiError::new(400, "SerializationException", "The request body isn't a JSON object.")),
    }
}

/// An answer; `Value::Null` for an operation without output.
pub fn answer(call: &Call, body: &Value) -> Response {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Response::new(200, CONTENT_TYPE, body).header("x-amzn-requestid", call.request_id.as_str())
}

pub(super) fn error(error: &ApiError, service: Service, request_id: &str) -> Response {
    let mut body = Map::new();
    body.insert("__type".to_owned(), json!(error.code));
    // Members of the model's own error shapes: Secrets Manager spells it with a capital.
    let member = match (service, error.code.as_str()) {
        (Service::SecretsManager, code) if !is_framework(code) => "Message",
        _ => "message",
    };
    body.insert(member.to_owned(), json!(error.message));
    for (name, value) in &error.fields {
        body.insert((*name).to_owned(), json!(value));
    }
    Response::new(error.status, CONTENT_TYPE, Value::Object(body).to_string())
        .header("x-amzn-requestid", request_id)
        .header("x-amzn-errortype", error.code.as_str())
}

/// Errors of AWS's front end instead of the service's own: they write `message`.
fn is_framework(code: &str) -> bool {
    matches!(
        code,
        "SerializationException"
            | "ValidationException"
            | "UnknownOperationException"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "UnrecognizedClientException"
            | "ThrottlingException"
    )
}
