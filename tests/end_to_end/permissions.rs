//! The table of rights (`src/permissions/table.rs`) against what the program calls, and against AWS's published tables.

use std::collections::{BTreeMap, BTreeSet};

use rotator::permissions::Need;
use rotator::permissions::scope::On;
use rotator::permissions::table::{Known, PHASES, Phase};
use serde_json::Value;

use super::support::{ACCOUNT, Output, REGION, World, output, repository, rotator_binary, scrubbed};

/// The one call that needs no permission.
const FREE: &str = "sts:GetCallerIdentity";

/// What a resource type's handlers list for properties that no rotation function's stack sets.
const WITHOUT: [(&str, &str); 16] = [
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
    ("lambda:PutFunctionCodeSigningConfig", "no code signing"),
    ("lambda:PutFunctionConcurrency", "no reserved concurrency"),
    ("lambda:PutFunctionRecursionConfig", "no recursion setting"),
    ("lambda:PutFunctionScalingConfig", "no capacity provider"),
    ("lambda:PutRuntimeManagementConfig", "no setting of runtime updates"),
];

/// All that the program's own table names.
fn needs() -> Vec<Need> {
    PHASES.iter().flat_map(Phase::needs).collect()
}

/// The actions of some rows.
fn actions(needs: &[Need], is: impl Fn(&Need) -> bool) -> BTreeSet<String> {
    needs.iter().filter(|need| is(need)).map(|need| need.action.to_owned()).collect()
}

fn json(file: &str) -> Value {
    let text = std::fs::read_to_string(repository().join("tests/permissions").join(file)).expect("a generated file");
    serde_json::from_str(&text).expect("JSON")
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

/// Without it, a role with what is printed would deploy on the sandbox, and fail on AWS; or an action be marked as found in a table that
/// hasn't got it.
#[test]
fn what_a_stack_needs_is_listed() {
    let (needs, handled) = (needs(), handled());
    let all = actions(&needs, |_| true);
    let without: BTreeMap<&str, &str> = WITHOUT.into();
    let missing: Vec<_> =
        handled.iter().filter(|action| !all.contains(*action) && !without.contains_key(action.as_str())).collect();
    assert!(missing.is_empty(), "CloudFormation needs what the table lacks: {missing:?}");
    for (action, reason) in &without {
        assert!(handled.contains(*action), "{action}, of which it says \"{reason}\", is no handler's any more");
        assert!(!all.contains(*action), "{action} is listed, and needed by nothing: {reason}");
    }
    let reference = json("actions.json");
    let described = reference["actions"].as_object().expect("actions").values();
    let dependent = described.flat_map(|action| action["dependent"].as_array().expect("a list").clone());
    let dependent: BTreeSet<String> = dependent.filter_map(|action| Some(action.as_str()?.to_owned())).collect();
    let missing: Vec<_> =
        dependent.iter().filter(|action| !all.contains(*action) && !without.contains_key(action.as_str())).collect();
    assert!(missing.is_empty(), "actions depend on what the table lacks: {missing:?}");
    let in_tables: BTreeSet<String> = handled.union(&dependent).cloned().collect();
    let unknown: Vec<_> = actions(&needs, |need| need.known == Known::Table).difference(&in_tables).cloned().collect();
    assert!(unknown.is_empty(), "these are marked as found in a table, and are in none: {unknown:?}");
}

/// Without it, a policy could allow an action that AWS doesn't know, or on what AWS never judges it on: then it allows nothing.
#[test]
fn resources_are_those_that_aws_judges_actions_on() {
    let reference = json("actions.json");
    let unlisted: Vec<&str> =
        reference["unlisted"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    // The reference lags behind the model, which has it since July 2026.
    assert_eq!(unlisted, ["lambda:GetResourcePolicy"]);
    let resource_of = |arn: &str| arn.splitn(6, ':').nth(5).unwrap_or_default().to_owned();
    for need in needs().iter().filter(|need| !unlisted.contains(&need.action)) {
        let described = &reference["actions"][need.action];
        let arns: Vec<String> = described["resources"]
            .as_array()
            .unwrap_or_else(|| panic!("{} isn't in tests/permissions/actions.json", need.action))
            .iter()
            .filter_map(|arn| Some(resource_of(arn.as_str()?)))
            .collect();
        let Some(form) = need.on.form() else { continue };
        // What a transform is judged on is known from refusals alone.
        if need.on == On::Transform {
            continue;
        }
        let form = resource_of(form);
        let begins = |arn: &String| form.starts_with(arn.split("${").next().unwrap_or_default());
        assert!(arns.iter().any(begins), "{} isn't judged on {form}, but on {arns:?}", need.action);
    }
    for need in needs().iter().filter(|need| matches!(need.on, On::Network | On::Vpc)) {
        assert_eq!(
            reference["actions"][need.action]["resources"],
            serde_json::json!([]),
            "{} could be narrower",
            need.action
        );
    }
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

/// Without it, the tables would lack what the program has begun to call, and it would only show when a role is refused; or list
/// what it doesn't need, and roles would be given too much.
#[test]
#[expect(clippy::too_many_lines, reason = "one run of all commands, in the order of the tables")]
fn what_is_marked_as_seen_is_what_is_called() {
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

    // What says of itself that it works offline calls nothing: it is safe to run on a stranger's pull request.
    let before = world.calls().len();
    for offline in [
        &["validate"][..],
        &["show", "first.plan"],
        &["explain", "secret.one"],
        &["schedule"],
        &["permissions"],
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

    // A rotation that hasn't finished is asked since when.
    let pending = ["--secret-string", "next", "--version-stages", "AWSPENDING"];
    world.aws(&[&["secretsmanager", "put-secret-value", "--secret-id", "one"], &pending[..]].concat());
    run(&["status"]);
    world.advance_days(2);
    run(&["repair", "drop", "--secret", "one", "--confirm", "one", "--auto-approve"]).exits(0);

    run(&["import", "--adopt", "--dry-run"]).exits(0);

    // Everything goes.
    run(&["destroy", "--auto-approve", "--target", "here"]).exits(0);

    let needs = needs();
    let plan: Vec<Need> = PHASES.iter().filter(|phase| phase.name.starts_with("plan")).flat_map(Phase::needs).collect();
    let missing: Vec<_> = planned.difference(&actions(&plan, |_| true)).cloned().collect();
    assert!(missing.is_empty(), "planning calls what its rows lack: {missing:?}");
    assert_eq!(
        called(&world),
        actions(&needs, |need| need.known == Known::Seen),
        "what is marked as seen isn't what was called"
    );
}

/// Without it, a pipeline would read members that the published schema doesn't name, or IAM be given files that it doesn't take.
#[test]
fn what_is_printed_and_written_is_what_programs_take() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        output(scrubbed(rotator_binary()).current_dir(folder.path()).args([&["permissions"], arguments].concat()))
    };
    let two = "  theirs: {existing: theirs}\nsecrets: {one: {function: SecretsManagerOne}, two: {function: theirs}}\n";
    let text = manifest("1.1.618", "/@", two).replace("targets:", "targets:\n  eu: {region: eu-west-1}");
    std::fs::write(folder.path().join("rotator.yaml"), text).expect("written");
    std::fs::create_dir(folder.path().join("code")).expect("a folder");
    std::fs::write(folder.path().join("code/lambda_function.py"), "").expect("written");

    let committed = std::fs::read_to_string("schema/permissions.schema.json").expect("the schema is committed");
    let printed = output(scrubbed(rotator_binary()).args(["schema", "permissions"])).exits(0).stdout;
    assert_eq!(committed, printed, "rotator schema permissions > schema/permissions.schema.json");
    let schema: Value = serde_json::from_str(&committed).expect("JSON");
    let json: Value =
        serde_json::from_str(&run(&["--format", "json", "--trust", "github:a/b"]).exits(0).stdout).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let policies = json["policies"].as_array().expect("policies");
    let of = |target: &str| policies.iter().filter(|one| one["target"] == target).collect::<Vec<_>>();
    assert_eq!(of("eu")[0]["placeholders"], serde_json::json!(["account"]));
    let has = |one: &&&Value, phase: &str| one["phase"] == phase;
    // Who becomes a target's roles comes with a token; those roles don't.
    let trusted: Vec<bool> = of("here").iter().map(|one| one["trust"].is_null()).collect();
    assert_eq!((&trusted[..2], trusted[2..].iter().all(|has| *has)), (&[false, false][..], true), "{trusted:?}");
    assert!(of("eu").iter().find(|one| has(one, "plan")).is_some_and(|one| !one["trust"].is_null()));

    run(&["--out", "policies", "--phase", "apply", "--account", "111111111111", "--trust", "github:a/b:prod"]).exits(0);
    let file = std::fs::read_to_string(folder.path().join("policies/permissions-eu-apply.json")).expect("a policy");
    let document: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(document["Version"], "2012-10-17");
    assert!(file.contains("arn:aws:lambda:eu-west-1:111111111111:function:theirs"), "{file}");
    let trust = std::fs::read_to_string(folder.path().join("policies/permissions-eu-apply-trust.json"))
        .expect("a trust policy");
    assert!(trust.contains("repo:a/b:environment:prod"), "{trust}");

    for (wrong, says) in [
        (&["--phase", "rotat"][..], "it is one of plan-caller, apply-caller, plan"),
        (&["--account", "1"], "twelve digits"),
        (&["--kms-key", "alias/x"], "a key's ARN"),
        (&["--trust", "github:a/*"], "a pattern lets in"),
    ] {
        run(wrong).exits(1).says(says);
    }
    run(&["--alarms", "terraform"]).exits(1).says("each target has rules of its own").says("--target");
    run(&["--alarms", "terraform", "--target", "eu"]).exits(0).says("aws_cloudwatch_event_rule");
    let template: Value =
        serde_json::from_str(&run(&["--alarms", "cloudformation", "--target", "here"]).exits(0).stdout).expect("JSON");
    assert_eq!(template["Resources"]["Rotations1"]["Type"], "AWS::Events::Rule");
    run(&["--alarms", "cloudformation", "--out", "alarms"]).exits(0);
    assert!(folder.path().join("alarms/permissions-here-alarms.json").exists());
}
