//! `rotator init`: what it writes rotates at once, and what it may not do.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::support::{Output, output, repository, rotator_binary, scrubbed};

fn rotator(folder: &Path, arguments: &[&str]) -> Output {
    output(scrubbed(rotator_binary()).current_dir(folder).args(arguments))
}

/// Every file below a folder, with what it holds.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}

/// Begins each kind in an empty folder, and takes it through a whole life; side by side, as most of it waits.
fn begin_and_rotate(language: &str, is_tested: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let live = &|kind: &str| {
        rotator(folder.path(), &["init", kind, "--language", language, "--into", kind])
            .exits(0)
            .says(&format!("  cd {kind}\n"))
            .says("  rotator test\n  rotator apply --sandbox\n");
        let into = folder.path().join(kind);
        rotator(&into, &["validate", "--strict"]).exits(0).keeps_silent_about("warning");
        if is_tested {
            rotator(&into, &["test"]).exits(0).says(" passed");
        }
        rotator(&into, &["apply", "--sandbox", "--auto-approve"])
            .exits(0)
            .says("Apply complete!")
            .says("nothing wrong was found")
            .keeps_silent_about("first-of-all");
        // Another process of the service, which must know what the last one was told.
        rotator(&into, &["rotate", "--sandbox", "--auto-approve"]).exits(0);
        rotator(&into, &["plan", "--sandbox", "--detailed-exitcode"]).exits(0).says("No changes.");
        rotator(&into, &["status", "--sandbox"]).exits(0);
        assert!(output(scrubbed("git").current_dir(&into).args(["init", "-q"])).code == 0, "git");
        output(scrubbed("git").current_dir(&into).args(["status", "--porcelain", "-uall"]))
            .exits(0)
            .says("?? rotator.yaml")
            .keeps_silent_about("sandbox");
    };
    std::thread::scope(|scope| {
        for kind in ["api-key", "password", "admin-password", "signing-key"] {
            scope.spawn(move || live(kind));
        }
    });
}

/// Without it, what people begin with would fail before they have changed a line, or with the second rotation.
#[test]
fn each_kind_rotates_at_once_in_python() {
    begin_and_rotate("python", true);
}

/// The same, where the machine has Node.
#[test]
fn each_kind_rotates_at_once_in_node() {
    let has_node = ["node", "npm", "cmake"]
        .iter()
        .all(|program| scrubbed(program).arg("--version").output().is_ok_and(|output| output.status.success()));
    if !has_node {
        // Past the harness, which shows what a test prints only where it fails: what was skipped must be seen.
        let _ = std::io::stderr().write_all(b"skipped: this machine can't run functions in Node\n");
        return;
    }
    begin_and_rotate("node", false);
}

/// Without it, a report that couldn't be read would look like a good end.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_is_lost_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let command = &mut scrubbed(rotator_binary());
    let ended = command.current_dir(folder.path()).args(["init", "password"]).stdout(full).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("Wrote 4 files"), "{ended:?}");
}

/// Without it, a change of a right function that breaks it could go unnoticed: a sample, whose whole is a command of the tests' page.
#[test]
fn mutants_of_what_is_begun_are_noticed() {
    let mutate = repository().join("tests/functions/mutate.py");
    let mut command = scrubbed("python3");
    command.arg(mutate).args(["--rotator", rotator_binary(), "--kind", "signing-key", "--count", "3", "--jobs", "2"]);
    output(&mut command).exits(0).says("caught: 3 of 3");
}

/// Without it, `init` could take a person's work for its own, leave half of its own behind, or fail without a way out.
#[test]
fn nothing_is_written_over_and_every_refusal_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path();
    let init = |arguments: &[&str]| rotator(here, &[&["init"], arguments].concat());

    // What isn't said, and what isn't known.
    init(&[]).exits(1).says("there is no terminal to ask").says("`rotator init signing-key`: ");
    init(&["--yes"]).exits(1).says("nothing is asked with `--yes`");
    init(&["api_key"]).exits(1).says("api-key");
    init(&["certificate"]).exits(1).says("possible values").says("signing-key");
    init(&["password", "--language", "ruby"]).exits(1).says("python, node");

    // Names that AWS wouldn't take, or that mean something else.
    for (name, reason) in [
        ("my secret", "not ` `"),
        ("", "1 to 512 characters"),
        ("arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf", "it is an ARN"),
        ("rds!db-1", "`rotator import`"),
    ] {
        init(&["api-key", "--secret", name]).exits(1).says("is no secret's name").says(reason);
    }
    init(&["api-key", "--function", "../x"]).exits(1).says("not `.`");
    init(&["api-key", "--function", "my_function"]).exits(1).says("a stack's name holds letters, digits and `-`");
    init(&["api-key", "--project", "a b"]).exits(1).says("`--project a-b` would do");
    init(&["api-key", "--account", "1234"]).exits(1).says("12 digits");
    init(&["api-key", "--region", "eu-west-1a"]).exits(1).says("write the region, `eu-west-1`");
    init(&["admin-password", "--into", "x", "--project", "p", "--secret", "p/admin"])
        .exits(1)
        .says("the admin's own secret");
    init(&["api-key", "--into", ""]).exits(1).says("a value is required for '--into <DIR>'");
    init(&["api-key", "--into", ".git/x"]).exits(1).says("Git's own folder");
    assert_eq!(files(here), [] as [String; 0]);

    // Something is there already: all of it is said, and nothing is written.
    fs::create_dir_all(here.join("there/functions/api_key")).expect("folders");
    fs::write(here.join("there/.gitignore"), "mine\n").expect("a file");
    fs::write(here.join("there/rotator.yaml"), "mine\n").expect("a file");
    let before = files(here);
    init(&["api-key", "--into", "there"])
        .exits(1)
        .says("`rotator.yaml`, `.gitignore` are there already in `there`")
        .says("to add to a project that stands");
    assert_eq!(files(here), before);
    fs::write(here.join("file"), "").expect("a file");
    init(&["api-key", "--into", "file"]).exits(1).says("it is a file");
}

/// Without it, a link could have files written elsewhere, or a folder that refuses them keep half of what was begun.
#[cfg(unix)]
#[test]
fn links_lead_nowhere_else_and_nothing_is_left_half_written() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (folder, away) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let here = folder.path();
    let init = |arguments: &[&str]| rotator(here, &[&["init", "password"], arguments].concat());
    symlink(here.join("nowhere"), here.join("dangling")).expect("a link");
    init(&["--into", "dangling"]).exits(1).says("it is a link that leads nowhere");
    fs::create_dir(here.join("linked")).expect("a folder");
    symlink(away.path(), here.join("linked/functions")).expect("a link");
    init(&["--into", "linked"]).exits(1).says("it is a link that leaves").says("nothing was written");
    assert_eq!(files(away.path()), [] as [String; 0]);
    assert_eq!(fs::read_dir(here.join("linked")).expect("a folder").count(), 1, "the link alone is left");
    // A folder that a person names is theirs, wherever it leads, and whatever it is called.
    symlink(away.path(), here.join("my vendor")).expect("a link");
    init(&["--into", "my vendor"]).exits(0).says("  cd 'my vendor'\n");
    assert_eq!(files(away.path()).len(), 4);
    fs::create_dir(here.join("deep")).expect("a folder");
    rotator(&here.join("deep"), &["init", "password", "--into", "../up"]).exits(0).says("  cd ../up\n");
    let manifest = fs::read_to_string(here.join("up/rotator.yaml")).expect("a manifest");
    assert!(manifest.contains("project: up\n"), "the folder is called so: {manifest}");
    fs::create_dir(here.join("half")).expect("a folder");
    fs::write(here.join("half/functions"), "a file").expect("a file");
    init(&["--into", "half"]).exits(1).says("`functions` is there already in `half`");
    assert_eq!(files(&here.join("half")).len(), 1);
    fs::create_dir(here.join("closed")).expect("a folder");
    fs::set_permissions(here.join("closed"), fs::Permissions::from_mode(0o500)).expect("closed");
    // The system's administrator may write everywhere.
    if fs::write(here.join("closed/probe"), "").is_err() {
        init(&["--into", "closed"]).exits(1).says("cannot write").says("nothing was written");
        init(&["--into", "closed/new"]).exits(1).says("cannot write");
    }
}
