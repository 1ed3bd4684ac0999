//! The rules of the layers, read from the `use` lines: who may know whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each folder of `src` may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &["model"]),
    ("diagnostic", &["diagnostic"]),
    ("tree", &["tree"]),
    ("config", &["config", "model", "package", "diagnostic", "tree"]),
    ("plan", &["plan", "model"]),
    ("git", &["git", "config", "tree"]),
    ("package", &["package", "model", "tree"]),
    ("aws", &["aws", "model", "package", "env"]),
    ("apply", &["apply", "plan", "model", "aws"]),
    ("render", &["render", "plan", "apply", "aws", "diagnostic", "model"]),
    ("sandbox", &["sandbox"]),
    ("env", &["env"]),
    ("exit", &["exit"]),
];

/// Crates that only some folders may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("aws_", &["aws"]),
    ("clap", &["cli"]),
    ("globset", &["model"]),
    ("indicatif", &["cli"]),
    ("axum", &["sandbox"]),
    ("serde_yaml", &["config"]),
    ("saphyr_parser", &["config"]),
    ("tokio", &["apply", "aws", "cli", "sandbox"]),
];

/// What the pure folders may not touch at all.
const PURE: &[&str] = &["std::fs", "std::env", "std::time::SystemTime", "std::process", "std::net", "Utc::now"];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                found.insert(path, text);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &mut found);
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).expect("below src").to_owned(), text)).collect()
}

/// The folder (or file) of `src` that a source belongs to.
fn layer(path: &Path) -> String {
    let first = path.components().next().expect("not empty").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines that are code, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Without it the differ could fetch, and the sandbox share the tool's mistakes, and nobody would see it happen.
#[test]
fn layers_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == layer) else { continue };
        for line in code(&text) {
            for rest in line.split("crate::").skip(1) {
                let used = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if used.chars().next().is_some_and(char::is_lowercase) && !allowed.contains(&used) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "layers use what they may not:\n{}", wrong.join("\n"));
}

/// Without it the SDK would leak into the folders that are to be pure, and replaceable.
#[test]
fn crates_stay_in_their_folders() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        for line in code(&text).filter(|line| line.trim_start().starts_with("use ") || line.contains("::")) {
            for (name, folders) in ONLY_IN {
                let named = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').any(|word| {
                    word.split("::").next().is_some_and(|first| {
                        word.contains("::") && (first == *name || (name.ends_with('_') && first.starts_with(name)))
                    })
                });
                if named && !folders.contains(&layer.as_str()) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "crates are named where they may not be:\n{}", wrong.join("\n"));
}

/// Without it a plan could depend on the clock or on files, and couldn't be saved or tested.
#[test]
fn the_differ_is_pure() {
    for (path, text) in sources() {
        if ["plan", "model"].contains(&layer(&path).as_str()) {
            for word in PURE {
                assert!(!code(&text).any(|line| line.contains(word)), "{} uses {word}", path.display());
            }
        }
    }
}

/// What names a secret's value in the SDK, in Rust's spelling: calls, and members.
const VALUES: &[&str] = &[
    "get_secret_value",
    "batch_get_secret_value",
    "get_random_password",
    "put_secret_value",
    "create_secret",
    "secret_string",
    "secret_binary",
];

/// Without it the promise that values are never read would hang on reviews alone.
#[test]
fn no_call_that_returns_a_value_exists_outside_the_sandbox() {
    for (path, text) in sources() {
        if layer(&path) == "sandbox" {
            continue;
        }
        for line in code(&text) {
            // `GetSecretValue`, `get_secret_value` and `GET_SECRET_VALUE` are one name.
            let plain = line.to_lowercase().replace('_', "");
            let named = VALUES.iter().find(|name| plain.contains(&name.replace('_', "")));
            assert!(named.is_none(), "{} names {named:?}: {}", path.display(), line.trim());
        }
    }
}

/// Without it, another of the service's calls could slip in under a name that nobody thought of.
#[test]
fn these_calls_to_secrets_manager_and_no_others_exist() {
    let all: String = sources()
        .into_iter()
        .filter(|(path, _)| layer(path) == "aws")
        .flat_map(|(_, text)| code(&text).map(str::trim).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // One client looks, the other rotates.
    let clients = ["inner.secrets", "inner.rotations"];
    let called: std::collections::BTreeSet<&str> = clients
        .iter()
        .flat_map(|client| all.split(client).skip(1))
        .filter_map(|rest| rest.strip_prefix('.'))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect();
    let known = ["cancel_rotate_secret", "describe_secret", "list_secret_version_ids", "list_secrets", "rotate_secret"];
    assert_eq!(called.into_iter().collect::<Vec<_>>(), known);
    // The clients have no other way out of their places than by these calls.
    assert_eq!(all.matches("aws_sdk_secretsmanager::Client").count(), 3, "two fields, one place that fills them");
    for client in clients {
        assert_eq!(all.matches(client).count(), all.matches(&format!("{client}.")).count());
    }
}
