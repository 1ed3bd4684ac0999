//! The code of functions, packaged once for all targets of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::model::{CodeSource, Desired, FunctionSource, PackageSummary, PackagedFile, Selection};
use crate::package::{self, Package, PackageError};

use super::wheels::{self, Way};

/// What was packaged, by path and by what of it was chosen, or why it couldn't be.
pub type Packages = Mutex<BTreeMap<(PathBuf, Selection), Result<(Arc<[u8]>, PackageSummary), String>>>;

/// Packages the code of all functions that have some, each path once for all targets. Code that can't be packaged says so. `way`: where
/// their requirements come from.
pub fn build_packages(desired: &mut Desired, packages: &Packages, way: Way) -> BTreeMap<String, Arc<[u8]>> {
    let mut zips = BTreeMap::new();
    for (handle, function) in &mut desired.functions {
        let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
        let Some(code) = &mut deployment.code else { continue };
        let CodeSource::Path { path, tree, selection, .. } = &code.source else { continue };
        let key = (path.clone(), selection.clone());
        let known = packages.lock().ok().and_then(|packages| packages.get(&key).cloned());
        let built = known.unwrap_or_else(|| {
            let built = build(path, tree, selection, way).map(|built| (built.bytes.into(), built.summary));
            if let Ok(mut packages) = packages.lock() {
                packages.insert(key, built.clone());
            }
            built
        });
        match built {
            Ok((zip, summary)) => {
                code.package = Some(summary);
                zips.insert(handle.clone(), zip);
            }
            Err(reason) => code.unusable = Some(reason),
        }
    }
    zips
}

/// Packages one function's code, with the wheels of its requirements; or why that can't be done, with what to do.
pub fn build(path: &Path, tree: &Path, selection: &Selection, way: Way) -> Result<Package, String> {
    let words = |error: PackageError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    match &selection.requirements {
        Some(requirements) if way == Way::None => {
            let mut built = package::build(path, tree, selection).map_err(words)?;
            // Its hash stands for the folder and for what the requirements pin, so that two revisions can be told apart.
            let pinned = std::fs::read(&requirements.path).unwrap_or_default();
            built.summary.sha256 = package::code_sha256(&[built.summary.sha256.as_bytes(), &pinned].concat());
            built.summary.lacks_requirements = true;
            let files = &mut built.summary.files;
            if !files.iter().any(|file| file.path == requirements.shown) {
                // It counts as a file of the package's, wherever it lies: another one is other code.
                let (path, sha256) = (requirements.shown.clone(), package::sha256_hex(&pinned));
                files.push(PackagedFile { path, sha256, executable: false });
                files.sort();
            }
            Ok(built)
        }
        Some(requirements) => {
            let wheels = wheels::of(requirements, way)?;
            package::build_with(path, tree, selection, &wheels).map_err(words)
        }
        None => package::build(path, tree, selection).map_err(words),
    }
}
