//! What whoever holds the sandbox does to a secret, without AWS's API: its values are the sandbox's own.

use std::sync::Arc;

use serde_json::{Map, json};

use super::input::Input;
use super::secret::{CURRENT, PENDING, Secret, Value, Version};
use super::{replicas, rotate, runner};
use crate::call::Call;
use crate::operations;
use crate::service::Shared;
use crate::services::Service;
use crate::state::Scope;
use crate::sts;

/// A secret, as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its ARN.
    pub arn: String,
    /// Its rotation function's ARN.
    pub function: Option<String>,
    /// Whether its rotation is on.
    pub enabled: bool,
    /// The version of a rotation that hasn't finished.
    pub unfinished: Option<String>,
    /// Its versions: id, labels, and how many characters the value has, where it has one. The newest last.
    pub versions: Vec<(String, Vec<String>, Option<usize>)>,
}

/// Where a secret of a name is known, deleted ones included.
pub fn scopes(shared: &Shared, name: &str) -> Vec<Scope> {
    let world = shared.world();
    let knows = world.scopes.iter().filter(|(_, region)| region.secrets.find(name).is_some());
    knows.map(|(scope, _)| scope.clone()).collect()
}

/// Gives a secret a value, which becomes current; makes it where there is none. Whether it was made.
///
/// An error says why not.
pub fn put(shared: &Shared, scope: &Scope, name: &str, value: &str) -> Result<bool, String> {
    let now = shared.now();
    let mut world = shared.world();
    let secrets = &mut world.region(&scope.account, &scope.region).secrets;
    let made = secrets.find(name).is_none();
    if made {
        secrets.insert(Secret::new(&scope.account, &scope.region, name, now));
    }
    let Some(secret) = secrets.edit(name) else { return Err("it can't be made".to_owned()) };
    if secret.deleted.is_some() {
        return Err("it is scheduled for deletion".to_owned());
    }
    let id = uuid::Uuid::new_v4().to_string();
    secret.versions.insert(id.clone(), Version::new(Some(Value::Text(value.to_owned())), &[], now));
    secret.move_stage(CURRENT, &id);
    secret.changed = now;
    replicas::follow(&mut world, &scope.account, &scope.region, name);
    drop(world);
    shared.touch();
    Ok(made)
}

/// A secret; `None` where there is none.
pub fn show(shared: &Shared, scope: &Scope, name: &str) -> Option<Shown> {
    shared.read(&scope.account, &scope.region, |region| {
        let secret = region.secrets.find(name)?;
        let rotation = secret.rotation.as_ref();
        let mut versions: Vec<(&String, &Version)> = secret.versions.iter().collect();
        versions.sort_by_key(|(_, version)| version.created);
        let length = |version: &Version| version.value.as_ref().map(|value| text(value).len());
        Some(Shown {
            arn: secret.arn.clone(),
            function: rotation.and_then(|rotation| rotation.function.clone()),
            enabled: rotation.is_some_and(|rotation| rotation.enabled),
            unfinished: secret.unfinished().map(str::to_owned),
            versions: versions.iter().map(|(id, one)| ((*id).clone(), one.stages.clone(), length(one))).collect(),
        })
    })
}

/// The value of a secret's version: the current one, or the one that a rotation is making.
pub fn value(shared: &Shared, scope: &Scope, name: &str, pending: bool) -> Option<String> {
    shared.read(&scope.account, &scope.region, |region| {
        let secret = region.secrets.find(name)?;
        let version = secret.versions.get(secret.version_with(if pending { PENDING } else { CURRENT })?)?;
        version.value.as_ref().map(|value| text(value).to_owned())
    })
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) | Value::Binary(text) => text,
    }
}

/// Starts a rotation, as `RotateSecret` does; one that hasn't finished is tried again at once. The version that it makes.
///
/// An error says why not.
pub fn rotate(shared: &Arc<Shared>, scope: &Scope, name: &str) -> Result<String, String> {
    shared.write(&scope.account, &scope.region, |region| {
        runner::reattempt(region.secrets.edit(name), shared.now());
    });
    shared.reschedule();
    if let Some(version) = show(shared, scope, name).and_then(|secret| secret.unfinished) {
        return Ok(version);
    }
    let call = Call {
        service: Service::SecretsManager,
        operation: "RotateSecret".to_owned(),
        account: scope.account.clone(),
        region: scope.region.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        access_key: String::new(),
        principal: sts::user_arn(&scope.account, &scope.region),
        now: shared.now(),
    };
    let token = uuid::Uuid::new_v4().to_string();
    let request =
        Map::from_iter([("SecretId".to_owned(), json!(name)), ("ClientRequestToken".to_owned(), json!(token))]);
    let members = operations::input(call.service, &call.operation).map_err(|error| error.message)?;
    let input = Input::check(members, request).map_err(|error| error.message)?;
    rotate::rotate(shared, &call, &input).map_err(|error| error.message)?;
    Ok(token)
}
