//! From the file system to a sorted list of files.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::{MAX_FILES, MAX_UNPACKED, PackageError, canonical, is_sound};

/// A file as it goes into a package.
pub(super) struct File {
    /// The path inside the package.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// All files of a folder, sorted bytewise by path.
pub(super) fn folder(source: &Path, tree: &Path) -> Result<Vec<File>, PackageError> {
    let mut walk = Walk { tree, ancestors: Vec::new(), files: Vec::new(), size: 0 };
    walk.folder(source, "")?;
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
    tree: &'a Path,
    /// The real paths of the folders being walked: a link that leads to one of them would never end.
    ancestors: Vec<PathBuf>,
    files: Vec<File>,
    size: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), PackageError> {
        let real = canonical(folder)?;
        if self.ancestors.contains(&real) {
            return Err(PackageError::Cycle(folder.to_owned()));
        }
        self.ancestors.push(real);
        let failed = |error| PackageError::Read { path: folder.to_owned(), error };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if is_left_out(&name) {
                continue;
            }
            self.entry(&entry.path(), format!("{prefix}{}", name_of(&name)?))?;
        }
        self.ancestors.pop();
        Ok(())
    }

    fn entry(&mut self, place: &Path, path: String) -> Result<(), PackageError> {
        let failed = |error| PackageError::Read { path: place.to_owned(), error };
        if fs::symlink_metadata(place).map_err(failed)?.is_symlink() && !canonical(place)?.starts_with(self.tree) {
            return Err(PackageError::Outside { path: place.to_owned(), tree: self.tree.to_owned() });
        }
        let metadata = fs::metadata(place).map_err(failed)?;
        if metadata.is_dir() {
            return self.folder(place, &format!("{path}/"));
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
    matches!(name.to_str(), Some("__pycache__" | ".git" | ".DS_Store"))
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
