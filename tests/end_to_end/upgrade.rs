//! Changes of a stack: code, configuration and rotation stay as the manifest says.

use super::support::World;

fn manifest(version: &str, exclude: &str) -> String {
    format!(
        "version: 1
project: upgrade
functions:
  SecretsManagerUpgrade:
    application: {{version: {version}, parameters: {{excludeCharacters: '{exclude}'}}}}
    code: code
    timeout: 45
    memory: 256
    environment: {{MODE: careful}}
secrets:
  prod/key: {{function: SecretsManagerUpgrade, rotation: {{automatically_after_days: 30}}}}
"
    )
}

/// Without it a template's upgrade would put its placeholder code back, and the next rotation would fail at night.
#[test]
fn upgrades_and_parameters_keep_code_configuration_and_rotation() {
    let world = World::new();
    world.create_secret("prod/key", "first");
    world.write_signing_key("code/lambda_function.py");
    world.write("rotator.yaml", &manifest("1.1.500", "/@"));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let configuration =
        || world.aws(&["lambda", "get-function-configuration", "--function-name", "SecretsManagerUpgrade"]);
    let before = configuration();
    let current = world.version("prod/key", "AWSCURRENT");

    world.write("rotator.yaml", &manifest("1.1.618", "/@"));
    world
        .rotator(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("\"1.1.500\" -> \"1.1.618\"")
        .says("Plan: 0 to add, 1 to change, 0 to destroy.");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");

    world.write("rotator.yaml", &manifest("1.1.618", "/@\""));
    world.rotator(&["plan", "--detailed-exitcode"]).exits(2).says("application.parameters.excludeCharacters");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");

    let after = configuration();
    for kept in ["CodeSha256", "Timeout", "MemorySize", "Handler"] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
    assert_eq!(after["Environment"]["Variables"]["MODE"], "careful");
    assert_eq!(after["Environment"]["Variables"]["EXCLUDE_CHARACTERS"], "/@\"");
    assert_eq!(world.describe("prod/key")["RotationEnabled"], true);
    assert_eq!(world.version("prod/key", "AWSCURRENT"), current, "a stack's change rotates nothing");
}
