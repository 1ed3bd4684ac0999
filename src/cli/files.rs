//! Writing files that aren't there yet: never over one, and never through a link that leaves the folder.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::tree::{Tree, here};

use super::failure::Failure;
use super::output;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its path from the root's folder.
    pub path: PathBuf,
    /// What it holds.
    pub content: Vec<u8>,
    /// Whether it can be executed, where the system knows that.
    pub executable: bool,
}

impl NewFile {
    /// A text.
    pub fn text(path: PathBuf, text: String) -> Self {
        Self { path, content: text.into_bytes(), executable: false }
    }
}

/// What was written, until it is known to be right.
#[derive(Debug, Default)]
pub struct Written {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Written {
    /// Takes away what was written, and nothing else: a folder in which something lies by now stays.
    pub fn undo(self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A path in a folder that no file has yet, on disk or among those that are to be written; some systems don't tell upper from lower case.
pub fn free(root: &Path, folder: &str, name: &str, end: &str, others: &[NewFile]) -> PathBuf {
    let mut number = 1_usize;
    loop {
        let file = if number == 1 { format!("{name}{end}") } else { format!("{name}-{number}{end}") };
        let path = Path::new(folder).join(file);
        let is_same = |other: &NewFile| other.path.as_os_str().eq_ignore_ascii_case(path.as_os_str());
        if root.join(&path).symlink_metadata().is_err() && !others.iter().any(is_same) {
            return path;
        }
        number += 1;
    }
}

/// Writes files below a folder, all or none.
pub fn write(root: &Path, files: &[NewFile]) -> Result<Written, Failure> {
    let mut written = Written::default();
    match write_all(root, files, &mut written) {
        Ok(()) => Ok(written),
        Err(failure) => {
            written.undo();
            Err(failure)
        }
    }
}

fn write_all(root: &Path, files: &[NewFile], written: &mut Written) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        let path = output::path(path);
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(format!("`{path}` is there already, and nothing is written over")),
            _ => Failure::new(format!("cannot write `{path}`: {error}")),
        }
    };
    for file in files {
        let path = root.join(&file.path);
        let folder = path.parent().unwrap_or(root).to_owned();
        make(&here(&folder), written).map_err(|error| failed(&folder, &error))?;
        let tree = Tree::at(root).map_err(|error| failed(root, &error))?;
        let below = file.path.parent().unwrap_or(Path::new(""));
        tree.reach(tree.real(), below)
            .map_err(|stray| Failure::new(format!("cannot write into `{}`: {stray}", output::path(&folder))))?;
        let mut handle =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| failed(&path, &error))?;
        written.files.push(path.clone());
        handle.write_all(&file.content).map_err(|error| failed(&path, &error))?;
        if file.executable {
            allow_execution(&handle).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn allow_execution(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    // Who may read it may execute it.
    file.set_permissions(std::fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)))
}

#[cfg(not(unix))]
fn allow_execution(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Makes a folder with those above it, and remembers which weren't there.
fn make(folder: &Path, written: &mut Written) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        make(above, written)?;
    }
    std::fs::create_dir(folder)?;
    written.folders.push(folder.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> NewFile {
        NewFile::text(PathBuf::from(path), format!("# {path}\n"))
    }

    /// Without it, an import could take somebody's work for its own, or leave half of its own behind.
    #[test]
    fn nothing_is_written_over_and_nothing_by_halves() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let written = write(root, &[file("a/b/x.yaml"), file("root.yaml")]).expect("written");
        assert_eq!(std::fs::read_to_string(root.join("a/b/x.yaml")).expect("a file"), "# a/b/x.yaml\n");
        let failure = write(root, &[file("c/y.yaml"), file("root.yaml")]).expect_err("it is there");
        assert!(failure.summary.contains("root.yaml` is there already"), "{}", failure.summary);
        assert!(!root.join("c").exists(), "nothing is left of what wasn't finished");
        assert_eq!(free(root, "a/b", "x", ".yaml", &[file("a/b/X-2.yaml")]), Path::new("a/b/x-3.yaml"));
        written.undo();
        assert!(!root.join("a").exists() && !root.join("root.yaml").exists());
    }

    /// Without it, a link in a repository could have files written anywhere on the machine.
    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_else() {
        let (folder, away) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::os::unix::fs::symlink(away.path(), folder.path().join("imported")).expect("a link");
        std::os::unix::fs::symlink(away.path().join("new"), folder.path().join("root.yaml")).expect("a link");
        for path in ["imported/x.yaml", "root.yaml"] {
            write(folder.path(), &[file(path)]).expect_err("a link");
        }
        assert_eq!(std::fs::read_dir(away.path()).expect("a folder").count(), 0);
    }
}
