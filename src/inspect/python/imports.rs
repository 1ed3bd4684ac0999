//! What code imports: that it is in the package, in Python's library, or in AWS's runtime.

use std::collections::BTreeSet;

use super::Scene;
use super::hints;
use super::module::{Ask, Import, Runs};
use super::resolve::{Resolved, has_module, resolve};
use crate::inspect::compared;
use crate::inspect::library::{self, Span};
use crate::model::near::near;
use crate::model::{CodeCheck, CodeFinding};

/// How many findings are told of imports.
const MOST: usize = 50;

/// A file that imports something, as it is judged.
struct Importer<'a> {
    path: &'a str,
    folder: Option<&'a str>,
    is_own: bool,
}

impl Scene<'_> {
    pub(super) fn check_imports(&mut self) {
        let (mut found, mut said) = (Vec::new(), BTreeSet::new());
        for (path, file) in &self.files {
            let Some(module) = &file.module else { continue };
            let from = Importer { path, folder: file.folder.as_deref(), is_own: file.is_own };
            for import in &module.imports {
                let runs = import.runs.max(file.runs);
                // What came with a package may never be called.
                if runs == Runs::Surely || (runs == Runs::Perhaps && file.is_own) {
                    let finding = self.check_import(&from, import, runs);
                    // What a package that came along lacks is said once: its files are not mended here.
                    let top = path.split('/').next().unwrap_or_default();
                    found.extend(finding.filter(|one| file.is_own || said.insert((top, one.summary.clone()))));
                }
            }
            let asks = module.asks.iter().filter(|_| file.is_own);
            found.extend(asks.filter_map(|ask| self.check_ask(path, ask, ask.runs.max(file.runs))));
        }
        found.truncate(MOST);
        self.found.extend(found);
    }

    fn check_import(&self, from: &Importer<'_>, import: &Import, runs: Runs) -> Option<CodeFinding> {
        let shown = shown(import);
        // `boto3.py` that imports boto3 gets itself.
        let itself = from.path.strip_suffix(".py").filter(|name| import.level == 0 && *name == import.module);
        if let Some(name) = itself.filter(|name| library::module(name).is_some() || library::is_of_runtime(name)) {
            let summary = format!("`{}` imports itself: it takes the place of the module `{name}`", from.path);
            let problem = CodeFinding::warning(CodeCheck::Import, summary).of(from.path).at(import.spot.clone());
            return Some(problem.hint("rename the file"));
        }
        let finding = |summary: String| {
            CodeFinding::new(CodeCheck::Import, runs == Runs::Surely, summary).of(from.path).at(import.spot.clone())
        };
        match resolve(&self.package, import, from.folder) {
            Resolved::Beyond => Some(
                finding(format!("`{shown}` leads out of the package: the file is no part of a folder that is one"))
                    .because("Lambda imports the handler's file as a module at the top")
                    .hint("import it by its own name, without the dot"),
            ),
            Resolved::Outside => self.check_outside(import, runs, finding),
            Resolved::Stray { reached, .. } if from.is_own => self.check_stray(import, &reached, from, finding),
            Resolved::Module { file, name: None, .. } if from.is_own => {
                let name = import.name.as_deref().filter(|name| *name != "*")?;
                self.check_name(import, file.as_deref()?, name, from, finding)
            }
            Resolved::Stray { .. } | Resolved::Module { .. } => None,
        }
    }

    /// A module that isn't in the package at all.
    fn check_outside(
        &self,
        import: &Import,
        runs: Runs,
        finding: impl Fn(String) -> CodeFinding,
    ) -> Option<CodeFinding> {
        let top = import.module.split('.').next().unwrap_or_default();
        if let Some(span) = library::module(top) {
            // `setuptools` brings its own one along.
            let is_replaced = top == "distutils" && has_module(&self.package, "", "setuptools");
            if !span.has(self.minor) && !self.facts.layers && !is_replaced {
                let words = format!("Python 3.{} {} `{top}`", self.minor.unwrap_or_default(), lacks(span, self.minor));
                return Some(hints::of_version(finding(words), top, span, self.minor));
            }
            let name = import.name.as_deref()?;
            return self.check_library_name(&import.module, name, finding);
        }
        if library::is_of_runtime(top) || self.facts.layers {
            return None;
        }
        let mut problem = finding(format!("`{top}` is neither in the package nor in Lambda's runtime"));
        let deep = self.folder_of(top);
        if self.moves_path && deep.is_some() {
            return None;
        }
        // What looks elsewhere for modules, or makes names while it runs, may have this one too.
        let may_make = |file: &super::Known| file.is_own && file.module.as_ref().is_some_and(|module| module.open);
        problem.is_error &= !self.moves_path && !self.files.values().any(may_make);
        if runs == Runs::Perhaps {
            problem = problem.because("it is imported only when this is called, and fails then");
        }
        if let Some(folder) = deep {
            return Some(
                problem
                    .because(format!("the package has it in the folder `{folder}`, and Python looks at the top"))
                    .hint(format!(
                        "move what is in `{folder}` up, or import it as `{}.{top}`",
                        folder.replace('/', ".")
                    )),
            );
        }
        let mut tops: Vec<&str> = self.package.names("").map(|name| name.trim_end_matches(".py")).collect();
        tops.dedup();
        if let Some(same) = tops.iter().find(|name| **name != top && name.eq_ignore_ascii_case(top)) {
            return Some(
                problem
                    .because("on Lambda, names of files are compared by case")
                    .hint(format!("write it as the file is called: `{same}`")),
            );
        }
        if let Some(meant) = near(top, tops.into_iter().chain(library::modules().map(|name| -> &str { name }))).first()
        {
            problem = problem.hint(format!("is `{meant}` meant?"));
        }
        let is_promised = hints::packages(top).iter().any(|name| self.facts.promised.contains(&compared(name)));
        if is_promised {
            problem.is_error = false;
            problem = problem.because("it is among the requirements, and isn't installed into the package yet");
        }
        Some(hints::packaged(problem, top, self.facts, self.minor))
    }

    /// A module that isn't there, in a folder that is.
    fn check_stray(
        &self,
        import: &Import,
        reached: &str,
        from: &Importer<'_>,
        finding: impl Fn(String) -> CodeFinding,
    ) -> Option<CodeFinding> {
        // A module may put others beside itself when it is imported.
        let parent = Import { module: reached.to_owned(), name: None, ..import.clone() };
        if let Some(file) = self.leads_to(&parent, from.folder)
            && self.module(&file).is_none_or(|module| module.open)
        {
            return None;
        }
        let rest = import.module.strip_prefix(reached).unwrap_or(&import.module).trim_start_matches('.');
        let next = rest.split('.').next().unwrap_or_default();
        let dots = ".".repeat(import.level as usize);
        let whole = if reached.is_empty() { format!("{dots}{next}") } else { format!("{dots}{reached}.{next}") };
        let problem = finding(format!("the package has no module `{whole}`"));
        let folder = folder(import, reached, from);
        let names = folder.iter().flat_map(|folder| self.package.names(folder));
        let names: Vec<&str> = names.map(|name| name.trim_end_matches(".py")).collect();
        Some(match near(next, names).first() {
            Some(meant) => problem.hint(format!("is `{meant}` meant?")),
            None => problem,
        })
    }

    /// A name that a module of the package doesn't define.
    fn check_name(
        &self,
        import: &Import,
        file: &str,
        name: &str,
        from: &Importer<'_>,
        finding: impl Fn(String) -> CodeFinding,
    ) -> Option<CodeFinding> {
        let known = self.files.get(file)?;
        let module = known.module.as_ref()?;
        let stars = module.imports.iter().any(|import| import.name.as_deref() == Some("*"));
        let beside = file.strip_suffix("/__init__.py");
        let is_there = module.open
            || stars
            || !known.is_own
            || module.names.contains_key(name)
            || name.starts_with("__")
            || beside.is_some_and(|folder| has_module(&self.package, folder, name))
            // A folder's own file may name what it has imported of itself.
            || file == from.path;
        if is_there {
            return None;
        }
        let names = module.names.keys().map(String::as_str);
        let problem = finding(format!("`{file}` has no `{name}`, which `{}` takes of it", shown(import)));
        Some(match near(name, names).first() {
            Some(meant) => problem.hint(format!("is `{meant}` meant?")),
            None => problem,
        })
    }

    /// A name of Python's own library that this version lacks.
    fn check_library_name(
        &self,
        module: &str,
        name: &str,
        finding: impl Fn(String) -> CodeFinding,
    ) -> Option<CodeFinding> {
        let span = library::name(module, name).filter(|span| !span.has(self.minor))?;
        let lacks = lacks(span, self.minor);
        let words = format!("Python 3.{} {lacks} `{module}.{name}`", self.minor.unwrap_or_default());
        Some(hints::of_version(finding(words), name, span, self.minor))
    }

    /// The same, where it is asked for as `datetime.UTC`.
    fn check_ask(&self, path: &str, ask: &Ask, runs: Runs) -> Option<CodeFinding> {
        let top = ask.module.split('.').next().unwrap_or_default();
        if runs == Runs::Guarded || has_module(&self.package, "", top) {
            return None;
        }
        self.check_library_name(&ask.module, &ask.name, |summary| {
            CodeFinding::new(CodeCheck::Import, runs == Runs::Surely, summary).of(path).at(ask.spot.clone())
        })
    }

    /// A folder of the package that has a module which isn't at the top.
    fn folder_of(&self, module: &str) -> Option<&str> {
        let (file, init) = (format!("/{module}.py"), format!("/{module}/__init__.py"));
        self.package.files.iter().find_map(|one| {
            let folder = one.path.strip_suffix(&file).or_else(|| one.path.strip_suffix(&init))?;
            // What a package has inside of itself is its own.
            let is_module = self.package.has(&format!("{folder}/__init__.py"));
            (!is_module).then_some(folder)
        })
    }
}

/// The folder that a part of an import leads to.
fn folder(import: &Import, reached: &str, from: &Importer<'_>) -> Option<String> {
    let below = reached.replace('.', "/");
    if import.level == 0 {
        return Some(below);
    }
    let parts: Vec<&str> = from.folder?.split('/').collect();
    let base = parts[..parts.len().checked_sub(import.level as usize - 1)?].join("/");
    Some(if below.is_empty() { base } else { format!("{base}/{below}") })
}

/// An import, as it is written.
fn shown(import: &Import) -> String {
    let module = format!("{}{}", ".".repeat(import.level as usize), import.module);
    match &import.name {
        Some(name) => format!("from {module} import {name}"),
        None => format!("import {module}"),
    }
}

/// How a version lacks what others have.
fn lacks(span: Span, minor: Option<u8>) -> &'static str {
    let is_older = span.since.zip(minor).is_some_and(|(since, minor)| minor < since);
    if is_older { "doesn't have" } else { "no longer has" }
}
