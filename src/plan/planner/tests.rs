//! The planner on small built states.

mod asked;
mod kinds;
mod refused;
mod verify;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::model::live::{
    ApplicationVersion, LiveSecret, LiveStack, OrphanStack, ParameterDefinition, Reading, Statement, Unread,
};
use crate::model::{
    Deployment, FunctionSource, PROJECT_TAG, RotationRules, SAR_VERSION_TAG, Schedule, Sensitive, Setting, Vpc,
};
use crate::plan::fixtures::*;
use crate::plan::{Attribute, StepKind};

const CONVERGE: PlanOptions = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false };
const PRUNE: PlanOptions = PlanOptions { purpose: Purpose::Converge { prune: true }, partial: false };
const DESTROY: PlanOptions = PlanOptions { purpose: Purpose::Destroy, partial: false };

/// Each change as a line: address, action, fields, effects, what it waits for.
fn lines(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|change| {
            let action = format!("{:?}", change.action);
            let action = action.split([' ', '(']).next().unwrap_or_default();
            let mut line = format!("{} {action}", change.address);
            for field in &change.fields {
                line.push(' ');
                line.push_str(&field.attribute.path());
            }
            for effect in &change.effects {
                line.push_str(" !");
                line.push_str(effect.word());
            }
            if !change.after.is_empty() {
                let _ = write!(line, " after{:?}", change.after);
            }
            if change.blocked {
                line.push_str(" BLOCKED");
            }
            line
        })
        .collect()
}

fn errors(plan: &Plan) -> Vec<ProblemKind> {
    let errors = plan.problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.kind.clone()).collect()
}

/// Without it a second plan would never be empty.
#[test]
fn equal_states_differ_in_nothing() {
    let plan = make_plan(&desired(), &live(), CONVERGE);
    assert_eq!(plan.changes, []);
    assert_eq!(plan.problems, []);
    assert_eq!(plan.notes, []);
}

/// The guide's eight steps, in their order.
#[test]
fn nothing_there_is_deployed_in_the_guides_order() {
    let plan = make_plan(&desired(), &empty_live(), CONVERGE);
    insta::assert_debug_snapshot!(lines(&plan), @r#"
    [
        "function.f DeployStack stack application.id application.version application.parameters.endpoint application.parameters.functionName",
        "function.f UpdateConfiguration timeout environment.URL after[0]",
        "function.f UpdateCode code.source code.sha256 after[1]",
        "function.f AddPermission permission.principal permission.source_account !opens-permission after[2]",
        "secret.s EnableRotation rotation.enabled function rotation.rules !rotates-now after[0, 1, 2, 3]",
    ]
    "#);
    let kinds: Vec<_> = crate::plan::order(&plan, &desired()).into_iter().map(|step| step.kind).collect();
    assert_eq!(
        kinds,
        [
            StepKind::Stack,
            StepKind::Configuration,
            StepKind::Code,
            StepKind::Permission,
            StepKind::Rotation,
            StepKind::Watch
        ]
    );
}

/// Drift by other hands, each with the right action.
#[test]
fn each_drift_gets_its_own_repair() {
    let one = |drift: fn(&mut Live)| {
        let mut live = live();
        drift(&mut live);
        let plan = make_plan(&desired(), &live, CONVERGE);
        assert_eq!(errors(&plan), []);
        lines(&plan).join("; ")
    };
    assert_eq!(
        one(|live| live_configuration(live).settings.timeout = Some(3)),
        "function.f UpdateConfiguration timeout"
    );
    assert_eq!(
        one(|live| live_configuration(live).environment = Ok(BTreeMap::new())),
        "function.f UpdateConfiguration environment.URL"
    );
    assert_eq!(
        one(|live| live_configuration(live).code_sha256 = "theirs".to_owned()),
        "function.f UpdateCode code.sha256 !replaces-code"
    );
    assert_eq!(
        one(|live| live_function(live).policy = Reading::Absent),
        "function.f AddPermission permission.principal permission.source_account !opens-permission"
    );
    assert_eq!(
        one(|live| live_secret(live).rotation_enabled = Some(false)),
        "secret.s EnableRotation rotation.enabled !rotates-now"
    );
    assert_eq!(
        one(|live| live_secret(live).rules = Some(days(60))),
        "secret.s UpdateRotation rotation.rules !tests-now !may-rotate-on-old-schedule"
    );
    assert_eq!(
        one(|live| live_secret(live).function_arn = Some(arn("other"))),
        "secret.s UpdateRotation function !tests-now !replaces-code !takes-over"
    );
}

/// Zips made by others hold the same files in other bytes; replacing them would be a change about nothing.
#[test]
fn the_same_files_in_other_bytes_are_the_same_code() {
    let mut live = live();
    let configuration = live_configuration(&mut live);
    configuration.code_sha256 = "zipped by hand".to_owned();
    configuration.code_files = Some(vec![file("lambda_function.py", "1")]);
    assert!(make_plan(&desired(), &live, CONVERGE).is_empty());
    live_configuration(&mut live).code_files = Some(vec![file("lambda_function.py", "2")]);
    insta::assert_debug_snapshot!(lines(&make_plan(&desired(), &live, CONVERGE)), @r#"
    [
        "function.f UpdateCode code.sha256 code.files.lambda_function.py !replaces-code",
    ]
    "#);
}

/// The tag, nothing else; and never another project's stack.
#[test]
fn a_stack_without_a_tag_is_adopted_and_anothers_is_refused() {
    let mut live = live();
    let mut untagged = stack();
    untagged.tags.remove(PROJECT_TAG);
    live_function(&mut live).stack = Reading::Found(untagged);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(lines(&plan), ["function.f TagStack tags.rotator:project"]);
    assert_eq!(plan.changes[0].reason, Reason::Adopt);
    // Configuration and code are compared again after every change of a stack.
    let kinds: Vec<_> = crate::plan::order(&plan, &desired()).into_iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Stack, StepKind::Configuration, StepKind::Code]);

    let mut theirs = stack();
    theirs.tags.insert(PROJECT_TAG.to_owned(), "q".to_owned());
    live_function(&mut live).stack = Reading::Found(theirs);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::OtherProject { project: "q".to_owned() }]);
    assert!(plan.is_empty());

    let mut desired = desired();
    desired.renamed_from = Some("q".to_owned());
    assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), ["function.f TagStack tags.rotator:project !takes-over"]);
}

/// A dead stack of ours is deleted and made again; of others, it is only spoken of.
#[test]
fn a_failed_stack_is_replaced_where_it_is_ours() {
    let mut live = empty_live();
    live_function(&mut live).stack =
        Reading::Found(LiveStack { status: "ROLLBACK_COMPLETE".to_owned(), function: None, ..stack() });
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(plan.changes[0].reason, Reason::FailedStack { status: "ROLLBACK_COMPLETE".to_owned() });
    assert!(plan.changes[0].effects.contains(&Effect::Deletes));

    let mut theirs = LiveStack { status: "ROLLBACK_COMPLETE".to_owned(), function: None, ..stack() };
    theirs.tags.remove(PROJECT_TAG);
    live_function(&mut live).stack = Reading::Found(theirs);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert!(matches!(errors(&plan)[0], ProblemKind::StackBroken { ours: false, .. }));
    // The secret that needs the function is left out, and says why.
    assert!(errors(&plan).iter().any(|kind| matches!(kind, ProblemKind::BlockedBy { .. })));
    assert!(plan.runnable().next().is_none());
}

#[test]
fn a_stack_that_others_change_is_left_alone() {
    let mut live = live();
    live_function(&mut live).stack = Reading::Found(LiveStack { status: "UPDATE_IN_PROGRESS".to_owned(), ..stack() });
    wanted(&mut desired()).settings.timeout = Some(3);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::StackBusy { status: "UPDATE_IN_PROGRESS".to_owned() }]);
}

/// What the facts foresee: an error where the plan must write, else a warning; and one bad secret doesn't hide the rest.
#[test]
fn a_secrets_troubles_are_foreseen() {
    let one = |trouble: fn(&mut LiveSecret)| {
        let mut live = empty_live();
        trouble(live_secret(&mut live));
        let plan = make_plan(&desired(), &live, CONVERGE);
        assert!(plan.runnable().count() >= 4, "the function goes on");
        assert!(plan.changes.last().is_some_and(|change| change.blocked), "the secret doesn't");
        errors(&plan)
    };
    assert_eq!(one(|secret| secret.current_version = None), [ProblemKind::NoValue]);
    assert_eq!(one(|secret| secret.deleted = true), [ProblemKind::ScheduledForDeletion]);
    assert_eq!(
        one(|secret| secret.replica_of = Some("us-east-1".to_owned())),
        [ProblemKind::Replica { primary: "us-east-1".to_owned() }]
    );
    assert_eq!(
        one(|secret| secret.pending_version = Some("v2".to_owned())),
        [ProblemKind::UnfinishedRotation { version: "v2".to_owned() }]
    );
    assert_eq!(
        one(|secret| secret.owning_service = Some("rds".to_owned())),
        [ProblemKind::OwnedByService { service: "rds".to_owned() }]
    );

    // A healthy version holds both labels; an unfinished one on a secret that needs no write is a warning.
    let mut live = live();
    live_secret(&mut live).pending_version = Some("v1".to_owned());
    assert_eq!(make_plan(&desired(), &live, CONVERGE).problems, []);
    live_secret(&mut live).pending_version = Some("v2".to_owned());
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!((errors(&plan).len(), plan.problems.len()), (0, 1));

    let mut live = empty_live();
    live.secrets.insert("s".to_owned(), Reading::Absent);
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE)), [ProblemKind::SecretMissing]);
}

/// The key's right goes through the stack; without it every rotation fails silently.
#[test]
fn a_customers_key_wants_the_parameter() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
    let mut live = live();
    live_secret(&mut live).kms_key = Some(key.to_owned());
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(plan.problems[0].kind, ProblemKind::KeyWithoutParameter { key: key.to_owned() });
    let mut desired = desired();
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new(key));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(plan.problems, []);
    assert_eq!(lines(&plan), ["function.f UpdateStack application.parameters.kmsKeyArn"]);
}

/// AWS's own words win where the manifest contradicts them, before anything is written.
#[test]
fn parameters_are_checked_against_the_application() {
    let mut desired = desired();
    wanted(&mut desired).application.parameters.insert("kmsKeyARN".to_owned(), Sensitive::new("x"));
    let plan = make_plan(&desired, &empty_live(), CONVERGE);
    assert!(matches!(&errors(&plan)[0], ProblemKind::UnknownParameter { parameter, .. } if parameter == "kmsKeyARN"));
    assert!(plan.runnable().next().is_none());

    let mut live = live();
    let mut version = application();
    let hidden = ParameterDefinition { no_echo: true, ..ParameterDefinition::default() };
    version.parameters.insert("token".to_owned(), hidden);
    live_function(&mut live).application = Reading::Found(version);
    let mut with_token = stack();
    with_token.parameters.insert("token".to_owned(), Sensitive::new("****"));
    live_function(&mut live).stack = Reading::Found(with_token);
    let mut desired = self::desired();
    assert!(make_plan(&desired, &live, CONVERGE).is_empty(), "a hidden value alone is no reason to ask for it");
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("x"));
    assert_eq!(
        errors(&make_plan(&desired, &live, CONVERGE)),
        [ProblemKind::MissingParameter { parameter: "token".to_owned(), no_echo: true }]
    );
    // Stated, it is sent with any change of the stack: whether it differs isn't known, and the plan says that it is sent.
    wanted(&mut desired).application.parameters.insert("token".to_owned(), Sensitive::new("new"));
    assert_eq!(
        lines(&make_plan(&desired, &live, CONVERGE)),
        ["function.f UpdateStack application.parameters.kmsKeyArn application.parameters.token"]
    );
}

/// A VPC goes through the stack where the application declares one, and directly where only the function drifted.
#[test]
fn a_vpc_goes_through_the_stack() {
    let vpc = Vpc::new(["subnet-2".to_owned(), "subnet-1".to_owned()], ["sg-1".to_owned()]);
    let mut desired = desired();
    wanted(&mut desired).settings.vpc = Some(vpc.clone());
    let mut live = live();
    assert_eq!(
        lines(&make_plan(&desired, &live, CONVERGE)),
        ["function.f UpdateStack application.parameters.vpcSecurityGroupIds application.parameters.vpcSubnetIds"]
    );
    let mut in_vpc = stack();
    in_vpc.parameters.insert("vpcSubnetIds".to_owned(), Sensitive::new("subnet-2, subnet-1"));
    in_vpc.parameters.insert("vpcSecurityGroupIds".to_owned(), Sensitive::new("sg-1"));
    live_function(&mut live).stack = Reading::Found(in_vpc);
    assert_eq!(
        lines(&make_plan(&desired, &live, CONVERGE)),
        ["function.f UpdateConfiguration vpc.subnets vpc.security_groups"]
    );
    live_configuration(&mut live).settings.vpc = Some(vpc.clone());
    assert!(make_plan(&desired, &live, CONVERGE).is_empty());
    // A function that was put into its VPC by hand is where it should be, whatever the stack was told.
    let mut live = self::live();
    live_configuration(&mut live).settings.vpc = Some(vpc);
    assert!(make_plan(&desired, &live, CONVERGE).is_empty());
}

/// Without it a merge would wipe variables that can't be read.
#[test]
fn an_unreadable_environment_stops_its_function() {
    let mut live = live();
    live_configuration(&mut live).environment = Err("AccessDeniedException".to_owned());
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::UnreadableEnvironment { code: "AccessDeniedException".to_owned() }]);
    let mut desired = desired();
    wanted(&mut desired).environment.clear();
    assert_eq!(errors(&make_plan(&desired, &live, CONVERGE)), []);
}

/// Without it, a rule that forbids other code would be kept by the letter, and the function run a stranger's layer.
#[test]
fn whatever_makes_a_function_run_other_code_is_said() {
    type Turn = fn(&mut Deployment);
    let other: [(&str, Turn); 7] = [
        ("handler", |wanted| wanted.settings.handler = Some("lambda_function.other".to_owned())),
        ("runtime", |wanted| wanted.settings.runtime = Some("provided.al2023".to_owned())),
        ("layers", |wanted| wanted.settings.layers = Some(vec!["arn:aws:lambda:eu-west-1:9:layer:l:1".to_owned()])),
        ("application.version", |wanted| wanted.application.version = Some("1.0.2".to_owned())),
        ("environment.AWS_LAMBDA_EXEC_WRAPPER", |wanted| {
            wanted.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), Some(Sensitive::new("/opt/w")));
        }),
        ("environment.PYTHONPATH", |wanted| {
            wanted.environment.insert("PYTHONPATH".to_owned(), Some(Sensitive::new("/opt")));
        }),
        ("environment.NODE_OPTIONS", |wanted| {
            wanted.environment.insert("NODE_OPTIONS".to_owned(), None);
        }),
    ];
    let mut live = live();
    let mut older = stack();
    older.tags.insert(SAR_VERSION_TAG.to_owned(), "1.0.1".to_owned());
    live_function(&mut live).stack = Reading::Found(older);
    let variables = live_configuration(&mut live).environment.as_mut().expect("built there");
    variables.insert("NODE_OPTIONS".to_owned(), Sensitive::new("--require=/opt/x.js"));
    for (path, turn) in other {
        let mut desired = desired();
        turn(wanted(&mut desired));
        let plan = make_plan(&desired, &live, CONVERGE);
        let all: Vec<String> =
            plan.changes.iter().flat_map(|change| &change.fields).map(|one| one.attribute.to_string()).collect();
        assert_eq!((all, plan.count(Effect::ReplacesCode)), (vec![path.to_owned()], 1));
    }
    let same: [Turn; 4] = [
        |wanted| wanted.settings.timeout = Some(77),
        |wanted| wanted.settings.description = Some("other words".to_owned()),
        |wanted| drop(wanted.environment.insert("URL".to_owned(), Some(Sensitive::new("https://b")))),
        |wanted| drop(wanted.application.parameters.insert("endpoint".to_owned(), Sensitive::new("https://e"))),
    ];
    for turn in same {
        let mut desired = desired();
        turn(wanted(&mut desired));
        live_function(&mut live).stack = Reading::Found(stack());
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!((plan.changes.len(), plan.count(Effect::ReplacesCode)), (1, 0), "{:?}", lines(&plan));
    }
}

/// Without it, a publisher whom AWS doesn't answer for could be told by a parameter to run other code.
#[test]
fn parameters_of_other_publishers_may_bring_code() {
    let (mut desired, mut live) = (desired(), live());
    let theirs = "arn:aws:serverlessrepo:eu-west-1:666666666666:applications/rotate";
    theirs.clone_into(&mut wanted(&mut desired).application.id);
    let parameter = ("endpoint".to_owned(), Sensitive::new("https://other"));
    wanted(&mut desired).application.parameters.extend([parameter]);
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(lines(&plan), ["function.f UpdateStack application.parameters.endpoint !replaces-code"]);
    // Several changes of one function are one function.
    live_configuration(&mut live).code_sha256 = "theirs".to_owned();
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::ReplacesCode), 1);
}

/// Without it, `renamed_from` would take another project's functions past a rule that forbids takeovers.
#[test]
fn a_stack_of_an_earlier_name_is_taken_over() {
    let (mut desired, mut live) = (desired(), live());
    let mut theirs = stack();
    theirs.tags.insert(PROJECT_TAG.to_owned(), "victim".to_owned());
    live_function(&mut live).stack = Reading::Found(theirs);
    desired.renamed_from = Some("victim".to_owned());
    assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), ["function.f TagStack tags.rotator:project !takes-over"]);
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("k"));
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!(plan.count(Effect::TakesOver), 1, "{:?}", lines(&plan));
    // A secret that rotates with one of its functions is taken just so.
    live = self::live();
    live_secret(&mut live).function_arn = Some(arn("theirs"));
    live_secret(&mut live).function_project = Some("victim".to_owned());
    let plan = make_plan(&desired, &live, CONVERGE);
    assert!(
        plan.changes.iter().any(|one| one.address.kind == Kind::Secret && one.effects.contains(&Effect::TakesOver))
    );
    live_secret(&mut live).function_project = Some("p".to_owned());
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::TakesOver), 0, "moved within the project");
}

/// Without it, a secret could be made to rotate every two years, and nothing on top of the plan would say so.
#[test]
fn a_longer_worst_case_is_said() {
    let rarer = |before: RotationRules, after: RotationRules| {
        let (mut desired, mut live) = (desired(), live());
        desired.secrets.get_mut("s").expect("built there").rotation.rules = Some(after);
        live_secret(&mut live).rules = Some(before);
        let plan = make_plan(&desired, &live, CONVERGE);
        assert_eq!(plan.changes.len(), 1);
        plan.count(Effect::RotatesLessOften) == 1
    };
    let cron = |text: &str, hours| RotationRules::new(Schedule::Expression(text.to_owned()), Some(hours));
    assert!(rarer(days(30), days(31)) && !rarer(days(30), days(29)));
    assert!(rarer(cron("cron(0 2 1 * ? *)", 3), cron("cron(0 2 1 * ? *)", 4)), "the window counts");
    assert!(rarer(days(30), cron("cron(0 2 1 * ? *)", 3)), "a month may have 31 days");
    assert!(!rarer(days(32), cron("cron(0 2 1 * ? *)", 3)));
    assert!(rarer(days(30), cron("cron(0 2 29 2 ? *)", 3)), "eight years at times");
    assert!(!rarer(cron("moon(full)", 3), days(900)), "of what isn't understood, nothing is known");
}

/// Without it, a secret would be given to a function that Lambda never runs, and the plan call that rotation.
#[test]
fn a_function_that_may_not_run_stops_rotation() {
    let (mut desired, mut live) = (desired(), live());
    live_configuration(&mut live).reserved_concurrency = Some(0);
    let throttled = [ProblemKind::FunctionThrottled { function: arn("f") }];
    let plan = make_plan(&desired, &live, CONVERGE);
    assert_eq!((plan.changes.len(), plan.problems.len()), (0, 1));
    assert_eq!(plan.problems[0].kind, throttled[0]);
    live_secret(&mut live).function_arn = Some(arn("other"));
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::StopsRotation), 1, "it moves there");
    live_secret(&mut live).rotation_enabled = Some(false);
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::StopsRotation), 1, "it is switched on with it");
    live_configuration(&mut live).reserved_concurrency = Some(1);
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::StopsRotation), 0);
    // A function that isn't deployed here is looked at just so.
    let existing = FunctionSource::Existing { reference: "f".to_owned() };
    desired.functions.get_mut("f").expect("built there").source = existing;
    live_configuration(&mut live).reserved_concurrency = Some(0);
    assert_eq!(make_plan(&desired, &live, CONVERGE).count(Effect::StopsRotation), 1);
}

/// Without it, a rule that forbids other code would be passed by a second function, or by the first under another name.
#[test]
fn a_secret_that_moves_to_another_function_runs_other_code() {
    let replaced = |live: &Live| make_plan(&desired(), live, CONVERGE).count(Effect::ReplacesCode);
    let mut live = live();
    live_secret(&mut live).rules = Some(days(7));
    assert_eq!(replaced(&live), 0, "other rules are no other code");
    live_secret(&mut live).function_arn = Some(arn("other"));
    assert_eq!(replaced(&live), 1);
    // Switched off in one pull request, and on with another function in the next.
    live_secret(&mut live).rotation_enabled = Some(false);
    assert_eq!(replaced(&live), 1);
    live_secret(&mut live).function_arn = Some(arn("f"));
    assert_eq!(replaced(&live), 0, "on again as it was");
    live_secret(&mut live).function_arn = None;
    assert_eq!(replaced(&live), 0, "its first function replaces none");
}

/// Pruning ends rotation before the stack goes, and never happens unasked.
#[test]
fn orphans_are_notes_until_pruned() {
    let live = orphaned();
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!((plan.changes.len(), plan.notes.len()), (0, 2));
    assert_eq!(
        lines(&make_plan(&desired(), &live, PRUNE)),
        [
            "orphan_secret.forgotten DisableRotation rotation.enabled !stops-rotation",
            "orphan_stack.serverlessrepo-old DeleteStack stack !deletes after[0]",
        ]
    );
    let mut used = orphaned();
    used.orphan_stacks[0].rotating = Some(vec!["forgotten".to_owned(), "somebody's".to_owned()]);
    let plan = make_plan(&desired(), &used, PRUNE);
    assert_eq!(errors(&plan), [ProblemKind::StillUsed { secrets: vec!["somebody's".to_owned()] }]);
    let mut unlisted = orphaned();
    unlisted.orphan_secrets =
        Err(Unread::Failed { call: None, code: None, message: "no".to_owned(), request_id: None });
    unlisted.orphan_stacks[0].rotating = None;
    assert_eq!(
        errors(&make_plan(&desired(), &unlisted, PRUNE)),
        [ProblemKind::PruningRefused, ProblemKind::UseUnknown]
    );
}

/// A secret that moves from an orphaned function to another frees the function's stack in the same plan.
#[test]
fn a_moving_secret_frees_its_old_function() {
    let mut live = orphaned();
    live.orphan_secrets = Ok(Vec::new());
    live.orphan_stacks[0].rotating = Some(vec!["s".to_owned()]);
    live_secret(&mut live).function_arn = Some(arn("old"));
    live_secret(&mut live).function_project = Some("p".to_owned());
    assert_eq!(
        lines(&make_plan(&desired(), &live, PRUNE)),
        [
            "secret.s UpdateRotation function !tests-now !replaces-code",
            "orphan_stack.serverlessrepo-old DeleteStack stack !deletes after[0]"
        ]
    );
}

#[test]
fn destroying_ends_rotation_then_deletes_the_stack() {
    let plan = make_plan(&desired(), &live(), DESTROY);
    assert_eq!(
        lines(&plan),
        ["secret.s DisableRotation rotation.enabled !stops-rotation", "function.f DeleteStack stack !deletes after[0]",]
    );
    // What isn't ours stays.
    let mut live = live();
    let mut untagged = stack();
    untagged.tags.remove(PROJECT_TAG);
    live_function(&mut live).stack = Reading::Found(untagged);
    live_secret(&mut live).function_arn = Some(arn("other"));
    assert!(make_plan(&desired(), &live, DESTROY).is_empty());
}

/// Without it, an apply that was killed before its change set ran would leave a stack that no destroy finds.
#[test]
fn destroying_takes_what_a_killed_deployment_left() {
    let mut live = live();
    let half_made = LiveStack { status: "REVIEW_IN_PROGRESS".to_owned(), tags: BTreeMap::new(), ..stack() };
    live_function(&mut live).stack = Reading::Found(half_made);
    live_function(&mut live).configuration = Reading::Absent;
    live.secrets.clear();
    assert_eq!(lines(&make_plan(&desired(), &live, DESTROY)), ["function.f DeleteStack stack !deletes"]);
}

/// Days that AWS derives, windows that it fills in: none is a difference, in either direction.
#[test]
fn rules_that_mean_the_same_are_equal() {
    let mut live = live();
    live_secret(&mut live).rules = Some(RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(24)));
    assert!(make_plan(&desired(), &live, CONVERGE).is_empty());
}

/// A secret that another project's function rotates now is that project's.
#[test]
fn another_projects_secret_is_not_taken() {
    let mut live = live();
    let secret = live_secret(&mut live);
    secret.function_arn = Some(arn("theirs"));
    secret.function_project = Some("q".to_owned());
    assert_eq!(
        errors(&make_plan(&desired(), &live, CONVERGE)),
        [ProblemKind::OtherProject { project: "q".to_owned() }]
    );
    live_secret(&mut live).function_shared = true;
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert!(plan.changes[0].effects.contains(&Effect::TakesOver) && !plan.changes[0].blocked);
}

/// Without it, tags that a role may not read would count as none, and another project's function or secret would be taken unseen.
#[test]
fn whose_a_function_is_that_shows_no_tags_is_said() {
    let unread = Unread::Denied {
        action: "lambda:ListTags".to_owned(),
        resource: arn("theirs"),
        code: Some("AccessDeniedException".to_owned()),
        message: "no".to_owned(),
    };
    let unknown = |function: &str| {
        (Severity::Warning, ProblemKind::OwnerUnknown { function: function.to_owned(), unread: unread.clone() })
    };
    let problems = |plan: &Plan| -> Vec<(Severity, ProblemKind)> {
        plan.problems.iter().map(|problem| (problem.severity, problem.kind.clone())).collect()
    };
    let mut live = live();
    let secret = live_secret(&mut live);
    (secret.function_arn, secret.function_unread) = (Some(arn("theirs")), Some(unread.clone()));
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(problems(&plan), [unknown(&arn("theirs"))]);
    assert!(!plan.changes[0].blocked, "a warning holds nothing up");
    // Destroyed, what may be ours is left alone, and that is said too.
    let plan = make_plan(&desired(), &live, DESTROY);
    assert_eq!(problems(&plan), [unknown(&arn("theirs"))]);
    assert!(!plan.changes.iter().any(|change| change.action == Action::DisableRotation));
    // A secret that stays where it is takes nothing over.
    let mut stays = desired();
    if let Some(secret) = stays.secrets.get_mut("s") {
        secret.function = None;
    }
    assert_eq!(problems(&make_plan(&stays, &live, CONVERGE)), []);

    let mut live = self::live();
    live_configuration(&mut live).tags = Err(unread.clone());
    let mut existing = desired();
    if let Some(function) = existing.functions.get_mut("f") {
        function.source = FunctionSource::Existing { reference: "f".to_owned() };
    }
    assert_eq!(problems(&make_plan(&existing, &live, CONVERGE)), [unknown("f")]);
}

/// Without it `prune: true` in a manifest would be a word without effect.
#[test]
fn the_manifest_itself_may_ask_for_pruning() {
    let desired = Desired { prune: true, ..desired() };
    assert_eq!(make_plan(&desired, &orphaned(), CONVERGE).changes.len(), 2);
    let partial = PlanOptions { purpose: Purpose::Converge { prune: false }, partial: true };
    assert!(make_plan(&desired, &orphaned(), partial).is_empty(), "never together with a filter");
}

/// Without it `removed:` would know handles only, and orphans go by their names on AWS; or a removal would end what the
/// manifest let go.
#[test]
fn what_is_let_go_is_not_touched() {
    let mut desired = desired();
    desired.removed = BTreeSet::from([desired.address(Kind::Secret, "handle")]);
    desired.removed_names =
        BTreeSet::from([(Kind::Secret, "forgotten".to_owned()), (Kind::Function, "old".to_owned())]);
    for scope in [CONVERGE, PRUNE, DESTROY] {
        let plan = make_plan(&desired, &orphaned(), scope);
        let released: Vec<_> = lines(&plan).into_iter().filter(|line| line.starts_with("orphan")).collect();
        assert_eq!(released, ["orphan_stack.serverlessrepo-old TagStack tags.rotator:project"]);
    }
    // A stack that nothing can change any more can't be let go either.
    let mut broken = orphaned();
    broken.orphan_stacks[0].stack.status = "UPDATE_ROLLBACK_FAILED".to_owned();
    assert!(matches!(errors(&make_plan(&desired, &broken, CONVERGE))[0], ProblemKind::StackBroken { ours: true, .. }));
}

/// A function that the manifest uses and doesn't deploy.
fn existing(name: &str) -> Function {
    let source = FunctionSource::Existing { reference: name.to_owned() };
    Function { name: name.to_owned(), source, labels: BTreeMap::new() }
}

/// Without it pruning would delete the function that the manifest's own secrets are to rotate with.
#[test]
fn an_orphaned_stack_whose_function_is_used_stays() {
    let mut desired = desired();
    desired.functions.insert("kept".to_owned(), existing("old"));
    let mut live = orphaned();
    live.orphan_stacks[0].rotating = Some(Vec::new());
    let address = desired.address(Kind::Function, "kept");
    let note =
        Note { address: Some(address), kind: NoteKind::DeployedBefore { stack: "serverlessrepo-old".to_owned() } };
    for options in [CONVERGE, PRUNE] {
        let plan = make_plan(&desired, &live, options);
        assert_eq!(errors(&plan), []);
        assert!(plan.notes.contains(&note), "{:?}", plan.notes);
        let of_stack = |change: &Change| change.address.kind == Kind::OrphanStack;
        assert!(!plan.changes.iter().any(of_stack), "{:?}", lines(&plan));
    }
    // What is let go of loses the tag all the same.
    desired.removed.insert(desired.address(Kind::Function, "serverlessrepo-old"));
    let plan = make_plan(&desired, &live, PRUNE);
    assert!(plan.changes.iter().any(|change| change.reason == Reason::Removed) && !plan.notes.contains(&note));
}

/// Without it, a function under another stack's name would be called a stranger's, or its stack be deleted as one that nothing names.
#[test]
fn a_stack_under_another_name_is_found_by_its_function() {
    let held_by = |tags: &[(&str, &str)], name: &str| {
        let mut live = live();
        let tags = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
        let stack = LiveStack { id: "arn:other".to_owned(), name: name.to_owned(), tags, ..stack() };
        let rotating = Some(vec!["s".to_owned()]);
        let orphan = OrphanStack { stack: stack.clone(), shared: false, function_arn: Some(arn("f")), rotating };
        live.orphan_stacks = vec![orphan];
        live_function(&mut live).stack = Reading::Absent;
        live_function(&mut live).held_by = Some(Box::new(stack));
        live
    };
    let problem = |stack: &str, name: &str, project: Option<&str>| ProblemKind::HeldByStack {
        stack: stack.to_owned(),
        name: name.to_owned(),
        project: project.map(str::to_owned),
    };
    for (name, own) in [("serverlessrepo-g", "g"), ("aws-serverless-repository-g", "g"), ("g", "g")] {
        let live = held_by(&[(PROJECT_TAG, "p")], name);
        for options in [CONVERGE, PRUNE] {
            let plan = make_plan(&desired(), &live, options);
            assert_eq!(errors(&plan)[0], problem(name, own, None));
            let of_stack = |address: &Address| address.kind == Kind::OrphanStack;
            assert!(!plan.changes.iter().any(|change| of_stack(&change.address)), "{:?}", lines(&plan));
            assert!(!plan.notes.iter().filter_map(|note| note.address.as_ref()).any(of_stack), "{:?}", plan.notes);
        }
    }
    let theirs = held_by(&[(PROJECT_TAG, "q")], "serverlessrepo-g");
    assert_eq!(errors(&make_plan(&desired(), &theirs, CONVERGE))[0], problem("serverlessrepo-g", "g", Some("q")));
    assert_eq!(errors(&make_plan(&desired(), &held_by(&[], "g"), CONVERGE))[0], problem("g", "g", None));
}

/// Without it a deletion that waits for a blocked change would be left out without a word.
#[test]
fn a_deletion_behind_a_blocked_change_says_so() {
    let mut live = orphaned();
    live.orphan_secrets = Ok(Vec::new());
    live.orphan_stacks[0].rotating = Some(vec!["s".to_owned()]);
    let secret = live_secret(&mut live);
    secret.function_arn = Some(arn("old"));
    secret.function_project = Some("p".to_owned());
    secret.current_version = None;
    let address = desired().address(Kind::Secret, "s");
    assert_eq!(
        errors(&make_plan(&desired(), &live, PRUNE)),
        [ProblemKind::NoValue, ProblemKind::BlockedBy { address }]
    );
}

/// Without it `destroy --target secret.s` would delete the function that the secrets beside it rotate with.
#[test]
fn a_filtered_removal_leaves_stacks_alone() {
    let partial = PlanOptions { purpose: Purpose::Destroy, partial: true };
    let plan = make_plan(&desired(), &live(), partial);
    assert_eq!(lines(&plan), ["secret.s DisableRotation rotation.enabled !stops-rotation"]);
    assert_eq!(plan.notes[0].kind, NoteKind::StackStays);
}

/// Without it the refusal for one stack would be written on another, and a killed deletion could never be taken up.
#[test]
fn a_busy_stack_is_not_deleted_and_a_deletion_goes_on() {
    let mut live = live();
    live_function(&mut live).stack = Reading::Found(LiveStack { status: "UPDATE_IN_PROGRESS".to_owned(), ..stack() });
    let plan = make_plan(&desired(), &live, DESTROY);
    assert_eq!(lines(&plan), ["secret.s DisableRotation rotation.enabled !stops-rotation"]);
    assert_eq!(plan.problems[0].address, desired().address(Kind::Function, "f"));
    live_function(&mut live).stack = Reading::Found(LiveStack { status: "DELETE_IN_PROGRESS".to_owned(), ..stack() });
    assert_eq!(make_plan(&desired(), &live, DESTROY).changes.len(), 2);
}

/// Without it a removal would try to switch off what AWS refuses to, and never come to its end.
#[test]
fn a_secret_that_is_being_deleted_holds_no_stack() {
    let mut live = live();
    live_secret(&mut live).deleted = true;
    assert_eq!(lines(&make_plan(&desired(), &live, DESTROY)), ["function.f DeleteStack stack !deletes"]);
}

/// Without it a removal would stop the rotation of secrets that rotate with another project's function.
#[test]
fn a_removal_ends_only_what_our_functions_do() {
    let mut live = live();
    let mut theirs = stack();
    theirs.tags.insert(PROJECT_TAG.to_owned(), "q".to_owned());
    live_function(&mut live).stack = Reading::Found(theirs);
    assert!(make_plan(&desired(), &live, DESTROY).is_empty());
}

/// Without it every apply would wait a minute for a permission that can't come.
#[test]
fn a_denied_function_blocks_what_would_rotate_with_it() {
    let deny = |sid: &str, account: Option<&str>| Statement {
        sid: sid.to_owned(),
        allows: false,
        denies: true,
        source_account: account.map(str::to_owned),
        ..statement()
    };
    let with = |denial: Statement| {
        let mut live = live();
        live_function(&mut live).policy = Reading::Found(vec![statement(), denial]);
        live_secret(&mut live).rotation_enabled = Some(false);
        errors(&make_plan(&desired(), &live, CONVERGE))
    };
    assert_eq!(with(deny("keepout", None)), [ProblemKind::InvocationDenied { statement: "keepout".to_owned() }]);
    assert_eq!(with(deny("keepout", Some("222222222222"))), []);
    // Ours is replaced by one that allows.
    let mut live = live();
    live_function(&mut live).policy = Reading::Found(vec![deny("SecretsManagerAccess", None)]);
    live_secret(&mut live).rotation_enabled = Some(false);
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), []);
    assert_eq!(plan.changes[0].action, Action::AddPermission { replace: true });
}

/// Without it an alias would be dropped, and the secret moved to the function as a whole, again with each plan.
#[test]
fn a_qualifier_is_part_of_the_function() {
    let with = |reference: &str| {
        let mut desired = desired();
        let function = desired.functions.get_mut("f").expect("built above");
        function.source = FunctionSource::Existing { reference: reference.to_owned() };
        let mut live = live();
        live_secret(&mut live).function_arn = Some(format!("{}:live", arn("f")));
        lines(&make_plan(&desired, &live, CONVERGE))
    };
    assert_eq!(with("f:live"), [""; 0]);
    assert_eq!(with("111111111111:function:f:live"), [""; 0]);
    assert_eq!(with(&format!("{}:live", arn("f"))), [""; 0]);
    assert_eq!(with("f").len(), 1);
}

/// Without it a change of one parameter would bring another version, unannounced.
#[test]
fn an_update_to_another_version_is_never_silent() {
    let mut live = live();
    let mut untold = stack();
    untold.tags.remove(SAR_VERSION_TAG);
    live_function(&mut live).stack = Reading::Found(untold);
    let mut desired = desired();
    assert!(make_plan(&desired, &live, CONVERGE).is_empty());
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("k"));
    assert_eq!(
        lines(&make_plan(&desired, &live, CONVERGE)),
        ["function.f UpdateStack application.parameters.kmsKeyArn application.version !replaces-code"]
    );
}

/// Without it a rolled-back deployment would be repeated for ever beside the function that made it fail; or the tool would
/// edit a function that its stack doesn't hold.
#[test]
fn a_function_outside_its_stack_is_not_ours() {
    let mut live = live();
    live_function(&mut live).stack =
        Reading::Found(LiveStack { status: "ROLLBACK_COMPLETE".to_owned(), function: None, ..stack() });
    assert_eq!(errors(&make_plan(&desired(), &live, CONVERGE))[0], ProblemKind::NameTaken);
    live_function(&mut live).stack = Reading::Found(LiveStack { function: None, ..stack() });
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!((errors(&plan), plan.changes.len()), (vec![ProblemKind::NameTaken], 0));
}

/// Without it a call that fails would pass for a function that isn't there, and a second one be deployed beside it.
#[test]
fn a_function_that_cannot_be_read_is_not_deployed() {
    let mut live = empty_live();
    let unread = Unread::Failed { call: None, code: None, message: "no answer".to_owned(), request_id: None };
    live_function(&mut live).configuration = Reading::Unread(unread.clone());
    let plan = make_plan(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan)[0], ProblemKind::Unread { what: "configuration".into(), unread });
    assert!(plan.runnable().next().is_none(), "{plan:?}");
}

/// Without it the first apply would succeed and the second plan fail.
#[test]
fn what_a_first_deployment_cannot_do_is_foreseen() {
    let mut desired = desired();
    wanted(&mut desired).code = None;
    wanted(&mut desired).settings.architecture = Some("arm64".to_owned());
    assert_eq!(errors(&make_plan(&desired, &empty_live(), CONVERGE))[0], ProblemKind::ArchitectureNeedsCode);
    let mut live = empty_live();
    let mut version = application();
    version.parameters.remove("functionName");
    live_function(&mut live).application = Reading::Found(version);
    assert_eq!(errors(&make_plan(&self::desired(), &live, CONVERGE))[0], ProblemKind::NameNotTaken);
}

/// Without it the mask would be sent as the value.
#[test]
fn a_masked_parameter_is_never_sent() {
    let mut live = live();
    let mut masked = stack();
    masked.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("****"));
    live_function(&mut live).stack = Reading::Found(masked);
    let mut desired = desired();
    wanted(&mut desired).application.version = Some("2.0.0".to_owned());
    let mut version = application();
    version.version = "2.0.0".to_owned();
    live_function(&mut live).application = Reading::Found(version);
    assert_eq!(
        errors(&make_plan(&desired, &live, CONVERGE)),
        [ProblemKind::MissingParameter { parameter: "kmsKeyArn".to_owned(), no_echo: true }]
    );
}

/// Without it a plan would show a hash that stays as it is, as if the code changed.
#[test]
fn another_architecture_alone_shows_no_other_code() {
    let mut desired = desired();
    wanted(&mut desired).settings.architecture = Some("arm64".to_owned());
    let plan = make_plan(&desired, &live(), CONVERGE);
    let attributes: Vec<&Attribute> = plan.changes[0].fields.iter().map(|field| &field.attribute).collect();
    assert_eq!((&plan.changes[0].action, attributes), (&Action::UpdateCode, vec![&Setting::Architecture.into()]));
}

/// Without it pruning, or a removal, would end what rotates with a function that the manifest lets go of untouched.
#[test]
fn a_functions_secrets_are_let_go_of_with_it() {
    let mut desired = desired();
    desired.removed = BTreeSet::from([desired.address(Kind::Function, "old")]);
    for scope in [CONVERGE, PRUNE, DESTROY] {
        let plan = make_plan(&desired, &orphaned(), scope);
        let of_orphans = |kind: Kind| matches!(kind, Kind::OrphanSecret | Kind::OrphanStack);
        let changes = plan.changes.iter().filter(|change| of_orphans(change.address.kind));
        let done: Vec<_> = changes.map(|change| (change.address.kind, change.reason.clone())).collect();
        assert_eq!(done, [(Kind::OrphanStack, Reason::Removed)], "{scope:?}");
    }
}

/// Without it the update to a version without a permission of its own would leave secrets that can't rotate.
#[test]
fn another_version_may_take_its_permission_along() {
    let mut live = live();
    let of_stack =
        Statement { sid: "serverlessrepo-f-LambdaPermission-1".to_owned(), source_account: None, ..statement() };
    live_function(&mut live).policy = Reading::Found(vec![of_stack.clone()]);
    let mut desired = desired();
    assert!(make_plan(&desired, &live, CONVERGE).is_empty());
    wanted(&mut desired).application.version = Some("1.0.1".to_owned());
    live_function(&mut live).application =
        Reading::Found(ApplicationVersion { version: "1.0.1".to_owned(), ..application() });
    let expected = [
        "function.f UpdateStack application.version !replaces-code",
        "function.f AddPermission permission.principal permission.source_account !opens-permission after[0]",
    ];
    assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), expected);
    // A statement of somebody else stays.
    live_function(&mut live).policy = Reading::Found(vec![of_stack, statement()]);
    assert_eq!(lines(&make_plan(&desired, &live, CONVERGE)), expected[..1]);
}

/// Without it, "No changes" would stand alone over secrets that haven't rotated for weeks.
#[test]
fn secrets_that_do_not_rotate_are_counted() {
    let late = |change: fn(&mut LiveSecret)| {
        let mut live = live();
        change(live_secret(&mut live));
        let notes = make_plan(&desired(), &live, CONVERGE).notes;
        notes.iter().any(|note| note.kind == NoteKind::Late { secrets: 1 })
    };
    assert!(!late(|_| {}) && !late(|secret| secret.rotates_within = Some(1)));
    assert!(late(|secret| secret.rotates_within = Some(-1)));
    assert!(late(|secret| secret.pending_version = Some("v9".to_owned())));
    assert!(!late(|secret| (secret.rotation_enabled, secret.rotates_within) = (Some(false), Some(-1))));
}
