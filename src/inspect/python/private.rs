//! Secrets' values that code writes into its log, as far as one file shows where they come from.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::statement_visitor::StatementVisitor;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, InterpolatedStringElement, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::shapes::{Functions, is_log};
use super::words::{last_name, literal};
use crate::inspect::text::Lines;
use crate::model::{CodeCheck, CodeFinding};

/// How many findings are told of one file.
const MOST: usize = 10;

/// How often functions are gone through, to know what they answer.
const ROUNDS: usize = 3;

/// Members of answers of Secrets Manager that hold values.
const MEMBERS: [&str; 3] = ["SecretString", "SecretBinary", "RandomPassword"];

/// Calls of Secrets Manager whose answers hold values.
const CALLS: [&str; 3] = ["get_secret_value", "batch_get_secret_value", "get_random_password"];

/// Names of what only a secret may hold.
const WORDS: [&str; 26] = [
    "accesskeysecret",
    "accesstoken",
    "apikey",
    "apisecret",
    "apitoken",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "currentpassword",
    "masterpassword",
    "newpassword",
    "newsecretvalue",
    "oldpassword",
    "passphrase",
    "passwd",
    "password",
    "pendingpassword",
    "privatekey",
    "pwd",
    "randompassword",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
    "secretstring",
    "secretvalue",
    "signingkey",
];

/// What an expression holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Nothing,
    /// A structure, one of whose members is private.
    Within,
    /// A private value itself.
    Value,
}

/// What a file writes into its log.
pub(super) fn look(body: &[Stmt], path: &str, lines: &Lines<'_>) -> Vec<CodeFinding> {
    let mut functions = Functions::default();
    StatementVisitor::visit_body(&mut functions, body);
    let mut answers: BTreeMap<&str, Holds> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let before = answers.clone();
        for function in &functions.0 {
            let holds = Reader::new(&before).answer(function);
            let known = answers.entry(function.name.as_str()).or_insert(Holds::Nothing);
            *known = (*known).max(holds);
        }
        if answers == before {
            break;
        }
    }
    let mut found = BTreeSet::new();
    let mut reader = Reader::new(&answers);
    reader.visit_body(body);
    found.extend(reader.logged);
    for function in &functions.0 {
        let mut reader = Reader::new(&answers);
        reader.visit_body(&function.body);
        found.extend(reader.logged);
    }
    found
        .into_iter()
        .take(MOST)
        .map(|(start, end, is_raised)| {
            let how = if is_raised { "an error whose words hold it, and Lambda logs them" } else { "the log" };
            CodeFinding::warning(CodeCheck::LogsSecret, format!("a secret's value goes into {how}"))
                .of(path)
                .at(lines.spot(start, end))
                .because("all who may read the function's log can read it there, for as long as the log is kept")
                .hint("log which version it is, never what it holds")
        })
        .collect()
}

/// Goes through statements in their order, and remembers what names hold.
struct Reader<'a, 'b> {
    answers: &'b BTreeMap<&'a str, Holds>,
    names: BTreeMap<&'a str, Holds>,
    returned: Holds,
    /// Where something private is logged, and whether by an error.
    logged: Vec<(usize, usize, bool)>,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(answers: &'b BTreeMap<&'a str, Holds>) -> Self {
        Self { answers, names: BTreeMap::new(), returned: Holds::Nothing, logged: Vec::new() }
    }

    fn answer(mut self, function: &'a StmtFunctionDef) -> Holds {
        self.visit_body(&function.body);
        self.returned
    }

    fn holds(&self, expression: &Expr) -> Holds {
        match expression {
            Expr::Name(name) => {
                let known = self.names.get(name.id.as_str()).copied();
                known.unwrap_or_else(|| if is_private(&name.id) { Holds::Value } else { Holds::Nothing })
            }
            Expr::Attribute(attribute) if is_private(&attribute.attr) => Holds::Value,
            Expr::Subscript(subscript) => match literal(&subscript.slice) {
                Some(key) => self.member(&subscript.value, key),
                None => Holds::Nothing,
            },
            Expr::Call(call) => self.call(call),
            Expr::Dict(dict) => {
                let within = dict.items.iter().any(|item| self.holds(&item.value) > Holds::Nothing);
                if within { Holds::Within } else { Holds::Nothing }
            }
            Expr::List(list) => self.any(&list.elts),
            Expr::Tuple(tuple) => self.any(&tuple.elts),
            Expr::FString(text) => {
                let parts = text.value.elements().filter_map(InterpolatedStringElement::as_interpolation);
                let held = parts.map(|part| self.holds(&part.expression)).max().unwrap_or(Holds::Nothing);
                if held > Holds::Nothing { Holds::Value } else { Holds::Nothing }
            }
            Expr::BinOp(operation) => self.holds(&operation.left).max(self.holds(&operation.right)),
            Expr::If(condition) => self.holds(&condition.body).max(self.holds(&condition.orelse)),
            Expr::BoolOp(operation) => self.any(&operation.values),
            Expr::Starred(starred) => self.holds(&starred.value),
            Expr::Named(named) => self.holds(&named.value),
            Expr::Await(awaited) => self.holds(&awaited.value),
            _ => Holds::Nothing,
        }
    }

    fn any(&self, expressions: &[Expr]) -> Holds {
        expressions.iter().map(|expression| self.holds(expression)).max().unwrap_or(Holds::Nothing)
    }

    /// `value["key"]`.
    fn member(&self, value: &Expr, key: &str) -> Holds {
        if MEMBERS.contains(&key) || is_private(key) { Holds::Value } else { self.part(value) }
    }

    /// A member that isn't called like something private is private where all of it is.
    fn part(&self, value: &Expr) -> Holds {
        match self.holds(value) {
            Holds::Value if !matches!(value, Expr::Subscript(_) | Expr::Name(_)) => Holds::Value,
            _ => Holds::Nothing,
        }
    }

    fn call(&self, call: &ExprCall) -> Holds {
        let name = last_name(&call.func);
        let first = || call.arguments.args.first().map_or(Holds::Nothing, |first| self.holds(first));
        let all = || {
            let named = call.arguments.keywords.iter().map(|keyword| self.holds(&keyword.value));
            named.max().unwrap_or(Holds::Nothing).max(self.any(&call.arguments.args))
        };
        if CALLS.contains(&name) {
            return Holds::Within;
        }
        match (&*call.func, name) {
            // What is read of a text that is private.
            (_, "loads") => {
                if first() > Holds::Nothing {
                    Holds::Within
                } else {
                    Holds::Nothing
                }
            }
            (
                _,
                "dumps" | "str" | "repr" | "dict" | "b64decode" | "b64encode" | "format" | "pformat" | "deepcopy"
                | "bytes",
            ) => {
                let object = match &*call.func {
                    Expr::Attribute(attribute) => self.holds(&attribute.value),
                    _ => Holds::Nothing,
                };
                all().max(if name == "format" { object } else { Holds::Nothing })
            }
            (Expr::Attribute(attribute), "decode" | "encode" | "strip" | "copy" | "items" | "values" | "hex") => {
                self.holds(&attribute.value)
            }
            (Expr::Attribute(attribute), "get" | "pop") => match call.arguments.args.first().and_then(literal) {
                Some(key) => self.member(&attribute.value, key),
                None => Holds::Nothing,
            },
            (Expr::Name(_), name) => self.answers.get(name).copied().unwrap_or(Holds::Nothing),
            (Expr::Attribute(attribute), name) if matches!(last_name(&attribute.value), "self" | "cls") => {
                self.answers.get(name).copied().unwrap_or(Holds::Nothing)
            }
            _ => Holds::Nothing,
        }
    }

    fn assign(&mut self, target: &'a Expr, holds: Holds) {
        match target {
            Expr::Name(name) => {
                // A name that says it all is believed, whatever was put into it.
                let holds = if is_private(&name.id) { Holds::Value } else { holds };
                self.names.insert(name.id.as_str(), holds);
            }
            // `a["password"] = …` makes a structure private.
            Expr::Subscript(subscript) if holds > Holds::Nothing => {
                if let Expr::Name(name) = &*subscript.value {
                    self.names.insert(name.id.as_str(), Holds::Within);
                }
            }
            _ => {}
        }
    }

    fn log(&mut self, arguments: &[Expr], is_raised: bool) {
        for argument in arguments {
            if self.holds(argument) > Holds::Nothing {
                let range: TextRange = argument.range();
                self.logged.push((range.start().to_usize(), range.end().to_usize(), is_raised));
            }
        }
    }
}

impl<'a> Visitor<'a> for Reader<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            // Each by itself: what its own names hold.
            Stmt::FunctionDef(_) => return,
            Stmt::Assign(assign) => {
                self.visit_expr(&assign.value);
                for target in &assign.targets {
                    match (target, &*assign.value) {
                        (Expr::Tuple(targets), Expr::Tuple(values)) if targets.elts.len() == values.elts.len() => {
                            for (target, value) in targets.elts.iter().zip(&values.elts) {
                                let holds = self.holds(value);
                                self.assign(target, holds);
                            }
                        }
                        (target, value) => {
                            let holds = self.holds(value);
                            self.assign(target, holds);
                        }
                    }
                }
                return;
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let holds = self.holds(value);
                    self.assign(&assign.target, holds);
                }
            }
            Stmt::Return(statement) => {
                if let Some(value) = &statement.value {
                    self.returned = self.returned.max(self.holds(value));
                }
            }
            Stmt::Raise(statement) => {
                if let Some(Expr::Call(call)) = statement.exc.as_deref() {
                    self.log(&call.arguments.args, true);
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) if is_log(call) => {
                self.log(&call.arguments.args, false);
                for keyword in &call.arguments.keywords {
                    self.log(std::slice::from_ref(&keyword.value), false);
                }
            }
            Expr::Named(named) => {
                let holds = self.holds(&named.value);
                self.assign(&named.target, holds);
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

/// Whether something is called as only a secret's value is.
fn is_private(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    WORDS.contains(&plain.as_str())
}
