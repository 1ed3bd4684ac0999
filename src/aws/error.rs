//! A failed call to AWS, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use super::denial::{Denial, iam_resource};
use super::kind::{ErrorKind, NOT_ENABLED, SIGNATURE};
use super::text::words;
use crate::model::live::{Asked, Reading, Unread};

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The IAM action of the call, such as `lambda:AddPermission`.
    pub action: &'static str,
    /// What it was called on: a name or an ARN, `*` for lists.
    pub resource: String,
    /// AWS's error code.
    pub code: Option<String>,
    /// AWS's own words, without control characters.
    pub message: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

impl AwsError {
    /// A failure that no AWS error code describes.
    pub fn other(kind: ErrorKind, action: &'static str, resource: &str, message: &str) -> Self {
        Self { kind, action, resource: resource.to_owned(), code: None, message: words(message), request_id: None }
    }

    /// An answer without what it must hold.
    pub(super) fn incomplete(action: &'static str, resource: &str, what: &str) -> Self {
        Self::other(ErrorKind::Other, action, resource, &format!("the answer holds no {what}"))
    }

    /// What to do about it, one hint a line, where that is known.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = self.hints_by_kind();
        if self.code.as_deref().is_some_and(|code| NOT_ENABLED.contains(&code)) {
            hints.push("check that the region, and the service, are enabled for the account".to_owned());
        }
        hints
    }

    /// What AWS says is missing, where it names it: not always what was asked for.
    pub fn denial(&self) -> Option<Denial> {
        let mut denial = Denial::of(&self.message, &self.resource)?;
        if denial.resources.is_empty() && denial.action == self.action {
            denial.resources = vec![iam_resource(self.action, &self.resource)];
        }
        Some(denial)
    }

    fn hints_by_kind(&self) -> Vec<String> {
        if !self.kind.is_of_credentials()
            && let Some(denial) = self.denial()
        {
            return vec![denial.hint()];
        }
        match self.kind {
            ErrorKind::NoCredentials if self.code.as_deref().is_some_and(|code| SIGNATURE.contains(&code)) => vec![
                "check this machine's clock, and the secret key: AWS takes signatures of the last minutes alone"
                    .to_owned(),
            ],
            ErrorKind::NoCredentials => vec![
                "choose a profile: `--profile NAME`, or set `AWS_PROFILE`".to_owned(),
                "sign in, where the profile uses IAM Identity Center: `aws sso login`".to_owned(),
                "try it without AWS: `--sandbox`".to_owned(),
            ],
            ErrorKind::ExpiredCredentials => {
                vec![
                    "sign in again with `aws sso login`, and `--profile NAME` where it isn't the default profile; or get new credentials the way you got these"
                        .to_owned(),
                ]
            }
            ErrorKind::Denied if self.code.as_deref() != Some("OptInRequired") => {
                vec![format!("allow `{}` on `{}`", self.action, iam_resource(self.action, &self.resource))]
            }
            ErrorKind::Throttled => vec![
                "run the same command again to go on; with a smaller `--parallelism`, or more tries (`AWS_MAX_ATTEMPTS`)"
                    .to_owned(),
            ],
            ErrorKind::Spreading => vec![
                "a role or key of the last minutes: run the same command again to go on".to_owned(),
                "an older one: let the function's role trust `lambda.amazonaws.com` and use the function's key".to_owned(),
            ],
            ErrorKind::ThrottledByEc2 => vec!["run the same command again to go on".to_owned()],
            ErrorKind::NoService => vec![
                "check the region: one that doesn't exist has no addresses, nor has a service that a region lacks".to_owned(),
                "where all regions fail like this, check the network, and `HTTPS_PROXY` where a proxy must be used".to_owned(),
            ],
            ErrorKind::Transport => vec![
                "check the network, `HTTPS_PROXY`, `NO_PROXY`, and `AWS_CA_BUNDLE` where a proxy inspects TLS"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on `{}`: ", self.action, self.resource)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for AwsError {}

impl From<AwsError> for Unread {
    fn from(error: AwsError) -> Self {
        match error.kind {
            ErrorKind::Denied => {
                let denial = error.denial();
                let asked = || iam_resource(error.action, &error.resource);
                let (action, resource) = match denial {
                    // AWS names no resource where an action can be allowed on all alone.
                    Some(denial) => {
                        (denial.action, denial.resources.into_iter().next().unwrap_or_else(|| "*".to_owned()))
                    }
                    None => (error.action.to_owned(), asked()),
                };
                Self::Denied { action, resource, code: error.code, message: error.message }
            }
            _ => Self::Failed {
                call: Some(Asked { action: error.action.to_owned(), resource: error.resource }),
                code: error.code,
                message: error.message,
                request_id: error.request_id,
            },
        }
    }
}

/// A result as a reading: what AWS doesn't know is absent, any other failure is unread.
pub(super) fn reading<T>(result: Result<T, AwsError>) -> Reading<T> {
    match result {
        Ok(value) => Reading::Found(value),
        Err(error) if error.kind == ErrorKind::NotFound => Reading::Absent,
        Err(error) => Reading::Unread(error.into()),
    }
}
