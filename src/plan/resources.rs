//! A plan's resources in the terms of Terraform's AWS provider: every function, permission, stack and rotation that the
//! manifest manages, as it is and as it will be, unchanged ones included.
//!
//! What a resource will be is what it is, with the plan's own field changes laid over it: the two can't tell different
//! stories. Values that may be private are [`ResourceValue::Sensitive`], here as in the plan.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>

mod attributes;

use std::collections::{BTreeMap, BTreeSet};

pub use attributes::{Attributes, ResourceValue};
use attributes::{
    carries_vpc, change_function, change_stack, function_attributes, new_function, new_permission, new_rotation,
    new_stack, permission_attributes, rotation_attributes, rotation_rules, stack_attributes, unprefixed, vpc_config,
};

use serde::{Deserialize, Serialize};

use crate::model::live::{LiveFunction, LiveSecret, OrphanSecret, Reading};
use crate::model::{Address, Deployment, Desired, Function, Kind, Live, PERMISSION_STATEMENT};

use super::{Action, Change, Effect, Operation, Plan, Reason};

/// A resource type of Terraform's AWS provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// The stack that holds a function.
    Stack,
    /// The function in it: its configuration and code.
    Function,
    /// Secrets Manager's permission on it.
    Permission,
    /// A secret's rotation.
    Rotation,
}

impl ResourceType {
    /// The provider's name for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stack => "aws_serverlessapplicationrepository_cloudformation_stack",
            Self::Function => "aws_lambda_function",
            Self::Permission => "aws_lambda_permission",
            Self::Rotation => "aws_secretsmanager_secret_rotation",
        }
    }
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceAction {
    /// Nothing.
    NoOp,
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
}

/// A resource of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The function or secret that it belongs to.
    pub address: Address,
    /// Which resource of it.
    pub resource_type: ResourceType,
    /// The name on AWS.
    pub name: String,
    /// What happens to it.
    pub action: ResourceAction,
    /// What it is; `None` where it isn't there.
    pub before: Option<Attributes>,
    /// What it will be; `None` where it goes.
    pub after: Option<Attributes>,
    /// Why it changes.
    pub reason: Option<Reason>,
    /// What people fear about it.
    pub effects: BTreeSet<Effect>,
    /// Whether a foreseen error keeps it as it is.
    pub blocked: bool,
    /// The rules of `select` that mean the secret, where no entry of `secrets` names it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
}

/// All resources of a target, functions before secrets, each in the order of handles; then orphans that change.
pub fn resources(desired: &Desired, live: &Live, plan: &Plan) -> Vec<Resource> {
    let mut changes: BTreeMap<&Address, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry(&change.address).or_default().push(change);
    }
    let mut builder = Builder { plan, changes, found: Vec::new() };
    for (handle, function) in &desired.functions {
        let Some(deployment) = function.deployment() else { continue };
        let Some(live) = live.functions.get(handle) else { continue };
        builder.function(&desired.address(Kind::Function, handle), function, deployment, live);
    }
    for (handle, secret) in &desired.secrets {
        let live = live.secrets.get(handle).and_then(Reading::found);
        builder.rotation(&desired.address(Kind::Secret, handle), &secret.name, live);
    }
    builder.orphans(live);
    builder.found
}

struct Builder<'a> {
    plan: &'a Plan,
    /// The plan's changes by address.
    changes: BTreeMap<&'a Address, Vec<&'a Change>>,
    found: Vec<Resource>,
}

impl<'a> Builder<'a> {
    /// The changes of some kinds that an address has.
    fn changes(&self, address: &Address, is_meant: impl Fn(&Action) -> bool) -> impl Iterator<Item = &'a Change> {
        let changes = self.changes.get(address).into_iter().flatten().copied();
        changes.filter(move |change| is_meant(&change.action))
    }

    /// The change of one kind that an address has.
    fn change(&self, address: &Address, is_meant: impl Fn(&Action) -> bool) -> Option<&'a Change> {
        self.changes(address, is_meant).next()
    }

    /// The rules that mean a secret.
    fn rules(&self, address: &Address) -> BTreeSet<String> {
        let of_secret = self.plan.selected.get(&address.handle).filter(|_| address.kind == Kind::Secret);
        of_secret.cloned().unwrap_or_default()
    }

    fn push(
        &mut self,
        address: &Address,
        (resource_type, name): (ResourceType, &str),
        before: Option<Attributes>,
        after: Option<Attributes>,
        changes: &[&Change],
    ) {
        let replaces = changes.iter().any(|change| change.action.operation() == Operation::Replace)
            || changes.iter().any(|change| matches!(change.action, Action::AddPermission { replace: true }));
        let action = match (&before, &after) {
            (None, None) => return,
            (None, Some(_)) => ResourceAction::Create,
            (Some(_), None) => ResourceAction::Delete,
            (Some(_), Some(_)) if replaces => ResourceAction::Replace,
            (Some(_), Some(_)) if changes.is_empty() => ResourceAction::NoOp,
            (Some(_), Some(_)) => ResourceAction::Update,
        };
        self.found.push(Resource {
            address: address.clone(),
            resource_type,
            name: name.to_owned(),
            action,
            before,
            after,
            reason: changes.first().map(|change| change.reason.clone()),
            effects: changes.iter().flat_map(|change| change.effects.iter().copied()).collect(),
            blocked: changes.iter().any(|change| change.blocked),
            rules: self.rules(address),
        });
    }

    fn function(&mut self, address: &Address, function: &Function, deployment: &Deployment, live: &LiveFunction) {
        let stack = live.stack.found().filter(|stack| !stack.in_review());
        let configuration = live.configuration.found().filter(|_| stack.is_some());
        let statement = live.policy.found().and_then(|all| all.iter().find(|one| one.sid == PERMISSION_STATEMENT));
        let statement = statement.filter(|_| configuration.is_some());
        let of_stack = self.change(address, |action| {
            matches!(action, Action::DeployStack { .. } | Action::UpdateStack { .. } | Action::TagStack { .. })
        });
        let deletion = self.change(address, |action| matches!(action, Action::DeleteStack { .. }));
        let deploys = of_stack.is_some_and(|change| matches!(change.action, Action::DeployStack { .. }));

        let before = stack.map(stack_attributes);
        let after = match (of_stack, deletion) {
            (_, Some(_)) => None,
            (Some(change), _) if deploys => Some(new_stack(deployment, &self.plan.project, change)),
            (Some(change), _) => before.clone().map(|before| change_stack(before, change)),
            (None, None) => before.clone(),
        };
        let changes: Vec<&Change> = of_stack.into_iter().chain(deletion).collect();
        self.push(address, (ResourceType::Stack, &deployment.stack), before, after, &changes);

        let is_of_function = |action: &Action| matches!(action, Action::UpdateConfiguration | Action::UpdateCode);
        let of_function: Vec<&Change> = self.changes(address, is_of_function).collect();
        let before = configuration.map(|live| function_attributes(live, &function.name));
        let base = if deploys { Some(new_function(&function.name)) } else { before.clone() };
        let after = base.filter(|_| deletion.is_none()).map(|mut after| {
            for field in of_function.iter().flat_map(|change| &change.fields) {
                change_function(&mut after, field);
            }
            if let (Some(vpc), true) = (&deployment.settings.vpc, of_stack.is_some_and(carries_vpc)) {
                after.insert("vpc_config".to_owned(), vpc_config(&vpc.subnets, &vpc.security_groups));
            }
            after
        });
        let mut changes: Vec<&Change> = of_function;
        changes.extend(of_stack.filter(|_| deploys));
        changes.extend(deletion);
        self.push(address, (ResourceType::Function, &function.name), before, after, &changes);

        let permits = self.change(address, |action| matches!(action, Action::AddPermission { .. }));
        let before = statement.map(|statement| permission_attributes(statement, &function.name));
        let after = match (permits, deletion) {
            (_, Some(_)) => None,
            (Some(_), _) => Some(new_permission(&function.name, &self.plan.account)),
            (None, None) => before.clone().filter(|_| !deploys),
        };
        let changes: Vec<&Change> = permits.into_iter().chain(deletion).collect();
        self.push(address, (ResourceType::Permission, &function.name), before, after, &changes);
    }

    fn rotation(&mut self, address: &Address, name: &str, live: Option<&LiveSecret>) {
        let before = live.filter(|live| live.is_on()).map(rotation_attributes);
        let change = self.change(address, |action| {
            matches!(
                action,
                Action::EnableRotation(_)
                    | Action::UpdateRotation(_)
                    | Action::DisableRotation
                    | Action::RotateNow(_)
                    | Action::Repair(_)
            )
        });
        let after = match change.map(|change| &change.action) {
            Some(Action::DisableRotation) => None,
            Some(Action::EnableRotation(request) | Action::UpdateRotation(request)) => {
                let mut after = before.clone().unwrap_or_else(|| {
                    let live = live.map(|live| (live.function_arn.as_ref(), live.rules.as_ref()));
                    new_rotation(&request.secret_arn, live.unwrap_or_default())
                });
                if let Some(function) = &request.function_arn {
                    after.insert("rotation_lambda_arn".to_owned(), ResourceValue::text(function));
                }
                if let Some(rules) = &request.rules {
                    after.insert("rotation_rules".to_owned(), rotation_rules(Some(rules)));
                }
                after.insert("rotate_immediately".to_owned(), ResourceValue::Bool(request.rotate_immediately));
                Some(after)
            }
            _ => before.clone(),
        };
        self.push(address, (ResourceType::Rotation, name), before, after, change.as_slice());
    }

    /// Orphans that the plan ends or lets go.
    fn orphans(&mut self, live: &Live) {
        let secrets = live.orphan_secrets.iter().flatten().map(|orphan| (orphan.name.as_str(), orphan));
        let secrets: BTreeMap<&str, &OrphanSecret> = secrets.collect();
        for change in &self.plan.changes {
            match change.address.kind {
                Kind::OrphanSecret => {
                    let found = secrets.get(change.name.as_str());
                    let before = found.map(|orphan| new_rotation(&orphan.arn, (Some(&orphan.function_arn), None)));
                    self.push(&change.address, (ResourceType::Rotation, &change.name), before, None, &[change]);
                }
                Kind::OrphanStack => {
                    let found = live.orphan_stacks.iter().find(|orphan| orphan.stack.name == change.address.handle);
                    let before = found.map(|orphan| stack_attributes(&orphan.stack));
                    let goes = matches!(change.action, Action::DeleteStack { .. });
                    let after = before.clone().filter(|_| !goes).map(|before| change_stack(before, change));
                    let name = unprefixed(&change.address.handle);
                    self.push(&change.address, (ResourceType::Stack, name), before, after, &[change]);
                }
                _ => {}
            }
        }
    }
}
