//! The operations that are served, and what their requests may hold, as in the API's model.

use super::input::Kind::{self, Blob, Flag, List, Number, OneOf, Pattern, Structure, Text};
use super::input::{Member, optional, required};

const SECRET_ID: Member = required("SecretId", Text(1, 2048));
const TOKEN: Member = optional("ClientRequestToken", Text(32, 64));
const VERSION_ID: Kind = Text(32, 64);
const STAGE: Kind = Text(1, 256);
const BINARY: Member = optional("SecretBinary", Blob(1, 65_536));
const STRING: Member = optional("SecretString", Text(1, 65_536));
const DESCRIPTION: Member = optional("Description", Text(0, 2048));
const KMS_KEY: Member = optional("KmsKeyId", Text(0, 2048));
const PARTNER: Member = optional("Type", Text(0, 256));
const MAX_RESULTS: Member = optional("MaxResults", Number(1, 100));
const NEXT_TOKEN: Member = optional("NextToken", Text(1, 4096));
const POLICY: Member = required("ResourcePolicy", Text(1, 20_480));
const TAGS: Kind = List(0, 50, &Structure(&[required("Key", Text(1, 128)), optional("Value", Text(0, 256))]));
const REGION: Kind = Pattern(1, 128, is_region, "^([a-z]+-)+\\d+$");
const REPLICAS: Kind = List(1, 100, &Structure(&[required("Region", REGION), optional("KmsKeyId", Text(0, 2048))]));
const FILTERS: Member = optional(
    "Filters",
    List(
        0,
        10,
        &Structure(&[
            required(
                "Key",
                OneOf(&["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"]),
            ),
            required("Values", List(1, 10, &Pattern(0, 512, is_filter, "^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$"))),
        ]),
    ),
);
const RULES: Kind = Structure(&[
    optional("AutomaticallyAfterDays", Number(1, 1000)),
    optional("Duration", Pattern(2, 3, is_duration, "[0-9]+h")),
    optional("ScheduleExpression", Pattern(1, 256, is_expression, "[0-9A-Za-z\\(\\)#\\?\\*\\-\\/, ]+")),
]);
const METADATA: Kind = List(0, 100, &Structure(&[required("Key", Text(1, 256)), required("Value", Text(1, 2048))]));

/// The members of an operation's request; `None` where it isn't served.
pub fn members(operation: &str) -> Option<&'static [Member]> {
    Some(match operation {
        "BatchGetSecretValue" => {
            const {
                &[
                    optional("SecretIdList", List(1, 20, &Text(1, 2048))),
                    FILTERS,
                    optional("MaxResults", Number(1, 20)),
                    NEXT_TOKEN,
                ]
            }
        }
        "CancelRotateSecret"
        | "DeleteResourcePolicy"
        | "DescribeSecret"
        | "GetResourcePolicy"
        | "RestoreSecret"
        | "StopReplicationToReplica" => const { &[SECRET_ID] },
        "CreateSecret" => {
            const {
                &[
                    required("Name", Text(1, 512)),
                    TOKEN,
                    DESCRIPTION,
                    KMS_KEY,
                    BINARY,
                    STRING,
                    PARTNER,
                    optional("Tags", TAGS),
                    optional("AddReplicaRegions", REPLICAS),
                    optional("ForceOverwriteReplicaSecret", Flag),
                ]
            }
        }
        "DeleteSecret" => {
            const {
                &[
                    SECRET_ID,
                    optional("RecoveryWindowInDays", Number(i64::MIN, i64::MAX)),
                    optional("ForceDeleteWithoutRecovery", Flag),
                ]
            }
        }
        "GetRandomPassword" => {
            const {
                &[
                    optional("PasswordLength", Number(1, 4096)),
                    optional("ExcludeCharacters", Text(0, 4096)),
                    optional("ExcludeNumbers", Flag),
                    optional("ExcludePunctuation", Flag),
                    optional("ExcludeUppercase", Flag),
                    optional("ExcludeLowercase", Flag),
                    optional("IncludeSpace", Flag),
                    optional("RequireEachIncludedType", Flag),
                ]
            }
        }
        "GetSecretValue" => const { &[SECRET_ID, optional("VersionId", VERSION_ID), optional("VersionStage", STAGE)] },
        "ListSecretVersionIds" => const { &[SECRET_ID, MAX_RESULTS, NEXT_TOKEN, optional("IncludeDeprecated", Flag)] },
        "ListSecrets" => {
            const {
                &[
                    optional("IncludePlannedDeletion", Flag),
                    MAX_RESULTS,
                    NEXT_TOKEN,
                    FILTERS,
                    optional("SortOrder", OneOf(&["asc", "desc"])),
                    optional("SortBy", OneOf(&["created-date", "last-accessed-date", "last-changed-date", "name"])),
                ]
            }
        }
        "PutResourcePolicy" => const { &[SECRET_ID, POLICY, optional("BlockPublicPolicy", Flag)] },
        "PutSecretValue" => {
            const {
                &[
                    SECRET_ID,
                    TOKEN,
                    BINARY,
                    STRING,
                    optional("VersionStages", List(1, 20, &STAGE)),
                    optional("RotationToken", Pattern(36, 256, is_rotation_token, "^[a-zA-Z0-9\\-]+$")),
                ]
            }
        }
        "RemoveRegionsFromReplication" => {
            const { &[SECRET_ID, required("RemoveReplicaRegions", List(1, 100, &REGION))] }
        }
        "ReplicateSecretToRegions" => {
            const { &[SECRET_ID, required("AddReplicaRegions", REPLICAS), optional("ForceOverwriteReplicaSecret", Flag)] }
        }
        "RotateSecret" => {
            const {
                &[
                    SECRET_ID,
                    TOKEN,
                    optional("RotationLambdaARN", Text(0, 2048)),
                    optional("RotationRules", RULES),
                    optional("ExternalSecretRotationMetadata", METADATA),
                    optional("ExternalSecretRotationRoleArn", Text(20, 2048)),
                    optional("RotateImmediately", Flag),
                ]
            }
        }
        "TagResource" => const { &[SECRET_ID, required("Tags", TAGS)] },
        "UntagResource" => const { &[SECRET_ID, required("TagKeys", List(0, 50, &Text(1, 128)))] },
        "UpdateSecret" => const { &[SECRET_ID, TOKEN, DESCRIPTION, KMS_KEY, BINARY, STRING, PARTNER] },
        "UpdateSecretVersionStage" => {
            const {
                &[
                    SECRET_ID,
                    required("VersionStage", STAGE),
                    optional("RemoveFromVersionId", VERSION_ID),
                    optional("MoveToVersionId", VERSION_ID),
                ]
            }
        }
        "ValidateResourcePolicy" => const { &[optional("SecretId", Text(1, 2048)), POLICY] },
        _ => return None,
    })
}

fn is_region(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    number && !parts.is_empty() && parts.iter().all(word)
}

fn is_filter(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b" :_@/+=.-!".contains(&b))
}

fn is_duration(text: &str) -> bool {
    text.strip_suffix('h').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_expression(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"()#?*-/, ".contains(&b))
}

fn is_rotation_token(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
