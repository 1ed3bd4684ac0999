//! The code of functions, packaged once for all targets of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::model::{CodeSource, Desired, FunctionSource, PackageSummary, Selection};
use crate::package;

/// What was packaged, by path and by what of it was chosen, or why it couldn't be.
pub type Packages = Mutex<BTreeMap<(PathBuf, Selection), Result<(Arc<[u8]>, PackageSummary), String>>>;

/// Packages the code of all functions that have some, each path once for all targets. Code that can't be packaged says so.
pub fn build_packages(desired: &mut Desired, packages: &Packages) -> BTreeMap<String, Arc<[u8]>> {
    let mut zips = BTreeMap::new();
    for (handle, function) in &mut desired.functions {
        let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
        let Some(code) = &mut deployment.code else { continue };
        let CodeSource::Path { path, tree, selection, .. } = &code.source else { continue };
        let key = (path.clone(), selection.clone());
        let known = packages.lock().ok().and_then(|packages| packages.get(&key).cloned());
        let built = known.unwrap_or_else(|| {
            let built = package::build(path, tree, selection).map(|built| (built.bytes.into(), built.summary));
            let built = built.map_err(|error| match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            });
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
