//! A comparison as JSON: these types are the published format, versioned by `format_version`.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{Address, Kind};
use crate::plan::diff::{
    CodeFile, Consequence, Fate, FileChange, Finding, Group, Guard, GuardKind, Member, Subject, Turn,
};
use crate::plan::{FieldChange, Shown};

use super::super::safe_json;
use super::{Ambiguous, ComparedManifest, Comparison, Conversion, Presence};

const FORMAT_VERSION: &str = "1.0";

#[derive(Serialize)]
struct DiffJson<'a> {
    format_version: &'static str,
    before: &'a str,
    after: &'a str,
    /// Whether the manifests differ in meaning.
    differs: bool,
    files: Vec<File<'a>>,
    manifests: Vec<Manifest<'a>>,
    /// What a checkout makes of the files, as `.gitattributes` has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conversions: Vec<Converted<'a>>,
    /// Names of revisions that mean more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ambiguous: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Converted<'a> {
    attribute: &'a str,
    /// Whether any checkout may write other bytes than Git stores; else it depends on the machine.
    changes_bytes: bool,
    before: &'a [String],
    after: &'a [String],
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    taken: &'a str,
    others: &'a [String],
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    lines: usize,
}

#[derive(Serialize)]
struct Manifest<'a> {
    path: &'a str,
    project: &'a str,
    /// `both`, `moved`, `new` or `gone`.
    presence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<&'a str>,
    /// The manifest's own rules, limits and freezes that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guards: Vec<Protection<'a>>,
    differences: Vec<Difference<'a>>,
}

#[derive(Serialize)]
struct Protection<'a> {
    /// `policy.` and a rule's name, `limit.` and its word, `freeze`, or `acknowledge`.
    address: &'a str,
    /// `added`, `removed` or `changed`.
    kind: &'static str,
    /// `neutral`, `tightened`, `changed` or `weakened`.
    turn: &'static str,
    fields: Vec<Field<'a>>,
}

#[derive(Serialize)]
struct Difference<'a> {
    /// `target`, `function` or `secret`.
    subject: &'static str,
    /// `added`, `removed`, `renamed`, `changed`, `code` or `code-unknown`.
    kind: &'static str,
    /// How many have it, each counted once in each target.
    count: usize,
    targets: Vec<Option<&'a str>>,
    /// What differs in all members alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_files: Vec<Code<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// What becomes of what is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<&'static str>,
    consequences: Vec<Effect>,
    members: Vec<One<'a>>,
}

/// Values that are private are `null` and marked.
#[derive(Serialize)]
struct Field<'a> {
    path: Cow<'a, str>,
    before: Option<ValueJson<'a>>,
    after: Option<ValueJson<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    sensitive: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueJson<'a> {
    Text(&'a str),
    List(&'a [String]),
}

#[derive(Serialize)]
struct Code<'a> {
    path: &'a str,
    change: &'static str,
}

#[derive(Serialize)]
struct Effect {
    kind: &'static str,
    /// For how many of the members it holds.
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_hours: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_hours: Option<u32>,
}

#[derive(Serialize)]
struct One<'a> {
    /// Absent for targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    target: Option<&'a str>,
    /// The name on AWS; absent for targets.
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    /// The earlier handle, or the earlier name of a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_from: Option<&'a str>,
    /// Its own values, where members differ in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Field<'a>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The whole comparison, with all members.
pub fn comparison(comparison: &Comparison) -> String {
    let document = DiffJson {
        format_version: FORMAT_VERSION,
        before: &comparison.before,
        after: &comparison.after,
        differs: !comparison.is_empty(),
        files: comparison.files.iter().map(|file| File { path: &file.path, lines: file.lines }).collect(),
        manifests: comparison.manifests.iter().map(manifest).collect(),
        conversions: comparison.conversions.iter().map(converted).collect(),
        ambiguous: comparison.ambiguous.iter().map(named).collect(),
    };
    // Plain data with string keys always serializes.
    let mut text = safe_json(serde_json::to_string_pretty(&document).unwrap_or_default());
    text.push('\n');
    text
}

fn converted(conversion: &Conversion) -> Converted<'_> {
    Converted {
        attribute: &conversion.attribute,
        changes_bytes: conversion.is_changing,
        before: &conversion.before,
        after: &conversion.after,
    }
}

fn named(ambiguous: &Ambiguous) -> Named<'_> {
    Named { name: &ambiguous.name, taken: &ambiguous.taken, others: &ambiguous.others }
}

fn manifest(manifest: &ComparedManifest) -> Manifest<'_> {
    let (presence, moved_from) = match &manifest.presence {
        Presence::Both => ("both", None),
        Presence::Moved { from } => ("moved", Some(from.as_str())),
        Presence::New => ("new", None),
        Presence::Gone => ("gone", None),
    };
    Manifest {
        path: &manifest.path,
        project: &manifest.project,
        presence,
        moved_from,
        guards: manifest.guards.iter().map(protection).collect(),
        differences: manifest.groups.iter().map(difference).collect(),
    }
}

fn protection(guard: &Guard) -> Protection<'_> {
    let kind = match guard.kind {
        GuardKind::Added => "added",
        GuardKind::Removed => "removed",
        GuardKind::Changed => "changed",
    };
    let turn = match guard.turn {
        Turn::Neutral => "neutral",
        Turn::Tightened => "tightened",
        Turn::Changed => "changed",
        Turn::Weakened => "weakened",
    };
    Protection { address: &guard.address, kind, turn, fields: guard.fields.iter().map(field).collect() }
}

fn difference(group: &Group) -> Difference<'_> {
    let (mut fields, mut code_files, mut reason, mut fate) = (Vec::new(), Vec::new(), None, None);
    let kind = match &group.finding {
        Finding::Added { values } => {
            fields = values.iter().map(field).collect();
            "added"
        }
        Finding::Removed { fate: of } => {
            fate = Some(fate_word(*of));
            "removed"
        }
        Finding::Renamed { .. } => "renamed",
        Finding::Changed(change) => {
            fields.push(field(change));
            "changed"
        }
        Finding::Code { files } => {
            code_files = files.iter().map(code).collect();
            "code"
        }
        Finding::CodeUnknown { reason: why, .. } => {
            reason = Some(why.as_str());
            "code-unknown"
        }
    };
    Difference {
        subject: group.subject.word(),
        kind,
        count: group.members.len(),
        targets: group.targets().into_iter().map(|(target, _)| target).collect(),
        fields,
        code_files,
        reason,
        fate,
        consequences: group.consequences.iter().map(effect).collect(),
        members: group.members.iter().map(|member| one(group.subject, member)).collect(),
    }
}

fn field(change: &FieldChange) -> Field<'_> {
    fn value(shown: &Shown) -> Option<ValueJson<'_>> {
        match shown {
            Shown::Text(text) => Some(ValueJson::Text(text)),
            Shown::List(items) => Some(ValueJson::List(items)),
            Shown::Absent | Shown::Sensitive | Shown::Unknown => None,
        }
    }
    let sensitive = change.before == Shown::Sensitive || change.after == Shown::Sensitive;
    Field { path: change.attribute.path(), before: value(&change.before), after: value(&change.after), sensitive }
}

fn code(file: &CodeFile) -> Code<'_> {
    let change = match file.change {
        FileChange::Added => "added",
        FileChange::Removed => "removed",
        FileChange::Edited => "edited",
        FileChange::Mode => "mode",
    };
    Code { path: &file.path, change }
}

fn one(subject: Subject, member: &Member) -> One<'_> {
    let kind = match subject {
        Subject::Target => None,
        Subject::Function => Some(Kind::Function),
        Subject::Secret => Some(Kind::Secret),
        Subject::Rule => Some(Kind::Select),
    };
    One {
        address: kind.map(|kind| Address::new(member.target.as_deref(), kind, member.handle.as_str()).to_string()),
        target: member.target.as_deref(),
        name: &member.name,
        renamed_from: member.from.as_deref(),
        field: member.own.as_ref().map(field),
    }
}

fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Orphan => "orphan",
        Fate::Pruned => "pruned",
        Fate::LetGo => "let-go",
        Fate::Unmanaged => "unmanaged",
        Fate::Unseen => "unseen",
    }
}

fn effect((consequence, number): &(Consequence, usize)) -> Effect {
    let plain = |kind| Effect { kind, count: *number, fate: None, now: None, before_hours: None, after_hours: None };
    let with = |kind, fate| Effect { fate: Some(fate_word(fate)), ..plain(kind) };
    match consequence {
        Consequence::SwitchesOn { now } => Effect { now: Some(*now), ..plain("switches-on") },
        Consequence::StopsRotation => plain("stops-rotation"),
        Consequence::RotatesNow => plain("rotates-now"),
        Consequence::TestsNow => plain("tests-now"),
        Consequence::MayRotateOnOldSchedule => plain("may-rotate-on-old-schedule"),
        Consequence::WorstGap { before, after } => {
            Effect { before_hours: *before, after_hours: *after, ..plain("worst-gap") }
        }
        Consequence::NoLongerManaged => plain("no-longer-managed"),
        Consequence::ReplacesCode | Consequence::AnotherFunction => plain("replaces-code"),
        Consequence::AnotherSecret(fate) => with("another-secret", *fate),
        Consequence::AnotherStack(fate) => with("another-stack", *fate),
        Consequence::NameRefused => plain("name-refused"),
        Consequence::LeavesStack(fate) => with("leaves-stack", *fate),
        Consequence::DeletesVariable => plain("deletes-variable"),
        Consequence::InstructionOnly => plain("instruction-only"),
        Consequence::AnotherProject => plain("another-project"),
        Consequence::TakesOverProject => plain("takes-over-project"),
        Consequence::AttachesMatches { now } => Effect { now: Some(*now), ..plain("attaches-matches") },
        Consequence::LeavesRule(fate) => with("leaves-rule", *fate),
        Consequence::PrunesOrphans => plain("prunes-orphans"),
    }
}
