//! A change: what is done to what, why, and what people fear about it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{Address, External, RotationRules};

use super::FieldChange;

/// One difference: data that can be saved, compared, rendered and executed.
///
/// Values that may be private are not in it: the applier takes them from the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it concerns.
    pub address: Address,
    /// The name on AWS.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What changes in detail.
    pub fields: Vec<FieldChange>,
    /// What people fear about it.
    pub effects: BTreeSet<Effect>,
    /// The changes that must be done first, as indexes into [`Plan::changes`].
    pub after: Vec<usize>,
    /// Whether a foreseen error keeps it from being done.
    pub blocked: bool,
    /// The rules of `select` that mean the secret, where no entry of `secrets` names it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Action {
    /// Deploy the application as a new stack.
    DeployStack {
        /// The application's ARN.
        application: String,
        /// The version to deploy.
        version: String,
        /// The stack's name without the repository's prefix.
        stack: String,
        /// The stack to delete first, by ARN, where a failed one is in the way.
        replaces: Option<String>,
    },
    /// Change the stack's version or parameters (and tags, on the way).
    UpdateStack {
        /// The application's ARN.
        application: String,
        /// The version to update to.
        version: String,
        /// The stack's name without the repository's prefix.
        stack: String,
        /// The stack's ARN.
        id: String,
    },
    /// Change nothing but the stack's tags: adopt it, rename its project, share its function, or let it go.
    TagStack {
        /// The stack's ARN.
        id: String,
    },
    /// Delete a stack with our tag.
    DeleteStack {
        /// The stack's ARN.
        id: String,
        /// The function that it holds, which no secret may rotate with any more.
        function_arn: Option<String>,
    },
    /// `UpdateFunctionConfiguration`, merged with what is live.
    UpdateConfiguration,
    /// `UpdateFunctionCode`.
    UpdateCode,
    /// `AddPermission` for Secrets Manager.
    AddPermission {
        /// Whether a statement with our id is there and must go first.
        replace: bool,
    },
    /// `RotateSecret` on a secret whose rotation is off.
    EnableRotation(RotateSecret),
    /// `RotateSecret` on a secret whose rotation is on, with other rules or another function.
    UpdateRotation(RotateSecret),
    /// `RotateSecret` that changes nothing and only runs the function's `testSecret`, after the function has changed.
    TestFunction(RotateSecret),
    /// `CancelRotateSecret`.
    DisableRotation,
    /// `RotateSecret` that changes nothing but the value: another one is asked for now.
    RotateNow(RotateSecret),
    /// Ends a rotation that is stuck: by `RotateSecret`, or by moving labels (`UpdateSecretVersionStage`).
    Repair(Repair),
}

/// What `RotateSecret` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateSecret {
    /// The secret's ARN.
    pub secret_arn: String,
    /// The function's ARN; `None` where AWS manages the rotation or keeps the live function.
    pub function_arn: Option<String>,
    /// The role and the metadata of a managed external secret; `None` keeps the live ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The rules; `None` keeps the live ones.
    pub rules: Option<RotationRules>,
    /// AWS's `RotateImmediately`.
    pub rotate_immediately: bool,
    /// The `ClientRequestToken`, where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// How the labels begin that keep the values of versions that were given up; the day follows.
pub const DROPPED: &str = "rotator-dropped-";

/// A rotation that hasn't finished, and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Which way.
    pub way: Way,
    /// The secret's ARN.
    pub secret_arn: String,
    /// The version that holds `AWSPENDING`.
    pub version: String,
    /// The version that holds `AWSCURRENT`.
    pub current: Option<String>,
    /// The label that keeps the version's value, where its `AWSPENDING` goes.
    pub label: Option<String>,
}

/// A way out of a rotation that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Have Secrets Manager try it again.
    Retry,
    /// Make its version the current one.
    Promote,
    /// Give its version up.
    Drop,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Retry, Self::Promote, Self::Drop];

    /// The word that asks for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Promote => "promote",
            Self::Drop => "drop",
        }
    }
}

impl Action {
    /// The symbol class that it counts under.
    pub fn operation(&self) -> Operation {
        match self {
            Self::DeployStack { replaces: Some(_), .. } => Operation::Replace,
            Self::DeployStack { .. } | Self::AddPermission { replace: false } | Self::EnableRotation(_) => {
                Operation::Add
            }
            Self::UpdateStack { .. }
            | Self::TagStack { .. }
            | Self::UpdateConfiguration
            | Self::UpdateCode
            | Self::AddPermission { replace: true }
            | Self::UpdateRotation(_)
            | Self::TestFunction(_)
            | Self::RotateNow(_)
            | Self::Repair(_) => Operation::Change,
            Self::DeleteStack { .. } | Self::DisableRotation => Operation::Destroy,
        }
    }

    /// The request to Secrets Manager, where it is one.
    pub fn rotate_secret(&self) -> Option<&RotateSecret> {
        match self {
            Self::EnableRotation(request)
            | Self::UpdateRotation(request)
            | Self::TestFunction(request)
            | Self::RotateNow(request) => Some(request),
            _ => None,
        }
    }
}

/// Terraform's classes of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `+`
    Add,
    /// `~`
    Change,
    /// `-/+`
    Replace,
    /// `-`
    Destroy,
}

/// Why a change is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Reason {
    /// AWS doesn't have it.
    Missing,
    /// AWS has it otherwise.
    Differs,
    /// A stack of this application has no project tag yet.
    Adopt,
    /// The project has a new name.
    Renamed {
        /// The earlier name.
        from: String,
    },
    /// The stack's creation failed, and such a stack can only be deleted.
    FailedStack {
        /// Its status.
        status: String,
    },
    /// The stack is there and its function isn't.
    FunctionGone,
    /// It is part of a function that is deployed in the same plan.
    Deployed,
    /// Its function changes in the same plan.
    FunctionChanges,
    /// Its function has changed before, and hasn't run well since.
    Untested,
    /// No handle names it any more.
    Orphaned,
    /// The manifest lets it go.
    Removed,
    /// Everything goes.
    Destroyed,
    /// It is asked for by name.
    Asked,
}

/// What people fear about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The secret gets a new value now.
    RotatesNow,
    /// Secrets Manager runs the function's `testSecret` now.
    TestsNow,
    /// The rotation that the old schedule planned may still happen.
    MayRotateOnOldSchedule,
    /// The live function runs other code: its package, its handler, its runtime, its layers, its application's version, or a
    /// variable that loads some is another. Or the secret moves to another function.
    ReplacesCode,
    /// The longest time between two rotations of the secret grows.
    RotatesLessOften,
    /// The secret's rotation stops; or it moves to a function that may not run.
    StopsRotation,
    /// The secret is taken from a function that this manifest doesn't deploy, or a stack from another project.
    TakesOver,
    /// Secrets Manager is let in to invoke the function.
    OpensPermission,
    /// Something is deleted.
    Deletes,
    /// A value that a rotation made, and that isn't in use yet as far as is known, is given up.
    DropsPending,
    /// Rotation is switched on for a secret for which it is off.
    StartsRotation,
    /// It is done in spite of a freeze.
    OverridesFreeze,
}

impl Effect {
    /// All effects, the most feared first.
    pub const ALL: [Self; 12] = [
        Self::OverridesFreeze,
        Self::Deletes,
        Self::DropsPending,
        Self::StopsRotation,
        Self::RotatesNow,
        Self::StartsRotation,
        Self::TakesOver,
        Self::ReplacesCode,
        Self::RotatesLessOften,
        Self::MayRotateOnOldSchedule,
        Self::TestsNow,
        Self::OpensPermission,
    ];

    /// The published name.
    pub fn word(self) -> &'static str {
        match self {
            Self::RotatesNow => "rotates-now",
            Self::TestsNow => "tests-now",
            Self::MayRotateOnOldSchedule => "may-rotate-on-old-schedule",
            Self::ReplacesCode => "replaces-code",
            Self::RotatesLessOften => "rotates-less-often",
            Self::StopsRotation => "stops-rotation",
            Self::TakesOver => "takes-over",
            Self::OpensPermission => "opens-permission",
            Self::Deletes => "deletes",
            Self::DropsPending => "drops-pending",
            Self::StartsRotation => "starts-rotation",
            Self::OverridesFreeze => "overrides-freeze",
        }
    }
}
