//! Manifests of another revision, out of Git's objects, without running anything that a repository brings along.
//!
//! A pull request of a fork may be checked out, so nothing of the repository is trusted. Git's plumbing reads objects by
//! name, and nothing else: no checkout, so no filters; no diff, so no drivers; no index, so no file system monitor; no
//! network, so no transport helpers. What could run commands all the same is switched off by options that outweigh the
//! repository's own configuration. Files are written into a private temporary folder, as they are asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::config::Fetch;

/// The largest file that is taken out of a revision, in bytes: what Lambda accepts unpacked.
const MAX_FILE: u64 = 250 * 1024 * 1024;

/// The most that is taken out of a revision, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// The most names that are taken out of a revision.
const MAX_NAMES: usize = 200_000;

/// The longest chain of links that is followed, as Linux has it.
const MAX_LINKS: usize = 40;

/// Why a revision can't be read, with what to do.
#[derive(Debug)]
pub struct RevisionError {
    /// What is wrong.
    pub summary: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl RevisionError {
    fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A Git repository with a working tree.
pub struct Repository {
    /// The working tree's root, without links.
    top: PathBuf,
}

/// A commit, and how it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The object's name, in hexadecimal.
    id: String,
    /// As the user wrote it.
    pub shown: String,
}

/// Git as it may run in a repository that nobody vouches for.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // A hook of the user's, or a script, may have pointed Git elsewhere; and AWS's credentials are none of its business.
    for (name, _) in std::env::vars_os() {
        if [&b"GIT_"[..], b"AWS_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        // Objects that a partial clone lacks are not fetched: a transport can be any program.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .arg("--no-pager")
        .arg("--literal-pathspecs")
        .args(["-c", "core.fsmonitor=false"])
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(["-c", "core.sshCommand=false"])
        .args(["-c", "protocol.allow=never"])
        // A folder of the repository that looks like a repository isn't one.
        .args(["-c", "safe.bareRepository=explicit"])
        .arg("-C")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs Git; its answer without the last line's end, or `None` where it refuses, with what it said.
fn ask(command: &mut Command) -> Result<Result<OsString, String>, RevisionError> {
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RevisionError::new("`git` isn't installed, or isn't on the PATH"),
        _ => RevisionError::new(format!("cannot run `git`: {error}")),
    })?;
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let mut answer = output.stdout;
    if answer.last() == Some(&b'\n') {
        answer.pop();
    }
    Ok(Ok(os_string(answer)))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

impl Repository {
    /// The repository that a path belongs to, whether or not something is there now.
    pub fn of(path: &Path) -> Result<Self, RevisionError> {
        let folder = existing_folder(path);
        let top = ask(git(&folder).args(["rev-parse", "--show-toplevel"]))?.map_err(|said| {
            let error = RevisionError::new(format!("`{}` is in no Git repository that can be read", path.display()));
            let told = said.lines().next().unwrap_or_default().to_owned();
            if told.is_empty() { error } else { error.hint(format!("git says: {told}")) }
        })?;
        let top = PathBuf::from(top).canonicalize().map_err(|error| RevisionError::new(error.to_string()))?;
        Ok(Self { top })
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

    /// The commit that a revision names.
    pub fn commit(&self, revision: &str) -> Result<Commit, RevisionError> {
        let unknown = || {
            let error = RevisionError::new(format!("`{revision}` is no revision of this repository"));
            if Path::new(revision).exists() {
                return error.hint(format!("a path comes after the revision:\n  rotator diff HEAD {revision}"));
            }
            error.hint("a shallow clone, as pipelines make them, may lack it: fetch it first")
        };
        if revision.is_empty() || revision.starts_with('-') || revision.chars().any(char::is_control) {
            return Err(RevisionError::new(format!("`{revision}` can't be a revision"))
                .hint("write a branch, a tag, a commit, or two of them as `main..topic`"));
        }
        let peeled = format!("{revision}^{{commit}}");
        let answer = ask(git(&self.top).args(["rev-parse", "--verify", "--quiet", &peeled]))?;
        let id = answer.ok().and_then(|id| id.into_string().ok()).filter(|id| is_object(id)).ok_or_else(unknown)?;
        Ok(Commit { id, shown: revision.to_owned() })
    }

    /// Where two commits parted: what a pull request is compared with.
    pub fn merge_base(&self, one: &Commit, other: &Commit) -> Result<Commit, RevisionError> {
        let none = || {
            RevisionError::new(format!("`{}` and `{}` have no common ancestor here", one.shown, other.shown))
                .hint("a shallow clone, as pipelines make them, may lack it: fetch more of the history")
        };
        let answer = ask(git(&self.top).args(["merge-base", &one.id, &other.id]))?;
        let id = answer.ok().and_then(|id| id.into_string().ok()).filter(|id| is_object(id)).ok_or_else(none)?;
        Ok(Commit { shown: id.chars().take(12).collect(), id })
    }
}

fn is_object(id: &str) -> bool {
    [40, 64].contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The nearest folder above a path that is there.
fn existing_folder(path: &Path) -> PathBuf {
    let folder = path.ancestors().find(|above| above.is_dir());
    folder.filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
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

/// An entry of a tree.
#[derive(Debug, Clone)]
enum Entry {
    Folder(String),
    File {
        id: String,
        executable: bool,
    },
    Link(String),
    /// Another repository's commit: its files aren't in this one.
    Submodule,
}

/// The files of a commit, brought into a temporary folder as they are asked for.
pub struct Snapshot {
    folder: TempDir,
    state: Mutex<State>,
}

struct State {
    objects: Objects,
    root: String,
    folders: HashMap<String, Arc<BTreeMap<OsString, Entry>>>,
    written: HashSet<PathBuf>,
    listed: HashSet<PathBuf>,
    bytes: u64,
    /// The first failure: what was read after it can't be relied on.
    failed: Option<String>,
    submodules: Vec<PathBuf>,
    /// Links that lead out of the repository, as far as they were met.
    outward: HashSet<PathBuf>,
}

impl Snapshot {
    /// Opens a commit's tree. Nothing is written yet.
    pub fn new(repository: &Repository, commit: &Commit) -> Result<Self, RevisionError> {
        let failed = |error: io::Error| RevisionError::new(format!("cannot read `{}`: {error}", commit.shown));
        let folder = tempfile::Builder::new().prefix("rotator-").tempdir().map_err(failed)?;
        let state = State {
            objects: Objects::start(&repository.top).map_err(failed)?,
            root: format!("{}^{{tree}}", commit.id),
            folders: HashMap::new(),
            written: HashSet::new(),
            listed: HashSet::new(),
            bytes: 0,
            failed: None,
            submodules: Vec::new(),
            outward: HashSet::new(),
        };
        Ok(Self { folder, state: Mutex::new(state) })
    }

    /// The temporary folder that stands for the repository's root.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the commit has a file or a link at a place, and whether it has a folder there.
    pub fn kind(&self, place: &Path) -> (bool, bool) {
        let Ok(mut state) = self.state.lock() else { return (false, false) };
        match state.entry(place) {
            Ok(Some(Entry::File { .. } | Entry::Link(_))) => (true, false),
            Ok(Some(Entry::Folder(_))) => (false, true),
            Ok(_) => (false, false),
            Err(error) => {
                state.fail(error);
                (false, false)
            }
        }
    }

    /// Whether a file can't be brought because a link on the way to it leads out of the repository.
    pub fn leads_out(&self, place: &Path) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        state.outward.clear();
        if let Err(error) = state.fetch(self.root(), place, MAX_LINKS) {
            state.fail(error);
        }
        !state.outward.is_empty()
    }

    /// What kept files from being brought, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.state.lock().ok().and_then(|state| state.failed.clone())
    }

    /// Places that are submodules, whose files this repository doesn't hold.
    pub fn submodules(&self) -> Vec<PathBuf> {
        self.state.lock().map(|state| state.submodules.clone()).unwrap_or_default()
    }

    fn place(&self, path: &Path) -> Option<PathBuf> {
        lexical(path.strip_prefix(self.root()).ok()?)
    }
}

impl Fetch for Snapshot {
    fn fetch(&self, path: &Path) {
        if let (Some(place), Ok(mut state)) = (self.place(path), self.state.lock())
            && let Err(error) = state.fetch(self.root(), &place, MAX_LINKS)
        {
            state.fail(error);
        }
    }

    fn list(&self, folder: &Path) {
        if let (Some(place), Ok(mut state)) = (self.place(folder), self.state.lock())
            && let Err(error) = state.list(self.root(), &place)
        {
            state.fail(error);
        }
    }
}

impl State {
    #[expect(clippy::needless_pass_by_value, reason = "the error ends here")]
    fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// The entries of a folder's tree.
    fn folder(&mut self, tree: &str) -> io::Result<Arc<BTreeMap<OsString, Entry>>> {
        if let Some(known) = self.folders.get(tree) {
            return Ok(Arc::clone(known));
        }
        let content = self.objects.read(tree, "tree", MAX_FILE)?;
        let id_length = self.objects.id_length;
        let entries = Arc::new(entries(&content, id_length).ok_or_else(|| broken("a tree can't be read"))?);
        self.folders.insert(tree.to_owned(), Arc::clone(&entries));
        Ok(entries)
    }

    /// What stands at a place, without following links.
    fn entry(&mut self, place: &Path) -> io::Result<Option<Entry>> {
        let mut entry = Entry::Folder(self.root.clone());
        for component in place.components() {
            let Entry::Folder(tree) = &entry else { return Ok(None) };
            let tree = tree.clone();
            match self.folder(&tree)?.get(component.as_os_str()) {
                Some(found) => entry = found.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// Brings what stands at a place, links on the way and behind it included.
    fn fetch(&mut self, root: &Path, place: &Path, links: usize) -> io::Result<()> {
        let mut on_the_way = PathBuf::new();
        for component in place.components() {
            on_the_way.push(component);
            let entry = self.entry(&on_the_way)?;
            let rest = place.strip_prefix(&on_the_way).unwrap_or(Path::new("")).to_path_buf();
            match entry {
                Some(Entry::Link(id)) => return self.link(root, &on_the_way, &id, &rest, links),
                Some(Entry::Folder(_)) if !rest.as_os_str().is_empty() => self.make_folder(root, &on_the_way)?,
                Some(entry) => return self.bring(root, &on_the_way, &entry, links),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Brings a link, and what a path that goes on behind it leads to.
    fn link(&mut self, root: &Path, place: &Path, id: &str, rest: &Path, links: usize) -> io::Result<()> {
        let content = self.objects.read(id, "blob", 64 * 1024)?;
        let target = PathBuf::from(os_string(content));
        if self.written.insert(place.to_path_buf()) {
            self.count(0)?;
            make_link(&target, &checked(root, place)?)?;
        }
        let behind = place.parent().unwrap_or(Path::new("")).join(&target).join(rest);
        if target.is_absolute() {
            self.outward.insert(place.to_path_buf());
            return Ok(());
        }
        match lexical(&behind) {
            Some(behind) if links > 0 => self.fetch(root, &behind, links - 1),
            // Whoever reads it refuses it, as it refuses one that leads round in a circle.
            Some(_) => Ok(()),
            None => {
                self.outward.insert(place.to_path_buf());
                Ok(())
            }
        }
    }

    fn bring(&mut self, root: &Path, place: &Path, entry: &Entry, links: usize) -> io::Result<()> {
        match entry {
            Entry::Submodule => {
                self.submodules.push(place.to_path_buf());
                self.make_folder(root, place)
            }
            Entry::Link(id) => self.link(root, place, &id.clone(), Path::new(""), links),
            Entry::File { id, executable } => {
                if !self.written.insert(place.to_path_buf()) {
                    return Ok(());
                }
                let content = self.objects.read(id, "blob", MAX_FILE)?;
                self.count(content.len() as u64)?;
                write_file(&checked(root, place)?, &content, *executable)
            }
            Entry::Folder(tree) => {
                // A link may lead to a folder that holds it.
                if !self.written.insert(place.to_path_buf()) {
                    return Ok(());
                }
                self.make_folder(root, place)?;
                let entries = self.folder(tree)?;
                for (name, entry) in entries.iter() {
                    self.bring(root, &place.join(name), entry, links)?;
                }
                Ok(())
            }
        }
    }

    /// Brings the names in a folder: folders, links, and files that are empty until they are fetched.
    fn list(&mut self, root: &Path, place: &Path) -> io::Result<()> {
        let Some(Entry::Folder(tree)) = self.entry(place)? else { return Ok(()) };
        if !self.listed.insert(place.to_path_buf()) {
            return Ok(());
        }
        self.make_folder(root, place)?;
        let entries = self.folder(&tree)?;
        for (name, entry) in entries.iter() {
            let inside = place.join(name);
            match entry {
                Entry::Folder(_) | Entry::Submodule => self.make_folder(root, &inside)?,
                Entry::Link(id) => self.link(root, &inside, &id.clone(), Path::new(""), 0)?,
                Entry::File { .. } if self.written.contains(&inside) => {}
                Entry::File { .. } => {
                    self.count(0)?;
                    write_file(&checked(root, &inside)?, &[], false)?;
                }
            }
        }
        Ok(())
    }

    fn make_folder(&mut self, root: &Path, place: &Path) -> io::Result<()> {
        let mut folder = PathBuf::new();
        for component in place.components() {
            folder.push(component);
            let path = checked(root, &folder)?;
            match std::fs::create_dir(&path) {
                Ok(()) => self.count(0)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> io::Result<()> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES || self.written.len() + self.listed.len() > MAX_NAMES {
            return Err(broken("the manifests reach more files than a revision is read for"));
        }
        Ok(())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// The path of a place, whose folder must be there, inside the root, and reached through no link: on a file system that
/// doesn't know lower from upper case, a link could stand where a folder is expected.
fn checked(root: &Path, place: &Path) -> io::Result<PathBuf> {
    let path = root.join(place);
    let parent = path.parent().unwrap_or(root);
    let expected = root.canonicalize()?.join(place.parent().unwrap_or(Path::new("")));
    if parent.canonicalize()? != expected {
        return Err(broken("a link stands where a folder should"));
    }
    Ok(path)
}

fn write_file(path: &Path, content: &[u8], executable: bool) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(broken("two names of a folder are one"));
    }
    std::fs::write(path, content)?;
    if executable { make_executable(path) } else { Ok(()) }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> io::Result<()> {
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

/// Reads a tree object: mode, name, a zero byte and the object's name in binary, for each entry. Names that no file system
/// should see are left out, as Git does when it checks out.
fn entries(mut content: &[u8], id_length: usize) -> Option<BTreeMap<OsString, Entry>> {
    let mut entries = BTreeMap::new();
    while !content.is_empty() {
        let space = content.iter().position(|b| *b == b' ')?;
        let zero = content.iter().position(|b| *b == 0).filter(|zero| *zero > space)?;
        let (mode, name) = (&content[..space], &content[space + 1..zero]);
        let id = content.get(zero + 1..zero + 1 + id_length)?;
        content = &content[zero + 1 + id_length..];
        let id = id.iter().fold(String::with_capacity(id_length * 2), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a string never fails.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let entry = match mode {
            b"40000" | b"040000" => Entry::Folder(id),
            b"120000" => Entry::Link(id),
            b"160000" => Entry::Submodule,
            mode if mode.starts_with(b"100") => Entry::File { id, executable: mode == b"100755" },
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
    one && !name.eq_ignore_ascii_case(".git")
}

/// A running `git cat-file --batch`: objects by name.
struct Objects {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The length of an object's name in a tree, in bytes.
    id_length: usize,
}

impl Objects {
    fn start(folder: &Path) -> io::Result<Self> {
        let format = ask(git(folder).args(["rev-parse", "--show-object-format"]));
        let sha256 = format.is_ok_and(|answer| answer.is_ok_and(|format| format == "sha256"));
        let mut child = git(folder)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take());
        let answers = answers.ok_or_else(|| broken("git has no output"))?;
        Ok(Self { child, requests, answers: BufReader::new(answers), id_length: if sha256 { 32 } else { 20 } })
    }

    /// An object's content, of a kind and of bounded size.
    fn read(&mut self, name: &str, kind: &str, most: u64) -> io::Result<Vec<u8>> {
        let requests = self.requests.as_mut().ok_or_else(|| broken("git has no input"))?;
        requests.write_all(format!("{name}\n").as_bytes())?;
        requests.flush()?;
        let mut header = String::new();
        self.answers.read_line(&mut header)?;
        let mut words = header.split_whitespace();
        let (_, found, size) = (words.next(), words.next(), words.next());
        let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
            return Err(broken("an object is missing from this clone: a shallow or partial clone must fetch it first"));
        };
        if found != Some(kind) || size > most {
            // What isn't wanted is read past, so that the next answer is the next one.
            io::copy(&mut (&mut self.answers).take(size.saturating_add(1)), &mut io::sink())?;
            return Err(broken(if size > most { "a file is too large" } else { "an object is of another kind" }));
        }
        let mut content = Vec::new();
        (&mut self.answers).take(size).read_to_end(&mut content)?;
        let mut end = [0];
        self.answers.read_exact(&mut end)?;
        Ok(content)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // Without input it ends by itself.
        self.requests = None;
        let _ = self.child.wait();
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
        for name in ["..", ".", "a/b", ".git", ".GIT", "good.yaml", ""] {
            content.extend_from_slice(b"100644 ");
            content.extend_from_slice(name.as_bytes());
            content.push(0);
            content.extend_from_slice(&id);
        }
        let names: Vec<OsString> = entries(&content, 20).expect("a tree").into_keys().collect();
        assert_eq!(names, ["good.yaml"]);
        assert!(entries(&content[..content.len() - 1], 20).is_none(), "a cut object is refused");
    }

    /// Without it, `REV` could be an option of Git's, or a path could leave the repository.
    #[test]
    fn what_looks_like_a_revision_or_a_path_is_judged() {
        let repository = Repository { top: PathBuf::from("/nonexistent") };
        for revision in ["--output=x", "-", "", "a\nb"] {
            let error = repository.commit(revision).expect_err("refused");
            assert!(error.summary.contains("can't be a revision"), "{}", error.summary);
        }
        assert_eq!(lexical(Path::new("a/../b/./c")), Some(PathBuf::from("b/c")));
        assert_eq!(lexical(Path::new("a/../../b")), None);
    }

    /// Without it, a link that takes a folder's place could let files be written anywhere.
    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        let (root, away) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        make_link(away.path(), &root.path().join("a")).expect("a link");
        assert!(checked(root.path(), Path::new("a/b")).is_err());
        assert!(write_file(&root.path().join("a"), b"x", false).is_err());
    }
}
