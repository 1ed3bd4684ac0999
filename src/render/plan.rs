//! A plan as text, in Terraform's manner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anstyle::Style;
use similar::ChangeTag;

use crate::model::{Address, Kind};
use crate::plan::foreign::Foreign;
use crate::plan::{Action, Change, Effect, FieldChange, Note, NoteKind, Operation, Plan, Reason, Severity, Shown};

use super::{ADD, BOLD, CHANGE, DESTROY, DIM, WARNING, count, lines, package, paint, policy, problem, safe, some_of};

/// From this length on, a changed value is shown as a diff.
const LONG: usize = 60;

/// How a plan is introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `plan`.
    Plan,
    /// `apply`.
    Apply,
    /// `destroy`.
    Destroy,
}

/// How much of each change is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line for each kind of change, however many resources it concerns.
    Compact,
    /// All attributes; many resources that change in the same way are shown once.
    Grouped,
    /// All attributes of each resource.
    Full,
}

/// From how many resources on that change in the same way they are shown once.
const MANY: usize = 4;

/// How many names of such resources are shown.
const NAMES: usize = 8;

/// A whole plan.
pub fn plan(plan: &Plan, mode: Mode, detail: Detail) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint(BOLD, &heading(plan)));
    if plan.partial {
        let _ =
            writeln!(out, "\n{}: only what `--target` selects; orphans are not looked for.", paint(WARNING, "Partial"));
    }
    freezes(&mut out, plan);
    effects(&mut out, plan);
    foreign(&mut out, plan);
    if !plan.changes.is_empty() {
        legend(&mut out, plan);
        resources(&mut out, plan, detail);
    }
    problems(&mut out, plan);
    notes(&mut out, plan);
    summary(&mut out, plan, mode);
    out
}

/// Where a plan goes: the project, the account, the region.
pub fn heading(plan: &Plan) -> String {
    let target = plan.target.as_ref().map(|target| format!(", target {}", safe(target))).unwrap_or_default();
    format!(
        "Project {} in account {}, region {}{target}: {}, {}",
        safe(&plan.project),
        safe(&plan.account),
        safe(&plan.region),
        count(plan.functions, "function"),
        count(plan.secrets, "secret"),
    )
}

/// How many resources are added, changed, replaced, destroyed by the changes that will run.
pub fn counts(plan: &Plan) -> BTreeMap<Operation, usize> {
    counts_of(plan, |_| true)
}

/// The same of some resources.
pub fn counts_of(plan: &Plan, is_meant: impl Fn(&Address) -> bool) -> BTreeMap<Operation, usize> {
    let mut counts = BTreeMap::new();
    for (_, changes) in by_address(plan).into_iter().filter(|(address, _)| is_meant(address)) {
        let runnable: Vec<&Change> = changes.into_iter().filter(|change| !change.blocked).collect();
        if !runnable.is_empty() {
            *counts.entry(operation(&runnable)).or_insert(0) += 1;
        }
    }
    counts
}

/// The sentence that stands for an effect on some resources.
pub fn effect_on<'a>(effect: Effect, addresses: impl Iterator<Item = &'a Address>) -> String {
    let (functions, others): (Vec<&Address>, Vec<&Address>) =
        addresses.partition(|address| crate::plan::is_function(address));
    if effect != Effect::TakesOver || functions.is_empty() {
        return effect_words(effect, functions.len() + others.len());
    }
    // What is taken from another project is a stack; what is taken from another function, a secret.
    let is = if functions.len() == 1 { "stack is" } else { "stacks are" };
    let stacks = format!("{} {is} taken over from another project", functions.len());
    if others.is_empty() { stacks } else { format!("{stacks}; {}", effect_words(effect, others.len())) }
}

/// The sentence that stands for an effect on a number of resources, each of the kind that it is usual for.
pub fn effect_words(effect: Effect, number: usize) -> String {
    let (secrets, verb) = (count(number, "secret"), if number == 1 { "s" } else { "" });
    match effect {
        Effect::RotatesNow => format!("{secrets} rotate{verb} now"),
        Effect::TestsNow => format!("{secrets}: the function's testSecret step runs now"),
        Effect::MayRotateOnOldSchedule => format!("{secrets} may still rotate once on the old schedule"),
        Effect::ReplacesCode => format!("{} run{verb} other code", count(number, "function")),
        Effect::RotatesLessOften => format!("{secrets} rotate{verb} less often, at worst"),
        Effect::StopsRotation => format!("rotation stops for {secrets}"),
        Effect::TakesOver => {
            let is = if number == 1 { "is" } else { "are" };
            format!("{secrets} {is} taken over from functions that this manifest doesn't deploy")
        }
        Effect::OverridesFreeze => {
            let verb = if number == 1 { "overrides" } else { "override" };
            format!("{} {verb} a freeze", count(number, "change"))
        }
        Effect::OpensPermission => format!("Secrets Manager is let in to invoke {}", count(number, "function")),
        Effect::Deletes => {
            format!("{} deleted", if number == 1 { "1 stack is".to_owned() } else { format!("{number} stacks are") })
        }
    }
}

/// The freezes in force, and what they hold back: before everything else, as nothing else may come of the plan today.
fn freezes(out: &mut String, plan: &Plan) {
    for (index, (bad, text)) in policy::freezes(plan).into_iter().enumerate() {
        if index == 0 {
            out.push('\n');
        }
        let style = if bad { DESTROY } else { CHANGE };
        let _ = writeln!(out, "  ! {}", paint(style.bold(), &text));
    }
}

fn effects(out: &mut String, plan: &Plan) {
    let mut first = true;
    for effect in Effect::ALL {
        let affected = plan.affected(effect);
        if affected.is_empty() {
            continue;
        }
        if std::mem::take(&mut first) {
            out.push('\n');
        }
        let feared = matches!(effect, Effect::Deletes | Effect::StopsRotation | Effect::OverridesFreeze);
        let style = if feared { DESTROY } else { CHANGE };
        let words = paint(style.bold(), &effect_on(effect, affected.iter().map(|(address, _)| *address)));
        let names = some_of(affected.iter().map(|(_, name)| *name), 3);
        let _ = writeln!(out, "  ! {words}  {}", paint(DIM, &format!("({}: {names})", effect.word())));
    }
}

/// What functions use of others: on top, as it is other people's code.
fn foreign(out: &mut String, plan: &Plan) {
    let mut is_first = plan.runnable().all(|change| change.effects.is_empty());
    for (foreign, address) in foreigners(plan) {
        if std::mem::take(&mut is_first) {
            out.push('\n');
        }
        let words = paint(DESTROY.bold(), &foreign_words(foreign));
        let about = address.map(|address| safe(&address.to_string()).into_owned()).unwrap_or_default();
        let _ = writeln!(out, "  ! {words}  {}", paint(DIM, &format!("({about})")));
    }
}

/// What is said on top of a plan of other accounts, with what uses it.
pub(super) fn foreigners(plan: &Plan) -> impl Iterator<Item = (&Foreign, Option<&Address>)> {
    plan.notes.iter().filter_map(|note| match &note.kind {
        NoteKind::Foreign(foreign) => Some((foreign, note.address.as_ref())),
        _ => None,
    })
}

/// What belongs to another account, in words.
pub(super) fn foreign_words(foreign: &Foreign) -> String {
    let name = safe(&foreign.name);
    match &foreign.account {
        Some(account) => {
            format!("the {} {name} is of the account {}, which no target names", foreign.kind.word(), safe(account))
        }
        None => format!("the code comes from the S3 bucket {name}, and AWS doesn't say whose that is"),
    }
}

fn legend(out: &mut String, plan: &Plan) {
    let used: BTreeSet<Operation> = by_address(plan).iter().map(|(_, changes)| operation(changes)).collect();
    let symbols: Vec<String> = used
        .into_iter()
        .map(|operation| {
            let word = match operation {
                Operation::Add => "add",
                Operation::Change => "change",
                Operation::Replace => "delete, then add",
                Operation::Destroy => "remove",
            };
            format!("{} {word}", symbol(operation))
        })
        .collect();
    let _ = writeln!(out, "\nActions are indicated with these symbols:  {}", symbols.join("   "));
}

fn symbol(operation: Operation) -> String {
    let (style, text) = match operation {
        Operation::Add => (ADD, "+"),
        Operation::Change => (CHANGE, "~"),
        Operation::Replace => (DESTROY, "-/+"),
        Operation::Destroy => (DESTROY, "-"),
    };
    paint(style, text)
}

/// The class of a resource with all its changes: a new function with its code and permission is one addition.
pub(super) fn operation(changes: &[&Change]) -> Operation {
    let all: BTreeSet<Operation> = changes.iter().map(|change| change.action.operation()).collect();
    if all.contains(&Operation::Replace) {
        return Operation::Replace;
    }
    if changes.iter().any(|change| matches!(change.action, Action::DeployStack { .. })) {
        return Operation::Add;
    }
    match all.first() {
        Some(&only) if all.len() == 1 && (only != Operation::Add || !crate::plan::is_function(&changes[0].address)) => {
            only
        }
        _ => Operation::Change,
    }
}

fn by_address(plan: &Plan) -> Vec<(Address, Vec<&Change>)> {
    let mut order: Vec<(Address, Vec<&Change>)> = Vec::new();
    let mut places: BTreeMap<&Address, usize> = BTreeMap::new();
    for change in &plan.changes {
        let place = *places.entry(&change.address).or_insert_with(|| {
            order.push((change.address.clone(), Vec::new()));
            order.len() - 1
        });
        order[place].1.push(change);
    }
    order
}

/// All resources that change, those that change in the same way once, at the place of the first.
fn resources(out: &mut String, plan: &Plan, detail: Detail) {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<(Address, Vec<&Change>)>> = BTreeMap::new();
    for (address, changes) in by_address(plan) {
        let key = match detail {
            Detail::Compact => sentence(&changes),
            Detail::Grouped => body(&changes),
            Detail::Full => address.to_string(),
        };
        let key = format!("{:?} {key}", address.kind);
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push((address, changes));
    }
    if detail == Detail::Compact {
        out.push('\n');
    }
    for group in order.iter().filter_map(|key| groups.get(key)) {
        let Some((first, changes)) = group.first() else { continue };
        let names = || some_of(group.iter().map(|(address, _)| address.handle.as_str()), NAMES);
        match detail {
            Detail::Compact => {
                let who = if let [(address, _)] = &group[..] {
                    safe(&address.to_string()).into_owned()
                } else {
                    format!("{} ({})", count(group.len(), noun(first)), names())
                };
                let _ = writeln!(out, "  {} {}: {}", symbol(operation(changes)), paint(BOLD, &who), sentence(changes));
            }
            _ if group.len() < MANY => group.iter().for_each(|(address, changes)| resource(out, address, changes)),
            _ => {
                let title = format!("{}: {}", count(group.len(), noun(first)), names());
                let _ = writeln!(out, "\n  {} {}", paint(DIM, "#"), paint(BOLD, &title));
                let _ = writeln!(out, "  {} {}", symbol(operation(changes)), paint(BOLD, "each of them"));
                out.push_str(&body(changes));
            }
        }
    }
}

fn noun(address: &Address) -> &'static str {
    match address.kind {
        Kind::Function => "function",
        Kind::Secret | Kind::LiveSecret => "secret",
        Kind::OrphanStack => "orphaned stack",
        Kind::OrphanSecret => "orphaned secret",
        Kind::Policy => "policy",
        Kind::Limit => "limit",
        Kind::Freeze => "freeze",
    }
}

/// All that is done to a resource, in one line.
fn sentence(changes: &[&Change]) -> String {
    let parts: Vec<String> =
        changes.iter().map(|change| format!("{}{}", action_words(change), reason_words(change))).collect();
    let blocked = if changes.iter().all(|change| change.blocked) { " (left out of an apply)" } else { "" };
    format!("{}{blocked}", parts.join("; "))
}

/// What is done to a resource, without its name.
fn body(changes: &[&Change]) -> String {
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

fn resource(out: &mut String, address: &Address, changes: &[&Change]) {
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

pub(super) fn action_words(change: &Change) -> String {
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
            format!("rotation will be switched on{}", immediately(request.rotate_immediately))
        }
        Action::UpdateRotation(request) => format!("rotation will change{}", immediately(request.rotate_immediately)),
        Action::DisableRotation => "rotation will be switched off".to_owned(),
    }
}

fn immediately(now: bool) -> &'static str {
    if now { ", and the secret rotates now" } else { ", and the function's testSecret step runs now" }
}

pub(super) fn reason_words(change: &Change) -> String {
    match &change.reason {
        Reason::Orphaned => ": no handle names it any more".to_owned(),
        Reason::FailedStack { status } => format!(": it is in {}", safe(status)),
        Reason::FunctionGone => ": its function is gone".to_owned(),
        Reason::Renamed { from } => format!(": the project was called {}", safe(from)),
        Reason::Adopt => ": it has no project's tag yet".to_owned(),
        Reason::Missing | Reason::Differs | Reason::Deployed | Reason::Removed | Reason::Destroyed => String::new(),
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

fn problems(out: &mut String, plan: &Plan) {
    for severity in [Severity::Warning, Severity::Error] {
        // One message for each kind of problem, however many resources it concerns, keeps a large plan readable.
        let mut groups: Vec<(String, problem::Words, Vec<String>)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for found in plan.problems.iter().filter(|found| found.severity == severity) {
            let words = problem::words(found, &plan.region);
            let key = format!("{words:?}");
            let place = *places.entry(key.clone()).or_insert_with(|| {
                groups.push((key, words, Vec::new()));
                groups.len() - 1
            });
            groups[place].2.push(policy::about(found));
        }
        for (_, words, addresses) in groups {
            out.push('\n');
            out.push_str(&problem::render(severity, &words, &some_of(addresses.iter().map(String::as_str), 5)));
        }
    }
}

fn notes(out: &mut String, plan: &Plan) {
    // What is of others stands on top already.
    let notes = || plan.notes.iter().filter(|note| !matches!(note.kind, NoteKind::Foreign(_)));
    if notes().next().is_none() {
        return;
    }
    out.push('\n');
    // As with problems: one line for each thing worth knowing, however many resources it concerns.
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for note in notes() {
        let text = note_words(note);
        let place = *places.entry(text.clone()).or_insert_with(|| {
            groups.push((text, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.extend(note.address.as_ref().map(ToString::to_string));
    }
    for (text, addresses) in groups {
        let about = some_of(addresses.iter().map(String::as_str), 5);
        let about = if about.is_empty() { about } else { format!("{about}: ") };
        let _ = writeln!(out, "{} {about}{text}", paint(BOLD, "note:"));
    }
}

/// A note in words, without what it concerns.
pub fn note_words(note: &Note) -> String {
    match &note.kind {
        NoteKind::OrphanSecret { function } => {
            format!("rotates with {} and no handle names it; `--prune` switches its rotation off", safe(function))
        }
        NoteKind::OrphanStack { rotating } => {
            let rotating = match rotating {
                None => String::new(),
                Some(1) => " (1 secret rotates with its function)".to_owned(),
                Some(number) => format!(" ({number} secrets rotate with its function)"),
            };
            format!("has this project's tag and no handle names it{rotating}; `--prune` deletes it")
        }
        NoteKind::OrphansNotChecked { unread: Some(unread) } => {
            format!("orphans not checked: {}", problem::unread_words(unread))
        }
        NoteKind::OrphansNotChecked { unread: None } => "orphans not checked".to_owned(),
        NoteKind::NotManaged { live, on } => {
            let state = if *on { "on" } else { "off" };
            let stays = live.as_ref().filter(|_| *on).map(|rules| format!(", {}", safe(&rules.to_string())));
            format!("the schedule is not managed; rotation stays {state}{}", stays.unwrap_or_default())
        }
        NoteKind::KeepsReference => "rotation is off; AWS keeps the reference to the function".to_owned(),
        NoteKind::SharedWith { secrets } => {
            let verb = if *secrets == 1 { "rotates" } else { "rotate" };
            format!("shared: {} of other manifests {verb} with it", count(*secrets, "secret"))
        }
        NoteKind::NewerVersion { version, newest } => {
            format!("the application has version {}; {} is newer", safe(version), safe(newest))
        }
        NoteKind::NotOurs { function } => format!("left alone: it belongs to {}", safe(function)),
        NoteKind::StackStays => {
            "its stack stays: with a filter, whether other secrets rotate with it isn't known; a removal without one deletes it"
                .to_owned()
        }
        NoteKind::Exempted { secrets, reason, until, at } => policy::exempted(secrets, reason, *until, at),
        NoteKind::LimitOverridden(exceeded) => policy::overridden(exceeded),
        NoteKind::FreezeOverridden(frozen) => policy::freeze_overridden(frozen),
        NoteKind::FreezeHoldsNothing(frozen) => policy::freeze_holds_nothing(frozen),
        NoteKind::FreezeLeftOver(freeze) => policy::freeze_left_over(freeze),
        NoteKind::Foreign(foreign) => foreign_words(foreign),
        NoteKind::LeftOut { parts } => package::left_out(parts),
        NoteKind::NotExecutable { files } => {
            let (files, it) = (some_of(files.iter().map(String::as_str), 5), if files.len() == 1 { "it" } else { "them" });
            format!("can be executed on AWS and not here, which alone replaces no code: {files}; `chmod +x` keeps {it} so")
        }
        NoteKind::UnscopedPermission { .. } => {
            "the stack's own statement lets Secrets Manager invoke it for any account, not only this one".to_owned()
        }
    }
}

fn summary(out: &mut String, plan: &Plan, mode: Mode) {
    out.push('\n');
    if plan.changes.is_empty() {
        let rest = match mode {
            Mode::Destroy => "Nothing of this project is there.",
            _ if plan.has_errors() => "What could be compared is as the manifest says.",
            _ => "AWS is as the manifest says.",
        };
        let _ = writeln!(out, "{} {rest}", paint(ADD.bold(), "No changes."));
        return;
    }
    let counts = counts(plan);
    let number = |operation| counts.get(&operation).copied().unwrap_or(0);
    let replaced = number(Operation::Replace);
    let _ = write!(
        out,
        "{} {} to add, {} to change, {} to destroy",
        paint(BOLD, "Plan:"),
        number(Operation::Add) + replaced,
        number(Operation::Change),
        number(Operation::Destroy) + replaced,
    );
    let left_out = by_address(plan).iter().filter(|(_, changes)| changes.iter().any(|change| change.blocked)).count();
    if left_out > 0 {
        let _ = write!(out, ", {left_out} left out because of errors");
    }
    out.push_str(".\n");
    if let Some(who) = policy::refusal_words(&plan.refusals()) {
        let words = paint(DESTROY.bold(), "None of this will be applied:");
        let _ = writeln!(out, "{words} {who}, as said above.");
    }
}
