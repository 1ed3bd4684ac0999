//! What of a file may be private: it is covered before the first word is said about the file, since a message shows its line.
//!
//! Private are the values of environments and of parameters, which may be `NoEcho`, and external ids; the variables that flow into them; and whatever
//! stands under a key that means nothing: a misspelt `environment` holds what it would have held.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;

use super::node::{Map, Node, Value};
use super::raw::{ApplicationFile, DefaultsFile, FunctionFile, RootFile, SecretFile, TargetFile, VpcFile};
use super::source::Span;
use super::typed::{self, MisfitKind};
use super::variables::{Piece, pieces};

/// The keys that mean something, by where they stand.
struct Known {
    root: Vec<String>,
    defaults: Vec<String>,
    target: Vec<String>,
    function: Vec<String>,
    application: Vec<String>,
    vpc: Vec<String>,
    secret: Vec<String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known {
    root: fields::<RootFile>(),
    defaults: fields::<DefaultsFile>(),
    target: fields::<TargetFile>(),
    function: fields::<FunctionFile>(),
    application: fields::<ApplicationFile>(),
    vpc: fields::<VpcFile>(),
    secret: fields::<SecretFile>(),
});

/// The fields of a file type, as it says itself where it is given another.
fn fields<T: DeserializeOwned>() -> Vec<String> {
    let nowhere = Span { file: 0, line: 1, column: 1, length: 1 };
    let entry =
        super::node::Entry { key: " ".to_owned(), at: nowhere, node: Node::new(nowhere, Value::String(String::new())) };
    let node = Node::new(nowhere, Value::Map(Map::new(vec![entry], 1)));
    let (_, misfits) = typed::read::<T>(&node);
    let known = misfits.into_iter().find_map(|misfit| match misfit.kind {
        MisfitKind::Unknown(known) => Some(known),
        _ => None,
    });
    known.unwrap_or_default()
}

/// The places of a file's private values, and the names of the variables that flow into them.
#[derive(Default)]
pub(super) struct Private {
    pub spans: Vec<Span>,
    pub variables: HashSet<String>,
}

impl Private {
    /// Looks a file over: a root or a part.
    pub fn of(map: &Map) -> Self {
        let mut found = Self::default();
        found.unknown(map, &KNOWN.root);
        if let Some(defaults) = map.get("defaults").and_then(|entry| entry.node.map()) {
            found.unknown(defaults, &KNOWN.defaults);
            for (section, look) in SECTIONS {
                if let Some(inherited) = defaults.get(section).and_then(|entry| entry.node.map()) {
                    look(&mut found, inherited);
                }
            }
        }
        for (section, look) in SECTIONS {
            let entries = map.get(section).and_then(|entry| entry.node.map());
            for entry in entries.into_iter().flat_map(|map| &map.entries).filter_map(|entry| entry.node.map()) {
                look(&mut found, entry);
            }
        }
        let inherited = map.get("defaults").and_then(|entry| entry.node.find(&["targets"]));
        let targets = map.get("targets").and_then(|entry| entry.node.map());
        let targets = targets.into_iter().flat_map(|map| &map.entries).map(|entry| &entry.node);
        let variables = std::mem::take(&mut found.variables);
        for target in targets.chain(inherited) {
            found.spans.extend(used(target, &variables));
        }
        found.variables = variables;
        found
    }

    fn unknown(&mut self, map: &Map, known: &[String]) {
        for entry in map.entries.iter().filter(|entry| !known.contains(&entry.key)) {
            spans(&entry.node, &mut self.spans);
        }
    }

    fn private(&mut self, node: &Node) {
        spans(node, &mut self.spans);
        names(node, &mut self.variables);
    }

    fn function(&mut self, map: &Map) {
        self.unknown(map, &KNOWN.function);
        for entry in &map.entries {
            match (&*entry.key, entry.node.map()) {
                ("environment", _) => self.private(&entry.node),
                ("application", Some(application)) => {
                    self.unknown(application, &KNOWN.application);
                    if let Some(parameters) = application.get("parameters") {
                        self.private(&parameters.node);
                    }
                }
                ("vpc", Some(vpc)) => self.unknown(vpc, &KNOWN.vpc),
                _ => {}
            }
        }
    }

    fn secret(&mut self, map: &Map) {
        self.unknown(map, &KNOWN.secret);
    }

    fn target(&mut self, map: &Map) {
        self.unknown(map, &KNOWN.target);
        if let Some(id) = map.get("external_id") {
            self.private(&id.node);
        }
    }
}

type Look = fn(&mut Private, &Map);

const SECTIONS: [(&str, Look); 3] =
    [("functions", Private::function), ("secrets", Private::secret), ("targets", Private::target)];

/// The places of a target's variables that flow into private values.
pub(super) fn used(target: &Node, variables: &HashSet<String>) -> Vec<Span> {
    let mut found = Vec::new();
    match target.find(&["vars"]) {
        Some(Node { value: Value::Map(map), .. }) => {
            for entry in map.entries.iter().filter(|entry| variables.contains(&entry.key)) {
                spans(&entry.node, &mut found);
            }
        }
        // Without a map there are no keys to tell what a value is.
        Some(other) => spans(other, &mut found),
        None => {}
    }
    found
}

/// The places of all values below a node.
fn spans(node: &Node, found: &mut Vec<Span>) {
    match &node.value {
        Value::Map(map) => map.entries.iter().for_each(|entry| spans(&entry.node, found)),
        Value::List(items) => items.iter().for_each(|item| spans(item, found)),
        Value::Null => {}
        _ => found.push(node.span),
    }
}

/// The names of all variables below a node.
fn names(node: &Node, found: &mut HashSet<String>) {
    match &node.value {
        Value::Map(map) => map.entries.iter().for_each(|entry| names(&entry.node, found)),
        Value::List(items) => items.iter().for_each(|item| names(item, found)),
        Value::String(text) => {
            let variables = pieces(text).into_iter().flatten().filter_map(|piece| match piece {
                Piece::Variable(name) => Some(name.to_owned()),
                Piece::Text(_) => None,
            });
            found.extend(variables);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a change of the file types could make every key unknown, or none, and values would come out unnoticed.
    #[test]
    fn the_fields_of_file_types_are_known() {
        for (fields, some) in [
            (&KNOWN.root, "functions"),
            (&KNOWN.defaults, "functions"),
            (&KNOWN.target, "vars"),
            (&KNOWN.function, "environment"),
            (&KNOWN.application, "parameters"),
            (&KNOWN.vpc, "subnets"),
            (&KNOWN.secret, "rotation"),
        ] {
            assert!(fields.iter().any(|field| field == some), "{some} in {fields:?}");
            assert!(!fields.iter().any(|field| field == "environmnet"), "{fields:?}");
        }
    }
}
