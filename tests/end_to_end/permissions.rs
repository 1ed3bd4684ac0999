//! The tables of permissions in `examples/README.md` against what the program calls.

use std::collections::{BTreeMap, BTreeSet};

use super::support::{ACCOUNT, Output, REGION, World, repository};

/// The one call that needs no permission.
const FREE: &str = "sts:GetCallerIdentity";

/// What stands in the second and third table of another resource, too.
const ON_SEVERAL: [&str; 3] = ["cloudformation:CreateChangeSet", "s3:GetObject", "sts:AssumeRole"];

/// What a resource type's handlers list for properties that no rotation function's stack sets.
const WITHOUT: [(&str, &str); 17] = [
    ("elasticfilesystem:DescribeMountTargets", "no file system"),
    ("iam:DeleteRolePermissionsBoundary", "no permissions boundary"),
    ("iam:PutRolePermissionsBoundary", "no permissions boundary"),
    ("iam:UpdateRoleDescription", "`iam:UpdateRole` has taken its place"),
    ("kms:CreateGrant", "the function has no key of its own"),
    ("kms:Encrypt", "the function has no key of its own"),
    ("kms:GenerateDataKey", "the function has no key of its own"),
    ("lambda:DeleteFunctionCodeSigningConfig", "no code signing"),
    ("lambda:DeleteFunctionConcurrency", "no reserved concurrency"),
    ("lambda:GetCodeSigningConfig", "no code signing"),
    ("lambda:PassCapacityProvider", "no capacity provider"),
    ("lambda:PublishVersion", "no versions"),
    ("lambda:PutFunctionCodeSigningConfig", "no code signing"),
    ("lambda:PutFunctionConcurrency", "no reserved concurrency"),
    ("lambda:PutFunctionRecursionConfig", "no recursion setting"),
    ("lambda:PutFunctionScalingConfig", "no capacity provider"),
    ("lambda:PutRuntimeManagementConfig", "no setting of runtime updates"),
];

/// The actions of the three tables: of planning, of applying, and of `CloudFormation` in the name of who applies.
struct Listed {
    plan: BTreeSet<String>,
    apply: BTreeSet<String>,
    stack: BTreeSet<String>,
}

impl Listed {
    fn read() -> Self {
        let text = std::fs::read_to_string(repository().join("examples/README.md")).expect("the page of examples");
        let section = section(&text, "## What AWS must allow");
        let (plan, rest) = section.split_once("`apply` (`apply_role`) needs all that").expect("two tables");
        let (apply, stack) = rest.split_once("CloudFormation works in the name of who applies").expect("a third table");
        Self { plan: actions(plan, 1), apply: actions(apply, 1), stack: actions(stack, 1) }
    }

    fn all(&self) -> BTreeSet<String> {
        [&self.plan, &self.apply, &self.stack].into_iter().flatten().cloned().collect()
    }
}

fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let section = text.split_once(heading).expect("the section").1;
    section.split("\n## ").next().unwrap_or_default()
}

/// The actions in a table's column: a name without a service belongs to the one before it.
fn actions(table: &str, column: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| ") && line.contains(':')) {
        let mut service = String::new();
        for name in line.split('|').nth(column).unwrap_or_default().split('`').skip(1).step_by(2) {
            let (named, action) = name.split_once(':').unwrap_or(("", name));
            if !named.is_empty() {
                named.clone_into(&mut service);
            }
            found.insert(format!("{service}:{action}"));
        }
    }
    found
}

/// How actions are known, by the first word of each row of the other table.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(repository().join("tests/README.md")).expect("the tests' README");
    let rows = section(&text, "## What AWS must allow, and how that is known");
    let row = |line: &str| {
        let (word, _) = line.strip_prefix("| ")?.split_once(": ")?;
        Some((word.to_owned(), actions(line, 2)))
    };
    rows.lines().filter_map(row).collect()
}

/// The actions of the handlers of a stack's resources.
fn handled() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository().join("tests/permissions/handlers.json")).expect("the handlers");
    let types: BTreeMap<String, BTreeMap<String, Vec<String>>> = serde_json::from_str(&text).expect("JSON");
    let handlers = types.into_values().flat_map(|mut one| {
        one.remove("from");
        one.into_values().flatten()
    });
    handlers.collect()
}

/// Without it, a role with what the tables say would deploy on the sandbox, where nothing is refused, and fail on AWS.
#[test]
fn what_a_stack_needs_is_listed() {
    let (listed, handled) = (Listed::read(), handled());
    let all = listed.all();
    let without: BTreeMap<&str, &str> = WITHOUT.into();
    let missing: Vec<_> =
        handled.iter().filter(|action| !all.contains(*action) && !without.contains_key(action.as_str())).collect();
    assert!(missing.is_empty(), "CloudFormation needs what the tables lack: {missing:?}");
    for (action, reason) in &without {
        assert!(handled.contains(*action), "{action}, of which it says \"{reason}\", is no handler's any more");
        assert!(!all.contains(*action), "{action} is listed, and needed by nothing: {reason}");
    }
    // The template's transform is no resource.
    let of_resources = |action: &&String| *action != "cloudformation:CreateChangeSet";
    let unknown: Vec<_> = listed.stack.difference(&handled).filter(of_resources).collect();
    assert!(unknown.is_empty(), "the third table lists what no handler asks for: {unknown:?}");
}

/// Without it, an action could stand in the tables for an unknown reason, or a reader be told that it was seen where it wasn't.
#[test]
fn how_each_action_is_known_is_said() {
    let (all, handled, known) = (Listed::read().all(), handled(), known());
    assert_eq!(known.keys().collect::<Vec<_>>(), ["docs", "schema", "transcript", "wire"]);
    let said: BTreeSet<String> = known.values().flatten().cloned().collect();
    assert_eq!(said, all, "the table of how actions are known has others than those of permissions");
    assert_eq!(known["schema"], handled.intersection(&all).cloned().collect());
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
fn the_tables_list_what_is_called_and_nothing_else() {
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
    // One that fails is asked why.
    let refused = empty.replace("No updates are to be performed.", "a validation failed");
    let rule = serde_json::json!({"service": "cloudformation", "operation": "DescribeChangeSet", "times": 1,
        "answer": {"status": 200, "content_type": "text/xml", "body": refused}});
    world.fault(&rule.to_string());
    run(&["apply", "--auto-approve"]).exits(1);
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

    let listed = Listed::read();
    let missing: Vec<_> = planned.difference(&listed.plan).collect();
    assert!(missing.is_empty(), "planning calls what the first table lacks: {missing:?}");
    let called = called(&world);
    let all = listed.all();
    let missing: Vec<_> = called.difference(&all).collect();
    assert!(missing.is_empty(), "applying calls what the tables lack: {missing:?}");
    assert_eq!(called, known()["wire"], "what was called isn't what tests/README.md says was seen on the wire");
    let twice = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.intersection(other).filter(|action| !ON_SEVERAL.contains(&action.as_str())).cloned().collect()
    };
    let Listed { plan, apply, stack } = &listed;
    for twice in [twice(plan, apply), twice(plan, stack), twice(apply, stack)] {
        assert!(twice.is_empty(), "{twice:?} stands in two tables");
    }
}

/// Without it, a role that may only read could turn out to be too little for a plan, or be given a write by mistake.
#[test]
fn a_plan_calls_nothing_that_writes() {
    for action in &Listed::read().plan {
        let name = action.split_once(':').map_or(action.as_str(), |(_, name)| name);
        let reads = ["Describe", "Get", "List"].iter().any(|start| name.starts_with(start));
        assert!(reads || ["sts:AssumeRole", "kms:Decrypt"].contains(&action.as_str()), "{action} is no reading");
        assert!(!name.contains("SecretValue"), "{action} returns a value");
    }
}
