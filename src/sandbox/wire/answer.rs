//! Answers and errors, whatever the protocol.

use axum::body::Bytes;

use crate::services::{Protocol, Service};

/// How many characters of a value a message shows: requests have up to a hundred million of them.
const MOST_SHOWN: usize = 256;

/// An answer, as bytes.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// `None` where there is no body.
    pub content_type: Option<&'static str>,
    /// More headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer with a body.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: Some(content_type), headers: Vec::new(), body: body.into() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error that a service answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The error code that clients match on.
    pub code: String,
    /// What people read.
    pub message: String,
    /// More members of the error's shape, such as Lambda's `Type`.
    pub fields: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An error.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), fields: Vec::new() }
    }

    /// Adds a member of the error's shape.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// That the sandbox doesn't serve an operation, in the service's own words.
    pub fn not_served(service: Service, operation: &str) -> Self {
        let operation = shorten(operation.to_owned());
        let message = format!("The sandbox doesn't serve {}'s operation `{operation}`.", service.name());
        match service.protocol() {
            Protocol::Json => Self::new(400, "UnknownOperationException", message),
            Protocol::Query => Self::new(400, "InvalidAction", message),
            Protocol::Rest => Self::new(404, "UnknownOperationException", message),
        }
    }

    /// That the service itself failed: nothing that the caller did.
    pub fn internal(service: Service, message: impl Into<String>) -> Self {
        match service {
            Service::SecretsManager => Self::new(500, "InternalServiceError", message),
            Service::Lambda => Self::new(500, "ServiceException", message),
            Service::ServerlessRepo => Self::new(500, "InternalServerErrorException", message),
            Service::CloudFormation | Service::Sts | Service::Logs | Service::CloudTrail => {
                Self::new(500, "InternalFailure", message)
            }
        }
    }
}

/// A value cut to what a message may show of it.
pub fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}
