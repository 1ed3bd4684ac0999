//! Plans over generated pairs of a desired and a live state, judged by a plain interpreter of their steps.

mod drift;
mod interpreter;
mod wanted;
mod wild;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rotator::model::live::{OrphanSecret, Reading};
use rotator::model::{Desired, Kind, Live, PROJECT_TAG};
use rotator::plan::fresh::StaleKind;
use rotator::plan::{
    Action, Attribute, Change, Effect, NoteKind, Plan, PlanOptions, ProblemKind, Purpose, Reason, Severity, Shown,
    Step, StepKind, brake, fresh, make_plan, order,
};

use crate::cases::{Dice, check, dice};
use drift::{Expected, Said};
use wild::{World, world};

const CONVERGE: Purpose = Purpose::Converge { prune: false };
const PRUNE: Purpose = Purpose::Converge { prune: true };

/// How many cases of a property of plans the sample has.
const SAMPLE: u64 = 400;

fn whole(purpose: Purpose) -> PlanOptions {
    PlanOptions { purpose, partial: false }
}

fn shown(wanted: &Desired, live: &Live) -> String {
    format!("{wanted:#?}\n{live:#?}")
}

/// A state as text, to be compared: sensitive values don't show, so their lengths of life are as good as hidden.
fn text(live: &Live) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{live:#?}");
    for (handle, one) in &live.functions {
        let variables = one.configuration.found().and_then(|found| found.environment.as_ref().ok());
        let parameters = one.stack.found().map(|stack| &stack.parameters);
        for (name, value) in variables.into_iter().chain(parameters).flatten() {
            let _ = writeln!(text, "{handle} {name} = {}", value.expose());
        }
    }
    text
}

/// Carries out all steps in an order, which keeps to what each waits for.
fn applied(steps: &[Step], order: &[usize], plan: &Plan, wanted: &Desired, live: &Live) -> Result<Live, TestCaseError> {
    let mut after = live.clone();
    for &index in order {
        let step = &steps[index];
        interpreter::carry_out(step, plan, wanted, &mut after)
            .map_err(|refusal| TestCaseError::fail(format!("{} {:?}: {refusal}", step.address, step.kind)))?;
    }
    interpreter::look_again(wanted, &mut after);
    Ok(after)
}

fn applied_in_order(plan: &Plan, wanted: &Desired, live: &Live) -> Result<Live, TestCaseError> {
    let steps = order(plan, wanted);
    let all: Vec<usize> = (0..steps.len()).collect();
    applied(&steps, &all, plan, wanted, live)
}

/// An order of steps, drawn among all that keep to what each waits for.
fn drawn(steps: &[Step], choices: &mut crate::cases::Throws<'_>) -> Vec<usize> {
    let mut done: Vec<usize> = Vec::new();
    while done.len() < steps.len() {
        let ready: Vec<usize> = (0..steps.len())
            .filter(|step| !done.contains(step) && steps[*step].after.iter().all(|before| done.contains(before)))
            .collect();
        done.push(ready[choices.below(ready.len())]);
    }
    done
}

/// A state that is as wanted, with single differences.
#[derive(Debug, Clone)]
struct Calm {
    functions: Vec<Dice>,
    secrets: Vec<Dice>,
}

fn calm() -> impl Strategy<Value = Calm> {
    let functions = prop::collection::vec(dice(wanted::FUNCTION_DICE), 1..4);
    let secrets = prop::collection::vec(dice(wanted::SECRET_DICE), 0..6);
    (functions, secrets).prop_map(|(functions, secrets)| Calm { functions, secrets })
}

impl Calm {
    fn states(&self) -> (Desired, Live, Expected) {
        let (wanted, mut functions, mut secrets) = wanted::desired(&self.functions, &self.secrets);
        let mut live = wanted::mirror(&wanted);
        let expected = drift::drift(&wanted, &mut live, &mut functions, &mut secrets);
        (wanted, live, expected)
    }
}

/// Without it a manifest that is in force would be "changed" by every pipeline's run.
#[test]
fn plans_of_equal_states_are_empty() {
    check(
        "plans_of_equal_states_are_empty",
        SAMPLE,
        &[],
        &calm(),
        |case| format!("{:#?}", case.states()),
        |case, _| {
            let (wanted, ..) = case.states();
            let live = wanted::mirror(&wanted);
            for purpose in [CONVERGE, PRUNE] {
                let plan = make_plan(&wanted, &live, whole(purpose));
                prop_assert_eq!(&plan.changes, &Vec::<Change>::new());
                prop_assert!(!plan.has_errors(), "{:?}", plan.problems);
            }
            Ok(())
        },
    );
}

/// Without it a difference could be missing from a plan, or be shown where there is none, or its effect be hidden.
#[test]
fn plans_say_each_difference_and_nothing_else() {
    let expected = ["differences", "effects"];
    let states = |case: &Calm| format!("{:#?}", case.states());
    check("plans_say_each_difference_and_nothing_else", SAMPLE * 2, &expected, &calm(), states, |case, seen| {
        let (wanted, live, expected) = case.states();
        let plan = make_plan(&wanted, &live, whole(CONVERGE));
        prop_assert!(!plan.has_errors(), "{:?}", plan.problems);
        let mut said = Expected::new();
        for change in &plan.changes {
            let one: &mut Said = said.entry(change.address.clone()).or_default();
            one.paths.extend(change.fields.iter().map(|field| field.attribute.path().into_owned()));
            one.effects.extend(change.effects.iter().copied());
        }
        for (address, one) in &expected {
            seen.add("differences", one.paths.len());
            seen.add("effects", one.effects.len());
            prop_assert_eq!(said.get(address), Some(one), "{}", address);
        }
        prop_assert_eq!(said, expected);
        Ok(())
    });
}

/// What is true of every change, whatever the states.
fn changes_are_sound(plan: &Plan) -> TestCaseResult {
    for change in &plan.changes {
        let has = |effect| change.effects.contains(&effect);
        let request = change.action.rotate_secret();
        prop_assert_eq!(has(Effect::RotatesNow), request.is_some_and(|request| request.rotate_immediately));
        let asks = request.filter(|request| !request.rotate_immediately);
        prop_assert!(asks.is_some() || !has(Effect::TestsNow));
        // What AWS rotates by itself has no function that could be tested; one that is wanted all the same is refused.
        let is_refused =
            || plan.problems.iter().any(|one| one.address == change.address && one.severity == Severity::Error);
        let has_function = asks.is_some_and(|request| request.function_arn.is_some());
        prop_assert!(has(Effect::TestsNow) || !has_function || is_refused());
        prop_assert_eq!(has(Effect::StopsRotation), change.action == Action::DisableRotation);
        prop_assert_eq!(has(Effect::OpensPermission), matches!(change.action, Action::AddPermission { .. }));
        let deletes =
            matches!(change.action, Action::DeleteStack { .. } | Action::DeployStack { replaces: Some(_), .. });
        prop_assert_eq!(has(Effect::Deletes), deletes);
        prop_assert!(!change.fields.is_empty(), "a change says what changes: {:?}", change);
        for field in &change.fields {
            // Whether a value that is never shown differs can't be seen.
            let differs = field.before != field.after || field.before == Shown::Sensitive;
            prop_assert!(differs, "{}: {:?}", change.address, field);
        }
        let attributes: BTreeSet<&Attribute> = change.fields.iter().map(|field| &field.attribute).collect();
        prop_assert_eq!(attributes.len(), change.fields.len(), "an attribute is said twice: {:?}", change.fields);
    }
    let keys: BTreeSet<String> = plan
        .changes
        .iter()
        .map(|change| format!("{} {:?}", change.address, std::mem::discriminant(&change.action)))
        .collect();
    prop_assert_eq!(keys.len(), plan.changes.len(), "the same is done twice: {:?}", plan.changes);
    Ok(())
}

fn purposes() -> [Purpose; 3] {
    [CONVERGE, PRUNE, Purpose::Destroy]
}

fn states(world: &World) -> String {
    let (wanted, live) = world.states();
    shown(&wanted, &live)
}

/// Without it a plan could hide that a secret rotates, cry wolf, or show a field that stays as it is.
#[test]
fn effects_and_fields_say_what_is_done() {
    // What only flags and other commands bring about, which no plan made here is of.
    let is_asked =
        |effect: &Effect| matches!(effect, Effect::OverridesFreeze | Effect::DropsPending | Effect::StartsRotation);
    let held = || Effect::ALL.into_iter().filter(|effect| !is_asked(effect));
    let all: Vec<_> = held().map(Effect::word).collect();
    check("effects_and_fields_say_what_is_done", SAMPLE, &all, &world(), states, |world, seen| {
        let (wanted, live) = world.states();
        for purpose in purposes() {
            let plan = make_plan(&wanted, &live, whole(purpose));
            changes_are_sound(&plan)?;
            for effect in held() {
                seen.add(effect.word(), plan.count(effect));
            }
            let rotations = plan
                .runnable()
                .filter(|change| change.action.rotate_secret().is_some_and(|request| request.rotate_immediately))
                .count();
            // The brake counts what would rotate now, and nothing else.
            for limit in [0, 1, 2, rotations] {
                prop_assert_eq!(brake::brake([&plan], Some(limit)).is_some(), rotations > limit);
            }
            prop_assert_eq!(brake::brake([&plan], None).is_some(), rotations > brake::MAX_ROTATIONS);
        }
        Ok(())
    });
}

/// Without it an apply would be refused by AWS in the middle, or leave work for the next one.
#[test]
fn after_an_apply_the_next_plan_is_empty() {
    let expected = ["plans with changes", "plans with errors", "blocked changes"];
    check("after_an_apply_the_next_plan_is_empty", SAMPLE, &expected, &world(), states, |world, seen| {
        let (wanted, live) = world.states();
        for purpose in purposes() {
            let plan = make_plan(&wanted, &live, whole(purpose));
            let after = applied_in_order(&plan, &wanted, &live)?;
            let again = make_plan(&wanted, &after, whole(purpose));
            seen.add("plans with changes", usize::from(!plan.is_empty()));
            seen.add("plans with errors", usize::from(plan.has_errors()));
            seen.add("blocked changes", plan.changes.iter().filter(|change| change.blocked).count());
            let left: Vec<&Change> = again.runnable().collect();
            prop_assert!(left.is_empty(), "{:?}: {:#?}", purpose, left);
            if !plan.has_errors() {
                prop_assert!(again.is_empty(), "{:?}: {:#?}", purpose, again.changes);
                prop_assert!(!again.has_errors(), "{:?}: {:#?}", purpose, again.problems);
            }
            // What was blocked is blocked still, and nothing else is.
            let blocked = |plan: &Plan| -> BTreeSet<_> {
                plan.changes.iter().filter(|change| change.blocked).map(|change| change.address.clone()).collect()
            };
            prop_assert!(blocked(&again).is_subset(&blocked(&plan)), "{:?}: {:#?}", purpose, again.problems);
        }
        Ok(())
    });
}

/// Without it two steps that run side by side could undo each other, or a step run before what it needs.
#[test]
fn the_order_of_independent_steps_does_not_matter() {
    let expected = ["orders that differ"];
    let case = (world(), prop::collection::vec(dice(80), 3));
    check(
        "the_order_of_independent_steps_does_not_matter",
        SAMPLE,
        &expected,
        &case,
        |(world, _)| states(world),
        |(world, choices), seen| {
            let (wanted, live) = world.states();
            for purpose in purposes() {
                let plan = make_plan(&wanted, &live, whole(purpose));
                let steps = order(&plan, &wanted);
                steps_are_sound(&plan, &wanted, &steps)?;
                let first = text(&applied_in_order(&plan, &wanted, &live)?);
                for dice in choices {
                    let order = drawn(&steps, &mut dice.throws());
                    seen.add(
                        "orders that differ",
                        usize::from(order.iter().enumerate().any(|(index, step)| index != *step)),
                    );
                    let after = applied(&steps, &order, &plan, &wanted, &live)?;
                    prop_assert_eq!(text(&after), first.clone(), "in the order {:?}", order);
                }
            }
            Ok(())
        },
    );
}

/// Whether a step waits for another, directly or through others.
fn reaches(steps: &[Step], from: usize, to: usize) -> bool {
    from == to || steps[from].after.iter().any(|before| reaches(steps, *before, to))
}

/// Each runnable change is carried out once, after what it waits for; and a secret rotates after all that is done to its
/// function.
fn steps_are_sound(plan: &Plan, wanted: &Desired, steps: &[Step]) -> TestCaseResult {
    let mut carried_out: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        prop_assert!(step.after.iter().all(|before| *before < index));
        if let Some(change) = step.change.filter(|_| !step.kind.is_watch()) {
            prop_assert!(!plan.changes[change].blocked);
            prop_assert_eq!(carried_out.insert(change, index), None);
        }
    }
    let runnable: BTreeSet<usize> = (0..plan.changes.len()).filter(|change| !plan.changes[*change].blocked).collect();
    prop_assert_eq!(carried_out.keys().copied().collect::<BTreeSet<_>>(), runnable);
    for (change, step) in &carried_out {
        for before in &plan.changes[*change].after {
            let needed = carried_out.get(before);
            prop_assert!(needed.is_some(), "a runnable change waits for a blocked one: {:?}", plan.changes[*change]);
            prop_assert!(needed.is_some_and(|needed| reaches(steps, *step, *needed)));
        }
    }
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.kind == StepKind::Rotation) {
        let function = wanted.secrets[&step.address.handle].function.clone();
        for (other, _) in steps.iter().enumerate().filter(|(_, other)| {
            other.address.kind == Kind::Function && Some(&other.address.handle) == function.as_ref()
        }) {
            prop_assert!(reaches(steps, index, other));
        }
    }
    Ok(())
}

/// Without it a plan would end what it wasn't asked to end, or not end what it was.
#[test]
fn only_pruning_ends_orphans() {
    let expected = ["orphans ended", "orphans let go", "pruning refused", "notes of orphans"];
    check("only_pruning_ends_orphans", SAMPLE, &expected, &world(), states, |world, seen| {
        let (wanted, live) = world.states();
        let of_orphans = |change: &&Change| matches!(change.address.kind, Kind::OrphanSecret | Kind::OrphanStack);
        let noted = |plan: &Plan| {
            plan.notes
                .iter()
                .filter(|note| matches!(note.kind, NoteKind::OrphanSecret { .. } | NoteKind::OrphanStack { .. }))
                .count()
        };
        let asks = wanted.prune;
        let plain = make_plan(&wanted, &live, whole(CONVERGE));
        let pruned = make_plan(&wanted, &live, whole(PRUNE));
        for change in plain.changes.iter().filter(of_orphans).filter(|_| !asks) {
            // Letting go takes the tag off, and stops nothing; whose the tag of an earlier name is, isn't known.
            prop_assert_eq!(&change.reason, &Reason::Removed);
            prop_assert!(change.effects.iter().all(|effect| *effect == Effect::TakesOver));
            seen.add("orphans let go", 1);
        }
        seen.add("notes of orphans", noted(&plain));
        prop_assert_eq!(noted(&pruned), 0);
        let refused = pruned.problems.iter().any(|problem| problem.kind == ProblemKind::PruningRefused);
        prop_assert_eq!(refused, live.orphan_secrets.is_err());
        seen.add("pruning refused", usize::from(refused));
        // With pruning, everything that is no orphan is as without.
        let rest = |plan: &Plan| -> Vec<Change> {
            plan.changes
                .iter()
                .filter(|change| !matches!(change.address.kind, Kind::OrphanSecret | Kind::OrphanStack))
                .cloned()
                .collect()
        };
        prop_assert_eq!(rest(&plain), rest(&pruned));
        let known = live.orphan_secrets.iter().flatten().count() + live.orphan_stacks.len();
        let spoken = pruned.changes.iter().filter(of_orphans).count()
            + pruned
                .problems
                .iter()
                .filter(|problem| {
                    problem.address.kind == Kind::OrphanStack
                        && matches!(problem.kind, ProblemKind::StackBusy { .. } | ProblemKind::StackBroken { .. })
                })
                .count();
        // A secret is let go of by its name, or with its function.
        let is_let_go = |name: &str, kind: Kind| {
            wanted.removed.iter().any(|removed| removed.kind == kind && removed.handle == name)
        };
        let let_go = |orphan: &&OrphanSecret| {
            is_let_go(&orphan.name, Kind::Secret)
                || is_let_go(rotator::model::arn::function_name(&orphan.function_arn), Kind::Function)
        };
        let let_go_secrets = live.orphan_secrets.iter().flatten().filter(let_go).count();
        // A stack whose function an entry uses as `existing` stays.
        let is_used = |kind: &NoteKind| matches!(kind, NoteKind::DeployedBefore { .. });
        let used = pruned.notes.iter().filter(|note| is_used(&note.kind)).count();
        prop_assert_eq!(spoken + used, known - let_go_secrets, "{:#?}", pruned);
        seen.add(
            "orphans ended",
            pruned.runnable().filter(of_orphans).filter(|change| change.reason == Reason::Orphaned).count(),
        );
        // With a filter, nothing is known of orphans.
        let partial = make_plan(&wanted, &live, PlanOptions { purpose: PRUNE, partial: true });
        prop_assert_eq!(partial.changes.iter().filter(of_orphans).count(), 0);
        Ok(())
    });
}

fn ours(tags: &BTreeMap<String, String>) -> bool {
    tags.get(PROJECT_TAG).is_some_and(|project| project == wanted::PROJECT || project == wanted::EARLIER)
}

/// Without it a removal would leave something behind that the project owns, or take what is others'.
#[test]
fn a_removal_ends_all_that_is_ours_and_nothing_else() {
    let expected = ["stacks deleted", "stacks of others kept", "secrets switched off", "secrets of others kept"];
    check("a_removal_ends_all_that_is_ours_and_nothing_else", SAMPLE, &expected, &world(), states, |world, seen| {
        let (wanted, live) = world.states();
        let plan = make_plan(&wanted, &live, whole(Purpose::Destroy));
        let after = applied_in_order(&plan, &wanted, &live)?;
        for (handle, one) in &live.functions {
            let Reading::Found(stack) = &one.stack else { continue };
            let now = &after.functions[handle];
            let erroneous = plan
                .problems
                .iter()
                .any(|problem| problem.severity == Severity::Error && problem.address.handle == *handle);
            // What a deployment left that ended before its change set ran has no tags yet, and holds nothing.
            let half_made = stack.status == "REVIEW_IN_PROGRESS" && stack.tags.is_empty();
            if !ours(&stack.tags) && !half_made {
                prop_assert_eq!(format!("{now:?}"), format!("{one:?}"), "{} isn't ours", handle);
                seen.add("stacks of others kept", 1);
            } else if !erroneous {
                prop_assert_eq!(&now.stack, &Reading::Absent, "{} is ours", handle);
                seen.add("stacks deleted", 1);
            }
        }
        for (handle, reading) in &live.secrets {
            let (Reading::Found(before), Some(Reading::Found(now))) = (reading, after.secrets.get(handle)) else {
                continue;
            };
            if before.is_on() && !now.is_on() {
                // Only with a function of ours, or one that the manifest itself names.
                let arn = before.function_arn.clone().unwrap_or_default();
                let unqualified = rotator::model::arn::unqualified_function_arn(&arn);
                let named = wanted.functions.values().any(|function| {
                    wanted::called(function) == arn || wanted::function_arn(&function.name) == unqualified
                });
                let by_project = before.function_project.as_deref() == Some(wanted::PROJECT);
                prop_assert!(named || by_project, "{} rotates with {}", handle, arn);
                seen.add("secrets switched off", 1);
            } else {
                prop_assert_eq!(before, now);
                seen.add("secrets of others kept", usize::from(before.is_on()));
            }
        }
        // Without errors, nothing rotates with a function that is gone.
        if !plan.has_errors() {
            prop_assert!(
                after
                    .orphan_secrets
                    .iter()
                    .flatten()
                    .all(|orphan| wanted.removed.iter().any(|removed| removed.handle == orphan.name))
                    || after.orphan_secrets.is_err()
            );
        }
        Ok(())
    });
}

fn same_plan(one: &Plan, other: &Plan) -> TestCaseResult {
    prop_assert_eq!(&one.changes, &other.changes);
    prop_assert_eq!(&one.problems, &other.problems);
    prop_assert_eq!(&one.notes, &other.notes);
    let whole = |plan: &Plan| serde_json::to_string(plan).expect("plans can be written");
    prop_assert_eq!(whole(one), whole(other));
    Ok(())
}

/// Without it the plan that a person approved and the one that is applied could differ though nothing has moved.
#[test]
fn plans_are_deterministic_and_survive_being_saved() {
    check("plans_are_deterministic_and_survive_being_saved", SAMPLE, &["changes"], &world(), states, |world, seen| {
        let (wanted, live) = world.states();
        let (same_wish, mut same_world) = world.states();
        // AWS lists in any order.
        same_world.orphan_stacks.reverse();
        if let Ok(orphans) = &mut same_world.orphan_secrets {
            orphans.reverse();
        }
        for purpose in purposes() {
            let plan = make_plan(&wanted, &live, whole(purpose));
            same_plan(&plan, &make_plan(&wanted, &live, whole(purpose)))?;
            let set = |plan: &Plan| -> BTreeSet<String> {
                plan.changes
                    .iter()
                    .map(|change| {
                        format!(
                            "{} {:?} {:?} {:?} {}",
                            change.address, change.action, change.fields, change.effects, change.blocked
                        )
                    })
                    .collect()
            };
            prop_assert_eq!(set(&plan), set(&make_plan(&same_wish, &same_world, whole(purpose))));
            let saved = serde_json::to_string(&plan).expect("plans can be written");
            let read: Plan = serde_json::from_str(&saved).expect("plans can be read");
            same_plan(&plan, &read)?;
            seen.add("changes", plan.changes.len());
            let confirmed = fresh::confirm(&read, &plan)
                .map_err(|stale| TestCaseError::fail(format!("nothing moved: {stale:?}")))?;
            prop_assert_eq!(
                confirmed.plan.changes.iter().map(|change| &change.address).collect::<Vec<_>>(),
                plan.runnable().map(|change| &change.address).collect::<Vec<_>>()
            );
            prop_assert_eq!((confirmed.done, confirmed.beside.len()), (0, 0));
            for change in plan.changes.iter().filter(|change| change.blocked) {
                prop_assert!(confirmed.left_out.contains(&change.address), "{} is not left out", change.address);
            }
        }
        Ok(())
    });
}

/// Without it a saved plan whose apply was killed half way would be refused by its own work, or lose a part of it.
#[test]
fn a_saved_plan_goes_on_after_any_step() {
    let case = (world(), dice(120));
    let expected = ["applies that went on", "applies that began again"];
    check(
        "a_saved_plan_goes_on_after_any_step",
        SAMPLE,
        &expected,
        &case,
        |(world, _)| states(world),
        |(world, choices), seen| {
            let (wanted, live) = world.states();
            for purpose in purposes() {
                let plan = make_plan(&wanted, &live, whole(purpose));
                let steps = order(&plan, &wanted);
                let mut throws = choices.throws();
                let cut = throws.below(steps.len() + 1);
                let mut order = drawn(&steps, &mut throws);
                order.truncate(cut);
                let half = applied(&steps, &order, &plan, &wanted, &live)?;
                let now = make_plan(&wanted, &half, whole(purpose));
                let confirmed = match fresh::confirm(&plan, &now) {
                    Ok(confirmed) => confirmed,
                    // Who can't list orphans can't know that one is gone, and says so.
                    Err(stale)
                        if live.orphan_secrets.is_err()
                            && stale.iter().all(|one| one.kind == StaleKind::Problem(ProblemKind::PruningRefused)) =>
                    {
                        seen.add("refusals of what can't be listed", 1);
                        continue;
                    }
                    Err(stale) => return Err(TestCaseError::fail(format!("after {order:?} of {steps:?}: {stale:?}"))),
                };
                let after = applied_in_order(&confirmed.plan, &wanted, &half)?;
                let again = make_plan(&wanted, &after, whole(purpose));
                let left: Vec<&Change> = again.runnable().collect();
                prop_assert!(left.is_empty(), "after {:?} of {:?}: {:#?}", order, steps, left);
                seen.add(if order.is_empty() { "applies that began again" } else { "applies that went on" }, 1);
            }
            Ok(())
        },
    );
}
