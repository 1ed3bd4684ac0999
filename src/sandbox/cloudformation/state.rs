//! Stacks and change sets, as they are saved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::{OnFailure, Operation};
use super::status::{ChangeSetStatus, ExecutionStatus, Progress, ResourceStatus, StackStatus, Verb};
use super::template::{Definition, Place};
use crate::clock::Time;

/// An account's stacks in a region, deleted ones included.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By ARN.
    pub stacks: BTreeMap<String, Stack>,
    /// By ARN.
    pub change_sets: BTreeMap<String, ChangeSet>,
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// When it was last created, updated or deleted for good.
    pub updated: Option<Time>,
    /// When its deletion began.
    pub deleted: Option<Time>,
    /// Where it stands.
    pub status: StackStatus,
    /// Why.
    pub reason: Option<String>,
    /// What it is made from; nothing while its first change set waits.
    pub definition: Option<Definition>,
    /// What was acknowledged, as the service shows it.
    pub capabilities: Vec<String>,
    /// The change set that was executed last.
    pub change_set: Option<String>,
    /// In the order of the template.
    pub resources: Vec<StackResource>,
    /// Oldest first.
    pub events: Vec<Event>,
    /// Whether it refuses to be deleted.
    pub protected: bool,
    /// Whether a failed creation is left as it is.
    pub disable_rollback: bool,
    /// What is under way.
    pub operation: Option<Operation>,
    /// A roll-back that failed and can be continued.
    pub stuck: Option<Operation>,
    /// Which operation used which client request token.
    pub tokens: BTreeMap<String, String>,
    /// The ARN of who asked for the last operation: what is done to resources is done in that name.
    #[serde(default)]
    pub caller: Option<String>,
}

/// A resource of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StackResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in its service; nothing until it is created.
    pub physical_id: Option<String>,
    /// The function that a permission is on, by name.
    pub function: Option<String>,
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// Where it stands.
    pub status: ResourceStatus,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub updated: Time,
}

/// Something that happened to a stack or a resource of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Unique within the stack.
    pub id: String,
    /// The resource, or the stack's name.
    pub logical_id: String,
    /// The resource's name in its service, or the stack's ARN.
    pub physical_id: Option<String>,
    /// The resource's type.
    pub kind: String,
    /// What it became.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub time: Time,
    /// The resource's properties, as JSON; secrets masked.
    pub properties: Option<String>,
    /// The token of the request that led to it.
    pub token: Option<String>,
}

/// A change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its stack's ARN.
    pub stack: String,
    /// When it was made.
    pub created: Time,
    /// Whether its stack is new.
    pub is_create: bool,
    /// What for.
    pub description: Option<String>,
    /// How far it is.
    pub status: ChangeSetStatus,
    /// Why.
    pub reason: Option<String>,
    /// Whether it can be executed.
    pub execution: ExecutionStatus,
    /// What the stack was made from when this was computed.
    pub base: Option<Definition>,
    /// Names of the stack's resources in their services at that time.
    pub physical_ids: BTreeMap<String, String>,
    /// What the stack becomes.
    pub definition: Definition,
    /// What was acknowledged, as the service shows it.
    pub capabilities: Vec<String>,
    /// What a failed creation leads to.
    pub on_failure: Option<OnFailure>,
    /// The caller's token.
    pub token: Option<String>,
}

impl State {
    /// A stack by name or ARN. A deleted one is found by its ARN alone.
    pub fn stack(&self, name: &str) -> Option<&Stack> {
        match self.stacks.get(name) {
            Some(stack) => Some(stack),
            None => self.living(name),
        }
    }

    /// A stack by name or ARN, unless it is deleted.
    pub fn living(&self, name: &str) -> Option<&Stack> {
        self.stacks
            .values()
            .find(|stack| (stack.name == name || stack.id == name) && stack.status != StackStatus::DeleteComplete)
    }

    /// The ARN of a living stack.
    pub fn living_id(&self, name: &str) -> Option<String> {
        self.living(name).map(|stack| stack.id.clone())
    }

    /// A stack's change sets, oldest first.
    pub fn change_sets_of<'a>(&'a self, stack: &'a str) -> Vec<&'a ChangeSet> {
        let mut sets: Vec<_> = self.change_sets.values().filter(|set| set.stack == stack).collect();
        sets.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        sets
    }

    /// The living stack that has a resource of this type and name.
    pub fn owner(&self, kind: &str, physical_id: &str) -> Option<&Stack> {
        self.stacks.values().find(|stack| {
            stack.status != StackStatus::DeleteComplete
                && stack.resources.iter().any(|resource| {
                    resource.kind == kind
                        && resource.physical_id.as_deref() == Some(physical_id)
                        && resource.status != ResourceStatus(Verb::Delete, Progress::Complete)
                })
        })
    }
}

impl Stack {
    /// A stack that doesn't have anything yet.
    pub fn new(id: String, name: String, now: Time) -> Self {
        let mut stack = Self {
            id,
            name,
            created: now,
            updated: None,
            deleted: None,
            status: StackStatus::ReviewInProgress,
            reason: None,
            definition: None,
            capabilities: Vec::new(),
            change_set: None,
            resources: Vec::new(),
            events: Vec::new(),
            protected: false,
            disable_rollback: false,
            operation: None,
            stuck: None,
            tokens: BTreeMap::new(),
            caller: None,
        };
        stack.enter(StackStatus::ReviewInProgress, Some("User Initiated".to_owned()), now);
        stack
    }

    /// Moves to a status, and says so in an event.
    pub fn enter(&mut self, status: StackStatus, reason: Option<String>, now: Time) {
        self.status = status;
        self.reason.clone_from(&reason);
        self.events.push(Event {
            id: uuid::Uuid::new_v4().to_string(),
            logical_id: self.name.clone(),
            physical_id: Some(self.id.clone()),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_string(),
            reason,
            time: now,
            properties: None,
            token: self.token(),
        });
    }

    /// A resource by its name in the template.
    pub fn resource(&self, logical_id: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id)
    }

    /// A resource by its name in the template, made where there is none.
    pub fn resource_mut(&mut self, logical_id: &str, kind: &str, now: Time) -> &mut StackResource {
        let position = self.resources.iter().position(|resource| resource.logical_id == logical_id);
        let position = position.unwrap_or_else(|| {
            self.resources.push(StackResource {
                logical_id: logical_id.to_owned(),
                physical_id: None,
                function: None,
                kind: kind.to_owned(),
                status: ResourceStatus(Verb::Create, Progress::InProgress),
                reason: None,
                updated: now,
            });
            self.resources.len() - 1
        });
        &mut self.resources[position]
    }

    /// Says what happened to a resource, in an event.
    pub fn tell(&mut self, resource: &Told<'_>, now: Time) {
        // As the service forms them: unique as long as a resource enters a status once in a millisecond.
        let mut id = format!("{}-{}-{}", resource.logical_id, resource.status, now.iso8601());
        if self.events.iter().any(|event| event.id == id) {
            id = format!("{id}-{}", self.events.len());
        }
        self.events.push(Event {
            id,
            logical_id: resource.logical_id.to_owned(),
            physical_id: resource.physical_id.map(str::to_owned),
            kind: resource.kind.to_owned(),
            status: resource.status.to_string(),
            reason: resource.reason.map(str::to_owned),
            time: now,
            properties: resource.properties.map(str::to_owned),
            token: self.token(),
        });
    }

    /// What the stack gives to the outside, by name.
    pub fn outputs(&self, place: Place<'_>) -> Vec<(&'static str, String, &'static str)> {
        use crate::serverlessrepo::catalogue::FUNCTION;
        let made = matches!(
            self.status,
            StackStatus::CreateComplete
                | StackStatus::UpdateInProgress
                | StackStatus::UpdateCompleteCleanupInProgress
                | StackStatus::UpdateComplete
                | StackStatus::UpdateRollbackInProgress
                | StackStatus::UpdateRollbackFailed
                | StackStatus::UpdateRollbackCompleteCleanupInProgress
                | StackStatus::UpdateRollbackComplete
                | StackStatus::DeleteInProgress
                | StackStatus::DeleteFailed
                | StackStatus::DeleteComplete
        );
        let name = self.resource(FUNCTION).and_then(|function| function.physical_id.as_deref()).filter(|_| made);
        name.map(|name| ("RotationLambdaARN", place.function_arn(name), "The ARN of the rotation lambda"))
            .into_iter()
            .collect()
    }

    fn token(&self) -> Option<String> {
        self.operation.as_ref().and_then(|operation| operation.token.clone())
    }
}

/// What happened to a resource.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its name in the template.
    pub logical_id: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// Its name in its service.
    pub physical_id: Option<&'a str>,
    /// What it became.
    pub status: ResourceStatus,
    /// Why.
    pub reason: Option<&'a str>,
    /// Its properties, as JSON.
    pub properties: Option<&'a str>,
}
