//! Events, as they are saved.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// How many events an account keeps in a region.
const MAX_EVENTS: usize = 2000;

/// An account's events in a region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// In the order in which they happened.
    pub(super) events: VecDeque<Arc<Event>>,
    /// Counts all events that ever happened.
    count: u64,
}

/// An event of Secrets Manager's own: no call of anybody's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    /// Counts upwards.
    pub(super) number: u64,
    pub(super) id: String,
    /// Such as `RotationFailed`.
    pub(super) name: String,
    pub(super) at: Time,
    /// The secret's ARN.
    pub(super) secret: String,
    /// The id of the version that the rotation makes.
    pub(super) token: String,
    /// What went wrong.
    pub(super) error: Option<String>,
}

/// What happened to a secret.
#[derive(Debug)]
pub struct Happened<'a> {
    /// Such as `RotationFailed`.
    pub name: &'a str,
    /// The secret's ARN.
    pub secret: &'a str,
    /// The id of the version that the rotation makes.
    pub token: &'a str,
    /// What went wrong, if anything.
    pub error: Option<String>,
}

/// Adds an event; the oldest goes where there are too many.
pub fn happened(state: &mut State, now: Time, what: Happened<'_>) {
    state.events.push_back(Arc::new(Event {
        number: state.count,
        id: uuid::Uuid::new_v4().to_string(),
        name: what.name.to_owned(),
        at: now,
        secret: what.secret.to_owned(),
        token: what.token.to_owned(),
        error: what.error,
    }));
    state.count += 1;
    while state.events.len() > MAX_EVENTS {
        state.events.pop_front();
    }
}
