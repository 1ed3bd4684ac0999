//! Code isn't replaced in the middle of a rotation: the old code may have told a service of a value that the new code doesn't know.

use std::sync::PoisonError;
use std::time::Duration;

use super::ends::goes_on;
use super::interrupt::Interrupt;
use super::wait::Wait;
use super::{Context, Event, Failure};
use crate::aws::execute::Execute;
use crate::model::arn::unqualified_function_arn;
use crate::model::live::{Configuration, LiveSecret, Reading};
use crate::plan::{Effect, Step};

/// Lambda's time-out where none is said, in seconds.
const TIMEOUT: u32 = 3;

/// How long before its window opens a secret is looked at once more, in seconds: an apply may wait for its approval so long.
const SOON: i64 = 24 * 3_600;

/// Why other code would come at a bad moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Busy {
    /// A rotation is under way.
    Rotates,
    /// The secret's window is open: a rotation may begin any moment.
    MayRotate,
}

impl<E: Execute> Context<'_, E> {
    /// As [`Context::until_idle`], where a change of a function brings other code.
    pub(super) async fn before_other_code(
        &self,
        index: usize,
        step: &Step,
        function: &Configuration,
        interrupt: &Interrupt,
    ) -> Result<bool, Failure> {
        let brings = self.change(step).is_some_and(|change| change.effects.contains(&Effect::ReplacesCode));
        if brings { self.until_idle(index, function, interrupt).await } else { Ok(true) }
    }

    /// Waits until no rotation is under way with a function, nor may begin any moment: as long as the function may run, twice. Then it goes
    /// on, and says so. It waits once for all that changes of a function. `false` where somebody interrupts.
    pub(super) async fn until_idle(
        &self,
        index: usize,
        function: &Configuration,
        interrupt: &Interrupt,
    ) -> Result<bool, Failure> {
        let is_new = self.waited.lock().unwrap_or_else(PoisonError::into_inner).insert(function.arn.clone());
        if !self.options.wait_before_code || !is_new {
            return Ok(true);
        }
        let timeout = function.settings.timeout.unwrap_or(TIMEOUT);
        let longest = Duration::from_secs(u64::from(timeout) * 2);
        let mut wait = Wait::new(longest);
        let mut in_the_way: Vec<&LiveSecret> = self.may_be_busy(&function.arn);
        loop {
            let (mut left, mut first) = (Vec::new(), None);
            for secret in in_the_way {
                if let Some(busy) = self.busy(secret, longest).await? {
                    first.get_or_insert((secret, busy));
                    left.push(secret);
                }
            }
            let Some((secret, busy)) = first else { return Ok(true) };
            in_the_way = left;
            let name = &secret.name;
            let until = match busy {
                Busy::Rotates => format!("until the rotation of {name} has ended"),
                Busy::MayRotate => format!("until the window of {name} has closed"),
            };
            self.waits(index, "the code", &until);
            if goes_on(&mut wait, interrupt).await {
                continue;
            }
            if interrupt.is_pulled() {
                return Ok(false);
            }
            let text = match busy {
                Busy::Rotates => {
                    format!("the code is replaced in the middle of a rotation: that of {name} hasn't ended")
                }
                Busy::MayRotate => format!(
                    "the code is replaced while the window of {name} is open: a rotation may begin with the old code, and end with the new"
                ),
            };
            self.observer.event(&Event::Warned { step: index, text });
            return Ok(true);
        }
    }

    /// The secrets of the manifest that rotate with a function, as far as their rotation was unfinished when the plan was made, or their
    /// window open or near.
    fn may_be_busy(&self, function: &str) -> Vec<&LiveSecret> {
        let found = self.live.secrets.values().filter_map(Reading::found);
        let with = |live: &&LiveSecret| live.function_arn.as_deref().map(unqualified_function_arn) == Some(function);
        let is_near = |live: &LiveSecret| live.window_opens_within().is_some_and(|within| within < SOON);
        found
            .filter(with)
            .filter(|live| live.is_on() && (live.unfinished_rotation().is_some() || is_near(live)))
            .collect()
    }

    /// Whether a secret is in the way of other code. Of a rotation that is unfinished it counts whether it may still be running: it is so
    /// young that one of its steps may run, and its last try isn't known to have failed. What is stuck waits for other code.
    async fn busy(&self, planned: &LiveSecret, longest: Duration) -> Result<Option<Busy>, Failure> {
        let Some(state) = self.look(&planned.arn).await? else { return Ok(None) };
        let Some(version) = state.secret.unfinished_rotation() else {
            let is_open = state.secret.is_on() && state.secret.is_window_open();
            return Ok(is_open.then_some(Busy::MayRotate));
        };
        // Each of the four steps may take as long as the function may run.
        let is_old = state.age.is_none_or(|age| age >= longest * 2);
        Ok((!is_old && !self.rests(&state, version).await).then_some(Busy::Rotates))
    }
}
