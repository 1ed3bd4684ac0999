//! Old code before other code takes its place: kept once, said where it can't be, and in the way of nothing.

use std::collections::VecDeque;

use super::fake::Fake;
use super::idle::{code, replaces};
use super::{Run, fixtures};
use crate::apply::{Event, Outcome, Report};
use crate::aws::ErrorKind;
use crate::model::live::LiveSecret;

/// What came of an apply that replaces code: its report, its warnings, and the calls about versions and code.
async fn replaced(run: Run, fake: &Fake) -> (Report, Vec<String>, Vec<String>) {
    let (report, events) = run.watched(fake).await;
    let warned = events.into_iter().filter_map(|event| match event {
        Event::Warned { text, .. } => Some(text),
        _ => None,
    });
    let about =
        |call: &String| call.contains("version") && !call.contains("rotation") || call.starts_with("update_code");
    let calls = fake.state().calls.iter().filter(|call| about(call)).cloned().collect();
    (report, warned.collect(), calls)
}

fn kept(report: &Report) -> Vec<&str> {
    report.kept.values().map(|kept| kept.version.as_str()).collect()
}

/// Without it, the only copy of code that works could be gone once new code turns out to be broken; or each apply make a version more.
#[tokio::test(start_paused = true)]
async fn code_that_rotates_something_is_kept_once_before_it_is_replaced() {
    let (run, state) = replaces(fixtures::secret(), None);
    let fake = Fake::new(state);
    let (report, warned, calls) = replaced(run, &fake).await;
    assert!(matches!(code(&report), Outcome::Applied { .. }) && warned.is_empty(), "{report:?} {warned:?}");
    assert_eq!(calls, ["version_with f", "publish_version f", "update_code f"]);
    assert_eq!((kept(&report), &fake.state().versions), (vec!["1"], &vec!["other".to_owned()]));

    let (run, mut state) = replaces(fixtures::secret(), None);
    state.versions = vec!["older".to_owned(), "other".to_owned(), "newer".to_owned()];
    let (report, _, calls) = replaced(run, &Fake::new(state)).await;
    assert_eq!((kept(&report), calls), (vec!["2"], vec!["version_with f".to_owned(), "update_code f".to_owned()]));

    // Nothing rotates with it.
    let off = LiveSecret { rotation_enabled: Some(false), ..fixtures::secret() };
    let (run, state) = replaces(off, None);
    let (report, _, calls) = replaced(run, &Fake::new(state)).await;
    assert_eq!((kept(&report).len(), calls), (0, vec!["update_code f".to_owned()]));
}

/// Without it, a role without that right could mend no function any more, or the loss would be silent; or another's edit be lost.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_said_and_others_are_respected() {
    for (call, kind, keeps, says) in [
        ("publish_version", ErrorKind::Denied, 0, "`lambda:PublishVersion` isn't allowed"),
        ("publish_version", ErrorKind::Invalid, 0, "replaced all the same"),
        ("version_with", ErrorKind::Denied, 1, ""),
        ("publish_version", ErrorKind::Precondition, 1, ""),
    ] {
        let (run, mut state) = replaces(fixtures::secret(), None);
        state.refusals.insert(call, VecDeque::from([kind]));
        let (report, warned, calls) = replaced(run, &Fake::new(state)).await;
        assert!(matches!(code(&report), Outcome::Applied { .. }), "{call} {kind:?}: {report:?}");
        assert_eq!(kept(&report).len(), keeps, "{call} {kind:?}: {calls:?}");
        assert_eq!(calls.iter().filter(|call| call.starts_with("update_code")).count(), 1, "{calls:?}");
        assert!(if says.is_empty() { warned.is_empty() } else { warned[0].contains(says) }, "{warned:?}");
    }
    let (run, mut state) = replaces(fixtures::secret(), None);
    state.refusals.insert("publish_version", VecDeque::from([ErrorKind::ExpiredCredentials]));
    let (report, ..) = replaced(run, &Fake::new(state)).await;
    assert!(matches!(code(&report), Outcome::Failed(_)), "{report:?}");
}
