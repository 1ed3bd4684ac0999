//! Why rotations fail: what `CloudTrail` says of them, and what functions have logged.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;

use super::classify::failed;
use super::error::AwsError;
use super::pages::Pages;
use super::reader::Reader;
use crate::model::rotation_event::RotationEvent;

/// How many pages of events are read, 50 events each: `LookupEvents` lets two calls a second through.
const PAGES: usize = 20;

/// The failures of rotations that were looked for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Failures {
    /// The newest of each secret, by its ARN.
    pub newest: BTreeMap<String, RotationEvent>,
    /// How far back was looked, in seconds since 1970 (UTC): each failure since then that `CloudTrail` has is known.
    pub looked_back_to: i64,
    /// Whether there are more events in the time that was asked for than were read.
    pub is_cut: bool,
}

impl Reader {
    /// The newest failure of each suspect's rotation since a moment (`LookupEvents`), in seconds since 1970 (UTC): newest first, until each
    /// has one, in 20 pages at most. Events come some minutes late.
    pub async fn failures(&self, suspects: &BTreeSet<String>, since: i64) -> Result<Failures, AwsError> {
        const ACTION: &str = "cloudtrail:LookupEvents";
        let mut found = Failures { looked_back_to: since, ..Failures::default() };
        // Secrets Manager's own events name no resource: there is one lookup for a region, and none for a secret.
        let by_name =
            LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName).attribute_value("RotationFailed");
        let by_name = by_name.build().map_err(|why| AwsError::incomplete(ACTION, "*", &why.to_string()))?;
        let mut next: Option<String> = None;
        let mut pages = Pages::of(ACTION, "*");
        for page in 1.. {
            let call = self.inner.trail.lookup_events().lookup_attributes(by_name.clone()).max_results(50);
            let call = call.start_time(DateTime::from_secs(since)).set_next_token(next.take());
            let answer = call.send().await.map_err(failed(ACTION, "*"))?;
            pages.page(answer.events().len(), answer.next_token())?;
            let mut oldest = None;
            for event in answer.events() {
                let (Some(at), Some(record)) = (event.event_time(), event.cloud_trail_event()) else { continue };
                oldest = Some(at.secs());
                let Some(event) = RotationEvent::of(at.secs(), record) else { continue };
                if suspects.contains(&event.secret) {
                    found.newest.entry(event.secret.clone()).or_insert(event);
                }
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            let is_found = suspects.iter().all(|secret| found.newest.contains_key(secret));
            if next.is_none() || is_found {
                break;
            }
            if page == PAGES {
                (found.is_cut, found.looked_back_to) = (true, oldest.unwrap_or(since));
                break;
            }
        }
        Ok(found)
    }
}
