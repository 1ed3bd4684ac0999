//! Acknowledgements: warnings that a manifest's owner knows of, and that needn't stand in every plan until a day.
//!
//! How they are written is [`crate::config`]'s; which warnings they meet is [`crate::plan::acknowledge`]'s. Only what is listed here can be
//! acknowledged: never an error, an effect, what a policy, a limit or a freeze says, nor a state in which secrets don't rotate.

use std::fmt;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Place;
use super::rule::Pattern;

/// How many days ahead an acknowledgement may end, at most.
pub const LONGEST_DAYS: u64 = 366;

/// A kind of warning that can be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// Secrets Manager may invoke a function for any account.
    PermissionUnscoped,
    /// A secret's key isn't among the parameters of its function.
    KeyWithoutParameter,
    /// AWS is going to stop a function's runtime.
    RuntimeStops,
    /// Whether a function belongs to another project can't be read.
    OwnerUnknown,
    /// A function's code, as [`super::CodeCheck`] tells its kinds apart: its first program.
    CodeBootstrap,
    /// A step that doesn't do its work.
    CodeStep,
    /// Variables that code reads.
    CodeEnvironment,
    /// Names of files.
    CodeFileNames,
    /// The handler.
    CodeHandler,
    /// Errors that a step hides.
    CodeHidesErrors,
    /// What code imports.
    CodeImport,
    /// A secret's value in a log.
    CodeLogsSecret,
    /// Libraries in machine code.
    CodeNative,
    /// A step that can't be called again.
    CodeNotRepeatable,
    /// A file that the runtime may not be able to read.
    CodeSyntax,
    /// A request that waits without end.
    CodeWaits,
}

impl Warning {
    /// All of them, in the order of their words.
    pub const ALL: [Self; 16] = [
        Self::CodeBootstrap,
        Self::CodeEnvironment,
        Self::CodeFileNames,
        Self::CodeHandler,
        Self::CodeHidesErrors,
        Self::CodeImport,
        Self::CodeLogsSecret,
        Self::CodeNative,
        Self::CodeNotRepeatable,
        Self::CodeStep,
        Self::CodeSyntax,
        Self::CodeWaits,
        Self::KeyWithoutParameter,
        Self::OwnerUnknown,
        Self::PermissionUnscoped,
        Self::RuntimeStops,
    ];

    /// Its word in manifests and plans.
    pub fn word(self) -> &'static str {
        match self {
            Self::CodeBootstrap => "code-bootstrap",
            Self::CodeStep => "code-step",
            Self::CodeEnvironment => "code-environment",
            Self::CodeFileNames => "code-file-names",
            Self::CodeHandler => "code-handler",
            Self::CodeHidesErrors => "code-hides-errors",
            Self::CodeImport => "code-import",
            Self::CodeLogsSecret => "code-logs-secret",
            Self::CodeNative => "code-native",
            Self::CodeNotRepeatable => "code-not-repeatable",
            Self::CodeSyntax => "code-syntax",
            Self::CodeWaits => "code-waits",
            Self::PermissionUnscoped => "permission-unscoped",
            Self::KeyWithoutParameter => "key-without-parameter",
            Self::RuntimeStops => "runtime-stops",
            Self::OwnerUnknown => "owner-unknown",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An acknowledgement, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The kind of warning.
    pub warning: Warning,
    /// Of what: patterns of addresses, such as `function.*`.
    pub of: Vec<Pattern>,
    /// Why.
    pub reason: String,
    /// The last day, in UTC.
    pub until: NaiveDate,
    /// Where it stands.
    pub at: Place,
}

impl Acknowledgement {
    /// Whether it holds on a day.
    pub fn is_in_force(&self, today: NaiveDate) -> bool {
        today <= self.until
    }

    /// Whether it is about an address: with its target before it, or without.
    pub fn is_about(&self, address: &str) -> bool {
        let within = address.split_once('/').filter(|(target, _)| !target.contains('.')).map(|(_, within)| within);
        [Some(address), within].into_iter().flatten().any(|address| self.of.iter().any(|one| one.matches(address)))
    }
}

/// The last day on which an acknowledgement that is written today may end.
pub fn latest(today: NaiveDate) -> NaiveDate {
    today.checked_add_days(Days::new(LONGEST_DAYS)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, an acknowledgement of one resource would silence others, or none in a manifest with named targets.
    #[test]
    fn addresses_are_met_with_and_without_their_target() {
        let of = |pattern: &str, address: &str| {
            let at = Place { file: "rotator.yaml".into(), line: 1, column: 1, length: 1, text: None };
            let until = NaiveDate::from_ymd_opt(2027, 6, 30).expect("a date");
            let of = vec![Pattern(pattern.to_owned())];
            let one = Acknowledgement { warning: Warning::OwnerUnknown, of, reason: "r".to_owned(), until, at };
            assert!(one.is_in_force(until) && !one.is_in_force(until.succ_opt().expect("a day")));
            one.is_about(address)
        };
        assert!(of("function.*", "function.F") && of("function.*", "prod/function.F"));
        assert!(of("prod/function.F", "prod/function.F") && !of("prod/function.F", "dev/function.F"));
        assert!(of("secret.app/one", "secret.app/one") && !of("secret.app/one", "secret.app/two"));
        assert!(!of("one", "secret.app/one") && !of("function.*", "secret.function.x"));
    }

    /// Without it, a word of the list would be missing where it is looked up, or one of them be out of order.
    #[test]
    fn the_list_is_whole() {
        let words: Vec<&str> = Warning::ALL.into_iter().map(Warning::word).collect();
        assert!(words.is_sorted());
        for word in words {
            let read: Warning = serde_json::from_value(serde_json::json!(word)).expect("its own word");
            assert_eq!(read.word(), word);
        }
    }
}
