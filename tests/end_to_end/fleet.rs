//! Many secrets, several targets, and what becomes of entries that leave the manifest.

use std::fmt::Write as _;

use super::support::{ACCOUNT, World, output, repository, rotator_binary, scrubbed, venv};

fn code(world: &World) {
    world.write_signing_key("code/lambda_function.py");
}

fn fleet(secrets: std::ops::Range<usize>, functions: usize, first_function: usize) -> String {
    let mut text = "version: 1
project: fleet
defaults:
  functions: {code: code, timeout: 60}
  secrets: {rotation: {automatically_after_days: 30}}
functions:
"
    .to_owned();
    for number in first_function..functions {
        let _ = writeln!(text, "  SecretsManagerFleet{number}: {{}}");
    }
    text.push_str("secrets:\n");
    for number in secrets {
        let function = number % functions;
        if function >= first_function {
            let _ = writeln!(text, "  fleet/{number:03}: {{function: SecretsManagerFleet{function}}}");
        }
    }
    text
}

/// Without it the tool would be proven on a toy only.
#[test]
fn two_hundred_secrets_on_five_functions_converge_shrink_and_go() {
    let world = World::new();
    code(&world);
    seed(&world, 200);
    world.write("rotator.yaml", &fleet(0..200, 5, 0));
    world.rotator(&["plan"]).exits(0).says("200 secrets rotate now").says("Plan: 205 to add");
    world
        .rotator(&["apply", "--auto-approve", "--max-rotations", "200"])
        .exits(0)
        .says("205 applied")
        .says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");

    // One function and its forty secrets, and ten secrets more, leave the manifest.
    world.write("rotator.yaml", &fleet(10..200, 5, 1));
    let gone = 40 + 8;
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("--prune").says("No changes.");
    world
        .rotator(&["plan", "--prune", "--detailed-exitcode"])
        .exits(2)
        .says(&format!("rotation stops for {gone} secrets"))
        .says("1 stack is deleted");
    world.rotator(&["apply", "--prune", "--auto-approve"]).exits(0).says("Apply complete!");
    world.rotator(&["plan", "--prune", "--detailed-exitcode"]).exits(0).says("No changes.");
    assert_eq!(world.describe("fleet/005")["RotationEnabled"], false);
    assert_eq!(world.describe("fleet/011")["RotationEnabled"], true);

    world.rotator(&["destroy", "--auto-approve"]).exits(0).says("4 stacks are deleted");
    world.rotator(&["destroy", "--auto-approve"]).exits(0).says("No changes.");
    assert_eq!(world.aws(&["lambda", "list-functions"])["Functions"].as_array().map(Vec::len), Some(0));
    assert_eq!(world.aws(&["cloudformation", "describe-stacks"])["Stacks"].as_array().map(Vec::len), Some(0));
    for secret in ["fleet/000", "fleet/100", "fleet/199"] {
        assert_eq!(world.describe(secret)["RotationEnabled"], false);
    }
}

/// Creates secrets by boto3, in one process.
fn seed(world: &World, number: usize) {
    let script = format!(
        "import boto3
client = boto3.client('secretsmanager', endpoint_url='{}', region_name='us-east-1',
    aws_access_key_id='{}', aws_secret_access_key='sandbox')
for number in range({number}):
    client.create_secret(Name=f'fleet/{{number:03}}', SecretString='first')
",
        world.url, ACCOUNT
    );
    let python = venv().join("bin/python");
    output(scrubbed(python).args(["-c", &script])).exits(0);
}

/// Without it a manifest could reach the wrong account, or all accounts at once, unasked.
#[test]
fn two_targets_converge_from_one_manifest_with_variables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = repository().join("examples/fleet");
    let rotator = |arguments: &[&str]| {
        output(scrubbed(rotator_binary()).current_dir(folder.path()).arg("--sandbox").args(arguments).arg(&example))
    };
    rotator(&["apply", "--auto-approve"]).exits(1).says("2 targets").says("--all-targets");
    rotator(&["apply", "--auto-approve", "--target", "dev"])
        .exits(0)
        .says("account 111111111111, region eu-west-1")
        .says("dev/secret.shop/session-key")
        .keeps_silent_about("333333333333");
    rotator(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("No changes.")
        .says("prod/secret.billing/archive-key (prod/billing/archive-key)")
        .says("every 30 days");
    rotator(&["apply", "--auto-approve", "--target", "label:owner=team-billing", "--target", "prod"])
        .exits(0)
        .says("Partial")
        .keeps_silent_about("secret.shop/session-key");
    rotator(&["apply", "--auto-approve", "--all-targets"]).exits(0).says("account 333333333333, region eu-west-1");
    rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    rotator(&["plan", "--target", "staging"]).exits(1).says("matches no target").says("dev, prod");
    rotator(&["plan", "--target", "secret.shop/sesion-key"]).exits(1).says("matches nothing");
    rotator(&["destroy", "--auto-approve", "--all-targets"]).exits(0);
    rotator(&["destroy", "--auto-approve", "--all-targets"]).exits(0).says("No changes.");
}

/// Without it, pruning or destroying one environment would take those that share its account along.
#[test]
fn targets_in_one_account_and_region_leave_each_other_alone() {
    let world = World::new();
    code(&world);
    world.write(
        "rotator.yaml",
        "version: 1
project: shared-account
defaults:
  functions: {name: \"${target}-rotation\", code: code, timeout: 60}
  secrets: {name: \"${target}/key\", rotation: {automatically_after_days: 30}}
targets: {dev: {region: us-east-1}, staging: {region: us-east-1}}
functions: {keys: {}}
secrets: {key: {function: keys}}
",
    );
    world.create_secret("dev/key", "first");
    world.create_secret("staging/key", "first");
    world.rotator(&["apply", "--auto-approve", "--all-targets"]).exits(0);
    world.rotator(&["plan", "--prune", "--detailed-exitcode"]).exits(0).keeps_silent_about("orphan");
    world.rotator(&["destroy", "--auto-approve", "--target", "dev"]).exits(0).keeps_silent_about("staging");
    assert_eq!(world.describe("dev/key")["RotationEnabled"], false);
    assert_eq!(world.describe("staging/key")["RotationEnabled"], true);
    world.rotator(&["plan", "--target", "staging", "--detailed-exitcode"]).exits(0);
}

/// Without it a writing role of another account would make there what the plan showed here, and call it applied.
#[test]
fn a_writing_role_of_another_account_is_refused_before_the_first_write() {
    let world = World::new();
    code(&world);
    world.write(
        "rotator.yaml",
        "version: 1
project: roles
targets:
  dev:
    region: us-east-1
    role: arn:aws:iam::111111111111:role/read
    apply_role: arn:aws:iam::222222222222:role/apply
functions: {SecretsManagerRoles: {code: code}}
secrets: {s: {function: SecretsManagerRoles, rotation: {enabled: false}}}
",
    );
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(1)
        .says("the writing role leads to account 222222222222")
        .says("nothing was changed");
    assert!(!world.calls().iter().any(|call| call.ends_with("CreateCloudFormationChangeSet")));
}
