//! A function, its secret and its service, begun anew for each check; how its steps are called.

use std::time::Duration;

use crate::model::invocation::invocations;
use crate::model::trouble::{Fault, Trouble};
use crate::model::{LogEvent, READ_PARAMETERS};
use crate::sandbox::probe::{Passwords, Side};
use crate::sandbox::state::Scope;
use crate::sandbox::{Answers, Bench, Called, Companion, Ended, Order, Place, Sandbox};

use super::verdict::Failure;
use super::{Home, LONGEST, Subject};

/// The steps of a rotation, in their order.
pub const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Why a check can't be tried.
#[derive(Debug, Clone)]
pub struct Stop(pub String);

/// How many leaks are kept.
const MOST_LEAKS: usize = 20;

/// A function, its secret and its service.
pub struct Stand<'a> {
    pub bench: Bench,
    subject: &'a Subject<'a>,
    service: Option<Companion>,
    /// Where logs held what only secrets may hold.
    pub leaks: Vec<Failure>,
}

/// The parameter of AWS's generic application that names another secret which the function reads.
const READ_PARAMETER: &str = READ_PARAMETERS[0];

/// Passwords of a rotation that asks nothing of them.
pub const PLAIN: Passwords = Passwords::Plain;

impl<'a> Stand<'a> {
    pub fn new(sandbox: &Sandbox, home: Home<'_>, subject: &'a Subject<'a>) -> Result<Self, Stop> {
        let scope = Scope::new(home.account, home.region);
        let mut placed = subject.placed.clone();
        // The role names the secrets that it may read by their ARNs, which they get when they are made.
        if let Some(name) = subject.read_secrets.first() {
            let arn = Bench::make_other(sandbox.shared(), &scope, name);
            placed.parameters.insert(READ_PARAMETER.to_owned(), arn);
        }
        let bench = Bench::new(sandbox.shared(), scope, &placed, subject.secret).map_err(Stop)?;
        Ok(Self { bench, subject, service: None, leaks: Vec::new() })
    }

    /// Begins anew: another process of the service, and secrets as they were at first.
    pub async fn fresh(&mut self) -> Result<(), Stop> {
        self.service = None;
        if !self.subject.service.is_empty() {
            let started = Companion::start(self.subject.service, self.subject.folder).await;
            self.service = Some(started.map_err(|why| Stop(format!("`test.service` doesn't serve: {why}")))?);
        }
        let filled = |text: &str| self.service.as_ref().map_or_else(|| text.to_owned(), |service| service.filled(text));
        let value = self.subject.value.map(|value| filled(value.expose()));
        self.bench.give(value.as_deref());
        for (name, value) in self.subject.others {
            self.bench.give_other(name, Some(&filled(value.expose())));
        }
        for name in self.subject.read_secrets.iter().filter(|name| !self.subject.others.contains_key(*name)) {
            self.bench.give_other(name, None);
        }
        Ok(())
    }

    /// How many credentials the service takes, where it says so.
    pub fn credentials(&self) -> Option<u64> {
        self.service.as_ref()?.credentials()
    }

    /// Whether the function's secret holds something made up.
    pub fn is_made_up(&self) -> bool {
        self.subject.value.is_none()
    }

    /// Calls a step.
    pub async fn call(&mut self, step: &'static str, token: &str, order: Order) -> Result<Called, Stop> {
        let called = self.bench.call(step, token, order, LONGEST).await;
        if let Ended::CannotRun(reason) = called.ended {
            return Err(Stop(reason));
        }
        if !called.passed()
            && let Some(how) = self.service.as_mut().and_then(Companion::ended)
        {
            return Err(Stop(format!("`test.service` doesn't serve any more: {how}")));
        }
        Ok(called)
    }

    /// Calls a step with a plain password; what it leaks counts where it passed.
    pub async fn plainly(&mut self, step: &'static str, token: &str) -> Result<Called, Stop> {
        let called = self.call(step, token, Order { passwords: PLAIN, ..Order::default() }).await?;
        if called.passed() {
            self.note_leak(step, &called);
        }
        Ok(called)
    }

    /// Notes what a call leaked that ended as it should.
    pub fn note_leak(&mut self, step: &'static str, called: &Called) {
        let Some(leak) = &called.leak else { return };
        let written = leak.written.map(|how| format!(", {how}")).unwrap_or_default();
        let failure = Failure {
            step: Some(step),
            what: format!("{step} logs what only a secret may hold{written}"),
            hint: Some("whoever reads the log reads the secret: log ids and steps"),
            place: leak.place.clone(),
            trouble: None,
        };
        let is_known = |known: &Failure| known.place == failure.place && known.step == failure.step;
        if self.leaks.len() < MOST_LEAKS && !self.leaks.iter().any(is_known) {
            self.leaks.push(failure);
        }
    }

    /// One rotation, from its beginning to its end. The inner error is what went wrong.
    pub async fn rotation(&mut self, passwords: &Passwords) -> Result<Result<Vec<Called>, Failure>, Stop> {
        let token = self.bench.begin();
        let ran = self.steps_from(0, &token, passwords).await?;
        self.bench.end(&token);
        Ok(ran)
    }

    /// The steps of a rotation from this one on.
    pub async fn steps_from(
        &mut self,
        first: usize,
        token: &str,
        passwords: &Passwords,
    ) -> Result<Result<Vec<Called>, Failure>, Stop> {
        let mut all = Vec::new();
        for step in STEPS.into_iter().skip(first) {
            let called = self.call(step, token, Order { passwords: passwords.clone(), ..Order::default() }).await?;
            if !called.passed() {
                return Ok(Err(self.failure(step, &called, format!("{step} {}", how(&called)))));
            }
            self.note_leak(step, &called);
            all.push(called);
        }
        if self.bench.see().current() != Some(token) {
            let what = "finishSecret ends without an error, and the new version isn't AWSCURRENT".to_owned();
            return Ok(Err(self.at_step("finishSecret", what)));
        }
        Ok(Ok(all))
    }

    /// A failure of a call: with the place and the error that its log names.
    pub fn failure(&self, step: &'static str, called: &Called, what: String) -> Failure {
        let mut trouble = trouble(&called.log);
        if let Some(trouble) = trouble.as_mut().filter(|_| called.leak.is_some()) {
            // What an error quotes may be what only the secret holds.
            trouble.lines = Vec::new();
            if let Some(error) = &mut trouble.error {
                error.words = None;
            }
        }
        let own = trouble.as_ref().and_then(|trouble| trouble.place.as_ref()).map(|frame| Place {
            file: frame.file.clone(),
            line: frame.line,
            function: frame.function.clone(),
        });
        // Code that can't be loaded has no step yet.
        let place = own.or_else(|| match (&called.ended, &trouble) {
            (Ended::NotLoaded, Some(trouble)) => trouble.error.as_ref().and_then(said_place),
            (Ended::NotLoaded, None) => None,
            _ => self.bench.place_of(step),
        });
        Failure { step: Some(step).filter(|_| called.ended != Ended::NotLoaded), what, hint: None, place, trouble }
    }

    /// A failure that no log tells of, at the code of its step.
    pub fn at_step(&self, step: &'static str, what: String) -> Failure {
        Failure { step: Some(step), what, hint: None, place: self.bench.place_of(step), trouble: None }
    }
}

/// The place that an error of Python's own names: `… (lambda_function.py, line 30)`.
fn said_place(error: &Fault) -> Option<Place> {
    let text = error.words.as_deref().unwrap_or(&error.name);
    let (_, place) = text.rsplit_once('(')?;
    let (file, line) = place.trim_end_matches(')').split_once(", line ")?;
    Some(Place { file: file.to_owned(), line: line.parse().ok()?, function: None })
}

/// How a call ended that didn't pass, in words.
pub fn how(called: &Called) -> String {
    match &called.ended {
        Ended::Passed => "passes".to_owned(),
        Ended::Failed => "fails".to_owned(),
        Ended::TimedOut { .. } => format!("hasn't ended after {}", seconds(called.took)),
        Ended::NotLoaded => "can't be loaded".to_owned(),
        Ended::Cut => "was ended".to_owned(),
        Ended::CannotRun(_) => "can't be run".to_owned(),
    }
}

/// A time in whole seconds, or in tenths.
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        0..1000 => format!("{} ms", time.as_millis()),
        _ if time.subsec_millis() < 50 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// What a failed invocation says, by its own log.
fn trouble(log: &[(i64, String)]) -> Option<Trouble> {
    let event = |(at, message): &(i64, String)| LogEvent { stream: String::new(), at: *at, message: message.clone() };
    let events: Vec<LogEvent> = log.iter().map(event).collect();
    invocations(&events).iter().rfind(|one| one.has_failed()).map(Trouble::of)
}

/// How a step is called whose process is to end at one of its calls.
pub fn ending_at(at: usize, side: Side) -> Order {
    Order { end_at: Some((at, side)), passwords: PLAIN, ..Order::default() }
}

/// How a step is called that is shown another value.
pub fn answering(answers: Answers) -> Order {
    Order { answers, passwords: PLAIN, ..Order::default() }
}
