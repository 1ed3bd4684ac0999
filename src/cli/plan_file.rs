//! Plans in files: written by `plan --out`, shown by `show`, applied by `apply`.
//!
//! Two lines of JSON. The first says what the second is: the format, its version, and its SHA-256, so that an edited or cut
//! file is noticed. The second holds the plan with its resources, and the names and hashes of what it was made from. No
//! environment value is in it, nor a hash of one: values and code come from the checked-out tree, which must be the same.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::package::sha256_hex;
use crate::plan::{Plan, Purpose, Resource};
use crate::render::plan_json::Planned;
use crate::render::safe;

use super::failure::Failure;

/// How the first line begins: no manifest does.
const MAGIC: &str = r#"{"format":"rotator-plan","#;

/// The format's version. It goes up with every change that an older program would misread.
const VERSION: u32 = 1;

/// The largest plan file that is read, in bytes: ten times that of 100,000 changes.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    rotator: String,
    sha256: String,
}

/// A plan file's content.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// What it is for.
    pub purpose: Purpose,
    /// The manifests, as they were named on the command line.
    pub paths: Vec<PathBuf>,
    /// The filters.
    pub filters: Vec<String>,
    /// Whether AWS was the sandbox of that run: a rehearsal is no review of the real one, whose account may have the same number.
    pub rehearsal: bool,
    /// Where all calls were sent instead of to AWS.
    pub endpoint: Option<String>,
    /// Where the calls of each service were sent, by region; `None` in a plan of an earlier version.
    #[serde(default)]
    pub endpoints: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// The SHA-256 of each file that was read: manifests, their parts, the variables' files.
    pub files: BTreeMap<PathBuf, String>,
    /// The SHA-256 of each function's package, by address.
    pub code: BTreeMap<String, String>,
    /// The SHA-256 of each policy's file that it was judged by.
    #[serde(default)]
    pub policies: BTreeMap<PathBuf, String>,
    /// Whether limits were overridden: it is said again when it is applied.
    #[serde(default)]
    pub override_limits: bool,
    /// Whether every function is tested that changes, whatever the manifest says.
    #[serde(default)]
    pub verify: bool,
    /// The plans, one for each target.
    pub plans: Vec<SavedPlan>,
}

/// One target's plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The plan.
    pub plan: Plan,
    /// Its resources.
    pub resources: Vec<Resource>,
}

impl SavedPlan {
    /// As renderers take it.
    pub fn planned(&self) -> Planned<'_> {
        Planned { plan: &self.plan, resources: &self.resources }
    }
}

impl Saved {
    /// Writes it, whole or not at all, readable to its owner alone.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let failed =
            |error: &std::io::Error| Failure::new(format!("cannot write the plan file `{}`: {error}", path.display()));
        let body = serde_json::to_string(self).map_err(|error| failed(&error.into()))?;
        let head = Head {
            format: "rotator-plan".to_owned(),
            version: VERSION,
            rotator: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: sha256_hex(body.as_bytes()),
        };
        let head = serde_json::to_string(&head).map_err(|error| failed(&error.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        writeln!(draft, "{head}\n{body}").map_err(|error| failed(&error))?;
        draft.persist(path).map_err(|error| failed(&error.error))?;
        Ok(())
    }
}

/// Refuses to write a plan over anything but another plan: a manifest, or a device, would be lost.
pub fn check_destination(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = path.display();
    let summary = if !folder.is_dir() {
        format!("cannot write the plan file `{shown}`: there is no folder `{}`", folder.display())
    } else if path.symlink_metadata().is_ok() && !is_plan(path) {
        format!("`{shown}` is there already, and is no plan file")
    } else {
        return Ok(());
    };
    Err(Failure::new(summary).hint("choose another name for `--out`"))
}

/// Whether a file is a plan, by its first bytes. What can't be read isn't one: whoever takes it for a manifest says why.
pub fn is_plan(path: &Path) -> bool {
    let mut start = vec![0; MAGIC.len()];
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == MAGIC.as_bytes()
}

/// What to do where a plan doesn't hold.
pub fn again() -> String {
    "make a new plan: `rotator plan --out FILE`".to_owned()
}

/// Why a text is no plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It isn't a plan file at all.
    #[error("it is not a plan file")]
    Foreign,
    /// It isn't what `plan --out` wrote.
    #[error("it was edited, or is cut short")]
    Edited,
    /// It has another format than this program reads.
    #[error("it has format {version}, written by rotator {rotator}")]
    OtherVersion {
        /// The format's version.
        version: u32,
        /// The program's version that wrote it.
        rotator: String,
    },
}

impl Saved {
    /// Reads a plan file's text. Nothing in it is trusted beyond its form: the checksum notices accidents, and no forgery.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if !text.starts_with(MAGIC) {
            return Err(Unusable::Foreign);
        }
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let body = body.trim_end_matches('\n');
        let head: Head = serde_json::from_str(head).map_err(|_| Unusable::Edited)?;
        if head.version != VERSION {
            return Err(Unusable::OtherVersion { version: head.version, rotator: head.rotator });
        }
        if sha256_hex(body.as_bytes()) != head.sha256 {
            return Err(Unusable::Edited);
        }
        let saved: Self = serde_json::from_str(body).map_err(|_| Unusable::Edited)?;
        if saved.plans.iter().all(|one| one.plan.is_closed()) { Ok(saved) } else { Err(Unusable::Edited) }
    }
}

/// Reads a plan file.
pub fn read(path: &Path) -> Result<Saved, Failure> {
    let shown = path.display();
    let cannot = |why: &str| Failure::new(format!("cannot read the plan file `{shown}`: {why}"));
    // Before it is opened: opening a pipe would wait for somebody to write into it, and a device may never end.
    if path.exists() && !path.is_file() {
        return Err(cannot("it is not a regular file"));
    }
    let file = std::fs::File::open(path).map_err(|error| cannot(&error.to_string()))?;
    let mut text = String::new();
    let edited = || Failure::refused(format!("the plan file `{shown}` was edited, or is cut short")).hint(again());
    match file.take(LARGEST).read_to_string(&mut text) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(edited()),
        read => read.map_err(|error| cannot(&error.to_string()))?,
    };
    Saved::parse(&text).map_err(|why| match why {
        Unusable::Foreign => {
            Failure::new(format!("`{shown}` is not a plan file")).hint("`rotator plan --out FILE` writes one")
        }
        Unusable::Edited => edited(),
        Unusable::OtherVersion { version, rotator } => {
            let summary = format!(
                "the plan file `{shown}` has format {version}, written by rotator {}; this is rotator {}, which reads format {VERSION}",
                safe(&rotator),
                env!("CARGO_PKG_VERSION")
            );
            Failure::refused(summary).hint("apply it with the version that wrote it, or plan again")
        }
    })
}
