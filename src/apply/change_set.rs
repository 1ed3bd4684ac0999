//! Change sets: asked for, waited for, read, then run or discarded.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aws::execute::{Answer, ApplicationChangeSet, ChangeSetIds, ChangeSetView, Execute, ResourceChange};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::{LiveStack, STACK_IN_REVIEW};
use crate::model::{PROJECT_TAG, SAR_STACK_PREFIXES, SHARED_TAG};
use crate::plan::parameters::parameters;
use crate::plan::planner::stack_tags;
use crate::plan::{Action, Step};

use super::spread::NOT_YET;
use super::status::{goes_on, unknown};
use super::wait::Wait;
use super::{Context, Failure, LeftBehind, moved};

/// How long a change set that won't run may resist its deletion.
const DISCARD_TIMEOUT: Duration = Duration::from_mins(1);

/// The resource that is never removed or replaced without a word in the plan.
const FUNCTION: &str = "AWS::Lambda::Function";

/// The mode of a change set that sets resources back to their template: an uploaded function's code, too. It is never asked for.
const REVERT_DRIFT: &str = "REVERT_DRIFT";

impl<E: Execute> Context<'_, E> {
    pub(super) async fn application_change_set(
        &self,
        index: usize,
        step: &Step,
        (application, version, stack): (&str, &str, &str),
        replaced: bool,
        requests: &mut Vec<String>,
    ) -> Result<ChangeSetIds, Failure> {
        let handle = &step.address.handle;
        let function = self.desired.functions.get(handle).ok_or(Failure::Internal("no such function"))?;
        let deployment = function.deployment().ok_or(Failure::Internal("the function isn't deployed"))?;
        let live = self.live.functions.get(handle).ok_or(Failure::Internal("the function wasn't read"))?;
        let declared = live.application.found().ok_or(Failure::Internal("the application wasn't read"))?;
        let there = live.stack.found().filter(|_| !replaced);
        let standing = there.filter(|stack| !stack.in_review());
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
        let mut answer = self.executor.create_application_change_set(request.clone()).await;
        if let (Err(error), Some(left)) = (&answer, there.filter(|stack| stack.in_review()))
            && self.is_in_the_way(left, error).await
        {
            requests.extend(self.delete_and_wait(index, &left.id).await?);
            answer = self.executor.create_application_change_set(request).await;
        }
        let id = standing.map_or_else(|| format!("{}{stack}", SAR_STACK_PREFIXES[0]), |stack| stack.id.clone());
        match answer {
            Ok(ids) => Ok(ids),
            Err(error) => Err(self.somebody_elses(&id, standing, error).await),
        }
    }

    /// Whether a refusal may come of a stack whose first change set never ran: the plan saw it, and it is still so. It holds nothing, and
    /// whether the repository takes it for new or for one to update is AWS's affair.
    async fn is_in_the_way(&self, left: &LiveStack, error: &AwsError) -> bool {
        matches!(error.kind, ErrorKind::Conflict | ErrorKind::Invalid)
            && self.executor.stack_status(&left.id).await.is_ok_and(|now| now.status == STACK_IN_REVIEW)
    }

    pub(super) async fn tags_change_set(&self, step: &Step, release: bool) -> Result<ChangeSetIds, Failure> {
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
    /// ran in its place; or not all of `CloudFormation` knows of it yet.
    pub(super) async fn execute(&self, ids: &ChangeSetIds, deploys: bool) -> Result<Option<String>, Failure> {
        let mut wait = Wait::new(NOT_YET);
        loop {
            let error = match self.executor.execute_change_set(&ids.change_set).await {
                Ok(done) => return Ok(done.request_id),
                Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => error,
                Err(error) => return Err(error.into()),
            };
            let unknown = match self.executor.describe_change_set(&ids.change_set).await {
                Ok(view) => match view.execution_status.as_str() {
                    "EXECUTE_IN_PROGRESS" | "EXECUTE_COMPLETE" => return Ok(None),
                    "OBSOLETE" => {
                        self.discard(ids, false).await;
                        return Err(Failure::Overtaken { stack: ids.stack.clone() });
                    }
                    _ => false,
                },
                Err(other) if other.kind == ErrorKind::NotFound => true,
                Err(_) => return Err(error.into()),
            };
            let may_come = error.kind == ErrorKind::NotFound && self.may_come(ids, deploys).await;
            if may_come && wait.pause().await {
                continue;
            }
            return Err(if unknown { Failure::Overtaken { stack: ids.stack.clone() } } else { error.into() });
        }
    }

    /// Whether a change set that isn't found may only not be there yet: it is new, and no other one runs in its place.
    async fn may_come(&self, ids: &ChangeSetIds, deploys: bool) -> bool {
        if !self.is_new(&ids.change_set) {
            return false;
        }
        match self.executor.stack_status(&ids.stack).await {
            Ok(stack) if deploys => stack.status == STACK_IN_REVIEW,
            Ok(stack) => !stack.status.ends_with("_IN_PROGRESS"),
            Err(error) => error.kind == ErrorKind::NotFound && deploys,
        }
    }

    /// A change set, as soon as it is made; `None` where it has nothing to do, and is deleted.
    pub(super) async fn made_change_set(
        &self,
        index: usize,
        ids: &ChangeSetIds,
        deploys: bool,
    ) -> Result<Option<ChangeSetView>, Failure> {
        let mut wait = Wait::new(self.options.stack_timeout);
        loop {
            let view = match self.executor.describe_change_set(&ids.change_set).await {
                Ok(view) => view,
                Err(error) if error.kind == ErrorKind::NotFound && self.may_come(ids, deploys).await => {
                    self.pause(index, &mut wait, "the change set", "not there yet").await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match view.status.as_str() {
                "CREATE_COMPLETE" => return Ok(Some(view)),
                "FAILED" if view.is_without_changes() => {
                    self.discard(ids, deploys).await;
                    return Ok(None);
                }
                "FAILED" => return Err(self.failed_change_set(ids, view, deploys).await),
                status if goes_on(status) => self.pause(index, &mut wait, "the change set", status).await?,
                status => return Err(unknown("the change set", status)),
            }
        }
    }

    /// Why a change set couldn't be made. Where a hook or a validation refused it, its own words only name that one; the events have
    /// the reasons, and go with the change set.
    async fn failed_change_set(&self, ids: &ChangeSetIds, view: ChangeSetView, deploys: bool) -> Failure {
        let (causes, unread) = match self.executor.change_set_failures(&ids.change_set).await {
            Ok(causes) => (causes, None),
            Err(error) => (Vec::new(), Some(Box::new(error)).filter(|_| view.points_to_events())),
        };
        let left = self.discard(ids, deploys).await;
        Failure::ChangeSet { reason: view.reason.unwrap_or_default(), causes, unread, left }
    }

    /// Refuses a change set for another stack than the plan's: the repository puts its present prefix before every name, so
    /// that the update of a stack with an older one would make a second stack.
    pub(super) async fn refuse_other_stack(&self, action: &Action, ids: &ChangeSetIds) -> Result<(), Failure> {
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

    /// Refuses a change set that would remove or replace the function, or set its code back to the template's, and deletes it.
    pub(super) async fn refuse_replacement(
        &self,
        view: &ChangeSetView,
        ids: &ChangeSetIds,
        deploys: bool,
    ) -> Result<(), Failure> {
        let reverts = view.deployment_mode.as_deref() == Some(REVERT_DRIFT);
        let mut functions = view.changes.iter().filter(|change| change.resource_type == FUNCTION);
        let harm = functions.find_map(|change| Some((change, harm(change, reverts)?)));
        let Some((harmed, action)) = harm else { return Ok(()) };
        let resource = harmed.physical_id.clone().unwrap_or_else(|| harmed.logical_id.clone());
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

    /// Whether a change set ran well; `None` as long as it runs. Right after the call, a stack may still show its old status.
    pub(super) async fn execution(&self, ids: &ChangeSetIds) -> Result<Option<bool>, Failure> {
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
}

/// What a change would do to a function that no plan shows. What `CloudFormation` can't rule out isn't done either.
fn harm(change: &ResourceChange, reverts: bool) -> Option<&'static str> {
    let policy = change.policy_action.as_deref().unwrap_or_default();
    match change.action.as_str() {
        "Add" => None,
        "Remove" => Some("remove"),
        "SyncWithActual" => Some("set back"),
        _ if policy.starts_with("Replace") => Some("replace"),
        "Dynamic" => Some("replace"),
        _ if matches!(change.replacement.as_deref(), Some("True" | "Conditional")) => Some("replace"),
        _ if policy == "Delete" => Some("remove"),
        _ => reverts.then_some("set back"),
    }
}

/// A change set that is gone before it ran: another one ran in its place, and took all others of the stack along.
pub(super) fn overtaken(failure: Failure, ids: &ChangeSetIds) -> Failure {
    match failure {
        Failure::Aws(error) if error.kind == ErrorKind::NotFound => Failure::Overtaken { stack: ids.stack.clone() },
        other => other,
    }
}
