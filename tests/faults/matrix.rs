//! The cases, and running them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

use futures::StreamExt as _;

use super::faults::{Fault, table};
use super::run::{Case, Often, Result, Verdict};
use super::scenes::{self, Scene};

/// How many cases the sample has.
const SAMPLE: usize = 90;

/// A setting from the environment.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: usize) -> usize {
    setting(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// All cases of these scenes.
fn cases(scenes: &[Scene]) -> Vec<Case> {
    let mut all = Vec::new();
    for (index, scene) in scenes.iter().enumerate() {
        for (operation, &calls) in &scene.calls {
            let is_thorough = scene.thorough.iter().any(|name| *name == "*" || name == operation);
            for fault in of(operation) {
                // Thoroughly: every failure of the first call. Else, and of later calls: the typical ones.
                let first = if is_thorough || fault.typical { 0 } else { calls };
                let last = if fault.typical { calls } else { 1 };
                for skip in first..last {
                    for often in [Often::Once, Often::ForEver] {
                        let place = if skip == 0 { String::new() } else { format!("+{skip}") };
                        let word = if often == Often::Once { "once" } else { "for-ever" };
                        let name = format!("{}/{operation}{place}/{}/{word}", scene.name, fault.name);
                        let operation = operation.clone();
                        all.push(Case { scene: index, operation, skip, fault: fault.clone(), often, name });
                    }
                }
            }
        }
    }
    all
}

/// All that can go wrong with an operation.
fn of(operation: &str) -> Vec<Fault> {
    let mut faults = Fault::all(operation);
    // What the others are asked for stands in the body.
    if !operation.starts_with("cloudformation") && !operation.starts_with("sts") {
        faults.extend(Fault::unread());
    }
    faults.push(Fault::never());
    faults
}

/// Whether a case waits for time-outs of a minute.
fn is_long(case: &Case) -> bool {
    case.fault.name == "never"
}

/// Runs cases side by side.
async fn run(scenes: &[Scene], cases: Vec<Case>) -> Vec<Result> {
    let jobs = number("FAULTS_JOBS", 16);
    let total = cases.len();
    let shows = setting("FAULTS_SHOW").is_some();
    let mut results = Vec::with_capacity(total);
    // The long ones first: they wait for their time-outs beside all others.
    let (long, short): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(is_long);
    let run = |case: Case| async move { case.run(&scenes[case.scene]).await };
    let mut running = Box::pin(futures::stream::select(
        futures::stream::iter(long).map(run).buffer_unordered(200),
        futures::stream::iter(short).map(run).buffer_unordered(jobs),
    ));
    while let Some(result) = running.next().await {
        if shows {
            print(&format!("=== {} {:?}\n{}\n", result.case, result.verdict, result.first.all()));
        } else if let Verdict::Wrong(wrong) = &result.verdict {
            print(&format!("=== {}\n  {}\n", result.case, wrong.join("\n  ")));
        }
        results.push(result);
        if results.len().is_multiple_of(100) {
            print(&format!("{} of {total}\n", results.len()));
        }
    }
    results
}

/// Says something while tests run; shown with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a test's figures")]
fn print(text: &str) {
    print!("{text}");
}

/// The figures of a run.
fn figures(results: &[Result], scenes: &[Scene], took: std::time::Duration) -> String {
    let mut text = String::new();
    let operations: BTreeSet<&str> = results.iter().map(|result| result.case.operation.as_str()).collect();
    let faults: BTreeSet<&str> = results.iter().map(|result| result.case.fault.name.as_str()).collect();
    let count = |verdict: fn(&Verdict) -> bool| results.iter().filter(|result| verdict(&result.verdict)).count();
    let _ = writeln!(
        text,
        "{} cases: {} operations, {} failures, once and for ever, in {} scenes; {:?}",
        results.len(),
        operations.len(),
        faults.len(),
        scenes.len(),
        took
    );
    let _ = writeln!(text, "{:6} converged at once", count(|verdict| *verdict == Verdict::Passed));
    let _ = writeln!(
        text,
        "{:6} ended with a message, and converged with the next run",
        count(|verdict| *verdict == Verdict::Told)
    );
    let _ = writeln!(
        text,
        "{:6} were not met: the run made fewer calls than the one before",
        count(|verdict| *verdict == Verdict::Missed)
    );
    let _ = writeln!(text, "{:6} went wrong", count(|verdict| matches!(verdict, Verdict::Wrong(_))));
    let mut complaints: BTreeMap<usize, usize> = BTreeMap::new();
    for result in results.iter().filter(|result| result.first.code == 1) {
        *complaints.entry(result.first.complaints().len()).or_default() += 1;
    }
    let _ = writeln!(text, "messages in a run that failed, and how many such runs: {complaints:?}");
    let longest = results.iter().max_by_key(|result| result.first.took);
    if let Some(longest) = longest {
        let _ = writeln!(text, "the longest run: {:?}, {}", longest.first.took, longest.case);
    }
    text
}

fn failures(results: &[Result]) -> String {
    let mut text = String::new();
    for result in results {
        let Verdict::Wrong(wrong) = &result.verdict else { continue };
        let _ = writeln!(text, "=== {}\n  {}", result.case, wrong.join("\n  "));
        if text.len() < 200_000 {
            let _ = writeln!(text, "--- first: {}", result.first.all());
            for later in &result.later {
                let _ = writeln!(text, "--- later: {}", later.all());
            }
        }
    }
    text
}

async fn judge(choose: impl FnOnce(Vec<Case>) -> Vec<Case>) {
    let began = Instant::now();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenes = scenes::all(folder.path()).await;
    let mut all = cases(&scenes);
    match setting("FAULTS_ONLY") {
        Some(only) => all.retain(|case| only.split(' ').any(|part| case.name.contains(part))),
        None => all = choose(all),
    }
    let results = run(&scenes, all).await;
    let figures = figures(&results, &scenes, began.elapsed());
    print(&figures);
    let failures = failures(&results);
    assert!(failures.is_empty(), "{failures}\n{figures}\nto repeat one: FAULTS_ONLY=NAME FAULTS_SHOW=1");
}

/// Without it, what goes wrong on one call in a thousand would be met by users: a hang, a lie, a second rotation.
#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_failures_ends_in_convergence_or_one_message() {
    let seed = setting("FAULTS_SEED").and_then(|text| text.parse().ok()).unwrap_or(1);
    judge(|mut cases| {
        print(&format!("FAULTS_SEED={seed}\n"));
        cases.retain(|case| !is_long(case));
        fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        cases.truncate(SAMPLE);
        cases
    })
    .await;
}

/// Without it, the sample would be all that was ever tried.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a while: all cases"]
async fn the_whole_matrix_ends_in_convergence_or_one_message() {
    judge(|cases| cases).await;
}

/// Without it, an operation that the tool calls could stand in no scene, and none of its failures would ever be tried.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_tool_is_disturbed_somewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenes = scenes::all(folder.path()).await;
    let called: BTreeSet<&String> = scenes.iter().flat_map(|scene| scene.calls.keys()).collect();
    let table = table();
    let listed: BTreeSet<&String> = table.keys().collect();
    assert_eq!(called, listed, "errors.json and the scenes speak of other operations");
}
