//! A function's code, looked at before it is uploaded: what of it surely fails, or likely does. Nothing of it is run.
//!
//! Pure: it takes the bytes of a package and what is known of the function, and gives findings. Files and sizes are bounded, and so is
//! the depth of what is read: packages come from strangers' pull requests.

mod bootstrap;
mod library;
mod machine;
mod names;
mod native;
mod node;
mod other;
mod package;
mod python;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::model::{CodeFinding, PackagedFile};

use package::Package;

/// What is known of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    /// Its runtime, such as `python3.13`; `None` where that isn't known.
    pub runtime: Option<String>,
    /// Its handler; `None`: that of AWS's template, [`DEFAULT_HANDLER`].
    pub handler: Option<String>,
    /// Its architecture, in Lambda's words; `None`: Lambda's default.
    pub architecture: Option<String>,
    /// Whether layers bring along what isn't known here.
    pub layers: bool,
    /// Its variables, by name.
    pub environment: Environment,
    /// Where its code lies, for people.
    pub place: String,
    /// Whether that is a folder.
    pub is_folder: bool,
    /// Whether it is an archive: whether that has the handler's file is known only here.
    pub is_archive: bool,
    /// What files beside the code name that is to be installed into it, where it may be installed later; empty where it is uploaded as it is.
    pub promised: BTreeSet<String>,
    /// Whether its application is AWS's generic template, which is written in Python.
    pub is_generic: bool,
}

/// What is known of the variables of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Environment {
    /// Nothing.
    #[default]
    Unknown,
    /// It has these, and perhaps others that were set by hand.
    AtLeast(BTreeSet<String>),
    /// It has these and no others.
    Exactly(BTreeSet<String>),
}

/// The handler of AWS's template.
pub const DEFAULT_HANDLER: &str = "lambda_function.lambda_handler";

/// The packages that a file of requirements names (`requirements.txt`, `pyproject.toml`, a lock file), as they are compared: whatever
/// stands at the beginning of a line, or of a quoted text.
pub fn promised(text: &str) -> BTreeSet<String> {
    let beginnings = text.lines().flat_map(|line| {
        let quoted = line.split(['"', '\'']).skip(1).step_by(2);
        std::iter::once(line).chain(quoted)
    });
    let names = beginnings.map(|text| {
        let text = text.trim();
        let end =
            text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
        compared(&text[..end])
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// A package's name, as it is compared. <https://packaging.python.org/en/latest/specifications/name-normalization/>
fn compared(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// What is wrong with code that knows createSecret and finishSecret, and not testSecret.
const UNTESTED: &str = "nothing here is done for testSecret: a value that doesn't work becomes the current one";

/// What to do about that.
const TRY: &str = "log in with the pending value in testSecret, and raise what fails";

/// What a runtime runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// Python 3, of this minor version where it is known.
    Python(Option<u8>),
    /// Node, of this version where it is known.
    Node(Option<u8>),
    /// A program of its own.
    Provided,
    Other,
}

impl Language {
    fn of(facts: &Facts) -> Self {
        match facts.runtime.as_deref() {
            Some(runtime) if runtime.starts_with("python3.") => Self::Python(runtime["python3.".len()..].parse().ok()),
            Some(runtime) if runtime.starts_with("nodejs") => {
                Self::Node(runtime["nodejs".len()..].trim_end_matches(".x").parse().ok())
            }
            Some(runtime) if runtime.starts_with("provided") => Self::Provided,
            None if facts.is_generic => Self::Python(None),
            _ => Self::Other,
        }
    }
}

/// Looks at the files of a package, which was read whole before.
pub fn look(zip: &[u8], files: &[PackagedFile], facts: &Facts) -> Vec<CodeFinding> {
    let package = Package::new(zip, files);
    let mut found = names::look(&package);
    match Language::of(facts) {
        Language::Python(minor) => found.extend(python::look(zip, files, facts, minor)),
        Language::Node(major) => found.extend(node::look(&package, facts, major)),
        Language::Provided => found.extend(bootstrap::look(&package, facts)),
        Language::Other => found.extend(other::look(&package, facts)),
    }
    found.sort();
    found.dedup();
    found
}
