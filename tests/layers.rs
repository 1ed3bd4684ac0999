//! The rules of the layers, read from the `use` lines: who may know whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each folder of `src` may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &["model"]),
    ("diagnostic", &["diagnostic"]),
    ("tree", &["tree"]),
    ("config", &["config", "model", "package", "requirements", "diagnostic", "tree"]),
    ("plan", &["plan", "model"]),
    ("status", &["status", "model"]),
    ("permissions", &["permissions", "model"]),
    ("begin", &["begin", "render"]),
    ("import", &["import", "config", "plan", "model"]),
    ("git", &["git", "config", "tree"]),
    ("package", &["package", "model", "tree"]),
    ("requirements", &["requirements"]),
    ("inspect", &["inspect", "model", "package"]),
    ("aws", &["aws", "model", "package", "env"]),
    ("apply", &["apply", "plan", "model", "aws"]),
    ("render", &["render", "plan", "status", "permissions", "import", "trial", "apply", "aws", "diagnostic", "model"]),
    ("trial", &["trial", "sandbox", "model"]),
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
    ("pep440_rs", &["requirements"]),
    ("ruff_python_ast", &["inspect"]),
    ("ruff_python_parser", &["inspect"]),
    ("ruff_text_size", &["inspect"]),
    ("saphyr_parser", &["config"]),
    ("tokio", &["apply", "aws", "cli", "sandbox"]),
];

/// What the pure folders may not touch at all.
const PURE: &[&str] = &["std::fs", "std::env", "std::time::SystemTime", "std::process", "std::net", "Utc::now"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let mut text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                if path.starts_with(root().join("sandbox")) {
                    // A package of its own, which the tool knows by this name.
                    text = text.replace("crate::", "crate::sandbox::");
                }
                found.insert(path, text);
            }
        }
    }
    let root = root();
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

/// Without it the planner could fetch, and the sandbox share the tool's mistakes, unseen.
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
fn plans_are_pure() {
    for (path, text) in sources() {
        if ["plan", "model", "status", "permissions", "import", "inspect", "requirements"]
            .contains(&layer(&path).as_str())
        {
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
        if layer(&path) == "sandbox" || is_gallery(&path) {
            continue;
        }
        for line in code(&text) {
            // What reads functions' code, or tests it, knows those calls by their names, as texts: it can call nothing.
            let line = &if ["inspect", "trial"].contains(&layer(&path).as_str()) {
                without_texts(line)
            } else {
                line.to_owned()
            };
            // `GetSecretValue`, `get_secret_value` and `GET_SECRET_VALUE` are one name.
            let plain = line.to_lowercase().replace('_', "");
            let named = VALUES.iter().find(|name| plain.contains(&name.replace('_', "")));
            assert!(named.is_none(), "{} names {named:?}: {}", path.display(), line.trim());
        }
    }
}

/// Functions that tests look into: texts, none of which this program says or runs.
fn is_gallery(path: &Path) -> bool {
    path.starts_with("inspect/tests")
}

/// A line without its literal texts.
fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect()
}

/// Without it, another of the service's calls could slip in under another name.
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
    let known = [
        "cancel_rotate_secret",
        "describe_secret",
        "list_secret_version_ids",
        "list_secrets",
        "rotate_secret",
        "update_secret_version_stage",
    ];
    assert_eq!(called.into_iter().collect::<Vec<_>>(), known);
    // The clients have no other way out of their places than by these calls.
    assert_eq!(all.matches("aws_sdk_secretsmanager::Client").count(), 3, "two fields, one place that fills them");
    for client in clients {
        assert_eq!(all.matches(client).count(), all.matches(&format!("{client}.")).count());
    }
}

/// Without it, a command that people are given could go to whatever region they have set, or from a rehearsal to a real account.
#[test]
fn commands_of_aws_cli_are_made_in_one_place() {
    const SERVICES: &[&str] =
        &["secretsmanager", "lambda", "cloudformation", "logs", "serverlessrepo", "sts", "cloudtrail", "iam"];
    for (path, text) in sources() {
        if layer(&path) == "sandbox" || path.ends_with("render/command.rs") || is_gallery(&path) {
            continue;
        }
        let named = |line: &&str| SERVICES.iter().any(|service| line.contains(&format!("aws {service} ")));
        // What `--help` says of a sandbox that is served sets the endpoint before it.
        let without = without_tests(&text);
        let found = code(&without).find(|line| named(line) && !line.contains("AWS_REGION="));
        assert!(found.is_none(), "{}: {}", path.display(), found.unwrap_or_default().trim());
    }
}

/// Folders whose files never use each other in a circle, the file that declares others included: one can read them downwards.
const WITHOUT_CIRCLES: &[&str] = &["cli", "sandbox"];

/// Folders in which files that stand side by side never use each other in a circle. A folder's own `mod.rs`, or the file of its name,
/// stands above them: it may hold what all of them use.
const WITHOUT_CIRCLES_BELOW: &[&str] =
    &["apply", "aws", "config", "git", "import", "inspect", "model", "package", "plan", "render"];

/// The files of `src` as modules: their paths in the crate.
struct Modules {
    texts: BTreeMap<Vec<String>, String>,
    /// What each module's `use` lines bring in: by name, as a path in the crate.
    names: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl Modules {
    fn read() -> Self {
        let mut texts = BTreeMap::new();
        for (path, text) in sources() {
            let mut module: Vec<String> = path
                .with_extension("")
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            // What tests use says nothing about the code.
            let of_tests = |name: &String| name == "tests" || name == "fixtures" || name.ends_with("_tests");
            if module.iter().any(of_tests) {
                continue;
            }
            let text = without_tests(&text);
            // Whom something may be seen by isn't used by that.
            texts.insert(module, code(&text).collect::<Vec<_>>().join("\n").replace("(in crate::", "(in "));
        }
        let mut modules = Self { texts, names: BTreeMap::new() };
        let mut names = BTreeMap::new();
        for (module, text) in &modules.texts {
            let all: BTreeMap<String, Vec<String>> = uses(text)
                .iter()
                .filter_map(|used| {
                    let (path, name) = used.split_once(" as ").unwrap_or((used, used));
                    let name = name.trim_end_matches("::self").rsplit("::").next()?.trim();
                    Some((name.to_owned(), modules.whole(module, path.trim())?))
                })
                .collect();
            names.insert(module.clone(), all);
        }
        modules.names = names;
        modules
    }

    /// A path as it is written in a module, from the crate's root; none where it leads out of the crate.
    fn whole(&self, module: &[String], path: &str) -> Option<Vec<String>> {
        let mut parts = path.split("::").map(str::trim).filter(|part| *part != "self").peekable();
        let mut whole = module.to_vec();
        match *parts.peek()? {
            "crate" => {
                parts.next();
                whole.clear();
            }
            "super" => {
                while parts.next_if_eq(&"super").is_some() {
                    whole.pop();
                }
            }
            first => {
                whole.push(first.to_owned());
                if path.starts_with("self") || self.texts.contains_key(&whole) {
                    whole.pop();
                } else {
                    return None;
                }
            }
        }
        whole.extend(parts.map(str::to_owned));
        Some(whole)
    }

    /// The file that a path leads to, also where another one hands the name on.
    fn file(&self, path: &[String], steps: usize) -> Vec<String> {
        let at = (0..=path.len()).rev().find(|at| self.texts.contains_key(&path[..*at])).unwrap_or_default();
        let (module, rest) = path.split_at(at);
        let handed_on = rest.first().and_then(|name| self.names.get(module)?.get(name)).filter(|to| *to != path);
        match handed_on {
            Some(to) if steps > 0 => {
                let further: Vec<String> = to.iter().chain(&rest[1..]).cloned().collect();
                self.file(&further, steps - 1)
            }
            _ => module.to_vec(),
        }
    }

    /// The files that a file uses; one that declares another uses it.
    fn used_by(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let text = &self.texts[module];
        let mut paths: Vec<String> = uses(text).into_iter().map(|used| used.replace("::self", "")).collect();
        let declared = text.lines().filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod "));
        paths.extend(declared.map(|(_, name)| format!("self::{name}")));
        let bodies: String = text
            .split("use ")
            .enumerate()
            .map(|(at, part)| match at {
                0 => part,
                _ => part.split_once(';').map_or("", |(_, rest)| rest),
            })
            .collect();
        let words = bodies.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        paths.extend(
            words
                .filter(|word| ["crate::", "super::", "self::"].iter().any(|start| word.starts_with(start)))
                .map(str::to_owned),
        );
        let files = paths.iter().filter_map(|path| Some(self.file(&self.whole(module, path)?, 5)));
        files.filter(|file| !file.is_empty() && file != module).collect()
    }
}

/// A file without what only tests have: modules that it declares for them, and all from a module of tests on.
fn without_tests(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]\n");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match (part.find(';'), part.find('{')) {
            (Some(end), brace) if brace.is_none_or(|brace| end < brace) => kept.push_str(&part[end + 1..]),
            _ => break,
        }
    }
    kept
}

/// The paths of a text's `use` lines, each by itself: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn uses(text: &str) -> Vec<String> {
    fn spread(tree: &str, found: &mut Vec<String>) {
        let Some((start, inner)) = tree.split_once('{') else {
            found.push(tree.split_whitespace().collect::<Vec<_>>().join(" "));
            return;
        };
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        let (mut depth, mut from) = (0, 0);
        for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let item = inner[from..at].trim();
                    if !item.is_empty() {
                        spread(&format!("{}{item}", start.trim()), found);
                    }
                    from = at + 1;
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let starts = rest[..at].lines().last().is_none_or(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with("pub")
        });
        rest = &rest[at + 4..];
        if let Some(end) = rest.find(';').filter(|_| starts) {
            spread(&rest[..end], &mut found);
        }
    }
    found
}

/// The lines by which files use each other in circles.
fn circles(mut left: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<String> {
    // A file that uses none of those that are left is in no circle, nor is one that none of them uses.
    loop {
        let before = left.len();
        let names: BTreeSet<Vec<String>> = left.keys().cloned().collect();
        left.retain(|_, used| used.iter().any(|file| names.contains(file)));
        let used: BTreeSet<Vec<String>> = left.values().flatten().cloned().collect();
        left.retain(|module, _| used.contains(module));
        if left.len() == before {
            break;
        }
    }
    let lines = left.iter().flat_map(|(module, used)| {
        let used = used.iter().filter(|file| left.contains_key(*file));
        used.map(|file| format!("{} uses {}", module.join("/"), file.join("/")))
    });
    lines.collect()
}

fn is_in(module: &[String], folders: &[&str]) -> bool {
    module.first().is_some_and(|first| folders.contains(&first.as_str()))
}

/// Without it, files would come to know each other all round, and none could be read, moved or changed without the others.
#[test]
fn files_use_each_other_in_no_circle() {
    let modules = Modules::read();
    let known = modules.texts.keys().filter(|module| is_in(module, WITHOUT_CIRCLES));
    let graph: BTreeMap<_, _> = known.map(|module| (module.clone(), modules.used_by(module))).collect();
    assert!(graph.values().any(|used| used.len() > 3), "the files' `use` lines are read");
    let lines = circles(graph);
    assert!(lines.is_empty(), "files use each other in circles:\n{}", lines.join("\n"));
}

/// Without it, the files of a folder would grow together. Folders within folders count as one there, and have their own files.
#[test]
fn files_side_by_side_use_each_other_in_no_circle() {
    let modules = Modules::read();
    let mut graph: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for from in modules.texts.keys().filter(|module| is_in(module, WITHOUT_CIRCLES_BELOW)) {
        for to in modules.used_by(from) {
            let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            if shared > 0 && shared < from.len() && shared < to.len() {
                graph.entry(from[..=shared].to_vec()).or_default().insert(to[..=shared].to_vec());
            }
        }
    }
    for folder in WITHOUT_CIRCLES_BELOW {
        assert!(graph.keys().any(|module| module[0] == *folder), "the files' `use` lines of {folder} are read");
    }
    let lines = circles(graph);
    assert!(lines.is_empty(), "files use each other in circles:\n{}", lines.join("\n"));
}
