//! What two desired states of one manifest differ in: plain data.

use crate::plan::FieldChange;

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A target: where it is, and what holds in all of it.
    Target,
    /// A rotation function.
    Function,
    /// A secret's rotation.
    Secret,
    /// A rule of `select`.
    Rule,
}

impl Subject {
    /// The word for one of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Function => "function",
            Self::Secret => "secret",
            Self::Rule => "rule",
        }
    }
}

/// One difference, in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub subject: Subject,
    /// The target's name, where the manifest has named targets; of two, the later one.
    pub target: Option<String>,
    /// The handle, the later one of two; empty for targets.
    pub handle: String,
    /// The name on AWS, the later one of two; empty for targets.
    pub name: String,
    /// What differs.
    pub finding: Finding,
    /// What follows from it.
    pub consequences: Vec<Consequence>,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Finding {
    /// It is declared now.
    Added {
        /// With these values, each from absent.
        values: Vec<FieldChange>,
    },
    /// It is declared no more.
    Removed {
        /// What becomes of what is on AWS.
        fate: Fate,
    },
    /// The same thing on AWS has another handle; of a target, another name.
    Renamed {
        /// The earlier handle or name.
        from: String,
    },
    /// One attribute has another value.
    Changed(FieldChange),
    /// The files of a function's package differ.
    Code {
        /// Each of them, by path.
        files: Vec<CodeFile>,
    },
    /// Code that can't be packaged isn't compared.
    CodeUnknown {
        /// Whether that was so before the change.
        before: bool,
        /// Why.
        reason: String,
    },
}

impl Finding {
    /// The attribute that differs, where it is one.
    pub fn field(&self) -> Option<&FieldChange> {
        match self {
            Self::Changed(change) => Some(change),
            _ => None,
        }
    }
}

/// A file of a package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeFile {
    /// The path inside the package.
    pub path: String,
    /// How it differs.
    pub change: FileChange,
}

/// How a file of a package differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileChange {
    /// It is there now.
    Added,
    /// It is there no more.
    Removed,
    /// Its content differs.
    Edited,
    /// Only whether it can be executed differs.
    Mode,
}

/// What becomes of something on AWS that is declared no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It becomes an orphan: noted in every plan, ended only by pruning.
    Orphan,
    /// It becomes an orphan, and the manifest prunes: an apply ends it.
    Pruned,
    /// The manifest lets go of it, as `removed` says.
    LetGo,
    /// It isn't the project's own: it stays as it is, unmanaged.
    Unmanaged,
    /// No plan looks at its target any more: it stays as it is.
    Unseen,
}

/// What follows from a difference, where AWS is as the earlier manifest says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consequence {
    /// Rotation is switched on.
    SwitchesOn {
        /// Whether the secret then rotates now; else the function's `testSecret` runs.
        now: bool,
    },
    /// Rotation is switched off.
    StopsRotation,
    /// The secret rotates now.
    RotatesNow,
    /// The function's `testSecret` runs now.
    TestsNow,
    /// The rotation that the earlier schedule planned may still happen.
    MayRotateOnOldSchedule,
    /// The longest time between two rotations changes.
    WorstGap {
        /// Hours, as far as they can be known.
        before: Option<u32>,
        /// Hours, as far as they can be known.
        after: Option<u32>,
    },
    /// The attribute is managed no more: AWS keeps what it has.
    NoLongerManaged,
    /// The live function's code is replaced.
    ReplacesCode,
    /// Another function rotates the secret, with other code.
    AnotherFunction,
    /// It is another secret on AWS; the earlier one has this fate.
    AnotherSecret(Fate),
    /// A new stack is deployed; the earlier one has this fate.
    AnotherStack(Fate),
    /// The stack keeps its function under the earlier name, and a plan refuses to replace it.
    NameRefused,
    /// The stack that was deployed has this fate.
    LeavesStack(Fate),
    /// The environment variable is deleted on AWS.
    DeletesVariable,
    /// It changes nothing by itself: it is sent with the next change of the secret's rotation.
    InstructionOnly,
    /// What the earlier project owns stays, and isn't this project's.
    AnotherProject,
    /// What the earlier project owns is taken over.
    TakesOverProject,
    /// What a rule matches on AWS and what doesn't rotate yet is attached to its function.
    AttachesMatches {
        /// Whether such secrets then rotate now; else the function's `testSecret` runs.
        now: bool,
    },
    /// What a rule meant and means no more has this fate.
    LeavesRule(Fate),
    /// Every apply ends orphans.
    PrunesOrphans,
}
