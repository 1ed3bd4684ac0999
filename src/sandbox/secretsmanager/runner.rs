//! Rotations as they happen: the four steps, retries, schedules, and the end of deleted secrets.
//!
//! A rotation starts [`START`] after it is asked for. One that fails is tried again, as a whole, after each of [`RETRIES`];
//! then it rests until its next window, with `AWSPENDING` left where it is. AWS's own times aren't published; these are
//! short, so that a rehearsal shows what a night would. All are scaled by the sandbox's time scale.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::rotate::{is_managed, may_invoke};
use super::secret::{CURRENT, PENDING, Run, Secret, Value, Version};
use super::{password, replicas};
use crate::sandbox::clock::Time;
use crate::sandbox::lambda::{self, InvokeOutcome};
use crate::sandbox::service::Shared;
use crate::sandbox::state::Scope;
use crate::sandbox::wire::arn::Arn;

/// How long after the request a rotation starts.
pub(super) const START: Duration = Duration::from_millis(50);

/// The waits before the second, third and fourth try.
const RETRIES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];

/// How long the scheduler gathers what changed before it looks again.
const GATHER: Duration = Duration::from_millis(20);

/// How long the scheduler sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Which rotation.
#[derive(Debug, Clone)]
struct Job {
    account: String,
    region: String,
    name: String,
    token: String,
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

/// Marks what is due as active, and says when something is due next.
fn due(shared: &Shared) -> (Vec<Job>, Option<Time>) {
    let now = shared.now();
    let mut next: Option<Time> = None;
    let mut found: Vec<(Scope, String)> = Vec::new();
    let mut world = shared.world();
    for (scope, region) in &world.scopes {
        for secret in region.secrets.iter() {
            match due_at(secret) {
                Some(at) if at <= now => found.push((scope.clone(), secret.name.clone())),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
    }
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
            let token = stuck.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            Run { token, test: false, tries: 0, at: now, active: false, proof: None }
        });
        run.active = true;
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

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All steps ran.
    Done,
    /// A step failed, or couldn't run.
    Failed,
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
    let Some(attempt) = begin(shared, job) else { return Outcome::Abandoned };
    let Some(function) = &attempt.function else { return Outcome::Done };
    let steps = if attempt.test { &STEPS[2..3] } else { &STEPS[..] };
    for step in steps {
        if !is_wanted(shared, job) {
            return Outcome::Abandoned;
        }
        // Each time: a permission can be taken away between two steps.
        if !may_invoke(&shared.world(), &job.account, &job.region, function, &attempt.arn) {
            return Outcome::Failed;
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
            InvokeOutcome::Ok(_) => {}
            InvokeOutcome::FunctionError { .. } | InvokeOutcome::NotFound | InvokeOutcome::Unavailable(_) => {
                return Outcome::Failed;
            }
        }
    }
    Outcome::Done
}

/// Attaches `AWSPENDING` to the version, which has no value yet.
fn begin(shared: &Shared, job: &Job) -> Option<Attempt> {
    with_run(shared, job, |secret| {
        let now = shared.now();
        let proof = uuid::Uuid::new_v4().to_string();
        if let Some(run) = secret.rotation.as_mut().and_then(|rotation| rotation.run.as_mut()) {
            run.proof = Some(proof.clone());
        }
        let rotation = secret.rotation.clone().unwrap_or_default();
        let test = rotation.run.is_some_and(|run| run.test);
        // The published functions' testSecret logs in with the pending value: for a test, that is a copy of the current one.
        let current = secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)?.value.clone());
        let value = if test { current } else { None };
        secret.versions.entry(job.token.clone()).or_insert_with(|| Version::new(value, &[], now)).rotated = true;
        secret.move_stage(PENDING, &job.token);
        if is_managed(secret) && !test {
            rotate_managed(secret, &job.token);
        }
        Attempt { arn: secret.arn.clone(), function: rotation.function, test, proof }
    })
}

/// What the owner of a managed secret does: it sets a new value and makes it current.
fn rotate_managed(secret: &mut Secret, token: &str) {
    if let Some(version) = secret.versions.get_mut(token)
        && version.value.is_none()
    {
        let value = json!({"username": "sandbox", "password": password::made_up(32)});
        version.value = Some(Value::Text(value.to_string()));
    }
    secret.move_stage(CURRENT, token);
}

/// Notes how a try ended.
fn settle(shared: &Shared, job: &Job, outcome: Outcome) {
    let now = shared.now();
    let settled = with_run(shared, job, |secret| {
        let test = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref()).is_some_and(|run| run.test);
        if test {
            // A test leaves nothing behind, however it ended.
            secret.versions.remove(&job.token);
            if let Some(rotation) = &mut secret.rotation {
                rotation.run = None;
            }
            return;
        }
        // The function's finishSecret moves AWSCURRENT; a function that doesn't hasn't rotated anything.
        if outcome == Outcome::Done && secret.version_with(CURRENT) == Some(&job.token) {
            secret.drop_stage(PENDING);
            if let Some(rotation) = &mut secret.rotation {
                rotation.last = Some(now);
                rotation.run = None;
            }
            secret.changed = now;
            secret.plan_next(now, now);
            secret.tidy(now);
            return;
        }
        let Some(rotation) = &mut secret.rotation else { return };
        let Some(run) = &mut rotation.run else { return };
        if let Some(wait) = usize::try_from(run.tries).ok().and_then(|tries| RETRIES.get(tries)) {
            run.tries += 1;
            run.at = now.plus(shared.scaled(*wait));
            run.active = false;
            return;
        }
        rotation.run = None;
        // The date that is shown stays in the past: nothing was rotated by then.
        if rotation.next.is_none_or(|next| next <= now) {
            rotation.next = rotation.rules.as_ref().and_then(|rules| rules.next(now, now)).map(|(opens, _)| opens);
        }
    });
    if settled.is_some() {
        shared.reschedule();
    }
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
fn with_run<T>(shared: &Shared, job: &Job, change: impl FnOnce(&mut Secret) -> T) -> Option<T> {
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
    use crate::sandbox::secretsmanager::schedule::Rules;
    use crate::sandbox::secretsmanager::secret::{Rotation, Secret};
    use crate::sandbox::{self, Options};

    const TOKEN: &str = "00000000-0000-4000-8000-000000000001";

    /// Without it, a function that fails would be tried for ever, or its stuck version would vanish instead of showing
    /// what a night without anybody watching leaves behind.
    #[tokio::test]
    async fn a_rotation_that_fails_is_given_up_and_stays_stuck() {
        let sandbox = sandbox::start(Options { time_scale: 0.0, ..Options::default() }).await.expect("it starts");
        let shared = sandbox.shared();
        let (account, region, now) = ("111111111111", "eu-west-1", shared.now());
        let mut secret = Secret::new(account, region, "a", now);
        let latest = Some(Time(now.0 - 1));
        secret.rotation = Some(Rotation {
            enabled: true,
            function: Some("arn:aws:lambda:eu-west-1:111111111111:function:gone".to_owned()),
            rules: Some(Rules { days: Some(1), ..Rules::default() }),
            latest,
            run: Some(Run { token: TOKEN.to_owned(), test: false, tries: 0, at: now, active: false, proof: None }),
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
    }
}
