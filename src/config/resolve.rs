//! Entries × targets → [`Desired`]: defaults under each entry once, variables and checks once a target.

mod duplicates;
mod patterns;

use std::collections::{HashMap, HashSet};

use super::MAX_GATHERED;
use super::document::{Document, Part};
use super::merge::merge;
use super::node::{Entry, Node, Value};
use super::parse::measure;
use super::scene::Scene;
use super::source::Span;
use super::targets::{self, Destination};
use super::variables::{Substitution, Used};
use super::{Ambient, code, functions, secrets, select, suggest};
use crate::diagnostic::Diagnostic;
use crate::model::near::did_you_mean;
use crate::model::{self, Address, Desired};
use duplicates::Named;
pub(super) use duplicates::duplicates;
use patterns::{matches, unknown_target};

/// How many functions and secrets all targets may have together. Each takes memory, and a short manifest can name millions.
const MAX_RESOURCES: usize = 2_000_000;

/// How much defaults may add to all entries in all targets: in values, or in 64 bytes of text.
const MAX_INHERITED: usize = 30_000_000;

/// What came of resolving.
pub(super) struct Resolution {
    /// One for each target; `None` where AWS's environment plays a part and wasn't known.
    pub desired: Vec<Option<Resolved>>,
    pub targets: Vec<model::Target>,
    pub found: Vec<Diagnostic>,
    /// The names on AWS, to be compared between handles, targets and manifests.
    names: Vec<Named>,
    places: Vec<(Option<String>, Option<String>)>,
}

/// The desired state of a target, and where it holds.
pub(super) struct Resolved {
    pub desired: Desired,
    /// The only partition that it is right for; `None`: any.
    partition: Option<String>,
}

impl Resolved {
    /// Whether it is right for a region; `None`: it isn't known which.
    pub fn holds_in(&self, region: Option<&str>) -> bool {
        self.partition.as_ref().is_none_or(|only| only == targets::partition_in(region))
    }
}

/// Resolves all targets, or `only` one.
pub(super) fn resolve(document: &Document, ambient: Option<&Ambient>, only: Option<usize>) -> Resolution {
    let (places, found) = targets::places(document, ambient, only);
    let stated = places.iter().map(|place| place.stated.clone()).collect();
    let targets = places.iter().map(|place| place.target.clone()).collect();
    let desired = places.iter().map(|place| empty(document, place)).collect();
    let mut resolved = Resolver {
        document,
        all: document.targets.iter().flatten().map(|entry| entry.key.as_str()).collect(),
        places,
        desired,
        found,
        looked_at: 0,
        has_errors: false,
        names: Vec::new(),
        patterns: HashMap::new(),
        functions: HashMap::new(),
        near: HashMap::new(),
        declared: None,
        common: secrets::Common::default(),
        code: code::Checked::default(),
        only,
    };
    if let Some(problem) = resolved.too_much() {
        resolved.found.push(problem);
    } else {
        resolved.removed();
        for part in &document.parts {
            resolved.functions(part);
        }
        for part in &document.parts {
            resolved.secrets(part);
        }
        for part in &document.parts {
            resolved.select(part);
        }
    }
    let Resolver { desired, found, names, places, .. } = resolved;
    let keep = |(place, desired): (&Destination, Desired)| {
        let used = place.scope.used();
        let partition = (used != Used::Nothing).then(|| place.partition.clone());
        (ambient.is_some() || used <= Used::Partition).then_some(Resolved { desired, partition })
    };
    let desired = places.iter().zip(desired).map(keep).collect();
    Resolution { desired, targets, found, names, places: stated }
}

fn empty(document: &Document, place: &Destination) -> Desired {
    let head = &document.head;
    let mine = |removed: &&super::document::Removed| removed.target.is_none() || removed.target == place.target.name;
    let removed_names = head
        .removed
        .iter()
        .filter(mine)
        .flat_map(|removed| names_of_removed(document, place, removed).into_iter().map(|name| (removed.kind, name)))
        .collect();
    let removed = head
        .removed
        .iter()
        .filter(mine)
        .map(|removed| Address::new(place.target.name.as_deref(), removed.kind, removed.handle.clone()))
        .collect();
    Desired {
        project: head.project.clone(),
        renamed_from: head.renamed_from.clone(),
        prune: head.prune,
        target: place.target.clone(),
        removed,
        removed_names,
        ..Desired::default()
    }
}

/// The names on AWS that a handle without an entry had: what the defaults of any part make of it, or the handle itself.
fn names_of_removed(document: &Document, place: &Destination, removed: &super::document::Removed) -> Vec<String> {
    let mut names = vec![removed.handle.clone()];
    for part in &document.parts {
        let (defaults, fields): (_, &[&str]) = match removed.kind {
            model::Kind::Secret => (part.secret_defaults.as_ref(), &["name"]),
            _ => (part.function_defaults.as_ref(), &["name", "stack"]),
        };
        for field in fields {
            let Some(mut node) = defaults.and_then(|defaults| defaults.child(field)).cloned() else { continue };
            let mut substitution = Substitution {
                sources: &document.sources,
                scope: &place.scope,
                key: Some(&removed.handle),
                problems: Vec::new(),
                keeps_port: false,
            };
            substitution.apply(&mut node);
            // A default that can't be read is reported where an entry uses it.
            if substitution.problems.is_empty()
                && let Some(name) = node.text()
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// An entry over what it inherits: an `existing` function inherits nothing.
pub(super) fn inherited(part: &Part, entry: &Entry, kind: model::Kind) -> Node {
    let existing = || entry.node.child("existing").is_some_and(|node| !node.is_null());
    let defaults = match kind {
        model::Kind::Secret => part.secret_defaults.as_ref(),
        model::Kind::Select => {
            let defaults = part.secret_defaults.as_ref().map(select::inherited);
            return merge(defaults.as_ref(), &entry.node);
        }
        _ if existing() => None,
        _ => part.function_defaults.as_ref(),
    };
    merge(defaults, &entry.node)
}

struct Resolver<'a> {
    document: &'a Document,
    /// The names of all targets, also where only one is resolved.
    all: Vec<&'a str>,
    places: Vec<Destination>,
    desired: Vec<Desired>,
    found: Vec<Diagnostic>,
    /// How many of `found` were looked at for errors, and whether one is among them.
    looked_at: usize,
    has_errors: bool,
    names: Vec<Named>,
    /// Which targets a pattern matches, by position among all.
    patterns: HashMap<String, Result<Vec<usize>, String>>,
    /// The handles of functions, and the targets that they are in.
    functions: HashMap<&'a str, Vec<usize>>,
    /// What was probably meant by a function's handle that isn't there.
    near: HashMap<String, Option<&'a str>>,
    /// The functions that are there, in words.
    declared: Option<String>,
    common: secrets::Common,
    code: code::Checked,
    only: Option<usize>,
}

impl<'a> Resolver<'a> {
    fn count(&self) -> usize {
        self.all.len().max(1)
    }

    /// Where a target stands among those that are resolved.
    fn position(&self, target: usize) -> Option<usize> {
        match self.only {
            Some(only) => (only == target).then_some(0),
            None => Some(target),
        }
    }

    /// Whether the manifest means more than can be held, as far as that can be said before anything is resolved.
    fn too_much(&self) -> Option<Diagnostic> {
        let targets = if self.only.is_some() { 1 } else { self.count() };
        let (mut resources, mut inherited) = (0_usize, 0_usize);
        for part in &self.document.parts {
            for (entries, defaults) in [
                (&part.functions, &part.function_defaults),
                (&part.secrets, &part.secret_defaults),
                (&part.select, &part.secret_defaults),
            ] {
                let stated = |node: &Node| node.child("targets").is_some();
                let everywhere = !defaults.as_ref().is_some_and(stated);
                // An entry that states its targets is in one of them at least.
                let count: usize =
                    entries.iter().map(|entry| if everywhere && !stated(&entry.node) { targets } else { 1 }).sum();
                resources = resources.saturating_add(count);
                let size = defaults.as_ref().map_or(0, |node| measure(node).0);
                inherited = inherited.saturating_add(count.saturating_mul(size));
            }
        }
        if resources > MAX_RESOURCES {
            let summary = format!("the manifest means {resources} functions and secrets in all its targets");
            return Some(
                Diagnostic::error("too-much", summary)
                    .because(format!("at most {MAX_RESOURCES} are read"))
                    .hint("divide it into several manifests"),
            );
        }
        (inherited > MAX_INHERITED).then(|| {
            Diagnostic::error("too-much", "defaults multiply the manifest beyond what is read")
                .because(format!("all that entries inherit is more than {MAX_INHERITED} values, or texts as long"))
                .hint("use shorter defaults, or divide it into several manifests")
        })
    }

    fn removed(&mut self) {
        let document = self.document;
        let mut entries: HashMap<(model::Kind, &str), Span> = HashMap::new();
        // Of a handle that stands twice, the first.
        for part in document.parts.iter().rev().filter(|_| !document.head.removed.is_empty()) {
            let all = [(model::Kind::Secret, &part.secrets), (model::Kind::Function, &part.functions)];
            for (kind, of_kind) in all {
                entries.extend(of_kind.iter().rev().map(|entry| ((kind, entry.key.as_str()), entry.at)));
            }
        }
        let targets: HashSet<&str> = self.all.iter().copied().collect();
        for removed in &document.head.removed {
            if let Some(first) = entries.get(&(removed.kind, removed.handle.as_str())).copied() {
                let summary =
                    format!("`{}.{}` is let go of here, and still declared", removed.kind.word(), removed.handle);
                let mut problem = Diagnostic::error("removed", summary)
                    .at(document.sources.position(removed.at))
                    .hint("remove one of the two");
                problem.related.push((document.sources.position(first), "declared here".to_owned()));
                self.found.push(problem);
            }
            if let Some(target) = removed.target.as_deref().filter(|target| !targets.contains(target)) {
                let problem = unknown_target(target, &self.all, document.sources.may_suggest());
                let problem = problem.at(document.sources.position(removed.at));
                self.found.push(problem);
            }
        }
    }

    /// The entry over its defaults, and the targets that it is in.
    fn prepare(&mut self, part: &Part, entry: &Entry, kind: model::Kind) -> (Node, Vec<usize>) {
        let merged = inherited(part, entry, kind);
        let kind = kind.word();
        let end = entry.node.map().map_or(entry.at.line, |map| map.end).max(entry.at.line);
        let Some(Value::List(patterns)) = merged.child("targets").map(|node| &node.value) else {
            return (merged, (0..self.count()).collect());
        };
        let mut scene = Scene {
            sources: &self.document.sources,
            kind,
            key: &entry.key,
            at: entry.at,
            end,
            merged: &merged,
            incomplete: false,
            found: Vec::new(),
        };
        let mut targets = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let Some(text) = pattern.text() else { continue };
            let all = &self.all;
            let matched = self.patterns.entry(text.to_owned()).or_insert_with(|| matches(text, all));
            match matched {
                Ok(matched) if !matched.is_empty() => targets.extend(matched.iter().copied()),
                Ok(_) => scene.report(
                    &["targets", &index.to_string()],
                    unknown_target(text, all, self.document.sources.may_suggest()),
                ),
                Err(reason) => {
                    scene.report(&["targets", &index.to_string()], Diagnostic::error("targets", reason.clone()));
                }
            }
        }
        if patterns.is_empty() {
            scene.report(
                &["targets"],
                Diagnostic::error("targets", "`targets` is empty: the entry would be in no target")
                    .hint("remove it to mean all of them"),
            );
        }
        targets.sort_unstable();
        targets.dedup();
        self.found.append(&mut scene.found);
        drop(scene);
        (merged, targets)
    }

    /// Replaces variables for one target and runs a check; what it finds is gathered over the targets.
    fn each<T>(
        &mut self,
        entry: &Entry,
        merged: Node,
        targets: &[usize],
        kind: &'static str,
        mut check: impl FnMut(&mut Self, &mut Scene<'_>, usize) -> Option<T>,
        mut keep: impl FnMut(&mut Self, usize, T),
    ) {
        let document = self.document;
        let end = entry.node.map().map_or(entry.at.line, |map| map.end).max(entry.at.line);
        let mut gathered: Vec<(usize, Diagnostic)> = Vec::new();
        let positions: Vec<usize> = targets.iter().filter_map(|target| self.position(*target)).collect();
        let mut template = Some(merged);
        for (turn, position) in positions.iter().enumerate() {
            // The last target takes the template itself.
            let next = if turn + 1 == positions.len() { template.take() } else { template.clone() };
            let Some(mut node) = next else { continue };
            let mut substitution = Substitution {
                sources: &document.sources,
                scope: &self.places[*position].scope,
                key: Some(&entry.key),
                problems: Vec::new(),
                keeps_port: false,
            };
            substitution.apply_entry(&mut node);
            let problems = substitution.problems;
            let mut scene = Scene {
                sources: &document.sources,
                kind,
                key: &entry.key,
                at: entry.at,
                end,
                merged: &node,
                incomplete: !problems.is_empty(),
                found: Vec::new(),
            };
            for (span, problem) in problems {
                scene.push(span, None, problem);
            }
            let value = check(self, &mut scene, *position);
            gathered.extend(scene.found.into_iter().map(|problem| (*position, problem)));
            if let Some(value) = value {
                keep(self, *position, value);
            }
        }
        self.gather(gathered, positions.len());
    }

    /// A problem that holds in all targets of an entry is said once; else with the targets that it holds in.
    fn gather(&mut self, gathered: Vec<(usize, Diagnostic)>, of: usize) {
        let mut merged: Vec<(Vec<usize>, Diagnostic)> = Vec::new();
        for (position, problem) in gathered {
            match merged.iter_mut().find(|(_, known)| {
                known.check == problem.check && known.summary == problem.summary && known.position == problem.position
            }) {
                // They come in their order.
                Some((positions, _)) if positions.last() == Some(&position) => {}
                Some((positions, _)) => positions.push(position),
                None => merged.push((vec![position], problem)),
            }
        }
        for (positions, mut problem) in merged {
            if positions.len() < of {
                problem.targets =
                    positions.iter().filter_map(|position| self.places[*position].target.name.clone()).collect();
            }
            self.found.push(problem);
        }
    }

    /// Whether so much is wrong that reading on is no use. Warnings alone end nothing: too many are dropped, and
    /// what was left out because of them would look as if it were gone.
    fn is_enough(&mut self) -> bool {
        self.has_errors |= self.found[self.looked_at..].iter().any(Diagnostic::is_error);
        if !self.has_errors {
            self.found.truncate(MAX_GATHERED);
        }
        self.looked_at = self.found.len();
        self.has_errors && self.found.len() >= MAX_GATHERED
    }

    fn functions(&mut self, part: &'a Part) {
        for entry in &part.functions {
            if self.is_enough() {
                return;
            }
            let (merged, targets) = self.prepare(part, entry, model::Kind::Function);
            self.functions.entry(&entry.key).or_insert_with(|| targets.clone());
            self.each(
                entry,
                merged,
                &targets,
                "function",
                |resolver, scene, position| {
                    functions::read(
                        scene,
                        &entry.key,
                        &resolver.places[position],
                        resolver.document,
                        &mut resolver.code,
                    )
                },
                |resolver, position, function| {
                    let existing = function.deployment().is_none();
                    let name = resolver.places[position].function_name(&function);
                    resolver.name("function", name, position, entry, existing);
                    if let Some(deployment) = function.deployment() {
                        resolver.name("stack", deployment.stack.clone(), position, entry, false);
                    }
                    resolver.place(model::Kind::Function, position, entry);
                    resolver.desired[position].functions.insert(entry.key.clone(), function);
                },
            );
        }
    }

    fn secrets(&mut self, part: &'a Part) {
        for entry in &part.secrets {
            if self.is_enough() {
                return;
            }
            let (merged, targets) = self.prepare(part, entry, model::Kind::Secret);
            self.each(
                entry,
                merged,
                &targets,
                "secret",
                |resolver, scene, position| {
                    let secret = secrets::read(scene, &entry.key, &resolver.places[position], &mut resolver.common)?;
                    resolver.check_function(scene, secret.function.as_deref(), position);
                    Some(secret)
                },
                |resolver, position, secret| {
                    let (name, may_be) = resolver.places[position].secret_name(&secret.name);
                    resolver.name("secret", name, position, entry, false);
                    if let Some(named) = resolver.names.last_mut() {
                        named.may_be = may_be;
                    }
                    resolver.place(model::Kind::Secret, position, entry);
                    resolver.desired[position].secrets.insert(entry.key.clone(), secret);
                },
            );
        }
    }

    fn select(&mut self, part: &'a Part) {
        for entry in &part.select {
            if self.is_enough() {
                return;
            }
            let (merged, targets) = self.prepare(part, entry, model::Kind::Select);
            self.each(
                entry,
                merged,
                &targets,
                "rule",
                |resolver, scene, position| {
                    let rule = select::read(scene, &mut resolver.common, &resolver.desired[position].secrets);
                    let function = scene.merged.child("function").and_then(Node::text);
                    resolver.check_function(scene, function, position);
                    rule
                },
                |resolver, position, rule| {
                    resolver.place(model::Kind::Select, position, entry);
                    resolver.desired[position].select.insert(entry.key.clone(), rule);
                },
            );
        }
    }

    /// A secret's function is a handle of a function that is in the same target.
    fn check_function(&mut self, scene: &mut Scene<'_>, function: Option<&str>, position: usize) {
        let Some(handle) = function else { return };
        let target = self.only.unwrap_or(position);
        let Some(targets) = self.functions.get(handle) else {
            let problem = Diagnostic::error("unknown-function", format!("there is no function `{handle}`"));
            // The same one is often wrong in many targets.
            if !self.near.contains_key(handle) {
                let may_suggest = self.document.sources.may_suggest();
                let near = may_suggest.then(|| suggest::nearest(handle, self.functions.keys().copied())).flatten();
                self.near.insert(handle.to_owned(), near);
            }
            let near = self.near.get(handle).copied().flatten();
            let by_name = self.desired[position]
                .functions
                .iter()
                .find(|(_, function)| function.name == model::arn::function_name(handle));
            let problem = match (by_name, near) {
                (Some((known, _)), _) => {
                    problem.hint(format!("write the handle, `{known}`: `{handle}` is its name on AWS"))
                }
                (None, Some(near)) => problem.hint(did_you_mean(&[near])),
                (None, None) if self.functions.is_empty() => {
                    problem.hint(format!("declare it: `functions: {{{handle}: {{existing: {handle}}}}}`"))
                }
                (None, None) => {
                    let functions = &self.functions;
                    let declared = self.declared.get_or_insert_with(|| {
                        let mut known: Vec<&str> = functions.keys().copied().collect();
                        known.sort_unstable();
                        suggest::list(known)
                    });
                    problem.hint(format!("declared here: {declared}"))
                }
            };
            scene.report(&["function"], problem);
            return;
        };
        // They are sorted.
        if targets.binary_search(&target).is_err() {
            let inside: Vec<&str> = targets.iter().filter_map(|target| self.all.get(*target).copied()).collect();
            let problem =
                Diagnostic::error("function-elsewhere", format!("the function `{handle}` isn't in this target"))
                    .because(format!(
                        "it is in {}",
                        if inside.is_empty() { "none".to_owned() } else { suggest::list(inside) }
                    ))
                    .hint("give both the same `targets`");
            scene.report(&["function"], problem);
        }
    }

    /// Remembers where an entry stands.
    fn place(&mut self, kind: model::Kind, position: usize, entry: &Entry) {
        let desired = &mut self.desired[position];
        let address = desired.address(kind, &entry.key);
        desired.places.insert(address, self.document.sources.bare_place(entry.at));
    }

    fn name(&mut self, kind: &'static str, name: String, place: usize, entry: &Entry, existing: bool) {
        let (handle, may_be) = (entry.key.clone(), Vec::new());
        self.names.push(Named { kind, name, may_be, place, handle, at: entry.at, existing });
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    /// Without it, a manifest with thousands of references that are nearly right would keep a pipeline busy for hours.
    #[test]
    fn of_very_many_mistakes_some_have_a_suggestion() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rotator.yaml");
        let hints = |text: &str| -> (usize, usize) {
            std::fs::write(&path, format!("version: 1\nproject: p\n{text}")).expect("a file");
            let problems = load(std::slice::from_ref(&path)).expect_err("mistakes").0;
            let hints = || problems.iter().flat_map(|problem| &problem.hints);
            (hints().count(), hints().filter(|hint| hint.starts_with("did you mean")).count())
        };
        let each = |number: usize, write: &dyn Fn(usize) -> String| (0..number).map(write).collect::<String>();
        let functions = each(200, &|i| format!("  Function{i}: {{existing: f{i}}}\n"));
        let secrets =
            each(200, &|i| format!("  s{i}: {{function: Funktion{i}, rotation: {{automatically_after_days: 30}}}}\n"));
        let references = format!("functions:\n{functions}secrets:\n{secrets}");
        assert_eq!(hints(&references), (200, 50));
        // One that is wrong in all targets is looked for once.
        let targets = each(100, &|i| format!("  target-{i}: {{region: us-east-1, account: \"{:012}\"}}\n", i + 1));
        let everywhere = "secrets:\n  s: {function: Funktion1, rotation: {automatically_after_days: 30}}\n";
        assert_eq!(hints(&format!("targets:\n{targets}functions:\n{functions}{everywhere}")), (1, 1));
        let elsewhere = each(100, &|i| format!("  s{i}: {{targets: [targat-{i}], rotation: {{enabled: false}}}}\n"));
        assert_eq!(hints(&format!("targets:\n{targets}secrets:\n{elsewhere}")), (100, 50));
    }
}
