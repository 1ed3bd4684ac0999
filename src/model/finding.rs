//! What is wrong with a function's code, as far as that can be read from it: nothing of it is run.

use serde::{Deserialize, Serialize};

use super::acknowledge::Warning;

/// What kind of check found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeCheck {
    /// A file that the function's runtime can't read.
    Syntax,
    /// The handler's file, its function, and what that takes.
    Handler,
    /// What code imports.
    Import,
    /// Variables that code reads.
    Environment,
    /// Libraries in machine code.
    Native,
    /// The program that a runtime of one's own begins with.
    Bootstrap,
    /// Names of files.
    FileNames,
    /// A secret's value in a log.
    LogsSecret,
    /// Errors that a step hides.
    HidesErrors,
    /// A step that doesn't do its work.
    Step,
    /// A step that can't be called again.
    NotRepeatable,
    /// A request that waits without end.
    Waits,
}

impl CodeCheck {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Syntax,
        Self::Handler,
        Self::Import,
        Self::Environment,
        Self::Native,
        Self::Bootstrap,
        Self::FileNames,
        Self::LogsSecret,
        Self::HidesErrors,
        Self::Step,
        Self::NotRepeatable,
        Self::Waits,
    ];

    /// As which kind of warning it can be acknowledged.
    pub fn warning(self) -> Warning {
        match self {
            Self::Syntax => Warning::CodeSyntax,
            Self::Handler => Warning::CodeHandler,
            Self::Import => Warning::CodeImport,
            Self::Environment => Warning::CodeEnvironment,
            Self::Native => Warning::CodeNative,
            Self::Bootstrap => Warning::CodeBootstrap,
            Self::FileNames => Warning::CodeFileNames,
            Self::LogsSecret => Warning::CodeLogsSecret,
            Self::HidesErrors => Warning::CodeHidesErrors,
            Self::Step => Warning::CodeStep,
            Self::NotRepeatable => Warning::CodeNotRepeatable,
            Self::Waits => Warning::CodeWaits,
        }
    }
}

/// A place in a file of a package. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spot {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub length: u32,
    /// The whole line, where it may be shown. It isn't saved: code is in Git already.
    #[serde(skip)]
    pub text: Option<String>,
}

/// Something that is wrong with a function's code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CodeFinding {
    /// What found it.
    pub check: CodeCheck,
    /// Whether the function surely fails for it; else it is likely wrong.
    pub is_error: bool,
    /// The file, by its path in the package; `None`: the package as a whole.
    pub file: Option<String>,
    /// Where in the file.
    pub spot: Option<Spot>,
    /// What is wrong: one line, lower case, no final full stop.
    pub summary: String,
    /// Why, where the summary doesn't say it.
    pub detail: Option<String>,
    /// What to do.
    pub hints: Vec<String>,
}

impl CodeFinding {
    /// What surely fails, of the package as a whole.
    pub fn error(check: CodeCheck, summary: impl Into<String>) -> Self {
        let (summary, hints) = (summary.into(), Vec::new());
        Self { check, is_error: true, file: None, spot: None, summary, detail: None, hints }
    }

    /// What is likely wrong, of the package as a whole.
    pub fn warning(check: CodeCheck, summary: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(check, summary) }
    }

    /// One or the other.
    pub fn new(check: CodeCheck, is_error: bool, summary: impl Into<String>) -> Self {
        Self { is_error, ..Self::error(check, summary) }
    }

    /// Adds the file.
    #[must_use]
    pub fn of(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Adds the place in its file.
    #[must_use]
    pub fn at(mut self, spot: Spot) -> Self {
        self.spot = Some(spot);
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
