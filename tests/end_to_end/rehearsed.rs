//! Rehearsals: what is red on AWS is red here, and what is mended turns green.

use std::fmt::Write as _;
use std::path::Path;

use super::support::{Output, World, output, prepare_runtime, rotator_binary, scrubbed, signing_key};

/// Rotates a password, and reads an admin's secret before it would set one.
const READS_ADMIN: &str = r#"import json, os
import boto3

client = boto3.client("secretsmanager")


def lambda_handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    if step == "createSecret":
        try:
            client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
            return
        except client.exceptions.ResourceNotFoundException:
            pass
        value = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
        value["password"] = client.get_random_password()["RandomPassword"]
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString=json.dumps(value), VersionStages=["AWSPENDING"]
        )
    elif step == "setSecret":
        admin = json.loads(client.get_secret_value(SecretId=os.environ["ADMIN_SECRET"])["SecretString"])
        if admin["username"] != "root":
            raise RuntimeError("not the admin that the manifest gives")
    elif step == "testSecret":
        pending = client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        if len(json.loads(pending["SecretString"])["password"]) < 20:
            raise ValueError("too short for a password of the service")
    elif step == "finishSecret":
        versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"#;

fn rotator(folder: &Path, arguments: &[&str]) -> Output {
    output(scrubbed(rotator_binary()).args(arguments).env("AWS_REGION", "us-east-1").current_dir(folder))
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn folder(members: &str, code: &str) -> tempfile::TempDir {
    prepare_runtime();
    let folder = tempfile::tempdir().expect("a folder");
    manifest(folder.path(), members);
    write(folder.path(), "code/lambda_function.py", code);
    folder
}

fn manifest(folder: &Path, members: &str) {
    write(folder, "rotator.yaml", &manifest_of(members));
}

/// A manifest with a function of these members, and a secret.
fn manifest_of(members: &str) -> String {
    format!(
        "version: 1
project: rehearsed
functions:
  F:
    code: code
    timeout: 20
{members}secrets: {{app/one: {{function: F, rotation: {{automatically_after_days: 30}}}}}}
"
    )
}

const APPLY: [&str; 3] = ["apply", "--sandbox", "--auto-approve"];

/// Without it, a function that reads an admin's secret would be green in each rehearsal, and denied on AWS.
#[test]
fn a_function_reaches_its_own_secrets_and_those_that_its_role_may_read() {
    let values = "    environment: {ADMIN_SECRET: app/admin}
    test: {secret: {username: app, password: first}, others: {app/admin: {username: root, password: first}}}
";
    let folder = folder(values, READS_ADMIN);
    rotator(folder.path(), &APPLY)
        .exits(4)
        .says("is not authorized to perform: secretsmanager:GetSecretValue on resource: ")
        .says("because no identity-based policy allows the secretsmanager:GetSecretValue action");
    manifest(folder.path(), &format!("{values}    role: {{read_secrets: [app/admin]}}\n"));
    rotator(folder.path(), &APPLY).exits(0).says("masterSecretArn");
    rotator(folder.path(), &["plan", "--sandbox", "--detailed-exitcode"]).exits(0);
    // A name that nothing has is an error before anything is done; in a rehearsal, it is made.
    let missing = ["secretsmanager:DescribeSecret", "masterSecretArn"];
    rotator(folder.path(), &["sandbox", "secret", "show", "app/one"])
        .exits(0)
        .says("AWSCURRENT")
        .keeps_silent_about(missing[0]);
}

/// Without it, the same apply again would say that nothing differs, and the secret would be stuck for ever; or a function that was
/// mended would be tried again only at its next window.
#[test]
fn fail_mend_and_apply_again_ends_in_a_rotation() {
    let folder = folder("", "def lambda_handler(event, context):\n    raise ValueError(event['Step'])\n");
    let soon = [&APPLY[..], &["--rotation-timeout", "8s"]].concat();
    rotator(folder.path(), &soon).exits(4).says("ValueError");
    rotator(folder.path(), &soon).exits(4).says("ValueError");
    write(folder.path(), "code/lambda_function.py", &signing_key());
    let began = std::time::Instant::now();
    rotator(folder.path(), &APPLY).exits(0);
    assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
    let shown = rotator(folder.path(), &["sandbox", "secret", "show", "app/one"]).exits(0);
    shown.says("AWSPREVIOUS").keeps_silent_about("hasn't finished");
    let ignored = std::fs::read_to_string(folder.path().join(".rotator/.gitignore")).expect("made with the folder");
    assert_eq!(ignored, "*\n");
}

/// Without it, new code would be said to have rotated once, a stuck rehearsal to be repaired by waiting, and mended code nothing at all.
#[test]
fn new_code_is_rehearsed_and_said_to_be_good_or_bad() {
    let folder = folder("", &signing_key());
    rotator(folder.path(), &APPLY).exits(0).says("What happened:").says("Try next:");
    let broken = signing_key()
        .replace("def set_secret(secret, token):\n", "def set_secret(secret, token):\n    raise ValueError\n");
    assert_ne!(broken, signing_key());
    write(folder.path(), "code/lambda_function.py", &broken);
    rotator(folder.path(), &APPLY)
        .exits(4)
        .says("a rotation by what is deployed now fails: setSecret failed")
        .keeps_silent_about("not a second time")
        .says("stays pending until the next `apply` with mended code");
    rotator(folder.path(), &["repair", "--sandbox"])
        .says("between the commands of a rehearsal no time passes")
        .keeps_silent_about("--endpoint-url");
    rotator(folder.path(), &["plan", "--sandbox"]).keeps_silent_about("rotator repair --endpoint-url");
    write(folder.path(), "code/lambda_function.py", &signing_key());
    let mended = rotator(folder.path(), &APPLY).exits(0);
    mended.says("What happened:").says("nothing wrong was found");
}

/// Without it, a value that the manifest gives after the first rehearsal would be passed over in silence.
#[test]
fn a_value_of_test_takes_the_place_of_one_that_was_made_up() {
    let raises = "def lambda_handler(event, context):\n    raise KeyError('account_id')\n";
    let folder = folder("", raises);
    let soon = [&APPLY[..], &["--rotation-timeout", "8s"]].concat();
    rotator(folder.path(), &soon).exits(4).says("with a made-up value");
    manifest(folder.path(), "    test: {secret: {account_id: a1}}\n");
    let given = "gave 1 secret the value of `test` in place of a made-up one: app/one";
    rotator(folder.path(), &soon).exits(4).says(given);
    rotator(folder.path(), &["sandbox", "secret", "show", "app/one", "--value"]).exits(0).says("a1");
    rotator(folder.path(), &soon).keeps_silent_about("gave 1 secret");
}

/// Without it, a function that does nothing and says nothing would end red without a word on which step is to blame.
#[test]
fn a_step_that_leaves_its_work_undone_is_named() {
    let folder = folder("", "def lambda_handler(event, context):\n    return {}\n");
    let soon = [&APPLY[..], &["--rotation-timeout", "8s"]].concat();
    let undone = "createSecret failed: ended without an error, and its version has no value";
    rotator(folder.path(), &soon).exits(4).says(undone);
    let unfinished = signing_key().replace("client.update_secret_version_stage(**move)", "return move");
    write(folder.path(), "code/lambda_function.py", &unfinished);
    let undone = "finishSecret failed: ended without an error, and AWSCURRENT isn't on its version";
    rotator(folder.path(), &soon).exits(4).says(undone);
}

/// Without it, a rotation whose function never ran would count as rehearsed.
#[test]
fn what_is_only_simulated_is_not_tested() {
    let folder = folder("    runtime: java21\n    handler: a.B::c\n", "x = 1\n");
    write(folder.path(), "code/a/B.class", "x");
    write(folder.path(), "value", "first\n");
    rotator(folder.path(), &["sandbox", "secret", "put", "app/one", "value"]).exits(0);
    rotator(folder.path(), &["sandbox", "secret", "show", "app/one", "--value"]).exits(0).says("first");
    rotator(folder.path(), &APPLY).exits(4).says("1 rotation only simulated").says("--allow-simulated");
    rotator(folder.path(), &APPLY).exits(4);
    rotator(folder.path(), &[&APPLY[..], &["--allow-simulated"]].concat()).exits(0).says("only simulated");
}

/// A function for passwords of a service, which is a file here: it takes what setSecret writes. Each mark is where a fault goes.
const LOGIN: &str = r#"import json, os
import boto3

client = boto3.client("secretsmanager")
STORE = os.environ["STORE"]


def lambda_handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"][token]
    if "AWSCURRENT" in stages:
        return
    {"createSecret": create, "setSecret": set_, "testSecret": test, "finishSecret": finish}[step](secret, token)


def create(secret, token):
    if read(secret, "AWSPENDING", token):  # LOOK
        return
    value = read(secret, "AWSCURRENT")
    value["password"] = client.get_random_password()["RandomPassword"]  # MAKE
    client.put_secret_value(
        SecretId=secret, ClientRequestToken=token, SecretString=json.dumps(value), VersionStages=["AWSPENDING"]
    )
    # CREATED


def set_(secret, token):
    with open(STORE, "w") as store:
        store.write(read(secret, "AWSPENDING", token)["password"])


def test(secret, token):
    with open(STORE) as store:
        if store.read() != read(secret, "AWSPENDING", token)["password"]:
            raise RuntimeError("the service refuses the password")


def finish(secret, token):
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def read(secret, stage, token=None):
    version = {"VersionId": token} if token else {}
    try:
        return json.loads(client.get_secret_value(SecretId=secret, VersionStage=stage, **version)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        return None
"#;

/// Functions, each with its code, and a secret for each; `members` of the function of a name.
fn functions(folder: &Path, all: &[(&str, String)], members: impl Fn(&str) -> String) {
    let (mut functions, mut secrets) = (String::new(), String::new());
    for (name, code) in all {
        write(folder, &format!("{name}/lambda_function.py"), code);
        let store = folder.join(format!("{name}.store"));
        let _ = writeln!(
            functions,
            "  {name}:
    code: {name}
    timeout: 20
    environment: {{STORE: {:?}}}
    test: {{secret: {{username: app, password: the very first}}}}
{}",
            store.display().to_string(),
            members(name)
        );
        let _ = writeln!(secrets, "  app/{name}: {{function: {name}, rotation: {{automatically_after_days: 30}}}}");
    }
    write(
        folder,
        "rotator.yaml",
        &format!("version: 1\nproject: rehearsed\nfunctions:\n{functions}secrets:\n{secrets}"),
    );
}

/// The line of a text in code, from 1.
fn line_of(code: &str, text: &str) -> usize {
    code.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}`")) + 1
}

/// Without it, a function that rotates once on a good day would be green, and fail at AWS's second call, its next window, or its first
/// broken value.
#[test]
fn what_a_good_day_hides_is_found() {
    prepare_runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let with = |from: &str, to: &str| {
        assert!(LOGIN.contains(from), "{from}");
        LOGIN.replace(from, to)
    };
    let test = r#"    with open(STORE) as store:
        if store.read() != read(secret, "AWSPENDING", token)["password"]:
            raise RuntimeError("the service refuses the password")
"#;
    let swallows = format!("    try:\n{}    except Exception:\n        pass\n", test.replace("    ", "        "));
    let made = r#"client.get_random_password()["RandomPassword"]  # MAKE"#;
    let faults: Vec<(&str, String, String)> = vec![
        ("twice", with(r#"if read(secret, "AWSPENDING", token):  # LOOK"#, "if False:"), "createSecret fails when it is called again: createSecret failed at lambda_function.py:".to_owned()),
        ("nothing", with(test, "    pass  # TODO\n"), "testSecret at lambda_function.py:@def test(@, in test passes with a wrong value".to_owned()),
        ("swallows", with(test, &swallows), "testSecret at lambda_function.py:@def test(@, in test passes with a wrong value".to_owned()),
        ("logs", with("# CREATED", r#"print("DEBUG made", json.dumps(value))"#), "createSecret logs what only the secret may hold at lambda_function.py:@DEBUG made@, in create".to_owned()),
        ("early", with("# CREATED", "finish(secret, token)"), "createSecret at lambda_function.py:@def create(@, in create changes the current version".to_owned()),
        ("same", with(made, r#"value["password"]"#), "the new value is the old one".to_owned()),
        ("loses", with("# MAKE", "; value.pop('username', None)"), "the new value lacks username".to_owned()),
        ("once", with("        return\n    value =", "        return\n    if os.path.exists(STORE):\n        raise LookupError('two of them')\n    value ="), "rotates once, and not a second time: createSecret failed at lambda_function.py:@raise LookupError@, in create: LookupError".to_owned()),
    ];
    let all: Vec<(&str, String)> = faults.iter().map(|(name, code, _)| (*name, code.clone())).collect();
    functions(folder.path(), &all, |_| String::new());
    let run = rotator(folder.path(), &APPLY).exits(4);
    for (name, code, words) in &faults {
        let mut parts = words.split('@');
        let (first, found_at, rest) =
            (parts.next().unwrap_or_default(), parts.next(), parts.next().unwrap_or_default());
        let line = found_at.map(|text| line_of(code, text).to_string()).unwrap_or_default();
        let expected = format!("with app/{name} failed: ");
        let said = run.stderr.lines().filter(|line| line.contains(&expected)).collect::<Vec<_>>().join("\n");
        assert!(
            said.contains(&format!("{first}{line}{rest}")),
            "{name}: `{first}{line}{rest}` in {said:?}: {}",
            run.all()
        );
    }
    assert!(!run.stderr.contains("the very first"), "{}", run.all());
    // It stays red until it is mended.
    rotator(folder.path(), &APPLY).exits(4).says("with app/nothing failed: testSecret at lambda_function.py:");
    let right: Vec<(&str, String)> = all.iter().map(|(name, _)| (*name, LOGIN.to_owned())).collect();
    functions(folder.path(), &right, |_| String::new());
    rotator(folder.path(), &APPLY).exits(0).keeps_silent_about("failed:");
    rotator(folder.path(), &["plan", "--sandbox", "--detailed-exitcode"]).exits(0);
}

/// Without it, code that the function's own Python can't load would be uploaded from each machine with a newer one.
#[test]
fn code_for_a_newer_python_is_left_out() {
    prepare_runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let newer = LOGIN.replace("    # CREATED", "    match token:\n        case _:\n            pass");
    let code = [("newer", newer.clone()), ("right", LOGIN.to_owned())];
    functions(folder.path(), &code, |_| "    runtime: python3.9\n".to_owned());
    let run = rotator(folder.path(), &APPLY).exits(1);
    let place = format!("function.newer: lambda_function.py:{}:", line_of(&newer, "match token:"));
    run.says(&place)
        .says("cannot use `match` statement on Python 3.9")
        .says("secret.app/right: watching the rotation: rotation finished");
}

/// A function that reads another secret, on a sandbox that is served.
fn reads(world: &World, members: &str) {
    world.write("code/lambda_function.py", READS_ADMIN);
    let text = format!(
        "version: 1
project: rehearsed
functions:
  F:
    code: code
    timeout: 20
    environment: {{ADMIN_SECRET: app/admin}}
    role: {{read_secrets: [app/admin]}}
{members}secrets: {{app/one: {{function: F, rotation: {{automatically_after_days: 30}}}}}}
"
    );
    world.write("rotator.yaml", &text);
}

/// Without it, a function would be deployed whose role may not read what it needs, and each rotation be denied.
#[test]
fn what_a_function_may_read_is_looked_up_before_anything_is_done() {
    let world = World::new();
    world.create_secret("app/one", r#"{"username": "app", "password": "first"}"#);
    reads(&world, "");
    world
        .rotator(&["plan"])
        .exits(1)
        .says("`role.read_secrets` names `app/admin`, and Secrets Manager has no such secret");
    let key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    let value = r#"{"username": "root", "password": "first"}"#;
    let create =
        ["secretsmanager", "create-secret", "--name", "app/admin", "--kms-key-id", key, "--secret-string", value];
    world.aws(&create);
    reads(&world, "    application: {version: 1.1.560}\n");
    world
        .rotator(&["plan"])
        .exits(1)
        .says("version 1.1.560 of its application gives the function no other secret to read")
        .says("it declares no parameter `masterSecretArn`");
    reads(&world, "");
    world.rotator(&["plan"]).exits(0).says("masterSecretArn").says("masterSecretKmsKeyArn").says(key);
}

/// Without it, a rehearsal on a sandbox that somebody serves would be green though nothing of the function ran.
#[test]
fn a_served_sandbox_says_what_it_simulated_and_left_out() {
    let world = World::new();
    let layers = "    runtime: python3.12\n    handler: lambda_function.lambda_handler\n    layers: [\"arn:aws:lambda:us-east-1:123456789012:layer:tools:1\"]\n";
    let manifest = |members: &str| world.write("rotator.yaml", &manifest_of(members));
    world.write("code/lambda_function.py", &signing_key());
    world.write("value", "the first value\n");
    let secret = |arguments: &[&str]| world.rotator(&[&["sandbox", "secret"], arguments].concat());
    secret(&["show", "app/one"]).exits(1).says("has no secret").keeps_silent_about("state");
    secret(&["put", "app/one", "value"]).exits(0).says("made, with that value");
    secret(&["show", "app/one", "--value"]).exits(0).says("the first value");
    secret(&["rotate", "app/one"]).exits(1).says("doesn't rotate");
    manifest("    runtime: java21\n    handler: a.B::c\n");
    world.write("code/a/B.class", "x");
    world.rotator(&["apply", "--auto-approve"]).exits(4).says("1 rotation only simulated").says("--allow-simulated");
    world.rotator(&["apply", "--auto-approve", "--allow-simulated"]).exits(0).says("only simulated");
    prepare_runtime();
    manifest(layers);
    world.rotator(&["apply", "--auto-approve", "--allow-simulated"]).exits(0).says("runs without its layers");
    secret(&["rotate", "app/one"]).exits(0).says("app/one has rotated");
    secret(&["show", "app/one"]).exits(0).says("AWSPREVIOUS").keeps_silent_about("the first value");
    let clean = world.rotator(&["apply", "--auto-approve"]).exits(0).says("runs without its layers");
    clean.keeps_silent_about("only simulated");
    // The state file does the same, where none is served.
    let other = World::new();
    let state = other.path("state.json");
    let state = state.to_str().expect("a path");
    other.write("value", "x\n");
    other.rotator(&["sandbox", "secret", "put", "app/two", "value", "--state", state]).exits(0);
    other.rotator(&["sandbox", "secret", "show", "app/two", "--state", state, "--value"]).exits(0).says("x");
    other.rotator(&["sandbox", "secret", "show", "app/two"]).exits(1);
}
