//! The SDK's configuration: the one that AWS's CLI would use, or the sandbox's.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::SystemTimeSource;

use super::error::SettingError;
use super::profile::Profiles;
use super::roles::{OptIn, main_region};
use super::settings::{SandboxEndpoint, Settings};
use crate::aws::NAME;
use crate::aws::http::SharedHttp;
use crate::env;
use crate::model::Target;

/// The sandbox's account where nothing says another.
pub const SANDBOX_ACCOUNT: &str = "123456789012";

/// How often one call is tried, where `AWS_MAX_ATTEMPTS` doesn't say.
const ATTEMPTS: u32 = 8;

/// How long an answer may take to begin. All of the services answer within some seconds; what takes longer, they do after it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one attempt may take altogether: credentials, connection, request and answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// The same as [`READ_TIMEOUT`] for STS, whose calls come before all others: somebody waits for them.
const STS_READ_TIMEOUT: Duration = Duration::from_secs(15);

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

/// For STS: a person waits for the first calls, and where there is no network, many attempts only delay saying so.
pub(super) fn impatient(config: &SdkConfig) -> SdkConfig {
    // An attempt may also run a process that asks somebody for credentials: only the request itself is short.
    let timeouts = config.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    let timeouts = timeouts.read_timeout(STS_READ_TIMEOUT).build();
    let retries = RetryConfig::standard().with_max_attempts(3);
    config.to_builder().retry_config(retries).timeout_config(timeouts).build()
}

/// The configuration that AWS's CLI would use: environment, profiles, IAM Identity Center, processes, web identities,
/// containers, instances.
pub(super) async fn aws_config(
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
        if let Some(profiles) = self.profiles.filter(|_| self.settings.uses_profile()) {
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
pub(super) fn sandbox_config(sandbox: &SandboxEndpoint, target: &Target, region: &str, http: SharedHttp) -> SdkConfig {
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
    use std::sync::Arc;

    use aws_credential_types::provider::ProvideCredentials as _;

    use super::*;
    use crate::aws::http::Http;

    fn sandbox() -> SandboxEndpoint {
        SandboxEndpoint { url: "http://127.0.0.1:9".into(), account: None, region: "eu-north-1".into() }
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
