//! A function's policy: whether Secrets Manager may invoke it, and who else may.

use crate::model::Address;
use crate::model::live::{LiveStack, Statement};
use crate::plan::{Attribute, FieldChange, NoteKind, ProblemKind, Severity, Shown};

use super::Differ;

impl Differ<'_> {
    /// Whether Secrets Manager may invoke the function for our account, or unconditionally.
    pub(super) fn permits(&self, statements: &[Statement]) -> bool {
        permits(statements, &self.live.account)
    }

    /// Speaks of statements that let in too many, or keep Secrets Manager out. Answers with the latter.
    pub(super) fn report_policy(
        &mut self,
        address: &Address,
        name: &str,
        statements: &[Statement],
        stack: Option<&LiveStack>,
    ) -> Vec<Statement> {
        let mut denials = Vec::new();
        for statement in statements {
            let ours = statement.source_account.as_ref().is_none_or(|source| *source == self.live.account);
            if statement.denies && !statement.other_conditions && ours {
                denials.push(statement.clone());
                let kind = ProblemKind::InvocationDenied { statement: statement.sid.clone() };
                self.problem(address, name, Severity::Warning, kind);
            }
            let unscoped = statement.allows
                && !statement.other_conditions
                && statement.source_account.is_none()
                && statement.source_arn.is_none();
            if unscoped {
                let of_stack = is_of_stack(statement, stack);
                let statement = statement.sid.clone();
                if of_stack {
                    self.note(Some(address.clone()), NoteKind::UnscopedPermission { statement });
                } else {
                    self.problem(
                        address,
                        name,
                        Severity::Warning,
                        ProblemKind::UnscopedPermission { statement, deployed: stack.is_some() },
                    );
                }
            }
        }
        denials
    }
}

/// Whether a statement is one that the function's stack made: their ids begin with its name.
pub(super) fn is_of_stack(statement: &Statement, stack: Option<&LiveStack>) -> bool {
    stack.is_some_and(|stack| statement.sid.starts_with(&stack.name))
}

/// Whether Secrets Manager may invoke a function for an account, or unconditionally.
pub fn permits(statements: &[Statement], account: &str) -> bool {
    statements.iter().any(|statement| {
        statement.allows
            && !statement.other_conditions
            && statement.source_arn.is_none()
            && statement.source_account.as_deref().is_none_or(|source| source == account)
    })
}

pub(super) fn permission_fields(account: &str, present: Option<&Statement>) -> Vec<FieldChange> {
    let permission = |part: &str| Attribute::Permission(part.to_owned());
    let before = |value: &str| present.map_or(Shown::Absent, |_| Shown::text(value));
    let mut fields = Vec::new();
    if present.is_none() {
        fields.push(FieldChange::new(
            permission("principal"),
            before("secretsmanager.amazonaws.com"),
            Shown::text("secretsmanager.amazonaws.com"),
        ));
    }
    let source = present.and_then(|statement| statement.source_account.as_ref());
    if source.is_none_or(|source| source != account) {
        fields.push(FieldChange::new(permission("source_account"), Shown::option(source), Shown::text(account)));
    }
    if present.is_some_and(|statement| statement.denies) {
        fields.push(FieldChange::new(permission("effect"), Shown::text("Deny"), Shown::text("Allow")));
    }
    if present.is_some_and(|statement| statement.other_conditions) {
        fields.push(FieldChange::new(permission("other_conditions"), Shown::Unknown, Shown::Absent));
    }
    if let Some(source_arn) = present.and_then(|statement| statement.source_arn.as_ref()) {
        fields.push(FieldChange::new(permission("source_arn"), Shown::text(source_arn), Shown::Absent));
    }
    fields
}
