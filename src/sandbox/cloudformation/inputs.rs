//! The operations that are served, and what their requests may hold, as in the API's model.

use crate::model::Kind::{self, List, Map, Number, OneOf, Structure};
use crate::model::{FLAG, Member, NO_LIMIT, TEXT, matching, optional, pattern, required, text};

const CLIENT_REQUEST_TOKEN: Kind = matching(1, 128, "[a-zA-Z0-9][-a-zA-Z0-9]*");
const STACK_NAME_OR_ID: Kind =
    matching(1, NO_LIMIT, r"([a-zA-Z][-a-zA-Z0-9]*)|(arn:\b(aws|aws-us-gov|aws-cn)\b:[-a-zA-Z0-9:/._+]*)");
const ROLE_ARN: Kind = text(20, 2048);
const TEMPLATE_BODY: Kind = text(1, NO_LIMIT);
const TEMPLATE_URL: Kind = text(1, 5120);
const PARAMETERS: Kind = List(
    0,
    NO_LIMIT,
    &Structure(&[
        optional("ParameterKey", TEXT),
        optional("ParameterValue", TEXT),
        optional("UsePreviousValue", FLAG),
        optional("ResolvedValue", TEXT),
    ]),
);
const CAPABILITIES: Kind =
    List(0, NO_LIMIT, &OneOf(&["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]));
const RESOURCE_TYPE: Kind = text(1, 256);
const RESOURCE_TYPES: Kind = List(0, NO_LIMIT, &RESOURCE_TYPE);
const ROLLBACK_CONFIGURATION: Kind = Structure(&[
    optional("RollbackTriggers", List(0, 5, &Structure(&[required("Arn", TEXT), required("Type", TEXT)]))),
    optional("MonitoringTimeInMinutes", Number(0, 180)),
]);
const NOTIFICATIONS: Kind = List(0, 5, &TEXT);
const TAGS: Kind = List(0, 50, &Structure(&[required("Key", text(1, 128)), required("Value", text(1, 256))]));
const DEPLOYMENT_CONFIG: Kind =
    Structure(&[optional("Mode", OneOf(&["STANDARD", "EXPRESS"])), optional("DisableRollback", FLAG)]);
const CHANGE_SET_NAME_OR_ID: Kind = matching(1, 1600, "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*");
const NEXT_TOKEN: Kind = text(1, 1024);
const PAGED: &[Member] = &[required("StackName", TEXT), optional("NextToken", NEXT_TOKEN)];

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    ("CancelUpdateStack", &[required("StackName", TEXT), optional("ClientRequestToken", CLIENT_REQUEST_TOKEN)]),
    (
        "ContinueUpdateRollback",
        &[
            required("StackName", STACK_NAME_OR_ID),
            optional("RoleARN", ROLE_ARN),
            optional(
                "ResourcesToSkip",
                List(0, NO_LIMIT, &pattern(r"[a-zA-Z0-9]+|[a-zA-Z][-a-zA-Z0-9]*\.[a-zA-Z0-9]+")),
            ),
            optional("ClientRequestToken", CLIENT_REQUEST_TOKEN),
            optional("ForceRollback", FLAG),
        ],
    ),
    (
        "CreateChangeSet",
        &[
            required("StackName", STACK_NAME_OR_ID),
            optional("TemplateBody", TEMPLATE_BODY),
            optional("TemplateURL", TEMPLATE_URL),
            optional("UsePreviousTemplate", FLAG),
            optional("Parameters", PARAMETERS),
            optional("Capabilities", CAPABILITIES),
            optional("ResourceTypes", RESOURCE_TYPES),
            optional("RoleARN", ROLE_ARN),
            optional("RollbackConfiguration", ROLLBACK_CONFIGURATION),
            optional("NotificationARNs", NOTIFICATIONS),
            optional("Tags", TAGS),
            required("ChangeSetName", matching(1, 128, "[a-zA-Z][-a-zA-Z0-9]*")),
            optional("ClientToken", text(1, 128)),
            optional("Description", text(1, 1024)),
            optional("ChangeSetType", OneOf(&["CREATE", "UPDATE", "IMPORT"])),
            optional(
                "ResourcesToImport",
                List(
                    0,
                    200,
                    &Structure(&[
                        required("ResourceType", RESOURCE_TYPE),
                        required("LogicalResourceId", TEXT),
                        required("ResourceIdentifier", Map(1, 256, &text(1, 2048), &text(1, 2048))),
                    ]),
                ),
            ),
            optional("IncludeNestedStacks", FLAG),
            optional("OnStackFailure", OneOf(&["DO_NOTHING", "ROLLBACK", "DELETE"])),
            optional("ImportExistingResources", FLAG),
            optional("DeploymentMode", OneOf(&["REVERT_DRIFT"])),
            optional("DeploymentConfig", DEPLOYMENT_CONFIG),
            optional("DisableValidation", FLAG),
        ],
    ),
    ("DeleteChangeSet", &[required("ChangeSetName", CHANGE_SET_NAME_OR_ID), optional("StackName", STACK_NAME_OR_ID)]),
    (
        "DeleteStack",
        &[
            required("StackName", TEXT),
            optional("RetainResources", List(0, NO_LIMIT, &TEXT)),
            optional("RoleARN", ROLE_ARN),
            optional("ClientRequestToken", CLIENT_REQUEST_TOKEN),
            optional("DeletionMode", OneOf(&["STANDARD", "FORCE_DELETE_STACK"])),
            optional("DeploymentConfig", DEPLOYMENT_CONFIG),
        ],
    ),
    (
        "DescribeChangeSet",
        &[
            required("ChangeSetName", CHANGE_SET_NAME_OR_ID),
            optional("StackName", STACK_NAME_OR_ID),
            optional("NextToken", NEXT_TOKEN),
            optional("IncludePropertyValues", FLAG),
        ],
    ),
    (
        "DescribeEvents",
        &[
            optional("StackName", STACK_NAME_OR_ID),
            optional("ChangeSetName", CHANGE_SET_NAME_OR_ID),
            optional("OperationId", TEXT),
            optional("Filters", Structure(&[optional("FailedEvents", FLAG)])),
            optional("NextToken", NEXT_TOKEN),
        ],
    ),
    ("DescribeStackEvents", PAGED),
    ("DescribeStackResource", &[required("StackName", TEXT), required("LogicalResourceId", TEXT)]),
    (
        "DescribeStackResources",
        &[optional("StackName", TEXT), optional("LogicalResourceId", TEXT), optional("PhysicalResourceId", TEXT)],
    ),
    ("DescribeStacks", &[optional("StackName", TEXT), optional("NextToken", NEXT_TOKEN)]),
    (
        "ExecuteChangeSet",
        &[
            required("ChangeSetName", CHANGE_SET_NAME_OR_ID),
            optional("StackName", STACK_NAME_OR_ID),
            optional("ClientRequestToken", CLIENT_REQUEST_TOKEN),
            optional("DisableRollback", FLAG),
            optional("RetainExceptOnCreate", FLAG),
        ],
    ),
    (
        "GetTemplate",
        &[
            optional("StackName", TEXT),
            optional("ChangeSetName", CHANGE_SET_NAME_OR_ID),
            optional("TemplateStage", OneOf(&["Original", "Processed"])),
        ],
    ),
    ("ListChangeSets", &[required("StackName", STACK_NAME_OR_ID), optional("NextToken", NEXT_TOKEN)]),
    ("ListExports", &[optional("NextToken", NEXT_TOKEN)]),
    ("ListStackResources", PAGED),
    (
        "ListStacks",
        &[
            optional("NextToken", NEXT_TOKEN),
            optional(
                "StackStatusFilter",
                List(
                    0,
                    NO_LIMIT,
                    &OneOf(&[
                        "CREATE_IN_PROGRESS",
                        "CREATE_FAILED",
                        "CREATE_COMPLETE",
                        "ROLLBACK_IN_PROGRESS",
                        "ROLLBACK_FAILED",
                        "ROLLBACK_COMPLETE",
                        "DELETE_IN_PROGRESS",
                        "DELETE_FAILED",
                        "DELETE_COMPLETE",
                        "UPDATE_IN_PROGRESS",
                        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                        "UPDATE_COMPLETE",
                        "UPDATE_FAILED",
                        "UPDATE_ROLLBACK_IN_PROGRESS",
                        "UPDATE_ROLLBACK_FAILED",
                        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                        "UPDATE_ROLLBACK_COMPLETE",
                        "REVIEW_IN_PROGRESS",
                        "IMPORT_IN_PROGRESS",
                        "IMPORT_COMPLETE",
                        "IMPORT_ROLLBACK_IN_PROGRESS",
                        "IMPORT_ROLLBACK_FAILED",
                        "IMPORT_ROLLBACK_COMPLETE",
                    ]),
                ),
            ),
        ],
    ),
    (
        "UpdateStack",
        &[
            required("StackName", TEXT),
            optional("TemplateBody", TEMPLATE_BODY),
            optional("TemplateURL", TEMPLATE_URL),
            optional("UsePreviousTemplate", FLAG),
            optional("StackPolicyDuringUpdateBody", text(1, 16_384)),
            optional("StackPolicyDuringUpdateURL", text(1, 5120)),
            optional("Parameters", PARAMETERS),
            optional("Capabilities", CAPABILITIES),
            optional("ResourceTypes", RESOURCE_TYPES),
            optional("RoleARN", ROLE_ARN),
            optional("RollbackConfiguration", ROLLBACK_CONFIGURATION),
            optional("StackPolicyBody", text(1, 16_384)),
            optional("StackPolicyURL", text(1, 5120)),
            optional("NotificationARNs", NOTIFICATIONS),
            optional("Tags", TAGS),
            optional("DisableRollback", FLAG),
            optional("ClientRequestToken", CLIENT_REQUEST_TOKEN),
            optional("RetainExceptOnCreate", FLAG),
            optional("DeploymentConfig", DEPLOYMENT_CONFIG),
            optional("DisableValidation", FLAG),
        ],
    ),
    (
        "UpdateTerminationProtection",
        &[required("EnableTerminationProtection", FLAG), required("StackName", STACK_NAME_OR_ID)],
    ),
];
