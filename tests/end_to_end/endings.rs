//! How runs end that are told to, or that can't say what they have to say.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use super::support::{Output, World, output, rotator_binary, scrubbed};

const FUNCTION: &str = "SecretsManagerEnding";

fn world() -> World {
    let manifest = format!(
        "version: 1
project: ending
functions: {{{FUNCTION}: {{code: code}}}}
secrets: {{s: {{function: {FUNCTION}, rotation: {{automatically_after_days: 30}}}}}}
"
    );
    World::with_signing_key("s", &manifest)
}

/// A shell's script around the program, which is `$0`.
fn script(world: &World, script: &str) -> Output {
    output(world.program("bash").args(["-c", script, rotator_binary()]))
}

/// The commands that print data, with how they end where they can print it.
const PRINTING: [(&str, i32); 33] = [
    ("validate", 0),
    ("validate --format sarif", 0),
    ("plan", 0),
    ("plan --detailed-exitcode", 2),
    ("plan --format json", 0),
    ("plan --format markdown", 0),
    ("show a.plan", 0),
    ("explain function.SecretsManagerEnding", 0),
    ("schedule", 0),
    ("targets", 0),
    ("targets --format json", 0),
    ("permissions", 0),
    ("permissions --format json", 0),
    ("permissions --alarms cloudformation", 0),
    ("schema permissions", 0),
    ("schema", 0),
    ("schema status", 0),
    ("schema repair", 0),
    ("schema targets", 0),
    ("schema test", 0),
    ("test --only loads", 0),
    ("test --only loads --format junit", 0),
    ("status", 4),
    ("logs", 0),
    ("repair", 0),
    ("repair --format json", 0),
    ("import", 0),
    ("import --dry-run --format json", 0),
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

/// Without it, `plan | head` would end in an error for nothing.
#[test]
fn a_reader_that_goes_away_is_no_error_of_a_command_that_only_reads() {
    let world = world();
    world.rotator(&["plan", "--out", "a.plan"]).exits(0);
    for (command, code) in PRINTING {
        let gone = format!("$0 {command} | true; exit ${{PIPESTATUS[0]}}");
        script(&world, &gone).exits(code).keeps_silent_about("error");
    }
}

/// Without it, an apply whose report couldn't be written would look like a good one.
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

/// The lines of JSON that a command printed.
fn lines(ended: &Output) -> Vec<serde_json::Value> {
    let parsed = ended.stdout.lines().map(serde_json::from_str);
    parsed.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {}", ended.all()))
}

/// Without it, a program that reads a command's JSON would find nothing where it fails, and not know why.
#[test]
fn every_command_that_prints_json_says_there_why_it_fails() {
    let repository = super::review::Repository::new();
    let help = repository.rotator(&["--help"]).exits(0).stdout;
    let commands = help.lines().skip_while(|line| !line.ends_with("Commands:")).skip(1);
    let commands = commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next());
    let mut tried = Vec::new();
    for command in commands.filter(|command| *command != "help") {
        let help = repository.rotator(&[command, "--help"]).exits(0).stdout;
        let json: &[&str] = match (help.contains("--json"), help.contains("- json:")) {
            (true, _) => &["--json", "--auto-approve"],
            (_, true) => &["--format", "json"],
            _ => continue,
        };
        let wrong: &[&str] = match command {
            "show" => &["rotator.yaml"],
            "explain" => &["secret.mail/nobody"],
            _ => &["--target", "nobody"],
        };
        let ended = repository.rotator(&[&[command], json, wrong].concat()).exits(1).says("error: `");
        let lines = lines(&ended);
        let (kind, last) = (&lines[0]["type"], &lines[lines.len() - 1]);
        assert_eq!(kind, if json[0] == "--json" { "version" } else { "diagnostic" }, "{}", ended.all());
        let summary = last["diagnostic"]["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && ended.stderr.contains(summary), "{}", ended.all());
        assert_eq!((&last["diagnostic"]["severity"], &last["rotator"]["exit_code"]), (&"error".into(), &1.into()));
        tried.push(command.to_owned());
    }
    let asked =
        ["diff", "explain", "targets", "permissions", "import", "plan", "show", "apply", "rotate", "repair", "destroy"];
    assert_eq!(tried, [&asked[..], &["status", "logs", "test"]].concat());
    // What is wrong with files has its place.
    repository.edit("rotator.yaml", "{timeout: ", "{timeuot: ");
    for command in
        [&["apply", "--json", "--auto-approve"][..], &["plan", "--format", "json"], &["diff", "--format", "json"]]
    {
        let ended = repository.rotator(command).exits(1);
        let lines = lines(&ended);
        let found = lines.iter().find(|line| line["rotator"]["check"] == "unknown-field");
        let found = found.unwrap_or_else(|| panic!("{}", ended.all()));
        assert!(found["rotator"]["file"].as_str().is_some_and(|file| file.ends_with("rotator.yaml")), "{found}");
        assert_eq!((&found["type"], &found["rotator"]["line"]), (&"diagnostic".into(), &13.into()), "{found}");
    }
}

/// Without it, of several targets that fail, a program would learn of one, or take a part of the plan for the whole.
#[test]
fn each_target_that_fails_is_a_line_of_json() {
    let world = world();
    world.write(
        "rotator.yaml",
        "version: 1
project: p
targets: {a: {account: \"111111111111\"}, b: {account: \"222222222222\"}, c: {}}
functions: {f: {existing: f}}
secrets: {s: {function: f, rotation: {automatically_after_days: 30}}}
",
    );
    let ended = world.rotator(&["plan", "--format", "json"]).exits(1).says("target a: ").says("target b: ");
    let told = lines(&ended);
    assert!(told.iter().all(|line| line["type"] == "diagnostic"), "{}", ended.all());
    assert_eq!(told.len(), 2, "{}", ended.all());
    // People see what could be read.
    world.rotator(&["plan"]).exits(1).says("target a: ").says("target b: ").says("region us-east-1, target c: ");
    let ended = world.rotator(&["apply", "--json", "--auto-approve", "--all-targets"]).exits(1);
    let told = lines(&ended);
    let kinds: Vec<&str> = told.iter().filter_map(|line| line["type"].as_str()).take(3).collect();
    assert_eq!(kinds, ["version", "diagnostic", "diagnostic"], "{}", ended.all());
    assert!(told.iter().any(|line| line["type"] == "change_summary"), "c is planned all the same: {}", ended.all());
}

/// Without it, a program couldn't tell which planned change a step belongs to, where only some of several projects change.
#[test]
fn steps_name_resources_as_their_plan_does() {
    let world = world();
    world.create_secret("t", "first");
    let text = std::fs::read_to_string(world.path("rotator.yaml")).expect("the manifest");
    world.write("a/rotator.yaml", &text.replace("code: code", "code: code, shared: true"));
    world.write_signing_key("a/code/lambda_function.py");
    world.rotator(&["apply", "--auto-approve", "a"]).exits(0);
    let other = text
        .replace("ending", "other")
        .replace(&format!("{{{FUNCTION}: {{code: code}}}}"), "{g: {existing: SecretsManagerEnding}}");
    let other = other.replace(&format!("{{s: {{function: {FUNCTION}"), "{t: {function: g");
    world.write("b/rotator.yaml", &other);
    let ended = world.rotator(&["apply", "--json", "--auto-approve", "--all-targets", "a", "b"]).exits(0);
    let told = lines(&ended);
    let of = |kind: &str, place: &str| -> Vec<String> {
        let lines = told.iter().filter(|line| line["type"] == kind);
        lines.filter_map(|line| Some(line.pointer(place)?.as_str()?.to_owned())).collect()
    };
    let (planned, begun) = (of("planned_change", "/change/resource/addr"), of("apply_start", "/hook/resource/addr"));
    assert!(planned.iter().all(|address| address.starts_with("module.other.")), "{planned:?}");
    assert!(!begun.is_empty() && begun.iter().all(|address| planned.contains(address)), "{begun:?} of {planned:?}");
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
