//! `--target`: a target's name or pattern, an address, or a label.

use std::collections::BTreeSet;

use crate::model::glob::Glob;
use crate::model::{Desired, Kind, Target, address};

/// What `--target` selects. Public for the fuzz targets.
#[derive(Debug, Default)]
pub struct Filter {
    targets: Vec<(String, Glob)>,
    resources: Vec<Resource>,
}

#[derive(Debug)]
enum Resource {
    Address { text: String, target: Option<String>, kind: Kind, handle: String },
    Label { text: String, name: String, value: Option<String> },
}

impl Filter {
    /// Reads the values of `--target`. The error says what is wrong, and the hints what to write.
    pub fn new(values: &[String]) -> Result<Self, (String, Vec<String>)> {
        let mut filter = Self::default();
        for value in values {
            if value.len() > address::MAX_LENGTH {
                let summary = format!("`--target` takes at most {} bytes, not {}", address::MAX_LENGTH, value.len());
                return Err((
                    summary,
                    vec!["`--target` may stand several times; `*` stands for any characters".to_owned()],
                ));
            }
            if let Some(label) = value.strip_prefix("label:") {
                let (name, label_value) = match label.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (label, None),
                };
                filter.resources.push(Resource::Label {
                    text: value.clone(),
                    name: name.to_owned(),
                    value: label_value,
                });
            } else if let Some(address) = read_address(value) {
                filter.resources.push(address);
            } else {
                let glob = Glob::new(value);
                let is_name =
                    value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*?[]{},".contains(&b));
                let Some(glob) = glob.ok().filter(|_| is_name) else {
                    return Err((
                        format!(
                            "`--target {}` is no target's name or pattern, no address and no label",
                            crate::render::safe(value)
                        ),
                        vec![
                            "targets: `--target prod-eu`, `--target 'prod-*'`".to_owned(),
                            "addresses: `--target secret.payments/api-key`, `--target prod-eu/function.stripe`"
                                .to_owned(),
                            "labels: `--target label:owner=team-payments`".to_owned(),
                        ],
                    ));
                };
                filter.targets.push((value.clone(), glob));
            }
        }
        Ok(filter)
    }

    /// Whether it says which targets are meant: an address without one, or a label, holds in all of them.
    pub fn names_targets(&self) -> bool {
        let named = |resource: &Resource| matches!(resource, Resource::Address { target: Some(_), .. });
        !self.targets.is_empty() || (!self.resources.is_empty() && self.resources.iter().all(named))
    }

    /// Whether resources are selected within targets, so that a plan is partial.
    pub fn is_partial(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Whether a target is selected.
    pub fn selects(&self, target: &Target) -> bool {
        let named: Vec<&String> = self
            .resources
            .iter()
            .filter_map(|resource| match resource {
                Resource::Address { target, .. } => target.as_ref(),
                Resource::Label { .. } => None,
            })
            .collect();
        let Some(name) = &target.name else { return self.targets.is_empty() && named.is_empty() };
        let everywhere = named.len() < self.resources.len() || self.resources.is_empty();
        let by_target = self.targets.is_empty() || self.targets.iter().any(|(_, glob)| glob.is_match(name));
        by_target && (everywhere || named.contains(&name))
    }

    /// The names that select no target at all, of those that the manifests have.
    pub fn unknown_targets<'a>(&'a self, known: &BTreeSet<&str>) -> Vec<&'a str> {
        let patterns = self.targets.iter().filter(|(_, glob)| !known.iter().any(|name| glob.is_match(name)));
        let named = self.resources.iter().filter_map(|resource| match resource {
            Resource::Address { text, target: Some(target), .. } if !known.contains(target.as_str()) => {
                Some(text.as_str())
            }
            _ => None,
        });
        patterns.map(|(text, _)| text.as_str()).chain(named).collect()
    }

    /// Leaves in a desired state what is selected, with what that depends on. Answers with the filters that matched.
    pub fn apply(&self, desired: &mut Desired) -> BTreeSet<String> {
        let mut matched = BTreeSet::new();
        if self.resources.is_empty() {
            return matched;
        }
        let target = desired.target.name.clone();
        let (mut functions, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        for resource in &self.resources {
            match resource {
                Resource::Address { target: wanted, .. } if wanted.is_some() && *wanted != target => {}
                Resource::Address { text, kind, handle, .. } => {
                    let found: Vec<&String> = match kind {
                        Kind::Function => {
                            named(desired.functions.iter().map(|(key, value)| (key, &value.name)), handle)
                        }
                        _ => named(desired.secrets.iter().map(|(key, value)| (key, &value.name)), handle),
                    };
                    if !found.is_empty() {
                        matched.insert(text.clone());
                    }
                    let chosen = if *kind == Kind::Function { &mut functions } else { &mut secrets };
                    chosen.extend(found.into_iter().cloned());
                }
                Resource::Label { text, name, value } => {
                    let has = |labels: &std::collections::BTreeMap<String, String>| {
                        labels.get(name).is_some_and(|label| value.as_ref().is_none_or(|value| value == label))
                    };
                    let before = functions.len() + secrets.len();
                    let by_label = desired.functions.iter().filter(|(_, function)| has(&function.labels));
                    functions.extend(by_label.map(|(handle, _)| handle.clone()));
                    let by_label = desired.secrets.iter().filter(|(_, secret)| has(&secret.labels));
                    secrets.extend(by_label.map(|(handle, _)| handle.clone()));
                    if functions.len() + secrets.len() > before {
                        matched.insert(text.clone());
                    }
                }
            }
        }
        let needed = desired.secrets.iter().filter(|(handle, _)| secrets.contains(*handle));
        functions.extend(needed.filter_map(|(_, secret)| secret.function.clone()));
        desired.secrets.retain(|handle, _| secrets.contains(handle));
        desired.functions.retain(|handle, _| functions.contains(handle));
        matched
    }

    /// The resource filters, as they were written.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|resource| match resource {
            Resource::Address { text, .. } | Resource::Label { text, .. } => text.as_str(),
        })
    }
}

/// The handles whose handle or AWS name it is.
fn named<'a>(entries: impl Iterator<Item = (&'a String, &'a String)>, wanted: &str) -> Vec<&'a String> {
    entries.filter(|(handle, name)| *handle == wanted || *name == wanted).map(|(handle, _)| handle).collect()
}

fn read_address(text: &str) -> Option<Resource> {
    let kinds = [("function.", Kind::Function), ("secret.", Kind::Secret)];
    for (word, kind) in kinds {
        if let Some(handle) = text.strip_prefix(word) {
            return Some(Resource::Address { text: text.to_owned(), target: None, kind, handle: handle.to_owned() });
        }
    }
    let (target, rest) = text.split_once('/')?;
    kinds.into_iter().find_map(|(word, kind)| {
        let handle = rest.strip_prefix(word)?.to_owned();
        Some(Resource::Address { text: text.to_owned(), target: Some(target.to_owned()), kind, handle })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        Target { name: Some(name.to_owned()), ..Target::default() }
    }

    /// Without it an address within one target would plan all targets.
    #[test]
    fn an_address_with_a_target_selects_that_target_alone() {
        let filter = Filter::new(&["prod-eu/secret.a/b".to_owned()]).expect("valid");
        assert!(filter.selects(&target("prod-eu")));
        assert!(!filter.selects(&target("dev")));
        assert!(filter.is_partial());
    }

    /// Without it `prod-*` would be an unknown name.
    #[test]
    fn patterns_select_targets_and_leave_them_whole() {
        let filter = Filter::new(&["prod-*".to_owned()]).expect("valid");
        assert!(filter.selects(&target("prod-eu")));
        assert!(!filter.selects(&target("dev")));
        assert!(!filter.is_partial());
        assert_eq!(filter.unknown_targets(&BTreeSet::from(["dev"])), ["prod-*"]);
    }

    /// Without it, a pattern on the command line could end the program in a panic.
    #[test]
    fn what_is_neither_or_too_large_is_refused() {
        assert!(Filter::new(&["Payments/API".to_owned()]).is_err());
        for pattern in ["{".repeat(250) + "a" + &"}".repeat(250), "*".repeat(100_000), "?".repeat(1 << 20)] {
            let (summary, _) = Filter::new(&[pattern]).expect_err("refused");
            assert!(summary.len() < 1_000, "{summary}");
        }
    }
}
