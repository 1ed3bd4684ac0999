//! What the checks know of a file of Python.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Spot;

/// How sure it is that something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Runs {
    /// Whenever the file is imported.
    Surely,
    /// When a function is called, or a condition holds.
    Perhaps,
    /// It is there for other systems or versions, or what fails in it is caught.
    Guarded,
}

/// A module of Python, without its tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Module {
    /// What Python's compiler refuses of it, and where.
    pub fault: Option<(String, Spot)>,
    /// What it defines at its top.
    pub names: BTreeMap<String, Definition>,
    /// Whether it may define more than can be seen.
    pub open: bool,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Names of modules that it asks for: `datetime.UTC`.
    pub asks: Vec<Ask>,
    /// Variables that it can't do without.
    pub reads: Vec<Read>,
    /// Variables that it sets, or asks for first whether they are there.
    pub sets: BTreeSet<String>,
    /// Whether it sets variables that can't be seen.
    pub sets_any: bool,
    /// Whether it changes where Python looks for modules.
    pub moves_path: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Definition {
    /// A function that can be called as it is written.
    Function(Function),
    /// A name of another module.
    Imported { level: u32, module: String, name: String },
    /// Anything else.
    Other,
}

/// How a function is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// How many arguments by position it needs, and how many it takes; `None`: any number.
    pub needs: usize,
    pub takes: Option<usize>,
    /// Arguments by name that it needs.
    pub named: Vec<String>,
    pub is_async: bool,
    pub spot: Spot,
}

/// An import of one module, or of one name of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// How many folders up, from where the file stands; 0: from the top.
    pub level: u32,
    /// The module, with dots; empty where only a level is given.
    pub module: String,
    /// The name that is taken of it, `*` for all.
    pub name: Option<String>,
    pub runs: Runs,
    pub spot: Spot,
}

/// A name of a module that is asked for where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub module: String,
    pub name: String,
    pub runs: Runs,
    pub spot: Spot,
}

/// A variable that code can't do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub variable: String,
    pub runs: Runs,
    pub spot: Spot,
}
