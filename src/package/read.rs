//! From the bytes of an untrusted zip to the hashes of its files. Nothing is unpacked to disk.

use std::io::{Cursor, Read as _};

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::{MAX_FILES, MAX_UNPACKED, PackageError, hex, is_sound};
use crate::model::PackagedFile;

/// The files of a zip, sorted bytewise by path. Folders are left out.
///
/// Bounded by what Lambda accepts: 250 MB unpacked, counted while unpacking, since a header may lie.
pub fn read_files(zip: &[u8]) -> Result<Vec<PackagedFile>, PackageError> {
    files(zip, MAX_UNPACKED)
}

/// The same, with another bound for all contents together, in bytes.
pub(super) fn files(zip: &[u8], mut left: u64) -> Result<Vec<PackagedFile>, PackageError> {
    let broken = |error: &dyn std::fmt::Display| PackageError::Zip(clean(error));
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| broken(&error))?;
    if archive.len() > MAX_FILES {
        return Err(PackageError::TooManyFiles);
    }
    if archive.has_duplicate_names() {
        return Err(PackageError::Zip("two files have one name".to_owned()));
    }
    let mut files = Vec::with_capacity(archive.len());
    let mut buffer = vec![0; 64 * 1024];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        let path =
            std::str::from_utf8(entry.name_raw()).map_err(|_| PackageError::Name(clean(&"not UTF-8")))?.to_owned();
        if !is_sound(path.strip_suffix('/').unwrap_or(&path)) {
            return Err(PackageError::Name(path.escape_debug().to_string()));
        }
        if path.ends_with('/') {
            continue;
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let mut hash = Sha256::new();
        loop {
            let count = entry.read(&mut buffer).map_err(|error| broken(&error))?;
            if count == 0 {
                break;
            }
            left = left.checked_sub(count as u64).ok_or(PackageError::TooLargeUnpacked)?;
            hash.update(&buffer[..count]);
        }
        files.push(PackagedFile { path, sha256: hex(&hash.finalize()), executable });
    }
    files.sort();
    Ok(files)
}

/// A file out of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The path inside the zip, with `/`: relative, and without `..`.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// The files of a zip with what they hold, sorted bytewise by path; nothing is written to disk.
///
/// # Errors
/// As [`read_files`], and where all contents together have more than `most` bytes.
pub fn unpack(zip: &[u8], most: u64) -> Result<Vec<Unpacked>, PackageError> {
    let listed = files(zip, most)?;
    let mut archive = Archive::new(zip);
    let one = |file: PackagedFile| {
        let content = archive.content(&file.path, most).ok_or(PackageError::TooLargeUnpacked)?;
        Ok(Unpacked { path: file.path, content, executable: file.executable })
    };
    listed.into_iter().map(one).collect()
}

/// The files of a wheel with what they hold, as [`unpack`]; one with a link is refused: no installer makes any, and none is meant.
pub(super) fn unpack_wheel(zip: &[u8], most: u64) -> Result<Vec<Unpacked>, PackageError> {
    const KIND: u32 = 0o170_000;
    const LINK: u32 = 0o120_000;
    let files = unpack(zip, most)?;
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| PackageError::Zip(clean(&error)))?;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| PackageError::Zip(clean(&error)))?;
        if entry.unix_mode().is_some_and(|mode| mode & KIND == LINK) {
            return Err(PackageError::Zip("it holds a link".to_owned()));
        }
    }
    Ok(files)
}

/// A zip that was read whole before, and is asked for single files.
pub struct Archive<'a>(Option<ZipArchive<Cursor<&'a [u8]>>>);

impl<'a> Archive<'a> {
    /// Opens it; one that can't be read has no files.
    pub fn new(zip: &'a [u8]) -> Self {
        Self(ZipArchive::new(Cursor::new(zip)).ok())
    }

    /// How many bytes a file says that it has.
    pub fn size(&mut self, path: &str) -> u64 {
        let entry = self.0.as_mut().and_then(|archive| archive.by_name(path).ok());
        entry.map_or(u64::MAX, |entry| entry.size())
    }

    /// The content of a file; `None` where it has more than so many bytes.
    pub fn content(&mut self, path: &str, most: u64) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let entry = self.0.as_mut().and_then(|archive| archive.by_name(path).ok())?;
        entry.take(most + 1).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= most).then_some(content)
    }

    /// At most so many bytes of a file, from its beginning.
    pub fn beginning(&mut self, path: &str, most: u64) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let entry = self.0.as_mut().and_then(|archive| archive.by_name(path).ok())?;
        entry.take(most).read_to_end(&mut content).ok()?;
        Some(content)
    }
}

/// The reader's own words, which may quote names from the zip.
fn clean(error: &dyn std::fmt::Display) -> String {
    error.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}
