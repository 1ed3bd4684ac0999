//! Wheels into a package: as installers lay them out, with nothing of them run, and nothing of the installing machine.

use std::collections::BTreeMap;

use super::chosen::Chosen;
use super::rules::{self, Judged};
use super::walk::{File, Parts};
use super::{MAX_FILES, MAX_UNPACKED, PackageError, is_sound, read};
use crate::model::{PackagePart, PartKind};

/// A wheel, checked by its hash.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The name of its file.
    pub file: String,
    /// All of it.
    pub bytes: std::sync::Arc<[u8]>,
}

/// Where in a wheel's data what belongs beside the code lies ("The .data directory").
const BESIDE: [&str; 3] = ["purelib", "platlib", "data"];

/// The files of a package with those of wheels, sorted bytewise by path; and what of the wheels isn't among them.
pub(super) struct Merged {
    pub files: Vec<File>,
    pub left_out: Vec<PackagePart>,
    pub credentials: Vec<PackagePart>,
}

/// Puts the files of wheels beside those of a folder. One path has one content.
pub(super) fn merge(own: Vec<File>, wheels: &[Wheel], chosen: &Chosen) -> Result<Merged, PackageError> {
    let mut left = MAX_UNPACKED.saturating_sub(own.iter().map(|file| file.content.len() as u64).sum());
    let mut placed: BTreeMap<String, (&str, File)> =
        own.into_iter().map(|file| (file.path.clone(), ("the folder of code", file))).collect();
    let (mut left_out, mut credentials) = (Parts::default(), Parts::default());
    for wheel in wheels {
        let in_wheel = |error: PackageError| PackageError::Wheel { file: wheel.file.clone(), error: Box::new(error) };
        for file in files(&wheel.bytes, left).map_err(in_wheel)? {
            left = left.checked_sub(file.content.len() as u64).ok_or(PackageError::TooLargeUnpacked)?;
            match decide(&file, chosen) {
                Decided::Left(judged, path, is_folder) => left_out.add(judged, &path, is_folder),
                Decided::Taken(judged) => {
                    if let Some(judged) = judged {
                        credentials.add(judged, &file.path, false);
                    }
                    place(&mut placed, &wheel.file, file)?;
                }
            }
            if placed.len() > MAX_FILES {
                return Err(PackageError::TooManyFiles);
            }
        }
    }
    check_folders(&placed)?;
    let files = placed.into_values().map(|(_, file)| file).collect();
    Ok(Merged { files, left_out: left_out.summed(), credentials: credentials.summed() })
}

fn place<'a>(placed: &mut BTreeMap<String, (&'a str, File)>, wheel: &'a str, file: File) -> Result<(), PackageError> {
    match placed.get_mut(&file.path) {
        None => drop(placed.insert(file.path.clone(), (wheel, file))),
        Some((_, other)) if other.content == file.content => other.executable |= file.executable,
        Some((one, _)) => {
            let (one, other) = ((*one).to_owned(), wheel.to_owned());
            return Err(PackageError::Twice { path: file.path, one, other });
        }
    }
    Ok(())
}

/// A path can't be a file in one wheel and a folder in another.
fn check_folders(placed: &BTreeMap<String, (&str, File)>) -> Result<(), PackageError> {
    for (path, (one, _)) in placed {
        let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some((folder, (other, _))) = folders.find_map(|folder| placed.get_key_value(folder)) {
            let (one, other) = ((*other).to_owned(), (*one).to_owned());
            return Err(PackageError::Twice { path: folder.clone(), one, other });
        }
    }
    Ok(())
}

/// The files of a wheel by the paths at which they are installed.
fn files(bytes: &[u8], most: u64) -> Result<Vec<File>, PackageError> {
    let mut found = Vec::new();
    for file in read::unpack_wheel(bytes, most)? {
        let mut is_script = false;
        let path = match file.path.split_once('/') {
            Some((data, rest)) if data.strip_suffix(".data").is_some() => match rest.split_once('/') {
                Some((kind, rest)) if BESIDE.contains(&kind) => rest.to_owned(),
                // Whatever their bits: installers make all of them programs.
                Some(("scripts", rest)) => {
                    is_script = true;
                    format!("{SCRIPTS}{rest}")
                }
                // C headers, and what isn't defined yet.
                _ => continue,
            },
            _ => file.path,
        };
        if !is_sound(&path) {
            return Err(PackageError::Name(path.escape_debug().to_string()));
        }
        found.push(File { path, content: file.content, executable: file.executable || is_script });
    }
    Ok(found)
}

/// Where installers put scripts.
const SCRIPTS: &str = "bin/";

enum Decided {
    /// It is packaged; against its usual name where that is said.
    Taken(Option<Judged>),
    /// It isn't, for what it or a folder around it is.
    Left(Judged, String, bool),
}

/// Judges a file of a wheel as if it lay in the folder: by the same rules, and by what the manifest says.
fn decide(file: &File, chosen: &Chosen) -> Decided {
    let names: Vec<&str> = file.path.split('/').collect();
    let mut brought: Option<Option<Judged>> = None;
    let mut path = String::new();
    for (depth, name) in names.iter().enumerate() {
        if depth > 0 {
            path.push('/');
        }
        path.push_str(name);
        let is_folder = depth + 1 < names.len();
        let parent = depth.checked_sub(1).map_or("", |above| names[above]);
        let mut judged = rules::by_name(name, is_folder).or_else(|| rules::in_folder(name, parent));
        if !is_folder {
            let size = file.content.len() as u64;
            judged = judged.or_else(|| rules::by_content(name, size, |_| Some(file.content.clone())));
            let is_text = file.content.starts_with(b"#!") || file.path.to_ascii_lowercase().ends_with(".exe");
            let is_script = is_text && file.path.strip_prefix(SCRIPTS).is_some_and(|rest| !rest.contains('/'));
            judged = judged.or_else(|| is_script.then(|| Judged::new(PartKind::Installer, "bin/*")));
        }
        if let Some(never) = judged.clone().filter(|judged| rules::is_never_packaged(judged.kind)) {
            return Decided::Left(never, path, is_folder);
        }
        let is_private = |judged: &Judged| judged.kind == PartKind::Credentials;
        if chosen.includes(&path) {
            brought = Some(judged.filter(is_private));
            continue;
        }
        if brought.is_some() && !judged.as_ref().is_some_and(is_private) {
            continue;
        }
        if let Some(judged) = judged {
            if is_folder && chosen.includes_below(&path) {
                continue;
            }
            return Decided::Left(judged, path, is_folder);
        }
        if let Some(pattern) = chosen.excludes(&path, is_folder) {
            if is_folder && chosen.includes_below(&path) {
                continue;
            }
            return Decided::Left(Judged::new(PartKind::Excluded, pattern), path, is_folder);
        }
    }
    Decided::Taken(brought.flatten())
}
