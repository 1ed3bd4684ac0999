//! Where the values of one entry came from, as text and JSON: what is the same in several targets is said once.

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::explanation::{
    EffectiveValue, ExplainedValue, Explanation, Layer, Location, Origin, UsedVariable, VariableSource,
};

use super::{BOLD, DIM, paint, safe, safe_json};

/// Explanations of one entry, in one or several targets.
pub fn text(explanations: &[Explanation]) -> String {
    let mut out = String::new();
    let Some(first) = explanations.first() else { return out };
    let title = format!("{}.{}", first.address.kind.word(), first.address.handle);
    let declared = format!("declared in {}", place(&first.declared));
    let _ = writeln!(out, "{}  {}", paint(BOLD, &safe(&title)), paint(DIM, &declared));
    for path in paths(explanations) {
        let _ = writeln!(out, "\n  {}", paint(BOLD, &safe(path)));
        for (value, targets) in distinct(explanations, path) {
            // A target is named where the value isn't the same in all.
            let inside =
                if targets.len() < explanations.len() { format!("{}: ", targets.join(", ")) } else { String::new() };
            let _ = writeln!(out, "    {}{}", paint(DIM, &inside), words(&value.value));
            for line in origin_lines(value) {
                let _ = writeln!(out, "      {}", paint(DIM, &line));
            }
        }
    }
    if !first.unmanaged.is_empty() {
        let _ =
            writeln!(out, "\n  {}: {}", paint(BOLD, "not managed, AWS keeps what it has"), first.unmanaged.join(", "));
    }
    out
}

/// The paths of all explanations, in the order of the first that has them.
fn paths(explanations: &[Explanation]) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for value in explanations.iter().flat_map(|one| &one.values) {
        if !paths.contains(&value.path.as_str()) {
            paths.push(&value.path);
        }
    }
    paths
}

/// The different values at a path, each with the targets that it holds in.
fn distinct<'a>(explanations: &'a [Explanation], path: &str) -> Vec<(&'a ExplainedValue, Vec<String>)> {
    let mut found: Vec<(&ExplainedValue, Vec<String>)> = Vec::new();
    for one in explanations {
        let target = one.address.target.as_deref().map(|target| safe(target).into_owned()).unwrap_or_default();
        let Some(value) = one.values.iter().find(|value| value.path == path) else { continue };
        match found.iter_mut().find(|(known, _)| *known == value) {
            Some((_, targets)) => targets.push(target),
            None => found.push((value, vec![target])),
        }
    }
    found
}

fn origin_lines(value: &ExplainedValue) -> Vec<String> {
    let mut lines = match &value.origin {
        Origin::Default(why) => vec![format!("default: {}", safe(why))],
        Origin::Written { layer, at } => vec![format!("{}, {}", layer_words(*layer), place(at))],
    };
    lines.extend(value.variables.iter().map(variable_words));
    lines
}

fn layer_words(layer: Layer) -> &'static str {
    match layer {
        Layer::Entry => "its own entry",
        Layer::PartDefaults => "the part's defaults",
        Layer::RootDefaults => "the root's defaults",
        Layer::Root => "the root, for all entries",
    }
}

fn variable_words(variable: &UsedVariable) -> String {
    let used = format!("${{{}}} in {}", safe(&variable.name), place(&variable.at));
    let value = variable.value.as_ref().map_or_else(|| "(sensitive)".to_owned(), words);
    match &variable.source {
        VariableSource::Key => format!("{used}: {value}, the entry's key"),
        VariableSource::Target => format!("{used}: {value}, the target's own"),
        VariableSource::Environment => {
            format!("{used}: AWS's environment says; {value} stands for it here")
        }
        VariableSource::Vars(at) => format!("{used}: {value} in the target's vars, {}", place(at)),
        VariableSource::DefaultVars(at) => format!("{used}: {value} in the targets' default vars, {}", place(at)),
        VariableSource::VarsFrom(at) => format!("{used}: {value} from vars_from, {}", place(at)),
    }
}

fn words(value: &EffectiveValue) -> String {
    match value {
        EffectiveValue::Text(text) if text.is_empty() => "\"\"".to_owned(),
        EffectiveValue::Text(text) => safe(text).into_owned(),
        EffectiveValue::List(items) => {
            format!("[{}]", items.iter().map(|item| safe(item)).collect::<Vec<_>>().join(", "))
        }
        EffectiveValue::Sensitive => "(sensitive)".to_owned(),
    }
}

fn place(at: &Location) -> String {
    format!("{}:{}:{}", safe(&at.file.to_string_lossy()), at.line, at.column)
}

/// The published format, versioned by `format_version`.
#[derive(Serialize)]
struct ExplainJson<'a> {
    format_version: &'static str,
    entries: Vec<EntryJson<'a>>,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    address: String,
    target: Option<&'a str>,
    name: &'a str,
    declared: PlaceJson<'a>,
    values: Vec<AttributeJson<'a>>,
    not_managed: &'a [&'static str],
}

#[derive(Serialize)]
struct PlaceJson<'a> {
    file: std::borrow::Cow<'a, str>,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueJson<'a> {
    Text(&'a str),
    List(&'a [String]),
}

#[derive(Serialize)]
struct AttributeJson<'a> {
    path: &'a str,
    /// `null` where it is sensitive.
    value: Option<ValueJson<'a>>,
    sensitive: bool,
    /// `entry`, `part-defaults`, `root-defaults` or `default`.
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PlaceJson<'a>>,
    /// Why a default is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<Variable<'a>>,
}

#[derive(Serialize)]
struct Variable<'a> {
    name: &'a str,
    at: PlaceJson<'a>,
    /// `null` where it may be private.
    value: Option<ValueJson<'a>>,
    /// `key`, `target`, `environment`, `vars`, `default-vars` or `vars-from`.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<PlaceJson<'a>>,
}

/// Explanations as JSON.
pub fn json(explanations: &[Explanation]) -> String {
    let document = ExplainJson { format_version: "1.0", entries: explanations.iter().map(entry).collect() };
    // Plain data with string keys always serializes.
    let mut text = safe_json(serde_json::to_string_pretty(&document).unwrap_or_default());
    text.push('\n');
    text
}

fn entry(one: &Explanation) -> EntryJson<'_> {
    EntryJson {
        address: one.address.to_string(),
        target: one.address.target.as_deref(),
        name: &one.name,
        declared: json_place(&one.declared),
        values: one.values.iter().map(json_value).collect(),
        not_managed: &one.unmanaged,
    }
}

fn json_place(at: &Location) -> PlaceJson<'_> {
    PlaceJson { file: at.file.to_string_lossy(), line: at.line, column: at.column }
}

fn shown(value: &EffectiveValue) -> Option<ValueJson<'_>> {
    match value {
        EffectiveValue::Text(text) => Some(ValueJson::Text(text)),
        EffectiveValue::List(items) => Some(ValueJson::List(items)),
        EffectiveValue::Sensitive => None,
    }
}

fn json_value(value: &ExplainedValue) -> AttributeJson<'_> {
    let (origin, at, reason) = match &value.origin {
        Origin::Default(why) => ("default", None, Some(why.as_str())),
        Origin::Written { layer: Layer::Entry, at } => ("entry", Some(json_place(at)), None),
        Origin::Written { layer: Layer::PartDefaults, at } => ("part-defaults", Some(json_place(at)), None),
        Origin::Written { layer: Layer::RootDefaults, at } => ("root-defaults", Some(json_place(at)), None),
        Origin::Written { layer: Layer::Root, at } => ("root", Some(json_place(at)), None),
    };
    AttributeJson {
        path: &value.path,
        value: shown(&value.value),
        sensitive: value.value == EffectiveValue::Sensitive,
        origin,
        at,
        reason,
        variables: value.variables.iter().map(json_variable).collect(),
    }
}

fn json_variable(variable: &UsedVariable) -> Variable<'_> {
    let (source, set_at) = match &variable.source {
        VariableSource::Key => ("key", None),
        VariableSource::Target => ("target", None),
        VariableSource::Environment => ("environment", None),
        VariableSource::Vars(at) => ("vars", Some(json_place(at))),
        VariableSource::DefaultVars(at) => ("default-vars", Some(json_place(at))),
        VariableSource::VarsFrom(at) => ("vars-from", Some(json_place(at))),
    };
    Variable {
        name: &variable.name,
        at: json_place(&variable.at),
        value: variable.value.as_ref().and_then(shown),
        source,
        set_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Kind};

    const EVIL: &str = "x\u{1b}[2J\u{202e}\r\ny";

    fn one(target: &str, days: &str, text: &str) -> Explanation {
        let at = |line| Location { file: format!("{text}.yaml").into(), line, column: 3 };
        let variable = |source, value| UsedVariable { name: text.to_owned(), at: at(8), value, source };
        let effective = |value: &str| EffectiveValue::Text(value.to_owned());
        let value =
            |path: &str, value, origin, variables| ExplainedValue { path: path.to_owned(), value, origin, variables };
        let written = |layer| Origin::Written { layer, at: at(7) };
        Explanation {
            address: Address::new(Some(target), Kind::Secret, text),
            name: text.to_owned(),
            declared: at(9),
            values: vec![
                value(text, effective(text), written(Layer::Entry), Vec::new()),
                value(
                    "rotation.automatically_after_days",
                    effective(days),
                    written(Layer::RootDefaults),
                    vec![variable(VariableSource::Vars(at(4)), Some(effective(days)))],
                ),
                value("rotation.duration", effective("24h"), Origin::Default(text.to_owned()), Vec::new()),
                value(
                    "environment.TOKEN",
                    EffectiveValue::Sensitive,
                    written(Layer::PartDefaults),
                    vec![variable(VariableSource::VarsFrom(at(1)), None), variable(VariableSource::Environment, None)],
                ),
                value(
                    "vpc.subnets",
                    EffectiveValue::List(vec![text.to_owned(), "b".to_owned()]),
                    written(Layer::Entry),
                    vec![variable(VariableSource::DefaultVars(at(2)), Some(effective(text)))],
                ),
            ],
            unmanaged: vec!["runtime", "handler"],
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    /// Without it, what people read of a value's origin could change without anyone reading it.
    #[test]
    fn as_text() {
        insta::assert_snapshot!(plain(&text(&[one("dev", "60", "payments"), one("prod", "30", "payments")])));
    }

    /// Without it, programs that read the published format would break unseen.
    #[test]
    fn as_json() {
        insta::assert_snapshot!(json(&[one("prod", "30", "payments")]));
    }

    /// Without it, a manifest from elsewhere could steer the terminal.
    #[test]
    fn nothing_steers_the_terminal() {
        let shown = plain(&text(&[one(EVIL, EVIL, EVIL), one("prod", "30", EVIL)]));
        assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
    }
}
