//! The state file: one JSON document, written whole to a draft beside it and then renamed, so that it is never half; locked, so
//! that two processes don't overwrite each other's work.
//!
//! That holds however the process ends. Against a power cut it is as safe as the file system makes a rename: nothing in it is
//! real, so no save waits for the disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::Time;
use super::state::World;

/// The format of the state file. It goes up when an old file can't be read any more.
const VERSION: u32 = 2;

/// Why the state file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// It, or its folder, can't be read or written.
    #[error("cannot use the sandbox's state file `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A link stands on the way to it, below the working folder or a repository's: its author would say where is written.
    #[error("the sandbox's state file `{path}` isn't used through the link `{link}`")]
    Link {
        /// The file.
        path: PathBuf,
        /// The link.
        link: PathBuf,
    },
    /// A pipe, a device, a folder.
    #[error("`{0}` isn't a regular file, and the sandbox keeps its state in one")]
    Special(PathBuf),
    /// Another process has it.
    #[error("the sandbox's state file `{0}` is in use by another process")]
    Locked(PathBuf),
    /// It isn't one.
    #[error("`{path}` is not a state file of the sandbox")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("the sandbox's state file `{path}` has format {found}; this version reads format {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// What was saved.
#[derive(Debug, Default)]
pub struct Saved {
    /// Service time; `None` where nothing was saved.
    pub time: Option<Time>,
    /// Everything else.
    pub world: World,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize)]
struct Document {
    time: Time,
    world: World,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    version: u32,
    time: Time,
    world: &'a World,
}

/// Where the state is kept: a locked file, or nowhere.
#[derive(Debug)]
pub struct Store {
    file: Option<PathBuf>,
    /// Unlocked when it is dropped.
    _lock: Option<File>,
}

impl Store {
    /// Whether it keeps anything.
    pub(super) fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Locks and reads a state file; one that doesn't exist is made at the first save.
    pub fn open(file: Option<&Path>) -> Result<(Self, Saved), PersistError> {
        let Some(path) = file else {
            return Ok((Self { file: None, _lock: None }, Saved::default()));
        };
        let io = |source| PersistError::Io { path: path.to_owned(), source };
        let lock = sibling(path, ".lock");
        refuse_links(path)
            .map_err(io)?
            .map_or(Ok(()), |link| Err(PersistError::Link { path: path.to_owned(), link }))?;
        for file in [path, &lock] {
            refuse_special(file)?;
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io)?;
            ignore(folder);
        }
        // A sibling, since the state file itself is replaced by each save.
        let lock = regular(&lock, OpenOptions::new().create(true).truncate(false).write(true)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PersistError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let saved = match regular(path, OpenOptions::new().read(true)) {
            Ok(file) => read(path, file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Saved::default(),
            Err(error) => return Err(io(error)),
        };
        Ok((Self { file: Some(path.to_owned()), _lock: Some(lock) }, saved))
    }

    pub(super) fn save(&self, time: Time, world: &World) -> Result<(), PersistError> {
        let Some(path) = &self.file else { return Ok(()) };
        let draft = sibling(path, ".draft");
        let result = write(&draft, time, world).and_then(|()| std::fs::rename(&draft, path));
        result.map_err(|source| {
            // What a full disk left of it only takes room. Where it can't be removed, the next save will try.
            drop(std::fs::remove_file(&draft));
            PersistError::Io { path: path.clone(), source }
        })
    }
}

/// Writes a document to a new file, which its owner alone can read: its values may look like secrets.
fn write(draft: &Path, time: Time, world: &World) -> std::io::Result<()> {
    // The draft of a process that was killed while it saved. It always has this name, so that drafts don't pile up; whoever
    // saves holds the lock, so that nobody else is writing it.
    match std::fs::remove_file(draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // Never through a link that somebody put in its place.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut writer = BufWriter::new(options.open(draft)?);
    serde_json::to_writer(&mut writer, &DocumentRef { version: VERSION, time, world })?;
    writer.flush()
}

/// The first link on the way to a file: the file itself, or a folder that a pull request may have brought. Folders above the
/// working one and above its repository belong to the machine, and may be links, as `/tmp` is one on macOS.
fn refuse_links(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let path = std::path::absolute(path)?;
    let working = std::env::current_dir().ok();
    let is_ours = |folder: &Path| working.as_deref() == Some(folder) || folder.join(".git").symlink_metadata().is_ok();
    let above = path.ancestors().skip(1).filter(|folder| is_ours(folder)).last();
    // Where neither holds the file, its folders are as the person said; the file and its lock are never links.
    let above = above.or_else(|| path.parent()).unwrap_or(&path);
    let mut on_the_way: Vec<&Path> = path.ancestors().take_while(|place| *place != above).collect();
    on_the_way.reverse();
    let lock = sibling(&path, ".lock");
    let is_link = |place: &&Path| place.symlink_metadata().is_ok_and(|found| found.is_symlink());
    Ok(on_the_way.into_iter().chain([lock.as_path()]).find(is_link).map(Path::to_path_buf))
}

/// Looked at before it is opened: opening a pipe would wait for a writer, and some devices do something.
fn refuse_special(path: &Path) -> Result<(), PersistError> {
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => Err(PersistError::Special(path.to_owned())),
        _ => Ok(()),
    }
}

/// Opens a regular file, whatever has taken its place since it was looked at: without following a link, without waiting.
fn regular(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(std::io::Error::other("it is not a regular file"))
}

/// Keeps Git from a folder that is the tool's own: the state holds made-up values that look like real ones. Whatever stands there
/// stays, and a folder that can't be written says so when the state is.
fn ignore(folder: &Path) {
    if folder.file_name().is_some_and(|name| name == ".rotator") {
        let made = OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore"));
        let _ = made.and_then(|mut file| file.write_all(b"*\n"));
    }
}

/// A file beside another one, named after it.
fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn read(path: &Path, file: File) -> Result<Saved, PersistError> {
    let format = |source| PersistError::Format { path: path.to_owned(), source };
    let text = std::io::read_to_string(BufReader::new(file))
        .map_err(|source| PersistError::Io { path: path.to_owned(), source })?;
    // The version first: a newer file's other members may have any shape.
    let head: Head = serde_json::from_str(&text).map_err(format)?;
    if head.version != VERSION {
        return Err(PersistError::Version { path: path.to_owned(), found: head.version });
    }
    let document: Document = serde_json::from_str(&text).map_err(format)?;
    Ok(Saved { time: Some(document.time), world: document.world })
}
