//! What the project owns on AWS and no handle names: notes, or changes where pruning is asked for.

use std::collections::BTreeSet;

use crate::model::live::{OrphanStack, Reading};
use crate::model::{Kind, PROJECT_TAG};
use crate::plan::{Action, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity, Shown};

use super::Differ;
use super::function::same_function;

impl Differ<'_> {
    pub(super) fn orphans(&mut self, prune: bool) {
        let reason = |removed: bool| if removed { Reason::Removed } else { Reason::Orphaned };
        let removed_functions = self.removed(Kind::Function);
        match &self.live.orphan_secrets {
            Err(unread) => {
                self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) });
            }
            Ok(secrets) => {
                let removed = self.removed(Kind::Secret);
                for secret in secrets.iter().filter(|secret| !removed.contains(&secret.name)) {
                    let address = self.address(Kind::OrphanSecret, &secret.name);
                    if prune {
                        let fields = vec![FieldChange::new("rotation.enabled", Shown::text(true), Shown::text(false))];
                        let change = self.change(address, &secret.name, Action::DisableRotation, reason(false), fields);
                        self.effect(change, Effect::StopsRotation);
                        let leaving = self.leaving.entry(secret.function_arn.clone()).or_default();
                        leaving.push((secret.name.clone(), change));
                    } else {
                        let kind = NoteKind::OrphanSecret { function: secret.function_arn.clone() };
                        self.note(Some(address), kind);
                    }
                }
            }
        }
        if let Some(unread) = &self.live.stacks_unread {
            self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) });
        }
        for orphan in &self.live.orphan_stacks {
            let name = orphan.stack.function.as_deref().unwrap_or(&orphan.stack.name);
            if removed_functions.contains(name) || removed_functions.contains(&orphan.stack.name) {
                self.release(orphan);
            } else if prune {
                self.delete_stack(orphan, Reason::Orphaned);
            } else {
                let address = self.address(Kind::OrphanStack, &orphan.stack.name);
                let rotating = orphan.rotating.as_ref().map(Vec::len);
                self.note(Some(address), NoteKind::OrphanStack { rotating });
            }
        }
        self.kept_references();
    }

    /// The AWS names that `removed:` lets go.
    fn removed(&self, kind: Kind) -> BTreeSet<String> {
        self.desired
            .removed
            .iter()
            .filter(|removed| removed.kind == kind)
            .map(|removed| removed.handle.clone())
            .collect()
    }

    /// Takes our tags off a stack, and leaves the rest as it is.
    fn release(&mut self, orphan: &OrphanStack) {
        let address = self.address(Kind::OrphanStack, &orphan.stack.name);
        let before = Shown::option(orphan.stack.tags.get(PROJECT_TAG));
        let fields = vec![FieldChange::new(format!("tags.{PROJECT_TAG}"), before, Shown::Absent)];
        let action = Action::TagStack { id: orphan.stack.id.clone() };
        self.change(address, &orphan.stack.name, action, Reason::Removed, fields);
    }

    /// Deletes a stack once nothing enabled uses its function.
    pub(super) fn delete_stack(&mut self, orphan: &OrphanStack, reason: Reason) {
        let address = self.address(Kind::OrphanStack, &orphan.stack.name);
        let name = orphan.stack.name.clone();
        if orphan.stack.status.ends_with("_IN_PROGRESS") && orphan.stack.status != "REVIEW_IN_PROGRESS" {
            let kind = ProblemKind::StackBusy { status: orphan.stack.status.clone() };
            self.problem(&address, &name, Severity::Error, kind);
            return;
        }
        let fields = vec![FieldChange::new("stack", Shown::text(&name), Shown::Absent)];
        let action = Action::DeleteStack { id: orphan.stack.id.clone(), function_arn: orphan.function_arn.clone() };
        let change = self.change(address.clone(), &name, action, reason, fields);
        self.effect(change, Effect::Deletes);
        let leaving: Vec<(String, usize)> = orphan
            .function_arn
            .iter()
            .flat_map(|arn| self.leaving.iter().filter(move |(function, _)| same_function(arn, function)))
            .flat_map(|(_, changes)| changes.iter().cloned())
            .collect();
        let left: BTreeSet<&String> = leaving.iter().map(|(name, _)| name).collect();
        let problem = match &orphan.rotating {
            None => Some(ProblemKind::UseUnknown),
            Some(rotating) => {
                let secrets: Vec<String> = rotating.iter().filter(|name| !left.contains(name)).cloned().collect();
                (!secrets.is_empty()).then_some(ProblemKind::StillUsed { secrets })
            }
        };
        let after = leaving.iter().map(|(_, change)| *change).collect();
        self.plan.changes[change].after = after;
        if let Some(kind) = problem {
            self.plan.changes[change].blocked = true;
            self.problem(&address, &name, Severity::Error, kind);
        } else if leaving.iter().any(|(_, change)| self.plan.changes[*change].blocked) {
            self.plan.changes[change].blocked = true;
        }
    }

    /// Secrets that are off and still refer to a function of ours: no ownership, only a note.
    fn kept_references(&mut self) {
        let deployed = self.deployed_arns();
        for (handle, secret) in &self.desired.secrets {
            let Some(Reading::Found(live)) = self.live.secrets.get(handle) else { continue };
            let refers = live.function_arn.as_ref().is_some_and(|function| deployed.contains(function));
            if secret.rotation.enabled == Some(false) && !live.is_on() && refers {
                let address = self.address(Kind::Secret, handle);
                self.note(Some(address), NoteKind::KeepsReference);
            }
        }
    }
}
