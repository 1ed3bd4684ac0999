//! `rotator validate`.

use std::collections::BTreeMap;

use clap::Args;

use crate::config::{self, Ambient, Manifest};
use crate::exit;
use crate::render::count;

use super::filter::Filter;
use super::session::{Packages, Printed, build_packages, check_targets};
use super::{Global, Paths, output, policy};

/// Checks manifests offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator validate
  rotator validate manifests/payments manifests/weather.yaml
  rotator validate --policy security.yaml")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let filter = match Filter::new(&global.target) {
        Ok(filter) => filter,
        Err((summary, hints)) => return output::fail(&summary, &hints),
    };
    match config::load(&arguments.paths.paths) {
        Err(problems) => {
            output::diagnostics(&problems.0);
            exit::ERROR
        }
        Ok(loaded) => {
            let policies = match policy::load(&global.policy) {
                Ok(policies) => policies,
                Err(Printed(code)) => return code,
            };
            let (judged, unproven) = policy::offline(&loaded.manifests, &policies, &filter);
            output::diagnostics(&[&loaded.warnings[..], &judged].concat());
            if let Err(Printed(code)) = check_targets(&filter, &loaded.manifests) {
                return code;
            }
            let targets: usize = loaded.manifests.iter().map(|manifest| manifest.targets().len()).sum();
            let unusable = unusable_code(&loaded.manifests);
            for (function, reason) in &unusable {
                output::fail(&format!("{function}: {reason}"), &[]);
            }
            for one in &unproven {
                output::say(&crate::render::policy::unproven(one));
            }
            if !unusable.is_empty() || policy::has_errors(&judged) {
                return exit::ERROR;
            }
            let shown = output::data(&format!(
                "{} {} valid for {}.\n",
                count(loaded.manifests.len(), "manifest"),
                if loaded.manifests.len() == 1 { "is" } else { "are" },
                count(targets, "target")
            ));
            if arguments.strict && !(loaded.warnings.is_empty() && judged.is_empty() && policies.warnings.is_empty()) {
                exit::ERROR
            } else {
                shown
            }
        }
    }
}

/// The functions whose code can't be packaged, each once for all targets, and why.
fn unusable_code(manifests: &[Manifest]) -> BTreeMap<String, String> {
    // What code there is doesn't depend on the account; the words only fill variables.
    let ambient = Ambient { region: Some("us-east-1".to_owned()), account: Some("123456789012".to_owned()) };
    let packages = Packages::default();
    let mut unusable = BTreeMap::new();
    for manifest in manifests {
        for index in 0..manifest.targets().len() {
            let Ok(mut desired) = manifest.resolve(index, &ambient) else { continue };
            build_packages(&mut desired, &packages);
            for (handle, function) in &desired.functions {
                let code = function.deployment().and_then(|deployment| deployment.code.as_ref());
                if let Some(reason) = code.and_then(|code| code.unusable.clone()) {
                    unusable.insert(format!("function.{handle}"), reason);
                }
            }
        }
    }
    unusable
}
