//! The tests of rotation functions, for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::trial::verdict::{Ending, Failure, Trial, Verdict};

use super::ends;
use super::{ADD, BOLD, CHANGE, DIM, ERROR, paint, safe};

/// How wide the words of endings and the names of checks are.
const WIDTHS: (usize, usize) = (12, 16);

/// How much of an error is shown, in characters.
const MOST: usize = 160;

/// What begins: which function, with which secret.
pub fn heading(name: &str, secret: &str) -> String {
    format!("{} rotates {}\n", paint(BOLD, &safe(name)), safe(secret))
}

/// One verdict, with what was seen.
pub fn verdict(verdict: &Verdict) -> String {
    let (style, word) = match &verdict.ending {
        Ending::Passed { .. } => (ADD, "passed"),
        Ending::Failed { .. } => (ERROR, "FAILED"),
        Ending::NotTested { .. } => (CHANGE, "not tested"),
        Ending::DoesNotApply { .. } => (DIM, "no need"),
    };
    let mut out =
        format!("  {}{:2$}{3:<4$}", paint(style, word), "", WIDTHS.0 - word.len(), verdict.check.name, WIDTHS.1);
    match &verdict.ending {
        Ending::Passed { note: Some(note) } => out += &paint(DIM, &safe(note)),
        Ending::NotTested { reason, .. } | Ending::DoesNotApply { reason } => out += &safe(reason),
        Ending::Passed { note: None } => {}
        Ending::Failed { first, last, times } => {
            out += &failure(first);
            if let Some(last) = last {
                let _ = write!(out, "\n{:1$}seen {times} times, last: {2}", "", indent(), failure(last));
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn indent() -> usize {
    2 + WIDTHS.0 + WIDTHS.1
}

/// What a function did wrong: where, how its log calls it, and what to do.
fn failure(failure: &Failure) -> String {
    let mut out = safe(&failure.what).into_owned();
    let mut line = |text: &str| {
        let _ = write!(out, "\n{:1$}{text}", "", indent());
    };
    let place = failure.place.as_ref().map(|place| {
        let within = place.function.as_ref().map(|name| format!(", in {}", safe(name))).unwrap_or_default();
        format!("at {}:{}{within}", safe(&place.file), place.line)
    });
    let error = failure.trouble.as_ref().and_then(|trouble| trouble.error.as_ref());
    let error = error.map(|error| shortened(&ends::fault(error, true)));
    match (place, error) {
        (Some(place), Some(error)) => line(&format!("{place}: {error}")),
        (Some(only), None) | (None, Some(only)) => line(&only),
        (None, None) => {}
    }
    if let Some(hint) = failure.hint {
        line(&format!("hint: {hint}"));
    }
    out
}

/// What couldn't be tested, by the reasons.
fn not_tested(trial: &Trial) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for verdict in &trial.verdicts {
        let Ending::NotTested { reason, .. } = &verdict.ending else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(verdict.check.name),
            None => reasons.push((reason, vec![verdict.check.name])),
        }
    }
    let mut out = String::new();
    for (reason, names) in reasons {
        let word = paint(CHANGE, "not tested");
        let _ = match &names[..] {
            [name] => writeln!(out, "  {word}{:1$}{name:<2$}{3}", "", WIDTHS.0 - 10, WIDTHS.1, safe(reason)),
            all if all.len() == trial.verdicts.len() => {
                writeln!(out, "  {word}{:1$}{2}", "", WIDTHS.0 - 10, safe(reason))
            }
            _ => writeln!(out, "  {word}{:1$}{2}: {3}", "", WIDTHS.0 - 10, names.join(", "), safe(reason)),
        };
    }
    out
}

/// What couldn't be tested, and how a function's test ended in numbers.
pub fn ended(trial: &Trial) -> String {
    let number = |is: fn(&Ending) -> bool| trial.verdicts.iter().filter(|verdict| is(&verdict.ending)).count();
    let counts = [
        (number(|ending| matches!(ending, Ending::Passed { .. })), "passed"),
        (number(|ending| matches!(ending, Ending::Failed { .. })), "failed"),
        (number(|ending| matches!(ending, Ending::NotTested { .. })), "not tested"),
        (number(|ending| matches!(ending, Ending::DoesNotApply { .. })), "not needed"),
    ];
    let words: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    let runtime = trial
        .runtime
        .as_ref()
        .map(|(runtime, version)| format!(", by {} in place of {}", safe(version), safe(runtime)));
    let rest = not_tested(trial);
    format!("{rest}  {} in {}{}\n", words.join(", "), seconds(trial.took), runtime.unwrap_or_default())
}

/// Messages of libraries may be long; what they begin with tells.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
