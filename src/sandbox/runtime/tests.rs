//! Processes under the interface: real ones, started from `bootstrap` scripts, so that no language runtime is needed.

use std::collections::BTreeMap;

use axum::body::Bytes;
use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

/// A function without code.
pub(super) fn function(runtime: &str) -> Function {
    Function {
        account: "111111111111".to_owned(),
        region: "eu-west-1".to_owned(),
        name: "rotate".to_owned(),
        version: "$LATEST".to_owned(),
        arn: "arn:aws:lambda:eu-west-1:111111111111:function:rotate".to_owned(),
        runtime: runtime.to_owned(),
        handler: "lambda_function.lambda_handler".to_owned(),
        architecture: "x86_64".to_owned(),
        memory: 128,
        timeout: Duration::from_mins(1),
        environment: BTreeMap::new(),
        log_group: "/aws/lambda/rotate".to_owned(),
        log_format: "Text".to_owned(),
        log_level: None,
        role: "arn:aws:iam::111111111111:role/rotation".to_owned(),
        zip: Arc::from(Vec::new()),
        code_sha256: String::new(),
        edition: 1,
    }
}

/// A custom runtime in a few lines of Python's standard library: `handle(event)` is the test's own.
fn with_bootstrap(handle: &str) -> Function {
    let script = format!(
        r"#!/usr/bin/env python3
import functools, json, os, sys, time, urllib.error, urllib.request
print = functools.partial(print, flush=True)
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/'
def call(path, data=None, headers={{}}):
    request = urllib.request.Request(base + path, data=data, headers=headers)
    with urllib.request.urlopen(request) as response:
        return response.headers, response.read()
{handle}
while True:
    headers, body = call('invocation/next')
    id = headers['Lambda-Runtime-Aws-Request-Id']
    try:
        answer, kind = handle(json.loads(body)), 'response'
    except Exception as error:
        answer, kind = {{'errorMessage': str(error), 'errorType': type(error).__name__}}, 'error'
    call('invocation/' + id + '/' + kind, json.dumps(answer).encode())
"
    );
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).expect("an entry");
    zip.write_all(script.as_bytes()).expect("a script");
    let zip = zip.finish().expect("a zip").into_inner();
    let code_sha256 = format!(
        "{:?}",
        sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), &zip))
    );
    Function { zip: Arc::from(zip), code_sha256, ..function("provided.al2023") }
}

async fn invoke(runtime: &Runtime, function: &Function, payload: &Value) -> Finished {
    let event = Event {
        request_id: uuid::Uuid::new_v4().to_string(),
        payload: Bytes::from(payload.to_string()),
        arn: None,
        client_context: None,
    };
    runtime.invoke(function, &event, "http://127.0.0.1:9", None, &|_| {}).await.expect("a machine that runs scripts")
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_slice(&finished.payload).expect("JSON")
}

fn text(finished: &Finished) -> String {
    finished.log.iter().map(|line| line.message.as_str()).collect()
}

/// Without it, nothing would say that a function's code is really executed, in the environment that it expects.
#[tokio::test]
async fn a_function_runs_and_its_process_stays_warm() {
    let runtime = Runtime::default();
    let function = with_bootstrap(
        "count = 0\ndef handle(event):\n    global count\n    count += 1\n    print('working on', event['n'])\n    return {'count': count, 'endpoint': os.environ['AWS_ENDPOINT_URL'], 'home': os.environ['HOME'] == os.environ['TMPDIR']}",
    );
    let first = invoke(&runtime, &function, &json!({"n": 1})).await;
    assert!(!first.failed, "{first:?}");
    assert_eq!(json_of(&first), json!({"count": 1, "endpoint": "http://127.0.0.1:9", "home": true}));
    let log = text(&first);
    let at = |part: &str| log.find(part).unwrap_or_else(|| panic!("`{part}` is in {log}"));
    assert!(at("START RequestId") < at("working on 1") && at("working on 1") < at("END RequestId"));
    assert!(at("END RequestId") < at("REPORT RequestId"));
    assert!(log.contains("Init Duration"));

    let second = invoke(&runtime, &function, &json!({"n": 2})).await;
    assert_eq!(json_of(&second)["count"], 2, "the same process");
    assert_eq!(first.log_stream, second.log_stream);
    assert!(text(&second).contains("working on 2") && !text(&second).contains("working on 1"));

    let changed = Function { edition: 2, ..function.clone() };
    assert_eq!(
        json_of(&invoke(&runtime, &changed, &json!({"n": 3})).await)["count"],
        1,
        "a changed function starts anew"
    );
    runtime.forget(&function.account, &function.region, &function.name);
    assert_eq!(json_of(&invoke(&runtime, &changed, &json!({"n": 4})).await)["count"], 1, "a forgotten one too");
}

/// Without it, an exception of a function would look like a success, or end its process.
#[tokio::test]
async fn an_exception_is_an_error_and_the_process_lives_on() {
    let runtime = Runtime::default();
    let function =
        with_bootstrap("def handle(event):\n    if event: raise ValueError('no such user')\n    return os.getpid()");
    let failed = invoke(&runtime, &function, &json!({"fail": true})).await;
    assert!(failed.failed);
    assert_eq!(json_of(&failed), json!({"errorType": "ValueError", "errorMessage": "no such user"}));
    assert!(!invoke(&runtime, &function, &json!({})).await.failed);
    assert_eq!(runtime.pool().idle.len(), 1);
}

/// Without it, a function that hangs would hang its rotation, and what it started would outlive it.
#[tokio::test]
async fn a_function_that_hangs_is_killed_with_what_it_started() {
    let runtime = Runtime::default();
    let mut function = with_bootstrap(
        "def handle(event):\n    import subprocess\n    child = subprocess.Popen(['sleep', '600'])\n    print('child', child.pid)\n    time.sleep(600)",
    );
    function.timeout = Duration::from_secs(1);
    let finished = invoke(&runtime, &function, &json!({})).await;
    assert!(finished.failed);
    let document = json_of(&finished);
    assert_eq!(document["errorType"], "Sandbox.Timedout");
    let message = document["errorMessage"].as_str().expect("a message");
    assert!(message.starts_with("RequestId: ") && message.ends_with(" Error: Task timed out after 1.00 seconds"));
    assert!(text(&finished).contains("Task timed out after 1.00 seconds"));
    assert!(runtime.pool().idle.is_empty(), "a killed process serves nothing more");
    if cfg!(target_os = "linux") {
        let log = text(&finished);
        let child = log.split("child ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("its id");
        let stat = Path::new("/proc").join(child).join("stat");
        // The kernel ends it on its own time; what is left without a parent may be a zombie for a while.
        let gone = async {
            loop {
                match std::fs::read_to_string(&stat) {
                    Ok(text) if !text.contains(") Z ") => tokio::time::sleep(Duration::from_millis(5)).await,
                    _ => return,
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), gone).await.expect("the child is gone");
    }
}

/// Without it, a process that ends in the middle of its work would leave its caller waiting for the time-out.
#[tokio::test]
async fn a_process_that_ends_is_reported() {
    let runtime = Runtime::default();
    let function = with_bootstrap("def handle(event):\n    sys.exit(3) if event else 0");
    let finished = invoke(&runtime, &function, &json!({"exit": true})).await;
    let document = json_of(&finished);
    assert_eq!(document["errorType"], "Runtime.ExitError");
    assert!(
        document["errorMessage"]
            .as_str()
            .is_some_and(|text| text.ends_with("Error: Runtime exited with error: exit status 3"))
    );
    assert!(!invoke(&runtime, &function, &json!({})).await.failed, "the next one gets a new process");
}

/// Without it, a process that died while it was idle would fail the invocation after it.
#[tokio::test]
async fn a_process_that_died_while_idle_is_replaced() {
    let runtime = Runtime::default();
    let function = with_bootstrap(
        "def handle(event):\n    import threading\n    if event: threading.Timer(0.01, lambda: os._exit(0)).start()\n    return os.getpid()",
    );
    let first = json_of(&invoke(&runtime, &function, &json!({"die": true})).await);
    let dead = async {
        while runtime.pool().idle.iter_mut().any(|idle| idle.worker.is_alive()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), dead).await.expect("the process ends by itself");
    let second = invoke(&runtime, &function, &json!({})).await;
    assert!(!second.failed, "{second:?}");
    assert_ne!(json_of(&second), first);
}

/// Without it, broken packages would be taken for machines that can't run them, and simulated.
#[tokio::test]
async fn a_package_without_an_entry_point_is_the_functions_error() {
    let runtime = Runtime::default();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("readme", SimpleFileOptions::default()).expect("an entry");
    let zip = zip.finish().expect("a zip").into_inner();
    let function = Function { zip: Arc::from(zip), code_sha256: "empty".to_owned(), ..function("provided.al2023") };
    let finished = invoke(&runtime, &function, &json!({})).await;
    assert_eq!(json_of(&finished)["errorType"], "Runtime.InvalidEntrypoint");
}

/// Without it, a runtime that the sandbox can't run would fail rotations instead of having them simulated.
#[tokio::test]
async fn a_runtime_that_is_not_served_is_unavailable() {
    let runtime = Runtime::default();
    let event = Event { request_id: "1".to_owned(), payload: Bytes::new(), arn: None, client_context: None };
    let error =
        runtime.invoke(&function("java21"), &event, "http://127.0.0.1:9", None, &|_| {}).await.expect_err("no Java");
    assert!(error.to_string().contains("`java21`"), "{error}");
}

/// Without it, a fleet of functions would start as many processes as it has secrets.
#[tokio::test]
async fn processes_are_bounded() {
    let runtime = Arc::new(Runtime::default());
    let function = with_bootstrap("def handle(event):\n    return os.getpid()");
    let many = (0..runtime.capacity() * 3).map(|index| {
        let runtime = Arc::clone(&runtime);
        let function = Function { name: format!("rotate-{}", index % (runtime.capacity() + 2)), ..function.clone() };
        async move { invoke(&runtime, &function, &json!({})).await.failed }
    });
    assert!(futures::future::join_all(many).await.into_iter().all(|failed| !failed));
    assert!(runtime.pool().idle.len() <= runtime.capacity());
}

/// Without it, a page in a browser could take a function's events or answer in its place.
#[tokio::test]
async fn the_interface_refuses_web_pages() {
    let runtime = Runtime::default();
    let function = with_bootstrap(
        "def handle(event):\n    codes = []\n    for headers in [{'Origin': 'http://evil.example'}, {'Host': 'evil.example'}]:\n        try:\n            call('invocation/next', None, headers)\n            codes.append(200)\n        except urllib.error.HTTPError as error:\n            codes.append(error.code)\n    return codes",
    );
    assert_eq!(json_of(&invoke(&runtime, &function, &json!({})).await), json!([403, 403]));
}

/// Without it, a sandbox that ends would leave processes of functions behind, and whoever waits for one would wait on.
#[tokio::test]
async fn a_reset_ends_what_is_running() {
    let runtime = Runtime::default();
    let function = with_bootstrap("def handle(event):\n    time.sleep(600)");
    let event = Event { request_id: "1".to_owned(), payload: Bytes::from("{}"), arn: None, client_context: None };
    let ended = async {
        // Only a function that holds its slot is running.
        while runtime.slots.available_permits() == runtime.capacity() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        runtime.reset().await;
    };
    let invocation = runtime.invoke(&function, &event, "http://127.0.0.1:9", None, &|_| {});
    let (result, ()) = tokio::join!(invocation, ended);
    assert_eq!(result.expect_err("it was stopped"), InvokeError::Stopped);
    assert_eq!(runtime.slots.available_permits(), runtime.capacity());
    runtime.shutdown().await;
    let late = runtime.invoke(&function, &event, "http://127.0.0.1:9", None, &|_| {}).await;
    assert_eq!(late.expect_err("it takes no more"), InvokeError::Stopped);
}

/// Without it, each Python patch release would be announced, or a wrong minor version never.
#[test]
fn versions_are_compared_by_the_runtimes_name() {
    assert!(same_version("python3.12", "3.12.1"));
    assert!(!same_version("python3.1", "3.12.1"));
    assert!(same_version("nodejs20.x", "20.20.2"));
    assert!(!same_version("nodejs22.x", "20.20.2"));
}
