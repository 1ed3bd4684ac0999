//! Functions: their stack, configuration, code and permission.

use crate::model::live::{Configuration, LiveFunction, Reading, Statement};
use crate::model::{
    Address, Code, CodeCheck, Function, FunctionSource, Kind, PERMISSION_STATEMENT, PROJECT_TAG, ReadFault, SHARED_TAG,
    STACK_TAG, arn, is_generic_application,
};
use crate::plan::parameters;
use crate::plan::{Action, Attribute, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity};

use super::code::{code_fields, lacks_handler, same_code};
use super::configuration::{architecture_field, configuration_fields, runs_other_code};
use super::permission::{is_of_stack, permission_fields};
use super::stack::{StackOutcome, is_vpc_parameter};
use super::{Compared, FunctionOutcome, Planner};

/// Lambda's architecture where none is stated.
const DEFAULT_ARCHITECTURE: &str = "x86_64";

impl Planner<'_> {
    pub(super) fn function(&mut self, handle: &str, function: &Function) {
        let address = self.address(Kind::Function, handle);
        let mut outcome = FunctionOutcome { arn: self.function_arn(handle, function), ..FunctionOutcome::default() };
        let Some(live) = self.live_function(handle) else {
            outcome.blocked = true;
            self.outcomes.insert(handle.to_owned(), outcome);
            return;
        };
        let errors = self.plan.problems.len();
        match &function.source {
            FunctionSource::Existing { reference } => {
                let reference = arn::FunctionReference::of(reference);
                self.existing((&address, function, reference), live, &mut outcome);
            }
            FunctionSource::Deployed(deployment) => {
                self.deployed(Compared { address: &address, function, deployment, live }, &mut outcome);
            }
        }
        outcome.blocked |= self.plan.problems[errors..].iter().any(|problem| problem.severity == Severity::Error);
        for &change in &outcome.changes {
            self.plan.changes[change].blocked = outcome.blocked;
        }
        self.outcomes.insert(handle.to_owned(), outcome);
    }

    /// A function that is used, not deployed: nothing is written to it.
    fn existing(
        &mut self,
        (address, function, reference): (&Address, &Function, arn::FunctionReference<'_>),
        live: &LiveFunction,
        outcome: &mut FunctionOutcome,
    ) {
        let configuration = match &live.configuration {
            Reading::Found(configuration) => configuration,
            Reading::Absent => {
                let kind = match reference.qualifier {
                    Some(qualifier) => ProblemKind::QualifierMissing { qualifier: qualifier.to_owned() },
                    None => ProblemKind::FunctionMissing,
                };
                self.problem(address, &function.name, Severity::Error, kind);
                return;
            }
            Reading::Unread(unread) => {
                let kind = ProblemKind::Unread { what: "configuration".into(), unread: unread.clone() };
                self.problem(address, &function.name, Severity::Warning, kind);
                return;
            }
        };
        if let Err(unread) = &configuration.tags {
            let kind = ProblemKind::OwnerUnknown { function: configuration.name.clone(), unread: unread.clone() };
            self.problem(address, &function.name, Severity::Warning, kind);
        }
        let tag = |name: &str| configuration.tags.as_ref().ok().and_then(|tags| tags.get(name));
        if let Some(project) = tag(PROJECT_TAG)
            && !self.is_ours(project)
            && tag(SHARED_TAG).is_none_or(|shared| shared != "true")
        {
            let kind = ProblemKind::OtherProject { project: project.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
        }
        self.state(address, configuration, outcome);
        let made_by = tag(STACK_TAG).map(String::as_str);
        match &live.policy {
            Reading::Found(statements) => {
                outcome.denials = self.report_policy(address, &function.name, statements, (made_by, false));
                outcome.statements = Some(statements.clone());
            }
            Reading::Absent => outcome.statements = Some(Vec::new()),
            Reading::Unread(unread) => {
                let kind = ProblemKind::Unread { what: "policy".into(), unread: unread.clone() };
                self.problem(address, &function.name, Severity::Warning, kind);
            }
        }
    }

    fn deployed(&mut self, compared: Compared<'_>, outcome: &mut FunctionOutcome) {
        let Compared { address, function, deployment, live } = compared;
        if let Some(reason) = deployment.code.as_ref().and_then(|code| code.unusable.clone()) {
            self.problem(address, &function.name, Severity::Error, ProblemKind::CodeUnusable { reason });
            outcome.blocked = true;
            return;
        }
        if let Some(fault) = deployment.read_fault.clone() {
            let kind = match fault {
                ReadFault::Missing { secret } => ProblemKind::ReadSecretMissing { secret },
                ReadFault::NotTaken { version } => ProblemKind::ReadSecretNotTaken { version },
                ReadFault::Unread(unread) => ProblemKind::Unread { what: "other secret".into(), unread },
            };
            self.problem(address, &function.name, Severity::Error, kind);
            outcome.blocked = true;
            return;
        }
        match self.stack(compared, outcome) {
            StackOutcome::Blocked => outcome.blocked = true,
            StackOutcome::Deploy(stack) => {
                outcome.changes.push(stack);
                self.first_deployment(compared, outcome);
            }
            StackOutcome::Stands(stack) => {
                outcome.changes.extend(stack);
                match &live.configuration {
                    Reading::Found(configuration) => {
                        self.standing(compared, configuration, outcome);
                    }
                    // The stack's comparison has spoken of an absent function already.
                    Reading::Absent => {}
                    Reading::Unread(unread) => {
                        let kind = ProblemKind::Unread { what: "configuration".into(), unread: unread.clone() };
                        self.problem(address, &function.name, Severity::Error, kind);
                    }
                }
            }
        }
        if let Some(secrets) = live.foreign_secrets.filter(|secrets| deployment.shared && *secrets > 0) {
            self.note(Some(address.clone()), NoteKind::SharedWith { secrets });
        }
    }

    /// All that follows a first deployment: configuration, code, permission.
    fn first_deployment(&mut self, compared: Compared<'_>, outcome: &mut FunctionOutcome) {
        let Compared { address, function, deployment, live } = compared;
        let stack_vpc = live.application.found().is_some_and(parameters::declares_vpc);
        let fields = configuration_fields(deployment, None, stack_vpc);
        // What the application's own code runs on is known only once it is there; only that default is certain.
        let other_architecture =
            deployment.settings.architecture.as_ref().filter(|wanted| *wanted != DEFAULT_ARCHITECTURE);
        let mut follow = |planner: &mut Self, action: Action, fields: Vec<FieldChange>| {
            planner.follow(compared, outcome, action, Reason::Deployed, fields)
        };
        if !fields.is_empty() {
            follow(self, Action::UpdateConfiguration, fields);
        }
        if let Some(code) = &deployment.code {
            let mut fields = code_fields(code, None);
            fields.extend(architecture_field(deployment, None));
            follow(self, Action::UpdateCode, fields);
            self.sent(address, &function.name, code);
            self.findings(address, &function.name, code, true);
            self.handler(compared, None);
        } else if other_architecture.is_some() {
            self.problem(address, &function.name, Severity::Error, ProblemKind::ArchitectureNeedsCode);
        } else if is_generic_application(&deployment.application.id) {
            self.problem(address, &function.name, Severity::Warning, ProblemKind::TemplateCode);
        }
        let permission = Action::AddPermission { replace: false };
        let change = follow(self, permission, permission_fields(&self.live.account, None));
        self.effect(change, Effect::OpensPermission);
        (outcome.statements, outcome.opened) = (Some(Vec::new()), true);
    }

    /// A function that is there: configuration, code and permission, each compared.
    fn standing(&mut self, compared: Compared<'_>, configuration: &Configuration, outcome: &mut FunctionOutcome) {
        let Compared { address, function, deployment, live } = compared;
        self.state(address, configuration, outcome);
        let stack_change = outcome.changes.last().copied();
        if let (Err(code), false) = (&configuration.environment, deployment.environment.is_empty()) {
            let kind = ProblemKind::UnreadableEnvironment { code: code.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
        }
        // Where the stack's update carries the VPC, the comparison after it looks at the function again.
        let stack_carries_vpc =
            stack_change.is_some_and(|change| self.plan.changes[change].fields.iter().any(is_vpc_parameter));
        let fields = configuration_fields(deployment, Some(configuration), stack_carries_vpc);
        let mut runs_other = false;
        if !fields.is_empty() {
            let other_code = fields.iter().any(runs_other_code);
            runs_other |= other_code;
            let change = self.follow(compared, outcome, Action::UpdateConfiguration, Reason::Differs, fields);
            if other_code {
                self.effect(change, Effect::ReplacesCode);
            }
        }
        if let Some(code) = &deployment.code {
            let architecture = architecture_field(deployment, Some(configuration));
            if !same_code(code, configuration) || architecture.is_some() {
                let mut fields = code_fields(code, Some(configuration));
                fields.extend(architecture);
                let change = self.follow(compared, outcome, Action::UpdateCode, Reason::Differs, fields);
                self.effect(change, Effect::ReplacesCode);
                self.sent(address, &function.name, code);
                if self.may_rotate(configuration, live) {
                    self.note(Some(address.clone()), NoteKind::KeepsCode);
                }
                runs_other = true;
            } else {
                self.lost_bits(address, code, configuration);
            }
            self.findings(address, &function.name, code, runs_other);
            self.handler(compared, Some(configuration));
        } else if architecture_field(deployment, Some(configuration)).is_some() {
            self.problem(address, &function.name, Severity::Error, ProblemKind::ArchitectureNeedsCode);
        }
        match &live.policy {
            Reading::Unread(unread) => {
                let kind = ProblemKind::Unread { what: "policy".into(), unread: unread.clone() };
                self.problem(address, &function.name, Severity::Error, kind);
            }
            reading => {
                let statements = reading.found().map_or(&[][..], Vec::as_slice);
                let stack = live.stack.found().map(|stack| stack.name.as_str());
                let mut denials = self.report_policy(address, &function.name, statements, (stack, true));
                // Another version may come without the statement that the stack has now.
                let other_version = stack_change.is_some_and(|change| {
                    self.plan.changes[change].fields.iter().any(|field| field.attribute == Attribute::Version)
                });
                let goes = |statement: &&Statement| other_version && is_of_stack(statement, stack);
                let stay: Vec<Statement> = statements.iter().filter(|one| !goes(one)).cloned().collect();
                if !self.permits(&stay) {
                    let present = statements.iter().find(|statement| statement.sid == PERMISSION_STATEMENT);
                    let fields = permission_fields(&self.live.account, present);
                    let action = Action::AddPermission { replace: present.is_some() };
                    let reason = if present.is_some() { Reason::Differs } else { Reason::Missing };
                    let change = self.follow(compared, outcome, action, reason, fields);
                    self.effect(change, Effect::OpensPermission);
                    // The statement with our id is replaced, so that it denies nothing any more.
                    denials.retain(|denial| denial.sid != PERMISSION_STATEMENT);
                }
                outcome.denials = denials;
                outcome.statements = Some(stay);
                outcome.opened = true;
            }
        }
    }

    /// A change of a function, after the function's last one: a function takes one edit at a time.
    fn follow(
        &mut self,
        compared: Compared<'_>,
        outcome: &mut FunctionOutcome,
        action: Action,
        reason: Reason,
        fields: Vec<FieldChange>,
    ) -> usize {
        let change = self.change(compared.address.clone(), &compared.function.name, action, reason, fields);
        self.plan.changes[change].after.extend(outcome.changes.last());
        outcome.changes.push(change);
        change
    }

    /// A failed function can't be invoked, whatever else is done; nor can one that may not run at all.
    fn state(&mut self, address: &Address, configuration: &Configuration, outcome: &mut FunctionOutcome) {
        outcome.throttled = configuration.reserved_concurrency == Some(0);
        if outcome.throttled {
            let kind = ProblemKind::FunctionThrottled { function: configuration.arn.clone() };
            self.problem(address, &configuration.name, Severity::Warning, kind);
        }
        if configuration.state == "Failed" {
            let kind = ProblemKind::FunctionFailed { reason: configuration.state_reason.clone() };
            self.problem(address, &configuration.name, Severity::Error, kind);
        }
    }

    /// The handler, stated or live, must find its file in the package.
    fn handler(&mut self, compared: Compared<'_>, live: Option<&Configuration>) {
        let Compared { address, function, deployment, .. } = compared;
        let (wanted, live) = (&deployment.settings, live.map(|live| &live.settings));
        // Who has looked into the package may have said more of it.
        let is_said =
            |code: &Code| code.findings.iter().any(|one| one.check == CodeCheck::Handler && one.file.is_none());
        if deployment.code.as_ref().is_some_and(is_said) {
            return;
        }
        let handler = wanted.handler.as_ref().or_else(|| live?.handler.as_ref());
        let runtime = wanted.runtime.as_deref().or_else(|| live?.runtime.as_deref());
        if let Some(handler) = handler.filter(|handler| lacks_handler(deployment, handler, runtime)) {
            let kind = ProblemKind::HandlerFileMissing { handler: handler.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
        }
    }
}

/// Whether two references mean the same function, whatever qualifier follows.
pub(super) fn same_function(one: &str, other: &str) -> bool {
    one == other || arn::unqualified_function_arn(one) == arn::unqualified_function_arn(other)
}
