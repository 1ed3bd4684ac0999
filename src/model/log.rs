//! What a function logged.

/// One event of a log, as `CloudWatch` Logs keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// The log stream: one for each process that ran the function, which runs one invocation at a time.
    pub stream: String,
    /// When it happened, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// What was logged: one line or several, from outside.
    pub message: String,
}
