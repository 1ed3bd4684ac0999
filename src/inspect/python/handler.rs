//! The handler: its file, its function, and how Lambda calls that.

use super::Scene;
use super::module::{Definition, Function, Import, Runs};
use super::resolve;
use crate::inspect::library;
use crate::model::near::{did_you_mean, near};
use crate::model::{CodeCheck, CodeFinding};

/// How many modules a handler is followed through.
const MOST_STEPS: usize = 5;

impl Scene<'_> {
    /// The handler's file, where it is Python. That a folder lacks it is said where its path is checked; an archive's is known only here.
    pub(super) fn handler_file(&mut self, module: &str) -> Option<String> {
        let top = module.split('.').next().unwrap_or_default();
        if library::is_built_in(top) {
            let summary = format!("`{top}` can't be the handler's module: Python has one of that name built in");
            self.found.push(CodeFinding::error(CodeCheck::Handler, summary).hint("rename the file"));
            return None;
        }
        if library::is_loaded(top) {
            let summary = format!(
                "`{top}` is the name of a module that Lambda has loaded before: the handler isn't looked for in this file"
            );
            self.found.push(
                CodeFinding::warning(CodeCheck::Handler, summary).hint("rename the file, and state its `handler`"),
            );
            return None;
        }
        let path = module.replace('.', "/");
        let candidates = [format!("{path}/__init__.py"), format!("{path}.py")];
        let file = candidates.into_iter().find(|file| self.package.has(file));
        let known = file.is_some()
            || resolve::natives(&self.package, &path).next().is_some()
            || self.package.has(&format!("{path}.pyc"))
            || self.facts.layers;
        if !known && self.facts.is_archive {
            self.missing(&path);
        }
        file
    }

    fn missing(&mut self, path: &str) {
        let wanted = format!("{path}.py");
        let stated = self.facts.handler.as_deref();
        let place = &self.facts.place;
        let summary = match stated {
            Some(handler) => format!("`{place}` has no `{wanted}`, which the handler `{handler}` needs"),
            None => format!("`{place}` has no `{wanted}`, which the template's own handler needs"),
        };
        let mut finding = CodeFinding::new(CodeCheck::Handler, stated.is_some(), summary);
        let below = format!("/{wanted}");
        let deep = self.package.files.iter().find(|file| file.path.ends_with(&below));
        if let Some(folder) = deep.and_then(|file| file.path.strip_suffix(&below)) {
            finding = finding
                .because(format!("it has it in the folder `{folder}`, and Lambda looks at the top"))
                .hint(format!("pack what is in the folder: (cd {folder} && zip -r ../package.zip .)"));
        } else {
            let files = self.package.files.iter().map(|file| file.path.as_str());
            let sources: Vec<&str> =
                files.filter(|file| file.strip_suffix(".py").is_some() && !file.contains('/')).collect();
            let close = near(&wanted, sources.iter().copied());
            let meant = close.first().copied().or_else(|| if let [one] = sources[..] { Some(one) } else { None });
            let function =
                stated.unwrap_or(crate::inspect::DEFAULT_HANDLER).rsplit_once('.').map_or("", |(_, name)| name);
            if let Some(module) = meant.and_then(|file| file.strip_suffix(".py")) {
                finding = finding.hint(format!("is `handler: {module}.{function}` meant?"));
            }
        }
        self.found.push(finding);
    }

    /// The function that the handler names must be there, and take what Lambda gives it.
    pub(super) fn check_handler(&mut self, handler: &str, module: &str, file: &str, name: &str) {
        let Some(known) = self.module(file) else { return };
        let stars =
            known.imports.iter().any(|import| import.name.as_deref() == Some("*") && import.runs != Runs::Guarded);
        if known.open || stars {
            return;
        }
        let Some(definition) = known.names.get(name) else {
            let whose = if self.facts.handler.is_some() { "the handler" } else { "the template's own handler" };
            let summary = format!("`{file}` defines no `{name}`, which {whose} `{handler}` names");
            let finding = CodeFinding::error(CodeCheck::Handler, summary).of(file);
            let functions = known.names.iter().filter(|(_, one)| matches!(one, Definition::Function(_)));
            let names: Vec<&str> = functions.map(|(name, _)| name.as_str()).collect();
            let meant = near(name, names.iter().copied()).first().copied();
            let meant = meant.or_else(|| names.iter().copied().find(|name| name.contains("handler")));
            self.found.push(match meant {
                Some(meant) => finding.hint(did_you_mean(&[&format!("handler: {module}.{meant}")])),
                None => finding.hint(format!("define it: `def {name}(event, context):`")),
            });
            return;
        };
        if let Some((file, function)) = self.followed(file.to_owned(), definition.clone()) {
            self.check_call(&file, name, &function);
        }
    }

    /// The function that a name stands for, in whichever module of the package it is written.
    fn followed(&self, mut file: String, mut definition: Definition) -> Option<(String, Function)> {
        for _ in 0..MOST_STEPS {
            let (level, module, name) = match definition {
                Definition::Function(function) => return Some((file, function)),
                Definition::Imported { level, module, name } => (level, module, name),
                Definition::Other => return None,
            };
            let folder = self.files.get(&file)?.folder.clone();
            let spot = crate::model::Spot { line: 1, column: 1, length: 1, text: None };
            let import = Import { level, module, name: Some(name.clone()), runs: Runs::Surely, spot };
            file = self.leads_to(&import, folder.as_deref())?;
            definition = self.module(&file)?.names.get(&name)?.clone();
        }
        None
    }

    /// Lambda calls `handler(event, context)`.
    fn check_call(&mut self, file: &str, name: &str, function: &Function) {
        let at = |summary: String| CodeFinding::error(CodeCheck::Handler, summary).of(file).at(function.spot.clone());
        if function.is_async {
            let problem = at(format!("the handler `{name}` is `async`, and Lambda never awaits it"))
                .because("it would return at once, without having done anything")
                .hint(format!("write `def {name}(event, context):`, and call `asyncio.run(…)` in it"));
            self.found.push(problem);
            return;
        }
        let takes_two = function.needs <= 2 && function.takes.is_none_or(|most| most >= 2);
        if takes_two && function.named.is_empty() {
            return;
        }
        let arguments = |count: usize| if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") };
        let takes = if takes_two {
            format!("needs `{}` by name", function.named.join("`, `"))
        } else if function.needs > 2 {
            format!("needs {}", arguments(function.needs))
        } else {
            format!("takes {}", arguments(function.takes.unwrap_or_default()))
        };
        let problem = at(format!("the handler `{name}` {takes}, and Lambda gives it two: the event and the context"));
        self.found.push(problem.hint(format!("write `def {name}(event, context):`")));
    }
}
