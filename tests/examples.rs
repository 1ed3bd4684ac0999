//! Every example is valid: for a foreign JSON Schema validator, and for the tool.

use std::path::{Path, PathBuf};

fn manifests(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("examples are readable") {
        let path = entry.expect("examples are readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
        // Other programs' own files: workflows, hooks, Atlantis's projects. `tests/peers` has them checked.
        if name.starts_with('.') || name == "atlantis.yaml" {
            continue;
        }
        if path.is_dir() {
            manifests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// Without it editors would underline what the tool accepts, or the README's examples would rot.
#[test]
fn examples_satisfy_the_schema_and_the_tool() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read_to_string(root.join("schema/rotator.schema.json")).expect("the schema is committed");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::draft7::new(&schema).expect("the schema is draft-07");
    let mut found = Vec::new();
    manifests(&root.join("examples"), &mut found);
    assert!(found.len() >= 4, "{found:?}");
    for path in &found {
        let text = std::fs::read_to_string(path).expect("examples are UTF-8");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("examples are YAML");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    let roots: Vec<PathBuf> = found.into_iter().filter(|path| path.ends_with("rotator.yaml")).collect();
    let loaded = rotator::config::load(&roots).map_err(|problems| format!("{problems:?}")).expect("valid");
    assert_eq!(loaded.warnings, []);
}

/// The README's manifest is the quickstart's: what people read first is what they run first.
#[test]
fn the_readme_shows_the_quickstart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a first manifest");
    let real = std::fs::read_to_string(root.join("examples/quickstart/rotator.yaml")).expect("the quickstart");
    let value = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).expect("YAML");
    assert_eq!(value(shown), value(&real));
}
