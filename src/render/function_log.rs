//! What a function logged about a rotation or a test that failed, cut to what explains it.

use std::fmt::Write as _;

use chrono::DateTime;

use crate::model::trouble::{Trouble, frame};

use super::{BOLD, DIM, count, ends, paint, safe};

/// How many lines of a log are shown at most; of longer ones the last.
const LINES: usize = 30;

/// Warnings of AWS's own that stand in the log of every function, however it does.
const WARNINGS: [&str; 5] = [
    "LAMBDA_WARNING:",
    "DeprecationWarning: Boto3",
    "NOTE: The AWS SDK for JavaScript",
    "NodeDeprecationWarning",
    "(Use `node --trace-",
];

/// The log of a failed invocation as text: what failed first, then the lines. `many`: how many have failed.
pub fn function_log(function: &str, group: &str, failed: &Trouble, first: Option<&Trouble>, many: usize) -> String {
    let mut out = String::new();
    let of = if many > 1 { format!(" (the last of {})", count(many, "failed invocation")) } else { String::new() };
    let title = format!("the log of {}", safe(function));
    let _ = writeln!(out, "{}, {}{of}:", paint(BOLD, &title), safe(group));
    let _ = writeln!(out, "  {}", ends::trouble(failed, true));
    if let Some(first) = first.filter(|first| ends::trouble(first, true) != ends::trouble(failed, true)) {
        let _ = writeln!(out, "  {} at first: {}", paint(DIM, &time(first.at)), ends::trouble(first, true));
    }
    let lines = folded(failed);
    let left = lines.len().saturating_sub(LINES);
    if left > 0 {
        let _ = writeln!(out, "  {}", paint(DIM, &format!("({} before)", count(left, "line"))));
    }
    for (at, line) in lines.into_iter().skip(left) {
        let _ = writeln!(out, "  {} {line}", paint(DIM, &time(at)));
    }
    out
}

fn time(at: i64) -> String {
    DateTime::from_timestamp_millis(at).map(|time| time.format("%H:%M:%S").to_string()).unwrap_or_default()
}

/// The lines, with the frames of libraries and AWS's own warnings in a count.
fn folded(failed: &Trouble) -> Vec<(i64, String)> {
    let mut out: Vec<(i64, String)> = Vec::new();
    let mut hidden: Option<(i64, usize)> = None;
    let mut lines = failed.lines.iter().peekable();
    while let Some((at, line)) = lines.next() {
        if WARNINGS.iter().any(|warning| line.contains(warning)) {
            continue;
        }
        // Below Python's frames stands the line of code that they name, one step further in.
        let indent = |line: &str| line.len() - line.trim_start().len();
        let code = |next: &&(i64, String)| frame(&next.1).is_none() && indent(&next.1) > indent(line);
        match frame(line) {
            Some(frame) if !frame.own => {
                let number = hidden.map_or(0, |(_, number)| number) + 1;
                hidden = Some((hidden.map_or(*at, |(at, _)| at), number));
                while lines.next_if(code).is_some() {}
            }
            _ => {
                fold(&mut hidden, &mut out);
                out.push((*at, safe(&line.replace('\t', "  ")).into_owned()));
            }
        }
    }
    fold(&mut hidden, &mut out);
    out
}

fn fold(hidden: &mut Option<(i64, usize)>, out: &mut Vec<(i64, String)>) {
    if let Some((at, number)) = hidden.take() {
        let text = format!("  ({} of libraries)", count(number, "frame"));
        out.push((at, paint(DIM, &text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogEvent;
    use crate::model::invocation::invocations;
    use crate::model::trouble::Fault;

    fn trouble(messages: &[&str]) -> Trouble {
        let event = |(at, message): (usize, &&str)| LogEvent {
            stream: "a".to_owned(),
            at: i64::try_from(at).expect("few") * 1000,
            message: (*message).to_owned(),
        };
        let events: Vec<LogEvent> = ["START RequestId: 1"].iter().chain(messages).enumerate().map(event).collect();
        Trouble::of(&invocations(&events)[0])
    }

    fn shown(failed: &Trouble, first: Option<&Trouble>, many: usize) -> String {
        anstream::adapter::strip_str(&function_log("f", "/aws/lambda/f", failed, first, many)).to_string()
    }

    /// Without it, the reason would be lost among the frames of libraries and the warnings that AWS adds to every log.
    #[test]
    fn the_reason_comes_first_and_the_rest_is_folded() {
        let failed = trouble(&[
            "[INFO]\tt\t1\tsetSecret: begins\n",
            "/var/runtime/boto3/compat.py:82: PythonDeprecationWarning: Boto3 will no longer support Python 3.8 starting April 22, 2025. To continue",
            "[ERROR] HTTPError: HTTP Error 401\nTraceback (most recent call last):\n  File \"/var/task/lambda_function.py\", line 12, in set_secret\n    call()\n  File \"/var/task/requests/api.py\", line 1, in get\n    return get()\n  File \"/var/task/requests/sessions.py\", line 9, in send\n    send()\n",
            "[WARNING]\tt\t1\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.",
        ]);
        let error = Fault { name: "URLError".to_owned(), words: Some("no route".to_owned()) };
        let first = Trouble { error: Some(error), ..failed.clone() };
        assert_eq!(
            shown(&failed, Some(&first), 4),
            "the log of f, /aws/lambda/f (the last of 4 failed invocations):\n\
             \x20 setSecret failed at lambda_function.py:12, in set_secret: HTTPError: HTTP Error 401\n\
             \x20 00:00:03 at first: setSecret failed at lambda_function.py:12, in set_secret: URLError: no route\n\
             \x20 00:00:01 [INFO]  t  1  setSecret: begins\n\
             \x20 00:00:03 [ERROR] HTTPError: HTTP Error 401\n\
             \x20 00:00:03 Traceback (most recent call last):\n\
             \x20 00:00:03   File \"/var/task/lambda_function.py\", line 12, in set_secret\n\
             \x20 00:00:03     call()\n\
             \x20 00:00:03   (2 frames of libraries)\n"
        );
    }

    /// Without it, a log could write over the terminal, or fill it.
    #[test]
    fn logs_are_from_outside() {
        let long = "a line\n".repeat(100);
        let text =
            shown(&trouble(&[&format!("[ERROR] X: \u{1b}[2J{long}Traceback (most recent call last):\n")]), None, 1);
        assert!(!text.contains('\u{1b}') && text.contains("(71 lines before)"), "{text}");
        assert_eq!(text.lines().count(), LINES + 3);
    }
}
