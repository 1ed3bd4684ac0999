//! The states of a stack, and what leads from one to the next: pure changes of what is saved.
//!
//! ```text
//! Create --> CREATE_COMPLETE                         Update --> Cleanup --> UPDATE_COMPLETE
//!   | a resource fails                                 | a resource fails
//!   +--> Rollback --> ROLLBACK_COMPLETE                +--> UpdateRollback --> RollbackCleanup --> UPDATE_ROLLBACK_COMPLETE
//!                                                              | a resource fails
//! Delete --> DELETE_COMPLETE, DELETE_FAILED                    +--> UPDATE_ROLLBACK_FAILED
//! ```

use std::collections::BTreeMap;

use super::operation::{Interrupt, Leftover, OnFailure, Operation, Phase, Task};
use super::provision::{self, Done, Job};
use super::state::{Stack, StackResource, Told};
use super::status::{Progress, ResourceStatus, StackStatus, Verb};
use super::template::{self, Action, Definition, Place, Replacement};
use crate::clock::Time;

/// What comes next with a stack.
pub(super) enum Next {
    /// Look again in a moment.
    Pause,
    /// Do this to a resource.
    Work(Box<Job>),
    /// The operation has ended.
    Ended,
}

/// What is asked of an operation that begins, beside what it does.
#[derive(Debug, Default)]
pub struct Asked {
    /// The change set that is executed.
    pub change_set: Option<String>,
    /// The caller's token.
    pub token: Option<String>,
    /// What a failed creation leads to.
    pub on_failure: OnFailure,
    /// Logical ids to leave alone.
    pub skip: Vec<String>,
    /// Whether a deletion ends well whatever can't be deleted.
    pub force: bool,
}

/// Begins to make a new stack's resources.
pub fn create(stack: &mut Stack, definition: Definition, asked: Asked, place: Place<'_>, now: Time) {
    let tasks = definition.resources(place).into_iter().map(|resource| Task::Create(resource.logical_id.to_owned()));
    let operation = Operation::new(Phase::Create, tasks);
    stack.definition = Some(definition);
    stack.disable_rollback = asked.on_failure == OnFailure::Nothing;
    begin(stack, operation, asked, StackStatus::CreateInProgress, now);
    stack.updated = Some(now);
}

/// Begins to change a stack's resources.
pub fn update(stack: &mut Stack, definition: Definition, asked: Asked, place: Place<'_>, now: Time) {
    let mut tasks = Vec::new();
    let mut leftovers = Vec::new();
    for change in template::changes(stack.definition.as_ref(), &definition, place) {
        let id = change.logical_id.to_owned();
        match change.action {
            Action::Add => tasks.push(Task::Create(id)),
            Action::Modify { replacement: Replacement::False, .. } => tasks.push(Task::Update(id)),
            // What depends on a replaced resource gets another value from it, always.
            Action::Modify { .. } => tasks.push(Task::Replace(id)),
            Action::Remove => leftovers.extend(stack.resource(&id).map(leftover)),
        }
    }
    let mut operation = Operation::new(Phase::Update, tasks);
    operation.leftovers = leftovers;
    operation.previous = stack.definition.replace(definition);
    begin(stack, operation, asked, StackStatus::UpdateInProgress, now);
    stack.updated = Some(now);
}

/// Begins to delete a stack.
pub fn delete(stack: &mut Stack, asked: Asked, now: Time) {
    let operation = Operation::new(Phase::Delete, deletions(stack));
    stack.stuck = None;
    stack.deleted = Some(now);
    begin(stack, operation, asked, StackStatus::DeleteInProgress, now);
}

/// Takes up a roll-back that failed.
pub fn continue_rollback(stack: &mut Stack, asked: Asked, now: Time) {
    let Some(mut operation) = stack.stuck.take() else { return };
    operation.announced = false;
    operation.failed.clear();
    let Asked { token, skip, .. } = asked;
    let asked = Asked { change_set: operation.change_set.take(), token, skip, ..Asked::default() };
    begin(stack, operation, asked, StackStatus::UpdateRollbackInProgress, now);
}

fn begin(stack: &mut Stack, operation: Operation, asked: Asked, status: StackStatus, now: Time) {
    let Asked { change_set, token, on_failure, skip, force } = asked;
    stack.operation = Some(Operation { change_set, token, on_failure, skip, force, ..operation });
    stack.enter(status, Some("User Initiated".to_owned()), now);
}

fn deletions(stack: &Stack) -> Vec<Task> {
    let left = |resource: &&StackResource| {
        !matches!(resource.status, ResourceStatus(Verb::Delete, Progress::Complete | Progress::Skipped))
    };
    stack.resources.iter().rev().filter(left).map(|resource| Task::Delete(leftover(resource))).collect()
}

fn leftover(resource: &StackResource) -> Leftover {
    Leftover {
        logical_id: resource.logical_id.clone(),
        kind: resource.kind.clone(),
        physical_id: resource.physical_id.clone(),
        function: resource.function.clone(),
    }
}

/// Does what can be done at once, and says what comes next.
pub(super) fn step(stack: &mut Stack, place: Place<'_>, now: Time) -> Next {
    let Some(mut operation) = stack.operation.take() else { return Next::Ended };
    if let Some(interrupt) = operation.interrupt.take() {
        interrupted(stack, operation, &interrupt, now);
        return Next::Pause;
    }
    let Some(task) = operation.queue.front().cloned() else {
        return end_phase(stack, operation, now);
    };
    if !operation.announced {
        operation.announced = true;
        stack.operation = Some(operation);
        announce(stack, &task, place, now);
        return Next::Pause;
    }
    let skipped = operation.skip.iter().any(|id| id == task.logical_id());
    let job = job(stack, &operation, task, place);
    stack.operation = Some(operation);
    // Nothing is to be done for what never was created, or shall be left alone.
    let nothing_there = matches!(&job.task, Task::Delete(leftover) if leftover.physical_id.is_none());
    if skipped || nothing_there || matches!(job.task, Task::Restore(_)) {
        finish(stack, &job, Ok(Done::default()), skipped, place, now);
        return Next::Pause;
    }
    Next::Work(Box::new(job))
}

fn job(stack: &Stack, operation: &Operation, task: Task, place: Place<'_>) -> Job {
    let resource = |definition: Option<&Definition>| {
        definition.and_then(|definition| {
            definition.resources(place).into_iter().find(|resource| resource.logical_id == task.logical_id())
        })
    };
    let tags = |definition: Option<&Definition>| definition.map_or_else(BTreeMap::new, |found| found.tags.clone());
    Job {
        before: resource(operation.previous.as_ref()),
        after: resource(stack.definition.as_ref()),
        tags_before: tags(operation.previous.as_ref()),
        tags_after: tags(stack.definition.as_ref()),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        caller: stack.caller.clone(),
        physical_id: stack.resource(task.logical_id()).and_then(|resource| resource.physical_id.clone()),
        siblings: stack
            .resources
            .iter()
            .filter_map(|resource| Some((resource.logical_id.clone(), resource.physical_id.clone()?)))
            .collect(),
        task,
    }
}

/// Says that a task begins.
fn announce(stack: &mut Stack, task: &Task, place: Place<'_>, now: Time) {
    let replaced = "Requested update requires the creation of a new physical resource; hence creating one.";
    let (verb, reason) = match task {
        Task::Create(_) => (Verb::Create, None),
        Task::Update(_) | Task::Restore(_) => (Verb::Update, None),
        Task::Replace(_) => (Verb::Update, Some(replaced)),
        Task::Delete(_) => (Verb::Delete, None),
    };
    if let Some(operation) = &mut stack.operation
        && matches!(operation.phase, Phase::Create | Phase::Update)
    {
        operation.tried.push(task.clone());
    }
    set(stack, task, ResourceStatus(verb, Progress::InProgress), reason, place, now);
}

/// Brings a resource into a status, and says so.
fn set(stack: &mut Stack, task: &Task, status: ResourceStatus, reason: Option<&str>, place: Place<'_>, now: Time) {
    let shown = stack.definition.as_ref().map(|definition| definition.shown(place.region));
    let template = shown.map_or_else(Vec::new, |definition| definition.resources(place));
    let template = template.iter().find(|resource| resource.logical_id == task.logical_id());
    let found = stack.resource(task.logical_id());
    let (kind, physical_id, own) = if let Task::Delete(leftover) = task {
        // What is deleted may be another than the stack's own resource of that name by now.
        let own = found.is_some_and(|own| own.physical_id == leftover.physical_id);
        (leftover.kind.clone(), leftover.physical_id.clone(), own)
    } else {
        let kind = found.map(|resource| resource.kind.clone()).or_else(|| template.map(|t| t.kind.to_owned()));
        (kind.unwrap_or_default(), found.and_then(|resource| resource.physical_id.clone()), true)
    };
    if own {
        let resource = stack.resource_mut(task.logical_id(), &kind, now);
        resource.status = status;
        resource.reason = reason.map(str::to_owned);
        resource.updated = now;
    }
    let properties =
        template.map(|resource| provision::resolve(&resource.to_json(), &siblings(stack), place).to_string());
    stack.tell(
        &Told {
            logical_id: task.logical_id(),
            kind: &kind,
            physical_id: physical_id.as_deref(),
            status,
            reason,
            properties: properties.as_deref(),
        },
        now,
    );
}

fn siblings(stack: &Stack) -> BTreeMap<String, String> {
    stack.resources.iter().filter_map(|r| Some((r.logical_id.clone(), r.physical_id.clone()?))).collect()
}

/// What a job came to.
pub(super) fn conclude(stack: &mut Stack, job: &Job, result: Result<Done, String>, place: Place<'_>, now: Time) {
    // Only what the operation waits for: the state may have been reset, or set otherwise, in the meantime.
    if stack.operation.as_ref().is_some_and(|operation| operation.queue.front() == Some(&job.task)) {
        finish(stack, job, result, false, place, now);
    }
}

fn finish(stack: &mut Stack, job: &Job, result: Result<Done, String>, skipped: bool, place: Place<'_>, now: Time) {
    let task = &job.task;
    let verb = match task {
        Task::Create(_) => Verb::Create,
        Task::Update(_) | Task::Replace(_) | Task::Restore(_) => Verb::Update,
        Task::Delete(_) => Verb::Delete,
    };
    match result {
        Ok(done) => {
            if let Task::Create(id) | Task::Replace(id) = task {
                let kind = job.after.as_ref().map_or("", |resource| resource.kind);
                let resource = stack.resource_mut(id, kind, now);
                let old = leftover(resource);
                resource.physical_id.clone_from(&done.physical_id);
                resource.function = done.function;
                if let (Task::Replace(_), Some(operation)) = (task, &mut stack.operation) {
                    operation.leftovers.push(old);
                }
                let initiated = Some("Resource creation Initiated");
                set(stack, task, ResourceStatus(verb, Progress::InProgress), initiated, place, now);
            }
            let progress = if skipped && verb == Verb::Delete { Progress::Skipped } else { Progress::Complete };
            set(stack, task, ResourceStatus(verb, progress), None, place, now);
            next_task(stack);
        }
        Err(reason) => {
            set(stack, task, ResourceStatus(verb, Progress::Failed), Some(&reason), place, now);
            failed(stack, task, now);
        }
    }
}

fn next_task(stack: &mut Stack) {
    if let Some(operation) = &mut stack.operation {
        operation.queue.pop_front();
        operation.announced = false;
    }
}

/// What a failed task leads to.
fn failed(stack: &mut Stack, task: &Task, now: Time) {
    let Some(mut operation) = stack.operation.take() else { return };
    operation.failed.push(task.logical_id().to_owned());
    match operation.phase {
        Phase::Create => roll_back(stack, operation, now),
        Phase::Update => {
            let verb = if matches!(task, Task::Create(_)) { "create" } else { "update" };
            let reason = format!("The following resource(s) failed to {verb}: [{}]. ", operation.failed.join(", "));
            roll_update_back(stack, operation, reason, now);
        }
        Phase::UpdateRollback => {
            let reason = format!("The following resource(s) failed to update: [{}]. ", operation.failed.join(", "));
            stack.stuck = Some(operation.clone());
            // It ends at once; what is left stays in `stuck`.
            operation.queue.clear();
            stack.operation = Some(operation);
            stack.enter(StackStatus::UpdateRollbackFailed, Some(reason), now);
        }
        Phase::Rollback | Phase::Cleanup | Phase::RollbackCleanup | Phase::Delete => {
            stack.operation = Some(operation);
            next_task(stack);
        }
    }
}

fn roll_back(stack: &mut Stack, mut operation: Operation, now: Time) {
    let failed = operation.failed.join(", ");
    operation.queue.clear();
    operation.announced = false;
    if operation.on_failure == OnFailure::Nothing {
        stack.operation = Some(operation);
        stack.enter(
            StackStatus::CreateFailed,
            Some(format!("The following resource(s) failed to create: [{failed}]. ")),
            now,
        );
        return;
    }
    operation.failed.clear();
    operation.queue = deletions(stack).into();
    operation.phase = Phase::Rollback;
    stack.operation = Some(operation);
    let reason = format!("The following resource(s) failed to create: [{failed}]. Rollback requested by user.");
    stack.enter(StackStatus::RollbackInProgress, Some(reason), now);
}

fn roll_update_back(stack: &mut Stack, mut operation: Operation, reason: String, now: Time) {
    operation.phase = Phase::UpdateRollback;
    operation.failed.clear();
    operation.announced = false;
    operation.queue.clear();
    std::mem::swap(&mut stack.definition, &mut operation.previous);
    // What the update would have deleted at its end stays; what it made is deleted instead.
    let replaced = std::mem::take(&mut operation.leftovers);
    for task in std::mem::take(&mut operation.tried).into_iter().rev() {
        let id = task.logical_id().to_owned();
        match task {
            Task::Create(_) => operation.leftovers.extend(stack.resource(&id).map(leftover)),
            Task::Update(_) => operation.queue.push_back(Task::Update(id)),
            Task::Replace(_) => {
                if let Some(old) = replaced.iter().find(|old| old.logical_id == id) {
                    let resource = stack.resource_mut(&id, &old.kind, now);
                    operation.leftovers.push(leftover(resource));
                    resource.physical_id.clone_from(&old.physical_id);
                    resource.function.clone_from(&old.function);
                }
                operation.queue.push_back(Task::Restore(id));
            }
            Task::Restore(_) | Task::Delete(_) => {}
        }
    }
    stack.operation = Some(operation);
    stack.enter(StackStatus::UpdateRollbackInProgress, Some(reason), now);
}

fn interrupted(stack: &mut Stack, operation: Operation, interrupt: &Interrupt, now: Time) {
    match (interrupt, operation.phase) {
        (Interrupt::Cancel, Phase::Update) => {
            roll_update_back(stack, operation, "User Initiated".to_owned(), now);
        }
        (Interrupt::Delete, Phase::Create | Phase::Rollback) => {
            let asked = Asked { change_set: operation.change_set, token: operation.token, ..Asked::default() };
            delete(stack, asked, now);
        }
        // Too late: the phase that was meant is over.
        _ => stack.operation = Some(operation),
    }
}

/// What comes after a phase; called with the operation taken out of the stack.
fn end_phase(stack: &mut Stack, mut operation: Operation, now: Time) -> Next {
    let undeleted = format!("The following resource(s) failed to delete: [{}]. ", operation.failed.join(", "));
    let all_deleted = operation.failed.is_empty() || operation.force;
    let (phase, delete_after) = (operation.phase, operation.on_failure == OnFailure::Delete);
    let change_set = operation.change_set.clone();
    let cleanup = |next, operation: &mut Operation| {
        operation.phase = next;
        operation.failed.clear();
        operation.queue = operation.leftovers.drain(..).rev().map(Task::Delete).collect();
    };
    match phase {
        Phase::Update => cleanup(Phase::Cleanup, &mut operation),
        Phase::UpdateRollback if stack.stuck.is_none() => cleanup(Phase::RollbackCleanup, &mut operation),
        _ => {}
    }
    // The events that end an operation carry its token too, so it goes back before the stack moves.
    stack.operation = Some(operation);
    match phase {
        Phase::Create if stack.status == StackStatus::CreateFailed => {}
        Phase::Create => stack.enter(StackStatus::CreateComplete, None, now),
        Phase::Rollback if !all_deleted => stack.enter(StackStatus::RollbackFailed, Some(undeleted), now),
        Phase::Rollback if delete_after => {
            let asked = Asked { change_set, ..Asked::default() };
            delete(stack, asked, now);
            return Next::Pause;
        }
        Phase::Rollback => stack.enter(StackStatus::RollbackComplete, None, now),
        Phase::Update => {
            stack.enter(StackStatus::UpdateCompleteCleanupInProgress, None, now);
            return Next::Pause;
        }
        Phase::UpdateRollback if stack.stuck.is_none() => {
            stack.enter(StackStatus::UpdateRollbackCompleteCleanupInProgress, None, now);
            return Next::Pause;
        }
        Phase::UpdateRollback => {}
        Phase::Cleanup | Phase::RollbackCleanup => {
            // What the template doesn't have any more is no resource of the stack any more.
            stack.resources.retain(|resource| resource.status.0 != Verb::Delete);
            if phase == Phase::Cleanup {
                stack.enter(StackStatus::UpdateComplete, None, now);
            } else {
                stack.enter(StackStatus::UpdateRollbackComplete, None, now);
            }
        }
        Phase::Delete if !all_deleted => stack.enter(StackStatus::DeleteFailed, Some(undeleted), now),
        Phase::Delete => stack.enter(StackStatus::DeleteComplete, None, now),
    }
    stack.operation = None;
    Next::Ended
}
