//! Rotations in waves: the next begins once all of the one before have ended, and not where too many didn't end well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::interrupt::Interrupt;
use super::{Event, Observer, Outcome};

/// How rotations go in waves.
#[derive(Debug, Clone)]
pub struct Waves {
    /// How many secrets of a target each wave has; at least 1 is taken.
    pub size: Size,
    /// How long nothing is begun after each wave.
    pub pause: Duration,
    /// How many rotations may fail, or not finish in time, until no wave is begun; `None`: any number.
    pub max_failures: Option<usize>,
    /// How many have, of all targets.
    failures: Arc<AtomicUsize>,
}

/// How many secrets a wave has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(usize),
}

impl Waves {
    /// Waves of a size.
    pub fn new(size: Size, pause: Duration, max_failures: Option<usize>) -> Self {
        Self { size, pause, max_failures, failures: Arc::default() }
    }

    fn of(&self, all: usize) -> usize {
        match self.size {
            Size::Count(count) => count.max(1),
            Size::Percent(percent) => (all * percent).div_ceil(100).max(1),
        }
    }
}

/// The steps of the waves that haven't begun.
pub(super) struct Wavefront<'a> {
    waves: Option<&'a Waves>,
    size: usize,
    left: VecDeque<usize>,
    stopped: Option<usize>,
}

impl<'a> Wavefront<'a> {
    /// Leaves the first wave in the steps that may begin.
    pub(super) fn of(waves: Option<&'a Waves>, ready: &mut VecDeque<usize>) -> Self {
        let size = waves.map_or(usize::MAX, |waves| waves.of(ready.len()));
        let left = ready.split_off(size.min(ready.len()));
        Self { waves, size, left, stopped: None }
    }

    /// Notes how a step ended.
    pub(super) fn note(&self, outcome: &Outcome) {
        let is_bad = match outcome {
            Outcome::Failed(_) | Outcome::TestFailed(_) => true,
            Outcome::NotFinished(rest) => rest.waited.is_some(),
            _ => false,
        };
        if let Some(waves) = self.waves.filter(|_| is_bad) {
            waves.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins no more.
    pub(super) fn clear(&mut self) {
        self.left.clear();
    }

    /// Makes the next wave ready, once its pause is over; `false` where there is none, or none is to begin.
    pub(super) async fn next(
        &mut self,
        ready: &mut VecDeque<usize>,
        observer: &dyn Observer,
        interrupt: &Interrupt,
    ) -> bool {
        let (Some(waves), Some(first)) = (self.waves, self.left.front().copied()) else { return false };
        if self.has_stopped(waves) {
            return false;
        }
        if !waves.pause.is_zero() {
            observer.event(&Event::Paused { step: first, pause: waves.pause });
            tokio::select! {
                () = interrupt.pulled() => return false,
                () = tokio::time::sleep(waves.pause) => {}
            }
            // Another target's wave may have gone wrong meanwhile.
            if self.has_stopped(waves) {
                return false;
            }
        }
        ready.extend(self.left.drain(..self.size.min(self.left.len())));
        true
    }

    fn has_stopped(&mut self, waves: &Waves) -> bool {
        let failures = waves.failures.load(Ordering::Relaxed);
        self.stopped = waves.max_failures.filter(|most| failures >= *most).map(|_| failures);
        self.stopped.is_some()
    }

    /// How many rotations didn't end well, where no wave was begun for that.
    pub(super) fn stopped(&self) -> Option<usize> {
        self.stopped
    }
}
