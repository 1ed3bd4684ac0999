//! Ways out of a rotation that is stuck. Labels move and a try is asked for; no value is read or written.

use crate::aws::ErrorKind;
use crate::aws::execute::{Done, Execute, SecretState};
use crate::plan::{Action, DROPPED, Repair, Step, Way};

use super::ends::Sent;
use super::{Context, Failure, Outcome};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// How often a free label is looked for: so many versions of a secret may be given up on a day.
const LABELS: usize = 20;

fn applied(all: impl IntoIterator<Item = Done>) -> Outcome {
    Outcome::Applied { requests: all.into_iter().filter_map(|done| done.request_id).collect() }
}

impl<E: Execute> Context<'_, E> {
    /// What a step repairs, and how.
    pub(super) fn repaired(&self, step: &Step) -> Result<&Repair, Failure> {
        match self.change(step).map(|change| &change.action) {
            Some(Action::Repair(repair)) => Ok(repair),
            _ => Err(Failure::Internal("a repair has another action")),
        }
    }

    pub(super) async fn repair(&self, step: &Step) -> Result<Outcome, Failure> {
        let repair = self.repaired(step)?;
        let Some(state) = self.look(&repair.secret_arn).await? else { return Err(Failure::SecretMissing) };
        // What was asked for is done, by an earlier try of this or by the function itself.
        if state.secret.current_version.as_ref() == Some(&repair.version) {
            return Ok(Outcome::Unchanged);
        }
        match state.secret.unfinished_rotation() {
            Some(version) if version == repair.version => {}
            None if repair.way == Way::Drop => return Ok(Outcome::Unchanged),
            now => return Err(Failure::NotPending { version: repair.version.clone(), now: now.map(str::to_owned) }),
        }
        if repair.way != Way::Retry && state.secret.current_version != repair.current {
            return Err(Failure::NotPending { version: repair.version.clone(), now: state.secret.pending_version });
        }
        match repair.way {
            Way::Retry => self.retry(step, repair, &state).await,
            Way::Promote => {
                let from = repair.current.as_deref();
                let done = self.executor.move_label(&repair.secret_arn, CURRENT, Some(&repair.version), from).await?;
                Ok(applied([done]))
            }
            Way::Drop => self.drop_pending(repair, &state).await,
        }
    }

    /// Has Secrets Manager try the rotation again, with the token that it has: should it have ended meanwhile, no other one begins.
    async fn retry(&self, step: &Step, repair: &Repair, state: &SecretState) -> Result<Outcome, Failure> {
        let function = state.secret.function_arn.clone();
        let sent = Sent { version: repair.version.clone(), at: self.executor.now(), next: None, function };
        let answer = self.executor.rotate_secret(&repair.secret_arn, &repair.version, None, None, None, true).await;
        let done = match answer {
            Ok(answer) => Done { request_id: answer.request_id },
            // That a previous one isn't complete, and will be tried again, is what was asked for.
            Err(error) if error.kind == ErrorKind::Unfinished => Done::default(),
            Err(error) => return Err(error.into()),
        };
        self.note_sent(step, sent);
        Ok(applied([done]))
    }

    /// Gives a version up: first it gets a label of its own, so that AWS keeps its value; then `AWSPENDING` goes.
    async fn drop_pending(&self, repair: &Repair, state: &SecretState) -> Result<Outcome, Failure> {
        let wanted = repair.label.as_deref().ok_or(Failure::Internal("a version is given up without a label"))?;
        let own = state.versions.get(&repair.version);
        // A run that was stopped between the two calls, maybe on another day, has given it one.
        let is_kept = own.is_some_and(|labels| labels.iter().any(|label| label.starts_with(DROPPED)));
        let mut done = Vec::new();
        if !is_kept {
            // Another version that was given up today has the label, and must keep it: it keeps that one's value.
            let numbered = |number: usize| if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") };
            let free = |label: &String| !state.versions.values().any(|labels| labels.contains(label));
            let label = (1..=LABELS).map(numbered).find(free).ok_or(Failure::Internal("no label is free"))?;
            done.push(self.executor.move_label(&repair.secret_arn, &label, Some(&repair.version), None).await?);
        }
        done.push(self.executor.move_label(&repair.secret_arn, PENDING, None, Some(&repair.version)).await?);
        Ok(applied(done))
    }
}
