//! A function's policy: whether Secrets Manager may invoke it, and who else may.

use crate::model::Address;
use crate::model::arn::Arn;
use crate::model::live::Statement;
use crate::plan::{Attribute, FieldChange, NoteKind, ProblemKind, Severity, Shown};

use super::Planner;

impl Planner<'_> {
    /// Whether Secrets Manager may invoke the function for our account, or unconditionally.
    pub(super) fn permits(&self, statements: &[Statement]) -> bool {
        permits(statements, &self.live.account)
    }

    /// Speaks of statements that let in too many, or keep Secrets Manager out. Answers with the latter. `stack`: the name of the
    /// stack that made the function, and whether this manifest deploys it.
    pub(super) fn report_policy(
        &mut self,
        address: &Address,
        name: &str,
        statements: &[Statement],
        (stack, deployed): (Option<&str>, bool),
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
                    let kind = ProblemKind::UnscopedPermission { statement, deployed };
                    self.problem(address, name, Severity::Warning, kind);
                }
            }
        }
        denials
    }
}

/// What a function's policy says of its invocation for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    /// A statement permits it.
    Open,
    /// No statement does, and of one it isn't known: it has other conditions.
    Unclear,
    /// This statement denies it, whatever others say.
    Denied(&'a Statement),
    /// No statement permits it.
    Closed,
}

/// What a function's policy says of its invocation for a secret, by the secret's ARN. `account`: whose the secret is, where that ARN
/// doesn't say it.
pub fn access<'a>(statements: &'a [Statement], secret: &str, account: &str) -> Access<'a> {
    let owner = account_of(secret, account);
    let for_account = |one: &Statement| one.source_account.as_deref().is_none_or(|source| source == owner);
    let for_secret = |one: &Statement| one.source_arn.as_deref().is_none_or(|source| names(source, secret));
    let concerns = |one: &&Statement| !one.other_conditions && for_account(one) && for_secret(one);
    if let Some(denial) = statements.iter().filter(|one| one.denies).find(concerns) {
        return Access::Denied(denial);
    }
    if statements.iter().filter(|one| one.allows).any(|one| concerns(&one)) {
        return Access::Open;
    }
    if statements.iter().any(|one| one.other_conditions) { Access::Unclear } else { Access::Closed }
}

/// The account of a secret, by its ARN; `other` where that isn't one.
pub fn account_of(secret: &str, other: &str) -> String {
    secret.parse::<Arn>().map_or_else(|_| other.to_owned(), |arn| arn.account)
}

/// Whether a condition on the source may mean a secret. Patterns are AWS's to read: they count as meaning it.
fn names(source: &str, secret: &str) -> bool {
    source == secret || source.contains(['*', '?'])
}

/// Whether a statement is one that the function's stack made: their ids begin with its name.
pub(super) fn is_of_stack(statement: &Statement, stack: Option<&str>) -> bool {
    stack.is_some_and(|stack| statement.sid.starts_with(stack))
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
