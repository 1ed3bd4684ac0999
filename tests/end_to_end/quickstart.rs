//! The README's first command, as a stranger runs it.

use serde_json::Value;

use super::support::{Output, World, output, repository, rotator_binary, scrubbed};

fn rotator(folder: &std::path::Path, arguments: &[&str]) -> Output {
    output(scrubbed(rotator_binary()).current_dir(folder).args(arguments))
}

/// Without it the first thing that people try could fail, or claim a rotation that didn't happen.
#[test]
fn the_first_command_rotates_a_secret_and_the_second_plan_is_empty() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = repository().join("examples/quickstart");
    let example = example.to_str().expect("UTF-8");
    rotator(folder.path(), &["apply", "--sandbox", "--auto-approve", example])
        .exits(0)
        .says("1 secret rotates now")
        .says("Plan: 2 to add, 0 to change, 0 to destroy.")
        .says("Apply complete!")
        // Without it, a newcomer would see that something was applied, and not that a secret rotated, and what to try next.
        .says("sandbox: created 1 secret as `test` says")
        .says("What happened:")
        .says("  quickstart/signing-key: AWSCURRENT moved from version ")
        .says("their values differ")
        .says("createSecret ")
        .says("18 log lines")
        .says("nothing wrong was found")
        .says(&format!("  rotator plan --sandbox {example}"))
        .keeps_silent_about("the-first-key");
    // What is to be tried next works, and what was told isn't told again.
    rotator(folder.path(), &["logs", "--sandbox", example]).exits(0).says("0 failed");
    rotator(folder.path(), &["sandbox", "secret", "show", "quickstart/signing-key"])
        .exits(0)
        // The form stays: text before, and after both rotations.
        .says("no label; 13 bytes")
        .says("AWSPREVIOUS; 64 bytes")
        .says("AWSCURRENT; 64 bytes");
    rotator(folder.path(), &["apply", "--sandbox", "--auto-approve", example])
        .exits(0)
        .keeps_silent_about("What happened:");
    rotator(folder.path(), &["plan", "--sandbox", "--detailed-exitcode", example]).exits(0).says("No changes.");

    // The function's own four steps moved AWSCURRENT: the value has the shape that only its code makes.
    let state = folder.path().join(".rotator/sandbox.json");
    let world = World::with(&["--state", state.to_str().expect("UTF-8")]);
    let secret = "quickstart/signing-key";
    let current = world.version(secret, "AWSCURRENT").expect("a current version");
    let previous = world.version(secret, "AWSPREVIOUS").expect("a previous version");
    assert_ne!(current, previous);
    assert_eq!(world.version(secret, "AWSPENDING"), None);
    let value = world.aws(&["secretsmanager", "get-secret-value", "--secret-id", secret]);
    let value = value["SecretString"].as_str().expect("a text");
    assert_eq!(value.len(), 64);
    assert!(value.bytes().all(|b| b.is_ascii_alphanumeric()));
    let described = world.describe(secret);
    assert_eq!(described["RotationEnabled"], Value::Bool(true));
    assert_eq!(described["RotationRules"]["AutomaticallyAfterDays"], 30);
    assert_eq!(described["RotationRules"]["Duration"], "4h");
}

/// Without it a rehearsal would leave functions, stacks and rotations behind.
#[test]
fn destroying_it_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = repository().join("examples/quickstart");
    let example = example.to_str().expect("UTF-8");
    rotator(folder.path(), &["apply", "--sandbox", "--auto-approve", example]).exits(0);
    rotator(folder.path(), &["destroy", "--sandbox", "--auto-approve", example])
        .exits(0)
        .says("rotation stops for 1 secret")
        .says("1 stack is deleted");
    rotator(folder.path(), &["destroy", "--sandbox", "--auto-approve", example]).exits(0).says("No changes.");
    let state = folder.path().join(".rotator/sandbox.json");
    let world = World::with(&["--state", state.to_str().expect("UTF-8")]);
    assert_eq!(world.aws(&["lambda", "list-functions"])["Functions"], Value::Array(Vec::new()));
    assert_eq!(world.aws(&["cloudformation", "describe-stacks"])["Stacks"], Value::Array(Vec::new()));
    assert_eq!(world.describe("quickstart/signing-key")["RotationEnabled"], Value::Bool(false));
}

/// Without it a pipeline that can't answer would hang, or apply unasked.
#[test]
fn without_a_terminal_nothing_is_applied_unasked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = repository().join("examples/quickstart");
    rotator(folder.path(), &["apply", "--sandbox", example.to_str().expect("UTF-8")])
        .exits(1)
        .says("no terminal to ask")
        .says("--auto-approve");
    assert!(!folder.path().join(".rotator").exists());
}

/// Without it a manifest in the working directory, the commonest of all, could lose its code unseen.
#[test]
fn a_manifest_in_the_working_directory_keeps_its_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = repository().join("examples/quickstart");
    let target = folder.path().join("functions/signing_key");
    std::fs::create_dir_all(&target).expect("folders");
    for file in ["rotator.yaml", "functions/signing_key/lambda_function.py"] {
        std::fs::copy(source.join(file), folder.path().join(file)).expect("copied");
    }
    rotator(folder.path(), &["plan", "--sandbox"])
        .exits(0)
        .says("code.source = \"functions/signing_key\"")
        .keeps_silent_about("no `code:` is stated");
}
