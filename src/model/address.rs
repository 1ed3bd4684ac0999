//! Addresses: how commands, plans and people name a resource of a manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest address that is looked for, in bytes: a target's name, a kind, and AWS's longest name or ARN.
pub const MAX_LENGTH: usize = 1_024;

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A rotation function of the manifest, with its stack.
    Function,
    /// A secret of the manifest.
    Secret,
    /// A stack with the project's tag that no handle names; addressed by the stack's name.
    OrphanStack,
    /// A secret that rotates with a function of the project and that no handle names; addressed by AWS's name.
    OrphanSecret,
    /// A secret that no manifest names, under a rule that covers such; addressed by AWS's name.
    LiveSecret,
    /// A rule of a policy; addressed by its name.
    Policy,
    /// A limit of the manifest; addressed by its word.
    Limit,
    /// A freeze; addressed by its first day.
    Freeze,
    /// A rule of `select`; addressed by its key.
    Select,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Function,
        Self::Secret,
        Self::OrphanStack,
        Self::OrphanSecret,
        Self::LiveSecret,
        Self::Policy,
        Self::Limit,
        Self::Freeze,
        Self::Select,
    ];

    /// What it is, in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Function => "a function",
            Self::Secret => "a secret",
            Self::OrphanStack => "a stack that no manifest names",
            Self::OrphanSecret | Self::LiveSecret => "a secret that no manifest names",
            Self::Policy => "a rule",
            Self::Limit => "a limit",
            Self::Freeze => "a freeze",
            Self::Select => "a rule of `select`",
        }
    }

    /// The word in front of the dot.
    pub fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Secret => "secret",
            Self::OrphanStack => "orphan_stack",
            Self::OrphanSecret => "orphan_secret",
            Self::LiveSecret => "live_secret",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Freeze => "freeze",
            Self::Select => "select",
        }
    }
}

/// `function.stripe`, `secret.payments/api-key`, or `prod-eu/secret.payments/api-key` where there are several targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The target's name, where the manifest has named targets.
    pub target: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The key in the manifest; for orphans, the name on AWS.
    pub handle: String,
}

impl Address {
    /// An address within a target.
    pub fn new(target: Option<&str>, kind: Kind, handle: impl Into<String>) -> Self {
        Self { target: target.map(str::to_owned), kind, handle: handle.into() }
    }

    /// Reads what [`Address`] prints; `None` where it is no address. A handle may hold slashes and dots, the name of a target may not.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = |target, text: &str| {
            let (word, handle) = text.split_once('.').filter(|(_, handle)| !handle.is_empty())?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
            Some(Self::new(target, kind, handle))
        };
        let within = || text.split_once('/').filter(|(target, _)| !target.is_empty());
        whole(None, text).or_else(|| within().and_then(|(target, rest)| whole(Some(target), rest)))
    }

    /// Reads the address of an entry of a manifest: a function, a secret, or a rule of `select`.
    pub fn of_entry(text: &str) -> Option<Self> {
        Self::parse(text).filter(|address| matches!(address.kind, Kind::Function | Kind::Secret | Kind::Select))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "{target}/")?;
        }
        write!(f, "{}.{}", self.kind.word(), self.handle)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Without it, an address that a plan prints could be another one, or none, to the next command.
        #[test]
        fn addresses_are_read_as_they_are_printed(
            target in proptest::option::of("[a-z0-9-]{1,12}"),
            kind in 0..Kind::ALL.len(),
            handle in "(secret\\.|function\\.)?[a-zA-Z0-9/_+=.@:!-]{1,20}",
        ) {
            let address = Address::new(target.as_deref(), Kind::ALL[kind], handle);
            prop_assert_eq!(Address::parse(&address.to_string()), Some(address));
        }

        /// Whatever else is written is no address, or exactly that one.
        #[test]
        fn what_is_read_is_what_is_printed(text in "([a-z./]{0,6}(secret|function|freeze|x)[a-z./]{0,6}|\\PC{0,20})") {
            if let Some(address) = Address::parse(&text) {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }

    /// Without it, a kind could be printed that no command reads.
    #[test]
    fn every_kind_has_its_word() {
        let words: std::collections::BTreeSet<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        for text in ["", "secret.", "/secret.x", "dev/", "dev/thing.x", "secret", "thing.x"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
