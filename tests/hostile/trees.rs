//! Folders that hold what no manifest needs: pipes, devices, links, files that can't be read, names that steer terminals.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::{Ended, rotator, run};

const MEGABYTES: u64 = 2048;

fn write(folder: &Path, name: impl AsRef<OsStr>, text: &str) {
    let path = folder.join(name.as_ref());
    std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

fn validate(folder: &Path, arguments: &[&str]) -> Ended {
    run(rotator(folder, MEGABYTES).arg("validate").args(arguments)).sound()
}

fn manifest(code: &str) -> String {
    format!(
        "version: 1\nproject: p\nfunctions: {{f: {{code: {code:?}}}}}\nsecrets: {{s: {{function: f, rotation: {{automatically_after_days: 30}}}}}}\n"
    )
}

/// Without it, opening a pipe that somebody checked in would wait for ever, in every place that takes a path.
#[test]
fn pipes_and_devices_are_never_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    pipe(&root.join("pipe"));
    symlink("pipe", root.join("to-pipe")).expect("a link");
    symlink("/dev/zero", root.join("zero")).expect("a link");
    symlink("/dev/stdin", root.join("stdin")).expect("a link");
    for name in ["pipe", "to-pipe", "zero", "stdin", "/dev/zero", "/dev/full"] {
        validate(root, &[name]).exits(1);
        validate(root, &["--policy", name]).exits(1);
        run(rotator(root, MEGABYTES).args(["show", name])).sound().exits(1);
        run(rotator(root, MEGABYTES).args(["apply", "--auto-approve", name])).sound().exits(1);
        run(rotator(root, MEGABYTES).args(["diff", "HEAD", name])).sound().exits(1);
    }
    for name in ["pipe", "to-pipe", "zero", "stdin"] {
        write(root, "rotator.yaml", &manifest(name));
        validate(root, &[]).exits(1).says(name);
        let part = format!("version: 1\nproject: p\ninclude: [{name:?}]\n");
        write(root, "rotator.yaml", &part);
        validate(root, &[]).exits(1).says(name);
        let variables =
            format!("version: 1\nproject: p\ntargets: {{dev: {{region: eu-west-1, vars_from: {name:?}}}}}\n");
        write(root, "rotator.yaml", &variables);
        validate(root, &[]).exits(1).says(name);
        // Beside the manifest and inside of a function's code.
        write(root, "code/lambda_function.py", "def lambda_handler(event, context): pass\n");
        symlink(Path::new("..").join(name), root.join("code/more")).expect("a link");
        write(root, "rotator.yaml", &manifest("code"));
        validate(root, &[]).exits(1).says("more");
        std::fs::remove_file(root.join("code/more")).expect("our own link");
    }
    write(root, "services/a.yaml", "secrets: {}\n");
    pipe(&root.join("services/b.yaml"));
    write(root, "rotator.yaml", "version: 1\nproject: p\ninclude: [services/*.yaml]\n");
    validate(root, &[]);
}

/// Without it, a link could bring files of the machine into a plan, or into a function that others can read.
#[test]
fn links_lead_nowhere_outside() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    write(outside.path(), "secret.yaml", "secrets: {planted-outside: {}}\n");
    write(outside.path(), "code/lambda_function.py", "planted = 1\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    std::fs::create_dir(root.join("inner")).expect("a folder");
    symlink(outside.path(), root.join("out")).expect("a link");
    symlink(outside.path().join("secret.yaml"), root.join("part.yaml")).expect("a link");
    symlink("..", root.join("inner/up")).expect("a link");
    symlink("loop-b", root.join("loop-a")).expect("a link");
    symlink("loop-a", root.join("loop-b")).expect("a link");
    symlink("nowhere", root.join("dangling")).expect("a link");
    let inside = outside.path().join("code");
    let absolute = inside.to_string_lossy().into_owned();
    for code in [
        "out/code",
        "out",
        "inner/up/out/code",
        "../x",
        absolute.as_str(),
        "loop-a",
        "dangling",
        "inner/up",
        "/proc/self/cwd",
    ] {
        write(root, "rotator.yaml", &manifest(code));
        validate(root, &[]).exits(1);
    }
    for part in ["part.yaml", "out/*.yaml", "*/secret.yaml", "**/*.yaml", "loop-a", "dangling", "inner/up/rotator.yaml"]
    {
        write(root, "rotator.yaml", &format!("version: 1\nproject: p\ninclude: [{part:?}]\n"));
        let ended = validate(root, &[]);
        assert!(!ended.all().contains("planted-outside"), "{}", ended.shortened());
    }
    for variables in ["part.yaml", "out/secret.yaml", "../secret.yaml", "inner/up/out/secret.yaml"] {
        let text =
            format!("version: 1\nproject: p\ntargets: {{dev: {{region: eu-west-1, vars_from: {variables:?}}}}}\n");
        write(root, "rotator.yaml", &text);
        let ended = validate(root, &[]).exits(1);
        assert!(!ended.all().contains("planted-outside"), "{}", ended.shortened());
    }
}

/// Without it, a committed link could show Git's own folder, where pipelines keep the token of their checkout, in an error's
/// excerpt, or send it into a function that others can read.
#[test]
fn no_link_leads_into_gits_own_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(root, ".git/config", "[http]\n  extraheader = planted-token\n");
    write(root, ".git/rotator.yaml", "version: 1\nproject: planted-token\n");
    write(root, "code/lambda_function.py", "def lambda_handler(event, context): pass\n");
    for (target, name) in [
        (".git/config", "config.yaml"),
        (".git", "folder"),
        ("folder", "twice"),
        ("code/../.git/../code", "back"),
        (".GIT/config", "upper.yaml"),
    ] {
        symlink(target, root.join(name)).expect("a link");
    }
    // Where lower and upper case are two names, a folder of the other one is as good as Git's own elsewhere.
    write(root, ".GIT/config", "[http]\n  extraheader = planted-token\n");
    let silent = |ended: Ended| {
        assert!(!ended.all().contains("planted-token"), "{}", ended.shortened());
        ended
    };
    let names = [
        "config.yaml",
        "folder/config",
        "twice/config",
        "upper.yaml",
        ".git/config",
        ".GIT/config",
        "x/../.git./config",
    ];
    for name in names {
        for text in [
            manifest(name),
            format!("version: 1\nproject: p\ninclude: [{name:?}]\n"),
            format!("version: 1\nproject: p\ntargets: {{dev: {{region: eu-west-1, vars_from: {name:?}}}}}\n"),
        ] {
            write(root, "rotator.yaml", &text);
            silent(validate(root, &[])).exits(1);
        }
    }
    for code in ["folder", "twice", "back", ".git", ".GIT"] {
        write(root, "rotator.yaml", &manifest(code));
        silent(validate(root, &[])).exits(1).says("Git's own folder");
    }
    for pattern in ["folder/*", "*/config", "**/*.yaml", "[.]git/*", "twice/rotator.yaml"] {
        write(root, "rotator.yaml", &format!("version: 1\nproject: p\ninclude: [{pattern:?}]\n"));
        silent(validate(root, &[]));
    }
    // Inside of a function's code, and what is no link is left out.
    symlink("../.git/config", root.join("code/more")).expect("a link");
    write(root, "rotator.yaml", &manifest("code"));
    silent(validate(root, &[])).exits(1).says("the link `more` in it leads into Git's own folder");
    std::fs::remove_file(root.join("code/more")).expect("our own link");
    // What a pipeline names, and a pull request makes a link.
    write(root, "rotator.yaml", "version: 1\nproject: p\n");
    for name in ["config.yaml", "upper.yaml", "folder", "twice/config"] {
        silent(validate(root, &[name])).exits(1).says("Git's own folder");
        silent(validate(root, &["--policy", name])).exits(1);
    }
    silent(validate(root, &["--policy", "config.yaml"])).exits(1).says("Git's own folder");
}

/// Without it, folders in folders, or a few links that lead to the same folders in very many ways, would cost hours.
#[test]
fn deep_and_branching_folders_end_soon() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let deep = |depth: usize| format!("deep-{depth}/{}lambda_function.py", "a/".repeat(depth - 1));
    write(root, deep(256), "def lambda_handler(event, context): pass\n");
    write(root, deep(257), "def lambda_handler(event, context): pass\n");
    for level in 0..40 {
        std::fs::create_dir_all(root.join(format!("wide/{level}"))).expect("a folder");
        for name in ["a", "b"] {
            symlink(format!("../{}", level + 1), root.join(format!("wide/{level}/{name}"))).expect("a link");
        }
    }
    write(root, "wide/40/lambda_function.py", "def lambda_handler(event, context): pass\n");
    write(root, "wide/0/lambda_function.py", "def lambda_handler(event, context): pass\n");
    let plan = |code: &str| {
        write(root, "rotator.yaml", &manifest(code));
        run(rotator(root, MEGABYTES).args(["plan", "--sandbox", "--region", "us-east-1"])).sound()
    };
    write(root, "rotator.yaml", &manifest("deep-256"));
    validate(root, &[]);
    write(root, "rotator.yaml", &manifest("deep-257"));
    validate(root, &[]).exits(1).says("nested more than 256 deep");
    plan("wide/0").exits(1).says("more than");
}

/// Without it, a committed link could have a rehearsal write wherever the user may, and a pipe would keep it waiting for ever.
#[test]
fn the_sandboxs_state_is_a_regular_file_of_its_own() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(root, "rotator.yaml", "version: 1\nproject: p\n");
    write(root, ".git/HEAD", "ref: refs/heads/main\n");
    write(outside.path(), "kept.json", "kept\n");
    let state = root.join(".rotator/sandbox.json");
    let lock = root.join(".rotator/sandbox.json.lock");
    let away = outside.path().join("away.json");
    let kept = outside.path().join("kept.json");
    let clear = || {
        let _ = std::fs::remove_file(root.join(".rotator"));
        let _ = std::fs::remove_dir_all(root.join(".rotator"));
        std::fs::create_dir_all(root.join(".rotator")).expect("a folder");
    };
    let runs = |file: &str, says: &str| {
        let plan = ["plan", "--region", "us-east-1", &format!("--sandbox={file}")];
        run(rotator(root, MEGABYTES).args(plan)).sound().exits(1).says(says);
        let start = ["sandbox", "start", "--listen", "127.0.0.1:0", "--state", file];
        run(rotator(root, MEGABYTES).args(start)).sound().exits(1).says(says);
    };
    let usual = ".rotator/sandbox.json";
    for target in [&away, &kept] {
        clear();
        symlink(target, &state).expect("a link");
        runs(usual, "through the link");
        clear();
        symlink(target, &lock).expect("a link");
        runs(usual, "through the link");
    }
    clear();
    std::fs::remove_dir(root.join(".rotator")).expect("our own folder");
    symlink(outside.path(), root.join(".rotator")).expect("a link");
    runs(usual, "through the link");
    runs(&root.join(usual).to_string_lossy(), "through the link");
    for place in [&state, &lock] {
        clear();
        pipe(place);
        runs(usual, "isn't a regular file");
    }
    clear();
    for device in ["/dev/null", "/dev/zero", "/dev/tty"] {
        runs(device, "isn't a regular file");
    }
    let left: Vec<_> =
        std::fs::read_dir(outside.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["kept.json"]);
    assert_eq!(std::fs::read_to_string(&kept).expect("a file"), "kept\n");
    // The folders above belong to the machine: a link there is as good as a folder.
    symlink(outside.path(), root.join("machine")).expect("a link");
    let inner = root.join("machine/inner");
    std::fs::create_dir(&inner).expect("a folder");
    write(&inner, "rotator.yaml", "version: 1\nproject: p\n");
    let plan = ["plan", "--region", "us-east-1", "--sandbox"];
    run(rotator(&inner, MEGABYTES).args(plan)).sound().exits(0);
}

/// Without it, the name of a file could steer the terminal of those who look at a pull request.
#[test]
fn names_of_files_are_shown_and_never_obeyed() {
    let names: [&[u8]; 6] = [
        b"x\x1b[2Jy.yaml",
        "x\u{202e}lmay.yaml".as_bytes(),
        "x\u{9b}31m.yaml".as_bytes(),
        b"line\n::error::y.yaml",
        b"not\xff\xfeutf8.yaml",
        b"a\rb\x07.yaml",
    ];
    for name in names {
        let name = OsStr::from_bytes(name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        write(root, Path::new("parts").join(name), "secrets: {s: {nonsense: 1}}\n");
        write(root, "rotator.yaml", "version: 1\nproject: p\ninclude: [parts/*]\n");
        for format in ["text", "github", "sarif"] {
            validate(root, &["--format", format]).exits(1).says("nonsense");
        }
        run(rotator(root, MEGABYTES).arg("validate").arg(Path::new("parts").join(name))).sound().exits(1);
        run(rotator(root, MEGABYTES).arg("show").arg(Path::new("parts").join(name))).sound().exits(1);
        write(root, Path::new("code").join(name), "x\n");
        write(root, "code/lambda_function.py", "def lambda_handler(event, context): pass\n");
        write(root, "rotator.yaml", &manifest("code"));
        validate(root, &[]);
        symlink("/etc/passwd", root.join("code").join(OsStr::from_bytes(b"l\x1b[2J"))).expect("a link");
        validate(root, &[]).exits(1);
    }
}

/// Without it, a name in a pull request could command the runner that checks it: mask words, stop its commands, set variables.
#[test]
fn no_runner_finds_a_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let evil = "##[add-mask]x ##vso[task.setvariable variable=a]b ##teamcity[x]";
    let named = format!("secrets:\n  s:\n    labels: {{a: {evil:?}, b: \"\\n::stop-commands::x\"}}\n    {evil:?}: 1\n");
    write(root, "rotator.yaml", &format!("version: 1\nproject: p\n{named}"));
    for runner in ["GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"] {
        for arguments in [
            &["validate"][..],
            &["validate", "--format", "github"],
            &["validate", "--format", "sarif"],
            &["explain", evil],
            &["explain", "\n::add-mask::x"],
            &["plan", "--target", evil],
            &["validate", evil],
            &["plan", "--region", "::x", evil, "\n::set-env::x", "--nonsense"],
        ] {
            let ended = run(rotator(root, MEGABYTES).env(runner, "true").args(arguments)).sound();
            let all = ended.all();
            assert!(!all.contains("##["), "{}", ended.shortened());
            assert!(!all.contains("##vso[") && !all.contains("##teamcity["), "{}", ended.shortened());
            let forged = |line: &&str| line.trim_start().starts_with("::") && !line.starts_with("::error file=");
            assert_eq!(all.lines().find(forged), None, "{}", ended.shortened());
        }
    }
    // Elsewhere a text is shown as it is.
    run(rotator(root, MEGABYTES).args(["explain", "##[x]*"])).sound().says("##[x]*");
}

/// Without it, a file that can't be read could be taken for one that isn't there, or end the program.
#[test]
fn what_can_not_be_read_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(root, "part.yaml", "secrets: {}\n");
    write(root, "code/lambda_function.py", "def lambda_handler(event, context): pass\n");
    let close = |name: &str, mode: u32| {
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).expect("our own file");
    };
    close("part.yaml", 0);
    if std::fs::read(root.join("part.yaml")).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    write(root, "rotator.yaml", "version: 1\nproject: p\ninclude: [part.yaml]\n");
    validate(root, &[]).exits(1).says("permission denied");
    close("code/lambda_function.py", 0);
    write(root, "rotator.yaml", &manifest("code"));
    validate(root, &[]).exits(1).says("ermission denied");
    close("code", 0);
    validate(root, &[]).exits(1);
    close("code", 0o700);
}
