//! How a function's test ended: told from its log, or said to be unknown.

use super::support::{World, prepare_runtime};

const REPORTS: &str = "def lambda_handler(event, context):\n    ";

/// Two functions that a secret can rotate with, the first of them right, and the secret with it.
fn attached(second: &str) -> World {
    let world = World::new();
    prepare_runtime();
    world.create_secret("app/one", "first");
    world.write_signing_key("good/lambda_function.py");
    world.write("other/lambda_function.py", second);
    attach(&world, "good");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world
}

fn attach(world: &World, function: &str) {
    let manifest = format!(
        "version: 1
project: tested
functions: {{SecretsManagerGood: {{code: good}}, SecretsManagerOther: {{code: other}}}}
secrets: {{app/one: {{function: SecretsManager{function}, rotation: {{automatically_after_days: 30}}}}}}
",
        function = if function == "good" { "Good" } else { "Other" }
    );
    world.write("rotator.yaml", &manifest);
}

/// Without it, a function that raises in `testSecret` would be attached with "complete" and 0, and be noticed in a month.
#[test]
fn a_test_that_fails_is_said() {
    let world = attached(&format!("{REPORTS}raise RuntimeError('the API said 401')\n"));
    attach(&world, "other");
    let asked = ["apply", "--auto-approve", "--show-function-logs"];
    world
        .rotator(&asked)
        .exits(4)
        .says("failed: secret.app/one: testSecret failed at lambda_function.py:2, in lambda_handler: RuntimeError: the API said 401")
        .says("not every test has passed");
    // Unasked, nobody sees what may quote anything: the place, and the error's name, and where the rest is.
    attach(&world, "good");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("testSecret passed");
    attach(&world, "other");
    let output = world.rotator(&["apply", "--auto-approve"]).exits(4).says("in lambda_handler: RuntimeError\n");
    let command = output.all().lines().find_map(|line| line.trim().strip_prefix("aws logs ").map(str::to_owned));
    let command = command.expect("a command that shows the log");
    output.keeps_silent_about("the API said 401");
    let words: Vec<String> = command.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let words: Vec<&str> = ["logs"].into_iter().chain(words.iter().map(String::as_str)).collect();
    world.try_aws(&words).exits(0).says("the API said 401");
}

/// Without it, an apply would call a test passed that nobody has seen, or a pipeline be red where nothing is known to be wrong.
#[test]
fn a_test_that_nothing_tells_is_unverified() {
    let world = attached(&format!("{REPORTS}raise RuntimeError('no')\n"));
    let denied = r#"{"service":"logs","operation":"FilterLogEvents","error":{"status":400,"code":"AccessDeniedException","message":"User is not authorized to perform: logs:FilterLogEvents"}}"#;
    world.fault(denied);
    attach(&world, "other");
    world
        .rotator(&["apply", "--auto-approve"])
        .exits(0)
        .says("warning: 1 test is unverified: what the function logged can't be read")
        .says("logs:FilterLogEvents")
        .says("1 unverified");
    attach(&world, "good");
    world.rotator(&["apply", "--auto-approve", "--require-verified"]).exits(4).says("1 test is unverified");
}

/// Without it, a function that logs JSON, whose end Lambda says in words of its own, would never be known to have passed; and what
/// can't be loaded, or takes too long, names no secret.
#[test]
fn what_names_nothing_and_what_logs_json_is_understood() {
    for (code, says) in [
        // Not as a statement, which would be found before it runs.
        (format!("__import__('nothing_of_that_name')\n\n{REPORTS}pass\n"), "Runtime.ImportModuleError"),
        (format!("{REPORTS}import time; time.sleep(60)\n"), "Task timed out after"),
        ("import os\n\ndef lambda_handler(event, context):\n    os._exit(3)\n".to_owned(), "Runtime exited with error"),
    ] {
        let world = attached(&code);
        attach(&world, "other");
        let configure = ["lambda", "update-function-configuration", "--function-name", "SecretsManagerOther"];
        world.aws(&[&configure[..], &["--timeout", "1"]].concat());
        world.rotator(&["apply", "--auto-approve"]).exits(4).says(says);
        world.aws(&[&configure[..], &["--logging-config", "LogFormat=JSON"]].concat());
        attach(&world, "good");
        world.rotator(&["apply", "--auto-approve"]).exits(0).says("testSecret passed");
        attach(&world, "other");
        world.rotator(&["apply", "--auto-approve"]).exits(4).says("testSecret failed");
    }
}

/// What a function ran within two seconds before a request counts as possibly the request's own, since clocks differ.
fn let_clocks_pass() {
    std::thread::sleep(std::time::Duration::from_secs(3));
}

/// Without it, broken code would be uploaded to a live function with "complete", and be met by the next rotation, a month later.
#[test]
fn a_function_that_changes_is_tested_where_that_is_asked_for() {
    let world = World::new();
    prepare_runtime();
    world.create_secret("app/one", "first");
    world.write_signing_key("code/lambda_function.py");
    let manifest = |verify: &str| {
        format!(
            "version: 1\nproject: verified\nfunctions: {{SecretsManagerOne: {{code: code{verify}}}}}\nsecrets: {{app/one: {{function: SecretsManagerOne, rotation: {{schedule_expression: \"cron(0 4 1 1 ? *)\", duration: 3h}}}}}}\n"
        )
    };
    world.write("rotator.yaml", &manifest(""));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let version = world.version("app/one", "AWSCURRENT");
    let_clocks_pass();

    let broken = format!("{REPORTS}raise RuntimeError('no')\n");
    world.write("code/lambda_function.py", &broken);
    world.rotator(&["plan"]).exits(0).says("what changes first meets the next rotation of 1 secret");
    world.write("rotator.yaml", &manifest(", verify: true"));
    world.rotator(&["plan"]).exits(0).says("tests-now: app/one");
    world.rotator(&["apply", "--auto-approve"]).exits(4).says("testSecret failed at lambda_function.py:2");
    let_clocks_pass();
    world.write_signing_key("code/lambda_function.py");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("testSecret passed");
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    assert_eq!(world.version("app/one", "AWSCURRENT"), version, "a test changes no value");
}

/// A function with code in Git and a secret that it rotates, whose next window is far away.
fn in_git() -> World {
    let world = World::new();
    prepare_runtime();
    world.create_secret("app/one", "first");
    world.write_signing_key("code/lambda_function.py");
    world.write(
        "rotator.yaml",
        "version: 1\nproject: tested\nfunctions: {SecretsManagerOne: {code: code}}\nsecrets: {app/one: {function: SecretsManagerOne, rotation: {schedule_expression: \"cron(0 4 1 1 ? *)\", duration: 3h}}}\n",
    );
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    for arguments in [&["init", "--quiet"][..], &["add", "code", "rotator.yaml"], &["commit", "--quiet", "-m", "good"]]
    {
        git(&world, arguments);
    }
    let_clocks_pass();
    world
}

fn git(world: &World, arguments: &[&str]) {
    let mut command = world.program("git");
    command.args(["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "init.defaultBranch=main"]);
    super::support::output(command.args(arguments)).exits(0);
}

/// Without it, a pipeline would have to write `verify` into each manifest; or a plan that was reviewed with a test be applied without; or
/// whoever sees a failed test would look for the old code by hand, which AWS doesn't keep.
#[test]
fn a_flag_asks_for_tests_and_what_puts_the_old_code_back_is_said() {
    let world = in_git();
    let version = world.version("app/one", "AWSCURRENT");
    world.write("code/lambda_function.py", &format!("{REPORTS}raise RuntimeError('no')\n"));
    world.write("code/more.py", "");
    git(&world, &["add", "code"]);
    world.rotator(&["plan"]).exits(0).keeps_silent_about("tests-now");
    world.rotator(&["plan", "--verify", "--out", "plan.rotator"]).exits(0).says("tests-now: app/one");
    world.rotator(&["apply", "--verify", "plan.rotator"]).exits(1).says("a saved plan is applied as it stands");
    let ended = world.rotator(&["apply", "plan.rotator"]).exits(4).says("testSecret failed at lambda_function.py:2");
    let ended = ended.says("the old code is in commit");
    let command = ended.all().lines().find_map(|line| line.trim().strip_prefix("git ").map(str::to_owned));
    let command = command.expect("a command that puts the old code back");
    let words: Vec<String> = command.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    git(&world, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!world.path("code/more.py").exists(), "what is new goes, too: {command}");
    let_clocks_pass();
    world.rotator(&["apply", "--auto-approve", "--verify"]).exits(0).says("testSecret passed");
    world.rotator(&["plan", "--verify", "--detailed-exitcode"]).exits(0).says("No changes.");
    assert_eq!(world.version("app/one", "AWSCURRENT"), version, "a test changes no value");

    // Code that no commit has is said to be lost; programs are told the same.
    world.write("code/lambda_function.py", &format!("{REPORTS}pass\n"));
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let_clocks_pass();
    world.write("code/lambda_function.py", &format!("{REPORTS}raise RuntimeError('no')\n"));
    let ended = world.rotator(&["apply", "--auto-approve", "--verify", "--json"]).exits(4);
    let summary = ended.stdout.lines().rfind(|line| line.contains("failed_tests")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(summary).expect("a line of JSON");
    let before = &summary["rotator"]["failed_tests"][0]["before"];
    assert_eq!((before["commit"].as_str(), before["path"].as_str()), (None, Some("code")), "{summary}");
    assert!(before["code_sha256"].is_string(), "{summary}");
}

/// Without it, an apply that was ended between an upload and its test would be followed by "No changes", and the code be met by the next
/// rotation.
#[test]
fn a_test_that_an_apply_left_out_is_made_by_the_next() {
    let world = in_git();
    world.write("code/lambda_function.py", &format!("{REPORTS}raise RuntimeError('no')\n"));
    world.fault(r#"{"rules": [{"operation": "UpdateFunctionCode", "delay_ms": 1500, "times": 1}]}"#);
    let mut command = world.program(super::support::rotator_binary());
    let file = |name: &str| std::fs::File::create(world.path(name)).expect("a file");
    command.args(["apply", "--auto-approve", "--verify", "--verbose"]).stdout(file("out")).stderr(file("err"));
    let mut child = command.spawn().expect("rotator starts");
    let read = |name: &str| std::fs::read_to_string(world.path(name)).expect("a file");
    while !read("err").contains("function.SecretsManagerOne: code...") {
        assert_eq!(child.try_wait().expect("it is there"), None, "{}", read("err"));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    super::support::output(super::support::scrubbed("kill").arg(child.id().to_string())).exits(0);
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{}", read("err"));
    let said = "what is new of function.SecretsManagerOne wasn't tested: the same command, run again, tests it";
    assert!(read("out").contains(said), "{}{}", read("out"), read("err"));

    let again = ["apply", "--auto-approve", "--verify"];
    world.rotator(&["plan"]).exits(0).says("No changes.");
    world.rotator(&["plan", "--verify"]).exits(0).says("its function has changed, and wasn't tested well since");
    world.rotator(&again).exits(4).says("testSecret failed at lambda_function.py:2");
    let_clocks_pass();
    world.rotator(&again).exits(4).says("testSecret failed at lambda_function.py:2");
    let_clocks_pass();
    world.write_signing_key("code/lambda_function.py");
    world.rotator(&again).exits(0).says("testSecret passed");
    world.rotator(&["plan", "--verify", "--detailed-exitcode"]).exits(0).says("No changes.");
}
