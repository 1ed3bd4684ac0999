//! The operations that change stacks.

use std::sync::Arc;

use super::operation::{Interrupt, Phase};
use super::request::{capabilities, invalid, place, previous_template, repeated};
use super::status::StackStatus;
use super::steps::{self, Asked};
use super::{change_sets, engine, template};
use crate::call::Call;
use crate::service::Shared;
use crate::wire::query::{self, Query};
use crate::wire::{ApiError, Response};

fn does_not_exist(name: &str) -> ApiError {
    invalid(format!("Stack [{name}] does not exist"))
}

/// `UpdateStack`.
pub(super) fn update(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    previous_template(request)?;
    let token = request.get("ClientRequestToken");
    let (stack, started) = shared.write(&call.account, &call.region, |region| {
        let state = &mut region.stacks;
        let (id, status) = {
            let stack = state.stack(name).ok_or_else(|| does_not_exist(name))?;
            if repeated(&stack.tokens, token, "UpdateStack")? {
                return Ok((stack.id.clone(), false));
            }
            (stack.id.clone(), stack.status)
        };
        if !status.can_be_updated() {
            return Err(invalid(format!("Stack:{id} is in {status} state and can not be updated.")));
        }
        let capabilities = capabilities(request)?;
        let definition = change_sets::redefined(state, request, call)?;
        change_sets::outdate(state, &id);
        let stack = state.stacks.get_mut(&id).ok_or_else(|| does_not_exist(name))?;
        if template::changes(stack.definition.as_ref(), &definition, place(call)).is_empty() {
            return Err(invalid("No updates are to be performed."));
        }
        if let Some(token) = token {
            stack.tokens.insert(token.to_owned(), "UpdateStack".to_owned());
        }
        stack.capabilities = capabilities;
        let asked = Asked { token: token.map(str::to_owned), ..Asked::default() };
        steps::update(stack, definition, asked, place(call), call.now);
        Ok((id, true))
    })?;
    if started {
        engine::begin(shared, call, stack.clone());
    }
    Ok(query::answer(call, |xml| xml.text("StackId", &stack)))
}

/// `DeleteStack`.
pub(super) fn delete(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    let token = request.get("ClientRequestToken");
    let retain: Vec<String> = request.texts("RetainResources").into_iter().map(str::to_owned).collect();
    let started = shared.write(&call.account, &call.region, |region| {
        let state = &mut region.stacks;
        // What isn't there is deleted.
        let Some(id) = state.living_id(name) else { return Ok(None) };
        let Some(stack) = state.stacks.get_mut(&id) else { return Ok(None) };
        if repeated(&stack.tokens, token, "DeleteStack")? {
            return Ok(None);
        }
        if stack.protected {
            return Err(invalid(format!("Stack [{id}] cannot be deleted while TerminationProtection is enabled")));
        }
        let failed = stack.status == StackStatus::DeleteFailed;
        if !retain.is_empty() && !failed {
            return Err(invalid(format!(
                "RetainResources can only be specified for stacks in DELETE_FAILED state: Stack [{id}] is in {}",
                stack.status
            )));
        }
        if let Some(unknown) = retain.iter().find(|id| stack.resource(id).is_none()) {
            return Err(invalid(format!("Resource [{unknown}] does not exist in stack [{id}]")));
        }
        if let Some(token) = token {
            stack.tokens.insert(token.to_owned(), "DeleteStack".to_owned());
        }
        match stack.status {
            StackStatus::DeleteInProgress => return Ok(None),
            StackStatus::CreateInProgress => {
                if let Some(operation) = &mut stack.operation {
                    operation.interrupt = Some(Interrupt::Delete);
                }
                return Ok(None);
            }
            status if status.is_busy() => {
                return Err(invalid(format!("Stack [{id}] cannot be deleted while in status {status}")));
            }
            _ => {}
        }
        let asked = Asked {
            token: token.map(str::to_owned),
            skip: retain,
            force: failed && request.get("DeletionMode") == Some("FORCE_DELETE_STACK"),
            ..Asked::default()
        };
        steps::delete(stack, asked, call.now);
        change_sets::outdate(state, &id);
        Ok(Some(id))
    })?;
    if let Some(stack) = started {
        engine::begin(shared, call, stack);
    }
    Ok(query::empty(call))
}

/// `ContinueUpdateRollback`.
pub(super) fn continue_rollback(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    let token = request.get("ClientRequestToken");
    let skip: Vec<String> = request.texts("ResourcesToSkip").into_iter().map(str::to_owned).collect();
    let started = shared.write(&call.account, &call.region, |region| {
        let id = region.stacks.living_id(name).ok_or_else(|| does_not_exist(name))?;
        let stack = region.stacks.stacks.get_mut(&id).ok_or_else(|| does_not_exist(name))?;
        if repeated(&stack.tokens, token, "ContinueUpdateRollback")? {
            return Ok(None);
        }
        if stack.status != StackStatus::UpdateRollbackFailed {
            return Err(invalid(format!("Stack:{id} is in {} state and can not continue rollback.", stack.status)));
        }
        let failed = stack.stuck.as_ref().map_or(&[][..], |stuck| &stuck.failed);
        if let Some(other) = skip.iter().find(|id| !failed.contains(id)) {
            return Err(invalid(format!(
                "The following resource(s) [{other}] cannot be skipped: only resources in UPDATE_FAILED state can be."
            )));
        }
        if let Some(token) = token {
            stack.tokens.insert(token.to_owned(), "ContinueUpdateRollback".to_owned());
        }
        let asked = Asked { token: token.map(str::to_owned), skip, ..Asked::default() };
        steps::continue_rollback(stack, asked, call.now);
        Ok(Some(id))
    })?;
    if let Some(stack) = started {
        engine::begin(shared, call, stack);
    }
    Ok(query::answer(call, |_| {}))
}

/// `CancelUpdateStack`.
pub(super) fn cancel_update(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    shared.write(&call.account, &call.region, |region| {
        let id = region.stacks.living_id(name).ok_or_else(|| does_not_exist(name))?;
        let stack = region.stacks.stacks.get_mut(&id).ok_or_else(|| does_not_exist(name))?;
        let operation = stack.operation.as_mut().filter(|operation| operation.phase == Phase::Update);
        let operation =
            operation.ok_or_else(|| invalid("CancelUpdateStack cannot be called from current stack status"))?;
        operation.interrupt = Some(Interrupt::Cancel);
        Ok::<_, ApiError>(())
    })?;
    Ok(query::empty(call))
}

/// `UpdateTerminationProtection`.
pub(super) fn protect(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    request.required("EnableTerminationProtection");
    let id = shared.write(&call.account, &call.region, |region| {
        let id = region.stacks.living_id(name).ok_or_else(|| does_not_exist(name))?;
        let stack = region.stacks.stacks.get_mut(&id).ok_or_else(|| does_not_exist(name))?;
        stack.protected = request.flag("EnableTerminationProtection");
        Ok::<_, ApiError>(id)
    })?;
    Ok(query::answer(call, |xml| xml.text("StackId", &id)))
}
