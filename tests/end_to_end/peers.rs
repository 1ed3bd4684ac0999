//! The suites of `tests/peers`: AWS's own clients, and other foreign programs, against a served sandbox.

use std::io::Write as _;

use super::support::{output, repository, rotator_binary, scrubbed, venv};

/// Runs one suite, and shows what it skipped and why.
fn suite(name: &str) {
    let file = repository().join("tests/peers").join(format!("test_{name}.py"));
    let mut command = scrubbed(venv().join("bin/python"));
    // Where a machine keeps Terraform's provider, and whether a recording is to be written anew, a suite can't know by itself.
    for name in ["ROTATOR_TERRAFORM_MIRROR", "ROTATOR_LIVE_BASELINE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .args(["-B", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"])
        .arg(&file)
        .env("ROTATOR", rotator_binary());
    let ended = output(&mut command).exits(0);
    // Past the harness, which shows what a test prints only where it fails: what was skipped must be seen.
    let said: Vec<&str> = ended.stdout.lines().filter(|line| !line.starts_with('.')).collect();
    let _ = std::io::stderr().write_all(format!("suite {name}: {}\n", said.join("\n").trim()).as_bytes());
}

macro_rules! suites {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                suite(stringify!($name));
            }
        )+

        /// Without it, a suite could lie in the folder and never run.
        #[test]
        fn every_suite_runs() {
            let mut files: Vec<_> = std::fs::read_dir(repository().join("tests/peers"))
                .expect("the folder of suites")
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter_map(|name| Some(name.strip_prefix("test_")?.strip_suffix(".py")?.to_owned()))
                .collect();
            files.sort();
            assert_eq!(files, [$(stringify!($name)),+]);
        }
    };
}

suites! {
    clients,
    cloudformation,
    faults,
    functions,
    gitops,
    import,
    live,
    moving,
    node,
    persistence,
    recorded,
    replicas,
    review_tools,
    rotation,
    schedules,
    services,
    status,
    terraform,
    walk,
}
