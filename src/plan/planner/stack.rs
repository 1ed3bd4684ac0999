//! A function's stack: deployed, replaced, updated, tagged, or in the way.

use std::collections::BTreeMap;

use crate::model::live::{ApplicationVersion, LiveStack, Reading, Unread};
use crate::model::{
    Address, Deployment, PROJECT_TAG, SAR_STACK_PREFIXES, SAR_VERSION_TAG, SHARED_TAG, Sensitive, regions, templates,
};
use crate::plan::parameters::{self, Parameters};
use crate::plan::{Action, Attribute, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity, Shown};

use super::{Compared, FunctionOutcome, Planner};

/// What a stack's comparison says about the rest of the function.
pub(super) enum StackOutcome {
    /// It will be made: nothing of the function is there yet.
    Deploy(usize),
    /// It is there, perhaps with a change.
    Stands(Option<usize>),
    /// An error blocks it.
    Blocked,
}

impl Planner<'_> {
    pub(super) fn stack(&mut self, compared: Compared<'_>, outcome: &mut FunctionOutcome) -> StackOutcome {
        let Compared { address, function, deployment, live } = compared;
        let unread = |planner: &mut Self, what: &'static str, unread: &Unread| {
            let kind = ProblemKind::Unread { what: what.into(), unread: unread.clone() };
            planner.problem(address, &function.name, Severity::Error, kind);
            StackOutcome::Blocked
        };
        let stack = match &live.stack {
            Reading::Unread(why) => return unread(self, "stack", why),
            Reading::Absent => None,
            Reading::Found(stack) => Some(stack),
        };
        if let Some(project) = stack.and_then(|stack| stack.tags.get(PROJECT_TAG))
            && !self.is_ours(project)
        {
            let kind = ProblemKind::OtherProject { project: project.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        let version = match &live.application {
            Reading::Found(version) => version,
            // The lists may lag behind: what was read counts.
            Reading::Unread(Unread::Failed { .. }) if !regions::has_repository(&self.live.region) => {
                let kind = ProblemKind::NoRepository { region: self.live.region.clone() };
                self.problem(address, &function.name, Severity::Error, kind);
                return StackOutcome::Blocked;
            }
            Reading::Unread(why) => return unread(self, "application", why),
            Reading::Absent => {
                let application = deployment.application.id.clone();
                let kind =
                    ProblemKind::ApplicationMissing { application, version: deployment.application.version.clone() };
                self.problem(address, &function.name, Severity::Error, kind);
                return StackOutcome::Blocked;
            }
        };
        let standing = stack.filter(|stack| !stack.in_review());
        let parameters = parameters::parameters(
            function,
            deployment,
            version,
            standing.filter(|stack| !is_dead(&stack.status)),
            &self.live.region,
            &self.live.partition,
        );
        let key = parameters.send.get(parameters::KMS_KEY).map(|key| key.expose().to_owned());
        outcome.kms_key = version.parameters.contains_key(parameters::KMS_KEY).then(|| key.unwrap_or_default());
        self.newer_version(address, version);
        match standing {
            None => self.deploy(compared, version, &parameters, None),
            Some(stack) => self.compare_stack(compared, version, &parameters, stack),
        }
    }

    fn newer_version(&mut self, address: &Address, version: &ApplicationVersion) {
        if let Some(newest) = version.newest.as_ref().filter(|newest| **newest != version.version) {
            let kind = NoteKind::NewerVersion { version: version.version.clone(), newest: newest.clone() };
            self.note(Some(address.clone()), kind);
        }
    }

    /// A stack that isn't there, or that must go first (`replaces`, by ARN, and why).
    fn deploy(
        &mut self,
        compared: Compared<'_>,
        version: &ApplicationVersion,
        parameters: &Parameters,
        replaces: Option<(&LiveStack, &Reason)>,
    ) -> StackOutcome {
        let Compared { address, function, deployment, live } = compared;
        // A function of this name that goes with the stack in the way makes room; any other stands in the way itself.
        let goes = replaces.and_then(|(stack, _)| stack.function.as_ref()) == Some(&function.name);
        if let Reading::Unread(unread) = &live.configuration
            && !goes
        {
            // It may be there: what can't be read isn't absent.
            let kind = ProblemKind::Unread { what: "configuration".into(), unread: unread.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if live.configuration.found().is_some() && !goes {
            let kind = live.held_by.as_deref().map_or(ProblemKind::NameTaken, |stack| self.held_by(stack));
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if !version.parameters.contains_key(parameters::FUNCTION_NAME) {
            self.problem(address, &function.name, Severity::Error, ProblemKind::NameNotTaken);
        }
        for kind in &parameters.problems {
            self.problem(address, &function.name, Severity::Error, kind.clone());
        }
        let mut fields = vec![
            FieldChange::new(Attribute::Stack, Shown::Absent, Shown::text(stack_name(deployment))),
            FieldChange::new(Attribute::Application, Shown::Absent, Shown::text(&deployment.application.id)),
            FieldChange::new(Attribute::Version, Shown::Absent, Shown::text(&version.version)),
        ];
        for (name, value) in &parameters.send {
            let shown = shown_parameter(version, name, value);
            fields.push(FieldChange::new(Attribute::Parameter(name.clone()), Shown::Absent, shown));
        }
        let reason = replaces.map_or(Reason::Missing, |(_, reason)| reason.clone());
        let action = Action::DeployStack {
            application: deployment.application.id.clone(),
            version: version.version.clone(),
            stack: deployment.stack.clone(),
            replaces: replaces.map(|(stack, _)| stack.id.clone()),
        };
        let change = self.change(address.clone(), &function.name, action, reason, fields);
        if let Some((stack, _)) = replaces {
            self.effect(change, Effect::Deletes);
            self.takes_over(change, stack);
            if live.configuration.found().is_some() {
                self.effect(change, Effect::ReplacesCode);
            }
        }
        StackOutcome::Deploy(change)
    }

    /// That another stack than the entry's holds its function.
    fn held_by(&self, stack: &LiveStack) -> ProblemKind {
        let name = SAR_STACK_PREFIXES.iter().find_map(|prefix| stack.name.strip_prefix(prefix)).unwrap_or(&stack.name);
        let project = stack.tags.get(PROJECT_TAG).filter(|project| !self.is_ours(project));
        ProblemKind::HeldByStack { stack: stack.name.clone(), name: name.to_owned(), project: project.cloned() }
    }

    fn compare_stack(
        &mut self,
        compared: Compared<'_>,
        version: &ApplicationVersion,
        parameters: &Parameters,
        stack: &LiveStack,
    ) -> StackOutcome {
        let Compared { address, function, deployment, live } = compared;
        let ours = stack.tags.contains_key(PROJECT_TAG);
        if stack.is_busy() {
            let kind = ProblemKind::StackBusy { status: stack.status.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if is_dead(&stack.status) && ours {
            let reason = Reason::FailedStack { status: stack.status.clone() };
            return self.deploy(compared, version, parameters, Some((stack, &reason)));
        }
        if is_dead(&stack.status) || is_broken(&stack.status) {
            let kind = ProblemKind::StackBroken {
                status: stack.status.clone(),
                stack: stack.name.clone(),
                reason: stack.first_failure.clone(),
                ours,
            };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if let Some(live_name) = stack.function.as_ref().filter(|live_name| **live_name != function.name) {
            let kind = ProblemKind::NamedOtherwise { live: live_name.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if stack.function.is_none() && live.configuration.found().is_some() {
            self.problem(address, &function.name, Severity::Error, ProblemKind::NameTaken);
            return StackOutcome::Blocked;
        }
        if live.configuration == Reading::Absent {
            if ours {
                let replaced = Some((stack, &Reason::FunctionGone));
                return self.deploy(compared, version, parameters, replaced);
            }
            self.problem(address, &function.name, Severity::Error, ProblemKind::FunctionMissing);
            return StackOutcome::Blocked;
        }
        // A function that is in its VPC already, by whatever way, is as the manifest says; the parameters follow with the
        // stack's next update.
        let wanted = &deployment.settings.vpc;
        let vpc_is_live = live.configuration.found().is_some_and(|live| live.settings.vpc == *wanted);
        let mut parameters = parameters.clone();
        parameters.fields.retain(|field| !(vpc_is_live && is_vpc_parameter(field)));
        StackOutcome::Stands(self.update_stack(compared, version, &parameters, stack))
    }

    fn update_stack(
        &mut self,
        compared: Compared<'_>,
        version: &ApplicationVersion,
        parameters: &Parameters,
        stack: &LiveStack,
    ) -> Option<usize> {
        let Compared { address, function, deployment, .. } = compared;
        let tags = tag_fields(&self.desired.project, deployment.shared, &stack.tags);
        let live_version = stack.tags.get(SAR_VERSION_TAG);
        let mut fields = Vec::new();
        if deployment.application.version.is_some() && live_version != Some(&version.version) {
            let before = Shown::option(live_version);
            fields.push(FieldChange::new(Attribute::Version, before, Shown::text(&version.version)));
        }
        fields.extend(parameters.fields.iter().cloned());
        if !fields.is_empty() && deployment.application.version.is_none() && live_version != Some(&version.version) {
            // A stack that doesn't say its version is updated to the one that was read, and that is no small thing.
            let before = live_version.map_or(Shown::Unknown, Shown::text);
            fields.push(FieldChange::new(Attribute::Version, before, Shown::text(&version.version)));
        }
        // A parameter of another problem's kind is reported even where nothing is sent: the manifest is wrong about it.
        for kind in &parameters.problems {
            let severity = match kind {
                ProblemKind::MissingParameter { .. } if fields.is_empty() => continue,
                _ => Severity::Error,
            };
            self.problem(address, &function.name, severity, kind.clone());
        }
        if !fields.is_empty() {
            fields.extend(parameters.unseen.iter().cloned());
            fields.extend(tags);
            let action = Action::UpdateStack {
                application: deployment.application.id.clone(),
                version: version.version.clone(),
                stack: deployment.stack.clone(),
                id: stack.id.clone(),
            };
            let other_code = fields.iter().any(|field| brings_other_code(field, deployment, &self.live.partition));
            let change = self.change(address.clone(), &function.name, action, Reason::Differs, fields);
            if other_code {
                self.effect(change, Effect::ReplacesCode);
            }
            self.takes_over(change, stack);
            return Some(change);
        }
        if tags.is_empty() {
            return None;
        }
        let reason = match stack.tags.get(PROJECT_TAG) {
            None => Reason::Adopt,
            Some(project) if *project != self.desired.project => Reason::Renamed { from: project.clone() },
            Some(_) => Reason::Differs,
        };
        let action = Action::TagStack { id: stack.id.clone() };
        let change = self.change(address.clone(), &function.name, action, reason, tags);
        self.takes_over(change, stack);
        Some(change)
    }
}

/// Whether a stack's update with another value may bring other code: another version, and, of templates that aren't AWS's own, any
/// parameter, since a template may take its code, its layers or its handler from one.
fn brings_other_code(field: &FieldChange, deployment: &Deployment, partition: &str) -> bool {
    let of_aws = templates(partition).is_some_and(|start| deployment.application.id.starts_with(start));
    match &field.attribute {
        Attribute::Version => true,
        Attribute::Parameter(_) => !of_aws,
        _ => false,
    }
}

/// The tags that a deployed function's stack carries for us.
pub fn stack_tags(project: &str, shared: bool) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([(PROJECT_TAG.to_owned(), project.to_owned())]);
    if shared {
        tags.insert(SHARED_TAG.to_owned(), "true".to_owned());
    }
    tags
}

fn tag_fields(project: &str, shared: bool, live: &BTreeMap<String, String>) -> Vec<FieldChange> {
    let wanted = stack_tags(project, shared);
    [PROJECT_TAG, SHARED_TAG]
        .into_iter()
        .filter(|name| wanted.get(*name) != live.get(*name))
        .map(|name| {
            FieldChange::new(
                Attribute::Tag(name.to_owned()),
                Shown::option(live.get(name)),
                Shown::option(wanted.get(name)),
            )
        })
        .collect()
}

fn shown_parameter(version: &ApplicationVersion, name: &str, value: &Sensitive) -> Shown {
    let no_echo = version.parameters.get(name).is_none_or(|definition| definition.no_echo);
    if no_echo { Shown::Sensitive } else { Shown::text(value.expose()) }
}

pub(super) fn stack_name(deployment: &Deployment) -> String {
    format!("{}{}", SAR_STACK_PREFIXES[0], deployment.stack)
}

/// Whether a change is one of the stack's VPC parameters.
pub fn is_vpc_parameter(field: &FieldChange) -> bool {
    matches!(&field.attribute, Attribute::Parameter(name) if parameters::is_vpc(name))
}

/// Statuses in which a stack can only be deleted.
pub(super) fn is_dead(status: &str) -> bool {
    matches!(status, "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED")
}

/// Statuses that only a person can end.
pub(super) fn is_broken(status: &str) -> bool {
    matches!(status, "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" | "DELETE_FAILED" | "IMPORT_ROLLBACK_FAILED")
}
