//! What of a folder of code reaches AWS, and how that is said.

use std::fs;

use super::support::{World, zip_of};

const MANIFEST: &str = "version: 1
project: packages
functions:
  f: {code: code}
secrets: {}
";

/// A folder of code as it stands on a laptop.
fn laptop() -> World {
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    for (name, text) in [
        (".env", "API_KEY=private\n"),
        (".DS_Store", "x"),
        (".aws-sam/build.toml", "x"),
        (".coverage", "x"),
        (".gitattributes", "x"),
        (".gitignore", "x"),
        (".hg/store", "x"),
        (".idea/workspace.xml", "x"),
        (".svn/entries", "x"),
        (".venv/pyvenv.cfg", "x"),
        (".venv/lib/dep.py", "x"),
        (".mypy_cache/a.json", "x"),
        ("Thumbs.db", "x"),
        ("foo.egg-info/PKG-INFO", "x"),
        ("lambda_function.py.swp", "x"),
        ("node_modules/.package-lock.json", "{}"),
        ("requirements.txt", "requests==2.32.3\n"),
        ("test_lambda.py", "pass\n"),
    ] {
        world.write(&format!("code/{name}"), text);
    }
    world.write("rotator.yaml", MANIFEST);
    world
}

/// The names in the package that AWS has.
fn deployed(world: &World) -> Vec<String> {
    let function = world.aws(&["lambda", "get-function", "--function-name", "f"]);
    let url = function["Code"]["Location"].as_str().expect("a place").to_owned();
    let script = "import io, sys, urllib.request, zipfile
print('\\n'.join(sorted(zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(sys.argv[1]).read())).namelist())))";
    let output = super::support::output(world.program("python3").args(["-c", script, &url])).exits(0);
    output.stdout.lines().map(str::to_owned).collect()
}

/// Without it, a `.env` would reach AWS unseen, and each of two machines would undo what the other deployed.
#[test]
fn what_a_laptop_has_beside_the_code_stays_there_and_is_said() {
    let world = laptop();
    let said = "left out of the package: `.env` (credentials, by name or content)";
    let plan = world.rotator(&["plan"]).exits(0).says(said).says("`.venv/` (virtual environment)");
    plan.says("`include` of the `code` brings one back");
    world.rotator(&["plan", "--format", "json"]).exits(0).says(said);
    world.rotator(&["plan", "--format", "markdown"]).exits(0).says("left out of the package").says(".mypy_cache/");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says(said);
    assert_eq!(deployed(&world), ["lambda_function.py", "requirements.txt", "test_lambda.py"]);
    // Once it is said, it is known.
    let again = ["plan", "--detailed-exitcode"];
    world.rotator(&again).exits(0).says("No changes.").keeps_silent_about("left out");
    // A pipeline has none of it.
    for folder in [".aws-sam", ".hg", ".idea", ".svn", ".venv", ".mypy_cache", "foo.egg-info", "node_modules"] {
        fs::remove_dir_all(world.path("code").join(folder)).expect("removed");
    }
    for file in [".env", ".DS_Store", ".coverage", "Thumbs.db", "lambda_function.py.swp", ".gitignore"] {
        fs::remove_file(world.path("code").join(file)).expect("removed");
    }
    world.rotator(&again).exits(0).says("No changes.");
}

/// Without it, a function that needs such a file would have none, or people would get one that they never saw in a plan.
#[test]
fn what_the_manifest_brings_back_is_deployed_and_said() {
    let world = laptop();
    let code = "{path: code, exclude: [\"test_*\", requirements.txt], include: [.env]}";
    world.write("rotator.yaml", &MANIFEST.replace("code: code", &format!("code: {code}")));
    let output = world.rotator(&["apply", "--auto-approve"]).exits(0);
    let output = output.says("function.f: the package holds `.env` (credentials, by name or content)");
    output.says("`requirements.txt`, `test_lambda.py` (excluded)");
    assert_eq!(deployed(&world), [".env", "lambda_function.py"]);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.").keeps_silent_about("credentials");
    world.rotator(&["explain", "function.f"]).exits(0).says("code.include").says("code.exclude");
    // What only the lists change is a change of the code.
    world.write("rotator.yaml", &MANIFEST.replace("code: code", "code: {path: code, exclude: [\"test_*\"]}"));
    world
        .rotator(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("code.files..env")
        .says("code.files.requirements.txt");
}

/// Without it, an archive that was built with a `.env` in it would be uploaded without a word.
#[test]
fn credentials_in_an_archive_are_said() {
    let world = World::new();
    let code = super::support::signing_key();
    let zip = zip_of(&[("lambda_function.py", &code), ("conf/.env", "x"), ("__pycache__/a.pyc", "x")]);
    fs::write(world.path("code.zip"), zip).expect("written");
    world.write("rotator.yaml", &MANIFEST.replace("code: code", "code: code.zip"));
    world.rotator(&["validate", "--strict"]).exits(0).says("note: function.f: the package holds `conf/.env`");
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("warning:").says("the package holds `conf/.env`");
    assert_eq!(deployed(&world), ["__pycache__/a.pyc", "conf/.env", "lambda_function.py"]);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}

/// Without it, a helper that a function starts would stay without the right to be executed, and the plan empty.
#[test]
#[cfg(unix)]
fn a_file_that_can_be_executed_now_is_a_change_and_the_other_way_round_a_note() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.write_signing_key("code/lambda_function.py");
    world.write("code/bin/pg_tool", "#!/bin/sh\necho hello\n");
    world.write("rotator.yaml", MANIFEST);
    let tool = world.path("code/bin/pg_tool");
    let mode = |mode| fs::set_permissions(&tool, fs::Permissions::from_mode(mode)).expect("a mode");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    let plan = ["plan", "--detailed-exitcode"];
    world.rotator(&plan).exits(0).says("No changes.");
    mode(0o755);
    world.rotator(&plan).exits(2).says("code.files.bin/pg_tool").says(", executable");
    world.rotator(&["apply", "--auto-approve"]).exits(0);
    world.rotator(&plan).exits(0).says("No changes.").keeps_silent_about("executed");
    mode(0o644);
    let note = "can be executed on AWS and not here, which alone replaces no code: bin/pg_tool";
    world.rotator(&plan).exits(0).says("No changes.").says(note);
    // As the note says.
    mode(0o755);
    world.rotator(&plan).exits(0).says("No changes.").keeps_silent_about("executed");
}

/// Without it, the only copy of code that works could be gone once other code is there, and the way back be a command that fails; or a
/// reviewer approve code that nobody has shown.
#[test]
fn live_code_is_shown_and_kept_before_it_is_replaced_and_comes_back() {
    let manifest =
        MANIFEST.replace("secrets: {}", "secrets: {one: {function: f, rotation: {automatically_after_days: 30}}}");
    let world = World::with_signing_key("one", &manifest);
    world.rotator(&["apply", "--auto-approve"]).exits(0).keeps_silent_about("kept:");
    let live = || {
        let function = world.aws(&["lambda", "get-function-configuration", "--function-name", "f"]);
        function["CodeSha256"].as_str().expect("a hash").to_owned()
    };
    let old = live();
    let code = fs::read_to_string(world.path("code/lambda_function.py")).expect("code");
    world.write("code/lambda_function.py", &format!("# Another first line.\n{code}"));
    world.write("code/.env", "KEY=hunter2\n");
    let plan = world.rotator(&["plan", "--show-code"]).exits(0);
    let plan = plan.says("Code of function.f:").says("+++ new/lambda_function.py").says("+# Another first line.");
    plan.says("its old code is kept first, as a version of the function").keeps_silent_about("hunter2");
    world
        .rotator(&["plan", "--show-code", "--format", "markdown"])
        .exits(0)
        .says("```diff")
        .says("+# Another first line.");
    world.rotator(&["plan", "--show-code", "--format", "json"]).exits(1).says("leave out `--format json`");
    let applied = world.rotator(&["apply", "--auto-approve"]).exits(0);
    let applied = applied.says("kept: function.f: its old code is version 1 of the function");
    // The command that is printed, and what it says to write.
    let command =
        applied.stdout.lines().chain(applied.stderr.lines()).find(|line| line.contains("curl")).expect("a command");
    let path = format!("{}:{}", super::support::venv().join("bin").display(), std::env::var("PATH").expect("a path"));
    super::support::output(world.program("bash").env("PATH", path).args(["-euc", command.trim()])).exits(0);
    world.write("rotator.yaml", &manifest.replace("code: code", "code: old.zip"));
    assert_ne!(live(), old);
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("version 2 of the function");
    assert_eq!(live(), old, "the old code is back");
    // What is kept already isn't kept again; and where it can't be kept, that is said.
    world.write("rotator.yaml", &manifest);
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("version 1 of the function");
    world.write("code/lambda_function.py", &format!("# A third first line.\n{code}"));
    world.fault(r#"{"service": "lambda", "operation": "PublishVersion", "times": 1, "error": {"code": "AccessDeniedException", "status": 403, "message": "User: arn:aws:iam::123456789012:user/a is not authorized to perform: lambda:PublishVersion on resource: f"}}"#);
    // The second version has this code: nothing is published.
    world.rotator(&["apply", "--auto-approve"]).exits(0).says("version 2 of the function");
    world.write("code/lambda_function.py", &code);
    let denied = world.rotator(&["apply", "--auto-approve"]).exits(0).keeps_silent_about("kept:");
    denied.says("the old code isn't kept as a version of the function, and is replaced all the same: `lambda:PublishVersion` isn't allowed");
}
