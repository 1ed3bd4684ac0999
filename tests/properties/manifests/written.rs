//! Generated manifests: a root, its parts, files of variables, defaults at all levels.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::cases::{Dice, Throws, dice};

/// The dice of a manifest.
#[derive(Debug, Clone)]
pub struct Case {
    functions: Vec<Dice>,
    secrets: Vec<Dice>,
    targets: Vec<Dice>,
    whole: Dice,
}

pub fn case() -> impl Strategy<Value = Case> {
    let functions = prop::collection::vec(dice(80), 0..5);
    let secrets = prop::collection::vec(dice(40), 0..6);
    let targets = prop::collection::vec(dice(60), 0..4);
    (functions, secrets, targets, dice(400)).prop_map(|(functions, secrets, targets, whole)| Case {
        functions,
        secrets,
        targets,
        whole,
    })
}

/// The files of a manifest, as trees.
#[derive(Debug, Clone)]
pub struct Written {
    pub root: Value,
    /// Parts by path, in the order of their paths.
    pub parts: BTreeMap<String, Value>,
    /// Files of variables by path.
    pub files: BTreeMap<String, Value>,
}

impl Written {
    /// Puts it into a folder. JSON is YAML.
    pub fn write(&self, folder: &Path) {
        let write = |path: &str, text: String| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders can be made");
            std::fs::write(path, text).expect("files can be written");
        };
        for (path, tree) in self.parts.iter().chain(&self.files) {
            write(path, format!("{tree:#}"));
        }
        for folder in ["", "services/"] {
            for code in ["a", "b", "f0", "f1", "f2", "f3", "f4"] {
                write(
                    &format!("{folder}code/{code}/lambda_function.py"),
                    "def lambda_handler(event, context):\n    pass\n".to_owned(),
                );
            }
        }
        write("rotator.yaml", format!("{:#}", self.root));
    }

    /// For people.
    pub fn shown(&self) -> String {
        let files = self.parts.iter().chain(&self.files).map(|(path, tree)| format!("--- {path}\n{tree:#}"));
        format!("--- rotator.yaml\n{:#}\n{}", self.root, files.collect::<Vec<_>>().join("\n"))
    }
}

const TARGETS: [&str; 3] = ["dev", "prod-eu", "prod-us"];
const REGIONS: [&str; 3] = ["eu-west-1", "eu-north-1", "us-west-2"];
const PART: [&str; 2] = ["services/a.yaml", "services/b.yaml"];

/// The variables that every target sets, in one way or another.
fn variables(throws: &mut Throws<'_>) -> Vec<(&'static str, Value)> {
    vec![
        ("env", throws.one_of(&[json!("live"), json!("in-${target}"), json!("${region}"), json!("p${partition}")])),
        ("days", throws.one_of(&[json!(30), json!(7)])),
        ("seconds", throws.one_of(&[json!(180), json!(900)])),
        ("yes", throws.one_of(&[json!(true), json!(false)])),
        ("sg", throws.one_of(&[json!("sg-1"), json!("sg-2")])),
        ("subnets", throws.one_of(&[json!(["subnet-2", "subnet-1"]), json!(["subnet-3"])])),
        ("raw", throws.one_of(&[json!("$${not} a variable"), json!("${account}"), json!("plain")])),
        ("number", throws.one_of(&[json!(5), json!(-3)])),
    ]
}

fn target(
    throws: &mut Throws<'_>,
    number: usize,
    inherits_vars: &Map<String, Value>,
    files: &mut BTreeMap<String, Value>,
) -> Value {
    let mut vars = Map::new();
    let mut file = Map::new();
    let (terraform, wins) = (throws.chance(50), throws.chance(30));
    for (name, value) in variables(throws) {
        let (in_file, inherited) = (throws.chance(35), throws.chance(50));
        if inherited && inherits_vars.contains_key(name) {
            continue;
        }
        // Values of files are taken as they are.
        let holds_variable = value.as_str().is_some_and(|text| text.contains('$'));
        if in_file && !holds_variable {
            if wins {
                vars.insert(name.to_owned(), value.clone());
            }
            let value = if wins { json!("overridden") } else { value.clone() };
            let output = json!({ "value": value, "type": "string", "sensitive": false });
            // What the defaults set wins over the file, as `vars` does.
            if !inherits_vars.contains_key(name) {
                file.insert(name.to_owned(), if terraform { output } else { value });
            }
        }
        if !file.contains_key(name) {
            vars.insert(name.to_owned(), value);
        }
    }
    let account = format!("{}", 111_111_111_111_u64 * (number as u64 + 1));
    let mut one = json!({ "region": REGIONS[number], "account": account, "vars": vars });
    if !file.is_empty() {
        if terraform && throws.chance(50) {
            file.insert("password".to_owned(), json!({ "value": "hidden", "type": "string", "sensitive": true }));
        }
        let path = format!("vars/{}.json", TARGETS[number]);
        files.insert(path.clone(), Value::Object(file));
        one["vars_from"] = json!(path);
    }
    if throws.chance(40) {
        one["role"] = json!("arn:${partition}:iam::${account}:role/own-${target}");
    }
    if throws.chance(20) {
        one["apply_role"] = Value::Null;
    }
    one
}

/// A value, or one that needs a variable, where there are some.
fn value(throws: &mut Throws<'_>, variables: bool, plain: &[Value], with: &[Value]) -> Value {
    let (varied, plain, with) = (throws.chance(50), throws.one_of(plain), throws.one_of(with));
    if varied && variables { with } else { plain }
}

/// Fields of a function, as an entry or as defaults state them.
fn function(throws: &mut Throws<'_>, variables: bool, odds: usize) -> Value {
    let mut one = Map::new();
    let mut field = |name: &str, plain: &[Value], with: &[Value]| {
        let (there, absent) = (throws.chance(odds), throws.chance(12));
        let value = value(throws, variables, plain, with);
        if there {
            one.insert(name.to_owned(), if absent { Value::Null } else { value });
        }
    };
    field("code", &[json!("code/a"), json!("code/b"), json!("code/${key}")], &[json!("code/${key}")]);
    field("runtime", &[json!("python3.12"), json!("python3.13")], &[json!("python3.12")]);
    field("timeout", &[json!(30), json!(60)], &[json!("${seconds}")]);
    field("memory", &[json!(128)], &[json!("${seconds}")]);
    field("tracing", &[json!("Active"), json!("PassThrough")], &[json!("Active")]);
    field("ephemeral_storage", &[json!(512)], &[json!(1024)]);
    field(
        "description",
        &[json!("for ${region}"), json!("a $${literal} and $5"), json!("")],
        &[json!("${env}: ${number} ${yes}"), json!("${raw}"), json!("$$${raw}")],
    );
    field("architecture", &[json!("arm64"), json!("x86_64")], &[json!("arm64")]);
    field("shared", &[json!(true), json!(false)], &[json!("${yes}")]);
    field("layers", &[json!(["arn:aws:lambda:eu-west-1:111111111111:layer:one:1"]), json!([])], &[json!([])]);
    let group = json!(["sg-9"]);
    field(
        "vpc",
        &[json!({ "subnets": ["subnet-9", "subnet-8"], "security_groups": group })],
        &[
            json!({ "subnets": "${subnets}", "security_groups": ["${sg}"] }),
            json!({ "subnets": ["subnet-0", "${subnets}"], "security_groups": ["${sg}", "sg-0"] }),
        ],
    );
    field(
        "environment",
        &[json!({ "URL": "a", "GONE": null }), json!({ "USER": "${key}" })],
        &[json!({ "URL": "https://${env}.example", "RAW": "${raw}" }), json!({ "GONE": "${env}", "URL": null })],
    );
    field(
        "application",
        &[json!({ "version": "1.0.2" }), json!({ "parameters": { "excludeCharacters": "#" } })],
        &[json!({ "parameters": { "note": "${env}", "excludeCharacters": null } })],
    );
    field("labels", &[json!({ "owner": "me" }), json!({ "team": "t" })], &[json!({ "owner": "${env}" })]);
    Value::Object(one)
}

fn rotation(throws: &mut Throws<'_>, variables: bool, defaults: bool) -> Value {
    let mut one = Map::new();
    let days = value(throws, variables, &[json!(30), json!(7)], &[json!("${days}")]);
    let expression = throws.one_of(&["rate(10 days)", "cron(0 8 1 * ? *)", "cron(0 20 ? * SUN#1 *)"]);
    match throws.below(100) {
        0..45 => drop(one.insert("automatically_after_days".to_owned(), days)),
        45..75 => drop(one.insert("schedule_expression".to_owned(), json!(expression))),
        _ => {}
    }
    let has_schedule = !one.is_empty();
    // What an entry states itself fits; an inherited window may not fit the schedule that an entry chooses.
    let durations: &[Value] = if defaults && !one.contains_key("schedule_expression") {
        &[json!("3h"), json!("20h")]
    } else {
        &[json!("2h"), json!("3h")]
    };
    let (duration, null) = (throws.one_of(durations), throws.chance(15));
    let stated = throws.chance(40) || (defaults && has_schedule);
    // A default that states a window states its schedule too.
    if has_schedule && stated {
        one.insert("duration".to_owned(), if null { Value::Null } else { duration });
    }
    if throws.chance(15) && has_schedule {
        one.insert("enabled".to_owned(), throws.one_of(&[json!(true), json!(false)]));
    }
    if throws.chance(25) {
        one.insert(
            "rotate_immediately".to_owned(),
            value(throws, variables, &[json!(true), json!(false), Value::Null], &[json!("${yes}")]),
        );
    }
    Value::Object(one)
}

fn defaults(throws: &mut Throws<'_>, variables: bool) -> Value {
    let (functions, secrets) = (throws.chance(70), throws.chance(70));
    let (of_functions, of_rotation) = (function(throws, variables, 25), rotation(throws, variables, true));
    let label = value(throws, variables, &[json!("from defaults")], &[json!("${env}")]);
    let mut one = json!({});
    if functions {
        one["functions"] = of_functions;
        if throws.chance(50) {
            one["functions"]["name"] = json!("SecretsManager-${key}");
        }
    }
    if secrets {
        one["secrets"] = json!({ "rotation": of_rotation, "labels": { "by": label } });
        if throws.chance(50) {
            one["secrets"]["name"] = value(throws, variables, &[json!("all/${key}")], &[json!("${env}/${key}")]);
        }
    }
    one
}

impl Case {
    pub fn write(&self) -> Written {
        let mut throws = self.whole.throws();
        let variables = !self.targets.is_empty();
        let mut root = json!({ "version": 1, "project": "generated", "defaults": defaults(&mut throws, variables) });
        let mut files = BTreeMap::new();
        if variables {
            let mut inherited = json!({ "vars": { "env": "shared-${target}", "days": 14 } });
            if throws.chance(50) {
                inherited["role"] = json!("arn:${partition}:iam::${account}:role/reader");
                inherited["apply_role"] = json!("arn:${partition}:iam::${account}:role/writer");
            }
            let inherits = throws.chance(60);
            let vars = if inherits { inherited["vars"].as_object().cloned().unwrap_or_default() } else { Map::new() };
            if inherits {
                root["defaults"]["targets"] = inherited;
            }
            for (number, dice) in self.targets.iter().enumerate() {
                root["targets"][TARGETS[number]] = target(&mut dice.throws(), number, &vars, &mut files);
            }
        }
        let mut parts: BTreeMap<String, Value> = BTreeMap::new();
        for path in PART {
            let (there, own) = (throws.chance(50), throws.chance(60));
            let defaults = defaults(&mut throws, variables);
            if there {
                parts.insert(
                    path.to_owned(),
                    if own { json!({ "defaults": defaults }) } else { json!({ "secrets": {} }) },
                );
            }
        }
        if !parts.is_empty() {
            root["include"] = json!([throws.one_of(&["services/*.yaml", "services/*"])]);
        }
        let mut homes: Vec<&mut Value> = vec![&mut root];
        homes.extend(parts.values_mut());
        let mut places: Vec<Value> = Vec::new();
        for (number, dice) in self.functions.iter().enumerate() {
            let mut throws = dice.throws();
            let home = throws.below(homes.len());
            let (existing, own_name) = (throws.chance(20), throws.chance(25));
            let mut entry = function(&mut throws, variables, 40);
            if existing {
                entry = json!({ "existing": format!("live-{number}-${{region}}") });
            } else if own_name {
                entry["name"] = json!("own-${key}");
            }
            let targets = places_of(&mut throws, self.targets.len());
            if !targets.is_null() {
                entry["targets"] = targets.clone();
            }
            places.push(targets);
            homes[home]["functions"][format!("f{number}")] = entry;
        }
        for (number, dice) in self.secrets.iter().enumerate() {
            let mut throws = dice.throws();
            let home = throws.below(homes.len());
            let function = throws.below(places.len() + 1);
            let mut entry = json!({});
            if throws.chance(70) {
                entry["rotation"] = rotation(&mut throws, variables, false);
            }
            if throws.chance(25) {
                entry["name"] = json!(format!("own/{number}/${{key}}"));
            }
            if throws.chance(25) {
                entry["labels"] = json!({ "by": null, "and": "${key}" });
            }
            // A secret is where its function is.
            if let Some(targets) = places.get(function) {
                entry["function"] = json!(format!("f{function}"));
                if !targets.is_null() {
                    entry["targets"] = targets.clone();
                }
            }
            homes[home]["secrets"][format!("team/s{number}")] = entry;
        }
        Written { root, parts, files }
    }
}

fn places_of(throws: &mut Throws<'_>, targets: usize) -> Value {
    let (stated, last) = (throws.chance(30), throws.below(targets.max(1)));
    let pattern = throws.one_of(&[json!([TARGETS[last]]), json!(["*"]), json!([format!("*{}", &TARGETS[last][1..])])]);
    if stated && targets > 0 { pattern } else { Value::Null }
}
