//! How rotation does, for people: text for a terminal, and Markdown for a pipeline's summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;

use crate::model::arn::default_log_group;
use crate::status::{
    BrokenRule, Cause, Control, Evidence, Fault, FunctionStatus, Reasons, SaidBy, SecretStatus, State, TargetStatus,
};

use super::command::{Route, aws, shell_word};
use super::ends::{Reach, trouble};
use super::markdown::{cell, code_span};
use super::said::moment;
use super::words::unread_words;
use super::{ADD, BOLD, CHANGE, DESTROY, DIM, ERROR, WARNING, count, paint, safe};

/// How many lines of each state stand where not all were asked for.
const LINES: usize = 20;

/// How many rows a table in Markdown has: a summary of a pipeline may have a megabyte.
const ROWS: usize = 500;

fn reach<'a>(target: &'a TargetStatus, route: Route<'a>) -> Reach<'a> {
    Reach { region: &target.region, route, words: false }
}

/// How targets do, as text. `verbose`: each secret has its line, those that rotate as they should too; `with_controls`: with the auditors'
/// controls.
pub fn text(targets: &[TargetStatus], verbose: bool, with_controls: bool, route: Route<'_>) -> String {
    let mut out = String::new();
    for target in targets {
        let _ = writeln!(out, "{}", paint(BOLD, &heading(target)));
        let _ = writeln!(out, "  {}", counts(target));
        if let Some(reasons) = &target.reasons {
            let _ = writeln!(out, "  {}", reasons_words(reasons));
        }
        let mut shown: BTreeMap<State, usize> = BTreeMap::new();
        for secret in &target.secrets {
            if !verbose && is_quiet(secret) {
                continue;
            }
            let so_far = shown.entry(secret.state).or_default();
            *so_far += 1;
            if verbose || *so_far <= LINES {
                secret_lines(&mut out, secret, reach(target, route));
            }
        }
        for (state, number) in shown.into_iter().filter(|(_, number)| !verbose && *number > LINES) {
            let _ = writeln!(out, "  {} {} more; `-v` shows all", paint(DIM, word(state)), number - LINES);
        }
        for function in &target.functions {
            function_lines(&mut out, function, verbose, (reach(target, route), &target.account));
        }
        for (what, why) in &target.unread {
            let _ = writeln!(out, "  {} {}: {}", paint(WARNING, "not known"), safe(what), unread_words(why));
        }
        if with_controls {
            control_lines(&mut out, target, verbose);
        }
        out.push('\n');
    }
    out
}

/// How far reasons were looked for. Holds texts from outside, made fit to be shown.
fn reasons_words(reasons: &Reasons) -> String {
    let mut text = format!("reasons: {} of {}", reasons.found, count(reasons.suspects, "suspect"));
    if let Some(since) = reasons.events_since {
        let cut = if reasons.is_cut { ", and older events than that were left out" } else { "" };
        let _ = write!(text, "; CloudTrail, which may be minutes late, was read back to {}{cut}", moment(since));
    }
    for (what, why) in &reasons.unread {
        let _ = write!(text, "; {} can't be read: {}", safe(what), unread_words(why));
    }
    text
}

/// The auditors' controls: how many secrets fail each, and which.
fn control_lines(out: &mut String, target: &TargetStatus, verbose: bool) {
    for (control, faults, others) in by_control(target) {
        let names = |secrets: &[&SecretStatus]| {
            let shown = if verbose { secrets.len() } else { LINES };
            let names: Vec<String> =
                secrets.iter().take(shown).map(|secret| safe(&named(secret)).into_owned()).collect();
            let more = secrets.len() - names.len();
            if more > 0 { format!("{} and {more} more; `-v` shows all", names.join(", ")) } else { names.join(", ") }
        };
        let title = format!("{} ({})", control.id(), control.rule());
        let _ = match faults.len() {
            0 => writeln!(out, "  {} {title}", paint(ADD, "passes")),
            number => {
                writeln!(out, "  {} {title} for {}: {}", paint(ERROR, "fails"), count(number, "secret"), names(&faults))
            }
        };
        if !others.is_empty() {
            let _ = writeln!(
                out,
                "    scanners fail it for {} too; no fault, as another rotates what is there: {}",
                others.len(),
                names(&others)
            );
        }
    }
}

/// Each control with the secrets that fail it: by a fault, and because scanners count what another rotates.
fn by_control(target: &TargetStatus) -> impl Iterator<Item = (Control, Vec<&SecretStatus>, Vec<&SecretStatus>)> {
    Control::ALL.into_iter().map(|control| {
        let fails = |secret: &&SecretStatus, is_fault: bool| {
            secret.controls.iter().any(|one| one.control == control && one.is_fault == is_fault)
        };
        let all = |is_fault| target.secrets.iter().filter(|secret| fails(secret, is_fault)).collect();
        (control, all(true), all(false))
    })
}

/// How targets do, as Markdown; `with_controls`: with the auditors' controls.
pub fn markdown(targets: &[TargetStatus], with_controls: bool, route: Route<'_>) -> String {
    let mut out = String::new();
    for target in targets {
        let _ = writeln!(out, "### {}\n\n{}\n", code_span(&heading(target)), counts(target));
        let trouble: Vec<&SecretStatus> = target.secrets.iter().filter(|secret| !is_quiet(secret)).collect();
        if !trouble.is_empty() {
            out.push_str("| state | secret | why | what to do |\n|---|---|---|---|\n");
        }
        for secret in trouble.iter().take(ROWS) {
            let state =
                if secret.is_trouble { format!("**{}**", word(secret.state)) } else { word(secret.state).to_owned() };
            let (why, todo) =
                (why(secret), advice(secret, reach(target, route)).map(|todo| cell(&todo)).unwrap_or_default());
            let _ = writeln!(out, "| {state} | {} | {} | {todo} |", cell(&named(secret)), cell(&why));
        }
        if trouble.len() > ROWS {
            let _ = writeln!(out, "\nand {} more", trouble.len() - ROWS);
        }
        let faulty: Vec<&FunctionStatus> = target.functions.iter().filter(|one| !one.faults.is_empty()).collect();
        if !faulty.is_empty() {
            out.push_str("\n| function | secrets | fault |\n|---|---:|---|\n");
        }
        for function in faulty {
            for fault in &function.faults {
                let _ =
                    writeln!(out, "| {} | {} | {} |", cell(&function.arn), function.secrets, cell(&fault_words(fault)));
            }
        }
        for (what, why) in target.unknowns() {
            let _ = writeln!(out, "\n**not known** {}: {}", code_span(what), code_span(&unread_words(why)));
        }
        if let Some(reasons) = &target.reasons {
            let _ = writeln!(out, "\n{}", cell(&reasons_words(reasons)));
        }
        if with_controls {
            out.push_str(
                "\n| control | rule of AWS Config | secrets that fail it | and no fault |\n|---|---|---:|---:|\n",
            );
            for (control, faults, others) in by_control(target) {
                let _ =
                    writeln!(out, "| {} | `{}` | {} | {} |", control.id(), control.rule(), faults.len(), others.len());
            }
        }
        out.push('\n');
    }
    out
}

/// Whether a secret needs no line of its own.
fn is_quiet(secret: &SecretStatus) -> bool {
    !secret.is_trouble
        && !matches!(secret.state, State::Failing | State::Stuck | State::Overdue | State::NoValue | State::InProgress)
}

fn heading(target: &TargetStatus) -> String {
    let late = if target.is_from_list { "; the list may be five minutes late" } else { "" };
    format!("{}, read at {}{late}", safe(&place(target)), moment(target.read_at))
}

/// `prod (111122223333 eu-west-1)`. Holds texts from outside.
pub(super) fn place(target: &TargetStatus) -> String {
    match &target.target {
        Some(name) => format!("{name} ({} {})", target.account, target.region),
        None => format!("{} {}", target.account, target.region),
    }
}

/// `3 secrets: 1 stuck, 2 ok; 1 function`.
fn counts(target: &TargetStatus) -> String {
    let mut numbers: BTreeMap<State, usize> = BTreeMap::new();
    for secret in &target.secrets {
        *numbers.entry(secret.state).or_default() += 1;
    }
    let numbers: Vec<String> = numbers.into_iter().map(|(state, number)| format!("{number} {}", word(state))).collect();
    let mut text = count(target.secrets.len(), "secret");
    if !numbers.is_empty() {
        let _ = write!(text, ": {}", numbers.join(", "));
    }
    let faulty = target.functions.iter().filter(|function| !function.faults.is_empty()).count();
    let _ = write!(text, "; {}", count(target.functions.len(), "function"));
    if faulty > 0 {
        let _ = write!(text, ", {faulty} with a fault");
    }
    text
}

fn secret_lines(out: &mut String, secret: &SecretStatus, reach: Reach<'_>) {
    let _ = writeln!(
        out,
        "  {} {}: {}",
        paint(style(secret), word(secret.state)),
        paint(BOLD, &safe(&named(secret))),
        safe(&why(secret))
    );
    if let Some(todo) = advice(secret, reach) {
        let _ = writeln!(out, "    {} {}", paint(DIM, "hint:"), safe(&todo));
    }
}

fn function_lines(out: &mut String, function: &FunctionStatus, verbose: bool, (reach, account): (Reach<'_>, &str)) {
    let secrets = count(function.secrets, "secret");
    for fault in &function.faults {
        let word = if function.counts { paint(ERROR, "fault") } else { paint(WARNING, "fault") };
        let name = paint(BOLD, &safe(&function.arn));
        let _ = writeln!(out, "  {word} {name} ({secrets}): {}", safe(&fault_words(fault)));
        if let Some(todo) = fault_advice(fault, function, reach, account) {
            let _ = writeln!(out, "    {} {}", paint(DIM, "hint:"), safe(&todo));
        }
    }
    for why in &function.unread {
        let _ = writeln!(out, "  {} {}: {}", paint(WARNING, "not known"), safe(&function.arn), unread_words(why));
    }
    if verbose && function.faults.is_empty() && function.unread.is_empty() {
        let _ = writeln!(out, "  {} {} ({secrets})", paint(ADD, "ok"), safe(&function.arn));
    }
}

/// The address where a manifest names it, with AWS's name where that is another.
fn named(secret: &SecretStatus) -> String {
    match &secret.address {
        Some(address) if address.handle == secret.name => address.to_string(),
        Some(address) => format!("{address} ({})", secret.name),
        None => secret.name.clone(),
    }
}

/// The word of a state.
pub fn word(state: State) -> &'static str {
    match state {
        State::Failing => "failing",
        State::Stuck => "stuck",
        State::Overdue => "overdue",
        State::Missing => "missing",
        State::NoValue => "no value",
        State::ScheduledForDeletion => "scheduled for deletion",
        State::Off => "off",
        State::Never => "never configured",
        State::InProgress => "in progress",
        State::Due => "due",
        State::Ok => "ok",
        State::Replica => "replica",
        State::ByAService => "by a service",
        State::ByAPartner => "by a partner",
        State::Unmanaged => "unmanaged",
    }
}

fn style(secret: &SecretStatus) -> Style {
    match secret.state {
        _ if secret.is_trouble => ERROR,
        State::Failing | State::Stuck | State::Overdue => DESTROY,
        State::InProgress | State::Due | State::NoValue | State::ScheduledForDeletion => CHANGE,
        State::Ok => ADD,
        _ => DIM,
    }
}

/// Why a secret is in its state, and which rules about its age it breaks. Holds texts from outside.
pub fn why(secret: &SecretStatus) -> String {
    let mut text = of_state(secret);
    for BrokenRule { rule, days, allowed } in &secret.broken {
        let (days, allowed) =
            (count(usize::try_from(*days).unwrap_or_default(), "day"), count(*allowed as usize, "day"));
        let _ = write!(text, "; its value is {days} old, and the rule `{rule}` allows {allowed}");
    }
    text
}

fn of_state(secret: &SecretStatus) -> String {
    match &secret.cause {
        Cause::Failed(Evidence { at, trouble: what, said_by }) => {
            let said_by = match said_by {
                SaidBy::Event => "CloudTrail says",
                SaidBy::Log => "its log says",
            };
            // Its own words may hold the secret's value.
            format!("{}; the last try was at {}, {said_by}", trouble(what, false), moment(*at))
        }
        Cause::Pending { since, window_closed, .. } => {
            let since = since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
            let closed = window_closed.map(|at| format!("; its window closed at {}", moment(at))).unwrap_or_default();
            format!("a version is pending{since}{closed}")
        }
        Cause::NextRotationPassed { at } => format!("it was to rotate by {}{}", moment(*at), last(secret)),
        Cause::WorstCasePassed { last, hours } => {
            format!("its rules leave {} at most, and it is as it was at {}", duration(*hours), moment(*last))
        }
        Cause::WantedOn => "the manifest wants rotation on".to_owned(),
        Cause::DeletedFrom(at) => format!("AWS deletes it from {} on", moment(*at)),
        Cause::Next(at) => format!("rotates by {}{}", moment(*at), last(secret)),
        Cause::PrimaryIn(region) => format!("its primary in {region} rotates"),
        Cause::RotatedBy(by) => format!("{by} rotates it"),
        Cause::Nothing => match secret.state {
            State::Missing => "AWS has no such secret".to_owned(),
            State::NoValue => "it has no current value, so nothing can rotate".to_owned(),
            State::Off | State::Never => "the manifest doesn't ask for more".to_owned(),
            State::Unmanaged => "it doesn't rotate, and no manifest names it".to_owned(),
            _ => "rotation is on".to_owned(),
        },
    }
}

fn last(secret: &SecretStatus) -> String {
    match secret.last_rotated {
        Some(at) => format!("; it last rotated at {}", moment(at)),
        None => "; it hasn't rotated yet".to_owned(),
    }
}

/// What to do about a secret that is in trouble. Commands of AWS's CLI stand there only where they lead to what was looked at.
fn advice(secret: &SecretStatus, reach: Reach<'_>) -> Option<String> {
    let there = reach.there();
    let command = |name: &str| {
        format!(
            "`{} --secret-id {}`",
            aws(&format!("secretsmanager {name}"), &there),
            shell_word(secret.arn.as_ref().unwrap_or(&secret.name))
        )
    };
    match (secret.state, &secret.address) {
        (State::Failing | State::Stuck, Some(address)) => Some(format!(
            "`{}` has the function's words; once the cause is mended, `{}` offers the ways out",
            reach.route.of_secret("logs", address),
            reach.route.of_secret("repair", address)
        )),
        (State::Overdue, Some(address)) => Some(format!(
            "`{}` has the function's words; once the cause is mended, `{}` rotates it now",
            reach.route.of_secret("logs", address),
            reach.route.of_secret("rotate", address)
        )),
        // No command of ours is about what no manifest names.
        (State::Failing | State::Stuck | State::Overdue, None) if reach.route.lasts() => {
            let log = secret.function_arn.as_deref().map(|arn| {
                format!("`{}` has the function's words; ", reach.log_command(&default_log_group(arn), None))
            });
            let again = command("rotate-secret");
            Some(format!("{}once the cause is mended, {again} tries again", log.unwrap_or_default()))
        }
        (State::Missing, _) => Some("create it, or take its entry out of the manifest".to_owned()),
        (State::NoValue, _) if secret.is_trouble => Some("put its first value; rotation begins with one".to_owned()),
        (State::ScheduledForDeletion, _) if secret.is_trouble && reach.route.lasts() => {
            Some(format!("{} keeps it; else take its entry out of the manifest", command("restore-secret")))
        }
        (State::Off | State::Never, _) if secret.is_trouble => {
            let target =
                secret.address.as_ref().map(|address| format!(" --target {}", shell_word(&address.to_string())));
            Some(format!("`rotator apply{}` switches it on", target.unwrap_or_default()))
        }
        _ => None,
    }
}

/// A fault in words. Holds texts from outside.
pub fn fault_words(fault: &Fault) -> String {
    let because = |reason: &Option<String>| reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match fault {
        Fault::Missing => "there is no such function".to_owned(),
        Fault::Failed { state, reason } => format!("Lambda can't run it (state {state}){}", because(reason)),
        Fault::UpdateFailed { reason } => {
            format!("its last update failed, and the version before it runs{}", because(reason))
        }
        Fault::NotPermitted { secrets } => {
            format!("its policy doesn't let Secrets Manager invoke it for {}", count(*secrets, "secret"))
        }
        Fault::Denied { statement } => format!("the statement {statement} of its policy keeps Secrets Manager out"),
        Fault::NoConcurrency => "its reserved concurrency is 0: Lambda runs none of it".to_owned(),
        Fault::RuntimeStopped(stop) => {
            let changes = if stop.is_over { "has let it be changed no more since" } else { "lets it be changed until" };
            format!("its runtime {}: AWS {changes} {}", stop.runtime, stop.from)
        }
    }
}

fn fault_advice(fault: &Fault, function: &FunctionStatus, reach: Reach<'_>, account: &str) -> Option<String> {
    let (arn, there) = (shell_word(&function.arn), reach.there());
    match fault {
        Fault::Missing => Some("deploy it again (`rotator apply`), or give its secrets another function".to_owned()),
        Fault::NotPermitted { .. } if reach.route.lasts() => Some(format!(
            "`rotator apply` permits a function that the manifest deploys; else: {} --function-name {arn} --statement-id \
             SecretsManagerAccess --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account {account}",
            aws("lambda add-permission", &there)
        )),
        Fault::RuntimeStopped(stop) => {
            Some(format!("give it {}", stop.successor.as_deref().unwrap_or("another runtime")))
        }
        Fault::NoConcurrency if reach.route.lasts() => {
            Some(format!("{} --function-name {arn}", aws("lambda delete-function-concurrency", &there)))
        }
        _ => None,
    }
}

fn duration(hours: u32) -> String {
    if hours.is_multiple_of(24) { count((hours / 24) as usize, "day") } else { count(hours as usize, "hour") }
}
