//! The procedure of AWS's guide, typed into AWS's own CLI, against what `rotator` says and does.

use std::time::{Duration, Instant};

use super::support::{World, signing_key, zip_of};

const APPLICATION: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";

/// The steps of the guide, corrected, in its order.
fn follow_the_guide(world: &World, function: &str, secret: &str) {
    let overrides = format!(
        r#"[{{"Name":"endpoint","Value":"https://secretsmanager.us-east-1.amazonaws.com"}},{{"Name":"functionName","Value":"{function}"}}]"#
    );
    let made = world.aws(&[
        "serverlessrepo",
        "create-cloud-formation-change-set",
        "--application-id",
        APPLICATION,
        "--stack-name",
        function,
        "--parameter-overrides",
        &overrides,
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_RESOURCE_POLICY",
    ]);
    let (change_set, stack) =
        (made["ChangeSetId"].as_str().expect("an ARN"), made["StackId"].as_str().expect("an ARN"));
    world.aws(&["cloudformation", "wait", "change-set-create-complete", "--change-set-name", change_set]);
    world.aws(&["cloudformation", "execute-change-set", "--change-set-name", change_set]);
    world.aws(&["cloudformation", "wait", "stack-create-complete", "--stack-name", stack]);
    let listed = world.aws(&["lambda", "list-functions"]);
    let functions = listed["Functions"].as_array().expect("a list");
    let found = functions.iter().find(|found| found["FunctionName"] == function).expect("the function is there");
    let arn = found["FunctionArn"].as_str().expect("an ARN");
    world.aws(&[
        "lambda",
        "add-permission",
        "--function-name",
        function,
        "--statement-id",
        "SecretsManagerAccess",
        "--action",
        "lambda:InvokeFunction",
        "--principal",
        "secretsmanager.amazonaws.com",
        "--source-account",
        super::support::ACCOUNT,
    ]);
    world.aws(&[
        "lambda",
        "update-function-configuration",
        "--function-name",
        function,
        "--vpc-config",
        "SubnetIds=subnet-0a1,subnet-0b2,SecurityGroupIds=sg-0c3",
    ]);
    world.aws(&["lambda", "wait", "function-updated-v2", "--function-name", function]);
    std::fs::write(world.path("code.zip"), zip_of(&[("lambda_function.py", &signing_key())])).expect("a zip");
    world.aws(&["lambda", "update-function-code", "--function-name", function, "--zip-file", "fileb://code.zip"]);
    world.aws(&["lambda", "wait", "function-updated-v2", "--function-name", function]);
    world.aws(&[
        "secretsmanager",
        "rotate-secret",
        "--secret-id",
        secret,
        "--rotation-lambda-arn",
        arn,
        "--rotation-rules",
        r#"{"AutomaticallyAfterDays":30}"#,
    ]);
}

/// Waits until a secret has rotated once.
#[track_caller]
pub fn until_rotated(world: &World, secret: &str) {
    let began = Instant::now();
    while world.version(secret, "AWSPREVIOUS").is_none() {
        assert!(began.elapsed() < Duration::from_mins(1), "{}", world.describe(secret));
    }
}

/// Waits until no rotation and no test of one is in progress.
#[track_caller]
pub fn until_tested(world: &World, secret: &str) {
    let began = Instant::now();
    while world.version(secret, "AWSPENDING").is_some() {
        assert!(began.elapsed() < Duration::from_mins(1), "{}", world.describe(secret));
    }
}

fn manifest(world: &World, function: &str, secret: &str) {
    world.write_signing_key("code/lambda_function.py");
    world.write(
        "rotator.yaml",
        &format!(
            "version: 1
project: guide
functions:
  {function}:
    code: code
    vpc: {{subnets: [subnet-0b2, subnet-0a1], security_groups: [sg-0c3]}}
secrets:
  {secret}: {{function: {function}, rotation: {{automatically_after_days: 30}}}}
"
        ),
    );
}

/// Without it people who followed the guide by hand could not come over without touching what works.
#[test]
fn what_the_guide_makes_is_adopted_in_one_change() {
    let world = World::new();
    world.create_secret("prod/key", "first");
    follow_the_guide(&world, "SecretsManagerByHand", "prod/key");
    until_rotated(&world, "prod/key");
    manifest(&world, "SecretsManagerByHand", "prod/key");
    let before = world.version("prod/key", "AWSCURRENT");
    world
        .rotator(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("the stack will be adopted")
        .says("Plan: 0 to add, 1 to change, 0 to destroy.");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    assert_eq!(world.version("prod/key", "AWSCURRENT"), before, "adopting rotates nothing");
    let tags = world.aws(&[
        "lambda",
        "list-tags",
        "--resource",
        &format!("arn:aws:lambda:us-east-1:{}:function:SecretsManagerByHand", super::support::ACCOUNT),
    ]);
    assert_eq!(tags["Tags"]["rotator:project"], "guide", "the stack's tag reaches the function");
}

/// Without it what the tool makes might only look right to the tool.
#[test]
fn what_rotator_makes_looks_right_to_awss_cli() {
    let world = World::new();
    world.create_secret("prod/key", "first");
    let function = "SecretsManagerByRotator";
    manifest(&world, function, "prod/key");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let stack =
        world.aws(&["cloudformation", "describe-stacks", "--stack-name", &format!("serverlessrepo-{function}")]);
    let stack = &stack["Stacks"][0];
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    let tags = stack["Tags"].as_array().expect("tags");
    assert!(tags.iter().any(|tag| tag["Key"] == "serverlessrepo:applicationId" && tag["Value"] == APPLICATION));
    let parameters = stack["Parameters"].as_array().expect("parameters");
    let parameter = |name: &str| {
        let found = parameters.iter().find(|parameter| parameter["ParameterKey"] == name);
        found.and_then(|found| found["ParameterValue"].as_str()).map(str::to_owned)
    };
    assert_eq!(parameter("endpoint").as_deref(), Some("https://secretsmanager.us-east-1.amazonaws.com"));
    assert_eq!(parameter("vpcSubnetIds").as_deref(), Some("subnet-0a1,subnet-0b2"));
    world.aws(&["lambda", "wait", "function-active-v2", "--function-name", function]);
    let live = world.aws(&["lambda", "get-function-configuration", "--function-name", function]);
    assert_eq!(live["VpcConfig"]["SecurityGroupIds"], serde_json::json!(["sg-0c3"]));
    let policy = world.aws(&["lambda", "get-policy", "--function-name", function]);
    assert!(policy["Policy"].as_str().expect("a policy").contains("secretsmanager.amazonaws.com"));
    let described = world.describe("prod/key");
    assert_eq!(described["RotationEnabled"], true);
    assert_eq!(described["RotationLambdaARN"], live["FunctionArn"]);
    assert!(world.version("prod/key", "AWSPREVIOUS").is_some());
    let calls = world.calls();
    let at = |call: &str| calls.iter().position(|other| other == call).unwrap_or_else(|| panic!("{call}: {calls:?}"));
    assert!(at("serverlessrepo CreateCloudFormationChangeSet") < at("cloudformation ExecuteChangeSet"));
    assert!(at("cloudformation ExecuteChangeSet") < at("lambda UpdateFunctionCode"));
    assert!(at("lambda UpdateFunctionCode") < at("secretsmanager RotateSecret"));
}
