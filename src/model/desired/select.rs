//! Rules instead of lists: secrets that no entry names, by how they are called and tagged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Rotation, Secret};
use crate::model::Shared;
use crate::model::account::TaggedSecret;
use crate::model::live::Unread;
use crate::model::rule::{Pattern, any};

/// A rule of `select`: how every live secret rotates that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectRule {
    /// Which secrets are meant.
    pub matches: Match,
    /// The handle of their rotation function.
    pub function: String,
    /// How they rotate.
    pub rotation: Rotation,
    /// Their labels, for people, filters and policies.
    pub labels: Shared<BTreeMap<String, String>>,
}

/// Which secrets a rule means: those that have one of the names and all of the tags, and none of the excepted names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// Whole names; `None`: any.
    pub names: Option<Vec<Pattern>>,
    /// Tags, exactly.
    pub tags: BTreeMap<String, String>,
    /// Whole names that are left out.
    pub except: Vec<Pattern>,
}

impl SelectRule {
    /// What a rule wants of a secret. An entry that doesn't say it has a secret rotate when rotation is switched on; a rule doesn't.
    pub fn secret(&self, name: &str) -> Secret {
        let now = self.rotation.rotate_immediately.unwrap_or(false);
        Secret {
            name: name.to_owned(),
            function: Some(self.function.clone()),
            external: None,
            rotation: Rotation { rotate_immediately: Some(now), ..self.rotation.clone() },
            labels: self.labels.clone(),
        }
    }
}

impl Match {
    /// Whether a secret is meant, by its name and its tags.
    pub fn has(&self, name: &str, tags: &BTreeMap<String, String>) -> bool {
        self.has_name(name) && self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Whether a name is meant; whether the secret is, its tags may decide.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| any(names, name)) && !any(&self.except, name)
    }
}

/// What the rules came to, by a whole list of AWS's secrets.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// The secrets that are managed by rules, by handle, each with the rules that claim it.
    pub secrets: BTreeMap<String, BTreeSet<String>>,
    /// The secrets that rules claim differently, by name.
    pub conflicts: BTreeMap<String, BTreeSet<String>>,
    /// The secrets that a rule matches and leaves alone, by name: the rules, and why.
    pub left_out: BTreeMap<String, (BTreeSet<String>, LeftOut)>,
    /// The rules that match nothing that isn't an entry's.
    pub without_match: BTreeSet<String>,
    /// By rule: the secrets that rotate with its function, which the manifest only uses, and that neither a rule nor an entry means.
    pub beside: BTreeMap<String, BTreeSet<String>>,
    /// Why the list couldn't be read whole: then no rule has selected anything.
    pub unread: Option<Unread>,
    /// The list, as it was read.
    pub listed: Shared<Vec<TaggedSecret>>,
}

impl Selected {
    /// Whether a rule means a secret, whatever came of it.
    pub fn claims(&self, name: &str) -> bool {
        self.secrets.contains_key(name) || self.conflicts.contains_key(name) || self.left_out.contains_key(name)
    }
}

/// Why a rule leaves a secret alone that it matches: it takes nothing over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum LeftOut {
    /// It rotates with another function, or without one.
    RotatesOtherwise {
        /// The function.
        function: Option<String>,
    },
    /// A service owns it.
    OwnedByService {
        /// Which.
        service: String,
    },
    /// A partner holds it.
    HeldByPartner {
        /// Its type.
        partner: String,
    },
    /// It is a replica.
    Replica {
        /// The region of its primary.
        primary: String,
    },
    /// It is scheduled for deletion.
    ScheduledForDeletion,
    /// A rotation of it hasn't finished, and it doesn't rotate with the rule's function.
    UnfinishedRotation,
    /// It has no value.
    NoValue,
    /// An entry that names another secret has its name as the handle.
    HandleTaken,
}
