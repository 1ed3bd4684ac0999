//! Attributes as JSON, and which of them aren't shown.

use serde_json::{Map, Value as Json, json};

use crate::plan::resources::{Attributes, ResourceValue};

/// Attributes as JSON, with what isn't shown in masks beside them.
#[derive(Default)]
pub(super) struct MaskedAttributes {
    pub values: Map<String, Json>,
    pub unknown: Map<String, Json>,
    pub sensitive: Map<String, Json>,
}

/// A value and its masks; `None` as a mask: nothing of it is masked.
struct Masked {
    value: Option<Json>,
    unknown: Option<Json>,
    sensitive: Option<Json>,
}

impl MaskedAttributes {
    pub fn of(attributes: &Attributes) -> Self {
        let mut shown = Self::default();
        for (name, value) in attributes {
            let masked = masked(value);
            shown.values.extend(masked.value.map(|value| (name.clone(), value)));
            shown.unknown.extend(masked.unknown.map(|mask| (name.clone(), mask)));
            shown.sensitive.extend(masked.sensitive.map(|mask| (name.clone(), mask)));
        }
        shown
    }
}

fn masked(value: &ResourceValue) -> Masked {
    let plain = |value: Json| Masked { value: Some(value), unknown: None, sensitive: None };
    match value {
        ResourceValue::Null => plain(Json::Null),
        ResourceValue::Bool(truth) => plain(json!(truth)),
        ResourceValue::Number(number) => plain(json!(number)),
        ResourceValue::Text(text) => plain(json!(text)),
        ResourceValue::Sensitive => Masked { value: Some(Json::Null), unknown: None, sensitive: Some(json!(true)) },
        ResourceValue::Unknown => Masked { value: None, unknown: Some(json!(true)), sensitive: None },
        ResourceValue::List(items) => {
            let items: Vec<Masked> = items.iter().map(masked).collect();
            // A list keeps its places: what has no value is null there.
            let mask = |of: fn(&Masked) -> Option<&Json>| {
                items
                    .iter()
                    .any(|item| of(item).is_some())
                    .then(|| items.iter().map(|item| of(item).cloned().unwrap_or(json!(false))).collect::<Json>())
            };
            Masked {
                unknown: mask(|item| item.unknown.as_ref()),
                sensitive: mask(|item| item.sensitive.as_ref()),
                value: Some(items.iter().map(|item| item.value.clone().unwrap_or_default()).collect()),
            }
        }
        ResourceValue::Map(attributes) => {
            let mut shown = MaskedAttributes::of(attributes);
            // What isn't set in a block is left out of it: published rules take a member that is there for a text or a number.
            shown.values.retain(|name, _| attributes.get(name) != Some(&ResourceValue::Null));
            let mask = |mask: Map<String, Json>| (!mask.is_empty()).then_some(Json::Object(mask));
            Masked {
                value: Some(Json::Object(shown.values)),
                unknown: mask(shown.unknown),
                sensitive: mask(shown.sensitive),
            }
        }
    }
}
