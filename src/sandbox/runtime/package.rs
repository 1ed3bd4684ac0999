//! A function's deployment package: checked when it arrives, unpacked where it runs.
//!
//! Packages come from outside: nothing in one may be written, or point, outside the directory that it is unpacked into.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

/// The largest package that Lambda unpacks, in bytes (Lambda quotas, "Deployment package size", 250 MB unzipped).
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// How many entries a package may have. Lambda publishes no such limit; this one keeps a hostile package off the disk's inodes.
const MAX_ENTRIES: usize = 50_000;

/// The longest target of a symbolic link, in bytes.
const MAX_LINK_BYTES: u64 = 4096;

/// Why a package can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It has no bytes.
    #[error("the package is empty")]
    Empty,
    /// It is no zip file, or a broken one.
    #[error("the package is not a zip file that can be read: {0}")]
    Unreadable(String),
    /// It holds more than [`MAX_UNZIPPED_BYTES`], or too many entries.
    #[error("the package is too large: {0}")]
    TooLarge(String),
    /// An entry would be written, or would point, outside of the package.
    #[error("the package's entry `{0}` leads out of the package")]
    Escapes(String),
    /// The machine could not write it.
    #[error("the package can't be unpacked: {0}")]
    Io(#[from] io::Error),
}

impl From<ZipError> for PackageError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => Self::Io(error),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// Looks at a package's directory as Lambda does when it is uploaded; nothing is unpacked.
pub fn inspect(zip: &[u8]) -> Result<(), PackageError> {
    let mut archive = open(zip)?;
    let mut total: u64 = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if entry.encrypted() {
            return Err(PackageError::Unreadable("it is encrypted".to_owned()));
        }
        inner_path(&entry.name()?)?;
        total = total.saturating_add(entry.size());
        if total > MAX_UNZIPPED_BYTES {
            return Err(PackageError::TooLarge(format!("over {MAX_UNZIPPED_BYTES} bytes unzipped")));
        }
    }
    Ok(())
}

/// Unpacks a package into a new temporary directory, which goes when the value is dropped.
pub fn unpack(zip: &[u8]) -> Result<TempDir, PackageError> {
    let directory = private_folder("rotator-function-")?;
    let mut archive = open(zip)?;
    let mut left = MAX_UNZIPPED_BYTES;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let inner = inner_path(&name)?;
        let path = directory.path().join(&inner);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if entry.is_symlink() {
            let mut target = String::new();
            entry
                .by_ref()
                .take(MAX_LINK_BYTES)
                .read_to_string(&mut target)
                .map_err(|error| PackageError::Unreadable(error.to_string()))?;
            links.push((name, inner, PathBuf::from(target)));
            continue;
        }
        let mode = entry.unix_mode();
        left = write_file(&mut entry, &path, left)?;
        set_mode(&path, mode)?;
    }
    // Links come last: while files were written, no link could lead one of them elsewhere.
    for (name, inner, target) in links {
        link(directory.path(), &inner, &target).map_err(|error| match error {
            PackageError::Escapes(_) => PackageError::Escapes(name),
            other => other,
        })?;
    }
    Ok(directory)
}

fn open(zip: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, PackageError> {
    if zip.is_empty() {
        return Err(PackageError::Empty);
    }
    let archive = ZipArchive::new(Cursor::new(zip))?;
    if archive.is_empty() {
        return Err(PackageError::Empty);
    }
    if archive.len() > MAX_ENTRIES {
        return Err(PackageError::TooLarge(format!("more than {MAX_ENTRIES} entries")));
    }
    Ok(archive)
}

/// The path of an entry below the package's root: relative, and without a way up.
fn inner_path(name: &str) -> Result<PathBuf, PackageError> {
    let mut inner = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => inner.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(PackageError::Escapes(name.to_owned()));
            }
        }
    }
    if name.contains('\0') {
        return Err(PackageError::Escapes(name.escape_default().to_string()));
    }
    Ok(inner)
}

/// Writes one file; what a header claims of its size isn't believed. Returns how many bytes the package may still have.
fn write_file(entry: &mut impl Read, path: &Path, left: u64) -> Result<u64, PackageError> {
    let mut file = File::create(path)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut left = left;
    loop {
        // An error while reading is the package's, an error while writing is the machine's.
        let read = entry.read(&mut buffer).map_err(|error| PackageError::Unreadable(error.to_string()))?;
        if read == 0 {
            return Ok(left);
        }
        left = left
            .checked_sub(read as u64)
            .ok_or_else(|| PackageError::TooLarge(format!("over {MAX_UNZIPPED_BYTES} bytes unzipped")))?;
        file.write_all(&buffer[..read])?;
    }
}

/// A temporary folder that nobody else on the machine looks into.
pub(super) fn private_folder(prefix: &str) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // The owner must be able to read a file, and to remove it again; set-user-id bits have no business here.
    let mode = mode.map_or(0o644, |mode| mode & 0o755 | 0o600);
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// Makes a symbolic link whose target stays below `root`.
///
/// The link's own directory is a real one, so that each leading `..` goes up to a real directory below the root; a `..` after a
/// name is refused, since that name could itself be a link.
fn link(root: &Path, inner: &Path, target: &Path) -> Result<(), PackageError> {
    let escapes = || PackageError::Escapes(inner.display().to_string());
    let mut depth = inner.components().count().saturating_sub(1);
    let mut named = false;
    for component in target.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => named = true,
            Component::ParentDir if !named && depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(escapes()),
        }
    }
    let mut directory = root.to_path_buf();
    for part in inner.parent().into_iter().flat_map(Path::components) {
        directory.push(part);
        if fs::symlink_metadata(&directory)?.is_symlink() {
            return Err(escapes());
        }
    }
    symlink(target, &root.join(inner))?;
    Ok(())
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn symlink(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "no symbolic links on this system"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    enum Entry<'a> {
        File(&'a str, u32, &'a str),
        Link(&'a str, &'a str),
    }

    fn package(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for entry in entries {
            match *entry {
                Entry::File(name, mode, text) => {
                    zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).expect("an entry");
                    zip.write_all(text.as_bytes()).expect("its text");
                }
                Entry::Link(name, target) => {
                    zip.add_symlink(name, target, SimpleFileOptions::default()).expect("a link");
                }
            }
        }
        zip.finish().expect("a zip").into_inner()
    }

    /// Without it, a package could overwrite any file of whoever rehearses a manifest.
    #[test]
    fn entries_that_leave_the_package_are_refused() {
        for name in ["../evil", "/etc/evil", "a/../../evil"] {
            let zip = package(&[Entry::File(name, 0o644, "x")]);
            assert!(matches!(inspect(&zip), Err(PackageError::Escapes(_))), "{name}");
            assert!(matches!(unpack(&zip), Err(PackageError::Escapes(_))), "{name}");
        }
    }

    /// Without it, a link could lead reads and writes of a function's package out of its directory.
    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        for (name, target) in [("a", "/etc/passwd"), ("a", ".."), ("d/a", "../../x"), ("a", "d/../../x")] {
            let zip = package(&[Entry::File("d/file", 0o644, "x"), Entry::Link(name, target)]);
            assert!(matches!(unpack(&zip), Err(PackageError::Escapes(_))), "{name} -> {target}");
        }
        let zip = package(&[Entry::Link("d/current", "../v1"), Entry::File("v1/file", 0o644, "one")]);
        let directory = unpack(&zip).expect("a package with a link inside");
        assert_eq!(fs::read_to_string(directory.path().join("d/current/file")).expect("the file"), "one");
    }

    /// Without it, a link through another link could climb out, each looking harmless by itself.
    #[cfg(unix)]
    #[test]
    fn links_below_links_are_refused() {
        let zip = package(&[Entry::File("d/file", 0o644, "x"), Entry::Link("l", "d"), Entry::Link("l/m", "file")]);
        assert!(unpack(&zip).is_err());
    }

    /// Without it, a `bootstrap` could not be executed, since its mode would be lost.
    #[cfg(unix)]
    #[test]
    fn modes_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let directory = unpack(&package(&[Entry::File("bootstrap", 0o755, "#!/bin/sh\n")])).expect("a package");
        let mode = fs::metadata(directory.path().join("bootstrap")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    /// Without it, Lambda's answer to a broken upload would be an internal error.
    #[test]
    fn what_is_no_zip_is_named() {
        assert!(matches!(inspect(b""), Err(PackageError::Empty)));
        assert!(matches!(inspect(b"no zip at all"), Err(PackageError::Unreadable(_))));
    }

    /// Without it, a small package could fill the disk.
    #[test]
    fn a_bomb_is_stopped_by_what_it_holds_and_not_by_what_it_says() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut endless = io::repeat(0);
        let result = write_file(&mut endless, &directory.path().join("file"), 100_000);
        assert!(matches!(result, Err(PackageError::TooLarge(_))));
    }
}
