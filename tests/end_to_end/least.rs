//! The policies that `rotator permissions` prints are enough, and nothing in them is too much: each command runs under its own alone, and
//! with any action left out, something is said that names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::{ACCOUNT, Output, REGION, World};

/// How many actions a plain run leaves out, one by one.
const SAMPLE: usize = 6;

/// What is printed for a phase and no step asks for, and why.
const NEVER_ASKED: [(&str, &str, &str); 10] = [
    ("apply", "lambda:GetResourcePolicy", "the sandbox has no policies that were written as a whole"),
    ("destroy", "cloudformation:DescribeStackEvents", "no stack that ends has failed"),
    ("destroy", "cloudformation:DescribeStackResources", "each stack names its function"),
    ("prune", "cloudformation:CreateChangeSet", "no step has `removed:`"),
    ("prune", "cloudformation:DescribeChangeSet", "no step has `removed:`"),
    ("prune", "cloudformation:DescribeEvents", "no step has `removed:`"),
    ("prune", "cloudformation:ExecuteChangeSet", "no step has `removed:`"),
    ("prune", "cloudformation:DeleteChangeSet", "no step has `removed:`"),
    ("prune", "cloudformation:DescribeStackEvents", "no stack that is pruned has failed"),
    ("prune", "cloudformation:DescribeStackResources", "each stack names its function"),
];

/// What a command does without, by phase (`""`: all), and how: with a warning or a note, or in silence where it isn't needed.
const DOES_WITHOUT: [(&str, &str, &str); 17] = [
    ("apply", "lambda:PublishVersion", "a warning says that old code isn't kept"),
    ("apply", "lambda:ListVersionsByFunction", "Lambda makes no second version of what didn't change"),
    ("import", "lambda:GetFunction", "the entry says that it couldn't be read"),
    ("import", "lambda:GetPolicy", "a function whose policy isn't known isn't adopted"),
    ("import", "cloudformation:DescribeStacks", "the report says that stacks aren't named"),
    ("", "lambda:ListTags", "whose a function is, is known by its stack"),
    ("", "logs:FilterLogEvents", "a test is unverified then"),
    ("", "secretsmanager:ListSecrets", "orphans aren't looked for"),
    ("", "secretsmanager:ListSecretVersionIds", "since when a version is pending isn't known"),
    ("", "cloudformation:ListStacks", "stacks are looked up by name"),
    ("", "cloudformation:DescribeStackEvents", "it only explains"),
    ("", "cloudformation:DescribeEvents", "it only explains"),
    ("destroy", "lambda:GetPolicy", "it is read with the rest, and nothing hangs on it"),
    ("rotate", "lambda:GetFunction", "what keeps a function from rotating isn't foreseen"),
    ("rotate", "lambda:GetPolicy", "what keeps a function from rotating isn't foreseen"),
    ("repair", "lambda:GetPolicy", "it is read with the rest, and nothing hangs on it"),
    ("destroy", "serverlessrepo:GetApplication", "it is read with the rest, and nothing hangs on it"),
];

/// A command in the course.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    phases: &'static [&'static str],
    manifest: String,
    code: i32,
    before: fn(&World),
    /// Whether the next step goes on from here.
    keep: bool,
}

fn step(
    name: &'static str,
    arguments: &'static [&'static str],
    phases: &'static [&'static str],
    manifest: String,
    code: i32,
) -> Step {
    Step { name, arguments, phases, manifest, code, before: nothing, keep: true }
}

fn manifest(version: &str, head: &str, more: &str) -> String {
    format!(
        "version: 1
project: least
defaults: {{secrets: {{rotation: {{automatically_after_days: 30}}}}}}
targets:
  here: {{region: {REGION}, account: '{ACCOUNT}'{head}}}
functions:
  SecretsManagerOne:
    application: {{version: {version}, parameters: {{excludeCharacters: '/@'}}}}
    code: code
    timeout: 40
{more}"
    )
}

fn nothing(_: &World) {}

/// Somebody lets another account in, in the place of ours.
fn foreign_permission(world: &World) {
    let function = ["--function-name", "SecretsManagerOne", "--statement-id", "SecretsManagerAccess"];
    world.aws(&[&["lambda", "remove-permission"], &function[..]].concat());
    let other = ["--principal", "secretsmanager.amazonaws.com", "--source-account", "999999999999"];
    world.aws(
        &[&["lambda", "add-permission"], &function[..], &other[..], &["--action", "lambda:InvokeFunction"]].concat(),
    );
}

/// Other code.
fn other_code(world: &World) {
    world.write("code/more.py", "# another file\n");
}

/// The permission of the next stack can't be made: the stack is rolled back.
fn no_permission(world: &World) {
    let rule = json!({"service": "lambda", "operation": "AddPermission", "match": "cloudformation.amazonaws.com", "times": 1,
        "error": {"code": "ServiceException", "status": 500, "message": "no"}});
    world.fault(&rule.to_string());
}

/// Code that fails, deployed.
fn broken_code(world: &World) {
    world.write("code/lambda_function.py", "def lambda_handler(event, context):\n    raise RuntimeError('no')\n");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
}

/// A rotation that hasn't finished.
fn pending_version(world: &World) {
    let pending = ["--secret-string", "next", "--version-stages", "AWSPENDING"];
    world.aws(&[&["secretsmanager", "put-secret-value", "--secret-id", "one"], &pending[..]].concat());
}

/// A rotation that is stuck: with a value that the function's test refuses.
fn stuck_version(world: &World) {
    pending_version(world);
    world.advance_days(1);
}

/// A change set that is refused.
fn refused_change_set(world: &World) {
    let body = "<DescribeChangeSetResponse><DescribeChangeSetResult><ChangeSetId>x</ChangeSetId><Status>FAILED</Status>\
                <StatusReason>a validation failed</StatusReason></DescribeChangeSetResult></DescribeChangeSetResponse>";
    let rule = json!({"service": "cloudformation", "operation": "DescribeChangeSet", "times": 1,
        "answer": {"status": 200, "content_type": "text/xml", "body": body}});
    world.fault(&rule.to_string());
}

fn steps() -> Vec<Step> {
    const APPLY: &[&str] = &["apply", "--auto-approve"];
    let secrets = "secrets: {one: {function: SecretsManagerOne}, two: {function: SecretsManagerOne, rotation: {rotate_immediately: false}}}\n";
    let off = "    role: {read_secrets: [admin]}
secrets: {one: {function: SecretsManagerOne}, two: {function: SecretsManagerOne, rotation: {enabled: false}}}\n";
    let net = "    role: {read_secrets: [admin]}
  SecretsManagerNet: {code: code, vpc: {subnets: [subnet-1], security_groups: [sg-1234]}}
secrets: {one: {function: SecretsManagerOne}, three: {function: SecretsManagerNet}}\n";
    let role = format!(", role: 'arn:aws:iam::{ACCOUNT}:role/reads', apply_role: 'arn:aws:iam::{ACCOUNT}:role/writes'");
    let first = vec![
        step("a first plan", &["plan"], &["plan"], manifest("1.1.500", "", secrets), 0),
        step("a first plan by a role", &["plan"], &["plan-caller", "plan"], manifest("1.1.500", &role, secrets), 0),
        step("a first apply", APPLY, &["apply"], manifest("1.1.500", "", secrets), 0),
        step("an empty plan", &["plan"], &["plan"], manifest("1.1.500", "", secrets), 0),
        step("an apply by roles", APPLY, &["apply-caller", "apply"], manifest("1.1.500", &role, secrets), 0),
        Step {
            before: foreign_permission,
            ..step("a permission anew", APPLY, &["apply"], manifest("1.1.500", "", secrets), 0)
        },
        Step {
            before: pending_version,
            keep: false,
            ..step("a status", &["status", "--all"], &["status"], manifest("1.1.500", "", secrets), 0)
        },
        step(
            "an import",
            &["import", "--adopt", "--dry-run"],
            &["import"],
            manifest("1.1.500", "", "secrets: {one: {function: SecretsManagerOne}}\n"),
            0,
        ),
    ];
    let later = vec![
        Step { before: other_code, ..step("an update", APPLY, &["apply"], manifest("1.1.618", "", off), 0) },
        Step {
            before: refused_change_set,
            keep: false,
            ..step("a refused change set", APPLY, &["apply"], manifest("1.1.618", "", off).replace("'/@'", "'/'"), 1)
        },
        Step {
            before: no_permission,
            ..step("a stack that fails", APPLY, &["apply"], manifest("1.1.618", "", net), 1)
        },
        step("a plan over a failed stack", &["plan"], &["plan"], manifest("1.1.618", "", net), 0),
        step("that stack anew", APPLY, &["apply"], manifest("1.1.618", "", net), 0),
        step("pruning", &["apply", "--auto-approve", "--prune"], &["apply", "prune"], manifest("1.1.618", "", off), 0),
        step(
            "the end",
            &["destroy", "--auto-approve", "--target", "here"],
            &["destroy"],
            manifest("1.1.618", "", off),
            0,
        ),
    ];
    first.into_iter().chain(rotations(&manifest("1.1.500", "", secrets))).chain(later).collect()
}

/// Rotating now, logs and ways out of what is stuck.
fn rotations(manifest: &str) -> Vec<Step> {
    const ROTATE: &[&str] = &["rotate", "--auto-approve"];
    const RESUME: &[&str] = &["rotate", "--auto-approve", "--resume", "01900000-0000-7000-8000-000000000000"];
    const PROMOTE: &[&str] = &["repair", "promote", "--auto-approve", "--secret", "one", "--confirm", "one"];
    const RETRY: &[&str] = &["repair", "retry", "--auto-approve", "--secret", "one"];
    let step = |name, arguments, phases, code| step(name, arguments, phases, manifest.to_owned(), code);
    let aside = |before: fn(&World), one| Step { before, keep: false, ..one };
    vec![
        step("a rotation", ROTATE, &["rotate"], 0),
        step("a rotation that goes on", RESUME, &["rotate"], 0),
        // How soon a rotation that succeeds has ended says whether its log is looked at; that of one that fails always is.
        aside(broken_code, step("a rotation that fails", ROTATE, &["rotate"], 4)),
        step("logs", &["logs"], &["logs"], 0),
        aside(stuck_version, step("a promotion", PROMOTE, &["repair"], 0)),
        aside(stuck_version, step("another try", RETRY, &["repair"], 4)),
    ]
}

/// A policy's statements, as the command prints them for some phases.
fn printed(world: &World, phases: &[&str]) -> Vec<Value> {
    let options = phases.iter().flat_map(|phase| ["--phase", phase]);
    let arguments: Vec<&str> = ["permissions", "--format", "json"].into_iter().chain(options).collect();
    let printed: Value = serde_json::from_str(&world.rotator(&arguments).exits(0).stdout).expect("JSON");
    let policies = printed["policies"].as_array().expect("policies").iter();
    let documents = policies.flat_map(|policy| policy["documents"].as_array().expect("documents"));
    documents.flat_map(|document| document["Statement"].as_array().expect("statements").clone()).collect()
}

fn actions(statements: &[Value]) -> BTreeSet<String> {
    let all = statements.iter().flat_map(|statement| statement["Action"].as_array().expect("actions"));
    all.map(|action| action.as_str().expect("a text").to_owned()).collect()
}

fn policy(statements: &[Value], without: Option<&str>) -> String {
    let mut statements = statements.to_vec();
    for statement in &mut statements {
        let actions = statement["Action"].as_array_mut().expect("actions");
        actions.retain(|action| action.as_str() != without);
    }
    statements.retain(|statement| statement["Action"].as_array().is_some_and(|actions| !actions.is_empty()));
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// Runs a step from a state, and answers with what it printed, and what was asked.
fn run(step: &Step, state: &Path, without: Option<&str>) -> (Output, BTreeSet<String>, BTreeSet<String>, Vec<String>) {
    let world = World::with(&["--state", state.to_str().expect("UTF-8"), "--time-scale", "0.1"]);
    world.write_signing_key("code/lambda_function.py");
    world.write("rotator.yaml", &step.manifest);
    (step.before)(&world);
    let own = actions(&printed(&world, &step.phases[step.phases.len() - 1..]));
    world.allow(&policy(&printed(&world, step.phases), without));
    let output = world.rotator(step.arguments);
    let asked = world.asked();
    let denied =
        asked.iter().filter(|(.., allowed)| !allowed).map(|(action, resource, _)| format!("{action} on {resource}"));
    let denied = denied.collect();
    (output, asked.into_iter().map(|(action, ..)| action).collect(), own, denied)
}

/// The course under the printed policies alone.
struct Course {
    folder: tempfile::TempDir,
    steps: Vec<Step>,
    /// What each step asked for.
    asked: Vec<BTreeSet<String>>,
    /// What each phase's policy allows.
    printed: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Course {
    fn state(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("state-{at}.json"))
    }

    fn copy(&self, at: usize, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        std::fs::copy(self.state(at), &copy).expect("a state");
        copy
    }

    fn run() -> Self {
        super::support::prepare_runtime();
        let mut course = Self {
            folder: tempfile::tempdir().expect("a folder"),
            steps: steps(),
            asked: Vec::new(),
            printed: BTreeMap::new(),
        };
        {
            let world = World::with(&["--state", course.state(0).to_str().expect("UTF-8")]);
            for name in ["one", "two", "three", "admin"] {
                world.create_secret(name, "first");
            }
        }
        for at in 0..course.steps.len() {
            let step = &course.steps[at];
            let copy = course.copy(at, "next.json");
            let (output, asked, statements, denied) = run(step, &copy, None);
            assert_eq!(output.code, step.code, "{}: {}\n{denied:?}", step.name, output.all());
            assert!(denied.is_empty(), "{}: its policy lacks {denied:?}", step.name);
            let phase = step.phases.last().expect("a phase");
            course.printed.entry(phase).or_default().extend(statements);
            course.asked.push(asked);
            let next = if step.keep { copy } else { course.state(at) };
            std::fs::copy(next, course.state(at + 1)).expect("a state");
        }
        course
    }

    /// The first step of a phase that asks for an action.
    fn first(&self, phase: &str, action: &str) -> Option<usize> {
        (0..self.steps.len())
            .find(|at| self.steps[*at].phases.last() == Some(&phase) && self.asked[*at].contains(action))
    }

    /// Runs the step that asks for an action without it, and where nothing is said then, the next one of the phase. What is wrong, if
    /// anything is.
    fn without(&self, phase: &str, action: &str) -> Option<String> {
        let first = self.first(phase, action)?;
        let state = self.copy(first, "without.json");
        let mut said = String::new();
        let later = (first + 1..self.steps.len()).find(|at| self.steps[*at].phases.last() == Some(&phase));
        for at in [Some(first), later].into_iter().flatten() {
            let step = &self.steps[at];
            let (output, _, _, denied) = run(step, &state, Some(action));
            let does_without =
                DOES_WITHOUT.iter().any(|(of, other, _)| (of.is_empty() || *of == phase) && *other == action);
            if output.stdout.contains(action) || output.stderr.contains(action) {
                let ended_well = output.code == 0 && !does_without;
                return ended_well.then(|| format!("{phase} without {action} ended with 0: {}", output.all()));
            }
            if does_without && output.code == step.code {
                return None;
            }
            let _ = writeln!(said, "{}: {}\ndenied: {denied:?}", step.name, output.all());
        }
        Some(format!("{phase} without {action} doesn't name it: {said}"))
    }

    fn check_all_asked(&self) {
        let mut idle = Vec::new();
        for (phase, printed) in &self.printed {
            let never = |action: &str| NEVER_ASKED.iter().any(|(of, other, _)| of == phase && *other == action);
            idle.extend(
                printed
                    .iter()
                    .filter(|action| !never(action) && self.first(phase, action).is_none())
                    .map(|action| (phase, action)),
            );
        }
        assert!(idle.is_empty(), "no step asks for these, which are printed: {idle:?}");
    }

    fn all(&self) -> Vec<(&'static str, String)> {
        let pairs =
            self.printed.iter().flat_map(|(phase, actions)| actions.iter().map(|action| (*phase, action.clone())));
        pairs.filter(|(phase, action)| self.first(phase, action).is_some()).collect()
    }

    fn check_without(&self, pairs: &[(&'static str, String)], which: &str) {
        let wrong: Vec<String> = pairs.iter().filter_map(|(phase, action)| self.without(phase, action)).collect();
        assert!(wrong.is_empty(), "{} of {} {which} are wrong:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
    }
}

/// Without it, a role with what is printed would be refused by AWS, be given what nothing asks for, or fail without a word on what it
/// lacks.
#[test]
fn each_command_runs_under_its_printed_policy_and_names_what_is_left_out() {
    let course = Course::run();
    course.check_all_asked();
    let mut pairs = course.all();
    let seed = std::env::var("ROTATOR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    fastrand::Rng::with_seed(seed).shuffle(&mut pairs);
    pairs.truncate(SAMPLE);
    course.check_without(&pairs, &format!("of ROTATOR_SEED={seed}"));
}

/// The whole of which the test above takes a sample.
#[test]
#[ignore = "minutes"]
fn every_action_left_out_is_named() {
    let course = Course::run();
    let pairs = course.all();
    course.check_without(&pairs, "of all");
}
