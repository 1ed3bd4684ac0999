//! Rotations: started after a fresh look, and watched by the version that AWS answered with.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::aws::execute::{Execute, SecretState};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::{LiveSecret, Reading};
use crate::model::{Kind, arn};
use crate::plan::{Action, Change, FieldChange, Reason, RotateSecret, Step};

use super::engine::Interrupt;
use super::wait::Wait;
use super::{Context, Failure, NotFinished, Outcome, moved};

/// How long a test's version may be invisible before its absence means that it is over.
const UNSEEN: Duration = Duration::from_secs(3);

/// How young a rotation may be that is waited for before another one: one that is older has failed, as a rule, and is stuck.
const YOUNG: Duration = Duration::from_mins(5);

/// What came of asking for a rotation.
enum Asked {
    /// Secrets Manager accepted it.
    Accepted(Outcome),
    /// Another one hasn't ended; and how long ago anything of the secret changed.
    Unfinished(AwsError, Option<Duration>),
}

/// Pauses before another try; `false` where the time is up, or somebody interrupts.
async fn goes_on(wait: &mut Wait, interrupt: &Interrupt) -> bool {
    tokio::select! {
        () = interrupt.pulled() => false,
        goes_on = wait.pause() => goes_on,
    }
}

impl<E: Execute> Context<'_, E> {
    fn request(&self, step: &Step) -> Result<&RotateSecret, Failure> {
        let change = self.change(step).ok_or(Failure::Internal("a rotation has no change"))?;
        change.action.rotate_secret().ok_or(Failure::Internal("a rotation has another action"))
    }

    /// A secret as it is now; `None` where it is gone.
    pub(super) async fn look(&self, secret: &str) -> Result<Option<SecretState>, Failure> {
        match self.executor.describe_secret(secret).await {
            Ok(live) => Ok(Some(live)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn rotation(&self, index: usize, step: &Step, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        let request = self.request(step)?;
        let mut wait = Wait::new(self.options.rotation_timeout);
        let mut waits = false;
        loop {
            // Others may have been here since the plan was made; nothing is rotated twice.
            let Some(state) = self.look(&request.secret_arn).await? else {
                return Err(Failure::SecretMissing);
            };
            if is_done(request, &state.secret) {
                return Ok(Outcome::Unchanged);
            }
            moved::refuse(self.moved(step, &state.secret, request.rotate_immediately))?;
            let (met, age) = match state.secret.unfinished_rotation() {
                Some(version) => (Failure::UnfinishedRotation { version: version.to_owned() }, state.age),
                None => match self.rotate(index, step, &state, interrupt).await? {
                    Asked::Accepted(outcome) => return Ok(outcome),
                    Asked::Unfinished(error, age) => (error.into(), age),
                },
            };
            // A rotation, or a test, that has only just begun ends by itself as a rule. One that failed doesn't.
            waits |= age.is_some_and(|age| age < YOUNG);
            if !waits || !self.options.wait {
                return Err(met);
            }
            self.waits(index, "the rotation", "until the one before it has ended");
            if !goes_on(&mut wait, interrupt).await {
                return Err(met);
            }
        }
    }

    /// Asks for a rotation of a secret that has none under way, as far as is known.
    async fn rotate(
        &self,
        index: usize,
        step: &Step,
        state: &SecretState,
        interrupt: &Interrupt,
    ) -> Result<Asked, Failure> {
        let request = self.request(step)?;
        let token = token(state, request);
        let mut wait = Wait::new(self.options.permission_timeout);
        let mut refused = false;
        loop {
            let answer = self
                .executor
                .rotate_secret(
                    &request.secret_arn,
                    &token,
                    request.function_arn.as_deref(),
                    request.rules.as_ref(),
                    request.rotate_immediately,
                )
                .await;
            match answer {
                Ok(answer) => {
                    self.note_version(step, answer.version_id);
                    return Ok(Asked::Accepted(Outcome::Applied { requests: answer.request_id.into_iter().collect() }));
                }
                // A request whose answer was lost is known by its token while its rotation runs; afterwards, by the version that it made.
                Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::Unfinished) => {
                    let now = self.look(&request.secret_arn).await.ok().flatten();
                    let is_ours = |now: &LiveSecret| {
                        let versions = [now.pending_version.as_ref(), now.current_version.as_ref()];
                        versions.contains(&Some(&token)) && is_done(request, now)
                    };
                    if now.as_ref().is_some_and(|now| is_ours(&now.secret)) {
                        self.note_version(step, token);
                        return Ok(Asked::Accepted(Outcome::Applied { requests: Vec::new() }));
                    }
                    if error.kind == ErrorKind::Unfinished {
                        return Ok(Asked::Unfinished(error, now.and_then(|now| now.age)));
                    }
                    return Err(error.into());
                }
                // A new permission takes a while to spread; where none stands, there is nothing to wait for.
                Err(error) if error.kind == ErrorKind::CannotInvoke => {
                    let function = request.function_arn.as_ref().or(state.secret.function_arn.as_ref());
                    if let Some(function) = function.filter(|_| !refused)
                        && let Some(failure) = self.never_permitted(function, &request.secret_arn).await
                    {
                        return Err(failure);
                    }
                    refused = true;
                    self.waits(index, "the rotation", "until Secrets Manager may invoke the function");
                    if !goes_on(&mut wait, interrupt).await {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Keeps the version that a rotation makes, for whoever watches it.
    fn note_version(&self, step: &Step, version: String) {
        if let (Some(change), Ok(mut versions)) = (step.change, self.versions.lock()) {
            versions.insert(change, version);
        }
    }

    pub(super) async fn watch(&self, index: usize, step: &Step, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        let request = self.request(step)?;
        let version = match (step.change, self.versions.lock()) {
            (Some(change), Ok(versions)) => versions.get(&change).cloned(),
            _ => None,
        };
        // Without a version, the rotation's step found nothing to do.
        let Some(version) = version else { return Ok(Outcome::Unchanged) };
        if !self.options.wait {
            return Ok(Outcome::NotFinished(self.not_finished(request, version, None, false)));
        }
        let mut wait = Wait::new(self.options.rotation_timeout);
        let mut seen = false;
        loop {
            let stages = self.executor.rotation_progress(&request.secret_arn, &version).await?.stages;
            let pending = stages.iter().any(|stage| stage == "AWSPENDING");
            // Where another rotation has followed already, the version that is watched is the previous one.
            let current = stages.iter().any(|stage| stage == "AWSCURRENT" || stage == "AWSPREVIOUS");
            seen |= pending;
            let tested = !request.rotate_immediately && !pending && (seen || wait.elapsed() >= UNSEEN);
            if current || tested {
                return Ok(Outcome::Applied { requests: Vec::new() });
            }
            let status = if pending { "AWSPENDING" } else { "accepted" };
            self.waits(index, "the rotation", status);
            let interrupted = tokio::select! {
                () = interrupt.pulled() => true,
                goes_on = wait.pause() => {
                    if goes_on { continue; }
                    false
                }
            };
            let rest = self.not_finished(request, version, Some(wait.elapsed()), interrupted);
            return Ok(Outcome::NotFinished(rest));
        }
    }

    fn not_finished(
        &self,
        request: &RotateSecret,
        version: String,
        waited: Option<Duration>,
        interrupted: bool,
    ) -> NotFinished {
        let function = request.function_arn.as_deref().map(|arn| arn::function_name(arn).to_owned());
        let stated = function.as_ref().and_then(|name| {
            let configurations = self.live.functions.values().filter_map(|live| live.configuration.found());
            configurations.filter(|live| live.name == *name).find_map(|live| live.log_group.clone())
        });
        let log_group = stated.or_else(|| function.as_ref().map(|name| format!("/aws/lambda/{name}")));
        NotFinished { version, function, log_group, waited, interrupted }
    }

    pub(super) async fn disable(&self, step: &Step) -> Result<Outcome, Failure> {
        let change = self.change(step).ok_or(Failure::Internal("a switch-off has no change"))?;
        if change.action != Action::DisableRotation {
            return Err(Failure::Internal("a switch-off has another action"));
        }
        // Lists lag behind, and people are at work: each candidate is confirmed before it is switched off.
        let Some(SecretState { secret: live, .. }) = self.look(&change.name).await? else {
            return Ok(Outcome::Unchanged);
        };
        if !live.is_on() || self.has_moved_on(step, change, &live) {
            return Ok(Outcome::Unchanged);
        }
        let done = self.executor.cancel_rotate_secret(&live.arn).await?;
        Ok(Outcome::Applied { requests: done.request_id.into_iter().collect() })
    }
}

impl<E> Context<'_, E> {
    /// What somebody has changed about a secret since the plan was made.
    fn moved(&self, step: &Step, now: &LiveSecret, rotates_now: bool) -> Vec<FieldChange> {
        let then = self.live.secrets.get(&step.address.handle).and_then(Reading::found);
        then.map_or_else(Vec::new, |then| moved::secret(then, now, rotates_now))
    }

    /// Whether a secret that is switched off for its function's sake rotates with another one by now, or is another secret
    /// of that name. What the manifest itself wants off is off with whatever function.
    fn has_moved_on(&self, step: &Step, change: &Change, now: &LiveSecret) -> bool {
        let then = match step.address.kind {
            Kind::OrphanSecret => self
                .live
                .orphan_secrets
                .iter()
                .flatten()
                .find(|orphan| orphan.name == change.name)
                .map(|orphan| (orphan.arn.as_str(), Some(orphan.function_arn.as_str()))),
            _ if change.reason == Reason::Destroyed => self
                .live
                .secrets
                .get(&step.address.handle)
                .and_then(Reading::found)
                .map(|then| (then.arn.as_str(), then.function_arn.as_deref())),
            _ => None,
        };
        let plain =
            |function: Option<&str>| function.map(|function| arn::unqualified_function_arn(function).to_owned());
        then.is_some_and(|(arn, function)| arn != now.arn || plain(function) != plain(now.function_arn.as_deref()))
    }
}

/// The token of a request: the same for all who ask the same of a secret that is in the same state.
///
/// No write to Secrets Manager is conditional, so that two applies that look at the same moment both write. With one token for both,
/// which becomes the id of the version, they start one rotation; and a state that changes afterwards leads to another token.
fn token(state: &SecretState, request: &RotateSecret) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{} {request:?}", state.revision));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Whether a secret is already as a request would make it.
fn is_done(request: &RotateSecret, live: &LiveSecret) -> bool {
    live.is_on()
        && request.function_arn.as_ref().is_none_or(|wanted| live.function_arn.as_ref() == Some(wanted))
        && request.rules.as_ref().is_none_or(|wanted| live.rules.as_ref() == Some(wanted))
}
