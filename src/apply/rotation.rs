//! Rotations: started after a fresh look, and watched by the version that AWS answered with.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::aws::execute::{Execute, SecretState};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::{LiveSecret, Reading};
use crate::model::{Kind, arn};
use crate::plan::{Action, Change, FieldChange, Reason, RotateSecret, Step};

use super::ends::{Sent, Watched, YOUNG, goes_on};
use super::interrupt::Interrupt;
use super::wait::Wait;
use super::{Context, Failure, Outcome, moved};

/// What came of asking for a rotation.
enum Asked {
    /// Secrets Manager accepted it.
    Accepted(Outcome),
    /// Another one hasn't ended; and how long ago anything of the secret changed.
    Unfinished(AwsError, Option<Duration>),
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
            if let Some(token) = &request.token {
                if state.secret.has_ended(token) {
                    return Ok(Outcome::Unchanged);
                }
                // Asked for before, by this run.
                if state.secret.unfinished_rotation() == Some(token) {
                    self.note_sent(step, self.began_before(&state, token));
                    return Ok(Outcome::Applied { requests: Vec::new() });
                }
            } else if !self.only_tests(step) && is_done(request, &state.secret) {
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

    /// Whether a step changes nothing of a secret, and only has its function tested.
    fn only_tests(&self, step: &Step) -> bool {
        self.change(step).is_some_and(|change| matches!(change.action, Action::TestFunction(_)))
    }

    /// What is tested, so that another upload is another test: the function's code and revision. Nothing where no test is all that is
    /// asked for, or neither can be read: then the secret's state alone tells requests apart.
    async fn tested(&self, step: &Step, state: &SecretState) -> String {
        let Some(function) = state.secret.function_arn.as_ref().filter(|_| self.only_tests(step)) else {
            return String::new();
        };
        let found = self.executor.get_configuration(function).await.ok();
        found.map_or_else(String::new, |found| {
            format!("{} {}", found.configuration.code_sha256, found.revision_id.unwrap_or_default())
        })
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
        let token = match &request.token {
            Some(token) => token.clone(),
            None => token(state, request, &self.tested(step, state).await),
        };
        let function = request.function_arn.as_ref().or(state.secret.function_arn.as_ref()).cloned();
        // What changes the schedule moves the next rotation as it should.
        let next = state.next_rotation.filter(|_| self.only_tests(step));
        let sent = |version: String, at: i64| Sent { version, at, next, function: function.clone() };
        let mut wait = Wait::new(self.options.permission_timeout);
        let mut refused = false;
        loop {
            let at = self.executor.now();
            let answer = self
                .executor
                .rotate_secret(
                    &request.secret_arn,
                    &token,
                    request.function_arn.as_deref(),
                    request.external.as_ref(),
                    request.rules.as_ref(),
                    request.rotate_immediately,
                )
                .await;
            match answer {
                Ok(answer) => {
                    self.note_sent(step, sent(answer.version_id, at));
                    return Ok(Asked::Accepted(Outcome::Applied { requests: answer.request_id.into_iter().collect() }));
                }
                // A request whose answer was lost is known by its token while its rotation runs; afterwards, by the version that it made.
                Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::Unfinished) => {
                    let now = self.look(&request.secret_arn).await.ok().flatten();
                    let is_ours = |now: &LiveSecret| {
                        let is_there = now.pending_version.as_ref() == Some(&token) || now.has_ended(&token);
                        is_there && is_done(request, now)
                    };
                    if now.as_ref().is_some_and(|now| is_ours(&now.secret)) {
                        self.note_sent(step, sent(token, at));
                        return Ok(Asked::Accepted(Outcome::Applied { requests: Vec::new() }));
                    }
                    if error.kind == ErrorKind::Unfinished {
                        return Ok(Asked::Unfinished(error, now.and_then(|now| now.age)));
                    }
                    return Err(error.into());
                }
                // A new permission takes a while to spread; where none stands, there is nothing to wait for.
                Err(error) if error.kind == ErrorKind::CannotInvoke => {
                    if let Some(function) = function.as_ref().filter(|_| !refused)
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

    pub(super) async fn watch(&self, index: usize, step: &Step, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        if step.change.is_none() {
            return self.watch_unfinished(index, step, interrupt).await;
        }
        // Where nothing was sent, the rotation's step found nothing to do.
        let Some(sent) = self.sent(step) else { return Ok(Outcome::Unchanged) };
        if let Ok(repair) = self.repaired(step) {
            return self.watch_rotation(index, &repair.secret_arn, Watched::retried(sent), interrupt).await;
        }
        let request = self.request(step)?;
        if !self.options.wait {
            return Ok(Outcome::NotFinished(self.not_finished(sent, None, None, false)));
        }
        if request.rotate_immediately {
            self.watch_rotation(index, &request.secret_arn, Watched::asked(sent), interrupt).await
        } else {
            self.watch_test(index, step, &request.secret_arn, sent, interrupt).await
        }
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

    /// Whether a secret that is switched off for its function's sake now rotates with another one, or is another secret
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
fn token(state: &SecretState, request: &RotateSecret, tested: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{} {request:?}{tested}", state.revision));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Whether a secret is already as a request would make it.
fn is_done(request: &RotateSecret, live: &LiveSecret) -> bool {
    live.is_on()
        && request.function_arn.as_ref().is_none_or(|wanted| live.function_arn.as_ref() == Some(wanted))
        && request.rules.as_ref().is_none_or(|wanted| live.rules.as_ref() == Some(wanted))
        && request.external.as_ref().is_none_or(|wanted| live.external.with(wanted) == live.external)
}
