//! Where each effective value of an entry came from: plain data, with places in files.

use std::path::PathBuf;

use super::Address;

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, as the user gave it, or relative to the manifest that includes it.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// One function or secret in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Its address.
    pub address: Address,
    /// Its name on AWS.
    pub name: String,
    /// Where its key stands.
    pub declared: Location,
    /// Its values, in the order of the format's documentation.
    pub values: Vec<ExplainedValue>,
    /// Attributes that the manifest doesn't manage: AWS keeps what it has.
    pub unmanaged: Vec<&'static str>,
}

/// One effective value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedValue {
    /// Such as `rotation.duration`.
    pub path: String,
    /// The value, after defaults and variables.
    pub value: EffectiveValue,
    /// Where it came from.
    pub origin: Origin,
    /// The variables in it, in their order.
    pub variables: Vec<UsedVariable>,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectiveValue {
    /// A text, a number or a boolean.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// A value that is never shown.
    Sensitive,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Somebody wrote it.
    Written {
        /// In which of the layers that are merged.
        layer: Layer,
        /// Where.
        at: Location,
    },
    /// It isn't written anywhere: why it is so, in words.
    Default(String),
}

/// The layers of a manifest, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The entry itself.
    Entry,
    /// The defaults of the part that the entry stands in.
    PartDefaults,
    /// The root's defaults.
    RootDefaults,
    /// The root itself, for all entries.
    Root,
}

/// A variable that a value was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedVariable {
    /// Without `${}`.
    pub name: String,
    /// Where `${name}` stands.
    pub at: Location,
    /// Its value; `None` where the value may be private.
    pub value: Option<EffectiveValue>,
    /// Who says what it is.
    pub source: VariableSource,
}

/// Who says what a variable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableSource {
    /// The entry's key.
    Key,
    /// The target itself: its name, region, account or partition.
    Target,
    /// AWS's environment, which isn't asked here: the value only stands for it.
    Environment,
    /// The target's own `vars`.
    Vars(Location),
    /// The `vars` that all targets inherit.
    DefaultVars(Location),
    /// The file of `vars_from`.
    VarsFrom(Location),
}
