//! Problems of manifests as text, the way compilers show them: what, where, the line itself, why, and what to do.

use std::borrow::Cow;
use std::collections::HashMap;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{count, harmful, some_of};
use crate::diagnostic::{Diagnostic, Position, Severity};
use crate::model::Address;

/// From how many problems on that say the same they are said once.
const MANY: usize = 4;

/// How many places of the others are shown.
const PLACES: usize = 5;

/// Renders problems in the order given, each ending in an empty line. `width` is the terminal's, in columns.
///
/// Nothing of a file reaches the terminal raw: control characters and what reorders text are made visible.
pub fn render(diagnostics: &[Diagnostic], colored: bool, width: usize) -> String {
    rendered(diagnostics.iter().map(|diagnostic| (diagnostic, &[][..])), colored, width)
}

/// The same, with what is said of many places said once: at the first, with the places of the others.
pub fn render_once(diagnostics: &[Diagnostic], colored: bool, width: usize) -> String {
    let mut groups: HashMap<Said<'_>, Vec<&Diagnostic>> = HashMap::new();
    for diagnostic in diagnostics {
        groups.entry(said(diagnostic)).or_default().push(diagnostic);
    }
    let shown = diagnostics.iter().filter_map(|diagnostic| match groups.get(&said(diagnostic)).map(Vec::as_slice) {
        Some([first, others @ ..]) if others.len() + 1 >= MANY => {
            std::ptr::eq(*first, diagnostic).then_some((diagnostic, others))
        }
        _ => Some((diagnostic, &[][..])),
    });
    rendered(shown, colored, width)
}

/// What a problem says, without its place.
type Said<'a> =
    (Severity, &'a str, Cow<'a, str>, &'a Option<String>, &'a [String], &'a [(Position, String)], &'a [String]);

fn said(diagnostic: &Diagnostic) -> Said<'_> {
    let Diagnostic { severity, check, summary, detail, position: _, related, hints, targets } = diagnostic;
    (*severity, check, without_address(summary), detail, hints, related, targets)
}

/// What a summary says behind the address that it begins with.
fn without_address(summary: &str) -> Cow<'_, str> {
    match summary.split_once(": ") {
        Some((address, rest)) if Address::of_entry(address).is_some() => rest.into(),
        _ => summary.into(),
    }
}

fn rendered<'a>(
    groups: impl Iterator<Item = (&'a Diagnostic, &'a [&'a Diagnostic])>,
    colored: bool,
    width: usize,
) -> String {
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    let mut text = String::new();
    for (diagnostic, others) in groups {
        text.push_str(&renderer.render(&[group(diagnostic, others)]));
        text.push_str("\n\n");
    }
    text
}

/// Where the others are that say the same.
fn others_words(others: &[&Diagnostic]) -> String {
    let place = |one: &&Diagnostic| match &one.position {
        Some(Position { file, line, column, .. }) => format!("{}:{line}:{column}", file.display()),
        None => one.summary.split_once(": ").map_or("elsewhere", |(address, _)| address).to_owned(),
    };
    let places: Vec<String> = others.iter().map(place).collect();
    let more = if others.len() > PLACES { ", which `-v` lists" } else { "" };
    let places = some_of(places.iter().map(String::as_str), PLACES);
    format!("the same at {}: {places}{more}", count(others.len(), "other place"))
}

fn group<'a>(diagnostic: &'a Diagnostic, others: &[&Diagnostic]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(visible(&diagnostic.summary)).id(diagnostic.check));
    let mut places: Vec<(&Position, Option<&str>)> =
        diagnostic.position.iter().map(|position| (position, None)).collect();
    places.extend(diagnostic.related.iter().map(|(position, word)| (position, Some(word.as_str()))));
    let mut at = 0;
    while let Some((position, _)) = places.get(at) {
        // Places on one line share its excerpt.
        let same = places[at..]
            .iter()
            .take_while(|(other, _)| other.file == position.file && other.line == position.line)
            .count();
        group = excerpt(group, &places[at..at + same], at == 0);
        at += same;
    }
    if !diagnostic.targets.is_empty() {
        let word = if diagnostic.targets.len() == 1 { "target" } else { "targets" };
        group = group.element(
            Level::NOTE.message(visible(&format!("in {word}: {}", diagnostic.targets.join(", "))).into_owned()),
        );
    }
    if !others.is_empty() {
        group = group.element(Level::NOTE.message(others_words(others)));
    }
    if let Some(detail) = &diagnostic.detail {
        group = group.element(Level::NOTE.message(visible(detail)));
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(visible(hint)));
    }
    group
}

/// One line of a file with what is marked in it; only the place where the line must not be shown.
fn excerpt<'a>(group: Group<'a>, places: &[(&'a Position, Option<&'a str>)], first: bool) -> Group<'a> {
    let Some((position, _)) = places.first() else { return group };
    let path = visible(&position.file.to_string_lossy()).into_owned();
    let Some(line) = &position.text else {
        let mut group = group.element(Origin::path(path).line(position.line).char_column(position.column));
        for word in places.iter().filter_map(|(_, word)| *word) {
            group = group.element(Level::NOTE.message(visible(word)));
        }
        return group;
    };
    let line: String = line.chars().map(shown_in_line).collect();
    let mut snippet = Snippet::source(line.clone()).line_start(position.line).path(path);
    for (index, (position, word)) in places.iter().enumerate() {
        let kind = if first && index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let start = byte_offset(&line, position.column - 1);
        let end = byte_offset(&line, position.column - 1 + position.length).max(start);
        let annotation = kind.span(start..end);
        snippet = snippet.annotation(match word {
            Some(word) => annotation.label(visible(word)),
            None => annotation,
        });
    }
    group.element(snippet)
}

fn byte_offset(line: &str, characters: usize) -> usize {
    line.char_indices().nth(characters).map_or(line.len(), |(at, _)| at)
}

/// One character for one, so that what is marked stays in its place.
fn shown_in_line(c: char) -> char {
    match c {
        '\t' => ' ',
        c if harmful(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// A text of ours that may hold parts of a file.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a manifest from elsewhere could move the cursor, rewrite what was said, or hide it.
    #[test]
    fn nothing_steers_the_terminal() {
        let position = Position {
            file: "a\u{1b}[2J.yaml".into(),
            line: 1,
            column: 4,
            length: 3,
            text: Some("a: \u{1b}]0;x\u{7}\u{202e}\u{9b}1m\t".to_owned()),
        };
        let mut problem = Diagnostic::error("check", "bad \u{1b}[31m`x`\r\u{202e}")
            .at(position.clone())
            .because("why\u{8}")
            .hint("do\u{1b}[2K");
        problem.related.push((Position { line: 2, ..position }, "there\u{1b}".to_owned()));
        problem.targets.push("dev\u{1b}".to_owned());
        let text = render(&[problem], false, 100);
        assert!(!text.chars().any(|c| c != '\n' && harmful(c)), "{text:?}");
    }

    /// Without it, what is wrong with a default of a fleet would be pages of the same; or of a few, the lines couldn't be seen.
    #[test]
    fn what_is_said_of_many_places_is_said_once() {
        let at =
            |line| Position { file: "a.yaml".into(), line, column: 3, length: 1, text: Some(format!("  line {line}")) };
        let problem = |line| Diagnostic::error("check", "bad").at(at(line)).hint("mend it");
        let mut all: Vec<Diagnostic> = (1..=9).map(problem).collect();
        all.insert(2, Diagnostic::error("check", "worse").at(at(7)));
        let text = render_once(&all, false, 200);
        assert_eq!((text.matches("error[check]: bad").count(), text.matches("error[check]: worse").count()), (1, 1));
        assert!(text.contains("line 1"), "{text}");
        let others =
            "the same at 8 other places: a.yaml:2:3, a.yaml:3:3, a.yaml:4:3, a.yaml:5:3, a.yaml:6:3 and 3 more";
        assert!(text.contains(&format!("{others}, which `-v` lists")), "{text}");
        assert_eq!(render(&all, false, 200).matches("error[check]: bad").count(), 9);
        assert_eq!(render_once(&all[..4], false, 200), render(&all[..4], false, 200));
        let packaged = |handle| Diagnostic::error("code", format!("function.{handle}: no such folder"));
        let text = render_once(&["a", "b", "c", "d"].map(packaged), false, 200);
        assert!(text.contains("the same at 3 other places: function.b, function.c, function.d\n"), "{text}");
    }

    /// Without it, a place beyond the end of its line would stop the program.
    #[test]
    fn places_outside_their_line_are_shown() {
        for (column, length, text) in [(1, 1, ""), (5, 3, "ab"), (3, 9, "äöü"), (1, 1, "\u{1f600}")] {
            let position = Position { file: "a.yaml".into(), line: 1, column, length, text: Some(text.to_owned()) };
            for width in [0, 1, 10, 80] {
                let problem = Diagnostic::error("check", "x").at(position.clone());
                assert!(render(&[problem], true, width).contains("a.yaml"));
            }
        }
    }
}
