//! `Invoke`, by callers of the API and by Secrets Manager.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::reference::{self, Reference};
use super::state::{Function, LATEST, Phase, Version};
use super::{InvokeOutcome, simulate, versions};
use crate::sandbox::clock::Time;
use crate::sandbox::logs;
use crate::sandbox::runtime::{self, Event, Finished, InvokeError, Unavailable};
use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::state::Scope;
use crate::sandbox::wire::rest::{self, RestRequest};
use crate::sandbox::wire::{ApiError, Response};

/// The largest event of a synchronous invocation, in bytes (Lambda quotas, 6 MB as the service counts it).
const MAX_EVENT_BYTES: usize = 6_291_456;

/// The largest event of an asynchronous one, in bytes (Lambda quotas, 1 MB).
const MAX_ASYNCHRONOUS_EVENT_BYTES: usize = 1_048_576;

/// How much of the log an answer carries, in bytes (`LogType`, "the last 4 KB").
const TAIL_BYTES: usize = 4096;

/// The waits before Lambda tries a failed asynchronous invocation again.
const RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// A function as it is to be run.
struct Runnable {
    function: runtime::Function,
    /// `$LATEST` or a number.
    version: String,
    layers: bool,
}

/// `Invoke`.
pub(super) async fn invoke(
    shared: &Arc<Shared>,
    call: &Call,
    request: &RestRequest,
    name: &str,
) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, request.parameter("Qualifier"))?;
    let kind = request.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    let log_type = request.header("x-amz-log-type").unwrap_or("None");
    check_size(kind, request.body.len())?;
    // Lambda takes an empty event for `{}`.
    let payload = if request.body.is_empty() { Bytes::from_static(b"{}") } else { request.body.clone() };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        return Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        ));
    }
    let runnable = runnable(shared, &Scope::new(&call.account, &call.region), &reference)?;
    let event = Event {
        request_id: call.request_id.clone(),
        payload,
        arn: Some(reference.arn.clone()),
        client_context: request.header("x-amz-client-context").and_then(|context| {
            let bytes = BASE64.decode(context).ok()?;
            String::from_utf8(bytes).ok()
        }),
    };
    match kind {
        "DryRun" => Ok(rest::empty(call, 204)),
        "Event" => {
            let (inner, version) = (Arc::clone(shared), runnable.version.clone());
            let scope = Scope::new(&call.account, &call.region);
            shared.spawn(async move { asynchronously(&inner, &scope, &runnable, &event).await });
            Ok(rest::empty(call, 202).header("x-amz-executed-version", version))
        }
        _ => {
            let version = runnable.version.clone();
            let finished = to_its_end(shared, call, runnable, event).await?;
            let mut response = Response::new(200, "application/json", finished.payload.clone())
                .header("x-amzn-requestid", call.request_id.as_str())
                .header("x-amz-executed-version", version);
            if finished.failed {
                response = response.header("x-amz-function-error", "Unhandled");
            }
            if log_type == "Tail" {
                response = response.header("x-amz-log-result", tail(&finished));
            }
            Ok(response)
        }
    }
}

/// Refuses an event that is too large. Lambda's model calls the error `RequestTooLargeException`; what it answers with has
/// another name, and words that depend on the kind of invocation.
fn check_size(kind: &str, bytes: usize) -> Result<(), ApiError> {
    let message = match kind {
        "Event" if bytes > MAX_ASYNCHRONOUS_EVENT_BYTES => format!(
            "{bytes} byte payload is too large for the Event invocation type (limit {MAX_ASYNCHRONOUS_EVENT_BYTES} bytes)"
        ),
        "Event" => return Ok(()),
        _ if bytes > MAX_EVENT_BYTES => {
            format!("Request must be smaller than {MAX_EVENT_BYTES} bytes for the InvokeFunction operation")
        }
        _ => return Ok(()),
    };
    Err(ApiError::new(413, "RequestEntityTooLargeException", message))
}

/// Runs a function for a caller, and to its end even if the caller leaves: that is what Lambda does.
async fn to_its_end(shared: &Arc<Shared>, call: &Call, runnable: Runnable, event: Event) -> Result<Finished, ApiError> {
    let (inner, scope) = (Arc::clone(shared), Scope::new(&call.account, &call.region));
    let running = tokio::spawn(async move { run(&inner, &scope, &runnable, &event).await });
    match running.await {
        Ok(Ok(finished)) => Ok(finished),
        Ok(Err(InvokeError::Unavailable(reason))) => {
            Err(ApiError::new(502, "InvalidRuntimeException", format!("The sandbox can't run this function: {reason}")))
        }
        Ok(Err(InvokeError::Stopped)) => Err(ApiError::internal(Service::Lambda, InvokeError::Stopped.to_string())),
        Err(error) => Err(ApiError::internal(Service::Lambda, error.to_string())),
    }
}

/// Invokes a function as another service does.
pub(super) async fn internally(shared: &Arc<Shared>, scope: &Scope, arn: &str, payload: Vec<u8>) -> InvokeOutcome {
    let Some(reference) = of_arn(arn) else { return InvokeOutcome::NotFound };
    let runnable = match runnable(shared, scope, &reference) {
        Ok(runnable) => runnable,
        Err(error) if error.status == 404 => return InvokeOutcome::NotFound,
        Err(error) => return InvokeOutcome::Unavailable(error.message),
    };
    let event = Event {
        request_id: uuid::Uuid::new_v4().to_string(),
        payload: Bytes::from(payload),
        arn: Some(arn.to_owned()),
        client_context: None,
    };
    match run(shared, scope, &runnable, &event).await {
        Ok(finished) if finished.failed => {
            let document: Value = serde_json::from_slice(&finished.payload).unwrap_or_default();
            let kind = document.get("errorType").and_then(Value::as_str).unwrap_or("Unknown").to_owned();
            InvokeOutcome::FunctionError { kind, payload: finished.payload.to_vec() }
        }
        Ok(finished) => InvokeOutcome::Ok(finished.payload.to_vec()),
        Err(InvokeError::Unavailable(reason)) => simulated(shared, scope, &runnable, &event, &reason).await,
        Err(InvokeError::Stopped) => InvokeOutcome::Unavailable(InvokeError::Stopped.to_string()),
    }
}

/// What stands in for a function that the machine can't run; the user is told, and so is the function's log.
async fn simulated(
    shared: &Arc<Shared>,
    scope: &Scope,
    runnable: &Runnable,
    event: &Event,
    reason: &Unavailable,
) -> InvokeOutcome {
    let function = &runnable.function;
    let Some(step) = simulate::Step::read(&event.payload) else {
        return InvokeOutcome::Unavailable(reason.to_string());
    };
    notice_once(
        shared,
        format!(
            "ROTATION IS SIMULATED with `{}`: {reason}; none of its code runs, and secrets get made-up values",
            function.name
        ),
    );
    let line = format!("[sandbox] {} is SIMULATED: {reason}\n", step.name());
    let now = shared.now();
    shared.write(&scope.account, &scope.region, |region| {
        logs::append(&mut region.logs, &function.log_group, "simulated", now, [(now, line)]);
    });
    match simulate::step(shared, scope, &step).await {
        Ok(()) => InvokeOutcome::Ok(b"null".to_vec()),
        Err(error) => {
            let document = json!({ "errorType": error.code, "errorMessage": error.message });
            InvokeOutcome::FunctionError { kind: error.code, payload: document.to_string().into_bytes() }
        }
    }
}

async fn asynchronously(shared: &Arc<Shared>, scope: &Scope, runnable: &Runnable, event: &Event) {
    for wait in RETRIES.iter().map(Some).chain([None]) {
        match run(shared, scope, runnable, event).await {
            Ok(finished) if !finished.failed => return,
            Ok(_) => {}
            Err(InvokeError::Stopped) => return,
            Err(InvokeError::Unavailable(reason)) => {
                notice_once(shared, format!("`{}` can't run here: {reason}", runnable.function.name));
                return;
            }
        }
        match wait {
            Some(wait) => shared.sleep(*wait).await,
            None => return,
        }
    }
}

async fn run(shared: &Arc<Shared>, scope: &Scope, runnable: &Runnable, event: &Event) -> Result<Finished, InvokeError> {
    if runnable.layers {
        notice_once(shared, format!("`{}` runs without its layers: the sandbox serves none", runnable.function.name));
    }
    let cache: Option<PathBuf> = shared.options().cache.clone();
    let notice = |text: String| shared.notice(text);
    let finished =
        shared.runtime().invoke(&runnable.function, event, shared.endpoint(), cache.as_deref(), &notice).await?;
    keep_log(shared, scope, &finished);
    Ok(finished)
}

/// Tells the user, unless that was told already.
fn notice_once(shared: &Shared, text: String) {
    if shared.runtime().is_news(&text) {
        shared.notice(text);
    }
}

/// Puts an invocation's output where `CloudWatch` Logs shows it, in service time.
fn keep_log(shared: &Shared, scope: &Scope, finished: &Finished) {
    let (now, machine_now) = (shared.now(), SystemTime::now());
    let lines = finished.log.iter().map(|line| {
        let age = machine_now.duration_since(line.at).unwrap_or_default();
        let at = Time(now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(0)));
        (at, line.message.clone())
    });
    shared.write(&scope.account, &scope.region, |region| {
        logs::append(&mut region.logs, &finished.log_group, &finished.log_stream, now, lines);
    });
}

fn tail(finished: &Finished) -> String {
    let text: String = finished.log.iter().map(|line| line.message.as_str()).collect();
    let start = text.len().saturating_sub(TAIL_BYTES);
    BASE64.encode(&text.as_bytes()[start..])
}

/// The function that a reference means, if it can be invoked now.
fn runnable(shared: &Shared, scope: &Scope, reference: &Reference) -> Result<Runnable, ApiError> {
    shared.read(&scope.account, &scope.region, |region| {
        let (function, version, number) = versions::find(region, reference)?;
        if version.phase == Phase::Pending {
            return Err(ApiError::new(
                409,
                "ResourceConflictException",
                "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            ));
        }
        if function.reserved_concurrency == Some(0) {
            return Err(ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.")
                .field("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        Ok(runnable_of(scope, function, version, number))
    })
}

fn runnable_of(scope: &Scope, function: &Function, version: &Version, number: Option<u64>) -> Runnable {
    let settings = &version.settings;
    let label = number.map_or_else(|| LATEST.to_owned(), |number| number.to_string());
    Runnable {
        version: label.clone(),
        layers: !settings.layers.is_empty(),
        function: runtime::Function {
            account: scope.account.clone(),
            region: scope.region.clone(),
            name: function.name.clone(),
            version: label,
            arn: function.arn.clone(),
            runtime: settings.runtime.clone(),
            handler: settings.handler.clone(),
            architecture: settings.architecture.clone(),
            memory: settings.memory,
            timeout: Duration::from_secs(u64::from(settings.timeout)),
            environment: settings.environment.clone(),
            log_group: function.log_group(settings),
            log_format: settings.logging.format.clone().unwrap_or_else(|| "Text".to_owned()),
            log_level: settings.logging.application_level.clone(),
            zip: Arc::clone(version.code.zip()),
            code_sha256: version.code.sha256().to_owned(),
            edition: version.edition,
        },
    }
}

/// What an ARN refers to, without a caller whose account and region it would have to be in.
pub(super) fn of_arn(arn: &str) -> Option<Reference> {
    let (name, qualifier) = reference::of_arn(arn)?;
    Some(Reference {
        name: name.to_owned(),
        qualifier: qualifier.filter(|qualifier| *qualifier != LATEST).map(str::to_owned),
        latest: qualifier == Some(LATEST),
        arn: arn.to_owned(),
    })
}
