//! Whether a saved plan still holds: it against one that was made a moment ago, from the same files.
//!
//! Judged per changed resource, on canonical attributes. Live as it was before: the change is done. Live as it is wanted:
//! done already, so it is skipped. Anything else: the plan is stale, and the attribute is named. What differs beside the
//! plan isn't done, and is said.
//!
//! A sensitive attribute has no value here, so that of those it is only known that they differ.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Address, Kind};

use super::{Action, Attribute, Change, Effect, FieldChange, NoteKind, Plan, Problem, ProblemKind, Severity, Shown};

/// A saved plan that holds.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// What is left to do.
    pub plan: Plan,
    /// How many changes of the saved plan are done already.
    pub done: usize,
    /// What differs besides the saved plan, and is left as it is.
    pub beside: BTreeSet<Address>,
    /// What the saved plan itself leaves out, because of errors that it foresaw.
    pub left_out: BTreeSet<Address>,
}

/// Why a saved plan doesn't hold any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// What moved.
    pub address: Address,
    /// The name on AWS.
    pub name: String,
    /// How.
    pub kind: StaleKind,
}

/// The ways in which a plan becomes stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaleKind {
    /// The live value isn't the one that the plan was made for.
    Moved {
        /// The attribute.
        attribute: Attribute,
        /// What it was.
        planned: Shown,
        /// What it is.
        now: Shown,
    },
    /// The plan would now set another value: what it was computed from on AWS has moved.
    WouldSet {
        /// The attribute.
        attribute: Attribute,
        /// What was planned.
        planned: Shown,
        /// What it would be.
        now: Shown,
    },
    /// The change would now be another one: what it concerns was made, replaced or removed by others.
    OtherAction,
    /// The function still changes, and can't be tested on this secret any more.
    NotTested,
    /// The change now has an effect that the saved plan didn't show.
    NewEffect(Effect),
    /// Something now stands in the way that the plan didn't foresee.
    Problem(ProblemKind),
    /// No rule of `select` means the secret any more, of those that did.
    NotSelected(BTreeSet<String>),
    /// What it waits for differs now, besides the plan.
    Beneath(Address),
}

/// What two changes must share to be the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Stack,
    Configuration,
    Code,
    Permission,
    Rotation,
    Test,
    Asked,
    Deletion,
}

fn class(action: &Action) -> Class {
    match action {
        Action::DeployStack { .. } | Action::UpdateStack { .. } | Action::TagStack { .. } => Class::Stack,
        Action::UpdateConfiguration => Class::Configuration,
        Action::UpdateCode => Class::Code,
        Action::AddPermission { .. } => Class::Permission,
        Action::EnableRotation(_) | Action::UpdateRotation(_) | Action::DisableRotation => Class::Rotation,
        Action::RotateNow(_) | Action::Repair(_) => Class::Asked,
        Action::TestFunction(_) => Class::Test,
        Action::DeleteStack { .. } => Class::Deletion,
    }
}

/// Confirms a saved plan by one that was just made for the same target from the same files.
pub fn confirm(saved: &Plan, now: &Plan) -> Result<Confirmed, Vec<Stale>> {
    let key = |change: &Change| (change.address.clone(), class(&change.action));
    let present: BTreeMap<(Address, Class), usize> =
        now.changes.iter().enumerate().map(|(index, change)| (key(change), index)).collect();
    let runnable: BTreeMap<(Address, Class), &Change> = saved.runnable().map(|change| (key(change), change)).collect();
    let mut stale = Vec::new();
    let mut keep = BTreeSet::new();
    let mut done = 0;
    for ((address, class), change) in &runnable {
        // A stack that this plan has changed already brings its function along, whose changes then start from there.
        let stack_done = runnable.contains_key(&(address.clone(), Class::Stack))
            && !present.contains_key(&(address.clone(), Class::Stack));
        match present.get(&(address.clone(), *class)) {
            // What can't be listed any more is not gone.
            None if is_orphan(address) && !knows_orphans(now) => {
                stale.push(of(change, StaleKind::Problem(ProblemKind::PruningRefused)));
            }
            None if *class == Class::Test && waits_for(saved, change).any(|key| present.contains_key(&key)) => {
                stale.push(of(change, StaleKind::NotTested));
            }
            None => match new_problem(saved, now, address) {
                Some(kind) => stale.push(of(change, StaleKind::Problem(kind))),
                None => done += 1,
            },
            Some(&index) => {
                let found = &now.changes[index];
                stale.extend(compare(saved, now, change, found, stack_done).into_iter().map(|kind| of(change, kind)));
                keep.insert(index);
            }
        }
        if *class == Class::Stack && !stack_done {
            // After a stack's change an apply compares configuration and code again, and sets what differs: drift that came since
            // the plan would be overwritten, which the plan didn't show.
            let unseen = [Class::Configuration, Class::Code].map(|class| (address.clone(), class));
            let unseen =
                unseen.into_iter().filter(|key| !runnable.contains_key(key)).filter_map(|key| present.get(&key));
            for field in unseen.flat_map(|&index| &now.changes[index].fields).filter(|field| !is_detail(field)) {
                let (attribute, planned, now) = (field.attribute.clone(), field.after.clone(), field.before.clone());
                stale.push(of(change, StaleKind::Moved { attribute, planned, now }));
            }
        }
        if stack_done {
            // After a stack's change, an apply restores configuration and code; one that goes on does too.
            let restored = [Class::Configuration, Class::Code].map(|class| present.get(&(address.clone(), class)));
            keep.extend(restored.into_iter().flatten().filter(|index| !now.changes[**index].blocked));
        }
    }
    stale.extend(not_selected(saved, now));
    for &index in &keep {
        let change = &now.changes[index];
        for beneath in change.after.iter().filter(|after| !keep.contains(after)) {
            stale.push(of(change, StaleKind::Beneath(now.changes[*beneath].address.clone())));
        }
    }
    if !stale.is_empty() {
        return Err(stale);
    }
    let foreseen = saved.problems.iter().filter(|problem| is_foreseen(problem));
    let blocked = saved.changes.iter().filter(|change| change.blocked).map(|change| &change.address);
    let left_out: BTreeSet<Address> =
        foreseen.clone().map(|problem| &problem.address).chain(blocked).cloned().collect();
    let left = now.changes.iter().enumerate().filter(|(index, _)| !keep.contains(index));
    let failing = now.problems.iter().filter(|problem| is_foreseen(problem)).map(|problem| &problem.address);
    let beside = left.map(|(_, change)| &change.address).chain(failing).filter(|address| !left_out.contains(address));
    let beside = beside.cloned().collect();
    let mut plan = restrict(now, &keep);
    // What the report says of errors is about this plan, and not about what came beside it.
    plan.problems.retain(|problem| !is_foreseen(problem));
    plan.problems.extend(foreseen.cloned());
    Ok(Confirmed { plan, done, beside, left_out })
}

/// The secrets that rules meant when the plan was made, and mean no more: it holds its list.
fn not_selected(saved: &Plan, now: &Plan) -> Vec<Stale> {
    let gone = saved.selected.iter().filter(|(handle, _)| !now.selected.contains_key(*handle));
    let unread = now.problems.iter().find(|problem| matches!(problem.kind, ProblemKind::SelectUnread { .. }));
    let stale = |(handle, rules): (&String, &BTreeSet<String>)| {
        let address = Address::new(saved.target.as_deref(), Kind::Secret, handle.clone());
        let kind = unread
            .map(|problem| problem.kind.clone())
            .or_else(|| new_problem(saved, now, &address))
            .map_or_else(|| StaleKind::NotSelected(rules.clone()), StaleKind::Problem);
        Stale { address, name: handle.clone(), kind }
    };
    gone.map(stale).collect()
}

/// What a change of a plan waits for.
fn waits_for<'p>(plan: &'p Plan, change: &'p Change) -> impl Iterator<Item = (Address, Class)> + 'p {
    let before = change.after.iter().filter_map(|index| plan.changes.get(*index));
    before.map(|change| (change.address.clone(), class(&change.action)))
}

/// Whether a problem leaves something out of a plan. What refuses all of it is judged again.
fn is_foreseen(problem: &Problem) -> bool {
    problem.severity == Severity::Error && problem.refusal().is_none()
}

fn is_orphan(address: &Address) -> bool {
    matches!(address.kind, Kind::OrphanStack | Kind::OrphanSecret)
}

/// Whether orphans were looked for, and could be listed.
fn knows_orphans(plan: &Plan) -> bool {
    !plan.notes.iter().any(|note| matches!(note.kind, NoteKind::OrphansNotChecked { .. }))
        && !plan.problems.iter().any(|problem| problem.kind == ProblemKind::PruningRefused)
}

/// Whether an attribute only details another: a package's hash, which is an attribute too, speaks for its files.
fn is_detail(field: &FieldChange) -> bool {
    matches!(field.attribute, Attribute::CodeFile(_))
}

fn of(change: &Change, kind: StaleKind) -> Stale {
    Stale { address: change.address.clone(), name: change.name.clone(), kind }
}

fn compare(saved: &Plan, now: &Plan, planned: &Change, found: &Change, stack_done: bool) -> Vec<StaleKind> {
    if found.blocked {
        let kind = new_problem(saved, now, &found.address);
        return vec![kind.map_or(StaleKind::OtherAction, StaleKind::Problem)];
    }
    let progressed = stack_done || is_half_done(&planned.action, &found.action);
    if !progressed && !same_action(&planned.action, &found.action) {
        let moved = moved_fields(planned, found, false);
        return if moved.is_empty() { vec![StaleKind::OtherAction] } else { moved };
    }
    if stack_done && !same_action(&planned.action, &found.action) {
        return vec![StaleKind::OtherAction];
    }
    let mut stale = moved_fields(planned, found, progressed);
    // Code that a stack's change put back is replaced again: that is how a deployment goes.
    let expected = |effect: &Effect| stack_done && *effect == Effect::ReplacesCode;
    let new = found.effects.difference(&planned.effects).filter(|effect| !expected(effect));
    stale.extend(new.map(|effect| StaleKind::NewEffect(*effect)));
    stale
}

/// Whether a change of two halves has its first half behind it: what was in the way is gone, and what follows isn't there yet.
fn is_half_done(planned: &Action, found: &Action) -> bool {
    matches!(
        (planned, found),
        (Action::DeployStack { replaces: Some(_), .. }, Action::DeployStack { replaces: None, .. })
            | (Action::AddPermission { replace: true }, Action::AddPermission { replace: false })
    )
}

/// Whether two actions are the same one on the same thing; what they set is compared as attributes.
fn same_action(planned: &Action, found: &Action) -> bool {
    match (planned, found) {
        (Action::DeployStack { replaces: one, .. }, Action::DeployStack { replaces: other, .. }) => one == other,
        (Action::UpdateStack { id: one, .. }, Action::UpdateStack { id: other, .. })
        | (Action::TagStack { id: one }, Action::TagStack { id: other })
        | (Action::DeleteStack { id: one, .. }, Action::DeleteStack { id: other, .. }) => one == other,
        (Action::AddPermission { replace: one }, Action::AddPermission { replace: other }) => one == other,
        (Action::EnableRotation(one), Action::EnableRotation(other))
        | (Action::UpdateRotation(one), Action::UpdateRotation(other))
        | (Action::TestFunction(one), Action::TestFunction(other)) => {
            one.secret_arn == other.secret_arn && one.rotate_immediately == other.rotate_immediately
        }
        (Action::UpdateConfiguration, Action::UpdateConfiguration)
        | (Action::UpdateCode, Action::UpdateCode)
        | (Action::DisableRotation, Action::DisableRotation) => true,
        _ => false,
    }
}

fn moved_fields(planned: &Change, found: &Change, stack_done: bool) -> Vec<StaleKind> {
    let by_path = |change: &Change| -> BTreeMap<Attribute, FieldChange> {
        change.fields.iter().map(|field| (field.attribute.clone(), field.clone())).collect()
    };
    let (planned, found) = (by_path(planned), by_path(found));
    let mut stale = Vec::new();
    for (attribute, now) in &found {
        match planned.get(attribute) {
            Some(then) if then.after != now.after => stale.push(StaleKind::WouldSet {
                attribute: attribute.clone(),
                planned: then.after.clone(),
                now: now.after.clone(),
            }),
            Some(then) if then.before != now.before && !stack_done => stale.push(StaleKind::Moved {
                attribute: attribute.clone(),
                planned: then.before.clone(),
                now: now.before.clone(),
            }),
            Some(_) => {}
            None if stack_done || is_detail(now) => {}
            None => stale.push(StaleKind::Moved {
                attribute: attribute.clone(),
                planned: now.after.clone(),
                now: now.before.clone(),
            }),
        }
    }
    stale
}

/// An error that stands at an address now and didn't when the plan was made.
fn new_problem(saved: &Plan, now: &Plan, address: &Address) -> Option<ProblemKind> {
    let errors = |plan: &'_ Plan| -> Vec<ProblemKind> {
        let at_address = plan.problems.iter().filter(|problem| problem.address == *address);
        at_address.filter(|problem| problem.severity == Severity::Error).map(|problem| problem.kind.clone()).collect()
    };
    let then = errors(saved);
    errors(now).into_iter().find(|kind| !then.contains(kind))
}

/// A plan of only some of its changes.
fn restrict(plan: &Plan, keep: &BTreeSet<usize>) -> Plan {
    let places: BTreeMap<usize, usize> = keep.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let changes = keep.iter().map(|old| {
        let mut change = plan.changes[*old].clone();
        change.after = change.after.iter().filter_map(|after| places.get(after).copied()).collect();
        change
    });
    Plan { changes: changes.collect(), ..plan.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::live::Reading;
    use crate::model::{Desired, Kind, Live};
    use crate::plan::fixtures::{
        ACCOUNT, configuration, days, desired, empty_live, live, live_configuration, live_function, live_secret, stack,
        statement, wanted,
    };
    use crate::plan::{PlanOptions, Purpose, make_plan};

    fn plan(desired: &Desired, live: &Live) -> Plan {
        make_plan(desired, live, PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false })
    }

    /// A plan that changes the timeout and the rotation's days.
    fn drifted() -> (Desired, Live) {
        let (mut desired, live) = (desired(), live());
        wanted(&mut desired).settings.timeout = Some(60);
        desired.secrets.get_mut("s").expect("built above").rotation.rules = Some(days(7));
        (desired, live)
    }

    /// Without it, a plan would be refused although nothing has moved.
    #[test]
    fn an_untouched_world_confirms_a_plan() {
        let (desired, live) = drifted();
        let saved = plan(&desired, &live);
        let confirmed = confirm(&saved, &saved).expect("nothing has moved");
        assert_eq!(confirmed.plan.changes, saved.changes);
        assert_eq!((confirmed.done, confirmed.beside.len()), (0, 0));
    }

    /// Without it, a plan that was approved for 30 seconds would overwrite what somebody set to 45 since.
    #[test]
    fn a_moved_attribute_is_named_with_both_values() {
        let (desired, mut live) = drifted();
        let saved = plan(&desired, &live);
        live_configuration(&mut live).settings.timeout = Some(45);
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("the timeout has moved");
        assert_eq!(stale.len(), 1);
        let kind = StaleKind::Moved { attribute: "timeout".into(), planned: Shown::text(30), now: Shown::text(45) };
        assert_eq!((&stale[0].kind, stale[0].address.to_string().as_str()), (&kind, "function.f"));
    }

    /// Without it, a plan file could not be applied again after an apply that was killed.
    #[test]
    fn what_is_done_is_skipped() {
        let (desired, mut live) = drifted();
        let saved = plan(&desired, &live);
        live_configuration(&mut live).settings.timeout = Some(60);
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("half of it is done");
        assert_eq!((confirmed.done, confirmed.plan.changes.len()), (1, 1));
        assert_eq!(confirmed.plan.changes[0].address.kind, Kind::Secret);
    }

    /// Without it, an apply that was killed after the stack's creation would be refused by its own work.
    #[test]
    fn a_first_deployment_goes_on_after_its_stack() {
        let (desired, mut live) = (desired(), empty_live());
        let saved = plan(&desired, &live);
        assert!(saved.changes.len() >= 5, "{:?}", saved.changes);
        let function = live_function(&mut live);
        function.stack = Reading::Found(stack());
        let template = || {
            let mut template = configuration();
            template.settings.timeout = Some(3);
            template.code_sha256 = "template".into();
            template
        };
        function.configuration = Reading::Found(template());
        let now = plan(&desired, &live);
        let confirmed = confirm(&saved, &now).expect("the stack is this plan's own work");
        assert_eq!(confirmed.done, 1);
        assert_eq!(confirmed.plan.changes.len(), now.changes.len());
        assert!(
            confirmed.plan.changes.iter().all(|change| change.after.iter().all(|after| *after < now.changes.len()))
        );
    }

    /// Without it, a stack's update would take along what somebody set by hand since, though the plan says nothing of it.
    #[test]
    fn a_stacks_update_does_not_overwrite_drift_that_nobody_saw() {
        let (mut desired, mut live) = (desired(), live());
        wanted(&mut desired).application.parameters.insert("kmsKeyArn".into(), crate::model::Sensitive::new("arn:key"));
        let saved = plan(&desired, &live);
        assert!(matches!(saved.changes[0].action, Action::UpdateStack { .. }), "{saved:?}");
        confirm(&saved, &plan(&desired, &live)).expect("nothing has moved");
        live_configuration(&mut live).settings.timeout = Some(99);
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("the timeout would be set back");
        let kind = StaleKind::Moved { attribute: "timeout".into(), planned: Shown::text(30), now: Shown::text(99) };
        assert_eq!(stale[0].kind, kind);
    }

    /// Without it, a role that may no longer list secrets would make an unfinished removal look finished.
    #[test]
    fn orphans_that_cannot_be_listed_are_not_done() {
        let prune = |live: &Live| {
            make_plan(&desired(), live, PlanOptions { purpose: Purpose::Converge { prune: true }, partial: false })
        };
        let mut live = crate::plan::fixtures::orphaned();
        let saved = prune(&live);
        assert!(saved.changes.iter().any(|change| is_orphan(&change.address)), "{saved:?}");
        let denied = crate::model::live::Unread::Denied {
            action: "a".into(),
            resource: "*".into(),
            code: None,
            message: "m".into(),
        };
        live.orphan_secrets = Err(denied);
        let stale = confirm(&saved, &prune(&live)).expect_err("what is left isn't known");
        assert!(stale.iter().any(|one| one.kind == StaleKind::Problem(ProblemKind::PruningRefused)), "{stale:?}");
    }

    /// Without it, stacks that can't be listed any more would count as deleted.
    #[test]
    fn stacks_that_cannot_be_listed_are_not_done() {
        let prune = |live: &Live| {
            make_plan(&desired(), live, PlanOptions { purpose: Purpose::Converge { prune: true }, partial: false })
        };
        let mut live = crate::plan::fixtures::orphaned();
        live.orphan_secrets = Ok(Vec::new());
        live.orphan_stacks[0].rotating = Some(Vec::new());
        let saved = prune(&live);
        assert!(matches!(saved.changes[..], [Change { action: Action::DeleteStack { .. }, .. }]), "{saved:?}");
        live.orphan_stacks.clear();
        assert_eq!(confirm(&saved, &prune(&live)).expect("it is gone").done, 1);
        let message = "try later".to_owned();
        live.stacks_unread =
            Some(crate::model::live::Unread::Failed { call: None, code: None, message, request_id: None });
        let stale = confirm(&saved, &prune(&live)).expect_err("it isn't known");
        assert_eq!(stale[0].kind, StaleKind::Problem(ProblemKind::PruningRefused));
    }

    /// Without it, what is left of a plan would wait for the wrong changes, or for none: a secret could rotate before its
    /// function has its code.
    #[test]
    fn what_is_left_waits_for_the_same_changes() {
        let whole = plan(&desired(), &empty_live());
        let after = |plan: &Plan| plan.changes.iter().map(|change| change.after.clone()).collect::<Vec<_>>();
        assert_eq!(after(&whole), [vec![], vec![0], vec![1], vec![2], vec![0, 1, 2, 3]]);
        let rest = restrict(&whole, &BTreeSet::from([1, 3, 4]));
        assert_eq!(after(&rest), [vec![], vec![], vec![0, 1]]);
        assert_eq!(rest.changes[2].action, whole.changes[4].action);
    }

    /// Without it, an apply that was killed between the two halves of a replacement could not go on.
    #[test]
    fn a_replacement_goes_on_after_its_first_half() {
        let (desired, mut live) = (desired(), live());
        let mut foreign = statement();
        foreign.source_account = Some("999999999999".into());
        live_function(&mut live).policy = Reading::Found(vec![foreign]);
        let saved = plan(&desired, &live);
        assert!(
            saved.changes.iter().any(|change| change.action == Action::AddPermission { replace: true }),
            "{saved:?}"
        );
        live_function(&mut live).policy = Reading::Found(Vec::new());
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("the old statement is this plan's own work");
        assert_eq!(confirmed.plan.changes[0].action, Action::AddPermission { replace: false });

        let (mut live, failed) =
            (empty_live(), crate::model::live::LiveStack { status: "ROLLBACK_COMPLETE".into(), ..stack() });
        live_function(&mut live).stack = Reading::Found(failed);
        let saved = plan(&desired, &live);
        let replaces = |plan: &Plan| match &plan.changes[0].action {
            Action::DeployStack { replaces, .. } => replaces.is_some(),
            other => panic!("{other:?}"),
        };
        assert!(replaces(&saved));
        live_function(&mut live).stack = Reading::Absent;
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("the failed stack is this plan's own work");
        assert!(!replaces(&confirmed.plan));
    }

    /// Without it, drift since the plan was made would be repaired by a plan that doesn't show it.
    #[test]
    fn drift_beside_the_plan_stays() {
        let (mut desired, mut live) = (desired(), live());
        desired.secrets.get_mut("s").expect("built above").rotation.rules = Some(days(7));
        let saved = plan(&desired, &live);
        live_function(&mut live).policy = Reading::Found(Vec::new());
        // The secret's change would now wait for a permission that the plan doesn't have.
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("what it stands on has moved");
        assert!(
            matches!(&stale[0].kind, StaleKind::Beneath(address) if address.to_string() == "function.f"),
            "{stale:?}"
        );
        // Where nothing of the plan stands on it, it is left alone.
        live_function(&mut live).policy = Reading::Found(vec![statement()]);
        let mut desired = crate::plan::fixtures::desired();
        let other = desired.secrets["s"].clone();
        desired.secrets.insert("other".into(), other);
        desired.secrets.get_mut("s").expect("built above").rotation.rules = Some(days(7));
        live.secrets.insert("other".into(), live.secrets["s"].clone());
        let saved = plan(&desired, &live);
        live_secret(&mut live).rules = Some(days(30));
        if let Some(Reading::Found(other)) = live.secrets.get_mut("other") {
            other.rotation_enabled = Some(false);
        }
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("the plan's own secret hasn't moved");
        assert_eq!(confirmed.beside.iter().map(ToString::to_string).collect::<Vec<_>>(), ["secret.other"]);
        assert_eq!(confirmed.plan.changes.len(), 1);
    }

    /// Without it, a plan that left something out would end green once the cause is gone, or blame others for it.
    #[test]
    fn what_the_plan_left_out_is_not_beside_it() {
        let (mut desired, mut live) = (desired(), live());
        let other = desired.secrets["s"].clone();
        desired.secrets.insert("other".into(), other);
        desired.secrets.get_mut("s").expect("built above").rotation.rules = Some(days(7));
        live.secrets.insert("other".into(), Reading::Absent);
        let saved = plan(&desired, &live);
        let of = |addresses: &BTreeSet<Address>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("nothing has moved");
        assert_eq!((of(&confirmed.left_out), of(&confirmed.beside)), (vec!["secret.other".to_owned()], vec![]));
        // It is there now, and its rotation is off: the plan still doesn't do it.
        let mut off = live.secrets["s"].clone();
        if let Reading::Found(off) = &mut off {
            off.rotation_enabled = Some(false);
        }
        live.secrets.insert("other".into(), off);
        let confirmed = confirm(&saved, &plan(&desired, &live)).expect("its own secret hasn't moved");
        assert_eq!((of(&confirmed.left_out), of(&confirmed.beside)), (vec!["secret.other".to_owned()], vec![]));
        assert!(confirmed.plan.has_errors(), "the report counts it");
        // What breaks beside the plan is said, and isn't the plan's.
        let mut fine = plan(&desired, &live);
        fine.changes.retain(|change| change.address.handle == "s");
        live.secrets.insert("other".into(), Reading::Absent);
        let confirmed = confirm(&fine, &plan(&desired, &live)).expect("its own secret hasn't moved");
        assert_eq!((of(&confirmed.left_out), of(&confirmed.beside)), (vec![], vec!["secret.other".to_owned()]));
    }

    /// Without it, a secret that was deleted, or switched on by others, would be rotated by an old plan.
    #[test]
    fn what_stands_in_the_way_by_now_refuses_the_plan() {
        let (desired, mut live) = drifted();
        let saved = plan(&desired, &live);
        live_secret(&mut live).deleted = true;
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("the secret is going");
        assert!(stale.iter().any(|one| one.kind == StaleKind::Problem(ProblemKind::ScheduledForDeletion)), "{stale:?}");
        live.secrets.insert("s".into(), Reading::Absent);
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("the secret is gone");
        assert!(stale.iter().any(|one| one.kind == StaleKind::Problem(ProblemKind::SecretMissing)), "{stale:?}");
        assert_eq!(ACCOUNT, saved.account);
    }

    /// Without it, a secret of the same name but another identity would be rotated.
    #[test]
    fn another_secret_of_the_same_name_is_another_secret() {
        let (desired, mut live) = drifted();
        let saved = plan(&desired, &live);
        live_secret(&mut live).arn.push('2');
        let stale = confirm(&saved, &plan(&desired, &live)).expect_err("it is another secret");
        assert_eq!(stale[0].kind, StaleKind::OtherAction);
    }
}
