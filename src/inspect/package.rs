//! The files of a package, as they are asked for here.

use std::cell::{Cell, RefCell};

use crate::model::PackagedFile;
use crate::package::Archive;

/// The most that is read of all files together, in bytes: what functions are made of has a tenth of that.
const MOST: usize = 16 * 1024 * 1024;

/// A package.
pub(super) struct Package<'a> {
    /// Sorted by path.
    pub files: &'a [PackagedFile],
    archive: RefCell<Archive<'a>>,
    left: Cell<usize>,
}

impl<'a> Package<'a> {
    pub fn new(zip: &'a [u8], files: &'a [PackagedFile]) -> Self {
        Self { files, archive: RefCell::new(Archive::new(zip)), left: Cell::new(MOST) }
    }

    /// A file, by its path.
    pub fn file(&self, path: &str) -> Option<&'a PackagedFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    pub fn has(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    /// The files of a folder and of those in it; all of them where it has no name.
    pub fn below(&self, folder: &str) -> &'a [PackagedFile] {
        if folder.is_empty() {
            return self.files;
        }
        let folder = format!("{folder}/");
        let start = self.files.partition_point(|file| file.path.as_str() < folder.as_str());
        let rest = &self.files[start..];
        &rest[..rest.partition_point(|file| file.path.starts_with(&folder))]
    }

    /// The names in a folder itself, files and folders, each as often as it has files.
    pub fn names<'b>(&self, folder: &'b str) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
        let skipped = if folder.is_empty() { 0 } else { folder.len() + 1 };
        self.below(folder).iter().map(move |file| {
            let rest = &file.path[skipped..];
            rest.split_once('/').map_or(rest, |(first, _)| first)
        })
    }

    /// The content of a file that has at most so many bytes.
    pub fn read(&self, path: &str, most: usize) -> Option<Vec<u8>> {
        let most = most.min(self.left.get());
        let content = self.archive.borrow_mut().content(path, most as u64)?;
        self.left.set(self.left.get().saturating_sub(content.len()));
        Some(content)
    }

    /// How a file begins.
    pub fn beginning(&self, path: &str, most: usize) -> Option<Vec<u8>> {
        self.archive.borrow_mut().beginning(path, most as u64)
    }
}
