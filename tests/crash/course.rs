//! A course: a scenario, and how it is gone through. Each of its calls is a point at which `rotator` can be killed; whatever comes
//! after must bring the world to where an undisturbed run brings it.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures::FutureExt as _;
use rotator::sandbox::faults::When;
use serde_json::{Value, json};

use super::scenario::{Scenario, named, word};
use super::stage::{CALLER, Call, Saved, Stage, difference, printed};
use super::support::{ACCOUNT, Output, REGION};

/// How a scenario is gone through: what is killed, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `apply`, then `apply`.
    Apply,
    /// The same with `--no-wait`.
    NoWait,
    /// `apply FILE`, then `apply FILE`.
    Saved,
    /// `destroy` of the converged world, then `destroy`.
    Destroy,
    /// `apply`, then `destroy`: somebody changes their mind.
    Undo,
    /// `rotate`, then `rotate --resume ID` with the id that the first has printed.
    Rotate,
    /// The same with `--wave 1`: one secret after the other.
    Waves,
    /// `repair retry`, then the same.
    Retry,
    /// `repair promote`, then the same.
    Promote,
    /// `repair drop`, then the same.
    Drop,
}

impl Mode {
    /// Whether it asks something of single secrets, and doesn't converge.
    pub fn is_asked(self) -> bool {
        matches!(self, Self::Rotate | Self::Waves | Self::Retry | Self::Promote | Self::Drop)
    }
}

/// A scenario, a mode, and how slow AWS is: at a small scale, what was begun is over before the next run looks; at a larger one, that
/// run meets it.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub scenario: &'static str,
    pub mode: Mode,
    pub time_scale: f64,
}

const QUICK: f64 = 0.02;
const SLOW: f64 = 1.0;

const fn course(scenario: &'static str, mode: Mode, time_scale: f64) -> Course {
    Course { scenario, mode, time_scale }
}

/// All of them.
pub const COURSES: &[Course] = &[
    course("first", Mode::Apply, QUICK),
    course("change", Mode::Apply, QUICK),
    course("take", Mode::Apply, QUICK),
    course("prune", Mode::Apply, QUICK),
    course("replace", Mode::Apply, QUICK),
    course("first", Mode::Saved, SLOW),
    course("change", Mode::Saved, SLOW),
    course("take", Mode::Saved, SLOW),
    course("prune", Mode::Saved, SLOW),
    course("replace", Mode::Saved, SLOW),
    course("first", Mode::NoWait, SLOW),
    course("change", Mode::NoWait, QUICK),
    course("change", Mode::Destroy, SLOW),
    course("take", Mode::Destroy, QUICK),
    course("verify", Mode::Apply, QUICK),
    course("verify", Mode::Saved, SLOW),
    course("targets", Mode::Apply, QUICK),
    course("targets", Mode::Saved, SLOW),
    course("targets", Mode::Destroy, SLOW),
    course("first", Mode::Undo, SLOW),
    course("replace", Mode::Undo, QUICK),
    course("leaked", Mode::Rotate, SLOW),
    course("leaked", Mode::Waves, QUICK),
    course("failing", Mode::Retry, SLOW),
    course("stuck", Mode::Promote, QUICK),
    course("stuck", Mode::Drop, QUICK),
];

/// A point of a course.
#[derive(Debug, Clone)]
pub struct Point {
    pub course: usize,
    pub call: Call,
    pub when: When,
}

/// A course that was gone through undisturbed.
pub struct Undisturbed {
    pub course: &'static Course,
    pub scenario: &'static Scenario,
    manifests: tempfile::TempDir,
    start: Saved,
    /// Where it leads.
    world: Value,
    /// How many rotations and tests it started.
    rotations: usize,
    /// The calls that it made.
    pub calls: Vec<Call>,
}

/// What became of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was killed there, and the next run put everything right.
    Survived,
    /// This run didn't come to that call: how often something is asked again differs between runs. Nothing was disturbed.
    NotReached,
    /// It broke.
    Broken(String),
}

impl Course {
    pub fn name(&self) -> String {
        let mode = format!("{:?}", self.mode).to_lowercase();
        format!("{}/{mode}", self.scenario)
    }

    /// The command that is killed.
    pub fn first(&self, prune: bool, plan: &str) -> Vec<String> {
        let words = match self.mode {
            Mode::Apply | Mode::Undo => vec!["apply", "--auto-approve", "--allow-simulated", "--all-targets"],
            Mode::NoWait => vec!["apply", "--auto-approve", "--allow-simulated", "--all-targets", "--no-wait"],
            Mode::Saved => return vec!["apply".to_owned(), "--allow-simulated".to_owned(), plan.to_owned()],
            Mode::Destroy => vec!["destroy", "--auto-approve", "--all-targets"],
            Mode::Rotate => vec!["rotate", "--auto-approve", "--allow-simulated"],
            Mode::Waves => vec!["rotate", "--auto-approve", "--allow-simulated", "--wave", "1"],
            Mode::Retry => vec!["repair", "retry", "--auto-approve", "--allow-simulated", "--secret", "stuck"],
            Mode::Promote => vec!["repair", "promote", "--auto-approve", "--secret", "stuck", "--confirm", "stuck"],
            Mode::Drop => vec!["repair", "drop", "--auto-approve", "--secret", "stuck", "--confirm", "stuck"],
        };
        let prune = (prune && self.mode != Mode::Destroy).then_some("--prune");
        words.into_iter().chain(prune).map(str::to_owned).collect()
    }

    /// The command that follows what has printed this.
    fn again(&self, prune: bool, plan: &str, said: &str) -> Result<Vec<String>, String> {
        let mut words = match self.mode {
            Mode::Undo => Course { mode: Mode::Destroy, ..*self }.first(prune, plan),
            _ => self.first(prune, plan),
        };
        if matches!(self.mode, Mode::Rotate | Mode::Waves) {
            let id = said.lines().next().and_then(|line| line.strip_prefix("Run "));
            let id = id.ok_or_else(|| format!("it called AWS before it printed its id: {said:?}"))?;
            words.extend(["--resume".to_owned(), id.to_owned()]);
        }
        Ok(words)
    }

    /// Whether an undisturbed run does what the course is about.
    fn leads(&self, world: &Value, rotations: usize) {
        let labels = &world["secrets"]["stuck"]["labels"];
        match self.mode {
            Mode::Rotate | Mode::Waves => assert_eq!(rotations, 2, "each secret rotates once"),
            Mode::Retry => assert_eq!(*labels, json!([["AWSCURRENT"], ["AWSPREVIOUS"]])),
            Mode::Promote => assert_eq!(*labels, json!([["AWSPENDING", "AWSCURRENT"], ["AWSPREVIOUS"]])),
            Mode::Drop => assert_eq!(*labels, json!([["AWSCURRENT"], ["rotator-dropped-DATE"]])),
            _ => {}
        }
    }
}

impl Undisturbed {
    /// Goes through a course.
    pub async fn new(course: &'static Course) -> Self {
        let scenario = named(course.scenario);
        let manifests = tempfile::tempdir().expect("a temporary folder");
        let mut start = scenario.prepare(manifests.path()).await;
        if course.mode == Mode::Destroy {
            let stage = Stage::open(manifests.path(), Some(&start), QUICK).await;
            run(&stage, &Course { mode: Mode::Apply, ..*course }.first(scenario.prune, "")).await.exits(0);
            start = stage.close().await;
        }
        let stage = begun(course, manifests.path(), &start).await;
        let plan = plan_file(&stage, course, scenario).await;
        let said = run(&stage, &course.first(scenario.prune, &plan)).await.exits(0).stdout;
        let rotations = rotations(&stage);
        let calls = stage.calls();
        let again = course.again(scenario.prune, &plan, &said).expect("what follows is known");
        if course.mode == Mode::Undo {
            run(&stage, &again).await.exits(0);
        }
        is_settled(&stage, course, scenario).await.expect("an undisturbed run settles");
        is_done(&stage, course, &again).await.expect("what was asked for is done");
        stage.at_rest().await;
        let world = stage.world();
        course.leads(&world, rotations);
        Self { course, scenario, manifests, start, world, rotations, calls }
    }

    /// Kills a run at a point, runs what follows, and compares.
    pub async fn attempt(&self, point: &Point) -> Fate {
        match caught(self.killed(point)).await {
            Ok(fate) => fate,
            Err(why) => {
                let name = format!("{}/{}/{}", self.course.name(), point.call, word(point.when));
                Fate::Broken(format!(
                    "{name}: {why}\nagain, this point alone: CRASH_ONLY={name} cargo test --test crash every_point -- --ignored --nocapture"
                ))
            }
        }
    }

    /// A sandbox that starts where the course does.
    pub async fn stage(&self) -> Stage {
        begun(self.course, self.manifests.path(), &self.start).await
    }

    /// Where the course leads.
    pub fn world(&self) -> &Value {
        &self.world
    }

    /// Whether a further run finds nothing to do.
    pub async fn is_settled(&self, stage: &Stage) -> Result<(), String> {
        is_settled(stage, self.course, self.scenario).await
    }

    async fn killed(&self, point: &Point) -> Result<Fate, String> {
        let (course, prune) = (self.course, self.scenario.prune);
        let stage = self.stage().await;
        let plan = plan_file(&stage, course, self.scenario).await;
        stage.hold(&point.call, point.when);
        let first = course.first(prune, &plan);
        let mut program = stage.start(CALLER, &first.iter().map(String::as_str).collect::<Vec<_>>());
        let reached = stage.holds(&mut program).await;
        if reached {
            stage.kill(&mut program).await;
        }
        stage.let_go();
        let words = course.again(prune, &plan, &printed(&mut program).await)?;
        let again = run(&stage, &words).await;
        if again.code != 0 {
            return Err(format!("the next run fails: {}", again.all()));
        }
        // A call that was killed after its effect stands in no log.
        let unlogged = usize::from(reached && point.when == When::After && point.call.operation == "RotateSecret");
        let rotations = rotations(&stage) + unlogged;
        is_settled(&stage, course, self.scenario)
            .await
            .map_err(|why| format!("{why}\nthe run before: {}", again.all()))?;
        is_done(&stage, course, &words).await.map_err(|why| format!("{why}\nthe run before: {}", again.all()))?;
        stage.at_rest().await;
        // Another try of a rotation that isn't complete is no other rotation, and AWS refuses it with that promise.
        if rotations > self.rotations && course.mode != Mode::Retry {
            return Err(format!("{rotations} rotations began, and the plans said {}", self.rotations));
        }
        let left = if course.mode == Mode::Undo { leftovers(&stage) } else { difference(&self.world, &stage.world()) };
        match left {
            Some(left) => Err(format!("another world comes of it:\n{left}\nthe run before: {}", again.all())),
            None if reached => Ok(Fate::Survived),
            None => Ok(Fate::NotReached),
        }
    }
}

/// A sandbox that starts where a course does.
async fn begun(course: &Course, manifests: &Path, start: &Saved) -> Stage {
    let stage = Stage::open(manifests, Some(start), course.time_scale).await;
    if course.mode == Mode::Retry {
        // A sandbox that starts has all tried again that is on.
        stage.sandbox.shared().write(ACCOUNT, REGION, |region| {
            for name in ["stuck", "left"] {
                let secret = region.secrets.edit(name).expect("it was seeded");
                secret.rotation.as_mut().expect("it rotates").enabled = true;
            }
        });
    }
    stage
}

/// An attempt that panics breaks alone, and by its name.
pub async fn caught<T>(attempt: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            Err(words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned())
        }
    }
}

/// Makes the plan's file, where the course applies one.
async fn plan_file(stage: &Stage, course: &Course, scenario: &Scenario) -> String {
    let file = stage.path("saved.plan").display().to_string();
    if course.mode == Mode::Saved {
        let prune = if scenario.prune { &["--prune"][..] } else { &[] };
        stage.run(&[&["plan", "--out", &file], prune].concat()).await.exits(0);
    }
    stage.calls();
    file
}

pub async fn run(stage: &Stage, arguments: &[String]) -> Output {
    let output = stage.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(!output.stderr.contains("panicked"), "{}", output.all());
    output
}

/// How many rotations and tests were asked for, and accepted.
fn rotations(stage: &Stage) -> usize {
    let accepted = |(call, status): &(Call, u16)| call.operation == "RotateSecret" && *status == 200;
    stage.answered().iter().filter(|answered| accepted(answered)).count()
}

/// Whether a further run finds nothing to do.
async fn is_settled(stage: &Stage, course: &Course, scenario: &Scenario) -> Result<(), String> {
    let mut words = match course.mode {
        Mode::Destroy | Mode::Undo => vec!["destroy", "--auto-approve", "--all-targets"],
        _ => vec!["plan", "--detailed-exitcode"],
    };
    if scenario.prune && words[0] == "plan" {
        words.push("--prune");
    }
    changes_nothing(stage, &words).await
}

/// Whether what was asked of single secrets is done: asked for once more, it changes nothing.
async fn is_done(stage: &Stage, course: &Course, again: &[String]) -> Result<(), String> {
    if !course.mode.is_asked() {
        return Ok(());
    }
    changes_nothing(stage, &again.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn changes_nothing(stage: &Stage, words: &[&str]) -> Result<(), String> {
    stage.calls();
    let output = stage.run(words).await;
    if output.code != 0 {
        return Err(format!("there is still something to do: {}", output.all()));
    }
    match stage.calls().into_iter().find(|call| !call.only_reads()) {
        Some(write) => Err(format!("{write} is still made: {}", output.all())),
        None => Ok(()),
    }
}

/// What of the project is left where nothing should be.
fn leftovers(stage: &Stage) -> Option<String> {
    let world = stage.world();
    let stacks = world["stacks"].as_object().cloned().unwrap_or_default();
    let secrets = world["secrets"].as_object().cloned().unwrap_or_default();
    let on = secrets.into_iter().filter(|(_, secret)| secret["on"] == true).map(|(name, _)| name);
    let left: Vec<String> = stacks.into_iter().map(|(name, _)| name).chain(on).collect();
    (!left.is_empty()).then(|| format!("left over: {}", left.join(", ")))
}
