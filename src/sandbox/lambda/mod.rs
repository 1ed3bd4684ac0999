//! AWS Lambda's control plane, and its `Invoke`.
//!
//! | Module | Knows |
//! |---|---|
//! | [`state`] | what is saved of a function |
//! | `reference` | how requests name a function |
//! | `inputs`, `paths` | what requests may hold, and how they name an operation |
//! | `configuration`, `describe` | a function's settings, in requests and in answers |
//! | `functions`, `versions`, [`policy`], `tags` | the operations |
//! | `invoke` | running a function, for callers and for Secrets Manager |
//! | `simulate` | what stands in where the machine can't run one |
//! | `seed` | stand-ins for functions that exist only on AWS |
//!
//! A new function is `Pending` for a moment, an edited one `InProgress`, and refuses other edits meanwhile. Stacks use the same
//! operations as everybody: [`operation`] and [`handle`].
//!
//! Not here: container images, S3, layers' content, aliases, code signing, function URLs, event sources.

mod configuration;
mod describe;
mod functions;
pub(super) mod inputs;
mod invoke;
pub(super) mod paths;
pub mod policy;
mod reference;
mod seed;
mod simulate;
pub mod state;
mod tags;
mod versions;

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use crate::sandbox::model::{check, input, routes};
use crate::sandbox::service::{Call, Service, Shared};
use crate::sandbox::state::{Region, Scope};
use crate::sandbox::wire::rest::{self, RestRequest};
use crate::sandbox::wire::{ApiError, Response};
use paths::ROUTES;
use reference::Reference;
use state::Function;
pub use state::State;

/// The operation that a method and path name.
pub fn operation(request: &RestRequest) -> Option<&'static str> {
    routes::find(ROUTES, request).map(|route| route.operation)
}

/// Answers a call.
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: RestRequest) -> Result<Response, ApiError> {
    let request = &request;
    let members = input(call.service, &call.operation)?;
    check(call.service, members, &routes::members(call.service, ROUTES, request, members)?)?;
    // What stands third in every path but the shortest: a function, or a function's ARN.
    let name = request.segments.get(2).map_or("", String::as_str);
    match call.operation.as_str() {
        "CreateFunction" => functions::create(shared, call, request).await,
        "ListFunctions" => functions::list(shared, call, request),
        "GetFunction" => functions::get(shared, call, request, name),
        "DeleteFunction" => functions::delete(shared, call, request, name),
        "GetFunctionConfiguration" => functions::get_configuration(shared, call, request, name),
        "UpdateFunctionConfiguration" => functions::update_configuration(shared, call, request, name),
        "UpdateFunctionCode" => functions::update_code(shared, call, request, name).await,
        "PutFunctionConcurrency" | "DeleteFunctionConcurrency" => functions::reserve(shared, call, request, name),
        "GetAccountSettings" => Ok(functions::account(shared, call)),
        "GetPolicy" => policy::get(shared, call, request, name),
        "AddPermission" => policy::add(shared, call, request, name),
        "RemovePermission" => {
            let statement = request.segments.get(4).map_or("", String::as_str);
            policy::remove(shared, call, request, name, statement)
        }
        "Invoke" => invoke::invoke(shared, call, request, name).await,
        "ListVersionsByFunction" => versions::list(shared, call, request, name),
        "PublishVersion" => versions::create(shared, call, request, name),
        "ListTags" => tags::list(shared, call, name),
        "TagResource" => tags::add(shared, call, request, name),
        "UntagResource" => tags::remove(shared, call, request, name),
        operation if operation_reads_a_side(operation) => functions::side(shared, call, request, name),
        operation => Err(ApiError::not_served(Service::Lambda, operation)),
    }
}

fn operation_reads_a_side(operation: &str) -> bool {
    matches!(
        operation,
        "GetFunctionConcurrency"
            | "GetFunctionCodeSigningConfig"
            | "GetFunctionRecursionConfig"
            | "GetRuntimeManagementConfig"
            | "GetProvisionedConcurrencyConfig"
            | "GetFunctionEventInvokeConfig"
            | "GetFunctionUrlConfig"
            | "GetAlias"
            | "ListAliases"
            | "ListFunctionEventInvokeConfigs"
            | "ListFunctionUrlConfigs"
            | "ListProvisionedConcurrencyConfigs"
    )
}

/// Goes on with what was under way when the state was saved.
pub fn resume(shared: &Arc<Shared>) {
    let mut world = shared.world();
    world.scopes.values_mut().for_each(functions::settle_all);
}

/// Creates a rotation function that Secrets Manager may invoke; false where the name is taken.
pub fn seed(shared: &Arc<Shared>, account: &str, region: &str, name: &str) -> bool {
    seed::seed(shared, account, region, name)
}

/// How an invocation from inside the sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeOutcome {
    /// The function returned this.
    Ok(Vec<u8>),
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
}

/// Invokes a function as another service does: the caller has looked at its permission already.
///
/// Where the machine lacks the function's runtime, and the event is a step of a rotation, the step is simulated: the pending version
/// gets a made-up value, and is promoted. The user is told by a notice, and the function's log says so.
pub async fn invoke_internal(
    shared: &Arc<Shared>,
    account: &str,
    region: &str,
    function_arn: &str,
    payload: Vec<u8>,
) -> InvokeOutcome {
    invoke::internally(shared, &Scope::new(account, region), function_arn, payload).await
}

/// Whether a function exists. The ARN may carry a version or an alias.
pub fn exists(region: &Region, function_arn: &str) -> bool {
    of_arn(region, function_arn).is_some()
}

/// Whether the function's policy lets Secrets Manager invoke it for this account's secret, its conditions
/// (`aws:SourceAccount`, `aws:SourceArn`) included.
pub fn permits_secretsmanager(region: &Region, function_arn: &str, account: &str, secret_arn: &str) -> bool {
    of_arn(region, function_arn).is_some_and(|(function, reference)| {
        let key = reference.qualifier.unwrap_or_default();
        function.policies.get(&key).is_some_and(|policy| policy::permits(policy, account, secret_arn))
    })
}

/// The code that an unguessable URL (`/_sandbox/code/TOKEN`) of `GetFunction` leads to.
pub fn code(shared: &Arc<Shared>, token: &str) -> Option<Bytes> {
    let world = shared.world();
    let functions = world.scopes.values().flat_map(|region| region.functions.functions.values());
    let mut versions =
        functions.flat_map(|function| std::iter::once(&function.latest).chain(function.published.values()));
    versions
        .find(|version| version.code.token() == token)
        .map(|version| Bytes::from_owner(Arc::clone(version.code.zip())))
}

/// The function that an ARN names, in this account and region.
fn of_arn<'a>(region: &'a Region, arn: &str) -> Option<(&'a Function, Reference)> {
    let reference = invoke::of_arn(arn)?;
    let function = region.functions.functions.get(&reference.name)?;
    let rest = arn.strip_prefix(function.arn.as_str())?;
    let known = rest.is_empty() || function.version(rest.strip_prefix(':')).is_some();
    known.then_some((function, reference))
}

fn not_found(arn: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}

fn found<'a>(region: &'a Region, reference: &Reference) -> Result<&'a Function, ApiError> {
    region.functions.functions.get(&reference.name).ok_or_else(|| not_found(&reference.arn))
}

fn found_mut<'a>(region: &'a mut Region, reference: &Reference) -> Result<&'a mut Function, ApiError> {
    region.functions.functions.get_mut(&reference.name).ok_or_else(|| not_found(&reference.arn))
}

/// One page of a list: `Marker` says where it starts, `MaxItems` how long it is, and AWS never gives more than `most`.
fn page(
    call: &Call,
    request: &RestRequest,
    member: &str,
    items: Vec<Value>,
    most: usize,
) -> Result<Response, ApiError> {
    let limit = request
        .parameter("MaxItems")
        .and_then(|limit| limit.parse::<usize>().ok())
        .map_or(most, |limit| limit.min(most));
    let start = match request.parameter("Marker") {
        None | Some("") => 0,
        Some(marker) => marker
            .strip_prefix("sandbox-")
            .and_then(|start| start.parse::<usize>().ok())
            .ok_or_else(|| configuration::invalid("Invalid pagination token"))?,
    };
    let end = start.saturating_add(limit).min(items.len());
    let mut answer = Map::new();
    if end < items.len() {
        answer.insert("NextMarker".to_owned(), json!(format!("sandbox-{end}")));
    }
    answer.insert(member.to_owned(), items.into_iter().skip(start).take(limit).collect());
    Ok(rest::answer(call, 200, &Value::Object(answer)))
}
