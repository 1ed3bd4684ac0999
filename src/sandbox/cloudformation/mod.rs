//! AWS `CloudFormation`: change sets, stacks, roll-backs.
//!
//! No template is interpreted: a stack is made from an application of the Serverless Application Repository
//! ([`super::serverlessrepo`]) and stays one; whoever sends a template of their own is told so.
//!
//! | Module | Knows |
//! |---|---|
//! | [`template`] | what a stack consists of, and how two of them differ: pure |
//! | [`state`], [`status`], [`operation`] | stacks, change sets and what is under way with them, as they are saved |
//! | [`steps`] | how a stack gets from one state to the next: pure |
//! | [`engine`] | takes those steps, one after the other |
//! | [`provision`] | how resources are made, through Lambda's API |
//! | `placed` | functions as their stacks would leave them, without waiting for a stack |
//! | `rights` | which rights that asks for, in the caller's name |
//! | `request` | what several operations read of requests |
//! | [`change_sets`], [`stacks`], [`describe`], `operation_events` | the operations |
//!
//! To make a roll-back or a deletion fail, script a fault of one of Lambda's operations (`UpdateFunctionConfiguration`,
//! `DeleteFunction`) that matches `cloudformation.amazonaws.com`: it then hits the calls that stacks make, and no others.

pub mod change_sets;
pub mod describe;
pub mod engine;
pub(super) mod inputs;
pub mod operation;
mod operation_events;
mod placed;
pub mod provision;
pub(super) mod request;
mod rights;
mod roles;
pub mod stacks;
pub mod state;
pub mod status;
pub mod steps;
pub mod template;

use std::sync::Arc;

pub use engine::resume;
pub use placed::{Placed, place};
pub use roles::role_statements;
pub use state::State;

use crate::call::Call;
use crate::operations;
use crate::service::Shared;
use crate::services::Service;
use crate::wire::query::Query;
use crate::wire::{ApiError, Response};

/// Answers a call.
#[expect(clippy::unused_async, reason = "every service's handler is asynchronous")]
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: Query) -> Result<Response, ApiError> {
    let request = &request;
    request.check(call.service, operations::input(call.service, &call.operation)?)?;
    match call.operation.as_str() {
        "CreateChangeSet" => change_sets::create(shared, call, request),
        "DescribeChangeSet" => change_sets::describe(shared, call, request),
        "ExecuteChangeSet" => change_sets::execute(shared, call, request),
        "DeleteChangeSet" => change_sets::delete(shared, call, request),
        "ListChangeSets" => change_sets::list(shared, call, request),
        "UpdateStack" => stacks::update(shared, call, request),
        "DeleteStack" => stacks::delete(shared, call, request),
        "ContinueUpdateRollback" => stacks::continue_rollback(shared, call, request),
        "CancelUpdateStack" => stacks::cancel_update(shared, call, request),
        "UpdateTerminationProtection" => stacks::protect(shared, call, request),
        "DescribeStacks" => describe::stacks(shared, call, request),
        "ListStacks" => describe::list_stacks(shared, call, request),
        "DescribeEvents" => operation_events::describe(shared, call, request),
        "DescribeStackEvents" => describe::events(shared, call, request),
        "DescribeStackResources" => describe::resources(shared, call, request),
        "DescribeStackResource" => describe::resource(shared, call, request),
        "ListStackResources" => describe::list_resources(shared, call, request),
        "GetTemplate" => describe::template(shared, call, request),
        "ListExports" => Ok(describe::exports(call)),
        _ => Err(ApiError::not_served(Service::CloudFormation, &call.operation)),
    }
}
