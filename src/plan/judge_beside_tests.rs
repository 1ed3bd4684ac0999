//! What rules find beside the secrets that a manifest rotates: orphans, secrets that are off, names in other forms.

use super::*;

/// Without it, `validate` would pass a manifest that switches off what a rule wants on.
#[test]
fn what_is_switched_off_is_known_offline() {
    let mut world = World::new();
    world.secret().rotation = Rotation { enabled: Some(false), ..Rotation::default() };
    let enabled = rule(&[Demand::Enabled]);
    let verdict = judge_offline([&enabled], &world.desired, date(TODAY));
    let found: Vec<&ProblemKind> = verdict.problems.iter().map(|problem| &problem.kind).collect();
    assert!(matches!(found[..], [ProblemKind::Policy { breach: Breach::Off, .. }]), "{found:?}");
    assert_eq!(verdict.unproven, []);
}

/// Without it, a mere warning would have a secret judged by the schedule that the plan takes away; or an error without a
/// change would leave nothing out.
#[test]
fn errors_leave_something_out_and_warnings_do_not() {
    let mut world = World::new();
    live_secret(&mut world.live).kms_key = Some("arn:aws:kms:eu-west-1:111111111111:key/1234".into());
    live_secret(&mut world.live).rules = Some(days(90));
    assert!(!world.breaks(Demand::MaxAge(60)));
    let mut world = World::new();
    wanted(&mut world.desired).code.as_mut().expect("built there").unusable = Some("gone".into());
    let plan =
        plan::make_plan(&world.desired, &world.live, plan::PlanOptions { purpose: world.purpose, partial: false });
    assert_eq!(plan.changes, []);
    assert!(left_out(&plan).contains(&world.desired.address(Kind::Function, "f")));
}

/// Without it, an entry that names its secret by an ARN without the random end would be taken for no entry: the secret would be
/// judged as one that no manifest names, and the entry not at all.
#[test]
fn a_partial_arn_names_a_secret() {
    let mut world = World::new();
    let partial = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:off".to_owned();
    let entry = Secret { name: partial, rotation: Rotation::default(), ..world.secret().clone() };
    world.desired.secrets.insert("off".into(), entry);
    world.live.listed = Some(Ok(vec![listed("off", false, 30)]));
    let mut covers = rule(&[Demand::Enabled]);
    covers.covers_live = Some(place(7));
    assert_eq!(world.breaches(&covers), [("secret.off".to_owned(), Breach::Off)]);
}

/// Without it, a rule would be held against the name that six characters of another one's ARN spell.
#[test]
fn a_partial_arn_is_judged_by_the_name_that_aws_gives() {
    let mut world = World::new();
    world.secret().name = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/db-config".to_owned();
    world.secret().rotation.enabled = Some(false);
    let of = |pattern: &str| {
        let mut rule = rule(&[Demand::Enabled]);
        rule.scope.secrets = Some(vec![Pattern(pattern.into())]);
        rule
    };
    live_secret(&mut world.live).name = "app/db-config".to_owned();
    assert_eq!(world.breaches(&of("app/db-config")).len(), 1);
    assert_eq!(world.breaches(&of("app/db")), []);
    // Offline, nobody knows; where both are meant, it doesn't matter.
    let offline = |rule: &Rule, desired: &Desired| {
        let verdict = judge_offline([rule], desired, "2026-06-01".parse().expect("a test's own date"));
        (verdict.problems.len(), verdict.unproven.into_iter().map(|one| one.why).collect::<Vec<_>>())
    };
    let unknown = vec![Why::Names(vec![world.desired.address(Kind::Secret, "s")])];
    assert_eq!(offline(&of("app/db-config"), &world.desired), (0, unknown));
    assert_eq!(offline(&of("app/*"), &world.desired), (1, vec![]));
}

/// A rule that asks for code, for some secrets, and a function whose code isn't of the manifest.
fn without_code(secrets: &str) -> (World, Rule) {
    let mut world = World::new();
    wanted(&mut world.desired).code = None;
    world.secret().function = None;
    world.secret().rotation = Rotation::default();
    let mut code = rule(&[Demand::Code]);
    code.scope.secrets = Some(vec![Pattern(secrets.into())]);
    (world, code)
}

/// Without it, a secret that is off would bring its rules to the function that it once rotated with; or one that rotates
/// wouldn't.
#[test]
fn only_what_is_on_rotates_with_a_function() {
    let breach = [("function.f".to_owned(), Breach::NoCode)];
    let (mut world, code) = without_code("s");
    assert_eq!(world.breaches(&code), breach);
    live_secret(&mut world.live).rotation_enabled = Some(false);
    assert_eq!(world.breaches(&code), []);
    let (mut world, code) = without_code("other");
    for (is_on, expected) in [(true, &breach[..]), (false, &[])] {
        let other = ListedSecret { function_arn: Some(arn("f").into()), ..listed("other", is_on, 30) };
        world.live.listed = Some(Ok(vec![other]));
        assert_eq!(world.breaches(&code), expected);
    }
}

/// Without it, secrets that still rotate with a function of a stack without an entry would bring no rule to it.
#[test]
fn secrets_of_an_orphaned_stack_bring_their_rules_along() {
    let mut world = World { live: crate::plan::fixtures::orphaned(), ..World::new() };
    world.live.orphan_secrets = Ok(Vec::new());
    world.existing("old");
    crate::plan::fixtures::live_configuration(&mut world.live).arn = arn("old");
    let mut code = rule(&[Demand::Code]);
    code.scope.secrets = Some(vec![Pattern("forgotten".into())]);
    assert_eq!(world.breaches(&code), [("function.f".to_owned(), Breach::CodeElsewhere { function: None })]);
    world.live.orphan_stacks[0].rotating = Some(Vec::new());
    assert_eq!(world.breaches(&code), []);
}

/// Without it, of several stacks that pruning deletes, the first one's secrets would decide for all.
#[test]
fn each_orphaned_stack_is_judged_by_its_own_secrets() {
    let mut world = World { live: crate::plan::fixtures::orphaned(), ..World::new() };
    world.purpose = Purpose::Converge { prune: true };
    let mut unused = world.live.orphan_stacks[0].clone();
    unused.stack.name = "serverlessrepo-unused".into();
    unused.stack.id = "arn:unused".into();
    unused.function_arn = Some(arn("unused"));
    unused.rotating = Some(Vec::new());
    world.live.orphan_stacks.insert(0, unused);
    let mut deletes = rule(&[Demand::Forbid("deletes".into())]);
    deletes.scope.secrets = Some(vec![Pattern("forgot*".into())]);
    let breach = Breach::Effect { effect: "deletes".into() };
    assert_eq!(world.breaches(&deletes), [("orphan_stack.serverlessrepo-old".to_owned(), breach)]);
}

/// Without it, a rule that isn't about named secrets would not hold for a function that nothing rotates with yet; or one that is
/// would.
#[test]
fn a_function_without_secrets_is_meant_by_its_labels() {
    let (mut world, mut code) = without_code("s");
    world.desired.secrets = BTreeMap::new().into();
    world.live.secrets.clear();
    assert_eq!(world.breaches(&code), []);
    code.scope.secrets = None;
    assert_eq!(world.breaches(&code).len(), 1);
    code.scope.labels = BTreeMap::from([("tier".to_owned(), Pattern("prod".into()))]);
    assert_eq!(world.breaches(&code), []);
    let function = world.desired.functions.get_mut("f").expect("built there");
    function.labels.insert("tier".into(), "prod".into());
    assert_eq!(world.breaches(&code).len(), 1);
}
