//! Requests that wait for an answer as long as it takes: a service that hangs then ends the step in its middle, by Lambda's timeout.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::shapes::Calls;
use super::words::last_name;
use crate::inspect::text::Lines;
use crate::model::{CodeCheck, CodeFinding};

/// The calls of the package `requests` that send one.
const REQUESTS: [&str; 8] = ["delete", "get", "head", "options", "patch", "post", "put", "request"];

/// How many findings are told of one file.
const MOST: usize = 5;

/// Requests without a limit, where the file sets none for all of them.
pub(super) fn look(body: &[Stmt], path: &str, lines: &Lines<'_>) -> Vec<CodeFinding> {
    let mut calls = Calls::default();
    calls.visit_body(body);
    if calls.0.iter().any(|call| last_name(&call.func) == "setdefaulttimeout") {
        return Vec::new();
    }
    let endless = calls.0.iter().filter(|call| waits(call));
    let finding = |call: &&ExprCall| {
        let range = call.func.range();
        CodeFinding::warning(
            CodeCheck::Waits,
            "this request has no `timeout`: it waits for as long as the service does",
        )
        .of(path)
        .at(lines.spot(range.start().to_usize(), range.end().to_usize()))
        .because("a service that hangs then ends the step in its middle, by the function's own timeout")
        .hint("pass a `timeout` of some seconds, below the function's")
    };
    endless.map(finding).take(MOST).collect()
}

/// Whether a call is a request without a limit.
fn waits(call: &ExprCall) -> bool {
    let name = last_name(&call.func);
    // `urlopen(url, data, timeout)`; the others take it by name alone.
    let may_be_given = match &*call.func {
        _ if name == "urlopen" => 3,
        Expr::Attribute(attribute) if REQUESTS.contains(&name) && last_name(&attribute.value) == "requests" => {
            usize::MAX
        }
        _ => return false,
    };
    let arguments = &call.arguments;
    let by_name = arguments.keywords.iter().any(|one| one.arg.as_ref().is_none_or(|arg| arg.as_str() == "timeout"));
    let by_position = arguments.args.len() >= may_be_given || arguments.args.iter().any(Expr::is_starred_expr);
    !by_name && !by_position
}
