//! The operation that is served, and what its request may hold, as in the API's model.

use crate::model::Kind::{Decimal, List, Number, OneOf, Structure};
use crate::model::{Member, NO_LIMIT, TEXT, optional, required, text};

/// The attributes that events are looked up by.
const KEYS: &[&str] =
    &["EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"];

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[(
    "LookupEvents",
    &[
        optional(
            "LookupAttributes",
            List(
                0,
                NO_LIMIT,
                &Structure(&[required("AttributeKey", OneOf(KEYS)), required("AttributeValue", text(1, 2000))]),
            ),
        ),
        optional("StartTime", Decimal),
        optional("EndTime", Decimal),
        optional("EventCategory", OneOf(&["insight"])),
        optional("MaxResults", Number(1, 50)),
        optional("NextToken", TEXT),
    ],
)];
