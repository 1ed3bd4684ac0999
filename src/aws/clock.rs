//! AWS's clock. What a log says since a request is read by it, and a machine's own may be minutes off.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use chrono::DateTime;

/// Answers say the time in whole seconds: half of one is the mean of what is cut off.
const CUT: i64 = 500;

/// How far AWS's clock is ahead of the machine's, in milliseconds, as the last answer said.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

/// The one of this process: all of AWS has the same time.
pub(super) static CLOCK: Clock = Clock(AtomicI64::new(0));

impl Clock {
    /// Notes the time that an answer says it is (HTTP, `Date`).
    pub(super) fn note(&self, date: &str) {
        if let Ok(said) = DateTime::parse_from_rfc2822(date) {
            self.0.store(said.timestamp_millis() + CUT - machine(), Ordering::Relaxed);
        }
    }

    /// The time by AWS's clock, to about a second, in milliseconds since 1970 (UTC).
    pub(super) fn now(&self) -> i64 {
        machine() + self.0.load(Ordering::Relaxed)
    }
}

fn machine() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a machine whose clock is wrong would take an older invocation for a request's own, or miss its own.
    #[test]
    fn the_clock_is_that_of_the_answers() {
        let clock = Clock::default();
        let is_then = |clock: &Clock| (clock.now() - 784_111_777_500).abs() < 60_000;
        assert!(!is_then(&clock));
        clock.note("Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(is_then(&clock));
        clock.note("yesterday");
        assert!(is_then(&clock), "what isn't understood says nothing");
    }
}
