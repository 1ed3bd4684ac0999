//! Waiting for AWS: bounded, jittered backoff.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause. AWS's own waiters start at up to 30 s, which would dominate every run.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);

/// A wait with a deadline, whose pauses grow.
#[derive(Debug)]
pub struct Wait {
    began: Instant,
    limit: Duration,
    pause: Duration,
    longest: Duration,
}

impl Wait {
    /// A wait of at most `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { began: Instant::now(), limit, pause: FIRST, longest: LONGEST }
    }

    /// The same with pauses that don't grow as long.
    pub fn at_most(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// How long it has lasted.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Pauses; `false` where the time is up.
    pub async fn pause(&mut self) -> bool {
        let left = self.limit.saturating_sub(self.elapsed());
        if left.is_zero() {
            return false;
        }
        // Between 75 % and 125 %, so that hundreds of waits don't ask in step.
        let jittered = self.pause.mul_f64(0.75 + fastrand::f64() / 2.0);
        tokio::time::sleep(jittered.min(left)).await;
        self.pause = self.pause.mul_f64(1.5).min(self.longest);
        true
    }
}
