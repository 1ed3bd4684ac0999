//! States as Terraform shows them, and as people and attackers send them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::import::{Here, LeftOut, Managed, Outcome, Place, TaggedSecret};
use crate::model::account::Account;
use crate::model::record::SecretRecord;

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";
const PLANTED: &str = "planted-value-d4e5f6";

fn secret(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// An instance, in the order of members that Terraform writes.
fn instance(address: &str, kind: &str, values: &Value) -> Value {
    let mode = if address.contains("data.") { "data" } else { "managed" };
    let name = address.rsplit_once('.').map_or(address, |(_, name)| name);
    json!({"address": address, "mode": mode, "type": kind, "name": name, "schema_version": 1, "values": values, "sensitive_values": {"id": PLANTED}})
}

fn rotation(address: &str, arn: &str) -> Value {
    let rules = json!([{"automatically_after_days": 30, "duration": "", "schedule_expression": ""}]);
    let values = json!({"id": arn, "secret_id": arn, "rotation_lambda_arn": function("f"), "rotation_rules": rules});
    instance(address, ROTATION, &values)
}

fn document(version: &str, resources: &[Value], modules: &[Value]) -> String {
    // `serde_json` sorts members by name here, as `jq -S` does: `type` still stands before `values`.
    json!({
        "format_version": "1.0",
        "terraform_version": version,
        "values": {"outputs": {"o": {"value": PLANTED}}, "root_module": {"resources": resources, "child_modules": modules}},
    })
    .to_string()
}

fn state(version: &str, resources: &[Value], modules: &[Value]) -> State {
    read(document(version, resources, modules).as_bytes()).expect("a state")
}

fn wrong(text: impl AsRef<[u8]>) -> String {
    let wrong = read(text.as_ref()).expect_err("it isn't taken");
    let said = format!("{wrong:?}");
    assert!(!said.contains(PLANTED), "{said}");
    said
}

fn account(secrets: &[&str]) -> Account {
    let one = |name: &&str| TaggedSecret {
        record: SecretRecord {
            name: (*name).to_owned(),
            arn: secret(name),
            function_arn: Some(Arc::from(format!("{}:live", function("f")))),
            ..SecretRecord::default()
        },
        tags: BTreeMap::new(),
    };
    Account {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        partition: "aws".to_owned(),
        secrets: secrets.iter().map(one).collect(),
        functions: BTreeMap::new(),
        stacks: Ok(Vec::new()),
    }
}

fn moved(state: &State, secrets: &[&str], outcome: Outcome) -> Moves {
    let (account, managed, variables) = (account(secrets), Managed::default(), BTreeMap::new());
    let place = Place { target: None, account: &account, managed: &managed, variables: &variables };
    moves(state, &[place], &[outcome], &|secret| secret.record.name != "filtered")
}

fn texts<'a>(all: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    all.into_iter().map(String::as_str).collect()
}

/// Without it, Terraform would let go of what no manifest has, or keep what one has; or a file for it be refused by it.
#[test]
fn blocks_move_whole_and_instances_alone() {
    let child = |name: &str, resources: &[Value], modules: &[Value]| json!({"resources": resources, "child_modules": modules, "address": name});
    let id = |name: &str| rotation(&format!(r#"aws_secretsmanager_secret_rotation.each["{name}"]"#), &secret(name));
    let deep = child(
        "module.a.module.b",
        &[rotation("module.a.module.b[0].aws_secretsmanager_secret_rotation.r", &secret("deep"))],
        &[],
    );
    let mut deposed = rotation("aws_secretsmanager_secret_rotation.old", &secret("a"));
    deposed["deposed_key"] = json!("00000000");
    let elsewhere = secret("a").replace(REGION, "us-east-1");
    let resources = [
        rotation("aws_secretsmanager_secret_rotation.whole[0]", &secret("a")),
        rotation("aws_secretsmanager_secret_rotation.whole[1]", &secret("b")),
        id("c"),
        id("gone"),
        id("off"),
        rotation("aws_secretsmanager_secret_rotation.filtered", &secret("filtered")),
        rotation("aws_secretsmanager_secret_rotation.elsewhere", &elsewhere),
        rotation("aws_secretsmanager_secret_rotation.named", "just/a/name"),
        rotation("no address", &secret("a")),
        deposed,
        instance(
            "aws_secretsmanager_secret.a",
            SECRET,
            &json!({"arn": secret("a"), "rotation_lambda_arn": function("f")}),
        ),
        instance(
            "aws_secretsmanager_secret.old[\"x\"]",
            SECRET,
            &json!({"arn": secret("d"), "rotation_lambda_arn": function("f")}),
        ),
        instance(
            "aws_secretsmanager_secret.plain",
            SECRET,
            &json!({"arn": secret("plain"), "rotation_lambda_arn": ""}),
        ),
        instance(
            "aws_lambda_function.f",
            FUNCTION,
            &json!({"arn": function("f"), "environment": [{"variables": {"X": PLANTED}}]}),
        ),
        instance("data.aws_lambda_function.g", FUNCTION, &json!({"arn": function("g")})),
        instance(
            "aws_secretsmanager_secret_version.a",
            "aws_secretsmanager_secret_version",
            &json!({"id": PLANTED, "arn": PLANTED}),
        ),
    ];
    let state = state("1.11.4", &resources, &[child("module.a", &[], &[deep])]);
    assert!(!format!("{state:?}").contains(PLANTED));
    assert_eq!((state.rotations(), state.secrets(), state.version.as_deref()), (11, 3, Some("1.11.4")));
    let regions: Vec<String> = state.places().into_iter().map(|(_, region)| region).collect();
    assert_eq!(regions, [REGION, "us-east-1"]);
    let outcome = Outcome { left_out: vec![("off".to_owned(), secret("off"), LeftOut::Off)], ..Outcome::default() };
    let moves = moved(&state, &["a", "b", "c", "d", "off", "deep", "filtered", "other"], outcome);
    let blocks = ["aws_secretsmanager_secret_rotation.whole", "module.a.module.b.aws_secretsmanager_secret_rotation.r"];
    assert_eq!(texts(moves.removed.keys()), blocks);
    assert_eq!(moves.removed[blocks[0]].len(), 2);
    assert_eq!(texts(&moves.forgotten), [r#"aws_secretsmanager_secret_rotation.each["c"]"#]);
    assert_eq!(texts(&moves.arguments), ["aws_secretsmanager_secret.old"]);
    assert_eq!((moves.moved, texts(&moves.functions)), (5, vec!["aws_lambda_function.f"]));
    let stays: Vec<(&str, Stays)> = moves.stays.iter().map(|(address, why)| (address.as_str(), why.clone())).collect();
    assert_eq!(
        stays,
        [
            (r#"aws_secretsmanager_secret_rotation.each["gone"]"#, Stays::NotThere),
            (r#"aws_secretsmanager_secret_rotation.each["off"]"#, Stays::LeftOut(LeftOut::Off)),
            (
                "aws_secretsmanager_secret_rotation.elsewhere",
                Stays::Elsewhere { account: ACCOUNT.to_owned(), region: "us-east-1".to_owned() }
            ),
            ("aws_secretsmanager_secret_rotation.filtered", Stays::Filtered),
            ("aws_secretsmanager_secret_rotation.named", Stays::Unclear),
            ("no address", Stays::Unclear),
        ]
    );
}

/// Without it, a file of `removed` blocks would be written for a Terraform that doesn't know them.
#[test]
fn an_old_terraform_gets_commands() {
    for (version, is_old) in
        [("0.12.31", true), ("1.6.6", true), ("1.7.0-rc1", false), ("1.11.4", false), ("2.0.0", false), ("x", false)]
    {
        let state = state(version, &[rotation("aws_secretsmanager_secret_rotation.r", &secret("a"))], &[]);
        let moves = moved(&state, &["a"], Outcome::default());
        assert_eq!(
            (moves.is_old, moves.removed.is_empty(), moves.forgotten.len()),
            (is_old, is_old, usize::from(is_old)),
            "{version}"
        );
    }
}

/// Without it, a stack would have two that deploy it, or none.
#[test]
fn stacks_move_where_their_functions_are_adopted() {
    let stack = |name: &str, region: &str| {
        let id = format!("arn:aws:cloudformation:{region}:{ACCOUNT}:stack/serverlessrepo-{name}/1-2-3");
        instance(&format!("{STACK}.{name}"), STACK, &json!({"id": id, "name": name, "parameters": {"x": PLANTED}}))
    };
    let resources = [stack("own", REGION), stack("other", REGION), stack("far", "us-east-1")];
    let state = state("1.11.4", &resources, &[]);
    let adopted = ["own", "far"].map(str::to_owned).into();
    let moves = moved(&state, &[], Outcome { adopted, ..Outcome::default() });
    assert_eq!(texts(moves.removed.keys()), [format!("{STACK}.own")]);
    assert!(!Managed::of([], Here { partition: "aws", region: REGION, account: ACCOUNT }).deploys("own"));
}

/// Without it, what people give by mistake would be taken for an empty state, or be answered in words that don't help.
#[test]
fn other_documents_are_told_apart() {
    assert!(wrong("").contains("Nothing") && wrong(" \n").contains("Nothing"));
    assert!(wrong(b"\xff\xfe{\0}\0").contains("Utf16"));
    assert!(wrong("# aws_x.y:\nresource").contains("NoJson(1, 1)"));
    assert!(wrong("{\n  \"format_version\": nonsense}").contains("NoJson(2"));
    let whole = document("1.11.4", &[rotation("aws_secretsmanager_secret_rotation.r", &secret("a"))], &[]);
    for end in (1..whole.len()).step_by(7) {
        assert!(wrong(&whole[..end]).contains("Truncated"), "{end}");
    }
    read(format!("\u{feff}{whole}\n").as_bytes()).expect("a mark of UTF-8 is nothing");
    assert!(wrong(format!("{whole}{whole}")).contains("NoJson"));
    assert!(wrong(r#"{"format_version":"1.2","planned_values":{},"prior_state":{}}"#).contains("Plan"));
    assert!(wrong("{\"@level\":\"info\",\"type\":\"version\"}\n{\"@level\":\"info\"}").contains("Log"));
    assert!(wrong(r#"{"version":4,"terraform_version":"1.5.0","resources":[]}"#).contains("StateFile(Some(4))"));
    assert!(wrong(r#"{"lineage":"x","version":4}"#).contains("StateFile(None)"));
    assert!(wrong(r#"{"format_version":"1.0"}"#).contains("Empty"));
    assert!(wrong(r#"{"format_version":"2.0","values":{}}"#).contains("Format(\"2.0\")"));
    for text in ["[]", "1", "\"x\"", "{}", "null", r#"{"password":{"sensitive":true,"type":"string","value":"x"}}"#] {
        assert!(wrong(text).contains("Other"), "{text}");
    }
    let order =
        format!(r#"{{"values":{{"root_module":{{"resources":[{{"values":{{"id":"{PLANTED}"}},"type":"aws_x"}}]}}}}}}"#);
    assert!(wrong(order).contains("Order"));
    // Anything may stand anywhere.
    for part in ["null", "1", "\"x\"", "[]", "{}", "[1,{}]", "true", "-1", "1.5"] {
        for text in [
            format!(r#"{{"format_version":"1.0","values":{part}}}"#),
            format!(r#"{{"format_version":"1.0","values":{{"root_module":{part}}}}}"#),
            format!(
                r#"{{"format_version":"1.0","values":{{"root_module":{{"resources":{part},"child_modules":{part}}}}}}}"#
            ),
            format!(
                r#"{{"format_version":"1.0","values":{{"root_module":{{"resources":[{{"address":{part},"mode":"managed","type":"{ROTATION}","values":{part}}},{{"type":{part}}}]}}}}}}"#
            ),
        ] {
            read(text.as_bytes()).expect(&text);
        }
    }
}

/// A document that never ends.
struct Endless;

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b'[');
        buffer[0] = b'{';
        Ok(buffer.len())
    }
}

/// Without it, a document could take all of the machine's memory, or end the program.
#[test]
fn depth_is_bounded_and_long_texts_are_not_kept() {
    let deep =
        format!(r#"{{"format_version":"1.0","values":{{"root_module":{}"#, r#"{"child_modules":["#.repeat(100_000));
    assert!(wrong(deep).contains("NoJson"));
    let ignored =
        format!(r#"{{"format_version":"1.0","x":{}{},"values":{{}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    read(ignored.as_bytes()).expect("what is passed over may be deep");
    let long =
        rotation(&format!("aws_secretsmanager_secret_rotation.{}", "x".repeat(100_000)), &secret(&"y".repeat(100_000)));
    let state = state("1.11.4", &[long], &[]);
    assert!(format!("{state:?}").len() < 1000 && state.rotations() == 1);
    assert!(read(Endless).is_err());
}
