//! From the SDK's types to the model's: canonical on the way, so that equal things compare equal.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_cloudformation::types as cloudformation;
use aws_sdk_lambda::types as lambda;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types as secrets;
use aws_sdk_serverlessrepo::types as repository;
use aws_smithy_types::DateTime;

use super::clock::CLOCK;
use super::cover;
use super::text::{clean, words};
use crate::model::account::TaggedSecret;
use crate::model::arn::{Arn, default_log_group, unqualified_function_arn};
use crate::model::live::{
    ApplicationVersion, Configuration, ListedSecret, LiveSecret, LiveStack, NO_ECHO_MASK, ParameterDefinition, Unread,
};
use crate::model::record::SecretRecord;
use crate::model::{External, RotationRules, SAR_APPLICATION_TAG, Schedule, Sensitive, Settings, Vpc, templates};

/// The alias of the key that AWS itself manages for Secrets Manager.
const AWS_KEY_ALIAS: &str = "alias/aws/secretsmanager";

pub(super) fn rotation_rules(rules: Option<&secrets::RotationRulesType>) -> Option<RotationRules> {
    let rules = rules?;
    // Beside an expression, AWS reports days that it computed from it: they were never set, and can't be sent back.
    let schedule = match (&rules.schedule_expression, rules.automatically_after_days) {
        (Some(expression), _) => Schedule::Expression(clean(expression)),
        (None, Some(days)) => Schedule::AutomaticallyAfterDays(u16::try_from(days).ok()?),
        (None, None) => return None,
    };
    let hours = rules.duration.as_deref().and_then(|text| text.strip_suffix(['h', 'H'])?.trim().parse().ok());
    Some(RotationRules::new(schedule, hours))
}

pub(super) fn secret(secret: &DescribeSecretOutput, region: &str) -> LiveSecret {
    let stages = secret.version_ids_to_stages.as_ref();
    let is_aws_key = |key: &str| key == AWS_KEY_ALIAS || key.ends_with(&format!(":{AWS_KEY_ALIAS}"));
    LiveSecret {
        arn: secret.arn.clone().unwrap_or_default(),
        name: secret.name.clone().unwrap_or_default(),
        rotation_enabled: secret.rotation_enabled,
        function_arn: stated(secret.rotation_lambda_arn.clone()),
        function_project: None,
        function_shared: false,
        function_unread: None,
        attached: None,
        rules: rotation_rules(secret.rotation_rules.as_ref()),
        kms_key: secret.kms_key_id.clone().filter(|key| !key.is_empty() && !is_aws_key(key)),
        deleted: secret.deleted_date.is_some(),
        replica_of: primary_of(secret.primary_region.clone(), region),
        owning_service: stated(secret.owning_service.clone()),
        current_version: version_with(stages, "AWSCURRENT"),
        pending_version: version_with(stages, "AWSPENDING"),
        previous_version: version_with(stages, "AWSPREVIOUS"),
        partner_type: stated(secret.r#type.clone()),
        external: external(secret),
        last_accessed: secret.last_accessed_date.as_ref().map(DateTime::secs),
        rotates_within: secret.next_rotation_date.as_ref().map(|next| next.secs() - CLOCK.now() / 1000),
        unchanged_for: secret
            .last_rotated_date
            .or(secret.created_date)
            .map(|since| (CLOCK.now() / 1000 - since.secs()).max(0)),
        last_rotated: secret.last_rotated_date.as_ref().map(DateTime::secs),
    }
}

/// What a managed external secret rotates with.
fn external(secret: &DescribeSecretOutput) -> External {
    let item = |item: &secrets::ExternalSecretRotationMetadataItem| Some((item.key.clone()?, item.value.clone()?));
    External {
        role: stated(secret.external_secret_rotation_role_arn.clone()),
        metadata: secret.external_secret_rotation_metadata().iter().filter_map(item).collect(),
    }
}

pub(super) fn listed_secret(entry: secrets::SecretListEntry, region: &str) -> ListedSecret {
    ListedSecret {
        rules: rotation_rules(entry.rotation_rules.as_ref()),
        is_on: entry.rotation_enabled == Some(true),
        function_arn: stated(entry.rotation_lambda_arn).map(Arc::from),
        owning_service: stated(entry.owning_service),
        replica_of: primary_of(entry.primary_region, region),
        name: entry.name.unwrap_or_default(),
        arn: entry.arn.unwrap_or_default(),
    }
}

/// What the list says of how a secret's rotation does.
pub(super) fn listed_record(entry: secrets::SecretListEntry, region: &str) -> SecretRecord {
    let seconds = |time: Option<&DateTime>| time.map(DateTime::secs);
    let stages = entry.secret_versions_to_stages.as_ref();
    SecretRecord {
        rotation_enabled: entry.rotation_enabled,
        rules: rotation_rules(entry.rotation_rules.as_ref()),
        deletion: seconds(entry.deleted_date()),
        created: seconds(entry.created_date()),
        last_rotated: seconds(entry.last_rotated_date()),
        next_rotation: seconds(entry.next_rotation_date()),
        last_accessed: seconds(entry.last_accessed_date()),
        current_version: version_with(stages, "AWSCURRENT"),
        pending_version: version_with(stages, "AWSPENDING"),
        replica_of: primary_of(entry.primary_region, region),
        function_arn: stated(entry.rotation_lambda_arn).map(Arc::from),
        owning_service: stated(entry.owning_service),
        partner_type: stated(entry.r#type),
        name: entry.name.unwrap_or_default(),
        arn: entry.arn.unwrap_or_default(),
    }
}

/// What the list says of a secret, with its tags.
pub(super) fn tagged_secret(mut entry: secrets::SecretListEntry, region: &str) -> TaggedSecret {
    let tags = entry.tags.take().unwrap_or_default().into_iter();
    let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
    TaggedSecret { record: listed_record(entry, region), tags }
}

/// What a description says of how a secret's rotation does.
pub(super) fn record(secret: DescribeSecretOutput, region: &str) -> SecretRecord {
    let seconds = |time: Option<&DateTime>| time.map(DateTime::secs);
    let stages = secret.version_ids_to_stages.as_ref();
    SecretRecord {
        rotation_enabled: secret.rotation_enabled,
        rules: rotation_rules(secret.rotation_rules.as_ref()),
        deletion: seconds(secret.deleted_date()),
        created: seconds(secret.created_date()),
        last_rotated: seconds(secret.last_rotated_date()),
        next_rotation: seconds(secret.next_rotation_date()),
        last_accessed: seconds(secret.last_accessed_date()),
        current_version: version_with(stages, "AWSCURRENT"),
        pending_version: version_with(stages, "AWSPENDING"),
        replica_of: primary_of(secret.primary_region, region),
        function_arn: stated(secret.rotation_lambda_arn).map(Arc::from),
        owning_service: stated(secret.owning_service),
        partner_type: stated(secret.r#type),
        name: secret.name.unwrap_or_default(),
        arn: secret.arn.unwrap_or_default(),
    }
}

/// The version that holds a staging label. AWS puts a label on one version at most; of several, the first by name.
fn version_with(stages: Option<&HashMap<String, Vec<String>>>, stage: &str) -> Option<String> {
    let versions = stages.into_iter().flatten();
    let holders = versions.filter(|(_, stages)| stages.iter().any(|one| one == stage)).map(|(version, _)| version);
    holders.min().cloned()
}

/// A text, where there is one.
fn stated(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The primary's region, where a secret is a replica.
fn primary_of(primary: Option<String>, region: &str) -> Option<String> {
    stated(primary).filter(|primary| primary != region)
}

/// A stack, with the function that it made where an output names it.
pub(super) fn stack(stack: &cloudformation::Stack) -> LiveStack {
    let parameter = |parameter: &cloudformation::Parameter| {
        let name = parameter.parameter_key()?.to_owned();
        Some((name, Sensitive::new(parameter.parameter_value().unwrap_or(NO_ECHO_MASK))))
    };
    let tag = |tag: &cloudformation::Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    LiveStack {
        id: stack.stack_id.clone().unwrap_or_default(),
        name: stack.stack_name.clone().unwrap_or_default(),
        status: stack.stack_status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        tags: stack.tags().iter().filter_map(tag).collect(),
        parameters: stack.parameters().iter().filter_map(parameter).collect(),
        capabilities: stack.capabilities().iter().map(|one| one.as_str().to_owned()).collect(),
        function: function_of(stack),
        first_failure: None,
    }
}

/// The output of AWS's rotation templates that holds their function's ARN.
const FUNCTION_OUTPUT: &str = "RotationLambdaARN";

/// The function that a stack at rest names as the one it made. In any other state, outputs are of earlier times; and those of other
/// publishers' templates may name any function.
fn function_of(stack: &cloudformation::Stack) -> Option<String> {
    let rests =
        stack.stack_status().is_some_and(|status| matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE"));
    let output = stack.outputs().iter().find(|output| rests && output.output_key() == Some(FUNCTION_OUTPUT))?;
    let application = stack.tags().iter().find(|tag| tag.key() == Some(SAR_APPLICATION_TAG))?.value()?;
    let stack: Arn = stack.stack_id()?.parse().ok()?;
    if !application.starts_with(templates(&stack.partition)?) {
        return None;
    }
    let function: Arn = unqualified_function_arn(output.output_value()?).parse().ok()?;
    let name = function.resource.strip_prefix("function:").filter(|name| !name.is_empty())?;
    let place = |arn: &Arn| (arn.partition.clone(), arn.region.clone(), arn.account.clone());
    (function.service == "lambda" && place(&function) == place(&stack)).then(|| name.to_owned())
}

pub(super) fn configuration(
    function: &lambda::FunctionConfiguration,
    tags: Result<BTreeMap<String, String>, Unread>,
) -> Configuration {
    let name = function.function_name.clone().unwrap_or_default();
    // Functions that were made before Lambda had states answer with none: they are as ready as they will be.
    let state = function.state.as_ref().map_or("Active", lambda::State::as_str);
    let update = function.last_update_status.as_ref().map_or("Successful", lambda::LastUpdateStatus::as_str);
    let reason = function.state_reason.as_deref().or(function.last_update_status_reason.as_deref());
    let default_group = default_log_group(&name);
    let environment = environment(function.environment.as_ref());
    if let Ok(variables) = &environment {
        // Before any of AWS's words about this function is taken.
        cover::note_live(variables);
    }
    Configuration {
        arn: unqualified_function_arn(function.function_arn.as_deref().unwrap_or_default()).to_owned(),
        state: state.to_owned(),
        state_reason: reason.map(words),
        last_update_status: update.to_owned(),
        settings: settings(function),
        environment,
        ipv6_dual_stack: function.vpc_config.as_ref().and_then(|vpc| vpc.ipv6_allowed_for_dual_stack),
        code_sha256: function.code_sha256.clone().unwrap_or_default(),
        code_files: None,
        tags,
        log_group: function
            .logging_config
            .as_ref()
            .and_then(|logging| logging.log_group.clone())
            .filter(|group| *group != default_group),
        role: function.role.clone().filter(|role| !role.is_empty()),
        reserved_concurrency: None,
        last_modified: function.last_modified.as_deref().and_then(moment),
        name,
    }
}

/// A moment as Lambda writes it, in milliseconds since 1970: `2026-11-29T15:04:05.678+0000`.
fn moment(text: &str) -> Option<i64> {
    let at = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(at.timestamp_millis())
}

fn settings(function: &lambda::FunctionConfiguration) -> Settings {
    let architecture = function.architectures().first().map_or("x86_64", lambda::Architecture::as_str);
    let vpc = function.vpc_config.as_ref().map_or_else(Vpc::default, |vpc| {
        Vpc::new(vpc.subnet_ids().iter().cloned(), vpc.security_group_ids().iter().cloned())
    });
    Settings {
        runtime: function.runtime.as_ref().map(|runtime| runtime.as_str().to_owned()),
        handler: function.handler.clone().filter(|handler| !handler.is_empty()),
        architecture: Some(architecture.to_owned()),
        layers: Some(function.layers().iter().filter_map(|layer| layer.arn.clone()).collect()),
        timeout: Some(whole(function.timeout)),
        memory: Some(whole(function.memory_size)),
        ephemeral_storage: function.ephemeral_storage.as_ref().and_then(|storage| u32::try_from(storage.size).ok()),
        tracing: function.tracing_config.as_ref().and_then(|tracing| Some(tracing.mode.as_ref()?.as_str().to_owned())),
        description: Some(function.description.clone().unwrap_or_default()),
        vpc: Some(vpc),
    }
}

fn environment(environment: Option<&lambda::EnvironmentResponse>) -> Result<BTreeMap<String, Sensitive>, String> {
    let Some(environment) = environment else { return Ok(BTreeMap::new()) };
    if let Some(error) = &environment.error {
        return Err(clean(error.error_code().unwrap_or("unknown")));
    }
    let variables = environment.variables.iter().flatten();
    Ok(variables.map(|(name, value)| (name.clone(), Sensitive::new(value))).collect())
}

fn whole(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

pub(super) fn application(version: &repository::Version, newest: Option<String>) -> ApplicationVersion {
    let parameter = |parameter: &repository::ParameterDefinition| {
        let definition = ParameterDefinition {
            default: parameter.default_value.clone(),
            allowed_values: parameter.allowed_values().to_vec(),
            allowed_pattern: parameter.allowed_pattern.clone().filter(|pattern| !pattern.is_empty()),
            no_echo: parameter.no_echo == Some(true),
        };
        Some((parameter.name.clone()?, definition))
    };
    let mut required_capabilities: Vec<String> =
        version.required_capabilities().iter().map(|one| one.as_str().to_owned()).collect();
    required_capabilities.sort();
    ApplicationVersion {
        version: clean(version.semantic_version.as_deref().unwrap_or_default()),
        newest,
        required_capabilities,
        parameters: version.parameter_definitions().iter().filter_map(parameter).collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn rules(days: Option<i64>, expression: Option<&str>, duration: Option<&str>) -> Option<RotationRules> {
        let rules = secrets::RotationRulesType::builder()
            .set_automatically_after_days(days)
            .set_schedule_expression(expression.map(str::to_owned))
            .set_duration(duration.map(str::to_owned));
        rotation_rules(Some(&rules.build()))
    }

    /// Without it, a secret with an expression would differ from its manifest for ever, as with the best-known peer.
    #[test]
    fn days_beside_an_expression_are_dropped() {
        let expression = Schedule::Expression("rate(10 days)".into());
        assert_eq!(rules(Some(10), Some("rate(10 days)"), None), Some(RotationRules::new(expression, None)));
        let days = Schedule::AutomaticallyAfterDays(30);
        assert_eq!(rules(Some(30), None, Some("3h")), Some(RotationRules::new(days, Some(3))));
        assert_eq!(rules(None, None, None), None);
        assert_eq!(rules(Some(-1), None, None), None);
        assert_eq!(rotation_rules(None), None);
    }

    /// Without it, a healthy secret (`AWSPENDING` on the current version) would look stuck, or the reverse; replicas and keys would
    /// be misread.
    #[test]
    fn a_secret_is_reduced_to_what_rotation_needs() {
        let stages = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let output = DescribeSecretOutput::builder()
            .arn("arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf")
            .name("a")
            .rotation_enabled(true)
            .rotation_lambda_arn("arn:aws:lambda:eu-west-1:111111111111:function:f")
            .kms_key_id("arn:aws:kms:eu-west-1:111111111111:alias/aws/secretsmanager")
            .primary_region("eu-west-1")
            .version_ids_to_stages("v1", stages(&["AWSPREVIOUS"]))
            .version_ids_to_stages("v2", stages(&["AWSCURRENT", "AWSPENDING"]));
        let live = secret(&output.clone().build(), "eu-west-1");
        assert!(live.is_on() && !live.deleted);
        assert_eq!(live.unfinished_rotation(), None);
        assert_eq!(live.current_version.as_deref(), Some("v2"));
        assert_eq!((live.kms_key, live.replica_of), (None, None));

        let output = output
            .version_ids_to_stages("v2", stages(&["AWSCURRENT"]))
            .version_ids_to_stages("v3", stages(&["AWSPENDING"]))
            .kms_key_id("arn:aws:kms:eu-west-1:111111111111:key/k")
            .deleted_date(DateTime::from_secs(1));
        let live = secret(&output.build(), "us-east-1");
        assert_eq!(live.unfinished_rotation(), Some("v3"));
        assert_eq!(live.replica_of.as_deref(), Some("eu-west-1"));
        assert_eq!(live.kms_key.as_deref(), Some("arn:aws:kms:eu-west-1:111111111111:key/k"));
        assert!(live.deleted);
    }

    /// Without it, an environment that the caller may not decrypt would read as empty, and a merge would wipe it.
    #[test]
    fn an_unreadable_environment_is_not_an_empty_one() {
        let error = lambda::EnvironmentError::builder().error_code("AccessDeniedException").build();
        let response = lambda::EnvironmentResponse::builder().error(error).build();
        let function = lambda::FunctionConfiguration::builder().environment(response).build();
        assert_eq!(configuration(&function, Ok(BTreeMap::new())).environment, Err("AccessDeniedException".to_owned()));
        let function = lambda::FunctionConfiguration::builder().build();
        assert_eq!(configuration(&function, Ok(BTreeMap::new())).environment, Ok(BTreeMap::new()));
    }

    /// Without it, two readings of one function could differ: a qualifier, an order, a default said or not.
    #[test]
    fn a_configuration_is_canonical() {
        let vpc = lambda::VpcConfigResponse::builder().subnet_ids("b").subnet_ids("a").security_group_ids("s").build();
        let logging = lambda::LoggingConfig::builder().log_group("/aws/lambda/f").build();
        let function = lambda::FunctionConfiguration::builder()
            .function_name("f")
            .function_arn("arn:aws:lambda:eu-west-1:111111111111:function:f:$LATEST")
            .vpc_config(vpc)
            .logging_config(logging)
            .timeout(60)
            .build();
        let live = configuration(&function, Ok(BTreeMap::new()));
        assert_eq!(live.arn, "arn:aws:lambda:eu-west-1:111111111111:function:f");
        let Settings { vpc, timeout, architecture, .. } = live.settings;
        assert_eq!(vpc.unwrap_or_default().subnets, ["a", "b"]);
        assert_eq!((live.log_group, timeout, architecture.as_deref()), (None, Some(60), Some("x86_64")));
        assert_eq!((live.state.as_str(), live.last_update_status.as_str()), ("Active", "Successful"));
    }
}
