//! Rules of `select`, made into secrets: by a whole list of AWS's secrets first, and by their descriptions once more.
//!
//! What comes after (the comparison, policies, limits, saved plans) finds them among the manifest's secrets, as if an entry listed
//! them. A rule takes nothing over: what another way of rotating has, or can't rotate, it leaves alone, and says so.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::account::TaggedSecret;
use crate::model::arn::names_of_secret;
use crate::model::live::{LiveSecret, Reading, Unread};
use crate::model::record::SecretRecord;
use crate::model::{Address, Desired, FunctionSource, Kind, LeftOut, Live, SelectRule, Selected, Shared};

/// Where a target is.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// Such as `aws`.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// The account's id.
    pub account: &'a str,
}

/// Puts the secrets that rules match among the desired ones. `siblings`: what other targets of the same account and region want.
pub fn expand(desired: &mut Desired, siblings: &[&Desired], listed: Result<Vec<TaggedSecret>, Unread>, here: Here<'_>) {
    if desired.select.is_empty() {
        return;
    }
    let listed = match listed {
        Ok(listed) => listed,
        Err(unread) => {
            desired.selected = Some(Selected { unread: Some(unread), ..Selected::default() });
            return;
        }
    };
    let (mut selected, mut secrets) = (Selected::default(), BTreeMap::new());
    {
        let entries = Entries::new(desired, siblings);
        let functions = function_arns(desired, here);
        let others: Vec<(&Desired, BTreeMap<&str, String>)> =
            siblings.iter().map(|sibling| (*sibling, function_arns(sibling, here))).collect();
        let mut matched = BTreeSet::new();
        for secret in listed.iter().filter(|secret| !entries.name(&secret.record)) {
            let name = secret.record.name.as_str();
            let claims = claims(desired, secret);
            matched.extend(claims.iter().map(|(handle, _)| (*handle).to_owned()));
            let Some(&(_, first)) = claims.first() else { continue };
            let rules: BTreeSet<String> = claims.iter().map(|(handle, _)| (*handle).to_owned()).collect();
            if entries.lets_go(name) {
                continue;
            }
            let wanted = functions.get(first.function.as_str()).map_or("", String::as_str);
            let elsewhere = others.iter().any(|(sibling, functions)| {
                let theirs = self::claims(sibling, secret).into_iter().map(|(_, rule)| rule);
                theirs.into_iter().any(|rule| {
                    functions.get(rule.function.as_str()).map(String::as_str) != Some(wanted)
                        || rule.rotation != first.rotation
                })
            });
            if let Some(why) = out_of_reach(&Facts::from(&secret.record)) {
                selected.left_out.insert(name.to_owned(), (rules, why));
            } else if elsewhere || claims.iter().any(|(_, rule)| !is_same(rule, first)) {
                selected.conflicts.insert(name.to_owned(), rules);
            } else if let Some(why) = unfit(&Facts::from(&secret.record), wanted) {
                selected.left_out.insert(name.to_owned(), (rules, why));
            } else if desired.secrets.contains_key(name) {
                selected.left_out.insert(name.to_owned(), (rules, LeftOut::HandleTaken));
            } else {
                secrets.insert(name.to_owned(), first.secret(name));
                selected.secrets.insert(name.to_owned(), rules);
            }
        }
        let unmatched = desired.select.keys().filter(|handle| !matched.contains(*handle));
        selected.without_match = unmatched.cloned().collect();
        selected.beside = beside(desired, &selected, &listed, &entries, &functions);
    }
    selected.listed = Shared::from(listed);
    desired.secrets.extend(secrets);
    desired.selected = Some(selected);
}

/// Looks at what was selected once more, by what AWS says of each secret by itself: the list may be five minutes late.
pub fn settle(desired: &mut Desired, live: &mut Live) {
    let Some(mut selected) = desired.selected.take() else { return };
    let here = Here { partition: &live.partition, region: &live.region, account: &live.account };
    let functions: HashMap<String, String> =
        function_arns(desired, here).into_iter().map(|(handle, arn)| (handle.to_owned(), arn)).collect();
    let mut left = Vec::new();
    for handle in selected.secrets.keys() {
        let why = match (desired.secrets.get(handle), live.secrets.get(handle)) {
            (Some(secret), Some(Reading::Found(found))) => {
                let wanted = secret.function.as_ref().and_then(|function| functions.get(function));
                let facts = Facts::from(found);
                out_of_reach(&facts).or_else(|| unfit(&facts, wanted.map_or("", String::as_str)))
            }
            // It has gone since it was listed.
            (Some(_), Some(Reading::Absent)) => Some(LeftOut::ScheduledForDeletion),
            _ => None,
        };
        left.extend(why.map(|why| (handle.clone(), why)));
    }
    for (handle, why) in left {
        if let Some(rules) = selected.secrets.remove(&handle) {
            selected.left_out.insert(handle.clone(), (rules, why));
        }
        desired.secrets.remove(&handle);
        live.secrets.remove(&handle);
    }
    desired.selected = Some(selected);
}

/// The rules that match a secret, by handle.
fn claims<'a>(desired: &'a Desired, secret: &TaggedSecret) -> Vec<(&'a str, &'a SelectRule)> {
    let rules = desired.select.iter().filter(|(_, rule)| rule.matches.has(&secret.record.name, &secret.tags));
    rules.map(|(handle, rule)| (handle.as_str(), rule)).collect()
}

/// Whether two rules want the same of a secret.
fn is_same(one: &SelectRule, other: &SelectRule) -> bool {
    (&one.function, &one.rotation, &one.labels) == (&other.function, &other.rotation, &other.labels)
}

fn function_arns<'a>(desired: &'a Desired, here: Here<'_>) -> BTreeMap<&'a str, String> {
    let arn = |function: &crate::model::Function| function.arn(here.partition, here.region, here.account);
    desired.functions.iter().map(|(handle, function)| (handle.as_str(), arn(function))).collect()
}

/// What decides whether a rule takes a secret.
struct Facts<'a> {
    owning_service: Option<&'a str>,
    partner: Option<&'a str>,
    replica_of: Option<&'a str>,
    deleted: bool,
    is_on: bool,
    function: Option<&'a str>,
    is_unfinished: bool,
    has_value: bool,
}

impl<'a> From<&'a SecretRecord> for Facts<'a> {
    fn from(record: &'a SecretRecord) -> Self {
        Self {
            owning_service: record.owning_service.as_deref(),
            partner: record.partner_type.as_deref(),
            replica_of: record.replica_of.as_deref(),
            deleted: record.deletion.is_some(),
            is_on: record.is_on(),
            function: record.function_arn.as_deref(),
            is_unfinished: record.unfinished_rotation().is_some(),
            has_value: record.current_version.is_some(),
        }
    }
}

impl<'a> From<&'a LiveSecret> for Facts<'a> {
    fn from(live: &'a LiveSecret) -> Self {
        Self {
            owning_service: live.owning_service.as_deref(),
            partner: live.partner_type.as_deref(),
            replica_of: live.replica_of.as_deref(),
            deleted: live.deleted,
            is_on: live.is_on(),
            function: live.function_arn.as_deref(),
            is_unfinished: live.unfinished_rotation().is_some(),
            has_value: live.current_version.is_some(),
        }
    }
}

/// Why no rule takes a secret, whatever its function.
fn out_of_reach(facts: &Facts<'_>) -> Option<LeftOut> {
    Some(match facts {
        Facts { deleted: true, .. } => LeftOut::ScheduledForDeletion,
        Facts { replica_of: Some(primary), .. } => LeftOut::Replica { primary: (*primary).to_owned() },
        Facts { owning_service: Some(service), .. } => LeftOut::OwnedByService { service: (*service).to_owned() },
        Facts { partner: Some(partner), .. } => LeftOut::HeldByPartner { partner: (*partner).to_owned() },
        _ => return None,
    })
}

/// Why a rule doesn't take a secret. One that rotates with the rule's function is its own, also where that doesn't go well: it would
/// be in no plan and in no status any more.
fn unfit(facts: &Facts<'_>, wanted: &str) -> Option<LeftOut> {
    if facts.is_on {
        let otherwise = facts.function != Some(wanted);
        return otherwise.then(|| LeftOut::RotatesOtherwise { function: facts.function.map(str::to_owned) });
    }
    if facts.is_unfinished {
        return Some(LeftOut::UnfinishedRotation);
    }
    (!facts.has_value).then_some(LeftOut::NoValue)
}

/// What entries name: a rule leaves it to them.
struct Entries<'a> {
    names: HashSet<&'a str>,
    removed: HashSet<&'a str>,
}

impl<'a> Entries<'a> {
    fn new(desired: &'a Desired, siblings: &[&'a Desired]) -> Self {
        let all = siblings.iter().copied().chain([desired]);
        let names = all.flat_map(|desired| desired.secrets.values()).map(|secret| secret.name.as_str());
        let handles = desired.removed.iter().filter(|removed| removed.kind == Kind::Secret);
        let on_aws = desired.removed_names.iter().filter(|(kind, _)| *kind == Kind::Secret);
        Self {
            names: names.collect(),
            removed: handles
                .map(|removed| removed.handle.as_str())
                .chain(on_aws.map(|(_, name)| name.as_str()))
                .collect(),
        }
    }

    /// Whether an entry names a secret: by its name, by its ARN, or by one without AWS's six characters.
    fn name(&self, record: &SecretRecord) -> bool {
        names_of_secret(&record.name, &record.arn).any(|name| self.names.contains(name))
    }

    /// Whether the manifest lets go of it.
    fn lets_go(&self, name: &str) -> bool {
        self.removed.contains(name)
    }
}

/// By rule: what rotates with its function, which is only used, and is meant by nothing. It may have left the rule, or be others'.
fn beside(
    desired: &Desired,
    selected: &Selected,
    listed: &[TaggedSecret],
    entries: &Entries<'_>,
    functions: &BTreeMap<&str, String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut rules: BTreeMap<&str, &String> = BTreeMap::new();
    for (handle, rule) in desired.select.iter().rev() {
        let function = desired.functions.get(&rule.function);
        let is_used = function.is_some_and(|one| matches!(one.source, FunctionSource::Existing { .. }));
        if let Some(arn) = functions.get(rule.function.as_str()).filter(|_| is_used) {
            rules.insert(arn, handle);
        }
    }
    let mut beside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for secret in listed.iter().map(|secret| &secret.record).filter(|record| record.rotates_here()) {
        let rule = secret.function_arn.as_deref().and_then(|arn| rules.get(arn));
        let is_meant = selected.claims(&secret.name) || entries.name(secret) || entries.lets_go(&secret.name);
        if let Some(rule) = rule.filter(|_| !is_meant) {
            beside.entry((*rule).clone()).or_default().insert(secret.name.clone());
        }
    }
    beside
}

/// Which rules mean a secret that no entry names, by its address.
pub fn rules_of<'a>(desired: &'a Desired, address: &Address) -> Option<&'a BTreeSet<String>> {
    let selected = desired.selected.as_ref().filter(|_| address.kind == Kind::Secret)?;
    selected.secrets.get(&address.handle)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
