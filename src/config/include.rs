//! Patterns of `include` → files, sorted bytewise.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::glob::{self, Glob};
use crate::model::text;
use crate::tree::{here, is_git_name};

/// The deepest folder that `**` looks into.
const MAX_DEPTH: usize = 16;

/// What a pattern found, relative to the root's folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Regular files, sorted bytewise.
    pub files: Vec<PathBuf>,
    /// Links that the pattern matches; they are not followed.
    pub links: Vec<PathBuf>,
}

/// Why a pattern is refused, before anything is looked for.
pub(super) fn check(pattern: &str) -> Result<Glob, String> {
    if pattern.is_empty() {
        return Err("a pattern is empty".to_owned());
    }
    glob::check_length(pattern)?;
    text::check_readable(pattern)?;
    if pattern.contains("://") {
        return Err("parts are files of the same tree, not URLs".to_owned());
    }
    if pattern.starts_with(['/', '~']) || pattern.contains('\\') {
        return Err("a pattern is relative to the root manifest, with `/` between folders".to_owned());
    }
    if pattern.contains("${") {
        return Err("variables aren't replaced in patterns: every target has the same parts".to_owned());
    }
    if pattern.split('/').any(|part| part == "..") {
        return Err("a pattern stays below the root manifest's folder: no `..`".to_owned());
    }
    let plain = pattern.trim_start_matches("./");
    if plain.split('/').any(|part| part.starts_with('.')) {
        return Err("hidden files and folders hold no parts".to_owned());
    }
    if plain.split('/').any(|part| is_git_name(OsStr::new(part))) {
        return Err("Git's own folder is no part of a manifest".to_owned());
    }
    Glob::new(plain)
}

/// The files below `folder` that a checked pattern matches. `list` is told each folder before it is looked at.
pub(super) fn find(folder: &Path, pattern: &str, matcher: &Glob, list: &dyn Fn(&Path)) -> Found {
    let parts: Vec<&str> = pattern.trim_start_matches("./").split('/').collect();
    let literal = parts.iter().take(parts.len() - 1).take_while(|part| !part.contains(['*', '?', '[', '{'])).count();
    let start: PathBuf = parts[..literal].iter().collect();
    let deepest = if pattern.contains("**") { MAX_DEPTH } else { parts.len() - literal };
    let mut found = Found::default();
    // A folder on the way may be a link too.
    let on_the_way = |count: usize| parts[..count].iter().collect::<PathBuf>();
    let linked = (1..=literal).map(on_the_way).find(|path| {
        list(&folder.join(path.parent().unwrap_or(Path::new(""))));
        is_link(&folder.join(path))
    });
    match linked {
        Some(link) => found.links.push(link),
        None => Walk { folder, matcher, list }.below(&start, deepest, &mut found),
    }
    let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_vec();
    found.files.sort_by_key(bytes);
    found.links.sort_by_key(bytes);
    found
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

struct Walk<'a> {
    folder: &'a Path,
    matcher: &'a Glob,
    list: &'a dyn Fn(&Path),
}

impl Walk<'_> {
    fn below(&self, below: &Path, depth: usize, found: &mut Found) {
        let folder = self.folder.join(below);
        (self.list)(&folder);
        // The working directory has a name of its own: the empty path can't be read.
        let Ok(entries) = std::fs::read_dir(here(&folder)) else { return };
        for entry in entries.flatten() {
            let path = below.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if is_git_name(&entry.file_name()) {
                continue;
            }
            let wanted = self.matcher.is_match(&path);
            if kind.is_symlink() && wanted {
                found.links.push(path);
            } else if kind.is_file() && wanted {
                found.files.push(path);
            } else if kind.is_dir() && depth > 1 && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.below(&path, depth - 1, found);
            }
        }
    }
}
