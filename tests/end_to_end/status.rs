//! How rotation does: each state and each fault of a function, planted by AWS's CLI and the service's clock.

use super::guide::until_rotated;
use super::support::World;

const FUNCTION: &str = "SecretsManagerStatus";

/// A secret a state, with one function. What `app/stuck` rotates with raises in `setSecret`.
fn fleet() -> World {
    let world = World::new();
    for name in ["app/well", "app/stuck", "app/off", "app/deleted", "other/plain"] {
        world.create_secret(name, "first");
    }
    world.aws(&["secretsmanager", "create-secret", "--name", "app/empty"]);
    world.write_signing_key("code/lambda_function.py");
    world.write("broken/lambda_function.py", BROKEN);
    world.write("rotator.yaml", MANIFEST);
    world.rotator(&["apply", "--auto-approve", "--target", "secret.app/well", "--target", "secret.app/off"]).exits(0);
    until_rotated(&world, "app/well");
    until_rotated(&world, "app/off");
    world
}

const MANIFEST: &str = "version: 1
project: status
functions:
  SecretsManagerStatus: {code: code}
  SecretsManagerBroken: {code: broken}
defaults:
  secrets: {rotation: {automatically_after_days: 30}}
secrets:
  app/well: {function: SecretsManagerStatus}
  app/off: {function: SecretsManagerStatus}
  app/deleted: {function: SecretsManagerStatus}
  app/stuck: {function: SecretsManagerBroken}
  app/empty: {function: SecretsManagerStatus}
  app/gone: {function: SecretsManagerStatus}
  app/quiet: {function: SecretsManagerStatus, rotation: {enabled: false}}
";

/// Makes a pending version and raises.
const BROKEN: &str = r#"import boto3
def lambda_handler(event, context):
    client = boto3.client("secretsmanager")
    if event["Step"] == "createSecret":
        client.put_secret_value(SecretId=event["SecretId"], ClientRequestToken=event["ClientRequestToken"], SecretString="next", VersionStages=["AWSPENDING"])
    if event["Step"] == "setSecret":
        raise RuntimeError("the vendor said no")
"#;

fn states(json: &str) -> Vec<(String, String, bool)> {
    let report: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let secrets = report["targets"][0]["secrets"].as_array().expect("secrets");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let mut states: Vec<_> = secrets
        .iter()
        .map(|secret| (text(&secret["name"]), text(&secret["state"]), secret["trouble"] == true))
        .collect();
    states.sort();
    states
}

/// Without it, "No changes" could stand over a fleet of which half hasn't rotated for weeks.
#[test]
fn each_state_is_named_with_its_reason_and_ends_with_4() {
    let world = fleet();
    world.rotator(&["status", "--target", "secret.app/well"]).exits(0).says("1 secret: 1 ok");
    world.aws(&["secretsmanager", "cancel-rotate-secret", "--secret-id", "app/off"]);
    world.aws(&["secretsmanager", "delete-secret", "--secret-id", "app/deleted"]);
    world.rotator(&["apply", "--auto-approve", "--no-wait", "--target", "secret.app/stuck"]).exits(0);
    while world.version("app/stuck", "AWSPENDING").is_none() {}
    world.advance_days(2);
    let json = world.rotator(&["status", "--format", "json"]).exits(4).stdout;
    let expected = [
        ("app/deleted", "scheduled-for-deletion", true),
        ("app/empty", "no-value", true),
        ("app/gone", "missing", true),
        ("app/off", "off", true),
        ("app/quiet", "missing", true),
        ("app/stuck", "stuck", true),
        ("app/well", "ok", false),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(name, state, trouble)| ((*name).to_owned(), (*state).to_owned(), *trouble)).collect();
    assert_eq!(states(&json), expected, "{json}");
    // In words: the worst first, each with what to do.
    let text = world.rotator(&["status"]).exits(4);
    let first = text.stdout.lines().nth(2).unwrap_or_default().to_owned();
    assert!(first.contains("stuck") && first.contains("a version is pending since"), "{}", text.all());
    text.says("aws secretsmanager restore-secret --region us-east-1")
        .says("AWS has no such secret")
        .says("rotator repair --endpoint-url");
    world.rotator(&["status", "--format", "markdown"]).exits(4).says("| **stuck** | `secret.app/stuck`");
    world.rotator(&["status", "--format", "junit"]).exits(4).says("<failure type=\"stuck\"");
    // A schedule that nothing can keep: its function is gone, and a month passes.
    world.aws(&["lambda", "delete-function", "--function-name", FUNCTION]);
    world.advance_days(45);
    world
        .rotator(&["status", "--target", "secret.app/well"])
        .exits(4)
        .says("overdue")
        .says("there is no such function")
        .says("rotator logs --endpoint-url");
}

/// Without it, whoever is called at night would see that a secret is stuck, and not which step of which function fails.
#[test]
fn reasons_name_the_step_and_the_line() {
    let world = fleet();
    world.rotator(&["apply", "--auto-approve", "--no-wait", "--target", "secret.app/stuck"]).exits(0);
    while world.aws(&EVENTS)["Events"].as_array().is_none_or(|events| events.len() < 2) {}
    let status = ["status", "--target", "secret.app/stuck", "--target", "secret.app/well"];
    let with = |more: &[&'static str]| world.rotator(&[&status[..], &["--reasons"], more].concat());
    let said = "setSecret failed at lambda_function.py:7, in lambda_handler: RuntimeError; the last try was at";
    with(&[]).exits(4).says("failing").says(said).says("its log says").says("reasons: 1 of 1 suspect; CloudTrail");
    let json: serde_json::Value = serde_json::from_str(&with(&["--format", "json"]).exits(4).stdout).expect("JSON");
    let secret = &json["targets"][0]["secrets"][0];
    assert_eq!((&secret["state"], &secret["failure"]["step"]), (&"failing".into(), &"setSecret".into()), "{secret}");
    assert_eq!((&secret["failure"]["line"], &secret["failure"]["said_by"]), (&7.into(), &"log".into()), "{secret}");
    let all = with(&["--format", "json", "-v"]).all();
    assert!(!all.contains("the vendor said no"), "an error's own words may hold the secret's value: {all}");
    // An event knows the step where the log is gone.
    world.aws(&["logs", "delete-log-group", "--log-group-name", "/aws/lambda/SecretsManagerBroken"]);
    with(&[]).exits(4).says("setSecret failed; the last try was at").says("CloudTrail says");
    // What may not be read is said, and hides nothing of what is known without it.
    world.fault(
        r#"{"operation": "LookupEvents", "error": {"code": "AccessDeniedException", "status": 400, "message": "no"}}"#,
    );
    with(&[])
        .exits(0)
        .says("in progress")
        .says("reasons: 0 of 1 suspect; CloudTrail can't be read")
        .says("cloudtrail:LookupEvents");
    world.fault("");
    // Whoever looks later finds the try that was made meanwhile.
    world.advance_days(3);
    with(&["--since", "1d"]).exits(4).says("failing");
}

const EVENTS: [&str; 4] =
    ["cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=RotationFailed"];

/// Without it, an auditor's scanner would find what the team's own report hides, or the team hunt for what is right.
#[test]
fn controls_are_computed_without_asking_for_them() {
    let world = fleet();
    world.aws(&[
        "secretsmanager",
        "replicate-secret-to-regions",
        "--secret-id",
        "app/well",
        "--add-replica-regions",
        "Region=eu-west-1",
    ]);
    let status = ["status", "--all", "--controls", "--target", "secret.app/well"];
    world.rotator(&status).exits(0).says("fails SecretsManager.1 (secretsmanager-rotation-enabled-check) for 4 secrets: app/empty, app/deleted, app/stuck, other/plain");
    // What rotates elsewhere has its function there.
    let replica = world.rotator(&["status", "--all", "--controls", "--region", "eu-west-1"]).all();
    assert!(replica.contains("1 replica; 0 functions"), "{replica}");
    world.aws(&["lambda", "delete-function", "--function-name", FUNCTION]);
    world.advance_days(91);
    let json = world.rotator(&[&status[..], &["--format", "json"]].concat()).exits(4).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let counts: Vec<_> = report["targets"][0]["controls"]
        .as_array()
        .expect("controls")
        .iter()
        .map(|one| one["failed"].as_u64())
        .collect();
    assert_eq!(counts, [Some(4), Some(2), Some(6), Some(6)], "{json}");
    world
        .rotator(&[&status[..], &["--format", "markdown"]].concat())
        .exits(4)
        .says("| SecretsManager.2 | `secretsmanager-scheduled-rotation-success-check` | 2 | 0 |");
}

/// Without it, a policy on the age of values could only ask for schedules, which say nothing of rotations that fail.
#[test]
fn a_policy_may_ask_how_long_ago_secrets_rotated() {
    let world = fleet();
    world.write("policy.yaml", "version: 1\npolicy:\n  - {name: fresh, rotated_within_days: 20, covers: live}\n");
    let with = |arguments: &[&'static str]| {
        world.rotator(&[arguments, &["--policy", "policy.yaml", "--target", "secret.app/well"]].concat())
    };
    with(&["status"]).exits(0);
    world.aws(&["lambda", "delete-function", "--function-name", FUNCTION]);
    world.advance_days(21);
    with(&["status"])
        .exits(4)
        .says("ok secret.app/well")
        .says("its value is 21 days old, and the rule `fresh` allows 20 days");
    with(&["status", "--format", "json"]).exits(4).says("\"broken_rules\": [");
    // It warns, and refuses nothing.
    with(&["plan"]).says("warning").says("it last rotated, or was made, 21 days ago");
    world.rotator(&["validate", "--policy", "policy.yaml"]).says("when secrets last rotated is only on AWS");
    // A value that was put by hand is new.
    world.aws(&["secretsmanager", "put-secret-value", "--secret-id", "app/well", "--secret-string", "by hand"]);
    let mended = with(&["status"]).all();
    assert!(!mended.contains("the rule `fresh`"), "{mended}");
    // Of secrets that no manifest names, too, where the rule says so.
    with(&["status", "--all", "--format", "json"]).exits(4).says("\"broken_rules\": [");
}

/// Without it, secrets that no manifest names would hide, or another team's turn this team's pipeline red.
#[test]
fn a_whole_account_is_shown_and_counts_where_asked() {
    let world = fleet();
    let all = world.rotator(&["status", "--all", "--target", "secret.app/well", "--format", "json"]).exits(0).stdout;
    let unmanaged = states(&all).into_iter().find(|(name, _, _)| name == "other/plain").expect("it is listed");
    assert_eq!((unmanaged.1.as_str(), unmanaged.2), ("unmanaged", false));
    // Without a manifest: what the credentials reach.
    std::fs::remove_file(world.path("rotator.yaml")).expect("it is there");
    world.rotator(&["status", "--all"]).exits(0).says("unmanaged");
    world.aws(&[
        "lambda",
        "put-function-concurrency",
        "--function-name",
        FUNCTION,
        "--reserved-concurrent-executions",
        "0",
    ]);
    world.rotator(&["status", "--all"]).exits(0).says("its reserved concurrency is 0");
    world
        .rotator(&["status", "--all", "--strict"])
        .exits(4)
        .says("aws lambda delete-function-concurrency --region us-east-1");
    world.rotator(&["status"]).exits(1);
}

/// Without it, what can't be read would count as well.
#[test]
fn what_cannot_be_read_is_said_and_is_no_success() {
    let world = fleet();
    world.fault(r#"{"operation": "DescribeSecret", "error": {"code": "AccessDeniedException", "status": 400, "message": "no"}}"#);
    world
        .rotator(&["status", "--target", "secret.app/well"])
        .exits(1)
        .says("not known")
        .says("secretsmanager:DescribeSecret");
}

/// Without it, a pipeline would read members that the published schema doesn't name.
#[test]
fn the_json_is_what_its_schema_says() {
    let committed = std::fs::read_to_string("schema/status.schema.json").expect("the schema is committed");
    let world = fleet();
    assert_eq!(
        committed,
        world.rotator(&["schema", "status"]).exits(0).stdout,
        "rotator schema status > schema/status.schema.json"
    );
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let json = world.rotator(&["status", "--format", "json"]).exits(4).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Without it, a page could load from elsewhere, or run what a secret is called.
#[test]
fn the_page_is_one_file_without_foreign_resources() {
    let world = fleet();
    let page = world.rotator(&["status", "--format", "html", "--target", "secret.app/well"]).exits(0).stdout;
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "{page}");
}
