//! What this process rotated: for people who see a rotation for the first time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::secret::{CURRENT, PREVIOUS};
use crate::service::Shared;

/// A rotation that this process ran to its end. Of values, it says only whether they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The secret's name.
    pub secret: String,
    /// The version that was current before, and is `AWSPREVIOUS` now.
    pub before: String,
    /// The version that is `AWSCURRENT` now.
    pub now: String,
    /// Whether the values of both differ.
    pub differs: bool,
    /// Each step, and how long it ran.
    pub steps: Vec<(&'static str, Duration)>,
    /// How many lines all of them left in the function's log.
    pub lines: usize,
}

/// The secrets of an account and region whose current version this process made, all steps of it by their function.
pub fn rotated(shared: &Shared, account: &str, region: &str, names: &BTreeSet<String>) -> Vec<Rotated> {
    shared.read(account, region, |region| {
        let mut all = Vec::new();
        for secret in region.secrets.iter().filter(|secret| names.contains(&secret.name)) {
            let version = |stage| {
                let id = secret.version_with(stage)?;
                Some((id.to_owned(), secret.versions.get(id)?))
            };
            let (Some((before, old)), Some((now, new))) = (version(PREVIOUS), version(CURRENT)) else { continue };
            if new.steps.len() == super::runner::STEPS.len() {
                all.push(Rotated {
                    secret: secret.name.clone(),
                    before,
                    now,
                    differs: old.value != new.value,
                    steps: new.steps.iter().map(|(step, ran)| (*step, ran.took)).collect(),
                    lines: new.steps.iter().map(|(_, ran)| ran.lines).sum(),
                });
            }
        }
        all
    })
}
