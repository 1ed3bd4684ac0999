//! Runs one program, and says what it took.
//!
//! A program's processor time and peak memory are known exactly once it has ended, but its peak starts at its parent's: a process is
//! born as a copy. So a second, small process of this benchmark starts each program and measures it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use super::Result;

/// The first argument of the process that measures.
pub const LAUNCHER: &str = "measure-one";

/// How often a program and its children are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What one run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// From before the program's start until after its end.
    pub wall: Duration,
    /// Of all its threads, in the kernel too, and of all its children that it waited for.
    pub cpu: Duration,
    /// Peak resident memory in kilobytes: its own or, of a program that starts others, the largest one's. Where
    /// [`Program::with_children`] was asked for, that of all together, as far as looking at them now and then tells.
    pub peak_kb: i64,
    /// How it ended; -1: by a signal.
    pub code: i32,
}

/// A program to measure: its arguments, working directory, environment, and where its output goes.
#[derive(Debug)]
pub struct Program {
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
    output: PathBuf,
    children: bool,
}

impl Program {
    /// A program that runs in a folder, and whose output goes to files beside it: `NAME.out`, `NAME.err`.
    pub fn new(folder: &Path, name: &str, program: impl Into<OsString>) -> Self {
        Self {
            command: vec![program.into()],
            environment: Vec::new(),
            folder: folder.to_owned(),
            output: folder.join(name),
            children: false,
        }
    }

    /// Counts the memory of the program and of all that it starts. Looking costs time: what is measured so isn't timed.
    pub fn with_children(mut self) -> Self {
        self.children = true;
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// More of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it; another exit code than expected is an error that shows what the program said.
    pub fn run(&self, expected: i32) -> Result<Usage> {
        let report = self.output.with_extension("usage");
        let (out, err) = (self.output.with_extension("out"), self.output.with_extension("err"));
        let status = scrubbed(std::env::current_exe()?)
            .arg(LAUNCHER)
            .arg(if self.children { "tree" } else { "one" })
            .arg(&report)
            .args(&self.command)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .status()?;
        if !status.success() {
            return Err(format!("cannot run {:?}: {}", self.command, tail(&err)).into());
        }
        let usage: Usage = serde_json::from_slice(&std::fs::read(&report)?)?;
        if usage.code != expected {
            let said = format!("{}{}", tail(&out), tail(&err));
            return Err(format!("{:?} ended with {} instead of {expected}: {said}", self.command, usage.code).into());
        }
        Ok(usage)
    }
}

/// A command without anything of the caller's environment but the paths that programs need.
pub fn scrubbed(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Nothing may reach AWS, nor read the user's profiles.
    command.env("AWS_CONFIG_FILE", "/nonexistent").env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

/// The end of what a program said.
pub fn tail(file: &Path) -> String {
    let text = std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let start = text.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    text[start..].to_owned()
}

/// The process that measures: runs what stands after the report's name, and writes the report.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(mode), Some(report), Some(program)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let mut tree_kb = 0;
    let began = Instant::now();
    let ended = if mode == "tree" {
        command.spawn().and_then(|mut child| {
            while child.try_wait()?.is_none() {
                tree_kb = tree_kb.max(tree(child.id()));
                std::thread::sleep(LOOK);
            }
            child.wait()
        })
    } else {
        command.status()
    };
    let wall = began.elapsed();
    let measured = ended.map_err(super::Error::from).and_then(|status| {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let code = status.code().unwrap_or(-1);
        let cpu = time(usage.user_time()) + time(usage.system_time());
        let peak_kb = usage.max_rss().max(tree_kb);
        std::fs::write(report, serde_json::to_vec(&Usage { wall, cpu, peak_kb, code })?)?;
        Ok(())
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::say(&format!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// The memory of a process and of all below it, in kilobytes; what several share is counted once.
fn tree(root: u32) -> i64 {
    let processes: Vec<(u32, u32)> = std::fs::read_dir("/proc").map_or_else(
        |_| Vec::new(),
        |entries| {
            let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            ids.filter_map(|id: u32| Some((id, parent(id)?))).collect()
        },
    );
    let mut members = vec![root];
    let mut next = 0;
    while let Some(&member) = members.get(next) {
        next += 1;
        members.extend(processes.iter().filter(|(_, parent)| *parent == member).map(|(id, _)| *id));
    }
    members.into_iter().filter_map(memory).sum()
}

fn parent(id: u32) -> Option<u32> {
    // The name before it, in parentheses, may hold anything.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn memory(id: u32) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The processor time that this process itself has used.
pub fn own_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

fn time(value: nix::sys::time::TimeVal) -> Duration {
    let micros = value.tv_sec() * 1_000_000 + value.tv_usec();
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
