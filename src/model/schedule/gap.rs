//! The longest time that can pass between two rotations on a schedule.

use chrono::{DateTime, TimeDelta, Utc};

use super::windows;
use crate::model::RotationRules;

/// Years of a calendar that are looked at: one cycle of leap years, with the turn into the next.
const YEARS: i64 = 5;

/// The most windows that are looked at: more than any schedule opens in that time.
const MOST: usize = 20_000;

/// The worst gap in hours: from a rotation at a window's opening to one at the end of the window that follows the longest
/// interval. `None` where the rules are invalid, or open fewer than two windows in five years.
///
/// Pure: calendars repeat, so a fixed stretch of one is measured, whatever the day.
pub fn worst_gap_hours(rules: &RotationRules) -> Option<u32> {
    // 2023-01-01, so that the stretch holds 29 February 2024.
    let from = DateTime::<Utc>::from_timestamp(1_672_531_200, 0)?;
    let until = from.checked_add_signed(TimeDelta::try_days(YEARS * 366)?)?;
    let mut before: Option<windows::Window> = None;
    let mut worst = None;
    for window in windows::windows(rules, from).take(MOST) {
        if let Some(before) = before {
            worst = worst.max(Some(window.closes - before.opens));
        }
        // The first pair counts, however far apart: days may be a thousand.
        if window.opens > until && before.is_some() {
            break;
        }
        before = Some(window);
    }
    worst.and_then(|gap| u32::try_from(gap.num_hours()).ok())
}

#[cfg(test)]
mod tests {
    use super::worst_gap_hours;
    use crate::model::{RotationRules, Schedule};

    /// Without it, a reviewer would be told that a schedule got stricter while it got laxer.
    #[test]
    fn the_longest_interval_and_its_window() {
        let expression = |text: &str| Schedule::Expression(text.to_owned());
        for (schedule, duration, hours) in [
            (Schedule::AutomaticallyAfterDays(30), Some(4), 30 * 24 + 4),
            (Schedule::AutomaticallyAfterDays(30), None, 31 * 24),
            (Schedule::AutomaticallyAfterDays(1000), Some(1), 1000 * 24 + 1),
            (expression("rate(12 hours)"), None, 13),
            (expression("cron(0 2 ? * SUN *)"), Some(3), 7 * 24 + 3),
            (expression("cron(0 8 1 * ? *)"), Some(2), 31 * 24 + 2),
            (expression("cron(0 2 ? * SUN#1 *)"), Some(1), 35 * 24 + 1),
            (expression("cron(0 0/8 * * ? *)"), Some(1), 9),
        ] {
            let rules = RotationRules { schedule, duration_hours: duration };
            assert_eq!(worst_gap_hours(&rules), Some(hours), "{rules}");
        }
        assert_eq!(worst_gap_hours(&RotationRules::new(expression("nonsense"), None)), None);
    }
}
