//! What an apply needs of AWS: the writes, and the looks that belong to them.
//!
//! [`crate::apply`] is written against this trait, so that it can be tested with scripted answers.

use std::collections::BTreeMap;
use std::future::Future;

use crate::model::live::{Configuration, LiveSecret, LiveStack, Statement};
use crate::model::{RotationRules, Sensitive, Vpc};

use super::AwsError;

/// A change set that was made, by the ARNs that AWS answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetIds {
    /// The change set's ARN.
    pub change_set: String,
    /// The stack's ARN.
    pub stack: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// A change set as `DescribeChangeSet` shows it, all pages of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetView {
    /// Such as `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    /// Why it has that status.
    pub reason: Option<String>,
    /// Such as `AVAILABLE` or `EXECUTE_COMPLETE`.
    pub execution_status: Option<String>,
    /// What it would do.
    pub changes: Vec<ResourceChange>,
}

/// What a change set would do to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceChange {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`.
    pub action: String,
    /// The template's name for it.
    pub logical_id: String,
    /// Its own name.
    pub physical_id: Option<String>,
    /// Such as `AWS::Lambda::Function`.
    pub resource_type: String,
    /// `True`, `False` or `Conditional`, where it is modified.
    pub replacement: Option<String>,
}

/// A stack's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackStatus {
    /// The stack's ARN.
    pub id: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub reason: Option<String>,
}

/// A change set that the Serverless Application Repository is asked for.
#[derive(Debug, Clone)]
pub struct ApplicationChangeSet {
    /// The application's ARN.
    pub application: String,
    /// Its version.
    pub version: String,
    /// The stack's name, without the repository's prefix.
    pub stack: String,
    /// All parameters: what isn't sent takes the template's default.
    pub parameters: BTreeMap<String, Sensitive>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// The stack's tags beside the repository's own.
    pub tags: BTreeMap<String, String>,
}

/// What `UpdateFunctionConfiguration` changes; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ConfigurationChange {
    /// Such as `python3.12`.
    pub runtime: Option<String>,
    /// Such as `lambda_function.lambda_handler`.
    pub handler: Option<String>,
    /// Layer version ARNs, in order.
    pub layers: Option<Vec<String>>,
    /// Seconds.
    pub timeout: Option<u32>,
    /// MB.
    pub memory: Option<u32>,
    /// All variables, merged with the live ones already.
    pub environment: Option<BTreeMap<String, Sensitive>>,
    /// Subnets and security groups; empty: leave the VPC.
    pub vpc: Option<Vpc>,
    /// The description.
    pub description: Option<String>,
}

/// Code to upload.
#[derive(Debug, Clone)]
pub enum CodeUpload {
    /// A zip's bytes.
    Zip(Vec<u8>),
    /// An object in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The object's version.
        object_version: Option<String>,
    },
}

/// What `RotateSecret` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateAnswer {
    /// The version that the rotation makes, if AWS named one.
    pub version_id: Option<String>,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// The writes of an apply. Each answers with AWS's request id where it has nothing else to say.
pub trait Execute: Sync {
    /// `serverlessrepo:CreateCloudFormationChangeSet`.
    fn create_application_change_set(
        &self,
        request: &ApplicationChangeSet,
    ) -> impl Future<Output = Result<ChangeSetIds, AwsError>> + Send;

    /// `cloudformation:CreateChangeSet` with the previous template and parameters, and these tags instead of the stack's
    /// (those that start with `aws:` are left out, since only AWS sets them).
    fn create_tags_change_set(
        &self,
        stack: &LiveStack,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<ChangeSetIds, AwsError>> + Send;

    /// `cloudformation:DescribeChangeSet`, by ARN.
    fn describe_change_set(&self, arn: &str) -> impl Future<Output = Result<ChangeSetView, AwsError>> + Send;

    /// `cloudformation:ExecuteChangeSet`, by ARN.
    fn execute_change_set(&self, arn: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `cloudformation:DeleteChangeSet`, by ARN.
    fn delete_change_set(&self, arn: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `cloudformation:DescribeStacks`, by ARN or name; `None` where there is no such stack, or a deleted one.
    fn stack_status(&self, stack: &str) -> impl Future<Output = Result<Option<StackStatus>, AwsError>> + Send;

    /// The first failed resource's reason since the stack's last operation began (`cloudformation:DescribeStackEvents`).
    fn stack_first_failure(&self, stack: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `cloudformation:DeleteStack`, by ARN.
    fn delete_stack(&self, stack: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// A function's configuration as it is now, and its revision id (`lambda:GetFunction`); `None` where there is none.
    fn get_configuration(
        &self,
        function: &str,
    ) -> impl Future<Output = Result<Option<(Configuration, Option<String>)>, AwsError>> + Send;

    /// `lambda:UpdateFunctionConfiguration`, refused by AWS where the revision id is an older one.
    fn update_configuration(
        &self,
        function: &str,
        change: &ConfigurationChange,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `lambda:UpdateFunctionCode`, refused by AWS where the revision id is an older one.
    fn update_code(
        &self,
        function: &str,
        code: &CodeUpload,
        architecture: Option<&str>,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `lambda:GetPolicy`; empty where the function has none. With it, the policy's revision id.
    fn get_policy(
        &self,
        function: &str,
    ) -> impl Future<Output = Result<(Vec<Statement>, Option<String>), AwsError>> + Send;

    /// `lambda:AddPermission` for the principal `secretsmanager.amazonaws.com`, action `lambda:InvokeFunction`.
    fn add_permission(
        &self,
        function: &str,
        statement_id: &str,
        source_account: &str,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `lambda:RemovePermission`.
    fn remove_permission(
        &self,
        function: &str,
        statement_id: &str,
        revision_id: Option<&str>,
    ) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `secretsmanager:RotateSecret`.
    fn rotate_secret(
        &self,
        secret: &str,
        function_arn: Option<&str>,
        rules: Option<&RotationRules>,
        rotate_immediately: bool,
    ) -> impl Future<Output = Result<RotateAnswer, AwsError>> + Send;

    /// `secretsmanager:CancelRotateSecret`.
    fn cancel_rotate_secret(&self, secret: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;

    /// `secretsmanager:DescribeSecret`; `None` where there is no such secret.
    fn describe_secret(&self, secret: &str) -> impl Future<Output = Result<Option<LiveSecret>, AwsError>> + Send;

    /// The staging labels of one version of a secret, empty where it has none or is gone (`secretsmanager:DescribeSecret`).
    fn version_stages(&self, secret: &str, version: &str)
    -> impl Future<Output = Result<Vec<String>, AwsError>> + Send;
}
