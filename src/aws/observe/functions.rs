//! The functions of a manifest: configuration, policy, application, and the files of code that differs.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Semaphore;

use super::stacks::Stacks;
use super::{Counter, Listener, Part, Selection, budget, side_by_side};
use crate::aws::cover;
use crate::aws::error::reading;
use crate::aws::reader::{FunctionState, Reader};
use crate::model::live::{ApplicationVersion, Configuration, LiveFunction, LiveStack, Reading, Statement};
use crate::model::{Deployment, Function, FunctionSource, PackagedFile, SAR_VERSION_TAG};
use crate::package;

/// An application and the version to read; `None`: the newest.
type Wanted = (String, Option<String>);

/// A function as it is, whatever stack it belongs to.
pub(super) struct Seen {
    state: Reading<FunctionState>,
    policy: Reading<Vec<Statement>>,
}

/// Reads the functions by the names that the manifest gives them, which needs no stack: a stack's function has nearly always the name
/// that it was asked for.
pub(super) async fn look(reader: &Reader, selection: &Selection<'_>, progress: Listener<'_>) -> BTreeMap<String, Seen> {
    let counter = &Counter::new(Part::Functions, selection.functions.len(), progress);
    let jobs = selection.functions.iter().copied().map(|(handle, function)| async move {
        let seen = one(reader, by_manifest(function)).await;
        counter.one_more();
        (handle.clone(), seen)
    });
    side_by_side(budget::FUNCTIONS, jobs).await
}

/// Puts together what was seen of the functions and what their stacks say, and reads again what the two don't agree on.
pub(super) async fn read(
    reader: &Reader,
    selection: &Selection<'_>,
    stacks: &Stacks,
    mut seen: BTreeMap<String, Seen>,
) -> BTreeMap<String, LiveFunction> {
    let downloads = &Semaphore::new(budget::DOWNLOADS);
    let all: Vec<_> = selection
        .functions
        .iter()
        .map(|(handle, function)| {
            let stack = stacks.by_handle.get(*handle).cloned().unwrap_or(Reading::Absent);
            (*handle, *function, stack, seen.remove(*handle))
        })
        .collect();
    let jobs = all.into_iter().map(|(handle, function, stack, seen)| async move {
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
        let live = LiveFunction { stack, configuration, policy, application: Reading::Absent, foreign_secrets: None };
        (handle.clone(), live)
    });
    let functions = side_by_side(budget::FUNCTIONS, jobs);
    let (mut functions, applications): (BTreeMap<String, LiveFunction>, _) =
        futures::join!(functions, applications(reader, selection, stacks));
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

/// Every application version that is needed, once each: the newest, to say that there is one, and others where they are wanted.
async fn applications(
    reader: &Reader,
    selection: &Selection<'_>,
    stacks: &Stacks,
) -> BTreeMap<Wanted, Reading<ApplicationVersion>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (handle, function) in &selection.functions {
        let Some(deployment) = function.deployment() else { continue };
        let stack = stacks.by_handle.get(*handle).and_then(Reading::found);
        let (id, version) = wanted(deployment, stack);
        versions.entry(id).or_default().extend(version);
    }
    let one = |(id, versions): (String, BTreeSet<String>)| async move {
        let newest = reading(reader.application(&id, None).await);
        let others = versions.into_iter().map(async |version| {
            let is_newest = newest.found().is_some_and(|newest| newest.version == version);
            let read = if is_newest { newest.clone() } else { reading(reader.application(&id, Some(&version)).await) };
            ((id.clone(), Some(version)), read)
        });
        let mut found: Vec<_> = futures::future::join_all(others).await;
        found.push(((id, None), newest));
        found
    };
    let all: Vec<_> = side_by_side(budget::APPLICATIONS, versions.into_iter().map(one)).await;
    all.into_iter().flatten().collect()
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
