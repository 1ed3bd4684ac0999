//! A comparison as Markdown, for a comment on a pull request.

use std::fmt::Write as _;

use crate::plan::Shown;
use crate::plan::diff::{Group, Guard, Turn};
use crate::render::markdown::code_span;

use super::checkout::{ambiguous_line, conversion_lines};
use super::{
    Comparison, MOST_NAMES, SAME, SAME_STORED, Style, blocks, change_words, counted_words, finding_lines, guard_words,
    heading, is_feared, name_line, notes, own_lines, presence_words, title, verb, who,
};

/// How many characters there may be: GitHub takes 65,536 in a comment, and other text may stand beside this one.
const MOST: usize = 60_000;

struct Markdown;

impl Style for Markdown {
    fn name(&self, text: &str) -> String {
        code_span(text)
    }

    fn value(&self, shown: &Shown) -> String {
        match shown {
            Shown::Absent => "*(none)*".to_owned(),
            Shown::Text(text) => code_span(text),
            Shown::List(items) if items.is_empty() => "*(empty)*".to_owned(),
            Shown::List(items) => items.iter().map(|item| code_span(item)).collect::<Vec<_>>().join(", "),
            Shown::Sensitive => "*(sensitive)*".to_owned(),
            Shown::Unknown => "*(known after apply)*".to_owned(),
        }
    }

    fn arrow(&self) -> &'static str {
        "→"
    }
}

/// The whole comparison, at most 60,000 characters: what is left out is counted.
pub fn comparison(comparison: &Comparison) -> String {
    let mut out = format!("**{}**\n", heading(comparison, code_span).replacen(" -> ", " → ", 1));
    for ambiguous in &comparison.ambiguous {
        let _ = writeln!(out, "\n> [!WARNING]\n> {}", ambiguous_line(ambiguous, code_span));
    }
    for line in conversion_lines(comparison, true, code_span) {
        let _ = writeln!(out, "\n> [!CAUTION]\n> {line}");
    }
    let quiet = conversion_lines(comparison, false, code_span);
    if comparison.is_empty() {
        let _ = writeln!(out, "\n{SAME}");
        for line in quiet {
            let _ = writeln!(out, "\n<sub>{line}</sub>");
        }
        return out;
    }
    if comparison.manifests.is_empty() {
        let _ = writeln!(out, "\n{SAME_STORED}");
    }
    weaker(&mut out, comparison);
    let mut left_out = 0;
    for manifest in &comparison.manifests {
        let _ = writeln!(out, "\n#### {}", title(manifest, code_span));
        if let Some(note) = presence_words(&manifest.presence, code_span) {
            let _ = writeln!(out, "\n{note}");
        }
        out.push('\n');
        let guards = manifest.guards.iter().map(|guard| (guard_text(guard), 1));
        let blocks = blocks(&manifest.groups).into_iter().map(|block| (block_text(&block), block.len()));
        for (text, number) in guards.chain(blocks) {
            if left_out > 0 || out.chars().count() + text.chars().count() > MOST {
                left_out += number;
            } else {
                out.push_str(&text);
            }
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "\n**Cut: {left_out} more differences are left out.** `rotator diff --format json` has all of them."
        );
    }
    for note in quiet.into_iter().chain(notes(comparison, code_span)) {
        let _ = writeln!(out, "\n<sub>{note}</sub>");
    }
    out
}

/// Whether something may be allowed that wasn't.
fn is_weaker(guard: &Guard) -> bool {
    matches!(guard.turn, Turn::Changed | Turn::Weakened)
}

/// What weakens the guards of any manifest stands on top of all: nothing that a comment has no room for may push it out.
fn weaker(out: &mut String, comparison: &Comparison) {
    let guards = comparison.manifests.iter().flat_map(|manifest| &manifest.guards);
    let names: Vec<String> = guards.filter(|guard| is_weaker(guard)).map(|guard| code_span(&guard.address)).collect();
    if !names.is_empty() {
        let shown = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "\n> [!CAUTION]\n> **This weakens what guards the secrets**: {shown}{more}");
    }
}

fn guard_text(guard: &Guard) -> String {
    let sign = if is_weaker(guard) { "⚠️ " } else { "" };
    let words = guard_words(guard);
    let mut out = format!("- {sign}**{} {words}**\n", code_span(&guard.address));
    for change in &guard.fields {
        let _ = writeln!(out, "  - {}: {}", code_span(&change.attribute.path()), change_words(change, &Markdown));
    }
    out
}

fn block_text(block: &[&Group]) -> String {
    let mut out = String::new();
    let Some(first) = block.first() else { return out };
    let _ = writeln!(out, "- **{}**{}", who(first, code_span), verb(&first.finding));
    for group in block {
        for line in finding_lines(&group.finding, &Markdown) {
            // A list in a list: its lines are indented by two already.
            let indentation = line.len() - line.trim_start().len();
            let _ = writeln!(out, "  {}- {}", &line[..indentation], line.trim_start());
        }
        for line in own_lines(group, &Markdown) {
            let _ = writeln!(out, "    - {line}");
        }
        for consequence in &group.consequences {
            let Some(words) = counted_words(consequence, group.members.len()) else { continue };
            if is_feared(&consequence.0) {
                let _ = writeln!(out, "  - ⚠️ **{words}**");
            } else {
                let _ = writeln!(out, "  - {words}");
            }
        }
    }
    if let Some(line) = name_line(first, &Markdown) {
        let _ = writeln!(out, "  - {line}");
    }
    out
}
