//! Scripted failures: which call, what goes wrong with it, when, how often.
//!
//! A script is a JSON array of rules, an object with `rules`, or one rule a line. A member that isn't known, or that doesn't
//! fit the others, is refused: it would be a failure that never happens.
//!
//! ```json
//! {"service": "secretsmanager", "operation": "RotateSecret", "skip": 2, "times": 1,
//!  "error": {"status": 400, "code": "ThrottlingException", "message": "Rate exceeded"}}
//! {"operation": "UpdateFunctionCode", "when": "after", "reset": true}
//! {"operation": "DescribeSecret", "match": "payments/", "delay_ms": 250}
//! {"service": "lambda", "every": 10, "answer": {"status": 502, "content_type": "text/html", "body": "<html>…"}}
//! {"operation": "GetFunction", "percent": 5, "seed": 7, "break_body": "reset"}
//! {"operation": "ListSecrets", "stale_seconds": 300}
//! ```
//!
//! | Which calls | |
//! |---|---|
//! | `service` | a service's signing name; absent: every service |
//! | `operation` | the name of an operation that is served, or that a path names; absent: every operation |
//! | `match` | what the request must contain: its body, or its path and query |
//! | `caller` | the access key id that the request is signed with: one of several clients |
//! | `region` | the region that the request is signed for |
//!
//! | Which of those | |
//! |---|---|
//! | `skip` | so many pass first |
//! | `every` | of the rest, every so many'th is hit |
//! | `percent`, `seed` | of the rest, so many in a hundred are hit, which ones follows from the seed: the same in each run |
//! | `times` | after so many hits, from 1 up, the rule rests; absent: never |
//!
//! | What goes wrong | |
//! |---|---|
//! | `error` | the service's own error: `code`, `status` (400), `message` |
//! | `answer` | what a load balancer in front of a service answers: `status`, `content_type`, `body`, all but the status may be absent; with 204 and 304 no body goes out |
//! | `reset` | no answer: the connection is reset (`ECONNRESET`) |
//! | `close` | no answer: the connection is closed in good order |
//! | `delay_ms` | the call waits first; alone, or before one of the others. Another script ends the wait; a client that goes away ends the call |
//! | `slow_body_ms` | the answer's body trickles over this time |
//! | `break_body` | half of the answer's body comes; then the connection is reset (`"reset"`), or closed (`"close"`), or all seems well, the length included (`"truncate"`) |
//! | `stale_seconds` | the call is answered as it would have been so many seconds of service time ago: for operations that list or describe |
//!
//! | `when` | |
//! |---|---|
//! | `"unread"` | once the request's head is read and before its body is: with `reset` and `close`. `match` sees path and query alone, and what `CloudFormation` and STS are asked for isn't known yet |
//! | `"before"` | before the call's effect; this is where it stands absent |
//! | `"after"` | after its effect: the call has done what it does, and its answer is lost |
//!
//! An operation that a service asks for beside the one that is called fails where a rule names it: an `error` of `ListTags` keeps the
//! tags out of `GetFunction`'s answer, with `TagsError` in their place, as on AWS for a caller without `lambda:ListTags`.
//!
//! What AWS's own consistency model does to clients is scripted with these: a permission that still spreads is an `error` of
//! `RotateSecret` with `times`, lists that lag are `stale_seconds`, a clock that is off is an `error` `SignatureDoesNotMatch`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use serde::Deserialize;
use tokio::sync::watch;

use super::call::Signer;
use super::operations;
use super::services::Service;
use super::wire::ApiError;

/// The longest of all waits, in milliseconds: an hour.
const LONGEST_WAIT: u64 = 3_600_000;

/// The furthest look back, in seconds: a day. AWS documents up to five minutes.
const LONGEST_LAG: u64 = 86_400;

/// When a failure comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before the request's body is read.
    Unread,
    /// Before the effect: the call does nothing.
    #[default]
    Before,
    /// After the effect: the call does what it does; its answer is lost.
    After,
}

/// An error to answer with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    #[serde(default = "bad_request")]
    pub status: u16,
    /// The error code.
    pub code: String,
    /// What people read.
    #[serde(default)]
    pub message: String,
}

fn bad_request() -> u16 {
    400
}

/// An answer that no service gave: a load balancer's, or a proxy's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Such as `text/html`; absent: none is said.
    pub content_type: Option<String>,
    /// As it is sent; absent: empty.
    #[serde(default)]
    pub body: String,
}

/// How an answer's body ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Break {
    /// The connection is reset in the middle.
    Reset,
    /// The connection is closed in the middle: fewer bytes than `Content-Length` said.
    Close,
    /// The text ends in the middle, and `Content-Length` agrees.
    Truncate,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// A service's signing name; absent: every service.
    pub service: Option<String>,
    /// An operation's name; absent: every operation.
    pub operation: Option<String>,
    /// What the request must contain: its body, or its path and query.
    #[serde(rename = "match")]
    pub matches: Option<String>,
    /// The caller's access key id; absent: every caller, and what `CloudFormation` calls.
    pub caller: Option<String>,
    /// The region that the request is signed for; absent: every region, and what `CloudFormation` calls.
    pub region: Option<String>,
    /// Answer with this error.
    pub error: Option<Failure>,
    /// Answer with this, in no service's words.
    pub answer: Option<Answer>,
    /// Reset the connection without an answer.
    pub reset: bool,
    /// Close the connection without an answer.
    pub close: bool,
    /// Wait first, in milliseconds: up to an hour.
    pub delay_ms: u64,
    /// The answer's body takes this long, in milliseconds: up to an hour.
    pub slow_body_ms: u64,
    /// The answer's body breaks off.
    pub break_body: Option<Break>,
    /// Answer from the state of so many seconds ago: 1 to 86,400.
    pub stale_seconds: Option<u64>,
    /// When it fails.
    pub when: When,
    /// How many calls it hits; absent: all.
    pub times: Option<u32>,
    /// How many matching calls it lets through first.
    pub skip: u32,
    /// It hits one call in so many: the last one of each such row. From 1.
    pub every: Option<u32>,
    /// It hits so many calls in a hundred: 1 to 100.
    pub percent: Option<u8>,
    /// Which calls `percent` hits follows from this; absent: 0.
    pub seed: Option<u64>,
}

impl Rule {
    /// What is wrong with it as a whole, in words for its author.
    fn problem(&self) -> Option<String> {
        let failures = [
            ("error", self.error.is_some()),
            ("answer", self.answer.is_some()),
            ("reset", self.reset),
            ("close", self.close),
        ];
        let failures: Vec<&str> = failures.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
        let statuses =
            [self.error.as_ref().map(|error| error.status), self.answer.as_ref().map(|answer| answer.status)];
        let delivered = [
            ("slow_body_ms", self.slow_body_ms > 0),
            ("break_body", self.break_body.is_some()),
            ("stale_seconds", self.stale_seconds.is_some()),
        ];
        let delivered: Vec<&str> = delivered.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
        let services = Service::ALL.map(Service::name);
        let by_query = |name: &str| name == Service::CloudFormation.name() || name == Service::Sts.name();
        if let Some(unknown) = self.service.as_deref().filter(|name| !services.contains(name)) {
            Some(format!("`{unknown}` is not served; `service` is one of {}", services.join(", ")))
        } else if failures.len() > 1 {
            Some(format!("`{}` and `{}` exclude each other", failures[0], failures[1]))
        } else if failures.is_empty() && delivered.is_empty() && self.delay_ms == 0 {
            Some("nothing goes wrong by it: it needs `error`, `answer`, `reset`, `close`, `delay_ms`, `slow_body_ms`, `break_body` or `stale_seconds`".to_owned())
        } else if let Some(status) = statuses.into_iter().flatten().find(|status| !(200..=599).contains(status)) {
            Some(format!("{status} is no status of an answer: `status` is from 200 to 599"))
        } else if self.delay_ms.max(self.slow_body_ms) > LONGEST_WAIT {
            Some(format!("`delay_ms` and `slow_body_ms` are at most {LONGEST_WAIT}, an hour"))
        } else if !delivered.is_empty() && (self.reset || self.close) {
            Some(format!("`{}` needs an answer, and `{}` gives none", delivered[0], failures[0]))
        } else if self.when == When::Unread && !(self.reset || self.close) {
            Some("`\"when\": \"unread\"` goes with `reset` or `close`".to_owned())
        } else if self.when == When::Unread && self.operation.is_some() && self.service.as_deref().is_some_and(by_query)
        {
            Some("`\"when\": \"unread\"` takes no `operation` of this service, which names it in the body".to_owned())
        } else if self.stale_seconds.is_some_and(|seconds| !(1..=LONGEST_LAG).contains(&seconds)) {
            Some(format!("`stale_seconds` is from 1 to {LONGEST_LAG}"))
        } else if self.stale_seconds.is_some() && !self.operation.as_deref().is_some_and(only_reads) {
            Some("`stale_seconds` needs an `operation` that lists or describes, such as `ListSecrets`".to_owned())
        } else if self.every == Some(0) {
            Some("`every` is from 1 up".to_owned())
        } else if self.percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            Some("`percent` is from 1 to 100".to_owned())
        } else if self.every.is_some() && self.percent.is_some() {
            Some("`every` and `percent` exclude each other".to_owned())
        } else if self.seed.is_some() && self.percent.is_none() {
            Some("`seed` goes with `percent`".to_owned())
        } else {
            None
        }
    }

    /// What of it could never be: a name that no call has, an answer that no connection carries.
    fn unusable(&self) -> Option<String> {
        let service = self.service.as_deref().and_then(Service::named);
        let code = self.error.as_ref().map(|error| error.code.as_str());
        let content_type = self.answer.as_ref().and_then(|answer| answer.content_type.as_deref());
        if let Some(unknown) = self.operation.as_deref().filter(|name| !operations::is_operation(service, name)) {
            let of = service.map_or("any service that is served".to_owned(), |service| format!("`{}`", service.name()));
            Some(format!("`{unknown}` is no operation of {of}"))
        } else if self.times == Some(0) {
            Some("`times` is from 1 up".to_owned())
        } else if let Some(code) =
            code.filter(|code| code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            Some(format!("`{code}` is no error code: it has letters and digits, and no spaces"))
        } else {
            let bad = content_type.filter(|text| HeaderValue::from_str(text).is_err());
            bad.map(|bad| format!("`{}` is no content type: no header can hold it", bad.escape_debug()))
        }
    }
}

/// Whether an operation answers from the state alone, so that it can be answered from an older one.
fn only_reads(operation: &str) -> bool {
    operation.starts_with("List")
        || operation.starts_with("Describe")
        || matches!(operation, "GetFunction" | "GetFunctionConfiguration" | "GetPolicy")
}

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It isn't JSON, or has members that no rule has.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A rule makes no sense.
    #[error("rule {number}: {problem}")]
    Rule {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a script can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// It can't be read.
    #[error("cannot read the faults `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It isn't a script.
    #[error("`{path}` is not a list of faults")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ScriptError,
    },
}

/// Reads a script from a file.
pub fn read(path: &Path) -> Result<Vec<Rule>, FaultsError> {
    let text = std::fs::read_to_string(path).map_err(|source| FaultsError::Io { path: path.to_owned(), source })?;
    parse(&text).map_err(|source| FaultsError::Format { path: path.to_owned(), source })
}

/// Reads a script: an array, an object with `rules`, or one rule a line.
pub fn parse(text: &str) -> Result<Vec<Rule>, ScriptError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Script {
        rules: Vec<Rule>,
    }
    let text = text.trim();
    // Which form it has is settled first, so that an error speaks of the form that was meant.
    let has_rules = || serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.get("rules").is_some());
    let rules: Vec<Rule> = if text.starts_with('[') {
        serde_json::from_str(text)?
    } else if has_rules() {
        serde_json::from_str::<Script>(text)?.rules
    } else {
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?
    };
    let problem =
        rules.iter().enumerate().find_map(|(at, rule)| Some((at + 1, rule.problem().or_else(|| rule.unusable())?)));
    problem.map_or(Ok(rules), |(number, problem)| Err(ScriptError::Rule { number, problem }))
}

/// What is to go wrong with one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// Wait first.
    pub delay: Duration,
    /// Then answer with this.
    pub error: Option<ApiError>,
    /// Or with this.
    pub answer: Option<Answer>,
    /// Or reset the connection.
    pub reset: bool,
    /// Or close it.
    pub close: bool,
    /// Before the effect, or after it.
    pub when: When,
    /// How long the answer's body takes.
    pub slow_body: Duration,
    /// How the answer's body breaks off.
    pub break_body: Option<Break>,
    /// How old the state is that it is answered from.
    pub stale: Option<Duration>,
    /// Which script its rule is from, counted from the sandbox's start.
    script: u64,
}

impl Fault {
    /// Whether the call gets no answer of its own.
    pub fn is_failure(&self) -> bool {
        self.reset || self.close || self.error.is_some() || self.answer.is_some()
    }
}

impl From<&Rule> for Fault {
    fn from(rule: &Rule) -> Self {
        let error = rule.error.as_ref();
        Self {
            delay: Duration::from_millis(rule.delay_ms),
            error: error.map(|error| ApiError::new(error.status, error.code.as_str(), error.message.as_str())),
            answer: rule.answer.clone(),
            reset: rule.reset,
            close: rule.close,
            when: rule.when,
            slow_body: Duration::from_millis(rule.slow_body_ms),
            break_body: rule.break_body,
            stale: rule.stale_seconds.map(Duration::from_secs),
            script: 0,
        }
    }
}

/// A rule in force.
#[derive(Debug)]
struct Active {
    rule: Rule,
    /// How many calls it met.
    met: u64,
    /// How many it hit.
    hits: u64,
    dice: fastrand::Rng,
}

impl Active {
    fn new(rule: Rule) -> Self {
        let dice = fastrand::Rng::with_seed(rule.seed.unwrap_or(0));
        Self { rule, met: 0, hits: 0, dice }
    }

    /// Counts a call that it meets; whether it hits it.
    fn hits(&mut self) -> bool {
        if self.rule.times.is_some_and(|times| self.hits >= u64::from(times)) {
            return false;
        }
        self.met += 1;
        let Some(nth) = self.met.checked_sub(u64::from(self.rule.skip)).filter(|nth| *nth > 0) else { return false };
        let hit = self.rule.every.is_none_or(|every| nth.is_multiple_of(u64::from(every)))
            && self.rule.percent.is_none_or(|percent| self.dice.u8(..100) < percent);
        self.hits += u64::from(hit);
        hit
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Active>>,
    /// Whether any rule is there at all: most sandboxes have none, and then calls don't queue here.
    any: AtomicBool,
    /// Whether a rule comes before a request's body.
    any_unread: AtomicBool,
    /// Which script is in force, counted from the sandbox's start.
    script: watch::Sender<u64>,
    /// How many calls wait at the moment.
    waiting: AtomicU64,
}

/// A call that waits, counted as long as it does.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Faults {
    /// Puts these rules in place of the old ones. Calls that wait go on.
    pub(super) fn replace(&self, rules: Vec<Rule>) {
        let mut active = self.lock();
        self.any.store(!rules.is_empty(), Ordering::Relaxed);
        self.any_unread.store(rules.iter().any(|rule| rule.when == When::Unread), Ordering::Relaxed);
        *active = rules.into_iter().map(Active::new).collect();
        self.script.send_modify(|script| *script += 1);
    }

    /// Waits as long as a fault says, or until another script is in force.
    pub(super) async fn wait(&self, fault: &Fault) {
        if fault.delay.is_zero() {
            return;
        }
        // A client that goes away drops this call, and its count with it.
        let _counted = Waiting::begin(&self.waiting);
        let mut script = self.script.subscribe();
        tokio::select! {
            () = tokio::time::sleep(fault.delay) => {}
            _ = script.wait_for(|script| *script != fault.script) => {}
        }
    }

    /// How many calls wait at the moment. Those of a rule with `"when": "after"` have had their effect.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many calls each rule has hit so far, in the script's order.
    pub fn hits(&self) -> Vec<u64> {
        self.lock().iter().map(|active| active.hits).collect()
    }

    /// What is to go wrong with a call: the first rule that hits it. `request` says whether it contains a text.
    pub fn take(
        &self,
        service: Service,
        operation: &str,
        signer: Signer<'_>,
        request: impl Fn(&str) -> bool,
    ) -> Option<Fault> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        self.first(service, (Some(operation), Some(signer)), false, request)
    }

    /// The error of an operation that a service asks for beside the one that is called. Only a rule that names it is meant; others
    /// have had their say about the call itself.
    pub(super) fn take_beside(
        &self,
        service: Service,
        operation: &str,
        signer: Signer<'_>,
        request: impl Fn(&str) -> bool,
    ) -> Option<ApiError> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let names_it = |rule: &Rule| rule.operation.is_some() && rule.error.is_some();
        self.first_of(names_it, service, (Some(operation), Some(signer)), false, request)?.error
    }

    /// The same before its body is read, where the operation may not be known yet.
    pub(super) fn take_unread(
        &self,
        service: Service,
        (operation, signer): (Option<&str>, Option<Signer<'_>>),
        request: impl Fn(&str) -> bool,
    ) -> Option<Fault> {
        self.first(service, (operation, signer), true, request)
    }

    /// Whether [`Faults::take_unread`] may have an answer.
    pub(super) fn any_unread(&self) -> bool {
        self.any_unread.load(Ordering::Relaxed)
    }

    fn first(
        &self,
        service: Service,
        (operation, signer): (Option<&str>, Option<Signer<'_>>),
        unread: bool,
        request: impl Fn(&str) -> bool,
    ) -> Option<Fault> {
        self.first_of(|_| true, service, (operation, signer), unread, request)
    }

    fn first_of(
        &self,
        which: impl Fn(&Rule) -> bool,
        service: Service,
        (operation, signer): (Option<&str>, Option<Signer<'_>>),
        unread: bool,
        request: impl Fn(&str) -> bool,
    ) -> Option<Fault> {
        let mut rules = self.lock();
        // Read under the lock, so that it is the script of these rules.
        let script = *self.script.borrow();
        rules.iter_mut().find_map(|active| {
            let rule = &active.rule;
            let meant = which(rule)
                && (rule.when == When::Unread) == unread
                && rule.service.as_deref().is_none_or(|name| name == service.name())
                && rule.operation.as_deref().is_none_or(|name| Some(name) == operation)
                && rule.caller.as_deref().is_none_or(|name| signer.is_some_and(|signer| signer.key == name))
                && rule.region.as_deref().is_none_or(|name| signer.is_some_and(|signer| signer.region == name))
                && rule.matches.as_deref().is_none_or(&request);
            (meant && active.hits()).then(|| Fault { script, ..Fault::from(&active.rule) })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(script: &str) -> Faults {
        let faults = Faults::default();
        faults.replace(parse(script).expect("it is a script"));
        faults
    }

    /// Without it, a test could not tell when a call is held, nor let it go on.
    #[tokio::test(start_paused = true)]
    async fn a_call_waits_until_another_script_is_in_force() {
        let held = || faults(r#"[{"operation": "RotateSecret", "delay_ms": 3600000}]"#);
        let take = |faults: &Faults| {
            faults.take(Service::SecretsManager, "RotateSecret", Signer::default(), |_| true).expect("it is hit")
        };
        let faults = held();
        let fault = take(&faults);
        assert_eq!(faults.waiting(), 0);
        let began = tokio::time::Instant::now();
        let goes_on = async {
            assert_eq!(faults.waiting(), 1);
            faults.replace(Vec::new());
        };
        tokio::join!(biased; faults.wait(&fault), goes_on);
        assert_eq!((began.elapsed(), faults.waiting()), (Duration::ZERO, 0));
        // A script that came between the decision and the wait ends it too.
        let faults = held();
        let fault = take(&faults);
        faults.replace(Vec::new());
        faults.wait(&fault).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // Without one, it is as long as it says; whoever gives it up is counted no more.
        let faults = held();
        let fault = take(&faults);
        assert!(tokio::time::timeout(Duration::from_mins(59), faults.wait(&fault)).await.is_err());
        assert_eq!(faults.waiting(), 0);
    }

    /// Without it, a script's `skip` and `times` could hit other calls than the ones it counts.
    #[test]
    fn a_rule_skips_then_hits_then_rests() {
        let faults = faults(
            r#"{"operation": "RotateSecret", "match": "payments/", "skip": 1, "times": 1, "error": {"code": "X"}}
               {"service": "lambda", "reset": true, "when": "after"}"#,
        );
        let take = |body: &'static str| {
            faults.take(Service::SecretsManager, "RotateSecret", Signer::default(), |part| body.contains(part))
        };
        assert_eq!(take("other"), None);
        assert_eq!(take("payments/a"), None);
        assert_eq!(take("payments/a").and_then(|fault| fault.error), Some(ApiError::new(400, "X", "")));
        assert_eq!(take("payments/a"), None);
        let fault = faults.take(Service::Lambda, "Invoke", Signer::default(), |_| true).expect("every call to Lambda");
        assert!(fault.reset && fault.when == When::After && fault.is_failure());
        assert_eq!(faults.hits(), [1, 1]);
    }

    /// Without it, a failure that is meant for one of two clients could hit the other, or what a stack does by itself.
    #[test]
    fn a_rule_for_one_caller_hits_no_other() {
        let faults = faults(r#"[{"caller": "ONE", "reset": true}]"#);
        let hit =
            |key: &str| faults.take(Service::Lambda, "GetFunction", Signer { key, region: "" }, |_| true).is_some();
        assert_eq!([hit("ONE"), hit("OTHER"), hit("")], [true, false, false]);
    }

    /// Without it, a region that refuses an account couldn't be told from the others.
    #[test]
    fn a_rule_for_one_region_hits_no_other() {
        let faults =
            faults(r#"[{"service": "sts", "region": "af-south-1", "error": {"code": "InvalidClientTokenId"}}]"#);
        let hit =
            |region: &str| faults.take(Service::Sts, "AssumeRole", Signer { key: "ONE", region }, |_| true).is_some();
        assert_eq!([hit("af-south-1"), hit("us-east-1"), hit("")], [true, false, false]);
    }

    /// Without it, a rare failure could not be scripted, or would come at other calls in each run.
    #[test]
    fn rare_failures_come_at_the_same_calls_in_each_run() {
        let row = |script: &str| {
            let faults = faults(script);
            let hit = |_| faults.take(Service::Sts, "GetCallerIdentity", Signer::default(), |_| true).is_some();
            (0..200).map(hit).collect::<Vec<bool>>()
        };
        let every = row(r#"[{"every": 3, "skip": 1, "times": 2, "reset": true}]"#);
        let hit: Vec<usize> = every.iter().enumerate().filter_map(|(at, hit)| hit.then_some(at)).collect();
        assert_eq!(hit, [3, 6]);
        let percent = row(r#"[{"percent": 20, "seed": 1, "reset": true}]"#);
        assert_eq!(percent, row(r#"[{"percent": 20, "seed": 1, "reset": true}]"#));
        assert_ne!(percent, row(r#"[{"percent": 20, "seed": 2, "reset": true}]"#));
        let hits = percent.iter().filter(|hit| **hit).count();
        assert!((20..=60).contains(&hits), "{hits} of 200");
    }

    /// Without it, a rule that comes too early would also hit calls after their bodies were read, or none.
    #[test]
    fn a_rule_for_unread_requests_hits_no_others() {
        let faults = faults(r#"[{"service": "lambda", "when": "unread", "close": true}]"#);
        assert!(faults.any_unread());
        assert_eq!(faults.take(Service::Lambda, "Invoke", Signer::default(), |_| true), None);
        assert!(faults.take_unread(Service::Lambda, (None, None), |_| true).is_some_and(|fault| fault.close));
    }

    /// Without it, a misspelt member, or one that means nothing beside the others, would be a fault that never happens, and
    /// its test would pass for nothing.
    #[test]
    fn what_makes_no_sense_is_refused() {
        let why = |script: &str| parse(script).map(|_| ()).expect_err(script).to_string();
        assert!(why(r#"[{"operatoin": "RotateSecret"}]"#).contains("unknown field `operatoin`"));
        assert!(why(r#"{"rules": [{"operatoin": "RotateSecret"}]}"#).contains("unknown field `operatoin`"));
        assert!(parse(r#"{"rules": [{"reset": true}]}"#).is_ok_and(|rules| rules.len() == 1));
        for (script, problem) in [
            (r#"[{"reset": true}, {"operation": "A"}]"#, "rule 2: nothing goes wrong"),
            (r#"[{"service": "secretmanager", "reset": true}]"#, "one of secretsmanager, lambda"),
            (r#"[{"reset": true, "error": {"code": "X"}}]"#, "`error` and `reset` exclude"),
            (r#"[{"error": {"code": "X", "status": 99}}]"#, "99"),
            (r#"[{"delay_ms": 3600001}]"#, "an hour"),
            (r#"[{"reset": true, "break_body": "reset"}]"#, "`break_body` needs an answer"),
            (r#"[{"when": "unread", "delay_ms": 1}]"#, "`reset` or `close`"),
            (r#"[{"when": "unread", "reset": true, "service": "sts", "operation": "A"}]"#, "in the body"),
            (r#"[{"stale_seconds": 5}]"#, "lists or describes"),
            (r#"[{"stale_seconds": 5, "operation": "GetSecretValue"}]"#, "lists or describes"),
            (r#"[{"stale_seconds": 0, "operation": "ListSecrets"}]"#, "from 1"),
            (r#"[{"every": 0, "reset": true}]"#, "from 1"),
            (r#"[{"percent": 101, "reset": true}]"#, "from 1 to 100"),
            (r#"[{"percent": 5, "every": 2, "reset": true}]"#, "exclude"),
            (r#"[{"seed": 5, "reset": true}]"#, "goes with `percent`"),
            (r#"[{"operation": "RotateSecrets", "reset": true}]"#, "`RotateSecrets` is no operation"),
            (r#"[{"service": "lambda", "operation": "RotateSecret", "reset": true}]"#, "no operation of `lambda`"),
            (r#"[{"times": 0, "reset": true}]"#, "`times` is from 1"),
            (r#"[{"error": {"code": ""}}]"#, "no error code"),
            (r#"[{"error": {"code": "Not a code"}}]"#, "no error code"),
            (r#"[{"answer": {"status": 502, "content_type": "text/html\n"}}]"#, "no content type"),
        ] {
            let why = why(script);
            assert!(why.contains(problem), "{script}: {why}");
        }
        // What isn't served has a name all the same.
        assert!(parse(r#"[{"service": "lambda", "operation": "CreateAlias", "reset": true}]"#).is_ok());
    }
}
