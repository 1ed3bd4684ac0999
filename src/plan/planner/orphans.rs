//! What the project owns on AWS and no handle names: notes, or changes where pruning is asked for.

use std::collections::BTreeSet;

use crate::model::live::{OrphanSecret, OrphanStack, Reading};
use crate::model::{Address, FunctionSource, Kind, PROJECT_TAG, SAR_STACK_PREFIXES, SHARED_TAG};
use crate::plan::{Action, Attribute, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity, Shown};

use super::Planner;
use super::function::same_function;
use super::stack::{is_broken, is_dead};

impl Planner<'_> {
    /// `by_hand`: whether pruning is asked for by the command, and not only by the manifest.
    pub(super) fn orphans(&mut self, by_hand: bool) {
        let prune = by_hand || self.desired.prune;
        match &self.live.orphan_secrets {
            Err(unread) => {
                self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) });
                if prune {
                    // Nothing is ended by halves: what can't be found isn't pruned, and that is no success.
                    let address = self.address(Kind::OrphanSecret, "*");
                    self.problem(&address, "*", Severity::Error, ProblemKind::PruningRefused);
                }
            }
            Ok(secrets) => {
                for secret in secrets {
                    if self.lets_go_of_secret(secret) {
                        continue;
                    }
                    let may_have_left = self.may_have_left_a_rule(secret);
                    if by_hand || (prune && !may_have_left) {
                        self.disable_orphan(secret, Reason::Orphaned);
                    } else {
                        let address = self.address(Kind::OrphanSecret, &secret.name);
                        let function = secret.function_arn.clone();
                        let kind = if may_have_left {
                            NoteKind::LeftRule { function }
                        } else {
                            NoteKind::OrphanSecret { function }
                        };
                        self.note(Some(address), kind);
                    }
                }
            }
        }
        if let Some(unread) = &self.live.stacks_unread {
            self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) });
        }
        for orphan in &self.live.orphan_stacks {
            if self.lets_go_of(orphan) {
                self.release(orphan);
            } else if let Some(address) = self.handle_that_uses(orphan) {
                let stack = orphan.stack.name.clone();
                self.note(Some(address), NoteKind::DeployedBefore { stack });
            } else if self.is_named_otherwise(orphan) {
                // What its function's entry is told brings it back.
            } else if prune {
                let address = self.address(Kind::OrphanStack, &orphan.stack.name);
                self.delete_stack(&address, orphan, Reason::Orphaned);
            } else {
                let address = self.address(Kind::OrphanStack, &orphan.stack.name);
                let rotating = orphan.rotating.as_ref().map(Vec::len);
                self.note(Some(address), NoteKind::OrphanStack { rotating });
            }
        }
        self.kept_references();
    }

    /// Switches off a secret that no handle names.
    pub(super) fn disable_orphan(&mut self, secret: &OrphanSecret, reason: Reason) {
        let address = self.address(Kind::OrphanSecret, &secret.name);
        let fields = vec![FieldChange::new(Attribute::Enabled, Shown::text(true), Shown::text(false))];
        let change = self.change(address, &secret.name, Action::DisableRotation, reason, fields);
        self.effect(change, Effect::StopsRotation);
        let leaving = self.leaving.entry(secret.function_arn.clone()).or_default();
        leaving.push((secret.name.clone(), change));
    }

    /// Whether `removed:` names a secret, or the function that rotates it: with that, its secrets are let go of.
    pub(super) fn lets_go_of_secret(&self, secret: &OrphanSecret) -> bool {
        let rotates = |orphan: &&OrphanStack| {
            orphan.function_arn.as_ref().is_some_and(|arn| same_function(arn, &secret.function_arn))
        };
        self.lets_go(Kind::Secret, &[&secret.name])
            || self.live.orphan_stacks.iter().filter(rotates).any(|orphan| self.lets_go_of(orphan))
    }

    /// Whether `removed:` names a stack: by its function's handle or name, or by its own name, with or without the
    /// repository's prefix.
    pub(super) fn lets_go_of(&self, orphan: &OrphanStack) -> bool {
        let name = orphan.stack.name.as_str();
        let plain = SAR_STACK_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        let names: Vec<&str> = [Some(name), plain, orphan.stack.function.as_deref()].into_iter().flatten().collect();
        self.lets_go(Kind::Function, &names)
    }

    /// Takes our tags off a stack, and leaves the rest as it is.
    pub(super) fn release(&mut self, orphan: &OrphanStack) {
        let address = self.address(Kind::OrphanStack, &orphan.stack.name);
        let status = &orphan.stack.status;
        let obstacle = if status.ends_with("_IN_PROGRESS") {
            Some(ProblemKind::StackBusy { status: status.clone() })
        } else if is_dead(status) || is_broken(status) {
            Some(ProblemKind::StackBroken {
                status: status.clone(),
                stack: orphan.stack.name.clone(),
                reason: orphan.stack.first_failure.clone(),
                ours: true,
            })
        } else {
            None
        };
        if let Some(kind) = obstacle {
            self.problem(&address, &orphan.stack.name, Severity::Error, kind);
            return;
        }
        let fields = [PROJECT_TAG, SHARED_TAG]
            .into_iter()
            .filter_map(|tag| Some((tag, orphan.stack.tags.get(tag)?)))
            .map(|(tag, value)| FieldChange::new(Attribute::Tag(tag.to_owned()), Shown::text(value), Shown::Absent))
            .collect();
        let action = Action::TagStack { id: orphan.stack.id.clone() };
        let change = self.change(address, &orphan.stack.name, action, Reason::Removed, fields);
        self.takes_over(change, &orphan.stack);
    }

    /// Deletes a stack once nothing enabled uses its function.
    pub(super) fn delete_stack(&mut self, address: &Address, orphan: &OrphanStack, reason: Reason) {
        let name = orphan.stack.name.clone();
        // A deletion that is under way already, perhaps one of ours that was killed, is only waited for.
        if orphan.stack.is_busy() && orphan.stack.status != "DELETE_IN_PROGRESS" {
            let kind = ProblemKind::StackBusy { status: orphan.stack.status.clone() };
            self.problem(address, &name, Severity::Error, kind);
            return;
        }
        let fields = vec![FieldChange::new(Attribute::Stack, Shown::text(&name), Shown::Absent)];
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
        let stays = leaving.iter().map(|(_, change)| &self.plan.changes[*change]).find(|change| change.blocked);
        let blocker = stays.map(|change| ProblemKind::BlockedBy { address: change.address.clone() });
        if let Some(kind) = problem.or(blocker) {
            self.plan.changes[change].blocked = true;
            self.problem(address, &name, Severity::Error, kind);
        }
    }

    /// Whether a stack without a handle holds the function of an entry that names another stack.
    fn is_named_otherwise(&self, orphan: &OrphanStack) -> bool {
        let mut held = self.live.functions.values().filter_map(|live| live.held_by.as_ref());
        held.any(|stack| stack.id == orphan.stack.id)
    }

    /// The `existing` function of the manifest that a stack without a handle holds: its secrets still need it.
    fn handle_that_uses(&self, orphan: &OrphanStack) -> Option<Address> {
        let arn = orphan.function_arn.as_ref()?;
        let existing =
            self.desired.functions.iter().filter(|(_, one)| matches!(one.source, FunctionSource::Existing { .. }));
        let mut uses = existing.filter(|(handle, one)| same_function(&self.function_arn(handle, one), arn));
        uses.next().map(|(handle, _)| self.address(Kind::Function, handle))
    }

    /// Secrets that are off and still refer to a function of ours: no ownership, only a note.
    fn kept_references(&mut self) {
        for (handle, secret) in &self.desired.secrets {
            let Some(Reading::Found(live)) = self.live.secrets.get(handle) else { continue };
            let refers = live.function_arn.as_deref().is_some_and(|function| self.is_deployed(function));
            if secret.rotation.enabled == Some(false) && !live.is_on() && refers {
                let address = self.address(Kind::Secret, handle);
                self.note(Some(address), NoteKind::KeepsReference);
            }
        }
    }
}
