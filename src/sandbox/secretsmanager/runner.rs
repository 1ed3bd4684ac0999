//! Rotations as they happen: the four steps, retries, schedules, and the end of deleted secrets.
//!
//! A rotation starts [`START`] after it is asked for. One that fails is tried again, as a whole, after each of [`RETRIES`];
//! then it rests until its next window, with `AWSPENDING` left where it is. AWS's own times aren't published; these are
//! short, so that a rehearsal shows what a night would. All are scaled by the sandbox's time scale.
//!
//! What AWS doesn't do: a rotation that hasn't finished is tried at once when a sandbox starts, since none ran meanwhile, and when
//! its function has been changed since it failed, so that whoever mends a function sees it rotate.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::replicas;
use super::secret::{CURRENT, PENDING, Run, Secret, StandIn, Version};
use super::steps::{ran_step, rotate_managed, simulate, stand_in, undone};
use crate::clock::Time;
use crate::cloudformation::role_statements;
use crate::cloudformation::template::Place;
use crate::cloudtrail::{self, Happened};
use crate::lambda::{self, InvokeOutcome};
use crate::service::Shared;
use crate::state::{Region, Scope, World};
use crate::wire::arn::Arn;

/// How long after the request a rotation starts.
pub(super) const START: Duration = Duration::from_millis(50);

/// The waits before the second, third and fourth try.
const RETRIES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];

/// How long the scheduler gathers what changed before it looks again.
const GATHER: Duration = Duration::from_millis(20);

/// How long the scheduler sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// The number of the last try of those.
#[expect(clippy::cast_possible_truncation, reason = "three")]
pub(super) const LAST_TRY: u32 = RETRIES.len() as u32;

/// The steps of a rotation, in their order.
pub(super) const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Which rotation.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub account: String,
    pub region: String,
    /// The secret's name.
    pub name: String,
    /// The version that it makes.
    pub token: String,
}

/// Starts a rotation that has been noted as active.
pub(super) fn start(shared: &Arc<Shared>, account: &str, region: &str, name: &str, token: &str, delay: Duration) {
    let job =
        Job { account: account.to_owned(), region: region.to_owned(), name: name.to_owned(), token: token.to_owned() };
    spawn(shared, job, delay);
}

fn spawn(shared: &Arc<Shared>, job: Job, delay: Duration) {
    let of_task = Arc::clone(shared);
    shared.spawn(async move {
        tokio::time::sleep(delay).await;
        let outcome = attempt(&of_task, &job).await;
        settle(&of_task, &job, outcome);
    });
}

/// Whether a rotation has begun, isn't being tried, and hasn't finished.
fn waits(secret: &Secret) -> bool {
    let Some(rotation) = secret.rotation.as_ref().filter(|_| secret.deleted.is_none()) else { return false };
    let stuck = || secret.unfinished().and_then(|version| secret.versions.get(version));
    let is_stuck = || rotation.enabled && stuck().is_some_and(|version| version.rotated);
    rotation.run.as_ref().map_or_else(is_stuck, |run| !run.active)
}

/// Whether a rotation that failed waits, and its function has been changed since.
fn is_mended(world: &World, secret: &Secret) -> bool {
    let Some(rotation) = secret.rotation.as_ref().filter(|_| waits(secret)) else { return false };
    let (Some(failed), Some(function)) = (rotation.failed, &rotation.function) else { return false };
    edition(world, function).is_some_and(|now| now != failed)
}

/// The edition of a function that has settled, in its own account and region.
fn edition(world: &World, function: &str) -> Option<u64> {
    let arn = Arn::parse(function)?;
    edition_in(world.find(arn.account, arn.region)?, function)
}

/// The edition of a function that has settled: another one where its code, its configuration, or what its role may do is another.
pub(super) fn edition_in(region: &Region, function: &str) -> Option<u64> {
    let arn = Arn::parse(function)?;
    let edition = lambda::edition(region, function)?;
    let role = lambda::role(region, function)?;
    let name = role.rsplit('/').next()?;
    let place = Place { account: arn.account, region: arn.region };
    let Some(statements) = role_statements(&region.stacks, place, name) else { return Some(edition) };
    let mut hash = Sha256::new();
    hash.update(edition.to_be_bytes());
    for statement in &statements {
        hash.update(statement.to_string());
    }
    hash.finalize().first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Whether a rotation that hasn't finished is being tried, or will be without waiting for its next window.
pub fn goes_on(shared: &Shared, account: &str, region: &str, secret: &str, version: &str) -> bool {
    shared.read(account, region, |region| {
        let rotation = region.secrets.find(secret).and_then(|secret| secret.rotation.as_ref());
        rotation.and_then(|rotation| rotation.run.as_ref()).is_some_and(|run| run.token == version)
    })
}

/// Looks after schedules until the sandbox stops.
pub(super) async fn keep_schedules(shared: Arc<Shared>) {
    loop {
        let (jobs, next) = due(&shared);
        for job in jobs {
            spawn(&shared, job, Duration::ZERO);
        }
        let sleep = next.map_or(LONGEST_SLEEP, |next| next.since(shared.now())).min(LONGEST_SLEEP);
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = shared.until_rescheduled() => tokio::time::sleep(GATHER).await,
        }
    }
}

/// Has all unfinished rotations tried again: a sandbox that starts with what another run left does first what is due.
pub(super) fn reattempt_all(shared: &Shared) {
    let now = shared.now();
    let mut world = shared.world();
    let stuck: Vec<(Scope, String)> = world
        .scopes
        .iter()
        .flat_map(|(scope, region)| region.secrets.iter().map(move |secret| (scope, secret)))
        .filter(|(_, secret)| secret.unfinished().is_some() && secret.primary_region.is_none())
        .map(|(scope, secret)| (scope.clone(), secret.name.clone()))
        .collect();
    for (scope, name) in stuck {
        reattempt(world.region(&scope.account, &scope.region).secrets.edit(&name), now);
    }
}

/// Has an unfinished rotation tried again now, with the function and rules that it has: the answer that it isn't complete promises
/// that. False where a try is under way, or where nothing rotates the secret any more.
pub(super) fn reattempt(secret: Option<&mut Secret>, now: Time) -> bool {
    let Some(secret) = secret.filter(|secret| secret.deleted.is_none()) else { return false };
    let stuck = secret.unfinished().map(str::to_owned);
    let Some(rotation) = secret.rotation.as_mut().filter(|rotation| rotation.enabled) else { return false };
    match (&mut rotation.run, stuck) {
        (Some(run), _) if run.active => false,
        (Some(run), _) => {
            (run.at, run.tries) = (now, 0);
            true
        }
        (None, Some(token)) => {
            rotation.run = Some(Run::new(token, false, now));
            true
        }
        (None, None) => false,
    }
}

/// Marks what is due as active, and says when something is due next.
fn due(shared: &Shared) -> (Vec<Job>, Option<Time>) {
    let now = shared.now();
    let mut next: Option<Time> = None;
    let mut found: Vec<(Scope, String)> = Vec::new();
    let mut world = shared.world();
    for (scope, region) in &world.scopes {
        for secret in region.secrets.iter() {
            match due_at(secret) {
                _ if is_mended(&world, secret) => found.push((scope.clone(), secret.name.clone())),
                Some(at) if at <= now => found.push((scope.clone(), secret.name.clone())),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
    }
    let mended: BTreeSet<String> = found
        .iter()
        .filter(|(scope, name)| {
            let region = world.scopes.get(scope);
            region.and_then(|region| region.secrets.find(name)).is_some_and(|secret| is_mended(&world, secret))
        })
        .map(|(_, name)| name.clone())
        .collect();
    let mut jobs = Vec::new();
    let any = !found.is_empty();
    for (scope, name) in found {
        let region = world.region(&scope.account, &scope.region);
        if region.secrets.find(&name).is_some_and(|secret| secret.deleted.is_some()) {
            region.secrets.remove(&name);
            continue;
        }
        let Some(secret) = region.secrets.edit(&name) else { continue };
        let stuck = secret.unfinished().map(str::to_owned);
        let Some(rotation) = &mut secret.rotation else { continue };
        let run = rotation.run.get_or_insert_with(|| {
            rotation.next = None;
            // A rotation that never finished is attempted again, as its own version.
            Run::new(stuck.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()), false, now)
        });
        run.active = true;
        if rotation.failed.take_if(|_| mended.contains(&name)).is_some() {
            run.tries = 0;
        }
        jobs.push(Job { account: scope.account, region: scope.region, name, token: run.token.clone() });
    }
    drop(world);
    if any {
        shared.touch();
    }
    (jobs, next)
}

/// When something is to be done about a secret: it goes, its rotation is tried again, its window opens.
fn due_at(secret: &Secret) -> Option<Time> {
    if secret.deleted.is_some() {
        return secret.deleted;
    }
    let rotation = secret.rotation.as_ref()?;
    match &rotation.run {
        Some(run) if run.active => None,
        Some(run) => Some(run.at),
        None => rotation.next.filter(|_| rotation.enabled),
    }
}

/// Whether Secrets Manager may invoke a function for a secret. It looks where the function is: rotation across accounts
/// works, across regions it doesn't.
pub(super) fn may_invoke(world: &World, account: &str, region: &str, function: &str, secret: &str) -> bool {
    let Some(arn) = Arn::parse(function).filter(|arn| arn.service == "lambda" && arn.region == region) else {
        return false;
    };
    world.find(arn.account, arn.region).is_some_and(|region| {
        lambda::exists(region, function) && lambda::permits_secretsmanager(region, function, account, secret)
    })
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All steps ran.
    Done,
    /// This step failed, or couldn't run.
    Failed(&'static str),
    /// Somebody cancelled it, or the secret is gone.
    Abandoned,
}

/// What a try needs to know.
struct Attempt {
    arn: String,
    function: Option<String>,
    test: bool,
    proof: String,
}

async fn attempt(shared: &Arc<Shared>, job: &Job) -> Outcome {
    let Some(attempt) = prepare(shared, job) else { return Outcome::Abandoned };
    let Some(function) = &attempt.function else { return Outcome::Done };
    let steps = if attempt.test { &STEPS[2..3] } else { &STEPS[..] };
    for step in steps {
        if !is_wanted(shared, job) {
            return Outcome::Abandoned;
        }
        // Each time: a permission can be taken away between two steps.
        if !may_invoke(&shared.world(), &job.account, &job.region, function, &attempt.arn) {
            return Outcome::Failed(step);
        }
        let event = json!({
            "Step": step,
            "SecretId": attempt.arn,
            "ClientRequestToken": job.token,
            // Every function gets it: which of them assumes a role can't be known beforehand.
            "RotationToken": attempt.proof,
        });
        let (account, region) =
            Arn::parse(function).map_or((job.account.as_str(), job.region.as_str()), |arn| (arn.account, arn.region));
        let payload = event.to_string().into_bytes();
        match lambda::invoke_internal(shared, account, region, function, payload).await {
            InvokeOutcome::Ok(ran) => {
                let other = lambda::runs_otherwise(shared, account, region, function);
                let undone = with_run(shared, job, |secret| {
                    ran_step(secret, &job.token, step, ran);
                    if let Some((runtime, version)) = other {
                        stand_in(secret, &job.token, StandIn::Version { runtime, version });
                    }
                    undone(secret, &job.token, step)
                });
                if let Some(what) = undone.flatten() {
                    lambda::say_undone(shared, account, region, function, step, what);
                }
            }
            InvokeOutcome::CannotRun(reason) => {
                lambda::say_simulated(shared, account, region, function, step, &reason);
                let simulated = with_run(shared, job, |secret| {
                    simulate(secret, &job.token, step);
                    stand_in(secret, &job.token, StandIn::Simulated { reason });
                });
                if simulated.is_none() {
                    return Outcome::Abandoned;
                }
            }
            InvokeOutcome::FunctionError { .. } | InvokeOutcome::NotFound | InvokeOutcome::Unavailable(_) => {
                return Outcome::Failed(step);
            }
        }
    }
    Outcome::Done
}

/// Begins a rotation that is looked at step by step. What the function proves with that it acts for it.
pub(super) fn begin(shared: &Shared, job: &Job) -> Option<String> {
    prepare(shared, job).map(|attempt| attempt.proof)
}

/// Attaches `AWSPENDING` to the version, which has no value yet.
fn prepare(shared: &Shared, job: &Job) -> Option<Attempt> {
    let edition = {
        let world = shared.world();
        let secret = world.find(&job.account, &job.region).and_then(|region| region.secrets.find(&job.name));
        let function = secret.and_then(|secret| secret.rotation.as_ref()?.function.as_deref());
        function.and_then(|function| edition(&world, function))
    };
    let (attempt, is_first) = with_run(shared, job, |secret| {
        let now = shared.now();
        let proof = uuid::Uuid::new_v4().to_string();
        if let Some(run) = secret.rotation.as_mut().and_then(|rotation| rotation.run.as_mut()) {
            run.proof = Some(proof.clone());
            run.edition = edition;
        }
        let rotation = secret.rotation.clone().unwrap_or_default();
        let test = rotation.run.as_ref().is_some_and(|run| run.test);
        // The published functions' testSecret logs in with the pending value: for a test, that is a copy of the current one.
        let current = secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)?.value.clone());
        let value = if test { current } else { None };
        secret.versions.entry(job.token.clone()).or_insert_with(|| Version::new(value, &[], now)).rotated = true;
        secret.move_stage(PENDING, &job.token);
        if secret.is_managed() && !test {
            rotate_managed(secret, &job.token);
        }
        let is_first = rotation.run.is_some_and(|run| run.tries == 0);
        (Attempt { arn: secret.arn.clone(), function: rotation.function, test, proof }, is_first)
    })?;
    if is_first {
        let name = if attempt.test { "TestRotationStarted" } else { "RotationStarted" };
        note(shared, job, Happened { name, secret: &attempt.arn, token: &job.token, error: None });
    }
    Some(attempt)
}

/// Writes an event of Secrets Manager's own.
fn note(shared: &Shared, job: &Job, what: Happened<'_>) {
    let now = shared.now();
    shared.write(&job.account, &job.region, |region| cloudtrail::happened(&mut region.trail, now, what));
}

/// Notes how a try ended.
pub(super) fn settle(shared: &Shared, job: &Job, outcome: Outcome) {
    let now = shared.now();
    let settled = with_run(shared, job, |secret| {
        let test = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref()).is_some_and(|run| run.test);
        let (arn, function) =
            (secret.arn.clone(), secret.rotation.as_ref().and_then(|rotation| rotation.function.clone()));
        if test {
            // A test leaves nothing behind, however it ended.
            secret.versions.remove(&job.token);
            if let Some(rotation) = &mut secret.rotation {
                rotation.run = None;
            }
            let name = if outcome == Outcome::Done { "TestRotationSucceeded" } else { "TestRotationFailed" };
            return (arn, name, function);
        }
        // The function's finishSecret moves AWSCURRENT; a function that doesn't hasn't rotated anything.
        if outcome == Outcome::Done && secret.version_with(CURRENT) == Some(&job.token) {
            secret.drop_stage(PENDING);
            if let Some(rotation) = &mut secret.rotation {
                rotation.last = Some(now);
                rotation.run = None;
                rotation.failed = None;
            }
            secret.changed = now;
            secret.plan_next(now, now);
            secret.tidy(now);
            return (arn, "RotationSucceeded", function);
        }
        let failed = (arn, "RotationFailed", function);
        let Some(rotation) = &mut secret.rotation else { return failed };
        let Some(run) = &mut rotation.run else { return failed };
        rotation.failed = run.edition;
        if let Some(wait) = usize::try_from(run.tries).ok().and_then(|tries| RETRIES.get(tries)) {
            run.tries += 1;
            run.at = now.plus(shared.scaled(*wait));
            run.active = false;
            return failed;
        }
        rotation.run = None;
        // The date that is shown stays in the past: nothing was rotated by then.
        if rotation.next.is_none_or(|next| next <= now) {
            rotation.next = rotation.rules.as_ref().and_then(|rules| rules.next(now, now)).map(|(opens, _)| opens);
        }
        failed
    });
    if let Some((secret, name, function)) = settled {
        let error = name.ends_with("Failed").then(|| failure_words(outcome, function.as_deref().unwrap_or_default()));
        note(shared, job, Happened { name, secret: &secret, token: &job.token, error });
        shared.reschedule();
    }
}

/// AWS's words for a try that failed.
fn failure_words(outcome: Outcome, function: &str) -> String {
    // A function that ends well and moves no label has failed in its last step.
    let step = if let Outcome::Failed(step) = outcome { step } else { STEPS[3] };
    format!("Error when executing lambda {function} during {step} step")
}

/// Whether a rotation is still wanted: nobody cancelled it, and the secret is there.
fn is_wanted(shared: &Shared, job: &Job) -> bool {
    shared.read(&job.account, &job.region, |region| {
        region.secrets.find(&job.name).is_some_and(|secret| runs(secret, job))
    })
}

fn runs(secret: &Secret, job: &Job) -> bool {
    let run = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref());
    secret.deleted.is_none() && run.is_some_and(|run| run.token == job.token)
}

/// Changes the secret of a rotation that is still wanted.
pub(super) fn with_run<T>(shared: &Shared, job: &Job, change: impl FnOnce(&mut Secret) -> T) -> Option<T> {
    let mut world = shared.world();
    let secret = world.region(&job.account, &job.region).secrets.edit(&job.name).filter(|secret| runs(secret, job))?;
    let result = change(secret);
    replicas::follow(&mut world, &job.account, &job.region, &job.name);
    drop(world);
    shared.touch();
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::secretsmanager::schedule::Rules;
    use crate::secretsmanager::secret::{Rotation, Secret};

    const TOKEN: &str = "00000000-0000-4000-8000-000000000001";

    /// Without it, a function that fails would be tried for ever, or its stuck version would vanish instead of showing
    /// what a night without anybody watching leaves behind.
    #[tokio::test]
    async fn a_rotation_that_fails_is_given_up_and_stays_stuck() {
        let sandbox = crate::start(Options { time_scale: 0.0, ..Options::default() }).await.expect("it starts");
        let shared = sandbox.shared();
        let (account, region, now) = ("111111111111", "eu-west-1", shared.now());
        let mut secret = Secret::new(account, region, "a", now);
        let latest = Some(Time(now.0 - 1));
        secret.rotation = Some(Rotation {
            enabled: true,
            function: Some("arn:aws:lambda:eu-west-1:111111111111:function:gone".to_owned()),
            rules: Some(Rules { days: Some(1), ..Rules::default() }),
            latest,
            run: Some(Run::new(TOKEN.to_owned(), false, now)),
            ..Rotation::default()
        });
        shared.write(account, region, |region| region.secrets.insert(secret));
        shared.reschedule();
        let rotation = loop {
            let secret = shared.read(account, region, |region| region.secrets.find("a").cloned()).expect("it stays");
            let rotation = secret.rotation.clone().expect("it stays configured");
            if rotation.run.is_none() {
                assert_eq!(secret.unfinished(), Some(TOKEN));
                assert!(secret.versions[TOKEN].value.is_none());
                break rotation;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((rotation.last, rotation.latest), (None, latest));
        assert!(rotation.next > Some(now));
        assert!(!goes_on(shared, account, region, "a", TOKEN));

        // The next sandbox tries it again, and gives it up again.
        reattempt_all(shared);
        assert!(goes_on(shared, account, region, "a", TOKEN));
        shared.reschedule();
        while goes_on(shared, account, region, "a", TOKEN) {
            tokio::task::yield_now().await;
        }
    }
}
