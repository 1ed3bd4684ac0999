//! Rights of small targets, read as IAM reads them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::alarms;
use super::document::{LARGEST, MOST};
use super::scope::{On, Scope, Width};
use super::table::{PHASES, Phase};
use super::trust::Trust;
use super::{Permissions, Place, of};
use crate::model::{
    Application, Code, CodeSource, Deployment, Desired, Function, FunctionSource, Rotation, Secret, Settings, Target,
    TestValues, Vpc,
};

const ACCOUNT: &str = "111111111111";
const GENERIC: &str = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate";

fn place() -> Place {
    Place { partition: "aws".into(), region: "eu-west-1".into(), account: ACCOUNT.into() }
}

fn deployment(stack: &str) -> Deployment {
    Deployment {
        application: Application { id: GENERIC.into(), version: None, parameters: BTreeMap::new() },
        stack: stack.into(),
        shared: false,
        verify: None,
        read_secrets: Vec::new(),
        read_fault: None,
        test: TestValues::default(),
        code: None,
        settings: Settings::default(),
        environment: BTreeMap::new(),
    }
}

fn function(name: &str, source: FunctionSource) -> (String, Function) {
    (name.to_owned(), Function { name: name.to_owned(), source, labels: BTreeMap::new() })
}

fn secrets(names: impl IntoIterator<Item = String>) -> BTreeMap<String, Secret> {
    let secret = |name: String| Secret {
        name: name.clone(),
        function: Some("keys".into()),
        external: None,
        rotation: Rotation { enabled: Some(true), ..Rotation::default() },
        labels: crate::model::Shared::default(),
    };
    names.into_iter().map(|name| (name.clone(), secret(name))).collect()
}

fn target(functions: impl IntoIterator<Item = (String, Function)>, names: &[&str]) -> Desired {
    Desired {
        project: "p".into(),
        functions: functions.into_iter().collect(),
        secrets: secrets(names.iter().map(|name| (*name).to_owned())).into(),
        ..Desired::default()
    }
}

fn deployed() -> Desired {
    target([function("keys", FunctionSource::Deployed(Box::new(deployment("keys"))))], &["a/b", "c"])
}

fn needed(phase: &str, desired: &Desired) -> Permissions {
    of(Phase::named(phase).expect("a phase"), desired, &place(), &[]).expect("something is needed")
}

fn documents(permissions: &Permissions) -> Vec<Value> {
    permissions.documents.iter().map(|one| serde_json::from_str(&one.text()).expect("JSON")).collect()
}

/// The resources that documents allow an action on.
fn allowed(permissions: &Permissions, action: &str) -> Vec<String> {
    let mut found = Vec::new();
    for document in documents(permissions) {
        for statement in document["Statement"].as_array().expect("statements") {
            assert_eq!(statement["Effect"], "Allow");
            if statement["Action"].as_array().expect("actions").iter().any(|one| one == action) {
                found.extend(
                    statement["Resource"]
                        .as_array()
                        .expect("resources")
                        .iter()
                        .map(|one| one.as_str().expect("text").to_owned()),
                );
            }
        }
    }
    found.sort();
    found
}

/// Without it, a policy would allow more than the manifest is about, or not what it is about.
#[test]
fn resources_are_as_narrow_as_aws_takes_them() {
    let apply = needed("apply", &deployed());
    for (action, resources) in [
        ("cloudformation:DescribeStacks", vec!["*".to_owned()]),
        (
            "cloudformation:CreateChangeSet",
            vec![
                format!("arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/serverlessrepo-keys/*"),
                "arn:aws:cloudformation:eu-west-1:aws:transform/Serverless-2016-10-31".to_owned(),
            ],
        ),
        (
            "serverlessrepo:GetApplication",
            vec![
                "arn:aws:serverlessrepo:eu-west-1:297356227824:applications/SecretsManagerRotationTemplate".to_owned(),
            ],
        ),
        ("lambda:UpdateFunctionCode", vec![format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:keys")]),
        ("iam:PassRole", vec![format!("arn:aws:iam::{ACCOUNT}:role/serverlessrepo-keys*")]),
        (
            "secretsmanager:RotateSecret",
            vec![
                format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:a/b-??????"),
                format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:c-??????"),
            ],
        ),
        ("logs:FilterLogEvents", vec![format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/keys:*")]),
        (
            "s3:GetObject",
            vec![
                "arn:aws:s3:::awsserverlessrepo-changesets*".to_owned(),
                "arn:aws:s3:::secrets-manager-rotation-apps-*/*".to_owned(),
            ],
        ),
        ("ec2:DescribeVpcs", vec![]),
        ("lambda:GetLayerVersion", vec![]),
        ("secretsmanager:CancelRotateSecret", vec![]),
        ("kms:Decrypt", vec![]),
    ] {
        assert_eq!(allowed(&apply, action), resources, "{action}");
    }
}

/// Without it, rights would be asked for that only other manifests need, or be missing from those.
#[test]
fn what_only_some_manifests_need_is_there_for_those() {
    let mut full = deployment("keys");
    full.settings.layers = Some(vec!["arn:aws:lambda:eu-west-1:1:layer:x:1".into()]);
    full.settings.vpc = Some(Vpc::new(["subnet-1".to_owned()], ["sg-1".to_owned()]));
    full.read_secrets = vec!["admin".into()];
    let source = |version: Option<&str>| CodeSource::S3 {
        bucket: "b".into(),
        key: "k.zip".into(),
        object_version: version.map(str::to_owned),
        sha256: String::new(),
    };
    full.code = Some(Code { source: source(None), package: None, unusable: None, findings: Vec::new() });
    let mut desired = target([function("keys", FunctionSource::Deployed(Box::new(full.clone())))], &["s"]);
    desired.target = Target { role: Some(format!("arn:aws:iam::{ACCOUNT}:role/r")), ..Target::default() };
    let apply = needed("apply", &desired);
    assert_eq!(allowed(&apply, "lambda:GetLayerVersion"), ["arn:aws:lambda:eu-west-1:1:layer:x:1"]);
    assert_eq!(allowed(&apply, "ec2:DescribeSubnets"), ["*"]);
    assert!(allowed(&apply, "s3:GetObject").contains(&"arn:aws:s3:::b/k.zip".to_owned()));
    assert!(allowed(&apply, "s3:GetObjectVersion").is_empty());
    full.code = Some(Code { source: source(Some("1")), package: None, unusable: None, findings: Vec::new() });
    let versioned = target([function("keys", FunctionSource::Deployed(Box::new(full)))], &["s"]);
    assert_eq!(allowed(&needed("apply", &versioned), "s3:GetObjectVersion"), ["arn:aws:s3:::b/k.zip"]);
    assert!(allowed(&apply, "secretsmanager:DescribeSecret").iter().any(|arn| arn.ends_with(":secret:admin-??????")));
    assert!(!allowed(&apply, "secretsmanager:RotateSecret").iter().any(|arn| arn.contains("admin")));
    assert_eq!(
        allowed(&needed("apply-caller", &desired), "sts:AssumeRole"),
        [format!("arn:aws:iam::{ACCOUNT}:role/r")]
    );
    let key = "arn:aws:kms:eu-west-1:111111111111:key/x".to_owned();
    let plan = of(Phase::named("plan").expect("a phase"), &desired, &place(), std::slice::from_ref(&key));
    assert_eq!(allowed(&plan.expect("reads"), "kms:Decrypt"), [key]);
    assert!(of(Phase::named("plan-caller").expect("a phase"), &deployed(), &place(), &[]).is_none());
}

/// Without it, a function that nobody deploys here would come with rights to change it, and one elsewhere be misnamed.
#[test]
fn existing_functions_are_only_read_and_invoked() {
    let elsewhere = "arn:aws:lambda:eu-west-1:222222222222:function:theirs:live";
    let existing = |reference: &str| FunctionSource::Existing { reference: reference.to_owned() };
    let desired = target(
        [function("keys", existing("keys")), function("theirs", existing(elsewhere))],
        &["s", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:t-abcdef"],
    );
    let apply = needed("apply", &desired);
    let here = format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:keys");
    assert_eq!(allowed(&apply, "lambda:InvokeFunction"), [here.as_str(), elsewhere]);
    for action in
        ["lambda:UpdateFunctionCode", "lambda:AddPermission", "iam:CreateRole", "cloudformation:ExecuteChangeSet"]
    {
        assert!(allowed(&apply, action).is_empty(), "{action}");
    }
    assert!(
        allowed(&apply, "secretsmanager:RotateSecret")
            .contains(&"arn:aws:secretsmanager:eu-west-1:111111111111:secret:t-abcdef".to_owned())
    );
    let scope = Scope { desired: &desired, place: &place(), keys: &[] };
    let all = scope.resources(On::Functions, Width::All);
    assert_eq!(all, [format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:*"), elsewhere.to_owned()]);
}

/// Without it, IAM would refuse a policy for its size, or a role have no room for so many; or names be left out on the way.
#[test]
fn documents_keep_iams_limits() {
    let named = |count: usize, folders: usize| {
        let names = (0..count).map(|at| format!("team-{}/service/some-longer-name-of-a-secret-{at}", at % folders));
        Desired { secrets: secrets(names).into(), ..deployed() }
    };
    let few = needed("apply", &named(300, 30));
    assert!(few.documents.len() > 1 && few.widened.is_empty(), "{}", few.documents.len());
    assert_eq!(allowed(&few, "secretsmanager:RotateSecret").len(), 300, "none is lost between documents");
    let many = needed("apply", &named(3_000, 30));
    assert_eq!(many.widened, [(On::Secrets, Width::Folders)]);
    assert_eq!(allowed(&many, "secretsmanager:RotateSecret").len(), 30);
    let most = needed("apply", &named(5_000, 5_000));
    assert_eq!(most.widened, [(On::Secrets, Width::All)]);
    assert_eq!(allowed(&most, "secretsmanager:RotateSecret").len(), 1);
    let functions = (0..1_000).map(|at| {
        let name = format!("SecretsManager-a-long-name-of-a-function-{at}");
        function(&name, FunctionSource::Deployed(Box::new(deployment(&name))))
    });
    let functions = needed("apply", &target(functions, &["s"]));
    assert!(
        functions.widened.iter().any(|(on, width)| *on == On::Deployed && *width == Width::All),
        "{:?}",
        functions.widened
    );
    for permissions in [&few, &many, &most, &functions] {
        assert!(permissions.documents.len() <= MOST);
        for document in documents(permissions) {
            let text = serde_json::to_string(&document).expect("JSON");
            assert!(text.len() <= LARGEST, "{} characters", text.len());
            let sids: Vec<&str> = document["Statement"]
                .as_array()
                .expect("statements")
                .iter()
                .filter_map(|one| one["Sid"].as_str())
                .collect();
            let different: std::collections::BTreeSet<&&str> = sids.iter().collect();
            assert_eq!(sids.len(), different.len(), "{sids:?}");
            assert!(sids.iter().all(|sid| sid.chars().all(|c| c.is_ascii_alphanumeric())), "{sids:?}");
        }
    }
}

/// Without it, a phase that changes something could be shown as one that only reads.
#[test]
fn phases_that_read_call_nothing_that_writes() {
    for phase in PHASES.iter().filter(|phase| phase.reads) {
        for need in phase.needs() {
            let operation = need.action.split_once(':').map_or("", |(_, operation)| operation);
            let reads =
                ["Describe", "Filter", "Get", "List", "Lookup"].iter().any(|start| operation.starts_with(start));
            assert!(reads || ["AssumeRole", "Decrypt"].contains(&operation), "{}: {}", phase.name, need.action);
        }
    }
    for need in PHASES.iter().flat_map(Phase::needs) {
        assert!(!need.action.contains("SecretValue") && !need.action.contains('*'), "{}", need.action);
    }
}

/// Without it, a role could be taken by jobs of other repositories, or by none.
#[test]
fn trust_names_whole_subjects() {
    let condition = |who: &str, reads: bool| {
        let policy = Trust::parse(who).expect(who).policy(&place(), reads);
        policy["Statement"][0]["Condition"].clone()
    };
    let github = "token.actions.githubusercontent.com:sub";
    let equals = |who: &str, reads: bool| condition(who, reads)["StringEquals"][github].clone();
    assert_eq!(equals("github:acme/rotation:production", false), "repo:acme/rotation:environment:production");
    assert_eq!(equals("github:acme@1/rotation@2:production", true), "repo:acme@1/rotation@2:environment:production");
    assert_eq!(equals("github:acme/rotation", false), "repo:acme/rotation:ref:refs/heads/main");
    assert_eq!(
        equals("github:acme/rotation", true),
        json!(["repo:acme/rotation:ref:refs/heads/main", "repo:acme/rotation:pull_request"])
    );
    assert_eq!(equals("github:acme/rotation:ref:refs/tags/v1", false), "repo:acme/rotation:ref:refs/tags/v1");
    assert_eq!(
        condition("github:a/b", false)["StringEquals"]["token.actions.githubusercontent.com:aud"],
        "sts.amazonaws.com"
    );
    let gitlab = condition("gitlab:acme/team/rotation", false);
    assert_eq!(gitlab["StringEquals"]["gitlab.com:sub"], "project_path:acme/team/rotation:ref_type:branch:ref:main");
    let own = condition("gitlab@git.example.com:acme/rotation:release", true);
    assert_eq!(own["StringEquals"]["git.example.com:sub"], "project_path:acme/rotation:ref_type:branch:ref:release");
    let reads = condition("gitlab:acme/rotation", true);
    assert_eq!(reads["StringLike"]["gitlab.com:sub"], "project_path:acme/rotation:ref_type:branch:ref:*");
    let policy = Trust::parse("github:a/b").expect("a repository").policy(&place(), true);
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com");
    assert_eq!(policy["Statement"][0]["Principal"]["Federated"], provider);
    for wrong in [
        "github:acme/*",
        "github:acme",
        "acme/rotation",
        "github:a/b/c",
        "gitlab:a/b:*",
        "gitlab@:a/b",
        "github:a/b:",
        "github:a/\"b",
    ] {
        assert!(Trust::parse(wrong).is_err(), "{wrong}");
    }
}

/// Without it, a failed rotation would ring no bell, or the rule be refused for its size.
#[test]
fn alarms_hear_of_these_secrets() {
    let found = alarms::of(&deployed(), &place()).expect("there are secrets");
    assert_eq!((found.patterns.len(), found.width), (1, Width::Named));
    let detail = &found.patterns[0]["detail"];
    assert_eq!(detail["eventName"], json!(["RotationFailed", "RotationAbandoned", "TestRotationFailed"]));
    assert_eq!(
        detail["additionalEventData"]["SecretId"][0]["prefix"],
        format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:a/b-")
    );
    let named = |count: usize, folders: usize| {
        let names = (0..count).map(|at| format!("team-{}/name-{at}", at % folders));
        alarms::of(&Desired { secrets: secrets(names).into(), ..Desired::default() }, &place()).expect("secrets")
    };
    let several = named(100, 50);
    assert!(several.width == Width::Named && several.patterns.len() > 1);
    assert_eq!(named(1_000, 20).width, Width::Folders);
    let all = named(2_000, 2_000);
    assert_eq!((all.width, all.patterns.len()), (Width::All, 1));
    for pattern in several.patterns.iter().chain(&all.patterns) {
        assert!(pattern.to_string().len() <= 2_048);
    }
    assert!(alarms::of(&Desired::default(), &place()).is_none());
}
