//! What rotation functions do wrong, in Python.

use super::{Told, facts, found, one, right};
use crate::inspect::{Environment, Facts};
use crate::model::CodeCheck;

/// A right function, with marks where it is made wrong.
const GOOD: &str = r#"
import json, logging, os, urllib.request
import boto3

logger = logging.getLogger()
sm = boto3.client("secretsmanager", endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT"))


def lambda_handler(event, context):
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = sm.describe_secret(SecretId=arn)["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError(f"version {token} of {arn} is unknown")
    if "AWSCURRENT" in stages:
        logger.info("%s: already current", step)
        return
    STEPS[step](arn, token)  # DISPATCH
    logger.info("%s done for %s", step, token)


def create(arn, token):
    current = get(arn, "AWSCURRENT")
    if get(arn, "AWSPENDING", token):  # LOOK
        return
    password = sm.get_random_password(PasswordLength=32)["RandomPassword"]
    sm.put_secret_value(SecretId=arn, ClientRequestToken=token, VersionStages=["AWSPENDING"],
                        SecretString=json.dumps({**current, "password": password}))
    logger.info("made a password of %d letters for %s", len(password), current["username"])  # LOG


def set_(arn, token):
    pending = get(arn, "AWSPENDING", token)  # SET
    call(get(arn, "AWSCURRENT"), "PUT", "/users/" + pending["username"], {"password": pending["password"]})


def test(arn, token):
    call(get(arn, "AWSPENDING", token), "GET", "/whoami")  # TEST


def finish(arn, token):
    versions = sm.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    sm.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current)


def get(arn, stage, token=None):
    try:
        version = {"VersionId": token} if token else {}
        return json.loads(sm.get_secret_value(SecretId=arn, VersionStage=stage, **version)["SecretString"])
    except sm.exceptions.ResourceNotFoundException:
        return None


def call(secret, method, path, body=None):
    request = urllib.request.Request(secret["url"] + path, method=method, headers={"Authorization": secret["password"]})
    with urllib.request.urlopen(request, timeout=5) as answer:  # CALL
        return answer.read()


STEPS = {"createSecret": create, "setSecret": set_, "testSecret": test, "finishSecret": finish}  # STEPS
"#;

/// The right function with one line changed, and where that line is.
fn with(mark: &str, text: &str) -> (String, u32) {
    let line = GOOD.lines().position(|line| line.ends_with(mark)).expect("the mark");
    let indent = GOOD.lines().nth(line).map_or(0, |line| line.len() - line.trim_start().len());
    let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
    let lines_of_text: Vec<String> = text.lines().map(|line| format!("{}{line}", " ".repeat(indent))).collect();
    lines[line] = lines_of_text.join("\n");
    (lines.join("\n"), u32::try_from(line + 1).expect("a line"))
}

#[track_caller]
fn wrong(mark: &str, text: &str, check: CodeCheck, off: u32, words: &'static str) {
    let (text, line) = with(mark, text);
    let told = Told { check, is_error: false, line: line + off, words };
    one(&[("lambda_function.py", &text)], &facts(Some("python3.12")), &told);
}

#[track_caller]
fn fine(mark: &str, text: &str) {
    let (text, _) = with(mark, text);
    right(&[("lambda_function.py", &text)], &facts(Some("python3.12")));
}

/// Without it, right functions would be full of warnings, which people then learn to pass over.
#[test]
fn right_functions_are_free_of_warnings() {
    right(&[("lambda_function.py", GOOD)], &facts(None));
    let examples = [
        include_str!("../../../examples/quickstart/functions/signing_key/lambda_function.py"),
        include_str!("../../../examples/http-login/functions/password/lambda_function.py"),
        include_str!("../../../examples/vendor-key/functions/api_key/lambda_function.py"),
        include_str!("../../../examples/gitops/functions/webhook_key/lambda_function.py"),
        include_str!("../../../examples/fleet/functions/data_key/lambda_function.py"),
    ];
    for text in examples {
        let facts = Facts { environment: Environment::Unknown, ..facts(Some("python3.12")) };
        right(&[("lambda_function.py", text)], &facts);
    }
}

/// Without it, a password would stand in a log for all who may read logs there.
#[test]
fn values_in_logs_are_told() {
    let log = |text: &str| wrong("# LOG", text, CodeCheck::LogsSecret, 0, "a secret's value goes into the log");
    for text in [
        "print(password)",
        "print('made', password, flush=True)",
        "logger.info('made %s', password)",
        "logging.debug(f'made {password!r}')",
        "logger.info('made %s' % password)",
        "logger.info('made {}'.format(password))",
        "print(json.dumps({**current, 'password': password}))",
        "print(current)",
        "logger.warning('was %s', current['password'])",
        "logger.info('was %s', current.get('api_key'))",
        "logger.info(sm.get_secret_value(SecretId=arn))",
        "self.log.error('x', extra={'value': password})",
        "logging.getLogger(__name__).info(password)",
        "sys.stdout.write(password)",
        "print(get(arn, 'AWSPENDING', token))",
        "print(str(current))",
        "print(sm.get_random_password()['RandomPassword'])",
    ] {
        log(text);
    }
    let raised = "raise ValueError(f'{password} is too short')";
    wrong("# LOG", raised, CodeCheck::LogsSecret, 0, "an error whose words hold it");
    wrong("# LOG", "value = sm.get_secret_value(SecretId=arn)\nprint(value)", CodeCheck::LogsSecret, 1, "log");
    wrong("# LOG", "made = {}\nmade['x'] = password\nprint(made)", CodeCheck::LogsSecret, 2, "log");
    for text in [
        "print(len(password), password is None, bool(password))",
        "logger.info('made for %s', current['username'])",
        "logger.info('keys: %s', sorted(current))",
        "logger.info('password was made')",
        "print(event_id, token, arn)",
        "value = sm.get_secret_value(SecretId=arn)\nvalue = sm.describe_secret(SecretId=arn)\nprint(value)",
        "logger.info('version %s', sm.get_secret_value(SecretId=arn)['VersionId'])",
        "raise ValueError(f'{current[\"url\"]} takes no password of {len(password)} letters')",
        "print('password', '*' * len(password))",
    ] {
        fine("# LOG", text);
    }
}

/// Without it, a failed step would count as done, and a value that doesn't work become the current one.
#[test]
fn hidden_errors_are_told() {
    let hides = |mark, text, off| wrong(mark, text, CodeCheck::HidesErrors, off, "as if it had worked");
    hides(
        "# DISPATCH",
        "try:\n    STEPS[step](arn, token)\nexcept Exception as error:\n    logger.error(error)\n    return",
        2,
    );
    hides("# DISPATCH", "try:\n    STEPS[step](arn, token)\nexcept:\n    return {'statusCode': 500}", 2);
    hides("# TEST", "try:\n    call(get(arn, 'AWSPENDING', token), 'GET', '/whoami')\nexcept Exception:\n    pass", 2);
    hides(
        "# TEST",
        "try:\n    call(get(arn, 'AWSPENDING', token), 'GET', '/')\nexcept (ValueError, Exception):\n    logger.warning('no')",
        2,
    );
    hides(
        "# CALL",
        "try:\n    urllib.request.urlopen(request, timeout=5)\nexcept Exception:\n    return {'id': None}\nif True:",
        2,
    );
    hides(
        "# CALL",
        "try:\n    return urllib.request.urlopen(request, timeout=5)\nexcept BaseException:\n    return None\nif True:",
        2,
    );
    for (mark, text) in [
        (
            "# DISPATCH",
            "try:\n    STEPS[step](arn, token)\nexcept Exception:\n    logger.exception('failed')\n    raise",
        ),
        (
            "# DISPATCH",
            "try:\n    STEPS[step](arn, token)\nexcept Exception as error:\n    raise RuntimeError('failed') from error",
        ),
        ("# TEST", "try:\n    call(get(arn, 'AWSPENDING', token), 'GET', '/whoami')\nexcept ValueError:\n    pass"),
        (
            "# TEST",
            "try:\n    call(get(arn, 'AWSPENDING', token), 'GET', '/')\nexcept Exception:\n    call(get(arn, 'AWSPENDING', token), 'GET', '/v2')",
        ),
        (
            "# TEST",
            "session = call(get(arn, 'AWSPENDING', token), 'GET', '/')\ntry:\n    session.close()\nexcept Exception:\n    pass",
        ),
        (
            "# SET",
            "pending = get(arn, 'AWSPENDING', token)\ntry:\n    call(pending, 'GET', '/whoami')\nexcept Exception:\n    pass",
        ),
        (
            "# CALL",
            "try:\n    int(path)\nexcept Exception:\n    path = {}\nwith urllib.request.urlopen(request, timeout=5) as answer:",
        ),
    ] {
        fine(mark, text);
    }
    // A question that is answered with no isn't hidden.
    let asks = "def works(secret):\n    try:\n        call(secret, 'GET', '/')\n        return True\n    except Exception:\n        return False\n";
    let text = format!(
        "{asks}\n{}",
        GOOD.replace(
            "    call(get(arn, \"AWSPENDING\", token), \"GET\", \"/whoami\")  # TEST",
            "    if not works(get(arn, \"AWSPENDING\", token)):\n        raise ValueError('no')"
        )
    );
    right(&[("lambda_function.py", &text)], &facts(None));
}

/// Without it, a service that hangs would end a step in its middle.
#[test]
fn requests_without_a_limit_are_told() {
    let waits = |text, off| wrong("# CALL", text, CodeCheck::Waits, off, "no `timeout`");
    waits("with urllib.request.urlopen(request) as answer:", 0);
    waits(
        "try:\n    import requests\nexcept ImportError:\n    requests = None\nwith requests.post(path, json=body) as answer:",
        4,
    );
    for text in [
        "with urllib.request.urlopen(request, None, 5) as answer:",
        "with urllib.request.urlopen(request, **OPTIONS) as answer:",
        "try:\n    import requests\nexcept ImportError:\n    requests = None\nwith requests.get(path, timeout=5) as answer:",
        "import socket\nsocket.setdefaulttimeout(5)\nwith urllib.request.urlopen(request) as answer:",
        "with session.get(path) as answer:",
    ] {
        fine("# CALL", text);
    }
}

/// Without it, nothing would try a new value before all use it.
#[test]
fn steps_that_do_nothing_are_told() {
    let line = |text: &str| GOOD.lines().position(|line| line.starts_with(text)).expect("a line");
    let test = u32::try_from(line("def test(")).expect("a line") + 1;
    for text in ["pass", "\"\"\"Later.\"\"\"", "return", "...", "logger.info('tested')", "return True"] {
        let (idle, _) = with("# TEST", text);
        let told = Told { check: CodeCheck::Step, is_error: false, line: test, words: "testSecret does nothing" };
        one(&[("lambda_function.py", &idle)], &facts(None), &told);
    }
    let both = GOOD.replace("    call(get(arn, \"AWSPENDING\", token), \"GET\", \"/whoami\")  # TEST", "    pass");
    let from = both.find("    pending = get(").expect("set");
    let to = both.find("\n\n\ndef test(").expect("its end");
    let both = format!("{}    pass{}", &both[..from], &both[to..]);
    let told = found(&[("lambda_function.py", &both)], &facts(None));
    assert!(matches!(&told[..], [one] if one.summary.starts_with("setSecret and testSecret do nothing")), "{told:?}");
    let (raises, line) = with("# TEST", "raise NotImplementedError");
    let told = Told { check: CodeCheck::Step, is_error: true, line, words: "isn't written yet" };
    one(&[("lambda_function.py", &raises)], &facts(None), &told);
    let chain = "if step == 'createSecret':\n    create(arn, token)\nelif step == 'setSecret':\n    set_(arn, token)\nelif step == 'testSecret':\n    pass\nelse:\n    finish(arn, token)";
    let (chained, line) = with("# DISPATCH", chain);
    let chained = chained.replace("\"testSecret\": test, ", "");
    let told = Told { check: CodeCheck::Step, is_error: false, line: line + 4, words: "testSecret does nothing" };
    one(&[("lambda_function.py", &chained)], &facts(None), &told);
    let matched = "match step:\n    case 'createSecret':\n        create(arn, token)\n    case 'testSecret':\n        test(arn, token)\n    case _:\n        pass";
    fine("# DISPATCH", matched);
    let without = GOOD.replace("\"testSecret\": test, ", "");
    let line = without.lines().position(|line| line.starts_with("def finish(")).expect("a line");
    let line = u32::try_from(line + 1).expect("a line");
    let told = Told { check: CodeCheck::Step, is_error: false, line, words: "nothing here is done for testSecret" };
    one(&[("lambda_function.py", &without)], &facts(None), &told);
}

/// Without it, a rotation would end with a value that was never set or tried, or not end at all.
#[test]
fn steps_that_do_something_else_are_told() {
    let step = |mark, text, off, words| wrong(mark, text, CodeCheck::Step, off, words);
    step("# TEST", "call(get(arn, 'AWSCURRENT'), 'GET', '/whoami')", 0, "tries the current value");
    step(
        "# SET",
        "value = get(arn, 'AWSCURRENT')\nreturn call(value, 'PUT', '/x')",
        0,
        "setSecret looks at the current value alone",
    );
    fine("# TEST", "call(get(arn, 'AWSCURRENT'), 'GET', '/')\ncall(get(arn, 'AWSPENDING', token), 'GET', '/whoami')");
    fine("# TEST", "check(arn, 'AWSCURRENT')");
    let moves = "sm.update_secret_version_stage(SecretId=arn, VersionStage=\"AWSCURRENT\", MoveToVersionId=token, RemoveFromVersionId=current)";
    assert!(GOOD.contains(moves));
    let told = |text: &str, words: &str| {
        let all = found(&[("lambda_function.py", text)], &facts(None));
        assert!(matches!(&all[..], [one] if one.check == CodeCheck::Step && one.summary.contains(words)), "{all:?}");
    };
    told(&GOOD.replace(", RemoveFromVersionId=current", ""), "without `RemoveFromVersionId`");
    told(&GOOD.replace(moves, "logger.info('moved %s', current)"), "never moves AWSCURRENT");
    right(
        &[("lambda_function.py", &GOOD.replace(moves, "sm.update_secret_version_stage(**{'SecretId': arn})"))],
        &facts(None),
    );
    right(&[("lambda_function.py", &GOOD.replace(moves, "mover.promote(arn, token)"))], &facts(None));
}

/// Without it, a second call of createSecret would lose what the service was told after the first.
#[test]
fn a_create_that_cant_be_called_again_is_told() {
    let again = |text: &str, words| {
        let put = "    sm.put_secret_value(SecretId=arn, ClientRequestToken=token, VersionStages=[\"AWSPENDING\"],";
        assert!(GOOD.contains(put));
        let line = text.lines().position(|line| line.contains("put_secret_value(")).expect("the put");
        let line = u32::try_from(line + 1).expect("a line");
        let told = Told { check: CodeCheck::NotRepeatable, is_error: false, line, words };
        one(&[("lambda_function.py", text)], &facts(None), &told);
    };
    let (blind, _) = with("# LOOK", "if False:");
    again(&blind, "each time it is called");
    again(&GOOD.replace("ClientRequestToken=token, VersionStages", "VersionStages"), "without `ClientRequestToken`");
    again(&GOOD.replace("VersionStages=[\"AWSPENDING\"],", ""), "current at once");
    fine("# LOOK", "if sm.get_secret_value(SecretId=arn, VersionId=token):");
    fine("# LOOK", "if pending_value(arn, token):");
    fine("# LOOK", "if is_done(arn, token):");
    let (text, _) = with("# LOOK", "if get(arn, PENDING, token):");
    right(&[("lambda_function.py", &format!("PENDING = \"AWSPENDING\"\n{text}"))], &facts(None));
    let wrapped = GOOD.replace(
        "    sm.put_secret_value(SecretId=arn, ClientRequestToken=token, VersionStages=[\"AWSPENDING\"],",
        "    put(**{'a': 1},",
    );
    right(&[("lambda_function.py", &wrapped)], &facts(None));
}
