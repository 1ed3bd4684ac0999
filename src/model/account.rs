//! What an account has in a region, as far as a manifest can be made of it.

use std::collections::BTreeMap;

use super::live::{Configuration, ListedSecret, LiveStack, Reading, Statement, Unread};
use super::record::SecretRecord;

/// A secret of a list, with its tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaggedSecret {
    /// The secret.
    pub record: SecretRecord,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl TaggedSecret {
    /// As the list is read that leaves out what is scheduled for deletion; `None` for that.
    pub fn listed(&self) -> Option<ListedSecret> {
        let record = &self.record;
        record.deletion.is_none().then(|| ListedSecret {
            name: record.name.clone(),
            arn: record.arn.clone(),
            is_on: record.is_on(),
            function_arn: record.function_arn.clone(),
            rules: record.rules.clone(),
            owning_service: record.owning_service.clone(),
            replica_of: record.replica_of.clone(),
        })
    }
}

/// A function that secrets rotate with.
#[derive(Debug)]
pub struct AccountFunction {
    /// Its configuration; `Absent`: Lambda doesn't know it.
    pub configuration: Reading<Configuration>,
    /// Who may invoke it; `Absent` where nobody asked.
    pub policy: Reading<Vec<Statement>>,
}

/// One account and region.
#[derive(Debug)]
pub struct Account {
    /// Twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The partition, such as `aws`.
    pub partition: String,
    /// All secrets, those that are scheduled for deletion too, by ARN.
    pub secrets: Vec<TaggedSecret>,
    /// The functions of secrets that were asked about, by the ARN that the secrets name.
    pub functions: BTreeMap<String, AccountFunction>,
    /// All stacks, or why they could not be listed.
    pub stacks: Result<Vec<LiveStack>, Unread>,
}
