//! Log groups, as they are saved.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// How many events a log group keeps.
const MAX_EVENTS: usize = 2000;

/// How many bytes of messages a log group keeps.
const MAX_BYTES: usize = 1_000_000;

/// An account's log groups in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By name. Shared, so that saving one change doesn't copy every log.
    pub(super) groups: BTreeMap<String, Arc<Group>>,
}

/// A log group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) created: Time,
    /// When each stream was made, by name.
    pub(super) streams: BTreeMap<String, Time>,
    /// All events, in the order in which they came.
    pub(super) events: VecDeque<LogEvent>,
    /// Counts all events that ever came.
    pub(super) count: u64,
    /// The bytes of all messages.
    pub(super) bytes: usize,
}

/// A log event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LogEvent {
    pub(super) id: u64,
    pub(super) stream: String,
    pub(super) at: Time,
    pub(super) ingested: Time,
    pub(super) message: String,
}

/// Adds events to a stream, which is made where it is missing; the oldest of its group go where there are too many.
pub fn append(
    state: &mut State,
    group: &str,
    stream: &str,
    now: Time,
    lines: impl IntoIterator<Item = (Time, String)>,
) {
    let group = Arc::make_mut(
        state.groups.entry(group.to_owned()).or_insert_with(|| Arc::new(Group { created: now, ..Group::default() })),
    );
    group.streams.entry(stream.to_owned()).or_insert(now);
    for (at, message) in lines {
        group.bytes += message.len();
        group.events.push_back(LogEvent { id: group.count, stream: stream.to_owned(), at, ingested: now, message });
        group.count += 1;
    }
    let mut trimmed = false;
    while group.events.len() > MAX_EVENTS || group.bytes > MAX_BYTES {
        let Some(oldest) = group.events.pop_front() else { break };
        group.bytes = group.bytes.saturating_sub(oldest.message.len());
        trimmed = true;
    }
    if trimmed {
        let events = &group.events;
        group.streams.retain(|name, _| name == stream || events.iter().any(|event| event.stream == *name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a chatty function would grow the state file for ever.
    #[test]
    fn old_events_make_room_for_new_ones() {
        let mut state = State::default();
        let line = "x".repeat(1000);
        for round in 0..3 {
            let lines = (0..600).map(|_| (Time(round), line.clone()));
            append(&mut state, "/aws/lambda/f", &format!("stream-{round}"), Time(round), lines);
        }
        let group = &state.groups["/aws/lambda/f"];
        assert_eq!(group.events.len(), 1000);
        assert_eq!(group.bytes, 1_000_000);
        assert_eq!(group.events.front().map(|event| event.id), Some(800));
        assert_eq!(group.streams.keys().collect::<Vec<_>>(), ["stream-1", "stream-2"], "a stream without events goes");
    }
}
