//! The state of one secret.

use chrono::{DateTime, TimeDelta, Utc};

use std::collections::BTreeMap;

use crate::model::record::SecretRecord;
use crate::model::rule::Rule;
use crate::model::schedule::{self, Window};
use crate::model::trouble::Trouble;
use crate::model::{Address, RotationRules, Schedule};

use super::controls::{self, Finding};
use super::measure::{BrokenRule, Measured, broken};
use super::state::State;

/// How long a version may be pending before the rotation counts as stuck, whatever its window, in seconds.
const STUCK_AFTER: i64 = 24 * 3600;

/// How long a rotation may take beyond its window, in seconds: several runs of a function of the longest time-out that AWS's database
/// templates use, so that one that began in the last minute isn't called stuck.
const WINDOW_GRACE: i64 = 3600;

/// How near the next rotation is where a secret counts as due, in seconds.
const DUE_WITHIN: i64 = 24 * 3600;

/// Why a secret is in its state: what was read, and nothing that was guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A try failed.
    Failed(Evidence),
    /// A version is pending since then; `None`: AWS didn't say since when.
    Pending {
        /// The version's id.
        version: String,
        /// Since when, in seconds since 1970.
        since: Option<i64>,
        /// When the window closed in which it began, where that is what makes it stuck.
        window_closed: Option<i64>,
    },
    /// `NextRotationDate`, the latest date, is past.
    NextRotationPassed {
        /// That date, in seconds since 1970.
        at: i64,
    },
    /// By its rules it should have rotated within this time after the last change.
    WorstCasePassed {
        /// When it last rotated, or was made, in seconds since 1970.
        last: i64,
        /// The most hours that its rules leave between two rotations.
        hours: u32,
    },
    /// The manifest wants rotation on.
    WantedOn,
    /// AWS deletes it from then on, in seconds since 1970.
    DeletedFrom(i64),
    /// The next rotation comes at the latest then, in seconds since 1970.
    Next(i64),
    /// The region of its primary.
    PrimaryIn(String),
    /// The service or the partner's type that rotates it.
    RotatedBy(String),
    /// Nothing more is to be said.
    Nothing,
}

/// What shows that a rotation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When it failed, in seconds since 1970.
    pub at: i64,
    /// What is known of it, in the function's or AWS's words: from outside. Of what only an event tells, no more than the step.
    pub trouble: Box<Trouble>,
    /// Who says so.
    pub said_by: SaidBy,
}

/// Who says that a rotation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidBy {
    /// An event of `CloudTrail`.
    Event,
    /// The function's log.
    Log,
}

/// What a manifest wants of a secret's rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The entry's address.
    pub address: Address,
    /// On or off; `None`: not managed.
    pub enabled: Option<bool>,
    /// The entry's labels.
    pub labels: BTreeMap<String, String>,
}

/// All that was read of one secret.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The secret; `None`: AWS has none of that name.
    pub record: Option<&'a SecretRecord>,
    /// Its name, as the manifest or AWS says it.
    pub name: &'a str,
    /// What the manifest wants; `None`: no manifest names it.
    pub wanted: Option<&'a Wanted>,
    /// When the pending version was made, in seconds since 1970; `None` where that wasn't read or isn't known.
    pub pending_since: Option<i64>,
    /// The newest failure of its rotation that was found, if one was looked for.
    pub failure: Option<&'a Evidence>,
    /// When its current version was made, in seconds since 1970, where that was read: a value that was put by hand is newer than the
    /// last rotation.
    pub value_since: Option<i64>,
    /// The target's name.
    pub target: Option<&'a str>,
    /// The rules of policies that hold for it.
    pub rules: &'a [&'a Rule],
    /// Whether unmanaged secrets are held to the same measure.
    pub is_strict: bool,
}

/// How one secret does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretStatus {
    /// Its name.
    pub name: String,
    /// Its ARN, where AWS has it.
    pub arn: Option<String>,
    /// Its address in the manifest, where one names it.
    pub address: Option<Address>,
    /// The function that rotates it.
    pub function_arn: Option<String>,
    /// Its state.
    pub state: State,
    /// Why.
    pub cause: Cause,
    /// Since when it is in trouble, in seconds since 1970.
    pub since: Option<i64>,
    /// Whether that is something that somebody must mend.
    pub is_trouble: bool,
    /// When it last rotated, in seconds since 1970.
    pub last_rotated: Option<i64>,
    /// By when it rotates next, in seconds since 1970.
    pub next_rotation: Option<i64>,
    /// Since when its value is as it is, as far as the secret says, in seconds since 1970.
    pub unchanged_since: Option<i64>,
    /// Its live rules, where rotation is on.
    pub rules: Option<RotationRules>,
    /// The rules about its age that it breaks.
    pub broken: Vec<BrokenRule>,
    /// The auditors' controls that fail for it.
    pub controls: Vec<Finding>,
}

/// Finds the state of one secret at a moment, in seconds since 1970.
pub fn judge(facts: &Facts<'_>, now: i64) -> SecretStatus {
    let found = facts.record.map(|record| state_of(record, facts, now));
    let (state, cause, since) = found.unwrap_or((State::Missing, Cause::Nothing, None));
    let record = facts.record;
    let on = record.filter(|record| record.is_on());
    let unchanged_since = record.and_then(SecretRecord::unchanged_since).max(facts.value_since);
    let broken = record.filter(|record| !record.is_anothers()).map(|record| {
        let labels = facts.wanted.map(|wanted| &wanted.labels);
        let measured = Measured { target: facts.target, name: &record.name, labels, since: unchanged_since };
        broken(facts.rules, measured, now)
    });
    let broken = broken.unwrap_or_default();
    SecretStatus {
        name: facts.name.to_owned(),
        arn: record.map(|record| record.arn.clone()),
        address: facts.wanted.map(|wanted| wanted.address.clone()),
        function_arn: record.and_then(|record| record.function_arn.as_deref().map(str::to_owned)),
        is_trouble: is_trouble(state, facts) || !broken.is_empty(),
        state,
        cause,
        since,
        last_rotated: record.and_then(|record| record.last_rotated),
        next_rotation: on.and_then(|record| record.next_rotation),
        unchanged_since,
        rules: on.and_then(|record| record.rules.clone()),
        broken,
        controls: record.map(|record| controls::findings(record, state, now)).unwrap_or_default(),
    }
}

/// Whether a state is one that ends in exit code 4: of what nobody manages, only where that was asked for.
fn is_trouble(state: State, facts: &Facts<'_>) -> bool {
    let wants_rotation = facts.wanted.is_some_and(|wanted| wanted.enabled == Some(true));
    match state {
        State::Failing | State::Stuck | State::Overdue => facts.wanted.is_some() || facts.is_strict,
        State::Missing => facts.wanted.is_some(),
        State::NoValue | State::ScheduledForDeletion => {
            facts.wanted.is_some_and(|wanted| wanted.enabled != Some(false))
        }
        State::Off | State::Never => wants_rotation,
        State::InProgress
        | State::Due
        | State::Ok
        | State::Replica
        | State::ByAService
        | State::ByAPartner
        | State::Unmanaged => false,
    }
}

/// The state, why, and since when.
fn state_of(record: &SecretRecord, facts: &Facts<'_>, now: i64) -> (State, Cause, Option<i64>) {
    if let Some(from) = record.deletion {
        return (State::ScheduledForDeletion, Cause::DeletedFrom(from), None);
    }
    if let Some(region) = &record.replica_of {
        return (State::Replica, Cause::PrimaryIn(region.clone()), None);
    }
    let pending = record.unfinished_rotation();
    if let Some(failure) = facts.failure.filter(|failure| is_newer(failure.at, record)) {
        return (
            State::Failing,
            Cause::Failed(failure.clone()),
            record.next_rotation.filter(|at| *at < now).or(Some(failure.at)),
        );
    }
    // A pending version whose age AWS didn't say is held to what else is known.
    let stuck = pending.zip(facts.pending_since).and_then(|(version, since)| {
        let closed = window_of(record, since).map(|window| window.closes.timestamp());
        let window_closed = closed.filter(|closed| *closed < now && now - since > WINDOW_GRACE);
        let is_stuck = now - since > STUCK_AFTER || window_closed.is_some();
        is_stuck.then(|| (Cause::Pending { version: version.to_owned(), since: Some(since), window_closed }, since))
    });
    if let Some((cause, since)) = stuck {
        return (State::Stuck, cause, Some(since));
    }
    if record.current_version.is_none() {
        return (State::NoValue, Cause::Nothing, None);
    }
    if record.is_on()
        && let Some((cause, since)) = overdue(record, now)
    {
        return (State::Overdue, cause, Some(since));
    }
    if let Some(version) = pending {
        let since = facts.pending_since;
        return (State::InProgress, Cause::Pending { version: version.to_owned(), since, window_closed: None }, None);
    }
    let wants_rotation = facts.wanted.is_some_and(|wanted| wanted.enabled == Some(true));
    let rotated_by = |state, by: &String| (state, Cause::RotatedBy(by.clone()), None);
    match (record.rotation_enabled, &record.owning_service, &record.partner_type) {
        (Some(true), Some(service), _) => rotated_by(State::ByAService, service),
        (Some(true), None, Some(partner)) => rotated_by(State::ByAPartner, partner),
        (Some(true), None, None) => match record.next_rotation {
            Some(next) if next - now <= DUE_WITHIN => (State::Due, Cause::Next(next), None),
            Some(next) => (State::Ok, Cause::Next(next), None),
            None => (State::Ok, Cause::Nothing, None),
        },
        (_, Some(service), _) if facts.wanted.is_none() => rotated_by(State::ByAService, service),
        (_, _, Some(partner)) if facts.wanted.is_none() => rotated_by(State::ByAPartner, partner),
        _ if facts.wanted.is_none() => (State::Unmanaged, Cause::Nothing, None),
        (Some(false), _, _) => (State::Off, if wants_rotation { Cause::WantedOn } else { Cause::Nothing }, None),
        (None, _, _) => (State::Never, if wants_rotation { Cause::WantedOn } else { Cause::Nothing }, None),
    }
}

/// Whether something happened after the last rotation that succeeded: what was before it is mended.
fn is_newer(at: i64, record: &SecretRecord) -> bool {
    record.last_rotated.is_none_or(|last| at > last)
}

/// Why a rotation should have happened by now, and since when.
fn overdue(record: &SecretRecord, now: i64) -> Option<(Cause, i64)> {
    if let Some(at) = record.next_rotation.filter(|at| *at < now) {
        return Some((Cause::NextRotationPassed { at }, at));
    }
    let last = record.unchanged_since()?;
    let hours = schedule::worst_gap_hours(record.rules.as_ref()?)?;
    let limit = last.checked_add(i64::from(hours) * 3600)?;
    // A schedule that was set later than the last rotation may lawfully wait longer: AWS's own date then lies ahead.
    (limit < now && record.next_rotation.is_none()).then_some((Cause::WorstCasePassed { last, hours }, limit))
}

/// The window in which a rotation began that began at a moment; `None` where it began outside of all, as one that was asked for does.
fn window_of(record: &SecretRecord, began: i64) -> Option<Window> {
    let rules = record.rules.as_ref()?;
    let began = DateTime::<Utc>::from_timestamp(began, 0)?;
    let anchor = match &rules.schedule {
        // A window is a day long at most: one that was open opened within the day before.
        Schedule::Expression(text) if text.starts_with("cron(") => {
            began.checked_sub_signed(TimeDelta::try_hours(25)?)?
        }
        _ => DateTime::<Utc>::from_timestamp(record.unchanged_since()?, 0)?,
    };
    schedule::windows(rules, anchor)
        .take_while(|window| window.opens <= began)
        .take(MOST_WINDOWS)
        .find(|window| began < window.closes)
}

/// How many windows are looked through: a secret that rotates every four hours and hasn't for a year.
const MOST_WINDOWS: usize = 3_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    /// Noon of 2026-11-29, UTC.
    const NOW: i64 = 1_795_953_600;

    /// A secret that rotates every 30 days, did so 10 days ago, and will in 20.
    fn healthy() -> SecretRecord {
        SecretRecord {
            name: "app/key".to_owned(),
            arn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/key-AbCdEf".to_owned(),
            rotation_enabled: Some(true),
            function_arn: Some("arn:aws:lambda:eu-west-1:111122223333:function:rotate".into()),
            rules: Some(RotationRules::new(Schedule::AutomaticallyAfterDays(30), None)),
            created: Some(NOW - 400 * DAY),
            last_rotated: Some(NOW - 10 * DAY),
            next_rotation: Some(NOW + 20 * DAY),
            current_version: Some("v2".to_owned()),
            ..SecretRecord::default()
        }
    }

    fn pending() -> SecretRecord {
        SecretRecord { pending_version: Some("v3".to_owned()), ..healthy() }
    }

    fn wanted(enabled: Option<bool>) -> Wanted {
        Wanted { address: Address::new(None, Kind::Secret, "app/key"), enabled, labels: BTreeMap::new() }
    }

    fn facts<'a>(record: Option<&'a SecretRecord>, wanted: Option<&'a Wanted>) -> Facts<'a> {
        Facts {
            record,
            name: "app/key",
            wanted,
            pending_since: None,
            failure: None,
            value_since: None,
            target: None,
            rules: &[],
            is_strict: false,
        }
    }

    fn state(record: &SecretRecord, pending_since: Option<i64>) -> (State, bool) {
        let wanted = wanted(Some(true));
        let found = judge(&Facts { pending_since, ..facts(Some(record), Some(&wanted)) }, NOW);
        (found.state, found.is_trouble)
    }

    /// Without it, a secret that hasn't rotated for weeks could read `ok`, or a healthy one wake somebody at night.
    #[test]
    fn each_state_is_told_from_its_neighbours() {
        assert_eq!(state(&healthy(), None), (State::Ok, false));
        let next = |at| SecretRecord { next_rotation: Some(at), ..healthy() };
        assert_eq!(state(&next(NOW + DAY + 1), None), (State::Ok, false));
        assert_eq!(state(&next(NOW + DAY), None), (State::Due, false));
        assert_eq!(state(&next(NOW), None), (State::Due, false), "the date is the latest moment");
        assert_eq!(state(&next(NOW - 1), None), (State::Overdue, true));
        assert_eq!(state(&SecretRecord { current_version: None, ..healthy() }, None), (State::NoValue, true));
        assert_eq!(
            state(&SecretRecord { deletion: Some(NOW + DAY), ..healthy() }, None),
            (State::ScheduledForDeletion, true)
        );
        assert_eq!(state(&SecretRecord { rotation_enabled: Some(false), ..healthy() }, None), (State::Off, true));
        assert_eq!(state(&SecretRecord { rotation_enabled: None, ..healthy() }, None), (State::Never, true));
        assert_eq!(
            state(&SecretRecord { replica_of: Some("us-east-1".to_owned()), ..next(NOW - DAY) }, None),
            (State::Replica, false)
        );
        assert_eq!(
            state(&SecretRecord { owning_service: Some("rds".to_owned()), ..healthy() }, None),
            (State::ByAService, false)
        );
        assert_eq!(
            state(&SecretRecord { owning_service: Some("rds".to_owned()), ..next(NOW - DAY) }, None),
            (State::Overdue, true)
        );
        let partner = SecretRecord { partner_type: Some("SalesforceClientSecret".to_owned()), ..healthy() };
        assert_eq!(state(&partner, None), (State::ByAPartner, false));
    }

    /// Without it, a rotation under way would count as stuck, or a stuck one as under way for ever.
    #[test]
    fn a_pending_version_is_judged_by_its_age_and_window() {
        assert_eq!(state(&pending(), None), (State::InProgress, false), "an age that isn't known proves nothing");
        assert_eq!(state(&pending(), Some(NOW - HOUR)), (State::InProgress, false));
        assert_eq!(state(&pending(), Some(NOW - DAY)), (State::InProgress, false));
        assert_eq!(state(&pending(), Some(NOW - DAY - 1)), (State::Stuck, true));
        // AWS leaves the label beside AWSCURRENT after a rotation: that is none.
        let beside = SecretRecord { pending_version: Some("v2".to_owned()), ..healthy() };
        assert_eq!(state(&beside, None), (State::Ok, false));
        // Its window was from 8 to 10 this morning, and it began in it.
        let rules = RotationRules::new(Schedule::Expression("cron(0 8 ? * * *)".to_owned()), Some(2));
        let morning = SecretRecord { rules: Some(rules), ..pending() };
        assert_eq!(state(&morning, Some(NOW - 3 * HOUR)), (State::Stuck, true));
        assert_eq!(state(&morning, Some(NOW - HOUR)), (State::InProgress, false), "asked for after the window");
        // The window is still open at noon.
        let rules = RotationRules::new(Schedule::Expression("cron(0 8 ? * * *)".to_owned()), Some(6));
        let open = SecretRecord { rules: Some(rules), ..pending() };
        assert_eq!(state(&open, Some(NOW - 3 * HOUR)), (State::InProgress, false));
    }

    /// Without it, a window that closed a minute after its rotation began would call every second rotation stuck.
    #[test]
    fn what_began_late_in_its_window_has_an_hour() {
        let rules = RotationRules::new(Schedule::Expression("cron(0 10 ? * * *)".to_owned()), Some(1));
        let late = SecretRecord { rules: Some(rules), ..pending() };
        assert_eq!(state(&late, Some(NOW - HOUR - 60)).0, State::Stuck);
        let rules = RotationRules::new(Schedule::Expression("cron(0 11 ? * * *)".to_owned()), Some(1));
        let later = SecretRecord { rules: Some(rules), ..pending() };
        assert_eq!(
            judge(&Facts { pending_since: Some(NOW - 60), ..facts(Some(&later), None) }, NOW + 300).state,
            State::InProgress
        );
    }

    /// Without it, a secret whose date AWS leaves out would never be overdue.
    #[test]
    fn without_a_date_the_rules_worst_case_counts() {
        let undated = |days| SecretRecord { next_rotation: None, last_rotated: Some(NOW - days * DAY), ..healthy() };
        assert_eq!(state(&undated(30), None).0, State::Ok, "its window is a day long");
        let found = judge(&facts(Some(&undated(32)), None), NOW);
        assert_eq!(found.state, State::Overdue);
        assert_eq!(found.cause, Cause::WorstCasePassed { last: NOW - 32 * DAY, hours: 31 * 24 });
        let never = SecretRecord { last_rotated: None, created: Some(NOW - 32 * DAY), ..undated(0) };
        assert_eq!(state(&never, None).0, State::Overdue);
    }

    /// Without it, an old failure would haunt a secret that has rotated since, or a fresh one be hidden by a date ahead.
    #[test]
    fn a_failure_counts_until_a_rotation_has_succeeded() {
        let wanted = wanted(Some(true));
        let evidence = |at| Evidence { at, trouble: Box::default(), said_by: SaidBy::Event };
        let newer = evidence(NOW - 9 * DAY);
        let found = judge(&Facts { failure: Some(&newer), ..facts(Some(&healthy()), Some(&wanted)) }, NOW);
        assert_eq!((found.state, found.is_trouble, found.since), (State::Failing, true, Some(NOW - 9 * DAY)));
        let older = evidence(NOW - 11 * DAY);
        let found = judge(&Facts { failure: Some(&older), ..facts(Some(&healthy()), Some(&wanted)) }, NOW);
        assert_eq!(found.state, State::Ok);
        // Since when: the window that it missed, not the oldest event.
        let missed = SecretRecord { next_rotation: Some(NOW - 5 * DAY), ..healthy() };
        let found = judge(&Facts { failure: Some(&newer), ..facts(Some(&missed), Some(&wanted)) }, NOW);
        assert_eq!((found.state, found.since), (State::Failing, Some(NOW - 5 * DAY)));
    }

    /// Without it, an account's other teams would turn a pipeline red, or a manifest's own wish to have rotation off.
    #[test]
    fn only_what_was_asked_for_is_trouble() {
        let overdue = SecretRecord { next_rotation: Some(NOW - 1), ..healthy() };
        let unmanaged = judge(&facts(Some(&overdue), None), NOW);
        assert_eq!((unmanaged.state, unmanaged.is_trouble), (State::Overdue, false));
        let strict = judge(&Facts { is_strict: true, ..facts(Some(&overdue), None) }, NOW);
        assert!(strict.is_trouble);
        let off = SecretRecord { rotation_enabled: Some(false), ..healthy() };
        for (enabled, trouble) in [(Some(true), true), (Some(false), false), (None, false)] {
            let wanted = wanted(enabled);
            let found = judge(&facts(Some(&off), Some(&wanted)), NOW);
            assert_eq!((found.state, found.is_trouble), (State::Off, trouble), "{enabled:?}");
        }
        assert_eq!(judge(&facts(Some(&off), None), NOW).state, State::Unmanaged);
        let gone = judge(&facts(None, Some(&wanted(None))), NOW);
        assert_eq!((gone.state, gone.is_trouble), (State::Missing, true));
        let service = SecretRecord { owning_service: Some("rds".to_owned()), ..off };
        assert_eq!(judge(&facts(Some(&service), None), NOW).state, State::ByAService);
    }
}
