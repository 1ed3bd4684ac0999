//! A root manifest with its parts, read but not yet resolved for a target.

mod head;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::MAX_GATHERED;
use super::merge::merge;
use super::node::{Entry, Map, Node, Value};
use super::private::{self, Private};
use super::raw::DefaultsFile;
use super::scene::{unknown_field, wrong_type};
use super::source::{self, Fetch, Sources, Span};
use super::typed::{self, MisfitKind};
use super::{acknowledge, freeze, include, limits, names, parse, roots, rules, suggest};
use crate::diagnostic::Diagnostic;
use crate::model;
use crate::tree::{Stray, Tree, sneaks_into_git};
pub(super) use head::{Head, Removed};

/// How many patterns of parts a root may have: each is looked for in the whole tree.
const MAX_PATTERNS: usize = 1_000;

/// The fields of a root that a part may have too.
const OF_PARTS: [&str; 4] = ["defaults", "functions", "secrets", "select"];

/// The fields that only a target has.
const OF_TARGETS: [&str; 4] = ["region", "account", "role", "apply_role"];

/// How a target is written.
const A_TARGET: &str = "`targets: {prod: {region: us-east-1}}`";

/// A root and its parts.
pub(super) struct Document {
    pub sources: Sources,
    /// As the user gave it.
    pub path: PathBuf,
    /// The root's folder: nothing outside it is read.
    pub tree: PathBuf,
    pub head: Head,
    /// What targets inherit.
    pub target_defaults: Option<Node>,
    /// The targets by name; `None` where there is no `targets`.
    pub targets: Option<Vec<Entry>>,
    /// The root first.
    pub parts: Vec<Part>,
}

/// The functions, secrets and rules for secrets of one file, with what they inherit.
#[derive(Default)]
pub(super) struct Part {
    pub function_defaults: Option<Node>,
    pub secret_defaults: Option<Node>,
    pub functions: Vec<Entry>,
    pub secrets: Vec<Entry>,
    pub select: Vec<Entry>,
}

impl Part {
    /// The entries of a kind.
    pub fn entries(&self, kind: model::Kind) -> &[Entry] {
        match kind {
            model::Kind::Secret => &self.secrets,
            model::Kind::Select => &self.select,
            _ => &self.functions,
        }
    }
}

/// Reads a root and all its parts. Problems of the files come beside what could be read.
pub(super) fn read(path: &Path, fetch: Option<Arc<dyn Fetch>>) -> (Option<Document>, Vec<Diagnostic>) {
    let mut reader = DocumentReader { sources: Sources::fetched_by(fetch), found: Vec::new() };
    let document = reader.root(path);
    let mut found = reader.found;
    let document = document.map(|mut document| {
        document.sources = reader.sources;
        document
    });
    found.dedup();
    (document, found)
}

/// The file that a path stands for: a folder means its `rotator.yaml`.
pub(super) fn root_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("rotator.yaml") } else { path.to_path_buf() }
}

/// Why a root is no file of its folder: a pull request could so have any file of the machine read and shown.
fn strays(root: &Path) -> Option<&'static str> {
    if sneaks_into_git(root) {
        return Some("leads into Git's own folder");
    }
    let (folder, name) = (root.parent().unwrap_or(Path::new("")), root.file_name()?);
    let is_link = std::fs::symlink_metadata(root).is_ok_and(|found| found.file_type().is_symlink());
    match Tree::at(folder).ok().filter(|_| is_link)?.reach(folder, Path::new(name)) {
        Err(Stray::Git) => Some("leads into Git's own folder"),
        Err(Stray::Outside | Stray::Link) => Some("is a link that leaves its folder"),
        // What is missing, or can't be read, is said by its reader.
        _ => None,
    }
}

struct DocumentReader {
    sources: Sources,
    found: Vec<Diagnostic>,
}

impl DocumentReader {
    fn at(&mut self, span: Span, problem: Diagnostic) {
        if self.found.len() >= MAX_GATHERED {
            if !problem.is_error() || self.found.iter().rev().any(Diagnostic::is_error) {
                return;
            }
            // One error counts for more than all warnings.
            self.found.pop();
        }
        self.found.push(problem.at(self.sources.position(span)));
    }

    /// Reads and parses a file; `None` once its problems are noted.
    fn file(&mut self, path: &Path) -> Option<(u32, Node)> {
        self.sources.fetch(path);
        let text = match source::read(path) {
            Ok(text) => text,
            Err(reason) => {
                let problem = Diagnostic::error("unreadable", format!("can't read `{}`: {reason}", path.display()));
                let hint = if path.ends_with("rotator.yaml") && !path.exists() {
                    "name the manifest, or change to its folder; the README shows a first one"
                } else {
                    "check the path and its permissions"
                };
                self.found.push(problem.hint(hint));
                return None;
            }
        };
        let file = self.sources.add(path.to_path_buf(), text, false);
        let (node, mut problems) = parse::parse_through(&self.sources, file);
        problems.extend(parse::turns(&self.sources, file));
        // Which values are private is known only once a file could be read: until then, what looks like it isn't shown.
        for problem in &mut problems {
            for position in problem.position.iter_mut().chain(problem.related.iter_mut().map(|(position, _)| position))
            {
                if self.sources.get(file).looks_private(position.line) {
                    position.text = None;
                    // Of a key that stands twice, one value is dropped here, and couldn't be covered later.
                    self.sources.hide(file, position.line);
                }
            }
        }
        self.found.extend(problems);
        node.map(|node| (file, node))
    }

    /// Covers what may be private; the answer is the names of the variables that flow into it.
    fn cover(&self, map: &Map) -> HashSet<String> {
        let found = Private::of(map);
        self.sources.mask(&found.spans);
        found.variables
    }

    fn root(&mut self, path: &Path) -> Option<Document> {
        let shown = root_file(path);
        self.sources.fetch(&shown);
        if let Some(what) = strays(&shown) {
            let summary = format!("`{}` {what}", shown.display());
            self.found
                .push(Diagnostic::error("unreadable", summary).hint("copy the manifest in, or name the real one"));
            return None;
        }
        let (file, node) = self.file(&shown)?;
        let start = Span { file, line: 1, column: 1, length: 1 };
        let span = node.span;
        let Value::Map(mut map) = node.value else {
            let problem = if node.is_null() {
                Diagnostic::error("empty", "the manifest is empty").hint("start with `version: 1` and `project: NAME`")
            } else {
                Diagnostic::error("wrong-type", format!("a manifest is a map, not {}", node.kind()))
                    .hint("start with `version: 1` and `project: NAME`")
            };
            self.at(if matches!(node.value, Value::Null) { start } else { span }, problem);
            return None;
        };
        self.cover(&map);
        if map.get("version").is_none()
            && map.get("project").is_none()
            && map.entries.iter().all(|entry| OF_PARTS.contains(&&*entry.key))
        {
            let problem = roots::part_as_root(&shown);
            self.at(start, problem);
            return None;
        }
        self.version(&map, start)?;
        let part = self.sections(&mut map, None);
        let target_defaults = part.1;
        let targets = map.take("targets").filter(|entry| !entry.node.is_null()).map(|entry| self.targets(entry));
        let targets = targets.filter(|targets| !targets.is_empty());
        let (policy, limits, freeze) = (map.take("policy"), map.take("limits"), map.take("freeze"));
        let acknowledge = map.take("acknowledge");
        let (mut head, include) = self.head(&Node::new(span, Value::Map(map)), start);
        if let Some(entry) = policy {
            // A manifest without targets has one without a name.
            let names: Vec<&str> =
                targets.as_ref().map_or(vec![""], |targets| targets.iter().map(|entry| entry.key.as_str()).collect());
            head.policy = rules::rules(&self.sources, &entry, Some(&names), &mut self.found);
        }
        if let Some(entry) = limits {
            head.limits = limits::read(&self.sources, &entry, &mut self.found);
        }
        if let Some(entry) = freeze {
            head.freezes = freeze::read(&self.sources, &entry, &mut self.found);
        }
        if let Some(entry) = acknowledge {
            head.acknowledged = acknowledge::read(&self.sources, &entry, &mut self.found);
        }
        let folder = shown.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut document = Document {
            sources: Sources::default(),
            path: shown.clone(),
            tree: folder,
            head,
            target_defaults,
            targets,
            parts: vec![part.0],
        };
        self.parts(&mut document, &shown, &include);
        self.handles(&document);
        Some(document)
    }

    /// Takes `defaults`, `functions`, `secrets` and `select` out of a file. The second value is what targets inherit.
    fn sections(&mut self, map: &mut Map, root: Option<&Part>) -> (Part, Option<Node>) {
        let (mut functions, mut secrets, mut targets) = (None, None, None);
        if let Some(defaults) = map.take("defaults").filter(|entry| !entry.node.is_null()) {
            self.check_defaults(&defaults, root.is_some());
            if let Value::Map(mut defaults) = defaults.node.value {
                let mut section =
                    |name: &str| defaults.take(name).map(|entry| entry.node).filter(|node| node.map().is_some());
                functions = section("functions");
                secrets = section("secrets");
                targets = section("targets");
            }
        }
        let over = |own: Option<Node>, base: Option<&Node>| match (own, base) {
            (Some(own), base) => Some(merge(base, &own)),
            (None, base) => base.cloned(),
        };
        let part = Part {
            function_defaults: over(functions, root.and_then(|root| root.function_defaults.as_ref())),
            secret_defaults: over(secrets, root.and_then(|root| root.secret_defaults.as_ref())),
            functions: self.entries(map, "functions"),
            secrets: self.entries(map, "secrets"),
            select: self.entries(map, "select"),
        };
        (part, targets)
    }

    fn entries(&mut self, map: &mut Map, section: &str) -> Vec<Entry> {
        let Some(entry) = map.take(section).filter(|entry| !entry.node.is_null()) else { return Vec::new() };
        let span = entry.node.span;
        match entry.node.value {
            Value::Map(map) => map.entries.into_iter().map(|entry| self.entry(entry, section)).collect(),
            value => {
                let problem = wrong_type(&[section], &Node::new(span, value), "a map");
                self.at(span, problem);
                Vec::new()
            }
        }
    }

    /// An entry without a value is an entry without fields.
    fn entry(&mut self, mut entry: Entry, section: &str) -> Entry {
        if let Err(reason) = names::handle(&entry.key, section == "secrets") {
            let problem = if entry.key.contains("${") {
                Diagnostic::error(
                    "variable-in-key",
                    format!("variables aren't replaced in keys, as in `{}`", entry.key),
                )
                .hint("the key is the stable handle; write the variable into `name`")
            } else if section == "select" {
                Diagnostic::error("handle", reason)
                    .hint("the key names the rule; `match` says which secrets it is about")
            } else {
                Diagnostic::error("handle", reason)
                    .hint("the key is the stable handle; `name` says what it is called on AWS")
            };
            self.at(entry.at, problem);
        }
        if entry.node.is_null() {
            entry.node.value = Value::Map(Map::new(Vec::new(), entry.at.line));
        } else if entry.node.map().is_none() {
            let problem = wrong_type(&[&entry.key], &entry.node, "a map");
            self.at(entry.node.span, problem);
            entry.node.value = Value::Map(Map::new(Vec::new(), entry.at.line));
        }
        entry
    }

    /// Fields of `defaults` that mean nothing, whether or not anything inherits them.
    fn check_defaults(&mut self, entry: &Entry, of_part: bool) {
        let (_, misfits) = typed::read::<DefaultsFile>(&entry.node);
        for misfit in misfits {
            let path: Vec<&str> = misfit.path.iter().map(String::as_str).collect();
            match misfit.kind {
                MisfitKind::Unknown(known) => {
                    let span = entry.node.key_span(&path).unwrap_or(entry.at);
                    // In the words of the entries that inherit it, so that it is said once.
                    let within = if path.len() > 1 { &path[1..] } else { &path[..] };
                    self.at(span, unknown_field(within, &known));
                }
                MisfitKind::Wrong(wanted) if path.len() <= 1 => {
                    let node = entry.node.deepest(&path);
                    let named = if path.is_empty() { vec!["defaults"] } else { path.clone() };
                    let problem = wrong_type(&named, node, &wanted);
                    self.at(node.span, problem);
                }
                // Values may still hold variables: they are checked where they are inherited.
                _ => {}
            }
        }
        if let Some(at) = entry.node.key_span(&["functions", "existing"]) {
            self.at(
                at,
                Diagnostic::error("existing-default", "`existing` can't be inherited: it names one function")
                    .hint("write it on the function's own entry"),
            );
        }
        if of_part && let Some(at) = entry.node.key_span(&["targets"]) {
            self.at(
                at,
                Diagnostic::error("part-field", "a part has no targets: their defaults stand in the root manifest"),
            );
        }
    }

    fn targets(&mut self, entry: Entry) -> Vec<Entry> {
        let span = entry.node.span;
        match entry.node.value {
            Value::Map(map) if map.entries.is_empty() => {
                self.at(
                    entry.at,
                    Diagnostic::error("no-targets", "`targets` names no target")
                        .hint("remove it to use AWS's environment, or name one"),
                );
                Vec::new()
            }
            Value::Map(map) => map.entries.into_iter().map(|target| self.target(target)).collect(),
            value => {
                let mut problem = wrong_type(&["targets"], &Node::new(span, value), "a map");
                problem.hints = vec![format!("each target has a name of your choice: {A_TARGET}")];
                self.at(span, problem);
                Vec::new()
            }
        }
    }

    fn target(&mut self, mut target: Entry) -> Entry {
        if !names::is_target(&target.key) {
            let problem = Diagnostic::error(
                "target-name",
                format!("`{}` is no target's name: lower-case letters, digits and `-`", target.key),
            );
            let lower = target.key.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
            let problem = if names::is_target(&lower) { problem.hint(format!("write `{lower}`")) } else { problem };
            self.at(target.at, problem);
        }
        if target.node.map().is_none() {
            if !target.node.is_null() {
                let mut problem = wrong_type(&[&target.key], &target.node, "a map");
                if OF_TARGETS.contains(&target.key.as_str()) {
                    problem.hints =
                        vec![format!("`{}` stands inside of a target, which has a name: {A_TARGET}", target.key)];
                }
                self.at(target.node.span, problem);
            }
            target.node.value = Value::Map(Map::new(Vec::new(), target.at.line));
        }
        target
    }

    fn parts(&mut self, document: &mut Document, root: &Path, include: &[(String, Span)]) {
        let folder = document.tree.clone();
        let mut seen: HashSet<PathBuf> = HashSet::new();
        if let Some((_, at)) = include.get(MAX_PATTERNS) {
            let problem = Diagnostic::error("include", format!("there are more than {MAX_PATTERNS} patterns"))
                .hint("one pattern with `*` matches many files");
            self.at(*at, problem);
            return;
        }
        for (pattern, at) in include {
            let matcher = match include::check(pattern) {
                Ok(matcher) => matcher,
                Err(reason) => {
                    let shown = suggest::brief(pattern);
                    self.at(*at, Diagnostic::error("include", format!("`{shown}` can't be included: {reason}")));
                    continue;
                }
            };
            let found = include::find(&folder, pattern, &matcher, &|folder| self.sources.list(folder));
            for link in &found.links {
                self.at(
                    *at,
                    Diagnostic::error("include", format!("`{}` is a link, and links aren't followed", link.display()))
                        .hint("include the file where it is"),
                );
            }
            let files: Vec<PathBuf> = found.files.into_iter().filter(|file| folder.join(file) != *root).collect();
            if files.is_empty() && found.links.is_empty() {
                let problem = Diagnostic::error("include", format!("no file matches `{pattern}`"))
                    .because("a part that goes missing would end what it declared")
                    .hint("remove the pattern, or correct it; patterns are relative to the root manifest");
                self.at(*at, problem);
            }
            for file in files {
                if seen.insert(file.clone()) {
                    self.part(document, &folder.join(file));
                }
            }
        }
    }

    fn part(&mut self, document: &mut Document, path: &Path) {
        let Some((file, node)) = self.file(path) else { return };
        let span = node.span;
        let Value::Map(mut map) = node.value else {
            if node.is_null() {
                let start = Span { file, line: 1, column: 1, length: 1 };
                self.at(start, Diagnostic::warning("empty", "this part is empty"));
            } else {
                self.at(span, Diagnostic::error("wrong-type", format!("a part is a map, not {}", node.kind())));
            }
            return;
        };
        let variables = self.cover(&map);
        let targets = document.targets.iter().flatten().map(|entry| &entry.node).chain(&document.target_defaults);
        self.sources.mask(&targets.flat_map(|target| private::used(target, &variables)).collect::<Vec<_>>());
        let (part, _) = self.sections(&mut map, document.parts.first());
        for entry in &map.entries {
            let of_root = [
                "version",
                "requires",
                "project",
                "renamed_from",
                "include",
                "targets",
                "prune",
                "removed",
                "limits",
                "policy",
                "freeze",
                "acknowledge",
            ];
            let problem = if of_root.contains(&&*entry.key) {
                Diagnostic::error(
                    "part-field",
                    format!(
                        "`{}` stands in a root manifest only, and this is a part of `{}`",
                        entry.key,
                        document.path.display()
                    ),
                )
                .hint("a part holds `defaults`, `functions`, `secrets` and `select`")
            } else {
                unknown_field(&[&entry.key], &OF_PARTS.map(str::to_owned))
            };
            self.at(entry.at, problem);
        }
        document.parts.push(part);
    }

    /// Handles are unique over all parts; within a file they are keys of one map.
    fn handles(&mut self, document: &Document) {
        if document.parts.len() < 2 {
            return;
        }
        let all = [(model::Kind::Function, "function"), (model::Kind::Secret, "secret"), (model::Kind::Select, "rule")];
        for (of_kind, kind) in all {
            let mut seen: HashMap<&str, Span> = HashMap::new();
            for entry in document.parts.iter().flat_map(|part| part.entries(of_kind)) {
                if let Some(first) = seen.insert(&entry.key, entry.at).filter(|first| first.file != entry.at.file) {
                    let mut problem = Diagnostic::error(
                        "duplicate-handle",
                        format!("the {kind} `{}` stands in two files", entry.key),
                    );
                    problem.related.push((self.sources.position(first), "the first one".to_owned()));
                    self.at(entry.at, problem);
                }
            }
        }
    }
}
