//! `rotator logs`: what functions logged of the last rotation or test of each secret.

use serde_json::Value;

use super::support::{World, prepare_runtime};

/// Fails in one step, and names what it is called with.
const FAILS: &str = "import logging

import boto3

logging.getLogger().setLevel(logging.INFO)


def lambda_handler(event, context):
    logging.info('%s of %s', event['Step'], event['ClientRequestToken'])
    STEPS[event['Step']](event)


def create_secret(event):
    boto3.client('secretsmanager').put_secret_value(
        SecretId=event['SecretId'], ClientRequestToken=event['ClientRequestToken'], SecretString='next', VersionStages=['AWSPENDING'])


def set_secret(event):
    raise RuntimeError('the API said 401')


STEPS = {'createSecret': create_secret, 'setSecret': set_secret}
";

fn manifest(world: &World, members: &str) {
    let text = format!(
        "version: 1
project: logged
functions:
  F:
    code: code
    timeout: 20
{members}secrets:
  app/one: {{function: F, rotation: {{automatically_after_days: 30}}}}
  app/off: {{rotation: {{enabled: false}}}}
"
    );
    world.write("rotator.yaml", &text);
}

/// Without it, whoever sees red would have to find the log, its group and the line that matters by other means.
#[test]
fn the_step_and_the_line_come_first() {
    prepare_runtime();
    let world = World::new();
    world.create_secret("app/one", "first");
    world.create_secret("app/off", "first");
    world.write("code/lambda_function.py", FAILS);
    manifest(&world, "");
    let failed = world.rotator(&["apply", "--auto-approve", "--rotation-timeout", "4s"]).exits(4);
    failed.says("rotator logs --endpoint-url").says("--target 'secret.app/one'");
    let line = FAILS.lines().position(|line| line.contains("raise")).expect("a line") + 1;
    let place = format!("setSecret failed at lambda_function.py:{line}, in set_secret: RuntimeError: the API said 401");
    world
        .rotator(&["logs"])
        .exits(0)
        .says("secret.app/one: ")
        .says(&place)
        .says("secret.app/off: no function rotates it");
    world.rotator(&["logs", "--target", "function.F"]).exits(0).says("function.F: ").says(&place);
    let json = world.rotator(&["logs", "--target", "secret.app/one", "--format", "json"]).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let log = &json["targets"][0]["logs"][0];
    let expected = (&"setSecret".into(), &"lambda_function.py".into(), &Value::from(line));
    let last = &log["last_failure"];
    assert_eq!((&last["step"], &last["file"], &last["line"]), expected, "{json}");
    assert_eq!((&log["last_has_failed"], &log["log_group"]), (&true.into(), &"/aws/lambda/F".into()), "{json}");
    // What is wrong, and what can't be read.
    world.rotator(&["logs", "--since", "5"]).exits(1).says("a time is a number with");
    world.fault(r#"{"service":"logs","operation":"FilterLogEvents","error":{"status":400,"code":"AccessDeniedException","message":"User is not authorized to perform: logs:FilterLogEvents"}}"#);
    world.rotator(&["logs"]).exits(1).says("its log can't be read").says("logs:FilterLogEvents");
}
