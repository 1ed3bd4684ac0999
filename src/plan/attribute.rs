//! The attributes that a change names: a type inside, the path of today's formats outside.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Setting, SettingValue};

/// What changes. Written as a path, such as `timeout`, `environment.API_URL`, `rotation.rules`; ordered by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// One of a function's settings.
    Setting(Setting),
    /// A variable of a function's environment, by name.
    Variable(String),
    /// The name of a function's stack.
    Stack,
    /// The application's ARN.
    Application,
    /// The application's version.
    Version,
    /// A parameter of the application, by name.
    Parameter(String),
    /// A tag of the stack, by key.
    Tag(String),
    /// Where a function's code lies.
    CodeSource,
    /// Base64 of the SHA-256 of a function's package.
    CodeHash,
    /// A file of a function's package, by path.
    CodeFile(String),
    /// A part of the statement that lets Secrets Manager in.
    Permission(String),
    /// A secret's rotation function.
    Function,
    /// Whether a secret's rotation is on.
    Enabled,
    /// A secret's rotation rules.
    Rules,
    /// Any other path: what only a manifest has, or only AWS.
    Other(String),
}

const VARIABLE: &str = "environment.";
const PARAMETER: &str = "application.parameters.";
const TAG: &str = "tags.";
const FILE: &str = "code.files.";
const PERMISSION: &str = "permission.";

/// Attributes whose path is one word.
const WORDS: [(&str, Attribute); 8] = [
    ("stack", Attribute::Stack),
    ("application.id", Attribute::Application),
    ("application.version", Attribute::Version),
    ("code.source", Attribute::CodeSource),
    ("code.sha256", Attribute::CodeHash),
    ("function", Attribute::Function),
    ("rotation.enabled", Attribute::Enabled),
    ("rotation.rules", Attribute::Rules),
];

/// Makes an attribute of a name.
type Make = fn(String) -> Attribute;

/// Attributes that a word tells apart, each with what stands before it.
const NAMED: [(&str, Make); 5] = [
    (VARIABLE, Attribute::Variable),
    (PARAMETER, Attribute::Parameter),
    (TAG, Attribute::Tag),
    (FILE, Attribute::CodeFile),
    (PERMISSION, Attribute::Permission),
];

impl Attribute {
    /// The path, as plans, reports and files write it.
    pub fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Setting(setting) => setting.word().into(),
            Self::Variable(name) => format!("{VARIABLE}{name}").into(),
            Self::Parameter(name) => format!("{PARAMETER}{name}").into(),
            Self::Tag(key) => format!("{TAG}{key}").into(),
            Self::CodeFile(path) => format!("{FILE}{path}").into(),
            Self::Permission(part) => format!("{PERMISSION}{part}").into(),
            Self::Other(path) => path.into(),
            Self::Stack
            | Self::Application
            | Self::Version
            | Self::CodeSource
            | Self::CodeHash
            | Self::Function
            | Self::Enabled
            | Self::Rules => WORDS.iter().find(|(_, one)| one == self).map_or("", |(word, _)| word).into(),
        }
    }
}

impl From<&str> for Attribute {
    /// The attribute of a path; every path is one.
    fn from(path: &str) -> Self {
        if let Some(setting) = Setting::named(path) {
            return Self::Setting(setting);
        }
        if let Some((_, word)) = WORDS.iter().find(|(word, _)| *word == path) {
            return word.clone();
        }
        let named = NAMED.iter().find_map(|(start, make)| path.strip_prefix(start).map(|name| make(name.to_owned())));
        named.unwrap_or_else(|| Self::Other(path.to_owned()))
    }
}

impl From<String> for Attribute {
    fn from(path: String) -> Self {
        path.as_str().into()
    }
}

impl From<Setting> for Attribute {
    fn from(setting: Setting) -> Self {
        Self::Setting(setting)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl PartialOrd for Attribute {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Attribute {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path().cmp(&other.path())
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path())
    }
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

/// One attribute that changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldChange {
    /// What changes. In files: its path.
    #[serde(rename = "path")]
    pub attribute: Attribute,
    /// What AWS has.
    pub before: Shown,
    /// What it will have.
    pub after: Shown,
}

impl FieldChange {
    /// A change of one attribute.
    pub fn new(attribute: impl Into<Attribute>, before: Shown, after: Shown) -> Self {
        Self { attribute: attribute.into(), before, after }
    }
}

/// A value as a plan may show it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// There is none.
    Absent,
    /// A text.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// A value that is never shown.
    Sensitive,
    /// A value that AWS will decide.
    Unknown,
}

impl Shown {
    /// A text.
    #[expect(clippy::needless_pass_by_value, reason = "numbers, texts and references to them all stand here")]
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// A text, or its absence.
    pub fn option(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Absent, Self::text)
    }
}

impl From<SettingValue<'_>> for Shown {
    fn from(value: SettingValue<'_>) -> Self {
        match value {
            SettingValue::Text(text) => Self::text(text),
            SettingValue::Number(number) => Self::text(number),
            SettingValue::List(items) => Self::List(items.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a plan file of the last version could be read otherwise than it was written.
    #[test]
    fn each_attribute_is_read_from_the_path_that_it_writes() {
        let words = WORDS.iter().map(|(word, attribute)| ((*word).to_owned(), attribute.clone()));
        let settings = Setting::ALL.map(|setting| (setting.word().to_owned(), Attribute::Setting(setting)));
        let named = NAMED.iter().map(|(start, make)| (format!("{start}a.b"), make("a.b".to_owned())));
        let others = ["labels.team", "AWSCURRENT", "environment", "codex", ""];
        let others = others.map(|path| (path.to_owned(), Attribute::Other(path.to_owned())));
        for (path, attribute) in words.chain(settings).chain(named).chain(others) {
            assert_eq!(Attribute::from(path.as_str()), attribute, "{path}");
            assert_eq!(attribute.path(), path);
        }
    }
}
