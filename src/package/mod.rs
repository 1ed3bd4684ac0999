//! Function code, packaged: a folder, a file or a zip becomes the same bytes on every machine.
//!
//! Lambda shows of deployed code only `CodeSha256`, the hash of the whole zip. A plan is empty only if two machines make
//! the same bytes of the same files, so nothing that differs between machines goes into a package: files are sorted
//! bytewise by path, times are 1980-01-01, modes are 0644 or 0755, and contents are *stored*, so that no compressor's
//! version plays a part. Only where a stored package would exceed Lambda's limit for direct uploads is it compressed.
//!
//! This folder knows nothing of AWS clients, plans or manifests. It never writes to the file system.

mod chosen;
mod content;
mod difference;
mod read;
mod rules;
mod walk;
mod wheel;
mod write;

#[cfg(test)]
pub(crate) mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::model::{PackagePart, PackageSummary, PackagedFile, PartKind, Selection};
use crate::tree::{MAX_DEPTH, Stray, Tree};
use rules::Judged;

pub use difference::difference;
pub use read::{Archive, Unpacked, read_files, unpack};
pub use wheel::Wheel;

/// Lambda's limit for a package that is uploaded directly, in bytes (Lambda quotas, "Deployment package size").
pub const MAX_UPLOAD: u64 = 50 * 1024 * 1024;

/// Lambda's limit for the unpacked files of a package, in bytes (Lambda quotas, "Deployment package size").
pub const MAX_UNPACKED: u64 = 250 * 1024 * 1024;

/// How many files a package may hold: ours, so that a mistaken path (a home directory) ends soon.
pub const MAX_FILES: usize = 20_000;

/// A package: the bytes to upload, and what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub bytes: Vec<u8>,
    /// Its hash and its files.
    pub summary: PackageSummary,
}

/// Why code can't be packaged, or a package can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The operating system refused.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// The system's answer.
        #[source]
        error: io::Error,
    },
    /// A path, or the end of a link, lies outside the manifest's tree.
    #[error("`{}` leads outside of `{}`", path.display(), tree.display())]
    Outside {
        /// The path as it was met.
        path: PathBuf,
        /// The tree.
        tree: PathBuf,
    },
    /// A link leads into Git's own folder.
    #[error("`{}` leads into Git's own folder", .0.display())]
    Git(PathBuf),
    /// A link leads to a folder that holds it.
    #[error("the link `{}` leads back to a folder that holds it", .0.display())]
    Cycle(PathBuf),
    /// A socket, a pipe or a device.
    #[error("`{}` is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// A name that zip readers would disagree about.
    #[error("the file name `{0}` can't be packaged")]
    Name(String),
    /// Nothing to package.
    #[error("`{}` holds no files", .0.display())]
    Empty(PathBuf),
    /// Nothing to package but what never is.
    #[error("`{}` holds nothing that is packaged", .0.display())]
    LeftOut(PathBuf),
    /// It is what no folder's package holds, by its own name, by that of a folder around it, or by what it holds.
    #[error("`{}` is private: {}", path.display(), kind.words())]
    Private {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: PartKind,
    },
    /// A pattern that can't be read.
    #[error("`{0}` is no pattern: {1}")]
    Pattern(String, String),
    /// Folders in folders in folders.
    #[error("folders are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Too many files.
    #[error("more than {MAX_FILES} files")]
    TooManyFiles,
    /// Too much when unpacked.
    #[error("more than 250 MB when unpacked, Lambda's limit")]
    TooLargeUnpacked,
    /// Too much to upload directly.
    #[error("the package has {} MB, and Lambda takes at most 50 MB directly", .size.div_ceil(1024 * 1024))]
    TooLarge {
        /// The size of the zip in bytes.
        size: u64,
    },
    /// A wheel can't be packaged.
    #[error("`{file}`: {error}")]
    Wheel {
        /// Its file.
        file: String,
        /// Why.
        #[source]
        error: Box<PackageError>,
    },
    /// Two bring one file.
    #[error("`{path}` comes from {one} and from {other}, and isn't the same in both")]
    Twice {
        /// The path inside the package.
        path: String,
        /// Who brings it: a wheel's file, or the folder.
        one: String,
        /// The other one.
        other: String,
    },
    /// The zip is broken, encrypted, or uses what Lambda doesn't read either.
    #[error("not a readable zip file: {0}")]
    Zip(String),
}

impl PackageError {
    /// What to do about it, where that isn't obvious.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { .. } => {
                Some("upload the zip to S3, and state its bucket, key and SHA-256 as the function's `code`")
            }
            Self::Outside { .. } | Self::Git(_) => {
                Some("code lies inside the manifest's tree, links included: copy it in")
            }
            Self::Private { .. } => {
                Some("package a folder with the function's code; what it needs of this, `include` brings back by name")
            }
            Self::Name(_) => Some("use UTF-8 names without control characters or backslashes"),
            Self::Cycle(_) | Self::Special(_) => Some("remove it from the folder, or package another folder"),
            Self::LeftOut(_) => Some(
                "caches, credentials' usual names and their kind are left out, and so is what `exclude` names; `include` brings one back by name",
            ),
            Self::TooManyFiles | Self::TooDeep | Self::TooLargeUnpacked => {
                Some("package the function's own files only; put dependencies into a layer")
            }
            Self::Twice { .. } => Some("`exclude` leaves a path out of all of them; or take another version of one"),
            Self::Wheel { error, .. } => error.hint(),
            Self::Empty(_) | Self::Pattern(..) | Self::Read { .. } | Self::Zip(_) => None,
        }
    }
}

/// What belongs into a folder's package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The paths of the files, sorted bytewise.
    pub files: Vec<String>,
    /// Patterns of `exclude` that match nothing, by position.
    pub unused_excludes: Vec<usize>,
    /// Paths of `include` that name nothing, by position.
    pub unused_includes: Vec<usize>,
}

/// Lists what [`build`] would package of a folder, reading none of it.
pub fn list(source: &Path, tree: &Path, selection: &Selection) -> Result<Listing, PackageError> {
    let chosen = chosen::Chosen::new(selection)?;
    let (real, tree) = public(source, tree)?;
    let folder = walk::folder(source, &real, &tree, &chosen)?;
    let (unused_excludes, unused_includes) = chosen.unused();
    if folder.files.is_empty() && unused_includes.is_empty() {
        return Err(nothing(source, &folder.left_out));
    }
    let files = folder.files.into_iter().map(|file| file.path).collect();
    Ok(Listing { files, unused_excludes, unused_includes })
}

/// Whether a path of `include` leads to or through what no package holds, whatever the manifest says.
pub fn is_never_packaged(path: &str) -> bool {
    let names = chosen::plain(path).split('/');
    let kinds = names.flat_map(|name| [true, false].map(|is_folder| rules::by_name(name, is_folder)));
    kinds.flatten().any(|judged| rules::is_never_packaged(judged.kind))
}

/// Packages `source`: a folder (its files), a single file, or a `.zip` (taken as it is).
///
/// Both `source` and whatever its links lead to must lie inside `tree`, the folder of the manifest.
pub fn build(source: &Path, tree: &Path, selection: &Selection) -> Result<Package, PackageError> {
    build_with(source, tree, selection, &[])
}

/// The same, with the files of wheels beside those of a folder or file: whatever an installer would have put there. An archive takes none.
pub fn build_with(
    source: &Path,
    tree: &Path,
    selection: &Selection,
    wheels: &[Wheel],
) -> Result<Package, PackageError> {
    let (real, tree) = public(source, tree)?;
    let kind = fs::metadata(&real).map_err(|error| PackageError::Read { path: source.to_owned(), error })?;
    if kind.is_file() && is_archive(source) {
        return existing_zip(source);
    }
    let chosen = chosen::Chosen::new(selection)?;
    let (mut files, mut left_out, mut credentials) = if kind.is_dir() {
        let folder = walk::folder(source, &real, &tree, &chosen)?;
        if folder.files.is_empty() {
            return Err(nothing(source, &folder.left_out));
        }
        (walk::contents(folder.files)?, folder.left_out, folder.credentials)
    } else if kind.is_file() {
        (vec![walk::single(source)?], Vec::new(), Vec::new())
    } else {
        return Err(PackageError::Special(source.to_owned()));
    };
    if !wheels.is_empty() {
        let merged = wheel::merge(files, wheels, &chosen)?;
        files = merged.files;
        left_out = walk::together(left_out, merged.left_out);
        credentials = walk::together(credentials, merged.credentials);
    }
    let bytes = write::zip(&files, MAX_UPLOAD)?;
    let files = files
        .into_iter()
        .map(|file| PackagedFile { sha256: sha256_hex(&file.content), path: file.path, executable: file.executable })
        .collect();
    Ok(Package { summary: PackageSummary { left_out, credentials, ..summary(&bytes, files) }, bytes })
}

/// Whether code is an archive, which is taken as it is.
pub fn is_archive(source: &Path) -> bool {
    source.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// Code without links, and the tree that it must lie in.
fn inside(source: &Path, tree: &Path) -> Result<(PathBuf, Tree), PackageError> {
    let tree = Tree::at(tree).map_err(|error| PackageError::Read { path: tree.to_owned(), error })?;
    let real = tree.holds(source).map_err(|stray| strayed(stray, source, &tree))?;
    Ok((real, tree))
}

/// The same, of what isn't private itself: a single file, or a folder as a whole, is judged as it would be in a folder.
fn public(source: &Path, tree: &Path) -> Result<(PathBuf, Tree), PackageError> {
    let (real, tree) = inside(source, tree)?;
    match walk::private(source, &real, tree.real()) {
        Some(judged) => Err(PackageError::Private { path: source.to_owned(), kind: judged.kind }),
        None => Ok((real, tree)),
    }
}

/// Refuses code that [`build`] would refuse for what it is, before it is read.
pub fn check(source: &Path, tree: &Path) -> Result<(), PackageError> {
    public(source, tree).map(drop)
}

fn nothing(source: &Path, left_out: &[PackagePart]) -> PackageError {
    if left_out.is_empty() { PackageError::Empty(source.to_owned()) } else { PackageError::LeftOut(source.to_owned()) }
}

/// `CodeSha256` of a zip: base64 of its SHA-256.
pub fn code_sha256(zip: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(zip))
}

/// Looks whether a zip that was downloaded is the one whose `CodeSha256` Lambda names.
///
/// # Errors
/// That it is another.
pub fn check_named(zip: &[u8], hash: &str) -> Result<(), &'static str> {
    if code_sha256(zip) == hash { Ok(()) } else { Err("what was downloaded isn't the package that Lambda names") }
}

fn existing_zip(source: &Path) -> Result<Package, PackageError> {
    let failed = |error| PackageError::Read { path: source.to_owned(), error };
    let size = fs::metadata(source).map_err(failed)?.len();
    if size > MAX_UPLOAD {
        return Err(PackageError::TooLarge { size });
    }
    let bytes = fs::read(source).map_err(failed)?;
    let files = read_files(&bytes)?;
    if files.is_empty() {
        return Err(PackageError::Empty(source.to_owned()));
    }
    let credentials = archived_credentials(&bytes, &files);
    Ok(Package { summary: PackageSummary { credentials, ..summary(&bytes, files) }, bytes })
}

/// The usual names of credentials in an archive: it is taken as it is, and what it holds is said.
fn archived_credentials(zip: &[u8], files: &[PackagedFile]) -> Vec<PackagePart> {
    let mut parts = walk::Parts::default();
    let mut archive = read::Archive::new(zip);
    for file in files {
        let mut folders: Vec<&str> = file.path.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        let private = |judged: Option<Judged>| judged.filter(|judged| judged.kind == PartKind::Credentials);
        let parent = |depth: usize| depth.checked_sub(1).map_or("", |above| folders[above]);
        let of_folder = folders.iter().enumerate().find_map(|(depth, folder)| {
            let judged = rules::by_name(folder, true).or_else(|| rules::in_folder(folder, parent(depth)));
            Some((private(judged)?, folders[..=depth].join("/"), true))
        });
        let mut of_file = || {
            let named = rules::by_name(name, false).or_else(|| rules::in_folder(name, parent(folders.len())));
            let judged = private(named).or_else(|| {
                let size = archive.size(&file.path);
                rules::by_content(name, size, |most| archive.content(&file.path, most))
            });
            Some((judged?, file.path.clone(), false))
        };
        if let Some((judged, path, is_folder)) = of_folder.or_else(&mut of_file) {
            parts.add(judged, &path, is_folder);
        }
    }
    parts.summed()
}

fn summary(bytes: &[u8], files: Vec<PackagedFile>) -> PackageSummary {
    let (left_out, credentials) = (Vec::new(), Vec::new());
    PackageSummary {
        sha256: code_sha256(bytes),
        size: bytes.len() as u64,
        files,
        left_out,
        credentials,
        lacks_requirements: false,
    }
}

/// Why a path can't be packaged.
fn strayed(stray: Stray, path: &Path, tree: &Tree) -> PackageError {
    let path = path.to_owned();
    match stray {
        Stray::Outside | Stray::Link => PackageError::Outside { path, tree: tree.real().to_owned() },
        Stray::Git => PackageError::Git(path),
        Stray::Endless => PackageError::Cycle(path),
        Stray::Missing => PackageError::Read { path, error: io::ErrorKind::NotFound.into() },
        Stray::Unknown(error) => PackageError::Read { path, error },
    }
}

/// The SHA-256 of a content, in hex.
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a path can stand in a package: relative, with `/`, without `.` and `..`, readable by every zip reader.
fn is_sound(path: &str) -> bool {
    !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}
