//! Constraints of the API's model, and the words in which Lambda says that one isn't met.

use crate::sandbox::wire::ApiError;

/// One member of a request, with what it must satisfy.
pub(super) struct Constraint<'a> {
    path: &'a str,
    value: Option<String>,
    failures: Vec<String>,
}

impl<'a> Constraint<'a> {
    /// A member that must be there.
    pub(super) fn required(path: &'a str, value: Option<&str>) -> Self {
        let mut constraint = Self::optional(path, value);
        if constraint.value.is_none() {
            constraint.failures.push("Member must not be null".to_owned());
        }
        constraint
    }

    /// A member that may be absent.
    pub(super) fn optional(path: &'a str, value: Option<&str>) -> Self {
        Self { path, value: value.map(str::to_owned), failures: Vec::new() }
    }

    /// A number that may be absent.
    pub(super) fn number(path: &'a str, value: Option<i64>) -> Self {
        Self { path, value: value.map(|value| value.to_string()), failures: Vec::new() }
    }

    /// How many characters it may have.
    pub(super) fn length(mut self, least: usize, most: usize) -> Self {
        if let Some(length) = self.value.as_ref().map(|value| value.chars().count()) {
            if length < least {
                self.failures.push(format!("Member must have length greater than or equal to {least}"));
            } else if length > most {
                self.failures.push(format!("Member must have length less than or equal to {most}"));
            }
        }
        self
    }

    /// Which numbers it may be.
    pub(super) fn range(mut self, least: i64, most: i64) -> Self {
        if let Some(number) = self.value.as_ref().and_then(|value| value.parse::<i64>().ok()) {
            if number < least {
                self.failures.push(format!("Member must have value greater than or equal to {least}"));
            } else if number > most {
                self.failures.push(format!("Member must have value less than or equal to {most}"));
            }
        }
        self
    }

    /// The pattern that it must match, as the model writes it, and as a function.
    pub(super) fn pattern(mut self, pattern: &str, matches: impl Fn(&str) -> bool) -> Self {
        if self.value.as_ref().is_some_and(|value| !matches(value)) {
            self.failures.push(format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        self
    }

    /// The values that it may have.
    pub(super) fn one_of(mut self, values: &[&str]) -> Self {
        if self.value.as_ref().is_some_and(|value| !values.contains(&value.as_str())) {
            self.failures.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
        self
    }

    fn messages(&self) -> impl Iterator<Item = String> {
        self.failures.iter().map(|failure| message(self.path, self.value.as_deref(), failure))
    }
}

/// All constraints at once, as Lambda reports them.
pub(super) fn all(constraints: &[Constraint<'_>]) -> Result<(), ApiError> {
    let messages: Vec<String> = constraints.iter().flat_map(Constraint::messages).collect();
    if messages.is_empty() { Ok(()) } else { Err(error(&messages)) }
}

/// One constraint that isn't met.
pub(super) fn failure(path: &str, value: &str, failure: &str) -> ApiError {
    error(&[message(path, Some(value), failure)])
}

/// A pattern that isn't matched.
pub(super) fn mismatch(path: &str, value: &str, pattern: &str) -> ApiError {
    failure(path, value, &format!("Member must satisfy regular expression pattern: {pattern}"))
}

fn message(path: &str, value: Option<&str>, failure: &str) -> String {
    match value {
        Some(value) => format!("Value '{value}' at '{path}' failed to satisfy constraint: {failure}"),
        None => format!("Value null at '{path}' failed to satisfy constraint: {failure}"),
    }
}

fn error(messages: &[String]) -> ApiError {
    let plural = if messages.len() == 1 { "" } else { "s" };
    ApiError::new(
        400,
        "ValidationException",
        format!("{} validation error{plural} detected: {}", messages.len(), messages.join("; ")),
    )
}
