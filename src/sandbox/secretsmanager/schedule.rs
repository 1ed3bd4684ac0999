//! Rotation rules: when a secret rotates, in the sandbox's own reading of AWS's documentation.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html>

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::Time;

const HOUR: Duration = Duration::from_hours(1);

/// `RotationRules`, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `AutomaticallyAfterDays`, 1–1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// `ScheduleExpression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// `Duration`, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}

impl Rules {
    /// Reads the schedule, and checks that the window fits it; else why not.
    pub fn check(&self) -> Result<(), String> {
        let schedule = self.schedule().ok_or("RotationRules must have a schedule.")??;
        match self.hours() {
            None => Ok(()),
            Some(Ok(hours)) => schedule.check_window(hours),
            Some(Err(why)) => Err(why),
        }
    }

    /// The next window that opens after `now`: its opening and its end. `last` is what days are counted from.
    pub fn next(&self, last: Time, now: Time) -> Option<(Time, Time)> {
        let schedule = self.schedule()?.ok()?;
        let opens = schedule.next(last, now)?;
        let length = match self.hours() {
            Some(Ok(hours)) => HOUR * hours,
            _ if schedule.is_hourly() => HOUR,
            // To the end of the UTC day.
            _ => midnight(opens.date_naive().checked_add_days(Days::new(1))?)
                .signed_duration_since(opens)
                .to_std()
                .ok()?,
        };
        let opens = Time::from(opens);
        // A window ends with its last second: AWS shows 23:59:59.
        Some((opens, opens.plus(length.saturating_sub(Duration::from_secs(1)))))
    }

    /// The days between rotations that `DescribeSecret` shows: computed, where an expression was given.
    pub fn shown_days(&self, now: Time) -> Option<u32> {
        if let Some(days) = self.days {
            return Some(days);
        }
        let schedule = self.schedule()?.ok()?;
        if let Schedule::Days(days) = schedule {
            return Some(days);
        }
        let first = schedule.next(now, now)?;
        let second = schedule.next(now, Time::from(first))?;
        let hours = second.signed_duration_since(first).num_hours();
        u32::try_from(hours.div_ceil_days()).ok()
    }

    fn schedule(&self) -> Option<Result<Schedule, String>> {
        match (self.days, &self.expression) {
            (Some(days), None) => Some(Ok(Schedule::Days(days))),
            (None, Some(expression)) => Some(Schedule::parse(expression)),
            _ => None,
        }
    }

    fn hours(&self) -> Option<Result<u32, String>> {
        let text = self.duration.as_deref()?;
        let hours =
            text.strip_suffix('h').and_then(|digits| digits.parse().ok()).filter(|hours| (1..=24).contains(hours));
        Some(hours.ok_or_else(|| format!("Duration {text} must be from 1h to 24h.")))
    }
}

/// Rounds hours up to days, at least one.
trait DivCeilDays {
    fn div_ceil_days(self) -> i64;
}

impl DivCeilDays for i64 {
    fn div_ceil_days(self) -> i64 {
        ((self + 23) / 24).max(1)
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Schedule {
    /// Every so many days, at midnight.
    Days(u32),
    /// Every so many hours, from midnight.
    Hours(u32),
    /// At these hours of these days.
    Cron(Cron),
}

impl Schedule {
    fn parse(text: &str) -> Result<Self, String> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inner("rate") {
            return Self::rate(rate).ok_or_else(|| {
                format!("The interval of {text} must be a number of hours, at least 4, or of days, from 1 to 1000.")
            });
        }
        match inner("cron") {
            Some(cron) => Cron::parse(cron).map(Self::Cron).map_err(|why| format!("{why} in {text}.")),
            None => Err(format!("The schedule expression {text} must be cron(…) or rate(…).")),
        }
    }

    fn rate(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let count: u32 = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))?;
        match unit {
            "hour" | "hours" if (4..=24_000).contains(&count) => Some(Self::Hours(count)),
            "day" | "days" if (1..=1000).contains(&count) => Some(Self::Days(count)),
            _ => None,
        }
    }

    fn is_hourly(&self) -> bool {
        match self {
            Self::Days(_) => false,
            Self::Hours(_) => true,
            Self::Cron(cron) => cron.hours.len() > 1,
        }
    }

    /// A window of this many hours must end before the next one opens, and with its UTC day.
    fn check_window(&self, hours: u32) -> Result<(), String> {
        let too_long = |most: u32, why: &str| {
            if hours <= most {
                Ok(())
            } else {
                Err(format!("The rotation window of {hours}h must not extend into {why}."))
            }
        };
        match self {
            Self::Days(_) => too_long(24, "the next UTC day"),
            Self::Hours(interval) => too_long((*interval).min(24), "the next rotation window"),
            Self::Cron(cron) => {
                let gap = cron.hours.windows(2).map(|pair| pair[1] - pair[0]).min();
                too_long(gap.unwrap_or(24), "the next rotation window")?;
                too_long(24 - cron.hours.last().copied().unwrap_or(0), "the next UTC day")
            }
        }
    }

    /// When a window opens next, after `now`.
    fn next(&self, last: Time, now: Time) -> Option<DateTime<Utc>> {
        let (last, now) = (last.utc(), now.utc());
        match self {
            Self::Days(days) => {
                let day = last.date_naive().checked_add_days(Days::new(u64::from(*days)))?;
                // Where days were missed, the next midnight is as near as it gets.
                let tomorrow = now.date_naive().checked_add_days(Days::new(1))?;
                Some(midnight(day.max(tomorrow)))
            }
            Self::Hours(hours) => {
                let start = midnight(last.date_naive());
                let passed = now.signed_duration_since(start).num_hours().max(0) / i64::from(*hours);
                start.checked_add_signed(chrono::Duration::hours((passed + 1) * i64::from(*hours)))
            }
            Self::Cron(cron) => cron.next(now),
        }
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// `cron(0 HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK *)`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cron {
    /// Sorted.
    hours: Vec<u32>,
    days: DaySet,
    /// 1–12.
    months: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum DaySet {
    /// Days of the month.
    OfMonth(Vec<MonthDay>),
    /// Days of the week.
    OfWeek(Vec<WeekDay>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MonthDay {
    /// 1–31.
    Day(u32),
    /// `L`.
    Last,
    /// `SUNL`: the last of its kind in the month; Sunday is 1.
    LastOf(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WeekDay {
    /// 1 (Sunday) to 7.
    Day(u32),
    /// `SUN#1`: the first of its kind in the month.
    Nth(u32, u32),
    /// `SUNL`: the last.
    LastOf(u32),
}

const WEEK: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const YEAR: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

impl Cron {
    fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
        let &[minutes, hours, month_days, months, week_days, year] = fields.as_slice() else {
            return Err(format!("There must be 6 fields, not {},", fields.len()));
        };
        if minutes != "0" {
            return Err("The minutes must be 0".to_owned());
        }
        if year != "*" {
            return Err("The year must be *".to_owned());
        }
        let hours = hour_list(hours).ok_or("The hours must be 0-23, or an increment of at least 4,")?;
        let months = numbers(months, 1, 12, &YEAR).ok_or("The months must be 1-12 or JAN-DEC")?;
        let days = match (month_days, week_days) {
            ("?", "?") => return Err("One of day-of-month and day-of-week must be given".to_owned()),
            (days, "?") => DaySet::OfMonth(month_list(days).ok_or("The days of the month must be 1-31, L or DAYL")?),
            ("?", days) => DaySet::OfWeek(week_list(days).ok_or("The days of the week must be 1-7, SUN-SAT or DAY#N")?),
            _ => return Err("One of day-of-month and day-of-week must be ?".to_owned()),
        };
        Ok(Self { hours, days, months })
    }

    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Leap days come at least every 8 years.
        now.date_naive().iter_days().take(8 * 366 + 1).filter(|day| self.meets(*day)).find_map(|day| {
            let at = |hour: &u32| day.and_hms_opt(*hour, 0, 0).map(|time| time.and_utc());
            self.hours.iter().filter_map(at).find(|at| *at > now)
        })
    }

    fn meets(&self, day: NaiveDate) -> bool {
        let of_month = day.day();
        let of_week = day.weekday().number_from_sunday();
        let last = u32::from(day.num_days_in_month());
        let is_last_week = of_month + 7 > last;
        self.months.contains(&day.month())
            && match &self.days {
                DaySet::OfMonth(days) => days.iter().any(|meant| match *meant {
                    MonthDay::Day(number) => number == of_month,
                    MonthDay::Last => of_month == last,
                    MonthDay::LastOf(kind) => kind == of_week && is_last_week,
                }),
                DaySet::OfWeek(days) => days.iter().any(|meant| match *meant {
                    WeekDay::Day(number) => number == of_week,
                    WeekDay::Nth(number, nth) => number == of_week && of_month.div_ceil(7) == nth,
                    WeekDay::LastOf(kind) => kind == of_week && is_last_week,
                }),
            }
    }
}

/// `3`, `2/10`, `/8`.
fn hour_list(text: &str) -> Option<Vec<u32>> {
    match text.split_once('/') {
        None => Some(vec![number(text, 0, 23, &[])?]),
        Some((start, step)) => {
            let start = if start.is_empty() { 0 } else { number(start, 0, 23, &[])? };
            Some(stepped(start, 23, number(step, 4, 23, &[])?))
        }
    }
}

fn month_list(text: &str) -> Option<Vec<MonthDay>> {
    let mut days = Vec::new();
    for part in text.split(',') {
        if part == "L" {
            days.push(MonthDay::Last);
        } else if let Some(name) = part.strip_suffix('L') {
            days.push(MonthDay::LastOf(number(name, 1, 7, &WEEK)?));
        } else {
            days.extend(numbers(part, 1, 31, &[])?.into_iter().map(MonthDay::Day));
        }
    }
    Some(days)
}

fn week_list(text: &str) -> Option<Vec<WeekDay>> {
    let mut days = Vec::new();
    for part in text.split(',') {
        if part == "L" {
            // The week's last day.
            days.push(WeekDay::Day(7));
        } else if let Some((day, nth)) = part.split_once('#') {
            days.push(WeekDay::Nth(number(day, 1, 7, &WEEK)?, number(nth, 1, 5, &[])?));
        } else if let Some(name) = part.strip_suffix('L') {
            days.push(WeekDay::LastOf(number(name, 1, 7, &WEEK)?));
        } else {
            days.extend(numbers(part, 1, 7, &WEEK)?.into_iter().map(WeekDay::Day));
        }
    }
    Some(days)
}

/// A list of numbers, names, ranges, `*`, and increments of these.
fn numbers(text: &str, min: u32, max: u32, names: &[&str]) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 1, max, &[])?)),
            None => (part, None),
        };
        let (first, last) = if range == "*" || (range.is_empty() && step.is_some()) {
            (min, max)
        } else if let Some((first, last)) = range.split_once('-') {
            (number(first, min, max, names)?, number(last, min, max, names)?)
        } else {
            let first = number(range, min, max, names)?;
            // `1/3`: from the first on.
            (first, if step.is_some() { max } else { first })
        };
        if first > last {
            return None;
        }
        found.extend(stepped(first, last, step.unwrap_or(1)));
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn stepped(first: u32, last: u32, step: u32) -> Vec<u32> {
    (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect()
}

/// A number, or a name that stands for one.
fn number(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u32> {
    if let Some(at) = names.iter().position(|name| *name == text) {
        return u32::try_from(at).ok().map(|at| at + min);
    }
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (min..=max).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::from(DateTime::parse_from_rfc3339(text).expect("a time").to_utc())
    }

    fn rules(expression: &str, duration: Option<&str>) -> Rules {
        Rules { days: None, expression: Some(expression.to_owned()), duration: duration.map(str::to_owned) }
    }

    /// Without it, schedules that AWS's guide gives as examples would be refused.
    #[test]
    fn the_guides_examples_are_read() {
        for expression in [
            "rate(4 hours)",
            "rate(1 day)",
            "rate(10 days)",
            "cron(0 /8 * * ? *)",
            "cron(0 8/10 * * ? *)",
            "cron(0 2 ? * SUN#1 *)",
            "cron(0 0 L * ? *)",
            "cron(0 17 ? * MON-FRI *)",
            "cron(0 4 SUNL * ? *)",
            "cron(0 0 1 1/3 ? *)",
            "cron(0 20 1,15 JAN,JUL ? *)",
            "cron(0 1 ? * 2L *)",
        ] {
            assert_eq!(rules(expression, None).check(), Ok(()), "{expression}");
        }
    }

    /// Without it, a schedule that AWS refuses would pass a rehearsal here.
    #[test]
    fn what_aws_refuses_is_refused() {
        for (expression, duration) in [
            ("rate(3 hours)", None),
            ("rate(0 days)", None),
            ("rate(+5 days)", None),
            ("rate(1 week)", None),
            ("cron(5 2 * * ? *)", None),
            ("cron(0 2 * * ? 2030)", None),
            ("cron(0 2 * * * *)", None),
            ("cron(0 2 ? * ? *)", None),
            ("cron(0 24 * * ? *)", None),
            ("cron(0 /3 * * ? *)", None),
            ("cron(0 2 15W * ? *)", None),
            ("cron(0 2 * * ?)", None),
            ("cron(0 2 ? * FUN *)", None),
            ("cron(0 2 32 * ? *)", None),
            ("cron(0 2 5-2 * ? *)", None),
            ("cron(0 * * * ? *)", None),
            ("at(2030-01-01)", None),
            ("rate(4 hours)", Some("5h")),
            ("cron(0 22 * * ? *)", Some("3h")),
            ("cron(0 /8 * * ? *)", Some("9h")),
            ("rate(1 day)", Some("25h")),
            ("rate(1 day)", Some("0h")),
        ] {
            assert!(rules(expression, duration).check().is_err(), "{expression} {duration:?}");
        }
    }

    /// Without it, a schedule would fire on the wrong day, or its shown date would be the opening instead of the end.
    #[test]
    fn windows_open_and_close_when_they_should() {
        let now = time("2026-01-31T12:30:00Z");
        let next = |rules: &Rules| rules.next(now, now).map(|(a, b)| (a.iso8601(), b.iso8601()));
        let window = |a: &str, b: &str| Some((format!("{a}.000Z"), format!("{b}.000Z")));
        let days = Rules { days: Some(30), ..Rules::default() };
        assert_eq!(next(&days), window("2026-03-02T00:00:00", "2026-03-02T23:59:59"));
        assert_eq!(next(&rules("rate(10 hours)", None)), window("2026-01-31T20:00:00", "2026-01-31T20:59:59"));
        assert_eq!(
            next(&rules("cron(0 2 ? * SUN#1 *)", Some("3h"))),
            window("2026-02-01T02:00:00", "2026-02-01T04:59:59")
        );
        assert_eq!(next(&rules("cron(0 0 L * ? *)", None)), window("2026-02-28T00:00:00", "2026-02-28T23:59:59"));
        assert_eq!(next(&rules("cron(0 4 SUNL * ? *)", None)), window("2026-02-22T04:00:00", "2026-02-22T23:59:59"));
        assert_eq!(next(&rules("cron(0 /8 * * ? *)", None)), window("2026-01-31T16:00:00", "2026-01-31T16:59:59"));
        assert_eq!(next(&rules("cron(0 0 29 FEB ? *)", None)), window("2028-02-29T00:00:00", "2028-02-29T23:59:59"));
        // A schedule that can never be met has no window.
        assert_eq!(next(&rules("cron(0 0 31 FEB ? *)", None)), None);
    }

    /// Without it, the perpetual diff that `DescribeSecret`'s computed days cause elsewhere couldn't be rehearsed here.
    #[test]
    fn days_are_computed_from_an_expression() {
        let now = time("2026-01-31T12:30:00Z");
        assert_eq!(rules("rate(10 days)", None).shown_days(now), Some(10));
        assert_eq!(rules("rate(6 hours)", None).shown_days(now), Some(1));
        assert_eq!(rules("cron(0 2 ? * SUN *)", None).shown_days(now), Some(7));
        assert_eq!(rules("cron(0 2 1 * ? *)", None).shown_days(now), Some(28));
    }
}
