//! Whole runs over HTTP: generated manifests against generated accounts of the sandbox; plan, apply, plan.
//!
//! The manifest goes the whole way: YAML, packages, observation, plan, steps, the SDK, the wire. What came of it is judged
//! by the sandbox's log of calls and by its state, of which the tool knows nothing. Each case has an account of its own in
//! one sandbox, so that many run side by side. Functions are simulated: what they do isn't in question here.

mod account;
mod observed;
mod tool;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use proptest::strategy::{Strategy as _, ValueTree as _};
use rotator::model::{Address, Kind, arn};
use rotator::plan::{Action, Change, Effect, Plan, Severity};
use rotator::sandbox::state::{Region, Scope};
use rotator::sandbox::{self, Options, Sandbox};
use serde_json::Value;

use crate::cases::{Cases, Seen, say};
use account::{Built, Case, Golden, case};
use tool::{Planned, REGION, Tool};

/// How many cases the sample has.
const SAMPLE: u64 = 150;

/// How many cases run side by side: most of their time is the tool's waiting.
const SIDE_BY_SIDE: usize = 48;

/// How long a failing case is made smaller: each try is a whole run.
const SHRINKING: Duration = Duration::from_mins(1);

/// The sandbox's log of calls, read as it grows, by account.
struct Calls {
    path: PathBuf,
    read: Mutex<(u64, HashMap<String, Vec<String>>)>,
}

impl Calls {
    /// The operations that an account has called since the last look.
    fn take(&self, account: &str) -> Vec<String> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (offset, by_account) = &mut *read;
        let mut file = File::open(&self.path).expect("the sandbox writes its calls");
        file.seek(SeekFrom::Start(*offset)).expect("files can be sought in");
        let mut reader = BufReader::new(file);
        let mut line = String::new();
        // A line without an end is still being written.
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
            *offset += line.len() as u64;
            let call: Value = serde_json::from_str(&line).expect("a line of JSON");
            let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
            by_account.entry(text("account")).or_default().push(text("operation"));
            line.clear();
        }
        by_account.remove(account).unwrap_or_default()
    }
}

struct Lab {
    sandbox: Sandbox,
    golden: Golden,
    calls: Calls,
    accounts: AtomicU64,
    /// What the sandbox keeps its files in.
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("calls.jsonl");
        // Nothing can be kept below a file: functions are simulated, whatever the machine has.
        let cache = folder.path().join("no-folder");
        std::fs::write(&cache, "").expect("files can be written");
        let options = Options {
            time_scale: 0.0,
            calls: Some(path.clone()),
            cache: Some(cache.join("runtimes")),
            ..Options::default()
        };
        let sandbox = sandbox::start(options).await.expect("the sandbox starts");
        let golden = Golden::deploy(&sandbox).await;
        let calls = Calls { path, read: Mutex::default() };
        Self { sandbox, golden, calls, accounts: AtomicU64::new(100_000_000_000), _folder: folder }
    }

    fn seen(&self, account: &str) -> observed::Seen {
        let region = self.sandbox.shared().read(account, REGION, |region| serde_json::to_value(region));
        observed::Seen::new(&region.expect("states can be written"))
    }

    /// Tries one case in an account of its own.
    async fn run(&self, case: &Case, seen: &Mutex<Seen>) -> Result<(), String> {
        let account = self.accounts.fetch_add(1, Ordering::Relaxed).to_string();
        let built = case.build(&self.golden);
        let region: Region = serde_json::from_str(&built.region(&account))
            .map_err(|error| format!("the generator's own state: {error}"))?;
        self.sandbox.shared().write(&account, REGION, |now| *now = region);
        let folder = tempfile::tempdir().expect("a folder");
        account::write(folder.path(), &built.manifest);
        let result = self.converge(&account, folder.path(), &built, seen).await;
        self.sandbox.shared().world().scopes.remove(&Scope::new(&account, REGION));
        result
    }

    async fn converge(
        &self,
        account: &str,
        folder: &std::path::Path,
        built: &Built,
        seen: &Mutex<Seen>,
    ) -> Result<(), String> {
        let before = self.seen(account);
        let tool = Tool::connect(&self.sandbox.url(), account).await;
        let planned = tool.plan(folder, built.purpose).await?;
        if let Some(write) = self.calls.take(account).iter().find(|operation| !observed::is_read(operation)) {
            return Err(format!("a plan called {write}"));
        }
        if self.seen(account) != before {
            return Err("a plan changed something".to_owned());
        }
        let failed = tool.apply(&planned).await;
        let calls = self.calls.take(account);
        if !failed.is_empty() {
            return Err(format!("steps failed: {failed:#?}\nof {:#?}", planned.plan.changes));
        }
        let after = self.seen(account);
        let context = |error: String| format!("{error}\nof {:#?}\n{calls:?}", planned.plan.changes);
        let writes = observed::writes_were_announced(&planned, &calls).map_err(context)?;
        observed::effects_came(&planned, &before, &after).map_err(context)?;
        observed::nothing_else_changed(&planned, &before, &after).map_err(context)?;
        let again = tool.plan(folder, built.purpose).await?;
        self.calls.take(account);
        nothing_is_left(&planned.plan, &again).map_err(context)?;
        count(&planned, writes, &mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// The functions that became this project's own with a plan, or no other's any more. What rotates with them and has no
/// handle is an orphan from then on, of which the plan itself could not know.
fn newly_owned(plan: &Plan) -> BTreeSet<&str> {
    let becomes_ours = |change: &&Change| {
        matches!(change.action, Action::DeployStack { .. })
            || change.fields.iter().any(|field| field.attribute.path().starts_with("tags."))
    };
    plan.runnable().filter(becomes_ours).map(|change| change.name.as_str()).collect()
}

/// A second plan has nothing to do but what the first one couldn't.
fn nothing_is_left(first: &Plan, again: &Planned) -> Result<(), String> {
    let newly_owned = newly_owned(first);
    let of_those = again.live.orphan_secrets.iter().flatten();
    let of_those = of_those.filter(|orphan| newly_owned.contains(arn::function_name(&orphan.function_arn)));
    let new_orphans: BTreeSet<&String> = of_those.map(|orphan| &orphan.name).collect();
    let mut second = again.plan.clone();
    second.changes.retain(|change| change.address.kind != Kind::OrphanSecret || !new_orphans.contains(&change.name));
    let second = &second;
    let left: Vec<_> = second.runnable().collect();
    if !left.is_empty() {
        return Err(format!("a second plan wants {left:#?}"));
    }
    if !first.has_errors() && (!second.is_empty() || second.has_errors()) {
        return Err(format!("a second plan has {:#?}\n{:#?}", second.changes, second.problems));
    }
    let blocked = |plan: &Plan| -> BTreeSet<Address> {
        plan.changes.iter().filter(|change| change.blocked).map(|change| change.address.clone()).collect()
    };
    let errors = |plan: &Plan| -> BTreeSet<Address> {
        plan.problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.address.clone())
            .collect()
    };
    if !blocked(second).is_subset(&blocked(first)) || !errors(second).is_subset(&errors(first)) {
        return Err(format!(
            "a second plan is stopped by {:#?}\nand the first was by {:#?}",
            second.problems, first.problems
        ));
    }
    Ok(())
}

/// What only flags and other commands bring about, which no plan made here is of.
const IS_ASKED: [Effect; 3] = [Effect::OverridesFreeze, Effect::DropsPending, Effect::StartsRotation];

const EXPECTED: [&str; 13] = [
    "writes",
    "changes",
    "blocked changes",
    "empty plans",
    "deploys",
    "deletes",
    "stops-rotation",
    "rotates-now",
    "takes-over",
    "replaces-code",
    "may-rotate-on-old-schedule",
    "tests-now",
    "opens-permission",
];

fn count(planned: &Planned, writes: usize, seen: &mut Seen) {
    let plan = &planned.plan;
    seen.add("writes", writes);
    seen.add("changes", plan.runnable().count());
    seen.add("blocked changes", plan.changes.iter().filter(|change| change.blocked).count());
    seen.add("empty plans", usize::from(plan.is_empty()));
    seen.add("deploys", plan.runnable().filter(|change| matches!(change.action, Action::DeployStack { .. })).count());
    for effect in Effect::ALL.into_iter().filter(|effect| !IS_ASKED.contains(effect)) {
        seen.add(effect.word(), plan.count(effect));
    }
}

/// Makes a failing case smaller, and ends the test with it.
async fn fail(lab: &Lab, cases: &Cases, number: u64, mut reason: String) -> ! {
    let mut runner = cases.runner(number);
    let mut tree = case().new_tree(&mut runner).expect("generators reject nothing");
    let ignored = Mutex::default();
    let mut smallest = tree.current();
    let mut goes_on = tree.simplify();
    let began = Instant::now();
    while goes_on && began.elapsed() < SHRINKING {
        let smaller = tree.current();
        goes_on = match lab.run(&smaller, &ignored).await {
            Ok(()) => tree.complicate(),
            Err(again) => {
                (reason, smallest) = (format!("case {number}: {again}"), smaller);
                tree.simplify()
            }
        };
    }
    let built = smallest.build(&lab.golden);
    let manifest = serde_json::to_string_pretty(&built.manifest).unwrap_or_default();
    let region = built.region("111122223333");
    cases.fail(
        number,
        &reason,
        &format!("{:?}\n--- rotator.yaml\n{manifest}\n--- the account\n{}", built.purpose, account::digest(&region)),
    );
}

/// Without it a plan could announce what doesn't happen, an apply do what wasn't announced, or touch what is others'.
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_does_what_its_plan_says_and_nothing_else() {
    let cases = Cases::of("an_apply_does_what_its_plan_says_and_nothing_else", SAMPLE);
    let lab = Lab::open().await;
    let seen = Mutex::new(Seen::expect(&EXPECTED));
    let run = async |number: u64| {
        let tree = case().new_tree(&mut cases.runner(number)).expect("generators reject nothing");
        (number, lab.run(&tree.current(), &seen).await)
    };
    let mut results = futures::stream::iter(cases.numbers()).map(run).buffer_unordered(SIDE_BY_SIDE);
    let mut failed = Vec::new();
    while let Some((number, result)) = results.next().await {
        failed.extend(result.err().map(|reason| (number, reason)));
    }
    drop(results);
    failed.sort();
    for (number, reason) in &failed {
        say(&format!("case {number}: {}", reason.lines().take(3).collect::<Vec<_>>().join(" ")));
    }
    let all: Vec<u64> = failed.iter().map(|(number, _)| *number).collect();
    if let Some((number, reason)) = failed.into_iter().next() {
        Box::pin(fail(&lab, &cases, number, format!("cases {all:?} fail; the first: {reason}"))).await;
    }
    cases.tell(&seen.into_inner().unwrap_or_else(PoisonError::into_inner));
}
