//! The difference between what a manifest wants and what AWS has: plain data, made by a pure function.
//!
//! This folder knows no client, no clock, no file system and no environment. It holds no prose: [`crate::render`] words it.

pub mod acknowledge;
pub mod attribute;
pub mod brake;
pub mod breach;
pub mod change;
pub mod diff;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod foreign;
pub mod freeze;
pub mod fresh;
pub mod judge;
pub mod limits;
pub mod order;
pub mod parameters;
pub mod pending;
pub mod planner;
pub mod problem;
pub mod resources;
pub mod runtimes;
pub mod select;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Address, Kind};

pub use attribute::{Attribute, FieldChange, Shown};
pub use change::{Action, Change, DROPPED, Effect, Operation, Reason, Repair, RotateSecret, Way};
pub use order::{Step, StepKind, order};
pub use planner::{PlanOptions, Purpose, make_plan};
pub use problem::{Note, NoteKind, Problem, ProblemKind, Refusal, Severity};
pub use resources::{Resource, resources};

/// What an apply would do to one target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// The target's name, where the manifest has named targets.
    pub target: Option<String>,
    /// The account that it goes to.
    pub account: String,
    /// The region that it goes to.
    pub region: String,
    /// The endpoint that it was read from, where that isn't AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The option by which the same sandbox runs again, where it was read from one that ends with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Whether filters left something out.
    pub partial: bool,
    /// How many functions were compared.
    pub functions: usize,
    /// How many secrets were compared.
    pub secrets: usize,
    /// The secrets that rules of `select` mean, by handle, each with those rules: what of them is compared counts among `secrets`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selected: BTreeMap<String, BTreeSet<String>>,
    /// What differs, functions before secrets, each in the order of addresses.
    pub changes: Vec<Change>,
    /// What would go wrong, or deserves attention.
    pub problems: Vec<Problem>,
    /// What is worth knowing, and is no change.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether each change waits for changes of this plan alone: a file may say anything.
    pub fn is_closed(&self) -> bool {
        self.changes.iter().flat_map(|change| &change.after).all(|after| *after < self.changes.len())
    }

    /// The changes that aren't blocked by a foreseen error.
    pub fn runnable(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.blocked)
    }

    /// Whether a foreseen problem is an error.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether something keeps all of it from being applied, whatever the other errors.
    pub fn is_refused(&self) -> bool {
        self.problems.iter().any(|problem| problem.refusal().is_some())
    }

    /// The secrets whose rotation was begun before and hasn't ended, and that nothing is to be done to: each with its name on AWS and the
    /// version that holds `AWSPENDING`.
    pub fn unfinished(&self) -> impl Iterator<Item = (&Address, &str, &str)> {
        self.problems.iter().filter_map(|problem| match &problem.kind {
            ProblemKind::UnfinishedRotation { version } if problem.severity == Severity::Warning => {
                Some((&problem.address, problem.name.as_str(), version.as_str()))
            }
            _ => None,
        })
    }

    /// What keeps all of it from being applied.
    pub fn refusals(&self) -> BTreeSet<Refusal> {
        self.problems.iter().filter_map(Problem::refusal).collect()
    }

    /// How many resources an effect of runnable changes concerns.
    pub fn count(&self, effect: Effect) -> usize {
        self.affected(effect).len()
    }

    /// What an effect of runnable changes concerns: each address once, with the name on AWS, in the order of changes.
    pub fn affected(&self, effect: Effect) -> Vec<(&Address, &str)> {
        let mut seen = BTreeSet::new();
        let with = self.runnable().filter(|change| change.effects.contains(&effect));
        with.filter(|change| seen.insert(&change.address))
            .map(|change| (&change.address, change.name.as_str()))
            .collect()
    }
}

/// Whether an address stands for a function or its stack.
pub fn is_function(address: &Address) -> bool {
    matches!(address.kind, Kind::Function | Kind::OrphanStack)
}
