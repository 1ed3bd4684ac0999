//! How rotation does: a state for each secret and the faults of each function, found from what was read of AWS.
//!
//! Pure: it knows the domain and the moment that it is given, and no client, clock, file or word for people.

mod controls;
mod function;
mod measure;
mod secret;
mod state;

pub use controls::{Control, Finding};
pub use function::{Fault, FunctionFacts, FunctionStatus, Invocation, RuntimeStop, may_invoke};
pub use measure::BrokenRule;
pub use secret::{Cause, Evidence, Facts, SaidBy, SecretStatus, Wanted, judge};
pub use state::State;

use crate::model::live::Unread;
use crate::model::record::SecretRecord;

/// How one account and region does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// The target's name, where the manifest has one.
    pub target: Option<String>,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Its secrets, worst first.
    pub secrets: Vec<SecretStatus>,
    /// The functions that rotate them, those with faults first.
    pub functions: Vec<FunctionStatus>,
    /// What could not be read, so that its state isn't known.
    pub unread: Vec<(String, Unread)>,
    /// When AWS was read, in seconds since 1970.
    pub read_at: i64,
    /// Whether the secrets come from a list that may be five minutes late.
    pub is_from_list: bool,
    /// How far reasons were looked for, where they were asked for.
    pub reasons: Option<Reasons>,
}

/// How far the reasons of failed rotations were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    /// For how many secrets.
    pub suspects: usize,
    /// For how many of them one was found.
    pub found: usize,
    /// How far back `CloudTrail`'s events were read, in seconds since 1970; `None` where they weren't.
    pub events_since: Option<i64>,
    /// Whether there are more events in the time that was asked for than were read.
    pub is_cut: bool,
    /// What could not be read: `CloudTrail`, or a log group, and why.
    pub unread: Vec<(String, Unread)>,
}

impl TargetStatus {
    /// Puts what is worst first; equals stand by name.
    pub fn sort(&mut self) {
        self.secrets.sort_by(|a, b| {
            (!a.is_trouble, a.state, a.since, &a.name).cmp(&(!b.is_trouble, b.state, b.since, &b.name))
        });
        self.functions.sort_by(|a, b| (!a.is_trouble(), &a.arn).cmp(&(!b.is_trouble(), &b.arn)));
    }

    /// Whether something that was asked about doesn't rotate as it should.
    pub fn has_trouble(&self) -> bool {
        self.secrets.iter().any(|secret| secret.is_trouble) || self.functions.iter().any(FunctionStatus::is_trouble)
    }

    /// What could not be read, functions included: a secret's name or a function's ARN, and why.
    pub fn unknowns(&self) -> impl Iterator<Item = (&str, &Unread)> {
        let of_functions = self.functions.iter().flat_map(|one| one.unread.iter().map(|why| (one.arn.as_str(), why)));
        self.unread.iter().map(|(what, why)| (what.as_str(), why)).chain(of_functions)
    }

    /// Whether all that was asked about could be read.
    pub fn is_complete(&self) -> bool {
        self.unknowns().next().is_none()
    }
}

/// Whether a secret of a list is looked at once more before it is judged: its trouble may be over, and its list be late.
pub fn is_suspect(record: &SecretRecord, wants_rotation: bool, now: i64) -> bool {
    record.unfinished_rotation().is_some()
        || record.deletion.is_some()
        || record.current_version.is_none()
        || (record.is_on() && record.next_rotation.is_none_or(|next| next < now))
        || (wants_rotation && !record.is_on())
}
