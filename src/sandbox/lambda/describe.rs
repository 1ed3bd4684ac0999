//! Versions of functions, as answers show them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::state::{Function, LATEST, Phase, Settings, Version, Vpc};
use crate::wire::arn::{Arn, partition};

/// A version as `GetFunctionConfiguration` shows it; `number` is a published version's.
pub(super) fn one(function: &Function, version: &Version, number: Option<u64>) -> Map<String, Value> {
    let settings = &version.settings;
    let label = number.map_or_else(|| LATEST.to_owned(), |number| number.to_string());
    let arn = number.map_or_else(|| function.arn.clone(), |number| format!("{}:{number}", function.arn));
    let mut out = object(json!({
        "FunctionName": function.name,
        "FunctionArn": arn,
        "Runtime": settings.runtime,
        "Role": settings.role,
        "Handler": settings.handler,
        "CodeSize": version.code.zip().len(),
        "Description": settings.description,
        "Timeout": settings.timeout,
        "MemorySize": settings.memory,
        "LastModified": version.last_modified.lambda(),
        "CodeSha256": version.code.sha256(),
        "Version": label,
        "TracingConfig": {"Mode": settings.tracing},
        "RevisionId": version.revision_id,
        "PackageType": "Zip",
        "Architectures": [settings.architecture],
        "EphemeralStorage": {"Size": settings.ephemeral_storage},
        "SnapStart": {"ApplyOn": settings.snap_start, "OptimizationStatus": "Off"},
        "LoggingConfig": logging_of(function, settings),
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_version(function, settings)},
    }));
    if settings.has_environment || !settings.environment.is_empty() {
        out.insert("Environment".to_owned(), json!({ "Variables": settings.environment }));
    }
    if let Some(vpc) = &settings.vpc {
        let id = if vpc.subnets.is_empty() { String::new() } else { vpc_id(vpc) };
        let value = json!({
            "SubnetIds": vpc.subnets,
            "SecurityGroupIds": vpc.security_groups,
            "VpcId": id,
            "Ipv6AllowedForDualStack": vpc.ipv6,
        });
        out.insert("VpcConfig".to_owned(), value);
    }
    if let Some(key) = &settings.kms_key {
        out.insert("KMSKeyArn".to_owned(), json!(key));
    }
    if let Some(target) = &settings.dead_letter {
        out.insert("DeadLetterConfig".to_owned(), json!({ "TargetArn": target }));
    }
    if !settings.layers.is_empty() {
        let layers: Vec<Value> = settings.layers.iter().map(|arn| json!({ "Arn": arn, "CodeSize": 0 })).collect();
        out.insert("Layers".to_owned(), Value::Array(layers));
    }
    if !settings.file_systems.is_empty() {
        out.insert("FileSystemConfigs".to_owned(), json!(settings.file_systems));
    }
    let phase = match version.phase {
        Phase::Pending => json!({
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }),
        // AWS's own words for updates, too.
        Phase::Updating => json!({
            "State": "Active",
            "LastUpdateStatus": "InProgress",
            "LastUpdateStatusReason": "The function is being created.",
            "LastUpdateStatusReasonCode": "Creating",
        }),
        Phase::Active => json!({ "State": "Active", "LastUpdateStatus": "Successful" }),
    };
    out.append(&mut object(phase));
    out
}

/// The same of what a caller asked for: an ARN is qualified where the request was, `$LATEST` included.
pub(super) fn asked_for(
    function: &Function,
    version: &Version,
    number: Option<u64>,
    is_latest: bool,
) -> Map<String, Value> {
    let mut out = one(function, version, number);
    if is_latest {
        out.insert("FunctionArn".to_owned(), json!(format!("{}:{LATEST}", function.arn)));
    }
    out
}

/// A version as the lists show it: without what only a look at one function tells.
pub(super) fn in_list(function: &Function, version: &Version, number: Option<u64>) -> Map<String, Value> {
    let mut out = one(function, version, number);
    for key in [
        "State",
        "StateReason",
        "StateReasonCode",
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "RuntimeVersionConfig",
    ] {
        out.remove(key);
    }
    out
}

fn logging_of(function: &Function, settings: &Settings) -> Value {
    let logging = &settings.logging;
    let mut out = object(json!({
        "LogFormat": logging.format.as_deref().unwrap_or("Text"),
        "LogGroup": function.log_group(settings),
    }));
    if let Some(level) = &logging.application_level {
        out.insert("ApplicationLogLevel".to_owned(), json!(level));
    }
    if let Some(level) = &logging.system_level {
        out.insert("SystemLogLevel".to_owned(), json!(level));
    }
    Value::Object(out)
}

/// The ARN of what AWS would run the function on; the same for each runtime.
fn runtime_version(function: &Function, settings: &Settings) -> String {
    let region = Arn::parse(&function.arn).map_or("us-east-1", |arn| arn.region);
    let digest = Sha256::digest(format!("{}/{}", settings.runtime, settings.architecture));
    let hash = digest.iter().fold(String::with_capacity(64), |mut hash, byte| {
        // Writing to a string can't fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    format!("arn:{}:lambda:{region}::runtime:{hash}", partition(region))
}

/// A VPC id that is the same for the same first subnet.
fn vpc_id(vpc: &Vpc) -> String {
    let text = vpc.subnets.first().map_or("", String::as_str);
    let suffix = text.strip_prefix("subnet-").unwrap_or(text);
    format!("vpc-{suffix}")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
