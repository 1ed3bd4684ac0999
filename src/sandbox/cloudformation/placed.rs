//! Functions as their stacks would leave them, for tests, which have no time to deploy them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::provision::resolve;
use super::state::Stack;
use super::status::{Progress, ResourceStatus, StackStatus, Verb};
use super::template::{Definition, Place};
use crate::lambda;
use crate::serverlessrepo::catalogue::{self, Application, FUNCTION, ROLE};
use crate::serverlessrepo::parameters::{self, Given};
use crate::service::Shared;

/// A function to be put in its place.
#[derive(Debug, Clone, Default)]
pub struct Placed<'a> {
    /// Its name.
    pub name: &'a str,
    /// The application that it comes from, by its ARN. Of one that isn't known here, AWS's generic one stands in.
    pub application: &'a str,
    /// The application's version; `None`: the newest.
    pub version: Option<&'a str>,
    /// The application's parameters. What it doesn't know is left out.
    pub parameters: BTreeMap<String, String>,
    /// What is configured beside the application, as `CreateFunction` says it.
    pub configuration: Map<String, Value>,
    /// Its variables: those of the application, but for these; `None` takes one away.
    pub environment: BTreeMap<String, Option<String>>,
    /// Its package.
    pub zip: &'a [u8],
}

/// Puts a function in its place, with the role that its application makes. Its ARN, and whether that application is known; an error says
/// why it can't be.
pub fn place(shared: &Shared, account: &str, region: &str, what: &Placed<'_>) -> Result<(String, bool), String> {
    let at = Place { account, region };
    let known = catalogue::find(what.application, region);
    let generic = || catalogue::applications(region).find(|one| one.name == "SecretsManagerRotationTemplate");
    let application: &Application =
        known.or_else(generic).ok_or_else(|| format!("AWS's generic application isn't known in {region}"))?;
    let version = application
        .version(what.version)
        .or_else(|| application.version(None))
        .ok_or("the application has no version")?;
    let endpoint = format!("https://secretsmanager.{region}.amazonaws.com");
    let own = [("functionName", what.name.to_owned()), ("endpoint", endpoint)];
    let mut given: BTreeMap<String, Given> = own.map(|(name, value)| (name.to_owned(), Given::Value(value))).into();
    let stated = what.parameters.iter().filter(|(name, _)| version.parameter(name).is_some());
    given.extend(stated.map(|(name, value)| (name.clone(), Given::Value(value.clone()))));
    let parameters = parameters::resolve(version, &given, &BTreeMap::new())?;
    let definition = Definition {
        application: application.arn(region).unwrap_or_default(),
        version: version.number.to_owned(),
        parameters,
        tags: BTreeMap::new(),
    };
    let resources = definition.resources(at);
    let role = format!("rotator-test-{}", what.name).chars().take(64).collect::<String>();
    let siblings = BTreeMap::from([(ROLE.to_owned(), role.clone())]);
    let function = resources.iter().find(|resource| resource.logical_id == FUNCTION);
    let Value::Object(mut body) =
        function.map(|function| resolve(&function.to_json(), &siblings, at)).unwrap_or_default()
    else {
        return Err("the application has no function".to_owned());
    };
    for left in ["Code", "Tags"] {
        body.remove(left);
    }
    body.extend(what.configuration.clone());
    let mut variables = body.get("Environment").map(|one| one["Variables"].clone()).unwrap_or_default();
    for (name, value) in &what.environment {
        match (value, variables.as_object_mut()) {
            (Some(value), Some(all)) => drop(all.insert(name.clone(), json!(value))),
            (None, Some(all)) => drop(all.remove(name)),
            (_, None) => {}
        }
    }
    body.insert("Environment".to_owned(), json!({ "Variables": variables }));
    let arn = lambda::put(shared, account, region, &body, what.zip)?;
    keep_stack(shared, at, what.name, role, definition);
    Ok((arn, known.is_some()))
}

/// Remembers the stack that the role is known by.
fn keep_stack(shared: &Shared, at: Place<'_>, name: &str, role: String, definition: Definition) {
    let now = shared.now();
    let stack = format!("serverlessrepo-{name}");
    let id = at.arn("stack", &stack, &uuid::Uuid::new_v4().to_string());
    let mut stack = Stack::new(id.clone(), stack, now);
    stack.status = StackStatus::CreateComplete;
    stack.definition = Some(definition);
    for (logical_id, kind, physical_id) in
        [(ROLE, "AWS::IAM::Role", role), (FUNCTION, "AWS::Lambda::Function", name.to_owned())]
    {
        let resource = stack.resource_mut(logical_id, kind, now);
        resource.physical_id = Some(physical_id);
        resource.status = ResourceStatus(Verb::Create, Progress::Complete);
    }
    shared.write(at.account, at.region, |region| region.stacks.stacks.insert(id, stack));
}
