//! Why suspects' rotations fail, for `rotator status --reasons`: events first, then what the functions have logged.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use crate::aws::fleet::Fleet;
use crate::aws::reader::{LOGS, Reader};
use crate::model::LogEvent;
use crate::model::account::AccountFunction;
use crate::model::arn::{default_log_group, is_in};
use crate::model::invocation::invocations;
use crate::model::live::{Configuration, Unread};
use crate::model::rotation_event::RotationEvent;
use crate::model::trouble::Trouble;
use crate::plan::verdict::{Logged, Request, tries};
use crate::status::{Evidence, Reasons, SaidBy, SecretStatus, State, TargetStatus};

/// How long before its failure a try may have begun, in seconds: a function runs for 15 minutes at most.
const TRY: i64 = 15 * 60;

/// How long before the date that AWS shows a window may have opened, in seconds.
const WINDOW: i64 = 25 * 3600;

/// How far apart an event and what a function has logged about the same failure may be, in seconds.
const SAME_TIME: i64 = 5;

/// The failures of rotations that are known, by the secret's ARN.
pub type Failures = BTreeMap<String, Evidence>;

/// A secret whose rotation may have failed.
struct Suspect<'a> {
    arn: &'a str,
    function: Option<&'a str>,
    /// The version that its rotation makes.
    version: Option<&'a str>,
    /// Since when its tries may have been, in seconds since 1970.
    since: i64,
    /// When its last try failed, by an event, in seconds since 1970.
    failed: Option<i64>,
}

/// Looks for what shows that rotations have failed since a moment, in seconds since 1970.
pub async fn look(reader: &Reader, status: &TargetStatus, fleet: &Fleet, since: i64) -> (Failures, Reasons) {
    let suspicious: Vec<&SecretStatus> = status.secrets.iter().filter(|secret| is_suspect(secret.state)).collect();
    let mut reasons = Reasons { suspects: suspicious.len(), ..Reasons::default() };
    if suspicious.is_empty() {
        return (Failures::new(), reasons);
    }
    let arns: BTreeSet<String> = suspicious.iter().filter_map(|secret| secret.arn.clone()).collect();
    let events = match reader.failures(&arns, since).await {
        Ok(failures) => {
            (reasons.events_since, reasons.is_cut) = (Some(failures.looked_back_to), failures.is_cut);
            failures.newest
        }
        Err(error) => {
            reasons.unread.push(("CloudTrail".to_owned(), Unread::from(error)));
            BTreeMap::new()
        }
    };
    let records: BTreeMap<&str, _> = fleet
        .secrets
        .values()
        .filter_map(|secret| secret.found())
        .map(|record| (record.arn.as_str(), record))
        .collect();
    let suspects = suspicious.iter().filter_map(|secret| {
        let arn = secret.arn.as_deref()?;
        let (record, event) = (records.get(arn)?, events.get(arn));
        let pending = fleet.pending.get(arn).and_then(|since| since.as_ref().ok().copied().flatten());
        let began = [pending, event.map(|event| event.at - TRY), record.next_rotation.map(|at| at - WINDOW)];
        Some(Suspect {
            arn,
            function: secret.function_arn.as_deref(),
            version: record.unfinished_rotation().or_else(|| event.and_then(|event| event.version.as_deref())),
            since: began.into_iter().flatten().min().unwrap_or(since).max(since),
            failed: event.map(|event| event.at),
        })
    });
    let mut by_function: BTreeMap<&str, Vec<Suspect<'_>>> = BTreeMap::new();
    for suspect in suspects {
        by_function.entry(suspect.function.unwrap_or_default()).or_default().push(suspect);
    }
    let mut known: Failures = events.iter().map(|(arn, event)| (arn.clone(), of_event(event))).collect();
    let here = by_function.iter().filter(|(function, _)| is_in(function, reader.account(), reader.region()));
    let to_read = here.filter_map(|(function, suspects)| Some((*function, fleet.functions.get(*function)?, suspects)));
    let read = futures::stream::iter(to_read.collect::<Vec<_>>())
        .map(|(function, live, suspects)| logged(reader, function, live, suspects));
    let read: Vec<_> = read.buffered(LOGS).collect().await;
    for found in read {
        match found {
            Ok(found) => found.into_iter().for_each(|(arn, evidence)| merge(&mut known, arn, evidence)),
            Err(unread) => reasons.unread.push(unread),
        }
    }
    reasons.found = known.len();
    (known, reasons)
}

/// Whether a rotation that is in this state may have failed.
fn is_suspect(state: State) -> bool {
    matches!(state, State::Failing | State::Stuck | State::Overdue | State::InProgress)
}

fn of_event(event: &RotationEvent) -> Evidence {
    let trouble = Trouble { at: event.at.saturating_mul(1000), step: event.step, ..Trouble::default() };
    Evidence { at: event.at, trouble: Box::new(trouble), said_by: SaidBy::Event }
}

/// What a log says is nearer to the cause; what it leaves out, an event of the same failure may know.
fn merge(known: &mut Failures, arn: String, logged: Evidence) {
    let event = known.remove(&arn);
    let step = logged.trouble.step.or_else(|| event.as_ref().and_then(|event| event.trouble.step));
    let at = event.map_or(logged.at, |event| event.at.max(logged.at));
    let trouble = Box::new(Trouble { step, ..*logged.trouble });
    known.insert(arn, Evidence { at, trouble, ..logged });
}

/// What a function's log says of its suspects' tries; or its log group, and why it can't be read.
async fn logged(
    reader: &Reader,
    function: &str,
    live: &AccountFunction,
    suspects: &[Suspect<'_>],
) -> Result<Vec<(String, Evidence)>, (String, Unread)> {
    let configuration = live.configuration.found();
    let group = configuration.map_or_else(|| default_log_group(function), Configuration::logs_to);
    let Logged { runtime, own_group } = configuration.map(Logged::of).unwrap_or_default();
    // Other secrets may rotate with the function: that an invocation is the only one proves nothing here.
    let logged = Logged { runtime, own_group: false };
    let since = suspects.iter().map(|suspect| suspect.since).min().unwrap_or_default();
    let events = reader.log(&group, since.saturating_mul(1000)).await;
    let events = events.map_err(|error| (group, Unread::from(error)))?;
    let found = suspects.iter().filter_map(|suspect| {
        let request = Request {
            token: suspect.version.unwrap_or_default(),
            secret_arn: suspect.arn,
            sent: suspect.since.saturating_mul(1000),
            together: suspects.len(),
        };
        let tries = tries(&events, request, &logged);
        // Where all have failed, its own has too.
        let is_certain = tries.certain || (own_group && tries.failed == tries.all);
        let named = tries.last.filter(|_| is_certain);
        let trouble = named.or_else(|| at_the_time(&events, suspect.failed.filter(|_| own_group)?))?;
        let trouble = Box::new(Trouble { lines: Vec::new(), ..*trouble });
        Some((suspect.arn.to_owned(), Evidence { at: trouble.at / 1000, trouble, said_by: SaidBy::Log }))
    });
    Ok(found.collect())
}

/// What failed when an event says that a rotation did. Several that failed then, each in its own way, tell nothing.
fn at_the_time(events: &[LogEvent], failed: i64) -> Option<Box<Trouble>> {
    let all = invocations(events);
    let failures = all.iter().filter(|one| one.has_failed()).map(Trouble::of);
    let mut near = failures.filter(|trouble| (trouble.at / 1000 - failed).abs() <= SAME_TIME);
    let first = near.next()?;
    let is_same = |other: Trouble| (other.step, &other.place, &other.error) == (first.step, &first.place, &first.error);
    near.all(is_same).then(|| Box::new(first))
}
