//! The test of a function that changes: asked for, and on which secret.

use super::*;
use crate::model::Verify;

/// The fixtures' function with other code, and secrets that rotate with it: each with its rules and how soon it rotates.
fn changed(secrets: &[(&str, RotationRules, Option<i64>)]) -> (Desired, Live) {
    let (mut desired, mut live) = (desired(), live());
    let (entry, secret) = (desired.secrets["s"].clone(), live_secret(&mut live).clone());
    desired.secrets.clear();
    live.secrets.clear();
    for (name, rules, rotates_within) in secrets {
        let mut wanted = entry.clone();
        wanted.name = (*name).to_owned();
        wanted.rotation.rules = Some(rules.clone());
        desired.secrets.insert((*name).to_owned(), wanted);
        let found = LiveSecret {
            name: (*name).to_owned(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:111111111111:secret:{name}-abcdef"),
            rules: Some(rules.clone()),
            rotates_within: *rotates_within,
            ..secret.clone()
        };
        live.secrets.insert((*name).to_owned(), Reading::Found(found));
    }
    live_configuration(&mut live).code_sha256 = "other".to_owned();
    (desired, live)
}

fn cron() -> RotationRules {
    RotationRules::new(Schedule::Expression("cron(0 2 ? * SUN *)".to_owned()), Some(3))
}

const DAYS: i64 = 86_400;

/// The secret that the function is tested on.
fn tested(desired: &Desired, live: &Live) -> Option<String> {
    let plan = make_plan(desired, live, CONVERGE);
    let test = plan.changes.iter().find(|change| matches!(change.action, Action::TestFunction(_)))?;
    assert_eq!(test.effects, [Effect::TestsNow].into());
    let after: Vec<&Action> = test.after.iter().map(|change| &plan.changes[*change].action).collect();
    assert!(after.contains(&&Action::UpdateCode), "{after:?}");
    let request = test.action.rotate_secret().expect("a request");
    assert_eq!((request.rotate_immediately, &request.function_arn, &request.rules), (false, &None, &None));
    Some(test.name.clone())
}

/// Without it, a test could get into the way of a rotation, or be asked of a secret that can't be tested; or broken code wait a month for
/// the first rotation to show it.
#[test]
fn a_function_that_changes_is_tested_where_that_is_asked_for() {
    let secrets = [("a", days(30), Some(9 * DAYS)), ("b", cron(), Some(9 * DAYS)), ("c", cron(), Some(9 * DAYS))];
    let (mut desired, mut live) = changed(&secrets);
    assert_eq!(tested(&desired, &live), None, "nobody asks for it");
    let plan = make_plan(&desired, &live, CONVERGE);
    assert!(plan.notes.iter().any(|note| note.kind == NoteKind::MeetsRotations { secrets: 3 }), "{:?}", plan.notes);

    wanted(&mut desired).verify = Some(Verify::Any);
    assert_eq!(tested(&desired, &live).as_deref(), Some("b"), "a schedule by cron() surely doesn't move");
    wanted(&mut desired).verify = Some(Verify::Secret("a".to_owned()));
    assert_eq!(tested(&desired, &live).as_deref(), Some("a"));
    wanted(&mut desired).verify = Some(Verify::Secret("nobody".to_owned()));
    assert_eq!(tested(&desired, &live), None);
    let plan = make_plan(&desired, &live, CONVERGE);
    assert!(plan.notes.iter().any(|note| note.kind == NoteKind::NotVerified), "{:?}", plan.notes);

    // Another request to the same function is a test already.
    wanted(&mut desired).verify = Some(Verify::Any);
    desired.secrets.get_mut("a").expect("built above").rotation.rules = Some(days(60));
    assert_eq!(tested(&desired, &live), None);
    desired.secrets.get_mut("a").expect("built above").rotation.rules = Some(days(30));

    // Where nothing changes, nothing is tested.
    live_configuration(&mut live).code_sha256 = "ours".to_owned();
    assert_eq!(tested(&desired, &live), None);
}

/// Without it, a secret in the middle of a rotation, or right before one, would be tested.
#[test]
fn a_test_gets_into_nobodys_way() {
    let with = |edit: fn(&mut LiveSecret)| {
        let (mut desired, mut live) = changed(&[("b", cron(), Some(9 * DAYS))]);
        wanted(&mut desired).verify = Some(Verify::Any);
        let Some(Reading::Found(secret)) = live.secrets.get_mut("b") else { panic!("built above") };
        edit(secret);
        tested(&desired, &live).is_some()
    };
    assert!(with(|_| ()));
    assert!(!with(|secret| secret.pending_version = Some("v9".to_owned())));
    assert!(!with(|secret| secret.rotation_enabled = Some(false)), "a test would switch it on");
    assert!(!with(|secret| secret.current_version = None));
    assert!(!with(|secret| secret.deleted = true));
    assert!(!with(|secret| secret.rotates_within = None));
    assert!(!with(|secret| secret.rotates_within = Some(3 * 3_600 + 3_000)), "its window opens in less than an hour");
    assert!(with(|secret| secret.rotates_within = Some(3 * 3_600 + 4_000)));
}
