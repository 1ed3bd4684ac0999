//! The progress of an apply as lines of JSON on stdout.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::apply::{Event, Observer};
use crate::plan::Step;
use crate::render::events::Lines;

use super::output;
use super::progress::REMINDER;

/// The progress of an apply: one line an event.
pub struct Apply<'a> {
    steps: &'a [Step],
    lines: Lines,
    running: Mutex<BTreeMap<usize, Running>>,
}

/// A step under way.
struct Running {
    began: Instant,
    /// When a line last spoke of it.
    said: Instant,
}

impl<'a> Apply<'a> {
    /// A progress for these steps.
    pub fn new(steps: &'a [Step], lines: Lines) -> Self {
        Self { steps, lines, running: Mutex::default() }
    }
}

impl Observer for Apply<'_> {
    /// Prints an event. A wait is worth a line as often as it is to people.
    fn event(&self, event: &Event) {
        let Ok(mut running) = self.running.lock() else { return };
        let now = Instant::now();
        let elapsed = match event {
            Event::Started { step } => {
                running.insert(*step, Running { began: now, said: now });
                Duration::ZERO
            }
            Event::Waiting { step, .. } => match running.get_mut(step) {
                Some(running) if running.said.elapsed() >= REMINDER => {
                    running.said = now;
                    running.began.elapsed()
                }
                _ => return,
            },
            Event::TryFailed { step, .. } | Event::Paused { step, .. } | Event::Warned { step, .. } => {
                running.get(step).map(|one| one.began.elapsed()).unwrap_or_default()
            }
            Event::Ended { step, .. } => running.remove(step).map(|one| one.began.elapsed()).unwrap_or_default(),
        };
        if let Some(line) = self.lines.event(event, self.steps, elapsed, chrono::Utc::now()) {
            output::follow(&line);
        }
    }
}
