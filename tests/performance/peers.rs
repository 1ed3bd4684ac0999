//! Other programs' own ways of looking whether secrets rotate as they should, beside `rotator plan` of the same secrets.
//!
//! `peers/peers.py` knows how each is called; here they are measured, in turns with the tool. None of them looks at more than the
//! secrets' rotation; the tool also reads functions, stacks and orphans.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::job::{median, median_of};
use super::machine::repository;
use super::measure::{Program, Usage, scrubbed};
use super::table::{line, megabytes, time, times};
use super::world::Start;
use super::{Result, world};

/// A program that does a part of what a plan does.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// What `peers.py` calls it.
    pub name: &'static str,
    /// In tables.
    pub title: &'static str,
    /// More secrets would take it too long.
    pub most: usize,
    /// What it finds.
    pub start: Start,
}

/// All of them.
pub const PEERS: [Peer; 8] = [
    Peer { name: "terraform", title: "Terraform, `plan`", most: 1000, start: Start::Attached },
    Peer { name: "terraform-64", title: "Terraform, `plan -parallelism=64`", most: 1000, start: Start::Attached },
    Peer {
        name: "ansible",
        title: "Ansible, `--check` of `community.aws.secretsmanager_secret`",
        most: 100,
        start: Start::Windowless,
    },
    Peer { name: "custodian", title: "Cloud Custodian, `run --dryrun`", most: 1000, start: Start::Attached },
    Peer { name: "boto3-10", title: "boto3, 10 threads", most: 10_000, start: Start::Attached },
    Peer { name: "boto3-32", title: "boto3, 32 threads", most: 10_000, start: Start::Attached },
    Peer { name: "boto3-64", title: "boto3, 64 threads", most: 10_000, start: Start::Attached },
    Peer { name: "aws-cli", title: "AWS CLI, one call after the other", most: 1000, start: Start::Attached },
];

/// The columns of peers.
pub const COLUMNS: [&str; 12] = [
    "program",
    "version",
    "secrets:",
    "latency:",
    "calls:",
    "wall:",
    "CPU:",
    "peak, all processes:",
    "`rotator plan`:",
    "wall, × `rotator`:",
    "CPU, × `rotator`:",
    "peak, × `rotator`:",
];

/// How a peer is called for some secrets.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Prepared {
    /// It can be.
    Ready {
        /// Program and arguments.
        command: Vec<String>,
        /// What it wants to know besides.
        environment: std::collections::BTreeMap<String, String>,
        /// Which one it is.
        version: String,
        /// At how many secrets it looks.
        done: usize,
    },
    /// This machine hasn't it.
    Missing {
        /// Why.
        missing: String,
    },
}

/// Prepares a peer, in a folder of its own, for the secrets of a state.
pub fn prepare(peer: Peer, folder: &Path, state: &Path, secrets: usize) -> Result<Prepared> {
    std::fs::create_dir_all(folder)?;
    let specification = folder.join("specification.json");
    let given = json!({"account": world::ACCOUNT, "region": world::REGION, "state": state, "secrets": secrets});
    std::fs::write(&specification, given.to_string())?;
    let mut script = scrubbed("python3");
    script.arg("-B").arg(repository().join("tests/performance/peers/peers.py")).arg(peer.name).arg(folder);
    if let Some(mirror) = std::env::var_os("ROTATOR_TERRAFORM_MIRROR") {
        script.env("ROTATOR_TERRAFORM_MIRROR", mirror);
    }
    let said = script.arg(&specification).output()?;
    if !said.status.success() {
        return Err(format!("{}: {}", peer.name, String::from_utf8_lossy(&said.stderr)).into());
    }
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// The program of a prepared peer, which takes an address for AWS.
pub fn program(
    folder: &Path,
    command: &[String],
    environment: impl IntoIterator<Item = (String, String)>,
    url: &str,
) -> Program {
    let program = Program::new(folder, "peer", command.first().cloned().unwrap_or_default());
    let program = program.args(command.iter().skip(1));
    environment.into_iter().fold(world::at(program, url), |program, (name, value)| program.env(&name, value))
}

/// What a peer took, and what the tool took in turns with it.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub peer: Peer,
    /// Its version.
    pub version: String,
    /// Secrets of the fleet.
    pub secrets: usize,
    /// At how many of them the peer looked.
    pub done: usize,
    /// In milliseconds.
    pub latency: u64,
    /// How many calls it made.
    pub calls: usize,
    /// Its runs.
    pub runs: Vec<Usage>,
    /// The memory of all its processes, in kilobytes, from a run of its own.
    pub peak_kb: i64,
    /// The tool's runs, one for one.
    pub ours: Vec<Usage>,
}

impl Row {
    /// The line of the table. What a part of the secrets took is multiplied, and marked.
    pub fn line(&self) -> String {
        let factor = self.secrets as f64 / self.done.max(1) as f64;
        let mark = if self.done == self.secrets { String::new() } else { format!(" (from {})", self.done) };
        let ratio = |of: fn(&Usage) -> Duration| {
            let pairs = self.runs.iter().zip(&self.ours);
            times(median_of(pairs.map(|(one, our)| of(one).as_secs_f64() * factor / of(our).as_secs_f64()).collect()))
        };
        let middle = |runs: &[Usage], of: fn(&Usage) -> Duration| median(runs.iter().map(of).collect());
        let our_peak = self.ours.iter().map(|run| run.peak_kb).max().unwrap_or(1);
        line(&[
            self.peer.title.to_owned(),
            self.version.clone(),
            self.secrets.to_string(),
            format!("{} ms", self.latency),
            self.calls.to_string(),
            time(middle(&self.runs, |run| run.wall).mul_f64(factor)) + &mark,
            time(middle(&self.runs, |run| run.cpu).mul_f64(factor)) + &mark,
            megabytes(self.peak_kb),
            time(middle(&self.ours, |run| run.wall)),
            ratio(|run| run.wall),
            ratio(|run| run.cpu),
            times(self.peak_kb as f64 / our_peak.max(1) as f64),
        ])
    }
}
