//! One listing of stacks serves both those that the handles name and those that the project left behind.

use std::collections::{BTreeMap, BTreeSet};

use super::{Counter, Listener, Part, Selection, budget, side_by_side};
use crate::aws::error::{AwsError, reading};
use crate::aws::kind::ErrorKind;
use crate::aws::reader::Reader;
use crate::model::live::{LiveStack, Reading, Unread};
use crate::model::{Deployment, Desired, PROJECT_TAG, SAR_APPLICATION_TAG, SAR_STACK_PREFIXES};

/// How many stacks that don't say which function they hold are asked for it.
const ASKED: usize = 20;

/// The stacks of a target that matter here.
pub(super) struct Stacks {
    /// For each selected handle of a deployed function.
    pub by_handle: BTreeMap<String, Reading<LiveStack>>,
    /// Stacks with the project's tag, or its earlier name's, by ARN; empty where orphans aren't asked for.
    pub owned: BTreeMap<String, Reading<LiveStack>>,
    /// Those that no deployment of the manifest names, made from an application of one: they may hold its function.
    others: Vec<LiveStack>,
    /// Why stacks could not be listed, if they couldn't.
    pub unread: Option<Unread>,
}

impl Stacks {
    /// The stack of a deployment's application that holds a function under another name than the manifest's.
    pub(super) async fn holder(&self, reader: &Reader, deployment: &Deployment, function: &str) -> Option<LiveStack> {
        let id = &deployment.application.id;
        let alike = || self.others.iter().filter(|stack| stack.tags.get(SAR_APPLICATION_TAG) == Some(id));
        if let Some(stack) = alike().find(|stack| stack.function.as_deref() == Some(function)) {
            return Some(stack.clone());
        }
        // Those that aren't at rest, or failed, don't say it.
        let asked = alike().filter(|stack| stack.function.is_none() && !stack.in_review()).take(ASKED);
        let asked = asked.map(|stack| async move {
            let held = reader.stack_function(&stack.id).await.ok().flatten();
            (held.as_deref() == Some(function)).then(|| stack.clone())
        });
        let found: Vec<Option<LiveStack>> = side_by_side(budget::STACKS, asked).await;
        found.into_iter().flatten().next()
    }
}

pub(super) async fn read(
    reader: &Reader,
    desired: &Desired,
    selection: &Selection<'_>,
    orphans: bool,
    progress: Listener<'_>,
) -> Stacks {
    let deployed: Vec<(&String, &Deployment)> =
        selection.functions.iter().filter_map(|(handle, function)| Some((*handle, function.deployment()?))).collect();
    if deployed.is_empty() && !orphans {
        return Stacks { by_handle: BTreeMap::new(), owned: BTreeMap::new(), others: Vec::new(), unread: None };
    }
    let listed = reader.stacks().await;
    let all = match &listed {
        Ok(stacks) => stacks.as_slice(),
        Err(_) => &[],
    };
    let others = others(all, desired);
    let mut by_handle: BTreeMap<String, Reading<LiveStack>> = BTreeMap::new();
    for (handle, deployment) in deployed {
        let found = match &listed {
            Ok(_) => choose(all, deployment),
            Err(error) => without_listing(reader, deployment, error).await,
        };
        by_handle.insert(handle.clone(), found);
    }
    let owned = all.iter().filter(|stack| orphans && is_owned(stack, desired)).cloned();
    let needed: BTreeMap<String, LiveStack> = by_handle
        .values()
        .filter_map(|stack| stack.found().cloned())
        .chain(owned)
        .map(|stack| (stack.id.clone(), stack))
        .collect();
    let counter = &Counter::new(Part::Stacks, needed.len(), progress);
    let complete: BTreeMap<String, Reading<LiveStack>> = {
        let one = |(id, stack)| async move {
            let complete = complete(reader, stack).await;
            counter.one_more();
            (id, complete)
        };
        side_by_side(budget::STACKS, needed.into_iter().map(one)).await
    };
    for stack in by_handle.values_mut() {
        let found = stack.found().and_then(|found| complete.get(&found.id)).cloned();
        if let Some(found) = found {
            *stack = found;
        }
    }
    let owned = all.iter().filter(|stack| orphans && is_owned(stack, desired));
    let owned = owned.filter_map(|stack| Some((stack.id.clone(), complete.get(&stack.id)?.clone()))).collect();
    Stacks { by_handle, owned, others, unread: listed.err().map(Unread::from) }
}

/// The names that a deployment's stack can have: AWS puts one of two prefixes before what was asked for.
pub(super) fn names(deployment: &Deployment) -> [String; 3] {
    let [newer, older] = SAR_STACK_PREFIXES.map(|prefix| format!("{prefix}{}", deployment.stack));
    [newer, older, deployment.stack.clone()]
}

/// The stacks that come from an application of the manifest's, and that none of its deployments names.
fn others(all: &[LiveStack], desired: &Desired) -> Vec<LiveStack> {
    let deployments = || desired.functions.values().filter_map(|function| function.deployment());
    let applications: BTreeSet<&String> = deployments().map(|deployment| &deployment.application.id).collect();
    let named: BTreeSet<String> = deployments().flat_map(names).collect();
    let is_from = |stack: &&LiveStack| stack.tags.get(SAR_APPLICATION_TAG).is_some_and(|id| applications.contains(id));
    all.iter().filter(is_from).filter(|stack| !named.contains(&stack.name)).cloned().collect()
}

/// Whether a stack carries the project's tag, or its earlier name's.
fn is_owned(stack: &LiveStack, desired: &Desired) -> bool {
    stack.tags.get(PROJECT_TAG).is_some_and(|project| {
        *project == desired.project || desired.renamed_from.as_ref().is_some_and(|earlier| project == earlier)
    })
}

/// The stack of a deployment among all stacks: by name, and made from the same application.
///
/// One of that name from anything else would be overwritten by a deployment. That is a reading that failed, so that the plan says it.
fn choose(stacks: &[LiveStack], deployment: &Deployment) -> Reading<LiveStack> {
    let candidates = names(deployment);
    let named = || candidates.iter().filter_map(|name| stacks.iter().find(|stack| stack.name == *name));
    let application = |stack: &LiveStack| stack.tags.get(SAR_APPLICATION_TAG).cloned();
    let is_same = |stack: &&LiveStack| application(stack).as_ref() == Some(&deployment.application.id);
    if let Some(stack) = named().find(is_same) {
        return Reading::Found(stack.clone());
    }
    // Only the name that a new stack would get is taken from others; tags come with the first execution, not before.
    match named().find(|stack| stack.name == candidates[0]) {
        None => Reading::Absent,
        Some(stack) if stack.is_half_made() => Reading::Found(stack.clone()),
        Some(stack) => {
            let origin = application(stack).map_or_else(|| "no application".to_owned(), |id| format!("`{id}`"));
            let message = format!(
                "the stack `{}` exists and comes from {origin}, not from `{}`",
                stack.name, deployment.application.id
            );
            Reading::Unread(Unread::Failed { call: None, code: None, message, request_id: None })
        }
    }
}

/// Looks a deployment's stack up by name, where a policy allows that and no listing.
async fn without_listing(reader: &Reader, deployment: &Deployment, error: &AwsError) -> Reading<LiveStack> {
    if error.kind != ErrorKind::Denied {
        return Reading::Unread(error.clone().into());
    }
    let mut found = Vec::new();
    for name in names(deployment) {
        match reading(reader.stack(&name).await) {
            Reading::Found(stack) => found.push(stack),
            // The newest name is the one that counts: without it, nothing is known.
            Reading::Unread(unread) if name.starts_with(SAR_STACK_PREFIXES[0]) => return Reading::Unread(unread),
            Reading::Absent | Reading::Unread(_) => {}
        }
    }
    choose(&found, deployment)
}

/// Adds the function that a stack made and, where it failed, why.
async fn complete(reader: &Reader, mut stack: LiveStack) -> Reading<LiveStack> {
    if stack.in_review() {
        return Reading::Found(stack);
    }
    if stack.function.is_none() {
        match reader.stack_function(&stack.id).await {
            Ok(function) => stack.function = function,
            Err(error) if error.kind == ErrorKind::NotFound => return Reading::Absent,
            Err(error) => return Reading::Unread(error.into()),
        }
    }
    if has_failed(&stack.status) {
        // It only explains: a plan can be made without it.
        stack.first_failure = reader.stack_first_failure(&stack.id).await.ok().flatten();
    }
    Reading::Found(stack)
}

/// Whether the last operation on a stack failed, rolled back or not.
fn has_failed(status: &str) -> bool {
    status.ends_with("_FAILED") || matches!(status, "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Application, Settings};

    fn deployment() -> Deployment {
        Deployment {
            application: Application { id: "app".into(), version: None, parameters: BTreeMap::new() },
            stack: "f".into(),
            shared: false,
            verify: None,
            read_secrets: Vec::new(),
            read_fault: None,
            test: crate::model::TestValues::default(),
            code: None,
            settings: Settings::default(),
            environment: BTreeMap::new(),
        }
    }

    fn stack(name: &str, status: &str, application: Option<&str>) -> LiveStack {
        LiveStack {
            id: format!("arn:{name}"),
            name: name.into(),
            status: status.into(),
            tags: application.map(|id| (SAR_APPLICATION_TAG.to_owned(), id.to_owned())).into_iter().collect(),
            parameters: BTreeMap::new(),
            capabilities: Vec::new(),
            function: None,
            first_failure: None,
        }
    }

    fn chosen(stacks: &[LiveStack]) -> Option<String> {
        choose(stacks, &deployment()).found().map(|stack| stack.name.clone())
    }

    /// Without it, a stack from an older guide would be deployed a second time under the newer prefix.
    #[test]
    fn a_stack_is_found_under_each_of_its_names() {
        for name in ["serverlessrepo-f", "aws-serverless-repository-f", "f"] {
            assert_eq!(chosen(&[stack(name, "CREATE_COMPLETE", Some("app"))]).as_deref(), Some(name));
        }
        let both = [
            stack("aws-serverless-repository-f", "CREATE_COMPLETE", Some("app")),
            stack("serverlessrepo-f", "CREATE_COMPLETE", Some("app")),
        ];
        assert_eq!(chosen(&both).as_deref(), Some("serverlessrepo-f"));
        assert_eq!(choose(&[stack("f", "CREATE_COMPLETE", None)], &deployment()), Reading::Absent);
        assert_eq!(
            choose(&[stack("serverlessrepo-g", "CREATE_COMPLETE", Some("app"))], &deployment()),
            Reading::Absent
        );
    }

    /// Without it, a deployment would run over a stack that somebody else made; or a half-made one could never be repaired.
    #[test]
    fn a_strangers_stack_of_that_name_is_foreseen() {
        for application in [None, Some("other")] {
            let stacks = [stack("serverlessrepo-f", "CREATE_COMPLETE", application)];
            let Reading::Unread(Unread::Failed { message, .. }) = choose(&stacks, &deployment()) else {
                panic!("the clash must be said");
            };
            assert!(message.contains("`serverlessrepo-f`") && message.contains("`app`"), "{message}");
        }
        let half_made = [stack("serverlessrepo-f", "REVIEW_IN_PROGRESS", None)];
        assert_eq!(chosen(&half_made).as_deref(), Some("serverlessrepo-f"));
    }
}
