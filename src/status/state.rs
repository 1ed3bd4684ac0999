//! The states that a secret may be in.

/// How a secret's rotation does, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The last try failed, and an event or the function's log says so.
    Failing,
    /// A version has been pending for over 24 hours, or past its window.
    Stuck,
    /// It should have rotated by now.
    Overdue,
    /// The manifest names it, and AWS has no such secret.
    Missing,
    /// It has no current value.
    NoValue,
    /// It is scheduled for deletion.
    ScheduledForDeletion,
    /// Rotation is off.
    Off,
    /// Rotation was never configured.
    Never,
    /// A rotation is under way.
    InProgress,
    /// The next rotation comes within 24 hours.
    Due,
    /// It rotates as it should.
    Ok,
    /// A copy of a secret of another region, where it rotates.
    Replica,
    /// A service of AWS owns and rotates it.
    ByAService,
    /// A partner rotates it.
    ByAPartner,
    /// It doesn't rotate, and no manifest names it.
    Unmanaged,
}

impl State {
    /// All of them, worst first.
    pub const ALL: [Self; 15] = [
        Self::Failing,
        Self::Stuck,
        Self::Overdue,
        Self::Missing,
        Self::NoValue,
        Self::ScheduledForDeletion,
        Self::Off,
        Self::Never,
        Self::InProgress,
        Self::Due,
        Self::Ok,
        Self::Replica,
        Self::ByAService,
        Self::ByAPartner,
        Self::Unmanaged,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a report would begin with what is well.
    #[test]
    fn the_worst_comes_first() {
        assert!(State::ALL.is_sorted());
        assert_eq!(State::ALL.len(), State::Unmanaged as usize + 1);
    }
}
