//! Three incidents, each played whole: as `examples/README.md` tells them.

use super::repair::{follow, world};

/// Without it, a secret that has leaked would have no command, or be rotated twice by it.
#[test]
fn a_secret_has_leaked() {
    let world = world();
    let leaked = world.version("app/one", "AWSCURRENT").expect("a version");
    world.rotator(&["rotate", "--secret", "app/one", "--auto-approve"]).exits(0).says("rotates-now: app/one");
    assert_eq!(world.version("app/one", "AWSPREVIOUS"), Some(leaked), "it is the previous value by now");
    // Readers that take AWSPREVIOUS too know it still: a second rotation lets it go.
    world
        .rotator(&["rotate", "--secret", "app/one", "--auto-approve"])
        .exits(0)
        .says("wasn't read on any day after its last");
    world.rotator(&["status"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, a deploy that breaks the function would be found when the first password has run out; and mended code would be met by a
/// secret that is stuck, a window later.
#[test]
fn a_deploy_broke_the_functions_code() {
    let world = world();
    world.write("code/lambda_function.py", "def lambda_handler(event, context):\n    return event['Stage']\n");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("next rotation of 1 secret");
    // Its window comes.
    world.advance_days(31);
    let began = std::time::Instant::now();
    while world.version("app/one", "AWSPENDING").is_none() {
        assert!(began.elapsed().as_secs() < 120, "no rotation began");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    world.advance_days(2);
    let found = world.rotator(&["status"]).exits(4).says("stuck").says("rotator repair");
    world.rotator(&["logs", "--secret", "app/one"]).exits(0).says("KeyError").says("lambda_function.py:2");
    let said = world.rotator(&["repair"]).exits(4).says("KeyError");
    assert!(found.stdout.contains("app/one"), "{}", found.all());
    // Mended, and freed.
    world.write_signing_key("code/lambda_function.py");
    world.rotator(&["apply", "--auto-approve"]);
    let before = world.version("app/one", "AWSCURRENT");
    let freed = follow(&world, &said, "repair retry", &["--auto-approve"]).exits(0);
    let done = freed.stdout.contains("nothing to repair") || world.version("app/one", "AWSCURRENT") != before;
    assert!(done, "{}", freed.all());
    world.rotator(&["status"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, the only password that the service takes would be thrown away, or wait until AWS's command is written by heart.
#[test]
fn finish_secret_was_denied_and_the_good_password_is_pending() {
    let world = world();
    let denied = r#"{"rules": [{"operation": "UpdateSecretVersionStage", "error": {"status": 400, "code": "AccessDeniedException", "message": "User is not authorized to perform: secretsmanager:UpdateSecretVersionStage"}}]}"#;
    world.fault(denied);
    let ended = world.rotator(&["rotate", "--auto-approve", "--rotation-timeout", "60s"]).exits(4);
    ended.says("finishSecret failed");
    world.advance_days(1);
    let pending = world.version("app/one", "AWSPENDING").expect("it is stuck");
    let said = world
        .rotator(&["repair"])
        .exits(4)
        .says("testSecret passed for the pending version")
        .says("the pending value works");
    // As long as it is denied to us too, nothing changes.
    follow(&world, &said, "repair promote", &["--auto-approve"])
        .exits(1)
        .says("secretsmanager:UpdateSecretVersionStage");
    assert_eq!(world.version("app/one", "AWSPENDING").as_ref(), Some(&pending));
    world.fault(r#"{"rules": []}"#);
    follow(&world, &said, "repair promote", &["--auto-approve"]).exits(0).says("Repair complete! 1 promoted.");
    assert_eq!(world.version("app/one", "AWSCURRENT"), Some(pending));
    world.rotator(&["repair"]).exits(0).says("0 of 1 secret");
    world.rotator(&["status"]).exits(0);
}
