//! What a root says of itself: its version, its project, and what it lets go of.

use super::{A_TARGET, DocumentReader, OF_TARGETS};
use crate::config::node::{Map, Node, Value};
use crate::config::raw::RootFile;
use crate::config::scene::{unknown_field, wrong_type};
use crate::config::source::Span;
use crate::config::typed::{self, MisfitKind};
use crate::config::{names, suggest};
use crate::diagnostic::Diagnostic;
use crate::model::acknowledge::Acknowledgement;
use crate::model::freeze::Freeze;
use crate::model::near::did_you_mean;
use crate::model::rule::{Limits, Rule};
use crate::model::{self};

/// What the root says of itself.
#[derive(Debug, Default)]
pub(in crate::config) struct Head {
    pub project: String,
    pub renamed_from: Option<String>,
    pub prune: bool,
    /// Target (or all), kind and handle.
    pub removed: Vec<Removed>,
    /// Its own rules.
    pub policy: Vec<Rule>,
    pub limits: Limits,
    pub freezes: Vec<Freeze>,
    pub acknowledged: Vec<Acknowledgement>,
    /// Its `include`, as it stands.
    pub includes: Vec<String>,
}

/// One item of `removed`.
#[derive(Debug)]
pub(in crate::config) struct Removed {
    pub target: Option<String>,
    pub kind: model::Kind,
    pub handle: String,
    pub at: Span,
}

impl DocumentReader {
    /// `version` and `requires` first: all else may mean something else in another version.
    pub(super) fn version(&mut self, map: &Map, start: Span) -> Option<()> {
        let before = self.found.len();
        match map.get("version") {
            None => self.at(start, Diagnostic::error("version", "`version` is missing").hint("write `version: 1`")),
            Some(entry) => match &entry.node.value {
                Value::Number(number) if number.integer == Some(1) && number.is_exact() => {}
                Value::Number(number) => self.at(
                    entry.node.span,
                    Diagnostic::error(
                        "version",
                        format!("this rotator reads manifests of version 1, not `{}`", number.text),
                    )
                    .hint("use a newer rotator, or write `version: 1`"),
                ),
                _ => self.at(
                    entry.node.span,
                    Diagnostic::error("version", "`version` is the number 1").hint("write `version: 1`"),
                ),
            },
        }
        if let Some(entry) = map.get("requires")
            && let Some(text) = entry.node.text()
        {
            let own = semver::Version::parse(env!("CARGO_PKG_VERSION"));
            match (semver::VersionReq::parse(text), own) {
                (Ok(wanted), Ok(own)) if !wanted.matches(&own) => self.at(
                    entry.node.span,
                    Diagnostic::error("requires", format!("this manifest requires rotator {text}, and this is {own}"))
                        .hint("use a version that it allows"),
                ),
                (Err(error), _) => {
                    self.at(
                        entry.node.span,
                        Diagnostic::error("requires", format!("`{text}` is no range of versions: {error}"))
                            .hint("write one such as `\">=0.1\"`"),
                    );
                }
                _ => {}
            }
        }
        (self.found.len() == before).then_some(())
    }

    /// The root's own fields. The second value is `include`, each pattern with its place.
    pub(super) fn head(&mut self, node: &Node, start: Span) -> (Head, Vec<(String, Span)>) {
        let (file, misfits) = typed::read::<RootFile>(node);
        let mut incomplete = false;
        for misfit in misfits {
            let path: Vec<&str> = misfit.path.iter().map(String::as_str).collect();
            incomplete |= path.first().is_some_and(|field| *field == "project");
            let (span, problem) = match misfit.kind {
                MisfitKind::Unknown(known) => {
                    let mut problem = unknown_field(&path, &known);
                    if let Some(field) = path.first().filter(|field| OF_TARGETS.contains(field)) {
                        problem.hints = vec![format!("`{field}` belongs to a target, which has a name: {A_TARGET}")];
                    }
                    (node.key_span(&path).unwrap_or(start), problem)
                }
                MisfitKind::Wrong(wanted) => {
                    (node.deepest(&path).span, wrong_type(&path, node.deepest(&path), &wanted))
                }
                MisfitKind::Missing(field) => {
                    (start, Diagnostic::error("missing-field", format!("`{field}` is missing")))
                }
            };
            self.at(span, problem);
        }
        let file = file.unwrap_or_default();
        let mut head = Head { prune: file.prune == Some(true), ..Head::default() };
        for (field, value) in [("project", &file.project), ("renamed_from", &file.renamed_from)] {
            let Some(name) = value else { continue };
            if !names::is_project(name) {
                let problem = Diagnostic::error(
                    "project-name",
                    format!(
                        "`{field}` holds letters, digits and `._/-`, starts with a letter or digit, and has at most 128 characters"
                    ),
                );
                let problem = if name.contains("${") {
                    problem.hint("variables aren't replaced here: a project has one name")
                } else {
                    problem
                };
                self.at(node.deepest(&[field]).span, problem);
            }
        }
        match file.project {
            Some(name) => head.project = name,
            None if incomplete => {}
            None => {
                let at = node.key_span(&["version"]).unwrap_or(start);
                self.at(
                    at,
                    Diagnostic::error("missing-field", "`project` is missing")
                        .because("it marks on AWS what this manifest owns")
                        .hint("write `project: NAME`"),
                );
            }
        }
        if file.renamed_from.as_ref() == Some(&head.project) && !head.project.is_empty() {
            self.at(
                node.deepest(&["renamed_from"]).span,
                Diagnostic::error("project-name", "`renamed_from` is the project's own name").hint("remove it"),
            );
        }
        head.renamed_from = file.renamed_from;
        let items = |field: &str| -> Vec<(String, Span)> {
            let Some(Node { value: Value::List(items), .. }) = node.child(field) else { return Vec::new() };
            items.iter().filter_map(|item| Some((item.text()?.to_owned(), item.span))).collect()
        };
        for (text, at) in items("removed") {
            match removed(&text, at) {
                Ok(removed) => head.removed.push(removed),
                Err(problem) => self.at(at, *problem),
            }
        }
        let include = items("include");
        head.includes = include.iter().map(|(pattern, _)| pattern.clone()).collect();
        (head, include)
    }
}

fn removed(text: &str, at: Span) -> Result<Removed, Box<Diagnostic>> {
    let form = "write `secret.HANDLE` or `function.HANDLE`";
    let refused = |summary: String| Err(Box::new(Diagnostic::error("removed", summary).hint(form)));
    let starts = |text: &str| text.starts_with("secret.") || text.starts_with("function.");
    let (target, rest) = match text.split_once('/') {
        Some((target, rest)) if !starts(text) && names::is_target(target) => (Some(target.to_owned()), rest),
        _ => (None, text),
    };
    match rest.split_once('.') {
        Some((_, "")) => refused(format!("`{text}` names nothing")),
        Some(("secret", handle)) => Ok(Removed { target, kind: model::Kind::Secret, handle: handle.to_owned(), at }),
        Some(("function", handle)) => {
            Ok(Removed { target, kind: model::Kind::Function, handle: handle.to_owned(), at })
        }
        Some((word, _)) => match suggest::nearest(word, ["secret", "function"]) {
            Some(near) => Err(Box::new(
                Diagnostic::error("removed", format!("`{text}` is no address"))
                    .hint(did_you_mean(&[&format!("{near}.…")])),
            )),
            None => refused(format!("`{text}` is no address")),
        },
        None => refused(format!("`{text}` is no address")),
    }
}
