//! One case: a scene, a call of it, and what goes wrong there; run to its end, and judged.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use super::aws::{ACCOUNT, Aws, KEY, REGION, SECRET, VARIABLE};
use super::faults::{Fault, Passing};
use super::scenes::Scene;

/// How long one command may take: whatever goes wrong, it ends before.
const BOUND: Duration = Duration::from_mins(5);

/// How often each call is tried; by the variable that AWS's own clients read too.
const ATTEMPTS: &str = "3";

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    /// It took too long, and was ended.
    pub hung: bool,
}

impl Ended {
    /// All that it printed.
    pub fn all(&self) -> String {
        format!("exit {} after {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.took, self.stdout, self.stderr)
    }

    /// Both streams.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// The lines that say that something went wrong, as a person reads them.
    pub fn complaints(&self) -> Vec<String> {
        let text = self.text();
        let starts = |line: &&str| ["error:", "failed:"].iter().any(|word| line.trim_start().starts_with(word));
        text.lines().filter(starts).map(str::to_owned).collect()
    }
}

/// Runs the binary against a sandbox, with nothing of the tester's environment.
pub async fn rotator(aws: &Aws, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let other = std::env::var_os("FAULTS_BINARY");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_rotator").into()));
    command.env_clear();
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", "/nonexistent")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", KEY)
        .env("AWS_REGION", REGION)
        .env("AWS_MAX_ATTEMPTS", ATTEMPTS)
        .envs(variables.iter().copied().filter(|(_, value)| !value.is_empty()));
    for (name, _) in variables.iter().filter(|(_, value)| value.is_empty()) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    let began = Instant::now();
    let child = command.spawn().expect("rotator starts");
    match tokio::time::timeout(BOUND, child.wait_with_output()).await {
        Ok(output) => {
            let output = output.expect("rotator ends");
            Ended {
                code: output.status.code().unwrap_or(-1),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                took: began.elapsed(),
                hung: false,
            }
        }
        Err(_) => Ended { code: -1, stdout: String::new(), stderr: String::new(), took: began.elapsed(), hung: true },
    }
}

/// How often a fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Often {
    Once,
    ForEver,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Which scene.
    pub scene: usize,
    /// `service.Operation`.
    pub operation: String,
    /// So many calls of it pass first.
    pub skip: usize,
    pub fault: Fault,
    pub often: Often,
    /// Its name, by which it is repeated.
    pub name: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The run ended as if nothing had been.
    Passed,
    /// It ended with a message, and the next one converged.
    Told,
    /// The call that was to be hit wasn't made.
    Missed,
    /// Something is wrong.
    Wrong(Vec<String>),
}

/// A case's verdict, and what was seen.
#[derive(Debug, Clone)]
pub struct Result {
    pub case: Case,
    pub verdict: Verdict,
    pub first: Ended,
    pub later: Vec<Ended>,
}

impl Case {
    /// The sandbox's rule.
    fn rule(&self) -> Value {
        let (service, operation) = self.operation.split_once('.').expect("service.Operation");
        let mut rule = self.fault.rule.clone();
        rule["service"] = service.into();
        rule["operation"] = operation.into();
        rule["skip"] = self.skip.into();
        if operation.starts_with("Update") && rule["when"] != "unread" {
            // What stacks ask Lambda for is theirs; the tool's own edits are conditional.
            rule["match"] = "RevisionId".into();
        }
        if self.often == Often::Once {
            rule["times"] = 1.into();
        }
        rule
    }

    /// Runs it and judges.
    pub async fn run(&self, scene: &Scene) -> Result {
        let aws = Aws::start(&scene.world).await;
        let mut rules = vec![self.rule()];
        rules.extend(scene.rules.iter().cloned());
        aws.script(&rules);
        let first = rotator(&aws, &scene.folder, scene.command, &[]).await;
        let hit = aws.hits().first().is_some_and(|hits| *hits > 0);
        let mut wrong = outlook(&first);
        if hit {
            wrong.extend(self.judge(scene, &first));
        }
        aws.script(&[]);
        let mut later = Vec::new();
        // A run that says that all is done is held to it; any other is run again.
        if first.code != 0 {
            let again = rotator(&aws, &scene.folder, &scene.next(&first), &[]).await;
            wrong.extend(outlook(&again));
            if !scene.may_end(&again) {
                wrong.push(format!("the next run doesn't converge: exit {}", again.code));
            }
            later.push(again);
        }
        let checked = rotator(&aws, &scene.folder, scene.check, &[]).await;
        if checked.code != scene.checked || (scene.checked == 0 && !checked.stdout.contains("No changes.")) {
            wrong.push(format!("something is left to do: exit {}", checked.code));
        }
        later.push(checked);
        aws.settled().await;
        let end = aws.world().digest();
        if end != scene.end {
            wrong.extend(differences("", &scene.end, &end));
        }
        aws.end().await;
        let verdict = match (wrong.is_empty(), hit, first.code == scene.first) {
            (false, ..) => Verdict::Wrong(wrong),
            (true, false, _) => Verdict::Missed,
            (true, true, true) => Verdict::Passed,
            (true, true, false) => Verdict::Told,
        };
        Result { case: self.clone(), verdict, first, later }
    }

    /// What must hold for the run that was disturbed.
    fn judge(&self, scene: &Scene, first: &Ended) -> Vec<String> {
        let mut wrong = Vec::new();
        let text = first.text();
        if first.code == scene.first {
            return wrong;
        }
        if first.code == 0 {
            wrong.push("it is said to be done, and can't be".to_owned());
        }
        if self.often == Often::Once && self.fault.passing == Passing::Always {
            wrong.push("it isn't tried again".to_owned());
        }
        let told = &self.fault.told;
        let lower = text.to_lowercase();
        if !told.is_empty() && !told.iter().any(|word| lower.contains(&word.to_lowercase())) {
            wrong.push(format!("the message lacks {}", told.join(", or ")));
        }
        let operation = self.operation.split_once('.').map_or("", |(_, operation)| operation);
        if !self.fault.absent && !text.contains(operation) {
            wrong.push(format!("the message doesn't name {operation}"));
        }
        if first.complaints().is_empty() {
            wrong.push("no line begins with `error:` or `failed:`".to_owned());
        }
        wrong
    }
}

/// What holds for every run whatever happens.
fn outlook(ended: &Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = ended.text();
    if ended.hung {
        wrong.push(format!("it hangs: not done after {:?}", ended.took));
    } else if !matches!(ended.code, 0 | 1 | 4) {
        wrong.push(format!("exit {} means something else", ended.code));
    }
    for word in ["panicked", "this is a bug", "RUST_BACKTRACE"] {
        if text.contains(word) {
            wrong.push(format!("it says `{word}`"));
        }
    }
    for canary in [SECRET, VARIABLE, KEY] {
        if text.contains(canary) {
            wrong.push(format!("it shows {canary}"));
        }
    }
    wrong
}

/// Where two values differ.
fn differences(path: &str, wanted: &Value, found: &Value) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
            names.sort();
            names.dedup();
            let at = |map: &serde_json::Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
            names
                .into_iter()
                .flat_map(|name| differences(&format!("{path}/{name}"), &at(wanted, name), &at(found, name)))
                .collect()
        }
        _ if wanted == found => Vec::new(),
        _ => vec![format!("left at {path}: {found} instead of {wanted}")],
    }
}
