//! What `rotator` is asked to do, and what AWS's quotas make of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::measure::Program;
use super::world::{Calls, Fleet, PROJECT, Start};

/// How many imports there were: each has a folder of its own.
static IMPORTS: AtomicUsize = AtomicUsize::new(0);

/// A command of the tool, on a fleet in a known state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Checks the manifest; no AWS.
    Validate,
    /// A plan where nothing differs.
    Plan,
    /// A plan where one secret of twenty has other rules.
    Drift,
    /// How rotation does, where all is well: the list alone.
    Status,
    /// A manifest of all that rotates, into a folder of its own.
    Import,
    /// Switches rotation on for every secret; the functions stand already.
    Attach,
    /// Deploys the functions too.
    Apply,
}

impl Job {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Plan => "plan, no change",
            Self::Drift => "plan, 5 % drift",
            Self::Status => "status",
            Self::Import => "import",
            Self::Attach => "apply, attach all",
            Self::Apply => "apply, from nothing",
        }
    }

    /// What AWS holds when it begins.
    pub fn start(self) -> Start {
        match self {
            Self::Validate | Self::Plan | Self::Drift | Self::Status | Self::Import => Start::Attached,
            Self::Attach => Start::Deployed,
            Self::Apply => Start::Bare,
        }
    }

    /// What AWS holds when its calls are made again. A replay can't execute the change set of another run: functions stand already, so
    /// that what it can do, attaching, is what it does.
    pub fn floor_start(self) -> Start {
        match self {
            Self::Apply => Start::Deployed,
            _ => self.start(),
        }
    }

    /// The exit code that says that it did what it should.
    pub fn exits(self) -> i32 {
        match self {
            Self::Drift => 2,
            Self::Validate | Self::Plan | Self::Status | Self::Import | Self::Attach | Self::Apply => 0,
        }
    }

    /// The command.
    pub fn of(self, program: Program, fleet: Fleet, folder: &Path) -> Program {
        let manifest = match self {
            Self::Drift => folder.join("drift"),
            // Nothing is written over.
            Self::Import => folder.join(format!("imported-{}", IMPORTS.fetch_add(1, Ordering::Relaxed))),
            _ => folder.to_owned(),
        };
        let most = fleet.all_secrets().to_string();
        match self {
            Self::Validate => program.args(["validate"]),
            Self::Plan | Self::Drift => program.args(["plan", "--detailed-exitcode"]),
            Self::Status => program.args(["status"]),
            // Under the name of the project that the functions have: another one's would be left out.
            Self::Import => program.args(["import", "--project", PROJECT]),
            Self::Attach | Self::Apply => {
                program.args(["apply", "--no-wait", "--allow-simulated", "--auto-approve", "--max-rotations", &most])
            }
        }
        .args([manifest])
    }
}

/// How many rotations AWS begins or ends in a second.
pub const ROTATIONS: f64 = 50.0;

/// AWS's published quotas: which operations share one, requests a second. As many may come at once.
const QUOTAS: [(&[&str], f64); 5] = [
    (&["RotateSecret", "CancelRotateSecret"], ROTATIONS),
    (&["DescribeSecret", "GetSecretValue"], 10_000.0),
    (&["ListSecrets"], 100.0),
    (&["GetFunction"], 100.0),
    (&["GetPolicy"], 15.0),
];

/// The rest of Lambda's control plane, together.
const CONTROL_PLANE: (&[&str], f64) = (&["AddPermission", "UpdateFunctionCode", "UpdateFunctionConfiguration"], 15.0);

/// The least time that quotas leave these calls, where each account makes as many of them.
pub fn quota(calls: &BTreeMap<String, usize>, accounts: usize) -> Duration {
    let seconds = QUOTAS.iter().chain([&CONTROL_PLANE]).map(|(operations, rate)| {
        let made: usize = operations.iter().filter_map(|operation| calls.get(*operation)).sum();
        let each = made.div_ceil(accounts.max(1));
        // The last of them is let through as soon as its token is there.
        (f64::from(u32::try_from(each).unwrap_or(u32::MAX)) - rate).max(0.0) / rate
    });
    Duration::from_secs_f64(seconds.fold(0.0, f64::max))
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done.
    pub job: Job,
    /// To what.
    pub fleet: Fleet,
    /// How AWS was.
    pub conditions: super::world::Conditions,
    /// What the runs took.
    pub runs: Vec<super::measure::Usage>,
    /// What the floor's runs took, one for one.
    pub floors: Vec<super::floor::Floor>,
    /// What the sandbox's processor time was meanwhile.
    pub server_cpu: Vec<Duration>,
    /// What the last run called.
    pub calls: Calls,
    /// The least that quotas allow, where they hold.
    pub quota: Duration,
    /// How many calls the tool had under way at once, at most, and the floor's connections.
    pub in_flight: usize,
}

impl Row {
    /// The median wall time.
    pub fn wall(&self) -> Duration {
        median(self.runs.iter().map(|run| run.wall).collect())
    }

    /// The median processor time.
    pub fn cpu(&self) -> Duration {
        median(self.runs.iter().map(|run| run.cpu).collect())
    }

    /// The median of the floor: the replay's or the quota's, whichever is slower.
    pub fn floor(&self) -> Option<Duration> {
        let floors: Vec<_> = self.floors.iter().map(|floor| floor.wall.max(self.quota)).collect();
        (!floors.is_empty()).then(|| median(floors))
    }

    /// How many times the floor it takes: the median over pairs of runs that followed each other.
    pub fn ratio(&self) -> Option<f64> {
        let pairs = self.runs.iter().zip(&self.floors);
        let ratios: Vec<f64> =
            pairs.map(|(run, floor)| run.wall.as_secs_f64() / floor.wall.max(self.quota).as_secs_f64()).collect();
        (!ratios.is_empty()).then(|| median_of(ratios))
    }
}

/// The middle one; of an even number, the lower of the two.
pub fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// The middle one; of an even number, the lower of the two.
pub fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
