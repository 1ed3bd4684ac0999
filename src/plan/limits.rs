//! Limits: how much one apply may do to one target's secrets, unless a person says aloud that it may do more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::live::Reading;
use crate::model::policy::{AtMost, Limit, Limits};
use crate::model::{Address, Desired, Kind, Live, Place};

use super::policy::listed;
use super::{Action, Change, Effect, Note, NoteKind, Plan, Problem, ProblemKind, Severity};

/// A limit that a plan goes beyond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceeded {
    /// What is counted.
    pub what: Limited,
    /// How many secrets.
    pub count: usize,
    /// Of how many of this target.
    pub of: usize,
    /// The limit, as it is written.
    pub at_most: AtMost,
    /// How many that allows.
    pub allowed: usize,
    /// Where it stands.
    pub at: Place,
}

/// What limits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// Secrets that rotate and get another rotation: other rules, another function, or none.
    Changed,
    /// Secrets that stop rotating.
    Stopped,
    /// Secrets that rotate now.
    RotatingNow,
}

impl Limited {
    /// The word in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Stopped => "stopped",
            Self::RotatingNow => "rotating_now",
        }
    }

    fn counts(self, change: &Change) -> bool {
        match self {
            // Switching rotation on takes nothing from a secret that has none; what rotates now has a limit of its own.
            Self::Changed => matches!(change.action, Action::UpdateRotation(_) | Action::DisableRotation),
            Self::Stopped => change.effects.contains(&Effect::StopsRotation),
            Self::RotatingNow => change.effects.contains(&Effect::RotatesNow),
        }
    }
}

/// How many secrets of a target there are on AWS, those without a handle included: an entry alone makes none.
pub fn existing(desired: &Desired, live: &Live) -> usize {
    let found = live.secrets.values().filter_map(Reading::found).filter(|secret| !secret.deleted);
    let orphans = live.orphan_secrets.iter().flatten().map(|orphan| orphan.arn.as_str());
    let mut arns: BTreeSet<&str> = found.map(|secret| secret.arn.as_str()).chain(orphans).collect();
    // What a filter leaves unread, only the list knows.
    let mut unread = desired
        .secrets
        .iter()
        .filter(|(handle, _)| !live.secrets.contains_key(*handle))
        .map(|(_, secret)| secret)
        .peekable();
    if unread.peek().is_some() {
        let listed = listed(live);
        arns.extend(unread.filter_map(|secret| listed.get(secret.name.as_str())).map(|secret| secret.arn.as_str()));
    }
    arns.len()
}

/// The limits that a plan goes beyond. `of` is how many secrets its target has on AWS, as [`existing`] counts them.
pub fn exceeded(limits: &Limits, plan: &Plan, of: usize) -> Vec<Exceeded> {
    let all: [(Limited, &Option<Limit>); 3] = [
        (Limited::Changed, &limits.changed),
        (Limited::Stopped, &limits.stopped),
        (Limited::RotatingNow, &limits.rotating_now),
    ];
    let mut exceeded = Vec::new();
    for (what, limit) in all {
        let Some(limit) = limit else { continue };
        let counted: BTreeSet<&Address> =
            plan.runnable().filter(|change| what.counts(change)).map(|change| &change.address).collect();
        let (count, allowed) = (counted.len(), limit.at_most.of(of));
        if count > allowed {
            exceeded.push(Exceeded { what, count, of, at_most: limit.at_most, allowed, at: limit.at.clone() });
        }
    }
    exceeded
}

/// Writes into a plan which limits it goes beyond: as errors, or as notes where they are overridden.
pub fn hold(plan: &mut Plan, limits: &Limits, of: usize, overridden: bool) {
    for exceeded in exceeded(limits, plan, of) {
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
    use crate::model::Rotation;
    use crate::model::live::{ListedSecret, LiveSecret};
    use crate::plan::fixtures::{days, desired, live, secret};
    use crate::plan::{Purpose, Scope, diff};

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
        diff(&wanted, &live, Scope { purpose: Purpose::Converge { prune: false }, partial: false })
    }

    fn words(limits: &Limits, plan: &Plan) -> Vec<(&'static str, usize, usize)> {
        exceeded(limits, plan, 11).iter().map(|one| (one.what.word(), one.count, one.allowed)).collect()
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
        assert_eq!(words(&limits(percent(45), percent(1), percent(1)), &plan), [("changed", 5, 4), ("stopped", 2, 1)]);
        assert_eq!(words(&limits(percent(46), None, percent(0)), &plan), [("rotating_now", 1, 0)]);
        assert_eq!(words(&Limits::default(), &plan), []);
    }

    /// Without it, entries of secrets that don't exist would make room for stopping those that do; or a filter would take it away.
    #[test]
    fn what_exists_is_counted() {
        let (mut wanted, mut live) = (desired(), live());
        assert_eq!(existing(&wanted, &live), 1);
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
        assert_eq!(existing(&wanted, &live), 1);
        live.secrets.insert("made-up/1".to_owned(), Reading::Found(LiveSecret { arn: "arn:1".into(), ..secret() }));
        assert_eq!(existing(&wanted, &live), 2);
        live.secrets.insert(
            "made-up/1".to_owned(),
            Reading::Found(LiveSecret { arn: "arn:1".into(), deleted: true, ..secret() }),
        );
        assert_eq!(existing(&wanted, &live), 1);
        // With a filter: what was left unread, and is listed.
        live.secrets.retain(|handle, _| handle == "s");
        assert_eq!(existing(&wanted, &live), 1);
        let listed = |name: &str| ListedSecret {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}-AbCdEf"),
            is_on: true,
            function_arn: None,
            rules: None,
            owning_service: None,
            replica_of: None,
        };
        live.listed = Some(Ok(vec![listed("made-up/1"), listed("made-up/2"), listed("others")]));
        assert_eq!(existing(&wanted, &live), 3);
    }

    /// Without it, an overridden limit would still refuse, or be passed over in silence.
    #[test]
    fn an_overridden_limit_is_a_note() {
        let limits = Limits { stopped: Some(limit(AtMost::Count(1))), ..Limits::default() };
        let (mut held, mut free) = (plan(2, 0), plan(2, 0));
        hold(&mut held, &limits, 11, false);
        hold(&mut free, &limits, 11, true);
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
