//! From files to the bytes of a zip.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::PackageError;
use super::walk::File;

/// The zip of these files: stored if that is at most `limit` bytes, else deflated.
pub(super) fn zip(files: &[File], limit: u64) -> Result<Vec<u8>, PackageError> {
    let content: u64 = files.iter().map(|file| file.content.len() as u64).sum();
    if content <= limit {
        let stored = zip_with(files, CompressionMethod::Stored)?;
        if stored.len() as u64 <= limit {
            return Ok(stored);
        }
    }
    let deflated = zip_with(files, CompressionMethod::Deflated)?;
    let size = deflated.len() as u64;
    if size > limit { Err(PackageError::TooLarge { size }) } else { Ok(deflated) }
}

fn zip_with(files: &[File], method: CompressionMethod) -> Result<Vec<u8>, PackageError> {
    let broken = |error: &dyn std::fmt::Display| PackageError::Zip(error.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(if file.executable { 0o755 } else { 0o644 });
        zip.start_file(&file.path, options).map_err(|error| broken(&error))?;
        zip.write_all(&file.content).map_err(|error| broken(&error))?;
    }
    Ok(zip.finish().map_err(|error| broken(&error))?.into_inner())
}
