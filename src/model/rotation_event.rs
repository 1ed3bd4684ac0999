//! What `CloudTrail` says of a rotation that failed.
//!
//! Secrets Manager writes such events itself, so that they hold no request: the secret stands in `additionalEventData`, the step in the
//! words of the error, the version in the request's id. None of that is documented; each may be missing.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html>

use serde_json::Value;

use super::trouble::RotationStep;

/// An event that says that a rotation failed, as far as it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEvent {
    /// When it failed, in seconds since 1970 (UTC).
    pub at: i64,
    /// The secret's ARN.
    pub secret: String,
    /// The step, where the event names one.
    pub step: Option<RotationStep>,
    /// The id of the version that the rotation was to make, where the event names it.
    pub version: Option<String>,
}

impl RotationEvent {
    /// What a record says that happened at a moment, in seconds since 1970; `None` where it names no secret.
    pub fn of(at: i64, record: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(record).ok()?;
        let id = record["requestID"].as_str().and_then(|id| id.strip_prefix("Rotation-"));
        let named = record["additionalEventData"]["SecretId"].as_str().filter(|name| !name.is_empty());
        let after = |name: &str| id?.strip_prefix(name)?.strip_prefix('-');
        let request = match named {
            Some(name) => after(name).map(|version| (name, version)),
            None => id.and_then(divided),
        };
        let secret = named.or(request.map(|(secret, _)| secret))?.to_owned();
        let words = record["errorMessage"].as_str().unwrap_or_default();
        let mut steps = RotationStep::ALL.into_iter().filter(|step| words.contains(&format!("during {step} step")));
        Some(Self { at, secret, step: steps.next(), version: request.map(|(_, version)| version.to_owned()) })
    }
}

/// The ARN and the version of `ARN-VERSION`, where the version is a UUID: both may hold hyphens.
fn divided(rest: &str) -> Option<(&str, &str)> {
    let at = rest.len().checked_sub(37)?;
    let (secret, version) = (rest.get(..at)?, rest.get(at..)?.strip_prefix('-')?);
    (secret.starts_with("arn:") && version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .then_some((secret, version))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/key-AbCdEf";
    const VERSION: &str = "00000000-0000-4000-8000-000000000001";

    /// An event as AWS was seen to write it.
    fn record() -> Value {
        json!({
            "eventVersion": "1.08",
            "userIdentity": {"accountId": "123456789012", "invokedBy": "secretsmanager.amazonaws.com"},
            "eventTime": "2026-11-29T12:00:00Z",
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "RotationFailed",
            "errorMessage": format!(
                "Error when executing lambda arn:aws:lambda:us-east-1:123456789012:function:rotate during {} step",
                RotationStep::Create
            ),
            "requestParameters": null,
            "responseElements": null,
            "additionalEventData": {"SecretId": SECRET},
            "requestID": format!("Rotation-{SECRET}-{VERSION}"),
            "eventType": "AwsServiceEvent",
        })
    }

    fn of(record: &Value) -> Option<RotationEvent> {
        RotationEvent::of(7, &record.to_string())
    }

    /// Without it, a failing secret would be reported without the step that fails.
    #[test]
    fn the_step_and_the_version_are_read() {
        let whole = RotationEvent {
            at: 7,
            secret: SECRET.to_owned(),
            step: Some(RotationStep::Create),
            version: Some(VERSION.to_owned()),
        };
        assert_eq!(of(&record()), Some(whole));
    }

    /// Without it, an event of another shape than the one that was seen would hide a failure, or be taken for another's.
    #[test]
    fn what_an_event_leaves_out_is_not_known() {
        let whole = of(&record()).expect("it names a secret");
        for name in record().as_object().expect("an object").keys() {
            for other in [None, Some(json!(null)), Some(json!(7)), Some(json!("")), Some(json!({})), Some(json!(["x"]))]
            {
                let mut record = record();
                let members = record.as_object_mut().expect("an object");
                match &other {
                    Some(other) => members.insert(name.clone(), other.clone()),
                    None => members.remove(name),
                };
                let found = of(&record).expect("the secret stands in two places");
                let expected = RotationEvent {
                    step: whole.step.filter(|_| name != "errorMessage"),
                    version: whole.version.clone().filter(|_| name != "requestID"),
                    ..whole.clone()
                };
                assert_eq!(found, expected, "{name} {other:?}");
            }
        }
        let mut nobody = record();
        nobody["additionalEventData"] = json!({});
        nobody["requestID"] = json!("Rotation-x");
        assert_eq!(of(&nobody), None);
        for text in ["", "{", "[]", "7", "null"] {
            assert_eq!(RotationEvent::of(7, text), None, "{text}");
        }
    }
}
