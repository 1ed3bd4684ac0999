//! The brake: what an apply without a person at the terminal may not do by itself.

use super::{Effect, Plan};

/// How many secrets `--auto-approve` may rotate now, unless `--max-rotations` says otherwise.
pub const MAX_ROTATIONS: usize = 20;

/// Why the brake stops an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// How many secrets would rotate now.
    pub rotations: usize,
    /// How many are allowed.
    pub limit: usize,
}

/// Looks at how many secrets the plans of one apply rotate now, against a limit.
pub fn brake<'a>(plans: impl IntoIterator<Item = &'a Plan>, limit: Option<usize>) -> Option<Brake> {
    let rotations = plans.into_iter().map(|plan| plan.count(Effect::RotatesNow)).sum();
    let limit = limit.unwrap_or(MAX_ROTATIONS);
    (rotations > limit).then_some(Brake { rotations, limit })
}
