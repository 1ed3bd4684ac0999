//! From changes to steps: what is done, and what each step waits for.
//!
//! A function's steps run in one chain (change set, active, configuration, code, permission), a secret's rotation after its
//! function's, a rotation's watch after the rotation. Chains that don't touch run side by side.

use std::collections::BTreeMap;

use crate::model::{Address, Desired, Kind};

use super::{Action, Plan, Way};

/// One step of an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it concerns.
    pub address: Address,
    /// The name on AWS.
    pub name: String,
    /// What is done.
    pub kind: StepKind,
    /// The change that it carries out, as an index into [`Plan::changes`]; `None` for steps that only look again, or watch what was begun
    /// before.
    pub change: Option<usize>,
    /// The steps that must succeed first, as indexes into the list of steps; each is smaller than the step's own.
    pub after: Vec<usize>,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// Change set: make, wait, read, run, wait.
    Stack,
    /// The function's configuration, merged with what is live after the stack's change.
    Configuration,
    /// The function's code.
    Code,
    /// Secrets Manager's permission.
    Permission,
    /// `RotateSecret`.
    Rotation,
    /// The rotation's end.
    Watch,
    /// The end of the function's test, where AWS was told not to rotate now.
    WatchTest,
    /// `CancelRotateSecret`.
    Disable,
    /// A way out of a rotation that is stuck.
    Repair,
    /// `DeleteStack`.
    DeleteStack,
}

impl StepKind {
    /// Whether it only looks until something has ended.
    pub fn is_watch(self) -> bool {
        matches!(self, Self::Watch | Self::WatchTest)
    }

    /// Whether it changes a stack.
    pub fn is_stack(self) -> bool {
        matches!(self, Self::Stack | Self::DeleteStack)
    }
}

/// The steps of a plan's runnable changes, in an order in which each comes after those that it waits for.
pub fn order(plan: &Plan, desired: &Desired) -> Vec<Step> {
    let mut ordering = Ordering { steps: Vec::new(), ends: BTreeMap::new(), tails: BTreeMap::new() };
    // Stacks are deleted last, since they wait for secrets, which are listed after functions.
    let (deletions, rest): (Vec<_>, Vec<_>) = plan
        .changes
        .iter()
        .enumerate()
        .filter(|(_, change)| !change.blocked)
        .partition(|(_, change)| matches!(change.action, Action::DeleteStack { .. }));
    for (index, change) in rest.into_iter().chain(deletions) {
        let kind = match &change.action {
            Action::DeployStack { .. } | Action::UpdateStack { .. } | Action::TagStack { .. } => StepKind::Stack,
            Action::DeleteStack { .. } => StepKind::DeleteStack,
            Action::UpdateConfiguration => StepKind::Configuration,
            Action::UpdateCode => StepKind::Code,
            Action::AddPermission { .. } => StepKind::Permission,
            Action::EnableRotation(_) | Action::UpdateRotation(_) | Action::TestFunction(_) | Action::RotateNow(_) => {
                StepKind::Rotation
            }
            Action::Repair(_) => StepKind::Repair,
            Action::DisableRotation => StepKind::Disable,
        };
        let mut after: Vec<usize> =
            change.after.iter().filter_map(|change| ordering.ends.get(change).copied()).collect();
        if change.address.kind == Kind::Function {
            after.extend(ordering.tails.get(&change.address.handle).copied());
        } else if let Some(function) =
            desired.secrets.get(&change.address.handle).and_then(|secret| secret.function.as_ref())
            && kind == StepKind::Rotation
        {
            after.extend(ordering.tails.get(function).copied());
        }
        let step = ordering.push(change.address.clone(), &change.name, kind, Some(index), after);
        if change.address.kind == Kind::Function {
            ordering.tails.insert(change.address.handle.clone(), step);
            if is_last_of_function(plan, index) {
                ordering.restore(plan, desired, index, &[StepKind::Configuration, StepKind::Code]);
            }
        }
        if kind == StepKind::Rotation {
            let now = change.action.rotate_secret().is_none_or(|request| request.rotate_immediately);
            let watch = if now { StepKind::Watch } else { StepKind::WatchTest };
            ordering.push(change.address.clone(), &change.name, watch, Some(index), vec![step]);
        }
        if matches!(&change.action, Action::Repair(repair) if repair.way == Way::Retry) {
            ordering.push(change.address.clone(), &change.name, StepKind::Watch, Some(index), vec![step]);
        }
        ordering.ends.insert(index, step);
    }
    ordering.watch_unfinished(plan, desired);
    ordering.steps
}

struct Ordering {
    steps: Vec<Step>,
    /// The step that carries a change out, by change.
    ends: BTreeMap<usize, usize>,
    /// The last step of a function, by handle.
    tails: BTreeMap<String, usize>,
}

impl Ordering {
    fn push(
        &mut self,
        address: Address,
        name: &str,
        kind: StepKind,
        change: Option<usize>,
        mut after: Vec<usize>,
    ) -> usize {
        after.sort_unstable();
        after.dedup();
        self.steps.push(Step { address, name: name.to_owned(), kind, change, after });
        self.steps.len() - 1
    }

    /// Rotations that were begun before are watched too, once their functions are as wanted: what an apply is asked about mustn't end
    /// well while a rotation of it is known to be stuck.
    fn watch_unfinished(&mut self, plan: &Plan, desired: &Desired) {
        for (address, name, _) in plan.unfinished() {
            let function = desired.secrets.get(&address.handle).and_then(|secret| secret.function.as_ref());
            let after = function.and_then(|function| self.tails.get(function).copied()).into_iter().collect();
            self.push(address.clone(), name, StepKind::Watch, None, after);
        }
    }

    /// After a stack's change, configuration and code are compared again and restored: adds those steps, as far as the
    /// plan has no change of that kind.
    fn restore(&mut self, plan: &Plan, desired: &Desired, index: usize, kinds: &[StepKind]) {
        let change = &plan.changes[index];
        let handle = &change.address.handle;
        let Some(deployment) = desired.functions.get(handle).and_then(crate::model::Function::deployment) else {
            return;
        };
        let has = |steps: &[Step], kind| steps.iter().any(|step| step.address == change.address && step.kind == kind);
        if !has(&self.steps, StepKind::Stack) {
            return;
        }
        for &kind in kinds {
            let managed = match kind {
                StepKind::Code => deployment.code.is_some(),
                _ => deployment.manages_configuration(),
            };
            if managed && !has(&self.steps, kind) {
                let after = self.tails.get(handle).copied().into_iter().collect();
                let step = self.push(change.address.clone(), &change.name, kind, None, after);
                self.tails.insert(handle.clone(), step);
            }
        }
    }
}

fn is_last_of_function(plan: &Plan, index: usize) -> bool {
    let address = &plan.changes[index].address;
    !plan.changes[index + 1..].iter().any(|change| change.address == *address && !change.blocked)
}
