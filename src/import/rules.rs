//! Which rotation is the commonest, and what an entry says over what it inherits.

use std::collections::{BTreeSet, HashMap};

use crate::model::{RotationRules, Schedule};

/// A line of `rotation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `automatically_after_days`.
    Days(u16),
    /// `schedule_expression`.
    Expression(String),
    /// `duration`, in hours; `None`: `null`, against what is inherited.
    Duration(Option<u8>),
    /// `enabled: true`, against what is inherited.
    Enabled,
}

impl Field {
    /// All that says these rules.
    pub fn of(rules: &RotationRules) -> Vec<Self> {
        over(None, rules)
    }
}

/// The rotation that most of several have, and how many. Of equally many, the first in words.
pub(super) fn commonest<'a>(all: impl IntoIterator<Item = &'a RotationRules>) -> Option<(RotationRules, usize)> {
    let mut counts: HashMap<&RotationRules, usize> = HashMap::new();
    for rules in all {
        *counts.entry(rules).or_default() += 1;
    }
    let order = |(rules, count): &(&RotationRules, usize)| (usize::MAX - count, rules.to_string());
    counts.into_iter().min_by_key(order).map(|(rules, count)| (rules.clone(), count))
}

/// What an entry says that wants `wanted` and inherits `inherited`.
pub(super) fn over(inherited: Option<&RotationRules>, wanted: &RotationRules) -> Vec<Field> {
    let mut fields = Vec::new();
    if inherited.is_none_or(|inherited| inherited.schedule != wanted.schedule) {
        fields.push(schedule(wanted));
    }
    let duration = inherited.and_then(|inherited| inherited.duration_hours);
    if duration != wanted.duration_hours {
        fields.push(Field::Duration(wanted.duration_hours));
    }
    fields
}

/// What an entry says that may inherit anything of these fields of a secret's defaults.
pub(super) fn over_unknown(inherited: &BTreeSet<String>, wanted: &RotationRules) -> Vec<Field> {
    let mut fields = vec![schedule(wanted)];
    if wanted.duration_hours.is_some() || inherited.contains("rotation.duration") {
        fields.push(Field::Duration(wanted.duration_hours));
    }
    if inherited.contains("rotation.enabled") {
        fields.push(Field::Enabled);
    }
    fields
}

fn schedule(rules: &RotationRules) -> Field {
    match &rules.schedule {
        Schedule::AutomaticallyAfterDays(days) => Field::Days(*days),
        Schedule::Expression(text) => Field::Expression(text.clone()),
    }
}
