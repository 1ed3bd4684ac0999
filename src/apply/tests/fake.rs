//! A scripted AWS: it keeps a little state, notes every call, and refuses what it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::aws::execute::FunctionState;
use crate::aws::execute::{
    Answer, ApplicationChangeSet, ChangeSetIds, ChangeSetView, CodeUpload, ConfigurationChange, Done, Execute,
    PolicyState, ResourceChange, RotateAnswer, RotationProgress, SecretState, StackStatus, Updated,
};
use crate::aws::{AwsError, ErrorKind};
use crate::model::live::{Configuration, LiveSecret, LiveStack, Statement};
use crate::model::{External, LogEvent, RotationRules, Schedule, Sensitive, Settings};
use crate::plan::fixtures;

/// What AWS holds, and what it will do.
#[derive(Default)]
pub struct State {
    pub calls: Vec<String>,
    /// Errors to answer with, by call: each once, in order.
    pub refusals: BTreeMap<&'static str, VecDeque<ErrorKind>>,
    /// What a stack shows, by ARN: one after the other, the last for ever.
    pub stacks: BTreeMap<String, VecDeque<String>>,
    /// The stack that change sets are for, where it isn't `stack:NAME`.
    pub stack_id: Option<String>,
    /// How change sets come out: status and reason.
    pub change_set: Option<(String, String)>,
    pub resource_changes: Vec<ResourceChange>,
    pub deployment_mode: Option<String>,
    /// What events say that failed in a change set.
    pub change_set_failures: Vec<String>,
    /// Where an execution ends; `CREATE_COMPLETE` by default.
    pub stack_end: Option<String>,
    pub execution: String,
    /// How an execution ends; `EXECUTE_COMPLETE` by default.
    pub executed: Option<String>,
    pub first_failure: Option<String>,
    pub functions: BTreeMap<String, Configuration>,
    pub revision: u32,
    /// Somebody else edits the function between a look and a write, so many times.
    pub rivals: u32,
    pub statements: Vec<Statement>,
    /// The statements of a policy that was written as a whole.
    pub whole_policy: Vec<Statement>,
    /// So many permissions are taken away by others as soon as they are added.
    pub lost_permissions: u32,
    /// How permissions after the first are refused.
    pub after_first_permission: VecDeque<ErrorKind>,
    /// How long ago secrets changed.
    pub age: Option<Duration>,
    /// When secrets rotate next, in seconds since 1970: before a request, and after it.
    pub dates: (Option<i64>, Option<i64>),
    /// By ARN.
    pub secrets: BTreeMap<String, LiveSecret>,
    /// The labels of a rotation's version: one look after the other, the last for ever.
    pub progress: VecDeque<Vec<String>>,
    /// What functions have logged, by group; in the order of their times.
    pub log: Vec<LogEvent>,
    pub sent: Vec<ConfigurationChange>,
    pub change_sets: Vec<ApplicationChangeSet>,
    /// Those of `RotateSecret`.
    pub tokens: Vec<String>,
    /// What happens to a secret while a rotation's request is refused, given the request's token.
    pub meanwhile: Option<fn(&mut LiveSecret, &str)>,
    /// So many edits of functions are done, and refused all the same: the answer to the first try was lost.
    pub lost_answers: u32,
    /// Edits of functions are taken, and fail afterwards.
    pub edits_fail: bool,
    /// The code of published versions, from 1.
    pub versions: Vec<String>,
    /// The hash of the code that an upload leaves, where it isn't the manifest's.
    pub uploaded: Option<String>,
    /// Where a stack's deletion ends, where it isn't gone.
    pub deletion_end: Option<String>,
    /// The stacks that somebody has changed since, by ARN.
    pub moved_stacks: BTreeMap<String, LiveStack>,
}

/// The time by its clock.
pub const NOW: i64 = 1_000_000;

#[derive(Default)]
pub struct Fake(Mutex<State>);

pub fn refused(kind: ErrorKind, action: &'static str) -> AwsError {
    AwsError {
        kind,
        action,
        resource: "*".to_owned(),
        code: None,
        message: "refused".to_owned(),
        request_id: Some("refused-1".to_owned()),
    }
}

fn done(id: &str) -> Done {
    Done { request_id: Some(format!("request-{id}")) }
}

/// A function as a template leaves it.
pub fn fresh(name: &str) -> Configuration {
    let template = fixtures::configuration();
    Configuration {
        name: name.to_owned(),
        arn: fixtures::arn(name),
        settings: Settings { timeout: Some(3), ..template.settings.clone() },
        code_sha256: "template".to_owned(),
        environment: Ok(BTreeMap::from([("FOREIGN".to_owned(), Sensitive::new("kept"))])),
        ..template
    }
}

impl Fake {
    pub fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writes so far, and the looks that `also` names.
    pub fn calls(&self) -> Vec<String> {
        let writes = ["create", "execute", "delete", "update", "add", "remove", "rotate", "cancel"];
        let all = self.state().calls.clone();
        all.into_iter().filter(|call| writes.iter().any(|write| call.starts_with(write))).collect()
    }

    /// Notes a call, and refuses it where that is scripted.
    fn call(&self, name: &'static str, on: &str) -> Answer<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls.push(format!("{name} {on}"));
        match state.refusals.get_mut(name).and_then(VecDeque::pop_front) {
            Some(kind) => Err(refused(kind, name)),
            None => Ok(state),
        }
    }
}

fn next<T: Clone>(script: &mut VecDeque<T>) -> Option<T> {
    if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
}

impl Execute for Fake {
    async fn create_application_change_set(&self, request: ApplicationChangeSet) -> Answer<ChangeSetIds> {
        let mut state = self.call("create_change_set", &request.stack)?;
        let stack = state.stack_id.clone().unwrap_or_else(|| format!("stack:{}", request.stack));
        state.stacks.entry(stack.clone()).or_insert_with(|| VecDeque::from(["REVIEW_IN_PROGRESS".to_owned()]));
        let change_set = request.stack.clone();
        state.change_sets.push(request);
        state.execution = "AVAILABLE".to_owned();
        Ok(ChangeSetIds { change_set, stack, request_id: Some("request-create".to_owned()) })
    }

    async fn create_tags_change_set(
        &self,
        stack: &LiveStack,
        _tags: &BTreeMap<String, String>,
    ) -> Answer<ChangeSetIds> {
        drop(self.call("create_tags_change_set", &stack.name)?);
        Ok(ChangeSetIds { change_set: "tags".to_owned(), stack: stack.id.clone(), request_id: None })
    }

    async fn describe_change_set(&self, change_set: &str) -> Answer<ChangeSetView> {
        let state = self.call("describe_change_set", change_set)?;
        let (status, reason) = state.change_set.clone().unwrap_or(("CREATE_COMPLETE".to_owned(), String::new()));
        Ok(ChangeSetView {
            id: change_set.to_owned(),
            status,
            reason: Some(reason),
            execution_status: state.execution.clone(),
            deployment_mode: state.deployment_mode.clone(),
            changes: state.resource_changes.clone(),
        })
    }

    async fn change_set_failures(&self, change_set: &str) -> Answer<Vec<String>> {
        self.call("change_set_failures", change_set).map(|state| state.change_set_failures.clone())
    }

    async fn execute_change_set(&self, change_set: &str) -> Answer<Done> {
        let (mut state, refused) = match self.call("execute_change_set", change_set) {
            Ok(state) => (state, None),
            Err(error) => (self.state(), Some(error)),
        };
        // A refusal may be of what runs already, or of what another change set has overtaken.
        if let Some(error) = &refused
            && state.executed.as_deref() != Some("EXECUTE_COMPLETE")
        {
            state.execution = state.executed.clone().unwrap_or_else(|| state.execution.clone());
            return Err(error.clone());
        }
        let end = state.stack_end.clone().unwrap_or_else(|| "CREATE_COMPLETE".to_owned());
        let stack = state.stack_id.clone().unwrap_or_else(|| format!("stack:{change_set}"));
        if end == "CREATE_COMPLETE" {
            state.functions.entry(change_set.to_owned()).or_insert_with(|| fresh(change_set));
        }
        state.execution = state.executed.clone().unwrap_or_else(|| "EXECUTE_COMPLETE".to_owned());
        state.stacks.insert(stack, VecDeque::from(["CREATE_IN_PROGRESS".to_owned(), end]));
        refused.map_or_else(|| Ok(done("execute")), Err)
    }

    async fn delete_change_set(&self, change_set: &str) -> Answer<Done> {
        self.call("delete_change_set", change_set).map(|_| done("delete"))
    }

    async fn stack(&self, stack: &str) -> Answer<LiveStack> {
        let state = self.call("stack", stack)?;
        Ok(state.moved_stacks.get(stack).cloned().unwrap_or_else(fixtures::stack))
    }

    async fn stack_status(&self, stack: &str) -> Answer<StackStatus> {
        let mut state = self.call("stack_status", stack)?;
        let status = state.stacks.get_mut(stack).and_then(next);
        let status = status.ok_or_else(|| refused(ErrorKind::NotFound, "stack_status"))?;
        Ok(StackStatus { id: stack.to_owned(), status, reason: None })
    }

    async fn stack_first_failure(&self, stack: &str) -> Answer<Option<String>> {
        self.call("stack_first_failure", stack).map(|state| state.first_failure.clone())
    }

    async fn delete_stack(&self, stack: &str) -> Answer<Done> {
        let mut state = self.call("delete_stack", stack)?;
        let end = state.deletion_end.clone().unwrap_or_else(|| "DELETE_COMPLETE".to_owned());
        let gone = VecDeque::from(["DELETE_IN_PROGRESS".to_owned(), end]);
        state.stacks.insert(stack.to_owned(), gone);
        Ok(done("delete-stack"))
    }

    async fn get_configuration(&self, function: &str) -> Answer<FunctionState> {
        let state = self.call("get_configuration", function)?;
        let found = state.functions.get(function).cloned();
        let found = found.ok_or_else(|| refused(ErrorKind::NotFound, "get_configuration"))?;
        Ok(FunctionState::new(found, Some(state.revision.to_string())))
    }

    async fn update_configuration(
        &self,
        function: &str,
        change: &ConfigurationChange,
        revision_id: Option<&str>,
    ) -> Answer<Updated> {
        let mut state = self.call("update_configuration", function)?;
        if state.rivals > 0 {
            state.rivals -= 1;
            state.revision += 1;
            let rival = state.functions.get_mut(function).and_then(|live| live.environment.as_mut().ok());
            rival.map(|variables| variables.insert("RIVAL".to_owned(), Sensitive::new("new")));
        }
        if revision_id != Some(state.revision.to_string().as_str()) {
            return Err(refused(ErrorKind::Precondition, "update_configuration"));
        }
        state.revision += 1;
        state.sent.push(change.clone());
        let ended = if state.edits_fail { "Failed" } else { "Successful" };
        if let Some(live) = state.functions.get_mut(function) {
            live.last_update_status = ended.to_owned();
            live.settings.timeout = change.settings.timeout.or(live.settings.timeout);
            if let Some(environment) = &change.environment {
                live.environment = Ok(environment.clone());
            }
        }
        if let Some(left) = state.lost_answers.checked_sub(1) {
            state.lost_answers = left;
            return Err(refused(ErrorKind::Precondition, "update_configuration"));
        }
        Ok(Updated { revision_id: None, request_id: Some("request-configuration".to_owned()) })
    }

    async fn update_code(
        &self,
        function: &str,
        _code: CodeUpload,
        _architecture: Option<&str>,
        _revision_id: Option<&str>,
    ) -> Answer<Updated> {
        let mut state = self.call("update_code", function)?;
        let uploaded = state.uploaded.clone().unwrap_or_else(|| "ours".to_owned());
        let ended = if state.edits_fail { "Failed" } else { "Successful" };
        if let Some(live) = state.functions.get_mut(function) {
            (live.code_sha256, live.last_update_status) = (uploaded, ended.to_owned());
        }
        if let Some(left) = state.lost_answers.checked_sub(1) {
            state.lost_answers = left;
            return Err(refused(ErrorKind::Precondition, "update_code"));
        }
        Ok(Updated { revision_id: None, request_id: Some("request-code".to_owned()) })
    }

    async fn version_with(&self, function: &str, code_sha256: &str) -> Answer<Option<String>> {
        let state = self.call("version_with", function)?;
        Ok(state.versions.iter().rposition(|code| code == code_sha256).map(|at| (at + 1).to_string()))
    }

    async fn publish_version(&self, function: &str, code_sha256: &str, revision_id: Option<&str>) -> Answer<String> {
        let mut state = self.call("publish_version", function)?;
        if revision_id != Some(state.revision.to_string().as_str()) {
            return Err(refused(ErrorKind::Precondition, "publish_version"));
        }
        state.versions.push(code_sha256.to_owned());
        Ok(state.versions.len().to_string())
    }

    async fn get_policy(&self, function: &str) -> Answer<PolicyState> {
        let state = self.call("get_policy", function)?;
        Ok(PolicyState { statements: state.statements.clone(), revision_id: None })
    }

    async fn get_resource_policy(&self, function: &str) -> Answer<PolicyState> {
        let state = self.call("get_resource_policy", function)?;
        Ok(PolicyState { statements: state.whole_policy.clone(), revision_id: None })
    }

    async fn add_permission(
        &self,
        function: &str,
        _statement_id: &str,
        _source_account: &str,
        _revision_id: Option<&str>,
    ) -> Answer<Done> {
        let mut state = self.call("add_permission", function)?;
        if state.calls.iter().filter(|call| call.starts_with("add_permission")).count() > 1
            && let Some(kind) = state.after_first_permission.pop_front()
        {
            return Err(refused(kind, "add_permission"));
        }
        match state.lost_permissions.checked_sub(1) {
            Some(left) => state.lost_permissions = left,
            None => state.statements.push(fixtures::statement()),
        }
        Ok(done("permission"))
    }

    async fn remove_permission(&self, function: &str, _statement_id: &str, _revision_id: Option<&str>) -> Answer<Done> {
        let mut state = self.call("remove_permission", function)?;
        state.statements.clear();
        Ok(done("remove"))
    }

    async fn rotate_secret(
        &self,
        secret: &str,
        token: &str,
        function_arn: Option<&str>,
        _external: Option<&External>,
        rules: Option<&RotationRules>,
        _rotate_immediately: bool,
    ) -> Answer<RotateAnswer> {
        self.state().tokens.push(token.to_owned());
        let answer = self.call("rotate_secret", secret);
        let mut state = match answer {
            Ok(state) => state,
            Err(error) => {
                let mut state = self.state();
                let meanwhile = state.meanwhile.take();
                if let (Some(meanwhile), Some(live)) = (meanwhile, state.secrets.get_mut(secret)) {
                    meanwhile(live, token);
                }
                return Err(error);
            }
        };
        if let Some(live) = state.secrets.get_mut(secret) {
            live.rotation_enabled = Some(true);
            live.function_arn = function_arn.map(str::to_owned);
            live.rules = rules.cloned().or(Some(RotationRules::new(Schedule::AutomaticallyAfterDays(1), None)));
        }
        Ok(RotateAnswer { version_id: "v2".to_owned(), request_id: Some("request-rotate".to_owned()) })
    }

    async fn cancel_rotate_secret(&self, secret: &str) -> Answer<Done> {
        let mut state = self.call("cancel_rotate_secret", secret)?;
        if let Some(live) = state.secrets.get_mut(secret) {
            live.rotation_enabled = Some(false);
        }
        Ok(done("cancel"))
    }

    async fn move_label(&self, secret: &str, _label: &str, _to: Option<&str>, _from: Option<&str>) -> Answer<Done> {
        self.call("move_label", secret).map(|_| done("label"))
    }

    async fn describe_secret(&self, secret: &str) -> Answer<SecretState> {
        let state = self.call("describe_secret", secret)?;
        let found = state.secrets.values().find(|live| live.arn == secret || live.name == secret).cloned();
        let found = found.ok_or_else(|| refused(ErrorKind::NotFound, "describe_secret"))?;
        Ok(SecretState {
            revision: format!("{found:?}"),
            secret: found,
            age: state.age,
            next_rotation: state.dates.0,
            versions: BTreeMap::new(),
        })
    }

    async fn rotating_with(&self, function_arn: &str) -> Answer<Vec<String>> {
        let state = self.call("rotating_with", function_arn)?;
        let rotates = |live: &&LiveSecret| live.is_on() && live.function_arn.as_deref() == Some(function_arn);
        Ok(state.secrets.values().filter(rotates).map(|live| live.arn.clone()).collect())
    }

    fn now(&self) -> i64 {
        NOW
    }

    async fn log(&self, group: &str, since: i64) -> Answer<Vec<LogEvent>> {
        let state = self.call("log", group)?;
        Ok(state.log.iter().filter(|event| event.at >= since).cloned().collect())
    }

    async fn rotation_progress(&self, secret: &str, _version: &str) -> Answer<RotationProgress> {
        let mut state = self.call("rotation_progress", secret)?;
        let stages = next(&mut state.progress).unwrap_or_else(|| vec!["AWSCURRENT".to_owned()]);
        Ok(RotationProgress { stages, next_rotation: state.dates.1, ..RotationProgress::default() })
    }
}
