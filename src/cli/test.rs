//! `rotator test`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::aws::SANDBOX_ACCOUNT;
use crate::config::Manifest;
use crate::exit;
use crate::model::near::{did_you_mean, near};
use crate::model::{CodeSource, Deployment, Desired, Function, Sensitive};
use crate::render::{self, safe};
use crate::sandbox::{self, Placed, Sandbox, StartError};
use crate::trial::checks::CHECKS;
use crate::trial::verdict::{Ending, Trial};
use crate::trial::{self, Home, Subject};

use super::failure::Failure;
use super::offline::Offline;
use super::options::{Global, Paths};
use super::output;
use super::packages::{Packages, build_packages};
use super::rehearsal::{REGION, failure};
use super::value::read;
use super::view::View;
use super::wheels::Way;

/// How often it is looked whether the sandbox has something to say.
const TICK: Duration = Duration::from_millis(100);

/// Tests rotation functions against the contract of rotation, on an AWS that lives in this program: no account, no credentials.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator test
  rotator test --function VendorKey --only repeat
  rotator test --function VendorKey --value first-value.json
  rotator test --format junit > functions.xml

The code of the manifest's functions is run on this machine, and the programs of `test.service` beside it: test what you trust.
A secret begins with the function's `test.secret`. Ends with 0 where everything passed, with 4 where a check failed or couldn't be
tested")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// The same as PATH
    #[arg(long, value_name = "PATH", hide = true)]
    file: Vec<PathBuf>,
    /// Only this function, by its handle; repeatable
    #[arg(long, value_name = "HANDLE")]
    function: Vec<String>,
    /// Only this check, by its name, and what it builds on; repeatable
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// The file with the value that the secret holds at first; one line break at its end isn't taken. `-`: standard input
    #[arg(long, value_name = "FILE")]
    value: Option<PathBuf>,
    /// How verdicts are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For programs: `rotator schema test` describes it
    Json,
    /// For pipelines that show tests
    Junit,
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        if self.format == Format::Json { View::Document } else { View::Text }
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let only = checks(&arguments.only)?;
    let paths: Vec<PathBuf> = arguments.paths.paths.iter().chain(&arguments.file).cloned().collect();
    let offline = Offline::open(global, &paths)?;
    output::diagnostics(&offline.warnings);
    let functions = functions(&offline, &arguments.function)?;
    let value = arguments.value.as_deref().map(read).transpose()?.map(Sensitive::new);
    if value.is_some() && functions.len() != 1 {
        return Err(Failure::new(format!("`--value` is for one function, and there are {}", functions.len()))
            .hint("`--function HANDLE` chooses one"));
    }
    let mut stopped = std::pin::pin!(output::stop_signal());
    let mut trials = Vec::new();
    for one in &functions {
        let text = arguments.format == Format::Text;
        tokio::select! {
            tried = one.test(value.as_ref(), &only, text) => trials.push(tried?),
            // What runs ends with what is dropped here.
            () = &mut stopped => return Ok(exit::INTERRUPTED),
        }
    }
    match arguments.format {
        Format::Text => exit::OK,
        Format::Json => output::data(&render::trial_data::json(&trials))?,
        Format::Junit => output::data(&render::trial_data::junit(&trials))?,
    };
    Ok(if trials.iter().all(Trial::is_good) { exit::OK } else { exit::NOT_FINISHED })
}

/// The checks that were asked for.
fn checks(only: &[String]) -> Result<BTreeSet<&str>, Failure> {
    let known = || CHECKS.iter().map(|check| check.name);
    for name in only {
        if !known().any(|known| known == name) {
            let failure = Failure::new(format!("there is no check `{name}`"));
            return Err(match near(name, known())[..] {
                [] => failure.hint(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
                ref meant => failure.hint(did_you_mean(meant)),
            });
        }
    }
    Ok(only.iter().map(String::as_str).collect())
}

/// The functions that were asked for, each of the first target that has it.
fn functions(offline: &Offline, wanted: &[String]) -> Result<Vec<Tested>, Failure> {
    let mut found: Vec<Tested> = Vec::new();
    let mut handles = BTreeSet::new();
    let packages = Packages::default();
    for (manifest, index) in offline.selected() {
        let mut desired = offline.resolve(manifest, index)?;
        offline.filter.apply(&mut desired);
        handles.extend(desired.functions.keys().cloned());
        desired.functions.retain(|handle, _| wanted.is_empty() || wanted.contains(handle));
        // What runs must be whole, with the wheels of its requirements: they are fetched once.
        let zips = tokio::task::block_in_place(|| build_packages(&mut desired, &packages, Way::Fetched));
        for (handle, function) in &desired.functions {
            let is_known = found.iter().any(|one| one.handle == *handle && one.manifest == manifest.path());
            if !is_known {
                found.push(Tested::of(manifest, &desired, handle, function, zips.get(handle))?);
            }
        }
    }
    if let Some(missing) = wanted.iter().find(|handle| !handles.contains(*handle)) {
        let failure = Failure::new(format!("there is no function `{missing}`"));
        let all: Vec<&str> = handles.iter().map(String::as_str).collect();
        return Err(match near(missing, all.iter().copied())[..] {
            [] => failure.hint(format!("there are {}", render::some_of(all, 10))),
            ref meant => failure.hint(did_you_mean(meant)),
        });
    }
    if found.is_empty() {
        return Err(Failure::new("there is no function to test").hint("`functions:` declares them"));
    }
    Ok(found)
}

/// A function that is to be tested.
struct Tested {
    handle: String,
    manifest: PathBuf,
    name: String,
    secret: String,
    region: String,
    account: String,
    /// What there is to run; an error says why it can't be.
    code: Result<Runnable, String>,
}

/// A function as it would be deployed, with its package.
struct Runnable {
    deployment: Deployment,
    zip: std::sync::Arc<[u8]>,
    /// The code, as the manifest names it, for people.
    path: PathBuf,
}

impl Tested {
    fn of(
        manifest: &Manifest,
        desired: &Desired,
        handle: &str,
        function: &Function,
        zip: Option<&std::sync::Arc<[u8]>>,
    ) -> Result<Self, Failure> {
        let own = desired.secrets.values().find(|secret| secret.function.as_deref() == Some(handle));
        let secret = own.map(|secret| secret.name.as_str()).filter(|name| !name.starts_with("arn:"));
        let code = match (function.deployment(), zip) {
            (None, _) => Err("its code isn't here: it is used as it is on AWS (`existing`)".to_owned()),
            (Some(deployment), Some(zip)) => Ok(runnable(deployment, zip)),
            (Some(deployment), None) => match &deployment.code {
                None => Err("its code isn't here: the application brings it along".to_owned()),
                Some(code) => match &code.unusable {
                    Some(reason) => {
                        return Err(Failure::new(format!("function `{handle}` can't be packaged: {reason}")));
                    }
                    None => Err("its code isn't here: it lies in S3".to_owned()),
                },
            },
        };
        Ok(Self {
            handle: handle.to_owned(),
            manifest: manifest.path().to_owned(),
            name: function.name.clone(),
            secret: secret.map_or_else(|| format!("test/{handle}"), str::to_owned),
            region: desired.target.region.clone().unwrap_or_else(|| REGION.to_owned()),
            account: desired.target.account.clone().unwrap_or_else(|| SANDBOX_ACCOUNT.to_owned()),
            code,
        })
    }

    /// Tests it, and tells people each verdict as it comes.
    async fn test(&self, value: Option<&Sensitive>, only: &BTreeSet<&str>, text: bool) -> Result<Trial, Failure> {
        if text {
            output::follow(&render::trial::heading(&self.name, &self.secret));
        }
        let told = |verdict: &trial::verdict::Verdict| {
            // What couldn't be tested is told together, at the end.
            if text && !matches!(verdict.ending, Ending::NotTested { .. }) {
                output::follow(&render::trial::verdict(verdict));
            }
        };
        let trial = match &self.code {
            Ok(runnable) => self.run(runnable, value, only, &told).await?,
            Err(reason) => {
                let mut trial = Trial::none(&self.handle, &self.name, &self.secret, reason);
                trial.verdicts.retain(|verdict| only.is_empty() || only.contains(verdict.check.name));
                trial
            }
        };
        if text {
            output::follow(&render::trial::ended(&trial));
        }
        Ok(trial)
    }

    async fn run(
        &self,
        runnable: &Runnable,
        value: Option<&Sensitive>,
        only: &BTreeSet<&str>,
        told: &dyn Fn(&trial::verdict::Verdict),
    ) -> Result<Trial, Failure> {
        let options = sandbox::Options {
            rests: true,
            own_python: true,
            account: self.account.clone(),
            region: self.region.clone(),
            ..sandbox::Options::default()
        };
        let sandbox = sandbox::start(options).await.map_err(|error| failure(&error))?;
        let test = &runnable.deployment.test;
        let subject = Subject {
            handle: &self.handle,
            placed: placed(&self.name, runnable),
            secret: &self.secret,
            value: value.or(test.secret.as_ref()),
            others: &test.others,
            read_secrets: &runnable.deployment.read_secrets,
            service: &test.service,
            folder: &test.folder,
        };
        let home = Home { account: &self.account, region: &self.region };
        let path = &runnable.path;
        let renamed = |file: &str| -> String {
            let whole = if path.is_dir() { path.join(file) } else { path.clone() };
            whole.display().to_string()
        };
        let told = |verdict: &trial::verdict::Verdict| told(&renamed_in(verdict, &renamed));
        let mut trial = said(&sandbox, trial::run(&sandbox, home, &subject, only, &told)).await;
        trial.rename_files(renamed);
        sandbox.shutdown().await.map_err(|error| failure(&StartError::State(error)))?;
        Ok(trial)
    }
}

/// A verdict with files called as people know them.
fn renamed_in(verdict: &trial::verdict::Verdict, name: &dyn Fn(&str) -> String) -> trial::verdict::Verdict {
    let mut verdict = verdict.clone();
    verdict.rename_files(name);
    verdict
}

/// Says what the sandbox has to say while something runs.
async fn said<T>(sandbox: &Sandbox, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(TICK);
    loop {
        let done = tokio::select! {
            done = &mut work => Some(done),
            _ = tick.tick() => None,
        };
        for notice in sandbox.notices() {
            output::say(&format!("sandbox: {}", safe(&notice)));
        }
        if let Some(done) = done {
            return done;
        }
    }
}

fn runnable(deployment: &Deployment, zip: &std::sync::Arc<[u8]>) -> Runnable {
    let path = match deployment.code.as_ref().map(|code| &code.source) {
        Some(CodeSource::Path { path, .. }) => path.clone(),
        _ => PathBuf::new(),
    };
    Runnable { deployment: deployment.clone(), zip: zip.clone(), path }
}

/// A function as its stack and its manifest make it.
fn placed<'a>(name: &'a str, runnable: &'a Runnable) -> Placed<'a> {
    let Deployment { application, settings, environment, .. } = &runnable.deployment;
    let mut configuration = Map::from_iter([("FunctionName".to_owned(), json!(name))]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            configuration.insert(key.to_owned(), value);
        }
    };
    set("Runtime", settings.runtime.as_ref().map(|text| json!(text)));
    set("Handler", settings.handler.as_ref().map(|text| json!(text)));
    set("Timeout", settings.timeout.map(|seconds| json!(seconds)));
    set("MemorySize", settings.memory.map(|megabytes| json!(megabytes)));
    set("Layers", settings.layers.as_ref().map(|layers| json!(layers)));
    set("Architectures", settings.architecture.as_ref().map(|one| json!([one])));
    let exposed = |value: &Option<Sensitive>| value.as_ref().map(|value| value.expose().to_owned());
    Placed {
        name,
        application: &application.id,
        version: application.version.as_deref(),
        parameters: application
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect(),
        configuration,
        environment: environment.iter().map(|(name, value)| (name.clone(), exposed(value))).collect(),
        zip: &runnable.zip,
    }
}
