//! What `--policy`, the manifests' `policy:` and their `limits:` do to commands.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use clap::Args;

use crate::config::{self, Ambient, Manifest, Policies};
use crate::diagnostic::Diagnostic;
use crate::exit;
use crate::model::policy::{Demand, Rule};
use crate::plan::limits::Exceeded;
use crate::plan::policy::{self, Facts, Unproven, Why};
use crate::plan::{self, NoteKind, Problem, ProblemKind, Purpose, limits};
use crate::render::count;
use crate::render::policy as words;

use super::filter::Filter;
use super::output;
use super::session::{Prepared, Printed, Session};

/// Whether limits hold.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Override {
    /// Go beyond the manifests' `limits:`, and say so; nothing overrides a `policy:`
    #[arg(long)]
    pub override_limits: bool,
}

/// Reads the files of `--policy`, and prints what is wrong with them.
pub fn load(paths: &[PathBuf]) -> Result<Policies, Printed> {
    let policies = config::policies(paths).map_err(|problems| {
        output::diagnostics(&problems.0);
        Printed(exit::ERROR)
    })?;
    output::diagnostics(&policies.warnings);
    Ok(policies)
}

/// The rules that hold for a manifest: its own, and those of all files.
pub fn rules<'a>(manifest: &'a Manifest, policies: &'a Policies) -> impl Iterator<Item = &'a Rule> {
    manifest.policy().iter().chain(policies.files.iter().flat_map(|file| &file.rules))
}

/// Whether a rule for a target asks about secrets that no manifest names: all of them, or those that rotate with a function
/// whose change it forbids.
pub fn asks_live(manifest: &Manifest, policies: &Policies, target: Option<&str>) -> bool {
    let of_functions = |rule: &Rule| {
        rule.scope.secrets.is_some() && rule.requirements.iter().any(|one| matches!(one.demand, Demand::Forbid(_)))
    };
    rules(manifest, policies)
        .any(|rule| rule.scope.has_target(target) && (rule.covers_live.is_some() || of_functions(rule)))
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Judges plans by all rules and limits, and writes into them what that says.
pub fn judge(session: &Session, prepared: &mut [Prepared], purpose: Purpose, overridden: bool) {
    let elsewhere: Vec<BTreeSet<String>> = (0..prepared.len()).map(|index| elsewhere(prepared, index)).collect();
    for (one, elsewhere) in prepared.iter_mut().zip(&elsewhere) {
        let manifest = &session.manifests()[one.manifest];
        let facts = Facts { desired: one.whole(), live: &one.live, plan: &one.plan, purpose, elsewhere };
        let verdict = policy::judge(rules(manifest, session.policies()), &facts, today());
        policy::hold(&mut one.plan, verdict);
        let secrets = one.whole().secrets.len() + one.live.orphan_secrets.as_ref().map_or(0, Vec::len);
        limits::hold(&mut one.plan, manifest.limits(), secrets, overridden);
    }
}

/// The secrets that other plans of this run name in one's account and region: they are judged there. A target that isn't
/// selected judges nothing, so that naming a secret in it hides none. Empty where no rule asks.
fn elsewhere(prepared: &[Prepared], index: usize) -> BTreeSet<String> {
    let one = &prepared[index];
    if one.live.listed.is_none() {
        return BTreeSet::new();
    }
    let (account, region) = (&one.plan.account, &one.plan.region);
    // By what was read, secrets are known by all of their names.
    let read = prepared
        .iter()
        .enumerate()
        .filter(|(other, there)| *other != index && (&there.plan.account, &there.plan.region) == (account, region));
    read.flat_map(|(_, there)| policy::names(there.whole(), &there.live)).collect()
}

/// Refuses before anything is written where a rule or a limit is broken in any target, and says which limits are overridden.
pub fn refuse(prepared: &[Prepared]) -> Result<(), Printed> {
    let refused: Vec<&Problem> = prepared
        .iter()
        .filter(|one| one.plan.is_refused())
        .flat_map(|one| &one.plan.problems)
        .filter(|problem| problem.severity == plan::Severity::Error)
        .collect();
    let number = |test: fn(&Problem) -> bool| refused.iter().filter(|problem| test(problem)).count();
    let is_limit = |problem: &Problem| matches!(problem.kind, ProblemKind::LimitExceeded(_));
    let is_policy = |problem: &Problem| matches!(problem.kind, ProblemKind::Policy { .. });
    let (limits, breaches) = (number(is_limit), number(is_policy));
    if limits + breaches > 0 {
        let mut parts = Vec::new();
        if breaches > 0 {
            parts.push(format!("policies are broken in {}", count(breaches, "place")));
        }
        if limits > 0 {
            parts.push(format!("{} {} exceeded", count(limits, "limit"), if limits == 1 { "is" } else { "are" }));
        }
        output::fail(&format!("{}; nothing was changed", parts.join(", and ")), &[]);
        return Err(Printed(exit::ERROR));
    }
    for exceeded in overridden(prepared) {
        output::say(&words::overridden(exceeded));
    }
    Ok(())
}

fn overridden(prepared: &[Prepared]) -> impl Iterator<Item = &Exceeded> {
    prepared.iter().flat_map(|one| &one.plan.notes).filter_map(|note| match &note.kind {
        NoteKind::LimitOverridden(exceeded) => Some(exceeded),
        _ => None,
    })
}

/// What manifests break of the rules, and what can't be known without AWS. What holds in several targets is said once.
pub fn offline(manifests: &[Manifest], policies: &Policies, filter: &Filter) -> (Vec<Diagnostic>, Vec<Unproven>) {
    // Only variables need the account and region, which AWS's environment knows.
    let ambient = Ambient { region: Some("us-east-1".to_owned()), account: Some("123456789012".to_owned()) };
    let (mut found, mut unproven) = (Vec::<Diagnostic>::new(), Vec::<Unproven>::new());
    let mut places = HashMap::new();
    for manifest in manifests {
        for index in (0..manifest.targets().len()).filter(|index| filter.selects(&manifest.targets()[*index])) {
            let Ok(desired) = manifest.resolve(index, &ambient) else { continue };
            let verdict = policy::judge_offline(rules(manifest, policies), &desired, today());
            for problem in &verdict.problems {
                let Some(diagnostic) = words::diagnostic(problem, |place| manifest.with_line(place)) else { continue };
                let key = (diagnostic.summary.clone(), diagnostic.position.clone(), diagnostic.related.clone());
                let place = *places.entry(key).or_insert(found.len());
                match found.get_mut(place) {
                    Some(known) => known.targets.extend(diagnostic.targets),
                    None => found.push(diagnostic),
                }
            }
            for one in verdict.unproven {
                match unproven.iter_mut().find(|known| (&known.rule, &known.at) == (&one.rule, &one.at)) {
                    Some(Unproven { why: Why::NotManaged(known), .. }) => {
                        if let Why::NotManaged(more) = one.why {
                            known.extend(more);
                        }
                    }
                    Some(_) => {}
                    None => unproven.push(one),
                }
            }
        }
    }
    found.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.severity.cmp(&b.severity)));
    (found, unproven)
}
