//! Scripted failures: which call, what goes wrong, before or after its effect, how often.
//!
//! A script is a JSON array of rules, an object with `rules`, or one rule a line:
//!
//! ```json
//! {"service": "secretsmanager", "operation": "RotateSecret", "skip": 2, "times": 1,
//!  "error": {"status": 400, "code": "ThrottlingException", "message": "Rate exceeded"}}
//! {"operation": "UpdateFunctionCode", "when": "after", "reset": true}
//! {"operation": "DescribeSecret", "match": "payments/", "delay_ms": 250}
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::service::Service;
use super::wire::ApiError;

/// Whether a failure comes before the call's effect or after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The call does nothing.
    #[default]
    Before,
    /// The call does what it does; its answer is lost.
    After,
}

/// An error to answer with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    #[serde(default = "bad_request")]
    pub status: u16,
    /// The error code.
    pub code: String,
    /// What people read.
    #[serde(default)]
    pub message: String,
}

fn bad_request() -> u16 {
    400
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// A service's signing name; absent: every service.
    pub service: Option<String>,
    /// An operation's name; absent: every operation.
    pub operation: Option<String>,
    /// What the request must contain: its body, or its path and query.
    #[serde(rename = "match")]
    pub matches: Option<String>,
    /// Answer with this error.
    pub error: Option<Failure>,
    /// Close the connection without an answer.
    pub reset: bool,
    /// Wait first, in milliseconds.
    pub delay_ms: u64,
    /// Before the call's effect, or after it.
    pub when: When,
    /// How many calls it hits; absent: all.
    pub times: Option<u32>,
    /// How many matching calls it lets through first.
    pub skip: u32,
}

/// Why a script can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// It can't be read.
    #[error("cannot read the faults `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It isn't a script.
    #[error("`{path}` is not a list of faults")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads a script from a file.
pub fn read(path: &Path) -> Result<Vec<Rule>, FaultsError> {
    let text = std::fs::read_to_string(path).map_err(|source| FaultsError::Io { path: path.to_owned(), source })?;
    parse(&text).map_err(|source| FaultsError::Format { path: path.to_owned(), source })
}

/// Reads a script: an array, an object with `rules`, or one rule a line.
pub fn parse(text: &str) -> Result<Vec<Rule>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Script {
        rules: Vec<Rule>,
    }
    let text = text.trim();
    if text.starts_with('[') {
        return serde_json::from_str(text);
    }
    if let Ok(script) = serde_json::from_str::<Script>(text) {
        return Ok(script.rules);
    }
    serde_json::Deserializer::from_str(text).into_iter().collect()
}

/// What is to go wrong with one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// Wait first.
    pub delay: Duration,
    /// Then answer with this.
    pub error: Option<ApiError>,
    /// Or close the connection.
    pub reset: bool,
    /// Before the effect, or after it.
    pub when: When,
}

impl Fault {
    /// Whether the call gets no answer of its own.
    pub fn is_failure(&self) -> bool {
        self.reset || self.error.is_some()
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// With these rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules: Mutex::new(rules) }
    }

    /// Puts these rules in place of the old ones.
    pub fn replace(&self, rules: Vec<Rule>) {
        *self.lock() = rules;
    }

    /// What is to go wrong with a call: the first rule that meets it.
    pub fn take(&self, service: Service, operation: &str, request: impl Fn(&str) -> bool) -> Option<Fault> {
        let mut rules = self.lock();
        for rule in rules.iter_mut() {
            let meant = rule.service.as_deref().is_none_or(|name| name == service.name())
                && rule.operation.as_deref().is_none_or(|name| name == operation)
                && rule.times != Some(0)
                && rule.matches.as_deref().is_none_or(&request);
            if !meant {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            return Some(Fault {
                delay: Duration::from_millis(rule.delay_ms),
                error: rule
                    .error
                    .as_ref()
                    .map(|failure| ApiError::new(failure.status, failure.code.as_str(), failure.message.as_str())),
                reset: rule.reset,
                when: rule.when,
            });
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a script's `skip` and `times` could hit other calls than the ones it counts.
    #[test]
    fn a_rule_skips_then_hits_then_rests() {
        let rules = parse(
            r#"{"operation": "RotateSecret", "match": "payments/", "skip": 1, "times": 1, "error": {"code": "X"}}
               {"service": "lambda", "reset": true, "when": "after"}"#,
        )
        .expect("it is a script");
        let faults = Faults::new(rules);
        let take =
            |body: &'static str| faults.take(Service::SecretsManager, "RotateSecret", |part| body.contains(part));
        assert_eq!(take("other"), None);
        assert_eq!(take("payments/a"), None);
        assert_eq!(take("payments/a").and_then(|fault| fault.error), Some(ApiError::new(400, "X", "")));
        assert_eq!(take("payments/a"), None);
        let fault = faults.take(Service::Lambda, "Invoke", |_| true).expect("every call to Lambda");
        assert!(fault.reset && fault.when == When::After && fault.is_failure());
    }

    /// Without it, a misspelt member would be a fault that never happens, and its test would pass for nothing.
    #[test]
    fn unknown_members_are_refused() {
        assert!(parse(r#"[{"operatoin": "RotateSecret"}]"#).is_err());
        assert!(parse(r#"{"rules": [{"operation": "RotateSecret"}]}"#).is_ok_and(|rules| rules.len() == 1));
    }
}
