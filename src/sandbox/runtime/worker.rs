//! One process of a function: started, given one invocation after the other, killed with all that it started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Bytes;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::interface::{self, Job, Link, Signal};
use super::output::Output;
use super::{Event, Finished, Function, LogLine, Unavailable, environment};

/// How long a process may take to ask for its first job. Lambda allows 10 s; a small machine that starts several at once needs more, and
/// a slow machine is no error of the function.
const INITIALIZATION_LIMIT: Duration = Duration::from_mins(1);

/// The program that runs a function's code.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
}

/// How an invocation ended for its process.
pub(super) enum End {
    /// An answer, or an error of the function; `reusable` where the process can take another job.
    Finished { finished: Finished, reusable: bool },
    /// The process had ended before it took the job: another one can take it.
    NotTaken,
}

/// A running process.
pub(super) struct Worker {
    link: Link,
    child: Child,
    /// The process's group: its own id.
    group: Option<u32>,
    /// Ends the process where the sandbox is killed and can't.
    guard: Option<Guard>,
    output: Arc<Output>,
    pump: tokio::task::JoinHandle<()>,
    stream: String,
    started: Instant,
    initialized: Option<Duration>,
    served: bool,
    _code: Arc<TempDir>,
    _scratch: TempDir,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.pump.abort();
        self.kill();
        drop(self.guard.take());
    }
}

/// What the guard runs: it waits until the pipe from the sandbox ends, which it does in whatever way the sandbox does.
const GUARD: &str = r#"read -r _; kill -s KILL -- "-$1"; shift; rm -rf -- "$@""#;

/// A shell that ends a process's whole group, and removes its folders, once the sandbox is gone without having done so.
struct Guard {
    shell: Child,
    /// The sandbox's end of the pipe. No other process has it.
    _pipe: std::io::PipeWriter,
}

impl Guard {
    fn start(group: u32, folders: &[&Path]) -> std::io::Result<Self> {
        let (reader, pipe) = std::io::pipe()?;
        let shell = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(group.to_string())
            .args(folders)
            .stdin(Stdio::from(reader))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Away from the terminal's signals, which are for the sandbox.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { shell, _pipe: pipe })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before the pipe closes: the folders may be other processes' too, and the group's number may soon be another's.
        let _ = self.shell.start_kill();
    }
}

/// Why a process could not be started.
pub(super) enum StartError {
    /// The machine can't run it.
    Unavailable(Unavailable),
    /// The package has no entry point that can be executed; the error document's message.
    InvalidEntrypoint(String),
}

impl Worker {
    /// Starts a function's process.
    pub(super) async fn start(
        function: &Function,
        endpoint: &str,
        program: &Program,
        code: Arc<TempDir>,
    ) -> Result<Self, StartError> {
        let failed = |error: std::io::Error| {
            StartError::Unavailable(Unavailable::new(format!("a process of the function can't be started: {error}")))
        };
        let scratch = super::package::private_folder("rotator-tmp-").map_err(failed)?;
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let output = Arc::new(Output::new(reader).map_err(failed)?);
        let link = interface::serve(Arc::clone(&output)).await.map_err(failed)?;
        let stream = stream_name(&function.version);
        let path = std::env::var("PATH").ok();
        let variables = environment::variables(
            function,
            &environment::Surroundings {
                interface: &link.address,
                endpoint,
                task_root: code.path(),
                scratch: scratch.path(),
                stream: &stream,
                path: path.as_deref(),
            },
        );
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .current_dir(code.path())
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::from(writer.try_clone().map_err(failed)?))
            .stderr(Stdio::from(writer))
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|error| entry_error(function, program, &error))?;
        // The command holds the writing ends, and the output ends only once they are all closed.
        drop(command);
        let group = child.id();
        // Without one, a process of a killed sandbox ends once it asks for its next job.
        let guard = group.and_then(|group| Guard::start(group, &[scratch.path(), code.path()]).ok());
        let reader = Arc::clone(&output);
        let pump = tokio::spawn(async move { reader.pump().await });
        Ok(Self {
            link,
            child,
            group,
            guard,
            output,
            pump,
            stream,
            started: Instant::now(),
            initialized: None,
            served: false,
            _code: code,
            _scratch: scratch,
        })
    }

    /// Whether the process still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Runs one invocation.
    pub(super) async fn invoke(&mut self, function: &Function, event: &Event) -> End {
        let cold = !std::mem::replace(&mut self.served, true);
        let job = Job {
            request_id: event.request_id.clone(),
            payload: event.payload.clone(),
            arn: event.arn.clone().unwrap_or_else(|| function.arn.clone()),
            client_context: event.client_context.clone(),
            timeout: function.timeout,
        };
        let mut log = Vec::new();
        if cold {
            log.push(LogLine::now(format!("INIT_START Runtime Version: {}.sandbox\n", function.runtime)));
        }
        log.push(LogLine::now(format!("START RequestId: {} Version: {}\n", job.request_id, function.version)));
        // A process that has ended takes nothing: the wait below notices.
        let _ = self.link.jobs.try_send(job);
        let outcome = self.wait(function.timeout).await;
        let (payload, failed, reusable, taken) = match outcome {
            Outcome::Answered { payload, failed, taken } => (payload, failed, true, Some(taken)),
            Outcome::InitializationFailed(payload) => (payload, true, false, None),
            Outcome::TimedOut { limit, taken } => (timed_out(&event.request_id, limit), true, false, taken),
            Outcome::Exited { taken: None, .. } if !cold => return End::NotTaken,
            Outcome::Exited { status, taken } => (exited(&event.request_id, status), true, false, taken),
        };
        if !reusable {
            self.kill();
        }
        let memory = peak_memory_mb(self.child.id());
        log.append(&mut self.output.take());
        if !reusable && let Some(message) = message_of(&payload) {
            log.push(LogLine::now(format!("{message}\n")));
        }
        log.push(LogLine::now(format!("END RequestId: {}\n", event.request_id)));
        let duration = taken.map_or(Duration::ZERO, |taken| taken.elapsed());
        let initialization = self.initialized.filter(|_| cold);
        log.push(LogLine::now(report(function, &event.request_id, duration, initialization, memory)));
        let finished =
            Finished { payload, failed, log_group: function.log_group.clone(), log_stream: self.stream.clone(), log };
        End::Finished { finished, reusable }
    }

    async fn wait(&mut self, timeout: Duration) -> Outcome {
        let mut taken = None;
        let mut limit = INITIALIZATION_LIMIT.max(timeout);
        let mut deadline = tokio::time::Instant::now() + limit;
        loop {
            tokio::select! {
                // What the process said comes before its end, which it may have said just before.
                biased;
                signal = self.link.signals.recv() => match signal {
                    Some(Signal::Ready(at)) => self.initialized = Some(at.saturating_duration_since(self.started)),
                    // Only now does the function's own time begin: waiting for a process isn't its fault.
                    Some(Signal::Taken(at)) => {
                        taken = Some(at);
                        limit = timeout;
                        deadline = tokio::time::Instant::from_std(at) + limit;
                    }
                    Some(Signal::Answered { payload, failed }) => {
                        return Outcome::Answered { payload, failed, taken: taken.unwrap_or_else(Instant::now) };
                    }
                    Some(Signal::InitializationFailed(payload)) => return Outcome::InitializationFailed(payload),
                    None => return Outcome::Exited { status: None, taken },
                },
                status = self.child.wait() => return Outcome::Exited { status: status.ok(), taken },
                () = tokio::time::sleep_until(deadline) => return Outcome::TimedOut { limit, taken },
            }
        }
    }

    /// Ends the process and everything that it started.
    fn kill(&mut self) {
        let group = self.group.take().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // A group that is gone already needs no end.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

enum Outcome {
    Answered { payload: Bytes, failed: bool, taken: Instant },
    InitializationFailed(Bytes),
    TimedOut { limit: Duration, taken: Option<Instant> },
    Exited { status: Option<ExitStatus>, taken: Option<Instant> },
}

/// What a program that can't be executed means.
fn entry_error(function: &Function, program: &Program, error: &std::io::Error) -> StartError {
    let is_bootstrap = program.path.file_name().is_some_and(|name| name == "bootstrap");
    if !is_bootstrap {
        return StartError::Unavailable(Unavailable::new(format!(
            "`{}` can't be started: {error}",
            program.path.display()
        )));
    }
    match error.kind() {
        std::io::ErrorKind::NotFound => StartError::InvalidEntrypoint(
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned(),
        ),
        std::io::ErrorKind::PermissionDenied => {
            StartError::InvalidEntrypoint("fork/exec /var/task/bootstrap: permission denied".to_owned())
        }
        _ if !function.fits_this_machine() => StartError::Unavailable(Unavailable::new(format!(
            "its `bootstrap` is made for {} on Linux, and this machine is {} on {}",
            function.architecture,
            std::env::consts::ARCH,
            std::env::consts::OS
        ))),
        _ => StartError::InvalidEntrypoint(format!("fork/exec /var/task/bootstrap: {error}")),
    }
}

/// The error document of an invocation whose process could not even be started.
pub(super) fn invalid_entrypoint(request_id: &str, message: &str) -> Bytes {
    document("Runtime.InvalidEntrypoint", &format!("RequestId: {request_id} Error: {message}"))
}

fn timed_out(request_id: &str, limit: Duration) -> Bytes {
    let now = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let seconds = limit.as_secs_f64();
    document("Sandbox.Timedout", &format!("{now} {request_id} Task timed out after {seconds:.2} seconds"))
}

fn exited(request_id: &str, status: Option<ExitStatus>) -> Bytes {
    let how = match status {
        Some(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        // `exit status: 1` reads `exit status 1` on Lambda, which is written in Go.
        Some(status) => {
            format!("Runtime exited with error: {}", status.to_string().replacen("exit status: ", "exit status ", 1))
        }
        None => "Runtime exited".to_owned(),
    };
    document("Runtime.ExitError", &format!("RequestId: {request_id} Error: {how}"))
}

fn document(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}

fn message_of(payload: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(payload).ok()?;
    document.get("errorMessage")?.as_str().map(str::to_owned)
}

/// `2024/01/31/[$LATEST]` and 32 hexadecimal digits: one stream a process, as on Lambda.
pub(super) fn stream_name(version: &str) -> String {
    let date = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%Y/%m/%d");
    format!("{date}/[{version}]{:032x}", fastrand::u128(..))
}

fn report(
    function: &Function,
    request_id: &str,
    duration: Duration,
    initialization: Option<Duration>,
    memory: Option<u64>,
) -> String {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let memory = memory.map(|memory| format!("\tMax Memory Used: {memory} MB")).unwrap_or_default();
    let initialization =
        initialization.map(|duration| format!("\tInit Duration: {:.2} ms", milliseconds(duration))).unwrap_or_default();
    format!(
        "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB{memory}{initialization}\n",
        milliseconds(duration),
        milliseconds(duration).ceil(),
        function.memory,
    )
}

/// The most memory that a process has used, in MB, where the system tells.
fn peak_memory_mb(process: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}
