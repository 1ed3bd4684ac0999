//! Why a command ends without doing what it was asked: a value, which travels by `?` and is said once, by the command's view.

use crate::config::Problems;
use crate::diagnostic::Diagnostic;
use crate::exit;
use crate::plan::fresh::Stale;

/// Why a command fails. Public for the fuzz targets.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What is wrong: one line, lower case, no final full stop. Empty where what it comes from says it all.
    pub summary: String,
    /// What to do.
    pub hints: Vec<String>,
    /// The exit code.
    pub code: u8,
    /// What it comes from, which is said before it.
    pub cause: Cause,
}

/// What a failure comes from.
#[derive(Debug, Clone)]
pub enum Cause {
    /// Nothing else.
    None,
    /// Problems in files, each at its place.
    Files(Vec<Diagnostic>),
    /// What refuses the plan, in the words of published formats: `policy`, `limit`, `freeze`, `brake`.
    RefusedBy(Vec<&'static str>),
    /// What has moved since a plan was saved.
    Stale(Vec<Stale>),
    /// Several failures, each for itself.
    Several(Vec<Failure>),
}

impl Failure {
    /// An error.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), hints: Vec::new(), code: exit::ERROR, cause: Cause::None }
    }

    /// A saved plan that doesn't hold.
    pub fn refused(summary: impl Into<String>) -> Self {
        Self { code: exit::REFUSED, ..Self::new(summary) }
    }

    /// What a policy, a limit, a freeze or the brake forbids, before anything is written: trying again changes nothing about it.
    pub fn forbidden(summary: impl Into<String>, by: Vec<&'static str>) -> Self {
        Self { code: exit::FORBIDDEN, cause: Cause::RefusedBy(by), ..Self::new(summary) }
    }

    /// What was said already, where it happened.
    pub fn said(code: u8) -> Self {
        Self { code, ..Self::new("") }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let code = exit::worse(self.code, other.code);
        let mut all = Vec::new();
        for one in [self, other] {
            match one.cause {
                Cause::Several(several) => all.extend(several),
                _ => all.push(one),
            }
        }
        Self { code, cause: Cause::Several(all), ..Self::said(code) }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self { cause: Cause::Files(problems.0), ..Self::said(exit::ERROR) }
    }
}
