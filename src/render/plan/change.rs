//! The changes of one resource as text: what is done, why, and each attribute.

use std::fmt::Write as _;

use anstyle::Style;
use similar::ChangeTag;

use super::{operation, symbol};
use crate::model::{Address, Kind};
use crate::plan::{Action, Change, Effect, FieldChange, Reason, Repair, Shown, Way};
use crate::render::select::by_rules;
use crate::render::{ADD, BOLD, CHANGE, DESTROY, DIM, lines, paint, safe};

/// From this length on, a changed value is shown as a diff.
const LONG: usize = 60;

pub(in crate::render) fn noun(address: &Address) -> &'static str {
    match address.kind {
        Kind::Function => "function",
        Kind::Secret | Kind::LiveSecret => "secret",
        Kind::OrphanStack => "orphaned stack",
        Kind::OrphanSecret => "orphaned secret",
        Kind::Policy => "policy",
        Kind::Limit => "limit",
        Kind::Freeze => "freeze",
        Kind::Select => "rule",
    }
}

/// All that is done to a resource, in one line.
pub(super) fn sentence(changes: &[&Change]) -> String {
    let parts: Vec<String> =
        changes.iter().map(|change| format!("{}{}", action_words(change), reason_words(change))).collect();
    let blocked = if changes.iter().all(|change| change.blocked) { " (left out of an apply)" } else { "" };
    format!("{}{blocked}", parts.join("; "))
}

/// What is done to a resource, without its name.
pub(super) fn body(changes: &[&Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let _ = writeln!(out, "  {} {}{}", paint(DIM, "#"), action_words(change), reason_words(change));
    }
    if changes.iter().all(|change| change.blocked) {
        let _ = writeln!(out, "  {} {}", paint(DIM, "#"), paint(DESTROY, "left out of an apply: see the error below"));
    }
    for field in changes.iter().flat_map(|change| &change.fields) {
        field_lines(&mut out, field);
    }
    out
}

pub(super) fn resource(out: &mut String, address: &Address, changes: &[&Change]) {
    let blocked = changes.iter().all(|change| change.blocked);
    let name = &changes[0].name;
    let shown = if *name == address.handle { String::new() } else { format!(" ({})", safe(name)) };
    let title = format!("{}{shown}", safe(&address.to_string()));
    let _ = writeln!(out, "\n  {} {}", paint(DIM, "#"), paint(BOLD, &title));
    for change in changes {
        let _ = writeln!(out, "  {} {}{}", paint(DIM, "#"), action_words(change), reason_words(change));
    }
    if blocked {
        let _ = writeln!(out, "  {} {}", paint(DIM, "#"), paint(DESTROY, "left out of an apply: see the error below"));
    }
    let _ = writeln!(out, "  {} {}", symbol(operation(changes)), safe(&address.to_string()));
    for change in changes {
        for field in &change.fields {
            field_lines(out, field);
        }
    }
}

pub(in crate::render) fn action_words(change: &Change) -> String {
    match &change.action {
        Action::DeployStack { replaces: Some(_), .. } => "the stack will be deleted and deployed again".to_owned(),
        Action::DeployStack { .. } => "will be deployed from the application".to_owned(),
        Action::UpdateStack { .. } => {
            "the stack will be updated; configuration and code are compared again after it".to_owned()
        }
        Action::TagStack { .. } => match change.reason {
            Reason::Adopt => "the stack will be adopted".to_owned(),
            Reason::Removed => "the stack will be let go: the tag goes, the rest stays".to_owned(),
            _ => "the stack's tags will change".to_owned(),
        },
        Action::DeleteStack { .. } => "the stack will be deleted, with its function".to_owned(),
        Action::UpdateConfiguration => "the configuration will change".to_owned(),
        Action::UpdateCode => "the code will be uploaded".to_owned(),
        Action::AddPermission { .. } if change.reason == Reason::Deployed => {
            "Secrets Manager will be permitted to invoke it, unless the stack permits it already".to_owned()
        }
        Action::AddPermission { replace: true } => "Secrets Manager's permission will be replaced".to_owned(),
        Action::AddPermission { .. } => "Secrets Manager will be permitted to invoke it".to_owned(),
        Action::EnableRotation(request) => {
            format!("rotation will be switched on{}", at_once(change, request.rotate_immediately))
        }
        Action::UpdateRotation(request) => {
            format!("rotation will change{}", at_once(change, request.rotate_immediately))
        }
        Action::TestFunction(_) => "nothing changes, and the function's testSecret step runs".to_owned(),
        Action::DisableRotation => "rotation will be switched off".to_owned(),
        Action::RotateNow(_) if change.effects.contains(&Effect::StartsRotation) => {
            "rotation will be switched on, and the secret rotates now".to_owned()
        }
        Action::RotateNow(_) => "the secret rotates now".to_owned(),
        Action::Repair(repair) => repair_words(repair),
    }
}

/// What a way out of a stuck rotation does.
fn repair_words(repair: &Repair) -> String {
    let version = safe(&repair.version);
    match repair.way {
        Way::Retry => format!("Secrets Manager will try the rotation of version {version} again"),
        Way::Promote => format!("version {version}, which is pending, becomes the current one"),
        Way::Drop => {
            let label = safe(repair.label.as_deref().unwrap_or_default());
            format!("version {version} gets the label {label}, and is pending no more")
        }
    }
}

/// What happens at once. Where no function is tested, AWS rotates the secret by itself.
fn at_once(change: &Change, now: bool) -> &'static str {
    if now {
        ", and the secret rotates now"
    } else if change.effects.contains(&Effect::TestsNow) {
        ", and the function's testSecret step runs now"
    } else {
        "; AWS rotates the secret by itself, at its next window"
    }
}

pub(in crate::render) fn reason_words(change: &Change) -> String {
    match &change.reason {
        Reason::Orphaned => ": no handle names it any more".to_owned(),
        Reason::FailedStack { status } => format!(": it is in {}", safe(status)),
        Reason::FunctionGone => ": its function is gone".to_owned(),
        Reason::Renamed { from } => format!(": the project was called {}", safe(from)),
        Reason::Adopt => ": it has no project's tag yet".to_owned(),
        Reason::FunctionChanges => ": its function changes".to_owned(),
        Reason::Untested => ": its function has changed, and wasn't tested well since".to_owned(),
        Reason::Missing | Reason::Differs if !change.rules.is_empty() => {
            format!(": {}", by_rules(&change.rules, ("means it", "mean it")))
        }
        Reason::Missing | Reason::Differs | Reason::Deployed | Reason::Removed | Reason::Destroyed | Reason::Asked => {
            String::new()
        }
    }
}

fn field_lines(out: &mut String, field: &FieldChange) {
    let path = field.attribute.path();
    let path = safe(&path);
    match (&field.before, &field.after) {
        (Shown::List(before), Shown::List(after)) => {
            let _ = writeln!(out, "      {} {path}:", paint(CHANGE, "~"));
            let (before, after): (Vec<&str>, Vec<&str>) =
                (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
            diff_lines(out, &before, &after);
        }
        (Shown::Text(before), Shown::Text(after))
            if before.len().max(after.len()) >= LONG || before.contains('\n') || after.contains('\n') =>
        {
            let _ = writeln!(out, "      {} {path}:", paint(CHANGE, "~"));
            diff_lines(out, &lines::of(before), &lines::of(after));
        }
        (Shown::Absent, after) => one_line(out, ADD, "+", &path, &value(after)),
        (before, Shown::Absent) => one_line(out, DESTROY, "-", &path, &value(before)),
        (before, after) => {
            one_line(out, CHANGE, "~", &path, &format!("{} -> {}", value(before), value(after)));
        }
    }
}

fn one_line(out: &mut String, style: Style, symbol: &str, path: &str, value: &str) {
    let _ = writeln!(out, "      {} {path} = {value}", paint(style, symbol));
}

fn diff_lines(out: &mut String, before: &[&str], after: &[&str]) {
    for (tag, line) in lines::merged(before, after) {
        let (style, symbol) = match tag {
            ChangeTag::Delete => (DESTROY, "-"),
            ChangeTag::Insert => (ADD, "+"),
            ChangeTag::Equal => (DIM, " "),
        };
        let line = safe(line.trim_end_matches('\n'));
        let _ = writeln!(out, "          {}", paint(style, &format!("{symbol} {line}")));
    }
}

/// A value as a line of text.
pub fn value(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "(none)".to_owned(),
        Shown::Text(text) if text.parse::<u64>().is_ok() || text == "true" || text == "false" => text.clone(),
        Shown::Text(text) => format!("\"{}\"", safe(text)),
        Shown::List(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("\"{}\"", safe(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Shown::Sensitive => "(sensitive value)".to_owned(),
        Shown::Unknown => "(known after apply)".to_owned(),
    }
}
