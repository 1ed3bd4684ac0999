//! Errors of AWS, moments and spans of time, as people read them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::aws::AwsError;

use super::safe;

/// A span of time as people say it.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A moment in seconds since 1970: `2026-11-29 15:04 UTC`.
pub fn moment(at: i64) -> String {
    match DateTime::<Utc>::from_timestamp(at, 0) {
        Some(at) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        None => format!("second {at} since 1970"),
    }
}

/// The same for programs, as RFC 3339 in UTC; `None` for what no calendar has.
pub fn rfc3339(at: i64) -> Option<String> {
    Some(DateTime::<Utc>::from_timestamp(at, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// An error of AWS in words, and what to do.
pub fn aws_words(error: &AwsError) -> (String, Vec<String>) {
    // Hints name the resource, which may be anything that AWS holds.
    (safe(&error.to_string()).into_owned(), error.hints().iter().map(|hint| safe(hint).into_owned()).collect())
}
