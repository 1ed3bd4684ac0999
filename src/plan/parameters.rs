//! The parameters of a function's stack: live ones, overlaid by what the tool fills in and by what the manifest says.
//!
//! The Serverless Application Repository knows no "previous value": what isn't sent takes the template's default.

use std::collections::BTreeMap;

use crate::model::live::{ApplicationVersion, LiveStack, NO_ECHO_MASK};
use crate::model::{Deployment, Function, Sensitive, Vpc};

use super::{Attribute, FieldChange, ProblemKind, Shown};

/// The generic application's parameter for subnets, a comma-separated list.
pub const SUBNETS: &str = "vpcSubnetIds";
/// The generic application's parameter for security groups, a comma-separated list.
pub const SECURITY_GROUPS: &str = "vpcSecurityGroupIds";
/// The parameter that gives the function's role the right to a customer's key.
pub const KMS_KEY: &str = "kmsKeyArn";
/// The parameter that names the function.
pub const FUNCTION_NAME: &str = "functionName";
const ENDPOINT: &str = "endpoint";

/// What a stack is deployed or updated with.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// The values to send.
    pub send: BTreeMap<String, Sensitive>,
    /// What differs from the live stack.
    pub fields: Vec<FieldChange>,
    /// What is sent with any change though it can't be compared: hidden parameters that the manifest states.
    pub unseen: Vec<FieldChange>,
    /// What stands in the way of sending them.
    pub problems: Vec<ProblemKind>,
}

/// Whether a parameter carries the function's VPC.
pub fn is_vpc(name: &str) -> bool {
    name == SUBNETS || name == SECURITY_GROUPS
}

/// Whether an application's VPC goes through the stack.
pub fn declares_vpc(version: &ApplicationVersion) -> bool {
    version.parameters.contains_key(SUBNETS) && version.parameters.contains_key(SECURITY_GROUPS)
}

/// The parameters of a function's stack for a version of its application, `live` being the stack as it is.
pub fn parameters(
    function: &Function,
    deployment: &Deployment,
    version: &ApplicationVersion,
    live: Option<&LiveStack>,
    region: &str,
    partition: &str,
) -> Parameters {
    let mut result = Parameters::default();
    let managed = managed(deployment, version);
    for (name, definition) in &version.parameters {
        let live_value = live.and_then(|stack| stack.parameters.get(name));
        // Also where only the stack's own version hid the value: the mask must never be sent as one.
        let hidden = definition.no_echo || live_value.is_some_and(|value| value.expose() == NO_ECHO_MASK);
        let live_value = live_value.filter(|_| !hidden);
        let stated = managed.get(name);
        let value = stated.cloned().or_else(|| live_value.cloned()).or_else(|| match name.as_str() {
            FUNCTION_NAME => Some(Sensitive::new(function.name.clone())),
            ENDPOINT => Some(Sensitive::new(endpoint(region, partition))),
            _ => None,
        });
        if let Some(value) = &value {
            let allowed = &definition.allowed_values;
            if !allowed.is_empty() && !allowed.iter().any(|item| item == value.expose()) {
                result
                    .problems
                    .push(ProblemKind::ParameterNotAllowed { parameter: name.clone(), allowed: allowed.clone() });
            }
            result.send.insert(name.clone(), value.clone());
        } else if hidden && live.is_some_and(|stack| stack.parameters.contains_key(name)) {
            result.problems.push(ProblemKind::MissingParameter { parameter: name.clone(), no_echo: true });
        } else if definition.default.is_none() {
            result
                .problems
                .push(ProblemKind::MissingParameter { parameter: name.clone(), no_echo: definition.no_echo });
        }
        if live.is_some() && stated.is_some() && hidden {
            let attribute = Attribute::Parameter(name.clone());
            result.unseen.push(FieldChange::new(attribute, Shown::Sensitive, Shown::Sensitive));
        }
        if let (Some(stack), Some(stated)) = (live, stated)
            && !hidden
        {
            let default = definition.default.clone().unwrap_or_default();
            let before = stack.parameters.get(name).map_or(default.as_str(), Sensitive::expose);
            if canonical(name, before) != canonical(name, stated.expose()) {
                result.fields.push(FieldChange::new(
                    Attribute::Parameter(name.clone()),
                    Shown::text(before),
                    Shown::text(stated.expose()),
                ));
            }
        }
    }
    for name in deployment.application.parameters.keys() {
        if !version.parameters.contains_key(name) {
            result.problems.push(ProblemKind::UnknownParameter {
                parameter: name.clone(),
                version: version.version.clone(),
                declared: version.parameters.keys().cloned().collect(),
            });
        }
    }
    result
}

/// The parameters that the manifest states, its VPC among them where the application declares one.
fn managed(deployment: &Deployment, version: &ApplicationVersion) -> BTreeMap<String, Sensitive> {
    let mut stated = BTreeMap::new();
    if let (Some(Vpc { subnets, security_groups }), true) = (&deployment.settings.vpc, declares_vpc(version)) {
        stated.insert(SUBNETS.to_owned(), Sensitive::new(subnets.join(",")));
        stated.insert(SECURITY_GROUPS.to_owned(), Sensitive::new(security_groups.join(",")));
    }
    stated.extend(deployment.application.parameters.clone());
    stated
}

/// The form of a parameter's value that is compared: the order of subnets and groups means nothing.
fn canonical(name: &str, value: &str) -> String {
    if name != SUBNETS && name != SECURITY_GROUPS {
        return value.to_owned();
    }
    let mut items: Vec<&str> = value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    items.sort_unstable();
    items.dedup();
    items.join(",")
}

/// Secrets Manager's endpoint in a region, as the template wants it.
fn endpoint(region: &str, partition: &str) -> String {
    let suffix = match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("https://secretsmanager.{region}.{suffix}")
}
