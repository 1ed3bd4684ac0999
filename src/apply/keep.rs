//! Old code is kept before other code takes its place: as a version of the function, from which it can be brought back.

use std::sync::PoisonError;

use super::function::Editable;
use super::{Context, Event, Failure, Kept};
use crate::aws::ErrorKind;
use crate::aws::execute::Execute;
use crate::plan::{NoteKind, Step};

/// How keeping ended.
pub(super) enum Keeping {
    /// There is nothing to keep, or it couldn't be kept: the code can be replaced, at this revision.
    Done(Option<String>),
    /// Another process was faster: look again.
    Again,
}

impl<E: Execute> Context<'_, E> {
    /// Keeps a function's code where the plan says so. What can't be kept is said, and replaced all the same: who mends a broken function must
    /// not be kept from it.
    pub(super) async fn keep_code(&self, index: usize, step: &Step, now: Editable) -> Result<Keeping, Failure> {
        let is_kept =
            |note: &crate::plan::Note| note.kind == NoteKind::KeepsCode && note.address.as_ref() == Some(&step.address);
        let is_known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&index);
        if step.change.is_none() || is_known || !self.plan.notes.iter().any(is_kept) {
            return Ok(Keeping::Done(now.1));
        }
        let (live, revision) = now;
        // A version with the same code is as good, whatever its configuration is. Where the list can't be read, Lambda still makes no second
        // version of what didn't change.
        let version = match self.executor.version_with(&step.name, &live.code_sha256).await {
            Ok(Some(version)) => Ok(version),
            Ok(None) | Err(_) => {
                self.executor.publish_version(&step.name, &live.code_sha256, revision.as_deref()).await
            }
        };
        match version {
            Ok(version) => {
                let kept = Kept { function: live.arn.clone(), version, code: live.code_sha256.clone() };
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(index, kept);
                // Whether that gave the function another revision is Lambda's to say.
                let fresh = self.editable(index, &step.name).await?;
                Ok(if fresh.0.code_sha256 == live.code_sha256 { Keeping::Done(fresh.1) } else { Keeping::Again })
            }
            Err(error) if matches!(error.kind, ErrorKind::Precondition | ErrorKind::Conflict) => Ok(Keeping::Again),
            Err(error) if error.kind.is_of_credentials() => Err(error.into()),
            Err(error) => {
                let why = if error.kind == ErrorKind::Denied {
                    "`lambda:PublishVersion` isn't allowed".to_owned()
                } else {
                    error.to_string()
                };
                let text = format!(
                    "the old code isn't kept as a version of the function, and is replaced all the same: {why}"
                );
                self.observer.event(&Event::Warned { step: index, text });
                Ok(Keeping::Done(revision))
            }
        }
    }
}
