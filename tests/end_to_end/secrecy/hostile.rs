//! Services that repeat what they were told.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Planted, write_manifest};
use crate::support::World;

/// Every call of an apply, in the order in which one comes to them, with an error that its model has or that any service may have.
const CALLS: [(&str, &str, &str); 13] = [
    ("cloudformation", "DescribeStacks", "AccessDenied"),
    ("serverlessrepo", "GetApplication", "InternalFailure"),
    ("secretsmanager", "DescribeSecret", "InternalFailure"),
    ("secretsmanager", "ListSecrets", "InvalidParameterException"),
    ("lambda", "GetFunction", "AccessDeniedException"),
    ("serverlessrepo", "CreateCloudFormationChangeSet", "BadRequestException"),
    ("cloudformation", "DescribeChangeSet", "InternalFailure"),
    ("cloudformation", "ExecuteChangeSet", "InsufficientCapabilities"),
    ("lambda", "UpdateFunctionConfiguration", "InvalidParameterValueException"),
    ("lambda", "UpdateFunctionCode", "InvalidParameterValueException"),
    ("lambda", "AddPermission", "PolicyLengthExceededException"),
    ("lambda", "GetPolicy", "InternalFailure"),
    ("secretsmanager", "RotateSecret", "InvalidRequestException"),
];

/// Where in the list the writes begin.
const FIRST_WRITE: usize = 5;

fn script(world: &World, rules: &serde_json::Value) {
    world.fault(&rules.to_string());
}

/// What was sent, as an address, base64, hex or another case writes it; a message isn't kept beyond its first 2,000 characters, so
/// that each call gets another one.
fn dressed(sent: &[(&str, String)], number: usize) -> String {
    let dress = |value: &str| match number / 2 % 6 {
        0 => percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string(),
        1 => STANDARD.encode(format!("{{\"value\": {}}}", serde_json::Value::from(value))),
        2 => value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(),
        3 => value.to_uppercase(),
        4 => URL_SAFE_NO_PAD.encode(value),
        _ => value.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat(),
    };
    sent.iter().map(|(name, value)| format!("{name}: {}", dress(value))).collect::<Vec<_>>().join(", ")
}

/// Lambda and `CloudFormation` quote what they refuse. Without it, one refused variable would put all of them into the log of a
/// pipeline, into a comment on a pull request, and into plan files.
#[test]
fn values_that_a_service_repeats_are_covered() {
    let mut planted = Planted::new();
    let manifest = planted.stage.path("repo").to_str().expect("a path of ours").to_owned();
    for (number, (service, operation, code)) in CALLS.into_iter().enumerate() {
        // New values each time, so that there is something to do; a refusal leaves the next calls for the next round.
        planted.sent = write_manifest(&mut planted.stage, "repo");
        let code_file = format!("{}\n# round {number}\n", crate::support::signing_key());
        planted.stage.write("repo/code/lambda_function.py", code_file);
        let pairs: Vec<String> = planted.sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let json: serde_json::Map<_, _> =
            planted.sent.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        // As they were sent in every second round, and in another dress in the others.
        let sent = if number % 2 == 0 { pairs.join(", ") } else { dressed(&planted.sent, number) };
        let message = format!(
            "Value '{{{sent}}}' at 'environment.variables' failed to satisfy constraint: {} with {}",
            serde_json::Value::from(json),
            planted.token
        );
        let rule = serde_json::json!({"service": service, "operation": operation,
            "error": {"code": code, "status": 400, "message": message}});
        script(&planted.stage.world, &rule);
        let before = planted.stage.world.calls().len();
        let plan = planted.stage.run(&mut planted.command(&["plan", &manifest, "--out", "hostile.plan", "-vv"]));
        for format in ["json", "markdown"] {
            planted.stage.run(&mut planted.command(&["show", "hostile.plan", "--format", format]));
        }
        // Nothing is applied before the calls that make things were refused once, each.
        let applied = (number >= FIRST_WRITE).then(|| {
            let mut apply = planted.command(&["apply", &manifest, "--auto-approve", "-vvv"]);
            planted.stage.run(if number % 2 == 0 { &mut apply } else { apply.arg("--json") }).all()
        });
        let calls = planted.stage.world.calls();
        assert!(calls[before..].contains(&format!("{service} {operation}")), "{operation} was never called");
        // Of a missing right, the action and the resource are said, and none of AWS's words.
        assert!(
            code.starts_with("AccessDenied")
                || plan.all().contains("(sensitive)")
                || applied.iter().any(|said| said.contains("(sensitive)")),
            "what AWS said of {operation} is shown, without the values:\n{}\n{applied:?}",
            plan.all(),
        );
        script(&planted.stage.world, &serde_json::json!([]));
    }
    // No service at all: it answers with a page that shows the request.
    let page = planted.sent.iter().map(|(name, value)| format!("<li>{name}: {value}")).collect::<Vec<_>>().concat();
    let answer = serde_json::json!({"service": "lambda", "operation": "UpdateFunctionConfiguration",
        "answer": {"status": 502, "content_type": "text/html", "body": page}});
    planted.sent = write_manifest(&mut planted.stage, "repo");
    script(&planted.stage.world, &answer);
    planted.stage.run(&mut planted.command(&["apply", &manifest, "--auto-approve", "-vvv"]));
    script(&planted.stage.world, &serde_json::json!([]));
    planted.stage.run(&mut planted.command(&["apply", &manifest, "--auto-approve"])).exits(0);
    planted.stage.end();
}

/// A function's log is its author's, and shown when asked for. Without it, a rotation that fails would show what its function
/// says, the secret's value perhaps, to everyone; and asked, what the manifest keeps.
#[test]
fn logs_of_functions_are_shown_only_on_request_and_without_the_manifests_values() {
    let planted = Planted::new();
    let manifest = planted.stage.path("repo").to_str().expect("a path of ours").to_owned();
    let code = "import base64, os, boto3, json
from urllib.parse import quote, urlencode

def lambda_handler(event, context):
    print(json.dumps(dict(os.environ)))
    print(base64.encodebytes(json.dumps(dict(os.environ)).encode()).decode())
    print(urlencode(dict(os.environ)), quote(os.environ.get('PART', ''), safe=''))
    print(os.environ.get('PART', '').encode().hex(), os.environ.get('PART', '').upper())
    client = boto3.client('secretsmanager', endpoint_url=os.environ['SECRETS_MANAGER_ENDPOINT'])
    if 'OWN' in os.environ:
        raise RuntimeError('wrong password: ' + client.get_secret_value(SecretId=event['SecretId'])['SecretString'])
    raise RuntimeError('cannot sign in with ' + os.environ['PART'])
";
    planted.stage.write("repo/code/lambda_function.py", code);
    crate::support::prepare_runtime();
    let apply = ["apply", &manifest, "--auto-approve", "-vvv"];
    let mut unasked = planted.command(&apply);
    unasked.args(["--target", "secret.secrecy/one", "--rotation-timeout", "3s"]);
    planted.stage.run(&mut unasked).exits(4).keeps_silent_about("wrong password");
    let mut asked = planted.command(&apply);
    asked.args(["--target", "secret.secrecy/part", "--rotation-timeout", "20s", "--show-function-logs"]);
    planted.stage.run(&mut asked).exits(4).says("cannot sign in with (sensitive)");
    // What was kept back was there to be shown.
    let log = ["logs", "filter-log-events", "--log-group-name", "/aws/lambda/SecretsManagerOne"];
    assert!(planted.stage.world.aws(&log).to_string().contains("wrong password"), "the function never ran");
    planted.stage.end();
}
