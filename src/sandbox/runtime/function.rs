//! A function as far as running it needs, and what comes of an invocation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;

/// Says something to the user.
pub type Notice<'a> = dyn Fn(String) + Send + Sync + 'a;

/// Why the machine can't run a function. The function itself may be fine: whoever asked simulates, and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    pub(super) reason: String,
}

impl Unavailable {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why an invocation came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The machine can't run the function.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The sandbox ended, or was reset, meanwhile.
    #[error("the sandbox ended, or was reset")]
    Stopped,
}

/// An edition of a function, as far as running it needs.
#[derive(Clone)]
pub struct Function {
    /// 12 digits; also the access key id that its process is given.
    pub account: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// Its name.
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    /// What is invoked where an [`Event`] says nothing else.
    pub arn: String,
    /// Such as `python3.12`.
    pub runtime: String,
    /// Such as `lambda_function.lambda_handler`.
    pub handler: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// MB; told, and not enforced.
    pub memory: u32,
    /// The time that one invocation may take.
    pub timeout: Duration,
    /// Its own variables.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes.
    pub log_group: String,
    /// `Text` or `JSON`.
    pub log_format: String,
    /// The level of its own log lines, where its logging configuration has one.
    pub log_level: Option<String>,
    /// The ARN of the role that it runs as.
    pub role: String,
    /// The deployment package.
    pub zip: Arc<[u8]>,
    /// Base64 of the package's SHA-256.
    pub code_sha256: String,
    /// Changes whenever code or configuration does.
    pub edition: u64,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("arn", &self.arn)
            .field("runtime", &self.runtime)
            .field("edition", &self.edition)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// Whether a program that is made for the function's architecture runs here.
    pub(super) fn fits_this_machine(&self) -> bool {
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            other => other,
        };
        std::env::consts::OS == "linux" && self.architecture == architecture
    }
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Event {
    /// A UUID.
    pub request_id: String,
    /// JSON.
    pub payload: Bytes,
    /// The ARN as it was invoked, where it is qualified.
    pub arn: Option<String>,
    /// JSON of a mobile client's context.
    pub client_context: Option<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// JSON: the answer, or the error document.
    pub payload: Bytes,
    /// Whether it is an error: Lambda's `X-Amz-Function-Error: Unhandled`.
    pub failed: bool,
    /// Whether its process was ready and took the job.
    pub taken: bool,
    /// How long it ran.
    pub took: Duration,
    /// The log group of its output.
    pub log_group: String,
    /// The log stream of its process.
    pub log_stream: String,
    /// All log lines, Lambda's own `START`, `END` and `REPORT` included.
    pub log: Vec<LogLine>,
}

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The machine's time.
    pub at: SystemTime,
    /// With its final line feed.
    pub message: String,
}

impl LogLine {
    /// A line of this moment.
    pub fn now(message: String) -> Self {
        Self { at: SystemTime::now(), message }
    }
}

/// What a runtime's name says about how it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Python,
    Node,
    Provided,
}

impl Family {
    pub(super) fn of(runtime: &str) -> Option<Self> {
        if runtime.starts_with("python") {
            Some(Self::Python)
        } else if runtime.starts_with("nodejs") {
            Some(Self::Node)
        } else if runtime.starts_with("provided") {
            Some(Self::Provided)
        } else {
            None
        }
    }
}
