//! `--sandbox`: the AWS that lives in this program, started for one run.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::apply::Outlook;
use crate::aws::served::StandIn;
use crate::aws::{SANDBOX_ACCOUNT, SandboxEndpoint, Settings, ambient_region};
use crate::config::Ambient;
use crate::model::arn::is_of_service;
use crate::model::{Deployment, Desired, Function, FunctionSource, Secret, Sensitive, arn};
use crate::render::function_log::function_log;
use crate::render::rehearsed::{self, Flawed, Kind, Told};
use crate::render::{count, some_of};
use crate::sandbox::persist::PersistError;
use crate::sandbox::rights::RightsError;
use crate::sandbox::{self, Companion, Finding, Flaw, Rotated, Sandbox, StartError};

use super::failure::Failure;
use super::output;
use super::prepared::Prepared;

/// The region of a sandbox where neither the manifest nor AWS's environment says one.
pub const REGION: &str = "us-east-1";

/// Where `rotator sandbox start` listens, unless it is told otherwise.
pub const LISTEN: &str = "127.0.0.1:4570";

/// Where `--sandbox` keeps its state, unless it names a file.
pub const USUAL_STATE: &str = ".rotator/sandbox.json";

/// A running sandbox.
pub struct Rehearsal {
    sandbox: Sandbox,
    region: String,
    state: PathBuf,
    /// What stands for functions' services, by account, region and function.
    services: tokio::sync::Mutex<BTreeMap<(String, String, String), Companion>>,
}

impl Rehearsal {
    /// Starts it. `allow`: the policies that callers are held to.
    pub async fn start(file: &Path, allow: &[PathBuf], settings: &Settings) -> Result<Self, Failure> {
        let region = ambient_region(settings).await.unwrap_or_else(|| REGION.to_owned());
        let options = sandbox::Options {
            state_file: Some(file.to_owned()),
            allow: allow.to_vec(),
            account: SANDBOX_ACCOUNT.to_owned(),
            region: region.clone(),
            ..sandbox::Options::default()
        };
        let sandbox = sandbox::start(options).await.map_err(|error| failure(&error))?;
        output::say(&format!("sandbox: nothing here is real; its state lives in {}", output::path(file)));
        Ok(Self { sandbox, region, state: file.to_owned(), services: tokio::sync::Mutex::default() })
    }

    /// How clients reach it.
    pub fn endpoint(&self) -> SandboxEndpoint {
        SandboxEndpoint { url: self.sandbox.url(), account: None, region: self.region.clone() }
    }

    /// The option that runs it again, with the same state.
    pub fn option(&self) -> String {
        rehearsed::option(self.unusual_state())
    }

    /// Where it keeps its state, if not in the usual place.
    fn unusual_state(&self) -> Option<&Path> {
        (self.state.as_os_str() != USUAL_STATE).then_some(self.state.as_path())
    }

    /// The account and region of targets that state none.
    pub fn ambient(&self) -> Ambient {
        Ambient { region: Some(self.region.clone()), account: Some(SANDBOX_ACCOUNT.to_owned()) }
    }

    /// Creates what the manifest takes for granted on AWS: its secrets, and the functions that it doesn't deploy.
    ///
    /// `deployed` names functions that the same run deploys: nothing stands in for them.
    pub fn seed(&self, desired: &Desired, account: &str, region: &str, deployed: &BTreeSet<String>) {
        let (mut secrets, mut given, mut replaced, mut managed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for secret in desired.secrets.values().filter(|secret| is_managed(secret)) {
            if self.sandbox.seed_managed(account, region, &secret.name) {
                managed.push(secret.name.as_str());
            }
        }
        let mut seed = |name, value: Option<&Sensitive>| {
            // An ARN names a secret that only AWS can have made.
            if str::starts_with(name, "arn:") {
                return;
            }
            match value {
                Some(value) if self.sandbox.seed_secret_as(account, region, name, value.expose()) => given.push(name),
                Some(value) if self.sandbox.reseed_secret(account, region, name, value.expose()) => replaced.push(name),
                None if self.sandbox.seed_secret(account, region, name) => secrets.push(name),
                _ => {}
            }
        };
        let deployments: Vec<&Deployment> = desired.functions.values().filter_map(Function::deployment).collect();
        for secret in desired.secrets.values() {
            let function = secret.function.as_ref().and_then(|handle| desired.functions.get(handle));
            let test = function.and_then(Function::deployment).and_then(|deployment| deployment.test.secret.as_ref());
            seed(secret.name.as_str(), test);
        }
        for (name, value) in deployments.iter().flat_map(|deployment| &deployment.test.others) {
            seed(name.as_str(), Some(value));
        }
        for name in deployments.iter().flat_map(|deployment| &deployment.read_secrets) {
            seed(name.as_str(), None);
        }
        let mut functions = Vec::new();
        for function in desired.functions.values() {
            if let FunctionSource::Existing { reference } = &function.source
                && !reference.starts_with("arn:")
                && !deployed.contains(&function.name)
                && self.sandbox.seed_function(account, region, &function.name)
            {
                functions.push(function.name.as_str());
            }
        }
        let hint = "with a made-up value (`test.secret` of its function gives another)";
        let made = [
            (given, "secret", "as `test` says"),
            (secrets, "secret", hint),
            (managed, "secret", "as a service or a partner would have made it, which rotates it"),
            (functions, "function", "to stand in for yours"),
        ];
        for (names, noun, how) in made {
            if !names.is_empty() {
                let number = count(names.len(), noun);
                output::say(&format!("sandbox: created {number} {how}: {}", some_of(names, 3)));
            }
        }
        if !replaced.is_empty() {
            let number = count(replaced.len(), "secret");
            let names = some_of(replaced, 3);
            output::say(&format!("sandbox: gave {number} the value of `test` in place of a made-up one: {names}"));
        }
    }

    /// Starts the services of functions that have some: each begins anew, and so do its secrets.
    pub async fn serve(&self, desired: &Desired, account: &str, region: &str) -> Result<(), Failure> {
        for (handle, function) in &desired.functions {
            let Some(test) = function.deployment().map(|deployment| &deployment.test) else { continue };
            let key = (account.to_owned(), region.to_owned(), function.name.clone());
            let mut services = self.services.lock().await;
            if test.service.is_empty() || services.contains_key(&key) {
                continue;
            }
            let started = Companion::start(&test.service, &test.folder).await;
            let service = started.map_err(|why| {
                Failure::new(format!("`test.service` of function `{handle}` doesn't serve: {why}")).hint(
                    "it is started in the folder of the file that names it, and listens on 127.0.0.1, on `${port}`",
                )
            })?;
            let own = desired.secrets.values().filter(|secret| secret.function.as_deref() == Some(handle));
            let own = own.filter_map(|secret| Some((secret.name.as_str(), test.secret.as_ref()?)));
            for (name, value) in own.chain(test.others.iter().map(|(name, value)| (name.as_str(), value))) {
                self.sandbox.begin_anew(account, region, name, &service.filled(value.expose()));
            }
            output::say(&format!(
                "sandbox: started `test.service` of {handle} on port {}; its secrets begin with their first values",
                service.port()
            ));
            services.insert(key, service);
        }
        Ok(())
    }

    /// Says how rotations that haven't finished go on.
    #[expect(clippy::unused_self, reason = "only whoever runs a sandbox may say it")]
    pub fn goes_on(&self) {
        output::say("sandbox: the next command with this state tries again at once what hasn't finished");
    }

    /// Whether rotations of a target are still tried.
    pub fn outlook(&self, account: &str, region: &str) -> Outlook {
        let (shared, account, region) = (Arc::clone(self.sandbox.shared()), account.to_owned(), region.to_owned());
        Outlook::new(move |secret, version| {
            let goes_on = sandbox::goes_on(&shared, &account, &region, &secret, &version);
            Box::pin(async move { goes_on })
        })
    }

    /// What stood in for what AWS would have run, by the names of a target's secrets.
    pub fn stand_ins(&self, one: &Prepared) -> Vec<(String, StandIn)> {
        let all = self.sandbox.stand_ins(&one.plan.account, &one.plan.region).into_iter();
        let said = |(name, stand_in)| {
            let stand_in = match stand_in {
                sandbox::StandIn::Simulated { reason } => StandIn::Simulated { reason },
                sandbox::StandIn::Version { runtime, version } => StandIn::Version { runtime, version },
            };
            (name, stand_in)
        };
        all.map(said).collect()
    }

    /// What this run rotated, of the secrets of these plans.
    pub fn rotated(&self, prepared: &[Prepared]) -> Vec<Rotated> {
        let of_one = |one: &Prepared| {
            let (account, region) = (&one.plan.account, &one.plan.region);
            sandbox::rotated(self.sandbox.shared(), account, region, &names(one))
        };
        prepared.iter().flat_map(of_one).collect()
    }

    /// Says what this run rotated, and what may be tried next with these manifests. `looked`: functions that rotated once more, of which
    /// nothing wrong was found; `None` where none was looked at.
    pub fn tell(&self, rotated: &[Rotated], manifests: &[PathBuf], looked: Option<&[(String, String)]>) {
        let all: Vec<Told<'_>> = rotated
            .iter()
            .map(|one| Told {
                secret: &one.secret,
                before: &one.before,
                now: &one.now,
                differs: one.differs,
                steps: &one.steps,
                lines: one.lines,
            })
            .collect();
        output::say(&format!("\n{}", rehearsed::told(&all, looked, self.unusual_state(), manifests)));
    }

    /// Rotates one secret of each function once more, after what this run has `rotated`, and says what is wrong with it.
    pub async fn look(&self, prepared: &[Prepared], rotated: &[Rotated]) -> Looked {
        let mut looked = Looked::default();
        for one in prepared {
            let (account, region) = (&one.plan.account, &one.plan.region);
            let all = sandbox::rehearse(self.sandbox.shared(), account, region, &names(one)).await;
            self.notices();
            for (function, rehearsal) in &all.found {
                let name = arn::function_name(function);
                for finding in &rehearsal.findings {
                    looked.is_flawed = true;
                    say_finding(name, &rehearsal.secret, finding, rotated);
                }
                if all.now.contains(function) {
                    looked.functions.push((name.to_owned(), rehearsal.secret.clone()));
                }
            }
        }
        looked
    }

    /// Says what the sandbox wants people to know.
    pub fn notices(&self) {
        for notice in self.sandbox.notices() {
            output::say(&format!("sandbox: {}", crate::render::safe(&notice)));
        }
    }

    /// Ends it, and saves its state.
    pub async fn close(self) -> Result<(), Failure> {
        self.notices();
        self.sandbox.shutdown().await.map_err(|error| failure(&StartError::State(error)))
    }
}

/// What a look at functions found, each by one more rotation.
#[derive(Debug, Default)]
pub struct Looked {
    /// Whether anything is wrong with one.
    pub is_flawed: bool,
    /// Those that were looked at by this run, by name, each with the secret that it rotated.
    pub functions: Vec<(String, String)>,
}

/// Whether a secret is one that AWS rotates by itself, as far as its entry says: a service's by its name, or a partner's.
fn is_managed(secret: &Secret) -> bool {
    (is_of_service(&secret.name) || secret.external.is_some()) && !secret.name.starts_with("arn:")
}

/// The names of a plan's secrets.
fn names(one: &Prepared) -> BTreeSet<String> {
    one.desired.secrets.values().map(|secret| secret.name.as_str().to_owned()).collect()
}

/// Says what is wrong with a function, with the log of what failed.
fn say_finding(function: &str, secret: &str, finding: &Finding, rotated: &[Rotated]) {
    let flaw = match &finding.flaw {
        Flaw::FailsOnceMore if rotated.iter().any(|one| one.secret == secret) => Kind::FailsOnceMore,
        Flaw::FailsOnceMore => Kind::Fails,
        Flaw::FailsAgain => Kind::FailsAgain,
        Flaw::ChangesAgain => Kind::ChangesAgain,
        Flaw::TouchesCurrent => Kind::TouchesCurrent,
        Flaw::NoValue => Kind::NoValue,
        Flaw::SameValue => Kind::SameValue,
        Flaw::LosesMembers { names } => Kind::LosesMembers(names),
        Flaw::TestsNothing => Kind::TestsNothing,
        Flaw::NotMoved => Kind::NotMoved,
        Flaw::LogsValue => Kind::LogsValue,
    };
    let place = finding.place.as_ref().map(|place| (place.file.as_str(), place.line, place.function.as_deref()));
    let trouble = rehearsed::trouble(&finding.log);
    let (summary, hints) =
        rehearsed::words(&Flawed { function, secret, step: &finding.step, flaw, place, trouble: trouble.clone() });
    output::error_line(&summary, &hints);
    if let Some(trouble) = trouble {
        let log = function_log(function, "in the rehearsal alone", &trouble, None, 1);
        output::say(&format!("\n{}", log.trim_end()));
    }
}

/// Why a sandbox didn't start, or didn't end well.
pub fn failure(error: &StartError) -> Failure {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let hints = match error {
        StartError::Remote(address) => vec![
            format!("`--listen 127.0.0.1:{}` keeps it to this machine", address.port()),
            "`--allow-remote` listens there all the same: only where you trust all who can reach it".to_owned(),
        ],
        StartError::Rights(RightsError::Format { .. }) => {
            vec![
                "only `Allow` statements with `Action` and `Resource` are understood: leave out the rest, or rehearse without `--allow`"
                    .to_owned(),
            ]
        }
        StartError::Listen { .. } => {
            vec!["another process may hold the port; `--listen 127.0.0.1:0` takes a free one".to_owned()]
        }
        StartError::State(PersistError::Locked(_)) => {
            vec![
                "wait until that one ends, or keep another state: `--sandbox=FILE`, `sandbox start --state FILE`"
                    .to_owned(),
            ]
        }
        StartError::State(PersistError::Format { .. } | PersistError::Version { .. }) => {
            vec!["nothing in it is real: delete it, or keep another state: `--sandbox=FILE`".to_owned()]
        }
        StartError::State(PersistError::Link { .. }) => {
            vec![
                "remove the link, or name the file where it is: `--sandbox=FILE`, `sandbox start --state FILE`"
                    .to_owned(),
            ]
        }
        StartError::State(PersistError::Special(_)) => {
            vec!["keep the state in another file: `--sandbox=FILE`, `sandbox start --state FILE`".to_owned()]
        }
        StartError::State(PersistError::Io { .. }) => {
            vec!["the file's folder must be one that can be written; `--sandbox=FILE` names another".to_owned()]
        }
        _ => Vec::new(),
    };
    Failure::new(format!("sandbox: {text}")).hints(hints)
}
