//! AWS's REST protocol with JSON bodies: method and path name the operation.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{ApiError, Response};
use crate::call::Call;
use crate::services::Service;

const CONTENT_TYPE: &str = "application/json";

/// A request, with its path taken apart.
#[derive(Debug, Clone)]
pub struct RestRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path's segments, each decoded: a percent-encoded ARN is one segment, and an empty name is one too. A final slash
    /// adds none.
    pub segments: Vec<String>,
    /// The query string's pairs, decoded.
    pub query: Vec<(String, String)>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl RestRequest {
    /// Takes a request apart.
    pub fn new(method: &str, path: &str, query: &str, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method: method.to_owned(),
            segments: path
                .trim_matches('/')
                .split('/')
                .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
                .collect(),
            query: form_urlencoded::parse(query.as_bytes()).map(own).collect(),
            headers,
            body,
        }
    }

    /// Method and segments, to match on: `("GET", ["2015-03-31", "functions", name])`.
    pub fn route(&self) -> (&str, Vec<&str>) {
        (&self.method, self.segments.iter().map(String::as_str).collect())
    }

    /// A parameter of the query string.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may stand several times.
    pub fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body: a JSON object, or nothing.
    pub fn json(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) | Err(_) => {
                Err(ApiError::new(400, "SerializationException", "Could not parse request body into json"))
            }
        }
    }
}

fn own((key, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (key.into_owned(), value.into_owned())
}

/// An answer with a JSON body.
pub fn answer(call: &Call, status: u16, body: &Value) -> Response {
    Response::new(status, CONTENT_TYPE, body.to_string()).header("x-amzn-requestid", call.request_id.as_str())
}

/// An answer without a body.
pub fn empty(call: &Call, status: u16) -> Response {
    Response::empty(status).header("x-amzn-requestid", call.request_id.as_str())
}

pub(super) fn error(error: &ApiError, service: Service, request_id: &str) -> Response {
    let mut body = Map::new();
    if service == Service::Lambda {
        body.insert("Type".to_owned(), json!(if error.status < 500 { "User" } else { "Service" }));
        body.insert(message_member(&error.code).to_owned(), json!(error.message));
    } else {
        body.insert("errorCode".to_owned(), json!(error.code));
        body.insert("message".to_owned(), json!(error.message));
    }
    // The model has one member of an error in a header: how long a throttled caller should wait.
    let (headers, members): (Vec<_>, Vec<_>) = error.fields.iter().partition(|(name, _)| *name == "retryAfterSeconds");
    for (name, value) in members {
        body.insert((*name).to_owned(), json!(value));
    }
    let mut response = Response::new(error.status, CONTENT_TYPE, Value::Object(body).to_string())
        .header("x-amzn-requestid", request_id)
        .header("x-amzn-errortype", error.code.as_str());
    response.headers.extend(headers.into_iter().map(|(_, value)| ("retry-after", value.clone())));
    response
}

/// What Lambda calls the message of an error: in its model some errors have `message`, and the others `Message`.
fn message_member(code: &str) -> &'static str {
    const SMALL: [&str; 15] = [
        "CodeStorageExceededException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "PolicyLengthExceededException",
        "PreconditionFailedException",
        "ProvisionedConcurrencyConfigNotFoundException",
        "RequestEntityTooLargeException",
        "RequestTooLargeException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SerializationException",
        "ThrottlingException",
        "TooManyRequestsException",
        "UnsupportedMediaTypeException",
        "ValidationException",
    ];
    if SMALL.contains(&code) { "message" } else { "Message" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, an application's ARN in a path would fall apart at its slashes.
    #[test]
    fn an_encoded_arn_is_one_segment() {
        let request = RestRequest::new(
            "GET",
            "/applications/arn%3Aaws%3Aserverlessrepo%3Aus-east-1%3A1%3Aapplications%2FT/",
            "semanticVersion=1.0.0&a=%20b",
            HeaderMap::new(),
            Bytes::new(),
        );
        assert_eq!(request.route(), ("GET", vec!["applications", "arn:aws:serverlessrepo:us-east-1:1:applications/T"]));
        assert_eq!(request.parameter("a"), Some(" b"));
    }
}
