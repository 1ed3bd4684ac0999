//! Ends processes with all that they have started.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How often processes are looked for: one that is being started meanwhile is found the next time.
const ROUNDS: u32 = 5;

/// Ends a process group.
pub(super) fn kill_group(group: u32) {
    if let Some(group) = pid(group) {
        // A group that is gone already needs no end.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Ends what has left its group, as daemons do: every process that inherited a variable with a value that no other has.
/// Only Linux tells; elsewhere, daemons of functions stay.
pub(super) fn kill_heirs(variable: &str, value: &str) {
    let marker = format!("{variable}={value}");
    for _ in 0..ROUNDS {
        let heirs: Vec<Pid> = processes().filter(|process| has(*process, marker.as_bytes())).filter_map(pid).collect();
        if heirs.is_empty() {
            return;
        }
        for heir in heirs {
            let _ = kill_process(heir, Signal::KILL);
        }
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process of ours was started with a variable. One that has ended has no variables any more.
fn has(process: u32, marker: &[u8]) -> bool {
    std::fs::read(format!("/proc/{process}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == marker))
}
