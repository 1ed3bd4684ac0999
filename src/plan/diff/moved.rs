//! Secrets that another target of the same account and region has now: on AWS they are the same.

use std::collections::BTreeMap;

use crate::model::arn::Arn;
use crate::model::{Desired, Secret, Target};

/// The secrets that left their targets for others, by their names on AWS.
#[derive(Default)]
pub(super) struct Moved<'a>(BTreeMap<&'a str, Vec<Move<'a>>>);

/// From where to where: of a target before the change to one after it.
struct Move<'a> {
    from: (&'a Desired, &'a str),
    to: &'a Desired,
}

impl<'a> Moved<'a> {
    /// Looks for them in targets that were paired.
    pub(super) fn between(pairs: &[(Option<&'a Desired>, Option<&'a Desired>)]) -> Self {
        let mut left: BTreeMap<&str, Vec<(&Desired, &str)>> = BTreeMap::new();
        for (old, new) in pairs {
            for (handle, secret) in only_in(*old, *new) {
                left.entry(&secret.name).or_default().extend(old.map(|old| (old, handle)));
            }
        }
        let mut moved = Self::default();
        for (old, new) in pairs {
            for (_, secret) in only_in(*new, *old) {
                let (Some(to), Some(candidates)) = (*new, left.get_mut(secret.name.as_str())) else { continue };
                if let Some(at) = candidates.iter().position(|(from, _)| may_be_one_place(&from.target, &to.target)) {
                    let from = candidates.remove(at);
                    moved.0.entry(&secret.name).or_default().push(Move { from, to });
                }
            }
        }
        moved
    }

    /// Where a secret of a target was before, and its handle there.
    pub(super) fn source(&self, to: &Desired, name: &str) -> Option<(&'a Desired, &'a str)> {
        let found = self.0.get(name)?.iter().find(|one| std::ptr::eq(one.to, to))?;
        Some(found.from)
    }

    /// Whether another target has a secret of a target now.
    pub(super) fn has_left(&self, from: &Desired, name: &str) -> bool {
        self.0.get(name).is_some_and(|moves| moves.iter().any(|one| std::ptr::eq(one.from.0, from)))
    }
}

/// The secrets of one side that the other one doesn't have by their names.
fn only_in<'a>(side: Option<&'a Desired>, other: Option<&'a Desired>) -> Vec<(&'a str, &'a Secret)> {
    let names = |side: &'a Desired| side.secrets.values().map(|secret| secret.name.as_str());
    let others: std::collections::HashSet<&str> = other.into_iter().flat_map(names).collect();
    let own = side.into_iter().flat_map(|side| side.secrets.iter());
    own.filter(|(_, secret)| !others.contains(secret.name.as_str()))
        .map(|(handle, secret)| (handle.as_str(), secret))
        .collect()
}

/// Whether two targets may be of one account and region: one that doesn't say where it is may be anywhere.
fn may_be_one_place(one: &Target, other: &Target) -> bool {
    let account = |target: &Target| {
        let of_role = || target.role.as_ref()?.parse::<Arn>().ok().map(|arn| arn.account);
        target.account.clone().or_else(of_role)
    };
    let may_be = |one: Option<String>, other: Option<String>| one.is_none() || other.is_none() || one == other;
    may_be(account(one), account(other)) && may_be(one.region.clone(), other.region.clone())
}
