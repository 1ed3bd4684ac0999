//! The pure planner: a desired state and a live one in, a plan out.

mod asked;
mod code;
mod configuration;
mod destroy;
mod function;
mod managed;
mod orphans;
mod permission;
mod secret;
mod selected;
pub(crate) mod stack;
#[cfg(test)]
mod tests;
mod verify;

pub use asked::{RepairRequest, RotateRequest, not_repaired, plan_repair, plan_rotation};
pub use code::{lacks_handler, same_code};
pub use configuration::{architecture_field, configuration_fields, runs_other_code};
pub use managed::external_fields;
pub use permission::{Access, access, account_of, permits};

pub use stack::stack_tags;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::arn::FunctionReference;
use crate::model::live::{LiveFunction, LiveStack, Statement};
use crate::model::{Address, Deployment, Desired, Function, FunctionSource, Kind, Live, PROJECT_TAG, arn};

use super::{
    Action, Change, Effect, FieldChange, Note, NoteKind, Plan, Problem, ProblemKind, Reason, Severity, select,
};

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To converge; with `prune`, orphans are ended.
    Converge {
        /// Whether orphans are ended.
        prune: bool,
    },
    /// To remove what the manifest owns.
    Destroy,
    /// To give secrets new values now. No plan of it is saved.
    #[serde(skip)]
    Rotate,
    /// To end rotations that are stuck. No plan of it is saved.
    #[serde(skip)]
    Repair,
}

/// What a plan is made of, beside the two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// What the plan is for.
    pub purpose: Purpose,
    /// Whether filters left something out: then nothing is known of orphans.
    pub partial: bool,
}

/// Compares what a manifest wants with what AWS has.
pub fn make_plan(desired: &Desired, live: &Live, options: PlanOptions) -> Plan {
    let mut planner = Planner::new(desired, live, options);
    match options.purpose {
        Purpose::Converge { prune } => {
            for (handle, function) in &desired.functions {
                planner.function(handle, function);
            }
            for (handle, secret) in &desired.secrets {
                planner.secret(handle, secret);
            }
            for (handle, function) in &desired.functions {
                planner.verify(handle, function);
            }
            if !options.partial {
                planner.orphans(prune);
            }
            planner.late();
        }
        Purpose::Destroy => planner.destroy(),
        // Their plans are made of more than two states.
        Purpose::Rotate | Purpose::Repair => {}
    }
    planner.selected(options.purpose);
    planner.finish()
}

/// Where a function stands in the plan, for the secrets that rotate with it.
#[derive(Debug, Clone, Default)]
struct FunctionOutcome {
    /// Its ARN, predicted where it isn't there yet.
    arn: String,
    /// Its changes.
    changes: Vec<usize>,
    /// Whether an error blocks it.
    blocked: bool,
    /// The stack parameter that names a customer's key; `None` where the application declares none.
    kms_key: Option<String>,
    /// The statements of its policy that stay; `None` where they aren't known.
    statements: Option<Vec<Statement>>,
    /// Whether the plan sees to it that Secrets Manager may invoke it for the secrets of the target's account.
    opened: bool,
    /// The statements that keep Secrets Manager out, whatever others say.
    denials: Vec<Statement>,
    /// Whether Lambda doesn't run it: its reserved concurrency is 0.
    throttled: bool,
}

/// A function that is deployed, on both sides of the comparison.
#[derive(Clone, Copy)]
struct Compared<'a> {
    address: &'a Address,
    function: &'a Function,
    deployment: &'a Deployment,
    live: &'a LiveFunction,
}

struct Planner<'a> {
    desired: &'a Desired,
    live: &'a Live,
    plan: Plan,
    outcomes: BTreeMap<String, FunctionOutcome>,
    /// The ARNs of the functions that this manifest deploys, without qualifiers.
    deployed: BTreeSet<String>,
    /// The changes that take secrets away from a function, by the function's ARN.
    leaving: BTreeMap<String, Vec<(String, usize)>>,
    /// The handles by the ARNs of their secrets, where some are named by ARNs: two may name one.
    named: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Planner<'a> {
    fn new(desired: &'a Desired, live: &'a Live, options: PlanOptions) -> Self {
        let plan = Plan {
            project: desired.project.clone(),
            target: desired.target.name.clone(),
            account: live.account.clone(),
            region: live.region.clone(),
            partial: options.partial,
            functions: desired.functions.len(),
            secrets: desired.secrets.len(),
            ..Plan::default()
        };
        let (outcomes, deployed, leaving) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let mut planner = Self { desired, live, plan, outcomes, deployed, leaving, named: BTreeMap::new() };
        if desired.secrets.values().any(|secret| secret.name.starts_with("arn:")) {
            for (handle, secret) in &live.secrets {
                if let Some(secret) = secret.found() {
                    planner.named.entry(secret.arn.as_str()).or_default().push(handle);
                }
            }
        }
        let functions = desired.functions.iter().filter(|(_, function)| function.deployment().is_some());
        planner.deployed = functions.map(|(handle, function)| planner.function_arn(handle, function)).collect();
        planner
    }

    fn address(&self, kind: Kind, handle: &str) -> Address {
        self.desired.address(kind, handle)
    }

    fn change(
        &mut self,
        address: Address,
        name: &str,
        action: Action,
        reason: Reason,
        fields: Vec<FieldChange>,
    ) -> usize {
        let rules = select::rules_of(self.desired, &address).cloned().unwrap_or_default();
        self.plan.changes.push(Change {
            address,
            name: name.to_owned(),
            action,
            reason,
            fields,
            effects: BTreeSet::new(),
            after: Vec::new(),
            blocked: false,
            rules,
        });
        self.plan.changes.len() - 1
    }

    fn effect(&mut self, change: usize, effect: Effect) {
        self.plan.changes[change].effects.insert(effect);
    }

    fn problem(&mut self, address: &Address, name: &str, severity: Severity, kind: ProblemKind) {
        self.plan.problems.push(Problem { address: address.clone(), name: name.to_owned(), severity, kind });
    }

    fn note(&mut self, address: Option<Address>, kind: NoteKind) {
        self.plan.notes.push(Note { address, kind });
    }

    /// Whether a project's tag is this project's, under its present or its earlier name.
    fn is_ours(&self, project: &str) -> bool {
        project == self.desired.project || self.desired.renamed_from.as_deref() == Some(project)
    }

    /// Says of a change that it takes a stack from the project that this one says it was called before: whether it was, only people
    /// know.
    fn takes_over(&mut self, change: usize, stack: &LiveStack) {
        if stack.tags.get(PROJECT_TAG).is_some_and(|project| *project != self.desired.project) {
            self.effect(change, Effect::TakesOver);
        }
    }

    fn live_function(&self, handle: &str) -> Option<&'a LiveFunction> {
        self.live.functions.get(handle)
    }

    /// The ARN that a function has or will have.
    fn function_arn(&self, handle: &str, function: &Function) -> String {
        let found = self.live_function(handle).and_then(|live| live.configuration.found());
        let Live { partition, region, account, .. } = self.live;
        match (found, &function.source) {
            // A version or an alias is part of what the manifest asks for; what was read is the function as a whole.
            (Some(configuration), FunctionSource::Existing { reference }) if !reference.starts_with("arn:") => {
                let qualifier = FunctionReference::of(reference).qualifier;
                let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
                format!("{}{qualifier}", configuration.arn)
            }
            (Some(configuration), FunctionSource::Deployed(_)) => configuration.arn.clone(),
            _ => function.arn(partition, region, account),
        }
    }

    /// Whether a function is one that this manifest deploys, whatever qualifier its ARN has.
    fn is_deployed(&self, function_arn: &str) -> bool {
        self.deployed.contains(arn::unqualified_function_arn(function_arn))
    }

    /// Whether the manifest lets go of something that has one of these names, as a handle or on AWS.
    fn lets_go(&self, kind: Kind, names: &[&str]) -> bool {
        let is_removed = |name: &str| {
            self.desired.removed.iter().any(|removed| removed.kind == kind && removed.handle == name)
                || self.desired.removed_names.iter().any(|(of, removed)| *of == kind && removed == name)
        };
        names.iter().any(|name| is_removed(name))
    }

    fn finish(self) -> Plan {
        self.plan
    }
}
