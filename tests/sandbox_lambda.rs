//! Lambda in the sandbox, as AWS's own client sees it: real HTTP, real processes.

use std::future::Future;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, InvocationType, LastUpdateStatus, LogType, Runtime, State, VpcConfig,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rotator::sandbox::{self, Options, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zip::write::{SimpleFileOptions, ZipWriter};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";
const ROLE: &str = "arn:aws:iam::111111111111:role/rotation";

async fn start(options: Options) -> Sandbox {
    sandbox::start(options).await.expect("a sandbox")
}

/// Waits take no longer than they must.
fn quick() -> Options {
    Options { time_scale: 0.0, ..Options::default() }
}

fn client(sandbox: &Sandbox) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(sandbox.url())
        .credentials_provider(Credentials::new(ACCOUNT, "sandbox", None, None, "test"))
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn zip(files: &[(&str, &str)]) -> Blob {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).expect("an entry");
        zip.write_all(text.as_bytes()).expect("its text");
    }
    Blob::new(zip.finish().expect("a zip").into_inner())
}

fn python(code: &str) -> Blob {
    zip(&[("lambda_function.py", code)])
}

fn creation(
    client: &Client,
    name: &str,
    code: Blob,
) -> aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder {
    client
        .create_function()
        .function_name(name)
        .runtime(Runtime::Python312)
        .handler("lambda_function.lambda_handler")
        .role(ROLE)
        .code(FunctionCode::builder().zip_file(code).build())
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(5), looking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

async fn settled(client: &Client, name: &str) {
    until("the function to settle", || async {
        let found = client.get_function_configuration().function_name(name).send().await.expect("the function");
        let done =
            found.state() == Some(&State::Active) && found.last_update_status() == Some(&LastUpdateStatus::Successful);
        done.then_some(())
    })
    .await;
}

async fn created(client: &Client, name: &str, code: Blob) {
    creation(client, name, code).send().await.expect("a new function");
    settled(client, name).await;
}

/// An error as people meet it: status, code and message.
fn error<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, aws_sdk_lambda::config::http::HttpResponse>>,
) -> (u16, String, String) {
    let error = result.expect_err("an error");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    let message = error.message().unwrap_or_default().to_owned();
    (status, code, message)
}

/// One plain request; status and body.
async fn http(sandbox: &Sandbox, request: &str, headers: &[(&str, &str)], body: &str) -> (u16, Vec<u8>) {
    let mut stream = tokio::net::TcpStream::connect(sandbox.addr()).await.expect("a connection");
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n{body}",
        sandbox.addr(),
        body.len(),
        headers.concat()
    );
    stream.write_all(text.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer[end + 4..].to_vec())
}

async fn logs(sandbox: &Sandbox, operation: &str, request: &Value) -> Value {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/logs/aws4_request, SignedHeaders=host, Signature={}",
        "0".repeat(64)
    );
    let target = format!("Logs_20140328.{operation}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-amz-target", &target),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let (_, body) = http(sandbox, "POST /", &headers, &request.to_string()).await;
    serde_json::from_slice(&body).expect("JSON")
}

/// Without it, clients that edit a function right after another write would not meet here what they meet at AWS.
#[tokio::test]
async fn writes_take_effect_after_a_while_and_come_one_at_a_time() {
    // So slow that nothing settles by itself during this test.
    let sandbox = start(Options { time_scale: 1000.0, ..Options::default() }).await;
    let client = client(&sandbox);
    let code = python("def lambda_handler(event, context): return event");
    let created = creation(&client, "rotate", code.clone()).send().await.expect("a new function");
    assert_eq!(created.state(), Some(&State::Pending));
    assert_eq!(created.state_reason_code().map(aws_sdk_lambda::types::StateReasonCode::as_str), Some("Creating"));
    assert_eq!(created.function_arn(), Some("arn:aws:lambda:eu-west-1:111111111111:function:rotate"));
    assert_eq!(created.code_sha256(), Some(BASE64.encode(Sha256::digest(code.as_ref())).as_str()));
    assert_eq!(created.version(), Some("$LATEST"));
    assert_eq!((created.timeout(), created.memory_size()), (Some(3), Some(128)));

    let edit = client.update_function_configuration().function_name("rotate").timeout(9).send().await;
    let (status, kind, message) = error(edit);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert_eq!(
        message,
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
    );
    let (status, kind, _) = error(client.invoke().function_name("rotate").send().await);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));

    assert!(sandbox.seed_function(ACCOUNT, REGION, "other"), "a stand-in, active at once");
    assert!(!sandbox.seed_function(ACCOUNT, REGION, "other"), "known already");
    let edited =
        client.update_function_configuration().function_name("other").timeout(9).send().await.expect("an edit");
    assert_eq!(edited.last_update_status(), Some(&LastUpdateStatus::InProgress));
    let (status, kind, message) =
        error(client.update_function_code().function_name("other").zip_file(code).send().await);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert_eq!(
        message,
        "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:eu-west-1:111111111111:function:other"
    );
}

/// Without it, absent members would be reset, variables merged, or a stale write would win over a newer one.
#[tokio::test]
async fn a_configuration_changes_as_at_aws() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    let variables = |name: &str| Environment::builder().variables(name, "1").build();
    creation(&client, "rotate", python(""))
        .environment(variables("FIRST"))
        .timeout(60)
        .send()
        .await
        .expect("a function");
    settled(&client, "rotate").await;
    let before = client.get_function_configuration().function_name("rotate").send().await.expect("the function");

    let vpc = VpcConfig::builder().subnet_ids("subnet-1").security_group_ids("sg-1").build();
    client
        .update_function_configuration()
        .function_name("rotate")
        .environment(variables("SECOND"))
        .vpc_config(vpc)
        .revision_id(before.revision_id().expect("one"))
        .send()
        .await
        .expect("an edit");
    settled(&client, "rotate").await;
    let after = client.get_function_configuration().function_name("rotate").send().await.expect("the function");
    let names: Vec<&String> = after.environment().and_then(|e| e.variables()).expect("variables").keys().collect();
    assert_eq!(names, ["SECOND"], "all variables are replaced");
    assert_eq!(after.timeout(), Some(60), "what isn't named stays");
    assert_eq!(after.vpc_config().expect("a network").subnet_ids(), ["subnet-1"]);
    assert_ne!(before.revision_id(), after.revision_id());

    let stale = client
        .update_function_configuration()
        .function_name("rotate")
        .revision_id(before.revision_id().expect("one"))
        .send()
        .await;
    let (status, kind, _) = error(stale);
    assert_eq!((status, kind.as_str()), (412, "PreconditionFailedException"));

    let out = VpcConfig::builder().set_subnet_ids(Some(vec![])).set_security_group_ids(Some(vec![])).build();
    client.update_function_configuration().function_name("rotate").vpc_config(out).send().await.expect("an edit");
    settled(&client, "rotate").await;
    let left = client.get_function_configuration().function_name("rotate").send().await.expect("the function");
    assert!(left.vpc_config().is_some_and(|vpc| vpc.subnet_ids().is_empty()));

    let dry = client
        .update_function_code()
        .function_name("rotate")
        .zip_file(python("changed"))
        .dry_run(true)
        .send()
        .await
        .expect("a dry run");
    assert_ne!(dry.code_sha256(), left.code_sha256());
    let still = client.get_function_configuration().function_name("rotate").send().await.expect("the function");
    assert_eq!(still.code_sha256(), left.code_sha256(), "a dry run changes nothing");

    let uploaded = client
        .update_function_code()
        .function_name("rotate")
        .zip_file(python("changed"))
        .architectures(Architecture::Arm64)
        .send()
        .await
        .expect("an upload");
    assert_eq!(uploaded.architectures(), [Architecture::Arm64]);
    assert_eq!(uploaded.code_sha256(), dry.code_sha256());
}

/// Without it, mistakes that AWS refuses would pass here and fail in production.
#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    let (status, kind, message) = error(creation(&client, "rotate", Blob::new("no zip")).send().await);
    assert_eq!((status, kind.as_str()), (400, "InvalidParameterValueException"));
    assert_eq!(message, "Could not unzip uploaded file. Please check your file, then try to upload again.");

    let (_, kind, message) = error(creation(&client, "rotate", python("")).timeout(0).role("nobody").send().await);
    assert_eq!(kind, "ValidationException");
    assert!(message.starts_with("2 validation errors detected: Value 'nobody' at 'role'"), "{message}");
    assert!(message.contains(
        "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"
    ));

    let (_, kind, message) =
        error(creation(&client, "rotate", python("")).runtime(Runtime::from("python2.5")).send().await);
    assert_eq!(kind, "InvalidParameterValueException");
    assert!(message.starts_with("Value python2.5 at 'runtime' failed to satisfy constraint"), "{message}");

    let reserved = Environment::builder().variables("AWS_REGION", "eu-west-1").build();
    let (_, kind, message) = error(creation(&client, "rotate", python("")).environment(reserved).send().await);
    assert_eq!(kind, "InvalidParameterValueException");
    assert!(message.ends_with("Reserved keys used in this request: AWS_REGION"), "{message}");

    let s3 = FunctionCode::builder().s3_bucket("bucket").s3_key("key").build();
    let (_, kind, _) = error(creation(&client, "rotate", python("")).code(s3).send().await);
    assert_eq!(kind, "InvalidParameterValueException");

    let (_, kind, _) = error(creation(&client, "not a name", python("")).send().await);
    assert_eq!(kind, "ValidationException");

    let (status, kind, message) = error(client.get_function().function_name("absent").send().await);
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(message, "Function not found: arn:aws:lambda:eu-west-1:111111111111:function:absent");

    created(&client, "rotate", python("")).await;
    let (status, kind, message) = error(creation(&client, "rotate", python("")).send().await);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert_eq!(message, "Function already exist: rotate");
    let foreign = "arn:aws:lambda:eu-west-1:222222222222:function:rotate";
    let (status, kind, _) = error(client.get_function().function_name(foreign).send().await);
    assert_eq!((status, kind.as_str()), (403, "AccessDeniedException"));
}

/// Without it, permissions would be lost, doubled, or unreadable to the clients that compare them.
#[tokio::test]
async fn permissions_are_added_read_and_removed() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    created(&client, "rotate", python("")).await;
    let (status, kind, _) = error(client.get_policy().function_name("rotate").send().await);
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));

    let add = || {
        client
            .add_permission()
            .function_name("rotate")
            .statement_id("SecretsManagerAccess")
            .action("lambda:InvokeFunction")
            .principal("secretsmanager.amazonaws.com")
            .source_account(ACCOUNT)
    };
    let added = add().send().await.expect("a permission");
    let statement: Value = serde_json::from_str(added.statement().expect("a statement")).expect("JSON");
    let expected = json!({
        "Sid": "SecretsManagerAccess",
        "Effect": "Allow",
        "Principal": {"Service": "secretsmanager.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:eu-west-1:111111111111:function:rotate",
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}},
    });
    assert_eq!(statement, expected);
    let (status, kind, message) = error(add().send().await);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert!(message.starts_with("The statement id (SecretsManagerAccess) provided already exists."), "{message}");

    let policy = client.get_policy().function_name("rotate").send().await.expect("a policy");
    let document: Value = serde_json::from_str(policy.policy().expect("a document")).expect("JSON");
    assert_eq!(document, json!({"Version": "2012-10-17", "Id": "default", "Statement": [expected]}));
    let stale = add().statement_id("another").revision_id("not-this-one").send().await;
    let (status, kind, _) = error(stale);
    assert_eq!((status, kind.as_str()), (412, "PreconditionFailedException"));

    let remove = || client.remove_permission().function_name("rotate").statement_id("SecretsManagerAccess").send();
    remove().await.expect("removed");
    let (status, kind, message) = error(remove().await);
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(message, "No policy is associated with the given resource.");
}

/// Without it, a client would miss functions beyond the first page, or a function that it names by another form of its ARN.
#[tokio::test]
async fn functions_are_listed_in_pages_and_found_by_every_name() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    for number in 0..120 {
        assert!(sandbox.seed_function(ACCOUNT, REGION, &format!("rotate-{number:03}")));
    }
    let mut names = Vec::new();
    let mut pages = client.list_functions().into_paginator().items().send();
    while let Some(function) = pages.next().await {
        names.push(function.expect("a function").function_name().expect("a name").to_owned());
    }
    assert_eq!(names.len(), 120);
    assert!(names.is_sorted());

    for name in [
        "arn:aws:lambda:eu-west-1:111111111111:function:rotate-007",
        "111111111111:function:rotate-007",
        "rotate-007:$LATEST",
    ] {
        let found = client.get_function().function_name(name).send().await.expect("the function");
        let configuration = found.configuration().expect("its configuration");
        let qualifier = if name.ends_with("$LATEST") { ":$LATEST" } else { "" };
        let arn = format!("arn:aws:lambda:eu-west-1:111111111111:function:rotate-007{qualifier}");
        assert_eq!(configuration.function_arn(), Some(arn.as_str()), "qualified as it was asked for");
    }
    let other_region = client
        .get_function()
        .function_name("rotate-007")
        .customize()
        .config_override(aws_sdk_lambda::Config::builder().region(Region::new("us-east-1")));
    assert_eq!(error(other_region.send().await).1, "ResourceNotFoundException", "regions are apart");
}

/// Without it, tags, through which ownership is known, could be lost; and old versions could not be told from the newest.
#[tokio::test]
async fn tags_and_versions_are_kept() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    creation(&client, "rotate", python("one")).tags("project", "weather").send().await.expect("a function");
    settled(&client, "rotate").await;
    let arn = "arn:aws:lambda:eu-west-1:111111111111:function:rotate";
    client.tag_resource().resource(arn).tags("owner", "team").send().await.expect("a tag");
    client.untag_resource().resource(arn).tag_keys("project").send().await.expect("no tag");
    let tags = client.list_tags().resource(arn).send().await.expect("tags");
    assert_eq!(tags.tags().expect("some").iter().collect::<Vec<_>>(), [(&"owner".to_owned(), &"team".to_owned())]);

    let first = client.publish_version().function_name("rotate").send().await.expect("a version");
    assert_eq!(first.version(), Some("1"));
    let same = client.publish_version().function_name("rotate").send().await.expect("a version");
    assert_eq!(same.version(), Some("1"), "nothing changed since");
    client
        .update_function_code()
        .function_name("rotate")
        .zip_file(python("two"))
        .publish(true)
        .send()
        .await
        .expect("code");
    settled(&client, "rotate").await;
    let versions = client.list_versions_by_function().function_name("rotate").send().await.expect("versions");
    let numbers: Vec<_> = versions.versions().iter().filter_map(|version| version.version()).collect();
    assert_eq!(numbers, ["$LATEST", "1", "2"]);
    let old =
        client.get_function_configuration().function_name("rotate").qualifier("1").send().await.expect("version 1");
    assert_eq!(old.code_sha256(), first.code_sha256());
    client.delete_function().function_name("rotate").send().await.expect("deleted");
    assert_eq!(error(client.get_function().function_name("rotate").send().await).1, "ResourceNotFoundException");
}

/// Without it, a rehearsal would show an imitation: this is the function's own code, under AWS's own runtime client.
#[tokio::test]
async fn python_functions_run_under_awss_runtime_client() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    let code = python(
        r#"
import os, boto3
def lambda_handler(event, context):
    print("step", event["Step"])
    if event["Step"] == "fail":
        raise ValueError("no such user")
    found = boto3.client("lambda").get_function_configuration(FunctionName=context.function_name)
    return {"name": found["FunctionName"], "account": found["FunctionArn"].split(":")[4], "region": os.environ["AWS_REGION"],
            "arn": context.invoked_function_arn, "left": 0 < context.get_remaining_time_in_millis() <= 60000}
"#,
    );
    creation(&client, "rotate", code).timeout(60).send().await.expect("a function");
    settled(&client, "rotate").await;
    let invoke = |step: &str| {
        client
            .invoke()
            .function_name("rotate")
            .log_type(LogType::Tail)
            .payload(Blob::new(json!({ "Step": step }).to_string()))
            .send()
    };
    let answer = invoke("createSecret").await.expect("an answer");
    assert_eq!(answer.function_error(), None, "{answer:?}");
    assert_eq!(answer.executed_version(), Some("$LATEST"));
    let payload: Value = serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
    assert_eq!(
        payload,
        json!({"name": "rotate", "account": ACCOUNT, "region": REGION, "arn": "arn:aws:lambda:eu-west-1:111111111111:function:rotate", "left": true})
    );
    let tail = BASE64.decode(answer.log_result().expect("a log")).expect("base64");
    let tail = String::from_utf8(tail).expect("text");
    assert!(
        tail.contains("START RequestId: ")
            && tail.contains("step createSecret\n")
            && tail.contains("REPORT RequestId: ")
    );

    let failed = invoke("fail").await.expect("an answer");
    assert_eq!(failed.function_error(), Some("Unhandled"));
    let payload: Value = serde_json::from_slice(failed.payload().expect("a payload").as_ref()).expect("JSON");
    assert_eq!(
        (payload["errorType"].as_str(), payload["errorMessage"].as_str()),
        (Some("ValueError"), Some("no such user"))
    );
    assert!(payload["stackTrace"][0].as_str().is_some_and(|line| line.contains("lambda_function.py")));

    let found = logs(
        &sandbox,
        "FilterLogEvents",
        &json!({"logGroupName": "/aws/lambda/rotate", "filterPattern": "ValueError"}),
    )
    .await;
    let events = found["events"].as_array().expect("events");
    assert_eq!(events.len(), 1, "a traceback is one event: {found}");
    assert!(events[0]["message"].as_str().is_some_and(|message| message.contains("no such user")));
    let groups = logs(&sandbox, "DescribeLogGroups", &json!({"logGroupNamePrefix": "/aws/lambda/"})).await;
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/aws/lambda/rotate");
    let streams = logs(&sandbox, "DescribeLogStreams", &json!({"logGroupName": "/aws/lambda/rotate"})).await;
    let stream = streams["logStreams"][0]["logStreamName"].clone();
    let all = logs(
        &sandbox,
        "GetLogEvents",
        &json!({"logGroupName": "/aws/lambda/rotate", "logStreamName": stream, "startFromHead": true}),
    )
    .await;
    assert!(all["events"][0]["message"].as_str().is_some_and(|message| message.starts_with("INIT_START")));

    let code = python("def lambda_handler(event, context): return 'changed'");
    client.update_function_code().function_name("rotate").zip_file(code).send().await.expect("code");
    settled(&client, "rotate").await;
    let answer = invoke("createSecret").await.expect("an answer");
    assert_eq!(answer.payload().expect("a payload").as_ref(), b"\"changed\"", "changed code runs in a new process");

    let code = python("import there_is_no_such_module");
    client.update_function_code().function_name("rotate").zip_file(code).send().await.expect("code");
    settled(&client, "rotate").await;
    let answer = invoke("createSecret").await.expect("an answer");
    let payload: Value = serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
    assert_eq!(answer.function_error(), Some("Unhandled"));
    assert_eq!(payload["errorType"], "Runtime.ImportModuleError");
}

/// Without it, `Event` would make its caller wait, `DryRun` would run, and a nonsensical event would reach the function.
#[tokio::test]
async fn invocations_come_in_three_kinds() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    created(&client, "rotate", python("def lambda_handler(event, context): print('saw', event)")).await;
    let invoke = |kind: InvocationType, payload: &str| {
        client.invoke().function_name("rotate").invocation_type(kind).payload(Blob::new(payload)).send()
    };
    assert_eq!(invoke(InvocationType::DryRun, "{}").await.expect("an answer").status_code(), 204);
    assert_eq!(invoke(InvocationType::Event, "{\"n\": 1}").await.expect("an answer").status_code(), 202);
    until("the event to be handled", || async {
        let request = json!({"logGroupName": "/aws/lambda/rotate", "filterPattern": "saw"});
        let found = logs(&sandbox, "FilterLogEvents", &request).await;
        (found["events"].as_array().map(Vec::len) == Some(1)).then_some(())
    })
    .await;
    let (status, kind, _) = error(invoke(InvocationType::RequestResponse, "not json").await);
    assert_eq!((status, kind.as_str()), (400, "InvalidRequestContentException"));
}

/// Without it, live code couldn't be read and compared, or anyone could read it.
#[tokio::test]
async fn code_is_downloaded_by_an_unguessable_url_alone() {
    let sandbox = start(quick()).await;
    let client = client(&sandbox);
    let code = python("code");
    created(&client, "rotate", code.clone()).await;
    let found = client.get_function().function_name("rotate").send().await.expect("the function");
    let location = found.code().and_then(|code| code.location()).expect("a location").to_owned();
    let path = location.strip_prefix(&sandbox.url()).expect("on the sandbox");
    let (status, body) = http(&sandbox, &format!("GET {path}"), &[], "").await;
    assert_eq!((status, body.as_slice()), (200, code.as_ref()));
    let (status, _) = http(&sandbox, &format!("GET {path}0"), &[], "").await;
    assert_eq!(status, 404);
}

/// Without it, a stopped sandbox would lose functions, or leave one `Pending` for ever.
#[tokio::test]
async fn functions_outlive_the_sandbox() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sandbox.json");
    // Nothing settles by itself before the sandbox stops.
    let slow = Options { state_file: Some(file.clone()), time_scale: 1000.0, ..Options::default() };
    let sandbox = start(slow.clone()).await;
    let code = python("def lambda_handler(event, context): return 1");
    creation(&client(&sandbox), "rotate", code.clone()).send().await.expect("a function");
    sandbox.shutdown().await.expect("saved");

    let sandbox = start(slow).await;
    let found = client(&sandbox).get_function().function_name("rotate").send().await.expect("the function");
    let configuration = found.configuration().expect("its configuration");
    assert_eq!(configuration.state(), Some(&State::Active));
    assert_eq!(configuration.code_size(), i64::try_from(code.as_ref().len()).expect("small"));
    assert_eq!(configuration.code_sha256(), Some(BASE64.encode(Sha256::digest(code.as_ref())).as_str()));
    sandbox.shutdown().await.expect("saved");
}

fn secrets(sandbox: &Sandbox) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(sandbox.url())
        .credentials_provider(Credentials::new(ACCOUNT, "sandbox", None, None, "test"))
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

/// Starts a rotation; the new version.
async fn rotate(client: &aws_sdk_secretsmanager::Client, secret: &str, function: &str) -> String {
    let rules = aws_sdk_secretsmanager::types::RotationRulesType::builder().automatically_after_days(30).build();
    let started = client
        .rotate_secret()
        .secret_id(secret)
        .rotation_lambda_arn(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"))
        .rotation_rules(rules)
        .send()
        .await
        .expect("a rotation");
    started.version_id().expect("a version").to_owned()
}

async fn stages(client: &aws_sdk_secretsmanager::Client, secret: &str, version: &str) -> Vec<String> {
    let described = client.describe_secret().secret_id(secret).send().await.expect("the secret");
    let mut stages = described.version_ids_to_stages().and_then(|all| all.get(version)).cloned().unwrap_or_default();
    stages.sort();
    stages
}

async fn allow(client: &Client, function: &str) {
    client
        .add_permission()
        .function_name(function)
        .statement_id("SecretsManagerAccess")
        .action("lambda:InvokeFunction")
        .principal("secretsmanager.amazonaws.com")
        .source_account(ACCOUNT)
        .send()
        .await
        .expect("a permission");
}

/// Without it, nothing would show that Secrets Manager, a function's own code and the labels of versions work together.
#[tokio::test]
async fn a_stand_in_rotates_a_secret() {
    let sandbox = start(quick()).await;
    assert!(sandbox.seed_secret(ACCOUNT, REGION, "prod/api-key"));
    assert!(sandbox.seed_function(ACCOUNT, REGION, "mainframe-rotation"));
    let secrets = secrets(&sandbox);
    let version = rotate(&secrets, "prod/api-key", "mainframe-rotation").await;
    until("the secret to be rotated", || async {
        (stages(&secrets, "prod/api-key", &version).await == ["AWSCURRENT"]).then_some(())
    })
    .await;
    let found = logs(
        &sandbox,
        "FilterLogEvents",
        &json!({"logGroupName": "/aws/lambda/mainframe-rotation", "filterPattern": "stand-in"}),
    )
    .await;
    let steps: Vec<&str> = found["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["message"].as_str()?.split(' ').next())
        .collect();
    assert_eq!(steps, ["createSecret", "setSecret", "testSecret", "finishSecret"]);
}

/// Without it, a function that isn't finished yet would seem to rotate.
#[tokio::test]
async fn a_function_that_fails_leaves_the_pending_version() {
    let sandbox = start(Options { time_scale: 0.001, ..Options::default() }).await;
    assert!(sandbox.seed_secret(ACCOUNT, REGION, "prod/api-key"));
    let client = client(&sandbox);
    let code = python("def lambda_handler(event, context): raise NotImplementedError(event['Step'])");
    created(&client, "rotate", code).await;
    allow(&client, "rotate").await;
    let secrets = secrets(&sandbox);
    let version = rotate(&secrets, "prod/api-key", "rotate").await;
    until("all attempts to fail", || async {
        let request =
            json!({"logGroupName": "/aws/lambda/rotate", "filterPattern": "NotImplementedError createSecret"});
        let found = logs(&sandbox, "FilterLogEvents", &request).await;
        (found["events"].as_array().map_or(0, Vec::len) >= 2).then_some(())
    })
    .await;
    assert_eq!(stages(&secrets, "prod/api-key", &version).await, ["AWSPENDING"]);
}

/// Without it, a machine without a function's runtime could not rehearse at all, or would not say that it only pretends.
#[tokio::test]
async fn a_function_that_the_machine_cannot_run_is_simulated_loudly() {
    let sandbox = start(quick()).await;
    assert!(sandbox.seed_secret(ACCOUNT, REGION, "prod/api-key"));
    let client = client(&sandbox);
    let code = zip(&[("Handler.class", "")]);
    creation(&client, "rotate", code).runtime(Runtime::Java21).handler("Handler").send().await.expect("a function");
    settled(&client, "rotate").await;
    allow(&client, "rotate").await;
    let secrets = secrets(&sandbox);
    let version = rotate(&secrets, "prod/api-key", "rotate").await;
    until("the secret to be rotated", || async {
        (stages(&secrets, "prod/api-key", &version).await == ["AWSCURRENT"]).then_some(())
    })
    .await;
    let notices = sandbox.notices();
    let loud: Vec<&String> = notices.iter().filter(|notice| notice.starts_with("ROTATION IS SIMULATED")).collect();
    assert_eq!(loud.len(), 1, "once for all four steps: {notices:?}");
    assert!(loud[0].contains("`rotate`") && loud[0].contains("java21"));

    let (status, kind, message) = error(client.invoke().function_name("rotate").send().await);
    assert_eq!((status, kind.as_str()), (502, "InvalidRuntimeException"), "{message}");
}
