//! Which secrets are imported.

use clap::Args;

use crate::model::account::TaggedSecret;
use crate::model::arn::function_name;
use crate::model::rule::Pattern;

use super::super::failure::Failure;

/// Which secrets are meant: those that pass one of each kind of filter.
#[derive(Debug, Default, Args)]
pub struct Filters {
    /// Only secrets with this name, or with names such as `payments/*`; repeatable
    #[arg(long, value_name = "PATTERN")]
    name: Vec<String>,
    /// Only secrets with this tag, `KEY` or `KEY=VALUE`; repeated, with all of them
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<String>,
    /// Only secrets that this function rotates: its name, `NAME:ALIAS`, its ARN, or a pattern; repeatable
    #[arg(long, value_name = "NAME")]
    function: Vec<String>,
    /// Only secrets that this service owns, such as `rds`; repeatable
    #[arg(long, value_name = "NAME")]
    owning_service: Vec<String>,
}

impl Filters {
    /// Whether any was given.
    pub fn is_some(&self) -> bool {
        [&self.name, &self.tag, &self.function, &self.owning_service].iter().any(|some| !some.is_empty())
    }

    /// What asks a secret.
    pub fn test(&self) -> Result<impl Fn(&TaggedSecret) -> bool + Sync, Failure> {
        let patterns = |texts: &[String]| texts.iter().cloned().map(Pattern).collect::<Vec<_>>();
        let (names, functions) = (patterns(&self.name), patterns(&self.function));
        let mut tags = Vec::new();
        for tag in &self.tag {
            let (key, value) = match tag.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (tag.as_str(), None),
            };
            if key.is_empty() {
                return Err(Failure::new("`--tag` names no tag").hint("write `--tag KEY`, or `--tag KEY=VALUE`"));
            }
            tags.push((key.to_owned(), value));
        }
        let services = self.owning_service.clone();
        Ok(move |secret: &TaggedSecret| {
            let record = &secret.record;
            let is_named = names.is_empty() || names.iter().any(|pattern| pattern.matches(&record.name));
            let has = |(key, value): &(String, Option<String>)| {
                secret.tags.get(key).is_some_and(|live| value.as_ref().is_none_or(|value| live == value))
            };
            let rotates_with = |arn: &str| {
                let qualified = arn.rsplit_once(":function:").map_or(arn, |(_, name)| name);
                [arn, qualified, function_name(arn)]
                    .iter()
                    .any(|name| functions.iter().any(|pattern| pattern.matches(name)))
            };
            let by_function = functions.is_empty() || record.function_arn.as_deref().is_some_and(rotates_with);
            let owned =
                services.is_empty() || record.owning_service.as_ref().is_some_and(|owner| services.contains(owner));
            is_named && tags.iter().all(has) && by_function && owned
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::record::SecretRecord;

    fn secret() -> TaggedSecret {
        let function = "arn:aws:lambda:eu-west-1:111111111111:function:rotate-db:live";
        TaggedSecret {
            record: SecretRecord {
                name: "payments/key".to_owned(),
                function_arn: Some(Arc::from(function)),
                owning_service: Some("rds".to_owned()),
                ..SecretRecord::default()
            },
            tags: [("team".to_owned(), "a".to_owned())].into(),
        }
    }

    /// Without it, an import of one team could take in another's secrets, or leave its own out.
    #[test]
    fn each_kind_of_filter_must_be_passed() {
        let passes = |name: &[&str], tag: &[&str], function: &[&str], service: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let filters =
                Filters { name: own(name), tag: own(tag), function: own(function), owning_service: own(service) };
            filters.test().expect("filters")(&secret())
        };
        assert!(passes(&[], &[], &[], &[]));
        for name in ["payments/key", "payments/*", "*key", "*"] {
            assert!(passes(&[name], &[], &[], &[]) && passes(&["other", name], &[], &[], &[]));
        }
        assert!(!passes(&["payments"], &[], &[], &[]) && !passes(&["Payments/*"], &[], &[], &[]));
        assert!(passes(&[], &["team"], &[], &[]) && passes(&[], &["team=a"], &[], &[]));
        assert!(!passes(&[], &["team=b"], &[], &[]) && !passes(&[], &["team=a", "tier"], &[], &[]));
        for function in ["rotate-db", "rotate-db:live", "rotate-*", "arn:aws:lambda:*:function:rotate-db:live"] {
            assert!(passes(&[], &[], &[function], &[]), "{function}");
        }
        assert!(!passes(&[], &[], &["rotate"], &[]));
        assert!(passes(&[], &[], &[], &["events", "rds"]) && !passes(&[], &[], &[], &["events"]));
        assert!(!passes(&["payments/*"], &["team=b"], &[], &[]));
    }
}
