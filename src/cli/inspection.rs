//! What is wrong with the code of functions, looked at once for all targets of a run. Nothing of it is run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::config::{Manifest, credential_kind};
use crate::diagnostic::{Diagnostic, Position};
use crate::inspect::{self, Environment, Facts};
use crate::model::live::{Configuration, Reading};
use crate::model::{
    CodeFinding, CodeSource, Deployment, Desired, FunctionSource, Kind, Live, Place, is_generic_application,
};
use crate::package;
use crate::render::rules::position;
use crate::tree::MAX_DEPTH;

/// What was found already, by package and by what is known of the function.
pub type Inspected = Mutex<BTreeMap<(String, Facts), Vec<CodeFinding>>>;

/// Looks at the code of all functions whose packages are there. `live`: what AWS has of them, where it was asked.
pub fn inspect(desired: &mut Desired, live: Option<&Live>, zips: &BTreeMap<String, Arc<[u8]>>, inspected: &Inspected) {
    for (handle, function) in &mut desired.functions {
        let (FunctionSource::Deployed(deployment), Some(zip)) = (&mut function.source, zips.get(handle)) else {
            continue;
        };
        let facts = facts(deployment, Seen::of(live, handle));
        let (Some(code), Some(mut facts)) = (&mut deployment.code, facts) else { continue };
        let Some(package) = &code.package else { continue };
        // What wasn't fetched may bring along as much as a layer.
        facts.layers |= package.lacks_requirements;
        let key = (package.sha256.clone(), facts);
        let known = inspected.lock().ok().and_then(|inspected| inspected.get(&key).cloned());
        code.findings = known.unwrap_or_else(|| {
            let found = inspect::look(zip, &package.files, &key.1);
            if let Ok(mut inspected) = inspected.lock() {
                inspected.insert(key, found.clone());
            }
            found
        });
    }
}

/// What AWS was asked of a function, and what it has.
#[derive(Clone, Copy)]
enum Seen<'a> {
    /// Nothing was asked.
    Unasked,
    /// It has none.
    Absent,
    /// It couldn't be read.
    Unread,
    Live(&'a Configuration),
}

impl<'a> Seen<'a> {
    fn of(live: Option<&'a Live>, handle: &str) -> Self {
        match live.map(|live| live.functions.get(handle).map(|live| &live.configuration)) {
            None => Self::Unasked,
            Some(Some(Reading::Found(configuration))) => Self::Live(configuration),
            Some(Some(Reading::Absent)) => Self::Absent,
            Some(Some(Reading::Unread(_)) | None) => Self::Unread,
        }
    }
}

/// What is known of a function: by its manifest, by what AWS has of it, and by what AWS's template makes of it.
fn facts(deployment: &Deployment, seen: Seen<'_>) -> Option<Facts> {
    let CodeSource::Path { path, tree, .. } = &deployment.code.as_ref()?.source else { return None };
    let settings = &deployment.settings;
    let theirs = if let Seen::Live(live) = seen { Some(&live.settings) } else { None };
    let is_generic = is_generic_application(&deployment.application.id);
    let stated: BTreeSet<String> = deployment.environment.keys().cloned().collect();
    let removed = |name: &String| deployment.environment.get(name).is_some_and(Option::is_none);
    let set = |names: BTreeSet<String>| names.into_iter().filter(|name| !removed(name)).collect();
    let environment = match seen {
        Seen::Live(Configuration { environment: Ok(variables), .. }) => {
            Environment::Exactly(set(variables.keys().cloned().chain(stated).collect()))
        }
        Seen::Absent if is_generic => Environment::Exactly(set(stated)),
        Seen::Unasked if is_generic => Environment::AtLeast(set(stated)),
        _ => Environment::Unknown,
    };
    let no_layers = |layers: &Vec<String>| layers.is_empty();
    let layers = settings.layers.as_ref().or_else(|| theirs?.layers.as_ref());
    Some(Facts {
        runtime: settings.runtime.clone().or_else(|| theirs?.runtime.clone()),
        handler: settings.handler.clone().or_else(|| theirs?.handler.clone()),
        architecture: settings.architecture.clone().or_else(|| theirs?.architecture.clone()),
        layers: !layers.is_none_or(no_layers),
        environment,
        place: path.display().to_string(),
        is_folder: path.is_dir(),
        is_archive: package::is_archive(path) && !path.is_dir(),
        // What a plan uploads is uploaded as it is.
        promised: if matches!(seen, Seen::Unasked) { promised(path, tree) } else { BTreeSet::new() },
        is_generic,
    })
}

/// What may say which packages are to be installed into a folder of code.
const REQUIREMENTS: [&str; 4] = ["requirements.txt", "requirements.in", "pyproject.toml", "Pipfile"];

/// The largest of such files that is read, in bytes.
const MOST: u64 = 256 * 1024;

/// What such files name, in the folder of code and in those around it, up to the manifest's.
fn promised(path: &Path, tree: &Path) -> BTreeSet<String> {
    let below = path.strip_prefix(tree).unwrap_or(path);
    if below.is_absolute() {
        return BTreeSet::new();
    }
    let folders = below.ancestors().take(MAX_DEPTH).map(|folder| tree.join(folder));
    let mut names = BTreeSet::new();
    for file in folders.flat_map(|folder| REQUIREMENTS.map(|name| folder.join(name))) {
        let is_small = file.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MOST);
        if is_small && let Ok(text) = std::fs::read_to_string(&file) {
            names.extend(inspect::promised(&text));
        }
    }
    names
}

/// A finding as a problem of the manifest that names the code: in the file itself where that can be read there, else where the function is
/// declared.
pub fn diagnostic(manifest: &Manifest, desired: &Desired, handle: &str, finding: &CodeFinding) -> Diagnostic {
    let check = finding.check.warning().word();
    let problem = |summary: String| {
        if finding.is_error { Diagnostic::error(check, summary) } else { Diagnostic::warning(check, summary) }
    };
    let mut diagnostic = if let Some(position) = in_file(desired, handle, finding) {
        problem(format!("function `{handle}`: {}", finding.summary)).at(position)
    } else {
        let line = finding.file.as_ref().zip(finding.spot.as_ref());
        let place = line.map(|(file, spot)| format!("{file}:{}:{}: ", spot.line, spot.column)).unwrap_or_default();
        let mut diagnostic = problem(format!("function `{handle}`: {place}{}", finding.summary));
        let declared = desired.places.get(&desired.address(Kind::Function, handle));
        diagnostic.position = declared.map(|place| position(manifest.with_line(place)));
        diagnostic
    };
    diagnostic.detail.clone_from(&finding.detail);
    diagnostic.hints.clone_from(&finding.hints);
    diagnostic
}

/// The place in a file of code. What is in an archive has none.
fn in_file(desired: &Desired, handle: &str, finding: &CodeFinding) -> Option<Position> {
    let code = desired.functions.get(handle)?.deployment()?.code.as_ref()?;
    let CodeSource::Path { path, .. } = &code.source else { return None };
    let (file, spot) = (finding.file.as_ref()?, finding.spot.as_ref()?);
    let file: PathBuf = if path.is_dir() {
        path.join(file)
    } else if package::is_archive(path) {
        return None;
    } else {
        path.clone()
    };
    let text = spot.text.clone().filter(|line| credential_kind(line).is_none());
    let place =
        Place { file: file.display().to_string(), line: spot.line, column: spot.column, length: spot.length, text };
    Some(position(place))
}
