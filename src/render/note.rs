//! The words of notes: what is worth knowing, and is no change.

use crate::plan::foreign::Foreign;
use crate::plan::problem::PendingFacts;
use crate::plan::{Note, NoteKind};

use super::command::Route;
use super::said::moment;
use super::words::unread_words;
use super::{count, package, rules, safe, select, some_of};

/// That secrets don't rotate as they should.
fn late_words(secrets: usize, route: Route<'_>) -> String {
    let (is, has) = if secrets == 1 { ("is", "has") } else { ("are", "have") };
    let (secrets, status) = (count(secrets, "secret"), route.command("status"));
    format!("{secrets} {is} overdue or {has} a rotation that hasn't finished: `{status}` says more")
}

/// That code which is replaced is kept.
const KEEPS_CODE: &str = "its old code is kept first, as a version of the function; where `lambda:PublishVersion` is denied, it can't be kept, and is replaced all the same";

/// A note in words, without what it concerns. `route`: where its commands lead.
#[expect(clippy::too_many_lines, reason = "one table of all kinds: the compiler asks for the words of a new one")]
pub fn note_words(note: &Note, route: Route<'_>) -> String {
    match &note.kind {
        NoteKind::OrphanSecret { function } => {
            format!("rotates with {} and no handle names it; `--prune` switches its rotation off", safe(function))
        }
        NoteKind::LeftRule { function } => select::left_rule(function),
        NoteKind::BesideRule { function, secrets } => select::beside_rule(function, secrets),
        NoteKind::MatchesNothing => select::matches_nothing(route),
        NoteKind::LeftOutByRule { rules, why } => select::left_out(rules, why),
        NoteKind::OrphanStack { rotating } => {
            let rotating = match rotating {
                None => String::new(),
                Some(1) => " (1 secret rotates with its function)".to_owned(),
                Some(number) => format!(" ({number} secrets rotate with its function)"),
            };
            format!("has this project's tag and no handle names it{rotating}; `--prune` deletes it")
        }
        NoteKind::DeployedBefore { stack } => {
            let stack = safe(stack);
            format!(
                "this project deployed it, as the stack {stack}, and its entry only uses it now: it stays as it is, with `--prune` too; `removed: [function.{stack}]` takes the project's tag off the stack"
            )
        }
        NoteKind::OrphansNotChecked { unread: Some(unread) } => {
            format!("orphans not checked: {}", unread_words(unread))
        }
        NoteKind::OrphansNotChecked { unread: None } => "orphans not checked".to_owned(),
        NoteKind::NotManaged { live, on } => {
            let state = if *on { "on" } else { "off" };
            let stays = live.as_ref().filter(|_| *on).map(|rules| format!(", {}", safe(&rules.to_string())));
            format!("the schedule is not managed; rotation stays {state}{}", stays.unwrap_or_default())
        }
        NoteKind::RotatedByRun => "this run has rotated it already".to_owned(),
        NoteKind::RotatedSince { at } => {
            format!("its value is newer than this run, of {}: it isn't rotated once more", moment(*at))
        }
        NoteKind::NothingPending => "no rotation of it is stuck".to_owned(),
        NoteKind::Pending(facts) => pending_words(facts),
        NoteKind::Late { secrets } => late_words(*secrets, route),
        NoteKind::KeepsReference => "rotation is off; AWS keeps the reference to the function".to_owned(),
        NoteKind::NotVerified => {
            "it isn't tested: no secret of this manifest rotates with it and is idle, over an hour away from its next window".to_owned()
        }
        NoteKind::TestUnknown => {
            "it has changed, and its log doesn't say whether it was tested since: its next rotation shows it".to_owned()
        }
        NoteKind::MeetsRotations { secrets } => format!(
            "what changes first meets the next rotation of {}; `verify: true`, or `--verify`, has it tested at once",
            count(*secrets, "secret")
        ),
        NoteKind::SharedWith { secrets } => {
            let verb = if *secrets == 1 { "rotates" } else { "rotate" };
            format!("shared: {} of other manifests {verb} with it", count(*secrets, "secret"))
        }
        NoteKind::KeysNotCompared { key, parameter } => format!(
            "whether its key, {}, is its function's `kmsKeyArn`, {}, isn't known: KMS alone knows which key an alias is of",
            safe(key),
            safe(parameter)
        ),
        NoteKind::NewerVersion { version, newest } => {
            format!("the application has version {}; {} is newer", safe(version), safe(newest))
        }
        NoteKind::NotOurs { function } => format!("left alone: it belongs to {}", safe(function)),
        NoteKind::StackStays => {
            "its stack stays: with a filter, whether other secrets rotate with it isn't known; a removal without one deletes it"
                .to_owned()
        }
        NoteKind::Exempted { secrets, reason, until, at } => rules::exempted(secrets, reason, *until, at),
        NoteKind::Acknowledged { warnings, by } => rules::acknowledged(*warnings, by),
        NoteKind::AcknowledgementOver(one) => rules::acknowledgement_over(one),
        NoteKind::AcknowledgesNothing(one) => rules::acknowledges_nothing(one),
        NoteKind::LimitOverridden(exceeded) => rules::overridden(exceeded),
        NoteKind::FreezeOverridden(frozen) => rules::freeze_overridden(frozen),
        NoteKind::FreezeHoldsNothing(frozen) => rules::freeze_holds_nothing(frozen),
        NoteKind::FreezeLeftOver(freeze) => rules::freeze_left_over(freeze),
        NoteKind::Foreign(foreign) => foreign_words(foreign),
        NoteKind::LeftOut { parts } => package::left_out(parts),
        NoteKind::KeepsCode => KEEPS_CODE.to_owned(),
        NoteKind::NotExecutable { files } => not_executable(files),
        NoteKind::UnscopedPermission { .. } => {
            "the stack's own statement lets Secrets Manager invoke it for any account, not only this one".to_owned()
        }
    }
}

/// That files can be executed on AWS alone.
fn not_executable(files: &[String]) -> String {
    let (files, it) = (some_of(files.iter().map(String::as_str), 5), if files.len() == 1 { "it" } else { "them" });
    format!("can be executed on AWS and not here, which alone replaces no code: {files}; `chmod +x` keeps {it} so")
}

/// What belongs to another account, in words.
pub(super) fn foreign_words(foreign: &Foreign) -> String {
    let name = safe(&foreign.name);
    match &foreign.account {
        Some(account) => {
            format!("the {} {name} is of the account {}, which no target names", foreign.kind.word(), safe(account))
        }
        None => format!("the code comes from the S3 bucket {name}, and AWS doesn't say whose that is"),
    }
}

/// What is known of a rotation that is to be repaired.
fn pending_words(facts: &PendingFacts) -> String {
    let since = facts.since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
    let tested = match facts.tested {
        Some(true) => "the function's log shows that testSecret passed for it",
        Some(false) => "the function's log doesn't show that testSecret passed for it",
        None => "the function's log can't be read",
    };
    format!("version {} is pending{since}; {tested}", safe(&facts.version))
}
