//! The words of one finding, in a style: plain text or Markdown.

use std::collections::BTreeMap;

use crate::plan::diff::{CodeFile, Consequence, Fate, FileChange, Finding, Group, Member};
use crate::plan::{FieldChange, Shown};

use super::MOST_NAMES;
use crate::render::count;

/// How names and values are written in one format.
pub(super) trait Style {
    fn name(&self, text: &str) -> String;
    fn value(&self, shown: &Shown) -> String;
    fn arrow(&self) -> &'static str;
}

pub(super) fn change_words(change: &FieldChange, style: &impl Style) -> String {
    match (&change.before, &change.after) {
        (Shown::Absent, after) => format!("{} (was not stated)", style.value(after)),
        (before, Shown::Absent) => format!("not stated (was {})", style.value(before)),
        (Shown::Sensitive, Shown::Sensitive) => "another value (sensitive)".to_owned(),
        (before, after) => format!("{} {} {}", style.value(before), style.arrow(), style.value(after)),
    }
}

/// What differs, in lines.
pub(super) fn finding_lines(finding: &Finding, style: &impl Style) -> Vec<String> {
    match finding {
        Finding::Added { values } => values
            .iter()
            .filter(|change| !matches!(&change.after, Shown::Text(text) if text == "false"))
            .map(|change| format!("{}: {}", style.name(&change.attribute.path()), style.value(&change.after)))
            .collect(),
        Finding::Removed { fate } => vec![fate_words(*fate).to_owned()],
        Finding::Renamed { .. } => Vec::new(),
        // The values are those of each member.
        Finding::Changed(change) if change.before == Shown::Unknown || change.after == Shown::Unknown => {
            vec![format!("{}:", style.name(&change.attribute.path()))]
        }
        Finding::Changed(change) => {
            vec![format!("{}: {}", style.name(&change.attribute.path()), change_words(change, style))]
        }
        Finding::Code { files } => {
            let mut lines: Vec<String> = vec![format!("{} of the code:", count(files.len(), "file"))];
            lines.extend(files.iter().take(MOST_NAMES).map(|file| file_words(file, style)));
            if files.len() > MOST_NAMES {
                lines.push(format!("  and {}", count(files.len() - MOST_NAMES, "more file")));
            }
            lines
        }
        Finding::CodeUnknown { before, reason } => {
            let when = if *before { "was not" } else { "isn't" };
            vec![format!("the code {when} usable, and wasn't compared: {}", style.name(reason))]
        }
    }
}

pub(super) fn file_words(file: &CodeFile, style: &impl Style) -> String {
    let words = match file.change {
        FileChange::Added => "added",
        FileChange::Removed => "removed",
        FileChange::Edited => "edited",
        FileChange::Mode => "executable or not",
    };
    format!("  {} {words}", style.name(&file.path))
}

/// Who has it, by name; `None` where one has it alone, or each stands with its own values.
pub(super) fn name_line(group: &Group, style: &impl Style) -> Option<String> {
    let handles = group.handles();
    if handles.len() < 2 || !own_members(group).is_empty() {
        return None;
    }
    let all = group.targets().len();
    let names: Vec<String> = handles
        .iter()
        .take(MOST_NAMES)
        .map(|(handle, members)| {
            let targets: Vec<String> =
                members.iter().filter_map(|member| member.target.as_deref().map(|target| style.name(target))).collect();
            let partly = members.len() < all && !targets.is_empty();
            if partly { format!("{} (in {})", style.name(handle), and(&targets)) } else { style.name(handle) }
        })
        .collect();
    let more = handles.len() - names.len();
    Some(if more > 0 { format!("{} and {more} more", names.join(", ")) } else { and(&names) })
}

pub(super) fn own_members(group: &Group) -> Vec<&Member> {
    group.members.iter().filter(|member| member.own.is_some() || member.from.is_some()).collect()
}

/// Members that differ in their values, those with the same values in several targets on one line.
pub(super) fn own_lines(group: &Group, style: &impl Style) -> Vec<String> {
    let members = own_members(group);
    let mut by_words: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for member in &members {
        let words = match (&member.own, &member.from) {
            (Some(change), _) => change_words(change, style),
            (None, Some(from)) => format!("was {}", style.name(from)),
            (None, None) => continue,
        };
        by_words.entry((&member.handle, words)).or_default().extend(member.target.as_deref());
    }
    let targets = group.targets().len();
    let alone = group.handles().len() == 1;
    let mut lines: Vec<String> = by_words
        .iter()
        .take(MOST_NAMES)
        .map(|((handle, words), inside)| {
            let place: Vec<String> = inside.iter().map(|target| style.name(target)).collect();
            let place = if place.len() < targets { and(&place) } else { String::new() };
            match (alone, place.is_empty()) {
                (true, true) => words.clone(),
                (true, false) => format!("{place}: {words}"),
                (false, true) => format!("{}: {words}", style.name(handle)),
                (false, false) => format!("{} in {place}: {words}", style.name(handle)),
            }
        })
        .collect();
    if by_words.len() > MOST_NAMES {
        lines.push(format!("and {} more", by_words.len() - MOST_NAMES));
    }
    lines
}

pub(super) fn fate_words(fate: Fate) -> &'static str {
    match fate {
        Fate::Orphan => "becomes an orphan: it stays on AWS as it is, noted in every plan, until it is pruned",
        Fate::Pruned => "becomes an orphan, and the next apply ends it: the manifest prunes",
        Fate::LetGo => "is let go: it stays on AWS as it is",
        Fate::Unmanaged => "stays on AWS as it is, and this manifest manages it no more",
        Fate::Unseen => "stays on AWS as it is, and no plan looks at it any more",
    }
}

/// A consequence as a sentence; `None` where nothing is worth saying.
pub(super) fn consequence_words(consequence: &Consequence) -> Option<String> {
    let words = match consequence {
        Consequence::SwitchesOn { now: true } => {
            "rotation is switched on: rotates now, unless it rotates already".to_owned()
        }
        Consequence::SwitchesOn { now: false } => {
            "rotation is switched on: the function's testSecret step runs now, unless it rotates already".to_owned()
        }
        Consequence::StopsRotation => "rotation stops".to_owned(),
        Consequence::RotatesNow => "rotates now: `rotate_immediately` is set".to_owned(),
        Consequence::TestsNow => "the function's testSecret step runs now".to_owned(),
        Consequence::MayRotateOnOldSchedule => "may still rotate once on the old schedule".to_owned(),
        Consequence::WorstGap { before, after } => return gap_words(*before, *after),
        Consequence::NoLongerManaged => "no longer managed: AWS keeps what it has".to_owned(),
        Consequence::ReplacesCode => "the live function runs other code".to_owned(),
        Consequence::AnotherFunction => "another function rotates it, with its own code".to_owned(),
        Consequence::AnotherSecret(fate) => {
            format!("that is another secret on AWS; the earlier one {}", fate_words(*fate))
        }
        Consequence::AnotherStack(fate) => {
            format!("a new stack is deployed; the earlier one {}", fate_words(*fate))
        }
        Consequence::NameRefused => {
            "a plan refuses it: the stack keeps its function's name, and another name needs another `stack`".to_owned()
        }
        Consequence::LeavesStack(fate) => format!("the stack that was deployed {}", fate_words(*fate)),
        Consequence::DeletesVariable => "the variable is deleted on AWS".to_owned(),
        Consequence::InstructionOnly => {
            "changes nothing by itself: it is sent with the next change of the rotation".to_owned()
        }
        Consequence::AnotherProject => {
            "what the earlier project owns stays on AWS, and isn't this project's; `renamed_from` would take it over"
                .to_owned()
        }
        Consequence::TakesOverProject => "what the earlier project owns is taken over".to_owned(),
        Consequence::AttachesMatches { now } => {
            let then = if *now { "rotates now" } else { "the function's testSecret step runs" };
            format!("every live secret that it matches, and that doesn't rotate yet, is attached: {then}")
        }
        Consequence::LeavesRule(fate) => format!("what it means no more {}", fate_words(*fate)),
        Consequence::PrunesOrphans => "every apply ends orphans".to_owned(),
    };
    Some(words)
}

pub(super) fn gap_words(before: Option<u32>, after: Option<u32>) -> Option<String> {
    let (before, after) = (before?, after?);
    let direction = match after.cmp(&before) {
        std::cmp::Ordering::Less => "more often",
        std::cmp::Ordering::Greater => "less often",
        std::cmp::Ordering::Equal => return None,
    };
    Some(format!("{direction}: at most {} between two rotations, was {}", span(after), span(before)))
}

/// Hours as days and hours.
pub(super) fn span(hours: u32) -> String {
    let number = |value: u32, noun: &str| format!("{value} {noun}{}", if value == 1 { "" } else { "s" });
    match (hours / 24, hours % 24) {
        (0, hours) => number(hours, "hour"),
        (days, 0) => number(days, "day"),
        (days, hours) => format!("{} {}", number(days, "day"), number(hours, "hour")),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and(words: &[String]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}
