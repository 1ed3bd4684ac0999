//! Where and with what it was measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::measure::scrubbed;
use super::{Result, say};

/// The project's folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the tool as it is shipped, and says where it is.
pub fn build() -> Result<PathBuf> {
    say("cargo build --profile dist");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", "dist", "--bin", "rotator", "--message-format", "json-render-diagnostics"]);
    let built = command.current_dir(repository()).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err("the tool can't be built".into());
    }
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    executable.ok_or_else(|| "cargo doesn't say what it built".into())
}

/// A line for the report: date, machine, versions.
pub fn describe(rotator: &Path) -> Result<String> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism()?;
    let model = after(&read("/proc/cpuinfo"), "model name");
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let memory: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let version = scrubbed(rotator).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let size = std::fs::metadata(rotator)?.len();
    Ok(format!(
        "{}; {cores} cores ({model}), {} GB, Linux {}; load at the start {load}; {version}, {:.1} MB.\n",
        chrono::Utc::now().format("%Y-%m-%d %H:%M UTC"),
        (memory + 524_288) / 1_048_576,
        read("/proc/sys/kernel/osrelease").trim(),
        size as f64 / 1e6,
    ))
}
