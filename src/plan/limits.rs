//! Limits: how much one apply may do to the secrets of one target, and of all targets of one account and region together, unless
//! a person says that it may do more.

use std::collections::BTreeSet;

use crate::model::live::Reading;
use crate::model::rule::{Limit, Limits};
use crate::model::{Address, Desired, Kind, Live};

pub use super::breach::{Exceeded, Limited};
use super::judge::listed;
use super::{Action, Change, Effect, Note, NoteKind, Plan, Problem, ProblemKind, Severity, is_function};

/// What limits look at: of one plan, or of several in one account and region, where a secret is the same by its name.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many plans.
    plans: usize,
    /// The names of secrets that are there and rotate, those without a handle included: an entry alone makes none.
    rotating: BTreeSet<String>,
    /// What each limit counts, by its name; and whether it is a function.
    counted: [BTreeSet<(bool, String)>; Limited::ALL.len()],
}

impl Tally {
    /// What limits look at in one plan. `desired` is all of its manifest, also where filters left something out of the plan.
    pub fn new(desired: &Desired, live: &Live, plan: &Plan) -> Self {
        let count = |what| {
            let changes = plan.runnable().filter(|change| counts(what, change));
            changes.map(|change| (is_function(&change.address), change.name.clone())).collect()
        };
        Self { plans: 1, rotating: rotating(desired, live), counted: Limited::ALL.map(count) }
    }

    /// Adds another plan of the same account and region.
    pub fn add(&mut self, other: &Self) {
        self.plans += other.plans;
        self.rotating.extend(other.rotating.iter().cloned());
        for (all, more) in self.counted.iter_mut().zip(&other.counted) {
            all.extend(more.iter().cloned());
        }
    }

    fn counted(&self, what: Limited) -> &BTreeSet<(bool, String)> {
        let [changed, stopped, rotating_now] = &self.counted;
        match what {
            Limited::Changed => changed,
            Limited::Stopped => stopped,
            Limited::RotatingNow => rotating_now,
        }
    }

    /// How far it goes beyond a limit, if it does. A percentage is of the secrets that rotate, or that begin to with what it counts.
    fn beyond(&self, what: Limited, limit: &Limit) -> Option<Exceeded> {
        let counted = self.counted(what);
        let more = counted.iter().filter(|(is_function, name)| !is_function && !self.rotating.contains(name)).count();
        let (count, of) = (counted.len(), self.rotating.len() + more);
        let allowed = limit.at_most.of(of);
        let exceeded =
            Exceeded { what, count, of, at_most: limit.at_most, allowed, at: limit.at.clone(), targets: self.plans };
        (count > allowed).then_some(exceeded)
    }
}

/// Whether a change counts for a limit.
fn counts(what: Limited, change: &Change) -> bool {
    match what {
        // Switching rotation on takes nothing from a secret that has none; what rotates now has a limit of its own.
        // What a rule of `select` newly attaches, no entry lists.
        Limited::Changed => match change.action {
            Action::UpdateRotation(_) | Action::DisableRotation => true,
            Action::EnableRotation(_) => !change.rules.is_empty(),
            _ => false,
        },
        Limited::Stopped => change.effects.contains(&Effect::StopsRotation),
        Limited::RotatingNow => change.effects.contains(&Effect::RotatesNow),
    }
}

/// The names of the secrets of a target that are there and rotate, those without a handle included.
fn rotating(desired: &Desired, live: &Live) -> BTreeSet<String> {
    let found = live.secrets.values().filter_map(Reading::found).filter(|secret| secret.is_on() && !secret.deleted);
    let orphans = live.orphan_secrets.iter().flatten().map(|orphan| orphan.name.as_str());
    let mut names: BTreeSet<&str> = found.map(|secret| secret.name.as_str()).chain(orphans).collect();
    // What a filter leaves unread, only the list knows.
    let unread = desired.secrets.iter().filter(|(handle, _)| !live.secrets.contains_key(*handle));
    let mut unread = unread.map(|(_, secret)| secret).peekable();
    if unread.peek().is_some() {
        let listed = listed(live);
        let rotating = unread.filter_map(|secret| listed.get(secret.name.as_str())).filter(|listed| listed.is_on);
        names.extend(rotating.map(|listed| listed.name.as_str()));
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The limits that a plan goes beyond: by itself, or together with the others of its account and region, which `all` holds too.
fn exceeded(limits: &Limits, own: &Tally, all: &Tally) -> Vec<Exceeded> {
    let limit = |what| match what {
        Limited::Changed => &limits.changed,
        Limited::Stopped => &limits.stopped,
        Limited::RotatingNow => &limits.rotating_now,
    };
    let beyond = Limited::ALL.into_iter().filter_map(|what| {
        let limit = limit(what).as_ref()?;
        let has_part = || !own.counted(what).is_empty();
        own.beyond(what, limit).or_else(|| all.beyond(what, limit).filter(|_| has_part()))
    });
    beyond.collect()
}

/// Writes into a plan which limits it goes beyond: as errors, or as notes where they are overridden.
pub fn hold(plan: &mut Plan, limits: &Limits, own: &Tally, all: &Tally, overridden: bool) {
    for exceeded in exceeded(limits, own, all) {
        let word = exceeded.what.word();
        let address = Address::new(plan.target.as_deref(), Kind::Limit, word);
        if overridden {
            plan.notes.push(Note { address: Some(address), kind: NoteKind::LimitOverridden(exceeded) });
        } else {
            let kind = ProblemKind::LimitExceeded(exceeded);
            plan.problems.push(Problem { address, name: word.to_owned(), severity: Severity::Error, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::live::{ListedSecret, LiveSecret};
    use crate::model::rule::AtMost;
    use crate::model::{Place, Rotation};
    use crate::plan::fixtures::{days, desired, live, secret};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn limit(at_most: AtMost) -> Limit {
        let at = Place { file: "rotator.yaml".into(), line: 12, column: 3, length: 7, text: None };
        Limit { at_most, at }
    }

    /// Ten secrets that rotate: so many are stopped, so many get other days, and one more is switched on.
    fn plan(stopped: usize, retimed: usize) -> Plan {
        let (mut wanted, mut live) = (desired(), live());
        let (of_manifest, of_aws) = (wanted.secrets["s"].clone(), secret());
        for number in 0..10 {
            let name = format!("s{number}");
            let mut one = of_manifest.clone();
            one.name.clone_from(&name);
            if number < stopped {
                one.rotation = Rotation { enabled: Some(false), ..Rotation::default() };
            } else if number < stopped + retimed {
                one.rotation.rules = Some(days(7));
            }
            wanted.secrets.insert(name.clone(), one);
            live.secrets.insert(name.clone(), Reading::Found(LiveSecret { name, ..of_aws.clone() }));
        }
        let off = LiveSecret { rotation_enabled: Some(false), ..of_aws };
        live.secrets.insert("s".to_owned(), Reading::Found(off));
        make_plan(&wanted, &live, PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false })
    }

    /// All ten, of which the plan may leave some as they are.
    fn tally(plan: &Plan) -> Tally {
        let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
        Tally { rotating: names.into_iter().collect(), ..Tally::new(&desired(), &live(), plan) }
    }

    fn words(limits: &Limits, plan: &Plan) -> Vec<(&'static str, usize, usize)> {
        let tally = tally(plan);
        exceeded(limits, &tally, &tally).iter().map(|one| (one.what.word(), one.count, one.allowed)).collect()
    }

    /// Without it, an emptied manifest could stop the rotation of a whole fleet, or a first apply would hit the brake.
    #[test]
    fn a_limit_counts_what_it_names() {
        let plan = plan(2, 3);
        let limits = |changed, stopped, now| Limits { changed, stopped, rotating_now: now };
        let count = |number| Some(limit(AtMost::Count(number)));
        assert_eq!(words(&limits(count(5), count(2), count(1)), &plan), []);
        assert_eq!(
            words(&limits(count(4), count(1), count(0)), &plan),
            [("changed", 5, 4), ("stopped", 2, 1), ("rotating_now", 1, 0)]
        );
        let percent = |number| Some(limit(AtMost::Percent(number)));
        assert_eq!(words(&limits(percent(49), percent(1), percent(1)), &plan), [("changed", 5, 4), ("stopped", 2, 1)]);
        assert_eq!(words(&limits(percent(50), None, percent(0)), &plan), [("rotating_now", 1, 0)]);
        assert_eq!(words(&Limits::default(), &plan), []);
    }

    /// Without it, entries of secrets that don't exist, or don't rotate, would make room for stopping those that do; or a filter
    /// would take it away.
    #[test]
    fn what_rotates_is_counted() {
        let (mut wanted, mut live) = (desired(), live());
        let count = |wanted: &Desired, live: &Live| rotating(wanted, live).len();
        assert_eq!(count(&wanted, &live), 1);
        for number in 0..20 {
            let name = format!("made-up/{number}");
            let one = crate::model::Secret { name: name.clone(), ..wanted.secrets["s"].clone() };
            wanted.secrets.insert(name.clone(), one);
            live.secrets.insert(name, Reading::Absent);
        }
        // The same secret by its ARN is the same secret.
        let again = crate::model::Secret { name: secret().arn, ..wanted.secrets["s"].clone() };
        wanted.secrets.insert("again".to_owned(), again);
        live.secrets.insert("again".to_owned(), Reading::Found(secret()));
        assert_eq!(count(&wanted, &live), 1);
        let other = LiveSecret { name: "made-up/1".to_owned(), arn: "arn:1".to_owned(), ..secret() };
        for (found, expected) in [
            (other.clone(), 2),
            (LiveSecret { deleted: true, ..other.clone() }, 1),
            (LiveSecret { rotation_enabled: Some(false), ..other.clone() }, 1),
            (LiveSecret { rotation_enabled: None, ..other }, 1),
        ] {
            live.secrets.insert("made-up/1".to_owned(), Reading::Found(found));
            assert_eq!(count(&wanted, &live), expected);
        }
        // With a filter: what was left unread, and is listed.
        live.secrets.retain(|handle, _| handle == "s");
        assert_eq!(count(&wanted, &live), 1);
        let listed = |name: &str, is_on| ListedSecret {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}-AbCdEf"),
            is_on,
            function_arn: None,
            rules: None,
            owning_service: None,
            replica_of: None,
        };
        let all = [("made-up/1", true), ("made-up/2", true), ("made-up/3", false), ("others", true)];
        live.listed = Some(Ok(all.map(|(name, is_on)| listed(name, is_on)).to_vec()));
        assert_eq!(count(&wanted, &live), 3);
    }

    /// Without it, secrets that begin to rotate at once would be beyond any percentage of those that did before; or those that don't
    /// would make room for others.
    #[test]
    fn a_percentage_is_of_what_rotates_and_of_what_it_counts() {
        let plan = plan(0, 0);
        let now = |percent| Limits { rotating_now: Some(limit(AtMost::Percent(percent))), ..Limits::default() };
        let none = Tally { rotating: BTreeSet::new(), ..tally(&plan) };
        assert_eq!(exceeded(&now(100), &none, &none), []);
        let mut two = none.clone();
        two.counted[2].insert((false, "other".to_owned()));
        let found = exceeded(&now(50), &two, &two);
        assert_eq!(found.iter().map(|one| (one.count, one.of, one.allowed)).collect::<Vec<_>>(), [(2, 2, 1)]);
    }

    /// Without it, one apply could stop a whole fleet by four targets of one account, a few secrets in each.
    #[test]
    fn targets_of_one_account_and_region_are_counted_together() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            let counted = [BTreeSet::new(), names.clone().map(|name| (false, name)).collect(), BTreeSet::new()];
            Tally { plans: 1, rotating: names.collect(), counted }
        };
        let (a, b, c) = (of(&["a"]), of(&["b", "a"]), of(&[]));
        let mut all = Tally::default();
        for one in [&a, &b, &c] {
            all.add(one);
        }
        let limits = |at_most| Limits { stopped: Some(limit(at_most)), ..Limits::default() };
        let found = |limits: &Limits, own: &Tally| -> Vec<_> {
            exceeded(limits, own, &all).iter().map(|one| (one.count, one.of, one.allowed, one.targets)).collect()
        };
        assert_eq!(found(&limits(AtMost::Count(1)), &a), [(2, 2, 1, 3)], "the same secret is one");
        assert_eq!(found(&limits(AtMost::Count(1)), &b), [(2, 2, 1, 1)], "by itself already");
        assert_eq!(found(&limits(AtMost::Count(1)), &c), [], "where nothing stops, nothing is wrong");
        assert_eq!(found(&limits(AtMost::Percent(50)), &a), [(2, 2, 1, 3)], "each alone may have one");
        assert_eq!(found(&limits(AtMost::Count(2)), &a), []);
    }

    /// Without it, an overridden limit would still refuse, or be passed over in silence.
    #[test]
    fn an_overridden_limit_is_a_note() {
        let limits = Limits { stopped: Some(limit(AtMost::Count(1))), ..Limits::default() };
        let (mut held, mut free) = (plan(2, 0), plan(2, 0));
        let tally = tally(&held);
        hold(&mut held, &limits, &tally, &tally, false);
        hold(&mut free, &limits, &tally, &tally, true);
        assert!(held.is_refused() && !free.is_refused());
        assert!(free.notes.iter().any(|note| matches!(note.kind, NoteKind::LimitOverridden(_))));
    }

    /// Without it, changes that an error leaves out would count, and a limit would stop the rest for nothing.
    #[test]
    fn blocked_changes_do_not_count() {
        let mut plan = plan(2, 0);
        plan.changes.iter_mut().for_each(|change| change.blocked = true);
        assert_eq!(words(&Limits { stopped: Some(limit(AtMost::Count(0))), ..Limits::default() }, &plan), []);
    }
}
