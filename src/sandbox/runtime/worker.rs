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

use super::function::{Event, Finished, Function, LogLine, Unavailable};
use super::interface::{self, Job, Link, Signal};
use super::output::Output;
use super::package::Unpacked;
use super::platform::{self, Figures, Status};
use super::{environment, processes};

/// How long a process may take to ask for its first job. Lambda allows 10 s; a small machine that starts several at once needs more, and
/// a slow machine is no error of the function.
const INITIALIZATION_LIMIT: Duration = Duration::from_mins(1);

/// The program that runs a function's code.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    /// Modules that lie above the function's own.
    pub modules: Option<PathBuf>,
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
    /// How what it started is known.
    marks: processes::Marks,
    /// Ends the process where the sandbox is killed and can't.
    guard: Option<Guard>,
    output: Arc<Output>,
    pump: tokio::task::JoinHandle<()>,
    stream: String,
    started: Instant,
    initialized: Option<Duration>,
    served: bool,
    _code: Arc<Unpacked>,
    _scratch: TempDir,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.pump.abort();
        self.kill();
        drop(self.guard.take());
    }
}

/// What the guard runs: it waits until the pipe from the sandbox ends, which it does in whatever way the sandbox does. Then it
/// ends the group, and what has left the group, as [`processes::kill_heirs`] does: by the variable and the limit that no other
/// has. Where there is no `/proc`, `grep` finds nothing.
const GUARD: &str = r#"
read -r _
kill -s KILL -- "-$1"
for round in 1 2 3 4 5; do
  heirs=$({
    grep -lsazxFe "$2" /proc/[0-9]*/environ
    [ -z "$3" ] || grep -lswFe "$3" /proc/[0-9]*/limits
  } | tr -cd '0-9\n')
  [ "$heirs" ] || break
  kill -s KILL $heirs
done
shift 3
rm -rf -- "$@"
"#;

/// A shell that ends a process with all that it started, and removes its folders, once the sandbox is gone without having
/// done so.
pub(super) struct Guard {
    shell: Child,
    /// The sandbox's end of the pipe. No other process has it.
    _pipe: std::io::PipeWriter,
}

impl Guard {
    pub(super) fn start(group: u32, marks: &processes::Marks, folders: &[&Path]) -> std::io::Result<Self> {
        let (reader, pipe) = std::io::pipe()?;
        let shell = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(group.to_string())
            .arg(&marks.variable)
            .arg(marks.limit.map(|limit| limit.to_string()).unwrap_or_default())
            .args(folders)
            // It may outlive the sandbox for a moment, and has no business with what that was told.
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
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
        code: Arc<Unpacked>,
    ) -> Result<Self, StartError> {
        let failed = |error: std::io::Error| {
            StartError::Unavailable(Unavailable::new(format!("a process of the function can't be started: {error}")))
        };
        let scratch = super::package::private_folder("rotator-tmp-").map_err(failed)?;
        if let Some(modules) = &program.modules {
            code.bring_modules(modules).map_err(failed)?;
        }
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
                task_root: &code.root(),
                scratch: scratch.path(),
                stream: &stream,
                path: path.as_deref(),
            },
        );
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .current_dir(code.root())
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
        // Each process has a stream of its own, which its children are told of. The limit must be set before the program has had
        // time to start any.
        let marks = processes::Marks {
            variable: format!("{}={stream}", environment::LOG_STREAM),
            limit: group.and_then(processes::mark),
        };
        // Without one, a process of a killed sandbox ends once it asks for its next job.
        let guard = group.and_then(|group| Guard::start(group, &marks, &[scratch.path(), code.folder()]).ok());
        let reader = Arc::clone(&output);
        let pump = tokio::spawn(async move { reader.pump().await });
        Ok(Self {
            link,
            child,
            group,
            marks,
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
            log.push(LogLine::now(platform::loads(function)));
        }
        log.push(LogLine::now(platform::start(function, &job.request_id)));
        // A process that has ended takes nothing: the wait below notices.
        let _ = self.link.jobs.try_send(job);
        let outcome = self.wait(function.timeout).await;
        let ending = match outcome {
            Outcome::Exited { taken: None, .. } if !cold => return End::NotTaken,
            Outcome::Answered { payload, failed, taken } => Ending::answered(payload, failed, taken),
            Outcome::InitializationFailed(payload) => Ending::not_initialized(payload),
            Outcome::TimedOut { limit, taken } => Ending::timed_out(&event.request_id, limit, taken),
            Outcome::Exited { status, taken } => Ending::exited(&event.request_id, status, taken),
        };
        let memory = peak_memory_mb(self.child.id());
        if !ending.reusable {
            self.kill();
        }
        log.append(&mut self.output.take());
        log.extend(ending.message.map(|message| LogLine::now(format!("{message}\n"))));
        log.extend(platform::end(function, &event.request_id).map(LogLine::now));
        let figures = Figures {
            duration: ending.taken.map_or(Duration::ZERO, |taken| taken.elapsed()),
            initialization: self.initialized.filter(|_| cold),
            memory,
            status: ending.status,
        };
        log.push(LogLine::now(platform::report(function, &event.request_id, &figures)));
        let finished = Finished {
            payload: ending.payload,
            failed: ending.failed,
            taken: ending.taken.is_some(),
            took: figures.duration,
            log_group: function.log_group.clone(),
            log_stream: self.stream.clone(),
            log,
        };
        End::Finished { finished, reusable: ending.reusable }
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
        if let Some(group) = self.group.take() {
            processes::kill_group(group);
            processes::kill_heirs(&self.marks);
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

/// What an outcome means for the caller, for the log and for the process.
struct Ending {
    payload: Bytes,
    failed: bool,
    /// Whether the process can take another job.
    reusable: bool,
    taken: Option<Instant>,
    /// What Lambda itself says in the log.
    message: Option<String>,
    /// How it ended, for the report.
    status: Status,
}

impl Ending {
    fn answered(payload: Bytes, failed: bool, taken: Instant) -> Self {
        Self {
            payload,
            failed,
            reusable: true,
            taken: Some(taken),
            message: None,
            status: if failed { Status::Error } else { Status::Success },
        }
    }

    /// The client has printed what it has reported.
    fn not_initialized(payload: Bytes) -> Self {
        Self { payload, failed: true, reusable: false, taken: None, message: None, status: Status::Error }
    }

    fn timed_out(request_id: &str, limit: Duration, taken: Option<Instant>) -> Self {
        let now = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let what = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        Self {
            payload: document("Sandbox.Timedout", &format!("RequestId: {request_id} Error: {what}")),
            failed: true,
            reusable: false,
            taken,
            message: Some(format!("{now} {request_id} {what}\n")),
            status: Status::Timeout,
        }
    }

    fn exited(request_id: &str, status: Option<ExitStatus>, taken: Option<Instant>) -> Self {
        let message = format!("RequestId: {request_id} Error: {}", how_it_exited(status));
        Self {
            payload: document("Runtime.ExitError", &message),
            failed: true,
            reusable: false,
            taken,
            message: Some(format!("{message}\nRuntime.ExitError")),
            status: Status::Exited,
        }
    }
}

/// The end of a process in the words of Lambda, which is written in Go.
fn how_it_exited(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(status) = status else { return "Runtime exited".to_owned() };
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("signal: {}", signal.map_or("unknown", signal_name)),
    };
    format!("Runtime exited with error: {how}")
}

/// Go's words for the signals that end processes.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        _ => "unknown",
    }
}

fn document(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}

/// `2024/01/31/[$LATEST]` and 32 hexadecimal digits: one stream a process, as on Lambda.
pub(super) fn stream_name(version: &str) -> String {
    let date = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%Y/%m/%d");
    format!("{date}/[{version}]{:032x}", fastrand::u128(..))
}

/// The most memory that a process has used, in MB, where the system tells.
fn peak_memory_mb(process: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}
