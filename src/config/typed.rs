//! [`Node`] → the raw file types, with every misfit and not only the first.

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde_path_to_error::Segment;

use super::node::{Node, Value};

/// How many misfits of one entry are listed.
const MAX_MISFITS: usize = 32;

/// Something that doesn't fit its type.
#[derive(Debug)]
pub(super) struct Misfit {
    /// From the node that was read: keys, and positions in lists.
    pub path: Vec<String>,
    pub kind: MisfitKind,
}

#[derive(Debug)]
pub(super) enum MisfitKind {
    /// A key that means nothing there; the known ones.
    Unknown(Vec<String>),
    /// Another type is wanted, in words for people.
    Wrong(String),
    /// A key that must be there.
    Missing(String),
}

/// Reads a node. What doesn't fit is left out and listed; `None` where nothing is left.
///
/// A key without a value must be one that is known, too: it is a slip as often as one with a value.
pub(super) fn read<T: DeserializeOwned>(node: &Node) -> (Option<T>, Vec<Misfit>) {
    let (value, mut misfits) = read_set(node);
    if node.has_unset() {
        let mut whole = node.clone();
        whole.set_nulls();
        let (_, found) = read_set::<T>(&whole);
        let is_unset = |path: &[String]| {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            node.find(&steps).is_none()
        };
        misfits
            .extend(found.into_iter().filter(|one| matches!(one.kind, MisfitKind::Unknown(_)) && is_unset(&one.path)));
    }
    (value, misfits)
}

/// The same of the keys that have a value.
fn read_set<T: DeserializeOwned>(node: &Node) -> (Option<T>, Vec<Misfit>) {
    // The usual case first: it fits, and places aren't needed.
    if let Ok(value) = T::deserialize(Direct(node)) {
        return (Some(value), Vec::new());
    }
    let mut node = node.clone();
    only_exact(&mut node);
    let mut misfits = Vec::new();
    while misfits.len() < MAX_MISFITS {
        let error = match serde_path_to_error::deserialize::<_, T>(serde_yaml::Value::from(&node)) {
            Ok(value) => return (Some(value), misfits),
            Err(error) => error,
        };
        let mut path: Vec<String> = error.path().iter().filter_map(step).collect();
        let kind = kind(&error.inner().to_string(), &mut path);
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let removed = !matches!(kind, MisfitKind::Missing(_)) && node.remove(&steps);
        misfits.push(Misfit { path, kind });
        if !removed {
            break;
        }
    }
    (None, misfits)
}

/// Takes numbers for no whole ones that aren't written as everybody reads them.
fn only_exact(node: &mut Node) {
    match &mut node.value {
        Value::Number(number) if !number.is_exact() => number.integer = None,
        Value::List(items) => items.iter_mut().for_each(only_exact),
        Value::Map(map) => map.entries.iter_mut().for_each(|entry| only_exact(&mut entry.node)),
        _ => {}
    }
}

/// A node read where it stands. Copied into a value first, large manifests would take half as long again.
struct Direct<'n>(&'n Node);

impl<'de> IntoDeserializer<'de, Error> for Direct<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Direct<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            // One that isn't written as everybody reads it is no whole number here.
            Value::Number(number) => match number
                .integer
                .filter(|_| number.is_exact())
                .map(|integer| u64::try_from(integer).map_err(|_| integer))
            {
                Some(Ok(positive)) => visitor.visit_u64(positive),
                Some(Err(negative)) => visitor.visit_i64(negative),
                None => visitor.visit_f64(number.float()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(Direct));
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Value::Map(map) => {
                let entries = map.entries.iter().map(|entry| (entry.key.as_str(), Direct(&entry.node)));
                let mut entries = MapDeserializer::new(entries);
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_yaml::Value::from(self.0).deserialize_enum(name, variants, visitor).map_err(Error::custom)
    }

    // A list is no struct by position, nor a map of one.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Map(_) => self.deserialize_any(visitor),
            _ => Err(Error::custom("a map is wanted")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::List(_) => self.deserialize_any(visitor),
            _ => Err(Error::custom("a list is wanted")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier
    }
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
fn kind(message: &str, path: &mut Vec<String>) -> MisfitKind {
    if let Some(rest) = after(message, "unknown field `")
        && let Some((field, known)) = rest.split_once("`, ")
    {
        if path.last().map(String::as_str) != Some(field) {
            path.push(field.to_owned());
        }
        let known = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        return MisfitKind::Unknown(known);
    }
    if let Some(rest) = after(message, "missing field `") {
        return MisfitKind::Missing(rest.split('`').next().unwrap_or_default().to_owned());
    }
    MisfitKind::Wrong(wanted(message.rsplit_once("expected ").map_or("", |(_, expected)| expected)))
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use serde::Deserialize as _;

    use super::*;
    use crate::config::raw::{DefaultsFile, FunctionFile, RootFile, SecretFile, TargetFile};
    use crate::config::{parse, source};

    fn node(text: &str) -> Option<Node> {
        let sources = source::Sources::default();
        let file = sources.add(PathBuf::from("text"), text.to_owned(), false);
        parse::parse(&sources, file).ok()
    }

    /// What is read where it stands is what a value of it would be read as; the other way round, the usual way decides.
    fn agrees<T: DeserializeOwned>(node: &Node) {
        let direct = T::deserialize(Direct(node)).is_ok();
        let usual = T::deserialize(serde_yaml::Value::from(node));
        assert!(
            !direct || usual.is_ok(),
            "{node:?}: {}",
            usual.err().map(|error| error.to_string()).unwrap_or_default()
        );
    }

    fn all_agree(node: &Node) {
        agrees::<RootFile>(node);
        agrees::<DefaultsFile>(node);
        agrees::<TargetFile>(node);
        agrees::<FunctionFile>(node);
        agrees::<SecretFile>(node);
    }

    /// Without it, `defaults: [a, b, c]` would be read by position, and all that it says be lost without a word.
    #[test]
    fn a_list_is_no_map_by_position() {
        for length in 0..24 {
            let list = format!("[{}]", vec!["null"; length].join(", "));
            let list = node(&list).expect("YAML");
            assert!(read::<DefaultsFile>(&list).0.is_none() && !read::<DefaultsFile>(&list).1.is_empty());
            all_agree(&list);
            for field in ["rotation", "application", "vpc", "limits", "defaults", "secrets"] {
                let text = format!("{field}: [{}]", vec!["null"; length].join(", "));
                all_agree(&node(&text).expect("YAML"));
            }
        }
        let fits = node("{function: f, rotation: {automatically_after_days: 30}, labels: {a: b}}").expect("YAML");
        assert!(SecretFile::deserialize(Direct(&fits)).is_ok(), "the usual case takes the short way");
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("30".to_owned()),
            Just("-1".to_owned()),
            Just("1.5".to_owned()),
            Just("text".to_owned()),
            Just("\"30\"".to_owned()),
        ];
        let key = prop::sample::select(vec![
            "function",
            "rotation",
            "labels",
            "code",
            "vpc",
            "application",
            "environment",
            "timeout",
            "schedule_expression",
            "automatically_after_days",
            "duration",
            "enabled",
            "name",
            "targets",
            "subnets",
            "parameters",
            "version",
            "limits",
            "secrets",
            "functions",
            "defaults",
            "region",
            "account",
            "include",
            "project",
            "layers",
            "path",
            "rotate_immediately",
        ]);
        leaf.prop_recursive(4, 24, 5, move |inner| {
            let entries = prop::collection::btree_map(key.clone(), inner.clone(), 0..5);
            prop_oneof![
                2 => entries.prop_map(|entries| {
                    let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                    format!("{{{}}}", entries.join(", "))
                }),
                1 => prop::collection::vec(inner, 0..8).prop_map(|items| format!("[{}]", items.join(", "))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Without it, a manifest could be read in two ways, of which one was never checked.
        #[test]
        fn the_short_way_accepts_nothing_more(text in value()) {
            if let Some(node) = node(&text) {
                all_agree(&node);
            }
        }
    }
}
