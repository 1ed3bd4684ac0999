//! `select`: rules for secrets that no entry lists.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::node::{Node, Value};
use super::raw::{RotationFile, names_schema, texts_schema};
use super::scene::Scene;
use super::secrets::{Common, rotation};
use super::{names, typed};
use crate::diagnostic::Diagnostic;
use crate::model::rule::Pattern;
use crate::model::{Match, Secret, SelectRule, glob};

/// How every live secret rotates that matches, and that no entry of `secrets` names. A rule takes nothing over: what rotates
/// otherwise, or can't rotate with a function, is left alone.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "select")]
pub(super) struct SelectFile {
    /// Which secrets are meant: those with one of the `names` and all of the `tags`, without those of `except`.
    #[serde(rename = "match")]
    pub matches: Option<SelectMatchFile>,
    /// The handle of the rotation function.
    pub function: Option<String>,
    /// The targets that the rule is for: names or patterns such as `prod-*`. Default: all.
    #[schemars(schema_with = "names_schema")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub targets: Option<Vec<String>>,
    /// Labels of all its secrets, for people, filters and grouping; never sent to AWS.
    pub labels: Option<BTreeMap<String, String>>,
    /// When they rotate. `rotate_immediately` is `false` here unless the rule itself says otherwise.
    pub rotation: Option<RotationFile>,
}

/// Which live secrets a rule means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "select_match")]
pub(super) struct SelectMatchFile {
    /// Names on AWS, of which one must fit as a whole; `*` stands for any characters, `/` too. Default: any name that has the `tags`.
    #[schemars(schema_with = "texts_schema")]
    pub names: Option<Vec<String>>,
    /// Tags of the secret on AWS, all of which it must have, with exactly these values.
    #[schemars(schema_with = "tags_schema")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Names that are left out, written as `names` are.
    #[schemars(schema_with = "texts_schema")]
    pub except: Option<Vec<String>>,
}

fn tags_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "null"], "additionalProperties": { "type": "string" } })
}

/// What a rule inherits of the defaults of secrets: what is about one secret alone is left out, and whether it rotates at once, which
/// a rule says itself.
pub(super) fn inherited(defaults: &Node) -> Node {
    let mut defaults = defaults.clone();
    if let Value::Map(map) = &mut defaults.value {
        map.entries.retain(|entry| ["function", "targets", "labels", "rotation"].contains(&entry.key.as_str()));
        map.unset.clear();
    }
    defaults.remove(&["rotation", "rotate_immediately"]);
    defaults
}

/// Reads and checks a rule. `entries`: the secrets that are listed.
pub(super) fn read(
    scene: &mut Scene<'_>,
    common: &mut Common,
    entries: &BTreeMap<String, Secret>,
) -> Option<SelectRule> {
    let (file, misfits) = typed::read::<SelectFile>(scene.merged);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file?;
    let matches = matches(scene, file.matches.unwrap_or_default(), entries);
    let stated = |scene: &Scene<'_>, field| scene.merged.child(field).is_some_and(|node| !node.is_null());
    if file.function.is_none() && !stated(scene, "function") {
        let problem = Diagnostic::error("missing-field", "the rule's `function` is missing")
            .because("what AWS rotates by itself is no rule's: it needs no function")
            .hint("write the handle of the function that its secrets rotate with");
        scene.report(&[], problem);
    }
    let has_rotation = file.rotation.is_some();
    let rotation = file.rotation.map(|file| rotation(scene, &file, common)).unwrap_or_default();
    if rotation.enabled.is_none()
        && !scene.incomplete
        && !(has_rotation && scene.found.iter().any(Diagnostic::is_error))
    {
        let problem = Diagnostic::error("no-schedule", "the rule doesn't say when its secrets rotate")
            .hint("add `rotation: {automatically_after_days: 30}`, or a `schedule_expression`");
        scene.report(&["rotation"], problem);
    }
    super::functions::check_labels(scene, file.labels.as_ref());
    let labels = common.labels(file.labels.unwrap_or_default());
    Some(SelectRule { matches, function: file.function?, rotation, labels })
}

fn matches(scene: &mut Scene<'_>, file: SelectMatchFile, entries: &BTreeMap<String, Secret>) -> Match {
    let tags = file.tags.unwrap_or_default();
    let is_open = file.names.is_none() && tags.is_empty();
    if is_open && !scene.incomplete {
        let what = if file.except.is_some() { "neither `names` nor `tags`" } else { "no `match`" };
        let problem = Diagnostic::error("select", format!("the rule has {what}: that would be every secret"))
            .hint("say which ones: `match: {names: [\"vendor/*\"]}`, or `match: {tags: {rotate: vendor}}`")
            .hint("to mean all of them: `match: {names: [\"*\"]}`");
        scene.report(&["match"], problem);
    }
    let names = file.names.map(|names| patterns(scene, "names", names));
    let except = file.except.map(|except| patterns(scene, "except", except)).unwrap_or_default();
    check_tags(scene, &tags);
    if let Some(names) = &names {
        check_reach(scene, names, &except);
    }
    check_entries(scene, &except, entries);
    Match { names, tags, except }
}

/// Patterns of names on AWS.
fn patterns(scene: &mut Scene<'_>, field: &'static str, texts: Vec<String>) -> Vec<Pattern> {
    if texts.is_empty() && !scene.incomplete {
        let (problem, hint) = match field {
            "names" => ("`names` is empty: nothing would match", "name some, or remove it to match by `tags` alone"),
            _ => ("`except` is empty", "remove it, or name what is left out"),
        };
        scene.report(&["match", field], Diagnostic::error("select", problem).hint(hint));
    }
    for (index, text) in texts.iter().enumerate() {
        if scene.is_open(text) {
            continue;
        }
        let wrong = match (glob::check_length(text), names::outside_secret_names(text)) {
            (Err(reason), _) => Some((reason, "`*` stands for any characters")),
            _ if text.is_empty() => Some(("a pattern is empty".to_owned(), "write a name, or `*`")),
            (_, Some(wrong)) => {
                let hint = match wrong {
                    '?' | '[' | ']' | '{' => "`*` stands for any characters, and nothing else does",
                    ':' => {
                        "secrets are matched by their name, not by their ARN; one by its ARN is an entry of `secrets`"
                    }
                    _ => "",
                };
                Some((format!("`{text}` matches no secret: no name holds `{}`", wrong.escape_debug()), hint))
            }
            _ => None,
        };
        if let Some((summary, hint)) = wrong {
            let problem = Diagnostic::error("select", summary);
            let problem = if hint.is_empty() { problem } else { problem.hint(hint) };
            report_item(scene, field, index, problem);
        }
    }
    texts.into_iter().map(Pattern).collect()
}

fn report_item(scene: &mut Scene<'_>, field: &str, index: usize, problem: Diagnostic) {
    scene.report(&["match", field, &index.to_string()], problem);
}

/// Tags are compared as they are.
fn check_tags(scene: &mut Scene<'_>, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        let path = ["match", "tags", key.as_str()];
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            let summary = "a tag's key has 1 to 128 characters, and its value at most 256";
            scene.report(&path, Diagnostic::error("select", summary));
        } else if value.contains('*') && !scene.is_open(value) {
            let problem =
                Diagnostic::error("select", format!("the tag `{key}` is compared exactly: `*` is no pattern here"))
                    .hint("write the whole value; one rule for each value does");
            scene.report(&path, problem);
        }
    }
}

/// Names that nothing can have, and exceptions that take nothing out: each is a slip.
fn check_reach(scene: &mut Scene<'_>, names: &[Pattern], except: &[Pattern]) {
    if scene.incomplete {
        return;
    }
    for (index, name) in names.iter().enumerate() {
        // What a pattern's own text passes, with its stars as letters, passes whatever stands for them.
        if let Some(covers) = except.iter().find(|except| except.matches(&name.0)) {
            let problem = Diagnostic::error(
                "select",
                format!("`{name}` never matches: `except` takes out all of it, by `{covers}`"),
            )
            .hint("remove one of the two, or narrow the exception");
            report_item(scene, "names", index, problem);
        }
    }
    for (index, exception) in except.iter().enumerate() {
        if !names.iter().any(|name| name.meets(exception)) {
            let problem = Diagnostic::error(
                "select",
                format!("`{exception}` takes nothing out: no name that `names` matches is like it"),
            )
            .hint("correct it, or remove it");
            report_item(scene, "except", index, problem);
        }
    }
}

/// An entry wins over every rule: to except its name says nothing.
fn check_entries(scene: &mut Scene<'_>, except: &[Pattern], entries: &BTreeMap<String, Secret>) {
    for (index, exception) in except.iter().enumerate().filter(|(_, exception)| !exception.0.contains('*')) {
        if entries.values().any(|secret| secret.name == exception.0) {
            let problem =
                Diagnostic::warning("select", format!("`{exception}` is an entry of `secrets`, which no rule touches"))
                    .because("entries win over rules, so that it needn't be excepted")
                    .hint("remove it from `except`");
            report_item(scene, "except", index, problem);
        }
    }
}
