//! From the file system to a sorted list of files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::{MAX_FILES, MAX_UNPACKED, PackageError, is_sound, strayed};
use crate::tree::{MAX_DEPTH, Tree, is_git_name};

/// A file as it goes into a package.
pub(super) struct File {
    /// The path inside the package.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// How many folders and files are looked at: a few links can lead to the same folders in very many ways.
const MAX_ENTRIES: usize = 10 * MAX_FILES;

/// All files of a folder, sorted bytewise by path. `real` is the folder without links.
pub(super) fn folder(source: &Path, real: &Path, tree: &Tree) -> Result<Vec<File>, PackageError> {
    let mut walk = Walk { tree, ancestors: HashSet::new(), seen: 0, files: Vec::new(), size: 0 };
    walk.folder(source, real, "", 1)?;
    let mut files = walk.files;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// A single file, under its own name.
pub(super) fn single(source: &Path) -> Result<File, PackageError> {
    let name = source.file_name().unwrap_or_default();
    let path = name_of(name)?.to_owned();
    let metadata = fs::metadata(source).map_err(|error| PackageError::Read { path: source.to_owned(), error })?;
    read(source, path, &metadata, &mut 0)
}

struct Walk<'a> {
    tree: &'a Tree,
    /// The real paths of the folders being walked: a link that leads to one of them would never end.
    ancestors: HashSet<PathBuf>,
    seen: usize,
    files: Vec<File>,
    size: u64,
}

impl Walk<'_> {
    /// `real` is the folder without links: only links are asked where they lead, or deep folders would take for ever.
    fn folder(&mut self, folder: &Path, real: &Path, prefix: &str, depth: usize) -> Result<(), PackageError> {
        if depth > MAX_DEPTH {
            return Err(PackageError::TooDeep);
        }
        if !self.ancestors.insert(real.to_owned()) {
            return Err(PackageError::Cycle(folder.to_owned()));
        }
        let failed = |error| PackageError::Read { path: folder.to_owned(), error };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if is_left_out(&name) {
                continue;
            }
            let path = format!("{prefix}{}", name_of(&name)?);
            self.entry(&entry.path(), real, &name, path, depth)?;
        }
        self.ancestors.remove(real);
        Ok(())
    }

    fn entry(
        &mut self,
        place: &Path,
        folder: &Path,
        name: &OsStr,
        path: String,
        depth: usize,
    ) -> Result<(), PackageError> {
        self.seen += 1;
        if self.seen > MAX_ENTRIES {
            return Err(PackageError::TooManyFiles);
        }
        let failed = |error| PackageError::Read { path: place.to_owned(), error };
        let real = if fs::symlink_metadata(place).map_err(failed)?.is_symlink() {
            self.tree.reach(folder, Path::new(name)).map_err(|stray| strayed(stray, place, self.tree))?
        } else {
            folder.join(name)
        };
        let metadata = fs::metadata(place).map_err(failed)?;
        if metadata.is_dir() {
            return self.folder(place, &real, &format!("{path}/"), depth + 1);
        }
        if self.files.len() == MAX_FILES {
            return Err(PackageError::TooManyFiles);
        }
        self.files.push(read(place, path, &metadata, &mut self.size)?);
        Ok(())
    }
}

fn read(place: &Path, path: String, metadata: &Metadata, size: &mut u64) -> Result<File, PackageError> {
    // Before it is opened: opening a pipe would wait for somebody to write into it.
    if !metadata.is_file() {
        return Err(PackageError::Special(place.to_owned()));
    }
    *size = size.saturating_add(metadata.len());
    if *size > MAX_UNPACKED {
        return Err(PackageError::TooLargeUnpacked);
    }
    let content = fs::read(place).map_err(|error| PackageError::Read { path: place.to_owned(), error })?;
    Ok(File { path, content, executable: is_executable(metadata) })
}

/// What never belongs to a function: caches that differ between machines, and version control's own files.
fn is_left_out(name: &OsStr) -> bool {
    matches!(name.to_str(), Some("__pycache__" | ".DS_Store"))
        || is_git_name(name)
        || Path::new(name).extension() == Some(OsStr::new("pyc"))
}

fn name_of(name: &OsStr) -> Result<&str, PackageError> {
    name.to_str()
        .filter(|name| is_sound(name))
        .ok_or_else(|| PackageError::Name(name.to_string_lossy().escape_debug().to_string()))
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

/// Where the file system knows no such bit, nothing is executable.
#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}
