//! AWS Secrets Manager: secrets, versions, staging labels, rotation.
//!
//! | Module | Operations |
//! |---|---|
//! | [`values`] | making secrets and versions, reading values, moving labels |
//! | [`describe`] | describing, listing |
//! | [`lifecycle`] | deleting, tags, policies |
//! | [`replicas`] | secrets in several regions |
//! | [`rotate`] | what a rotation is asked for with |
//! | [`runner`] | rotations as they happen, schedules |
//! | [`steps`] | what the steps of a rotation leave in a secret, and what stands in for them |
//! | [`password`] | made-up passwords |
//! | [`rehearse`] | what rehearsals look at beyond what AWS does |
//! | [`rotated`](mod@rotated) | what this process rotated, for people who see one for the first time |
//! | [`private`] | what of a value nobody else may see |
//! | [`direct`] | what whoever holds the sandbox does, without the API |
//! | [`access`] | who may name another account's secret |
//!
//! [`inputs`] says what requests may hold, [`input`] reads them, [`schedule`] reads rotation rules, [`secret`] is the state.

mod access;
mod describe;
pub mod direct;
mod input;
pub(super) mod inputs;
mod lifecycle;
mod lookup;
mod password;
mod private;
mod rehearse;
mod replicas;
mod rotate;
mod rotated;
mod runner;
mod schedule;
mod secret;
mod steps;
mod values;

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

pub use lookup::check_name;
pub use rehearse::{Looked, rehearse};
pub use rotated::{Rotated, rotated};
pub use runner::goes_on;
pub use secret::{Finding, Flaw, Rehearsal, StandIn, State};

use self::input::Input;
use self::secret::{CURRENT, Secret, Value, Version};
use super::call::Call;
use super::operations;
use super::service::Shared;
use super::wire::{ApiError, Response, json};

/// Answers a call.
#[expect(clippy::unused_async, reason = "every service's handler is asynchronous")]
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: Map<String, Json>) -> Result<Response, ApiError> {
    let operation = call.operation.as_str();
    let members = operations::input(call.service, operation)?;
    let input = Input::check(members, request)?;
    if let Some(id) = input.text("SecretId").filter(|id| !id.starts_with("arn:")) {
        check_name(id)?;
    }
    access::check_role(shared, call, &input)?;
    let performed = access::in_the_secrets_account(shared, call, &input)?;
    let answer = perform(shared, &performed, operation, &input)?;
    Ok(json::answer(call, &answer))
}

fn perform(shared: &Arc<Shared>, call: &Call, operation: &str, input: &Input) -> Result<Json, ApiError> {
    let read = |look: fn(&State, &Input) -> Result<Json, ApiError>| {
        shared.read(&call.account, &call.region, |region| look(&region.secrets, input))
    };
    let write = |change: fn(&mut State, &Call, &Input) -> Result<Json, ApiError>| {
        let mut world = shared.world();
        let answer = change(&mut world.region(&call.account, &call.region).secrets, call, input)?;
        if let Some(id) = input.text("SecretId") {
            replicas::follow(&mut world, &call.account, &call.region, id);
        }
        drop(world);
        shared.touch();
        Ok(answer)
    };
    let everywhere = |change: fn(&mut super::state::World, &Call, &Input) -> Result<Json, ApiError>| {
        let result = change(&mut shared.world(), call, input);
        shared.touch();
        result
    };
    match operation {
        "BatchGetSecretValue" => read(values::get_batch),
        "CancelRotateSecret" => write(rotate::cancel),
        "CreateSecret" => {
            replicas::check(call, input)?;
            let answer = write(values::create)?;
            match input.structures("AddReplicaRegions") {
                None => Ok(answer),
                Some(_) => create_replicas(shared, call, input, answer),
            }
        }
        "DeleteResourcePolicy" => write(lifecycle::delete_policy),
        "DeleteSecret" => write(lifecycle::delete).inspect(|_| shared.reschedule()),
        "DescribeSecret" => {
            // The answer is written without the lock: this is the call that whole fleets make.
            let secret =
                shared.read(&call.account, &call.region, |region| describe::look_up(&region.secrets, input))?;
            Ok(describe::describe(&secret, call))
        }
        "GetRandomPassword" => password::get(input),
        "GetResourcePolicy" => read(lifecycle::get_policy),
        "GetSecretValue" => {
            let mut world = shared.world();
            let secrets = &mut world.region(&call.account, &call.region).secrets;
            let (answer, changed) = values::get(secrets, call, input)?;
            drop(world);
            if changed {
                shared.touch();
            }
            Ok(answer)
        }
        "ListSecretVersionIds" => read(values::list_versions),
        "ListSecrets" => {
            let page = shared.read(&call.account, &call.region, |region| describe::page(&region.secrets, input))?;
            Ok(describe::list(page, call))
        }
        "PutResourcePolicy" => write(lifecycle::put_policy),
        "PutSecretValue" => write(values::put).inspect(|_| shared.reschedule()),
        "RemoveRegionsFromReplication" => everywhere(replicas::remove),
        "ReplicateSecretToRegions" => everywhere(replicas::replicate),
        "RestoreSecret" => write(lifecycle::restore).inspect(|_| shared.reschedule()),
        "RotateSecret" => rotate::rotate(shared, call, input),
        "StopReplicationToReplica" => everywhere(replicas::stop),
        "TagResource" => write(lifecycle::tag),
        "UntagResource" => write(lifecycle::untag),
        "UpdateSecret" => write(values::update).inspect(|_| shared.reschedule()),
        "UpdateSecretVersionStage" => write(values::move_stage),
        "ValidateResourcePolicy" => read(lifecycle::validate_policy),
        _ => Err(ApiError::not_served(call.service, operation)),
    }
}

/// `CreateSecret` with `AddReplicaRegions`: the new secret, then its replicas.
fn create_replicas(shared: &Shared, call: &Call, input: &Input, mut answer: Json) -> Result<Json, ApiError> {
    let input = input.clone().with("SecretId", answer["ARN"].clone());
    let replicated = replicas::replicate(&mut shared.world(), call, &input)?;
    answer["ReplicationStatus"] = replicated["ReplicationStatus"].clone();
    shared.touch();
    Ok(answer)
}

/// Goes on with the rotations that were under way when the state was saved, and with all schedules.
pub fn resume(shared: &Arc<Shared>) {
    runner::reattempt_all(shared);
    shared.spawn(runner::keep_schedules(Arc::clone(shared)));
}

/// The secrets of an account and region whose current version was made by something else than AWS would have run, by name.
pub fn stand_ins(shared: &Shared, account: &str, region: &str) -> Vec<(String, StandIn)> {
    shared.read(account, region, |region| {
        let made = |secret: &Arc<Secret>| {
            let version = secret.versions.get(secret.version_with(CURRENT)?)?;
            Some((secret.name.clone(), version.stand_in.clone()?))
        };
        region.secrets.iter().filter_map(made).collect()
    })
}

/// Creates a secret with a value, or with a made-up one; false where the name is taken.
pub fn seed(shared: &Shared, account: &str, region: &str, name: &str, value: Option<&str>) -> bool {
    create(shared, account, region, name, (value, None), None)
}

/// Puts a value in the place of one that was made up, as long as no rotation has replaced that; false where it was none.
pub fn reseed(shared: &Shared, account: &str, region: &str, name: &str, value: &str) -> bool {
    let is_made_up = |secret: &Secret| {
        secret.version_with(CURRENT).and_then(|id| secret.versions.get(id)).is_some_and(|version| version.made_up)
    };
    if !shared.read(account, region, |region| region.secrets.find(name).is_some_and(|secret| is_made_up(secret))) {
        return false;
    }
    shared.write(account, region, |region| {
        let Some(secret) = region.secrets.edit(name) else { return false };
        let current = secret.version_with(CURRENT).map(str::to_owned);
        let Some(version) = current.and_then(|id| secret.versions.get_mut(&id)) else { return false };
        version.value = Some(Value::Text(value.to_owned()));
        version.made_up = false;
        true
    })
}

/// Creates a secret with a made-up value as another service does, which alone may configure it then; false where the name
/// is taken.
pub fn create_owned(shared: &Shared, account: &str, region: &str, name: &str, owner: Option<&str>) -> bool {
    create(shared, account, region, name, (None, owner), None)
}

/// The type of a partner's secret of which nothing is known but that it is one.
const SOME_PARTNER: &str = "SandboxPartner";

/// Creates a secret with a made-up value that a partner holds; false where the name is taken.
pub fn create_of_partner(shared: &Shared, account: &str, region: &str, name: &str) -> bool {
    create(shared, account, region, name, (None, None), Some(SOME_PARTNER))
}

fn create(
    shared: &Shared,
    account: &str,
    region: &str,
    name: &str,
    (value, owner): (Option<&str>, Option<&str>),
    partner: Option<&str>,
) -> bool {
    let now = shared.now();
    let known = shared.read(account, region, |region| region.secrets.find(name).is_some());
    if known {
        return false;
    }
    let mut secret = Secret::new(account, region, name, now);
    secret.owning_service = owner.map(str::to_owned);
    secret.partner = partner.map(str::to_owned);
    if let Some(owner) = owner {
        secret.tags.push(("aws:secretsmanager:owningService".to_owned(), owner.to_owned()));
        secret.tagged = true;
    }
    let made_up = || json!({"username": "sandbox", "password": password::made_up(32)}).to_string();
    let text = Value::Text(value.map_or_else(made_up, str::to_owned));
    let version = Version { made_up: value.is_none(), ..Version::new(Some(text), &[CURRENT], now) };
    secret.versions.insert(uuid::Uuid::new_v4().to_string(), version);
    shared.write(account, region, |region| region.secrets.insert(secret));
    true
}
