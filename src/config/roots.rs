//! A part that was given as a root: which root includes it?

use std::path::{Path, PathBuf};

use super::node::{Node, Value};
use super::source::{self, Sources};
use super::{include, parse};
use crate::diagnostic::Diagnostic;

/// How far up a part's root is looked for.
const MAX_PARENTS: usize = 8;

/// A part was given as a root: name its root, if it can be found above it.
pub(super) fn part_as_root(path: &Path) -> Diagnostic {
    let problem = Diagnostic::error(
        "part-as-root",
        format!("`{}` is a part, not a root manifest: it has neither `version` nor `project`", path.display()),
    );
    match find_root(path) {
        Some(root) => problem.hint(format!("it is included by `{}`: give that one", root.display())),
        None => problem.hint("give the root manifest that includes it, or add `version: 1` and `project: NAME`"),
    }
}

fn find_root(part: &Path) -> Option<PathBuf> {
    let real = part.canonicalize().ok()?;
    let mut shown = part.parent()?.to_path_buf();
    for folder in real.parent()?.ancestors().take(MAX_PARENTS) {
        let relative = real.strip_prefix(folder).ok()?;
        if let Some(name) = roots_in(folder).into_iter().find(|root| includes(&folder.join(root), relative)) {
            // As the user would write it: beside the part's own path where it goes that far up.
            let prefix = if shown.as_os_str().is_empty() || shown.canonicalize().is_ok_and(|real| real == folder) {
                shown
            } else {
                folder.to_path_buf()
            };
            return Some(prefix.join(name));
        }
        if !shown.pop() || shown.as_os_str().is_empty() {
            shown = PathBuf::new();
        }
    }
    None
}

/// The YAML files of a folder, `rotator.yaml` first; a handful at most.
fn roots_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "yaml" || e == "yml")).collect();
    names.sort_by_key(|name| (name != "rotator.yaml", name.clone()));
    names.truncate(20);
    names
}

fn includes(root: &Path, part: &Path) -> bool {
    let Ok(text) = source::read(root) else { return false };
    let sources = Sources::default();
    let file = sources.add(root.to_path_buf(), text, true);
    let Ok(node) = parse::parse(&sources, file) else { return false };
    let Some(Node { value: Value::List(items), .. }) = node.child("include") else { return false };
    node.child("version").is_some()
        && items
            .iter()
            .filter_map(Node::text)
            .any(|pattern| include::check(pattern).is_ok_and(|matcher| matcher.is_match(part)))
}
