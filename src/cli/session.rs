//! What `plan`, `apply` and `destroy` share: manifests, targets, connections, the two states, and their difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::apply::Report;
use crate::aws::endpoints::Endpoints;
use crate::aws::{self, ConnectError, Connection, ObserveOptions, ReadWrite};
use crate::config::{self, Ambient, Loaded, Manifest, Policies, Problems};
use crate::model::live::LiveStack;
use crate::model::{CodeSource, Desired, FunctionSource, Live, PROJECT_TAG, PackageSummary, Selection, Target};
use crate::package;
use crate::plan::{self, Plan, Purpose, Scope};
use crate::render::safe;

use super::filter::Filter;
use super::rehearsal::Rehearsal;
use super::{Global, output, policy, progress};

/// How many targets are read side by side.
const TARGETS: usize = 8;

/// Manifests, and the way to AWS.
pub struct Session {
    manifests: Vec<Manifest>,
    policies: Policies,
    filter: Filter,
    /// How AWS is reached.
    pub settings: aws::Settings,
    rehearsal: Option<Rehearsal>,
    packages: Packages,
    quiet: bool,
}

/// One target of one manifest, compared.
pub struct Prepared {
    /// Which of the session's manifests it is of.
    pub manifest: usize,
    /// What the manifest wants, as far as filters select it.
    pub desired: Desired,
    /// All that the manifest wants, where filters leave something out.
    whole: Option<Desired>,
    /// What AWS has.
    pub live: Live,
    /// The difference.
    pub plan: Plan,
    /// The zips to upload, by function handle.
    pub packages: BTreeMap<String, Arc<[u8]>>,
}

impl Prepared {
    /// All that the manifest wants of this target.
    pub fn whole(&self) -> &Desired {
        self.whole.as_ref().unwrap_or(&self.desired)
    }

    /// The plan's resources, unchanged ones included.
    pub fn resources(&self) -> Vec<plan::Resource> {
        plan::resources(&self.desired, &self.live, &self.plan)
    }

    /// This project's stacks that AWS is working on.
    fn busy_stacks(&self) -> impl Iterator<Item = &LiveStack> {
        let of_functions = self.live.functions.values().filter_map(|live| live.stack.found());
        let orphaned = self.live.orphan_stacks.iter().map(|orphan| &orphan.stack);
        of_functions
            .chain(orphaned)
            .filter(|stack| stack.is_busy() && stack.tags.get(PROJECT_TAG) == Some(&self.desired.project))
    }
}

/// A failure that was printed already, with its exit code.
pub struct Printed(pub u8);

/// What was packaged, by path and by what of it was chosen, or why it couldn't be.
pub type Packages = Mutex<BTreeMap<(PathBuf, Selection), Result<(Arc<[u8]>, PackageSummary), String>>>;

impl Session {
    /// Loads manifests and starts the sandbox, where one is asked for.
    pub async fn open(global: &Global, paths: &[PathBuf], filters: &[String]) -> Result<Self, Printed> {
        if let Some(plan) = paths.iter().find(|path| super::saved::is_plan(path)) {
            let hints =
                [format!("`rotator apply {0}` applies it, alone; `rotator show {0}` prints it", output::path(plan))];
            return Err(Printed(output::fail(&format!("`{}` is a saved plan", output::path(plan)), &hints)));
        }
        let loaded = config::load(paths).map_err(|problems| {
            output::diagnostics(&problems.0);
            Printed(crate::exit::ERROR)
        })?;
        Self::of(global, loaded, filters).await
    }

    /// Starts the sandbox, where one is asked for, with manifests that were loaded.
    pub async fn of(global: &Global, mut loaded: Loaded, filters: &[String]) -> Result<Self, Printed> {
        let filter = Filter::new(filters).map_err(|(summary, hints)| Printed(output::fail(&summary, &hints)))?;
        output::diagnostics(&loaded.warnings);
        let policies = policy::load(&global.policy)?;
        check_targets(&filter, &loaded.manifests)?;
        let mut settings = aws::Settings {
            region: global.region.clone(),
            profile: global.profile.clone(),
            endpoint_url: global.endpoint_url.clone(),
            parallelism: global.parallelism.map(usize::from),
            ..aws::Settings::default()
        };
        let rehearsal = match &global.sandbox {
            None => None,
            Some(file) => {
                let rehearsal = Rehearsal::start(file, &settings).await?;
                settings.sandbox = Some(rehearsal.endpoint());
                Some(rehearsal)
            }
        };
        for (summary, hints) in Box::pin(aws::warnings(&settings)).await {
            output::warn(&summary, &hints);
        }
        let ambient = aws::ambient_region(&settings).await;
        // A target that states no region is also resolved for those of the others: what it wants there must not be taken for a leftover.
        let stated = loaded.manifests.iter().flat_map(Manifest::targets).filter_map(|target| target.region.clone());
        let regions: BTreeSet<Option<String>> = stated.map(Some).chain([ambient]).collect();
        loaded.manifests.iter_mut().for_each(|manifest| manifest.release(regions.iter().map(Option::as_deref)));
        let packages = Packages::default();
        Ok(Self { manifests: loaded.manifests, policies, filter, settings, rehearsal, packages, quiet: global.quiet })
    }

    /// The manifests.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// The files of rules that were given.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// How many targets are selected.
    pub fn selected(&self) -> usize {
        self.pairs().count()
    }

    /// Whether `--target` says which targets are meant.
    pub fn names_targets(&self) -> bool {
        self.filter.names_targets()
    }

    /// Whether resources within targets were selected.
    pub fn is_partial(&self) -> bool {
        self.filter.is_partial()
    }

    /// What is selected, in words.
    pub fn selected_names(&self) -> String {
        let name = |(manifest, index): (usize, usize)| match &self.manifests[manifest].targets()[index].name {
            Some(name) => name.clone(),
            None => output::path(self.manifests[manifest].path()),
        };
        self.pairs().map(name).collect::<Vec<_>>().join(", ")
    }

    /// The selected targets: which manifest, and which of its targets.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.manifests.iter().enumerate().flat_map(|(number, manifest)| {
            let selected = |index: &usize| self.filter.selects(&manifest.targets()[*index]);
            (0..manifest.targets().len()).filter(selected).map(move |index| (number, index))
        })
    }

    /// As [`Session::prepare`], after stacks of this project that are being changed have come to rest: an apply that was killed
    /// leaves such stacks behind, and running it again goes on.
    pub async fn prepare_settled(&self, purpose: Purpose, limit: Duration) -> (Vec<Prepared>, Option<Printed>) {
        let began = Instant::now();
        loop {
            let (prepared, failed) = self.prepare(purpose).await;
            let busy = prepared.iter().any(|one| one.busy_stacks().next().is_some());
            if !busy || failed.is_some() || began.elapsed() >= limit {
                return (prepared, failed);
            }
            for one in &prepared {
                if let Err(printed) = self.rest(one, began, limit).await {
                    // What was read is of the past by now.
                    return (Vec::new(), Some(printed));
                }
            }
        }
    }

    /// Waits until the stacks of one target have come to rest, looking at nothing else.
    async fn rest(&self, one: &Prepared, began: Instant, limit: Duration) -> Result<(), Printed> {
        let mut busy = one.busy_stacks().peekable();
        if busy.peek().is_none() {
            return Ok(());
        }
        let target = &one.desired.target;
        let reader = aws::connect(&self.settings, target).await.map_err(|error| refused(target, &error))?.reader();
        for stack in busy {
            let (name, status) = (safe(&stack.name), safe(&stack.status));
            output::say(&format!("the stack {name} is in {status}; waiting until it is done..."));
            // Whatever else is wrong with the stack, the next comparison says.
            while reader.stack(&stack.id).await.is_ok_and(|now| now.is_busy()) && began.elapsed() < limit {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        Ok(())
    }

    /// Reads AWS for each selected target, and compares. A target that can't be read doesn't keep others from being shown, nor
    /// from being applied.
    pub async fn prepare(&self, purpose: Purpose) -> (Vec<Prepared>, Option<Printed>) {
        let matched = Mutex::new(BTreeSet::new());
        let deployed = self.deployed_names();
        let reading = progress::Reading::new(self.quiet);
        let results: Vec<Result<Prepared, Printed>> = futures::stream::iter(self.pairs())
            .map(|(manifest, index)| self.prepare_one(manifest, index, purpose, &deployed, &matched, &reading))
            .buffered(TARGETS)
            .collect()
            .await;
        reading.clear();
        let (mut prepared, mut failed) = (Vec::new(), None);
        for result in results {
            match result {
                Ok(one) => prepared.push(one),
                Err(printed) => failed = Some(printed),
            }
        }
        let matched = matched.into_inner().unwrap_or_default();
        let missing: Vec<&str> = self.filter.resources().filter(|text| !matched.contains(*text)).collect();
        if failed.is_none()
            && let Some(text) = missing.first()
        {
            let hint = "handles and AWS's names both do; `rotator plan` lists the addresses".to_owned();
            failed = Some(Printed(output::fail(&format!("`--target {text}` matches nothing"), &[hint])));
            prepared.clear();
        }
        (prepared, failed)
    }

    async fn prepare_one(
        &self,
        number: usize,
        index: usize,
        purpose: Purpose,
        deployed: &BTreeSet<String>,
        matched: &Mutex<BTreeSet<String>>,
        reading: &progress::Reading,
    ) -> Result<Prepared, Printed> {
        let manifest = &self.manifests[number];
        let target = &manifest.targets()[index];
        let connection = aws::connect(&self.settings, target).await.map_err(|error| refused(target, &error))?;
        let ambient =
            Ambient { region: Some(connection.region().to_owned()), account: Some(connection.account().to_owned()) };
        let mut desired = manifest.resolve(index, &ambient).map_err(|problems| {
            output::diagnostics(&problems.0);
            Printed(crate::exit::ERROR)
        })?;
        let whole = self.filter.is_partial().then(|| desired.clone());
        let found = self.filter.apply(&mut desired);
        if let Ok(mut matched) = matched.lock() {
            matched.extend(found);
        }
        let zips = build_packages(&mut desired, &self.packages);
        if let Some(rehearsal) = &self.rehearsal {
            // What is being removed isn't made up first.
            if purpose != Purpose::Destroy {
                rehearsal.seed(&desired, connection.account(), connection.region(), deployed);
            }
        }
        let siblings = self.siblings(manifest, index, &ambient).map_err(|problems| {
            output::diagnostics(&problems.0);
            Printed(crate::exit::ERROR)
        })?;
        let options = ObserveOptions {
            orphans: !self.filter.is_partial(),
            // Of a part of all secrets, it must be known how many there are, also of those that a filter leaves unread.
            all_secrets: policy::asks_live(manifest, &self.policies, target.name.as_deref())
                || (self.filter.is_partial() && manifest.limits().has_percent()),
            siblings,
            ..ObserveOptions::default()
        };
        let live = connection.reader().observe(&desired, &options, &|progress| reading.show(progress)).await;
        let plan = plan::diff(&desired, &live, Scope { purpose, partial: self.filter.is_partial() });
        Ok(Prepared { manifest: number, desired, whole, live, plan, packages: zips })
    }

    /// What the other targets of a target's project want in the same account and region, whether they are selected or not:
    /// environments may share an account, and none may take another's resources for its own leftovers. A target that doesn't
    /// say where it is may be anywhere.
    fn siblings(&self, manifest: &Manifest, index: usize, place: &Ambient) -> Result<Vec<Desired>, Problems> {
        let all = self.manifests.iter().flat_map(|other| (0..other.targets().len()).map(move |at| (other, at)));
        let others = all.filter(|(other, at)| !std::ptr::eq(*other, manifest) || *at != index);
        let may_be = |stated: &Option<String>, here: &Option<String>| stated.is_none() || stated == here;
        let near = others.filter(|(other, at)| {
            let target = &other.targets()[*at];
            may_be(&target.account, &place.account) && may_be(&target.region, &place.region)
        });
        let near = near.filter(|(other, _)| other.project() == manifest.project());
        near.map(|(other, at)| other.resolve(at, place)).collect()
    }

    /// The names of all functions that the manifests of a rehearsal deploy: nothing stands in for those. Empty without a sandbox.
    fn deployed_names(&self) -> BTreeSet<String> {
        let Some(rehearsal) = &self.rehearsal else { return BTreeSet::new() };
        let ambient = rehearsal.ambient();
        let desired = self.pairs().filter_map(|(number, index)| self.manifests[number].resolve(index, &ambient).ok());
        let deployed =
            |desired: Desired| desired.functions.into_values().filter(|function| function.deployment().is_some());
        desired.flat_map(deployed).map(|function| function.name).collect()
    }

    /// Where the calls of each service go, by the region of the selected targets. A target without one is refused elsewhere.
    pub async fn endpoints(&self) -> Result<BTreeMap<String, Endpoints>, Printed> {
        let ambient = aws::ambient_region(&self.settings).await;
        let region = |(number, index): (usize, usize)| {
            self.manifests[number].targets()[index].region.clone().or_else(|| ambient.clone())
        };
        let regions: BTreeSet<String> = self.pairs().filter_map(region).collect();
        let mut found = BTreeMap::new();
        for region in regions {
            let endpoints = aws::endpoints(&self.settings, &region).await;
            let endpoints = endpoints.map_err(|error| Printed(output::fail(&error.to_string(), &error.hints())))?;
            found.insert(region, endpoints);
        }
        Ok(found)
    }

    /// Whether AWS is the sandbox of this run.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Where a rotation that hasn't finished ends with this run's sandbox, says how it goes on.
    pub fn goes_on(&self, report: &Report) {
        if let Some(rehearsal) = self.rehearsal.as_ref().filter(|_| report.has_unfinished()) {
            rehearsal.goes_on();
        }
    }

    /// Connects to a target with its writing role, and prints why where it can't.
    pub async fn connect_writer(&self, target: &Target) -> Result<Connection<ReadWrite>, Printed> {
        aws::connect_writer(&self.settings, target).await.map_err(|error| refused(target, &error))
    }

    /// Tells what the sandbox has to say, if there is one.
    pub fn notices(&self) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.notices();
        }
    }

    /// Ends the sandbox, saving its state.
    pub async fn close(self) -> Result<(), Printed> {
        match self.rehearsal {
            Some(rehearsal) => rehearsal.close().await,
            None => Ok(()),
        }
    }
}

/// Refuses names of targets that no manifest has.
pub fn check_targets<'a>(filter: &Filter, manifests: impl IntoIterator<Item = &'a Manifest>) -> Result<(), Printed> {
    let known: BTreeSet<&str> =
        manifests.into_iter().flat_map(Manifest::targets).filter_map(|target| target.name.as_deref()).collect();
    let unknown = filter.unknown_targets(&known);
    let Some(unknown) = unknown.first() else { return Ok(()) };
    let hint = if known.is_empty() {
        "the manifest has no `targets:`".to_owned()
    } else {
        format!("the targets are {}", known.into_iter().collect::<Vec<_>>().join(", "))
    };
    Err(Printed(output::fail(&format!("`--target {unknown}` matches no target"), &[hint])))
}

/// Says why a target can't be worked on.
fn refused(target: &Target, error: &ConnectError) -> Printed {
    let context = target.name.as_ref().map(|name| format!("target {name}: ")).unwrap_or_default();
    Printed(output::fail(&format!("{context}{error}"), &error.hints()))
}

/// Packages the code of all functions that have some, each path once for all targets. Code that can't be packaged says so.
pub fn build_packages(desired: &mut Desired, packages: &Packages) -> BTreeMap<String, Arc<[u8]>> {
    let mut zips = BTreeMap::new();
    for (handle, function) in &mut desired.functions {
        let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
        let Some(code) = &mut deployment.code else { continue };
        let CodeSource::Path { path, tree, selection, .. } = &code.source else { continue };
        let key = (path.clone(), selection.clone());
        let known = packages.lock().ok().and_then(|packages| packages.get(&key).cloned());
        let built = known.unwrap_or_else(|| {
            let built = package::build(path, tree, selection).map(|built| (built.bytes.into(), built.summary));
            let built = built.map_err(|error| match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            });
            if let Ok(mut packages) = packages.lock() {
                packages.insert(key, built.clone());
            }
            built
        });
        match built {
            Ok((zip, summary)) => {
                code.package = Some(summary);
                zips.insert(handle.clone(), zip);
            }
            Err(reason) => code.unusable = Some(reason),
        }
    }
    zips
}
