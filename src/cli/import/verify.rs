//! What was written is read as everybody will read it, before it is called done.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{self, Ambient};
use crate::import::{Draft, FunctionWord, SecretEntry, Source};
use crate::model::{Desired, FunctionSource};

use super::super::failure::Failure;
use super::places::Read;

/// Reads the root with its new parts, and holds it against what AWS has.
pub fn verify(path: &Path, reads: &[Read], draft: &Draft) -> Result<(), Failure> {
    let loaded = config::load(&[path.to_owned()])?;
    let Some(manifest) = loaded.manifests.first() else { return Ok(()) };
    for (number, read) in reads.iter().enumerate() {
        let index = manifest.targets().iter().position(|target| target.name == read.target).unwrap_or_default();
        let ambient =
            Ambient { region: Some(read.account.region.clone()), account: Some(read.account.account.clone()) };
        let desired = manifest.resolve(index, &ambient)?;
        for group in &draft.groups {
            if let Some(function) = &group.function
                && let Some(live) = function.live.get(&number)
            {
                let is_right =
                    desired.functions.get(&function.handle).is_some_and(|found| match (&found.source, live) {
                        (FunctionSource::Existing { reference }, Source::Existing(wanted)) => reference == wanted,
                        (FunctionSource::Deployed(deployment), Source::Adopted { name, stack, .. }) => {
                            found.name == *name && deployment.stack == *stack && !deployment.manages_configuration()
                        }
                        _ => false,
                    });
                check(is_right, "function", &function.handle)?;
            }
            for rule in &group.select {
                let Some(names) = rule.secrets.get(&number) else { continue };
                let is_right = desired.select.get(&rule.handle).is_some_and(|found| {
                    found.function == rule.function
                        && found.rotation.enabled == Some(true)
                        && found.rotation.rules.as_ref() == Some(&rule.means)
                        && names.iter().all(|name| found.matches.has(name, &BTreeMap::new()))
                });
                check(is_right, "rule", &rule.handle)?;
            }
            for secret in &group.secrets {
                if let Some(name) = secret.means.0.get(&number) {
                    check(says(secret, name, &desired), "secret", &secret.handle)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether an entry is read as what AWS has.
fn says(entry: &SecretEntry, name: &str, desired: &Desired) -> bool {
    desired.secrets.get(&entry.handle).is_some_and(|found| {
        let function = match &entry.function {
            FunctionWord::Handle(handle) => Some(handle),
            FunctionWord::Null | FunctionWord::Absent => None,
        };
        found.name == name
            && found.function.as_ref() == function
            && found.rotation.enabled == Some(true)
            && found.rotation.rules.as_ref() == Some(&entry.means.1)
    })
}

fn check(is_right: bool, kind: &str, handle: &str) -> Result<(), Failure> {
    if is_right {
        return Ok(());
    }
    let what = format!("the entry of the {kind} `{handle}` would not say what AWS has");
    Err(Failure::new(format!("beside this root, {what}: nothing was written")).hint(
        "its `defaults` or `include` change what new parts mean: import into a folder of its own, and join both by hand",
    ))
}
