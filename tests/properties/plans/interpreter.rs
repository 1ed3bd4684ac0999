//! AWS, as plainly as a plan's steps need it: carries a step out on a live state, or says why AWS would refuse.
//!
//! It shares no line with the applier, and knows nothing of plans beyond what a step says.

use rotator::model::live::{ApplicationVersion, LiveFunction, LiveStack, Reading, Statement};
use rotator::model::{
    Desired, Function, FunctionSource, Kind, Live, PERMISSION_STATEMENT, PROJECT_TAG, SAR_VERSION_TAG, SHARED_TAG, Vpc,
    arn,
};
use rotator::plan::{Action, Change, Plan, Reason, RotateSecret, Step, StepKind};

use super::wanted::{self, ACCOUNT, apply_configuration, code_hash, made_stack, statement};

/// Carries one step out.
pub fn carry_out(step: &Step, plan: &Plan, wanted: &Desired, live: &mut Live) -> Result<(), String> {
    let change = step.change.map(|index| &plan.changes[index]);
    match step.kind {
        StepKind::Stack => stack(step, change.ok_or("a stack's step without a change")?, wanted, live),
        StepKind::Configuration => configuration(step, wanted, live),
        StepKind::Code => code(step, wanted, live),
        StepKind::Permission => permission(step, live),
        StepKind::Rotation => {
            let request = change.and_then(|change| change.action.rotate_secret()).ok_or("a rotation without one")?;
            rotate(step, request, live)
        }
        StepKind::Watch | StepKind::WatchTest => Ok(()),
        StepKind::Repair => Err("a repair, which no apply has".to_owned()),
        StepKind::Disable => disable(change.ok_or("a switch-off without a change")?, live),
        StepKind::DeleteStack => match change.map(|change| &change.action) {
            Some(Action::DeleteStack { id, .. }) => delete(id, live),
            _ => Err("a deletion without one".to_owned()),
        },
    }
}

fn deployed<'a>(step: &Step, wanted: &'a Desired) -> Result<(&'a Function, &'a rotator::model::Deployment), String> {
    let function = wanted.functions.get(&step.address.handle).ok_or("no such function")?;
    match &function.source {
        FunctionSource::Deployed(deployment) => Ok((function, deployment)),
        FunctionSource::Existing { .. } => Err("a function that is only used is written to".to_owned()),
    }
}

fn of_handle<'a>(step: &Step, live: &'a mut Live) -> Result<&'a mut LiveFunction, String> {
    live.functions.get_mut(&step.address.handle).ok_or_else(|| "no such live function".to_owned())
}

fn stack(step: &Step, change: &Change, wanted: &Desired, live: &mut Live) -> Result<(), String> {
    match &change.action {
        Action::TagStack { id } if change.reason == Reason::Removed => {
            let at = live.orphan_stacks.iter().position(|orphan| orphan.stack.id == *id).ok_or("no such stack")?;
            // Without our tag, it isn't found any more.
            let released = live.orphan_stacks.remove(at);
            if let Ok(orphans) = &mut live.orphan_secrets {
                orphans.retain(|orphan| Some(&orphan.function_arn) != released.function_arn.as_ref());
            }
            Ok(())
        }
        Action::TagStack { id } => {
            let (_, deployment) = deployed(step, wanted)?;
            let standing = standing(of_handle(step, live)?, id)?;
            standing.tags.insert(PROJECT_TAG.to_owned(), wanted.project.clone());
            standing.tags.remove(SHARED_TAG);
            if deployment.shared {
                standing.tags.insert(SHARED_TAG.to_owned(), "true".to_owned());
            }
            Ok(())
        }
        Action::UpdateStack { version, id, .. } => {
            let (function, deployment) = deployed(step, wanted)?;
            let declared = wanted::version(&deployment.application.id, version);
            let one = of_handle(step, live)?;
            let before = standing(one, id)?.clone();
            let after = LiveStack {
                id: before.id.clone(),
                name: before.name.clone(),
                ..made_stack(function, deployment, &declared, Some(&before))
            };
            provision(one, function, after, declared);
            Ok(())
        }
        Action::DeployStack { version, replaces, .. } => {
            let (function, deployment) = deployed(step, wanted)?;
            if let Some(replaced) = replaces {
                // A function of the same name follows at once: whatever rotates with it goes on.
                replace(replaced, of_handle(step, live)?);
            }
            let one = of_handle(step, live)?;
            if one.stack.found().is_some_and(|stack| stack.status != "REVIEW_IN_PROGRESS") {
                return Err("a stack of that name is there".to_owned());
            }
            if one.configuration.found().is_some() {
                return Err("a function of that name is there".to_owned());
            }
            let declared = wanted::version(&deployment.application.id, version);
            let made = made_stack(function, deployment, &declared, None);
            (one.policy, one.configuration) = (Reading::Absent, Reading::Found(wanted::configuration(&function.name)));
            provision(one, function, made, declared);
            Ok(())
        }
        _ => Err("a stack's step with another resource's action".to_owned()),
    }
}

fn standing<'a>(live: &'a mut LiveFunction, id: &str) -> Result<&'a mut LiveStack, String> {
    match &mut live.stack {
        Reading::Found(stack) if stack.id != id => Err("another stack is meant".to_owned()),
        Reading::Found(stack) if !stack.status.ends_with("_COMPLETE") || stack.status == "ROLLBACK_COMPLETE" => {
            Err(format!("a stack in {} can't be updated", stack.status))
        }
        Reading::Found(stack) => Ok(stack),
        _ => Err("there is no stack".to_owned()),
    }
}

/// What a template does to its function. As an update may, it puts everything back that others set, code included.
fn provision(live: &mut LiveFunction, function: &Function, stack: LiveStack, declared: ApplicationVersion) {
    let mut fresh = wanted::configuration(&function.name);
    let list = |name: &str| -> Vec<String> {
        let value = stack.parameters.get(name).map_or("", |value| value.expose());
        value.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    fresh.settings.vpc = Some(Vpc::new(list("vpcSubnetIds"), list("vpcSecurityGroupIds")));
    fresh.tags = Ok(stack.tags.clone());
    if let (Reading::Found(before), Ok(variables)) = (&live.configuration, &mut fresh.environment) {
        // What the template doesn't know of stays, foreign variables among it.
        variables.extend(before.environment.clone().unwrap_or_default());
        if !declared.parameters.contains_key("vpcSubnetIds") {
            fresh.settings.vpc.clone_from(&before.settings.vpc);
        }
        fresh.settings.architecture.clone_from(&before.settings.architecture);
        fresh.settings.layers.clone_from(&before.settings.layers);
    }
    let of_template = statement(&format!("{}-LambdaPermission", stack.name), None);
    let mut statements = live.policy.found().cloned().unwrap_or_default();
    let version = |stack: &LiveStack| stack.tags.get(SAR_VERSION_TAG).cloned();
    // An update within a version leaves what its template made, whatever people have made of that.
    if live.stack.found().and_then(version) != version(&stack) {
        statements.retain(|statement| statement.sid != of_template.sid);
        if declared.version != wanted::OLD_VERSION {
            statements.push(of_template);
        }
    }
    live.policy = Reading::Found(statements);
    live.configuration = Reading::Found(fresh);
    live.stack = Reading::Found(stack);
    live.application = Reading::Found(declared);
}

fn configured<'a>(step: &Step, live: &'a mut Live) -> Result<&'a mut rotator::model::live::Configuration, String> {
    match &mut of_handle(step, live)?.configuration {
        Reading::Found(configuration) if configuration.state == "Failed" => Err("a failed function".to_owned()),
        Reading::Found(configuration) => Ok(configuration),
        _ => Err("there is no function".to_owned()),
    }
}

fn configuration(step: &Step, wanted: &Desired, live: &mut Live) -> Result<(), String> {
    let (_, deployment) = deployed(step, wanted)?;
    let configuration = configured(step, live)?;
    if configuration.environment.is_err() && !deployment.environment.is_empty() {
        return Err("an environment that can't be read is overwritten".to_owned());
    }
    apply_configuration(configuration, deployment);
    Ok(())
}

fn code(step: &Step, wanted: &Desired, live: &mut Live) -> Result<(), String> {
    let (_, deployment) = deployed(step, wanted)?;
    let code = deployment.code.as_ref().ok_or("code where none is wanted")?;
    if code.unusable.is_some() {
        return Err("code that can't be packaged is uploaded".to_owned());
    }
    let configuration = configured(step, live)?;
    configuration.code_sha256 = code_hash(code);
    configuration.code_files = None;
    if let Some(architecture) = &deployment.settings.architecture {
        configuration.settings.architecture = Some(architecture.clone());
    }
    Ok(())
}

fn permission(step: &Step, live: &mut Live) -> Result<(), String> {
    configured(step, live)?;
    let one = of_handle(step, live)?;
    let mut statements = one.policy.found().cloned().unwrap_or_default();
    statements.retain(|statement| statement.sid != PERMISSION_STATEMENT);
    statements.push(statement(PERMISSION_STATEMENT, Some(ACCOUNT)));
    one.policy = Reading::Found(statements);
    Ok(())
}

fn rotate(step: &Step, request: &RotateSecret, live: &mut Live) -> Result<(), String> {
    let called = live.secrets.get(&step.address.handle).and_then(Reading::found).ok_or("there is no secret")?;
    if called.arn != request.secret_arn {
        return Err("another secret is rotated".to_owned());
    }
    if called.deleted || called.replica_of.is_some() || called.current_version.is_none() {
        return Err("AWS can't rotate it: deleted, a replica, or without a value".to_owned());
    }
    if called.unfinished_rotation().is_some() {
        return Err("a previous rotation isn't complete".to_owned());
    }
    if called.owning_service.is_some() && request.function_arn.is_some() {
        return Err("a service's secret takes no function".to_owned());
    }
    let function = request.function_arn.clone().or_else(|| called.function_arn.clone());
    if function.is_none() && called.owning_service.is_none() {
        return Err("no function is associated with this secret".to_owned());
    }
    if let (Some(function), None) = (&function, &called.owning_service) {
        may_invoke(function, &called.arn, live)?;
    }
    let Some(Reading::Found(secret)) = live.secrets.get_mut(&step.address.handle) else { return Ok(()) };
    secret.rotation_enabled = Some(true);
    secret.function_arn = function;
    secret.rules = request.rules.clone().or(secret.rules.take());
    if secret.rules.is_none() {
        return Err("rotation without any rules".to_owned());
    }
    if request.rotate_immediately {
        secret.current_version = Some(format!("{}+", secret.current_version.clone().unwrap_or_default()));
    }
    // Whose function it is now, the next look says.
    (secret.function_project, secret.function_shared) = (None, false);
    let now = secret.function_arn.clone();
    for orphan in live.orphan_stacks.iter_mut().filter(|orphan| orphan.function_arn != now) {
        orphan.rotating.iter_mut().for_each(|rotating| rotating.retain(|other| *other != step.name));
    }
    Ok(())
}

/// Whether Secrets Manager may call a function, as far as it is known here.
fn may_invoke(function: &str, secret: &str, live: &Live) -> Result<(), String> {
    let plain = arn::unqualified_function_arn(function);
    let known = live.functions.values().find(|one| one.configuration.found().is_some_and(|found| found.arn == plain));
    // One that was never read, for lack of rights, or that is another's: nobody here knows.
    let Some(known) = known else {
        let unread = live.functions.values().any(|one| matches!(one.configuration, Reading::Unread(_)));
        return if unread || !function.contains(":function:f") && !function.contains(":function:SecretsManager-") {
            Ok(())
        } else {
            Err(format!("Secrets Manager cannot invoke the specified Lambda function: there is no {function}"))
        };
    };
    let statements = match &known.policy {
        Reading::Unread(_) => return Ok(()),
        reading => reading.found().map_or(&[][..], Vec::as_slice),
    };
    // Versions and aliases have policies of their own.
    if plain != function {
        return Ok(());
    }
    let concerns = |statement: &&Statement| {
        statement.source_account.as_deref().is_none_or(|account| account == ACCOUNT)
            && statement.source_arn.as_deref().is_none_or(|arn| arn == secret)
            && !statement.other_conditions
    };
    let denied = statements.iter().filter(concerns).any(|statement| statement.denies);
    let allowed = statements.iter().filter(concerns).any(|statement| statement.allows);
    if allowed && !denied {
        Ok(())
    } else {
        Err("Secrets Manager cannot invoke the specified Lambda function".to_owned())
    }
}

fn disable(change: &Change, live: &mut Live) -> Result<(), String> {
    let name = change.name.as_str();
    let mut known = false;
    if change.address.kind == Kind::OrphanSecret {
        let orphans = live.orphan_secrets.as_mut().map_err(|_| "orphans that could not be listed")?;
        known = orphans.iter().any(|orphan| orphan.name == name);
        orphans.retain(|orphan| orphan.name != name);
    } else if let Some(Reading::Found(secret)) = live.secrets.get_mut(&change.address.handle) {
        if secret.deleted || secret.replica_of.is_some() {
            return Err("AWS can't switch it off: deleted, or a replica".to_owned());
        }
        known = secret.name == name;
        secret.rotation_enabled = Some(false);
        (secret.function_project, secret.function_shared) = (None, false);
    }
    for orphan in &mut live.orphan_stacks {
        orphan.rotating.iter_mut().for_each(|rotating| rotating.retain(|other| other != name));
    }
    if known { Ok(()) } else { Err("there is no such secret".to_owned()) }
}

fn replace(id: &str, one: &mut LiveFunction) {
    if one.stack.found().is_some_and(|stack| stack.id == id) {
        (one.stack, one.configuration, one.policy) = (Reading::Absent, Reading::Absent, Reading::Absent);
    }
}

/// Deletes a stack with its function. A secret that rotates with it would be broken from then on.
fn delete(id: &str, live: &mut Live) -> Result<(), String> {
    let mut deleted: Vec<String> = Vec::new();
    if let Some(at) = live.orphan_stacks.iter().position(|orphan| orphan.stack.id == id) {
        let orphan = live.orphan_stacks.remove(at);
        if orphan.rotating.as_ref().is_none_or(|rotating| !rotating.is_empty()) {
            return Err("a stack is deleted while secrets may rotate with its function".to_owned());
        }
        deleted.extend(orphan.function_arn);
    }
    for one in live.functions.values_mut() {
        if one.stack.found().is_some_and(|stack| stack.id == id) {
            if one.foreign_secrets.is_some_and(|count| count > 0) {
                return Err("a function is deleted that others' secrets rotate with".to_owned());
            }
            deleted.extend(one.configuration.found().map(|configuration| configuration.arn.clone()));
            (one.stack, one.configuration, one.policy) = (Reading::Absent, Reading::Absent, Reading::Absent);
        }
    }
    let is_deleted = |function: &str| deleted.iter().any(|arn| arn == arn::unqualified_function_arn(function));
    let secrets = live.secrets.values().filter_map(Reading::found);
    // Of one that goes itself, or only follows its primary, nothing can be changed here.
    let mut of_ours = secrets.filter(|secret| secret.is_on() && !secret.deleted && secret.replica_of.is_none());
    let orphaned = live.orphan_secrets.iter().flatten();
    if of_ours.any(|secret| secret.function_arn.as_deref().is_some_and(is_deleted))
        || orphaned.into_iter().any(|orphan| is_deleted(&orphan.function_arn))
    {
        return Err("a function is deleted that secrets rotate with".to_owned());
    }
    Ok(())
}

/// What a fresh look would compute from the rest, so that a second plan sees what an observer would.
pub fn look_again(wanted: &Desired, live: &mut Live) {
    for (handle, one) in &mut live.functions {
        let deployment = wanted.functions.get(handle).and_then(Function::deployment);
        if let (Some(deployment), Reading::Absent, Reading::Found(_)) = (deployment, &one.stack, &one.application) {
            let number = deployment.application.version.as_deref().unwrap_or(wanted::NEWEST);
            one.application = Reading::Found(wanted::version(&deployment.application.id, number));
        }
    }
}
