//! Git as it may run in a repository that isn't trusted, and an end to it from outside.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::RevisionError;

/// The longest answer that is read of a question, in bytes.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// The longest complaint that is read.
const MAX_COMPLAINT: u64 = 64 * 1024;

/// Ends what runs for a comparison: Git's processes, and the reading of what they say.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicBool,
    children: Mutex<Vec<Arc<Mutex<Child>>>>,
}

impl Stop {
    /// Asks for the end, at once and for good.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
        for child in self.children().iter() {
            // One that has ended is gone already.
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// An error once the end was asked for.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_asked() { Err(io::Error::new(io::ErrorKind::Interrupted, "it was stopped")) } else { Ok(()) }
    }

    fn children(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Mutex<Child>>>> {
        self.0.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process that ends with this.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<Arc<Mutex<Child>>> {
        let mut children = self.children();
        self.check()?;
        let child = Arc::new(Mutex::new(command.spawn()?));
        // Those that have ended need no end.
        children.retain(|child| Arc::strong_count(child) > 1);
        children.push(Arc::clone(&child));
        Ok(child)
    }
}

/// Git, in a folder.
pub(super) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // A hook of the user's, or a script, may have pointed Git elsewhere; and AWS's credentials are none of its business.
    for (name, _) in std::env::vars_os() {
        if [&b"GIT_"[..], b"AWS_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        // Objects that a partial clone lacks are not fetched: a transport can be any program.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .arg("--no-pager")
        .arg("--literal-pathspecs")
        .args(["-c", "core.fsmonitor=false"])
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(["-c", "core.sshCommand=false"])
        .args(["-c", "protocol.allow=never"])
        // A folder of the repository that looks like a repository isn't one.
        .args(["-c", "safe.bareRepository=explicit"])
        .arg("-C")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs Git; its answer without the last line's end, or what it said where it refuses.
pub(super) fn ask(stop: &Stop, command: &mut Command) -> Result<Result<Vec<u8>, String>, RevisionError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::Interrupted if stop.is_asked() => {
            RevisionError { is_stopped: true, ..RevisionError::new(error.to_string()) }
        }
        io::ErrorKind::NotFound => RevisionError::new("`git` isn't installed, or isn't on the PATH"),
        _ => RevisionError::new(format!("cannot run `git`: {error}")),
    };
    let child = stop.start(command.stdout(Stdio::piped())).map_err(failed)?;
    let (stdout, stderr) = {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        (child.stdout.take(), child.stderr.take())
    };
    // Beside the answer: a process waits until what it says is read.
    let complaint = std::thread::spawn(move || stderr.map(|stream| all(stream, MAX_COMPLAINT)).unwrap_or_default());
    let answer = stdout.map(|stream| all(stream, MAX_ANSWER)).unwrap_or_default();
    let complaint = complaint.join().unwrap_or_default();
    let status = loop {
        let ended = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().map_err(failed)?;
        match ended {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    stop.check().map_err(failed)?;
    if !status.success() {
        return Ok(Err(String::from_utf8_lossy(&complaint).trim().to_owned()));
    }
    Ok(Ok(answer.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(answer)))
}

/// What a stream says, up to a length; the rest is read and dropped.
fn all(mut stream: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What is lost with an error is missed in the answer.
    let _ = (&mut stream).take(most).read_to_end(&mut bytes);
    let _ = io::copy(&mut stream, &mut io::sink());
    bytes
}

/// Writes what a process reads as its input: into a file, so that it never waits for its reader.
pub(super) fn input(path: &Path, content: &[u8]) -> io::Result<std::fs::File> {
    std::fs::File::create(path)?.write_all(content)?;
    std::fs::File::open(path)
}

#[cfg(unix)]
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
