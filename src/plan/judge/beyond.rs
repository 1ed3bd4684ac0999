//! What rules hold for beside the manifest's secrets: functions and stacks, by all that rotates with them, orphans that a plan
//! ends, and live secrets that no manifest names.

use std::collections::{BTreeMap, HashMap};

use crate::model::arn::{names_of_secret, unqualified_function_arn};
use crate::model::live::{LiveFunction, Unread};
use crate::model::rule::{Demand, Exemption, Requirement, Rule};
use crate::model::{Address, Kind, Live, Place};

use super::{Action, Breach, Change, Elsewhere, Judge, PlannedRotation, Severity, Why, is_exempt, names, of_listed};

/// The secrets that rotate on AWS, by the function's ARN: each by its name, and its handle where it has one.
#[derive(Debug, Default)]
pub(super) struct Rotating<'a>(HashMap<String, Vec<(&'a str, Option<&'a str>)>>);

impl<'a> Rotating<'a> {
    pub(super) fn new(live: &'a Live) -> Self {
        let mut all = Self::default();
        for (handle, secret) in &live.secrets {
            let Some(secret) = secret.found().filter(|secret| secret.is_on()) else { continue };
            all.add(secret.function_arn.as_deref(), &secret.name, Some(handle));
        }
        for orphan in live.orphan_secrets.iter().flatten() {
            all.add(Some(&orphan.function_arn), &orphan.name, None);
        }
        for orphan in &live.orphan_stacks {
            for name in orphan.rotating.iter().flatten() {
                all.add(orphan.function_arn.as_deref(), name, None);
            }
        }
        for secret in live.listed.iter().flatten().flatten().filter(|secret| secret.is_on) {
            all.add(secret.function_arn.as_deref(), &secret.name, None);
        }
        all
    }

    fn add(&mut self, function: Option<&str>, name: &'a str, handle: Option<&'a str>) {
        if let Some(function) = function {
            self.0.entry(key(function)).or_default().push((name, handle));
        }
    }

    fn with(&self, function: &str) -> &[(&'a str, Option<&'a str>)] {
        self.0.get(&key(function)).map_or(&[], Vec::as_slice)
    }
}

/// Whatever qualifier follows, it is the same function.
fn key(function: &str) -> String {
    unqualified_function_arn(function).to_string()
}

/// How many secrets that a rule matches rotate with a function, and whether all of them are exempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rotated {
    secrets: usize,
    exempt: usize,
}

impl Rotated {
    pub(super) fn add(&mut self, exempt: bool) {
        self.secrets += 1;
        self.exempt += usize::from(exempt);
    }

    /// Whether a rule holds for a function: it matches a secret that rotates with it, or the function itself; and not all of
    /// those secrets are exempt.
    pub(super) fn is_meant(self, rule: &Rule, labels: &BTreeMap<String, String>) -> bool {
        if self.secrets > 0 { self.exempt < self.secrets } else { rule.scope.has_labelled(labels) }
    }
}

/// Where a rule finds its secrets: those of the manifest by function, and who needn't follow it.
pub(super) type Wanted<'m> = BTreeMap<&'m str, Rotated>;

impl Judge<'_> {
    /// The secrets that a rule matches and that rotate, or will rotate, with a function of the manifest.
    pub(super) fn rotated(&self, rule: &Rule, exemptions: &[&Exemption], wanted: &Wanted<'_>, handle: &str) -> Rotated {
        let live = self.facts.and_then(|facts| facts.live.functions.get(handle));
        let configuration = live.and_then(|live: &LiveFunction| live.configuration.found());
        let start = wanted.get(handle).copied().unwrap_or_default();
        self.rotated_live(rule, exemptions, configuration.map(|found| found.arn.as_str()), start)
    }

    /// The same on AWS, in addition to those that are known. Entries that were deleted rotate there all the same.
    fn rotated_live(
        &self,
        rule: &Rule,
        exemptions: &[&Exemption],
        function: Option<&str>,
        mut rotated: Rotated,
    ) -> Rotated {
        let none = BTreeMap::new();
        for (name, handle) in function.map_or(&[][..], |function| self.rotating.with(function)) {
            let entry = handle.and_then(|handle| self.desired.secrets.get(handle));
            if rule.scope.has_secret(name, entry.map_or(&none, |entry| &entry.labels)) {
                rotated.add(is_exempt(exemptions, name));
            }
        }
        rotated
    }

    /// Judges the effects of a plan's changes.
    pub(super) fn effects(&mut self, rule: &Rule, exemptions: &[&Exemption], wanted: &Wanted<'_>) {
        let forbidden: Vec<(&Requirement, &str)> = rule
            .requirements
            .iter()
            .filter_map(|requirement| match &requirement.demand {
                Demand::Forbid(effect) => Some((requirement, effect.as_str())),
                _ => None,
            })
            .collect();
        let Some(facts) = self.facts else {
            for (requirement, _) in forbidden.into_iter().take(1) {
                self.unproven(rule, &requirement.at, Why::Effects);
            }
            return;
        };
        if forbidden.is_empty() {
            return;
        }
        let mut unlisted = None;
        for change in facts.plan.runnable() {
            let has = |word: &str| change.effects.iter().any(|effect| effect.word() == word);
            let found: Vec<&(&Requirement, &str)> = forbidden.iter().filter(|(_, word)| has(word)).collect();
            let Some((first, _)) = found.first() else { continue };
            if !self.is_meant(rule, exemptions, wanted, change) {
                // Which secrets rotate with it isn't known: the rule may hold for one of them.
                let of_function = matches!(change.address.kind, Kind::Function | Kind::OrphanStack);
                unlisted = unlisted.or((of_function && rule.scope.secrets.is_some()).then_some(&first.at));
                continue;
            }
            for (requirement, word) in found {
                let breach = Breach::Effect { effect: (*word).to_owned() };
                self.breach(rule, requirement, &change.address, &change.name, breach);
            }
        }
        // A rule that covers live secrets says it itself.
        if let (Some(at), Some(unread), None) = (unlisted, unlisted_why(facts.live), &rule.covers_live) {
            let breach = Breach::Unlisted { unread: unread.clone() };
            self.breach_of_rule(rule, at, Severity::Error, breach);
        }
    }

    /// Whether a rule holds for what a change concerns.
    fn is_meant(&self, rule: &Rule, exemptions: &[&Exemption], wanted: &Wanted<'_>, change: &Change) -> bool {
        let none = BTreeMap::new();
        let handle = change.address.handle.as_str();
        match change.address.kind {
            Kind::Function => {
                let function = self.desired.functions.get(handle);
                function.is_some_and(|one| self.rotated(rule, exemptions, wanted, handle).is_meant(rule, &one.labels))
            }
            Kind::OrphanStack => {
                let mut stacks = self.facts.iter().flat_map(|facts| &facts.live.orphan_stacks);
                let function = stacks.find(|orphan| orphan.stack.name == handle);
                let function = function.and_then(|orphan| orphan.function_arn.as_deref());
                self.rotated_live(rule, exemptions, function, Rotated::default()).is_meant(rule, &none)
            }
            _ => {
                let labels = self.desired.secrets.get(handle).map(|secret| &secret.labels);
                let labels = labels.filter(|_| change.address.kind == Kind::Secret).map_or(&none, |labels| &**labels);
                rule.scope.has_secret(&change.name, labels) && !is_exempt(exemptions, &change.name)
            }
        }
    }

    /// Judges the secrets without an entry whose rotation the plan ends: deleting an entry is no way around a rule.
    pub(super) fn orphans(&mut self, rule: &Rule, exemptions: &[&Exemption]) {
        let Some(facts) = self.facts else { return };
        let none = BTreeMap::new();
        for change in facts.plan.runnable() {
            let ends = change.address.kind == Kind::OrphanSecret && change.action == Action::DisableRotation;
            if ends && rule.scope.has_secret(&change.name, &none) && !is_exempt(exemptions, &change.name) {
                self.without_entry(rule, &change.address, &change.name, PlannedRotation::Off);
            }
        }
    }

    /// Judges a secret that has no entry: on its rotation alone, and that this is off is said once.
    fn without_entry(&mut self, rule: &Rule, address: &Address, name: &str, outcome: PlannedRotation<'_>) {
        let mut is_off = false;
        for requirement in &rule.requirements {
            let Some(breach) = self.rotation(&requirement.demand, outcome) else { continue };
            let off = breach == Breach::Off;
            if !(off && is_off) {
                self.breach(rule, requirement, address, name, breach);
            }
            is_off |= off;
        }
    }

    /// Judges the live secrets that no manifest names.
    pub(super) fn live(&mut self, rule: &Rule, covers: &Place, exemptions: &[&Exemption]) {
        let Some(facts) = self.facts else {
            self.unproven(rule, covers, Why::Live);
            return;
        };
        let listed = match &facts.live.listed {
            Some(Ok(listed)) => listed,
            Some(Err(unread)) => {
                let breach = Breach::Unlisted { unread: unread.clone() };
                self.breach_of_rule(rule, covers, Severity::Error, breach);
                return;
            }
            None => return,
        };
        let target = self.desired.target.name.as_deref();
        let named = names(self.desired, facts.live);
        // What another plan names counts where this very rule judges it there, and nowhere else.
        let judged: Vec<&Elsewhere<'_>> =
            facts.elsewhere.iter().filter(|there| there.rules.contains(&rule)).copied().collect();
        let is_judged = |name: &str| judged.iter().any(|there| there.names.contains(name));
        let none = BTreeMap::new();
        for secret in listed {
            let is_named =
                names_of_secret(&secret.name, &secret.arn).any(|name| named.contains(name) || is_judged(name));
            let orphan = Address::new(target, Kind::OrphanSecret, secret.name.as_str());
            // What pruning ends is judged with the other orphans.
            if is_named || self.stopped.contains(&orphan) || !rule.scope.has_secret(&secret.name, &none) {
                continue;
            }
            if !is_exempt(exemptions, &secret.name) {
                let address = Address::new(target, Kind::LiveSecret, secret.name.clone());
                self.without_entry(rule, &address, &secret.name, of_listed(secret));
            }
        }
    }
}

/// Why it isn't known which secrets rotate with a function, where it isn't.
fn unlisted_why(live: &Live) -> Option<&Unread> {
    match (&live.listed, &live.orphan_secrets) {
        (Some(Err(unread)), _) | (None, Err(unread)) => Some(unread),
        (Some(Ok(_)), _) | (None, Ok(_)) => None,
    }
}
