//! Properties of plans over generated states.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::fixtures::{self, arn, days, desired, empty_live, live, statement};
use super::{Action, Effect, Plan, Purpose, Scope, StepKind, diff, order};
use crate::model::live::{LiveFunction, LiveSecret, Reading};
use crate::model::{Desired, FunctionSource, Live, Rotation};

/// What a generated function is like on AWS, against what is wanted.
#[derive(Debug, Clone, Copy)]
struct FunctionCase {
    there: bool,
    timeout_drifts: bool,
    code_drifts: bool,
    permitted: bool,
    tagged: bool,
    busy: bool,
}

/// What a generated secret wants, and what it is.
#[derive(Debug, Clone, Copy)]
struct SecretCase {
    function: usize,
    wants: Option<bool>,
    immediately: Option<bool>,
    is_on: bool,
    rotates_with: usize,
    days: u16,
    has_value: bool,
    stuck: bool,
    missing: bool,
}

fn function_case() -> impl Strategy<Value = FunctionCase> {
    let mostly = |yes| prop::bool::weighted(yes);
    (any::<bool>(), any::<bool>(), any::<bool>(), mostly(0.7), mostly(0.8), mostly(0.1)).prop_map(
        |(there, timeout_drifts, code_drifts, permitted, tagged, busy)| FunctionCase {
            there,
            timeout_drifts,
            code_drifts,
            permitted,
            tagged,
            busy,
        },
    )
}

fn secret_case(functions: usize) -> impl Strategy<Value = SecretCase> {
    let rarely = prop::bool::weighted(0.1);
    (
        (0..functions, any::<Option<bool>>(), any::<Option<bool>>(), any::<bool>(), 0..=functions),
        (1_u16..4, prop::bool::weighted(0.9), rarely, rarely),
    )
        .prop_map(|((function, wants, immediately, is_on, rotates_with), (days, has_value, stuck, missing))| {
            SecretCase { function, wants, immediately, is_on, rotates_with, days, has_value, stuck, missing }
        })
}

fn world() -> impl Strategy<Value = (Vec<FunctionCase>, Vec<SecretCase>)> {
    prop::collection::vec(function_case(), 1..4).prop_flat_map(|functions| {
        let number = functions.len();
        (Just(functions), prop::collection::vec(secret_case(number), 0..6))
    })
}

fn wanted_and_live(functions: &[FunctionCase], secrets: &[SecretCase]) -> (Desired, Live) {
    let (mut wanted, mut now) = (desired(), live());
    let (function, secret) = (wanted.functions["f"].clone(), wanted.secrets["s"].clone());
    let standing = now.functions["f"].clone();
    let absent = empty_live().functions["f"].clone();
    wanted.functions.clear();
    wanted.secrets.clear();
    now.functions.clear();
    now.secrets.clear();
    for (index, case) in functions.iter().enumerate() {
        let name = format!("f{index}");
        let mut one = function.clone();
        one.name.clone_from(&name);
        if let FunctionSource::Deployed(deployment) = &mut one.source {
            deployment.stack.clone_from(&name);
        }
        wanted.functions.insert(name.clone(), one);
        now.functions.insert(name.clone(), live_function(*case, &name, &standing, &absent));
    }
    for (index, case) in secrets.iter().enumerate() {
        let name = format!("s{index}");
        let mut one = secret.clone();
        one.name.clone_from(&name);
        one.function = Some(format!("f{}", case.function));
        let rules = (case.wants != Some(false)).then(|| days(30));
        one.rotation = Rotation { enabled: case.wants, rules, rotate_immediately: case.immediately };
        wanted.secrets.insert(name.clone(), one);
        let found = LiveSecret {
            arn: format!("arn:{name}"),
            name: name.clone(),
            rotation_enabled: Some(case.is_on),
            function_arn: Some(arn(&format!("f{}", case.rotates_with))),
            rules: Some(days(29 + case.days)),
            current_version: case.has_value.then(|| "v1".to_owned()),
            pending_version: case.stuck.then(|| "v2".to_owned()),
            ..fixtures::secret()
        };
        now.secrets.insert(name, if case.missing { Reading::Absent } else { Reading::Found(found) });
    }
    (wanted, now)
}

fn live_function(case: FunctionCase, name: &str, standing: &LiveFunction, absent: &LiveFunction) -> LiveFunction {
    if !case.there {
        return absent.clone();
    }
    let mut one = standing.clone();
    if let Reading::Found(stack) = &mut one.stack {
        stack.name = format!("serverlessrepo-{name}");
        stack.id = format!("arn:stack/{name}");
        stack.function = Some(name.to_owned());
        if !case.tagged {
            stack.tags.remove(crate::model::PROJECT_TAG);
        }
        if case.busy {
            "UPDATE_IN_PROGRESS".clone_into(&mut stack.status);
        }
    }
    if let Reading::Found(configuration) = &mut one.configuration {
        configuration.name = name.to_owned();
        configuration.arn = arn(name);
        if case.timeout_drifts {
            configuration.timeout = 7;
        }
        if case.code_drifts {
            "other".clone_into(&mut configuration.code_sha256);
        }
    }
    one.policy = if case.permitted { Reading::Found(vec![statement()]) } else { Reading::Absent };
    one
}

/// The live state after an apply of all runnable changes, as AWS would show it.
fn applied(plan: &Plan, wanted: &Desired, now: &Live) -> Live {
    let mut after = now.clone();
    let perfect = FunctionCase {
        there: true,
        timeout_drifts: false,
        code_drifts: false,
        permitted: true,
        tagged: true,
        busy: false,
    };
    let (standing, absent) = (live().functions["f"].clone(), empty_live().functions["f"].clone());
    for change in plan.runnable() {
        let handle = &change.address.handle;
        if wanted.functions.contains_key(handle) {
            after.functions.insert(handle.clone(), live_function(perfect, handle, &standing, &absent));
        }
        let Some(Reading::Found(secret)) = after.secrets.get_mut(handle) else { continue };
        match &change.action {
            Action::DisableRotation => secret.rotation_enabled = Some(false),
            action => {
                let Some(request) = action.rotate_secret() else { continue };
                secret.rotation_enabled = Some(true);
                secret.function_arn = request.function_arn.clone().or(secret.function_arn.take());
                secret.rules = request.rules.clone().or(secret.rules.take());
            }
        }
    }
    after
}

fn scope(destroy: bool, prune: bool) -> Scope {
    let purpose = if destroy { Purpose::Destroy } else { Purpose::Converge { prune } };
    Scope { purpose, partial: false }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without it a second plan would find work again: what can be done is done after one apply.
    #[test]
    fn a_second_plan_has_nothing_to_do((functions, secrets) in world()) {
        let (wanted, now) = wanted_and_live(&functions, &secrets);
        let plan = diff(&wanted, &now, scope(false, false));
        let after = applied(&plan, &wanted, &now);
        let again = diff(&wanted, &after, scope(false, false));
        prop_assert_eq!(again.runnable().collect::<Vec<_>>(), Vec::<&super::Change>::new());
        if !plan.has_errors() {
            prop_assert!(again.is_empty());
        }
    }

    /// Without it a step could run before what it needs, twice, or not at all.
    #[test]
    fn steps_come_after_what_they_wait_for((functions, secrets) in world(), destroy in any::<bool>()) {
        let (wanted, now) = wanted_and_live(&functions, &secrets);
        let plan = diff(&wanted, &now, scope(destroy, false));
        let steps = order(&plan, &wanted);
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
        // What a change waits for is never left out, and its step comes first, directly or through others.
        for (change, step) in &carried_out {
            for before in &plan.changes[*change].after {
                let Some(needed) = carried_out.get(before) else {
                    return Err(TestCaseError::fail("a runnable change waits for a blocked one"));
                };
                prop_assert!(reaches(&steps, *step, *needed));
            }
        }
        // A secret rotates after everything that is done to its function, restoring included.
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.kind == StepKind::Rotation) {
            let function = wanted.secrets[&step.address.handle].function.clone().unwrap_or_default();
            for (other, _) in steps.iter().enumerate().filter(|(_, other)| other.address.handle == function) {
                prop_assert!(reaches(&steps, index, other));
            }
        }
    }

    /// Without it a plan could hide that a secret rotates, or cry wolf.
    #[test]
    fn effects_say_what_the_requests_do((functions, secrets) in world(), destroy in any::<bool>()) {
        let (wanted, now) = wanted_and_live(&functions, &secrets);
        let plan = diff(&wanted, &now, scope(destroy, false));
        for change in &plan.changes {
            let has = |effect| change.effects.contains(&effect);
            let request = change.action.rotate_secret();
            prop_assert_eq!(has(Effect::RotatesNow), request.is_some_and(|request| request.rotate_immediately));
            prop_assert_eq!(has(Effect::TestsNow), request.is_some_and(|request| !request.rotate_immediately));
            prop_assert_eq!(has(Effect::StopsRotation), change.action == Action::DisableRotation);
            prop_assert_eq!(has(Effect::OpensPermission), matches!(change.action, Action::AddPermission { .. }));
            let deletes = matches!(change.action, Action::DeleteStack { .. } | Action::DeployStack { replaces: Some(_), .. });
            prop_assert_eq!(has(Effect::Deletes), deletes);
            prop_assert!(!change.fields.is_empty(), "a change says what changes");
            prop_assert!(change.fields.iter().all(|field| field.before != field.after), "{:?}", change.fields);
        }
    }

    /// Without it a removal would leave something behind that the project owns, or go on for ever.
    #[test]
    fn a_removal_stops_all_and_deletes_what_is_ours((functions, secrets) in world()) {
        let (wanted, now) = wanted_and_live(&functions, &secrets);
        let plan = diff(&wanted, &now, scope(true, false));
        let deleted = |name: &str| plan.runnable().any(|change| {
            matches!(change.action, Action::DeleteStack { .. }) && change.address.handle == name
        });
        for (index, case) in functions.iter().enumerate() {
            prop_assert_eq!(deleted(&format!("f{index}")), case.there && case.tagged && !case.busy);
        }
    }
}

/// Whether a step waits for another, directly or through others.
fn reaches(steps: &[super::Step], from: usize, to: usize) -> bool {
    from == to || steps[from].after.iter().any(|before| reaches(steps, *before, to))
}
