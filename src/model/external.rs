//! Managed external secrets: a partner holds them, and Secrets Manager rotates them there without a function of the account's (user guide,
//! "Managed external secrets"). What is known of partners' types is for hints alone: AWS adds types and keys all the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::worst_gap_hours;
use super::{RotationRules, schedule::longest_interval_hours};

/// What a managed external secret rotates with: what isn't stated isn't managed, or not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// The ARN of the role that Secrets Manager takes (`ExternalSecretRotationRoleArn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the partner wants to know (`ExternalSecretRotationMetadata`): keys of at most 256 characters, values of at most 2048.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl External {
    /// What comes of it where this is stated over it: AWS replaces all metadata at once, and what isn't stated stays.
    #[must_use]
    pub fn with(&self, stated: &Self) -> Self {
        let mut metadata = self.metadata.clone();
        metadata.extend(stated.metadata.clone());
        Self { role: stated.role.clone().or_else(|| self.role.clone()), metadata }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.role.is_none() && self.metadata.is_empty()
    }
}

/// What is known of a partner's type.
struct Known {
    /// Its `Type`.
    name: &'static str,
    /// The key without which it doesn't rotate.
    required: Option<&'static str>,
    /// For how many days its token is good, where the metadata doesn't say it.
    days: Option<u32>,
}

/// The types of which more is known than their name (user guide, "Managed external secrets partners").
const KNOWN: [Known; 4] = [
    Known { name: "DatadogApiKey", required: Some("adminSecretArn"), days: None },
    Known { name: "DatadogApplicationKey", required: Some("adminSecretArn"), days: None },
    Known { name: "MongoDBAtlasDatabaseUser", required: Some("adminSecretArn"), days: None },
    Known { name: "SnowflakePat", required: None, days: Some(15) },
];

/// For how many days a partner's token is good.
pub const DAYS_TO_EXPIRY: &str = "daysToExpiry";

/// What keys of metadata take, whatever type they are of.
const RANGES: [(&str, u32, u32); 3] =
    [(DAYS_TO_EXPIRY, 1, 365), ("expireOldTokenAfterHours", 0, 720), ("gracePeriodSeconds", 0, 86_400)];

/// What `cryptographicAlgorithm` takes.
const ALGORITHMS: [&str; 3] = ["RS256", "RS384", "RS512"];

/// What partners are known not to take for a key's value: in words what it would be.
pub fn unlikely(key: &str, value: &str) -> Option<String> {
    if let Some((_, least, most)) = RANGES.into_iter().find(|(name, ..)| *name == key) {
        let fits = value.parse::<u32>().is_ok_and(|number| (least..=most).contains(&number));
        return (!fits).then(|| format!("a whole number from {least} to {most}"));
    }
    match key {
        "cryptographicAlgorithm" if !ALGORITHMS.contains(&value) => {
            Some(format!("one of {}", ALGORITHMS.map(|word| format!("`{word}`")).join(", ")))
        }
        "adminSecretArn" if !value.starts_with("arn:") => Some("a secret's ARN".to_owned()),
        _ => None,
    }
}

/// What is known to be wrong with how a secret of a type would rotate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Doubt {
    /// Its token may be over before the next rotation.
    ExpiresFirst {
        /// For how many days the token is good.
        days: u32,
        /// How many hours may lie between two rotations, at worst.
        gap_hours: u32,
    },
    /// A key is missing without which it doesn't rotate.
    MissingKey {
        /// The key.
        key: String,
    },
}

/// What is known to be wrong with how a secret would rotate. `of_type`: its `Type`, where that is known.
pub fn doubts(of_type: Option<&str>, metadata: &BTreeMap<String, String>, rules: Option<&RotationRules>) -> Vec<Doubt> {
    let known = of_type.and_then(|name| KNOWN.iter().find(|known| known.name == name));
    let missing = known.and_then(|known| known.required).filter(|key| !metadata.contains_key(*key));
    let stated = metadata.get(DAYS_TO_EXPIRY).map(|days| days.parse().ok());
    let days = stated.unwrap_or_else(|| known.and_then(|known| known.days));
    let gap = rules.and_then(|rules| worst_gap_hours(rules).or_else(|| longest_interval_hours(&rules.schedule)));
    let expires = days.zip(gap).filter(|(days, gap_hours)| *gap_hours >= days.saturating_mul(24));
    let missing = missing.map(|key| Doubt::MissingKey { key: key.to_owned() });
    missing.into_iter().chain(expires.map(|(days, gap_hours)| Doubt::ExpiresFirst { days, gap_hours })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Schedule;

    fn map(items: &[(&str, &str)]) -> BTreeMap<String, String> {
        items.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Without it, what a manifest doesn't say would be lost with each change: AWS replaces all metadata at once.
    #[test]
    fn what_is_not_stated_stays() {
        let live = External { role: Some("r".to_owned()), metadata: map(&[("a", "1"), ("b", "2")]) };
        let stated = External { role: None, metadata: map(&[("b", "3")]) };
        assert_eq!(
            live.with(&stated),
            External { role: Some("r".to_owned()), metadata: map(&[("a", "1"), ("b", "3")]) }
        );
    }

    /// Without it, a token could be over before it is replaced; or a type that came after this program would be refused.
    #[test]
    fn known_types_earn_hints_and_others_pass() {
        let days = |days| RotationRules::new(Schedule::AutomaticallyAfterDays(days), None);
        let found =
            |of_type, items: &[(&str, &str)], rules: &RotationRules| doubts(of_type, &map(items), Some(rules)).len();
        assert_eq!(found(Some("SnowflakePat"), &[], &days(30)), 1, "good for 15 days where nothing else is said");
        assert_eq!(found(Some("SnowflakePat"), &[], &days(10)), 0);
        assert_eq!(found(None, &[("daysToExpiry", "20")], &days(30)), 1);
        assert_eq!(found(Some("NewPartner"), &[("daysToExpiry", "60")], &days(30)), 0);
        assert_eq!(found(Some("NewPartner"), &[], &days(1000)), 0);
        assert_eq!(found(Some("DatadogApiKey"), &[], &days(30)), 1);
        assert_eq!(found(Some("DatadogApiKey"), &[("adminSecretArn", "arn:x")], &days(30)), 0);
        assert_eq!(unlikely("daysToExpiry", "366").as_deref(), Some("a whole number from 1 to 365"));
        assert!(unlikely("daysToExpiry", "365").is_none() && unlikely("anything", "at all").is_none());
    }
}
