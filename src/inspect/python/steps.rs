//! The four steps of a rotation, as a file has them: what surely or likely keeps them from their work.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::statement_visitor::StatementVisitor;
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{ExceptHandler, Expr, ExprCall, Pattern, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::shapes::{
    Calls, Functions, Ignored, Tries, answers, does_nothing, drops_the_error, ends_with, is_broad, is_cleanup, is_idle,
    is_made_up, reaches_out,
};
use super::words::{last_name, literal};
use super::work;
use crate::inspect::text::Lines;
use crate::inspect::{TRY, UNTESTED};
use crate::model::{CodeCheck, CodeFinding};

/// The steps that Secrets Manager calls, in their order (Secrets Manager, "Rotation function").
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// The same, as functions are usually called.
const USUAL: [&str; 4] = ["create_secret", "set_secret", "test_secret", "finish_secret"];

/// How deep helpers are followed.
const DEEP: usize = 4;

/// What a step runs.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    /// A function of the file.
    Function(&'a StmtFunctionDef),
    /// Statements where the steps are told apart.
    Here(&'a [Stmt], TextRange),
}

impl<'a> Work<'a> {
    pub fn body(self) -> &'a [Stmt] {
        match self {
            Self::Function(function) => &function.body,
            Self::Here(body, _) => body,
        }
    }

    pub fn range(self) -> TextRange {
        match self {
            Self::Function(function) => function.name.range,
            Self::Here(_, range) => range,
        }
    }
}

/// A file that tells the steps apart.
pub(super) struct Rotation<'a> {
    functions: BTreeMap<&'a str, &'a StmtFunctionDef>,
    /// Names that stand for a text, such as `PENDING = "AWSPENDING"`.
    texts: BTreeMap<&'a str, &'a str>,
    pub steps: BTreeMap<&'static str, Work<'a>>,
    /// All functions that handle errors of steps: steps, and where they are told apart.
    outer: Vec<&'a StmtFunctionDef>,
}

/// What is likely wrong with the steps of a file; nothing where it has none.
pub(super) fn look(body: &[Stmt], path: &str, lines: &Lines<'_>) -> Vec<CodeFinding> {
    let rotation = Rotation::of(body);
    if rotation.steps.is_empty() {
        return Vec::new();
    }
    let mut found = rotation.empty();
    found.extend(rotation.untested(lines));
    found.extend(work::look(&rotation));
    // Who knows that a version can't be put twice has thought of a second call.
    if !lines.names("ResourceExistsException") {
        found.extend(rotation.unrepeatable());
    }
    found.extend(rotation.hidden());
    found
        .into_iter()
        .map(|(range, finding)| finding.of(path).at(lines.spot(range.start().to_usize(), range.end().to_usize())))
        .collect()
}

/// What is found, and where.
pub(super) type Found = Vec<(TextRange, CodeFinding)>;

/// What a step leads to.
#[derive(Default)]
pub(super) struct Led<'a> {
    /// Puts of a value.
    pub puts: Vec<&'a ExprCall>,
    /// All other calls.
    pub calls: Vec<&'a ExprCall>,
    /// Whether one looks at the pending version.
    pub looks: bool,
    /// Whether all functions that it calls by name are written in the file.
    pub is_known: bool,
    seen: BTreeSet<&'a str>,
}

impl<'a> Rotation<'a> {
    fn of(body: &'a [Stmt]) -> Self {
        let mut functions = Functions::default();
        functions.visit_body(body);
        let functions: BTreeMap<&str, &StmtFunctionDef> =
            functions.0.into_iter().map(|function| (function.name.as_str(), function)).collect();
        let texts = body.iter().filter_map(|statement| match statement {
            Stmt::Assign(assign) => Some((last_name(assign.targets.first()?), literal(&assign.value)?)),
            _ => None,
        });
        let mut rotation = Self { functions, texts: texts.collect(), steps: BTreeMap::new(), outer: Vec::new() };
        let mut told = Told { rotation: &rotation, steps: BTreeMap::new(), around: None, outer: Vec::new() };
        told.visit_body(body);
        let (mut steps, mut outer) = (told.steps, told.outer);
        // Where none are told apart that can be seen, those that are called so are taken for them.
        for (step, usual) in STEPS.into_iter().zip(USUAL) {
            if let Some(function) = rotation.functions.get(usual).or_else(|| rotation.functions.get(step)) {
                steps.entry(step).or_insert(Work::Function(function));
            }
        }
        if steps.len() < 2 {
            steps.clear();
        }
        for work in steps.values() {
            if let Work::Function(function) = work {
                outer.push(*function);
            }
        }
        (rotation.steps, rotation.outer) = (steps, outer);
        rotation
    }

    /// Steps that do nothing: a value that nothing has tried becomes the current one.
    fn empty(&self) -> Found {
        let mut found = Vec::new();
        let is_empty = |step: &str| self.steps.get(step).is_some_and(|work| does_nothing(work.body()));
        for (step, work) in &self.steps {
            let Some(Stmt::Raise(raise)) = work.body().iter().find(|statement| !is_idle(statement)) else { continue };
            let error = raise.exc.as_deref().map_or("", |error| match error {
                Expr::Call(call) => last_name(&call.func),
                error => last_name(error),
            });
            if error == "NotImplementedError" {
                let summary =
                    format!("{step} isn't written yet: it raises `NotImplementedError`, and every rotation fails");
                found.push((raise.range, CodeFinding::error(CodeCheck::Step, summary).hint("write the step")));
            }
        }
        if let Some(test) = self.steps.get("testSecret").filter(|_| is_empty("testSecret")) {
            let what = if is_empty("setSecret") { "setSecret and testSecret do" } else { "testSecret does" };
            let summary = format!("{what} nothing: a value that doesn't work becomes the current one");
            let finding = CodeFinding::warning(CodeCheck::Step, summary);
            found.push((test.range(), finding.hint(TRY)));
        }
        found
    }

    /// A file that tells steps apart, and doesn't know the one that tries the new value.
    fn untested(&self, lines: &Lines<'_>) -> Found {
        let Some(finish) = self.steps.get("finishSecret") else { return Vec::new() };
        if !self.steps.contains_key("createSecret") || lines.names("testSecret") {
            return Vec::new();
        }
        let finding = CodeFinding::warning(CodeCheck::Step, UNTESTED);
        vec![(finish.range(), finding.hint(TRY))]
    }

    /// createSecret may be called again, for the same version, and must then find its work done.
    fn unrepeatable(&self) -> Found {
        let Some(create) = self.steps.get("createSecret") else { return Vec::new() };
        let Led { puts, looks, is_known, .. } = self.led(*create);
        let mut found = Vec::new();
        for put in &puts {
            let has = |name: &str| {
                let mut keywords = put.arguments.keywords.iter();
                keywords.any(|keyword| keyword.arg.as_ref().is_none_or(|arg| arg.as_str() == name))
            };
            let what = if !has("ClientRequestToken") {
                "createSecret puts its value without `ClientRequestToken`: into another version than the one that is pending"
            } else if !has("VersionStages") {
                "createSecret puts its value without `VersionStages=[\"AWSPENDING\"]`: it becomes current at once, untried"
            } else {
                continue;
            };
            let finding = CodeFinding::warning(CodeCheck::NotRepeatable, what);
            found.push((
                put.range(),
                finding.hint("pass `ClientRequestToken=event[\"ClientRequestToken\"], VersionStages=[\"AWSPENDING\"]`"),
            ));
        }
        if let (Some(first), false, true, true) = (puts.first(), looks, is_known, found.is_empty()) {
            let summary =
                "createSecret makes a new value each time it is called, and Secrets Manager may call it again";
            let finding = CodeFinding::warning(CodeCheck::NotRepeatable, summary)
                .because("what the service was told between two calls is then lost, and another key is left there")
                .hint("look first for a value of this version, by `VersionId` and `VersionStage=\"AWSPENDING\"`, and return where there is one");
            found.push((first.range(), finding));
        }
        found
    }

    /// What a step leads to, through the functions of the file.
    pub fn led(&self, work: Work<'a>) -> Led<'a> {
        let mut led = Led { is_known: true, ..Led::default() };
        let mut calls = Calls::default();
        calls.visit_body(work.body());
        self.follow(&calls, DEEP, &mut led);
        led
    }

    fn follow(&self, calls: &Calls<'a>, deep: usize, led: &mut Led<'a>) {
        for call in &calls.0 {
            let name = last_name(&call.func);
            let function = self.functions.get(name);
            if name == "put_secret_value" && function.is_none() {
                led.puts.push(call);
                continue;
            }
            led.looks |= self.looks(call);
            led.calls.push(call);
            let Some(function) = function else {
                // What isn't written here may look as well.
                led.is_known &= !matches!(&*call.func, Expr::Name(name) if !BUILT_IN.contains(&name.id.as_str()));
                continue;
            };
            if deep > 0 && led.seen.insert(function.name.as_str()) {
                let mut inner = Calls::default();
                inner.visit_body(&function.body);
                self.follow(&inner, deep - 1, led);
            }
        }
    }

    /// Whether a call asks for the pending version.
    fn looks(&self, call: &ExprCall) -> bool {
        let is_pending = |expression: &Expr| {
            literal(expression) == Some("AWSPENDING")
                || self.texts.get(last_name(expression)) == Some(&"AWSPENDING")
                || last_name(expression).to_lowercase().contains("pending")
        };
        let named = call.arguments.keywords.iter();
        call.arguments.args.iter().any(is_pending)
            || named.clone().any(|keyword| is_pending(&keyword.value))
            || (last_name(&call.func) == "get_secret_value"
                && named.clone().any(|keyword| keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == "VersionId")))
            || last_name(&call.func).to_lowercase().contains("pending")
    }

    /// Errors that end nowhere: Secrets Manager takes the step for done.
    fn hidden(&self) -> Found {
        let mut found = Vec::new();
        for function in self.functions.values() {
            let is_outer = self.outer.iter().any(|outer| outer.range == function.range)
                || function.name.to_lowercase().contains("handler");
            let mut tries = Tries::default();
            tries.visit_body(&function.body);
            for statement in tries.0 {
                let is_tail = ends_with(&function.body, statement);
                for handler in &statement.handlers {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    if !is_broad(handler.type_.as_deref()) || !drops_the_error(&handler.body) || is_cleanup(statement) {
                        continue;
                    }
                    let answer = answers(&handler.body);
                    let ends = is_tail || answer.is_some();
                    let is_lost = ends && is_outer;
                    let made_up = answer.and_then(|answer| answer.value.as_deref()).is_some_and(is_made_up);
                    let is_hidden = made_up || (ends && self.is_ignored(function.name.as_str()));
                    if !(is_lost || is_hidden && reaches_out(statement)) {
                        continue;
                    }
                    let start = handler.range.start();
                    let first = handler.body.first().map_or(handler.range.end(), Ranged::start);
                    let summary = if is_lost {
                        "all errors of this step are caught, and it ends as if it had worked"
                    } else {
                        "all errors of what this step calls are caught, and it goes on as if it had worked"
                    };
                    let finding = CodeFinding::warning(CodeCheck::HidesErrors, summary)
                        .because("Secrets Manager knows of a failed step by the error that the function ends with, and by nothing else")
                        .hint("catch the one error that is expected, and `raise` all others");
                    found.push((TextRange::new(start, first), finding));
                }
            }
        }
        found
    }

    /// Whether what a function answers is thrown away somewhere.
    fn is_ignored(&self, name: &str) -> bool {
        let mut ignored = Ignored::default();
        for function in self.functions.values() {
            ignored.visit_body(&function.body);
        }
        ignored.0.contains(name)
    }
}

/// Functions that Python has built in and that steps call.
const BUILT_IN: [&str; 36] = [
    "ValueError",
    "KeyError",
    "RuntimeError",
    "Exception",
    "TypeError",
    "LookupError",
    "all",
    "any",
    "bool",
    "bytes",
    "dict",
    "enumerate",
    "filter",
    "float",
    "format",
    "getattr",
    "hasattr",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "open",
    "print",
    "range",
    "repr",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
];

/// Where steps are told apart.
struct Told<'a, 'b> {
    rotation: &'b Rotation<'a>,
    steps: BTreeMap<&'static str, Work<'a>>,
    around: Option<&'a StmtFunctionDef>,
    outer: Vec<&'a StmtFunctionDef>,
}

impl<'a> Told<'a, '_> {
    fn step(&self, expression: &Expr) -> Option<&'static str> {
        let text = literal(expression).or_else(|| self.rotation.texts.get(last_name(expression)).copied())?;
        STEPS.into_iter().find(|step| *step == text)
    }

    fn tell(&mut self, step: &'static str, work: Work<'a>) {
        self.steps.entry(step).or_insert(work);
        self.outer.extend(self.around);
    }

    /// A branch for one step: what it calls, or what it does itself.
    fn branch(&mut self, step: &'static str, body: &'a [Stmt], range: TextRange) {
        let mut busy = body.iter().filter(|statement| !is_idle(statement));
        let called = match (busy.next(), busy.next()) {
            (Some(Stmt::Expr(statement)), None) => called(&statement.value),
            (Some(Stmt::Return(statement)), None) => statement.value.as_deref().and_then(called),
            _ => None,
        };
        let function = called.and_then(|name| self.rotation.functions.get(name).copied());
        self.tell(step, function.map_or(Work::Here(body, range), Work::Function));
    }

    fn condition(&mut self, test: &'a Expr, body: &'a [Stmt]) {
        let Expr::Compare(compare) = test else { return };
        let mut sides = std::iter::once(&*compare.left).chain(&*compare.comparators);
        if let (Some(step), [ruff_python_ast::CmpOp::Eq]) = (sides.find_map(|side| self.step(side)), &*compare.ops) {
            self.branch(step, body, test.range());
        }
    }
}

/// The name of what an expression calls.
fn called(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Call(call) => Some(last_name(&call.func)).filter(|name| !name.is_empty()),
        _ => None,
    }
}

impl<'a> Visitor<'a> for Told<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let around = self.around.replace(function);
                ruff_python_ast::visitor::walk_stmt(self, statement);
                self.around = around;
                return;
            }
            Stmt::If(statement) => {
                self.condition(&statement.test, &statement.body);
                for clause in &statement.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.condition(test, &clause.body);
                    }
                }
            }
            Stmt::Match(statement) => {
                for case in &statement.cases {
                    if let Pattern::MatchValue(value) = &case.pattern
                        && let Some(step) = self.step(&value.value)
                    {
                        self.branch(step, &case.body, value.range);
                    }
                }
            }
            _ => {}
        }
        ruff_python_ast::visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Dict(dict) = expression {
            for item in &dict.items {
                let Some(step) = item.key.as_ref().and_then(|key| self.step(key)) else { continue };
                if let Some(function) = self.rotation.functions.get(last_name(&item.value)) {
                    self.tell(step, Work::Function(function));
                }
            }
        }
        walk_expr(self, expression);
    }
}
