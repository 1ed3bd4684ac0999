//! How tests and rotations end: what the log says of them, and how long it is listened to.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::fake::{Fake, NOW, State, fresh};
use super::{Run, SECRET, arn, desired, fixtures, live, rotation_only, stages};
use crate::apply::{Moved, Outcome, Outlook, Report, Unknown};
use crate::aws::ErrorKind;
use crate::model::LogEvent;
use crate::model::Verify;
use crate::model::live::{Configuration, LiveSecret, Reading};
use crate::model::trouble::RotationStep;
use crate::plan::verdict::Unproved;

const START: &str = "START RequestId: r1 Version: $LATEST\n";
const REPORT: &str = "REPORT RequestId: r1\tDuration: 1.00 ms\n";
const RAISED: &str = "[ERROR] RuntimeError: the API said 401\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 2, in h\n";

fn log(messages: &[&str]) -> Vec<LogEvent> {
    let event = |message: &&str| LogEvent { stream: "a".to_owned(), at: NOW + 100, message: (*message).to_owned() };
    messages.iter().map(event).collect()
}

/// An apply that sends one request, of a test or a rotation, and an AWS where it ends at the second look.
fn asks(rotates: bool, log: Vec<LogEvent>) -> (Run, State) {
    let (mut run, mut state) = rotation_only();
    run.desired.secrets.get_mut("s").expect("built above").rotation.rotate_immediately = Some(rotates);
    state.functions.insert(arn("f"), fresh("f"));
    state.progress = stages(&[&["AWSPENDING"], &[]]);
    state.log = log;
    (run, state)
}

async fn ended((run, state): (Run, State)) -> (Report, Duration) {
    let began = tokio::time::Instant::now();
    (run.on(&Fake::new(state)).await, began.elapsed())
}

/// Without it, a function that fails would be attached with "complete", and be noticed when its secret is needed.
#[tokio::test(start_paused = true)]
async fn a_test_ends_as_the_log_says() {
    let (report, took) = ended(asks(false, log(&[START, RAISED, REPORT]))).await;
    let Outcome::TestFailed(test) = &report.outcomes[1] else { panic!("{report:?}") };
    let error = test.trouble.error.as_ref().expect("an error");
    assert_eq!((error.name.as_str(), error.words.as_deref()), ("RuntimeError", Some("the API said 401")));
    assert_eq!((test.function.as_str(), test.log_group.as_str()), ("f", "/aws/lambda/f"));
    assert!(report.has_unfinished() && !report.has_failed() && took < Duration::from_secs(10), "{took:?}");

    let (report, took) = ended(asks(false, log(&[START, REPORT]))).await;
    assert!(matches!(report.outcomes[1], Outcome::Applied { .. }), "{report:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Without it, silence would be taken for success; or an apply would wait for words that can't come.
#[tokio::test(start_paused = true)]
async fn what_the_log_does_not_say_is_unverified() {
    let why = |report: &Report| match &report.outcomes[1] {
        Outcome::Unverified(test) => test.why.clone(),
        other => panic!("{other:?}"),
    };
    let (report, took) = ended(asks(false, Vec::new())).await;
    assert_eq!(why(&report), Unknown::Unproved(Unproved::Silent));
    assert!(took >= Duration::from_secs(20) && took < Duration::from_mins(1), "its words may be late: {took:?}");
    assert!(report.unverified() == 1 && !report.has_unfinished());

    let (report, took) = ended(asks(false, log(&[START]))).await;
    assert_eq!(why(&report), Unknown::Unproved(Unproved::NoEnd));
    assert!(took >= Duration::from_mins(1) && took < Duration::from_mins(2), "{took:?}");

    for call in ["log", "get_configuration"] {
        let (run, mut state) = asks(false, log(&[START, REPORT]));
        state.refusals.insert(call, VecDeque::from(vec![ErrorKind::Denied; 100]));
        let (report, took) = ended((run, state)).await;
        assert!(matches!(why(&report), Unknown::Unread(error) if error.kind == ErrorKind::Denied));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    let (run, mut state) = asks(false, log(&[START, REPORT]));
    state.functions.get_mut(&arn("f")).expect("built above").settings.runtime = Some("provided.al2023".to_owned());
    assert_eq!(why(&ended((run, state)).await.0), Unknown::Unproved(Unproved::Format));

    let (run, mut state) = asks(false, log(&[START, REPORT]));
    state.functions.get_mut(&arn("f")).expect("built above").log_group = Some("/all/functions".to_owned());
    assert_eq!(why(&ended((run, state)).await.0), Unknown::Unproved(Unproved::SharedGroup));
}

/// Without it, whoever waits for a rotation that fails would see `AWSPENDING` for ten minutes, and no reason at the end.
#[tokio::test(start_paused = true)]
async fn a_rotation_says_what_its_last_try_did() {
    let raised = format!("{RAISED}testSecret of {SECRET}\n");
    let failing = |goes_on: Option<bool>| {
        let (mut run, mut state) = asks(true, log(&[START, &raised, REPORT]));
        run.options.outlook = goes_on.map(|goes_on| Outlook::new(move |_, _| Box::pin(async move { goes_on })));
        state.progress = stages(&[&["AWSPENDING"]]);
        (run, state)
    };
    let (report, took) = ended(failing(None)).await;
    let Outcome::NotFinished(rest) = &report.outcomes[1] else { panic!("{report:?}") };
    let tries = rest.tries.as_ref().expect("the log was read");
    assert_eq!((tries.failed, rest.goes_on), (1, true));
    assert_eq!(tries.last.as_ref().and_then(|last| last.step), Some(RotationStep::Test));
    assert!(took >= Duration::from_mins(10), "AWS may try again: {took:?}");

    // Where it is known whether it is still tried, nobody waits for what won't come.
    let (report, took) = ended(failing(Some(false))).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if !rest.goes_on));
    assert!(took < Duration::from_secs(30), "{took:?}");
    let (report, _) = ended(failing(Some(true))).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if rest.goes_on));

    let (run, mut state) = failing(None);
    state.refusals.insert("log", VecDeque::from(vec![ErrorKind::Denied; 10_000]));
    let (report, _) = ended((run, state)).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if matches!(rest.tries, Err(Unknown::Unread(_)))));
}

/// An apply that changes nothing, and a secret whose rotation was begun before: so long ago as `age`.
fn stuck(age: Option<Duration>) -> (Run, State) {
    let pending = LiveSecret { pending_version: Some("v9".to_owned()), ..fixtures::secret() };
    let mut live = live();
    live.secrets.insert("s".to_owned(), Reading::Found(pending.clone()));
    let raised = format!("{RAISED}testSecret of v9\n");
    let state = State {
        secrets: BTreeMap::from([(SECRET.to_owned(), pending)]),
        functions: BTreeMap::from([(arn("f"), fresh("f"))]),
        progress: stages(&[&["AWSPENDING"]]),
        log: log(&[START, &raised, REPORT]),
        age,
        ..State::default()
    };
    (Run::new(desired(), live), state)
}

/// Without it, the same apply again would say that nothing differs, and end with 0, while the secret is stuck for ever.
#[tokio::test(start_paused = true)]
async fn what_was_begun_before_is_watched_too() {
    let rest = |report: &Report| match &report.outcomes[..] {
        [Outcome::NotFinished(rest)] => rest.clone(),
        other => panic!("{other:?}"),
    };
    let (report, took) = ended(stuck(Some(Duration::from_hours(30)))).await;
    let old = rest(&report);
    assert!(report.has_unfinished() && !old.goes_on && took < Duration::from_secs(5), "{took:?}");
    let tries = old.tries.expect("the log was read");
    assert_eq!((tries.failed, tries.last.and_then(|last| last.step)), (1, Some(RotationStep::Test)));

    let (report, took) = ended(stuck(Some(Duration::from_secs(30)))).await;
    assert!(rest(&report).goes_on && took >= Duration::from_mins(10), "it may go on: {took:?}");

    let (run, mut state) = stuck(Some(Duration::from_secs(30)));
    state.progress = stages(&[&["AWSPENDING"], &["AWSCURRENT"]]);
    let (report, _) = ended((run, state)).await;
    assert!(matches!(report.outcomes[..], [Outcome::Applied { .. }]), "{report:?}");

    // A sandbox says where it isn't tried any more.
    let (mut run, mut state) = stuck(Some(Duration::from_hours(30)));
    run.options.outlook = Some(Outlook::new(|_, _| Box::pin(async { false })));
    state.log.clear();
    let (report, took) = ended((run, state)).await;
    assert!(!rest(&report).goes_on && took < Duration::from_secs(15), "{took:?}");

    // Without waiting, nothing is looked at.
    let (mut run, state) = stuck(None);
    run.options.wait = false;
    assert_eq!(ended((run, state)).await.0.outcomes, [Outcome::Unchanged]);
}

/// Without it, a test would be taken for done, since nothing of the secret differs; or a second upload be no second test.
#[tokio::test(start_paused = true)]
async fn a_function_that_changes_is_tested() {
    let tested = |code: &str, revision: u32, log: Vec<LogEvent>| {
        let (mut desired, mut live) = (desired(), live());
        super::wanted(&mut desired).verify = Some(Verify::Any);
        fixtures::live_configuration(&mut live).code_sha256 = "other".to_owned();
        let secret = LiveSecret { rotates_within: Some(1_000_000), ..fixtures::secret() };
        live.secrets.insert("s".to_owned(), Reading::Found(secret.clone()));
        let before = Configuration { code_sha256: "other".to_owned(), ..fresh("f") };
        let function = Configuration { code_sha256: code.to_owned(), ..fresh("f") };
        let state = State {
            secrets: BTreeMap::from([(SECRET.to_owned(), secret)]),
            functions: BTreeMap::from([("f".to_owned(), before), (arn("f"), function)]),
            statements: vec![super::statement()],
            progress: stages(&[&["AWSPENDING"], &[]]),
            revision,
            log,
            ..State::default()
        };
        async move {
            let fake = Fake::new(state);
            let report = Run::new(desired, live).on(&fake).await;
            let token = fake.state().tokens.first().cloned().expect("a request");
            (report, token)
        }
    };
    let passes = || log(&[START, REPORT]);
    let (report, token) = tested("ours", 1, passes()).await;
    assert!(matches!(report.outcomes.last(), Some(Outcome::Applied { .. })), "{report:?}");
    assert_eq!(tested("ours", 1, passes()).await.1, token, "asked twice, it is one test");
    assert_ne!(tested("ours", 2, passes()).await.1, token);
    assert_ne!(tested("newer", 1, passes()).await.1, token);
    let (report, _) = tested("ours", 1, log(&[START, RAISED, REPORT])).await;
    let Some(Outcome::TestFailed(test)) = report.outcomes.last() else { panic!("{report:?}") };
    assert!(report.has_unfinished() && !report.has_failed());
    let replaced = test.replaced.as_ref().expect("its code was replaced");
    assert_eq!(
        (replaced.handle.as_str(), replaced.code.as_deref()),
        ("f", Some("other")),
        "what puts it back is known"
    );
}

/// Without it, a test that costs a secret its next rotation would do so unsaid; or a schedule that was changed be called moved by it.
#[tokio::test(start_paused = true)]
async fn a_next_rotation_that_a_test_moves_is_said() {
    let tests_only = |dates: (Option<i64>, Option<i64>)| {
        let (mut desired, mut live) = (desired(), live());
        super::wanted(&mut desired).verify = Some(Verify::Any);
        fixtures::live_configuration(&mut live).code_sha256 = "other".to_owned();
        let secret = LiveSecret { rotates_within: Some(1_000_000), ..fixtures::secret() };
        live.secrets.insert("s".to_owned(), Reading::Found(secret.clone()));
        let before = Configuration { code_sha256: "other".to_owned(), ..fresh("f") };
        let state = State {
            secrets: BTreeMap::from([(SECRET.to_owned(), secret)]),
            functions: BTreeMap::from([("f".to_owned(), before), (arn("f"), fresh("f"))]),
            statements: vec![super::statement()],
            progress: stages(&[&["AWSPENDING"], &[]]),
            dates,
            log: log(&[START, REPORT]),
            ..State::default()
        };
        (Run::new(desired, live), state)
    };
    let (report, _) = ended(tests_only((Some(1_000), Some(2_000)))).await;
    let moved: Vec<Moved> = report.moved.values().copied().collect();
    assert_eq!(moved, [Moved { before: 1_000, after: 2_000 }]);
    assert!(matches!(report.outcomes.last(), Some(Outcome::Applied { .. })), "{report:?}");
    for dates in [(Some(1_000), Some(1_000)), (None, Some(2_000)), (None, None)] {
        assert!(ended(tests_only(dates)).await.0.moved.is_empty(), "{dates:?}");
    }
    let (run, mut state) = asks(false, log(&[START, REPORT]));
    state.dates = (Some(1_000), Some(2_000));
    assert!(ended((run, state)).await.0.moved.is_empty(), "its schedule was changed by this very request");
}
