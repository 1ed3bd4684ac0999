//! A manifest of what an account has already: which secrets and functions it names, under which handles, and what it leaves out and why.
//!
//! | Module | Knows |
//! |---|---|
//! | [`sayable`] | what a manifest of this version can say: the one place that grows when the format does |
//! | [`managed`] | what the root names already, where one stands |
//! | [`functions`] | what a function is used as: existing, adopted, known, or not at all |
//! | [`handles`] | short and unique handles, and names of files |
//! | [`varying`] | what is one entry with variables, since its names differ from target to target by those alone |
//! | [`terraform`] | what Terraform's state says of rotation, and what of it moves |
//! | [`proposed`] | which entries are better one rule of `select` |
//! | [`rules`] | which rotation is the commonest, and what an entry says over what it inherits |
//!
//! It is pure: it knows the domain and what was read, and no client, clock, file or word for people. Names of AWS are untrusted: what a
//! manifest's own checks don't take is left out.

mod entries;
mod functions;
mod handles;
mod managed;
mod proposed;
mod rules;
mod sayable;
pub mod terraform;
#[cfg(test)]
mod tests;
mod varying;

use std::collections::{BTreeMap, BTreeSet};

pub use entries::{draft, unrotated};
pub use handles::file_name;
pub use managed::{Here, Managed};
pub use proposed::{RuleEntry, held, propose};
pub use rules::Field;

use crate::model::RotationRules;
use crate::model::account::{Account, TaggedSecret};
use crate::model::live::Unread;

/// One target, read.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its name; `None` where the manifest has no `targets`.
    pub target: Option<&'a str>,
    /// What it has.
    pub account: &'a Account,
    /// What of it the root names already.
    pub managed: &'a Managed,
    /// The texts that the manifest's variables stand for there.
    pub variables: &'a BTreeMap<String, String>,
}

/// What entries of a new file inherit from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// It is written with them.
    Fresh,
    /// It stands, and is somebody's: what its defaults state is known by name alone, such as `rotation.duration`.
    Standing {
        /// The fields of a secret.
        secrets: BTreeSet<String>,
        /// The fields of a function.
        functions: BTreeSet<String>,
    },
}

/// What is to be imported.
pub struct Wanted<'a> {
    /// The project's name.
    pub project: &'a str,
    /// Whether functions of stacks of AWS's generic template are taken over.
    pub adopts: bool,
    /// How many targets the manifest has; 0: it has no `targets`.
    pub targets: usize,
    /// What the root says.
    pub root: Root,
    /// Handles that are taken, of functions and of secrets.
    pub taken: [BTreeSet<String>; 2],
    /// Whether a secret passes the filters.
    pub passes: &'a dyn Fn(&TaggedSecret) -> bool,
    /// What moves from Terraform, where that is asked.
    pub terraform: Option<&'a terraform::State>,
}

/// What would be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The commonest rotation of all: the default of a new root.
    pub defaults: Option<RotationRules>,
    /// A file each, by handle of their function.
    pub groups: Vec<Group>,
    /// What came of each place, in their order.
    pub places: Vec<Outcome>,
}

/// The secrets of one function, and the function itself where it isn't known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The function's handle; `None`: AWS rotates these secrets itself.
    pub handle: Option<String>,
    /// Its entry; `None` where the root has it, or there is none.
    pub function: Option<FunctionEntry>,
    /// What the file's entries inherit of their rotation, where that is another than the root's.
    pub defaults: Vec<Field>,
    /// The entries, by handle.
    pub secrets: Vec<SecretEntry>,
    /// Rules in place of others.
    pub select: Vec<RuleEntry>,
}

/// A function's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its handle.
    pub handle: String,
    /// What it is used as.
    pub source: Source,
    /// The targets that it is in; empty: all.
    pub targets: Vec<String>,
    /// Whether it says its name and its stack whatever its handle is: it could inherit others.
    pub states_name: bool,
    /// Fields that it may not inherit.
    pub nulls: Vec<String>,
    /// What people should know of it; each with its target, where it doesn't hold in all.
    pub remarks: Vec<(Option<String>, Remark)>,
    /// What it is in each place, by the place's number: `source` without variables.
    pub live: BTreeMap<usize, Source>,
}

/// What a function is used as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Used, and not deployed: its name or its ARN.
    Existing(String),
    /// Deployed from AWS's generic template.
    Adopted {
        /// Its name.
        name: String,
        /// The stack's name, without the repository's prefix.
        stack: String,
        /// Where its live code was brought to, relative to the file.
        code: Option<String>,
    },
}

impl Source {
    fn is_adopted(&self) -> bool {
        matches!(self, Self::Adopted { .. })
    }

    /// Its names as one text, in which variables are looked for.
    fn words(&self) -> String {
        match self {
            Self::Existing(reference) => reference.clone(),
            Self::Adopted { name, stack, .. } => format!("{name}\n{stack}"),
        }
    }

    /// The same with other words.
    fn with_words(&self, words: &str) -> Self {
        match (self, words.split_once('\n')) {
            (Self::Adopted { code, .. }, Some((name, stack))) => {
                Self::Adopted { name: name.to_owned(), stack: stack.to_owned(), code: code.clone() }
            }
            _ => Self::Existing(words.to_owned()),
        }
    }
}

/// A secret's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// Its handle.
    pub handle: String,
    /// Its name, where the handle alone doesn't say it.
    pub name: Option<String>,
    /// What it says of its function.
    pub function: FunctionWord,
    /// The targets that it is in; empty: all.
    pub targets: Vec<String>,
    /// What it says of its rotation.
    pub rotation: Vec<Field>,
    /// What people should know of it.
    pub remarks: Vec<Remark>,
    /// What all of that must mean: its name in each place, by the place's number, and its rotation.
    pub means: (BTreeMap<usize, String>, RotationRules),
}

/// What a secret's entry says of its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionWord {
    /// This handle.
    Handle(String),
    /// That it has none, against what it would inherit.
    Null,
    /// Nothing.
    Absent,
}

/// What people should know of an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// A stack of the Serverless Application Repository made it.
    OfRepository {
        /// The stack.
        stack: String,
        /// Whether it comes from AWS's generic template, so that it could be adopted.
        is_generic: bool,
    },
    /// A stack of `CloudFormation` made it.
    OfStack {
        /// The stack.
        stack: String,
    },
    /// Its tags say that Terraform manages it.
    OfTerraform,
    /// Terraform's state has it.
    InTerraform {
        /// Its address there.
        address: String,
    },
    /// It belongs to another account.
    OtherAccount {
        /// That account.
        account: String,
    },
    /// Another project shares it.
    SharedBy {
        /// That project.
        project: String,
    },
    /// It could not be read.
    Unread {
        /// The action that was refused or failed, where one is known.
        action: Option<String>,
    },
    /// A rotation of it hasn't finished.
    Unfinished,
}

/// Why a secret isn't written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Its rotation was never switched on.
    Never,
    /// Its rotation is switched off.
    Off,
    /// A service owns it.
    Service {
        /// That service.
        service: String,
        /// Whether it rotates.
        rotates: bool,
    },
    /// A partner rotates it.
    Partner {
        /// The kind of secret.
        kind: String,
    },
    /// A copy of a secret of another region.
    Replica {
        /// That region.
        primary: String,
    },
    /// AWS is about to delete it.
    ScheduledForDeletion,
    /// AWS names no function of it, nor anybody else who rotates it.
    NoFunction,
    /// Its function isn't there any more.
    FunctionGone {
        /// The function's ARN.
        function: String,
    },
    /// Lambda can't run its function.
    FunctionFailed {
        /// The function's ARN.
        function: String,
    },
    /// Its function is another project's, which doesn't share it.
    OtherProject {
        /// The function's ARN.
        function: String,
        /// That project.
        project: String,
    },
    /// A manifest takes its function for another one that it names already.
    SameFunction {
        /// The function's ARN.
        function: String,
    },
    /// A manifest can't name its function.
    Function {
        /// The function's ARN.
        function: String,
        /// Why.
        reason: String,
    },
    /// A manifest can't name it.
    Name {
        /// Why.
        reason: String,
    },
    /// A manifest can't say its schedule.
    Schedule {
        /// Why.
        reason: String,
    },
    /// The root lets go of it, or of its function: `removed`.
    Released,
}

impl LeftOut {
    /// The word that published formats have for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Off => "off",
            Self::Service { .. } => "service",
            Self::Partner { .. } => "partner",
            Self::Replica { .. } => "replica",
            Self::ScheduledForDeletion => "scheduled-for-deletion",
            Self::NoFunction => "no-function",
            Self::FunctionGone { .. } => "function-gone",
            Self::FunctionFailed { .. } => "function-failed",
            Self::OtherProject { .. } => "other-project",
            Self::SameFunction { .. } => "same-function",
            Self::Function { .. } => "function",
            Self::Name { .. } => "name",
            Self::Schedule { .. } => "schedule",
            Self::Released => "released",
        }
    }

    /// Whether the secret doesn't rotate, and could.
    pub fn is_unrotated(&self) -> bool {
        matches!(
            self,
            Self::Never
                | Self::Off
                | Self::Service { rotates: false, .. }
                | Self::FunctionGone { .. }
                | Self::FunctionFailed { .. }
        )
    }
}

/// What came of one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many secrets it has that pass the filters.
    pub secrets: usize,
    /// How many of them the root names already.
    pub managed: usize,
    /// The names of those that are written.
    pub written: Vec<String>,
    /// The stacks that are adopted, without the repository's prefix.
    pub adopted: BTreeSet<String>,
    /// The handles of the functions that those rotate with.
    pub functions: BTreeSet<String>,
    /// Those that are left out: name, ARN, and why; by name.
    pub left_out: Vec<(String, String, LeftOut)>,
    /// Why stacks could not be listed, if they couldn't.
    pub stacks_unread: Option<Unread>,
}
