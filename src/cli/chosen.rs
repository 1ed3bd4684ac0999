//! What filters have chosen of a target.

use std::collections::BTreeSet;

use crate::model::{Desired, Kind};

/// Handles; and the names of secrets that rules of `select` mean and don't manage, of which a plan says why.
#[derive(Debug, Default)]
pub struct Chosen {
    pub functions: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
    pub rules: BTreeSet<String>,
    pub unmanaged: BTreeSet<String>,
}

impl Chosen {
    /// How much it is.
    pub fn len(&self) -> usize {
        self.functions.len() + self.secrets.len() + self.rules.len() + self.unmanaged.len()
    }

    /// Adds what has a name, as a handle or on AWS; of a rule, the secrets too that it means. Whether there is any.
    pub fn add(&mut self, desired: &Desired, kind: Kind, is_meant: &dyn Fn(&str) -> bool) -> bool {
        let of_both = |(handle, name): &(&String, &String)| is_meant(handle) || is_meant(name);
        let found: BTreeSet<String> = match kind {
            Kind::Function => {
                let all = desired.functions.iter().map(|(handle, function)| (handle, &function.name));
                all.filter(of_both).map(|(handle, _)| handle.clone()).collect()
            }
            Kind::Select => desired.select.keys().filter(|rule| is_meant(rule)).cloned().collect(),
            _ => {
                let all = desired.secrets.iter().map(|(handle, secret)| (handle, &secret.name));
                all.filter(of_both).map(|(handle, _)| handle.clone()).collect()
            }
        };
        let unmanaged: BTreeSet<String> = match kind {
            Kind::Secret => unmanaged_names(desired).filter(|name| is_meant(name)).cloned().collect(),
            _ => BTreeSet::new(),
        };
        let is_some = !found.is_empty() || !unmanaged.is_empty();
        self.unmanaged.extend(unmanaged);
        match kind {
            Kind::Function => self.functions.extend(found),
            Kind::Select => {
                let selected = desired.selected.iter().flat_map(|selected| &selected.secrets);
                let of_rules = selected.filter(|(_, rules)| !rules.is_disjoint(&found));
                self.secrets.extend(of_rules.map(|(handle, _)| handle.clone()));
                self.rules.extend(found);
            }
            _ => self.secrets.extend(found),
        }
        is_some
    }

    /// Leaves it in a desired state, with what it depends on.
    pub fn keep(mut self, desired: &mut Desired) {
        let needed = desired.secrets.iter().filter(|(handle, _)| self.secrets.contains(*handle));
        self.functions.extend(needed.filter_map(|(_, secret)| secret.function.clone()));
        desired.select.retain(|handle, _| self.rules.contains(handle));
        self.functions.extend(desired.select.values().map(|rule| rule.function.clone()));
        desired.secrets.retain(|handle, _| self.secrets.contains(handle));
        desired.functions.retain(|handle, _| self.functions.contains(handle));
        if let Some(selected) = &mut desired.selected {
            selected.secrets.retain(|handle, _| self.secrets.contains(handle));
            selected.without_match.retain(|handle| self.rules.contains(handle));
            selected.beside.retain(|handle, _| self.rules.contains(handle));
            let stays =
                |name: &String, of: &BTreeSet<String>| self.unmanaged.contains(name) || !self.rules.is_disjoint(of);
            selected.conflicts.retain(|name, of| stays(name, of));
            selected.left_out.retain(|name, (of, _)| stays(name, of));
        }
    }
}

/// The names of secrets that rules mean and don't manage.
pub fn unmanaged_names(desired: &Desired) -> impl Iterator<Item = &String> {
    let selected = desired.selected.iter();
    selected.flat_map(|selected| selected.conflicts.keys().chain(selected.left_out.keys()))
}
