//! A function's configuration: its settings and variables, as they are wanted and as they are.

use std::collections::BTreeMap;

use crate::model::live::Configuration;
use crate::model::loading::loads_code;
use crate::model::setting::Request;
use crate::model::{Deployment, Sensitive, Setting, Vpc};
use crate::plan::{Attribute, FieldChange, Shown};

/// Whether a function with another value of an attribute of its configuration runs other code.
pub fn runs_other_code(field: &FieldChange) -> bool {
    match &field.attribute {
        Attribute::Setting(setting) => setting.is_code(),
        Attribute::Variable(name) => loads_code(name),
        _ => false,
    }
}

/// What of a function's configuration differs; without a live one, all that is stated.
///
/// `stack_carries_vpc`: the VPC goes through the stack's parameters in this plan.
pub fn configuration_fields(
    deployment: &Deployment,
    live: Option<&Configuration>,
    stack_carries_vpc: bool,
) -> Vec<FieldChange> {
    let carried = |setting: &Setting| {
        let of_stack = setting.may_be_of_stack();
        // There is no VPC to leave before the function is there.
        let nothing = of_stack && live.is_none() && deployment.settings.vpc.as_ref().is_some_and(Vpc::is_empty);
        setting.request() == Request::Configuration && !(of_stack && stack_carries_vpc) && !nothing
    };
    let differs = |setting| setting_field(setting, deployment, live);
    let mut fields: Vec<FieldChange> = Setting::ALL.into_iter().filter(carried).filter_map(differs).collect();
    fields.extend(environment_fields(deployment, live));
    fields
}

/// One setting, where it is stated and differs.
fn setting_field(setting: Setting, deployment: &Deployment, live: Option<&Configuration>) -> Option<FieldChange> {
    let after = Shown::from(deployment.settings.get(setting)?);
    let before = live.and_then(|live| live.settings.get(setting)).map_or(Shown::Absent, Shown::from);
    (live.is_none() || before != after).then(|| FieldChange::new(setting, before, after))
}

/// The architecture, where it is stated and differs: it goes with the code.
pub fn architecture_field(deployment: &Deployment, live: Option<&Configuration>) -> Option<FieldChange> {
    setting_field(Setting::Architecture, deployment, live)
}

/// Variables that differ: their names, never their values.
fn environment_fields(deployment: &Deployment, live: Option<&Configuration>) -> Vec<FieldChange> {
    let empty = BTreeMap::new();
    let live = match live.map(|live| &live.environment) {
        Some(Err(_)) => return Vec::new(),
        Some(Ok(variables)) => variables,
        None => &empty,
    };
    let shown = |value: Option<&Sensitive>| if value.is_some() { Shown::Sensitive } else { Shown::Absent };
    deployment
        .environment
        .iter()
        .filter(|(name, wanted)| live.get(*name) != wanted.as_ref())
        .map(|(name, wanted)| {
            FieldChange::new(Attribute::Variable(name.clone()), shown(live.get(name)), shown(wanted.as_ref()))
        })
        .collect()
}
