//! A function's configuration: read from requests that satisfy the model, with what the service demands beyond it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::state::{Settings, Vpc};
use crate::wire::{ApiError, shorten};

/// The runtimes that a function may have: the model's `Runtime`, without those that no function can be made with any more.
pub const RUNTIMES: [&str; 31] = [
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "java8.al2",
    "java8.al2023",
    "java11",
    "java11.al2023",
    "java17",
    "java17.al2023",
    "java21",
    "java25",
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "dotnet6",
    "dotnet8",
    "dotnet10",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "provided.al2",
    "provided.al2023",
    "nodejs16.x",
];

/// Variables that Lambda sets itself ("Defined runtime environment variables").
pub const RESERVED_VARIABLES: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_MAX_CONCURRENCY",
];

/// The size of all variables together, in bytes of their JSON (Lambda quotas, "Environment variables").
pub const MAX_ENVIRONMENT_BYTES: usize = 4096;

/// How many layers a function may have (Lambda quotas).
const MAX_LAYERS: usize = 5;

/// `InvalidParameterValueException`.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", message)
}

/// Puts what a request states over `settings`. Members that are absent, or null, leave theirs as it is.
pub(super) fn apply(settings: &mut Settings, body: &Map<String, Value>) -> Result<(), ApiError> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| body.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    put(&mut settings.role, text("Role"));
    put(&mut settings.handler, text("Handler"));
    put(&mut settings.description, text("Description"));
    put(&mut settings.timeout, number("Timeout"));
    put(&mut settings.memory, number("MemorySize"));
    if let Some(runtime) = text("Runtime") {
        if !RUNTIMES.contains(&runtime.as_str()) {
            return Err(invalid(format!(
                "Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
                shorten(runtime),
                RUNTIMES.join(", ")
            )));
        }
        settings.runtime = runtime;
    }
    if let Some(environment) = body.get("Environment").filter(|value| !value.is_null()) {
        settings.environment = variables(environment)?;
        settings.has_environment = true;
    }
    if let Some(vpc) = body.get("VpcConfig").filter(|value| !value.is_null()) {
        network(settings, vpc)?;
    }
    if let Some(key) = text("KMSKeyArn") {
        settings.kms_key = Some(key).filter(|key| !key.is_empty());
    }
    if let Some(layers) = body.get("Layers").and_then(Value::as_array) {
        settings.layers = layer_arns(layers)?;
    }
    put(&mut settings.tracing, member(body, "TracingConfig", "Mode"));
    put(&mut settings.snap_start, member(body, "SnapStart", "ApplyOn"));
    if let Some(size) = body.get("EphemeralStorage").and_then(|storage| storage.get("Size")).and_then(Value::as_u64) {
        put(&mut settings.ephemeral_storage, u32::try_from(size).ok());
    }
    if let Some(target) = member(body, "DeadLetterConfig", "TargetArn") {
        settings.dead_letter = Some(target).filter(|target| !target.is_empty());
    }
    if let Some(systems) = body.get("FileSystemConfigs").and_then(Value::as_array) {
        settings.file_systems.clone_from(systems);
    }
    if body.get("LoggingConfig").is_some_and(Value::is_object) {
        logging(settings, body)?;
    }
    Ok(())
}

/// `Architectures`, which only a request with code has.
pub(super) fn apply_architecture(settings: &mut Settings, body: &Map<String, Value>) {
    let one = body.get("Architectures").and_then(|given| given.get(0)).and_then(Value::as_str);
    put(&mut settings.architecture, one.map(str::to_owned));
}

fn variables(environment: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(given) = environment.get("Variables").and_then(Value::as_object) else { return Ok(BTreeMap::new()) };
    let mut variables = BTreeMap::new();
    let mut reserved = Vec::new();
    for (name, value) in given {
        let value = value.as_str().unwrap_or_default();
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            reserved.push(name.as_str());
        }
        variables.insert(name.clone(), value.to_owned());
    }
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    if json!(variables).to_string().len() > MAX_ENVIRONMENT_BYTES {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
        ));
    }
    Ok(variables)
}

fn network(settings: &mut Settings, given: &Value) -> Result<(), ApiError> {
    let list = |key: &str| -> Option<Vec<String>> {
        let items = given.get(key)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let old = settings.vpc.clone().unwrap_or_default();
    let vpc = Vpc {
        subnets: list("SubnetIds").unwrap_or(old.subnets),
        security_groups: list("SecurityGroupIds").unwrap_or(old.security_groups),
        ipv6: given.get("Ipv6AllowedForDualStack").and_then(Value::as_bool).unwrap_or(old.ipv6),
    };
    if vpc.subnets.is_empty() != vpc.security_groups.is_empty() {
        return Err(invalid(if vpc.subnets.is_empty() {
            "SubnetIds and SecurityGroupIds must coexist or be both empty list."
        } else {
            "SecurityGroupIds and SubnetIds must coexist or be both empty list."
        }));
    }
    // Empty lists on a function that never had a network change nothing that anybody could read.
    if settings.vpc.is_some() || !vpc.subnets.is_empty() {
        settings.vpc = Some(vpc);
    }
    Ok(())
}

fn layer_arns(given: &[Value]) -> Result<Vec<String>, ApiError> {
    let layers: Vec<String> = given.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if layers.len() > MAX_LAYERS {
        return Err(invalid(format!("You cannot reference more than {MAX_LAYERS} layers.")));
    }
    Ok(layers)
}

fn logging(settings: &mut Settings, body: &Map<String, Value>) -> Result<(), ApiError> {
    let mut logging = settings.logging.clone();
    let part = |key: &str| member(body, "LoggingConfig", key);
    if let Some(format) = part("LogFormat") {
        // Levels belong to JSON: changing to text drops them.
        if format == "Text" {
            logging.application_level = None;
            logging.system_level = None;
        }
        logging.format = Some(format);
    }
    let json = logging.format.as_deref() == Some("JSON");
    let (application, system) = (part("ApplicationLogLevel"), part("SystemLogLevel"));
    if !json && (application.is_some() || system.is_some()) {
        return Err(invalid("To configure log levels, your function must use JSON log format."));
    }
    if json {
        logging.application_level = application.or(logging.application_level).or_else(|| Some("INFO".to_owned()));
        logging.system_level = system.or(logging.system_level).or_else(|| Some("INFO".to_owned()));
    }
    if let Some(group) = part("LogGroup") {
        logging.group = Some(group);
    }
    settings.logging = logging;
    Ok(())
}

fn member(body: &Map<String, Value>, object: &str, key: &str) -> Option<String> {
    Some(body.get(object)?.get(key)?.as_str()?.to_owned())
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
