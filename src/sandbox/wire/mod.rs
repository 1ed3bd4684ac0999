//! AWS's wire protocols. Each has the same three parts: a request as handlers want it, an answer, an error.

mod answer;
pub mod arn;
pub mod json;
pub mod query;
pub mod rest;
pub mod sigv4;
pub mod unserved;
pub mod xml;

pub use answer::{ApiError, Response, shorten};

use super::services::{Protocol, Service};

impl ApiError {
    /// As the service writes it.
    pub fn response(&self, service: Service, request_id: &str) -> Response {
        match service.protocol() {
            Protocol::Json => json::error(self, service, request_id),
            Protocol::Query => query::error(self, service, request_id),
            Protocol::Rest => rest::error(self, service, request_id),
        }
    }
}
