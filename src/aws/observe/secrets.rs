//! The manifest's secrets, one `DescribeSecret` each.
//!
//! How many at a time is found out: a budget of so many requests a second is used up by as many calls in flight as it lets through in
//! one round trip. More would only take memory, fewer would wait for the network. A connection's first call sets it up too, three
//! trips more over TLS: too many, then, rather than too few.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Counter, Listener, Part, Selection};
use crate::aws::budget;
use crate::aws::error::reading;
use crate::aws::reader::Reader;
use crate::model::live::{LiveSecret, Reading};

/// At a latency of 50 ms, this many calls at a time make half of AWS's quota of 10,000 a second.
const MOST: usize = 256;
/// So many are made at a time in any case.
const LEAST: usize = 16;
/// So many connections are worth their setting up, however few the calls.
const FEW: usize = 64;
/// What a connection beyond must be worth: setting it up takes three round trips and more of the processor than a call.
const CALLS_A_CONNECTION: usize = 8;
/// The time in which the budget lets one more through.
const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / budget::SECRETS as u64);
/// Answers that are handed over together.
const ANSWERS: usize = 8;
/// How often answers may be handed over before somebody has to take them.
const WAITING: usize = 64;
/// How long an answer is kept before it counts as progress.
const TOLD_WITHIN: Duration = Duration::from_millis(250);

/// Describes the selected secrets, `parallelism` at a time at most.
pub(super) async fn read(
    reader: &Reader,
    selection: &Selection<'_>,
    parallelism: Option<usize>,
    progress: Listener<'_>,
) -> BTreeMap<String, Reading<LiveSecret>> {
    let total = selection.secrets.len();
    let counter = Counter::new(Part::Secrets, total, progress);
    let wanted: Vec<(String, String)> =
        selection.secrets.iter().map(|(handle, secret)| ((*handle).clone(), secret.name.clone())).collect();
    let wanted = Arc::new(Mutex::new(wanted.into_iter()));
    // Signing and reading answers is the processor's work: each worker is a task of its own, so that they share all cores,
    // and what is in memory is what is in flight. Dropping the set ends them.
    let (sender, mut answers) = mpsc::channel(WAITING);
    let trip = Arc::new(RoundTrip::begin());
    let mut workers = JoinSet::new();
    for number in 0..parallelism.unwrap_or_else(|| worth(total)).clamp(1, total.max(1)) {
        let (reader, wanted, sender, trip) = (reader.clone(), Arc::clone(&wanted), sender.clone(), Arc::clone(&trip));
        workers.spawn(async move {
            if !trip.has_room_for(number).await {
                return;
            }
            loop {
                // Waking another thread costs a good part of what a call does: it is done for several at once, where none has to wait.
                let mut some = Vec::with_capacity(ANSWERS);
                let began = Instant::now();
                while some.len() < ANSWERS && began.elapsed() < TOLD_WITHIN {
                    let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((handle, name)) = next else { break };
                    let asked = Instant::now();
                    let answer = reader.secret(&name).await;
                    if answer.is_ok() {
                        trip.took(asked.elapsed());
                    }
                    some.push((handle, reading(answer.map(|details| details.secret))));
                }
                if some.is_empty() || sender.send(some).await.is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut secrets = BTreeMap::new();
    while secrets.len() < total
        && let Some(some) = answers.recv().await
    {
        secrets.extend(some);
        counter.tell(secrets.len());
    }
    // Who still waits for room isn't needed any more.
    workers.abort_all();
    // A secret that a worker lost would look as if it weren't there.
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    secrets
}

/// How many connections so many calls are worth.
fn worth(calls: usize) -> usize {
    (calls / CALLS_A_CONNECTION).clamp(FEW, MOST)
}

/// The shortest time that an answer took: what the network takes, without what waiting for the processor or a budget adds.
struct RoundTrip {
    began: Instant,
    /// In microseconds.
    shortest: AtomicU64,
}

impl RoundTrip {
    fn begin() -> Self {
        Self { began: Instant::now(), shortest: AtomicU64::new(u64::MAX) }
    }

    fn took(&self, time: Duration) {
        self.shortest.fetch_min(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the budget has room for one more call in flight, beside as many as `number`.
    ///
    /// It has where no answer took less than the budget needs to let so many through.
    async fn has_room_for(&self, number: usize) -> bool {
        if number < LEAST {
            return true;
        }
        let after = INTERVAL * u32::try_from(number).unwrap_or(u32::MAX);
        sleep_until(self.began + after).await;
        u128::from(self.shortest.load(Ordering::Relaxed)) >= after.as_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many workers start, if the first call takes so many milliseconds.
    async fn started(workers: usize, first: u64) -> usize {
        let trip = Arc::new(RoundTrip::begin());
        let answer = async {
            tokio::time::sleep(Duration::from_millis(first)).await;
            trip.took(trip.began.elapsed());
        };
        let workers = futures::future::join_all((0..workers).map(|number| trip.has_room_for(number)));
        let ((), started) = futures::join!(answer, workers);
        started.into_iter().filter(|one| *one).count()
    }

    /// Without it, a near server would cost the memory of as many connections as a far one, or a far one would have too few.
    #[tokio::test(start_paused = true)]
    async fn the_longer_the_way_the_more_calls_are_on_it() {
        assert_eq!(started(10, 0).await, 10);
        assert_eq!(started(MOST, 0).await, LEAST);
        assert!((40..=50).contains(&started(MOST, 5).await));
        assert_eq!(started(MOST, 50).await, MOST);
    }
}
