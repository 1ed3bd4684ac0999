//! The differ on small built states.

use std::collections::BTreeMap;

use super::*;
use crate::model::live::{
    ApplicationVersion, Configuration, LiveSecret, LiveStack, OrphanSecret, OrphanStack, ParameterDefinition,
    Statement, Unread,
};
use crate::model::{
    Application, Code, CodeSource, Deployment, PROJECT_TAG, PackageSummary, PackagedFile, Rotation, RotationRules,
    SAR_APPLICATION_TAG, SAR_VERSION_TAG, Schedule, Secret, Sensitive, Target, Vpc,
};

const ACCOUNT: &str = "111111111111";
const GENERIC: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{function}")
}

fn days(days: u16) -> RotationRules {
    RotationRules::new(Schedule::AutomaticallyAfterDays(days), None)
}

fn deployment() -> Deployment {
    Deployment {
        application: Application { id: GENERIC.to_owned(), version: None, parameters: BTreeMap::new() },
        stack: "f".to_owned(),
        shared: false,
        code: Some(Code {
            source: CodeSource::Path { path: "code".into(), tree: ".".into(), shown: "code".to_owned() },
            package: Some(PackageSummary {
                sha256: "ours".to_owned(),
                size: 10,
                files: vec![file("lambda_function.py", "1")],
            }),
        }),
        runtime: None,
        handler: None,
        architecture: None,
        layers: None,
        timeout: Some(30),
        memory: None,
        environment: BTreeMap::from([("URL".to_owned(), Some(Sensitive::new("https://a")))]),
        vpc: None,
        description: None,
    }
}

fn file(path: &str, sha256: &str) -> PackagedFile {
    PackagedFile { path: path.to_owned(), sha256: sha256.to_owned(), executable: false }
}

fn desired() -> Desired {
    let function = Function {
        name: "f".to_owned(),
        source: FunctionSource::Deployed(Box::new(deployment())),
        labels: BTreeMap::new(),
    };
    let secret = Secret {
        name: "s".to_owned(),
        function: Some("f".to_owned()),
        rotation: Rotation { enabled: Some(true), rules: Some(days(30)), rotate_immediately: None },
        labels: BTreeMap::new(),
    };
    Desired {
        project: "p".to_owned(),
        target: Target::default(),
        functions: BTreeMap::from([("f".to_owned(), function)]),
        secrets: BTreeMap::from([("s".to_owned(), secret)]),
        ..Desired::default()
    }
}

fn application() -> ApplicationVersion {
    let parameter = |default: Option<&str>| ParameterDefinition {
        default: default.map(str::to_owned),
        ..ParameterDefinition::default()
    };
    ApplicationVersion {
        version: "1.0.2".to_owned(),
        newest: Some("1.0.2".to_owned()),
        required_capabilities: vec!["CAPABILITY_IAM".to_owned()],
        parameters: BTreeMap::from([
            ("endpoint".to_owned(), parameter(None)),
            ("functionName".to_owned(), parameter(None)),
            ("kmsKeyArn".to_owned(), parameter(Some(""))),
            ("vpcSubnetIds".to_owned(), parameter(Some(""))),
            ("vpcSecurityGroupIds".to_owned(), parameter(Some(""))),
        ]),
    }
}

fn stack() -> LiveStack {
    LiveStack {
        id: "arn:aws:cloudformation:eu-west-1:111111111111:stack/serverlessrepo-f/1".to_owned(),
        name: "serverlessrepo-f".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        tags: BTreeMap::from([
            (PROJECT_TAG.to_owned(), "p".to_owned()),
            (SAR_APPLICATION_TAG.to_owned(), GENERIC.to_owned()),
            (SAR_VERSION_TAG.to_owned(), "1.0.2".to_owned()),
        ]),
        parameters: BTreeMap::from([
            ("endpoint".to_owned(), Sensitive::new("https://secretsmanager.eu-west-1.amazonaws.com")),
            ("functionName".to_owned(), Sensitive::new("f")),
        ]),
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        function: Some("f".to_owned()),
        first_failure: None,
    }
}

fn configuration() -> Configuration {
    Configuration {
        arn: arn("f"),
        name: "f".to_owned(),
        state: "Active".to_owned(),
        state_reason: None,
        last_update_status: "Successful".to_owned(),
        runtime: Some("python3.12".to_owned()),
        handler: Some("lambda_function.lambda_handler".to_owned()),
        architecture: "x86_64".to_owned(),
        layers: Vec::new(),
        timeout: 30,
        memory: 128,
        environment: Ok(BTreeMap::from([
            ("URL".to_owned(), Sensitive::new("https://a")),
            ("FOREIGN".to_owned(), Sensitive::new("kept")),
        ])),
        vpc: Vpc::default(),
        description: String::new(),
        code_sha256: "ours".to_owned(),
        code_files: None,
        tags: Some(BTreeMap::new()),
        log_group: None,
    }
}

fn statement() -> Statement {
    Statement {
        sid: "SecretsManagerAccess".to_owned(),
        allows: true,
        denies: false,
        source_account: Some(ACCOUNT.to_owned()),
        source_arn: None,
        other_conditions: false,
    }
}

fn secret() -> LiveSecret {
    LiveSecret {
        arn: format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s-abcdef"),
        name: "s".to_owned(),
        rotation_enabled: Some(true),
        function_arn: Some(arn("f")),
        function_project: None,
        function_shared: false,
        rules: Some(days(30)),
        kms_key: None,
        deleted: false,
        replica_of: None,
        owning_service: None,
        current_version: Some("v1".to_owned()),
        pending_version: None,
    }
}

fn live() -> Live {
    let function = LiveFunction {
        stack: Reading::Found(stack()),
        configuration: Reading::Found(configuration()),
        policy: Reading::Found(vec![statement()]),
        application: Reading::Found(application()),
        foreign_secrets: None,
    };
    Live {
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        partition: "aws".to_owned(),
        functions: BTreeMap::from([("f".to_owned(), function)]),
        secrets: BTreeMap::from([("s".to_owned(), Reading::Found(secret()))]),
        orphan_stacks: Vec::new(),
        orphan_secrets: Ok(Vec::new()),
        stacks_unread: None,
    }
}

fn empty_live() -> Live {
    let mut live = live();
    let function = live.functions.get_mut("f").expect("built above");
    function.stack = Reading::Absent;
    function.configuration = Reading::Absent;
    function.policy = Reading::Absent;
    live.secrets.insert(
        "s".to_owned(),
        Reading::Found(LiveSecret { rotation_enabled: None, function_arn: None, rules: None, ..secret() }),
    );
    live
}

fn live_function(live: &mut Live) -> &mut LiveFunction {
    live.functions.get_mut("f").expect("built above")
}

fn live_configuration(live: &mut Live) -> &mut Configuration {
    match &mut live_function(live).configuration {
        Reading::Found(configuration) => configuration,
        _ => panic!("built above"),
    }
}

fn live_secret(live: &mut Live) -> &mut LiveSecret {
    match live.secrets.get_mut("s") {
        Some(Reading::Found(secret)) => secret,
        _ => panic!("built above"),
    }
}

fn wanted(desired: &mut Desired) -> &mut Deployment {
    match &mut desired.functions.get_mut("f").expect("built above").source {
        FunctionSource::Deployed(deployment) => deployment,
        FunctionSource::Existing { .. } => panic!("built above"),
    }
}

const CONVERGE: Scope = Scope { purpose: Purpose::Converge { prune: false }, partial: false };
const PRUNE: Scope = Scope { purpose: Purpose::Converge { prune: true }, partial: false };
const DESTROY: Scope = Scope { purpose: Purpose::Destroy, partial: false };

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
                line.push_str(&field.path);
            }
            for effect in &change.effects {
                line.push_str(" !");
                line.push_str(effect.word());
            }
            if !change.after.is_empty() {
                line.push_str(&format!(" after{:?}", change.after));
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
    let plan = diff(&desired(), &live(), CONVERGE);
    assert_eq!(plan.changes, []);
    assert_eq!(plan.problems, []);
    assert_eq!(plan.notes, []);
}

/// The guide's eight steps, in their order.
#[test]
fn nothing_there_is_deployed_in_the_guides_order() {
    let plan = diff(&desired(), &empty_live(), CONVERGE);
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
    use crate::plan::StepKind::{Code, Configuration, Permission, Rotation, Stack, Watch};
    assert_eq!(kinds, [Stack, Configuration, Code, Permission, Rotation, Watch]);
}

/// Drift by other hands, each with the right action.
#[test]
fn each_drift_gets_its_own_repair() {
    let one = |drift: fn(&mut Live)| {
        let mut live = live();
        drift(&mut live);
        let plan = diff(&desired(), &live, CONVERGE);
        assert_eq!(errors(&plan), []);
        lines(&plan).join("; ")
    };
    assert_eq!(one(|live| live_configuration(live).timeout = 3), "function.f UpdateConfiguration timeout");
    assert_eq!(
        one(|live| live_configuration(live).environment = Ok(BTreeMap::new())),
        "function.f UpdateConfiguration environment.URL"
    );
    assert_eq!(
        one(|live| live_configuration(live).code_sha256 = "theirs".to_owned()),
        "function.f UpdateCode code.source code.sha256 !replaces-code"
    );
    assert_eq!(
        one(|live| live_function(live).policy = Reading::Absent),
        "function.f AddPermission permission.principal permission.source_account !opens-permission"
    );
    assert_eq!(
        one(|live| live_secret(live).rotation_enabled = Some(false)),
        "secret.s EnableRotation rotation.enabled function !rotates-now"
    );
    assert_eq!(
        one(|live| live_secret(live).rules = Some(days(60))),
        "secret.s UpdateRotation rotation.rules !tests-now !may-rotate-on-old-schedule"
    );
    assert_eq!(
        one(|live| live_secret(live).function_arn = Some(arn("other"))),
        "secret.s UpdateRotation function !tests-now !takes-over"
    );
}

/// Zips made by others hold the same files in other bytes; replacing them would be a change about nothing.
#[test]
fn the_same_files_in_other_bytes_are_the_same_code() {
    let mut live = live();
    let configuration = live_configuration(&mut live);
    configuration.code_sha256 = "zipped by hand".to_owned();
    configuration.code_files = Some(vec![file("lambda_function.py", "1")]);
    assert!(diff(&desired(), &live, CONVERGE).is_empty());
    live_configuration(&mut live).code_files = Some(vec![file("lambda_function.py", "2")]);
    insta::assert_debug_snapshot!(lines(&diff(&desired(), &live, CONVERGE)), @r#"
    [
        "function.f UpdateCode code.source code.sha256 code.files.lambda_function.py !replaces-code",
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
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(lines(&plan), ["function.f TagStack tags.rotator:project"]);
    assert_eq!(plan.changes[0].reason, Reason::Adopt);
    // Configuration and code are compared again after every change of a stack.
    let kinds: Vec<_> = crate::plan::order(&plan, &desired()).into_iter().map(|step| step.kind).collect();
    use crate::plan::StepKind::{Code, Configuration, Stack};
    assert_eq!(kinds, [Stack, Configuration, Code]);

    let mut theirs = stack();
    theirs.tags.insert(PROJECT_TAG.to_owned(), "q".to_owned());
    live_function(&mut live).stack = Reading::Found(theirs);
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::OtherProject { project: "q".to_owned() }]);
    assert!(plan.is_empty());

    let mut desired = desired();
    desired.renamed_from = Some("q".to_owned());
    assert_eq!(lines(&diff(&desired, &live, CONVERGE)), ["function.f TagStack tags.rotator:project"]);
}

/// A dead stack of ours is deleted and made again; of others, it is only spoken of.
#[test]
fn a_failed_stack_is_replaced_where_it_is_ours() {
    let mut live = empty_live();
    live_function(&mut live).stack =
        Reading::Found(LiveStack { status: "ROLLBACK_COMPLETE".to_owned(), function: None, ..stack() });
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(plan.changes[0].reason, Reason::FailedStack { status: "ROLLBACK_COMPLETE".to_owned() });
    assert!(plan.changes[0].effects.contains(&Effect::Deletes));

    let mut theirs = LiveStack { status: "ROLLBACK_COMPLETE".to_owned(), function: None, ..stack() };
    theirs.tags.remove(PROJECT_TAG);
    live_function(&mut live).stack = Reading::Found(theirs);
    let plan = diff(&desired(), &live, CONVERGE);
    assert!(matches!(errors(&plan)[0], ProblemKind::StackBroken { ours: false, .. }));
    // The secret that needs the function is left out, and says why.
    assert!(errors(&plan).iter().any(|kind| matches!(kind, ProblemKind::BlockedBy { .. })));
    assert!(plan.runnable().next().is_none());
}

#[test]
fn a_stack_that_others_change_is_left_alone() {
    let mut live = live();
    live_function(&mut live).stack = Reading::Found(LiveStack { status: "UPDATE_IN_PROGRESS".to_owned(), ..stack() });
    wanted(&mut desired()).timeout = Some(3);
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::StackBusy { status: "UPDATE_IN_PROGRESS".to_owned() }]);
}

/// What the facts foresee: an error where the plan must write, else a warning; and one bad secret doesn't hide the rest.
#[test]
fn a_secrets_troubles_are_foreseen() {
    let one = |trouble: fn(&mut LiveSecret)| {
        let mut live = empty_live();
        trouble(live_secret(&mut live));
        let plan = diff(&desired(), &live, CONVERGE);
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
    assert_eq!(diff(&desired(), &live, CONVERGE).problems, []);
    live_secret(&mut live).pending_version = Some("v2".to_owned());
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!((errors(&plan).len(), plan.problems.len()), (0, 1));

    let mut live = empty_live();
    live.secrets.insert("s".to_owned(), Reading::Absent);
    assert_eq!(errors(&diff(&desired(), &live, CONVERGE)), [ProblemKind::SecretMissing]);
}

/// The key's right goes through the stack; without it every rotation fails silently.
#[test]
fn a_customers_key_wants_the_parameter() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
    let mut live = live();
    live_secret(&mut live).kms_key = Some(key.to_owned());
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(plan.problems[0].kind, ProblemKind::KeyWithoutParameter { key: key.to_owned() });
    let mut desired = desired();
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new(key));
    let plan = diff(&desired, &live, CONVERGE);
    assert_eq!(plan.problems, []);
    assert_eq!(lines(&plan), ["function.f UpdateStack application.parameters.kmsKeyArn"]);
}

/// AWS's own words win where the manifest contradicts them, before anything is written.
#[test]
fn parameters_are_checked_against_the_application() {
    let mut desired = desired();
    wanted(&mut desired).application.parameters.insert("kmsKeyARN".to_owned(), Sensitive::new("x"));
    let plan = diff(&desired, &empty_live(), CONVERGE);
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
    assert!(diff(&desired, &live, CONVERGE).is_empty(), "a hidden value alone is no reason to ask for it");
    wanted(&mut desired).application.parameters.insert("kmsKeyArn".to_owned(), Sensitive::new("x"));
    assert_eq!(
        errors(&diff(&desired, &live, CONVERGE)),
        [ProblemKind::MissingParameter { parameter: "token".to_owned(), no_echo: true }]
    );
}

/// A VPC goes through the stack where the application declares one, and directly where only the function drifted.
#[test]
fn a_vpc_goes_through_the_stack() {
    let vpc = Vpc::new(["subnet-2".to_owned(), "subnet-1".to_owned()], ["sg-1".to_owned()]);
    let mut desired = desired();
    wanted(&mut desired).vpc = Some(vpc.clone());
    let mut live = live();
    assert_eq!(
        lines(&diff(&desired, &live, CONVERGE)),
        ["function.f UpdateStack application.parameters.vpcSecurityGroupIds application.parameters.vpcSubnetIds"]
    );
    let mut in_vpc = stack();
    in_vpc.parameters.insert("vpcSubnetIds".to_owned(), Sensitive::new("subnet-2, subnet-1"));
    in_vpc.parameters.insert("vpcSecurityGroupIds".to_owned(), Sensitive::new("sg-1"));
    live_function(&mut live).stack = Reading::Found(in_vpc);
    assert_eq!(
        lines(&diff(&desired, &live, CONVERGE)),
        ["function.f UpdateConfiguration vpc.subnets vpc.security_groups"]
    );
    live_configuration(&mut live).vpc = vpc.clone();
    assert!(diff(&desired, &live, CONVERGE).is_empty());
    // A function that was put into its VPC by hand is where it should be, whatever the stack was told.
    let mut live = self::live();
    live_configuration(&mut live).vpc = vpc;
    assert!(diff(&desired, &live, CONVERGE).is_empty());
}

/// Without it a merge would wipe variables that nobody can read.
#[test]
fn an_unreadable_environment_stops_its_function() {
    let mut live = live();
    live_configuration(&mut live).environment = Err("AccessDeniedException".to_owned());
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!(errors(&plan), [ProblemKind::UnreadableEnvironment { code: "AccessDeniedException".to_owned() }]);
    let mut desired = desired();
    wanted(&mut desired).environment.clear();
    assert_eq!(errors(&diff(&desired, &live, CONVERGE)), []);
}

fn orphaned() -> Live {
    let mut live = live();
    let orphan = LiveStack {
        id: "arn:old".to_owned(),
        name: "serverlessrepo-old".to_owned(),
        function: Some("old".to_owned()),
        ..stack()
    };
    live.orphan_secrets = Ok(vec![OrphanSecret {
        name: "forgotten".to_owned(),
        arn: "arn:forgotten".to_owned(),
        function_arn: arn("old"),
    }]);
    live.orphan_stacks = vec![OrphanStack {
        stack: orphan,
        shared: false,
        function_arn: Some(arn("old")),
        rotating: Some(vec!["forgotten".to_owned()]),
    }];
    live
}

/// Pruning ends rotation before the stack goes, and never happens unasked.
#[test]
fn orphans_are_notes_until_pruned() {
    let live = orphaned();
    let plan = diff(&desired(), &live, CONVERGE);
    assert_eq!((plan.changes.len(), plan.notes.len()), (0, 2));
    assert_eq!(
        lines(&diff(&desired(), &live, PRUNE)),
        [
            "orphan_secret.forgotten DisableRotation rotation.enabled !stops-rotation",
            "orphan_stack.serverlessrepo-old DeleteStack stack !deletes after[0]",
        ]
    );
    let mut used = orphaned();
    used.orphan_stacks[0].rotating = Some(vec!["forgotten".to_owned(), "somebody's".to_owned()]);
    let plan = diff(&desired(), &used, PRUNE);
    assert_eq!(errors(&plan), [ProblemKind::StillUsed { secrets: vec!["somebody's".to_owned()] }]);
    let mut unlisted = orphaned();
    unlisted.orphan_secrets = Err(Unread::Failed { code: None, message: "no".to_owned(), request_id: None });
    unlisted.orphan_stacks[0].rotating = None;
    assert_eq!(errors(&diff(&desired(), &unlisted, PRUNE)), [ProblemKind::UseUnknown]);
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
        lines(&diff(&desired(), &live, PRUNE)),
        [
            "secret.s UpdateRotation function !tests-now",
            "orphan_stack.serverlessrepo-old DeleteStack stack !deletes after[0]"
        ]
    );
}

#[test]
fn destroying_ends_rotation_then_deletes_the_stack() {
    let plan = diff(&desired(), &live(), DESTROY);
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
    assert!(diff(&desired(), &live, DESTROY).is_empty());
}

/// Days that AWS derives, windows that it fills in: none is a difference, in either direction.
#[test]
fn rules_that_mean_the_same_are_equal() {
    let mut live = live();
    live_secret(&mut live).rules = Some(RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(24)));
    assert!(diff(&desired(), &live, CONVERGE).is_empty());
}

/// A secret that another project's function rotates now is that project's.
#[test]
fn another_projects_secret_is_not_taken() {
    let mut live = live();
    let secret = live_secret(&mut live);
    secret.function_arn = Some(arn("theirs"));
    secret.function_project = Some("q".to_owned());
    assert_eq!(errors(&diff(&desired(), &live, CONVERGE)), [ProblemKind::OtherProject { project: "q".to_owned() }]);
    live_secret(&mut live).function_shared = true;
    let plan = diff(&desired(), &live, CONVERGE);
    assert!(plan.changes[0].effects.contains(&Effect::TakesOver) && !plan.changes[0].blocked);
}
