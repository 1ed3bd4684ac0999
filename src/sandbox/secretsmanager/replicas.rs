//! Replicas: one secret in several regions of an account.
//!
//! Where a region can't have one, the request succeeds all the same and the replica's status says why (`StatusType` and
//! `StatusMessageType` in the API's model): asking again tries again.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::input::{Input, invalid};
use super::lookup::{check_primary, edit_live, invalid_request};
use super::secret::{Replica, Secret};
use crate::call::Call;
use crate::state::World;
use crate::wire::ApiError;

/// The key of regions for which none is named.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// A region that a request names, with the key for it.
struct Wanted {
    region: String,
    key: Option<String>,
}

/// The regions of a request: each once, and not the call's own.
fn wanted(call: &Call, input: &Input) -> Result<Vec<Wanted>, ApiError> {
    let mut all: Vec<Wanted> = Vec::new();
    for given in input.structures("AddReplicaRegions").unwrap_or_default() {
        let region = given.text("Region").ok_or_else(|| invalid("You must specify the Region of each replica."))?;
        if region == call.region || all.iter().any(|known| known.region == region) {
            return Err(invalid(format!("Invalid replica region: {region}.")));
        }
        let key = given.text("KmsKeyId").filter(|key| !key.is_empty()).map(str::to_owned);
        all.push(Wanted { region: region.to_owned(), key });
    }
    Ok(all)
}

/// Refuses a request whose regions make no sense, before anything is made.
pub(super) fn check(call: &Call, input: &Input) -> Result<(), ApiError> {
    wanted(call, input).map(drop)
}

/// Whether a secret is a replica of the one in another region.
fn is_replica(secret: &Secret, of: &str) -> bool {
    secret.primary_region.as_deref() == Some(of)
}

/// A replica of a primary, in a region of the same account.
fn replica_of(primary: &Secret, from: &str, to: &Replica) -> Secret {
    let mut replica = primary.clone();
    replica.arn = primary.arn.replacen(&format!(":{from}:"), &format!(":{}:", to.region), 1);
    replica.primary_region = Some(from.to_owned());
    replica.replicas.clear();
    replica.kms_key.clone_from(&to.kms_key);
    // The primary rotates; a replica shows how, and never does itself.
    if let Some(rotation) = &mut replica.rotation {
        rotation.run = None;
        rotation.next = None;
    }
    replica
}

/// Brings the replicas of a secret up to date, where it is a primary: values, labels and metadata follow at once. A primary
/// is told of a replica's key.
pub(super) fn follow(world: &mut World, account: &str, region: &str, id: &str) {
    let found = world.find(account, region).and_then(|found| found.secrets.find(id));
    let Some(primary) = found.filter(|secret| secret.primary_region.is_some()).map(Arc::clone) else { return };
    if let Some(elsewhere) = primary.primary_region.as_deref().filter(|primary| *primary != region) {
        let known = world.region(account, elsewhere).secrets.edit(&primary.name);
        let known = known.and_then(|known| known.replicas.iter_mut().find(|replica| replica.region == region));
        if let Some(known) = known {
            known.kms_key.clone_from(&primary.kms_key);
        }
        return;
    }
    for to in primary.replicas.iter().filter(|replica| replica.failure.is_none()) {
        let replicas = &mut world.region(account, &to.region).secrets;
        let Some(known) = replicas.find(&primary.name).filter(|known| is_replica(known, region)) else { continue };
        // When a replica was read last is its own, and so is its key.
        let (accessed, kms_key) = (known.accessed, known.kms_key.clone());
        replicas.insert(Secret { kms_key, accessed, ..replica_of(&primary, region, to) });
    }
}

/// `ReplicateSecretToRegions`.
pub fn replicate(world: &mut World, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let force = input.flag("ForceOverwriteReplicaSecret").unwrap_or(false);
    let secret = edit_live(&mut world.region(&call.account, &call.region).secrets, input.required("SecretId"))?;
    check_primary(secret, call)?;
    let mut replicas: Vec<Replica> = Vec::new();
    for Wanted { region, key } in wanted(call, input)? {
        replicas.push(Replica { region, kms_key: key, failure: None });
    }
    secret.primary_region = Some(call.region.clone());
    let primary = secret.clone();
    for replica in &mut replicas {
        let secrets = &mut world.region(&call.account, &replica.region).secrets;
        let known = secrets.find(&primary.name);
        let is_ours = known.is_some_and(|known| is_replica(known, &call.region));
        // What is replicated itself isn't overwritten: its own replicas, or its primary, would be left alone.
        let is_free = known.is_none_or(|known| force && known.primary_region.is_none());
        if is_ours || is_free {
            secrets.insert(replica_of(&primary, &call.region, replica));
        } else {
            replica.failure = Some(format!(
                "Replication failed: Secret name {} already exists in region {}.",
                primary.name, replica.region
            ));
        }
    }
    let secret = edit_live(&mut world.region(&call.account, &call.region).secrets, input.required("SecretId"))?;
    secret.replicas.retain(|known| replicas.iter().all(|replica| replica.region != known.region));
    secret.replicas.append(&mut replicas);
    secret.replicas.sort_by(|a, b| a.region.cmp(&b.region));
    Ok(replication(secret))
}

/// `RemoveRegionsFromReplication`.
pub fn remove(world: &mut World, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let regions = input.texts("RemoveReplicaRegions").unwrap_or_default();
    let secret = edit_live(&mut world.region(&call.account, &call.region).secrets, input.required("SecretId"))?;
    check_primary(secret, call)?;
    if let Some(other) = regions.iter().find(|region| !secret.replicas.iter().any(|known| known.region == **region)) {
        return Err(invalid(format!("The secret {} isn't replicated to {other}.", secret.name)));
    }
    secret.replicas.retain(|replica| !regions.contains(&replica.region.as_str()));
    let (answer, name) = (replication(secret), secret.name.clone());
    for region in regions {
        let secrets = &mut world.region(&call.account, region).secrets;
        // A replica that failed left what was there, which is nobody's to remove.
        if secrets.find(&name).is_some_and(|secret| is_replica(secret, &call.region)) {
            secrets.remove(&name);
        }
    }
    Ok(answer)
}

/// `StopReplicationToReplica`: the replica becomes a secret of its own. It doesn't rotate: its primary's function is in
/// another region.
pub fn stop(world: &mut World, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(&mut world.region(&call.account, &call.region).secrets, input.required("SecretId"))?;
    let primary = secret.primary_region.clone().filter(|region| *region != call.region);
    let primary = primary.ok_or_else(|| invalid_request("This secret is not a replica."))?;
    secret.primary_region = None;
    secret.rotation = None;
    secret.changed = call.now;
    let (answer, name) = (json!({"ARN": secret.arn}), secret.name.clone());
    if let Some(secret) = world.region(&call.account, &primary).secrets.edit(&name) {
        secret.replicas.retain(|replica| replica.region != call.region);
    }
    Ok(answer)
}

fn replication(secret: &Secret) -> Json {
    json!({"ARN": secret.arn, "ReplicationStatus": secret.replicas.iter().map(status).collect::<Vec<_>>()})
}

/// A replica's status.
pub(super) fn status(replica: &Replica) -> Json {
    let (status, message) = match &replica.failure {
        None => ("InSync", "Replication succeeded"),
        Some(failure) => ("Failed", failure.as_str()),
    };
    let key = replica.kms_key.as_deref().unwrap_or(DEFAULT_KEY);
    json!({"Region": replica.region, "KmsKeyId": key, "Status": status, "StatusMessage": message})
}
