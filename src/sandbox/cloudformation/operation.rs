//! What is under way with a stack, as it is saved.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::template::Definition;

/// What is under way with a stack: saved, so that a sandbox that was stopped in the middle goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// Which part of it.
    pub phase: Phase,
    /// What is left to do in this phase.
    pub queue: VecDeque<Task>,
    /// Whether the first task of the queue was announced.
    pub announced: bool,
    /// What was done or tried, oldest first: what a roll-back undoes.
    pub tried: Vec<Task>,
    /// What has to be deleted at the end: what was replaced, or is not needed any more.
    pub leftovers: Vec<Leftover>,
    /// Logical ids that failed in this phase.
    pub failed: Vec<String>,
    /// What the stack was made from before this phase.
    pub previous: Option<Definition>,
    /// The change set that is executed.
    pub change_set: Option<String>,
    /// The caller's token.
    pub token: Option<String>,
    /// What a failed creation leads to.
    pub on_failure: OnFailure,
    /// Logical ids to leave alone: those to retain, or to skip.
    pub skip: Vec<String>,
    /// Whether a deletion ends well whatever can't be deleted.
    pub force: bool,
    /// What somebody asked for in the meantime.
    pub interrupt: Option<Interrupt>,
}

/// Which part of an operation is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Resources of a new stack.
    Create,
    /// A new stack failed: what was created is deleted.
    Rollback,
    /// Resources of a live stack.
    Update,
    /// What an update leaves over is deleted.
    Cleanup,
    /// An update failed: what it did is undone.
    UpdateRollback,
    /// What a roll-back leaves over is deleted.
    RollbackCleanup,
    /// The stack is deleted.
    Delete,
}

/// Something to do to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Create it.
    Create(String),
    /// Change it.
    Update(String),
    /// Create another one in its place; the old one becomes a leftover.
    Replace(String),
    /// Nothing but say that it is as it was: its replacement is undone.
    Restore(String),
    /// Delete it.
    Delete(Leftover),
}

impl Task {
    /// The resource's name in the template.
    pub fn logical_id(&self) -> &str {
        match self {
            Self::Create(id) | Self::Update(id) | Self::Replace(id) | Self::Restore(id) => id,
            Self::Delete(leftover) => &leftover.logical_id,
        }
    }
}

/// A resource that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// Its name in its service; nothing if it was never created.
    pub physical_id: Option<String>,
    /// The function that a permission is on, by name.
    pub function: Option<String>,
}

/// What a failed creation leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// What was created is deleted, the stack stays.
    #[default]
    Rollback,
    /// Nothing.
    Nothing,
    /// The stack is deleted.
    Delete,
}

/// What somebody asked for while something was under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interrupt {
    /// Roll the update back.
    Cancel,
    /// Delete the stack that is being created.
    Delete,
}

impl Operation {
    /// An operation that has everything before it.
    pub fn new(phase: Phase, queue: impl IntoIterator<Item = Task>) -> Self {
        Self {
            phase,
            queue: queue.into_iter().collect(),
            announced: false,
            tried: Vec::new(),
            leftovers: Vec::new(),
            failed: Vec::new(),
            previous: None,
            change_set: None,
            token: None,
            on_failure: OnFailure::default(),
            skip: Vec::new(),
            force: false,
            interrupt: None,
        }
    }
}
