//! A plan as text, in Terraform's manner.

mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::model::Address;
use crate::plan::foreign::Foreign;
use crate::plan::{Action, Change, Effect, NoteKind, Operation, Plan, Severity, Way};

pub(super) use change::noun;
pub use change::value;
pub(super) use change::{action_words, reason_words};
use change::{body, resource, sentence};

use super::alike::{self, ABOUT};
use super::command::{Route, There};
use super::effect::effect_on;
use super::note::{foreign_words, note_words};
use super::{ADD, BOLD, CHANGE, DESTROY, DIM, WARNING, count, paint, rules, safe, some_of};

/// How a plan is introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `plan`.
    Plan,
    /// `apply`.
    Apply,
    /// `destroy`.
    Destroy,
    /// `rotate`.
    Rotate,
    /// `repair`, by one of its ways.
    Repair(Way),
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

/// How many names stand beside an effect, unless all are asked for.
const AFFECTED: usize = 3;

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
    effects(&mut out, plan, if detail == Detail::Full { usize::MAX } else { AFFECTED });
    foreign(&mut out, plan);
    if !plan.changes.is_empty() {
        legend(&mut out, plan);
        resources(&mut out, plan, detail);
    }
    let most = if detail == Detail::Full { usize::MAX } else { ABOUT };
    problems(&mut out, plan, most);
    notes(&mut out, plan, most);
    summary(&mut out, plan, mode);
    out
}

/// Plans of several targets: those that do nothing and say nothing are one line each, and a total stands at the end.
pub fn plans(all: &[&Plan], mode: Mode, detail: Detail) -> String {
    if let [only] = all {
        return plan(only, mode, detail);
    }
    let mut out = String::new();
    for (index, one) in all.iter().enumerate() {
        let is_quiet = is_quiet(one);
        // Between two that are one line each, none is left free.
        if index > 0 && !(is_quiet && self::is_quiet(all[index - 1])) {
            out.push('\n');
        }
        if is_quiet {
            let _ = writeln!(out, "{}. {}", heading(one), paint(ADD.bold(), "No changes."));
        } else {
            out.push_str(&plan(one, mode, detail));
        }
    }
    if !all.is_empty() {
        let totals = Totals::all(all.iter().copied());
        let unchanged = all.iter().filter(|one| one.changes.is_empty()).count();
        let _ = write!(out, "\n{} {}: {}", paint(BOLD, "All"), count(all.len(), "target"), totals.words());
        out.push_str(&totals.left_out_words());
        if unchanged > 0 {
            let _ = write!(out, "; {unchanged} without changes");
        }
        out.push_str(".\n");
    }
    out
}

/// Whether a plan has nothing to do, and nothing to say.
fn is_quiet(plan: &Plan) -> bool {
    plan.changes.is_empty()
        && plan.problems.is_empty()
        && plan.notes.is_empty()
        && !plan.partial
        && rules::freezes(plan).is_empty()
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
        // A test changes nothing.
        let counts_for = |change: &&Change| !change.blocked && !matches!(change.action, Action::TestFunction(_));
        let runnable: Vec<&Change> = changes.into_iter().filter(counts_for).collect();
        if !runnable.is_empty() {
            *counts.entry(operation(&runnable)).or_insert(0) += 1;
        }
    }
    counts
}

/// What plans do, in numbers of resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    add: usize,
    change: usize,
    destroy: usize,
    /// Secrets that stay, and whose rotation is switched off.
    switch_off: usize,
    /// Resources that an apply leaves out because of errors.
    left_out: usize,
}

impl Totals {
    /// Of one plan.
    pub fn of(plan: &Plan) -> Self {
        let counts = counts(plan);
        let number = |operation| counts.get(&operation).copied().unwrap_or(0);
        let replaced = number(Operation::Replace);
        let all = by_address(plan);
        let ends = |changes: &[&Change]| {
            let mut runnable = changes.iter().filter(|change| !change.blocked).peekable();
            runnable.peek().is_some() && runnable.all(|change| matches!(change.action, Action::DisableRotation))
        };
        let switch_off = all.iter().filter(|(_, changes)| ends(changes)).count();
        let left_out = all.iter().filter(|(_, changes)| changes.iter().any(|change| change.blocked)).count();
        Self {
            add: number(Operation::Add) + replaced,
            change: number(Operation::Change),
            destroy: (number(Operation::Destroy) + replaced).saturating_sub(switch_off),
            switch_off,
            left_out,
        }
    }

    /// Of all these plans.
    pub fn all<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        plans.into_iter().map(Self::of).fold(Self::default(), |sum, one| Self {
            add: sum.add + one.add,
            change: sum.change + one.change,
            destroy: sum.destroy + one.destroy,
            switch_off: sum.switch_off + one.switch_off,
            left_out: sum.left_out + one.left_out,
        })
    }

    /// `2 to add, 0 to change, 1 to destroy, 1 rotation to switch off`.
    pub fn words(&self) -> String {
        let Self { add, change, destroy, switch_off, .. } = self;
        let mut words = format!("{add} to add, {change} to change, {destroy} to destroy");
        if *switch_off > 0 {
            let _ = write!(words, ", {} to switch off", count(*switch_off, "rotation"));
        }
        words
    }

    /// `, 3 left out because of errors`; nothing where none is.
    fn left_out_words(&self) -> String {
        if self.left_out == 0 { String::new() } else { format!(", {} left out because of errors", self.left_out) }
    }
}

/// The freezes in force, and what they hold back: before everything else, as nothing else may come of the plan today.
fn freezes(out: &mut String, plan: &Plan) {
    for (index, (bad, text)) in rules::freezes(plan).into_iter().enumerate() {
        if index == 0 {
            out.push('\n');
        }
        let style = if bad { DESTROY } else { CHANGE };
        let _ = writeln!(out, "  ! {}", paint(style.bold(), &text));
    }
}

fn effects(out: &mut String, plan: &Plan, most: usize) {
    let mut first = true;
    for effect in Effect::ALL {
        let affected = plan.affected(effect);
        if affected.is_empty() {
            continue;
        }
        if std::mem::take(&mut first) {
            out.push('\n');
        }
        let feared =
            matches!(effect, Effect::Deletes | Effect::StopsRotation | Effect::OverridesFreeze | Effect::DropsPending);
        let style = if feared { DESTROY } else { CHANGE };
        let words = paint(style.bold(), &effect_on(effect, affected.iter().map(|(address, _)| *address)));
        let names = some_of(affected.iter().map(|(_, name)| *name), most);
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

fn problems(out: &mut String, plan: &Plan, most: usize) {
    for severity in [Severity::Warning, Severity::Error] {
        // One message for each kind of problem, however many resources it concerns, keeps a large plan readable.
        let found = plan.problems.iter().filter(|found| found.severity == severity);
        let found = found.map(|found| (found, There::of(plan)));
        for group in alike::groups(found, most == usize::MAX) {
            out.push('\n');
            out.push_str(&group.render(severity, most));
        }
    }
}

fn notes(out: &mut String, plan: &Plan, most: usize) {
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
        let text = note_words(note, Route::of(plan));
        let place = *places.entry(text.clone()).or_insert_with(|| {
            groups.push((text, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.extend(note.address.as_ref().map(ToString::to_string));
    }
    for (text, addresses) in groups {
        let about = some_of(addresses.iter().map(String::as_str), most);
        let about = if about.is_empty() { about } else { format!("{about}: ") };
        let _ = writeln!(out, "{} {about}{text}", paint(BOLD, "note:"));
    }
}

fn summary(out: &mut String, plan: &Plan, mode: Mode) {
    out.push('\n');
    if plan.changes.is_empty() {
        // Under errors, what stands first would be read as "all is well".
        let (style, first, rest) = match mode {
            _ if plan.has_errors() => {
                (WARNING, "Nothing to do but for the errors above.", "What could be compared is as the manifest says.")
            }
            Mode::Destroy => (ADD.bold(), "No changes.", "Nothing of this project is there."),
            Mode::Rotate => (ADD.bold(), "No changes.", "There is nothing to rotate."),
            Mode::Repair(_) => (ADD.bold(), "No changes.", "There is nothing to repair."),
            _ => (ADD.bold(), "No changes.", "AWS is as the manifest says."),
        };
        let _ = writeln!(out, "{} {rest}", paint(style, first));
        return;
    }
    let totals = Totals::of(plan);
    let _ = write!(out, "{} ", paint(BOLD, "Plan:"));
    let _ = match mode {
        Mode::Rotate => write!(out, "{} to rotate", count(totals.change, "secret")),
        Mode::Repair(_) => write!(out, "{} to repair", count(totals.change, "secret")),
        Mode::Plan | Mode::Apply | Mode::Destroy => out.write_str(&totals.words()),
    };
    out.push_str(&totals.left_out_words());
    out.push_str(".\n");
    if let Some(who) = rules::refusal_words(&plan.refusals()) {
        let words = paint(DESTROY.bold(), "None of this will be applied:");
        let _ = writeln!(out, "{words} {who}, as said above.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{desired, empty_live, live};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    /// Without it, a fleet's plan would be pages of targets to which nothing happens, and nowhere its sum.
    #[test]
    fn targets_without_changes_are_a_line_each_and_a_total_ends_it() {
        let converge = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let destroy = PlanOptions { purpose: Purpose::Destroy, partial: false };
        let mut same = make_plan(&desired(), &live(), converge);
        same.notes.clear();
        same.problems.clear();
        let new = make_plan(&desired(), &empty_live(), converge);
        let gone = make_plan(&desired(), &live(), destroy);
        let text = plain(&plans(&[&same, &new, &same, &same], Mode::Plan, Detail::Compact));
        let unchanged = format!("{}. No changes.\n", plain(&heading(&same)));
        assert_eq!(text.matches(&unchanged).count(), 3, "{text}");
        assert!(text.contains(&format!("{unchanged}{unchanged}")), "those in a row stand together: {text}");
        assert!(text.ends_with("; 3 without changes.\n") && text.contains("\nAll 4 targets: "), "{text}");
        // To switch a rotation off destroys no secret.
        let words = Totals::of(&gone).words();
        assert_eq!(words, "0 to add, 0 to change, 1 to destroy, 1 rotation to switch off");
        assert_eq!(
            plain(&plans(&[&gone], Mode::Destroy, Detail::Full)),
            plain(&plan(&gone, Mode::Destroy, Detail::Full))
        );
    }

    /// Without it, the names that a plan leaves out could be had nowhere.
    #[test]
    fn all_names_can_be_had() {
        let converge = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let (mut many, mut live) = (desired(), empty_live());
        let found = live.secrets.values().next().cloned().expect("a secret");
        let one = many.secrets.values().next().cloned().expect("a secret");
        for number in 0..12 {
            let name = format!("many/{number:02}");
            live.secrets.insert(name.clone(), found.clone());
            many.secrets.insert(name.clone(), crate::model::Secret { name, ..one.clone() });
        }
        let made = make_plan(&many, &live, converge);
        let grouped = plain(&plan(&made, Mode::Plan, Detail::Grouped));
        assert!(grouped.contains(" more"), "{grouped}");
        let full = plain(&plan(&made, Mode::Plan, Detail::Full));
        assert!(!full.contains(" more") && full.contains("many/11"), "{full}");
    }
}
