//! A program that runs beside functions: what stands for the service on which their credentials are.
//!
//! It is started on a free port, is ready once something listens there, and ends with all that it started: when it is dropped, and also
//! where the sandbox is killed and can't end it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::processes::{self, Marks};
use super::worker::Guard;

/// How long it may take until it listens.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked whether it listens.
const POLL: Duration = Duration::from_millis(20);

/// How much of what it printed last is told, in bytes.
const TAIL: u64 = 400;

/// The ports that services are given. They lie below those that systems give to connections: a look at whether something listens can't
/// take one of them for itself.
const PORTS: Range<u16> = 20_000..30_000;

/// How far below a service's port the one lies that is held meanwhile.
const HELD: u16 = 10_000;

/// What stands for the port in its arguments, and in values that lead to it.
pub const PORT: &str = "${port}";

/// The variable that names a file into which it may write how many credentials it takes.
pub const CREDENTIALS: &str = "ROTATOR_CREDENTIALS";

/// The variable by which all that it starts is known.
const MARK: &str = "ROTATOR_COMPANION";

/// A program that runs beside functions.
pub struct Companion {
    port: u16,
    /// What keeps other programs of this kind from the same port.
    _held: UdpSocket,
    child: Child,
    group: Option<u32>,
    marks: Marks,
    guard: Option<Guard>,
    output: File,
    credentials: NamedTempFile,
    _scratch: TempDir,
}

impl Companion {
    /// Starts it in a folder, with its port in place of `${port}`, and waits until it listens there. An error says why it doesn't.
    pub async fn start(words: &[String], folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("it can't be started: {error}");
        let (port, held) = free_port().map_err(failed)?;
        let words: Vec<String> = words.iter().map(|word| word.replace(PORT, &port.to_string())).collect();
        let Some((program, arguments)) = words.split_first() else { return Err("it names no program".to_owned()) };
        let scratch = super::package::private_folder("rotator-service-").map_err(failed)?;
        let credentials = NamedTempFile::new_in(scratch.path()).map_err(failed)?;
        let output = tempfile::tempfile_in(scratch.path()).map_err(failed)?;
        // What names no program of `PATH` is a file of the folder.
        let is_path = program.contains('/') && !Path::new(program).is_absolute();
        let mut command = if is_path { Command::new(folder.join(program)) } else { Command::new(program) };
        let mark = uuid::Uuid::new_v4().to_string();
        command
            .args(arguments)
            .current_dir(folder)
            .env(CREDENTIALS, credentials.path())
            .env(MARK, &mark)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone().map_err(failed)?))
            .stderr(Stdio::from(output.try_clone().map_err(failed)?))
            .process_group(0)
            .kill_on_drop(true);
        // It has no business with credentials for AWS.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"AWS_")) {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no program `{program}`"),
            _ => failed(error),
        })?;
        let group = child.id();
        let marks = Marks { variable: format!("{MARK}={mark}"), limit: group.and_then(processes::mark) };
        let guard = group.and_then(|group| Guard::start(group, &marks, &[scratch.path()]).ok());
        let mut companion =
            Self { port, _held: held, child, group, marks, guard, output, credentials, _scratch: scratch };
        companion.until_ready().await?;
        Ok(companion)
    }

    async fn until_ready(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < READY_LIMIT {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return Ok(());
            }
            if let Some(how) = self.ended() {
                return Err(how);
            }
            tokio::time::sleep(POLL).await;
        }
        let said = self.said();
        Err(format!("it doesn't listen on 127.0.0.1:{} after {} s{said}", self.port, READY_LIMIT.as_secs()))
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How it ended, if it did, with what it printed last.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("it ended ({status}){}", self.said()))
    }

    /// How many credentials it takes, where it says so.
    pub fn credentials(&self) -> Option<u64> {
        std::fs::read_to_string(self.credentials.path()).ok()?.trim().parse().ok()
    }

    /// A text with its port in place of `${port}`.
    pub fn filled(&self, text: &str) -> String {
        text.replace(PORT, &self.port.to_string())
    }

    /// What it printed last, in words.
    fn said(&mut self) -> String {
        let mut last = Vec::new();
        let length = self.output.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        let from = length.saturating_sub(TAIL);
        let read = self.output.seek(SeekFrom::Start(from)).and_then(|_| self.output.read_to_end(&mut last));
        let text = String::from_utf8_lossy(&last);
        match text.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
            Some(line) if read.is_ok() => format!("; it printed last: {line}"),
            _ => String::new(),
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            processes::kill_group(group);
            processes::kill_heirs(&self.marks);
        }
        let _ = self.child.start_kill();
        drop(self.guard.take());
    }
}

/// A port of loopback that nothing listens on, and what keeps it for this one: until the service listens, another program would find the
/// port free too, and one of both would talk to the other's service.
fn free_port() -> std::io::Result<(u16, UdpSocket)> {
    let [first, second, ..] = *uuid::Uuid::new_v4().as_bytes();
    let begin = u16::from_be_bytes([first, second]);
    for number in 0..PORTS.end - PORTS.start {
        let port = PORTS.start + (begin.wrapping_add(number)) % (PORTS.end - PORTS.start);
        let Ok(held) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port - HELD)) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((port, held));
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "import http.server, os, subprocess, sys
child = subprocess.Popen(['sleep', '600'], start_new_session=True)
open(os.environ['ROTATOR_CREDENTIALS'], 'w').write('2\\n')
open('child', 'w').write(str(child.pid))
print('AWS' if any(name.startswith('AWS_') for name in os.environ) else 'none', flush=True)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
";

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Without it, a test would talk to nothing, or leave servers behind on the machine that runs it.
    #[tokio::test]
    async fn it_listens_where_it_is_told_and_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("service.py"), SERVICE).expect("written");
        let mut companion =
            Companion::start(&words(&["python3", "service.py", "${port}"]), folder.path()).await.expect("it starts");
        assert_eq!((companion.ended(), companion.credentials()), (None, Some(2)));
        assert_eq!(companion.filled("http://x:${port}/"), format!("http://x:{}/", companion.port()));
        let child: u32 =
            std::fs::read_to_string(folder.path().join("child")).expect("its child").parse().expect("a pid");
        let port = companion.port();
        drop(companion);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err(), "nothing listens any more");
        #[cfg(target_os = "linux")]
        {
            let gone =
                || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
            for _ in 0..200 {
                if !gone() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("its child {child} is still there");
        }
    }

    /// Without it, two tests at a time could talk to one service.
    #[test]
    fn a_port_is_given_once() {
        let all: Vec<_> = (0..300).map(|_| free_port().expect("a free port")).collect();
        let ports: std::collections::BTreeSet<u16> = all.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports.len(), all.len());
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }

    /// Without it, a service that doesn't start would be told as a function that fails.
    #[tokio::test]
    async fn one_that_does_not_start_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let start = async |given: &[&str]| Companion::start(&words(given), folder.path()).await.err();
        let missing = start(&["rotator-has-no-such-program", "${port}"]).await;
        assert_eq!(missing.as_deref(), Some("there is no program `rotator-has-no-such-program`"));
        let ended = start(&["python3", "-c", "raise SystemExit('no database')", "${port}"]).await.expect("it fails");
        assert_eq!(ended, "it ended (exit status: 1); it printed last: no database");
    }
}
