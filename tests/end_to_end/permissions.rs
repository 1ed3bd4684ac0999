//! The README's tables of permissions against what the program calls.

use std::collections::BTreeSet;

use super::support::{ACCOUNT, Output, REGION, World, repository};

/// What AWS asks for beside the calls themselves: what a stack does in its caller's name, what a call checks besides, and what
/// the sandbox has nothing of.
const BESIDE: [&str; 23] = [
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "kms:Decrypt",
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:GetLayerVersion",
    "lambda:InvokeFunction",
    "lambda:ListTags",
    "lambda:TagResource",
    "lambda:UntagResource",
    "s3:GetObject",
    "s3:GetObjectVersion",
];

/// The one call that needs no permission.
const FREE: &str = "sts:GetCallerIdentity";

/// The actions of the README's tables: those of planning, and those that applying adds.
fn listed() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let section = text.split("## What AWS must allow").nth(1).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let (plan, apply) = section.split_once("`apply` (`apply_role`) needs all that").expect("two tables");
    (actions(plan), actions(apply))
}

/// The actions in a table's first column: a name without a service belongs to the one before it.
fn actions(table: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let mut service = String::new();
        for name in line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2) {
            let (named, action) = name.split_once(':').unwrap_or(("", name));
            if !named.is_empty() {
                named.clone_into(&mut service);
            }
            found.insert(format!("{service}:{action}"));
        }
    }
    found
}

/// The actions that the program has called since a moment of the log.
fn called(world: &World) -> BTreeSet<String> {
    world.tool_calls().into_iter().filter(|action| action != FREE).collect()
}

fn manifest(version: &str, exclude: &str, more: &str) -> String {
    format!(
        "version: 1
project: permissions
defaults: {{secrets: {{rotation: {{automatically_after_days: 30}}}}}}
targets:
  here: {{region: {REGION}, account: '{ACCOUNT}', role: 'arn:aws:iam::{ACCOUNT}:role/reads', apply_role: 'arn:aws:iam::{ACCOUNT}:role/writes'}}
functions:
  SecretsManagerOne:
    application: {{version: {version}, parameters: {{excludeCharacters: '{exclude}'}}}}
    code: code
    timeout: 40
{more}"
    )
}

/// Without it, the tables would lack what the program has begun to call, and nobody would see before a role is refused; or list
/// what it doesn't need, and roles would be given too much.
#[test]
fn the_readme_lists_what_is_called_and_nothing_else() {
    let world = World::new();
    for name in ["one", "two", "bad"] {
        world.create_secret(name, "first");
    }
    world.write_signing_key("code/lambda_function.py");
    let secrets = "secrets: {one: {function: SecretsManagerOne}, two: {function: SecretsManagerOne}}\n";
    let run = |arguments: &[&str]| -> Output { world.rotator(arguments) };

    // Planning, in all of its ways, where there is nothing yet, and where everything is.
    world.write("rotator.yaml", &manifest("1.1.500", "/@", secrets));
    run(&["plan", "--out", "first.plan"]).exits(0);
    run(&["plan", "--destroy"]).exits(0);
    let mut planned = called(&world);
    assert!(!planned.is_empty());

    // What says of itself that it works offline calls nothing: it is safe to run on anybody's pull request.
    let before = world.calls().len();
    for offline in [
        &["validate"][..],
        &["show", "first.plan"],
        &["explain", "secret.one"],
        &["schedule"],
        &["schema"],
        &["completions", "bash"],
        &["man"],
    ] {
        run(offline).exits(0);
    }
    run(&["diff"]);
    assert_eq!(world.calls().len(), before, "an offline command called AWS");

    // Deployed; then other code, configuration, parameters, version and rules; the code of somebody else is compared file by file.
    run(&["apply", "first.plan"]).exits(0);
    // Somebody lets another account in instead: that statement goes before ours comes back.
    let function = ["--function-name", "SecretsManagerOne", "--statement-id", "SecretsManagerAccess"];
    world.aws(&[&["lambda", "remove-permission"], &function[..]].concat());
    let other = ["--principal", "secretsmanager.amazonaws.com", "--source-account", "999999999999"];
    let action = ["--action", "lambda:InvokeFunction"];
    world.aws(&[&["lambda", "add-permission"], &function[..], &other[..], &action[..]].concat());
    run(&["apply", "--auto-approve"]).exits(0);
    world.write("code/more.py", "# another file\n");
    let second = secrets.replace(
        "two: {function: SecretsManagerOne}",
        "two: {function: SecretsManagerOne, rotation: {enabled: false}}",
    );
    world.write("rotator.yaml", &manifest("1.1.618", "/@\"", &second));
    let before = world.tool_calls().len();
    run(&["plan", "--prune"]).exits(0);
    planned.extend(world.tool_calls().split_off(before).into_iter().filter(|action| action != FREE));
    run(&["apply", "--auto-approve"]).exits(0);

    // The project has another name now: the stack's tags change, and nothing else. A change set with nothing in it is deleted first.
    let renamed = |text: String| text.replace("project: permissions", "project: renamed\nrenamed_from: permissions");
    world.write("rotator.yaml", &renamed(manifest("1.1.618", "/@\"", &second)));
    let empty = "<DescribeChangeSetResponse><DescribeChangeSetResult><ChangeSetId>x</ChangeSetId><Status>FAILED</Status>\
                 <StatusReason>No updates are to be performed.</StatusReason></DescribeChangeSetResult></DescribeChangeSetResponse>";
    let rule = serde_json::json!({"service": "cloudformation", "operation": "DescribeChangeSet", "times": 1,
        "answer": {"status": 200, "content_type": "text/xml", "body": empty}});
    world.fault(&rule.to_string());
    run(&["apply", "--auto-approve"]);
    run(&["apply", "--auto-approve"]).exits(0);

    // A function that fails, whose log is asked for; and a stack that fails, whose reason is.
    let failing = "  SecretsManagerBad: {code: bad}
  SecretsManagerNet: {vpc: {subnets: [subnet-invalid1], security_groups: [sg-1234]}}
secrets: {one: {function: SecretsManagerOne}, bad: {function: SecretsManagerBad}}
";
    world.write("bad/lambda_function.py", "def lambda_handler(event, context):\n    raise RuntimeError('no')\n");
    world.write("rotator.yaml", &renamed(manifest("1.1.618", "/@\"", failing)));
    super::support::prepare_runtime();
    run(&["apply", "--auto-approve", "--prune", "--rotation-timeout", "3s", "--show-function-logs"]).exits(1);
    let before = world.tool_calls().len();
    run(&["plan"]).exits(0);
    planned.extend(world.tool_calls().split_off(before).into_iter().filter(|action| action != FREE));

    // Everything goes.
    run(&["destroy", "--auto-approve", "--target", "here"]).exits(0);

    let (plan_lists, apply_lists) = listed();
    let missing: Vec<_> = planned.difference(&plan_lists).collect();
    assert!(missing.is_empty(), "planning calls what the README's first table lacks: {missing:?}");
    let beside: BTreeSet<String> = BESIDE.map(str::to_owned).into();
    let all: BTreeSet<String> = plan_lists.union(&apply_lists).cloned().collect();
    let called = called(&world);
    let missing: Vec<_> = called.difference(&all).collect();
    assert!(missing.is_empty(), "applying calls what the README's tables lack: {missing:?}");
    let unused: Vec<_> = all.difference(&called).filter(|action| !beside.contains(*action)).collect();
    assert!(unused.is_empty(), "the README's tables list what is never called: {unused:?}");
    let twice: Vec<_> = plan_lists.intersection(&apply_lists).collect();
    assert!(twice.is_empty() || twice == ["sts:AssumeRole"], "{twice:?} stands in both tables");
}

/// Without it, a role that may only read could turn out to be too little for a plan, or be given a write by mistake.
#[test]
fn a_plan_calls_nothing_that_writes() {
    let (plan, _) = listed();
    for action in &plan {
        let name = action.split_once(':').map_or(action.as_str(), |(_, name)| name);
        let reads = ["Describe", "Get", "List"].iter().any(|start| name.starts_with(start));
        assert!(reads || ["sts:AssumeRole", "kms:Decrypt"].contains(&action.as_str()), "{action} is no reading");
        assert!(!name.contains("SecretValue"), "{action} returns a value");
    }
}
