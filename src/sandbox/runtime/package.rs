//! A function's deployment package: checked when it arrives, unpacked where it runs.
//!
//! Packages come from outside: nothing in one may be written outside the directory that it is unpacked into. Links may lead
//! anywhere, such as to `/usr/bin/python3` on Lambda's own machines; nothing is written through one, and the sandbox reads
//! through none.

use std::collections::BTreeMap;
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

/// The longest target of a symbolic link, in bytes: the longest path of Linux.
const MAX_LINK_BYTES: u64 = 4095;

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
    /// An entry would be written outside of the package, or through a link.
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

/// Checks a package as Lambda does when it is uploaded: reads all of it, and writes nothing. What passes can be unpacked.
pub fn inspect(zip: &[u8]) -> Result<(), PackageError> {
    inspect_within(zip, MAX_UNZIPPED_BYTES)
}

/// Whether a file of a package names something, as far as its first megabytes say.
pub(super) fn mentions(zip: &[u8], text: &str) -> bool {
    const MOST_READ: u64 = 4_000_000;
    let Ok(mut archive) = open(zip) else { return false };
    let mut left = MOST_READ;
    (0..archive.len()).any(|index| {
        let Ok(file) = archive.by_index(index) else { return false };
        let is_code =
            file.name().is_ok_and(|name| [".py", ".js", ".mjs", ".cjs"].iter().any(|end| name.ends_with(end)));
        if !is_code || left == 0 {
            return false;
        }
        let mut bytes = Vec::new();
        // What can't be read names nothing.
        let read = file.take(left).read_to_end(&mut bytes).unwrap_or_default();
        left = left.saturating_sub(u64::try_from(read).unwrap_or(left));
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn inspect_within(zip: &[u8], limit: u64) -> Result<(), PackageError> {
    let mut archive = open(zip)?;
    // Before anything is unpacked: what the headers claim is at least what an honest package holds.
    let mut claimed: u64 = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if entry.encrypted() {
            return Err(PackageError::Unreadable("it is encrypted".to_owned()));
        }
        claimed = claimed.saturating_add(entry.size());
    }
    if claimed > limit {
        return Err(too_large(limit));
    }
    let mut left = limit;
    let mut places = Places::default();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let inner = inner_path(&name)?;
        if entry.is_dir() {
            places.add(&name, inner, What::Folder)?;
        } else if entry.is_symlink() {
            link_target(&mut entry)?;
            places.add(&name, inner, What::Link)?;
        } else {
            left = copy(&mut entry, &mut io::sink(), left, limit)?;
            places.add(&name, inner, What::File)?;
        }
    }
    places.check()
}

/// An unpacked package, which goes when the value is dropped.
#[derive(Debug)]
pub struct Unpacked {
    directory: TempDir,
}

impl Unpacked {
    /// The folder that goes with the value.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The package's own root: Lambda's `/var/task`.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("task")
    }

    /// Lets Node find modules that the package doesn't bring along: it looks in the folders above it, too.
    pub(super) fn bring_modules(&self, modules: &Path) -> io::Result<()> {
        match symlink(modules, &self.directory.path().join("node_modules")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Unpacks a package into a new temporary directory.
pub fn unpack(zip: &[u8]) -> Result<Unpacked, PackageError> {
    let unpacked = Unpacked { directory: private_folder("rotator-function-")? };
    let root = unpacked.root();
    fs::create_dir(&root)?;
    let mut archive = open(zip)?;
    let mut left = MAX_UNZIPPED_BYTES;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let inner = inner_path(&entry.name()?)?;
        let path = root.join(&inner);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if entry.is_symlink() {
            links.push((inner, link_target(&mut entry)?));
            continue;
        }
        let mode = entry.unix_mode();
        left = copy(&mut entry, &mut File::create(&path)?, left, MAX_UNZIPPED_BYTES)?;
        set_mode(&path, mode)?;
    }
    // Links come last: while files were written, no link could lead one of them elsewhere.
    for (inner, target) in links {
        link(&root, &inner, &target)?;
    }
    Ok(unpacked)
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    File,
    Folder,
    Link,
}

/// The entries of a package by the place where each would be written.
#[derive(Default)]
struct Places(BTreeMap<PathBuf, What>);

impl Places {
    /// Two entries can't be in one place; a folder may be named twice.
    fn add(&mut self, name: &str, inner: PathBuf, what: What) -> Result<(), PackageError> {
        if inner.as_os_str().is_empty() {
            // The package's own root may be named, and is a folder.
            return match what {
                What::Folder => Ok(()),
                _ => Err(PackageError::Unreadable(format!("`{}` is no name of a file", name.escape_default()))),
            };
        }
        match self.0.insert(inner, what) {
            Some(before) if before != What::Folder || what != What::Folder => {
                Err(PackageError::Unreadable(format!("`{}` is there twice", name.escape_default())))
            }
            _ => Ok(()),
        }
    }

    /// Nothing lies below a file, nor below a link: it would be written wherever the link leads.
    fn check(&self) -> Result<(), PackageError> {
        for inner in self.0.keys() {
            for parent in inner.ancestors().skip(1) {
                match self.0.get(parent) {
                    Some(What::Link) => return Err(PackageError::Escapes(inner.display().to_string())),
                    Some(What::File) => {
                        let parent = parent.display();
                        return Err(PackageError::Unreadable(format!("`{parent}` is a file and a folder")));
                    }
                    Some(What::Folder) | None => {}
                }
            }
        }
        Ok(())
    }
}

fn too_large(limit: u64) -> PackageError {
    PackageError::TooLarge(format!("over {limit} bytes unzipped"))
}

/// Where a symbolic link leads.
fn link_target(entry: &mut impl Read) -> Result<PathBuf, PackageError> {
    let mut target = String::new();
    let unreadable = |error: io::Error| PackageError::Unreadable(error.to_string());
    entry.by_ref().take(MAX_LINK_BYTES + 1).read_to_string(&mut target).map_err(unreadable)?;
    if target.is_empty() || target.len() as u64 > MAX_LINK_BYTES || target.contains('\0') {
        return Err(PackageError::Unreadable("a link leads to no path".to_owned()));
    }
    Ok(PathBuf::from(target))
}

pub(super) fn open(zip: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, PackageError> {
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

/// Copies one file's content; what a header claims of its size isn't believed. Returns how many bytes the package may still have.
fn copy(entry: &mut impl Read, to: &mut impl Write, left: u64, limit: u64) -> Result<u64, PackageError> {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = left;
    loop {
        // An error while reading is the package's, an error while writing is the machine's.
        let read = entry.read(&mut buffer).map_err(|error| PackageError::Unreadable(error.to_string()))?;
        if read == 0 {
            return Ok(left);
        }
        left = left.checked_sub(read as u64).ok_or_else(|| too_large(limit))?;
        to.write_all(&buffer[..read])?;
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

/// Makes a symbolic link, itself nowhere but below `root`. Where it leads is the function's own affair, as it is on Lambda.
fn link(root: &Path, inner: &Path, target: &Path) -> Result<(), PackageError> {
    let mut directory = root.to_path_buf();
    for part in inner.parent().into_iter().flat_map(Path::components) {
        directory.push(part);
        if fs::symlink_metadata(&directory)?.is_symlink() {
            return Err(PackageError::Escapes(inner.display().to_string()));
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

    /// Without it, a package would be accepted that no function can ever be started from.
    #[test]
    fn a_file_needs_a_name() {
        for name in ["", ".", "./"] {
            let zip = package(&[Entry::File("a", 0o644, "x"), Entry::File(name, 0o644, "x")]);
            assert_eq!(inspect(&zip).is_ok(), unpack(&zip).is_ok(), "{name:?}");
        }
        assert!(matches!(inspect(&package(&[Entry::File(".", 0o644, "x")])), Err(PackageError::Unreadable(_))));
    }

    /// Without it, packages with links to what Lambda's machines have, as package managers make them, would be refused.
    #[cfg(unix)]
    #[test]
    fn links_lead_anywhere_and_are_links() {
        let targets = [("a", "/etc/passwd"), ("b", ".."), ("d/c", "../../x"), ("e", "d/../../x"), ("v", "d")];
        let mut entries = vec![Entry::File("d/file", 0o644, "one")];
        entries.extend(targets.map(|(name, target)| Entry::Link(name, target)));
        let zip = package(&entries);
        inspect(&zip).expect("a package with links");
        let directory = unpack(&zip).expect("a package with links");
        for (name, target) in targets {
            let found = fs::read_link(directory.root().join(name)).expect("a link");
            assert_eq!(found, Path::new(target), "{name}");
        }
        assert_eq!(fs::read_to_string(directory.root().join("v/file")).expect("the file"), "one");
    }

    /// Without it, whatever a link leads to could be overwritten, or removed with the package.
    #[cfg(unix)]
    #[test]
    fn nothing_is_written_or_removed_through_a_link() {
        let outside = tempfile::tempdir().expect("a folder");
        let kept = outside.path().join("kept");
        fs::write(&kept, "as it was").expect("it is ours");
        let folder = outside.path().to_str().expect("a path of letters").to_owned();
        for entries in [
            [Entry::Link("l", &folder), Entry::File("l/kept", 0o600, "evil")],
            [Entry::Link("l", &folder), Entry::Link("l/new", "x")],
            [Entry::Link(".", &folder), Entry::File("kept", 0o600, "evil")],
        ] {
            let zip = package(&entries);
            assert!(inspect(&zip).is_err());
            assert!(unpack(&zip).is_err());
        }
        let zip = package(&[Entry::Link("l", &folder), Entry::File("f", 0o644, "x")]);
        drop(unpack(&zip).expect("a package with a link"));
        assert_eq!(fs::read_to_string(&kept).expect("it stays"), "as it was");
        assert_eq!(fs::read_dir(outside.path()).expect("it stays").count(), 1);
    }

    /// Without it, a link's place could be one that another link leads to.
    #[cfg(unix)]
    #[test]
    fn links_below_links_are_refused() {
        let zip = package(&[Entry::File("d/file", 0o644, "x"), Entry::Link("l", "d"), Entry::Link("l/m", "file")]);
        assert!(matches!(inspect(&zip), Err(PackageError::Escapes(_))));
        assert!(unpack(&zip).is_err());
    }

    /// Without it, a `bootstrap` could not be executed, since its mode would be lost.
    #[cfg(unix)]
    #[test]
    fn modes_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let directory = unpack(&package(&[Entry::File("bootstrap", 0o755, "#!/bin/sh\n")])).expect("a package");
        let mode = fs::metadata(directory.root().join("bootstrap")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    /// Without it, Lambda's answer to a broken upload would be an internal error.
    #[test]
    fn what_is_no_zip_is_named() {
        assert!(matches!(inspect(b""), Err(PackageError::Empty)));
        assert!(matches!(inspect(b"no zip at all"), Err(PackageError::Unreadable(_))));
    }

    /// Without it, what a package's files overwrite would depend on their order, and a machine would be blamed for it.
    #[test]
    fn two_entries_can_not_be_in_one_place() {
        let zip = package(&[Entry::File("a", 0o644, "x"), Entry::File("a/b", 0o644, "x")]);
        assert!(matches!(inspect(&zip), Err(PackageError::Unreadable(_))));
        let zip = package(&[Entry::File("a", 0o644, "x"), Entry::File("./a", 0o644, "y")]);
        assert!(matches!(inspect(&zip), Err(PackageError::Unreadable(_))));
    }

    /// Without it, a package that was damaged on its way would be taken, and fail when it is needed.
    #[test]
    fn a_damaged_file_is_noticed() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let plain = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("a", plain).expect("an entry");
        zip.write_all(b"the content").expect("its text");
        let mut zip = zip.finish().expect("a zip").into_inner();
        inspect(&zip).expect("whole as yet");
        let at = zip.windows(11).position(|window| window == b"the content").expect("stored as it is");
        zip[at] ^= 1;
        assert!(matches!(inspect(&zip), Err(PackageError::Unreadable(_))));
    }

    /// Without it, a small package could fill the disk.
    #[test]
    fn a_bomb_is_stopped_by_what_it_holds_and_not_by_what_it_says() {
        let result = copy(&mut io::repeat(0), &mut io::sink(), 100_000, 100_000);
        assert!(matches!(result, Err(PackageError::TooLarge(_))));
        let zip = package(&[Entry::File("a", 0o644, &"x".repeat(1000)), Entry::File("b", 0o644, &"x".repeat(1000))]);
        inspect_within(&zip, 2000).expect("just fits");
        assert!(matches!(inspect_within(&zip, 1999), Err(PackageError::TooLarge(_))));
    }
}
