//! The functions of a manifest: configuration, policy, application, and the files of code that differs.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Semaphore;

use super::stacks::Stacks;
use super::{Counter, Listener, Part, Selection, budget, side_by_side};
use crate::aws::cover;
use crate::aws::error::reading;
use crate::aws::execute::FunctionState;
use crate::aws::reader::Reader;
use crate::model::arn::FunctionReference;
use crate::model::live::{ApplicationVersion, Configuration, LiveFunction, LiveStack, Reading, Statement};
use crate::model::{Deployment, Function, FunctionSource, PackagedFile, SAR_VERSION_TAG};
use crate::package;

/// An application and the version to read; `None`: the newest.
type Wanted = (String, Option<String>);

/// A function as it is, whatever stack it belongs to.
struct Seen {
    state: Reading<FunctionState>,
    policy: Reading<Vec<Statement>>,
}

/// What is known of functions before their stacks are.
pub(super) struct Early {
    /// By handle.
    functions: BTreeMap<String, Seen>,
    /// The newest version of each application.
    newest: BTreeMap<String, Reading<ApplicationVersion>>,
}

/// Reads what needs no stack: the functions by the names that the manifest gives them, since a stack's function has nearly always the
/// name that it was asked for; and the newest versions of their applications.
pub(super) async fn look(reader: &Reader, selection: &Selection<'_>, progress: Listener<'_>) -> Early {
    let counter = &Counter::new(Part::Functions, selection.functions.len(), progress);
    let functions = selection.functions.iter().copied().map(|(handle, function)| async move {
        let seen = one(reader, by_manifest(function)).await;
        counter.one_more();
        (handle.clone(), seen)
    });
    let deployments = selection.functions.iter().filter_map(|(_, function)| function.deployment());
    let applications: BTreeSet<&String> = deployments.map(|deployment| &deployment.application.id).collect();
    let newest =
        applications.into_iter().map(|id| async move { (id.clone(), reading(reader.application(id, None).await)) });
    let (functions, newest) =
        futures::join!(side_by_side(budget::FUNCTIONS, functions), side_by_side(budget::APPLICATIONS, newest));
    Early { functions, newest }
}

/// Puts together what was seen of the functions and what their stacks say, and reads again what the two don't agree on.
pub(super) async fn read(
    reader: &Reader,
    selection: &Selection<'_>,
    stacks: &Stacks,
    early: Early,
) -> BTreeMap<String, LiveFunction> {
    let Early { functions: mut seen, newest } = early;
    let downloads = &Semaphore::new(budget::DOWNLOADS);
    let jobs = selection.functions.iter().copied().map(|(handle, function)| {
        let seen = seen.remove(handle);
        async move {
            let stack = stacks.by_handle.get(handle).cloned().unwrap_or(Reading::Absent);
            let made = stack.found().and_then(|stack| stack.function.as_deref());
            let name = by_manifest(function);
            let seen = match (seen, made) {
                (Some(seen), None) => seen,
                // A stack that was there a moment later than the function wasn't has made it in between.
                (Some(seen), Some(made)) if made == name && !matches!(seen.state, Reading::Absent) => seen,
                (_, made) => one(reader, made.unwrap_or(name)).await,
            };
            let configuration = match seen.state {
                Reading::Found(state) => {
                    let code_files = live_files(reader, function.deployment(), &state, downloads).await;
                    Reading::Found(Configuration { code_files, ..state.configuration })
                }
                Reading::Absent => Reading::Absent,
                Reading::Unread(unread) => Reading::Unread(unread),
            };
            let policy = seen.policy;
            let application = Reading::Absent;
            let held_by = match (&stack, &configuration, function.deployment()) {
                (Reading::Absent, Reading::Found(found), Some(deployment)) => {
                    stacks.holder(reader, deployment, &found.name).await.map(Box::new)
                }
                _ => None,
            };
            let (foreign_secrets, tested) = (None, None);
            let live = LiveFunction { stack, held_by, configuration, policy, application, foreign_secrets, tested };
            (handle.clone(), live)
        }
    });
    let functions = side_by_side(budget::FUNCTIONS, jobs);
    let (mut functions, applications): (BTreeMap<String, LiveFunction>, _) =
        futures::join!(functions, applications(reader, selection, stacks, newest));
    for (handle, function) in &selection.functions {
        if let (Some(deployment), Some(live)) = (function.deployment(), functions.get_mut(*handle)) {
            live.application = application(deployment, &live.stack, &applications);
            if let Reading::Found(version) = &live.application {
                reveal(deployment, version);
            }
        }
    }
    functions
}

/// What the manifest calls a function: the name that it has or, before it is deployed, would get. If that is taken, the deployment
/// would fail.
fn by_manifest(function: &Function) -> &str {
    match &function.source {
        FunctionSource::Existing { reference } => reference,
        FunctionSource::Deployed(_) => &function.name,
    }
}

/// Parameters that aren't `NoEcho` may stand in messages.
fn reveal(deployment: &Deployment, version: &ApplicationVersion) {
    for (name, value) in &deployment.application.parameters {
        if version.parameters.get(name).is_some_and(|definition| !definition.no_echo) {
            cover::reveal(name, value);
        }
    }
}

async fn one(reader: &Reader, name: &str) -> Seen {
    let state = reading(reader.function(name).await);
    let policy = match &state {
        // A version or an alias has a policy of its own.
        Reading::Found(_) if FunctionReference::of(name).qualifier.is_some() => reading(reader.policy(name).await),
        Reading::Found(state) => reading(reader.policy(&state.configuration.arn).await),
        Reading::Absent => Reading::Absent,
        Reading::Unread(unread) => Reading::Unread(unread.clone()),
    };
    Seen { state, policy }
}

/// The files of a function whose package differs from the manifest's, so that the difference can be shown file by file.
async fn live_files(
    reader: &Reader,
    deployment: Option<&Deployment>,
    state: &FunctionState,
    downloads: &Semaphore,
) -> Option<Vec<PackagedFile>> {
    let package = deployment?.code.as_ref()?.package.as_ref()?;
    if package.sha256 == state.configuration.code_sha256 {
        return None;
    }
    let _permit = downloads.acquire().await.ok()?;
    let zip = reader.download(state).await?;
    tokio::task::spawn_blocking(move || package::read_files(&zip).ok()).await.ok()?
}

/// The version of the application that a function is compared with: the pinned one, the live one, or the newest.
fn wanted(deployment: &Deployment, stack: Option<&LiveStack>) -> Wanted {
    let live = || stack.and_then(|stack| stack.tags.get(SAR_VERSION_TAG).cloned());
    (deployment.application.id.clone(), deployment.application.version.clone().or_else(live))
}

/// Every application version that is needed, once each: beside the newest, others where they are wanted.
async fn applications(
    reader: &Reader,
    selection: &Selection<'_>,
    stacks: &Stacks,
    newest: BTreeMap<String, Reading<ApplicationVersion>>,
) -> BTreeMap<Wanted, Reading<ApplicationVersion>> {
    let mut others: BTreeSet<(String, String)> = BTreeSet::new();
    let mut all: BTreeMap<Wanted, Reading<ApplicationVersion>> = BTreeMap::new();
    for (handle, function) in &selection.functions {
        let Some(deployment) = function.deployment() else { continue };
        let (id, version) = wanted(deployment, stacks.by_handle.get(*handle).and_then(Reading::found));
        let Some(version) = version else { continue };
        match newest.get(&id) {
            Some(Reading::Found(found)) if found.version == version => {
                all.insert((id, Some(version)), Reading::Found(found.clone()));
            }
            _ => drop(others.insert((id, version))),
        }
    }
    let others = others.into_iter().map(|(id, version)| async move {
        let read = reading(reader.application(&id, Some(&version)).await);
        ((id, Some(version)), read)
    });
    let others: Vec<_> = side_by_side(budget::APPLICATIONS, others).await;
    all.extend(others);
    all.extend(newest.into_iter().map(|(id, newest)| ((id, None), newest)));
    all
}

fn application(
    deployment: &Deployment,
    stack: &Reading<LiveStack>,
    all: &BTreeMap<Wanted, Reading<ApplicationVersion>>,
) -> Reading<ApplicationVersion> {
    let newest = all.get(&(deployment.application.id.clone(), None)).and_then(Reading::found);
    match all.get(&wanted(deployment, stack.found())) {
        Some(Reading::Found(version)) => {
            let newest = newest.map(|newest| newest.version.clone());
            Reading::Found(ApplicationVersion { newest, ..version.clone() })
        }
        Some(other) => other.clone(),
        None => Reading::Absent,
    }
}
