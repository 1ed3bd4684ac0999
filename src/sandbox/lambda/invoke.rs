//! `Invoke`, by callers of the API and by Secrets Manager.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::reference::{self, Reference};
use super::state::{Function, LATEST, Phase, Version};
use super::versions;
use crate::call::Call;
use crate::clock::Time;
use crate::logs;
use crate::probe::Probe;
use crate::runtime::{self, Event, Finished, InvokeError};
use crate::service::Shared;
use crate::services::Service;
use crate::state::Scope;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// The largest event of a synchronous invocation, in bytes (Lambda quotas, 6 MB as the service counts it).
const MAX_EVENT_BYTES: usize = 6_291_456;

/// The largest event of an asynchronous one, in bytes (Lambda quotas, 1 MB).
const MAX_ASYNCHRONOUS_EVENT_BYTES: usize = 1_048_576;

/// How much of the log an answer carries, in bytes (`LogType`, "the last 4 KB").
const TAIL_BYTES: usize = 4096;

/// The waits before Lambda tries a failed asynchronous invocation again.
const RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// How an invocation from inside the sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeOutcome {
    /// The function returned.
    Ok(Ran),
    /// The function failed: raised, exited, timed out.
    FunctionError {
        /// `errorType`, such as `ValueError`.
        kind: String,
        /// The whole error payload.
        payload: Vec<u8>,
    },
    /// There is no such function.
    NotFound,
    /// It can't be run now: its state, throttling; why.
    Unavailable(String),
    /// This machine has nothing to run it with; why.
    CannotRun(String),
}

/// How an invocation ended that was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The function returned.
    Passed,
    /// It failed.
    Failed,
    /// It took too long.
    TimedOut {
        /// Whether it had all of its own time.
        whole: bool,
    },
    /// Its code couldn't be loaded.
    NotLoaded,
    /// Its process was ended, at the call at which it was to end.
    Cut,
    /// It couldn't be run; why.
    CannotRun(String),
}

/// What an invocation took that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// From its first log line to its last, the start of the function's process included.
    pub took: Duration,
    /// How many lines it left in its log, Lambda's own included.
    pub lines: usize,
}

impl Ran {
    fn of(log: &[runtime::LogLine]) -> Self {
        let (first, last) = (log.iter().map(|line| line.at).min(), log.iter().map(|line| line.at).max());
        let took = first.zip(last).and_then(|(first, last)| last.duration_since(first).ok()).unwrap_or_default();
        Self { took, lines: log.len() }
    }
}

/// How an invocation ended that its function's log has nothing of; with its own log: when, in milliseconds since 1970, and the line.
pub enum Apart {
    /// The function returned.
    Passed(Vec<(i64, String)>),
    /// It failed.
    Failed(Vec<(i64, String)>),
    /// It couldn't be run.
    Nothing,
}

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
    let Some(reference) = reference::meant_by(arn) else { return InvokeOutcome::NotFound };
    let runnable = match runnable(shared, scope, &reference) {
        Ok(runnable) => runnable,
        Err(error) if error.status == 404 => return InvokeOutcome::NotFound,
        Err(error) => return InvokeOutcome::Unavailable(error.message),
    };
    let event = event_of(arn, payload);
    match run(shared, scope, &runnable, &event).await {
        Ok(finished) if finished.failed => {
            let document: Value = serde_json::from_slice(&finished.payload).unwrap_or_default();
            let kind = document.get("errorType").and_then(Value::as_str).unwrap_or("Unknown").to_owned();
            InvokeOutcome::FunctionError { kind, payload: finished.payload.to_vec() }
        }
        Ok(finished) => InvokeOutcome::Ok(Ran::of(&finished.log)),
        Err(InvokeError::Unavailable(reason)) => InvokeOutcome::CannotRun(reason.to_string()),
        Err(InvokeError::Stopped) => InvokeOutcome::Unavailable(InvokeError::Stopped.to_string()),
    }
}

/// Invokes a function as another service does, and keeps nothing of what it logs.
pub(super) async fn apart(shared: &Arc<Shared>, scope: &Scope, arn: &str, payload: Vec<u8>) -> Apart {
    let Some(reference) = reference::meant_by(arn) else { return Apart::Nothing };
    let Ok(runnable) = runnable(shared, scope, &reference) else { return Apart::Nothing };
    let event = event_of(arn, payload);
    let step = step_of(&event);
    let cache: Option<PathBuf> = shared.options().cache.clone();
    let notice = |text: String| shared.notice(text);
    let run = shared.runtime().invoke(&runnable.function, &event, shared.endpoint(), cache.as_deref(), &notice);
    let Ok(mut finished) = run.await else { return Apart::Nothing };
    say_step(&mut finished, step.as_deref());
    let log = lines_of(&finished);
    if finished.failed { Apart::Failed(log) } else { Apart::Passed(log) }
}

/// Runs a function that is watched: to its end, to the call at which its process is to end, or as long as `most`.
pub(super) async fn watched(
    shared: &Arc<Shared>,
    scope: &Scope,
    (arn, payload): (&str, Vec<u8>),
    probe: &Probe,
    most: Duration,
) -> (Ended, Vec<(i64, String)>, Duration) {
    let nothing = |reason: String| (Ended::CannotRun(reason), Vec::new(), Duration::ZERO);
    let Some(reference) = reference::meant_by(arn) else { return nothing(format!("`{arn}` is no function")) };
    let mut runnable = match runnable(shared, scope, &reference) {
        Ok(runnable) => runnable,
        Err(error) => return nothing(error.message),
    };
    let whole = runnable.function.timeout <= most;
    runnable.function.timeout = runnable.function.timeout.min(most);
    let event = event_of(arn, payload);
    let cache: Option<PathBuf> = shared.options().cache.clone();
    let notice = |text: String| shared.notice(text);
    let run = shared.runtime().invoke(&runnable.function, &event, shared.endpoint(), cache.as_deref(), &notice);
    let ran = tokio::select! {
        // What is dropped here ends its process.
        ran = run => Some(ran),
        () = probe.until_cut() => None,
    };
    let Some(ran) = ran else {
        probe.ended();
        return (Ended::Cut, Vec::new(), Duration::ZERO);
    };
    let mut finished = match ran {
        Ok(finished) => finished,
        Err(error) => return nothing(error.to_string()),
    };
    say_step(&mut finished, step_of(&event).as_deref());
    let kind = || -> String {
        let document: Value = serde_json::from_slice(&finished.payload).unwrap_or_default();
        document["errorType"].as_str().unwrap_or("Unknown").to_owned()
    };
    let ended = match kind() {
        _ if !finished.failed => Ended::Passed,
        kind if kind == "Sandbox.Timedout" && finished.taken => Ended::TimedOut { whole },
        kind if !finished.taken || NOT_LOADED.contains(&kind.as_str()) => Ended::NotLoaded,
        _ => Ended::Failed,
    };
    (ended, lines_of(&finished), finished.took)
}

/// How the runtimes' clients call what is wrong with code that can't be loaded, where they say so only of its first invocation.
const NOT_LOADED: [&str; 5] = [
    "Runtime.ImportModuleError",
    "Runtime.UserCodeSyntaxError",
    "Runtime.HandlerNotFound",
    "Runtime.MalformedHandlerName",
    "Runtime.InvalidEntrypoint",
];

/// What an invocation logged: when, in milliseconds since 1970, and the line.
fn lines_of(finished: &Finished) -> Vec<(i64, String)> {
    let at = |line: &runtime::LogLine| {
        let since = line.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    finished.log.iter().map(|line| (at(line), line.message.clone())).collect()
}

fn event_of(arn: &str, payload: Vec<u8>) -> Event {
    Event {
        request_id: uuid::Uuid::new_v4().to_string(),
        payload: Bytes::from(payload),
        arn: Some(arn.to_owned()),
        client_context: None,
    }
}

/// The step of a rotation that an event asks for.
fn step_of(event: &Event) -> Option<String> {
    let document: Value = serde_json::from_slice(&event.payload).ok()?;
    document["Step"].as_str().map(str::to_owned)
}

/// Says in the log of a step that failed which one it was: code that can't be loaded, or takes too long, names none.
fn say_step(finished: &mut Finished, step: Option<&str>) {
    let Some(step) = step.filter(|_| finished.failed) else { return };
    let is_end = |line: &runtime::LogLine| {
        line.message.starts_with("END RequestId: ") || line.message.contains("\"type\":\"platform.report\"")
    };
    let end = finished.log.iter().position(is_end).unwrap_or(finished.log.len());
    // Not later than the end: logs are read in the order of their times.
    let at = finished.log.get(end).map_or_else(SystemTime::now, |line| line.at);
    finished.log.insert(end, runtime::LogLine { at, message: format!("[sandbox] this was {step}\n") });
}

/// Says that a step is simulated, since the machine can't run its function: to the user, and in the function's log.
pub(super) fn say_simulated(shared: &Shared, scope: &Scope, arn: &str, step: &str, reason: &str) {
    let Some(reference) = reference::meant_by(arn) else { return };
    let Ok(runnable) = runnable(shared, scope, &reference) else { return };
    let function = &runnable.function;
    notice_once(
        shared,
        format!(
            "ROTATION IS SIMULATED with `{}`: {reason}; none of its code runs, and secrets get made-up values",
            function.name
        ),
    );
    let line = format!("[sandbox] {step} is SIMULATED: {reason}\n");
    write_beside(shared, scope, &function.log_group, "simulated", line);
}

/// Says in a function's log what a step left undone that ended without an error.
pub(super) fn say_undone(shared: &Shared, scope: &Scope, arn: &str, step: &str, what: &str) {
    let Some(reference) = reference::meant_by(arn) else { return };
    let Ok(runnable) = runnable(shared, scope, &reference) else { return };
    // In a form that Lambda has for what it says itself. Each in a stream of its own, as a try of its own.
    let line = format!("RequestId: {step} Error: {what}\n");
    let stream = format!("undone/{}", uuid::Uuid::new_v4());
    write_beside(shared, scope, &runnable.function.log_group, &stream, line);
}

/// Writes into a stream of the sandbox's own, which no process of the function has.
fn write_beside(shared: &Shared, scope: &Scope, group: &str, stream: &str, line: String) {
    let now = shared.now();
    shared.write(&scope.account, &scope.region, |region| {
        logs::append(&mut region.logs, group, stream, now, [(now, line)]);
    });
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
    let said = say_differences(shared, runnable);
    let cache: Option<PathBuf> = shared.options().cache.clone();
    let notice = |text: String| shared.notice(text);
    let mut finished =
        shared.runtime().invoke(&runnable.function, event, shared.endpoint(), cache.as_deref(), &notice).await?;
    let said = said.into_iter().map(|text| runtime::LogLine::now(format!("[sandbox] {text}\n")));
    finished.log.extend(said);
    say_step(&mut finished, step_of(event).as_deref());
    keep_log(shared, scope, &finished);
    Ok(finished)
}

/// Says once what of a function is other here than on AWS, and returns what is news: its log says so too, which clients can read.
fn say_differences(shared: &Shared, runnable: &Runnable) -> Vec<String> {
    let mut all = differences_of(runnable);
    all.retain(|text| shared.runtime().is_news(text));
    for text in &all {
        shared.notice(text.clone());
    }
    all
}

/// What of a function is other here than on AWS.
pub(super) fn differences(scope: &Scope, function: &Function) -> Vec<String> {
    differences_of(&runnable_of(scope, function, &function.latest, None))
}

fn differences_of(runnable: &Runnable) -> Vec<String> {
    let mut all = runtime::differences(&runnable.function);
    if runnable.layers {
        all.push(format!("`{}` runs without its layers: the sandbox serves none", runnable.function.name));
    }
    all
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
            role: settings.role.clone(),
            zip: Arc::clone(version.code.zip()),
            code_sha256: version.code.sha256().to_owned(),
            edition: version.edition,
        },
    }
}
