//! What the steps of a rotation leave in a secret, and what stands in for those that can't be run.

use serde_json::json;

use super::password;
use super::secret::{CURRENT, Secret, StandIn, Value};
use crate::lambda::Ran;

/// What the owner of a managed secret does: it sets a new value and makes it current.
pub(super) fn rotate_managed(secret: &mut Secret, token: &str) {
    if let Some(version) = secret.versions.get_mut(token)
        && version.value.is_none()
    {
        let value = json!({"username": "sandbox", "password": password::made_up(32)});
        version.value = Some(Value::Text(value.to_string()));
    }
    secret.move_stage(CURRENT, token);
}

/// Notes what stood in for what AWS would have run. What wasn't run at all weighs more than what ran otherwise.
pub(super) fn stand_in(secret: &mut Secret, token: &str, what: StandIn) {
    if let Some(version) = secret.versions.get_mut(token)
        && !matches!(version.stand_in, Some(StandIn::Simulated { .. }))
    {
        version.stand_in = Some(what);
    }
}

/// What a step that ended without an error should have done, and hasn't: the reason why the rotation can't end well.
pub(super) fn undone(secret: &Secret, token: &str, step: &str) -> Option<&'static str> {
    let has_value = secret.versions.get(token).is_some_and(|version| version.value.is_some());
    let is_current = secret.version_with(CURRENT) == Some(token);
    match step {
        "createSecret" if !has_value => Some("ended without an error, and its version has no value"),
        "finishSecret" if has_value && !is_current => {
            Some("ended without an error, and AWSCURRENT isn't on its version")
        }
        _ => None,
    }
}

/// Notes what a step took. One that runs again begins a new try.
pub(super) fn ran_step(secret: &mut Secret, token: &str, step: &'static str, ran: Ran) {
    if let Some(version) = secret.versions.get_mut(token) {
        let at = version.steps.iter().position(|(other, _)| *other == step).unwrap_or(version.steps.len());
        version.steps.truncate(at);
        version.steps.push((step, ran));
    }
}

/// What stands in for a function that the machine can't run: the contract's four steps, without any service to set a password on.
pub(super) fn simulate(secret: &mut Secret, token: &str, step: &str) {
    match step {
        "createSecret" => {
            if let Some(version) = secret.versions.get_mut(token) {
                let made_up =
                    || Value::Text(json!({"username": "simulated", "password": password::made_up(32)}).to_string());
                version.value.get_or_insert_with(made_up);
            }
        }
        "finishSecret" => secret.move_stage(CURRENT, token),
        _ => {}
    }
}
