//! Addresses: how commands, plans and people name a resource of a manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest address that is looked for, in bytes: a target's name, a kind, and AWS's longest name or ARN.
pub const MAX_LENGTH: usize = 1_024;

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A rotation function of the manifest, with its stack.
    Function,
    /// A secret of the manifest.
    Secret,
    /// A stack with the project's tag that no handle names; addressed by the stack's name.
    OrphanStack,
    /// A secret that rotates with a function of the project and that no handle names; addressed by AWS's name.
    OrphanSecret,
    /// A secret that no manifest names, under a rule that covers such; addressed by AWS's name.
    LiveSecret,
    /// A rule of a policy; addressed by its name.
    Policy,
    /// A limit of the manifest; addressed by its word.
    Limit,
    /// A freeze; addressed by its first day.
    Freeze,
}

impl Kind {
    /// The word in front of the dot.
    pub fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Secret => "secret",
            Self::OrphanStack => "orphan_stack",
            Self::OrphanSecret => "orphan_secret",
            Self::LiveSecret => "live_secret",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Freeze => "freeze",
        }
    }
}

/// `function.stripe`, `secret.payments/api-key`, or `prod-eu/secret.payments/api-key` where there are several targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The target's name, where the manifest has named targets.
    pub target: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The key in the manifest; for orphans, the name on AWS.
    pub handle: String,
}

impl Address {
    /// An address within a target.
    pub fn new(target: Option<&str>, kind: Kind, handle: impl Into<String>) -> Self {
        Self { target: target.map(str::to_owned), kind, handle: handle.into() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "{target}/")?;
        }
        write!(f, "{}.{}", self.kind.word(), self.handle)
    }
}
