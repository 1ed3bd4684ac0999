//! [`Node`] → the raw file types, with every misfit and not only the first.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::node::Node;

/// How many misfits of one entry are listed.
const MAX_MISFITS: usize = 32;

/// Something that doesn't fit its type.
#[derive(Debug)]
pub(super) struct Misfit {
    /// From the node that was read: keys, and positions in lists.
    pub path: Vec<String>,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A key that means nothing there; the known ones.
    Unknown(Vec<String>),
    /// Another type is wanted, in words for people.
    Wrong(String),
    /// A key that must be there.
    Missing(String),
}

/// Reads a node. What doesn't fit is left out and listed; `None` where nothing is left.
pub(super) fn read<T: DeserializeOwned>(node: &Node) -> (Option<T>, Vec<Misfit>) {
    // The usual case first: it fits, and nobody needs to know where.
    if let Ok(value) = T::deserialize(serde_yaml::Value::from(node)) {
        return (Some(value), Vec::new());
    }
    let mut node = node.clone();
    let mut misfits = Vec::new();
    while misfits.len() < MAX_MISFITS {
        let error = match serde_path_to_error::deserialize::<_, T>(serde_yaml::Value::from(&node)) {
            Ok(value) => return (Some(value), misfits),
            Err(error) => error,
        };
        let mut path: Vec<String> = error.path().iter().filter_map(step).collect();
        let kind = kind(&error.inner().to_string(), &mut path);
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let removed = !matches!(kind, Kind::Missing(_)) && node.remove(&steps);
        misfits.push(Misfit { path, kind });
        if !removed {
            break;
        }
    }
    (None, misfits)
}

fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

/// Reads serde's message, whose form is the same in every format.
fn kind(message: &str, path: &mut Vec<String>) -> Kind {
    if let Some(rest) = after(message, "unknown field `")
        && let Some((field, known)) = rest.split_once("`, ")
    {
        if path.last().map(String::as_str) != Some(field) {
            path.push(field.to_owned());
        }
        let known = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        return Kind::Unknown(known);
    }
    if let Some(rest) = after(message, "missing field `") {
        return Kind::Missing(rest.split('`').next().unwrap_or_default().to_owned());
    }
    Kind::Wrong(wanted(message.rsplit_once("expected ").map_or("", |(_, expected)| expected)))
}

fn after<'m>(message: &'m str, start: &str) -> Option<&'m str> {
    message.find(start).map(|at| &message[at + start.len()..])
}

/// Rust's words for what is expected, in a reader's.
fn wanted(expected: &str) -> String {
    let expected = expected.split(" at line").next().unwrap_or(expected);
    match expected {
        "a string" | "string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "i64" | "u64" | "u32" | "integer" => "a whole number".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        expected if expected.starts_with("struct") || expected.starts_with("a map") || expected == "map" => {
            "a map".to_owned()
        }
        other => other.to_owned(),
    }
}
