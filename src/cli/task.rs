//! What a session is about, where that isn't to converge: other values now, or the end of rotations that are stuck.

use std::collections::BTreeMap;

use chrono::Utc;

use crate::aws::Reader;
use crate::aws::reader::LOGS;
use crate::model::live::{LiveSecret, Reading, Unread};
use crate::model::{Desired, Live, RunId, arn};
use crate::plan::pending::Pending;
use crate::plan::planner::{RepairRequest, RotateRequest, plan_repair, plan_rotation};
use crate::plan::verdict::Logged;
use crate::plan::{DROPPED, Plan, Way};
use crate::render::words::unread_words;
use futures::StreamExt as _;

use super::failure::Failure;

/// What plans are made for.
#[derive(Debug, Clone, Default)]
pub enum Task {
    /// That AWS is as the manifests say, or that nothing of them is there.
    #[default]
    Converge,
    /// That secrets get other values now.
    Rotate {
        /// The run.
        run: RunId,
        /// Whether it goes on.
        resumed: bool,
        /// Whether rotation is switched on where it is off.
        enable: bool,
    },
    /// That rotations end which are stuck.
    Repair {
        /// How.
        way: Way,
        /// The secret that is meant for sure.
        confirmed: Option<String>,
    },
}

impl Task {
    /// Why it can't be done where it isn't known what rules of `select` mean: what they mean may be what is asked for.
    pub fn needs_rules(&self, desired: &Desired) -> Option<Failure> {
        if matches!(self, Self::Converge) {
            return None;
        }
        let unread = desired.selected.as_ref()?.unread.as_ref()?;
        let summary = format!("which secrets `select` means isn't known: {}", unread_words(unread));
        Some(Failure::new(summary).hint("rules need a whole list: `secretsmanager:ListSecrets` on `*`"))
    }

    /// The plan of a task that isn't to converge, with what it has to know beside the two states.
    pub async fn plan(&self, reader: &Reader, desired: &Desired, live: &Live) -> Option<Plan> {
        match self {
            Self::Converge => None,
            Self::Rotate { run, resumed, enable } => {
                let current_since = if *resumed { current_since(reader, live).await } else { BTreeMap::new() };
                let resumed = resumed.then_some(&current_since);
                Some(plan_rotation(desired, live, RotateRequest { run: *run, enable: *enable, resumed }))
            }
            Self::Repair { way, confirmed } => {
                let pending = pending(reader, live.secrets.values().filter_map(Reading::found)).await;
                let label = format!("{DROPPED}{}", Utc::now().format("%Y-%m-%d"));
                let request =
                    RepairRequest { way: *way, confirmed: confirmed.as_deref(), pending: &pending, label: &label };
                Some(plan_repair(desired, live, request))
            }
        }
    }
}

/// When current versions were made.
async fn current_since(reader: &Reader, live: &Live) -> BTreeMap<String, i64> {
    let found = live.secrets.values().filter_map(Reading::found);
    let versions: Vec<_> = found.filter_map(|one| Some((one.arn.clone(), one.current_version.clone()?))).collect();
    reader.current_versions(versions).await
}

/// What is known of the pending versions of secrets, by the secret's ARN: since when, and what their functions' logs say.
pub async fn pending<'a>(reader: &Reader, secrets: impl Iterator<Item = &'a LiveSecret>) -> BTreeMap<String, Pending> {
    let stuck: Vec<(&LiveSecret, &str)> =
        secrets.filter_map(|secret| Some((secret, secret.unfinished_rotation()?))).collect();
    let versions: Vec<_> = stuck.iter().map(|(secret, version)| (secret.arn.clone(), (*version).to_owned())).collect();
    let since = reader.versions_created(versions).await;
    let together =
        |function: &str| stuck.iter().filter(|(secret, _)| secret.function_arn.as_deref() == Some(function)).count();
    let read = stuck.iter().map(|(secret, version)| {
        let since = since.get(&secret.arn).cloned().unwrap_or(Ok(None));
        let together = secret.function_arn.as_deref().map_or(1, together);
        async move { (secret.arn.clone(), one(reader, secret, version, since, together).await) }
    });
    futures::stream::iter(read).buffered(LOGS).collect().await
}

async fn one(
    reader: &Reader,
    secret: &LiveSecret,
    version: &str,
    since: Result<Option<i64>, Unread>,
    together: usize,
) -> Pending {
    let (since, since_unread) = match since {
        Ok(since) => (since, None),
        Err(unread) => (None, Some(unread)),
    };
    let pending = Pending { now: reader.now(), since, since_unread, ..Pending::default() };
    // In another account or region, neither the function nor its log can be read.
    let here = secret.function_arn.as_ref().filter(|arn| arn::is_in(arn, reader.account(), reader.region()));
    let Some(function) = here else { return pending };
    let Ok(state) = reader.function(function).await else { return pending };
    let live = state.configuration;
    let pending = Pending { timeout: live.settings.timeout, ..pending };
    let request = pending.request(secret, version, together);
    match reader.log(&live.logs_to(), request.sent).await {
        Ok(events) => pending.clone().with_log(&events, request, &Logged::of(&live)),
        Err(_) => pending,
    }
}
