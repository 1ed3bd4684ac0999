//! Every write, as a trait, so that what runs a plan can be tried with a scripted AWS.
//!
//! Beside the writes stand the looks that a writer needs between them, made with the writer's own credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::error::AwsError;
use crate::model::live::{Configuration, LiveSecret, LiveStack, Statement};
use crate::model::{External, LogEvent, RotationRules, Sensitive, Settings};

/// The result of a call.
pub type Answer<T> = Result<T, AwsError>;

/// What AWS knows a call by, for its support.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// A function as `GetFunction` shows it.
#[derive(Clone)]
pub struct FunctionState {
    /// Its configuration and tags; its files are not read.
    pub configuration: Configuration,
    /// Makes a write fail where another came first.
    pub revision_id: Option<String>,
    /// Where its package can be downloaded for some minutes. As good as a credential: never shown.
    pub(super) code_location: Option<String>,
}

impl FunctionState {
    /// A function whose package can't be downloaded.
    pub fn new(configuration: Configuration, revision_id: Option<String>) -> Self {
        Self { configuration, revision_id, code_location: None }
    }
}

impl fmt::Debug for FunctionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionState")
            .field("configuration", &self.configuration)
            .field("revision_id", &self.revision_id)
            .finish_non_exhaustive()
    }
}

/// An application to deploy, or to bring to another version or other parameters.
#[derive(Debug, Clone)]
pub struct ApplicationChangeSet {
    /// The application's ARN.
    pub application: String,
    /// The version; `None`: the newest.
    pub version: Option<String>,
    /// The stack's name without the prefix that the repository puts before it.
    pub stack: String,
    /// Every parameter that is to have another value than the template's default: the repository keeps no earlier value.
    pub parameters: Vec<(String, Sensitive)>,
    /// What the application requires, such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// The stack's tags besides the repository's own.
    pub tags: BTreeMap<String, String>,
}

/// A change set that was asked for; it isn't ready yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetIds {
    /// The change set's ARN.
    pub change_set: String,
    /// The stack's ARN.
    pub stack: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// What a change set would do to a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetView {
    /// Its ARN.
    pub id: String,
    /// `CREATE_PENDING`, `CREATE_IN_PROGRESS`, `CREATE_COMPLETE`, `FAILED`, `DELETE_…`, or newer.
    pub status: String,
    /// Why, in AWS's words.
    pub reason: Option<String>,
    /// `UNAVAILABLE`, `AVAILABLE`, `EXECUTE_…`, `OBSOLETE`, or newer.
    pub execution_status: String,
    /// `REVERT_DRIFT`, or newer; `None`: an ordinary one, which looks at templates alone.
    pub deployment_mode: Option<String>,
    /// Its changes, of all pages.
    pub changes: Vec<ResourceChange>,
}

impl ChangeSetView {
    /// Whether it failed only because there is nothing to change. `CloudFormation` has no other way to say so than words.
    pub fn is_without_changes(&self) -> bool {
        let said = |words: &str| self.reason.as_ref().is_some_and(|reason| reason.contains(words));
        self.status == "FAILED" && (said("didn't contain changes") || said("No updates are to be performed"))
    }

    /// Whether the reason only names the hooks and validations that failed, and leaves the rest to events.
    pub fn points_to_events(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default().to_ascii_lowercase();
        reason.contains("hook") || reason.contains("validation")
    }
}

/// What happens to one resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceChange {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`, `SyncWithActual`, or newer.
    pub action: String,
    /// The name in the template.
    pub logical_id: String,
    /// The name on AWS, where it exists.
    pub physical_id: Option<String>,
    /// Such as `AWS::Lambda::Function`.
    pub resource_type: String,
    /// `True`, `False` or `Conditional`, for `Modify`.
    pub replacement: Option<String>,
    /// What happens to the resource that is there: `Delete`, `Retain`, `Snapshot`, `ReplaceAnd…`, or newer.
    pub policy_action: Option<String>,
}

/// How a stack does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackStatus {
    /// The stack's ARN.
    pub id: String,
    /// Such as `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// Why, in AWS's words.
    pub reason: Option<String>,
}

/// What changes in a function's configuration; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigurationChange {
    /// The settings that change; what is `None` stays.
    pub settings: Settings,
    /// All variables: Lambda replaces the whole map.
    pub environment: Option<BTreeMap<String, Sensitive>>,
    /// Whether IPv6 is used in dual-stack subnets. Goes with the VPC, which Lambda replaces as a whole: without it, IPv6 would end.
    pub ipv6_dual_stack: Option<bool>,
}

/// New code for a function.
#[derive(Clone, PartialEq, Eq)]
pub enum CodeUpload {
    /// A zip of at most 50 MB.
    Zip(Arc<[u8]>),
    /// A zip in S3, in the function's region.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// The object's version.
        object_version: Option<String>,
    },
}

impl std::fmt::Debug for CodeUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Zip(bytes) => write!(f, "Zip({} bytes)", bytes.len()),
            Self::S3 { bucket, key, object_version } => f
                .debug_struct("S3")
                .field("bucket", bucket)
                .field("key", key)
                .field("object_version", object_version)
                .finish(),
        }
    }
}

/// A function was told to change; it isn't ready yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updated {
    /// The revision after the change, for the next conditional one.
    pub revision_id: Option<String>,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// A policy and its revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyState {
    /// Its statements; none where there is no policy.
    pub statements: Vec<Statement>,
    /// Makes a write conditional; `None` where there is no policy.
    pub revision_id: Option<String>,
}

/// A secret as it is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretState {
    /// The secret.
    pub secret: LiveSecret,
    /// Another one after each change of the secret, by any hand. Secrets Manager has none of its own, and no write is conditional
    /// on it: it is made of when the secret changed last, and of its versions' labels.
    pub revision: String,
    /// How long ago anything of the secret changed; `None` where that isn't known.
    pub age: Option<Duration>,
    /// By when it rotates next, at the latest, in seconds since 1970 (UTC).
    pub next_rotation: Option<i64>,
    /// The staging labels of each version that has any.
    pub versions: BTreeMap<String, BTreeSet<String>>,
}

/// `RotateSecret` accepted: the rotation itself goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateAnswer {
    /// The version that the rotation makes, by which it is watched. With `rotate_immediately: false` too, while it is tested.
    pub version_id: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// How a rotation does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationProgress {
    /// The staging labels of the version that is watched. None: its rotation hasn't begun yet, or is over and the version gone.
    /// The first holds for a moment after `RotateSecret`, which only accepts.
    pub stages: Vec<String>,
    /// The version that holds `AWSCURRENT`.
    pub current_version: Option<String>,
    /// The version that holds `AWSPENDING`.
    pub pending_version: Option<String>,
    /// When the last rotation succeeded: seconds since 1970, UTC.
    pub last_rotated: Option<i64>,
    /// By when the secret rotates next, at the latest, in seconds since 1970 (UTC).
    pub next_rotation: Option<i64>,
}

/// What can be done to a target. `function`: a name or an ARN; `stack`: a real name or an ARN; `secret`: a name or an ARN.
///
/// A call that AWS throttles or that fails on the way is tried again by the implementation, with bounds; no other failure is.
pub trait Execute: Send + Sync {
    /// Asks the repository for a change set that deploys or updates an application (`CreateCloudFormationChangeSet`).
    fn create_application_change_set(
        &self,
        request: ApplicationChangeSet,
    ) -> impl Future<Output = Answer<ChangeSetIds>> + Send;

    /// Asks for a change set that gives a stack these tags, all of them, and changes nothing else (`CreateChangeSet`).
    fn create_tags_change_set(
        &self,
        stack: &LiveStack,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Answer<ChangeSetIds>> + Send;

    /// What a change set would do (`DescribeChangeSet`).
    fn describe_change_set(&self, change_set: &str) -> impl Future<Output = Answer<ChangeSetView>> + Send;

    /// What failed while a change set was made (`DescribeEvents`), resource by resource, as long as the change set is there.
    fn change_set_failures(&self, change_set: &str) -> impl Future<Output = Answer<Vec<String>>> + Send;

    /// Starts a change set (`ExecuteChangeSet`).
    fn execute_change_set(&self, change_set: &str) -> impl Future<Output = Answer<Done>> + Send;

    /// Deletes a change set that isn't to run (`DeleteChangeSet`).
    fn delete_change_set(&self, change_set: &str) -> impl Future<Output = Answer<Done>> + Send;

    /// A stack as it is now (`DescribeStacks`), without its failure. One that doesn't exist is `NotFound`; by ARN, a deleted
    /// one is `DELETE_COMPLETE`.
    fn stack(&self, stack: &str) -> impl Future<Output = Answer<LiveStack>> + Send;

    /// How a stack does (`DescribeStacks`). One that doesn't exist is `NotFound`; by ARN, a deleted one is `DELETE_COMPLETE`.
    fn stack_status(&self, stack: &str) -> impl Future<Output = Answer<StackStatus>> + Send;

    /// The first thing that failed in the stack's last operation (`DescribeStackEvents`).
    fn stack_first_failure(&self, stack: &str) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// Deletes a stack with all of its resources (`DeleteStack`).
    fn delete_stack(&self, stack: &str) -> impl Future<Output = Answer<Done>> + Send;

    /// A function as it is now (`GetFunction`).
    fn get_configuration(&self, function: &str) -> impl Future<Output = Answer<FunctionState>> + Send;

    /// Changes a function's configuration (`UpdateFunctionConfiguration`).
    fn update_configuration(
        &self,
        function: &str,
        change: &ConfigurationChange,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Answer<Updated>> + Send;

    /// Replaces a function's code (`UpdateFunctionCode`). `architecture`: `x86_64` or `arm64`; `None`: as it is.
    fn update_code(
        &self,
        function: &str,
        code: CodeUpload,
        architecture: Option<&str>,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Answer<Updated>> + Send;

    /// The newest published version of a function whose code has a hash (`ListVersionsByFunction`); `None`: there is none.
    fn version_with(&self, function: &str, code_sha256: &str) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// Publishes a function as it is as a version (`PublishVersion`), if its code still has this hash. Lambda makes none where neither code
    /// nor configuration changed since the last one, and answers with that. The answer: the version's number.
    fn publish_version(
        &self,
        function: &str,
        code_sha256: &str,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Answer<String>> + Send;

    /// Who may invoke a function (`GetPolicy`).
    fn get_policy(&self, function: &str) -> impl Future<Output = Answer<PolicyState>> + Send;

    /// Who may invoke a function, as it was written as a whole (`GetResourcePolicy`). `function`: an ARN.
    fn get_resource_policy(&self, function: &str) -> impl Future<Output = Answer<PolicyState>> + Send;

    /// Lets Secrets Manager invoke a function for the secrets of an account (`AddPermission`).
    fn add_permission(
        &self,
        function: &str,
        statement_id: &str,
        source_account: &str,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Answer<Done>> + Send;

    /// Removes a statement of a function's policy (`RemovePermission`).
    fn remove_permission(
        &self,
        function: &str,
        statement_id: &str,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Answer<Done>> + Send;

    /// Switches rotation on, changes it, or starts one (`RotateSecret`). The function, the rules, the role and the metadata that aren't
    /// given stay; metadata is replaced as a whole. `token`: the id of the version that it makes, a UUID. Secrets Manager makes no version
    /// twice, however often it is asked.
    fn rotate_secret(
        &self,
        secret: &str,
        token: &str,
        function_arn: Option<&str>,
        external: Option<&External>,
        rules: Option<&RotationRules>,
        rotate_immediately: bool,
    ) -> impl Future<Output = Answer<RotateAnswer>> + Send;

    /// Switches rotation off (`CancelRotateSecret`).
    fn cancel_rotate_secret(&self, secret: &str) -> impl Future<Output = Answer<Done>> + Send;

    /// Moves a staging label (`UpdateSecretVersionStage`) to a version, from a version, or both. No value is read or written.
    fn move_label(
        &self,
        secret: &str,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
    ) -> impl Future<Output = Answer<Done>> + Send;

    /// A secret as it is now (`DescribeSecret`), never its value.
    fn describe_secret(&self, secret: &str) -> impl Future<Output = Answer<SecretState>> + Send;

    /// The ARNs of the secrets that rotate with a function (`ListSecrets`), as far as the list has caught up: it may lag by minutes.
    fn rotating_with(&self, function_arn: &str) -> impl Future<Output = Answer<Vec<String>>> + Send;

    /// The time by AWS's clock, to about a second, in milliseconds since 1970 (UTC).
    fn now(&self) -> i64;

    /// What was logged in a log group since a moment of AWS's clock (`FilterLogEvents`), oldest first. A group that isn't there has
    /// nothing.
    fn log(&self, group: &str, since: i64) -> impl Future<Output = Answer<Vec<LogEvent>>> + Send;

    /// How the rotation does that makes this version (`DescribeSecret`).
    fn rotation_progress(&self, secret: &str, version: &str) -> impl Future<Output = Answer<RotationProgress>> + Send;
}
