//! How offline commands read manifests: one way for all of them. Nothing is asked of AWS or of its environment.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::{self, Ambient, Manifest, Policies, Problems};
use crate::diagnostic::Diagnostic;
use crate::model::Desired;

use super::failure::Failure;
use super::filter::Filter;
use super::options::Global;
use super::rules;

/// What only AWS's environment knows has a placeholder: the account, and the region where `--region` doesn't say it.
pub fn placeholders(global: &Global) -> Ambient {
    let ambient = Ambient::placeholders();
    Ambient { region: global.region.clone().or(ambient.region), ..ambient }
}

/// Manifests and rules that are right.
pub struct Offline {
    /// What is worth a word all the same.
    pub warnings: Vec<Diagnostic>,
    /// The manifests.
    pub manifests: Vec<Manifest>,
    /// The files of rules.
    pub policies: Policies,
    /// What is selected.
    pub filter: Filter,
    /// What stands for what isn't known.
    pub ambient: Ambient,
}

impl Offline {
    /// Reads manifests and rules. All problems of both are said at once.
    pub fn open(global: &Global, paths: &[PathBuf]) -> Result<Self, Failure> {
        let filter = Filter::new(&global.target)?;
        let (loaded, policies) = match (config::load(paths), rules::load(&global.policy)) {
            (Ok(loaded), Ok(policies)) => (loaded, policies),
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => return Err(problems.into()),
            (Err(one), Err(other)) => return Err(Problems([one.0, other.0].concat()).into()),
        };
        filter.check_targets(&loaded.manifests)?;
        let ambient = placeholders(global);
        let offline = Self { warnings: loaded.warnings, manifests: loaded.manifests, policies, filter, ambient };
        offline.check_matched()?;
        Ok(offline)
    }

    /// The selected targets: their manifests, and which of their targets.
    pub fn selected(&self) -> impl Iterator<Item = (&Manifest, usize)> {
        self.manifests.iter().flat_map(|manifest| {
            let selected = |index: &usize| self.filter.selects(&manifest.targets()[*index]);
            (0..manifest.targets().len()).filter(selected).map(move |index| (manifest, index))
        })
    }

    /// All that a manifest wants of one of its targets.
    pub fn resolve(&self, manifest: &Manifest, index: usize) -> Result<Desired, Failure> {
        Ok(manifest.resolve(index, &self.ambient)?)
    }

    /// Refuses addresses and labels that match nothing.
    fn check_matched(&self) -> Result<(), Failure> {
        if !self.filter.is_partial() {
            return Ok(());
        }
        let mut matched = BTreeSet::new();
        for (manifest, index) in self.selected() {
            matched.extend(self.filter.apply(&mut self.resolve(manifest, index)?));
        }
        self.filter.check_matched(&matched, || {
            self.selected().filter_map(|(manifest, index)| self.resolve(manifest, index).ok()).collect()
        })
    }
}
