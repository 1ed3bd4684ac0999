//! Words that act: the runners of pipelines read what a job prints, and obey some of it.
//!
//! GitHub's takes `##[command]` anywhere in a line and `::command::` at its beginning; Azure's `##vso[…]` and `TeamCity`'s
//! `##teamcity[…]` are of the first kind. Names and texts from a pull request stand in what is printed, so neither may be left in it.
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>

use std::borrow::Cow;

/// A text for people, in which no runner finds a command.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    let plain = anstream::adapter::strip_str(text).to_string();
    if !has_mark(&plain) && !lines(&plain).any(is_command) {
        return Cow::Borrowed(text);
    }
    // Where colours stand between the characters of one, it is only seen without them.
    let tamed = tamed(text);
    let seen = anstream::adapter::strip_str(&tamed).to_string();
    if has_mark(&seen) || lines(&seen).any(is_command) { self::tamed(&plain).into() } else { tamed.into() }
}

/// A text in which no mark of the first kind is left: the second `#` is written as `hash`.
pub fn without_marks<'t>(text: &'t str, hash: &str) -> Cow<'t, str> {
    if !has_mark(text) {
        return Cow::Borrowed(text);
    }
    let mut tamed = String::with_capacity(text.len() + 8);
    let mut done = 0;
    for (at, _) in text.match_indices('#') {
        // The first `#` of a pair stays; a third one may begin the next.
        if at >= done && is_mark(&text[at..]) {
            tamed.push_str(&text[done..=at]);
            tamed.push_str(hash);
            done = at + 2;
        }
    }
    tamed.push_str(&text[done..]);
    tamed.into()
}

fn tamed(text: &str) -> String {
    let text = without_marks(text, "\\u{23}");
    let mut tamed = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive(['\n', '\r']) {
        match line.find("::").filter(|at| is_command(&line[*at..]) && is_blank(&line[..*at])) {
            Some(at) => {
                tamed.push_str(&line[..at]);
                tamed.push_str("\\u{3a}");
                tamed.push_str(&line[at + 1..]);
            }
            None => tamed.push_str(line),
        }
    }
    tamed
}

/// Whether nothing of the beginning of a line is seen by a runner.
fn is_blank(start: &str) -> bool {
    anstream::adapter::strip_str(start).to_string().trim().is_empty()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r'])
}

/// Whether a runner takes a line for a command because of its beginning.
fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::")
}

fn has_mark(text: &str) -> bool {
    text.match_indices('#').any(|(at, _)| is_mark(&text[at..]))
}

/// Whether a text begins with `##`, a word or none, and `[`.
fn is_mark(text: &str) -> bool {
    text.strip_prefix("##")
        .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a name in a manifest could make the runner of a pipeline mask words, stop its commands, or forge its messages.
    #[test]
    fn no_command_is_left_in_a_text() {
        for (text, tame) in [
            ("a ##[error]b", "a #\\u{23}[error]b"),
            ("###[group]", "##\\u{23}[group]"),
            ("##[a]##[b]", "#\\u{23}[a]#\\u{23}[b]"),
            ("##vso[task.setvariable]", "#\\u{23}vso[task.setvariable]"),
            ("##teamcity[x]", "#\\u{23}teamcity[x]"),
            ("a\n  ::add-mask::x\n", "a\n  \\u{3a}:add-mask::x\n"),
            ("\u{1b}[1m::set-env::\u{1b}[0m", "\u{1b}[1m\\u{3a}:set-env::\u{1b}[0m"),
            ("\r\u{a0}::x", "\r\u{a0}\\u{3a}:x"),
        ] {
            assert_eq!(without_commands(text), tame, "{text:?}");
            assert_eq!(without_commands(tame), tame);
        }
        assert_eq!(without_commands("#\u{1b}[1m#[x]"), "#\\u{23}[x]", "colours may go, commands may not stay");
        for text in ["## [x](y)", "a::b", "# [x]", "##", "arn:aws:iam::1:role/r", "", "## word ["] {
            assert_eq!(without_commands(text), text);
        }
    }
}
