//! Runs a plan's steps: walks their graph with bounded concurrency, emits events, and never stops at the first failure
//! of an independent branch.
//!
//! Every step looks at AWS once more before it writes: what is as wanted is left alone, and so is what somebody has changed since the
//! plan was made (`moved`).
//!
//! This folder knows steps and the trait [`Execute`]; it knows nothing of YAML, of the SDK, or of terminals.

mod change_set;
mod engine;
mod function;
mod moved;
mod permission;
mod rotation;
mod spread;
mod stack;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::aws::AwsError;
use crate::model::{Desired, Live};
use crate::plan::{Change, FieldChange, Plan, Step};

use function::Editable;

pub use engine::{Interrupt, run};

/// How often an edit is tried against others who edit the same function.
const EDITS: usize = 5;

/// How an apply runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many steps may talk to AWS at once. Steps that only watch a rotation don't count. 32 spend the quota of 50 rotations a second
    /// where a secret's two calls take up to 0.6 s together.
    pub parallelism: usize,
    /// Whether rotations are watched to their end.
    pub wait: bool,
    /// How long a rotation is watched.
    pub rotation_timeout: Duration,
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
            wait: true,
            rotation_timeout: Duration::from_mins(10),
            stack_timeout: Duration::from_hours(1),
            deletion_timeout: Duration::from_hours(2),
            function_timeout: Duration::from_mins(10),
            permission_timeout: Duration::from_mins(2),
            spreading_timeout: Duration::from_mins(2),
            ec2_timeout: Duration::from_mins(10),
        }
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
    /// The zips to upload, by function handle.
    pub packages: &'a BTreeMap<String, Arc<[u8]>>,
    /// How it runs.
    pub options: &'a Options,
    /// Who hears of events.
    pub observer: &'a dyn Observer,
    /// The versions that rotations make, by change.
    pub versions: Mutex<BTreeMap<usize, String>>,
    /// The functions that a step has just changed, by name, as it left them.
    pub left: Mutex<BTreeMap<String, Editable>>,
    /// Since when the functions, and the permissions, are there that a step has made, by the function's name.
    pub made: Mutex<BTreeMap<String, Instant>>,
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
    /// How long it was watched; `None` where nobody asked to wait.
    pub waited: Option<Duration>,
    /// Whether the wait ended because of an interrupt.
    pub interrupted: bool,
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
}

impl Report {
    /// Whether a step failed, or wasn't attempted because another failed.
    pub fn has_failed(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Whether a rotation that was waited for hasn't ended.
    pub fn has_unfinished(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::NotFinished(rest) if rest.waited.is_some()))
    }
}
