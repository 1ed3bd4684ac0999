//! How long a schedule leaves a secret as it is, at worst.

use super::{Cron, Days, Expression, Schedule, parse_expression};
use crate::model::RotationRules;

/// The hours of the week at which windows may open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Openings {
    /// The hours of the day, 0 to 23, in order.
    pub hours: Vec<u8>,
    /// The days, 0 (Sunday) to 6 (Saturday), in order; `None`: each of them comes, soon or late.
    pub weekdays: Option<Vec<u8>>,
}

/// The length of a window in hours: the stated one, or AWS's default. `None` where the rules are invalid.
pub fn window_hours(rules: &RotationRules) -> Option<u8> {
    rules.duration_hours.or_else(|| super::default_duration_hours(&rules.schedule))
}

/// The longest time between the openings of two windows that follow each other, in hours. `None` where the schedule is
/// invalid or opens none.
///
/// For `cron()` that is the longest in the calendar's whole cycle of 400 years: leap years, the years without one, and months
/// in which a fifth weekday or a 31st is missing are all in it.
pub fn longest_interval_hours(schedule: &Schedule) -> Option<u32> {
    match expression(schedule)? {
        Expression::Hours(hours) => Some(hours),
        Expression::Days(days) => Some(days * 24),
        Expression::Cron(cron) => {
            let (first, last) = (u32::from(*cron.hours().first()?), u32::from(*cron.hours().last()?));
            let within = cron.hours().windows(2).map(|pair| u32::from(pair[1] - pair[0])).max().unwrap_or(0);
            Some(within.max(longest_gap_in_days(&cron)? * 24 + first - last))
        }
    }
}

/// The worst case between two rotations, in hours: one at the opening of its window, the next at the end of its own, with the
/// longest interval between them. `None` where the rules are invalid.
pub fn worst_gap_hours(rules: &RotationRules) -> Option<u32> {
    Some(longest_interval_hours(&rules.schedule)? + u32::from(window_hours(rules)?))
}

/// When in the week windows may open; `None` where the schedule is invalid.
///
/// Days and `rate()` count from the last rotation, which only AWS knows: each day of the week may be theirs.
pub fn openings(schedule: &Schedule) -> Option<Openings> {
    match expression(schedule)? {
        Expression::Days(_) => Some(Openings { hours: vec![0], weekdays: None }),
        Expression::Hours(hours) => {
            // From a midnight on, the hours of the day come round by their common measure with 24.
            let step = (1..=24_u8).rev().find(|step| 24 % step == 0 && hours.is_multiple_of(u32::from(*step)))?;
            Some(Openings { hours: (0..24).step_by(usize::from(step)).collect(), weekdays: None })
        }
        Expression::Cron(cron) => {
            let weekdays = match cron.days() {
                // In 400 years, each date falls on each day of the week.
                Days::Every | Days::OfMonth { .. } => None,
                Days::OfWeek { every, nth, last } => {
                    let days = every.iter().chain(nth.iter().map(|(day, _)| day)).chain(last);
                    let mut days: Vec<u8> = days.map(|day| day.saturating_sub(1)).collect();
                    days.sort_unstable();
                    days.dedup();
                    Some(days)
                }
            };
            Some(Openings { hours: cron.hours().to_vec(), weekdays })
        }
    }
}

fn expression(schedule: &Schedule) -> Option<Expression> {
    match schedule {
        Schedule::AutomaticallyAfterDays(days) => Some(Expression::Days(u32::from(*days))),
        Schedule::Expression(text) => parse_expression(text).ok(),
    }
}

/// The most days from one day with a window to the next. `None` where there is no such day.
fn longest_gap_in_days(cron: &Cron) -> Option<u32> {
    // The Gregorian calendar repeats after 400 years, days of the week included. 2000 began on a Saturday.
    let (mut begin, mut weekday) = (0_u32, 6_u32);
    let (mut first, mut last, mut longest) = (None, None, 0);
    // A month is known by its length and the day that it begins on.
    let mut known: [[Option<Vec<u32>>; 7]; 4] = Default::default();
    for year in 2000..2400_u32 {
        for month in 1..=12_u8 {
            let length = length_of_month(year, month);
            if cron.months().contains(&month) {
                let days = known[length as usize - 28][weekday as usize]
                    .get_or_insert_with(|| days_of_month(cron.days(), length, weekday));
                for day in days.iter() {
                    let at = begin + day;
                    longest = longest.max(last.map_or(0, |last| at - last));
                    first = first.or(Some(at));
                    last = Some(at);
                }
            }
            begin += length;
            weekday = (weekday + length) % 7;
        }
    }
    Some(longest.max(begin + first? - last?))
}

fn length_of_month(year: u32, month: u8) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days with a window in a month of so many days that begins on a day of the week (0 is Sunday), counted from 0.
fn days_of_month(days: &Days, length: u32, begins_on: u32) -> Vec<u32> {
    let opens = |day: &u32| {
        let (number, is_last) = (day + 1, day + 1 == length);
        let weekday = (begins_on + day) % 7 + 1;
        let is = |value: &u8, wanted: u32| u32::from(*value) == wanted;
        match days {
            Days::Every => true,
            Days::OfMonth { days, last } => (*last && is_last) || days.iter().any(|day| is(day, number)),
            Days::OfWeek { every, nth, last } => {
                every.iter().any(|day| is(day, weekday))
                    || nth.iter().any(|(day, which)| is(day, weekday) && is(which, day_of(number)))
                    || (day + 7 >= length && last.iter().any(|day| is(day, weekday)))
            }
        }
    };
    (0..length).filter(opens).collect()
}

/// Which of its weekday in the month a date is: the 8th is the second.
fn day_of(number: u32) -> u32 {
    (number - 1) / 7 + 1
}
