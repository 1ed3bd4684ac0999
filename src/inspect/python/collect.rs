//! From a tree of Python to what the checks know of it: names, imports, variables, each with how surely it runs.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{
    ExceptHandler, Expr, ExprContext, Parameters, Stmt, StmtFor, StmtFunctionDef, StmtIf, StmtImport, StmtImportFrom,
    StmtTry, StmtWith,
};
use ruff_text_size::{Ranged, TextRange};

use super::module::{Ask, Definition, Function, Import, Module, Read, Runs};
use super::words::{is_environment, is_main, is_of_systems, last_name, literal};
use crate::inspect::text::Lines;
use crate::model::Spot;

/// What is known of a module by its tree.
pub(super) fn collect(body: &[Stmt], lines: &Lines<'_>) -> Module {
    let mut collector = Collector { module: Module::default(), lines, modules: BTreeMap::new() };
    collector.body(body, Around::TOP);
    collector.module
}

/// What stands around a statement.
#[derive(Clone, Copy)]
struct Around {
    runs: Runs,
    /// How surely what needs a variable runs: its absence is caught by other errors than that of a module.
    reads: Runs,
    /// Whether a name is a module's own.
    is_top: bool,
    scope: Scope,
    /// Whether a loop of the same scope is around it.
    in_loop: bool,
}

/// What statements belong to, as far as that decides what may stand in them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// A module or a class.
    Outside,
    Function,
    Async,
    /// A lambda, which may stand in anything.
    Lambda,
}

impl Around {
    const TOP: Self =
        Self { runs: Runs::Surely, reads: Runs::Surely, is_top: true, scope: Scope::Outside, in_loop: false };

    fn looped(self) -> Self {
        Self { in_loop: true, ..self.at_most(Runs::Perhaps) }
    }

    fn at_most(self, runs: Runs) -> Self {
        Self { runs: self.runs.max(runs), reads: self.reads.max(runs), ..self }
    }

    fn inner(self, scope: Scope) -> Self {
        Self { is_top: false, scope, in_loop: false, ..self }
    }
}

struct Collector<'a> {
    module: Module,
    lines: &'a Lines<'a>,
    /// Modules by the names that the file gives them.
    modules: BTreeMap<String, String>,
}

impl Collector<'_> {
    fn spot(&self, range: TextRange) -> Spot {
        self.lines.spot(range.start().to_usize(), range.end().to_usize())
    }

    fn body(&mut self, body: &[Stmt], around: Around) {
        for statement in body {
            self.statement(statement, around);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one table of all kinds of statements")]
    fn statement(&mut self, statement: &Stmt, around: Around) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function, around),
            Stmt::ClassDef(class) => {
                self.define(&class.name, Definition::Other, around);
                for decorator in &class.decorator_list {
                    self.expression(&decorator.expression, around);
                }
                for argument in class.arguments.iter().flat_map(|arguments| &*arguments.args) {
                    self.expression(argument, around);
                }
                self.body(&class.body, around.inner(Scope::Outside));
            }
            Stmt::Import(import) => self.import(import, around),
            Stmt::ImportFrom(import) => self.import_from(import, around),
            Stmt::If(statement) => self.condition(statement, around),
            Stmt::Try(statement) => self.attempt(statement, around),
            Stmt::With(statement) => self.with(statement, around),
            Stmt::For(StmtFor { target, iter, body, orelse, is_async, range, .. }) => {
                if *is_async {
                    self.awaits(*range, around);
                }
                self.target(target, around);
                self.expression(iter, around);
                self.body(body, around.looped());
                self.body(orelse, around.at_most(Runs::Perhaps));
            }
            Stmt::While(statement) => {
                self.expression(&statement.test, around);
                self.body(&statement.body, around.looped());
                self.body(&statement.orelse, around.at_most(Runs::Perhaps));
            }
            Stmt::Match(statement) => {
                self.expression(&statement.subject, around);
                for case in &statement.cases {
                    self.body(&case.body, around.at_most(Runs::Perhaps));
                }
            }
            Stmt::Assign(statement) => {
                let definition = match &*statement.value {
                    Expr::Lambda(lambda) => {
                        let empty = Parameters::default();
                        let parameters = lambda.parameters.as_deref().unwrap_or(&empty);
                        Definition::Function(self.callable(parameters, false, lambda.range))
                    }
                    _ => Definition::Other,
                };
                for target in &statement.targets {
                    match target {
                        Expr::Name(name) => self.define(&name.id, definition.clone(), around),
                        target => self.target(target, around),
                    }
                }
                self.expression(&statement.value, around);
            }
            Stmt::AnnAssign(statement) => {
                if let Some(value) = &statement.value {
                    self.target(&statement.target, around);
                    self.expression(value, around);
                }
            }
            Stmt::AugAssign(statement) => {
                self.target(&statement.target, around);
                self.expression(&statement.value, around);
            }
            Stmt::TypeAlias(statement) => self.target(&statement.name, around),
            // A function that says so defines it, whenever it is called.
            Stmt::Global(statement) => {
                for name in &statement.names {
                    self.module.names.entry(name.to_string()).or_insert(Definition::Other);
                }
            }
            Stmt::Delete(statement) => {
                for target in &statement.targets {
                    if let (Expr::Name(name), true, Runs::Surely) = (target, around.is_top, around.runs) {
                        self.module.names.remove(name.id.as_str());
                    }
                }
            }
            Stmt::Expr(statement) => self.expression(&statement.value, around),
            Stmt::Return(statement) => {
                if around.scope == Scope::Outside {
                    self.fault("`return` stands outside of a function".to_owned(), statement.range);
                }
                if let Some(value) = &statement.value {
                    self.expression(value, around);
                }
            }
            Stmt::Raise(statement) => {
                for part in statement.exc.iter().chain(&statement.cause) {
                    self.expression(part, around);
                }
            }
            Stmt::Assert(statement) => self.expression(&statement.test, around),
            Stmt::Break(_) | Stmt::Continue(_) if !around.in_loop => {
                let word = if statement.is_break_stmt() { "break" } else { "continue" };
                self.fault(format!("`{word}` stands outside of a loop"), statement.range());
            }
            Stmt::Nonlocal(_) | Stmt::Pass(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    /// What Python's compiler refuses, though its grammar lets it through.
    fn fault(&mut self, words: String, range: TextRange) {
        let spot = self.spot(range);
        self.module.fault.get_or_insert((words, spot));
    }

    fn awaits(&mut self, range: TextRange, around: Around) {
        if matches!(around.scope, Scope::Outside | Scope::Function) {
            self.fault("what is awaited stands outside of an `async` function".to_owned(), range);
        }
    }

    fn function(&mut self, function: &StmtFunctionDef, around: Around) {
        // What a decorator makes of it can't be seen.
        let definition = if function.decorator_list.is_empty() {
            let range = function.name.range;
            Definition::Function(self.callable(&function.parameters, function.is_async, range))
        } else {
            Definition::Other
        };
        if function.name.as_str() == "__getattr__" && around.is_top {
            self.module.open = true;
        }
        self.define(&function.name, definition, around);
        for decorator in &function.decorator_list {
            self.expression(&decorator.expression, around);
        }
        for default in function.parameters.iter_non_variadic_params().filter_map(|one| one.default.as_deref()) {
            self.expression(default, around);
        }
        let scope = if function.is_async { Scope::Async } else { Scope::Function };
        self.body(&function.body, around.inner(scope).at_most(Runs::Perhaps));
        let mut names = BTreeSet::new();
        for parameter in &*function.parameters {
            if !names.insert(parameter.name().as_str()) {
                self.fault(format!("`{}` stands twice among the arguments", parameter.name()), parameter.range());
            }
        }
    }

    fn callable(&self, parameters: &Parameters, is_async: bool, range: TextRange) -> Function {
        let by_position: Vec<_> = parameters.posonlyargs.iter().chain(&parameters.args).collect();
        let needs = by_position.iter().filter(|one| one.default.is_none()).count();
        let takes = parameters.vararg.is_none().then_some(by_position.len());
        let named = parameters.kwonlyargs.iter().filter(|one| one.default.is_none());
        let named = named.map(|one| one.parameter.name.to_string()).collect();
        Function { needs, takes, named, is_async, spot: self.spot(range) }
    }

    fn define(&mut self, name: &str, definition: Definition, around: Around) {
        if !around.is_top {
            return;
        }
        let known = self.module.names.get(name);
        // Of two that may both hold, neither is sure.
        let definition = match known {
            Some(_) if around.runs > Runs::Surely => Definition::Other,
            _ => definition,
        };
        self.module.names.insert(name.to_owned(), definition);
    }

    fn target(&mut self, target: &Expr, around: Around) {
        match target {
            Expr::Name(name) => self.define(&name.id, Definition::Other, around),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.target(target, around)),
            Expr::List(list) => list.elts.iter().for_each(|target| self.target(target, around)),
            Expr::Starred(starred) => self.target(&starred.value, around),
            other => self.expression(other, around),
        }
    }

    fn import(&mut self, import: &StmtImport, around: Around) {
        for alias in &import.names {
            let module = alias.name.as_str();
            let (bound, stands_for) = match &alias.asname {
                Some(name) => (name.as_str(), module),
                None => (module.split('.').next().unwrap_or(module), module.split('.').next().unwrap_or(module)),
            };
            self.define(bound, Definition::Other, around);
            self.modules.insert(bound.to_owned(), stands_for.to_owned());
            let spot = self.spot(alias.range);
            self.module.imports.push(Import {
                level: 0,
                module: module.to_owned(),
                name: None,
                runs: around.runs,
                spot,
            });
        }
    }

    fn import_from(&mut self, import: &StmtImportFrom, around: Around) {
        let module = import.module.as_ref().map_or("", |module| module.as_str());
        for alias in &import.names {
            let name = alias.name.as_str();
            let bound = alias.asname.as_ref().map_or(name, |name| name.as_str());
            if name != "*" {
                let (level, module, name) = (import.level, module.to_owned(), name.to_owned());
                self.define(bound, Definition::Imported { level, module, name }, around);
            }
            let range = match (&import.module, name) {
                (Some(module), "*") => module.range,
                _ => alias.range,
            };
            let spot = self.spot(range);
            self.module.imports.push(Import {
                level: import.level,
                module: module.to_owned(),
                name: Some(name.to_owned()),
                runs: around.runs,
                spot,
            });
        }
    }

    fn condition(&mut self, statement: &StmtIf, around: Around) {
        self.expression(&statement.test, around);
        let mut met = is_main(&statement.test);
        let mut guarded = is_of_systems(&statement.test);
        let runs = |guarded: bool| if guarded { Runs::Guarded } else { Runs::Perhaps };
        // Lambda never runs a file as the main one.
        if !met {
            self.body(&statement.body, around.at_most(runs(guarded)));
        }
        for clause in &statement.elif_else_clauses {
            if let Some(test) = &clause.test {
                self.expression(test, around.at_most(Runs::Perhaps));
                guarded |= is_of_systems(test);
            }
            met &= clause.test.is_none();
            self.body(&clause.body, if met { around } else { around.at_most(runs(guarded)) });
        }
    }

    fn attempt(&mut self, statement: &StmtTry, around: Around) {
        let (mut modules, mut variables) = (false, false);
        for handler in &statement.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let mut names = Vec::new();
            match handler.type_.as_deref() {
                None => names.push("BaseException"),
                Some(Expr::Tuple(tuple)) => names.extend(tuple.elts.iter().map(last_name)),
                Some(one) => names.push(last_name(one)),
            }
            let all = names.iter().any(|name| matches!(*name, "Exception" | "BaseException" | ""));
            modules |= all || names.iter().any(|name| matches!(*name, "ImportError" | "ModuleNotFoundError"));
            variables |= all || names.iter().any(|name| matches!(*name, "KeyError" | "LookupError"));
        }
        let caught = |caught: bool, runs: Runs| if caught { Runs::Guarded } else { runs };
        let body = Around { runs: caught(modules, around.runs), reads: caught(variables, around.reads), ..around };
        self.body(&statement.body, body);
        let instead = around.at_most(if modules { Runs::Guarded } else { Runs::Perhaps });
        for handler in &statement.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            self.body(&handler.body, instead);
        }
        self.body(&statement.orelse, if modules { around.at_most(Runs::Guarded) } else { around });
        self.body(&statement.finalbody, around);
    }

    fn with(&mut self, statement: &StmtWith, around: Around) {
        if statement.is_async {
            self.awaits(statement.range, around);
        }
        let mut inner = around;
        for item in &statement.items {
            self.expression(&item.context_expr, around);
            if let Some(target) = &item.optional_vars {
                self.target(target, around);
            }
            if let Expr::Call(call) = &item.context_expr
                && last_name(&call.func) == "suppress"
            {
                inner = around.at_most(Runs::Guarded);
            }
        }
        self.body(&statement.body, inner);
    }

    fn expression(&mut self, expression: &Expr, around: Around) {
        Expressions { collector: self, around }.visit_expr(expression);
    }
}

/// What expressions read and ask for.
struct Expressions<'a, 'b> {
    collector: &'a mut Collector<'b>,
    around: Around,
}

impl Expressions<'_, '_> {
    fn perhaps(&mut self, expression: &Expr) {
        let around = self.around.at_most(Runs::Perhaps);
        Expressions { collector: self.collector, around }.visit_expr(expression);
    }

    /// A call that may define names, set variables, or move where modules are looked for.
    fn call(&mut self, function: &Expr, arguments: &[Expr]) {
        let name = last_name(function);
        let of_environment = matches!(function, Expr::Attribute(attribute) if is_environment(&attribute.value));
        match name {
            "globals" | "exec" | "eval" | "vars" | "setattr" => self.collector.module.open = true,
            "putenv" | "load_dotenv" => self.collector.module.sets_any = true,
            "addsitedir" => self.collector.module.moves_path = true,
            "setdefault" | "get" | "pop" if of_environment => {
                if let Some(variable) = arguments.first().and_then(literal) {
                    self.collector.module.sets.insert(variable.to_owned());
                }
            }
            "getenv" => {
                if let Some(variable) = arguments.first().and_then(literal) {
                    self.collector.module.sets.insert(variable.to_owned());
                }
            }
            "update" if of_environment => self.collector.module.sets_any = true,
            _ => {}
        }
    }

    fn ask(&mut self, expression: &Expr) {
        let Expr::Attribute(attribute) = expression else { return };
        let Expr::Name(name) = &*attribute.value else {
            return;
        };
        if attribute.attr.as_str() == "path" && name.id.as_str() == "sys" {
            self.collector.module.moves_path = true;
        }
        if attribute.attr.as_str() == "modules" && name.id.as_str() == "sys" {
            self.collector.module.open = true;
        }
        if let Some(module) = self.collector.modules.get(name.id.as_str()).cloned() {
            let spot = self.collector.spot(expression.range());
            let (name, runs) = (attribute.attr.to_string(), self.around.reads.max(self.around.runs));
            self.collector.module.asks.push(Ask { module, name, runs, spot });
        }
    }
}

impl<'a> Visitor<'a> for Expressions<'_, '_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::If(condition) => {
                self.visit_expr(&condition.test);
                self.perhaps(&condition.body);
                self.perhaps(&condition.orelse);
                return;
            }
            Expr::BoolOp(operation) => {
                let mut values = operation.values.iter();
                if let Some(first) = values.next() {
                    self.visit_expr(first);
                }
                values.for_each(|value| self.perhaps(value));
                return;
            }
            Expr::Lambda(lambda) => {
                let around = Around { scope: Scope::Lambda, ..self.around.at_most(Runs::Perhaps) };
                Expressions { collector: self.collector, around }.visit_expr(&lambda.body);
                return;
            }
            Expr::Await(awaited) => self.collector.awaits(awaited.range, self.around),
            Expr::Yield(_) | Expr::YieldFrom(_) if self.around.scope == Scope::Outside => {
                self.collector.fault("`yield` stands outside of a function".to_owned(), expression.range());
            }
            Expr::Named(named) => {
                let around = self.around;
                self.collector.target(&named.target, around);
            }
            Expr::Subscript(subscript) if is_environment(&subscript.value) => {
                if let Some(variable) = literal(&subscript.slice) {
                    let spot = self.collector.spot(expression.range());
                    let runs = self.around.reads;
                    if subscript.ctx == ExprContext::Load {
                        self.collector.module.reads.push(Read { variable: variable.to_owned(), runs, spot });
                    } else {
                        self.collector.module.sets.insert(variable.to_owned());
                    }
                } else if subscript.ctx != ExprContext::Load {
                    self.collector.module.sets_any = true;
                }
            }
            // `"X" in os.environ`: whoever asks first does without it.
            Expr::Compare(compare) if compare.comparators.iter().any(is_environment) => {
                if let Some(variable) = literal(&compare.left) {
                    self.collector.module.sets.insert(variable.to_owned());
                }
            }
            Expr::Call(call) => self.call(&call.func, &call.arguments.args),
            Expr::Attribute(_) => self.ask(expression),
            _ => {}
        }
        walk_expr(self, expression);
    }
}
