//! Functions: configuration and code, one edit at a time, each conditional on what was seen before it, where AWS gives a revision.

use std::sync::{Arc, PoisonError};

use crate::aws::ErrorKind;
use crate::aws::execute::{CodeUpload, ConfigurationChange, Execute};
use crate::model::live::Configuration;
use crate::model::{Code, CodeSource, Deployment, Setting};
use crate::plan::planner::{architecture_field, configuration_fields, lacks_handler, same_code};
use crate::plan::{Action, Attribute, FieldChange, Step};

use super::interrupt::Interrupt;
use super::keep::Keeping;
use super::status::unknown;
use super::wait::Wait;
use super::{Context, EDITS, Failure, Outcome, moved};

/// A function that takes an edit, and the revision that makes the edit fail where another came first.
pub type Editable = (Configuration, Option<String>);

/// States in which a function takes an edit. An inactive one wakes up with its next invocation; a deactivated one, which lives on a
/// capacity provider's instances, once it is activated again.
const READY: &[&str] = &["Active", "Inactive", "ActiveNonInvocable", "Deactivated"];

/// States that pass.
const CHANGING: &[&str] = &["Pending", "Deactivating", "Deleting"];

impl<E: Execute> Context<'_, E> {
    fn deployment(&self, step: &Step) -> Result<&Deployment, Failure> {
        let function = self.desired.functions.get(&step.address.handle);
        function.and_then(|function| function.deployment()).ok_or(Failure::Internal("the function isn't deployed"))
    }

    /// Keeps a function as one step leaves it, for the next.
    pub(super) fn leave(&self, name: &str, function: Editable) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(name.to_owned(), function);
    }

    /// Takes what the step before has kept.
    pub(super) fn take_left(&self, name: &str) -> Option<Editable> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// The function as the step before left it, or as it is now. Where somebody was here in between, its revision is another one, and
    /// the edit is refused: the next look is a fresh one.
    async fn found(&self, index: usize, name: &str) -> Result<Editable, Failure> {
        match self.take_left(name).filter(|(_, revision)| revision.is_some()) {
            Some(left) => Ok(left),
            None => self.editable(index, name).await,
        }
    }

    /// Waits until an edit has succeeded, and the function is active.
    async fn settled(&self, index: usize, name: &str) -> Result<Editable, Failure> {
        let (configuration, revision) = self.editable(index, name).await?;
        if configuration.last_update_status == "Failed" {
            return Err(Failure::Function {
                function: name.to_owned(),
                state: "LastUpdateStatus Failed".to_owned(),
                reason: configuration.state_reason,
            });
        }
        Ok((configuration, revision))
    }

    /// Waits until a function is active and no edit is in progress. An earlier edit may have failed: a new one mends that.
    pub(super) async fn editable(&self, index: usize, name: &str) -> Result<Editable, Failure> {
        let mut wait = Wait::new(self.options.function_timeout);
        loop {
            let (configuration, revision) = match self.executor.get_configuration(name).await {
                Ok(state) => (state.configuration, state.revision_id),
                Err(error) if error.kind == ErrorKind::NotFound => {
                    if !self.is_new(name) {
                        return Err(Failure::FunctionMissing { function: name.to_owned() });
                    }
                    self.pause(index, &mut wait, "the function", "not there yet").await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if configuration.state == "Failed" {
                return Err(Failure::Function {
                    function: name.to_owned(),
                    state: "State Failed".to_owned(),
                    reason: configuration.state_reason,
                });
            }
            let ready = READY.contains(&configuration.state.as_str());
            if ready && matches!(configuration.last_update_status.as_str(), "Successful" | "Failed") {
                return Ok((configuration, revision));
            }
            for (state, known) in [
                (&configuration.state, &[READY, CHANGING].concat()),
                (&configuration.last_update_status, &["InProgress", "Successful", "Failed"].to_vec()),
            ] {
                if !known.contains(&state.as_str()) {
                    return Err(unknown("the function", state));
                }
            }
            let status = format!("{}, {}", configuration.state, configuration.last_update_status);
            self.pause(index, &mut wait, "the function", &status).await?;
        }
    }

    pub(super) async fn configuration(
        &self,
        index: usize,
        step: &Step,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        let deployment = self.deployment(step)?;
        let mut refused = None;
        for _ in 0..EDITS {
            let (live, revision) = self.found(index, &step.name).await?;
            if let (Err(code), false) = (&live.environment, deployment.environment.is_empty()) {
                return Err(Failure::UnreadableEnvironment { code: code.clone() });
            }
            let fields = configuration_fields(deployment, Some(&live), false);
            if fields.is_empty() {
                return self.found_done(index, &step.name, refused.is_some()).await;
            }
            let then = self.planned_for(step);
            moved::refuse(then.map_or_else(Vec::new, |then| moved::configuration(deployment, then, &live)))?;
            if !self.before_other_code(index, step, &live, interrupt).await? {
                return Ok(Outcome::NotAttempted { because: None });
            }
            let change = configuration_change(deployment, &live, &fields);
            let edit = async || self.executor.update_configuration(&step.name, &change, revision.as_deref()).await;
            match self.once_spread(index, &step.name, edit).await {
                Ok(updated) => {
                    let function = self.settled(index, &step.name).await?;
                    self.leave(&step.name, function);
                    return Ok(Outcome::Applied { requests: updated.request_id.into_iter().collect() });
                }
                // Somebody else was faster: look again, and merge with what they wrote beside it. Or it was done and the answer lost, and
                // this is AWS's word on the second try.
                Err(error) if matches!(error.kind, ErrorKind::Precondition | ErrorKind::Conflict) => {
                    refused = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::KeepsChanging { function: step.name.clone(), last: refused.map(Box::new) })
    }

    pub(super) async fn code(&self, index: usize, step: &Step, interrupt: &Interrupt) -> Result<Outcome, Failure> {
        let deployment = self.deployment(step)?;
        let code = deployment.code.as_ref().ok_or(Failure::Internal("the function has no code"))?;
        let mut refused = None;
        for _ in 0..EDITS {
            let (live, revision) = self.found(index, &step.name).await?;
            let other = architecture_field(deployment, Some(&live)).is_some();
            let architecture = deployment.settings.architecture.as_deref().filter(|_| other);
            if architecture.is_none() && (same_code(code, &live) || self.is_as_it_was(step, &live)) {
                return self.found_done(index, &step.name, refused.is_some()).await;
            }
            moved::refuse(self.planned_for(step).map_or_else(Vec::new, |then| moved::code(then, &live)))?;
            // A first deployment's handler is known only now; code that lacks it would fail every rotation.
            let runtime = live.settings.runtime.as_deref();
            if let Some(handler) =
                live.settings.handler.as_ref().filter(|handler| lacks_handler(deployment, handler, runtime))
            {
                return Err(Failure::HandlerFileMissing { handler: handler.clone() });
            }
            let upload = self.upload(step, code)?;
            if !self.until_idle(index, &live, interrupt).await? {
                return Ok(Outcome::NotAttempted { because: None });
            }
            let revision = match self.keep_code(index, step, (live, revision)).await? {
                Keeping::Done(revision) => revision,
                Keeping::Again => continue,
            };
            let edit =
                async || self.executor.update_code(&step.name, upload.clone(), architecture, revision.as_deref()).await;
            match self.once_spread(index, &step.name, edit).await {
                Ok(updated) => {
                    let (live, _) = self.settled(index, &step.name).await?;
                    if !same_code(code, &live) {
                        let sent = match (&code.source, &code.package) {
                            (CodeSource::S3 { sha256, .. }, _) => sha256.clone(),
                            (CodeSource::Path { .. }, package) => {
                                package.as_ref().map(|package| package.sha256.clone()).unwrap_or_default()
                            }
                        };
                        return Err(Failure::CodeDiffers { sent, live: live.code_sha256 });
                    }
                    return Ok(Outcome::Applied { requests: updated.request_id.into_iter().collect() });
                }
                Err(error) if matches!(error.kind, ErrorKind::Precondition | ErrorKind::Conflict) => {
                    refused = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::KeepsChanging { function: step.name.clone(), last: refused.map(Box::new) })
    }

    /// How an edit ends that is found done. Where it was tried and `refused`, it may be this very edit, and must have succeeded.
    async fn found_done(&self, index: usize, name: &str, refused: bool) -> Result<Outcome, Failure> {
        if !refused {
            return Ok(Outcome::Unchanged);
        }
        self.settled(index, name).await?;
        Ok(Outcome::Applied { requests: Vec::new() })
    }

    /// The code as it is sent.
    fn upload(&self, step: &Step, code: &Code) -> Result<CodeUpload, Failure> {
        Ok(match &code.source {
            CodeSource::Path { .. } => {
                let zip = self.packages.get(&step.address.handle).ok_or(Failure::Internal("no package was built"))?;
                CodeUpload::Zip(Arc::clone(zip))
            }
            CodeSource::S3 { bucket, key, object_version, .. } => {
                CodeUpload::S3 { bucket: bucket.clone(), key: key.clone(), object_version: object_version.clone() }
            }
        })
    }

    /// A function as it was when the plan was made; `None` where a stack's change in the same plan sets it first, or the step only
    /// restores what that change put back.
    fn planned_for(&self, step: &Step) -> Option<&Configuration> {
        let sets = |action: &Action| matches!(action, Action::DeployStack { .. } | Action::UpdateStack { .. });
        let mut changes = self.plan.changes.iter().filter(|change| change.address == step.address);
        if step.change.is_none() || changes.any(|change| sets(&change.action)) {
            return None;
        }
        self.live.functions.get(&step.address.handle)?.configuration.found()
    }

    /// Whether a step that only looks again finds the code that the plan found to be the manifest's, in other bytes.
    fn is_as_it_was(&self, step: &Step, now: &Configuration) -> bool {
        let before = self.live.functions.get(&step.address.handle).and_then(|live| live.configuration.found());
        step.change.is_none() && before.is_some_and(|before| before.code_sha256 == now.code_sha256)
    }
}

/// The call that makes the differing fields as the manifest says, and leaves the rest.
fn configuration_change(deployment: &Deployment, live: &Configuration, fields: &[FieldChange]) -> ConfigurationChange {
    let differs = |setting: Setting| fields.iter().any(|field| field.attribute == setting.into());
    let variables = fields.iter().any(|field| matches!(field.attribute, Attribute::Variable(_)));
    let environment = variables.then(|| {
        let mut merged = live.environment.clone().unwrap_or_default();
        for (name, value) in &deployment.environment {
            match value {
                Some(value) => merged.insert(name.clone(), value.clone()),
                None => merged.remove(name),
            };
        }
        merged
    });
    let settings = deployment.settings.only(differs);
    ConfigurationChange {
        environment,
        ipv6_dual_stack: live.ipv6_dual_stack.filter(|_| settings.vpc.as_ref().is_some_and(|vpc| !vpc.is_empty())),
        settings,
    }
}
