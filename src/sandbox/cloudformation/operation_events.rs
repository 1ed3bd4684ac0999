//! `DescribeEvents`: what happened while a change set was made, or to a stack.
//!
//! A change set's own failures are read here and nowhere else, and go with it. The sandbox's change sets fail for one reason alone, that
//! there is nothing to change; a validation's or a hook's refusal is scripted (`answer`, in a fault's rule).

use super::change_sets;
use super::describe::write_event_resource;
use super::request::{invalid, page};
use super::state::{ChangeSet, Event, Stack};
use super::status::ChangeSetStatus;
use crate::call::Call;
use crate::service::Shared;
use crate::wire::query::{self, Query};
use crate::wire::xml::Xml;
use crate::wire::{ApiError, Response};

/// As for the stack's own events: clients that forget the rest are found out.
const EVENTS: usize = 20;

/// What an event is about.
enum Shown<'a> {
    Made(&'a ChangeSet),
    Happened(&'a Stack, &'a Event),
}

pub(super) fn describe(shared: &Shared, call: &Call, request: &Query) -> Result<Response, ApiError> {
    let failed = request.flag("Filters.FailedEvents");
    shared.read(&call.account, &call.region, |region| {
        let state = &region.stacks;
        let events: Vec<Shown> = if request.get("ChangeSetName").is_some() {
            let id = change_sets::find(state, request)?;
            state.change_sets.get(&id).map(Shown::Made).into_iter().collect()
        } else if let Some(name) = request.get("StackName") {
            let stack = state.stack(name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
            stack.events.iter().rev().map(|event| Shown::Happened(stack, event)).collect()
        } else if let Some(operation) = request.get("OperationId") {
            return Err(invalid(format!("Operation [{operation}] does not exist")));
        } else {
            return Err(invalid("One of ChangeSetName, OperationId or StackName must be specified"));
        };
        let events = events.into_iter().filter(|event| !failed || event.has_failed()).collect();
        let (events, next) = page(events, EVENTS, request.get("NextToken"))?;
        Ok(query::answer(call, |xml| {
            xml.list("OperationEvents", events, |xml, event| event.write(xml));
            xml.text_if("NextToken", next.as_deref());
        }))
    })
}

impl Shown<'_> {
    fn has_failed(&self) -> bool {
        match self {
            Self::Made(set) => set.status == ChangeSetStatus::Failed,
            Self::Happened(_, event) => event.status.ends_with("_FAILED"),
        }
    }

    fn write(&self, xml: &mut Xml) {
        match self {
            Self::Made(set) => write_made(xml, set),
            Self::Happened(stack, event) => write_happened(xml, stack, event),
        }
    }
}

fn write_made(xml: &mut Xml, set: &ChangeSet) {
    let status = match set.status {
        ChangeSetStatus::CreateComplete => "SUCCEEDED",
        ChangeSetStatus::Failed => "FAILED",
        ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress => "IN_PROGRESS",
    };
    // An event of its own has no id but the change set's, whose last part is one.
    xml.text("EventId", set.id.rsplit('/').next().unwrap_or_default());
    xml.text("StackId", &set.stack);
    xml.text("OperationType", "CREATE_CHANGESET");
    xml.text("OperationStatus", status);
    xml.text("EventType", "STACK_EVENT");
    xml.time("Timestamp", set.created);
}

fn write_happened(xml: &mut Xml, stack: &Stack, event: &Event) {
    let is_stack = event.physical_id.as_ref() == Some(&stack.id);
    let kind = match (is_stack, event.status.ends_with("_FAILED")) {
        (true, _) => "STACK_EVENT",
        (false, true) => "PROVISIONING_ERROR",
        (false, false) => "PROGRESS_EVENT",
    };
    xml.text("EventId", &event.id);
    xml.text("StackId", &stack.id);
    xml.text("EventType", kind);
    write_event_resource(xml, event);
}
