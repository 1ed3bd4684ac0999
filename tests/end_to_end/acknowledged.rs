//! Acknowledged warnings leave the plan until their day, and are counted there.

use chrono::{Days, Utc};

use super::review::Repository;
use super::support::World;

/// A day so many days from now, in UTC.
fn day(ahead: u64) -> String {
    Utc::now().date_naive().checked_add_days(Days::new(ahead)).expect("a day").to_string()
}

fn manifest(acknowledge: &str) -> String {
    format!(
        "version: 1
project: acknowledged
functions: {{F: {{code: code, timeout: 20}}}}
secrets: {{app/one: {{function: F, rotation: {{automatically_after_days: 30}}}}}}
{acknowledge}"
    )
}

pub fn acknowledge(warning: &str, at: &str, until: &str) -> String {
    format!("acknowledge: [{{warning: {warning}, at: [\"{at}\"], reason: the template's own, until: \"{until}\"}}]\n")
}

/// Without it, a warning that can't be mended would teach people to read none; or one that was acknowledged once be silent for ever.
#[test]
fn what_is_acknowledged_is_counted_and_not_repeated() {
    let world = World::new();
    world.create_secret("app/one", "first");
    world.write_signing_key("code/lambda_function.py");
    world.write("rotator.yaml", &manifest(""));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let unscoped = "lets Secrets Manager invoke it for any account";
    world.rotator(&["plan"]).exits(0).says(unscoped);
    let soon = day(30);
    world.write("rotator.yaml", &manifest(&acknowledge("permission-unscoped", "function.F", &soon)));
    let said = format!("1 warning acknowledged until {soon}: permission-unscoped (the template's own; ");
    world.rotator(&["plan"]).exits(0).says(&said).keeps_silent_about(unscoped);
    world
        .rotator(&["plan", "--format", "markdown"])
        .exits(0)
        .says("1 warning acknowledged until")
        .keeps_silent_about(unscoped);
    let json = world.rotator(&["plan", "--format", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let text = json.to_string();
    assert!(text.contains("\"acknowledged\":1") && !text.contains(unscoped), "{text}");
    // Its day is over; it is about nothing; it is too far ahead.
    world.write("rotator.yaml", &manifest(&acknowledge("permission-unscoped", "function.F", "2026-01-31")));
    world.rotator(&["plan"]).exits(0).says("has ended with 2026-01-31").says(unscoped);
    world.write("rotator.yaml", &manifest(&acknowledge("permission-unscoped", "function.G", &soon)));
    world.rotator(&["plan"]).exits(0).says("is about nothing").says(unscoped);
    world.write("rotator.yaml", &manifest(&acknowledge("permission-unscoped", "function.F", &day(400))));
    world.rotator(&["plan"]).exits(1).says("is more than a year ahead").says("rotator.yaml:");
    world.rotator(&["validate"]).exits(1).says("is more than a year ahead");
}

/// Without it, whoever reviews a change would not see that it silences warnings, or silences them for longer.
#[test]
fn a_new_or_longer_one_weakens() {
    let repository = Repository::new();
    let (short, long) =
        (acknowledge("runtime-stops", "function.*", &day(30)), acknowledge("runtime-stops", "function.*", &day(60)));
    let before = repository.read("rotator.yaml");
    repository.write("rotator.yaml", &format!("{before}{short}"));
    let diff = ["diff", "HEAD", "--detailed-exitcode"];
    repository.rotator(&diff).exits(2).says("! acknowledge weakened: ").says("runtime-stops at function.*");
    repository.commit("acknowledged");
    repository.edit("rotator.yaml", &short, &long);
    repository.rotator(&diff).exits(2).says("! acknowledge weakened: ");
    repository.commit("longer");
    repository.edit("rotator.yaml", &long, &short);
    repository.rotator(&diff).exits(2).says("acknowledge tightened").keeps_silent_about("weakened");
}
