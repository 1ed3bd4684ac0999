//! The folder that stands for a revision's root: files are written where nothing but folders of ours is on the way.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::broken;

/// A folder of ours, which no one else can reach.
pub(super) struct Scratch {
    root: PathBuf,
    /// The folders that were made, and are no links: each is looked at once, or deep folders would take for ever.
    folders: HashSet<PathBuf>,
}

impl Scratch {
    /// Makes the folder.
    pub fn new(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir(&root)?;
        Ok(Self { root, folders: HashSet::new() })
    }

    /// Makes a folder, with those that hold it. How many are new.
    pub fn folder(&mut self, place: &Path) -> io::Result<usize> {
        if place.as_os_str().is_empty() || self.folders.contains(place) {
            return Ok(0);
        }
        let above = self.folder(place.parent().unwrap_or(Path::new("")))?;
        let path = self.root.join(place);
        match std::fs::create_dir(&path) {
            Ok(()) => {}
            // On a file system that doesn't know lower from upper case, a link could stand where a folder is expected.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !path.symlink_metadata()?.is_dir() {
                    return Err(broken("a link or a file stands where a folder should"));
                }
            }
            Err(error) => return Err(error),
        }
        self.folders.insert(place.to_owned());
        Ok(above + 1)
    }

    /// Opens a file for all of its content.
    pub fn file(&mut self, place: &Path, executable: bool) -> io::Result<File> {
        self.folder(place.parent().unwrap_or(Path::new("")))?;
        let path = self.root.join(place);
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(broken("two names of a folder are one"));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        if executable { make_executable(&file).map(|()| file) } else { Ok(file) }
    }

    /// Makes a link.
    pub fn link(&mut self, place: &Path, target: &Path) -> io::Result<()> {
        self.folder(place.parent().unwrap_or(Path::new("")))?;
        make_link(target, &self.root.join(place))
    }
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    match std::os::unix::fs::symlink(target, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Links need a privilege elsewhere: what stands behind one is missing then, and reading says so.
#[cfg(not(unix))]
fn make_link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Without it, a link that takes a folder's place could let files be written anywhere.
    #[test]
    fn nothing_is_written_through_a_link() {
        let (root, away) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let mut scratch = Scratch::new(root.path().join("x")).expect("a folder");
        scratch.link(Path::new("a"), away.path()).expect("a link");
        assert!(scratch.folder(Path::new("a")).is_err());
        assert!(scratch.folder(Path::new("a/b")).is_err());
        assert!(scratch.file(Path::new("a/b"), false).is_err());
        assert!(scratch.file(Path::new("a"), false).is_err());
        assert_eq!(std::fs::read_dir(away.path()).expect("a folder").count(), 0);
        assert_eq!(scratch.folder(Path::new("b/c")).expect("folders"), 2);
        assert_eq!(scratch.folder(Path::new("b/c/d")).expect("a folder"), 1);
    }
}
