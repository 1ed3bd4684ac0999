//! How rotation does, for programs: JSON, and `JUnit` for pipelines that show tests.
//!
//! The JSON is a published format: a new member may come; none goes, and none changes its meaning within a version.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::status::{Cause, Control, Evidence, Fault, Reasons as Looked, SaidBy, SecretStatus, State, TargetStatus};

use super::junit::{case, xml};
use super::status::{fault_words, place, why, word};
use super::words::unread_words;
use super::{safe_json, said};

/// The version of the format.
const FORMAT_VERSION: &str = "1.0";

/// How the rotation of all that was asked about does.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator status")]
pub struct Document {
    /// The version of this format.
    format_version: &'static str,
    /// Whether something doesn't rotate as it should: then the command ends with 4.
    trouble: bool,
    /// Whether all could be read.
    complete: bool,
    /// One for each target.
    targets: Vec<Target>,
}

/// One account and region.
#[derive(Debug, Serialize, JsonSchema)]
struct Target {
    /// Its name in the manifest, where it has one.
    name: Option<String>,
    /// The account's twelve digits.
    account: String,
    /// The region.
    region: String,
    /// When AWS was read, as RFC 3339 in UTC.
    read_at: String,
    /// Where most secrets come from: `list` may be five minutes late, `descriptions` are of the moment.
    source: &'static str,
    /// How many secrets are in each state.
    counts: BTreeMap<&'static str, usize>,
    /// The secrets, worst first.
    secrets: Vec<Secret>,
    /// The functions that rotate them, those with faults first.
    functions: Vec<Function>,
    /// What could not be read.
    unread: Vec<Unread>,
    /// How far reasons were looked for, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Reasons>,
    /// The auditors' controls, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    controls: Option<Vec<ControlCount>>,
}

/// How far the reasons of failed rotations were looked for.
#[derive(Debug, Serialize, JsonSchema)]
struct Reasons {
    /// How many secrets' rotations may have failed.
    suspects: usize,
    /// For how many of them a failure was found.
    found: usize,
    /// How far back the events of `CloudTrail` were read, as RFC 3339 in UTC; absent where they weren't.
    events_since: Option<String>,
    /// Whether there are more events in the time that was asked for than were read.
    cut: bool,
    /// What could not be read.
    unread: Vec<Unread>,
}

/// A control of Security Hub's, computed from what was read.
#[derive(Debug, Serialize, JsonSchema)]
struct ControlCount {
    /// Such as `SecretsManager.1`.
    id: &'static str,
    /// The rule of AWS Config that it goes by.
    rule: &'static str,
    /// How many secrets fail it.
    failed: usize,
    /// How many more scanners count that are no fault: replicas, and secrets that a service rotates.
    no_fault: usize,
}

/// One secret.
#[derive(Debug, Serialize, JsonSchema)]
struct Secret {
    /// Its name on AWS.
    name: String,
    /// Its ARN, where AWS has it.
    arn: Option<String>,
    /// Its address, where a manifest names it.
    address: Option<String>,
    /// The ARN of the function that rotates it.
    function: Option<String>,
    /// `failing`, `stuck`, `overdue`, `missing`, `no-value`, `scheduled-for-deletion`, `off`, `never`, `in-progress`, `due`, `ok`, `replica`,
    /// `by-a-service`, `by-a-partner` or `unmanaged`.
    state: &'static str,
    /// Whether somebody must mend it.
    trouble: bool,
    /// Why it is in this state, in words.
    reason: String,
    /// Since when it is in trouble, as RFC 3339 in UTC.
    since: Option<String>,
    /// When it last rotated, as RFC 3339 in UTC.
    last_rotated: Option<String>,
    /// By when it rotates next, as RFC 3339 in UTC; in the past after failures.
    next_rotation: Option<String>,
    /// The rules of policies about its age (`rotated_within_days`) that it breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken_rules: Vec<String>,
    /// How its last try failed, where that was looked for and found.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// The auditors' controls that fail for it, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    controls: Option<Vec<Finding>>,
}

/// How a try of a rotation failed.
#[derive(Debug, Serialize, JsonSchema)]
struct Failure {
    /// When, as RFC 3339 in UTC.
    at: String,
    /// Who says so: `cloudtrail` or `log`.
    said_by: &'static str,
    /// The step, such as `setSecret`.
    step: Option<String>,
    /// The file of the function's own code that failed, as it is called in the package.
    file: Option<String>,
    /// The line in it, from 1.
    line: Option<u32>,
    /// The error's name.
    error: Option<String>,
}

/// A control that fails for a secret.
#[derive(Debug, Serialize, JsonSchema)]
struct Finding {
    /// Such as `SecretsManager.1`.
    id: &'static str,
    /// Whether scanners alone count it: what another rotates is no fault.
    no_fault: bool,
}

/// One function.
#[derive(Debug, Serialize, JsonSchema)]
struct Function {
    /// Its ARN, with the alias or version that secrets name.
    arn: String,
    /// How many secrets rotate with it.
    secrets: usize,
    /// Its runtime, where it has one.
    runtime: Option<String>,
    /// Whether it keeps secrets that were asked about from rotating.
    trouble: bool,
    /// What is wrong with it.
    faults: Vec<FunctionFault>,
}

/// What is wrong with a function.
#[derive(Debug, Serialize, JsonSchema)]
struct FunctionFault {
    /// `missing`, `failed`, `update-failed`, `not-permitted`, `denied`, `no-concurrency`, `runtime-stopped`, or `runtime-ends` where that day is ahead.
    fault: &'static str,
    /// The same in words.
    reason: String,
}

/// What could not be read.
#[derive(Debug, Serialize, JsonSchema)]
struct Unread {
    /// A secret's name or a function's ARN.
    what: String,
    /// Why, in words.
    reason: String,
}

/// The report as JSON, with a final newline; `with_controls`: with the auditors' controls.
pub fn json(targets: &[TargetStatus], is_complete: bool, with_controls: bool) -> String {
    let document = Document {
        format_version: FORMAT_VERSION,
        trouble: targets.iter().any(TargetStatus::has_trouble),
        complete: is_complete && targets.iter().all(TargetStatus::is_complete),
        targets: targets.iter().map(|status| target(status, with_controls)).collect(),
    };
    // Nothing in it fails to serialise: no map has keys that are no text.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    safe_json(text)
}

/// The format's schema.
pub fn status_schema() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<Document>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn target(status: &TargetStatus, with_controls: bool) -> Target {
    let mut counts = BTreeMap::new();
    for secret in &status.secrets {
        *counts.entry(state_word(secret.state)).or_default() += 1;
    }
    Target {
        name: status.target.clone(),
        account: status.account.clone(),
        region: status.region.clone(),
        read_at: rfc3339(status.read_at),
        source: if status.is_from_list { "list" } else { "descriptions" },
        counts,
        secrets: status.secrets.iter().map(|status| secret(status, with_controls)).collect(),
        functions: status.functions.iter().map(function).collect(),
        unread: status.unknowns().map(|(what, why)| unread(what, why)).collect(),
        reasons: status.reasons.as_ref().map(reasons),
        controls: with_controls
            .then(|| Control::ALL.into_iter().map(|control| control_count(status, control)).collect()),
    }
}

fn unread(what: &str, why: &crate::model::live::Unread) -> Unread {
    Unread { what: what.to_owned(), reason: unread_words(why) }
}

fn reasons(looked: &Looked) -> Reasons {
    Reasons {
        suspects: looked.suspects,
        found: looked.found,
        events_since: looked.events_since.map(rfc3339),
        cut: looked.is_cut,
        unread: looked.unread.iter().map(|(what, why)| unread(what, why)).collect(),
    }
}

fn control_count(status: &TargetStatus, control: Control) -> ControlCount {
    let findings = || status.secrets.iter().flat_map(|secret| &secret.controls).filter(|one| one.control == control);
    ControlCount {
        id: control.id(),
        rule: control.rule(),
        failed: findings().filter(|one| one.is_fault).count(),
        no_fault: findings().filter(|one| !one.is_fault).count(),
    }
}

fn failure(evidence: &Evidence) -> Failure {
    let Evidence { at, trouble, said_by } = evidence;
    Failure {
        at: rfc3339(*at),
        said_by: match said_by {
            SaidBy::Event => "cloudtrail",
            SaidBy::Log => "log",
        },
        step: trouble.step.map(|step| step.to_string()),
        file: trouble.place.as_ref().map(|place| place.file.clone()),
        line: trouble.place.as_ref().map(|place| place.line),
        error: trouble.error.as_ref().map(|error| error.name.clone()),
    }
}

fn secret(status: &SecretStatus, with_controls: bool) -> Secret {
    let found = || status.controls.iter().map(|one| Finding { id: one.control.id(), no_fault: !one.is_fault });
    let failed = if let Cause::Failed(evidence) = &status.cause { Some(failure(evidence)) } else { None };
    Secret {
        name: status.name.clone(),
        arn: status.arn.clone(),
        address: status.address.as_ref().map(ToString::to_string),
        function: status.function_arn.clone(),
        state: state_word(status.state),
        trouble: status.is_trouble,
        reason: why(status),
        since: status.since.map(rfc3339),
        last_rotated: status.last_rotated.map(rfc3339),
        next_rotation: status.next_rotation.map(rfc3339),
        broken_rules: status.broken.iter().map(|one| one.rule.clone()).collect(),
        failure: failed,
        controls: with_controls.then(|| found().collect()),
    }
}

fn function(status: &crate::status::FunctionStatus) -> Function {
    let fault = |fault: &Fault| FunctionFault { fault: fault_word(fault), reason: fault_words(fault) };
    Function {
        arn: status.arn.clone(),
        secrets: status.secrets,
        runtime: status.runtime.clone(),
        trouble: status.is_trouble(),
        faults: status.faults.iter().map(fault).collect(),
    }
}

/// A state's word for programs.
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Failing => "failing",
        State::Stuck => "stuck",
        State::Overdue => "overdue",
        State::Missing => "missing",
        State::NoValue => "no-value",
        State::ScheduledForDeletion => "scheduled-for-deletion",
        State::Off => "off",
        State::Never => "never",
        State::InProgress => "in-progress",
        State::Due => "due",
        State::Ok => "ok",
        State::Replica => "replica",
        State::ByAService => "by-a-service",
        State::ByAPartner => "by-a-partner",
        State::Unmanaged => "unmanaged",
    }
}

fn fault_word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Missing => "missing",
        Fault::Failed { .. } => "failed",
        Fault::UpdateFailed { .. } => "update-failed",
        Fault::NotPermitted { .. } => "not-permitted",
        Fault::Denied { .. } => "denied",
        Fault::NoConcurrency => "no-concurrency",
        Fault::RuntimeStopped(stop) if stop.is_over => "runtime-stopped",
        Fault::RuntimeStopped(_) => "runtime-ends",
    }
}

fn rfc3339(at: i64) -> String {
    said::rfc3339(at).unwrap_or_default()
}

/// The report as `JUnit` XML: a suite for each target, a test for each secret and function. What isn't known is an error, what nobody
/// asked to rotate is skipped.
/// <https://github.com/testmoapp/junitxml>
pub fn junit(targets: &[TargetStatus]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rotator status\">\n");
    for target in targets {
        let mut cases = String::new();
        let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
        for secret in &target.secrets {
            tests += 1;
            let name = secret.address.as_ref().map_or_else(|| secret.name.clone(), ToString::to_string);
            let reason = why(secret);
            let inner = if secret.is_trouble {
                failures += 1;
                format!(
                    "<failure type=\"{}\" message=\"{}\"/>",
                    state_word(secret.state),
                    xml(&format!("{}: {reason}", word(secret.state)))
                )
            } else if matches!(
                secret.state,
                State::InProgress | State::Due | State::Ok | State::ByAService | State::ByAPartner
            ) {
                String::new()
            } else {
                skipped += 1;
                format!("<skipped message=\"{}\"/>", xml(&format!("{}: {reason}", word(secret.state))))
            };
            case(&mut cases, "secrets", &name, &inner);
        }
        for function in &target.functions {
            tests += 1;
            let words: Vec<String> = function.faults.iter().map(fault_words).collect();
            let inner = if function.is_trouble() {
                failures += 1;
                let kind = function.faults.first().map(fault_word).unwrap_or_default();
                format!("<failure type=\"{kind}\" message=\"{}\"/>", xml(&words.join("; ")))
            } else if let Some(reason) = function.unread.first() {
                errors += 1;
                format!("<error message=\"{}\"/>", xml(&unread_words(reason)))
            } else {
                String::new()
            };
            case(&mut cases, "functions", &function.arn, &inner);
        }
        for (what, reason) in &target.unread {
            tests += 1;
            errors += 1;
            case(&mut cases, "secrets", what, &format!("<error message=\"{}\"/>", xml(&unread_words(reason))));
        }
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" timestamp=\"{}\">\n{cases}  </testsuite>",
            xml(&place(target)),
            rfc3339(target.read_at)
        );
    }
    out.push_str("</testsuites>\n");
    out
}
