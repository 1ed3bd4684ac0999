//! Which ref a revision names, where it could name several: Git takes one by a rule that few know.

use super::process::{ask, git, os_string};
use super::{Repository, RevisionError, object};

/// The most objects with one beginning that are looked at.
const MAX_BEGINNINGS: usize = 20;

/// A name that stands for more than one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// The name, without what goes on behind it as in `main~1`.
    pub name: String,
    /// What Git takes it for: a ref, or a commit's name.
    pub taken: String,
    /// What it could also mean.
    pub others: Vec<String>,
}

impl Repository {
    /// What else the name at the beginning of a revision could mean.
    pub(super) fn ambiguity(&self, revision: &str) -> Result<Option<Ambiguous>, RevisionError> {
        let name = name(revision);
        if name.is_empty() || name == "@" || name.contains(['*', '?', '[', ' ', '\\']) {
            return Ok(None);
        }
        let mut found = Vec::new();
        if is_whole_hash(name) {
            found.push(name.to_owned());
        }
        if self.is_root_ref(name)? {
            found.push(name.to_owned());
        }
        let refs = places(name);
        let mut command = git(&self.top);
        let answer = ask(&self.stop, command.args(["for-each-ref", "--format=%(refname)", "--"]).args(&refs))?;
        let answer = String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned();
        let known: Vec<&str> = answer.lines().collect();
        found.extend(refs.into_iter().filter(|place| known.contains(&place.as_str())));
        if !found.is_empty() && !is_whole_hash(name) {
            for id in self.beginnings(name)?.into_iter().take(MAX_BEGINNINGS) {
                let kind = ask(&self.stop, git(&self.top).args(["cat-file", "-t", &id]))?;
                if kind.is_ok_and(|kind| kind == b"commit") {
                    found.push(id);
                }
            }
        }
        let mut found = found.into_iter();
        let (taken, others) = (found.next(), found.collect::<Vec<_>>());
        Ok(taken.filter(|_| !others.is_empty()).map(|taken| Ambiguous { name: name.to_owned(), taken, others }))
    }

    /// The objects whose names begin with a text.
    pub(super) fn beginnings(&self, text: &str) -> Result<Vec<String>, RevisionError> {
        if !(4..40).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let answer = ask(&self.stop, git(&self.top).args(["rev-parse", &format!("--disambiguate={text}")]))?;
        let answer = answer.unwrap_or_default();
        Ok(answer.split(|b| *b == b'\n').filter_map(|line| object(line.to_vec())).collect())
    }

    /// Whether a name is one of the refs that stand beside Git's `refs`, such as `HEAD`.
    fn is_root_ref(&self, name: &str) -> Result<bool, RevisionError> {
        if !name.bytes().all(|b| b.is_ascii_uppercase() || b"_-".contains(&b)) {
            return Ok(false);
        }
        let answer = ask(&self.stop, git(&self.top).args(["rev-parse", "--git-path", name]))?;
        Ok(answer.is_ok_and(|path| self.top.join(os_string(path)).symlink_metadata().is_ok()))
    }
}

/// The name at the beginning of a revision.
fn name(revision: &str) -> &str {
    let end = [revision.find(['~', '^', ':']), revision.find("@{")].into_iter().flatten().min();
    end.map_or(revision, |end| &revision[..end])
}

/// Git takes 40 or 64 digits for an object's name, whatever refs there are.
fn is_whole_hash(name: &str) -> bool {
    object(name.as_bytes().to_vec()).is_some()
}

/// Where Git looks for a name, in its order.
fn places(name: &str) -> Vec<String> {
    let itself = name.starts_with("refs/").then(|| name.to_owned());
    let below = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"].map(|folder| format!("{folder}{name}"));
    itself.into_iter().chain(below).chain([format!("refs/remotes/{name}/HEAD")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, `main~1` would be looked for as a ref of that name, and an ambiguous `main` not be noticed.
    #[test]
    fn a_name_ends_where_its_history_begins() {
        for (revision, expected) in [
            ("main", "main"),
            ("main~3", "main"),
            ("v1^{tree}", "v1"),
            ("topic@{1 day ago}", "topic"),
            ("HEAD:x", "HEAD"),
            (":/text", ""),
            ("a@b", "a@b"),
        ] {
            assert_eq!(name(revision), expected);
        }
        assert_eq!(places("x")[1..3], ["refs/tags/x", "refs/heads/x"]);
        assert!(is_whole_hash(&"a".repeat(40)) && !is_whole_hash("abcdef"));
    }
}
