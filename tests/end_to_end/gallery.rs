//! The gallery: faults that people make in rotation functions, each found by the check that is for it and by no other, and functions
//! without a fault, which pass all of them.
//!
//! `tests/gallery/README.md` is the table of what finds which. A run compares the columns of `test` and `validate` with it; with
//! `ROTATOR_REGENERATE=1` it is made anew, with those of `plan` and `apply`, which takes some minutes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;

use super::support::{Output, output, prepare_runtime, repository, rotator_binary, scrubbed, signing_key};

/// A function with one fault.
struct Fault {
    name: &'static str,
    /// `key` or `login`.
    of: &'static str,
    /// What is changed in its code.
    code: &'static [(&'static str, &'static str)],
    /// What is changed in its manifest.
    manifest: &'static [(&'static str, &'static str)],
    /// The check that is for it.
    found_by: &'static str,
}

const fn code(
    name: &'static str,
    of: &'static str,
    code: &'static [(&'static str, &'static str)],
    found_by: &'static str,
) -> Fault {
    Fault { name, of, code, manifest: &[], found_by }
}

const FAULTS: &[Fault] = &[
    code("a colon is missing", "key", &[("def set_secret(secret, token):", "def set_secret(secret, token)")], "loads"),
    code("a package is missing", "key", &[("import boto3\n", "import boto3\nimport requests_like\n")], "loads"),
    code(
        "a variable is missing",
        "login",
        &[("client = boto3", "URL = os.environ[\"SERVICE_URL\"]\nclient = boto3")],
        "loads",
    ),
    Fault {
        name: "newer code than the runtime",
        of: "key",
        code: &[("import json\n", "import json\nfrom datetime import UTC\n")],
        manifest: &[("timeout: 20", "timeout: 20\n    runtime: python3.10")],
        found_by: "loads",
    },
    Fault {
        name: "a loop without an end",
        of: "key",
        code: &[(
            "def test_secret(secret, token):\n",
            "def test_secret(secret, token):\n    while secret:\n        pass\n",
        )],
        manifest: &[("timeout: 20", "timeout: 2")],
        found_by: "time",
    },
    Fault {
        name: "a wait longer than the time-out",
        of: "login",
        code: &[
            ("import json\n", "import json\nimport time\n"),
            ("\n    pending, admin =", "\n    time.sleep(30)\n    pending, admin ="),
        ],
        manifest: &[("timeout: 20", "timeout: 2")],
        found_by: "time",
    },
    Fault {
        name: "reads a secret that its role may not read",
        of: "login",
        code: &[],
        manifest: &[("    role: {read_secrets: [gallery/admin]}\n", "")],
        found_by: "role",
    },
    code(
        "asks for more than its role may do",
        "key",
        &[("client.put_secret_value(", "client.update_secret("), ("        VersionStages=[\"AWSPENDING\"],\n", "")],
        "role",
    ),
    code("a call that the service doesn't know", "login", &[("\"/login\"", "\"/sign-in\"")], "steps"),
    code(
        "sets AWSCURRENT in place of AWSPENDING",
        "login",
        &[("pending, admin = value(secret, \"AWSPENDING\", token)", "pending, admin = value(secret, \"AWSCURRENT\")")],
        "steps",
    ),
    code("ignores the ClientRequestToken", "key", &[("        ClientRequestToken=token,\n", "")], "version"),
    code("createSecret overwrites AWSCURRENT", "key", &[("        VersionStages=[\"AWSPENDING\"],\n", "")], "current"),
    code(
        "the new value is the old one",
        "login",
        &[("\"password\": password}", "\"password\": current[\"password\"]}")],
        "value",
    ),
    code("makes no value", "login", &[("    client.put_secret_value(", "    dict(")], "value"),
    code("members get lost", "key", &[("{**current, \"id\"", "{\"id\"")], "form"),
    code(
        "plain text in place of JSON",
        "login",
        &[("SecretString=json.dumps({**current, \"password\": password})", "SecretString=password")],
        "form",
    ),
    code("finishSecret moves nothing", "key", &[("    client.update_secret_version_stage(", "    dict(")], "finish"),
    code(
        "setSecret revokes the key that clients use",
        "key",
        &[(
            "def set_secret(secret, token):\n    pass\n",
            "def set_secret(secret, token):\n    pending, current = value(secret, \"AWSPENDING\", token), value(secret, \"AWSCURRENT\")\n    if any(key[\"id\"] == current[\"id\"] for key in call(pending, \"GET\", \"/keys\")):\n        call(pending, \"DELETE\", \"/keys/\" + current[\"id\"])\n",
        )],
        "overlap",
    ),
    code(
        "createSecret makes another value each time",
        "login",
        &[("    if value(secret, \"AWSPENDING\", token):\n        return\n", "")],
        "repeat",
    ),
    code(
        "setSecret revokes what is revoked already",
        "key",
        &[
            (
                "def set_secret(secret, token):\n    pass\n",
                "def set_secret(secret, token):\n    call(value(secret, \"AWSPENDING\", token), \"DELETE\", \"/keys/\" + (value(secret, \"AWSPREVIOUS\") or {\"id\": \"first\"})[\"id\"]) if value(secret, \"AWSPREVIOUS\") else None\n",
            ),
            (" or previous and key[\"id\"] == previous[\"id\"]", ""),
        ],
        "repeat",
    ),
    code(
        "testSecret does nothing",
        "login",
        &[("    call(pending[\"url\"], pending, \"GET\", \"/login\")\n", "")],
        "wrong-value",
    ),
    code(
        "testSecret tests AWSCURRENT",
        "key",
        &[("call(value(secret, \"AWSPENDING\", token), \"GET\"", "call(value(secret, \"AWSCURRENT\"), \"GET\"")],
        "wrong-value",
    ),
    code(
        "testSecret swallows what goes wrong",
        "login",
        &[(
            "    call(pending[\"url\"], pending, \"GET\", \"/login\")\n",
            "    try:\n        call(pending[\"url\"], pending, \"GET\", \"/login\")\n    except Exception:\n        print(\"it doesn't work\")\n",
        )],
        "wrong-value",
    ),
    code(
        "lets a character through that the service refuses",
        "login",
        &[("ExcludeCharacters='\"\\\\:'", "ExcludeCharacters='\"\\\\'")],
        "characters",
    ),
    code(
        "lets every character through",
        "login",
        &[("PasswordLength=24, ExcludeCharacters='\"\\\\:'", "PasswordLength=24")],
        "characters",
    ),
    code(
        "never revokes a key",
        "key",
        &[("        if is_left or previous and key[\"id\"] == previous[\"id\"]:\n", "        if is_left and False:\n")],
        "again",
    ),
    code(
        "rotates only once",
        "login",
        &[(
            "    current = value(secret, \"AWSCURRENT\")\n",
            "    current = value(secret, \"AWSCURRENT\")\n    if value(secret, \"AWSPREVIOUS\"):\n        raise ValueError(\"rotated already\")\n",
        )],
        "again",
    ),
    code(
        "leaves the key of a try that was ended",
        "key",
        &[("is_left = key[\"label\"].startswith(\"rotation\") and key[\"id\"] != current[\"id\"]", "is_left = False")],
        "ended",
    ),
    code(
        "keeps what it made in memory",
        "login",
        &[
            ("def create_secret(", "MADE = {}\n\n\ndef create_secret("),
            ("    client.put_secret_value(", "    MADE[token] = password\n    client.put_secret_value("),
            ("{\"password\": pending[\"password\"]}", "{\"password\": MADE[token]}"),
        ],
        "ended",
    ),
    code(
        "works on any version",
        "key",
        &[(
            "    if stages is None:\n        raise ValueError(f\"there is no version {token}\")\n    if \"AWSCURRENT\" in stages:\n        return\n    if \"AWSPENDING\" not in stages:\n        raise ValueError(f\"version {token} is not pending\")\n",
            "    if stages and \"AWSCURRENT\" in stages:\n        return\n",
        )],
        "unknown-version",
    ),
    code(
        "sets a version that isn't pending",
        "login",
        &[
            (
                "    if \"AWSPENDING\" not in stages:\n        raise ValueError(f\"version {token} is not pending\")\n",
                "",
            ),
            (
                "SecretId=secret, VersionStage=stage, **version)",
                "SecretId=secret, **(version or {\"VersionStage\": stage}))",
            ),
        ],
        "not-pending",
    ),
    code(
        "logs the new key",
        "key",
        &[("logger.info(\"made key %s\", made[\"id\"])", "logger.info(\"made key %s\", made)")],
        "log",
    ),
    code(
        "logs a header in base64",
        "login",
        &[(
            "    request = urllib.request.Request(\n        url",
            "    print(\"as\", basic)\n    request = urllib.request.Request(\n        url",
        )],
        "log",
    ),
    code(
        "quotes the value in an exception",
        "key",
        &[(
            "    call(value(secret, \"AWSPENDING\", token), \"GET\", \"/keys/self\")\n",
            "    pending = value(secret, \"AWSPENDING\", token)\n    try:\n        call(pending, \"GET\", \"/keys/self\")\n    except OSError as error:\n        raise ValueError(f\"refused: {pending}\") from error\n",
        )],
        "log",
    ),
    code(
        "logs the beginning of the key",
        "key",
        &[("logger.info(\"made key %s\", made[\"id\"])", "logger.info(\"made key %s\", made[\"key\"][:18])")],
        "log",
    ),
];

const MANIFEST_OF_KEY: &str = "version: 1
project: gallery
functions:
  Rotates:
    code: code
    timeout: 20
    test:
      service: [python3, service.py, \"${port}\"]
      secret: {url: \"http://127.0.0.1:${port}\", id: first, api_key: key-0123456789abcdef}
secrets: {gallery/key: {function: Rotates, rotation: {automatically_after_days: 30}}}
";

const MANIFEST_OF_LOGIN: &str = "version: 1
project: gallery
functions:
  Rotates:
    code: code
    timeout: 20
    environment: {ADMIN_SECRET: gallery/admin}
    role: {read_secrets: [gallery/admin]}
    test:
      service: [python3, service.py, \"${port}\"]
      secret: {url: \"http://127.0.0.1:${port}\", username: app, password: first-of-many}
      others: {gallery/admin: {username: admin, password: 4dm1n-of-all}}
secrets: {gallery/login: {function: Rotates, rotation: {automatically_after_days: 30}}}
";

fn gallery() -> PathBuf {
    repository().join("tests/gallery")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder with a manifest, a function's code and a service.
fn folder(manifest: &str, code: &str, service: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    std::fs::create_dir(folder.path().join("code")).expect("a folder");
    write("rotator.yaml", &manifest.replace("[python3, ", &format!("[{:?}, ", python())));
    write("code/lambda_function.py", code);
    write("service.py", &text(service));
    folder
}

impl Fault {
    fn folder(&self) -> tempfile::TempDir {
        let mut code = text(&gallery().join(format!("{}.py", self.of)));
        let mut manifest = if self.of == "key" { MANIFEST_OF_KEY } else { MANIFEST_OF_LOGIN }.to_owned();
        for (text, changes) in [(&mut code, self.code), (&mut manifest, self.manifest)] {
            for (old, new) in changes {
                assert!(text.contains(old), "{}: `{old}` isn't there", self.name);
                *text = text.replacen(old, new, 1);
            }
        }
        folder(&manifest, &code, &gallery().join("service.py"))
    }
}

fn rotator(folder: &Path, arguments: &[&str]) -> Output {
    output(scrubbed(rotator_binary()).args(arguments).env("AWS_REGION", "us-east-1").current_dir(folder))
}

/// The checks of the one function that ended in a way.
fn ended(output: &Output, ending: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.all()));
    let checks = document["functions"][0]["checks"].as_array().expect("checks").iter();
    checks
        .filter(|check| check["ending"] == ending)
        .map(|check| check["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The options that leave out the one check that takes longer than all others.
fn all_but_ended() -> Vec<&'static str> {
    let names = rotator::trial::checks::CHECKS.iter().map(|check| check.name).filter(|name| *name != "ended");
    names.flat_map(|name| ["--only", name]).collect()
}

/// The interpreter that `python3` leads to: what leads there may take longer than a service that is started so often.
fn python() -> &'static str {
    static PYTHON: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let found = output(scrubbed("python3").args(["-c", "import sys; print(sys.executable)"])).exits(0);
        found.stdout.trim().to_owned()
    });
    &PYTHON
}

/// Does something with each, four side by side.
fn side_by_side<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = Mutex::new(all.iter());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = { next.lock().expect("no panic").next() } {
                    work(one);
                }
            });
        }
    });
}

/// Without it, a fault would be green, or its author be led to another one.
#[test]
fn each_fault_is_found_by_the_check_that_is_for_it() {
    prepare_runtime();
    let whole = std::env::var_os("ROTATOR_REGENERATE").is_some();
    let rows = Mutex::new(BTreeMap::new());
    let wrong = Mutex::new(Vec::new());
    let numbered: Vec<(usize, &Fault)> = FAULTS.iter().enumerate().collect();
    side_by_side(&numbered, |(number, fault)| {
        let folder = fault.folder();
        // Ending the function everywhere takes most of the time: what else it finds is seen when the table is made.
        let some: Vec<&str> = if whole || fault.found_by == "ended" { Vec::new() } else { all_but_ended() };
        let tested = rotator(folder.path(), &[&["test", "--format", "json"], &some[..]].concat());
        let failed = ended(&tested, "failed");
        if failed != [fault.found_by] || tested.code != 4 {
            wrong.lock().expect("no panic").push(format!("{}: {failed:?}, {}", fault.name, tested.all()));
        }
        let validated = rotator(folder.path(), &["validate"]);
        let row = Row {
            validate: check_of(&validated),
            plan: if whole { planned(folder.path()) } else { String::new() },
            test: failed.join(", "),
            apply: if whole { applied(folder.path()) } else { String::new() },
        };
        rows.lock().expect("no panic").insert(*number, row);
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows: Vec<Row> = rows.into_inner().expect("no panic").into_values().collect();
    let page = gallery().join("README.md");
    if whole {
        std::fs::write(&page, table(&rows)).expect("written");
    }
    let committed = text(&page);
    for (fault, row) in FAULTS.iter().zip(&rows) {
        let start = format!("| {} | {} |", fault.name, row.validate);
        let line = committed.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("`{start}` isn't in {}: make it anew", page.display()));
        assert!(line.contains(&format!("| {} |", row.test)), "{line}");
    }
    assert_eq!(committed.matches("\n| ").count(), FAULTS.len() + 1, "each has one row");
}

/// What found a fault.
struct Row {
    validate: String,
    plan: String,
    test: String,
    apply: String,
}

/// What `validate` says of it: the names of its checks, with their severity.
fn check_of(output: &Output) -> String {
    let mut found: Vec<String> = output
        .stderr
        .lines()
        .filter_map(|line| {
            let (severity, rest) = line.split_once('[')?;
            let is_one = ["error", "warning"].contains(&severity);
            is_one.then(|| format!("{severity}: {}", rest.split(']').next().unwrap_or_default()))
        })
        .collect();
    found.dedup();
    if found.is_empty() { "-".to_owned() } else { found.join(", ") }
}

fn planned(folder: &Path) -> String {
    let planned = rotator(folder, &["plan", "--sandbox"]);
    let warned = planned.stdout.contains("Warning:") || planned.stderr.contains("warning");
    match planned.code {
        0 if warned => "warning".to_owned(),
        0 => "-".to_owned(),
        _ => "error".to_owned(),
    }
}

fn applied(folder: &Path) -> String {
    let applied = rotator(folder, &["apply", "--sandbox", "--auto-approve", "--rotation-timeout", "20s"]);
    match applied.code {
        0 => "-".to_owned(),
        1 => "error".to_owned(),
        4 => "the rotation".to_owned(),
        code => format!("exit {code}"),
    }
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "# The gallery of faults\n\nFunctions with one fault each, made of [key.py](key.py) and [login.py](login.py), which have none, and what finds it: the warnings and\nerrors of `validate`, `plan --sandbox`, the check of `rotator test`, and `apply --sandbox`. [The test](../end_to_end/gallery.rs) that makes this\ntable has the faults; it runs each, and holds the columns of `validate` and `test` to what they find.\n\n| fault | `validate` | `plan` | `test` | `apply --sandbox` |\n|---|---|---|---|---|\n",
    );
    for (fault, row) in FAULTS.iter().zip(rows) {
        let _ = writeln!(out, "| {} | {} | {} | {} | {} |", fault.name, row.validate, row.plan, row.test, row.apply);
    }
    out
}

/// Without it, right functions would be refused, and the test be switched off.
#[test]
fn functions_without_a_fault_pass() {
    prepare_runtime();
    let signing =
        MANIFEST_OF_KEY.replace("timeout: 20\n    test:\n", "timeout: 20\n    test: {secret: the-first-key}\n");
    let signing: String =
        signing.lines().filter(|line| !line.starts_with("      ")).fold(String::new(), |all, line| all + line + "\n");
    let of = |name: &str| text(&gallery().join(name));
    let service = gallery().join("service.py");
    let all = [
        ("key", folder(MANIFEST_OF_KEY, &of("key.py"), &service)),
        ("login", folder(MANIFEST_OF_LOGIN, &of("login.py"), &service)),
        ("signing key", folder(&signing, &signing_key(), &service)),
    ];
    side_by_side(&all, |(name, folder)| {
        let tested = rotator(folder.path(), &["test", "--format", "json"]).exits(0);
        assert_eq!(ended(&tested, "failed"), Vec::<String>::new(), "{name}");
        assert_eq!(ended(&tested, "not_tested"), Vec::<String>::new(), "{name}");
    });
}
