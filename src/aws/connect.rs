//! Getting to one target: credentials, region, role, and the proof that it is the right account.

pub mod endpoints;
mod error;
mod profile;
mod roles;
mod sdk;
mod settings;

use std::marker::PhantomData;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;

use endpoints::Endpoints;
use error::with_mfa;
pub use error::{ConnectError, SettingError};
use profile::Profiles;
use roles::Role;
pub use sdk::SANDBOX_ACCOUNT;
use sdk::{aws_config, impatient, sandbox_config};
pub use settings::{SandboxEndpoint, Settings};

use super::NAME;
use super::classify::failed;
use super::clients::Clients;
use super::error::AwsError;
use super::http::{CaBundle, Http, SharedHttp};
use super::kind::{ASSUME_ROLE, ErrorKind};
use super::reader::Reader;
use super::served::Served;
use super::text::clean;
use super::writer::Writer;
use crate::env;
use crate::model::arn::{Arn, is_account_id};
use crate::model::regions;
use crate::model::{Sensitive, Target, session};

/// Marks a connection that can only read.
#[derive(Debug, Clone, Copy)]
pub enum ReadOnly {}

/// Marks a connection that can write too.
#[derive(Debug, Clone, Copy)]
pub enum ReadWrite {}

/// One target, reached: whose account it is has been checked. What it can do is in its type: a plan is made with a
/// [`ReadOnly`] one, which makes no [`Writer`].
#[derive(Debug, Clone)]
pub struct Connection<Power = ReadOnly> {
    inner: Arc<Clients>,
    power: PhantomData<Power>,
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

    /// The sandbox that answers in AWS's place, where one does.
    pub fn served(&self) -> Option<Served> {
        self.inner.http.sandbox().map(Served::at)
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

/// What chose a profile that is needed: keys in the environment win over one that the environment names.
fn profile_stated_by(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    if settings.profile.is_some() {
        return Some("`--profile`");
    }
    (variable(env::AWS_PROFILE).is_some() && variable(env::AWS_ACCESS_KEY_ID).is_none()).then_some("`AWS_PROFILE`")
}

fn region_of(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    settings
        .region
        .clone()
        .or_else(|| settings.sandbox.as_ref().map(|sandbox| sandbox.region.clone()))
        .or_else(|| variable(env::AWS_REGION))
        .or_else(|| variable(env::AWS_DEFAULT_REGION))
}

async fn reach(settings: &Settings, target: &Target, role: Option<&str>) -> Result<Clients, ConnectError> {
    let profiles = match &settings.sandbox {
        Some(_) => None,
        None => Profiles::load(settings.profile.as_deref()).await,
    };
    let profiles = profiles.as_ref();
    // Before the region, which may come from it.
    if let (Some(profiles), Some(stated_by)) = (profiles, profile_stated_by(settings, env::read))
        && let Some(missing) = profiles.missing(stated_by)
    {
        return Err(missing);
    }
    let region = match &target.region {
        Some(region) => region.clone(),
        None => ambient_region(settings).await.ok_or_else(|| no_region(settings))?,
    };
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
    // A rehearsal's sandbox has no quotas, and no other callers.
    if settings.sandbox.is_none() {
        http.keep_within(settings.budgets.of(&caller.account, &region));
    }
    let origin = match &settings.sandbox {
        Some(sandbox) => Some(sandbox.url.clone()),
        None => endpoints.get("lambda").filter(|lambda| lambda.is_stated).map(|lambda| lambda.url.clone()),
    };
    let is_stated = endpoints.get("serverlessrepo").is_none_or(|endpoint| endpoint.is_stated);
    let has_repository = is_stated || !regions::lacks_repository(&region);
    let clients = Clients::new(&config, http, caller, region);
    Ok(Clients { parallelism: settings.parallelism, origin, has_repository, ..clients })
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

/// What there is to say before anything is asked of AWS, each with its hints.
pub async fn warnings(settings: &Settings) -> Vec<(String, Vec<String>)> {
    if !settings.uses_profile() {
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
    let is_refused = error.action == ASSUME_ROLE && error.kind == ErrorKind::Denied;
    let profiles = profiles.filter(|_| is_refused && settings.uses_profile());
    match profiles.and_then(|profiles| Some((profiles.name().to_owned(), profiles.with_mfa()?.to_owned()))) {
        Some((profile, device_of)) => ConnectError::Mfa { error, profile, device_of },
        None => error.into(),
    }
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
        Some(role) if error.action == ASSUME_ROLE => role.clone_into(&mut error.resource),
        // Without an answer, it isn't known which of the two calls failed.
        Some(role) if error.kind == ErrorKind::Transport => {
            error.message = format!("{} ({} on `{}` comes first)", error.message, ASSUME_ROLE, clean(role));
        }
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
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
}
