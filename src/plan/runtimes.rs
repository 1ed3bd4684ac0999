//! Runtimes that AWS stops: what a plan would meet on a day. The days come from a table, and today from who has a clock.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

use crate::model::{Address, Desired, Kind, Live};

use super::{Action, Plan, Problem, ProblemKind, Severity};

/// How long before its day it is said that AWS stops a runtime.
const AHEAD: Days = Days::new(60);

/// When AWS stops a runtime, as far as it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stops {
    /// From when no function is given it.
    pub given: Option<NaiveDate>,
    /// From when no function that has it is changed.
    pub changed: Option<NaiveDate>,
    /// What to take instead.
    pub successor: Option<String>,
}

/// What AWS refuses of a runtime today, or soon; `is_given`: a function is to get it that has another one, or is new.
pub fn stopped(runtime: &str, stops: &Stops, is_given: bool, today: NaiveDate) -> Option<ProblemKind> {
    let given = stops.given.filter(|_| is_given).map(|from| (from, false));
    let changed = stops.changed.map(|from| (from, true));
    // What holds already counts before what is ahead; of two that hold, the one that refuses more.
    let all = || given.into_iter().chain(changed);
    let held = all().filter(|(from, _)| *from <= today).max_by_key(|(_, every_change)| *every_change);
    let (from, every_change) = held.or_else(|| all().min())?;
    let soon = today.checked_add_days(AHEAD).is_none_or(|day| from <= day);
    soon.then(|| ProblemKind::RuntimeStopped {
        runtime: runtime.to_owned(),
        every_change,
        from,
        over: from <= today,
        successor: stops.successor.clone(),
    })
}

/// Writes into a plan what AWS refuses for its functions' runtimes on a day: an error where the plan would meet it, else a warning.
pub fn hold(plan: &mut Plan, desired: &Desired, live: &Live, today: NaiveDate, stops: impl Fn(&str) -> Option<Stops>) {
    let mut blocked = BTreeSet::new();
    for (handle, function) in &desired.functions {
        let Some(deployment) = function.deployment() else { continue };
        let wanted = deployment.settings.runtime.as_deref();
        let found = live.functions.get(handle).and_then(|live| live.configuration.found());
        let has = found.and_then(|found| found.settings.runtime.as_deref());
        let Some(runtime) = wanted.or(has) else { continue };
        let kind = stops(runtime).and_then(|stops| stopped(runtime, &stops, Some(runtime) != has, today));
        let Some(kind) = kind else { continue };
        let address = desired.address(Kind::Function, handle);
        let over = matches!(kind, ProblemKind::RuntimeStopped { over: true, .. });
        let meets = plan.changes.iter().any(|change| change.address == address && is_refused(&change.action));
        let severity = if over && meets { Severity::Error } else { Severity::Warning };
        if severity == Severity::Error {
            blocked.insert(address.clone());
        }
        plan.problems.push(Problem { address, name: function.name.clone(), severity, kind });
    }
    block(plan, &blocked);
}

/// Whether Lambda refuses it of a function whose runtime it has stopped. A new stack counts: its function could never get what it is to
/// have.
fn is_refused(action: &Action) -> bool {
    matches!(
        action,
        Action::DeployStack { .. } | Action::UpdateStack { .. } | Action::UpdateConfiguration | Action::UpdateCode
    )
}

/// Leaves out all changes of these, and what waits for them.
fn block(plan: &mut Plan, addresses: &BTreeSet<Address>) {
    for change in &mut plan.changes {
        change.blocked |= addresses.contains(&change.address);
    }
    let mut said = BTreeSet::new();
    loop {
        let waits = |change: &super::Change| {
            let blocker = change.after.iter().find_map(|after| plan.changes.get(*after).filter(|other| other.blocked));
            blocker.map(|blocker| blocker.address.clone()).filter(|_| !change.blocked)
        };
        let Some((index, blocker)) =
            plan.changes.iter().enumerate().find_map(|(index, change)| Some((index, waits(change)?)))
        else {
            return;
        };
        let change = &mut plan.changes[index];
        change.blocked = true;
        if change.address != blocker && said.insert((change.address.clone(), blocker.clone())) {
            let (address, name) = (change.address.clone(), change.name.clone());
            let kind = ProblemKind::BlockedBy { address: blocker };
            plan.problems.push(Problem { address, name, severity: Severity::Error, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{desired, empty_live, live, wanted};
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a test's own date")
    }

    fn stops() -> Stops {
        let successor = Some("python3.14".to_owned());
        Stops { given: Some(day("2027-02-01")), changed: Some(day("2027-03-03")), successor }
    }

    /// The plan of a function with this runtime, judged on a day: its errors, warnings, and how many changes are left.
    fn judged(runtime: &str, timeout: u32, live: &Live, today: &str) -> (usize, usize, usize) {
        let mut desired = desired();
        wanted(&mut desired).settings.runtime = Some(runtime.to_owned());
        wanted(&mut desired).settings.timeout = Some(timeout);
        let options = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
        let mut plan = make_plan(&desired, live, options);
        plan.problems.clear();
        hold(&mut plan, &desired, live, day(today), |_| Some(stops()));
        let errors = plan.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        (errors, plan.problems.len() - errors, plan.runnable().count())
    }

    /// Without it, a plan would be approved that AWS refuses in the middle: the stack made, the function without its code.
    #[test]
    fn a_plan_that_aws_would_refuse_is_refused_before() {
        let mut standing = live();
        let crate::model::live::Reading::Found(found) =
            &mut standing.functions.get_mut("f").expect("built there").configuration
        else {
            panic!("built there");
        };
        found.settings.runtime = Some("python3.9".to_owned());
        // It has the runtime: it can be changed until the second day.
        assert_eq!(judged("python3.9", 77, &standing, "2026-12-01"), (0, 0, 1));
        assert_eq!(judged("python3.9", 77, &standing, "2027-02-10"), (0, 1, 1));
        let (errors, _, left) = judged("python3.9", 77, &standing, "2027-03-03");
        assert_eq!((errors, left), (1, 0));
        // Nothing is changed, so nothing is refused.
        assert_eq!(judged("python3.9", 30, &standing, "2027-03-03"), (0, 1, 0));
        // It is to get the runtime: from the first day on it can't.
        assert_eq!(judged("python3.10", 30, &standing, "2027-01-31"), (0, 1, 1));
        let (errors, _, left) = judged("python3.10", 30, &standing, "2027-02-01");
        assert_eq!((errors, left), (1, 0));
        // A new function, and the secret that waits for it.
        let (errors, _, left) = judged("python3.9", 30, &empty_live(), "2027-02-01");
        assert!(errors >= 1 && left == 0, "{errors} errors, {left} changes");
    }
}
