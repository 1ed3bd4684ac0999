//! Defaults under an entry: maps key by key, all else replaces, `null` as if absent, alternatives as a group.

use super::node::{Entry, Map, Node, Value};

/// Fields that replace each other: whoever states one of a pair hides the inherited other.
const ALTERNATIVES: [(&str, &str); 2] =
    [("automatically_after_days", "schedule_expression"), ("schedule_expression", "automatically_after_days")];

/// In this map `null` is a value: it deletes the variable on AWS.
const NULL_IS_A_VALUE: &str = "environment";

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
    for entry in &own.entries {
        if entry.node.is_null() && !keeps_null {
            continue;
        }
        let below = inherited.and_then(|map| map.get(&entry.key)).map(|entry| &entry.node);
        let node = merge_at(below.filter(|below| below.map().is_some()), &entry.node, entry.key == NULL_IS_A_VALUE);
        entries.push(Entry { key: entry.key.clone(), at: entry.at, node });
    }
    Node { span: over.span, origin: over.origin.clone(), value: Value::Map(Map { entries, end: own.end }) }
}

fn without_nulls(entry: &Entry) -> Entry {
    Entry { key: entry.key.clone(), at: entry.at, node: merge_at(None, &entry.node, entry.key == NULL_IS_A_VALUE) }
}
