//! Runs a plan's steps: walks their graph with bounded concurrency, emits events, and never stops at the first failure
//! of an independent branch.
//!
//! Every step looks at AWS once more before it writes: what is as wanted is left alone, and so is what somebody has changed since the
//! plan was made (`moved`).
//!
//! This folder knows steps and the trait [`Execute`]; it knows nothing of YAML, of the SDK, or of terminals.

mod change_set;
mod ends;
mod engine;
mod function;
mod idle;
mod interrupt;
mod keep;
mod moved;
mod permission;
mod repair;
mod rotation;
mod spread;
mod stack;
mod status;
#[cfg(test)]
mod tests;
mod wait;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::aws::AwsError;
use crate::model::trouble::Trouble;
use crate::model::{Address, Desired, Live};
use crate::plan::verdict::{Tries, Unproved};
use crate::plan::{Change, FieldChange, Plan, Step};

use function::Editable;

pub use ends::{Logs, Sent};
pub use engine::run;
pub use interrupt::Interrupt;
pub use waves::{Size, Waves};

/// How often an edit is tried against others who edit the same function.
const EDITS: usize = 5;

/// How an apply runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many steps may talk to AWS at once. Steps that only watch a rotation don't count. 32 spend the quota of 50 rotations a second
    /// where a secret's two calls take up to 0.6 s together.
    pub parallelism: usize,
    /// How many stacks are changed at a time: `CloudFormation`'s and the repository's quotas aren't published.
    pub stacks: usize,
    /// Whether rotations are watched to their end.
    pub wait: bool,
    /// How long a rotation is watched.
    pub rotation_timeout: Duration,
    /// Whether a function's code is replaced only once no rotation with it is under way, or as long as it may run twice.
    pub wait_before_code: bool,
    /// Whether rotations are still tried, where that is known: AWS doesn't say.
    pub outlook: Option<Outlook>,
    /// Where rotations go in waves: how.
    pub waves: Option<Waves>,
    /// How long a stack's creation or update may take.
    pub stack_timeout: Duration,
    /// How long a stack's deletion may take: network interfaces of a VPC function can live on for more than an hour.
    pub deletion_timeout: Duration,
    /// How long a function may take to become active after a change.
    pub function_timeout: Duration,
    /// How long a new permission may take to spread until Secrets Manager can use it.
    pub permission_timeout: Duration,
    /// How long a role or key that Lambda can't use yet may take to spread.
    pub spreading_timeout: Duration,
    /// How long EC2 may throttle what Lambda does for a function.
    pub ec2_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallelism: 32,
            stacks: 8,
            wait: true,
            rotation_timeout: Duration::from_mins(10),
            wait_before_code: true,
            outlook: None,
            waves: None,
            stack_timeout: Duration::from_hours(1),
            deletion_timeout: Duration::from_hours(2),
            function_timeout: Duration::from_mins(10),
            permission_timeout: Duration::from_mins(2),
            spreading_timeout: Duration::from_mins(2),
            ec2_timeout: Duration::from_mins(10),
        }
    }
}

/// Says whether a rotation is still tried, by its secret's ARN and its version.
#[derive(Clone)]
pub struct Outlook(Arc<GoesOn>);

type GoesOn = dyn Fn(String, String) -> BoxFuture<'static, bool> + Send + Sync;

impl Outlook {
    /// From whoever knows it.
    pub fn new(goes_on: impl Fn(String, String) -> BoxFuture<'static, bool> + Send + Sync + 'static) -> Self {
        Self(Arc::new(goes_on))
    }

    async fn goes_on(&self, secret_arn: &str, version: &str) -> bool {
        (self.0)(secret_arn.to_owned(), version.to_owned()).await
    }
}

impl std::fmt::Debug for Outlook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outlook(…)")
    }
}

/// All that steps work with.
pub struct Context<'a, E> {
    /// The writes.
    pub executor: &'a E,
    /// What the manifest wants; it holds the values that plans don't.
    pub desired: &'a Desired,
    /// What was read when the plan was made.
    pub live: &'a Live,
    /// The plan.
    pub plan: &'a Plan,
    /// What is carried out beside it, in the same account and region: other targets may ask something of the same functions.
    pub beside: &'a [(&'a Plan, &'a Live)],
    /// The zips to upload, by function handle.
    pub packages: &'a BTreeMap<String, Arc<[u8]>>,
    /// How it runs.
    pub options: &'a Options,
    /// Who hears of events.
    pub observer: &'a dyn Observer,
    /// The requests for rotations and tests that were sent, by change.
    pub sent: Mutex<BTreeMap<usize, Sent>>,
    /// What functions have logged about them.
    pub logs: Logs,
    /// The next rotations that tests have moved, by step.
    pub moved: Mutex<BTreeMap<usize, Moved>>,
    /// The functions that a step has just changed, by name, as it left them.
    pub left: Mutex<BTreeMap<String, Editable>>,
    /// Since when the functions, and the permissions, are there that a step has made, by the function's name.
    pub made: Mutex<BTreeMap<String, Instant>>,
    /// The functions, by ARN, whose rotations were waited for before their code changes.
    pub waited: Mutex<BTreeSet<String>>,
    /// The code that was kept before other code took its place, by step.
    pub kept: Mutex<BTreeMap<usize, Kept>>,
}

impl<E> Context<'_, E> {
    fn change(&self, step: &Step) -> Option<&Change> {
        step.change.map(|change| &self.plan.changes[change])
    }
}

/// What happens during an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Started {
        /// Its index.
        step: usize,
    },
    /// A step waits for AWS.
    Waiting {
        /// Its index.
        step: usize,
        /// What AWS says at the moment.
        status: String,
    },
    /// A try of a rotation has failed, and another one may follow.
    TryFailed {
        /// The watching step's index.
        step: usize,
        /// Which step of the function failed, and where.
        trouble: Box<Trouble>,
        /// How many invocations have failed so far.
        failed: usize,
    },
    /// A wave is over, and the next one begins after a pause.
    Paused {
        /// The index of the first step of the next wave.
        step: usize,
        /// How long the pause is.
        pause: Duration,
    },
    /// A step goes on in spite of something that people should know.
    Warned {
        /// Its index.
        step: usize,
        /// What.
        text: String,
    },
    /// A step is over, or is never attempted.
    Ended {
        /// Its index.
        step: usize,
        /// How it ended.
        outcome: Outcome,
    },
}

/// Who hears of events; called from several tasks at once.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Applied {
        /// AWS's request ids of the writes.
        requests: Vec<String>,
    },
    /// There was nothing to do: AWS had it already.
    Unchanged,
    /// Secrets Manager accepted a rotation that hasn't ended.
    NotFinished(NotFinished),
    /// The function's test ended, and it failed.
    TestFailed(TestFailed),
    /// The function's test was accepted, and nothing says how it ended.
    Unverified(Unverified),
    /// It failed.
    Failed(Failure),
    /// What it depends on failed, or the apply was interrupted before.
    NotAttempted {
        /// The failed step that it waited for; `None` after an interrupt.
        because: Option<usize>,
    },
}

/// A rotation that was accepted, and whose end was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFinished {
    /// The version that it makes.
    pub version: String,
    /// The function's name, if a function rotates the secret.
    pub function: Option<String>,
    /// Where the function logs.
    pub log_group: Option<String>,
    /// How long it was watched; `None` where waiting wasn't asked for.
    pub waited: Option<Duration>,
    /// Whether the wait ended because of an interrupt.
    pub interrupted: bool,
    /// What its tries did, as the function's log says; or why that isn't known.
    pub tries: Result<Tries, Unknown>,
    /// Whether AWS may still try it again by itself, as far as is known.
    pub goes_on: bool,
    /// Whether a try was asked for, and the function wasn't invoked since, as far as its log tells.
    pub silent: bool,
}

/// A test whose function failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailed {
    /// The request's token, by which the log may name it.
    pub version: String,
    /// The function's name.
    pub function: String,
    /// Where the function logs.
    pub log_group: String,
    /// What it says.
    pub trouble: Box<Trouble>,
    /// What this apply changed of the function before; `None` where it changed nothing.
    pub replaced: Option<Box<Replaced>>,
}

/// What was changed of a function before its test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The function's handle.
    pub handle: String,
    /// Its address.
    pub address: Address,
    /// The hash of the code that it had, as `CodeSha256`; `None` where its code is the same.
    pub code: Option<String>,
    /// Where its code lies, as far as it is a path. Filled in by whoever knows files.
    pub path: Option<String>,
    /// The commit that has the code that it had. Filled in by whoever knows Git.
    pub commit: Option<String>,
    /// The version that has the code that it had, where it was kept.
    pub kept: Option<Kept>,
}

/// Old code, as a version of its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The function's ARN.
    pub function: String,
    /// The version's number.
    pub version: String,
    /// The hash of the code, as `CodeSha256`.
    pub code: String,
}

/// A date that AWS has moved though nobody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// What it was, in seconds since 1970 (UTC).
    pub before: i64,
    /// What it is.
    pub after: i64,
}

/// A test whose end isn't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// The request's token, by which the log may name it.
    pub version: String,
    /// The function's name, where one tests the secret.
    pub function: Option<String>,
    /// Where the function logs, where that is known.
    pub log_group: Option<String>,
    /// Why nothing says it.
    pub why: Unknown,
}

/// Why it isn't known how a rotation, or a test, did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// The log doesn't say it.
    Unproved(Unproved),
    /// The log, or where it is, can't be read.
    Unread(Box<AwsError>),
    /// The function belongs to another account or region, and so does its log.
    Elsewhere,
    /// Nobody waited for it.
    NotWaited,
    /// Its own owner tests it: no function of the account's does.
    NoFunction,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// AWS refused a call.
    Aws(AwsError),
    /// A change set couldn't be made, for AWS's reason.
    ChangeSet {
        /// AWS's reason.
        reason: String,
        /// What failed in it, resource by resource, where AWS has more to say.
        causes: Vec<String>,
        /// Why that couldn't be read, where the reason points to it.
        unread: Option<Box<AwsError>>,
        /// It couldn't be deleted.
        left: Option<Box<LeftBehind>>,
    },
    /// A change set would remove or replace the function, or set its code back to the template's.
    WouldReplace {
        /// The function.
        resource: String,
        /// `remove`, `replace`, or `set back`.
        action: String,
        /// It couldn't be deleted.
        left: Option<Box<LeftBehind>>,
    },
    /// A change set was made for another stack than the one that the plan updates.
    OtherStack {
        /// The stack of the plan, by ARN.
        planned: String,
        /// The stack that the change set is for, by ARN.
        made: String,
        /// It couldn't be deleted.
        left: Option<Box<LeftBehind>>,
    },
    /// A stack ended in a failed status.
    Stack {
        /// The stack.
        stack: String,
        /// The status.
        status: String,
        /// The first failed resource's reason.
        reason: Option<String>,
    },
    /// A function didn't become usable.
    Function {
        /// The function.
        function: String,
        /// Its state.
        state: String,
        /// AWS's reason.
        reason: Option<String>,
    },
    /// The function has gone since the plan was made.
    FunctionMissing {
        /// The function.
        function: String,
    },
    /// The secret has gone since the plan was made.
    SecretMissing,
    /// Secrets Manager may not invoke the function, and no permission is on its way.
    NotPermitted {
        /// The function, by ARN.
        function: String,
        /// The secret's account.
        account: String,
        /// The statement that denies it; `None`: none permits it.
        denied_by: Option<String>,
    },
    /// The function's policy was written as a whole, and it doesn't let Secrets Manager in.
    WrittenWhole {
        /// The function, by ARN.
        function: String,
        /// The secrets' account.
        account: String,
        /// AWS's refusal of a statement of ours.
        refused: Option<Box<AwsError>>,
    },
    /// Somebody has changed what the step would change, since the plan was made.
    ChangedSincePlan {
        /// What has moved: as it was then, and as it is now.
        moved: Vec<FieldChange>,
    },
    /// Somebody else is changing the stack.
    StackBusy {
        /// The stack, by ARN.
        stack: String,
        /// Its status.
        status: String,
    },
    /// Somebody else has changed the stack since the change set for it was made, which can't run any more.
    Overtaken {
        /// The stack, by ARN.
        stack: String,
    },
    /// The stack has gone since the plan was made.
    StackMissing {
        /// The stack, by ARN.
        stack: String,
    },
    /// A rotation has begun since the plan was made, and isn't finished.
    UnfinishedRotation {
        /// The version that holds `AWSPENDING`.
        version: String,
    },
    /// The version that was to be repaired isn't pending any more, or another one has become current meanwhile.
    NotPending {
        /// The version.
        version: String,
        /// The version that holds `AWSPENDING` now.
        now: Option<String>,
    },
    /// A secret still rotates with the function of a stack that was to be deleted.
    StillUsed {
        /// The secret's name.
        secret: String,
    },
    /// AWS doesn't show the environment that would have to be merged.
    UnreadableEnvironment {
        /// AWS's error code.
        code: String,
    },
    /// The code lacks the file that the function's handler names.
    HandlerFileMissing {
        /// The handler.
        handler: String,
    },
    /// Uploaded code reads back as something else.
    CodeDiffers {
        /// What was sent.
        sent: String,
        /// What AWS has.
        live: String,
    },
    /// Others keep changing the function.
    KeepsChanging {
        /// The function.
        function: String,
        /// AWS's last refusal.
        last: Option<Box<AwsError>>,
    },
    /// AWS speaks of a state that this program doesn't know: neither that it ended, nor that it goes on.
    UnknownState {
        /// What was waited for.
        what: String,
        /// The state.
        state: String,
    },
    /// It took too long.
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
        /// The last status.
        status: String,
    },
    /// A value that the step needs isn't there; this is a bug.
    Internal(&'static str),
}

/// A change set that won't run, and that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its ARN.
    pub change_set: String,
    /// Why it, or the empty stack that was made for it, couldn't be deleted.
    pub error: AwsError,
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

/// How an apply ended, step by step.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The steps.
    pub steps: Vec<Step>,
    /// How each ended.
    pub outcomes: Vec<Outcome>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// The next rotations that tests have moved, by step.
    pub moved: BTreeMap<usize, Moved>,
    /// The code that was kept before other code took its place, by step.
    pub kept: BTreeMap<usize, Kept>,
    /// How many rotations didn't end well in time, where no wave was begun after them for that.
    pub stopped: Option<usize>,
    /// The command that goes on, where that isn't the same one once more. Filled in where it is known.
    pub again: Option<String>,
}

impl Report {
    /// Whether a step failed, or wasn't attempted because another failed.
    pub fn has_failed(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Whether a rotation that was waited for hasn't ended, and may go on.
    pub fn has_unfinished_rotation(&self) -> bool {
        let goes_on = |rest: &NotFinished| rest.waited.is_some() && rest.goes_on;
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::NotFinished(rest) if goes_on(rest)))
    }

    /// Whether a rotation that was waited for hasn't ended, or a test has failed.
    pub fn has_unfinished(&self) -> bool {
        self.outcomes.iter().any(|outcome| match outcome {
            Outcome::NotFinished(rest) => rest.waited.is_some(),
            Outcome::TestFailed(_) => true,
            _ => false,
        })
    }

    /// How many tests ended in a way that nothing tells.
    pub fn unverified(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Unverified(_))).count()
    }
}
