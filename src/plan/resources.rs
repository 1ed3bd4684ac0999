//! A plan's resources in the terms of Terraform's AWS provider: every function, permission, stack and rotation that the
//! manifest manages, as it is and as it will be, unchanged ones included.
//!
//! What a resource will be is what it is, with the plan's own field changes laid over it: the two can't tell different
//! stories. Values that may be private are [`Value::Sensitive`], here as in the plan.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::live::{
    Configuration, LiveFunction, LiveSecret, LiveStack, NO_ECHO_MASK, OrphanSecret, Reading, Statement,
};
use crate::model::setting::Provider;
use crate::model::{
    Address, Deployment, Desired, Function, Kind, Live, PERMISSION_STATEMENT, RotationRules, SAR_APPLICATION_TAG,
    SAR_STACK_PREFIXES, SAR_VERSION_TAG, Schedule, Setting, SettingValue,
};

use super::{Action, Attribute, Change, Effect, FieldChange, Operation, Plan, Reason, Shown};

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

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// None.
    Null,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A map, or a block.
    Map(Attributes),
    /// A value that is never shown.
    Sensitive,
    /// A value that AWS will decide.
    Unknown,
}

impl Value {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn texts<'a>(items: impl IntoIterator<Item = &'a String>) -> Self {
        Self::List(items.into_iter().map(Self::text).collect())
    }

    fn option(text: Option<&String>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// The provider writes nested blocks as lists of one.
    fn block(attributes: Attributes) -> Self {
        Self::List(vec![Self::Map(attributes)])
    }

    fn shown(shown: &Shown) -> Self {
        match shown {
            Shown::Absent => Self::Null,
            Shown::Text(text) => Self::text(text),
            Shown::List(items) => Self::texts(items),
            Shown::Sensitive => Self::Sensitive,
            Shown::Unknown => Self::Unknown,
        }
    }

    fn of_setting(value: SettingValue<'_>) -> Self {
        match value {
            SettingValue::Text(text) => Self::text(text),
            SettingValue::Number(number) => Self::Number(number.into()),
            SettingValue::List(items) => Self::texts(items),
        }
    }

    fn number(shown: &Shown) -> Self {
        match shown {
            Shown::Text(text) => text.parse().map_or(Self::Unknown, Self::Number),
            other => Self::shown(other),
        }
    }
}

/// A resource's attributes by the provider's names.
pub type Attributes = BTreeMap<String, Value>;

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
            matches!(action, Action::EnableRotation(_) | Action::UpdateRotation(_) | Action::DisableRotation)
        });
        let after = match change.map(|change| &change.action) {
            Some(Action::DisableRotation) => None,
            Some(Action::EnableRotation(request) | Action::UpdateRotation(request)) => {
                let mut after = before.clone().unwrap_or_else(|| {
                    let live = live.map(|live| (live.function_arn.as_ref(), live.rules.as_ref()));
                    new_rotation(&request.secret_arn, live.unwrap_or_default())
                });
                if let Some(function) = &request.function_arn {
                    after.insert("rotation_lambda_arn".to_owned(), Value::text(function));
                }
                if let Some(rules) = &request.rules {
                    after.insert("rotation_rules".to_owned(), rotation_rules(Some(rules)));
                }
                after.insert("rotate_immediately".to_owned(), Value::Bool(request.rotate_immediately));
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

/// A stack's name as the repository was given it.
fn unprefixed(name: &str) -> &str {
    SAR_STACK_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn attributes<const N: usize>(items: [(&str, Value); N]) -> Attributes {
    items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn stack_attributes(stack: &LiveStack) -> Attributes {
    let parameters = stack.parameters.iter().map(|(name, value)| {
        let value = if value.expose() == NO_ECHO_MASK { Value::Sensitive } else { Value::text(value.expose()) };
        (name.clone(), value)
    });
    // The repository's own tags are attributes of their own in the provider.
    let own = [SAR_APPLICATION_TAG, SAR_VERSION_TAG];
    let tags = stack.tags.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    attributes([
        ("id", Value::text(&stack.id)),
        ("name", Value::text(unprefixed(&stack.name))),
        ("application_id", Value::option(stack.tags.get(SAR_APPLICATION_TAG))),
        ("semantic_version", Value::option(stack.tags.get(SAR_VERSION_TAG))),
        ("capabilities", Value::texts(&stack.capabilities)),
        ("parameters", Value::Map(parameters.collect())),
        ("tags", Value::Map(tags.map(|(name, value)| (name.clone(), Value::text(value))).collect())),
    ])
}

fn new_stack(deployment: &Deployment, project: &str, change: &Change) -> Attributes {
    let tags = super::diff::stack_tags(project, deployment.shared);
    let base = attributes([
        ("id", Value::Unknown),
        ("name", Value::text(&deployment.stack)),
        ("application_id", Value::text(&deployment.application.id)),
        ("semantic_version", Value::Unknown),
        ("capabilities", Value::Unknown),
        ("parameters", Value::Map(Attributes::new())),
        ("tags", Value::Map(tags.iter().map(|(name, value)| (name.clone(), Value::text(value))).collect())),
    ]);
    change_stack(base, change)
}

fn change_stack(mut stack: Attributes, change: &Change) -> Attributes {
    for field in &change.fields {
        let value = Value::shown(&field.after);
        match &field.attribute {
            Attribute::Version => drop(stack.insert("semantic_version".to_owned(), value)),
            Attribute::Parameter(name) => insert_into(&mut stack, "parameters", name, value),
            Attribute::Tag(name) => insert_into(&mut stack, "tags", name, value),
            _ => {}
        }
    }
    stack
}

/// Sets one key of a map; an absent value takes it out.
fn insert_into(attributes: &mut Attributes, map: &str, name: &str, value: Value) {
    if let Some(Value::Map(map)) = attributes.get_mut(map) {
        match value {
            Value::Null => drop(map.remove(name)),
            value => drop(map.insert(name.to_owned(), value)),
        }
    }
}

/// Whether a stack's change carries the function's VPC.
fn carries_vpc(change: &Change) -> bool {
    change.fields.iter().any(super::diff::stack::is_vpc_parameter)
}

fn function_attributes(live: &Configuration, name: &str) -> Attributes {
    let environment = match &live.environment {
        Ok(variables) if variables.is_empty() => Value::List(Vec::new()),
        Ok(variables) => environment(variables.keys().map(|name| (name.clone(), Value::Sensitive)).collect()),
        Err(_) => Value::Unknown,
    };
    let mut function = attributes([
        ("id", Value::text(name)),
        ("arn", Value::text(&live.arn)),
        ("function_name", Value::text(name)),
        ("environment", environment),
        ("source_code_hash", Value::text(&live.code_sha256)),
    ]);
    for setting in Setting::ALL {
        set(&mut function, setting, live.settings.get(setting).map_or(Value::Null, Value::of_setting));
    }
    function
}

/// Sets what the provider calls a setting. A nested block is made where there is none, and goes with its last item.
fn set(function: &mut Attributes, setting: Setting, value: Value) {
    match setting.provider() {
        Provider::Attribute(name) => drop(function.insert(name.to_owned(), value)),
        Provider::ListOfOne(name) => drop(function.insert(name.to_owned(), Value::List(vec![value]))),
        Provider::Block(block, name) => change_block(function, block, name, value),
    }
}

fn environment(variables: Attributes) -> Value {
    Value::block(attributes([("variables", Value::Map(variables))]))
}

fn vpc_config(subnets: &[String], security_groups: &[String]) -> Value {
    if subnets.is_empty() && security_groups.is_empty() {
        return Value::List(Vec::new());
    }
    Value::block(attributes([
        ("subnet_ids", Value::texts(subnets)),
        ("security_group_ids", Value::texts(security_groups)),
    ]))
}

/// A function that a stack is to make: what the application says of it isn't known before.
fn new_function(name: &str) -> Attributes {
    let settings = Setting::ALL.map(|setting| match setting.provider() {
        Provider::Attribute(name) | Provider::ListOfOne(name) | Provider::Block(name, _) => name,
    });
    let unknown = ["arn", "environment", "source_code_hash"].into_iter().chain(settings);
    let mut function: Attributes = unknown.map(|name| (name.to_owned(), Value::Unknown)).collect();
    function.extend(attributes([("id", Value::text(name)), ("function_name", Value::text(name))]));
    function
}

fn change_function(function: &mut Attributes, field: &FieldChange) {
    let value = Value::shown(&field.after);
    match &field.attribute {
        Attribute::Setting(setting) if setting.range().is_some() => {
            set(function, *setting, Value::number(&field.after));
        }
        Attribute::Setting(setting) => set(function, *setting, value),
        Attribute::CodeHash => drop(function.insert("source_code_hash".to_owned(), value)),
        Attribute::Variable(variable) => change_variable(function, variable, value),
        _ => {}
    }
}

fn change_block(function: &mut Attributes, block: &str, name: &str, value: Value) {
    let mut inner = match function.remove(block) {
        Some(Value::List(mut items)) => match items.pop() {
            Some(Value::Map(inner)) => inner,
            _ => Attributes::new(),
        },
        _ => Attributes::new(),
    };
    inner.insert(name.to_owned(), value);
    let empty = inner.values().all(|value| matches!(value, Value::List(items) if items.is_empty()));
    function.insert(block.to_owned(), if empty { Value::List(Vec::new()) } else { Value::block(inner) });
}

fn change_variable(function: &mut Attributes, name: &str, value: Value) {
    let mut variables = match function.remove("environment") {
        Some(Value::List(mut items)) => match items.pop() {
            Some(Value::Map(mut inner)) => match inner.remove("variables") {
                Some(Value::Map(variables)) => variables,
                _ => Attributes::new(),
            },
            _ => Attributes::new(),
        },
        // The application's own variables stay unknown beside those that are stated.
        _ => Attributes::new(),
    };
    match value {
        Value::Null => drop(variables.remove(name)),
        value => drop(variables.insert(name.to_owned(), value)),
    }
    function.insert("environment".to_owned(), environment(variables));
}

fn permission_attributes(statement: &Statement, function: &str) -> Attributes {
    attributes([
        ("id", Value::text(&statement.sid)),
        ("statement_id", Value::text(&statement.sid)),
        ("action", Value::text("lambda:InvokeFunction")),
        ("function_name", Value::text(function)),
        ("principal", Value::text("secretsmanager.amazonaws.com")),
        ("source_account", Value::option(statement.source_account.as_ref())),
        ("source_arn", Value::option(statement.source_arn.as_ref())),
    ])
}

fn new_permission(function: &str, account: &str) -> Attributes {
    let statement = Statement {
        sid: PERMISSION_STATEMENT.to_owned(),
        allows: true,
        denies: false,
        source_account: Some(account.to_owned()),
        source_arn: None,
        other_conditions: false,
    };
    permission_attributes(&statement, function)
}

fn rotation_attributes(live: &LiveSecret) -> Attributes {
    new_rotation(&live.arn, (live.function_arn.as_ref(), live.rules.as_ref()))
}

fn new_rotation(arn: &str, (function, rules): (Option<&String>, Option<&RotationRules>)) -> Attributes {
    attributes([
        ("id", Value::text(arn)),
        ("secret_id", Value::text(arn)),
        ("rotation_enabled", Value::Bool(true)),
        ("rotation_lambda_arn", Value::option(function)),
        ("rotation_rules", rotation_rules(rules)),
        ("rotate_immediately", Value::Null),
    ])
}

fn rotation_rules(rules: Option<&RotationRules>) -> Value {
    let Some(rules) = rules else { return Value::List(Vec::new()) };
    let (days, expression) = match &rules.schedule {
        Schedule::AutomaticallyAfterDays(days) => (Value::Number((*days).into()), Value::Null),
        Schedule::Expression(text) => (Value::Null, Value::text(text)),
    };
    let duration = rules.duration_hours.map_or(Value::Null, |hours| Value::text(format!("{hours}h")));
    Value::block(attributes([
        ("automatically_after_days", days),
        ("schedule_expression", expression),
        ("duration", duration),
    ]))
}
