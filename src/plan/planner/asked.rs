//! What people ask of single secrets: another value now (`rotate`), or an end of a rotation that is stuck (`repair`).

use std::collections::BTreeMap;

use crate::model::live::{Configuration, LiveSecret, Reading, Statement};
use crate::model::{Address, Desired, Kind, Live, RunId, Secret};
use crate::plan::pending::Pending;
use crate::plan::{Action, Effect, NoteKind, Plan, ProblemKind, Purpose, Reason, Repair, RotateSecret, Severity, Way};

use super::{PlanOptions, Planner};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// What a run of `rotate` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RotateRequest<'a> {
    /// Its id.
    pub run: RunId,
    /// Whether rotation is switched on where it is off.
    pub enable: bool,
    /// Where the run goes on: when current versions were made, in seconds since 1970 (UTC), by the secret's ARN. `None`: it begins.
    pub resumed: Option<&'a BTreeMap<String, i64>>,
}

/// What `repair` is asked for, and by what it is judged.
#[derive(Debug, Clone, Copy)]
pub struct RepairRequest<'a> {
    /// Which way.
    pub way: Way,
    /// The secret whose name stands behind `--confirm`.
    pub confirmed: Option<&'a str>,
    /// What is known of each pending version, by the secret's ARN.
    pub pending: &'a BTreeMap<String, Pending>,
    /// The label that keeps a version's value.
    pub label: &'a str,
}

/// The plan of a run of `rotate`.
pub fn plan_rotation(desired: &Desired, live: &Live, request: RotateRequest<'_>) -> Plan {
    let mut planner = Planner::new(desired, live, PlanOptions { purpose: Purpose::Rotate, partial: false });
    for (handle, secret) in &desired.secrets {
        planner.rotate_now(handle, secret, request);
    }
    planner.selected(Purpose::Rotate);
    planner.finish()
}

/// The plan of a repair.
pub fn plan_repair(desired: &Desired, live: &Live, request: RepairRequest<'_>) -> Plan {
    let mut planner = Planner::new(desired, live, PlanOptions { purpose: Purpose::Repair, partial: false });
    for (handle, secret) in &desired.secrets {
        planner.repair(handle, secret, request);
    }
    planner.selected(Purpose::Repair);
    planner.finish()
}

impl<'a> Planner<'a> {
    /// A secret as it is; else its problem is said.
    fn there(&mut self, address: &Address, handle: &str, secret: &Secret) -> Option<&'a LiveSecret> {
        let kind = match self.live.secrets.get(handle)? {
            Reading::Found(live) => return Some(live),
            Reading::Absent => ProblemKind::SecretMissing,
            Reading::Unread(unread) => ProblemKind::Unread { what: "secret".into(), unread: unread.clone() },
        };
        self.problem(address, &secret.name, Severity::Error, kind);
        None
    }

    fn rotate_now(&mut self, handle: &str, secret: &Secret, asked: RotateRequest<'_>) {
        let address = self.address(Kind::Secret, handle);
        let Some(live) = self.there(&address, handle, secret) else { return };
        let token = asked.run.token(&live.arn);
        let is_pending = live.unfinished_rotation() == Some(&token);
        if let Some(current_since) = asked.resumed {
            let since = current_since.get(&live.arn).copied().or(live.last_rotated);
            let note = match since {
                _ if live.has_ended(&token) => Some(NoteKind::RotatedByRun),
                // The clock of the machine that began the run may be another: of the same second, it isn't known which came first.
                Some(at) if !is_pending && at > asked.run.began().div_euclid(1000) => {
                    Some(NoteKind::RotatedSince { at })
                }
                _ => None,
            };
            if let Some(note) = note {
                self.note(Some(address), note);
                return;
            }
        }
        let request = RotateSecret {
            secret_arn: live.arn.clone(),
            function_arn: None,
            external: None,
            rules: None,
            rotate_immediately: true,
            token: Some(token),
        };
        let change = self.change(address.clone(), &live.name, Action::RotateNow(request), Reason::Asked, Vec::new());
        self.effect(change, Effect::RotatesNow);
        if !live.is_on() {
            self.effect(change, Effect::StartsRotation);
        }
        let faults = self.hindrances(secret, live, asked.enable, is_pending);
        self.plan.changes[change].blocked = !faults.is_empty();
        for kind in faults {
            self.problem(&address, &live.name, Severity::Error, kind);
        }
        if let Some(rotated) = live.last_rotated.filter(|_| !is_pending)
            && live.last_accessed.is_none_or(|day| day.div_euclid(DAY) <= rotated.div_euclid(DAY))
        {
            self.problem(&address, &live.name, Severity::Warning, ProblemKind::UnreadSinceRotation { rotated });
        }
    }

    /// What keeps a secret from being rotated now.
    fn hindrances(&self, secret: &Secret, live: &LiveSecret, enable: bool, is_pending: bool) -> Vec<ProblemKind> {
        let mut found = unusable(live);
        if live.current_version.is_none() {
            found.push(ProblemKind::NoValue);
        }
        if live.function_arn.is_none() && live.rotated_by().is_none() {
            found.push(ProblemKind::NoFunction);
        } else if !live.is_on() && !enable {
            found.push(ProblemKind::RotationOff);
        }
        if let Some(version) = live.unfinished_rotation().filter(|_| !is_pending) {
            found.push(ProblemKind::UnfinishedRotation { version: version.to_owned() });
        }
        found.extend(self.hindrance_now(secret, live));
        found
    }

    /// What keeps the function that is live from rotating a secret, whether its entry names one or not.
    fn hindrance_now(&self, secret: &Secret, live: &LiveSecret) -> Option<ProblemKind> {
        let Some(handle) = &secret.function else { return self.hindrance(live) };
        let (function, arn) = (self.live.functions.get(handle)?, live.function_arn.as_ref()?);
        // A version or an alias has a policy of its own: what was read is that of the one that the entry names.
        let named = self.desired.functions.get(handle).map(|function| self.function_arn(handle, function));
        match &function.configuration {
            // Of another function than the entry's, nothing was read: Secrets Manager says what is wrong with it.
            Reading::Found(_) if named.as_ref() != Some(arn) => None,
            configuration => self.fault_of(live, arn, configuration, &function.policy),
        }
    }

    fn repair(&mut self, handle: &str, secret: &Secret, asked: RepairRequest<'_>) {
        let address = self.address(Kind::Secret, handle);
        let Some(live) = self.there(&address, handle, secret) else { return };
        let Some(version) = live.unfinished_rotation() else {
            self.note(Some(address), NoteKind::NothingPending);
            return;
        };
        let none = Pending::default();
        let pending = asked.pending.get(&live.arn).unwrap_or(&none);
        self.note(Some(address.clone()), NoteKind::Pending(pending.facts(version)));
        let repair = Repair {
            way: asked.way,
            secret_arn: live.arn.clone(),
            version: version.to_owned(),
            current: live.current_version.clone(),
            label: (asked.way == Way::Drop).then(|| asked.label.to_owned()),
        };
        let change = self.change(address.clone(), &live.name, Action::Repair(repair), Reason::Asked, Vec::new());
        self.effect(change, if asked.way == Way::Drop { Effect::DropsPending } else { Effect::RotatesNow });
        let mut faults = not_repaired(live);
        if faults.is_empty() {
            faults.extend(pending.may_still_run());
            faults.extend(self.hindrance_now(secret, live).filter(|_| asked.way == Way::Retry));
            faults.extend((asked.way == Way::Retry && !live.is_on()).then_some(ProblemKind::RotationOff));
            let is_confirmed = asked.confirmed.is_some_and(|name| name == live.name || name == live.arn);
            let hurts = match asked.way {
                Way::Retry => false,
                Way::Promote => pending.tested != Some(true),
                Way::Drop => pending.may_be_live(),
            };
            if hurts && !is_confirmed {
                faults.push(ProblemKind::Unconfirmed { way: asked.way });
            }
        }
        self.plan.changes[change].blocked = !faults.is_empty();
        for kind in faults {
            self.problem(&address, &live.name, Severity::Error, kind);
        }
        if asked.way == Way::Drop && pending.may_be_live() {
            self.problem(&address, &live.name, Severity::Warning, ProblemKind::MayBeLive);
        }
    }

    /// What keeps a function from rotating a secret.
    pub(super) fn fault_of(
        &self,
        live: &LiveSecret,
        function: &str,
        configuration: &Reading<Configuration>,
        policy: &Reading<Vec<Statement>>,
    ) -> Option<ProblemKind> {
        let fault = super::secret::live_fault(live, &self.live.account, configuration, policy)?;
        Some(ProblemKind::LiveFunction { function: function.to_owned(), fault })
    }
}

/// What keeps a secret from rotating where it is.
fn unusable(live: &LiveSecret) -> Vec<ProblemKind> {
    let deleted = live.deleted.then_some(ProblemKind::ScheduledForDeletion);
    let replica = live.replica_of.as_ref().map(|primary| ProblemKind::Replica { primary: primary.clone() });
    deleted.into_iter().chain(replica).collect()
}

/// Why a secret's rotation is nothing that is repaired here.
pub fn not_repaired(live: &LiveSecret) -> Vec<ProblemKind> {
    let mut found = unusable(live);
    if let Some(by) = live.rotated_by() {
        found.push(ProblemKind::RotatedByAnother { by: by.to_owned() });
    }
    found
}
