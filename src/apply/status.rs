//! The states of stacks, change sets and functions, by their names.

use super::Failure;

/// Whether a status says that AWS still works on something. AWS adds states; these endings say what they mean.
pub(super) fn goes_on(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS") || status.ends_with("_PENDING")
}

/// Whether a stack's status says whether it has ended, and how.
pub(super) fn is_known(status: &str) -> bool {
    goes_on(status) || status.ends_with("_COMPLETE") || status.ends_with("_FAILED")
}

/// Waiting for the end of an unknown state would last until the time is up.
pub(super) fn unknown(what: &str, state: &str) -> Failure {
    Failure::UnknownState { what: what.to_owned(), state: state.to_owned() }
}
