//! The operations that are served, and what their requests may hold, as in the API's model.

use crate::model::Kind::{self, List, Number, OneOf};
use crate::model::{FLAG, Member, NO_LIMIT, matching, optional, required, text};

const LOG_GROUP_NAME: Kind = matching(1, 512, r"[\.\-_/#A-Za-z0-9]+");
const NEXT_TOKEN: Kind = text(1, NO_LIMIT);
const DESCRIBE_LIMIT: Kind = Number(1, 50);
const LOG_GROUP_IDENTIFIER: Kind = matching(1, 2048, r"[\w#+=/:,.@-]*");
const LOG_STREAM_NAME: Kind = matching(1, 512, "[^:*]*");
const TIMESTAMP: Kind = Number(0, i64::MAX);
const EVENTS_LIMIT: Kind = Number(1, 10_000);

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    ("DeleteLogGroup", &[required("logGroupName", LOG_GROUP_NAME)]),
    (
        "DescribeLogGroups",
        &[
            optional("accountIdentifiers", List(0, 20, &matching(12, 12, r"^\d{12}$"))),
            optional("logGroupNamePrefix", LOG_GROUP_NAME),
            optional("logGroupNamePattern", matching(0, 512, r"[\.\-_/#A-Za-z0-9]*")),
            optional("nextToken", NEXT_TOKEN),
            optional("limit", DESCRIBE_LIMIT),
            optional("includeLinkedAccounts", FLAG),
            optional("logGroupClass", OneOf(&["STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"])),
            optional("logGroupIdentifiers", List(1, 50, &LOG_GROUP_IDENTIFIER)),
        ],
    ),
    (
        "DescribeLogStreams",
        &[
            optional("logGroupName", LOG_GROUP_NAME),
            optional("logGroupIdentifier", LOG_GROUP_IDENTIFIER),
            optional("logStreamNamePrefix", LOG_STREAM_NAME),
            optional("orderBy", OneOf(&["LogStreamName", "LastEventTime"])),
            optional("descending", FLAG),
            optional("nextToken", NEXT_TOKEN),
            optional("limit", DESCRIBE_LIMIT),
        ],
    ),
    (
        "FilterLogEvents",
        &[
            optional("logGroupName", LOG_GROUP_NAME),
            optional("logGroupIdentifier", LOG_GROUP_IDENTIFIER),
            optional("logStreamNames", List(1, 100, &LOG_STREAM_NAME)),
            optional("logStreamNamePrefix", LOG_STREAM_NAME),
            optional("startTime", TIMESTAMP),
            optional("endTime", TIMESTAMP),
            optional("filterPattern", text(0, 1024)),
            optional("nextToken", NEXT_TOKEN),
            optional("limit", EVENTS_LIMIT),
            optional("startFromHead", FLAG),
            optional("interleaved", FLAG),
            optional("unmask", FLAG),
        ],
    ),
    (
        "GetLogEvents",
        &[
            optional("logGroupName", LOG_GROUP_NAME),
            optional("logGroupIdentifier", LOG_GROUP_IDENTIFIER),
            required("logStreamName", LOG_STREAM_NAME),
            optional("startTime", TIMESTAMP),
            optional("endTime", TIMESTAMP),
            optional("nextToken", NEXT_TOKEN),
            optional("limit", EVENTS_LIMIT),
            optional("startFromHead", FLAG),
            optional("unmask", FLAG),
        ],
    ),
];
