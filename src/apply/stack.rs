//! Stacks: change set (make, wait, read, run, wait), then the function active.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aws::execute::{
    Answer, ApplicationChangeSet, ChangeSetIds, ChangeSetView, Execute, SecretState, StackStatus,
};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::{LiveStack, STACK_IN_REVIEW};
use crate::model::{Kind, PROJECT_TAG, SAR_STACK_PREFIXES, SHARED_TAG, arn};
use crate::plan::diff::stack_tags;
use crate::plan::parameters::parameters;
use crate::plan::{Action, Change, Reason, Step};

use super::wait::Wait;
use super::{Context, Event, Failure, LeftBehind, Outcome, moved};

/// How long a change set that won't run may resist its deletion.
const DISCARD_TIMEOUT: Duration = Duration::from_mins(1);

/// The resource whose removal or replacement nobody may meet unannounced.
const FUNCTION: &str = "AWS::Lambda::Function";

impl<E: Execute> Context<'_, E> {
    pub(super) async fn stack(&self, index: usize, step: &Step) -> Result<Outcome, Failure> {
        let change = self.change(step).ok_or(Failure::Internal("a stack's step has no change"))?;
        let mut requests = Vec::new();
        let ids = match &change.action {
            Action::DeployStack { application, version, stack, replaces } => {
                if let Some(replaced) = replaces {
                    requests.extend(self.delete_and_wait(index, replaced).await?);
                }
                self.application_change_set(step, application, version, stack, replaces.is_some()).await?
            }
            Action::UpdateStack { application, version, stack, id } => {
                self.refuse_moved_stack(step, id).await?;
                self.application_change_set(step, application, version, stack, false).await?
            }
            Action::TagStack { id } => {
                self.refuse_moved_stack(step, id).await?;
                self.tags_change_set(step, change.reason == Reason::Removed).await?
            }
            _ => return Err(Failure::Internal("a stack's step has another resource's action")),
        };
        requests.extend(ids.request_id.clone());
        let deploys = matches!(change.action, Action::DeployStack { .. });
        self.refuse_other_stack(&change.action, &ids).await?;
        let made = self.made_change_set(index, &ids, deploys).await.map_err(|failure| overtaken(failure, &ids))?;
        let Some(view) = made else { return Ok(Outcome::Unchanged) };
        self.refuse_replacement(&view, &ids, deploys).await?;
        requests.extend(self.execute(&ids).await?);
        self.stack_is_done(index, &ids).await?;
        if step.address.kind == Kind::Function && !matches!(change.action, Action::TagStack { .. }) {
            let function = self.editable(index, &step.name).await?;
            self.leave(&step.name, function);
        }
        Ok(Outcome::Applied { requests })
    }

    async fn application_change_set(
        &self,
        step: &Step,
        application: &str,
        version: &str,
        stack: &str,
        replaced: bool,
    ) -> Result<ChangeSetIds, Failure> {
        let handle = &step.address.handle;
        let function = self.desired.functions.get(handle).ok_or(Failure::Internal("no such function"))?;
        let deployment = function.deployment().ok_or(Failure::Internal("the function isn't deployed"))?;
        let live = self.live.functions.get(handle).ok_or(Failure::Internal("the function wasn't read"))?;
        let declared = live.application.found().ok_or(Failure::Internal("the application wasn't read"))?;
        let standing = live.stack.found().filter(|stack| !replaced && !stack.in_review());
        let parameters = parameters(function, deployment, declared, standing, &self.live.region, &self.live.partition);
        // A stack's other tags stay: the repository replaces the whole set by what it is sent.
        let mut tags: BTreeMap<String, String> = standing
            .map(|stack| &stack.tags)
            .into_iter()
            .flatten()
            .filter(|(name, _)| !name.starts_with("aws:") && !name.starts_with("serverlessrepo:"))
            .filter(|(name, _)| *name != SHARED_TAG)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        tags.extend(stack_tags(&self.desired.project, deployment.shared));
        let request = ApplicationChangeSet {
            application: application.to_owned(),
            version: Some(version.to_owned()),
            stack: stack.to_owned(),
            parameters: parameters.send.into_iter().collect(),
            capabilities: declared.required_capabilities.clone(),
            tags,
        };
        let id = standing.map_or_else(|| format!("{}{stack}", SAR_STACK_PREFIXES[0]), |stack| stack.id.clone());
        match self.executor.create_application_change_set(request).await {
            Ok(ids) => Ok(ids),
            Err(error) => Err(self.somebody_elses(&id, standing, error).await),
        }
    }

    async fn tags_change_set(&self, step: &Step, release: bool) -> Result<ChangeSetIds, Failure> {
        let stack = self.live_stack(step).ok_or(Failure::Internal("the stack wasn't read"))?;
        let mut tags = stack.tags.clone();
        tags.remove(PROJECT_TAG);
        tags.remove(SHARED_TAG);
        if !release {
            let deployment =
                self.desired.functions.get(&step.address.handle).and_then(|function| function.deployment());
            tags.extend(stack_tags(&self.desired.project, deployment.is_some_and(|deployment| deployment.shared)));
        }
        match self.executor.create_tags_change_set(stack, &tags).await {
            Ok(ids) => Ok(ids),
            Err(error) => Err(self.somebody_elses(&stack.id, Some(stack), error).await),
        }
    }

    /// What a refusal of a change set comes from, where that is somebody else's change of the stack. `then`: the stack as the plan
    /// saw it, if it saw one.
    async fn somebody_elses(&self, stack: &str, then: Option<&LiveStack>, error: AwsError) -> Failure {
        if !matches!(error.kind, ErrorKind::Conflict | ErrorKind::Invalid) {
            return error.into();
        }
        // CloudFormation has only words for it, so that the stack is asked. It may have come to rest since.
        match self.executor.stack(stack).await {
            Ok(now) if now.is_busy() => Failure::StackBusy { stack: now.id, status: now.status },
            Ok(now) if now.in_review() || now.status == "DELETE_COMPLETE" => error.into(),
            Ok(now) if then.is_none_or(|then| then.id != now.id || !moved::stack(then, &now).is_empty()) => {
                Failure::Overtaken { stack: now.id }
            }
            _ => error.into(),
        }
    }

    /// Runs a change set, once. Where that fails, it may be running all the same, after an answer that was lost; or another change set
    /// ran in its place.
    async fn execute(&self, ids: &ChangeSetIds) -> Result<Option<String>, Failure> {
        let error = match self.executor.execute_change_set(&ids.change_set).await {
            Ok(done) => return Ok(done.request_id),
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => error,
            Err(error) => return Err(error.into()),
        };
        match self.executor.describe_change_set(&ids.change_set).await {
            Ok(view) if matches!(view.execution_status.as_str(), "EXECUTE_IN_PROGRESS" | "EXECUTE_COMPLETE") => {
                Ok(None)
            }
            Ok(view) if view.execution_status == "OBSOLETE" => {
                self.discard(ids, false).await;
                Err(Failure::Overtaken { stack: ids.stack.clone() })
            }
            Err(error) if error.kind == ErrorKind::NotFound => Err(Failure::Overtaken { stack: ids.stack.clone() }),
            _ => Err(error.into()),
        }
    }

    fn live_stack(&self, step: &Step) -> Option<&LiveStack> {
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
        // What is by now as it shall be was another apply of the same.
        let planned = self.change(step).map_or(&[][..], |change| &change.fields);
        moved.retain(|field| !planned.iter().any(|wanted| wanted.path == field.path && wanted.after == field.after));
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

    /// A change set, as soon as it is made; `None` where it has nothing to do, and is deleted.
    async fn made_change_set(
        &self,
        index: usize,
        ids: &ChangeSetIds,
        deploys: bool,
    ) -> Result<Option<ChangeSetView>, Failure> {
        let mut wait = Wait::new(self.options.stack_timeout);
        loop {
            let view = self.executor.describe_change_set(&ids.change_set).await?;
            match view.status.as_str() {
                "CREATE_COMPLETE" => return Ok(Some(view)),
                "FAILED" => {
                    let left = self.discard(ids, deploys).await;
                    if view.is_without_changes() {
                        return Ok(None);
                    }
                    return Err(Failure::ChangeSet { reason: view.reason.unwrap_or_default(), left });
                }
                status if goes_on(status) => self.pause(index, &mut wait, "the change set", status).await?,
                status => return Err(unknown("the change set", status)),
            }
        }
    }

    /// Refuses a change set for another stack than the plan's: the repository puts its present prefix before every name, so
    /// that the update of a stack with an older one would make a second stack.
    async fn refuse_other_stack(&self, action: &Action, ids: &ChangeSetIds) -> Result<(), Failure> {
        let Action::UpdateStack { id, .. } = action else { return Ok(()) };
        if ids.stack == *id {
            return Ok(());
        }
        let left = self.discard(ids, true).await;
        // Of one name there is one stack: another that has it was begun because the plan's is gone.
        let name = |arn: &str| arn.split('/').nth(1).map(str::to_owned);
        if name(&ids.stack) == name(id) {
            return Err(Failure::StackMissing { stack: id.clone() });
        }
        Err(Failure::OtherStack { planned: id.clone(), made: ids.stack.clone(), left })
    }

    /// Refuses a change set that would remove or replace the function, and deletes it.
    async fn refuse_replacement(&self, view: &ChangeSetView, ids: &ChangeSetIds, deploys: bool) -> Result<(), Failure> {
        let harmful = view.changes.iter().find(|change| {
            // What CloudFormation can't rule out isn't done either.
            change.resource_type == FUNCTION
                && (matches!(change.action.as_str(), "Remove" | "Dynamic")
                    || matches!(change.replacement.as_deref(), Some("True" | "Conditional")))
        });
        let Some(harmful) = harmful else { return Ok(()) };
        let resource = harmful.physical_id.clone().unwrap_or_else(|| harmful.logical_id.clone());
        let action = if harmful.action == "Remove" { "remove" } else { "replace" };
        let left = self.discard(ids, deploys).await;
        Err(Failure::WouldReplace { resource, action: action.to_owned(), left })
    }

    /// Deletes a change set that won't run, and the empty stack that was made for it. Where that fails: what is left, and why. It
    /// does nothing, and the next apply replaces it.
    async fn discard(&self, ids: &ChangeSetIds, deploys: bool) -> Option<Box<LeftBehind>> {
        let mut wait = Wait::new(DISCARD_TIMEOUT);
        loop {
            match self.try_discard(ids, deploys).await {
                Ok(()) => return None,
                // One that is still being made can't be deleted yet.
                Err(error) if error.kind == ErrorKind::Conflict && wait.pause().await => {}
                Err(error) => return Some(Box::new(LeftBehind { change_set: ids.change_set.clone(), error })),
            }
        }
    }

    async fn try_discard(&self, ids: &ChangeSetIds, deploys: bool) -> Answer<()> {
        let found = |error: AwsError| if error.kind == ErrorKind::NotFound { Ok(()) } else { Err(error) };
        self.executor.delete_change_set(&ids.change_set).await.map(|_| ()).or_else(found)?;
        if !deploys {
            return Ok(());
        }
        match self.executor.stack_status(&ids.stack).await {
            Ok(stack) if stack.status == STACK_IN_REVIEW => {
                self.executor.delete_stack(&ids.stack).await.map(|_| ()).or_else(found)
            }
            Ok(_) => Ok(()),
            Err(error) => found(error),
        }
    }

    /// Waits until a stack is done with a change set.
    async fn stack_is_done(&self, index: usize, ids: &ChangeSetIds) -> Result<(), Failure> {
        let mut wait = Wait::new(self.options.stack_timeout);
        loop {
            let Some(stack) = self.stack_status(&ids.stack).await? else {
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

    /// Whether a change set ran well; `None` as long as it runs. Right after the call, a stack may still show its old status.
    async fn execution(&self, ids: &ChangeSetIds) -> Result<Option<bool>, Failure> {
        match self.executor.describe_change_set(&ids.change_set).await {
            Ok(view) => Ok(match view.execution_status.as_str() {
                "EXECUTE_COMPLETE" => Some(true),
                // Obsolete: another change set ran in its place.
                "EXECUTE_FAILED" | "OBSOLETE" => Some(false),
                // Right after the call, it may still show that it could run.
                "AVAILABLE" => None,
                status if goes_on(status) => None,
                status => return Err(unknown("the change set's execution", status)),
            }),
            // A change set may go away with its execution.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Some(true)),
            Err(error) => Err(error.into()),
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

    /// Whether a function exists: whoever refers to one that doesn't can't lose it.
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
            // Whoever may not list relies on the plan, whose reader could.
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

    async fn delete_and_wait(&self, index: usize, stack: &str) -> Result<Vec<String>, Failure> {
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
        self.observer.event(&Event::Waiting { step: index, status: format!("{what}: {status}") });
        if wait.pause().await {
            return Ok(());
        }
        Err(Failure::TimedOut { what: what.to_owned(), after: wait.elapsed(), status: status.to_owned() })
    }
}

/// Whether a status says that AWS still works on something. AWS adds states; these endings say what they mean.
fn goes_on(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS") || status.ends_with("_PENDING")
}

/// Whether a stack's status says whether it has ended, and how.
fn is_known(status: &str) -> bool {
    goes_on(status) || status.ends_with("_COMPLETE") || status.ends_with("_FAILED")
}

/// To wait for the end of what nobody understands would be to wait until the time is up.
pub(super) fn unknown(what: &str, state: &str) -> Failure {
    Failure::UnknownState { what: what.to_owned(), state: state.to_owned() }
}

/// A change set that is gone before it ran: another one ran in its place, and took all others of the stack along.
fn overtaken(failure: Failure, ids: &ChangeSetIds) -> Failure {
    match failure {
        Failure::Aws(error) if error.kind == ErrorKind::NotFound => Failure::Overtaken { stack: ids.stack.clone() },
        other => other,
    }
}

/// Whether a stack has ended otherwise than it should.
fn is_failure(status: &str) -> bool {
    !status.ends_with("_IN_PROGRESS") && (status.contains("ROLLBACK") || status.ends_with("_FAILED"))
}
