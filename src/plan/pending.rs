//! A rotation that hasn't finished, as far as AWS and its function's log tell: what may still run, and what its steps did.

use crate::model::LogEvent;
use crate::model::invocation::{End, Invocation, invocations, writes_failures};
use crate::model::live::{LiveSecret, Unread};
use crate::model::trouble::{RotationStep, Trouble};

use super::ProblemKind;
use super::problem::PendingFacts;
use super::verdict::{Logged, Request};

/// How much longer than a function may run its end may be on its way into the log, in seconds.
const LATE: i64 = 60;

/// Lambda's time-out where none is said, in seconds.
const TIMEOUT: u32 = 3;

/// What was read of a pending version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// When it was read, by AWS's clock, in seconds since 1970 (UTC).
    pub now: i64,
    /// When the version was made, in seconds since 1970 (UTC).
    pub since: Option<i64>,
    /// Why that isn't known, where it couldn't be read.
    pub since_unread: Option<Unread>,
    /// How long the function may run, in seconds.
    pub timeout: Option<u32>,
    /// Whether testSecret is known to have passed for it; `None`: the log couldn't be read.
    pub tested: Option<bool>,
    /// The last step that is known to have been called for it.
    pub last_step: Option<RotationStep>,
    /// Whether all that the function was called for since is known, and was createSecret.
    pub only_created: bool,
    /// When the invocation began that has no end yet, in milliseconds since 1970 (UTC).
    pub open: Option<i64>,
    /// Why the last try failed.
    pub trouble: Option<Box<Trouble>>,
}

impl Pending {
    /// What is read of it in its function's log. `events` come in the order of their times.
    #[must_use]
    pub fn with_log(self, events: &[LogEvent], request: Request<'_>, function: &Logged) -> Self {
        let text = function.runtime.as_deref().is_some_and(writes_failures);
        let all = invocations(events);
        let since: Vec<&Invocation> = all.iter().filter(|one| one.began >= request.sent).collect();
        let is_own = |one: &&&Invocation| one.names(request.token) || one.names(request.secret_arn);
        let named: Vec<&Invocation> = since.iter().filter(is_own).copied().collect();
        // Where the function has its log to itself and nothing else was asked of it, what names nothing is its own too.
        let own = if function.own_group && request.together <= 1 { since.clone() } else { named };
        let step = |one: &Invocation| Trouble::of(one).step;
        let steps: Vec<Option<RotationStep>> = own.iter().map(|one| step(one)).collect();
        // Another rotation of the secret may have ended just before: only what names the version proves something of it. Or a
        // finishSecret that failed after the version was made: Secrets Manager calls it where testSecret has ended well, and only there.
        let made = self.since.unwrap_or(i64::MAX).saturating_mul(1000);
        let steps_of = own.iter().zip(&steps);
        let is_of = |one: &Invocation, step: Option<RotationStep>, is: RotationStep| {
            let failed = one.has_failed() && one.began >= made && one.names(request.secret_arn);
            step == Some(is) && (one.names(request.token) || (is == RotationStep::Finish && failed))
        };
        let finishes = steps_of.clone().any(|(one, step)| is_of(one, *step, RotationStep::Finish));
        let mut tests = steps_of.filter(|(one, step)| is_of(one, **step, RotationStep::Test));
        let passed = tests.next_back().is_some_and(|(last, _)| last.has_passed(text));
        let runs_until =
            |one: &Invocation| one.began.div_euclid(1000) + i64::from(self.timeout.unwrap_or(TIMEOUT)) + LATE;
        let is_open = |one: &&&Invocation| one.id.is_some() && one.end == End::Open && runs_until(one) > self.now;
        Self {
            tested: Some(finishes || passed),
            last_step: steps.iter().rev().find_map(|step| *step),
            only_created: !own.is_empty() && steps.iter().all(|step| *step == Some(RotationStep::Create)),
            open: since.iter().rfind(is_open).map(|one| one.began),
            trouble: own.iter().rfind(|one| one.has_failed()).map(|one| Box::new(Trouble::of(one))),
            ..self
        }
    }

    /// Whether its value may be the only one that the service knows.
    pub fn may_be_live(&self) -> bool {
        !self.only_created
    }

    /// How old the version must be before its rotation is repaired: each of the four steps may take as long as the function may run.
    pub fn limit(&self) -> i64 {
        4 * i64::from(self.timeout.unwrap_or(TIMEOUT))
    }

    /// Why the function may be running for it.
    pub fn may_still_run(&self) -> Option<ProblemKind> {
        let age = self.since.map(|since| self.now - since);
        let is_old = age.is_some_and(|age| age >= self.limit());
        let (limit, open, unread) = (self.limit(), self.open, self.since_unread.clone());
        let fault = ProblemKind::MayStillRun { age, limit, open, unread };
        (self.open.is_some() || !is_old).then_some(fault)
    }

    /// The same for people.
    pub fn facts(&self, version: &str) -> PendingFacts {
        PendingFacts {
            version: version.to_owned(),
            since: self.since,
            tested: self.tested,
            may_be_live: self.may_be_live(),
        }
    }

    /// The request by which a log is read: what names the version, or the secret since it was made.
    pub fn request<'a>(&self, live: &'a LiveSecret, version: &'a str, together: usize) -> Request<'a> {
        // Clocks differ by a second or so.
        let sent = self.since.map_or(0, |since| since.saturating_sub(2).saturating_mul(1000));
        Request { token: version, secret_arn: &live.arn, sent, together }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "6b7391d3-d3e7-4bd6-8038-39754d066c56";
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/one-AbCdEf";
    const RAISED: &str =
        "[ERROR] ClientError: denied\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 9, in";

    fn judged(all: &[(i64, &str, bool)], together: usize) -> Pending {
        let mut events = Vec::new();
        for (number, (at, words, report)) in all.iter().enumerate() {
            let mut push = |message: String| events.push(LogEvent { stream: "a".to_owned(), at: *at, message });
            push(format!("START RequestId: r{number} Version: $LATEST\n"));
            push((*words).to_owned());
            if *report {
                push(format!("END RequestId: r{number}\n"));
                push(format!("REPORT RequestId: r{number}\tDuration: 1.00 ms\n"));
            }
        }
        let read = Pending { now: 1_000, since: Some(100), timeout: Some(30), ..Pending::default() };
        let request = Request { token: TOKEN, secret_arn: SECRET, sent: 100_000, together };
        read.with_log(&events, request, &Logged { runtime: Some("python3.12".to_owned()), own_group: true })
    }

    /// Without it, a password would be made current that no test has seen, or the proof of one be overlooked.
    #[test]
    fn what_proves_a_test() {
        let passed = format!("testSecret: done for version {TOKEN}\n");
        let set = format!("setSecret: done for version {TOKEN}\n");
        let raised = |step: &str| format!("{RAISED} {step}\n{TOKEN}\n");
        assert_eq!(judged(&[], 1).tested, Some(false));
        assert_eq!(judged(&[(200_000, &set, true)], 1).tested, Some(false));
        assert_eq!(judged(&[(200_000, &passed, true)], 9).tested, Some(true));
        assert_eq!(judged(&[(200_000, &passed, false)], 9).tested, Some(false), "its end isn't there");
        assert_eq!(judged(&[(200_000, "testSecret: done\n", true)], 9).tested, Some(false), "another secret's");
        assert_eq!(judged(&[(200_000, &raised("test_secret"), true)], 1).tested, Some(false));
        assert_eq!(judged(&[(200_000, &raised("finish_secret"), true)], 1).tested, Some(true));
        assert_eq!(judged(&[(90_000, &passed, true)], 1).tested, Some(false), "before it was made");
        assert_eq!(judged(&[(200_000, "finishSecret: done\n", true)], 1).tested, Some(false), "another rotation's");
        let denied = format!("{RAISED} finish_secret\n{SECRET}\n");
        assert_eq!(judged(&[(200_000, &denied, true)], 9).tested, Some(true));
        let again = [(200_000, passed.as_str(), true), (210_000, &raised("test_secret"), true)];
        assert_eq!(judged(&again, 1).tested, Some(false), "the last counts");
    }

    /// Without it, a version would be given up as harmless whose value the service may have taken.
    #[test]
    fn a_value_may_be_live_unless_only_the_first_step_ran() {
        let create = format!("{RAISED} {}\n{TOKEN}\n", RotationStep::Create);
        assert!(!judged(&[(200_000, &create, true)], 1).may_be_live());
        assert!(judged(&[], 1).may_be_live(), "silence proves nothing");
        assert!(judged(&[(200_000, &create, true), (210_000, "[ERROR] x\n", true)], 1).may_be_live());
        assert!(Pending::default().may_be_live());
    }

    /// Without it, labels would be moved away under a function that works with them.
    #[test]
    fn what_may_run_is_left_alone() {
        let aged = |age: i64| Pending { now: 1_000, since: Some(1_000 - age), timeout: Some(30), ..Pending::default() };
        assert!(aged(119).may_still_run().is_some());
        assert_eq!(aged(120).may_still_run(), None);
        assert!(Pending { since: None, ..aged(120) }.may_still_run().is_some());
        assert!(judged(&[(950_000, "setSecret\n", false)], 1).may_still_run().is_some());
        assert_eq!(judged(&[(800_000, "setSecret\n", false)], 1).may_still_run(), None, "no function runs so long");
    }
}
