//! Freezes: days on which this tool rotates nothing, tests nothing and replaces no code. AWS's own schedule goes on.
//!
//! How they are written is [`crate::config`]'s; what they hold back is [`crate::plan::freeze`]'s. Both days are included, in UTC.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Place;

/// How many days after its end a freeze is said to be left over.
pub const LEFT_OVER_DAYS: i64 = 30;

/// One freeze, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its days.
    pub days: Period,
    /// Why, where it says so.
    pub reason: Option<String>,
    /// Where it stands.
    pub at: Place,
}

/// Days from one to another, both included. The first isn't after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

impl Period {
    /// Whether a day is one of them.
    pub fn holds(self, day: NaiveDate) -> bool {
        (self.from..=self.to).contains(&day)
    }

    /// Whether one of the days of another period is one of them.
    pub fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Whether it ended so long ago that it is left over.
    pub fn is_left_over(self, day: NaiveDate) -> bool {
        (day - self.to).num_days() > LEFT_OVER_DAYS
    }
}

impl fmt::Display for Period {
    /// `2026-12-20 to 2027-01-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// The first day on or after `today` that some of the earlier periods hold and none of the later ones.
pub fn first_freed(before: &[Freeze], after: &[Freeze], today: NaiveDate) -> Option<NaiveDate> {
    let mut later: Vec<Period> = after.iter().map(|freeze| freeze.days).collect();
    later.sort_unstable();
    let freed = |period: Period| {
        let mut day = period.from.max(today);
        for other in &later {
            if other.holds(day) {
                day = other.to.succ_opt()?;
            }
        }
        (day <= period.to).then_some(day)
    };
    before.iter().filter_map(|freeze| freed(freeze.days)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a test's own date")
    }

    fn freezes(periods: &[(&str, &str)]) -> Vec<Freeze> {
        let at = Place { file: "rotator.yaml".into(), line: 1, column: 1, length: 1, text: None };
        let one = |(from, to): &(&str, &str)| Freeze {
            days: Period { from: day(from), to: day(to) },
            reason: None,
            at: at.clone(),
        };
        periods.iter().map(one).collect()
    }

    /// Without it, a freeze would begin a day late or end a day early, or its last day be a day like any other.
    #[test]
    fn both_days_are_included() {
        let period = freezes(&[("2026-12-20", "2027-01-03")])[0].days;
        let holds = |text| period.holds(day(text));
        assert_eq!(
            [holds("2026-12-19"), holds("2026-12-20"), holds("2027-01-03"), holds("2027-01-04")],
            [false, true, true, false]
        );
        assert!(period.meets(Period { from: day("2027-01-03"), to: day("2027-02-01") }));
        assert!(!period.meets(Period { from: day("2027-01-04"), to: day("2027-02-01") }));
        assert!(!period.is_left_over(day("2027-02-02")) && period.is_left_over(day("2027-02-03")));
    }

    /// Without it, a freeze that is taken away or shortened would pass for another way of writing the same.
    #[test]
    fn days_that_are_freed_are_found() {
        let today = day("2026-12-01");
        let freed = |before: &[(&str, &str)], after: &[(&str, &str)]| {
            first_freed(&freezes(before), &freezes(after), today).map(|day| day.to_string())
        };
        let sale = ("2026-12-20", "2027-01-03");
        for (before, after, expected) in [
            (&[sale][..], &[sale][..], None),
            (&[sale], &[], Some("2026-12-20")),
            (&[sale], &[("2026-12-20", "2027-01-02")], Some("2027-01-03")),
            (&[sale], &[("2026-12-21", "2027-01-03")], Some("2026-12-20")),
            (&[sale], &[("2026-12-01", "2027-01-31")], None),
            // In two parts, in any order, overlapping or side by side; and with a gap.
            (&[sale], &[("2026-12-27", "2027-01-03"), ("2026-12-20", "2026-12-26")], None),
            (
                &[sale],
                &[("2026-12-20", "2026-12-30"), ("2026-12-22", "2026-12-24"), ("2026-12-25", "2027-01-03")],
                None,
            ),
            (&[sale], &[("2026-12-20", "2026-12-24"), ("2026-12-26", "2027-01-03")], Some("2026-12-25")),
            // What is over frees nothing, and of what runs the days ahead count.
            (&[("2025-12-20", "2026-01-03")], &[], None),
            (&[("2026-11-01", "2026-12-05")], &[("2026-12-01", "2026-12-05")], None),
            (&[("2026-11-01", "2026-12-05")], &[("2026-12-01", "2026-12-03")], Some("2026-12-04")),
            (&[], &[sale], None),
        ] {
            assert_eq!(freed(before, after).as_deref(), expected, "{before:?} {after:?}");
        }
    }
}
