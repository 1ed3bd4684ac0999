//! What a change of a manifest does to the guards that it puts up itself: its rules, their exemptions, its limits and its freezes.
//!
//! They change nothing on AWS, and decide what the next change may do there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::model::acknowledge::Acknowledgement;
use crate::model::freeze::{Freeze, first_freed};
use crate::model::rule::{AtMost, Demand, Exemption, Limit, Limits, Pattern, Rule};
use crate::plan::{FieldChange, Shown};

/// A guard of which something differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// `policy.` and the rule's name, `limit.` and the limit's word, `freeze` for all days of freezes, or `acknowledge`.
    pub address: String,
    /// Whether it is there on both sides.
    pub kind: GuardKind,
    /// Where it turns as a whole.
    pub turn: Turn,
    /// What differs.
    pub fields: Vec<FieldChange>,
}

/// On which sides a guard is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardKind {
    /// On the later one.
    Added,
    /// On the earlier one.
    Removed,
    /// On both.
    Changed,
}

/// What a difference does to a guard, the most feared last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// It forbids the same: only its words differ, or what is over already.
    Neutral,
    /// It forbids more.
    Tightened,
    /// It forbids other things: what was forbidden may be allowed now.
    Changed,
    /// It forbids less.
    Weakened,
}

/// The guards of one manifest; empty where there is none.
#[derive(Debug, Clone, Copy)]
pub struct Own<'m> {
    /// Its rules.
    pub rules: &'m [Rule],
    /// Its limits.
    pub limits: &'m Limits,
    /// Its freezes.
    pub freezes: &'m [Freeze],
    /// What it acknowledges.
    pub acknowledged: &'m [Acknowledgement],
}

impl Own<'_> {
    /// No guards.
    pub const NONE: Self = Self { rules: &[], limits: &Limits::NONE, freezes: &[], acknowledged: &[] };
}

/// Compares the guards of one manifest before and after a change. Days of freezes before `today` guard nothing any more.
pub fn guards(before: Own<'_>, after: Own<'_>, today: NaiveDate) -> Vec<Guard> {
    let (old, new) = (all(before), all(after));
    let mut addresses: Vec<&String> = old.keys().chain(new.keys()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let none = Asked::new();
    let others = addresses.into_iter().filter_map(|address| {
        let (kind, was, is) = match (old.get(address), new.get(address)) {
            (Some(was), Some(is)) => (GuardKind::Changed, was, is),
            (Some(was), None) => (GuardKind::Removed, was, &none),
            (None, is) => (GuardKind::Added, &none, is?),
        };
        guard(address, kind, was, is)
    });
    let acknowledged = acknowledged(before.acknowledged, after.acknowledged, today);
    freezes(before.freezes, after.freezes, today).into_iter().chain(acknowledged).chain(others).collect()
}

/// Freezes guard by their days, however those are divided: what counts is whether a day is freed that is still to come.
fn freezes(before: &[Freeze], after: &[Freeze], today: NaiveDate) -> Option<Guard> {
    let asked = |freezes: &[Freeze]| -> Asked {
        let said = |freeze: &Freeze| {
            let shown = Shown::text(freeze.reason.as_deref().unwrap_or("frozen"));
            (freeze.days.to_string(), Said { shown, allows: None, forbids: true })
        };
        freezes.iter().map(said).collect()
    };
    let kind = match (before, after) {
        ([], _) => GuardKind::Added,
        (_, []) => GuardKind::Removed,
        _ => GuardKind::Changed,
    };
    let guard = guard("freeze", kind, &asked(before), &asked(after)).filter(|guard| !guard.fields.is_empty())?;
    let turn = match (first_freed(before, after, today), first_freed(after, before, today)) {
        (Some(_), _) => Turn::Weakened,
        (None, Some(_)) => Turn::Tightened,
        (None, None) => Turn::Neutral,
    };
    Some(Guard { turn, ..guard })
}

/// Acknowledgements take warnings away: a new one, or one that holds longer, weakens; what has ended guards nothing.
fn acknowledged(before: &[Acknowledgement], after: &[Acknowledgement], today: NaiveDate) -> Option<Guard> {
    let asked = |all: &[Acknowledgement]| -> Asked {
        let days = |until: NaiveDate| until.signed_duration_since(NaiveDate::default()).num_days();
        let said = |one: &Acknowledgement| {
            let of: Vec<String> = one.of.iter().map(ToString::to_string).collect();
            let shown = Shown::text(format!("until {}: {}", one.until, one.reason));
            let allows = Some((Unit::Days, days(one.until)));
            (format!("{} at {}", one.warning, of.join(", ")), Said { shown, allows, forbids: false })
        };
        all.iter().map(said).collect()
    };
    // No guard comes or goes: it is what they take away that counts.
    let guard = guard("acknowledge", GuardKind::Changed, &asked(before), &asked(after))
        .filter(|guard| !guard.fields.is_empty())?;
    // Day by day: whatever is silenced on a day that is still to come, and wasn't.
    let holds = |all: &[Acknowledgement], one: &Acknowledgement| {
        let same =
            |other: &&Acknowledgement| other.warning == one.warning && one.of.iter().all(|of| other.of.contains(of));
        all.iter().filter(same).any(|other| other.until >= one.until)
    };
    let in_force = |all: &[Acknowledgement]| -> Vec<Acknowledgement> {
        all.iter().filter(|one| one.is_in_force(today)).cloned().collect()
    };
    let (was, is) = (in_force(before), in_force(after));
    let turn = match (is.iter().all(|one| holds(&was, one)), was.iter().all(|one| holds(&is, one))) {
        (false, _) => Turn::Weakened,
        (true, false) => Turn::Tightened,
        (true, true) => Turn::Neutral,
    };
    Some(Guard { turn, ..guard })
}

/// What a guard says, by path.
type Asked = BTreeMap<String, Said>;

/// One thing that a guard says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    shown: Shown,
    /// How much it allows, where that is a number; of one unit, more allows more.
    allows: Option<(Unit, i64)>,
    /// Whether saying it at all forbids something; else it allows something.
    forbids: bool,
}

/// What is comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Secrets,
    Percent,
    Days,
}

fn guard(address: &str, kind: GuardKind, was: &Asked, is: &Asked) -> Option<Guard> {
    let mut paths: Vec<&String> = was.keys().chain(is.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let (mut fields, mut turns) = (Vec::new(), Vec::new());
    for path in paths {
        let (old, new) = (was.get(path), is.get(path));
        if old == new {
            continue;
        }
        let shown = |said: Option<&Said>| said.map_or(Shown::Absent, |said| said.shown.clone());
        fields.push(FieldChange::new(path.as_str(), shown(old), shown(new)));
        turns.push(turn(old, new));
    }
    let turn = match kind {
        GuardKind::Added => Turn::Tightened,
        GuardKind::Removed => Turn::Weakened,
        GuardKind::Changed => turns.into_iter().max()?,
    };
    Some(Guard { address: address.to_owned(), kind, turn, fields })
}

fn turn(old: Option<&Said>, new: Option<&Said>) -> Turn {
    let weakened = match (old, new) {
        (Some(old), Some(new)) => match (old.allows, new.allows) {
            (Some((unit, before)), Some((other, after))) if unit == other && before != after => after > before,
            _ => return listed(old, new),
        },
        (Some(gone), None) => gone.forbids,
        (None, Some(come)) => !come.forbids,
        (None, None) => false,
    };
    if weakened { Turn::Weakened } else { Turn::Tightened }
}

/// A list of what is allowed weakens what it guards where only something was added to it.
fn listed(old: &Said, new: &Said) -> Turn {
    match (&old.shown, &new.shown) {
        (Shown::List(before), Shown::List(after)) if old.forbids => {
            if before.iter().all(|one| after.contains(one)) {
                Turn::Weakened
            } else if after.iter().all(|one| before.contains(one)) {
                Turn::Tightened
            } else {
                Turn::Changed
            }
        }
        _ => Turn::Changed,
    }
}

fn all(own: Own<'_>) -> BTreeMap<String, Asked> {
    let Own { rules, limits, .. } = own;
    let mut all: BTreeMap<String, Asked> =
        rules.iter().map(|rule| (format!("policy.{}", rule.name), asked(rule))).collect();
    let of = [("changed", &limits.changed), ("stopped", &limits.stopped), ("rotating_now", &limits.rotating_now)];
    for (word, limit) in of {
        if let Some(limit) = limit {
            all.insert(format!("limit.{word}"), Asked::from([("at_most".to_owned(), at_most(limit))]));
        }
    }
    all
}

fn at_most(limit: &Limit) -> Said {
    let allows = match limit.at_most {
        AtMost::Count(count) => (Unit::Secrets, i64::try_from(count).unwrap_or(i64::MAX)),
        AtMost::Percent(percent) => (Unit::Percent, i64::from(percent)),
    };
    Said { shown: Shown::text(limit.at_most), allows: Some(allows), forbids: true }
}

fn asked(rule: &Rule) -> Asked {
    let mut asked = Asked::new();
    let mut say = |path: String, shown, allows, forbids| asked.insert(path, Said { shown, allows, forbids });
    // A match leaves out what it doesn't match.
    for (path, patterns) in [("match.targets", &rule.scope.targets), ("match.secrets", &rule.scope.secrets)] {
        if let Some(patterns) = patterns {
            say(path.to_owned(), list(patterns), None, false);
        }
    }
    for (label, pattern) in &rule.scope.labels {
        say(format!("match.labels.{label}"), Shown::text(pattern), None, false);
    }
    for requirement in &rule.requirements {
        let yes = || Shown::text(true);
        let days = |days: u32| (Shown::text(days), Some((Unit::Days, i64::from(days))));
        let (path, (shown, allows)) = match &requirement.demand {
            Demand::Enabled => ("enabled".to_owned(), (yes(), None)),
            Demand::MaxAge(most) => ("max_age_days".to_owned(), days(*most)),
            Demand::MaxInterval(most) => ("max_interval_days".to_owned(), days(*most)),
            Demand::RotatedWithin(most) => ("rotated_within_days".to_owned(), days(*most)),
            Demand::Window(bounds) => {
                let most = bounds.max_hours.map(|hours| format!(", at most {hours}h")).unwrap_or_default();
                ("window".to_owned(), (Shown::text(format!("{bounds}{most}")), None))
            }
            Demand::Label(label) => (format!("require_labels.{label}"), (yes(), None)),
            Demand::Code => ("require.code".to_owned(), (yes(), None)),
            Demand::Functions(of, patterns) => (format!("functions.{}", of.word()), (list(patterns), None)),
            Demand::Account => ("require.account".to_owned(), (yes(), None)),
            Demand::Forbid(effect) => (format!("forbid.{effect}"), (yes(), None)),
        };
        say(path, shown, allows, true);
    }
    if rule.covers_live.is_some() {
        say("covers".to_owned(), Shown::text("live"), None, true);
    }
    for exemption in &rule.exempt {
        let (path, said) = exempts(exemption);
        // What is exempted twice is exempt until the later day.
        match asked.get(&path).and_then(|known| known.allows).zip(said.allows) {
            Some(((_, known), (_, until))) if known >= until => {}
            _ => drop(asked.insert(path, said)),
        }
    }
    asked
}

/// By whom it exempts and why: the same with another day holds for longer, or for less long.
fn exempts(exemption: &Exemption) -> (String, Said) {
    // However they are ordered, they are the same; and no two lists read alike.
    let secrets: BTreeSet<String> = exemption.secrets.iter().map(|pattern| one_of_a_list(&pattern.0)).collect();
    let secrets: Vec<String> = secrets.into_iter().collect();
    let path = format!("exempt.{} ({})", secrets.join(", "), exemption.reason);
    let days = exemption.until.signed_duration_since(chrono::NaiveDate::default()).num_days();
    let shown = Shown::text(format!("until {}", exemption.until));
    (path, Said { shown, allows: Some((Unit::Days, days)), forbids: false })
}

/// A pattern as a list may hold it: quoted where it could be taken for two, or for the end of the list.
fn one_of_a_list(pattern: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/_+=.@-*:!".contains(c);
    if !pattern.is_empty() && pattern.chars().all(is_plain) { pattern.to_owned() } else { format!("{pattern:?}") }
}

fn list(patterns: &[Pattern]) -> Shown {
    Shown::List(patterns.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;
    use crate::model::freeze::Period;
    use crate::model::rule::{Listed, Requirement, RuleScope};

    fn place() -> Place {
        Place { file: "rotator.yaml".into(), line: 1, column: 1, length: 1, text: None }
    }

    fn today() -> NaiveDate {
        "2026-12-01".parse().expect("a test's own date")
    }

    fn freeze(days: (&str, &str), reason: &str) -> Freeze {
        let day = |text: &str| text.parse().expect("a test's own date");
        let days = Period { from: day(days.0), to: day(days.1) };
        Freeze { days, reason: Some(reason.to_owned()), at: place() }
    }

    fn rule(demands: &[Demand]) -> Rule {
        let requirements = demands.iter().map(|demand| Requirement { demand: demand.clone(), at: place() }).collect();
        let (scope, name) = (RuleScope::default(), "fresh".to_owned());
        Rule { name, at: place(), scope, requirements, covers_live: None, exempt: Vec::new() }
    }

    fn exempt(until: &str) -> Exemption {
        let until = until.parse().expect("a test's own date");
        Exemption { secrets: vec![Pattern("a*".into())], reason: "SEC-1".into(), until, at: place() }
    }

    fn turns(old: &[Rule], new: &[Rule]) -> Vec<(GuardKind, Turn, usize)> {
        let side = |rules| Own { rules, ..Own::NONE };
        guards(side(old), side(new), today()).into_iter().map(|one| (one.kind, one.turn, one.fields.len())).collect()
    }

    /// Without it, the rules could be taken down in one pull request, and broken in the next.
    #[test]
    fn a_rule_that_goes_or_allows_more_is_weaker() {
        let both = rule(&[Demand::MaxAge(30), Demand::Forbid("deletes".into())]);
        let changed = |turn, fields| vec![(GuardKind::Changed, turn, fields)];
        let layers = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|text| Pattern((*text).to_owned())).collect();
            [rule(&[Demand::MaxAge(30), Demand::Functions(Listed::Layers, patterns)])]
        };
        assert_eq!(turns(&layers(&["a"]), &layers(&["a", "b"])), changed(Turn::Weakened, 1), "more is allowed");
        assert_eq!(turns(&layers(&["a", "b"]), &layers(&["a"])), changed(Turn::Tightened, 1));
        assert_eq!(turns(&layers(&["a"]), &layers(&["b"])), changed(Turn::Changed, 1));
        assert_eq!(turns(&layers(&["a"]), &[rule(&[Demand::MaxAge(30)])]), changed(Turn::Weakened, 1));
        assert_eq!(turns(std::slice::from_ref(&both), std::slice::from_ref(&both)), []);
        assert_eq!(turns(std::slice::from_ref(&both), &[]), [(GuardKind::Removed, Turn::Weakened, 2)]);
        assert_eq!(turns(&[], std::slice::from_ref(&both)), [(GuardKind::Added, Turn::Tightened, 2)]);
        let age = |days| [rule(&[Demand::MaxAge(days), Demand::Forbid("deletes".into())])];
        assert_eq!(turns(&age(30), &age(90)), changed(Turn::Weakened, 1));
        assert_eq!(turns(&age(30), &age(7)), changed(Turn::Tightened, 1));
        assert_eq!(turns(&age(30), &[rule(&[Demand::MaxAge(7)])]), changed(Turn::Weakened, 2), "the worst counts");
        let with = |change: &dyn Fn(&mut Rule)| {
            let mut rule = both.clone();
            change(&mut rule);
            [rule]
        };
        let live = with(&|rule| rule.covers_live = Some(place()));
        assert_eq!(turns(&live, std::slice::from_ref(&both)), changed(Turn::Weakened, 1));
        let narrow = |pattern: &str| with(&|rule| rule.scope.secrets = Some(vec![Pattern(pattern.to_owned())]));
        assert_eq!(turns(std::slice::from_ref(&both), &narrow("a*")), changed(Turn::Weakened, 1));
        assert_eq!(turns(&narrow("a*"), &narrow("b*")), changed(Turn::Changed, 1));
        let exempted = |until: &str| with(&|rule| rule.exempt = vec![exempt(until)]);
        assert_eq!(turns(std::slice::from_ref(&both), &exempted("2030-01-01")), changed(Turn::Weakened, 1));
        assert_eq!(turns(&exempted("2030-01-01"), &exempted("2031-01-01")), changed(Turn::Weakened, 1));
        assert_eq!(turns(&exempted("2031-01-01"), &exempted("2030-01-01")), changed(Turn::Tightened, 1));
    }

    /// Without it, a second entry of the same secrets and reason could make an exemption last for years, and nobody be told.
    #[test]
    fn what_is_exempted_twice_holds_until_the_later_day() {
        let with = |exempt: &[(&[&str], &str, &str)]| {
            let exempt = exempt.iter().map(|(secrets, reason, until)| Exemption {
                secrets: secrets.iter().map(|text| Pattern((*text).to_owned())).collect(),
                reason: (*reason).to_owned(),
                ..self::exempt(until)
            });
            [Rule { exempt: exempt.collect(), ..rule(&[Demand::Enabled]) }]
        };
        let (short, long) = ((&["a*"][..], "R", "2026-12-20"), (&["a*"][..], "R", "2036-12-31"));
        let changed = |turn, fields| vec![(GuardKind::Changed, turn, fields)];
        assert_eq!(turns(&with(&[short]), &with(&[long, short])), changed(Turn::Weakened, 1));
        assert_eq!(turns(&with(&[short]), &with(&[short, long])), changed(Turn::Weakened, 1));
        assert_eq!(turns(&with(&[long, short]), &with(&[short])), changed(Turn::Tightened, 1));
        assert_eq!(turns(&with(&[long, short]), &with(&[long])), [], "it ended before");
        // Two lists, or a list and a reason, that would read alike.
        let (one, two) = ((&["a, b"][..], "R", "2036-12-31"), (&["a", "b"][..], "R", "2036-12-31"));
        assert_eq!(turns(&with(&[one]), &with(&[two])), changed(Turn::Weakened, 2));
        let (one, two) = ((&["a"][..], "R) (S", "2036-12-31"), (&["a (R)"][..], "S", "2036-12-31"));
        assert_eq!(turns(&with(&[one]), &with(&[two])), changed(Turn::Weakened, 2));
        let turned = (&["b", "a"][..], "R", "2036-12-31");
        assert_eq!(turns(&with(&[(&["a", "b"][..], "R", "2036-12-31")]), &with(&[turned])), []);
    }

    /// Without it, a freeze could be taken away in the pull request that rotates everything, or its removal after its end alarm.
    #[test]
    fn days_of_freezes_are_guards_too() {
        let turn = |old: &[Freeze], new: &[Freeze]| {
            let side = |freezes| Own { freezes, ..Own::NONE };
            let found = guards(side(old), side(new), today());
            assert!(found.iter().all(|one| one.address == "freeze"));
            found.first().map(|one| (one.kind, one.turn, one.fields.len()))
        };
        let sale = || freeze(("2026-12-20", "2027-01-03"), "sale");
        assert_eq!(turn(&[sale()], &[sale()]), None);
        assert_eq!(turn(&[sale()], &[]), Some((GuardKind::Removed, Turn::Weakened, 1)));
        assert_eq!(turn(&[], &[sale()]), Some((GuardKind::Added, Turn::Tightened, 1)));
        let shorter = [freeze(("2026-12-20", "2027-01-02"), "sale")];
        assert_eq!(turn(&[sale()], &shorter), Some((GuardKind::Changed, Turn::Weakened, 2)));
        assert_eq!(turn(&shorter, &[sale()]), Some((GuardKind::Changed, Turn::Tightened, 2)));
        let moved = [freeze(("2026-12-21", "2027-01-04"), "sale")];
        assert_eq!(turn(&[sale()], &moved), Some((GuardKind::Changed, Turn::Weakened, 2)));
        let renamed = [freeze(("2026-12-20", "2027-01-03"), "audit")];
        assert_eq!(turn(&[sale()], &renamed), Some((GuardKind::Changed, Turn::Neutral, 1)));
        let past = || freeze(("2025-12-20", "2026-01-03"), "sale");
        assert_eq!(turn(&[past(), sale()], &[sale()]), Some((GuardKind::Changed, Turn::Neutral, 1)));
        assert_eq!(turn(&[past()], &[]), Some((GuardKind::Removed, Turn::Neutral, 1)));
    }

    /// Without it, the brake could be released for all in a line that no comparison shows.
    #[test]
    fn limits_are_guards_too() {
        let limits = |at_most| Limits { stopped: Some(Limit { at_most, at: place() }), ..Limits::default() };
        let turn = |old: &Limits, new: &Limits| {
            let found = guards(Own { limits: old, ..Own::NONE }, Own { limits: new, ..Own::NONE }, today());
            found.first().map(|one| (one.address.clone(), one.turn))
        };
        let stopped = |turn| Some(("limit.stopped".to_owned(), turn));
        let (one, two, part) = (limits(AtMost::Count(1)), limits(AtMost::Count(2)), limits(AtMost::Percent(1)));
        assert_eq!(turn(&one, &one), None);
        assert_eq!(turn(&one, &two), stopped(Turn::Weakened));
        assert_eq!(turn(&two, &one), stopped(Turn::Tightened));
        assert_eq!(turn(&one, &part), stopped(Turn::Changed));
        assert_eq!(turn(&one, &Limits::default()), stopped(Turn::Weakened));
    }
}
