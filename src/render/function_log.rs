//! What a function logged about rotations that haven't finished, cut to what explains them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::DateTime;

use crate::model::LogEvent;

use super::{BOLD, DIM, count, paint, safe};

/// How many lines of a log are shown at most; of longer ones the last.
const LINES: usize = 30;

/// Marks of a failed invocation, as Lambda's platform and its runtimes write them.
const FAILURES: [&str; 9] = [
    "[ERROR]",
    "Traceback (most recent call last)",
    "Task timed out after",
    "Runtime exited",
    "Runtime.",
    "\tERROR\t",
    "\"errorType\"",
    "\"level\":\"ERROR\"",
    "\"level\": \"ERROR\"",
];

/// The log of a function as text. `about` are the versions and secrets that the rotations concern; `events` come in the order of
/// their times.
///
/// Shown is the last invocation that failed and speaks of one of those, else the last that failed, else the last that logged
/// anything of its own.
pub fn function_log(function: &str, group: &str, events: &[LogEvent], about: &[&str]) -> String {
    let mut out = String::new();
    let invocations = invocations(events);
    let failed: Vec<&Invocation> = invocations.iter().filter(|one| one.has_failed()).collect();
    let of_these = failed.iter().rev().find(|one| one.speaks_of(about)).copied();
    let chosen = of_these.or(failed.last().copied()).or(invocations.last());
    let title = format!("the log of {}", safe(function));
    let Some(chosen) = chosen else {
        let _ = writeln!(
            out,
            "{} has nothing since the rotation began: {}",
            paint(BOLD, &title),
            if events.is_empty() {
                "the function wasn't invoked, or may not write logs, or CloudWatch Logs shows them later"
            } else {
                "the function ran and wrote nothing itself"
            }
        );
        return out;
    };
    let many = match failed.len() {
        0 => " (no invocation has failed; the last one)".to_owned(),
        1 => String::new(),
        number => format!(" (the last of {})", count(number, "failed invocation")),
    };
    // A function may rotate other secrets at the same time, and not every error says which it concerns.
    let many =
        if of_these.is_none() && !failed.is_empty() { format!("{many}, which doesn't name the secret") } else { many };
    let _ = writeln!(out, "{}, {}{many}:", paint(BOLD, &title), safe(group));
    let lines: Vec<(i64, &str)> =
        chosen.events.iter().flat_map(|event| event.message.lines().map(|line| (event.at, line))).collect();
    let left = lines.len().saturating_sub(LINES);
    if left > 0 {
        let _ = writeln!(out, "  {}", paint(DIM, &format!("({} before)", count(left, "line"))));
    }
    for (at, line) in lines.into_iter().skip(left).filter(|(_, line)| !line.trim().is_empty()) {
        let time = DateTime::from_timestamp_millis(at).map(|time| time.format("%H:%M:%S").to_string());
        let _ = writeln!(out, "  {} {}", paint(DIM, &time.unwrap_or_default()), safe(&line.replace('\t', "  ")));
    }
    out
}

/// What one invocation logged itself, or what stands before a stream's first.
#[derive(Default)]
struct Invocation<'a> {
    events: Vec<&'a LogEvent>,
}

impl Invocation<'_> {
    fn has_failed(&self) -> bool {
        self.events.iter().any(|event| FAILURES.iter().any(|mark| event.message.contains(mark)))
    }

    fn speaks_of(&self, about: &[&str]) -> bool {
        self.events.iter().any(|event| about.iter().any(|one| event.message.contains(one)))
    }
}

/// The invocations that logged anything of their own, in the order of their last events.
fn invocations(events: &[LogEvent]) -> Vec<Invocation<'_>> {
    let mut open: BTreeMap<&str, Invocation> = BTreeMap::new();
    let mut ended = Vec::new();
    for event in events {
        let invocation = open.entry(&event.stream).or_default();
        match platform(&event.message) {
            Some(Platform::Start) => ended.push(std::mem::take(invocation)),
            Some(Platform::Other) => {}
            None => invocation.events.push(event),
        }
    }
    ended.extend(open.into_values());
    ended.retain(|invocation| !invocation.events.is_empty());
    ended.sort_by_key(|invocation| invocation.events.last().map(|event| event.at));
    ended
}

/// What Lambda writes around an invocation.
enum Platform {
    Start,
    Other,
}

/// Whether a message is Lambda's own, in either of its log formats.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>
fn platform(message: &str) -> Option<Platform> {
    let word = |word: &str| message.starts_with(word);
    if word("START RequestId:") || message.contains(r#""type":"platform.start""#) {
        Some(Platform::Start)
    } else if word("END RequestId:")
        || word("REPORT RequestId:")
        || word("INIT_START ")
        || (word("{") && message.contains(r#""type":"platform."#))
    {
        Some(Platform::Other)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[(&str, &str)]) -> Vec<LogEvent> {
        let event = |(at, (stream, message)): (usize, &(&str, &str))| LogEvent {
            stream: (*stream).to_owned(),
            at: i64::try_from(at).expect("few") * 1000,
            message: (*message).to_owned(),
        };
        lines.iter().enumerate().map(event).collect()
    }

    fn shown(lines: &[(&str, &str)], about: &[&str]) -> String {
        anstream::adapter::strip_str(&function_log("f", "/aws/lambda/f", &log(lines), about)).to_string()
    }

    /// Without it, a shared function's successes, or another secret's failure, would stand where the reason is looked for.
    #[test]
    fn the_failed_invocation_of_the_secret_is_shown() {
        let text = shown(
            &[
                ("a", "START RequestId: 1 Version: $LATEST"),
                ("b", "START RequestId: 2 Version: $LATEST"),
                ("a", "[ERROR]\tcannot log in for version v-1"),
                ("b", "[ERROR]\tanother secret"),
                ("b", "END RequestId: 2"),
                ("a", "REPORT RequestId: 1\tDuration: 3 ms"),
                ("a", "START RequestId: 3 Version: $LATEST"),
                ("a", "all well with v-1"),
            ],
            &["v-1"],
        );
        assert_eq!(
            text,
            "the log of f, /aws/lambda/f (the last of 2 failed invocations):\n  00:00:02 [ERROR]  cannot log in for version v-1\n"
        );
    }

    /// Without it, a function that can't even be loaded would seem to log nothing: that error comes before any invocation.
    #[test]
    fn an_error_before_the_first_invocation_is_shown() {
        let text = shown(
            &[
                ("a", "INIT_START Runtime Version: python:3.12"),
                ("a", "[ERROR] Runtime.ImportModuleError: Unable to import module 'lambda_function'"),
                ("a", "START RequestId: 1 Version: $LATEST"),
                ("a", "END RequestId: 1"),
            ],
            &["v-1"],
        );
        assert!(text.contains("ImportModuleError") && !text.contains("START"), "{text}");
    }

    /// Without it, JSON logs would show Lambda's own bookkeeping instead of the function's words.
    #[test]
    fn json_logs_are_understood() {
        let text = shown(
            &[
                ("a", r#"{"time":"t","type":"platform.start","record":{"requestId":"1"}}"#),
                ("a", r#"{"level":"ERROR","message":"no route"}"#),
                ("a", r#"{"time":"t","type":"platform.report","record":{}}"#),
            ],
            &[],
        );
        assert!(text.contains("no route") && !text.contains("platform"), "{text}");
    }

    /// Without it, a log could write over the terminal, or fill it.
    #[test]
    fn logs_are_from_outside() {
        let long = "a line\n".repeat(100);
        let text = shown(&[("a", &format!("[ERROR] \u{1b}[2J{long}"))], &[]);
        assert!(
            !text.contains('\u{1b}') && text.contains("(70 lines before)") && text.lines().count() == LINES + 2,
            "{text}"
        );
    }

    /// Without it, silence would look like a broken flag.
    #[test]
    fn silence_is_said() {
        assert!(shown(&[], &[]).contains("wasn't invoked"));
        let text = shown(&[("a", "START RequestId: 1"), ("a", "END RequestId: 1")], &[]);
        assert!(text.contains("wrote nothing itself"), "{text}");
    }
}
