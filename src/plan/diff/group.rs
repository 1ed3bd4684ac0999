//! Identical differences as one, over handles and over targets.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::plan::{Attribute, FieldChange, Shown};

use super::{Consequence, Difference, Finding, Subject};

/// Attributes that are another value in each entry by nature: they are one difference, with a line for each entry.
const OF_EACH: [&str; 8] = ["name", "stack", "existing", "code", "role", "apply_role", "session_name", "description"];

/// One difference, and all that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is about.
    pub subject: Subject,
    /// What differs; of values that aren't the same in all members, only their kind.
    pub finding: Finding,
    /// What follows from it, each with for how many of the members.
    pub consequences: Vec<(Consequence, usize)>,
    /// Who has it, in the order of handles.
    pub members: Vec<Member>,
}

/// One handle that has a difference, in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The handle; empty for a target.
    pub handle: String,
    /// The target's name, where there are named targets.
    pub target: Option<String>,
    /// The name on AWS; empty for a target.
    pub name: String,
    /// Its own values, where they aren't the group's.
    pub own: Option<FieldChange>,
    /// Its earlier handle, where it was renamed.
    pub from: Option<String>,
}

impl Group {
    /// The targets that it holds in, each with how many have it there; in the order of the manifest.
    pub fn targets(&self) -> Vec<(Option<&str>, usize)> {
        let mut counts: Vec<(Option<&str>, usize)> = Vec::new();
        for member in &self.members {
            let target = member.target.as_deref();
            match counts.iter_mut().find(|(known, _)| *known == target) {
                Some((_, count)) => *count += 1,
                None => counts.push((target, 1)),
            }
        }
        counts
    }

    /// The members by handle, each with its targets.
    pub fn handles(&self) -> BTreeMap<&str, Vec<&Member>> {
        let mut handles: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
        for member in &self.members {
            handles.entry(&member.handle).or_default().push(member);
        }
        handles
    }
}

/// Gathers identical differences: first what concerns targets, then functions, then secrets, each group where the first of
/// its members stands.
pub fn group(differences: Vec<Difference>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(Subject, Finding), usize> = HashMap::new();
    for Difference { subject, target, handle, name, finding, consequences } in differences {
        let (key, own, from) = common(&finding);
        let member = Member { handle, target, name, own, from };
        let place = match places.entry((subject, key)) {
            Entry::Vacant(vacant) => {
                groups.push(Group { subject, finding, consequences: Vec::new(), members: vec![member] });
                *vacant.insert(groups.len() - 1)
            }
            Entry::Occupied(occupied) => {
                let group = &mut groups[*occupied.get()];
                // What isn't the same in all is each member's own.
                if group.finding != finding {
                    group.finding.clone_from(&occupied.key().1);
                }
                group.members.push(member);
                *occupied.get()
            }
        };
        let counted = &mut groups[place].consequences;
        for consequence in consequences {
            match counted.iter_mut().find(|(known, _)| *known == consequence) {
                Some((_, number)) => *number += 1,
                None => counted.push((consequence, 1)),
            }
        }
    }
    groups.sort_by_key(|group| group.subject);
    for group in &mut groups {
        // Stable: the targets of one handle keep the manifest's order.
        group.members.sort_by(|a, b| a.handle.cmp(&b.handle));
        if group.members.iter().all(|member| member.own.as_ref() == group.finding.field()) {
            group.members.iter_mut().for_each(|member| member.own = None);
        }
    }
    groups
}

fn is_of_each(attribute: &Attribute) -> bool {
    OF_EACH.contains(&attribute.path().as_ref())
}

/// What members of one group have in common; with the values and the earlier handle that are a member's own.
fn common(finding: &Finding) -> (Finding, Option<FieldChange>, Option<String>) {
    let shape = |shown: &Shown| if *shown == Shown::Absent { Shown::Absent } else { Shown::Unknown };
    match finding {
        Finding::Changed(change) if is_of_each(&change.attribute) => {
            let key = FieldChange::new(change.attribute.clone(), shape(&change.before), shape(&change.after));
            (Finding::Changed(key), Some(change.clone()), None)
        }
        Finding::Added { values } => {
            let label = |one: &Attribute| matches!(one, Attribute::Other(path) if path.starts_with("labels."));
            let shared = |change: &&FieldChange| !is_of_each(&change.attribute) && !label(&change.attribute);
            (Finding::Added { values: values.iter().filter(shared).cloned().collect() }, None, None)
        }
        Finding::Renamed { from } => (Finding::Renamed { from: String::new() }, None, Some(from.clone())),
        other => (other.clone(), None, None),
    }
}
