//! The words of policies and limits: how a rule is broken, who is exempt, what a plan goes beyond.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Position};
use crate::model::acknowledge::Acknowledgement;
use crate::model::freeze::Freeze;
use crate::model::{Place, RotationRules, Schedule};
use crate::plan::freeze::Frozen;
use crate::plan::judge::{Breach, Unproven, Why};
use crate::plan::limits::{Exceeded, Limited};
use crate::plan::{NoteKind, Plan, Problem, ProblemKind, Refusal, Severity};

use super::effect::effect_words;
use super::words::{Words, unread_words};
use super::{count, safe, some_of};

/// A broken rule in words. The detail says where the rule stands, with its line.
#[expect(clippy::too_many_lines, reason = "one table of all breaches: the compiler asks for the words of a new one")]
pub(super) fn breach(rule: &str, at: &Place, breach: &Breach) -> Words {
    let rule = safe(rule);
    let place = match &at.text {
        Some(text) => format!("{}: {}", safe(&at.to_string()), safe(text.trim())),
        None => safe(&at.to_string()).into_owned(),
    };
    let words = match breach {
        Breach::Off => Words::new(format!("rotation is off, and the rule `{rule}` wants it on")),
        Breach::NoSchedule => Words::new(format!("AWS shows no schedule, so that the rule `{rule}` can't be judged")),
        Breach::UnknownSchedule { rules } => Words::new(format!(
            "the live schedule `{}` isn't understood here, so that the rule `{rule}` can't be judged",
            safe(&rules.to_string())
        ))
        .hint("state the secret's schedule in the manifest"),
        Breach::Age { rules, hours, days } => {
            let words = Words::new(format!(
                "up to {} may lie between two rotations, and the rule `{rule}` allows {}",
                span(*hours),
                count(*days as usize, "day")
            ));
            age_hint(words, rules, *hours, *days)
        }
        Breach::Interval { rules, hours, days } => Words::new(format!(
            "windows open up to {} apart ({}), and the rule `{rule}` allows {}",
            span(*hours),
            safe(&rules.schedule.to_string()),
            count(*days as usize, "day")
        )),
        Breach::NotRotated { days, allowed } => Words::new(format!(
            "it last rotated, or was made, {} ago, and the rule `{rule}` wants it to be at most {}",
            count(*days as usize, "day"),
            count(*allowed as usize, "day")
        ))
        .hint("`rotator status` says why; this refuses nothing"),
        Breach::WindowLength { hours, allowed } => Words::new(format!(
            "windows last {}, and the rule `{rule}` allows {}",
            count(usize::from(*hours), "hour"),
            count(usize::from(*allowed), "hour")
        ))
        .hint(format!("state a shorter one: `duration: {allowed}h`")),
        Breach::WindowOutside { day, hour, length, bounds } => {
            let day = day.as_ref().map_or_else(|| "any day".to_owned(), |day| safe(day).into_owned());
            Words::new(format!(
                "a window may open on {day} at {hour:02}:00 for {}, and the rule `{rule}` allows {} (UTC)",
                count(usize::from(*length), "hour"),
                safe(bounds)
            ))
        }
        Breach::Label { label, blank: true } => {
            Words::new(format!("its label `{}` shows nothing, and the rule `{rule}` wants it", safe(label)))
                .hint("give it a value that can be read")
        }
        Breach::Label { label, blank: false } => {
            let label = safe(label);
            Words::new(format!("it has no label `{label}`, which the rule `{rule}` wants"))
                .hint(format!("add it: `labels: {{{label}: …}}`"))
        }
        Breach::NoCode => Words::new(format!("it has no `code:`, which the rule `{rule}` wants of deployed functions")),
        Breach::CodeElsewhere { function: None } => Words::new(format!(
            "it is used as `existing`, so that its code isn't the manifest's, which the rule `{rule}` wants"
        ))
        .hint("deploy a function with `code:`, and rotate with that; or let the rule exempt the secrets"),
        Breach::CodeElsewhere { function: Some(function) } => Words::new(format!(
            "it rotates with {}, whose code isn't the manifest's, which the rule `{rule}` wants",
            safe(function)
        ))
        .hint("name a function with `code:` in the entry; or let the rule exempt the secret"),
        Breach::NotListed { list, name } => {
            let what = match list.as_str() {
                "existing" => "the function",
                "applications" => "the application",
                "layers" => "the layer",
                "roles" => "the role",
                other => other,
            };
            let (what, list) = (safe(what), safe(list));
            Words::new(format!("{what} `{}` isn't among what the rule `{rule}` allows", safe(name)))
                .hint(format!("`functions.{list}` of the rule says what is"))
        }
        Breach::FunctionUnread { unread } => Words::new(format!(
            "its configuration can't be read, so that the rule `{rule}` can't be judged: {}",
            unread_words(unread)
        )),
        Breach::NoAccount => {
            Words::new("the target doesn't state its `account`").hint("add it to the target, quoted: twelve digits")
        }
        Breach::Effect { effect } => {
            Words::new(format!("the plan's effect `{}` is forbidden by the rule `{rule}`", safe(effect)))
        }
        Breach::Unread { unread } => Words::new(format!(
            "its rotation can't be read, so that the rule `{rule}` can't be judged: {}",
            unread_words(unread)
        )),
        Breach::Unlisted { unread } => Words::new(format!(
            "it covers secrets that no manifest names, and those can't be listed: {}",
            unread_words(unread)
        ))
        .hint("the reading role needs `secretsmanager:ListSecrets` on `*`"),
        Breach::ExemptionOver { secrets, until } => {
            Words::new(format!("the exemption of {} ended with {until}", patterns(secrets)))
                .hint("remove it once the secrets follow the rule; or give it another day")
        }
        Breach::ExemptionEnds { secrets, until } => {
            Words::new(format!("the exemption of {} ends with {until}", patterns(secrets)))
                .hint("after that day, what it exempts is an error")
        }
    };
    words.because(place)
}

/// What to write instead, where a number can be named.
fn age_hint(words: Words, rules: &RotationRules, hours: u32, days: u32) -> Words {
    let window = crate::model::schedule::window_hours(rules).unwrap_or(0);
    let apart = span(hours.saturating_sub(u32::from(window)));
    let words = words.hint(format!(
        "`{}` opens windows up to {apart} apart, and they last {}",
        safe(&rules.schedule.to_string()),
        count(usize::from(window), "hour")
    ));
    match rules.schedule {
        Schedule::AutomaticallyAfterDays(_) => match (days * 24).saturating_sub(u32::from(window)) / 24 {
            0 => words,
            fits => words.hint(format!("with this window, `automatically_after_days: {fits}` is the most")),
        },
        Schedule::Expression(_) => words,
    }
}

/// A span of hours, in days where they are whole.
fn span(hours: u32) -> String {
    let (days, rest) = (count((hours / 24) as usize, "day"), count((hours % 24) as usize, "hour"));
    match (hours / 24, hours % 24) {
        (0, _) => rest,
        (_, 0) => days,
        _ => format!("{days} and {rest}"),
    }
}

fn patterns(secrets: &[String]) -> String {
    some_of(secrets.iter().map(String::as_str), 5)
}

/// A limit that a plan goes beyond, in words.
pub(super) fn limit(exceeded: &Exceeded) -> Words {
    let place = safe(&exceeded.at.to_string()).into_owned();
    let place = match &exceeded.at.text {
        Some(text) => format!("{place}: {}", safe(text.trim())),
        None => place,
    };
    Words::new(numbers(exceeded, "would ")).because(place).hint("if that is what you want: `--override-limits`")
}

/// How far a plan goes beyond a limit.
fn numbers(exceeded: &Exceeded, would: &str) -> String {
    let Exceeded { count: number, of, at_most, allowed, targets, .. } = exceeded;
    let one = *number == 1;
    let verb = match (exceeded.what, one && would.is_empty()) {
        (Limited::Changed, true) => "gets another rotation",
        (Limited::Changed, false) => "get another rotation",
        (Limited::Stopped, true) => "stops rotating",
        (Limited::Stopped, false) => "stop rotating",
        (Limited::RotatingNow, true) => "rotates now",
        (Limited::RotatingNow, false) => "rotate now",
    };
    let limit = at_most.to_string();
    let meaning = if limit == allowed.to_string() { String::new() } else { format!(" ({limit})") };
    let together =
        if *targets > 1 { format!(", in {targets} targets of this account and region") } else { String::new() };
    format!("{number} of {} {would}{verb}, and at most {allowed} may{meaning}{together}", count(*of, "secret"))
}

/// What is said where a limit is overridden.
pub fn overridden(exceeded: &Exceeded) -> String {
    let Place { file, line, .. } = &exceeded.at;
    format!("limits of {}:{line} overridden: {}", safe(file), numbers(exceeded, ""))
}

/// What refuses a plan: `policies and limits forbid it`; `None` where nothing does.
pub fn refusal_words(refusals: &BTreeSet<Refusal>) -> Option<String> {
    let words: Vec<&str> = refusals
        .iter()
        .map(|refusal| match refusal {
            Refusal::Policy => "policies",
            Refusal::Limit => "limits",
            Refusal::Freeze => "a freeze",
        })
        .collect();
    let forbid = if words == ["a freeze"] { "forbids" } else { "forbid" };
    let (last, first) = words.split_last()?;
    let all = if first.is_empty() { (*last).to_owned() } else { format!("{} and {last}", first.join(", ")) };
    Some(format!("{all} {forbid} it"))
}

/// A freeze by its days, with why: `2026-12-20 to 2027-01-03 (sale)`.
pub fn freeze_days(freeze: &Freeze) -> String {
    let reason = freeze.reason.as_ref().map(|reason| format!(" ({})", safe(reason))).unwrap_or_default();
    format!("{}{reason}", freeze.days)
}

/// What a freeze holds back, or would.
fn held(frozen: &Frozen) -> String {
    let parts: Vec<String> = frozen.held.iter().map(|(effect, number)| effect_words(*effect, *number)).collect();
    parts.join("; ")
}

/// The freezes in force as lines for the top of a plan, and whether each must not be missed.
pub(super) fn freezes(plan: &Plan) -> Vec<(bool, String)> {
    let problems = plan.problems.iter().filter_map(|problem| match &problem.kind {
        ProblemKind::Frozen(frozen) => {
            Some((true, format!("frozen from {}; held back: {}", freeze_days(&frozen.freeze), held(frozen))))
        }
        _ => None,
    });
    let notes = plan.notes.iter().filter_map(|note| match &note.kind {
        NoteKind::FreezeOverridden(frozen) => Some((true, freeze_overridden(frozen))),
        NoteKind::FreezeHoldsNothing(frozen) => {
            Some((false, format!("frozen from {}; nothing of this is held back", freeze_days(&frozen.freeze))))
        }
        _ => None,
    });
    problems.chain(notes).collect()
}

/// What is said wherever a freeze is in force: many take it for more than it is.
const AWS_GOES_ON: &str =
    "AWS rotates by its own schedule all the same: a freeze holds back what rotator does, and nothing else";

/// What a freeze holds back, in words.
pub(super) fn frozen(frozen: &Frozen) -> Words {
    let freeze = &frozen.freeze;
    Words::new(format!("frozen from {}, in UTC, both days included: {}", freeze_days(freeze), held(frozen)))
        .because(safe(&freeze.at.to_string()).into_owned())
        .hint(format!("it counts on which day this is applied, not planned: after {} it may be", freeze.days.to))
        .hint("in an emergency: `--override-freeze`, which is said wherever the plan is shown, and which a policy may forbid")
        .hint(AWS_GOES_ON)
}

/// What is said where a freeze is overridden.
pub fn freeze_overridden(frozen: &Frozen) -> String {
    let (days, at) = (freeze_days(&frozen.freeze), safe(&frozen.freeze.at.to_string()).into_owned());
    format!("the freeze from {days}, {at}, is overridden: {}", held(frozen))
}

/// What is said where a freeze is in force, and what a plan would do is allowed.
pub(super) fn freeze_holds_nothing(frozen: &Frozen) -> String {
    let (days, at) = (freeze_days(&frozen.freeze), safe(&frozen.freeze.at.to_string()).into_owned());
    format!("frozen from {days}, {at}, and nothing of this rotates, tests or gets other code now; {AWS_GOES_ON}")
}

/// What is said of a freeze that ended long ago.
pub fn freeze_left_over(freeze: &Freeze) -> String {
    format!("the freeze from {} is over; remove it ({})", freeze_days(freeze), safe(&freeze.at.to_string()))
}

/// Warnings that are acknowledged.
pub fn acknowledged(warnings: usize, by: &Acknowledgement) -> String {
    let (word, reason, until) = (by.warning, safe(&by.reason), by.until);
    format!(
        "{} acknowledged until {until}: {word} ({reason}; {})",
        count(warnings, "warning"),
        safe(&by.at.to_string())
    )
}

/// An acknowledgement that has ended.
pub fn acknowledgement_over(one: &Acknowledgement) -> String {
    let (word, until, at) = (one.warning, one.until, safe(&one.at.to_string()).into_owned());
    format!("the acknowledgement of {word} has ended with {until} ({at}): mend what it was about, or renew it")
}

/// An acknowledgement that is about nothing.
pub fn acknowledges_nothing(one: &Acknowledgement) -> String {
    let of: Vec<String> = one.of.iter().map(ToString::to_string).collect();
    let of = some_of(of.iter().map(String::as_str), 3);
    format!("the acknowledgement of {} is about nothing ({of}; {}): remove it", one.warning, safe(&one.at.to_string()))
}

/// An exemption in words.
pub(super) fn exempted(secrets: &[String], reason: &str, until: chrono::NaiveDate, at: &Place) -> String {
    format!("exempts {} until {until}: {} ({})", patterns(secrets), safe(reason), safe(&at.to_string()))
}

/// What a problem concerns: its address, and where its entry stands if a rule is broken there.
pub fn about(problem: &Problem) -> String {
    match &problem.kind {
        ProblemKind::Policy { declared: Some(declared), .. } => format!("{} ({declared})", problem.address),
        _ => problem.address.to_string(),
    }
}

/// What couldn't be judged offline, as a line for people.
pub fn unproven(unproven: &Unproven) -> String {
    let (rule, at) = (safe(&unproven.rule), safe(&unproven.at.to_string()).into_owned());
    let why = match &unproven.why {
        Why::NotManaged(secrets) => {
            let names: Vec<String> = secrets.iter().map(ToString::to_string).collect();
            let is = if names.len() == 1 { "its rotation isn't" } else { "their rotation isn't" };
            format!("{}: {is} managed here, and the live one is judged", some_of(names.iter().map(String::as_str), 5))
        }
        Why::Effects => "effects are a plan's".to_owned(),
        Why::Names(secrets) => {
            let names: Vec<String> = secrets.iter().map(ToString::to_string).collect();
            let is = if names.len() == 1 { "its ARN" } else { "their ARNs" };
            format!(
                "{}: {is} may be partial, so that only AWS knows which secret is meant",
                some_of(names.iter().map(String::as_str), 5)
            )
        }
        Why::Live => "secrets that no manifest names are only on AWS".to_owned(),
        Why::History => "when secrets last rotated is only on AWS".to_owned(),
        Why::LiveFunctions => "what functions are made of is only on AWS".to_owned(),
    };
    format!("not provable offline: rule `{rule}` ({at}): {why}")
}

/// A broken rule as a diagnostic of manifests: at the entry that breaks it, or at the rule itself where no entry does.
///
/// `line` fills in the entry's line.
pub fn diagnostic(problem: &Problem, line: impl Fn(&Place) -> Place) -> Option<Diagnostic> {
    let ProblemKind::Policy { rule, at, declared, breach: kind } = &problem.kind else { return None };
    let words = breach(rule, at, kind);
    let about = if declared.is_some() { String::new() } else { format!("rule `{rule}`: ") };
    let summary = format!("{about}{}", words.summary);
    let mut found = match problem.severity {
        Severity::Error => Diagnostic::error("policy", summary),
        Severity::Warning => Diagnostic::warning("policy", summary),
    };
    match declared {
        Some(declared) => {
            found.position = Some(position(line(declared)));
            found.related.push((position(at.clone()), format!("the rule `{rule}`")));
        }
        None => found.position = Some(position(at.clone())),
    }
    found.hints = words.hints;
    found.targets.extend(problem.address.target.clone());
    Some(found)
}

/// A place as diagnostics have it.
pub fn position(place: Place) -> Position {
    let Place { file, line, column, length, text } = place;
    Position { file: file.into(), line: line as usize, column: column as usize, length: length as usize, text }
}
