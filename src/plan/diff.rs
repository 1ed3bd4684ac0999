//! Two desired states of one manifest, compared: what a change of its files means after expansion.
//!
//! AWS isn't looked at. Consequences are those that follow from the manifests alone, where AWS is as the earlier one says;
//! only a plan knows whether it is.

mod finding;
mod group;
mod guards;
mod moved;
mod select;
mod values;

use std::collections::BTreeMap;

use crate::model::schedule::worst_gap_hours;
use crate::model::{Address, CodeSource, Deployment, Desired, Function, Kind, Secret};

use super::planner::runs_other_code;
use super::{Attribute, FieldChange, Shown};

pub use finding::{CodeFile, Consequence, Difference, Fate, FileChange, Finding, Subject};
pub use group::{Group, Member, group};
pub use guards::{Guard, GuardKind, Own, Turn, guards};
use moved::Moved;
use values::{function_values, secret_values, target_values};

/// Compares the targets of one manifest before and after a change. Either side is empty where there is no manifest.
///
/// A target, function or secret that has another handle and is the same on AWS counts as renamed; a secret also where another target
/// of the same account and region has it now.
pub fn compare(before: &[Desired], after: &[Desired]) -> Vec<Difference> {
    let mut found = Vec::new();
    let pairs = pair_targets(before, after);
    let moved = &Moved::between(&pairs);
    for (old, new) in pairs {
        match (old, new) {
            (Some(old), Some(new)) => Pair { old, new, moved }.compare(&mut found),
            (Some(old), None) => gone(old, moved, &mut found),
            (None, Some(new)) => Pair { old: &Desired::default(), new, moved }.arrive(&mut found),
            (None, None) => {}
        }
    }
    found
}

type Sides<'a> = (Option<&'a Desired>, Option<&'a Desired>);

/// Targets by name; of the others, those that are one account and region; a single one is the single one.
fn pair_targets<'a>(before: &'a [Desired], after: &'a [Desired]) -> Vec<Sides<'a>> {
    let mut left: Vec<&Desired> = before.iter().collect();
    let mut pairs: Vec<Sides<'a>> = after
        .iter()
        .map(|new| {
            let same = left.iter().position(|old| old.target.name == new.target.name);
            (same.map(|at| left.remove(at)), Some(new))
        })
        .collect();
    let place = |desired: &Desired| {
        let target = &desired.target;
        target.account.clone().map(|account| (account, target.region.clone()))
    };
    for (old, new) in pairs.iter_mut().filter(|(old, _)| old.is_none()) {
        let wanted = new.and_then(place);
        if let Some(at) = left.iter().position(|other| wanted.is_some() && place(other) == wanted) {
            *old = Some(left.remove(at));
        }
    }
    // A manifest that names its only target, or stops doing so, goes where it went as far as anyone can tell.
    let unnamed = |desired: &[Desired]| desired.len() == 1 && desired[0].target.name.is_none();
    if before.len() == 1 && after.len() == 1 && (unnamed(before) || unnamed(after)) {
        return vec![(before.first(), after.first())];
    }
    pairs.extend(left.into_iter().map(|old| (Some(old), None)));
    pairs
}

/// A target that no plan looks at any more.
fn gone(old: &Desired, moved: &Moved<'_>, found: &mut Vec<Difference>) {
    let difference = |subject, handle: &str, name: &str| Difference {
        subject,
        target: old.target.name.clone(),
        handle: handle.to_owned(),
        name: name.to_owned(),
        finding: Finding::Removed { fate: Fate::Unseen },
        consequences: Vec::new(),
    };
    found.push(difference(Subject::Target, "", ""));
    found.extend(old.functions.iter().map(|(handle, f)| difference(Subject::Function, handle, &f.name)));
    found.extend(old.select.keys().map(|handle| difference(Subject::Rule, handle, handle)));
    let left = old.secrets.iter().filter(|(_, secret)| !moved.has_left(old, &secret.name));
    found.extend(left.map(|(handle, secret)| difference(Subject::Secret, handle, &secret.name)));
}

/// One target, before and after.
#[derive(Clone, Copy)]
struct Pair<'a> {
    old: &'a Desired,
    new: &'a Desired,
    moved: &'a Moved<'a>,
}

impl Pair<'_> {
    fn difference(&self, subject: Subject, handle: &str, name: &str, finding: Finding) -> Difference {
        Difference {
            subject,
            target: self.new.target.name.clone(),
            handle: handle.to_owned(),
            name: name.to_owned(),
            finding,
            consequences: Vec::new(),
        }
    }

    fn arrive(&self, found: &mut Vec<Difference>) {
        let values = target_values(self.new).added();
        found.push(self.difference(Subject::Target, "", "", Finding::Added { values }));
        self.functions(found);
        self.secrets(found);
        self.rules(found);
    }

    fn compare(&self, found: &mut Vec<Difference>) {
        self.target(found);
        self.functions(found);
        self.secrets(found);
        self.rules(found);
    }

    fn target(&self, found: &mut Vec<Difference>) {
        if let (Some(old), Some(new)) = (&self.old.target.name, &self.new.target.name)
            && old != new
        {
            found.push(self.difference(Subject::Target, "", "", Finding::Renamed { from: old.clone() }));
        }
        let values = (target_values(self.old), target_values(self.new));
        for change in values.0.changes(&values.1) {
            let consequences = match change.attribute.path().as_ref() {
                "project" if self.new.renamed_from.as_deref() == Some(&self.old.project) => {
                    vec![Consequence::TakesOverProject]
                }
                "project" => vec![Consequence::AnotherProject],
                "prune" if self.new.prune => vec![Consequence::PrunesOrphans],
                _ => Vec::new(),
            };
            let difference = self.difference(Subject::Target, "", "", Finding::Changed(change));
            found.push(Difference { consequences, ..difference });
        }
    }

    fn functions(&self, found: &mut Vec<Difference>) {
        let (old, new) = (&self.old.functions, &self.new.functions);
        let mut gone: Vec<&String> = old.keys().filter(|handle| !new.contains_key(*handle)).collect();
        for (handle, function) in new {
            if let Some(before) = old.get(handle) {
                self.function(handle, before, function, found);
                continue;
            }
            let is_it = |former: &&String| old[*former].name == function.name;
            if let Some(at) = gone.iter().position(is_it) {
                let former = gone.remove(at);
                let finding = Finding::Renamed { from: former.clone() };
                found.push(self.difference(Subject::Function, handle, &function.name, finding));
                self.function(handle, &old[former], function, found);
                continue;
            }
            let values = function_values(function).added();
            found.push(self.difference(Subject::Function, handle, &function.name, Finding::Added { values }));
        }
        for handle in gone {
            let fate = self.fate_of_function(handle, &old[handle]);
            let difference = self.difference(Subject::Function, handle, &old[handle].name, Finding::Removed { fate });
            found.push(difference);
        }
    }

    fn function(&self, handle: &str, old: &Function, new: &Function, found: &mut Vec<Difference>) {
        let values = (function_values(old), function_values(new));
        for change in values.0.changes(&values.1) {
            let consequences = self.of_function(handle, (old, new), &change);
            let difference = self.difference(Subject::Function, handle, &new.name, Finding::Changed(change));
            found.push(Difference { consequences, ..difference });
        }
        let (Some(old), Some(deployed)) = (old.deployment(), new.deployment()) else { return };
        if let Some(finding) = code_difference(old, deployed) {
            let replaced = matches!(finding, Finding::Code { .. });
            let consequences = if replaced { vec![Consequence::ReplacesCode] } else { Vec::new() };
            let difference = self.difference(Subject::Function, handle, &new.name, finding);
            found.push(Difference { consequences, ..difference });
        }
    }

    fn of_function(&self, handle: &str, sides: (&Function, &Function), change: &FieldChange) -> Vec<Consequence> {
        let (old, new) = (sides.0.deployment(), sides.1.deployment());
        let same_stack = matches!((old, new), (Some(old), Some(new)) if old.stack == new.stack);
        match &change.attribute {
            Attribute::Other(path) if path == "existing" && old.is_some() => {
                vec![Consequence::LeavesStack(self.fate_of_function(handle, sides.0))]
            }
            Attribute::Stack if old.is_some() && new.is_some() => {
                vec![Consequence::AnotherStack(self.fate_of_function(handle, sides.0))]
            }
            Attribute::Other(path) if path == "name" && same_stack => vec![Consequence::NameRefused],
            Attribute::CodeHash if change.before != Shown::Absent && change.after != Shown::Absent => {
                vec![Consequence::ReplacesCode]
            }
            attribute if change.after == Shown::Absent && new.is_some() && old.is_some() && stays(attribute) => {
                vec![Consequence::NoLongerManaged]
            }
            Attribute::Variable(_) if change.after == values::deleted() => {
                let deletes = [Consequence::DeletesVariable];
                deletes.into_iter().chain(runs_other_code(change).then_some(Consequence::ReplacesCode)).collect()
            }
            attribute
                if old.is_some() && new.is_some() && (*attribute == Attribute::Version || runs_other_code(change)) =>
            {
                vec![Consequence::ReplacesCode]
            }
            _ => Vec::new(),
        }
    }

    fn secrets(&self, found: &mut Vec<Difference>) {
        let (old, new) = (&self.old.secrets, &self.new.secrets);
        // By name on AWS: a fleet that gets other handles is paired in one pass.
        let gone = old.iter().filter(|(handle, _)| !new.contains_key(*handle));
        let mut gone: BTreeMap<&str, &String> = gone.map(|(handle, secret)| (secret.name.as_str(), handle)).collect();
        for (handle, secret) in new {
            if let Some(before) = old.get(handle) {
                self.secret(handle, before, secret, found);
                continue;
            }
            if let Some(from) = gone.remove(secret.name.as_str()) {
                let finding = Finding::Renamed { from: from.clone() };
                found.push(self.difference(Subject::Secret, handle, &secret.name, finding));
                self.secret(handle, &old[from], secret, found);
                continue;
            }
            if let Some((there, former)) = self.moved.source(self.new, &secret.name) {
                let from = Address::new(there.target.name.as_deref(), Kind::Secret, former).to_string();
                found.push(self.difference(Subject::Secret, handle, &secret.name, Finding::Renamed { from }));
                Pair { old: there, ..*self }.secret(handle, &there.secrets[former], secret, found);
                continue;
            }
            let values = secret_values(secret).added();
            let difference = self.difference(Subject::Secret, handle, &secret.name, Finding::Added { values });
            let on = secret.rotation.enabled == Some(true);
            let now = secret.rotation.rotate_immediately.unwrap_or(true);
            let consequences = if on { vec![Consequence::SwitchesOn { now }] } else { Vec::new() };
            found.push(Difference { consequences, ..difference });
        }
        for handle in gone.into_values().filter(|handle| !self.moved.has_left(self.old, &old[*handle].name)) {
            let fate = self.fate_of_secret(handle, &old[handle]);
            found.push(self.difference(Subject::Secret, handle, &old[handle].name, Finding::Removed { fate }));
        }
    }

    fn secret(&self, handle: &str, old: &Secret, new: &Secret, found: &mut Vec<Difference>) {
        let values = (secret_values(old), secret_values(new));
        for change in values.0.changes(&values.1) {
            if change.attribute == Attribute::Function && self.same_function(old, new) {
                continue;
            }
            let consequences = self.of_secret(handle, old, new, &change);
            let difference = self.difference(Subject::Secret, handle, &new.name, Finding::Changed(change));
            found.push(Difference { consequences, ..difference });
        }
    }

    /// Whether two handles are one function on AWS: then only the function's handle changed, which is said there.
    fn same_function(&self, old: &Secret, new: &Secret) -> bool {
        let name = |desired: &Desired, secret: &Secret| {
            secret.function.as_ref().and_then(|handle| desired.functions.get(handle)).map(|f| f.name.clone())
        };
        let (old, new) = (name(self.old, old), name(self.new, new));
        old.is_some() && old == new
    }

    fn of_secret(&self, handle: &str, old: &Secret, new: &Secret, change: &FieldChange) -> Vec<Consequence> {
        let on = new.rotation.enabled == Some(true);
        let stays_on = on && old.rotation.enabled == Some(true);
        let now = new.rotation.rotate_immediately;
        let sent = if now == Some(true) { Consequence::RotatesNow } else { Consequence::TestsNow };
        match &change.attribute {
            Attribute::Other(path) if path == "name" => {
                vec![Consequence::AnotherSecret(self.fate_of_secret(handle, old))]
            }
            Attribute::Function if stays_on && new.function.is_some() => vec![sent, Consequence::AnotherFunction],
            Attribute::Enabled => match new.rotation.enabled {
                Some(true) => vec![Consequence::SwitchesOn { now: now.unwrap_or(true) }],
                Some(false) => vec![Consequence::StopsRotation],
                None => vec![Consequence::NoLongerManaged],
            },
            Attribute::Rules => {
                let (Some(before), Some(after)) = (&old.rotation.rules, &new.rotation.rules) else {
                    let gone = new.rotation.rules.is_none() && new.rotation.enabled != Some(false);
                    return if gone { vec![Consequence::NoLongerManaged] } else { Vec::new() };
                };
                let gap = Consequence::WorstGap { before: worst_gap_hours(before), after: worst_gap_hours(after) };
                let mut consequences = vec![gap];
                if stays_on {
                    if sent == Consequence::TestsNow && !before.schedule.is_cron() {
                        consequences.push(Consequence::MayRotateOnOldSchedule);
                    }
                    consequences.push(sent);
                }
                consequences
            }
            Attribute::Other(path) if path == "rotation.rotate_immediately" => vec![Consequence::InstructionOnly],
            Attribute::Other(path) if path.starts_with("external.") && change.after == Shown::Absent => {
                vec![Consequence::NoLongerManaged]
            }
            // A partner rotates it: there is no function to test.
            Attribute::Other(path) if path.starts_with("external.") && stays_on && now == Some(true) => vec![sent],
            _ => Vec::new(),
        }
    }

    fn fate_of_function(&self, handle: &str, old: &Function) -> Fate {
        if self.lets_go(Kind::Function, handle, &old.name) {
            Fate::LetGo
        } else if old.deployment().is_none() {
            Fate::Unmanaged
        } else if self.new.prune {
            Fate::Pruned
        } else {
            Fate::Orphan
        }
    }

    /// Orphans are secrets that rotate with a function of the project's own that isn't shared.
    fn fate_of_secret(&self, handle: &str, old: &Secret) -> Fate {
        if self.lets_go(Kind::Secret, handle, &old.name) {
            return Fate::LetGo;
        }
        let function = old.function.as_ref().and_then(|function| self.old.functions.get(function));
        let own = function.and_then(Function::deployment).is_some_and(|deployment| !deployment.shared);
        match (own && old.rotation.enabled != Some(false), self.new.prune) {
            (false, _) => Fate::Unmanaged,
            (true, true) => Fate::Pruned,
            (true, false) => Fate::Orphan,
        }
    }

    fn lets_go(&self, kind: Kind, handle: &str, name: &str) -> bool {
        let named = |removed: &Address| removed.kind == kind && (removed.handle == handle || removed.handle == name);
        self.new.removed.iter().any(named)
    }
}

/// Whether AWS keeps the attribute's value once the manifest states none.
fn stays(attribute: &Attribute) -> bool {
    match attribute {
        Attribute::Setting(_)
        | Attribute::Variable(_)
        | Attribute::Parameter(_)
        | Attribute::Version
        | Attribute::CodeSource
        | Attribute::CodeHash
        | Attribute::CodeFile(_) => true,
        Attribute::Other(path) => path == "code",
        Attribute::Stack
        | Attribute::Application
        | Attribute::Tag(_)
        | Attribute::Permission(_)
        | Attribute::Function
        | Attribute::Enabled
        | Attribute::Rules => false,
    }
}

fn code_difference(old: &Deployment, new: &Deployment) -> Option<Finding> {
    let (old, new) = (old.code.as_ref()?, new.code.as_ref()?);
    let unusable =
        |before, reason: &Option<String>| reason.clone().map(|reason| Finding::CodeUnknown { before, reason });
    if let Some(finding) = unusable(false, &new.unusable).or_else(|| unusable(true, &old.unusable)) {
        return Some(finding);
    }
    let (CodeSource::Path { .. }, CodeSource::Path { .. }) = (&old.source, &new.source) else { return None };
    let (before, after) = (old.package.as_ref()?, new.package.as_ref()?);
    let files = values::file_changes(&before.files, &after.files);
    (!files.is_empty()).then_some(Finding::Code { files })
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
