//! The applier against a scripted AWS, with paused time: waits pass at once, in their order.

mod changes;
mod ends;
mod fake;
mod idle;
mod keep;
mod refused;
mod repair;
mod times;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Context, EDITS, Event, Failure, Interrupt, Logs, Observer, Options, Outcome, Report, run};
use crate::aws::ErrorKind;
use crate::aws::execute::ResourceChange;
use crate::model::live::{LiveSecret, OrphanSecret, Reading, Statement};
use crate::model::{Desired, FunctionSource, Live, Sensitive};
use crate::plan::fixtures::{self, arn, desired, empty_live, live, orphaned, stack, statement, wanted};
use crate::plan::{Plan, PlanOptions, Purpose, StepKind, make_plan, order};
use fake::{Fake, State, fresh};

const CONVERGE: PlanOptions = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
const PRUNE: PlanOptions = PlanOptions { purpose: Purpose::Converge { prune: true }, partial: false };
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:s-abcdef";

/// Pulls the interrupt when a step of a kind begins, if one is given.
struct Puller {
    at: Option<usize>,
    pull: tokio::sync::watch::Sender<bool>,
    events: Mutex<Vec<Event>>,
}

impl Observer for Puller {
    fn event(&self, event: &Event) {
        if let (Event::Started { step }, Some(at)) = (event, self.at)
            && *step == at
        {
            let _ = self.pull.send(true);
        }
        if let Ok(mut events) = self.events.lock() {
            events.push(event.clone());
        }
    }
}

/// One apply.
struct Run {
    desired: Desired,
    live: Live,
    scope: PlanOptions,
    options: Options,
    interrupt_at: Option<StepKind>,
    /// The plan, where it isn't one to converge.
    given: Option<Plan>,
}

impl Run {
    fn new(desired: Desired, live: Live) -> Self {
        Self { desired, live, scope: CONVERGE, options: Options::default(), interrupt_at: None, given: None }
    }

    fn plan(&self) -> Plan {
        self.given.clone().unwrap_or_else(|| make_plan(&self.desired, &self.live, self.scope))
    }

    async fn on(&self, fake: &Fake) -> Report {
        self.watched(fake).await.0
    }

    /// With what happened.
    async fn watched(&self, fake: &Fake) -> (Report, Vec<Event>) {
        let plan = self.plan();
        let steps = order(&plan, &self.desired);
        let (pull, interrupt) = Interrupt::new();
        let at = self.interrupt_at.and_then(|kind| steps.iter().position(|step| step.kind == kind));
        let observer = Puller { at, pull, events: Mutex::default() };
        let packages = self.desired.functions.keys().map(|handle| (handle.clone(), Arc::from([1]))).collect();
        let context = Context {
            executor: fake,
            desired: &self.desired,
            live: &self.live,
            plan: &plan,
            beside: &[],
            packages: &packages,
            options: &self.options,
            observer: &observer,
            sent: Mutex::default(),
            logs: Logs::default(),
            moved: Mutex::default(),
            left: Mutex::default(),
            made: Mutex::default(),
            waited: Mutex::default(),
            kept: Mutex::default(),
        };
        let report = run(&context, steps, &interrupt).await;
        let events = observer.events.lock().map(|events| events.clone()).unwrap_or_default();
        (report, events)
    }
}

/// The secret before it was configured.
fn untouched() -> LiveSecret {
    LiveSecret { rotation_enabled: None, function_arn: None, rules: None, ..fixtures::secret() }
}

/// An AWS that has the secret and nothing else.
fn nothing_there() -> State {
    State { secrets: BTreeMap::from([(SECRET.to_owned(), untouched())]), ..State::default() }
}

/// An AWS whose function has drifted: its time-out, and a variable of somebody else's.
fn drifted() -> (Run, State) {
    let mut live = live();
    fixtures::live_configuration(&mut live).settings.timeout = Some(3);
    let mut function = fresh("f");
    function.code_sha256 = "ours".to_owned();
    if let Ok(variables) = &mut function.environment {
        variables.insert("URL".to_owned(), Sensitive::new("https://a"));
    }
    let functions = BTreeMap::from([("f".to_owned(), function)]);
    (Run::new(desired(), live), State { functions, ..State::default() })
}

fn kinds(report: &Report) -> Vec<(StepKind, &'static str)> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Unchanged => "unchanged",
        Outcome::NotFinished(_) => "not finished",
        Outcome::TestFailed(_) => "test failed",
        Outcome::Unverified(_) => "unverified",
        Outcome::Failed(_) => "failed",
        Outcome::NotAttempted { .. } => "not attempted",
    };
    report.steps.iter().zip(&report.outcomes).map(|(step, outcome)| (step.kind, word(outcome))).collect()
}

fn failure(report: &Report) -> &Failure {
    let failed = report.outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Failed(failure) => Some(failure),
        _ => None,
    });
    failed.expect("a step failed")
}

/// Without it a permission could come after the rotation that needs it, or code before the function is there.
#[tokio::test(start_paused = true)]
async fn a_first_deployment_follows_the_guide() {
    let fake = Fake::new(nothing_there());
    let report = Run::new(desired(), empty_live()).on(&fake).await;
    assert!(!report.has_failed(), "{:?}", report.outcomes);
    assert_eq!(
        fake.calls(),
        [
            "create_change_set f",
            "execute_change_set f",
            "update_configuration f",
            "update_code f",
            "add_permission f",
            &format!("rotate_secret {SECRET}"),
        ]
    );
    let state = fake.state();
    assert_eq!(state.change_sets[0].tags, BTreeMap::from([("rotator:project".to_owned(), "p".to_owned())]));
    assert_eq!(state.change_sets[0].capabilities, ["CAPABILITY_IAM"]);
    assert!(state.calls.iter().any(|call| call.starts_with("rotation_progress")), "the rotation was watched");
}

fn parameter_update() -> (Run, State) {
    let mut desired = desired();
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("k"));
    let (_, mut state) = drifted();
    state.functions.get_mut("f").expect("built above").settings.timeout = Some(30);
    state.stack_id = Some(stack().id);
    state.stacks.insert(stack().id, VecDeque::from(["CREATE_COMPLETE".to_owned()]));
    (Run::new(desired, live()), state)
}

/// Without it a re-applied stack would fail, as with the best-known peer.
#[tokio::test(start_paused = true)]
async fn a_change_set_without_changes_is_done() {
    let (run, mut state) = parameter_update();
    state.change_set = Some(("FAILED".to_owned(), "The submitted information didn't contain changes.".to_owned()));
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert_eq!(
        kinds(&report),
        [(StepKind::Stack, "unchanged"), (StepKind::Configuration, "unchanged"), (StepKind::Code, "unchanged")]
    );
    assert_eq!(fake.calls(), ["create_change_set f", "delete_change_set f"]);
}

/// Without it a failed try would leave a change set and an empty stack behind, or the clean-up would hide the reason.
#[tokio::test(start_paused = true)]
async fn a_failed_change_set_is_cleared_away() {
    for refuse_clean_up in [false, true] {
        let mut state = nothing_there();
        state.change_set = Some(("FAILED".to_owned(), "no such parameter".to_owned()));
        if refuse_clean_up {
            state.refusals.insert("delete_change_set", VecDeque::from([ErrorKind::Denied]));
        }
        let fake = Fake::new(state);
        let report = Run::new(desired(), empty_live()).on(&fake).await;
        let Failure::ChangeSet { reason, left, .. } = failure(&report) else { panic!("{report:?}") };
        assert_eq!((reason.as_str(), left.is_some()), ("no such parameter", refuse_clean_up));
        let expected: &[&str] = &["create_change_set f", "delete_change_set f", "delete_stack stack:f"];
        assert_eq!(fake.calls(), expected[..if refuse_clean_up { 2 } else { 3 }]);
        assert!(kinds(&report)[1..].iter().all(|(_, word)| *word == "not attempted"));
    }
}

/// Without it a change that the plan didn't show could take the function away from its secrets.
#[tokio::test(start_paused = true)]
async fn a_replacement_of_the_function_is_refused() {
    for (change, replacement, policy, mode, does) in [
        ("Modify", Some("True"), None, None, "replace"),
        ("Modify", Some("Conditional"), None, None, "replace"),
        ("Modify", Some("False"), Some("ReplaceAndDelete"), None, "replace"),
        ("Dynamic", None, None, None, "replace"),
        ("Remove", None, None, None, "remove"),
        ("SyncWithActual", None, None, None, "set back"),
        ("Modify", Some("False"), None, Some("REVERT_DRIFT"), "set back"),
    ] {
        let (run, mut state) = parameter_update();
        state.deployment_mode = mode.map(str::to_owned);
        state.resource_changes = vec![ResourceChange {
            action: change.to_owned(),
            logical_id: "Function".to_owned(),
            physical_id: Some("f".to_owned()),
            resource_type: "AWS::Lambda::Function".to_owned(),
            replacement: replacement.map(str::to_owned),
            policy_action: policy.map(str::to_owned),
        }];
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        let refused = matches!(failure(&report), Failure::WouldReplace { resource, action, .. } if resource == "f" && action == does);
        assert!(refused, "{change} {replacement:?} {policy:?} {mode:?}: {:?}", report.outcomes);
        assert_eq!(fake.calls(), ["create_change_set f", "delete_change_set f"]);
    }
}

/// Without it a stack with the repository's older prefix would get a twin.
#[tokio::test(start_paused = true)]
async fn a_change_set_for_another_stack_is_refused() {
    let (run, mut state) = parameter_update();
    state.stack_id = None;
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert!(matches!(failure(&report), Failure::OtherStack { made, .. } if made == "stack:f"));
    assert_eq!(fake.calls(), ["create_change_set f", "delete_change_set f", "delete_stack stack:f"]);
}

/// Without it a change set that is discarded while AWS still makes it would stay, and the report say that it was deleted.
#[tokio::test(start_paused = true)]
async fn a_change_set_that_is_being_made_is_discarded_once_it_is() {
    for (refusals, left) in [(vec![ErrorKind::Conflict, ErrorKind::Conflict], false), (vec![ErrorKind::Other], true)] {
        let (run, mut state) = parameter_update();
        state.stack_id = None;
        state.refusals.insert("delete_change_set", VecDeque::from(refusals));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert!(matches!(failure(&report), Failure::OtherStack { left: found, .. } if found.is_some() == left));
        assert_eq!(fake.calls().last().is_some_and(|call| call == "delete_stack stack:f"), !left);
    }
}

/// Without it a rolled-back stack would be reported as done, or without what went wrong; so would a change set that somebody
/// else's made obsolete.
#[tokio::test(start_paused = true)]
async fn a_stack_that_rolls_back_says_why() {
    let mut state = nothing_there();
    state.stack_end = Some("ROLLBACK_COMPLETE".to_owned());
    state.first_failure = Some("Role (AWS::IAM::Role): not authorized".to_owned());
    let report = Run::new(desired(), empty_live()).on(&Fake::new(state)).await;
    let Failure::Stack { status, reason, .. } = failure(&report) else { panic!("{:?}", report.outcomes) };
    assert_eq!(
        (status.as_str(), reason.as_deref()),
        ("ROLLBACK_COMPLETE", Some("Role (AWS::IAM::Role): not authorized"))
    );

    for (executed, fails) in [("EXECUTE_COMPLETE", false), ("OBSOLETE", true), ("EXECUTE_FAILED", true)] {
        let (run, mut state) = parameter_update();
        state.stack_end = Some("UPDATE_COMPLETE".to_owned());
        state.executed = Some(executed.to_owned());
        assert_eq!(run.on(&Fake::new(state)).await.has_failed(), fails, "{executed}");
    }
}

/// A second function and secret beside the first, both missing.
/// Without it, an answer that was lost would make a stack's change look failed while it runs; or another apply's change set, which ran
/// first, be told in words that don't say what happened.
#[tokio::test(start_paused = true)]
async fn a_change_set_that_cannot_run_says_who_was_faster() {
    let refused = |kind: ErrorKind, executed: Option<&str>| {
        let (run, mut state) = parameter_update();
        state.refusals.insert("execute_change_set", VecDeque::from([kind]));
        state.executed = executed.map(str::to_owned);
        async move {
            let fake = Fake::new(state);
            (run.on(&fake).await, fake.calls())
        }
    };
    let (report, _) = refused(ErrorKind::Conflict, Some("EXECUTE_COMPLETE")).await;
    assert!(!report.has_failed(), "{:?}", report.outcomes);
    let (report, calls) = refused(ErrorKind::Conflict, Some("OBSOLETE")).await;
    assert!(matches!(failure(&report), Failure::Overtaken { .. }), "{:?}", report.outcomes);
    assert_eq!(calls.last().map(String::as_str), Some("delete_change_set f"), "nothing is left over");
    let (report, _) = refused(ErrorKind::Conflict, None).await;
    assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == ErrorKind::Conflict));
    let (report, _) = refused(ErrorKind::Denied, Some("OBSOLETE")).await;
    assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == ErrorKind::Denied));
}

fn two_branches() -> (Run, State) {
    let (mut desired, mut live, mut state) = (desired(), empty_live(), nothing_there());
    let mut second = desired.functions["f"].clone();
    second.name = "g".to_owned();
    if let FunctionSource::Deployed(deployment) = &mut second.source {
        deployment.stack = "g".to_owned();
    }
    desired.functions.insert("g".to_owned(), second);
    let mut secret = desired.secrets["s"].clone();
    secret.name = "t".to_owned();
    secret.function = Some("g".to_owned());
    desired.secrets.insert("t".to_owned(), secret);
    live.functions.insert("g".to_owned(), live.functions["f"].clone());
    let other = LiveSecret { arn: "arn:t".to_owned(), name: "t".to_owned(), ..untouched() };
    live.secrets.insert("t".to_owned(), Reading::Found(other.clone()));
    state.secrets.insert(other.arn.clone(), other);
    (Run::new(desired, live), state)
}

/// Without it one broken function would keep a whole fleet from being rotated; or a secret would be attached to it anyway.
#[tokio::test(start_paused = true)]
async fn a_failure_stops_only_what_depends_on_it() {
    let (mut run, mut state) = two_branches();
    // One at a time, so that the refusal meets the first function.
    run.options.parallelism = 1;
    state.refusals.insert("update_configuration", VecDeque::from([ErrorKind::Denied]));
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    let of = |handle: &str| {
        let outcomes = kinds(&report).into_iter().zip(&report.steps);
        outcomes.filter(|(_, step)| step.address.handle == handle).map(|((_, word), _)| word).collect::<Vec<_>>()
    };
    assert_eq!(of("f"), ["applied", "failed", "not attempted", "not attempted"]);
    assert_eq!(of("s"), ["not attempted", "not attempted"]);
    assert_eq!(of("g"), ["applied"; 4]);
    assert_eq!(of("t"), ["applied"; 2]);
    let because = report.outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::NotAttempted { because } => *because,
        _ => None,
    });
    let failed = report.outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_)));
    assert!(because.map(Some).all(|because| because == failed), "each says what it waited for");
}

/// Without it a pipeline whose token has ended would try, and report, each of hundreds of steps.
#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_more_is_begun() {
    let (mut run, mut state) = two_branches();
    run.options.parallelism = 1;
    state.refusals.insert("update_configuration", VecDeque::from([ErrorKind::ExpiredCredentials]));
    let report = run.on(&Fake::new(state)).await;
    let failed = report.outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_)));
    let left: Vec<&Outcome> = report
        .outcomes
        .iter()
        .filter(|outcome| !matches!(outcome, Outcome::Applied { .. } | Outcome::Failed(_)))
        .collect();
    assert!(left.len() > 6, "the other branch isn't begun either: {report:?}");
    assert!(left.iter().all(|outcome| **outcome == Outcome::NotAttempted { because: failed }), "{report:?}");
}

/// Without it an apply would wipe the variables of others, or overwrite what somebody wrote a moment ago.
#[tokio::test(start_paused = true)]
async fn an_environment_is_merged_with_what_others_write() {
    let (mut run, mut state) = drifted();
    wanted(&mut run.desired).environment.insert("URL".to_owned(), Some(Sensitive::new("https://b")));
    state.rivals = 1;
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert_eq!(kinds(&report), [(StepKind::Configuration, "applied")]);
    assert_eq!(fake.calls(), ["update_configuration f", "update_configuration f"]);
    let sent = fake.state().sent[0].clone();
    let names: Vec<&String> = sent.environment.iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(names, ["FOREIGN", "RIVAL", "URL"]);
    assert_eq!((sent.settings.timeout, sent.settings.memory), (Some(30), None), "what is as wanted isn't sent");

    let (run, mut state) = drifted();
    state.rivals = u32::MAX;
    let report = run.on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::KeepsChanging { function, last: Some(_) } if function == "f"));
}

/// Without it a function whose last edit failed could never be mended.
#[tokio::test(start_paused = true)]
async fn a_failed_edit_is_mended_by_the_next() {
    let (run, mut state) = drifted();
    state.functions.get_mut("f").expect("built above").last_update_status = "Failed".to_owned();
    let report = run.on(&Fake::new(state)).await;
    assert_eq!(kinds(&report), [(StepKind::Configuration, "applied")]);
}

/// Without it `AddPermission` would meet its own statement and fail, or let Secrets Manager in twice.
#[tokio::test(start_paused = true)]
async fn a_permission_that_is_there_is_left_alone() {
    let mut state = nothing_there();
    state.statements = vec![Statement { sid: "the stack's own".to_owned(), source_account: None, ..statement() }];
    let fake = Fake::new(state);
    let report = Run::new(desired(), empty_live()).on(&fake).await;
    assert!(kinds(&report).contains(&(StepKind::Permission, "unchanged")));
    assert!(!fake.calls().iter().any(|call| call.starts_with("add_permission")));
}

fn rotation_only() -> (Run, State) {
    let mut live = live();
    live.secrets.insert("s".to_owned(), Reading::Found(untouched()));
    (Run::new(desired(), live), State { statements: vec![statement()], ..nothing_there() })
}

/// Without it the first rotation after a new permission would fail; or every refusal would be tried for minutes.
#[tokio::test(start_paused = true)]
async fn only_a_spreading_permission_is_waited_for() {
    let (run, mut state) = rotation_only();
    state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke; 3]));
    let fake = Fake::new(state);
    assert!(!run.on(&fake).await.has_failed());
    assert_eq!(fake.calls().len(), 4);

    let (run, mut state) = rotation_only();
    state.refusals.insert("rotate_secret", VecDeque::from(vec![ErrorKind::CannotInvoke; 10_000]));
    let began = tokio::time::Instant::now();
    let report = run.on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == ErrorKind::CannotInvoke));
    assert!(began.elapsed() < run.options.permission_timeout * 2, "the wait has a bound");

    for kind in [ErrorKind::Invalid, ErrorKind::Denied, ErrorKind::Throttled, ErrorKind::Other] {
        let (run, mut state) = rotation_only();
        state.refusals.insert("rotate_secret", VecDeque::from([kind]));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == kind));
        assert_eq!(fake.calls().len(), 1);
    }
}

fn stages(looks: &[&[&str]]) -> VecDeque<Vec<String>> {
    looks.iter().map(|stages| stages.iter().map(|&stage| stage.to_owned()).collect()).collect()
}

/// Without it "accepted" would be taken for "rotated", or a finished rotation be waited for until the deadline.
#[tokio::test(start_paused = true)]
async fn a_rotation_is_watched_to_its_end() {
    for (progress, now, ends) in [
        (stages(&[&[], &["AWSPENDING"], &["AWSCURRENT"]]), true, "applied"),
        (stages(&[&["AWSPENDING"], &["AWSPREVIOUS"]]), true, "applied"),
        (stages(&[&["AWSPENDING"]]), true, "not finished"),
        (stages(&[&["AWSPENDING"], &[]]), true, "not finished"),
        (stages(&[&["AWSPENDING"], &[]]), false, "unverified"),
        (stages(&[&[]]), false, "unverified"),
        (stages(&[&["AWSPENDING"]]), false, "not finished"),
    ] {
        let (mut run, mut state) = rotation_only();
        run.desired.secrets.get_mut("s").expect("built above").rotation.rotate_immediately = Some(now);
        state.progress = progress.clone();
        let report = run.on(&Fake::new(state)).await;
        let watch = if now { StepKind::Watch } else { StepKind::WatchTest };
        assert_eq!(kinds(&report)[1], (watch, ends), "{progress:?} {now}");
        if let Outcome::NotFinished(rest) = &report.outcomes[1] {
            assert!(rest.waited >= Some(run.options.rotation_timeout));
            assert_eq!(rest.log_group.as_deref(), Some("/aws/lambda/f"));
            assert!(report.has_unfinished());
        }
    }
    let (mut run, mut state) = rotation_only();
    run.options.wait = false;
    state.progress = stages(&[&["AWSPENDING"]]);
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if rest.waited.is_none()));
    assert!(!report.has_unfinished() && !fake.state().calls.iter().any(|call| call.starts_with("rotation_progress")));
}

/// Without it Ctrl-C would leave half a function, begin more, or hide a rotation that AWS has accepted.
#[tokio::test(start_paused = true)]
async fn an_interrupt_begins_nothing_new() {
    let fake = Fake::new(nothing_there());
    let mut run = Run::new(desired(), empty_live());
    run.interrupt_at = Some(StepKind::Stack);
    let report = run.on(&fake).await;
    assert!(report.interrupted);
    assert_eq!(fake.calls(), ["create_change_set f", "execute_change_set f"], "what runs is finished");
    let rest = &report.outcomes[1..];
    assert!(rest.iter().all(|outcome| *outcome == Outcome::NotAttempted { because: None }));

    for at in [StepKind::Rotation, StepKind::Watch] {
        let (mut run, mut state) = rotation_only();
        run.interrupt_at = Some(at);
        state.progress = stages(&[&["AWSPENDING"]]);
        let began = tokio::time::Instant::now();
        let report = run.on(&Fake::new(state)).await;
        assert!(matches!(&report.outcomes[1], Outcome::NotFinished(rest) if rest.interrupted && rest.version == "v2"));
        assert!(began.elapsed() < Duration::from_secs(5), "the watch ends at once");
    }
}

/// Without it a second apply, or somebody quicker, would make a secret rotate twice.
#[tokio::test(start_paused = true)]
async fn a_secret_that_is_as_wanted_is_not_rotated_again() {
    let (run, mut state) = rotation_only();
    state.secrets.insert(SECRET.to_owned(), fixtures::secret());
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert_eq!(kinds(&report), [(StepKind::Rotation, "unchanged"), (StepKind::Watch, "unchanged")]);
    assert_eq!(fake.calls(), [""; 0]);

    let (run, mut state) = rotation_only();
    let stuck = LiveSecret { pending_version: Some("v9".to_owned()), ..untouched() };
    state.secrets.insert(SECRET.to_owned(), stuck);
    let report = run.on(&Fake::new(state)).await;
    assert_eq!(*failure(&report), Failure::UnfinishedRotation { version: "v9".to_owned() });
}

/// Without it, two applies that look at a secret at the same moment would make it rotate twice; or a rotation that is wanted once more
/// would be taken for the one before.
#[tokio::test(start_paused = true)]
async fn one_state_of_a_secret_leads_to_one_token() {
    let token = |version: &'static str, days: u16| async move {
        let (mut run, mut state) = rotation_only();
        let secret = LiveSecret { current_version: Some(version.to_owned()), ..untouched() };
        run.live.secrets.insert("s".to_owned(), Reading::Found(secret.clone()));
        run.desired.secrets.get_mut("s").expect("built above").rotation.rules = Some(fixtures::days(days));
        state.secrets.insert(SECRET.to_owned(), secret);
        state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke]));
        let fake = Fake::new(state);
        assert!(!run.on(&fake).await.has_failed());
        let tokens = fake.state().tokens.clone();
        assert_eq!((tokens.len(), &tokens[0]), (2, &tokens[1]), "what is tried again is the same request");
        tokens[0].clone()
    };
    let first = token("v1", 30).await;
    assert_eq!(first.len(), 36, "it is a UUID");
    assert_eq!(token("v1", 30).await, first);
    assert_ne!(token("v2", 30).await, first);
    assert_ne!(token("v1", 7).await, first);
}

/// Without it, somebody's change of a moment ago would be overwritten by a plan that never showed it.
#[tokio::test(start_paused = true)]
async fn what_has_moved_since_the_plan_is_left_alone() {
    let moved = |report: &Report| match failure(report) {
        Failure::ChangedSincePlan { moved } => {
            moved.iter().map(|field| field.attribute.path().into_owned()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let (run, mut state) = drifted();
    state.functions.get_mut("f").expect("built above").settings.timeout = Some(45);
    let fake = Fake::new(state);
    assert_eq!(moved(&run.on(&fake).await), ["timeout"]);
    assert_eq!(fake.calls(), [""; 0]);

    let (run, mut state) = rotation_only();
    state.secrets.insert(SECRET.to_owned(), LiveSecret { current_version: Some("v7".to_owned()), ..untouched() });
    let fake = Fake::new(state);
    assert_eq!(moved(&run.on(&fake).await), ["AWSCURRENT"]);
    assert_eq!(fake.calls(), [""; 0]);

    let (run, mut state) = parameter_update();
    let mut stack = fixtures::stack();
    stack.tags.insert("owner".to_owned(), "them".to_owned());
    state.moved_stacks.insert(stack.id.clone(), stack);
    let fake = Fake::new(state);
    assert_eq!(moved(&run.on(&fake).await), ["tags.owner"]);
    assert_eq!(fake.calls(), [""; 0]);
}

/// Without it a list that lags would switch off a secret that others rotate now.
#[tokio::test(start_paused = true)]
async fn an_orphan_that_moved_on_is_not_switched_off() {
    let listed =
        OrphanSecret { name: "forgotten".to_owned(), arn: "arn:forgotten".to_owned(), function_arn: arn("old") };
    let now = |arn_now: &str, function: String| LiveSecret {
        arn: arn_now.to_owned(),
        name: "forgotten".to_owned(),
        function_arn: Some(function),
        ..fixtures::secret()
    };
    for (secret, cancels) in [
        (now("arn:forgotten", arn("old")), 1),
        (now("arn:forgotten", format!("{}:alias", arn("old"))), 1),
        (now("arn:forgotten", arn("theirs")), 0),
        (now("arn:made-again", arn("old")), 0),
        (LiveSecret { rotation_enabled: Some(false), ..now("arn:forgotten", arn("old")) }, 0),
    ] {
        let mut live = orphaned();
        live.orphan_secrets = Ok(vec![listed.clone()]);
        let mut run = Run::new(desired(), live);
        run.scope = PRUNE;
        let mut state = State { secrets: BTreeMap::from([(secret.arn.clone(), secret)]), ..State::default() };
        state.stacks.insert("arn:old".to_owned(), VecDeque::from(["CREATE_COMPLETE".to_owned()]));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        // A secret of that name that was made again and rotates with the function was never planned: its function stays.
        let still_used = cancels == 0 && fake.state().secrets.contains_key("arn:made-again");
        assert_eq!(report.has_failed(), still_used, "{:?}", report.outcomes);
        assert_eq!(fake.calls().iter().any(|call| call == "delete_stack arn:old"), !still_used);
        let cancelled = fake.calls().iter().filter(|call| call.starts_with("cancel")).count();
        assert_eq!(cancelled, cancels);
    }
}
