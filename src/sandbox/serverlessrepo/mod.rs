//! The AWS Serverless Application Repository: the applications that the sandbox serves ([`catalogue`]), and the change
//! sets that deploy them.

pub mod catalogue;
pub(super) mod inputs;
pub mod parameters;
pub(super) mod paths;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::cloudformation::change_sets::{self, Wanted};
use crate::cloudformation::engine;
use crate::cloudformation::request::check_tags;
use crate::cloudformation::status::StackStatus;
use crate::cloudformation::template::{Definition, Place};
use crate::model::{check, routes};
use crate::operations::input;
use crate::service::Shared;
use crate::services::Service;
use crate::state::Scope;
use crate::wire::rest::{self, RestRequest};
use crate::wire::{ApiError, Response};
use catalogue::{Application, Parameter, Version};
use parameters::Given;
use paths::ROUTES;
pub use state::{State, Template};

/// The regions that have the repository (the endpoints of AWS's SDKs, as of 2026-11).
pub const REGIONS: [&str; 22] = [
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// How long a template can be used to make change sets from.
const TEMPLATE_LIFE: std::time::Duration = std::time::Duration::from_hours(6);

/// The operation that a method and path name.
pub fn operation(request: &RestRequest) -> Option<&'static str> {
    routes::find(ROUTES, request).map(|route| route.operation)
}

/// Answers a call.
#[expect(clippy::unused_async, reason = "every service's handler is asynchronous")]
pub async fn handle(shared: &Arc<Shared>, call: &Call, request: RestRequest) -> Result<Response, ApiError> {
    if !REGIONS.contains(&call.region.as_str()) {
        // On AWS, the endpoint has no address: its clients never get as far as an answer.
        let message = format!("The Serverless Application Repository has no endpoint in {}.", call.region);
        return Err(ApiError::new(421, "UnknownEndpoint", message));
    }
    let members = input(call.service, &call.operation)?;
    check(call.service, members, &routes::members(call.service, ROUTES, &request, members)?)?;
    let id = request.segments.get(1).map_or("", String::as_str);
    match call.operation.as_str() {
        "ListApplications" => list(call, &request),
        "GetApplication" => get(call, find(call, id)?, request.parameter("semanticVersion")),
        "ListApplicationVersions" => versions(call, find(call, id)?, &request),
        // Of what isn't there, this operation has no error of its own in the model.
        "CreateCloudFormationChangeSet" => find(call, id)
            .and_then(|application| create_change_set(shared, call, application, &request))
            .map_err(|error| if error.status == 404 { bad_request(error.message) } else { error }),
        "CreateCloudFormationTemplate" => create_template(shared, call, find(call, id)?, &request),
        "GetCloudFormationTemplate" => get_template(shared, call, find(call, id)?, &request),
        _ => Err(ApiError::not_served(Service::ServerlessRepo, &call.operation)),
    }
}

fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequestException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "NotFoundException", message)
}

fn find(call: &Call, id: &str) -> Result<&'static Application, ApiError> {
    catalogue::find(id, &call.region).ok_or_else(|| not_found(format!("Application with id '{id}' does not exist")))
}

fn version(application: &Application, number: Option<&str>, call: &Call) -> Result<&'static Version, ApiError> {
    application.version(number).ok_or_else(|| {
        not_found(format!(
            "Application with id '{}' does not have a version {}",
            arn(application, call),
            number.unwrap_or_default()
        ))
    })
}

/// The application's ARN; it was found by it, so it has one.
fn arn(application: &Application, call: &Call) -> String {
    application.arn(&call.region).unwrap_or_default()
}

/// The items of a page, and the token of the next.
fn page<T>(items: Vec<T>, request: &RestRequest) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = request.parameter("maxItems").and_then(|size| size.parse().ok()).unwrap_or(100);
    let start = match request.parameter("nextToken") {
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|start| start.parse().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(|| bad_request("The nextToken is not valid"))?,
        None => 0,
    };
    let next = (start + size < items.len()).then(|| format!("from-{}", start + size));
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

fn list(call: &Call, request: &RestRequest) -> Result<Response, ApiError> {
    // The service lists the caller's own applications, not those that everybody may use.
    let own = |application: &&Application| arn(application, call).contains(&format!(":{}:", call.account));
    let found = catalogue::applications(&call.region).filter(own);
    let found = found.map(|application| {
        json!({
            "applicationId": arn(application, call),
            "author": application.author,
            "creationTime": application.versions.first().map(|version| version.created),
            "description": application.description,
            "labels": application.labels,
            "name": application.name,
        })
    });
    let (found, next) = page(found.collect(), request)?;
    let mut body = json!({"applications": found});
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    Ok(rest::answer(call, 200, &body))
}

fn get(call: &Call, application: &Application, number: Option<&str>) -> Result<Response, ApiError> {
    let version = version(application, number, call)?;
    let id = arn(application, call);
    let mut body = json!({
        "applicationId": id,
        "author": application.author,
        "creationTime": application.versions.first().map(|version| version.created),
        "description": application.description,
        "isVerifiedAuthor": true,
        "labels": application.labels,
        "name": application.name,
        "spdxLicenseId": "Apache-2.0",
    });
    body["version"] = json!({
        "applicationId": id,
        "creationTime": version.created,
        "parameterDefinitions": version.parameters.iter().map(definition).collect::<Vec<_>>(),
        "requiredCapabilities": version.capabilities,
        "resourcesSupported": true,
        "semanticVersion": version.number,
        "templateUrl": template_url(application, version),
    });
    Ok(rest::answer(call, 200, &body))
}

/// A made-up URL, in the domain that never resolves: there is no template text.
fn template_url(application: &Application, version: &Version) -> String {
    format!("https://templates.sandbox.invalid/{}/{}", application.name, version.number)
}

fn definition(parameter: &Parameter) -> Value {
    let mut body = Map::from_iter([
        ("name".to_owned(), json!(parameter.name)),
        ("type".to_owned(), json!(parameter.kind.name())),
        ("description".to_owned(), json!(parameter.description)),
        ("allowedValues".to_owned(), json!(parameter.allowed)),
        ("noEcho".to_owned(), json!(parameter.no_echo)),
        ("referencedByResources".to_owned(), json!(parameter.used_by)),
    ]);
    if let Some(default) = parameter.default {
        body.insert("defaultValue".to_owned(), json!(default));
    }
    if let Some(pattern) = parameter.pattern {
        body.insert("allowedPattern".to_owned(), json!(pattern.text));
    }
    if let Some(constraint) = parameter.constraint {
        body.insert("constraintDescription".to_owned(), json!(constraint));
    }
    if let Some(least) = parameter.min_length {
        body.insert("minLength".to_owned(), json!(least));
    }
    body.into()
}

fn versions(call: &Call, application: &Application, request: &RestRequest) -> Result<Response, ApiError> {
    let id = arn(application, call);
    let all = application.versions.iter().map(
        |version| json!({"applicationId": id, "creationTime": version.created, "semanticVersion": version.number}),
    );
    let (found, next) = page(all.collect(), request)?;
    let mut body = json!({"versions": found});
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    Ok(rest::answer(call, 200, &body))
}

/// A string member of a body.
fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

/// A list of pairs, such as `[{"key": …, "value": …}]`.
fn pairs(body: &Map<String, Value>, list: &str, names: [&str; 2]) -> BTreeMap<String, String> {
    let items = body.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    items
        .map(|item| names.map(|name| text(item, name).unwrap_or_default().to_owned()))
        .map(|[key, value]| (key, value))
        .collect()
}

fn create_change_set(
    shared: &Arc<Shared>,
    call: &Call,
    application: &Application,
    request: &RestRequest,
) -> Result<Response, ApiError> {
    let body = request.json()?;
    let name = text(&body, "stackName").unwrap_or_default();
    let number = match text(&body, "templateId") {
        Some(id) => Some(template(shared, call, application, id)?.version),
        None => text(&body, "semanticVersion").map(str::to_owned),
    };
    let version = version(application, number.as_deref(), call)?;
    let capabilities = capabilities(&body, version)?;

    let given = pairs(&body, "parameterOverrides", ["name", "value"]);
    let given = given.into_iter().map(|(name, value)| (name, Given::Value(value))).collect();
    let parameters = parameters::resolve(version, &given, &BTreeMap::new()).map_err(bad_request)?;

    let mut tags = pairs(&body, "tags", ["key", "value"]);
    check_tags(&tags).map_err(bad_request)?;
    let id = arn(application, call);
    tags.insert("serverlessrepo:applicationId".to_owned(), id.clone());
    tags.insert("serverlessrepo:semanticVersion".to_owned(), version.number.to_owned());

    let token = text(&body, "clientToken").map(str::to_owned);
    // A request that comes again with its token must find the change set that it made, so the name follows from it.
    let generated = || match &token {
        Some(token) => format!("a{}", &hex(token.as_bytes())[..32]),
        None => format!("a{}", uuid::Uuid::new_v4()),
    };
    let change_set = text(&body, "changeSetName").map_or_else(generated, str::to_owned);
    let stack = format!("serverlessrepo-{name}");
    let place = Place { account: &call.account, region: &call.region };
    let (change_set, stack, new) = shared
        .write(&call.account, &call.region, |region| {
            let state = &mut region.stacks;
            let live = state.living(&stack).is_some_and(|stack| stack.status != StackStatus::ReviewInProgress);
            let wanted = Wanted {
                stack,
                name: change_set,
                definition: Definition {
                    application: id.clone(),
                    version: version.number.to_owned(),
                    parameters,
                    tags,
                },
                capabilities,
                description: text(&body, "description").map(str::to_owned),
                token,
                on_failure: None,
                is_create: !live,
            };
            change_sets::make(state, wanted, place, call.now)
        })
        // The service passes on what CloudFormation says.
        .map_err(|error| bad_request(error.message))?;
    if new {
        engine::prepare(shared, Scope::new(&call.account, &call.region), change_set.clone());
    }
    let body = json!({
        "applicationId": id,
        "changeSetId": change_set,
        "semanticVersion": version.number,
        "stackId": stack,
    });
    Ok(rest::answer(call, 201, &body))
}

/// What was acknowledged, as `CloudFormation` shows it: it doesn't know `CAPABILITY_RESOURCE_POLICY`.
fn capabilities(body: &Map<String, Value>, version: &Version) -> Result<Vec<String>, ApiError> {
    let given: Vec<&str> =
        body.get("capabilities").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    // A named role is more than a role.
    let covered =
        |needed: &str| given.contains(&needed) || needed == "CAPABILITY_IAM" && given.contains(&"CAPABILITY_NAMED_IAM");
    let missing: Vec<&str> = version.capabilities.iter().copied().filter(|needed| !covered(needed)).collect();
    if !missing.is_empty() {
        return Err(bad_request(format!("Required capabilities [{}] were not provided.", missing.join(", "))));
    }
    Ok(given.into_iter().filter(|capability| *capability != "CAPABILITY_RESOURCE_POLICY").map(str::to_owned).collect())
}

fn hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn create_template(
    shared: &Shared,
    call: &Call,
    application: &Application,
    request: &RestRequest,
) -> Result<Response, ApiError> {
    let body = request.json()?;
    let version = version(application, text(&body, "semanticVersion"), call)?;
    let id = uuid::Uuid::new_v4().to_string();
    let template =
        Template { application: arn(application, call), version: version.number.to_owned(), created: call.now };
    shared.write(&call.account, &call.region, |region| {
        region.applications.templates.insert(id.clone(), template.clone());
    });
    Ok(rest::answer(call, 201, &describe_template(&id, &template, call)))
}

fn get_template(
    shared: &Shared,
    call: &Call,
    application: &Application,
    request: &RestRequest,
) -> Result<Response, ApiError> {
    let id = request.segments.get(3).map_or("", String::as_str);
    let template = template(shared, call, application, id)?;
    Ok(rest::answer(call, 200, &describe_template(id, &template, call)))
}

/// A template of an application.
fn template(shared: &Shared, call: &Call, application: &Application, id: &str) -> Result<Template, ApiError> {
    let found = shared.read(&call.account, &call.region, |region| region.applications.templates.get(id).cloned());
    found
        .filter(|template| template.application == arn(application, call))
        .ok_or_else(|| not_found(format!("Template with id '{id}' does not exist")))
}

fn describe_template(id: &str, template: &Template, call: &Call) -> Value {
    let expires = template.created.plus(TEMPLATE_LIFE);
    json!({
        "applicationId": template.application,
        "creationTime": template.created.iso8601(),
        "expirationTime": expires.iso8601(),
        "semanticVersion": template.version,
        "status": if call.now < expires { "ACTIVE" } else { "EXPIRED" },
        "templateId": id,
        "templateUrl": format!("https://templates.sandbox.invalid/{id}"),
    })
}
