//! What a manifest means, as slowly and plainly as its format is described: trees are merged, texts are replaced, and the
//! result is read field by field. It shares no line with the tool.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::written::Written;
use crate::schedules::calendar;

/// What stands for the region and account that AWS's environment says.
pub const AMBIENT: (&str, &str) = ("eu-central-1", "121212121212");

/// Why a manifest is refused, in the model's own words.
pub type Refusal = String;

/// One target of a manifest: what the tool should make of it.
pub fn meaning(written: &Written) -> Result<Vec<Value>, Refusal> {
    let root = with_code(&written.root, "");
    let targets: Vec<(Option<&String>, Value)> = match root.get("targets").and_then(Value::as_object) {
        Some(targets) => targets.iter().map(|(name, entry)| (Some(name), entry.clone())).collect(),
        None => vec![(None, json!({}))],
    };
    targets.into_iter().map(|(name, entry)| of_target(written, &root, name.map(String::as_str), &entry)).collect()
}

fn of_target(written: &Written, root: &Value, name: Option<&str>, entry: &Value) -> Result<Value, Refusal> {
    let inherits = if name.is_some() { root["defaults"]["targets"].clone() } else { Value::Null };
    let merged = if name.is_some() { merge(&inherits, entry, false) } else { entry.clone() };
    let region = merged["region"].as_str().unwrap_or(AMBIENT.0).to_owned();
    let account = merged["account"].as_str().unwrap_or(AMBIENT.1).to_owned();
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    let mut variables: BTreeMap<String, Value> = BTreeMap::new();
    variables.extend(name.map(|name| ("target".to_owned(), json!(name))));
    for (name, value) in [("region", &region), ("account", &account), ("partition", &partition.to_owned())] {
        variables.insert(name.to_owned(), json!(value));
    }
    let built_in = variables.clone();
    if let Some(file) = merged["vars_from"].as_str() {
        variables.extend(outputs(&written.files[file]));
    }
    for (name, value) in merged["vars"].as_object().into_iter().flatten() {
        variables.insert(name.clone(), replace(value, &built_in)?);
    }
    let role = |field: &str| -> Result<Value, Refusal> { replace(&merged[field], &variables) };
    let mut functions = Map::new();
    let mut secrets = Map::new();
    let mut parts: Vec<(&str, Value)> = vec![("rotator.yaml", root.clone())];
    parts.extend(written.parts.iter().map(|(path, tree)| (path.as_str(), with_code(tree, "services/"))));
    for (path, part) in &parts {
        for (kind, found) in [("functions", &mut functions), ("secrets", &mut secrets)] {
            let of_root = &root["defaults"][kind];
            let defaults =
                if *path == "rotator.yaml" { of_root.clone() } else { merge(of_root, &part["defaults"][kind], false) };
            for (handle, entry) in part[kind].as_object().into_iter().flatten() {
                let inherits_nothing = kind == "functions" && !entry["existing"].is_null();
                let merged = merge(if inherits_nothing { &Value::Null } else { &defaults }, entry, false);
                if !is_in(&merged["targets"], name) {
                    continue;
                }
                let mut known = variables.clone();
                known.insert("key".to_owned(), json!(handle));
                let whole = replace(&merged, &known)?;
                let read = if kind == "functions" {
                    function(handle, &whole, partition)
                } else {
                    secret(handle, &whole, entry)
                };
                found.insert(handle.clone(), read);
            }
        }
    }
    Ok(json!({
        "target": { "name": name, "region": region, "account": merged["account"],
            "role": role("role")?, "apply_role": role("apply_role")? },
        "functions": functions, "secrets": secrets,
    }))
}

/// A path means another file in each folder that states it: it is marked with its own before anything is merged.
fn with_code(tree: &Value, folder: &str) -> Value {
    match tree {
        Value::Object(map) => {
            let mark = |(key, value): (&String, &Value)| match value {
                Value::String(path) if key == "code" => (key.clone(), json!([folder, path])),
                value => (key.clone(), with_code(value, folder)),
            };
            Value::Object(map.iter().map(mark).collect())
        }
        value => value.clone(),
    }
}

/// Maps merge key by key, scalars and lists replace, `null` means as if absent: in an environment, it deletes a variable.
/// The two forms of a schedule replace each other.
fn merge(base: &Value, over: &Value, keeps_null: bool) -> Value {
    let Value::Object(own) = over else {
        // An absent entry is an empty one.
        return if over.is_null() { without_nulls(base, keeps_null) } else { over.clone() };
    };
    let mut merged = Map::new();
    for (key, value) in base.as_object().into_iter().flatten() {
        let other = match key.as_str() {
            "automatically_after_days" => "schedule_expression",
            "schedule_expression" => "automatically_after_days",
            _ => "",
        };
        let replaced = own.contains_key(key) || own.get(other).is_some_and(|value| !value.is_null());
        if !replaced && (keeps_null || !value.is_null()) {
            merged.insert(key.clone(), without_nulls(value, key == "environment"));
        }
    }
    for (key, value) in own {
        if value.is_null() {
            if keeps_null {
                merged.insert(key.clone(), Value::Null);
            }
            continue;
        }
        let below = base.get(key).filter(|below| below.is_object()).unwrap_or(&Value::Null);
        let value = if value.is_object() { merge(below, value, key == "environment") } else { value.clone() };
        merged.insert(key.clone(), value);
    }
    Value::Object(merged)
}

fn without_nulls(value: &Value, keeps_null: bool) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| keeps_null || !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value, key == "environment"))).collect())
        }
        value => value.clone(),
    }
}

/// The variables of a file: a map, or what `terraform output -json` prints.
fn outputs(file: &Value) -> BTreeMap<String, Value> {
    let map = file.as_object().cloned().unwrap_or_default();
    let is_output = |value: &Value| value.get("value").is_some() && value.get("sensitive").is_some();
    let terraform = map.values().all(is_output);
    let readable = map.into_iter().filter(|(_, value)| !terraform || value["sensitive"] == false);
    readable.map(|(name, value)| (name, if terraform { value["value"].clone() } else { value })).collect()
}

/// Replaces variables in all texts, in no key; what comes out isn't looked at again.
fn replace(value: &Value, variables: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
    Ok(match value {
        Value::String(text) => of_text(text, variables)?,
        Value::Array(items) => {
            let mut all = Vec::new();
            for item in items {
                match (item, replace(item, variables)?) {
                    // A list in a list, where a variable brought it.
                    (Value::String(_), Value::Array(more)) => all.extend(more),
                    (_, one) => all.push(one),
                }
            }
            Value::Array(all)
        }
        Value::Object(map) => {
            let mut all = Map::new();
            for (key, value) in map {
                all.insert(key.clone(), replace(value, variables)?);
            }
            Value::Object(all)
        }
        value => value.clone(),
    })
}

fn of_text(text: &str, variables: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
    let look_up = |name: &str| variables.get(name).cloned().ok_or_else(|| format!("there is no variable {name}"));
    let alone = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = alone.filter(|name| !name.contains(['$', '}'])) {
        return look_up(name);
    }
    let mut result = String::new();
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        let rest: String = characters[at..].iter().collect();
        if rest.starts_with("$${") {
            result.push_str("${");
            at += 3;
        } else if let Some(inner) = rest.strip_prefix("${") {
            let end = inner.find('}').ok_or("a variable isn't closed")?;
            match look_up(&inner[..end])? {
                Value::String(value) => result.push_str(&value),
                Value::Number(value) => result.push_str(&value.to_string()),
                Value::Bool(value) => result.push_str(&value.to_string()),
                other => return Err(format!("{other} stands inside a text")),
            }
            at += inner[..end].chars().count() + 3;
        } else {
            result.push(characters[at]);
            at += 1;
        }
    }
    Ok(json!(result))
}

/// Whether an entry is in a target: names, or patterns with `*`.
fn is_in(patterns: &Value, target: Option<&str>) -> bool {
    let (Some(patterns), Some(target)) = (patterns.as_array(), target) else { return true };
    let matches = |pattern: &str| match pattern.split_once('*') {
        None => pattern == target,
        Some((before, after)) => {
            target.len() >= before.len() + after.len() && target.starts_with(before) && target.ends_with(after)
        }
    };
    patterns.iter().filter_map(Value::as_str).any(matches)
}

fn sorted(list: &Value) -> Value {
    let mut items: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    items.sort_unstable();
    items.dedup();
    json!(items)
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

fn function(handle: &str, whole: &Value, partition: &str) -> Value {
    if let Some(existing) = whole["existing"].as_str() {
        return json!({ "existing": existing, "labels": or_empty(&whole["labels"]) });
    }
    let name = whole["name"].as_str().unwrap_or(handle);
    let publisher = if partition == "aws-cn" { "cn-north-1:193023089310" } else { "us-east-1:297356227824" };
    let template = format!("arn:{partition}:serverlessrepo:{publisher}:applications/SecretsManagerRotationTemplate");
    let application = &whole["application"];
    let vpc = &whole["vpc"];
    let lists = (!vpc.is_null()).then(|| json!([sorted(&vpc["subnets"]), sorted(&vpc["security_groups"])]));
    let code = match whole["code"].as_array().map(Vec::as_slice) {
        Some([folder, path]) => {
            json!(format!("{}{}", folder.as_str().unwrap_or_default(), path.as_str().unwrap_or_default()))
        }
        _ => whole["code"].clone(),
    };
    json!({
        "name": name,
        "stack": whole["stack"].as_str().unwrap_or(name),
        "application": application["id"].as_str().unwrap_or(&template),
        "version": application["version"],
        "parameters": or_empty(&application["parameters"]),
        "shared": whole["shared"] == true,
        "code": code,
        "runtime": whole["runtime"], "handler": whole["handler"], "architecture": whole["architecture"],
        "layers": whole["layers"], "timeout": whole["timeout"], "memory": whole["memory"],
        "ephemeral_storage": whole["ephemeral_storage"], "tracing": whole["tracing"],
        "environment": or_empty(&whole["environment"]),
        "vpc": lists,
        "description": whole["description"],
        "labels": or_empty(&whole["labels"]),
    })
}

fn secret(handle: &str, whole: &Value, own: &Value) -> Value {
    let rotation = &whole["rotation"];
    let expression = rotation["schedule_expression"].as_str();
    let schedule = expression
        .map(str::to_owned)
        .or_else(|| Some(format!("{} days", rotation["automatically_after_days"].as_u64()?)));
    let hours = rotation["duration"].as_str().and_then(|text| text.strip_suffix('h')?.parse::<u32>().ok());
    // An inherited length stays if it fits the schedule that the entry chose.
    let longest = expression.map_or(Some(24), calendar::longest_window);
    let chose =
        ["automatically_after_days", "schedule_expression"].iter().any(|field| !own["rotation"][*field].is_null());
    let hours = hours.filter(|hours| !chose || longest.is_none_or(|longest| *hours <= longest));
    // A length that AWS takes anyway says nothing.
    let default = expression.map_or(Some(24), calendar::default_window);
    let enabled = match &rotation["enabled"] {
        Value::Bool(enabled) => json!(enabled),
        _ if schedule.is_some() => json!(true),
        _ => Value::Null,
    };
    json!({
        "name": whole["name"].as_str().unwrap_or(handle),
        "function": whole["function"],
        "enabled": enabled,
        "hours": hours.filter(|hours| schedule.is_some() && Some(*hours) != default),
        "schedule": schedule,
        "rotate_immediately": rotation["rotate_immediately"],
        "labels": or_empty(&whole["labels"]),
    })
}
