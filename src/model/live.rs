//! What AWS has, in the types that a manifest is compared with.
//!
//! Every reading that can fail by itself is a [`Reading`], so that one denied or broken resource doesn't hide the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arn::default_log_group;
use super::schedule::window_hours;
use super::{External, PackagedFile, RotationRules, Sensitive, Settings};

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// The credentials may not: the IAM action and the resource that are missing.
    Denied {
        /// Such as `secretsmanager:DescribeSecret`.
        action: String,
        /// The resource's ARN or name, or `*`.
        resource: String,
        /// AWS's error code, where there is one.
        code: Option<String>,
        /// AWS's own words.
        message: String,
    },
    /// AWS answered with another error.
    Failed {
        /// What was asked; `None` where the answer was good, and what it says isn't.
        call: Option<Asked>,
        /// AWS's error code, where there is one.
        code: Option<String>,
        /// AWS's own words, or the transport's.
        message: String,
        /// AWS's request id, where there is one.
        request_id: Option<String>,
    },
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The IAM action, such as `lambda:GetPolicy`.
    pub action: String,
    /// What it was called on: a name or an ARN, `*` for lists.
    pub resource: String,
}

/// A reading: there, not there, or not readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// It is there.
    Found(T),
    /// AWS says that it doesn't exist.
    Absent,
    /// It could not be read.
    Unread(Unread),
}

impl<T> Reading<T> {
    /// The value, where it was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            _ => None,
        }
    }
}

/// The live state of one target, as far as a manifest's comparison needs it.
#[derive(Debug, Clone)]
pub struct Live {
    /// The account that the credentials belong to.
    pub account: String,
    /// The region.
    pub region: String,
    /// The partition, from the caller's ARN.
    pub partition: String,
    /// For each function of the manifest, by handle.
    pub functions: BTreeMap<String, LiveFunction>,
    /// For each secret of the manifest, by handle.
    pub secrets: BTreeMap<String, Reading<LiveSecret>>,
    /// Stacks with the project's tag (or its earlier name's) that no handle names.
    pub orphan_stacks: Vec<OrphanStack>,
    /// Secrets that rotate with a function of the project and that no handle names, or why they could not be listed.
    pub orphan_secrets: Result<Vec<OrphanSecret>, Unread>,
    /// Why stacks could not be listed, if they couldn't.
    pub stacks_unread: Option<Unread>,
    /// All secrets of the account and region, or why they could not be listed; `None` where no rule covers them.
    pub listed: Option<Result<Vec<ListedSecret>, Unread>>,
}

/// A function and all that belongs to it.
#[derive(Debug, Clone)]
pub struct LiveFunction {
    /// Its stack; `Absent` for existing functions too.
    pub stack: Reading<LiveStack>,
    /// Where its stack isn't there, and a function of its name is: the stack of the same application that holds that function under
    /// another name, if one does.
    pub held_by: Option<Box<LiveStack>>,
    /// Its configuration.
    pub configuration: Reading<Configuration>,
    /// Who may invoke it.
    pub policy: Reading<Vec<Statement>>,
    /// What the application's version declares; `Absent` for existing functions.
    pub application: Reading<ApplicationVersion>,
    /// How many secrets of other manifests a shared function rotates; `None` where secrets weren't listed.
    pub foreign_secrets: Option<usize>,
    /// Whether it has run since it changed; `None` where nobody asks, or a secret was rotated with it since.
    pub tested: Option<Tested>,
}

/// Whether a function is known to have run since it changed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tested {
    /// Its last invocation ended well.
    Passed,
    /// It hasn't run, or its last invocation failed.
    Not,
    /// Its log doesn't say it.
    Unknown,
}

/// A `CloudFormation` stack of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveStack {
    /// The stack's ARN.
    pub id: String,
    /// Its real name, with the repository's prefix.
    pub name: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its parameters; a `NoEcho` one reads `****`.
    pub parameters: BTreeMap<String, Sensitive>,
    /// What it was allowed, such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// The name of the function that it made, if it has one.
    pub function: Option<String>,
    /// The first failed resource's reason, read where the status is a failed one.
    pub first_failure: Option<String>,
}

impl LiveStack {
    /// Whether AWS is working on it.
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && !self.in_review()
    }

    /// Whether its change set never ran, so that it is empty and unused.
    pub fn in_review(&self) -> bool {
        self.status == STACK_IN_REVIEW
    }

    /// Whether it is what an apply leaves that ended before its change set ran: it holds nothing, not even tags. The next apply
    /// takes it for its own, and so does a removal.
    pub fn is_half_made(&self) -> bool {
        self.in_review() && self.tags.is_empty()
    }
}

/// The status of a stack whose change set never ran.
pub const STACK_IN_REVIEW: &str = "REVIEW_IN_PROGRESS";

/// What `CloudFormation` shows instead of a `NoEcho` parameter's value.
pub const NO_ECHO_MASK: &str = "****";

/// A function's configuration (Lambda, `FunctionConfiguration`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its ARN, unqualified.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `Active`, `Pending`, `Inactive`, `Failed`, `Deactivating`, `Deactivated`, or newer.
    pub state: String,
    /// Why it is in that state, in AWS's words.
    pub state_reason: Option<String>,
    /// `Successful`, `InProgress`, `Failed`, or newer.
    pub last_update_status: String,
    /// Its settings, all that it has.
    pub settings: Settings,
    /// Its variables, or the code of the error that AWS returned instead of them.
    pub environment: Result<BTreeMap<String, Sensitive>, String>,
    /// Whether it uses IPv6 in dual-stack subnets, where that is said.
    pub ipv6_dual_stack: Option<bool>,
    /// Base64 of the SHA-256 of its package.
    pub code_sha256: String,
    /// The files of its package; read only where the hash differs from the manifest's.
    pub code_files: Option<Vec<PackagedFile>>,
    /// Its tags, or why they could not be read: that is not the same as having none.
    pub tags: Result<BTreeMap<String, String>, Unread>,
    /// The log group, where it is not `/aws/lambda/NAME`.
    pub log_group: Option<String>,
    /// The ARN of the role that it runs as.
    pub role: Option<String>,
    /// How many of it may run at a time, where that is set for it alone; 0: none.
    pub reserved_concurrency: Option<u32>,
    /// When its code or configuration changed last, in milliseconds since 1970 (UTC).
    pub last_modified: Option<i64>,
}

/// One statement of a function's policy, reduced to what decides whether Secrets Manager may invoke the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its id.
    pub sid: String,
    /// Whether it lets the principal `secretsmanager.amazonaws.com` (or everyone) invoke the function.
    pub allows: bool,
    /// Whether it is a `Deny` that covers Secrets Manager's invocation.
    pub denies: bool,
    /// The account that its condition names (`aws:SourceAccount`), if any.
    pub source_account: Option<String>,
    /// The secret that its condition names (`aws:SourceArn`), if any.
    pub source_arn: Option<String>,
    /// Whether it has conditions that this program doesn't understand; then it counts as neither.
    pub other_conditions: bool,
}

/// A version of an application (Serverless Application Repository, `GetApplication`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationVersion {
    /// The version that was read: the pinned one, the live one, or the newest.
    pub version: String,
    /// The newest version, where it was asked for.
    pub newest: Option<String>,
    /// What it requires, such as `CAPABILITY_IAM`.
    pub required_capabilities: Vec<String>,
    /// Its parameters by name.
    pub parameters: BTreeMap<String, ParameterDefinition>,
}

/// A parameter that an application declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterDefinition {
    /// What it takes where none is given.
    pub default: Option<String>,
    /// The values that it accepts; empty: any.
    pub allowed_values: Vec<String>,
    /// A regular expression that values match.
    pub allowed_pattern: Option<String>,
    /// Whether its value can't be read back.
    pub no_echo: bool,
}

/// The longest window, in hours, where a secret's own isn't understood.
const LONGEST_WINDOW: u8 = 24;

/// A secret as `DescribeSecret` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSecret {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Whether rotation is on. `None`: it never was configured.
    pub rotation_enabled: Option<bool>,
    /// The function that it refers to, on or off.
    pub function_arn: Option<String>,
    /// The project tag of that function, where it isn't one of the manifest's and rotation is on.
    pub function_project: Option<String>,
    /// Whether that function's tags say that it is shared.
    pub function_shared: bool,
    /// Why that function's tags could not be read, if they couldn't: then whose it is isn't known.
    pub function_unread: Option<Unread>,
    /// That function itself, where the manifest's entry names none: nothing else of the plan looks at it.
    pub attached: Option<Arc<AttachedFunction>>,
    /// Its rules, which stay behind where rotation is off.
    pub rules: Option<RotationRules>,
    /// The customer-managed key, if not AWS's own.
    pub kms_key: Option<String>,
    /// Whether it is scheduled for deletion.
    pub deleted: bool,
    /// The region of its primary, where it is a replica.
    pub replica_of: Option<String>,
    /// The service that owns it, if any.
    pub owning_service: Option<String>,
    /// The version that holds `AWSCURRENT`.
    pub current_version: Option<String>,
    /// The version that holds `AWSPENDING`.
    pub pending_version: Option<String>,
    /// The version that holds `AWSPREVIOUS`.
    pub previous_version: Option<String>,
    /// The partner's type, where a partner rotates it.
    pub partner_type: Option<String>,
    /// What it rotates with where a partner rotates it.
    pub external: External,
    /// The day on which its value was read last, in seconds since 1970 (UTC), by any caller: its function does so too.
    pub last_accessed: Option<i64>,
    /// By when it rotates next, at the latest: how many seconds from when it was read; `None` where no date is known.
    pub rotates_within: Option<i64>,
    /// How long its value has been as it is, as far as the secret itself says, in seconds when it was read: since it last rotated, or was made.
    pub unchanged_for: Option<i64>,
    /// When its last rotation succeeded, in seconds since 1970 (UTC).
    pub last_rotated: Option<i64>,
}

/// The function that a secret refers to, as far as it says whether the secret can rotate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedFunction {
    /// Its configuration; `Absent`: Lambda doesn't know it.
    pub configuration: Reading<Configuration>,
    /// Who may invoke it, by the policy of the version or alias that the secret names.
    pub policy: Reading<Vec<Statement>>,
}

impl Configuration {
    /// The log group that it logs to.
    pub fn logs_to(&self) -> String {
        self.log_group.clone().unwrap_or_else(|| default_log_group(&self.name))
    }
}

impl LiveSecret {
    /// Whether a rotation with this token has ended well: another one may have followed.
    pub fn has_ended(&self, token: &str) -> bool {
        [&self.current_version, &self.previous_version].iter().any(|version| version.as_deref() == Some(token))
    }

    /// Whether rotation is on.
    pub fn is_on(&self) -> bool {
        self.rotation_enabled == Some(true)
    }

    /// The service that owns it, or the type of the partner that holds it: then AWS rotates it without a function.
    pub fn rotated_by(&self) -> Option<&str> {
        self.owning_service.as_deref().or(self.partner_type.as_deref())
    }

    /// The version of a rotation that is in progress, or that failed and is stuck.
    pub fn unfinished_rotation(&self) -> Option<&str> {
        self.pending_version.as_deref().filter(|pending| self.current_version.as_deref() != Some(*pending))
    }

    /// In how many seconds its next window opens, from when it was read: none or less where it is open. AWS says when a window closes; where
    /// the rules don't say how long it is, the longest that there is counts. `None` where no date is known.
    pub fn window_opens_within(&self) -> Option<i64> {
        let hours = self.rules.as_ref().and_then(window_hours).unwrap_or(LONGEST_WINDOW);
        Some(self.rotates_within? - i64::from(hours) * 3_600)
    }

    /// Whether its window was open when it was read, so that Secrets Manager may rotate it any moment.
    pub fn is_window_open(&self) -> bool {
        self.rotates_within.is_some_and(|within| within > 0)
            && self.window_opens_within().is_some_and(|opens| opens <= 0)
    }
}

/// A secret as `ListSecrets` shows it, up to five minutes late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether rotation is on.
    pub is_on: bool,
    /// The function that it refers to, on or off: the same one for many secrets, and kept once.
    pub function_arn: Option<Arc<str>>,
    /// Its rules, which stay behind where rotation is off.
    pub rules: Option<RotationRules>,
    /// The service that owns it, if any.
    pub owning_service: Option<String>,
    /// The region of its primary, where it is a replica.
    pub replica_of: Option<String>,
}

/// A stack with the project's tag that no handle names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanStack {
    /// The stack.
    pub stack: LiveStack,
    /// Whether its tags say that the function is shared.
    pub shared: bool,
    /// The function's ARN.
    pub function_arn: Option<String>,
    /// Secrets that still rotate with its function, by name; `None` where secrets weren't listed.
    pub rotating: Option<Vec<String>>,
}

/// A secret that rotates with a function of the project and that no handle names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanSecret {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The function that rotates it.
    pub function_arn: String,
}
