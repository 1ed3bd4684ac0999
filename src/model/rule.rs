//! What a team allows itself: limits on one apply, and rules that every plan is held to.
//!
//! A limit is a brake that a person may release; a rule is not. Where they come from and how they are written is
//! [`crate::config`]'s; whether they hold is [`crate::plan::judge`]'s and [`crate::plan::limits`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::schedule;
use super::{Place, RotationRules};

/// The words of `forbid:`, as plans publish their effects.
pub const EFFECTS: [&str; 12] = [
    "overrides-freeze",
    "deletes",
    "drops-pending",
    "stops-rotation",
    "rotates-now",
    "starts-rotation",
    "takes-over",
    "replaces-code",
    "rotates-less-often",
    "may-rotate-on-old-schedule",
    "tests-now",
    "opens-permission",
];

/// How many days before its end an exemption is warned of.
pub const WARNING_DAYS: i64 = 14;

/// A rule: what is asked of the secrets, functions and targets that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique in its file.
    pub name: String,
    /// Where it stands.
    pub at: Place,
    /// What it holds for.
    pub scope: RuleScope,
    /// What it asks, all of it at once.
    pub requirements: Vec<Requirement>,
    /// Where it says that it also holds for live secrets that no manifest names.
    pub covers_live: Option<Place>,
    /// Who needn't follow it, and until when.
    pub exempt: Vec<Exemption>,
}

/// What a rule holds for; what is `None` or empty matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleScope {
    /// Targets by name. A manifest without targets has one whose name is empty.
    pub targets: Option<Vec<Pattern>>,
    /// Secrets by AWS's name.
    pub secrets: Option<Vec<Pattern>>,
    /// Labels, all of which an entry must have.
    pub labels: BTreeMap<String, Pattern>,
}

impl RuleScope {
    /// Whether a target is meant.
    pub fn has_target(&self, name: Option<&str>) -> bool {
        self.targets.as_ref().is_none_or(|patterns| any(patterns, name.unwrap_or_default()))
    }

    /// Whether a secret of a target that is meant is meant itself.
    pub fn has_secret(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.secrets.as_ref().is_none_or(|patterns| any(patterns, name)) && self.has_labels(labels)
    }

    /// Whether something that isn't a secret is meant by its labels alone.
    pub fn has_labelled(&self, labels: &BTreeMap<String, String>) -> bool {
        self.secrets.is_none() && self.has_labels(labels)
    }

    /// Whether an entry has the labels that are asked for.
    pub fn has_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, pattern)| labels.get(key).is_some_and(|value| pattern.matches(value)))
    }
}

/// Whether one of several patterns matches.
pub fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

/// A text in which `*` stands for any characters, none and `/` included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether it matches the whole of a text.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            // The leftmost place leaves most to what follows.
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

impl Pattern {
    /// Whether some text matches both it and another pattern.
    pub fn meets(&self, other: &Self) -> bool {
        let (one, other): (Vec<char>, Vec<char>) = (self.0.chars().collect(), other.0.chars().collect());
        // `row[j]`: whether what is left of both can be the same, from one place in the first and from place j in the other.
        let mut row = vec![false; other.len() + 1];
        for i in (0..=one.len()).rev() {
            let below = row.clone();
            for j in (0..=other.len()).rev() {
                row[j] = match (one.get(i), other.get(j)) {
                    (None, None) => true,
                    (Some('*'), letter) => below[j] || (letter.is_some() && row[j + 1]),
                    (letter, Some('*')) => row[j + 1] || (letter.is_some() && below[j]),
                    (Some(a), Some(b)) => a == b && below[j + 1],
                    _ => false,
                };
            }
        }
        row[0]
    }

    /// Whether it matches an ARN, part by part: `*` stays within one of the six parts, so that no name passes for an account. The
    /// last part of a shorter pattern stands for all that follows; without any `:`, it matches as any text does.
    pub fn matches_arn(&self, arn: &str) -> bool {
        let wanted: Vec<&str> = self.0.splitn(6, ':').collect();
        let parts: Vec<&str> = arn.splitn(wanted.len(), ':').collect();
        let matches = |(wanted, part): (&&str, &&str)| Self((*wanted).to_owned()).matches(part);
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(matches)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that a rule asks, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What.
    pub demand: Demand,
    /// Where.
    pub at: Place,
}

/// The things that rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Rotation is on.
    Enabled,
    /// Between two rotations lie at most so many days, at worst.
    MaxAge(u32),
    /// Between the openings of two windows lie at most so many days.
    MaxInterval(u32),
    /// At most so many days have passed since it last rotated. A report: it refuses nothing.
    RotatedWithin(u32),
    /// Windows lie inside bounds.
    Window(WindowBounds),
    /// The entry has a label.
    Label(String),
    /// A function has code of the manifest.
    Code,
    /// A function, its application, its layers or its role is on a list.
    Functions(Listed, Vec<Pattern>),
    /// The target states its account.
    Account,
    /// No change has this effect: one of [`EFFECTS`].
    Forbid(String),
}

/// What of functions a rule may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Functions that are used, and not deployed: by name in the target's own account and region, or by ARN.
    Existing,
    /// The applications that functions are deployed from, by ARN.
    Applications,
    /// The layers of functions, by ARN.
    Layers,
    /// The roles that functions run as, by ARN.
    Roles,
}

impl Listed {
    /// The word in a rule's `functions:`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Existing => "existing",
            Self::Applications => "applications",
            Self::Layers => "layers",
            Self::Roles => "roles",
        }
    }
}

impl Demand {
    /// Whether it is judged on a secret's rotation, which also secrets without an entry have.
    pub fn is_of_rotation(&self) -> bool {
        matches!(self, Self::Enabled | Self::MaxAge(_) | Self::MaxInterval(_) | Self::Window(_))
    }

    /// The most days since a secret last rotated, where so many seconds are more.
    pub fn exceeded_by(&self, seconds: i64) -> Option<u32> {
        match self {
            Self::RotatedWithin(allowed) if seconds > i64::from(*allowed) * 24 * 3600 => Some(*allowed),
            _ => None,
        }
    }

    /// Whether it is judged on when a secret last rotated, which nothing in a plan changes.
    pub fn is_of_history(&self) -> bool {
        matches!(self, Self::RotatedWithin(_))
    }
}

/// The time of the week in which windows may be open, in UTC, and how long they may last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowBounds {
    /// The hour from which on windows may be open, 0 to 23.
    pub from: u8,
    /// The hour at which they must have closed, 1 to 24; not after `from`: on the next day.
    pub to: u8,
    /// The days on which this time begins, 0 (Sunday) to 6 (Saturday).
    pub days: BTreeSet<u8>,
    /// The longest window, in hours.
    pub max_hours: Option<u8>,
}

/// The days of the week as schedules write them, Sunday first.
pub const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The hours of a week.
const WEEK: usize = 7 * 24;

impl WindowBounds {
    /// Bounds that allow everything.
    pub fn any() -> Self {
        Self { from: 0, to: 24, days: (0..7).collect(), max_hours: None }
    }

    /// Whether any time of the week is allowed.
    pub fn allows_any_time(&self) -> bool {
        self.allowed().iter().all(|hour| *hour)
    }

    /// The hours of the week in which windows may be open, from Sunday's midnight on.
    fn allowed(&self) -> [bool; WEEK] {
        let (from, to) = (usize::from(self.from), usize::from(self.to));
        let length = if to > from { to - from } else { 24 - from + to };
        let mut allowed = [false; WEEK];
        for day in &self.days {
            let start = usize::from(*day) * 24 + from;
            (start..start + length).for_each(|hour| allowed[hour % WEEK] = true);
        }
        allowed
    }

    /// The first opening of a schedule whose window lies outside: its day, or `None` where any day may be its, and its hour.
    ///
    /// The answer is `None` where all windows lie inside, and where the rules are invalid.
    pub fn first_outside(&self, rules: &RotationRules) -> Option<(Option<u8>, u8)> {
        let (openings, length) = (schedule::openings(&rules.schedule)?, schedule::window_hours(rules)?);
        let allowed = self.allowed();
        let days = openings.weekdays.clone().unwrap_or_else(|| (0..7).collect());
        let all = days.iter().flat_map(|day| openings.hours.iter().map(move |hour| (*day, *hour)));
        let inside = |&(day, hour): &(u8, u8)| {
            let start = usize::from(day) * 24 + usize::from(hour);
            (start..start + usize::from(length)).all(|hour| allowed[hour % WEEK])
        };
        let (day, hour) = all.into_iter().find(|opening| !inside(opening))?;
        Some((openings.weekdays.is_some().then_some(day), hour))
    }
}

impl fmt::Display for WindowBounds {
    /// `22:00 to 06:00 on SAT, SUN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.from == 0 && self.to == 24;
        if !whole {
            write!(f, "{:02}:00 to {:02}:00", self.from, self.to)?;
        }
        if self.days.len() < 7 {
            let names: Vec<&str> =
                self.days.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)).copied()).collect();
            write!(f, "{}on {}", if whole { "" } else { " " }, names.join(", "))?;
        } else if whole {
            f.write_str("any time")?;
        }
        Ok(())
    }
}

/// Secrets that needn't follow a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Which, by AWS's name.
    pub secrets: Vec<Pattern>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, in UTC.
    pub until: NaiveDate,
    /// Where it stands.
    pub at: Place,
}

impl Exemption {
    /// Whether it still holds.
    pub fn is_in_force(&self, today: NaiveDate) -> bool {
        today <= self.until
    }

    /// Whether it holds, and not for long any more.
    pub fn ends_soon(&self, today: NaiveDate) -> bool {
        self.is_in_force(today) && (self.until - today).num_days() <= WARNING_DAYS
    }
}

/// How much one apply may do to the secrets of a target, and of all targets of one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many that rotate may get another rotation: other rules, another function, or none.
    pub changed: Option<Limit>,
    /// How many may stop rotating.
    pub stopped: Option<Limit>,
    /// How many may rotate now.
    pub rotating_now: Option<Limit>,
}

impl Limits {
    /// Whether any is a part of a target's secrets that rotate, which must then be counted.
    pub fn has_percent(&self) -> bool {
        let all = [&self.changed, &self.stopped, &self.rotating_now];
        all.into_iter().flatten().any(|limit| matches!(limit.at_most, AtMost::Percent(_)))
    }

    /// No limits.
    pub const NONE: Self = Self { changed: None, stopped: None, rotating_now: None };
}

/// One limit, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub at_most: AtMost,
    /// Where.
    pub at: Place,
}

/// A number of secrets, or a part of a target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtMost {
    /// So many.
    Count(usize),
    /// So many of a hundred, rounded down; but one secret is always within a part that isn't 0.
    Percent(u8),
}

impl AtMost {
    /// How many of so many secrets.
    pub fn of(self, secrets: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(0) => 0,
            Self::Percent(percent) => (secrets.saturating_mul(usize::from(percent)) / 100).max(1),
        }
    }
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Schedule;

    /// Without it, a rule could hold for other secrets than its author reads in it, or for none.
    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("prod/*", "prod/a/b", true),
            ("prod/*", "preprod/a", false),
            ("*", "", true),
            ("*/key", "a/b/key", true),
            ("*/key", "a/key/b", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "ac", false),
            ("a*bc*c", "abc", false),
            ("**", "x", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("", "", true),
            ("", "x", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(text), expected, "{pattern} {text}");
        }
    }

    /// Without it, a role or layer of a stranger could be named so that it passes for one of the account that a list allows.
    #[test]
    fn patterns_match_arns_part_by_part() {
        for (pattern, arn, expected) in [
            ("arn:aws:lambda:*:111111111111:layer:*", "arn:aws:lambda:eu-west-1:111111111111:layer:l:3", true),
            ("arn:aws:lambda:*:111111111111:layer:*", "arn:aws:lambda:eu-west-1:666666666666:layer:l:3", false),
            ("arn:aws:iam::*:role/ours-*", "arn:aws:iam::666666666666:role/:1:role/ours-x", false),
            ("arn:aws:iam::*:role/*", "arn:aws:iam::111111111111:role/service-role/x", true),
            ("arn:*", "arn:aws:iam::111111111111:role/x", true),
            ("*", "arn:aws:iam::111111111111:role/x", true),
            ("*:role/x", "arn:aws:iam::111111111111:role/x", false),
            ("arn:aws:lambda", "arn:aws:lambda:eu-west-1:1:layer:l:3", false),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches_arn(arn), expected, "{pattern} {arn}");
        }
    }

    /// Without it, a limit in percent would keep a small fleet from changing a single secret, or let a large one change all.
    #[test]
    fn percentages_allow_one_secret_and_round_down() {
        let allowed = |percent, of| AtMost::Percent(percent).of(of);
        assert_eq!(
            [allowed(30, 0), allowed(30, 1), allowed(30, 6), allowed(30, 7), allowed(30, 100)],
            [1, 1, 1, 2, 30]
        );
        assert_eq!([allowed(0, 100), allowed(100, 7), AtMost::Count(0).of(9), AtMost::Count(5).of(2)], [0, 7, 0, 5]);
    }

    fn rules(schedule: &str, hours: u8) -> RotationRules {
        RotationRules { schedule: Schedule::Expression(schedule.to_owned()), duration_hours: Some(hours) }
    }

    fn bounds(from: u8, to: u8, days: &[u8]) -> WindowBounds {
        WindowBounds { from, to, days: days.iter().copied().collect(), max_hours: None }
    }

    /// Without it, secrets could rotate outside the maintenance hours, or schedules that keep to them would be refused.
    #[test]
    fn windows_lie_inside_bounds_or_are_named() {
        const ALL: [u8; 7] = [0, 1, 2, 3, 4, 5, 6];
        let night = bounds(22, 6, &ALL);
        assert_eq!(night.first_outside(&rules("cron(0 2 * * ? *)", 4)), None);
        assert_eq!(night.first_outside(&rules("cron(0 2 * * ? *)", 5)), Some((None, 2)));
        assert_eq!(night.first_outside(&rules("cron(0 22 ? * MON *)", 2)), None);
        assert_eq!(night.first_outside(&rules("cron(0 21 ? * MON *)", 2)), Some((Some(1), 21)));
        // The night of a Saturday ends on Sunday morning, and Saturday's own morning isn't in it.
        let saturdays = bounds(22, 6, &[6]);
        assert_eq!(saturdays.first_outside(&rules("cron(0 2 ? * SUN#1 *)", 4)), None);
        assert_eq!(saturdays.first_outside(&rules("cron(0 2 ? * SAT *)", 4)), Some((Some(6), 2)));
        // What may open on any day needs all days.
        let weekend = bounds(0, 24, &[6, 0]);
        let thirty = RotationRules { schedule: Schedule::AutomaticallyAfterDays(30), duration_hours: None };
        assert_eq!(weekend.first_outside(&thirty), Some((None, 0)));
        assert_eq!(weekend.first_outside(&rules("cron(0 2 ? * 7L *)", 22)), None);
        assert_eq!(bounds(0, 4, &ALL).first_outside(&rules("rate(10 days)", 4)), None);
        // Six hours apart, from any midnight on.
        assert_eq!(bounds(0, 18, &ALL).first_outside(&rules("rate(6 hours)", 1)), Some((None, 18)));
        assert_eq!(bounds(0, 1, &ALL).first_outside(&rules("rate(48 hours)", 1)), None);
        assert!(WindowBounds::any().allows_any_time() && !night.allows_any_time());
    }

    /// Without it, an exemption could hold a day longer or shorter than it says.
    #[test]
    fn an_exemption_holds_through_its_last_day() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 12, day).expect("a date");
        let at = Place { file: "p.yaml".into(), line: 1, column: 1, length: 1, text: None };
        let exemption = Exemption { secrets: Vec::new(), reason: String::new(), until: day(20), at };
        assert!(exemption.is_in_force(day(20)) && !exemption.is_in_force(day(21)));
        assert!(!exemption.ends_soon(day(5)) && exemption.ends_soon(day(6)) && !exemption.ends_soon(day(21)));
    }
}
