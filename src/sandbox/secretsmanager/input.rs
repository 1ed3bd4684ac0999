//! What requests may hold: the API model's constraints, as tables, and a reader that checks a request against one.

use serde_json::{Map, Value};

use crate::sandbox::wire::ApiError;

/// What a member may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of so many characters.
    Text(usize, usize),
    /// A text of so many characters, each allowed by a function; the model's pattern is for people.
    Pattern(usize, usize, fn(&str) -> bool, &'static str),
    /// A text out of these.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number in a range.
    Number(i64, i64),
    /// Base64 of so many bytes.
    Blob(usize, usize),
    /// A list of so many.
    List(usize, usize, &'static Kind),
    /// A structure.
    Structure(&'static [Member]),
}

/// A member of a request.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

/// A member that must be there.
pub const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true }
}

/// A member that may be there.
pub const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false }
}

/// A request that has been checked.
#[derive(Debug, Clone)]
pub struct Input(Map<String, Value>);

impl Input {
    /// Checks a request. Wrong types are `SerializationException`; whatever else is wrong, `InvalidParameterException`,
    /// all of it in one message.
    pub fn check(members: &[Member], mut body: Map<String, Value>) -> Result<Self, ApiError> {
        // A null is the same as nothing, in all of AWS's JSON protocols.
        body.retain(|_, value| !value.is_null());
        let mut problems = Vec::new();
        structure(members, &body, "", &mut problems).map_err(|what| {
            ApiError::new(400, "SerializationException", format!("{what} is not of the type that the API expects"))
        })?;
        match problems.len() {
            0 => Ok(Self(body)),
            count => {
                let noun = if count == 1 { "error" } else { "errors" };
                Err(invalid(format!("{count} validation {noun} detected: {}", problems.join("; "))))
            }
        }
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

/// Checks members; `Err` names the one that has the wrong type.
fn structure(
    members: &[Member],
    body: &Map<String, Value>,
    parent: &str,
    problems: &mut Vec<String>,
) -> Result<(), String> {
    for member in members {
        let at = if parent.is_empty() { lower(member.name) } else { format!("{parent}.{}", lower(member.name)) };
        match body.get(member.name).filter(|value| !value.is_null()) {
            Some(found) => value(&member.kind, found, &at, problems)?,
            None if member.required => {
                problems.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
            }
            None => {}
        }
    }
    Ok(())
}

fn value(kind: &Kind, found: &Value, at: &str, problems: &mut Vec<String>) -> Result<(), String> {
    let wrong_type = || at.to_owned();
    // Values are never repeated in messages: some are secret.
    let mut fail =
        |constraint: String| problems.push(format!("Value at '{at}' failed to satisfy constraint: {constraint}"));
    match kind {
        Kind::Text(min, max) => length(found.as_str().ok_or_else(wrong_type)?.chars().count(), *min, *max, &mut fail),
        Kind::Pattern(min, max, allowed, pattern) => {
            let text = found.as_str().ok_or_else(wrong_type)?;
            length(text.chars().count(), *min, *max, &mut fail);
            if !allowed(text) {
                fail(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
        }
        Kind::OneOf(texts) => {
            if !texts.contains(&found.as_str().ok_or_else(wrong_type)?) {
                fail(format!("Member must satisfy enum value set: [{}]", texts.join(", ")));
            }
        }
        Kind::Flag => {
            found.as_bool().ok_or_else(wrong_type)?;
        }
        Kind::Number(min, max) => {
            let number = found.as_i64().ok_or_else(wrong_type)?;
            if number < *min {
                fail(format!("Member must have value greater than or equal to {min}"));
            } else if number > *max {
                fail(format!("Member must have value less than or equal to {max}"));
            }
        }
        Kind::Blob(min, max) => {
            use base64::Engine as _;
            let text = found.as_str().ok_or_else(wrong_type)?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| wrong_type())?;
            length(bytes.len(), *min, *max, &mut fail);
        }
        Kind::List(min, max, of) => {
            let items = found.as_array().ok_or_else(wrong_type)?;
            length(items.len(), *min, *max, &mut fail);
            for (index, item) in items.iter().enumerate() {
                value(of, item, &format!("{at}.{}.member", index + 1), problems)?;
            }
        }
        Kind::Structure(members) => structure(members, found.as_object().ok_or_else(wrong_type)?, at, problems)?,
    }
    Ok(())
}

fn length(length: usize, min: usize, max: usize, fail: &mut impl FnMut(String)) {
    if length < min {
        fail(format!("Member must have length greater than or equal to {min}"));
    } else if length > max {
        fail(format!("Member must have length less than or equal to {max}"));
    }
}

/// AWS's messages spell members with a small first letter.
fn lower(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}
