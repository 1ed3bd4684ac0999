//! The removal of what a manifest owns: rotation off, then stacks.

use crate::model::live::{LiveSecret, OrphanStack, Reading};
use crate::model::{FunctionSource, Kind, PROJECT_TAG, SHARED_TAG};
use crate::plan::{Action, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity, Shown};

use super::Differ;
use super::function::same_function;

impl Differ<'_> {
    pub(super) fn destroy(&mut self) {
        for (handle, secret) in &self.desired.secrets {
            let address = self.address(Kind::Secret, handle);
            match self.live.secrets.get(handle) {
                Some(Reading::Found(live)) if live.is_on() => self.release_secret(handle, live),
                Some(Reading::Unread(unread)) => {
                    let kind = ProblemKind::Unread { what: "secret", unread: unread.clone() };
                    self.problem(&address, &secret.name, Severity::Error, kind);
                }
                _ => {}
            }
        }
        if let Ok(orphans) = &self.live.orphan_secrets
            && !self.plan.partial
        {
            for orphan in orphans {
                let address = self.address(Kind::OrphanSecret, &orphan.name);
                let fields = vec![FieldChange::new("rotation.enabled", Shown::text(true), Shown::text(false))];
                let change = self.change(address, &orphan.name, Action::DisableRotation, Reason::Destroyed, fields);
                self.effect(change, Effect::StopsRotation);
                let leaving = self.leaving.entry(orphan.function_arn.clone()).or_default();
                leaving.push((orphan.name.clone(), change));
            }
        }
        self.destroy_stacks();
    }

    /// Switches off a secret's rotation where it is ours: with a function of ours, or listed with an existing one.
    fn release_secret(&mut self, handle: &str, live: &LiveSecret) {
        let address = self.address(Kind::Secret, handle);
        let function = live.function_arn.clone().unwrap_or_default();
        let by_manifest = self
            .desired
            .functions
            .iter()
            .any(|(handle, wanted)| same_function(&self.function_arn(handle, wanted), &function));
        let by_project = live.function_project.as_ref().is_some_and(|project| self.is_ours(project));
        if !by_manifest && !by_project {
            let kind = NoteKind::NotOurs { function: live.function_arn.clone().unwrap_or_default() };
            self.note(Some(address), kind);
            return;
        }
        let change = self.disable(&address, live, Reason::Destroyed);
        self.leaving.entry(function).or_default().push((live.name.clone(), change));
    }

    fn destroy_stacks(&mut self) {
        for (handle, function) in &self.desired.functions {
            let (FunctionSource::Deployed(_), Some(live)) = (&function.source, self.live_function(handle)) else {
                continue;
            };
            let address = self.address(Kind::Function, handle);
            match &live.stack {
                Reading::Unread(unread) => {
                    let kind = ProblemKind::Unread { what: "stack", unread: unread.clone() };
                    self.problem(&address, &function.name, Severity::Error, kind);
                }
                Reading::Absent => {}
                Reading::Found(stack) => match stack.tags.get(PROJECT_TAG) {
                    Some(project) if self.is_ours(project) => {
                        let shared = stack.tags.get(SHARED_TAG).is_some_and(|shared| shared == "true");
                        let arn = self.function_arn(handle, function);
                        let rotating = self.rotating_with(&arn, live.foreign_secrets, shared);
                        let orphan = OrphanStack { stack: stack.clone(), shared, function_arn: Some(arn), rotating };
                        self.delete_stack(&orphan, Reason::Destroyed);
                        if let Some(change) = self.plan.changes.last_mut()
                            && matches!(change.action, Action::DeleteStack { .. })
                        {
                            change.address = address;
                        }
                    }
                    _ => {
                        let kind = NoteKind::NotOurs { function: stack.name.clone() };
                        self.note(Some(address), kind);
                    }
                },
            }
        }
        if !self.plan.partial {
            for orphan in &self.live.orphan_stacks {
                self.delete_stack(orphan, Reason::Destroyed);
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
            .filter(|live| live.is_on())
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
