//! `--target`: a target's name or pattern, an address, or a label.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Manifest;
use crate::model::arn::SecretName;
use crate::model::glob::Glob;
use crate::model::live::Reading;
use crate::model::near::{SUGGESTIONS, did_you_mean, near};
use crate::model::{Address, Desired, Kind, Live, Target, address};
use crate::render::{safe, some_of};

use super::chosen::Chosen;
use super::failure::Failure;

/// What `--target` selects. Public for the fuzz targets.
#[derive(Debug, Default)]
pub struct Filter {
    targets: Vec<(String, Glob)>,
    resources: Vec<Resource>,
}

#[derive(Debug)]
enum Resource {
    /// `pattern`: of handles and names on AWS, where the address is one; `*` stands for anything in them.
    Address {
        text: String,
        address: Address,
        pattern: Option<Glob>,
    },
    Label {
        text: String,
        name: String,
        value: Option<String>,
    },
    /// `--secret`: by handle or AWS's name.
    Secret {
        text: String,
        glob: Glob,
    },
}

impl Filter {
    /// Reads the values of `--target`.
    pub fn new(values: &[String]) -> Result<Self, Failure> {
        let mut filter = Self::default();
        for value in values {
            if value.len() > address::MAX_LENGTH {
                let summary = format!("`--target` takes at most {} bytes, not {}", address::MAX_LENGTH, value.len());
                let hint = "`--target` may stand several times; `*` stands for any characters";
                return Err(Failure::new(summary).hint(hint));
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
            } else if let Some(address) = Address::of_entry(value) {
                let pattern = if address.handle.contains(['*', '?']) {
                    Some(Glob::of_names(&address.handle).map_err(|_| unreadable(value))?)
                } else {
                    None
                };
                filter.resources.push(Resource::Address { text: value.clone(), address, pattern });
            } else {
                let glob = Glob::new(value);
                let is_name =
                    value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*?[]{},".contains(&b));
                let Some(glob) = glob.ok().filter(|_| is_name) else { return Err(unreadable(value)) };
                filter.targets.push((value.clone(), glob));
            }
        }
        Ok(filter)
    }

    /// Selects secrets by name too, as `--secret` does; what stands in no pattern is a name.
    pub fn add_secrets(&mut self, values: &[String]) -> Result<(), Failure> {
        for value in values {
            let refused = |why: &str| {
                Failure::new(format!("`--secret {}` {why}", safe(value))).hint(
                    "it takes a secret's name, or a pattern: `*` stands for any characters; it may stand several times",
                )
            };
            if value.is_empty() || value.len() > address::MAX_LENGTH {
                return Err(refused("is no secret's name"));
            }
            let glob = Glob::new(value).map_err(|_| refused("is no pattern"))?;
            self.resources.push(Resource::Secret { text: value.clone(), glob });
        }
        Ok(())
    }

    /// Whether it says which targets are meant: an address without one, or a label, holds in all of them.
    pub fn names_targets(&self) -> bool {
        let named =
            |resource: &Resource| matches!(resource, Resource::Address { address, .. } if address.target.is_some());
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
                Resource::Address { address, .. } => address.target.as_ref(),
                Resource::Label { .. } | Resource::Secret { .. } => None,
            })
            .collect();
        let Some(name) = &target.name else { return self.targets.is_empty() && named.is_empty() };
        let everywhere = named.len() < self.resources.len() || self.resources.is_empty();
        let by_target = self.targets.is_empty() || self.targets.iter().any(|(_, glob)| glob.is_match(name));
        by_target && (everywhere || named.contains(&name))
    }

    /// Refuses names of targets that no manifest has.
    pub fn check_targets<'a>(&self, manifests: impl IntoIterator<Item = &'a Manifest>) -> Result<(), Failure> {
        let known = target_names(manifests);
        let unknown = self.unknown_targets(&known);
        let Some(unknown) = unknown.first() else { return Ok(()) };
        let failure = Failure::new(format!("`--target {unknown}` matches no target"));
        let name = unknown.split_once('/').map_or(*unknown, |(target, _)| target);
        let failure = match near(name, known.iter().copied()).first() {
            Some(near) => failure.hint(did_you_mean(&[near])),
            None => failure,
        };
        Err(failure.hint(the_targets(&known)))
    }

    /// Refuses addresses and labels that matched no function and no secret.
    ///
    /// `all`: what there is to choose from, which is asked for only where something is wrong.
    pub fn check_matched(&self, matched: &BTreeSet<String>, all: impl FnOnce() -> Vec<Desired>) -> Result<(), Failure> {
        let Some(missing) = self.resources.iter().find(|resource| !matched.contains(resource.text())) else {
            return Ok(());
        };
        let option = if matches!(missing, Resource::Secret { .. }) { "secret" } else { "target" };
        let mut failure = Failure::new(format!("`--{option} {}` matches nothing", safe(missing.text())));
        let choices = Choices::of(&all());
        let meant = choices.near(missing);
        if !meant.is_empty() {
            failure = failure.hint(did_you_mean(&meant.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        Err(match missing {
            Resource::Label { name, .. } => failure.hint(choices.labels(name)),
            Resource::Address { .. } => failure.hint(
                "handles and AWS's names both do, and patterns: `--target 'secret.payments/*'`; `rotator schedule` lists the secrets that rotate by their addresses",
            ),
            Resource::Secret { .. } => failure.hint(
                "handles and AWS's names both do, and patterns: `--secret 'payments/*'`; `rotator schedule` lists the secrets that rotate by their addresses",
            ),
        })
    }

    /// The names that select no target at all, of those that the manifests have.
    pub fn unknown_targets<'a>(&'a self, known: &BTreeSet<&str>) -> Vec<&'a str> {
        let patterns = self.targets.iter().filter(|(_, glob)| !known.iter().any(|name| glob.is_match(name)));
        let named = self.resources.iter().filter_map(|resource| match resource {
            Resource::Address { text, address: Address { target: Some(target), .. }, .. }
                if !known.contains(target.as_str()) =>
            {
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
        let mut chosen = Chosen::default();
        for resource in &self.resources {
            match resource {
                Resource::Address { address, .. } if address.target.is_some() && address.target != target => {}
                Resource::Address { text, address: Address { kind, handle, .. }, pattern } => {
                    let is_meant = |name: &str| match pattern {
                        Some(pattern) => pattern.is_match(name),
                        None => name == handle,
                    };
                    if chosen.add(desired, *kind, &is_meant) {
                        matched.insert(text.clone());
                    }
                }
                Resource::Secret { text, glob } => {
                    let is_meant = |name: &str| {
                        let mut names = std::iter::once(name).chain(SecretName::of(name).all());
                        names.any(|one| glob.is_match(one) || one == text)
                    };
                    if chosen.add(desired, Kind::Secret, &is_meant) {
                        matched.insert(text.clone());
                    }
                }
                Resource::Label { text, name, value } => {
                    let has = |labels: &std::collections::BTreeMap<String, String>| {
                        labels.get(name).is_some_and(|label| value.as_ref().is_none_or(|value| value == label))
                    };
                    let before = chosen.len();
                    let by_label = desired.functions.iter().filter(|(_, function)| has(&function.labels));
                    chosen.functions.extend(by_label.map(|(handle, _)| handle.clone()));
                    let by_label = desired.secrets.iter().filter(|(_, secret)| has(&secret.labels));
                    chosen.secrets.extend(by_label.map(|(handle, _)| handle.clone()));
                    let by_label = desired.select.iter().filter(|(_, rule)| has(&rule.labels));
                    chosen.rules.extend(by_label.map(|(handle, _)| handle.clone()));
                    if chosen.len() > before {
                        matched.insert(text.clone());
                    }
                }
            }
        }
        chosen.keep(desired);
        matched
    }

    /// Leaves out secrets that `--secret` meant by a name which, as AWS says, isn't theirs: an ARN doesn't always tell.
    pub fn settle(&self, desired: &mut Desired, live: &Live) {
        let all_by_name = self.resources.iter().all(|resource| matches!(resource, Resource::Secret { .. }));
        if self.resources.is_empty() || !all_by_name {
            return;
        }
        desired.secrets.retain(|handle, secret| {
            let Some(found) = live.secrets.get(handle).and_then(Reading::found) else { return true };
            let names = [handle, &secret.name, &found.name, &found.arn];
            self.resources.iter().any(|resource| match resource {
                Resource::Secret { text, glob } => names.iter().any(|name| glob.is_match(name) || *name == text),
                Resource::Address { .. } | Resource::Label { .. } => true,
            })
        });
    }

    /// The resource filters, as they were written.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(Resource::text)
    }
}

impl Resource {
    /// As it was written.
    fn text(&self) -> &str {
        match self {
            Self::Address { text, .. } | Self::Label { text, .. } | Self::Secret { text, .. } => text,
        }
    }
}

/// How many values of a label are named.
const VALUES: usize = 8;

/// What filters could have selected.
struct Choices {
    /// `secret.HANDLE` and `secret.NAME`.
    addresses: BTreeSet<String>,
    /// The values of each label.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Choices {
    fn of(all: &[Desired]) -> Self {
        let (mut addresses, mut labels) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<String>>::new());
        for desired in all {
            let functions = desired.functions.iter().map(|(key, one)| ("function", key, &one.name, &one.labels));
            let secrets = desired.secrets.iter().map(|(key, one)| ("secret", key, &one.name, &*one.labels));
            for (kind, handle, name, of_one) in functions.chain(secrets) {
                addresses.extend([handle, name].map(|name| format!("{kind}.{name}")));
                for (label, value) in of_one {
                    labels.entry(label.clone()).or_default().insert(value.clone());
                }
            }
        }
        Self { addresses, labels }
    }

    /// What was probably meant, as it is written on a command line.
    fn near(&self, missing: &Resource) -> Vec<String> {
        match missing {
            Resource::Address { pattern: Some(_), .. } => Vec::new(),
            Resource::Address { address, .. } => {
                let target = address.target.as_ref().map(|target| format!("{target}/")).unwrap_or_default();
                let text = format!("{}.{}", address.kind.word(), address.handle);
                let meant = near(&text, self.addresses.iter().map(String::as_str));
                meant
                    .into_iter()
                    .take(SUGGESTIONS)
                    .map(|meant| safe(&format!("{target}{meant}")).into_owned())
                    .collect()
            }
            Resource::Secret { text, .. } => {
                let names = self.addresses.iter().filter_map(|address| address.strip_prefix("secret."));
                near(text, names).into_iter().take(SUGGESTIONS).map(|meant| safe(meant).into_owned()).collect()
            }
            Resource::Label { name, value, .. } => {
                let value = value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
                let known = self.labels.iter().flat_map(|(label, values)| {
                    let pairs = values.iter().map(move |value| format!("{label}={value}"));
                    pairs.chain([label.clone()]).filter(|text| text.contains('=') != value.is_empty())
                });
                let known: Vec<String> = known.collect();
                let meant = near(&format!("{name}{value}"), known.iter().map(String::as_str));
                meant.into_iter().take(SUGGESTIONS).map(|meant| format!("label:{}", safe(meant))).collect()
            }
        }
    }

    /// Which labels there are, or which values of one.
    fn labels(&self, name: &str) -> String {
        match self.labels.get(name) {
            Some(values) => {
                let values = some_of(values.iter().map(String::as_str), VALUES);
                format!("the label `{}` is {values}", safe(name))
            }
            None if self.labels.is_empty() => "nothing in the manifest has `labels`".to_owned(),
            None => format!("the labels are {}", some_of(self.labels.keys().map(String::as_str), VALUES)),
        }
    }
}

/// The names of all targets.
pub fn target_names<'a>(manifests: impl IntoIterator<Item = &'a Manifest>) -> BTreeSet<&'a str> {
    manifests.into_iter().flat_map(Manifest::targets).filter_map(|target| target.name.as_deref()).collect()
}

/// What there is to choose from, as a hint.
pub fn the_targets(known: &BTreeSet<&str>) -> String {
    if known.is_empty() {
        return "the manifest has no `targets:`".to_owned();
    }
    format!("the targets are {}", known.iter().copied().collect::<Vec<_>>().join(", "))
}

/// What `--target` can't be read as anything.
fn unreadable(value: &str) -> Failure {
    let summary = match Address::parse(value) {
        Some(address) => {
            format!("`--target {}` names no function and no secret, but {}", safe(value), address.kind.noun())
        }
        None => format!("`--target {}` is no target's name or pattern, no address and no label", safe(value)),
    };
    Failure::new(summary)
        .hint("targets: `--target prod-eu`, `--target 'prod-*'`")
        .hint("addresses: `--target secret.payments/api-key`, `--target 'secret.payments/*'`, `--target prod-eu/function.stripe`")
        .hint("labels: `--target label:owner=team-payments`")
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

    /// Without it, what people try first, a pattern, would match nothing, and a slip would be left for them to find.
    #[test]
    fn slips_are_named_with_what_was_meant() {
        use crate::model::{Rotation, Secret};
        let mut desired = Desired::default();
        for name in ["prod/a", "prod/deep/b", "dev/a"] {
            let labels = BTreeMap::from([("owner".to_owned(), "payments".to_owned())]).into();
            let secret =
                Secret { name: name.to_owned(), function: None, external: None, rotation: Rotation::default(), labels };
            desired.secrets.insert(name.to_owned(), secret);
        }
        let select = |text: &str| {
            let filter = Filter::new(&[text.to_owned()]).expect("valid");
            let mut left = desired.clone();
            let matched = filter.apply(&mut left);
            let hints = filter.check_matched(&matched, || vec![desired.clone()]).map_err(|failure| failure.hints);
            (left.secrets.keys().cloned().collect::<Vec<_>>(), hints.err().unwrap_or_default())
        };
        assert_eq!(select("secret.prod/*").0, ["prod/a", "prod/deep/b"]);
        assert_eq!(select("secret.*/a").0, ["dev/a", "prod/a"]);
        assert_eq!(select("label:owner=payments").0.len(), 3);
        assert_eq!(select("secret.prod/aa").1[0], "did you mean `secret.prod/a`?");
        assert_eq!(select("label:ownr=payments").1[0], "did you mean `label:owner=payments`?");
        assert_eq!(select("label:owner=nobody").1, ["the label `owner` is payments"]);
        assert_eq!(select("label:team").1, ["the labels are owner"]);
        assert!(select("secret.stage/*").1[0].contains("patterns"));
    }

    /// Without it, a pattern on the command line could end the program in a panic.
    #[test]
    fn what_is_neither_or_too_large_is_refused() {
        assert!(Filter::new(&["Payments/API".to_owned()]).is_err());
        for pattern in ["{".repeat(250) + "a" + &"}".repeat(250), "*".repeat(100_000), "?".repeat(1 << 20)] {
            let Failure { summary, .. } = Filter::new(&[pattern]).expect_err("refused");
            assert!(summary.len() < 1_000, "{summary}");
        }
    }
}
