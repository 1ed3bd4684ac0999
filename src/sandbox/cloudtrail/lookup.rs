//! `LookupEvents`: newest first, 50 a page, by one attribute.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use serde_json::{Map, Value, json};

use super::state::{Event, State};
use crate::call::Call;
use crate::clock::Time;
use crate::wire::ApiError;

/// How many events a page holds at most.
const MAX_PAGE: usize = 50;

/// How long events can be looked up, in milliseconds: 90 days.
const KEPT: i64 = 90 * 24 * 3600 * 1000;

const SOURCE: &str = "secretsmanager.amazonaws.com";

/// The answer to a lookup.
pub(super) fn events(state: &State, call: &Call, request: &Map<String, Value>) -> Result<Value, ApiError> {
    let attribute = attribute(request)?;
    let (from, to) = range(call, request)?;
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let before = match text("NextToken") {
        None => u64::MAX,
        Some(token) => token.parse().map_err(|_| ApiError::new(400, "InvalidNextTokenException", "Invalid token."))?,
    };
    // Insights are of calls, of which there are none here.
    let is_wanted = |event: &&Event| {
        text("EventCategory").is_none()
            && event.number < before
            && (from..=to).contains(&event.at)
            && attribute.as_ref().is_none_or(|(key, value)| has(event, key, value))
    };
    let most = request.get("MaxResults").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let mut found = state.events.iter().rev().map(AsRef::as_ref).filter(is_wanted);
    let page: Vec<&Event> = found.by_ref().take(most).collect();
    let mut answer = json!({"Events": page.iter().map(|event| described(event, call)).collect::<Vec<_>>()});
    if let (Some(last), Some(_)) = (page.last(), found.next()) {
        answer["NextToken"] = json!(last.number.to_string());
    }
    Ok(answer)
}

/// What is looked up by: one attribute at most.
fn attribute(request: &Map<String, Value>) -> Result<Option<(String, String)>, ApiError> {
    let given = request.get("LookupAttributes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of = |given: &Value, name: &str| given[name].as_str().unwrap_or_default().to_owned();
    match given {
        [] => Ok(None),
        [one] => Ok(Some((of(one, "AttributeKey"), of(one, "AttributeValue")))),
        _ => Err(ApiError::new(400, "InvalidLookupAttributesException", "You can only specify one lookup attribute.")),
    }
}

/// The time that is looked through.
fn range(call: &Call, request: &Map<String, Value>) -> Result<(Time, Time), ApiError> {
    #[expect(clippy::cast_possible_truncation, reason = "a number that is too large stands for the end of all time")]
    let time = |name: &str| request.get(name).and_then(Value::as_f64).map(|seconds| Time((seconds * 1000.0) as i64));
    let oldest = Time(call.now.0.saturating_sub(KEPT));
    let (from, to) = (time("StartTime").unwrap_or(oldest), time("EndTime").unwrap_or(Time(i64::MAX)));
    if from > to {
        return Err(ApiError::new(400, "InvalidTimeRangeException", "The start time must be before the end time."));
    }
    Ok((from.max(oldest), to))
}

fn has(event: &Event, key: &str, value: &str) -> bool {
    match key {
        "EventId" => event.id == value,
        "EventName" => event.name == value,
        "ReadOnly" => value == "false",
        "EventSource" => value == SOURCE,
        // Nobody called, and AWS names no resource in them.
        _ => false,
    }
}

/// An event as a lookup shows it.
fn described(event: &Event, call: &Call) -> Value {
    json!({
        "EventId": event.id,
        "EventName": event.name,
        "ReadOnly": "false",
        "EventTime": event.at.epoch_seconds(),
        "EventSource": SOURCE,
        "Resources": [],
        "CloudTrailEvent": record(event, call).to_string(),
    })
}

/// The event's record, as AWS writes it.
fn record(event: &Event, call: &Call) -> Value {
    let mut record = json!({
        "eventVersion": "1.08",
        "userIdentity": {"accountId": call.account, "invokedBy": SOURCE},
        "eventTime": event.at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": SOURCE,
        "eventName": event.name,
        "awsRegion": call.region,
        "sourceIPAddress": SOURCE,
        "userAgent": SOURCE,
        "requestParameters": null,
        "responseElements": null,
        "additionalEventData": {"SecretId": event.secret},
        "requestID": format!("Rotation-{}-{}", event.secret, event.token),
        "eventID": event.id,
        "readOnly": false,
        "eventType": "AwsServiceEvent",
        "managementEvent": true,
        "recipientAccountId": call.account,
        "eventCategory": "Management",
    });
    if let Some(error) = &event.error {
        record["errorMessage"] = json!(error);
    }
    record
}
