//! Generated desired states, and the live state that is exactly as they ask.

use std::collections::{BTreeMap, BTreeSet};

use rotator::model::live::{
    ApplicationVersion, Configuration, LiveFunction, LiveSecret, LiveStack, ParameterDefinition, Reading, Statement,
};
use rotator::model::{
    Application, Code, CodeSource, Deployment, Desired, External, Function, FunctionSource, Live, PERMISSION_STATEMENT,
    PROJECT_TAG, PackageSummary, PackagedFile, Rotation, RotationRules, SAR_APPLICATION_TAG, SAR_VERSION_TAG,
    SHARED_TAG, Schedule, Secret, Selection, Sensitive, Settings, Shared, Target, Vpc,
};

use crate::cases::{Dice, Throws};

pub const ACCOUNT: &str = "111111111111";
pub const REGION: &str = "eu-west-1";
pub const PROJECT: &str = "ours";
pub const EARLIER: &str = "ours-before";
pub const GENERIC: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";
/// An application with a parameter that can't be read back.
pub const WITH_TOKEN: &str = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/RotationWithToken";
pub const OLD_VERSION: &str = "1.0.1";
pub const NEWEST: &str = "1.0.2";
/// What a function costs in throws, and a secret.
pub const FUNCTION_DICE: usize = 64;
pub const SECRET_DICE: usize = 48;

pub fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

pub fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
}

pub fn days(days: u16) -> RotationRules {
    RotationRules::new(Schedule::AutomaticallyAfterDays(days), None)
}

pub fn all_rules() -> Vec<RotationRules> {
    let expression = |text: &str| Schedule::Expression(text.to_owned());
    vec![
        days(30),
        days(7),
        RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(4)),
        RotationRules::new(expression("rate(10 days)"), None),
        RotationRules::new(expression("cron(0 2 ? * SUN#1 *)"), Some(3)),
        RotationRules::new(expression("cron(0 /8 * * ? *)"), None),
    ]
}

/// What is declared by a version of an application.
pub fn version(application: &str, version: &str) -> ApplicationVersion {
    let declared = |default: Option<&str>| ParameterDefinition {
        default: default.map(str::to_owned),
        ..ParameterDefinition::default()
    };
    let mut parameters = BTreeMap::from([
        ("endpoint".to_owned(), declared(None)),
        ("functionName".to_owned(), declared(None)),
        ("excludeCharacters".to_owned(), declared(Some("/@"))),
    ]);
    if application == WITH_TOKEN {
        parameters.insert("apiToken".to_owned(), ParameterDefinition { no_echo: true, ..declared(None) });
    } else if version == NEWEST {
        for name in ["vpcSubnetIds", "vpcSecurityGroupIds", "kmsKeyArn"] {
            parameters.insert(name.to_owned(), declared(Some("")));
        }
    }
    ApplicationVersion {
        version: version.to_owned(),
        newest: Some(NEWEST.to_owned()),
        required_capabilities: vec!["CAPABILITY_IAM".to_owned()],
        parameters,
    }
}

fn package(name: &str) -> PackageSummary {
    let file = PackagedFile { path: "lambda_function.py".into(), sha256: format!("text of {name}"), executable: false };
    PackageSummary {
        sha256: format!("code of {name}"),
        size: 100,
        files: vec![file],
        left_out: Vec::new(),
        credentials: Vec::new(),
        lacks_requirements: false,
    }
}

fn code(throws: &mut Throws<'_>, handle: &str) -> Option<Code> {
    let (none, in_s3) = (throws.chance(15), throws.chance(15));
    let source = if in_s3 {
        let sha256 = format!("object of {handle}");
        CodeSource::S3 { bucket: "packages".into(), key: "f.zip".into(), object_version: None, sha256 }
    } else {
        CodeSource::Path {
            path: handle.into(),
            tree: ".".into(),
            shown: handle.to_owned(),
            selection: Selection::default(),
        }
    };
    let package = (!in_s3).then(|| package(handle));
    (!none).then_some(Code { source, package, unusable: None, findings: Vec::new() })
}

fn settings(throws: &mut Throws<'_>) -> Settings {
    let vpcs = [
        Vpc::new(["subnet-1".to_owned()], ["sg-1".to_owned()]),
        Vpc::new(["subnet-2".to_owned(), "subnet-1".to_owned()], ["sg-1".to_owned()]),
        Vpc::default(),
    ];
    Settings {
        runtime: throws.maybe(30, &["python3.12".to_owned(), "python3.13".to_owned()]),
        handler: throws.maybe(25, &["lambda_function.lambda_handler".to_owned()]),
        architecture: throws.maybe(25, &["x86_64".to_owned(), "arm64".to_owned()]),
        layers: throws.maybe(20, &[vec!["arn:layer:2".to_owned(), "arn:layer:1".to_owned()], Vec::new()]),
        timeout: throws.maybe(60, &[30, 60]),
        memory: throws.maybe(30, &[128, 256]),
        ephemeral_storage: throws.maybe(20, &[512, 1024]),
        tracing: throws.maybe(20, &["Active".to_owned(), "PassThrough".to_owned()]),
        vpc: throws.maybe(35, &vpcs),
        description: throws.maybe(20, &["rotates".to_owned(), String::new()]),
    }
}

fn deployment(throws: &mut Throws<'_>, handle: &str) -> Deployment {
    let with_token = throws.chance(15);
    let id = if with_token { WITH_TOKEN } else { GENERIC };
    let pinned = throws.maybe(40, &[NEWEST, OLD_VERSION]);
    let excluded = throws.maybe(25, &["/@", "#", ""]);
    let mut parameters: BTreeMap<String, Sensitive> = BTreeMap::new();
    parameters.extend(excluded.map(|text| ("excludeCharacters".to_owned(), Sensitive::new(text))));
    if with_token {
        parameters.insert("apiToken".to_owned(), Sensitive::new("a token"));
    }
    let mut environment = BTreeMap::new();
    for name in ["URL", "USER"] {
        let value = throws.maybe(50, &[Some("a"), Some("b"), None]);
        environment.extend(value.map(|value| (name.to_owned(), value.map(Sensitive::new))));
    }
    Deployment {
        application: Application { id: id.to_owned(), version: pinned.map(str::to_owned), parameters },
        stack: throws.one_of(&[handle.to_owned(), format!("{handle}-rotation")]),
        shared: throws.chance(20),
        verify: None,
        read_secrets: Vec::new(),
        read_fault: None,
        test: rotator::model::TestValues::default(),
        code: code(throws, handle),
        settings: settings(throws),
        environment,
    }
}

fn function(throws: &mut Throws<'_>, number: usize) -> Function {
    let handle = format!("f{number}");
    let name = throws.one_of(&[handle.clone(), format!("SecretsManager-{handle}")]);
    let existing = throws.chance(25);
    let reference = throws.one_of(&[name.clone(), function_arn(&name), format!("{}:live", function_arn(&name))]);
    let deployment = deployment(throws, &handle);
    let source =
        if existing { FunctionSource::Existing { reference } } else { FunctionSource::Deployed(Box::new(deployment)) };
    Function { name, source, labels: BTreeMap::new() }
}

fn secret(throws: &mut Throws<'_>, number: usize, functions: usize) -> Secret {
    let which = throws.below(functions + 1);
    let rules = throws.one_of(&all_rules());
    let wanted = throws.one_of(&[Some(true), Some(true), Some(true), Some(false), None]);
    let keeps_rules = throws.chance(30);
    // A manifest switches nothing on without a schedule, and a schedule switches on unless it says otherwise.
    let rules = match wanted {
        Some(true) => Some(rules),
        Some(false) => keeps_rules.then_some(rules),
        None => None,
    };
    Secret {
        name: format!("s{number}"),
        function: (which < functions).then(|| format!("f{which}")),
        external: None,
        rotation: Rotation {
            enabled: wanted,
            rules,
            rotate_immediately: throws.one_of(&[None, Some(true), Some(false)]),
        },
        labels: Shared::default(),
    }
}

/// What goes on to decide about entries, by handle.
pub type Deciding<'a> = Vec<(String, Throws<'a>)>;

/// A manifest's wishes. Each row of dice decides about one function or secret, and goes on to decide what is live.
pub fn desired<'a>(functions: &'a [Dice], secrets: &'a [Dice]) -> (Desired, Deciding<'a>, Deciding<'a>) {
    let mut wanted = Desired {
        project: PROJECT.to_owned(),
        renamed_from: Some(EARLIER.to_owned()),
        target: Target { region: Some(REGION.to_owned()), ..Target::default() },
        removed: BTreeSet::new(),
        ..Desired::default()
    };
    let (mut of_functions, mut of_secrets) = (Vec::new(), Vec::new());
    for (number, dice) in functions.iter().enumerate() {
        let mut throws = dice.throws();
        wanted.functions.insert(format!("f{number}"), function(&mut throws, number));
        of_functions.push((format!("f{number}"), throws));
    }
    for (number, dice) in secrets.iter().enumerate() {
        let mut throws = dice.throws();
        wanted.secrets.insert(format!("s{number}"), secret(&mut throws, number, functions.len()));
        of_secrets.push((format!("s{number}"), throws));
    }
    (wanted, of_functions, of_secrets)
}

/// The live state that is as the manifest says, and otherwise as AWS makes it.
pub fn mirror(wanted: &Desired) -> Live {
    let mut live = Live {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        partition: "aws".to_owned(),
        functions: BTreeMap::new(),
        secrets: BTreeMap::new(),
        orphan_stacks: Vec::new(),
        orphan_secrets: Ok(Vec::new()),
        stacks_unread: None,
        listed: None,
    };
    for (handle, function) in &wanted.functions {
        live.functions.insert(handle.clone(), live_function(function));
    }
    for (handle, secret) in &wanted.secrets {
        live.secrets.insert(handle.clone(), Reading::Found(live_secret(wanted, secret)));
    }
    live
}

fn live_function(function: &Function) -> LiveFunction {
    let permission = Reading::Found(vec![statement(PERMISSION_STATEMENT, Some(ACCOUNT))]);
    let FunctionSource::Deployed(wanted) = &function.source else {
        return LiveFunction {
            stack: Reading::Absent,
            held_by: None,
            configuration: Reading::Found(configuration(&function.name)),
            policy: permission,
            application: Reading::Absent,
            foreign_secrets: None,
            tested: None,
        };
    };
    let number = wanted.application.version.as_deref().unwrap_or(NEWEST);
    let declared = version(&wanted.application.id, number);
    let stack = made_stack(function, wanted, &declared, None);
    let mut configuration = configuration(&function.name);
    configuration.tags = Ok(stack.tags.clone());
    apply_configuration(&mut configuration, wanted);
    if let Some(code) = &wanted.code {
        configuration.code_sha256 = code_hash(code);
    }
    if let Some(architecture) = &wanted.settings.architecture {
        configuration.settings.architecture = Some(architecture.clone());
    }
    LiveFunction {
        stack: Reading::Found(stack),
        held_by: None,
        configuration: Reading::Found(configuration),
        policy: permission,
        application: Reading::Found(declared),
        foreign_secrets: wanted.shared.then_some(0),
        tested: None,
    }
}

pub fn code_hash(code: &Code) -> String {
    match (&code.source, &code.package) {
        (CodeSource::S3 { sha256, .. }, _) => sha256.clone(),
        (CodeSource::Path { .. }, package) => {
            package.as_ref().map(|package| package.sha256.clone()).unwrap_or_default()
        }
    }
}

/// What a manifest says about a function's configuration, set on it.
pub fn apply_configuration(live: &mut Configuration, wanted: &Deployment) {
    let Settings {
        runtime,
        handler,
        architecture: _,
        layers,
        timeout,
        memory,
        ephemeral_storage,
        tracing,
        description,
        vpc,
    } = &wanted.settings;
    let settings = &mut live.settings;
    settings.runtime = runtime.clone().or(settings.runtime.take());
    settings.handler = handler.clone().or(settings.handler.take());
    settings.layers = layers.clone().or(settings.layers.take());
    settings.timeout = timeout.or(settings.timeout);
    settings.memory = memory.or(settings.memory);
    settings.ephemeral_storage = ephemeral_storage.or(settings.ephemeral_storage);
    settings.tracing = tracing.clone().or(settings.tracing.take());
    settings.description = description.clone().or(settings.description.take());
    settings.vpc = vpc.clone().or(settings.vpc.take());
    if let Ok(variables) = &mut live.environment {
        for (name, value) in &wanted.environment {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
    }
}

/// A stack as an application's version, the manifest and what was live before make it.
pub fn made_stack(
    function: &Function,
    wanted: &Deployment,
    declared: &ApplicationVersion,
    before: Option<&LiveStack>,
) -> LiveStack {
    let mut parameters = BTreeMap::new();
    for (name, definition) in &declared.parameters {
        let of_vpc = |list: fn(&Vpc) -> &Vec<String>| {
            wanted.settings.vpc.as_ref().map(|vpc| Sensitive::new(list(vpc).join(",")))
        };
        let stated = match name.as_str() {
            "vpcSubnetIds" => of_vpc(|vpc| &vpc.subnets),
            "vpcSecurityGroupIds" => of_vpc(|vpc| &vpc.security_groups),
            _ => None,
        };
        let stated = wanted.application.parameters.get(name).cloned().or(stated);
        let made = match name.as_str() {
            "endpoint" => Some(format!("https://secretsmanager.{REGION}.amazonaws.com")),
            "functionName" => Some(function.name.clone()),
            _ => definition.default.clone(),
        };
        let kept = before.and_then(|stack| stack.parameters.get(name)).cloned();
        let value = stated.or(kept).or(made.map(Sensitive::new));
        let masked = value.map(|value| if definition.no_echo { Sensitive::new("****") } else { value });
        parameters.extend(masked.map(|value| (name.clone(), value)));
    }
    let mut tags = before.map(|stack| stack.tags.clone()).unwrap_or_default();
    tags.remove(SHARED_TAG);
    tags.insert(PROJECT_TAG.to_owned(), PROJECT.to_owned());
    if wanted.shared {
        tags.insert(SHARED_TAG.to_owned(), "true".to_owned());
    }
    tags.insert(SAR_APPLICATION_TAG.to_owned(), wanted.application.id.clone());
    tags.insert(SAR_VERSION_TAG.to_owned(), declared.version.clone());
    let status = if before.is_some() { "UPDATE_COMPLETE" } else { "CREATE_COMPLETE" };
    LiveStack {
        id: format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serverlessrepo-{}/1", wanted.stack),
        name: format!("serverlessrepo-{}", wanted.stack),
        status: status.to_owned(),
        tags,
        parameters,
        capabilities: declared.required_capabilities.clone(),
        function: Some(function.name.clone()),
        first_failure: None,
    }
}

/// A function as an application makes it.
pub fn configuration(name: &str) -> Configuration {
    Configuration {
        arn: function_arn(name),
        name: name.to_owned(),
        state: "Active".to_owned(),
        state_reason: None,
        last_update_status: "Successful".to_owned(),
        settings: Settings {
            runtime: Some("python3.11".to_owned()),
            handler: Some("lambda_function.lambda_handler".to_owned()),
            architecture: Some("x86_64".to_owned()),
            layers: Some(Vec::new()),
            timeout: Some(3),
            memory: Some(512),
            ephemeral_storage: Some(512),
            tracing: Some("PassThrough".to_owned()),
            description: Some("the template's".to_owned()),
            vpc: Some(Vpc::default()),
        },
        environment: Ok(BTreeMap::from([("SECRETS_MANAGER_ENDPOINT".to_owned(), Sensitive::new("https://endpoint"))])),
        ipv6_dual_stack: None,
        code_sha256: "code of the template".to_owned(),
        code_files: None,
        tags: Ok(BTreeMap::new()),
        log_group: None,
        role: None,
        reserved_concurrency: None,
        last_modified: None,
    }
}

pub fn statement(sid: &str, source_account: Option<&str>) -> Statement {
    Statement {
        sid: sid.to_owned(),
        allows: true,
        denies: false,
        source_account: source_account.map(str::to_owned),
        source_arn: None,
        other_conditions: false,
    }
}

/// The ARN that a secret's function is called by.
pub fn called(function: &Function) -> String {
    match &function.source {
        FunctionSource::Existing { reference } if reference.starts_with("arn:") => reference.clone(),
        _ => function_arn(&function.name),
    }
}

fn live_secret(wanted: &Desired, secret: &Secret) -> LiveSecret {
    let on = secret.rotation.enabled == Some(true);
    let function = secret.function.as_ref().map(|handle| called(&wanted.functions[handle]));
    LiveSecret {
        arn: secret_arn(&secret.name),
        name: secret.name.clone(),
        rotation_enabled: on.then_some(true),
        function_arn: function.clone().filter(|_| on),
        function_project: None,
        function_shared: false,
        function_unread: None,
        attached: None,
        rules: secret.rotation.rules.clone().filter(|_| on),
        kms_key: None,
        deleted: false,
        replica_of: None,
        owning_service: secret.function.is_none().then(|| "rds".to_owned()),
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
