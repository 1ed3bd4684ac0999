//! What `--policy`, the manifests' `policy:` and their `limits:` do to plans.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Ambient;
use crate::model::freeze::{Freeze, Period};
use crate::plan::acknowledge;
use crate::plan::foreign;
use crate::plan::freeze::{self, Frozen};
use crate::plan::judge::{self, Elsewhere, Facts};
use crate::plan::limits::{Exceeded, Tally};
use crate::plan::{self, NoteKind, Plan, ProblemKind, Purpose, Refusal, limits};
use crate::render::count;
use crate::render::rules as words;

use super::failure::Failure;
use super::output;
use super::prepared::Prepared;
use super::rules::{Emergency, Override, freezes, rules, today};
use super::runtimes;
use super::session::Session;

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

/// Judges plans by all freezes, rules and limits, and writes into them what that says.
pub fn judge(session: &Session, prepared: &mut [Prepared], purpose: Purpose, released: &Released) {
    let places: Vec<(String, String)> =
        prepared.iter().map(|one| (one.plan.account.clone(), one.plan.region.clone())).collect();
    let judging = judging(session, prepared);
    if prepared.iter().any(|one| one.plan.functions > 0) {
        runtimes::say_if_old(today());
    }
    let mut met: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let looked_at = prepared.iter().filter(|one| !(one.whole().functions.is_empty() && one.whole().secrets.is_empty()));
    let mut known: BTreeSet<String> = looked_at.map(|one| one.plan.account.clone()).collect();
    known.extend(places.first().into_iter().flat_map(|(_, region)| accounts(session, region)));
    for (index, one) in prepared.iter_mut().enumerate() {
        let others = judging.iter().enumerate().filter(|(other, _)| *other != index && places[*other] == places[index]);
        let elsewhere: Vec<&Elsewhere<'_>> = others.map(|(_, there)| there).collect();
        let manifest = &session.manifests()[one.manifest];
        if purpose != Purpose::Destroy {
            foreign::hold(&mut one.plan, &one.desired, &one.live, &known);
            plan::runtimes::hold(&mut one.plan, &one.desired, &one.live, today(), runtimes::stops);
        }
        // Before the rules: that a freeze is overridden is an effect, which they may forbid.
        let freezes = freezes(manifest, session.policies());
        freeze::hold(&mut one.plan, freezes, today(), |freeze| released.frees(freeze));
        let facts = Facts { desired: one.whole(), live: &one.live, plan: &one.plan, purpose, elsewhere: &elsewhere };
        let verdict = judge::judge(rules(manifest, session.policies()), &facts, today());
        judge::hold(&mut one.plan, verdict);
        let numbers = acknowledge::hold(&mut one.plan, manifest.acknowledged(), today());
        let all = met.entry(one.manifest).or_insert_with(|| vec![0; numbers.len()]);
        all.iter_mut().zip(numbers).for_each(|(all, number)| *all += number);
    }
    note_unmet(session, prepared, &met);
    limit(session, prepared, released.limits);
}

/// Notes acknowledgements that met no warning in any plan of their manifest, once; not where a part of it is looked at.
fn note_unmet(session: &Session, prepared: &mut [Prepared], met: &BTreeMap<usize, Vec<usize>>) {
    for (manifest, numbers) in met {
        let all = session.manifests()[*manifest].acknowledged();
        let partial = session.is_partial() || session.names_targets();
        let Some(first) = prepared.iter_mut().find(|one| one.manifest == *manifest).filter(|_| !partial) else {
            continue;
        };
        let unmet = all.iter().zip(numbers).filter(|(one, number)| **number == 0 && one.is_in_force(today()));
        unmet.for_each(|(one, _)| acknowledge::note_unmet(&mut first.plan, one));
    }
}

/// Holds plans to their manifests' limits: each by itself, and all of one project in one account and region together, or a fleet
/// divided into targets would have each limit as often.
fn limit(session: &Session, prepared: &mut [Prepared], overridden: bool) {
    let own: Vec<Tally> = prepared.iter().map(|one| Tally::new(one.whole(), &one.live, &one.plan)).collect();
    let place = |plan: &Plan| (plan.project.clone(), plan.account.clone(), plan.region.clone());
    let mut together: HashMap<_, Tally> = HashMap::new();
    for (one, tally) in prepared.iter().zip(&own) {
        together.entry(place(&one.plan)).or_default().add(tally);
    }
    for (one, own) in prepared.iter_mut().zip(&own) {
        let limits = session.manifests()[one.manifest].limits();
        let all = &together[&place(&one.plan)];
        limits::hold(&mut one.plan, limits, own, all, overridden);
    }
}

/// The accounts that targets with entries name, whether they are selected or not: one without is there for nothing but its account.
fn accounts(session: &Session, region: &str) -> BTreeSet<String> {
    let stated = session.manifests().iter().flat_map(|manifest| {
        manifest.targets().iter().enumerate().filter_map(move |(index, target)| {
            let account = target.account.clone()?;
            let ambient = Ambient { region: Some(region.to_owned()), account: Some(account.clone()) };
            manifest.has_entries(index, &ambient).then_some(account)
        })
    });
    stated.collect()
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
        let names = judge::names(one.whole(), &one.live);
        Elsewhere { rules: all.filter(|rule| rule.scope.has_target(target)).collect(), names }
    };
    prepared.iter().map(one).collect()
}

/// Refuses before anything is written where a rule or a limit is broken in any target, and says which limits are overridden.
pub fn refuse(prepared: &[Prepared]) -> Result<(), Failure> {
    let mut refusals: BTreeMap<Refusal, usize> = BTreeMap::new();
    // A limit that several targets are beyond together is one.
    let mut together = BTreeSet::new();
    for (one, problem) in prepared.iter().flat_map(|one| one.plan.problems.iter().map(move |problem| (one, problem))) {
        let Some(refusal) = problem.refusal() else { continue };
        let is_new = match &problem.kind {
            ProblemKind::LimitExceeded(exceeded) if exceeded.targets > 1 => {
                together.insert((one.manifest, &one.plan.account, &one.plan.region, exceeded.what.word()))
            }
            _ => true,
        };
        *refusals.entry(refusal).or_default() += usize::from(is_new);
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
        return Err(Failure::forbidden(summary, refusals.into_keys().map(Refusal::word).collect()));
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
pub fn refuse_frozen(session: &Session, due: &[&Prepared], released: &Released) -> Result<(), Failure> {
    let has_begun = |one: &&Prepared| {
        let freezes = freezes(&session.manifests()[one.manifest], session.policies());
        freeze::holds_back(&one.plan, freezes, today(), |freeze| released.frees(freeze))
    };
    if due.iter().any(has_begun) {
        let summary = "a freeze has begun meanwhile; nothing was changed";
        return Err(Failure::forbidden(summary, vec![Refusal::Freeze.word()])
            .hint("run the command again: it says what is held back, and until when"));
    }
    Ok(())
}

fn overridden(prepared: &[Prepared]) -> impl Iterator<Item = &Exceeded> {
    prepared.iter().flat_map(|one| &one.plan.notes).filter_map(|note| match &note.kind {
        NoteKind::LimitOverridden(exceeded) => Some(exceeded),
        _ => None,
    })
}
