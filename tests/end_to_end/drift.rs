//! Drift by other hands: shown by `plan` with the right action, repaired by `apply`, then an empty plan.

use super::guide::{until_rotated, until_tested};
use super::support::{ACCOUNT, World, signing_key, zip_of};

const FUNCTION: &str = "SecretsManagerDrift";

fn converged() -> World {
    let world = World::new();
    world.create_secret("prod/key", "first");
    world.write_signing_key("code/lambda_function.py");
    world.write(
        "rotator.yaml",
        &format!(
            "version: 1
project: drift
functions:
  {FUNCTION}:
    application: {{version: 1.1.500}}
    code: code
    timeout: 40
    environment: {{MODE: careful}}
    vpc: {{subnets: [subnet-0a1], security_groups: [sg-0c3]}}
secrets:
  prod/key:
    function: {FUNCTION}
    rotation: {{schedule_expression: \"cron(0 8 1 * ? *)\", duration: 2h}}
"
        ),
    );
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0);
    until_rotated(&world, "prod/key");
    world
}

/// Without it somebody's quick fix in the console would stay unseen, or be repaired by the wrong means.
#[test]
fn each_drift_is_shown_and_repaired() {
    let world = converged();
    let settled = || world.aws(&["lambda", "wait", "function-updated-v2", "--function-name", FUNCTION]);
    let repaired = |shown: &[&str]| {
        let mut plan = world.rotator(&["plan", "--detailed-exitcode"]).exits(2);
        for text in shown {
            plan = plan.says(text);
        }
        plan.keeps_silent_about("reckless").keeps_silent_about("careful");
        world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
        world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    };
    let configure = |arguments: &[&str]| {
        world.aws(&[&["lambda", "update-function-configuration", "--function-name", FUNCTION], arguments].concat());
        settled();
    };

    configure(&["--timeout", "3"]);
    repaired(&["the configuration will change", "~ timeout = 3 -> 40"]);

    configure(&["--environment", "Variables={MODE=reckless,THEIRS=stays}"]);
    repaired(&["environment.MODE = (sensitive value) -> (sensitive value)"]);
    let live = world.aws(&["lambda", "get-function-configuration", "--function-name", FUNCTION]);
    assert_eq!(live["Environment"]["Variables"]["MODE"], "careful");
    assert_eq!(live["Environment"]["Variables"]["THEIRS"], "stays", "keys that aren't managed are merged, not wiped");

    configure(&["--vpc-config", "SubnetIds=subnet-0f9,SecurityGroupIds=sg-0c3"]);
    repaired(&["vpc.subnets", "subnet-0f9"]);

    std::fs::write(world.path("other.zip"), other_zip()).expect("a zip");
    world.aws(&["lambda", "update-function-code", "--function-name", FUNCTION, "--zip-file", "fileb://other.zip"]);
    settled();
    repaired(&["1 function runs other code", "code.files.lambda_function.py", "code.files.extra.py"]);

    world.aws(&["lambda", "remove-permission", "--function-name", FUNCTION, "--statement-id", "SecretsManagerAccess"]);
    repaired(&["Secrets Manager is let in", "permission.source_account"]);
    let policy = world.aws(&["lambda", "get-policy", "--function-name", FUNCTION]);
    assert!(policy["Policy"].as_str().expect("a policy").contains(ACCOUNT));

    let current = world.version("prod/key", "AWSCURRENT");
    world.aws(&[
        "secretsmanager",
        "rotate-secret",
        "--secret-id",
        "prod/key",
        "--no-rotate-immediately",
        "--rotation-rules",
        r#"{"AutomaticallyAfterDays":90}"#,
    ]);
    until_tested(&world, "prod/key");
    repaired(&["every 90 days", "cron(0 8 1 * ? *)", "testSecret step runs now", "may still rotate once"]);
    assert_eq!(world.version("prod/key", "AWSCURRENT"), current, "rules change without a rotation");

    world.aws(&["secretsmanager", "cancel-rotate-secret", "--secret-id", "prod/key"]);
    repaired(&["rotation will be switched on", "1 secret rotates now"]);
    assert_ne!(world.version("prod/key", "AWSCURRENT"), current);
}

/// Without it a secret that others moved to their own function would stay there, or come back unannounced.
#[test]
fn a_secret_on_anothers_function_is_taken_back_aloud() {
    let world = converged();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/theirs");
    std::fs::write(world.path("theirs.zip"), zip_of(&[("lambda_function.py", &signing_key())])).expect("a zip");
    let theirs = world.aws(&[
        "lambda",
        "create-function",
        "--function-name",
        "Theirs",
        "--runtime",
        "python3.12",
        "--role",
        &role,
        "--handler",
        "lambda_function.lambda_handler",
        "--timeout",
        "30",
        "--zip-file",
        "fileb://theirs.zip",
    ]);
    world.aws(&["lambda", "wait", "function-active-v2", "--function-name", "Theirs"]);
    world.aws(&[
        "lambda",
        "add-permission",
        "--function-name",
        "Theirs",
        "--statement-id",
        "access",
        "--action",
        "lambda:InvokeFunction",
        "--principal",
        "secretsmanager.amazonaws.com",
    ]);
    world.aws(&[
        "secretsmanager",
        "rotate-secret",
        "--secret-id",
        "prod/key",
        "--no-rotate-immediately",
        "--rotation-lambda-arn",
        theirs["FunctionArn"].as_str().expect("an ARN"),
    ]);
    until_tested(&world, "prod/key");
    world
        .rotator(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("1 secret is taken over from functions that this manifest doesn't deploy")
        .says("function:Theirs");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

fn other_zip() -> Vec<u8> {
    zip_of(&[("lambda_function.py", "def lambda_handler(event, context): pass\n"), ("extra.py", "\n")])
}
