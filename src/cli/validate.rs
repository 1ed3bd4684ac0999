//! `rotator validate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{self, Ambient, Manifest};
use crate::diagnostic::Diagnostic;
use crate::exit;
use crate::model::PackagePart;
use crate::render::{self, annotations, count};

use super::filter::Filter;
use super::session::{Packages, Printed, build_packages, check_targets};
use super::{Global, Paths, output, policy};

/// Checks manifests offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator validate
  rotator validate manifests/payments manifests/weather.yaml
  rotator validate --policy security.yaml
  rotator validate --format github              annotations at the lines of a pull request
  rotator validate --format sarif > rotator.sarif")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// How problems are printed; `sarif` and `github` go to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands, for annotations in GitHub Actions
    Github,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let filter = match Filter::new(&global.target) {
        Ok(filter) => filter,
        Err((summary, hints)) => return output::fail(&summary, &hints),
    };
    let (mut found, manifests) = match config::load(&arguments.paths.paths) {
        Err(problems) => (problems.0, None),
        Ok(loaded) => (loaded.warnings, Some(loaded.manifests)),
    };
    let policies = match policy::load(&global.policy) {
        Ok(policies) => policies,
        Err(Printed(code)) => return code,
    };
    if let Some(manifests) = &manifests {
        if let Err(Printed(code)) = check_targets(&filter, manifests) {
            return code;
        }
        let (judged, unproven) = policy::offline(manifests, &policies, &filter);
        found.extend(judged);
        for one in &unproven {
            output::say(&crate::render::policy::unproven(one));
        }
        policy::left_over(manifests, &policies);
        let Packaged { unusable, credentials } = packaged(manifests);
        for (function, parts) in &credentials {
            output::say(&format!("note: {function}: {}", render::package::holds(parts)));
        }
        found.extend(
            unusable.into_iter().map(|(function, reason)| Diagnostic::error("code", format!("{function}: {reason}"))),
        );
    }
    let shown = match arguments.format {
        Format::Text => {
            output::diagnostics(&found);
            exit::OK
        }
        Format::Sarif => output::data(&annotations::sarif(&found, &root(&arguments.paths))),
        Format::Github => output::verbatim(&annotations::github(&found)),
    };
    let is_valid = !found.iter().any(Diagnostic::is_error);
    let Some(manifests) = manifests.filter(|_| is_valid) else { return exit::ERROR };
    let targets: usize = manifests.iter().map(|manifest| manifest.targets().len()).sum();
    let summary = format!(
        "{} {} valid for {}.",
        count(manifests.len(), "manifest"),
        if manifests.len() == 1 { "is" } else { "are" },
        count(targets, "target")
    );
    let shown = match arguments.format {
        Format::Text => output::data(&format!("{summary}\n")),
        Format::Sarif | Format::Github => shown,
    };
    if arguments.strict && !(found.is_empty() && policies.warnings.is_empty()) { exit::ERROR } else { shown }
}

/// The first root manifest that was asked for.
fn root(paths: &Paths) -> PathBuf {
    let first = paths.paths.first().cloned().unwrap_or_default();
    if first.is_dir() || first.as_os_str().is_empty() { first.join("rotator.yaml") } else { first }
}

/// What there is to say of functions' packages, each once for all targets.
#[derive(Default)]
struct Packaged {
    /// Why code can't be packaged.
    unusable: BTreeMap<String, String>,
    /// The usual names of credentials that a package holds all the same.
    credentials: BTreeMap<String, Vec<PackagePart>>,
}

/// Packages the code of all functions.
fn packaged(manifests: &[Manifest]) -> Packaged {
    // What code there is doesn't depend on the account; the words only fill variables.
    let ambient = Ambient { region: Some("us-east-1".to_owned()), account: Some("123456789012".to_owned()) };
    let packages = Packages::default();
    let mut found = Packaged::default();
    for manifest in manifests {
        for index in 0..manifest.targets().len() {
            let Ok(mut desired) = manifest.resolve(index, &ambient) else { continue };
            build_packages(&mut desired, &packages);
            for (handle, function) in &desired.functions {
                let code = function.deployment().and_then(|deployment| deployment.code.as_ref());
                if let Some(reason) = code.and_then(|code| code.unusable.clone()) {
                    found.unusable.insert(format!("function.{handle}"), reason);
                }
                let package = code.and_then(|code| code.package.as_ref());
                if let Some(package) = package.filter(|package| !package.credentials.is_empty()) {
                    found.credentials.insert(format!("function.{handle}"), package.credentials.clone());
                }
            }
        }
    }
    found
}
