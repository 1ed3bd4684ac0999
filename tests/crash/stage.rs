//! A sandbox of its own for each attempt, inside this process: started from a saved state, with calls that can be held.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rotator::sandbox::cloudformation::state::ChangeSet;
use rotator::sandbox::cloudformation::status::{ExecutionStatus, StackStatus};
use rotator::sandbox::faults::{self, When};
use rotator::sandbox::lambda::state::Phase;
use rotator::sandbox::{self, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::support::{ACCOUNT, Output, REGION, rotator_binary, scrubbed};

/// Whose calls are held: `rotator`'s, and not those that a stack or a function makes.
pub const CALLER: &str = "AKIAFIRSTCALLER00000";

/// Another `rotator`, beside the first.
pub const OTHER: &str = "AKIAOTHERCALLER00000";

/// The longest that anything here may take: what takes longer hangs. Generous, since machines that test are busy.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often a state is looked at that somebody waits for.
const LOOK: Duration = Duration::from_millis(5);

/// One call of many: the k-th of its operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub service: &'static str,
    pub operation: String,
    /// From 1.
    pub nth: u32,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.service, self.operation, self.nth)
    }
}

impl Call {
    /// Whether it only looks.
    pub fn only_reads(&self) -> bool {
        ["Get", "Describe", "List", "Filter"].iter().any(|verb| self.operation.starts_with(verb))
    }
}

/// The state that attempts start from.
#[derive(Debug)]
pub struct Saved {
    pub folder: tempfile::TempDir,
}

impl Saved {
    fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }
}

/// A running sandbox, and the folder of manifests that `rotator` works in.
pub struct Stage {
    pub sandbox: Sandbox,
    manifests: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    /// An empty sandbox, or one that goes on from a saved state.
    pub async fn open(manifests: &Path, from: Option<&Saved>, time_scale: f64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("state.json");
        if let Some(from) = from {
            std::fs::copy(from.state(), &state).expect("the state can be copied");
        }
        let options = Options { state_file: Some(state), time_scale, ..Options::default() };
        let sandbox = sandbox::start(options).await.expect("the sandbox starts");
        Self { sandbox, manifests: manifests.to_owned(), folder }
    }

    /// Ends the sandbox and keeps its state.
    pub async fn close(self) -> Saved {
        self.at_rest().await;
        self.sandbox.shutdown().await.expect("the state is saved");
        Saved { folder: self.folder }
    }

    /// A path for what belongs to this attempt alone.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, caller: &str, arguments: &[&str]) -> Command {
        let mut command = scrubbed(rotator_binary());
        command
            .env("AWS_ENDPOINT_URL", self.sandbox.url())
            .env("AWS_ACCESS_KEY_ID", caller)
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_REGION", REGION)
            .current_dir(&self.manifests)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// Runs `rotator` to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        ended(self.start(CALLER, arguments)).await
    }

    /// Starts `rotator`, and doesn't wait for it.
    pub fn start(&self, caller: &str, arguments: &[&str]) -> Child {
        self.command(caller, arguments).spawn().expect("rotator starts")
    }

    /// Holds one call of the first caller: before it has its effect, or once it has had it.
    pub fn hold(&self, call: &Call, when: When) {
        let when = if when == When::After { "after" } else { "before" };
        let rule = json!([{
            "service": call.service, "operation": call.operation, "caller": CALLER,
            "skip": call.nth - 1, "times": 1, "delay_ms": 3_600_000, "when": when,
        }]);
        self.script(&rule.to_string());
    }

    /// Lets held calls go on.
    pub fn let_go(&self) {
        self.script("[]");
    }

    pub fn script(&self, rules: &str) {
        self.sandbox.shared().script(faults::parse(rules).expect("a script"));
    }

    /// Waits until a call is held; false where the program ended before.
    pub async fn holds(&self, program: &mut Child) -> bool {
        let begun = self.answered().len();
        let held = || {
            if self.sandbox.shared().faults().waiting() > 0 {
                return Some(true);
            }
            program.try_wait().expect("a child").map(|_| false)
        };
        let calls = || {
            let calls: Vec<String> =
                self.answered()[begun..].iter().map(|(call, status)| format!("{call}: {status}")).collect();
            format!("a call that is held; since then there were {}", calls.join(", "))
        };
        until(calls, held).await
    }

    /// Kills a program with SIGKILL, and waits until the sandbox has given up the call that it holds for it: it never has its effect
    /// from then on.
    pub async fn kill(&self, program: &mut Child) {
        program.kill().await.expect("it is killed");
        until(
            || "the end of a call whose client is gone".to_owned(),
            || (self.sandbox.shared().faults().waiting() == 0).then_some(()),
        )
        .await;
    }

    /// The calls so far that came to an answer, and how they ended.
    pub fn answered(&self) -> Vec<(Call, u16)> {
        let mut seen: BTreeMap<(&'static str, String), u32> = BTreeMap::new();
        let entries = self.sandbox.shared().calls().entries();
        let call = |entry: rotator::sandbox::calls::Entry| {
            let nth = seen.entry((entry.service, entry.operation.clone())).or_default();
            *nth += 1;
            (Call { service: entry.service, operation: entry.operation, nth: *nth }, entry.status)
        };
        entries.into_iter().map(call).collect()
    }

    /// The calls since this was last asked that came to an answer.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.answered().into_iter().map(|(call, _)| call).collect();
        self.sandbox.shared().calls().clear();
        calls
    }

    /// Waits until nothing is under way on AWS any more.
    pub async fn at_rest(&self) {
        until(
            || "the end of all that is under way".to_owned(),
            || {
                let world = self.sandbox.shared().world();
                let region = world.find(ACCOUNT, REGION)?;
                let stacks = region.stacks.stacks.values().all(|stack| stack.operation.is_none());
                let sets = region.stacks.change_sets.values();
                let sets = sets.map(|set| set.status.as_str()).all(|status| !status.ends_with("_IN_PROGRESS"));
                let functions = region.functions.functions.values().all(|one| one.latest.phase == Phase::Active);
                let rotations = region
                    .secrets
                    .iter()
                    .all(|one| one.rotation.as_ref().is_none_or(|rotation| rotation.run.is_none()));
                (stacks && sets && functions && rotations).then_some(())
            },
        )
        .await;
    }

    /// All that AWS holds, without what differs between any two runs: ids and dates.
    pub fn world(&self) -> Value {
        let world = self.sandbox.shared().world();
        let region = world.find(ACCOUNT, REGION).cloned().unwrap_or_default();
        drop(world);
        let living = region.stacks.stacks.values().filter(|stack| stack.status != StackStatus::DeleteComplete);
        let stacks: BTreeMap<String, Value> = living
            .map(|stack| {
                let definition = serde_json::to_value(&stack.definition).expect("JSON");
                let sets = region.stacks.change_sets_of(&stack.id);
                // Those that ran, or that a later one has overtaken, CloudFormation clears away by itself.
                let left = |set: &&&ChangeSet| {
                    matches!(set.execution, ExecutionStatus::Available | ExecutionStatus::Unavailable)
                };
                let sets = sets.iter().filter(left).count();
                let known = json!({
                    "status": stack.status.to_string(), "made from": definition, "acknowledged": stack.capabilities,
                    "change sets left": sets,
                });
                (stack.name.clone(), known)
            })
            .collect();
        let functions: BTreeMap<&String, Value> = region
            .functions
            .functions
            .values()
            .map(|one| {
                let statements: BTreeMap<&String, Value> = one
                    .policies
                    .values()
                    .flat_map(|policy| &policy.statements)
                    .map(|statement| (&statement.sid, serde_json::to_value(statement).expect("JSON")))
                    .collect();
                let mut settings = serde_json::to_value(&one.latest.settings).expect("JSON");
                settings["role"] = without_end(settings["role"].as_str().unwrap_or_default()).into();
                let known = json!({
                    "settings": settings, "code": one.latest.code.sha256(), "tags": tags(&one.tags),
                    "policy": statements.values().map(without_ids).collect::<Vec<_>>(),
                });
                (&one.name, known)
            })
            .collect();
        let secrets: BTreeMap<&String, Value> = region
            .secrets
            .iter()
            .map(|one| {
                let mut labels: Vec<&[String]> = one
                    .versions
                    .values()
                    .map(|version| &version.stages[..])
                    .filter(|stages| !stages.is_empty())
                    .collect();
                labels.sort();
                let labels: Vec<Vec<String>> =
                    labels.into_iter().map(|stages| stages.iter().map(|label| undated(label)).collect()).collect();
                let rotation = one.rotation.as_ref();
                let known = json!({
                    "on": rotation.map(|rotation| rotation.enabled),
                    "function": rotation.and_then(|rotation| rotation.function.clone()),
                    "rules": rotation.map(|rotation| &rotation.rules),
                    "deleted": one.deleted.is_some(),
                    "versions": one.versions.len(), "labels": labels,
                });
                (&one.name, known)
            })
            .collect();
        json!({"stacks": stacks, "functions": functions, "secrets": secrets})
    }
}

/// The tags of a function, without the stack's id.
fn tags(all: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    all.iter().filter(|(name, _)| *name != "aws:cloudformation:stack-id").collect()
}

/// A statement, without what is made up in its id.
fn without_ids(statement: &Value) -> Value {
    let mut statement = statement.clone();
    statement["Sid"] = without_end(statement["Sid"].as_str().unwrap_or_default()).into();
    statement
}

/// A label, without the day on which `repair drop` put it there.
fn undated(label: &str) -> String {
    match label.strip_prefix("rotator-dropped-").and_then(|date| date.split_at_checked("2026-11-30".len())) {
        Some((_, end)) => format!("rotator-dropped-DATE{end}"),
        None => label.to_owned(),
    }
}

/// A name without the made-up end that a stack gave it.
fn without_end(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((start, _)) if name.contains("serverlessrepo-") => start,
        _ => name,
    }
}

/// What a program has printed that has ended, or was killed.
pub async fn printed(program: &mut Child) -> String {
    let mut text = String::new();
    let output = program.stdout.as_mut().expect("its output is a pipe");
    output.read_to_string(&mut text).await.expect("UTF-8");
    text
}

/// Waits for a program's end.
pub async fn ended(program: Child) -> Output {
    let output = tokio::time::timeout(PATIENCE, program.wait_with_output()).await.expect("rotator hangs");
    let output = output.expect("a child's output");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Looks until something is so.
async fn until<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {}", what());
        tokio::time::sleep(LOOK).await;
    }
}

/// What differs between two worlds, line by line.
pub fn difference(expected: &Value, found: &Value) -> Option<String> {
    if expected == found {
        return None;
    }
    let text = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    let (expected, found) = (text(expected), text(found));
    let lines = similar::TextDiff::from_lines(&expected, &found);
    Some(lines.unified_diff().context_radius(6).header("undisturbed", "here").to_string())
}
