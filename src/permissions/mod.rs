//! The least rights that a manifest needs: which actions each phase calls, on which resources, why, and how that is known.
//!
//! | Module | Knows |
//! |---|---|
//! | [`table`] | the phases, and what each of them needs: data |
//! | [`scope`] | what of a target an action is on, as ARNs |
//! | [`document`] | IAM's policy documents, within IAM's limits |
//! | [`trust`] | who may become a role: the tokens of pipelines |
//! | [`alarms`] | the rule that hears of failed rotations |
//!
//! It is pure: nothing here asks AWS, a clock, a file or the environment.

pub mod alarms;
pub mod document;
pub mod scope;
pub mod table;
pub mod trust;

use crate::model::Desired;
use document::Document;
use scope::{On, Scope, Width};
use table::{Known, Phase};

/// The account and region of a policy's resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Such as `aws`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

/// An action that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Such as `lambda:GetFunction`.
    pub action: &'static str,
    /// What it is on.
    pub on: On,
    /// What for, in words.
    pub why: &'static str,
    /// How that is known.
    pub known: Known,
}

/// What a phase needs for one target.
#[derive(Debug, Clone)]
pub struct Permissions {
    /// The phase.
    pub phase: &'static Phase,
    /// The actions, as the table has them.
    pub needs: Vec<Need>,
    /// The resources that they are on, as narrow as IAM takes them, in the order of the actions.
    pub resources: Vec<(On, Vec<String>)>,
    /// The same as documents: one, or as many as IAM's limit of size asks for.
    pub documents: Vec<Document>,
    /// What had to be allowed on more than is named, so that the documents aren't too many.
    pub widened: Vec<(On, Width)>,
}

/// What a phase needs for a target; `None` where it needs nothing. `keys`: the customer's keys of functions' environments.
pub fn of(phase: &'static Phase, desired: &Desired, place: &Place, keys: &[String]) -> Option<Permissions> {
    let scope = Scope { desired, place, keys };
    let mut needs: Vec<Need> = Vec::new();
    for need in phase.needs() {
        let is_there = needs.iter().any(|other| (other.action, other.on) == (need.action, need.on));
        if !is_there && !scope.resources(need.on, Width::Named).is_empty() {
            needs.push(need);
        }
    }
    if needs.is_empty() {
        return None;
    }
    let (documents, widened) = document::documents(&needs, &scope);
    let mut resources: Vec<(On, Vec<String>)> = Vec::new();
    for need in &needs {
        if resources.iter().all(|(on, _)| *on != need.on) {
            resources.push((need.on, scope.resources(need.on, Width::Named)));
        }
    }
    Some(Permissions { phase, needs, resources, documents, widened })
}

#[cfg(test)]
mod tests;
