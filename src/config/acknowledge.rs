//! Acknowledgements, as a root manifest writes them.

use chrono::{NaiveDate, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::node::{Entry, Map, Node, Value};
use super::scene::{Scene, wrong_type};
use super::source::Sources;
use super::{suggest, typed};
use crate::diagnostic::Diagnostic;
use crate::model::acknowledge::{Acknowledgement, Warning, latest};
use crate::model::near::did_you_mean;
use crate::model::rule::Pattern;
use crate::model::{glob, text};

/// A warning that is known, and needn't stand in every plan. Plans count what is acknowledged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "acknowledgement")]
pub(super) struct AcknowledgementFile {
    /// The kind of warning.
    #[schemars(schema_with = "warning_schema")]
    pub warning: Option<String>,
    /// Of what: addresses, in which `*` stands for any characters.
    pub at: Option<Vec<String>>,
    /// Why: every plan shows it.
    pub reason: Option<String>,
    /// The last day on which it holds, in UTC, quoted, at most a year ahead: `"2027-06-30"`.
    #[schemars(schema_with = "day_schema")]
    pub until: Option<String>,
}

fn warning_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": Warning::ALL.map(Warning::word) })
}

fn day_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
}

/// One as it is written, for hints.
const FORM: &str =
    "{warning: permission-unscoped, at: [\"function.*\"], reason: \"the template's own\", until: \"2027-06-30\"}";

/// Reads and checks `acknowledge`.
pub(super) fn read(sources: &Sources, entry: &Entry, found: &mut Vec<Diagnostic>) -> Vec<Acknowledgement> {
    let items = match &entry.node.value {
        Value::List(items) => &items[..],
        Value::Null => return Vec::new(),
        _ => {
            let problem = wrong_type(&["acknowledge"], &entry.node, "a list");
            let problem = problem.hint(format!("write `acknowledge: [{FORM}]`"));
            found.push(problem.at(sources.position(entry.node.span)));
            return Vec::new();
        }
    };
    items.iter().filter_map(|item| one(sources, item, found)).collect()
}

fn one(sources: &Sources, item: &Node, found: &mut Vec<Diagnostic>) -> Option<Acknowledgement> {
    let Value::Map(map) = &item.value else {
        let problem = Diagnostic::error("wrong-type", format!("an acknowledgement is a map, not {}", item.kind()))
            .hint(format!("write `- {FORM}`"));
        found.push(problem.at(sources.position(item.span)));
        return None;
    };
    let mut scene = scene(sources, item, map);
    let (file, misfits) = typed::read::<AcknowledgementFile>(item);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file.unwrap_or_default();
    let warning = warning(&mut scene, file.warning.as_deref());
    let of = of(&mut scene, file.at.as_deref());
    let reason = file.reason.as_deref().map(str::trim);
    match reason {
        None => missing(&mut scene, "reason", "every plan shows it: say why, and who agreed"),
        Some(reason) if !text::is_visible(reason) || reason.chars().any(char::is_control) => {
            scene.report(&["reason"], Diagnostic::error("acknowledge", "the reason is one line of text"));
        }
        Some(_) => {}
    }
    let until = until(&mut scene, file.until.as_deref());
    let is_sound = scene.found.is_empty();
    let at = sources.bare_place(scene.at);
    found.append(&mut scene.found);
    let one = Acknowledgement { warning: warning?, of: of?, reason: reason?.to_owned(), until: until?, at };
    is_sound.then_some(one)
}

fn scene<'a>(sources: &'a Sources, item: &'a Node, map: &Map) -> Scene<'a> {
    let end = map.end.max(item.span.line);
    // The mark of a whole one is its first key: the map's own place has no length worth showing.
    let at = map.entries.first().map_or(item.span, |entry| entry.at);
    Scene { sources, kind: "acknowledgement", key: "", at, end, merged: item, incomplete: false, found: Vec::new() }
}

fn missing(scene: &mut Scene<'_>, field: &str, hint: &str) {
    // What is there and couldn't be read was reported as such.
    if scene.merged.child(field).is_none_or(Node::is_null) {
        let problem = Diagnostic::error("missing-field", format!("the acknowledgement's `{field}` is missing"));
        scene.report(&[], problem.hint(hint));
    }
}

fn warning(scene: &mut Scene<'_>, word: Option<&str>) -> Option<Warning> {
    let words = Warning::ALL.map(Warning::word);
    let Some(word) = word else {
        missing(scene, "warning", &format!("known here: {}", suggest::list(words)));
        return None;
    };
    let known = Warning::ALL.into_iter().find(|known| known.word() == word);
    if known.is_none() {
        let kebab = word.replace('_', "-");
        let near = words.into_iter().find(|known| *known == kebab).or_else(|| suggest::nearest(word, words));
        let hint = match near {
            Some(near) => did_you_mean(&[near]),
            None => format!("these can be acknowledged: {}", suggest::list(words)),
        };
        let problem = Diagnostic::error("acknowledge", format!("`{word}` is no warning that can be acknowledged"))
            .because("errors, effects, and whatever keeps secrets from rotating can't be");
        scene.report(&["warning"], problem.hint(hint));
    }
    known
}

fn of(scene: &mut Scene<'_>, texts: Option<&[String]>) -> Option<Vec<Pattern>> {
    let hint = "name addresses as plans show them: `at: [\"function.*\", \"secret.app/one\"]`";
    let Some(texts) = texts else {
        missing(scene, "at", hint);
        return None;
    };
    if texts.is_empty() {
        scene.report(&["at"], Diagnostic::error("acknowledge", "`at` is empty: nothing would match").hint(hint));
    }
    for (index, text) in texts.iter().enumerate() {
        let at = index.to_string();
        let wrong = match glob::check_length(text).and_then(|()| text::check_readable(text)) {
            Err(reason) => Some(reason),
            Ok(()) if text.contains("${") => Some("variables aren't replaced here".to_owned()),
            Ok(()) if !text.contains('.') && !text.contains('*') => Some(format!("`{text}` is no address")),
            Ok(()) => None,
        };
        if let Some(reason) = wrong {
            scene.report(&["at", &at], Diagnostic::error("acknowledge", reason).hint(hint));
        }
    }
    Some(texts.iter().cloned().map(Pattern).collect())
}

fn until(scene: &mut Scene<'_>, text: Option<&str>) -> Option<NaiveDate> {
    let latest = latest(Utc::now().date_naive());
    let Some(text) = text else {
        missing(scene, "until", "each ends, at most a year ahead: write it as `until: \"2027-06-30\"`");
        return None;
    };
    let until = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    match until {
        None => {
            let problem = Diagnostic::error("acknowledge", format!("`{text}` is no day of the calendar"));
            scene
                .report(&["until"], problem.hint("write it as `\"2027-06-30\"`: a day in UTC, quoted, without a time"));
        }
        Some(until) if until > latest => {
            let problem = Diagnostic::error("acknowledge", format!("`{until}` is more than a year ahead"))
                .because("what is acknowledged is looked at again at least once a year");
            scene.report(&["until"], problem.hint("choose an earlier day, and renew it then"));
        }
        Some(_) => {}
    }
    until
}
