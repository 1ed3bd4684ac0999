//! How rotation does, as a page: one file that loads nothing from anywhere, for a browser.
//!
//! All that comes from outside is data in one JSON text, which the page's own script writes as text, never as HTML. The page's policy
//! names that script and its styles by their hashes and forbids everything else.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::schedule;
use crate::status::{SecretStatus, TargetStatus};

use super::said::moment;
use super::status::{fault_words, place, why, word};
use super::status_data::state_word;
use super::words::unread_words;

const STYLE: &str = include_str!("status_page/page.css");
const SCRIPT: &str = include_str!("status_page/page.js");

/// How many days of coming windows the calendar shows.
const DAYS: i64 = 35;

/// How many windows of one secret are looked at: one that rotates every four hours has six a day.
const WINDOWS: usize = 300;

/// What the script is given.
#[derive(Serialize)]
struct Data {
    read_at: i64,
    trouble: bool,
    targets: Vec<Target>,
    states: Vec<StateWord>,
    secrets: Vec<Row>,
    functions: Vec<FunctionRow>,
    unread: Vec<UnreadRow>,
    calendar: Vec<Day>,
}

#[derive(Serialize)]
struct Target {
    name: String,
    late: bool,
}

#[derive(Serialize)]
struct StateWord {
    state: &'static str,
    word: &'static str,
}

/// One secret: short keys, as there may be ten thousand.
#[derive(Serialize)]
struct Row {
    /// Which target.
    t: usize,
    /// Its name on AWS.
    n: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<String>,
    /// Its state.
    s: &'static str,
    /// Whether that is trouble.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    x: bool,
    /// Why.
    w: String,
    /// Since when it is unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<i64>,
    /// The most hours that its rules leave between two rotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    l: Option<u32>,
    /// When it rotates next, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<i64>,
    /// Its function.
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<String>,
}

#[derive(Serialize)]
struct FunctionRow {
    t: usize,
    arn: String,
    secrets: usize,
    runtime: Option<String>,
    trouble: bool,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct UnreadRow {
    t: usize,
    what: String,
    why: String,
}

/// A day of the calendar.
#[derive(Serialize)]
struct Day {
    date: String,
    /// How many windows open.
    total: usize,
    /// How many of them at the same hour, and at which one.
    peak: usize,
    hour: u32,
}

/// The page, whole.
pub fn page(targets: &[TargetStatus], now: DateTime<Utc>) -> String {
    let data = serde_json::to_string(&data(targets, now)).unwrap_or_default();
    // Within a script, only these could end it or begin a comment; in JSON they stand in texts alone.
    let data = super::safe_json(data).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let noscript = noscript(targets);
    let at = moment(now.timestamp());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>Rotation of secrets, {at}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <noscript>{noscript}</noscript>\n<main id=\"main\"></main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// What a browser without scripts shows: the counts, which hold nothing from outside.
fn noscript(targets: &[TargetStatus]) -> String {
    let trouble: usize =
        targets.iter().map(|target| target.secrets.iter().filter(|secret| secret.is_trouble).count()).sum();
    let all: usize = targets.iter().map(|target| target.secrets.len()).sum();
    format!(
        "<p>{trouble} of {all} secrets don't rotate as they should. The list needs scripts, which this browser doesn't run.</p>"
    )
}

/// A text's hash, as a content policy names it.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn data(targets: &[TargetStatus], now: DateTime<Utc>) -> Data {
    let numbered = || targets.iter().enumerate();
    Data {
        read_at: now.timestamp(),
        trouble: targets.iter().any(TargetStatus::has_trouble),
        targets: targets.iter().map(|target| Target { name: place(target), late: target.is_from_list }).collect(),
        states: crate::status::State::ALL
            .iter()
            .map(|state| StateWord { state: state_word(*state), word: word(*state) })
            .collect(),
        secrets: numbered().flat_map(|(t, target)| target.secrets.iter().map(move |secret| row(t, secret))).collect(),
        functions: numbered()
            .flat_map(|(t, target)| {
                target.functions.iter().map(move |function| FunctionRow {
                    t,
                    arn: function.arn.clone(),
                    secrets: function.secrets,
                    runtime: function.runtime.clone(),
                    trouble: function.is_trouble(),
                    faults: function.faults.iter().map(fault_words).collect(),
                })
            })
            .collect(),
        unread: numbered()
            .flat_map(|(t, target)| {
                let row = move |(what, why): (&str, _)| UnreadRow { t, what: what.to_owned(), why: unread_words(why) };
                target.unknowns().map(row)
            })
            .collect(),
        calendar: calendar(targets.iter().flat_map(|target| &target.secrets), now),
    }
}

fn row(t: usize, secret: &SecretStatus) -> Row {
    Row {
        t,
        n: secret.name.clone(),
        a: secret.address.as_ref().map(ToString::to_string),
        s: state_word(secret.state),
        x: secret.is_trouble,
        w: why(secret),
        u: secret.unchanged_since,
        l: secret.rules.as_ref().and_then(schedule::worst_gap_hours),
        d: secret.next_rotation,
        f: secret.function_arn.clone(),
    }
}

/// The windows that open in the coming days, counted by day, and the hour at which most do.
fn calendar<'a>(secrets: impl Iterator<Item = &'a SecretStatus>, now: DateTime<Utc>) -> Vec<Day> {
    let first = now.date_naive();
    let Some(end) = first.checked_add_signed(TimeDelta::days(DAYS)) else { return Vec::new() };
    let mut counts: BTreeMap<NaiveDate, [usize; 24]> =
        first.iter_days().take_while(|day| *day < end).map(|day| (day, [0; 24])).collect();
    for secret in secrets {
        let Some(rules) = &secret.rules else { continue };
        let anchor = secret.unchanged_since.and_then(|at| DateTime::from_timestamp(at, 0)).unwrap_or(now);
        // A secret that waits for its first window, or missed some: those are behind.
        let anchor = if rules.schedule.is_cron() { now } else { anchor };
        let coming = schedule::windows(rules, anchor).skip_while(|window| window.opens < now);
        for window in coming.take_while(|window| window.opens.date_naive() < end).take(WINDOWS) {
            if let Some(hours) = counts.get_mut(&window.opens.date_naive()) {
                hours[window.opens.hour() as usize] += 1;
            }
        }
    }
    let day = |(date, hours): (NaiveDate, [usize; 24])| {
        let peak = hours.iter().copied().max().unwrap_or(0);
        let hour = hours.iter().position(|number| *number == peak).unwrap_or(0);
        Day { date: date.to_string(), total: hours.iter().sum(), peak, hour: u32::try_from(hour).unwrap_or(0) }
    };
    counts.into_iter().map(day).collect()
}
