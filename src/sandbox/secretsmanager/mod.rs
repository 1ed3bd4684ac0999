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
//! | [`seeds`] | secrets that rehearsals and tests take for granted |
//! | [`steps`] | what the steps of a rotation leave in a secret, and what stands in for them |
//! | [`password`] | made-up passwords |
//! | [`bench`] | functions that are tested, step by step |
//! | [`rehearse`] | what rehearsals look at beyond what AWS does |
//! | [`rotated`](mod@rotated) | what this process rotated, for people who see one for the first time |
//! | [`private`] | what of a value nobody else may see |
//! | [`direct`] | what whoever holds the sandbox does, without the API |
//! | [`access`] | who may name another account's secret |
//!
//! [`inputs`] says what requests may hold, [`input`] reads them, [`schedule`] reads rotation rules, [`secret`] is the state.

mod access;
mod bench;
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
mod seeds;
mod steps;
mod values;

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

pub use bench::{Answers, Bench, Called, Ended, FormFault, Leak, Made, Order, Seen};
pub use lookup::check_name;
pub use rehearse::{Looked, rehearse};
pub use rotated::{Rotated, rotated};
pub use runner::goes_on;
pub use secret::{Finding, Flaw, Rehearsal, StandIn, State};
pub use seeds::{begin_anew, create_of_partner, create_owned, reseed, seed};

use self::input::Input;
use self::secret::{CURRENT, Secret};
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
        "GetRandomPassword" => {
            let probe = shared.probes().of(call);
            let passwords = probe.as_ref().map(|probe| probe.passwords()).unwrap_or_default();
            let (password, asked) = password::get(input, &passwords)?;
            if let Some(probe) = probe {
                probe.asks(asked);
            }
            Ok(json!({"RandomPassword": password}))
        }
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
