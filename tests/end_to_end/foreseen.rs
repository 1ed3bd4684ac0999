//! What a function's own state says beforehand: nothing waits for what can't come.

use std::time::{Duration, Instant};

use super::support::{World, prepare_runtime};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// A function that somebody else has made, and its ARN.
fn function(world: &World, name: &str) -> String {
    world.write(&format!("{name}/lambda_function.py"), "def lambda_handler(event, context):\n    pass\n");
    let zip = world.path(&format!("{name}.zip"));
    let zipped = super::support::zip_of(&[("lambda_function.py", "def lambda_handler(event, context):\n    pass\n")]);
    std::fs::write(&zip, zipped).expect("a file");
    let code = format!("fileb://{}", zip.display());
    let made = world.aws(&[
        "lambda",
        "create-function",
        "--function-name",
        name,
        "--runtime",
        "python3.12",
        "--role",
        ROLE,
        "--handler",
        "lambda_function.lambda_handler",
        "--zip-file",
        &code,
        "--publish",
    ]);
    let arn = made["FunctionArn"].as_str().expect("an ARN").to_owned();
    arn.split(':').take(7).collect::<Vec<_>>().join(":")
}

fn permit(world: &World, function: &str, more: &[&str]) {
    let permission = [
        "lambda",
        "add-permission",
        "--function-name",
        function,
        "--statement-id",
        "s",
        "--action",
        "lambda:InvokeFunction",
        "--principal",
        "secretsmanager.amazonaws.com",
    ];
    world.aws(&[&permission[..], more].concat());
}

fn rotates_with(world: &World, secret: &str, function: &str) {
    prepare_runtime();
    world.create_secret(secret, "first");
    let rules = ["--rotation-rules", "AutomaticallyAfterDays=30", "--no-rotate-immediately"];
    world.aws(
        &[&["secretsmanager", "rotate-secret", "--secret-id", secret, "--rotation-lambda-arn", function][..], &rules]
            .concat(),
    );
    let began = Instant::now();
    while world.version(secret, "AWSPENDING").is_some() || began.elapsed() < Duration::from_secs(1) {
        assert!(began.elapsed() < Duration::from_mins(2), "a test ends within seconds");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// An apply that is refused, and at once.
fn refused(world: &World, says: &str) {
    let began = Instant::now();
    world.rotator(&["apply", "--auto-approve"]).exits(1).says(says);
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for what nobody wrote");
}

/// Without it, a secret whose function is gone, or may not be invoked, would wait two minutes for a permission, and blame the policy.
#[test]
fn the_live_function_is_looked_at_where_the_entry_names_none() {
    let world = World::new();
    let arn = function(&world, "theirs");
    permit(&world, "theirs", &[]);
    rotates_with(&world, "g/a", &arn);
    world.write(
        "rotator.yaml",
        "version: 1\nproject: gone\nsecrets: {g/a: {rotation: {automatically_after_days: 60}}}\n",
    );
    world.rotator(&["plan"]).exits(0).says("1 to change");
    world.aws(&[
        "lambda",
        "put-function-concurrency",
        "--function-name",
        "theirs",
        "--reserved-concurrent-executions",
        "0",
    ]);
    refused(&world, "the reserved concurrency of its function");
    world.aws(&["lambda", "delete-function-concurrency", "--function-name", "theirs"]);
    world.aws(&["lambda", "remove-permission", "--function-name", "theirs", "--statement-id", "s"]);
    refused(&world, "no statement lets it in for account 123456789012");
    world.aws(&["lambda", "delete-function", "--function-name", "theirs"]);
    refused(&world, "its function is gone");
}

/// Without it, a version or an alias would be judged by the policy of the function as a whole, in which nothing of it stands.
#[test]
fn a_version_has_a_policy_of_its_own() {
    let world = World::new();
    let arn = function(&world, "qual");
    world.create_secret("q/one", "first");
    let manifest = format!(
        "version: 1\nproject: qual\nfunctions: {{q: {{existing: \"{arn}:1\"}}}}\nsecrets: {{q/one: {{function: q, rotation: {{automatically_after_days: 31, rotate_immediately: false}}}}}}\n"
    );
    world.write("rotator.yaml", &manifest);
    // The function as a whole may be invoked, and the version may not.
    permit(&world, "qual", &[]);
    refused(&world, "nothing lets Secrets Manager invoke its function");
    permit(&world, "qual", &["--qualifier", "1"]);
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("1 applied");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Without it, a secret of another account would wait for a permission that is for this one alone.
#[test]
fn a_secret_of_another_account_needs_a_permission_of_its_own() {
    let world = World::new();
    function(&world, "shared");
    permit(&world, "shared", &["--source-account", "123456789012"]);
    let there = [("AWS_ACCESS_KEY_ID", "222222222222")];
    let made =
        world.aws_with(&there, &["secretsmanager", "create-secret", "--name", "x/acct", "--secret-string", "first"]);
    let secret = made["ARN"].as_str().expect("an ARN").to_owned();
    world.aws_with(&there, &["secretsmanager", "put-resource-policy", "--secret-id", &secret, "--resource-policy",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:*","Resource":"*"}]}"#]);
    let manifest = format!(
        "version: 1\nproject: x\nfunctions: {{f: {{existing: shared}}}}\nsecrets: {{a: {{name: \"{secret}\", function: f, rotation: {{automatically_after_days: 31}}}}}}\n"
    );
    world.write("rotator.yaml", &manifest);
    refused(&world, "for account 222222222222, which the secret belongs to");
}
