//! YAML → [`Desired`](crate::model::Desired): file types, source positions, named checks, JSON Schema.
//!
//! A file becomes a tree that remembers where everything stands (`parse`, `node`). Defaults are merged and variables
//! replaced on trees (`merge`, `variables`), so that a wrong value is shown where it was written. Only then are entries
//! read into exact types (`typed`, `raw`), checked (`functions`, `secrets`, `targets`), and turned into the domain's.
//! Checks speak in paths; `scene` turns them into places. All problems are collected; nothing stops at the first.
//!
//! This folder knows nothing of AWS's state: whatever it says can be said offline.

mod acknowledge;
mod code;
mod credentials;
mod document;
mod explain;
mod freeze;
mod functions;
mod include;
mod limits;
mod lists;
mod merge;
mod names;
mod node;
mod parse;
mod policy_file;
mod private;
mod raw;
mod resolve;
mod roots;
mod rules;
pub mod runtimes;
mod scalar;
mod scene;
mod schema;
mod secrets;
mod select;
mod source;
mod suggest;
mod targets;
mod typed;
mod unsaid;
mod variables;
mod window;

/// Facts of AWS that the checks go by. The sandbox states them itself, so that it can't share a mistake: a test holds the two against
/// each other.
pub mod facts {
    pub use super::credentials::kind_of as credential;
    pub use super::functions::{MAX_ENVIRONMENT_BYTES, RESERVED};
    pub use super::names::{function_name, function_reference, handle, project_name, region, secret_name, stack_name};
}

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use credentials::kind_of as credential_kind;
pub use policy_file::{Policies, Policy, policies};
pub use schema::{json_schema, policy_schema};
pub use source::Fetch;

use crate::diagnostic::Diagnostic;
use crate::model::acknowledge::Acknowledgement;
use crate::model::explanation::Explanation;
use crate::model::freeze::Freeze;
use crate::model::rule::{Limits, Rule};
use crate::model::{self, Desired, Place};
use document::Document;
use resolve::{Resolution, Resolved};

/// What AWS's environment says where a manifest doesn't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ambient {
    /// The region of the environment or profile.
    pub region: Option<String>,
    /// The account that the credentials belong to.
    pub account: Option<String>,
}

/// All problems of the manifests that were loaded, sorted by file and position; warnings stand among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Diagnostic>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.0.iter().filter(|problem| problem.is_error()).count();
        match errors {
            1 => f.write_str("1 error in the manifest"),
            errors => write!(f, "{errors} errors in the manifest"),
        }
    }
}

impl std::error::Error for Problems {}

/// Manifests without errors.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of the paths.
    pub manifests: Vec<Manifest>,
    /// What is worth saying, sorted by file and position.
    pub warnings: Vec<Diagnostic>,
}

/// A root manifest with its parts, checked for every target.
pub struct Manifest {
    document: Document,
    targets: Vec<model::Target>,
    /// What was resolved on loading, where nothing of AWS's environment plays a part in it but its partition.
    resolved: Vec<Option<Resolved>>,
    /// Whether the rest of what was read was let go.
    released: bool,
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("path", &self.document.path)
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

/// Reads and checks root manifests with all their targets, before AWS is touched.
///
/// A folder means its `rotator.yaml`; no path at all means `rotator.yaml` in the working directory. Region, account and
/// partition have placeholder values where only AWS's environment knows them.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_with(paths, None)
}

/// As [`load`], of files that `fetch` brings to these paths before they are read.
pub fn load_fetched(paths: &[PathBuf], fetch: &Arc<dyn Fetch>) -> Result<Loaded, Problems> {
    load_with(paths, Some(fetch))
}

fn load_with(paths: &[PathBuf], fetch: Option<&Arc<dyn Fetch>>) -> Result<Loaded, Problems> {
    let default = [PathBuf::from("rotator.yaml")];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    let mut found = Vec::new();
    let mut manifests: Vec<(Manifest, Resolution)> = Vec::new();
    let mut seen = HashSet::new();
    for path in paths {
        let file = document::root_file(path);
        if !seen.insert(file.canonicalize().unwrap_or(file)) {
            continue;
        }
        let (document, problems) = document::read(path, fetch.cloned());
        found.extend(problems);
        let Some(document) = document else { continue };
        let mut resolution = resolve::resolve(&document, None, None);
        found.append(&mut resolution.found);
        let targets = resolution.targets.clone();
        let resolved = std::mem::take(&mut resolution.desired);
        manifests.push((Manifest { document, targets, resolved, released: false }, resolution));
    }
    found.extend(same_projects(&manifests));
    found.extend(resolve::duplicates(manifests.iter().map(|(manifest, resolution)| (&manifest.document, resolution))));
    let found = tidy(found);
    if found.iter().any(Diagnostic::is_error) {
        return Err(Problems(found));
    }
    Ok(Loaded { manifests: manifests.into_iter().map(|(manifest, _)| manifest).collect(), warnings: found })
}

/// Whether patterns of `include` take a file in as a part, by its path from the root's folder.
pub fn is_part(patterns: &[String], path: &Path) -> bool {
    let takes_in = |glob: crate::model::glob::Glob| glob.is_match(path);
    patterns.iter().any(|pattern| include::check(pattern).is_ok_and(takes_in))
}

/// A YAML text as manifests, parts and policies are read: what other readers of YAML can be held against.
pub fn value(text: &str) -> Result<serde_yaml::Value, Problems> {
    let sources = source::Sources::default();
    let file = sources.add(PathBuf::from("text"), text.to_owned(), false);
    parse::parse(&sources, file).map(|node| serde_yaml::Value::from(&node)).map_err(Problems)
}

/// Two roots with one project and one target would take each other's functions for orphans.
fn same_projects(manifests: &[(Manifest, Resolution)]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, (manifest, _)) in manifests.iter().enumerate() {
        for (other, _) in &manifests[..index] {
            let same = |a: &model::Target, b: &model::Target| {
                a.name == b.name || (a.account.is_some() && (&a.account, &a.region) == (&b.account, &b.region))
            };
            let shared = manifest.targets.iter().find(|target| other.targets.iter().any(|theirs| same(target, theirs)));
            if let Some(shared) =
                shared.filter(|_| manifest.project() == other.project() && !manifest.project().is_empty())
            {
                let place = shared
                    .name
                    .as_ref()
                    .map_or_else(|| "AWS's environment".to_owned(), |name| format!("the target `{name}`"));
                found.push(
                    Diagnostic::error(
                        "same-project",
                        format!(
                            "`{}` and `{}` are both the project `{}` in {place}",
                            other.path().display(),
                            manifest.path().display(),
                            manifest.project()
                        ),
                    )
                    .because("each would take what the other declares for orphans")
                    .hint("name the projects differently, or make one of the files a part of the other with `include`"),
                );
            }
        }
    }
    found
}

/// How many problems are gathered before looking for more ends: their lines and words take memory.
const MAX_GATHERED: usize = 20_000;

/// How many problems are told: more than people read, and few enough for every pipeline's log.
const MAX_TOLD: usize = 1_000;

/// The longest text in a problem, in characters.
const MAX_TEXT: usize = 1_000;

/// Sorted by file and position; what is wrong once, in a default, is said once and not for each entry that inherits it.
fn tidy(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut kept: Vec<(Diagnostic, usize)> = Vec::new();
    for mut problem in found {
        let texts = problem.detail.iter_mut().chain(&mut problem.hints).chain(std::iter::once(&mut problem.summary));
        texts.for_each(|text| {
            redact(text);
            shorten(text);
        });
        let place = problem.position.as_ref().map(|position| (position.file.clone(), position.line, position.column));
        let key = (place, problem.check, problem.summary.clone(), problem.targets.clone());
        match seen.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push((problem, 0));
            }
            Entry::Occupied(occupied) => {
                let (first, more) = &mut kept[*occupied.get()];
                if !first.related.is_empty() && first.related != problem.related {
                    *more += 1;
                }
            }
        }
    }
    let counted = |(mut problem, more): (Diagnostic, usize)| {
        let also = match more {
            0 => return problem,
            1 => "one more entry inherits it".to_owned(),
            more => format!("{more} more entries inherit it"),
        };
        problem.detail = Some(problem.detail.map_or_else(|| also.clone(), |detail| format!("{detail}; {also}")));
        problem
    };
    let mut found: Vec<Diagnostic> = kept.into_iter().map(counted).collect();
    found.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.severity.cmp(&b.severity)));
    if found.len() > MAX_TOLD {
        // Errors before warnings: none may go unsaid for the sake of a warning.
        found.sort_by_key(|problem| problem.severity);
        let more = found.len() - MAX_TOLD;
        let severity = found[MAX_TOLD].severity;
        found.truncate(MAX_TOLD);
        found.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.severity.cmp(&b.severity)));
        let summary = format!("at least {more} more problems aren't listed");
        let last = Diagnostic::error("more-problems", summary).hint("mend these, and look again");
        found.push(Diagnostic { severity, ..last });
    }
    // One way out for all that can't be said of functions: it is told once.
    let mut told = false;
    for problem in &mut found {
        problem.hints.retain(|hint| hint != unsaid::BY_OTHER_MEANS || !std::mem::replace(&mut told, true));
    }
    found
}

/// A message may quote what stands in a file, which may be of any length.
fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
}

/// A value that is quoted in a message and looks like a credential, in whatever field it stands, is not repeated.
fn redact(text: &mut String) {
    if credentials::kind_of(text).is_some() {
        let parts = text.split('`').map(|part| if credentials::kind_of(part).is_some() { "…" } else { part });
        *text = parts.collect::<Vec<_>>().join("`");
    }
}

impl Ambient {
    /// What stands for an account and a region that only AWS's environment knows, where it isn't asked.
    pub fn placeholders() -> Self {
        Self { region: Some(targets::ANY_REGION.to_owned()), account: Some(targets::ANY_ACCOUNT.to_owned()) }
    }

    /// The region, unless it only stands for one.
    fn known_region(&self) -> Option<&String> {
        let placeholders = Self::placeholders();
        self.region
            .as_ref()
            .filter(|region| self.account != placeholders.account || Some(*region) != placeholders.region.as_ref())
    }
}

impl Manifest {
    /// The root file, as the user gave it.
    pub fn path(&self) -> &Path {
        &self.document.path
    }

    /// All files that were read, as the user would name them, with their texts: the root, its parts, and the variables' files.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        self.document.sources.all().iter().map(|source| (source.shown.clone(), source.text.clone())).collect()
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.document.head.project
    }

    /// The rules of its own `policy`.
    pub fn policy(&self) -> &[Rule] {
        &self.document.head.policy
    }

    /// Its `limits`.
    pub fn limits(&self) -> &Limits {
        &self.document.head.limits
    }

    /// Its own `freeze`.
    pub fn freezes(&self) -> &[Freeze] {
        &self.document.head.freezes
    }

    /// Its `acknowledge`.
    pub fn acknowledged(&self) -> &[Acknowledgement] {
        &self.document.head.acknowledged
    }

    /// A place of an entry with its line, where that may be shown.
    pub fn with_line(&self, place: &Place) -> Place {
        self.document.sources.with_line(place)
    }

    /// The targets in the manifest's order; a single one without a name where it has no `targets`.
    ///
    /// Region and account are those that the manifest states.
    pub fn targets(&self) -> &[model::Target] {
        &self.targets
    }

    /// Its `include`, as it stands.
    pub fn includes(&self) -> &[String] {
        &self.document.head.includes
    }

    /// The handles of all entries of a kind, in whatever target they are.
    ///
    /// Nothing once the manifest was released: ask before.
    pub fn handles(&self, kind: model::Kind) -> BTreeSet<String> {
        let of_part = |part: &document::Part| -> Vec<String> {
            part.entries(kind).iter().map(|entry| entry.key.clone()).collect()
        };
        self.document.parts.iter().flat_map(of_part).collect()
    }

    /// What the root's own defaults state of a function or a secret, by name: `timeout`, `rotation`, `rotation.duration`.
    ///
    /// Nothing once the manifest was released: ask before.
    pub fn default_fields(&self, kind: model::Kind) -> BTreeSet<String> {
        let root = self.document.parts.first();
        let defaults = match kind {
            model::Kind::Secret => root.and_then(|root| root.secret_defaults.as_ref()),
            _ => root.and_then(|root| root.function_defaults.as_ref()),
        };
        let mut fields = BTreeSet::new();
        for entry in defaults.and_then(node::Node::map).into_iter().flat_map(|map| &map.entries) {
            let below = entry.node.map().into_iter().flat_map(|map| &map.entries);
            fields.extend(below.map(|inner| format!("{}.{}", entry.key, inner.key)));
            fields.insert(entry.key.clone());
        }
        fields
    }

    /// Frees what is needed only to resolve targets again, where every one is resolved as it must be in each of these regions, of which
    /// `None` is an unknown one: half the memory of a large manifest. Nothing can be explained after that, nor resolved for a region of
    /// another partition.
    pub fn release<'r>(&mut self, regions: impl IntoIterator<Item = Option<&'r str>>) {
        let holds = |region| self.resolved.iter().all(|target| target.as_ref().is_some_and(|one| one.holds_in(region)));
        self.released = regions.into_iter().all(holds);
        if self.released {
            self.document.parts = Vec::new();
        }
    }

    /// Where each effective value of a function or secret of one target came from; `None` where the target doesn't have it.
    pub fn explain(
        &self,
        target: usize,
        ambient: &Ambient,
        kind: model::Kind,
        handle: &str,
    ) -> Result<Option<Explanation>, Problems> {
        let desired = self.resolve(target, ambient)?;
        let (places, _) = targets::places(&self.document, Some(ambient), Some(target));
        Ok(places.first().and_then(|place| explain::explain(&self.document, place, &desired, kind, handle)))
    }

    /// The texts that a target's variables stand for, by name; what AWS's environment says among them, and nothing sensitive.
    pub fn variables(&self, target: usize, ambient: &Ambient) -> BTreeMap<String, String> {
        let (places, _) = targets::places(&self.document, Some(ambient), Some(target));
        places.first().map(|place| place.scope.texts()).unwrap_or_default()
    }

    /// Whether a target has a function or a secret.
    pub fn has_entries(&self, target: usize, ambient: &Ambient) -> bool {
        let has_some = |desired: &Desired| !desired.is_empty();
        match self.resolved.get(target).and_then(Option::as_ref) {
            Some(resolved) => has_some(&resolved.desired),
            None => self.resolve(target, ambient).is_ok_and(|desired| has_some(&desired)),
        }
    }

    /// The desired state of one target. What AWS's environment says fills `${region}` and `${account}` where the manifest
    /// doesn't state them, and the target's region.
    pub fn resolve(&self, target: usize, ambient: &Ambient) -> Result<Desired, Problems> {
        let resolved = self.resolved.get(target).and_then(Option::as_ref);
        if let Some(resolved) = resolved.filter(|resolved| resolved.holds_in(ambient.region.as_deref())) {
            let mut desired = resolved.desired.clone();
            if desired.target.region.is_none() {
                desired.target.region.clone_from(&ambient.region);
            }
            return Ok(desired);
        }
        if self.released {
            let problem =
                Diagnostic::error("target", "the region of AWS's environment has changed since the manifest was read");
            return Err(Problems(vec![problem.hint("run it again, or state the target's `region`")]));
        }
        let mut resolution = resolve::resolve(&self.document, Some(ambient), Some(target));
        let found = tidy(std::mem::take(&mut resolution.found));
        match resolution.desired.pop().flatten() {
            Some(resolved) if !found.iter().any(Diagnostic::is_error) => Ok(resolved.desired),
            None if found.is_empty() => {
                Err(Problems(vec![Diagnostic::error("target", "the manifest has no such target")]))
            }
            _ => Err(Problems(found)),
        }
    }
}
