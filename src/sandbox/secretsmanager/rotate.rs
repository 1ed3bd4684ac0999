//! `RotateSecret` and `CancelRotateSecret`: what is checked, and what is noted. The rotation itself is [`super::runner`]'s.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::input::{Input, invalid};
use super::lookup::{check_primary, edit_live, invalid_request, live};
use super::replicas;
use super::runner::{self, may_invoke};
use super::schedule::Rules;
use super::secret::{External, Run, Secret, State};
use super::values::TOKEN_MISSING;
use crate::call::Call;
use crate::service::Shared;
use crate::wire::ApiError;
use crate::wire::arn::Arn;

/// What AWS says of a function that doesn't exist, and of one that it may not invoke.
const CANNOT_INVOKE: &str = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.";

/// `RotateSecret`: checks in AWS's order, answers at once; the rotation follows.
pub fn rotate(shared: &Arc<Shared>, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let id = input.required("SecretId");
    let token = input.text("ClientRequestToken").ok_or_else(|| invalid(TOKEN_MISSING))?;
    let mut world = shared.world();
    let secrets = &world.region(&call.account, &call.region).secrets;
    let secret = live(secrets, id)?;
    check_primary(secret, call)?;
    let function = function(secret, input)?;
    let external = external(secret, input)?;
    let rules = rules(input)?;
    let answer = json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token});
    let (arn, name) = (secret.arn.clone(), secret.name.clone());

    let run = secret.rotation.as_ref().and_then(|rotation| rotation.run.as_ref());
    let made = match run {
        Some(run) => run.token == token,
        None => secret.unfinished() != Some(token) && secret.versions.get(token).is_some_and(|made| made.rotated),
    };
    if made && is_configured(secret, function.as_deref(), external.as_ref(), rules.as_ref()) {
        // The same request, after an answer that was lost.
        return Ok(answer);
    }
    if run.is_some() || secret.unfinished().is_some() {
        if runner::reattempt(world.region(&call.account, &call.region).secrets.edit(id), call.now) {
            drop(world);
            shared.touch();
            shared.reschedule();
        }
        return Err(invalid_request("A previous rotation isn't complete. That rotation will be reattempted."));
    }
    // "To prevent the accidental creation of duplicate versions": a rotation makes a version of its own.
    if secret.versions.contains_key(token) {
        return Err(invalid_request(format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
        )));
    }
    if let Some(function) = &function
        && !may_invoke(&world, &call.account, &call.region, function, &arn)
    {
        return Err(ApiError::new(400, "AccessDeniedException", CANNOT_INVOKE));
    }

    let delay = shared.scaled(runner::START);
    let secret = edit_live(&mut world.region(&call.account, &call.region).secrets, id)?;
    let rotation = secret.rotation.get_or_insert_default();
    rotation.enabled = true;
    rotation.function = function;
    rotation.external = external;
    if rules.is_some() {
        rotation.rules = rules;
    }
    let test = !input.flag("RotateImmediately").unwrap_or(true);
    rotation.run = Some(Run { active: true, ..Run::new(token.to_owned(), test, call.now.plus(delay)) });
    let from = rotation.last.unwrap_or(call.now);
    secret.changed = call.now;
    secret.plan_next(from, call.now);
    replicas::follow(&mut world, &call.account, &call.region, id);
    drop(world);
    shared.touch();
    shared.reschedule();
    runner::start(shared, &call.account, &call.region, &name, token, delay);
    Ok(answer)
}

/// `CancelRotateSecret`: no more rotations, and none that is under way; `AWSPENDING` may stay.
pub fn cancel(state: &mut State, call: &Call, input: &Input) -> Result<Json, ApiError> {
    let secret = edit_live(state, input.required("SecretId"))?;
    check_primary(secret, call)?;
    let pending = secret.unfinished().map(str::to_owned);
    let Some(rotation) = &mut secret.rotation else {
        return Err(invalid_request("You can't cancel rotation of a secret that isn't configured for rotation."));
    };
    let run = rotation.run.take().map(|run| run.token);
    rotation.enabled = false;
    rotation.next = None;
    rotation.latest = None;
    secret.changed = call.now;
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(version) = run.or(pending) {
        answer["VersionId"] = json!(version);
    }
    Ok(answer)
}

/// The function that is to rotate a secret; none where it is managed.
fn function(secret: &Secret, input: &Input) -> Result<Option<String>, ApiError> {
    let given = input.text("RotationLambdaARN").filter(|arn| !arn.is_empty());
    if secret.is_managed() {
        return match given {
            Some(_) => Err(invalid_request(
                "You can't specify a rotation function for a secret that is managed by another service.",
            )),
            None => Ok(None),
        };
    }
    if given.is_some_and(|arn| Arn::parse(arn).is_none()) {
        return Err(invalid("RotationLambdaARN must be the ARN of a Lambda function."));
    }
    let known = secret.rotation.as_ref().and_then(|rotation| rotation.function.as_deref());
    let function = given
        .or(known)
        .ok_or_else(|| invalid_request("No Lambda rotation function ARN is associated with this secret."))?;
    Ok(Some(function.to_owned()))
}

/// The role and metadata that a managed external secret is to rotate with.
fn external(secret: &Secret, input: &Input) -> Result<Option<External>, ApiError> {
    let known = secret.rotation.as_ref().and_then(|rotation| rotation.external.clone());
    let role = input.text("ExternalSecretRotationRoleArn").map(str::to_owned);
    let metadata = input.structures("ExternalSecretRotationMetadata").map(|items| {
        let pair = |item: &Input| match (item.text("Key"), item.text("Value")) {
            (Some(key), Some(value)) => Ok((key.to_owned(), value.to_owned())),
            _ => Err(invalid("You must specify the Key and the Value of each item of ExternalSecretRotationMetadata.")),
        };
        items.iter().map(pair).collect::<Result<Vec<_>, _>>()
    });
    let metadata = metadata.transpose()?;
    if secret.partner.is_none() {
        return match (role, metadata) {
            (None, None) => Ok(None),
            _ => Err(invalid_request("This secret is not a managed external secret.")),
        };
    }
    let known = known.unwrap_or_default();
    let external = External { role: role.or(known.role), metadata: metadata.unwrap_or(known.metadata) };
    if external.role.is_none() {
        return Err(invalid_request("A managed external secret needs ExternalSecretRotationRoleArn to rotate."));
    }
    Ok(Some(external))
}

/// Whether a secret rotates as a request asks: what that leaves out stays as it is.
fn is_configured(secret: &Secret, function: Option<&str>, external: Option<&External>, rules: Option<&Rules>) -> bool {
    secret.rotation.as_ref().is_some_and(|known| {
        known.enabled
            && known.function.as_deref() == function
            && known.external.as_ref() == external
            && rules.is_none_or(|rules| known.rules.as_ref() == Some(rules))
    })
}

/// The rules of a request: one schedule, whose window fits it.
fn rules(input: &Input) -> Result<Option<Rules>, ApiError> {
    let Some(given) = input.structure("RotationRules") else { return Ok(None) };
    let days = given.number("AutomaticallyAfterDays").and_then(|days| u32::try_from(days).ok());
    let own = |name: &str| given.text(name).map(str::to_owned);
    let rules = Rules { days, expression: own("ScheduleExpression"), duration: own("Duration") };
    if rules.days.is_some() && rules.expression.is_some() {
        return Err(invalid(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules: specify one of them.",
        ));
    }
    // `RotationRules: {}` says nothing, and changes nothing.
    if rules == Rules::default() {
        return Ok(None);
    }
    rules.check().map_err(invalid)?;
    Ok(Some(rules))
}
