//! Freezes, as a root manifest and the files of `--policy` write them.

use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::node::{Entry, Map, Node, Value};
use super::scene::{Scene, wrong_type};
use super::source::Sources;
use super::typed;
use crate::diagnostic::Diagnostic;
use crate::model::freeze::{Freeze, Period};

/// Days on which nothing is rotated, tested or given other code by this tool: `apply` refuses such changes. AWS's own schedule
/// goes on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "freeze")]
pub(super) struct FreezeFile {
    /// The first day, in UTC, quoted: `"2026-12-20"`.
    #[schemars(schema_with = "day_schema")]
    pub from: Option<String>,
    /// The last day, in UTC, quoted: `"2027-01-03"`. It is frozen too.
    #[schemars(schema_with = "day_schema")]
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

fn day_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
}

/// Reads and checks `freeze`.
pub(super) fn read(sources: &Sources, entry: &Entry, found: &mut Vec<Diagnostic>) -> Vec<Freeze> {
    let items = match &entry.node.value {
        Value::List(items) => &items[..],
        Value::Null => return Vec::new(),
        _ => {
            let problem = wrong_type(&["freeze"], &entry.node, "a list");
            let problem =
                problem.hint("write `freeze: [{from: \"2030-12-20\", to: \"2031-01-03\", reason: \"sale\"}]`");
            found.push(problem.at(sources.position(entry.node.span)));
            return Vec::new();
        }
    };
    items.iter().filter_map(|item| one(sources, item, found)).collect()
}

fn one(sources: &Sources, item: &Node, found: &mut Vec<Diagnostic>) -> Option<Freeze> {
    let Value::Map(map) = &item.value else {
        let problem = Diagnostic::error("wrong-type", format!("a freeze is a map, not {}", item.kind()))
            .hint("write `- {from: \"2030-12-20\", to: \"2031-01-03\", reason: \"sale\"}`");
        found.push(problem.at(sources.position(item.span)));
        return None;
    };
    let mut scene = scene(sources, item, map);
    let (file, misfits) = typed::read::<FreezeFile>(item);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file.unwrap_or_default();
    let from = day(&mut scene, "from", file.from.as_deref());
    let to = day(&mut scene, "to", file.to.as_deref());
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        let problem = Diagnostic::error("freeze", format!("the freeze ends with {to}, before it begins with {from}"))
            .hint("`from` is the first day, and `to` the last one");
        scene.report(&["to"], problem);
    }
    let reason = file.reason.as_deref().map(str::trim);
    if reason.is_some_and(|reason| reason.is_empty() || reason.chars().any(char::is_control)) {
        scene.report(&["reason"], Diagnostic::error("freeze", "the reason is one line of text"));
    }
    let is_sound = scene.found.is_empty();
    let at = sources.bare_place(scene.at);
    found.append(&mut scene.found);
    let days = Period { from: from?, to: to? };
    is_sound.then(|| Freeze { days, reason: reason.map(str::to_owned), at })
}

fn scene<'a>(sources: &'a Sources, item: &'a Node, map: &Map) -> Scene<'a> {
    let end = map.end.max(item.span.line);
    // The mark of a whole freeze is its first key: the map's own place has no length worth showing.
    let at = map.entries.first().map_or(item.span, |entry| entry.at);
    Scene { sources, kind: "freeze", key: "", at, end, merged: item, incomplete: false, found: Vec::new() }
}

fn day(scene: &mut Scene<'_>, field: &str, text: Option<&str>) -> Option<NaiveDate> {
    let Some(text) = text else {
        // What is there and couldn't be read was reported as such.
        if scene.merged.child(field).is_none_or(Node::is_null) {
            let problem = Diagnostic::error("missing-field", format!("the freeze's `{field}` is missing"))
                .hint(format!("write it as `{field}: \"2030-12-20\"`"));
            scene.report(&[], problem);
        }
        return None;
    };
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    if day.is_none() {
        let problem = Diagnostic::error("freeze", format!("`{text}` is no day of the calendar"));
        scene.report(&[field], problem.hint("write it as `\"2030-12-20\"`: a day in UTC, quoted, without a time"));
    }
    day
}
