//! Small built states for tests: one function `f` and one secret `s`, as wanted and as they are.

use std::collections::BTreeMap;

use crate::model::live::{
    ApplicationVersion, Configuration, LiveFunction, LiveSecret, LiveStack, OrphanSecret, OrphanStack,
    ParameterDefinition, Reading, Statement,
};
use crate::model::{
    Application, Code, CodeSource, Deployment, Desired, External, Function, FunctionSource, Live, PROJECT_TAG,
    PackageSummary, PackagedFile, Rotation, RotationRules, SAR_APPLICATION_TAG, SAR_VERSION_TAG, Schedule, Secret,
    Selection, Sensitive, Settings, Shared, Target, Vpc,
};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const GENERIC: &str =
    "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";

pub(crate) fn arn(function: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{function}")
}

pub(crate) fn days(days: u16) -> RotationRules {
    RotationRules::new(Schedule::AutomaticallyAfterDays(days), None)
}

pub(crate) fn deployment() -> Deployment {
    Deployment {
        application: Application { id: GENERIC.to_owned(), version: None, parameters: BTreeMap::new() },
        stack: "f".to_owned(),
        shared: false,
        verify: None,
        read_secrets: Vec::new(),
        read_fault: None,
        test: crate::model::TestValues::default(),
        code: Some(Code {
            source: CodeSource::Path {
                path: "code".into(),
                tree: ".".into(),
                shown: "code".to_owned(),
                selection: Selection::default(),
            },
            package: Some(PackageSummary {
                sha256: "ours".to_owned(),
                size: 10,
                files: vec![file("lambda_function.py", "1")],
                left_out: Vec::new(),
                credentials: Vec::new(),
                lacks_requirements: false,
            }),
            unusable: None,
            findings: Vec::new(),
        }),
        settings: Settings { timeout: Some(30), ..Settings::default() },
        environment: BTreeMap::from([("URL".to_owned(), Some(Sensitive::new("https://a")))]),
    }
}

pub(crate) fn file(path: &str, sha256: &str) -> PackagedFile {
    PackagedFile { path: path.to_owned(), sha256: sha256.to_owned(), executable: false }
}

pub(crate) fn desired() -> Desired {
    let function = Function {
        name: "f".to_owned(),
        source: FunctionSource::Deployed(Box::new(deployment())),
        labels: BTreeMap::new(),
    };
    let secret = Secret {
        name: "s".to_owned(),
        function: Some("f".to_owned()),
        external: None,
        rotation: Rotation { enabled: Some(true), rules: Some(days(30)), rotate_immediately: None },
        labels: Shared::default(),
    };
    Desired {
        project: "p".to_owned(),
        target: Target::default(),
        functions: BTreeMap::from([("f".to_owned(), function)]),
        secrets: BTreeMap::from([("s".to_owned(), secret)]).into(),
        ..Desired::default()
    }
}

pub(crate) fn application() -> ApplicationVersion {
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

pub(crate) fn stack() -> LiveStack {
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

pub(crate) fn configuration() -> Configuration {
    Configuration {
        arn: arn("f"),
        name: "f".to_owned(),
        state: "Active".to_owned(),
        state_reason: None,
        last_update_status: "Successful".to_owned(),
        settings: Settings {
            runtime: Some("python3.12".to_owned()),
            handler: Some("lambda_function.lambda_handler".to_owned()),
            architecture: Some("x86_64".to_owned()),
            layers: Some(Vec::new()),
            timeout: Some(30),
            memory: Some(128),
            ephemeral_storage: Some(512),
            tracing: Some("PassThrough".to_owned()),
            description: Some(String::new()),
            vpc: Some(Vpc::default()),
        },
        environment: Ok(BTreeMap::from([
            ("URL".to_owned(), Sensitive::new("https://a")),
            ("FOREIGN".to_owned(), Sensitive::new("kept")),
        ])),
        ipv6_dual_stack: None,
        code_sha256: "ours".to_owned(),
        code_files: None,
        tags: Ok(BTreeMap::new()),
        log_group: None,
        role: None,
        reserved_concurrency: None,
        last_modified: None,
    }
}

pub(crate) fn statement() -> Statement {
    Statement {
        sid: "SecretsManagerAccess".to_owned(),
        allows: true,
        denies: false,
        source_account: Some(ACCOUNT.to_owned()),
        source_arn: None,
        other_conditions: false,
    }
}

pub(crate) fn secret() -> LiveSecret {
    LiveSecret {
        arn: format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s-abcdef"),
        name: "s".to_owned(),
        rotation_enabled: Some(true),
        function_arn: Some(arn("f")),
        function_project: None,
        function_shared: false,
        function_unread: None,
        attached: None,
        rules: Some(days(30)),
        kms_key: None,
        deleted: false,
        replica_of: None,
        owning_service: None,
        current_version: Some("v1".to_owned()),
        pending_version: None,
        previous_version: None,
        partner_type: None,
        external: External::default(),
        last_accessed: None,
        rotates_within: None,
        unchanged_for: None,
        last_rotated: None,
    }
}

pub(crate) fn live() -> Live {
    let function = LiveFunction {
        stack: Reading::Found(stack()),
        held_by: None,
        configuration: Reading::Found(configuration()),
        policy: Reading::Found(vec![statement()]),
        application: Reading::Found(application()),
        foreign_secrets: None,
        tested: None,
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
        listed: None,
    }
}

pub(crate) fn empty_live() -> Live {
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

pub(crate) fn live_function(live: &mut Live) -> &mut LiveFunction {
    live.functions.get_mut("f").expect("built above")
}

pub(crate) fn live_configuration(live: &mut Live) -> &mut Configuration {
    match &mut live_function(live).configuration {
        Reading::Found(configuration) => configuration,
        _ => panic!("built above"),
    }
}

pub(crate) fn live_secret(live: &mut Live) -> &mut LiveSecret {
    match live.secrets.get_mut("s") {
        Some(Reading::Found(secret)) => secret,
        _ => panic!("built above"),
    }
}

pub(crate) fn wanted(desired: &mut Desired) -> &mut Deployment {
    match &mut desired.functions.get_mut("f").expect("built above").source {
        FunctionSource::Deployed(deployment) => deployment,
        FunctionSource::Existing { .. } => panic!("built above"),
    }
}

pub(crate) fn orphaned() -> Live {
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
