//! When windows open and close.

use std::fmt::Write as _;

use chrono::{DateTime, Days as CalendarDays, NaiveTime, TimeDelta, Utc};
use croner::Direction;
use croner::parser::CronParser;

use super::{Cron, Days, Expression, Schedule, parse_expression};
use crate::model::RotationRules;

/// The time in which Secrets Manager rotates a secret, at any moment that it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From here on.
    pub opens: DateTime<Utc>,
    /// Up to here.
    pub closes: DateTime<Utc>,
}

/// The windows that open after `from`, in order; none where the rules are invalid.
///
/// `cron()` has its own calendar. For `rate()` and days `from` is the anchor, such as the last rotation: AWS counts from
/// there, and opens the windows at midnight UTC (for hours: from that day's midnight on).
pub fn windows(rules: &RotationRules, from: DateTime<Utc>) -> impl Iterator<Item = Window> + use<> {
    let expression = match &rules.schedule {
        Schedule::AutomaticallyAfterDays(days) => Some(Expression::Days(u32::from(*days))),
        Schedule::Expression(text) => parse_expression(text).ok(),
    };
    let length = rules.duration_hours.or(expression.as_ref().map(Expression::default_duration_hours)).unwrap_or(1);
    let opens: Box<dyn Iterator<Item = DateTime<Utc>>> = match expression {
        None | Some(Expression::Days(0) | Expression::Hours(0)) => Box::new(std::iter::empty()),
        Some(Expression::Days(days)) => {
            let midnight = midnight(from);
            Box::new(
                (1_u64..)
                    .map_while(move |n| midnight.checked_add_days(CalendarDays::new(n.checked_mul(u64::from(days))?))),
            )
        }
        Some(Expression::Hours(hours)) => {
            let midnight = midnight(from);
            let openings = (0_i64..).map_while(move |n| {
                midnight.checked_add_signed(TimeDelta::try_hours(n.checked_mul(i64::from(hours))?)?)
            });
            Box::new(openings.skip_while(move |opens| *opens <= from))
        }
        Some(Expression::Cron(cron)) => {
            match CronParser::builder().alternative_weekdays(true).build().parse(&pattern(&cron)) {
                Ok(calendar) => {
                    Box::new(calendar.iter_from(from, Direction::Forward).skip_while(move |opens| *opens <= from))
                }
                Err(_) => Box::new(std::iter::empty()),
            }
        }
    };
    opens.map_while(move |opens| {
        let closes = opens.checked_add_signed(TimeDelta::try_hours(i64::from(length))?)?;
        Some(Window { opens, closes })
    })
}

fn midnight(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// The expression in croner's dialect: explicit lists, so that only the calendar is left to it.
fn pattern(cron: &Cron) -> String {
    let (mut of_month, mut of_week) = ("*".to_owned(), "*".to_owned());
    match cron.days() {
        Days::Every => {}
        Days::OfMonth { days, last } => {
            of_month = list(days);
            if *last {
                of_month.push_str(if days.is_empty() { "L" } else { ",L" });
            }
        }
        Days::OfWeek { every, nth, last } => {
            let parts = every.iter().map(ToString::to_string);
            let parts = parts.chain(nth.iter().map(|(day, number)| format!("{day}#{number}")));
            of_week = parts.chain(last.iter().map(|day| format!("{day}#L"))).collect::<Vec<_>>().join(",");
        }
    }
    format!("0 {} {of_month} {} {of_week}", list(cron.hours()), list(cron.months()))
}

fn list(values: &[u8]) -> String {
    let mut text = String::new();
    for value in values {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string never fails.
        let _ = write!(text, "{comma}{value}");
    }
    text
}
