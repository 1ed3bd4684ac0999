//! Rules, as a root manifest and the files of `--policy` write them: the same words, the same checks.
//!
//! Whether a rule holds is judged elsewhere; here is what it says, and whether it can be meant.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::node::{Entry, Map, Node, Value};
use super::scene::{Scene, wrong_type};
use super::source::{Sources, Span};
use super::{lists, names, suggest, typed, window};
use crate::diagnostic::Diagnostic;
use crate::model::near::did_you_mean;
use crate::model::rule::{Demand, EFFECTS, Exemption, Pattern, Requirement, Rule, RuleScope};
use crate::model::{Place, glob, text};

/// The most days that a rule may name: a hundred years.
const MAX_DAYS: i64 = 36_500;

/// A rule: what is asked of whatever it matches.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "rule")]
pub(super) struct RuleFile {
    /// Its name, by which messages call it: unique in its file.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._/-]{1,128}$"))]
    pub name: Option<String>,
    /// What it holds for. Absent: everything.
    #[serde(rename = "match")]
    pub scope: Option<MatchFile>,
    /// Rotation is on.
    #[schemars(schema_with = "true_schema")]
    pub enabled: Option<bool>,
    /// Between two rotations lie at most so many days, at worst: the longest interval between the openings of two windows, and
    /// the window. Rotation that is off breaks it.
    #[schemars(schema_with = "days_schema")]
    pub max_age_days: Option<i64>,
    /// Between the openings of two windows lie at most so many days. Rotation that is off breaks it.
    #[schemars(schema_with = "days_schema")]
    pub max_interval_days: Option<i64>,
    /// At most so many days have passed since a secret last rotated, or was made. A report, which refuses no apply: `status` ends with 4,
    /// and `plan` warns.
    #[schemars(schema_with = "days_schema")]
    pub rotated_within_days: Option<i64>,
    /// The time in which windows may be open, in UTC.
    pub window: Option<window::WindowFile>,
    /// Labels that secrets must have.
    pub require_labels: Option<Vec<String>>,
    /// `code`: functions have code of the manifest. `account`: targets state their account.
    #[schemars(schema_with = "require_schema")]
    pub require: Option<Vec<String>>,
    /// Which functions may be used, and what they may be made of.
    pub functions: Option<lists::FunctionsFile>,
    /// Effects that no change of a plan may have.
    #[schemars(schema_with = "effects_schema")]
    pub forbid: Option<Vec<String>>,
    /// `live`: the rule also holds for live secrets that no manifest names.
    #[schemars(schema_with = "covers_schema")]
    pub covers: Option<String>,
    /// Secrets that needn't follow it for a while.
    pub exempt: Option<Vec<ExemptFile>>,
}

/// What a rule holds for. In patterns, `*` stands for any characters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "match")]
pub(super) struct MatchFile {
    /// Targets: names or patterns such as `prod-*`.
    #[schemars(schema_with = "targets_schema")]
    pub targets: Option<Vec<String>>,
    /// Secrets by AWS's name: names or patterns such as `prod/*`.
    pub secrets: Option<Vec<String>>,
    /// Labels that an entry has, each with a value or a pattern.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Secrets that needn't follow a rule for a while.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "exemption")]
pub(super) struct ExemptFile {
    /// Which, by AWS's name: names or patterns.
    pub secrets: Option<Vec<String>>,
    /// Why.
    pub reason: Option<String>,
    /// The last day on which it holds, quoted: `"2026-12-31"`. After it, it is an error.
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub until: Option<String>,
}

fn true_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [true, null] })
}

fn days_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 1, "maximum": MAX_DAYS })
}

fn words_schema(words: &[&str]) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "enum": words } })
}

fn require_schema(_: &mut SchemaGenerator) -> Schema {
    words_schema(&["code", "account"])
}

fn effects_schema(_: &mut SchemaGenerator) -> Schema {
    words_schema(&EFFECTS)
}

fn covers_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["live", null] })
}

fn targets_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "type": "string", "pattern": "^[a-z0-9*-]+$" } })
}

/// Reads the rules of one file. In a root manifest the targets are known, and each pattern must match one.
pub(super) fn rules(
    sources: &Sources,
    entry: &Entry,
    targets: Option<&[&str]>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Rule> {
    let items = match &entry.node.value {
        Value::List(items) => &items[..],
        Value::Null => return Vec::new(),
        _ => {
            let problem = wrong_type(&["policy"], &entry.node, "a list");
            found.push(problem.at(sources.position(entry.node.span)));
            return Vec::new();
        }
    };
    let mut rules = Vec::new();
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    for item in items {
        let Value::Map(map) = &item.value else {
            let problem = Diagnostic::error("wrong-type", format!("a rule is a map, not {}", item.kind()))
                .hint("write `- name: NAME`, and below it what the rule asks");
            found.push(problem.at(sources.position(item.span)));
            continue;
        };
        let name = item.child("name").and_then(Node::text).unwrap_or_default();
        let mut scene = scene(sources, item, map, name);
        let rule = RuleReader { scene: &mut scene, targets }.read(name);
        let at = item.child("name").map_or(item.span, |name| name.span);
        if let Some(first) = names.insert(name, at).filter(|_| !name.is_empty()) {
            let mut problem = Diagnostic::error("policy-name", format!("two rules are called `{name}`"));
            problem.related.push((sources.position(first), "the first one".to_owned()));
            scene.push(at, None, problem.hint("messages call a rule by its name: give one of them another"));
        }
        found.append(&mut scene.found);
        rules.extend(rule);
    }
    rules
}

fn scene<'a>(sources: &'a Sources, item: &'a Node, map: &Map, name: &'a str) -> Scene<'a> {
    let end = map.end.max(item.span.line);
    // The mark of a whole rule is its first key: the map's own place has no length worth showing.
    let at = map.entries.first().map_or(item.span, |entry| entry.at);
    Scene { sources, kind: "rule", key: name, at, end, merged: item, incomplete: false, found: Vec::new() }
}

struct RuleReader<'r, 'a> {
    scene: &'r mut Scene<'a>,
    targets: Option<&'r [&'r str]>,
}

impl RuleReader<'_, '_> {
    fn read(&mut self, name: &str) -> Option<Rule> {
        let (file, misfits) = typed::read::<RuleFile>(self.scene.merged);
        if !misfits.is_empty() {
            self.scene.misfits(misfits);
        }
        let file = file?;
        self.name(file.name.as_deref());
        let scope = self.scope(file.scope.as_ref());
        let requirements = self.requirements(&file);
        let covers_live = self.covers(&file, &scope, &requirements);
        let exempt = self.exemptions(&file);
        if requirements.is_empty() && !self.scene.incomplete && self.scene.found.is_empty() {
            let problem = Diagnostic::error("policy-empty", "the rule asks for nothing").hint(format!(
                "add one of {}",
                suggest::list([
                    "enabled",
                    "max_age_days",
                    "max_interval_days",
                    "rotated_within_days",
                    "window",
                    "require_labels",
                    "require",
                    "functions",
                    "forbid"
                ])
            ));
            self.scene.report(&[], problem);
        }
        let at = self.place(&["name"]);
        Some(Rule { name: name.to_owned(), at, scope, requirements, covers_live, exempt })
    }

    fn error(&mut self, path: &[&str], check: &'static str, summary: impl Into<String>, hint: &str) {
        let problem = Diagnostic::error(check, summary);
        self.scene.report(path, if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Where the value at a path stands: its key, or the item of a list.
    fn place(&self, path: &[&str]) -> Place {
        let key = self.scene.merged.key_span(path);
        let span = key.or_else(|| self.scene.merged.find(path).map(|node| node.span)).unwrap_or(self.scene.at);
        self.scene.sources.place(span)
    }

    fn name(&mut self, name: Option<&str>) {
        match name {
            None if self.scene.incomplete && self.scene.merged.child("name").is_some() => {}
            None => {
                self.error(&[], "missing-field", "the rule's `name` is missing", "messages call a rule by its name");
            }
            Some(name) => {
                let valid = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
                if name.is_empty() || name.len() > 128 || !name.chars().all(valid) {
                    let summary = "a rule's name holds letters, digits and `._/-`, at most 128";
                    self.error(&["name"], "policy-name", summary, "");
                }
            }
        }
    }

    fn scope(&mut self, file: Option<&MatchFile>) -> RuleScope {
        let Some(file) = file else { return RuleScope::default() };
        let targets =
            file.targets.as_ref().map(|targets| self.patterns(&["match", "targets"], targets, Names::Targets));
        if let (Some(patterns), Some(known)) = (&targets, self.targets) {
            for (index, pattern) in patterns.iter().enumerate() {
                if !known.iter().any(|target| pattern.matches(target)) {
                    let may_suggest = self.scene.sources.may_suggest();
                    let near = may_suggest.then(|| suggest::nearest(&pattern.0, known.iter().copied())).flatten();
                    let hint = match near {
                        Some(near) => did_you_mean(&[near]),
                        None if known.iter().all(|name| name.is_empty()) => "the manifest has no `targets`".to_owned(),
                        None => format!("the targets are {}", suggest::list(known.iter().copied())),
                    };
                    let at = index.to_string();
                    self.error(&["match", "targets", &at], "targets", format!("`{pattern}` matches no target"), &hint);
                }
            }
        }
        let secrets =
            file.secrets.as_ref().map(|secrets| self.patterns(&["match", "secrets"], secrets, Names::Secrets));
        for (key, value) in file.labels.iter().flatten() {
            if let Err(reason) = glob::check_length(value) {
                self.error(&["match", "labels", key], "policy-pattern", reason, "`*` stands for any characters");
            } else if let Err(reason) = text::check_readable(value) {
                let summary = format!("the label `{key}` can't be matched: {reason}");
                self.error(&["match", "labels", key], "policy-pattern", summary, "no label of a manifest holds one");
            }
        }
        let labels = file.labels.iter().flatten().map(|(key, value)| (key.clone(), Pattern(value.clone())));
        RuleScope { targets, secrets, labels: labels.collect() }
    }

    fn patterns(&mut self, path: &[&str], texts: &[String], names: Names) -> Vec<Pattern> {
        if texts.is_empty() && !self.scene.incomplete {
            let field = path.last().copied().unwrap_or_default();
            self.error(
                path,
                "policy-pattern",
                format!("`{field}` is empty: nothing would match"),
                "remove it, or name some",
            );
        }
        for (index, text) in texts.iter().enumerate() {
            if let Err(reason) = glob::check_length(text) {
                let at = index.to_string();
                let path: Vec<&str> = path.iter().copied().chain([at.as_str()]).collect();
                self.error(&path, "policy-pattern", reason, "`*` stands for any characters");
            } else if let Some(wrong) = names.outside(text) {
                let at = index.to_string();
                let path: Vec<&str> = path.iter().copied().chain([at.as_str()]).collect();
                let summary = format!("`{text}` matches no {}: none holds `{}`", names.word(), wrong.escape_debug());
                let hint = match wrong {
                    '$' | '{' => "variables aren't replaced in policies; `*` stands for any characters",
                    '?' | '[' => "`*` stands for any characters, and nothing else does",
                    ':' => "secrets are matched by their name, not by their ARN",
                    _ => "",
                };
                self.error(&path, "policy-pattern", summary, hint);
            } else if text.is_empty() {
                let at = index.to_string();
                let path: Vec<&str> = path.iter().copied().chain([at.as_str()]).collect();
                self.error(&path, "policy-pattern", "a pattern is empty", "write a name, or `*`");
            }
        }
        texts.iter().cloned().map(Pattern).collect()
    }

    fn requirements(&mut self, file: &RuleFile) -> Vec<Requirement> {
        let mut requirements = Vec::new();
        let mut add = |at, demand| requirements.push(Requirement { demand, at });
        match file.enabled {
            Some(true) => add(self.place(&["enabled"]), Demand::Enabled),
            Some(false) => {
                let hint = "remove it; to forbid that secrets rotate now, `forbid: [rotates-now]`";
                self.error(&["enabled"], "policy-enabled", "a rule can ask for rotation to be on, not to be off", hint);
            }
            None => {}
        }
        for (field, days) in [
            ("max_age_days", file.max_age_days),
            ("max_interval_days", file.max_interval_days),
            ("rotated_within_days", file.rotated_within_days),
        ] {
            let Some(days) = days else { continue };
            let demand = |days| match field {
                "max_age_days" => Demand::MaxAge(days),
                "max_interval_days" => Demand::MaxInterval(days),
                _ => Demand::RotatedWithin(days),
            };
            match u32::try_from(days).ok().filter(|_| (1..=MAX_DAYS).contains(&days)) {
                Some(days) => add(self.place(&[field]), demand(days)),
                None => self.error(&[field], "policy-days", format!("`{field}` is 1 to {MAX_DAYS}, not {days}"), ""),
            }
        }
        if let Some(window) = &file.window
            && let Some(bounds) = window::read(self.scene, window)
        {
            add(self.place(&["window"]), Demand::Window(bounds));
        }
        for (index, label) in file.require_labels.iter().flatten().enumerate() {
            let readable = text::is_visible(label) && text::check_readable(label).is_ok();
            let (index, valid) = (index.to_string(), readable && !label.contains(['=', ':']));
            if valid {
                add(self.place(&["require_labels", &index]), Demand::Label(label.clone()));
            } else {
                let hint = "name the label alone, in letters that can be seen: any value of it will do";
                self.error(&["require_labels", &index], "label", format!("`{label}` is no label's name"), hint);
            }
        }
        for (index, word) in file.require.iter().flatten().enumerate() {
            let index = index.to_string();
            match word.as_str() {
                "code" => add(self.place(&["require", &index]), Demand::Code),
                "account" => add(self.place(&["require", &index]), Demand::Account),
                word => self.unknown_word(&["require", &index], word, &["code", "account"]),
            }
        }
        let lists = file.functions.as_ref().map(|file| lists::read(self.scene, file)).unwrap_or_default();
        for (of, patterns) in lists {
            add(self.place(&["functions", of.word()]), Demand::Functions(of, patterns));
        }
        for (index, word) in file.forbid.iter().flatten().enumerate() {
            let index = index.to_string();
            if EFFECTS.contains(&word.as_str()) {
                add(self.place(&["forbid", &index]), Demand::Forbid(word.clone()));
            } else {
                self.unknown_word(&["forbid", &index], word, &EFFECTS);
            }
        }
        requirements
    }

    fn unknown_word(&mut self, path: &[&str], word: &str, known: &[&str]) {
        let kebab = word.replace('_', "-");
        let near = known.iter().find(|known| **known == kebab).copied();
        let hint = match near.or_else(|| suggest::nearest(word, known.iter().copied())) {
            Some(near) => did_you_mean(&[near]),
            None => format!("known here: {}", suggest::list(known.iter().copied())),
        };
        let field = path.first().copied().unwrap_or_default();
        self.error(path, "policy-word", format!("`{field}` knows no `{word}`"), &hint);
    }

    fn covers(&mut self, file: &RuleFile, scope: &RuleScope, requirements: &[Requirement]) -> Option<Place> {
        let word = file.covers.as_deref()?;
        if word != "live" {
            self.unknown_word(&["covers"], word, &["live"]);
            return None;
        }
        if !scope.labels.is_empty() {
            let summary = "`covers: live` can't go with labels: a secret that no manifest names has none";
            self.error(&["covers"], "policy-covers", summary, "match `secrets` instead");
        } else if !requirements.iter().any(|one| one.demand.is_of_rotation() || one.demand.is_of_history())
            && !self.scene.incomplete
        {
            let summary = "`covers: live` needs something that can be asked of a secret that no manifest names";
            let hint = "add `enabled`, `max_age_days`, `max_interval_days`, `rotated_within_days` or `window`";
            self.error(&["covers"], "policy-covers", summary, hint);
        }
        Some(self.place(&["covers"]))
    }

    fn exemptions(&mut self, file: &RuleFile) -> Vec<Exemption> {
        let all = file.exempt.iter().flatten().enumerate();
        all.filter_map(|(index, exempt)| self.exemption(&index.to_string(), exempt)).collect()
    }

    fn exemption(&mut self, index: &str, exempt: &ExemptFile) -> Option<Exemption> {
        if exempt.secrets.is_none() {
            self.missing(index, "secrets", "name the secrets, as in `secrets: [prod/legacy]`");
        }
        let secrets =
            exempt.secrets.as_deref().map(|all| self.patterns(&["exempt", index, "secrets"], all, Names::Secrets));
        let reason = exempt.reason.as_deref().map(str::trim).unwrap_or_default();
        if exempt.reason.is_none() {
            self.missing(index, "reason", "every plan shows it: say why, and who agreed");
        } else if !text::is_visible(reason) || reason.chars().any(char::is_control) {
            self.error(&["exempt", index, "reason"], "policy-exempt", "the reason is one line of text", "");
        }
        let Some(text) = &exempt.until else {
            self.missing(index, "until", "every exemption ends: write `until: \"2030-01-31\"`");
            return None;
        };
        let until = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
        if until.is_none() {
            let summary = format!("`{text}` is no day of the calendar");
            self.error(&["exempt", index, "until"], "policy-exempt", summary, "write it as `\"2030-01-31\"`");
        }
        let at = self.place(&["exempt", index]);
        Some(Exemption { secrets: secrets?, reason: reason.to_owned(), until: until?, at })
    }

    fn missing(&mut self, index: &str, field: &str, hint: &str) {
        // What is there and couldn't be read was reported as such.
        if self.scene.merged.find(&["exempt", index, field]).is_none_or(Node::is_null) {
            let first = self.scene.merged.find(&["exempt", index]).and_then(Node::map);
            let at = first.and_then(|map| map.entries.first()).map_or(self.scene.at, |entry| entry.at);
            let problem =
                Diagnostic::error("missing-field", format!("the exemption's `{field}` is missing")).hint(hint);
            self.scene.push(at, None, problem);
        }
    }
}

/// What patterns are about.
#[derive(Clone, Copy)]
enum Names {
    Targets,
    Secrets,
}

impl Names {
    fn word(self) -> &'static str {
        match self {
            Self::Targets => "target",
            Self::Secrets => "secret",
        }
    }

    /// The first character of a pattern that no such name holds.
    fn outside(self, pattern: &str) -> Option<char> {
        match self {
            Self::Targets => {
                pattern.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(*c)))
            }
            Self::Secrets => names::outside_secret_names(pattern),
        }
    }
}
