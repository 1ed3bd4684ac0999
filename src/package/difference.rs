//! How two packages differ: files with what they hold, and what was installed into them by name and version.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Archive;
use super::{PackageError, archived_credentials, read_files};
use crate::model::{Content, Difference, FileDifference, Held, InstalledDifference, PackagedFile, PartKind};

/// The largest file whose text is compared, in bytes.
const MAX_TEXT: u64 = 256 * 1024;

/// The largest list of an installed package's files that is read, in bytes.
const MAX_LIST: u64 = 4 * 1024 * 1024;

/// Compares two zips.
///
/// # Errors
/// Where one of both can't be read.
pub fn difference(before: &[u8], after: &[u8]) -> Result<Difference, PackageError> {
    let (old, new) = (Side::of(before)?, Side::of(after)?);
    let installed: BTreeMap<&str, (Option<&str>, Option<&str>)> = old
        .installed
        .keys()
        .chain(new.installed.keys())
        .map(|name| (name.as_str(), (old.version(name), new.version(name))))
        .collect();
    let tops: BTreeMap<&str, &str> = [&old, &new].into_iter().flat_map(Side::tops).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let paths: BTreeSet<&str> = old.files.keys().chain(new.files.keys()).map(String::as_str).collect();
    let differing = paths.into_iter().filter(|path| old.files.get(*path) != new.files.get(*path));
    let mut files = Vec::new();
    let (mut old_zip, mut new_zip) = (Archive::new(before), Archive::new(after));
    for path in differing {
        let top = path.split('/').next().unwrap_or_default();
        if let Some(name) = tops.get(top) {
            *counts.entry(name).or_default() += 1;
            continue;
        }
        let (before, after) = (old.held(&mut old_zip, path), new.held(&mut new_zip, path));
        files.push(FileDifference { path: path.to_owned(), before, after });
    }
    let moved = installed.into_iter().filter_map(|(name, (before, after))| {
        let files = counts.get(name).copied().unwrap_or_default();
        let owned = |version: Option<&str>| version.map(str::to_owned);
        (before != after || files > 0).then(|| InstalledDifference {
            name: name.to_owned(),
            before: owned(before),
            after: owned(after),
            files,
        })
    });
    Ok(Difference { installed: moved.collect(), files })
}

/// One of two packages.
struct Side {
    /// By path: hash, and whether it can be executed.
    files: BTreeMap<String, (String, bool)>,
    /// Those that are private.
    private: BTreeSet<String>,
    installed: BTreeMap<String, Installed>,
}

/// What a folder `NAME-VERSION.dist-info` says.
struct Installed {
    version: String,
    /// What it has at the top of the package.
    tops: BTreeSet<String>,
}

impl Side {
    fn of(zip: &[u8]) -> Result<Self, PackageError> {
        let files = read_files(zip)?;
        let mut archive = Archive::new(zip);
        let private = private_files(zip, &files);
        let mut installed: BTreeMap<String, Installed> = BTreeMap::new();
        for file in &files {
            let Some((folder, rest)) = file.path.split_once('/') else { continue };
            let Some((name, version)) = folder.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-')) else {
                continue;
            };
            let one = installed.entry(name.to_owned()).or_insert_with(|| Installed {
                version: version.to_owned(),
                tops: [folder.to_owned(), name.to_owned(), format!("{name}.py"), format!("{name}.libs")].into(),
            });
            if matches!(rest, "RECORD" | "top_level.txt") {
                let text = archive.beginning(&file.path, MAX_LIST).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let tops = text.lines().filter_map(|line| line.split([',', '/']).next());
                one.tops.extend(
                    tops.filter(|top| !matches!(*top, "" | "." | ".." | "bin"))
                        .flat_map(|top| [top.to_owned(), format!("{top}.py")]),
                );
            }
        }
        let files = files.into_iter().map(|file| (file.path, (file.sha256, file.executable))).collect();
        Ok(Self { files, private, installed })
    }

    fn version(&self, name: &str) -> Option<&str> {
        self.installed.get(name).map(|one| one.version.as_str())
    }

    /// What stands at the top, and which installed package it is of.
    fn tops(&self) -> impl Iterator<Item = (&str, &str)> {
        self.installed.iter().flat_map(|(name, one)| one.tops.iter().map(move |top| (top.as_str(), name.as_str())))
    }

    fn held(&self, archive: &mut Archive<'_>, path: &str) -> Option<Held> {
        let (_, executable) = self.files.get(path)?;
        let content = if self.private.contains(path) {
            Content::Private
        } else {
            let size = archive.size(path);
            let bytes = if size <= MAX_TEXT { archive.content(path, MAX_TEXT) } else { None };
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.contains('\0'));
            text.map_or(Content::Data(size), Content::Text)
        };
        Some(Held { executable: *executable, content })
    }
}

/// Files that are private by their names, by that of a folder around them, or by what they hold.
fn private_files(zip: &[u8], files: &[PackagedFile]) -> BTreeSet<String> {
    // Each by itself: what is summed has lost its paths.
    let is_private = |file: &&PackagedFile| {
        let found = archived_credentials(zip, std::slice::from_ref(*file));
        found.iter().any(|part| part.kind == PartKind::Credentials)
    };
    files.iter().filter(is_private).map(|file| file.path.clone()).collect()
}
