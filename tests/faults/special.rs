//! What no single call shows: credentials that end, clocks that are off, regions that are down, pages that are missing, quotas.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rotator::sandbox::Options;
use serde_json::json;

use super::aws::{ACCOUNT, Aws, KEY, REGION, World};
use super::faults::TABLE;
use super::run::{Ended, rotator};
use super::way::{Does, Way};

/// A manifest of so many secrets, and of the function that rotates them.
fn fleet(secrets: usize) -> String {
    let mut text = "version: 1
project: fleet
defaults: {secrets: {function: SecretsManagerFleet, rotation: {automatically_after_days: 30}}}
functions:
  SecretsManagerFleet: {code: code, runtime: java21, handler: rotation.Handler}
secrets:
"
    .to_owned();
    for name in names(secrets) {
        let _ = writeln!(text, "  {name}: {{}}");
    }
    text
}

fn names(secrets: usize) -> Vec<String> {
    (0..secrets).map(|number| format!("fleet/{number:03}")).collect()
}

async fn world(secrets: usize) -> World {
    let names = names(secrets);
    World::with_secrets(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// A folder with a manifest.
fn folder(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "rotator.yaml", manifest);
    write(folder.path(), "code/rotation/Handler.class", "code");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
    std::fs::write(path, text).expect("files can be written");
}

const APPLY: &[&str] = &["apply", "--auto-approve", "--allow-simulated", "--max-rotations", "1000"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

#[track_caller]
fn exits(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{}", ended.all());
}

#[track_caller]
fn says(ended: &Ended, text: &str) {
    assert!(ended.text().contains(text), "`{text}` is missing: {}", ended.all());
}

/// Without it, the token of a pipeline that ends after an hour would be reported once for each of hundreds of secrets, and nobody
/// would see what was done and what wasn't.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_in_the_middle_are_one_message_and_the_next_apply_goes_on() {
    let aws = Aws::start(&world(60).await).await;
    let folder = folder(&fleet(60));
    aws.script(&[json!({
        "service": "secretsmanager", "operation": "RotateSecret", "skip": 15,
        "error": {"status": 400, "code": "ExpiredTokenException", "message": "The security token included in the request is expired"},
    })]);
    let first = rotator(&aws, folder.path(), APPLY, &[]).await;
    exits(&first, 1);
    assert_eq!(first.complaints().len(), 1, "{}", first.all());
    says(&first, "ExpiredTokenException");
    says(&first, "get new credentials");
    says(&first, "not attempted");
    let asked = aws.calls().iter().filter(|call| *call == "secretsmanager.RotateSecret").count();
    assert!(asked < 15 + 40, "{asked} calls went on without credentials: {}", first.all());
    aws.script(&[]);
    exits(&rotator(&aws, folder.path(), APPLY, &[]).await, 0);
    exits(&rotator(&aws, folder.path(), PLAN, &[]).await, 0);
    let after = aws.world();
    for name in names(60) {
        assert_eq!(after.versions(&name), 2, "{name} has rotated once");
    }
    aws.end().await;
}

/// Without it, an apply that outlives its temporary credentials would fail where its profile could give it new ones.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_process_gives_are_renewed() {
    let aws = Aws::start(&world(5).await).await;
    let folder = folder(&fleet(5));
    let given = folder.path().join("given");
    let script = format!(
        "echo >>'{}'\nexpires=$(python3 -c 'import datetime as d; print((d.datetime.now(d.timezone.utc) + d.timedelta(seconds=2)).strftime(\"%Y-%m-%dT%H:%M:%SZ\"))')\n\
         echo '{{\"Version\": 1, \"AccessKeyId\": \"{ACCOUNT}\", \"SecretAccessKey\": \"{KEY}\", \"SessionToken\": \"{KEY}\", \"Expiration\": \"'$expires'\"}}'\n",
        given.display()
    );
    write(folder.path(), "credentials.sh", &script);
    let process = folder.path().join("credentials.sh");
    write(folder.path(), "config", &format!("[default]\ncredential_process = sh {}\n", process.display()));
    let config = folder.path().join("config").display().to_string();
    let variables = [("AWS_CONFIG_FILE", config.as_str()), ("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let ended = rotator(&aws, folder.path(), APPLY, &variables).await;
    exits(&ended, 0);
    assert!(!ended.text().contains(KEY), "{}", ended.all());
    let times = std::fs::read_to_string(given).expect("it was asked").lines().count();
    assert!(times > 2, "asked {times} times: {}", ended.all());
    aws.end().await;
}

/// Without it, a laptop that woke up, or a container whose clock is off, could do nothing on AWS, and would be told that its
/// credentials are wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_corrected_by_the_services_answers() {
    let aws = Aws::start(&world(2).await).await;
    let folder = folder(&fleet(2));
    let way = Way::to(&aws, Does::Skew(Duration::from_mins(20))).await;
    let url = way.url();
    let ended = rotator(&aws, folder.path(), APPLY, &[("AWS_ENDPOINT_URL", &url)]).await;
    exits(&ended, 0);
    way.now_does(Does::Nothing);
    aws.script(&[
        json!({"error": {"status": 403, "code": "SignatureDoesNotMatch", "message": "The signature doesn't match."}}),
    ]);
    let ended = rotator(&aws, folder.path(), PLAN, &[]).await;
    exits(&ended, 1);
    says(&ended, "clock");
    aws.end().await;
}

/// Without it, the failure of one region would keep all others from being applied, or an apply that left it out would pass for
/// complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_down_leaves_the_others_to_converge() {
    let manifest = format!("{}targets: {{here: {{region: {REGION}}}, there: {{region: eu-west-1}}}}\n", fleet(2));
    let folder = folder(&manifest);
    let aws = Aws::start(&world(2).await).await;
    for name in names(2) {
        aws.seed("eu-west-1", &name);
    }
    let way = Way::to(&aws, Does::Cut("/eu-west-1/")).await;
    let url = way.url();
    let variables = [("AWS_ENDPOINT_URL", url.as_str())];
    let all = [APPLY, &["--all-targets"]].concat();
    let first = rotator(&aws, folder.path(), &all, &variables).await;
    exits(&first, 1);
    says(&first, "error: target there: sts:GetCallerIdentity");
    says(&first, "Not every target could be read");
    assert_eq!(aws.world().versions("fleet/000"), 2, "{}", first.all());
    // Down while it is applied: every call of the region fails, and the other target's report is as always.
    way.now_does(Does::Nothing);
    exits(&rotator(&aws, folder.path(), &all, &variables).await, 0);
    exits(&rotator(&aws, folder.path(), PLAN, &variables).await, 0);
    aws.end().await;
}

/// Without it, half of a list would count as all of it: what stands on the other half would be left alone for ever, or taken for gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_second_page_fails_prunes_nothing() {
    let aws = Aws::start(&world(150).await).await;
    let two = folder(&fleet(2));
    exits(&rotator(&aws, two.path(), APPLY, &[]).await, 0);
    let before = aws.world().digest();
    let none = folder("version: 1\nproject: fleet\n");
    let prune = [APPLY, &["--prune"]].concat();
    let page = json!({"service": "secretsmanager", "operation": "ListSecrets", "match": "NextToken"});
    for fault in [
        json!({"error": {"status": 500, "code": "InternalServiceError", "message": "no"}}),
        json!({"break_body": "truncate"}),
        json!({"error": {"status": 400, "code": "InvalidNextTokenException", "message": "no"}}),
    ] {
        let mut rule = page.clone();
        rule.as_object_mut().expect("an object").extend(fault.as_object().cloned().unwrap_or_default());
        aws.script(&[rule]);
        let ended = rotator(&aws, none.path(), &prune, &[]).await;
        exits(&ended, 1);
        says(&ended, "ListSecrets");
        assert_eq!(aws.world().digest(), before, "{}", ended.all());
    }
    aws.script(&[json!({"service": "secretsmanager", "operation": "ListSecrets", "match": "NextToken", "times": 1, "break_body": "truncate"})]);
    exits(&rotator(&aws, none.path(), &prune, &[]).await, 0);
    exits(&rotator(&aws, none.path(), &[PLAN, &["--prune"]].concat(), &[]).await, 0);
    aws.end().await;
}

/// Lists of secrets lag behind by minutes. Without it, an apply right after another would take what it doesn't see yet for absent, or
/// what left the manifest for nobody's for ever.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_lag_behind_change_nothing_that_is_right() {
    let aws = Aws::start(&world(3).await).await;
    aws.script(&[json!({"service": "secretsmanager", "operation": "ListSecrets", "stale_seconds": 300})]);
    let three = folder(&fleet(3));
    exits(&rotator(&aws, three.path(), APPLY, &[]).await, 0);
    let before = aws.world().digest();
    says(&rotator(&aws, three.path(), APPLY, &[]).await, "No changes.");
    // What has left the manifest is found as soon as the list shows that it rotates, and left alone until then.
    let one = folder(&fleet(1));
    let prune = [APPLY, &["--prune"]].concat();
    exits(&rotator(&aws, one.path(), &prune, &[]).await, 0);
    assert_eq!(aws.world().digest(), before, "what no list shows isn't touched");
    aws.script(&[]);
    let ended = rotator(&aws, one.path(), &prune, &[]).await;
    exits(&ended, 0);
    says(&ended, "2 applied");
    exits(&rotator(&aws, one.path(), &[PLAN, &["--prune"]].concat(), &[]).await, 0);
    aws.end().await;
}

/// Without it, the first apply of a large project would end in AWS's throttling.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_converges_at_the_published_quotas() {
    let options = Options {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        time_scale: 0.0,
        quotas: true,
        ..Options::default()
    };
    let aws = Aws::with(&world(300).await, options).await;
    let folder = folder(&fleet(300));
    let ended = rotator(&aws, folder.path(), APPLY, &[("AWS_MAX_ATTEMPTS", "8")]).await;
    exits(&ended, 0);
    says(&ended, "301 applied");
    // AWS's buckets and ours don't begin at the same moment, so that a few may be refused; unbudgeted, it is hundreds.
    let throttled = aws.throttled();
    assert!(throttled <= 3, "{throttled} calls came faster than AWS's quotas allow");
    exits(&rotator(&aws, folder.path(), PLAN, &[]).await, 0);
    let after = aws.world();
    for name in names(300) {
        assert_eq!(after.versions(&name), 2, "{name} has rotated once");
    }
    aws.end().await;
}

/// Without it, the errors that are tried would be those that somebody remembered.
#[test]
fn the_table_of_errors_is_what_the_models_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let prepared = Command::new("bash").arg(root.join("tests/peers/prepare")).arg(&venv).output().expect("bash runs");
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
    let mut script = Command::new(venv.join("bin/python"));
    let output = script.arg(root.join("tests/faults/errors.py")).arg(root.join("tests/faults/errors.json")).output();
    let output = output.expect("Python runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        TABLE,
        "tests/faults/errors.py prints the table as it should be"
    );
}
