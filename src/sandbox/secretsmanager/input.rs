//! A request that has been checked against its table, and its members.

use serde_json::{Map, Value};

use crate::model::{Member, check};
use crate::services::Service;
use crate::wire::ApiError;

/// A request that has been checked.
#[derive(Debug, Clone)]
pub struct Input(Map<String, Value>);

impl Input {
    /// Checks a request.
    pub fn check(members: &[Member], mut body: Map<String, Value>) -> Result<Self, ApiError> {
        // A null is the same as nothing, in all of AWS's JSON protocols.
        body.retain(|_, value| !value.is_null());
        check(Service::SecretsManager, members, &body)?;
        Ok(Self(body))
    }

    /// The same request with another member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A required text: it is there, since the request has been checked.
    pub fn required(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A boolean.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// A structure.
    pub fn structure(&self, name: &str) -> Option<Self> {
        self.0.get(name)?.as_object().cloned().map(Self)
    }

    /// A list of structures.
    pub fn structures(&self, name: &str) -> Option<Vec<Self>> {
        let items = self.0.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_object).cloned().map(Self).collect())
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }
}

/// `InvalidParameterException`.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}
