//! Service time: what the sandbox thinks the time is.
//!
//! It is the saved time plus the time that the sandbox has been running since. It stands still while no sandbox runs,
//! so that a schedule never fires just because somebody was away, and it can be moved forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A moment of service time, in milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The moment `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `by` earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Seconds since 1970, with milliseconds as the fraction: the timestamps of the JSON protocols.
    pub fn epoch_seconds(self) -> serde_json::Value {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds stay exact in a double for 285,000 years")]
        let seconds = self.0 as f64 / 1000.0;
        serde_json::Value::from(seconds)
    }

    /// `2026-01-31T12:00:00.123Z`: the timestamps of the Query protocol.
    pub fn iso8601(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// `2026-01-31T12:00:00.123+0000`: Lambda's timestamps.
    pub fn lambda(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
    }

    /// As a calendar time.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(value: DateTime<Utc>) -> Self {
        Self(value.timestamp_millis())
    }
}

/// The running clock.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// Service time at `started`, in milliseconds, plus whatever it was moved by.
    base: AtomicI64,
}

impl Clock {
    /// A clock that goes on from `saved`, or starts at the machine's own time.
    pub fn new(saved: Option<Time>) -> Self {
        let base = saved.unwrap_or_else(wall);
        Self { started: Instant::now(), base: AtomicI64::new(base.0) }
    }

    /// Service time.
    pub fn now(&self) -> Time {
        Time(self.base.load(Ordering::Relaxed)).plus(self.started.elapsed())
    }

    /// Moves service time forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        // Saturating: a clock that has been moved to the end of time stays there.
        let _ = self.base.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |base| Some(base.saturating_add(by)));
    }
}

fn wall() -> Time {
    Time(0).plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
