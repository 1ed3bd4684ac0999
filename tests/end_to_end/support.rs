//! A sandbox of its own for each test, the binary with a scrubbed environment, and AWS's CLI.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The account and region of every test that doesn't say otherwise.
pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

/// Calls that carry a secret's value in either direction, or make one up.
const VALUE_CALLS: [&str; 6] =
    ["GetSecretValue", "BatchGetSecretValue", "GetRandomPassword", "PutSecretValue", "CreateSecret", "UpdateSecret"];

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Both streams, for messages of failed tests.
    pub fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    /// Checks that the data holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is missing: {}", self.all());
        self
    }

    /// Checks that neither stream holds a text.
    #[track_caller]
    pub fn keeps_silent_about(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "`{text}` is there: {}", self.all());
        self
    }
}

/// A command without anything of the tester's environment but the paths that programs need.
pub fn scrubbed(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG", "NODE_EXTRA_CA_CERTS"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // No test may reach AWS, nor read the tester's profiles.
    command.env("AWS_CONFIG_FILE", "/nonexistent").env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

pub fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub fn rotator_binary() -> &'static str {
    env!("CARGO_BIN_EXE_rotator")
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The code of the quickstart's function.
pub fn signing_key() -> String {
    let code = repository().join("examples/quickstart/functions/signing_key/lambda_function.py");
    std::fs::read_to_string(code).expect("the example's code")
}

/// A zip as a person makes it: compressed, unlike the tool's own.
pub fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, text) in files {
        zip.start_file(*name, options).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("a whole zip").into_inner()
}

/// Whether a call was made by `rotator`, which says its name: functions and AWS's CLI don't.
fn is_of_tool(call: &Value) -> bool {
    call["agent"].as_str().unwrap_or_default().contains("app/rotator")
}

/// A served sandbox and a folder for manifests.
pub struct World {
    server: Child,
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A sandbox with more options.
    pub fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = scrubbed(rotator_binary())
            .args(["sandbox", "start", "--listen", "127.0.0.1:0", "--calls"])
            .arg(folder.path().join("calls.jsonl"))
            .args(options)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("sandbox.log")).expect("a log"))
            .spawn()
            .expect("the sandbox starts");
        let stdout = server.stdout.take().expect("piped");
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).expect("the sandbox says where it listens");
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Self { server, url, folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }

    /// Writes the quickstart's function as a file below the folder.
    pub fn write_signing_key(&self, name: &str) {
        self.write(name, &signing_key());
    }

    fn aws_environment(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_PAGER", "")
            .current_dir(self.folder.path());
    }

    /// Runs `rotator` on the manifests of the folder.
    pub fn rotator(&self, arguments: &[&str]) -> Output {
        self.rotator_with(&[], arguments)
    }

    /// Runs `rotator` with more variables in its environment, or other ones.
    pub fn rotator_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = scrubbed(rotator_binary());
        self.aws_environment(&mut command);
        output(command.envs(variables.iter().copied()).args(arguments))
    }

    /// Another program in the folder, with the environment that leads to this sandbox.
    pub fn program(&self, program: &str) -> Command {
        let mut command = scrubbed(program);
        self.aws_environment(&mut command);
        command
    }

    /// Waits until an operation was called as often as that.
    #[track_caller]
    pub fn wait_for_calls(&self, operation: &str, times: usize) {
        let began = std::time::Instant::now();
        while self.calls().iter().filter(|call| call.ends_with(operation)).count() < times {
            assert!(began.elapsed().as_secs() < 300, "{operation} wasn't called");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Starts `rotator` on the manifests of the folder, and doesn't wait for it.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.program(rotator_binary());
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rotator starts")
    }

    /// Runs AWS's CLI, which must succeed, and reads its JSON.
    #[track_caller]
    pub fn aws(&self, arguments: &[&str]) -> Value {
        let output = self.try_aws(arguments).exits(0);
        if output.stdout.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| Value::String(output.stdout.clone()))
    }

    /// Runs AWS's CLI.
    pub fn try_aws(&self, arguments: &[&str]) -> Output {
        let mut command = scrubbed(venv().join("bin/aws"));
        self.aws_environment(&mut command);
        output(command.args(arguments).args(["--output", "json"]))
    }

    /// Runs AWS's CLI as another caller, and reads its JSON.
    #[track_caller]
    pub fn aws_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Value {
        let mut command = scrubbed(venv().join("bin/aws"));
        self.aws_environment(&mut command);
        let run = output(command.envs(variables.iter().copied()).args(arguments).args(["--output", "json"])).exits(0);
        serde_json::from_str(&run.stdout).unwrap_or(Value::Null)
    }

    /// One with a secret, code that rotates signing keys in `code`, and a manifest.
    pub fn with_signing_key(secret: &str, manifest: &str) -> Self {
        let world = Self::new();
        world.create_secret(secret, "first");
        world.write_signing_key("code/lambda_function.py");
        world.write("rotator.yaml", manifest);
        world
    }

    pub fn create_secret(&self, name: &str, value: &str) {
        self.aws(&["secretsmanager", "create-secret", "--name", name, "--secret-string", value]);
    }

    pub fn describe(&self, secret: &str) -> Value {
        self.aws(&["secretsmanager", "describe-secret", "--secret-id", secret])
    }

    /// The version that holds a staging label.
    pub fn version(&self, secret: &str, stage: &str) -> Option<String> {
        let described = self.describe(secret);
        let versions = described["VersionIdsToStages"].as_object().cloned().unwrap_or_default();
        let holds = |stages: &Value| stages.as_array().is_some_and(|stages| stages.iter().any(|other| other == stage));
        versions.into_iter().find(|(_, stages)| holds(stages)).map(|(version, _)| version)
    }

    /// Scripts a failure.
    pub fn fault(&self, rule: &str) {
        self.control("faults", rule);
    }

    /// Moves service time forward, so that schedules fire and dates pass.
    pub fn advance_days(&self, days: u32) {
        self.control("clock", &format!("{{\"advance_seconds\": {}}}", days * 86_400));
    }

    /// Holds every caller to a policy from now on.
    pub fn allow(&self, policy: &str) {
        self.control("allow", policy);
    }

    /// Holds nobody to a policy any more.
    pub fn allow_all(&self) {
        self.controlled("DELETE", "allow", "");
    }

    /// What was asked of the policy: action, resource, and whether it was allowed.
    pub fn asked(&self) -> Vec<(String, String, bool)> {
        let answer: Value = serde_json::from_str(&self.controlled("GET", "allow", "")).expect("JSON");
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let one = |one: &Value| (text(one, "action"), text(one, "resource"), one["allowed"] == true);
        answer["asked"].as_array().expect("a list").iter().map(one).collect()
    }

    /// Tells the sandbox itself something, such as which secrets another service has made.
    pub fn tell(&self, what: &str, body: &str) {
        self.control(what, body);
    }

    fn control(&self, what: &str, body: &str) {
        self.controlled("POST", what, body);
    }

    fn controlled(&self, method: &str, what: &str, body: &str) -> String {
        let script = format!(
            "import urllib.request
request = urllib.request.Request('{}/_sandbox/{what}', data={body:?}.encode() or None, method='{method}',
    headers={{'x-rotator-sandbox': '1', 'content-type': 'application/json'}})
print(urllib.request.urlopen(request).read().decode())
",
            self.url
        );
        output(scrubbed("python3").args(["-c", &script])).exits(0).stdout
    }

    /// The log of calls.
    fn log(&self) -> Vec<Value> {
        let mut text = String::new();
        File::open(self.path("calls.jsonl")).and_then(|mut file| file.read_to_string(&mut text)).expect("a call log");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The operations that `rotator` called, and those that everybody else did: functions, and AWS's CLI.
    pub fn callers(&self) -> (Vec<String>, Vec<String>) {
        let operation = |call: &Value| call["operation"].as_str().unwrap_or_default().to_owned();
        let (tool, others): (Vec<Value>, Vec<Value>) = self.log().into_iter().partition(is_of_tool);
        (tool.iter().map(operation).collect(), others.iter().map(operation).collect())
    }

    /// What `rotator` called, as IAM's actions: `service:Operation`.
    pub fn tool_calls(&self) -> Vec<String> {
        let word = |call: &Value, name: &str| call[name].as_str().unwrap_or_default().to_owned();
        let action = |call: Value| format!("{}:{}", word(&call, "service"), word(&call, "operation"));
        self.log().into_iter().filter(is_of_tool).map(action).collect()
    }

    /// The calls that the sandbox has answered: `service operation`.
    pub fn calls(&self) -> Vec<String> {
        self.log()
            .iter()
            .map(|call| {
                format!(
                    "{} {}",
                    call["service"].as_str().unwrap_or_default(),
                    call["operation"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The polite signal, so that functions are ended too.
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
        // Whatever a test was about: the program never asks for a secret's value, nor sends one. A second panic would hide the first.
        if !std::thread::panicking() {
            let (tool, _) = self.callers();
            let bad: Vec<&String> = tool.iter().filter(|operation| VALUE_CALLS.contains(&operation.as_str())).collect();
            assert!(bad.is_empty(), "rotator made calls that carry a secret's value: {bad:?}");
        }
    }
}

/// Has the sandbox make its Python runtime, which it does once a machine.
pub fn prepare_runtime() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = repository().join("examples/quickstart");
    let apply = ["apply", "--sandbox", "--auto-approve"];
    output(scrubbed(rotator_binary()).current_dir(folder.path()).args(apply).arg(example)).exits(0);
}

/// AWS's CLI and boto3 in a virtual environment of the tests' own, made once, with pinned versions.
pub fn venv() -> PathBuf {
    static VENV: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    VENV.get_or_init(|| {
        let script = repository().join("tests/peers/prepare");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers");
        let made = output(scrubbed("bash").arg(&script).arg(&folder));
        assert_eq!(made.code, 0, "cannot prepare AWS's CLI: {}", made.all());
        folder
    })
    .clone()
}
