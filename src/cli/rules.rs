//! The files of `--policy` beside the manifests' own rules and freezes, and what may override these.

use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use clap::Args;

use crate::config::{self, Manifest, Policies, Problems};
use crate::model::freeze::Freeze;
use crate::model::rule::{Demand, Rule};
use crate::render::rules as words;

use super::output;

/// Whether limits hold.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Override {
    /// Go beyond the manifests' `limits:`, and say so; nothing overrides a `policy:`
    #[arg(long)]
    pub override_limits: bool,
}

/// Whether freezes hold.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Emergency {
    /// Go on in spite of a `freeze:`, and say so; a policy may forbid it (`overrides-freeze`)
    #[arg(long)]
    pub override_freeze: bool,
}

/// The freezes that hold for a manifest: its own, and those of all files of `--policy`.
pub fn freezes<'a>(manifest: &'a Manifest, policies: &'a Policies) -> impl Iterator<Item = &'a Freeze> {
    manifest.freezes().iter().chain(policies.files.iter().flat_map(|file| &file.freezes))
}

/// Reads the files of `--policy`; prints warnings about them.
pub fn load(paths: &[PathBuf]) -> Result<Policies, Problems> {
    let policies = config::policies(paths)?;
    output::diagnostics(&policies.warnings);
    Ok(policies)
}

/// The rules that hold for a manifest: its own, and those of all files.
pub fn rules<'a>(manifest: &'a Manifest, policies: &'a Policies) -> impl Iterator<Item = &'a Rule> {
    manifest.policy().iter().chain(policies.files.iter().flat_map(|file| &file.rules))
}

/// Whether a rule for a target asks about secrets that no manifest names: all of them, or those that rotate with a function
/// whose change it forbids, or of which it asks something.
pub fn asks_live(manifest: &Manifest, policies: &Policies, target: Option<&str>) -> bool {
    let asks = |demand: &Demand| matches!(demand, Demand::Forbid(_) | Demand::Functions(..));
    let of_functions =
        |rule: &Rule| rule.scope.secrets.is_some() && rule.requirements.iter().any(|one| asks(&one.demand));
    rules(manifest, policies)
        .any(|rule| rule.scope.has_target(target) && (rule.covers_live.is_some() || of_functions(rule)))
}

/// Today, by which rules, exemptions and freezes are judged.
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Says which freezes of manifests and policies ended long ago.
pub fn left_over(manifests: &[Manifest], policies: &Policies) {
    let of_files = policies.files.iter().flat_map(|file| &file.freezes);
    let all = manifests.iter().flat_map(Manifest::freezes).chain(of_files);
    for freeze in all.filter(|freeze| freeze.days.is_left_over(today())) {
        output::say(&format!("note: {}", words::freeze_left_over(freeze)));
    }
}
