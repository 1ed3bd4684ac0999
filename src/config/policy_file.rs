//! Policies: files that hold rules and nothing else, for those who own a pipeline and not its manifests.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::freeze::{self, FreezeFile};
use super::node::Value;
use super::rules::{RuleFile, rules};
use super::scene::unknown_field;
use super::source::{self, Sources, Span};
use super::{Problems, parse, tidy};
use crate::diagnostic::Diagnostic;
use crate::model::freeze::Freeze;
use crate::model::rule::Rule;
use crate::tree::{leaves_checkout, sneaks_into_git};

/// A policy of rotator: rules that every plan is held to, whatever its manifest and flags say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "policy")]
pub(super) struct PolicyFile {
    /// The version of this format: 1.
    #[schemars(schema_with = "format_version")]
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub version: Option<i64>,
    /// The rules. All of them hold at once.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub policy: Option<Vec<RuleFile>>,
    /// Days on which `apply` rotates nothing, tests nothing and replaces no code, beside those of the manifests.
    #[expect(dead_code, reason = "known to the reader and to the schema; its value is read from the tree")]
    pub freeze: Option<Vec<FreezeFile>>,
}

fn format_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

/// Policies that were read, without errors.
#[derive(Debug, Default)]
pub struct Policies {
    /// In the order in which they were named, each file once.
    pub files: Vec<Policy>,
    /// What is worth saying, sorted by file and position.
    pub warnings: Vec<Diagnostic>,
}

/// One file of rules.
#[derive(Debug)]
pub struct Policy {
    /// As the user gave it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its freezes.
    pub freezes: Vec<Freeze>,
}

/// Reads and checks files of rules.
pub fn policies(paths: &[PathBuf]) -> Result<Policies, Problems> {
    let mut policies = Policies::default();
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for path in paths {
        if seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            policies.files.extend(policy(path, &mut found));
        }
    }
    let found = tidy(found);
    if found.iter().any(Diagnostic::is_error) {
        return Err(Problems(found));
    }
    policies.warnings = found;
    Ok(policies)
}

fn policy(path: &Path, found: &mut Vec<Diagnostic>) -> Option<Policy> {
    if sneaks_into_git(path) {
        let summary = format!("can't read the policy `{}`: a link leads into Git's own folder", path.display());
        found.push(Diagnostic::error("unreadable", summary).hint("copy the policy in, or name the real file"));
        return None;
    }
    if leaves_checkout(path) {
        let summary = format!("can't read the policy `{}`: a link leads out of the repository", path.display());
        found.push(Diagnostic::error("unreadable", summary).hint("copy the policy in, or name the real file"));
        return None;
    }
    let text = match source::read(path) {
        Ok(text) => text,
        Err(reason) => {
            let summary = format!("can't read the policy `{}`: {reason}", path.display());
            found.push(Diagnostic::error("unreadable", summary).hint("check the path and its permissions"));
            return None;
        }
    };
    let sources = Sources::default();
    let file = sources.add(path.to_path_buf(), text.clone(), false);
    let (node, problems) = parse::parse_through(&sources, file);
    found.extend(problems);
    found.extend(parse::turns(&sources, file));
    let node = node?;
    let start = Span { file, line: 1, column: 1, length: 1 };
    let mut at = |span: Span, problem: Diagnostic| found.push(problem.at(sources.position(span)));
    let form = "a policy is `version: 1`, with `policy: […]`, `freeze: […]`, or both";
    let span = node.span;
    let Value::Map(mut map) = node.value else {
        if node.is_null() {
            at(start, Diagnostic::error("empty", "the policy is empty").hint(form));
        } else {
            at(span, Diagnostic::error("wrong-type", format!("a policy is a map, not {}", node.kind())).hint(form));
        }
        return None;
    };
    if let Some(project) = map.get("project") {
        let problem = Diagnostic::error("policy", "this is a manifest, and `--policy` takes a file of rules");
        at(project.at, problem.hint("give it as a PATH: its own `policy:` holds for it anyway"));
        return None;
    }
    match map.get("version").map(|entry| (&entry.node.value, entry.node.span)) {
        Some((Value::Number(number), _)) if number.integer == Some(1) && number.is_exact() => {}
        Some((_, span)) => {
            at(
                span,
                Diagnostic::error("version", "this rotator reads policies of version 1").hint("write `version: 1`"),
            );
            return None;
        }
        None => {
            at(start, Diagnostic::error("version", "`version` is missing").hint("write `version: 1`"));
            return None;
        }
    }
    let (rules_entry, freeze_entry) = (map.take("policy"), map.take("freeze"));
    for entry in map.entries.iter().filter(|entry| entry.key != "version") {
        at(entry.at, unknown_field(&[&entry.key], &["version", "policy", "freeze"].map(str::to_owned)));
    }
    if rules_entry.is_none() && freeze_entry.is_none() {
        at(start, Diagnostic::error("missing-field", "`policy` is missing").hint(form));
        return None;
    }
    let rules = rules_entry.map(|entry| rules(&sources, &entry, None, found)).unwrap_or_default();
    let freezes = freeze_entry.map(|entry| freeze::read(&sources, &entry, found)).unwrap_or_default();
    Some(Policy { path: path.to_path_buf(), text, rules, freezes })
}
