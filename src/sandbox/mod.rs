//! AWS on loopback: one HTTP server, one port, for every AWS client.
//!
//! ```text
//!               server          wire                    service                      state
//! request --> host, origin --> signature, protocol --> faults, quotas --> handler --> World (one mutex)
//!                                                                            |            |
//!                                            runtime (functions as processes)+            +--> persist (snapshot, rename)
//! ```
//!
//! | Module | Knows |
//! |---|---|
//! | [`server`], `connection` | HTTP: who may speak to us, which protocol it is, the order of a call; how its answer goes out |
//! | [`wire`] | AWS's protocols: JSON 1.1, Query with XML, REST with JSON; signatures; times |
//! | [`model`] | what the API's models say about requests; each service has its table |
//! | [`services`], [`call`], [`options`] | ground words: which services there are, one call, how a sandbox is started |
//! | [`operations`] | which operations are served: the services' tables together |
//! | [`service`] | what every handler is given beside the call: [`service::Shared`] |
//! | [`sessions`] | temporary credentials |
//! | [`state`] | [`state::World`]: all that is saved, per account and region |
//! | [`clock`] | service time |
//! | [`persist`], `saver` | the state file: lock, load, save; when it is saved |
//! | [`faults`], [`quotas`], [`calls`] | scripted failures, throttling, the log of calls |
//! | [`probe`] | what a function's own calls are watched for while it is tested |
//! | [`rights`], `needs` | what callers may do (`--allow`), and which rights each call asks for |
//! | `history` | what the world was like a while ago, while a scripted failure asks for it |
//! | [`control`] | `/_sandbox/…`, for tests |
//! | [`secretsmanager`], [`sts`], [`lambda`], [`logs`], [`cloudtrail`], [`cloudformation`], [`serverlessrepo`] | one service each |
//! | [`runtime`] | runs functions |
//!
//! It knows nothing of plans, manifests or the SDK, so that it can't share their mistakes. Nothing in it is real.

pub mod call;
pub mod calls;
pub mod clock;
pub mod cloudformation;
pub mod cloudtrail;
pub mod control;
pub mod faults;
pub mod lambda;
pub mod logs;
pub mod model;
pub mod operations;
pub mod options;
pub mod persist;
pub mod probe;
pub mod quotas;
pub mod rights;
pub mod runtime;
pub mod secretsmanager;
pub mod server;
pub mod serverlessrepo;
pub mod service;
pub mod services;
pub mod sessions;
pub mod state;
pub mod sts;
pub mod wire;

mod connection;
mod history;
mod needs;
mod saver;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use cloudformation::Placed;
pub use options::Options;
pub use runtime::companion::Companion;
pub use runtime::source::Place;
pub use secretsmanager::{
    Answers, Bench, Called, Ended, Finding, Flaw, FormFault, Leak, Made, Order, Rehearsal, Rotated, Seen, StandIn,
    direct, goes_on, rehearse, rotated,
};
use service::Shared;

/// Why a sandbox didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account isn't one.
    #[error("`{0}` is not an account id: it has 12 digits")]
    Account(String),
    /// The time scale isn't a finite number from 0 up.
    #[error("`{0}` is not a time scale: it is a number from 0 up")]
    TimeScale(f64),
    /// Other machines could reach the address, and [`Options::allow_remote`] isn't set.
    #[error("`{0}` is not a loopback address: whoever reaches it could run programs on this machine, as you")]
    Remote(SocketAddr),
    /// The address can't be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The state file can't be used.
    #[error(transparent)]
    State(#[from] persist::PersistError),
    /// The scripted failures can't be read.
    #[error(transparent)]
    Faults(#[from] faults::FaultsError),
    /// A policy of what callers may do can't be used.
    #[error(transparent)]
    Rights(#[from] rights::RightsError),
    /// The log of calls can't be written.
    #[error("cannot write the log of calls `{path}`")]
    Calls {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running sandbox. [`Sandbox::shutdown`] ends it and saves its state; dropping it just ends it.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    addr: SocketAddr,
    server: JoinHandle<()>,
    saver: JoinHandle<()>,
}

/// Starts a sandbox and returns once it listens.
///
/// On Linux, the whole process gives up being looked into by others of its user from then on (`PR_SET_DUMPABLE`): functions
/// run as that user, and the process may hold real credentials in its environment. Core dumps go with it.
pub async fn start(options: Options) -> Result<Sandbox, StartError> {
    if options.account.len() != 12 || !options.account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(StartError::Account(options.account));
    }
    if !options.time_scale.is_finite() || options.time_scale < 0.0 {
        return Err(StartError::TimeScale(options.time_scale));
    }
    if !options.allow_remote && is_remote(options.listen) {
        return Err(StartError::Remote(options.listen));
    }
    let (faults, calls, file) = (options.faults.clone(), options.calls.clone(), options.state_file.clone());
    let allow = options.allow.clone();
    // A pipe that nobody writes into, a large state, or a slow disk, takes time in which signals are to be heard.
    let opened = tokio::task::spawn_blocking(move || -> Result<_, StartError> {
        let faults = faults.map_or_else(|| Ok(Vec::new()), |path| faults::read(&path))?;
        let rights = rights::Rights::new(rights::read(&allow)?);
        let log = calls::Calls::open(calls.as_deref())
            .map_err(|source| StartError::Calls { path: calls.unwrap_or_default(), source })?;
        Ok((faults, rights, log, persist::Store::open(file.as_deref())?))
    });
    let (faults, rights, calls, (store, state)) = opened.await.map_err(|error| persist::PersistError::Io {
        path: options.state_file.clone().unwrap_or_default(),
        source: std::io::Error::other(error),
    })??;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| StartError::Listen { address: options.listen, source })?;
    let addr = listener.local_addr().map_err(|source| StartError::Listen { address: options.listen, source })?;

    hide();
    let shared = Arc::new(Shared::new(options, addr, state, (faults, rights), calls));
    let saver = tokio::spawn(saver::keep_saved(Arc::clone(&shared), store));
    let server = tokio::spawn(server::serve(Arc::clone(&shared), listener));
    if !shared.options().rests {
        secretsmanager::resume(&shared);
    }
    lambda::resume(&shared);
    cloudformation::resume(&shared);
    Ok(Sandbox { shared, addr, server, saver })
}

/// Whether other machines can reach an address. Of IPv4 addresses in IPv6's form, the IPv4 one counts.
pub fn is_remote(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// Keeps the process's memory and environment from other processes of its user.
#[cfg(target_os = "linux")]
fn hide() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // Kernels that can't are as they were before; nothing else depends on it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn hide() {}

impl Sandbox {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint URL for AWS clients, without a final slash.
    pub fn url(&self) -> String {
        self.shared.endpoint().to_owned()
    }

    /// Creates a secret with a made-up value, as `CreateSecret` would.
    ///
    /// False where it is known already, deleted ones included: what somebody deleted stays deleted.
    pub fn seed_secret(&self, account: &str, region: &str, name: &str) -> bool {
        secretsmanager::seed(&self.shared, account, region, name, None)
    }

    /// The same with a value.
    pub fn seed_secret_as(&self, account: &str, region: &str, name: &str, value: &str) -> bool {
        secretsmanager::seed(&self.shared, account, region, name, Some(value))
    }

    /// Gives a secret another value, as long as it has the one that was made up for it. Whether it did.
    pub fn reseed_secret(&self, account: &str, region: &str, name: &str, value: &str) -> bool {
        secretsmanager::reseed(&self.shared, account, region, name, value)
    }

    /// Gives a secret the value with which it began, since its service has begun anew.
    pub fn begin_anew(&self, account: &str, region: &str, name: &str, value: &str) {
        secretsmanager::begin_anew(&self.shared, account, region, name, value);
    }

    /// Creates a secret with a made-up value that AWS rotates by itself: a service's own by its name (`rds!db-…`), or a partner's, with a
    /// type that no partner has. False where it is known already.
    pub fn seed_managed(&self, account: &str, region: &str, name: &str) -> bool {
        match name.split_once('!') {
            Some((service, _)) => secretsmanager::create_owned(&self.shared, account, region, name, Some(service)),
            None => secretsmanager::create_of_partner(&self.shared, account, region, name),
        }
    }

    /// Creates a rotation function that Secrets Manager may invoke. False where it is known already.
    pub fn seed_function(&self, account: &str, region: &str, name: &str) -> bool {
        lambda::seed(&self.shared, account, region, name)
    }

    /// The secrets whose current version was made by something else than AWS would have run, by name.
    pub fn stand_ins(&self, account: &str, region: &str) -> Vec<(String, StandIn)> {
        secretsmanager::stand_ins(&self.shared, account, region)
    }

    /// What the user should be told since the last look, such as "preparing the Python runtime…".
    pub fn notices(&self) -> Vec<String> {
        self.shared.take_notices()
    }

    /// What every handler is given; for whoever embeds the sandbox.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Ends function processes and connections, and saves the state.
    pub async fn shutdown(mut self) -> Result<(), persist::PersistError> {
        self.shared.runtime().shutdown().await;
        self.shared.stop();
        // A connection that doesn't end by itself (a client that never reads) must not hold up the exit.
        if tokio::time::timeout(Duration::from_secs(3), &mut self.server).await.is_err() {
            self.server.abort();
        }
        self.shared.end();
        // The saver ends with a last save; it failed only if its thread panicked, which loses nothing that was saved.
        let _ = (&mut self.saver).await;
        self.shared.take_save_error().map_or(Ok(()), Err)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop();
        self.server.abort();
        self.shared.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a pipe in the place of a script or of a log would hold the sandbox up, and no signal be heard.
    #[tokio::test]
    #[cfg(unix)]
    async fn pipes_hold_nothing_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let log = Options { listen, calls: Some(pipe.clone()), ..Options::default() };
        assert!(matches!(start(log).await, Err(StartError::Calls { .. })), "nobody reads it");
        let script = Options { listen, faults: Some(pipe.clone()), ..Options::default() };
        let waits = tokio::time::timeout(std::time::Duration::from_millis(200), start(script)).await;
        // What waits for a writer gets one, so that the test's own end needn't wait for it.
        drop(std::fs::OpenOptions::new().write(true).open(&pipe).expect("the pipe"));
        assert!(waits.is_err(), "others go on while it waits");
    }

    /// Without it, one wrong address would let a whole network run programs here, by calls that need no secret.
    #[tokio::test]
    async fn another_address_than_loopback_must_be_asked_for() {
        for remote in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0", "[fe80::1]:0"] {
            let listen = remote.parse().expect("an address");
            let error = start(Options { listen, ..Options::default() }).await.expect_err("it isn't loopback");
            assert!(matches!(error, StartError::Remote(address) if address == listen), "{remote}: {error}");
        }
        for loopback in ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert!(!is_remote(loopback.parse().expect("an address")), "{loopback}");
        }
        let listen = "0.0.0.0:0".parse().expect("an address");
        let asked_for = start(Options { listen, allow_remote: true, ..Options::default() }).await;
        assert!(asked_for.is_ok(), "{asked_for:?}");
    }

    /// Without it, any function could read the credentials of whoever rehearses out of the sandbox's environment.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn other_processes_of_the_user_can_not_look_into_the_sandbox() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        let sandbox = start(Options::default()).await.expect("it starts");
        assert_eq!(dumpable_behavior().expect("Linux says"), DumpableBehavior::NotDumpable);
        drop(sandbox);
    }
}
