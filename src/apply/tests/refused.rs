//! Refusals, lost answers and failures that must not be taken for one another.

use super::*;
use crate::model::PROJECT_TAG;

/// What happens to a secret while a rotation, given its token, is asked for.
type Meanwhile = fn(&mut LiveSecret, &str);

const DESTROY: PlanOptions = PlanOptions { purpose: Purpose::Destroy, partial: false };

/// Without it, a refusal would be reported as applied because the secret was rotated by others meanwhile; or a rotation
/// whose answer was lost as refused.
#[tokio::test(start_paused = true)]
async fn a_refused_rotation_is_ours_by_its_token_alone() {
    fn wanted(secret: &mut LiveSecret) {
        *secret = LiveSecret { current_version: Some("v1".to_owned()), ..fixtures::secret() };
    }
    let ours = |secret: &mut LiveSecret, token: &str| {
        wanted(secret);
        secret.pending_version = Some(token.to_owned());
    };
    let over = |secret: &mut LiveSecret, token: &str| {
        wanted(secret);
        secret.current_version = Some(token.to_owned());
    };
    let theirs = |secret: &mut LiveSecret, _: &str| {
        wanted(secret);
        secret.pending_version = Some("theirs".to_owned());
    };
    let otherwise = |secret: &mut LiveSecret, token: &str| {
        wanted(secret);
        (secret.rules, secret.pending_version) = (Some(fixtures::days(7)), Some(token.to_owned()));
    };
    let cases: [(Meanwhile, bool); 4] = [(ours, true), (over, true), (theirs, false), (otherwise, false)];
    for (index, (meanwhile, done)) in cases.into_iter().enumerate() {
        for kind in [ErrorKind::Invalid, ErrorKind::Unfinished] {
            let (mut run, mut state) = rotation_only();
            run.options.wait = false;
            state.refusals.insert("rotate_secret", VecDeque::from([kind]));
            state.meanwhile = Some(meanwhile);
            let fake = Fake::new(state);
            let report = run.on(&fake).await;
            assert_eq!(fake.calls().len(), 1);
            if done {
                assert_eq!(kinds(&report)[0], (StepKind::Rotation, "applied"), "{index} {kind:?}");
                let Outcome::NotFinished(rest) = &report.outcomes[1] else { panic!("{:?}", report.outcomes) };
                assert_eq!(rest.version, fake.state().tokens[0], "it is watched by its token");
            } else {
                let refused = matches!(failure(&report), Failure::Aws(error) if error.kind == kind);
                assert!(refused, "{index} {kind:?} {:?}", report.outcomes);
            }
        }
    }
}

/// Without it, a secret that may not be looked at would be reported as deleted.
#[tokio::test(start_paused = true)]
async fn only_a_secret_that_is_not_found_is_gone() {
    for kind in [ErrorKind::Denied, ErrorKind::Other, ErrorKind::NotFound] {
        let (run, mut state) = rotation_only();
        state.refusals.insert("describe_secret", VecDeque::from([kind]));
        let report = run.on(&Fake::new(state)).await;
        match failure(&report) {
            Failure::SecretMissing => assert_eq!(kind, ErrorKind::NotFound),
            Failure::Aws(error) => assert!(error.kind == kind && kind != ErrorKind::NotFound, "{kind:?}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Without it, a removal would end the rotation of a secret that was given another function since the plan.
#[tokio::test(start_paused = true)]
async fn a_removal_spares_what_has_moved_on() {
    for (function, cancels) in [(arn("f"), 1), (arn("theirs"), 0)] {
        let mut run = Run::new(desired(), live());
        run.scope = DESTROY;
        let secret = LiveSecret { function_arn: Some(function), ..fixtures::secret() };
        let mut state = State { secrets: BTreeMap::from([(SECRET.to_owned(), secret)]), ..State::default() };
        state.stacks.insert(stack().id, VecDeque::from(["CREATE_COMPLETE".to_owned()]));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert!(!report.has_failed(), "{:?}", report.outcomes);
        assert_eq!(fake.calls().iter().filter(|call| call.starts_with("cancel")).count(), cancels);
    }
}

/// Without it, a function whose edit Lambda took and then failed would be reported as changed.
#[tokio::test(start_paused = true)]
async fn an_edit_that_fails_afterwards_is_a_failure() {
    for lost_answers in [0, 1] {
        let (run, mut state) = drifted();
        state.lost_answers = lost_answers;
        let fake = Fake::new(state);
        assert_eq!(kinds(&run.on(&fake).await), [(StepKind::Configuration, "applied")]);
        assert_eq!(fake.calls().len(), 1, "what was done isn't done again");

        let (run, mut state) = drifted();
        (state.edits_fail, state.lost_answers) = (true, lost_answers);
        let report = run.on(&Fake::new(state)).await;
        let failed = matches!(failure(&report), Failure::Function { state, .. } if state == "LastUpdateStatus Failed");
        assert!(failed, "{lost_answers} {:?}", report.outcomes);
    }
}

/// Without it, a merge would wipe the variables of a function whose environment can't be read any more.
#[tokio::test(start_paused = true)]
async fn an_environment_that_became_unreadable_stops_the_edit() {
    let unreadable = |wanted: bool| async move {
        let (mut run, mut state) = drifted();
        if !wanted {
            super::wanted(&mut run.desired).environment.clear();
        }
        let code = "KMSAccessDeniedException".to_owned();
        state.functions.get_mut("f").expect("built above").environment = Err(code);
        let fake = Fake::new(state);
        (run.on(&fake).await, fake.calls())
    };
    let (report, calls) = unreadable(true).await;
    assert!(matches!(failure(&report), Failure::UnreadableEnvironment { .. }), "{:?}", report.outcomes);
    assert_eq!(calls, [""; 0]);
    let (report, _) = unreadable(false).await;
    assert_eq!(kinds(&report), [(StepKind::Configuration, "applied")], "none is wanted, so none is sent");
}

/// Without it, a function would be reported as updated while it runs other code than what was sent.
#[tokio::test(start_paused = true)]
async fn uploaded_code_is_compared_with_what_was_sent() {
    let (_, mut state) = drifted();
    let mut live = live();
    fixtures::live_configuration(&mut live).code_sha256 = "old".to_owned();
    let function = state.functions.get_mut("f").expect("built above");
    (function.code_sha256, function.settings.timeout) = ("old".to_owned(), Some(30));
    state.uploaded = Some("theirs".to_owned());
    let report = Run::new(desired(), live).on(&Fake::new(state)).await;
    let Failure::CodeDiffers { sent, live } = failure(&report) else { panic!("{:?}", report.outcomes) };
    assert_eq!((sent.as_str(), live.as_str()), ("ours", "theirs"));
}

/// Without it, an upload whose answer was lost would be sent again, or be reported as applied though Lambda couldn't use the code.
#[tokio::test(start_paused = true)]
async fn an_upload_whose_answer_was_lost_is_looked_at() {
    for edits_fail in [false, true] {
        let (_, mut state) = drifted();
        let mut live = live();
        fixtures::live_configuration(&mut live).code_sha256 = "old".to_owned();
        let function = state.functions.get_mut("f").expect("built above");
        (function.code_sha256, function.settings.timeout) = ("old".to_owned(), Some(30));
        (state.lost_answers, state.edits_fail) = (1, edits_fail);
        let fake = Fake::new(state);
        let report = Run::new(desired(), live).on(&fake).await;
        assert_eq!(fake.calls(), ["update_code f"], "what was done isn't done again");
        if edits_fail {
            let failed =
                matches!(failure(&report), Failure::Function { state, .. } if state == "LastUpdateStatus Failed");
            assert!(failed, "{:?}", report.outcomes);
        } else {
            assert_eq!(kinds(&report), [(StepKind::Code, "applied")]);
        }
    }
}

/// Without it, a statement that is gone already would stop the step that puts another one in its place.
#[tokio::test(start_paused = true)]
async fn a_statement_that_is_gone_is_replaced_all_the_same() {
    for (kind, fails) in [(ErrorKind::NotFound, false), (ErrorKind::Denied, true)] {
        let foreign = Statement { source_account: Some("999999999999".to_owned()), ..statement() };
        let mut live = live();
        fixtures::live_function(&mut live).policy = Reading::Found(vec![foreign.clone()]);
        let (_, mut state) = drifted();
        state.statements = vec![foreign];
        state.refusals.insert("remove_permission", VecDeque::from([kind]));
        let fake = Fake::new(state);
        assert_eq!(Run::new(desired(), live).on(&fake).await.has_failed(), fails, "{kind:?}");
        assert_eq!(fake.calls().iter().any(|call| call.starts_with("add_permission")), !fails);
    }
}

/// Without it, a deletion that failed would be waited for until the time is up, and its reason be lost.
#[tokio::test(start_paused = true)]
async fn a_failed_deletion_ends_at_once_with_its_reason() {
    let mut run = Run::new(desired(), live());
    run.scope = DESTROY;
    let secrets = BTreeMap::from([(SECRET.to_owned(), fixtures::secret())]);
    let mut state = State { secrets, deletion_end: Some("DELETE_FAILED".to_owned()), ..State::default() };
    state.first_failure = Some("Role: not authorized".to_owned());
    state.stacks.insert(stack().id, VecDeque::from(["CREATE_COMPLETE".to_owned()]));
    let report = run.on(&Fake::new(state)).await;
    let Failure::Stack { status, reason, .. } = failure(&report) else { panic!("{:?}", report.outcomes) };
    assert_eq!((status.as_str(), reason.as_deref()), ("DELETE_FAILED", Some("Role: not authorized")));
}

/// Without it, a change set that failed, or in whose place another one ran, would be waited for until the time is up.
#[tokio::test(start_paused = true)]
async fn a_change_set_that_did_not_run_well_ends_the_wait() {
    for executed in ["OBSOLETE", "EXECUTE_FAILED"] {
        let (run, mut state) = parameter_update();
        state.stack_end = Some("UPDATE_COMPLETE".to_owned());
        state.executed = Some(executed.to_owned());
        let report = run.on(&Fake::new(state)).await;
        assert!(matches!(failure(&report), Failure::Stack { .. }), "{executed} {:?}", report.outcomes);
    }
}

/// Without it, two pipelines that adopt the same stack at once would refuse each other.
#[tokio::test(start_paused = true)]
async fn what_another_apply_of_the_same_has_done_is_no_obstacle() {
    let adopted = |project: &'static str| async move {
        let mut untagged = stack();
        untagged.tags.remove(PROJECT_TAG);
        let mut live = live();
        fixtures::live_function(&mut live).stack = Reading::Found(untagged);
        let (_, mut state) = parameter_update();
        let mut now = stack();
        now.tags.insert(PROJECT_TAG.to_owned(), project.to_owned());
        state.moved_stacks.insert(now.id.clone(), now);
        Run::new(desired(), live).on(&Fake::new(state)).await
    };
    let report = adopted("p").await;
    assert!(!report.has_failed(), "{:?}", report.outcomes);
    assert!(matches!(failure(&adopted("q").await), Failure::ChangedSincePlan { .. }));
}
