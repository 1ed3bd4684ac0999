//! What the project owns and no handle names. The rules are those of the manifest's "Ownership".

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::is_shared;
use super::stacks::{self, Stacks};
use crate::aws::reader::Reader;
use crate::model::arn::{names_of_secret, unqualified_function_arn};
use crate::model::live::{ListedSecret, Live, LiveSecret, LiveStack, OrphanSecret, OrphanStack, Reading, Unread};
use crate::model::{Deployment, Desired, Selected};

/// Fills in the orphans, and how many secrets of others a shared function rotates.
pub(super) fn find(
    reader: &Reader,
    (desired, siblings): (&Desired, &[Desired]),
    stacks: &Stacks,
    listed: Result<&[ListedSecret], &Unread>,
    live: &mut Live,
) {
    let arn_of = |stack: &LiveStack| stack.function.as_deref().map(|name| reader.function_arn(name));
    let handles = Handles::new(desired, &live.secrets);
    // The tag says which project a stack belongs to, and not which target: those of others in this account and region are theirs.
    let theirs = stack_names(siblings.iter().flat_map(deployments));
    let is_theirs = |stack: &LiveStack| theirs.contains(&stack.name) && !handles.stacks.contains(&stack.name);
    let owned: Vec<&LiveStack> =
        stacks.owned.values().filter_map(Reading::found).filter(|stack| !is_theirs(stack)).collect();
    live.orphan_stacks = owned
        .iter()
        .filter(|stack| !handles.stacks.contains(&stack.name))
        .map(|stack| {
            let function_arn = arn_of(stack);
            let rotating = listed.ok().map(|listed| match &function_arn {
                Some(arn) => rotating_with(listed, arn).map(|secret| secret.name.clone()).collect(),
                None => Vec::new(),
            });
            OrphanStack { stack: (*stack).clone(), shared: is_shared(&stack.tags), function_arn, rotating }
        })
        .collect();
    live.orphan_secrets = match (listed, &stacks.unread, stacks.owned.values().find_map(unread)) {
        (Err(unread), ..) | (_, Some(unread), _) | (_, _, Some(unread)) => Err(unread.clone()),
        (Ok(listed), None, None) => {
            let unshared =
                owned.iter().filter(|stack| !is_shared(&stack.tags) && !handles.shared.contains(&stack.name));
            Ok(orphan_secrets(listed, &unshared.filter_map(|stack| arn_of(stack)).collect(), &handles))
        }
    };
    let Ok(listed) = listed else { return };
    for (handle, function) in &mut live.functions {
        let deployment = desired.functions.get(handle).and_then(|function| function.deployment());
        let tagged = function.stack.found().is_some_and(|stack| is_shared(&stack.tags));
        if !deployment.is_some_and(|deployment| deployment.shared || tagged) {
            continue;
        }
        if let Reading::Found(configuration) = &function.configuration {
            let others = rotating_with(listed, &configuration.arn).filter(|secret| !handles.name(secret));
            function.foreign_secrets = Some(others.count());
        }
    }
}

fn unread<T>(reading: &Reading<T>) -> Option<&Unread> {
    match reading {
        Reading::Unread(unread) => Some(unread),
        _ => None,
    }
}

fn rotating_with<'a>(listed: &'a [ListedSecret], function: &str) -> impl Iterator<Item = &'a ListedSecret> {
    listed.iter().filter(move |secret| {
        secret.is_on && secret.function_arn.as_deref().map(unqualified_function_arn) == Some(function)
    })
}

fn orphan_secrets(listed: &[ListedSecret], unshared: &BTreeSet<String>, handles: &Handles<'_>) -> Vec<OrphanSecret> {
    let orphan = |secret: &ListedSecret| {
        let function_arn = secret.function_arn.as_deref().map(unqualified_function_arn)?;
        let is_orphan = secret.is_on && unshared.contains(function_arn) && !handles.name(secret);
        is_orphan.then(|| OrphanSecret {
            name: secret.name.clone(),
            arn: secret.arn.clone(),
            function_arn: function_arn.to_owned(),
        })
    };
    let mut orphans: Vec<OrphanSecret> = listed.iter().filter_map(orphan).collect();
    orphans.sort_by(|a, b| a.name.cmp(&b.name));
    orphans
}

fn deployments(desired: &Desired) -> impl Iterator<Item = &Deployment> {
    desired.functions.values().filter_map(|function| function.deployment())
}

/// The names that the stacks of deployments can have.
fn stack_names<'a>(deployments: impl Iterator<Item = &'a Deployment>) -> BTreeSet<String> {
    deployments.flat_map(stacks::names).collect()
}

/// All that the whole manifest names, not only what is selected: a filter makes nothing an orphan.
struct Handles<'a> {
    /// Names and ARNs of secrets, whole or without their suffix.
    secrets: HashSet<&'a str>,
    /// What rules of `select` mean, whatever came of it.
    selected: Option<&'a Selected>,
    /// Names of stacks.
    stacks: BTreeSet<String>,
    /// Names of stacks whose functions the manifest declares shared, whether their tags say so yet or not.
    shared: BTreeSet<String>,
}

impl<'a> Handles<'a> {
    fn new(desired: &'a Desired, secrets: &'a BTreeMap<String, Reading<LiveSecret>>) -> Self {
        let described = secrets.values().filter_map(Reading::found).map(|secret| secret.arn.as_str());
        Self {
            secrets: desired.secrets.values().map(|secret| secret.name.as_str()).chain(described).collect(),
            selected: desired.selected.as_ref(),
            stacks: stack_names(deployments(desired)),
            shared: stack_names(deployments(desired).filter(|deployment| deployment.shared)),
        }
    }

    /// Whether a handle names this secret: by name, by ARN, or by an ARN without the six random characters.
    fn name(&self, secret: &ListedSecret) -> bool {
        names_of_secret(&secret.name, &secret.arn).any(|name| self.secrets.contains(name))
            || self.selected.is_some_and(|selected| selected.claims(&secret.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111111111111:function:f";

    fn listed(name: &str, is_on: bool, function: &str) -> ListedSecret {
        ListedSecret {
            name: name.into(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}-AbCdEf"),
            is_on,
            function_arn: Some(function.into()),
            rules: None,
            owning_service: None,
            replica_of: None,
        }
    }

    fn handles<'a>(secrets: &[&'a str]) -> Handles<'a> {
        Handles {
            secrets: secrets.iter().copied().collect(),
            selected: None,
            stacks: BTreeSet::new(),
            shared: BTreeSet::new(),
        }
    }

    fn orphans(secrets: &[ListedSecret], handles: &Handles<'_>) -> Vec<String> {
        let found = orphan_secrets(secrets, &BTreeSet::from([FUNCTION.to_owned()]), handles);
        found.into_iter().map(|orphan| orphan.name).collect()
    }

    /// Without it, pruning could end the rotation of a secret that the manifest names by its ARN, or that isn't ours at all.
    #[test]
    fn orphans_rotate_with_our_function_and_have_no_handle() {
        let all = [
            listed("b", true, &format!("{FUNCTION}:live")),
            listed("a", true, FUNCTION),
            listed("off", false, FUNCTION),
            listed("others", true, "arn:aws:lambda:eu-west-1:111111111111:function:g"),
        ];
        assert_eq!(orphans(&all, &handles(&[])), ["a", "b"]);
        assert_eq!(orphans(&all, &handles(&["a"])), ["b"]);
        assert_eq!(orphans(&all, &handles(&[all[0].arn.as_str()])), ["a"]);
        let partial = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:b";
        assert_eq!(orphans(&all, &handles(&[partial])), ["a"]);
    }

    /// Without it, a function could be deleted while a secret still rotates with one of its aliases.
    #[test]
    fn rotating_secrets_are_found_through_aliases() {
        let all = [listed("a", true, &format!("{FUNCTION}:live")), listed("off", false, FUNCTION)];
        let names: Vec<&str> = rotating_with(&all, FUNCTION).map(|secret| secret.name.as_str()).collect();
        assert_eq!(names, ["a"]);
    }
}
