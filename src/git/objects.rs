//! Git's objects: trees and files by name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Component, Path};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use super::broken;
use super::process::{Stop, ask, git, os_string};
use crate::tree::is_git_name;

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TreeEntry {
    Folder(Id),
    File {
        id: Id,
        executable: bool,
    },
    Link(Id),
    /// Another repository's commit: its files aren't in this one.
    Submodule,
}

/// An object's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id {
    bytes: [u8; 32],
    length: usize,
}

impl Id {
    fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { bytes, length: name.len() })
    }
}

impl Id {
    /// From hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digit).collect();
        Self::new(&bytes?)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes.iter().take(self.length).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Reads a tree object: mode, name, a zero byte and the object's name in binary, for each entry. Names that no file system
/// should see are left out, as Git does when it checks out.
pub(super) fn entries(mut content: &[u8], id_length: usize) -> Option<BTreeMap<OsString, TreeEntry>> {
    let mut entries = BTreeMap::new();
    while !content.is_empty() {
        let space = content.iter().position(|b| *b == b' ')?;
        let zero = content.iter().position(|b| *b == 0).filter(|zero| *zero > space)?;
        let (mode, name) = (&content[..space], &content[space + 1..zero]);
        let id = Id::new(content.get(zero + 1..zero + 1 + id_length)?)?;
        content = &content[zero + 1 + id_length..];
        let entry = match mode {
            b"40000" | b"040000" => TreeEntry::Folder(id),
            b"120000" => TreeEntry::Link(id),
            b"160000" => TreeEntry::Submodule,
            mode if mode.starts_with(b"100") => TreeEntry::File { id, executable: mode == b"100755" },
            _ => return None,
        };
        let name = os_string(name.to_vec());
        if is_plain(&name) {
            entries.entry(name).or_insert(entry);
        }
    }
    Some(entries)
}

/// Whether a name is one component of a path, and not Git's own folder.
fn is_plain(name: &OsStr) -> bool {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name);
    one && !is_git_name(name)
}

/// A running `git cat-file --batch`: objects by name.
pub(super) struct Objects {
    child: Arc<Mutex<Child>>,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    stop: Stop,
    /// The length of an object's name in a tree, in bytes.
    pub id_length: usize,
}

impl Objects {
    /// Starts it.
    pub fn start(folder: &Path, stop: &Stop) -> io::Result<Self> {
        let format = ask(stop, git(folder).args(["rev-parse", "--show-object-format"]));
        let sha256 = format.is_ok_and(|answer| answer.is_ok_and(|format| format == b"sha256"));
        let mut command = git(folder);
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = stop.start(&mut command)?;
        let (requests, answers) = {
            let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
            (child.stdin.take(), child.stdout.take())
        };
        let answers = BufReader::with_capacity(64 * 1024, answers.ok_or_else(|| broken("git has no output"))?);
        Ok(Self { child, requests, answers, stop: stop.clone(), id_length: if sha256 { 32 } else { 20 } })
    }

    /// An object's content, of a kind and of bounded size.
    pub fn read(&mut self, name: &str, kind: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.copy(name, kind, most, |size| {
            content.reserve(usize::try_from(size).unwrap_or(0).min(1024 * 1024));
            Ok(&mut content)
        })?;
        Ok(content)
    }

    /// Copies an object's content, of a kind and of bounded size, to what `open` makes once its size is known.
    pub fn copy<W: io::Write>(
        &mut self,
        name: &str,
        kind: &str,
        most: u64,
        open: impl FnOnce(u64) -> io::Result<W>,
    ) -> io::Result<()> {
        self.stop.check()?;
        let requests = self.requests.as_mut().ok_or_else(|| broken("git has no input"))?;
        requests.write_all(format!("{name}\n").as_bytes())?;
        requests.flush()?;
        let mut header = String::new();
        (&mut self.answers).take(1024).read_line(&mut header)?;
        let mut words = header.split_whitespace();
        let (_, found, size) = (words.next(), words.next(), words.next());
        let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
            self.stop.check()?;
            return Err(broken("an object is missing from this clone: a shallow or partial clone must fetch it first"));
        };
        // Whatever fails, no more is read: no next answer is looked for where this one stands.
        if found != Some(kind) {
            self.requests = None;
            return Err(broken("an object is of another kind"));
        }
        if size > most {
            self.requests = None;
            return Err(broken(format!("a file has {} MB, and no more than {} MB are read", size >> 20, most >> 20)));
        }
        let mut to = open(size).inspect_err(|_| self.requests = None)?;
        let mut left = size;
        let mut part = vec![0; 64 * 1024];
        while left > 0 {
            self.stop.check()?;
            let length = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.answers.read_exact(&mut part[..length])?;
            to.write_all(&part[..length]).inspect_err(|_| self.requests = None)?;
            left -= length as u64;
        }
        to.flush()?;
        self.answers.read_exact(&mut [0])?;
        Ok(())
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // Without input it ends by itself; with an answer that isn't read, it wouldn't.
        self.requests = None;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a tree that no Git would check out could write outside of its folder.
    #[test]
    fn names_that_lead_elsewhere_are_left_out() {
        let id = [7; 20];
        let mut content = Vec::new();
        for name in ["..", ".", "a/b", ".git", ".GIT", ".git ", "git~1", "good.yaml", ""] {
            content.extend_from_slice(b"100644 ");
            content.extend_from_slice(name.as_bytes());
            content.push(0);
            content.extend_from_slice(&id);
        }
        let found = entries(&content, 20).expect("a tree");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["good.yaml"]);
        let Some(TreeEntry::File { id, .. }) = found.values().next() else { panic!("a file") };
        assert_eq!(id.to_string(), "07".repeat(20));
        assert!(entries(&content[..content.len() - 1], 20).is_none(), "a cut object is refused");
    }
}
