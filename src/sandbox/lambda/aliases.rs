//! Aliases: names that lead to a version.

use serde_json::{Value, json};

use super::configuration::invalid;
use super::lookup::{found, found_mut, not_found, page};
use super::reference::{self, Reference};
use super::state::{Alias, Function, LATEST, new_revision};
use crate::call::Call;
use crate::service::Shared;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};

/// What an alias is described as.
fn shown(function: &Function, name: &str, alias: &Alias) -> Value {
    json!({
        "AliasArn": format!("{}:{name}", function.arn),
        "Name": name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    })
}

fn unknown(function: &Function, name: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("Cannot find alias arn: {}:{name}", function.arn))
}

/// The name of the alias that stands last in a path.
fn named(request: &RestRequest) -> &str {
    request.segments.last().map_or("", String::as_str)
}

/// Refuses an alias of a version that isn't there.
fn check_version(function: &Function, reference: &Reference, version: &str) -> Result<(), ApiError> {
    let is_number = version == LATEST || version.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && function.version(Some(version)).is_some() {
        return Ok(());
    }
    Err(not_found(&format!("{}:{version}", reference.arn)))
}

/// `CreateAlias`.
pub(super) fn create(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let body = request.json()?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    check_routing(&body)?;
    let (alias, version) = (text("Name"), text("FunctionVersion"));
    let reference = reference::resolve(call, name, None)?;
    let answer = shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        check_version(function, &reference, version)?;
        if function.aliases.contains_key(alias) {
            let message = format!("Alias already exists: {}:{alias}", function.arn);
            return Err(ApiError::new(409, "ResourceConflictException", message));
        }
        let made = Alias {
            version: version.to_owned(),
            description: text("Description").to_owned(),
            revision_id: new_revision(),
        };
        function.aliases.insert(alias.to_owned(), made.clone());
        Ok(shown(function, alias, &made))
    })?;
    Ok(rest::answer(call, 201, &answer))
}

/// `UpdateAlias`.
pub(super) fn update(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let body = request.json()?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    check_routing(&body)?;
    let reference = reference::resolve(call, name, None)?;
    let answer = shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        if let Some(version) = text("FunctionVersion") {
            check_version(function, &reference, version)?;
        }
        let Some(known) = function.aliases.get(named(request)) else { return Err(unknown(function, named(request))) };
        if text("RevisionId").is_some_and(|revision| revision != known.revision_id) {
            let message = "The Revision Id provided does not match the latest Revision Id. Call the GetAlias API to retrieve the latest Revision Id";
            return Err(ApiError::new(412, "PreconditionFailedException", message));
        }
        let changed = Alias {
            version: text("FunctionVersion").unwrap_or(&known.version).to_owned(),
            description: text("Description").unwrap_or(&known.description).to_owned(),
            revision_id: new_revision(),
        };
        function.aliases.insert(named(request).to_owned(), changed.clone());
        Ok(shown(function, named(request), &changed))
    })?;
    Ok(rest::answer(call, 200, &answer))
}

/// `DeleteAlias`. One that is gone already is no error.
pub(super) fn delete(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    shared.write(&call.account, &call.region, |region| {
        let function = found_mut(region, &reference)?;
        function.aliases.remove(named(request));
        function.policies.remove(named(request));
        Ok::<_, ApiError>(())
    })?;
    Ok(rest::empty(call, 204))
}

/// `GetAlias`.
pub(super) fn get(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    let answer = shared.read(&call.account, &call.region, |region| {
        let function = found(region, &reference)?;
        let alias = function.aliases.get(named(request)).ok_or_else(|| unknown(function, named(request)))?;
        Ok::<_, ApiError>(shown(function, named(request), alias))
    })?;
    Ok(rest::answer(call, 200, &answer))
}

/// `ListAliases`.
pub(super) fn list(shared: &Shared, call: &Call, request: &RestRequest, name: &str) -> Result<Response, ApiError> {
    let reference = reference::resolve(call, name, None)?;
    let aliases = shared.read(&call.account, &call.region, |region| {
        let function = found(region, &reference)?;
        let of_version = |alias: &Alias| request.parameter("FunctionVersion").is_none_or(|one| one == alias.version);
        let meant = function.aliases.iter().filter(|(_, alias)| of_version(alias));
        Ok::<_, ApiError>(meant.map(|(name, alias)| shown(function, name, alias)).collect())
    })?;
    page(call, request, "Aliases", aliases, 50)
}

/// Some of the calls to another version: that isn't served.
fn check_routing(body: &serde_json::Map<String, Value>) -> Result<(), ApiError> {
    let weights = body.get("RoutingConfig").and_then(|routing| routing.get("AdditionalVersionWeights"));
    if weights.and_then(Value::as_object).is_some_and(|weights| !weights.is_empty()) {
        return Err(invalid("The sandbox sends all calls of an alias to one version: leave RoutingConfig out."));
    }
    Ok(())
}
