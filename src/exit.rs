//! The exit codes, all of them, and which one holds where several do.

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// An error; wrong usage too.
pub const ERROR: u8 = 1;
/// Changes are pending; only with `--detailed-exitcode`. Notes are no changes.
pub const CHANGES: u8 = 2;
/// A saved plan was refused: it no longer holds.
pub const REFUSED: u8 = 3;
/// Applied, but a rotation hasn't finished.
pub const NOT_FINISHED: u8 = 4;
/// Refused by a policy, a limit, a freeze or the brake: nothing was changed, and trying again changes nothing while that stands.
pub const FORBIDDEN: u8 = 5;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Which code a command ends with where several hold: what stands first says most about what must be done next.
const RANKED: [u8; 7] = [INTERRUPTED, REFUSED, FORBIDDEN, ERROR, NOT_FINISHED, CHANGES, OK];

/// The code that holds of two. One that isn't ours is an error.
pub fn worse(one: u8, other: u8) -> u8 {
    let known = |code| if RANKED.contains(&code) { code } else { ERROR };
    let (one, other) = (known(one), known(other));
    RANKED.into_iter().find(|code| *code == one || *code == other).unwrap_or(ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a pipeline would be told to repair what must be planned anew, or to try again what is forbidden.
    #[test]
    fn one_order_decides_between_codes() {
        let order = [130, 3, 5, 1, 4, 2, 0];
        for (rank, first) in order.into_iter().enumerate() {
            for second in &order[rank..] {
                assert_eq!(worse(first, *second), first, "{first} and {second}");
                assert_eq!(worse(*second, first), first, "{second} and {first}");
            }
        }
        assert_eq!((worse(0, 101), worse(5, 101), worse(101, 4)), (1, 5, 1));
    }
}
