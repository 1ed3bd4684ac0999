//! Reading a whole target, as far as a manifest's comparison needs it.
//!
//! Independent readings run side by side; how many, [`budget`] says. What can't be read is a value in the result, never the end
//! of the rest.

mod attached;
mod functions;
mod listed;
mod orphans;
mod reads;
mod secrets;
mod stacks;
mod tested;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use futures::stream;

use super::cover;
use super::kind::ErrorKind;
use super::reader::Reader;
use crate::model::account::TaggedSecret;
use crate::model::arn::{Arn, FunctionReference, unqualified_function_arn};
use crate::model::live::{ListedSecret, Live, LiveFunction, LiveSecret, Reading, Unread};
use crate::model::{Address, Desired, Function, FunctionSource, Kind, PROJECT_TAG, SHARED_TAG, Secret, Selected};

/// How many calls of each kind run at a time. How many a second, the quotas' budgets say, below the SDK.
mod budget {
    /// Functions: each costs one `GetFunction` (100 a second) and one `GetPolicy` (15 a second).
    pub(super) const FUNCTIONS: usize = 8;
    /// `CloudFormation`: not published.
    pub(super) const STACKS: usize = 4;
    /// The Serverless Application Repository: not published.
    pub(super) const APPLICATIONS: usize = 4;
    /// Packages in memory at a time: each has up to 300 MB.
    pub(super) const DOWNLOADS: usize = 2;
}

/// What to read besides what the handles name.
#[derive(Debug, Clone)]
pub struct ObserveOptions {
    /// Whether to look for what the project owns and no handle names: lists all secrets.
    pub orphans: bool,
    /// Whether the rotation of all secrets is wanted, for rules that cover what no manifest names: lists all secrets.
    pub all_secrets: bool,
    /// How many secrets are described at a time; `None`: as many as are worth it.
    pub parallelism: Option<usize>,
    /// The functions and secrets to read; the others are left out of the result. `None`: all.
    pub only: Option<BTreeSet<Address>>,
    /// Whether to read how functions were deployed: their stacks and applications. Else only what they are.
    pub deployments: bool,
    /// Other targets of the project in the same account and region: the stacks that they name are no orphans of this one.
    pub siblings: Vec<Desired>,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            orphans: true,
            all_secrets: false,
            parallelism: None,
            only: None,
            deployments: true,
            siblings: Vec::new(),
        }
    }
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Stacks, one by one, after their list.
    Stacks,
    /// Functions with their policies and code.
    Functions,
    /// The manifest's secrets.
    Secrets,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of what.
    pub part: Part,
    /// How many are read.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// Where progress goes. Called from several futures, one at a time or not.
pub type Listener<'a> = &'a (dyn Fn(Progress) + Sync);

/// Counts one part.
struct Counter<'a> {
    part: Part,
    total: usize,
    done: AtomicUsize,
    listener: Listener<'a>,
}

impl<'a> Counter<'a> {
    fn new(part: Part, total: usize, listener: Listener<'a>) -> Self {
        let counter = Self { part, total, done: AtomicUsize::new(0), listener };
        if total > 0 {
            counter.tell(0);
        }
        counter
    }

    fn one_more(&self) {
        self.tell(self.done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn tell(&self, done: usize) {
        (self.listener)(Progress { part: self.part, done, total: self.total });
    }
}

/// Runs jobs, at most so many at a time.
///
/// The jobs are made before the first runs: a closure that lived on between them would keep the whole from being sent to
/// another thread.
pub(super) async fn side_by_side<Job: Future, All: Default + Extend<Job::Output>>(
    at_a_time: usize,
    jobs: impl Iterator<Item = Job>,
) -> All {
    let jobs: Vec<Job> = jobs.collect();
    stream::iter(jobs).buffer_unordered(at_a_time).collect().await
}

/// What of a manifest is to be read.
struct Selection<'a> {
    functions: Vec<(&'a String, &'a Function)>,
    secrets: Vec<(&'a String, &'a Secret)>,
}

impl<'a> Selection<'a> {
    fn new(desired: &'a Desired, only: Option<&BTreeSet<Address>>) -> Self {
        let wanted = |kind, handle: &str| only.is_none_or(|only| only.contains(&desired.address(kind, handle)));
        Self {
            functions: desired.functions.iter().filter(|(handle, _)| wanted(Kind::Function, handle)).collect(),
            secrets: desired.secrets.iter().filter(|(handle, _)| wanted(Kind::Secret, handle)).collect(),
        }
    }
}

impl Reader {
    /// Reads the target as far as comparing it with `desired` needs.
    pub async fn observe(&self, desired: &Desired, options: &ObserveOptions, progress: Listener<'_>) -> Live {
        cover::note_desired(desired, &self.inner.account, &self.inner.region);
        let used = (!options.deployments).then(|| desired.as_used());
        let desired = used.as_ref().unwrap_or(desired);
        let selection = Selection::new(desired, options.only.as_ref());
        let parallelism = self.inner.parallelism.or(options.parallelism);
        let ((stacks, functions), secrets, listed) = futures::join!(
            async {
                let read = async || {
                    let (stacks, seen) = futures::join!(
                        stacks::read(self, desired, &selection, options.orphans, progress),
                        functions::look(self, &selection, progress),
                    );
                    let functions = functions::read(self, &selection, &stacks, seen).await;
                    (stacks, functions)
                };
                let seen = read().await;
                // Stacks and functions are read side by side: one that somebody makes in between looks like a function that stands
                // in its way. Only a second look tells.
                if is_torn(&selection, &seen.1) { read().await } else { seen }
            },
            secrets::read(self, &selection, parallelism, progress),
            self.listed_secrets(desired, options.orphans || options.all_secrets),
        );
        let mut live = Live {
            account: self.inner.account.clone(),
            region: self.inner.region.clone(),
            partition: self.inner.partition.clone(),
            functions,
            secrets,
            orphan_stacks: Vec::new(),
            orphan_secrets: Ok(Vec::new()),
            stacks_unread: stacks.unread.clone(),
            listed: None,
        };
        let attached = attached::read(self, desired, &mut live).await;
        self.owners(desired, &attached, &mut live).await;
        tested::read(self, &selection, &mut live).await;
        if let Some(listed) = listed.as_ref().filter(|_| options.orphans) {
            orphans::find(self, (desired, &options.siblings), &stacks, listed.as_deref(), &mut live);
        }
        live.listed = listed.filter(|_| options.all_secrets);
        live
    }

    /// `None` where it isn't asked for. Where rules have asked for the list before, it is that one: what they matched must be the same.
    async fn listed_secrets(&self, desired: &Desired, wanted: bool) -> Option<Result<Vec<ListedSecret>, Unread>> {
        match &desired.selected {
            _ if !wanted => None,
            None => Some(self.secrets().await.map_err(Unread::from)),
            Some(Selected { unread: Some(unread), .. }) => Some(Err(unread.clone())),
            Some(selected) => Some(Ok(selected.listed.iter().filter_map(TaggedSecret::listed).collect())),
        }
    }

    /// Fills in whose the functions are that rotate the manifest's secrets now and that the manifest doesn't name.
    async fn owners(&self, desired: &Desired, attached: &attached::Seen, live: &mut Live) {
        let ours: BTreeSet<String> = self.own_functions(desired, &live.functions);
        let foreign: BTreeSet<String> = rotating(&live.secrets)
            .filter(|arn| !ours.contains(*arn) && self.is_here(arn))
            .map(str::to_owned)
            .collect();
        let one = |arn: String| async move {
            if let Some(seen) = attached.get(&arn) {
                let tags = match &seen.configuration {
                    Reading::Found(configuration) => configuration.tags.clone(),
                    Reading::Absent => Ok(BTreeMap::new()),
                    Reading::Unread(unread) => Err(unread.clone()),
                };
                return (arn, tags);
            }
            let tags = match self.function(&arn).await {
                Ok(function) => function.configuration.tags,
                // One that is gone has no owner.
                Err(error) if error.kind == ErrorKind::NotFound => Ok(BTreeMap::new()),
                Err(error) => Err(error.into()),
            };
            (arn, tags)
        };
        let tags: BTreeMap<String, Result<BTreeMap<String, String>, Unread>> =
            side_by_side(budget::FUNCTIONS, foreign.into_iter().map(one)).await;
        for secret in live.secrets.values_mut() {
            let Reading::Found(secret) = secret else { continue };
            let arn = secret.function_arn.as_deref().map(unqualified_function_arn);
            let Some(tags) = arn.filter(|_| secret.rotation_enabled == Some(true)).and_then(|arn| tags.get(arn)) else {
                continue;
            };
            match tags {
                Ok(tags) => {
                    secret.function_project = tags.get(PROJECT_TAG).cloned();
                    secret.function_shared = is_shared(tags);
                }
                Err(unread) => secret.function_unread = Some(unread.clone()),
            }
        }
    }

    /// The ARNs of all functions that the manifest names: as they are, and as they will be.
    fn own_functions(&self, desired: &Desired, live: &BTreeMap<String, LiveFunction>) -> BTreeSet<String> {
        let planned = desired.functions.values().map(|function| match &function.source {
            FunctionSource::Existing { reference } if reference.starts_with("arn:") => {
                unqualified_function_arn(reference).to_owned()
            }
            FunctionSource::Existing { reference } => {
                let FunctionReference { account, name, .. } = FunctionReference::of(reference);
                let here = self.function_arn(name);
                account.map_or_else(|| here.clone(), |account| here.replace(&self.inner.account, account))
            }
            FunctionSource::Deployed(_) => self.function_arn(&function.name),
        });
        let found = live.values().filter_map(|function| function.configuration.found()).map(|one| one.arn.clone());
        planned.chain(found).collect()
    }

    /// Whether an ARN belongs to this account and region: elsewhere, reading would need other credentials.
    fn is_here(&self, arn: &str) -> bool {
        arn.parse::<Arn>().is_ok_and(|arn| {
            arn.account == self.inner.account
                && arn.region == self.inner.region
                && arn.partition == self.inner.partition
        })
    }
}

/// Whether a function that is to be deployed is there, and the stack that would hold it isn't, or holds none: it never ran, or failed
/// and was replaced in between.
fn is_torn(selection: &Selection<'_>, live: &BTreeMap<String, LiveFunction>) -> bool {
    let deployed = selection.functions.iter().filter(|(_, function)| function.deployment().is_some());
    let mut live = deployed.filter_map(|(handle, _)| live.get(*handle));
    live.any(|live| {
        let holds_it = live.stack.found().is_some_and(|stack| stack.function.is_some());
        live.configuration.found().is_some() && !holds_it && !matches!(live.stack, Reading::Unread(_))
    })
}

/// The functions that rotate these secrets now.
fn rotating(secrets: &BTreeMap<String, Reading<LiveSecret>>) -> impl Iterator<Item = &str> {
    secrets
        .values()
        .filter_map(Reading::found)
        .filter(|secret| secret.is_on())
        .filter_map(|secret| secret.function_arn.as_deref())
        .map(unqualified_function_arn)
}

/// Whether tags say that other projects may attach secrets.
fn is_shared(tags: &BTreeMap<String, String>) -> bool {
    tags.get(SHARED_TAG).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, observing several targets side by side, each on its own thread, would stop to compile far away from here.
    #[test]
    fn observing_can_be_sent_to_another_thread() {
        fn is_send<T: Send>(_: impl Fn(Reader) -> T) {}
        is_send(|reader| async move {
            reader.observe(&Desired::default(), &ObserveOptions::default(), &|_| ()).await;
        });
    }
}
