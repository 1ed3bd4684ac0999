//! Whether rules hold, for what a plan would leave behind.
//!
//! A secret is judged on its rotation as it will be: the manifest's where it manages it, else the live one; after a removal,
//! off. Whatever can't be read can't be judged, and is a breach. Dates come in as a parameter: there is no clock here.

mod beyond;
mod functions;
mod selected;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;

use crate::model::arn::{SecretName, names_of_secret};
use crate::model::live::{ListedSecret, LiveSecret, Reading, Unread};
use crate::model::rule::{Demand, Exemption, Requirement, Rule, WEEKDAYS, any};
use crate::model::{Address, Desired, Kind, Live, Place, RotationRules, Secret, schedule, text};

use beyond::{Rotated, Rotating};

pub use super::breach::Breach;
use super::{Action, Change, Note, NoteKind, Plan, Problem, ProblemKind, Purpose, Severity};

/// What a plan is judged on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The whole manifest, also where filters left something out of the plan.
    pub desired: &'a Desired,
    /// What was read.
    pub live: &'a Live,
    /// What will be done.
    pub plan: &'a Plan,
    /// What for.
    pub purpose: Purpose,
    /// The other plans of this run in this account and region.
    pub elsewhere: &'a [&'a Elsewhere<'a>],
}

/// Another plan of a run, as far as it judges secrets.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere<'a> {
    /// The rules that hold for its target.
    pub rules: Vec<&'a Rule>,
    /// The names and ARNs of the secrets that it names.
    pub names: BTreeSet<String>,
}

/// What came of judging.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Breaches, and exemptions that are over, as errors; exemptions that end soon as warnings.
    pub problems: Vec<Problem>,
    /// The exemptions in force.
    pub notes: Vec<Note>,
    /// What couldn't be judged without AWS; empty with it.
    pub unproven: Vec<Unproven>,
}

/// What a rule asks and only AWS can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The rule.
    pub rule: String,
    /// What it asks, and where.
    pub at: Place,
    /// Why it can't be known.
    pub why: Why,
}

/// Why something can't be known offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The manifest doesn't manage the rotation of these secrets.
    NotManaged(Vec<Address>),
    /// Effects are a plan's.
    Effects,
    /// Secrets that no manifest names are only on AWS.
    Live,
    /// These secrets are named by ARNs that may be partial: only AWS knows their names.
    Names(Vec<Address>),
    /// When secrets last rotated is only on AWS.
    History,
    /// Which layers and roles functions have, and where functions are that are used, is only on AWS.
    LiveFunctions,
}

/// Judges a plan by rules of all sources at once.
pub fn judge<'r>(rules: impl IntoIterator<Item = &'r Rule>, facts: &Facts<'_>, today: NaiveDate) -> Verdict {
    judged(rules, facts.desired, Some(facts), today)
}

/// Judges a manifest without AWS, as far as that goes.
pub fn judge_offline<'r>(rules: impl IntoIterator<Item = &'r Rule>, desired: &Desired, today: NaiveDate) -> Verdict {
    judged(rules, desired, None, today)
}

/// Writes a verdict into the plan that was judged.
pub fn hold(plan: &mut Plan, verdict: Verdict) {
    plan.problems.extend(verdict.problems);
    plan.notes.extend(verdict.notes);
}

fn judged<'r>(
    rules: impl IntoIterator<Item = &'r Rule>,
    desired: &Desired,
    facts: Option<&Facts<'_>>,
    today: NaiveDate,
) -> Verdict {
    let stopped = facts.map(|facts| stopped(facts.plan)).unwrap_or_default();
    let (left_out, rotating, listed) =
        facts.map(|facts| (left_out(facts.plan), Rotating::new(facts.live), listed(facts.live))).unwrap_or_default();
    let (gaps, verdict) = (HashMap::new(), Verdict::default());
    let mut judge = Judge { desired, facts, today, stopped, left_out, rotating, listed, gaps, verdict };
    for rule in rules.into_iter().filter(|rule| rule.scope.has_target(desired.target.name.as_deref())) {
        judge.rule(rule);
    }
    judge.verdict
}

/// The secrets whose rotation a plan switches off.
fn stopped(plan: &Plan) -> BTreeSet<Address> {
    let stops = |change: &&Change| change.action == Action::DisableRotation;
    plan.runnable().filter(stops).map(|change| change.address.clone()).collect()
}

/// What a plan leaves as it is, because something is wrong with it.
fn left_out(plan: &Plan) -> BTreeSet<Address> {
    let blocked = plan.changes.iter().filter(|change| change.blocked).map(|change| &change.address);
    let errors = plan.problems.iter().filter(|problem| problem.severity == Severity::Error);
    blocked.chain(errors.map(|problem| &problem.address)).cloned().collect()
}

/// Listed secrets by all of their names, which a manifest may use.
pub(super) fn listed(live: &Live) -> HashMap<&str, &ListedSecret> {
    let all = live.listed.iter().flatten().flatten();
    all.flat_map(|secret| names_of_secret(&secret.name, &secret.arn).map(move |name| (name, secret))).collect()
}

/// A secret's rotation, as it will be.
#[derive(Debug, Clone, Copy)]
enum PlannedRotation<'a> {
    /// Off.
    Off,
    /// On, by these rules.
    On(Option<&'a RotationRules>),
    /// It could not be read.
    Unread(&'a Unread),
    /// Only AWS knows.
    Unknown,
    /// There is nothing to judge: no such secret, or none that rotates by itself.
    Nothing,
}

struct Judge<'a> {
    desired: &'a Desired,
    facts: Option<&'a Facts<'a>>,
    today: NaiveDate,
    stopped: BTreeSet<Address>,
    /// What is wanted and won't be done.
    left_out: BTreeSet<Address>,
    /// The secrets that rotate on AWS, by function.
    rotating: Rotating<'a>,
    /// The secrets that were listed, by each of their names.
    listed: HashMap<&'a str, &'a ListedSecret>,
    /// The longest interval and the worst gap of rules: a fleet has thousands of secrets and a handful of schedules.
    gaps: HashMap<RotationRules, Option<(u32, u32)>>,
    verdict: Verdict,
}

impl<'a> Judge<'a> {
    fn rule(&mut self, rule: &Rule) {
        let exemptions = self.exemptions(rule);
        for requirement in &rule.requirements {
            if requirement.demand == Demand::Account && !self.removes() && self.desired.target.account.is_none() {
                self.breach_of_rule(rule, &requirement.at, Severity::Error, Breach::NoAccount);
            }
        }
        let mut unknown: BTreeMap<usize, Vec<Address>> = BTreeMap::new();
        let mut unclear = Vec::new();
        let mut rotating: BTreeMap<&str, Rotated> = BTreeMap::new();
        for (handle, secret) in &self.desired.secrets {
            let address = self.desired.address(Kind::Secret, handle);
            let names = self.names_of(handle, secret);
            let is_meant = |name: &&str| rule.scope.has_secret(name, &secret.labels);
            let is_bound = |name: &&str| is_meant(name) && !is_exempt(&exemptions, name);
            if self.facts.is_none()
                && names.all().any(|name| is_bound(&name))
                && !names.all().all(|name| is_bound(&name))
            {
                unclear.push(address);
                continue;
            }
            // Where AWS can't be asked, what may be bound is.
            let Some(name) = names.all().find(is_bound).or_else(|| names.all().find(is_meant)) else { continue };
            let exempt = is_exempt(&exemptions, name);
            if let Some(function) = &secret.function {
                rotating.entry(function).or_default().add(exempt);
            }
            if exempt {
                continue;
            }
            let outcomes = self.outcomes(&address, handle, secret);
            for index in self.secret(rule, (&address, handle, name), secret, &outcomes) {
                unknown.entry(index).or_default().push(address.clone());
            }
        }
        let is_offline = self.facts.is_none();
        for requirement in rule.requirements.iter().filter(|one| one.demand.is_of_history() && is_offline) {
            self.unproven(rule, &requirement.at, Why::History);
        }
        if !unclear.is_empty() {
            self.unproven(rule, &rule.at, Why::Names(unclear));
        }
        for (index, secrets) in unknown {
            self.unproven(rule, &rule.requirements[index].at, Why::NotManaged(secrets));
        }
        self.selected(rule, &exemptions);
        self.functions(rule, &exemptions, &rotating);
        self.orphans(rule, &exemptions);
        self.effects(rule, &exemptions, &rotating);
        if let Some(covers) = &rule.covers_live {
            self.live(rule, covers, &exemptions);
        }
    }

    /// Says which exemptions of a rule are over, end soon, or hold. The answer: those in force.
    fn exemptions<'r>(&mut self, rule: &'r Rule) -> Vec<&'r Exemption> {
        let mut in_force = Vec::new();
        for exemption in &rule.exempt {
            let secrets: Vec<String> = exemption.secrets.iter().map(ToString::to_string).collect();
            let until = exemption.until;
            if !exemption.is_in_force(self.today) {
                let breach = Breach::ExemptionOver { secrets, until };
                self.breach_of_rule(rule, &exemption.at, Severity::Error, breach);
                continue;
            }
            if exemption.ends_soon(self.today) {
                let breach = Breach::ExemptionEnds { secrets: secrets.clone(), until };
                self.breach_of_rule(rule, &exemption.at, Severity::Warning, breach);
            }
            let kind =
                NoteKind::Exempted { secrets, reason: exemption.reason.clone(), until, at: exemption.at.clone() };
            let address = Address::new(self.desired.target.name.as_deref(), Kind::Policy, rule.name.clone());
            self.verdict.notes.push(Note { address: Some(address), kind });
            in_force.push(exemption);
        }
        in_force
    }

    /// AWS's name of a secret; or those that it may have, where AWS wasn't asked or didn't say.
    fn names_of(&self, handle: &str, secret: &'a Secret) -> SecretName<'a> {
        let live = self.facts.and_then(|facts| facts.live.secrets.get(handle)).and_then(Reading::found);
        let listed = || self.listed.get(secret.name.as_str()).map(|listed| listed.name.as_str());
        live.map(|live| live.name.as_str())
            .or_else(listed)
            .map_or_else(|| SecretName::of(&secret.name), SecretName::Certain)
    }

    /// Whether the manifest's resources go: what it says of them then stands no more.
    fn removes(&self) -> bool {
        self.facts.is_some_and(|facts| facts.purpose == Purpose::Destroy)
    }

    /// How a secret may rotate: as the manifest says, or as it does now. Where a change is left out it is both, as the next
    /// apply may do what this one can't, and each of them must keep to the rules.
    fn outcomes(&self, address: &Address, handle: &str, secret: &'a Secret) -> Vec<PlannedRotation<'a>> {
        if self.stopped.contains(address) {
            return vec![PlannedRotation::Off];
        }
        let wanted = match (secret.rotation.enabled, &secret.rotation.rules) {
            _ if self.removes() => None,
            (Some(false), _) => Some(PlannedRotation::Off),
            (Some(true), Some(rules)) => Some(PlannedRotation::On(Some(rules))),
            _ => None,
        };
        let Some(facts) = self.facts else { return vec![wanted.unwrap_or(PlannedRotation::Unknown)] };
        let live = wanted.is_none() || self.left_out.contains(address);
        live.then(|| self.live_outcome(facts.live, handle, secret)).into_iter().chain(wanted).collect()
    }

    fn live_outcome(&self, live: &'a Live, handle: &str, secret: &Secret) -> PlannedRotation<'a> {
        match live.secrets.get(handle) {
            Some(Reading::Found(live)) => of_live(live),
            Some(Reading::Unread(unread)) => PlannedRotation::Unread(unread),
            // There is an error for that.
            Some(Reading::Absent) => PlannedRotation::Nothing,
            // A filter leaves it alone, and a rule may ask all the same.
            None => self.listed.get(secret.name.as_str()).map_or(PlannedRotation::Nothing, |listed| of_listed(listed)),
        }
    }

    /// Judges a secret of the manifest. The answer: the requirements that can't be judged.
    fn secret(
        &mut self,
        rule: &Rule,
        (address, handle, name): (&Address, &str, &str),
        secret: &Secret,
        outcomes: &[PlannedRotation<'_>],
    ) -> Vec<usize> {
        let removes = self.removes();
        let mut unknown = Vec::new();
        let mut is_off = false;
        for (index, requirement) in rule.requirements.iter().enumerate() {
            let breach = match &requirement.demand {
                Demand::Label(label) if !removes => {
                    let value = secret.labels.get(label);
                    (!value.is_some_and(|value| text::is_visible(value)))
                        .then(|| Breach::Label { label: label.clone(), blank: value.is_some() })
                }
                demand @ Demand::RotatedWithin(_) if !removes => self.history(handle, demand),
                demand if demand.is_of_rotation() && matches!(outcomes, [PlannedRotation::Unknown]) => {
                    unknown.push(index);
                    None
                }
                demand => outcomes.iter().find_map(|outcome| self.rotation(demand, *outcome)),
            };
            // That rotation is off, or can't be read, is said once for a rule, whatever it asks of it.
            let once = matches!(breach, Some(Breach::Off | Breach::Unread { .. }));
            if let Some(breach) = breach.filter(|_| !(once && is_off)) {
                is_off |= once;
                self.breach(rule, requirement, address, name, breach);
            }
        }
        unknown
    }

    /// How a secret of the manifest breaks that it has rotated within so many days.
    fn history(&self, handle: &str, demand: &Demand) -> Option<Breach> {
        let live = self.facts?.live.secrets.get(handle)?.found()?;
        let is_meant = !live.deleted && live.replica_of.is_none() && live.owning_service.is_none();
        let seconds = live.unchanged_for.filter(|_| is_meant)?;
        let days = u32::try_from(seconds / (24 * 3600)).unwrap_or(u32::MAX);
        demand.exceeded_by(seconds).map(|allowed| Breach::NotRotated { days, allowed })
    }

    /// How a rotation breaks what is asked of it.
    fn rotation(&mut self, demand: &Demand, outcome: PlannedRotation<'_>) -> Option<Breach> {
        if !demand.is_of_rotation() {
            return None;
        }
        let rules = match outcome {
            // Windows that never open lie inside all bounds.
            PlannedRotation::Off => return (!matches!(demand, Demand::Window(_))).then_some(Breach::Off),
            PlannedRotation::Unread(unread) => return Some(Breach::Unread { unread: unread.clone() }),
            PlannedRotation::Unknown | PlannedRotation::Nothing => return None,
            PlannedRotation::On(_) if *demand == Demand::Enabled => return None,
            PlannedRotation::On(None) => return Some(Breach::NoSchedule),
            PlannedRotation::On(Some(rules)) => rules,
        };
        let gaps = *self.gaps.entry(rules.clone()).or_insert_with_key(|rules| {
            Some((schedule::longest_interval_hours(&rules.schedule)?, schedule::worst_gap_hours(rules)?))
        });
        let Some(((interval, age), length)) = gaps.zip(schedule::window_hours(rules)) else {
            return Some(Breach::UnknownSchedule { rules: rules.clone() });
        };
        match demand {
            Demand::MaxAge(days) if age > days * 24 => {
                Some(Breach::Age { rules: rules.clone(), hours: age, days: *days })
            }
            Demand::MaxInterval(days) if interval > days * 24 => {
                Some(Breach::Interval { rules: rules.clone(), hours: interval, days: *days })
            }
            Demand::Window(bounds) => match bounds.max_hours.filter(|allowed| length > *allowed) {
                Some(allowed) => Some(Breach::WindowLength { hours: length, allowed }),
                None => bounds.first_outside(rules).map(|(day, hour)| Breach::WindowOutside {
                    day: day.and_then(|day| WEEKDAYS.get(usize::from(day))).map(ToString::to_string),
                    hour,
                    length,
                    bounds: bounds.to_string(),
                }),
            },
            _ => None,
        }
    }

    fn breach(&mut self, rule: &Rule, requirement: &Requirement, address: &Address, name: &str, breach: Breach) {
        let declared = self.desired.places.get(address).cloned();
        // What has passed already no plan can mend but one that goes on.
        let severity = if requirement.demand.is_of_history() { Severity::Warning } else { Severity::Error };
        let kind = ProblemKind::Policy { rule: rule.name.clone(), at: requirement.at.clone(), declared, breach };
        let (address, name) = (address.clone(), name.to_owned());
        self.verdict.problems.push(Problem { address, name, severity, kind });
    }

    /// What is wrong with a rule as a whole, or with the target that it is held against.
    fn breach_of_rule(&mut self, rule: &Rule, at: &Place, severity: Severity, breach: Breach) {
        let address = Address::new(self.desired.target.name.as_deref(), Kind::Policy, rule.name.clone());
        let kind = ProblemKind::Policy { rule: rule.name.clone(), at: at.clone(), declared: None, breach };
        self.verdict.problems.push(Problem { address, name: rule.name.clone(), severity, kind });
    }

    fn unproven(&mut self, rule: &Rule, at: &Place, why: Why) {
        self.verdict.unproven.push(Unproven { rule: rule.name.clone(), at: at.clone(), why });
    }
}

fn is_exempt(exemptions: &[&Exemption], name: &str) -> bool {
    exemptions.iter().any(|exemption| any(&exemption.secrets, name))
}

fn of_live(live: &LiveSecret) -> PlannedRotation<'_> {
    if live.deleted || live.replica_of.is_some() {
        PlannedRotation::Nothing
    } else if live.is_on() {
        PlannedRotation::On(live.rules.as_ref())
    } else {
        PlannedRotation::Off
    }
}

fn of_listed(listed: &ListedSecret) -> PlannedRotation<'_> {
    if listed.replica_of.is_some() {
        // It rotates with its primary, in another region.
        PlannedRotation::Nothing
    } else if listed.is_on {
        PlannedRotation::On(listed.rules.as_ref())
    } else {
        PlannedRotation::Off
    }
}

/// The names and ARNs by which a manifest names secrets.
pub fn names(desired: &Desired, live: &Live) -> BTreeSet<String> {
    let found = live.secrets.values().filter_map(Reading::found);
    let found = found.flat_map(|secret| [secret.name.clone(), secret.arn.clone()]);
    desired.secrets.values().map(|secret| secret.name.clone()).chain(found).collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
