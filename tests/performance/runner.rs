//! Runs jobs and their floors, one after the other in turns, so that noise of the machine hits both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::job::{self, Job, Row};
use super::measure::{Program, Usage};
use super::options::{Options, Wish};
use super::record::{Recorded, Recorder};
use super::world::{self, Calls, Conditions, Fleet, Prototype, Sandbox, Start};
use super::{Result, floor, say};

/// The latency under which requests are recorded: at none, the next call would begin after the last one's end.
const RECORDING: Conditions = Conditions { latency: 10, quotas: false };

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
    prototypes: BTreeMap<usize, Prototype>,
    asked: BTreeMap<(Job, Fleet), Asked>,
    /// How long the last part of a kind took, with how many secrets.
    took: BTreeMap<String, (usize, Duration)>,
    /// Lines of the table.
    pub rows: Vec<Row>,
    /// What didn't fit into the time.
    pub skipped: Vec<String>,
}

impl Runner {
    /// Nothing measured yet.
    pub fn new(options: Options, rotator: PathBuf) -> Result<Self> {
        Ok(Self {
            options,
            rotator,
            folder: tempfile::Builder::new().prefix("rotator-performance-").tempdir()?,
            began: Instant::now(),
            prototypes: BTreeMap::new(),
            asked: BTreeMap::new(),
            took: BTreeMap::new(),
            rows: Vec::new(),
            skipped: Vec::new(),
        })
    }

    /// The binary that is measured.
    pub fn rotator(&self) -> &Path {
        &self.rotator
    }

    /// The time that is left.
    fn left(&self) -> Duration {
        self.options.time().saturating_sub(self.began.elapsed())
    }

    /// Measures fleets of one account.
    pub async fn fleets(&mut self) -> Result<()> {
        for secrets in self.options.sizes() {
            let fleet = Fleet::of(secrets);
            if self.options.wants_job(Wish::Validate) {
                self.part("validate", fleet, Conditions::default(), &[Job::Validate]).await?;
            }
            for quotas in self.options.quotas() {
                for latency in self.options.latencies() {
                    let conditions = Conditions { latency, quotas };
                    if self.options.wants_job(Wish::Plan) {
                        self.part("plan", fleet, conditions, &[Job::Plan, Job::Drift]).await?;
                    }
                    if self.options.wants_job(Wish::Attach) {
                        self.part("attach", fleet, conditions, &[Job::Attach]).await?;
                    }
                    if self.options.wants_job(Wish::Apply) {
                        self.part("apply", fleet, conditions, &[Job::Apply]).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Measures plans of several accounts in one run.
    pub async fn targets(&mut self) -> Result<()> {
        for targets in [1, 4, 16] {
            let fleet = Fleet::across(1000, targets);
            self.part("targets", fleet, Conditions { latency: 50, quotas: false }, &[Job::Plan]).await?;
        }
        Ok(())
    }

    /// Measures some jobs under the same conditions, unless that would take longer than there is time.
    async fn part(&mut self, name: &str, fleet: Fleet, conditions: Conditions, jobs: &[Job]) -> Result<()> {
        let quotas = if conditions.quotas { "on" } else { "off" };
        let kind = format!("{name}, {} ms, quotas {quotas}", conditions.latency);
        let secrets = fleet.all_secrets();
        if let Some(expected) = self.expected(&kind, secrets, conditions, jobs).filter(|time| *time > self.left()) {
            let minutes = expected.as_secs_f64() / 60.0;
            self.skipped.push(format!("{kind}, {secrets} secrets: about {minutes:.0} minutes"));
            // A larger one won't fit either; nor is it known how long this one would have taken.
            self.took.insert(kind, (secrets, expected));
            return Ok(());
        }
        say(&format!("{:6.1?} {kind}, {secrets} secrets", self.began.elapsed()));
        let began = Instant::now();
        if jobs.iter().any(|job| job.start() != Start::Attached) {
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
    fn expected(&self, kind: &str, secrets: usize, conditions: Conditions, jobs: &[Job]) -> Option<Duration> {
        let runs = self.options.runs(secrets);
        let ratio = |now: usize, then: usize| now as f64 / then.max(1) as f64;
        let grown =
            self.took.get(kind).filter(|(then, _)| secrets > *then).map(|(then, took)| {
                took.mul_f64(ratio(secrets, *then) * ratio(runs, self.options.runs(*then)).min(1.0))
            });
        let rotates = jobs.iter().any(|job| job.start() != Start::Attached);
        let quota =
            (conditions.quotas && rotates).then(|| Duration::from_secs_f64(secrets as f64 / 50.0 * runs as f64));
        grown.max(quota)
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

    /// What a job asks for, recorded once.
    pub async fn asked(&mut self, job: Job, fleet: Fleet) -> Result<Asked> {
        if let Some(known) = self.asked.get(&(job, fleet)) {
            return Ok(known.clone());
        }
        let folder = self.prepared(fleet, &[job.start()]).await?;
        let sandbox = self.sandbox(&folder, job.start(), RECORDING, "recorded")?;
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
        self.asked.retain(|(_, other), _| *other == fleet);
        self.asked.insert((job, fleet), asked.clone());
        Ok(asked)
    }

    fn row(&self, job: Job, fleet: Fleet, conditions: Conditions, asked: Option<&Asked>) -> Row {
        let accounts = fleet.targets.max(1);
        let quota = asked.filter(|_| conditions.quotas).map(|asked| job::quota(&asked.calls.operations, accounts));
        let in_flight = asked.map_or(0, |asked| self.options.connections.unwrap_or(asked.in_flight));
        Row {
            job,
            fleet,
            conditions,
            runs: Vec::new(),
            floors: Vec::new(),
            calls: Calls::default(),
            quota: quota.unwrap_or_default(),
            in_flight,
        }
    }

    /// Jobs that leave AWS as it was: on one sandbox.
    async fn reads(&mut self, jobs: &[Job], fleet: Fleet, conditions: Conditions) -> Result<()> {
        let offline = jobs.contains(&Job::Validate);
        let asked = if offline { None } else { Some(self.asked(Job::Plan, fleet).await?) };
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
                row.runs.push(self.run(row.job, fleet, &folder, &sandbox.url)?);
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
        self.rows.extend(rows);
        Ok(())
    }

    /// A job that changes AWS: each run on a sandbox of its own.
    async fn writes(&mut self, job: Job, fleet: Fleet, conditions: Conditions) -> Result<()> {
        let asked = self.asked(job, fleet).await?;
        let folder = self.prepared(fleet, &[job.start(), job.floor_start()]).await?;
        let mut row = self.row(job, fleet, conditions, Some(&asked));
        for _ in 0..self.options.runs(fleet.all_secrets()) {
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
        self.rows.push(row);
        Ok(())
    }
}

fn state(folder: &Path, start: Start) -> PathBuf {
    folder.join(format!("{start:?}.json"))
}
