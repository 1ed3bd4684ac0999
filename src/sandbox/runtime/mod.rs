//! Runs functions: real code, in processes of their own, with AWS's runtime clients on the other side of Lambda's runtime interface.
//!
//! | Module | Knows |
//! |---|---|
//! | [`package`] | deployment packages: what is allowed in one, and how it is unpacked |
//! | [`companion`] | what stands for the service of a function's credentials |
//! | `function` | a function as far as running it needs, and what comes of an invocation |
//! | `environment` | the variables of a process, and how they keep it inside the sandbox |
//! | `interface` | Lambda's runtime interface over HTTP |
//! | `output` | what a process prints, as log lines |
//! | `worker` | one process |
//! | `processes` | how a process ends, with all that it started |
//! | `prepare` | language runtimes: found, or installed once |
//! | `language` | what another version of a language can't do with a function's code |
//! | [`source`] | where in a package's code something stands |
//!
//! This module knows nothing of Lambda's API, of Secrets Manager, or of where functions and logs are kept.
//!
//! A process serves one invocation at a time and stays warm for the next one of the same edition. As many run at once as
//! [`Runtime::capacity`] says; other invocations queue, and their time in the queue isn't counted as the function's.

pub mod companion;
pub mod package;
pub mod source;

mod environment;
mod function;
mod interface;
mod language;
mod output;
mod platform;
mod prepare;
mod processes;
mod worker;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, watch};

use function::Family;
pub use function::{Event, Finished, Function, InvokeError, LogLine, Notice, Unavailable};
use language::Misfit;
use package::Unpacked;
use prepare::Prepared;
use worker::{End, Program, StartError, Worker};

/// How many processes there may be even on a small machine: they mostly wait, for the sandbox or for a service.
const LEAST_CAPACITY: usize = 4;

/// Where Amazon Linux keeps its certificates, on which Lambda runs functions.
const CERTIFICATES: &str = "/etc/pki/tls/cert.pem";

/// How long a process stays warm without work.
const IDLE_LIMIT: Duration = Duration::from_mins(2);

/// How long ending all processes may take.
const END_LIMIT: Duration = Duration::from_secs(3);

/// The generation in which nothing runs any more.
const ENDED: u64 = u64::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    account: String,
    region: String,
    name: String,
    version: String,
}

impl Key {
    fn of(function: &Function) -> Self {
        Self {
            account: function.account.clone(),
            region: function.region.clone(),
            name: function.name.clone(),
            version: function.version.clone(),
        }
    }
}

/// The processes of all functions. Dropping it ends them.
pub struct Runtime {
    slots: Arc<Semaphore>,
    capacity: usize,
    pool: Arc<Mutex<Pool>>,
    /// Rises when everything is to end: what was busy then is dropped, and doesn't come back.
    generation: watch::Sender<u64>,
    own_python: bool,
    /// By minor version where functions run by their own, else one for all.
    pythons: Mutex<HashMap<Option<u32>, PythonCell>>,
    node: OnceCell<Result<Prepared, Unavailable>>,
}

/// One of the machine's versions of Python, once it is prepared.
type PythonCell = Arc<OnceCell<Result<Prepared, Unavailable>>>;

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
    /// What another version of Python can't do with code, by its hash, the handler, and the minor version.
    read: HashMap<(String, String, u32), Option<Misfit>>,
}

struct Idle {
    key: Key,
    edition: u64,
    worker: Worker,
    turn: u64,
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Runtime {
    /// `own_python`: functions of Python run by their own version where the machine has it.
    pub fn new(own_python: bool) -> Self {
        let capacity =
            std::thread::available_parallelism().map_or(LEAST_CAPACITY, |cores| cores.get() * 2).max(LEAST_CAPACITY);
        Self {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity,
            pool: Arc::default(),
            generation: watch::Sender::new(0),
            own_python,
            pythons: Mutex::default(),
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
        if let Some((misfit, version)) = self.misfit(function, &code).await {
            return Ok(misfit.finished(function, event, &version));
        }
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

    /// The version that a runtime's functions run with here, once one has, where it isn't the runtime's own.
    pub fn other_version(&self, runtime: &str) -> Option<String> {
        let python;
        let cell = match Family::of(runtime)? {
            Family::Python => {
                python = self.python(runtime);
                &*python
            }
            Family::Node => &self.node,
            Family::Provided => return None,
        };
        let prepared = cell.get()?.as_ref().ok()?;
        (!same_version(runtime, &prepared.version)).then(|| prepared.version.clone())
    }

    /// What the function's own version of Python can't do with its code, where another one runs it here; with that one's version.
    async fn misfit(&self, function: &Function, code: &Unpacked) -> Option<(Misfit, String)> {
        let minor = language::minor(&function.runtime)?;
        let version = self.other_version(&function.runtime)?;
        let key = (function.code_sha256.clone(), function.handler.clone(), minor);
        let known = self.pool().read.get(&key).cloned();
        let misfit = if let Some(known) = known {
            known
        } else {
            let python = self.python(&function.runtime);
            let prepared = python.get()?.as_ref().ok()?;
            let found = prepare::misfit(prepared, &code.root(), &function.handler, minor).await;
            self.pool().read.insert(key, found.clone());
            found
        };
        misfit.map(|misfit| (misfit, version))
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
            End::Finished { mut finished, reusable } => {
                if finished.failed || finished.log.iter().any(|line| line.message.contains("ERROR")) {
                    let missed = missed(function, &finished.log).map(LogLine::now);
                    finished.log.extend(missed);
                }
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
        let key = Key::of(function);
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
        pool.idle.push(Idle { key: Key::of(function), edition: function.edition, worker, turn });
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
        let python;
        let cell = match family {
            Family::Python => {
                python = self.python(&function.runtime);
                &*python
            }
            Family::Node => &self.node,
            Family::Provided => return Ok(None),
        };
        let minor = language::minor(&function.runtime).filter(|_| self.own_python);
        let prepared =
            cell.get_or_init(|| prepare::prepare(family, minor, cache, notice)).await.as_ref().map_err(Clone::clone)?;
        if !same_version(&function.runtime, &prepared.version) {
            let text = format!("`{}` functions run with version {} here", function.runtime, prepared.version);
            if self.is_news(&text) {
                notice(text);
            }
        }
        Ok(Some(prepare::program(family, prepared, function)))
    }

    /// The Python that runs a runtime's functions.
    fn python(&self, runtime: &str) -> PythonCell {
        let minor = language::minor(runtime).filter(|_| self.own_python);
        let mut pythons = self.pythons.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pythons.entry(minor).or_default())
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

/// What of a function is other than on AWS when it runs here: for the user, and for the function's log. Names alone, never values.
pub fn differences(function: &Function) -> Vec<String> {
    let mut said = Vec::new();
    let withheld = environment::withheld(function);
    if !withheld.is_empty() {
        said.push(format!(
            "`{}` runs without its variables {}: they could lead it out of the sandbox",
            function.name,
            withheld.join(", ")
        ));
    }
    said
}

/// What AWS's machines have and this one lacks, where a failed invocation's log tells that it was missed.
fn missed(function: &Function, log: &[LogLine]) -> Option<String> {
    let is_missing =
        |line: &LogLine| ["No such file", "FileNotFoundError", "ENOENT"].iter().any(|word| line.message.contains(word));
    let names_it = |line: &LogLine| line.message.contains(CERTIFICATES);
    if Path::new(CERTIFICATES).exists() || !log.iter().any(is_missing) {
        return None;
    }
    // Python doesn't say which file it was: the function's own code does.
    (log.iter().any(names_it) || package::mentions(&function.zip, CERTIFICATES)).then(|| {
        format!("[sandbox] the function reads {CERTIFICATES}, which this machine lacks: on AWS it holds the certificates of Amazon Linux\n")
    })
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
    let words = [platform::start(function, id), format!("RequestId: {id} Error: {message}\n")];
    let log = words.into_iter().chain(platform::end(function, id));
    Finished {
        payload: worker::invalid_entrypoint(id, message),
        failed: true,
        taken: false,
        took: Duration::ZERO,
        log_group: function.log_group.clone(),
        log_stream: worker::stream_name(&function.version),
        log: log.map(LogLine::now).collect(),
    }
}

#[cfg(test)]
mod tests;
