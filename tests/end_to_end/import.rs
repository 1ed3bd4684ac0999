//! An account is taken over: what `rotator import` writes is what AWS has, and its plan is empty without an edit.

use serde_json::Value;

use super::support::{Output, World, output, repository, venv};

/// An account with secrets of many kinds in two regions; `rotating` with each of two functions.
fn account(rotating: &str) -> World {
    let world = World::new();
    let script = repository().join("tests/peers/account.py");
    let python = venv().join("bin/python");
    let mut command = world.program(python.to_str().expect("a path of ours"));
    output(command.arg("-B").arg(script).args([&world.url, rotating])).exits(0);
    world
}

fn json(run: &Output) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.all()))
}

/// Why each secret of a target was left out, by name.
fn left_out(report: &Value, target: usize) -> Vec<(String, String)> {
    let left = report["targets"][target]["left_out"].as_array().expect("a list").iter();
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    left.map(|one| (text(one, "name"), text(one, "reason"))).collect()
}

/// All files below a folder, with their texts.
fn files(world: &World, folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).expect("UTF-8");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&world.path(folder), &mut found);
    found.sort();
    found
}

/// Without it, a team with hundreds of secrets would type them, or be given a manifest that plans changes.
#[test]
fn an_account_of_two_regions_becomes_a_manifest_with_an_empty_plan() {
    let world = account("4");
    let before = world.tool_calls().len();
    let run = world.rotator(&["import", "--regions", "us-east-1,eu-west-1", "--format", "json", "fleet"]).exits(0);
    let report = json(&run);
    let calls = world.tool_calls().split_off(before);
    let of = |name: &str| calls.iter().filter(|call| call.ends_with(name)).count();
    assert_eq!((of("DescribeSecret"), of("GetPolicy"), of("DescribeStacks")), (0, 0, 2), "{calls:?}");
    let expected = [
        ("events!connection/one", "service"),
        ("gone/key", "function-gone"),
        ("others/key", "other-project"),
        ("partner/token", "partner"),
        ("plain/deleted", "scheduled-for-deletion"),
        ("plain/never", "never"),
        ("plain/off", "off"),
        ("replicated/key", "never"),
    ];
    let own = |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    assert_eq!(left_out(&report, 0), own(&expected), "{report:#}");
    assert!(left_out(&report, 1).contains(&("replicated/key".to_owned(), "replica".to_owned())), "{report:#}");
    let written = files(&world, "fleet");
    assert!(written.iter().all(|(_, text)| !text.contains("never-to-be-shown") && !text.contains("planted")));
    let root = &written.iter().find(|(path, _)| path.ends_with("rotator.yaml")).expect("a root").1;
    for line in [
        "project: fleet",
        "include: [\"imported/*.yaml\"]",
        "us-east-1: {region: us-east-1, account: \"123456789012\"}",
        "eu-west-1: {region: eu-west-1, account: \"123456789012\"}",
        "secrets: {rotation: {",
    ] {
        assert!(root.contains(line), "{line}: {root}");
    }
    // Its plan is empty, and has nothing to say of what was written.
    for region in ["us-east-1", "eu-west-1"] {
        let plan = world.rotator(&["plan", "--detailed-exitcode", "--target", region, "fleet"]).exits(0);
        let plan = plan.says("No changes.");
        // What AWS's template itself opens is true of every function that it made.
        let warnings = plan.stdout.lines().filter(|line| line.contains("warning"));
        // A rotation that the account began may still run.
        let is_known = |line: &str| line.contains("for any account") || line.contains("a rotation isn't finished");
        assert!(warnings.into_iter().all(is_known), "{}", plan.all());
    }
    world.rotator(&["validate", "--strict", "fleet"]).exits(0);
    // Once more: nothing is new.
    let again = world.rotator(&["import", "fleet"]).exits(0).says("Nothing to write.");
    assert_eq!(files(&world, "fleet"), written, "{}", again.all());
}
