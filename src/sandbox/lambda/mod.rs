//! AWS Lambda's control plane, and its `Invoke`.
//!
//! | Module | Knows |
//! |---|---|
//! | [`state`] | what is saved of a function |
//! | `reference` | how requests name a function |
//! | `inputs`, `paths` | what requests may hold, and how they name an operation |
//! | `configuration`, `describe` | a function's settings, in requests and in answers |
//! | `lookup` | finding a function, and what a write asks first |
//! | [`policy`] | who may invoke a function |
//! | `functions`, `versions`, `permissions`, `tags` | the operations |
//! | `invoke` | running a function, for callers and for Secrets Manager |
//! | `seed` | stand-ins for functions that exist only on AWS |
//!
//! A new function is `Pending` for a moment, an edited one `InProgress`, and refuses other edits meanwhile. Stacks use the same
//! operations as everybody: [`operation`] and [`handle`].
//!
//! Not here: container images, S3, layers' content, aliases, code signing, function URLs, event sources.

mod aliases;
mod configuration;
mod describe;
mod functions;
pub(super) mod inputs;
mod invoke;
mod lookup;
pub(super) mod paths;
mod permissions;
pub mod policy;
mod reference;
mod seed;
pub mod state;
mod tags;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;

use crate::call::Call;
use crate::model::{check, routes};
use crate::operations::input;
use crate::probe::Probe;
use crate::runtime::source::Source;
use crate::service::Shared;
use crate::services::Service;
use crate::state::{Region, Scope};
use crate::wire::rest::RestRequest;
use crate::wire::{ApiError, Response};
pub use configuration::{MAX_ENVIRONMENT_BYTES, RESERVED_VARIABLES, RUNTIMES};
pub use invoke::{Apart, Ended, InvokeOutcome, Ran};
use lookup::of_arn;
use paths::ROUTES;
pub use seed::{put, seed};
pub use state::State;

/// The operation that a method and path name.
pub fn operation(request: &RestRequest) -> Option<&'static str> {
    routes::find(ROUTES, request).map(|route| route.operation)
}

/// The ARN of a function that a call names, qualified as it is asked for; an error where the call may not name it.
pub fn arn_of(call: &Call, name: &str, qualifier: Option<&str>) -> Result<String, ApiError> {
    reference::resolve(call, name, qualifier).map(|reference| reference.arn)
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
        "GetPolicy" => permissions::get(shared, call, request, name),
        "AddPermission" => permissions::add(shared, call, request, name),
        "RemovePermission" => {
            let statement = request.segments.get(4).map_or("", String::as_str);
            permissions::remove(shared, call, request, name, statement)
        }
        "Invoke" => invoke::invoke(shared, call, request, name).await,
        "ListVersionsByFunction" => versions::list(shared, call, request, name),
        "PublishVersion" => versions::create(shared, call, request, name),
        "CreateAlias" => aliases::create(shared, call, request, name),
        "UpdateAlias" => aliases::update(shared, call, request, name),
        "DeleteAlias" => aliases::delete(shared, call, request, name),
        "GetAlias" => aliases::get(shared, call, request, name),
        "ListAliases" => aliases::list(shared, call, request, name),
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

/// Invokes a function as another service does: the caller has looked at its permission already.
pub async fn invoke_internal(
    shared: &Arc<Shared>,
    account: &str,
    region: &str,
    function_arn: &str,
    payload: Vec<u8>,
) -> InvokeOutcome {
    invoke::internally(shared, &Scope::new(account, region), function_arn, payload).await
}

/// Invokes a function as another service does, and tells whoever asks what it logged: its log has nothing of it.
pub async fn invoke_apart(
    shared: &Arc<Shared>,
    account: &str,
    region: &str,
    function_arn: &str,
    payload: Vec<u8>,
) -> Apart {
    invoke::apart(shared, &Scope::new(account, region), function_arn, payload).await
}

/// Runs a function that is watched, for as long as `most` at most. How it ended, what it logged, and how long it ran.
pub async fn invoke_watched(
    shared: &Arc<Shared>,
    (account, region): (&str, &str),
    function_arn: &str,
    payload: Vec<u8>,
    probe: &Probe,
    most: Duration,
) -> (Ended, Vec<(i64, String)>, Duration) {
    invoke::watched(shared, &Scope::new(account, region), (function_arn, payload), probe, most).await
}

/// The code of a function.
pub fn source(region: &Region, function_arn: &str) -> Option<Source> {
    let (function, reference) = of_arn(region, function_arn)?;
    let version = function.version(reference.qualifier.as_deref())?;
    Some(Source::of(version.code.zip(), &version.settings.handler))
}

/// Says that a step of a rotation is simulated, since the machine can't run its function: to the user, and in the function's log.
pub fn say_simulated(shared: &Shared, account: &str, region: &str, function_arn: &str, step: &str, reason: &str) {
    invoke::say_simulated(shared, &Scope::new(account, region), function_arn, step, reason);
}

/// Says in a function's log what a step left undone that ended without an error.
pub fn say_undone(shared: &Shared, account: &str, region: &str, function_arn: &str, step: &str, what: &str) {
    invoke::say_undone(shared, &Scope::new(account, region), function_arn, step, what);
}

/// The edition of a function, once its last change has taken effect.
pub fn edition(region: &Region, function_arn: &str) -> Option<u64> {
    let (function, reference) = of_arn(region, function_arn)?;
    let version = function.version(reference.qualifier.as_deref())?;
    (version.phase == state::Phase::Active).then_some(version.edition)
}

/// The role of a function, by its ARN.
pub fn role(region: &Region, function_arn: &str) -> Option<String> {
    let (function, reference) = of_arn(region, function_arn)?;
    Some(function.version(reference.qualifier.as_deref())?.settings.role.clone())
}

/// The runtime of a function and the version that runs it here, where that is another one.
pub fn runs_otherwise(shared: &Shared, account: &str, region: &str, function_arn: &str) -> Option<(String, String)> {
    let runtime = shared.read(account, region, |region| {
        let (function, reference) = of_arn(region, function_arn)?;
        Some(function.version(reference.qualifier.as_deref())?.settings.runtime.clone())
    })?;
    let version = shared.runtime().other_version(&runtime)?;
    Some((runtime, version))
}

/// What of an account's functions is other here than on AWS, by their ARNs: for people, and names alone, never values.
pub fn differences(shared: &Shared, account: &str, region: &str) -> BTreeMap<String, Vec<String>> {
    let scope = Scope::new(account, region);
    shared.read(account, region, |found| {
        let of = |function: &state::Function| (function.arn.clone(), invoke::differences(&scope, function));
        found.functions.functions.values().map(of).filter(|(_, all)| !all.is_empty()).collect()
    })
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
