//! The operations on change sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::engine;
use super::operation::OnFailure;
use super::request::{capabilities, given, invalid, page, place, previous_template, repeated, scope, tags};
use super::state::{ChangeSet, Stack, State};
use super::status::{ChangeSetStatus, ExecutionStatus, StackStatus};
use super::steps::{self, Asked};
use super::template::{self, Action, Cause, Change, Definition, Place, Replacement};
use crate::call::Call;
use crate::clock::Time;
use crate::model::validation;
use crate::serverlessrepo::parameters;
use crate::service::Shared;
use crate::services::Service;
use crate::wire::query::{self, Query};
use crate::wire::xml::Xml;
use crate::wire::{ApiError, Response, shorten};

const PAGE: usize = 100;

/// A change set that is wanted, by whichever service.
#[derive(Debug)]
pub struct Wanted {
    /// The stack, by name or ARN.
    pub stack: String,
    /// The change set's name.
    pub name: String,
    /// What the stack shall become.
    pub definition: Definition,
    /// What was acknowledged, as the service shows it.
    pub capabilities: Vec<String>,
    /// What for.
    pub description: Option<String>,
    /// The caller's token.
    pub token: Option<String>,
    /// What a failed creation leads to.
    pub on_failure: Option<OnFailure>,
    /// For a new stack, or for a live one.
    pub is_create: bool,
}

/// Makes a change set, and its stack if that is new; answers with both ARNs and whether it is new.
pub fn make(
    state: &mut State,
    wanted: Wanted,
    place: Place<'_>,
    now: Time,
) -> Result<(String, String, bool), ApiError> {
    let living = state.living(&wanted.stack).map(|stack| (stack.id.clone(), stack.status));
    if let Some((stack, _)) = &living
        && let Some(set) = state.change_sets_of(stack).into_iter().find(|set| set.name == wanted.name)
    {
        // The same request once more: the caller hasn't seen the first answer.
        if wanted.token.is_some() && set.token == wanted.token {
            return Ok((set.id.clone(), stack.clone(), false));
        }
        let message = format!("ChangeSet {} already exists", wanted.name);
        return Err(ApiError::new(400, "AlreadyExistsException", message));
    }
    let stack = match (wanted.is_create, living) {
        (true, Some((id, StackStatus::ReviewInProgress))) => id,
        (true, Some(_)) => {
            return Err(invalid(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                wanted.stack, wanted.name
            )));
        }
        (true, None) => {
            check_name(&wanted.stack)?;
            let id = place.arn("stack", &wanted.stack, &uuid::Uuid::new_v4().to_string());
            state.stacks.insert(id.clone(), Stack::new(id.clone(), wanted.stack, now));
            id
        }
        (false, Some((id, status))) if status.can_be_updated() => id,
        (false, Some((id, status))) => {
            return Err(invalid(format!("Stack:{id} is in {status} state and can not be updated.")));
        }
        (false, None) => return Err(invalid(format!("Stack [{}] does not exist", wanted.stack))),
    };
    let id = place.arn("changeSet", &wanted.name, &uuid::Uuid::new_v4().to_string());
    let set = ChangeSet {
        id: id.clone(),
        name: wanted.name,
        stack: stack.clone(),
        created: now,
        is_create: wanted.is_create,
        description: wanted.description,
        status: ChangeSetStatus::CreatePending,
        reason: None,
        execution: ExecutionStatus::Unavailable,
        base: None,
        physical_ids: BTreeMap::new(),
        definition: wanted.definition,
        capabilities: wanted.capabilities,
        on_failure: wanted.on_failure,
        token: wanted.token,
    };
    state.change_sets.insert(id.clone(), set);
    Ok((id, stack, true))
}

/// That a name may be a stack's.
fn check_name(name: &str) -> Result<(), ApiError> {
    let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let shown = shorten(name.to_owned());
    if !well_formed {
        return Err(validation(
            Service::CloudFormation,
            &[format!(
                "Value '{shown}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )],
        ));
    }
    if name.len() > 128 {
        return Err(validation(
            Service::CloudFormation,
            &[format!(
                "Value '{shown}' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to 128"
            )],
        ));
    }
    Ok(())
}

/// What a stack becomes that keeps its template: its parameters and tags are those of the request.
pub fn redefined(state: &State, request: &Query, call: &Call) -> Result<Definition, ApiError> {
    let name = request.required("StackName");
    let stack = state.living(name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let definition = stack.definition.as_ref();
    let found = definition.and_then(|definition| Some((definition, definition.version(&call.region)?)));
    let (definition, version) =
        found.ok_or_else(|| invalid("UsePreviousTemplate is true, but the stack has no template yet."))?;
    let parameters = parameters::resolve(version, &given(request), &definition.parameters).map_err(invalid)?;
    let tags = tags(request)?.unwrap_or_else(|| definition.tags.clone());
    Ok(Definition { parameters, tags, ..definition.clone() })
}

/// `CreateChangeSet`.
pub(super) fn create(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let (stack, name) = (request.required("StackName"), request.required("ChangeSetName"));
    let kind = request.get("ChangeSetType");
    shared.read(&call.account, &call.region, |region| check_stack(&region.stacks, kind, stack, name))?;
    match kind {
        Some("CREATE") => {
            // It has no template but one of its own, which is refused; without one there is nothing to create.
            previous_template(request)?;
            return Err(invalid("UsePreviousTemplate can only be used to update a stack."));
        }
        None | Some("UPDATE") => previous_template(request)?,
        Some(other) => return Err(invalid(format!("The sandbox doesn't serve change sets of type {other}."))),
    }
    let capabilities = capabilities(request)?;
    let (id, stack, new) = shared.write(&call.account, &call.region, |region| {
        let definition = redefined(&region.stacks, request, call)?;
        let wanted = Wanted {
            stack: stack.to_owned(),
            name: name.to_owned(),
            definition,
            capabilities,
            description: request.get("Description").map(str::to_owned),
            token: request.get("ClientToken").map(str::to_owned),
            on_failure: on_failure(request.get("OnStackFailure")),
            is_create: false,
        };
        make(&mut region.stacks, wanted, place(call), call.now)
    })?;
    if new {
        engine::prepare(shared, scope(call), id.clone());
    }
    Ok(query::answer(call, |xml| {
        xml.text("Id", &id);
        xml.text("StackId", &stack);
    }))
}

/// What AWS says of the stack and of the change set's name before it looks at the rest of a request.
fn check_stack(state: &State, kind: Option<&str>, stack: &str, name: &str) -> Result<(), ApiError> {
    // Under its ARN a deleted stack is still known; its name is free.
    let Some(found) = state.stack(stack) else { return Ok(()) };
    match (kind, found.status) {
        (Some("CREATE"), StackStatus::ReviewInProgress) => Ok(()),
        (Some("CREATE"), _) => Err(invalid(format!(
            "Stack [{stack}] already exists and cannot be created again with the changeSet [{name}]."
        ))),
        (_, StackStatus::DeleteComplete) => {
            Err(invalid(format!("Stack:{} is in {} state and can not be updated.", found.id, found.status)))
        }
        _ => Ok(()),
    }
}

fn on_failure(text: Option<&str>) -> Option<OnFailure> {
    match text? {
        "DO_NOTHING" => Some(OnFailure::Nothing),
        "DELETE" => Some(OnFailure::Delete),
        _ => Some(OnFailure::Rollback),
    }
}

/// The change set that a request names: by ARN, or by name and stack.
pub(super) fn find(state: &State, request: &Query) -> Result<String, ApiError> {
    let name = request.required("ChangeSetName");
    if name.starts_with("arn:") {
        let found = state.change_sets.get(name).map(|set| set.id.clone());
        return found.ok_or_else(|| not_found(name));
    }
    let Some(stack) = request.get("StackName") else {
        return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
    };
    let found = state.stack(stack).ok_or_else(|| invalid(format!("Stack [{stack}] does not exist")))?;
    let set = state.change_sets_of(&found.id).into_iter().rev().find(|set| set.name == name);
    set.map(|set| set.id.clone()).ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

fn wrong_status(message: String) -> ApiError {
    ApiError::new(400, "InvalidChangeSetStatus", message)
}

/// `DescribeChangeSet`.
pub(super) fn describe(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let (set, stack_name) = shared.read(&call.account, &call.region, |region| {
        let id = find(&region.stacks, request)?;
        let set = region.stacks.change_sets.get(&id).cloned().ok_or_else(|| not_found(&id))?;
        let name = region.stacks.stacks.get(&set.stack).map_or_else(String::new, |stack| stack.name.clone());
        Ok::<_, ApiError>((set, name))
    })?;
    let known = set.status == ChangeSetStatus::CreateComplete;
    let changes = if known { template::changes(set.base.as_ref(), &set.definition, place(call)) } else { Vec::new() };
    let (changes, next) = page(changes, PAGE, request.get("NextToken"))?;
    let shown = set.definition.shown(&call.region);
    Ok(query::answer(call, |xml| {
        summary(xml, &set, &stack_name);
        xml.list("Parameters", &shown.parameters, |xml, (key, value)| {
            xml.text("ParameterKey", key);
            xml.text("ParameterValue", value);
        });
        xml.list("Tags", &shown.tags, |xml, (key, value)| {
            xml.text("Key", key);
            xml.text("Value", value);
        });
        xml.texts("NotificationARNs", std::iter::empty::<&str>());
        xml.element("RollbackConfiguration", |_| {});
        xml.texts("Capabilities", &set.capabilities);
        if let Some(on_failure) = set.on_failure {
            let text = match on_failure {
                OnFailure::Rollback => "ROLLBACK",
                OnFailure::Nothing => "DO_NOTHING",
                OnFailure::Delete => "DELETE",
            };
            xml.text("OnStackFailure", text);
        }
        xml.list("Changes", &changes, |xml, change| write_change(xml, change, &set.physical_ids));
        xml.text_if("NextToken", next.as_deref());
    }))
}

/// What a change set's description and its line in a list share.
fn summary(xml: &mut Xml, set: &ChangeSet, stack_name: &str) {
    xml.text("ChangeSetName", &set.name);
    xml.text("ChangeSetId", &set.id);
    xml.text("StackId", &set.stack);
    xml.text("StackName", stack_name);
    xml.text_if("Description", set.description.as_deref());
    xml.time("CreationTime", set.created);
    xml.text("ExecutionStatus", set.execution.as_str());
    xml.text("Status", set.status.as_str());
    xml.text_if("StatusReason", set.reason.as_deref());
    xml.value("IncludeNestedStacks", false);
}

fn write_change(xml: &mut Xml, change: &Change, physical_ids: &BTreeMap<String, String>) {
    xml.text("Type", "Resource");
    xml.element("ResourceChange", |xml| {
        xml.text(
            "Action",
            match change.action {
                Action::Add => "Add",
                Action::Modify { .. } => "Modify",
                Action::Remove => "Remove",
            },
        );
        xml.text("LogicalResourceId", change.logical_id);
        xml.text_if("PhysicalResourceId", physical_ids.get(change.logical_id).map(String::as_str));
        xml.text("ResourceType", change.kind);
        let Action::Modify { replacement, details, tags } = &change.action else {
            xml.texts("Scope", std::iter::empty::<&str>());
            xml.texts("Details", std::iter::empty::<&str>());
            return;
        };
        let replacement = match replacement {
            Replacement::False => "False",
            Replacement::Conditional => "Conditional",
            Replacement::True => "True",
        };
        xml.text("Replacement", replacement);
        let scopes = [(!details.is_empty(), "Properties"), (*tags, "Tags")];
        xml.texts("Scope", scopes.iter().filter(|(is, _)| *is).map(|(_, name)| *name));
        xml.element("Details", |xml| {
            for detail in details {
                let recreation = if detail.replaces { "Always" } else { "Never" };
                let target = Some((detail.property, recreation));
                match &detail.cause {
                    Cause::Template => write_detail(xml, target, "Static", "DirectModification", None),
                    Cause::Parameter(name) => {
                        write_detail(xml, target, "Static", "ParameterReference", Some(name));
                        write_detail(xml, target, "Dynamic", "DirectModification", None);
                    }
                    Cause::Reference(id) => write_detail(xml, target, "Dynamic", "ResourceReference", Some(id)),
                }
            }
            if *tags {
                write_detail(xml, None, "Static", "DirectModification", None);
            }
        });
    });
}

/// One reason for a change: of a property, or of the tags.
fn write_detail(xml: &mut Xml, property: Option<(&str, &str)>, evaluation: &str, source: &str, entity: Option<&str>) {
    let (attribute, recreation) = property.map_or(("Tags", "Never"), |(_, recreation)| ("Properties", recreation));
    xml.element("member", |xml| {
        xml.element("Target", |xml| {
            xml.text("Attribute", attribute);
            xml.text_if("Name", property.map(|(name, _)| name));
            xml.text("RequiresRecreation", recreation);
        });
        xml.text("Evaluation", evaluation);
        xml.text("ChangeSource", source);
        xml.text_if("CausingEntity", entity);
    });
}

/// `ExecuteChangeSet`.
pub(super) fn execute(shared: &Arc<Shared>, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let started = shared
        .write(&call.account, &call.region, |region| start(&mut region.stacks, request, place(call), call.now))?;
    if let Some(stack) = started {
        engine::begin(shared, call, stack);
    }
    // The operation has an output without members, which the service writes as an empty result.
    Ok(query::answer(call, |_| {}))
}

/// Starts what a change set holds; `None` where the same request did so before.
fn start(state: &mut State, request: &Query, place: Place<'_>, now: Time) -> Result<Option<String>, ApiError> {
    let id = find(state, request)?;
    let State { stacks, change_sets } = state;
    let set = change_sets.get(&id).ok_or_else(|| not_found(&id))?;
    let stack = stacks.get_mut(&set.stack).ok_or_else(|| not_found(&id))?;
    let token = request.get("ClientRequestToken");
    let operation = format!("ExecuteChangeSet {id}");
    if repeated(&stack.tokens, token, &operation)? {
        return Ok(None);
    }
    if set.status != ChangeSetStatus::CreateComplete {
        let status = set.status.as_str();
        return Err(wrong_status(format!("ChangeSet [{id}] cannot be executed in its current status of [{status}]")));
    }
    if set.execution != ExecutionStatus::Available {
        let status = set.execution.as_str();
        return Err(wrong_status(format!(
            "ChangeSet [{id}] cannot be executed in its current execution status of [{status}]"
        )));
    }
    let ready =
        if set.is_create { stack.status == StackStatus::ReviewInProgress } else { stack.status.can_be_updated() };
    if !ready {
        return Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)));
    }
    let no_rollback = request.flag("DisableRollback");
    if no_rollback && !set.is_create {
        return Err(invalid("The sandbox doesn't serve DisableRollback for updates."));
    }
    let on_failure = if no_rollback { OnFailure::Nothing } else { set.on_failure.unwrap_or_default() };
    let asked = Asked { change_set: Some(id.clone()), token: token.map(str::to_owned), on_failure, ..Asked::default() };
    if let Some(token) = token {
        stack.tokens.insert(token.to_owned(), operation);
    }
    stack.capabilities.clone_from(&set.capabilities);
    stack.change_set = Some(id.clone());
    if set.is_create {
        steps::create(stack, set.definition.clone(), asked, place, now);
    } else {
        steps::update(stack, set.definition.clone(), asked, place, now);
    }
    let stack = stack.id.clone();
    outdate(state, &stack);
    if let Some(set) = state.change_sets.get_mut(&id) {
        set.execution = ExecutionStatus::InProgress;
    }
    Ok(Some(stack))
}

/// Makes a stack's open change sets obsolete: they were computed from what it was before.
pub(super) fn outdate(state: &mut State, stack: &str) {
    for set in state.change_sets.values_mut().filter(|set| set.stack == stack) {
        if set.execution == ExecutionStatus::Available {
            set.execution = ExecutionStatus::Obsolete;
        }
    }
}

/// `DeleteChangeSet`.
pub(super) fn delete(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    shared.write(&call.account, &call.region, |region| {
        let state = &mut region.stacks;
        let id = match find(state, request) {
            Ok(id) => id,
            // What isn't there is deleted.
            Err(error) if error.code == "ChangeSetNotFound" => return Ok(()),
            Err(error) => return Err(error),
        };
        let busy = state
            .change_sets
            .get(&id)
            .is_some_and(|set| set.status.is_open() || set.execution == ExecutionStatus::InProgress);
        if busy {
            let message = "An operation on this ChangeSet is currently in progress.";
            return Err(wrong_status(message.to_owned()));
        }
        state.change_sets.remove(&id);
        Ok(())
    })?;
    Ok(query::answer(call, |_| {}))
}

/// `ListChangeSets`.
pub(super) fn list(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    let (sets, stack_name) = shared.read(&call.account, &call.region, |region| {
        let state = &region.stacks;
        let stack = state.stack(name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        let sets: Vec<ChangeSet> = state.change_sets_of(&stack.id).into_iter().rev().cloned().collect();
        Ok::<_, ApiError>((sets, stack.name.clone()))
    })?;
    let (sets, next) = page(sets, PAGE, request.get("NextToken"))?;
    Ok(query::answer(call, |xml| {
        xml.list("Summaries", &sets, |xml, set| summary(xml, set, &stack_name));
        xml.text_if("NextToken", next.as_deref());
    }))
}
