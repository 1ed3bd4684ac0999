//! What `plan`, `apply` and `destroy` share: manifests, targets, connections, the two states, and their difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::apply::Outlook;
use crate::aws::endpoints::Endpoints;
use crate::aws::served::StandIn;
use crate::aws::{self, ConnectError, Connection, ObserveOptions, ReadOnly, ReadWrite};
use crate::config::{self, Ambient, Loaded, Manifest, Policies, Problems};
use crate::env;
use crate::model::arn::function_name;
use crate::model::{Desired, Target};
use crate::plan::{self, Plan, PlanOptions, Purpose, select};
use crate::render::safe;
use crate::sandbox::Rotated;

use super::failure::Failure;
use super::filter::Filter;
use super::inspection::{Inspected, inspect};
use super::options::Global;
use super::packages::{Packages, build_packages};
use super::prepared::Prepared;
use super::rehearsal::{LISTEN, Looked, Rehearsal};
use super::select::read_rules;
use super::task::Task;
use super::wheels::Way;
use super::{output, plan_file, progress, rules, stand_ins};

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
    inspected: Inspected,
    quiet: bool,
    /// Whether every function that changes is tested, also where the manifest doesn't say so.
    verifies: bool,
    /// Whether the services of functions are started in a rehearsal: they run what the repository holds.
    serves: bool,
    /// What plans are made for.
    task: Task,
    /// Whether it is about a saved plan.
    confirms: bool,
}

impl Session {
    /// Loads manifests and starts the sandbox, where one is asked for.
    pub async fn open(global: &Global, paths: &[PathBuf], filters: &[String]) -> Result<Self, Failure> {
        if let Some(plan) = paths.iter().find(|path| plan_file::is_plan(path)) {
            let plan = output::path(plan);
            let hint = format!("`rotator apply {plan}` applies it, alone; `rotator show {plan}` prints it");
            return Err(Failure::new(format!("`{plan}` is a saved plan")).hint(hint));
        }
        Self::of(global, config::load(paths)?, filters).await
    }

    /// A session about whatever the credentials reach.
    pub async fn without_manifest(global: &Global) -> Result<Self, Failure> {
        Self::of(global, Loaded::default(), &global.target).await
    }

    /// Starts the sandbox, where one is asked for, with manifests that were loaded.
    pub async fn of(global: &Global, mut loaded: Loaded, filters: &[String]) -> Result<Self, Failure> {
        let filter = Filter::new(filters)?;
        output::diagnostics(&loaded.warnings);
        let policies = rules::load(&global.policy)?;
        filter.check_targets(&loaded.manifests)?;
        let mut settings = global.settings();
        let rehearsal = match &global.sandbox {
            None if !global.sandbox_allow.is_empty() => {
                return Err(Failure::new("`--sandbox-allow` is about the AWS of `--sandbox`, which isn't asked for")
                    .hint("AWS itself is held to the policies of the role that calls it"));
            }
            None => None,
            Some(file) => {
                let rehearsal = Rehearsal::start(file, &global.sandbox_allow, &settings).await?;
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
        Ok(Self {
            manifests: loaded.manifests,
            policies,
            filter,
            settings,
            rehearsal,
            packages,
            inspected: Inspected::default(),
            quiet: global.quiet,
            verifies: false,
            serves: false,
            task: Task::Converge,
            confirms: false,
        })
    }

    /// Has every function tested that changes, where `verifies`, as if the manifest said `verify: true` of it.
    #[must_use]
    pub fn verifying(self, verifies: bool) -> Self {
        Self { verifies, ..self }
    }

    /// Starts the services of functions in a rehearsal, as whatever has functions run does.
    #[must_use]
    pub fn serving(self, serves: bool) -> Self {
        Self { serves, ..self }
    }

    /// Makes plans that a saved one is held against: that its filters find nothing any more is then for that to say.
    #[must_use]
    pub fn confirming(self) -> Self {
        Self { confirms: true, ..self }
    }

    /// Makes plans for a task.
    #[must_use]
    pub fn doing(self, task: Task) -> Self {
        Self { task, ..self }
    }

    /// Selects secrets by name or pattern, where there are any; with `--target`, beside what that selects.
    pub fn only(mut self, secrets: &[String]) -> Result<Self, Failure> {
        self.filter.add_secrets(secrets)?;
        Ok(self)
    }

    /// Whether every function is tested that changes, whatever the manifest says.
    pub fn verifies(&self) -> bool {
        self.verifies
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
    pub async fn prepare_settled(&self, purpose: Purpose, limit: Duration) -> (Vec<Prepared>, Option<Failure>) {
        let began = Instant::now();
        loop {
            let (prepared, failed) = self.prepare(purpose).await;
            let busy = prepared.iter().any(|one| one.busy_stacks().next().is_some());
            if !busy || failed.is_some() || began.elapsed() >= limit {
                return (prepared, failed);
            }
            for one in &prepared {
                if let Err(failure) = self.rest(one, began, limit).await {
                    // What was read is of the past by now.
                    return (Vec::new(), Some(failure));
                }
            }
        }
    }

    /// Waits until the stacks of one target have come to rest, looking at nothing else.
    async fn rest(&self, one: &Prepared, began: Instant, limit: Duration) -> Result<(), Failure> {
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
    pub async fn prepare(&self, purpose: Purpose) -> (Vec<Prepared>, Option<Failure>) {
        let matched = Mutex::new(BTreeSet::new());
        let deployed = self.deployed_names();
        let reading = progress::Reading::new(self.quiet);
        let results: Vec<Result<Prepared, Failure>> = futures::stream::iter(self.pairs())
            .map(|(manifest, index)| self.prepare_one(manifest, index, purpose, &deployed, &matched, &reading))
            .buffered(TARGETS)
            .collect()
            .await;
        reading.clear();
        self.gathered(results, matched)
    }

    async fn prepare_one(
        &self,
        number: usize,
        index: usize,
        purpose: Purpose,
        deployed: &BTreeSet<String>,
        matched: &Mutex<BTreeSet<String>>,
        reading: &progress::Reading,
    ) -> Result<Prepared, Failure> {
        let manifest = &self.manifests[number];
        let target = &manifest.targets()[index];
        let (connection, ambient, mut desired) = self.reach(manifest, index).await?;
        if self.verifies {
            desired.verify_all();
        }
        let siblings = self.siblings(manifest, index, &ambient)?;
        read_rules(&connection, &mut desired, &siblings, self.filter.is_partial()).await;
        if let Some(failure) = self.task.needs_rules(&desired) {
            return Err(failure);
        }
        let whole = self.filter.is_partial().then(|| desired.clone());
        self.select(&mut desired, matched);
        // What is being removed is fetched for nothing.
        let way = if purpose == Purpose::Destroy { Way::None } else { Way::Fetched };
        // What isn't uploaded needn't be packaged.
        let zips = match &self.task {
            // It waits for files, and for an index: others go on meanwhile.
            Task::Converge => tokio::task::block_in_place(|| build_packages(&mut desired, &self.packages, way)),
            Task::Rotate { .. } | Task::Repair { .. } => BTreeMap::new(),
        };
        if let Some(rehearsal) = &self.rehearsal {
            // What is being removed isn't made up first.
            if purpose != Purpose::Destroy {
                rehearsal.seed(&desired, connection.account(), connection.region(), deployed);
                if self.serves {
                    rehearsal.serve(&desired, connection.account(), connection.region()).await?;
                }
            }
        }
        let options = ObserveOptions {
            orphans: !self.filter.is_partial() && matches!(self.task, Task::Converge),
            // Of a part of all secrets, it must be known how many there are, also of those that a filter leaves unread.
            all_secrets: rules::asks_live(manifest, &self.policies, target.name.as_deref())
                || (self.filter.is_partial() && manifest.limits().has_percent()),
            siblings,
            // How functions were deployed changes nothing about their rotations.
            deployments: matches!(self.task, Task::Converge),
            ..ObserveOptions::default()
        };
        let mut live = connection.reader().observe(&desired, &options, &|progress| reading.show(progress)).await;
        select::settle(&mut desired, &mut live);
        self.filter.settle(&mut desired, &live);
        connection.reader().resolve_reads(&mut desired, &live).await;
        // What is being removed needn't be right.
        if purpose != Purpose::Destroy {
            inspect(&mut desired, Some(&live), &zips, &self.inspected);
        }
        let options = PlanOptions { purpose, partial: self.filter.is_partial() };
        let plan = match self.task.plan(&connection.reader(), &desired, &live).await {
            Some(plan) => plan,
            None => plan::make_plan(&desired, &live, options),
        };
        let (endpoint, sandbox) = self.lasting();
        let plan = Plan { endpoint, sandbox, ..plan };
        let served = connection.served().filter(|_| self.rehearsal.is_none());
        Ok(Prepared { manifest: number, desired, whole, live, plan, packages: zips, served })
    }

    /// Connects to one target, and says what its manifest wants there.
    async fn reach(
        &self,
        manifest: &Manifest,
        index: usize,
    ) -> Result<(Connection<ReadOnly>, Ambient, Desired), Failure> {
        let target = &manifest.targets()[index];
        let connection = aws::connect(&self.settings, target).await.map_err(|error| refused(target, &error))?;
        let ambient =
            Ambient { region: Some(connection.region().to_owned()), account: Some(connection.account().to_owned()) };
        let desired = manifest.resolve(index, &ambient)?;
        Ok((connection, ambient, desired))
    }

    /// Does something that only reads with each selected target, several side by side, in the manifests' order. A target that can't be
    /// read doesn't keep others from being shown. Without manifests there is one target: what the credentials reach. Each comes with the
    /// manifest that names it.
    pub async fn read_each<'a, T, Read, Reading>(&'a self, read: Read) -> (Vec<T>, Option<Failure>)
    where
        Read: Fn(Connection<ReadOnly>, Desired, Option<&'a Manifest>) -> Reading,
        Reading: Future<Output = Result<T, Failure>>,
    {
        let all_matched = Mutex::new(BTreeSet::new());
        let (matched, read) = (&all_matched, &read);
        let alone = self.manifests.is_empty().then_some(None);
        let results: Vec<Result<T, Failure>> = futures::stream::iter(self.pairs().map(Some).chain(alone))
            .map(|pair| async move {
                let (connection, desired, manifest) = match pair {
                    None => {
                        let target = Target::default();
                        let reached = aws::connect(&self.settings, &target).await;
                        (reached.map_err(|error| refused(&target, &error))?, Desired::default(), None)
                    }
                    Some((number, index)) => {
                        let manifest = &self.manifests[number];
                        let (connection, ambient, mut desired) = self.reach(manifest, index).await?;
                        let has_rules = !desired.select.is_empty();
                        let siblings = if has_rules { self.siblings(manifest, index, &ambient)? } else { Vec::new() };
                        read_rules(&connection, &mut desired, &siblings, self.filter.is_partial()).await;
                        self.select(&mut desired, matched);
                        (connection, desired, Some(manifest))
                    }
                };
                read(connection, desired, manifest).await
            })
            .buffered(TARGETS)
            .collect()
            .await;
        self.gathered(results, all_matched)
    }

    /// What came of each target, all failures as one; nothing at all where a filter matched nothing. `matched`: what filters found.
    fn gathered<T>(
        &self,
        results: Vec<Result<T, Failure>>,
        matched: Mutex<BTreeSet<String>>,
    ) -> (Vec<T>, Option<Failure>) {
        let (mut all, mut failed) = (Vec::new(), None::<Failure>);
        for result in results {
            match result {
                Ok(one) => all.push(one),
                Err(failure) => failed = Some(failed.map_or(failure.clone(), |before| before.and(failure))),
            }
        }
        let matched = matched.into_inner().unwrap_or_default();
        if failed.is_none()
            && !self.confirms
            && let Err(failure) = self.filter.check_matched(&matched, || self.choices())
        {
            failed = Some(failure);
            all.clear();
        }
        (all, failed)
    }

    /// What the selected targets want, as far as that is known without AWS.
    fn choices(&self) -> Vec<Desired> {
        let ambient = Ambient::placeholders();
        self.pairs().filter_map(|(number, index)| self.manifests[number].resolve(index, &ambient).ok()).collect()
    }

    /// Leaves of what is wanted what filters select, and notes which of them found something.
    fn select(&self, desired: &mut Desired, matched: &Mutex<BTreeSet<String>>) {
        let found = self.filter.apply(desired);
        if let Ok(mut matched) = matched.lock() {
            matched.extend(found);
        }
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
    pub async fn endpoints(&self) -> Result<BTreeMap<String, Endpoints>, Failure> {
        let ambient = aws::ambient_region(&self.settings).await;
        let region = |(number, index): (usize, usize)| {
            self.manifests[number].targets()[index].region.clone().or_else(|| ambient.clone())
        };
        let regions: BTreeSet<String> = self.pairs().filter_map(region).collect();
        let mut found = BTreeMap::new();
        for region in regions {
            let endpoints = aws::endpoints(&self.settings, &region).await;
            let endpoints = endpoints.map_err(|error| Failure::new(error.to_string()).hints(error.hints()))?;
            found.insert(region, endpoints);
        }
        Ok(found)
    }

    /// Where commands lead that people are given: an endpoint, and the option that runs this run's own sandbox again. That one has gone
    /// by then, and AWS's CLI needs one that serves its state.
    pub fn lasting(&self) -> (Option<String>, Option<String>) {
        match &self.rehearsal {
            Some(rehearsal) => (Some(format!("http://{LISTEN}")), Some(rehearsal.option())),
            None => (self.endpoint(), None),
        }
    }

    /// The endpoint that stands for every service of AWS, where one is named, by the command line or the environment.
    pub fn endpoint(&self) -> Option<String> {
        let stated = self.settings.endpoint_url.clone();
        stated.or_else(|| env::read(env::AWS_ENDPOINT_URL)).filter(|_| self.rehearsal.is_none())
    }

    /// Whether AWS is the sandbox of this run.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Where rotations that haven't finished end with this run's sandbox, says how they go on.
    pub fn goes_on(&self) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.goes_on();
        }
    }

    /// Whether a rotation of a target was only simulated, where AWS is a sandbox.
    pub async fn has_simulated(&self, one: &Prepared) -> bool {
        let (stand_ins, _) = self.otherwise(one).await;
        stand_ins.iter().any(|(_, stand_in)| matches!(stand_in, StandIn::Simulated { .. }))
    }

    /// How many of the targets that were read come before the first selected one that wasn't.
    pub fn in_turn(&self, prepared: &[Prepared]) -> usize {
        let mut read = prepared.iter().peekable();
        let is_next = |(manifest, index): &(usize, usize)| {
            let target = &self.manifests[*manifest].targets()[*index];
            let same = |one: &&Prepared| one.manifest == *manifest && one.desired.target.name == target.name;
            read.next_if(same).is_some()
        };
        self.pairs().take_while(is_next).count()
    }

    /// Whether rotations are still tried, where AWS is a sandbox.
    pub fn outlook(&self, one: &Prepared) -> Option<Outlook> {
        let (account, region) = (one.plan.account.clone(), one.plan.region.clone());
        if let Some(rehearsal) = &self.rehearsal {
            return Some(rehearsal.outlook(&account, &region));
        }
        let served = one.served.clone()?;
        Some(Outlook::new(move |secret, version| {
            let (served, account, region) = (served.clone(), account.clone(), region.clone());
            // One that can't be asked may well go on.
            Box::pin(async move { served.goes_on((&account, &region), &secret, &version).await.unwrap_or(true) })
        }))
    }

    /// Says what a sandbox did otherwise than AWS would have, whether it is this run's or one that is served. Whether a secret's
    /// rotation was only simulated.
    pub async fn is_simulated(&self, prepared: &[Prepared], allowed: bool) -> bool {
        let (mut stand_ins, mut functions) = (Vec::new(), BTreeSet::new());
        for one in prepared {
            let (found, changed) = self.otherwise(one).await;
            stand_ins.extend(found);
            functions.extend(changed);
        }
        stand_ins::say_differences(&functions);
        stand_ins::say(stand_ins, allowed)
    }

    /// What stood in for what AWS would have run for a target's secrets, by the secret's name; and what was changed or left out of its
    /// functions, in words. Nothing where AWS is no sandbox.
    async fn otherwise(&self, one: &Prepared) -> (Vec<(String, StandIn)>, Vec<String>) {
        let mut functions = Vec::new();
        let found = match (&self.rehearsal, &one.served) {
            (Some(rehearsal), _) => rehearsal.stand_ins(one),
            (None, Some(served)) => match served.otherwise(&one.plan.account, &one.plan.region).await {
                Ok(otherwise) => {
                    let own: BTreeSet<&str> =
                        one.desired.functions.values().map(|function| function.name.as_str()).collect();
                    let of_plan = otherwise.functions.into_iter().filter(|(arn, _)| own.contains(function_name(arn)));
                    functions.extend(of_plan.flat_map(|(_, all)| all));
                    otherwise.secrets.into_iter().collect()
                }
                Err(error) => {
                    output::warn(&format!("what it simulates and leaves out isn't known: {error}"), &[]);
                    Vec::new()
                }
            },
            (None, None) => Vec::new(),
        };
        let named: BTreeSet<&str> = one.desired.secrets.values().map(|secret| secret.name.as_str()).collect();
        (found.into_iter().filter(|(name, _)| named.contains(name.as_str())).collect(), functions)
    }

    /// Has functions rotate once more that have rotated, where AWS is the sandbox of this run, and says what is wrong with them.
    pub async fn look(&self, prepared: &[Prepared], rotated: &[Rotated]) -> Looked {
        match &self.rehearsal {
            Some(rehearsal) => rehearsal.look(prepared, rotated).await,
            None => Looked::default(),
        }
    }

    /// What this run's own sandbox rotated; nothing where AWS is another.
    pub fn rotated(&self, prepared: &[Prepared]) -> Vec<Rotated> {
        self.rehearsal.as_ref().map(|rehearsal| rehearsal.rotated(prepared)).unwrap_or_default()
    }

    /// Says what this run's own sandbox rotated, and what may be tried next.
    pub fn tell(&self, rotated: &[Rotated], looked: Option<&[(String, String)]>) {
        let has_news = !rotated.is_empty() || looked.is_some_and(|functions| !functions.is_empty());
        if let Some(rehearsal) = self.rehearsal.as_ref().filter(|_| !self.quiet && has_news) {
            let manifests: Vec<PathBuf> = self.manifests.iter().map(|one| one.path().to_owned()).collect();
            rehearsal.tell(rotated, &manifests, looked);
        }
    }

    /// Connects to a target for reading.
    pub async fn connect_reader(&self, target: &Target) -> Result<Connection<ReadOnly>, Failure> {
        aws::connect(&self.settings, target).await.map_err(|error| refused(target, &error))
    }

    /// Connects to a target with its writing role.
    pub async fn connect_writer(&self, target: &Target) -> Result<Connection<ReadWrite>, Failure> {
        aws::connect_writer(&self.settings, target).await.map_err(|error| refused(target, &error))
    }

    /// Tells what the sandbox has to say, if there is one.
    pub fn notices(&self) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.notices();
        }
    }

    /// Ends the sandbox, saving its state.
    pub async fn close(self) -> Result<(), Failure> {
        match self.rehearsal {
            Some(rehearsal) => rehearsal.close().await,
            None => Ok(()),
        }
    }
}

/// Why a target can't be worked on.
fn refused(target: &Target, error: &ConnectError) -> Failure {
    let context = target.name.as_ref().map(|name| format!("target {name}: ")).unwrap_or_default();
    Failure::new(format!("{context}{error}")).hints(error.hints())
}
