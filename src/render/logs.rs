//! What functions' logs say of secrets' rotations and tests, as text and as JSON.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::model::live::Unread;
use crate::model::trouble::Trouble;
use crate::plan::verdict::Tries;

use super::function_log::function_log;
use super::words::unread_words;
use super::{BOLD, WARNING, count, ends, paint, safe, safe_json};

/// What was read in one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLogs {
    /// The target's name, where the manifest has named targets.
    pub target: Option<String>,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// In the order of addresses.
    pub logs: Vec<Log>,
}

/// What a function's log says of one secret, or of the function itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The secret's address, or the function's.
    pub address: String,
    /// The secret's name on AWS; `None` where the function alone was asked about.
    pub secret: Option<String>,
    /// The function's name, where there is one.
    pub function: Option<String>,
    /// Where it logs, where that is known.
    pub log_group: Option<String>,
    /// From when on it was read, in milliseconds since 1970 (UTC).
    pub since: i64,
    /// What it says; or why it can't be read.
    pub said: Result<Said, Unsaid>,
}

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The invocations.
    pub tries: Tries,
    /// When the last one began, in milliseconds since 1970 (UTC).
    pub last_began: Option<i64>,
}

/// Why a log says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsaid {
    /// AWS has no such secret, or no such function.
    Missing(&'static str),
    /// No function of the account's rotates the secret.
    NoFunction,
    /// The function, and its log, are in another account or region.
    Elsewhere,
    /// It can't be read.
    Unread {
        /// What can't.
        what: &'static str,
        /// Why.
        why: Unread,
    },
}

impl Unsaid {
    /// Whether something is there that couldn't be read.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Unread { .. })
    }

    fn words(&self) -> String {
        match self {
            Self::Missing(what) => format!("AWS has no such {what}"),
            Self::NoFunction => "no function rotates it".to_owned(),
            Self::Elsewhere => "its function, and the log, are in another account or region".to_owned(),
            Self::Unread { what, why } => format!("{what} can't be read: {}", unread_words(why)),
        }
    }
}

/// For people: what failed first, with the lines; what ended well in a line.
pub fn text(targets: &[TargetLogs]) -> String {
    let mut out = String::new();
    for target in targets {
        if targets.len() > 1 {
            let name = target.target.as_ref().map(|name| format!("target {}, ", safe(name))).unwrap_or_default();
            let place = format!("{name}account {}, region {}", safe(&target.account), safe(&target.region));
            let _ = writeln!(out, "{}", paint(BOLD, &place));
        }
        let mut seen: Vec<(&Option<String>, &Trouble)> = Vec::new();
        for log in &target.logs {
            one(&mut out, log, &mut seen);
        }
    }
    out
}

fn one<'a>(out: &mut String, log: &'a Log, seen: &mut Vec<(&'a Option<String>, &'a Trouble)>) {
    let address = paint(BOLD, &safe(&log.address));
    let since = moment(log.since);
    let said = match &log.said {
        Err(unsaid) => {
            let word = if unsaid.is_failure() { paint(WARNING, "warning: ") } else { String::new() };
            let _ = writeln!(out, "{address}: {word}{}", unsaid.words());
            return;
        }
        Ok(said) => said,
    };
    let function = safe(log.function.as_deref().unwrap_or("the function"));
    let Some(last) = said.last_began else {
        let group = safe(log.log_group.as_deref().unwrap_or_default());
        let _ = writeln!(out, "{address}: {group} has nothing of it since {since}");
        return;
    };
    let Tries { all, failed, first, last: trouble, certain, rests } = &said.tries;
    let doubt = if *certain { "" } else { " that may be meant, and that don't name it" };
    let began = moment(last);
    let how = if *rests { "failed" } else { "didn't fail" };
    let _ = writeln!(
        out,
        "{address}: {} of {function}{doubt} since {since}, {failed} failed; the last one, at {began}, {how}",
        count(*all, "invocation"),
    );
    let Some(trouble) = trouble.as_deref() else { return };
    if seen.iter().any(|(of, other)| **of == log.function && *other == trouble) {
        let _ = writeln!(out, "  {} (shown above)", ends::trouble(trouble, true));
        return;
    }
    seen.push((&log.function, trouble));
    let group = log.log_group.as_deref().unwrap_or_default();
    out.push_str(&function_log(&function, group, trouble, first.as_deref(), *failed));
}

/// For programs: one document, version 1.
pub fn json(targets: &[TargetLogs], is_complete: bool) -> String {
    let trouble = |trouble: &Trouble| {
        json!({
            "at": time(trouble.at),
            "step": trouble.step.map(|step| step.to_string()),
            "error": trouble.error.as_ref().map(|error| &error.name),
            "words": trouble.error.as_ref().and_then(|error| error.words.as_ref()),
            "file": trouble.place.as_ref().map(|place| &place.file),
            "line": trouble.place.as_ref().map(|place| place.line),
            "function": trouble.place.as_ref().and_then(|place| place.function.as_ref()),
        })
    };
    let log = |log: &Log| {
        let mut one = json!({
            "address": log.address, "secret": log.secret, "function": log.function, "log_group": log.log_group,
            "since": time(log.since),
        });
        match &log.said {
            Err(unsaid) => one["unread"] = json!(unsaid.words()),
            Ok(Said { tries, last_began }) => {
                one["invocations"] = json!(tries.all);
                one["failed"] = json!(tries.failed);
                one["certain"] = json!(tries.certain);
                one["last_began"] = json!(last_began.map(time));
                one["last_has_failed"] = json!(tries.rests);
                let first = tries.first.as_ref().or(tries.last.as_ref());
                one["first_failure"] = first.map_or(Value::Null, |one| trouble(one));
                one["last_failure"] = tries.last.as_ref().map_or(Value::Null, |one| trouble(one));
            }
        }
        one
    };
    let target = |target: &TargetLogs| {
        json!({"target": target.target, "account": target.account, "region": target.region,
            "logs": target.logs.iter().map(log).collect::<Vec<_>>()})
    };
    let targets: Vec<Value> = targets.iter().map(target).collect();
    let document = json!({"format_version": "1.0", "complete": is_complete, "targets": targets});
    safe_json(format!("{document:#}\n"))
}

fn time(at: i64) -> Option<String> {
    Some(DateTime::from_timestamp_millis(at)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn moment(at: i64) -> String {
    DateTime::from_timestamp_millis(at).map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}
