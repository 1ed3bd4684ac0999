//! How an apply ended, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::{Failure, LeftBehind, Outcome, Report};
use crate::aws::AwsError;
use serde_json::json;

use crate::model::arn::Arn;
use crate::model::{Address, PERMISSION_STATEMENT};
use crate::plan::{Severity, Step, StepKind};

use super::command::{There, aws};
use super::ending::{How, Wording};
use super::ends::{self, Reach};
use super::plan::{Mode, value};
use super::said::{aws_words, duration};
use super::{ADD, BOLD, DESTROY, DIM, ERROR, WARNING, count, paint, safe, some_of};

/// How a resource fared, all its steps together; the worst word wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Nothing had to be done.
    Unchanged,
    /// Done.
    Applied,
    /// Done, and nothing tells how the function's test ended.
    Unverified,
    /// A rotation was accepted and hasn't ended.
    NotFinished,
    /// The function's test has failed.
    TestFailed,
    /// What it depends on failed, or the apply was interrupted.
    NotAttempted,
    /// Some of its steps are done, and others weren't attempted.
    Partly,
    /// It failed.
    Failed,
}

/// The report of one target: what failed or isn't finished in full, the rest in a count.
///
/// `left_out` counts the resources whose changes a foreseen error kept from being tried.
pub fn report(report: &Report, left_out: usize, mode: Mode, reach: Reach<'_>) -> String {
    let mut out = String::new();
    for (index, (step, outcome)) in report.steps.iter().zip(&report.outcomes).enumerate() {
        let address = safe(&step.address.to_string()).into_owned();
        match outcome {
            Outcome::Failed(failure) => {
                // What went wrong in the same way everywhere is said once.
                let alike =
                    |other: &usize| are_alike((step, outcome), (&report.steps[*other], &report.outcomes[*other]));
                if (0..index).any(|earlier| alike(&earlier)) {
                    continue;
                }
                let all =
                    (index..report.steps.len()).filter(alike).map(|other| report.steps[other].address.to_string());
                let all: Vec<String> = all.collect();
                let (summary, rest) = failure_words(failure, reach.route.endpoint);
                let _ = writeln!(
                    out,
                    "{} {}",
                    paint(ERROR, "failed:"),
                    paint(BOLD, &format!("{}: {}", some_of(all.iter().map(String::as_str), 5), doing(step.kind)))
                );
                let _ = writeln!(out, "  {summary}");
                if all.len() > 1 {
                    let _ = writeln!(out, "  and the same of the other {}", all.len() - 1);
                }
                for line in rest {
                    let _ = writeln!(out, "  {} {line}", paint(DIM, "hint:"));
                }
            }
            Outcome::NotFinished(rest) if rest.waited.is_some() => {
                out.push_str(&ends::not_finished(&address, step, rest, reach));
            }
            Outcome::TestFailed(test) => out.push_str(&ends::test_failed(&address, step, test, reach)),
            _ => {}
        }
    }
    out.push_str(&ends::unverified(report));
    out.push_str(&ends::moved(report));
    out.push_str(&ends::kept(report, reach));
    if let Some(failures) = report.stopped {
        let _ = writeln!(
            out,
            "{} no wave was begun after {}, of all targets, failed or didn't finish in time",
            paint(WARNING, "stopped:"),
            count(failures, "rotation")
        );
    }
    if report.interrupted {
        let how = if report.again.is_some() { "this goes on" } else { "run the same command again to go on" };
        let _ = writeln!(out, "{} no new step was begun after it; {how}", paint(WARNING, "interrupted:"));
    } else if report.again.is_some() {
        let _ = writeln!(out, "{} what isn't done is done, and watched, by this:", paint(DIM, "hint:"));
    }
    if let Some(again) = &report.again {
        let _ = writeln!(out, "    {}", safe(again));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    requests(&mut out, report);
    summary(&mut out, report, left_out, Wording::of(mode));
    out
}

/// Whether two steps were refused in the same words, each for its own resource.
fn are_alike((step, outcome): (&Step, &Outcome), (other_step, other): (&Step, &Outcome)) -> bool {
    if std::ptr::eq(step, other_step) {
        return true;
    }
    let (Outcome::Failed(Failure::Aws(one)), Outcome::Failed(Failure::Aws(other))) = (outcome, other) else {
        return false;
    };
    let words = |error: &AwsError| (error.kind, error.action, error.code.clone(), error.message.clone());
    step.kind == other_step.kind && words(one) == words(other)
}

/// How each resource fared.
pub fn fates(report: &Report) -> BTreeMap<&Address, Fate> {
    let mut fates: BTreeMap<&Address, Fate> = BTreeMap::new();
    for (step, outcome) in report.steps.iter().zip(&report.outcomes) {
        let fate = match outcome {
            Outcome::Applied { .. } => Fate::Applied,
            Outcome::Unchanged => Fate::Unchanged,
            // Without waiting, accepted is all that was asked for.
            Outcome::NotFinished(rest) if rest.waited.is_none() => Fate::Applied,
            Outcome::NotFinished(_) => Fate::NotFinished,
            Outcome::TestFailed(_) => Fate::TestFailed,
            Outcome::Unverified(_) => Fate::Unverified,
            Outcome::Failed(_) => Fate::Failed,
            Outcome::NotAttempted { .. } => Fate::NotAttempted,
        };
        let worst = fates.entry(&step.address).or_insert(fate);
        *worst = match (*worst, fate) {
            (Fate::Applied, Fate::NotAttempted) | (Fate::NotAttempted, Fate::Applied) => Fate::Partly,
            (one, other) => one.max(other),
        };
    }
    fates
}

fn summary(out: &mut String, report: &Report, left_out: usize, words: Wording) {
    let fates = fates(report);
    let number = |fate: Fate| fates.values().filter(|&&other| other == fate).count();
    let accepted = report
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::NotFinished(rest) if rest.waited.is_none()))
        .count();
    let bad = number(Fate::Failed) + number(Fate::Partly) + number(Fate::NotAttempted) + left_out;
    let (style, how) = if bad > 0 || report.interrupted {
        (DESTROY.bold(), How::Incomplete)
    } else if number(Fate::TestFailed) > 0 {
        (WARNING, How::TestFailed)
    } else if number(Fate::NotFinished) > 0 {
        (WARNING, How::Unfinished)
    } else {
        (ADD.bold(), How::Complete)
    };
    let title = format!("{}{}", words.title(how), if how == How::Complete { "!" } else { "." });
    let mut parts = vec![format!("{} {}", number(Fate::Applied), words.done)];
    for (fate, word) in [
        (Fate::Unchanged, "unchanged"),
        (Fate::Unverified, "unverified"),
        (Fate::NotFinished, "not finished"),
        (Fate::TestFailed, "with a failed test"),
        (Fate::Failed, "failed"),
        (Fate::Partly, words.partly),
        (Fate::NotAttempted, "not attempted"),
    ] {
        if number(fate) > 0 {
            parts.push(format!("{} {word}", number(fate)));
        }
    }
    if left_out > 0 {
        parts.push(format!("{left_out} skipped because of foreseen errors"));
    }
    let _ = writeln!(out, "{} {}.", paint(style, &title), parts.join(", "));
    if accepted > 0 {
        let is = if accepted == 1 { "was" } else { "were" };
        let _ = writeln!(out, "{} {is} accepted and not waited for.", count(accepted, "rotation"));
    }
}

/// AWS's request ids, for questions to AWS about a failed apply.
fn requests(out: &mut String, report: &Report) {
    if !report.has_failed() {
        return;
    }
    let mut any = false;
    for (step, outcome) in report.steps.iter().zip(&report.outcomes) {
        let Outcome::Applied { requests } = outcome else { continue };
        if requests.is_empty() {
            continue;
        }
        if !std::mem::replace(&mut any, true) {
            let _ = writeln!(out, "{}", paint(DIM, "AWS's request ids of what was applied:"));
        }
        let ids: Vec<_> = requests.iter().map(|id| safe(id)).collect();
        let _ = writeln!(out, "  {} {}: {}", safe(&step.address.to_string()), doing(step.kind), ids.join(", "));
    }
    if any {
        out.push('\n');
    }
}

/// A step in words, as something that is being done.
pub fn doing(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Stack => "stack",
        StepKind::Configuration => "configuration",
        StepKind::Code => "code",
        StepKind::Permission => "permission",
        StepKind::Rotation => "rotation",
        StepKind::Watch => "watching the rotation",
        StepKind::WatchTest => "watching the function's test",
        StepKind::Disable => "switching rotation off",
        StepKind::DeleteStack => "deleting the stack",
        StepKind::Repair => "repair",
    }
}

/// A failure in words, and what to do. `endpoint`: where commands of AWS's CLI lead, where that isn't AWS's own.
#[expect(clippy::too_many_lines, reason = "one table of all failures: the compiler asks for the words of a new one")]
pub fn failure_words(failure: &Failure, endpoint: Option<&str>) -> (String, Vec<String>) {
    let plain = |text: String| (text, Vec::new());
    match failure {
        Failure::Aws(error) => aws_words(error),
        Failure::ChangeSet { reason, causes, unread, left } => {
            let told = [reason].into_iter().chain(causes).map(String::as_str);
            let mut hints: Vec<String> = told.flat_map(|told| super::stack::missing(Some(told), "")).collect();
            hints.dedup();
            let mut summary = format!("AWS couldn't make the change set: {}", safe(reason));
            for cause in causes {
                let _ = write!(summary, "; {}", safe(cause));
            }
            if let Some(unread) = unread {
                let (words, more) = aws_words(unread);
                let _ = write!(summary, "; why it failed couldn't be read: {words}");
                hints.extend(more);
            }
            if let Some(left) = left {
                let _ = write!(summary, "; {}", left_behind(left, endpoint, &mut hints));
            }
            (summary, hints)
        }
        Failure::WouldReplace { resource, action, left } => {
            let resource = safe(resource);
            let (effect, hint) = if action == "set back" {
                (format!("set the function {resource} back to its template"), "plan again: its uploaded code would be gone")
            } else {
                let hint =
                    "plan again; if the template really asks for it, deploy a second function and move the secrets first";
                (format!("{action} the function {resource}"), hint)
            };
            let mut hints = vec![hint.to_owned()];
            let rest = discarded(left.as_deref(), endpoint, &mut hints);
            (format!("the change set would {effect}, which the plan didn't show; {rest}"), hints)
        }
        Failure::OtherStack { planned, made, left } => {
            let mut hints = vec![
                "the repository updates only stacks with its present prefix; deploy a second function, move the secrets, and delete the old stack"
                    .to_owned(),
            ];
            let rest = discarded(left.as_deref(), endpoint, &mut hints);
            let (planned, made) = (safe(planned), safe(made));
            (format!("the change set was made for the stack {made} instead of {planned}; {rest}"), hints)
        }
        Failure::Stack { stack, status, reason } => {
            let why = reason.as_ref().map(|reason| format!(": {}", safe(reason))).unwrap_or_default();
            let hints = super::stack::after_failure(status, stack, endpoint, reason.as_deref());
            (format!("the stack {} ended in {}{why}", safe(stack), safe(status)), hints)
        }
        Failure::Function { function, state, reason } => {
            let why = reason.as_ref().map(|reason| format!(": {}", safe(reason))).unwrap_or_default();
            plain(format!("the function {} is in {}{why}", safe(function), safe(state)))
        }
        Failure::FunctionMissing { function } => {
            (format!("the function {} is gone", safe(function)), vec!["plan again".to_owned()])
        }
        Failure::NotPermitted { function, account, denied_by } => {
            not_permitted(function, account, denied_by.as_deref(), endpoint)
        }
        Failure::WrittenWhole { function, account, refused } => {
            written_whole(function, account, refused.as_deref(), endpoint)
        }
        Failure::NotPending { version, now } => {
            let is = match now {
                Some(now) => format!("version {} is, or another value has become the current one", safe(now)),
                None => "nothing is".to_owned(),
            };
            let hint = "nothing of this step was done; run the same command again: it looks anew".to_owned();
            (format!("version {} isn't pending any more: {is}", safe(version)), vec![hint])
        }
        Failure::SecretMissing => {
            ("the secret has gone since the plan was made".to_owned(), vec!["plan again".to_owned()])
        }
        Failure::ChangedSincePlan { moved } => {
            let moved: Vec<String> = moved
                .iter()
                .map(|field| {
                    format!("{} was {}, and is {}", safe(&field.attribute.path()), value(&field.before), value(&field.after))
                })
                .collect();
            let hint = "their change stays: plan again, and apply what it shows".to_owned();
            (format!("somebody has changed it since the plan was made: {}", moved.join("; ")), vec![hint])
        }
        Failure::StackBusy { stack, status } => (
            format!("the stack {} is being changed by somebody else: it is in {}", safe(stack), safe(status)),
            vec!["nothing of this step was done; run the same command again once that has ended".to_owned()],
        ),
        Failure::Overtaken { stack } => (
            format!("the stack {} was changed by somebody else since the plan was made", safe(stack)),
            vec!["nothing of this step was done; plan again, and apply what it shows".to_owned()],
        ),
        Failure::StackMissing { stack } => {
            let summary = format!("the stack {} has gone since the plan was made", safe(stack));
            (summary, vec!["nothing was made in its place; plan again, and apply what it shows".to_owned()])
        }
        Failure::UnfinishedRotation { version } => (
            format!("a rotation has begun since the plan was made: version {} holds AWSPENDING", safe(version)),
            vec!["wait for it to end, and apply again".to_owned()],
        ),
        Failure::StillUsed { secret } => (
            format!("the secret {} still rotates with its function, which was left alone", safe(secret)),
            vec!["plan again".to_owned()],
        ),
        Failure::UnreadableEnvironment { code } => (
            format!("AWS doesn't show the function's environment ({}), and changing it would wipe it", safe(code)),
            vec!["the role needs `kms:Decrypt` on the function's key".to_owned()],
        ),
        Failure::HandlerFileMissing { handler } => (
            format!("the code lacks the file of the handler `{}`, so it was not uploaded", safe(handler)),
            vec!["add the file, or state `handler:`".to_owned()],
        ),
        Failure::CodeDiffers { sent, live } => plain(format!(
            "the uploaded code reads back as {} instead of {}: somebody else uploads too, or `sha256` isn't the object's",
            safe(live),
            safe(sent)
        )),
        Failure::KeepsChanging { function, last } => {
            let last = last.as_ref().map(|error| format!("; at last, {}", aws_words(error).0)).unwrap_or_default();
            plain(format!("somebody else keeps changing the function {}{last}", safe(function)))
        }
        Failure::UnknownState { what, state } => (
            format!("{} is in a state that this rotator doesn't know: `{}`", safe(what), safe(state)),
            vec!["look at it with AWS's console or CLI, then run the same command again; a newer rotator may know the state".to_owned()],
        ),
        Failure::TimedOut { what, after, status } => (
            format!("{} isn't done after {} (last seen: {})", safe(what), duration(*after), safe(status)),
            vec!["AWS may still end it; run the same command again to go on".to_owned()],
        ),
        Failure::Internal(what) => plain(format!("{what}; this is a bug in rotator")),
    }
}

/// Where commands of AWS's CLI lead that are about what an ARN names.
fn there_of<'a>(arn: &str, endpoint: Option<&'a str>) -> There<'a> {
    There::new(arn.parse::<Arn>().map(|arn| arn.region).unwrap_or_default(), endpoint)
}

/// What keeps Secrets Manager from a function, and what lets it in.
fn not_permitted(
    function: &str,
    account: &str,
    denied_by: Option<&str>,
    endpoint: Option<&str>,
) -> (String, Vec<String>) {
    let (there, name, account) = (there_of(function, endpoint), safe(function), safe(account));
    match denied_by {
        Some(statement) => {
            let statement = safe(statement);
            (
                format!(
                    "Secrets Manager may not invoke the function {name}: statement `{statement}` of its policy denies it"
                ),
                vec![format!(
                    "if it ought to be let in:\n    {} --function-name '{name}' --statement-id '{statement}'",
                    aws("lambda remove-permission", &there)
                )],
            )
        }
        None => (
            format!(
                "Secrets Manager may not invoke the function {name}: no statement of its policy lets `secretsmanager.amazonaws.com` in for account {account}"
            ),
            vec![format!(
                "if it ought to be let in:\n    {} --function-name '{name}' --statement-id SecretsManagerAccess --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account {account}",
                aws("lambda add-permission", &there)
            )],
        ),
    }
}

/// A policy that only its author can let Secrets Manager into.
fn written_whole(
    function: &str,
    account: &str,
    refused: Option<&AwsError>,
    endpoint: Option<&str>,
) -> (String, Vec<String>) {
    let (there, name) = (there_of(function, endpoint), safe(function));
    let refused = refused.map(|error| format!("; {}", aws_words(error).0)).unwrap_or_default();
    let statement = json!({
        "Sid": PERMISSION_STATEMENT,
        "Effect": "Allow",
        "Principal": {"Service": "secretsmanager.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": function,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    })
    .to_string();
    (
        format!(
            "the policy of the function {name} was written as a whole (`PutResourcePolicy`), and doesn't let Secrets Manager in for account {}{refused}",
            safe(account)
        ),
        vec![
            format!(
                "add this statement where that policy is written, then run the same command again:\n    {}",
                safe(&statement)
            ),
            format!("the policy as it is:\n    {} --resource-arn '{name}'", aws("lambda get-resource-policy", &there)),
        ],
    )
}

/// What became of a change set that wasn't run.
fn discarded(left: Option<&LeftBehind>, endpoint: Option<&str>, hints: &mut Vec<String>) -> String {
    match left {
        None => "it was deleted and nothing changed".to_owned(),
        Some(left) => format!("nothing changed, but {}", left_behind(left, endpoint, hints)),
    }
}

fn left_behind(left: &LeftBehind, endpoint: Option<&str>, hints: &mut Vec<String>) -> String {
    let (set, there) = (safe(&left.change_set), there_of(&left.change_set, endpoint));
    hints.push(format!(
        "the next apply replaces it; to delete it by hand:\n    {} --change-set-name '{set}'",
        aws("cloudformation delete-change-set", &there)
    ));
    format!("the change set couldn't be deleted: {}", aws_words(&left.error).0)
}

/// The addresses that a report doesn't hold because errors blocked them.
pub fn left_out(plan: &crate::plan::Plan) -> usize {
    let blocked = plan.changes.iter().filter(|change| change.blocked).map(|change| &change.address);
    // What can't even be compared, such as a secret that is missing, has no change that could be blocked.
    let errors = plan.problems.iter().filter(|problem| problem.severity == Severity::Error);
    blocked.chain(errors.map(|problem| &problem.address)).collect::<BTreeSet<_>>().len()
}
