//! Fleets to measure with: manifests, sandboxes that hold them already, and the calls that these have answered.
//!
//! A fleet is made by `rotator` itself at a small scale (one secret for each function), so that a plan of it is truly empty. The state
//! that this leaves is then multiplied on disk: a hundred thousand secrets take a second instead of minutes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Result;
use super::measure::{Program, scrubbed, tail};

/// The account where none is stated.
pub const ACCOUNT: &str = "123456789012";
/// The region of everything.
pub const REGION: &str = "us-east-1";
/// The project of all manifests.
pub const PROJECT: &str = "performance";

/// Of so many secrets, one has other rules on AWS than in the drifted manifest.
pub const DRIFT: usize = 20;

/// How many secrets, functions and targets there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fleet {
    /// In each target.
    pub secrets: usize,
    /// Those rotate by so many functions.
    pub functions: usize,
    /// Accounts; 0: the manifest has no `targets`.
    pub targets: usize,
}

impl Fleet {
    /// A fleet of one account: a function for each thousand secrets, and not more than twenty.
    pub fn of(secrets: usize) -> Self {
        Self { secrets, functions: secrets.div_ceil(1000).clamp(1, 20), targets: 0 }
    }

    /// So many accounts with such a fleet each.
    pub fn across(secrets: usize, targets: usize) -> Self {
        Self { targets, ..Self::of(secrets) }
    }

    /// All secrets of all targets.
    pub fn all_secrets(self) -> usize {
        self.secrets * self.targets.max(1)
    }
}

/// What the sandbox holds when a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// Secrets that never rotated, and nothing else.
    Bare,
    /// The functions too.
    Deployed,
    /// All secrets rotate as the manifest says.
    Attached,
    /// The same without windows, which Ansible's module doesn't know: it takes secrets that have one for differing.
    Windowless,
}

/// The names that secrets have: long, as they are in fleets.
pub fn secret_name(number: usize) -> String {
    format!("team-{:03}/service-{number:06}/api-key", number % 250)
}

fn function_name(number: usize) -> String {
    format!("SecretsManagerRotate{number:02}")
}

fn account(target: usize) -> String {
    format!("2{target:011}")
}

/// Writes manifests: `rotator.yaml`, and `drift/rotator.yaml` where one secret of [`DRIFT`] has other rules.
pub fn write_manifests(folder: &Path, fleet: Fleet) -> Result<()> {
    let names: Vec<String> = (0..fleet.secrets).map(secret_name).collect();
    write_manifest(folder, fleet, &names, None)?;
    write_manifest(&folder.join("drift"), fleet, &names, Some(DRIFT))
}

fn write_manifest(folder: &Path, fleet: Fleet, names: &[String], drift: Option<usize>) -> Result<()> {
    // A language that the sandbox never runs: rotations are simulated, and what is measured is the tool and the service.
    std::fs::create_dir_all(folder.join("code"))?;
    std::fs::write(folder.join("code/Handler.class"), "not really")?;
    let mut text = format!("version: 1\nproject: {PROJECT}\n");
    if fleet.targets > 0 {
        text.push_str("targets:\n");
        for target in 0..fleet.targets {
            let account = account(target);
            let role = format!("arn:aws:iam::{account}:role/rotator-read");
            writeln!(text, "  account-{target:03}: {{region: {REGION}, account: \"{account}\", role: \"{role}\"}}")?;
        }
    }
    text.push_str("functions:\n");
    for number in 0..fleet.functions {
        let name = function_name(number);
        writeln!(text, "  {name}: {{code: code, runtime: java21, handler: \"Handler::handle\", timeout: 30}}")?;
    }
    text.push_str("secrets:\n");
    for (number, name) in names.iter().enumerate() {
        let function = function_name(number % fleet.functions);
        let days = if drift.is_some_and(|every| number % every == 0) { 60 } else { 30 };
        let rotation = format!("{{automatically_after_days: {days}, duration: 4h}}");
        writeln!(text, "  {name}: {{function: {function}, rotation: {rotation}}}")?;
    }
    std::fs::write(folder.join("rotator.yaml"), text)?;
    Ok(())
}

/// The state that `rotator` leaves of a fleet with one secret for each function.
#[derive(Debug)]
pub struct Prototype {
    state: Value,
    secrets: Vec<String>,
}

impl Prototype {
    /// Makes one, in a folder of its own.
    pub async fn make(rotator: &Path, folder: &Path, functions: usize) -> Result<Self> {
        let fleet = Fleet { secrets: functions, functions, targets: 0 };
        let secrets: Vec<String> = (0..functions).map(|number| format!("prototype-{number:04}")).collect();
        write_manifest(folder, fleet, &secrets, None)?;
        let file = folder.join("state.json");
        let sandbox = Sandbox::start(rotator, folder, Some(&file), Conditions::default())?;
        for name in &secrets {
            sandbox.create_secret(name).await?;
        }
        let most = functions.to_string();
        let apply = ["apply", "--auto-approve", "--allow-simulated", "--max-rotations", &most];
        sandbox.program("prototype", rotator, folder).args(apply).run(0)?;
        sandbox.program("prototype", rotator, folder).args(["plan", "--detailed-exitcode"]).run(0)?;
        sandbox.stop()?;
        Ok(Self { state: serde_json::from_slice(&std::fs::read(file)?)?, secrets })
    }

    /// Writes the state of a whole fleet.
    pub fn multiply(&self, fleet: Fleet, start: Start, file: &Path) -> Result<()> {
        let scope = &format!("{ACCOUNT}/{REGION}");
        let mut state = self.state.clone();
        let mut region = state["world"]["scopes"][scope].take();
        let secrets = region["secrets"]["secrets"].take();
        let mut models = Vec::new();
        for name in &self.secrets {
            let mut model = secrets[name].clone();
            match start {
                Start::Bare | Start::Deployed => unrotated(&mut model)?,
                Start::Windowless => {
                    if let Some(rules) = model["rotation"]["rules"].as_object_mut() {
                        rules.remove("duration");
                    }
                }
                Start::Attached => {}
            }
            // People make their secrets one after the other.
            let created = model["created"].as_i64().ok_or("a secret that was never made")?;
            model["created"] = json!("CREATED");
            models.push((name, created, serde_json::to_string(&model)?));
        }
        if start == Start::Bare {
            region = json!({"secrets": {}});
        }
        // The secrets are written text by text: as values, they would take gigabytes.
        region["secrets"]["secrets"] = json!("SECRETS");
        let region = serde_json::to_string(&region)?;
        let (before, after) = region.split_once("\"SECRETS\"").ok_or("a state without secrets")?;
        state["world"]["scopes"] = json!("SCOPES");
        let state = serde_json::to_string(&state)?;
        let (head, end) = state.split_once("\"SCOPES\"").ok_or("a state without scopes")?;
        let accounts: Vec<String> = match fleet.targets {
            0 => vec![ACCOUNT.to_owned()],
            targets => (0..targets).map(account).collect(),
        };
        let mut out = BufWriter::new(File::create(file)?);
        write!(out, "{head}{{")?;
        for (index, account) in accounts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{account}/{REGION}\":{}{{", before.replace(ACCOUNT, account))?;
            let own: Vec<_> =
                models.iter().map(|(name, created, model)| (name, created, model.replace(ACCOUNT, account))).collect();
            for number in 0..fleet.secrets {
                let (prototype, created, model) = &own[number % own.len()];
                let made = (**created - i64::try_from(number)?).to_string();
                let (comma, name) = (if number == 0 { "" } else { "," }, secret_name(number));
                write!(
                    out,
                    "{comma}\"{name}\":{}",
                    model.replace(prototype.as_str(), &name).replace("\"CREATED\"", &made)
                )?;
            }
            write!(out, "}}{}", after.replace(ACCOUNT, account))?;
        }
        write!(out, "}}{end}")?;
        out.flush()?;
        Ok(())
    }
}

/// A secret as it was before it rotated for the first time.
fn unrotated(secret: &mut Value) -> Result<()> {
    let secret = secret.as_object_mut().ok_or("a secret that is no map")?;
    secret.remove("rotation");
    let versions = secret.get_mut("versions").and_then(Value::as_object_mut).ok_or("a secret without versions")?;
    let is_current = |version: &Value| {
        version["stages"].as_array().is_some_and(|stages| stages.iter().any(|stage| stage == "AWSCURRENT"))
    };
    versions.retain(|_, version| is_current(version));
    Ok(())
}

/// What a sandbox adds to its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conditions {
    /// In milliseconds.
    pub latency: u64,
    /// Whether AWS's published quotas hold.
    pub quotas: bool,
}

/// A sandbox in a process of its own.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    /// The same, as an address for clients.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    calls: PathBuf,
    seen: std::cell::Cell<u64>,
}

impl Sandbox {
    /// Starts one, which reads a state and saves what becomes of it there.
    pub fn start(rotator: &Path, folder: &Path, state: Option<&Path>, conditions: Conditions) -> Result<Self> {
        let (calls, log) = (folder.join("calls.jsonl"), folder.join("sandbox.log"));
        drop(std::fs::remove_file(&calls));
        let mut command = scrubbed(rotator);
        command
            .args(["sandbox", "start", "--listen", "127.0.0.1:0", "--time-scale", "0", "--latency"])
            .arg(conditions.latency.to_string())
            .args(["--quotas", if conditions.quotas { "aws" } else { "off" }, "--calls"])
            .arg(&calls);
        if let Some(state) = state {
            command.arg("--state").arg(state);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
        let mut url = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let url = url.trim().to_owned();
        if let Some(Ok(address)) = url.strip_prefix("http://").map(str::parse) {
            return Ok(Self { child, url, address, calls, seen: 0.into() });
        }
        child.kill()?;
        child.wait()?;
        Err(format!("the sandbox doesn't start: {}", tail(&log)).into())
    }

    /// A program that takes this sandbox for AWS, in a folder.
    pub fn program(&self, name: &str, program: &Path, folder: &Path) -> Program {
        at(Program::new(folder, name, program), &self.url)
    }

    /// Makes a secret.
    async fn create_secret(&self, name: &str) -> Result<()> {
        use http_body_util::{BodyExt as _, Full};
        let body = json!({"Name": name, "SecretString": "{\"key\":\"first\"}", "ClientRequestToken": uuid(name)});
        let scope = format!("{ACCOUNT}/20260131/{REGION}/secretsmanager/aws4_request");
        let signature = "0".repeat(64);
        let request = hyper::Request::post("/")
            .header("host", self.address.to_string())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.CreateSecret")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}"),
            )
            .body(Full::new(hyper::body::Bytes::from(body.to_string())))?;
        let answer = super::floor::connect(self.address).await?.send_request(request).await?;
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        if status != 200 {
            return Err(format!("cannot make the secret {name}: {}", String::from_utf8_lossy(&said)).into());
        }
        Ok(())
    }

    /// The calls since this was asked last.
    pub fn calls(&self) -> Result<Calls> {
        let mut file = File::open(&self.calls)?;
        file.seek(SeekFrom::Start(self.seen.get()))?;
        let mut text = String::new();
        self.seen.set(self.seen.get() + file.read_to_string(&mut text)? as u64);
        let mut calls = Calls::default();
        for line in text.lines() {
            let call: Value = serde_json::from_str(line)?;
            let of = |member: &str| call[member].as_str().unwrap_or_default().to_owned();
            let error = of("error");
            let throttled = ["ThrottlingException", "Throttling", "TooManyRequestsException"].contains(&error.as_str());
            calls.throttled += usize::from(throttled);
            *calls.operations.entry(of("operation")).or_default() += 1;
        }
        Ok(calls)
    }

    /// The processor time that it has used, in the kernel's clock ticks of a hundredth of a second.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        Duration::from_millis(10 * fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
    }

    /// Ends it, and waits for that.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let signalled = scrubbed("kill").arg(self.child.id().to_string()).status()?;
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.child.try_wait()?.is_none() {
            if !signalled.success() || Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            drop(self.end());
        }
    }
}

/// Lets a program take an address for AWS.
pub fn at(program: Program, url: &str) -> Program {
    program
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_PAGER", "")
}

/// A token of the right length.
fn uuid(name: &str) -> String {
    format!("{name:-<32}")
}

/// Calls that a sandbox answered.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// How many, by operation.
    pub operations: BTreeMap<String, usize>,
    /// How many of them were throttled.
    pub throttled: usize,
}

impl Calls {
    /// What isn't reading.
    pub fn writes(&self) -> Vec<&str> {
        let reads = ["Describe", "List", "Get", "AssumeRole"];
        let names = self.operations.keys().map(String::as_str);
        names.filter(|name| !reads.iter().any(|start| name.starts_with(start))).collect()
    }

    /// All together.
    pub fn total(&self) -> usize {
        self.operations.values().sum()
    }
}
