//! Freezes: what they hold back and until when, what overrides them, and that a policy may forbid that.

use chrono::{Days, NaiveDate, Utc};

use super::support::World;

const FUNCTION: &str = "SecretsManagerFrozen";

/// A day so many days from now, in UTC; a freeze from yesterday to tomorrow is in force whenever the test ends.
fn day(from_now: i64) -> NaiveDate {
    let today = Utc::now().date_naive();
    let days = Days::new(from_now.unsigned_abs());
    if from_now < 0 { today - days } else { today + days }
}

fn freeze(from: i64, to: i64) -> String {
    format!("freeze: [{{from: \"{}\", to: \"{}\", reason: sale}}]\n", day(from), day(to))
}

fn manifest(head: &str, days: u32) -> String {
    format!(
        "version: 1\nproject: frozen\n{head}functions:\n  {FUNCTION}: {{code: code}}\nsecrets:\n  key:\n    function: {FUNCTION}\n    rotation: {{automatically_after_days: {days}}}\n"
    )
}

/// A secret with a value, and a function's code.
fn world() -> World {
    let world = World::new();
    world.create_secret("key", "first");
    world.write_signing_key("code/lambda_function.py");
    world
}

fn writes(world: &World) -> usize {
    let writes = ["RotateSecret", "CreateCloudFormationChangeSet", "UpdateFunctionCode", "AddPermission"];
    world.calls().iter().filter(|call| writes.iter().any(|write| call.ends_with(&format!(" {write}")))).count()
}

/// Without it, a merge in the middle of a sale would rotate secrets; or the flag for emergencies would pass unseen.
#[test]
fn a_freeze_holds_back_what_rotates_tests_or_replaces_code() {
    let world = world();
    world.write("rotator.yaml", &manifest(&freeze(-1, 1), 30));
    let held = format!("frozen from {} to {} (sale)", day(-1), day(1));
    world
        .rotator(&["plan"])
        .exits(5)
        .says(&format!("! {held}; held back: 1 secret rotates now"))
        .says("None of this will be applied: a freeze forbids it")
        .says("rotator.yaml:3:11")
        .says("AWS rotates by its own schedule all the same");
    world.rotator(&["plan", "--format", "markdown"]).exits(5).says(&format!("> **Freeze**: `{held}; held back"));
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(5)
        .says("a freeze holds the plan back; nothing was changed")
        .says("--override-freeze");
    let lines = world.rotator(&["apply", "--auto-approve", "--json"]).exits(5);
    let last: serde_json::Value = serde_json::from_str(lines.stdout.lines().last().expect("lines")).expect("JSON");
    assert_eq!(last["rotator"]["refused_by"], serde_json::json!(["freeze"]));
    assert_eq!(writes(&world), 0, "a freeze held nothing back");

    // A policy may forbid the flag; without that, it is said on top, when it is done, and in the report.
    world.write("security.yaml", "version: 1\npolicy: [{name: no-way-round, forbid: [overrides-freeze]}]\n");
    world
        .rotator(&["apply", "--auto-approve", "--override-freeze", "--policy", "security.yaml"])
        .exits(5)
        .says("the plan's effect `overrides-freeze` is forbidden by the rule `no-way-round`");
    assert_eq!(writes(&world), 0);
    let said = world
        .rotator(&["apply", "--auto-approve", "--override-freeze"])
        .exits(0)
        .says("(overrides-freeze: ")
        .says(&format!("In spite of a freeze: the freeze from {} to {} (sale)", day(-1), day(1)));
    assert!(said.stderr.contains("is overridden: 1 secret rotates now"), "{}", said.all());

    // Other code and other rules, which run testSecret, are held back; another setting isn't, nor is an empty plan.
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("nothing of this is held back");
    world.write("code/more.py", "");
    world.rotator(&["plan"]).exits(5).says("held back: 1 function runs other code");
    std::fs::remove_file(world.path("code/more.py")).expect("written above");
    world.write("rotator.yaml", &manifest(&freeze(-1, 1), 60));
    world.rotator(&["plan"]).exits(5).says("held back: 1 secret: the function's testSecret step runs now");
    let described = manifest(&freeze(-1, 1), 30).replace("{code: code}", "{code: code, description: other}");
    world.write("rotator.yaml", &described);
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("Apply complete!");
    // What is removed rotates nothing.
    world.rotator(&["destroy", "--auto-approve"]).exits(0).says("nothing of this is held back");
}

/// Without it, a plan could be saved before a freeze and applied in it, or one that was saved in it never be applied.
#[test]
fn a_saved_plan_is_judged_by_the_day_of_its_apply() {
    let world = world();
    // The pipeline's owner may freeze too, without a rule.
    let policy = |from, to| format!("version: 1\n{}", freeze(from, to));
    world.write("rotator.yaml", &manifest("", 30));
    world.rotator(&["plan", "--out", "before.rotator"]).exits(0);
    world.write("frozen.yaml", &policy(-1, 1));
    let apply = |file: &str, more: &[&str]| world.rotator(&[&["apply", file], more].concat());
    apply("before.rotator", &["--policy", "frozen.yaml"]).exits(5).says("a freeze holds the plan back");
    // The plan that was made to override one freeze overrides no other.
    world.rotator(&["plan", "--override-freeze", "--policy", "frozen.yaml", "--out", "free.rotator"]).exits(0);
    world.write("another.yaml", &policy(-2, 2));
    apply("free.rotator", &["--policy", "frozen.yaml", "--policy", "another.yaml"]).exits(5).says("another.yaml");
    assert_eq!(writes(&world), 0);
    // What a plan names as overridden is done, and said again.
    apply("free.rotator", &["--policy", "frozen.yaml"]).exits(0).says("In spite of a freeze").says("Apply complete!");
    // What held a plan back when it was made is no error of that plan: once it holds no more, all is done.
    world.write("rotator.yaml", &manifest("", 60));
    world.rotator(&["plan", "--policy", "frozen.yaml", "--out", "held.rotator"]).exits(5);
    apply("held.rotator", &["--policy", "frozen.yaml"]).exits(5);
    apply("held.rotator", &["--policy", "frozen.yaml", "--override-freeze"])
        .exits(0)
        .says("Apply complete!")
        .keeps_silent_about("leaves out");
}

/// Without it, what is written of freezes offline would be wrong or nothing: when windows meet one, that one is over, and where
/// an entry has it from.
#[test]
fn freezes_are_said_offline_too() {
    let world = world();
    world.write(
        "rotator.yaml",
        &format!(
            "{}freeze:\n  - {{from: \"2030-12-20\", to: \"2031-01-03\", reason: sale}}\n  - {{from: \"2020-01-01\", to: \"2020-01-02\"}}\n",
            manifest("", 30).replace("automatically_after_days: 30", "schedule_expression: \"cron(0 2 1 * ? *)\"")
        ),
    );
    world
        .rotator(&["schedule", "--from", "2030-12-01", "--count", "3"])
        .exits(0)
        .says("2030-12-20 to 2031-01-03")
        .says("AWS rotates in these windows all the same");
    world.rotator(&["schedule", "--from", "2031-02-01"]).exits(0).keeps_silent_about("FREEZE");
    world
        .rotator(&["explain", "secret.key"])
        .exits(0)
        .says("2030-12-20 to 2031-01-03 (sale)")
        .says("the root, for all");
    let over = "the freeze from 2020-01-01 to 2020-01-02 is over; remove it";
    world.rotator(&["validate", "--strict"]).exits(0).says(over);
    world.rotator(&["plan"]).exits(0).says(over);
}
