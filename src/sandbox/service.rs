//! The sandbox as its parts share it: what every service's handler is given, beside the call.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::calls::Calls;
use super::clock::{Clock, Time};
use super::faults::{Faults, Rule};
use super::history::{self, History};
use super::options::Options;
use super::persist::{PersistError, Saved};
use super::probe::Probes;
use super::quotas::Quotas;
use super::rights::Rights;
use super::runtime::Runtime;
use super::sessions::{self, Credentials};
use super::state::{Region, Session, World};

/// The sandbox, as its parts share it.
#[derive(Debug)]
pub struct Shared {
    options: Options,
    endpoint: String,
    clock: Clock,
    world: Mutex<World>,
    runtime: Runtime,
    faults: Faults,
    history: History,
    quotas: Quotas,
    rights: Rights,
    calls: Calls,
    probes: Probes,
    notices: Mutex<VecDeque<String>>,
    save_error: Mutex<Option<PersistError>>,
    changed: Notify,
    schedules: Notify,
    stopped: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

impl Shared {
    /// A sandbox that goes on from what was saved.
    pub(super) fn new(
        options: Options,
        addr: SocketAddr,
        saved: Saved,
        (faults, rights): (Vec<Rule>, Rights),
        calls: Calls,
    ) -> Self {
        // Whoever listens on all addresses is reached at loopback by its own functions.
        let ip = match addr.ip() {
            ip if !ip.is_unspecified() => ip,
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let shared = Self {
            endpoint: format!("http://{}", SocketAddr::new(ip, addr.port())),
            clock: Clock::new(saved.time),
            world: Mutex::new(saved.world),
            runtime: Runtime::new(options.own_python),
            faults: Faults::default(),
            history: History::default(),
            quotas: Quotas::new(options.quotas),
            rights,
            calls,
            probes: Probes::default(),
            notices: Mutex::default(),
            save_error: Mutex::default(),
            changed: Notify::new(),
            schedules: Notify::new(),
            stopped: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            options,
        };
        shared.script(faults);
        shared
    }

    /// How it was started.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The URL that clients and functions reach it at, without a final slash.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Service time.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Moves service time, so that schedules fire.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.changed.notify_one();
        self.schedules.notify_one();
    }

    /// Everything. Held briefly, never across an `await`. Whoever changes something calls [`Shared::touch`] after.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A handler that panicked leaves a world that is still well-formed: each change is one assignment away from done.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what an account has in a region; in a call that is to be answered from an older state, what it had.
    pub fn read<T>(&self, account: &str, region: &str, look: impl FnOnce(&Region) -> T) -> T {
        let answer = |world: &World| match world.find(account, region) {
            Some(found) => look(found),
            None => look(&Region::default()),
        };
        match history::current() {
            Some(past) => answer(&past),
            None => answer(&self.world()),
        }
    }

    /// Changes what an account has in a region; it is saved soon.
    pub fn write<T>(&self, account: &str, region: &str, change: impl FnOnce(&mut Region) -> T) -> T {
        let result = change(self.world().region(account, region));
        self.touch();
        result
    }

    /// Says that the world changed: it is saved soon. Never called while the world is locked.
    pub fn touch(&self) {
        self.history.note(self.now(), || self.world().clone());
        self.changed.notify_one();
    }

    /// Says that a schedule changed or something is due: the scheduler looks again.
    pub fn reschedule(&self) {
        self.schedules.notify_one();
    }

    /// Forgets everything: secrets, functions, stacks, sessions, faults, calls.
    pub async fn reset(&self) {
        self.runtime.reset().await;
        *self.world() = World::default();
        self.script(Vec::new());
        self.quotas.refill();
        self.calls.clear();
        self.touch();
    }

    /// The functions' processes.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The scripted failures.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Puts these scripted failures in place of the old ones.
    pub fn script(&self, rules: Vec<Rule>) {
        let lag = rules.iter().filter_map(|rule| rule.stale_seconds).max().map(Duration::from_secs);
        self.history.start(lag, self.now(), || self.world().clone());
        self.faults.replace(rules);
    }

    /// The world as it was some service time ago, where a scripted failure asks for it.
    pub(super) fn past(&self, lag: Duration) -> Option<Arc<World>> {
        self.history.at(self.now().minus(lag))
    }

    /// The throttles.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// What callers may do.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The log of calls.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// What functions are watched for.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// An asynchronous wait of AWS's, scaled by [`Options::time_scale`].
    pub async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(self.scaled(wait)).await;
    }

    /// A wait, scaled by [`Options::time_scale`].
    pub fn scaled(&self, wait: Duration) -> Duration {
        // At most a day: whatever scale was asked for, a wait stays a duration that a timer can hold.
        Duration::try_from_secs_f64(wait.as_secs_f64() * self.options.time_scale)
            .unwrap_or(Duration::MAX)
            .min(Duration::from_hours(24))
    }

    /// Runs something beside the calls, until it ends or the sandbox does.
    pub fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopped = self.stopped.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    }

    /// Ends once the sandbox is to stop.
    pub async fn until_stopped(&self) {
        // An error means that the sender is gone, and so the sandbox.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Says something to the user, once.
    pub fn notice(&self, text: impl Into<String>) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push_back(text.into());
    }

    /// Issues temporary credentials for a role, as `AssumeRole` does. Function processes get theirs here too, with
    /// [`Duration::MAX`]: the clock may be moved by years while they run.
    pub fn issue_session(&self, account: &str, role: &str, session: &str, lasts: Duration) -> Credentials {
        let now = self.now();
        let credentials = sessions::issue(&mut self.world(), now, account, role, session, lasts);
        self.touch();
        credentials
    }

    /// The session of an access key id, also where it has ended.
    pub fn session(&self, access_key: &str) -> Option<Session> {
        self.world().sessions.get(access_key).cloned()
    }

    pub(super) fn take_notices(&self) -> Vec<String> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    pub(super) fn take_save_error(&self) -> Option<PersistError> {
        self.save_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes how a save went; the user is told when saving starts to fail, and when it works again.
    pub(super) fn set_save_error(&self, error: Option<PersistError>) {
        let mut last = self.save_error.lock().unwrap_or_else(PoisonError::into_inner);
        match (&error, &*last) {
            (Some(error), None) => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
                self.notice(format!("{error}{cause}: the sandbox goes on, but is not saved"));
            }
            (None, Some(_)) => self.notice("the state is saved again"),
            _ => {}
        }
        *last = error;
    }

    /// Says that no more calls are taken.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Says that nothing changes any more: what is saved now is all.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    pub(super) async fn until_ended(&self) {
        // An error means that the sender is gone, and so the sandbox.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(super) async fn until_changed(&self) {
        self.changed.notified().await;
    }

    pub(super) async fn until_rescheduled(&self) {
        self.schedules.notified().await;
    }
}
