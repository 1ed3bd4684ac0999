//! Patience with AWS's parts that don't know of each other's news yet: what was just made, or allowed, isn't there everywhere at once.
//! Each wait has a bound, and begins only where this apply, or AWS's own words, say that something is new.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::wait::Wait;
use super::{Context, Event};
use crate::aws::execute::{Answer, Execute};
use crate::aws::{AwsError, ErrorKind};

/// How long "not found" may mean "not yet" after something was made.
pub(super) const NOT_YET: Duration = Duration::from_secs(15);

impl<E> Context<'_, E> {
    /// Notes that a function, or its policy, is there since now.
    pub(super) fn note_made(&self, function: &str) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(function.to_owned(), Instant::now());
    }

    /// Whether this apply made a function, or its policy, so short a time ago that a look may miss it.
    pub(super) fn is_new(&self, function: &str) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(function).is_some_and(|since| since.elapsed() < NOT_YET)
    }

    /// Says what a step waits for.
    pub(super) fn waits(&self, index: usize, what: &str, status: &str) {
        self.observer.event(&Event::Waiting { step: index, status: format!("{what}: {status}") });
    }
}

impl<E: Execute> Context<'_, E> {
    /// Makes a call about a function until what the call relies on has spread: the function itself, its role, its key.
    pub(super) async fn once_spread<T>(
        &self,
        index: usize,
        function: &str,
        call: impl AsyncFn() -> Answer<T>,
    ) -> Answer<T> {
        let mut wait = Wait::new(self.options.ec2_timeout);
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some((limit, status)) = self.passing(function, &error) else { return Err(error) };
            self.waits(index, "the function", status);
            if wait.elapsed() >= limit || !wait.pause().await {
                return Err(error);
            }
        }
    }

    /// How long a refusal is worth another try, and what is waited for.
    fn passing(&self, function: &str, error: &AwsError) -> Option<(Duration, &'static str)> {
        match error.kind {
            ErrorKind::Spreading => Some((self.options.spreading_timeout, "until its role and key can be used")),
            ErrorKind::ThrottledByEc2 => Some((self.options.ec2_timeout, "until EC2 lets Lambda go on")),
            ErrorKind::NotFound if self.is_new(function) => Some((NOT_YET, "not there yet")),
            _ => None,
        }
    }
}
