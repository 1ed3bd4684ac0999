//! Manifests and policies: whatever is written in YAML.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rotator::config::{self, Ambient, Problems};
use rotator::diagnostic::{Diagnostic, Position};
use rotator::render::{annotations, diagnostics};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{assert_tame, text};

/// Any bytes as a root manifest.
pub fn front_end(data: &[u8]) {
    with_file("rotator.yaml", data, |path| load(path, data));
    agreement(data);
}

/// The first line becomes a variable's value, the rest is what uses it.
pub fn variables(data: &[u8]) {
    let text = text(data);
    let (value, template) = text.split_once('\n').unwrap_or(("x", &text));
    let manifest = json!({
        "version": 1,
        "project": "p",
        "targets": {"dev": {"region": "eu-west-1", "account": "111111111111", "vars": {"a": value, "n": 7, "l": ["x", value]}}},
        "functions": {"f": {"existing": "f"}},
        "secrets": {"s": {
            "function": "f",
            "name": template,
            "labels": {"one": format!("${{a}}{template}"), "two": format!("{template}${{n}}")},
            "targets": ["dev"],
            "rotation": {"schedule_expression": template},
        }},
    });
    json_manifest(&manifest);
    // What is replaced once is never looked at again: a value that looks like a variable stays what it is.
    let plain = json!({
        "version": 1, "project": "p",
        "targets": {"dev": {"region": "eu-west-1", "account": "111111111111", "vars": {"a": "x$${target}y"}}},
        "functions": {"f": {"existing": "f"}},
        "secrets": {"s": {"function": "f", "name": "n-${a}", "labels": {"t": "${a}"}, "rotation": {"automatically_after_days": 1}}},
    });
    with_file("rotator.yaml", plain.to_string().as_bytes(), |path| {
        let loaded = config::load(&[path.to_path_buf()]);
        // `$` can't stand in a secret's name: it is refused, and not replaced a second time.
        assert!(loaded.is_err(), "the result of a replacement was replaced again");
    });
}

/// A text in every place that takes a name, an ARN, a path, a pattern or an address.
pub fn fields(data: &[u8]) {
    let text = text(data);
    let manifest = json!({
        "version": 1,
        "requires": text,
        "project": text,
        "renamed_from": text,
        "include": [text],
        "removed": [text, format!("secret.{text}"), format!("dev/function.{text}")],
        "targets": {"dev": {"region": text, "account": text, "role": text, "apply_role": text, "vars_from": text}, text.clone(): {}},
        "defaults": {"functions": {"name": text}, "secrets": {"targets": [text]}},
        "functions": {
            "f": {"existing": text},
            "g": {
                "name": text, "stack": text, "application": {"id": text, "version": text, "parameters": {text.clone(): text}},
                "code": text, "runtime": text, "handler": text, "architecture": text, "layers": [text], "description": text,
                "environment": {text.clone(): text}, "vpc": {"subnets": [text], "security_groups": [text]}, "timeout": text,
            },
            "h": {"code": {"s3_bucket": text, "s3_key": text, "sha256": text}},
            "i": {"code": {"path": text, "exclude": [text], "include": [text]}},
            "j": {"code": {"path": ".", "exclude": [text], "include": [text]}},
            text.clone(): {},
        },
        "secrets": {
            "s": {"function": text, "name": text, "labels": {text.clone(): text}, "rotation": {"duration": text, "enabled": text}},
            text.clone(): {"function": "f", "rotation": {"automatically_after_days": text}},
        },
        "limits": {"changed": text, "stopped": text},
    });
    json_manifest(&manifest);
    // One field at a time: where everything is wrong, some checks never run.
    let fields = [
        ("/project", json!(text)),
        ("/functions/f/existing", json!(text)),
        ("/secrets/s/name", json!(text)),
        ("/secrets/s/labels", json!({"a": text})),
        ("/secrets/s/rotation/schedule_expression", json!(text)),
        ("/targets/dev/role", json!(text)),
    ];
    for (place, value) in fields {
        let mut manifest = json!({
            "version": 1, "project": "p",
            "targets": {"dev": {"region": "eu-west-1", "account": "111111111111", "role": "arn:aws:iam::111111111111:role/r"}},
            "functions": {"f": {"existing": "f"}},
            "secrets": {"s": {"function": "f", "name": "s", "labels": {}, "rotation": {"schedule_expression": "rate(4 days)"}}},
        });
        if let Some(field) = manifest.pointer_mut(place) {
            *field = value;
        }
        json_manifest(&manifest);
    }
}

/// Any bytes as a file of rules.
pub fn policies(data: &[u8]) {
    with_file("policy.yaml", data, |path| {
        let found = match config::policies(&[path.to_path_buf()]) {
            Ok(policies) => policies.warnings,
            Err(Problems(found)) => found,
        };
        judge(&found, path, data);
    });
}

/// A manifest in JSON, which is YAML too.
pub fn json_manifest(manifest: &Value) {
    let text = manifest.to_string();
    with_file("rotator.yaml", text.as_bytes(), |path| load(path, text.as_bytes()));
}

/// Loads a manifest, resolves what was accepted, and judges every word that is said about it.
fn load(path: &Path, data: &[u8]) {
    let loaded = match config::load(&[path.to_path_buf()]) {
        Ok(loaded) => loaded,
        Err(Problems(found)) => {
            assert!(!found.is_empty(), "a manifest is refused without a reason");
            return judge(&found, path, data);
        }
    };
    judge(&loaded.warnings, path, data);
    let ambient = Ambient::placeholders();
    for manifest in &loaded.manifests {
        let _ = (manifest.project(), manifest.limits(), manifest.policy().len(), manifest.files().len());
        for index in 0..manifest.targets().len() {
            // What was accepted without AWS's environment is accepted with the same one.
            let desired = match manifest.resolve(index, &ambient) {
                Ok(desired) => desired,
                Err(Problems(found)) => panic!("accepted, and refused when resolved: {found:?}"),
            };
            let again = format!("{:?}", manifest.resolve(index, &ambient).ok());
            assert_eq!(again, format!("{:?}", Some(&desired)), "resolved twice, differently");
            for secret in desired.secrets.values().filter(|secret| !secret.name.starts_with("arn:")) {
                let sound = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-!".contains(c);
                // What services put into the names that they give isn't known.
                let of_service = |c: char| c.is_ascii_graphic() && secret.name.contains('!');
                assert!(
                    secret.name.chars().all(|c| sound(c) || of_service(c)),
                    "{:?} can't be a secret's name",
                    secret.name
                );
            }
        }
    }
}

/// Every problem is at a place of its file, and can be printed in each way without steering a terminal.
fn judge(found: &[Diagnostic], path: &Path, data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    let whole = whole.strip_prefix('\u{feff}').unwrap_or(&whole);
    let lines = whole.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = lines.split('\n').collect();
    for problem in found {
        assert!(!problem.summary.is_empty() && !problem.check.is_empty());
        let places = problem.position.iter().chain(problem.related.iter().map(|(position, _)| position));
        for place in places.filter(|place| place.file == path) {
            inside(place, &lines, problem);
        }
    }
    for width in [40, 120] {
        assert_tame(&diagnostics::render(found, false, width));
    }
    let commands = annotations::github(found);
    assert_tame(&commands);
    assert!(
        commands.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")),
        "{commands:?}"
    );
    let sarif = annotations::sarif(found, path);
    assert_tame(&sarif);
    let sarif: Value = serde_json::from_str(&sarif).expect("SARIF is JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(found.len()));
}

fn inside(place: &Position, lines: &[&str], problem: &Diagnostic) {
    let line = lines.get(place.line.wrapping_sub(1));
    let Some(line) = line else { panic!("line {} of {}: {problem:?}", place.line, lines.len()) };
    let width = line.chars().count();
    assert!(place.column >= 1 && place.length >= 1, "{problem:?}");
    // A long line is named and not measured.
    assert!(line.len() > 4096 || place.column <= width + 1, "column {} of {width}: {problem:?}", place.column);
    assert!(
        line.len() > 4096 || place.column - 1 + place.length <= width + 1,
        "{} characters from column {} of {width}: {problem:?}",
        place.length,
        place.column
    );
}

/// What is read from a text is the same in another reader of YAML, as reviewers' tools and editors have one: a manifest that
/// showed them something else than it does could not be reviewed.
///
/// Readers differ in what they refuse, which is no danger.
fn agreement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Where merge keys lead is checked by the program's own tests.
    if text.contains("<<") {
        return;
    }
    if let (Ok(ours), Ok(theirs)) = (config::value(text), serde_yaml::from_str::<serde_yaml::Value>(text)) {
        assert!(same(&ours, &theirs), "{ours:?}\nis elsewhere\n{theirs:?}");
    }
}

fn same(ours: &serde_yaml::Value, theirs: &serde_yaml::Value) -> bool {
    use serde_yaml::Value::{Bool, Mapping, Null, Number, Sequence, String, Tagged};
    match (ours, theirs) {
        (ours, Tagged(theirs)) => same(ours, &theirs.value),
        (Null, Null) => true,
        (Bool(ours), Bool(theirs)) => ours == theirs,
        (String(ours), String(theirs)) => ours == theirs,
        // Here a number keeps its text, such as `012`, and is refused where a text is wanted; nothing is lost on the way.
        (Number(_), String(theirs)) => theirs.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)),
        (Number(ours), Number(theirs)) => {
            let apart = |(ours, theirs): (f64, f64)| (ours - theirs).abs() > f64::EPSILON * ours.abs();
            ours == theirs || !ours.as_f64().zip(theirs.as_f64()).is_some_and(apart)
        }
        (Sequence(ours), Sequence(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Mapping(ours), Mapping(theirs)) => {
            // Keys are texts here, whatever they look like.
            ours.len() == theirs.len() && ours.values().zip(theirs.values()).all(|(ours, theirs)| same(ours, theirs))
        }
        _ => false,
    }
}

/// Runs on a file in a folder of its own, which goes with the thread.
fn with_file(name: &str, data: &[u8], run: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }
    let path: PathBuf = FOLDER.with_borrow_mut(|folder| {
        folder.get_or_insert_with(|| tempfile::tempdir().expect("a temporary folder")).path().join(name)
    });
    std::fs::write(&path, data).expect("a file can be written");
    run(&path);
}

fn below(folder: &str, found: &mut Vec<Vec<u8>>, wanted: &dyn Fn(&str) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let folder = folder.canonicalize().unwrap_or(folder);
    let mut folders = vec![folder];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| wanted(&name.to_string_lossy())) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    found.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()));
}

/// The manifests of the tests and examples.
pub fn examples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for folder in ["tests/manifests", "examples"] {
        below(folder, &mut found, &|name| Path::new(name).extension().is_some_and(|one| one == "yaml"));
    }
    below("tests", &mut found, &|name| name == "everything.yaml");
    found
}

/// Rules as people write them.
pub fn rules() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    below("tests/manifests", &mut found, &|name| name.starts_with("policy"));
    found.push(
        b"version: 1\npolicy:\n  - name: fresh\n    match: {targets: [\"prod-*\"], secrets: [\"prod/*\"], labels: {tier: gold}}\n    enabled: true\n    max_age_days: 90\n    max_interval_days: 60\n    window: {from: \"22:00\", to: \"06:00\", days: [FRI, SAT], max_hours: 4}\n    require_labels: [owner]\n    require: [code, account]\n    forbid: [stops-rotation, deletes]\n    exempt:\n      - {secrets: [prod/legacy/*], reason: \"SEC-17\", until: \"2030-06-30\"}\n".to_vec(),
    );
    found
}

/// Texts with variables in them.
pub fn templates() -> Vec<Vec<u8>> {
    [
        "v\n${a}",
        "v\nprod/${a}-${n}",
        "${a}\n$${a}${a}",
        "rate(4 days)\n${a}",
        "x\n${target}/${key}/${region}/${account}/${partition}",
        "x\n${",
        "x\n${a",
        "x\n${}",
        "x\n$$${a}}",
        "x\n${l}",
        "x\n${ä}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
