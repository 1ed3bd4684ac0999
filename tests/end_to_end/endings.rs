//! How runs end that are told to, or that can't say what they have to say.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use super::support::{Output, World, output, rotator_binary, scrubbed};

const FUNCTION: &str = "SecretsManagerEnding";

fn world() -> World {
    let world = World::new();
    world.create_secret("s", "first");
    world.write_signing_key("code/lambda_function.py");
    let manifest = format!(
        "version: 1
project: ending
functions: {{{FUNCTION}: {{code: code}}}}
secrets: {{s: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}}}
"
    );
    world.write("rotator.yaml", &manifest);
    world
}

/// A shell's script around the program, which is `$0`.
fn script(world: &World, script: &str) -> Output {
    output(world.program("bash").args(["-c", script, rotator_binary()]))
}

/// The commands that print data, with how they end where they can print it.
const PRINTING: [(&str, i32); 15] = [
    ("validate", 0),
    ("validate --format sarif", 0),
    ("plan", 0),
    ("plan --detailed-exitcode", 2),
    ("plan --format json", 0),
    ("plan --format markdown", 0),
    ("show a.plan", 0),
    ("explain function.SecretsManagerEnding", 0),
    ("schedule", 0),
    ("schema", 0),
    ("schema plan", 0),
    ("completions bash", 0),
    ("man", 0),
    ("--help", 0),
    ("--version", 0),
];

/// Without it, a pipeline that saves a plan, a schema or a list to a full disk would go on with half of it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_every_command_that_prints() {
    let world = world();
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    for (command, code) in PRINTING {
        script(&world, &format!("$0 {command} > /dev/full")).exits(1);
        script(&world, &format!("$0 {command}")).exits(code);
    }
    // Warnings that went nowhere, too.
    script(&world, "$0 plan 2> /dev/full").exits(0);
    script(&world, "$0 plan --out b.plan 2> /dev/full").exits(1);
    // What couldn't be shown isn't done.
    script(&world, "$0 apply --auto-approve > /dev/full").exits(1).says("nothing was changed");
    assert!(!world.calls().iter().any(|call| call.ends_with("CreateCloudFormationChangeSet")));
}

/// Without it, `plan | head` would end in an error that concerns nobody.
#[test]
fn a_reader_that_goes_away_is_no_error_of_a_command_that_only_reads() {
    let world = world();
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    for (command, code) in PRINTING {
        let gone = format!("$0 {command} | true; exit ${{PIPESTATUS[0]}}");
        script(&world, &gone).exits(code).keeps_silent_about("error");
    }
}

/// Without it, an apply whose report nobody could read would look like one that was read and found good.
#[cfg(target_os = "linux")]
#[test]
fn an_apply_whose_report_is_lost_ends_in_an_error_and_says_it_where_it_can() {
    for (destination, json) in [("/dev/full", ""), ("/dev/full", "--json"), ("pipe", ""), ("pipe", "--json")] {
        let world = world();
        world.rotator(&["plan", "--out", "a.plan"]).exits(0);
        // A saved plan isn't shown again: as text, the report is the first that is written.
        let command = match destination {
            "pipe" => format!("$0 apply a.plan {json} | true; exit ${{PIPESTATUS[0]}}"),
            file => format!("$0 apply a.plan {json} > {file}"),
        };
        let ended = script(&world, &command).exits(1);
        if json.is_empty() {
            ended.says("error: the report can't be written where it should go").says("Apply complete! 2 applied.");
            // What ran was finished.
            assert!(world.version("s", "AWSPREVIOUS").is_some(), "the secret has rotated");
        } else {
            ended.says("error: cannot write").says("nothing was changed");
            assert!(world.version("s", "AWSPREVIOUS").is_none(), "nothing was changed");
        }
    }
    // A reader that takes the plan and goes away.
    let world = world();
    script(&world, "$0 apply --auto-approve --json | head -1; exit ${PIPESTATUS[0]}").exits(1).says("error: ");
}

/// Starts an apply, and waits until it has begun to change something.
fn begun(world: &World, shell: &str) -> std::process::Child {
    let out = || File::create(world.path("out")).expect("a file");
    let mut command = world.program("bash");
    command.args(["-c", shell, rotator_binary()]);
    let child = command.stdout(out()).stderr(File::create(world.path("err")).expect("a file")).spawn();
    let child = child.expect("bash");
    world.wait_for_calls("CreateCloudFormationChangeSet", 1);
    child
}

fn signal(name: &str, child: &std::process::Child) {
    output(scrubbed("kill").args([name, &child.id().to_string()])).exits(0);
}

fn said(world: &World) -> String {
    let mut text = String::new();
    for name in ["out", "err"] {
        File::open(world.path(name)).and_then(|mut file| file.read_to_string(&mut text)).expect("a file");
    }
    text
}

/// Without it, a closed lid or a lost connection would end an apply in the middle of a step, without a report.
#[test]
fn a_hang_up_ends_an_apply_in_good_order() {
    let world = world();
    world.fault(r#"{"rules": [{"operation": "DescribeChangeSet", "delay_ms": 2000, "times": 1}]}"#);
    let mut child = begun(&world, "exec $0 apply --auto-approve");
    // The system sends one, and the shell another.
    for _ in 0..2 {
        signal("-HUP", &child);
    }
    let code = child.wait().expect("it ends").code();
    let said = said(&world);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted: no new step was begun after it"), "{said}");
    assert!(world.version("s", "AWSPREVIOUS").is_none(), "no new step began");
    // What had begun is done.
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(world.calls().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count(), 1);
}

/// Without it, an apply that doesn't end would have to be killed.
#[test]
fn a_second_wish_to_end_ends_at_once() {
    let world = world();
    world.fault(r#"{"rules": [{"operation": "DescribeChangeSet", "delay_ms": 600000, "times": 1}]}"#);
    let mut child = begun(&world, "exec $0 apply --auto-approve");
    signal("-HUP", &child);
    while !said(&world).contains("Interrupted") {
        assert!(child.try_wait().expect("a child").is_none(), "{}", said(&world));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    signal("-TERM", &child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{}", said(&world));
}

/// Without it, `nohup` would no longer do what it is for.
#[cfg(target_os = "linux")]
#[test]
fn an_apply_under_nohup_goes_on() {
    let world = world();
    world.fault(r#"{"rules": [{"operation": "DescribeChangeSet", "delay_ms": 2000, "times": 1}]}"#);
    let mut child = begun(&world, "exec nohup $0 apply --auto-approve");
    signal("-HUP", &child);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{}", said(&world));
    assert!(said(&world).contains("Apply complete!"), "{}", said(&world));
}

/// Without it, the state of a sandbox in a terminal that is closed would be lost.
#[test]
fn a_hang_up_ends_a_sandbox_with_its_state_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let mut command: Command = scrubbed(rotator_binary());
    command.args(["sandbox", "start", "--listen", "127.0.0.1:0", "--state"]).arg(&state);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the sandbox starts");
    let mut first = [0];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("it listens");
    signal("-HUP", &child);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(state.exists(), "the state is saved");
}
