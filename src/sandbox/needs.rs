//! Which rights a call asks for: its own action on what it names, and what the service does in its caller's name before it answers.
//!
//! What `CloudFormation` does for a stack's resources comes later, and is asked there ([`super::cloudformation`]).
//! Where AWS's Service Authorization Reference lists no resource for an action, it is asked on `*`.

use serde_json::{Map, Value};

use super::call::Call;
use super::lambda;
use super::rights::{ANYTHING, Refusal};
use super::service::Shared;
use super::services::Service;
use super::wire::ApiError;
use super::wire::arn::{Arn, partition};
use super::wire::query::Query;
use super::wire::rest::RestRequest;

/// The application repository's bucket with the templates of change sets, as far as its name is fixed, and an object in it.
const TEMPLATE: &str = "awsserverlessrepo-changesets-sandbox/template";

/// What `CloudFormation` says of a template that it may not fetch in the caller's name.
const NO_TEMPLATE: &str = "S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";

/// A request, as its service's protocol reads it.
pub enum Request<'a> {
    /// JSON 1.1.
    Json(Map<String, Value>),
    /// A form.
    Query(&'a Query),
    /// A path, and a body in JSON.
    Rest(&'a RestRequest),
}

/// An action on a resource, and how its refusal is said.
struct Need {
    action: String,
    resource: String,
    words: Words,
}

/// In whose words a refusal comes.
#[derive(Clone, Copy)]
enum Words {
    /// The called service's own.
    Own,
    /// Lambda's, about what EC2 refused it.
    Network,
    /// Lambda's, about an object that S3 refused it.
    Object,
    /// `CloudFormation`'s, about a template that S3 refused it; handed on by the repository.
    Template,
}

/// Refuses a call for the first right that is missing.
pub fn check(shared: &Shared, call: &Call, request: &Request<'_>) -> Result<(), ApiError> {
    let needs = match (call.service, request) {
        (Service::SecretsManager, Request::Json(body)) => of_secrets(shared, call, body),
        (Service::Logs, Request::Json(body)) => of_logs(call, body),
        // Events belong to no resource.
        (Service::CloudTrail, _) => vec![Need::own(call, ANYTHING)],
        (Service::CloudFormation, Request::Query(query)) => of_stacks(shared, call, query),
        (Service::Sts, Request::Query(query)) => of_sessions(call, query),
        (Service::Lambda, Request::Rest(rest)) => of_functions(call, rest)?,
        (Service::ServerlessRepo, Request::Rest(rest)) => of_applications(shared, call, rest)?,
        // The protocol is the service's, whatever was sent.
        _ => Vec::new(),
    };
    for Need { action, resource, words } in needs {
        let asked = shared.rights().check(&call.principal, &action, &resource);
        asked.map_err(|refusal| said(&refusal, words, call.service))?;
    }
    Ok(())
}

/// Lambda's words about an object that S3 refused it in its caller's name.
pub(super) fn of_object(resource: &str) -> String {
    let object = resource.split_once(":::").map_or(resource, |(_, object)| object);
    format!(
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for \
         {object}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
    )
}

/// Lambda's words about what EC2 refused it in its caller's name.
pub(super) fn of_network(refusal: &Refusal) -> String {
    let operation = refusal.action.rsplit(':').next().unwrap_or_default();
    format!(
        "Your access has been denied by EC2, please make sure your request credentials have permission to {operation}. \
         EC2 Error Code: UnauthorizedOperation. EC2 Error Message: You are not authorized to perform this operation. {refusal}"
    )
}

fn said(refusal: &Refusal, words: Words, service: Service) -> ApiError {
    match words {
        Words::Own => refusal.error(service),
        Words::Network => ApiError::new(403, "AccessDeniedException", of_network(refusal)),
        Words::Object => ApiError::new(403, "AccessDeniedException", of_object(&refusal.resource)),
        Words::Template => ApiError::new(400, "BadRequestException", NO_TEMPLATE),
    }
}

impl Need {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), words: Words::Own }
    }

    /// The call's own action.
    fn own(call: &Call, resource: impl Into<String>) -> Self {
        Self::new(format!("{}:{}", call.service.name(), call.operation), resource)
    }

    fn said_as(self, words: Words) -> Self {
        Self { words, ..self }
    }
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

fn of_secrets(shared: &Shared, call: &Call, body: &Map<String, Value>) -> Vec<Need> {
    // What names no secret is about all of them. One that isn't known is asked for as it is named.
    let Some(id) = text(body, "SecretId").or_else(|| text(body, "Name")) else {
        return vec![Need::own(call, ANYTHING)];
    };
    let (arn, attached) = shared.read(&call.account, &call.region, |region| {
        let secret = region.secrets.find(id);
        let attached = secret.and_then(|secret| secret.rotation.as_ref()?.function.clone());
        (secret.map_or_else(|| id.to_owned(), |secret| secret.arn.clone()), attached)
    });
    let mut needs = vec![Need::own(call, arn)];
    if call.operation == "RotateSecret" {
        let function = text(body, "RotationLambdaARN").map(str::to_owned).or(attached);
        needs.extend(function.map(|function| Need::new("lambda:InvokeFunction", function)));
    }
    needs
}

fn of_logs(call: &Call, body: &Map<String, Value>) -> Vec<Need> {
    let group = text(body, "logGroupName");
    let arn = |group: &str| {
        let (partition, Call { region, account, .. }) = (partition(&call.region), call);
        format!("arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:")
    };
    vec![Need::own(call, group.map_or_else(|| ANYTHING.to_owned(), arn))]
}

fn of_sessions(call: &Call, query: &Query) -> Vec<Need> {
    match call.operation.as_str() {
        // Everybody may ask who they are.
        "GetCallerIdentity" => Vec::new(),
        _ => vec![Need::own(call, query.get("RoleArn").unwrap_or(ANYTHING))],
    }
}

/// A stack as policies name it: by its whole ARN where there is one, else by its name.
fn stack_arn(shared: &Shared, call: &Call, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let known = shared.read(&call.account, &call.region, |region| region.stacks.stack(name).map(|one| one.id.clone()));
    known.unwrap_or_else(|| {
        let (partition, Call { region, account, .. }) = (partition(&call.region), call);
        format!("arn:{partition}:cloudformation:{region}:{account}:stack/{name}/*")
    })
}

/// The transform of the applications' templates, which whoever makes a change set of one needs a right to.
fn transform(call: &Call) -> Need {
    let (partition, region) = (partition(&call.region), &call.region);
    let arn = format!("arn:{partition}:cloudformation:{region}:aws:transform/Serverless-2016-10-31");
    Need::new("cloudformation:CreateChangeSet", arn)
}

fn of_stacks(shared: &Shared, call: &Call, query: &Query) -> Vec<Need> {
    // A change set that is named by its ARN is one of a stack.
    let of_change_set = || {
        let id = query.get("ChangeSetName").filter(|name| name.starts_with("arn:"))?;
        shared.read(&call.account, &call.region, |region| {
            Some(region.stacks.change_sets.get(id).map_or_else(|| id.to_owned(), |set| set.stack.clone()))
        })
    };
    let stack = query.get("StackName").map(|name| stack_arn(shared, call, name)).or_else(of_change_set);
    let mut needs = vec![Need::own(call, stack.unwrap_or_else(|| ANYTHING.to_owned()))];
    match call.operation.as_str() {
        "CreateChangeSet" => needs.push(transform(call)),
        // All stacks are described to those who may list them.
        "DescribeStacks" if query.get("StackName").is_none() => {
            needs.push(Need::new("cloudformation:ListStacks", ANYTHING));
        }
        _ => {}
    }
    needs
}

/// An application is a resource of the region of the call, whatever region its ARN names.
fn of_applications(shared: &Shared, call: &Call, request: &RestRequest) -> Result<Vec<Need>, ApiError> {
    let id = request.segments.get(1).map_or(ANYTHING, String::as_str);
    let arn = Arn::parse(id).map_or_else(
        || ANYTHING.to_owned(),
        |arn| format!("arn:{}:serverlessrepo:{}:{}:{}", arn.partition, call.region, arn.account, arn.resource),
    );
    let mut needs = vec![Need::own(call, arn)];
    if call.operation == "CreateCloudFormationChangeSet" {
        let body = request.json()?;
        let name = format!("serverlessrepo-{}", text(&body, "stackName").unwrap_or_default());
        needs.push(Need::new("cloudformation:CreateChangeSet", stack_arn(shared, call, &name)));
        needs.push(transform(call));
        let object = format!("arn:{}:s3:::{TEMPLATE}", partition(&call.region));
        needs.push(Need::new("s3:GetObject", object).said_as(Words::Template));
    }
    Ok(needs)
}

fn of_functions(call: &Call, request: &RestRequest) -> Result<Vec<Need>, ApiError> {
    let body = request.json()?;
    let named = request.segments.get(2).map(String::as_str).or_else(|| text(&body, "FunctionName"));
    let resource = match named {
        // Tags are a resource's, by its ARN.
        Some(arn) if request.segments.get(1).is_some_and(|kind| kind == "tags") => arn.to_owned(),
        Some(name) => lambda::arn_of(call, name, request.parameter("Qualifier"))?,
        None => ANYTHING.to_owned(),
    };
    let mut needs = vec![Need::own(call, resource)];
    needs.extend(text(&body, "Role").map(|role| Need::new("iam:PassRole", role)));
    if has_network(body.get("VpcConfig")) {
        needs.extend(NETWORK.map(|action| Need::new(action, ANYTHING).said_as(Words::Network)));
    }
    let layers = body.get("Layers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    needs.extend(layers.map(|layer| Need::new("lambda:GetLayerVersion", layer)));
    let code = body.get("Code").and_then(Value::as_object).unwrap_or(&body);
    if let (Some(bucket), Some(key)) = (text(code, "S3Bucket"), text(code, "S3Key")) {
        let object = format!("arn:{}:s3:::{bucket}/{key}", partition(&call.region));
        needs.push(Need::new("s3:GetObject", object.clone()).said_as(Words::Object));
        if text(code, "S3ObjectVersion").is_some() {
            needs.push(Need::new("s3:GetObjectVersion", object).said_as(Words::Object));
        }
    }
    Ok(needs)
}

/// What Lambda looks at in its caller's name for a function in a VPC.
pub(super) const NETWORK: [&str; 3] = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];

/// Whether a network is given, and isn't taken away.
pub(super) fn has_network(network: Option<&Value>) -> bool {
    let given = |name: &str| network.and_then(|all| all[name].as_array()).is_some_and(|ids| !ids.is_empty());
    given("SubnetIds") || given("SecurityGroupIds")
}
