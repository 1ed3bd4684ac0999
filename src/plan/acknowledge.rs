//! Which warnings of a plan are acknowledged: they leave its problems, and are counted in a note instead.

use chrono::NaiveDate;

use crate::model::acknowledge::{Acknowledgement, Warning};

use super::{Note, NoteKind, Plan, Problem, ProblemKind, Severity};

/// What can be acknowledged of a problem: warnings of listed kinds.
fn warning_of(problem: &Problem) -> Option<Warning> {
    match &problem.kind {
        _ if problem.severity != Severity::Warning => None,
        ProblemKind::UnscopedPermission { .. } => Some(Warning::PermissionUnscoped),
        ProblemKind::KeyWithoutParameter { .. } => Some(Warning::KeyWithoutParameter),
        // Once it has come, the function can't be mended any more.
        ProblemKind::RuntimeStopped { over: false, .. } => Some(Warning::RuntimeStops),
        ProblemKind::OwnerUnknown { .. } => Some(Warning::OwnerUnknown),
        // An error that is a warning because nothing is sent keeps secrets from rotating.
        ProblemKind::Code { finding } if !finding.is_error => Some(finding.check.warning()),
        _ => None,
    }
}

/// The template's own statement is a note: it stays as AWS made it.
fn warning_of_note(note: &Note) -> Option<Warning> {
    matches!(note.kind, NoteKind::UnscopedPermission { .. }).then_some(Warning::PermissionUnscoped)
}

/// Takes what is acknowledged on a day out of a plan, and notes how much that is; says of what has ended that it has. How many warnings
/// each met, in their order.
pub fn hold(plan: &mut Plan, acknowledged: &[Acknowledgement], today: NaiveDate) -> Vec<usize> {
    let mut met = vec![0; acknowledged.len()];
    let mut covers = |warning: Option<Warning>, address: &str| {
        let is_it =
            |one: &Acknowledgement| Some(one.warning) == warning && one.is_in_force(today) && one.is_about(address);
        let found = acknowledged.iter().position(is_it);
        if let Some(index) = found {
            met[index] += 1;
        }
        found.is_some()
    };
    plan.problems.retain(|problem| !covers(warning_of(problem), &problem.address.to_string()));
    plan.notes.retain(|note| {
        let address = note.address.as_ref().map(ToString::to_string).unwrap_or_default();
        !covers(warning_of_note(note), &address)
    });
    for (one, number) in acknowledged.iter().zip(&met) {
        if !one.is_in_force(today) {
            plan.notes.push(Note { address: None, kind: NoteKind::AcknowledgementOver(one.clone()) });
        } else if *number > 0 {
            let kind = NoteKind::Acknowledged { warnings: *number, by: one.clone() };
            plan.notes.push(Note { address: None, kind });
        }
    }
    met
}

/// Notes an acknowledgement that meets nothing in any plan of its manifest.
pub fn note_unmet(plan: &mut Plan, one: &Acknowledgement) {
    plan.notes.push(Note { address: None, kind: NoteKind::AcknowledgesNothing(one.clone()) });
}

/// How many warnings of a plan are acknowledged.
pub fn count(plan: &Plan) -> usize {
    let number = |note: &Note| match &note.kind {
        NoteKind::Acknowledged { warnings, .. } => *warnings,
        _ => 0,
    };
    plan.notes.iter().map(number).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rule::Pattern;
    use crate::model::{Address, Kind, Place};
    use crate::plan::fixtures::{desired, live};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn acknowledgement(warning: Warning, of: &str, until: &str) -> Acknowledgement {
        let at = Place { file: "rotator.yaml".into(), line: 3, column: 11, length: 4, text: None };
        let (of, until) = (vec![Pattern(of.to_owned())], until.parse().expect("a test's own date"));
        Acknowledgement { warning, of, reason: "known".to_owned(), until, at }
    }

    fn plan() -> Plan {
        let options = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let mut plan = make_plan(&desired(), &live(), options);
        plan.problems.clear();
        plan.notes.clear();
        let problem = |handle: &str, severity, kind| Problem {
            address: Address::new(None, Kind::Function, handle),
            name: handle.to_owned(),
            severity,
            kind,
        };
        let unscoped = || ProblemKind::UnscopedPermission { statement: "s".to_owned(), deployed: true };
        plan.problems.extend([
            problem("F", Severity::Warning, unscoped()),
            problem("G", Severity::Warning, unscoped()),
            problem("F", Severity::Warning, ProblemKind::TemplateCode),
            problem("F", Severity::Error, ProblemKind::FunctionMissing),
            problem("F", Severity::Warning, ProblemKind::UnfinishedRotation { version: "v".to_owned() }),
        ]);
        plan
    }

    /// Without it, an acknowledgement would silence what nobody has acknowledged: other resources, other kinds, errors, or after its day.
    #[test]
    fn only_what_is_acknowledged_leaves_the_plan() {
        let today = "2027-01-01".parse().expect("a date");
        let mut held = plan();
        let all = [acknowledgement(Warning::PermissionUnscoped, "function.F", "2027-01-01")];
        assert_eq!(hold(&mut held, &all, today), [1]);
        assert_eq!((held.problems.len(), count(&held)), (4, 1));
        let mut held = plan();
        assert_eq!(hold(&mut held, &[acknowledgement(Warning::PermissionUnscoped, "*", "2027-06-30")], today), [2]);
        assert_eq!((held.problems.len(), count(&held)), (3, 2));
        assert!(held.has_errors() && held.unfinished().next().is_some(), "what keeps secrets from rotating stays");
        let mut held = plan();
        assert_eq!(hold(&mut held, &[acknowledgement(Warning::PermissionUnscoped, "*", "2026-12-31")], today), [0]);
        assert_eq!((held.problems.len(), count(&held)), (5, 0));
        assert!(matches!(held.notes[..], [Note { kind: NoteKind::AcknowledgementOver(_), .. }]));
        let mut held = plan();
        assert_eq!(hold(&mut held, &[acknowledgement(Warning::OwnerUnknown, "*", "2027-06-30")], today), [0]);
        assert!(held.notes.is_empty());
    }
}
