//! What auditors' controls say of a secret: Security Hub's and AWS Config's, computed from what was read. Neither is asked.
//!
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/secretsmanager-controls.html>

use crate::model::record::SecretRecord;

use super::state::State;

/// How long a secret may go unread, and unrotated, in seconds: the controls' default of 90 days.
const LONGEST: i64 = 90 * 24 * 3600;

/// A control of Security Hub's. The fifth asks for tags, and has no default to be computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// `SecretsManager.1`: rotation is on.
    RotationEnabled,
    /// `SecretsManager.2`: it rotated as scheduled.
    RotatedAsScheduled,
    /// `SecretsManager.3`: somebody has read it within 90 days.
    Used,
    /// `SecretsManager.4`: it rotated within 90 days.
    RotatedPeriodically,
}

impl Control {
    /// All of them, in Security Hub's order.
    pub const ALL: [Self; 4] = [Self::RotationEnabled, Self::RotatedAsScheduled, Self::Used, Self::RotatedPeriodically];

    /// Security Hub's name.
    pub fn id(self) -> &'static str {
        match self {
            Self::RotationEnabled => "SecretsManager.1",
            Self::RotatedAsScheduled => "SecretsManager.2",
            Self::Used => "SecretsManager.3",
            Self::RotatedPeriodically => "SecretsManager.4",
        }
    }

    /// The rule of AWS Config that it goes by.
    pub fn rule(self) -> &'static str {
        match self {
            Self::RotationEnabled => "secretsmanager-rotation-enabled-check",
            Self::RotatedAsScheduled => "secretsmanager-scheduled-rotation-success-check",
            Self::Used => "secretsmanager-secret-unused",
            Self::RotatedPeriodically => "secretsmanager-secret-periodic-rotation",
        }
    }
}

/// A control that fails for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub control: Control,
    /// Whether that is a fault: scanners count replicas and secrets that a service owns, whose rotation is another's.
    pub is_fault: bool,
}

/// The controls that fail for a secret in a state, at a moment in seconds since 1970.
pub fn findings(record: &SecretRecord, state: State, now: i64) -> Vec<Finding> {
    let is_old = |at: Option<i64>| at.is_some_and(|at| now - at > LONGEST);
    let fails = |control: &Control| match control {
        Control::RotationEnabled => !record.is_on(),
        // One that doesn't rotate has no schedule to keep.
        Control::RotatedAsScheduled => {
            record.is_on() && matches!(state, State::Failing | State::Stuck | State::Overdue)
        }
        Control::Used => is_old(record.last_accessed.or(record.created)),
        Control::RotatedPeriodically => is_old(record.unchanged_since()),
    };
    let finding = |control| Finding { control, is_fault: !record.is_anothers() || control == Control::Used };
    Control::ALL.into_iter().filter(fails).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;
    const NOW: i64 = 1_795_953_600;

    fn healthy() -> SecretRecord {
        SecretRecord {
            rotation_enabled: Some(true),
            created: Some(NOW - 400 * DAY),
            last_rotated: Some(NOW - 10 * DAY),
            last_accessed: Some(NOW - DAY),
            ..SecretRecord::default()
        }
    }

    fn ids(record: &SecretRecord, state: State) -> Vec<(&'static str, bool)> {
        findings(record, state, NOW).into_iter().map(|one| (one.control.id(), one.is_fault)).collect()
    }

    /// Without it, an auditor's list would name what is well, or leave out what a scanner will find.
    #[test]
    fn each_control_fails_for_its_own_reason() {
        assert_eq!(ids(&healthy(), State::Ok), []);
        let off = SecretRecord { rotation_enabled: Some(false), ..healthy() };
        assert_eq!(ids(&off, State::Off), [("SecretsManager.1", true)]);
        assert_eq!(ids(&off, State::Overdue), [("SecretsManager.1", true)], "it has no schedule");
        assert_eq!(ids(&healthy(), State::Overdue), [("SecretsManager.2", true)]);
        let unread = SecretRecord { last_accessed: Some(NOW - 91 * DAY), ..healthy() };
        assert_eq!(ids(&unread, State::Ok), [("SecretsManager.3", true)]);
        let never = SecretRecord { last_accessed: None, ..healthy() };
        assert_eq!(ids(&never, State::Ok), [("SecretsManager.3", true)], "nobody has read it since it was made");
        let old = SecretRecord { last_rotated: Some(NOW - 91 * DAY), ..healthy() };
        assert_eq!(ids(&old, State::Ok), [("SecretsManager.4", true)]);
        let within =
            SecretRecord { last_rotated: Some(NOW - 90 * DAY), last_accessed: Some(NOW - 90 * DAY), ..healthy() };
        assert_eq!(ids(&within, State::Ok), []);
    }

    /// Without it, a team would hunt for faults that scanners make of what is right.
    #[test]
    fn what_another_rotates_is_no_fault() {
        let replica = SecretRecord {
            rotation_enabled: None,
            replica_of: Some("us-east-1".to_owned()),
            last_rotated: Some(NOW - 91 * DAY),
            last_accessed: Some(NOW - 91 * DAY),
            ..healthy()
        };
        let expected = [("SecretsManager.1", false), ("SecretsManager.3", true), ("SecretsManager.4", false)];
        assert_eq!(ids(&replica, State::Replica), expected);
    }
}
