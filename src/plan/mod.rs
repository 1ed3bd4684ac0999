//! The difference between what a manifest wants and what AWS has: plain data, made by a pure function.
//!
//! This folder knows no client, no clock, no file system and no environment. It holds no prose: [`crate::render`] words it.

pub mod attribute;
pub mod breach;
pub mod compare;
pub mod diff;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod foreign;
pub mod freeze;
pub mod fresh;
pub mod guard;
pub mod limits;
pub mod order;
pub mod parameters;
pub mod policy;
pub mod resources;

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::freeze::Freeze;
use crate::model::live::Unread;
use crate::model::{Address, Kind, PackagePart, Place, RotationRules};

pub use attribute::{Attribute, FieldChange};
pub use diff::{Purpose, Scope, diff};
pub use order::{Step, StepKind, order};
pub use resources::{Resource, resources};

/// What an apply would do to one target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// The target's name, where the manifest has named targets.
    pub target: Option<String>,
    /// The account that it goes to.
    pub account: String,
    /// The region that it goes to.
    pub region: String,
    /// Whether filters left something out.
    pub partial: bool,
    /// How many functions were compared.
    pub functions: usize,
    /// How many secrets were compared.
    pub secrets: usize,
    /// What differs, functions before secrets, each in the order of addresses.
    pub changes: Vec<Change>,
    /// What would go wrong, or deserves attention.
    pub problems: Vec<Problem>,
    /// What is worth knowing, and is no change.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether each change waits for changes of this plan alone: a file may say anything.
    pub fn is_closed(&self) -> bool {
        self.changes.iter().flat_map(|change| &change.after).all(|after| *after < self.changes.len())
    }

    /// The changes that aren't blocked by a foreseen error.
    pub fn runnable(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.blocked)
    }

    /// Whether a foreseen problem is an error.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether something keeps all of it from being applied, whatever the other errors.
    pub fn is_refused(&self) -> bool {
        self.problems.iter().any(|problem| problem.refusal().is_some())
    }

    /// What keeps all of it from being applied.
    pub fn refusals(&self) -> BTreeSet<Refusal> {
        self.problems.iter().filter_map(Problem::refusal).collect()
    }

    /// How many resources an effect of runnable changes concerns.
    pub fn count(&self, effect: Effect) -> usize {
        self.affected(effect).len()
    }

    /// What an effect of runnable changes concerns: each address once, with the name on AWS, in the order of changes.
    pub fn affected(&self, effect: Effect) -> Vec<(&Address, &str)> {
        let mut seen = BTreeSet::new();
        let with = self.runnable().filter(|change| change.effects.contains(&effect));
        with.filter(|change| seen.insert(&change.address))
            .map(|change| (&change.address, change.name.as_str()))
            .collect()
    }
}

/// One difference: data that can be saved, compared, rendered and executed.
///
/// Values that may be private are not in it: the applier takes them from the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it concerns.
    pub address: Address,
    /// The name on AWS.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What changes in detail.
    pub fields: Vec<FieldChange>,
    /// What people fear about it.
    pub effects: BTreeSet<Effect>,
    /// The changes that must be done first, as indexes into [`Plan::changes`].
    pub after: Vec<usize>,
    /// Whether a foreseen error keeps it from being done.
    pub blocked: bool,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Action {
    /// Deploy the application as a new stack.
    DeployStack {
        /// The application's ARN.
        application: String,
        /// The version to deploy.
        version: String,
        /// The stack's name without the repository's prefix.
        stack: String,
        /// The stack to delete first, by ARN, where a failed one is in the way.
        replaces: Option<String>,
    },
    /// Change the stack's version or parameters (and tags, on the way).
    UpdateStack {
        /// The application's ARN.
        application: String,
        /// The version to update to.
        version: String,
        /// The stack's name without the repository's prefix.
        stack: String,
        /// The stack's ARN.
        id: String,
    },
    /// Change nothing but the stack's tags: adopt it, rename its project, share its function, or let it go.
    TagStack {
        /// The stack's ARN.
        id: String,
    },
    /// Delete a stack with our tag.
    DeleteStack {
        /// The stack's ARN.
        id: String,
        /// The function that it holds, which no secret may rotate with any more.
        function_arn: Option<String>,
    },
    /// `UpdateFunctionConfiguration`, merged with what is live.
    UpdateConfiguration,
    /// `UpdateFunctionCode`.
    UpdateCode,
    /// `AddPermission` for Secrets Manager.
    AddPermission {
        /// Whether a statement with our id is there and must go first.
        replace: bool,
    },
    /// `RotateSecret` on a secret whose rotation is off.
    EnableRotation(RotateSecret),
    /// `RotateSecret` on a secret whose rotation is on, with other rules or another function.
    UpdateRotation(RotateSecret),
    /// `CancelRotateSecret`.
    DisableRotation,
}

/// What `RotateSecret` is called with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateSecret {
    /// The secret's ARN.
    pub secret_arn: String,
    /// The function's ARN; `None` where AWS manages the rotation or keeps the live function.
    pub function_arn: Option<String>,
    /// The rules; `None` keeps the live ones.
    pub rules: Option<RotationRules>,
    /// AWS's `RotateImmediately`.
    pub rotate_immediately: bool,
}

impl Action {
    /// The symbol class that it counts under.
    pub fn operation(&self) -> Operation {
        match self {
            Self::DeployStack { replaces: Some(_), .. } => Operation::Replace,
            Self::DeployStack { .. } | Self::AddPermission { replace: false } | Self::EnableRotation(_) => {
                Operation::Add
            }
            Self::UpdateStack { .. }
            | Self::TagStack { .. }
            | Self::UpdateConfiguration
            | Self::UpdateCode
            | Self::AddPermission { replace: true }
            | Self::UpdateRotation(_) => Operation::Change,
            Self::DeleteStack { .. } | Self::DisableRotation => Operation::Destroy,
        }
    }

    /// The request to Secrets Manager, where it is one.
    pub fn rotate_secret(&self) -> Option<&RotateSecret> {
        match self {
            Self::EnableRotation(request) | Self::UpdateRotation(request) => Some(request),
            _ => None,
        }
    }
}

/// Terraform's classes of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `+`
    Add,
    /// `~`
    Change,
    /// `-/+`
    Replace,
    /// `-`
    Destroy,
}

/// Why a change is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Reason {
    /// AWS doesn't have it.
    Missing,
    /// AWS has it otherwise.
    Differs,
    /// A stack of this application has no project tag yet.
    Adopt,
    /// The project has a new name.
    Renamed {
        /// The earlier name.
        from: String,
    },
    /// The stack's creation failed, and such a stack can only be deleted.
    FailedStack {
        /// Its status.
        status: String,
    },
    /// The stack is there and its function isn't.
    FunctionGone,
    /// It is part of a function that is deployed in the same plan.
    Deployed,
    /// No handle names it any more.
    Orphaned,
    /// The manifest lets it go.
    Removed,
    /// Everything goes.
    Destroyed,
}

/// What people fear about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The secret gets a new value now.
    RotatesNow,
    /// Secrets Manager runs the function's `testSecret` now.
    TestsNow,
    /// The rotation that the old schedule planned may still happen.
    MayRotateOnOldSchedule,
    /// The live function runs other code: its package, its handler, its runtime, its layers, its application's version, or a
    /// variable that loads some is another.
    ReplacesCode,
    /// The longest time between two rotations of the secret grows.
    RotatesLessOften,
    /// The secret's rotation stops; or it moves to a function that may not run.
    StopsRotation,
    /// The secret is taken from a function that this manifest doesn't deploy, or a stack from another project.
    TakesOver,
    /// Secrets Manager is let in to invoke the function.
    OpensPermission,
    /// Something is deleted.
    Deletes,
    /// It is done in spite of a freeze.
    OverridesFreeze,
}

impl Effect {
    /// All effects, the most feared first.
    pub const ALL: [Self; 10] = [
        Self::OverridesFreeze,
        Self::Deletes,
        Self::StopsRotation,
        Self::RotatesNow,
        Self::TakesOver,
        Self::ReplacesCode,
        Self::RotatesLessOften,
        Self::MayRotateOnOldSchedule,
        Self::TestsNow,
        Self::OpensPermission,
    ];

    /// The published name.
    pub fn word(self) -> &'static str {
        match self {
            Self::RotatesNow => "rotates-now",
            Self::TestsNow => "tests-now",
            Self::MayRotateOnOldSchedule => "may-rotate-on-old-schedule",
            Self::ReplacesCode => "replaces-code",
            Self::RotatesLessOften => "rotates-less-often",
            Self::StopsRotation => "stops-rotation",
            Self::TakesOver => "takes-over",
            Self::OpensPermission => "opens-permission",
            Self::Deletes => "deletes",
            Self::OverridesFreeze => "overrides-freeze",
        }
    }
}

/// A value as a plan may show it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// There is none.
    Absent,
    /// A text.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// A value that is never shown.
    Sensitive,
    /// A value that AWS will decide.
    Unknown,
}

impl Shown {
    /// A text.
    #[expect(clippy::needless_pass_by_value, reason = "numbers, texts and references to them all stand here")]
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// A text, or its absence.
    pub fn option(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Absent, Self::text)
    }
}

/// How bad a foreseen problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// What it concerns, and what depends on that, is left out of an apply.
    Error,
    /// It is said.
    Warning,
}

/// Something that would go wrong, foreseen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it concerns.
    pub address: Address,
    /// The name on AWS.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub kind: ProblemKind,
}

impl Problem {
    /// What refuses the whole plan for it; `None` where only what it concerns is left out.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.kind {
            _ if self.severity != Severity::Error => None,
            ProblemKind::Policy { .. } => Some(Refusal::Policy),
            ProblemKind::LimitExceeded(_) => Some(Refusal::Limit),
            ProblemKind::Frozen(_) => Some(Refusal::Freeze),
            _ => None,
        }
    }
}

/// What refuses a whole plan, so that nothing of it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A rule of a policy.
    Policy,
    /// A limit of the manifest.
    Limit,
    /// A freeze.
    Freeze,
}

impl Refusal {
    /// The published name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Freeze => "freeze",
        }
    }
}

/// The problems that a plan foresees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ProblemKind {
    /// Secrets Manager doesn't know the secret.
    SecretMissing,
    /// The secret has no `AWSCURRENT` version: there is nothing to rotate.
    NoValue,
    /// The secret is scheduled for deletion.
    ScheduledForDeletion,
    /// The secret is a replica: it rotates in its primary region.
    Replica {
        /// The primary's region.
        primary: String,
    },
    /// AWS's own service owns the secret: its rotation takes a schedule, and no function.
    OwnedByService {
        /// The service.
        service: String,
    },
    /// The manifest names no function, and AWS doesn't manage the secret's rotation either.
    NoFunction,
    /// A rotation is in progress, or failed and is stuck.
    UnfinishedRotation {
        /// The version that holds `AWSPENDING`.
        version: String,
    },
    /// A customer's key encrypts the secret, and the function's role was given no right to it.
    KeyWithoutParameter {
        /// The key.
        key: String,
    },
    /// The template's own code fails every rotation.
    TemplateCode,
    /// AWS doesn't show the function's environment, so that it can't be changed without losing it.
    UnreadableEnvironment {
        /// AWS's error code.
        code: String,
    },
    /// Secrets Manager may invoke the function for any account.
    UnscopedPermission {
        /// The statement's id.
        statement: String,
        /// Whether the function is deployed here, so that a scoped statement follows where this one goes.
        deployed: bool,
    },
    /// A statement keeps Secrets Manager out.
    InvocationDenied {
        /// The statement's id.
        statement: String,
    },
    /// Nothing lets Secrets Manager invoke an existing function, and that function's policy isn't ours.
    NotPermitted,
    /// Lambda doesn't know an existing function.
    FunctionMissing,
    /// No invocation of the function may run: its reserved concurrency is 0.
    FunctionThrottled {
        /// The function's ARN.
        function: String,
    },
    /// The function is in the state `Failed`.
    FunctionFailed {
        /// AWS's words.
        reason: Option<String>,
    },
    /// A function with this name is there, and no stack of this application holds it.
    NameTaken,
    /// The stack's function has another name, and a new name would replace it.
    NamedOtherwise {
        /// The name that it has.
        live: String,
    },
    /// The stack, or the function, belongs to another project.
    OtherProject {
        /// That project.
        project: String,
    },
    /// A function's tags can't be read, so that whose it is isn't known.
    OwnerUnknown {
        /// The function.
        function: String,
        /// Why.
        unread: Unread,
    },
    /// The stack is being changed by other hands.
    StackBusy {
        /// Its status.
        status: String,
    },
    /// The stack is in a status that only a person can end.
    StackBroken {
        /// Its status.
        status: String,
        /// The stack's name.
        stack: String,
        /// The first failed resource's reason.
        reason: Option<String>,
        /// Whether it has our tag.
        ours: bool,
    },
    /// The Serverless Application Repository doesn't know the application, or the version.
    ApplicationMissing {
        /// The application's ARN.
        application: String,
        /// The version.
        version: Option<String>,
    },
    /// The application's version declares no such parameter.
    UnknownParameter {
        /// As the manifest writes it.
        parameter: String,
        /// The version that was read.
        version: String,
        /// What it declares.
        declared: Vec<String>,
    },
    /// A parameter without a default has no value.
    MissingParameter {
        /// The parameter.
        parameter: String,
        /// Whether its value is there and can't be read back.
        no_echo: bool,
    },
    /// A value that the application doesn't allow.
    ParameterNotAllowed {
        /// The parameter.
        parameter: String,
        /// What it allows.
        allowed: Vec<String>,
    },
    /// A new architecture needs code that the manifest doesn't give.
    ArchitectureNeedsCode,
    /// The code can't be packaged.
    CodeUnusable {
        /// Why.
        reason: String,
    },
    /// A package that is sent holds what has a usual name of credentials.
    CredentialsInPackage {
        /// What.
        parts: Vec<PackagePart>,
    },
    /// The package lacks the file that the live handler names.
    HandlerFileMissing {
        /// The live handler.
        handler: String,
    },
    /// A stack can't be deleted while secrets of others rotate with its function.
    StillUsed {
        /// The secrets, by name.
        secrets: Vec<String>,
    },
    /// Whether the function of a stack is still used can't be known.
    UseUnknown,
    /// A stack can't be deleted while a function of the manifest, used as `existing`, is the one that it holds.
    StillNamed {
        /// That function's address.
        address: Address,
    },
    /// Pruning was asked for, and what the project owns can't be listed.
    PruningRefused,
    /// The application declares no parameter for the function's name, which AWS would then make up.
    NameNotTaken,
    /// What it needs is blocked.
    BlockedBy {
        /// The address of what is blocked.
        address: Address,
    },
    /// A rule of a policy is broken, or its exemption is over. Nothing of the plan is applied.
    Policy {
        /// The rule.
        rule: String,
        /// What of it, and where.
        at: Place,
        /// Where the entry stands that breaks it.
        declared: Option<Place>,
        /// How.
        breach: policy::Breach,
    },
    /// The plan goes beyond a limit of the manifest. Nothing of it is applied, unless limits are overridden.
    LimitExceeded(limits::Exceeded),
    /// A freeze is in force, and holds something of the plan back. Nothing of it is applied, unless the freeze is overridden.
    Frozen(freeze::Frozen),
    /// It could not be read.
    Unread {
        /// What: `stack`, `configuration`, `policy`, `application`, `secret`.
        what: Cow<'static, str>,
        /// Why.
        unread: Unread,
    },
}

/// Something worth knowing that is no change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it concerns; `None`: the whole target.
    pub address: Option<Address>,
    /// What it is.
    pub kind: NoteKind,
}

/// The notes of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum NoteKind {
    /// A secret that the project owns and no handle names.
    OrphanSecret {
        /// The function that rotates it.
        function: String,
    },
    /// A stack that the project owns and no handle names.
    OrphanStack {
        /// Secrets that rotate with its function.
        rotating: Option<usize>,
    },
    /// Secrets could not be listed.
    OrphansNotChecked {
        /// Why; `None`: not asked for.
        unread: Option<Unread>,
    },
    /// The manifest doesn't say what the secret's rotation should be.
    NotManaged {
        /// What it is.
        live: Option<RotationRules>,
        /// Whether it is on.
        on: bool,
    },
    /// The rotation of a secret that keeps a reference to our function is off.
    KeepsReference,
    /// Secrets of other manifests rotate with a shared function.
    SharedWith {
        /// How many.
        secrets: usize,
    },
    /// A newer version of the application is there.
    NewerVersion {
        /// The live one, or the pinned one.
        version: String,
        /// The newest.
        newest: String,
    },
    /// The live secret's rotation belongs to another function, and stays.
    NotOurs {
        /// That function.
        function: String,
    },
    /// A stack that a filtered removal leaves alone, since secrets that aren't selected may need its function.
    StackStays,
    /// The function's stack lets Secrets Manager invoke it for any account.
    UnscopedPermission {
        /// The statement's id.
        statement: String,
    },
    /// Secrets that needn't follow a rule.
    Exempted {
        /// Which, as patterns.
        secrets: Vec<String>,
        /// Why.
        reason: String,
        /// The last day.
        until: NaiveDate,
        /// Where it says so.
        at: Place,
    },
    /// The plan goes beyond a limit, and is applied all the same.
    LimitOverridden(limits::Exceeded),
    /// A freeze is in force, and what it holds back is applied all the same.
    FreezeOverridden(freeze::Frozen),
    /// A freeze is in force, and nothing of the plan is held back by it.
    FreezeHoldsNothing(freeze::Frozen),
    /// A freeze ended long ago.
    FreezeLeftOver(Freeze),
    /// A function is, or uses, what belongs to an account that no target names.
    Foreign(foreign::Foreign),
    /// Parts of a folder of code that aren't in the package that is sent.
    LeftOut {
        /// Which.
        parts: Vec<PackagePart>,
    },
    /// Files of live code that can be executed there, and not here; nothing else differs.
    NotExecutable {
        /// Their paths.
        files: Vec<String>,
    },
}

/// Whether an address stands for a function or its stack.
pub fn is_function(address: &Address) -> bool {
    matches!(address.kind, Kind::Function | Kind::OrphanStack)
}
