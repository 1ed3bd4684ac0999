//! The exit codes, all of them.

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// An error; wrong usage too.
pub const ERROR: u8 = 1;
/// Changes are pending; only with `--detailed-exitcode`. Notes are no changes.
pub const CHANGES: u8 = 2;
/// A saved plan was refused.
pub const REFUSED: u8 = 3;
/// Applied, but a rotation hasn't finished.
pub const NOT_FINISHED: u8 = 4;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;
