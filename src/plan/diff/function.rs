//! Functions: their stack, configuration, code and permission.

use std::collections::BTreeMap;

use crate::model::live::{ApplicationVersion, Configuration, LiveFunction, LiveStack, Reading, Statement};
use crate::model::loading::loads_code;
use crate::model::setting::Request;
use crate::model::{
    Address, Deployment, Function, FunctionSource, Kind, PERMISSION_STATEMENT, PROJECT_TAG, SAR_VERSION_TAG,
    SHARED_TAG, Sensitive, Setting, Vpc, arn, templates,
};
use crate::plan::parameters::{self, Parameters};
use crate::plan::{Action, Attribute, Effect, FieldChange, NoteKind, ProblemKind, Reason, Severity, Shown};

use super::code::{code_fields, same_code};
use super::{Differ, FunctionOutcome};

/// Lambda's architecture where nobody says one.
const DEFAULT_ARCHITECTURE: &str = "x86_64";

/// The end of the ARN of AWS's generic application, whose own code fails every rotation.
const GENERIC_APPLICATION: &str = ":applications/SecretsManagerRotationTemplate";

/// What a stack's comparison says about the rest of the function.
enum StackOutcome {
    /// It will be made: nothing of the function is there yet.
    Deploy(usize),
    /// It is there, perhaps with a change.
    Stands(Option<usize>),
    /// An error blocks it.
    Blocked,
}

impl Differ<'_> {
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
            FunctionSource::Existing { .. } => self.existing(&address, function, live, &mut outcome),
            FunctionSource::Deployed(deployment) => self.deployed(&address, function, deployment, live, &mut outcome),
        }
        outcome.blocked |= self.plan.problems[errors..].iter().any(|problem| problem.severity == Severity::Error);
        for &change in &outcome.changes {
            self.plan.changes[change].blocked = outcome.blocked;
        }
        self.outcomes.insert(handle.to_owned(), outcome);
    }

    /// A function that is used, not deployed: nothing is written to it.
    fn existing(&mut self, address: &Address, function: &Function, live: &LiveFunction, outcome: &mut FunctionOutcome) {
        let configuration = match &live.configuration {
            Reading::Found(configuration) => configuration,
            Reading::Absent => {
                self.problem(address, &function.name, Severity::Error, ProblemKind::FunctionMissing);
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
        if outcome.arn != arn::unqualified_function_arn(&outcome.arn) {
            // A version or an alias has a policy of its own, which wasn't read: nothing can be foreseen of it.
            return;
        }
        match &live.policy {
            Reading::Found(statements) => {
                outcome.denials = self.report_policy(address, &function.name, statements, None);
                outcome.not_permitted = !self.permits(statements);
            }
            Reading::Absent => outcome.not_permitted = true,
            Reading::Unread(unread) => {
                let kind = ProblemKind::Unread { what: "policy".into(), unread: unread.clone() };
                self.problem(address, &function.name, Severity::Warning, kind);
            }
        }
    }

    fn deployed(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: &LiveFunction,
        outcome: &mut FunctionOutcome,
    ) {
        if let Some(reason) = deployment.code.as_ref().and_then(|code| code.unusable.clone()) {
            self.problem(address, &function.name, Severity::Error, ProblemKind::CodeUnusable { reason });
            outcome.blocked = true;
            return;
        }
        match self.stack(address, function, deployment, live, outcome) {
            StackOutcome::Blocked => outcome.blocked = true,
            StackOutcome::Deploy(stack) => {
                outcome.changes.push(stack);
                self.first_deployment(address, function, deployment, live, outcome);
            }
            StackOutcome::Stands(stack) => {
                outcome.changes.extend(stack);
                match &live.configuration {
                    Reading::Found(configuration) => {
                        self.standing(address, function, deployment, configuration, live, outcome);
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
    fn first_deployment(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: &LiveFunction,
        outcome: &mut FunctionOutcome,
    ) {
        let stack_vpc = live.application.found().is_some_and(parameters::declares_vpc);
        let fields = configuration_fields(deployment, None, stack_vpc);
        // What the application's own code runs on is known only once it is there; only that default is certain.
        let other_architecture =
            deployment.settings.architecture.as_ref().filter(|wanted| *wanted != DEFAULT_ARCHITECTURE);
        let mut follow = |differ: &mut Self, action: Action, fields: Vec<FieldChange>| {
            differ.follow(address, function, outcome, action, Reason::Deployed, fields)
        };
        if !fields.is_empty() {
            follow(self, Action::UpdateConfiguration, fields);
        }
        if let Some(code) = &deployment.code {
            let mut fields = code_fields(code, None);
            fields.extend(architecture_field(deployment, None));
            follow(self, Action::UpdateCode, fields);
            self.sent(address, &function.name, code);
            self.handler(address, function, deployment, None);
        } else if other_architecture.is_some() {
            self.problem(address, &function.name, Severity::Error, ProblemKind::ArchitectureNeedsCode);
        } else if deployment.application.id.ends_with(GENERIC_APPLICATION) {
            self.problem(address, &function.name, Severity::Warning, ProblemKind::TemplateCode);
        }
        let permission = Action::AddPermission { replace: false };
        let change = follow(self, permission, permission_fields(&self.live.account, None));
        self.effect(change, Effect::OpensPermission);
    }

    /// A function that is there: configuration, code and permission, each compared.
    fn standing(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        configuration: &Configuration,
        live: &LiveFunction,
        outcome: &mut FunctionOutcome,
    ) {
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
        if !fields.is_empty() {
            let other_code = fields.iter().any(runs_other_code);
            let change = self.follow(address, function, outcome, Action::UpdateConfiguration, Reason::Differs, fields);
            if other_code {
                self.effect(change, Effect::ReplacesCode);
            }
        }
        if let Some(code) = &deployment.code {
            let architecture = architecture_field(deployment, Some(configuration));
            if !same_code(code, configuration) || architecture.is_some() {
                let mut fields = code_fields(code, Some(configuration));
                fields.extend(architecture);
                let change = self.follow(address, function, outcome, Action::UpdateCode, Reason::Differs, fields);
                self.effect(change, Effect::ReplacesCode);
                self.sent(address, &function.name, code);
            } else {
                self.lost_bits(address, code, configuration);
            }
            self.handler(address, function, deployment, Some(configuration));
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
                let mut denials = self.report_policy(address, &function.name, statements, live.stack.found());
                // Another version may come without the statement that the stack has now.
                let other_version = stack_change.is_some_and(|change| {
                    self.plan.changes[change].fields.iter().any(|field| field.attribute == Attribute::Version)
                });
                let goes = |statement: &&Statement| other_version && is_of_stack(statement, live.stack.found());
                let stay: Vec<Statement> = statements.iter().filter(|one| !goes(one)).cloned().collect();
                if !self.permits(&stay) {
                    let present = statements.iter().find(|statement| statement.sid == PERMISSION_STATEMENT);
                    let fields = permission_fields(&self.live.account, present);
                    let action = Action::AddPermission { replace: present.is_some() };
                    let reason = if present.is_some() { Reason::Differs } else { Reason::Missing };
                    let change = self.follow(address, function, outcome, action, reason, fields);
                    self.effect(change, Effect::OpensPermission);
                    // The statement with our id is replaced, so that it denies nothing any more.
                    denials.retain(|denial| denial.sid != PERMISSION_STATEMENT);
                }
                outcome.denials = denials;
            }
        }
    }

    /// A change of a function, after the function's last one: a function takes one edit at a time.
    fn follow(
        &mut self,
        address: &Address,
        function: &Function,
        outcome: &mut FunctionOutcome,
        action: Action,
        reason: Reason,
        fields: Vec<FieldChange>,
    ) -> usize {
        let change = self.change(address.clone(), &function.name, action, reason, fields);
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
    fn handler(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: Option<&Configuration>,
    ) {
        let (wanted, live) = (&deployment.settings, live.map(|live| &live.settings));
        let handler = wanted.handler.as_ref().or_else(|| live?.handler.as_ref());
        let runtime = wanted.runtime.as_deref().or_else(|| live?.runtime.as_deref());
        if let Some(handler) = handler.filter(|handler| lacks_handler(deployment, handler, runtime)) {
            let kind = ProblemKind::HandlerFileMissing { handler: handler.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
        }
    }

    /// Whether Secrets Manager may invoke the function for our account, or unconditionally.
    fn permits(&self, statements: &[Statement]) -> bool {
        permits(statements, &self.live.account)
    }

    /// Speaks of statements that let in too many, or keep Secrets Manager out. Answers with the latter.
    fn report_policy(
        &mut self,
        address: &Address,
        name: &str,
        statements: &[Statement],
        stack: Option<&LiveStack>,
    ) -> Vec<Statement> {
        let mut denials = Vec::new();
        for statement in statements {
            let ours = statement.source_account.as_ref().is_none_or(|source| *source == self.live.account);
            if statement.denies && !statement.other_conditions && ours {
                denials.push(statement.clone());
                let kind = ProblemKind::InvocationDenied { statement: statement.sid.clone() };
                self.problem(address, name, Severity::Warning, kind);
            }
            let unscoped = statement.allows
                && !statement.other_conditions
                && statement.source_account.is_none()
                && statement.source_arn.is_none();
            if unscoped {
                let of_stack = is_of_stack(statement, stack);
                let statement = statement.sid.clone();
                if of_stack {
                    self.note(Some(address.clone()), NoteKind::UnscopedPermission { statement });
                } else {
                    self.problem(
                        address,
                        name,
                        Severity::Warning,
                        ProblemKind::UnscopedPermission { statement, deployed: stack.is_some() },
                    );
                }
            }
        }
        denials
    }

    fn stack(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: &LiveFunction,
        outcome: &mut FunctionOutcome,
    ) -> StackOutcome {
        let unread = |differ: &mut Self, what: &'static str, unread: &crate::model::live::Unread| {
            let kind = ProblemKind::Unread { what: what.into(), unread: unread.clone() };
            differ.problem(address, &function.name, Severity::Error, kind);
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
            None => self.deploy(address, function, deployment, live, (version, &parameters), None),
            Some(stack) => self.compare_stack(address, function, deployment, live, version, &parameters, stack),
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
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: &LiveFunction,
        (version, parameters): (&ApplicationVersion, &Parameters),
        replaces: Option<(&LiveStack, &Reason)>,
    ) -> StackOutcome {
        // A function of this name that goes with the stack in the way makes room; any other stands in the way itself.
        let goes = replaces.and_then(|(stack, _)| stack.function.as_ref()) == Some(&function.name);
        if let Reading::Unread(unread) = &live.configuration
            && !goes
        {
            // Nobody knows whether there is one: what can't be read isn't absent.
            let kind = ProblemKind::Unread { what: "configuration".into(), unread: unread.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if live.configuration.found().is_some() && !goes {
            self.problem(address, &function.name, Severity::Error, ProblemKind::NameTaken);
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

    #[expect(clippy::too_many_arguments, reason = "each is one side or part of the comparison")]
    fn compare_stack(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        live: &LiveFunction,
        version: &ApplicationVersion,
        parameters: &Parameters,
        stack: &LiveStack,
    ) -> StackOutcome {
        let ours = stack.tags.contains_key(PROJECT_TAG);
        if stack.is_busy() {
            let kind = ProblemKind::StackBusy { status: stack.status.clone() };
            self.problem(address, &function.name, Severity::Error, kind);
            return StackOutcome::Blocked;
        }
        if is_dead(&stack.status) && ours {
            let reason = Reason::FailedStack { status: stack.status.clone() };
            return self.deploy(address, function, deployment, live, (version, parameters), Some((stack, &reason)));
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
                return self.deploy(address, function, deployment, live, (version, parameters), replaced);
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
        StackOutcome::Stands(self.update_stack(address, function, deployment, version, &parameters, stack))
    }

    fn update_stack(
        &mut self,
        address: &Address,
        function: &Function,
        deployment: &Deployment,
        version: &ApplicationVersion,
        parameters: &Parameters,
        stack: &LiveStack,
    ) -> Option<usize> {
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

/// Whether a function with another value of an attribute of its configuration runs other code.
pub fn runs_other_code(field: &FieldChange) -> bool {
    match &field.attribute {
        Attribute::Setting(setting) => setting.is_code(),
        Attribute::Variable(name) => loads_code(name),
        _ => false,
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

/// Whether a statement is one that the function's stack made: their ids begin with its name.
fn is_of_stack(statement: &Statement, stack: Option<&LiveStack>) -> bool {
    stack.is_some_and(|stack| statement.sid.starts_with(&stack.name))
}

/// Whether Secrets Manager may invoke a function for an account, or unconditionally.
pub fn permits(statements: &[Statement], account: &str) -> bool {
    statements.iter().any(|statement| {
        statement.allows
            && !statement.other_conditions
            && statement.source_arn.is_none()
            && statement.source_account.as_deref().is_none_or(|source| source == account)
    })
}

/// Whether a function's package lacks the file that its Python handler names. A layer may hold that file, so that nothing
/// is known where the manifest states some.
pub fn lacks_handler(deployment: &Deployment, handler: &str, runtime: Option<&str>) -> bool {
    let package = deployment.code.as_ref().and_then(|code| code.package.as_ref());
    let (Some(package), None) = (package, &deployment.settings.layers) else { return false };
    // The generic application's function is written in Python, whatever version of it.
    let generic = deployment.application.id.ends_with(GENERIC_APPLICATION);
    if !runtime.map_or(generic, |runtime| runtime.starts_with("python")) {
        return false;
    }
    let Some((module, _)) = handler.rsplit_once('.') else { return false };
    let module = module.replace('.', "/");
    let candidates = [format!("{module}.py"), format!("{module}/__init__.py"), format!("{module}.so")];
    !package.files.iter().any(|file| candidates.contains(&file.path))
}

/// What of a function's configuration differs; without a live one, all that is stated.
///
/// `stack_carries_vpc`: the VPC goes through the stack's parameters in this plan.
pub fn configuration_fields(
    deployment: &Deployment,
    live: Option<&Configuration>,
    stack_carries_vpc: bool,
) -> Vec<FieldChange> {
    let carried = |setting: &Setting| {
        let of_stack = setting.may_be_of_stack();
        // There is no VPC to leave before the function is there.
        let nothing = of_stack && live.is_none() && deployment.settings.vpc.as_ref().is_some_and(Vpc::is_empty);
        setting.request() == Request::Configuration && !(of_stack && stack_carries_vpc) && !nothing
    };
    let differs = |setting| setting_field(setting, deployment, live);
    let mut fields: Vec<FieldChange> = Setting::ALL.into_iter().filter(carried).filter_map(differs).collect();
    fields.extend(environment_fields(deployment, live));
    fields
}

/// One setting, where it is stated and differs.
fn setting_field(setting: Setting, deployment: &Deployment, live: Option<&Configuration>) -> Option<FieldChange> {
    let after = Shown::from(deployment.settings.get(setting)?);
    let before = live.and_then(|live| live.settings.get(setting)).map_or(Shown::Absent, Shown::from);
    (live.is_none() || before != after).then(|| FieldChange::new(setting, before, after))
}

/// The architecture, where it is stated and differs: it goes with the code.
pub fn architecture_field(deployment: &Deployment, live: Option<&Configuration>) -> Option<FieldChange> {
    setting_field(Setting::Architecture, deployment, live)
}

/// Variables that differ: their names, never their values.
fn environment_fields(deployment: &Deployment, live: Option<&Configuration>) -> Vec<FieldChange> {
    let empty = BTreeMap::new();
    let live = match live.map(|live| &live.environment) {
        Some(Err(_)) => return Vec::new(),
        Some(Ok(variables)) => variables,
        None => &empty,
    };
    let shown = |value: Option<&Sensitive>| if value.is_some() { Shown::Sensitive } else { Shown::Absent };
    deployment
        .environment
        .iter()
        .filter(|(name, wanted)| live.get(*name) != wanted.as_ref())
        .map(|(name, wanted)| {
            FieldChange::new(Attribute::Variable(name.clone()), shown(live.get(name)), shown(wanted.as_ref()))
        })
        .collect()
}

fn permission_fields(account: &str, present: Option<&Statement>) -> Vec<FieldChange> {
    let permission = |part: &str| Attribute::Permission(part.to_owned());
    let before = |value: &str| present.map_or(Shown::Absent, |_| Shown::text(value));
    let mut fields = Vec::new();
    if present.is_none() {
        fields.push(FieldChange::new(
            permission("principal"),
            before("secretsmanager.amazonaws.com"),
            Shown::text("secretsmanager.amazonaws.com"),
        ));
    }
    let source = present.and_then(|statement| statement.source_account.as_ref());
    if source.is_none_or(|source| source != account) {
        fields.push(FieldChange::new(permission("source_account"), Shown::option(source), Shown::text(account)));
    }
    if present.is_some_and(|statement| statement.denies) {
        fields.push(FieldChange::new(permission("effect"), Shown::text("Deny"), Shown::text("Allow")));
    }
    if present.is_some_and(|statement| statement.other_conditions) {
        fields.push(FieldChange::new(permission("other_conditions"), Shown::Unknown, Shown::Absent));
    }
    if let Some(source_arn) = present.and_then(|statement| statement.source_arn.as_ref()) {
        fields.push(FieldChange::new(permission("source_arn"), Shown::text(source_arn), Shown::Absent));
    }
    fields
}

fn shown_parameter(version: &ApplicationVersion, name: &str, value: &Sensitive) -> Shown {
    let no_echo = version.parameters.get(name).is_none_or(|definition| definition.no_echo);
    if no_echo { Shown::Sensitive } else { Shown::text(value.expose()) }
}

fn stack_name(deployment: &Deployment) -> String {
    format!("{}{}", crate::model::SAR_STACK_PREFIXES[0], deployment.stack)
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

/// Whether two references mean the same function, whatever qualifier follows.
pub(super) fn same_function(one: &str, other: &str) -> bool {
    one == other || arn::unqualified_function_arn(one) == arn::unqualified_function_arn(other)
}
