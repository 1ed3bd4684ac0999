//! Ways out of a rotation that is stuck.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::fake::{Fake, State, fresh};
use super::{Run, SECRET, arn, desired, fixtures, kinds, live, stages};
use crate::apply::{Outcome, Report};
use crate::aws::ErrorKind;
use crate::model::LogEvent;
use crate::model::live::{LiveSecret, Reading};
use crate::plan::pending::Pending;
use crate::plan::planner::{RepairRequest, plan_repair};
use crate::plan::{StepKind, Way};

/// A secret whose rotation is stuck since a day, and an AWS that promises another try of it.
fn stuck(log: Vec<LogEvent>, progress: &[&[&str]]) -> (Run, State) {
    let secret = LiveSecret { pending_version: Some("v9".to_owned()), ..fixtures::secret() };
    let mut live = live();
    live.secrets.insert("s".to_owned(), Reading::Found(secret.clone()));
    let now = super::fake::NOW;
    let known = Pending { now, since: Some(now - 86_400), timeout: Some(3), tested: Some(false), ..Pending::default() };
    let pending = BTreeMap::from([(SECRET.to_owned(), known)]);
    let request = RepairRequest { way: Way::Retry, confirmed: None, pending: &pending, label: "label" };
    let mut run = Run::new(desired(), live);
    run.given = Some(plan_repair(&run.desired, &run.live, request));
    let state = State {
        secrets: BTreeMap::from([(SECRET.to_owned(), secret)]),
        functions: BTreeMap::from([(arn("f"), fresh("f"))]),
        refusals: BTreeMap::from([("rotate_secret", VecDeque::from([ErrorKind::Unfinished]))]),
        progress: stages(progress),
        log,
        ..State::default()
    };
    (run, state)
}

async fn ended((run, state): (Run, State)) -> (Report, Vec<String>, Duration) {
    let (fake, began) = (Fake::new(state), tokio::time::Instant::now());
    let report = run.on(&fake).await;
    (report, fake.state().tokens.clone(), began.elapsed())
}

/// Without it, people would wait ten minutes for a try that Secrets Manager promised and doesn't make; or be told so while it works.
#[tokio::test(start_paused = true)]
async fn a_try_that_does_not_come_within_five_minutes_is_said() {
    let (report, tokens, took) = ended(stuck(Vec::new(), &[&["AWSPENDING"]])).await;
    assert_eq!(kinds(&report), [(StepKind::Repair, "applied"), (StepKind::Watch, "not finished")]);
    assert_eq!(tokens, ["v9"], "by its own token: no other rotation may begin");
    let Outcome::NotFinished(rest) = &report.outcomes[1] else { panic!("{report:?}") };
    assert!(rest.silent && !rest.goes_on && report.has_unfinished());
    assert!((Duration::from_mins(5)..Duration::from_mins(6)).contains(&took), "{took:?}");

    // One that comes and fails is watched as long as any other.
    let event = |message: &str| LogEvent {
        stream: "a".to_owned(),
        at: super::fake::NOW * 1000 + 1,
        message: message.to_owned(),
    };
    let said = [
        "START RequestId: r1 Version: $LATEST\n".to_owned(),
        format!("[ERROR] RuntimeError: no\n{SECRET}\n"),
        "REPORT RequestId: r1\tDuration: 1.00 ms\n".to_owned(),
    ];
    let log = said.iter().map(|message| event(message)).collect();
    let (report, _, took) = ended(stuck(log, &[&["AWSPENDING"]])).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if !rest.silent), "{report:?}");
    assert!(took >= Duration::from_mins(10), "{took:?}");

    // And one that ends well is done.
    let (report, ..) = ended(stuck(Vec::new(), &[&["AWSPENDING"], &["AWSPENDING"], &["AWSCURRENT"]])).await;
    assert_eq!(kinds(&report), [(StepKind::Repair, "applied"), (StepKind::Watch, "applied")]);
}

/// Without it, a log that can't be read would be taken for one that is silent.
#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_not_silent() {
    let (run, mut state) = stuck(Vec::new(), &[&["AWSPENDING"]]);
    state.refusals.insert("log", VecDeque::from(vec![ErrorKind::Denied; 10_000]));
    let (report, _, took) = ended((run, state)).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if !rest.silent), "{report:?}");
    assert!(took >= Duration::from_mins(10), "{took:?}");
}
