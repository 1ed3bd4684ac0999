//! A function's package: what of a folder goes into it, and what is in it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the manifest says of the files in a folder of code, beside the rules that hold for every package.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// Patterns of what isn't packaged, relative to the folder; `/` at the end: folders only.
    pub exclude: Vec<String>,
    /// Paths that are packaged although their names speak against it.
    pub include: Vec<String>,
    /// The requirements that are packaged beside the code.
    pub requirements: Option<Requirements>,
}

/// A file of requirements for Python, and where what it names is to run: wheels are made for one Python and one processor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirements {
    /// The file.
    pub path: PathBuf,
    /// The path as the manifest writes it, for people.
    pub shown: String,
    /// The function's runtime, such as `python3.13`.
    pub runtime: String,
    /// Its architecture, in Lambda's words; `None`: Lambda's default.
    pub architecture: Option<String>,
}

impl Selection {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.exclude.is_empty() && self.include.is_empty() && self.requirements.is_none()
    }
}

/// A package's identity, and its files by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// Base64 of the SHA-256 of the zip, as Lambda's `CodeSha256`.
    pub sha256: String,
    /// The zip's size in bytes.
    pub size: u64,
    /// The files, sorted by path.
    pub files: Vec<PackagedFile>,
    /// What of the folder isn't in it.
    pub left_out: Vec<PackagePart>,
    /// What is in it although it has a usual name of credentials: an archive is taken as it is, and `include` asks for it.
    pub credentials: Vec<PackagePart>,
    /// Whether the requirements aren't in it, since nothing was fetched: its hash is no package's then.
    pub lacks_requirements: bool,
}

/// Files or folders of a folder of code that have one name, summed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackagePart {
    /// What they are.
    pub kind: PartKind,
    /// The path, `/` at its end for a folder; of several, the name or pattern that they share.
    pub name: String,
    /// How many.
    pub count: usize,
}

/// What a part of a folder is, by its name or by what it holds. Those that matter most come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// It has a usual name of credentials, or holds a private key.
    Credentials,
    /// The manifest excludes it.
    Excluded,
    /// This program's own state.
    State,
    /// Version control's own files.
    VersionControl,
    /// A virtual environment.
    VirtualEnvironment,
    /// What an installer writes for itself, which differs between installers and machines.
    Installer,
    /// Caches and leftovers of tools and systems.
    Cache,
    /// Editors' own files.
    Editor,
}

impl PartKind {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Credentials => "credentials, by name or content",
            Self::Excluded => "excluded",
            Self::State => "rotator's own state",
            Self::VersionControl => "version control",
            Self::VirtualEnvironment => "virtual environment",
            Self::Installer => "an installer's own notes",
            Self::Cache => "caches",
            Self::Editor => "editors' files",
        }
    }
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackagedFile {
    /// The path inside the package, with `/`.
    pub path: String,
    /// Hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// Whether its owner may execute it.
    pub executable: bool,
}
