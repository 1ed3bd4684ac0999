//! A YAML document as a tree that remembers where everything stands.

use super::source::Span;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub span: Span,
    /// Where the variable that it came from has its value.
    pub origin: Option<Box<Span>>,
    pub value: Value,
}

/// A value in YAML's core schema.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Map),
}

/// A number, with the text that it was written as: `012` and `1.10` would lose something.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub text: String,
    pub integer: Option<i64>,
}

impl Number {
    /// A number that is no integer. One of YAML that Rust's parser doesn't read, such as `.inf`, is of no use in any field.
    pub fn float(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// Whether writing the number out again gives the same text.
    pub fn is_exact(&self) -> bool {
        self.integer.is_some_and(|integer| integer.to_string() == self.text)
    }
}

/// A map in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    pub entries: Vec<Entry>,
    /// The last line that belongs to it.
    pub end: u32,
    /// Keys without a value, which stand for what is inherited and isn't wanted: they are no entries any more.
    pub unset: Vec<(String, Span)>,
}

/// A key, its place, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub at: Span,
    pub node: Node,
}

impl Map {
    /// Of entries, up to a line.
    pub fn new(entries: Vec<Entry>, end: u32) -> Self {
        Self { entries, end, unset: Vec::new() }
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Takes an entry out.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }
}

impl Node {
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, origin: None, value }
    }

    pub fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// A step down: by key in a map, by position in a list.
    pub fn child(&self, step: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(map) => map.get(step).map(|entry| &entry.node),
            Value::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value at a path.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| node.child(step))
    }

    /// The last node of a path that is there.
    pub fn deepest(&self, path: &[&str]) -> &Node {
        let mut node = self;
        for step in path {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }

    /// The place of the key at a path, if the path ends in a map.
    pub fn key_span(&self, path: &[&str]) -> Option<Span> {
        let (last, parents) = path.split_last()?;
        self.find(parents)?.map()?.get(last).map(|entry| entry.at)
    }

    /// The place of a key without a value at a path.
    pub fn unset_span(&self, path: &[&str]) -> Option<Span> {
        let (last, parents) = path.split_last()?;
        self.find(parents)?.map()?.unset.iter().find(|(key, _)| key == last).map(|(_, at)| *at)
    }

    /// Whether a key without a value stands somewhere in it.
    pub fn has_unset(&self) -> bool {
        match &self.value {
            Value::Map(map) => !map.unset.is_empty() || map.entries.iter().any(|entry| entry.node.has_unset()),
            Value::List(items) => items.iter().any(Self::has_unset),
            _ => false,
        }
    }

    /// Makes keys without a value entries again.
    pub fn set_nulls(&mut self) {
        match &mut self.value {
            Value::Map(map) => {
                let nulls = map.unset.drain(..).map(|(key, at)| Entry { key, at, node: Self::new(at, Value::Null) });
                map.entries.extend(nulls);
                map.entries.iter_mut().for_each(|entry| entry.node.set_nulls());
            }
            Value::List(items) => items.iter_mut().for_each(Self::set_nulls),
            _ => {}
        }
    }

    /// Removes the value at a path; says whether there was one.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((step, rest)) = path.split_first() else { return false };
        match &mut self.value {
            Value::Map(map) if rest.is_empty() => map.take(step).is_some(),
            Value::Map(map) => {
                map.entries.iter_mut().find(|entry| entry.key == *step).is_some_and(|entry| entry.node.remove(rest))
            }
            Value::List(items) => match step.parse::<usize>() {
                Ok(at) if at < items.len() && rest.is_empty() => {
                    items.remove(at);
                    true
                }
                Ok(at) => items.get_mut(at).is_some_and(|item| item.remove(rest)),
                Err(_) => false,
            },
            _ => false,
        }
    }
}

/// What typed reading starts from.
impl From<&Node> for serde_yaml::Value {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => number.integer.map_or_else(|| Self::from(number.float()), Self::from),
            Value::String(text) => Self::String(text.clone()),
            Value::List(items) => Self::Sequence(items.iter().map(Self::from).collect()),
            Value::Map(map) => Self::Mapping(
                map.entries.iter().map(|entry| (Self::String(entry.key.clone()), Self::from(&entry.node))).collect(),
            ),
        }
    }
}
