//! The removal of what a manifest owns: rotation off, then stacks.

use crate::model::live::{LiveSecret, LiveStack, OrphanStack, Reading};
use crate::model::{FunctionSource, Kind, PROJECT_TAG, SHARED_TAG};
use crate::plan::{NoteKind, ProblemKind, Reason, Severity};

use super::Planner;
use super::function::same_function;

impl Planner<'_> {
    pub(super) fn destroy(&mut self) {
        for (handle, secret) in &self.desired.secrets {
            let address = self.address(Kind::Secret, handle);
            match self.live.secrets.get(handle) {
                // What AWS is about to delete, and what only follows its primary, can't be switched off here.
                Some(Reading::Found(live)) if live.is_on() && !is_out_of_reach(live) => {
                    self.release_secret(handle, live);
                }
                Some(Reading::Unread(unread)) => {
                    let kind = ProblemKind::Unread { what: "secret".into(), unread: unread.clone() };
                    self.problem(&address, &secret.name, Severity::Error, kind);
                }
                _ => {}
            }
        }
        if self.plan.partial {
            self.keep_stacks();
            return;
        }
        match &self.live.orphan_secrets {
            Ok(orphans) => {
                for orphan in orphans {
                    if self.lets_go_of_secret(orphan) {
                        continue;
                    }
                    self.disable_orphan(orphan, Reason::Destroyed);
                }
            }
            Err(unread) => self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) }),
        }
        if let Some(unread) = &self.live.stacks_unread {
            self.note(None, NoteKind::OrphansNotChecked { unread: Some(unread.clone()) });
        }
        self.destroy_stacks();
    }

    /// With a filter, secrets that aren't selected, or aren't even listed, may rotate with a function: its stack stays.
    fn keep_stacks(&mut self) {
        for (handle, live) in &self.live.functions {
            if live.stack.found().is_some_and(|stack| self.has_our_tag(stack)) {
                let address = self.address(Kind::Function, handle);
                self.note(Some(address), NoteKind::StackStays);
            }
        }
    }

    fn has_our_tag(&self, stack: &LiveStack) -> bool {
        stack.tags.get(PROJECT_TAG).is_some_and(|project| self.is_ours(project))
    }

    /// Switches off a secret's rotation where it is ours: with a function of ours, or listed with an existing one.
    fn release_secret(&mut self, handle: &str, live: &LiveSecret) {
        let address = self.address(Kind::Secret, handle);
        let function = live.function_arn.clone().unwrap_or_default();
        let by_manifest = self.desired.functions.iter().any(|(handle, wanted)| {
            // A function whose stack isn't ours, or not yet, rotates nothing on our behalf.
            let stack = self.live_function(handle).and_then(|live| live.stack.found());
            let stack = stack.filter(|stack| !stack.is_half_made());
            let ours = stack.is_none_or(|stack| self.has_our_tag(stack));
            ours && same_function(&self.function_arn(handle, wanted), &function)
        });
        let by_project = live.function_project.as_ref().is_some_and(|project| self.is_ours(project));
        if !by_manifest && !by_project {
            if let Some(unread) = &live.function_unread {
                let kind = ProblemKind::OwnerUnknown { function: function.clone(), unread: unread.clone() };
                self.problem(&address, &live.name, Severity::Warning, kind);
            }
            let owner = live.function_arn.clone().or_else(|| live.rotated_by().map(str::to_owned));
            self.note(Some(address), NoteKind::NotOurs { function: owner.unwrap_or_else(|| "AWS".to_owned()) });
            return;
        }
        let change = self.disable(&address, live, Reason::Destroyed);
        self.leaving.entry(function).or_default().push((live.name.clone(), change));
    }

    fn destroy_stacks(&mut self) {
        for (handle, function) in &self.desired.functions {
            let (FunctionSource::Deployed(wanted), Some(live)) = (&function.source, self.live_function(handle)) else {
                continue;
            };
            let address = self.address(Kind::Function, handle);
            match &live.stack {
                Reading::Unread(unread) => {
                    let kind = ProblemKind::Unread { what: "stack".into(), unread: unread.clone() };
                    self.problem(&address, &function.name, Severity::Error, kind);
                }
                Reading::Absent => {}
                Reading::Found(stack) if stack.is_half_made() => {
                    let rotating = Some(Vec::new());
                    let orphan = OrphanStack { stack: stack.clone(), shared: false, function_arn: None, rotating };
                    self.delete_stack(&address, &orphan, Reason::Destroyed);
                }
                Reading::Found(stack) => match stack.tags.get(PROJECT_TAG) {
                    Some(project) if self.is_ours(project) => {
                        let shared = wanted.shared || stack.tags.get(SHARED_TAG).is_some_and(|shared| shared == "true");
                        let arn = self.function_arn(handle, function);
                        // Nothing rotates with a function that is gone.
                        let gone = live.configuration == Reading::Absent;
                        let foreign = if gone { Some(0) } else { live.foreign_secrets };
                        let rotating = self.rotating_with(&arn, foreign, shared);
                        let orphan = OrphanStack { stack: stack.clone(), shared, function_arn: Some(arn), rotating };
                        self.delete_stack(&address, &orphan, Reason::Destroyed);
                    }
                    _ => {
                        let kind = NoteKind::NotOurs { function: stack.name.clone() };
                        self.note(Some(address), kind);
                    }
                },
            }
        }
        for orphan in &self.live.orphan_stacks {
            if self.lets_go_of(orphan) {
                self.release(orphan);
            } else {
                let address = self.address(Kind::OrphanStack, &orphan.stack.name);
                self.delete_stack(&address, orphan, Reason::Destroyed);
            }
        }
    }

    /// The secrets that rotate with a function, as far as they are known; `None` where they aren't.
    fn rotating_with(&self, arn: &str, foreign: Option<usize>, shared: bool) -> Option<Vec<String>> {
        let mut names: Vec<String> = self
            .live
            .secrets
            .values()
            .filter_map(Reading::found)
            .filter(|live| live.is_on() && !is_out_of_reach(live))
            .filter(|live| live.function_arn.as_ref().is_some_and(|function| same_function(function, arn)))
            .map(|live| live.name.clone())
            .collect();
        match (&self.live.orphan_secrets, shared) {
            (Ok(orphans), false) => {
                names.extend(
                    orphans
                        .iter()
                        .filter(|orphan| same_function(&orphan.function_arn, arn))
                        .map(|orphan| orphan.name.clone()),
                );
                Some(names)
            }
            (Ok(_), true) => match foreign {
                None => None,
                Some(0) => Some(names),
                Some(count) => {
                    names.push(format!("{count} secrets of other manifests"));
                    Some(names)
                }
            },
            (Err(_), _) => None,
        }
    }
}

/// Whether a secret's rotation can't be changed from here: it is being deleted, or a replica.
fn is_out_of_reach(live: &LiveSecret) -> bool {
    live.deleted || live.replica_of.is_some()
}
