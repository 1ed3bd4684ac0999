//! How a function's test ended: told from the function's log, which is the only place where AWS says it.
//!
//! An invocation belongs to a request where its lines name the request's token; or the secret, after the request; or where it is the
//! only one since. Anything else, silence above all, proves nothing.

use crate::model::LogEvent;
use crate::model::invocation::{Invocation, invocations, writes_failures};
use crate::model::live::Configuration;
use crate::model::trouble::Trouble;

/// A request whose end is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The `ClientRequestToken`, which is the id of the version that it makes.
    pub token: &'a str,
    /// The secret's ARN.
    pub secret_arn: &'a str,
    /// When it was sent, by AWS's clock, in milliseconds since 1970 (UTC).
    pub sent: i64,
    /// How many requests were sent to the function together, this one among them.
    pub together: usize,
}

/// A function, as far as its log's meaning hangs on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// Its runtime; `None` where it isn't known.
    pub runtime: Option<String>,
    /// Whether it has the log group to itself, as far as is known.
    pub own_group: bool,
}

impl Logged {
    /// What is known of a function whose configuration was read.
    pub fn of(live: &Configuration) -> Self {
        Self { runtime: live.settings.runtime.clone(), own_group: live.log_group.is_none() }
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An invocation that belongs to it ran without an error.
    Passed,
    /// An invocation that belongs to it failed.
    Failed(Box<Trouble>),
    /// Nothing says so.
    Unverified(Unproved),
}

/// Why a log doesn't say how a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproved {
    /// It has nothing since the request: the function wasn't invoked, may not write, or its words come later.
    Silent,
    /// An invocation belongs to it, and its end isn't in the log.
    NoEnd,
    /// So many invocations since the request could be its own.
    Several(usize),
    /// The function's runtime doesn't write into a log in text what it catches.
    Format,
    /// Other functions may write into the same log group, and no line names the request.
    SharedGroup,
    /// The sandbox can't run the function's runtime, and simulated it.
    Simulated,
}

/// How a request ended, by a log since it was sent. `events` come in the order of their times.
pub fn verdict(events: &[LogEvent], request: Request<'_>, function: &Logged) -> Verdict {
    let text = function.runtime.as_deref().is_some_and(writes_failures);
    let all = invocations(events);
    let named: Vec<&Invocation> = all.iter().filter(|one| one.names(request.token)).collect();
    // What was logged before any invocation says something of one only where the code couldn't be loaded.
    let is_one = |one: &&Invocation| one.id.is_some() || one.has_failed();
    let since: Vec<&Invocation> = all.iter().filter(|one| one.began >= request.sent).filter(is_one).collect();
    let of_secret: Vec<&Invocation> = since.iter().copied().filter(|one| one.names(request.secret_arn)).collect();
    let own = [named, of_secret].into_iter().find(|some| !some.is_empty());
    if let Some(own) = own {
        return judge(&own, text);
    }
    match since[..] {
        [] if events.iter().any(is_simulated) => Verdict::Unverified(Unproved::Simulated),
        [] => Verdict::Unverified(Unproved::Silent),
        _ if !function.own_group => Verdict::Unverified(Unproved::SharedGroup),
        [_] if request.together <= 1 => judge(&since, text),
        // Whichever is its own, it failed.
        _ if since.len() >= request.together && since.iter().all(|one| one.has_failed()) => judge(&since, text),
        _ => Verdict::Unverified(Unproved::Several(since.len())),
    }
}

/// Whether a sandbox says that it ran none of a function's code.
fn is_simulated(event: &LogEvent) -> bool {
    event.message.starts_with("[sandbox] ") && event.message.contains(" is SIMULATED")
}

/// What the tries of a rotation did that hasn't ended yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    /// How many invocations there were.
    pub all: usize,
    /// How many invocations have failed.
    pub failed: usize,
    /// The first of them, where there are several.
    pub first: Option<Box<Trouble>>,
    /// The last of them.
    pub last: Option<Box<Trouble>>,
    /// Whether they surely belong to the rotation: their lines name it, or nothing else was asked of the function.
    pub certain: bool,
    /// Whether the last invocation has failed, and none has begun since.
    pub rests: bool,
}

/// What a rotation's tries did, by a log since it was asked for. `events` come in the order of their times.
pub fn tries(events: &[LogEvent], request: Request<'_>, function: &Logged) -> Tries {
    let all = invocations(events);
    let since = |one: &&Invocation| one.began >= request.sent;
    let own = |one: &&Invocation| one.names(request.token) || (since(one) && one.names(request.secret_arn));
    let named: Vec<&Invocation> = all.iter().filter(own).collect();
    let others: Vec<&Invocation> = all.iter().filter(since).collect();
    // What can't be loaded, or takes too long, names nothing.
    let is_nameless = |one: &&&Invocation| one.has_failed() && !own(one);
    let nameless = others.iter().filter(is_nameless).count();
    let alone = function.own_group && request.together <= 1;
    let (mine, certain) = if alone && (named.is_empty() || nameless > 0) {
        (others, true)
    } else if named.iter().any(|one| one.has_failed()) {
        (named, true)
    } else {
        (others, false)
    };
    let failed: Vec<&Invocation> = mine.iter().copied().filter(|one| one.has_failed()).collect();
    let trouble = |one: &&Invocation| Box::new(Trouble::of(one));
    Tries {
        all: mine.len(),
        failed: failed.len(),
        first: failed.first().filter(|_| failed.len() > 1).map(trouble),
        last: failed.last().map(trouble),
        certain,
        rests: mine.last().is_some_and(|last| last.has_failed()),
    }
}

/// Of those that belong to one request, the last says how it ended: Secrets Manager may try again.
fn judge(own: &[&Invocation<'_>], text: bool) -> Verdict {
    let Some(last) = own.last() else { return Verdict::Unverified(Unproved::Silent) };
    if last.has_failed() {
        Verdict::Failed(Box::new(Trouble::of(last)))
    } else if last.has_passed(text) {
        Verdict::Passed
    } else if last.has_passed(true) {
        Verdict::Unverified(Unproved::Format)
    } else {
        Verdict::Unverified(Unproved::NoEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "6b7391d3-d3e7-4bd6-8038-39754d066c56";
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/one-AbCdEf";
    const OTHER: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/two-AbCdEf";
    const RAISED: &str = "[ERROR] RuntimeError: no\nTraceback (most recent call last):\n";

    /// A log of invocations, each begun at a moment, with its words; `report`: whether its end is there.
    fn log(all: &[(i64, &str, bool)]) -> Vec<LogEvent> {
        let mut events = Vec::new();
        for (number, (at, words, report)) in all.iter().enumerate() {
            let mut push = |message: String| events.push(LogEvent { stream: "a".to_owned(), at: *at, message });
            push(format!("START RequestId: r{number} Version: $LATEST\n"));
            if !words.is_empty() {
                push((*words).to_owned());
            }
            if *report {
                push(format!("END RequestId: r{number}\n"));
                push(format!("REPORT RequestId: r{number}\tDuration: 1.00 ms\n"));
            }
        }
        events
    }

    fn judged(all: &[(i64, &str, bool)], together: usize) -> Verdict {
        let request = Request { token: TOKEN, secret_arn: SECRET, sent: 1_000, together };
        verdict(&log(all), request, &Logged { runtime: Some("python3.12".to_owned()), own_group: true })
    }

    fn is_failed(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Failed(_))
    }

    /// Without it, silence would be taken for success: the one thing that must never be said.
    #[test]
    fn silence_proves_nothing() {
        assert_eq!(judged(&[], 1), Verdict::Unverified(Unproved::Silent));
        // What ran before the request is no answer to it, however well it went.
        assert_eq!(judged(&[(999, "", true)], 1), Verdict::Unverified(Unproved::Silent));
        assert_eq!(judged(&[(1_000, "", false)], 1), Verdict::Unverified(Unproved::NoEnd));
        let words = format!("[INFO]\tt\tr0\ttesting {TOKEN}\n");
        assert_eq!(judged(&[(1_000, &words, false)], 1), Verdict::Unverified(Unproved::NoEnd));
    }

    /// Without it, an apply would wait a minute for each test of a function that a sandbox only simulates.
    #[test]
    fn a_simulation_is_no_test() {
        let line = "[sandbox] testSecret is SIMULATED: no runtime for java21\n";
        let simulated = LogEvent { stream: "simulated".to_owned(), at: 1_500, message: line.to_owned() };
        let request = Request { token: TOKEN, secret_arn: SECRET, sent: 1_000, together: 1 };
        let function = Logged { runtime: Some("java21".to_owned()), own_group: true };
        let unproved = |events: &[LogEvent]| verdict(events, request, &function);
        assert_eq!(unproved(std::slice::from_ref(&simulated)), Verdict::Unverified(Unproved::Simulated));
        let words = LogEvent { message: "loading\n".to_owned(), ..simulated };
        assert_eq!(unproved(&[words]), Verdict::Unverified(Unproved::Silent));
    }

    /// Without it, a function that names nothing could never be proved, or another secret's invocation would be taken for this one's.
    #[test]
    fn the_only_invocation_since_belongs_to_it() {
        assert_eq!(judged(&[(1_500, "", true)], 1), Verdict::Passed);
        assert!(is_failed(&judged(&[(1_500, RAISED, true)], 1)));
        assert_eq!(judged(&[(1_500, "", true), (1_600, "", true)], 1), Verdict::Unverified(Unproved::Several(2)));
        assert_eq!(judged(&[(1_500, RAISED, true), (1_600, "", true)], 1), Verdict::Unverified(Unproved::Several(2)));
        // Two requests, and one invocation so far: it may be either's.
        assert_eq!(judged(&[(1_500, "", true)], 2), Verdict::Unverified(Unproved::Several(1)));
        assert_eq!(judged(&[(1_500, RAISED, true)], 2), Verdict::Unverified(Unproved::Several(1)));
    }

    /// Without it, a function that fails for thirty secrets at once would end green for all of them.
    #[test]
    fn where_all_failed_it_failed_too() {
        assert!(is_failed(&judged(&[(1_500, RAISED, true), (1_600, RAISED, true)], 2)));
        let mixed = judged(&[(1_500, RAISED, true), (1_600, "", true), (1_700, RAISED, true)], 2);
        assert_eq!(mixed, Verdict::Unverified(Unproved::Several(3)));
    }

    /// Without it, the failure of another secret on a shared function would make this one red, or its success green.
    #[test]
    fn names_decide_among_several() {
        let ours = format!("[INFO]\tt\tr\tversion {TOKEN}\n");
        let others = format!("testing {OTHER}\n");
        assert_eq!(judged(&[(1_500, &ours, true), (1_600, RAISED, true)], 1), Verdict::Passed);
        assert_eq!(judged(&[(1_500, &ours, true), (1_600, &others, true)], 9), Verdict::Passed);
        let raised = format!("{RAISED}ValueError: {TOKEN}\n");
        assert!(is_failed(&judged(&[(1_500, &raised, true), (1_600, "", true)], 1)));
        // Where the clocks differ, the token is still the request's own.
        assert!(is_failed(&judged(&[(10, &raised, true)], 1)));
        let of_secret = format!("testing {SECRET}\n");
        assert_eq!(judged(&[(1_500, &of_secret, true), (1_600, RAISED, true)], 1), Verdict::Passed);
        // The secret is named by earlier rotations too.
        assert_eq!(judged(&[(10, &of_secret, true)], 1), Verdict::Unverified(Unproved::Silent));
        // Tried again: the last counts.
        let failed = format!("{RAISED}{TOKEN}\n");
        assert_eq!(judged(&[(1_500, &failed, true), (1_600, &ours, true)], 1), Verdict::Passed);
        assert!(is_failed(&judged(&[(1_500, &ours, true), (1_600, &failed, true)], 1)));
    }

    /// Without it, the wait for a rotation would say what another secret's did, or nothing of code that can't be loaded.
    #[test]
    fn tries_are_those_of_the_rotation() {
        let of = |all: &[(i64, &str, bool)], together| {
            let request = Request { token: TOKEN, secret_arn: SECRET, sent: 1_000, together };
            let function = Logged { runtime: Some("python3.12".to_owned()), own_group: true };
            let tries = tries(&log(all), request, &function);
            (tries.failed, tries.certain, tries.rests, tries.first.is_some())
        };
        let ours = format!("{RAISED}{TOKEN}\n");
        let others = format!("{RAISED}{OTHER}\n");
        assert_eq!(of(&[], 1), (0, true, false, false));
        assert_eq!(of(&[(1_100, &ours, true), (1_200, &ours, true)], 2), (2, true, true, true));
        assert_eq!(of(&[(1_100, &ours, true), (1_200, &others, true)], 2), (1, true, true, false));
        assert_eq!(of(&[(1_100, RAISED, true)], 1), (1, true, true, false), "it can't be loaded, and names nothing");
        assert_eq!(of(&[(1_100, RAISED, true)], 2), (1, false, true, false));
        assert_eq!(of(&[(1_100, RAISED, true), (1_200, "", false)], 1), (1, true, false, false), "another try runs");
        assert_eq!(of(&[(900, RAISED, true)], 1), (0, true, false, false));
    }

    /// Without it, a runtime that tells Lambda alone what it caught, or another function's words, would prove a success.
    #[test]
    fn what_the_log_cannot_say_is_not_believed() {
        let request = Request { token: TOKEN, secret_arn: SECRET, sent: 1_000, together: 1 };
        let events = log(&[(1_500, "", true)]);
        for (runtime, own_group, unproved) in [
            (Some("provided.al2023"), true, Unproved::Format),
            (None, true, Unproved::Format),
            (Some("python3.12"), false, Unproved::SharedGroup),
        ] {
            let function = Logged { runtime: runtime.map(str::to_owned), own_group };
            assert_eq!(verdict(&events, request, &function), Verdict::Unverified(unproved));
        }
        // What is named is believed in whatever group.
        let named = log(&[(1_500, TOKEN, true)]);
        let shared = Logged { runtime: Some("python3.12".to_owned()), own_group: false };
        assert_eq!(verdict(&named, request, &shared), Verdict::Passed);
    }
}
