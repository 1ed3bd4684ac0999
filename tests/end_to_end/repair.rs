//! Rotations that are stuck: `repair`.

use super::support::{Output, World, prepare_runtime};

const BROKEN: &str = "def lambda_handler(event, context):\n    raise RuntimeError('no')\n";

const MANIFEST: &str = "version: 1
project: repaired
functions: {SecretsManagerOne: {code: code, timeout: 10}}
secrets: {app/one: {function: SecretsManagerOne, rotation: {automatically_after_days: 30}}}
";

/// A secret that rotates, with nothing left to do.
pub fn world() -> World {
    let world = World::new();
    prepare_runtime();
    world.create_secret("app/one", "first");
    world.write_signing_key("code/lambda_function.py");
    world.write("rotator.yaml", MANIFEST);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world
}

/// As [`world`], with a rotation that is stuck since a day: createSecret failed.
fn stuck() -> World {
    let world = world();
    world.write("code/lambda_function.py", BROKEN);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["rotate", "--auto-approve", "--rotation-timeout", "60s"]).exits(4);
    world.advance_days(1);
    world
}

/// Runs the first printed command that holds these words.
#[track_caller]
pub fn follow(world: &World, said: &Output, words: &str, more: &[&str]) -> Output {
    let all = said.all();
    let command = all.lines().filter_map(|line| line.trim().strip_prefix("rotator ")).find(|one| one.contains(words));
    let command = command.unwrap_or_else(|| panic!("no command with `{words}`: {all}"));
    let words: Vec<String> = command.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    world.rotator(&[&words.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat())
}

/// Without it, a secret whose function was mended would stay as it is until its next window, with a password that isn't replaced.
#[test]
fn a_rotation_that_is_stuck_is_tried_again() {
    let world = stuck();
    let said = world
        .rotator(&["repair"])
        .exits(4)
        .says("1 of 1 secret with a rotation that is stuck")
        .says("RuntimeError")
        .says("doesn't show that testSecret passed");
    tells_programs_the_same(&world);
    // What isn't mended fails once more, and is said.
    follow(&world, &said, "repair retry", &["--auto-approve", "--rotation-timeout", "30s"])
        .exits(4)
        .says("RuntimeError")
        .says("Repair incomplete, since not every rotation has finished. 0 rotated, 1 not finished.")
        .keeps_silent_about("Apply");
    let before = world.version("app/one", "AWSCURRENT");
    world.write_signing_key("code/lambda_function.py");
    // The sandbox tries by itself what was mended, and may be done with it before it is asked for.
    world.rotator(&["apply", "--auto-approve", "--no-wait"]).exits(0);
    follow(&world, &said, "repair retry", &["--auto-approve"]).exits(0);
    assert_ne!(world.version("app/one", "AWSCURRENT"), before);
    world.rotator(&["repair"]).exits(0).says("0 of 1 secret");
    world
        .rotator(&["repair", "retry", "--secret", "app/one", "--auto-approve"])
        .exits(0)
        .says("There is nothing to repair.");
    world.rotator(&["status"]).exits(0);
}

/// What people are told, as a program reads it: by the published schema, with commands that work.
fn tells_programs_the_same(world: &World) {
    let committed = std::fs::read_to_string("schema/repair.schema.json").expect("the schema is committed");
    let printed = world.rotator(&["schema", "repair"]).exits(0).stdout;
    assert_eq!(committed, printed, "rotator schema repair > schema/repair.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let json = world.rotator(&["repair", "--format", "json"]).exits(4).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let (target, one) = (&report["targets"][0], &report["targets"][0]["unfinished"][0]);
    assert_eq!(
        (&report["trouble"], &report["complete"], &target["looked_at"]),
        (&true.into(), &true.into(), &1.into())
    );
    assert_eq!((&one["address"], &one["stuck"]), (&"secret.app/one".into(), &true.into()));
    assert_eq!((&one["failure"]["error"], &one["test_passed"]), (&"RuntimeError".into(), &false.into()));
    assert_eq!(one["pending_version"].as_str(), world.version("app/one", "AWSPENDING").as_deref());
    let ways: Vec<&str> = one["ways"].as_array().expect("ways").iter().filter_map(|way| way["way"].as_str()).collect();
    assert_eq!(ways, ["retry", "promote", "drop"]);
    let said = world.rotator(&["repair"]).exits(4);
    for way in one["ways"].as_array().expect("ways") {
        let command = way["command"].as_str().expect("a command");
        assert!(said.all().contains(command), "{command}: {}", said.all());
    }
}

/// Without it, a version would be given up whose value a service may have taken, with nothing left of it; or a policy couldn't forbid it.
#[test]
fn a_version_is_given_up_by_name_and_keeps_its_value() {
    let world = stuck();
    let drop = ["repair", "drop", "--secret", "app/one", "--auto-approve"];
    world.rotator(&drop).exits(1).says("asks for the secret's name once more").says("--confirm 'app/one'");
    world.write("p.yaml", "version: 1\npolicy: [{name: no-drops, forbid: [drops-pending]}]\n");
    let confirmed = [&drop[..], &["--confirm", "app/one"]].concat();
    world.rotator(&[&confirmed[..], &["--policy", "p.yaml"]].concat()).exits(5).says("no-drops");
    let pending = world.version("app/one", "AWSPENDING").expect("it is stuck");
    world
        .rotator(&confirmed)
        .exits(0)
        .says("drops-pending: app/one")
        .says("may hold the only live password")
        .says("Repair complete! 1 dropped.")
        .keeps_silent_about("Apply");
    assert_eq!(world.version("app/one", "AWSPENDING"), None);
    let labels = world.describe("app/one")["VersionIdsToStages"][&pending].to_string();
    assert!(labels.contains("rotator-dropped-20"), "{labels}");
    world.rotator(&confirmed).exits(0).says("no rotation of it is stuck");
    // The secret rotates again; a second one that is given up on the same day leaves the first its label.
    world.rotator(&["rotate", "--auto-approve", "--rotation-timeout", "60s"]).exits(4);
    world.advance_days(1);
    let lines = world.rotator(&[&confirmed[..], &["--json"]].concat()).exits(0).stdout;
    assert!(lines.contains("\"@message\":\"Repair complete: 1 dropped.\""), "{lines}");
    let labels = world.describe("app/one")["VersionIdsToStages"].to_string();
    assert_eq!(labels.matches("rotator-dropped-20").count(), 2, "{labels}");
}

/// Without it, labels would move under a function that works with them, or on a secret that AWS's own service rotates.
#[test]
fn what_may_be_running_and_what_others_rotate_is_left_alone() {
    let world = world();
    world.write("code/lambda_function.py", BROKEN);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["rotate", "--auto-approve", "--rotation-timeout", "1s"]).exits(4);
    world.rotator(&["repair"]).exits(0).says("its function may be running");
    let json = world.rotator(&["repair", "--format", "json"]).exits(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let one = &report["targets"][0]["unfinished"][0];
    assert_eq!(
        (&report["trouble"], &one["stuck"], &one["ways"]),
        (&false.into(), &false.into(), &serde_json::json!([]))
    );
    assert!(one["refused"].as_str().is_some_and(|why| why.contains("may be running")), "{one}");
    for way in ["retry", "promote", "drop"] {
        let ask = ["repair", way, "--secret", "app/one", "--auto-approve", "--confirm", "app/one"];
        world.rotator(&ask).exits(1).says("its function may be running for this rotation");
    }
    let pending = world.version("app/one", "AWSPENDING");
    assert!(pending.is_some());
}
