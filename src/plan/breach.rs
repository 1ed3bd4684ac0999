//! What of a plan goes against rules, limits and freezes, or is of others: plain data, in saved plans too.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::freeze::Freeze;
use crate::model::live::Unread;
use crate::model::rule::AtMost;
use crate::model::{Place, RotationRules};

use super::Effect;

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
    /// It hasn't rotated for too long: a warning.
    NotRotated {
        /// For how many whole days.
        days: u32,
        /// How many are allowed.
        allowed: u32,
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

/// Something of an account that no target names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Foreign {
    /// What it is.
    pub kind: ForeignKind,
    /// Its ARN, or a bucket's name.
    pub name: String,
    /// The account; `None` for buckets, of which AWS doesn't say whose they are.
    pub account: Option<String>,
}

/// What may belong to another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignKind {
    /// A function that is used and not deployed.
    Function,
    /// An application that a function is deployed from.
    Application,
    /// A layer.
    Layer,
    /// An S3 bucket that a function's code comes from.
    Bucket,
}

impl ForeignKind {
    /// The published name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Application => "application",
            Self::Layer => "layer",
            Self::Bucket => "bucket",
        }
    }
}

/// A freeze, and what of a plan it holds back: how many changes have each of the effects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The freeze.
    pub freeze: Freeze,
    /// How many changes of each effect.
    pub held: BTreeMap<Effect, usize>,
}

/// A limit that a plan goes beyond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceeded {
    /// What is counted.
    pub what: Limited,
    /// How many secrets.
    pub count: usize,
    /// Of how many that rotate, or begin to with it.
    pub of: usize,
    /// The limit, as it is written.
    pub at_most: AtMost,
    /// How many that allows.
    pub allowed: usize,
    /// Where it stands.
    pub at: Place,
    /// How many targets of one account and region were counted together; in plans of earlier versions 0, for one.
    #[serde(default)]
    pub targets: usize,
}

/// What limits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// Secrets that rotate and get another rotation: other rules, another function, or none.
    Changed,
    /// Secrets that stop rotating.
    Stopped,
    /// Secrets that rotate now.
    RotatingNow,
}

impl Limited {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Changed, Self::Stopped, Self::RotatingNow];

    /// The word in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Stopped => "stopped",
            Self::RotatingNow => "rotating_now",
        }
    }
}
