//! Each value's place, through every layer that can bring one.

use crate::config::{Ambient, Manifest, load};
use crate::model::Kind;
use crate::model::explanation::{EffectiveValue, ExplainedValue, Explanation, Layer, Origin, VariableSource};

const ROOT: &str = "version: 1
project: p
include: [parts/*.yaml]
defaults:
  targets: {vars: {shared: x}}
  secrets: {name: \"${env}-${shared}/${key}\", rotation: {automatically_after_days: 30, duration: 12h}}
  functions:
    vpc: \"${vpc}\"
    environment: {TOKEN: \"${token}\"}
    application: {parameters: {excludeCharacters: \"ab\"}}
targets:
  dev: {vars: {env: dev, token: private}, vars_from: dev.json}
functions:
  f: {memory: 128, description: \"${account}\"}
  g: {existing: g}
";

const PART: &str = "defaults:
  secrets: {function: f, rotation: {automatically_after_days: 7}}
secrets:
  a: &a {labels: {owner: me}}
  b: {<<: *a, rotation: {schedule_expression: \"rate(8 hours)\"}}
  c: {rotation: {automatically_after_days: null, duration: null, enabled: false}}
";

fn manifest() -> (tempfile::TempDir, Manifest) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("parts")).expect("a folder");
    let vars = "{\"vpc\": {\"subnets\": [\"subnet-1\"], \"security_groups\": [\"sg-1\"]}}";
    for (name, text) in [("rotator.yaml", ROOT), ("parts/part.yaml", PART), ("dev.json", vars)] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let manifest = load(&[folder.path().to_path_buf()]).expect("valid").manifests.pop().expect("one");
    (folder, manifest)
}

fn explain(kind: Kind, handle: &str) -> Explanation {
    let (_folder, manifest) = manifest();
    manifest.explain(0, &Ambient::placeholders(), kind, handle).expect("valid").expect("it is there")
}

fn value<'a>(one: &'a Explanation, path: &str) -> &'a ExplainedValue {
    one.values.iter().find(|value| value.path == path).unwrap_or_else(|| panic!("{path}: {one:?}"))
}

fn text(value: &str) -> EffectiveValue {
    EffectiveValue::Text(value.to_owned())
}

/// The layer, the file's name, and the line.
fn place(value: &ExplainedValue) -> (Layer, String, usize) {
    let Origin::Written { layer, at } = &value.origin else { panic!("not written: {value:?}") };
    (*layer, at.file.file_name().unwrap_or_default().to_string_lossy().into_owned(), at.line)
}

/// Without it, a value would be blamed on the wrong file, which is worse than on none.
#[test]
fn every_layer_is_told_from_the_others() {
    let a = explain(Kind::Secret, "a");
    assert_eq!(place(value(&a, "labels.owner")), (Layer::Entry, "part.yaml".into(), 4));
    assert_eq!(place(value(&a, "function")), (Layer::PartDefaults, "part.yaml".into(), 2));
    assert_eq!(place(value(&a, "rotation.automatically_after_days")), (Layer::PartDefaults, "part.yaml".into(), 2));
    assert_eq!(place(value(&a, "rotation.duration")), (Layer::RootDefaults, "rotator.yaml".into(), 6));
    assert_eq!(value(&a, "name").value, text("dev-x/a"));
    let sources: Vec<&VariableSource> = value(&a, "name").variables.iter().map(|variable| &variable.source).collect();
    assert!(
        matches!(sources[..], [VariableSource::Vars(own), VariableSource::DefaultVars(inherited), VariableSource::Key]
            if (own.line, inherited.line) == (12, 5)),
        "{sources:?}"
    );
    // A merge key's value is the entry's own, and stands where the anchor is; an own schedule hides the inherited one.
    let b = explain(Kind::Secret, "b");
    assert_eq!(place(value(&b, "labels.owner")), (Layer::Entry, "part.yaml".into(), 4));
    assert!(!b.values.iter().any(|value| value.path == "rotation.automatically_after_days"), "{b:?}");
    // The inherited window is longer than this schedule allows: AWS's own is used, as the plan does.
    let window = value(&b, "rotation.duration");
    assert_eq!(window.value, text("1h"));
    assert!(matches!(&window.origin, Origin::Default(why) if why.contains("`12h` doesn't fit")), "{window:?}");
}

/// Without it, what isn't written would be missing, or look as if AWS's value were known.
#[test]
fn what_nobody_wrote_is_a_default_or_not_managed() {
    let f = explain(Kind::Function, "f");
    assert_eq!(value(&f, "name").value, text("f"));
    assert!(matches!(value(&f, "application.id").origin, Origin::Default(_)));
    let managed_where_stated =
        ["runtime", "handler", "architecture", "layers", "timeout", "ephemeral_storage", "tracing"];
    assert_eq!(f.unmanaged, managed_where_stated);
    assert_eq!(value(&f, "description").variables[0].source, VariableSource::Environment);
    let g = explain(Kind::Function, "g");
    let paths: Vec<&str> = g.values.iter().map(|value| value.path.as_str()).collect();
    assert_eq!(paths, ["name", "existing", "targets"], "an existing function inherits nothing");
    let c = explain(Kind::Secret, "c");
    assert_eq!(c.unmanaged, ["rotation's schedule"]);
    assert_eq!(place(value(&c, "rotation.enabled")), (Layer::Entry, "part.yaml".into(), 6));
    let (_folder, manifest) = manifest();
    let none = manifest.explain(0, &Ambient::placeholders(), Kind::Secret, "nothing").expect("valid");
    assert_eq!(none, None);
}

/// Without it, an explanation in a public log could hold what the plan never shows.
#[test]
fn private_values_and_their_variables_are_not_shown() {
    let f = explain(Kind::Function, "f");
    for path in ["environment.TOKEN", "application.parameters.excludeCharacters"] {
        assert_eq!(value(&f, path).value, EffectiveValue::Sensitive);
    }
    assert_eq!(value(&f, "environment.TOKEN").variables[0].value, None);
    assert!(!format!("{f:?}").contains("private"), "{f:?}");
    // A variable that is a whole map is known in each of its fields.
    let subnets = value(&f, "vpc.subnets");
    assert_eq!(subnets.value, EffectiveValue::List(vec!["subnet-1".to_owned()]));
    assert_eq!(place(subnets), (Layer::RootDefaults, "rotator.yaml".into(), 8));
    assert!(matches!(&subnets.variables[0].source, VariableSource::VarsFrom(at) if at.line == 1), "{subnets:?}");
}
