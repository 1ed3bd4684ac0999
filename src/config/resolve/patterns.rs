//! The targets that patterns of `targets` mean.

use crate::config::suggest;
use crate::diagnostic::Diagnostic;
use crate::model::glob::{self, Glob};
use crate::model::near::did_you_mean;

/// `may_suggest`: whether one of them is looked for that was probably meant.
pub(super) fn unknown_target(pattern: &str, all: &[&str], may_suggest: bool) -> Diagnostic {
    if all.is_empty() {
        return Diagnostic::error("targets", format!("`{pattern}` matches no target: the manifest has no `targets`"))
            .hint("declare targets, or remove this");
    }
    let problem = Diagnostic::error("targets", format!("`{pattern}` matches no target"));
    match may_suggest.then(|| suggest::nearest(pattern, all.iter().copied())).flatten() {
        Some(near) => problem.hint(did_you_mean(&[near])),
        None => problem.hint(format!("the targets are {}", suggest::list(all.iter().copied()))),
    }
}

/// The targets that a name or pattern means.
pub(super) fn matches(pattern: &str, all: &[&str]) -> Result<Vec<usize>, String> {
    glob::check_length(pattern)?;
    if let Some(wrong) = pattern.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(*c)))
    {
        return Err(if pattern.contains("${") {
            "variables aren't replaced in `targets`: they depend on the target".to_owned()
        } else {
            let wrong = wrong.escape_debug();
            format!("a pattern of targets holds lower-case letters, digits, `-` and `*`, not `{wrong}`")
        });
    }
    let glob = Glob::new(pattern)?;
    Ok(all.iter().enumerate().filter(|(_, name)| glob.is_match(name)).map(|(index, _)| index).collect())
}
