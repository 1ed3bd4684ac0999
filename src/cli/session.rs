//! What `plan`, `apply` and `destroy` share: manifests, targets, connections, the two states, and their difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::StreamExt;

use crate::aws::{self, ConnectError, Connection, ObserveOptions, ReadWrite};
use crate::config::{self, Ambient, Manifest};
use crate::model::{CodeSource, Desired, FunctionSource, Live, Target};
use crate::package;
use crate::plan::{self, Plan, Purpose, Scope};

use super::filter::Filter;
use super::rehearsal::Rehearsal;
use super::{Global, output, progress};

/// How many targets are read side by side.
const TARGETS: usize = 8;

/// Manifests, and the way to AWS.
pub struct Session {
    manifests: Vec<Manifest>,
    filter: Filter,
    /// How AWS is reached.
    pub settings: aws::Settings,
    rehearsal: Option<Rehearsal>,
    quiet: bool,
}

/// One target of one manifest, compared.
pub struct Prepared {
    /// What the manifest wants.
    pub desired: Desired,
    /// What AWS has.
    pub live: Live,
    /// The difference.
    pub plan: Plan,
    /// The zips to upload, by function handle.
    pub packages: BTreeMap<String, Vec<u8>>,
}

/// A failure that was printed already, with its exit code.
pub struct Printed(pub u8);

type Packages = Mutex<BTreeMap<PathBuf, Arc<package::Package>>>;

impl Session {
    /// Loads manifests and starts the sandbox, where one is asked for.
    pub async fn open(global: &Global, paths: &[PathBuf]) -> Result<Self, Printed> {
        let filter = Filter::new(&global.target).map_err(|(summary, hints)| Printed(output::fail(&summary, &hints)))?;
        let loaded = config::load(paths).map_err(|problems| {
            output::diagnostics(&problems.0);
            Printed(crate::exit::ERROR)
        })?;
        output::diagnostics(&loaded.warnings);
        let known: BTreeSet<&str> =
            loaded.manifests.iter().flat_map(Manifest::targets).filter_map(|target| target.name.as_deref()).collect();
        if let Some(unknown) = filter.unknown_targets(&known).first() {
            let names: Vec<&str> = known.into_iter().collect();
            let hint = if names.is_empty() {
                "the manifest has no `targets:`".to_owned()
            } else {
                format!("the targets are {}", names.join(", "))
            };
            return Err(Printed(output::fail(&format!("`--target {unknown}` matches no target"), &[hint])));
        }
        let mut settings = aws::Settings {
            region: global.region.clone(),
            profile: global.profile.clone(),
            endpoint_url: global.endpoint_url.clone(),
            parallelism: global.parallelism.map(usize::from),
            sandbox: None,
        };
        let rehearsal = match &global.sandbox {
            None => None,
            Some(file) => {
                let rehearsal = Rehearsal::start(file, &settings).await?;
                settings.sandbox = Some(rehearsal.endpoint());
                Some(rehearsal)
            }
        };
        Ok(Self { manifests: loaded.manifests, filter, settings, rehearsal, quiet: global.quiet })
    }

    /// How many targets are selected.
    pub fn selected(&self) -> usize {
        self.pairs().count()
    }

    /// Whether `--target` was given at all.
    pub fn is_filtered(&self) -> bool {
        self.filter.is_given()
    }

    /// Whether resources within targets were selected.
    pub fn is_partial(&self) -> bool {
        self.filter.is_partial()
    }

    fn pairs(&self) -> impl Iterator<Item = (&Manifest, usize)> {
        self.manifests.iter().flat_map(|manifest| {
            let selected = |index: &usize| self.filter.selects(&manifest.targets()[*index]);
            (0..manifest.targets().len()).filter(selected).map(move |index| (manifest, index))
        })
    }

    /// Reads AWS for each selected target, and compares. A target that can't be read doesn't keep others from being shown.
    pub async fn prepare(&self, purpose: Purpose) -> (Vec<Prepared>, Option<Printed>) {
        let packages = Packages::default();
        let matched = Mutex::new(BTreeSet::new());
        let reading = progress::Reading::new(self.quiet);
        let results: Vec<Result<Prepared, Printed>> = futures::stream::iter(self.pairs())
            .map(|(manifest, index)| self.prepare_one(manifest, index, purpose, &packages, &matched, &reading))
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
        }
        (prepared, failed)
    }

    async fn prepare_one(
        &self,
        manifest: &Manifest,
        index: usize,
        purpose: Purpose,
        packages: &Packages,
        matched: &Mutex<BTreeSet<String>>,
        reading: &progress::Reading,
    ) -> Result<Prepared, Printed> {
        let target = &manifest.targets()[index];
        let context = target.name.as_ref().map(|name| format!("target {name}: ")).unwrap_or_default();
        let connection = aws::connect(&self.settings, target).await.map_err(|error| refused(target, &error))?;
        let ambient =
            Ambient { region: Some(connection.region().to_owned()), account: Some(connection.account().to_owned()) };
        let mut desired = manifest.resolve(index, &ambient).map_err(|problems| {
            output::diagnostics(&problems.0);
            Printed(crate::exit::ERROR)
        })?;
        let found = self.filter.apply(&mut desired);
        if let Ok(mut matched) = matched.lock() {
            matched.extend(found);
        }
        let zips = build_packages(&mut desired, packages).map_err(|(handle, error)| {
            let hints: Vec<String> = error.hint().map(str::to_owned).into_iter().collect();
            Printed(output::fail(&format!("{context}function.{handle}: {error}"), &hints))
        })?;
        if let Some(rehearsal) = &self.rehearsal {
            // What is being removed isn't made up first.
            if purpose != Purpose::Destroy {
                rehearsal.seed(&desired, connection.account(), connection.region());
            }
        }
        let options = ObserveOptions { orphans: !self.filter.is_partial(), ..ObserveOptions::default() };
        let live = connection.reader().observe(&desired, &options, &|progress| reading.show(progress)).await;
        let plan = plan::diff(&desired, &live, Scope { purpose, partial: self.filter.is_partial() });
        Ok(Prepared { desired, live, plan, packages: zips })
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

/// Says why a target can't be worked on.
fn refused(target: &Target, error: &ConnectError) -> Printed {
    let context = target.name.as_ref().map(|name| format!("target {name}: ")).unwrap_or_default();
    Printed(output::fail(&format!("{context}{error}"), &error.hints()))
}

/// Packages the code of all functions that have some, each path once for all targets.
fn build_packages(
    desired: &mut Desired,
    packages: &Packages,
) -> Result<BTreeMap<String, Vec<u8>>, (String, package::PackageError)> {
    let mut zips = BTreeMap::new();
    for (handle, function) in &mut desired.functions {
        let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
        let Some(code) = &mut deployment.code else { continue };
        let CodeSource::Path { path, tree, .. } = &code.source else { continue };
        let known = packages.lock().ok().and_then(|packages| packages.get(path).cloned());
        let built = if let Some(built) = known {
            built
        } else {
            let built = Arc::new(package::build(path, tree).map_err(|error| (handle.clone(), error))?);
            if let Ok(mut packages) = packages.lock() {
                packages.insert(path.clone(), Arc::clone(&built));
            }
            built
        };
        code.package = Some(built.summary.clone());
        zips.insert(handle.clone(), built.bytes.clone());
    }
    Ok(zips)
}
