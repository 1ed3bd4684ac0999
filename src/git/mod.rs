//! Manifests of another revision, out of Git's objects, without running anything that a repository brings along.
//!
//! A pull request of a fork may be checked out, so nothing of the repository is trusted. Git's plumbing reads objects by
//! name, and nothing else: no checkout, so no filters; no diff, so no drivers; no index, so no file system monitor; no
//! network, so no transport helpers. What could run commands all the same is switched off by options that outweigh the
//! repository's own configuration. Files are written into a private temporary folder, as they are asked for.
//!
//! | Module | Knows |
//! |---|---|
//! | `process` | how Git is run, and ended from outside |
//! | `objects` | trees and files by name |
//! | `scratch` | where files are written |
//! | `snapshot` | which files of a commit are asked for, and how many may be |
//! | `names` | which ref a revision names, where it could name several |
//! | `attributes` | what a checkout makes of files that were committed |

mod attributes;
mod names;
mod objects;
mod process;
mod scratch;
mod snapshot;

use std::io;
use std::path::{Component, Path, PathBuf};

pub use attributes::{Attributes, attributes_of, folders_of};
pub use names::Ambiguous;
pub use process::Stop;
pub use snapshot::Snapshot;

use objects::Id;
use process::{ask, git, os_string};

use crate::tree::here;

/// Why a revision can't be read, with what to do.
#[derive(Debug)]
pub struct RevisionError {
    /// What is wrong.
    pub summary: String,
    /// What to do.
    pub hints: Vec<String>,
    /// Whether nothing is wrong but that the end was asked for, which was said there.
    pub is_stopped: bool,
}

impl RevisionError {
    /// An error without hints.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), hints: Vec::new(), is_stopped: false }
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A Git repository with a working tree.
pub struct Repository {
    /// The working tree's root, without links.
    top: PathBuf,
    stop: Stop,
}

/// A commit, and how it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The object's name, in hexadecimal.
    id: String,
    /// As the user wrote it.
    pub shown: String,
}

impl Repository {
    /// The repository that a path belongs to, whether or not something is there now. Git runs until `stop` is asked.
    pub fn of(path: &Path, stop: Stop) -> Result<Self, RevisionError> {
        let folder = existing_folder(path);
        let top = ask(&stop, git(&folder).args(["rev-parse", "--show-toplevel"]))?.map_err(|said| {
            let error = RevisionError::new(format!("`{}` is in no Git repository that can be read", path.display()));
            let told = said.lines().next().unwrap_or_default().to_owned();
            if told.is_empty() { error } else { error.hint(format!("git says: {told}")) }
        })?;
        let top =
            PathBuf::from(os_string(top)).canonicalize().map_err(|error| RevisionError::new(error.to_string()))?;
        Ok(Self { top, stop })
    }

    /// The working tree's root, without links.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The place of a path in the repository. Folders that are there are looked at without links; what isn't there is taken
    /// as it is written.
    pub fn place(&self, path: &Path) -> Result<PathBuf, RevisionError> {
        let outside = || {
            RevisionError::new(format!("`{}` is outside of the repository `{}`", path.display(), self.top.display()))
        };
        let folder = existing_folder(path);
        let real = folder.canonicalize().map_err(|error| RevisionError::new(error.to_string()))?;
        let rest = if folder == Path::new(".") { path } else { path.strip_prefix(&folder).unwrap_or(path) };
        let full = lexical(&real.join(rest)).ok_or_else(outside)?;
        let place = full.strip_prefix(&self.top).map_err(|_| outside())?;
        Ok(place.to_path_buf())
    }

    /// The commit that a revision names, and what else it could have named.
    pub fn commit(&self, revision: &str) -> Result<(Commit, Option<Ambiguous>), RevisionError> {
        if revision.is_empty() || revision.starts_with('-') || revision.chars().any(char::is_control) {
            return Err(RevisionError::new(format!("`{revision}` can't be a revision"))
                .hint("write a branch, a tag, a commit, or two of them as `main..topic`"));
        }
        let peeled = format!("{revision}^{{commit}}");
        let answer = ask(&self.stop, git(&self.top).args(["rev-parse", "--verify", "--quiet", &peeled]))?;
        match answer.ok().and_then(object) {
            Some(id) => Ok((Commit { id, shown: revision.to_owned() }, self.ambiguity(revision)?)),
            None => Err(self.unknown(revision)),
        }
    }

    fn unknown(&self, revision: &str) -> RevisionError {
        let several = self.beginnings(revision).unwrap_or_default();
        if several.len() > 1 {
            let summary = format!("`{revision}` is ambiguous: {} objects have names that begin with it", several.len());
            return RevisionError::new(summary).hint("write more digits of the commit's name");
        }
        let error = RevisionError::new(format!("`{revision}` is no revision of this repository"));
        if Path::new(revision).exists() {
            return error.hint(format!("a path comes after the revision:\n  rotator diff HEAD {revision}"));
        }
        error.hint("a shallow clone, as pipelines make them, may lack it: fetch it first")
    }

    /// The commits that changed what stands at a place, beginning with the one that is checked out, the newest first; at most so many.
    pub fn commits_of(&self, place: &Path, most: usize) -> Result<Vec<Commit>, RevisionError> {
        let mut command = git(&self.top);
        command.args(["rev-list", &format!("--max-count={most}"), "HEAD", "--"]).arg(place);
        let answer = ask(&self.stop, &mut command)?.unwrap_or_default();
        let ids = answer.split(|byte| *byte == b'\n').filter_map(|id| object(id.to_vec()));
        Ok(ids.map(|id| Commit { shown: id.chars().take(12).collect(), id }).collect())
    }

    /// Where two commits parted: what a pull request is compared with.
    pub fn merge_base(&self, one: &Commit, other: &Commit) -> Result<Commit, RevisionError> {
        let none = || {
            RevisionError::new(format!("`{}` and `{}` have no common ancestor here", one.shown, other.shown))
                .hint("a shallow clone, as pipelines make them, may lack it: fetch more of the history")
        };
        let answer = ask(&self.stop, git(&self.top).args(["merge-base", &one.id, &other.id]))?;
        let id = answer.ok().and_then(object).ok_or_else(none)?;
        Ok(Commit { shown: id.chars().take(12).collect(), id })
    }

    /// The tree of a commit.
    fn tree(&self, commit: &Commit) -> Result<Id, RevisionError> {
        let tree = format!("{}^{{tree}}", commit.id);
        let answer = ask(&self.stop, git(&self.top).args(["rev-parse", "--verify", "--quiet", &tree]))?;
        let missing = || {
            RevisionError::new(format!("cannot read `{}`: its tree is missing from this clone", commit.shown))
                .hint("a shallow or partial clone must fetch it first")
        };
        answer.ok().and_then(object).and_then(|id| Id::parse(&id)).ok_or_else(missing)
    }
}

/// An object's name in hexadecimal.
fn object(answer: Vec<u8>) -> Option<String> {
    let id = String::from_utf8(answer).ok()?;
    ([40, 64].contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

/// The nearest folder above a path that is there.
fn existing_folder(path: &Path) -> PathBuf {
    here(path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("")))
}

/// A path without `.` and `..`; `None` where it leads above its root.
fn lexical(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            other => plain.push(other),
        }
    }
    Some(plain)
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, `REV` could be an option of Git's, or a path could leave the repository.
    #[test]
    fn what_looks_like_a_revision_or_a_path_is_judged() {
        let repository = Repository { top: PathBuf::from("/nonexistent"), stop: Stop::default() };
        for revision in ["--output=x", "-", "", "a\nb"] {
            let error = repository.commit(revision).expect_err("refused");
            assert!(error.summary.contains("can't be a revision"), "{}", error.summary);
        }
        assert_eq!(lexical(Path::new("a/../b/./c")), Some(PathBuf::from("b/c")));
        assert_eq!(lexical(Path::new("a/../../b")), None);
    }
}
