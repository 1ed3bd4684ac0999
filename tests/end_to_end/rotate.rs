//! Other values now: `rotate`.

use super::support::{World, prepare_runtime, rotator_binary};

/// A manifest of so many secrets of one function.
fn manifest(secrets: usize) -> String {
    let entry = |number| {
        format!("  app/{number}: {{function: SecretsManagerOne, rotation: {{automatically_after_days: 30}}}}\n")
    };
    let entries = (1..=secrets).map(entry).collect::<Vec<_>>().concat();
    format!("version: 1\nproject: rotated\nfunctions: {{SecretsManagerOne: {{code: code}}}}\nsecrets:\n{entries}")
}

/// Secrets that rotate, with nothing left to do.
fn world(secrets: usize) -> World {
    let world = World::new();
    prepare_runtime();
    for number in 1..=secrets {
        world.create_secret(&format!("app/{number}"), "first");
    }
    world.write_signing_key("code/lambda_function.py");
    world.write("rotator.yaml", &manifest(secrets));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world
}

/// The id that a run has printed first.
fn run_id(stdout: &str) -> String {
    let line = stdout.lines().next().expect("a line");
    line.strip_prefix("Run ").unwrap_or_else(|| panic!("no id first: {stdout}")).to_owned()
}

fn current(world: &World, number: usize) -> Option<String> {
    world.version(&format!("app/{number}"), "AWSCURRENT")
}

/// Without it, a leaked secret could be given another value in AWS's console alone; or a run that goes on would rotate twice what it
/// has rotated.
#[test]
fn secrets_get_other_values_now_and_a_run_that_goes_on_rotates_none_twice() {
    let world = world(2);
    let before = (current(&world, 1), current(&world, 2));
    let ran = world
        .rotator(&["rotate", "--auto-approve", "--secret", "app/1"])
        .exits(0)
        .says("! 1 secret rotates now  (rotates-now: app/1)")
        .says("Plan: 1 secret to rotate.");
    let id = run_id(&ran.stdout);
    let after = (current(&world, 1), current(&world, 2));
    assert_ne!(after.0, before.0);
    assert_eq!(after.1, before.1, "the other one isn't asked for");
    let again = ["rotate", "--auto-approve", "--secret", "app/1", "--resume", &id];
    world.rotator(&again).exits(0).says("this run has rotated it already").says("There is nothing to rotate.");
    // The value that is the previous one by now was this run's too.
    world.rotator(&["rotate", "--auto-approve", "--secret", "app/1"]).exits(0);
    let after = current(&world, 1);
    world.rotator(&again).exits(0).says("this run has rotated it already");
    assert_eq!(current(&world, 1), after);
    // The other one was rotated after the run began, by other means.
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.rotator(&["rotate", "--auto-approve", "--secret", "app/2"]).exits(0);
    let after = current(&world, 2);
    world.rotator(&["rotate", "--auto-approve", "--resume", &id]).exits(0).says("its value is newer than this run");
    assert_eq!(current(&world, 2), after);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, what a team forbids, freezes or limits would hold for `apply` alone, and a pipeline could rotate a fleet by another command.
#[test]
fn what_holds_for_an_apply_holds_for_it() {
    let world = world(3);
    let calls = || world.callers().0.iter().filter(|call| *call == "RotateSecret").count();
    let before = calls();
    let ask = |more: &[&str]| world.rotator(&[&["rotate", "--auto-approve"], more].concat());
    ask(&["--max-rotations", "2"]).exits(5).says("3 secrets would rotate now");
    world.write("p.yaml", "version: 1\npolicy: [{name: no-rotations, forbid: [rotates-now]}]\n");
    ask(&["--policy", "p.yaml"]).exits(5).says("no-rotations");
    let own = manifest(3);
    world
        .write("rotator.yaml", &format!("{own}freeze: [{{from: \"2020-01-01\", to: \"2099-12-31\", reason: sale}}]\n"));
    ask(&[]).exits(5).says("a freeze holds the plan back");
    world.write("rotator.yaml", &format!("{own}limits: {{rotating_now: 2}}\n"));
    ask(&[]).exits(5).says("limit is exceeded");
    assert_eq!(calls(), before, "nothing was asked for");
    ask(&["--secret", "app/[12]"]).exits(0).says("Rotate complete! 2 rotated.");
    assert_eq!(calls(), before + 2);
    ask(&["--secret", "app/9"]).exits(1).says("`--secret app/9` matches nothing");
    world.rotator(&["rotate"]).exits(1).says("there is no terminal to ask for approval");
}

/// Without it, a secret whose rotation was switched off would be switched on unasked.
#[test]
fn rotation_is_switched_on_only_where_that_is_asked_for() {
    let world = world(1);
    world.aws(&["secretsmanager", "cancel-rotate-secret", "--secret-id", "app/1"]);
    let before = current(&world, 1);
    world.rotator(&["rotate", "--auto-approve"]).exits(1).says("its rotation is off").says("--enable");
    assert_eq!(current(&world, 1), before);
    world.rotator(&["rotate", "--auto-approve", "--enable"]).exits(0).says("starts-rotation: app/1");
    assert_ne!(current(&world, 1), before);
    assert_eq!(world.describe("app/1")["RotationEnabled"], true);
}

/// Without it, a rotation that breaks a service would break all of them before anybody saw the first.
#[test]
fn no_wave_begins_after_too_many_failures() {
    let world = world(4);
    let before: Vec<_> = (1..=4).map(|number| current(&world, number)).collect();
    let ended = world
        .rotator(&["rotate", "--auto-approve", "--wave", "25%", "--pause", "1s", "--verbose"])
        .exits(0)
        .says("A wave is over: the next one begins in 1s");
    assert!(ended.stdout.contains("Rotate complete! 4 rotated."), "{}", ended.all());
    let after: Vec<_> = (1..=4).map(|number| current(&world, number)).collect();
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));

    let broken = "def lambda_handler(event, context):\n    raise RuntimeError('no')\n";
    world.write("code/lambda_function.py", broken);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let ended = world
        .rotator(&["rotate", "--auto-approve", "--wave", "2", "--max-failures", "1", "--rotation-timeout", "5s"])
        .exits(4)
        .says("stopped: no wave was begun after 2 rotations")
        .says("2 not attempted");
    let pending = (1..=4).filter(|number| world.version(&format!("app/{number}"), "AWSPENDING").is_some()).count();
    assert_eq!(pending, 2, "{}", ended.all());
    // What is printed goes on: it watches what was begun, and does the rest.
    world.write_signing_key("code/lambda_function.py");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let all = ended.all();
    let mut commands = all.lines().filter_map(|line| line.trim().strip_prefix("rotator "));
    let command = commands.find(|command| command.contains("--resume")).expect("a command that goes on");
    let words: Vec<String> = command.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    world.rotator(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    let last: Vec<_> = (1..=4).map(|number| current(&world, number)).collect();
    assert!(last.iter().zip(&after).all(|(last, after)| last != after), "{last:?} {after:?}");
}

/// Without it, a run that is stopped would be followed by another one that rotates twice.
#[test]
fn a_run_that_is_interrupted_says_how_it_goes_on() {
    let world = world(3);
    world.fault(r#"{"rules": [{"operation": "RotateSecret", "delay_ms": 1500, "times": 1}]}"#);
    let mut command = world.program(rotator_binary());
    let file = |name: &str| std::fs::File::create(world.path(name)).expect("a file");
    command.args(["rotate", "--auto-approve", "--wave", "1", "--json"]).stdout(file("out")).stderr(file("err"));
    let asked = || world.callers().0.iter().filter(|call| *call == "RotateSecret").count();
    let before: Vec<_> = (1..=3).map(|number| current(&world, number)).collect();
    let (asked_before, mut child) = (asked(), command.spawn().expect("rotator starts"));
    while !std::fs::read_to_string(world.path("out")).expect("a file").contains("apply_start") {
        assert_eq!(child.try_wait().expect("it is there"), None);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // The line comes before the call, which takes longer than this.
    std::thread::sleep(std::time::Duration::from_millis(500));
    super::support::output(super::support::scrubbed("kill").arg(child.id().to_string())).exits(0);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let out = std::fs::read_to_string(world.path("out")).expect("a file");
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let id = lines[1]["rotator"]["run"].as_str().expect("the run's id, before anything else").to_owned();
    let again = lines.last().expect("a line")["rotator"]["again"].as_str().expect("how it goes on").to_owned();
    assert!(again.ends_with(&format!("--resume {id}")), "{again}");
    // AWS goes on with what was begun. One that hadn't ended yet would be waited for, and counted.
    for _ in 0..200 {
        if current(&world, 1) != before[0] {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    world.rotator(&["rotate", "--auto-approve", "--resume", &id]).exits(0).says("Rotate complete! 2 rotated.");
    assert!((1..=3).all(|number| current(&world, number) != before[number - 1]));
    assert_eq!(asked() - asked_before, 3, "none is asked for twice");
}
