//! The sandbox's Secrets Manager, from outside: raw HTTP, so that every byte of an answer counts, and the SDK.

use std::time::Duration;

use rotator::sandbox::{self, Options, Sandbox, StartError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ACCOUNT: &str = "111111111111";
const TOKEN: &str = "00000000-0000-4000-8000-000000000001";

async fn start() -> Sandbox {
    start_with(Options { time_scale: 0.0, ..Options::default() }).await
}

async fn start_with(options: Options) -> Sandbox {
    sandbox::start(options).await.expect("the sandbox starts")
}

/// Sends a request as it stands, and returns the status and the JSON body; status 0 where nothing came back.
async fn send(sandbox: &Sandbox, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(sandbox.addr()).await.expect("it listens");
    let host = if headers.iter().any(|(name, _)| *name == "host") { "" } else { "host: localhost\r\n" };
    let more = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{more}\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    // A reset shows as an error or as an early end, as the system likes.
    let _ = stream.read_to_string(&mut answer).await;
    let status = answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn signature(key: &str, region: &str, service: &str) -> String {
    let scope = format!("{key}/20260131/{region}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={}", "0".repeat(64))
}

async fn call_as(sandbox: &Sandbox, key: &str, region: &str, operation: &str, body: &Value) -> (u16, Value) {
    let target = format!("secretsmanager.{operation}");
    let signature = signature(key, region, "secretsmanager");
    let headers = [("x-amz-target", target.as_str()), ("authorization", signature.as_str())];
    send(sandbox, "POST", "/", &headers, &body.to_string()).await
}

async fn call(sandbox: &Sandbox, operation: &str, body: &Value) -> Result<Value, (String, String)> {
    let (status, answer) = call_as(sandbox, ACCOUNT, "eu-west-1", operation, body).await;
    if status == 200 {
        return Ok(answer);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(status, 400, "{operation}: {answer}");
    let message = if answer["Message"].is_null() { &answer["message"] } else { &answer["Message"] };
    Err((text(&answer["__type"]), text(message)))
}

async fn ok(sandbox: &Sandbox, operation: &str, body: Value) -> Value {
    call(sandbox, operation, &body).await.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

async fn describe(sandbox: &Sandbox, id: &str) -> Value {
    ok(sandbox, "DescribeSecret", json!({"SecretId": id})).await
}

async fn fails(sandbox: &Sandbox, operation: &str, body: Value, code: &str, message: &str) {
    let error = call(sandbox, operation, &body).await.expect_err(operation);
    assert_eq!((error.0.as_str(), error.1.as_str()), (code, message), "{operation}");
}

async fn control(sandbox: &Sandbox, path: &str, body: Value) -> Value {
    let (status, answer) = send(sandbox, "POST", path, &[("x-rotator-sandbox", "1")], &body.to_string()).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Describes a secret until it is as wanted: rotations take the time that they take.
async fn describe_until(sandbox: &Sandbox, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let described = describe(sandbox, id).await;
        if wanted(&described) {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{id} never got there");
}

fn version_with(described: &Value, stage: &str) -> Option<String> {
    let mut versions = described["VersionIdsToStages"].as_object()?.iter();
    let has = |stages: &Value| stages.as_array().is_some_and(|stages| stages.contains(&json!(stage)));
    versions.find(|(_, stages)| has(stages)).map(|(id, _)| id.clone())
}

/// A secret that another service owns: it rotates without a function.
async fn managed(sandbox: &Sandbox, name: &str) {
    let body = json!({"name": name, "account": ACCOUNT, "region": "eu-west-1", "owning_service": "rds"});
    assert_eq!(control(sandbox, "/_sandbox/secrets", body).await["created"], true);
}

/// Without it, clients that match on codes and texts would meet others here than on AWS.
#[tokio::test]
async fn errors_read_as_on_aws() {
    let sandbox = start().await;
    let not_found = "Secrets Manager can't find the specified secret.";
    for operation in ["DescribeSecret", "GetSecretValue", "RotateSecret", "CancelRotateSecret"] {
        let nobody = json!({"SecretId": "nobody", "ClientRequestToken": TOKEN});
        fails(&sandbox, operation, nobody, "ResourceNotFoundException", not_found).await;
    }
    ok(&sandbox, "CreateSecret", json!({"Name": "empty"})).await;
    let described = describe(&sandbox, "empty").await;
    assert!(described["RotationEnabled"].is_null() && described["VersionIdsToStages"].is_null(), "{described}");
    let no_value = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
    fails(&sandbox, "GetSecretValue", json!({"SecretId": "empty"}), "ResourceNotFoundException", no_value).await;

    let put = json!({"SecretId": "empty", "SecretString": "a"});
    let no_token = "You must provide a ClientRequestToken value. We recommend a UUID-type value.";
    fails(&sandbox, "PutSecretValue", put, "InvalidParameterException", no_token).await;
    let no_function = "No Lambda rotation function ARN is associated with this secret.";
    let rotate = json!({"SecretId": "empty", "ClientRequestToken": TOKEN});
    fails(&sandbox, "RotateSecret", rotate, "InvalidRequestException", no_function).await;
    let mut rotate = json!({"SecretId": "empty", "RotationRules": {"AutomaticallyAfterDays": 1},
        "RotationLambdaARN": format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:none")});
    fails(&sandbox, "RotateSecret", rotate.clone(), "InvalidParameterException", no_token).await;
    rotate["ClientRequestToken"] = json!(TOKEN);
    let denied = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants \
                  access to the principal secretsmanager.amazonaws.com.";
    fails(&sandbox, "RotateSecret", rotate, "AccessDeniedException", denied).await;
    assert_eq!(describe(&sandbox, "empty").await, described, "nothing changed");

    ok(&sandbox, "DeleteSecret", json!({"SecretId": "empty"})).await;
    let deleted = "You can't perform this operation on the secret because it was marked for deletion.";
    for operation in ["RotateSecret", "GetSecretValue"] {
        let empty = json!({"SecretId": "empty", "ClientRequestToken": TOKEN});
        fails(&sandbox, operation, empty, "InvalidRequestException", deleted).await;
    }
    let (code, _) = call(&sandbox, "DescribeSecret", &json!({"SecretId": 7})).await.expect_err("a number is no id");
    assert_eq!(code, "SerializationException");
    let (code, message) = call(&sandbox, "DescribeSecret", &json!({})).await.expect_err("the id is missing");
    assert_eq!(code, "ValidationException");
    assert!(message.contains("'secretId'"), "{message}");
    let (code, message) = call(&sandbox, "Frobnicate", &json!({})).await.expect_err("there is no such operation");
    assert_eq!(code, "UnknownOperationException");
    assert!(message.contains("`Frobnicate`"), "{message}");
}

/// Without it, a schedule that AWS refuses would be accepted by `RotateSecret`, whatever the schedule's own tests say.
#[tokio::test]
async fn rotation_rules_are_checked() {
    let sandbox = start().await;
    managed(&sandbox, "owned").await;
    for rules in [
        json!({"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(30 days)"}),
        json!({"AutomaticallyAfterDays": 1001}),
        json!({"ScheduleExpression": "cron(1 2 * * ? *)"}),
        json!({"ScheduleExpression": "rate(4 hours)", "Duration": "5h"}),
        json!({"AutomaticallyAfterDays": 30, "Duration": "three hours"}),
        json!({"Duration": "3h"}),
    ] {
        let request = json!({"SecretId": "owned", "ClientRequestToken": TOKEN, "RotationRules": rules});
        let (code, message) = call(&sandbox, "RotateSecret", &request).await.expect_err("the rules are wrong");
        // What the model forbids is refused before the service looks.
        let expected =
            if message.contains("validation error") { "ValidationException" } else { "InvalidParameterException" };
        assert_eq!(code, expected, "{message}");
    }
    let described = describe(&sandbox, "owned").await;
    assert!(described["RotationEnabled"].is_null(), "{described}");
}

/// Without it, a program that waits for a rotation by its version would wait for ever, or too short.
#[tokio::test]
async fn a_rotation_answers_at_once_and_ends_with_its_labels() {
    let sandbox = start().await;
    managed(&sandbox, "owned").await;
    let before = describe(&sandbox, "owned").await;
    let rules = json!({"ScheduleExpression": "cron(0 2 ? * SUN#1 *)", "Duration": "3h"});
    let request = json!({"SecretId": "owned", "ClientRequestToken": TOKEN, "RotationRules": rules});
    assert_eq!(ok(&sandbox, "RotateSecret", request.clone()).await["VersionId"], TOKEN);
    let settled =
        |d: &Value| version_with(d, "AWSCURRENT").as_deref() == Some(TOKEN) && !d["LastRotatedDate"].is_null();
    let after = describe_until(&sandbox, "owned", settled).await;
    assert_eq!(version_with(&after, "AWSPREVIOUS"), version_with(&before, "AWSCURRENT"));
    assert_eq!(version_with(&after, "AWSPENDING"), None);
    assert_eq!(after["RotationEnabled"], true);
    assert!(after["NextRotationDate"].is_f64(), "{after}");
    assert!(
        after["RotationRules"]["AutomaticallyAfterDays"].is_u64(),
        "days are computed beside an expression: {after}"
    );

    // The same request again, after a lost answer, doesn't rotate again.
    assert_eq!(ok(&sandbox, "RotateSecret", request).await["VersionId"], TOKEN);
    let again = describe(&sandbox, "owned").await;
    assert_eq!(again["VersionIdsToStages"], after["VersionIdsToStages"]);

    ok(&sandbox, "CancelRotateSecret", json!({"SecretId": "owned"})).await;
    let off = describe(&sandbox, "owned").await;
    assert_eq!((&off["RotationEnabled"], &off["RotationRules"]), (&json!(false), &again["RotationRules"]));
    assert!(off["NextRotationDate"].is_null(), "{off}");
}

/// Without it, schedules would never fire in a rehearsal, or fire again and again.
#[tokio::test]
async fn a_schedule_fires_once_when_the_clock_is_moved() {
    let sandbox = start().await;
    managed(&sandbox, "owned").await;
    let first = version_with(&describe(&sandbox, "owned").await, "AWSCURRENT");
    let request = json!({"SecretId": "owned", "ClientRequestToken": TOKEN,
        "RotationRules": {"AutomaticallyAfterDays": 2}});
    ok(&sandbox, "RotateSecret", request).await;
    let settled = |d: &Value| !d["LastRotatedDate"].is_null();
    let rotated = describe_until(&sandbox, "owned", settled).await;
    assert_ne!(version_with(&rotated, "AWSCURRENT"), first);

    control(&sandbox, "/_sandbox/clock", json!({"advance_seconds": 3 * 86_400})).await;
    let moved = |d: &Value| d["LastRotatedDate"].as_f64() > rotated["LastRotatedDate"].as_f64();
    let again = describe_until(&sandbox, "owned", moved).await;
    assert_eq!(version_with(&again, "AWSPREVIOUS"), version_with(&rotated, "AWSCURRENT"), "it fired once");
    let (last, next) = (again["LastRotatedDate"].as_f64(), again["NextRotationDate"].as_f64());
    assert!(next > last.map(|last| last + 86_400.0), "{again}");
}

/// Without it, `RotateImmediately=false` could rotate, or leave its test version behind, which blocks the next rotation.
#[tokio::test]
async fn a_test_rotates_nothing_and_leaves_nothing() {
    let sandbox = start().await;
    managed(&sandbox, "owned").await;
    let before = describe(&sandbox, "owned").await;
    let test = json!({"SecretId": "owned", "ClientRequestToken": TOKEN, "RotateImmediately": false,
        "RotationRules": {"AutomaticallyAfterDays": 2}});
    ok(&sandbox, "RotateSecret", test).await;
    // While the test runs, another rotation is refused: once it isn't, the test is over.
    let next = json!({"SecretId": "owned", "ClientRequestToken": TOKEN.replace('1', "2")});
    let over = async {
        while let Err((code, message)) = call(&sandbox, "RotateSecret", &next).await {
            assert_eq!(
                (code.as_str(), message.as_str()),
                ("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), over).await.expect("the test ends");
    let after = describe_until(&sandbox, "owned", |d| !d["LastRotatedDate"].is_null()).await;
    assert_eq!(version_with(&after, "AWSPREVIOUS"), version_with(&before, "AWSCURRENT"));
    let versions = ok(&sandbox, "ListSecretVersionIds", json!({"SecretId": "owned", "IncludeDeprecated": true})).await;
    assert!(!versions.to_string().contains(TOKEN), "{versions}");
}

/// Without it, an apply that repeats a call could make two versions, or hide that the second differs.
#[tokio::test]
async fn tokens_make_writes_idempotent() {
    let sandbox = start().await;
    ok(&sandbox, "CreateSecret", json!({"Name": "a"})).await;
    let put = |value: &str| json!({"SecretId": "a", "ClientRequestToken": TOKEN, "SecretString": value});
    assert_eq!(ok(&sandbox, "PutSecretValue", put("1")).await, ok(&sandbox, "PutSecretValue", put("1")).await);
    let (code, _) = call(&sandbox, "PutSecretValue", &put("2")).await.expect_err("the token is taken");
    assert_eq!(code, "ResourceExistsException");
    let versions = ok(&sandbox, "ListSecretVersionIds", json!({"SecretId": "a", "IncludeDeprecated": true})).await;
    assert_eq!(versions["Versions"].as_array().map(Vec::len), Some(1));
}

/// Without it, one account's or region's secrets could show in another's.
#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let sandbox = start().await;
    for (key, region) in [(ACCOUNT, "eu-west-1"), (ACCOUNT, "us-east-1"), ("222222222222", "eu-west-1")] {
        let (status, answer) = call_as(&sandbox, key, region, "CreateSecret", &json!({"Name": "a"})).await;
        assert_eq!(status, 200, "{answer}");
        let arn = answer["ARN"].as_str().unwrap_or_default();
        assert!(arn.starts_with(&format!("arn:aws:secretsmanager:{region}:{key}:secret:a-")), "{arn}");
    }
    // Any other key is the configured account's.
    let (_, answer) = call_as(&sandbox, "AKIDEXAMPLE", "eu-west-1", "ListSecrets", &json!({})).await;
    assert_eq!(answer, json!({"SecretList": []}));
    assert!(!sandbox.seed_secret(ACCOUNT, "eu-west-1", "a"));
    assert!(sandbox.seed_secret(ACCOUNT, "eu-west-1", "b"));
}

/// Without it, a fleet's listing could miss secrets between two pages, or filters match what they shouldn't.
#[tokio::test]
async fn lists_come_in_pages_and_filtered() {
    let sandbox = start().await;
    for n in 0..25 {
        let tags = json!([{"Key": "team", "Value": format!("t{}", n % 2)}]);
        let body = json!({"Name": format!("fleet/{n:02}"), "Tags": tags, "Description": "The Weather service"});
        ok(&sandbox, "CreateSecret", body).await;
    }
    ok(&sandbox, "DeleteSecret", json!({"SecretId": "fleet/03"})).await;
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = ok(&sandbox, "ListSecrets", json!({"MaxResults": 7, "NextToken": token})).await;
        for entry in page["SecretList"].as_array().into_iter().flatten() {
            names.push(entry["Name"].as_str().unwrap_or_default().to_owned());
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 24);
    for (filters, deleted_too, count) in [
        (json!([{"Key": "name", "Values": ["fleet/0"]}]), false, 9),
        (json!([{"Key": "name", "Values": ["fleet/0"]}]), true, 10),
        (json!([{"Key": "name", "Values": ["leet"]}]), false, 0),
        (json!([{"Key": "name", "Values": ["!fleet/0"]}]), false, 15),
        (json!([{"Key": "tag-value", "Values": ["t0"]}, {"Key": "name", "Values": ["fleet/1"]}]), false, 5),
        (json!([{"Key": "description", "Values": ["the weather"]}]), false, 24),
        (json!([{"Key": "all", "Values": ["weather fleet/07"]}]), false, 1),
    ] {
        let request = json!({"Filters": filters, "IncludePlannedDeletion": deleted_too});
        let found = ok(&sandbox, "ListSecrets", request).await;
        assert_eq!(found["SecretList"].as_array().map(Vec::len), Some(count), "{filters}");
    }
    let (code, _) = call(&sandbox, "ListSecrets", &json!({"NextToken": "none"})).await.expect_err("no token of ours");
    assert_eq!(code, "InvalidNextTokenException");
}

/// Without it, a web page or an unsigned request could use the sandbox, which runs code.
#[tokio::test]
async fn strangers_are_refused() {
    let sandbox = start().await;
    let signature = signature(ACCOUNT, "eu-west-1", "secretsmanager");
    let signed = [("x-amz-target", "secretsmanager.ListSecrets"), ("authorization", signature.as_str())];
    assert_eq!(send(&sandbox, "POST", "/", &signed, "{}").await.0, 200);
    for stranger in [("host", "rebound.example"), ("host", "169.254.169.254"), ("origin", "http://localhost")] {
        let headers = [signed[0], signed[1], stranger];
        assert_eq!(send(&sandbox, "POST", "/", &headers, "{}").await.0, 403, "{stranger:?}");
    }
    let (status, answer) = send(&sandbox, "POST", "/", &signed[..1], "{}").await;
    assert_eq!((status, &answer["__type"]), (400, &json!("MissingAuthenticationTokenException")));
    assert_eq!(send(&sandbox, "POST", "/_sandbox/reset", &[], "").await.0, 403);
    assert_eq!(send(&sandbox, "GET", "/_sandbox/code/guess", &[], "").await.0, 404);
}

/// Without it, work would be lost between two runs, time would pass while no sandbox runs, or two runs would overwrite
/// each other.
#[tokio::test]
async fn state_survives_and_belongs_to_one_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deep/state.json");
    let options = || Options { state_file: Some(file.clone()), time_scale: 0.0, ..Options::default() };
    let sandbox = start_with(options()).await;
    ok(&sandbox, "CreateSecret", json!({"Name": "a", "SecretString": "v", "ClientRequestToken": TOKEN})).await;
    let moved = control(&sandbox, "/_sandbox/clock", json!({"advance_seconds": 86_400})).await;
    assert!(matches!(sandbox::start(options()).await, Err(StartError::State(_))));
    let before = describe(&sandbox, "a").await;
    sandbox.shutdown().await.expect("it saves");

    let sandbox = start_with(options()).await;
    assert_eq!(describe(&sandbox, "a").await, before);
    assert_eq!(ok(&sandbox, "GetSecretValue", json!({"SecretId": "a"})).await["SecretString"], "v");
    let (_, health) = send(&sandbox, "GET", "/_sandbox/health", &[("x-rotator-sandbox", "1")], "").await;
    assert!(health["time"].as_str() >= moved["time"].as_str(), "{health} {moved}");
    sandbox.shutdown().await.expect("it saves");

    std::fs::write(&file, r#"{"version": 99, "world": 1}"#).expect("it is ours");
    let error = sandbox::start(options()).await.expect_err("a newer format");
    assert!(error.to_string().contains("format 99"), "{error}");
}

/// Without it, a run that is killed would lose what it did minutes before.
#[tokio::test]
async fn changes_are_saved_while_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.json");
    let sandbox = start_with(Options { state_file: Some(file.clone()), ..Options::default() }).await;
    ok(&sandbox, "CreateSecret", json!({"Name": "a"})).await;
    let saved = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("secret:a-")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), saved).await.expect("the file holds the secret");
}

/// Without it, a caller with a role in another account would go on working in its own.
#[tokio::test]
async fn an_assumed_role_works_in_its_account() {
    use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
    let sandbox = start().await;
    let client = |key: &str| {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(sandbox.url())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new(key, "x", None, None, "test"))
            .build();
        aws_sdk_sts::Client::from_conf(config)
    };
    let role = "arn:aws:iam::222222222222:role/path/reader";
    let assumed = client(ACCOUNT).assume_role().role_arn(role).role_session_name("ci").send().await.expect("any role");
    let key = assumed.credentials().map(|credentials| credentials.access_key_id().to_owned()).expect("credentials");
    let identity = client(&key).get_caller_identity().send().await.expect("it is known");
    assert_eq!(identity.account(), Some("222222222222"));
    assert_eq!(identity.arn(), Some("arn:aws:sts::222222222222:assumed-role/reader/ci"));
    let (_, created) = call_as(&sandbox, &key, "eu-west-1", "CreateSecret", &json!({"Name": "a"})).await;
    assert!(created["ARN"].as_str().is_some_and(|arn| arn.contains(":222222222222:")), "{created}");

    // Once it has ended, its caller is told so, instead of working in the default account.
    control(&sandbox, "/_sandbox/clock", json!({"advance_seconds": 3601})).await;
    let (status, answer) = call_as(&sandbox, &key, "eu-west-1", "ListSecrets", &json!({})).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("ExpiredTokenException")));
}

/// Without it, tests of failures could pass without any failure, and the log could show what is private.
#[tokio::test]
async fn faults_are_answered_and_logged() {
    let sandbox = start().await;
    let rules = json!([
        {"operation": "CreateSecret", "match": "\"a\"", "times": 1,
            "error": {"status": 500, "code": "InternalServiceError"}},
        {"operation": "CreateSecret", "times": 1, "when": "after", "reset": true},
    ]);
    control(&sandbox, "/_sandbox/faults", rules).await;
    let create = json!({"Name": "a", "SecretString": "hush-hush", "ClientRequestToken": TOKEN});
    let create = || call_as(&sandbox, ACCOUNT, "eu-west-1", "CreateSecret", &create);
    assert_eq!(create().await.0, 500);
    assert_eq!(create().await, (0, Value::Null));
    // The answer was lost, the secret wasn't; the same request again is answered.
    assert_eq!(create().await.0, 200);
    let (_, log) = send(&sandbox, "GET", "/_sandbox/calls", &[("x-rotator-sandbox", "1")], "").await;
    let calls = log["calls"].as_array().cloned().unwrap_or_default();
    assert_eq!((calls.len(), &calls[0]["status"], &calls[1]["error"]), (3, &json!(500), &json!("ConnectionReset")));
    assert!(!log.to_string().contains("hush-hush"));
}

/// Without it, the SDK that the tool is built on could misread an answer that raw bytes don't show as wrong.
#[tokio::test]
async fn the_sdk_reads_the_answers() {
    use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
    let sandbox = start().await;
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(sandbox.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new(ACCOUNT, "x", None, None, "test"))
        .build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    client.create_secret().name("a").secret_string("v").send().await.expect("it is created");
    let described = client.describe_secret().secret_id("a").send().await.expect("it is there");
    assert!(described.created_date().is_some() && described.rotation_enabled().is_none());
    let error = client.describe_secret().secret_id("b").send().await.expect_err("it isn't there").into_service_error();
    assert!(error.is_resource_not_found_exception());
    assert_eq!(error.meta().message(), Some("Secrets Manager can't find the specified secret."));
}
