//! Functions: created, read, listed, changed, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::configuration::{self, invalid};
use super::lookup::{check_idle, check_revision, found, found_mut, page};
use super::reference::{self, function_arn};
use super::state::{Code, Function, Phase, Settings, Version};
use super::{describe, tags, versions};
use crate::call::Call;
use crate::runtime::package::{MAX_UNZIPPED_BYTES, PackageError};
use crate::service::Shared;
use crate::services::Service;
use crate::state::Region;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// How long a new function is `Pending`, and an edit `InProgress`. AWS takes a few seconds.
const SETTLE: Duration = Duration::from_millis(500);

/// The same where a network is attached. AWS takes up to minutes.
const SETTLE_IN_VPC: Duration = Duration::from_millis(1500);

/// The largest package that may be sent directly, in bytes (Lambda quotas, 50 MB zipped).
const MAX_ZIPPED_BYTES: usize = 52_428_800;

/// The concurrency of an account in a region (Lambda quotas).
const CONCURRENCY: u32 = 1000;

/// What of it no function can reserve.
const LEAST_UNRESERVED: u32 = 100;

/// How many packages are read at a time: each takes a processor, and the memory of its request.
static INSPECTIONS: Semaphore = Semaphore::const_new(2);

/// `CreateFunction`.
pub(super) async fn create(shared: &Arc<Shared>, call: &Call, request: &RestRequest) -> Result<Response, ApiError> {
    let body = request.json()?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let reference = reference::resolve(call, text("FunctionName").unwrap_or_default(), None)?;
    if text("PackageType").is_some_and(|kind| kind != "Zip") {
        return Err(invalid("The sandbox runs functions of zip files, not of container images."));
    }
    if text("Runtime").is_none() || text("Handler").is_none() {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    let mut settings = Settings::default();
    configuration::apply(&mut settings, &body)?;
    configuration::apply_architecture(&mut settings, &body);
    let code = code_of(body.get("Code").and_then(Value::as_object).unwrap_or(&Map::new()), "CreateFunction").await?;
    let tags = tags::read(body.get("Tags"))?;
    let arn = function_arn(&call.account, &call.region, &reference.name);
    let publish = body.get("Publish").and_then(Value::as_bool) == Some(true);
    let answer = shared.write(&call.account, &call.region, |region| {
        if region.functions.functions.contains_key(&reference.name) {
            return Err(ApiError::new(
                409,
                "ResourceConflictException",
                format!("Function already exist: {}", reference.name),
            ));
        }
        let mut function = Function {
            name: reference.name.clone(),
            arn,
            latest: Version::new(settings, code, call.now, Phase::Pending),
            published: BTreeMap::new(),
            next_version: 1,
            aliases: BTreeMap::new(),
            policies: BTreeMap::new(),
            tags,
            reserved_concurrency: None,
        };
        let number = publish.then(|| versions::publish(&mut function, None, call.now));
        let shown = number.and_then(|number| function.published.get(&number)).unwrap_or(&function.latest);
        let mut answer = describe::one(&function, shown, number);
        // Here alone AWS names a published version by the function's own ARN.
        answer.insert("FunctionArn".to_owned(), json!(function.arn));
        region.functions.functions.insert(reference.name.clone(), function);
        Ok(answer)
    })?;
    settle_later(shared, call, &reference.name);
    Ok(rest::answer(call, 201, &Value::Object(answer)))
}

/// `GetFunction`.
pub(super) fn get(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let answer = shared.read(&call.account, &call.region, |region| {
        let (function, version, number) = versions::find(region, &reference)?;
        let location = format!("{}/_sandbox/code/{}", shared.endpoint(), version.code.token());
        let mut configuration = describe::asked_for(function, version, number, reference.latest);
        if reference.qualifier.as_ref().is_some_and(|name| function.aliases.contains_key(name)) {
            configuration.insert("FunctionArn".to_owned(), json!(reference.arn));
        }
        let mut answer = json!({
            "Configuration": configuration,
            "Code": {"RepositoryType": "S3", "Location": location},
        });
        // Lambda asks for the caller's right to `ListTags`, and answers with all the rest where that is missing.
        let of_function = |part: &str| function.arn.contains(part);
        let scripted = shared.faults().take_beside(Service::Lambda, "ListTags", call.signer(), of_function);
        // Stacks look at their own functions with the service's own rights.
        let may_list = || {
            if call.access_key.is_empty() {
                return Ok(());
            }
            shared.rights().check(&call.principal, "lambda:ListTags", &function.arn)
        };
        match scripted.or_else(|| may_list().err().map(|refusal| refusal.error(Service::Lambda))) {
            Some(error) => answer["TagsError"] = json!({"ErrorCode": error.code, "Message": error.message}),
            None if !function.tags.is_empty() => answer["Tags"] = json!(function.tags),
            None => {}
        }
        if let Some(reserved) = function.reserved_concurrency {
            answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        Ok::<_, ApiError>(answer)
    })?;
    Ok(rest::answer(call, 200, &answer))
}

/// `GetFunctionConfiguration`.
pub(super) fn get_configuration(
    shared: &Shared,
    call: &Call,
    request: &RestRequest,
    name: &str,
) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let answer = shared.read(&call.account, &call.region, |region| {
        let found = versions::find(region, &reference);
        found.map(|(function, version, number)| describe::asked_for(function, version, number, reference.latest))
    })?;
    Ok(rest::answer(call, 200, &Value::Object(answer)))
}

/// `ListFunctions`.
pub(super) fn list(shared: &Shared, call: &Call, request: &RestRequest) -> Result<Response, ApiError> {
    let all = request.parameter("FunctionVersion") == Some("ALL");
    let functions: Vec<Value> = shared.read(&call.account, &call.region, |region| {
        region
            .functions
            .functions
            .values()
            .flat_map(|function| {
                let published = function.published.iter().filter(|_| all);
                std::iter::once((None, &function.latest))
                    .chain(published.map(|(number, version)| (Some(*number), version)))
                    .map(|(number, version)| Value::Object(describe::in_list(function, version, number)))
            })
            .collect()
    });
    page(call, request, "Functions", functions, 50)
}

/// `UpdateFunctionCode`.
pub(super) async fn update_code(
    shared: &Arc<Shared>,
    call: &Call,
    request: &RestRequest,
    name: &str,
) -> Result<Response, ApiError> {
    let body = request.json()?;
    let code = code_of(&body, "UpdateFunctionCode").await?;
    change(shared, call, &body, name, |version| {
        configuration::apply_architecture(&mut version.settings, &body);
        version.code = code;
        Ok(())
    })
}

/// `UpdateFunctionConfiguration`.
pub(super) fn update_configuration(
    shared: &Arc<Shared>,
    call: &Call,
    request: &RestRequest,
    name: &str,
) -> Result<Response, ApiError> {
    let body = request.json()?;
    change(shared, call, &body, name, |version| {
        configuration::apply(&mut version.settings, &body)?;
        // A new function shows an empty environment that it was given (recorded). One that was emptied shows none: Terraform's
        // provider, whose tests run on AWS, plans nothing after it has taken the last variable away.
        version.settings.has_environment &= !version.settings.environment.is_empty();
        Ok(())
    })
}

/// One edit of `$LATEST`: refused while another is under way, or where the caller saw another revision.
fn change(
    shared: &Arc<Shared>,
    call: &Call,
    body: &Map<String, Value>,
    name: &str,
    edit: impl FnOnce(&mut Version) -> Result<(), ApiError>,
) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    let flag = |key: &str| body.get(key).and_then(Value::as_bool) == Some(true);
    let dry_run = flag("DryRun");
    let answer = shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        check_revision(body.get("RevisionId").and_then(Value::as_str), &function.latest)?;
        check_idle(function)?;
        let mut latest = function.latest.clone();
        edit(&mut latest)?;
        if dry_run {
            return Ok(describe::one(function, &latest, None));
        }
        latest.edited(call.now, Phase::Updating);
        function.latest = latest;
        if flag("Publish") {
            let number = versions::publish(function, None, call.now);
            if let Some(version) = function.published.get(&number) {
                return Ok(describe::one(function, version, Some(number)));
            }
        }
        Ok(describe::one(function, &function.latest, None))
    })?;
    if !dry_run {
        settle_later(shared, call, &reference.name);
    }
    Ok(rest::answer(call, 200, &Value::Object(answer)))
}

/// `DeleteFunction`.
pub(super) fn delete(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    if reference.latest {
        return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
    }
    shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        if let Some(qualifier) = &reference.qualifier {
            // A version that is gone already is no error.
            if let Ok(number) = qualifier.parse() {
                function.published.remove(&number);
            }
            function.policies.remove(qualifier);
        } else {
            region.functions.functions.remove(&reference.name);
        }
        Ok::<_, ApiError>(())
    })?;
    if reference.qualifier.is_none() {
        shared.runtime().forget(&call.account, &call.region, &reference.name);
    }
    Ok(rest::empty(call, 204))
}

/// Lets a write take effect after a while.
fn settle_later(shared: &Arc<Shared>, call: &Call, name: &str) {
    let (account, region, name) = (call.account.clone(), call.region.clone(), name.to_owned());
    let written = shared.read(&account, &region, |region| {
        let function = region.functions.functions.get(&name)?;
        let in_vpc = function.latest.settings.vpc.as_ref().is_some_and(|vpc| !vpc.subnets.is_empty());
        Some((function.latest.edition, in_vpc))
    });
    let Some((edition, in_vpc)) = written else { return };
    let inner = Arc::clone(shared);
    shared.spawn(async move {
        inner.sleep(if in_vpc { SETTLE_IN_VPC } else { SETTLE }).await;
        inner.write(&account, &region, |region| {
            // Another function of that name, or one that was reset, has waits of its own.
            let function = region.functions.functions.get_mut(&name);
            if let Some(function) = function.filter(|function| function.latest.edition == edition) {
                settle(function);
            }
        });
        // A rotation that failed is tried again with what is new.
        inner.reschedule();
    });
}

/// Lets what is under way take effect.
fn settle(function: &mut Function) {
    if function.latest.phase != Phase::Active {
        function.latest.settle();
    }
    for version in function.published.values_mut().filter(|version| version.phase != Phase::Active) {
        version.settle();
    }
}

/// Lets everything take effect that was under way when the state was saved.
pub(super) fn settle_all(region: &mut Region) {
    region.functions.functions.values_mut().for_each(settle);
}

/// The package of a request. Reading a large one takes seconds, which other calls don't wait for.
async fn code_of(body: &Map<String, Value>, operation: &str) -> Result<Code, ApiError> {
    if ["S3Bucket", "S3Key"].iter().any(|key| body.contains_key(*key)) {
        return Err(invalid("The sandbox has no S3: send the deployment package as ZipFile."));
    }
    if body.contains_key("ImageUri") {
        return Err(invalid("The sandbox runs functions of zip files, not of container images."));
    }
    let Some(text) = body.get("ZipFile").and_then(Value::as_str) else {
        return Err(invalid("Please provide a source for function code."));
    };
    let stopped = |error: String| ApiError::internal(Service::Lambda, error);
    let turn = INSPECTIONS.acquire().await.map_err(|error| stopped(error.to_string()))?;
    let (text, operation) = (text.to_owned(), operation.to_owned());
    let inspected = tokio::task::spawn_blocking(move || inspect(&text, &operation)).await;
    drop(turn);
    inspected.map_err(|error| stopped(error.to_string()))?
}

/// Reads a package as it is sent, if Lambda would take it.
fn inspect(text: &str, operation: &str) -> Result<Code, ApiError> {
    let zip = BASE64
        .decode(text)
        .map_err(|_| ApiError::new(400, "SerializationException", "The ZipFile member is not base64."))?;
    if zip.len() > MAX_ZIPPED_BYTES {
        return Err(ApiError::new(
            413,
            "RequestEntityTooLargeException",
            format!("Request must be smaller than 70167211 bytes for the {operation} operation"),
        ));
    }
    Code::new(&zip).map_err(|error| package_error(&error))
}

/// What Lambda says of a package that it can't use.
fn package_error(error: &PackageError) -> ApiError {
    match error {
        PackageError::Empty => invalid("Uploaded file must be a non-empty zip"),
        PackageError::TooLarge(_) => invalid(format!("Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")),
        PackageError::Unreadable(_) | PackageError::Escapes(_) | PackageError::Io(_) => {
            invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
        }
    }
}

/// Reads that every function answers alike, since the sandbox has no such thing on one.
pub(super) fn side(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let answer = shared.read(&call.account, &call.region, |region| {
        let function = found(region, &reference)?;
        match call.operation.as_str() {
            "GetFunctionConcurrency" => Ok(match function.reserved_concurrency {
                Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
                None => json!({}),
            }),
            "GetFunctionCodeSigningConfig" => Ok(json!({ "FunctionName": function.name })),
            "GetFunctionRecursionConfig" => Ok(json!({ "RecursiveLoop": "Terminate" })),
            "GetRuntimeManagementConfig" => Ok(json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": reference.arn })),
            "ListFunctionEventInvokeConfigs" => Ok(json!({ "FunctionEventInvokeConfigs": [] })),
            "ListFunctionUrlConfigs" => Ok(json!({ "FunctionUrlConfigs": [] })),
            "ListProvisionedConcurrencyConfigs" => Ok(json!({ "ProvisionedConcurrencyConfigs": [] })),
            "GetProvisionedConcurrencyConfig" => Err(ApiError::new(
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )),
            "GetFunctionEventInvokeConfig" => Err(ApiError::new(
                404,
                "ResourceNotFoundException",
                format!("The function {} doesn't have an EventInvokeConfig", reference.arn),
            )),
            _ => Err(ApiError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")),
        }
    })?;
    Ok(rest::answer(call, 200, &answer))
}

/// `PutFunctionConcurrency` and `DeleteFunctionConcurrency`.
pub(super) fn reserve(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    if reference.latest || reference.qualifier.is_some() {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    let reserved = if call.operation == "PutFunctionConcurrency" {
        let body = request.json()?;
        let number = body.get("ReservedConcurrentExecutions").and_then(Value::as_i64);
        number.and_then(|number| u32::try_from(number).ok())
    } else {
        None
    };
    shared.write(&call.account, &call.region, |region| {
        found(region, &reference)?;
        let others = reserved_by_others(region, &reference.name);
        if reserved.is_some_and(|reserved| others + reserved > CONCURRENCY - LEAST_UNRESERVED) {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
            )));
        }
        found_mut(region, &reference)?.reserved_concurrency = reserved;
        Ok::<_, ApiError>(())
    })?;
    Ok(match reserved {
        Some(reserved) => rest::answer(call, 200, &json!({ "ReservedConcurrentExecutions": reserved })),
        None => rest::empty(call, 204),
    })
}

/// The concurrency that functions other than this one have reserved.
fn reserved_by_others(region: &Region, name: &str) -> u32 {
    let others = region.functions.functions.values().filter(|function| function.name != name);
    others.filter_map(|function| function.reserved_concurrency).sum()
}

/// `GetAccountSettings`.
pub(super) fn account(shared: &Shared, call: &Call) -> Response {
    let (count, reserved, size) = shared.read(&call.account, &call.region, |region| {
        let functions = &region.functions.functions;
        (
            functions.len(),
            reserved_by_others(region, ""),
            functions.values().map(|function| function.latest.code.zip().len()).sum::<usize>(),
        )
    });
    // The default quotas of an account.
    let answer = json!({
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800_u64,
            "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
            "CodeSizeZipped": MAX_ZIPPED_BYTES,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - reserved,
        },
        "AccountUsage": {"TotalCodeSize": size, "FunctionCount": count},
    });
    rest::answer(call, 200, &answer)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// Without it, a few uploads of large packages would hold up every other call.
    #[tokio::test]
    async fn other_calls_go_on_while_packages_are_read() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("zeros", SimpleFileOptions::default()).expect("an entry");
        zip.write_all(&vec![0; 10_000_000]).expect("its text");
        let zip = BASE64.encode(zip.finish().expect("a zip").into_inner());
        let body = json!({ "ZipFile": zip });
        let other = tokio::spawn(std::future::ready(()));
        let code = code_of(body.as_object().expect("an object"), "CreateFunction").await;
        // This runtime has one thread: had the package been read on it, nobody else would have had a turn.
        assert!(code.is_ok() && other.is_finished());
    }
}
