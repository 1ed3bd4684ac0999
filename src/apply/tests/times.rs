//! What isn't there yet, and what passes by itself: how long each is worth waiting for, and what isn't.

use super::*;

/// Without it the first deployment would fail where Lambda's parts tell each other of a new function in their own time; or one that
/// somebody deleted be waited for.
#[tokio::test(start_paused = true)]
async fn a_new_function_may_be_missing_for_a_moment() {
    for call in ["get_configuration", "update_configuration", "update_code", "add_permission"] {
        let mut state = nothing_there();
        state.refusals.insert(call, VecDeque::from([ErrorKind::NotFound; 3]));
        let fake = Fake::new(state);
        let report = Run::new(desired(), empty_live()).on(&fake).await;
        assert!(!report.has_failed(), "{call}: {:?}", report.outcomes);
    }
    let mut state = nothing_there();
    state.refusals.insert("get_configuration", VecDeque::from(vec![ErrorKind::NotFound; 10_000]));
    let began = tokio::time::Instant::now();
    let report = Run::new(desired(), empty_live()).on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::FunctionMissing { .. }), "{:?}", report.outcomes);
    assert!((15..40).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    let (run, mut state) = drifted();
    state.functions.clear();
    let began = tokio::time::Instant::now();
    let report = run.on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::FunctionMissing { .. }));
    assert!(began.elapsed().is_zero(), "it wasn't made a moment ago");
}

/// Without it an apply would blame somebody else for a change set of its own that doesn't show yet; or wait for one that another apply
/// has taken the place of.
#[tokio::test(start_paused = true)]
async fn a_new_change_set_may_be_missing_for_a_moment() {
    for call in ["describe_change_set", "execute_change_set", "stack_status"] {
        let mut state = nothing_there();
        state.refusals.insert(call, VecDeque::from([ErrorKind::NotFound; 2]));
        let fake = Fake::new(state);
        let report = Run::new(desired(), empty_live()).on(&fake).await;
        assert!(!report.has_failed(), "{call}: {:?}", report.outcomes);
        let executed = fake.calls().iter().filter(|call| *call == "execute_change_set f").count();
        assert_eq!(executed, if call == "execute_change_set" { 3 } else { 1 });
    }
    let mut state = nothing_there();
    state.refusals.insert("describe_change_set", VecDeque::from(vec![ErrorKind::NotFound; 10_000]));
    let began = tokio::time::Instant::now();
    let report = Run::new(desired(), empty_live()).on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::Overtaken { .. }), "{:?}", report.outcomes);
    assert!((15..40).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    // Another change set runs in its place.
    let (run, mut state) = parameter_update();
    state.stacks.insert(stack().id, VecDeque::from(["UPDATE_IN_PROGRESS".to_owned()]));
    state.refusals.insert("describe_change_set", VecDeque::from(vec![ErrorKind::NotFound; 10_000]));
    let began = tokio::time::Instant::now();
    let report = run.on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::Overtaken { .. }), "{:?}", report.outcomes);
    assert!(began.elapsed().is_zero());
}

/// Without it a permission that a write at the same time took away would be reported as added, and the rotation fail for it.
#[tokio::test(start_paused = true)]
async fn a_permission_that_was_lost_is_added_again() {
    let adds = |lost: u32, conflicts: usize| async move {
        let mut state = nothing_there();
        state.lost_permissions = lost;
        let fake = Fake::new(state);
        if conflicts > 0 {
            // The first one is taken: Lambda's writers know it, and its readers don't.
            fake.state().after_first_permission = VecDeque::from(vec![ErrorKind::Conflict; conflicts]);
        }
        let report = Run::new(desired(), empty_live()).on(&fake).await;
        let permission = kinds(&report).into_iter().find(|(kind, _)| *kind == StepKind::Permission);
        let adds = fake.calls().iter().filter(|call| call.starts_with("add_permission")).count();
        let removes = fake.calls().iter().filter(|call| call.starts_with("remove_permission")).count();
        (permission.expect("it is a step").1, adds, removes)
    };
    assert_eq!(adds(0, 0).await, ("applied", 1, 0));
    assert_eq!(adds(1, 0).await, ("applied", 2, 0));
    assert_eq!(adds(1, 9).await, ("applied", 2, 0), "a statement that Lambda says is there isn't fought for");
    assert_eq!(adds(u32::MAX, 0).await, ("failed", EDITS, 0));
}

/// Without it a role that `CloudFormation` made a second ago would end the apply; or a wrong one would keep it busy for ever.
#[tokio::test(start_paused = true)]
async fn roles_and_keys_get_their_time_to_spread() {
    for (kind, least, most) in [(ErrorKind::Spreading, 110, 150), (ErrorKind::ThrottledByEc2, 590, 640)] {
        let (run, mut state) = drifted();
        state.refusals.insert("update_configuration", VecDeque::from([kind; 3]));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert_eq!(kinds(&report), [(StepKind::Configuration, "applied")], "{:?}", report.outcomes);
        assert_eq!(fake.calls().len(), 4);

        let (run, mut state) = drifted();
        state.refusals.insert("update_configuration", VecDeque::from(vec![kind; 10_000]));
        let began = tokio::time::Instant::now();
        let report = run.on(&Fake::new(state)).await;
        assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == kind));
        assert!((least..most).contains(&began.elapsed().as_secs()), "{kind:?}: {:?}", began.elapsed());
    }
    let (run, mut state) = drifted();
    state.refusals.insert("update_configuration", VecDeque::from([ErrorKind::Invalid]));
    let fake = Fake::new(state);
    assert!(run.on(&fake).await.has_failed());
    assert_eq!(fake.calls().len(), 1, "what is wrong stays wrong");
}

/// Without it a function that nothing permits would be waited for, and the message name a policy that wasn't read.
#[tokio::test(start_paused = true)]
async fn a_permission_that_does_not_stand_is_not_waited_for() {
    let denial = Statement { sid: "no".to_owned(), allows: false, denies: true, ..statement() };
    let of_other = Statement { source_account: Some("999999999999".to_owned()), ..statement() };
    let of_other_secret = Statement { source_arn: Some("arn:other".to_owned()), ..statement() };
    let of_pattern = Statement { source_arn: Some("arn:aws:secretsmanager:*".to_owned()), ..statement() };
    let unclear = Statement { allows: false, other_conditions: true, ..statement() };
    for (statements, ends_at_once) in [
        (vec![], true),
        (vec![of_other.clone()], true),
        (vec![of_other_secret], true),
        (vec![statement(), denial], true),
        (vec![of_other, statement()], false),
        (vec![of_pattern], false),
        (vec![unclear], false),
    ] {
        let (run, mut state) = rotation_only();
        state.functions.insert(arn("f"), fresh("f"));
        state.statements = statements.clone();
        state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke]));
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert_eq!(report.has_failed(), ends_at_once, "{statements:?}: {:?}", report.outcomes);
        if ends_at_once {
            assert!(matches!(failure(&report), Failure::NotPermitted { function, .. } if *function == arn("f")));
        }
        let asked = fake.calls().iter().filter(|call| call.starts_with("rotate_secret")).count();
        assert_eq!(asked, if ends_at_once { 1 } else { 2 });
    }
    // A function that isn't there has no policy either.
    let (run, mut state) = rotation_only();
    state.statements.clear();
    state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke]));
    assert!(matches!(failure(&run.on(&Fake::new(state)).await), Failure::FunctionMissing { .. }));
    // Without the right to read the policy, it waits.
    let (run, mut state) = rotation_only();
    state.refusals.insert("get_policy", VecDeque::from([ErrorKind::Denied]));
    state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke]));
    assert!(!run.on(&Fake::new(state)).await.has_failed());
}

/// Without it an apply would say that others keep changing a function whose policy Lambda doesn't let it add to, and nothing would tell
/// what to do; or fail where that policy lets Secrets Manager in already.
#[tokio::test(start_paused = true)]
async fn a_policy_that_was_written_as_a_whole_is_recognised() {
    let others = Statement { sid: "others".to_owned(), allows: false, ..statement() };
    let adds = |whole: Vec<Statement>, refused: bool| async move {
        let mut state = nothing_there();
        state.whole_policy = whole;
        if refused {
            state.refusals.insert("add_permission", VecDeque::from([ErrorKind::Invalid]));
        } else {
            state.lost_permissions = u32::MAX;
        }
        Run::new(desired(), empty_live()).on(&Fake::new(state)).await
    };
    for refused in [false, true] {
        let report = adds(vec![others.clone()], refused).await;
        let Failure::WrittenWhole { function, refused: words, .. } = failure(&report) else { panic!("{report:?}") };
        assert_eq!((function, words.is_some()), (&arn("f"), refused));
        let report = adds(vec![others.clone(), statement()], refused).await;
        assert!(!report.has_failed(), "it lets Secrets Manager in: {:?}", report.outcomes);
    }
    assert!(matches!(failure(&adds(vec![], false).await), Failure::KeepsChanging { .. }));
    assert!(matches!(failure(&adds(vec![], true).await), Failure::Aws(error) if error.kind == ErrorKind::Invalid));

    // Where Secrets Manager says that it may not invoke the function, and `GetPolicy` shows nothing.
    let rotates = |whole: Vec<Statement>| async move {
        let (run, mut state) = rotation_only();
        state.functions.insert(arn("f"), fresh("f"));
        (state.statements, state.whole_policy) = (vec![], whole);
        state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::CannotInvoke]));
        run.on(&Fake::new(state)).await
    };
    assert!(matches!(failure(&rotates(vec![others.clone()]).await), Failure::WrittenWhole { .. }));
    assert!(!rotates(vec![others, statement()]).await.has_failed(), "it spreads");
}

/// Without it Ctrl-C would have no effect for two minutes while a permission spreads.
#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_for_a_permission() {
    let (mut run, mut state) = rotation_only();
    run.interrupt_at = Some(StepKind::Rotation);
    state.refusals.insert("rotate_secret", VecDeque::from(vec![ErrorKind::CannotInvoke; 10_000]));
    let began = tokio::time::Instant::now();
    let report = run.on(&Fake::new(state)).await;
    assert!(report.interrupted && report.has_failed());
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Without it an apply right after another would fail for a test that ends within seconds; or wait for one that is stuck.
#[tokio::test(start_paused = true)]
async fn a_rotation_that_has_just_begun_is_waited_for() {
    let young = Some(Duration::from_secs(30));
    let refused = |age, waits: bool| async move {
        let (mut run, mut state) = rotation_only();
        run.options.wait = waits;
        state.age = age;
        state.refusals.insert("rotate_secret", VecDeque::from([ErrorKind::Unfinished; 2]));
        let fake = Fake::new(state);
        (kinds(&run.on(&fake).await)[0].1, fake.calls().len())
    };
    assert_eq!(refused(young, true).await, ("applied", 3));
    assert_eq!(refused(young, false).await, ("failed", 1), "with --no-wait, nothing is waited for");
    assert_eq!(refused(Some(Duration::from_mins(6)), true).await, ("failed", 1));
    assert_eq!(refused(None, true).await, ("failed", 1));

    let (run, mut state) = rotation_only();
    state.age = young;
    let stuck = LiveSecret { pending_version: Some("v9".to_owned()), ..untouched() };
    state.secrets.insert(SECRET.to_owned(), stuck);
    let fake = Fake::new(state);
    let began = tokio::time::Instant::now();
    let report = run.on(&fake).await;
    assert_eq!(*failure(&report), Failure::UnfinishedRotation { version: "v9".to_owned() });
    let waited = began.elapsed();
    assert!(waited >= run.options.rotation_timeout && waited < run.options.rotation_timeout * 2, "{waited:?}");
    assert_eq!(fake.calls(), [""; 0], "it is never asked for while another one is under way");
}
