//! What a problem in a manifest is: where, what, why, and what to do.
//!
//! This module knows nothing of YAML or of how a problem is shown.

use std::path::PathBuf;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is done.
    Error,
    /// It is said, and work goes on.
    Warning,
}

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file, as the user gave it, or relative to the manifest that includes it.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub length: usize,
    /// The whole offending line, without its end; `None` where it must not be shown.
    pub text: Option<String>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The named check that found it, such as `unknown-field`.
    pub check: &'static str,
    /// What is wrong: one line, lower case, no final full stop.
    pub summary: String,
    /// Why, where the summary doesn't say it.
    pub detail: Option<String>,
    /// Where; `None` where no file is meant.
    pub position: Option<Position>,
    /// Other places that play a part, each with a word: where a default came from, the first of two duplicates.
    pub related: Vec<(Position, String)>,
    /// What to do.
    pub hints: Vec<String>,
    /// The targets that it holds in; empty: all, or none in particular.
    pub targets: Vec<String>,
}

impl Diagnostic {
    /// Whether nothing is done because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// An error without a position yet.
    pub fn error(check: &'static str, summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            check,
            summary: summary.into(),
            detail: None,
            position: None,
            related: Vec::new(),
            hints: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// A warning without a position yet.
    pub fn warning(check: &'static str, summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(check, summary) }
    }

    /// Adds the position.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
