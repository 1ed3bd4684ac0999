//! The attributes of resources, as Terraform's AWS provider names and forms them.

use serde::{Deserialize, Serialize};

use crate::model::live::{Configuration, LiveSecret, LiveStack, NO_ECHO_MASK, Statement};
use crate::model::setting::Provider;
use crate::model::{
    Deployment, PERMISSION_STATEMENT, RotationRules, SAR_APPLICATION_TAG, SAR_STACK_PREFIXES, SAR_VERSION_TAG,
    Schedule, Setting, SettingValue,
};
use crate::plan::{Attribute, Change, FieldChange, Shown};

use std::collections::BTreeMap;

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceValue {
    /// None.
    Null,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<ResourceValue>),
    /// A map, or a block.
    Map(Attributes),
    /// A value that is never shown.
    Sensitive,
    /// A value that AWS will decide.
    Unknown,
}

impl ResourceValue {
    pub(super) fn text(text: impl Into<String>) -> Self {
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
pub type Attributes = BTreeMap<String, ResourceValue>;

/// A stack's name as the repository was given it.
pub(super) fn unprefixed(name: &str) -> &str {
    SAR_STACK_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

pub(super) fn attributes<const N: usize>(items: [(&str, ResourceValue); N]) -> Attributes {
    items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn stack_attributes(stack: &LiveStack) -> Attributes {
    let parameters = stack.parameters.iter().map(|(name, value)| {
        let value =
            if value.expose() == NO_ECHO_MASK { ResourceValue::Sensitive } else { ResourceValue::text(value.expose()) };
        (name.clone(), value)
    });
    // The repository's own tags are attributes of their own in the provider.
    let own = [SAR_APPLICATION_TAG, SAR_VERSION_TAG];
    let tags = stack.tags.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    attributes([
        ("id", ResourceValue::text(&stack.id)),
        ("name", ResourceValue::text(unprefixed(&stack.name))),
        ("application_id", ResourceValue::option(stack.tags.get(SAR_APPLICATION_TAG))),
        ("semantic_version", ResourceValue::option(stack.tags.get(SAR_VERSION_TAG))),
        ("capabilities", ResourceValue::texts(&stack.capabilities)),
        ("parameters", ResourceValue::Map(parameters.collect())),
        ("tags", ResourceValue::Map(tags.map(|(name, value)| (name.clone(), ResourceValue::text(value))).collect())),
    ])
}

pub(super) fn new_stack(deployment: &Deployment, project: &str, change: &Change) -> Attributes {
    let tags = crate::plan::planner::stack_tags(project, deployment.shared);
    let base = attributes([
        ("id", ResourceValue::Unknown),
        ("name", ResourceValue::text(&deployment.stack)),
        ("application_id", ResourceValue::text(&deployment.application.id)),
        ("semantic_version", ResourceValue::Unknown),
        ("capabilities", ResourceValue::Unknown),
        ("parameters", ResourceValue::Map(Attributes::new())),
        (
            "tags",
            ResourceValue::Map(tags.iter().map(|(name, value)| (name.clone(), ResourceValue::text(value))).collect()),
        ),
    ]);
    change_stack(base, change)
}

pub(super) fn change_stack(mut stack: Attributes, change: &Change) -> Attributes {
    for field in &change.fields {
        let value = ResourceValue::shown(&field.after);
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
fn insert_into(attributes: &mut Attributes, map: &str, name: &str, value: ResourceValue) {
    if let Some(ResourceValue::Map(map)) = attributes.get_mut(map) {
        match value {
            ResourceValue::Null => drop(map.remove(name)),
            value => drop(map.insert(name.to_owned(), value)),
        }
    }
}

/// Whether a stack's change carries the function's VPC.
pub(super) fn carries_vpc(change: &Change) -> bool {
    change.fields.iter().any(crate::plan::planner::stack::is_vpc_parameter)
}

pub(super) fn function_attributes(live: &Configuration, name: &str) -> Attributes {
    let environment = match &live.environment {
        Ok(variables) if variables.is_empty() => ResourceValue::List(Vec::new()),
        Ok(variables) => environment(variables.keys().map(|name| (name.clone(), ResourceValue::Sensitive)).collect()),
        Err(_) => ResourceValue::Unknown,
    };
    let mut function = attributes([
        ("id", ResourceValue::text(name)),
        ("arn", ResourceValue::text(&live.arn)),
        ("function_name", ResourceValue::text(name)),
        ("environment", environment),
        ("source_code_hash", ResourceValue::text(&live.code_sha256)),
    ]);
    for setting in Setting::ALL {
        set(&mut function, setting, live.settings.get(setting).map_or(ResourceValue::Null, ResourceValue::of_setting));
    }
    function
}

/// Sets what the provider calls a setting. A nested block is made where there is none, and goes with its last item.
fn set(function: &mut Attributes, setting: Setting, value: ResourceValue) {
    match setting.provider() {
        Provider::Attribute(name) => drop(function.insert(name.to_owned(), value)),
        Provider::ListOfOne(name) => drop(function.insert(name.to_owned(), ResourceValue::List(vec![value]))),
        Provider::Block(block, name) => change_block(function, block, name, value),
    }
}

fn environment(variables: Attributes) -> ResourceValue {
    ResourceValue::block(attributes([("variables", ResourceValue::Map(variables))]))
}

pub(super) fn vpc_config(subnets: &[String], security_groups: &[String]) -> ResourceValue {
    if subnets.is_empty() && security_groups.is_empty() {
        return ResourceValue::List(Vec::new());
    }
    ResourceValue::block(attributes([
        ("subnet_ids", ResourceValue::texts(subnets)),
        ("security_group_ids", ResourceValue::texts(security_groups)),
    ]))
}

/// A function that a stack is to make: what the application says of it isn't known before.
pub(super) fn new_function(name: &str) -> Attributes {
    let settings = Setting::ALL.map(|setting| match setting.provider() {
        Provider::Attribute(name) | Provider::ListOfOne(name) | Provider::Block(name, _) => name,
    });
    let unknown = ["arn", "environment", "source_code_hash"].into_iter().chain(settings);
    let mut function: Attributes = unknown.map(|name| (name.to_owned(), ResourceValue::Unknown)).collect();
    function.extend(attributes([("id", ResourceValue::text(name)), ("function_name", ResourceValue::text(name))]));
    function
}

pub(super) fn change_function(function: &mut Attributes, field: &FieldChange) {
    let value = ResourceValue::shown(&field.after);
    match &field.attribute {
        Attribute::Setting(setting) if setting.range().is_some() => {
            set(function, *setting, ResourceValue::number(&field.after));
        }
        Attribute::Setting(setting) => set(function, *setting, value),
        Attribute::CodeHash => drop(function.insert("source_code_hash".to_owned(), value)),
        Attribute::Variable(variable) => change_variable(function, variable, value),
        _ => {}
    }
}

fn change_block(function: &mut Attributes, block: &str, name: &str, value: ResourceValue) {
    let mut inner = match function.remove(block) {
        Some(ResourceValue::List(mut items)) => match items.pop() {
            Some(ResourceValue::Map(inner)) => inner,
            _ => Attributes::new(),
        },
        _ => Attributes::new(),
    };
    inner.insert(name.to_owned(), value);
    let empty = inner.values().all(|value| matches!(value, ResourceValue::List(items) if items.is_empty()));
    function
        .insert(block.to_owned(), if empty { ResourceValue::List(Vec::new()) } else { ResourceValue::block(inner) });
}

fn change_variable(function: &mut Attributes, name: &str, value: ResourceValue) {
    let mut variables = match function.remove("environment") {
        Some(ResourceValue::List(mut items)) => match items.pop() {
            Some(ResourceValue::Map(mut inner)) => match inner.remove("variables") {
                Some(ResourceValue::Map(variables)) => variables,
                _ => Attributes::new(),
            },
            _ => Attributes::new(),
        },
        // The application's own variables stay unknown beside those that are stated.
        _ => Attributes::new(),
    };
    match value {
        ResourceValue::Null => drop(variables.remove(name)),
        value => drop(variables.insert(name.to_owned(), value)),
    }
    function.insert("environment".to_owned(), environment(variables));
}

pub(super) fn permission_attributes(statement: &Statement, function: &str) -> Attributes {
    attributes([
        ("id", ResourceValue::text(&statement.sid)),
        ("statement_id", ResourceValue::text(&statement.sid)),
        ("action", ResourceValue::text("lambda:InvokeFunction")),
        ("function_name", ResourceValue::text(function)),
        ("principal", ResourceValue::text("secretsmanager.amazonaws.com")),
        ("source_account", ResourceValue::option(statement.source_account.as_ref())),
        ("source_arn", ResourceValue::option(statement.source_arn.as_ref())),
    ])
}

pub(super) fn new_permission(function: &str, account: &str) -> Attributes {
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

pub(super) fn rotation_attributes(live: &LiveSecret) -> Attributes {
    new_rotation(&live.arn, (live.function_arn.as_ref(), live.rules.as_ref()))
}

pub(super) fn new_rotation(arn: &str, (function, rules): (Option<&String>, Option<&RotationRules>)) -> Attributes {
    attributes([
        ("id", ResourceValue::text(arn)),
        ("secret_id", ResourceValue::text(arn)),
        ("rotation_enabled", ResourceValue::Bool(true)),
        ("rotation_lambda_arn", ResourceValue::option(function)),
        ("rotation_rules", rotation_rules(rules)),
        ("rotate_immediately", ResourceValue::Null),
    ])
}

pub(super) fn rotation_rules(rules: Option<&RotationRules>) -> ResourceValue {
    let Some(rules) = rules else { return ResourceValue::List(Vec::new()) };
    let (days, expression) = match &rules.schedule {
        Schedule::AutomaticallyAfterDays(days) => (ResourceValue::Number((*days).into()), ResourceValue::Null),
        Schedule::Expression(text) => (ResourceValue::Null, ResourceValue::text(text)),
    };
    let duration = rules.duration_hours.map_or(ResourceValue::Null, |hours| ResourceValue::text(format!("{hours}h")));
    ResourceValue::block(attributes([
        ("automatically_after_days", days),
        ("schedule_expression", expression),
        ("duration", duration),
    ]))
}
