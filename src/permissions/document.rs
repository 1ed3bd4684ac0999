//! IAM's policy documents: as few as hold what is needed, each within IAM's limit of size.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use serde::Serialize;

use super::Need;
use super::scope::{On, Scope, Width};

/// How many characters a managed policy may have, white space left out.
pub const LARGEST: usize = 6_144;

/// How many managed policies a role may have, unless an account's quota is raised.
pub const MOST: usize = 10;

/// The language that documents are written in.
const VERSION: &str = "2012-10-17";

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// A statement that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    sid: String,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
}

impl Statement {
    fn new(sid: String, action: Vec<&'static str>, resource: Vec<String>) -> Self {
        Self { sid, effect: "Allow", action, resource }
    }

    /// Its characters. No name that IAM takes has a space in it.
    fn size(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len())
    }
}

impl Document {
    fn of(statement: Vec<Statement>) -> Self {
        Self { version: VERSION, statement }
    }

    /// As IAM counts it: without white space.
    pub fn size(&self) -> usize {
        self.text().chars().filter(|c| !c.is_whitespace()).count()
    }

    /// As a file has it, with a final newline.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The documents that allow what is needed, and what had to be taken more widely than by name, so that they aren't more than [`MOST`]:
/// secrets by their folders first, then by their first folders, then all; then functions, with their stacks, roles and logs.
pub fn documents(needs: &[Need], scope: &Scope<'_>) -> (Vec<Document>, Vec<(On, Width)>) {
    let mut widened: Vec<(On, Width)> = Vec::new();
    loop {
        let documents = packed(statements(needs, scope, &widened));
        let next = (documents.len() > MOST).then(|| next(needs, scope, &widened)).flatten();
        match next {
            None => return (documents, widened),
            Some((on, width)) => {
                widened.retain(|(other, _)| *other != on);
                widened.push((on, width));
            }
        }
    }
}

fn width_of(on: On, widened: &[(On, Width)]) -> Width {
    widened.iter().find(|(other, _)| *other == on).map_or(Width::Named, |(_, width)| *width)
}

/// What is widened next: of the resources that can be, those that take the most room, by one step that makes them fewer.
fn next(needs: &[Need], scope: &Scope<'_>, widened: &[(On, Width)]) -> Option<(On, Width)> {
    let room = |on: On, width: Width| scope.resources(on, width).iter().map(String::len).sum::<usize>();
    let steps = needs.iter().filter_map(|need| {
        let now = width_of(need.on, widened);
        let smaller = |width: &Width| room(need.on, *width) < room(need.on, now);
        let step = need.on.wider(now).into_iter().find(smaller)?;
        Some((room(need.on, now), need.on, step))
    });
    steps.max_by_key(|(room, ..)| *room).map(|(_, on, step)| (on, step))
}

/// One statement for each different list of resources.
fn statements(needs: &[Need], scope: &Scope<'_>, widened: &[(On, Width)]) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    for need in needs {
        let resources = scope.resources(need.on, width_of(need.on, widened));
        match found.iter_mut().find(|statement| statement.resource == resources) {
            Some(statement) if statement.action.contains(&need.action) => {}
            Some(statement) => statement.action.push(need.action),
            None => found.push(Statement::new(need.on.sid(), vec![need.action], resources)),
        }
    }
    for statement in &mut found {
        statement.action.sort_unstable();
    }
    found
}

/// Statements in documents: each goes where it fits, and one that fits nowhere is divided by its resources.
fn packed(statements: Vec<Statement>) -> Vec<Document> {
    let room = LARGEST - Document::of(Vec::new()).size();
    let mut documents: Vec<(usize, Vec<Statement>)> = Vec::new();
    for part in statements.into_iter().flat_map(|statement| divided(statement, room)) {
        let size = part.size() + 1;
        match documents.iter_mut().find(|(taken, _)| taken.saturating_add(size) <= room) {
            Some((taken, parts)) => {
                *taken += size;
                parts.push(part);
            }
            None => documents.push((size, vec![part])),
        }
    }
    documents.into_iter().map(|(_, parts)| Document::of(parts)).collect()
}

/// A statement as several, each of which fits a document.
fn divided(statement: Statement, room: usize) -> Vec<Statement> {
    if statement.size() < room {
        return vec![statement];
    }
    let Statement { sid, action, resource, .. } = statement;
    let frame = Statement::new(format!("{sid}0000"), action.clone(), Vec::new()).size();
    let mut parts: Vec<(usize, Vec<String>)> = Vec::new();
    for one in resource {
        let size = one.len() + 3;
        match parts.last_mut() {
            Some((taken, names)) if *taken + size < room => {
                *taken += size;
                names.push(one);
            }
            _ => parts.push((frame + size, vec![one])),
        }
    }
    let numbered = parts.into_iter().enumerate();
    numbered.map(|(at, (_, names))| Statement::new(format!("{sid}{}", at + 1), action.clone(), names)).collect()
}
