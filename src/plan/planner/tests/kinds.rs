//! Secrets that AWS or a partner rotates, and secrets and functions that can be named in several ways.

use super::*;
use crate::model::external::Doubt;
use crate::model::{External, Secret};
use crate::plan::NoteKind;

fn secret_of(desired: &mut Desired) -> &mut Secret {
    desired.secrets.get_mut("s").expect("built there")
}

/// A manifest and an account whose one secret AWS rotates by itself.
fn managed(of: impl Fn(&mut LiveSecret)) -> (Desired, Live) {
    let (mut desired, mut live) = (desired(), live());
    secret_of(&mut desired).function = None;
    let secret = live_secret(&mut live);
    secret.function_arn = None;
    of(secret);
    (desired, live)
}

fn partner(secret: &mut LiveSecret) {
    secret.partner_type = Some("SalesforceClientSecret".to_owned());
    let metadata = BTreeMap::from([("apiVersion".to_owned(), "v65.0".to_owned()), ("b".to_owned(), "1".to_owned())]);
    secret.external = External { role: Some("arn:role".to_owned()), metadata };
}

/// Without it, a plan would speak of a test that nothing runs, or send a service's secret away for want of a function.
#[test]
fn what_aws_rotates_is_set_without_a_function_and_without_a_test() {
    for of in [|secret: &mut LiveSecret| secret.owning_service = Some("rds".to_owned()), partner] {
        let (mut desired, mut live) = managed(of);
        assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), [""; 0]);
        secret_of(&mut desired).rotation.rules = Some(days(60));
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!(
            lines(&plan),
            ["secret.s UpdateRotation rotation.rules !may-rotate-on-old-schedule !rotates-less-often"]
        );
        let request = plan.changes[0].action.rotate_secret().expect("a request");
        assert_eq!((&request.function_arn, &request.external), (&None, &None), "what stays isn't sent");
        live_secret(&mut live).rotation_enabled = Some(false);
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!((errors(&plan), plan.changes.len()), (vec![], 1));
        secret_of(&mut desired).rotation.enabled = Some(false);
        live_secret(&mut live).rotation_enabled = Some(true);
        assert_eq!(
            lines(&make_plan(&desired, &live, CONVERGE)),
            ["secret.s DisableRotation rotation.enabled !stops-rotation"]
        );
        secret_of(&mut desired).function = Some("f".to_owned());
        assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)).len(), 1, "a function is refused");
    }
    // A service that isn't known to rotate its secrets may have learned it: AWS's answer counts.
    let (mut desired, live) = managed(|secret| secret.owning_service = Some("events".to_owned()));
    secret_of(&mut desired).rotation.rules = Some(days(60));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(plan.problems[0].kind, ProblemKind::NotRotatedByService { service: "events".to_owned() });
    assert_eq!(errors(&plan), []);
}

/// Without it, metadata that nobody mentions would be lost: AWS replaces all of it at once.
#[test]
fn metadata_is_sent_whole_and_compared_key_by_key() {
    let (mut desired, mut live) = managed(partner);
    let stated = |role: Option<&str>, version: &str| External {
        role: role.map(str::to_owned),
        metadata: BTreeMap::from([("apiVersion".to_owned(), version.to_owned())]),
    };
    secret_of(&mut desired).external = Some(stated(None, "v65.0"));
    assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), [""; 0]);
    secret_of(&mut desired).external = Some(stated(Some("arn:other"), "v66.0"));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(lines(&plan), ["secret.s UpdateRotation external.role external.metadata.apiVersion"]);
    let sent = plan.changes[0].action.rotate_secret().and_then(|request| request.external.clone()).expect("sent");
    assert_eq!(sent.metadata.get("b").map(String::as_str), Some("1"));
    // What is known of types is a warning; a role that is missing, an error.
    live_secret(&mut live).external = External::default();
    live_secret(&mut live).partner_type = Some("DatadogApiKey".to_owned());
    secret_of(&mut desired).external = Some(stated(None, "v66.0"));
    let plan = make_plan(&desired, &live, CONVERGE);
    let partner = "DatadogApiKey".to_owned();
    assert_eq!(errors(&plan), [ProblemKind::NoExternalRole { partner: partner.clone() }]);
    let doubt = Doubt::MissingKey { key: "adminSecretArn".to_owned() };
    assert!(
        plan.problems
            .iter()
            .any(|one| one.kind == ProblemKind::ExternalDoubt { partner: partner.clone(), doubt: doubt.clone() })
    );
    live_secret(&mut live).partner_type = None;
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE))[0], ProblemKind::NotExternal);
}

/// Without it, two entries would set one secret's schedule in turn, or a text that may mean another secret would pass.
#[test]
fn one_secret_by_two_names_is_refused() {
    let (mut desired, mut live) = (desired(), live());
    let named = live_secret(&mut live).arn.clone();
    let twin = Secret { name: named.clone(), ..secret_of(&mut desired).clone() };
    desired.secrets.insert("twin".to_owned(), twin);
    let found = live.secrets["s"].clone();
    live.secrets.insert("twin".to_owned(), found);
    let other = |handle: &str| ProblemKind::SameSecret { other: desired.address(Kind::Secret, handle) };
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), [other("twin"), other("s")]);
    // A partial ARN that ends as a complete one does is said; a complete one isn't.
    let mut desired = super::desired();
    secret_of(&mut desired).name.clone_from(&named);
    live.secrets.remove("twin");
    assert_eq!(make_plan(&desired, &live, CONVERGE).problems, []);
    live_secret(&mut live).arn = format!("{named}-aB3dE6");
    let kinds: Vec<_> = make_plan(&desired, &live, CONVERGE).problems.into_iter().map(|one| one.kind).collect();
    assert!(matches!(&kinds[..], [ProblemKind::PartialArn { .. }]), "{kinds:?}");
}

/// Without it, a version or an alias that isn't there would be called a function that isn't, which people see in the console.
#[test]
fn a_missing_alias_is_named() {
    let (mut desired, mut live) = (desired(), live());
    let reference = "f:live".to_owned();
    desired.functions.get_mut("f").expect("built there").source = FunctionSource::Existing { reference };
    live_function(&mut live).configuration = Reading::Absent;
    let errors = errors(&make_plan(&desired, &live, CONVERGE));
    assert_eq!(errors[0], ProblemKind::QualifierMissing { qualifier: "live".to_owned() });
}

/// Without it, an alias of the right key would be a warning for ever.
#[test]
fn an_alias_is_not_taken_for_another_key() {
    let mut live = live();
    live_secret(&mut live).kms_key = Some("alias/payments".to_owned());
    let mut desired = desired();
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new(key));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(plan.problems, []);
    assert!(plan.notes.iter().any(|note| matches!(note.kind, NoteKind::KeysNotCompared { .. })));
}

/// Without it, where nothing can be deployed would be blamed on the network; or where something can, refused by an old list.
#[test]
fn a_region_without_the_repository_is_named() {
    let mut live = empty_live();
    live.region = "eu-central-2".to_owned();
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE)), [], "what was read counts");
    let unread = Unread::Failed { call: None, code: None, message: "dns error".to_owned(), request_id: None };
    live_function(&mut live).application = Reading::Unread(unread);
    let region = "eu-central-2".to_owned();
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE))[0], ProblemKind::NoRepository { region });
}

/// Without it, every plan would warn of a statement that a stack made, and that no manifest can mend; or of none that a person wrote.
#[test]
fn what_the_stack_of_an_existing_function_lets_in_is_a_note() {
    let mut desired = desired();
    if let Some(function) = desired.functions.get_mut("f") {
        function.source = crate::model::FunctionSource::Existing { reference: "f".to_owned() };
    }
    let open = |sid: &str| Statement {
        sid: sid.to_owned(),
        allows: true,
        denies: false,
        source_account: None,
        source_arn: None,
        other_conditions: false,
    };
    let plan = |sid: &str, stack: Option<&str>| {
        let mut live = live();
        live.functions.get_mut("f").expect("built there").policy = Reading::Found(vec![open(sid)]);
        let tags = stack.map(|stack| (crate::model::STACK_TAG.to_owned(), stack.to_owned()));
        live_configuration(&mut live).tags = Ok(tags.into_iter().collect());
        let plan = make_plan(&desired, &live, CONVERGE);
        let is_note = |note: &crate::plan::Note| matches!(note.kind, NoteKind::UnscopedPermission { .. });
        let is_problem = |one: &crate::plan::Problem| matches!(one.kind, ProblemKind::UnscopedPermission { .. });
        (
            plan.notes.iter().filter(|one| is_note(one)).count(),
            plan.problems.iter().filter(|one| is_problem(one)).count(),
        )
    };
    assert_eq!(plan("serverlessrepo-f-LambdaPermission-1A2B", Some("serverlessrepo-f")), (1, 0));
    assert_eq!(plan("by-hand", Some("serverlessrepo-f")), (0, 1));
    assert_eq!(plan("serverlessrepo-f-LambdaPermission-1A2B", None), (0, 1));
}
