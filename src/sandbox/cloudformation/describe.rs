//! The operations that read stacks.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::request::{invalid, page, place};
use super::state::{Event, Stack, StackResource, State};
use super::status::StackStatus;
use super::template::Place;
use crate::call::Call;
use crate::service::Shared;
use crate::wire::query::{self, Query};
use crate::wire::xml::Xml;
use crate::wire::{ApiError, Response};

/// Smaller than the service's pages (it cuts them by size): clients that forget the rest are found out.
const STACKS: usize = 20;
const EVENTS: usize = 20;
const RESOURCES: usize = 100;

fn unknown_id(name: &str) -> ApiError {
    invalid(format!("Stack with id {name} does not exist"))
}

/// Stacks, newest first.
fn newest_first<'a>(stacks: impl Iterator<Item = &'a Stack>) -> Vec<&'a Stack> {
    let mut stacks: Vec<_> = stacks.collect();
    stacks.sort_by_key(|stack| Reverse((stack.created, stack.id.as_str())));
    stacks
}

fn look<T>(shared: &Shared, call: &Call, look: impl FnOnce(&State) -> Result<T, ApiError>) -> Result<T, ApiError> {
    shared.read(&call.account, &call.region, |region| look(&region.stacks))
}

/// `DescribeStacks`.
pub(super) fn stacks(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    look(shared, call, |state| {
        let found = match request.get("StackName").filter(|name| !name.is_empty()) {
            Some(name) => vec![state.stack(name).ok_or_else(|| unknown_id(name))?],
            None => newest_first(state.stacks.values().filter(|stack| stack.status != StackStatus::DeleteComplete)),
        };
        let (found, next) = page(found, STACKS, request.get("NextToken"))?;
        Ok(query::answer(call, |xml| {
            xml.list("Stacks", found, |xml, stack| write_stack(xml, stack, place(call)));
            xml.text_if("NextToken", next.as_deref());
        }))
    })
}

fn write_stack(xml: &mut Xml, stack: &Stack, place: Place<'_>) {
    let shown = stack.definition.as_ref().map(|definition| definition.shown(place.region));
    xml.text("StackId", &stack.id);
    xml.text("StackName", &stack.name);
    xml.text_if("ChangeSetId", stack.change_set.as_deref());
    xml.text_if("Description", description(stack, place));
    if let Some(definition) = shown.as_ref().filter(|definition| !definition.parameters.is_empty()) {
        xml.list("Parameters", &definition.parameters, |xml, (key, value)| {
            xml.text("ParameterKey", key);
            xml.text("ParameterValue", value);
        });
    }
    xml.time("CreationTime", stack.created);
    if let Some(time) = stack.deleted {
        xml.time("DeletionTime", time);
    }
    if let Some(time) = stack.updated {
        xml.time("LastUpdatedTime", time);
    }
    xml.element("RollbackConfiguration", |_| {});
    xml.text("StackStatus", stack.status.as_str());
    xml.text_if("StackStatusReason", stack.reason.as_deref());
    xml.value("DisableRollback", stack.disable_rollback);
    xml.texts("NotificationARNs", std::iter::empty::<&str>());
    xml.texts("Capabilities", &stack.capabilities);
    let outputs = stack.outputs(place);
    if !outputs.is_empty() {
        xml.list("Outputs", outputs, |xml, (key, value, description)| {
            xml.text("OutputKey", key);
            xml.text("OutputValue", &value);
            xml.text("Description", description);
        });
    }
    let tags = shown.map(|definition| definition.tags).unwrap_or_default();
    xml.list("Tags", &tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
    if stack.status != StackStatus::DeleteComplete {
        xml.value("EnableTerminationProtection", stack.protected);
    }
    xml.element("DriftInformation", |xml| xml.text("StackDriftStatus", "NOT_CHECKED"));
}

fn description(stack: &Stack, place: Place<'_>) -> Option<&'static str> {
    let definition = stack.definition.as_ref()?;
    Some(crate::serverlessrepo::catalogue::find(&definition.application, place.region)?.description)
}

/// `ListStacks`.
pub(super) fn list_stacks(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let wanted = request.texts("StackStatusFilter");
    look(shared, call, |state| {
        let wanted = |stack: &&Stack| wanted.is_empty() || wanted.contains(&stack.status.as_str());
        let (found, next) = page(newest_first(state.stacks.values().filter(wanted)), STACKS, request.get("NextToken"))?;
        Ok(query::answer(call, |xml| {
            xml.list("StackSummaries", found, |xml, stack| {
                xml.text("StackId", &stack.id);
                xml.text("StackName", &stack.name);
                xml.text_if("TemplateDescription", description(stack, place(call)));
                xml.time("CreationTime", stack.created);
                if let Some(time) = stack.updated {
                    xml.time("LastUpdatedTime", time);
                }
                if let Some(time) = stack.deleted {
                    xml.time("DeletionTime", time);
                }
                xml.text("StackStatus", stack.status.as_str());
                xml.text_if("StackStatusReason", stack.reason.as_deref());
                xml.element("DriftInformation", |xml| xml.text("StackDriftStatus", "NOT_CHECKED"));
            });
            xml.text_if("NextToken", next.as_deref());
        }))
    })
}

/// `DescribeStackEvents`: newest first.
pub(super) fn events(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    look(shared, call, |state| {
        let stack = state.stack(name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        let (events, next) = page(stack.events.iter().rev().collect(), EVENTS, request.get("NextToken"))?;
        Ok(query::answer(call, |xml| {
            xml.list("StackEvents", events, |xml, event| write_event(xml, event, stack));
            xml.text_if("NextToken", next.as_deref());
        }))
    })
}

fn write_event(xml: &mut Xml, event: &Event, stack: &Stack) {
    xml.text("StackId", &stack.id);
    xml.text("EventId", &event.id);
    xml.text("StackName", &stack.name);
    write_event_resource(xml, event);
}

/// What an event says of its resource, in `DescribeStackEvents` and in `DescribeEvents`.
pub(super) fn write_event_resource(xml: &mut Xml, event: &Event) {
    xml.text("LogicalResourceId", &event.logical_id);
    xml.text("PhysicalResourceId", event.physical_id.as_deref().unwrap_or_default());
    xml.text("ResourceType", &event.kind);
    xml.time("Timestamp", event.time);
    xml.text("ResourceStatus", &event.status);
    xml.text_if("ResourceStatusReason", event.reason.as_deref());
    xml.text_if("ResourceProperties", event.properties.as_deref());
    xml.text_if("ClientRequestToken", event.token.as_deref());
}

/// `DescribeStackResources`: by stack, or by the name of a resource in its service.
pub(super) fn resources(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    look(shared, call, |state| {
        let stack = match (request.get("StackName"), request.get("PhysicalResourceId")) {
            (Some(name), _) => state.stack(name).ok_or_else(|| unknown_id(name))?,
            (None, Some(id)) => newest_first(state.stacks.values())
                .into_iter()
                .filter(|stack| stack.status != StackStatus::DeleteComplete)
                .find(|stack| stack.resources.iter().any(|resource| resource.physical_id.as_deref() == Some(id)))
                .ok_or_else(|| invalid(format!("Stack for {id} does not exist")))?,
            (None, None) => return Err(invalid("Either StackName or PhysicalResourceId must be specified")),
        };
        let logical = request.get("LogicalResourceId");
        let found: Vec<_> =
            stack.resources.iter().filter(|r| logical.is_none_or(|logical| r.logical_id == logical)).collect();
        Ok(query::answer(call, |xml| {
            xml.list("StackResources", found, |xml, resource| {
                xml.text("StackName", &stack.name);
                xml.text("StackId", &stack.id);
                write_resource(xml, resource, "Timestamp");
            });
        }))
    })
}

/// `DescribeStackResource`.
pub(super) fn resource(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let (name, logical) = (request.required("StackName"), request.required("LogicalResourceId"));
    look(shared, call, |state| {
        let stack = state.stack(name).ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
        let resource = stack
            .resource(logical)
            .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {name}")))?;
        Ok(query::answer(call, |xml| {
            xml.element("StackResourceDetail", |xml| {
                xml.text("StackName", &stack.name);
                xml.text("StackId", &stack.id);
                write_resource(xml, resource, "LastUpdatedTimestamp");
            });
        }))
    })
}

/// `ListStackResources`.
pub(super) fn list_resources(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let name = request.required("StackName");
    look(shared, call, |state| {
        let stack = state.stack(name).ok_or_else(|| unknown_id(name))?;
        let (found, next) = page(stack.resources.iter().collect(), RESOURCES, request.get("NextToken"))?;
        Ok(query::answer(call, |xml| {
            xml.list("StackResourceSummaries", found, |xml, resource| {
                write_resource(xml, resource, "LastUpdatedTimestamp");
            });
            xml.text_if("NextToken", next.as_deref());
        }))
    })
}

fn write_resource(xml: &mut Xml, resource: &StackResource, timestamp: &str) {
    xml.text("LogicalResourceId", &resource.logical_id);
    xml.text_if("PhysicalResourceId", resource.physical_id.as_deref());
    xml.text("ResourceType", &resource.kind);
    xml.time(timestamp, resource.updated);
    xml.text("ResourceStatus", &resource.status.to_string());
    xml.text_if("ResourceStatusReason", resource.reason.as_deref());
    xml.element("DriftInformation", |xml| xml.text("StackResourceDriftStatus", "NOT_CHECKED"));
}

/// `GetTemplate`: a description of what the stack consists of, since there is no template text.
pub(super) fn template(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let Some(name) = request.get("StackName").filter(|name| !name.is_empty()) else {
        // Of a change set that is named by its ARN there is a template at AWS; here there is none but the stack's.
        return Err(invalid(match request.get("ChangeSetName") {
            Some(_) => "StackName is a required parameter.",
            None => "StackName is required if ChangeSetName is not specified.",
        }));
    };
    look(shared, call, |state| {
        let stack = state.stack(name).ok_or_else(|| unknown_id(name))?;
        let shown = stack.definition.as_ref().map(|definition| definition.shown(&call.region));
        let resources = shown.map_or_else(Vec::new, |definition| definition.resources(place(call)));
        let resources: Map<String, Value> = resources
            .iter()
            .map(|resource| {
                let body = json!({"Type": resource.kind, "Properties": resource.to_json()});
                (resource.logical_id.to_owned(), body)
            })
            .collect();
        let body = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": description(stack, place(call)).unwrap_or_default(),
            "Resources": resources,
        });
        Ok(query::answer(call, |xml| {
            xml.text("TemplateBody", &body.to_string());
            xml.texts("StagesAvailable", ["Original", "Processed"]);
        }))
    })
}

/// `ListExports`: none of our applications exports anything.
pub(super) fn exports(call: &Call) -> Response {
    query::answer(call, |xml| xml.texts("Exports", std::iter::empty::<&str>()))
}
