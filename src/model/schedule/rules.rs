//! Rotation rules in canonical form: two that mean the same are equal.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::default_duration_hours;

/// When a secret rotates: exactly one of days and an expression (Secrets Manager, `RotationRulesType`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// `AutomaticallyAfterDays`, 1 to 1000.
    AutomaticallyAfterDays(u16),
    /// `ScheduleExpression`: `rate(…)` or `cron(…)`, 1 to 256 characters, in UTC.
    Expression(String),
}

impl Schedule {
    /// Whether it is a `cron()` expression, the only form that rotates on no schedule but its own after a change.
    pub fn is_cron(&self) -> bool {
        matches!(self, Self::Expression(text) if text.starts_with("cron("))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AutomaticallyAfterDays(1) => f.write_str("every day"),
            Self::AutomaticallyAfterDays(days) => write!(f, "every {days} days"),
            Self::Expression(text) => f.write_str(text),
        }
    }
}

/// A schedule and the length of its window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RotationRules {
    /// When a window opens.
    pub schedule: Schedule,
    /// The window's length in hours, 1 to 24; `None` is AWS's default for the schedule.
    pub duration_hours: Option<u8>,
}

impl RotationRules {
    /// Rules in canonical form: a duration that says what AWS does anyway is dropped, so that a rule written with it
    /// and one written without compare equal.
    pub fn new(schedule: Schedule, duration_hours: Option<u8>) -> Self {
        let default = default_duration_hours(&schedule);
        let duration_hours = duration_hours.filter(|hours| Some(*hours) != default);
        Self { schedule, duration_hours }
    }
}

impl fmt::Display for RotationRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schedule.fmt(f)?;
        match self.duration_hours {
            Some(hours) => write!(f, ", window {hours}h"),
            None => Ok(()),
        }
    }
}
