//! Runs jobs and their floors, one after the other in turns, so that noise of the machine hits both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::calls::Expected;
use super::job::{self, Job, Row};
use super::measure::{Program, Usage};
use super::model;
use super::options::{Options, Part, Wish};
use super::peers::{self, PEERS, Peer, Prepared};
use super::record::{Recorded, Recorder};
use super::world::{self, Calls, Conditions, Fleet, Prototype, Sandbox, Start};
use super::{Result, floor, print, say, table};

/// The latency under which the requests of most jobs are recorded, in milliseconds.
const RECORDING: u64 = 10;

/// The least latency under which requests are recorded: at none, the next call would begin after the last one's end.
const LEAST_RECORDING: u64 = 1;

/// How long what keeps the quotas' pace is repeated, at most.
const PACED: Duration = Duration::from_secs(40);

/// Of the whole time, a part that takes more than one in so many comes last.
const LONG: u32 = 15;

/// Of the time that is left, the peers have one in so many: they end later the more secrets there are, and what is measured is the tool.
const OF_PEERS: u32 = 2;

/// Some jobs of one fleet under the same conditions.
#[derive(Debug, Clone, Copy)]
struct FleetPart {
    name: &'static str,
    fleet: Fleet,
    conditions: Conditions,
    jobs: &'static [Job],
}

impl FleetPart {
    /// What it has in common with those of other fleets.
    fn kind(&self) -> String {
        let quotas = if self.conditions.quotas { "on" } else { "off" };
        format!("{}, {} ms, quotas {quotas}", self.name, self.conditions.latency)
    }
}

/// Whether jobs rotate secrets.
fn rotate(jobs: &[Job]) -> bool {
    jobs.iter().any(|job| job.start() != Start::Attached)
}

/// How long jobs take at least that rotate secrets, because the tool keeps the pace of AWS's quota.
fn paced(jobs: &[Job], secrets: usize) -> Option<Duration> {
    rotate(jobs).then(|| Duration::from_secs_f64(secrets as f64 / job::ROTATIONS))
}

/// What a job asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its requests.
    pub requests: Arc<Vec<Recorded>>,
    /// Its calls, by operation.
    pub calls: Calls,
    /// How many were under way at once, at most.
    pub in_flight: usize,
}

/// All that is measured, and what was left out.
#[derive(Debug)]
pub struct Runner {
    options: Options,
    rotator: PathBuf,
    folder: tempfile::TempDir,
    began: Instant,
    /// What other parts of the report are to have of the time.
    kept: Duration,
    prototypes: BTreeMap<usize, Prototype>,
    asked: BTreeMap<(Job, Fleet, u64), Asked>,
    /// How long the last part of a kind took, with how many secrets.
    took: BTreeMap<String, (usize, Duration)>,
    /// Lines of the table.
    pub rows: Vec<Row>,
    /// What didn't fit into the time.
    pub skipped: Vec<String>,
    /// The peers that this machine hasn't, and why.
    pub missing: Vec<String>,
}

impl Runner {
    /// Nothing measured yet.
    pub fn new(options: Options, rotator: PathBuf) -> Result<Self> {
        Ok(Self {
            options,
            rotator,
            folder: tempfile::Builder::new().prefix("rotator-performance-").tempdir()?,
            began: Instant::now(),
            kept: Duration::ZERO,
            prototypes: BTreeMap::new(),
            asked: BTreeMap::new(),
            took: BTreeMap::new(),
            rows: Vec::new(),
            skipped: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// The binary that is measured.
    pub fn rotator(&self) -> &Path {
        &self.rotator
    }

    /// The time that is left for what is being measured.
    fn left(&self) -> Duration {
        self.options.time().saturating_sub(self.kept).saturating_sub(self.began.elapsed())
    }

    /// How often a job is run, where it isn't stated: what waits for a quota takes the same time each time.
    fn runs(&self, jobs: &[Job], secrets: usize) -> usize {
        let runs = self.options.runs(secrets);
        if self.options.runs.is_some() {
            return runs;
        }
        let most = paced(jobs, secrets).map_or(u128::MAX, |each| PACED.as_millis() / each.as_millis().max(1));
        runs.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
    }

    /// Measures fleets of one account: ascending, and what takes long after all else.
    pub async fn fleets(&mut self) -> Result<()> {
        print(&table::heading(&table::JOBS));
        let mut long = Vec::new();
        for part in self.fleet_parts() {
            let expected = self.expected(&part.kind(), part.fleet.all_secrets(), part.jobs);
            if expected.is_some_and(|time| time > self.options.time() / LONG) {
                long.push(part);
            } else {
                self.part(part).await?;
            }
        }
        for part in long {
            self.part(part).await?;
        }
        Ok(())
    }

    fn fleet_parts(&self) -> Vec<FleetPart> {
        let mut parts = Vec::new();
        for secrets in self.options.sizes() {
            let mut add = |wish, name, conditions, jobs| {
                if self.options.wants_job(wish) {
                    parts.push(FleetPart { name, fleet: Fleet::of(secrets), conditions, jobs });
                }
            };
            add(Wish::Validate, "validate", Conditions::default(), &[Job::Validate][..]);
            for quotas in self.options.quotas() {
                for latency in self.options.latencies() {
                    let conditions = Conditions { latency, quotas };
                    add(Wish::Plan, "plan", conditions, &[Job::Plan, Job::Drift]);
                    add(Wish::Status, "status", conditions, &[Job::Status]);
                    add(Wish::Import, "import", conditions, &[Job::Import]);
                    add(Wish::Attach, "attach", conditions, &[Job::Attach]);
                    add(Wish::Apply, "apply", conditions, &[Job::Apply]);
                }
            }
        }
        parts
    }

    /// Measures plans of several accounts in one run.
    ///
    /// Each is also what the model says of it, with the processor time that the tool and the sandbox were seen to use for a call: both
    /// run on this machine's cores.
    pub async fn targets(&mut self) -> Result<()> {
        print(&table::heading(&table::JOBS));
        let first = self.rows.len();
        for (targets, secrets) in [(1, 1000), (4, 1000), (16, 500), (16, 1000)] {
            let conditions = Conditions { latency: 50, quotas: false };
            let fleet = Fleet::across(secrets, targets);
            self.part(FleetPart { name: "plan of targets", fleet, conditions, jobs: &[Job::Plan] }).await?;
        }
        print("");
        let measured: Vec<(Row, model::Plan)> =
            self.rows[first..].iter().map(|row| (row.clone(), model_of(row))).collect();
        print(&table::heading(&["targets", "measured:", "model:", "model's cores busy:"]));
        for (row, plan) in measured {
            let outcome = plan.time();
            let targets = format!("{} × {}", row.fleet.targets, row.fleet.secrets);
            let busy = format!("{:.0} %", outcome.busy * 100.0);
            print(&table::line(&[targets, table::time(row.wall()), table::time(outcome.time), busy]));
        }
        Ok(())
    }

    /// What the model says of a thousand accounts, with the processor time that a call was seen to take here.
    pub fn scale(&self) {
        let plans = self.rows.iter().filter(|row| row.job == Job::Plan && row.calls.total() >= 1000);
        let cpu = plans.map(|row| row.cpu() / u32::try_from(row.calls.total()).unwrap_or(u32::MAX)).min();
        // A tenth of a millisecond, where nothing was measured.
        let cpu = cpu.unwrap_or(Duration::from_micros(100));
        print(&format!("1,000 accounts × 5,000 secrets, {} of processor time a call:\n", table::time(cpu)));
        print(&table::heading(&[
            "jobs in the matrix:",
            "cores each:",
            "targets side by side:",
            "latency:",
            "time:",
            "calls:",
            "cores busy:",
        ]));
        for (jobs, cores, targets_at_once, latency) in model::SCALES {
            let outcome = model::Plan {
                targets: 1000_usize.div_ceil(jobs),
                secrets: 5000,
                functions: 5,
                role: true,
                targets_at_once,
                latency: Duration::from_millis(latency),
                cpu,
                cores,
                quotas: true,
            }
            .time();
            print(&table::line(&[
                jobs.to_string(),
                cores.to_string(),
                targets_at_once.to_string(),
                format!("{latency} ms"),
                table::time(outcome.time),
                outcome.calls.to_string(),
                format!("{:.0} %", outcome.busy * 100.0),
            ]));
        }
    }

    /// Counts the calls of a plan, a status, an import and two applies, and holds them against what is said of them.
    pub async fn calls(&mut self) -> Result<()> {
        let mut differences = Vec::new();
        for fleet in [Fleet { secrets: 250, functions: 3, targets: 0 }, Fleet { secrets: 20, functions: 2, targets: 2 }]
        {
            for job in [Job::Plan, Job::Status, Job::Import, Job::Attach, Job::Apply] {
                if fleet.targets > 0 && job != Job::Plan {
                    continue;
                }
                say(&format!("{:6.1?} calls of {}", self.began.elapsed(), job.name()));
                let asked = self.asked(job, fleet, RECORDING).await?;
                let counted = asked.calls.operations.iter().map(|(operation, count)| format!("{operation} {count}"));
                let functions = format!("{} functions, {} secrets", fleet.functions, fleet.secrets);
                let targets =
                    if fleet.targets > 0 { format!("{} targets with ", fleet.targets) } else { String::new() };
                let counted = counted.collect::<Vec<_>>().join(", ");
                print(&format!("- {}, {targets}{functions}: {counted}.", job.name()));
                let differing = Expected::of(job, fleet)?.differences(&asked.calls);
                differences.extend(differing.into_iter().map(|text| format!("{}: {text}", job.name())));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("other calls than tests/performance/calls.md says: {}", differences.join("; ")).into())
    }

    /// Measures what other programs take, each in turns with the tool.
    pub async fn peers(&mut self) -> Result<()> {
        print(&table::heading(&peers::COLUMNS));
        if self.options.wants(Part::Fleet) {
            self.kept = self.left() / OF_PEERS;
        }
        let mut missing: BTreeMap<&str, String> = BTreeMap::new();
        for secrets in self.options.sizes() {
            for latency in self.options.latencies() {
                let wanted = |peer: &Peer| secrets <= peer.most && self.options.wants_peer(peer.name);
                for peer in PEERS.into_iter().filter(wanted).collect::<Vec<_>>() {
                    if let Some(why) = self.peer(peer, secrets, latency).await? {
                        missing.insert(peer.title, why);
                    }
                }
            }
        }
        self.kept = Duration::ZERO;
        self.missing.extend(missing.into_iter().map(|(peer, why)| format!("{peer}: {why}")));
        Ok(())
    }

    /// One of them; or why it isn't there.
    async fn peer(&mut self, peer: Peer, secrets: usize, latency: u64) -> Result<Option<String>> {
        let kind = format!("{}, {latency} ms", peer.title);
        let (fleet, conditions) = (Fleet::of(secrets), Conditions { latency, quotas: false });
        if !self.fits(&kind, secrets, &[]) {
            return Ok(None);
        }
        let folder = self.prepared(fleet, &[Start::Attached, peer.start]).await?;
        let place = folder.join(peer.name);
        let prepared = block_in_place(|| peers::prepare(peer, &place, &state(&folder, peer.start), secrets))?;
        let (command, environment, version, done) = match prepared {
            Prepared::Ready { command, environment, version, done } => (command, environment, version, done),
            Prepared::Missing { missing } => return Ok(Some(missing)),
        };
        let began = Instant::now();
        let sandbox = self.sandbox(&folder, Start::Attached, conditions, "measured")?;
        let other = self.sandbox(&folder, peer.start, conditions, "peer")?;
        let program = || peers::program(&place, &command, environment.clone(), &other.url);
        // The first run, which also reads files for the first time, is the one whose memory is looked at.
        let peak_kb = block_in_place(|| program().with_children().run(0))?.peak_kb;
        let calls = other.calls()?;
        if !calls.writes().is_empty() {
            return Err(format!("{} changes something: {}", peer.title, calls.writes().join(", ")).into());
        }
        let calls = calls.total();
        let (mut runs, mut ours) = (Vec::new(), Vec::new());
        // What takes a minute isn't worth repeating to find its median.
        let times = if began.elapsed() > Duration::from_secs(40) { 1 } else { self.options.runs(secrets).min(3) };
        for _ in 0..times {
            ours.push(self.run(Job::Plan, fleet, &folder, &sandbox.url)?);
            runs.push(block_in_place(|| program().run(0))?);
        }
        print(&peers::Row { peer, version, secrets, done, latency, calls, runs, peak_kb, ours }.line());
        self.took.insert(kind, (secrets, began.elapsed()));
        Ok(None)
    }

    /// Whether a part fits into the time that is left; what doesn't is noted.
    fn fits(&mut self, kind: &str, secrets: usize, jobs: &[Job]) -> bool {
        if let Some(expected) = self.expected(kind, secrets, jobs).filter(|time| *time > self.left()) {
            let minutes = expected.as_secs_f64() / 60.0;
            self.skipped.push(format!("{kind}, {secrets} secrets (about {minutes:.0} minutes)"));
            // A larger one won't fit either; nor is it known how long this one would have taken.
            self.took.insert(kind.to_owned(), (secrets, expected));
            return false;
        }
        say(&format!("{:6.1?} {kind}, {secrets} secrets", self.began.elapsed()));
        true
    }

    /// Measures some jobs under the same conditions, unless that would take longer than there is time.
    async fn part(&mut self, part: FleetPart) -> Result<()> {
        let FleetPart { fleet, conditions, jobs, .. } = part;
        let (kind, secrets) = (part.kind(), fleet.all_secrets());
        if !self.fits(&kind, secrets, jobs) {
            return Ok(());
        }
        let began = Instant::now();
        if rotate(jobs) {
            for job in jobs {
                self.writes(*job, fleet, conditions).await?;
            }
        } else {
            self.reads(jobs, fleet, conditions).await?;
        }
        self.took.insert(kind, (secrets, began.elapsed()));
        Ok(())
    }

    /// How long a part will take, as far as smaller ones, or the quota, tell.
    fn expected(&self, kind: &str, secrets: usize, jobs: &[Job]) -> Option<Duration> {
        let runs = self.runs(jobs, secrets);
        let ratio = |now: usize, then: usize| now as f64 / then.max(1) as f64;
        let grown = self
            .took
            .get(kind)
            .filter(|(then, _)| secrets > *then)
            .map(|(then, took)| took.mul_f64(ratio(secrets, *then) * ratio(runs, self.runs(jobs, *then)).min(1.0)));
        // Its requests may have to be recorded first.
        grown.max(paced(jobs, secrets).map(|each| each.mul_f64(runs as f64 + 1.0)))
    }

    /// A folder with manifests and the states that jobs begin with.
    async fn prepared(&mut self, fleet: Fleet, starts: &[Start]) -> Result<PathBuf> {
        let folder = self.folder.path().join(format!("{}-{}", fleet.targets, fleet.secrets));
        if !folder.exists() {
            // The files of one fleet at a time: large ones take hundreds of megabytes.
            for entry in std::fs::read_dir(self.folder.path())? {
                let other = entry?.path();
                if other.file_name().is_some_and(|name| name != "prototype") {
                    std::fs::remove_dir_all(other)?;
                }
            }
            world::write_manifests(&folder, fleet)?;
        }
        if !self.prototypes.contains_key(&fleet.functions) {
            let place = self.folder.path().join("prototype").join(fleet.functions.to_string());
            let prototype = Prototype::make(&self.rotator, &place, fleet.functions).await?;
            self.prototypes.insert(fleet.functions, prototype);
        }
        for start in starts {
            let file = state(&folder, *start);
            if !file.exists()
                && let Some(prototype) = self.prototypes.get(&fleet.functions)
            {
                prototype.multiply(fleet, *start, &file)?;
            }
        }
        Ok(folder)
    }

    /// A sandbox with a fresh copy of a state.
    fn sandbox(&self, folder: &Path, start: Start, conditions: Conditions, name: &str) -> Result<Sandbox> {
        let place = folder.join(name);
        std::fs::create_dir_all(&place)?;
        let copy = place.join("state.json");
        std::fs::copy(state(folder, start), &copy)?;
        Sandbox::start(&self.rotator, &place, Some(&copy), conditions)
    }

    fn run(&self, job: Job, fleet: Fleet, folder: &Path, url: &str) -> Result<Usage> {
        let program = world::at(Program::new(folder, "run", &self.rotator), url);
        block_in_place(|| job.of(program, fleet, folder).run(job.exits()))
    }

    /// What a job asks for, recorded once under each latency: how much is asked for at once depends on it.
    pub async fn asked(&mut self, job: Job, fleet: Fleet, latency: u64) -> Result<Asked> {
        let latency = latency.max(LEAST_RECORDING);
        if let Some(known) = self.asked.get(&(job, fleet, latency)) {
            return Ok(known.clone());
        }
        let folder = self.prepared(fleet, &[job.start()]).await?;
        let sandbox = self.sandbox(&folder, job.start(), Conditions { latency, quotas: false }, "recorded")?;
        let recorder = Recorder::start(sandbox.address).await?;
        self.run(job, fleet, &folder, &recorder.url)?;
        let recording = recorder.finish();
        let calls = sandbox.calls()?;
        sandbox.stop()?;
        if calls.total() != recording.requests.len() {
            // Packages are downloaded beside the log of calls.
            say(&format!("{} requests, of which {} are calls", recording.requests.len(), calls.total()));
        }
        let asked = Asked { requests: Arc::new(recording.requests), calls, in_flight: recording.in_flight };
        self.asked.retain(|(_, other, _), _| *other == fleet);
        self.asked.insert((job, fleet, latency), asked.clone());
        Ok(asked)
    }

    fn row(&self, job: Job, fleet: Fleet, conditions: Conditions, asked: Option<&Asked>) -> Row {
        let accounts = fleet.targets.max(1);
        // The tool keeps the pace of AWS's quotas for what it changes, wherever it is: a request too many is one refused.
        let paced = conditions.quotas || job.start() != Start::Attached;
        let quota = asked.filter(|_| paced).map(|asked| job::quota(&asked.calls.operations, accounts));
        let in_flight = asked.map_or(0, |asked| self.options.connections.unwrap_or(asked.in_flight));
        Row {
            job,
            fleet,
            conditions,
            runs: Vec::new(),
            floors: Vec::new(),
            server_cpu: Vec::new(),
            calls: Calls::default(),
            quota: quota.unwrap_or_default(),
            in_flight,
        }
    }

    /// Jobs that leave AWS as it was: on one sandbox.
    async fn reads(&mut self, jobs: &[Job], fleet: Fleet, conditions: Conditions) -> Result<()> {
        let offline = jobs.contains(&Job::Validate);
        // Plans ask the same, whatever they find.
        let first = jobs.iter().copied().find(|job| matches!(job, Job::Status | Job::Import)).unwrap_or(Job::Plan);
        let asked = if offline { None } else { Some(self.asked(first, fleet, conditions.latency).await?) };
        let folder = self.prepared(fleet, &[Start::Attached]).await?;
        let mut rows: Vec<Row> = jobs.iter().map(|job| self.row(*job, fleet, conditions, asked.as_ref())).collect();
        let sandbox = self.sandbox(&folder, Start::Attached, conditions, "measured")?;
        // The floor meets no throttle: its least time under quotas is computed.
        let unlimited = Conditions { quotas: false, ..conditions };
        let second =
            conditions.quotas.then(|| self.sandbox(&folder, Start::Attached, unlimited, "floor")).transpose()?;
        let bare = second.as_ref().unwrap_or(&sandbox);
        for _ in 0..self.options.runs(fleet.all_secrets()) {
            for row in &mut rows {
                sandbox.calls()?;
                let before = sandbox.cpu();
                row.runs.push(self.run(row.job, fleet, &folder, &sandbox.url)?);
                row.server_cpu.push(sandbox.cpu().saturating_sub(before));
                row.calls = sandbox.calls()?;
                if let Some(asked) = &asked {
                    let floor = floor::replay(bare.address, &asked.requests, row.in_flight).await?;
                    if floor.differing > 0 {
                        return Err(format!("{} answers to the floor differ from the tool's", floor.differing).into());
                    }
                    row.floors.push(floor);
                }
            }
        }
        for row in rows {
            self.keep(row);
        }
        Ok(())
    }

    /// A job that changes AWS: each run on a sandbox of its own.
    async fn writes(&mut self, job: Job, fleet: Fleet, conditions: Conditions) -> Result<()> {
        // Once for all latencies: another recording takes as long again as the quotas that are kept.
        let asked = self.asked(job, fleet, RECORDING).await?;
        let folder = self.prepared(fleet, &[job.start(), job.floor_start()]).await?;
        let mut row = self.row(job, fleet, conditions, Some(&asked));
        for _ in 0..self.runs(&[job], fleet.all_secrets()) {
            let sandbox = self.sandbox(&folder, job.start(), conditions, "measured")?;
            row.runs.push(self.run(job, fleet, &folder, &sandbox.url)?);
            row.calls = sandbox.calls()?;
            sandbox.stop()?;
            let unlimited = Conditions { quotas: false, ..conditions };
            let sandbox = self.sandbox(&folder, job.floor_start(), unlimited, "floor")?;
            let floor = floor::replay(sandbox.address, &asked.requests, row.in_flight).await?;
            if job.start() == job.floor_start() && floor.differing > 0 {
                return Err(format!("{} answers to the floor differ from the tool's", floor.differing).into());
            }
            row.floors.push(floor);
            sandbox.stop()?;
        }
        self.keep(row);
        Ok(())
    }

    /// Shows a line as soon as it is known: an interrupted run keeps what it has measured.
    fn keep(&mut self, row: Row) {
        print(&table::job(&row));
        self.rows.push(row);
    }
}

fn state(folder: &Path, start: Start) -> PathBuf {
    folder.join(format!("{start:?}.json"))
}

/// A measured plan as the model sees it: where tool and sandbox share the cores, both are a call's processor time.
fn model_of(row: &Row) -> model::Plan {
    let calls = u32::try_from(row.calls.total()).unwrap_or(u32::MAX).max(1);
    model::Plan {
        targets: row.fleet.targets,
        secrets: row.fleet.secrets,
        functions: row.fleet.functions,
        role: row.fleet.targets > 0,
        targets_at_once: model::TARGETS_AT_ONCE,
        latency: Duration::from_millis(row.conditions.latency),
        cpu: (row.cpu() + job::median(row.server_cpu.clone())) / calls,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        quotas: row.conditions.quotas,
    }
}
