//! What of a comparison depends on Git: files that a checkout changes, names that mean more than one revision.

use std::collections::BTreeSet;

use super::{Comparison, and};
use crate::render::count;

/// A name of a revision that means more than one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// The name.
    pub name: String,
    /// What Git takes it for.
    pub taken: String,
    /// What it could also mean.
    pub others: Vec<String>,
}

/// An attribute of `.gitattributes` by which a checkout may write other bytes than Git stores, and were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// As the file has it: `filter=lfs`.
    pub attribute: String,
    /// Whether any checkout may do so; else it depends on the machine.
    pub is_changing: bool,
    /// The files that have it on the earlier side, relative to the repository's root.
    pub before: Vec<String>,
    /// The same of the later side.
    pub after: Vec<String>,
}

impl Conversion {
    /// Whether the same files may be written with other bytes than before.
    pub fn is_new(&self) -> bool {
        self.is_changing && self.before != self.after
    }
}

/// What is said of attributes: of those that are new (or gone), or of the others.
pub(super) fn conversion_lines(comparison: &Comparison, new: bool, name: impl Fn(&str) -> String) -> Vec<String> {
    let name = |text: &str| name(&brief(text));
    let all: Vec<&Conversion> = comparison.conversions.iter().filter(|conversion| conversion.is_new() == new).collect();
    let mut lines = Vec::new();
    for conversion in all.iter().take(MOST_ATTRIBUTES) {
        let (before, after) = (&conversion.before, &conversion.after);
        let differing: Vec<&String> = if before == after {
            after.iter().collect()
        } else {
            let (old, new) = (before.iter().collect::<BTreeSet<_>>(), after.iter().collect::<BTreeSet<_>>());
            old.symmetric_difference(&new).copied().collect()
        };
        let shown: Vec<String> = differing.iter().take(MOST_FILES).map(|path| name(path)).collect();
        let more = differing.len().saturating_sub(MOST_FILES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = match (before == after, after.len() >= before.len()) {
            (true, _) => "holds, as before,",
            (false, true) => "is new",
            (false, false) => "is gone",
        };
        let files = count(differing.len(), "file");
        let effect = if conversion.is_changing {
            "a checkout may write other bytes than Git stores, and those were not compared"
        } else {
            "on some machines a checkout writes other bytes than Git stores"
        };
        lines.push(format!(
            ".gitattributes: {} {what} for {files} ({}{more}): {effect}",
            name(&conversion.attribute),
            shown.join(", ")
        ));
    }
    let more = all.len().saturating_sub(MOST_ATTRIBUTES);
    if more > 0 {
        lines.push(format!(".gitattributes: and {}", count(more, "more attribute")));
    }
    lines
}

/// A comment has little room, and a name in a repository may be of any length.
fn brief(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How many attributes are told of.
const MOST_ATTRIBUTES: usize = 10;

/// How many files of an attribute are named.
const MOST_FILES: usize = 5;

/// What is said of a name that means more than one thing.
pub(super) fn ambiguous_line(ambiguous: &Ambiguous, name: impl Fn(&str) -> String) -> String {
    let others: Vec<String> = ambiguous.others.iter().map(|other| name(other)).collect();
    format!(
        "{} is ambiguous: {} was compared; it could also mean {}",
        name(&ambiguous.name),
        name(&ambiguous.taken),
        and(&others)
    )
}
