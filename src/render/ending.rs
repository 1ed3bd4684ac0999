//! What the end of a run is called: by the command that was given, and in the words for what it does.

use crate::plan::Way;

use super::plan::Mode;

/// How a run ended, before the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// All is done.
    Complete,
    /// All is done, and a rotation that it began hasn't ended.
    Unfinished,
    /// All is done, and the test of a function has failed.
    TestFailed,
    /// Something isn't done.
    Incomplete,
}

/// What the end of a run is called, by what was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    /// The command.
    command: &'static str,
    /// What has become of a resource that was dealt with.
    pub(super) done: &'static str,
    /// The same where it was dealt with in part.
    pub(super) partly: &'static str,
    /// Whether rotations are what was asked for, and not what comes of it.
    rotates: bool,
}

impl Wording {
    pub(super) fn of(mode: Mode) -> Self {
        let (command, done, partly, rotates) = match mode {
            Mode::Plan | Mode::Apply => ("Apply", "applied", "partly applied", false),
            Mode::Destroy => ("Destroy", "done", "partly done", false),
            Mode::Rotate => ("Rotate", "rotated", "begun and not watched", true),
            Mode::Repair(Way::Retry) => ("Repair", "rotated", "tried again and not watched", true),
            Mode::Repair(Way::Promote) => ("Repair", "promoted", "partly promoted", true),
            Mode::Repair(Way::Drop) => ("Repair", "dropped", "partly dropped", true),
        };
        Self { command, done, partly, rotates }
    }

    /// The words before the numbers, without the mark that ends them.
    pub(super) fn title(self, how: How) -> String {
        let command = self.command;
        match how {
            How::Complete => format!("{command} complete"),
            How::Unfinished if self.rotates => format!("{command} incomplete, since not every rotation has finished"),
            How::Unfinished => format!("{command} complete, but not every rotation has finished"),
            How::TestFailed => format!("{command} complete, but not every test has passed"),
            How::Incomplete => format!("{command} incomplete"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, people who rotated a secret, or gave a version up, would read that something was applied.
    #[test]
    fn a_runs_end_has_the_words_of_its_command() {
        let said = |mode, how| format!("{}: 1 {}", Wording::of(mode).title(how), Wording::of(mode).done);
        assert_eq!(said(Mode::Apply, How::Complete), "Apply complete: 1 applied");
        assert_eq!(said(Mode::Destroy, How::Incomplete), "Destroy incomplete: 1 done");
        assert_eq!(said(Mode::Rotate, How::Complete), "Rotate complete: 1 rotated");
        let unfinished = "incomplete, since not every rotation has finished: 1 rotated";
        assert_eq!(said(Mode::Rotate, How::Unfinished), format!("Rotate {unfinished}"));
        assert_eq!(said(Mode::Repair(Way::Retry), How::Unfinished), format!("Repair {unfinished}"));
        assert_eq!(said(Mode::Repair(Way::Promote), How::Complete), "Repair complete: 1 promoted");
        assert_eq!(said(Mode::Repair(Way::Drop), How::Complete), "Repair complete: 1 dropped");
    }
}
