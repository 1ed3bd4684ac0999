//! What a function's process prints, as log lines.
//!
//! Standard output and standard error share one pipe, so that their lines keep their order. The pipe can be emptied at once, without
//! waiting: whatever a function printed before it answered is in the log of that invocation.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::net::unix::pipe::Receiver;

use super::function::LogLine;

/// The longest log event, in bytes (`CloudWatch` Logs quotas, "Event size").
const MAX_EVENT_BYTES: usize = 262_144;

/// How much one invocation may print before the rest is counted and dropped, in bytes. The log lives in the sandbox's state.
const MAX_INVOCATION_BYTES: usize = 1_000_000;

/// The reading end of a process's output.
///
/// The pipe is held twice: one handle tells when there is something to read, the other reads what is there now.
pub(super) struct Output {
    ready: Receiver,
    pipe: File,
    buffer: Mutex<Buffer>,
}

#[derive(Default)]
struct Buffer {
    partial: Vec<u8>,
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: usize,
}

impl Output {
    /// Takes the reading end of a pipe. Needs a tokio runtime.
    pub(super) fn new(reader: PipeReader) -> io::Result<Self> {
        let pipe = File::from(OwnedFd::from(reader.try_clone()?));
        // This makes the pipe itself, and so both handles, non-blocking.
        let ready = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok(Self { ready, pipe, buffer: Mutex::default() })
    }

    /// Reads until every process that holds the other end has closed it.
    pub(super) async fn pump(&self) {
        while self.ready.readable().await.is_ok() {
            // Only a read by this handle, with nothing to read, makes it wait again.
            if !matches!(self.fill(|chunk| self.ready.try_read(chunk)), Ok(Filled::Empty)) {
                return;
            }
        }
    }

    /// Reads all that is there now.
    pub(super) fn drain(&self) {
        // A pipe that can't be read any more has nothing more to say.
        let _ = self.fill(|chunk| (&self.pipe).read(chunk));
    }

    fn fill(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Filled> {
        let mut buffer = self.buffer();
        let mut chunk = [0; 16 * 1024];
        loop {
            match read(&mut chunk) {
                Ok(0) => return Ok(Filled::Ended),
                Ok(read) => buffer.add(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Filled::Empty),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands over the lines so far, an unfinished one included.
    pub(super) fn take(&self) -> Vec<LogLine> {
        self.drain();
        let mut buffer = self.buffer();
        buffer.end_line();
        let dropped = std::mem::take(&mut buffer.dropped);
        if dropped > 0 {
            buffer.lines.push(LogLine::now(format!("[sandbox] {dropped} more bytes of output were dropped\n")));
        }
        buffer.bytes = 0;
        std::mem::take(&mut buffer.lines)
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there was nothing more to read.
enum Filled {
    /// Nothing is there now.
    Empty,
    /// Every writer is gone.
    Ended,
}

impl Buffer {
    fn add(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_EVENT_BYTES - self.partial.len().min(MAX_EVENT_BYTES);
            self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            self.dropped += piece.len().saturating_sub(room);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        if self.partial.is_empty() {
            return;
        }
        let partial = std::mem::take(&mut self.partial);
        if self.bytes + partial.len() > MAX_INVOCATION_BYTES {
            self.dropped += partial.len();
            return;
        }
        self.bytes += partial.len();
        let text = String::from_utf8_lossy(&partial);
        // AWS's runtime clients keep a traceback together with carriage returns where they have no framed log descriptor.
        let mut text = text.trim_end_matches(['\n', '\r']).replace('\r', "\n");
        text.push('\n');
        self.lines.push(LogLine { at: SystemTime::now(), message: text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Without it, an answer could overtake what the function printed before it, and a log would miss its last lines.
    #[tokio::test]
    async fn what_was_printed_is_there_without_waiting() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let output = Output::new(reader).expect("an output");
        writer.write_all(b"one\ntwo\rthree\nunfin").expect("room");
        let lines: Vec<String> = output.take().into_iter().map(|line| line.message).collect();
        assert_eq!(lines, ["one\n", "two\nthree\n", "unfin\n"]);
        assert!(output.take().is_empty(), "each line is handed over once");
    }

    /// Without it, a function that prints without end would fill the machine's memory.
    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut buffer = Buffer::default();
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        for _ in 0..1_500 {
            buffer.add(&line);
        }
        assert_eq!(buffer.lines.len(), 1_000);
        assert_eq!(buffer.dropped, 500_000);
    }
}
