//! Secrets: rotation on or off, its rules, its function.

use crate::model::arn::SecretName;
use crate::model::key;
use crate::model::live::{Configuration, LiveSecret, Reading, Statement};
use crate::model::schedule::worst_gap_hours;
use crate::model::{Address, Kind, RotationRules, Secret};
use crate::plan::problem::LiveFault;
use crate::plan::{
    Action, Attribute, Effect, FieldChange, NoteKind, ProblemKind, Reason, RotateSecret, Severity, Shown,
};

use super::managed::{external_fields, managed, wanted_external};
use super::permission::{Access, access, account_of};
use super::{FunctionOutcome, Planner};

impl Planner<'_> {
    /// Notes how many secrets don't rotate as they should: a plan alone would call them unchanged.
    pub(super) fn late(&mut self) {
        let is_late = |secret: &&LiveSecret| {
            let is_overdue = secret.rotates_within.is_some_and(|within| within < 0);
            secret.is_on() && !secret.deleted && (is_overdue || secret.unfinished_rotation().is_some())
        };
        let secrets = self.live.secrets.values().filter_map(Reading::found).filter(is_late).count();
        if secrets > 0 {
            self.note(None, NoteKind::Late { secrets });
        }
    }

    pub(super) fn secret(&mut self, handle: &str, secret: &Secret) {
        let address = self.address(Kind::Secret, handle);
        let live = match self.live.secrets.get(handle) {
            Some(Reading::Found(live)) => live,
            Some(Reading::Absent) => {
                let off = secret.rotation.enabled == Some(false);
                let severity = if off { Severity::Warning } else { Severity::Error };
                self.problem(&address, &secret.name, severity, ProblemKind::SecretMissing);
                return;
            }
            Some(Reading::Unread(unread)) => {
                let (unread, account) = (unread.clone(), account_of(&secret.name, &self.live.account));
                let kind = if account == self.live.account {
                    ProblemKind::Unread { what: "secret".into(), unread }
                } else {
                    ProblemKind::OtherAccountUnread { account, unread }
                };
                self.problem(&address, &secret.name, Severity::Error, kind);
                return;
            }
            None => return,
        };
        let errors = self.plan.problems.len();
        self.identity(&address, secret, live);
        let change = match (secret.rotation.enabled, live.is_on()) {
            (Some(false), true) => Some(self.disable(&address, live, Reason::Differs)),
            (Some(false), false) => None,
            (Some(true), false) => Some(self.enable(&address, secret, live)),
            (Some(true), true) => self.update(&address, secret, live),
            (None, on) => {
                if secret.rotation.rules.is_none() {
                    let kind = NoteKind::NotManaged { live: live.rules.clone(), on };
                    self.note(Some(address.clone()), kind);
                }
                if on { self.update(&address, secret, live) } else { None }
            }
        };
        self.foresee(&address, secret, live, change);
        let blocked = self.plan.problems[errors..].iter().any(|problem| problem.severity == Severity::Error);
        if let Some(change) = change {
            self.plan.changes[change].blocked = blocked;
            self.leaves(live, change);
        }
    }

    /// Speaks of an entry that names a secret in a way that may mean another one, or that names one which another entry names too.
    fn identity(&mut self, address: &Address, secret: &Secret, live: &LiveSecret) {
        let is_partial = secret.name.starts_with("arn:") && secret.name != live.arn;
        if is_partial && matches!(SecretName::of(&secret.name), SecretName::Either { .. }) {
            let kind = ProblemKind::PartialArn { arn: live.arn.clone() };
            self.problem(address, &live.name, Severity::Warning, kind);
        }
        let others = self.named.get(live.arn.as_str()).into_iter().flatten();
        let other = others.copied().find(|handle| **handle != address.handle);
        if let Some(other) = other {
            let kind = ProblemKind::SameSecret { other: self.address(Kind::Secret, other) };
            self.problem(address, &live.name, Severity::Error, kind);
        }
    }

    /// Switches rotation off.
    pub(super) fn disable(&mut self, address: &Address, live: &LiveSecret, reason: Reason) -> usize {
        let fields = vec![FieldChange::new(Attribute::Enabled, Shown::text(true), Shown::text(false))];
        let change = self.change(address.clone(), &live.name, Action::DisableRotation, reason, fields);
        self.effect(change, Effect::StopsRotation);
        change
    }

    /// Remembers that a change ends a secret's rotation with its live function.
    fn leaves(&mut self, live: &LiveSecret, change: usize) {
        let ends = match &self.plan.changes[change].action {
            Action::DisableRotation => true,
            action => action
                .rotate_secret()
                .is_some_and(|request| request.function_arn.is_some() && request.function_arn != live.function_arn),
        };
        if let (true, Some(function)) = (ends && live.is_on(), &live.function_arn) {
            self.leaving.entry(function.clone()).or_default().push((live.name.clone(), change));
        }
    }

    fn enable(&mut self, address: &Address, secret: &Secret, live: &LiveSecret) -> usize {
        let now = secret.rotation.rotate_immediately.unwrap_or(true);
        let wanted = self.wanted_function(secret);
        let mut fields = vec![FieldChange::new(Attribute::Enabled, Shown::text(false), Shown::text(true))];
        // Switched off and on again, a secret is moved all the same.
        let moves = live.function_arn.is_some() && wanted.is_some() && wanted != live.function_arn;
        if let Some(wanted) = wanted.as_ref().filter(|wanted| live.function_arn.as_ref() != Some(*wanted)) {
            fields.push(FieldChange::new(
                Attribute::Function,
                Shown::option(live.function_arn.as_ref()),
                Shown::text(wanted),
            ));
        }
        let external = wanted_external(secret, live);
        fields.extend(external.iter().flat_map(|wanted| external_fields(&live.external, wanted)));
        fields.extend(rules_field(live.rules.as_ref(), secret.rotation.rules.as_ref()));
        let request = RotateSecret {
            secret_arn: live.arn.clone(),
            function_arn: wanted,
            external,
            rules: secret.rotation.rules.clone(),
            rotate_immediately: now,
            token: None,
        };
        let change = self.change(address.clone(), &live.name, Action::EnableRotation(request), Reason::Missing, fields);
        self.at_once(change, live, now);
        if moves {
            self.effect(change, Effect::ReplacesCode);
        }
        self.may_never_run(change, secret);
        change
    }

    /// What a request has done at once. What AWS rotates by itself has no function that could be tested.
    fn at_once(&mut self, change: usize, live: &LiveSecret, now: bool) {
        if now {
            self.effect(change, Effect::RotatesNow);
        } else if live.rotated_by().is_none() {
            self.effect(change, Effect::TestsNow);
        }
    }

    /// Says of a change that gives a secret its function, where that one may not run: nothing rotates with it.
    fn may_never_run(&mut self, change: usize, secret: &Secret) {
        let outcome = secret.function.as_ref().and_then(|handle| self.outcomes.get(handle));
        if outcome.is_some_and(|outcome| outcome.throttled) {
            self.effect(change, Effect::StopsRotation);
        }
    }

    fn update(&mut self, address: &Address, secret: &Secret, live: &LiveSecret) -> Option<usize> {
        let wanted = self.wanted_function(secret);
        let mut fields = Vec::new();
        let moves = wanted.is_some() && wanted != live.function_arn;
        if let (true, Some(wanted)) = (moves, &wanted) {
            fields.push(FieldChange::new(
                Attribute::Function,
                Shown::option(live.function_arn.as_ref()),
                Shown::text(wanted),
            ));
        }
        let rules = rules_field(live.rules.as_ref(), secret.rotation.rules.as_ref());
        let retimes = rules.is_some();
        let external =
            wanted_external(secret, live).filter(|wanted| !external_fields(&live.external, wanted).is_empty());
        fields.extend(external.iter().flat_map(|wanted| external_fields(&live.external, wanted)));
        fields.extend(rules);
        if fields.is_empty() {
            return None;
        }
        let now = secret.rotation.rotate_immediately.unwrap_or(false);
        let request = RotateSecret {
            secret_arn: live.arn.clone(),
            function_arn: wanted,
            external,
            rules: secret.rotation.rules.clone(),
            rotate_immediately: now,
            token: None,
        };
        let change = self.change(address.clone(), &live.name, Action::UpdateRotation(request), Reason::Differs, fields);
        self.at_once(change, live, now);
        let old_schedule_runs_on = live.rules.as_ref().is_some_and(|rules| !rules.schedule.is_cron());
        if retimes && !now && old_schedule_runs_on {
            self.effect(change, Effect::MayRotateOnOldSchedule);
        }
        if retimes && is_longer(live.rules.as_ref(), secret.rotation.rules.as_ref()) {
            self.effect(change, Effect::RotatesLessOften);
        }
        if moves {
            // Another function is other code, whether it is new, has another name, or has been there for long.
            self.effect(change, Effect::ReplacesCode);
            self.may_never_run(change, secret);
        }
        if moves && !self.is_deployed_here(live) {
            self.effect(change, Effect::TakesOver);
        }
        Some(change)
    }

    /// Whether a secret's live function is one that this manifest deploys, or did. The project that it says it was called before may be
    /// anybody's.
    fn is_deployed_here(&self, live: &LiveSecret) -> bool {
        let Some(function) = &live.function_arn else { return false };
        self.is_deployed(function) || live.function_project.as_ref() == Some(&self.desired.project)
    }

    fn wanted_function(&self, secret: &Secret) -> Option<String> {
        let handle = secret.function.as_ref()?;
        self.outcomes.get(handle).map(|outcome| outcome.arn.clone())
    }

    /// What would go wrong with a secret: an error where it must be written to, else a warning.
    fn foresee(&mut self, address: &Address, secret: &Secret, live: &LiveSecret, change: Option<usize>) {
        let request = change.and_then(|change| self.plan.changes[change].action.rotate_secret().cloned());
        let severity = if change.is_some() { Severity::Error } else { Severity::Warning };
        let mut foreseen = Vec::new();
        if live.deleted {
            foreseen.push((severity, ProblemKind::ScheduledForDeletion));
        }
        if let Some(primary) = &live.replica_of {
            foreseen.push((severity, ProblemKind::Replica { primary: primary.clone() }));
        }
        foreseen.extend(managed(secret, live, request.as_ref()));
        if let Some(version) = live.unfinished_rotation() {
            let severity = if request.is_some() { Severity::Error } else { Severity::Warning };
            foreseen.push((severity, ProblemKind::UnfinishedRotation { version: version.to_owned() }));
        }
        if request.is_some() {
            if live.current_version.is_none() {
                foreseen.push((Severity::Error, ProblemKind::NoValue));
            }
            if secret.function.is_none() && live.function_arn.is_none() && live.rotated_by().is_none() {
                foreseen.push((Severity::Error, ProblemKind::NoFunction));
            }
            self.foresee_takeover(secret, live, &mut foreseen);
        }
        if let Some(kind) = self.hindrance(live).filter(|_| request.is_some() || live.is_on()) {
            let severity = if request.is_some() { Severity::Error } else { Severity::Warning };
            foreseen.push((severity, kind));
        }
        for (severity, kind) in foreseen {
            self.problem(address, &live.name, severity, kind);
        }
        let outcome = secret.function.as_ref().and_then(|handle| self.outcomes.get(handle).cloned());
        if let (Some(handle), Some(outcome)) = (&secret.function, outcome) {
            self.foresee_function(address, handle, &outcome, live, change.filter(|_| request.is_some()));
        }
    }

    /// A secret that a function of another project rotates now is that project's, unless the function is shared.
    fn foresee_takeover(&self, secret: &Secret, live: &LiveSecret, foreseen: &mut Vec<(Severity, ProblemKind)>) {
        let stays = secret.function.is_none() || self.wanted_function(secret) == live.function_arn;
        if let Some(project) = live.function_project.as_ref().filter(|_| live.is_on() && !stays)
            && !self.is_ours(project)
            && !live.function_shared
        {
            foreseen.push((Severity::Error, ProblemKind::OtherProject { project: project.clone() }));
        }
        if let (Some(unread), Some(function)) = (&live.function_unread, &live.function_arn)
            && live.is_on()
            && !stays
        {
            let kind = ProblemKind::OwnerUnknown { function: function.clone(), unread: unread.clone() };
            foreseen.push((Severity::Warning, kind));
        }
    }

    /// What keeps Secrets Manager from invoking a function for a secret once the plan is done, where its policy is known.
    fn not_permitted(&self, outcome: &FunctionOutcome, live: &LiveSecret) -> Option<ProblemKind> {
        let statements = outcome.statements.as_ref()?;
        let account = account_of(&live.arn, &self.live.account);
        let elsewhere = account != self.live.account;
        let open = access(statements, &live.arn, &self.live.account) == Access::Open;
        if open || (outcome.opened && !elsewhere) {
            return None;
        }
        let function = outcome.arn.clone();
        Some(if elsewhere { ProblemKind::OtherAccount { function, account } } else { ProblemKind::NotPermitted })
    }

    /// What keeps the function that is live from rotating a secret whose entry names none.
    pub(super) fn hindrance(&self, live: &LiveSecret) -> Option<ProblemKind> {
        let (attached, function) = (live.attached.as_ref()?, live.function_arn.as_ref()?);
        self.fault_of(live, function, &attached.configuration, &attached.policy)
    }

    fn foresee_function(
        &mut self,
        address: &Address,
        handle: &str,
        outcome: &FunctionOutcome,
        live: &LiveSecret,
        change: Option<usize>,
    ) {
        if let (Some(key), Some(parameter)) = (&live.kms_key, &outcome.kms_key) {
            match names_key(parameter, key) {
                Some(true) => {}
                Some(false) => {
                    let kind = ProblemKind::KeyWithoutParameter { key: key.clone() };
                    self.problem(address, &live.name, Severity::Warning, kind);
                }
                None => {
                    let kind = NoteKind::KeysNotCompared { key: key.clone(), parameter: parameter.clone() };
                    self.note(Some(address.clone()), kind);
                }
            }
        }
        let Some(change) = change else { return };
        let owner = account_of(&live.arn, &self.live.account);
        if owner != self.live.account && owner != account_of(&outcome.arn, &owner) && live.kms_key.is_none() {
            let kind = ProblemKind::OtherAccountKey { account: owner };
            self.problem(address, &live.name, Severity::Warning, kind);
        }
        let applies = |denial: &&Statement| denial.source_arn.as_ref().is_none_or(|secret| *secret == live.arn);
        if let Some(denial) = outcome.denials.iter().find(applies) {
            let kind = ProblemKind::InvocationDenied { statement: denial.sid.clone() };
            self.problem(address, &live.name, Severity::Error, kind);
        } else if let Some(kind) = self.not_permitted(outcome, live) {
            self.problem(address, &live.name, Severity::Error, kind);
        }
        if outcome.blocked {
            let blocker = self.address(Kind::Function, handle);
            self.problem(address, &live.name, Severity::Error, ProblemKind::BlockedBy { address: blocker });
        }
        self.plan.changes[change].after.clone_from(&outcome.changes);
    }
}

/// What keeps a function from rotating a secret; `account`: the target's.
pub(super) fn live_fault(
    live: &LiveSecret,
    account: &str,
    configuration: &Reading<Configuration>,
    policy: &Reading<Vec<Statement>>,
) -> Option<LiveFault> {
    Some(match configuration {
        Reading::Absent => LiveFault::Missing,
        Reading::Unread(_) => return None,
        Reading::Found(configuration) if configuration.state == "Failed" => {
            LiveFault::Failed { reason: configuration.state_reason.clone() }
        }
        Reading::Found(configuration) if configuration.reserved_concurrency == Some(0) => LiveFault::Throttled,
        Reading::Found(_) => {
            let statements = match policy {
                Reading::Found(statements) => statements.as_slice(),
                Reading::Absent => &[],
                Reading::Unread(_) => return None,
            };
            match access(statements, &live.arn, account) {
                Access::Open | Access::Unclear => return None,
                Access::Denied(denial) => LiveFault::Denied { statement: denial.sid.clone() },
                Access::Closed => LiveFault::NotPermitted { account: account_of(&live.arn, account) },
            }
        }
    })
}

/// Whether a stack's key parameter covers the key of a secret, each an ARN, an id or an alias; `None`: it can't be told from them.
fn names_key(parameter: &str, key: &str) -> Option<bool> {
    match parameter {
        "" => Some(false),
        pattern if pattern.contains('*') => Some(true),
        parameter => key::same(parameter, key),
    }
}

/// Whether the longest time between two rotations grows. Of rules whose times aren't understood here, nothing is known.
fn is_longer(live: Option<&RotationRules>, wanted: Option<&RotationRules>) -> bool {
    let Some(before) = live.and_then(worst_gap_hours) else { return false };
    wanted.is_some_and(|wanted| worst_gap_hours(wanted).is_none_or(|after| after > before))
}

fn rules_field(live: Option<&RotationRules>, wanted: Option<&RotationRules>) -> Option<FieldChange> {
    let wanted = wanted?;
    (live != Some(wanted)).then(|| FieldChange::new(Attribute::Rules, Shown::option(live), Shown::text(wanted)))
}
