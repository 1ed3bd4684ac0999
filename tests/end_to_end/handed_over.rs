//! Functions and stacks that change hands within a project: one that is only used from now on, and one whose stack has another name; and
//! what is said of very many resources at once.

use std::fmt::Write as _;

use super::support::{World, prepare_runtime};

const NAME: &str = "SecretsManagerHanded";

/// A manifest with these fields of the function, and these other top-level members.
fn manifest(function: &str, rest: &str) -> String {
    format!(
        "version: 1
project: handed
functions: {{{NAME}: {{{function}}}}}
secrets: {{app/key: {{function: {NAME}, rotation: {{automatically_after_days: 30}}}}}}
{rest}"
    )
}

fn world(function: &str) -> World {
    prepare_runtime();
    World::with_signing_key("app/key", &manifest(function, ""))
}

/// Without it, a function under another stack's name would be called a stranger's, and people would look for that name by hand; or pruning
/// would delete it.
#[test]
fn a_stack_under_another_name_is_found_and_its_name_is_said() {
    let world = world("code: code, stack: other");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.write("rotator.yaml", &manifest("code: code", ""));
    for more in [&[][..], &["--prune"]] {
        world
            .rotator(&[&["plan"], more].concat())
            .exits(1)
            .says(&format!("a function `{NAME}` is there already, and the stack `serverlessrepo-other` holds it"))
            .says("write `stack: other` into the entry")
            .keeps_silent_about("no handle names it")
            .keeps_silent_about("orphan_stack");
    }
    world.rotator(&["apply", "--prune", "--auto-approve"]).exits(1).says("write `stack: other` into the entry");
    world.write("rotator.yaml", &manifest("code: code, stack: other", ""));
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    // One of another project has to be let go of first.
    world.write("rotator.yaml", &manifest("code: code", "").replace("project: handed", "project: another"));
    world
        .rotator(&["plan"])
        .exits(1)
        .says("that stack belongs to the project `handed`")
        .says("with `renamed_from: handed`")
        .says("write `stack: other` into the entry");
    let renamed = manifest("code: code, stack: other", "renamed_from: handed\n");
    world.write("rotator.yaml", &renamed.replace("project: handed", "project: another"));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, a function that the project has deployed and now only uses would be called unnamed, and pruning would end in an error.
#[test]
fn a_function_that_became_existing_is_said_so_and_stays() {
    let world = world("code: code");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let existing = format!("existing: {NAME}");
    world.write("rotator.yaml", &manifest(&existing, ""));
    let note = format!("note: function.{NAME}: this project deployed it, as the stack serverlessrepo-{NAME}");
    for more in [&[][..], &["--prune"]] {
        world
            .rotator(&[&["plan", "--detailed-exitcode"], more].concat())
            .exits(0)
            .says("No changes.")
            .says(&note)
            .keeps_silent_about("no handle names it");
    }
    world.rotator(&["apply", "--prune", "--auto-approve"]).exits(0);
    // What the note names takes the tag off, and then nothing is said any more.
    let removed = format!("removed: [function.serverlessrepo-{NAME}]");
    world.rotator(&["plan"]).exits(0).says(&removed);
    world.write("rotator.yaml", &manifest(&existing, &format!("{removed}\n")));
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete! 1 applied.");
    world.write("rotator.yaml", &manifest(&existing, ""));
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.").keeps_silent_about("removed:");
    world.rotator(&["rotate", "--auto-approve"]).exits(0).says("Rotate complete! 1 rotated.");
}

/// Without it, a right that is missing, or a mistake that was copied, would be said for a fleet page by page.
#[test]
fn what_is_the_same_of_many_is_one_message_with_a_count() {
    let world = World::new();
    let many = |function: &str| {
        let mut text = "version: 1\nproject: many\nfunctions: {f: {existing: f}}\nsecrets:\n".to_owned();
        for number in 1..=7 {
            writeln!(text, "  app/{number}: {{function: {function}, rotation: {{automatically_after_days: 30}}}}")
                .expect("room");
        }
        text
    };
    // In files.
    world.write("rotator.yaml", &many("g"));
    for command in ["validate", "plan"] {
        let said = world.rotator(&[command]).exits(1).says("7 errors").says("the same at 6 other places: ");
        assert_eq!(said.all().matches("error[").count(), 1, "{}", said.all());
        let whole = world.rotator(&[command, "-v"]).exits(1);
        assert_eq!(whole.all().matches("error[").count(), 7, "{}", whole.all());
    }
    // On AWS: none of these secrets is there; and then, none may be read.
    world.write("rotator.yaml", &many("f"));
    let missing =
        world.rotator(&["plan"]).exits(1).says("error: 7 secrets (secret.app/1, secret.app/2, ").says("and 2 more");
    assert_eq!(missing.all().matches("Secrets Manager has no such secret").count(), 1, "{}", missing.all());
    world.rotator(&["plan", "-v"]).exits(1).says("secret.app/6, secret.app/7: Secrets Manager has no such secret");
    world.fault(
        r#"{"operation": "DescribeSecret", "error": {"code": "AccessDeniedException", "status": 400, "message": "no"}}"#,
    );
    let denied = world.rotator(&["plan"]).exits(1).says("this is of secret.app/1; the other 6 say the same");
    assert_eq!(denied.all().matches("secretsmanager:DescribeSecret").count(), 1, "{}", denied.all());
    let whole = world.rotator(&["plan", "-v"]).exits(1);
    assert_eq!(whole.all().matches("secretsmanager:DescribeSecret").count(), 7, "{}", whole.all());
}
