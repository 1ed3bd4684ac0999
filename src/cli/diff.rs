//! `rotator diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use clap::{Args, ValueEnum};
use similar::DiffOp;

use crate::config::{self, Ambient, Loaded, Manifest, Problems};
use crate::exit;
use crate::model::{Desired, FunctionSource};
use crate::plan::compare::{Own, compare, group, guards};
use crate::render::compare::{self as render, ChangedFile, ComparedManifest, Comparison, Presence};
use crate::render::lines as render_lines;

use super::filter::Filter;
use super::revision::{Commit, Repository, RevisionError, Snapshot};
use super::session::{Packages, Printed, build_packages, check_targets};
use super::{Global, output};

/// Says what a change of the manifests means after expansion: without AWS, without credentials, and without running anything
/// that the repository brings along.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator diff                                  the working tree against HEAD
  rotator diff main...                          what a topic branch changed since it left main
  rotator diff v1.4..v1.5 manifests/payments    two revisions of one manifest
  rotator diff -- manifests/payments            HEAD, of one manifest")]
pub struct Arguments {
    /// What to compare with the working tree [default: HEAD]; or two revisions, `A..B`; `A...B` compares B with where it left A
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Root manifests, or folders that hold a `rotator.yaml` [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same, without a revision before them
    #[arg(value_name = "PATH", last = true)]
    more: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit with 2 where the manifests differ in meaning
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For a comment on a pull request
    Markdown,
    /// For programs
    Json,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    match diff(global, arguments) {
        Ok(code) | Err(Printed(code)) => code,
    }
}

impl From<RevisionError> for Printed {
    fn from(error: RevisionError) -> Self {
        Self(output::fail(&error.summary, &error.hints))
    }
}

fn diff(global: &Global, arguments: &Arguments) -> Result<u8, Printed> {
    let filter = Filter::new(&global.target).map_err(|(summary, hints)| Printed(output::fail(&summary, &hints)))?;
    let mut paths: Vec<PathBuf> = arguments.paths.iter().chain(&arguments.more).cloned().collect();
    if paths.is_empty() {
        paths.push(PathBuf::from("rotator.yaml"));
    }
    let repository = Repository::of(&paths[0])?;
    let range = Range::read(&repository, arguments.revision.as_deref().unwrap_or("HEAD"))?;
    let mut places = BTreeMap::new();
    for path in paths {
        places.entry(repository.place(&path)?).or_insert(path);
    }
    let before = Side::of_commit(&repository, &range.before, &places);
    let after = match &range.after {
        Some(commit) => Side::of_commit(&repository, commit, &places),
        None => Side::of_working_tree(&repository, &places),
    };
    // Both are loaded before either is given up on: all problems are said at once.
    let (before, after) = (before?, after?);
    let (mut before, mut after) = match (before.load(), after.load()) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(Printed(code)), _) | (_, Err(Printed(code))) => return Err(Printed(code)),
    };
    if before.manifests.is_empty() && after.manifests.is_empty() {
        let shown: Vec<String> = places.values().map(|path| format!("`{}`", output::path(path))).collect();
        let summary = format!("there is no manifest at {} on either side", shown.join(", "));
        return Err(Printed(output::fail(&summary, &["name the manifest, or a folder with a `rotator.yaml`".into()])));
    }
    check_targets(&filter, before.manifests.iter().chain(&after.manifests).map(|(_, manifest)| manifest))?;
    let comparison = comparison(global, &filter, &mut before, &mut after)?;
    let text = match arguments.format {
        Format::Text => render::text(&comparison),
        Format::Markdown => render::markdown(&comparison),
        Format::Json => render::json(&comparison),
    };
    let shown = output::data(&text);
    for place in before.submodules.iter().chain(&after.submodules).collect::<BTreeSet<_>>() {
        output::say(&format!(
            "note: {} is a submodule: its files aren't in this repository's revisions, and weren't compared",
            output::path(place)
        ));
    }
    let differs = !comparison.is_empty() && arguments.detailed_exitcode;
    Ok(if shown == exit::OK && differs { exit::CHANGES } else { shown })
}

/// What is compared with what.
struct Range {
    before: Commit,
    /// `None`: the working tree.
    after: Option<Commit>,
}

impl Range {
    fn read(repository: &Repository, text: &str) -> Result<Self, RevisionError> {
        if matches!(text, "." | "..") || text.starts_with("./") || text.starts_with("../") || text.starts_with('/') {
            return Err(RevisionError {
                summary: format!("`{text}` is a path, and a revision comes first"),
                hints: vec![format!("name both:\n  rotator diff HEAD {text}")],
            });
        }
        let or_head = |text: &str| if text.is_empty() { "HEAD".to_owned() } else { text.to_owned() };
        if let Some((one, other)) = text.split_once("...") {
            let (one, other) = (repository.commit(&or_head(one))?, repository.commit(&or_head(other))?);
            return Ok(Self { before: repository.merge_base(&one, &other)?, after: Some(other) });
        }
        if let Some((one, other)) = text.split_once("..") {
            let after = Some(repository.commit(&or_head(other))?);
            return Ok(Self { before: repository.commit(&or_head(one))?, after });
        }
        Ok(Self { before: repository.commit(text)?, after: None })
    }
}

/// One side: where its manifests are read, and what was read.
struct Side {
    /// As the user would call it.
    name: String,
    /// The folder that stands for the repository's root.
    root: PathBuf,
    snapshot: Option<Arc<Snapshot>>,
    /// Root manifests: their places in the repository, and where they are read.
    roots: Vec<(PathBuf, PathBuf)>,
    /// By place.
    manifests: Vec<(PathBuf, Manifest)>,
    submodules: Vec<PathBuf>,
}

impl Side {
    fn of_commit(
        repository: &Repository,
        commit: &Commit,
        places: &BTreeMap<PathBuf, PathBuf>,
    ) -> Result<Self, RevisionError> {
        let snapshot = Snapshot::new(repository, commit)?;
        let root = snapshot.root().to_path_buf();
        let mut roots = Vec::new();
        for place in places.keys() {
            let place = if snapshot.kind(place).1 { place.join("rotator.yaml") } else { place.clone() };
            if snapshot.kind(&place).0 {
                if snapshot.leads_out(&place) {
                    return Err(RevisionError {
                        summary: format!(
                            "`{}:{}` is a link that leads out of the repository",
                            commit.shown,
                            place.display()
                        ),
                        hints: vec!["copy the manifest in, or name the real one".to_owned()],
                    });
                }
                roots.push((place.clone(), root.join(&place)));
            }
        }
        let (manifests, submodules) = (Vec::new(), Vec::new());
        let snapshot = Some(Arc::new(snapshot));
        Ok(Self { name: commit.shown.clone(), root, snapshot, roots, manifests, submodules })
    }

    fn of_working_tree(repository: &Repository, places: &BTreeMap<PathBuf, PathBuf>) -> Result<Self, RevisionError> {
        let mut roots = Vec::new();
        for path in places.values() {
            let file = if path.is_dir() { path.join("rotator.yaml") } else { path.clone() };
            if file.symlink_metadata().is_ok() {
                roots.push((repository.place(&file)?, file));
            }
        }
        Ok(Self {
            name: "working tree".to_owned(),
            root: repository.top().to_path_buf(),
            snapshot: None,
            roots,
            manifests: Vec::new(),
            submodules: Vec::new(),
        })
    }

    /// Reads the manifests; prints what is wrong with them.
    fn load(mut self) -> Result<Self, Printed> {
        if self.roots.is_empty() {
            return self.check().map(|()| self);
        }
        let paths: Vec<PathBuf> = self.roots.iter().map(|(_, file)| file.clone()).collect();
        let loaded = match &self.snapshot {
            Some(snapshot) => config::load_fetched(&paths, &(Arc::clone(snapshot) as Arc<dyn config::Fetch>)),
            None => config::load(&paths),
        };
        self.check()?;
        let Loaded { manifests, .. } = loaded.map_err(|problems| self.refused(problems))?;
        // One file may have been named twice, through a link.
        let place = |manifest: &Manifest| {
            self.roots.iter().find(|(_, file)| file == manifest.path()).map(|(place, _)| place.clone())
        };
        self.manifests =
            manifests.into_iter().map(|manifest| (place(&manifest).unwrap_or_default(), manifest)).collect();
        Ok(self)
    }

    /// Files that couldn't be brought out of the revision.
    fn check(&self) -> Result<(), Printed> {
        match self.snapshot.as_ref().and_then(|snapshot| snapshot.failure()) {
            Some(failure) => Err(Printed(output::fail(&format!("cannot read `{}`: {failure}", self.name), &[]))),
            None => Ok(()),
        }
    }

    fn refused(&self, problems: Problems) -> Printed {
        let problems: Vec<_> = problems.0.into_iter().map(|problem| self.shown(problem)).collect();
        output::diagnostics(&problems);
        Printed(output::fail(&format!("the manifests of `{}` can't be compared: they have errors", self.name), &[]))
    }

    /// A problem with the paths of the repository instead of those of the temporary folder.
    fn shown(&self, mut problem: crate::diagnostic::Diagnostic) -> crate::diagnostic::Diagnostic {
        if self.snapshot.is_none() {
            return problem;
        }
        let places = problem.position.iter_mut().chain(problem.related.iter_mut().map(|(position, _)| position));
        for position in places {
            if let Ok(place) = position.file.strip_prefix(&self.root) {
                position.file = PathBuf::from(format!("{}:{}", self.name, place.display()));
            }
        }
        let texts = problem.detail.iter_mut().chain(&mut problem.hints).chain(std::iter::once(&mut problem.summary));
        texts.for_each(|text| *text = self.renamed(text));
        problem
    }

    /// A text with the paths of the repository.
    fn renamed(&self, text: &str) -> String {
        if self.snapshot.is_none() {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for root in [self.root.canonicalize().ok(), Some(self.root.clone())].into_iter().flatten() {
            text = text.replace(&format!("{}/", root.display()), &format!("{}:", self.name));
            text = text.replace(&root.display().to_string(), &self.name);
        }
        text
    }

    /// The desired states of one manifest's selected targets, with their packages.
    fn resolve(
        &self,
        manifest: &Manifest,
        ambient: &Ambient,
        filter: &Filter,
        matched: &mut BTreeSet<String>,
    ) -> Result<Vec<Desired>, Printed> {
        let packages = Packages::default();
        let mut all = Vec::new();
        for (index, target) in manifest.targets().iter().enumerate() {
            if !filter.selects(target) {
                continue;
            }
            let mut desired = manifest.resolve(index, ambient).map_err(|problems| self.refused(problems))?;
            // What the manifest doesn't state is no part of the comparison.
            desired.target = target.clone();
            matched.extend(filter.apply(&mut desired));
            build_packages(&mut desired, &packages);
            for function in desired.functions.values_mut() {
                if let FunctionSource::Deployed(deployment) = &mut function.source
                    && let Some(reason) = deployment.code.as_mut().and_then(|code| code.unusable.as_mut())
                {
                    *reason = self.renamed(reason);
                }
            }
            all.push(desired);
        }
        self.check()?;
        Ok(all)
    }

    /// The texts of all files that were read, by place in the repository.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        for (path, text) in self.manifests.iter().flat_map(|(_, manifest)| manifest.files()) {
            let real = match &self.snapshot {
                Some(_) => path,
                None => real(&path),
            };
            if let Ok(place) = real.strip_prefix(&self.root) {
                files.insert(place.components().collect(), text);
            }
        }
        files
    }
}

/// A file's path without links in its folder.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
}

fn comparison(global: &Global, filter: &Filter, before: &mut Side, after: &mut Side) -> Result<Comparison, Printed> {
    let mut ambient = Ambient::placeholders();
    if global.region.is_some() {
        ambient.region.clone_from(&global.region);
    }
    let mut manifests = Vec::new();
    let mut placeholders = false;
    let mut matched = BTreeSet::new();
    for (old, new) in pairs(&before.manifests, &after.manifests) {
        let mut resolve = |side: &Side, one: Sided<'_>| match one {
            Some((_, manifest)) => side.resolve(manifest, &ambient, filter, &mut matched),
            None => Ok(Vec::new()),
        };
        let (was, is) = (resolve(before, old)?, resolve(after, new)?);
        let groups = group(compare(&was, &is));
        let guards = guards(own_guards(old), own_guards(new), Utc::now().date_naive());
        let (Some((place, manifest)), false) = (new.or(old), groups.is_empty() && guards.is_empty()) else { continue };
        let presence = match (old, new) {
            (Some((from, _)), Some((to, _))) if from != to => Presence::Moved { from: from.display().to_string() },
            (Some(_), Some(_)) => Presence::Both,
            (None, _) => Presence::New,
            (_, None) => Presence::Gone,
        };
        placeholders |= was.iter().chain(&is).any(|one| one.target.account.is_none() || one.target.region.is_none());
        let (path, project) = (place.display().to_string(), manifest.project().to_owned());
        manifests.push(ComparedManifest { path, project, presence, guards, groups });
    }
    if let Some(missing) = filter.resources().find(|text| !matched.contains(*text)) {
        return Err(Printed(output::fail(&format!("`--target {missing}` matches nothing on either side"), &[])));
    }
    for side in [&mut *before, &mut *after] {
        side.submodules = side.snapshot.as_ref().map(|snapshot| snapshot.submodules()).unwrap_or_default();
    }
    let named = |ambient: Ambient| ambient.region.zip(ambient.account);
    Ok(Comparison {
        before: before.name.clone(),
        after: after.name.clone(),
        files: changed_files(&before.files(), &after.files()),
        manifests,
        placeholders: placeholders.then_some(ambient).and_then(named),
    })
}

type Sided<'a> = Option<&'a (PathBuf, Manifest)>;

/// The rules, limits and freezes that a manifest itself has, whatever is selected of it.
fn own_guards(side: Sided<'_>) -> Own<'_> {
    let of =
        |manifest| Own { rules: Manifest::policy(manifest), limits: manifest.limits(), freezes: manifest.freezes() };
    side.map_or(Own::NONE, |(_, manifest)| of(manifest))
}

/// Manifests by place; the others by their project, as a manifest may have moved.
fn pairs<'a>(before: &'a [(PathBuf, Manifest)], after: &'a [(PathBuf, Manifest)]) -> Vec<(Sided<'a>, Sided<'a>)> {
    let mut left: Vec<&(PathBuf, Manifest)> = before.iter().collect();
    let mut take =
        |same: &dyn Fn(&(PathBuf, Manifest)) -> bool| left.iter().position(|old| same(old)).map(|at| left.remove(at));
    let mut pairs: Vec<(Sided<'a>, Sided<'a>)> =
        after.iter().map(|new| (take(&|old| old.0 == new.0), Some(new))).collect();
    for (old, new) in pairs.iter_mut().filter(|(old, _)| old.is_none()) {
        *old = take(&|old| new.is_some_and(|new| new.1.project() == old.1.project()));
    }
    pairs.extend(left.into_iter().map(|old| (Some(old), None)));
    pairs
}

/// The files whose text differs, with how many lines do.
fn changed_files(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<ChangedFile> {
    let places: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let changed = |place: &PathBuf| {
        let text = |side: &BTreeMap<PathBuf, String>| side.get(place).cloned().unwrap_or_default();
        let (old, new) = (text(before), text(after));
        (old != new).then(|| ChangedFile { path: place.display().to_string(), lines: changed_lines(&old, &new) })
    };
    places.into_iter().filter_map(changed).collect()
}

/// How many lines differ: of replaced ones, the greater number of both sides.
fn changed_lines(old: &str, new: &str) -> usize {
    let lines = |op: &DiffOp| match *op {
        DiffOp::Equal { .. } => 0,
        DiffOp::Delete { old_len, .. } => old_len,
        DiffOp::Insert { new_len, .. } => new_len,
        DiffOp::Replace { old_len, new_len, .. } => old_len.max(new_len),
    };
    render_lines::differences(&render_lines::of(old), &render_lines::of(new)).iter().map(lines).sum()
}

#[cfg(test)]
mod tests {
    use super::changed_lines;

    /// Without it, one edited line would count as two.
    #[test]
    fn lines_are_counted_as_people_count_them() {
        assert_eq!(changed_lines("a\nb\nc\n", "a\nx\nc\n"), 1);
        assert_eq!(changed_lines("a\n", "a\nb\nc\n"), 2);
        assert_eq!(changed_lines("", "a\n"), 1);
        assert_eq!(changed_lines("a\nb\n", "c\n"), 2);
    }
}
