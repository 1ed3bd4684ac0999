//! Limits on one apply.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use super::node::Entry;
use super::scene::Scene;
use super::source::Sources;
use super::typed;
use crate::diagnostic::Diagnostic;
use crate::model::rule::{AtMost, Limit, Limits};

/// How much one apply may do to the secrets of a target, and of all targets of one account and region: a number of them, or a part
/// such as `"30%"`. Where a plan goes beyond,
/// `apply` refuses unless it is told to override limits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "limits")]
pub(super) struct LimitsFile {
    /// How many secrets that rotate may get another rotation: other rules, another function, or none; and how many rules of `select` may newly attach.
    pub changed: Option<AtMostFile>,
    /// How many secrets may stop rotating.
    pub stopped: Option<AtMostFile>,
    /// How many secrets may rotate now.
    pub rotating_now: Option<AtMostFile>,
}

/// A number, or a percentage.
#[derive(Debug)]
pub(super) enum AtMostFile {
    Count(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for AtMostFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrPercentage;
        impl Visitor<'_> for CountOrPercentage {
            type Value = AtMostFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a percentage such as `\"30%\"`")
            }

            fn visit_i64<E>(self, count: i64) -> Result<AtMostFile, E> {
                Ok(AtMostFile::Count(count))
            }

            fn visit_u64<E>(self, count: u64) -> Result<AtMostFile, E> {
                Ok(AtMostFile::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_str<E>(self, text: &str) -> Result<AtMostFile, E> {
                Ok(AtMostFile::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(CountOrPercentage)
    }
}

impl JsonSchema for AtMostFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "at_most".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of secrets, or a part of the target's such as `\"30%\"`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^([0-9]|[1-9][0-9]|100) ?%$" }
            ]
        })
    }
}

/// Reads and checks `limits`.
pub(super) fn read(sources: &Sources, entry: &Entry, found: &mut Vec<Diagnostic>) -> Limits {
    if entry.node.is_null() {
        return Limits::default();
    }
    let end = entry.node.map().map_or(entry.at.line, |map| map.end).max(entry.at.line);
    let (kind, key) = ("limits", "");
    let (merged, incomplete) = (&entry.node, false);
    let mut scene = Scene { sources, kind, key, at: entry.at, end, merged, incomplete, found: Vec::new() };
    let (file, misfits) = typed::read::<LimitsFile>(&entry.node);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file.unwrap_or_default();
    let mut limit = |field: &str, value: Option<&AtMostFile>| -> Option<Limit> {
        let at_most = match value? {
            AtMostFile::Count(count) => usize::try_from(*count).ok().map(AtMost::Count),
            AtMostFile::Text(text) => percentage(text).map(AtMost::Percent),
        };
        let Some(at_most) = at_most else {
            let problem = match value? {
                AtMostFile::Count(count) => Diagnostic::error("limit", format!("`{field}` is 0 or more, not {count}")),
                AtMostFile::Text(text) => {
                    Diagnostic::error("limit", format!("`{text}` is no whole percentage from `0%` to `100%`"))
                        .hint("write a number of secrets, or a percentage such as `\"30%\"`")
                }
            };
            scene.report(&[field], problem);
            return None;
        };
        let at = scene.merged.key_span(&[field]).unwrap_or(scene.at);
        Some(Limit { at_most, at: scene.sources.place(at) })
    };
    let limits = Limits {
        changed: limit("changed", file.changed.as_ref()),
        stopped: limit("stopped", file.stopped.as_ref()),
        rotating_now: limit("rotating_now", file.rotating_now.as_ref()),
    };
    found.append(&mut scene.found);
    limits
}

fn percentage(text: &str) -> Option<u8> {
    let number = text.strip_suffix('%')?.trim_end_matches(' ');
    let digits = !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
    // `010%` is 8 or 10, depending on who reads it.
    let digits = digits && (number == "0" || !number.starts_with('0'));
    number.parse().ok().filter(|percent| digits && *percent <= 100)
}
