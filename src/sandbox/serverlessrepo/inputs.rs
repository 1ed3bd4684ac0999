//! The operations that are served, and what their requests may hold, as in the API's model.

use crate::model::Kind::{self, List, Number, Structure};
use crate::model::{Member, NO_LIMIT, NUMBER, TEXT, optional, required};

const TEXTS: Kind = List(0, NO_LIMIT, &TEXT);
const MAX_ITEMS: Kind = Number(1, 100);

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    (
        "CreateCloudFormationChangeSet",
        &[
            required("applicationId", TEXT).label(),
            optional("capabilities", TEXTS),
            optional("changeSetName", TEXT),
            optional("clientToken", TEXT),
            optional("description", TEXT),
            optional("notificationArns", TEXTS),
            optional(
                "parameterOverrides",
                List(0, NO_LIMIT, &Structure(&[required("name", TEXT), required("value", TEXT)])),
            ),
            optional("resourceTypes", TEXTS),
            optional(
                "rollbackConfiguration",
                Structure(&[
                    optional("monitoringTimeInMinutes", NUMBER),
                    optional(
                        "rollbackTriggers",
                        List(0, NO_LIMIT, &Structure(&[required("arn", TEXT), required("type", TEXT)])),
                    ),
                ]),
            ),
            optional("semanticVersion", TEXT),
            required("stackName", TEXT),
            optional("tags", List(0, NO_LIMIT, &Structure(&[required("key", TEXT), required("value", TEXT)]))),
            optional("templateId", TEXT),
        ],
    ),
    ("CreateCloudFormationTemplate", &[required("applicationId", TEXT).label(), optional("semanticVersion", TEXT)]),
    ("GetApplication", &[required("applicationId", TEXT).label(), optional("semanticVersion", TEXT).query()]),
    ("GetCloudFormationTemplate", &[required("applicationId", TEXT).label(), required("templateId", TEXT).label()]),
    (
        "ListApplicationVersions",
        &[
            required("applicationId", TEXT).label(),
            optional("maxItems", MAX_ITEMS).query(),
            optional("nextToken", TEXT).query(),
        ],
    ),
    ("ListApplications", &[optional("maxItems", MAX_ITEMS).query(), optional("nextToken", TEXT).query()]),
];
