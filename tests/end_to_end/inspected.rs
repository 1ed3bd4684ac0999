//! A function's code, checked before it is uploaded: what `validate` and plans say of it, and that nothing of it is run.

use super::acknowledged::acknowledge;
use super::support::{World, signing_key, zip_of};

const MANIFEST: &str = "version: 1
project: inspected
functions: {F: {code: code, timeout: 20}}
secrets: {app/one: {function: F, rotation: {automatically_after_days: 30}}}
";

fn world(manifest: &str, code: &str) -> World {
    let world = World::new();
    world.create_secret("app/one", "first");
    world.write("rotator.yaml", manifest);
    world.write("code/lambda_function.py", code);
    world
}

/// Without it, code that Python can't read would be uploaded, and the first rotation say so.
#[test]
fn code_that_surely_fails_is_shown_at_its_line_and_not_uploaded() {
    let code = signing_key().replace("def set_secret(secret, token):", "def set_secret(secret, token)");
    let world = world(MANIFEST, &code);
    let line = 1 + code.lines().position(|line| line == "def set_secret(secret, token)").expect("a line");
    world
        .rotator(&["validate"])
        .exits(1)
        .says("error[code-syntax]: function `F`: `lambda_function.py` can't be read by Python: expected `:`")
        .says(&format!("code/lambda_function.py:{line}:"))
        .says("def set_secret(secret, token)\n");
    world
        .rotator(&["validate", "--format", "github"])
        .exits(1)
        .says(&format!("file=code/lambda_function.py,line={line}"));
    world.rotator(&["plan"]).exits(1).says(&format!("lambda_function.py:{line}:")).says("expected `:`");
    world.rotator(&["apply", "--auto-approve"]).exits(1);
    assert!(!world.calls().iter().any(|call| call.contains("UpdateFunctionCode")), "nothing was uploaded");
    world.write("code/lambda_function.py", &signing_key());
    world.rotator(&["validate"]).exits(0);
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    // What is on AWS already is only warned of.
    let newer = format!("{}\nKEY = os.environ['NOWHERE']\n", signing_key());
    world.write("code/lambda_function.py", &newer);
    world.rotator(&["validate"]).exits(0).says("warning[code-environment]").says("`NOWHERE`");
    world.rotator(&["plan"]).exits(1).says("the function has no such variable").says("`NOWHERE: VALUE`");
    world.write("rotator.yaml", &MANIFEST.replace("timeout: 20", "timeout: 20, environment: {NOWHERE: here}"));
    world.rotator(&["plan"]).exits(0).keeps_silent_about("NOWHERE`");
}

/// Without it, checks would judge a function by a Python that it doesn't run.
#[test]
fn a_plan_goes_by_the_runtime_that_the_function_has() {
    let world = world(&MANIFEST.replace("timeout: 20", "timeout: 20, runtime: python3.12"), &signing_key());
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.write("rotator.yaml", MANIFEST);
    let newer = format!("{}\nclass Box[T = int]: pass\n", signing_key());
    world.write("code/lambda_function.py", &newer);
    world.rotator(&["validate"]).exits(0);
    world.rotator(&["plan"]).exits(1).says("needs another Python").says("Python 3.12").says("newer `runtime`");
    world.write("rotator.yaml", &MANIFEST.replace("timeout: 20", "timeout: 20, runtime: python3.13"));
    world.rotator(&["plan"]).exits(0).keeps_silent_about("needs another Python");
}

/// Without it, a warning would have to be mended or be read for ever; and who reads code would run it.
#[test]
fn likely_faults_are_warnings_that_can_be_acknowledged() {
    let logs = signing_key()
        .replace("    client.put_secret_value(", "    print(\"made\", made)\n    client.put_secret_value(");
    let planted = format!("{logs}\nopen('ran', 'w').close()\n");
    let world = world(MANIFEST, &planted);
    let said = "a secret's value goes into the log";
    world.rotator(&["validate"]).exits(0).says("warning[code-logs-secret]").says(said).says("print(\"made\", made)");
    world.rotator(&["validate", "--strict"]).exits(1);
    world.rotator(&["plan"]).exits(0).says(said);
    let until = (chrono::Utc::now().date_naive() + chrono::Days::new(30)).to_string();
    world.write("rotator.yaml", &format!("{MANIFEST}{}", acknowledge("code-logs-secret", "function.F", &until)));
    world.rotator(&["validate", "--strict"]).exits(0).keeps_silent_about(said);
    world.rotator(&["plan"]).exits(0).keeps_silent_about(said).says("1 warning acknowledged until");
    assert!(!world.path("ran").exists() && !world.path("code/ran").exists(), "nothing of it is run");
}

/// Without it, the commonest slips of packing would be met on Lambda.
#[test]
fn archives_and_requirements_are_judged_as_they_are_uploaded() {
    let world = world(
        &MANIFEST.replace("code: code", "code: code.zip, handler: lambda_function.lambda_handler"),
        &signing_key(),
    );
    let deep = zip_of(&[("rotate/lambda_function.py", &signing_key())]);
    std::fs::write(world.path("code.zip"), deep).expect("a zip");
    let hint = "(cd rotate && zip -r ../package.zip .)";
    world.rotator(&["validate"]).exits(1).says("in the folder `rotate`").says(hint).says("rotator.yaml:3");
    world.rotator(&["plan"]).exits(1).says(hint).keeps_silent_about("lacks the file of the handler");
    let wrong = zip_of(&[("lambda_function.py", "def lambda_handler(event): pass\n")]);
    std::fs::write(world.path("code.zip"), wrong).expect("a zip");
    world.rotator(&["validate"]).exits(1).says("lambda_function.py:1:5: the handler `lambda_handler` takes 1 argument");
    // Who installs requirements after checking isn't stopped by the check, but by the plan.
    world.write("rotator.yaml", MANIFEST);
    world.write("code/lambda_function.py", &format!("import pg8000.native\n{}", signing_key()));
    world.rotator(&["validate"]).exits(1).says("error[code-import]").says("pip install --target");
    world.write("requirements.txt", "pg8000==1.31.2\n");
    world.rotator(&["validate"]).exits(0).says("warning[code-import]").says("isn't installed into the package yet");
    world.rotator(&["plan"]).exits(1).says("`pg8000` is neither in the package nor in Lambda's runtime");
}
