//! How old a secret's value may be, by a policy's rules (`rotated_within_days`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::rule::{Rule, any};

/// A rule that a secret breaks: it hasn't rotated for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule's name.
    pub rule: String,
    /// For how many whole days it hasn't rotated.
    pub days: i64,
    /// How many are allowed.
    pub allowed: u32,
}

/// A secret, as rules know it.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Its target's name.
    pub target: Option<&'a str>,
    /// Its name on AWS.
    pub name: &'a str,
    /// Its labels; `None`: no manifest names it, so that only rules count which also hold for such.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// Since when its value is as it is, in seconds since 1970; `None`: nobody knows.
    pub since: Option<i64>,
}

/// The rules that a secret breaks at a moment, in seconds since 1970.
pub fn broken(rules: &[&Rule], secret: Measured<'_>, now: i64) -> Vec<BrokenRule> {
    let Some((since, today)) = secret.since.zip(DateTime::<Utc>::from_timestamp(now, 0)) else { return Vec::new() };
    let (seconds, none) = (now - since, BTreeMap::new());
    let holds = |rule: &&&Rule| {
        let is_meant = secret.labels.is_some() || rule.covers_live.is_some();
        is_meant
            && rule.scope.has_target(secret.target)
            && rule.scope.has_secret(secret.name, secret.labels.unwrap_or(&none))
            && !rule.exempt.iter().any(|one| one.is_in_force(today.date_naive()) && any(&one.secrets, secret.name))
    };
    let asked = |rule: &&Rule| -> Vec<BrokenRule> {
        let allowed = rule.requirements.iter().filter_map(|one| one.demand.exceeded_by(seconds));
        allowed.map(|allowed| BrokenRule { rule: rule.name.clone(), days: seconds / (24 * 3600), allowed }).collect()
    };
    rules.iter().filter(holds).flat_map(asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;
    use crate::model::rule::{Demand, Exemption, Pattern, Requirement, RuleScope};

    const DAY: i64 = 24 * 3600;
    /// Noon of 2026-11-29, UTC.
    const NOW: i64 = 1_795_953_600;

    fn place() -> Place {
        Place { file: "policy.yaml".into(), line: 1, column: 1, length: 1, text: None }
    }

    fn rule() -> Rule {
        Rule {
            name: "fresh".to_owned(),
            at: place(),
            scope: RuleScope { secrets: Some(vec![Pattern("app/*".to_owned())]), ..RuleScope::default() },
            requirements: vec![Requirement { demand: Demand::RotatedWithin(90), at: place() }],
            covers_live: None,
            exempt: Vec::new(),
        }
    }

    fn breaks(rule: &Rule, name: &str, is_managed: bool, days: i64) -> bool {
        let labels = BTreeMap::new();
        let labels = is_managed.then_some(&labels);
        let secret = Measured { target: None, name, labels, since: Some(NOW - days * DAY) };
        !broken(&[rule], secret, NOW).is_empty()
    }

    /// Without it, a secret would be reported that the rule doesn't mean, or an old one pass.
    #[test]
    fn a_rule_holds_for_what_it_means() {
        assert!(breaks(&rule(), "app/key", true, 91) && !breaks(&rule(), "app/key", true, 90));
        assert!(!breaks(&rule(), "other", true, 91));
        assert!(!breaks(&rule(), "app/key", false, 91), "no manifest names it");
        let live = Rule { covers_live: Some(place()), ..rule() };
        assert!(breaks(&live, "app/key", false, 91));
        let until = |date: &str| Exemption {
            secrets: vec![Pattern("app/key".to_owned())],
            reason: "agreed".to_owned(),
            until: date.parse().expect("a date"),
            at: place(),
        };
        assert!(!breaks(&Rule { exempt: vec![until("2026-11-29")], ..rule() }, "app/key", true, 91));
        assert!(breaks(&Rule { exempt: vec![until("2026-11-28")], ..rule() }, "app/key", true, 91), "it is over");
        let unknown = Measured { target: None, name: "app/key", labels: None, since: None };
        assert_eq!(broken(&[&live], unknown, NOW), []);
    }
}
