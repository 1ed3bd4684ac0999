//! Stacks: a change set is made and run (`change_set`), then waited for, until the function is active; or a stack is deleted.

use std::time::Duration;

use crate::aws::ErrorKind;
use crate::aws::execute::{ChangeSetIds, Execute, SecretState, StackStatus};
use crate::model::live::LiveStack;
use crate::model::{Kind, SHARED_TAG, arn};
use crate::plan::{Action, Change, Reason, Step};

use super::change_set::overtaken;
use super::interrupt::Interrupt;
use super::status::{is_known, unknown};
use super::wait::Wait;
use super::{Context, Failure, Outcome, moved};

impl<E: Execute> Context<'_, E> {
    pub(super) async fn stack(&self, index: usize, step: &Step, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        let change = self.change(step).ok_or(Failure::Internal("a stack's step has no change"))?;
        let mut requests = Vec::new();
        let ids = match &change.action {
            Action::DeployStack { application, version, stack, replaces } => {
                if let Some(replaced) = replaces {
                    requests.extend(self.delete_and_wait(index, replaced).await?);
                }
                let wanted = (application.as_str(), version.as_str(), stack.as_str());
                self.application_change_set(index, step, wanted, replaces.is_some(), &mut requests).await?
            }
            Action::UpdateStack { application, version, stack, id } => {
                self.refuse_moved_stack(step, id).await?;
                let live = self.live.functions.get(&step.address.handle);
                if let Some(function) = live.and_then(|live| live.configuration.found())
                    && !self.before_other_code(index, step, function, interrupt).await?
                {
                    return Ok(Outcome::NotAttempted { because: None });
                }
                let wanted = (application.as_str(), version.as_str(), stack.as_str());
                self.application_change_set(index, step, wanted, false, &mut requests).await?
            }
            Action::TagStack { id } => {
                self.refuse_moved_stack(step, id).await?;
                self.tags_change_set(step, change.reason == Reason::Removed).await?
            }
            _ => return Err(Failure::Internal("a stack's step has another resource's action")),
        };
        requests.extend(ids.request_id.clone());
        let deploys = matches!(change.action, Action::DeployStack { .. });
        self.note_made(&ids.change_set);
        self.refuse_other_stack(&change.action, &ids).await?;
        let made = self.made_change_set(index, &ids, deploys).await.map_err(|failure| overtaken(failure, &ids))?;
        let Some(view) = made else { return Ok(Outcome::Unchanged) };
        self.refuse_replacement(&view, &ids, deploys).await?;
        requests.extend(self.execute(&ids, deploys).await?);
        if deploys {
            self.note_made(&ids.stack);
        }
        self.stack_is_done(index, &ids).await?;
        if deploys {
            self.note_made(&step.name);
        }
        if step.address.kind == Kind::Function && !matches!(change.action, Action::TagStack { .. }) {
            let function = self.editable(index, &step.name).await?;
            self.leave(&step.name, function);
        }
        Ok(Outcome::Applied { requests })
    }

    pub(super) fn live_stack(&self, step: &Step) -> Option<&LiveStack> {
        match step.address.kind {
            Kind::Function => self.live.functions.get(&step.address.handle).and_then(|live| live.stack.found()),
            _ => self.live.orphan_stacks.iter().map(|orphan| &orphan.stack).find(|stack| stack.name == step.name),
        }
    }

    /// Refuses to change a stack that somebody else has changed since the plan was made: a change set sends all parameters and tags, and
    /// would take theirs back.
    async fn refuse_moved_stack(&self, step: &Step, id: &str) -> Result<(), Failure> {
        let now = match self.executor.stack(id).await {
            Ok(now) if now.status != "DELETE_COMPLETE" => now,
            Err(error) if error.kind != ErrorKind::NotFound => return Err(error.into()),
            _ => return Err(Failure::StackMissing { stack: id.to_owned() }),
        };
        let mut moved = self.live_stack(step).map_or_else(Vec::new, |then| moved::stack(then, &now));
        // Another apply has done the same already.
        let planned = self.change(step).map_or(&[][..], |change| &change.fields);
        moved.retain(|field| {
            !planned.iter().any(|wanted| wanted.attribute == field.attribute && wanted.after == field.after)
        });
        moved::refuse(moved)
    }

    /// How a stack does; `None` where there is none, or none any more.
    async fn stack_status(&self, stack: &str) -> Result<Option<StackStatus>, Failure> {
        match self.executor.stack_status(stack).await {
            Ok(status) => Ok(Some(status).filter(|status| status.status != "DELETE_COMPLETE")),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `CloudFormation` knows nothing of a stack, not even that it was deleted.
    async fn is_unknown(&self, stack: &str) -> bool {
        self.executor.stack_status(stack).await.is_err_and(|error| error.kind == ErrorKind::NotFound)
    }

    /// Waits until a stack is done with a change set.
    async fn stack_is_done(&self, index: usize, ids: &ChangeSetIds) -> Result<(), Failure> {
        let mut wait = Wait::new(self.options.stack_timeout);
        loop {
            let Some(stack) = self.stack_status(&ids.stack).await? else {
                if self.is_new(&ids.stack) && self.is_unknown(&ids.stack).await {
                    self.pause(index, &mut wait, "the stack", "not there yet").await?;
                    continue;
                }
                let status = "DELETE_COMPLETE".to_owned();
                return Err(Failure::Stack { stack: ids.stack.clone(), status, reason: None });
            };
            let status = stack.status.as_str();
            let ended = if status.ends_with("_IN_PROGRESS") { None } else { self.execution(ids).await? };
            match ended {
                Some(true) if matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE") => return Ok(()),
                Some(succeeded) if is_failure(status) || !succeeded => {
                    // A reason only explains: without it, the failure is still the failure.
                    let first = self.executor.stack_first_failure(&ids.stack).await.ok().flatten();
                    let reason = first.or(stack.reason);
                    return Err(Failure::Stack { stack: ids.stack.clone(), status: stack.status, reason });
                }
                _ if is_known(status) => self.pause(index, &mut wait, "the stack", status).await?,
                _ => return Err(unknown("the stack", status)),
            }
        }
    }

    pub(super) async fn delete(&self, index: usize, step: &Step) -> Result<Outcome, Failure> {
        let change = self.change(step).ok_or(Failure::Internal("a deletion has no change"))?;
        let Action::DeleteStack { id, function_arn } = &change.action else {
            return Err(Failure::Internal("a deletion has another action"));
        };
        if self.stack_status(id).await?.is_none() {
            return Ok(Outcome::Unchanged);
        }
        if let Some(function) = function_arn {
            self.confirm_unused(change, function).await?;
            if self.is_shared(id) && self.is_there(function).await? {
                self.confirm_unused_by_others(function).await?;
            }
        }
        let requests = self.delete_and_wait(index, id).await?;
        Ok(Outcome::Applied { requests })
    }

    /// Looks again at the secrets that were to leave a function: lists lag behind, and people are at work.
    async fn confirm_unused(&self, change: &Change, function: &str) -> Result<(), Failure> {
        for leaving in change.after.iter().filter_map(|index| self.plan.changes.get(*index)) {
            let secret = leaving.action.rotate_secret().map_or(leaving.name.as_str(), |request| &request.secret_arn);
            let Some(SecretState { secret: live, .. }) = self.look(secret).await? else { continue };
            let rotates_with = live.function_arn.as_deref().map(arn::unqualified_function_arn);
            if live.is_on() && rotates_with == Some(arn::unqualified_function_arn(function)) {
                return Err(Failure::StillUsed { secret: live.name });
            }
        }
        Ok(())
    }

    /// Whether other manifests may attach secrets to a stack's function.
    fn is_shared(&self, id: &str) -> bool {
        let deployed = self.live.functions.values().filter_map(|live| live.stack.found());
        let mut stacks = deployed.chain(self.live.orphan_stacks.iter().map(|orphan| &orphan.stack));
        stacks.any(|stack| stack.id == id && stack.tags.get(SHARED_TAG).is_some_and(|shared| shared == "true"))
    }

    /// Whether a function exists: a reference to one that doesn't can't break.
    async fn is_there(&self, function: &str) -> Result<bool, Failure> {
        match self.executor.get_configuration(function).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            // Who may not look takes it for one that is there.
            Err(error) if error.kind == ErrorKind::Denied => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks for secrets that other manifests have attached since the plan was made. What `CloudFormation` deletes, it deletes whoever
    /// uses it: what is attached after this look, or so shortly before that no list shows it, loses its function.
    async fn confirm_unused_by_others(&self, function: &str) -> Result<(), Failure> {
        let function = arn::unqualified_function_arn(function);
        let secrets = match self.executor.rotating_with(function).await {
            Ok(secrets) => secrets,
            // Where the writer may not list, the plan counts: its reader could.
            Err(error) if error.kind == ErrorKind::Denied => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for secret in secrets {
            let Some(SecretState { secret, .. }) = self.look(&secret).await? else { continue };
            if secret.is_on() && secret.function_arn.as_deref().map(arn::unqualified_function_arn) == Some(function) {
                return Err(Failure::StillUsed { secret: secret.name });
            }
        }
        Ok(())
    }

    pub(super) async fn delete_and_wait(&self, index: usize, stack: &str) -> Result<Vec<String>, Failure> {
        let request = self.executor.delete_stack(stack).await?.request_id;
        let mut wait = Wait::new(self.options.deletion_timeout);
        let mut begun = false;
        loop {
            let Some(now) = self.stack_status(stack).await? else { break };
            match now.status.as_str() {
                // A stack whose earlier deletion failed shows that for a moment.
                "DELETE_FAILED" if begun || wait.elapsed() > Duration::from_secs(5) => {
                    let reason = self.executor.stack_first_failure(stack).await.ok().flatten().or(now.reason);
                    return Err(Failure::Stack { stack: stack.to_owned(), status: now.status, reason });
                }
                status if !is_known(status) => return Err(unknown("the stack's deletion", status)),
                status => {
                    begun |= status == "DELETE_IN_PROGRESS";
                    self.pause(index, &mut wait, "the stack's deletion", status).await?;
                }
            }
        }
        Ok(request.into_iter().collect())
    }

    /// Pauses before the next look, and says what is waited for.
    pub(super) async fn pause(&self, index: usize, wait: &mut Wait, what: &str, status: &str) -> Result<(), Failure> {
        self.waits(index, what, status);
        if wait.pause().await {
            return Ok(());
        }
        Err(Failure::TimedOut { what: what.to_owned(), after: wait.elapsed(), status: status.to_owned() })
    }
}

/// Whether a stack has ended otherwise than it should.
fn is_failure(status: &str) -> bool {
    !status.ends_with("_IN_PROGRESS") && (status.contains("ROLLBACK") || status.ends_with("_FAILED"))
}
