//! The grammar of Secrets Manager's schedules, their windows, and when they open.
//!
//! The rules are those of the user guide's "Schedule expressions in Secrets Manager rotation"; calendar arithmetic is croner's.

use super::rotation::Schedule;

/// The length in hours of the window that AWS gives a schedule without a duration; `None` where the schedule is invalid.
pub fn default_duration_hours(_schedule: &Schedule) -> Option<u8> {
    None
}
