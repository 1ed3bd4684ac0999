//! Problems of manifests as text, the way compilers show them: what, where, the line itself, why, and what to do.

use std::borrow::Cow;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::harmful;
use crate::diagnostic::{Diagnostic, Position, Severity};

/// Renders problems in the order given, each ending in an empty line. `width` is the terminal's, in columns.
///
/// Nothing of a file reaches the terminal raw: control characters and what reorders text are made visible.
pub fn render(diagnostics: &[Diagnostic], colored: bool, width: usize) -> String {
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&[group(diagnostic)]));
        text.push_str("\n\n");
    }
    text
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
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
