//! The writes themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudformation::types as cloudformation;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types as lambda;
use aws_sdk_secretsmanager::types as secrets;
use aws_sdk_serverlessrepo::types as repository;

use super::classify::failed;
use super::clients::Clients;
use super::clock::CLOCK;
use super::error::AwsError;
use super::execute::{
    Answer, ApplicationChangeSet, ChangeSetIds, ChangeSetView, CodeUpload, ConfigurationChange, Done, Execute,
    FunctionState, PolicyState, ResourceChange, RotateAnswer, RotationProgress, SecretState, StackStatus, Updated,
};
use super::kind::ErrorKind;
use super::pages::Pages;
use super::reader::Reader;
use super::text::words;
use crate::model::arn::unqualified_function_arn;
use crate::model::live::{ListedSecret, LiveStack};
use crate::model::{External, LogEvent, RotationRules, Schedule, Setting, Settings};

/// Who invokes rotation functions.
const PRINCIPAL: &str = "secretsmanager.amazonaws.com";

/// Tags that `CloudFormation` sets by itself and refuses from others.
const RESERVED_TAGS: &str = "aws:";

/// All that a template can need, for a stack that doesn't report what it was allowed.
const CAPABILITIES: [cloudformation::Capability; 3] = [
    cloudformation::Capability::CapabilityIam,
    cloudformation::Capability::CapabilityNamedIam,
    cloudformation::Capability::CapabilityAutoExpand,
];

/// How long an upload may take besides its way.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// How many bytes a second an upload makes at least.
const UPLOAD_RATE: usize = 64 * 1024;

/// How long one upload of so many bytes may take. The time to wait for an answer counts from the first byte sent.
fn upload_timeouts(bytes: usize) -> TimeoutConfig {
    let way = Duration::from_secs(u64::try_from(bytes / UPLOAD_RATE).unwrap_or(u64::MAX));
    let all = UPLOAD_TIMEOUT.saturating_add(way);
    TimeoutConfig::builder().read_timeout(all).operation_attempt_timeout(all).build()
}

/// Writes to one target. Only a connection that was made for writing gives one out.
#[derive(Debug, Clone)]
pub struct Writer {
    inner: Arc<Clients>,
    reader: Reader,
}

impl Writer {
    pub(super) fn new(inner: Arc<Clients>) -> Self {
        Self { reader: Reader::new(Arc::clone(&inner)), inner }
    }

    /// Reads the same target with the same credentials.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// What marks a request, so that AWS knows it again where its answer was lost and it comes a second time.
fn token() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn done(answer: &impl RequestId) -> Done {
    Done { request_id: answer.request_id().map(str::to_owned) }
}

/// What a change of nothing but tags acknowledges: what the stack's template was allowed already, since it runs again as it is.
///
/// More would stay on the stack as a change that wasn't asked for, and that other tools then show. `CAPABILITY_AUTO_EXPAND`,
/// which a stack may not report, doesn't apply to change sets (API reference, `CreateChangeSet`, `Capabilities`).
fn capabilities(stack: &LiveStack) -> Vec<cloudformation::Capability> {
    if stack.capabilities.is_empty() {
        return CAPABILITIES.to_vec();
    }
    stack.capabilities.iter().map(|capability| capability.as_str().into()).collect()
}

impl Execute for Writer {
    async fn create_application_change_set(&self, request: ApplicationChangeSet) -> Answer<ChangeSetIds> {
        const ACTION: &str = "serverlessrepo:CreateCloudFormationChangeSet";
        let mut call = self
            .inner
            .repository
            .create_cloud_formation_change_set()
            .application_id(&request.application)
            .set_semantic_version(request.version)
            .stack_name(request.stack)
            .client_token(token())
            .set_capabilities(Some(request.capabilities));
        for (name, value) in &request.parameters {
            call = call
                .parameter_overrides(repository::ParameterValue::builder().name(name).value(value.expose()).build());
        }
        for (key, value) in &request.tags {
            call = call.tags(repository::Tag::builder().key(key).value(value).build());
        }
        let answer = call.send().await.map_err(failed(ACTION, &request.application))?;
        let request_id = done(&answer).request_id;
        let missing = |what| AwsError::incomplete(ACTION, &request.application, what);
        Ok(ChangeSetIds {
            change_set: answer.change_set_id.ok_or_else(|| missing("change set"))?,
            stack: answer.stack_id.ok_or_else(|| missing("stack"))?,
            request_id,
        })
    }

    async fn create_tags_change_set(&self, stack: &LiveStack, tags: &BTreeMap<String, String>) -> Answer<ChangeSetIds> {
        const ACTION: &str = "cloudformation:CreateChangeSet";
        let mut call = self
            .inner
            .cloudformation
            .create_change_set()
            .stack_name(&stack.id)
            .change_set_name(format!("rotator-{}", token()))
            .client_token(token())
            .change_set_type(cloudformation::ChangeSetType::Update)
            .use_previous_template(true)
            .set_capabilities(Some(capabilities(stack)));
        for name in stack.parameters.keys() {
            call = call
                .parameters(cloudformation::Parameter::builder().parameter_key(name).use_previous_value(true).build());
        }
        for (key, value) in tags.iter().filter(|(key, _)| !key.starts_with(RESERVED_TAGS)) {
            call = call.tags(cloudformation::Tag::builder().key(key).value(value).build());
        }
        let answer = call.send().await.map_err(failed(ACTION, &stack.id))?;
        let request_id = done(&answer).request_id;
        Ok(ChangeSetIds {
            change_set: answer.id.ok_or_else(|| AwsError::incomplete(ACTION, &stack.id, "change set"))?,
            stack: answer.stack_id.unwrap_or_else(|| stack.id.clone()),
            request_id,
        })
    }

    async fn describe_change_set(&self, change_set: &str) -> Answer<ChangeSetView> {
        const ACTION: &str = "cloudformation:DescribeChangeSet";
        let mut view: Option<ChangeSetView> = None;
        let call = self.inner.cloudformation.describe_change_set().change_set_name(change_set);
        let mut pages = call.into_paginator().send();
        let mut list = Pages::of(ACTION, change_set);
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(ACTION, change_set))?;
            list.page(page.changes().len(), page.next_token())?;
            let changes =
                page.changes().iter().filter_map(|change| change.resource_change.as_ref()).map(resource_change);
            // The first page's status holds: it may change while the rest is read.
            view.get_or_insert_with(|| ChangeSetView {
                id: page.change_set_id().unwrap_or(change_set).to_owned(),
                status: page.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                reason: page.status_reason().map(words),
                execution_status: page.execution_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                deployment_mode: page.deployment_mode().map(|mode| mode.as_str().to_owned()),
                changes: Vec::new(),
            })
            .changes
            .extend(changes);
        }
        let view = view.ok_or_else(|| AwsError::incomplete(ACTION, change_set, "change set"))?;
        if view.status.is_empty() {
            return Err(AwsError::incomplete(ACTION, change_set, "status of the change set"));
        }
        Ok(view)
    }

    async fn change_set_failures(&self, change_set: &str) -> Answer<Vec<String>> {
        self.reader.change_set_failures(change_set).await
    }

    async fn execute_change_set(&self, change_set: &str) -> Answer<Done> {
        let call = self.inner.cloudformation.execute_change_set().change_set_name(change_set);
        let answer = call.client_request_token(token()).send().await;
        answer.map(|answer| done(&answer)).map_err(failed("cloudformation:ExecuteChangeSet", change_set))
    }

    async fn delete_change_set(&self, change_set: &str) -> Answer<Done> {
        let answer = self.inner.cloudformation.delete_change_set().change_set_name(change_set).send().await;
        answer.map(|answer| done(&answer)).map_err(failed("cloudformation:DeleteChangeSet", change_set))
    }

    async fn stack(&self, stack: &str) -> Answer<LiveStack> {
        self.reader.stack(stack).await
    }

    async fn stack_status(&self, stack: &str) -> Answer<StackStatus> {
        let found = self.reader.sdk_stack(stack).await?;
        Ok(StackStatus {
            id: found.stack_id.unwrap_or_default(),
            status: found.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: found.stack_status_reason.as_deref().map(words),
        })
    }

    async fn stack_first_failure(&self, stack: &str) -> Answer<Option<String>> {
        self.reader.stack_first_failure(stack).await
    }

    async fn delete_stack(&self, stack: &str) -> Answer<Done> {
        let call = self.inner.cloudformation.delete_stack().stack_name(stack);
        let answer = call.client_request_token(token()).send().await;
        answer.map(|answer| done(&answer)).map_err(failed("cloudformation:DeleteStack", stack))
    }

    async fn get_configuration(&self, function: &str) -> Answer<FunctionState> {
        self.reader.function(function).await
    }

    async fn update_configuration(
        &self,
        function: &str,
        change: &ConfigurationChange,
        revision_id: Option<&str>,
    ) -> Answer<Updated> {
        const ACTION: &str = "lambda:UpdateFunctionConfiguration";
        let environment = change.environment.as_ref().map(|variables| {
            let variables = variables.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
            lambda::Environment::builder().set_variables(Some(variables)).build()
        });
        // The architecture goes with the code.
        let Settings {
            runtime,
            handler,
            architecture: _,
            layers,
            timeout,
            memory,
            ephemeral_storage,
            tracing,
            description,
            vpc,
        } = change.settings.clone();
        let vpc = vpc.map(|vpc| {
            // Empty lists, said explicitly, take the function out of its VPC.
            lambda::VpcConfig::builder()
                .set_subnet_ids(Some(vpc.subnets))
                .set_security_group_ids(Some(vpc.security_groups))
                .set_ipv6_allowed_for_dual_stack(change.ipv6_dual_stack)
                .build()
        });
        let tracing = tracing.as_deref().map(lambda::TracingMode::from);
        let tracing = tracing.map(|mode| lambda::TracingConfig::builder().mode(mode).build());
        let storage = number(ACTION, function, Setting::EphemeralStorage, ephemeral_storage)?;
        let storage = storage.map(|size| lambda::EphemeralStorage::builder().size(size).build()).transpose();
        let storage =
            storage.map_err(|error| AwsError::other(ErrorKind::Invalid, ACTION, function, &error.to_string()))?;
        let call = self
            .inner
            .lambda
            .update_function_configuration()
            .function_name(function)
            .set_runtime(runtime.as_deref().map(lambda::Runtime::from))
            .set_handler(handler)
            .set_layers(layers)
            .set_timeout(number(ACTION, function, Setting::Timeout, timeout)?)
            .set_memory_size(number(ACTION, function, Setting::Memory, memory)?)
            .set_ephemeral_storage(storage)
            .set_tracing_config(tracing)
            .set_environment(environment)
            .set_vpc_config(vpc)
            .set_description(description)
            .set_revision_id(revision_id.map(str::to_owned));
        let answer = call.send().await.map_err(failed(ACTION, function))?;
        Ok(Updated { request_id: done(&answer).request_id, revision_id: answer.revision_id })
    }

    async fn update_code(
        &self,
        function: &str,
        code: CodeUpload,
        architecture: Option<&str>,
        revision_id: Option<&str>,
    ) -> Answer<Updated> {
        let call = self
            .inner
            .lambda
            .update_function_code()
            .function_name(function)
            .set_revision_id(revision_id.map(str::to_owned))
            .set_architectures(architecture.map(|name| vec![lambda::Architecture::from(name)]));
        let patient = upload_timeouts(match &code {
            // As it is sent: in base64.
            CodeUpload::Zip(bytes) => bytes.len().div_ceil(3) * 4,
            CodeUpload::S3 { .. } => 0,
        });
        let call = match code {
            CodeUpload::Zip(bytes) => call.zip_file(Blob::new(bytes.to_vec())),
            CodeUpload::S3 { bucket, key, object_version } => {
                call.s3_bucket(bucket).s3_key(key).set_s3_object_version(object_version)
            }
        };
        let call = call.customize().config_override(aws_sdk_lambda::Config::builder().timeout_config(patient));
        let answer = call.send().await.map_err(failed("lambda:UpdateFunctionCode", function))?;
        Ok(Updated { request_id: done(&answer).request_id, revision_id: answer.revision_id })
    }

    async fn version_with(&self, function: &str, code_sha256: &str) -> Answer<Option<String>> {
        const ACTION: &str = "lambda:ListVersionsByFunction";
        let (mut newest, mut list) = (None::<u64>, Pages::of(ACTION, function));
        let mut pages = self.inner.lambda.list_versions_by_function().function_name(function).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(ACTION, function))?;
            list.page(page.versions().len(), page.next_marker())?;
            let same = page.versions().iter().filter(|version| version.code_sha256() == Some(code_sha256));
            // `$LATEST` is among them, and no number.
            newest = same.filter_map(|version| version.version()?.parse().ok()).chain(newest).max();
        }
        Ok(newest.map(|number| number.to_string()))
    }

    async fn publish_version(&self, function: &str, code_sha256: &str, revision_id: Option<&str>) -> Answer<String> {
        const ACTION: &str = "lambda:PublishVersion";
        let call = self.inner.lambda.publish_version().function_name(function).code_sha256(code_sha256);
        let answer =
            call.set_revision_id(revision_id.map(str::to_owned)).send().await.map_err(failed(ACTION, function))?;
        answer.version.ok_or_else(|| AwsError::incomplete(ACTION, function, "version"))
    }

    async fn get_policy(&self, function: &str) -> Answer<PolicyState> {
        self.reader.policy_state(function).await
    }

    async fn get_resource_policy(&self, function: &str) -> Answer<PolicyState> {
        self.reader.resource_policy(function).await
    }

    async fn add_permission(
        &self,
        function: &str,
        statement_id: &str,
        source_account: &str,
        revision_id: Option<&str>,
    ) -> Answer<Done> {
        let call = self
            .inner
            .lambda
            .add_permission()
            .function_name(function)
            .statement_id(statement_id)
            .action("lambda:InvokeFunction")
            .principal(PRINCIPAL)
            .source_account(source_account)
            .set_revision_id(revision_id.map(str::to_owned));
        call.send().await.map(|answer| done(&answer)).map_err(failed("lambda:AddPermission", function))
    }

    async fn remove_permission(&self, function: &str, statement_id: &str, revision_id: Option<&str>) -> Answer<Done> {
        let call = self
            .inner
            .lambda
            .remove_permission()
            .function_name(function)
            .statement_id(statement_id)
            .set_revision_id(revision_id.map(str::to_owned));
        call.send().await.map(|answer| done(&answer)).map_err(failed("lambda:RemovePermission", function))
    }

    async fn rotate_secret(
        &self,
        secret: &str,
        token: &str,
        function_arn: Option<&str>,
        external: Option<&External>,
        rules: Option<&RotationRules>,
        rotate_immediately: bool,
    ) -> Answer<RotateAnswer> {
        const ACTION: &str = "secretsmanager:RotateSecret";
        let call = self
            .inner
            .rotations
            .rotate_secret()
            .secret_id(secret)
            // The same in every attempt: a repeated request starts no second rotation.
            .client_request_token(token)
            .set_rotation_lambda_arn(function_arn.map(str::to_owned))
            .set_rotation_rules(rules.map(rotation_rules))
            .set_external_secret_rotation_role_arn(external.and_then(|external| external.role.clone()))
            .set_external_secret_rotation_metadata(external.and_then(metadata))
            .rotate_immediately(rotate_immediately);
        let answer = call.send().await.map_err(failed(ACTION, secret))?;
        let request_id = done(&answer).request_id;
        // The model leaves the version open; where none is said, it is the one that the token asked for.
        let version_id = answer.version_id.filter(|version| !version.is_empty()).unwrap_or_else(|| token.to_owned());
        Ok(RotateAnswer { version_id, request_id })
    }

    async fn cancel_rotate_secret(&self, secret: &str) -> Answer<Done> {
        let answer = self.inner.rotations.cancel_rotate_secret().secret_id(secret).send().await;
        answer.map(|answer| done(&answer)).map_err(failed("secretsmanager:CancelRotateSecret", secret))
    }

    async fn move_label(&self, secret: &str, label: &str, to: Option<&str>, from: Option<&str>) -> Answer<Done> {
        let call = self
            .inner
            .secrets
            .update_secret_version_stage()
            .secret_id(secret)
            .version_stage(label)
            .set_move_to_version_id(to.map(str::to_owned))
            .set_remove_from_version_id(from.map(str::to_owned));
        let answer = call.send().await;
        answer.map(|answer| done(&answer)).map_err(failed("secretsmanager:UpdateSecretVersionStage", secret))
    }

    async fn describe_secret(&self, secret: &str) -> Answer<SecretState> {
        self.reader.secret_state(secret).await
    }

    async fn rotating_with(&self, function_arn: &str) -> Answer<Vec<String>> {
        let listed = self.reader.secrets().await?;
        let rotates = |secret: &ListedSecret| {
            secret.is_on && secret.function_arn.as_deref().map(unqualified_function_arn) == Some(function_arn)
        };
        Ok(listed.into_iter().filter(rotates).map(|secret| secret.arn).collect())
    }

    fn now(&self) -> i64 {
        CLOCK.now()
    }

    async fn log(&self, group: &str, since: i64) -> Answer<Vec<LogEvent>> {
        self.reader.log(group, since).await
    }

    async fn rotation_progress(&self, secret: &str, version: &str) -> Answer<RotationProgress> {
        let mut details = self.reader.secret(secret).await?;
        Ok(RotationProgress {
            stages: details.versions.remove(version).unwrap_or_default(),
            current_version: details.secret.current_version,
            pending_version: details.secret.pending_version,
            last_rotated: details.last_rotated,
            next_rotation: details.next_rotation,
        })
    }
}

/// Rules as the request has them: exactly one of days and an expression.
fn rotation_rules(rules: &RotationRules) -> secrets::RotationRulesType {
    let builder =
        secrets::RotationRulesType::builder().set_duration(rules.duration_hours.map(|hours| format!("{hours}h")));
    match &rules.schedule {
        Schedule::AutomaticallyAfterDays(days) => builder.automatically_after_days((*days).into()),
        Schedule::Expression(expression) => builder.schedule_expression(expression),
    }
    .build()
}

/// `None` where there is none: AWS then keeps what it has.
fn metadata(external: &External) -> Option<Vec<secrets::ExternalSecretRotationMetadataItem>> {
    let item = |(key, value)| secrets::ExternalSecretRotationMetadataItem::builder().key(key).value(value).build();
    let items: Vec<_> = external.metadata.clone().into_iter().map(item).collect();
    (!items.is_empty()).then_some(items)
}

fn resource_change(change: &cloudformation::ResourceChange) -> ResourceChange {
    ResourceChange {
        action: change.action().map(|action| action.as_str().to_owned()).unwrap_or_default(),
        logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: change.physical_resource_id().map(str::to_owned),
        resource_type: change.resource_type().unwrap_or_default().to_owned(),
        replacement: change.replacement().map(|replacement| replacement.as_str().to_owned()),
        policy_action: change.policy_action().map(|action| action.as_str().to_owned()),
    }
}

/// A number as the API takes it.
fn number(action: &'static str, function: &str, setting: Setting, value: Option<u32>) -> Answer<Option<i32>> {
    value.map(i32::try_from).transpose().map_err(|_| {
        AwsError::other(ErrorKind::Invalid, action, function, &format!("`{}` is too large a number", setting.word()))
    })
}
