//! The ways in which rules are broken: plain data, in saved plans too.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::RotationRules;
use crate::model::live::Unread;

/// How a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Breach {
    /// Rotation is off, or will be.
    Off,
    /// Rotation is on, and AWS shows no schedule.
    NoSchedule,
    /// A live schedule that isn't understood here.
    UnknownSchedule {
        /// The rules.
        rules: RotationRules,
    },
    /// Two rotations may lie too far apart.
    Age {
        /// The rules.
        rules: RotationRules,
        /// The worst case, in hours.
        hours: u32,
        /// How many days are allowed.
        days: u32,
    },
    /// The openings of two windows may lie too far apart.
    Interval {
        /// The rules.
        rules: RotationRules,
        /// The longest interval, in hours.
        hours: u32,
        /// How many days are allowed.
        days: u32,
    },
    /// Windows last too long.
    WindowLength {
        /// How long, in hours.
        hours: u8,
        /// How many are allowed.
        allowed: u8,
    },
    /// A window may be open outside the allowed time.
    WindowOutside {
        /// The day that it opens on; `None`: any.
        day: Option<String>,
        /// The hour that it opens at.
        hour: u8,
        /// How long it lasts, in hours.
        length: u8,
        /// The allowed time.
        bounds: String,
    },
    /// A label is missing, or its value shows nothing.
    Label {
        /// Its name.
        label: String,
        /// Whether it is there.
        #[serde(default)]
        blank: bool,
    },
    /// A function that is deployed has no code of the manifest.
    NoCode,
    /// A function is used and not deployed, so that its code isn't the manifest's.
    CodeElsewhere {
        /// The function's ARN, where a secret's entry names none.
        function: Option<String>,
    },
    /// A function, its application, a layer or its role isn't on the rule's list.
    NotListed {
        /// Which list.
        list: String,
        /// What isn't on it.
        name: String,
    },
    /// A function's configuration could not be read.
    FunctionUnread {
        /// Why.
        unread: Unread,
    },
    /// The target doesn't state its account.
    NoAccount,
    /// A change has a forbidden effect.
    Effect {
        /// The effect.
        effect: String,
    },
    /// A secret's rotation could not be read.
    Unread {
        /// Why.
        unread: Unread,
    },
    /// The secrets that no manifest names could not be listed.
    Unlisted {
        /// Why.
        unread: Unread,
    },
    /// An exemption is over.
    ExemptionOver {
        /// Whom it exempted.
        secrets: Vec<String>,
        /// Its last day.
        until: NaiveDate,
    },
    /// An exemption ends soon: a warning.
    ExemptionEnds {
        /// Whom it exempts.
        secrets: Vec<String>,
        /// Its last day.
        until: NaiveDate,
    },
}
