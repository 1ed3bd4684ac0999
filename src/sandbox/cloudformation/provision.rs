//! Makes, changes and deletes the resources of a stack: functions and permissions through Lambda's own API, as
//! `CloudFormation` does; roles are remembered by the stack alone.
//!
//! Scripted faults of Lambda's operations hit these calls too; a rule that shall hit only them matches
//! `cloudformation.amazonaws.com`. That is how a test makes a roll-back or a deletion fail. Networks aren't known here:
//! ids that begin with `subnet-invalid` or `sg-invalid` don't exist, all others do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::operation::{Leftover, Task};
use super::rights::{self, Subject};
use super::template::{Place, Resource};
use crate::call::{Call, Signer};
use crate::faults::When;
use crate::lambda;
use crate::serverlessrepo::catalogue::Code;
use crate::service::Shared;
use crate::services::Service;
use crate::state::Scope;
use crate::wire::ApiError;
use crate::wire::rest::RestRequest;

/// How often and how long to wait for a function to settle; about as long as the service waits, at its own pace.
const POLL: Duration = Duration::from_millis(250);
const POLLS: u32 = 2400;

/// Something to do to a resource, with all that it needs to know.
#[derive(Debug, Clone)]
pub struct Job {
    /// What.
    pub task: Task,
    /// The resource as it was.
    pub before: Option<Resource>,
    /// The resource as it shall be.
    pub after: Option<Resource>,
    /// The stack's tags as they were.
    pub tags_before: BTreeMap<String, String>,
    /// The stack's tags as they shall be.
    pub tags_after: BTreeMap<String, String>,
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The ARN of who asked for it, where that is known.
    pub caller: Option<String>,
    /// The resource's name in its service.
    pub physical_id: Option<String>,
    /// Names of the stack's resources in their services.
    pub siblings: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// The resource's name in its service.
    pub physical_id: Option<String>,
    /// The function that a permission is on, by name.
    pub function: Option<String>,
}

/// Puts values in place of references to other resources.
pub fn resolve(value: &Value, siblings: &BTreeMap<String, String>, place: Place<'_>) -> Value {
    match value {
        Value::Object(members) => {
            if let Some(id) = members.get("Ref").and_then(Value::as_str) {
                return siblings.get(id).map_or(Value::Null, |name| json!(name));
            }
            if let Some(id) = members.get("Fn::GetAtt").and_then(|path| path.get(0)).and_then(Value::as_str) {
                return siblings.get(id).map_or(Value::Null, |name| json!(place.role_arn(name)));
            }
            members
                .iter()
                .map(|(key, value)| (key.clone(), resolve(value, siblings, place)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(|item| resolve(item, siblings, place)).collect(),
        _ => value.clone(),
    }
}

/// Does it. An error is the reason that the service would give in the stack's events.
pub async fn perform(shared: &Arc<Shared>, scope: &Scope, job: &Job) -> Result<Done, String> {
    let lambda = Lambda { shared, scope, stack: &job.stack_id };
    let place = Place { account: &scope.account, region: &scope.region };
    let kind = match &job.task {
        Task::Delete(leftover) => {
            let name = leftover.function.as_deref().or(leftover.physical_id.as_deref()).unwrap_or_default();
            let subject = Subject { kind: &leftover.kind, name, properties: &Map::new() };
            rights::check(shared, job.caller.as_deref(), &job.task, &subject, place)?;
            return delete(&lambda, leftover).await;
        }
        _ => job.after.as_ref().map_or("", |resource| resource.kind),
    };
    let Some(after) = &job.after else {
        return Err("Internal error: the template doesn't have this resource".to_owned());
    };
    let properties = |resource: &Resource| -> Map<String, Value> {
        match resolve(&resource.to_json(), &job.siblings, place) {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    };
    let (new, old) = (properties(after), job.before.as_ref().map(properties).unwrap_or_default());
    let is_new = matches!(job.task, Task::Create(_) | Task::Replace(_));
    let role = match job.physical_id.clone().filter(|_| !is_new) {
        Some(role) => role,
        None => generated(&job.stack_name, after.logical_id),
    };
    let name = if kind == "AWS::IAM::Role" { &role } else { text(&new, "FunctionName") };
    let subject = Subject { kind, name, properties: &new };
    rights::check(shared, job.caller.as_deref(), &job.task, &subject, place)?;
    match (&job.task, kind) {
        (Task::Create(_) | Task::Replace(_), "AWS::IAM::Role") => Ok(Done { physical_id: Some(role), function: None }),
        (Task::Create(_) | Task::Replace(_), "AWS::Lambda::Function") => create_function(&lambda, job, &new).await,
        (Task::Create(_) | Task::Replace(_), "AWS::Lambda::Permission") => permit(&lambda, job, &new).await,
        (Task::Update(_), "AWS::Lambda::Function") => {
            update_function(&lambda, job, &old, &new, place).await?;
            Ok(Done::default())
        }
        // A role is remembered by the stack alone, and a permission is always replaced.
        _ => Ok(Done::default()),
    }
}

/// A generated name: the stack's, the resource's, and something unique, within the 64 characters that IAM allows.
fn generated(stack: &str, logical_id: &str) -> String {
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    format!("{}-{}-{}", cut(stack, 25).trim_end_matches('-'), cut(logical_id, 24), unique(12))
}

fn unique(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(length).collect()
}

fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> &'a str {
    properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The tags of a function: the template's own, the stack's, and the service's.
fn tags(job: &Job, properties: &Map<String, Value>, stack: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let own = own.map(|tag| (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default()));
    let mut tags: BTreeMap<String, String> = own.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    tags.extend(stack.clone());
    tags.insert("aws:cloudformation:stack-name".to_owned(), job.stack_name.clone());
    tags.insert("aws:cloudformation:stack-id".to_owned(), job.stack_id.clone());
    tags.insert("aws:cloudformation:logical-id".to_owned(), job.task.logical_id().to_owned());
    tags
}

/// The code that a template's property names.
fn zip_of(properties: &Map<String, Value>) -> Option<String> {
    let key = properties.get("Code")?.get("S3Key")?.as_str()?;
    let code = [Code::First, Code::Second].into_iter().find(|code| code.package().key == key)?;
    Some(STANDARD.encode(code.package().zip.as_slice()))
}

/// That a function's network doesn't exist: ids that begin with `subnet-invalid` or `sg-invalid` never do.
fn check_network(properties: &Map<String, Value>) -> Result<(), String> {
    let kinds = [
        ("SubnetIds", "subnet-invalid", "DescribeSubnets", "InvalidSubnetID.NotFound", "subnet ID"),
        ("SecurityGroupIds", "sg-invalid", "DescribeSecurityGroups", "InvalidGroup.NotFound", "security group"),
    ];
    for (member, prefix, operation, code, what) in kinds {
        let ids = properties.get("VpcConfig").and_then(|vpc| vpc.get(member)).and_then(Value::as_array);
        let mut ids = ids.into_iter().flatten().filter_map(Value::as_str);
        if let Some(id) = ids.find(|id| id.starts_with(prefix)) {
            let message = format!(
                "Error occurred while {operation}. EC2 Error Code: {code}. EC2 Error Message: The {what} '{id}' does \
                 not exist"
            );
            return Err(reason(&ApiError::new(400, "InvalidParameterValueException", message)));
        }
    }
    Ok(())
}

async fn create_function(lambda: &Lambda<'_>, job: &Job, new: &Map<String, Value>) -> Result<Done, String> {
    check_network(new)?;
    let name = text(new, "FunctionName");
    let mut body: Map<String, Value> = new
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "Code" | "Tags"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    body.insert("Code".to_owned(), json!({"ZipFile": zip_of(new).unwrap_or_default()}));
    body.insert("Tags".to_owned(), json!(tags(job, new, &job.tags_after)));
    let done = Done { physical_id: Some(name.to_owned()), function: None };
    match lambda.call("POST", &["2015-03-31", "functions"], &[], &body.into()).await {
        Ok(_) => {}
        Err(error) if error.code == "ResourceConflictException" => {
            // Ours already, where the sandbox was stopped between making it and remembering that.
            return if lambda.is_of(job, name).await {
                lambda.settled(name).await.map(|()| done)
            } else {
                Err(lambda.taken(name))
            };
        }
        Err(error) => return Err(reason(&error)),
    }
    lambda.settled(name).await?;
    Ok(done)
}

async fn update_function(
    lambda: &Lambda<'_>,
    job: &Job,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    place: Place<'_>,
) -> Result<(), String> {
    let Some(name) = job.physical_id.as_deref() else { return Ok(()) };
    let changed = |property: &str| old.get(property) != new.get(property);
    check_network(new)?;
    // Only what the template says otherwise now: the rest stays as other hands left it.
    if changed("Code") {
        let body = json!({"ZipFile": zip_of(new).unwrap_or_default()});
        lambda.edit(name, "code", &body).await?;
    }
    let mut body = Map::new();
    for property in ["Description", "Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout", "VpcConfig"] {
        if changed(property) {
            let gone =
                if property == "VpcConfig" { json!({"SubnetIds": [], "SecurityGroupIds": []}) } else { Value::Null };
            body.insert(property.to_owned(), new.get(property).cloned().unwrap_or(gone));
        }
    }
    if !body.is_empty() {
        lambda.edit(name, "configuration", &body.into()).await?;
    }
    let (before, after) = (tags(job, old, &job.tags_before), tags(job, new, &job.tags_after));
    let set: BTreeMap<_, _> = after.iter().filter(|(key, value)| before.get(*key) != Some(*value)).collect();
    let gone: Vec<_> = before.keys().filter(|key| !after.contains_key(*key)).map(String::as_str).collect();
    let arn = place.function_arn(name);
    if !gone.is_empty() {
        let keys: Vec<_> = gone.iter().map(|key| ("tagKeys", *key)).collect();
        lambda.call("DELETE", &["2017-03-31", "tags", &arn], &keys, &Value::Null).await.map_err(|e| reason(&e))?;
    }
    if !set.is_empty() {
        let body = json!({"Tags": set});
        lambda.call("POST", &["2017-03-31", "tags", &arn], &[], &body).await.map_err(|e| reason(&e))?;
    }
    Ok(())
}

async fn permit(lambda: &Lambda<'_>, job: &Job, new: &Map<String, Value>) -> Result<Done, String> {
    let function = text(new, "FunctionName");
    let stack: String = job.stack_name.chars().take(60).collect();
    let id = format!("{stack}-{}-{}", job.task.logical_id(), unique(13));
    let body = json!({"StatementId": id, "Action": text(new, "Action"), "Principal": text(new, "Principal")});
    let path = ["2015-03-31", "functions", function, "policy"];
    lambda.call("POST", &path, &[], &body).await.map_err(|error| reason(&error))?;
    Ok(Done { physical_id: Some(id), function: Some(function.to_owned()) })
}

async fn delete(lambda: &Lambda<'_>, leftover: &Leftover) -> Result<Done, String> {
    let Some(id) = leftover.physical_id.as_deref() else { return Ok(Done::default()) };
    let result = match (leftover.kind.as_str(), leftover.function.as_deref()) {
        ("AWS::Lambda::Function", _) => {
            lambda.call("DELETE", &["2015-03-31", "functions", id], &[], &Value::Null).await
        }
        ("AWS::Lambda::Permission", Some(function)) => {
            lambda.call("DELETE", &["2015-03-31", "functions", function, "policy", id], &[], &Value::Null).await
        }
        _ => return Ok(Done::default()),
    };
    match result {
        Ok(_) => Ok(Done::default()),
        // Somebody deleted it by hand: it is gone, which was the aim.
        Err(error) if error.code == "ResourceNotFoundException" => Ok(Done::default()),
        Err(error) => Err(reason(&error)),
    }
}

/// Lambda, as this stack calls it.
struct Lambda<'a> {
    shared: &'a Arc<Shared>,
    scope: &'a Scope,
    stack: &'a str,
}

impl Lambda<'_> {
    async fn call(&self, method: &str, path: &[&str], query: &[(&str, &str)], body: &Value) -> Result<Value, ApiError> {
        let encoded: Vec<_> = path.iter().map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()).collect();
        let path = format!("/{}", encoded.join("/"));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = RestRequest::new(method, &path, &query, HeaderMap::new(), Bytes::from(bytes));
        let operation = lambda::operation(&request).ok_or_else(|| {
            ApiError::not_served(Service::Lambda, &format!("{method} /{}", request.segments.join("/")))
        })?;
        let decoded = request.segments.join("/");
        let meant = |part: &str| part == PRINCIPAL || decoded.contains(part) || body.to_string().contains(part);
        let fault = self.shared.faults().take(Service::Lambda, operation, Signer::default(), meant).unwrap_or_default();
        self.shared.faults().wait(&fault).await;
        let failure = fault.is_failure().then(|| {
            fault.error.clone().unwrap_or_else(|| ApiError::internal(Service::Lambda, "The connection was closed."))
        });
        if let (When::Before, Some(failure)) = (fault.when, failure.clone()) {
            return Err(failure);
        }
        let call = Call {
            service: Service::Lambda,
            operation: operation.to_owned(),
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            access_key: String::new(),
            principal: PRINCIPAL.to_owned(),
            now: self.shared.now(),
        };
        let response = lambda::handle(self.shared, &call, request).await?;
        if let Some(lost) = failure {
            return Err(lost);
        }
        Ok(serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    /// Changes a function's code or configuration, once it lets itself be changed, and waits until it has settled.
    async fn edit(&self, name: &str, what: &str, body: &Value) -> Result<(), String> {
        // Whether an earlier change failed is no matter: this one may repair it.
        self.idle(name).await?;
        let path = ["2015-03-31", "functions", name, what];
        self.call("PUT", &path, &[], body).await.map_err(|error| reason(&error))?;
        self.settled(name).await
    }

    /// Waits until nothing is under way with a function, and well ended.
    async fn settled(&self, name: &str) -> Result<(), String> {
        let found = self.idle(name).await?;
        let member = |name: &str| found[name].as_str().unwrap_or_default();
        for (status, why) in [("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")] {
            if member(status) == "Failed" {
                let why = Some(member(why)).filter(|why| !why.is_empty());
                return Err(handler(why.unwrap_or("The function did not stabilize"), "NotStabilized"));
            }
        }
        Ok(())
    }

    /// Waits until nothing is under way with a function; its configuration then.
    async fn idle(&self, name: &str) -> Result<Value, String> {
        for _ in 0..POLLS {
            let path = ["2015-03-31", "functions", name, "configuration"];
            let found = self.call("GET", &path, &[], &Value::Null).await.map_err(|error| reason(&error))?;
            if found["State"] != "Pending" && found["LastUpdateStatus"] != "InProgress" {
                return Ok(found);
            }
            self.shared.sleep(POLL).await;
            // A wait that is scaled to nothing must still let the function settle.
            tokio::task::yield_now().await;
        }
        Err(handler("Exceeded attempts to wait", "NotStabilized"))
    }

    /// Whether a function carries the tags of this resource.
    async fn is_of(&self, job: &Job, name: &str) -> bool {
        let found = self.call("GET", &["2015-03-31", "functions", name], &[], &Value::Null).await.unwrap_or_default();
        found["Tags"]["aws:cloudformation:stack-id"].as_str() == Some(&job.stack_id)
            && found["Tags"]["aws:cloudformation:logical-id"].as_str() == Some(job.task.logical_id())
            && job.physical_id.as_deref() != Some(name)
    }

    /// Why a name can't be used.
    fn taken(&self, name: &str) -> String {
        let owner = self.shared.read(&self.scope.account, &self.scope.region, |region| {
            let owner = region.stacks.owner("AWS::Lambda::Function", name);
            owner.filter(|owner| owner.id != self.stack).map(|owner| owner.id.clone())
        });
        match owner {
            Some(stack) => format!("{name} already exists in stack {stack}"),
            None => format!("{name} already exists"),
        }
    }
}

const PRINCIPAL: &str = "cloudformation.amazonaws.com";

/// An error of Lambda's, as it shows in a stack's events.
fn reason(error: &ApiError) -> String {
    let code = match error.code.as_str() {
        "ResourceNotFoundException" => "NotFound",
        "ResourceConflictException" => "ResourceConflict",
        "TooManyRequestsException" | "ThrottlingException" => "Throttling",
        "InvalidParameterValueException" | "ValidationException" => "InvalidRequest",
        "AccessDeniedException" => "AccessDenied",
        _ if error.status >= 500 => "ServiceInternalError",
        _ => "GeneralServiceException",
    };
    let id = uuid::Uuid::new_v4();
    handler(&format!("{} (Service: Lambda, Status Code: {}, Request ID: {id})", error.message, error.status), code)
}

fn handler(message: &str, code: &str) -> String {
    format!(
        "Resource handler returned message: \"{message}\" (RequestToken: {}, HandlerErrorCode: {code})",
        uuid::Uuid::new_v4()
    )
}
