//! Properties that people know of other tools, and that nothing here can set: said as such, with the way out.

use super::suggest;

/// What to do about what can't be said of a deployed function.
pub(super) const BY_OTHER_MEANS: &str =
    "make the function by other means (CloudFormation, Terraform), and use it here: `existing: NAME`";

/// Properties of functions that AWS's application neither takes nor leaves to others, by the words of AWS and of other tools.
const UNSAID_OF_FUNCTIONS: [&str; 23] = [
    "tags",
    "role_arn",
    "permissions_boundary",
    "image",
    "image_uri",
    "image_config",
    "package_type",
    "file_system",
    "file_system_config",
    "dead_letter",
    "dead_letter_config",
    "log_retention",
    "retention_in_days",
    "logging",
    "logging_config",
    "log_group",
    "concurrency",
    "reserved_concurrency",
    "reserved_concurrent_executions",
    "snap_start",
    "code_signing",
    "code_signing_config_arn",
    "kms_key",
];

/// Properties of secrets that belong to whoever makes them.
const UNSAID_OF_SECRETS: [&str; 12] = [
    "tags",
    "kms_key",
    "kms_key_id",
    "description",
    "policy",
    "resource_policy",
    "replica",
    "replicas",
    "replica_regions",
    "value",
    "recovery_window",
    "recovery_window_in_days",
];

/// Why a property can't be said of an entry, and the way out.
pub(super) fn unsaid(kind: &str, path: &[&str]) -> Option<(&'static str, &'static str)> {
    let [field] = path else { return None };
    let snake = suggest::snake_case(field);
    match kind {
        "function" if snake == "kms_key_arn" => Some((
            "is a parameter of the application, for the key of the function's secrets",
            "write `application: {parameters: {kmsKeyArn: ARN}}`; a key of its variables can't be said here",
        )),
        "function" if UNSAID_OF_FUNCTIONS.contains(&snake.as_str()) => {
            Some(("can't be said of a function: the application that it is deployed from takes none", BY_OTHER_MEANS))
        }
        "secret" if UNSAID_OF_SECRETS.contains(&snake.as_str()) => Some((
            "isn't said here: rotation alone is managed, and the secret itself is never changed",
            "state it where the secret is made; `labels` are for people, filters and policies, and never sent to AWS",
        )),
        _ => None,
    }
}
