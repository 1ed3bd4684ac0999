//! What a profile of AWS's configuration files says and the SDK doesn't look at: authorities to trust, how long a role's session
//! lasts, and a device for codes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::profile::{self, Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};

use super::error::{ConnectError, SettingError};
use super::roles::Role;
use crate::aws::text::clean;
use crate::model::near::{SUGGESTIONS, near};

/// How long AWS lets a role's session last, in seconds (STS, `DurationSeconds`).
const SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;

/// What credentials are made of where no role is asked for any more, in the SDK's words.
const OF_A_BASE: [&str; 13] = [
    "credential_source",
    "sso_session",
    "sso_account_id",
    "sso_role_name",
    "sso_region",
    "sso_start_url",
    "login_session",
    "credential_process",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_account_id",
    "endpoint_url",
];

/// The profiles of the configuration files, one of which holds.
#[derive(Debug)]
pub(super) struct Profiles(ProfileSet);

/// A role that a profile asks for.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    /// The profile's name.
    profile: &'a str,
    role: &'a str,
    external_id: Option<&'a str>,
    session_name: Option<&'a str>,
    duration: Option<&'a str>,
    mfa_serial: Option<&'a str>,
}

/// Where the first credentials of a chain come from.
#[derive(Debug, PartialEq, Eq)]
enum Base<'a> {
    /// A profile without a role, as the SDK takes it.
    Whole(&'a str),
    /// A profile's own credentials, beside its role.
    Beside(&'a str),
    /// A profile's keys, before all else that it has.
    Keys(&'a str),
}

/// The roles that a profile leads through, the first one to be assumed first.
#[derive(Debug, PartialEq, Eq)]
struct Chain<'a> {
    base: Base<'a>,
    steps: Vec<Step<'a>>,
}

impl Profiles {
    /// Reads the files; `None` where they can't be read, which the SDK says where it needs them.
    pub async fn load(chosen: Option<&str>) -> Option<Self> {
        let chosen = chosen.map(|name| Cow::Owned(name.to_owned()));
        profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen).await.ok().map(Self)
    }

    /// What is wrong where no file has the profile that was chosen; `stated_by`: what chose it.
    pub fn missing(&self, stated_by: &'static str) -> Option<ConnectError> {
        let name = self.name();
        if self.0.get_profile(name).is_some() {
            return None;
        }
        let near = near(name, self.0.profiles()).into_iter().take(SUGGESTIONS).map(clean).collect();
        Some(ConnectError::NoProfile { name: clean(name), stated_by, near })
    }

    /// The name of the profile that holds.
    pub fn name(&self) -> &str {
        self.0.selected_profile()
    }

    /// A field of the profile that holds.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).filter(|value| !value.is_empty())
    }

    /// The profile on the way to the credentials that asks for a code, which is never asked for.
    pub fn with_mfa(&self) -> Option<&str> {
        let chain = self.chain()?;
        chain.steps.iter().find(|step| step.mfa_serial.is_some()).map(|step| step.profile)
    }

    /// The way to the credentials, as the SDK goes it; `None` where there is none, or where it is none, which the SDK says.
    fn chain(&self) -> Option<Chain<'_>> {
        let (mut name, mut seen, mut steps) = (self.name(), Vec::new(), Vec::new());
        let base = loop {
            let profile = self.0.get_profile(name)?;
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            let has_keys =
                ["aws_access_key_id", "aws_secret_access_key"].into_iter().all(|field| profile.get(field).is_some());
            if seen.len() > 1 && has_keys {
                break Base::Keys(name);
            }
            let Some(step) = step(profile) else { break Base::Whole(name) };
            steps.push(step);
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(source), None) if source == name => break Base::Beside(name),
                (Some(source), None) => name = source,
                (None, Some(_)) => break Base::Beside(name),
                _ => return None,
            }
        };
        steps.reverse();
        Some(Chain { base, steps })
    }

    /// Credentials of a chain in which a session's length is stated, which the SDK's own chain leaves out; `None` for any other.
    pub async fn with_durations(
        &self,
        provider_config: &ProviderConfig,
        config: &SdkConfig,
        region: &str,
        session_name: &str,
    ) -> Result<Option<SharedCredentialsProvider>, SettingError> {
        let Some(chain) = self.chain().filter(|chain| chain.steps.iter().any(|step| step.duration.is_some())) else {
            return Ok(None);
        };
        let mut provider = SharedCredentialsProvider::new(self.base(&chain.base, provider_config));
        for step in &chain.steps {
            let session_name = step.session_name.unwrap_or(session_name);
            let role = Role { arn: step.role, external_id: step.external_id, session_name };
            let mut builder = role.asked(config, region);
            if let Some(duration) = step.duration()? {
                builder = builder.session_length(duration);
            }
            provider = SharedCredentialsProvider::new(builder.build_from_provider(provider).await);
        }
        Ok(Some(provider))
    }

    fn base(&self, base: &Base<'_>, provider_config: &ProviderConfig) -> ProfileFileCredentialsProvider {
        let builder = ProfileFileCredentialsProvider::builder().configure(provider_config);
        let (name, fields) = match base {
            Base::Whole(name) => return builder.profile_name(*name).build(),
            Base::Beside(name) => (*name, &OF_A_BASE[..]),
            Base::Keys(name) => {
                (*name, &["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_account_id"][..])
            }
        };
        // The SDK takes a profile's role first. It gets one without, under the same name.
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, self.extract(name, fields));
        builder.profile_files(files.build()).profile_name(name).build()
    }

    /// A configuration file with some fields of one profile, and the session that it names.
    fn extract(&self, name: &str, fields: &[&str]) -> String {
        let mut text = format!("[profile {name}]\n");
        let profile = self.0.get_profile(name);
        let mut write = |field: &str, value: Option<&str>| {
            // A value of several lines is a block, and none of these is one.
            if let Some(value) = value.filter(|value| !value.contains('\n')) {
                let _ = writeln!(text, "{field} = {value}");
            }
        };
        for field in fields {
            write(field, profile.and_then(|profile| profile.get(field)));
        }
        if let Some(session) = profile.and_then(|profile| profile.get("sso_session"))
            && let Some(section) = self.0.sso_session(session)
        {
            write(&format!("[sso-session {session}]\nsso_start_url"), Some(section.get("sso_start_url").unwrap_or("")));
            write("sso_region", section.get("sso_region"));
        }
        text
    }
}

impl Step<'_> {
    fn duration(&self) -> Result<Option<Duration>, SettingError> {
        let Some(text) = self.duration else { return Ok(None) };
        match text.parse::<u64>() {
            Ok(seconds) if SECONDS.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(SettingError::new(
                &format!("`duration_seconds` of the profile `{}`", self.profile),
                text,
                "a session lasts 900 to 43200 seconds, and no longer than its role allows",
            )),
        }
    }
}

/// The role that a profile asks for. That of a web identity is a base.
fn step(profile: &Profile) -> Option<Step<'_>> {
    let get = |field: &str| profile.get(field).filter(|value| !value.is_empty());
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    Some(Step {
        profile: profile.name(),
        role: profile.get("role_arn")?,
        external_id: get("external_id"),
        session_name: get("role_session_name"),
        duration: get("duration_seconds"),
        mfa_serial: get("mfa_serial"),
    })
}
