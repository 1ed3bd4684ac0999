//! What `--policy`, the manifests' `policy:` and their `limits:` do to commands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use clap::Args;

use crate::config::{self, Ambient, Manifest, Policies};
use crate::diagnostic::Diagnostic;
use crate::exit;
use crate::model::freeze::{Freeze, Period};
use crate::model::policy::{Demand, Rule};
use crate::plan::foreign;
use crate::plan::freeze::{self, Frozen};
use crate::plan::limits::Exceeded;
use crate::plan::policy::{self, Elsewhere, Facts, Unproven, Why};
use crate::plan::{NoteKind, Plan, Problem, Purpose, Refusal, limits};
use crate::render::policy as words;
use crate::render::{count, events};

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

/// Whether freezes hold.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Emergency {
    /// Go on in spite of a `freeze:`, and say so; a policy may forbid it (`overrides-freeze`)
    #[arg(long)]
    pub override_freeze: bool,
}

/// What is released of the brakes.
#[derive(Debug, Clone, Default)]
pub struct Released {
    /// Limits.
    pub limits: bool,
    /// Every freeze.
    pub freezes: bool,
    /// The freezes that a saved plan overrides, as whoever reviewed it has read: others hold.
    pub reviewed: BTreeSet<Period>,
}

impl Released {
    /// By flags alone.
    pub fn by(limits: Override, emergency: Emergency) -> Self {
        Self { limits: limits.override_limits, freezes: emergency.override_freeze, reviewed: BTreeSet::new() }
    }

    fn frees(&self, freeze: &Freeze) -> bool {
        self.freezes || self.reviewed.contains(&freeze.days)
    }
}

/// The freezes that plans override.
pub fn overridden_freezes<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> impl Iterator<Item = &'p Frozen> {
    plans.into_iter().flat_map(|plan| &plan.notes).filter_map(|note| match &note.kind {
        NoteKind::FreezeOverridden(frozen) => Some(frozen),
        _ => None,
    })
}

/// The freezes that hold for a manifest: its own, and those of all files of `--policy`.
pub fn freezes<'a>(manifest: &'a Manifest, policies: &'a Policies) -> impl Iterator<Item = &'a Freeze> {
    manifest.freezes().iter().chain(policies.files.iter().flat_map(|file| &file.freezes))
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
/// whose change it forbids, or of which it asks something.
pub fn asks_live(manifest: &Manifest, policies: &Policies, target: Option<&str>) -> bool {
    let asks = |demand: &Demand| matches!(demand, Demand::Forbid(_) | Demand::Functions(..));
    let of_functions =
        |rule: &Rule| rule.scope.secrets.is_some() && rule.requirements.iter().any(|one| asks(&one.demand));
    rules(manifest, policies)
        .any(|rule| rule.scope.has_target(target) && (rule.covers_live.is_some() || of_functions(rule)))
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Judges plans by all freezes, rules and limits, and writes into them what that says.
pub fn judge(session: &Session, prepared: &mut [Prepared], purpose: Purpose, released: &Released) {
    let places: Vec<(String, String)> =
        prepared.iter().map(|one| (one.plan.account.clone(), one.plan.region.clone())).collect();
    let judging = judging(session, prepared);
    let stated = session.manifests().iter().flat_map(Manifest::targets).filter_map(|target| target.account.clone());
    let accounts: BTreeSet<String> = stated.chain(places.iter().map(|(account, _)| account.clone())).collect();
    for (index, one) in prepared.iter_mut().enumerate() {
        let others = judging.iter().enumerate().filter(|(other, _)| *other != index && places[*other] == places[index]);
        let elsewhere: Vec<&Elsewhere<'_>> = others.map(|(_, there)| there).collect();
        let manifest = &session.manifests()[one.manifest];
        if purpose != Purpose::Destroy {
            foreign::hold(&mut one.plan, &one.desired, &one.live, &accounts);
        }
        // Before the rules: that a freeze is overridden is an effect, which they may forbid.
        let freezes = freezes(manifest, session.policies());
        freeze::hold(&mut one.plan, freezes, today(), |freeze| released.frees(freeze));
        let facts = Facts { desired: one.whole(), live: &one.live, plan: &one.plan, purpose, elsewhere: &elsewhere };
        let verdict = policy::judge(rules(manifest, session.policies()), &facts, today());
        policy::hold(&mut one.plan, verdict);
        let secrets = limits::existing(one.whole(), &one.live);
        limits::hold(&mut one.plan, manifest.limits(), secrets, released.limits);
    }
}

/// What each plan of this run judges: its rules, and the secrets that it names. A target that isn't selected judges nothing, so
/// that naming a secret in it hides none. Empty where no rule asks.
fn judging<'s>(session: &'s Session, prepared: &[Prepared]) -> Vec<Elsewhere<'s>> {
    if prepared.iter().all(|one| one.live.listed.is_none()) {
        return Vec::new();
    }
    let one = |one: &Prepared| {
        let target = one.plan.target.as_deref();
        let all = rules(&session.manifests()[one.manifest], session.policies());
        // By what was read, secrets are known by all of their names.
        let names = policy::names(one.whole(), &one.live);
        Elsewhere { rules: all.filter(|rule| rule.scope.has_target(target)).collect(), names }
    };
    prepared.iter().map(one).collect()
}

/// Refuses what a policy, a limit, a freeze or the brake forbids, before anything is written: trying again changes nothing about it.
pub fn forbid(summary: &str, hints: &[String], by: &[&str], json: bool) -> Printed {
    if json {
        output::data(&events::refused(summary, by, exit::FORBIDDEN, Utc::now()));
    }
    output::fail(summary, hints);
    Printed(exit::FORBIDDEN)
}

/// Refuses before anything is written where a rule or a limit is broken in any target, and says which limits are overridden.
pub fn refuse(prepared: &[Prepared], json: bool) -> Result<(), Printed> {
    let mut refusals: BTreeMap<Refusal, usize> = BTreeMap::new();
    for refusal in prepared.iter().flat_map(|one| &one.plan.problems).filter_map(Problem::refusal) {
        *refusals.entry(refusal).or_default() += 1;
    }
    if !refusals.is_empty() {
        let parts = refusals.iter().map(|(refusal, number)| match refusal {
            Refusal::Policy => format!("policies are broken in {}", count(*number, "place")),
            Refusal::Limit => {
                format!("{} {} exceeded", count(*number, "limit"), if *number == 1 { "is" } else { "are" })
            }
            Refusal::Freeze => "a freeze holds the plan back".to_owned(),
        });
        let summary = format!("{}; nothing was changed", parts.collect::<Vec<_>>().join(", and "));
        let by: Vec<&str> = refusals.into_keys().map(Refusal::word).collect();
        return Err(forbid(&summary, &[], &by, json));
    }
    for exceeded in overridden(prepared) {
        output::say(&words::overridden(exceeded));
    }
    for frozen in overridden_freezes(prepared.iter().map(|one| &one.plan)) {
        output::say(&words::freeze_overridden(frozen));
    }
    Ok(())
}

/// Refuses where a freeze has begun since plans were judged: a person may have taken until the next day to approve them.
pub fn refuse_frozen(session: &Session, due: &[&Prepared], released: &Released) -> Result<(), Printed> {
    let has_begun = |one: &&Prepared| {
        let freezes = freezes(&session.manifests()[one.manifest], session.policies());
        freeze::holds_back(&one.plan, freezes, today(), |freeze| released.frees(freeze))
    };
    if due.iter().any(has_begun) {
        let hints = ["run the command again: it says what is held back, and until when".to_owned()];
        return Err(forbid(
            "a freeze has begun meanwhile; nothing was changed",
            &hints,
            &[Refusal::Freeze.word()],
            false,
        ));
    }
    Ok(())
}

/// Says which freezes of manifests and policies ended long ago.
pub fn left_over(manifests: &[Manifest], policies: &Policies) {
    let of_files = policies.files.iter().flat_map(|file| &file.freezes);
    let all = manifests.iter().flat_map(Manifest::freezes).chain(of_files);
    for freeze in all.filter(|freeze| freeze.days.is_left_over(today())) {
        output::say(&format!("note: {}", words::freeze_left_over(freeze)));
    }
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
