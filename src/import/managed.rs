//! What a root names already of one account and region.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::arn::{function_name, unqualified_function_arn};
use crate::model::record::SecretRecord;
use crate::model::{Desired, FunctionSource, Kind};

/// The characters that AWS adds to a secret's name in its ARN: a hyphen and six more.
const SUFFIX: usize = 7;

/// An account and region.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// Such as `aws`.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

/// What a root names of one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managed {
    /// Secrets by name or ARN, as the manifest writes them.
    secrets: BTreeSet<String>,
    /// The handles of functions, by ARN with version or alias.
    functions: BTreeMap<String, String>,
    /// The stacks of the functions that it deploys, without the repository's prefix.
    stacks: BTreeSet<String>,
    /// Handles and names on AWS that it lets go of.
    released: BTreeSet<(Kind, String)>,
}

impl Managed {
    /// What targets of a manifest name in one account and region.
    pub fn of<'a>(targets: impl IntoIterator<Item = &'a Desired>, here: Here<'_>) -> Self {
        let mut managed = Self::default();
        for desired in targets {
            managed.secrets.extend(desired.secrets.values().map(|secret| secret.name.clone()));
            let functions = desired.functions.iter().map(|(handle, function)| {
                let reference = match &function.source {
                    FunctionSource::Existing { reference } => reference,
                    FunctionSource::Deployed(_) => &function.name,
                };
                (arn_of(reference, here), handle.clone())
            });
            managed.functions.extend(functions);
            managed.stacks.extend(desired.functions.values().filter_map(|function| match &function.source {
                FunctionSource::Deployed(deployment) => Some(deployment.stack.clone()),
                FunctionSource::Existing { .. } => None,
            }));
            managed.released.extend(desired.removed.iter().map(|removed| (removed.kind, removed.handle.clone())));
            managed.released.extend(desired.removed_names.iter().cloned());
        }
        managed
    }

    /// Whether a secret is named: by its name, its ARN, or its ARN without what AWS adds to the name.
    pub fn has(&self, record: &SecretRecord) -> bool {
        let partial = record.arn.len().checked_sub(SUFFIX).and_then(|end| record.arn.get(..end));
        [Some(record.name.as_str()), Some(record.arn.as_str()), partial]
            .into_iter()
            .flatten()
            .any(|name| self.secrets.contains(name))
    }

    /// The handle of a function, by the ARN that secrets name.
    pub(super) fn function(&self, arn: &str) -> Option<&String> {
        self.functions.get(arn)
    }

    /// The functions that are named, by ARN.
    pub(super) fn functions(&self) -> impl Iterator<Item = &String> {
        self.functions.keys()
    }

    /// Whether it deploys a stack, by its name without the repository's prefix.
    pub(super) fn deploys(&self, stack: &str) -> bool {
        self.stacks.contains(stack)
    }

    /// Whether `removed` names a secret.
    pub(super) fn releases(&self, name: &str) -> bool {
        self.releases_any(Kind::Secret, &[name])
    }

    /// Whether `removed` names a function, by its ARN.
    pub(super) fn releases_function(&self, arn: &str) -> bool {
        self.releases_any(Kind::Function, &[arn, unqualified_function_arn(arn), function_name(arn)])
    }

    fn releases_any(&self, kind: Kind, names: &[&str]) -> bool {
        names.iter().any(|name| self.released.contains(&(kind, (*name).to_owned())))
    }
}

/// The ARN that a function's name, partial ARN or ARN means in a place.
fn arn_of(reference: &str, here: Here<'_>) -> String {
    if reference.starts_with("arn:") {
        return reference.to_owned();
    }
    let (account, rest) = match reference.split_once(":function:") {
        Some((account, rest)) => (account, rest),
        None => (here.account, reference.strip_prefix("function:").unwrap_or(reference)),
    };
    format!("arn:{}:lambda:{}:{account}:function:{rest}", here.partition, here.region)
}
