//! What a manifest says of the files in a folder of code: patterns to leave out, paths to bring back.

use std::cell::Cell;

use super::PackageError;
use crate::model::Selection;
use crate::model::glob::Glob;

/// A selection that can be asked, and that remembers what of it was of use.
pub(super) struct Chosen {
    exclude: Vec<Exclude>,
    include: Vec<Include>,
}

struct Exclude {
    pattern: String,
    glob: Glob,
    folders_only: bool,
    used: Cell<bool>,
}

struct Include {
    path: String,
    used: Cell<bool>,
}

impl Chosen {
    pub fn new(selection: &Selection) -> Result<Self, PackageError> {
        let exclude = selection.exclude.iter().map(|pattern| {
            let glob = Glob::new(plain(pattern)).map_err(|reason| PackageError::Pattern(pattern.clone(), reason))?;
            let folders_only = pattern.ends_with('/');
            Ok(Exclude { pattern: pattern.clone(), glob, folders_only, used: Cell::default() })
        });
        let include =
            selection.include.iter().map(|path| Include { path: plain(path).to_owned(), used: Cell::default() });
        Ok(Self { exclude: exclude.collect::<Result<_, PackageError>>()?, include: include.collect() })
    }

    /// The first pattern that leaves a path out.
    pub fn excludes(&self, path: &str, is_folder: bool) -> Option<&str> {
        let mut first = None;
        for exclude in &self.exclude {
            if (is_folder || !exclude.folders_only) && exclude.glob.is_match(path) {
                exclude.used.set(true);
                first = first.or(Some(exclude.pattern.as_str()));
            }
        }
        first
    }

    /// Whether a path is brought back.
    pub fn includes(&self, path: &str) -> bool {
        let mut named = self.include.iter().filter(|include| include.path == path).peekable();
        let is_named = named.peek().is_some();
        named.for_each(|include| include.used.set(true));
        is_named
    }

    /// Whether something in a folder is brought back.
    pub fn includes_below(&self, folder: &str) -> bool {
        let below = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.include.iter().any(|include| below(&include.path))
    }

    /// Which patterns, and which paths, were of no use.
    pub fn unused(&self) -> (Vec<usize>, Vec<usize>) {
        let places = |used: &mut dyn Iterator<Item = bool>| -> Vec<usize> {
            used.enumerate().filter(|(_, used)| !used).map(|(at, _)| at).collect()
        };
        (
            places(&mut self.exclude.iter().map(|exclude| exclude.used.get())),
            places(&mut self.include.iter().map(|include| include.used.get())),
        )
    }
}

/// A pattern or path without what means nothing: `./` before it, `/` after it.
pub(super) fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}
