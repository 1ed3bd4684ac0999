//! `rotator diff` on repositories that were made to hurt: deep, endless, slow, ambiguous, with code that a checkout changes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::review::Repository;
use super::support::{output, scrubbed};

/// Writes an object as it is, and gives its name.
fn object(repository: &Repository, kind: &str, content: &[u8]) -> String {
    let mut git = scrubbed("git");
    git.current_dir(repository.path()).args(["hash-object", "-w", "--literally", "-t", kind, "--stdin"]);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git");
    child.stdin.take().expect("piped").write_all(content).expect("written");
    let output = child.wait_with_output().expect("git ends");
    String::from_utf8(output.stdout).expect("hexadecimal").trim().to_owned()
}

/// A tree object of entries: mode, name and object.
fn tree(repository: &Repository, entries: &[(&str, &str, &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content
            .extend((0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("hexadecimal")));
    }
    object(repository, "tree", &content)
}

/// A branch whose function's code is a tree.
fn branch(repository: &Repository, name: &str, code: &str) {
    let functions = tree(repository, &[("40000", "f", code)]);
    let manifest = "version: 1\nproject: p\nfunctions: {f: {code: functions/f}}\nsecrets: {s: {function: f, rotation: {automatically_after_days: 30}}}\n";
    let manifest = object(repository, "blob", manifest.as_bytes());
    let root = tree(repository, &[("40000", "functions", &functions), ("100644", "rotator.yaml", &manifest)]);
    let commit = repository.git(&["commit-tree", &root, "-m", name]).stdout;
    repository.git(&["update-ref", &format!("refs/heads/{name}"), commit.trim()]);
}

/// Without it, a pull request of a few kilobytes could keep a pipeline busy for hours, or fill its disk.
#[test]
fn deep_and_endless_revisions_end_soon() {
    let repository = Repository::new();
    let blob = object(&repository, "blob", b"x = 1\n");
    let file = tree(&repository, &[("100644", "lambda_function.py", &blob)]);
    let mut deep = file.clone();
    for depth in 1..=1_000 {
        deep = tree(&repository, &[("40000", "a", &deep), ("100644", "lambda_function.py", &blob)]);
        if [200, 250, 1_000].contains(&depth) {
            branch(&repository, &format!("deep-{depth}"), &deep);
        }
    }
    // Ten folders of ten folders of …: ten objects, ten thousand million files.
    let mut bomb = file.clone();
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|number| format!("d{number}")).collect();
        let entries: Vec<(&str, &str, &str)> =
            names.iter().map(|name| ("40000", name.as_str(), bomb.as_str())).collect();
        bomb = tree(&repository, &entries);
    }
    branch(&repository, "bomb", &bomb);
    // Each folder twice in the one above: to look at all paths would never end.
    let mut twice = file.clone();
    for _ in 0..1_000 {
        twice = tree(&repository, &[("40000", "a", &twice), ("40000", "b", &twice)]);
    }
    branch(&repository, "twice", &twice);
    branch(&repository, "flat", &file);
    let mut links = file.clone();
    for number in 0..60 {
        let target = object(&repository, "blob", format!("{}x", "l/".repeat(1_000)).as_bytes());
        links = tree(&repository, &[("40000", "a", &links), ("120000", &format!("l{number}"), &target)]);
    }
    branch(&repository, "links", &links);
    // What is read in time is compared; cubic in the depth, 250 folders took 20 seconds.
    repository.rotator(&["diff", "--time-limit", "15", "deep-200..deep-250"]).exits(0).says("lambda_function.py added");
    for (name, says) in [
        ("deep-1000", "folders in `functions/f` are nested more than 256 deep"),
        ("twice", "folders in `functions/f` are nested more than 256 deep"),
        ("bomb", "with `functions/f`, the manifests reach more than 200000 files and folders"),
        ("links", "are nested more than 256 deep"),
    ] {
        let began = Instant::now();
        repository.rotator(&["diff", &format!("flat..{name}")]).exits(1).says(says);
        assert!(began.elapsed() < Duration::from_secs(30), "{name} took {:?}", began.elapsed());
    }
}

/// A repository whose configuration is a pipe without a writer: Git waits for ever.
fn hanging() -> Repository {
    let repository = Repository::new();
    let pipe = repository.path().join(".git/pipe");
    output(Command::new("mkfifo").arg(&pipe)).exits(0);
    let config = repository.path().join(".git/config");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, format!("{text}[include]\n\tpath = pipe\n")).expect("written");
    repository
}

fn names(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect()
}

/// Without it, what a revision holds would lie about where others of the machine can read it, after a signal for ever.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_comparison_without_a_trace() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = hanging();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let mut command = repository.command();
        command.arg("diff").env("TMPDIR", scratch.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        let began = Instant::now();
        while names(scratch.path()).is_empty() {
            assert!(began.elapsed() < Duration::from_mins(1), "no temporary folder");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mode = std::fs::metadata(&names(scratch.path())[0]).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        output(scrubbed("kill").args([signal, &child.id().to_string()])).exits(0);
        let ended = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(130), "{signal}: {said}");
        assert!(said.contains("interrupted"), "{said}");
        assert_eq!(names(scratch.path()), Vec::<std::path::PathBuf>::new(), "{signal}");
    }
}

/// Without it, a repository could keep a pipeline until the pipeline's own limit, hours later and without a word.
#[test]
fn a_comparison_ends_in_its_time_and_says_so() {
    let repository = hanging();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let began = Instant::now();
    output(repository.command().args(["diff", "--time-limit", "1"]).env("TMPDIR", scratch.path()))
        .exits(1)
        .says("the comparison takes more than 1 second, and was given up")
        .says("`--time-limit 5`");
    assert!(began.elapsed() < Duration::from_mins(1));
    assert_eq!(names(scratch.path()).len(), 0);
}

/// Without it, a pull request could change the code that is deployed, and the comparison would find no difference.
#[test]
fn code_that_a_checkout_changes_is_said() {
    let repository = Repository::new();
    let file = "functions/stripe/lambda_function.py";
    let diff = ["diff", "--detailed-exitcode"];
    for (rules, attribute) in [
        ("*.py eol=crlf\n", "eol=crlf"),
        ("functions/** ident\n", "ident"),
        ("*.py working-tree-encoding=UTF-16\n", "working-tree-encoding=UTF-16"),
        ("[attr]evil filter=x\n*.py evil\n", "filter=x"),
    ] {
        repository.write(".gitattributes", rules);
        let said = format!(".gitattributes: {attribute} is new for 1 file ({file})");
        repository.rotator(&diff).exits(2).says(&said).keeps_silent_about("No difference");
        let markdown = repository.rotator(&["diff", "--format", "markdown"]).exits(0).stdout;
        let caution = format!("> [!CAUTION]\n> .gitattributes: `{attribute}` is new for 1 file (`{file}`)");
        assert!(markdown.contains(&caution), "{markdown}");
        let json = repository.json(&["diff", "--format", "json"]);
        assert_eq!(json["differs"], true, "{json}");
        assert_eq!(json["conversions"][0]["attribute"], attribute, "{json}");
        assert_eq!(
            (&json["conversions"][0]["before"], &json["conversions"][0]["after"][0]),
            (&serde_json::json!([]), &file.into())
        );
    }
    // In a commit, beside the code; then it holds on both sides, and is a note.
    std::fs::remove_file(repository.path().join(".gitattributes")).expect("removed");
    repository.write("functions/stripe/.gitattributes", "*.py ident\n");
    repository.commit("attributes");
    repository.rotator(&["diff", "HEAD~1..HEAD"]).exits(0).says("ident is new for 1 file");
    repository
        .rotator(&diff)
        .exits(0)
        .says(&format!("note: .gitattributes: ident holds, as before, for 1 file ({file})"));
    repository.rotator(&["diff", "HEAD..HEAD~1"]).exits(0).says("ident is gone for 1 file");
    // What most repositories have, and what is of no file that was compared, costs no word.
    repository.write("functions/stripe/.gitattributes", "* text=auto eol=lf\n");
    repository.write("other/.gitattributes", "* filter=x\n");
    repository.commit("usual");
    repository.rotator(&diff).exits(0).says("No difference").keeps_silent_about(".gitattributes: ");
}

/// Without it, a tag that is named like a branch would have another commit reviewed than the one that is merged.
#[test]
fn a_name_that_means_two_commits_is_said() {
    let repository = Repository::new();
    repository.edit("rotator.yaml", "automatically_after_days: 60", "automatically_after_days: 30");
    repository.commit("second");
    repository.rotator(&["diff", "main"]).exits(0).keeps_silent_about("ambiguous");
    repository.git(&["tag", "main", "HEAD~1"]);
    let said = "`main` is ambiguous: `refs/tags/main` is compared; to compare another, write `refs/heads/main`";
    repository.rotator(&["diff", "main"]).exits(0).says(said).says("every 60 days, window 4h -> every 30 days");
    repository.rotator(&["diff", "main~0..HEAD"]).exits(0).says(said);
    repository.rotator(&["diff", "refs/heads/main"]).exits(0).says("No difference").keeps_silent_about("ambiguous");
    let json = repository.json(&["diff", "main", "--format", "json"]);
    assert_eq!(
        (&json["ambiguous"][0]["name"], &json["ambiguous"][0]["taken"]),
        (&"main".into(), &"refs/tags/main".into())
    );
    repository.rotator(&["diff", "main", "--format", "markdown"]).exits(0).says("> `main` is ambiguous");
    // Refs that look like hashes: of some digits, and of all.
    let head = repository.git(&["rev-parse", "HEAD"]).stdout.trim().to_owned();
    repository.git(&["update-ref", &format!("refs/heads/{}", &head[..8]), "HEAD~1"]);
    repository.rotator(&["diff", &head[..8]]).exits(0).says(&format!("write `{head}`")).says("every 60 days");
    repository.git(&["update-ref", &format!("refs/heads/{head}"), "HEAD~1"]);
    repository.rotator(&["diff", &head]).exits(0).says(&format!("write `refs/heads/{head}`")).says("No difference");
    repository.git(&["update-ref", "refs/heads/HEAD", "HEAD~1"]);
    repository.rotator(&["diff"]).exits(0).says("`HEAD` is ambiguous").says("`refs/heads/HEAD`").says("No difference");
}
