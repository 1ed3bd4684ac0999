//! From an entry back to the places that its values came from: the spans that merging and variables kept.

use super::document::{Document, Part};
use super::node::{Entry, Node, Value};
use super::resolve::inherited;
use super::source::Span;
use super::targets::Destination;
use super::variables::{BUILT_IN, PORT, Piece, Substitution, Variable, pieces};
use crate::model::explanation::{
    EffectiveValue, ExplainedValue, Explanation, Layer, Location, Origin, UsedVariable, VariableSource,
};
use crate::model::freeze::Freeze;
use crate::model::schedule::default_duration_hours;
use crate::model::{Deployment, Desired, Function, FunctionSource, Kind, Rotation, Secret, SelectRule, Setting};

/// The fields of entries in the order in which they are explained; a function's settings stand before the last ones.
const FIRST: [&str; 11] = [
    "match",
    "name",
    "existing",
    "function",
    "external",
    "targets",
    "rotation",
    "application",
    "stack",
    "shared",
    "code",
];
const LAST: [&str; 2] = ["environment", "labels"];

/// The fields of a function's settings, each once.
fn setting_fields() -> impl Iterator<Item = &'static str> {
    let field = |setting: Setting| setting.word().split_once('.').map_or(setting.word(), |(field, _)| field);
    let mut fields: Vec<&'static str> = Setting::ALL.into_iter().map(field).collect();
    fields.dedup();
    fields.into_iter()
}

/// Explains one entry in one target; `None` where the target doesn't have it.
pub(super) fn explain(
    document: &Document,
    place: &Destination,
    desired: &Desired,
    kind: Kind,
    handle: &str,
) -> Option<Explanation> {
    let (part, entry) = document
        .parts
        .iter()
        .find_map(|part| part.entries(kind).iter().find(|entry| entry.key == handle).map(|entry| (part, entry)))?;
    let mut explainer = Explainer { document, place, part, entry, values: Vec::new(), unmanaged: Vec::new() };
    explainer.written(kind);
    let name = match kind {
        Kind::Secret => {
            let secret = desired.secrets.get(handle)?;
            explainer.secret(secret);
            secret.name.clone()
        }
        Kind::Select => {
            explainer.rule(desired.select.get(handle)?);
            handle.to_owned()
        }
        _ => {
            let function = desired.functions.get(handle)?;
            explainer.function(function);
            function.name.clone()
        }
    };
    explainer.freezes();
    let declared = explainer.location(entry.at);
    let Explainer { mut values, unmanaged, .. } = explainer;
    let order: Vec<&str> = FIRST.into_iter().chain(setting_fields()).chain(LAST).collect();
    let rank = |value: &ExplainedValue| {
        let field = value.path.split('.').next().unwrap_or_default();
        order.iter().position(|known| *known == field).unwrap_or(order.len())
    };
    values.sort_by_key(rank);
    Some(Explanation { address: desired.address(kind, handle), name, declared, values, unmanaged })
}

struct Explainer<'a> {
    document: &'a Document,
    place: &'a Destination,
    part: &'a Part,
    entry: &'a Entry,
    values: Vec<ExplainedValue>,
    unmanaged: Vec<&'static str>,
}

impl Explainer<'_> {
    fn location(&self, span: Span) -> Location {
        let position = self.document.sources.position(span);
        Location { file: position.file, line: position.line, column: position.column }
    }

    /// All that somebody wrote, as merging and variables left it.
    fn written(&mut self, kind: Kind) {
        let template = inherited(self.part, self.entry, kind);
        let mut resolved = template.clone();
        let mut substitution = Substitution {
            sources: &self.document.sources,
            scope: &self.place.scope,
            key: Some(&self.entry.key),
            problems: Vec::new(),
            keeps_port: false,
        };
        substitution.apply_entry(&mut resolved);
        self.walk(&mut Vec::new(), &template, &resolved);
    }

    /// The template holds what was written; the resolved value is what became of it.
    fn walk(&mut self, path: &mut Vec<String>, template: &Node, resolved: &Node) {
        let (Value::Map(written), Value::Map(values)) = (&template.value, &resolved.value) else {
            self.leaf(path, template, resolved);
            return;
        };
        for entry in &written.entries {
            let Some(value) = values.get(&entry.key) else { continue };
            path.push(entry.key.clone());
            self.walk(path, &entry.node, &value.node);
            path.pop();
        }
    }

    fn leaf(&mut self, path: &[String], template: &Node, resolved: &Node) {
        // A variable may be a whole map.
        if let Value::Map(map) = &resolved.value {
            for entry in &map.entries {
                let below: Vec<String> = path.iter().cloned().chain([entry.key.clone()]).collect();
                self.leaf(&below, template, &entry.node);
            }
            return;
        }
        let private = is_private(path);
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let value = match &resolved.value {
            Value::Null => EffectiveValue::Text("null".to_owned()),
            _ if private => EffectiveValue::Sensitive,
            _ => effective(resolved),
        };
        let origin = Origin::Written { layer: self.layer(&steps, template), at: self.location(template.span) };
        let variables = self.variables(template, private);
        self.values.push(ExplainedValue { path: path.join("."), value, origin, variables });
    }

    /// Whose a value is: the entry's own where the entry has this very value, else its file tells which defaults.
    fn layer(&self, path: &[&str], node: &Node) -> Layer {
        // A variable may be a whole map: then the value stands above the path.
        let mut stated = (0..=path.len()).filter_map(|length| self.entry.node.find(&path[..length]));
        if stated.any(|stated| stated.span == node.span) {
            Layer::Entry
        } else if node.span.file == 0 || self.is_root() {
            // The root is the first file that is read.
            Layer::RootDefaults
        } else {
            Layer::PartDefaults
        }
    }

    fn is_root(&self) -> bool {
        self.entry.at.file == 0
    }

    fn variables(&self, template: &Node, private: bool) -> Vec<UsedVariable> {
        match &template.value {
            Value::String(text) => self.variables_of(text, template.span, private),
            Value::List(items) => items.iter().flat_map(|item| self.variables(item, private)).collect(),
            Value::Map(map) => map.entries.iter().flat_map(|entry| self.variables(&entry.node, private)).collect(),
            _ => Vec::new(),
        }
    }

    fn variables_of(&self, text: &str, span: Span, private: bool) -> Vec<UsedVariable> {
        let Ok(pieces) = pieces(text) else { return Vec::new() };
        let mut used: Vec<UsedVariable> = Vec::new();
        for piece in pieces {
            let Piece::Variable(name) = piece else { continue };
            let is_port = name == PORT && self.place.scope.variable(PORT).is_none();
            if is_port || used.iter().any(|known| known.name == name) {
                continue;
            }
            let at = self.location(self.document.sources.find(span, &format!("${{{name}}}")));
            let value = if name == "key" {
                Some(EffectiveValue::Text(self.entry.key.clone()))
            } else {
                self.place.scope.get(name).map(effective)
            };
            let value = value.filter(|_| !private);
            used.push(UsedVariable { name: name.to_owned(), at, value, source: self.source(name) });
        }
        used
    }

    fn source(&self, name: &str) -> VariableSource {
        if name == "key" {
            return VariableSource::Key;
        }
        if BUILT_IN.contains(&name) {
            let ambient = self.place.scope.is_ambient(name);
            return if ambient { VariableSource::Environment } else { VariableSource::Target };
        }
        let Some(Variable::Value(node)) = self.place.scope.variable(name) else { return VariableSource::Target };
        let at = self.location(node.span);
        let stated = |defaults: Option<&Node>| {
            defaults.and_then(|node| node.find(&["vars", name])).is_some_and(|found| found.span == node.span)
        };
        let target = self.document.targets.iter().flatten();
        let own = target.filter(|entry| Some(&entry.key) == self.place.target.name.as_ref());
        if own.into_iter().any(|entry| stated(Some(&entry.node))) {
            VariableSource::Vars(at)
        } else if stated(self.document.target_defaults.as_ref()) {
            VariableSource::DefaultVars(at)
        } else {
            VariableSource::VarsFrom(at)
        }
    }

    fn has(&self, path: &str) -> bool {
        self.values
            .iter()
            .any(|value| value.path == path || value.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// A value that isn't written anywhere.
    fn default(&mut self, path: &str, value: impl Into<String>, why: impl Into<String>) {
        if !self.has(path) {
            self.values.push(ExplainedValue {
                path: path.to_owned(),
                value: EffectiveValue::Text(value.into()),
                origin: Origin::Default(why.into()),
                variables: Vec::new(),
            });
        }
    }

    fn targets(&mut self) {
        if self.document.targets.is_some() {
            self.default("targets", "all", "an entry without `targets` is in all of them");
        }
    }

    /// The days on which applies leave it alone.
    fn freezes(&mut self) {
        let freezes = &self.document.head.freezes;
        let Some(first) = freezes.first() else { return };
        let words = |freeze: &Freeze| match &freeze.reason {
            Some(reason) => format!("{} ({reason})", freeze.days),
            None => freeze.days.to_string(),
        };
        let (line, column) = (first.at.line as usize, first.at.column as usize);
        let at = Location { file: first.at.file.clone().into(), line, column };
        self.values.push(ExplainedValue {
            path: "freeze".to_owned(),
            value: EffectiveValue::List(freezes.iter().map(words).collect()),
            origin: Origin::Written { layer: Layer::Root, at },
            variables: Vec::new(),
        });
    }

    fn secret(&mut self, secret: &Secret) {
        self.default("name", &secret.name, "the key is the name unless `name` says otherwise");
        self.default("function", "none", "without a function, AWS manages the rotation itself");
        self.targets();
        self.rotation(&secret.rotation);
        if secret.rotation.rules.is_some() {
            self.default(
                "rotation.rotate_immediately",
                "only when rotation is switched on",
                "a change of rules or function rotates on the new schedule",
            );
        }
    }

    fn rule(&mut self, rule: &SelectRule) {
        self.default("match.names", "any", "all names do that have the `tags`");
        self.targets();
        self.rotation(&rule.rotation);
        self.default("rotation.rotate_immediately", "false", "a rule rotates nothing at once unless it says so itself");
    }

    fn rotation(&mut self, rotation: &Rotation) {
        let Some(rules) = &rotation.rules else {
            self.unmanaged.push("rotation's schedule");
            if !self.has("rotation.enabled") {
                self.unmanaged.push("whether rotation is on");
            }
            return;
        };
        if rotation.enabled == Some(true) {
            self.default("rotation.enabled", "true", "rotation is on where a schedule is given");
        }
        let effective = rules.duration_hours.or_else(|| default_duration_hours(&rules.schedule));
        let window = effective.map(|hours| format!("{hours}h")).unwrap_or_default();
        let path = "rotation.duration";
        let written = self.values.iter().position(|value| value.path == path);
        match written.map(|at| self.values[at].value.clone()) {
            Some(EffectiveValue::Text(text)) if text != window => {
                self.values.retain(|value| value.path != path);
                let why = format!("AWS's default window: the inherited `{text}` doesn't fit this schedule");
                self.default(path, window, why);
            }
            Some(_) => {}
            None => self.default(path, window, "AWS's default window for this schedule"),
        }
    }

    fn function(&mut self, function: &Function) {
        match &function.source {
            FunctionSource::Existing { .. } => {
                self.default("name", &function.name, "the name within `existing`");
                self.targets();
            }
            FunctionSource::Deployed(deployment) => {
                self.default("name", &function.name, "the key is the name unless `name` says otherwise");
                self.targets();
                self.deployed(deployment);
            }
        }
    }

    fn deployed(&mut self, deployment: &Deployment) {
        self.default("application.id", &deployment.application.id, "AWS's generic rotation template");
        self.default(
            "application.version",
            "the newest when first deployed, then whatever is live",
            "no version is pinned",
        );
        self.default("stack", &deployment.stack, "the function's name; AWS puts `serverlessrepo-` before it");
        self.default("shared", "false", "other projects can't attach secrets to it unless it is shared");
        self.default("code", "the application's own", "no `code` is given");
        let managed_where_stated = setting_fields().chain(["environment"]);
        let absent: Vec<&'static str> = managed_where_stated.filter(|field| !self.has(field)).collect();
        self.unmanaged.extend(absent);
    }
}

/// Values of the environment and of parameters, which may be `NoEcho`, are never shown.
fn is_private(path: &[String]) -> bool {
    path.first().is_some_and(|field| field == "environment") || path.get(1).is_some_and(|field| field == "parameters")
}

fn effective(node: &Node) -> EffectiveValue {
    fn text(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.text.clone(),
            Value::String(text) => text.clone(),
            Value::List(_) | Value::Map(_) => format!("({})", node.kind()),
        }
    }
    match &node.value {
        Value::List(items) => EffectiveValue::List(items.iter().map(text).collect()),
        _ => EffectiveValue::Text(text(node)),
    }
}

#[cfg(test)]
mod tests;
