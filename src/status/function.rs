//! The faults of one rotation function.

use chrono::NaiveDate;

use crate::model::live::{Configuration, Reading, Statement, Unread};
use crate::model::rule::Pattern;

/// All that was read of one function.
#[derive(Debug, Clone)]
pub struct FunctionFacts<'a> {
    /// Its ARN, with the alias or version that secrets name.
    pub arn: &'a str,
    /// Its configuration.
    pub configuration: &'a Reading<Configuration>,
    /// Who may invoke it.
    pub policy: &'a Reading<Vec<Statement>>,
    /// The account whose secrets it rotates.
    pub account: &'a str,
    /// The secrets that rotate with it, by ARN.
    pub secrets: &'a [&'a str],
    /// Whether one of them is of a manifest.
    pub is_managed: bool,
    /// When AWS stops its runtime, where that is near or over.
    pub runtime_stop: Option<RuntimeStop>,
}

/// When AWS lets no function of a runtime be changed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeStop {
    /// Such as `python3.9`.
    pub runtime: String,
    /// The first day.
    pub from: NaiveDate,
    /// Whether that day has come.
    pub is_over: bool,
    /// What to take instead.
    pub successor: Option<String>,
}

/// What keeps a function from rotating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no such function.
    Missing,
    /// Lambda can't run it: its state, and Lambda's reason.
    Failed {
        /// Such as `Failed` or `Deactivated`.
        state: String,
        /// Why, in Lambda's words: from outside.
        reason: Option<String>,
    },
    /// Its last update failed, and the one before still runs.
    UpdateFailed {
        /// Why, in Lambda's words: from outside.
        reason: Option<String>,
    },
    /// No statement of its policy lets Secrets Manager invoke it for these secrets.
    NotPermitted {
        /// How many secrets it may not be invoked for.
        secrets: usize,
    },
    /// A statement keeps Secrets Manager out.
    Denied {
        /// The statement's id.
        statement: String,
    },
    /// Its reserved concurrency is 0: Lambda runs none of it.
    NoConcurrency,
    /// AWS lets it be changed no more, or soon won't.
    RuntimeStopped(RuntimeStop),
}

impl Fault {
    /// Whether secrets don't rotate with it, or no mend can reach the function any more.
    fn keeps_from_rotating(&self) -> bool {
        match self {
            Self::UpdateFailed { .. } => false,
            Self::RuntimeStopped(stop) => stop.is_over,
            Self::Missing
            | Self::Failed { .. }
            | Self::NotPermitted { .. }
            | Self::Denied { .. }
            | Self::NoConcurrency => true,
        }
    }
}

/// How one function does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionStatus {
    /// Its ARN, with the alias or version that secrets name.
    pub arn: String,
    /// How many secrets rotate with it.
    pub secrets: usize,
    /// What keeps it from rotating.
    pub faults: Vec<Fault>,
    /// Why something of it isn't known.
    pub unread: Vec<Unread>,
    /// Whether one of its secrets is of a manifest, or all count.
    pub counts: bool,
    /// Its runtime, where it has one.
    pub runtime: Option<String>,
}

impl FunctionStatus {
    /// Finds what is wrong with a function.
    pub fn of(facts: &FunctionFacts<'_>, is_strict: bool) -> Self {
        let mut faults = Vec::new();
        let mut unread = Vec::new();
        match facts.configuration {
            Reading::Found(live) => faults.extend(of_configuration(live)),
            Reading::Absent => faults.push(Fault::Missing),
            Reading::Unread(reason) => unread.push(reason.clone()),
        }
        match (facts.configuration, facts.policy) {
            // A function that isn't there has no policy either.
            (Reading::Absent, _) => {}
            (_, Reading::Found(statements)) => faults.extend(of_policy(statements, facts)),
            (_, Reading::Absent) => faults.push(Fault::NotPermitted { secrets: facts.secrets.len() }),
            (_, Reading::Unread(reason)) => unread.push(reason.clone()),
        }
        faults.extend(facts.runtime_stop.clone().map(Fault::RuntimeStopped));
        Self {
            arn: facts.arn.to_owned(),
            secrets: facts.secrets.len(),
            faults,
            unread,
            counts: facts.is_managed || is_strict,
            runtime: facts.configuration.found().and_then(|live| live.settings.runtime.clone()),
        }
    }

    /// Whether it keeps secrets from rotating that were asked about.
    pub fn is_trouble(&self) -> bool {
        self.counts && self.faults.iter().any(Fault::keeps_from_rotating)
    }
}

fn of_configuration(live: &Configuration) -> Vec<Fault> {
    let mut faults = Vec::new();
    // `Inactive` functions run again at the next invocation, `Pending` ones soon.
    if matches!(live.state.as_str(), "Failed" | "Deactivated" | "Deactivating") {
        faults.push(Fault::Failed { state: live.state.clone(), reason: live.state_reason.clone() });
    }
    if live.last_update_status == "Failed" {
        faults.push(Fault::UpdateFailed { reason: None });
    }
    if live.reserved_concurrency == Some(0) {
        faults.push(Fault::NoConcurrency);
    }
    faults
}

fn of_policy(statements: &[Statement], facts: &FunctionFacts<'_>) -> Vec<Fault> {
    let denies = |statement: &&Statement| {
        statement.denies
            && !statement.other_conditions
            && statement.source_arn.is_none()
            && statement.source_account.as_deref().is_none_or(|account| account == facts.account)
    };
    if let Some(statement) = statements.iter().find(denies) {
        return vec![Fault::Denied { statement: statement.sid.clone() }];
    }
    let refused = |secret: &&&str| may_invoke(statements, facts.account, secret) == Invocation::Refused;
    match facts.secrets.iter().filter(refused).count() {
        0 => Vec::new(),
        secrets => vec![Fault::NotPermitted { secrets }],
    }
}

/// Whether Secrets Manager may invoke a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invocation {
    /// A statement allows it.
    Allowed,
    /// No statement allows it.
    Refused,
    /// It hangs on conditions that this program doesn't understand.
    Unknown,
}

/// Whether Secrets Manager may invoke a function for a secret of an account, by the function's policy.
pub fn may_invoke(statements: &[Statement], account: &str, secret: &str) -> Invocation {
    let is_meant = |statement: &&Statement| {
        let arn = statement.source_arn.as_ref();
        statement.source_account.as_deref().is_none_or(|source| source == account)
            && arn.is_none_or(|source| Pattern(source.clone()).matches(secret))
    };
    let mut meant = statements.iter().filter(is_meant);
    let mut unclear = false;
    if meant.any(|statement| {
        unclear |= statement.other_conditions;
        statement.allows && !statement.other_conditions
    }) {
        Invocation::Allowed
    } else if unclear {
        Invocation::Unknown
    } else {
        Invocation::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/key-AbCdEf";

    fn allows() -> Statement {
        Statement {
            sid: "SecretsManagerAccess".to_owned(),
            allows: true,
            denies: false,
            source_account: Some(ACCOUNT.to_owned()),
            source_arn: None,
            other_conditions: false,
        }
    }

    /// Without it, a function that works would be called broken, or one that Secrets Manager can't call pass for healthy.
    #[test]
    fn who_may_invoke_is_judged_secret_by_secret() {
        let other = |account: &str| Statement { source_account: Some(account.to_owned()), ..allows() };
        let only = |secret: &str| Statement { source_arn: Some(secret.to_owned()), ..allows() };
        let unclear = Statement { allows: false, other_conditions: true, ..allows() };
        let cases = [
            (vec![], Invocation::Refused),
            (vec![allows()], Invocation::Allowed),
            (vec![Statement { source_account: None, ..allows() }], Invocation::Allowed),
            (vec![other("999999999999")], Invocation::Refused),
            (vec![only(SECRET)], Invocation::Allowed),
            (vec![only("arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/*")], Invocation::Allowed),
            (vec![only("arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf")], Invocation::Refused),
            (vec![unclear.clone()], Invocation::Unknown),
            (vec![unclear, allows()], Invocation::Allowed),
        ];
        for (statements, expected) in cases {
            assert_eq!(may_invoke(&statements, ACCOUNT, SECRET), expected, "{statements:?}");
        }
    }
}
