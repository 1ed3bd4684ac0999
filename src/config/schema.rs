//! The JSON Schema that editors and validators use, made from the types that are read.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::policy_file::PolicyFile;
use super::raw::RootFile;

/// The JSON Schema (draft-07) of a manifest, pretty, the same bytes every time, with a final newline.
pub fn json_schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<RootFile>();
    let mut schema = schema.to_value();
    as_written(&mut schema);
    if let Value::Object(root) = &mut schema {
        // A part holds none of the root's own fields, and then needs neither of the two that a root must have.
        let of_root = [
            "version",
            "project",
            "requires",
            "include",
            "targets",
            "prune",
            "removed",
            "renamed_from",
            "limits",
            "policy",
            "freeze",
            "acknowledge",
        ];
        let any: Vec<Value> = of_root.iter().map(|field| json!({ "required": [field] })).collect();
        root.insert("if".to_owned(), json!({ "anyOf": any }));
        root.insert("then".to_owned(), json!({ "required": ["version", "project"] }));
    }
    printed(&schema)
}

/// The JSON Schema (draft-07) of a policy's file, as [`json_schema`] is of a manifest.
pub fn policy_schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<PolicyFile>();
    let mut schema = schema.to_value();
    as_written(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert("required".to_owned(), json!(["version"]));
        root.insert("anyOf".to_owned(), json!([{ "required": ["policy"] }, { "required": ["freeze"] }]));
    }
    printed(&schema)
}

fn printed(schema: &Value) -> String {
    // Printing a value of our own making can't fail; an empty schema would be noticed at once by the comparing test.
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// What the types don't say: no field is required, since defaults may state it, and what is `null` is as if absent.
fn as_written(schema: &mut Value) {
    let maps = ["labels", "parameters"];
    if let Value::Object(members) = schema {
        if let Some(Value::Object(properties)) = members.get_mut("properties") {
            for name in maps {
                let values = properties.get_mut(name).and_then(|map| map.get_mut("additionalProperties"));
                if let Some(values) = values {
                    *values = json!({ "type": ["string", "null"] });
                }
            }
            members.remove("required");
        }
        members.values_mut().for_each(as_written);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(as_written);
    }
}
