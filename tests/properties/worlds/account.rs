//! Generated accounts and manifests: a copy of what was once deployed for real, of which parts are gone, drifted or
//! others', with secrets in every state.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tool::{REGION, Tool};
use crate::cases::{Dice, Throws, dice};
use rotator::plan::Purpose;
use rotator::sandbox::Sandbox;

/// The account that everything was deployed in once. Twelve digits that are nothing else.
const GOLDEN: &str = "707070707070";

/// What is deployed there: name, version, project, and whether it is shared.
const DEPLOYED: [(&str, &str, &str, bool); 7] = [
    ("f0", "1.1.618", "ours", false),
    ("f1", "1.1.560", "ours", false),
    ("f2", "1.1.500", "ours", true),
    ("old0", "1.1.618", "ours", false),
    ("old1", "1.1.560", "ours", false),
    ("g0", "1.1.618", "others", true),
    ("g1", "1.1.560", "others", false),
];

/// The code of functions: each folder, and what is in it.
const CODE: [(&str, &str); 2] = [
    ("a", "def lambda_handler(event, context):\n    return 'a'\n"),
    ("b", "def lambda_handler(event, context):\n    return 'b'\n"),
];

/// Writes a manifest with its code into a folder.
pub fn write(folder: &Path, manifest: &Value) {
    for (name, text) in CODE {
        std::fs::create_dir_all(folder.join(name)).expect("folders can be made");
        std::fs::write(folder.join(name).join("lambda_function.py"), text).expect("files can be written");
    }
    // JSON is YAML.
    std::fs::write(folder.join("rotator.yaml"), manifest.to_string()).expect("files can be written");
}

/// The account in which everything was deployed by the tool itself.
pub struct Golden(Value);

impl Golden {
    pub async fn deploy(sandbox: &Sandbox) -> Self {
        let tool = Tool::connect(&sandbox.url(), GOLDEN).await;
        for project in ["ours", "others"] {
            let mut functions = Map::new();
            for (name, version, _, shared) in DEPLOYED.iter().filter(|(_, _, of, _)| *of == project) {
                let one = json!({ "code": "a", "application": { "version": version }, "shared": shared });
                functions.insert((*name).to_owned(), one);
            }
            let folder = tempfile::tempdir().expect("a folder");
            write(folder.path(), &json!({ "version": 1, "project": project, "functions": functions }));
            let planned = tool.plan(folder.path(), Purpose::Converge { prune: false }).await.expect("a plan");
            assert_eq!(tool.apply(&planned).await, Vec::<String>::new());
        }
        assert!(sandbox.seed_function(GOLDEN, REGION, "legacy"));
        let region = sandbox.shared().read(GOLDEN, REGION, |region| serde_json::to_value(region));
        Self(region.expect("states can be written"))
    }
}

/// The dice of one account and its manifest.
#[derive(Debug, Clone)]
pub struct Case {
    functions: Vec<Dice>,
    secrets: Vec<Dice>,
    lost: Vec<Dice>,
    whole: Dice,
}

pub fn case() -> impl Strategy<Value = Case> {
    let functions = prop::collection::vec(dice(48), 1..4);
    let secrets = prop::collection::vec(dice(24), 0..6);
    let lost = prop::collection::vec(dice(24), 0..4);
    (functions, secrets, lost, dice(16)).prop_map(|(functions, secrets, lost, whole)| Case {
        functions,
        secrets,
        lost,
        whole,
    })
}

/// A manifest, the account that it meets, and what is asked for.
pub struct Built {
    pub manifest: Value,
    region: Value,
    pub purpose: Purpose,
}

impl Built {
    /// The account's state under a number of its own.
    pub fn region(&self, account: &str) -> String {
        self.region.to_string().replace(GOLDEN, account)
    }
}

impl Case {
    pub fn build(&self, golden: &Golden) -> Built {
        let mut region = golden.0.clone();
        let mut whole = self.whole.throws();
        let mut functions = Map::new();
        let mut handles = Vec::new();
        for (number, dice) in self.functions.iter().enumerate() {
            let name = format!("f{number}");
            let mut throws = dice.throws();
            functions.insert(name.clone(), wanted_function(&mut throws, DEPLOYED[number].1));
            live_function(&mut throws, &mut region, &name);
            handles.push(name);
        }
        for number in self.functions.len()..3 {
            remove(&mut region, &format!("f{number}"));
        }
        let existing = whole.maybe(50, &["legacy", "g0", "g1", "nowhere"]);
        if let Some(name) = existing {
            functions.insert("e0".to_owned(), json!({ "existing": name }));
            handles.push("e0".to_owned());
        }
        for old in ["old0", "old1"] {
            if whole.chance(50) {
                remove(&mut region, old);
            }
        }
        let mut secrets = Map::new();
        for (number, dice) in self.secrets.iter().enumerate() {
            let name = format!("s{number}");
            let mut throws = dice.throws();
            let wanted = wanted_secret(&mut throws, &handles);
            if let Some(live) = live_secret(&mut throws, &name, &wanted, existing) {
                region["secrets"]["secrets"][&name] = live;
            }
            secrets.insert(name, wanted);
        }
        // What no manifest names: it rotates with a function of ours, of others, or with none.
        for (number, dice) in self.lost.iter().enumerate() {
            let name = format!("lost{number}");
            let mut throws = dice.throws();
            let function = throws.one_of(&["g0", "old0", "old1", "f0", "f1", "f2", "g1", "legacy", "gone"]);
            let state = throws.one_of(&["on", "on", "off", "never", "stuck", "deleted"]);
            region["secrets"]["secrets"][&name] = secret(&name, state, Some(function), &rules(&mut throws));
        }
        let mut manifest = json!({ "version": 1, "project": "ours", "functions": functions, "secrets": secrets });
        let removed = whole.one_of(&[
            &[][..],
            &[],
            &[],
            &["function.old0"],
            &["secret.lost0"],
            &["function.old1", "secret.lost1"],
        ]);
        if !removed.is_empty() {
            manifest["removed"] = json!(removed);
        }
        let purpose = whole.one_of(&[
            Purpose::Converge { prune: false },
            Purpose::Converge { prune: false },
            Purpose::Converge { prune: true },
            Purpose::Destroy,
        ]);
        Built { manifest, region, purpose }
    }
}

fn wanted_function(throws: &mut Throws<'_>, deployed: &str) -> Value {
    let mut one = json!({ "code": throws.one_of(&["a", "a", "b"]) });
    let versions = [deployed, "1.1.618", "1.1.560", "1.1.500"];
    if let Some(version) = throws.maybe(45, &versions) {
        one["application"]["version"] = json!(version);
    }
    if let Some(excluded) = throws.maybe(15, &["#", ":/@\"'\\"]) {
        one["application"]["parameters"]["excludeCharacters"] = json!(excluded);
    }
    let mut field = |percent, name: &str, values: &[Value]| {
        if let Some(value) = throws.maybe(percent, values) {
            one[name] = value;
        }
    };
    field(40, "timeout", &[json!(30), json!(60)]);
    field(20, "memory", &[json!(128), json!(256)]);
    field(10, "ephemeral_storage", &[json!(512), json!(1024)]);
    field(10, "tracing", &[json!("Active"), json!("PassThrough")]);
    field(15, "description", &[json!("rotates"), json!("")]);
    field(15, "handler", &[json!("lambda_function.lambda_handler")]);
    field(15, "runtime", &[json!("python3.12"), json!("python3.13")]);
    field(20, "architecture", &[json!("x86_64"), json!("arm64")]);
    field(15, "shared", &[json!(true)]);
    field(30, "verify", &[json!(true)]);
    field(40, "environment", &[json!({ "URL": "a" }), json!({ "URL": "b", "GONE": null })]);
    let lists = |subnets: &[&str], groups: &[&str]| json!({ "subnets": subnets, "security_groups": groups });
    field(25, "vpc", &[lists(&["subnet-2", "subnet-1"], &["sg-1"]), lists(&[], &[])]);
    one
}

/// Takes a function away with its stack.
fn remove(region: &mut Value, name: &str) {
    for (of, inner) in [("functions", "functions"), ("stacks", "stacks"), ("stacks", "change_sets")] {
        let Some(map) = region[of][inner].as_object_mut() else { continue };
        let part = format!("stack/serverlessrepo-{name}/");
        map.retain(|key, value| {
            let stack = value["stack"].as_str().unwrap_or_default();
            key != name && !key.contains(&part) && !stack.contains(&part)
        });
    }
}

fn live_function(throws: &mut Throws<'_>, region: &mut Value, name: &str) {
    let kind = throws.below(100);
    match kind {
        55..70 => return remove(region, name),
        // Deleted by hand: its stack is left.
        70..74 => drop(region["functions"]["functions"].as_object_mut().map(|functions| functions.remove(name))),
        _ => {}
    }
    let part = format!("stack/serverlessrepo-{name}/");
    let stacks = region["stacks"]["stacks"].as_object_mut().into_iter().flatten();
    for (_, stack) in stacks.filter(|(id, _)| id.contains(&part)) {
        let tags = &mut stack["definition"]["tags"];
        tags["team"] = json!("payments");
        match kind {
            74..80 => drop(tags.as_object_mut().map(|tags| tags.remove("rotator:project"))),
            80..84 => tags["rotator:project"] = json!("others"),
            84..88 => tags["rotator:shared"] = json!("true"),
            88..90 => stack["status"] = json!("UPDATE_ROLLBACK_FAILED"),
            90..92 => stack["definition"]["parameters"]["excludeCharacters"] = json!("drifted"),
            92..94 => {
                stack["definition"]["parameters"]["vpcSubnetIds"] = json!("subnet-9");
                stack["definition"]["parameters"]["vpcSecurityGroupIds"] = json!("sg-9");
            }
            _ => {}
        }
    }
    let Some(function) = region["functions"]["functions"].get_mut(name) else { return };
    let settings = &mut function["latest"]["settings"];
    // Many are as they were left: else hardly a world would be without drift.
    let drifts = throws.chance(60);
    let mut drift = |percent, field: &str, value: Value| {
        if throws.chance(percent) && drifts {
            settings[field] = value;
        }
    };
    drift(20, "timeout", json!(77));
    drift(10, "memory", json!(512));
    drift(10, "ephemeral_storage", json!(2048));
    drift(10, "tracing", json!("Active"));
    drift(10, "description", json!("drifted"));
    drift(10, "runtime", json!("python3.10"));
    drift(10, "architecture", json!("arm64"));
    drift(10, "vpc", json!({ "subnets": ["subnet-9"], "security_groups": ["sg-9"] }));
    drift(20, "environment", json!({ "URL": "drifted", "GONE": "still there", "FOREIGN": "kept" }));
    if throws.chance(20) {
        function["latest"]["code"] = foreign_code();
    }
    let account = |account: &str| json!({ "StringEquals": { "AWS:SourceAccount": account } });
    let arn = function["arn"].clone();
    let statement = |sid: &str, effect: &str, condition: Option<Value>| {
        let mut one = json!({ "Sid": sid, "Effect": effect, "Principal": { "Service": "secretsmanager.amazonaws.com" },
            "Action": "lambda:InvokeFunction", "Resource": arn });
        if let Some(condition) = condition {
            one["Condition"] = condition;
        }
        one
    };
    let policy = match throws.below(100) {
        70..78 => Some(Vec::new()),
        78..83 => Some(vec![statement("SecretsManagerAccess", "Allow", Some(account("999999999999")))]),
        83..88 => Some(vec![statement("SecretsManagerAccess", "Allow", Some(account(GOLDEN)))]),
        88..93 => Some(vec![statement("by-hand", "Allow", Some(account(GOLDEN)))]),
        _ => None,
    };
    if let Some(statements) = policy {
        function["policies"][""]["statements"] = json!(statements);
    }
}

/// Foreign code, as the sandbox saves code.
fn foreign_code() -> Value {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    zip.start_file("lambda_function.py", options).expect("an entry");
    zip.write_all(b"def lambda_handler(event, context):\n    return 'foreign'\n").expect("written");
    let bytes = zip.finish().expect("a whole zip").into_inner();
    let zip = base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({ "token": "0123456789abcdef0123456789abcdef", "zip": zip })
}

fn rules(throws: &mut Throws<'_>) -> Value {
    throws.one_of(&[
        json!({ "days": 30 }),
        json!({ "days": 7 }),
        json!({ "days": 30, "duration": "4h" }),
        json!({ "expression": "rate(10 days)" }),
        json!({ "expression": "cron(0 2 ? * SUN#1 *)", "duration": "3h" }),
    ])
}

fn wanted_secret(throws: &mut Throws<'_>, handles: &[String]) -> Value {
    let which = throws.below(handles.len() * 4 + 1);
    let live = rules(throws);
    let mut rotation = match &live["days"] {
        Value::Null => json!({ "schedule_expression": live["expression"] }),
        days => json!({ "automatically_after_days": days }),
    };
    if let Some(duration) = live.get("duration") {
        rotation["duration"] = duration.clone();
    }
    match throws.below(100) {
        75..90 => rotation = json!({ "enabled": false }),
        90..95 => rotation["enabled"] = json!(false),
        95.. => rotation = json!({}),
        _ => {}
    }
    if let Some(now) = throws.maybe(50, &[true, false]) {
        rotation["rotate_immediately"] = json!(now);
    }
    let mut one = json!({ "rotation": rotation });
    if which < handles.len() * 4 {
        one["function"] = json!(handles[which / 4]);
    }
    one
}

/// A secret as the sandbox saves it.
fn secret(name: &str, state: &str, function: Option<&str>, rules: &Value) -> Value {
    const THEN: i64 = 1_700_000_000_000;
    let arn = format!("arn:aws:secretsmanager:{REGION}:{GOLDEN}:secret:{name}-AbCdEf");
    let function = function.map(|name| format!("arn:aws:lambda:{REGION}:{GOLDEN}:function:{name}"));
    let mut one = json!({ "name": name, "arn": arn, "created": THEN, "changed": THEN,
        "versions": { "11111111-1111-4111-8111-111111111111": {
            "stages": ["AWSCURRENT"], "value": { "string": "made up" }, "created": THEN } } });
    // Far away: nothing rotates by itself while a case runs.
    let next = 4_000_000_000_000_i64;
    let rotation =
        |enabled: bool| json!({ "enabled": enabled, "function": function, "rules": rules, "last": THEN, "next": next });
    let pending = "22222222-2222-4222-8222-222222222222";
    match state {
        "never" => {}
        "off" => one["rotation"] = rotation(false),
        _ => one["rotation"] = rotation(true),
    }
    match state {
        "stuck" | "rotating" => {
            one["versions"][pending] = json!({ "stages": ["AWSPENDING"], "created": THEN, "rotated": true });
            if state == "rotating" {
                one["rotation"]["run"] = json!({ "token": pending, "tries": 1, "at": 4_000_000_000_000_i64 });
            }
        }
        "healthy" => {
            one["versions"]["11111111-1111-4111-8111-111111111111"]["stages"] = json!(["AWSCURRENT", "AWSPENDING"]);
        }
        "deleted" => one["deleted"] = json!(4_000_000_000_000_i64),
        "empty" => {
            one["versions"] = json!({});
            one["rotation"] = Value::Null;
        }
        "owned" => {
            one["owning_service"] = json!("rds");
            one["rotation"]["function"] = Value::Null;
        }
        "replica" => {
            one["primary_region"] = json!("eu-west-1");
            one["rotation"] = Value::Null;
        }
        "key" => one["kms_key"] = json!(format!("arn:aws:kms:{REGION}:{GOLDEN}:key/1")),
        _ => {}
    }
    if let Some(map) = one.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    one
}

fn live_secret(throws: &mut Throws<'_>, name: &str, wanted: &Value, existing: Option<&str>) -> Option<Value> {
    let states = [
        "never", "on", "on", "on", "on", "off", "off", "healthy", "stuck", "rotating", "deleted", "empty", "owned",
        "replica", "key", "missing",
    ];
    let state = throws.one_of(&states);
    let same_rules = throws.chance(50);
    let other = rules(throws);
    let same_function = throws.chance(65);
    let elsewhere = throws.one_of(&["f0", "f1", "f2", "old0", "g0", "g1", "legacy", "gone"]);
    // A secret without a function in the manifest is one that AWS itself rotates, mostly.
    let state = if wanted["function"].is_null() && throws.chance(75) { "owned" } else { state };
    let wished =
        wanted["function"].as_str().map(|handle| if handle == "e0" { existing.unwrap_or(handle) } else { handle });
    // A secret that the manifest gives no function keeps its live one, which wasn't looked at: here it can be called.
    let function = match wished {
        None => throws.one_of(&["legacy", "g0"]),
        Some(wished) if same_function => wished,
        Some(_) => elsewhere,
    };
    let wished = &wanted["rotation"];
    let mut live = match (&wished["automatically_after_days"], &wished["schedule_expression"]) {
        (Value::Null, Value::Null) => other.clone(),
        (Value::Null, expression) => json!({ "expression": expression }),
        (days, _) => json!({ "days": days }),
    };
    if let Some(duration) = wished.get("duration") {
        live["duration"] = duration.clone();
    }
    (state != "missing").then(|| secret(name, state, Some(function), if same_rules { &live } else { &other }))
}

/// What a reader of a failure needs of an account.
pub fn digest(region: &str) -> String {
    use std::fmt::Write as _;
    let region: Value = serde_json::from_str(region).unwrap_or_default();
    let mut text = String::new();
    let mut each = |of: &Value, look: fn(&Value) -> Value| {
        for (name, value) in of.as_object().into_iter().flatten() {
            // Writing to a string never fails.
            let _ = writeln!(text, "{name}: {}", look(value));
        }
    };
    each(&region["secrets"]["secrets"], Clone::clone);
    each(&region["functions"]["functions"], |one| {
        let settings = &one["latest"]["settings"];
        let managed = [
            "timeout",
            "memory",
            "ephemeral_storage",
            "tracing",
            "environment",
            "vpc",
            "runtime",
            "architecture",
            "description",
        ];
        let mut shown = json!({ "policy": one["policies"][""]["statements"] });
        for field in managed {
            shown[field] = settings[field].clone();
        }
        shown
    });
    each(&region["stacks"]["stacks"], |one| json!({ "status": one["status"], "definition": one["definition"] }));
    text
}
