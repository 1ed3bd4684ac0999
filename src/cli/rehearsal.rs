//! `--sandbox`: the AWS that lives in this program, started for one run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::aws::{SandboxEndpoint, Settings, ambient_region};
use crate::config::Ambient;
use crate::model::{Desired, FunctionSource};
use crate::render::{count, some_of};
use crate::sandbox::{self, Sandbox};

use super::output;
use super::session::Printed;

/// The account of a sandbox that nobody gave another.
const ACCOUNT: &str = "123456789012";
/// The region of a sandbox where neither the manifest nor AWS's environment says one.
const REGION: &str = "us-east-1";

/// A running sandbox.
pub struct Rehearsal {
    sandbox: Sandbox,
    region: String,
}

impl Rehearsal {
    /// Starts it.
    pub async fn start(file: &Path, settings: &Settings) -> Result<Self, Printed> {
        let region = ambient_region(settings).await.unwrap_or_else(|| REGION.to_owned());
        let options = sandbox::Options {
            state_file: Some(file.to_owned()),
            account: ACCOUNT.to_owned(),
            region: region.clone(),
            ..sandbox::Options::default()
        };
        let sandbox = sandbox::start(options).await.map_err(|error| Printed(super::sandbox::fail(&error)))?;
        output::say(&format!("sandbox: nothing here is real; its state lives in {}", output::path(file)));
        Ok(Self { sandbox, region })
    }

    /// How clients reach it.
    pub fn endpoint(&self) -> SandboxEndpoint {
        SandboxEndpoint { url: self.sandbox.url(), account: None, region: self.region.clone() }
    }

    /// The account and region of targets that state none.
    pub fn ambient(&self) -> Ambient {
        Ambient { region: Some(self.region.clone()), account: Some(ACCOUNT.to_owned()) }
    }

    /// Creates what the manifest takes for granted on AWS: its secrets, and the functions that it doesn't deploy.
    ///
    /// `deployed` names functions that the same run deploys: nothing stands in for them.
    pub fn seed(&self, desired: &Desired, account: &str, region: &str, deployed: &BTreeSet<String>) {
        let mut secrets = Vec::new();
        for secret in desired.secrets.values() {
            // An ARN names a secret that only AWS can have made.
            if !secret.name.starts_with("arn:") && self.sandbox.seed_secret(account, region, &secret.name) {
                secrets.push(secret.name.as_str());
            }
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
        let made = [(secrets, "secret", "with a made-up value"), (functions, "function", "to stand in for yours")];
        for (names, noun, how) in made {
            if !names.is_empty() {
                let number = count(names.len(), noun);
                output::say(&format!("sandbox: created {number} {how}: {}", some_of(names, 3)));
            }
        }
    }

    /// Says how rotations that haven't finished go on.
    #[expect(clippy::unused_self, reason = "only whoever runs a sandbox may say it")]
    pub fn goes_on(&self) {
        output::say(
            "sandbox: rotations go on while a sandbox runs: `rotator sandbox start --state FILE` serves this one",
        );
    }

    /// Says what the sandbox wants people to know.
    pub fn notices(&self) {
        for notice in self.sandbox.notices() {
            output::say(&format!("sandbox: {}", crate::render::safe(&notice)));
        }
    }

    /// Ends it, and saves its state.
    pub async fn close(self) -> Result<(), Printed> {
        self.notices();
        self.sandbox.shutdown().await.map_err(|error| Printed(super::sandbox::fail(&sandbox::StartError::State(error))))
    }
}
