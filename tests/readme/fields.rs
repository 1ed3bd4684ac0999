//! The tables of fields in `schema/README.md`: what a field is and which values it takes come from the published schemas; its
//! default, an example and what happens when it is removed are written by hand, and must be there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use rotator::config::{self, Ambient};
use rotator::plan::diff::{Consequence, Difference, compare};

use super::pages::repository;

const BEGIN: &str = "<!-- fields of ";
const END: &str = "<!-- end of fields -->\n";

/// What people write, of a row.
#[derive(Clone, Default)]
struct ByHand {
    default: String,
    example: String,
    removed: String,
}

/// A published schema with its name.
fn schema(name: &str) -> Value {
    let path = repository().join(format!("schema/{name}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is committed")).expect("JSON")
}

/// What has fields, by name: a schema's root or one of its definitions. The second is what `$ref` is resolved in.
fn structures() -> BTreeMap<String, (Value, Value)> {
    let mut found = BTreeMap::new();
    for (file, name) in [("policy", "policy file"), ("rotator", "manifest")] {
        let schema = schema(file);
        let definitions = schema["definitions"].clone();
        for (name, one) in definitions.as_object().expect("definitions") {
            if one["properties"].is_object() {
                found.insert(name.clone(), (one.clone(), definitions.clone()));
            }
        }
        found.insert(name.to_owned(), (schema, definitions));
    }
    found
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// Which values a schema takes, in words.
fn values(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return match name {
            "code" => "a path, [`path_code`](#path_code), or [`s3_code`](#s3_code)".to_owned(),
            "at_most" => "a number, or a percentage in quotes".to_owned(),
            name => format!("[`{name}`](#{name})"),
        };
    }
    if let Some(options) = schema["anyOf"].as_array() {
        // A variable may stand for any value, and `null` for none: the page says so once.
        let is_own = |one: &&Value| {
            one["type"] != "null" && !one["pattern"].as_str().is_some_and(|pattern| pattern.contains(r"\$\{"))
        };
        let words: Vec<String> = options.iter().filter(is_own).map(values).collect();
        return words.join(", or ");
    }
    if let Some(one) = schema.get("const") {
        return format!("`{one}`");
    }
    if let Some(options) = schema["enum"].as_array() {
        let words: Vec<String> =
            options.iter().filter(|one| !one.is_null()).map(|one| format!("`{}`", bare(one))).collect();
        return words.join(", ");
    }
    let kinds = [&schema["type"], &schema["type"][0]];
    let is = |kind: &str| kinds.iter().any(|one| *one == kind);
    if is("integer") {
        let bound = |name: &str| schema[name].as_i64().map(|number| number.to_string());
        return match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            (Some(least), None) => format!("a whole number from {least} on"),
            _ => "a whole number".to_owned(),
        };
    }
    if is("boolean") {
        return "`true` or `false`".to_owned();
    }
    if is("array") {
        return format!("a list: {}", values(&schema["items"]));
    }
    if is("object") {
        let inner = &schema["additionalProperties"];
        let inner = if inner.is_object() { values(inner) } else { "text, a number, or a list".to_owned() };
        return format!("a map: {inner}");
    }
    match schema["pattern"].as_str() {
        Some(pattern) => format!("text as `{pattern}`"),
        None => "text".to_owned(),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A field's description, and what of it is its default.
fn described(schema: &Value) -> (String, Option<String>) {
    let text = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    match text.split_once("Default: ") {
        Some((what, default)) => (what.trim().to_owned(), Some(default.trim_end_matches('.').to_owned())),
        None => (text, None),
    }
}

/// The rows of a table, by field.
fn by_hand(table: &str) -> BTreeMap<String, ByHand> {
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        let field = cells[1].trim_matches('`').to_owned();
        let at = |index: usize| cells.get(index).cloned().unwrap_or_default();
        rows.insert(field, ByHand { default: at(4), example: at(5), removed: at(6) });
    }
    rows
}

/// A table, and what is missing in it.
fn table(name: &str, structure: &Value, written: &BTreeMap<String, ByHand>, missing: &mut Vec<String>) -> String {
    let mut out = String::from(
        "\n| field | what it is | values | default | example | when it is removed |\n|---|---|---|---|---|---|\n",
    );
    for (field, schema) in structure["properties"].as_object().expect("fields") {
        let (what, default) = described(schema);
        let mut row = written.get(field).cloned().unwrap_or_default();
        row.default = default.unwrap_or(row.default);
        if row.default.is_empty() || row.example.is_empty() || row.removed.is_empty() {
            missing.push(format!("{name}: {field}"));
        }
        let cells = [what, values(schema), row.default, row.example, row.removed].map(|text| cell(&text));
        let _ = writeln!(out, "| `{field}` | {} |", cells.join(" | "));
    }
    out.push('\n');
    out
}

/// Without it, a field could come that no page explains, or the page go on with a range that the tool no longer takes.
#[test]
fn every_field_is_explained() {
    let path = repository().join("schema/README.md");
    let page = std::fs::read_to_string(&path).expect("the page of manifests");
    let structures = structures();
    let (mut wanted, mut rest, mut missing) = (String::new(), page.as_str(), Vec::new());
    let mut shown = Vec::new();
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").expect("a name of fields");
        let (found, after) = after.split_once(END).expect("an end of fields");
        let (structure, _) = structures.get(name).unwrap_or_else(|| panic!("no schema has `{name}`"));
        let made = table(name, structure, &by_hand(found), &mut missing);
        let _ = write!(wanted, "{before}{BEGIN}{name} -->\n{made}{END}");
        shown.push(name.to_owned());
        rest = after;
    }
    wanted.push_str(rest);
    if std::env::var_os("ROTATOR_REGENERATE").is_some() {
        std::fs::write(&path, &wanted).expect("writable");
    } else {
        assert!(page == wanted, "the schemas have changed: ROTATOR_REGENERATE=1 cargo test --test readme");
    }
    assert!(missing.is_empty(), "write default, example, and what happens when it is removed, of {missing:#?}");
    shown.sort();
    assert_eq!(shown, structures.into_keys().collect::<Vec<_>>(), "each has one table");
}

/// Without it, an example that people copy could be one that the tool refuses.
#[test]
fn examples_of_fields_are_valid() {
    let page = std::fs::read_to_string(repository().join("schema/README.md")).expect("the page of manifests");
    let mut count = 0;
    for (name, (structure, definitions)) in structures() {
        let table = page.split_once(&format!("{BEGIN}{name} -->\n")).expect("a table of its fields").1;
        for (field, row) in by_hand(table.split(END).next().unwrap_or_default()) {
            let text = row.example.trim_matches('`');
            let example: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
            assert!(example.get(&field).is_some(), "{name}: `{text}` shows no `{field}`");
            let whole = json!({
                "definitions": definitions, "properties": structure["properties"], "additionalProperties": false,
            });
            let validator = jsonschema::draft7::new(&whole).expect("a draft-07 schema");
            let errors: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: `{text}`: {errors:?}");
            count += 1;
        }
    }
    assert!(count >= 60, "only {count} examples were found");
}

/// Without it, the page could promise that AWS keeps what a removed field said, where the tool does otherwise.
#[test]
fn what_is_said_to_stay_stays() {
    let page = std::fs::read_to_string(repository().join("schema/README.md")).expect("the page of manifests");
    let table = page.split_once(&format!("{BEGIN}function -->\n")).expect("a table of its fields").1;
    let rows = by_hand(table.split(END).next().unwrap_or_default());
    let folder = tempfile::tempdir().expect("a folder");
    let code = folder.path().join("functions/stripe");
    std::fs::create_dir_all(&code).expect("a folder");
    std::fs::write(code.join("lambda_function.py"), "def lambda_handler(event, context): pass\n").expect("written");
    let desired = |field: &str| {
        let text = format!("version: 1\nproject: p\nfunctions:\n  f: {{labels: {{a: b}}{field}}}\n");
        let path = folder.path().join("rotator.yaml");
        std::fs::write(&path, text).expect("written");
        let loaded = config::load(&[path]).map_err(|problems| format!("{field}: {problems:?}")).expect("valid");
        loaded.manifests[0].resolve(0, &Ambient::default()).expect("resolved")
    };
    let without = desired("");
    let mut count = 0;
    for (field, row) in &rows {
        let is_said = row.removed.contains("no longer managed");
        let name = row.example.trim_matches('`');
        // Labels stand in the base already; the others make another function, or have fields of their own.
        if ["application", "existing", "labels", "name", "stack", "targets"].contains(&field.as_str()) {
            assert!(!is_said, "{field}");
            continue;
        }
        let before = desired(&format!(", {name}"));
        let differences = compare(&[before], std::slice::from_ref(&without));
        let stays = |one: &Difference| one.consequences.contains(&Consequence::NoLongerManaged);
        let is_so = !differences.is_empty() && differences.iter().all(stays);
        assert_eq!(is_said, is_so, "{field}: {differences:?}");
        count += usize::from(is_said);
    }
    assert!(count >= 10, "only {count} fields are said to stay");
}

/// A manifest around one structure.
fn around(name: &str, inner: Value) -> Value {
    let with = |field: &str, value: Value| json!({ "version": 1, "project": "p", field: value });
    match name {
        "manifest" => inner,
        "path_code" | "s3_code" => with("functions", json!({ "f": { "code": inner } })),
        "select" => {
            let mut manifest = with("select", json!({ "r": inner }));
            manifest["functions"] = json!({ "stripe": { "existing": "stripe-rotation" } });
            manifest["defaults"] = json!({ "secrets": { "rotation": { "automatically_after_days": 30 } } });
            manifest
        }
        "vpc" => with("functions", json!({ "f": { "vpc": inner } })),
        "freeze" => with("freeze", json!([inner])),
        "acknowledgement" => with("acknowledge", json!([inner])),
        "exemption" => with("policy", json!([{ "name": "x", "max_age_days": 90, "exempt": [inner] }])),
        "rule" => {
            let mut rule = inner;
            rule["max_age_days"] = json!(90);
            with("policy", json!([rule]))
        }
        other => panic!("no manifest is known around `{other}`"),
    }
}

/// Without it, the page could call a field required that isn't, or have people remove one that is.
#[test]
fn what_is_said_to_be_required_is() {
    let page = std::fs::read_to_string(repository().join("schema/README.md")).expect("the page of manifests");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rotator.yaml");
    let code = folder.path().join("functions/stripe");
    std::fs::create_dir_all(&code).expect("a folder");
    std::fs::write(code.join("lambda_function.py"), "def lambda_handler(event, context): pass\n").expect("written");
    let is_valid = |manifest: &Value| {
        std::fs::write(&path, manifest.to_string()).expect("written");
        config::load(std::slice::from_ref(&path)).is_ok()
    };
    let mut count = 0;
    for name in structures().into_keys().filter(|name| name != "policy file") {
        let table = page.split_once(&format!("{BEGIN}{name} -->\n")).expect("a table of its fields").1;
        let rows = by_hand(table.split(END).next().unwrap_or_default());
        let mut whole = json!({});
        let required: Vec<&String> =
            rows.iter().filter(|(_, row)| row.default.starts_with("required")).map(|(field, _)| field).collect();
        for field in &required {
            let example: Value = serde_yaml::from_str(rows[*field].example.trim_matches('`')).expect("YAML");
            whole[field.as_str()] = example[field.as_str()].clone();
        }
        if required.is_empty() {
            continue;
        }
        assert!(is_valid(&around(&name, whole.clone())), "{name}: more than {required:?} is required");
        for field in required {
            assert!(rows[field].removed.starts_with("an error"), "{name}: {field}");
            let mut without = whole.clone();
            without.as_object_mut().expect("a map").remove(field);
            assert!(!is_valid(&around(&name, without)), "{name} does without `{field}`");
            count += 1;
        }
    }
    assert!(count >= 12, "only {count} fields are required");
}
