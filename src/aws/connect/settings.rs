//! How to reach AWS, as the command line says it.

use std::sync::Arc;

use crate::aws::budget::Budgets;
use crate::env;

/// How to reach AWS, from the command line.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--region`: where the target states none.
    pub region: Option<String>,
    /// `--profile`: wins over credentials in the environment, as in AWS's CLI.
    pub profile: Option<String>,
    /// `--endpoint-url`: for every service.
    pub endpoint_url: Option<String>,
    /// `--parallelism`: how many calls at a time, at most, to the services with high quotas.
    pub parallelism: Option<usize>,
    /// What each account and region allows, shared by all connections of a run.
    pub budgets: Arc<Budgets>,
    /// `--sandbox`: nothing of the machine's configuration, credentials or proxies is used.
    pub sandbox: Option<SandboxEndpoint>,
}

impl Settings {
    /// Whether a profile's credentials are used: keys of the environment win over a profile that `--profile` doesn't ask for.
    pub(super) fn uses_profile(&self) -> bool {
        let has_keys =
            || [env::AWS_ACCESS_KEY_ID, env::AWS_SECRET_ACCESS_KEY].iter().all(|name| env::read(name).is_some());
        self.sandbox.is_none() && (self.profile.is_some() || !has_keys())
    }
}

/// Where a sandbox listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxEndpoint {
    /// Such as `http://127.0.0.1:4570`.
    pub url: String,
    /// The account, where the target states none: twelve digits.
    pub account: Option<String>,
    /// The region, where neither the target nor `--region` states one.
    pub region: String,
}
