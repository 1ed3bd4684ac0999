//! Forms of statements that the checks of steps tell apart.

use std::collections::BTreeSet;

use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef, StmtReturn, StmtTry};

use super::words::{last_name, literal};

/// A statement that leaves no trace: a docstring, `pass`, a line in the log.
pub(super) fn is_idle(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => true,
        Stmt::Return(statement) => statement.value.as_deref().is_none_or(is_plain),
        Stmt::Expr(statement) => match &*statement.value {
            Expr::Call(call) => is_log(call),
            value => is_plain(value),
        },
        _ => false,
    }
}

fn is_plain(value: &Expr) -> bool {
    value.is_literal_expr()
}

/// Whether statements do nothing for a rotation.
pub(super) fn does_nothing(body: &[Stmt]) -> bool {
    body.iter().all(is_idle)
}

/// A line in the log: `print(…)`, `logger.info(…)`.
pub(super) fn is_log(call: &ExprCall) -> bool {
    const LEVELS: [&str; 8] = ["debug", "info", "warning", "warn", "error", "critical", "exception", "log"];
    match &*call.func {
        Expr::Name(name) => matches!(name.id.as_str(), "print" | "pprint"),
        Expr::Attribute(attribute) => {
            let object = match &*attribute.value {
                Expr::Call(call) => last_name(&call.func),
                object => last_name(object),
            };
            let object = object.to_lowercase();
            (LEVELS.contains(&attribute.attr.as_str()) && object.contains("log"))
                || (attribute.attr.as_str() == "write" && matches!(object.as_str(), "stdout" | "stderr"))
        }
        _ => false,
    }
}

/// `except:`, `except Exception:`, also as a part of several.
pub(super) fn is_broad(kind: Option<&Expr>) -> bool {
    let is_all = |kind: &Expr| matches!(last_name(kind), "Exception" | "BaseException");
    match kind {
        None => true,
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().any(is_all),
        Some(kind) => is_all(kind),
    }
}

/// Whether a handler does nothing about an error but to log it: it raises none, and calls nothing that could be another way.
pub(super) fn drops_the_error(body: &[Stmt]) -> bool {
    const PLAIN: [&str; 8] = ["dumps", "format", "format_exc", "print_exc", "repr", "str", "type", "dict"];
    let (mut raises, mut calls) = (Raises(false), Calls::default());
    StatementVisitor::visit_body(&mut raises, body);
    calls.visit_body(body);
    !raises.0 && calls.0.iter().all(|call| is_log(call) || PLAIN.contains(&last_name(&call.func)))
}

/// What a handler answers; none where it doesn't answer, but goes on.
pub(super) fn answers(body: &[Stmt]) -> Option<&StmtReturn> {
    match body.last()? {
        Stmt::Return(statement) => Some(statement),
        _ => None,
    }
}

/// Whether an answer looks like one of a service: anything but nothing, and yes or no.
pub(super) fn is_made_up(answer: &Expr) -> bool {
    match answer {
        Expr::Dict(_) | Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::If(condition) => is_made_up(&condition.body) || is_made_up(&condition.orelse),
        _ => false,
    }
}

/// Whether a try is there to tidy up, which may fail.
pub(super) fn is_cleanup(statement: &StmtTry) -> bool {
    const WORDS: [&str; 16] = [
        "close",
        "delete",
        "revoke",
        "remove",
        "rollback",
        "logout",
        "disconnect",
        "quit",
        "cleanup",
        "clean",
        "drop",
        "unlink",
        "terminate",
        "cancel",
        "shutdown",
        "release",
    ];
    let mut calls = Calls::default();
    calls.visit_body(&statement.body);
    let tidies = |call: &&ExprCall| {
        let name = last_name(&call.func).to_lowercase();
        let mut literals = call.arguments.args.iter().filter_map(literal);
        WORDS.iter().any(|word| name.contains(word)) || literals.any(|text| text.eq_ignore_ascii_case("delete"))
    };
    // A try around no call at all converts something.
    calls.0.iter().all(|call| is_log(call)) || calls.0.iter().any(tidies)
}

/// Whether a try speaks to AWS or to another service.
pub(super) fn reaches_out(statement: &StmtTry) -> bool {
    const WORDS: [&str; 14] = [
        "urlopen",
        "request",
        "post",
        "put",
        "patch",
        "connect",
        "execute",
        "run",
        "send",
        "login",
        "authenticate",
        "query",
        "call",
        "invoke",
    ];
    const STARTS: [&str; 7] = ["create_", "put_", "update_", "modify_", "set_", "change_", "rotate_"];
    let mut calls = Calls::default();
    calls.visit_body(&statement.body);
    calls.0.iter().any(|call| {
        let name = last_name(&call.func);
        WORDS.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
    })
}

/// Whether a statement is the last that a body does.
pub(super) fn ends_with(body: &[Stmt], wanted: &StmtTry) -> bool {
    let mut last = body.iter().rev().find(|statement| !is_idle(statement));
    while let Some(statement) = last {
        let inner: &[Stmt] = match statement {
            Stmt::Try(statement) if statement.range == wanted.range => return true,
            Stmt::With(statement) => &statement.body,
            Stmt::Try(statement) => &statement.body,
            Stmt::If(statement) => {
                let branches = statement.elif_else_clauses.iter().map(|clause| &*clause.body);
                return std::iter::once(&*statement.body).chain(branches).any(|body| ends_with(body, wanted));
            }
            _ => return false,
        };
        last = inner.iter().rev().find(|statement| !is_idle(statement));
    }
    false
}

/// All functions of a file, those of classes too.
#[derive(Default)]
pub(super) struct Functions<'a>(pub Vec<&'a StmtFunctionDef>);

impl<'a> StatementVisitor<'a> for Functions<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::FunctionDef(function) = statement {
            self.0.push(function);
        }
        walk_stmt(self, statement);
    }
}

/// All calls in statements.
#[derive(Default)]
pub(super) struct Calls<'a>(pub Vec<&'a ExprCall>);

impl<'a> Visitor<'a> for Calls<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.0.push(call);
        }
        walk_expr(self, expression);
    }
}

/// The tries of a function, but for those of functions in it.
#[derive(Default)]
pub(super) struct Tries<'a>(pub Vec<&'a StmtTry>);

impl<'a> StatementVisitor<'a> for Tries<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Try(statement) => self.0.push(statement),
            _ => {}
        }
        walk_stmt(self, statement);
    }
}

struct Raises(bool);

impl<'a> StatementVisitor<'a> for Raises {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.0 |= matches!(statement, Stmt::Raise(_));
        if let Stmt::Expr(statement) = statement
            && let Expr::Call(call) = &*statement.value
        {
            self.0 |= matches!(last_name(&call.func), "exit" | "_exit" | "abort" | "fail");
        }
        walk_stmt(self, statement);
    }
}

/// Functions whose answers are thrown away.
#[derive(Default)]
pub(super) struct Ignored<'a>(pub BTreeSet<&'a str>);

impl<'a> StatementVisitor<'a> for Ignored<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Expr(statement) = statement
            && let Expr::Call(call) = &*statement.value
        {
            self.0.insert(last_name(&call.func));
        }
        walk_stmt(self, statement);
    }
}
