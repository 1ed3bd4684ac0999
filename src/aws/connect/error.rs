//! Why a target can't be worked on, and what to do about it.

use crate::aws::error::AwsError;
use crate::aws::http::CaBundleError;
use crate::aws::text::clean;
use crate::model::near::did_you_mean;

/// Why a target can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region is stated anywhere.
    #[error("no region: neither the manifest, nor `--region`, nor the environment, nor the profile states one")]
    NoRegion {
        /// The profile that `--profile` chose, which may not exist.
        profile: Option<String>,
    },
    /// No configuration file has the profile that was chosen.
    #[error("there is no profile `{name}` in AWS's configuration files")]
    NoProfile {
        /// Its name.
        name: String,
        /// What chose it.
        stated_by: &'static str,
        /// Profiles of a similar name.
        near: Vec<String>,
    },
    /// An endpoint isn't a URL. It isn't shown: what isn't one may hold anything.
    #[error("the endpoint of {service} {fault}")]
    Endpoint {
        /// The service.
        service: &'static str,
        /// Where it was stated.
        stated_by: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// An endpoint has a user or a password in it, which no call would use, and which messages and plan files would show.
    #[error("the endpoint of {service} has a user or a password in it, which isn't used")]
    EndpointUser {
        /// The service.
        service: &'static str,
        /// Where it was stated.
        stated_by: String,
    },
    /// A service has no endpoint of the kind that is asked for.
    #[error("{service} has no endpoint: {why}")]
    NoEndpoint {
        /// The service.
        service: &'static str,
        /// The SDK's words.
        why: String,
    },
    /// The file of authorities can't be used.
    #[error(transparent)]
    CaBundle(#[from] CaBundleError),
    /// A variable or a profile says something that means nothing.
    #[error(transparent)]
    Setting(#[from] SettingError),
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
    /// A role was refused, and a profile on the way to it asks for a code.
    #[error("{error}")]
    Mfa {
        /// The refusal.
        error: AwsError,
        /// The profile that holds.
        profile: String,
        /// The profile that names the device.
        device_of: String,
    },
    /// A call failed: no credentials, a role that may not be assumed, or AWS was not reached.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl ConnectError {
    /// What to do about it, one hint a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Endpoint { stated_by, .. } | Self::EndpointUser { stated_by, .. } => {
                vec![format!("it comes from {stated_by}")]
            }
            Self::NoEndpoint { .. } => vec![
                "check the region, and whether FIPS or dual-stack endpoints are asked for: `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`, or the profile"
                    .to_owned(),
            ],
            Self::NoRegion { profile } => {
                let mut hints = vec!["state `region` in the target, or set `AWS_REGION`".to_owned()];
                hints.extend(
                    profile
                        .iter()
                        .map(|name| format!("check that the profile `{name}` exists: `aws configure list-profiles`")),
                );
                hints
            }
            Self::NoProfile { stated_by, near, .. } => {
                let near: Vec<&str> = near.iter().map(String::as_str).collect();
                let mut hints = if near.is_empty() { Vec::new() } else { vec![did_you_mean(&near)] };
                hints.push(format!("it comes from {stated_by}; `aws configure list-profiles` lists those that there are"));
                hints
            }
            Self::WrongAccount { .. } => {
                vec!["use another profile (`--profile`, `AWS_PROFILE`), or state the target's `role`".to_owned()]
            }
            Self::Aws(error) => error.hints(),
            Self::Mfa { error, profile, device_of } => {
                let mut hints = with_mfa(profile, device_of);
                hints.extend(error.hints());
                hints
            }
            Self::CaBundle(_) | Self::Setting(_) => Vec::new(),
        }
    }
}

/// Something of the environment or of a profile can't be what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is `{value}`: {wanted}")]
pub struct SettingError {
    setting: String,
    value: String,
    wanted: String,
}

impl SettingError {
    pub(super) fn new(setting: &str, value: &str, wanted: &str) -> Self {
        Self { setting: clean(setting), value: clean(value), wanted: wanted.to_owned() }
    }
}

/// What to do where a role wants a code, which is asked for nowhere here: AWS's CLI asks for it, and hands over a session.
pub(super) fn with_mfa(profile: &str, device_of: &str) -> Vec<String> {
    let (profile, device_of) = (clean(profile), clean(device_of));
    vec![
        format!("the profile `{device_of}` names a device for codes (`mfa_serial`), and no code is asked for here"),
        format!(
            "get a session with a code from AWS's CLI, version 2, and use it instead of the profile: `eval \"$(aws configure export-credentials --profile '{profile}' --format env)\"`, then the same command without `--profile`"
        ),
    ]
}
