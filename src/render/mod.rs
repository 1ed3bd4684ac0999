//! Values into text: plans, events, diagnostics, reports. Knows nothing of how they came about.

pub mod alike;
pub mod annotations;
pub mod begun;
pub mod code;
pub mod command;
pub mod diagnostics;
pub mod diff;
pub mod effect;
mod ending;
pub mod ends;
pub mod events;
pub mod explain;
pub mod function_log;
pub mod import;
pub mod import_files;
pub mod import_terraform;
pub mod junit;
pub mod lines;
pub mod logs;
pub mod markdown;
pub mod note;
pub mod package;
pub mod permissions;
pub mod place;
pub mod plan;
pub mod plan_json;
pub mod plan_markdown;
pub mod problem;
pub mod rehearsed;
pub mod repair;
pub mod repair_data;
pub mod report;
pub mod rules;
pub mod runner;
pub mod said;
pub mod schedule;
mod select;
#[cfg(test)]
#[path = "tests.rs"]
mod snapshots;
pub mod stack;
pub mod stale;
pub mod status;
pub mod status_data;
pub mod status_page;
pub mod targets;
pub mod trial;
pub mod trial_data;
pub mod words;
pub mod yaml;

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::model::text;

/// What is new.
pub const ADD: Style = AnsiColor::Green.on_default();
/// What changes.
pub const CHANGE: Style = AnsiColor::Yellow.on_default();
/// What goes.
pub const DESTROY: Style = AnsiColor::Red.on_default();
/// What matters most.
pub const BOLD: Style = Style::new().bold();
/// What matters least.
pub const DIM: Style = Style::new().dimmed();
/// The word `error`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The word `warning`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// A text in a style, with the escapes that end it.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A text from outside as a terminal may show it: what can't be seen in it, reorders it or steers a terminal is escaped.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) {
            let _ = write!(clean, "{}", c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// A text in JSON as a terminal may show it: what JSON lets stand and [`safe`] doesn't is escaped in JSON's own way, so that
/// every reader gets the same values.
pub fn safe_json(json: String) -> String {
    let harmful = |c: char| harmful(c) && !c.is_ascii_whitespace();
    // A runner's mark can only stand in a string: `#` is none of JSON's own characters.
    let json = match runner::without_marks(&json, "\\u0023") {
        Cow::Borrowed(_) => json,
        Cow::Owned(tame) => tame,
    };
    if !json.chars().any(harmful) {
        return json;
    }
    let mut clean = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if harmful(c) {
            // Such characters stand in strings alone: all of JSON's own are printable.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(clean, "\\u{unit:04x}");
            }
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Whether a character steers the terminal, changes the order of what is read, or shows nothing.
fn harmful(c: char) -> bool {
    text::is_invisible(c)
}

/// A count with its noun: `1 secret`, `2 secrets`.
pub fn count(number: usize, noun: &str) -> String {
    match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o'])) {
        _ if number == 1 => format!("1 {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// Some names of many: `a, b and 3 more`.
pub fn some_of<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<Cow<'_, str>> = names.into_iter().map(safe).collect();
    let shown = names.len().min(most);
    let mut text = names[..shown].join(", ");
    if names.len() > shown {
        let _ = write!(text, " and {} more", names.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it a secret's name could move the cursor, or show one name and mean another.
    #[test]
    fn escapes_and_reordering_are_shown_not_obeyed() {
        assert_eq!(safe("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(safe("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(safe("größe/ключ"), "größe/ключ");
    }

    /// Without it, a plan in JSON could do to a terminal what one in text can't: JSON itself lets these characters stand.
    #[test]
    fn json_steers_no_terminal_and_keeps_its_values() {
        let value = serde_json::json!({"##[error]": "##vso[x]", "a\u{9b}1m": ["\u{1b}[2J\u{7f}", "\u{202e}x\u{e0041}", "größe"]});
        for json in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            let clean = safe_json(json);
            assert!(!clean.chars().any(|c| harmful(c) && c != '\n'), "{clean:?}");
            assert!(!clean.contains("##[") && !clean.contains("##vso["), "{clean:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).ok().as_ref(), Some(&value));
        }
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "secret"), "1 secret");
        assert_eq!(count(0, "secret"), "0 secrets");
        assert_eq!(count(2, "entry"), "2 entries");
        assert_eq!(count(2, "day"), "2 days");
    }
}
