//! The reading operations.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::state::{Group, LogEvent, State};
use crate::call::Call;
use crate::clock::Time;
use crate::wire::ApiError;
use crate::wire::arn::partition;

/// How many events an answer holds at most.
const MAX_PAGE: usize = 10_000;

/// How many groups or streams an answer holds at most.
const MAX_DESCRIBED: usize = 50;

fn text<'a>(request: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    request.get(name)?.as_str()
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

/// The group of a request, by name or by ARN.
fn group<'a>(state: &'a State, request: &Map<String, Value>) -> Result<&'a Arc<Group>, ApiError> {
    let name = match (text(request, "logGroupName"), text(request, "logGroupIdentifier")) {
        (Some(name), None) => name,
        (None, Some(identifier)) => {
            identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name.trim_end_matches(":*"))
        }
        (Some(_), Some(_)) => return Err(invalid("Specify either logGroupName or logGroupIdentifier, and not both.")),
        (None, None) => return Err(invalid("A log group must be given by logGroupName or logGroupIdentifier.")),
    };
    state.groups.get(name).ok_or_else(no_such_group)
}

pub(super) fn no_such_group() -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn within(event: &LogEvent, request: &Map<String, Value>) -> bool {
    let time = |name: &str| request.get(name).and_then(Value::as_i64).map(Time);
    time("startTime").is_none_or(|start| event.at >= start) && time("endTime").is_none_or(|end| event.at <= end)
}

fn limit(request: &Map<String, Value>, most: usize) -> usize {
    request.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(most)
}

/// Where the next page starts.
fn start(request: &Map<String, Value>) -> Result<usize, ApiError> {
    match text(request, "nextToken") {
        None => Ok(0),
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid.")),
    }
}

fn page(items: Vec<Value>, request: &Map<String, Value>, most: usize, member: &str) -> Result<Value, ApiError> {
    let (start, limit) = (start(request)?, limit(request, most));
    let end = start.saturating_add(limit).min(items.len());
    let mut answer = Map::new();
    if end < items.len() {
        answer.insert("nextToken".to_owned(), json!(end.to_string()));
    }
    answer.insert(member.to_owned(), items.into_iter().skip(start).take(limit).collect());
    Ok(Value::Object(answer))
}

/// `FilterLogEvents`.
pub(super) fn filter(state: &State, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let group = group(state, request)?;
    let names: Option<Vec<&str>> = request
        .get("logStreamNames")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect());
    let prefix = text(request, "logStreamNamePrefix").unwrap_or_default();
    let pattern = Pattern::parse(text(request, "filterPattern").unwrap_or_default())?;
    let mut events: Vec<&LogEvent> = group
        .events
        .iter()
        .filter(|event| names.as_ref().is_none_or(|names| names.contains(&event.stream.as_str())))
        .filter(|event| event.stream.starts_with(prefix) && within(event, request) && pattern.matches(&event.message))
        .collect();
    events.sort_by_key(|event| (event.at, event.id));
    let events = events
        .into_iter()
        .map(|event| {
            json!({
                "logStreamName": event.stream,
                "timestamp": event.at.0,
                "message": event.message,
                "ingestionTime": event.ingested.0,
                // As long as AWS's, and in order.
                "eventId": format!("{:056}", event.id),
            })
        })
        .collect();
    let mut answer = page(events, request, MAX_PAGE, "events")?;
    answer["searchedLogStreams"] = json!([]);
    Ok(answer)
}

/// `GetLogEvents`.
///
/// Tokens count events from the stream's first; one that leads past the end is answered with itself, which is how clients know.
pub(super) fn get(state: &State, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let group = group(state, request)?;
    let stream = text(request, "logStreamName").unwrap_or_default();
    if !group.streams.contains_key(stream) {
        return Err(ApiError::new(400, "ResourceNotFoundException", "The specified log stream does not exist."));
    }
    let events: Vec<&LogEvent> =
        group.events.iter().filter(|event| event.stream == stream && within(event, request)).collect();
    let limit = limit(request, MAX_PAGE);
    let token = |prefix: &str| -> Option<Result<usize, ApiError>> {
        let rest = text(request, "nextToken")?.strip_prefix(prefix)?;
        Some(rest.parse().map_err(|_| invalid("The specified nextToken is invalid.")))
    };
    let (from, to) = match (token("f/"), token("b/")) {
        (Some(from), _) => {
            let from = from?.min(events.len());
            (from, from.saturating_add(limit).min(events.len()))
        }
        (None, Some(to)) => {
            let to = to?.min(events.len());
            (to.saturating_sub(limit), to)
        }
        (None, None) if request.contains_key("nextToken") => {
            return Err(invalid("The specified nextToken is invalid."));
        }
        (None, None) if request.get("startFromHead").and_then(Value::as_bool) == Some(true) => {
            (0, limit.min(events.len()))
        }
        (None, None) => (events.len().saturating_sub(limit), events.len()),
    };
    let shown: Vec<Value> = events[from..to]
        .iter()
        .map(|event| json!({"timestamp": event.at.0, "message": event.message, "ingestionTime": event.ingested.0}))
        .collect();
    Ok(json!({"events": shown, "nextForwardToken": format!("f/{to}"), "nextBackwardToken": format!("b/{from}")}))
}

/// `DescribeLogGroups`.
pub(super) fn groups(state: &State, call: &Call, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let prefix = text(request, "logGroupNamePrefix").unwrap_or_default();
    let part = text(request, "logGroupNamePattern").unwrap_or_default();
    let groups = state
        .groups
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && name.contains(part))
        .map(|(name, group)| {
            let arn = group_arn(call, name);
            json!({
                "logGroupName": name,
                "creationTime": group.created.0,
                "metricFilterCount": 0,
                "arn": format!("{arn}:*"),
                "logGroupArn": arn,
                "storedBytes": group.bytes,
                "logGroupClass": "STANDARD",
            })
        })
        .collect();
    page(groups, request, MAX_DESCRIBED, "logGroups")
}

/// `DescribeLogStreams`.
pub(super) fn streams(state: &State, call: &Call, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let group = group(state, request)?;
    let name = text(request, "logGroupName").or_else(|| text(request, "logGroupIdentifier")).unwrap_or_default();
    let prefix = text(request, "logStreamNamePrefix").unwrap_or_default();
    let mut streams: Vec<(Option<Time>, &str, Value)> = Vec::new();
    for (stream, created) in group.streams.iter().filter(|(stream, _)| stream.starts_with(prefix)) {
        let mut value = json!({
            "logStreamName": stream,
            "creationTime": created.0,
            "arn": format!("{}:log-stream:{stream}", group_arn(call, name)),
            "storedBytes": 0,
        });
        let events = || group.events.iter().filter(|event| event.stream == *stream);
        let last = events().map(|event| event.at).max();
        if let (Some(first), Some(last)) = (events().map(|event| event.at).min(), last) {
            value["firstEventTimestamp"] = json!(first.0);
            value["lastEventTimestamp"] = json!(last.0);
            value["lastIngestionTime"] = json!(events().map(|event| event.ingested.0).max());
        }
        streams.push((last, stream, value));
    }
    if text(request, "orderBy") == Some("LastEventTime") {
        streams.sort_by_key(|(last, name, _)| (*last, *name));
    }
    if request.get("descending").and_then(Value::as_bool) == Some(true) {
        streams.reverse();
    }
    page(streams.into_iter().map(|(_, _, value)| value).collect(), request, MAX_DESCRIBED, "logStreams")
}

fn group_arn(call: &Call, name: &str) -> String {
    format!("arn:{}:logs:{}:{}:log-group:{name}", partition(&call.region), call.region, call.account)
}

/// The plain part of the filter syntax: terms that a message holds, holds one of (`?term`), or doesn't hold (`-term`).
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut pattern = Self { all: Vec::new(), any: Vec::new(), none: Vec::new() };
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            return Err(invalid(
                "Invalid filter pattern: the sandbox serves terms, and neither JSON, fields nor expressions.",
            ));
        }
        while !rest.is_empty() {
            let (list, tail) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, tail) = match tail.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| invalid("Invalid filter pattern: a quotation mark is missing."))?,
                None => tail.split_once(char::is_whitespace).unwrap_or((tail, "")),
            };
            if !term.is_empty() {
                list.push(term.to_owned());
            }
            rest = tail.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term)))
            && !self.none.iter().any(|term| message.contains(term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a search for a rotation's request id or for errors would find everything, or nothing.
    #[test]
    fn patterns_are_terms() {
        let matches = |pattern: &str, message: &str| Pattern::parse(pattern).expect("a pattern").matches(message);
        assert!(matches("", "anything"));
        assert!(matches("ERROR Value", "[ERROR] ValueError: no"));
        assert!(!matches("ERROR Type", "[ERROR] ValueError: no"));
        assert!(matches("?Type ?Value", "[ERROR] ValueError: no"));
        assert!(matches("\"ValueError: no\"", "[ERROR] ValueError: no"));
        assert!(!matches("ERROR -Value", "[ERROR] ValueError: no"));
        assert!(Pattern::parse("{ $.a = 1 }").is_err());
    }
}
