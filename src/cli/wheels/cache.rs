//! Wheels in the user's cache, by their content; and which of them serves a requirement.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::env;
use crate::package::{Wheel, sha256_hex};
use crate::requirements::{Pin, Platform, WheelName};

/// The largest wheel, in bytes: a package may have a third of it.
pub(super) const LARGEST: u64 = 150 * 1024 * 1024;

/// A folder of wheels.
#[derive(Debug, Clone)]
pub(super) struct Cache(PathBuf);

impl Cache {
    /// `$XDG_CACHE_HOME/rotator/wheels`, or `~/.cache/rotator/wheels`.
    pub fn of_user() -> Result<Self, String> {
        let absolute = |name: &str| env::read(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute(env::XDG_CACHE_HOME).or_else(|| Some(absolute(env::HOME)?.join(".cache")));
        let base = base.ok_or("neither `XDG_CACHE_HOME` nor `HOME` says where wheels can be kept")?;
        Ok(Self(base.join("rotator").join("wheels")))
    }

    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The wheel that serves a requirement, if it is there and is what the requirement says: others may write here.
    pub fn wheel(&self, pin: &Pin, platform: Platform) -> Option<Wheel> {
        let noted = fs::read_to_string(self.note(pin, platform)).ok()?;
        let (sha256, file) = noted.trim_end().split_once(' ')?;
        let name = WheelName::parse(file)?;
        if !pin.hashes.iter().any(|hash| hash == sha256) || name.distribution != pin.name || name.version != pin.version
        {
            return None;
        }
        let bytes = small(&self.content(sha256))?;
        (sha256_hex(&bytes) == sha256).then(|| Wheel { file: file.to_owned(), bytes: bytes.into() })
    }

    /// The content with one of a requirement's hashes, whichever machine it was fetched for.
    pub fn has(&self, sha256: &str) -> bool {
        small(&self.content(sha256)).is_some_and(|bytes| sha256_hex(&bytes) == sha256)
    }

    /// Keeps a wheel, and that it serves a requirement. `bytes`: `None` where the content is there.
    pub fn keep(
        &self,
        pin: &Pin,
        platform: Platform,
        (file, sha256): (&str, &str),
        bytes: Option<&[u8]>,
    ) -> std::io::Result<()> {
        if let Some(bytes) = bytes {
            write(&self.content(sha256), bytes)?;
        }
        write(&self.note(pin, platform), format!("{sha256} {file}\n").as_bytes())
    }

    fn content(&self, sha256: &str) -> PathBuf {
        self.0.join("content").join(sha256)
    }

    /// Where it is noted which wheel serves: for another machine, or other hashes, another one may.
    fn note(&self, pin: &Pin, platform: Platform) -> PathBuf {
        let key = format!("{} {} {platform} {}", pin.name, pin.version, pin.hashes.join(" "));
        self.0.join("chosen").join(sha256_hex(key.as_bytes()))
    }
}

/// A file that isn't too large to be one of these.
fn small(path: &Path) -> Option<Vec<u8>> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LARGEST + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LARGEST).then_some(bytes)
}

/// Writes a file whole, or not at all: other runs read here at the same time.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
