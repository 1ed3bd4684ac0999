//! Several targets of one apply: side by side, each by itself; or in the manifests' order, as long as all is well.

use super::support::{Output, World, output, prepare_runtime, rotator_binary, scrubbed, signing_key};

/// Three targets with one secret each, in regions of one account. Each has code of its own.
const MANIFEST: &str = "version: 1
project: targets
targets: {a: {region: us-east-1}, b: {region: eu-west-1}, c: {region: eu-central-1}}
functions: {SecretsManagerTargets: {code: \"code/${target}\", timeout: 30}}
secrets: {app/key: {function: SecretsManagerTargets, rotation: {automatically_after_days: 30}}}
";

/// A folder with the manifest, and right code for each target, which takes its time.
fn folder() -> tempfile::TempDir {
    prepare_runtime();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rotator.yaml"), MANIFEST).expect("written");
    for target in ["a", "b", "c"] {
        code(&folder, target, &slow());
    }
    folder
}

fn slow() -> String {
    let handler = "def lambda_handler(event, context):\n";
    signing_key().replacen(handler, &format!("{handler}    __import__('time').sleep(1)\n"), 1)
}

fn code(folder: &tempfile::TempDir, target: &str, text: &str) {
    let path = folder.path().join("code").join(target);
    std::fs::create_dir_all(&path).expect("a folder");
    std::fs::write(path.join("lambda_function.py"), text).expect("written");
}

const BROKEN: &str = "def lambda_handler(event, context):\n    raise RuntimeError('no')\n";

fn rotator(folder: &tempfile::TempDir, arguments: &[&str]) -> Output {
    let mut command = scrubbed(rotator_binary());
    output(command.current_dir(folder.path()).args(arguments))
}

const APPLY: [&str; 4] = ["apply", "--sandbox", "--auto-approve", "--all-targets"];

/// Where a line stands that begins so and holds this.
fn at(output: &Output, begins: &str, holds: &str) -> usize {
    let found = output.stderr.lines().position(|line| line.starts_with(begins) && line.contains(holds));
    found.unwrap_or_else(|| panic!("no line `{begins}…{holds}`: {}", output.all()))
}

/// Without it, a fleet of targets would take as long as all of them together; or nobody could tell which of them a line is about.
#[test]
fn targets_are_applied_side_by_side_and_each_ends_for_itself() {
    let folder = folder();
    code(&folder, "b", BROKEN);
    let ended = rotator(&folder, &[&APPLY[..], &["--verbose"]].concat()).exits(4);
    // All have begun before the first has ended: each of its four steps takes a second.
    let rotates = "secret.app/key: watching the rotation";
    let begun: Vec<usize> =
        ["a/", "b/", "c/"].iter().map(|target| at(&ended, target, &format!("{rotates}..."))).collect();
    let first = at(&ended, "a/", "rotation finished").min(at(&ended, "c/", "rotation finished"));
    assert!(begun.iter().all(|line| *line < first), "{}", ended.all());
    let reports: Vec<&str> = ended.stdout.split("\nTarget ").skip(1).collect();
    assert_eq!(reports.len(), 3, "{}", ended.all());
    for report in &reports {
        let is_b = report.starts_with("b: ");
        assert_eq!(report.contains("\nnot finished: "), is_b, "each report is whole, and its own: {report}");
        assert_eq!(report.contains("Apply complete!"), !is_b, "{report}");
    }
    code(&folder, "b", &slow());
    rotator(&folder, &APPLY).exits(0).says("Target b: ").keeps_silent_about("Target a: ");
    rotator(&folder, &["plan", "--sandbox", "--detailed-exitcode"]).exits(0);
    let destroyed =
        rotator(&folder, &["destroy", "--sandbox", "--auto-approve", "--all-targets", "--in-order"]).exits(0);
    assert!(at(&destroyed, "a/function", "done") < at(&destroyed, "b/secret", "done"), "{}", destroyed.all());
}

/// Without it, what breaks the first region would break them all.
#[test]
fn in_order_stops_at_the_first_that_is_not_well() {
    let folder = folder();
    code(&folder, "b", BROKEN);
    let in_order = [&APPLY[..], &["--in-order"]].concat();
    let ended = rotator(&folder, &in_order).exits(4).says("Not begun, since b isn't well: c");
    assert!(at(&ended, "a/", "rotation finished") < at(&ended, "b/function", "stack"), "{}", ended.all());
    assert!(!ended.stderr.contains("c/") && !ended.stdout.contains("Target c: "), "{}", ended.all());
    // What was begun in b is stuck, and stops it as well.
    let json = rotator(&folder, &[&in_order[..], &["--json"]].concat()).exits(4);
    let lines: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let left = lines.iter().find_map(|line| line.pointer("/rotator/not_begun")).expect("what wasn't begun");
    assert_eq!(left, &serde_json::json!(["c"]));
    let applied = |line: &&serde_json::Value| line.pointer("/changes/operation") == Some(&"apply".into());
    let of: Vec<&serde_json::Value> =
        lines.iter().filter(applied).filter_map(|line| line.pointer("/rotator/target")).collect();
    assert_eq!(of, ["b"], "{}", json.all());
    code(&folder, "b", &slow());
    let ended = rotator(&folder, &in_order).exits(0);
    assert!(at(&ended, "b/", "rotation finished") < at(&ended, "c/function", "stack"), "{}", ended.all());
}

/// Without it, a leaked secret of a fleet would be replaced target by target by hand; or a run over several of them would rotate twice
/// what it has rotated.
#[test]
fn secrets_of_several_targets_get_other_values_each_once() {
    let folder = folder();
    rotator(&folder, &APPLY).exits(0);
    let rotate = ["rotate", "--sandbox", "--auto-approve"];
    rotator(&folder, &rotate).exits(1).says("there are 3 targets").says("--all-targets");
    let all = [&rotate[..], &["--all-targets"]].concat();
    let ended = rotator(&folder, &all).exits(0);
    assert_eq!(ended.stdout.matches("Rotate complete! 1 rotated.").count(), 3, "{}", ended.all());
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("Run ")).count(), 1, "{}", ended.all());
    let id = |said: &Output| said.stdout.lines().find_map(|line| line.strip_prefix("Run ").map(str::to_owned));
    let first = id(&ended).expect("an id");
    let said = rotator(&folder, &[&all[..], &["--resume", &first]].concat()).exits(0);
    assert_eq!(said.stdout.matches("this run has rotated it already").count(), 3, "{}", said.all());
    assert!(!said.stdout.contains("complete"), "{}", said.all());
}

/// Without it, a program of a pipeline would read members that the published schema doesn't name.
#[test]
fn the_list_of_targets_is_what_its_schema_says() {
    let folder = folder();
    let committed = std::fs::read_to_string("schema/targets.schema.json").expect("the schema is committed");
    let printed = rotator(&folder, &["schema", "targets"]).exits(0).stdout;
    assert_eq!(committed, printed, "rotator schema targets > schema/targets.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let one = "version: 1\nproject: one\nfunctions: {f: {existing: f}}\nsecrets: {s: {function: f}}\n";
    for (manifest, names) in [(MANIFEST, serde_json::json!(["a", "b", "c"])), (one, serde_json::json!([null]))] {
        std::fs::write(folder.path().join("rotator.yaml"), manifest).expect("written");
        let json = rotator(&folder, &["targets", "--format", "json"]).exits(0).stdout;
        let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&list).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let found: Vec<&serde_json::Value> =
            list["targets"].as_array().expect("targets").iter().map(|target| &target["name"]).collect();
        assert_eq!(serde_json::json!(found), names);
    }
    assert!(!validator.is_valid(&serde_json::json!({"format_version": "1.0", "targets": [{"name": 1}]})));
}

/// Without it, a region behind one that nobody could even look at would be changed in spite of the order.
#[test]
fn in_order_nothing_begins_behind_a_target_that_is_refused_or_unread() {
    let world = World::new();
    prepare_runtime();
    for target in ["a", "b", "c"] {
        world.write(&format!("code/{target}/lambda_function.py"), &signing_key());
    }
    let unread = MANIFEST.replace("b: {region", "b: {account: \"999999999999\", region");
    world.write("rotator.yaml", &unread);
    world.create_secret("app/key", "first");
    let secret = ["secretsmanager", "create-secret", "--name", "app/key", "--secret-string", "first", "--region"];
    world.aws(&[&secret[..], &["eu-central-1"]].concat());
    let in_order = ["apply", "--auto-approve", "--all-targets", "--in-order"];
    let ended = world.rotator(&in_order).exits(1).says("target b: ").says("Not begun: c").says("Target a: ");
    assert!(!ended.stdout.contains("Target c: "), "{}", ended.all());
    // One whose plan has an error stops the rest too: its secret is missing.
    world.write("rotator.yaml", MANIFEST);
    let ended = world.rotator(&in_order).exits(1).says("Not begun");
    assert!(!ended.stdout.contains("Target c: "), "{}", ended.all());
    world.aws(&[&secret[..], &["eu-west-1"]].concat());
    world.rotator(&in_order).exits(0).says("Target b: ").says("Target c: ");
}

/// Without it, Ctrl-C would leave targets in the middle of what they do, or begin others.
#[test]
fn an_interrupt_ends_all_targets_in_order() {
    let world = World::new();
    prepare_runtime();
    for target in ["a", "b", "c"] {
        world.write(&format!("code/{target}/lambda_function.py"), &slow());
    }
    world.write("rotator.yaml", MANIFEST);
    for region in ["us-east-1", "eu-west-1", "eu-central-1"] {
        let secret = ["secretsmanager", "create-secret", "--name", "app/key", "--secret-string", "first", "--region"];
        world.aws(&[&secret[..], &[region]].concat());
    }
    let mut command = world.program(rotator_binary());
    let out = std::fs::File::create(world.path("out")).expect("a file");
    let err = std::fs::File::create(world.path("err")).expect("a file");
    command.args(["apply", "--auto-approve", "--all-targets", "--parallelism", "2"]).stdout(out).stderr(err);
    let mut child = command.spawn().expect("rotator starts");
    world.wait_for_calls("ExecuteChangeSet", 2);
    output(scrubbed("kill").args(["-TERM", &child.id().to_string()])).exits(0);
    let code = child.wait().expect("it ends").code();
    let read = |name: &str| std::fs::read_to_string(world.path(name)).expect("a file");
    let (stdout, stderr) = (read("out"), read("err"));
    assert_eq!(code, Some(130), "{stdout}{stderr}");
    assert_eq!(stdout.matches("interrupted:").count(), 2, "{stdout}{stderr}");
    assert!(stderr.contains("Not begun: c"), "{stderr}");
    world.rotator(&["apply", "--auto-approve", "--all-targets"]).exits(0);
    world.rotator(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
}
