//! What goes wrong: said where it belongs, and without holding up the rest.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::support::{World, output, prepare_runtime, rotator_binary, scrubbed};

fn good_code(world: &World) {
    world.write_signing_key("good/lambda_function.py");
}

/// Without it a green apply could hide that rotation fails, which is what hurts most.
#[test]
fn a_function_that_raises_is_reported_as_not_finished_and_the_others_go_on() {
    let world = World::new();
    world.create_secret("good", "first");
    world.create_secret("bad", "first");
    world.create_secret("bad-too", "first");
    good_code(&world);
    world.write("bad/lambda_function.py", "def lambda_handler(event, context):\n    raise RuntimeError('no login')\n");
    world.write(
        "rotator.yaml",
        "version: 1
project: failures
defaults: {secrets: {rotation: {automatically_after_days: 30}}}
functions:
  SecretsManagerGood: {code: good}
  SecretsManagerBad: {code: bad}
secrets:
  good: {function: SecretsManagerGood}
  bad: {function: SecretsManagerBad}
  bad-too: {function: SecretsManagerBad}
",
    );
    // The deadline is for the function that raises, not for the making of its runtime.
    prepare_runtime();
    // What a function logs may hold anything: it is only shown when asked for.
    let unasked = ["apply", "--auto-approve", "--rotation-timeout", "3s", "--target", "secret.bad-too"];
    world.rotator(&unasked).exits(4).says("not finished: secret.bad-too").keeps_silent_about("no login");
    let output =
        world.rotator(&["apply", "--auto-approve", "--rotation-timeout", "20s", "--show-function-logs"]).exits(4);
    let version = world.version("bad", "AWSPENDING").expect("AWS keeps trying");
    output
        .says("not finished: secret.bad")
        .says(&version)
        .says("SecretsManagerBad logs to /aws/lambda/SecretsManagerBad")
        .says("aws logs filter-log-events")
        .says("not every rotation has finished")
        .says("the log of SecretsManagerBad, /aws/lambda/SecretsManagerBad")
        .says("RuntimeError: no login");
    assert!(world.version("good", "AWSPREVIOUS").is_some(), "the other secret has rotated");
    // The command that the report names shows the function's error.
    let events = world.aws(&["logs", "filter-log-events", "--log-group-name", "/aws/lambda/SecretsManagerBad"]);
    assert!(events.to_string().contains("no login"), "{events}");
    // Nothing of the manifest differs; what is stuck is said.
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.").says("a rotation isn't finished");
}

/// Without it one bad entry would stop the fleet, or be met in the middle of an apply.
#[test]
fn foreseen_errors_leave_out_only_what_they_concern() {
    let world = World::new();
    world.create_secret("fine", "first");
    world.create_secret("leaving", "first");
    world.aws(&["secretsmanager", "delete-secret", "--secret-id", "leaving"]);
    world.aws(&["secretsmanager", "create-secret", "--name", "empty"]);
    good_code(&world);
    world.write(
        "rotator.yaml",
        "version: 1
project: foreseen
defaults: {secrets: {function: SecretsManagerGood, rotation: {automatically_after_days: 30}}}
functions:
  SecretsManagerGood: {code: good}
secrets: {fine: {}, leaving: {}, empty: {}, missing: {}}
",
    );
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(1)
        .says("secret.leaving: the secret is scheduled for deletion")
        .says("secret.empty: the secret has no value yet")
        .says("secret.missing: Secrets Manager has no such secret")
        .says("3 skipped because of foreseen errors");
    assert!(world.version("fine", "AWSPREVIOUS").is_some());
    assert_eq!(world.describe("empty")["RotationEnabled"], serde_json::Value::Null);
}

/// Without it a pipeline could rotate a whole fleet by one careless line.
#[test]
fn the_brake_holds_without_a_terminal() {
    let world = World::new();
    good_code(&world);
    let mut manifest = "version: 1
project: brake
defaults: {secrets: {function: SecretsManagerGood, rotation: {automatically_after_days: 30}}}
functions: {SecretsManagerGood: {code: good}}
secrets:
"
    .to_owned();
    for number in 0..21 {
        world.create_secret(&format!("s{number}"), "first");
        let _ = writeln!(manifest, "  s{number}: {{}}");
    }
    world.write("rotator.yaml", &manifest);
    world.rotator(&["apply", "--auto-approve"]).exits(5).says("21 secrets would rotate now").says("--max-rotations 21");
    assert!(!world.calls().iter().any(|call| call.ends_with("CreateCloudFormationChangeSet")), "nothing was changed");
    world.rotator(&["apply", "--auto-approve", "--max-rotations", "21"]).exits(0);
}

/// Without it a plan made with too few rights would say "it failed" and leave the person to guess.
#[test]
fn a_denied_call_names_the_action_and_the_resource() {
    let world = World::new();
    world.create_secret("s", "first");
    good_code(&world);
    world.write(
        "rotator.yaml",
        "version: 1
project: denied
functions: {SecretsManagerGood: {code: good}}
secrets: {s: {function: SecretsManagerGood, rotation: {automatically_after_days: 30}}}
",
    );
    world.fault(
        r#"{"service":"secretsmanager","operation":"DescribeSecret","error":{"status":400,"code":"AccessDeniedException","message":"User is not authorized"},"times":1}"#,
    );
    world
        .rotator(&["plan"])
        .exits(1)
        .says("`secretsmanager:DescribeSecret` on `s` is missing")
        .says("function.SecretsManagerGood");
}

/// Without it an apply that a pipeline killed would have to be repaired by hand, or by waiting and hoping.
#[test]
fn a_killed_apply_goes_on_where_it_stopped() {
    let world = World::with(&["--time-scale", "20"]);
    world.create_secret("s", "first");
    good_code(&world);
    world.write(
        "rotator.yaml",
        "version: 1
project: killed
functions: {SecretsManagerGood: {code: good}}
secrets: {s: {function: SecretsManagerGood, rotation: {automatically_after_days: 30}}}
",
    );
    let mut first = world.spawn(&["apply", "--auto-approve"]);
    while !world.calls().iter().any(|call| call.ends_with("ExecuteChangeSet")) {
        assert!(first.try_wait().expect("a child").is_none(), "the apply ended before it could be killed");
    }
    first.kill().expect("it runs");
    first.wait().expect("it is dead");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("waiting until it is done").says("Apply complete!");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    let executed = world.calls().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count();
    assert_eq!(executed, 1, "the stack is not made twice");
}

/// Without it one broken package would hide all other functions, or be met only when it is uploaded.
#[test]
fn a_broken_package_concerns_its_function_alone() {
    let world = World::new();
    world.create_secret("s", "first");
    good_code(&world);
    world.write("bad.zip", "this is no zip");
    world.write(
        "rotator.yaml",
        "version: 1
project: packages
functions: {SecretsManagerGood: {code: good}, SecretsManagerBad: {code: bad.zip}}
secrets: {s: {function: SecretsManagerGood, rotation: {automatically_after_days: 30}}}
",
    );
    world.rotator(&["validate"]).exits(1).says("function.SecretsManagerBad: not a readable zip file");
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(1)
        .says("error: function.SecretsManagerBad: not a readable zip file")
        .says("2 applied");
    assert!(world.version("s", "AWSPREVIOUS").is_some());
}

/// Without it code that can't be called would be uploaded, and every rotation fail from then on.
#[test]
fn code_without_the_templates_handler_is_never_uploaded() {
    let world = World::new();
    world.create_secret("s", "first");
    world.write_signing_key("code/main.py");
    let manifest = |handler: &str| {
        format!(
            "version: 1
project: handler
functions: {{SecretsManagerGood: {{code: code{handler}}}}}
secrets: {{s: {{function: SecretsManagerGood, rotation: {{automatically_after_days: 30}}}}}}
"
        )
    };
    world.write("rotator.yaml", &manifest(""));
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(1)
        .says("lacks the file of the handler `lambda_function.lambda_handler`")
        .says("secret.s: rotation: not attempted");
    world.write("rotator.yaml", &manifest(", handler: main.lambda_handler"));
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
    assert!(world.version("s", "AWSPREVIOUS").is_some());
}

/// Without it, the flag's check could be missing from the command, or its words lead nowhere.
#[test]
fn a_sandbox_for_other_machines_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |more: &[&str]| {
        let mut command = scrubbed(rotator_binary());
        command.current_dir(folder.path()).args(["sandbox", "start", "--listen", "0.0.0.0:0"]).args(more);
        command
    };
    output(&mut start(&["--state", "state.json"]))
        .exits(1)
        .says("`0.0.0.0:0` is not a loopback address: whoever reaches it could run programs on this machine, as you")
        .says("`--listen 127.0.0.1:0` keeps it to this machine")
        .says("`--allow-remote`");
    assert!(!folder.path().join("state.json").exists(), "nothing was begun");

    let log = folder.path().join("log");
    let mut allowed = start(&["--allow-remote"])
        .stdout(Stdio::piped())
        .stderr(File::create(&log).expect("a log"))
        .spawn()
        .expect("the sandbox starts");
    let mut url = String::new();
    BufReader::new(allowed.stdout.take().expect("piped")).read_line(&mut url).expect("it says where it listens");
    assert!(output(Command::new("kill").arg(allowed.id().to_string())).code == 0);
    assert!(allowed.wait().expect("it ends").success());
    let said = std::fs::read_to_string(&log).expect("the log");
    assert!(said.contains("warning: whoever reaches 0.0.0.0:") && said.contains("can run programs"), "{said}");
}
