//! `${name}`: looked up once, never scanned again.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::node::{Node, Value};
use super::parse::measure;
use super::source::{Sources, Span};
use super::suggest;
use crate::diagnostic::Diagnostic;
use crate::model::near::did_you_mean;

/// The variable that tells `aws` from `aws-cn` and others.
pub(super) const PARTITION: &str = "partition";

/// The names that every manifest knows.
pub(super) const BUILT_IN: [&str; 5] = ["target", "region", "account", PARTITION, "key"];

/// What `${port}` stays in the `test` of a function that has a service: what starts the service replaces it.
pub(super) const PORT: &str = "port";

/// How much one target's variables may add: in values, or in 64 bytes of text. A short manifest could otherwise ask for terabytes.
const MAX_REPLACED: usize = 3_000_000;

/// What a variable stands for.
#[derive(Debug, Clone)]
pub(super) enum Variable {
    /// A value, and where it was written.
    Value(Node),
    /// An output that Terraform calls sensitive: it was not read.
    Sensitive,
    /// AWS's environment decides, and isn't known.
    Unknown(&'static str),
}

/// The variables of one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    by_name: BTreeMap<String, Variable>,
    /// The names whose value came from AWS's environment rather than from the manifest.
    ambient: Vec<&'static str>,
    /// Only built-ins are known here: in the values of variables themselves.
    pub only_built_in: bool,
    /// What was used of AWS's environment.
    used: Cell<Used>,
    /// How much was replaced so far.
    replaced: Cell<usize>,
}

/// How much of AWS's environment was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Used {
    /// None of it.
    #[default]
    Nothing,
    /// Which partition the region is in, and no more.
    Partition,
    /// The region or the account.
    Place,
}

impl Variables {
    /// A scope for the values of variables themselves: only built-ins are known.
    pub fn of_built_ins() -> Self {
        Self { only_built_in: true, ..Self::default() }
    }

    pub fn set(&mut self, name: impl Into<String>, variable: Variable) {
        self.by_name.insert(name.into(), variable);
    }

    /// Sets a built-in text.
    pub fn set_text(&mut self, name: &'static str, value: &str, from_environment: bool) {
        let nowhere = Span { file: 0, line: 1, column: 1, length: 1 };
        if from_environment {
            self.ambient.push(name);
        }
        self.set(name, Variable::Value(Node::new(nowhere, Value::String(value.to_owned()))));
    }

    /// What was made with this scope depends on so much of AWS's environment.
    pub fn used(&self) -> Used {
        self.used.get()
    }

    /// What a name stands for.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name)
    }

    /// The value that a name stands for, where one is known.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match self.variable(name) {
            Some(Variable::Value(node)) => Some(node),
            _ => None,
        }
    }

    /// Those that stand for a text.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |(name, variable): (&String, &Variable)| match variable {
            Variable::Value(node) => Some((name.clone(), node.text()?.to_owned())),
            Variable::Sensitive | Variable::Unknown(_) => None,
        };
        self.by_name.iter().filter_map(text).collect()
    }

    /// Whether a built-in's value came from AWS's environment, or stands for it.
    pub fn is_ambient(&self, name: &str) -> bool {
        self.ambient.contains(&name)
    }

    /// Notes that something depends on AWS's environment otherwise.
    pub fn uses_ambient(&self, name: &str) {
        if self.ambient.contains(&name) {
            self.used.set(self.used.get().max(if name == PARTITION { Used::Partition } else { Used::Place }));
        }
    }

    fn names(&self, has_key: bool) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str).chain(has_key.then_some("key"))
    }
}

/// Whether a text is a variable's name.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Replaces the variables of a value, in place.
pub(super) struct Substitution<'a> {
    pub sources: &'a Sources,
    pub scope: &'a Variables,
    /// `${key}`, inside a function or secret.
    pub key: Option<&'a str>,
    /// What is wrong, each with the place of the value.
    pub problems: Vec<(Span, Diagnostic)>,
    /// Whether `${port}` stays as it is.
    pub keeps_port: bool,
}

/// A piece of a text.
pub(super) enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

impl Substitution<'_> {
    /// Replaces all of them in the entry of a function or a secret. In a function's `test` with a service, `${port}` stays.
    pub fn apply_entry(&mut self, node: &mut Node) {
        let Value::Map(map) = &mut node.value else { return self.apply(node) };
        for entry in &mut map.entries {
            if entry.key.contains("${") {
                self.key_problem(entry.at, &entry.key);
            }
            self.keeps_port = entry.key == "test" && entry.node.child("service").is_some();
            self.apply(&mut entry.node);
            self.keeps_port = false;
        }
    }

    /// Replaces all of them below a node.
    pub fn apply(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::String(text) if text.contains("${") => {
                let text = std::mem::take(text);
                self.replace(node, &text);
            }
            Value::List(items) => self.list(items),
            Value::Map(map) => {
                for entry in &mut map.entries {
                    if entry.key.contains("${") {
                        self.key_problem(entry.at, &entry.key);
                    }
                    self.apply(&mut entry.node);
                }
            }
            _ => {}
        }
    }

    fn key_problem(&mut self, at: Span, key: &str) {
        let problem = Diagnostic::error("variable-in-key", format!("variables aren't replaced in keys, as in `{key}`"))
            .hint("keys are stable handles: write the key out");
        self.problems.push((at, problem));
    }

    /// A list inside a list is spliced.
    fn list(&mut self, items: &mut Vec<Node>) {
        let splices = |item: &Node| item.text().is_some_and(|text| text.starts_with("${"));
        if !items.iter().any(splices) {
            for item in items {
                self.apply(item);
            }
            return;
        }
        for mut item in std::mem::take(items) {
            let was_text = splices(&item);
            self.apply(&mut item);
            match item.value {
                Value::List(more) if was_text => items.extend(more),
                _ => items.push(item),
            }
        }
    }

    fn replace(&mut self, node: &mut Node, text: &str) {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(wrong) => {
                let (part, problem) = *wrong;
                node.value = Value::String(text.to_owned());
                self.problems.push((self.sources.find(node.span, &part), problem));
                return;
            }
        };
        if let [Piece::Variable(name)] = pieces[..] {
            match self.look_up(node.span, name) {
                Some(found) => {
                    node.origin = self.is_stated(name).then(|| Box::new(found.span));
                    node.value = found.value;
                }
                None => node.value = Value::String(text.to_owned()),
            }
            return;
        }
        let mut result = String::with_capacity(text.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => result.push_str(text),
                Piece::Variable(name) => {
                    let Some(found) = self.look_up(node.span, name) else {
                        node.value = Value::String(text.to_owned());
                        return;
                    };
                    if self.is_stated(name) {
                        node.origin = Some(Box::new(found.span));
                    }
                    self.append(&mut result, node.span, name, &found);
                }
            }
        }
        node.value = Value::String(result);
    }

    fn append(&mut self, result: &mut String, span: Span, name: &str, found: &Node) {
        let problem = match &found.value {
            Value::String(text) => {
                result.push_str(text);
                return;
            }
            Value::Bool(value) => {
                result.push_str(if *value { "true" } else { "false" });
                return;
            }
            Value::Number(number) if number.is_exact() => {
                result.push_str(&number.text);
                return;
            }
            Value::Number(number) => Diagnostic::error(
                "variable-type",
                format!("`${{{name}}}` is the number `{}`, which loses its spelling inside a text", number.text),
            )
            .hint(format!("quote it where it is set: `{name}: \"{}\"`", number.text)),
            _ => Diagnostic::error(
                "variable-type",
                format!("`${{{name}}}` is {}, which can't stand inside a text", found.kind()),
            )
            .hint(format!("write `\"${{{name}}}\"` alone to use it as it is")),
        };
        let mut at = vec![(self.sources.find(span, &format!("${{{name}}}")), problem)];
        if let Some((_, problem)) = at.first_mut() {
            problem.related.push((self.sources.position(found.span), "the variable's value".to_owned()));
        }
        self.problems.append(&mut at);
    }

    /// Whether a variable's value is written somewhere.
    fn is_stated(&self, name: &str) -> bool {
        !(BUILT_IN.contains(&name) || self.keeps_port && name == PORT)
    }

    fn look_up(&mut self, span: Span, name: &str) -> Option<Node> {
        if name == "key"
            && let Some(key) = self.key
        {
            return Some(Node::new(span, Value::String(key.to_owned())));
        }
        if name == PORT && self.keeps_port {
            return Some(Node::new(span, Value::String(format!("${{{PORT}}}"))));
        }
        let problem = match self.scope.by_name.get(name) {
            Some(Variable::Value(node)) => {
                self.scope.uses_ambient(name);
                let replaced = self.scope.replaced.get().saturating_add(measure(node).0);
                self.scope.replaced.set(replaced);
                if replaced <= MAX_REPLACED {
                    return Some(node.clone());
                }
                Diagnostic::error("variable-bomb", "variables multiply the manifest beyond what is read")
                    .because(format!(
                        "all that they add in one target is more than {MAX_REPLACED} values, or texts as long"
                    ))
                    .hint("use shorter values, or fewer of them")
            }
            Some(Variable::Sensitive) => Diagnostic::error(
                "sensitive-output",
                format!("`{name}` is a sensitive output of Terraform, and was not read"),
            )
            .hint("a manifest holds no secrets: keep the value in a secret, and let the function read it there"),
            Some(Variable::Unknown(hint)) => {
                self.scope.used.set(Used::Place);
                Diagnostic::error("unknown-place", format!("`${{{name}}}` is not known")).hint(*hint)
            }
            None => self.unknown(name),
        };
        self.problems.push((self.sources.find(span, &format!("${{{name}}}")), problem));
        None
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        if name == PORT && !self.scope.by_name.contains_key(name) {
            return Diagnostic::error("unknown-variable", "`${port}` is known only in `test`, beside its `service`")
                .hint("in another place, define it in the target's `vars` or in `vars_from`");
        }
        if name == "key" {
            return Diagnostic::error("unknown-variable", "`${key}` is known only inside a function or secret");
        }
        if self.scope.only_built_in {
            return Diagnostic::error(
                "unknown-variable",
                format!("a variable's value can use built-in variables only, not `${{{name}}}`"),
            )
            .hint("built in are `${target}`, `${region}`, `${account}` and `${partition}`");
        }
        let problem = Diagnostic::error("unknown-variable", format!("there is no variable `{name}`"));
        let may_suggest = self.sources.may_suggest();
        match may_suggest.then(|| suggest::nearest(name, self.scope.names(self.key.is_some()))).flatten() {
            Some(near) => problem.hint(did_you_mean(&[&format!("${{{near}}}")])),
            None => problem.hint("set it in the target's `vars` or `vars_from`, or write `$${` for a literal `${`"),
        }
    }
}

/// Divides a text at its variables; `$${` is a literal `${`. The error comes with the part that it is about.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Box<(String, Diagnostic)>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            found.push(Piece::Text(&rest[..at - 1]));
            found.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        if at > 0 {
            found.push(Piece::Text(&rest[..at]));
        }
        let Some(end) = rest[at..].find('}') else {
            let problem = Diagnostic::error("variable-syntax", "`${` is not closed by `}`")
                .hint("write `$${` for a literal `${`");
            return Err(Box::new((rest[at..].to_owned(), problem)));
        };
        let name = &rest[at + 2..at + end];
        if !is_name(name) {
            let problem = Diagnostic::error("variable-syntax", format!("`{name}` is no variable's name"))
                .because("there are no functions, defaults or conditions in variables, and the process's environment is not read")
                .hint("write `${name}`, or `$${` for a literal `${`");
            return Err(Box::new((rest[at..=at + end].to_owned(), problem)));
        }
        found.push(Piece::Variable(name));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    Ok(found)
}
