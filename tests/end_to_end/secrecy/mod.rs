//! Secrets stay secret: marked values are planted wherever a private value can be, everything is run, and everything that comes
//! out is searched.
//!
//! `cargo test --test end_to_end secrecy -- --include-ignored --nocapture` runs every command at every log level, and prints how
//! much was planted, run and searched.

mod broken;
mod credentials;
mod hostile;
mod marks;
mod stage;

use std::process::{Command, Stdio};

use crate::support::{World, repository};
use stage::Stage;

/// The application with a parameter that AWS never shows.
const WITH_TOKEN: &str = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/RotationWithToken";

/// Every way to say more or less.
const LEVELS: [&[&str]; 5] = [&[], &["-q"], &["-v"], &["-vv"], &["-vvv"]];

/// A stage with a manifest whose private values are all marked, in a Git repository with a history.
struct Planted {
    stage: Stage,
    secret_key: String,
    token: String,
    /// The values that the manifest sends, with their names.
    sent: Vec<(&'static str, String)>,
}

impl Planted {
    fn new() -> Self {
        let mut stage = Stage::new();
        let secret_key = stage.marks.plain("AWS_SECRET_ACCESS_KEY");
        let token = stage.marks.plain("AWS_SESSION_TOKEN");
        // The history holds other values: a comparison reads both.
        for _ in 0..2 {
            write_manifest(&mut stage, "repo");
            commit(&stage);
        }
        let sent = write_manifest(&mut stage, "repo");
        plant_secrets(&mut stage);
        plant_terraform(&mut stage);
        Self { stage, secret_key, token, sent }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stage.signed(&self.secret_key, &self.token);
        command.args(arguments);
        command
    }
}

/// Writes the manifest with new marks; the answer is what it sends to AWS.
fn write_manifest(stage: &mut Stage, folder: &str) -> Vec<(&'static str, String)> {
    let own = stage.marks.value("an environment value");
    let shared = stage.marks.value("an environment value of the defaults");
    let parts = stage.marks.value("an environment value of a part");
    let plain = stage.marks.value("a variable");
    let from_file = stage.marks.value("a variable of a file");
    let lines = stage.marks.lines("an environment value of several lines");
    let parameter = stage.marks.value("a NoEcho parameter");
    let json = |text: &str| serde_json::Value::from(text).to_string();
    stage.write(
        &format!("{folder}/rotator.yaml"),
        format!(
            "version: 1
project: secrecy
include: [part.yaml]
defaults:
  functions: {{environment: {{SHARED: {shared}}}}}
  secrets: {{rotation: {{automatically_after_days: 30}}}}
targets:
  here: {{region: us-east-1, account: \"123456789012\", vars: {{plain: {plain}}}, vars_from: vars.json}}
functions:
  SecretsManagerOne:
    code: code
    timeout: 40
    environment:
      KEY_LENGTH: \"64\"
      OWN: {own}
      FROM_VARS: ${{plain}}
      FROM_FILE: before-${{token}}-after
      LINES: |
        {lines}
  SecretsManagerToken:
    application: {{id: \"{WITH_TOKEN}\", parameters: {{apiToken: {parameter}}}}}
secrets:
  secrecy/one: {{function: SecretsManagerOne}}
  secrecy/binary: {{function: SecretsManagerOne, rotation: {{enabled: false}}}}
",
            shared = json(&shared),
            plain = json(&plain),
            own = json(&own),
            parameter = json(&parameter),
            lines = lines.join("\n        "),
        ),
    );
    stage.write(
        &format!("{folder}/part.yaml"),
        format!(
            "functions:
  # The stack of this version lets no one invoke the function.
  SecretsManagerPart: {{application: {{version: 1.1.500}}, code: code, environment: {{PART: {}}}, labels: {{team: one}}}}
secrets:
  secrecy/part: {{function: SecretsManagerPart, rotation: {{schedule_expression: 'cron(0 4 ? * SUN *)'}}}}
",
            json(&parts)
        ),
    );
    stage.write(&format!("{folder}/vars.json"), serde_json::json!({"token": from_file}).to_string());
    stage.write(&format!("{folder}/code/lambda_function.py"), crate::support::signing_key());
    vec![
        ("OWN", own),
        ("SHARED", shared),
        ("PART", parts),
        ("FROM_VARS", plain),
        ("FROM_FILE", format!("before-{from_file}-after")),
        ("LINES", lines.join("\n")),
        ("apiToken", parameter),
    ]
}

/// Secrets with marked values in all of their versions.
fn plant_secrets(stage: &mut Stage) {
    let mut text = |name: &str| stage.marks.value(name);
    let values = [text("AWSPREVIOUS"), text("AWSCURRENT"), text("a part's secret"), text("AWSPENDING")];
    let binary = text("a binary secret");
    stage.write("state/binary", &binary);
    let world = &stage.world;
    world.create_secret("secrecy/one", &values[0]);
    world.aws(&["secretsmanager", "put-secret-value", "--secret-id", "secrecy/one", "--secret-string", &values[1]]);
    world.create_secret("secrecy/part", &values[2]);
    let file = format!("fileb://{}", stage.path("state/binary").display());
    world.aws(&["secretsmanager", "create-secret", "--name", "secrecy/binary", "--secret-binary", &file]);
    let pending = ["--version-stages", "AWSPENDING", "--secret-string", &values[3]];
    world.aws(&[&["secretsmanager", "put-secret-value", "--secret-id", "secrecy/binary"], &pending[..]].concat());
}

/// What Terraform shows of its state, and what people give in its place by mistake: each holds values.
const TERRAFORM: [&str; 6] = ["show.json", "sorted.json", "plan.json", "terraform.tfstate", "cut.json", "show.txt"];

fn plant_terraform(stage: &mut Stage) {
    let described = stage.world.aws(&["secretsmanager", "describe-secret", "--secret-id", "secrecy/one"]);
    let arn = described["ARN"].as_str().expect("an ARN").to_owned();
    let mut mark = |name: &str| stage.marks.value(name);
    let version = serde_json::json!({"id": arn, "arn": arn, "secret_id": arn, "secret_string": mark("a value in Terraform's state")});
    let database = serde_json::json!({"id": mark("an id"), "arn": mark("an ARN"), "password": mark("a password")});
    let function = serde_json::json!({"arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "id": mark("a function's id"),
        "environment": [{"variables": {"TOKEN": mark("a variable in Terraform's state")}}]});
    let rotation = serde_json::json!({"id": arn, "secret_id": arn, "rotation_lambda_arn": "", "rotate_immediately": mark("an odd attribute")});
    let output = mark("an output");
    // In the order that Terraform writes.
    let resource = |kind: &str, values: &serde_json::Value| {
        format!(
            r#"{{"address":"{kind}.x","mode":"managed","type":"{kind}","name":"x","values":{values},"sensitive_values":{values}}}"#
        )
    };
    let resources = [
        resource("aws_secretsmanager_secret_version", &version),
        resource("aws_db_instance", &database),
        resource("aws_lambda_function", &function),
        resource("aws_secretsmanager_secret_rotation", &rotation),
    ];
    let root = format!(r#"{{"resources":[{}]}}"#, resources.join(","));
    let outputs = serde_json::json!({"o": {"sensitive": true, "value": output}});
    let shown = format!(
        r#"{{"format_version":"1.0","terraform_version":"1.11.4","values":{{"outputs":{outputs},"root_module":{root}}}}}"#
    );
    let sorted: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let cut = shown.find("a value").or_else(|| shown.find("secret_string")).expect("it is there") + 30;
    stage.write("state/show.json", &shown);
    stage.write("state/sorted.json", sorted.to_string());
    stage.write("state/plan.json", format!(r#"{{"format_version":"1.2","prior_state":{shown}}}"#));
    stage.write("state/terraform.tfstate", format!(r#"{{"outputs":{outputs},"version":4,"resources":{root}}}"#));
    stage.write("state/cut.json", &shown[..cut]);
    stage.write("state/show.txt", format!("# x:\npassword = \"{output}\"\n"));
}

fn git(stage: &Stage, arguments: &[&str]) {
    let mut git = crate::support::scrubbed("git");
    git.current_dir(stage.path("repo")).env("HOME", stage.path("state"));
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]);
    crate::support::output(git.args(arguments)).exits(0);
}

fn commit(stage: &Stage) {
    if !stage.path("repo/.git").exists() {
        git(stage, &["init", "-q"]);
    }
    git(stage, &["add", "."]);
    git(stage, &["commit", "-q", "-m", "a change"]);
}

/// Commands that change nothing, each as its arguments.
fn reading_commands(manifest: &str, plan: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut add = |words: &[&str]| commands.push(words.iter().map(|word| (*word).to_owned()).collect());
    for format in ["text", "sarif", "github"] {
        add(&["validate", manifest, "--strict", "--format", format]);
    }
    for format in ["text", "json", "markdown"] {
        add(&["plan", manifest, "--detailed-exitcode", "--format", format]);
        add(&["plan", manifest, "--destroy", "--format", format]);
        add(&["status", manifest, "--format", format]);
        if format != "markdown" {
            add(&["logs", manifest, "--format", format]);
        }
        add(&["show", plan, "--format", format]);
        add(&["diff", "HEAD", manifest, "--format", format]);
        add(&["diff", "HEAD~1..HEAD", manifest, "--format", format]);
    }
    add(&["plan", manifest, "--compact", "--color", "always"]);
    for address in ["function.SecretsManagerOne", "function.SecretsManagerPart", "function.SecretsManagerToken"] {
        for format in ["text", "json"] {
            add(&["explain", address, manifest, "--format", format]);
        }
    }
    add(&["explain", "secret.secrecy/one", manifest]);
    add(&["schedule", manifest]);
    for format in ["text", "json", "junit"] {
        add(&["test", manifest, "--only", "loads", "--only", "log", "--format", format]);
    }
    add(&["targets", manifest]);
    add(&["targets", manifest, "--format", "json"]);
    for format in ["text", "json", "markdown"] {
        add(&["permissions", manifest, "--format", format, "--trust", "github:acme/rotation"]);
    }
    add(&["permissions", manifest, "--alarms", "terraform"]);
    add(&["repair", manifest]);
    add(&["repair", manifest, "--format", "json"]);
    add(&["status", manifest, "--all", "--strict", "-v"]);
    for format in ["text", "json"] {
        add(&["import", manifest, "--adopt", "--dry-run", "--format", format]);
        add(&["import", manifest, "--unrotated", "--format", format]);
        for file in TERRAFORM {
            let (root, file) = (if format == "text" { manifest } else { "not-there" }, format!("../state/{file}"));
            add(&["import", root, "--from-terraform", &file, "--dry-run", "--format", format]);
        }
    }
    for format in ["junit", "html"] {
        add(&["status", manifest, "--all", "--format", format]);
    }
    for what in ["manifest", "policy", "plan", "status", "repair", "targets", "permissions", "test"] {
        add(&["schema", what]);
    }
    for shell in ["bash", "zsh", "fish"] {
        add(&["completions", shell]);
    }
    add(&["man"]);
    // What is there already refuses it.
    let folder = manifest.trim_end_matches("/rotator.yaml");
    add(&["init", "password", "--into", folder, "--secret", "secrecy/one"]);
    add(&["apply", manifest]);
    add(&["destroy", manifest]);
    add(&["--help"]);
    commands
}

/// Runs all that reads, at the given levels, and saves plans.
fn read_everything(planted: &Planted, plan: &str, levels: &[&[&str]]) {
    let manifest = planted.stage.path("repo/rotator.yaml");
    let manifest = manifest.to_str().expect("a path of ours");
    planted.stage.run(planted.command(&["plan", manifest, "--out", plan]).arg("-vv")).exits(0);
    let mut commands = Vec::new();
    for words in reading_commands(manifest, plan) {
        for level in levels {
            let mut command = planted.command(level);
            command.args(&words);
            commands.push(command);
        }
    }
    planted.stage.run_all(commands);
}

/// What a whole life looks like: planned, applied in every way, drifted, failed, destroyed.
fn live(planted: &mut Planted, levels: &[&[&str]]) {
    let manifest = planted.stage.path("repo/rotator.yaml").to_str().expect("a path of ours").to_owned();
    let before = planted.stage.fingerprint("repo");
    read_everything(planted, "create.plan", levels);
    assert_eq!(planted.stage.fingerprint("repo"), before, "reading changed the manifests' folder");

    // The first time by a saved plan, then at each level, with a change each: in lines of JSON where there is a place for it.
    planted.stage.run(planted.command(&["apply", "create.plan"]).arg("-vv")).exits(0).says("Apply complete!");
    for (index, level) in levels.iter().enumerate() {
        planted.sent = write_manifest(&mut planted.stage, "repo");
        let mut apply = planted.command(level);
        apply.args(["apply", &manifest, "--auto-approve"]);
        if index % 2 == 1 {
            apply.arg("--json");
        }
        planted.stage.run(&mut apply).exits(0);
    }
    // What AWS has now that no manifest names: a variable that somebody set by hand, and an address that leads to the code.
    let live = planted.stage.marks.value("a live environment value");
    let variables = serde_json::json!({"Variables": {"BY_HAND": live, "OWN": "moved"}}).to_string();
    let configure = ["lambda", "update-function-configuration", "--function-name", "SecretsManagerOne"];
    planted.stage.world.aws(&[&configure[..], &["--environment", &variables]].concat());
    let location = planted.stage.world.aws(&["lambda", "get-function", "--function-name", "SecretsManagerOne"]);
    let location = location["Code"]["Location"].as_str().and_then(|url| url.rsplit('/').next()).expect("an address");
    planted.stage.marks.foreign("a presigned address", location);
    // Other code, so that the live one is downloaded through that address.
    planted.stage.write("repo/code/lambda_function.py", crate::support::signing_key() + "\n# one line more\n");
    read_everything(planted, "drift.plan", levels);
    planted.stage.run(&mut planted.command(&["apply", "drift.plan", "-vvv"])).exits(0);
    // A plan that no longer holds says which attribute moved, and from what to what.
    planted.sent = write_manifest(&mut planted.stage, "repo");
    planted.stage.run(&mut planted.command(&["plan", &manifest, "--out", "stale.plan"])).exits(0);
    let variables = serde_json::json!({"Variables": {"BY_HAND": live, "OWN": "moved again"}}).to_string();
    planted.stage.world.aws(&[&configure[..], &["--environment", &variables]].concat());
    planted.stage.run(&mut planted.command(&["apply", "stale.plan", "-vv"])).exits(3).says("no longer holds");
    planted.stage.run(&mut planted.command(&["apply", "stale.plan", "--json"])).exits(3);
}

/// Takes it all away again, and looks at who called what: the check that every test makes at its end (`World::drop`) must not be
/// blind.
fn end(planted: Planted) {
    let manifest = planted.stage.path("repo/rotator.yaml").to_str().expect("a path of ours").to_owned();
    planted.stage.run(&mut planted.command(&["destroy", &manifest, "--auto-approve", "-vv"])).exits(0);
    let (tool, others) = planted.stage.world.callers();
    for operation in ["DescribeSecret", "RotateSecret", "UpdateFunctionConfiguration"] {
        assert!(tool.iter().any(|called| called == operation), "the tool called {operation}: {tool:?}");
    }
    for operation in ["GetSecretValue", "PutSecretValue", "GetRandomPassword"] {
        assert!(others.iter().any(|called| called == operation), "functions called {operation}: {others:?}");
        assert!(!tool.iter().any(|called| called == operation), "the tool called {operation}");
    }
    planted.stage.end();
}

/// Without it, a private value could come out of a format, a level or a file that wasn't checked.
#[test]
fn no_command_lets_a_private_value_out() {
    let mut planted = Planted::new();
    let levels = [LEVELS[0], LEVELS[4]];
    live(&mut planted, &levels);
    end(planted);
}

/// The same at every level.
#[test]
#[ignore = "takes minutes; the sample above runs always"]
fn no_command_lets_a_private_value_out_at_any_level() {
    let mut planted = Planted::new();
    live(&mut planted, &LEVELS);
    end(planted);
}

/// Without it, a rehearsal could leave private values in temporary files, or show those that functions print.
#[test]
fn a_rehearsal_keeps_them_too() {
    let planted = Planted::new();
    let print = "import os\n\ndef lambda_handler(event, context):\n    print(dict(os.environ))\n    raise RuntimeError(repr(dict(os.environ)))\n";
    planted.stage.write("repo/code/lambda_function.py", print);
    let manifest = planted.stage.path("repo").to_str().expect("a path of ours").to_owned();
    let sandbox = format!("--sandbox={}", planted.stage.path("state/sandbox.json").display());
    crate::support::prepare_runtime();
    let apply = ["apply", &sandbox, &manifest, "--auto-approve", "--rotation-timeout", "20s", "-vvv"];
    let output = planted.stage.run(&mut planted.command(&apply)).exits(4);
    // The function's words are there, without the values in them.
    output.says("RuntimeError").says("(sensitive)").says("KEY_LENGTH");
    planted.stage.run(&mut planted.command(&["plan", &sandbox, &manifest, "--out", "rehearsal.plan", "-vv"]));
    planted.stage.run(&mut planted.command(&["destroy", &sandbox, &manifest, "--auto-approve", "-vv"]));
    planted.stage.end();
}

/// Without it, a crash could write the memory into the folder that a pipeline keeps as an artifact.
#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_core_file() {
    let world = World::with(&["--latency", "20000"]);
    let mut shell = crate::support::scrubbed("bash");
    // Where the machine allows none anyway, there is nothing to raise.
    shell.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" plan \"$1\"", crate::support::rotator_binary()]);
    shell.arg(repository().join("examples/quickstart"));
    shell.env("AWS_ENDPOINT_URL", &world.url).env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "123456789012");
    shell
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .current_dir(world.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = shell.spawn().expect("bash");
    let began = std::time::Instant::now();
    let limits = loop {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("a running process");
        let executable = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap_or_default();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_owned();
        if executable.ends_with("rotator") && core.split_whitespace().nth(4) == Some("0") {
            break core;
        }
        assert!(began.elapsed().as_secs() < 60, "{core}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(limits.split_whitespace().nth(5) == Some("0"), "the limit can't be raised again: {limits}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Without it, programs that are started on the way would be told what is none of their business.
#[test]
fn programs_that_are_started_see_no_credentials() {
    let planted = Planted::new();
    let stage = &planted.stage;
    let log = stage.path("state/children");
    for program in ["git", "python3"] {
        let real = std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .expect("the tests need it");
        let script = format!(
            "#!/bin/bash\n{{ echo \"{program} $*\"; env; tr '\\0' '\\n' </proc/$$/environ; }} >>'{}'\nexec '{}' \"$@\"\n",
            log.display(),
            real.display()
        );
        stage.write(&format!("state/bin/{program}"), script);
        let path = stage.path(&format!("state/bin/{program}"));
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, executable).expect("executable");
    }
    let manifest = stage.path("repo").to_str().expect("a path of ours").to_owned();
    let sandbox = format!("--sandbox={}", stage.path("state/sandbox.json").display());
    let path = format!("{}:{}", stage.path("state/bin").display(), std::env::var("PATH").expect("a PATH"));
    // The function's environment is its own; the caller's own credentials may not be in it.
    let dump = format!(
        "import os\n\ndef lambda_handler(event, context):\n    with open({:?}, 'a') as log:\n        print('function', {{k: v for k, v in os.environ.items() if k.startswith('AWS_')}}, file=log)\n",
        log.display()
    );
    stage.write("repo/code/lambda_function.py", dump);
    for arguments in [
        &["diff", "HEAD~1", &manifest][..],
        &["apply", &sandbox, &manifest, "--auto-approve", "--rotation-timeout", "5s"],
    ] {
        let mut command = planted.command(arguments);
        stage.run(command.env("PATH", &path));
    }
    let seen = std::fs::read(&log).expect("programs were started");
    let text = String::from_utf8_lossy(&seen);
    for program in ["git ", "python3 ", "function {"] {
        assert!(text.lines().any(|line| line.starts_with(program)), "{program} never ran");
    }
    stage.search("what programs see", &seen);
    assert!(!text.contains("AWS_PROFILE"), "{text}");
    planted.stage.end();
}
