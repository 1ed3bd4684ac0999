//! An AWS that lies: true answers with members missing, of other types, unknown, endless, or full of escapes.
//!
//! Whatever it says, the program ends soon, with a documented exit code and a message, steers no terminal, and never says
//! that all is well where it isn't.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rotator::sandbox::{self, Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::lies::{self, Case, ESCAPES};
use super::proxy::{Answer, Lie, Proxy};
use super::support::{Ended, number, rotator, run};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";

/// How many megabytes of address space a run may take: threads' stacks and the SDK take most of them.
const MEGABYTES: u64 = 3072;

const MANIFEST: &str = r#"version: 1
project: lies
functions:
  SecretsManagerLies: {code: code, timeout: 30, environment: {KEY_LENGTH: "64"}}
secrets:
  a: {function: SecretsManagerLies, rotation: {automatically_after_days: 30, duration: 4h}}
  b: {function: SecretsManagerLies, rotation: {schedule_expression: "cron(0 8 1 * ? *)"}}
"#;

/// A sandbox, and a liar before it.
struct World {
    proxy: Proxy,
    sandbox: Sandbox,
    folder: TempDir,
    _runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let options = Options { account: ACCOUNT.to_owned(), time_scale: 0.0, ..Options::default() };
        let sandbox = runtime.block_on(sandbox::start(options)).expect("a sandbox");
        for name in ["a", "b"] {
            assert!(sandbox.seed_secret(ACCOUNT, REGION, name));
        }
        let proxy = runtime.block_on(Proxy::start(sandbox.addr()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let code = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/functions/signing_key");
        std::fs::create_dir(folder.path().join("code")).expect("a folder");
        for entry in std::fs::read_dir(code).expect("the example").flatten().filter(|entry| entry.path().is_file()) {
            std::fs::copy(entry.path(), folder.path().join("code").join(entry.file_name())).expect("a copy");
        }
        std::fs::write(folder.path().join("rotator.yaml"), MANIFEST).expect("a manifest");
        Self { proxy, sandbox, folder, _runtime: runtime }
    }

    /// One in which all is as the manifest says.
    fn applied() -> Self {
        let world = Self::new();
        world.honest(&["apply", "--auto-approve", "--allow-simulated"]).sound().exits(0).says("Apply complete!");
        world.honest(&["plan", "--detailed-exitcode"]).sound().exits(0).says("No changes.");
        world
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Ended {
        let mut command = rotator(self.folder.path(), MEGABYTES);
        command
            .env("AWS_ENDPOINT_URL", url)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_REGION", REGION)
            // What is tried again is tried once more: retries have tests of their own.
            .env("AWS_MAX_ATTEMPTS", "2");
        run(command.args(["--color", "never"]).args(arguments))
    }

    /// Without the liar.
    fn honest(&self, arguments: &[&str]) -> Ended {
        self.command(&self.sandbox.url(), arguments)
    }

    /// Through the liar, who tells the truth without a lie.
    fn through(&self, lie: Option<Lie>, arguments: &[&str]) -> Ended {
        self.proxy.tell(lie);
        self.command(&self.proxy.url, arguments)
    }
}

/// What an answer is about, so that a lie about one secret isn't told about all.
fn about(answer: &Answer) -> Option<String> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    value["ARN"].as_str().map(str::to_owned)
}

/// The answers that lies are made from: two of each operation.
fn samples(heard: &[Answer]) -> Vec<Answer> {
    let mut by_operation: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in heard.iter().filter(|answer| answer.status < 300) {
        let known = by_operation.entry(&answer.operation).or_default();
        if known.len() < 2 && known.iter().all(|other| about(other) != about(answer)) {
            known.push(answer);
        }
    }
    by_operation.into_values().flatten().cloned().collect()
}

/// The members that decide whether something differs: a lie about one of these may not end in "no changes".
fn decides(case: &Case, original: &Answer) -> bool {
    let says = |text: &str| String::from_utf8_lossy(&original.body).contains(text);
    let whole = ["all empty", "all null", "a list", "no JSON", "no UTF-8", "cut", "deep", "nothing in it", "no XML"];
    let member = case.what.rsplit_once(' ').map_or("", |(path, _)| path);
    let starts = |path: &str| case.what.strip_prefix(path).is_some_and(|rest| rest.starts_with([' ', '/']));
    match case.operation.as_str() {
        "DescribeSecret" if starts("/RotationRules/AutomaticallyAfterDays") => !says("ScheduleExpression"),
        "DescribeSecret" => {
            whole.contains(&case.what.as_str())
                || ["/RotationEnabled", "/RotationLambdaARN", "/RotationRules/ScheduleExpression", "/ARN", "/Name"]
                    .into_iter()
                    .any(starts)
                || (starts("/RotationRules/Duration") && says("4h"))
        }
        "GetFunction" => {
            whole.contains(&case.what.as_str())
                || ["CodeSha256", "Timeout", "FunctionArn", "FunctionName", "Environment/Variables/KEY_LENGTH"]
                    .into_iter()
                    .any(|name| starts(&format!("/Configuration/{name}")))
        }
        "GetPolicy" => starts("/Policy") && !case.what.ends_with("10 MB") || whole.contains(&case.what.as_str()),
        "DescribeStacks" => {
            whole.contains(&case.what.as_str())
                || ["StackName", "StackId", "Stacks"].into_iter().any(|name| member.ends_with(name))
        }
        "GetCallerIdentity" => whole.contains(&case.what.as_str()) || member.ends_with("Arn"),
        _ => false,
    }
}

/// Why a plan that was told a lie is wrong.
fn judge_plan(case: &Case, original: &Answer, ended: &Ended) -> Option<String> {
    if let Some(breach) = ended.breach() {
        return Some(breach);
    }
    if ended.code == Some(0) && decides(case, original) {
        return Some("it says that nothing differs".to_owned());
    }
    let all = ended.all();
    let names = |text: &str| all.contains(text);
    if ended.code == Some(1) && !names(&case.operation) && !names("secret.") && !names("function.") {
        return Some("its error names neither the operation nor the resource".to_owned());
    }
    None
}

/// What came of many cases.
#[derive(Default)]
struct Figures {
    by_operation: BTreeMap<String, usize>,
    by_code: BTreeMap<Option<i32>, usize>,
    longest: Duration,
    wrong: Vec<String>,
}

impl Figures {
    fn add(&mut self, case: &Case, ended: &Ended, wrong: Option<String>) {
        *self.by_operation.entry(case.operation.clone()).or_insert(0) += 1;
        *self.by_code.entry(ended.code).or_insert(0) += 1;
        self.longest = self.longest.max(ended.took);
        if let Some(wrong) = wrong {
            self.wrong.push(format!("{}: {}: {wrong}\n{}", case.operation, case.what, ended.shortened()));
        }
    }

    #[track_caller]
    fn finish(&self, name: &str, began: Instant) {
        let cases: usize = self.by_operation.values().sum();
        println!("{name}: {cases} lies in {:?}, the longest run {:?}", began.elapsed(), self.longest);
        println!(
            "  by operation {:?}\n  by exit code {:?}, {} wrong",
            self.by_operation,
            self.by_code,
            self.wrong.len()
        );
        assert!(cases > 0, "no case ran");
        assert!(
            self.wrong.is_empty(),
            "{} of {cases} lies do what they must not (ROTATOR_LIE=PART OF A NAME runs one of them):\n\n{}",
            self.wrong.len(),
            self.wrong.join("\n\n")
        );
    }
}

/// Runs jobs on a few threads, each with a world of its own where it wants one.
fn side_by_side<T: Send>(
    jobs: Vec<T>,
    threads: usize,
    work: impl Fn(&mut Option<World>, T, &Mutex<Figures>) + Sync,
) -> Figures {
    let figures = Mutex::new(Figures::default());
    let jobs = Mutex::new(VecDeque::from(jobs));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut world = None;
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(job) = next else { break };
                    work(&mut world, job, &figures);
                }
            });
        }
    });
    figures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A seeded sample with some that are always tried, or those that `ROTATOR_LIE` names.
fn chosen<T>(mut cases: Vec<(Case, T)>, most: usize, always: &[(&str, &str)]) -> Vec<(Case, T)> {
    if let Ok(wanted) = std::env::var("ROTATOR_LIE") {
        cases.retain(|(case, _)| format!("{} {}", case.operation, case.what).contains(&wanted));
        return cases;
    }
    let mut rng = fastrand::Rng::with_seed(number("ROTATOR_SEED").unwrap_or(1));
    rng.shuffle(&mut cases);
    let wanted =
        |case: &Case, (operation, end): &(&str, &str)| case.operation == *operation && case.what.ends_with(end);
    let first =
        always.iter().map(|always| cases.iter().position(|(case, _)| wanted(case, always)).expect("such a lie"));
    let mut first: Vec<usize> = first.collect();
    first.sort_unstable_by(|a, b| b.cmp(a));
    first.dedup();
    let mut picked: Vec<(Case, T)> = first.into_iter().map(|index| cases.remove(index)).collect();
    cases.truncate(most);
    picked.append(&mut cases);
    picked
}

/// What deserves to be tried each time: what could exhaust the stack or memory, and what nothing would be left to compare with.
const ALWAYS_TO_PLANS: &[(&str, &str)] = &[
    ("DescribeSecret", "a deep map that is new"),
    ("GetFunction", "a deep list that is new"),
    ("DescribeStacks", "deep"),
    ("DescribeStacks", "an entity bomb"),
    ("GetPolicy", "/Policy nested"),
    ("GetPolicy", "/Policy 10 MB"),
    ("DescribeSecret", "/ARN missing"),
    ("GetFunction", "/Configuration/FunctionArn missing"),
    ("DescribeSecret", "/LastChangedDate the year 300000"),
];

/// What could be taken for an end, or waited for until the time is up.
const ALWAYS_TO_APPLIES: &[(&str, &str)] = &[
    ("DescribeChangeSet", "/Status unknown"),
    ("DescribeChangeSet", "/ExecutionStatus unknown"),
    ("DescribeStacks", "/StackStatus unknown"),
    ("GetFunction", "/Configuration/State unknown"),
];

/// Lies about everything that a plan reads.
fn plans(most: usize, name: &str) {
    let began = Instant::now();
    let world = World::applied();
    world.through(None, &["plan", "--detailed-exitcode"]).sound().exits(0);
    let originals = samples(&world.proxy.heard());
    let all: Vec<(Case, Answer)> = originals
        .iter()
        .flat_map(|original| lies::about(original).into_iter().map(|case| (case, original.clone())))
        .collect();
    assert!(all.len() > 500, "{} lies", all.len());
    let heard: Vec<&str> = originals.iter().map(|original| original.operation.as_str()).collect();
    for operation in [
        "GetCallerIdentity",
        "DescribeStacks",
        "GetFunction",
        "GetPolicy",
        "GetApplication",
        "DescribeSecret",
        "ListSecrets",
    ] {
        assert!(heard.contains(&operation), "{operation} isn't called any more");
    }
    let figures = side_by_side(chosen(all, most, ALWAYS_TO_PLANS), 2, |own, (case, original), figures| {
        let world = own.get_or_insert_with(World::applied);
        // Each world has its own identifiers: the answer is made anew where it differs.
        let lie = told(&case, &original);
        let ended = world.through(Some(lie), &["plan", "--detailed-exitcode"]);
        let wrong = judge_plan(&case, &original, &ended);
        let wrong = wrong.or_else(|| (world.proxy.lies_told() == 0).then(|| "the lie was never told".to_owned()));
        figures.lock().unwrap_or_else(PoisonError::into_inner).add(&case, &ended, wrong);
    });
    figures.finish(name, began);
}

/// The same lie about another world's answer: made when it is told, so that all else in the answer is true there.
fn told(case: &Case, original: &Answer) -> Lie {
    let (operation, what, fixed) = (case.operation.clone(), case.what.clone(), case.body.clone());
    let name = |answer: &Answer| {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        value["Name"].as_str().map(str::to_owned)
    };
    let subject = name(original);
    let shape = original.content_type.clone();
    Arc::new(move |answer: &Answer, _| {
        if answer.operation != operation
            || answer.status >= 300
            || name(answer) != subject
            || answer.content_type != shape
        {
            return None;
        }
        // Each world has its own identifiers: all else in the answer is true there.
        let here = lies::about(answer).into_iter().find(|case| case.what == what);
        Some(answer.with(here.map_or_else(|| fixed.clone(), |case| case.body)))
    })
}

/// Lies about everything that an apply reads once it has begun to write.
fn applies(most: usize, name: &str) {
    let began = Instant::now();
    let world = World::new();
    world.through(None, &["apply", "--auto-approve", "--allow-simulated"]).sound().exits(0);
    let heard = world.proxy.heard();
    let first = heard.iter().position(|answer| answer.operation == "CreateCloudFormationChangeSet").expect("a write");
    let originals = samples(&heard[first..]);
    let all: Vec<(Case, Answer)> = originals
        .iter()
        .flat_map(|original| lies::about(original).into_iter().map(|case| (case, original.clone())))
        .collect();
    assert!(all.len() > 300, "{} lies", all.len());
    let figures = side_by_side(chosen(all, most, ALWAYS_TO_APPLIES), 4, |_, (case, original), figures| {
        let world = World::new();
        let lie = told(&case, &original);
        let writing = std::sync::atomic::AtomicBool::new(false);
        let late: Lie = Arc::new(move |answer: &Answer, count| {
            let writes = answer.operation == "CreateCloudFormationChangeSet";
            let has_written = writing.fetch_or(writes, std::sync::atomic::Ordering::SeqCst) || writes;
            if has_written { lie(answer, count) } else { None }
        });
        let ended =
            world.through(Some(late), &["apply", "--auto-approve", "--allow-simulated", "--rotation-timeout", "5s"]);
        let wrong = judge_apply(&world, &ended);
        figures.lock().unwrap_or_else(PoisonError::into_inner).add(&case, &ended, wrong);
    });
    figures.finish(name, began);
}

/// Why an apply that was told a lie is wrong: it says that it is done, and it isn't; or the next one can't mend it.
fn judge_apply(world: &World, ended: &Ended) -> Option<String> {
    if let Some(breach) = ended.breach() {
        return Some(breach);
    }
    if ended.code == Some(0) {
        let truth = world.honest(&["plan", "--detailed-exitcode"]);
        return (truth.code != Some(0))
            .then(|| format!("it says that all is applied, and this isn't:\n{}", truth.shortened()));
    }
    let mended = world.honest(&["apply", "--auto-approve", "--allow-simulated"]);
    if mended.code != Some(0) {
        return Some(format!("the next apply doesn't mend it:\n{}", mended.shortened()));
    }
    let truth = world.honest(&["plan", "--detailed-exitcode"]);
    (truth.code != Some(0)).then(|| format!("the next apply doesn't converge:\n{}", truth.shortened()))
}

/// Without it, one odd answer could stop a plan, or have it say that nothing differs.
#[test]
fn a_sample_of_lies_to_plans() {
    plans(16, "a sample of lies to plans");
}

/// Without it, an apply could take an answer that it doesn't understand for a success, or wait for an hour.
#[test]
fn a_sample_of_lies_to_applies() {
    applies(2, "a sample of lies to applies");
}

/// Without it, only a sample of what AWS could answer would ever have been tried.
#[test]
#[ignore = "takes long: cargo test --test hostile -- --ignored --nocapture --test-threads 1"]
fn all_lies_to_plans() {
    plans(usize::MAX, "all lies to plans");
}

/// Without it, only a sample of what AWS could answer would ever have been tried.
#[test]
#[ignore = "takes long: cargo test --test hostile -- --ignored --nocapture --test-threads 1"]
fn all_lies_to_applies() {
    applies(usize::MAX, "all lies to applies");
}

/// Without it, a list that never ends would hold a pipeline until it is killed.
#[test]
fn pages_without_an_end_end() {
    let world = World::applied();
    for operation in ["ListSecrets", "DescribeStacks"] {
        for (what, repeats, empty) in [
            ("one token for ever", 1, false),
            ("two tokens in turn", 2, false),
            ("new tokens and nothing", usize::MAX, true),
        ] {
            // The sandbox refuses tokens that it didn't give: its first page stands for all.
            let first: Mutex<Option<Answer>> = Mutex::new(None);
            let lie: Lie = Arc::new(move |answer: &Answer, number| {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = (answer.operation == operation).then(|| first.get_or_insert_with(|| answer.clone()))?;
                Some(answer.with(paged(answer, &format!("t{}", number % repeats), empty)))
            });
            let ended = world.through(Some(lie), &["plan", "--detailed-exitcode"]).sound();
            assert!(world.proxy.lies_told() < 1_000, "{operation}, {what}: {} pages", world.proxy.lies_told());
            assert!(ended.all().contains(operation), "{operation}, {what}: {}", ended.shortened());
        }
    }
}

/// An answer of a list, as a page that says that another follows.
fn paged(answer: &Answer, token: &str, empty: bool) -> Vec<u8> {
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        value["NextToken"] = json!(token);
        if empty {
            value["SecretList"] = json!([]);
        }
        return value.to_string().into_bytes();
    }
    let text = String::from_utf8_lossy(&answer.body);
    let list = if empty {
        let (begin, end) = (text.find("<Stacks>").unwrap_or(0), text.find("</Stacks>").unwrap_or(0));
        format!("{}{}", &text[..begin + "<Stacks>".len()], &text[end..])
    } else {
        text.into_owned()
    };
    list.replace("</DescribeStacksResult>", &format!("<NextToken>{token}</NextToken></DescribeStacksResult>"))
        .into_bytes()
}

/// Without it, anyone who can name a secret or tag a stack could write to the terminals of those who plan.
#[test]
fn escapes_in_every_text_of_every_answer_stay_harmless() {
    let world = World::applied();
    let lie: Lie = Arc::new(|answer: &Answer, _| {
        let mut value: Value = serde_json::from_slice(&answer.body).ok()?;
        poison(&mut value);
        Some(answer.with(value.to_string().into_bytes()))
    });
    for format in ["text", "markdown", "json"] {
        let ended = world.through(Some(lie.clone()), &["plan", "--detailed-exitcode", "--format", format]).sound();
        assert_ne!(ended.code, Some(0), "{}", ended.shortened());
    }
}

fn poison(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(ESCAPES),
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(members) => members.values_mut().for_each(poison),
        _ => {}
    }
}
