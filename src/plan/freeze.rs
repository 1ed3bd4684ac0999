//! Freezes: what a plan would rotate, test or give other code on a day on which that is held back.
//!
//! They are judged by the day of the apply, whenever the plan was made. What is frozen is what this tool does by its own hand:
//! switching rotation off, and removing what is no longer wanted, rotates nothing, tests nothing and brings no other code, so a
//! freeze doesn't hold it back. AWS's own schedule goes on.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::model::freeze::Freeze;
use crate::model::{Address, Kind};

pub use super::breach::Frozen;
use super::{Change, Effect, Note, NoteKind, Plan, Problem, ProblemKind, Severity, is_function};

/// The effects that a freeze holds back.
pub const HELD_BACK: [Effect; 3] = [Effect::RotatesNow, Effect::ReplacesCode, Effect::TestsNow];

/// Whether a freeze holds a change back.
fn is_held(change: &Change) -> bool {
    !change.blocked && HELD_BACK.iter().any(|effect| change.effects.contains(effect))
}

/// Writes into a plan which freezes are in force on a day, and what they hold back: as an error, or as a note and an effect where
/// they are overridden. Those that ended long ago are noted.
pub fn hold<'f>(
    plan: &mut Plan,
    freezes: impl IntoIterator<Item = &'f Freeze>,
    today: NaiveDate,
    is_overridden: impl Fn(&Freeze) -> bool,
) {
    let number = |effect| {
        // A secret that moves to other code is tested, or rotates, and is counted there.
        let counts = |address: &Address| effect != Effect::ReplacesCode || is_function(address);
        plan.affected(effect).into_iter().filter(|(address, _)| counts(address)).count()
    };
    let held: BTreeMap<Effect, usize> =
        HELD_BACK.into_iter().map(|effect| (effect, number(effect))).filter(|(_, number)| *number > 0).collect();
    for freeze in freezes {
        let word = freeze.days.from.to_string();
        let address = Address::new(plan.target.as_deref(), Kind::Freeze, word.clone());
        let frozen = || Frozen { freeze: freeze.clone(), held: held.clone() };
        let note = |kind| Note { address: Some(address.clone()), kind };
        if freeze.days.is_left_over(today) {
            plan.notes.push(note(NoteKind::FreezeLeftOver(freeze.clone())));
        } else if !freeze.days.holds(today) {
            // It is ahead, or over since a short while: nothing to say.
        } else if held.is_empty() {
            plan.notes.push(note(NoteKind::FreezeHoldsNothing(frozen())));
        } else if is_overridden(freeze) {
            plan.notes.push(note(NoteKind::FreezeOverridden(frozen())));
            plan.changes.iter_mut().filter(|change| is_held(change)).for_each(|change| {
                change.effects.insert(Effect::OverridesFreeze);
            });
        } else {
            let kind = ProblemKind::Frozen(frozen());
            plan.problems.push(Problem { address, name: word, severity: Severity::Error, kind });
        }
    }
}

/// Whether a freeze of these would hold a plan back on a day: looked at once more when a person has approved, who may have
/// taken until the next day.
pub fn holds_back<'f>(
    plan: &Plan,
    freezes: impl IntoIterator<Item = &'f Freeze>,
    today: NaiveDate,
    is_overridden: impl Fn(&Freeze) -> bool,
) -> bool {
    plan.changes.iter().any(is_held)
        && freezes.into_iter().any(|freeze| freeze.days.holds(today) && !is_overridden(freeze))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;
    use crate::model::freeze::Period;
    use crate::plan::fixtures::{days, desired, empty_live, live, wanted};
    use crate::plan::{PlanOptions, Purpose, Refusal, make_plan};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a test's own date")
    }

    fn freeze(from: &str, to: &str) -> Freeze {
        let at = Place { file: "rotator.yaml".into(), line: 3, column: 11, length: 4, text: None };
        Freeze { days: Period { from: day(from), to: day(to) }, reason: Some("sale".to_owned()), at }
    }

    fn converge() -> PlanOptions {
        PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false }
    }

    fn held(plan: &Plan, today: &str, overridden: bool) -> Plan {
        let mut plan = plan.clone();
        hold(&mut plan, &[freeze("2026-12-20", "2027-01-03")], day(today), |_| overridden);
        plan
    }

    /// Without it, a first apply would rotate secrets in the middle of a sale, and say nothing of it.
    #[test]
    fn what_rotates_tests_or_gets_other_code_is_held_back() {
        let first = make_plan(&desired(), &empty_live(), converge());
        let mut retimed = desired();
        retimed.secrets.get_mut("s").expect("built there").rotation.rules = Some(days(7));
        let tests = make_plan(&retimed, &live(), converge());
        assert!(tests.count(Effect::TestsNow) == 1 && tests.count(Effect::RotatesNow) == 0);
        for plan in [&first, &tests] {
            for today in ["2026-12-20", "2027-01-03"] {
                let held = held(plan, today, false);
                assert_eq!(held.refusals().into_iter().collect::<Vec<_>>(), [Refusal::Freeze]);
            }
            for today in ["2026-12-19", "2027-01-04"] {
                let free = held(plan, today, false);
                assert!(!free.is_refused() && free.notes == plan.notes);
            }
        }
    }

    /// Without it, a freeze would keep from being done what disturbs no secret: other settings, and switching rotation off.
    #[test]
    fn what_disturbs_no_secret_goes_on() {
        let mut other = desired();
        wanted(&mut other).settings.timeout = Some(77);
        let settings = make_plan(&other, &live(), converge());
        let removal = make_plan(&desired(), &live(), PlanOptions { purpose: Purpose::Destroy, partial: false });
        assert!(removal.count(Effect::StopsRotation) > 0);
        for plan in [&settings, &removal, &make_plan(&desired(), &live(), converge())] {
            let held = held(plan, "2026-12-24", false);
            assert!(!held.is_refused(), "{:?}", held.problems);
            assert!(held.notes.iter().any(|note| matches!(note.kind, NoteKind::FreezeHoldsNothing(_))));
        }
    }

    /// Without it, the emergency flag would do nothing, or pass in silence and by every policy.
    #[test]
    fn an_override_is_a_note_and_an_effect() {
        let plan = held(&make_plan(&desired(), &empty_live(), converge()), "2026-12-24", true);
        assert!(!plan.is_refused());
        assert!(plan.notes.iter().any(|note| matches!(note.kind, NoteKind::FreezeOverridden(_))));
        let counts = |effect| plan.count(effect);
        assert!(counts(Effect::OverridesFreeze) >= counts(Effect::RotatesNow) && counts(Effect::RotatesNow) > 0);
        // Outside of a freeze the flag means nothing.
        let plan = held(&make_plan(&desired(), &empty_live(), converge()), "2026-12-19", true);
        assert_eq!(plan.count(Effect::OverridesFreeze), 0);
    }

    /// Without it, changes that an error leaves out would be held back, and refuse the others.
    #[test]
    fn what_is_left_out_is_not_held_back() {
        let mut plan = make_plan(&desired(), &empty_live(), converge());
        plan.changes.iter_mut().for_each(|change| change.blocked = true);
        assert!(!held(&plan, "2026-12-24", false).is_refused());
        assert!(!holds_back(&plan, &[freeze("2026-12-20", "2027-01-03")], day("2026-12-24"), |_| false));
    }

    /// Without it, freezes of past years would pile up, and the one that matters be overlooked.
    #[test]
    fn one_that_ended_long_ago_is_noted() {
        let plan = make_plan(&desired(), &live(), converge());
        let kinds = |today| held(&plan, today, false).notes.into_iter().map(|note| note.kind).collect::<Vec<_>>();
        let left_over = |kinds: Vec<NoteKind>| kinds.iter().any(|kind| matches!(kind, NoteKind::FreezeLeftOver(_)));
        assert!(!left_over(kinds("2027-02-02")) && left_over(kinds("2027-02-03")));
    }
}
