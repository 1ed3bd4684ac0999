//! YAML text → [`Node`]: syntax, duplicate keys, limits, anchors and merge keys, each problem at its place.

mod build;

use std::collections::{HashMap, HashSet};

use saphyr_parser::Parser;

use super::node::{Node, Value};
use super::source::{Sources, Span};
use crate::diagnostic::Diagnostic;
use build::Builder;

/// How many problems of one file are listed before reading stops.
const MAX_PROBLEMS: usize = 100;

/// Reads a file that was added to `sources`. Any problem is an error.
pub(super) fn parse(sources: &Sources, file: u32) -> Result<Node, Vec<Diagnostic>> {
    let (node, problems) = parse_through(sources, file);
    match node {
        Some(node) if problems.is_empty() => Ok(node),
        _ => Err(problems),
    }
}

/// Reads a file that was added to `sources`, and goes on after problems that leave a document: of keys that stand
/// twice, the first counts. Without a document, the problems say why.
pub(super) fn parse_through(sources: &Sources, file: u32) -> (Option<Node>, Vec<Diagnostic>) {
    let source = sources.get(file);
    let mut builder = Builder::new(sources, file);
    for event in Parser::new_from_str(&source.text) {
        let step = match event {
            Ok((event, range)) => builder.event(event, range),
            Err(error) => Err(builder.syntax(error.info(), *error.marker())),
        };
        if let Err(fatal) = step {
            builder.problems.push(*fatal);
            return (None, builder.problems);
        }
        if builder.problems.len() >= MAX_PROBLEMS {
            return (None, builder.problems);
        }
    }
    let start = Span { file, line: 1, column: 1, length: 1 };
    if let Some(root) = &builder.root {
        let room = MAX_PROBLEMS.saturating_sub(builder.problems.len());
        builder.problems.extend(duplicates(sources, root, room));
    }
    let mut root = builder.root.unwrap_or(Node::new(start, Value::Null));
    if !builder.problems.is_empty() {
        keep_first(&mut root);
    }
    (Some(root), builder.problems)
}

/// How many lines of one file are warned of because of what can't be seen in them.
const MAX_TURNS: usize = 20;

/// Lines that may read otherwise than they are, comments included: a reviewer sees another order of characters than the program does.
pub(super) fn turns(sources: &Sources, file: u32) -> Vec<Diagnostic> {
    let source = sources.get(file);
    let places = source.turns(file);
    let warn = |span: &Span| {
        let character = source.line(span.line).chars().nth(span.column as usize - 1).unwrap_or_default();
        Diagnostic::warning(
            "direction",
            format!("`{}` changes the direction in which this line is shown", character.escape_unicode()),
        )
        .because("it may read otherwise than it is")
        .hint("remove it")
        .at(sources.position(*span))
    };
    places.iter().take(MAX_TURNS).map(warn).collect()
}

/// Drops what stands twice, after it was reported.
fn keep_first(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(keep_first),
        Value::Map(map) => {
            let mut seen = HashSet::with_capacity(map.entries.len());
            map.entries.retain(|entry| seen.insert(entry.key.clone()));
            map.entries.iter_mut().for_each(|entry| keep_first(&mut entry.node));
        }
        _ => {}
    }
}

/// Up to here duplicates are looked for as keys arrive.
const SMALL: usize = 16;

/// Two keys of one name in one map.
fn duplicate(sources: &Sources, key: &str, span: Span, first: Span) -> Diagnostic {
    let mut problem =
        Diagnostic::error("duplicate-key", format!("`{key}` stands here twice")).at(sources.position(span));
    problem.related.push((sources.position(first), "the first one".to_owned()));
    problem
}

/// Duplicates among the keys of large maps, in one pass each; at most so many.
fn duplicates(sources: &Sources, node: &Node, most: usize) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        match &node.value {
            Value::List(items) => rest.extend(items),
            Value::Map(map) => {
                if map.entries.len() > SMALL {
                    let mut seen: HashMap<&str, Span> = HashMap::with_capacity(map.entries.len());
                    for (at, entry) in map.entries.iter().enumerate() {
                        if let Some(first) =
                            seen.insert(&entry.key, entry.at).filter(|_| at > SMALL && found.len() < most)
                        {
                            found.push(duplicate(sources, &entry.key, entry.at, first));
                        }
                    }
                }
                rest.extend(map.entries.iter().map(|entry| &entry.node));
            }
            _ => {}
        }
    }
    found
}

/// How many values a node holds, and how deep it is.
pub(super) fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(map) => map.entries.iter().map(|entry| &entry.node).collect(),
        // Long texts count for what they take: a bomb may be one of those, too.
        Value::String(text) => return (1 + text.len() / 64, 0),
        _ => return (1, 0),
    };
    children.into_iter().map(measure).fold((1, 1), |(size, depth), (more, below)| (size + more, depth.max(below + 1)))
}
