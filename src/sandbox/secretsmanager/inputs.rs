//! The operations that are served, and what their requests may hold: as in the API's model. What the service demands beyond
//! that, such as the keys of tags, its handlers refuse.

use crate::model::Kind::{self, Blob, List, Number, OneOf, Secret, Structure};
use crate::model::{FLAG, Member, NO_LIMIT, NUMBER, matching, optional, required, text};

const SECRET_ID: Member = required("SecretId", text(1, 2048));
const TOKEN: Member = optional("ClientRequestToken", text(32, 64));
const VERSION_ID: Kind = text(32, 64);
const STAGE: Kind = text(1, 256);
const BINARY: Member = optional("SecretBinary", Secret(&Blob(1, 65_536)));
const STRING: Member = optional("SecretString", Secret(&text(1, 65_536)));
const DESCRIPTION: Member = optional("Description", text(0, 2048));
const KMS_KEY: Member = optional("KmsKeyId", text(0, 2048));
const PARTNER: Member = optional("Type", text(0, 256));
const MAX_RESULTS: Member = optional("MaxResults", Number(1, 100));
const NEXT_TOKEN: Member = optional("NextToken", text(1, 4096));
const POLICY: Member = required("ResourcePolicy", text(1, 20_480));
const POLICY_NAME: Member = optional("PolicyName", matching(1, 64, r"[0-9A-Za-z\-\_]+"));
const TAGS: Kind = List(0, NO_LIMIT, &Structure(&[optional("Key", text(1, 128)), optional("Value", text(0, 256))]));
const REGION: Kind = matching(1, 128, r"^([a-z]+-)+\d+$");
const REPLICAS: Kind =
    List(1, NO_LIMIT, &Structure(&[optional("Region", REGION), optional("KmsKeyId", text(0, 2048))]));
const FILTERS: Member = optional(
    "Filters",
    List(
        0,
        10,
        &Structure(&[
            optional(
                "Key",
                OneOf(&["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"]),
            ),
            optional("Values", List(1, 10, &matching(0, 512, r"^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$"))),
        ]),
    ),
);
const RULES: Kind = Structure(&[
    optional("AutomaticallyAfterDays", Number(1, 1000)),
    optional("Duration", matching(2, 3, r"[0-9]+h")),
    optional("ScheduleExpression", matching(1, 256, r"[0-9A-Za-z\(\)#\?\*\-\/, ]+")),
]);
const METADATA: Kind =
    List(0, NO_LIMIT, &Structure(&[optional("Key", text(1, 256)), optional("Value", text(1, 2048))]));

const ONE_SECRET: &[Member] = &[SECRET_ID];
const ONE_POLICY: &[Member] = &[SECRET_ID, POLICY_NAME];

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    (
        "BatchGetSecretValue",
        &[
            optional("SecretIdList", List(1, 20, &text(1, 2048))),
            FILTERS,
            optional("MaxResults", Number(1, 20)),
            NEXT_TOKEN,
        ],
    ),
    ("CancelRotateSecret", ONE_SECRET),
    (
        "CreateSecret",
        &[
            required("Name", text(1, 512)),
            TOKEN,
            DESCRIPTION,
            KMS_KEY,
            BINARY,
            STRING,
            PARTNER,
            optional("Tags", TAGS),
            optional("AddReplicaRegions", REPLICAS),
            optional("ForceOverwriteReplicaSecret", FLAG),
            optional("CrossAccountPrimaryARN", text(20, 2048)),
        ],
    ),
    ("DeleteResourcePolicy", ONE_POLICY),
    (
        "DeleteSecret",
        &[SECRET_ID, optional("RecoveryWindowInDays", NUMBER), optional("ForceDeleteWithoutRecovery", FLAG)],
    ),
    ("DescribeSecret", ONE_SECRET),
    (
        "GetRandomPassword",
        &[
            optional("PasswordLength", Number(1, 4096)),
            optional("ExcludeCharacters", text(0, 4096)),
            optional("ExcludeNumbers", FLAG),
            optional("ExcludePunctuation", FLAG),
            optional("ExcludeUppercase", FLAG),
            optional("ExcludeLowercase", FLAG),
            optional("IncludeSpace", FLAG),
            optional("RequireEachIncludedType", FLAG),
        ],
    ),
    ("GetResourcePolicy", ONE_POLICY),
    ("GetSecretValue", &[SECRET_ID, optional("VersionId", VERSION_ID), optional("VersionStage", STAGE)]),
    ("ListSecretVersionIds", &[SECRET_ID, MAX_RESULTS, NEXT_TOKEN, optional("IncludeDeprecated", FLAG)]),
    (
        "ListSecrets",
        &[
            optional("IncludePlannedDeletion", FLAG),
            MAX_RESULTS,
            NEXT_TOKEN,
            FILTERS,
            optional("SortOrder", OneOf(&["asc", "desc"])),
            optional("SortBy", OneOf(&["created-date", "last-accessed-date", "last-changed-date", "name"])),
        ],
    ),
    ("PutResourcePolicy", &[SECRET_ID, POLICY, POLICY_NAME, optional("BlockPublicPolicy", FLAG)]),
    (
        "PutSecretValue",
        &[
            SECRET_ID,
            TOKEN,
            BINARY,
            STRING,
            optional("VersionStages", List(1, 20, &STAGE)),
            optional("RotationToken", Secret(&matching(36, 256, r"^[a-zA-Z0-9\-]+$"))),
        ],
    ),
    ("RemoveRegionsFromReplication", &[SECRET_ID, required("RemoveReplicaRegions", List(1, NO_LIMIT, &REGION))]),
    (
        "ReplicateSecretToRegions",
        &[SECRET_ID, required("AddReplicaRegions", REPLICAS), optional("ForceOverwriteReplicaSecret", FLAG)],
    ),
    ("RestoreSecret", ONE_SECRET),
    (
        "RotateSecret",
        &[
            SECRET_ID,
            TOKEN,
            optional("RotationLambdaARN", text(0, 2048)),
            optional("RotationRules", RULES),
            optional("ExternalSecretRotationMetadata", METADATA),
            optional("ExternalSecretRotationRoleArn", text(20, 2048)),
            optional("RotateImmediately", FLAG),
        ],
    ),
    ("StopReplicationToReplica", ONE_SECRET),
    ("TagResource", &[SECRET_ID, required("Tags", TAGS)]),
    ("UntagResource", &[SECRET_ID, required("TagKeys", List(0, NO_LIMIT, &text(1, 128)))]),
    ("UpdateSecret", &[SECRET_ID, TOKEN, DESCRIPTION, KMS_KEY, BINARY, STRING, PARTNER]),
    (
        "UpdateSecretVersionStage",
        &[
            SECRET_ID,
            required("VersionStage", STAGE),
            optional("RemoveFromVersionId", VERSION_ID),
            optional("MoveToVersionId", VERSION_ID),
        ],
    ),
    ("ValidateResourcePolicy", &[optional("SecretId", text(1, 2048)), POLICY]),
];
