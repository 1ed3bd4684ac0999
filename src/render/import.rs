//! What an import did, or would do: for people, and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::import::{LeftOut, Outcome};

use super::import_terraform::{FromTerraform, Section};
use super::words::unread_words;
use super::{count, safe, safe_json, some_of};

/// The version of the format.
const FORMAT_VERSION: &str = "1.0";

/// How many names a reason has in a report.
const NAMES: usize = 5;

/// A place, and what came of it.
#[derive(Debug, Clone)]
pub struct PlaceReport<'a> {
    /// The target's name, where it has one.
    pub target: Option<&'a str>,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// What came of it.
    pub outcome: &'a Outcome,
}

/// A file that is written, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Its path, as the root's is given.
    pub path: String,
    /// What it holds, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// The places, in the manifest's order.
    pub places: Vec<PlaceReport<'a>>,
    /// Targets that are the same account and region as one before, and were left out: theirs, and that one's.
    pub same: Vec<(String, String)>,
    /// The files.
    pub files: Vec<FileReport>,
    /// Whether they were only printed.
    pub is_dry: bool,
    /// The pattern that the root has to include for them to count.
    pub to_include: Option<String>,
    /// What came of Terraform's state.
    pub terraform: Option<FromTerraform<'a>>,
    /// How many secrets each rule holds, by its handle and its pattern of names; `None` where none was asked for.
    pub rules: Option<BTreeMap<(String, String), usize>>,
}

/// Why a secret is left out.
pub fn why(left_out: &LeftOut) -> String {
    match left_out {
        LeftOut::Never => "rotation was never switched on".to_owned(),
        LeftOut::Off => "rotation is switched off".to_owned(),
        LeftOut::Service { service, rotates: false } => {
            format!("the service {} owns it, and its rotation is off", safe(service))
        }
        LeftOut::Service { service, rotates: true } => {
            format!("AWS rotates it for {}, under a name that this version can't write", safe(service))
        }
        LeftOut::Partner { kind } => {
            format!("a partner holds it ({}), and its rotation is off", safe(kind))
        }
        LeftOut::Replica { primary } => format!("a copy of a secret of {}, where it rotates", safe(primary)),
        LeftOut::ScheduledForDeletion => "AWS is about to delete it".to_owned(),
        LeftOut::NoFunction => "AWS says that it rotates, and not by what".to_owned(),
        LeftOut::FunctionGone { function } => {
            format!("its function {} isn't there any more, so that it can't rotate", safe(function))
        }
        LeftOut::FunctionFailed { function } => {
            format!("Lambda can't run its function {}, so that it can't rotate", safe(function))
        }
        LeftOut::OtherProject { function, project } => {
            format!("its function {} belongs to the project {}, which doesn't share it", safe(function), safe(project))
        }
        LeftOut::SameFunction { function } => {
            format!("its function {} can't stand beside another one of that name", safe(function))
        }
        LeftOut::Function { function, reason } => {
            format!("its function {} can't be named here: {}", safe(function), safe(reason))
        }
        LeftOut::Name { reason } => format!("it can't be named here: {}", safe(reason)),
        LeftOut::Schedule { reason } => format!("its schedule can't be written here: {}", safe(reason)),
        LeftOut::Released => "the manifest lets go of it: `removed`".to_owned(),
    }
}

/// The names by reason, the commonest reason first.
pub fn by_reason(left_out: &[(String, String, LeftOut)]) -> Vec<(String, Vec<&str>)> {
    let mut reasons: BTreeMap<&LeftOut, Vec<&str>> = BTreeMap::new();
    for (name, _, reason) in left_out {
        reasons.entry(reason).or_default().push(name);
    }
    let mut reasons: Vec<(String, Vec<&str>)> =
        reasons.into_iter().map(|(reason, names)| (why(reason), names)).collect();
    reasons.sort_by_key(|(_, names)| usize::MAX - names.len());
    reasons
}

/// For people.
pub fn text(report: &Report<'_>) -> String {
    let mut out = String::new();
    for place in &report.places {
        let outcome = place.outcome;
        let target = place.target.map(|target| format!(", target {}", safe(target))).unwrap_or_default();
        let (account, region) = (safe(place.account), safe(place.region));
        let _ = writeln!(out, "Account {account}, region {region}{target}: {}", count(outcome.secrets, "secret"));
        if !outcome.written.is_empty() {
            let word = if report.is_dry { "to write" } else { "written" };
            let functions = count(outcome.functions.len(), "function");
            let _ = writeln!(out, "  {} {word}, with {functions}", outcome.written.len());
        }
        if outcome.managed > 0 {
            let _ = writeln!(out, "  {} named already", outcome.managed);
        }
        if !outcome.left_out.is_empty() {
            let _ = writeln!(out, "  {} left out:", outcome.left_out.len());
            for (reason, names) in by_reason(&outcome.left_out) {
                let shown = some_of(names.iter().copied(), NAMES);
                let _ = writeln!(out, "    {}: {reason}: {shown}", names.len());
            }
        }
        if let Some(unread) = &outcome.stacks_unread {
            let _ = writeln!(
                out,
                "  stacks couldn't be listed, so that comments don't name them: {}",
                unread_words(unread)
            );
        }
    }
    match &report.rules {
        Some(rules) if rules.is_empty() => {
            out.push_str("No rule: in no folder do three secrets or more rotate alike, with one function, and nothing beside them.\n");
        }
        rules => {
            for ((handle, pattern), secrets) in rules.iter().flatten() {
                let _ = writeln!(out, "Rule {}: {}, {}", safe(handle), safe(pattern), count(*secrets, "secret"));
            }
        }
    }
    for (target, first) in &report.same {
        let _ =
            writeln!(out, "Target {}: the account and region of {}, and nothing of its own", safe(target), safe(first));
    }
    if report.files.is_empty() {
        out.push_str("Nothing to write.\n");
    } else if !report.is_dry {
        let files: Vec<_> = report.files.iter().map(|file| safe(&file.path)).collect();
        let _ = writeln!(out, "Wrote {}", files.join(", "));
    }
    if let Some(pattern) = &report.to_include {
        let _ = writeln!(out, "The root doesn't include them yet: add `{}` to its `include`.", safe(pattern));
    }
    if let Some(from) = &report.terraform {
        out.push_str(&super::import_terraform::text(from));
    }
    out
}

/// The published format, versioned by `format_version`.
#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    /// Whether nothing was written.
    dry_run: bool,
    targets: Vec<Target<'a>>,
    files: &'a [FileReport],
    /// The pattern that the root has to include.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_include: Option<&'a str>,
    /// What came of Terraform's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform: Option<Section<'a>>,
    /// The rules of `select` that are written in place of entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<Rule<'a>>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    handle: &'a str,
    names: &'a str,
    secrets: usize,
}

#[derive(Serialize)]
struct Target<'a> {
    name: Option<&'a str>,
    account: &'a str,
    region: &'a str,
    secrets: usize,
    managed: usize,
    written: &'a [String],
    functions: Vec<&'a str>,
    /// How many are left out for each reason.
    counts: BTreeMap<&'static str, usize>,
    left_out: Vec<Left<'a>>,
}

impl<'a> Target<'a> {
    fn of(place: &'a PlaceReport<'a>) -> Self {
        Self {
            name: place.target,
            account: place.account,
            region: place.region,
            secrets: place.outcome.secrets,
            managed: place.outcome.managed,
            written: &place.outcome.written,
            functions: place.outcome.functions.iter().map(String::as_str).collect(),
            counts: place.outcome.left_out.iter().fold(BTreeMap::new(), |mut counts, (.., why_not)| {
                *counts.entry(why_not.word()).or_default() += 1;
                counts
            }),
            left_out: place.outcome.left_out.iter().map(Left::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct Left<'a> {
    name: &'a str,
    arn: &'a str,
    reason: &'static str,
    words: String,
}

impl<'a> Left<'a> {
    fn of((name, arn, why_not): &'a (String, String, LeftOut)) -> Self {
        Self { name, arn, reason: why_not.word(), words: why(why_not) }
    }
}

/// For programs.
pub fn json(report: &Report<'_>) -> String {
    let document = Document {
        format_version: FORMAT_VERSION,
        dry_run: report.is_dry,
        targets: report.places.iter().map(Target::of).collect(),
        files: &report.files,
        to_include: report.to_include.as_deref(),
        terraform: report.terraform.as_ref().map(Section::of),
        rules: report.rules.as_ref().map(|rules| {
            rules.iter().map(|((handle, names), secrets)| Rule { handle, names, secrets: *secrets }).collect()
        }),
    };
    pretty(&document)
}

/// Secrets of a place that don't rotate: name, ARN, and why.
pub type Unrotated = Vec<(String, String, LeftOut)>;

/// What doesn't rotate, for people: one a line, with the region where there are several.
pub fn unrotated_text(places: &[(String, Unrotated)]) -> String {
    let mut out = String::new();
    for (region, secrets) in places {
        let region = if places.len() > 1 { format!("{} ", safe(region)) } else { String::new() };
        for (name, _, reason) in secrets {
            let _ = writeln!(out, "{region}{}  {}", safe(name), why(reason));
        }
    }
    out
}

/// What doesn't rotate, for programs.
pub fn unrotated_json(places: &[(String, Unrotated)]) -> String {
    #[derive(Serialize)]
    struct Secret<'a> {
        region: &'a str,
        #[serde(flatten)]
        secret: Left<'a>,
    }
    #[derive(Serialize)]
    struct All<'a> {
        format_version: &'static str,
        unrotated: Vec<Secret<'a>>,
    }
    let unrotated = places
        .iter()
        .flat_map(|(region, secrets)| secrets.iter().map(move |secret| Secret { region, secret: Left::of(secret) }));
    pretty(&All { format_version: FORMAT_VERSION, unrotated: unrotated.collect() })
}

fn pretty(document: &impl Serialize) -> String {
    safe_json(serde_json::to_string_pretty(document).unwrap_or_default() + "\n")
}
