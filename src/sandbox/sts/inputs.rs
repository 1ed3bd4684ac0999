//! The operations that are served, and what their requests may hold, as in the API's model.

use crate::model::Kind::{self, List, Number, Secret, Structure};
use crate::model::{Member, NO_LIMIT, matching, optional, required, text};

const ARN: Kind =
    matching(20, 2048, r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+");
const ROLE_SESSION_NAME: Kind = matching(2, 64, r"[\w+=,.@-]*");
const POLICY_ARNS: Kind = List(0, NO_LIMIT, &Structure(&[optional("arn", ARN)]));
const DURATION_SECONDS: Kind = Number(900, 43_200);
const TAG_KEY: Kind = matching(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+");
const MINIMUM_SESSION_TOKEN_SIZE: Kind = Number(0, 4096);

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    (
        "AssumeRole",
        &[
            required("RoleArn", ARN),
            required("RoleSessionName", ROLE_SESSION_NAME),
            optional("PolicyArns", POLICY_ARNS),
            optional("Policy", matching(1, NO_LIMIT, r"[\u0009\u000A\u000D\u0020-\u00FF]+")),
            optional("DurationSeconds", DURATION_SECONDS),
            optional(
                "Tags",
                List(
                    0,
                    50,
                    &Structure(&[
                        required("Key", TAG_KEY),
                        required("Value", matching(0, 256, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")),
                    ]),
                ),
            ),
            optional("TransitiveTagKeys", List(0, 50, &TAG_KEY)),
            optional("ExternalId", matching(2, 1224, r"[\w+=,.@:\/-]*")),
            optional("SerialNumber", matching(9, 256, r"[\w+=/:,.@-]*")),
            optional("TokenCode", matching(6, 6, r"[\d]*")),
            optional("SourceIdentity", matching(2, 256, r"[\w+=,.@-]*")),
            optional(
                "ProvidedContexts",
                List(1, 5, &Structure(&[optional("ProviderArn", ARN), optional("ContextAssertion", text(4, 3072))])),
            ),
            optional("MinimumSessionTokenSize", MINIMUM_SESSION_TOKEN_SIZE),
        ],
    ),
    (
        "AssumeRoleWithWebIdentity",
        &[
            required("RoleArn", ARN),
            required("RoleSessionName", ROLE_SESSION_NAME),
            required("WebIdentityToken", Secret(&text(4, 20_000))),
            optional("ProviderId", text(4, 2048)),
            optional("PolicyArns", POLICY_ARNS),
            optional("Policy", matching(1, 2048, r"[\u0009\u000A\u000D\u0020-\u00FF]+")),
            optional("DurationSeconds", DURATION_SECONDS),
            optional("MinimumSessionTokenSize", MINIMUM_SESSION_TOKEN_SIZE),
        ],
    ),
    ("GetAccessKeyInfo", &[required("AccessKeyId", matching(16, 128, r"[\w]*"))]),
    ("GetCallerIdentity", &[]),
];
