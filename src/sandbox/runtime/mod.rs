//! Runs functions: real code, in processes of their own, with AWS's runtime clients on the other side of Lambda's runtime interface.
//!
//! | Module | Knows |
//! |---|---|
//! | [`package`] | deployment packages: what is allowed in one, and how it is unpacked |
//! | `environment` | the variables of a process, and how they keep it inside the sandbox |
//! | `interface` | Lambda's runtime interface over HTTP |
//! | `output` | what a process prints, as log lines |
//! | `worker` | one process |
//! | `processes` | how a process ends, with all that it started |
//! | `prepare` | language runtimes: found, or installed once |
//!
//! This module knows nothing of Lambda's API, of Secrets Manager, or of where functions and logs are kept.
//!
//! A process serves one invocation at a time and stays warm for the next one of the same edition. As many run at once as
//! [`Runtime::capacity`] says; other invocations queue, and their time in the queue isn't counted as the function's.

pub mod package;

mod environment;
mod interface;
mod output;
mod prepare;
mod processes;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use tokio::sync::{OnceCell, Semaphore, watch};

use package::Unpacked;
use prepare::Prepared;
use worker::{End, Program, StartError, Worker};

/// How many processes there may be even on a small machine: they mostly wait, for the sandbox or for a service.
const LEAST_CAPACITY: usize = 4;

/// How long a process stays warm without work.
const IDLE_LIMIT: Duration = Duration::from_mins(2);

/// How long ending all processes may take.
const END_LIMIT: Duration = Duration::from_secs(3);

/// The generation in which nothing runs any more.
const ENDED: u64 = u64::MAX;

/// Says something to the user.
pub type Notice<'a> = dyn Fn(String) + Send + Sync + 'a;

/// Why the machine can't run a function. The function itself may be fine: whoever asked simulates, and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    reason: String,
}

impl Unavailable {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why an invocation came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The machine can't run the function.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The sandbox ended, or was reset, meanwhile.
    #[error("the sandbox ended, or was reset")]
    Stopped,
}

/// An edition of a function, as far as running it needs.
#[derive(Clone)]
pub struct Function {
    /// 12 digits; also the access key id that its process is given.
    pub account: String,
    /// Such as `eu-west-1`.
    pub region: String,
    /// Its name.
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    /// What is invoked where an [`Event`] says nothing else.
    pub arn: String,
    /// Such as `python3.12`.
    pub runtime: String,
    /// Such as `lambda_function.lambda_handler`.
    pub handler: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// MB; told, and not enforced.
    pub memory: u32,
    /// The time that one invocation may take.
    pub timeout: Duration,
    /// Its own variables.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes.
    pub log_group: String,
    /// `Text` or `JSON`.
    pub log_format: String,
    /// The level of its own log lines, where its logging configuration has one.
    pub log_level: Option<String>,
    /// The deployment package.
    pub zip: Arc<[u8]>,
    /// Base64 of the package's SHA-256.
    pub code_sha256: String,
    /// Changes whenever code or configuration does.
    pub edition: u64,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("arn", &self.arn)
            .field("runtime", &self.runtime)
            .field("edition", &self.edition)
            .finish_non_exhaustive()
    }
}

impl Function {
    fn key(&self) -> Key {
        Key {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
        }
    }

    /// Whether a program that is made for the function's architecture runs here.
    fn fits_this_machine(&self) -> bool {
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            other => other,
        };
        std::env::consts::OS == "linux" && self.architecture == architecture
    }
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Event {
    /// A UUID.
    pub request_id: String,
    /// JSON.
    pub payload: Bytes,
    /// The ARN as it was invoked, where it is qualified.
    pub arn: Option<String>,
    /// JSON of a mobile client's context.
    pub client_context: Option<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// JSON: the answer, or the error document.
    pub payload: Bytes,
    /// Whether it is an error: Lambda's `X-Amz-Function-Error: Unhandled`.
    pub failed: bool,
    /// The log group of its output.
    pub log_group: String,
    /// The log stream of its process.
    pub log_stream: String,
    /// All log lines, Lambda's own `START`, `END` and `REPORT` included.
    pub log: Vec<LogLine>,
}

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The machine's time.
    pub at: SystemTime,
    /// With its final line feed.
    pub message: String,
}

impl LogLine {
    fn now(message: String) -> Self {
        Self { at: SystemTime::now(), message }
    }
}

/// What a runtime's name says about how it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    Python,
    Node,
    Provided,
}

impl Family {
    fn of(runtime: &str) -> Option<Self> {
        if runtime.starts_with("python") {
            Some(Self::Python)
        } else if runtime.starts_with("nodejs") {
            Some(Self::Node)
        } else if runtime.starts_with("provided") {
            Some(Self::Provided)
        } else {
            None
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    account: String,
    region: String,
    name: String,
    version: String,
}

/// The processes of all functions. Dropping it ends them.
pub struct Runtime {
    slots: Arc<Semaphore>,
    capacity: usize,
    pool: Arc<Mutex<Pool>>,
    /// Rises when everything is to end: what was busy then is dropped, and doesn't come back.
    generation: watch::Sender<u64>,
    python: OnceCell<Result<Prepared, Unavailable>>,
    node: OnceCell<Result<Prepared, Unavailable>>,
}

#[derive(Default)]
struct Pool {
    /// The oldest first.
    idle: Vec<Idle>,
    /// Counts up, so that a timer knows the rest that it was set for.
    turn: u64,
    /// Unpacked packages, by hash, as long as a process uses them.
    code: HashMap<String, Weak<Unpacked>>,
    /// What the user was told already.
    told: BTreeSet<String>,
}

struct Idle {
    key: Key,
    edition: u64,
    worker: Worker,
    turn: u64,
}

impl Default for Runtime {
    fn default() -> Self {
        let capacity =
            std::thread::available_parallelism().map_or(LEAST_CAPACITY, |cores| cores.get() * 2).max(LEAST_CAPACITY);
        Self {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity,
            pool: Arc::default(),
            generation: watch::Sender::new(0),
            python: OnceCell::new(),
            node: OnceCell::new(),
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Runtime {
    /// How many processes there are at most, busy and idle.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Runs a function once. An error of the function is an answer; only an invocation that came to nothing is an `Err`.
    ///
    /// `endpoint` is the sandbox's own URL, the only AWS that the function finds; language runtimes are kept in `cache`, or in the
    /// user's cache directory.
    pub async fn invoke(
        &self,
        function: &Function,
        event: &Event,
        endpoint: &str,
        cache: Option<&Path>,
        notice: &Notice<'_>,
    ) -> Result<Finished, InvokeError> {
        let mut generation = self.generation.subscribe();
        let current = *generation.borrow_and_update();
        if current == ENDED {
            return Err(InvokeError::Stopped);
        }
        tokio::select! {
            // Whatever is dropped here ends its process.
            biased;
            _ = generation.changed() => Err(InvokeError::Stopped),
            result = self.run(function, event, endpoint, cache, notice, current) => result,
        }
    }

    async fn run(
        &self,
        function: &Function,
        event: &Event,
        endpoint: &str,
        cache: Option<&Path>,
        notice: &Notice<'_>,
        generation: u64,
    ) -> Result<Finished, InvokeError> {
        let _slot = self.slots.acquire().await.map_err(|_| InvokeError::Stopped)?;
        if let Some(worker) = self.warm(function)
            && let Some(finished) = self.serve(worker, function, event, generation).await
        {
            return Ok(finished);
        }
        let program = self.program(function, cache, notice).await?;
        let code = self.unpacked(function).await?;
        let program = program.unwrap_or_else(|| Program {
            path: code.root().join("bootstrap"),
            arguments: Vec::new(),
            modules: None,
        });
        self.make_room();
        match Worker::start(function, endpoint, &program, code).await {
            Ok(worker) => self
                .serve(worker, function, event, generation)
                .await
                .ok_or_else(|| Unavailable::new("the function's process ended before it began").into()),
            Err(StartError::InvalidEntrypoint(message)) => Ok(never_started(function, event, &message)),
            Err(StartError::Unavailable(reason)) => Err(reason.into()),
        }
    }

    /// Ends the idle processes of a function that was changed or deleted. Busy ones end with their invocation.
    pub fn forget(&self, account: &str, region: &str, name: &str) {
        let removed: Vec<Idle> = {
            let mut pool = self.pool();
            pool.idle
                .extract_if(.., |idle| {
                    idle.key.account == account && idle.key.region == region && idle.key.name == name
                })
                .collect()
        };
        drop(removed);
    }

    /// Ends all processes. What they were doing is answered with [`InvokeError::Stopped`].
    pub async fn reset(&self) {
        let next = self.generation.borrow().saturating_add(1);
        self.end_all(next).await;
    }

    /// Ends all processes, and takes no more invocations.
    pub async fn shutdown(&self) {
        self.end_all(ENDED).await;
        self.slots.close();
    }

    async fn end_all(&self, generation: u64) {
        let removed = {
            let mut pool = self.pool();
            self.generation.send_replace(generation);
            std::mem::take(&mut pool.idle)
        };
        drop(removed);
        // Each invocation holds its slot until its process is gone. Those of the next generation may hold one for longer.
        if let Ok(all) = u32::try_from(self.capacity) {
            let _ = tokio::time::timeout(END_LIMIT, self.slots.acquire_many(all)).await;
        }
    }

    /// Whether the user wasn't told this yet; from now on it is no news.
    pub fn is_news(&self, text: &str) -> bool {
        self.pool().told.insert(text.to_owned())
    }

    async fn serve(&self, mut worker: Worker, function: &Function, event: &Event, generation: u64) -> Option<Finished> {
        match worker.invoke(function, event).await {
            End::Finished { finished, reusable } => {
                if reusable {
                    self.rest(worker, function, generation);
                }
                Some(finished)
            }
            End::NotTaken => None,
        }
    }

    /// A warm process of this edition; those of other editions end.
    fn warm(&self, function: &Function) -> Option<Worker> {
        let key = function.key();
        let mut pool = self.pool();
        let mut same: Vec<Idle> = pool.idle.extract_if(.., |idle| idle.key == key).collect();
        same.retain_mut(|idle| idle.edition == function.edition && idle.worker.is_alive());
        // The one that served last is the warmest.
        let worker = same.pop().map(|idle| idle.worker);
        pool.idle.extend(same);
        worker
    }

    /// Puts a process to rest until it is needed again or has rested too long.
    fn rest(&self, worker: Worker, function: &Function, generation: u64) {
        let mut pool = self.pool();
        if *self.generation.borrow() != generation {
            return;
        }
        pool.turn += 1;
        let turn = pool.turn;
        pool.idle.push(Idle { key: function.key(), edition: function.edition, worker, turn });
        drop(pool);
        let pool = Arc::downgrade(&self.pool);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE_LIMIT).await;
            if let Some(pool) = pool.upgrade() {
                lock(&pool).idle.retain(|idle| idle.turn != turn);
            }
        });
    }

    /// Ends idle processes until one more fits: whoever asks holds one of the slots.
    fn make_room(&self) {
        let busy = self.capacity - self.slots.available_permits().min(self.capacity);
        let removed: Vec<Idle> = {
            let mut pool = self.pool();
            let keep = self.capacity - busy.min(self.capacity);
            let surplus = pool.idle.len().saturating_sub(keep);
            pool.idle.drain(..surplus).collect()
        };
        drop(removed);
    }

    /// What runs the function; `None`: its own `bootstrap`.
    async fn program(
        &self,
        function: &Function,
        cache: Option<&Path>,
        notice: &Notice<'_>,
    ) -> Result<Option<Program>, Unavailable> {
        let family = Family::of(&function.runtime).ok_or_else(|| {
            Unavailable::new(format!(
                "the sandbox runs Python, Node and custom runtimes, and not `{}`",
                function.runtime
            ))
        })?;
        let cell = match family {
            Family::Python => &self.python,
            Family::Node => &self.node,
            Family::Provided => return Ok(None),
        };
        let prepared =
            cell.get_or_init(|| prepare::prepare(family, cache, notice)).await.as_ref().map_err(Clone::clone)?;
        if !same_version(&function.runtime, &prepared.version) {
            let text = format!("`{}` functions run with version {} here", function.runtime, prepared.version);
            if self.is_news(&text) {
                notice(text);
            }
        }
        Ok(Some(prepare::program(family, prepared, function)))
    }

    async fn unpacked(&self, function: &Function) -> Result<Arc<Unpacked>, Unavailable> {
        let known = self.pool().code.get(&function.code_sha256).and_then(Weak::upgrade);
        if let Some(code) = known {
            return Ok(code);
        }
        let zip = Arc::clone(&function.zip);
        let unpacked = tokio::task::spawn_blocking(move || package::unpack(&zip))
            .await
            .map_err(|error| Unavailable::new(error.to_string()))?
            .map_err(|error| Unavailable::new(error.to_string()))?;
        let unpacked = Arc::new(unpacked);
        let mut pool = self.pool();
        pool.code.retain(|_, code| code.strong_count() > 0);
        pool.code.insert(function.code_sha256.clone(), Arc::downgrade(&unpacked));
        Ok(unpacked)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        lock(&self.pool)
    }
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    // No code that could panic runs while the pool is half changed.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `python3.12` is 3.12.1, and `nodejs20.x` is 20.20.2.
fn same_version(runtime: &str, version: &str) -> bool {
    let wanted = runtime.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches(".x");
    version == wanted || version.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

fn never_started(function: &Function, event: &Event, message: &str) -> Finished {
    let id = &event.request_id;
    let log = [
        format!("START RequestId: {id} Version: {}\n", function.version),
        format!("RequestId: {id} Error: {message}\n"),
        format!("END RequestId: {id}\n"),
    ];
    Finished {
        payload: worker::invalid_entrypoint(id, message),
        failed: true,
        log_group: function.log_group.clone(),
        log_stream: worker::stream_name(&function.version),
        log: log.into_iter().map(LogLine::now).collect(),
    }
}

#[cfg(test)]
mod tests;
