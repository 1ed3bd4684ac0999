//! Functions in Python: from the handler's file on, all that it imports.

mod collect;
mod environment;
mod handler;
mod hints;
mod imports;
mod module;
mod parse;
mod private;
mod resolve;
mod shapes;
mod steps;
mod waits;
mod words;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::package::Package;
use super::text::Lines;
use super::{Facts, native};
use crate::model::{CodeCheck, CodeFinding, PackagedFile};

use module::{Module, Runs};
use resolve::{Resolved, resolve};

/// How many files of one function are read.
const MOST_FILES: usize = 500;

/// The stack of those who walk trees, in bytes: what `parse` lets through needs a tenth of it, in a build without optimisation too.
const STACK: usize = 64 * 1024 * 1024;

/// AWS's SDK, which many package although the runtime has it.
const SDK: [&str; 4] = ["boto3", "botocore", "s3transfer", "urllib3"];

/// A package's name as the folders of installers' notes spell it.
fn spelt(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// What is looked at, and what is known of it.
struct Scene<'a> {
    package: Package<'a>,
    facts: &'a Facts,
    /// The minor version of Python 3.
    minor: Option<u8>,
    /// The files that are imported, by path.
    files: BTreeMap<String, Known>,
    /// Modules in machine code that are surely imported, by their paths without endings.
    natives: BTreeSet<String>,
    /// Whether some code changes where modules are looked for.
    moves_path: bool,
    found: Vec<CodeFinding>,
}

/// A file that was met.
struct Known {
    /// What it holds; `None` where that can't be read here, or by Python.
    module: Option<Module>,
    /// How surely it is imported.
    runs: Runs,
    /// The folder that relative imports begin at; `None` for a file that is no part of one.
    folder: Option<String>,
    /// Whether the function's author wrote it; else an installer brought it.
    is_own: bool,
}

/// Looks at a function's code.
pub(super) fn look(zip: &[u8], files: &[PackagedFile], facts: &Facts, minor: Option<u8>) -> Vec<CodeFinding> {
    let work = || {
        let package = Package::new(zip, files);
        let moves_path = variables(facts).any(|name| name == "PYTHONPATH");
        let (files, natives) = (BTreeMap::new(), BTreeSet::new());
        let mut scene = Scene { package, facts, minor, files, natives, moves_path, found: Vec::new() };
        scene.look();
        let natives = native::look(&scene.package, facts, minor, &scene.natives);
        scene.found.extend(natives);
        scene.found
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        // Without a thread nothing is known, and nothing is said.
        let Ok(thread) = thread else { return Vec::new() };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The variables that the function is known to have.
fn variables(facts: &Facts) -> impl Iterator<Item = &str> {
    match &facts.environment {
        super::Environment::AtLeast(names) | super::Environment::Exactly(names) => Some(names),
        super::Environment::Unknown => None,
    }
    .into_iter()
    .flatten()
    .map(String::as_str)
}

impl Scene<'_> {
    fn look(&mut self) {
        let handler = self.facts.handler.as_deref().unwrap_or(super::DEFAULT_HANDLER);
        let Some((module, function)) = handler.rsplit_once('.') else { return };
        // Lambda takes slashes for dots.
        let module = module.trim_start_matches("./").replace('/', ".");
        let Some(file) = self.handler_file(&module) else { return };
        self.walk(&module, &file);
        self.check_handler(handler, &module, &file, function);
        self.check_imports();
        self.check_environment();
    }

    /// Reads a module and all that it imports, what surely runs first.
    fn walk(&mut self, module: &str, file: &str) {
        let distributions = resolve::distributions(&self.package);
        let mut next: VecDeque<(String, Runs)> = VecDeque::new();
        let parts: Vec<&str> = module.split('.').collect();
        let mut ways = resolve::parents(&self.package, &parts);
        ways.push(file.to_owned());
        next.extend(ways.into_iter().map(|file| (file, Runs::Surely)));
        while let Some((file, runs)) = next.pop_front() {
            if self.files.get(&file).is_some_and(|known| known.runs <= runs) || self.files.len() >= MOST_FILES {
                continue;
            }
            let top = file.split('/').next().unwrap_or_default().trim_end_matches(".py");
            let is_own = !distributions.contains(top)
                && !hints::packages(top).iter().any(|name| distributions.contains(&spelt(name)));
            // What came with a package is judged only as far as it surely runs, and AWS's own SDK not at all.
            if !is_own && (runs > Runs::Surely || SDK.contains(&top)) {
                continue;
            }
            let folder = file.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let module = match self.files.remove(&file) {
                Some(known) => known.module,
                None => self.read(&file, runs, is_own),
            };
            for import in module.iter().flat_map(|module| &module.imports) {
                let runs = import.runs.max(runs);
                let resolved = resolve(&self.package, import, folder.as_deref());
                if let (Resolved::Module { natives, .. }, Runs::Surely) = (&resolved, runs) {
                    self.natives.extend(natives.iter().cloned());
                }
                for file in resolved.files() {
                    // Surely before perhaps: a file is judged by the surest way to it.
                    match runs {
                        Runs::Surely => next.push_front((file, runs)),
                        _ => next.push_back((file, runs)),
                    }
                }
            }
            self.moves_path |= module.as_ref().is_some_and(|module| module.moves_path && is_own);
            self.files.insert(file, Known { module, runs, folder, is_own });
        }
    }

    /// Reads a file, and says what keeps Python from it.
    fn read(&mut self, file: &str, runs: Runs, is_own: bool) -> Option<Module> {
        let content = self.package.read(file, parse::MOST)?;
        let text = match parse::decode(&content) {
            Ok(text) => text,
            Err(other) => {
                self.broken(file, &other, runs, is_own);
                return None;
            }
        };
        let lines = Lines::new(text);
        match parse::parse(text, &lines, self.minor) {
            parse::File::Sound(parsed) => {
                let body = &parsed.syntax().body;
                if is_own {
                    self.found.extend(steps::look(body, file, &lines));
                    self.found.extend(private::look(body, file, &lines));
                    self.found.extend(waits::look(body, file, &lines));
                }
                let module = collect::collect(body, &lines);
                if let Some((words, spot)) = module.fault.clone() {
                    let fault = parse::Fault { words, spot: Some(spot), is_of_version: false };
                    self.broken(file, &parse::File::Broken(fault), runs, is_own);
                }
                Some(module)
            }
            other => {
                self.broken(file, &other, runs, is_own);
                None
            }
        }
    }

    fn broken(&mut self, file: &str, read: &parse::File, runs: Runs, is_own: bool) {
        let parse::File::Broken(fault) = read else { return };
        // What isn't surely imported, and came with a package, may be there for other versions.
        if runs == Runs::Guarded || (runs == Runs::Perhaps && !is_own) {
            return;
        }
        let version = self.minor.map_or_else(|| "Python".to_owned(), |minor| format!("Python 3.{minor}"));
        let summary = if fault.is_of_version {
            format!("`{file}` needs another Python: {}", fault.words)
        } else {
            format!("`{file}` can't be read by {version}: {}", fault.words)
        };
        let mut finding = CodeFinding::new(CodeCheck::Syntax, runs == Runs::Surely, summary).of(file);
        finding.spot.clone_from(&fault.spot);
        if fault.is_of_version {
            finding = finding.hint(if is_own {
                "write it as this version reads it, or state a newer `runtime`"
            } else {
                "package a version of it that is made for this Python, or state a newer `runtime`"
            });
        }
        self.found.push(finding);
    }

    /// The module that stands in a file, where it can be read.
    fn module(&self, file: &str) -> Option<&Module> {
        self.files.get(file)?.module.as_ref()
    }
}

/// What follows where names lead from one module of the package to another.
impl Scene<'_> {
    /// The file of the package that an import leads to, if it leads to one.
    fn leads_to(&self, import: &module::Import, folder: Option<&str>) -> Option<String> {
        match resolve(&self.package, import, folder) {
            Resolved::Module { file: Some(file), .. } => Some(file),
            _ => None,
        }
    }
}
