//! The rights that a stack's resources need, in the name of who asked for the stack's operation.
//!
//! They are those that the resource types' published schemas list for each of their handlers, but for properties that no application
//! here sets. AWS may do without some of them; a policy that lacks none of these is enough. Each is asked before anything is done.

use serde_json::{Map, Value};

use super::operation::Task;
use super::template::Place;
use crate::needs::{NETWORK, has_network, of_network, of_object};
use crate::rights::{ANYTHING, Refusal};
use crate::service::Shared;
use crate::wire::arn::partition;

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Delete,
}

/// What a type's handlers need: to read, which creating and updating end with, and beside that.
struct Handlers {
    kind: &'static str,
    read: &'static [&'static str],
    create: &'static [&'static str],
    update: &'static [&'static str],
    delete: &'static [&'static str],
}

const TYPES: [Handlers; 3] = [
    Handlers {
        kind: "AWS::IAM::Role",
        read: &["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
        create: &["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole"],
        update: &[
            "iam:UpdateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
        ],
        delete: &[
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:DetachRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:DeleteRole",
        ],
    },
    Handlers {
        kind: "AWS::Lambda::Function",
        read: &[
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetFunctionScalingConfig",
            "lambda:GetRuntimeManagementConfig",
        ],
        create: &["s3:GetObject", "iam:PassRole", "lambda:CreateFunction", "lambda:TagResource"],
        update: &[
            "s3:GetObject",
            "iam:PassRole",
            "lambda:UpdateFunctionConfiguration",
            "lambda:UpdateFunctionCode",
            "lambda:ListTags",
            "lambda:TagResource",
            "lambda:UntagResource",
        ],
        delete: &["lambda:GetFunction", "lambda:DeleteFunction", "ec2:DescribeNetworkInterfaces"],
    },
    Handlers {
        kind: "AWS::Lambda::Permission",
        read: &["lambda:GetPolicy"],
        create: &["lambda:AddPermission"],
        update: &[],
        delete: &["lambda:RemovePermission"],
    },
];

/// A resource that something is done to.
pub(super) struct Subject<'a> {
    /// Its type.
    pub kind: &'a str,
    /// Its name in its service; of a permission, the function's.
    pub name: &'a str,
    /// Its properties; empty where it is deleted.
    pub properties: &'a Map<String, Value>,
}

/// Refuses a task for the first right that is missing; the reason is in the words of the resource's handler.
pub(super) fn check(
    shared: &Shared,
    caller: Option<&str>,
    task: &Task,
    subject: &Subject<'_>,
    place: Place<'_>,
) -> Result<(), String> {
    // Stacks of an earlier version's state don't say who asked.
    let (true, Some(caller)) = (shared.rights().are_held(), caller) else { return Ok(()) };
    let verb = match task {
        Task::Create(_) | Task::Replace(_) => Verb::Create,
        Task::Update(_) | Task::Restore(_) => Verb::Update,
        Task::Delete(_) => Verb::Delete,
    };
    for action in actions(subject, verb) {
        let resource = resource(action, subject, place);
        shared.rights().check(caller, action, &resource).map_err(|refusal| reason(&refusal))?;
    }
    Ok(())
}

fn actions<'a>(subject: &'a Subject<'_>, verb: Verb) -> impl Iterator<Item = &'static str> + 'a {
    let handlers = TYPES.iter().filter(|handlers| handlers.kind == subject.kind);
    let network = verb != Verb::Delete && has_network(subject.properties.get("VpcConfig"));
    let own = handlers.flat_map(move |handlers| match verb {
        Verb::Create => handlers.create.iter().chain(handlers.read),
        Verb::Update => handlers.update.iter().chain(handlers.read),
        Verb::Delete => handlers.delete.iter().chain(&[]),
    });
    own.chain(NETWORK.iter().filter(move |_| network)).copied()
}

fn resource(action: &str, subject: &Subject<'_>, place: Place<'_>) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match action.split_once(':').map_or("", |(service, _)| service) {
        "iam" if subject.kind == "AWS::IAM::Role" => place.role_arn(subject.name),
        "iam" => text(subject.properties.get("Role")),
        "lambda" => place.function_arn(subject.name),
        "s3" => {
            let code = subject.properties.get("Code");
            let part = |name: &str| text(code.and_then(|code| code.get(name)));
            format!("arn:{}:s3:::{}/{}", partition(place.region), part("S3Bucket"), part("S3Key"))
        }
        _ => ANYTHING.to_owned(),
    }
}

/// A refusal as it shows in a stack's events.
fn reason(refusal: &Refusal) -> String {
    let service = refusal.action.split(':').next().unwrap_or_default();
    let (said, service) = match service {
        "s3" => (of_object(&refusal.resource), "Lambda"),
        "ec2" => (of_network(refusal), "Lambda"),
        "iam" => (refusal.to_string(), "Iam"),
        _ => (refusal.to_string(), "Lambda"),
    };
    let (request, token) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    format!(
        "Resource handler returned message: \"{said} (Service: {service}, Status Code: 403, Request ID: {request})\" \
         (RequestToken: {token}, HandlerErrorCode: AccessDenied)"
    )
}
