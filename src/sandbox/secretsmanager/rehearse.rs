//! What a rehearsal looks at beyond what AWS does: one more rotation of one secret of each function, step by step.
//!
//! AWS calls each step again where an answer was lost, rotates again at the next window, and believes a testSecret that looks at
//! nothing. So each step is called twice here; testSecret is asked about a wrong value too; what the steps left of labels and values
//! is compared, by whether it differs; and what the function logs is searched for what its secret holds.
//!
//! A function is looked at once for each edition of its code and configuration, and what was found stays until the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::json;

use super::private::{Private, wrong};
use super::runner::{self, Job, Outcome, STEPS};
use super::secret::{CURRENT, Finding, Flaw, PREVIOUS, Rehearsal, Run, Secret, Value};
use crate::lambda::{self, Apart};
use crate::service::Shared;
use crate::wire::arn::Arn;

/// How many functions are looked at side by side.
const TOGETHER: usize = 4;

/// How many findings of one function are kept.
const MOST: usize = 5;

/// What was found of functions.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is known of each, by its ARN.
    pub found: BTreeMap<String, Rehearsal>,
    /// The ARNs of those that were looked at just now.
    pub now: BTreeSet<String>,
}

/// Looks at the functions that rotate these secrets, as far as they have rotated one of them here.
pub async fn rehearse(shared: &Arc<Shared>, account: &str, region: &str, names: &BTreeSet<String>) -> Looked {
    let (mut known, new) = choose(shared, account, region, names);
    let looked = futures::stream::iter(new)
        .map(|(function, (name, edition))| async move {
            let found = look(shared, account, region, &name, &function, edition).await;
            found.map(|found| (function, found))
        })
        .buffer_unordered(TOGETHER)
        .collect::<Vec<_>>()
        .await;
    let mut now = BTreeSet::new();
    for (function, rehearsal) in looked.into_iter().flatten() {
        now.insert(function.clone());
        shared.write(account, region, |region| {
            region.rehearsals.insert(function.clone(), rehearsal.clone());
        });
        known.insert(function, rehearsal);
    }
    Looked { found: known, now }
}

type Found = BTreeMap<String, Rehearsal>;

/// What is known of each function, and of the others which secret shows it; by the functions' ARNs.
fn choose(
    shared: &Shared,
    account: &str,
    region: &str,
    names: &BTreeSet<String>,
) -> (Found, BTreeMap<String, (String, u64)>) {
    let (mut known, mut new) = (Found::new(), BTreeMap::new());
    shared.read(account, region, |found| {
        for secret in found.secrets.iter().filter(|secret| names.contains(&secret.name)) {
            let function = secret.rotation.as_ref().and_then(|rotation| rotation.function.clone());
            let is_here =
                |arn: &String| Arn::parse(arn).is_some_and(|arn| arn.account == account && arn.region == region);
            let Some(function) = function.filter(is_here) else { continue };
            let Some(edition) = runner::edition_in(found, &function) else { continue };
            match found.rehearsals.get(&function).filter(|known| known.edition == edition) {
                Some(rehearsal) => {
                    known.insert(function, rehearsal.clone());
                }
                None if has_rotated(secret) => {
                    new.entry(function).or_insert_with(|| (secret.name.clone(), edition));
                }
                None => {}
            }
        }
    });
    (known, new)
}

/// Whether a secret's current version was made by its function's own code, and nothing is under way.
fn has_rotated(secret: &Secret) -> bool {
    let idle = |secret: &Secret| secret.rotation.as_ref().is_some_and(|one| one.enabled && one.run.is_none());
    let current = secret.version_with(CURRENT).and_then(|id| secret.versions.get(id));
    let by_function = current.is_some_and(|version| version.rotated && !version.is_simulated());
    by_function && idle(secret) && secret.unfinished().is_none() && secret.deleted.is_none() && secret.is_primary()
}

/// One more rotation. `None` where it was kept from going on.
async fn look(
    shared: &Arc<Shared>,
    account: &str,
    region: &str,
    name: &str,
    function: &str,
    edition: u64,
) -> Option<Rehearsal> {
    let token = uuid::Uuid::new_v4().to_string();
    let now = shared.now();
    let arn = shared.write(account, region, |region| {
        let secret = region.secrets.edit(name).filter(|secret| has_rotated(secret))?;
        // Where it fails, it isn't tried again before the function is mended.
        let run = Run { active: true, tries: runner::LAST_TRY, ..Run::new(token.clone(), false, now) };
        secret.rotation.as_mut()?.run = Some(run);
        Some(secret.arn.clone())
    })?;
    let job = Job { account: account.to_owned(), region: region.to_owned(), name: name.to_owned(), token };
    let proof = runner::begin(shared, &job)?;
    let mut round = Round { shared, job: &job, function, arn, proof, findings: Vec::new(), stopped: false };
    let outcome = round.all().await;
    let (findings, stopped) = (std::mem::take(&mut round.findings), round.stopped);
    runner::settle(shared, &job, outcome);
    (!stopped).then(|| Rehearsal { edition, secret: name.to_owned(), findings })
}

/// A rotation that is looked at.
struct Round<'a> {
    shared: &'a Arc<Shared>,
    job: &'a Job,
    function: &'a str,
    arn: String,
    proof: String,
    findings: Vec<Finding>,
    /// Whether it came to nothing: the sandbox ends, or the machine can't run the function.
    stopped: bool,
}

/// How a call of a step ended.
enum Called {
    Passed(Vec<String>),
    Failed(Vec<(i64, String)>),
    Nothing,
}

impl Round<'_> {
    async fn all(&mut self) -> Outcome {
        let Some((current, before)) = self.version(CURRENT) else { return Outcome::Abandoned };
        for step in STEPS {
            if step == "testSecret" {
                self.tests_a_wrong_value(&before).await;
            }
            match self.call(step).await {
                Called::Passed(log) => self.search(step, &log, &before),
                Called::Failed(log) => {
                    self.found(step, Flaw::FailsOnceMore, log);
                    return Outcome::Failed(step);
                }
                Called::Nothing => {
                    self.stopped = true;
                    return Outcome::Abandoned;
                }
            }
            let made = self.value(&self.job.token);
            if let Some(flaw) = self.flaw_after(step, &current, &before, made.as_ref()) {
                self.found(step, flaw, Vec::new());
            }
            match self.call(step).await {
                Called::Failed(log) => self.found(step, Flaw::FailsAgain, log),
                Called::Passed(log) => {
                    self.search(step, &log, &before);
                    if self.value(&self.job.token) != made {
                        self.found(step, Flaw::ChangesAgain, Vec::new());
                    }
                }
                Called::Nothing => self.stopped = true,
            }
        }
        Outcome::Done
    }

    /// What is wrong with what a step left.
    fn flaw_after(&self, step: &str, current: &str, before: &Value, made: Option<&Value>) -> Option<Flaw> {
        let now = self.version(CURRENT);
        let moved = now.as_ref().is_none_or(|(id, value)| id != current || value != before);
        match step {
            "createSecret" | "setSecret" | "testSecret" if moved => Some(Flaw::TouchesCurrent),
            "setSecret" => match made {
                None => Some(Flaw::NoValue),
                Some(made) if made == before => Some(Flaw::SameValue),
                Some(made) => {
                    // The first rotation may have lost them already.
                    let earlier = self.version(PREVIOUS).filter(|(id, _)| !self.is_made_up(id)).map(|(_, value)| value);
                    let lost = lost(earlier.as_ref().unwrap_or(before), made);
                    (!lost.is_empty()).then_some(Flaw::LosesMembers { names: lost })
                }
            },
            "finishSecret" if now.is_none_or(|(id, _)| id != self.job.token) => Some(Flaw::NotMoved),
            _ => None,
        }
    }

    /// A testSecret that passes with a value that no service takes tests nothing.
    async fn tests_a_wrong_value(&mut self, before: &Value) {
        // What is current already, a function rightly leaves alone.
        if self.version(CURRENT).is_some_and(|(id, _)| id == self.job.token) {
            return;
        }
        let Some(wrong) = self.value(&self.job.token).and_then(|made| wrong(before, &made)) else { return };
        self.answers(Some(wrong));
        let called = self.call("testSecret").await;
        self.answers(None);
        match called {
            Called::Passed(_) => self.found("testSecret", Flaw::TestsNothing, Vec::new()),
            Called::Failed(log) => {
                let log: Vec<String> = log.into_iter().map(|(_, line)| line).collect();
                self.search("testSecret", &log, before);
            }
            Called::Nothing => {}
        }
    }

    /// Has the pending version answered with another value for a while; what is kept doesn't change.
    fn answers(&self, with: Option<Value>) {
        runner::with_run(self.shared, self.job, |secret| {
            if let Some(run) = secret.rotation.as_mut().and_then(|rotation| rotation.run.as_mut()) {
                run.instead = with;
            }
        });
    }

    async fn call(&self, step: &str) -> Called {
        let Job { account, region, token, .. } = self.job;
        if !runner::may_invoke(&self.shared.world(), account, region, self.function, &self.arn) {
            return Called::Nothing;
        }
        let event = json!({
            "Step": step, "SecretId": self.arn, "ClientRequestToken": token, "RotationToken": self.proof,
        });
        match lambda::invoke_apart(self.shared, account, region, self.function, event.to_string().into_bytes()).await {
            Apart::Passed(log) => Called::Passed(log.into_iter().map(|(_, line)| line).collect()),
            Apart::Failed(log) => Called::Failed(log),
            Apart::Nothing => Called::Nothing,
        }
    }

    /// Looks for what only the secret may hold in what was logged.
    fn search(&mut self, step: &str, log: &[String], before: &Value) {
        let Job { account, region, name, token } = self.job;
        let private = self.shared.read(account, region, |region| {
            let made = region.secrets.find(name).and_then(|secret| secret.versions.get(token)?.value.clone());
            let mut private = Private::of_rotation(before, made.as_ref());
            for other in region.secrets.iter().filter(|other| other.name != *name && other.accessed.is_some()) {
                let current = other.version_with(CURRENT).and_then(|id| other.versions.get(id)?.value.as_ref());
                if let Some(value) = current {
                    private.add(value);
                }
            }
            private
        });
        let Some(words) = log.iter().find_map(|line| private.words_before(line)) else { return };
        let place = self.source().and_then(|source| source.prints(&words).or_else(|| source.step(step)));
        self.note(Finding { step: step.to_owned(), flaw: Flaw::LogsValue, place, log: Vec::new() });
    }

    fn found(&mut self, step: &str, flaw: Flaw, log: Vec<(i64, String)>) {
        let place = if log.is_empty() { self.source().and_then(|source| source.step(step)) } else { None };
        self.note(Finding { step: step.to_owned(), flaw, place, log });
    }

    fn note(&mut self, finding: Finding) {
        // What a step broke stays broken in the next one.
        let lasts = !matches!(finding.flaw, Flaw::FailsAgain | Flaw::ChangesAgain | Flaw::LogsValue);
        let same = |other: &Finding| {
            other.flaw == finding.flaw && (lasts || other.place == finding.place && other.step == finding.step)
        };
        if self.findings.len() < MOST && !self.findings.iter().any(same) {
            self.findings.push(finding);
        }
    }

    fn source(&self) -> Option<crate::runtime::source::Source> {
        self.shared.read(&self.job.account, &self.job.region, |region| lambda::source(region, self.function))
    }

    /// The version with a label, and its value.
    fn version(&self, stage: &str) -> Option<(String, Value)> {
        self.shared.read(&self.job.account, &self.job.region, |region| {
            let secret = region.secrets.find(&self.job.name)?;
            let id = secret.version_with(stage)?;
            Some((id.to_owned(), secret.versions.get(id)?.value.clone()?))
        })
    }

    /// Whether the sandbox itself made a version's value up.
    fn is_made_up(&self, version: &str) -> bool {
        self.shared.read(&self.job.account, &self.job.region, |region| {
            let secret = region.secrets.find(&self.job.name);
            secret.and_then(|secret| secret.versions.get(version)).is_some_and(|version| version.made_up)
        })
    }

    fn value(&self, version: &str) -> Option<Value> {
        self.shared.read(&self.job.account, &self.job.region, |region| {
            region.secrets.find(&self.job.name)?.versions.get(version)?.value.clone()
        })
    }
}

/// The members of an object that the new value lacks.
fn lost(before: &Value, made: &Value) -> Vec<String> {
    let (Some(before), Some(made)) = (before.object(), made.object()) else {
        return if before.object().is_some() { vec!["all of them".to_owned()] } else { Vec::new() };
    };
    before.keys().filter(|name| !made.contains_key(*name)).cloned().collect()
}
