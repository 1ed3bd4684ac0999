//! Where an import leads in a package.

use std::collections::BTreeSet;

use super::module::Import;
use crate::inspect::package::Package;

/// Endings of modules in machine code, in the order in which they are looked for (the interpreter's own version is judged elsewhere).
pub(super) const NATIVE: [&str; 2] = [".so", ".pyd"];

/// Where an import leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    /// To a module of the package.
    Module {
        /// Its file, where that is Python.
        file: Option<String>,
        /// The files of the folders around it, which are imported before it.
        before: Vec<String>,
        /// The file of the name that is taken of it, where that is a module.
        name: Option<String>,
        /// What of it is machine code: paths without endings.
        natives: Vec<String>,
    },
    /// To nothing, though the package has the module at the top; how far it went, with dots.
    Stray { reached: String, before: Vec<String> },
    /// Nowhere in the package.
    Outside,
    /// It is relative, and the file stands in no folder, or in too few.
    Beyond,
}

impl Resolved {
    /// All files that are imported for it.
    pub fn files(self) -> Vec<String> {
        match self {
            Self::Module { file, before, name, .. } => before.into_iter().chain(file).chain(name).collect(),
            Self::Stray { before, .. } => before,
            Self::Outside | Self::Beyond => Vec::new(),
        }
    }
}

/// What stands under a name in a folder.
enum Step {
    /// A folder, with the file that it is imported by.
    Folder(Option<String>),
    /// A file of Python.
    File(String),
    /// A module in machine code, or one that is translated already.
    Native,
    None,
}

fn step(package: &Package<'_>, folder: &str, name: &str) -> Step {
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let init = format!("{path}/__init__.py");
    if package.has(&init) {
        return Step::Folder(Some(init));
    }
    if natives(package, &path).next().is_some() || package.has(&format!("{path}.pyc")) {
        return Step::Native;
    }
    let file = format!("{path}.py");
    if package.has(&file) {
        return Step::File(file);
    }
    if package.below(&path).is_empty() { Step::None } else { Step::Folder(None) }
}

/// The modules in machine code of a name: `NAME.so`, `NAME.cpython-313-x86_64-linux-gnu.so`.
pub(super) fn natives<'a>(package: &Package<'a>, path: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("{path}.");
    let first = package.files.partition_point(|file| file.path < start);
    let files = package.files[first..].iter().map(|file| file.path.as_str());
    let is_module = |path: &&str| NATIVE.iter().any(|ending| path.ends_with(ending));
    files.take_while(move |path| path.starts_with(&start)).filter(is_module)
}

/// Follows an import from a file in a folder of the package; `None`: at the top.
pub(super) fn resolve(package: &Package<'_>, import: &Import, folder: Option<&str>) -> Resolved {
    let mut base = String::new();
    if import.level > 0 {
        let Some(folder) = folder else { return Resolved::Beyond };
        let parts: Vec<&str> = folder.split('/').collect();
        let up = import.level as usize - 1;
        if up >= parts.len() {
            return Resolved::Beyond;
        }
        base = parts[..parts.len() - up].join("/");
    }
    let parts: Vec<&str> = import.module.split('.').filter(|part| !part.is_empty()).collect();
    let (mut before, mut natives) = (Vec::new(), Vec::new());
    let init = format!("{base}/__init__.py");
    let mut file = package.has(&init).then_some(init);
    let mut is_folder = true;
    for (at, part) in parts.iter().enumerate() {
        let stray = |before: Vec<String>| Resolved::Stray { reached: parts[..at].join("."), before };
        before.extend(file.take());
        if !is_folder {
            return stray(before);
        }
        match step(package, &base, part) {
            Step::Folder(init) => file = init,
            Step::File(found) => (file, is_folder) = (Some(found), false),
            Step::Native => {
                is_folder = false;
                natives.push(if base.is_empty() { (*part).to_owned() } else { format!("{base}/{part}") });
            }
            Step::None if at == 0 && import.level == 0 => return Resolved::Outside,
            Step::None => return stray(before),
        }
        base = if base.is_empty() { (*part).to_owned() } else { format!("{base}/{part}") };
    }
    let taken = import.name.as_deref().filter(|name| is_folder && *name != "*");
    let name = taken.and_then(|name| match step(package, &base, name) {
        Step::File(file) | Step::Folder(Some(file)) => Some(file),
        Step::Native => {
            natives.push(if base.is_empty() { name.to_owned() } else { format!("{base}/{name}") });
            None
        }
        Step::Folder(None) | Step::None => None,
    });
    Resolved::Module { file, before, name, natives }
}

/// Whether a folder of the package has a module of some name, in whatever form.
pub(super) fn has_module(package: &Package<'_>, folder: &str, name: &str) -> bool {
    !matches!(step(package, folder, name), Step::None)
}

/// The files of the folders around a module.
pub(super) fn parents(package: &Package<'_>, parts: &[&str]) -> Vec<String> {
    let around = (1..parts.len()).map(|count| format!("{}/__init__.py", parts[..count].join("/")));
    around.filter(|file| package.has(file)).collect()
}

/// The names at the top that installers brought, by their own notes.
pub(super) fn distributions(package: &Package<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let noted: BTreeSet<&str> = package.names("").filter(|name| name.strip_suffix(".dist-info").is_some()).collect();
    for folder in noted {
        let distribution = folder.split('-').next().unwrap_or_default();
        names.extend([distribution.to_owned(), distribution.to_lowercase()]);
        let listed = package.read(&format!("{folder}/top_level.txt"), 4096).unwrap_or_default();
        names.extend(String::from_utf8_lossy(&listed).lines().map(|line| line.trim().to_owned()));
    }
    names
}
