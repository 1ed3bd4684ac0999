//! The log of calls: what was asked and how it ended, never what was in it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// How many calls are kept in memory, for `GET /_sandbox/calls`.
const KEPT: usize = 100_000;

/// How much of a client's name is kept, in characters.
pub const LONGEST_AGENT: usize = 400;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Service time, as `2026-01-31T12:00:00.123Z`.
    pub time: String,
    /// The signing name.
    pub service: &'static str,
    /// Such as `DescribeSecret`.
    pub operation: String,
    /// The caller's account.
    pub account: String,
    /// From the signature.
    pub region: String,
    /// What the client calls itself (`User-Agent`), by which programs are told apart; at most [`LONGEST_AGENT`] characters.
    pub agent: String,
    /// The HTTP status; 0 where the connection was closed without an answer.
    pub status: u16,
    /// The error code; absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The log.
#[derive(Debug)]
pub struct Calls {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    file: Option<File>,
}

/// Opens a file to write behind what is there. A pipe is never waited for: nobody may read it, or stop doing so, and then it is the
/// log that suffers.
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options.open(path)
}

impl Calls {
    /// A log that also goes to a file, line by line, after what is there already.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(append).transpose()?;
        Ok(Self { log: Mutex::new(Log { entries: VecDeque::new(), file }) })
    }

    /// Adds a call.
    pub fn add(&self, entry: Entry) {
        let mut log = self.lock();
        if let Some(file) = &mut log.file
            && let Ok(mut line) = serde_json::to_vec(&entry)
        {
            line.push(b'\n');
            // One write a line; a full disk costs the log, not the call.
            let _ = file.write_all(&line);
        }
        if log.entries.len() == KEPT {
            log.entries.pop_front();
        }
        log.entries.push_back(entry);
    }

    /// The calls so far, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// Forgets the calls in memory.
    pub fn clear(&self) {
        self.lock().entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
