//! How two texts differ, line by line.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{ChangeTag, DiffOp};

/// How two lists of lines differ, by Myers' algorithm: as few lines as possible; nearly as few where to find them takes too long.
///
/// `similar::TextDiff` does the same, and brings along all algorithms to choose from: half a megabyte of program.
pub fn differences(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    found.into_inner().into_inner().into_ops()
}

/// The lines of both in the order in which a diff shows them: what goes before what comes in its place.
pub fn merged<'a>(old: &'a [&'a str], new: &'a [&'a str]) -> Vec<(ChangeTag, &'a str)> {
    let parts = differences(old, new);
    let parts = parts.iter().flat_map(|part| part.iter_slices(old, new));
    parts.flat_map(|(tag, lines)| lines.iter().map(move |line| (tag, *line))).collect()
}

/// A text's lines with their `\n`: an end that the last one lacks is a difference too.
pub fn of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a plan could show a line as changed that isn't, or in the wrong place.
    #[test]
    fn lines_are_merged_as_people_read_diffs() {
        use ChangeTag::{Delete, Equal, Insert};
        let merged = |old, new| {
            let (old, new) = (of(old), of(new));
            merged(&old, &new).into_iter().map(|(tag, line)| (tag, line.to_owned())).collect::<Vec<_>>()
        };
        let line = |tag, line: &str| (tag, line.to_owned());
        assert_eq!(
            merged("a\nb\nc\n", "a\nx\nc\n"),
            [line(Equal, "a\n"), line(Delete, "b\n"), line(Insert, "x\n"), line(Equal, "c\n")]
        );
        assert_eq!(merged("", "a\n"), [line(Insert, "a\n")]);
        assert_eq!(merged("a\n\n", "a\n"), [line(Equal, "a\n"), line(Delete, "\n")]);
        assert_eq!(merged("a", "a\n"), [line(Delete, "a"), line(Insert, "a\n")]);
        assert_eq!(merged("", ""), []);
    }
}
