//! What a function's own calls are watched for while it is tested: which calls it makes, and at which of them its process is to end.
//!
//! A call is a function's own where it is signed with what its process was given. What was asked is noted by names, and never by values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;

use super::call::Call;

/// How long a call that ends its process waits for that end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// On which side of a call a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The call has no effect.
    Before,
    /// It has its effect, and no answer.
    After,
}

/// Which passwords `GetRandomPassword` gives to a function that is tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Passwords {
    /// As always here: with what services take for something else.
    #[default]
    Usual,
    /// Of letters and digits, and what else must be in it.
    Plain,
    /// With these characters, the first at the beginning and the last at the end; the rest as in `Plain`.
    With(Vec<char>),
}

/// What a function let `GetRandomPassword` give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How long the password is.
    pub length: usize,
    /// Which characters it may hold, but for letters and digits.
    pub allowed: Vec<char>,
}

/// A call that a function made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Such as `PutSecretValue`.
    pub operation: String,
    /// The secret, as the function named it.
    pub secret: Option<String>,
    /// The error that it was answered with.
    pub refused: Option<String>,
}

impl Made {
    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        !["Describe", "Get", "List", "BatchGet", "Validate"].iter().any(|start| self.operation.starts_with(start))
    }
}

/// What one function is watched for.
#[derive(Debug, Default)]
pub struct Probe {
    state: Mutex<State>,
    cut: Notify,
    gone: Notify,
}

#[derive(Debug, Default)]
struct State {
    end_at: Option<(usize, Side)>,
    passwords: Passwords,
    made: Vec<Made>,
    asked: Option<Asked>,
}

impl Probe {
    /// Begins another invocation: forgets the calls, and says where its process ends and which passwords it gets.
    pub fn begin(&self, end_at: Option<(usize, Side)>, passwords: Passwords) {
        *self.lock() = State { end_at, passwords, made: Vec::new(), asked: None };
        // What an earlier invocation left unheard, such as one that ended by itself at the same moment.
        let _ = (self.cut.notified().now_or_never(), self.gone.notified().now_or_never());
    }

    /// The calls that were made since then, and for which password it asked last.
    pub fn take(&self) -> (Vec<Made>, Option<Asked>) {
        let mut state = self.lock();
        state.end_at = None;
        (std::mem::take(&mut state.made), state.asked.take())
    }

    /// Ends once the process is to end.
    pub async fn until_cut(&self) {
        self.cut.notified().await;
    }

    /// Says that the process has ended.
    pub fn ended(&self) {
        self.gone.notify_one();
    }

    /// Notes a call. Its number, and on which side of it the process ends.
    pub(super) fn called(&self, operation: &str, secret: Option<String>) -> (usize, Option<Side>) {
        let mut state = self.lock();
        let number = state.made.len();
        state.made.push(Made { operation: operation.to_owned(), secret, refused: None });
        (number, state.end_at.filter(|(at, _)| *at == number).map(|(_, side)| side))
    }

    /// Notes how a call was answered.
    pub(super) fn answered(&self, number: usize, refused: Option<&str>) {
        if let Some(made) = self.lock().made.get_mut(number) {
            made.refused = refused.map(str::to_owned);
        }
    }

    /// Has the process ended, and waits for that: it is answered nothing any more.
    pub(super) async fn cut(&self) {
        self.cut.notify_one();
        // A process that can't be ended is answered nothing all the same.
        let _ = tokio::time::timeout(END_LIMIT, self.gone.notified()).await;
    }

    /// Which passwords it gets.
    pub(super) fn passwords(&self) -> Passwords {
        self.lock().passwords.clone()
    }

    /// Notes for which password it asked.
    pub(super) fn asks(&self, asked: Asked) {
        self.lock().asked = Some(asked);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The functions that are watched.
#[derive(Debug, Default)]
pub struct Probes(Mutex<BTreeMap<(String, String), Arc<Probe>>>);

impl Probes {
    /// Watches a function, by its account and name.
    pub fn watch(&self, account: &str, function: &str) -> Arc<Probe> {
        let probe = Arc::new(Probe::default());
        self.lock().insert((account.to_owned(), function.to_owned()), Arc::clone(&probe));
        probe
    }

    /// What the function is watched for that makes a call.
    pub(super) fn of(&self, call: &Call) -> Option<Arc<Probe>> {
        let all = self.lock();
        // A function's process signs with its account's id, and acts as its role, in a session of the function's name.
        if all.is_empty() || call.access_key != call.account {
            return None;
        }
        let (_, session) = call.principal.split_once(":assumed-role/")?;
        let (_, function) = session.split_once('/')?;
        all.get(&(call.account.clone(), function.to_owned())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Arc<Probe>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
