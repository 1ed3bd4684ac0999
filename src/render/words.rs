//! What a message is made of, and how it is laid out: what is wrong, why, and what to do.

use std::fmt::Write as _;

use crate::aws::Denial;
use crate::aws::denial::Because;
use crate::model::live::Unread;
use crate::plan::Severity;

use super::{BOLD, DIM, ERROR, WARNING, paint, safe};

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What is wrong, without what it concerns.
    pub summary: String,
    /// Why.
    pub detail: Option<String>,
    /// What to do; a line with a command stands alone.
    pub hints: Vec<String>,
}

impl Words {
    pub(super) fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: None, hints: Vec::new() }
    }

    pub(super) fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A problem's message, about the resources that it concerns.
pub fn render(severity: Severity, words: &Words, about: &str) -> String {
    let mut out = String::new();
    let word = match severity {
        Severity::Error => paint(ERROR, "error:"),
        Severity::Warning => paint(WARNING, "warning:"),
    };
    let _ = writeln!(out, "{word} {}", paint(BOLD, &format!("{about}: {}", words.summary)));
    if let Some(detail) = &words.detail {
        let _ = writeln!(out, "  {detail}");
    }
    for hint in &words.hints {
        let _ = writeln!(out, "  {} {hint}", paint(DIM, "hint:"));
    }
    out
}

/// Why something could not be read.
pub fn unread_words(unread: &Unread) -> String {
    match unread {
        Unread::Denied { action, resource, code, message } => {
            // AWS's words say who was refused and by which policy: a right that is there may be taken away again elsewhere.
            let code = code.as_ref().map(|code| format!("{}: ", safe(code))).unwrap_or_default();
            let denied =
                Denial::of(message, resource).is_some_and(|denial| matches!(denial.because, Some(Because::Denied(_))));
            let how = if denied { "is denied" } else { "is missing" };
            format!("access denied; `{}` on `{}` {how} ({code}{})", safe(action), safe(resource), safe(message))
        }
        Unread::Failed { call, code, message, request_id } => {
            let call = call.as_ref().map(|call| format!("{} on `{}`: ", safe(&call.action), safe(&call.resource)));
            let mut text = call.unwrap_or_default();
            text.push_str(&code.as_ref().map(|code| format!("{}: ", safe(code))).unwrap_or_default());
            text.push_str(&safe(message));
            if let Some(id) = request_id {
                let _ = write!(text, " (request {})", safe(id));
            }
            text
        }
    }
}
