//! Drives stacks and change sets: one step at a time ([`super::steps`]), each saved before the next, so that a sandbox
//! that was stopped in the middle goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use super::provision;
use super::state::State;
use super::status::{ChangeSetStatus, ExecutionStatus, StackStatus};
use super::steps::{self, Next};
use super::template::{self, Place};
use crate::call::Call;
use crate::service::Shared;
use crate::state::Scope;

/// Between the steps of a stack: short, since people wait for it, but long enough for clients to see what is under way.
const PAUSE: Duration = Duration::from_millis(150);

/// Drives a stack in the name of a caller, who has just begun its operation.
pub(super) fn begin(shared: &Arc<Shared>, call: &Call, stack: String) {
    shared.write(&call.account, &call.region, |region| {
        if let Some(stack) = region.stacks.stacks.get_mut(&stack) {
            stack.caller = Some(call.principal.clone());
        }
    });
    drive(shared, Scope::new(&call.account, &call.region), stack);
}

/// Drives a stack until its operation has ended. Each operation has one driver.
pub fn drive(shared: &Arc<Shared>, scope: Scope, stack: String) {
    let runner = Arc::clone(shared);
    shared.spawn(async move {
        loop {
            match next(&runner, &scope, &stack) {
                Next::Ended => {
                    // What its function's role may do may be something else now: rotations that failed over that are tried again.
                    runner.reschedule();
                    return;
                }
                Next::Pause => {}
                Next::Work(job) => {
                    let result = provision::perform(&runner, &scope, &job).await;
                    let now = runner.now();
                    let place = Place { account: &scope.account, region: &scope.region };
                    runner.write(&scope.account, &scope.region, |region| {
                        if let Some(stack) = region.stacks.stacks.get_mut(&stack) {
                            steps::conclude(stack, &job, result, place, now);
                        }
                    });
                }
            }
            runner.sleep(PAUSE).await;
        }
    });
}

fn next(shared: &Shared, scope: &Scope, stack: &str) -> Next {
    let now = shared.now();
    let place = Place { account: &scope.account, region: &scope.region };
    shared.write(&scope.account, &scope.region, |region| {
        let Some(stack) = region.stacks.stacks.get_mut(stack) else { return Next::Ended };
        let executed = stack.operation.as_ref().and_then(|operation| operation.change_set.clone());
        let next = steps::step(stack, place, now);
        if let (Next::Ended, Some(id)) = (&next, executed)
            && let Some(set) = region.stacks.change_sets.get_mut(&id)
        {
            let well = matches!(stack.status, StackStatus::CreateComplete | StackStatus::UpdateComplete);
            set.execution = if well { ExecutionStatus::Complete } else { ExecutionStatus::Failed };
        }
        next
    })
}

/// Computes a change set, as slowly as the service seems to.
pub fn prepare(shared: &Arc<Shared>, scope: Scope, change_set: String) {
    let runner = Arc::clone(shared);
    shared.spawn(async move {
        loop {
            runner.sleep(PAUSE).await;
            let open = runner.write(&scope.account, &scope.region, |region| {
                let place = Place { account: &scope.account, region: &scope.region };
                advance(&mut region.stacks, &change_set, place)
            });
            if !open {
                return;
            }
        }
    });
}

/// Goes on with everything that was under way.
pub fn resume(shared: &Arc<Shared>) {
    let mut stacks = Vec::new();
    let mut sets = Vec::new();
    for (scope, region) in &shared.world().scopes {
        let busy = region.stacks.stacks.values().filter(|stack| stack.operation.is_some());
        stacks.extend(busy.map(|stack| (scope.clone(), stack.id.clone())));
        let open = region.stacks.change_sets.values().filter(|set| set.status.is_open());
        sets.extend(open.map(|set| (scope.clone(), set.id.clone())));
    }
    for (scope, stack) in stacks {
        drive(shared, scope, stack);
    }
    for (scope, set) in sets {
        prepare(shared, scope, set);
    }
}

/// Moves a change set on; false once it is computed or gone.
fn advance(state: &mut State, id: &str, place: Place<'_>) -> bool {
    let State { stacks, change_sets } = state;
    let Some(set) = change_sets.get_mut(id) else { return false };
    match set.status {
        ChangeSetStatus::CreatePending => {
            set.status = ChangeSetStatus::CreateInProgress;
            true
        }
        ChangeSetStatus::CreateInProgress => {
            let Some(stack) = stacks.get(&set.stack) else { return false };
            set.base = stack.definition.clone();
            set.physical_ids = stack
                .resources
                .iter()
                .filter_map(|resource| Some((resource.logical_id.clone(), resource.physical_id.clone()?)))
                .collect();
            if template::changes(set.base.as_ref(), &set.definition, place).is_empty() {
                set.status = ChangeSetStatus::Failed;
                set.reason = Some(
                    "The submitted information didn't contain changes. Submit different information to create a \
                     change set."
                        .to_owned(),
                );
            } else {
                set.status = ChangeSetStatus::CreateComplete;
                set.execution = ExecutionStatus::Available;
            }
            false
        }
        ChangeSetStatus::CreateComplete | ChangeSetStatus::Failed => false,
    }
}
