//! What a plan foresees that would go wrong, what refuses it whole, and what is worth knowing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::acknowledge::Acknowledgement;
use crate::model::external::Doubt;
use crate::model::freeze::Freeze;
use crate::model::live::Unread;
use crate::model::{Address, CodeFinding, LeftOut, PackagePart, Place, RotationRules};

use super::breach::{Breach, Exceeded, Foreign, Frozen};
use super::change::Way;

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
    /// A partner holds the secret: its rotation takes a role, and no function.
    HeldByPartner {
        /// The partner's type.
        partner: String,
    },
    /// The manifest says what a managed external secret rotates with, and AWS knows the secret as none.
    NotExternal,
    /// A managed external secret needs a role to rotate, and has none.
    NoExternalRole {
        /// The partner's type.
        partner: String,
    },
    /// What is known of a partner's type speaks against how its secret would rotate.
    ExternalDoubt {
        /// The partner's type.
        partner: String,
        /// What.
        doubt: Doubt,
    },
    /// AWS's own service owns the secret and, as far as is known, doesn't rotate it.
    NotRotatedByService {
        /// The service.
        service: String,
    },
    /// The secrets that a rule of `select` means aren't known: AWS's list of all can't be read whole.
    SelectUnread {
        /// Why.
        unread: Unread,
    },
    /// Several rules of `select`, or rules of several targets, want something else of the secret.
    RulesConflict {
        /// The rules of this target.
        rules: BTreeSet<String>,
    },
    /// Another entry names the same secret.
    SameSecret {
        /// That entry's address.
        other: Address,
    },
    /// An ARN without AWS's six characters, whose name ends as if it had them.
    PartialArn {
        /// The complete ARN.
        arn: String,
    },
    /// The manifest names no function, and AWS doesn't manage the secret's rotation either.
    NoFunction,
    /// A rotation is in progress, or failed and is stuck.
    UnfinishedRotation {
        /// The version that holds `AWSPENDING`.
        version: String,
    },
    /// Rotation is off, and to rotate the secret now would switch it on.
    RotationOff,
    /// The secret's value wasn't read on any day after its last rotation, as far as AWS says.
    UnreadSinceRotation {
        /// When it last rotated, in seconds since 1970 (UTC).
        rotated: i64,
    },
    /// AWS's own service, or a partner, rotates the secret: its rotation isn't ours to repair.
    RotatedByAnother {
        /// Which.
        by: String,
    },
    /// An invocation of the function may be running for the rotation that is to be repaired.
    MayStillRun {
        /// For how many seconds its version has been pending; `None` where that isn't known.
        age: Option<i64>,
        /// How old it must be: each of the four steps may take as long as the function may run, in seconds.
        limit: i64,
        /// When the invocation began that has no end in the log, in milliseconds since 1970 (UTC).
        open: Option<i64>,
        /// Why its age isn't known, where it couldn't be read.
        unread: Option<Unread>,
    },
    /// What is asked for may do harm, and the secret's name doesn't stand behind `--confirm`.
    Unconfirmed {
        /// The way that is asked for.
        way: Way,
    },
    /// The version that would be given up may be the only live password: its function may have told the service of it.
    MayBeLive,
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
    /// Nothing lets Secrets Manager invoke the function for the secret's account, which isn't the target's.
    OtherAccount {
        /// The function's ARN.
        function: String,
        /// The secret's account.
        account: String,
    },
    /// A secret of another account can't be read.
    OtherAccountUnread {
        /// The secret's account.
        account: String,
        /// Why.
        unread: Unread,
    },
    /// A secret of another account is encrypted with the key that AWS itself manages there, which no other account can use.
    OtherAccountKey {
        /// The secret's account.
        account: String,
    },
    /// The function that rotates the secret now, and that its entry doesn't name, can't rotate it.
    LiveFunction {
        /// The function's ARN.
        function: String,
        /// Why not.
        fault: LiveFault,
    },
    /// Lambda doesn't know an existing function.
    FunctionMissing,
    /// Lambda doesn't know a version or an alias of an existing function, or the function itself.
    QualifierMissing {
        /// The version's number, or the alias.
        qualifier: String,
    },
    /// The region has no Serverless Application Repository.
    NoRepository {
        /// The region.
        region: String,
    },
    /// AWS stops the function's runtime, or has stopped it.
    RuntimeStopped {
        /// The runtime.
        runtime: String,
        /// Whether AWS refuses every change of such a function; else only to give a function this runtime.
        every_change: bool,
        /// From when.
        from: NaiveDate,
        /// Whether that day has come.
        over: bool,
        /// What to take instead, where AWS names it.
        successor: Option<String>,
    },
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
    /// A function with this name is there, and a stack of this application holds it that has another name.
    HeldByStack {
        /// That stack's name on AWS.
        stack: String,
        /// What a manifest calls it.
        name: String,
        /// The other project that it belongs to, if it does.
        project: Option<String>,
    },
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
    /// Secrets Manager doesn't know a secret that the function reads, or is about to delete it.
    ReadSecretMissing {
        /// Its name or ARN, as the manifest writes it.
        secret: String,
    },
    /// The application's version has no parameter for another secret that its function reads.
    ReadSecretNotTaken {
        /// The version that was read.
        version: String,
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
    /// Something is wrong with the code of the package.
    Code {
        /// What.
        finding: CodeFinding,
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
        breach: Breach,
    },
    /// The plan goes beyond a limit of the manifest. Nothing of it is applied, unless limits are overridden.
    LimitExceeded(Exceeded),
    /// A freeze is in force, and holds something of the plan back. Nothing of it is applied, unless the freeze is overridden.
    Frozen(Frozen),
    /// It could not be read.
    Unread {
        /// What: `stack`, `configuration`, `policy`, `application`, `secret`.
        what: Cow<'static, str>,
        /// Why.
        unread: Unread,
    },
}

/// What is known of a rotation that hasn't finished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingFacts {
    /// The version that holds `AWSPENDING`.
    pub version: String,
    /// Since when, in seconds since 1970 (UTC).
    pub since: Option<i64>,
    /// Whether the function's log shows that testSecret passed for it; `None` where the log doesn't say.
    pub tested: Option<bool>,
    /// Whether setSecret may have run for it, so that the service may know no other value.
    pub may_be_live: bool,
}

/// Why a function can't rotate a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum LiveFault {
    /// Lambda doesn't know it.
    Missing,
    /// It is in the state `Failed`.
    Failed {
        /// AWS's words.
        reason: Option<String>,
    },
    /// Its reserved concurrency is 0.
    Throttled,
    /// A statement keeps Secrets Manager out.
    Denied {
        /// The statement's id.
        statement: String,
    },
    /// No statement lets Secrets Manager in.
    NotPermitted {
        /// The secret's account.
        account: String,
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
    /// A function that is to be tested after its change, and no secret that it could be tested on.
    NotVerified,
    /// A function that is to be tested has changed before, and nothing says how it did since.
    TestUnknown,
    /// A function changes without a test: its next rotations show whether it works.
    MeetsRotations {
        /// How many secrets of the manifest rotate with it.
        secrets: usize,
    },
    /// A secret that the project owns and no handle names.
    OrphanSecret {
        /// The function that rotates it.
        function: String,
    },
    /// A secret that rotates with the function of a rule of `select`, which the project owns, and that neither a rule nor a handle means.
    LeftRule {
        /// The function that rotates it.
        function: String,
    },
    /// The same with a function that the manifest only uses: some of them may be others'.
    BesideRule {
        /// The function's handle.
        function: String,
        /// By name.
        secrets: BTreeSet<String>,
    },
    /// A rule of `select` matches nothing that no entry names.
    MatchesNothing,
    /// A secret that a rule of `select` matches and leaves alone.
    LeftOutByRule {
        /// The rules.
        rules: BTreeSet<String>,
        /// Why.
        why: LeftOut,
    },
    /// A stack that the project owns and no handle names.
    OrphanStack {
        /// Secrets that rotate with its function.
        rotating: Option<usize>,
    },
    /// An existing function that the project has deployed: its stack has the project's tag.
    DeployedBefore {
        /// The stack's name on AWS.
        stack: String,
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
    /// The run that goes on has rotated the secret already.
    RotatedByRun,
    /// The secret has got another value since the run began that goes on, and isn't rotated once more.
    RotatedSince {
        /// When, in seconds since 1970 (UTC).
        at: i64,
    },
    /// No rotation of the secret is stuck.
    NothingPending,
    /// What is known of a rotation that is to be repaired.
    Pending(PendingFacts),
    /// Secrets that are overdue, or whose rotation hasn't finished.
    Late {
        /// How many.
        secrets: usize,
    },
    /// The rotation of a secret that keeps a reference to our function is off.
    KeepsReference,
    /// Secrets of other manifests rotate with a shared function.
    SharedWith {
        /// How many.
        secrets: usize,
    },
    /// Whether the key of a secret is the one of its function's parameter isn't known: one of them is an alias.
    KeysNotCompared {
        /// The secret's key.
        key: String,
        /// The parameter.
        parameter: String,
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
    /// Warnings that the manifest acknowledges, and that therefore aren't among the problems.
    Acknowledged {
        /// How many.
        warnings: usize,
        /// Which acknowledgement.
        by: Acknowledgement,
    },
    /// An acknowledgement has ended, and what it was about stands in the plan again.
    AcknowledgementOver(Acknowledgement),
    /// An acknowledgement is about no warning of any plan of its manifest.
    AcknowledgesNothing(Acknowledgement),
    /// The plan goes beyond a limit, and is applied all the same.
    LimitOverridden(Exceeded),
    /// A freeze is in force, and what it holds back is applied all the same.
    FreezeOverridden(Frozen),
    /// A freeze is in force, and nothing of the plan is held back by it.
    FreezeHoldsNothing(Frozen),
    /// A freeze ended long ago.
    FreezeLeftOver(Freeze),
    /// A function is, or uses, what belongs to an account that no target names.
    Foreign(Foreign),
    /// Parts of a folder of code that aren't in the package that is sent.
    LeftOut {
        /// Which.
        parts: Vec<PackagePart>,
    },
    /// Before a function's code is replaced, it is kept as a version of the function.
    KeepsCode,
    /// Files of live code that can be executed there, and not here; nothing else differs.
    NotExecutable {
        /// Their paths.
        files: Vec<String>,
    },
}
