//! The words for what a folder's package leaves out, and for what it holds against its name.

use crate::model::{PackagePart, PartKind};

use super::{safe, some_of};

/// How many names of one kind are shown.
const NAMES: usize = 8;

/// Parts by what they are, those that matter most first.
pub(super) fn parts(parts: &[PackagePart]) -> String {
    let mut kinds: Vec<PartKind> = parts.iter().map(|part| part.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_kind = |kind: PartKind| {
        let names: Vec<String> = parts.iter().filter(|part| part.kind == kind).map(name).collect();
        format!("{} ({})", some_of(names.iter().map(String::as_str), NAMES), kind.words())
    };
    kinds.into_iter().map(of_kind).collect::<Vec<_>>().join("; ")
}

fn name(part: &PackagePart) -> String {
    let times = if part.count == 1 { String::new() } else { format!(" {} times", part.count) };
    format!("`{}`{times}", safe(&part.name))
}

/// What a package holds against its name.
pub fn holds(all: &[PackagePart]) -> String {
    format!("the package holds {}", parts(all))
}

/// A note of what isn't packaged.
pub(super) fn left_out(all: &[PackagePart]) -> String {
    let never =
        |part: &PackagePart| matches!(part.kind, PartKind::VersionControl | PartKind::State | PartKind::Excluded);
    let way = if all.iter().all(never) { "" } else { "; `include` of the `code` brings one back" };
    format!("left out of the package: {}{way}", parts(all))
}
