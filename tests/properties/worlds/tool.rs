//! The tool in this process, from a manifest's text to the report of an apply, against the sandbox over HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rotator::apply::{self, Context, Event, Interrupt, Logs, Observer, Options, Outcome};
use rotator::aws::{Connection, ObserveOptions, ReadWrite, SandboxEndpoint, Settings, connect_writer};
use rotator::config::{self, Ambient};
use rotator::model::{CodeSource, Desired, FunctionSource, Live, Target};
use rotator::plan::{Plan, PlanOptions, Purpose, make_plan, order};
use rotator::{package, render};

pub const REGION: &str = "us-east-1";

/// A way to one account of a sandbox.
pub struct Tool {
    connection: Connection<ReadWrite>,
}

/// What a plan was made of, and the plan.
pub struct Planned {
    pub wanted: Desired,
    pub live: Live,
    pub plan: Plan,
    packages: BTreeMap<String, Arc<[u8]>>,
}

struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}

impl Tool {
    pub async fn connect(url: &str, account: &str) -> Self {
        let endpoint =
            SandboxEndpoint { url: url.to_owned(), account: Some(account.to_owned()), region: REGION.to_owned() };
        let settings = Settings { sandbox: Some(endpoint), ..Settings::default() };
        let connection = connect_writer(&settings, &Target::default()).await;
        Self { connection: connection.unwrap_or_else(|error| panic!("the sandbox isn't reached: {error}")) }
    }

    /// Plans what a folder's manifest wants.
    pub async fn plan(&self, folder: &Path, purpose: Purpose) -> Result<Planned, String> {
        let loaded = config::load(&[folder.to_path_buf()])
            .map_err(|problems| render::diagnostics::render(&problems.0, false, 120))?;
        let manifest = loaded.manifests.first().ok_or("no manifest")?;
        let ambient = Ambient {
            region: Some(self.connection.region().to_owned()),
            account: Some(self.connection.account().to_owned()),
        };
        let mut wanted = manifest.resolve(0, &ambient).map_err(|problems| problems.to_string())?;
        let packages = packages(&mut wanted)?;
        let live = self.connection.reader().observe(&wanted, &ObserveOptions::default(), &|_| {}).await;
        let plan = make_plan(&wanted, &live, PlanOptions { purpose, partial: false });
        Ok(Planned { wanted, live, plan, packages })
    }

    /// Applies a plan. The answer is what went wrong, step by step.
    pub async fn apply(&self, planned: &Planned) -> Vec<String> {
        let options = Options { rotation_timeout: Duration::from_mins(2), ..Options::default() };
        let context = Context {
            executor: &self.connection.writer(),
            desired: &planned.wanted,
            live: &planned.live,
            plan: &planned.plan,
            beside: &[],
            packages: &planned.packages,
            options: &options,
            observer: &Silent,
            sent: Mutex::default(),
            logs: Logs::default(),
            moved: Mutex::default(),
            left: Mutex::default(),
            made: Mutex::default(),
            waited: Mutex::default(),
            kept: Mutex::default(),
        };
        let (_puller, interrupt) = Interrupt::new();
        let mut steps = order(&planned.plan, &planned.wanted);
        // What is stuck in these worlds stays so: nothing tries it again, and nobody waits for it.
        while steps.last().is_some_and(|step| step.kind.is_watch() && step.change.is_none()) {
            steps.pop();
        }
        let report = apply::run(&context, steps, &interrupt).await;
        let ended = report.steps.iter().zip(&report.outcomes);
        // A function that is only simulated proves nothing by its test, and nothing is wrong with it.
        let is_well = |outcome: &Outcome| {
            matches!(outcome, Outcome::Applied { .. } | Outcome::Unchanged | Outcome::Unverified(_))
        };
        let bad = ended.filter(|(_, outcome)| !is_well(outcome));
        bad.map(|(step, outcome)| format!("{} {:?}: {outcome:?}", step.address, step.kind)).collect()
    }
}

fn packages(wanted: &mut Desired) -> Result<BTreeMap<String, Arc<[u8]>>, String> {
    let mut packages = BTreeMap::new();
    for (handle, function) in &mut wanted.functions {
        let FunctionSource::Deployed(deployment) = &mut function.source else { continue };
        let Some(code) = &mut deployment.code else { continue };
        let CodeSource::Path { path, tree, selection, .. } = &code.source else { continue };
        let built = package::build(path, tree, selection).map_err(|error| error.to_string())?;
        code.package = Some(built.summary);
        packages.insert(handle.clone(), built.bytes.into());
    }
    Ok(packages)
}
