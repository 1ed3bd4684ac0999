//! How rotations and tests end: a rotation by its version's labels, a test by its function's log, which tells of a rotation's tries too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::interrupt::Interrupt;
use super::wait::Wait;
use super::{Context, Event, Failure, Moved, NotFinished, Outcome, Replaced, TestFailed, Unknown, Unverified};
use crate::aws::execute::{Execute, SecretState};
use crate::model::arn;
use crate::model::live::Reading;
use crate::model::trouble::{RotationStep, Trouble};
use crate::model::{Kind, Live, LogEvent};
use crate::plan::verdict::{Logged, Request, Tries, Unproved, Verdict, tries, verdict};
use crate::plan::{Action, Change, Plan, Step};

/// How long a test's version may be invisible before its absence means that it is over.
const UNSEEN: Duration = Duration::from_secs(3);

/// How long words of a test that is over may be on their way into the log.
const LATE: Duration = Duration::from_secs(20);

/// How long the end of an invocation may be on its way whose beginning is there.
const LATE_END: Duration = Duration::from_mins(1);

/// How young a rotation may be that is waited for: one that is older has failed, as a rule, and is stuck.
pub(super) const YOUNG: Duration = Duration::from_mins(5);

/// How long after a try was asked for the function is invoked at the latest, as a rule.
const SILENT: Duration = Duration::from_mins(5);

/// The longest pause between two looks at a sandbox.
const NEAR: Duration = Duration::from_secs(1);

/// How long before a rotation was seen to change anything it may have begun.
const BEFORE: Duration = Duration::from_mins(5);

/// How old a reading of a log may be that serves another wait too: `FilterLogEvents` lets few calls through.
const FRESH: Duration = Duration::from_secs(1);

/// How far the clocks of Secrets Manager, Lambda and this process may differ, in milliseconds.
const CLOCKS: i64 = 1_500;

/// A request that Secrets Manager has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The version that it makes.
    pub version: String,
    /// When, by AWS's clock, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// When the secret rotates next, as AWS said before the request, in seconds since 1970; `None` where the request itself may move that.
    pub next: Option<i64>,
    /// The function that it concerns, by ARN; `None` where AWS's own service, or a partner, rotates the secret.
    pub function: Option<String>,
}

/// A rotation that is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    sent: Sent,
    /// Whether this apply asked for it.
    ours: bool,
    /// How long it is watched, where that isn't as long as any other.
    longest: Option<Duration>,
    /// Whether a try of it was asked for, which may never come.
    retried: bool,
}

impl Watched {
    /// One that this apply asked for.
    pub(super) fn asked(sent: Sent) -> Self {
        Self { sent, ours: true, longest: None, retried: false }
    }

    /// One that is stuck, and of which this apply asked for another try.
    pub(super) fn retried(sent: Sent) -> Self {
        Self { ours: false, retried: true, ..Self::asked(sent) }
    }
}

/// Where a function logs, and what its log can say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    group: String,
    logged: Logged,
}

type Found<T> = Result<T, Unknown>;

/// A reading that all who wait for a function share, and when it was made.
type Shared<T> = Arc<tokio::sync::Mutex<Option<(Instant, T)>>>;

/// A function's log since a moment.
type Read = Found<Arc<[LogEvent]>>;

/// What functions have logged, read once for all who wait for the same one.
#[derive(Debug, Default)]
pub struct Logs {
    /// The rotations that are watched and that this apply didn't ask for.
    unfinished: Mutex<Vec<Sent>>,
    /// By the function's ARN.
    sources: Mutex<BTreeMap<String, Shared<Found<Source>>>>,
    /// By the function's ARN too: each is read since the first request that concerns it.
    read: Mutex<BTreeMap<String, Shared<Read>>>,
}

fn shared<T>(all: &Mutex<BTreeMap<String, Shared<T>>>, key: &str) -> Shared<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(key.to_owned()).or_default())
}

/// How many requests of a plan concern a function.
fn requests(plan: &Plan, live: &Live, function: &str) -> usize {
    let of_plan = plan.runnable().filter_map(|change| {
        let asked = match &change.action {
            Action::Repair(_) => None,
            action => action.rotate_secret()?.function_arn.as_deref(),
        };
        let live = live.secrets.get(&change.address.handle).and_then(Reading::found);
        asked.or_else(|| live?.function_arn.as_deref())
    });
    let asked = of_plan.filter(|other| *other == function).count();
    // Those whose rotations were begun before, and may be under way.
    let unfinished = plan.unfinished().filter(|(address, ..)| {
        let live = live.secrets.get(&address.handle).and_then(Reading::found);
        live.is_some_and(|live| live.function_arn.as_deref() == Some(function))
    });
    asked + unfinished.count()
}

impl<E> Context<'_, E> {
    /// Keeps what a request was sent for, for whoever watches it.
    pub(super) fn note_sent(&self, step: &Step, sent: Sent) {
        if let Some(change) = step.change {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(change, sent);
        }
    }

    pub(super) fn sent(&self, step: &Step) -> Option<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).get(&step.change?).cloned()
    }

    /// How many requests of this apply concern a function. Those that weren't sent count too: they may be any moment.
    fn together(&self, function: &str) -> usize {
        let beside = self.beside.iter().map(|(plan, live)| requests(plan, live, function));
        requests(self.plan, self.live, function) + beside.sum::<usize>()
    }

    /// Keeps what a rotation was begun with that nobody here asked for.
    fn note_unfinished(&self, sent: &Sent) {
        self.logs.unfinished.lock().unwrap_or_else(PoisonError::into_inner).push(sent.clone());
    }

    /// Keeps that a test has moved a secret's next rotation, where it has.
    fn note_date(&self, index: usize, before: Option<i64>, after: Option<i64>) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        match (before, after) {
            (Some(before), Some(after)) if before != after => drop(moved.insert(index, Moved { before, after })),
            _ => drop(moved.remove(&index)),
        }
    }

    /// What this apply has changed of a secret's function, as it was before.
    fn replaced(&self, step: &Step) -> Option<Box<Replaced>> {
        let handle = self.desired.secrets.get(&step.address.handle)?.function.clone()?;
        let address = self.desired.address(Kind::Function, &handle);
        let is_of_function = |change: &&Change| {
            change.address == address
                && matches!(
                    change.action,
                    Action::UpdateStack { .. } | Action::UpdateConfiguration | Action::UpdateCode
                )
        };
        let mut changed = self.plan.runnable().filter(is_of_function).peekable();
        changed.peek()?;
        let has_code = changed.any(|change| matches!(change.action, Action::UpdateCode));
        let live = self.live.functions.get(&handle).and_then(|live| live.configuration.found());
        let code = live.filter(|_| has_code).map(|live| live.code_sha256.clone());
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.values().find(|kept| code.as_ref() == Some(&kept.code)).cloned();
        Some(Box::new(Replaced { handle, address, code, path: None, commit: None, kept }))
    }

    /// Whether a function's log is in the account and region of this target.
    fn is_here(&self, function: &str) -> bool {
        arn::is_in(function, &self.live.account, &self.live.region)
    }
}

impl<E: Execute> Context<'_, E> {
    /// Where a function logs, asked once.
    async fn source(&self, function: &str) -> Found<Source> {
        if !self.is_here(function) {
            return Err(Unknown::Elsewhere);
        }
        let known = shared(&self.logs.sources, function);
        let mut known = known.lock().await;
        if let Some((_, source)) = &*known {
            return source.clone();
        }
        let source = match self.executor.get_configuration(function).await {
            Ok(state) => {
                let live = state.configuration;
                Ok(Source { group: live.logs_to(), logged: Logged::of(&live) })
            }
            Err(error) => Err(Unknown::Unread(Box::new(error))),
        };
        *known = Some((Instant::now(), source.clone()));
        source
    }

    /// What a function has logged since a request, as of no longer ago than `age`. Each reading begins with the earliest request that
    /// concerns the function.
    async fn logged(&self, function: &str, source: &Source, age: Duration) -> Read {
        let read = shared(&self.logs.read, function);
        let mut read = read.lock().await;
        if let Some((at, events)) = &*read
            && at.elapsed() < age
        {
            return events.clone();
        }
        let since = {
            let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let unfinished = self.logs.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
            let all = sent.values().chain(unfinished.iter());
            all.filter(|sent| sent.function.as_deref() == Some(function)).map(|sent| sent.at - CLOCKS).min()
        };
        let events = self.executor.log(&source.group, since.unwrap_or_default()).await;
        let events = events.map(Arc::from).map_err(|error| Unknown::Unread(Box::new(error)));
        *read = Some((Instant::now(), events.clone()));
        events
    }

    /// A function's log of no longer ago than `age`, with what it can say, and where it is.
    async fn heard(&self, sent: &Sent, age: Duration) -> (Option<String>, Found<(Arc<[LogEvent]>, Logged)>) {
        let Some(function) = &sent.function else { return (None, Err(Unknown::NoFunction)) };
        match self.source(function).await {
            Err(unknown) => (self.is_here(function).then(|| arn::default_log_group(function)), Err(unknown)),
            Ok(source) => {
                let events = self.logged(function, &source, age).await;
                (Some(source.group), events.map(|events| (events, source.logged)))
            }
        }
    }

    fn asked<'a>(&self, secret_arn: &'a str, sent: &'a Sent) -> Request<'a> {
        let together = sent.function.as_deref().map_or(1, |function| self.together(function));
        Request { token: &sent.version, secret_arn, sent: sent.at - CLOCKS, together }
    }

    /// What a rotation's tries did so far, as of no longer ago than `age`.
    async fn tries(&self, secret_arn: &str, watched: &Watched, age: Duration) -> (Option<String>, Found<Tries>) {
        let (group, heard) = self.heard(&watched.sent, age).await;
        let request = self.asked(secret_arn, &watched.sent);
        (group, heard.map(|(events, logged)| tries(&events, request, &logged)))
    }

    /// Watches a function's test to its end, and says what the log says of it.
    pub(super) async fn watch_test(
        &self,
        index: usize,
        step: &Step,
        secret_arn: &str,
        sent: Sent,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        if sent.function.is_none() {
            return Ok(Outcome::Unchanged);
        }
        let mut wait = Wait::new(self.options.rotation_timeout);
        let (mut seen, mut over): (bool, Option<Instant>) = (false, None);
        loop {
            if over.is_none() {
                let now = self.executor.rotation_progress(secret_arn, &sent.version).await?;
                self.note_date(index, sent.next, now.next_rotation);
                let pending = now.stages.iter().any(|stage| stage == "AWSPENDING");
                seen |= pending;
                over = (!pending && (seen || wait.elapsed() >= UNSEEN)).then(Instant::now);
            }
            // Its log says nothing of use before that, as a rule.
            if over.is_none() && wait.elapsed() < UNSEEN {
                self.waits(index, "the function's test", "its end");
                if goes_on(&mut wait, interrupt).await {
                    continue;
                }
            }
            let (log_group, heard) = self.heard(&sent, FRESH).await;
            let verdict = heard.map(|(events, logged)| verdict(&events, self.asked(secret_arn, &sent), &logged));
            let function = sent.function.as_deref().map(|arn| arn::function_name(arn).to_owned());
            let why = match (verdict, log_group.clone(), function.clone()) {
                (Ok(Verdict::Passed), ..) => return Ok(Outcome::Applied { requests: Vec::new() }),
                (Ok(Verdict::Failed(trouble)), Some(log_group), Some(function)) => {
                    let version = sent.version;
                    let trouble = Box::new(Trouble { step: Some(RotationStep::Test), ..*trouble });
                    let replaced = self.replaced(step);
                    return Ok(Outcome::TestFailed(TestFailed { version, function, log_group, trouble, replaced }));
                }
                (Ok(Verdict::Failed(_)), ..) => return Err(Failure::Internal("a log without a function")),
                (Ok(Verdict::Unverified(why)), ..) => Unknown::Unproved(why),
                (Err(unknown), ..) => unknown,
            };
            let enough = over.is_some_and(|over| over.elapsed() >= patience(&why));
            let status = if over.is_some() { "what its log says" } else { "its end" };
            if !enough {
                self.waits(index, "the function's test", status);
            }
            if enough || !goes_on(&mut wait, interrupt).await {
                if over.is_none() {
                    let waited = Some(wait.elapsed());
                    let rest = self.not_finished(sent, log_group, waited, interrupt.is_pulled());
                    return Ok(Outcome::NotFinished(NotFinished { tries: Err(why), ..rest }));
                }
                return Ok(Outcome::Unverified(Unverified { version: sent.version, function, log_group, why }));
            }
        }
    }

    /// A rotation that was begun before, as if this apply had asked for it, as early as it may have begun.
    pub(super) fn began_before(&self, state: &SecretState, version: &str) -> Sent {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let at = self.executor.now().saturating_sub(milliseconds(state.age.unwrap_or(YOUNG) + BEFORE));
        Sent { version: version.to_owned(), at, next: None, function: state.secret.function_arn.clone() }
    }

    /// Whether the last try of a rotation that was begun before is known to have failed, and none to have begun since.
    pub(super) async fn rests(&self, state: &SecretState, version: &str) -> bool {
        let sent = self.began_before(state, version);
        self.note_unfinished(&sent);
        let watched = Watched { ours: false, ..Watched::asked(sent) };
        let (_, tries) = self.tries(&state.secret.arn, &watched, FRESH).await;
        tries.is_ok_and(|tries| tries.certain && tries.rests)
    }

    /// Watches a rotation that was begun before: to its end where it is young, or a sandbox tries it again; else it is stuck.
    pub(super) async fn watch_unfinished(
        &self,
        index: usize,
        step: &Step,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        let mut unfinished = self.plan.unfinished().filter(|(address, ..)| **address == step.address);
        let (_, _, version) = unfinished.next().ok_or(Failure::Internal("nothing is unfinished"))?;
        let planned = self.live.secrets.get(&step.address.handle).and_then(Reading::found);
        let planned = planned.ok_or(Failure::Internal("an unfinished rotation has no secret"))?;
        let Some(state) = self.look(&planned.arn).await? else { return Ok(Outcome::Unchanged) };
        // Where rotation is off, nothing goes on with a version that was put by hand, or left behind.
        if !self.options.wait || !state.secret.is_on() || state.secret.unfinished_rotation() != Some(version) {
            return Ok(Outcome::Unchanged);
        }
        let sent = self.began_before(&state, version);
        let is_young = state.age.is_some_and(|age| age < YOUNG);
        let longest = (!is_young && self.options.outlook.is_none()).then_some(Duration::ZERO);
        self.note_unfinished(&sent);
        let watched = Watched { ours: false, longest, ..Watched::asked(sent) };
        self.watch_rotation(index, &planned.arn, watched, interrupt).await
    }

    /// Watches a rotation until its version is current.
    pub(super) async fn watch_rotation(
        &self,
        index: usize,
        secret_arn: &str,
        watched: Watched,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        let wait = Wait::new(watched.longest.unwrap_or(self.options.rotation_timeout));
        // A sandbox tries again within seconds, and has no quotas.
        let mut wait = if self.options.outlook.is_some() { wait.at_most(NEAR) } else { wait };
        let mut told = 0;
        loop {
            // Asked before the version is looked at: what ends in between has ended well.
            let exhausted = match &self.options.outlook {
                Some(outlook) => !outlook.goes_on(secret_arn, &watched.sent.version).await,
                None => false,
            };
            let stages = self.executor.rotation_progress(secret_arn, &watched.sent.version).await?.stages;
            // Where another rotation has followed already, the version that is watched is the previous one.
            if stages.iter().any(|stage| stage == "AWSCURRENT" || stage == "AWSPREVIOUS") {
                return Ok(Outcome::Applied { requests: Vec::new() });
            }
            // What was read before the last try has ended doesn't have that one.
            let age = if exhausted { Duration::ZERO } else { FRESH };
            // A rotation that goes well is over before anybody asks for the log.
            let heard = if wait.elapsed() >= FRESH || !watched.ours {
                Some(self.tries(secret_arn, &watched, age).await)
            } else {
                None
            };
            self.tell(index, heard.as_ref().and_then(|(_, tries)| tries.as_ref().ok()), &mut told);
            let is_silent = heard.as_ref().is_some_and(|(_, tries)| tries.as_ref().is_ok_and(|tries| tries.all == 0));
            let silent = watched.retried && is_silent && wait.elapsed() >= SILENT;
            if !exhausted && !silent {
                let known = heard.as_ref().and_then(|(_, tries)| tries.as_ref().ok());
                let pending = stages.iter().any(|stage| stage == "AWSPENDING");
                self.waits(index, "the rotation", &how_it_does(known, pending));
                if goes_on(&mut wait, interrupt).await {
                    continue;
                }
            }
            let interrupted = interrupt.is_pulled();
            let (group, tries) = match heard {
                Some(heard) => heard,
                None => self.tries(secret_arn, &watched, age).await,
            };
            let goes_on = !exhausted && !silent && watched.longest.is_none();
            let rest = self.not_finished(watched.sent, group, Some(wait.elapsed()), interrupted);
            return Ok(Outcome::NotFinished(NotFinished { tries, goes_on, silent, ..rest }));
        }
    }

    /// Says at once that a try has failed, as far as that wasn't said yet. `told`: how many were.
    fn tell(&self, step: usize, tries: Option<&Tries>, told: &mut usize) {
        let Some((tries, trouble)) = tries.and_then(|tries| Some((tries, tries.last.clone()?))) else { return };
        if tries.failed > *told {
            *told = tries.failed;
            self.observer.event(&Event::TryFailed { step, trouble, failed: tries.failed });
        }
    }

    pub(super) fn not_finished(
        &self,
        sent: Sent,
        log_group: Option<String>,
        waited: Option<Duration>,
        interrupted: bool,
    ) -> NotFinished {
        let function = sent.function.as_deref().map(|arn| arn::function_name(arn).to_owned());
        let log_group = log_group.or_else(|| {
            let arn = sent.function.as_deref().filter(|function| self.is_here(function))?;
            let configurations = self.live.functions.values().filter_map(|live| live.configuration.found());
            let stated = configurations.filter(|live| live.arn == arn::unqualified_function_arn(arn));
            Some(
                stated
                    .into_iter()
                    .find_map(|live| live.log_group.clone())
                    .unwrap_or_else(|| arn::default_log_group(arn)),
            )
        });
        let tries = Err(Unknown::NotWaited);
        NotFinished {
            version: sent.version,
            function,
            log_group,
            waited,
            interrupted,
            tries,
            goes_on: true,
            silent: false,
        }
    }
}

/// How a rotation does, for whoever waits for it: what its last try did, where that is known.
fn how_it_does(tries: Option<&Tries>, pending: bool) -> String {
    match tries.and_then(|tries| Some((tries.failed, tries.last.as_ref()?))) {
        Some((failed, last)) => {
            let step = last.step.map_or_else(|| "the function".to_owned(), |step| step.to_string());
            let error = last.error.as_ref().map(|error| format!(": {}", error.name)).unwrap_or_default();
            format!("{step} failed{error} ({failed} so far)")
        }
        None if pending => "AWSPENDING".to_owned(),
        None => "accepted".to_owned(),
    }
}

/// How long after a test's end the log may still come to say more.
fn patience(why: &Unknown) -> Duration {
    match why {
        Unknown::Unproved(Unproved::NoEnd) => LATE_END,
        // Who runs in one process, or at once, may still name the request.
        Unknown::Unproved(Unproved::Silent | Unproved::Several(_) | Unproved::SharedGroup) => LATE,
        _ => Duration::ZERO,
    }
}

/// Pauses before another look; `false` where the time is up, or somebody interrupts.
pub(super) async fn goes_on(wait: &mut Wait, interrupt: &Interrupt) -> bool {
    tokio::select! {
        () = interrupt.pulled() => false,
        goes_on = wait.pause() => goes_on,
    }
}
