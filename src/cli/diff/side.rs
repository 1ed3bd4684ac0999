//! One side of a comparison: a revision, or the working tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::failure::{Cause, Failure};
use crate::cli::filter::Filter;
use crate::cli::packages::{Packages, build_packages};
use crate::cli::wheels::Way;
use crate::config::{self, Ambient, Fetch as _, Loaded, Manifest, Problems};
use crate::exit;
use crate::git::{Attributes, Commit, Repository, RevisionError, Snapshot, Stop, attributes_of, folders_of};
use crate::model::{CodeSource, Desired, FunctionSource};
use crate::tree::here;

/// One side: where its manifests are read, and what was read.
pub(super) struct Side {
    /// As the user would call it.
    pub name: String,
    /// The folder that stands for the repository's root.
    root: PathBuf,
    snapshot: Option<Arc<Snapshot>>,
    /// Root manifests: their places in the repository, and where they are read.
    roots: Vec<(PathBuf, PathBuf)>,
    /// By place.
    pub manifests: Vec<(PathBuf, Manifest)>,
    /// A folder of its own, which isn't there yet.
    scratch: PathBuf,
    stop: Stop,
}

impl Side {
    pub fn of_commit(
        repository: &Repository,
        commit: &Commit,
        places: &BTreeMap<PathBuf, PathBuf>,
        scratch: &Path,
        stop: &Stop,
    ) -> Result<Self, RevisionError> {
        let snapshot = Snapshot::new(repository, commit, scratch.join("files"))?;
        let root = snapshot.root().to_path_buf();
        let mut roots = Vec::new();
        for place in places.keys() {
            let place = if snapshot.kind(place).1 { place.join("rotator.yaml") } else { place.clone() };
            if snapshot.kind(&place).0 {
                if snapshot.leads_out(&place) {
                    let summary =
                        format!("`{}:{}` is a link that leads out of the repository", commit.shown, place.display());
                    return Err(RevisionError::new(summary).hint("copy the manifest in, or name the real one"));
                }
                roots.push((place.clone(), root.join(&place)));
            }
        }
        Ok(Self {
            name: commit.shown.clone(),
            root,
            snapshot: Some(Arc::new(snapshot)),
            roots,
            manifests: Vec::new(),
            scratch: scratch.to_owned(),
            stop: stop.clone(),
        })
    }

    pub fn of_working_tree(
        repository: &Repository,
        places: &BTreeMap<PathBuf, PathBuf>,
        scratch: &Path,
        stop: &Stop,
    ) -> Result<Self, RevisionError> {
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
            scratch: scratch.to_owned(),
            stop: stop.clone(),
        })
    }

    /// Reads the manifests.
    pub fn load(mut self) -> Result<Self, Failure> {
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
    pub fn check(&self) -> Result<(), Failure> {
        if self.stop.is_asked() {
            // Why was said where the end was asked for.
            return Err(Failure::said(exit::INTERRUPTED));
        }
        match self.snapshot.as_ref().and_then(|snapshot| snapshot.failure()) {
            Some(failure) => Err(Failure::new(format!("cannot read `{}`: {failure}", self.name))),
            None => Ok(()),
        }
    }

    fn refused(&self, problems: Problems) -> Failure {
        let problems = problems.0.into_iter().map(|problem| self.shown(problem)).collect();
        let failure = Failure::new(format!("the manifests of `{}` can't be compared: they have errors", self.name));
        Failure { cause: Cause::Files(problems), ..failure }
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
    pub fn resolve(
        &self,
        manifest: &Manifest,
        ambient: &Ambient,
        filter: &Filter,
        matched: &mut BTreeSet<String>,
        code: &mut BTreeSet<PathBuf>,
    ) -> Result<Vec<Desired>, Failure> {
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
            build_packages(&mut desired, &packages, Way::None);
            for function in desired.functions.values_mut() {
                if let FunctionSource::Deployed(deployment) = &mut function.source
                    && let Some(reason) = deployment.code.as_mut().and_then(|code| code.unusable.as_mut())
                {
                    *reason = self.renamed(reason);
                }
            }
            if self.snapshot.is_none() {
                code.extend(self.packaged(&desired));
            }
            all.push(desired);
        }
        self.check()?;
        Ok(all)
    }

    /// The places of the files that go into a target's packages.
    fn packaged(&self, desired: &Desired) -> BTreeSet<PathBuf> {
        let mut places = BTreeSet::new();
        for function in desired.functions.values() {
            let FunctionSource::Deployed(deployment) = &function.source else { continue };
            let Some(code) = &deployment.code else { continue };
            let (CodeSource::Path { path, .. }, Some(package)) = (&code.source, &code.package) else { continue };
            let is_folder = path.is_dir();
            let files = package.files.iter().map(|file| if is_folder { path.join(&file.path) } else { path.clone() });
            let real = files.filter_map(|file| file.canonicalize().ok());
            places.extend(real.filter_map(|file| Some(file.strip_prefix(&self.root).ok()?.to_owned())));
        }
        places
    }

    /// What a checkout makes of the files that were compared.
    pub fn attributes(&self, code: &BTreeSet<PathBuf>) -> Result<Attributes, Failure> {
        let mut files: BTreeSet<PathBuf> = match &self.snapshot {
            Some(snapshot) => snapshot.files(),
            None => self.files().into_keys().chain(code.iter().cloned()).collect(),
        };
        files.retain(|file| file.file_name().is_some_and(|name| name != ".gitattributes"));
        if let Some(snapshot) = &self.snapshot {
            for folder in folders_of(&files) {
                let rules = folder.join(".gitattributes");
                // Git follows no link of this name.
                if snapshot.is_file(&rules) {
                    snapshot.fetch(&self.root.join(rules));
                }
            }
            self.check()?;
        }
        Ok(attributes_of(&self.root, &files, &self.scratch.join("attributes"), &self.stop)?)
    }

    /// Places that are submodules, whose files this repository doesn't hold.
    pub fn submodules(&self) -> BTreeSet<PathBuf> {
        self.snapshot.as_ref().map(|snapshot| snapshot.submodules()).unwrap_or_default()
    }

    /// The texts of all files that were read, by place in the repository.
    pub fn files(&self) -> BTreeMap<PathBuf, String> {
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
    let folder = here(path.parent().unwrap_or(Path::new("")));
    let folder = folder.canonicalize().unwrap_or(folder);
    path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
}
