//! How two packages of a function's code differ, for people.

/// How two packages differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Installed packages that came, went, have another version, or other files.
    pub installed: Vec<InstalledDifference>,
    /// Files that belong to none of them, by path.
    pub files: Vec<FileDifference>,
}

/// An installed package on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledDifference {
    /// Its name, as it is written.
    pub name: String,
    /// Its version before; `None`: it wasn't there.
    pub before: Option<String>,
    /// Its version after; `None`: it is gone.
    pub after: Option<String>,
    /// How many of its files differ.
    pub files: usize,
}

/// A file on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDifference {
    /// The path inside the package.
    pub path: String,
    /// What it held; `None`: it wasn't there.
    pub before: Option<Held>,
    /// What it holds; `None`: it is gone.
    pub after: Option<Held>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Its content.
    pub content: Content,
}

/// A content, as far as people can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Anything else, or too much; its size in bytes.
    Data(u64),
    /// It has a usual name of credentials, or holds a private key: it is not read.
    Private,
}
