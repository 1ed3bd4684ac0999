//! Targets: account, region, roles and variables of each.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::merge::merge;
use super::node::{Entry, Map, Node, Number, Value};
use super::raw::TargetFile;
use super::scene::Scene;
use super::source::{self, Span};
use super::variables::{self, BUILT_IN, PARTITION, Substitution, Variable, Variables};
use super::{Ambient, names, parse, typed};
use crate::diagnostic::Diagnostic;
use crate::model;
use crate::model::arn::{FunctionReference, SecretName};
use crate::model::near::{did_you_mean, near};
use crate::model::regions;
use crate::tree::Tree;

/// Stands for the region while only the manifest is looked at.
pub(super) const ANY_REGION: &str = "us-east-1";

/// Stands for the account while only the manifest is looked at.
pub(super) const ANY_ACCOUNT: &str = "000000000000";

/// The partition of a region; `None`: it isn't known which.
pub(super) fn partition_in(region: Option<&str>) -> &'static str {
    model::arn::partition_of(region.unwrap_or(ANY_REGION))
}

/// A target with its variables.
pub(super) struct Destination {
    pub target: model::Target,
    pub scope: Variables,
    pub partition: String,
    /// Region and account as the manifest states them: what is compared between targets.
    pub stated: (Option<String>, Option<String>),
    /// The region, whoever says it; `None`: it isn't known yet.
    region: Option<String>,
}

impl Destination {
    /// The region of an ARN of this service, and the target's, where the two differ.
    pub fn elsewhere(&self, arn: &str, service: &str) -> Option<(String, String)> {
        let arn: model::arn::Arn = arn.parse().ok()?;
        if arn.service != service {
            return None;
        }
        if self.region.is_none() {
            // To be looked at again when AWS's environment is known.
            self.scope.uses_ambient("region");
        }
        let region = self.region.clone()?;
        (arn.region != region && !arn.region.is_empty()).then_some((arn.region, region))
    }

    /// Whether an account and a region, as far as they are stated, may be the target's.
    fn may_be(&self, account: Option<&str>, region: Option<&str>) -> bool {
        let same = |stated: Option<&str>, own: Option<&String>| {
            stated.is_none_or(|stated| own.is_none_or(|own| own == stated))
        };
        same(account, self.stated.0.as_ref()) && same(region, self.stated.1.as_ref())
    }

    /// What a function is called among those of this target: functions of other accounts and regions have names of their own, and so have
    /// a function's versions and aliases.
    pub fn function_name(&self, function: &model::Function) -> String {
        let model::FunctionSource::Existing { reference } = &function.source else { return function.name.clone() };
        let FunctionReference { region, account, name, qualifier } = FunctionReference::of(reference);
        let qualified = qualifier.map_or_else(|| name.to_owned(), |qualifier| format!("{name}:{qualifier}"));
        if account.is_none() || (self.stated.0.is_some() && self.may_be(account, region)) {
            return qualified;
        }
        reference.clone()
    }

    /// What a secret is called among those of this target; and the names that it may have, where text alone doesn't tell.
    pub fn secret_name(&self, reference: &str) -> (String, Vec<String>) {
        let Ok(arn) = reference.parse::<model::arn::Arn>() else { return (reference.to_owned(), Vec::new()) };
        if !self.may_be(Some(&arn.account), Some(&arn.region)) {
            return (reference.to_owned(), Vec::new());
        }
        (reference.to_owned(), SecretName::of(reference).all().map(str::to_owned).collect())
    }
}

/// The targets, each with a placeholder for what only AWS's environment knows, or with `ambient`.
pub(super) fn places(
    document: &Document,
    ambient: Option<&Ambient>,
    only: Option<usize>,
) -> (Vec<Destination>, Vec<Diagnostic>) {
    let nowhere = Entry {
        key: String::new(),
        at: Span { file: 0, line: 1, column: 1, length: 1 },
        node: Node::new(Span { file: 0, line: 1, column: 1, length: 1 }, Value::Map(Map::default())),
    };
    let mut found = Vec::new();
    let entries: Vec<(Option<&str>, &Entry)> = match &document.targets {
        Some(targets) => targets.iter().map(|entry| (Some(entry.key.as_str()), entry)).collect(),
        None => vec![(None, &nowhere)],
    };
    let wanted = entries.into_iter().enumerate().filter(|(index, _)| only.is_none_or(|only| only == *index));
    let places = wanted.map(|(_, (name, entry))| place(document, name, entry, ambient, &mut found)).collect();
    (places, found)
}

/// What AWS's environment says.
enum Environment<'a> {
    /// It was not asked yet.
    Placeholder(&'a str),
    Known(&'a str),
    Unknown,
}

impl<'a> Environment<'a> {
    fn of(
        ambient: Option<&'a Ambient>,
        value: impl Fn(&'a Ambient) -> &'a Option<String>,
        placeholder: &'a str,
    ) -> Self {
        match ambient.map(|ambient| value(ambient).as_deref()) {
            None => Self::Placeholder(placeholder),
            Some(None) => Self::Unknown,
            Some(Some(value)) => Self::Known(value),
        }
    }
}

/// The account and region where none is stated: placeholders, the environment's, or unknown.
fn set_place(
    scope: &mut Variables,
    name: &'static str,
    stated: Option<&str>,
    environment: &Environment<'_>,
    hint: &'static str,
) {
    match (stated, environment) {
        (Some(stated), _) => scope.set_text(name, stated, false),
        (None, Environment::Placeholder(value) | Environment::Known(value)) => scope.set_text(name, value, true),
        (None, Environment::Unknown) => scope.set(name, Variable::Unknown(hint)),
    }
}

fn place(
    document: &Document,
    name: Option<&str>,
    entry: &Entry,
    ambient: Option<&Ambient>,
    found: &mut Vec<Diagnostic>,
) -> Destination {
    let sources = &document.sources;
    let mut merged = merge(document.target_defaults.as_ref(), &entry.node);
    let take = |node: &mut Node, field: &str| match &mut node.value {
        Value::Map(map) => map.take(field),
        _ => None,
    };
    let (vars, vars_from) = (take(&mut merged, "vars"), take(&mut merged, "vars_from"));
    let mut scope = Variables::of_built_ins();
    if let Some(name) = name {
        scope.set_text("target", name, false);
    }
    // Region and account come first: all other variables may use them.
    let mut problems = Vec::new();
    let mut early = |node: &mut Node, scope: &Variables, field: &str| -> Option<String> {
        let Value::Map(map) = &mut node.value else { return None };
        let field = map.entries.iter_mut().find(|entry| entry.key == field)?;
        let mut substitution = Substitution { sources, scope, key: None, problems: Vec::new(), keeps_port: false };
        substitution.apply(&mut field.node);
        problems.append(&mut substitution.problems);
        field.node.text().map(str::to_owned)
    };
    let region = early(&mut merged, &scope, "region");
    let account = early(&mut merged, &scope, "account");
    let environment = Environment::of(ambient, |ambient| &ambient.region, ANY_REGION);
    let hint = "state the target's `region`, or set AWS_REGION";
    set_place(&mut scope, "region", region.as_deref(), &environment, hint);
    let environment = Environment::of(ambient, |ambient| &ambient.account, ANY_ACCOUNT);
    set_place(&mut scope, "account", account.as_deref(), &environment, "state the target's `account`, quoted");
    let known_region = region.clone().or_else(|| ambient.and_then(|ambient| ambient.region.clone()));
    let partition = partition_in(known_region.as_deref()).to_owned();
    scope.set_text(PARTITION, &partition, region.is_none());
    let mut own = VariableReader { document, scope: &mut scope, problems: &mut problems };
    own.read(vars_from.as_ref(), vars.as_ref());
    scope.only_built_in = false;
    let mut substitution = Substitution { sources, scope: &scope, key: None, problems: Vec::new(), keeps_port: false };
    substitution.apply(&mut merged);
    problems.append(&mut substitution.problems);
    // Region and account were replaced before; what they could not find out is said once.
    problems.dedup_by(|a, b| a.0 == b.0 && a.1.check == b.1.check);
    let end = entry.node.map().map_or(entry.at.line, |map| map.end).max(entry.at.line);
    let mut scene = Scene {
        sources,
        kind: "target",
        key: name.unwrap_or_default(),
        at: entry.at,
        end,
        merged: &merged,
        incomplete: !problems.is_empty(),
        found: Vec::new(),
    };
    for (span, problem) in problems {
        scene.push(span, None, problem);
    }
    let (file, misfits) = typed::read::<TargetFile>(&merged);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file.unwrap_or_default();
    check(&mut scene, &file);
    found.append(&mut scene.found);
    let target = model::Target {
        name: name.map(str::to_owned),
        region: known_region,
        account: file.account.clone(),
        role: file.role,
        apply_role: file.apply_role,
        external_id: file.external_id.map(model::Sensitive::new),
        session_name: file.session_name,
    };
    let known = region.clone().or_else(|| ambient.and_then(Ambient::known_region).cloned());
    Destination { target, scope, partition, stated: (file.account, region), region: known }
}

fn check(scene: &mut Scene<'_>, file: &TargetFile) {
    let incomplete = scene.incomplete;
    let whole = |text: &&String| !(incomplete && text.contains("${"));
    if let Some(region) = file.region.as_ref().filter(whole)
        && let Err((reason, hint)) = names::region(region)
    {
        let mut problem = Diagnostic::error("region", reason);
        problem.hints.extend(hint);
        scene.report(&["region"], problem);
    }
    if let Some(region) = file.region.as_ref().filter(whole)
        && names::region(region).is_ok()
        && !regions::KNOWN.contains(&region.as_str())
    {
        let problem =
            Diagnostic::warning("region", format!("no region `{region}` is known here, as of {}", regions::AS_OF));
        scene.report(
            &["region"],
            match near(region, regions::KNOWN).first() {
                Some(near) => problem.hint(did_you_mean(&[near])),
                None => problem.hint("check its name: a region that doesn't exist has no addresses to call"),
            },
        );
    }
    let account = file.account.as_ref().filter(whole);
    if let Some(account) = account
        && !model::arn::is_account_id(account)
    {
        let problem = Diagnostic::error("account", format!("`{account}` is no account id: twelve digits"));
        let digits: String = account.chars().filter(char::is_ascii_digit).collect();
        let problem =
            if model::arn::is_account_id(&digits) { problem.hint(format!("write `\"{digits}\"`")) } else { problem };
        scene.report(&["account"], problem);
    }
    for (field, role) in [("role", &file.role), ("apply_role", &file.apply_role)] {
        let Some(role) = role.as_ref().filter(whole) else { continue };
        if let Err(reason) = model::text::check_readable(role) {
            let problem = Diagnostic::error("invisible", format!("`{field}` can't be read: {reason}"));
            scene.report(&[field], problem.hint("type it anew without it"));
        }
        match names::role_account(role) {
            Err(reason) => scene.report(&[field], Diagnostic::error("role", format!("`{role}` is no role: {reason}"))),
            Ok(of_role) if account.is_some_and(|account| *account != of_role && model::arn::is_account_id(account)) => {
                let problem = Diagnostic::error(
                    "role",
                    format!(
                        "the role belongs to account {of_role}, and the target's account is {}",
                        file.account.as_deref().unwrap_or_default()
                    ),
                )
                .hint("with a role, one acts in the role's account");
                scene.report(&[field], problem);
            }
            Ok(_) => {}
        }
    }
    check_session(scene, file);
}

/// What is sent along when a role is assumed.
fn check_session(scene: &mut Scene<'_>, file: &TargetFile) {
    let incomplete = scene.incomplete;
    let whole = |text: &&String| !(incomplete && text.contains("${"));
    if let Some(name) = file.session_name.as_ref().filter(whole)
        && let Err(reason) = model::session::check_name(name)
    {
        scene.report(&["session_name"], Diagnostic::error("session", reason));
    }
    if let Some(id) = file.external_id.as_ref().filter(whole)
        && let Err(reason) = model::session::check_external_id(id)
    {
        scene.report_unshown(&["external_id"], Diagnostic::error("session", reason));
    }
    if !incomplete && file.role.is_none() && file.apply_role.is_none() {
        let stated = [("external_id", file.external_id.is_some()), ("session_name", file.session_name.is_some())];
        for (field, _) in stated.into_iter().filter(|(_, is_stated)| *is_stated) {
            let problem = Diagnostic::error("session", format!("`{field}` is for a role, and the target has none"))
                .hint(format!("state the target's `role`, or write `{field}: null` where it comes from the defaults"));
            scene.report_key(&[field], problem);
        }
    }
}

struct VariableReader<'a> {
    document: &'a Document,
    scope: &'a mut Variables,
    problems: &'a mut Vec<(Span, Diagnostic)>,
}

impl VariableReader<'_> {
    fn read(&mut self, vars_from: Option<&Entry>, vars: Option<&Entry>) {
        let mut values: Vec<(String, Variable)> = Vec::new();
        if let Some(entry) = vars_from {
            let mut node = entry.node.clone();
            self.substitute(&mut node);
            match node.text() {
                Some(path) => values.extend(self.file(node.span, path)),
                None => self.problem(
                    node.span,
                    Diagnostic::error("wrong-type", format!("`vars_from` must be a path, not {}", node.kind())),
                ),
            }
        }
        match vars.map(|entry| (&entry.node, &entry.node.value)) {
            None => {}
            Some((_, Value::Map(map))) => {
                for entry in &map.entries {
                    if self.is_free(&entry.key, entry.at) {
                        let mut node = entry.node.clone();
                        self.substitute(&mut node);
                        values.push((entry.key.clone(), Variable::Value(node)));
                    }
                }
            }
            Some((node, _)) => self.problem(
                node.span,
                Diagnostic::error("wrong-type", format!("`vars` must be a map, not {}", node.kind())),
            ),
        }
        // Only now: the values themselves use built-ins only.
        for (name, value) in values {
            self.scope.set(name, value);
        }
    }

    fn problem(&mut self, span: Span, problem: Diagnostic) {
        self.problems.push((span, problem));
    }

    fn substitute(&mut self, node: &mut Node) {
        let mut substitution = Substitution {
            sources: &self.document.sources,
            scope: self.scope,
            key: None,
            problems: Vec::new(),
            keeps_port: false,
        };
        substitution.apply(node);
        self.problems.append(&mut substitution.problems);
    }

    /// Whether a name can be given to a variable.
    fn is_free(&mut self, name: &str, at: Span) -> bool {
        if BUILT_IN.contains(&name) {
            self.problem(
                at,
                Diagnostic::error("variable-name", format!("`{name}` is built in, and can't be set"))
                    .hint("choose another name"),
            );
            return false;
        }
        if !variables::is_name(name) {
            self.problem(
                at,
                Diagnostic::error(
                    "variable-name",
                    format!(
                        "`{name}` is no variable's name: letters, digits, `_` and `-`, starting with a letter or `_`"
                    ),
                ),
            );
            return false;
        }
        true
    }

    /// The variables of a file: a map, or Terraform's outputs.
    fn file(&mut self, at: Span, path: &str) -> Vec<(String, Variable)> {
        let (shown, text) = match self.open(at, path) {
            Ok(read) => read,
            Err(reason) => {
                let problem = Diagnostic::error("vars-from", format!("`{path}` can't be used: {reason}"))
                    .hint("the path is relative to the file that states it, and stays inside the manifest's folder");
                self.problem(at, problem);
                return Vec::new();
            }
        };
        // Nothing of this file is ever shown: Terraform writes sensitive outputs beside the others.
        let file = self.document.sources.add(shown.clone(), text, true);
        let parsed = parse::parse(&self.document.sources, file);
        // JSON knows escapes that YAML doesn't.
        let parsed = parsed.or_else(|problems| json(&self.document.sources.get(file).text, file).ok_or(problems));
        let node = match parsed {
            Ok(node) => node,
            Err(problems) => {
                for problem in problems {
                    let place = problem.position.as_ref().map_or(String::new(), |position| {
                        format!(" (line {}, column {})", position.line, position.column)
                    });
                    let summary = format!("`{}` can't be read: {}{place}", shown.display(), problem.summary);
                    self.problem(at, Diagnostic::error("vars-from", summary));
                }
                return Vec::new();
            }
        };
        let Value::Map(map) = node.value else {
            self.problem(
                at,
                Diagnostic::error("vars-from", format!("`{}` must hold a map, not {}", shown.display(), node.kind())),
            );
            return Vec::new();
        };
        let outputs = !map.entries.is_empty() && map.entries.iter().all(|entry| is_output(&entry.node));
        let mut found = Vec::new();
        for Entry { key, node, .. } in map.entries {
            // Outputs that no manifest can name are no mistake: they are made for others.
            if BUILT_IN.contains(&key.as_str()) || !variables::is_name(&key) {
                if !outputs {
                    self.problem(
                        at,
                        Diagnostic::error(
                            "variable-name",
                            format!("`{key}` in `{}` can't be a variable", shown.display()),
                        ),
                    );
                }
                continue;
            }
            if !outputs {
                if !node.is_null() {
                    found.push((key, Variable::Value(node)));
                }
            } else if node.child("sensitive").is_some_and(|sensitive| !matches!(sensitive.value, Value::Bool(false))) {
                found.push((key, Variable::Sensitive));
            } else if let Some(value) = node.child("value").filter(|value| !value.is_null()) {
                found.push((key, Variable::Value(value.clone())));
            }
        }
        found
    }

    fn open(&self, at: Span, path: &str) -> Result<(PathBuf, String), String> {
        let folder = self.document.sources.folder(at.file);
        self.document.sources.fetch(&folder.join(path));
        let path = inside(&self.document.tree, &folder, path)?;
        source::read(&path).map(|text| (path, text))
    }
}

/// A JSON text as a tree, all of it at the file's start: nothing of it is shown anyway.
fn json(text: &str, file: u32) -> Option<Node> {
    fn node(value: serde_json::Value, span: Span) -> Node {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => {
                Value::Number(Number { text: number.to_string(), integer: number.as_i64() })
            }
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(|item| node(item, span)).collect()),
            serde_json::Value::Object(members) => {
                let entries = members.into_iter().map(|(key, value)| Entry { key, at: span, node: node(value, span) });
                Value::Map(Map::new(entries.collect(), span.line))
            }
        };
        Node::new(span, value)
    }
    let value = serde_json::from_str(text).ok()?;
    Some(node(value, Span { file, line: 1, column: 1, length: 1 }))
}

/// An output as `terraform output -json` writes it.
fn is_output(node: &Node) -> bool {
    node.child("value").is_some() && (node.child("type").is_some() || node.child("sensitive").is_some())
}

/// A path of the manifest, relative to the file that states it; it must be there, and inside the manifest's tree.
pub(super) fn inside(tree: &Path, folder: &Path, path: &str) -> Result<PathBuf, String> {
    if path.is_empty() {
        return Err("it is empty".to_owned());
    }
    model::text::check_readable(path)?;
    if Path::new(path).is_absolute() || path.starts_with('~') {
        return Err("a path is relative to the file that states it".to_owned());
    }
    let tree = Tree::at(tree).map_err(|error| error.to_string())?;
    match tree.reach(folder, Path::new(path)) {
        Ok(_) => Ok(folder.join(path)),
        Err(stray) => Err(stray.to_string()),
    }
}
