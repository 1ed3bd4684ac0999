//! `CloudFormation`'s newer ways to refuse, Lambda's newer states, and what an edit must carry over.

use super::*;
use crate::model::Vpc;
use crate::model::live::{LiveStack, STACK_IN_REVIEW};

/// Without it "The following hook(s)/validation failed" would be all that people read: the events go with the change set.
#[tokio::test(start_paused = true)]
async fn a_refused_change_sets_reasons_are_read_before_it_is_deleted() {
    let refused = || {
        let mut state = nothing_there();
        let reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck].";
        state.change_set = Some(("FAILED".to_owned(), reason.to_owned()));
        state.change_set_failures = vec!["Function: it exists".to_owned()];
        state
    };
    let fake = Fake::new(refused());
    let report = Run::new(desired(), empty_live()).on(&fake).await;
    let Failure::ChangeSet { causes, unread: None, left: None, .. } = failure(&report) else { panic!("{report:?}") };
    assert_eq!(*causes, ["Function: it exists"]);
    let calls = fake.state().calls.clone();
    let at = |name: &str| calls.iter().position(|call| call.starts_with(name)).expect("it was called");
    assert!(at("change_set_failures") < at("delete_change_set"), "{calls:?}");

    // A role that may not read them says so, beside what CloudFormation said.
    let mut state = refused();
    state.refusals.insert("change_set_failures", VecDeque::from([ErrorKind::Denied]));
    let report = Run::new(desired(), empty_live()).on(&Fake::new(state)).await;
    let Failure::ChangeSet { reason, unread: Some(error), .. } = failure(&report) else { panic!("{report:?}") };
    assert!(reason.contains("validation failed") && error.kind == ErrorKind::Denied);
}

/// Without it a stack that an interrupted apply left in review would be refused for ever.
#[tokio::test(start_paused = true)]
async fn a_stack_left_in_review_makes_room_where_it_is_in_the_way() {
    let left = || {
        let mut live = empty_live();
        let function = live.functions.get_mut("f").expect("it is read");
        function.stack = Reading::Found(LiveStack {
            id: "stack:left".to_owned(),
            status: STACK_IN_REVIEW.to_owned(),
            tags: BTreeMap::new(),
            function: None,
            ..stack()
        });
        let mut state = nothing_there();
        state.stacks.insert("stack:left".to_owned(), VecDeque::from([STACK_IN_REVIEW.to_owned()]));
        (Run::new(desired(), live), state)
    };
    let (run, mut state) = left();
    state.refusals.insert("create_change_set", VecDeque::from([ErrorKind::Invalid]));
    let fake = Fake::new(state);
    let report = run.on(&fake).await;
    assert!(!report.has_failed(), "{:?}", report.outcomes);
    let expected = ["create_change_set f", "delete_stack stack:left", "create_change_set f", "execute_change_set f"];
    assert_eq!(fake.calls()[..4], expected);

    // Where it is accepted, it isn't touched.
    let (run, state) = left();
    let fake = Fake::new(state);
    assert!(!run.on(&fake).await.has_failed());
    assert!(!fake.calls().iter().any(|call| call.starts_with("delete_stack")));

    // What is out of review, or is refused for another reason, stays.
    for (status, kind) in [("CREATE_IN_PROGRESS", ErrorKind::Invalid), (STACK_IN_REVIEW, ErrorKind::Denied)] {
        let (run, mut state) = left();
        state.stacks.insert("stack:left".to_owned(), VecDeque::from([status.to_owned()]));
        state.refusals.insert("create_change_set", VecDeque::from([kind]));
        let fake = Fake::new(state);
        assert!(run.on(&fake).await.has_failed());
        assert_eq!(fake.calls(), ["create_change_set f"]);
    }
    // Refused twice, it is AWS's word.
    let (run, mut state) = left();
    state.refusals.insert("create_change_set", VecDeque::from([ErrorKind::Invalid; 2]));
    let gone = LiveStack { status: "DELETE_COMPLETE".to_owned(), ..stack() };
    state.moved_stacks.insert("serverlessrepo-f".to_owned(), gone);
    let report = run.on(&Fake::new(state)).await;
    assert!(matches!(failure(&report), Failure::Aws(error) if error.kind == ErrorKind::Invalid));
}

/// Without it a function on a capacity provider would be called unknown, and never be changed.
#[tokio::test(start_paused = true)]
async fn states_of_capacity_providers_are_known() {
    let in_state = |name: &'static str| async move {
        let (run, mut state) = drifted();
        state.functions.get_mut("f").expect("built above").state = name.to_owned();
        run.on(&Fake::new(state)).await
    };
    assert_eq!(kinds(&in_state("Deactivated").await), [(StepKind::Configuration, "applied")]);
    assert!(matches!(failure(&in_state("Deactivating").await), Failure::TimedOut { .. }), "it is waited for");
    assert!(matches!(failure(&in_state("Levitating").await), Failure::UnknownState { .. }));
}

/// Without it a change of subnets would take a dual-stack function's IPv6 away, unseen.
#[tokio::test(start_paused = true)]
async fn ipv6_is_carried_over_with_a_network() {
    let sent = |wanted: Vpc, ipv6: Option<bool>| async move {
        let (mut run, mut state) = drifted();
        // An application without parameters for it leaves the network to Lambda's own call.
        if let Reading::Found(version) = &mut run.live.functions.get_mut("f").expect("it is read").application {
            version.parameters.retain(|name, _| !name.starts_with("vpc"));
        }
        let network = Vpc::new(["subnet-1".to_owned()], ["sg-1".to_owned()]);
        super::wanted(&mut run.desired).settings.vpc = Some(wanted);
        for live in [state.functions.get_mut("f").expect("built above"), fixtures::live_configuration(&mut run.live)] {
            live.settings.vpc = Some(network.clone());
            live.ipv6_dual_stack = ipv6;
        }
        let fake = Fake::new(state);
        let report = run.on(&fake).await;
        assert!(!report.has_failed(), "{:?}", report.outcomes);
        let sent = fake.state().sent[0].clone();
        (sent.settings.vpc.is_some(), sent.ipv6_dual_stack)
    };
    let other = Vpc::new(["subnet-2".to_owned()], ["sg-1".to_owned()]);
    assert_eq!(sent(other.clone(), Some(true)).await, (true, Some(true)));
    assert_eq!(sent(other, None).await, (true, None));
    assert_eq!(sent(Vpc::default(), Some(true)).await, (true, None), "outside a VPC there is none");
    let same = Vpc::new(["subnet-1".to_owned()], ["sg-1".to_owned()]);
    assert_eq!(sent(same, Some(true)).await, (false, None), "what isn't sent stays");
}
