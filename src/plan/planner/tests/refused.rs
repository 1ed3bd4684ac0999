//! What a plan refuses or foresees of functions, stacks and secrets that others hold, or that aren't as they should be.

use super::*;
use std::sync::Arc;

use crate::model::SHARED_TAG;
use crate::model::live::{AttachedFunction, Configuration};
use crate::plan::fixtures;
use crate::plan::problem::LiveFault;

/// The fixtures' function, used and not deployed, with a secret whose rotation is off.
fn used() -> (Desired, Live) {
    let (mut desired, mut live) = (desired(), live());
    desired.functions.get_mut("f").expect("built there").source =
        FunctionSource::Existing { reference: "f".to_owned() };
    live_secret(&mut live).rotation_enabled = Some(false);
    (desired, live)
}

/// Without it, a manifest could attach its secrets to the function of another project, which may change it at any time.
#[test]
fn a_function_of_another_project_is_not_used_unless_shared() {
    let (mut desired, mut live) = used();
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);
    let of = |tags: &[(&str, &str)]| Ok(tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
    for tags in [&[(PROJECT_TAG, "q")][..], &[(PROJECT_TAG, "q"), (SHARED_TAG, "false")]] {
        live_configuration(&mut live).tags = of(tags);
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!(errors(&plan)[0], ProblemKind::OtherProject { project: "q".to_owned() }, "{tags:?}");
        assert!(plan.runnable().next().is_none());
    }
    live_configuration(&mut live).tags = of(&[(PROJECT_TAG, "q"), (SHARED_TAG, "true")]);
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);
    live_configuration(&mut live).tags = of(&[(PROJECT_TAG, "q")]);
    desired.renamed_from = Some("q".to_owned());
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);
}

/// Without it, an apply would wait minutes for a permission that the function's owner never gave.
#[test]
fn a_used_function_must_let_secrets_manager_in() {
    let (desired, mut live) = used();
    for policy in [Reading::Absent, Reading::Found(Vec::new())] {
        live_function(&mut live).policy = policy;
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!(errors(&plan), [ProblemKind::NotPermitted]);
        assert!(plan.changes.iter().all(|change| change.blocked));
    }
    live_function(&mut live).policy = Reading::Found(vec![statement()]);
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);
}

/// Without it, a secret of another account would wait two minutes for a permission that nobody wrote; or one that a statement names
/// alone be refused.
#[test]
fn a_permission_is_judged_for_the_secret() {
    let (desired, mut live) = used();
    live_secret(&mut live).arn = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:s-abcdef".to_owned();
    let account = "222222222222".to_owned();
    let refused = ProblemKind::OtherAccount { function: arn("f"), account: account.clone() };
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), std::slice::from_ref(&refused));
    // What this manifest deploys is opened for its own account alone.
    assert_eq!(errors(&make_plan(&fixtures::desired(), &live, CONVERGE)), [refused]);
    let theirs = Statement { source_account: Some(account), ..statement() };
    live_function(&mut live).policy = Reading::Found(vec![statement(), theirs]);
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);

    let (desired, mut live) = used();
    let secret = live_secret(&mut live).arn.clone();
    for (source, refused) in [(secret, false), ("arn:other".to_owned(), true)] {
        live_function(&mut live).policy = Reading::Found(vec![Statement { source_arn: Some(source), ..statement() }]);
        assert_eq!(!errors(&make_plan(&desired, &live, CONVERGE)).is_empty(), refused);
    }
}

/// Without it, a secret whose entry names no function would be given other rules, and wait for a function that is gone, or never runs.
#[test]
fn the_live_function_is_looked_at_where_the_entry_names_none() {
    let (mut desired, mut live) = (desired(), live());
    let entry = desired.secrets.get_mut("s").expect("built there");
    (entry.function, entry.rotation.rules) = (None, Some(days(60)));
    let found = live_configuration(&mut live).clone();
    let with = |configuration: Reading<Configuration>, policy: Reading<Vec<Statement>>| {
        let mut live = live.clone();
        live_secret(&mut live).attached = Some(Arc::new(AttachedFunction { configuration, policy }));
        let plan = make_plan(&desired, &live, CONVERGE);
        let faults = errors(&plan).into_iter().map(|kind| match kind {
            ProblemKind::LiveFunction { fault, .. } => fault,
            other => panic!("{other:?}"),
        });
        faults.collect::<Vec<_>>()
    };
    let open = || Reading::Found(vec![statement()]);
    let denial = Statement { sid: "no".to_owned(), allows: false, denies: true, ..statement() };
    let failed = Configuration { state: "Failed".to_owned(), state_reason: None, ..found.clone() };
    let throttled = Configuration { reserved_concurrency: Some(0), ..found.clone() };
    let account = live.account.clone();
    assert_eq!(with(Reading::Found(found.clone()), open()), []);
    assert_eq!(with(Reading::Absent, Reading::Absent), [LiveFault::Missing]);
    assert_eq!(with(Reading::Found(failed), open()), [LiveFault::Failed { reason: None }]);
    assert_eq!(with(Reading::Found(throttled), open()), [LiveFault::Throttled]);
    assert_eq!(with(Reading::Found(found.clone()), Reading::Absent), [LiveFault::NotPermitted { account }]);
    let denied = LiveFault::Denied { statement: "no".to_owned() };
    assert_eq!(with(Reading::Found(found.clone()), Reading::Found(vec![statement(), denial])), [denied]);
    let unread = || Unread::Failed { call: None, code: None, message: "try later".to_owned(), request_id: None };
    assert_eq!(with(Reading::Unread(unread()), Reading::Unread(unread())), []);
    assert_eq!(with(Reading::Found(found), Reading::Unread(unread())), []);

    // Where nothing is sent, it is said.
    desired.secrets.get_mut("s").expect("built there").rotation.rules = None;
    let gone = AttachedFunction { configuration: Reading::Absent, policy: Reading::Absent };
    live_secret(&mut live).attached = Some(Arc::new(gone));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert!(errors(&plan).is_empty() && plan.changes.is_empty());
    assert!(
        plan.problems.iter().any(|one| matches!(one.kind, ProblemKind::LiveFunction { .. })),
        "{:?}",
        plan.problems
    );
}

/// Without it, a function's stack would be changed while the manifest means another function.
#[test]
fn a_stack_whose_function_is_named_otherwise_is_left_alone() {
    let mut live = live();
    live_function(&mut live).stack = Reading::Found(LiveStack { function: Some("g".to_owned()), ..stack() });
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!((errors(&plan), plan.changes.len()), (vec![ProblemKind::NamedOtherwise { live: "g".to_owned() }], 0));
}

/// Without it, a stack that lost its function would be updated for ever without one; or one that isn't ours be deleted.
#[test]
fn a_stack_that_lost_its_function_is_made_again_where_it_is_ours() {
    let mut live = live();
    live_function(&mut live).configuration = Reading::Absent;
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(plan.changes[0].reason, Reason::FunctionGone);
    assert!(matches!(&plan.changes[0].action, Action::DeployStack { replaces: Some(id), .. } if *id == stack().id));
    let mut theirs = stack();
    theirs.tags.remove(PROJECT_TAG);
    live_function(&mut live).stack = Reading::Found(theirs);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!((errors(&plan), plan.changes.len()), (vec![ProblemKind::FunctionMissing], 0));
}

/// Without it, a plan would read as if no stack were left over, where none could be listed.
#[test]
fn stacks_that_cannot_be_listed_are_said() {
    let unread = Unread::Failed { call: None, code: None, message: "try later".to_owned(), request_id: None };
    let live = Live { stacks_unread: Some(unread.clone()), ..live() };
    for scope in [CONVERGE, PRUNE, DESTROY] {
        let plan = make_plan(&desired(), &live, scope);
        let said = plan.notes.iter().filter(|note| {
            note.kind == NoteKind::OrphansNotChecked { unread: Some(unread.clone()) } && note.address.is_none()
        });
        assert_eq!(said.count(), 1, "{scope:?}");
    }
}

/// Without it, a change set for the tags would meet a stack that is at work, and fail in the middle of an apply.
#[test]
fn a_busy_stack_is_not_let_go_of() {
    let mut desired = desired();
    desired.removed = BTreeSet::from([desired.address(Kind::Function, "old")]);
    let mut live = orphaned();
    live.orphan_stacks[0].stack.status = "UPDATE_IN_PROGRESS".to_owned();
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::StackBusy { status: "UPDATE_IN_PROGRESS".to_owned() }]);
    assert_eq!(plan.changes, []);
}

/// Without it, a removal would leave a stack of the project for ever, because an entry that goes with it names its function.
#[test]
fn a_removal_deletes_a_stack_that_an_entry_names() {
    let mut desired = desired();
    desired.functions.insert("kept".to_owned(), existing("old"));
    let plan = make_plan(&desired, &orphaned(), DESTROY);
    assert_eq!(errors(&plan), []);
    let deleted = plan.runnable().filter(|change| change.name == "serverlessrepo-old").count();
    assert_eq!(deleted, 1, "{:?}", lines(&plan));
}

/// Without it, a statement that keeps one secret out would hold all others of its function.
#[test]
fn a_denial_for_one_secret_holds_that_one() {
    let mut live = live();
    live_secret(&mut live).rotation_enabled = Some(false);
    for (secret, expected) in [
        (secret().arn, vec![ProblemKind::InvocationDenied { statement: "keepout".to_owned() }]),
        ("arn:aws:secretsmanager:eu-west-1:111111111111:secret:t-abcdef".to_owned(), vec![]),
    ] {
        let denial = Statement {
            sid: "keepout".to_owned(),
            allows: false,
            denies: true,
            source_arn: Some(secret),
            ..statement()
        };
        live_function(&mut live).policy = Reading::Found(vec![statement(), denial]);
        assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE)), expected);
    }
}

/// Without it, an entry that only keeps a rotation off would fail each plan once its secret is gone.
#[test]
fn a_missing_secret_that_shall_be_off_is_a_warning() {
    let (mut desired, mut live) = (desired(), live());
    live.secrets.insert("s".to_owned(), Reading::Absent);
    let found = |desired: &Desired, live: &Live| -> Vec<(Severity, ProblemKind)> {
        let problems = make_plan(desired, live, CONVERGE).problems.into_iter();
        problems.map(|problem| (problem.severity, problem.kind)).collect()
    };
    assert_eq!(found(&desired, &live), [(Severity::Error, ProblemKind::SecretMissing)]);
    desired.secrets.get_mut("s").expect("built there").rotation.enabled = Some(false);
    assert_eq!(found(&desired, &live), [(Severity::Warning, ProblemKind::SecretMissing)]);
}

/// Without it, a secret could not be taken over once its old project has let it go; or be given another schedule where it stays.
#[test]
fn only_a_rotation_that_goes_on_elsewhere_belongs_to_another_project() {
    let mut live = live();
    let secret = live_secret(&mut live);
    (secret.function_arn, secret.function_project) = (Some(arn("theirs")), Some("q".to_owned()));
    let other = [ProblemKind::OtherProject { project: "q".to_owned() }];
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE)), other);
    live_secret(&mut live).rotation_enabled = Some(false);
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE)), [], "it is off");
    live_secret(&mut live).rotation_enabled = Some(true);
    let mut stays = desired();
    let secret = stays.secrets.get_mut("s").expect("built there");
    (secret.function, secret.rotation.rules) = (None, Some(days(7)));
    let plan = make_plan(&stays, &live, CONVERGE);
    assert_eq!((errors(&plan), plan.changes.len()), (vec![], 1), "it keeps its function");
}

/// Without it, a function would get the right to one key, and its secrets be encrypted with another, without a word.
#[test]
fn a_parameter_that_names_another_key_is_a_warning() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
    let mut live = live();
    live_secret(&mut live).kms_key = Some(key.to_owned());
    for (parameter, named) in [
        ("arn:aws:kms:eu-west-1:111111111111:key/5678", false),
        ("5678", false),
        ("1234", true),
        (key, true),
        ("arn:aws:kms:eu-west-1:111111111111:key/*", true),
    ] {
        let mut desired = desired();
        wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new(parameter));
        let plan = make_plan(&desired, &live, CONVERGE);
        let warned = plan.problems.iter().any(|one| one.kind == ProblemKind::KeyWithoutParameter { key: key.into() });
        assert_eq!(warned, !named, "{parameter}");
    }
}
