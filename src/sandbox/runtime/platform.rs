//! What Lambda itself writes into a function's log, in the function's log format.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::function::Function;

/// How an invocation ended, for its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The function answered.
    Success,
    /// It answered with an error, which the text format doesn't say.
    Error,
    /// It took too long.
    Timeout,
    /// Its process has ended.
    Exited,
}

/// What an invocation took.
pub(super) struct Figures {
    pub duration: Duration,
    pub initialization: Option<Duration>,
    /// MB.
    pub memory: Option<u64>,
    pub status: Status,
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn is_json(function: &Function) -> bool {
    function.log_format == "JSON"
}

/// Now, as log lines in JSON say it.
pub(super) fn time() -> String {
    chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn record(kind: &str, record: &Value) -> String {
    format!("{}\n", json!({"time": time(), "type": format!("platform.{kind}"), "record": record}))
}

/// The beginning of a process.
pub(super) fn loads(function: &Function) -> String {
    let version = format!("{}.sandbox", function.runtime);
    if is_json(function) {
        let kind = json!({"initializationType": "on-demand", "phase": "init", "runtimeVersion": version});
        return record("initStart", &kind);
    }
    format!("INIT_START Runtime Version: {version}\n")
}

/// The beginning of an invocation.
pub(super) fn start(function: &Function, request_id: &str) -> String {
    if is_json(function) {
        return record("start", &json!({"requestId": request_id, "version": function.version}));
    }
    format!("START RequestId: {request_id} Version: {}\n", function.version)
}

/// The end of an invocation; the JSON format has none beside its report.
pub(super) fn end(function: &Function, request_id: &str) -> Option<String> {
    (!is_json(function)).then(|| format!("END RequestId: {request_id}\n"))
}

/// The report of an invocation.
pub(super) fn report(function: &Function, request_id: &str, figures: &Figures) -> String {
    let (duration, billed) = (milliseconds(figures.duration), milliseconds(figures.duration).ceil());
    let initialization = figures.initialization.map(milliseconds);
    if is_json(function) {
        let (status, error) = match figures.status {
            Status::Success => ("success", None),
            Status::Error => ("error", None),
            Status::Timeout => ("timeout", None),
            Status::Exited => ("failure", Some("Runtime.ExitError")),
        };
        let mut metrics = json!({
            "durationMs": (duration * 1000.0).round() / 1000.0,
            "billedDurationMs": billed,
            "memorySizeMB": function.memory,
        });
        if let Some(memory) = figures.memory {
            metrics["maxMemoryUsedMB"] = json!(memory);
        }
        if let Some(initialization) = initialization {
            metrics["initDurationMs"] = json!((initialization * 1000.0).round() / 1000.0);
        }
        let mut members = json!({"requestId": request_id, "metrics": metrics, "status": status});
        if let Some(error) = error {
            members["errorType"] = json!(error);
        }
        return record("report", &members);
    }
    let memory = figures.memory.map(|memory| format!("\tMax Memory Used: {memory} MB")).unwrap_or_default();
    let initialization = initialization.map(|time| format!("\tInit Duration: {time:.2} ms")).unwrap_or_default();
    let status = match figures.status {
        Status::Success | Status::Error => "",
        Status::Timeout => "\tStatus: timeout",
        Status::Exited => "\tStatus: error\tError Type: Runtime.ExitError",
    };
    format!(
        "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB{memory}{initialization}{status}\n",
        function.memory,
    )
}
