//! The grammar of Secrets Manager's schedules, their windows, and when they open.
//!
//! The rules are those of the user guide's "Schedule expressions in Secrets Manager rotation" and of the API's
//! `RotationRulesType`; calendar arithmetic is croner's.

mod cron;
mod gaps;
mod rules;
mod windows;

pub use cron::{Cron, Days};
pub use gaps::{Openings, longest_interval_hours, openings, window_hours, worst_gap_hours};
pub use rules::{RotationRules, Schedule};
pub use windows::{Window, windows};

/// The longest expression that the API takes, in characters (`ScheduleExpressionType`).
const MAX_EXPRESSION: usize = 256;

/// The most days between two rotations (`AutomaticallyRotateAfterDaysType`); `rate()` is held to the same span.
const MAX_DAYS: u32 = 1000;

/// The least hours between two rotations.
const MIN_HOURS: u32 = 4;

/// The hours of a UTC day, which no window leaves.
const DAY: u32 = 24;

/// A schedule expression, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// `rate(N hours)`: a window opens at midnight UTC, then every N hours.
    Hours(u32),
    /// `rate(N days)`: a window opens at midnight UTC of every Nth day.
    Days(u32),
    /// `cron(…)`: a window opens at the full hours that match.
    Cron(Cron),
}

/// Why a schedule is refused, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ScheduleError {
    /// Where the wrong part starts, in characters from 0.
    pub offset: usize,
    /// How many characters it has, at least 1.
    pub length: usize,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl ScheduleError {
    fn new(offset: usize, length: usize, reason: impl Into<String>) -> Self {
        Self { offset, length: length.max(1), reason: reason.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds to the hint.
    fn hint_too(mut self, more: &str) -> Self {
        self.hint = Some(self.hint.map_or_else(|| more.to_owned(), |hint| format!("{hint}; {more}")));
        self
    }
}

/// Understands a `rate(…)` or `cron(…)` expression.
pub fn parse_expression(text: &str) -> Result<Expression, ScheduleError> {
    let length = text.chars().count();
    let whole = |reason: &str| ScheduleError::new(0, length, reason);
    if text.trim().is_empty() {
        return Err(whole("a schedule expression is empty").hint("write `rate(30 days)` or `cron(0 8 1 * ? *)`"));
    }
    if length > MAX_EXPRESSION {
        return Err(whole("a schedule expression has at most 256 characters"));
    }
    if let Some(error) = other_form(text, length) {
        return Err(error);
    }
    if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
        return Err(ScheduleError::new(at, 1, format!("`{}` can't stand in a schedule expression", c.escape_debug())));
    }
    // From here on every character is one byte: offsets in bytes are offsets in characters.
    if text.starts_with(' ') || text.ends_with(' ') {
        let at = if text.starts_with(' ') { 0 } else { length - 1 };
        return Err(ScheduleError::new(at, 1, "a schedule expression has no spaces around it"));
    }
    for (word, parse) in [("rate", rate as fn(&str, usize) -> Result<Expression, ScheduleError>), ("cron", cron_fields)]
    {
        let Some(rest) = text.strip_prefix(word).and_then(|rest| rest.strip_prefix('(')) else { continue };
        let Some(inner) = rest.strip_suffix(')') else {
            return Err(ScheduleError::new(length - 1, 1, format!("`{word}(` is not closed at the end"))
                .hint("end it with `)`"));
        };
        return parse(inner, word.len() + 1);
    }
    Err(unknown_form(text, length))
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "()#?*-/, ".contains(c)
}

/// What every schedule could be written as, where nothing nearer is known.
const FORMS: &str = "write `rate(30 days)` or `cron(0 8 1 * ? *)`";

/// A hint to write this instead, where it is a schedule: none is proposed that would be refused in its turn.
fn proposed(text: &str) -> Option<String> {
    parse_expression(text).is_ok().then(|| format!("write `{text}`"))
}

/// What other schedulers take, and Secrets Manager doesn't.
fn other_form(text: &str, length: usize) -> Option<ScheduleError> {
    let whole = |reason: &str| ScheduleError::new(0, length, reason);
    let lower = text.to_ascii_lowercase();
    if let Some(word) = lower.strip_prefix('@') {
        let error = whole("Secrets Manager's schedules have no words such as `@daily`");
        let meant = match word {
            "hourly" => {
                return Some(error.hint("a secret rotates at most every 4 hours: write `rate(4 hours)` or more"));
            }
            "daily" | "midnight" => "cron(0 0 * * ? *)",
            "weekly" => "cron(0 0 ? * SUN *)",
            "monthly" => "cron(0 0 1 * ? *)",
            "yearly" | "annually" => "cron(0 0 1 JAN ? *)",
            _ => return Some(error.hint(FORMS)),
        };
        return Some(error.hint(proposed(meant).unwrap_or_else(|| FORMS.to_owned())));
    }
    if lower.starts_with("at(") {
        let error = whole("a secret rotates again and again: `at(…)` means one moment");
        return Some(error.hint(FORMS).hint_too("to rotate it once, now: `rotator rotate`"));
    }
    None
}

fn unknown_form(text: &str, length: usize) -> ScheduleError {
    let error = ScheduleError::new(0, length, "a schedule expression is `rate(…)` or `cron(…)`");
    let fields = text.split_whitespace().count();
    let lower = text.to_ascii_lowercase();
    let meant = if lower.starts_with("rate(") {
        proposed(&lower)
    } else if lower.starts_with("cron(") {
        proposed(&format!("cron{}", text[4..].to_ascii_uppercase()))
    } else if (5..=6).contains(&fields) {
        six_fields(text)
    } else if fields == 2 {
        proposed(&format!("rate({lower})"))
    } else {
        None
    };
    error.hint(meant.unwrap_or_else(|| FORMS.to_owned()))
}

fn cron_fields(inner: &str, offset: usize) -> Result<Expression, ScheduleError> {
    cron::parse(inner, offset).map(Expression::Cron)
}

/// The hint for a cron expression without AWS's six fields, or without `cron()`: Unix's five as AWS's six, as far as AWS can say the same.
fn six_fields(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let mut fields: Vec<String> = upper.split_whitespace().map(str::to_owned).collect();
    let mut at_full_hour = true;
    if let [minutes, _, day_of_month, _, day_of_week] = &mut fields[..] {
        *day_of_week = unix_weekdays(day_of_week)?;
        if day_of_week == "*" {
            "?".clone_into(day_of_week);
        } else if day_of_month == "*" {
            "?".clone_into(day_of_month);
        }
        at_full_hour = minutes == "0";
        "0".clone_into(minutes);
        fields.push("*".to_owned());
    }
    let meant = proposed(&format!("cron({})", fields.join(" ")))?;
    Some(if at_full_hour { meant } else { format!("{meant}: windows open at the full hour") })
}

/// The names of a week's days, as Unix's cron counts them: from Sunday, which is both 0 and 7.
const UNIX_WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// Days of the week of Unix's cron by AWS's names: their numbers mean other days on AWS. `None`: it is none of its forms.
fn unix_weekdays(field: &str) -> Option<String> {
    if field == "*" || field == "?" {
        return Some("*".to_owned());
    }
    let number = |text: &str| match text.parse::<usize>() {
        Ok(number) => (number < UNIX_WEEKDAYS.len()).then_some(number),
        Err(_) => UNIX_WEEKDAYS.iter().position(|name| *name == text),
    };
    let mut days = [false; 7];
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (0, 6),
            None if part.contains('/') => (number(range)?, 6),
            None => (number(range)?, number(range)?),
        };
        // `FRI-SUN` runs over the end of the week.
        let to = if to < from { to + 7 } else { to };
        (from..=to).step_by(step).for_each(|day| days[day % 7] = true);
    }
    let on: Vec<usize> = (0..7).filter(|day| days[*day]).collect();
    let (first, last) = (*on.first()?, *on.last()?);
    Some(match on.len() {
        7 => "*".to_owned(),
        length if length > 2 && last - first + 1 == length => {
            format!("{}-{}", UNIX_WEEKDAYS[first], UNIX_WEEKDAYS[last])
        }
        _ => on.iter().map(|day| UNIX_WEEKDAYS[*day]).collect::<Vec<_>>().join(","),
    })
}

fn rate(inner: &str, offset: usize) -> Result<Expression, ScheduleError> {
    let form = "write `rate(4 hours)` or `rate(30 days)`";
    let mut words = inner.split(' ');
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(ScheduleError::new(offset, inner.len(), "`rate()` takes a number and a unit").hint(form));
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let Some(value) = number.parse::<u32>().ok().filter(|_| digits) else {
        let reason = if digits { "the number is too large" } else { "`rate()` starts with a whole number" };
        return Err(ScheduleError::new(offset, number.len(), reason).hint(form));
    };
    if value == 0 {
        return Err(ScheduleError::new(offset, number.len(), "a rate is at least 1").hint(form));
    }
    let unit_at = offset + number.len() + 1;
    let expression = match unit {
        "hour" | "hours" if value < MIN_HOURS => {
            Err(ScheduleError::new(offset, inner.len(), "a secret rotates at most every 4 hours")
                .hint("write `rate(4 hours)` or more"))
        }
        "hour" | "hours" if value <= MAX_DAYS * DAY => Ok(Expression::Hours(value)),
        "day" | "days" if value <= MAX_DAYS => Ok(Expression::Days(value)),
        "hour" | "hours" | "day" | "days" => {
            Err(ScheduleError::new(offset, inner.len(), "a secret rotates at least every 1000 days"))
        }
        _ => {
            let error =
                ScheduleError::new(unit_at, unit.len(), format!("a rate is in `hours` or `days`, not `{unit}`"));
            Err(match unit.to_ascii_lowercase().trim_end_matches('s') {
                "week" => {
                    let meant = proposed(&format!("rate({} days)", value.saturating_mul(7)));
                    error.hint(meant.unwrap_or_else(|| form.to_owned()))
                }
                "minute" => error.hint("a secret rotates at most every 4 hours: write `rate(4 hours)` or more"),
                "month" => error.hint("write `rate(30 days)`, or `cron(0 8 1 * ? *)` for the first day of each month"),
                unit @ ("hour" | "day" | "h" | "d") => {
                    let unit = if unit.starts_with('h') { "hours" } else { "days" };
                    error.hint(proposed(&format!("rate({value} {unit})")).unwrap_or_else(|| form.to_owned()))
                }
                _ => error.hint(form),
            })
        }
    }?;
    if number.starts_with('0') {
        // Who reads octal numbers would read another rate.
        let error = ScheduleError::new(offset, number.len(), "the number begins with a 0");
        return Err(error.hint(format!("write `rate({value} {unit})`")));
    }
    Ok(expression)
}

/// The length in hours of the window that AWS gives a schedule without a duration; `None` where the schedule is invalid.
///
/// A schedule in hours has one hour; one in days lasts from its opening to the end of the UTC day.
pub fn default_duration_hours(schedule: &Schedule) -> Option<u8> {
    match schedule {
        Schedule::AutomaticallyAfterDays(_) => Some(24),
        Schedule::Expression(text) => parse_expression(text).ok().map(|expression| expression.default_duration_hours()),
    }
}

/// Whether a window of this length fits the schedule; without a length, whether the schedule itself is valid.
///
/// An error's offsets are those of the expression's text where the expression is wrong, and 0 where the length is.
pub fn check_window(schedule: &Schedule, duration: Option<u8>) -> Result<(), ScheduleError> {
    let longest = match schedule {
        Schedule::AutomaticallyAfterDays(days) => {
            if *days == 0 || u32::from(*days) > MAX_DAYS {
                return Err(ScheduleError::new(0, 1, "`automatically_after_days` is 1 to 1000"));
            }
            Longest { hours: 24, why: "a window ends with the UTC day" }
        }
        Schedule::Expression(text) => parse_expression(text)?.longest_window(),
    };
    let Some(duration) = duration else { return Ok(()) };
    if duration == 0 {
        return Err(ScheduleError::new(0, 1, "a window lasts at least one hour").hint("write `1h`"));
    }
    if duration > longest.hours {
        let reason = format!("a window of {duration}h doesn't fit `{schedule}`: {}", longest.why);
        return Err(ScheduleError::new(0, 1, reason).hint(format!("write `{}h` or less", longest.hours)));
    }
    Ok(())
}

/// The longest window that a schedule allows, and the rule that bounds it.
struct Longest {
    hours: u8,
    why: &'static str,
}

impl Expression {
    /// AWS's window where no duration is given, in hours.
    pub fn default_duration_hours(&self) -> u8 {
        match self {
            Self::Hours(_) => 1,
            Self::Days(_) => 24,
            Self::Cron(cron) => match cron.hours() {
                [hour] => 24 - hour,
                _ => 1,
            },
        }
    }

    fn longest_window(&self) -> Longest {
        let day = "a window ends with the UTC day";
        let next = "a window ends before the next one opens";
        match self {
            Self::Days(_) => Longest { hours: 24, why: day },
            Self::Hours(hours) => match u8::try_from(*hours) {
                Ok(hours) if hours < 24 => Longest { hours, why: next },
                _ => Longest { hours: 24, why: day },
            },
            Self::Cron(cron) => {
                let to_midnight = cron.hours().last().map_or(24, |last| 24 - last);
                let between = cron.hours().windows(2).map(|pair| pair[1] - pair[0]).min();
                match between {
                    Some(hours) if hours < to_midnight => Longest { hours, why: next },
                    _ => Longest { hours: to_midnight, why: day },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
