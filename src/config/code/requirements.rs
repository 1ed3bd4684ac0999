//! The requirements of a function's code: that the file is there and is understood. Nothing is fetched.

use std::path::Path;

use crate::config::credential_kind;
use crate::config::document::Document;
use crate::config::raw::FunctionFile;
use crate::config::scene::Scene;
use crate::config::targets;
use crate::diagnostic::{Diagnostic, Position};
use crate::model::Requirements;
use crate::requirements::{self, Platform, Wrong};

/// The largest file that is read, in bytes: 500 requirements with all their hashes have a tenth of it.
const MOST: u64 = 4 * 1024 * 1024;

/// Reads and checks the file. `code`: the path of the code, as it is written; `stated`: that of the requirements.
pub(super) fn read(
    scene: &mut Scene<'_>,
    file: &FunctionFile,
    (code, stated): (&str, &str),
    document: &Document,
) -> Option<Requirements> {
    const AT: [&str; 2] = ["code", "requirements"];
    if scene.is_open(code) || scene.is_open(stated) {
        return None;
    }
    let platform = platform(scene, file)?;
    let stated_in = scene.merged.find(&["code", "path"]).map_or(scene.at.file, |node| node.span.file);
    let folder = document.sources.folder(stated_in).join(code);
    // Relative to the folder of code, as all that chooses its files; of a single file, to the folder that holds it.
    let folder = if folder.is_file() { folder.parent().unwrap_or(&folder).to_owned() } else { folder };
    document.sources.fetch(&folder.join(stated));
    let path = match targets::inside(&document.tree, &folder, stated) {
        Ok(path) => path,
        Err(reason) => {
            let problem = Diagnostic::error("requirements", format!("`{stated}` can't be the requirements: {reason}"));
            let hint = "the path is relative to the folder of code, and stays inside the manifest's folder";
            scene.report(&AT, problem.hint(hint));
            return None;
        }
    };
    let text = match text_of(&path) {
        Ok(text) => text,
        Err(reason) => {
            let problem = Diagnostic::error("requirements", format!("`{stated}` can't be the requirements: {reason}"));
            scene.report(&AT, problem);
            return None;
        }
    };
    let pins = requirements::read(&text, Some(platform));
    let chosen = pins.and_then(|pins| requirements::chosen(&pins, platform).map(drop));
    if let Err(all) = chosen {
        // One file may serve many functions: what is wrong with it is said once.
        for diagnostic in all.iter().map(|one| diagnostic(&path, &text, one)) {
            scene.found.push(diagnostic);
        }
        return None;
    }
    let runtime = file.runtime.clone()?;
    Some(Requirements { path, shown: stated.to_owned(), runtime, architecture: file.architecture.clone() })
}

/// Where the function runs, which decides what is fetched for it.
fn platform(scene: &mut Scene<'_>, file: &FunctionFile) -> Option<Platform> {
    let (runtime, architecture) = (file.runtime.as_deref(), file.architecture.as_deref());
    if [runtime, architecture].into_iter().flatten().any(|word| scene.is_open(word)) {
        return None;
    }
    let platform = Platform::of(runtime, architecture);
    if platform.is_none() {
        let problem = match runtime {
            // A wrong architecture is said where it stands.
            Some(runtime) if runtime.starts_with("python3.") => return None,
            Some(runtime) => Diagnostic::error(
                "requirements",
                format!("`requirements` are for Python, and the runtime is `{runtime}`"),
            )
            .hint("remove it: what other languages need lies in the folder of code"),
            None => Diagnostic::error("requirements", "`requirements` need the function's `runtime`")
                .because("wheels are made for one version of Python")
                .hint("state it, such as `runtime: python3.13`"),
        };
        scene.report_key(&["code", "requirements"], problem);
    }
    platform
}

fn text_of(path: &Path) -> Result<String, String> {
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if metadata.len() > MOST {
        return Err(format!("it has more than {} MB", MOST / 1024 / 1024));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it isn't UTF-8".to_owned())
}

/// A problem of a line of the file.
fn diagnostic(path: &Path, text: &str, wrong: &Wrong) -> Diagnostic {
    let line = usize::try_from(wrong.line).unwrap_or(usize::MAX);
    let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let column = shown.chars().take_while(|c| c.is_whitespace()).count() + 1;
    // An address may hold a login.
    let is_private = shown.contains("://") || credential_kind(shown).is_some();
    let mut diagnostic = Diagnostic::error("requirements", wrong.summary.clone());
    diagnostic.hints.extend(wrong.hints.clone());
    diagnostic.at(Position {
        file: path.to_owned(),
        line,
        column,
        length: usize::try_from(wrong.length).unwrap_or(1).max(1),
        text: (!is_private).then(|| shown.to_owned()),
    })
}
