//! A secret with all that says how its rotation does.

use std::sync::Arc;

use super::RotationRules;

/// A secret as `ListSecrets` (up to five minutes late) or `DescribeSecret` shows it. Times are seconds since 1970, UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether rotation is on. `None`: it never was configured.
    pub rotation_enabled: Option<bool>,
    /// The function that it refers to, on or off: the same one for many secrets, and kept once.
    pub function_arn: Option<Arc<str>>,
    /// Its rules, which stay behind where rotation is off.
    pub rules: Option<RotationRules>,
    /// The service that owns it, if any.
    pub owning_service: Option<String>,
    /// The partner's kind of secret (`Type`), where a partner rotates it.
    pub partner_type: Option<String>,
    /// The region of its primary, where it is a replica.
    pub replica_of: Option<String>,
    /// From when on AWS deletes it, where it is scheduled for deletion.
    pub deletion: Option<i64>,
    /// When it was created.
    pub created: Option<i64>,
    /// When the last rotation succeeded.
    pub last_rotated: Option<i64>,
    /// By when the next one happens, at the latest; in the past after failures.
    pub next_rotation: Option<i64>,
    /// The day on which its value was last read.
    pub last_accessed: Option<i64>,
    /// The version that holds `AWSCURRENT`.
    pub current_version: Option<String>,
    /// The version that holds `AWSPENDING`.
    pub pending_version: Option<String>,
}

impl SecretRecord {
    /// The version of a rotation that is in progress, or that failed and is stuck. `AWSPENDING` beside `AWSCURRENT` on one version
    /// is what a finished rotation may leave behind.
    pub fn unfinished_rotation(&self) -> Option<&str> {
        self.pending_version.as_deref().filter(|pending| self.current_version.as_deref() != Some(*pending))
    }

    /// Whether its rotation is another's: it is a replica, or a service owns it.
    pub fn is_anothers(&self) -> bool {
        self.replica_of.is_some() || self.owning_service.is_some()
    }

    /// Whether rotation is on, and not in the region of its primary.
    pub fn rotates_here(&self) -> bool {
        self.is_on() && self.replica_of.is_none()
    }

    /// Whether rotation is on.
    pub fn is_on(&self) -> bool {
        self.rotation_enabled == Some(true)
    }

    /// Since when its value is as it is, as far as the secret itself says: a value that was put by hand doesn't show in it.
    pub fn unchanged_since(&self) -> Option<i64> {
        self.last_rotated.or(self.created)
    }
}
