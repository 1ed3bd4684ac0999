//! What the world was like a while ago, for calls that are answered from it: AWS's lists lag behind its writes.
//!
//! Nothing is kept while no rule of [`super::faults`] asks for it. What is kept is cheap: clones of the world share what is big in it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Time;
use super::state::World;

/// How finely the longest look back is divided: about so many worlds are kept at most.
const STEPS: u32 = 64;

tokio::task_local! {
    /// The world that the current call is answered from, where it isn't the present one.
    static STALE: Arc<World>;
}

/// Worlds of the past.
#[derive(Debug, Default)]
pub(super) struct History {
    on: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The longest look back that is asked for.
    lag: Duration,
    /// Each with the time since when it was so, oldest first.
    worlds: VecDeque<(Time, Arc<World>)>,
}

impl History {
    /// Starts anew with the world as it is, to look back this far; `None`: keeps nothing.
    pub fn start(&self, lag: Option<Duration>, now: Time, world: impl FnOnce() -> World) {
        let worlds = if lag.is_some() { VecDeque::from([(now, Arc::new(world()))]) } else { VecDeque::new() };
        *self.lock() = Kept { lag: lag.unwrap_or_default(), worlds };
        self.on.store(lag.is_some(), Ordering::Relaxed);
    }

    /// Notes that the world has changed.
    pub fn note(&self, now: Time, world: impl FnOnce() -> World) {
        if self.on.load(Ordering::Relaxed) {
            // Looked at under the lock, so that a later entry is never an older world.
            let mut kept = self.lock();
            let world = Arc::new(world());
            kept.push(now, world);
        }
    }

    /// The world as it was at a moment; before the first one that is known, that one.
    pub fn at(&self, moment: Time) -> Option<Arc<World>> {
        let kept = self.lock();
        let known = kept.worlds.iter().rev().find(|(since, _)| *since <= moment);
        known.or_else(|| kept.worlds.front()).map(|(_, world)| Arc::clone(world))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, now: Time, world: Arc<World>) {
        // A storm of changes must not fill the memory: of those that come within one step, the last one counts.
        let before = self.worlds.iter().nth_back(1);
        if before.is_some_and(|(before, _)| now.since(*before) < self.lag / STEPS) {
            self.worlds.pop_back();
        }
        self.worlds.push_back((now, world));
        // The newest one that is old enough is still wanted; whatever is before it isn't.
        while self.worlds.get(1).is_some_and(|(since, _)| now.since(*since) >= self.lag) {
            self.worlds.pop_front();
        }
    }
}

/// Does something that sees an older world.
pub(super) async fn within<T>(world: Option<Arc<World>>, work: impl Future<Output = T>) -> T {
    match world {
        Some(world) => STALE.scope(world, work).await,
        None => work.await,
    }
}

/// The older world that the current call sees, if any.
pub(super) fn current() -> Option<Arc<World>> {
    STALE.try_with(Arc::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A world that is told apart by a region's name.
    fn world(name: &str) -> World {
        let mut world = World::default();
        world.region("111111111111", name);
        world
    }

    fn name(history: &History, moment: i64) -> String {
        let world = history.at(Time(moment)).expect("a world is known");
        world.scopes.keys().next().map(|scope| scope.region.clone()).unwrap_or_default()
    }

    /// Without it, a list could show what isn't old enough, or lag further behind than it was told to.
    #[test]
    fn a_moment_shows_what_was_so_then() {
        let history = History::default();
        history.start(Some(Duration::from_mins(5)), Time(0), || world("a"));
        history.note(Time(10_000), || world("b"));
        history.note(Time(20_000), || world("c"));
        for (moment, wanted) in [(-5, "a"), (9_999, "a"), (10_000, "b"), (19_999, "b"), (20_000, "c"), (99_999, "c")] {
            assert_eq!(name(&history, moment), wanted, "{moment}");
        }
        // What came shortly after another change and lasted is no part of a storm.
        history.note(Time(20_001), || world("c"));
        history.note(Time(400_000), || world("d"));
        assert_eq!(name(&history, 100_000), "c");
        assert_eq!(history.lock().worlds.len(), 2, "what is older than anybody asks for goes");
    }

    /// Without it, a fleet that is created under such a rule would be kept in memory once for each of its secrets.
    #[test]
    fn a_storm_of_changes_keeps_few_worlds() {
        let history = History::default();
        history.start(Some(Duration::from_secs(64)), Time(0), World::default);
        for moment in 1..200_000 {
            history.note(Time(moment), World::default);
        }
        assert!(history.lock().worlds.len() <= 2 * STEPS as usize, "{}", history.lock().worlds.len());
        history.start(None, Time(0), World::default);
        history.note(Time(1), || unreachable!("nothing is kept"));
        assert!(history.at(Time(1)).is_none());
    }
}
