//! The test of a function whose code or configuration changes: by which secret.

use crate::model::live::{LiveSecret, Tested};
use crate::model::{Function, Kind, Verify, arn};
use crate::plan::{Action, Effect, NoteKind, Reason, RotateSecret};

use super::Planner;

/// How far away a secret's next window must be, in seconds: a test right before it could get into its way.
const AWAY: i64 = 3_600;

impl Planner<'_> {
    /// Plans the test of a function that changes, where the manifest asks for one: AWS runs `testSecret` on one of the manifest's own
    /// secrets, and nothing else. A request for a secret of it that is sent anyway is a test too.
    pub(super) fn verify(&mut self, handle: &str, function: &Function) {
        let (Some(deployment), Some(outcome)) = (function.deployment(), self.outcomes.get(handle).cloned()) else {
            return;
        };
        let changes = |change: &usize| {
            let action = &self.plan.changes[*change].action;
            matches!(action, Action::UpdateStack { .. } | Action::UpdateConfiguration | Action::UpdateCode)
        };
        let is_first = |change: &usize| matches!(self.plan.changes[*change].action, Action::DeployStack { .. });
        if outcome.blocked || outcome.changes.iter().any(is_first) {
            return;
        }
        let changes = outcome.changes.iter().any(changes);
        let address = self.address(Kind::Function, handle);
        let reason = match self.live.functions.get(handle).and_then(|live| live.tested) {
            _ if changes => Reason::FunctionChanges,
            // An apply was ended before its test, or the test failed: who asked for it still wants to know.
            Some(Tested::Not) => Reason::Untested,
            Some(Tested::Unknown) => return self.note(Some(address), NoteKind::TestUnknown),
            Some(Tested::Passed) | None => return,
        };
        let rotates_with = |live: &LiveSecret| {
            live.is_on()
                && live.function_arn.as_deref().map(arn::unqualified_function_arn) == Some(outcome.arn.as_str())
        };
        let is_asked = self.plan.runnable().any(|change| {
            let request = change.action.rotate_secret();
            request.is_some_and(|request| request.function_arn.as_deref() == Some(outcome.arn.as_str()))
        });
        let of_function = self.desired.secrets.iter().filter(|(_, secret)| secret.function.as_deref() == Some(handle));
        let found = of_function.filter_map(|(handle, _)| Some((handle, self.live.secrets.get(handle)?.found()?)));
        let rotating: Vec<(&String, &LiveSecret)> = found.filter(|(_, live)| rotates_with(live)).collect();
        let Some(verify) = &deployment.verify else {
            if !is_asked && !rotating.is_empty() {
                self.note(Some(address), NoteKind::MeetsRotations { secrets: rotating.len() });
            }
            return;
        };
        if is_asked {
            return;
        }
        let wanted = |handle: &str| match verify {
            Verify::Any => true,
            Verify::Secret(wanted) => wanted == handle,
        };
        let fitting = rotating.into_iter().filter(|(handle, live)| wanted(handle) && fits(live));
        // A schedule in days, or `rate()`, may count from a test: only `cron()` surely doesn't.
        let is_cron = |live: &LiveSecret| live.rules.as_ref().is_some_and(|rules| rules.schedule.is_cron());
        let chosen = fitting.min_by_key(|(handle, live)| (!is_cron(live), (*handle).clone()));
        let Some((secret, live)) = chosen.map(|(handle, live)| (handle.clone(), live.clone())) else {
            self.note(Some(address), NoteKind::NotVerified);
            return;
        };
        let request = RotateSecret {
            secret_arn: live.arn.clone(),
            function_arn: None,
            external: None,
            rules: None,
            rotate_immediately: false,
            token: None,
        };
        let address = self.address(Kind::Secret, &secret);
        let action = Action::TestFunction(request);
        let change = self.change(address, &live.name, action, reason, Vec::new());
        self.effect(change, Effect::TestsNow);
        self.plan.changes[change].after.clone_from(&outcome.changes);
    }
}

/// Whether a secret can be tested on without getting into anybody's way: idle, whole, and its next window over an hour away.
fn fits(live: &LiveSecret) -> bool {
    live.current_version.is_some()
        && live.unfinished_rotation().is_none()
        && !live.deleted
        && live.replica_of.is_none()
        && live.owning_service.is_none()
        && live.window_opens_within().is_some_and(|opens| opens > AWAY)
}
