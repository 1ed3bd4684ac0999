//! When the state is saved.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::persist::Store;
use super::service::Shared;

/// How long changes are gathered before they are saved.
const GATHER: Duration = Duration::from_millis(100);

/// A large state is saved less often, so that saving takes a fifth of the time at most; but at least this often.
const LONGEST_GATHER: Duration = Duration::from_secs(2);

/// Saves soon after each change, and once more when the sandbox has ended. A save that failed is tried again.
pub(super) async fn keep_saved(shared: Arc<Shared>, mut store: Store) {
    if !store.is_kept() {
        return;
    }
    let mut gather = GATHER;
    let mut failed = false;
    loop {
        if !failed {
            tokio::select! {
                () = shared.until_changed() => {}
                () = shared.until_ended() => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep(gather) => {}
            () = shared.until_ended() => {}
        }
        // Asked before the world is looked at: if it ends while this save is written, there may be more to save.
        let is_last = shared.has_ended();
        let started = Instant::now();
        // The clone is cheap (what is big is shared); writing happens without the lock and off the async threads.
        let world = shared.world().clone();
        let time = shared.now();
        let saving = tokio::task::spawn_blocking(move || {
            let result = store.save(time, &world);
            (store, result)
        });
        let Ok((back, result)) = saving.await else { return };
        store = back;
        failed = result.is_err();
        shared.set_save_error(result.err());
        if is_last {
            return;
        }
        gather = if failed { LONGEST_GATHER } else { (started.elapsed() * 4).clamp(GATHER, LONGEST_GATHER) };
    }
}
