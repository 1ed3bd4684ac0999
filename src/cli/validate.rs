//! `rotator validate`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::diagnostic::Diagnostic;
use crate::exit;
use crate::model::acknowledge::Acknowledgement;
use crate::model::{Kind, PackagePart};
use crate::plan::judge::{Unproven, Why, judge_offline};
use crate::render::rules as words;
use crate::render::{self, annotations, count};

use super::failure::{Cause, Failure};
use super::inspection::{Inspected, diagnostic, inspect};
use super::offline::Offline;
use super::options::{Global, Paths};
use super::output;
use super::packages::{Packages, build_packages};
use super::rules::{left_over, rules, today};
use super::runtimes;
use super::wheels::Way;

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
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let offline = match Offline::open(global, &arguments.paths.paths) {
        Ok(offline) => offline,
        // What is wrong with files is this command's data.
        Err(Failure { cause: Cause::Files(found), code, .. }) => {
            return arguments.print(&found).map(|shown| exit::worse(shown, code));
        }
        Err(failure) => return Err(failure),
    };
    let mut found = offline.warnings.clone();
    let (judged, unproven) = judge(&offline)?;
    found.extend(judged);
    for one in &unproven {
        output::say(&words::unproven(one));
    }
    left_over(&offline.manifests, &offline.policies);
    runtimes::say_if_old(today());
    found.extend(runtimes::judge(&offline, today())?);
    let Packaged { unusable, credentials, code } = packaged(&offline)?;
    found.extend(code);
    for (function, parts) in &credentials {
        output::say(&format!("note: {function}: {}", render::package::holds(parts)));
    }
    found.extend(
        unusable.into_iter().map(|(function, reason)| Diagnostic::error("code", format!("{function}: {reason}"))),
    );
    let shown = arguments.print(&found)?;
    if found.iter().any(Diagnostic::is_error) {
        return Ok(exit::ERROR);
    }
    let manifests = &offline.manifests;
    let targets: usize = manifests.iter().map(|manifest| manifest.targets().len()).sum();
    if arguments.format == Format::Text {
        output::data(&format!(
            "{} {} valid for {}.\n",
            count(manifests.len(), "manifest"),
            if manifests.len() == 1 { "is" } else { "are" },
            count(targets, "target")
        ))?;
    }
    let is_clean = found.is_empty() && offline.policies.warnings.is_empty();
    Ok(if arguments.strict && !is_clean { exit::ERROR } else { shown })
}

impl Arguments {
    /// Prints problems.
    fn print(&self, found: &[Diagnostic]) -> Result<u8, Failure> {
        match self.format {
            Format::Text => {
                output::diagnostics(found);
                Ok(exit::OK)
            }
            Format::Sarif => output::data(&annotations::sarif(found, &root(&self.paths))),
            Format::Github => output::verbatim(&annotations::github(found)),
        }
    }
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
    /// What is wrong with code, but for what is acknowledged.
    code: Vec<Diagnostic>,
}

/// Packages the code of all functions, selected or not.
fn packaged(offline: &Offline) -> Result<Packaged, Failure> {
    let (packages, inspected) = (Packages::default(), Inspected::default());
    let mut found = Packaged::default();
    for manifest in &offline.manifests {
        for index in 0..manifest.targets().len() {
            let mut desired = offline.resolve(manifest, index)?;
            let zips = build_packages(&mut desired, &packages, Way::None);
            inspect(&mut desired, None, &zips, &inspected);
            for (handle, function) in &desired.functions {
                let code = function.deployment().and_then(|deployment| deployment.code.as_ref());
                if let Some(reason) = code.and_then(|code| code.unusable.clone()) {
                    found.unusable.insert(format!("function.{handle}"), reason);
                }
                let address = desired.address(Kind::Function, handle).to_string();
                for finding in code.iter().flat_map(|code| &code.findings) {
                    let is_known = |one: &Acknowledgement| {
                        one.warning == finding.check.warning() && one.is_in_force(today()) && one.is_about(&address)
                    };
                    if finding.is_error || !manifest.acknowledged().iter().any(is_known) {
                        let diagnostic = diagnostic(manifest, &desired, handle, finding);
                        if !found.code.contains(&diagnostic) {
                            found.code.push(diagnostic);
                        }
                    }
                }
                let package = code.and_then(|code| code.package.as_ref());
                if let Some(package) = package.filter(|package| !package.credentials.is_empty()) {
                    found.credentials.insert(format!("function.{handle}"), package.credentials.clone());
                }
            }
        }
    }
    Ok(found)
}

/// What manifests break of the rules, and what can't be known without AWS. What holds in several targets is said once.
fn judge(offline: &Offline) -> Result<(Vec<Diagnostic>, Vec<Unproven>), Failure> {
    let (mut found, mut unproven) = (Vec::<Diagnostic>::new(), Vec::<Unproven>::new());
    let mut places = HashMap::new();
    for (manifest, index) in offline.selected() {
        let desired = offline.resolve(manifest, index)?;
        let verdict = judge_offline(rules(manifest, &offline.policies), &desired, today());
        for problem in &verdict.problems {
            let Some(diagnostic) = words::diagnostic(problem, |place| manifest.with_line(place)) else { continue };
            let key = (diagnostic.summary.clone(), diagnostic.position.clone(), diagnostic.related.clone());
            let place = *places.entry(key).or_insert(found.len());
            match found.get_mut(place) {
                Some(known) => known.targets.extend(diagnostic.targets),
                None => found.push(diagnostic),
            }
        }
        for one in verdict.unproven {
            match unproven.iter_mut().find(|known| (&known.rule, &known.at) == (&one.rule, &one.at)) {
                Some(Unproven { why, .. }) => match (why, one.why) {
                    (Why::NotManaged(known), Why::NotManaged(more)) | (Why::Names(known), Why::Names(more)) => {
                        known.extend(more);
                    }
                    _ => {}
                },
                None => unproven.push(one),
            }
        }
    }
    found.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.severity.cmp(&b.severity)));
    Ok((found, unproven))
}
