//! The files of a commit, brought into a temporary folder as they are asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::objects::{Id, Objects, TreeEntry, entries};
use super::process::{Stop, os_string};
use super::scratch::Scratch;
use super::{Commit, Repository, RevisionError, broken, lexical};
use crate::config::Fetch;
use crate::tree::{MAX_DEPTH, MAX_LINKS};

/// The largest file that is taken out of a revision, in bytes: what Lambda accepts unpacked.
const MAX_FILE: u64 = 250 * 1024 * 1024;

/// The most that is taken out of a revision, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// The most files, links and folders that are taken out of a revision.
const MAX_NAMES: usize = 200_000;

/// The most entries of trees that are looked at, and the largest tree in bytes: they are kept in memory.
const MAX_ENTRIES: usize = 2_000_000;
const MAX_TREE: u64 = 64 * 1024 * 1024;

/// The longest path, and the longest target of a link, in bytes: what systems take.
const MAX_PATH: usize = 4_000;

/// The files of a commit, brought into a temporary folder as they are asked for.
pub struct Snapshot {
    root: PathBuf,
    state: Mutex<SnapshotState>,
}

struct SnapshotState {
    objects: Objects,
    stop: Stop,
    scratch: Scratch,
    tree: Id,
    folders: HashMap<Id, Arc<BTreeMap<OsString, TreeEntry>>>,
    sizes: HashMap<Id, Size>,
    targets: HashMap<Id, Arc<Path>>,
    /// Links, and files and folders with all that they hold, which are there.
    written: HashSet<PathBuf>,
    /// The files that were brought.
    files: BTreeSet<PathBuf>,
    listed: HashSet<PathBuf>,
    entries: usize,
    names: usize,
    bytes: u64,
    /// The first failure: what was read after it can't be relied on.
    failed: Option<String>,
    submodules: BTreeSet<PathBuf>,
    /// Links that lead out of the repository, as far as they were met.
    outward: HashSet<PathBuf>,
}

/// What a folder holds, with all that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    entries: usize,
    /// Folders in folders: 1 where it holds none.
    depth: usize,
}

impl Snapshot {
    /// Opens a commit's tree, for a folder that isn't there yet. No file is written so far.
    pub fn new(repository: &Repository, commit: &Commit, folder: PathBuf) -> Result<Self, RevisionError> {
        let failed = |error: io::Error| RevisionError::new(format!("cannot read `{}`: {error}", commit.shown));
        let state = SnapshotState {
            objects: Objects::start(&repository.top, &repository.stop).map_err(failed)?,
            stop: repository.stop.clone(),
            scratch: Scratch::new(folder.clone()).map_err(failed)?,
            tree: repository.tree(commit)?,
            folders: HashMap::new(),
            sizes: HashMap::new(),
            targets: HashMap::new(),
            written: HashSet::new(),
            files: BTreeSet::new(),
            listed: HashSet::new(),
            entries: 0,
            names: 0,
            bytes: 0,
            failed: None,
            submodules: BTreeSet::new(),
            outward: HashSet::new(),
        };
        Ok(Self { root: folder, state: Mutex::new(state) })
    }

    /// The temporary folder that stands for the repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the commit has a file or a link at a place, and whether it has a folder there.
    pub fn kind(&self, place: &Path) -> (bool, bool) {
        let Ok(mut state) = self.state.lock() else { return (false, false) };
        match state.entry(place) {
            Ok(Some(TreeEntry::File { .. } | TreeEntry::Link(_))) => (true, false),
            Ok(Some(TreeEntry::Folder(_))) => (false, true),
            Ok(_) => (false, false),
            Err(error) => {
                state.fail(&error);
                (false, false)
            }
        }
    }

    /// Whether the commit has a file at a place, and no link.
    pub fn is_file(&self, place: &Path) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        matches!(state.entry(place), Ok(Some(TreeEntry::File { .. })))
    }

    /// Whether a file can't be brought because a link on the way to it leads out of the repository.
    pub fn leads_out(&self, place: &Path) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        state.outward.clear();
        if let Err(error) = state.fetch(place, MAX_LINKS) {
            state.fail(&error);
        }
        !state.outward.is_empty()
    }

    /// What kept files from being brought, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.state.lock().ok().and_then(|state| state.failed.clone())
    }

    /// Places that are submodules, whose files this repository doesn't hold.
    pub fn submodules(&self) -> BTreeSet<PathBuf> {
        self.state.lock().map(|state| state.submodules.clone()).unwrap_or_default()
    }

    /// The files that were brought so far, without those of Git's own that are fetched beside them.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.state.lock().map(|state| state.files.clone()).unwrap_or_default()
    }

    fn place(&self, path: &Path) -> Option<PathBuf> {
        lexical(path.strip_prefix(&self.root).ok()?)
    }
}

impl Fetch for Snapshot {
    fn fetch(&self, path: &Path) {
        if let (Some(place), Ok(mut state)) = (self.place(path), self.state.lock())
            && let Err(error) = state.fetch(&place, MAX_LINKS)
        {
            state.fail(&error);
        }
    }

    fn list(&self, folder: &Path) {
        if let (Some(place), Ok(mut state)) = (self.place(folder), self.state.lock())
            && let Err(error) = state.list(&place)
        {
            state.fail(&error);
        }
    }
}

impl SnapshotState {
    fn fail(&mut self, error: &io::Error) {
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// The entries of a folder's tree.
    fn folder(&mut self, tree: Id) -> io::Result<Arc<BTreeMap<OsString, TreeEntry>>> {
        if let Some(known) = self.folders.get(&tree) {
            return Ok(Arc::clone(known));
        }
        let content = self.objects.read(&tree.to_string(), "tree", MAX_TREE)?;
        let entries = entries(&content, self.objects.id_length).ok_or_else(|| broken("a tree can't be read"))?;
        self.entries += entries.len() + 1;
        if self.entries > MAX_ENTRIES {
            return Err(broken(format!("its folders have more than {MAX_ENTRIES} entries together")));
        }
        let entries = Arc::new(entries);
        self.folders.insert(tree, Arc::clone(&entries));
        Ok(entries)
    }

    /// How much a folder holds, without bringing any of it: few objects can stand for a great many files. `None`: it is deeper
    /// than is read.
    fn size(&mut self, tree: Id, above: usize) -> io::Result<Option<Size>> {
        self.stop.check()?;
        if let Some(known) = self.sizes.get(&tree) {
            return Ok(Some(*known).filter(|size| above + size.depth <= MAX_DEPTH));
        }
        if above >= MAX_DEPTH {
            return Ok(None);
        }
        let mut size = Size { entries: 0, depth: 1 };
        for entry in self.folder(tree)?.values() {
            size.entries = size.entries.saturating_add(1);
            if let TreeEntry::Folder(tree) = entry {
                let Some(inner) = self.size(*tree, above + 1)? else { return Ok(None) };
                size.entries = size.entries.saturating_add(inner.entries);
                size.depth = size.depth.max(inner.depth + 1);
            }
        }
        self.sizes.insert(tree, size);
        Ok(Some(size))
    }

    /// What stands at a place, without following links.
    fn entry(&mut self, place: &Path) -> io::Result<Option<TreeEntry>> {
        let mut entry = TreeEntry::Folder(self.tree);
        for component in place.components() {
            let TreeEntry::Folder(tree) = entry else { return Ok(None) };
            match self.folder(tree)?.get(component.as_os_str()) {
                Some(found) => entry = found.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// Brings what stands at a place, links on the way and behind it included.
    fn fetch(&mut self, place: &Path, links: usize) -> io::Result<()> {
        self.stop.check()?;
        bounded(place)?;
        if self.written.contains(place) {
            return Ok(());
        }
        let (mut at, mut entry) = (PathBuf::new(), TreeEntry::Folder(self.tree));
        let mut left = place.components();
        loop {
            let rest = left.as_path();
            match &entry {
                TreeEntry::Link(id) => return self.link(&at, *id, rest, links),
                _ if rest.as_os_str().is_empty() => return self.bring(&at, &entry, links),
                TreeEntry::Folder(tree) => {
                    let Some(name) = left.next() else { return Ok(()) };
                    let Some(found) = self.folder(*tree)?.get(name.as_os_str()).cloned() else { return Ok(()) };
                    self.make_folder(&at)?;
                    at.push(name);
                    entry = found;
                }
                TreeEntry::File { .. } | TreeEntry::Submodule => return self.bring(&at, &entry, links),
            }
        }
    }

    /// Brings a link, and what a path that goes on behind it leads to.
    fn link(&mut self, place: &Path, id: Id, rest: &Path, links: usize) -> io::Result<()> {
        let target = if let Some(known) = self.targets.get(&id) {
            Arc::clone(known)
        } else {
            let content = self.objects.read(&id.to_string(), "blob", MAX_PATH as u64)?;
            let target: Arc<Path> = PathBuf::from(os_string(content)).into();
            self.targets.insert(id, Arc::clone(&target));
            target
        };
        if self.written.insert(place.to_path_buf()) {
            self.count(1)?;
            self.scratch.link(place, &target)?;
        }
        let behind = place.parent().unwrap_or(Path::new("")).join(&target).join(rest);
        if target.is_absolute() {
            self.outward.insert(place.to_path_buf());
            return Ok(());
        }
        match lexical(&behind) {
            Some(behind) if links > 0 => self.fetch(&behind, links - 1),
            // Its reader refuses it, as it does one that leads round in a circle.
            Some(_) => Ok(()),
            None => {
                self.outward.insert(place.to_path_buf());
                Ok(())
            }
        }
    }

    fn bring(&mut self, place: &Path, entry: &TreeEntry, links: usize) -> io::Result<()> {
        self.stop.check()?;
        match entry {
            TreeEntry::Submodule => {
                self.submodules.insert(place.to_path_buf());
                self.make_folder(place)
            }
            TreeEntry::Link(_) if self.written.contains(place) => Ok(()),
            TreeEntry::Link(id) => self.link(place, *id, Path::new(""), links),
            TreeEntry::File { id, executable } => self.bring_file(place, *id, *executable),
            TreeEntry::Folder(tree) => {
                // A link may lead to a folder that holds it.
                if !self.written.insert(place.to_path_buf()) {
                    return Ok(());
                }
                self.judge(place, *tree)?;
                self.make_folder(place)?;
                let entries = self.folder(*tree)?;
                for (name, entry) in entries.iter() {
                    self.bring(&place.join(name), entry, links)?;
                }
                Ok(())
            }
        }
    }

    /// Refuses a folder that is too deep or too large, before any of it is brought.
    fn judge(&mut self, place: &Path, tree: Id) -> io::Result<()> {
        let above = place.components().count();
        let shown = if above == 0 { "the repository".to_owned() } else { format!("`{}`", shortened(place)) };
        let Some(size) = self.size(tree, above)? else {
            return Err(broken(format!("folders in {shown} are nested more than {MAX_DEPTH} deep")));
        };
        if self.names.saturating_add(size.entries) > MAX_NAMES {
            return Err(broken(format!(
                "with {shown}, the manifests reach more than {MAX_NAMES} files and folders, and no more are read"
            )));
        }
        Ok(())
    }

    fn bring_file(&mut self, place: &Path, id: Id, executable: bool) -> io::Result<()> {
        if !self.written.insert(place.to_path_buf()) {
            return Ok(());
        }
        bounded(place)?;
        self.count(1)?;
        let (scratch, bytes) = (&mut self.scratch, &mut self.bytes);
        self.objects.copy(&id.to_string(), "blob", MAX_FILE, |size| {
            *bytes += size;
            if *bytes > MAX_BYTES {
                return Err(broken("the files that the manifests reach hold more than 1 GB, and no more is read"));
            }
            scratch.file(place, executable)
        })?;
        self.files.insert(place.to_path_buf());
        Ok(())
    }

    /// Brings the names in a folder: folders, links, and files that are empty until they are fetched.
    fn list(&mut self, place: &Path) -> io::Result<()> {
        bounded(place)?;
        let Some(TreeEntry::Folder(tree)) = self.entry(place)? else { return Ok(()) };
        if !self.listed.insert(place.to_path_buf()) {
            return Ok(());
        }
        self.make_folder(place)?;
        let entries = self.folder(tree)?;
        for (name, entry) in entries.iter() {
            self.stop.check()?;
            let inside = place.join(name);
            match entry {
                TreeEntry::Folder(_) | TreeEntry::Submodule => self.make_folder(&inside)?,
                TreeEntry::Link(id) => self.link(&inside, *id, Path::new(""), 0)?,
                TreeEntry::File { .. } if self.written.contains(&inside) => {}
                TreeEntry::File { .. } => {
                    self.count(1)?;
                    self.scratch.file(&inside, false)?;
                }
            }
        }
        Ok(())
    }

    fn make_folder(&mut self, place: &Path) -> io::Result<()> {
        let new = self.scratch.folder(place)?;
        self.count(new)
    }

    fn count(&mut self, names: usize) -> io::Result<()> {
        self.names += names;
        if self.names > MAX_NAMES {
            return Err(broken(format!(
                "the manifests reach more than {MAX_NAMES} files and folders, and no more are read"
            )));
        }
        Ok(())
    }
}

/// Refuses paths that no system takes, and those that are deeper than is read.
fn bounded(place: &Path) -> io::Result<()> {
    if place.as_os_str().len() > MAX_PATH {
        return Err(broken(format!("the path `{}` has more than {MAX_PATH} bytes", shortened(place))));
    }
    if place.components().filter(|part| matches!(part, Component::Normal(_))).count() > MAX_DEPTH + 1 {
        return Err(broken(format!("folders in `{}` are nested more than {MAX_DEPTH} deep", shortened(place))));
    }
    Ok(())
}

/// The beginning of a path that may be of any length.
fn shortened(place: &Path) -> String {
    let text = place.display().to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
