//! From the file system to a sorted list of files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::chosen::Chosen;
use super::rules::{self, Around, Judged};
use super::{MAX_FILES, MAX_UNPACKED, PackageError, is_sound, strayed};
use crate::model::{PackagePart, PartKind};
use crate::tree::{MAX_DEPTH, Tree, is_git_name};

/// How many folders and files are looked at, with what is left out: a few links can lead to the same folders in very many ways.
const MAX_SEEN: usize = 10 * MAX_FILES;

/// How many parts are told apart: more say no more to people.
const MAX_PARTS: usize = 500;

/// A file as it goes into a package.
pub(super) struct File {
    /// The path inside the package.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// A file that belongs into a package, not read yet.
pub(super) struct Found {
    /// The path inside the package.
    pub path: String,
    place: PathBuf,
    metadata: Metadata,
}

/// What a folder holds.
pub(super) struct Folder {
    /// What is packaged of it, sorted bytewise by path.
    pub files: Vec<Found>,
    /// What isn't.
    pub left_out: Vec<PackagePart>,
    /// What is packaged against its name, since the manifest says so.
    pub credentials: Vec<PackagePart>,
}

/// Looks a folder over, without reading what belongs into its package. `real` is the folder without links.
pub(super) fn folder(source: &Path, real: &Path, tree: &Tree, chosen: &Chosen) -> Result<Folder, PackageError> {
    let mut walk = Walk {
        tree,
        root: real,
        chosen,
        ancestors: HashSet::new(),
        files: Vec::new(),
        seen: 0,
        left_out: Parts::default(),
        credentials: Parts::default(),
    };
    walk.folder(WalkedFolder { shown: source, real, depth: 1 }, "", Under::Nothing, &BTreeSet::new())?;
    let mut files = walk.files;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Folder { files, left_out: walk.left_out.summed(), credentials: walk.credentials.summed() })
}

/// Reads what was found.
pub(super) fn contents(found: Vec<Found>) -> Result<Vec<File>, PackageError> {
    let mut size = 0;
    found.into_iter().map(|file| read(&file.place, file.path, &file.metadata, &mut size)).collect()
}

/// A single file, under its own name.
pub(super) fn single(source: &Path) -> Result<File, PackageError> {
    let name = source.file_name().unwrap_or_default();
    let path = name_of(name)?.to_owned();
    let metadata = fs::metadata(source).map_err(|error| PackageError::Read { path: source.to_owned(), error })?;
    is_regular(source, &metadata)?;
    read(source, path, &metadata, &mut 0)
}

/// What a folder stands under, which decides what of it is packaged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    /// Nothing but the root.
    Nothing,
    /// A folder that the manifest brings back, and what a rule would have left it out as.
    BroughtBack(PartKind),
    /// A folder that is left out, with something in it that the manifest brings back.
    LeftOut,
}

impl Under {
    /// Whether something is left out here for what it is.
    fn leaves_out(self, kind: PartKind) -> bool {
        match self {
            // What a rule would have left out is asked for with all that it consists of: a cache with its caches.
            Self::BroughtBack(asked) => kind == PartKind::Credentials && asked != kind,
            Self::Nothing | Self::LeftOut => true,
        }
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    /// The whole folder, without links.
    root: &'a Path,
    chosen: &'a Chosen,
    /// The real paths of the folders being walked: a link that leads to one of them would never end.
    ancestors: HashSet<PathBuf>,
    files: Vec<Found>,
    seen: usize,
    left_out: Parts,
    credentials: Parts,
}

/// A folder that is walked.
#[derive(Clone, Copy)]
struct WalkedFolder<'a> {
    /// As it was met.
    shown: &'a Path,
    /// Without links: only links are asked where they lead, or deep folders would take for ever.
    real: &'a Path,
    depth: usize,
}

impl Walk<'_> {
    fn folder(
        &mut self,
        at: WalkedFolder<'_>,
        prefix: &str,
        under: Under,
        scripts: &BTreeSet<String>,
    ) -> Result<(), PackageError> {
        let folder = at.shown;
        if at.depth > MAX_DEPTH {
            return Err(PackageError::TooDeep);
        }
        if !self.ancestors.insert(at.real.to_owned()) {
            return Err(PackageError::Cycle(folder.to_owned()));
        }
        let failed = |error| PackageError::Read { path: folder.to_owned(), error };
        let mut names: Vec<OsString> = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            self.seen += 1;
            if self.seen > MAX_SEEN {
                return Err(PackageError::TooManyFiles);
            }
            names.push(entry.map_err(failed)?.file_name());
        }
        let parent = prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let around = Around { parent, scripts };
        for name in &names {
            let below = || match name.to_str() {
                Some("bin" | "Scripts") => rules::scripts(folder, names.iter().filter_map(|name| name.to_str())),
                _ => BTreeSet::new(),
            };
            self.entry(at, name, prefix, under, &around, &below)?;
        }
        self.ancestors.remove(at.real);
        Ok(())
    }

    fn entry(
        &mut self,
        folder: WalkedFolder<'_>,
        name: &OsStr,
        prefix: &str,
        under: Under,
        around: &Around<'_>,
        scripts: &dyn Fn() -> BTreeSet<String>,
    ) -> Result<(), PackageError> {
        let place = &folder.shown.join(name);
        let failed = |error| PackageError::Read { path: place.clone(), error };
        let own = fs::symlink_metadata(place).map_err(failed)?;
        // One that leads nowhere may be an editor's lock, which its name tells.
        let followed = if own.is_symlink() { fs::metadata(place) } else { Ok(own.clone()) };
        let is_folder = followed.as_ref().is_ok_and(Metadata::is_dir);
        let shown = format!("{prefix}{}", name.to_string_lossy());
        let mut judged = rules::judge(&name.to_string_lossy(), place, is_folder, around);
        if judged.is_none() && own.is_symlink() {
            // Under its own name, which it doesn't share with others of the kind.
            let behind = self.behind(place, is_folder);
            judged = behind.map(|judged| Judged::new(judged.kind, name.to_string_lossy()));
        }
        let (taken, under) = self.decide(&shown, is_folder, judged, under);
        if !taken {
            if is_folder && under == Under::LeftOut && self.chosen.includes_below(&shown) {
                let real = self.real(folder, name, own.is_symlink())?;
                let inner = WalkedFolder { shown: place, real: &real, depth: folder.depth + 1 };
                return self.folder(inner, &format!("{shown}/"), under, &scripts());
            }
            return Ok(());
        }
        let path = format!("{prefix}{}", name_of(name)?);
        let real = self.real(folder, name, own.is_symlink())?;
        let metadata = followed.map_err(failed)?;
        if metadata.is_dir() {
            let inner = WalkedFolder { shown: place, real: &real, depth: folder.depth + 1 };
            return self.folder(inner, &format!("{path}/"), under, &scripts());
        }
        is_regular(place, &metadata)?;
        if self.files.len() == MAX_FILES {
            return Err(PackageError::TooManyFiles);
        }
        self.files.push(Found { path, place: place.to_owned(), metadata });
        Ok(())
    }

    /// What an entry of a folder is without links, if that is a part of the tree.
    fn real(&self, folder: WalkedFolder<'_>, name: &OsStr, is_link: bool) -> Result<PathBuf, PackageError> {
        if !is_link {
            return Ok(folder.real.join(name));
        }
        let reached = self.tree.reach(folder.real, Path::new(name));
        reached.map_err(|stray| strayed(stray, &folder.shown.join(name), self.tree))
    }

    /// Whether something is packaged, and what then holds for what is in it.
    fn decide(&mut self, path: &str, is_folder: bool, judged: Option<Judged>, under: Under) -> (bool, Under) {
        let never = judged.as_ref().filter(|judged| rules::is_never_packaged(judged.kind));
        if let Some(judged) = never {
            if under != Under::LeftOut {
                self.left_out.add(judged.clone(), path, is_folder);
            }
            // Nothing in it can be brought back either.
            return (false, Under::Nothing);
        }
        if self.chosen.includes(path) {
            let Some(judged) = judged else { return (true, Under::Nothing) };
            let kind = judged.kind;
            if kind == PartKind::Credentials {
                self.credentials.add(judged, path, is_folder);
            }
            return (true, Under::BroughtBack(kind));
        }
        if under == Under::LeftOut {
            return (false, under);
        }
        let excluded = self.chosen.excludes(path, is_folder);
        let by_rule = judged.filter(|judged| under.leaves_out(judged.kind));
        let by_manifest = excluded.map(|pattern| Judged::new(PartKind::Excluded, pattern));
        match by_rule.or(by_manifest) {
            Some(judged) => {
                self.left_out.add(judged, path, is_folder);
                (false, Under::LeftOut)
            }
            None => (true, under),
        }
    }

    /// What a link leads to, where that is something private by its own name: another name doesn't make it less so.
    fn behind(&self, place: &Path, is_folder: bool) -> Option<Judged> {
        let real = place.canonicalize().ok()?;
        let below = real.strip_prefix(self.root).or_else(|_| real.strip_prefix(self.tree.real())).ok()?;
        // What leads into Git's own folder is an error, and not one thing more that is left out.
        if below.iter().any(is_git_name) {
            return None;
        }
        private_at(below, &real, is_folder)
    }
}

/// What code is that is private itself, by the name that it was given or by the one that it has. An archive's content is its own.
pub(super) fn private(source: &Path, real: &Path, tree: &Path) -> Option<Judged> {
    let is_folder = real.is_dir();
    let named = source.file_name().map(Path::new).and_then(|name| private_at(name, source, is_folder));
    named.or_else(|| private_at(real.strip_prefix(tree).ok()?, real, is_folder))
}

/// What something is that is private, by its name, by those of the folders around it, or by what it holds.
fn private_at(below: &Path, real: &Path, is_folder: bool) -> Option<Judged> {
    let names: Vec<&str> = below.iter().filter_map(OsStr::to_str).collect();
    let (last, folders) = names.split_last()?;
    let parent = |depth: usize| depth.checked_sub(1).map_or("", |above| names[above]);
    let around = Around { parent: parent(folders.len()), scripts: &BTreeSet::new() };
    let mut of_folders = folders
        .iter()
        .enumerate()
        .filter_map(|(depth, name)| rules::by_name(name, true).or_else(|| rules::in_folder(name, parent(depth))));
    let is_private =
        |judged: &Judged| matches!(judged.kind, PartKind::Credentials | PartKind::State | PartKind::VersionControl);
    of_folders.find(is_private).or_else(|| rules::judge(last, real, is_folder, &around).filter(is_private))
}

/// Parts by what they are and the name that they share.
#[derive(Default)]
pub(super) struct Parts(BTreeMap<Judged, Seen>);

/// Those of one kind and name: all paths of folders, since an archive names one with each file in it, and how many files.
#[derive(Default)]
struct Seen {
    first: String,
    folders: BTreeSet<String>,
    files: usize,
}

impl Parts {
    pub fn add(&mut self, judged: Judged, path: &str, is_folder: bool) {
        let slash = if is_folder { "/" } else { "" };
        let seen = self.0.entry(judged).or_default();
        if seen.first.is_empty() {
            seen.first = format!("{path}{slash}");
        }
        if is_folder {
            seen.folders.insert(path.to_owned());
        } else {
            seen.files += 1;
        }
    }

    pub fn summed(self) -> Vec<PackagePart> {
        let part = |(judged, Seen { first, folders, files }): (Judged, Seen)| {
            let count = folders.len() + files;
            let slash = if first.ends_with('/') { "/" } else { "" };
            let name = match count {
                1 => first,
                _ if judged.shared.contains(['*', '/']) => judged.shared,
                // As it is written there, not as it is compared.
                _ => format!("{}{slash}", first.trim_end_matches('/').rsplit('/').next().unwrap_or_default()),
            };
            PackagePart { kind: judged.kind, name, count }
        };
        let mut parts: Vec<PackagePart> = self.0.into_iter().map(part).collect();
        parts.sort();
        parts.truncate(MAX_PARTS);
        parts
    }
}

/// Parts of two sources, those of one kind and name as one.
pub(super) fn together(one: Vec<PackagePart>, other: Vec<PackagePart>) -> Vec<PackagePart> {
    let mut all: BTreeMap<(PartKind, String), usize> = BTreeMap::new();
    for part in one.into_iter().chain(other) {
        *all.entry((part.kind, part.name)).or_default() += part.count;
    }
    let mut parts: Vec<_> = all.into_iter().map(|((kind, name), count)| PackagePart { kind, name, count }).collect();
    parts.truncate(MAX_PARTS);
    parts
}

fn is_regular(place: &Path, metadata: &Metadata) -> Result<(), PackageError> {
    // Before it is opened: opening a pipe would wait for a writer.
    if metadata.is_file() { Ok(()) } else { Err(PackageError::Special(place.to_owned())) }
}

fn read(place: &Path, path: String, metadata: &Metadata, size: &mut u64) -> Result<File, PackageError> {
    *size = size.saturating_add(metadata.len());
    if *size > MAX_UNPACKED {
        return Err(PackageError::TooLargeUnpacked);
    }
    let content = fs::read(place).map_err(|error| PackageError::Read { path: place.to_owned(), error })?;
    Ok(File { path, content, executable: is_executable(metadata) })
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
