//! Secrets Manager's schedules, read as plainly as the user guide's table: day by day and hour by hour, from the text.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The six fields of a `cron()` expression.
pub fn fields(expression: &str) -> Option<Vec<&str>> {
    let inner = expression.strip_prefix("cron(")?.strip_suffix(')')?;
    let fields: Vec<&str> = inner.split(' ').filter(|field| !field.is_empty()).collect();
    (fields.len() == 6).then_some(fields)
}

/// One number, as digits or as a name.
fn number(text: &str, least: u32, most: u32, names: &[&str]) -> Option<u32> {
    if let Some(index) = names.iter().position(|name| *name == text) {
        return Some(least + u32::try_from(index).ok()?);
    }
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    // A third digit before it makes it a number that two readers take for two.
    let plain = text.len() < 3 || !text.starts_with('0');
    text.parse().ok().filter(|value| digits && plain && (least..=most).contains(value))
}

/// All values of one part: `*`, `a`, `a-b`, and each with `/step`; `None` where it isn't one.
fn values(part: &str, least: u32, most: u32, names: &[&str]) -> Option<Vec<u32>> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(number(step, 1, most, &[])?)),
        None => (part, None),
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" || (range.is_empty() && step.is_some()) => (least, most),
        Some((from, to)) => (number(from, least, most, names)?, number(to, least, most, names)?),
        None => {
            let from = number(range, least, most, names)?;
            (from, if step.is_some() { most } else { from })
        }
    };
    if from > to {
        return None;
    }
    Some(
        (least..=most).filter(|value| (from..=to).contains(value) && (value - from) % step.unwrap_or(1) == 0).collect(),
    )
}

/// All values of a field without `L` and `#`.
fn list(field: &str, least: u32, most: u32, names: &[&str]) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in field.split(',') {
        all.extend(values(part, least, most, names)?);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

fn last_of_month(date: NaiveDate) -> bool {
    (date + TimeDelta::days(1)).month() != date.month()
}

/// Whether a date is the last of its day of the week in its month.
fn last_of_its_kind(date: NaiveDate) -> bool {
    (date + TimeDelta::days(7)).month() != date.month()
}

fn weekday(date: NaiveDate) -> u32 {
    date.weekday().num_days_from_sunday() + 1
}

/// Whether a date is meant by a day of the month; `None` where it isn't one.
fn of_month(field: &str, date: NaiveDate) -> Option<bool> {
    if field == "*" {
        return Some(true);
    }
    let mut meant = false;
    let (mut plain, mut last_weekdays) = (0, 0);
    for part in field.split(',') {
        if part == "*" {
            return None;
        }
        let name = part.strip_suffix('L').and_then(|name| WEEKDAYS.iter().position(|day| *day == name));
        if let Some(day) = name {
            last_weekdays += 1;
            meant |= weekday(date) as usize == day + 1 && last_of_its_kind(date);
        } else if part == "L" {
            plain += 1;
            meant |= last_of_month(date);
        } else {
            plain += 1;
            meant |= values(part, 1, 31, &[])?.contains(&date.day());
        }
    }
    (plain == 0 || last_weekdays == 0).then_some(meant)
}

/// Whether a date is meant by a day of the week; `None` where it isn't one.
fn of_week(field: &str, date: NaiveDate) -> Option<bool> {
    if field == "*" {
        return Some(true);
    }
    let mut meant = false;
    for part in field.split(',') {
        if part == "*" {
            return None;
        } else if part == "L" {
            meant |= weekday(date) == 7;
        } else if let Some((day, which)) = part.split_once('#') {
            let (day, which) = (number(day, 1, 7, &WEEKDAYS)?, number(which, 1, 5, &[])?);
            meant |= weekday(date) == day && (date.day() - 1) / 7 + 1 == which;
        } else if let Some(day) = part.strip_suffix('L') {
            meant |= weekday(date) == number(day, 1, 7, &WEEKDAYS)? && last_of_its_kind(date);
        } else {
            meant |= values(part, 1, 7, &WEEKDAYS)?.contains(&weekday(date));
        }
    }
    Some(meant)
}

/// The moments after one and up to another at which an expression opens its windows; `None` where it can't be read.
pub fn openings(expression: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<DateTime<Utc>>> {
    let fields = fields(expression)?;
    let [minutes, hours, day_of_month, months, day_of_week, year] = fields[..] else { return None };
    if minutes != "0" || year != "*" || (day_of_month == "?") == (day_of_week == "?") {
        return None;
    }
    let (hours, months) = (list(hours, 0, 23, &[])?, list(months, 1, 12, &MONTHS)?);
    let mut found = Vec::new();
    let mut date = from.date_naive();
    while date <= to.date_naive() {
        let day = if day_of_month == "?" { of_week(day_of_week, date)? } else { of_month(day_of_month, date)? };
        if day && months.contains(&date.month()) {
            found.extend(hours.iter().filter_map(|hour| Some(date.and_hms_opt(*hour, 0, 0)?.and_utc())));
        }
        date = date.succ_opt()?;
    }
    found.retain(|at| *at > from && *at <= to);
    Some(found)
}

/// The days or hours of a `rate()`, in hours; `None` where it can't be read.
pub fn rate(expression: &str) -> Option<(u32, bool)> {
    let inner = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = inner.split_once(' ')?;
    let count = number(count, 1, u32::MAX, &[]).filter(|_| !count.starts_with('0'))?;
    match unit {
        "hour" | "hours" => (4..=24_000).contains(&count).then_some((count, true)),
        "day" | "days" => (1..=1000).contains(&count).then(|| (count * 24, false)),
        _ => None,
    }
}

/// What is known of an expression's validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    Refused,
    /// It comes too often only in a calendar that may never be, so that refusing it is careful, and taking it right.
    Either,
}

/// Whether Secrets Manager would take an expression, by looking at what it does for 40 years.
pub fn verdict(expression: &str) -> Verdict {
    if expression.starts_with("rate(") {
        return if rate(expression).is_some() { Verdict::Valid } else { Verdict::Refused };
    }
    let from = "1999-12-31T23:59:59Z".parse().expect("a date");
    let to = "2040-01-01T00:00:00Z".parse().expect("a date");
    match openings(expression, from, to) {
        None => Verdict::Refused,
        Some(all) if all.is_empty() => never(expression),
        Some(all) if all.windows(2).any(|pair| pair[1] - pair[0] < TimeDelta::hours(4)) => Verdict::Refused,
        // Near midnight, two days that follow each other are too near; whether such days ever come, a rule may guess.
        Some(all) => {
            let hours: Vec<u32> = all.iter().map(Timelike::hour).collect();
            let (first, last) = (hours.iter().min().copied().unwrap_or(0), hours.iter().max().copied().unwrap_or(0));
            if first + 24 - last < 4 { Verdict::Either } else { Verdict::Valid }
        }
    }
}

/// A day that no month has is refused; a fifth weekday that some month may have one day is not.
fn never(expression: &str) -> Verdict {
    let by_week = fields(expression).is_some_and(|fields| fields[4] != "?");
    if by_week { Verdict::Either } else { Verdict::Refused }
}

/// The longest window that fits a schedule, in hours: it ends with the UTC day, and before the next one opens.
pub fn longest_window(expression: &str) -> Option<u32> {
    if let Some((hours, hourly)) = rate(expression) {
        return Some(if hourly { hours.min(24) } else { 24 });
    }
    let hours = list(fields(expression)?[1], 0, 23, &[])?;
    let to_midnight = 24 - hours.last()?;
    let between = hours.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(24);
    Some(to_midnight.min(between))
}

/// AWS's window where none is given: an hour for a schedule in hours, else to the end of the UTC day.
pub fn default_window(expression: &str) -> Option<u32> {
    if let Some((_, hourly)) = rate(expression) {
        return Some(if hourly { 1 } else { 24 });
    }
    match list(fields(expression)?[1], 0, 23, &[])?[..] {
        [hour] => Some(24 - hour),
        _ => Some(1),
    }
}
