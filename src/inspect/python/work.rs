//! Steps that do something, and not what they are for.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::shapes::is_log;
use super::steps::{Found, Rotation};
use super::words::{last_name, literal};
use crate::inspect::TRY;
use crate::model::{CodeCheck, CodeFinding};

/// Calls that change nothing.
const HARMLESS: [&str; 22] = [
    "any",
    "bool",
    "client",
    "describe_secret",
    "dict",
    "dumps",
    "enumerate",
    "get",
    "get_secret_value",
    "items",
    "iter",
    "keys",
    "len",
    "list",
    "loads",
    "next",
    "print",
    "range",
    "set",
    "sorted",
    "str",
    "values",
];

/// What is likely wrong with the work of steps.
pub(super) fn look(rotation: &Rotation<'_>) -> Found {
    let mut found = Vec::new();
    found.extend(aims_at_current(rotation));
    found.extend(finish(rotation));
    found
}

/// testSecret must try the pending value, and setSecret must tell the service of it.
fn aims_at_current(rotation: &Rotation<'_>) -> Found {
    let mut found = Vec::new();
    for (step, what, hint) in [
        ("testSecret", "testSecret tries the current value, and not the pending one", TRY),
        (
            "setSecret",
            "setSecret looks at the current value alone, and can't tell the service of the pending one",
            "read the pending value, by `VersionId` and `VersionStage=\"AWSPENDING\"`",
        ),
    ] {
        let Some(work) = rotation.steps.get(step) else { continue };
        let led = rotation.led(*work);
        let current = led.calls.iter().find(|call| arguments(call).any(|one| literal(one) == Some("AWSCURRENT")));
        if let (Some(call), false, true) = (current, led.looks, led.is_known) {
            found.push((call.range(), CodeFinding::warning(CodeCheck::Step, what).hint(hint)));
        }
    }
    found
}

/// finishSecret moves AWSCURRENT from the version that has it.
fn finish(rotation: &Rotation<'_>) -> Found {
    let Some(work) = rotation.steps.get("finishSecret") else { return Vec::new() };
    let led = rotation.led(*work);
    let moves = led.calls.iter().filter(|call| last_name(&call.func) == "update_secret_version_stage");
    let moves: Vec<&&ExprCall> = moves.collect();
    if moves.is_empty() {
        let is_harmless = |call: &&ExprCall| HARMLESS.contains(&last_name(&call.func)) || is_log(call);
        // What is called and isn't known may move it.
        if !led.is_known || !led.calls.iter().all(is_harmless) || !led.puts.is_empty() {
            return Vec::new();
        }
        let what = "finishSecret never moves AWSCURRENT to the pending version: the rotation doesn't end";
        let hint = "call `update_secret_version_stage` with `MoveToVersionId` and `RemoveFromVersionId`";
        return vec![(work.range(), CodeFinding::warning(CodeCheck::Step, what).hint(hint))];
    }
    let keyword = |call: &ExprCall, name: &str| {
        call.arguments.keywords.iter().any(|one| one.arg.as_ref().is_none_or(|arg| arg.as_str() == name))
    };
    let is_of_current = |call: &ExprCall| arguments(call).any(|one| literal(one) == Some("AWSCURRENT"));
    let incomplete = moves.into_iter().filter(|call| {
        is_of_current(call) && keyword(call, "MoveToVersionId") && !keyword(call, "RemoveFromVersionId")
    });
    incomplete
        .map(|call| {
            let what = "AWSCURRENT is moved without `RemoveFromVersionId`, and Secrets Manager refuses that";
            let finding = CodeFinding::warning(CodeCheck::Step, what)
                .because("the label is on another version, which must be named (UpdateSecretVersionStage)")
                .hint("pass the version that has AWSCURRENT as `RemoveFromVersionId`");
            (call.range(), finding)
        })
        .collect()
}

/// All arguments of a call.
fn arguments(call: &ExprCall) -> impl Iterator<Item = &Expr> {
    call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
}
