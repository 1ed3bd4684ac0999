//! Defaults under an entry: maps key by key, all else replaces, `null` as if absent, alternatives as a group.

use super::node::{Entry, Map, Node, Value};

/// Fields that replace each other: an entry that states one of a pair doesn't inherit the other.
const ALTERNATIVES: [(&str, &str); 4] = [
    ("automatically_after_days", "schedule_expression"),
    ("schedule_expression", "automatically_after_days"),
    ("function", "external"),
    ("external", "function"),
];

/// In this map `null` is a value: it deletes the variable on AWS.
const NULL_IS_A_VALUE: &str = "environment";

/// This field's value is a path, which is short for a map with it, or a map of one of two kinds.
const CODE: &str = "code";

/// The fields of code in the manifest's tree, and of code in S3.
const CODE_KINDS: [&[&str]; 2] =
    [&["path", "requirements", "exclude", "include"], &["s3_bucket", "s3_key", "s3_object_version", "sha256"]];

/// Inherited code, as a map that another map goes over: without what belongs to the kind that the other isn't.
fn code_below(below: &Node, over: &Node) -> Option<Node> {
    let own = over.map()?;
    let mut map = match &below.value {
        Value::Map(map) => map.clone(),
        Value::String(_) => {
            let path = Entry { key: CODE_KINDS[0][0].to_owned(), at: below.span, node: below.clone() };
            Map::new(vec![path], below.span.line)
        }
        _ => return None,
    };
    // A list of files alone says nothing of where the code lies.
    let is_of = |kind: usize| {
        let telling = if kind == 0 { &CODE_KINDS[0][..1] } else { CODE_KINDS[1] };
        telling.iter().any(|field| own.get(field).is_some_and(|entry| !entry.node.is_null()))
    };
    for (kind, other) in [(0, 1), (1, 0)] {
        if is_of(kind) {
            map.entries.retain(|entry| !CODE_KINDS[other].contains(&entry.key.as_str()));
        }
    }
    Some(Node { span: below.span, origin: below.origin.clone(), value: Value::Map(map) })
}

/// An entry over its defaults. Both are maps, or the entry's own value stays as it is.
pub(super) fn merge(base: Option<&Node>, over: &Node) -> Node {
    merge_at(base, over, false)
}

fn merge_at(base: Option<&Node>, over: &Node, keeps_null: bool) -> Node {
    let Value::Map(own) = &over.value else { return over.clone() };
    let inherited = base.and_then(Node::map);
    let mut entries: Vec<Entry> = Vec::with_capacity(own.entries.len() + inherited.map_or(0, |map| map.entries.len()));
    for entry in inherited.into_iter().flat_map(|map| &map.entries) {
        let replaced = own.get(&entry.key).is_some();
        let hidden = ALTERNATIVES
            .iter()
            .any(|(stated, other)| entry.key == *other && own.get(stated).is_some_and(|stated| !stated.node.is_null()));
        if !replaced && !hidden && (keeps_null || !entry.node.is_null()) {
            entries.push(without_nulls(entry));
        }
    }
    let mut unset = Vec::new();
    for entry in &own.entries {
        if entry.node.is_null() && !keeps_null {
            unset.push((entry.key.clone(), entry.at));
            continue;
        }
        let below = inherited.and_then(|map| map.get(&entry.key)).map(|entry| &entry.node);
        let code = below.filter(|_| entry.key == CODE).and_then(|below| code_below(below, &entry.node));
        let below = code.as_ref().or(below).filter(|below| below.map().is_some());
        let node = merge_at(below, &entry.node, entry.key == NULL_IS_A_VALUE);
        entries.push(Entry { key: entry.key.clone(), at: entry.at, node });
    }
    Node { span: over.span, origin: over.origin.clone(), value: Value::Map(Map { entries, end: own.end, unset }) }
}

fn without_nulls(entry: &Entry) -> Entry {
    Entry { key: entry.key.clone(), at: entry.at, node: merge_at(None, &entry.node, entry.key == NULL_IS_A_VALUE) }
}
