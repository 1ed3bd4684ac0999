//! The permission for Secrets Manager: added, seen, and looked into where Secrets Manager says that it has none.

use std::time::Duration;

use super::spread::NOT_YET;
use super::wait::Wait;
use super::{Context, EDITS, Failure, Outcome, moved};
use crate::aws::execute::{Execute, PolicyState};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::Statement;
use crate::model::{PERMISSION_STATEMENT, arn};
use crate::plan::Step;
use crate::plan::planner::{Access, access, account_of, permits};

/// How long a new statement is looked for before it is added once more: another write at the same time may have taken it away.
const LOST: Duration = Duration::from_secs(2);

impl<E: Execute> Context<'_, E> {
    pub(super) async fn permission(&self, index: usize, step: &Step) -> Result<Outcome, Failure> {
        // What follows looks at the function anew: a permission is a change of it too.
        self.take_left(&step.name);
        let account = &self.live.account;
        let mut requests = Vec::new();
        let (mut refused, mut added) = (None, false);
        for _ in 0..EDITS {
            let policy = self.executor.get_policy(&step.name).await?;
            if permits(&policy.statements, account) {
                return Ok(if refused.is_some() || added { Outcome::Applied { requests } } else { Outcome::Unchanged });
            }
            let answer = match self.add_permission(index, step, policy, &mut requests).await {
                Err(Failure::Aws(error)) if error.kind == ErrorKind::Invalid => {
                    let whole = self.written_whole(&step.name, Some(&error)).await;
                    return whole.unwrap_or_else(|| Err(error.into()));
                }
                answer => answer?,
            };
            match answer {
                Ok(()) => {
                    self.note_made(&step.name);
                    added = true;
                    if self.permission_shows(index, &step.name, LOST).await? {
                        return Ok(Outcome::Applied { requests });
                    }
                }
                // Lambda has the statement that this step added, whatever its readers show. Rotations tell the rest.
                Err(error) if added && error.kind == ErrorKind::Conflict => {
                    self.permission_shows(index, &step.name, NOT_YET).await?;
                    return Ok(Outcome::Applied { requests });
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(whole) = self.written_whole(&step.name, refused.as_ref()).await {
            return whole;
        }
        Err(Failure::KeepsChanging { function: step.name.clone(), last: refused.map(Box::new) })
    }

    /// What a policy that was written as a whole makes of a statement that can't be added, or doesn't show; `None`: there is no such
    /// policy, or it can't be read. It isn't written anew: what stands in it is its author's.
    async fn written_whole(&self, name: &str, refused: Option<&AwsError>) -> Option<Result<Outcome, Failure>> {
        let function = self.executor.get_configuration(name).await.ok()?.configuration.arn;
        let shown = self.executor.get_policy(name).await.ok()?.statements;
        let whole = self.executor.get_resource_policy(&function).await.ok()?.statements;
        if permits(&whole, &self.live.account) {
            return Some(Ok(Outcome::Unchanged));
        }
        // Where both show the same, something else may be in the way.
        let hidden = whole.iter().any(|one| !shown.contains(one));
        let (account, refused) = (self.live.account.clone(), refused.cloned().map(Box::new));
        hidden.then_some(Err(Failure::WrittenWhole { function, account, refused }))
    }

    /// Adds the statement, in place of one of its id that says something else. The inner error is of somebody who was faster.
    async fn add_permission(
        &self,
        index: usize,
        step: &Step,
        policy: PolicyState,
        requests: &mut Vec<String>,
    ) -> Result<Result<(), AwsError>, Failure> {
        let (name, account) = (&step.name, &self.live.account);
        let present = ours(&policy.statements);
        if let Some(present) = &present {
            let live = self.live.functions.get(&step.address.handle);
            let then = live.and_then(|live| live.policy.found()).and_then(|statements| ours(statements));
            moved::refuse(moved::statement(then.as_ref(), present))?;
        }
        let result = async {
            let mut revision = policy.revision_id;
            if present.is_some() {
                match self.executor.remove_permission(name, PERMISSION_STATEMENT, revision.as_deref()).await {
                    Ok(removed) => requests.extend(removed.request_id),
                    // It is gone: somebody else's work, or this call's whose answer was lost. A missing function shows next.
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                revision = self.executor.get_policy(name).await?.revision_id;
            }
            let add =
                async || self.executor.add_permission(name, PERMISSION_STATEMENT, account, revision.as_deref()).await;
            self.once_spread(index, name, add).await
        };
        match result.await {
            Ok(done) => {
                requests.extend(done.request_id);
                Ok(Ok(()))
            }
            Err(error) if matches!(error.kind, ErrorKind::Precondition | ErrorKind::Conflict) => Ok(Err(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a statement that was just added shows within some time.
    async fn permission_shows(&self, index: usize, name: &str, within: Duration) -> Result<bool, Failure> {
        let mut wait = Wait::new(within);
        loop {
            if permits(&self.executor.get_policy(name).await?.statements, &self.live.account) {
                return Ok(true);
            }
            self.waits(index, "the permission", "not there yet");
            if !wait.pause().await {
                return Ok(false);
            }
        }
    }

    /// Why Secrets Manager may not invoke a function for a secret, where the function's policy says so. `None`: a permission stands,
    /// and may be spreading; or it isn't known.
    pub(super) async fn never_permitted(&self, function: &str, secret: &str) -> Option<Failure> {
        let statements = self.executor.get_policy(function).await.ok()?.statements;
        let account = account_of(secret, &self.live.account);
        let denial = match access(&statements, secret, &account) {
            Access::Open | Access::Unclear => return None,
            Access::Denied(denial) => Some(denial),
            Access::Closed if self.is_new(arn::function_name(function)) => return None,
            Access::Closed => None,
        };
        if statements.is_empty() && self.is_gone(function).await {
            return Some(Failure::FunctionMissing { function: function.to_owned() });
        }
        if denial.is_none()
            && let Ok(whole) = self.executor.get_resource_policy(function).await
        {
            if matches!(access(&whole.statements, secret, &account), Access::Open | Access::Unclear) {
                return None;
            }
            if whole.statements.iter().any(|one| !statements.contains(one)) {
                let function = function.to_owned();
                return Some(Failure::WrittenWhole { function, account, refused: None });
            }
        }
        let denied_by = denial.map(|denial| denial.sid.clone());
        Some(Failure::NotPermitted { function: function.to_owned(), account, denied_by })
    }

    async fn is_gone(&self, function: &str) -> bool {
        self.executor.get_configuration(function).await.is_err_and(|error| error.kind == ErrorKind::NotFound)
    }
}

/// The statement of our id.
fn ours(statements: &[Statement]) -> Option<Statement> {
    statements.iter().find(|statement| statement.sid == PERMISSION_STATEMENT).cloned()
}
