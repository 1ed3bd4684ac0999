//! One target of one manifest, as commands prepare it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::Served;
use crate::model::live::LiveStack;
use crate::model::{Desired, Live, PROJECT_TAG};
use crate::plan::{self, Plan};

/// One target of one manifest, compared.
pub struct Prepared {
    /// Which of the session's manifests it is of.
    pub manifest: usize,
    /// What the manifest wants, as far as filters select it.
    pub desired: Desired,
    /// All that the manifest wants, where filters leave something out.
    pub whole: Option<Desired>,
    /// What AWS has.
    pub live: Live,
    /// The difference.
    pub plan: Plan,
    /// The zips to upload, by function handle.
    pub packages: BTreeMap<String, Arc<[u8]>>,
    /// The sandbox that answers in AWS's place, where somebody serves one.
    pub served: Option<Served>,
}

impl Prepared {
    /// All that the manifest wants of this target.
    pub fn whole(&self) -> &Desired {
        self.whole.as_ref().unwrap_or(&self.desired)
    }

    /// The plan's resources, unchanged ones included.
    pub fn resources(&self) -> Vec<plan::Resource> {
        plan::resources(&self.desired, &self.live, &self.plan)
    }

    /// This project's stacks that AWS is working on.
    pub fn busy_stacks(&self) -> impl Iterator<Item = &LiveStack> {
        let of_functions = self.live.functions.values().filter_map(|live| live.stack.found());
        let orphaned = self.live.orphan_stacks.iter().map(|orphan| &orphan.stack);
        of_functions
            .chain(orphaned)
            .filter(|stack| stack.is_busy() && stack.tags.get(PROJECT_TAG) == Some(&self.desired.project))
    }
}
