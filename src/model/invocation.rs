//! A log's events, put together into a function's invocations, in either of Lambda's log formats.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>

use std::collections::BTreeMap;

use serde_json::Value;

use super::LogEvent;

/// One run of a function, as far as its log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// Lambda's request id; `None` for what was logged before a process' first invocation, where none followed.
    pub id: Option<String>,
    /// The log stream that it began in.
    pub stream: &'a str,
    /// When it began, in milliseconds since 1970 (UTC).
    pub began: i64,
    /// What was logged between the end of the one before it and its beginning: the code was loaded then.
    pub loading: Vec<&'a LogEvent>,
    /// What the function and its runtime logged in it.
    pub lines: Vec<&'a LogEvent>,
    /// What Lambda said at its end.
    pub end: End,
}

/// What Lambda says of an invocation's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing yet: it runs, or its end isn't in the log so far.
    Open,
    /// It ended, and how isn't said: the text format says so of what ran well, and of an error that the runtime caught.
    Unsaid,
    /// Such as `success`, `error`, `failure` or `timeout`.
    Status(String),
}

impl<'a> Invocation<'a> {
    fn new(event: &'a LogEvent) -> Self {
        Self {
            id: None,
            stream: &event.stream,
            began: event.at,
            loading: Vec::new(),
            lines: Vec::new(),
            end: End::Open,
        }
    }

    /// Whether it is known to have failed: Lambda says so, or the runtime's words for what it caught stand in it.
    pub fn has_failed(&self) -> bool {
        match &self.end {
            End::Status(status) => status != "success",
            End::Open | End::Unsaid => {
                let failed = |events: &[&LogEvent]| events.iter().any(|event| is_failure(&event.message));
                // Code that couldn't be loaded may have been loaded at the second try; then it has logged something.
                failed(&self.lines) || (self.lines.is_empty() && failed(&self.loading))
            }
        }
    }

    /// Whether it is known to have ended well. `text`: whether the function's runtime writes what it catches into a log in text;
    /// one that doesn't looks the same after an error.
    pub fn has_passed(&self, text: bool) -> bool {
        match &self.end {
            End::Status(status) => status == "success",
            End::Unsaid => text && !self.has_failed(),
            End::Open => false,
        }
    }

    /// Whether one of its lines holds these words.
    pub fn names(&self, words: &str) -> bool {
        !words.is_empty() && self.lines.iter().any(|event| event.message.contains(words))
    }

    /// All that was logged about it, in its order.
    pub fn events(&self) -> impl Iterator<Item = &'a LogEvent> {
        self.loading.iter().chain(&self.lines).copied()
    }
}

/// The invocations of a log, in the order in which they began. `events` come in the order of their times.
///
/// A stream belongs to one process, which runs one invocation at a time as a rule; where several run in one, each line that names its
/// request is that one's, and a line that names none is nobody's.
pub fn invocations(events: &[LogEvent]) -> Vec<Invocation<'_>> {
    let mut found = Found::default();
    for event in events {
        match Line::of(&event.message) {
            Line::Start(id) => found.start(event, id),
            Line::End(id) => found.closes(event, &id),
            Line::Report(id, status) => found.report(event, &id, status),
            Line::NotLoaded => found.loading.entry(&event.stream).or_default().push(event),
            Line::Platform => {}
            Line::Own(ids) => found.own(event, &ids),
            Line::Record(id) => found.record(event, &id),
        }
    }
    let Found { mut all, loading, .. } = found;
    // What never got as far as an invocation.
    all.extend(loading.into_values().filter_map(|events| {
        let first = *events.first()?;
        Some(Invocation { loading: events, ..Invocation::new(first) })
    }));
    all.sort_by_key(|invocation| invocation.began);
    all
}

#[derive(Default)]
struct Found<'a> {
    all: Vec<Invocation<'a>>,
    /// By request id.
    by_id: BTreeMap<String, usize>,
    /// Those that run, by stream.
    open: BTreeMap<&'a str, Vec<usize>>,
    /// What no invocation had when it was logged, by stream.
    loading: BTreeMap<&'a str, Vec<&'a LogEvent>>,
}

impl<'a> Found<'a> {
    fn start(&mut self, event: &'a LogEvent, id: String) {
        let index = self.all.len();
        let loading = self.loading.remove(event.stream.as_str()).unwrap_or_default();
        self.all.push(Invocation { id: Some(id.clone()), loading, ..Invocation::new(event) });
        self.by_id.insert(id, index);
        self.open.entry(&event.stream).or_default().push(index);
    }

    /// An end whose beginning isn't there, since the log is read from a moment on, is nobody's.
    fn report(&mut self, event: &'a LogEvent, id: &str, status: Option<String>) {
        if let Some(invocation) = self.by_id.get(id).map(|&index| &mut self.all[index]) {
            invocation.end = match (status, &invocation.end) {
                (Some(status), _) => End::Status(status),
                (None, End::Status(known)) => End::Status(known.clone()),
                (None, _) => End::Unsaid,
            };
        }
        self.closes(event, id);
    }

    fn closes(&mut self, event: &'a LogEvent, id: &str) {
        if let (Some(index), Some(open)) = (self.by_id.get(id), self.open.get_mut(event.stream.as_str())) {
            open.retain(|one| one != index);
        }
    }

    /// A record that names its request. Where Lambda's own records are filtered out, it is the first that is there.
    fn record(&mut self, event: &'a LogEvent, id: &str) {
        if !self.by_id.contains_key(id) {
            self.start(event, id.to_owned());
        }
        self.own(event, &[id]);
    }

    fn own(&mut self, event: &'a LogEvent, ids: &[&str]) {
        // Lambda's word about a time-out may come after the end of what it is about.
        let named = ids.iter().find_map(|id| self.by_id.get(*id)).copied();
        let open = self.open.get(event.stream.as_str()).map_or(&[][..], Vec::as_slice);
        match (named, open) {
            (Some(index), _) => self.all[index].lines.push(event),
            (None, [only]) => self.all[*only].lines.push(event),
            (None, []) => self.loading.entry(&event.stream).or_default().push(event),
            (None, _) => {}
        }
    }
}

/// What an event is.
enum Line<'a> {
    Start(String),
    End(String),
    /// With the status, where one is said.
    Report(String, Option<String>),
    /// The code couldn't be loaded.
    NotLoaded,
    /// Other words of Lambda's own.
    Platform,
    /// The function's or its runtime's, with the words that may be its request's id.
    Own(Vec<&'a str>),
    /// Such a one in JSON, which names its request.
    Record(String),
}

impl<'a> Line<'a> {
    fn of(message: &'a str) -> Self {
        if message.starts_with('{')
            && let Ok(record) = serde_json::from_str::<Value>(message)
        {
            return Self::of_json(&record);
        }
        let after = |word: &str| message.strip_prefix(word).map(|rest| first_word(rest).to_owned());
        if let Some(id) = after("START RequestId: ") {
            Self::Start(id)
        } else if let Some(id) = after("END RequestId: ") {
            Self::End(id)
        } else if let Some(id) = after("REPORT RequestId: ") {
            Self::Report(id, field(message, "Status").map(str::to_owned))
        } else if message.starts_with("INIT_REPORT ") {
            if field(message, "Status").is_some() { Self::NotLoaded } else { Self::Platform }
        } else if ["INIT_START ", "RESTORE_START ", "RESTORE_REPORT ", "EXTENSION\t", "TELEMETRY\t", "XRAY TraceId: "]
            .iter()
            .any(|word| message.starts_with(word))
        {
            Self::Platform
        } else {
            Self::Own(message.split_whitespace().take(5).collect())
        }
    }

    fn of_json(record: &Value) -> Self {
        let kind = record["type"].as_str().unwrap_or_default();
        let Some(kind) = kind.strip_prefix("platform.").filter(|_| record["record"].is_object()) else {
            let id = ["requestId", "AWSRequestId"].iter().find_map(|name| record[*name].as_str());
            return id.filter(|id| !id.is_empty()).map_or(Self::Own(Vec::new()), |id| Self::Record(id.to_owned()));
        };
        let record = &record["record"];
        let id = record["requestId"].as_str().unwrap_or_default().to_owned();
        let status = record["status"].as_str().map(str::to_owned);
        match kind {
            "start" => Self::Start(id),
            // Without a status, it says no more than that there is an end.
            "runtimeDone" if status.is_none() => Self::Platform,
            "runtimeDone" | "report" => Self::Report(id, status),
            "initReport" | "initRuntimeDone" if status.as_ref().is_some_and(|status| status != "success") => {
                Self::NotLoaded
            }
            _ => Self::Platform,
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// The value of `Name: value` among the parts of a report that tabs divide.
fn field<'a>(report: &'a str, name: &str) -> Option<&'a str> {
    report.split(['\t', '\n']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
}

/// Whether these are a runtime's, or Lambda's, words for an invocation that failed: what nobody in the function has caught. A function
/// that logs an error and goes on says it otherwise.
pub fn is_failure(message: &str) -> bool {
    if let Some(rest) = message.strip_prefix("[ERROR] ") {
        // Python: `[ERROR] RuntimeError: words`, and the trace in the same event. Its logger divides by tabs.
        let kind = rest.split([':', '\n', '\r']).next().unwrap_or_default();
        let is_name = !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || ['_', '.'].contains(&c));
        return is_name && (kind.starts_with("Runtime.") || message.contains("Traceback (most recent call last)"));
    }
    if message.starts_with('{') {
        return serde_json::from_str::<Value>(message)
            .is_ok_and(|record| record["errorType"].is_string() && !record["stackTrace"].is_null());
    }
    // Node's, Lambda's, Ruby's.
    ["\tERROR\tInvoke Error", "\tERROR\tUncaught Exception", "\tERROR\tUnhandled Promise Rejection"]
        .iter()
        .any(|words| message.contains(words))
        || message.contains(" Task timed out after ")
        || (message.starts_with("RequestId: ") && message.contains(" Error: "))
        || message.starts_with("Error raised from handler method")
        || message.starts_with("Init error when loading handler")
        || message.starts_with("INIT_REPORT ")
        || message.contains(r#""type":"platform.init"#)
}

/// Whether a runtime writes what nobody caught into a log in text. Go's and those that people bring along answer Lambda alone.
pub fn writes_failures(runtime: &str) -> bool {
    ["python", "nodejs", "ruby"].iter().any(|family| runtime.starts_with(family))
}

#[cfg(test)]
#[path = "invocation_tests.rs"]
mod tests;
