//! What rules of `select` came to: said here; the secrets that they mean are compared as if they were listed.

use std::collections::BTreeSet;

use crate::model::Kind;
use crate::model::live::OrphanSecret;
use crate::plan::{NoteKind, ProblemKind, Purpose, Severity};

use super::Planner;
use super::function::same_function;

impl Planner<'_> {
    /// Says what rules mean, what they leave alone, and what they don't agree about.
    pub(super) fn selected(&mut self, purpose: Purpose) {
        let Some(selected) = &self.desired.selected else { return };
        self.plan.selected.clone_from(&selected.secrets);
        if let Some(unread) = &selected.unread {
            for handle in self.desired.select.keys() {
                let address = self.address(Kind::Select, handle);
                self.problem(&address, handle, Severity::Error, ProblemKind::SelectUnread { unread: unread.clone() });
            }
            return;
        }
        if purpose == Purpose::Destroy {
            return;
        }
        for (name, rules) in &selected.conflicts {
            let address = self.address(Kind::Secret, name);
            self.problem(&address, name, Severity::Error, ProblemKind::RulesConflict { rules: rules.clone() });
        }
        if !matches!(purpose, Purpose::Converge { .. }) {
            return;
        }
        for (name, (rules, why)) in &selected.left_out {
            let kind = NoteKind::LeftOutByRule { rules: rules.clone(), why: why.clone() };
            self.note(Some(self.address(Kind::Secret, name)), kind);
        }
        for handle in &selected.without_match {
            self.note(Some(self.address(Kind::Select, handle)), NoteKind::MatchesNothing);
        }
        for (handle, secrets) in &selected.beside {
            let function = self.desired.select.get(handle).map(|rule| rule.function.clone()).unwrap_or_default();
            let kind = NoteKind::BesideRule { function, secrets: secrets.clone() };
            self.note(Some(self.address(Kind::Select, handle)), kind);
        }
    }

    /// Whether an orphan rotates with a function that a rule names: it may have left that rule by a tag that was taken off, which
    /// ends no rotation unless a person says so.
    pub(super) fn may_have_left_a_rule(&self, secret: &OrphanSecret) -> bool {
        let functions: BTreeSet<&str> = self.desired.select.values().map(|rule| rule.function.as_str()).collect();
        let mut of_rules =
            functions.into_iter().filter_map(|handle| Some((handle, self.desired.functions.get(handle)?)));
        of_rules.any(|(handle, function)| same_function(&self.function_arn(handle, function), &secret.function_arn))
    }
}
