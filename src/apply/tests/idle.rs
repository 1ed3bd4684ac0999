//! Code and the rotations that it would come in the middle of: how long is waited for what.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fake::{Fake, State, fresh};
use super::{Run, SECRET, desired, fixtures, live, statement};
use crate::apply::{Event, Outcome, Report};
use crate::model::live::{LiveSecret, Reading};
use crate::model::{RotationRules, Schedule};
use crate::plan::StepKind;

/// How long the fixtures' function may run, twice.
const BOUND: Duration = Duration::from_secs(6);

/// An apply that replaces the code of a function with which a secret rotates.
pub(super) fn replaces(secret: LiveSecret, age: Option<Duration>) -> (Run, State) {
    let (mut run, mut state) = (Run::new(desired(), live()), State::default());
    fixtures::live_configuration(&mut run.live).code_sha256 = "other".to_owned();
    fixtures::live_configuration(&mut run.live).settings.timeout = Some(3);
    super::wanted(&mut run.desired).settings.timeout = None;
    let wanted = &mut run.desired.secrets.get_mut("s").expect("built above").rotation;
    (wanted.enabled, wanted.rules) = (secret.rotation_enabled, secret.rules.clone());
    run.live.secrets.insert("s".to_owned(), Reading::Found(secret.clone()));
    let before = fixtures::live_configuration(&mut run.live).clone();
    state.functions = BTreeMap::from([("f".to_owned(), before), (super::arn("f"), fresh("f"))]);
    state.secrets = BTreeMap::from([(SECRET.to_owned(), secret)]);
    state.statements = vec![statement()];
    state.age = age;
    (run, state)
}

/// What came of it: its report, its warnings, and how long it took.
async fn replaced((run, state): (Run, State)) -> (Report, Vec<String>, Duration) {
    let began = tokio::time::Instant::now();
    let (report, events) = run.watched(&Fake::new(state)).await;
    let warned = events.into_iter().filter_map(|event| match event {
        Event::Warned { text, .. } => Some(text),
        _ => None,
    });
    (report, warned.collect(), began.elapsed())
}

pub(super) fn code(report: &Report) -> &Outcome {
    let at = report.steps.iter().position(|step| step.kind == StepKind::Code).expect("the code is replaced");
    &report.outcomes[at]
}

/// A secret that rotates within so many seconds, in a window of three hours.
fn rotates_within(seconds: i64) -> LiveSecret {
    let rules = RotationRules::new(Schedule::Expression("cron(0 2 ? * SUN *)".to_owned()), Some(3));
    LiveSecret { rotates_within: Some(seconds), rules: Some(rules), ..fixtures::secret() }
}

fn pending() -> LiveSecret {
    LiveSecret { pending_version: Some("v9".to_owned()), ..fixtures::secret() }
}

/// Without it, new code would meet a value that the old code had only half set; or an apply would wait for hours.
#[tokio::test(start_paused = true)]
async fn code_waits_for_a_rotation_and_for_a_window_within_bounds() {
    let (report, warned, took) = replaced(replaces(pending(), Some(Duration::from_secs(1)))).await;
    assert!(matches!(code(&report), Outcome::Applied { .. }), "{report:?}");
    assert!(took >= BOUND && took < BOUND * 2, "{took:?}");
    assert!(warned[0].contains("in the middle of a rotation: that of s hasn't ended"), "{warned:?}");

    let (report, warned, took) = replaced(replaces(rotates_within(3_600), None)).await;
    assert!(matches!(code(&report), Outcome::Applied { .. }), "{report:?}");
    assert!(took >= BOUND && took < BOUND * 2, "a window of hours is no reason to wait for hours: {took:?}");
    assert!(warned[0].contains("while the window of s is open"), "{warned:?}");
}

/// Without it, every upload would cost a wait that no rotation asks for, and a mended function would wait for the rotation that it mends.
#[tokio::test(start_paused = true)]
async fn nothing_waits_for_what_is_far_away_or_stuck() {
    let stuck = LiveSecret { pending_version: Some("v9".to_owned()), ..rotates_within(3_600) };
    let off = LiveSecret { rotation_enabled: Some(false), ..rotates_within(3_600) };
    for (what, secret, age) in [
        ("its window opens in two hours", rotates_within(5 * 3_600), None),
        ("its window has passed", rotates_within(-60), None),
        ("it is stuck", stuck, Some(Duration::from_hours(2))),
        ("its rotation is off", off, None),
    ] {
        let (report, warned, took) = replaced(replaces(secret, age)).await;
        assert!(matches!(code(&report), Outcome::Applied { .. }), "{what}: {report:?}");
        assert!(warned.is_empty() && took < Duration::from_secs(1), "{what}: {warned:?} {took:?}");
    }
    let (mut run, state) = replaces(rotates_within(3_600), None);
    run.options.wait_before_code = false;
    let (_, warned, took) = replaced((run, state)).await;
    assert!(warned.is_empty() && took < Duration::from_secs(1), "`--now`: {warned:?} {took:?}");
}

/// Without it, a person who ends an apply would wait for it as long as the function may run, twice, and the code be replaced all the same.
#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_before_the_code() {
    let (mut run, state) = replaces(rotates_within(3_600), None);
    run.interrupt_at = Some(StepKind::Code);
    let fake = Fake::new(state);
    let began = tokio::time::Instant::now();
    let (report, _) = run.watched(&fake).await;
    assert_eq!(code(&report), &Outcome::NotAttempted { because: None });
    assert!(began.elapsed() < Duration::from_secs(1) && report.interrupted);
    assert!(!fake.calls().iter().any(|call| call.starts_with("update_code")), "{:?}", fake.calls());
}

/// Without it, a handler that moves with its code would be waited for twice, and the function be half replaced in between.
#[tokio::test(start_paused = true)]
async fn a_function_waits_once_for_all_that_changes() {
    let (mut run, state) = replaces(rotates_within(3_600), None);
    let layer = "arn:aws:lambda:eu-west-1:111111111111:layer:extra:1".to_owned();
    super::wanted(&mut run.desired).settings.layers = Some(vec![layer]);
    let (report, warned, took) = replaced((run, state)).await;
    assert!(report.steps.iter().any(|step| step.kind == StepKind::Configuration), "{report:?}");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(took >= BOUND && took < BOUND * 2, "{took:?}");
}
