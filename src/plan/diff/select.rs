//! Rules of `select`, before and after: which live secrets they mean, only AWS knows.

use crate::model::schedule::worst_gap_hours;
use crate::model::{Function, SelectRule};
use crate::plan::{Attribute, FieldChange};

use super::values::rule_values;
use super::{Consequence, Difference, Fate, Finding, Pair, Subject};

impl Pair<'_> {
    pub(super) fn rules(&self, found: &mut Vec<Difference>) {
        let (old, new) = (&self.old.select, &self.new.select);
        for (handle, rule) in new {
            let Some(before) = old.get(handle) else {
                let values = rule_values(rule).added();
                let difference = self.difference(Subject::Rule, handle, handle, Finding::Added { values });
                let on = rule.rotation.enabled == Some(true);
                let consequences = if on { vec![attaches(rule)] } else { Vec::new() };
                found.push(Difference { consequences, ..difference });
                continue;
            };
            for change in rule_values(before).changes(&rule_values(rule)) {
                let consequences = self.of_rule(before, rule, &change);
                let difference = self.difference(Subject::Rule, handle, handle, Finding::Changed(change));
                found.push(Difference { consequences, ..difference });
            }
        }
        for (handle, rule) in old.iter().filter(|(handle, _)| !new.contains_key(*handle)) {
            let fate = self.fate_of_rule(rule, self.new.prune);
            found.push(self.difference(Subject::Rule, handle, handle, Finding::Removed { fate }));
        }
    }

    fn of_rule(&self, old: &SelectRule, new: &SelectRule, change: &FieldChange) -> Vec<Consequence> {
        let on = new.rotation.enabled == Some(true);
        match &change.attribute {
            Attribute::Other(path) if path.starts_with("match.") => {
                // What the function of a rule still rotates isn't pruned by the manifest alone.
                let left = Consequence::LeavesRule(self.fate_of_rule(old, false));
                if on { vec![attaches(new), left] } else { vec![left] }
            }
            Attribute::Function => vec![Consequence::LeavesRule(Fate::Unmanaged)],
            Attribute::Enabled if on => vec![attaches(new)],
            Attribute::Enabled => vec![Consequence::StopsRotation],
            Attribute::Rules => {
                let (Some(before), Some(after)) = (&old.rotation.rules, &new.rotation.rules) else { return Vec::new() };
                let gap = Consequence::WorstGap { before: worst_gap_hours(before), after: worst_gap_hours(after) };
                let now = new.rotation.rotate_immediately == Some(true);
                let sent = if now { Consequence::RotatesNow } else { Consequence::TestsNow };
                let late = (!now && !before.schedule.is_cron()).then_some(Consequence::MayRotateOnOldSchedule);
                let of_change = [gap].into_iter().chain(late).chain([sent]);
                if on { of_change.collect() } else { Vec::new() }
            }
            Attribute::Other(path) if path == "rotation.rotate_immediately" => vec![Consequence::InstructionOnly],
            _ => Vec::new(),
        }
    }

    /// What becomes of the secrets of a rule that means them no more.
    fn fate_of_rule(&self, old: &SelectRule, prunes: bool) -> Fate {
        let function = self.old.functions.get(&old.function).and_then(Function::deployment);
        match function.is_some_and(|deployment| !deployment.shared) && old.rotation.enabled != Some(false) {
            false => Fate::Unmanaged,
            true if prunes => Fate::Pruned,
            true => Fate::Orphan,
        }
    }
}

/// What follows where a rule comes, or means others.
fn attaches(rule: &SelectRule) -> Consequence {
    Consequence::AttachesMatches { now: rule.rotation.rotate_immediately == Some(true) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::rule::Pattern;
    use crate::model::{Desired, Match, Rotation, Shared};
    use crate::plan::diff::compare;
    use crate::plan::fixtures::{days, desired};

    fn with(names: &[&str], every: u16) -> Desired {
        let names = names.iter().map(|name| Pattern((*name).to_owned())).collect();
        let rule = SelectRule {
            matches: Match { names: Some(names), ..Match::default() },
            function: "f".to_owned(),
            rotation: Rotation { enabled: Some(true), rules: Some(days(every)), rotate_immediately: None },
            labels: Shared::default(),
        };
        Desired { select: BTreeMap::from([("r".to_owned(), rule)]).into(), ..desired() }
    }

    fn found(before: &Desired, after: &Desired) -> Vec<(Finding, Vec<Consequence>)> {
        let all = compare(std::slice::from_ref(before), std::slice::from_ref(after));
        all.into_iter().filter(|one| one.subject == Subject::Rule).map(|one| (one.finding, one.consequences)).collect()
    }

    /// Without it, a reviewer would not see that a rule attaches more, or lets go of what it meant.
    #[test]
    fn a_rule_that_comes_changes_or_goes_is_a_difference() {
        let (none, some, fewer) = (desired(), with(&["v/*"], 30), with(&["v/a*"], 60));
        let added = found(&none, &some);
        assert!(
            matches!(&added[..], [(Finding::Added { .. }, so)] if so[..] == [Consequence::AttachesMatches { now: false }])
        );
        let changed = found(&some, &fewer);
        let [(Finding::Changed(names), so), (Finding::Changed(rules), _)] = &changed[..] else { panic!("{changed:?}") };
        assert_eq!((names.attribute.path().as_ref(), &rules.attribute), ("match.names", &Attribute::Rules));
        assert!(so.contains(&Consequence::LeavesRule(Fate::Orphan)), "{so:?}");
        assert_eq!(found(&some, &none), [(Finding::Removed { fate: Fate::Orphan }, Vec::new())]);
        assert_eq!(found(&some, &some), []);
        assert_eq!(
            found(&some, &Desired { prune: true, ..none }),
            [(Finding::Removed { fate: Fate::Pruned }, Vec::new())]
        );
    }
}
