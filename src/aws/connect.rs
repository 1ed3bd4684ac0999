//! Getting to one target: credentials, region, role, and the proof that it is the right account.

mod error;
mod profile;
mod roles;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::SystemTimeSource;

use error::with_mfa;
pub use error::{ConnectError, SettingError};
use profile::Profiles;
use roles::{OptIn, Role, main_region};

use super::budget::Budgets;
use super::endpoints::{self, Endpoints};
use super::error::{AwsError, ErrorKind, clean, failed};
use super::http::{CaBundle, Http, SharedHttp};
use super::reader::Reader;
use super::writer::Writer;
use crate::env;
use crate::model::arn::{Arn, is_account_id};
use crate::model::{Sensitive, Target, session};

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
    // Boxed: what it keeps is large, and every command's future holds it.
    let inner = Box::pin(reach(settings, target, target.role.as_deref())).await?;
    Ok(Connection { inner: Arc::new(inner), power: PhantomData })
}

/// Reaches a target for writing, with its `apply_role`, by default its `role`.
pub async fn connect_writer(settings: &Settings, target: &Target) -> Result<Connection<ReadWrite>, ConnectError> {
    let role = target.apply_role.as_deref().or(target.role.as_deref());
    let inner = Box::pin(reach(settings, target, role)).await?;
    Ok(Connection { inner: Arc::new(inner), power: PhantomData })
}

/// The endpoints of a region's services, as [`connect`] would ask them. No network; nothing in a rehearsal, which asks the sandbox.
pub async fn endpoints(settings: &Settings, region: &str) -> Result<Endpoints, ConnectError> {
    if settings.sandbox.is_some() {
        return Ok(Endpoints::new());
    }
    let profiles = Profiles::load(settings.profile.as_deref()).await;
    let http = SharedHttp(Arc::new(Http::for_aws(ca_bundle(profiles.as_ref()).as_ref())?));
    // Boxed: what the SDK's loader holds while it waits would be a part of each command's own future.
    let config = Box::pin(aws_config(settings, profiles.as_ref(), region, http, NAME)).await?;
    Box::pin(endpoints::of(&config, settings)).await
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
    let profiles = match &settings.sandbox {
        Some(_) => None,
        None => Profiles::load(settings.profile.as_deref()).await,
    };
    let profiles = profiles.as_ref();
    let http = Arc::new(match &settings.sandbox {
        Some(_) => Http::for_sandbox()?,
        None => Http::for_aws(ca_bundle(profiles).as_ref())?,
    });
    let shared = SharedHttp(Arc::clone(&http));
    let session_name = session_name(settings, target)?;
    let base = match &settings.sandbox {
        Some(sandbox) => sandbox_config(sandbox, target, &region, shared),
        None => aws_config(settings, profiles, &region, shared, &session_name).await?,
    };
    let endpoints = match &settings.sandbox {
        Some(_) => Endpoints::new(),
        None => endpoints::of(&base, settings).await?,
    };
    let config = match role {
        None => base,
        Some(arn) => {
            let external_id = target.external_id.as_ref().map(Sensitive::expose);
            let role = Role { arn, external_id, session_name: &session_name };
            let provider = role.credentials(&impatient(&base), &region).await;
            base.into_builder().credentials_provider(provider).build()
        }
    };
    let caller = identity(&config).await.map_err(|error| explain(name_role(error, role), settings, profiles))?;
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
        None => endpoints.get("lambda").filter(|lambda| lambda.is_stated).map(|lambda| lambda.url.clone()),
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

/// The authorities that are trusted instead of the system's: as in AWS's CLI, the variable wins over the profile.
fn ca_bundle(profiles: Option<&Profiles>) -> Option<CaBundle> {
    if let Some(path) = env::read(env::AWS_CA_BUNDLE) {
        return Some(CaBundle { path: path.into(), stated_by: env::AWS_CA_BUNDLE.to_owned() });
    }
    let profiles = profiles?;
    let path = profiles.get("ca_bundle")?;
    Some(CaBundle { path: path.into(), stated_by: format!("`ca_bundle` of the profile `{}`", clean(profiles.name())) })
}

/// The name of a role's session.
fn session_name(settings: &Settings, target: &Target) -> Result<String, SettingError> {
    if let Some(name) = &target.session_name {
        return Ok(name.clone());
    }
    let Some(name) = env::read(env::AWS_ROLE_SESSION_NAME).filter(|_| settings.sandbox.is_none()) else {
        return Ok(NAME.to_owned());
    };
    let wrong = |wanted: String| SettingError::new(&format!("`{}`", env::AWS_ROLE_SESSION_NAME), &name, &wanted);
    session::check_name(&name).map_err(wrong)?;
    Ok(name)
}

/// Whether a profile's credentials are used: keys of the environment win over a profile that `--profile` doesn't ask for.
fn uses_profile(settings: &Settings) -> bool {
    let has_keys = || [env::AWS_ACCESS_KEY_ID, env::AWS_SECRET_ACCESS_KEY].iter().all(|name| env::read(name).is_some());
    settings.sandbox.is_none() && (settings.profile.is_some() || !has_keys())
}

/// What there is to say before anything is asked of AWS, each with its hints.
pub async fn warnings(settings: &Settings) -> Vec<(String, Vec<String>)> {
    if !uses_profile(settings) {
        return Vec::new();
    }
    let profiles = Profiles::load(settings.profile.as_deref()).await;
    let warning = profiles.as_ref().and_then(|profiles| {
        let device_of = profiles.with_mfa()?;
        let summary = format!("the role of the profile `{}` is assumed without a code", clean(device_of));
        Some((summary, with_mfa(profiles.name(), device_of)))
    });
    warning.into_iter().collect()
}

/// A refusal that a code may be missing from says so.
fn explain(error: AwsError, settings: &Settings, profiles: Option<&Profiles>) -> ConnectError {
    let is_refused = error.action == super::error::ASSUME_ROLE && error.kind == ErrorKind::Denied;
    let profiles = profiles.filter(|_| is_refused && uses_profile(settings));
    match profiles.and_then(|profiles| Some((profiles.name().to_owned(), profiles.with_mfa()?.to_owned()))) {
        Some((profile, device_of)) => ConnectError::Mfa { error, profile, device_of },
        None => error.into(),
    }
}

/// Whether a switch is one: the SDK would leave out what it can't read, and go to another endpoint than was meant.
fn check_switches(profiles: Option<&Profiles>) -> Result<(), SettingError> {
    let switches = [
        (env::AWS_USE_FIPS_ENDPOINT, "use_fips_endpoint"),
        (env::AWS_USE_DUALSTACK_ENDPOINT, "use_dualstack_endpoint"),
    ];
    for (variable, field) in switches {
        let of_profile = || {
            let profiles = profiles?;
            Some((format!("`{field}` of the profile `{}`", profiles.name()), profiles.get(field)?.to_owned()))
        };
        let stated = env::read(variable).map(|value| (format!("`{variable}`"), value)).or_else(of_profile);
        if let Some((setting, value)) = stated
            && !["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word))
        {
            return Err(SettingError::new(&setting, &value, "it is `true` or `false`"));
        }
    }
    Ok(())
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
async fn aws_config(
    settings: &Settings,
    profiles: Option<&Profiles>,
    region: &str,
    http: SharedHttp,
    session_name: &str,
) -> Result<SdkConfig, SettingError> {
    check_switches(profiles)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .no_credentials()
        .region(Region::new(region.to_owned()))
        .retry_config(retries(env::read(env::AWS_MAX_ATTEMPTS)))
        .timeout_config(timeouts(Duration::from_secs(5)));
    if let Ok(name) = AppName::new(NAME) {
        loader = loader.app_name(name);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    let config = loader.load().await;
    let way = Way { settings, profiles, config: &impatient(&config), http, session_name };
    let here = way.credentials(region).await?;
    let main = match main_region(region) {
        Some(main) => Some(way.credentials(main).await?),
        None => None,
    };
    let provider = SharedCredentialsProvider::new(OptIn { here, main });
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// What the way to the first credentials depends on, besides the region whose STS is asked.
struct Way<'a> {
    settings: &'a Settings,
    profiles: Option<&'a Profiles>,
    config: &'a SdkConfig,
    http: SharedHttp,
    session_name: &'a str,
}

impl Way<'_> {
    async fn credentials(&self, region: &str) -> Result<SharedCredentialsProvider, SettingError> {
        let of_region = Region::new(region.to_owned());
        // Whatever the SDK's loader would hand on: else STS and the others would be asked at other endpoints than all services.
        let mut provider_config = ProviderConfig::without_region()
            .with_http_client(self.http.clone())
            .with_region(Some(of_region.clone()))
            .with_use_fips(self.config.use_fips())
            .with_use_dual_stack(self.config.use_dual_stack());
        if let Some(retries) = self.config.retry_config() {
            provider_config = provider_config.with_retry_config(retries.clone());
        }
        if let Some(timeouts) = self.config.timeout_config() {
            provider_config = provider_config.with_timeout_config(timeouts.clone());
        }
        if let Some(profiles) = self.profiles.filter(|_| uses_profile(self.settings)) {
            let provider = profiles.with_durations(&provider_config, self.config, region, self.session_name).await?;
            if let Some(provider) = provider {
                return Ok(provider);
            }
        }
        if let Some(profile) = &self.settings.profile {
            // The SDK's chain asks the environment first even then; AWS's CLI lets a profile that is asked for win.
            let provider = ProfileFileCredentialsProvider::builder().configure(&provider_config).profile_name(profile);
            return Ok(SharedCredentialsProvider::new(provider.build()));
        }
        let chain = DefaultCredentialsChain::builder().configure(provider_config).region(of_region);
        Ok(SharedCredentialsProvider::new(chain.build().await))
    }
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
