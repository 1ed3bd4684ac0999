//! Getting to one target: credentials, region, role, and the proof that it is the right account.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::SystemTimeSource;

use super::budget::Budgets;
use super::error::{AwsError, ErrorKind, clean, failed};
use super::http::{CaBundle, CaBundleError, Http, SharedHttp};
use super::reader::Reader;
use super::writer::Writer;
use crate::env;
use crate::model::Target;
use crate::model::arn::{Arn, is_account_id};

/// The name in the user agent and of role sessions, by which the tool is found in an audit trail.
const NAME: &str = "rotator";

/// The sandbox's account where nothing says another.
const SANDBOX_ACCOUNT: &str = "123456789012";

/// How often one call is tried, where `AWS_MAX_ATTEMPTS` doesn't say.
const ATTEMPTS: u32 = 8;

/// How long an answer may take to begin. All of the services answer within some seconds; what takes longer, they do after it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one attempt may take altogether: credentials, connection, request and answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// The same as [`READ_TIMEOUT`] for STS, whose calls come before all others: somebody waits for them.
const STS_READ_TIMEOUT: Duration = Duration::from_secs(15);

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

/// Why a target can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody says which region.
    #[error("no region: neither the manifest, nor `--region`, nor the environment, nor the profile states one")]
    NoRegion {
        /// The profile that `--profile` chose, which may not exist.
        profile: Option<String>,
    },
    /// The endpoint isn't a URL.
    #[error("the endpoint `{0}` is not a URL: it starts with `https://` or `http://`")]
    Endpoint(String),
    /// The endpoint has a user or a password in it, which no call would use, and which messages and plan files would show.
    #[error("the endpoint's address has a user or a password in it, which isn't used")]
    EndpointUser,
    /// `AWS_CA_BUNDLE` can't be used.
    #[error(transparent)]
    CaBundle(#[from] CaBundleError),
    /// The credentials belong to another account than the target states. Nothing was read.
    #[error("the credentials belong to account {actual} (`{caller}`), and the target states {stated}")]
    WrongAccount {
        /// What the manifest states.
        stated: String,
        /// Whose the credentials are.
        actual: String,
        /// The caller's ARN.
        caller: String,
    },
    /// A call failed: no credentials, a role that may not be assumed, or AWS was not reached.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl ConnectError {
    /// What to do about it, one hint a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Endpoint(_) | Self::EndpointUser => {
                vec!["it comes from `--endpoint-url`, `AWS_ENDPOINT_URL` or the profile".to_owned()]
            }
            Self::NoRegion { profile } => {
                let mut hints = vec!["state `region` in the target, or set `AWS_REGION`".to_owned()];
                hints.extend(
                    profile
                        .iter()
                        .map(|name| format!("check that the profile `{name}` exists: `aws configure list-profiles`")),
                );
                hints
            }
            Self::WrongAccount { .. } => {
                vec!["use another profile (`--profile`, `AWS_PROFILE`), or state the target's `role`".to_owned()]
            }
            Self::Aws(error) => error.hints(),
            Self::CaBundle(_) => Vec::new(),
        }
    }
}

/// Marks a connection that can only read.
#[derive(Debug, Clone, Copy)]
pub enum ReadOnly {}

/// Marks a connection that can write too.
#[derive(Debug, Clone, Copy)]
pub enum ReadWrite {}

/// One target, reached: whose account it is has been checked. What it can do is in its type: whoever plans holds a
/// [`ReadOnly`] one, which makes no [`Writer`].
#[derive(Debug, Clone)]
pub struct Connection<Power = ReadOnly> {
    inner: Arc<Inner>,
    power: PhantomData<Power>,
}

/// What a reader and a writer share.
#[derive(Debug)]
pub(super) struct Inner {
    pub account: String,
    pub region: String,
    pub partition: String,
    pub caller_arn: String,
    pub parallelism: Option<usize>,
    /// An address that packages may be downloaded from besides `https` ones.
    pub origin: Option<String>,
    pub http: Arc<Http>,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    /// For `RotateSecret` and `CancelRotateSecret`, whose quota is a hundredth of the other's: where that one is spent, by whomever,
    /// looking goes on at full speed.
    pub rotations: aws_sdk_secretsmanager::Client,
    pub repository: aws_sdk_serverlessrepo::Client,
}

impl<Power> Connection<Power> {
    /// The account: twelve digits.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// The partition, from the caller's ARN.
    pub fn partition(&self) -> &str {
        &self.inner.partition
    }

    /// Who the credentials belong to, after the role.
    pub fn caller_arn(&self) -> &str {
        &self.inner.caller_arn
    }

    /// Reads the target.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.inner))
    }
}

impl Connection<ReadWrite> {
    /// Writes to the target.
    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.inner))
    }
}

/// Reaches a target for reading, with its `role`.
///
/// The first call tells which account the credentials belong to; any other than the one that the target states is refused before
/// anything else is read.
pub async fn connect(settings: &Settings, target: &Target) -> Result<Connection<ReadOnly>, ConnectError> {
    let inner = reach(settings, target, target.role.as_deref()).await?;
    Ok(Connection { inner: Arc::new(inner), power: PhantomData })
}

/// Reaches a target for writing, with its `apply_role`, by default its `role`.
pub async fn connect_writer(settings: &Settings, target: &Target) -> Result<Connection<ReadWrite>, ConnectError> {
    let role = target.apply_role.as_deref().or(target.role.as_deref());
    let inner = reach(settings, target, role).await?;
    Ok(Connection { inner: Arc::new(inner), power: PhantomData })
}

/// Whether an endpoint is one: anything else fails deep in the HTTP client, with a dump of the request.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.chars().any(|c| c.is_whitespace() || c.is_control()))
}

fn no_region(settings: &Settings) -> ConnectError {
    ConnectError::NoRegion { profile: settings.profile.clone() }
}

/// The region that holds where a target states none: `--region`, the sandbox's, the environment's, the profile's. No network.
pub async fn ambient_region(settings: &Settings) -> Option<String> {
    if let Some(region) = region_of(settings, env::read) {
        return Some(region);
    }
    // Never in the sandbox, where no configuration file is read: there, `region_of` always knows.
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    profile.build().region().await.map(|region| region.to_string())
}

fn region_of(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    settings
        .region
        .clone()
        .or_else(|| settings.sandbox.as_ref().map(|sandbox| sandbox.region.clone()))
        .or_else(|| variable(env::AWS_REGION))
        .or_else(|| variable(env::AWS_DEFAULT_REGION))
}

async fn reach(settings: &Settings, target: &Target, role: Option<&str>) -> Result<Inner, ConnectError> {
    let region = match &target.region {
        Some(region) => region.clone(),
        None => ambient_region(settings).await.ok_or_else(|| no_region(settings))?,
    };
    let http = Arc::new(match &settings.sandbox {
        Some(_) => Http::for_sandbox()?,
        None => Http::for_aws(ca_bundle().as_ref())?,
    });
    let shared = SharedHttp(Arc::clone(&http));
    let base = match &settings.sandbox {
        Some(sandbox) => sandbox_config(sandbox, target, &region, shared),
        None => aws_config(settings, &region, shared).await,
    };
    let from_environment = || settings.sandbox.is_none().then(|| env::read(env::AWS_ENDPOINT_URL)).flatten();
    let endpoint = base.endpoint_url().map(str::to_owned).or_else(from_environment);
    match endpoint {
        Some(url) if url.contains('@') => return Err(ConnectError::EndpointUser),
        Some(url) if !is_url(&url) => return Err(ConnectError::Endpoint(clean(&url))),
        _ => {}
    }
    let config = match role {
        None => base,
        Some(role) => {
            let provider =
                AssumeRoleProvider::builder(role).session_name(NAME).configure(&impatient(&base)).build().await;
            base.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
        }
    };
    let caller = identity(&config).await.map_err(|error| name_role(error, role))?;
    if let Some(stated) = target.account.as_ref().filter(|stated| **stated != caller.account) {
        let caller_arn = caller.to_string();
        return Err(ConnectError::WrongAccount { stated: stated.clone(), actual: caller.account, caller: caller_arn });
    }
    // A rehearsal's sandbox has no quotas, and nobody else's calls to make room for.
    if settings.sandbox.is_none() {
        http.keep_within(settings.budgets.of(&caller.account, &region));
    }
    let origin = match &settings.sandbox {
        Some(sandbox) => Some(sandbox.url.clone()),
        None => config.endpoint_url().map(str::to_owned),
    };
    let secrets = || {
        let config =
            aws_sdk_secretsmanager::config::Builder::from(&config).retry_partition(partition_of_retries()).build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    };
    Ok(Inner {
        caller_arn: caller.to_string(),
        account: caller.account,
        partition: caller.partition,
        region,
        parallelism: settings.parallelism,
        origin,
        http,
        cloudformation: aws_sdk_cloudformation::Client::from_conf(
            aws_sdk_cloudformation::config::Builder::from(&config).retry_partition(partition_of_retries()).build(),
        ),
        logs: aws_sdk_cloudwatchlogs::Client::from_conf(
            aws_sdk_cloudwatchlogs::config::Builder::from(&config).retry_partition(partition_of_retries()).build(),
        ),
        lambda: aws_sdk_lambda::Client::from_conf(
            aws_sdk_lambda::config::Builder::from(&config).retry_partition(partition_of_retries()).build(),
        ),
        secrets: secrets(),
        rotations: secrets(),
        repository: aws_sdk_serverlessrepo::Client::from_conf(
            aws_sdk_serverlessrepo::config::Builder::from(&config).retry_partition(partition_of_retries()).build(),
        ),
    })
}

/// The authorities that are trusted instead of the system's.
fn ca_bundle() -> Option<CaBundle> {
    let path = env::read(env::AWS_CA_BUNDLE)?;
    Some(CaBundle { path: path.into(), stated_by: env::AWS_CA_BUNDLE.to_owned() })
}

/// Each service of each connection adapts its rate alone: quotas hold per account, region and service. What bounds retries is
/// the number of attempts; the SDK's shared bucket would make large runs fail that AWS merely slows down.
fn partition_of_retries() -> RetryPartition {
    RetryPartition::custom(NAME).token_bucket(TokenBucket::unlimited()).build()
}

/// For STS: a person waits for the first calls, and where there is no network, many attempts only delay saying so.
fn impatient(config: &SdkConfig) -> SdkConfig {
    // An attempt may also run a process that asks somebody for credentials: only the request itself is short.
    let timeouts = config.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    let timeouts = timeouts.read_timeout(STS_READ_TIMEOUT).build();
    let retries = RetryConfig::standard().with_max_attempts(3);
    config.to_builder().retry_config(retries).timeout_config(timeouts).build()
}

/// Who the credentials belong to: the first call, and the only one before the account is checked.
async fn identity(config: &SdkConfig) -> Result<Arn, AwsError> {
    const ACTION: &str = "sts:GetCallerIdentity";
    let client = aws_sdk_sts::Client::new(&impatient(config));
    let answer = client.get_caller_identity().send().await.map_err(failed(ACTION, "*"))?;
    let arn = answer.arn().unwrap_or_default();
    match arn.parse::<Arn>() {
        Ok(arn) if is_account_id(&arn.account) => Ok(arn),
        _ => {
            let message = format!("the answer names no account: `{}`", clean(arn));
            Err(AwsError::other(ErrorKind::Other, ACTION, "*", &message))
        }
    }
}

/// A role that can't be assumed is named: the SDK's error doesn't say which it was.
fn name_role(mut error: AwsError, role: Option<&str>) -> AwsError {
    match role {
        Some(role) if error.action == super::error::ASSUME_ROLE => role.clone_into(&mut error.resource),
        // Without an answer, nobody can tell which of the two calls it was.
        Some(role) if error.kind == ErrorKind::Transport => {
            error.message =
                format!("{} ({} on `{}` comes first)", error.message, super::error::ASSUME_ROLE, clean(role));
        }
        _ => {}
    }
    error
}

/// The configuration that AWS's CLI would use: environment, profiles, IAM Identity Center, processes, web identities,
/// containers, instances.
async fn aws_config(settings: &Settings, region: &str, http: SharedHttp) -> SdkConfig {
    let region = Region::new(region.to_owned());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .region(region.clone())
        .retry_config(retries(env::read(env::AWS_MAX_ATTEMPTS)))
        .timeout_config(timeouts(Duration::from_secs(5)));
    if let Ok(name) = AppName::new(NAME) {
        loader = loader.app_name(name);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &settings.profile {
        // The SDK's chain asks the environment first even then; AWS's CLI lets a profile that is asked for win.
        let provider_config = ProviderConfig::without_region().with_http_client(http).with_region(Some(region));
        let provider =
            ProfileFileCredentialsProvider::builder().configure(&provider_config).profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(provider);
    }
    loader.load().await
}

/// A configuration from nothing but these arguments: neither the environment nor a file is read.
fn sandbox_config(sandbox: &SandboxEndpoint, target: &Target, region: &str, http: SharedHttp) -> SdkConfig {
    // The sandbox takes the account from the key, as it takes the region from the signature.
    let account = target.account.as_deref().or(sandbox.account.as_deref()).unwrap_or(SANDBOX_ACCOUNT);
    let credentials = Credentials::new(account, "sandbox", None, None, "sandbox");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(region.to_owned()))
        .endpoint_url(&sandbox.url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .time_source(SystemTimeSource::new())
        .retry_config(retries(None))
        .timeout_config(timeouts(Duration::from_secs(2)));
    config.set_sleep_impl(default_async_sleep());
    config.set_app_name(AppName::new(NAME).ok());
    config.build()
}

fn retries(attempts: Option<String>) -> RetryConfig {
    let attempts = attempts.and_then(|text| text.parse().ok()).filter(|count| (1..=50).contains(count));
    RetryConfig::adaptive().with_max_attempts(attempts.unwrap_or(ATTEMPTS))
}

fn timeouts(connect: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(connect)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials as _;

    use super::*;

    fn sandbox() -> SandboxEndpoint {
        SandboxEndpoint { url: "http://127.0.0.1:9".into(), account: None, region: "eu-north-1".into() }
    }

    /// Without it, a plan made on one machine could speak of another region than the apply on the next.
    #[test]
    fn the_region_is_looked_for_where_aws_cli_looks() {
        let both = |name: &str| match name {
            env::AWS_REGION => Some("eu-west-1".to_owned()),
            env::AWS_DEFAULT_REGION => Some("eu-west-2".to_owned()),
            _ => None,
        };
        let second = |name: &str| both(name).filter(|_| name == env::AWS_DEFAULT_REGION);
        let settings = Settings::default();
        assert_eq!(region_of(&settings, both).as_deref(), Some("eu-west-1"));
        assert_eq!(region_of(&settings, second).as_deref(), Some("eu-west-2"));
        assert_eq!(region_of(&settings, |_| None), None);
        let settings = Settings { sandbox: Some(sandbox()), ..settings };
        assert_eq!(region_of(&settings, both).as_deref(), Some("eu-north-1"));
        let settings = Settings { region: Some("eu-west-3".into()), ..settings };
        assert_eq!(region_of(&settings, both).as_deref(), Some("eu-west-3"));
    }

    /// Without it, a rehearsal in the sandbox could carry real credentials to it, or miss the account that the manifest states.
    #[tokio::test]
    async fn the_sandbox_sees_made_up_credentials_only() {
        let http = || SharedHttp(Arc::new(Http::for_sandbox().expect("a client")));
        let key = async |target: &Target, sandbox: &SandboxEndpoint| {
            let config = sandbox_config(sandbox, target, "eu-north-1", http());
            assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:9"));
            assert!(
                config.service_config().is_none(),
                "nothing of the environment may reach a service's configuration"
            );
            let provider = config.credentials_provider().expect("credentials");
            provider.provide_credentials().await.expect("credentials").access_key_id().to_owned()
        };
        let stated = Target { account: Some("111111111111".into()), ..Target::default() };
        let configured = SandboxEndpoint { account: Some("222222222222".into()), ..sandbox() };
        assert_eq!(key(&stated, &configured).await, "111111111111");
        assert_eq!(key(&Target::default(), &configured).await, "222222222222");
        assert_eq!(key(&Target::default(), &sandbox()).await, SANDBOX_ACCOUNT);
    }

    /// Without it, a typing error in a variable would switch retries off, or make a run last for hours.
    #[test]
    fn attempts_are_bounded() {
        for (text, attempts) in [("3", 3), ("0", ATTEMPTS), ("51", ATTEMPTS), ("-1", ATTEMPTS), ("many", ATTEMPTS)] {
            assert_eq!(retries(Some(text.to_owned())).max_attempts(), attempts, "{text}");
        }
        assert_eq!(retries(None).max_attempts(), ATTEMPTS);
    }
}
