//! Functions in other languages: that the package holds what their runtime runs, where that is certain.

use super::Facts;
use super::package::Package;
use crate::model::{CodeCheck, CodeFinding};

/// Looks at what kinds of files are there.
pub(super) fn look(package: &Package<'_>, facts: &Facts) -> Vec<CodeFinding> {
    let Some(runtime) = facts.runtime.as_deref().filter(|_| !facts.layers) else { return Vec::new() };
    let (endings, what): (&[&str], &str) = match runtime {
        _ if runtime.starts_with("java") => (&[".class", ".jar"], "class (`.class` or `.jar`)"),
        _ if runtime.starts_with("dotnet") => (&[".dll", "bootstrap"], "assembly (`.dll`)"),
        _ if runtime.starts_with("ruby") => (&[".rb"], "source file (`.rb`)"),
        _ => return Vec::new(),
    };
    if package.files.iter().any(|file| endings.iter().any(|ending| file.path.ends_with(ending))) {
        return Vec::new();
    }
    let summary = format!("`{}` holds no {}, and its runtime is {runtime}", facts.place, what);
    let finding = CodeFinding::error(CodeCheck::Handler, summary);
    let has = |ending: &str| package.files.iter().any(|file| file.path.ends_with(ending));
    vec![if has(".py") {
        finding.hint("it holds Python: state a `runtime` such as `python3.13`")
    } else if has(".js") || has(".mjs") {
        finding.hint("it holds JavaScript: state a `runtime` such as `nodejs24.x`")
    } else if has(".java") || has(".cs") {
        finding.hint("package what the compiler makes of the sources")
    } else {
        finding
    }]
}
