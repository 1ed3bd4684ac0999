//! The validator: a request as a JSON tree against its table.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::{Map, Value};

use super::member::{Kind, Member, NO_LIMIT, spelt};
use crate::services::{Protocol, Service};
use crate::wire::{ApiError, shorten};

/// Checks a request's members. Something of the wrong type ends the check, as AWS's front ends don't read further;
/// constraints that aren't met are reported together.
pub fn check(service: Service, members: &[Member], request: &Map<String, Value>) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    structure(members, request, "", true, &mut problems).map_err(|wrong| wrong_type(service, &wrong))?;
    if problems.is_empty() { Ok(()) } else { Err(validation(service, &problems)) }
}

/// What isn't of the type that the API expects, and which that is.
struct WrongType {
    at: String,
    expected: &'static str,
}

fn wrong_type(service: Service, WrongType { at, expected }: &WrongType) -> ApiError {
    unreadable(service, format!("The value at '{at}' can not be converted to {expected}"))
}

/// The error that a request can't be read as what the API expects.
pub fn unreadable(service: Service, message: impl Into<String>) -> ApiError {
    match service.protocol() {
        Protocol::Query => ApiError::new(400, "MalformedInput", message),
        Protocol::Rest if service == Service::ServerlessRepo => ApiError::new(400, "BadRequestException", message),
        Protocol::Json | Protocol::Rest => ApiError::new(400, "SerializationException", message),
    }
}

/// The error that a request's members don't satisfy the model; each problem as AWS words it:
/// `Value '…' at '…' failed to satisfy constraint: …`.
pub fn validation(service: Service, problems: &[String]) -> ApiError {
    let code = match service {
        Service::SecretsManager | Service::Lambda | Service::CloudTrail => "ValidationException",
        Service::CloudFormation | Service::Sts => "ValidationError",
        Service::ServerlessRepo => "BadRequestException",
        Service::Logs => "InvalidParameterException",
    };
    let count = problems.len();
    let noun = if count == 1 { "error" } else { "errors" };
    ApiError::new(400, code, format!("{count} validation {noun} detected: {}", problems.join("; ")))
}

fn structure(
    members: &[Member],
    request: &Map<String, Value>,
    parent: &str,
    shown: bool,
    problems: &mut Vec<String>,
) -> Result<(), WrongType> {
    for member in members {
        let name = spelt(member.name);
        let at = if parent.is_empty() { name } else { format!("{parent}.{name}") };
        // A null is the same as nothing, in all of AWS's JSON protocols.
        match request.get(member.name).filter(|value| !value.is_null()) {
            Some(found) => value(&member.kind, found, &at, shown, problems)?,
            None if member.required => {
                problems.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
            }
            None => {}
        }
    }
    Ok(())
}

fn value(kind: &Kind, found: &Value, at: &str, shown: bool, problems: &mut Vec<String>) -> Result<(), WrongType> {
    let wrong = |expected| WrongType { at: at.to_owned(), expected };
    let mut fails: Vec<String> = Vec::new();
    match kind {
        Kind::Secret(kind) => return value(kind, found, at, false, problems),
        Kind::Structure(members) => {
            return structure(members, found.as_object().ok_or_else(|| wrong("a structure"))?, at, shown, problems);
        }
        Kind::List(least, most, of) => {
            let items = found.as_array().ok_or_else(|| wrong("a list"))?;
            length(items.len(), *least, *most, &mut fails);
            if let Kind::Structure(_) | Kind::List(..) | Kind::Map(..) = of {
                for (index, item) in items.iter().enumerate() {
                    value(of, item, &format!("{at}.{}.member", index + 1), shown, problems)?;
                }
            } else {
                let all = unmet(of, items.iter(), at)?;
                if !all.is_empty() {
                    fails.push(format!("Member must satisfy constraint: [{}]", all.join(", ")));
                }
            }
        }
        Kind::Map(least, most, keys, values) => {
            let pairs = found.as_object().ok_or_else(|| wrong("a map"))?;
            length(pairs.len(), *least, *most, &mut fails);
            let names: Vec<Value> = pairs.keys().cloned().map(Value::String).collect();
            for (which, unmet) in
                [("keys", unmet(keys, names.iter(), at)?), ("value", unmet(values, pairs.values(), at)?)]
            {
                if !unmet.is_empty() {
                    fails.push(format!("Map {which} must satisfy constraint: [{}]", unmet.join(", ")));
                }
            }
        }
        _ => fails = scalar(kind, found).map_err(wrong)?,
    }
    let what = if shown { format!("Value '{}' at '{at}'", shorten(show(found))) } else { format!("Value at '{at}'") };
    problems.extend(fails.iter().map(|constraint| format!("{what} failed to satisfy constraint: {constraint}")));
    Ok(())
}

/// The constraints of a list's items, all of them as AWS tells them, where some item doesn't meet one.
fn unmet<'a>(kind: &Kind, items: impl Iterator<Item = &'a Value>, at: &str) -> Result<Vec<String>, WrongType> {
    let kind = if let Kind::Secret(kind) = kind { kind } else { kind };
    let mut all: Vec<String> = Vec::new();
    for item in items {
        let fails = scalar(kind, item).map_err(|expected| WrongType { at: at.to_owned(), expected })?;
        if !fails.is_empty() && all.is_empty() {
            all = told(kind, fails);
        }
    }
    Ok(all)
}

/// A text's constraints, as AWS tells them of a list's items; of other kinds, what wasn't met.
fn told(kind: &Kind, fails: Vec<String>) -> Vec<String> {
    let Kind::Text(least, most, pattern) = kind else { return fails };
    let mut told = Vec::new();
    if *most != NO_LIMIT {
        told.push(format!("Member must have length less than or equal to {most}"));
        told.push(format!("Member must have length greater than or equal to {least}"));
    }
    told.extend(pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {pattern}")));
    told
}

/// What a single value doesn't satisfy; `Err` says what it should have been.
fn scalar(kind: &Kind, found: &Value) -> Result<Vec<String>, &'static str> {
    let mut fails = Vec::new();
    match kind {
        Kind::Text(least, most, pattern) => {
            let text = found.as_str().ok_or("a string")?;
            length(text.chars().count(), *least, *most, &mut fails);
            if let Some(pattern) = pattern.filter(|pattern| !matches(pattern, text)) {
                fails.push(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
        }
        Kind::OneOf(texts) => {
            if !texts.contains(&found.as_str().ok_or("a string")?) {
                fails.push(format!("Member must satisfy enum value set: [{}]", texts.join(", ")));
            }
        }
        Kind::Flag => {
            found.as_bool().ok_or("a boolean")?;
        }
        Kind::Number(least, most) => {
            let number = found.as_i64().ok_or("an integer")?;
            if number < *least {
                fails.push(format!("Member must have value greater than or equal to {least}"));
            } else if number > *most {
                fails.push(format!("Member must have value less than or equal to {most}"));
            }
        }
        Kind::Decimal => {
            found.as_f64().ok_or("a number")?;
        }
        Kind::Blob(least, most) => {
            use base64::Engine as _;
            let text = found.as_str().ok_or("base64")?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| "base64")?;
            length(bytes.len(), *least, *most, &mut fails);
        }
        Kind::Secret(kind) => return scalar(kind, found),
        // No list of a served operation has lists in it; their members would be checked there.
        Kind::List(..) | Kind::Map(..) | Kind::Structure(_) => {}
    }
    Ok(fails)
}

fn length(length: usize, least: usize, most: usize, fails: &mut Vec<String>) {
    if length < least {
        fails.push(format!("Member must have length greater than or equal to {least}"));
    } else if length > most && most != NO_LIMIT {
        fails.push(format!("Member must have length less than or equal to {most}"));
    }
}

/// A value as AWS's messages show it: lists in brackets, maps in braces, texts without quotation marks.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Object(pairs) => {
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", show(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// Patterns of the models that look around, which these expressions can't; the same said in another way.
const WITHOUT_LOOKING_AROUND: [(&str, &str); 4] = [
    // A bucket's name doesn't end in a dot.
    (r"[0-9A-Za-z\.\-_]*(?<!\.)", r"([0-9A-Za-z\.\-_]*[0-9A-Za-z\-_])?"),
    // An alias isn't a number.
    ("(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*"),
    (r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", "[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*"),
    (r"((?!\d+$)[0-9a-zA-Z-_]+)", "([a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*)"),
];

/// Java's classes and word boundaries are of ASCII, unlike these expressions'.
const CLASSES: [(&str, &str); 4] =
    [(r"\d", "[0-9]"), (r"\w", "[0-9A-Za-z_]"), (r"\s", r"[\t\n\x0B\x0C\r ]"), (r"\b", r"(?-u:\b)")];

/// A model's pattern, compiled to match whole texts.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let replaced = WITHOUT_LOOKING_AROUND.into_iter().chain(CLASSES);
    let pattern = replaced.fold(pattern.to_owned(), |pattern, (from, to)| pattern.replace(from, to));
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// Whether a text matches a model's pattern.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<&'static str, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let expression = compiled
        .entry(pattern)
        .or_insert_with(|| compile(pattern).expect("a test compiles every pattern of the tables"));
    let expression = expression.clone();
    drop(compiled);
    expression.is_match(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{NUMBER, TEXT, matching, optional, required, text};
    use super::*;

    fn patterns(kind: &Kind, into: &mut Vec<&'static str>) {
        match kind {
            Kind::Text(_, _, pattern) => into.extend(pattern),
            Kind::List(_, _, of) | Kind::Secret(of) => patterns(of, into),
            Kind::Map(_, _, keys, values) => [keys, values].into_iter().for_each(|kind| patterns(kind, into)),
            Kind::Structure(members) => members.iter().for_each(|member| patterns(&member.kind, into)),
            _ => {}
        }
    }

    /// Without it, a pattern that these expressions don't know would end the first request that has to match it.
    #[test]
    fn every_pattern_of_the_tables_is_understood() {
        let mut all = Vec::new();
        for (_, members) in Service::ALL.into_iter().flat_map(crate::operations::inputs) {
            members.iter().for_each(|member| patterns(&member.kind, &mut all));
        }
        assert!(all.len() > 50, "{}", all.len());
        for pattern in all {
            if let Err(error) = compile(pattern) {
                panic!("{pattern}: {error}");
            }
        }
    }

    /// Without it, a pattern that looks around in the model could mean something else here.
    #[test]
    fn patterns_mean_what_they_mean_in_the_models() {
        assert!(matches(r"[0-9A-Za-z\.\-_]*(?<!\.)", "a.b") && !matches(r"[0-9A-Za-z\.\-_]*(?<!\.)", "a."));
        let alias = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        assert!(matches(alias, "v1") && matches(alias, "1-2") && !matches(alias, "12") && !matches(alias, ""));
        // Java's digits are those of ASCII, and a pattern is met by the whole text.
        assert!(
            matches(r"\d{2}", "12")
                && !matches(r"\d{2}", "١٢")
                && !matches(r"\d{2}", "123")
                && !matches(r"\d{2}", "12\n")
        );
    }

    /// Without it, a request that is too large by far would be answered with an error as large.
    #[test]
    fn messages_show_the_beginning_of_what_is_long() {
        let table = [optional("Name", text(0, 9)), optional("Tags", Kind::List(0, 1, &TEXT))];
        let long = "é".repeat(1_000_000);
        let request = json!({"Name": long, "Tags": [long, long]}).as_object().cloned().unwrap_or_default();
        let message = check(Service::Lambda, &table, &request).expect_err("it is refused").message;
        assert!(message.contains(&format!("Value '{}…' at 'name'", "é".repeat(256))), "{message:.300}");
        assert!(message.chars().count() < 1000);
    }

    const ROW: [Member; 1] = [required("Key", text(0, 1))];

    /// Without it, people couldn't find what is wrong by searching for AWS's words.
    #[test]
    fn problems_are_worded_as_aws_words_them() {
        let table = [
            required("Name", matching(1, 4, "[a-z]+")),
            optional("Days", Kind::Number(1, 9)),
            optional("Tags", Kind::List(0, 1, &TEXT)),
            optional("Parts", Kind::List(0, 9, &Kind::OneOf(&["a", "b"]))),
            optional("Value", Kind::Secret(&Kind::Text(3, 9, None))),
            optional("Rows", Kind::List(0, 9, &Kind::Structure(&ROW))),
            optional("Count", NUMBER),
        ];
        let message = |request: Value| {
            let request = request.as_object().cloned().unwrap_or_default();
            check(Service::Lambda, &table, &request).expect_err("it is refused")
        };
        let error =
            message(json!({"Days": 0, "Tags": ["x", "y"], "Parts": ["c"], "Value": "??", "Rows": [{}, {"Key": "12"}]}));
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "7 validation errors detected: \
             Value null at 'name' failed to satisfy constraint: Member must not be null; \
             Value '0' at 'days' failed to satisfy constraint: Member must have value greater than or equal to 1; \
             Value '[x, y]' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 1; \
             Value '[c]' at 'parts' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [a, b]]; \
             Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 3; \
             Value null at 'rows.1.member.key' failed to satisfy constraint: Member must not be null; \
             Value '12' at 'rows.2.member.key' failed to satisfy constraint: Member must have length less than or equal to 1"
        );
        let error = message(json!({"Name": "a", "Count": "seven"}));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("SerializationException", "The value at 'count' can not be converted to an integer")
        );
    }
}
