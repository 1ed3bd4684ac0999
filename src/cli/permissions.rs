//! `rotator permissions`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::config::Manifest;
use crate::model::Desired;
use crate::model::arn::{is_account_id, partition_of};
use crate::permissions::scope::Width;
use crate::permissions::table::{PHASES, Phase};
use crate::permissions::trust::Trust;
use crate::permissions::{self, Place, alarms};
use crate::render::permissions::{PhasePermissions, TargetPermissions};
use crate::render::{self, count, safe};

use super::failure::Failure;
use super::offline::{self, Offline};
use super::options::{Global, Paths};
use super::output;
use super::view::View;

/// Prints the least rights that the manifests need, offline: each action with its reason, and IAM's policies.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator permissions
  rotator permissions --phase plan --phase apply --target prod-eu --format json
  rotator permissions --out policies --trust github:acme/rotation:production
  rotator permissions --alarms terraform --target prod-eu > alarms.tf

Nothing is asked of AWS. What only AWS knows is allowed by a pattern: the six characters behind a secret's name, the role that
a stack makes. Where neither the manifest nor `--account` says the account, 000000000000 stands for it.

Each action says how it is known: `seen`, a run was seen to ask for it; `table`, a published table of dependent actions has it;
`documentation`, AWS's pages say so.")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Only the rights of this: `plan`, `apply`, …; repeatable
    #[arg(long, value_name = "NAME", value_parser = phase)]
    phase: Vec<&'static Phase>,
    /// How they are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write each policy into a file of its own in this folder, as IAM's commands take it
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The account, where the manifest's targets don't say one
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// A customer's key that encrypts a function's environment; repeatable
    #[arg(long, value_name = "ARN", value_parser = key)]
    kms_key: Vec<String>,
    /// Trust policies, too, for the jobs of one repository: `github:OWNER/REPO`, `github:OWNER/REPO:ENVIRONMENT`,
    /// `gitlab:GROUP/PROJECT:BRANCH`, `gitlab@HOST:GROUP/PROJECT:BRANCH`
    #[arg(long, value_name = "WHO", value_parser = Trust::parse)]
    trust: Option<Trust>,
    /// Instead of rights, the rules that hear of failed rotations of these secrets, and tell an SNS topic
    #[arg(long, value_name = "FOR", conflicts_with_all = ["phase", "format", "trust", "kms_key"])]
    alarms: Option<Template>,
}

/// How rights are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For programs, with IAM's documents: `rotator schema permissions` describes it
    Json,
    /// For a page, or a comment
    Markdown,
}

/// What alarms are deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// A template for a stack, in JSON
    Cloudformation,
    /// A file for Terraform
    Terraform,
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        if self.format == Format::Json { View::Document } else { View::Text }
    }
}

fn phase(text: &str) -> Result<&'static Phase, String> {
    Phase::named(text).ok_or_else(|| {
        let names: Vec<&str> = PHASES.iter().map(|phase| phase.name).collect();
        format!("it is one of {}", names.join(", "))
    })
}

fn account(text: &str) -> Result<String, String> {
    if is_account_id(text) { Ok(text.to_owned()) } else { Err("an account id has twelve digits".to_owned()) }
}

fn key(text: &str) -> Result<String, String> {
    let is_key = text
        .parse::<crate::model::arn::Arn>()
        .is_ok_and(|arn| arn.service == "kms" && arn.resource.starts_with("key/"));
    if is_key { Ok(text.to_owned()) } else { Err("a key's ARN is `arn:aws:kms:REGION:ACCOUNT:key/ID`".to_owned()) }
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    if needs_no_manifest(arguments) {
        let targets = [without_manifest(global, arguments)];
        say_placeholders(&targets);
        return print(arguments, &targets);
    }
    let mut offline = Offline::open(global, &arguments.paths.paths)?;
    output::diagnostics(&offline.warnings);
    if let Some(account) = &arguments.account {
        offline.ambient.account = Some(account.clone());
    }
    let mut targets = Vec::new();
    for (manifest, index) in offline.selected() {
        let mut desired = offline.resolve(manifest, index)?;
        offline.filter.apply(&mut desired);
        let (place, placeholders) = place(global, arguments, (manifest, index), &offline, &desired);
        targets.push((desired, place, placeholders));
    }
    say_placeholders(&targets);
    match arguments.alarms {
        Some(template) => print_alarms(arguments, template, &targets),
        None => print(arguments, &targets),
    }
}

type Target = (Desired, Place, Vec<&'static str>);

/// Whether only rights are asked for that no manifest says more about, where there is none yet: what makes the first one needs them.
fn needs_no_manifest(arguments: &Arguments) -> bool {
    let all_whole = !arguments.phase.is_empty() && arguments.phase.iter().all(|phase| phase.is_of_whole_accounts());
    all_whole && arguments.paths.paths.is_empty() && Path::new("rotator.yaml").symlink_metadata().is_err()
}

/// The place of the credentials, without a manifest of it.
fn without_manifest(global: &Global, arguments: &Arguments) -> Target {
    let ambient = offline::placeholders(global);
    let region = ambient.region.unwrap_or_default();
    let account = arguments.account.clone().or(ambient.account).unwrap_or_default();
    let unknown = [("account", arguments.account.is_none()), ("region", global.region.is_none())];
    let place = Place { partition: partition_of(&region).to_owned(), region, account };
    let desired = Desired { project: "rotation".to_owned(), ..Desired::default() };
    (desired, place, unknown.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect())
}

/// Where a target is, and what of that only AWS's environment knows.
fn place(
    global: &Global,
    arguments: &Arguments,
    (manifest, index): (&Manifest, usize),
    offline: &Offline,
    desired: &Desired,
) -> (Place, Vec<&'static str>) {
    let stated = &manifest.targets()[index];
    let region = desired.target.region.clone().or_else(|| offline.ambient.region.clone()).unwrap_or_default();
    let account = desired.target.account.clone().or_else(|| offline.ambient.account.clone()).unwrap_or_default();
    let placeholders = [
        ("account", stated.account.is_none() && arguments.account.is_none()),
        ("region", stated.region.is_none() && global.region.is_none()),
    ];
    let place = Place { partition: partition_of(&region).to_owned(), region, account };
    (place, placeholders.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect())
}

fn say_placeholders(targets: &[Target]) {
    let hints = [("account", "--account"), ("region", "--region")];
    for (what, option) in hints {
        if let Some((_, place, _)) = targets.iter().find(|(.., placeholders)| placeholders.contains(&what)) {
            let value = if what == "account" { &place.account } else { &place.region };
            let hint = format!("state the target's `{what}` in the manifest, or give `{option}`");
            output::warn(&format!("the {what} isn't known offline: `{value}` stands for it"), &[hint]);
        }
    }
}

fn print(arguments: &Arguments, targets: &[Target]) -> Result<u8, Failure> {
    let all: Vec<TargetPermissions> = targets.iter().map(|target| needed(arguments, target)).collect();
    if let Some(folder) = &arguments.out {
        return write(folder, &files(&all));
    }
    output::data(&match arguments.format {
        Format::Text => render::permissions::text(&all),
        Format::Json => render::permissions::json(&all),
        Format::Markdown => render::permissions::markdown(&all),
    })
}

fn needed(arguments: &Arguments, (desired, place, placeholders): &Target) -> TargetPermissions {
    let is_wanted =
        |phase: &&Phase| arguments.phase.is_empty() || arguments.phase.iter().any(|one| one.name == phase.name);
    let has_role = desired.target.role.is_some() || desired.target.apply_role.is_some();
    let phases = PHASES.iter().filter(is_wanted).filter_map(|phase| {
        let permissions = permissions::of(phase, desired, place, &arguments.kms_key)?;
        // A target's roles are become by the caller's, whom alone the pipeline's tokens make.
        let trusts = phase.is_callers() == has_role;
        let trust = arguments.trust.as_ref().filter(|_| trusts).map(|trust| trust.policy(place, phase.reads));
        Some(PhasePermissions { permissions, trust })
    });
    TargetPermissions {
        target: desired.target.name.clone(),
        project: desired.project.clone(),
        place: place.clone(),
        placeholders: placeholders.clone(),
        phases: phases.collect(),
    }
}

/// The files of all policies: their names and texts.
fn files(all: &[TargetPermissions]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for target in all {
        for phase in &target.phases {
            let name = file_name(&target.project, target.target.as_deref(), phase.permissions.phase.name);
            let documents = &phase.permissions.documents;
            for (at, document) in documents.iter().enumerate() {
                let number = if documents.len() == 1 { String::new() } else { format!("-{}", at + 1) };
                files.push((format!("{name}{number}.json"), document.text()));
            }
            files.extend(phase.trust.as_ref().map(|trust| (format!("{name}-trust.json"), pretty(trust))));
        }
    }
    files
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn file_name(project: &str, target: Option<&str>, what: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let parts = [Some(project), target, Some(what)];
    parts.into_iter().flatten().map(|part| part.chars().map(plain).collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Writes files that this command alone makes: earlier ones of the same names are replaced.
fn write(folder: &Path, files: &[(String, String)]) -> Result<u8, Failure> {
    let failed =
        |path: &Path, error: std::io::Error| Failure::new(format!("cannot write {}: {error}", output::path(path)));
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    output::say(&format!("{} in {}", count(files.len(), "file"), output::path(folder)));
    let names: Vec<String> = files.iter().map(|(name, _)| format!("{}\n", safe(name))).collect();
    output::data(&names.concat())
}

fn print_alarms(arguments: &Arguments, template: Template, targets: &[Target]) -> Result<u8, Failure> {
    let mut made = Vec::new();
    for (desired, place, _) in targets {
        let Some(found) = alarms::of(desired, place) else { continue };
        if found.width != Width::Named {
            let hint = "a rule's pattern has at most 2,048 characters; events of other secrets come with them";
            output::warn("the secrets are too many to be named one by one: folders stand for them", &[hint.to_owned()]);
        }
        let (text, extension) = match template {
            Template::Cloudformation => (pretty(&found.cloudformation(&desired.project)), "json"),
            Template::Terraform => (found.terraform(&desired.project), "tf"),
        };
        let name = file_name(&desired.project, desired.target.name.as_deref(), "alarms");
        made.push((format!("{name}.{extension}"), text));
    }
    match (&arguments.out, &made[..]) {
        (Some(folder), _) => write(folder, &made),
        (None, []) => Err(Failure::new("there are no secrets to hear of")),
        (None, [(_, text)]) => output::data(text),
        (None, _) => Err(Failure::new("each target has rules of its own")
            .hint("choose one by `--target NAME`, or have them written into a folder by `--out FOLDER`")),
    }
}
