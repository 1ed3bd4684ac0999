//! The rights that a manifest needs: as a table for people, in Markdown for pages and comments, and as JSON for programs.
//!
//! The JSON is a published format: a new member may come; none goes, and none changes its meaning within a version.

use std::fmt::Write as _;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use crate::permissions::document::{self, Document};
use crate::permissions::scope::{On, Width};
use crate::permissions::table::{PHASES, Phase};
use crate::permissions::{Need, Permissions, Place};

use super::markdown::{cell, code_span};
use super::{count, safe, safe_json};

/// The version of the format.
const FORMAT_VERSION: &str = "1.0";

/// What a target needs.
pub struct TargetPermissions {
    /// Its name in the manifest, where it has one.
    pub target: Option<String>,
    /// The project.
    pub project: String,
    /// Where.
    pub place: Place,
    /// Whether the manifest doesn't say the account, or the region: what stands there instead means no real one.
    pub placeholders: Vec<&'static str>,
    /// The phases, in the order of the table.
    pub phases: Vec<PhasePermissions>,
}

/// What a phase needs.
pub struct PhasePermissions {
    /// The actions and documents.
    pub permissions: Permissions,
    /// Who may become a role with them, where that was asked for.
    pub trust: Option<Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator permissions")]
struct File {
    /// The version of this format.
    format_version: &'static str,
    /// One for each target and phase.
    policies: Vec<Policy>,
}

/// What one phase needs for one target.
#[derive(Debug, Serialize, JsonSchema)]
struct Policy {
    /// The project's name.
    project: String,
    /// The target's name in the manifest, where it has one.
    target: Option<String>,
    /// The account's twelve digits; `000000000000` where neither the manifest nor `--account` says it.
    account: String,
    /// The region.
    region: String,
    /// What stands for something that isn't known offline: `account`, `region`.
    placeholders: Vec<&'static str>,
    /// `plan`, `apply`, …
    phase: &'static str,
    /// Documents for IAM's `CreatePolicy`: several where one would be larger than a managed policy may be.
    documents: Vec<Value>,
    /// The trust policy of a role with these rights, where one was asked for.
    trust: Option<Value>,
    /// Each action, with its reason.
    actions: Vec<Action>,
    /// What is allowed on more than is named, so that a role has room for the policies.
    widened: Vec<Widened>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Action {
    /// Such as `lambda:GetFunction`.
    #[serde(rename = "action")]
    name: &'static str,
    /// What it is on, by name.
    resources: Vec<String>,
    /// What for.
    reason: &'static str,
    /// How it is known: `seen` (in the log of a run), `table` (AWS's published tables), `documentation`.
    known: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Widened {
    /// What, in words.
    what: &'static str,
    /// By what they are taken together: `folder`, `first-folder`, `all`.
    by: &'static str,
}

/// As JSON, with a final newline.
pub fn json(targets: &[TargetPermissions]) -> String {
    let policies = targets.iter().flat_map(|target| target.phases.iter().map(move |phase| policy(target, phase)));
    let file = File { format_version: FORMAT_VERSION, policies: policies.collect() };
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    safe_json(text)
}

/// The schema of the JSON.
pub fn permissions_schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn policy(target: &TargetPermissions, phase: &PhasePermissions) -> Policy {
    let permissions = &phase.permissions;
    let action = |need: &Need| Action {
        name: need.action,
        resources: resources(permissions, need.on).to_vec(),
        reason: need.why,
        known: need.known.word(),
    };
    let widened = permissions.widened.iter().map(|(on, width)| Widened { what: on.words(), by: by(*width) });
    let documents = permissions.documents.iter().map(|one| serde_json::to_value(one).unwrap_or_default());
    Policy {
        project: target.project.clone(),
        target: target.target.clone(),
        account: target.place.account.clone(),
        region: target.place.region.clone(),
        placeholders: target.placeholders.clone(),
        phase: permissions.phase.name,
        documents: documents.collect(),
        trust: phase.trust.clone(),
        actions: permissions.needs.iter().map(action).collect(),
        widened: widened.collect(),
    }
}

fn resources(permissions: &Permissions, on: On) -> &[String] {
    permissions.resources.iter().find(|(other, _)| *other == on).map_or(&[], |(_, resources)| resources)
}

fn by(width: Width) -> &'static str {
    match width {
        Width::Named => "name",
        Width::Folders => "folder",
        Width::FirstFolders => "first-folder",
        Width::All => "all",
    }
}

/// One line of a table: actions that are needed for the same reason.
struct Line<'a> {
    actions: Vec<&'static str>,
    need: &'a Need,
}

fn lines(needs: &[Need]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for need in needs {
        let same =
            |line: &&mut Line<'_>| (line.need.on, line.need.known, line.need.why) == (need.on, need.known, need.why);
        match lines.iter_mut().find(same) {
            Some(line) => line.actions.push(need.action),
            None => lines.push(Line { actions: vec![need.action], need }),
        }
    }
    lines
}

fn title(target: &TargetPermissions) -> String {
    let Place { region, account, .. } = &target.place;
    let name = target.target.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
    format!("project {} in {name}account {account}, {region}", target.project)
}

/// For people at a terminal.
pub fn text(targets: &[TargetPermissions]) -> String {
    let mut text = String::new();
    for target in targets {
        for phase in &target.phases {
            let permissions = &phase.permissions;
            let _ = writeln!(text, "{}: {}", permissions.phase.name, safe(&title(target)));
            for (on, resources) in &permissions.resources {
                let _ = writeln!(text, "\n  on {}", on.words().replace('`', ""));
                if resources.iter().any(|resource| resource != "*") {
                    for resource in resources {
                        let _ = writeln!(text, "     {}", safe(resource));
                    }
                }
                for line in lines(&permissions.needs).iter().filter(|line| line.need.on == *on) {
                    for action in &line.actions {
                        let _ = writeln!(text, "    {action:<46} {:<14} {}", line.need.known.word(), line.need.why);
                    }
                }
            }
            let _ = writeln!(text, "\n  {}", size(&permissions.documents));
            for (on, width) in &permissions.widened {
                let _ = writeln!(text, "  {}", widened(*on, *width));
            }
            if let Some(trust) = &phase.trust {
                let trust = serde_json::to_string_pretty(trust).unwrap_or_default().replace('\n', "\n    ");
                let _ = writeln!(text, "\n  trust policy\n    {}", safe_lines(&trust));
            }
            text.push('\n');
        }
    }
    text
}

fn safe_lines(text: &str) -> String {
    text.lines().map(|line| safe(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// How large the documents are.
fn size(documents: &[Document]) -> String {
    let characters: Vec<String> = documents.iter().map(|one| one.size().to_string()).collect();
    let (policies, sizes) = (documents.len(), characters.join(", "));
    let noun = if policies == 1 { "1 policy".to_owned() } else { format!("{policies} policies") };
    format!("{noun} of {sizes} characters; IAM takes {} each", document::LARGEST)
}

fn widened(on: On, width: Width) -> String {
    let how = match width {
        Width::Named => "by name",
        Width::Folders => "by their folders",
        Width::FirstFolders => "by their first folders",
        Width::All => "all of the account and region",
    };
    let most = document::MOST;
    format!(
        "{} are allowed {how}: by name, they would need more than the {most} policies that a role may have",
        on.words()
    )
}

/// For a comment or a page.
pub fn markdown(targets: &[TargetPermissions]) -> String {
    let mut text = String::new();
    for target in targets {
        for phase in &target.phases {
            let permissions = &phase.permissions;
            let _ = writeln!(text, "### {}: {}\n", permissions.phase.name, code_span(&title(target)));
            text.push_str(&table(&permissions.needs, false));
            text.push('\n');
            for (on, resources) in permissions.resources.iter().filter(|(_, names)| names.iter().any(|one| one != "*"))
            {
                let noun = count(resources.len(), "resource");
                let _ = writeln!(text, "<details><summary>{}: {noun}</summary>\n", on.words());
                for one in resources {
                    let _ = writeln!(text, "- {}", code_span(one));
                }
                text.push_str("\n</details>\n");
            }
            let _ = writeln!(text, "\n{}.", size(&permissions.documents));
            for (on, width) in &permissions.widened {
                let _ = writeln!(text, "\n{}.", widened(*on, *width));
            }
            text.push('\n');
        }
    }
    text
}

/// A table in Markdown. `general`: it also says what only some manifests need.
fn table(needs: &[Need], general: bool) -> String {
    let mut text = String::from("| action | on | for | known by |\n|---|---|---|---|\n");
    for line in lines(needs) {
        let actions = line.actions.iter().map(|action| cell(action)).collect::<Vec<_>>().join(", ");
        let Need { on, why, known, .. } = line.need;
        let when = on.when().filter(|_| general).map(|when| format!("; {when}")).unwrap_or_default();
        let _ = writeln!(text, "| {actions} | {} | {why}{when} | {} |", on.words(), known.word());
    }
    text
}

/// What a phase may need beside others, whatever a manifest says.
fn general(phase: &Phase, beside: &[&Phase]) -> String {
    let there: Vec<Need> = beside.iter().flat_map(|phase| phase.needs()).collect();
    let is_there = |need: &Need| there.iter().any(|other| (other.action, other.on) == (need.action, need.on));
    let mut needs: Vec<Need> = Vec::new();
    for need in phase.needs().filter(|need| !is_there(need)) {
        if needs.iter().all(|other| (other.action, other.on) != (need.action, need.on)) {
            needs.push(need);
        }
    }
    table(&needs, true)
}

/// What all phases may need, each beside those before it: for the documentation.
pub fn page() -> String {
    let mut text = String::new();
    let mut before: Vec<&Phase> = Vec::new();
    for phase in PHASES {
        let more = if before.is_empty() { "" } else { " Not said above:" };
        let _ = writeln!(
            text,
            "\n**{}** is for {}.{more}\n\n{}",
            phase.name,
            phase.who,
            general(phase, &before).trim_end()
        );
        before.push(phase);
    }
    let _ = writeln!(text, "\nHow IAM names what these are on:\n\n{}", forms());
    text
}

/// The forms of what is named in those tables.
fn forms() -> String {
    let mut text = String::from("| on | as IAM names it |\n|---|---|\n");
    let mut shown: Vec<On> = PHASES.iter().flat_map(|phase| phase.needs().map(|need| need.on)).collect();
    let mut seen = std::collections::BTreeSet::new();
    shown.retain(|on| seen.insert(*on));
    for on in shown {
        if let Some(form) = on.form() {
            let _ = writeln!(text, "| {} | `{form}` |", on.words());
        }
    }
    text
}
