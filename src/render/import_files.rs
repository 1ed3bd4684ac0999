//! The files that an import writes: a root, and a part for each function.

use std::fmt::Write as _;

use crate::import::{
    Draft, Field, FunctionEntry, FunctionWord, Group, LeftOut, Remark, RuleEntry, SecretEntry, Source,
};

use super::import::by_reason;
use super::yaml::{comment, list, quoted, scalar};
use super::{count, safe};

/// How many names a reason has in a comment.
const NAMES: usize = 50;

/// A target of a new root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTarget {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
}

/// A new root manifest. `include`: the pattern of its parts.
pub fn root(project: &str, include: &str, targets: &[NewTarget], draft: &Draft) -> String {
    let mut out = comment(
        "",
        "Written by `rotator import` from what AWS has. It is yours: its plan is empty until you change something.",
    );
    let _ = writeln!(out, "version: 1\nproject: {}", scalar(project));
    let _ = writeln!(
        out,
        "include: [{}]  # a part for each function; a later import adds parts, and changes none",
        quoted(include)
    );
    out.push_str("targets:\n");
    for target in targets {
        let (name, region) = (scalar(&target.name), scalar(&target.region));
        let _ = writeln!(out, "  {name}: {{region: {region}, account: {}}}", quoted(&target.account));
    }
    if let Some(rules) = &draft.defaults {
        let fields = rotation(&Field::of(rules));
        let _ = writeln!(out, "defaults:\n  secrets: {{rotation: {fields}}}  # the commonest; parts say what differs");
    }
    let mut left_out = String::new();
    for (target, place) in targets.iter().zip(&draft.places) {
        left_out.push_str(&left_out_of(&target.name, &place.left_out, targets.len() > 1));
    }
    if !left_out.is_empty() {
        out.push('\n');
        out.push_str(&comment("", "Not managed here, by reason:"));
        out.push_str(&left_out);
    }
    out
}

/// What a place leaves out, by reason, the commonest first.
fn left_out_of(target: &str, left_out: &[(String, String, LeftOut)], names_target: bool) -> String {
    let mut out = String::new();
    for (reason, names) in by_reason(left_out) {
        let place = if names_target { format!("{target}: ") } else { String::new() };
        let names = super::some_of(names.iter().copied(), NAMES);
        out.push_str(&comment("", &format!("- {place}{reason}: {names}")));
    }
    out
}

/// The part of a group.
pub fn part(group: &Group) -> String {
    let mut out = match &group.handle {
        Some(handle) => comment("", &format!("What rotates with {}.", safe(handle))),
        None => comment("", "What AWS rotates without a function of yours."),
    };
    if !group.defaults.is_empty() {
        let _ = writeln!(out, "defaults:\n  secrets: {{rotation: {}}}", rotation(&group.defaults));
    }
    if let Some(function) = &group.function {
        let _ = write!(out, "functions:\n{}", function_entry(function));
    }
    if !group.select.is_empty() {
        out.push_str("select:\n");
    }
    group.select.iter().for_each(|rule| out.push_str(&rule_entry(rule)));
    if !group.secrets.is_empty() {
        out.push_str("secrets:\n");
    }
    for secret in &group.secrets {
        out.push_str(&secret_entry(secret));
    }
    out
}

fn rule_entry(entry: &RuleEntry) -> String {
    let mut out =
        comment("  ", &format!("holds {} now, and what is made there from now on", count(entry.count(), "secret")));
    let mut fields = vec![
        format!("match: {{names: [{}]}}", quoted(&entry.pattern())),
        format!("function: {}", scalar(&entry.function)),
    ];
    fields.extend((!entry.targets.is_empty()).then(|| format!("targets: {}", texts(&entry.targets))));
    fields.push(format!("rotation: {}", rotation(&entry.rotation)));
    let _ = writeln!(out, "  {}: {{{}}}", scalar(&entry.handle), fields.join(", "));
    out
}

fn function_entry(entry: &FunctionEntry) -> String {
    let mut out = String::new();
    for (target, remark) in &entry.remarks {
        let place = target.as_ref().map(|target| format!("{target}: ")).unwrap_or_default();
        out.push_str(&comment("  ", &format!("{place}{}", remark_words(remark))));
    }
    let mut fields = Vec::new();
    match &entry.source {
        Source::Existing(reference) => fields.push(format!("existing: {}", scalar(reference))),
        Source::Adopted { name, stack, code } => {
            let is_default = *stack == name.replace('_', "-");
            let states_name = *name != entry.handle || entry.states_name;
            fields.extend(states_name.then(|| format!("name: {}", scalar(name))));
            fields.extend((!is_default || entry.states_name).then(|| format!("stack: {}", scalar(stack))));
            fields.extend(code.as_ref().map(|code| format!("code: {}", scalar(code))));
        }
    }
    fields.extend(entry.nulls.iter().map(|field| format!("{field}: null")));
    fields.extend((!entry.targets.is_empty()).then(|| format!("targets: {}", texts(&entry.targets))));
    let _ = writeln!(out, "  {}: {{{}}}", scalar(&entry.handle), fields.join(", "));
    out
}

fn secret_entry(entry: &SecretEntry) -> String {
    let mut out = String::new();
    for remark in &entry.remarks {
        out.push_str(&comment("  ", &of_secret(remark)));
    }
    let mut fields = Vec::new();
    fields.extend(entry.name.as_ref().map(|name| format!("name: {}", scalar(name))));
    match &entry.function {
        FunctionWord::Handle(handle) => fields.push(format!("function: {}", scalar(handle))),
        FunctionWord::Null => fields.push("function: null".to_owned()),
        FunctionWord::Absent => {}
    }
    fields.extend((!entry.targets.is_empty()).then(|| format!("targets: {}", texts(&entry.targets))));
    fields.extend((!entry.rotation.is_empty()).then(|| format!("rotation: {}", rotation(&entry.rotation))));
    let _ = writeln!(out, "  {}: {{{}}}", scalar(&entry.handle), fields.join(", "));
    out
}

fn texts(all: &[String]) -> String {
    list(all.iter().map(String::as_str))
}

fn rotation(fields: &[Field]) -> String {
    let one = |field: &Field| match field {
        Field::Days(days) => format!("automatically_after_days: {days}"),
        Field::Expression(text) => format!("schedule_expression: {}", quoted(text)),
        Field::Duration(Some(hours)) => format!("duration: {hours}h"),
        Field::Duration(None) => "duration: null".to_owned(),
        Field::Enabled => "enabled: true".to_owned(),
    };
    format!("{{{}}}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// What people should know of a function.
fn remark_words(remark: &Remark) -> String {
    match remark {
        Remark::OfRepository { stack, is_generic } => {
            let stack = safe(stack);
            let adopt = if *is_generic { "; `rotator import --adopt` writes such a function as deployed" } else { "" };
            format!(
                "made by the stack {stack} of the Serverless Application Repository: deleting it stops this rotation{adopt}"
            )
        }
        Remark::OfStack { stack } => {
            format!("made by the CloudFormation stack {}: deleting it stops this rotation", safe(stack))
        }
        Remark::OfTerraform => {
            "its tags say that Terraform manages it: what it destroys stops this rotation".to_owned()
        }
        Remark::InTerraform { address } => {
            format!("Terraform manages it as {}: what it destroys stops this rotation", safe(address))
        }
        Remark::OtherAccount { account } => format!("a function of the account {}", safe(account)),
        Remark::SharedBy { project } => format!("of the project {}, which shares it", safe(project)),
        Remark::Unread { action } => match action {
            Some(action) => format!("it couldn't be read ({}): who made it isn't known", safe(action)),
            None => "it couldn't be read: who made it isn't known".to_owned(),
        },
        Remark::Unfinished => of_secret(remark),
    }
}

/// What people should know of a secret.
fn of_secret(remark: &Remark) -> String {
    match remark {
        Remark::OfStack { stack } => {
            let stack = safe(stack);
            format!("made by the CloudFormation stack {stack}: an update of that may set another rotation")
        }
        Remark::OfTerraform => "its tags say that Terraform manages it: don't let both manage its rotation".to_owned(),
        Remark::Unfinished => "a rotation of it hasn't finished: `rotator status` says more".to_owned(),
        other => remark_words(other),
    }
}
