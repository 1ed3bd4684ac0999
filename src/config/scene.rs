//! Where a check stands: an entry of the manifest, with the way from a path in it to a place in a file.

use super::node::{Node, Number, Value};
use super::source::{Sources, Span};
use super::typed::{Misfit, MisfitKind};
use super::unsaid::{BY_OTHER_MEANS, unsaid};
use super::{scalar, suggest};
use crate::diagnostic::Diagnostic;
use crate::model::near::did_you_mean;

/// One entry under its checks. Checks speak in paths; places are found here.
pub(super) struct Scene<'a> {
    pub sources: &'a Sources,
    /// Such as `function`.
    pub kind: &'static str,
    /// Its handle, or its name.
    pub key: &'a str,
    /// The entry's key.
    pub at: Span,
    /// The entry's last line in its file.
    pub end: u32,
    /// The entry with its defaults, variables replaced.
    pub merged: &'a Node,
    /// Some fields could not be read: what is absent may only be misspelled.
    pub incomplete: bool,
    pub found: Vec<Diagnostic>,
}

impl Scene<'_> {
    /// Reports a problem of the value at a path, or of the nearest value above it.
    pub fn report(&mut self, path: &[&str], problem: Diagnostic) {
        let node = self.merged.deepest(path);
        // A whole entry or block is named by its key: its first line may say nothing.
        let exact = self.merged.find(path).is_some();
        let span = match (&node.value, self.merged.key_span(path)) {
            (Value::Map(_), Some(key)) if exact => key,
            _ if path.is_empty() => self.at,
            (Value::Map(_), _) if !exact => self.nearest_key(path),
            _ => node.span,
        };
        let private = path.first() == Some(&"environment") || path.get(1) == Some(&"parameters");
        let origin = node.origin.as_deref().copied().filter(|_| !private);
        self.push(span, origin, problem);
    }

    /// Reports a problem of the value at a path without showing its line.
    pub fn report_unshown(&mut self, path: &[&str], problem: Diagnostic) {
        self.report(path, problem);
        if let Some(position) = self.found.last_mut().and_then(|problem| problem.position.as_mut()) {
            position.text = None;
        }
    }

    /// The key of the last map on the way to a path.
    fn nearest_key(&self, path: &[&str]) -> Span {
        (1..path.len()).rev().find_map(|length| self.merged.key_span(&path[..length])).unwrap_or(self.at)
    }

    /// Reports a problem of the key at a path.
    pub fn report_key(&mut self, path: &[&str], problem: Diagnostic) {
        let span = self.merged.key_span(path).or_else(|| self.merged.unset_span(path)).unwrap_or(self.at);
        self.push(span, None, problem);
    }

    /// Reports a problem of a part of the text at a path.
    pub fn report_within(&mut self, path: &[&str], offset: usize, length: usize, problem: Diagnostic) {
        let node = self.merged.deepest(path);
        let span = self.sources.within(node.span, node.text().unwrap_or_default(), offset, length);
        let origin = node.origin.as_deref().copied();
        self.push(span, origin, problem);
    }

    /// Reports a problem at a place.
    pub fn push(&mut self, span: Span, origin: Option<Span>, mut problem: Diagnostic) {
        problem.position = Some(self.sources.position(span));
        if let Some(origin) = origin {
            problem.related.push((self.sources.position(origin), "the variable's value".to_owned()));
        }
        if !self.holds(span) && !self.key.is_empty() {
            problem.related.push((self.sources.position(self.at), format!("in {} `{}`", self.kind, self.key)));
        }
        self.found.push(problem);
    }

    /// Whether the value at a path stands in the entry itself, and isn't inherited.
    pub fn is_own(&self, path: &[&str]) -> bool {
        self.holds(self.merged.deepest(path).span)
    }

    /// Whether a place lies in the entry.
    fn holds(&self, span: Span) -> bool {
        span.file == self.at.file && (self.at.line..=self.end).contains(&span.line)
    }

    /// Whether a text still holds a variable that could not be replaced, which was reported.
    pub fn is_open(&self, text: &str) -> bool {
        self.incomplete && text.contains("${")
    }

    /// Reports what did not fit its type.
    pub fn misfits(&mut self, misfits: Vec<Misfit>) {
        for misfit in misfits {
            let path: Vec<&str> = misfit.path.iter().map(String::as_str).collect();
            // What is still a variable was reported as such.
            if self.merged.find(&path).and_then(Node::text).is_some_and(|text| self.is_open(text)) {
                continue;
            }
            match misfit.kind {
                MisfitKind::Unknown(known) => {
                    let problem = match unsaid(self.kind, &path) {
                        Some(way) => Diagnostic::error("unknown-field", format!("`{}` {}", path[0], way.0)).hint(way.1),
                        None => unknown_field(&path, &known),
                    };
                    self.report_key(&path, problem);
                }
                MisfitKind::Missing(field) => {
                    self.report(&path, Diagnostic::error("missing-field", format!("`{field}` is missing")));
                }
                MisfitKind::Wrong(wanted) => {
                    let node = self.merged.deepest(&path);
                    let problem = match (&node.value, &path[..]) {
                        // A role of one's own, as other tools take it.
                        (Value::String(_), ["role"]) if self.kind == "function" => {
                            let summary = "a function's role can't be said: AWS's application makes it, and takes none";
                            Diagnostic::error("wrong-type", summary).hint(BY_OTHER_MEANS)
                        }
                        _ => wrong_type(&path, node, &wanted),
                    };
                    self.report(&path, problem);
                }
            }
        }
        self.incomplete = true;
    }
}

/// The fields that belong one level further in, and the map that they belong to.
const INSIDE: [(&str, &[&str]); 8] = [
    ("external", &["role", "metadata"]),
    ("rotation", &["enabled", "automatically_after_days", "schedule_expression", "duration", "rotate_immediately"]),
    ("vpc", &["subnets", "security_groups"]),
    ("application", &["id", "version", "parameters"]),
    ("code", &["path", "requirements", "exclude", "include", "s3_bucket", "s3_key", "s3_object_version", "sha256"]),
    ("match", &["targets", "secrets", "labels"]),
    ("match", &["names", "tags", "except"]),
    ("window", &["from", "to", "max_hours", "days"]),
];

/// A key that means nothing where it stands.
pub(super) fn unknown_field(path: &[&str], known: &[String]) -> Diagnostic {
    let field = path.last().copied().unwrap_or_default();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    // An item of a list is known by the list.
    let parents = path.split_last().map_or(&[][..], |(_, parents)| parents);
    let inside = match parents.iter().rev().find(|step| step.parse::<usize>().is_err()) {
        Some(parent) => format!("unknown field `{field}` in `{parent}`"),
        None => format!("unknown field `{field}`"),
    };
    let problem = Diagnostic::error("unknown-field", inside);
    if let Some(near) = suggest::nearest(field, known.iter().copied()) {
        return problem.hint(did_you_mean(&[near]));
    }
    for (map, fields) in INSIDE {
        if known.contains(&map)
            && let Some(meant) = suggest::nearest(field, fields.iter().copied())
        {
            return problem.hint(if meant == field {
                format!("it stands inside `{map}`")
            } else {
                format!("{} it stands inside `{map}`", did_you_mean(&[meant]))
            });
        }
    }
    if known.is_empty() { problem } else { problem.hint(format!("known here: {}", suggest::list(known))) }
}

/// How a number is written in digits; of one that starts with 0, both that it can be.
fn octal_or(text: &str, plain: &str) -> String {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let octal = i64::from_str_radix(unsigned, 8).ok().filter(|_| unsigned.len() > 1 && unsigned.starts_with('0'));
    match octal.map(|octal| if text.starts_with('-') { -octal } else { octal }.to_string()) {
        Some(octal) if octal != plain => format!("write `{plain}`, or `{octal}` if base 8 was meant"),
        _ => format!("write `{plain}`"),
    }
}

/// A value of another type than the one that is wanted.
pub(super) fn wrong_type(path: &[&str], node: &Node, wanted: &str) -> Diagnostic {
    let numbered = |step: &&&str| step.parse::<usize>().is_err();
    let field = path.iter().rev().find(numbered).copied().unwrap_or("this");
    let in_list = path.last().is_some_and(|step| step.parse::<usize>().is_ok());
    let subject = if in_list { format!("an item of `{field}`") } else { format!("`{field}`") };
    let kind = match &node.value {
        // A fraction, or one that no machine counts to.
        Value::Number(number) if wanted.starts_with("a whole number") => format!("`{}`", suggest::brief(&number.text)),
        _ => node.kind().to_owned(),
    };
    let problem = Diagnostic::error("wrong-type", format!("{subject} must be {wanted}, not {kind}"));
    // Values of the environment and of parameters, which may be NoEcho, are never repeated.
    let private = path.contains(&"environment") || path.contains(&"parameters");
    match &node.value {
        // In quotes, it would be refused again.
        Value::Number(number) if wanted == "text" && field == "duration" => match scalar::hours_of(&number.text) {
            Some(hours) => problem.hint(format!("write `{hours}h`")),
            None => problem.hint("a window has whole hours, from `1h` to `24h`"),
        },
        Value::Number(number) if wanted == "text" => {
            let problem = if field == "account" {
                problem.because("an unquoted id that starts with 0 would lose it")
            } else {
                problem
            };
            if private {
                problem.hint(format!("quote it: `{field}: \"…\"`"))
            } else {
                problem.hint(format!("quote it: `\"{}\"`", number.text))
            }
        }
        Value::Bool(value) if wanted == "text" => {
            if private {
                problem.hint(format!("quote it: `{field}: \"…\"`"))
            } else {
                problem.hint(format!("quote it: `\"{value}\"`"))
            }
        }
        Value::String(text) if wanted.contains("`true`") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => problem.because("YAML 1.2 has no other words for it").hint("write `true`"),
            "no" | "off" | "n" => problem.because("YAML 1.2 has no other words for it").hint("write `false`"),
            "true" | "false" => problem.hint("remove the quotes"),
            _ => problem,
        },
        // Whatever reads as a number to some, and isn't written as everybody reads it.
        Value::Number(Number { text, .. }) | Value::String(text)
            if wanted.starts_with("a whole number") && scalar::meant(text).is_some() =>
        {
            let summary = format!("`{text}` can't stand for {subject}, which must be {wanted}");
            match scalar::meant(text) {
                Some((plain, why)) => {
                    Diagnostic::error("wrong-type", summary).because(why).hint(octal_or(text, &plain))
                }
                None => problem,
            }
        }
        Value::String(text) if wanted == "a whole number" => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            match (digits.is_empty(), digits.len() == text.len()) {
                (false, true) => problem.hint("remove the quotes"),
                (false, false) => problem.hint(format!("write `{digits}`: the unit is fixed")),
                _ => problem,
            }
        }
        Value::String(_) if wanted == "a list" && !private => problem.hint("write `[…]` around it"),
        Value::String(_) if wanted == "a map" => {
            problem.hint("put its fields on lines of their own, indented below the key")
        }
        Value::List(items) if wanted == "a map" && !items.is_empty() => {
            problem.hint("write `key: value` lines without `- ` before them")
        }
        _ => problem,
    }
}
