//! Rules of `select` under policies, where AWS can't be asked which secrets they mean: what holds for all of them is judged.

use crate::model::rule::{Exemption, Pattern, Rule};
use crate::model::{Address, Kind, SelectRule};

use super::{Judge, PlannedRotation, Why};

impl Judge<'_> {
    /// Judges the rules of `select` by a rule of a policy. Each secret that they mean is judged by itself once a plan knows it.
    pub(super) fn selected(&mut self, rule: &Rule, exemptions: &[&Exemption]) {
        if self.facts.is_some() {
            return;
        }
        let mut unclear: Vec<Address> = Vec::new();
        for (handle, select) in &self.desired.select {
            let address = self.desired.address(Kind::Select, handle);
            let names = select.matches.names.as_deref();
            if !rule.scope.has_labels(&select.labels) {
                continue;
            }
            let exempt = || exemptions.iter().any(|exemption| may_be(names, &exemption.secrets));
            match rule.scope.secrets.as_deref() {
                Some(scope) if !may_be(names, scope) => {}
                Some(scope) if !are_all(names, scope) => unclear.push(address),
                _ if exempt() => unclear.push(address),
                _ => {
                    let outcomes = [outcome(select)];
                    let secret = select.secret(handle);
                    self.secret(rule, (&address, handle, handle), &secret, &outcomes);
                }
            }
        }
        if !unclear.is_empty() {
            self.unproven(rule, &rule.at, Why::Names(unclear));
        }
    }
}

/// How secrets rotate that a rule means.
fn outcome(select: &SelectRule) -> PlannedRotation<'_> {
    if select.rotation.enabled == Some(false) {
        return PlannedRotation::Off;
    }
    PlannedRotation::On(select.rotation.rules.as_ref())
}

/// Whether some name may be meant by both.
fn may_be(names: Option<&[Pattern]>, others: &[Pattern]) -> bool {
    names.is_none_or(|names| names.iter().any(|name| others.iter().any(|other| other.meets(name))))
}

/// Whether all names are meant by the others, too, as far as that can be read from the patterns.
fn are_all(names: Option<&[Pattern]>, others: &[Pattern]) -> bool {
    names.is_some_and(|names| names.iter().all(|name| others.iter().any(|other| other.matches(&name.0))))
}
