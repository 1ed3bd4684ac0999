//! Every example is valid: for a foreign JSON Schema validator, and for the tool. Those that begin something are what `rotator init`
//! writes, and all functions have the same contract: with `ROTATOR_REGENERATE=1`, they are written anew from `src/begin`.

use std::path::{Path, PathBuf};

use rotator::begin::{Beginning, Kind, Language, Target, contract};

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

/// The examples that `rotator init` has begun: folder, kind, language, function, secret.
const BEGUN: [(&str, Kind, Language, &str, &str); 4] = [
    ("quickstart", Kind::SigningKey, Language::Python, "SecretsManagerSigningKey", "quickstart/signing-key"),
    ("http-login", Kind::Password, Language::Python, "SecretsManagerHttpLogin", "http-login/app"),
    ("vendor-key", Kind::ApiKey, Language::Python, "SecretsManagerVendorKey", "vendor/api-key"),
    ("broker", Kind::AdminPassword, Language::Node, "SecretsManagerBrokerLogin", "broker/app"),
];

fn regenerates() -> bool {
    std::env::var_os("ROTATOR_REGENERATE").is_some()
}

/// Without it, an example would be a second copy of what `init` writes, with the faults that were mended there.
#[test]
fn examples_are_what_init_begins() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (folder, kind, language, function, secret) in BEGUN {
        let beginning = Beginning {
            kind,
            language,
            project: folder.to_owned(),
            function: function.to_owned(),
            secret: secret.to_owned(),
            target: Target::default(),
            schema: Some("../../schema/rotator.schema.json".to_owned()),
        };
        for file in beginning.files() {
            let path = root.join(folder).join(&file.path);
            if regenerates() {
                std::fs::create_dir_all(path.parent().expect("below a folder")).expect("folders");
                std::fs::write(&path, &file.text).expect("written");
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(found, file.text, "{}: run with ROTATOR_REGENERATE=1", path.display());
        }
    }
}

fn functions(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("examples are readable") {
        let path = entry.expect("examples are readable").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.ends_with("lambda_function.py") || path.ends_with("index.mjs") {
            found.push(path);
        }
    }
}

/// Without it, the contract of the four steps would be written anew in each example, and be right in some.
#[test]
fn functions_of_examples_have_the_one_contract() {
    let mut found = Vec::new();
    functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &mut found);
    assert!(found.len() > BEGUN.len(), "{found:?}");
    for path in found {
        let language =
            if path.extension().is_some_and(|ending| ending == "py") { Language::Python } else { Language::Node };
        let (contract, text) = (contract(language), std::fs::read_to_string(&path).expect("code is text"));
        let heading = contract.lines().next().expect("a contract");
        let (own, _) = text.split_once(heading).unwrap_or_else(|| panic!("{} has no contract", path.display()));
        if regenerates() {
            std::fs::write(&path, format!("{own}{contract}")).expect("written");
        } else {
            assert!(text.ends_with(contract), "{}: run with ROTATOR_REGENERATE=1", path.display());
        }
    }
}
