//! Rotations that are stuck, in words: what is known of each, and which ways out there are.

use std::fmt::Write as _;

use crate::model::Address;
use crate::model::live::{LiveSecret, Unread};
use crate::plan::pending::Pending;
use crate::plan::{Problem, ProblemKind, Severity, Way};

use super::command::{There, quoted};
use super::ends::{Reach, trouble};
use super::said::moment;
use super::words::{Words, unread_words};
use super::{BOLD, DIM, WARNING, count, paint, problem, safe};

/// What of a target was looked at.
#[derive(Debug)]
pub struct TargetRepairs {
    /// The target's name, where the manifest has one.
    pub target: Option<String>,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// How many secrets could be read.
    pub looked_at: usize,
    /// Those whose rotation hasn't finished.
    pub stuck: Vec<Stuck>,
    /// Those that couldn't be read, and why.
    pub unread: Vec<(Address, Unread)>,
}

/// A secret whose rotation hasn't finished.
#[derive(Debug)]
pub struct Stuck {
    /// Its address.
    pub address: Address,
    /// The secret.
    pub secret: LiveSecret,
    /// What is known of its pending version.
    pub pending: Pending,
    /// Why its rotation is nothing that is repaired here.
    pub refused: Vec<ProblemKind>,
}

impl Stuck {
    /// Whether nothing may be running for it any more.
    pub fn is_stuck(&self) -> bool {
        self.pending.may_still_run().is_none()
    }

    /// Why no way out is offered, where none is.
    pub(super) fn no_way(&self, there: &There<'_>) -> Option<Words> {
        let kind = self.refused.first().cloned().or_else(|| self.pending.may_still_run())?;
        let (address, name) = (self.address.clone(), self.secret.name.clone());
        Some(problem::words(&Problem { address, name, severity: Severity::Warning, kind }, there))
    }

    /// The ways out, the best one first.
    pub(super) fn offers(&self) -> [Offer; 3] {
        let ways = if self.pending.tested == Some(true) {
            [Way::Promote, Way::Retry, Way::Drop]
        } else {
            [Way::Retry, Way::Promote, Way::Drop]
        };
        ways.map(|way| {
            let (what, confirmed) = offer(way, &self.pending);
            Offer { way, what, confirmed }
        })
    }
}

/// A target, with a command for each way out.
pub fn text(target: &TargetRepairs, reach: Reach<'_>) -> String {
    let mut out = String::new();
    let name = target.target.as_ref().map(|name| format!(", target {}", safe(name))).unwrap_or_default();
    let stuck = target.stuck.iter().filter(|one| one.is_stuck()).count();
    let _ = writeln!(
        out,
        "{}",
        paint(
            BOLD,
            &format!(
                "Account {}, region {}{name}: {} of {} with a rotation that is stuck",
                safe(&target.account),
                safe(&target.region),
                stuck,
                count(target.looked_at, "secret"),
            )
        )
    );
    for one in &target.stuck {
        out.push('\n');
        secret(&mut out, one, reach);
    }
    for (address, why) in &target.unread {
        let address = safe(&address.to_string()).into_owned();
        let _ = writeln!(out, "\n{} {address}: {}", paint(WARNING, "unread:"), unread_words(why));
    }
    out
}

fn secret(out: &mut String, one: &Stuck, reach: Reach<'_>) {
    let (secret, pending) = (&one.secret, &one.pending);
    let version = secret.unfinished_rotation().unwrap_or_default();
    let since = pending.since.map(|since| format!(", since {}", moment(since))).unwrap_or_default();
    let _ = writeln!(out, "{}", paint(BOLD, &safe(&one.address.to_string())));
    let _ = writeln!(out, "  AWSPENDING   {}{since}", safe(version));
    for (label, holder) in [("AWSCURRENT ", &secret.current_version), ("AWSPREVIOUS", &secret.previous_version)] {
        if let Some(holder) = holder {
            let _ = writeln!(out, "  {label}  {}", safe(holder));
        }
    }
    if let Some(failed) = &pending.trouble {
        let _ = writeln!(out, "  its last failure: {}", trouble(failed, reach.words));
    } else if let Some(step) = pending.last_step {
        let _ = writeln!(out, "  the last step that its log names: {step}");
    }
    let tested = match pending.tested {
        Some(true) => "testSecret passed for the pending version, as the function's log shows",
        Some(false) => "the function's log doesn't show that testSecret passed for the pending version",
        None => "the function's log can't be read: it isn't known whether testSecret passed",
    };
    let _ = writeln!(out, "  {tested}");
    if let Some(words) = one.no_way(&reach.there()) {
        let _ = writeln!(out, "  {} {}", paint(WARNING, "no way is offered:"), words.summary);
        for line in words.detail.iter().chain(&words.hints) {
            let _ = writeln!(out, "    {line}");
        }
        return;
    }
    let _ = writeln!(out, "  {}", paint(DIM, "ways out:"));
    for offer in one.offers() {
        let _ = writeln!(out, "    {}:\n      {}", offer.what, offer.command(one, reach));
    }
    let _ = writeln!(
        out,
        "    what its function says of it:\n      {}",
        reach.route.of_address("logs", &one.address.to_string())
    );
}

/// A way out, as it is offered.
pub(super) struct Offer {
    /// The way.
    pub(super) way: Way,
    /// What it does, and when it is right.
    pub(super) what: &'static str,
    /// Whether it asks for the secret's name once more.
    pub(super) confirmed: bool,
}

impl Offer {
    /// The command that takes it.
    pub(super) fn command(&self, one: &Stuck, reach: Reach<'_>) -> String {
        let confirm = if self.confirmed { format!(" --confirm {}", quoted(&one.secret.name)) } else { String::new() };
        format!("{}{confirm}", reach.route.of_secret(&format!("repair {}", self.way.word()), &one.address))
    }
}

/// What a way does, and whether it must be confirmed.
fn offer(way: Way, pending: &Pending) -> (&'static str, bool) {
    match way {
        Way::Retry => ("once what is wrong is mended, have it tried again", false),
        Way::Promote if pending.tested == Some(true) => {
            ("the pending value works: make it the current one, as finishSecret would have", false)
        }
        Way::Promote => ("if you know that the service takes the pending value, make it the current one", true),
        Way::Drop if pending.may_be_live() => (
            "give the pending version up, though it may hold the only live password, if setSecret has run; a label keeps its value",
            true,
        ),
        Way::Drop => ("give the pending version up, which no service was told of; a label keeps its value", false),
    }
}
