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

/// What a process was given that all its descendants have, and no other process.
#[derive(Debug)]
pub(super) struct Marks {
    /// A variable with its value.
    pub variable: String,
    /// What [`mark`] set, where it could.
    pub limit: Option<u64>,
}

/// The least limit that is a mark: more time (12 days) than any process will ever have in one go, with room for many marks.
#[cfg(target_os = "linux")]
const LEAST_MARK: u64 = 1 << 40;

/// Marks a process, and what it starts from now on, by a limit that no other process has: how many microseconds it may
/// have the processor in one go where it is scheduled in real time, which takes a privilege. Limits are inherited
/// by whatever a process starts, also where that clears its environment, leaves its group, its session and its parent, and closes
/// its files, as daemons do.
#[cfg(target_os = "linux")]
pub(super) fn mark(process: u32) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    // A process inherits ours, and can't have more.
    let ours = getrlimit(Resource::Rttime);
    let most = ours.maximum.unwrap_or(u64::MAX / 2);
    let least = most / 2;
    if least < LEAST_MARK {
        return None;
    }
    let mark = fastrand::u64(least..most);
    let limit = Rlimit { current: Some(ours.current.unwrap_or(mark).min(mark)), maximum: Some(mark) };
    prlimit(Some(pid(process)?), Resource::Rttime, limit).ok().map(|_| mark)
}

/// Only Linux lets one process set and see the limits of another.
#[cfg(not(target_os = "linux"))]
pub(super) fn mark(_: u32) -> Option<u64> {
    None
}

/// Ends what has left its group, as daemons do: every process that has one of the marks.
/// Only Linux tells; elsewhere, daemons of functions stay.
pub(super) fn kill_heirs(marks: &Marks) {
    for _ in 0..ROUNDS {
        let heirs: Vec<Pid> = processes().filter(|process| has(*process, marks)).filter_map(pid).collect();
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

/// Whether a process has one of the marks. One that has ended has no variables any more, nor limits.
fn has(process: u32, marks: &Marks) -> bool {
    let variable = || {
        std::fs::read(format!("/proc/{process}/environ"))
            .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|one| one == marks.variable.as_bytes()))
    };
    let limit = |mark: u64| {
        let mark = mark.to_string();
        std::fs::read_to_string(format!("/proc/{process}/limits"))
            .is_ok_and(|limits| limits.split_ascii_whitespace().any(|one| one == mark))
    };
    marks.limit.is_some_and(limit) || variable()
}
