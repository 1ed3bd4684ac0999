//! What to measure.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures `rotator` against the floor, against AWS's quotas, and against its peers; prints Markdown.
#[derive(Debug, Clone, Parser)]
#[command(name = "performance", bin_name = "cargo run --release -p rotator-performance --", max_term_width = 100)]
#[command(after_help = "Examples (after `cargo run --release -p rotator-performance --`):
  (nothing)                        the whole table, with every peer that the machine has
  --quick                          a few minutes
  --only fleet --jobs plan --sizes 1000 --latencies 50 --quotas off
  --rotator target/release/rotator another build, by the same measure")]
pub struct Options {
    /// Fewer sizes, latencies and runs
    #[arg(long)]
    pub quick: bool,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
    /// Only these jobs
    #[arg(long, value_delimiter = ',', value_name = "JOBS")]
    jobs: Vec<Wish>,
    /// How many secrets [default: 10,100,1000,10000,100000; quick: 10,100,1000]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    sizes: Vec<usize>,
    /// Added to each answer, in milliseconds [default: 0,10,50; quick: 0,50]
    #[arg(long, value_delimiter = ',', value_name = "MS")]
    latencies: Vec<u64>,
    /// Whether AWS's published quotas hold [default: off,aws]
    #[arg(long, value_delimiter = ',', value_name = "WHICH")]
    quotas: Vec<Quotas>,
    /// How often each is run; large ones less often [default: 5; quick: 3]
    #[arg(long, value_name = "N")]
    pub runs: Option<usize>,
    /// How long all of it may take; what no longer fits is skipped, and said [default: 40; quick: 8]
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
    /// Only these peers: terraform, terraform-64, ansible, custodian, boto3-10, boto3-32, boto3-64, aws-cli
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    peers: Vec<String>,
    /// Connections of the floor [default: as many calls as the tool had under way at once]
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,
    /// Measure this binary [default: `cargo build --profile dist` makes one]
    #[arg(long, value_name = "FILE")]
    pub rotator: Option<PathBuf>,
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Commands on fleets of one account
    Fleet,
    /// Several accounts in one run
    Targets,
    /// Calls for each resource, held against `calls.md`
    Calls,
    /// Other programs
    Peers,
    /// A thousand accounts, in virtual time
    Scale,
}

/// A job, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wish {
    /// `rotator validate`
    Validate,
    /// `rotator plan`, without and with drift
    Plan,
    /// `rotator status`
    Status,
    /// `rotator import`
    Import,
    /// `rotator apply` where the functions stand already
    Attach,
    /// `rotator apply` from nothing
    Apply,
}

/// Which quotas hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Quotas {
    /// None
    Off,
    /// Those that AWS publishes
    Aws,
}

impl Options {
    /// Whether a part is wanted.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Whether a job is wanted.
    pub fn wants_job(&self, job: Wish) -> bool {
        self.jobs.is_empty() || self.jobs.contains(&job)
    }

    /// Whether a peer is wanted.
    pub fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == name)
    }

    /// How many secrets, ascending.
    pub fn sizes(&self) -> Vec<usize> {
        let all = [10, 100, 1000, 10_000, 100_000];
        let mut sizes = match (self.sizes.is_empty(), self.quick) {
            (false, _) => self.sizes.clone(),
            (true, true) => all[..3].to_vec(),
            (true, false) => all.to_vec(),
        };
        sizes.sort_unstable();
        sizes.dedup();
        sizes.retain(|size| *size > 0);
        sizes
    }

    /// Added latencies, in milliseconds.
    pub fn latencies(&self) -> Vec<u64> {
        match (self.latencies.is_empty(), self.quick) {
            (false, _) => self.latencies.clone(),
            (true, true) => vec![0, 50],
            (true, false) => vec![0, 10, 50],
        }
    }

    /// Whether quotas hold: one after the other.
    pub fn quotas(&self) -> Vec<bool> {
        if self.quotas.is_empty() {
            return vec![false, true];
        }
        self.quotas.iter().map(|which| *which == Quotas::Aws).collect()
    }

    /// How often something with so many secrets is run.
    pub fn runs(&self, secrets: usize) -> usize {
        let most = match secrets {
            0..=1000 => usize::MAX,
            1001..=10_000 => 3,
            _ => 1,
        };
        self.runs.unwrap_or(if self.quick { 3 } else { 5 }).clamp(1, most)
    }

    /// How long all of it may take.
    pub fn time(&self) -> std::time::Duration {
        std::time::Duration::from_secs(60 * self.minutes.unwrap_or(if self.quick { 8 } else { 40 }))
    }
}
