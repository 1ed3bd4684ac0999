//! What happens during an apply as lines of JSON, after Terraform's machine-readable user interface.
//!
//! Each line has `@level`, `@message`, `@module`, `@timestamp` and `type`. What is ours alone stands under `rotator`.
//! <https://developer.hashicorp.com/terraform/internals/machine-readable-ui>

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::apply::{Event, Kept, Moved, Outcome, Report};
use crate::diagnostic::{self, Diagnostic};
use crate::model::Address;
use crate::plan::fresh::Stale;
use crate::plan::resources::{Resource, ResourceAction, ResourceType};
use crate::plan::{Note, NoteKind, Operation, Plan, Severity, Step, StepKind};

use super::command::There;
use super::effect::effect_on;
use super::ending::{How, Wording};
use super::plan::{Mode, counts, counts_of};
use super::plan_json::{Modules, identity};
use super::problem;
use super::report::{Fate, doing, failure_words, fates};
use super::safe_json;
use super::said::{duration, rfc3339};

/// The version of Terraform's interface that this is shaped after.
const UI: &str = "1.2";

/// Writes lines about one target's plan.
#[derive(Debug, Clone)]
pub struct Lines {
    path: Vec<String>,
    module: Option<String>,
}

/// A line; `level` is `info`, `warn` or `error`.
fn line(now: DateTime<Utc>, level: &str, kind: &str, message: &str, members: Value) -> String {
    let mut line = json!({
        "@level": level,
        "@message": message,
        "@module": "rotator.ui",
        "@timestamp": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        "type": kind,
    });
    if let (Value::Object(line), Value::Object(members)) = (&mut line, members) {
        line.extend(members);
    }
    safe_json(format!("{line}\n"))
}

/// The first line.
pub fn version(now: DateTime<Utc>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    line(now, "info", "version", &format!("rotator {version}"), json!({"rotator": version, "ui": UI}))
}

/// The id of a run that rotates secrets.
pub fn run_id(id: &str, now: DateTime<Utc>) -> String {
    line(now, "info", "run", &format!("Run {id}"), json!({"rotator": {"run": id}}))
}

/// Why a saved plan is refused: a diagnostic for each reason.
pub fn stale(reasons: &[Stale], now: DateTime<Utc>) -> String {
    let line_of = |reason: &Stale| {
        let (summary, detail) = super::stale::words(reason);
        let address = reason.address.to_string();
        let diagnostic =
            json!({"severity": "error", "summary": summary, "detail": detail.unwrap_or_default(), "address": address});
        line(now, "error", "diagnostic", &format!("Error: {address}: {summary}"), json!({"diagnostic": diagnostic}))
    };
    reasons.iter().map(line_of).collect()
}

/// Why a command ends without doing what it was asked; `by` says what refuses it: `policy`, `limit`, `freeze` or `brake`.
pub fn failed(summary: &str, hints: &[String], by: &[&str], exit_code: u8, now: DateTime<Utc>) -> String {
    let diagnostic = json!({"severity": "error", "summary": summary, "detail": hints.join("\n")});
    let mut ours = json!({"exit_code": exit_code});
    if !by.is_empty() {
        ours["refused_by"] = json!(by);
    }
    line(now, "error", "diagnostic", &format!("Error: {summary}"), json!({"diagnostic": diagnostic, "rotator": ours}))
}

/// Which targets weren't begun; `because` of which one, where that isn't an interrupt.
pub fn not_begun(names: &[String], because: Option<&str>, now: DateTime<Utc>) -> String {
    let why = because.map(|name| format!(", since {name} isn't well")).unwrap_or_default();
    let summary = format!("not begun{why}: {}", names.join(", "));
    let diagnostic = json!({"severity": "warning", "summary": summary, "detail": ""});
    let ours = json!({"not_begun": names, "because": because});
    line(now, "warn", "diagnostic", &format!("Warning: {summary}"), json!({"diagnostic": diagnostic, "rotator": ours}))
}

/// What is wrong with files, each problem at its place.
pub fn problems(problems: &[Diagnostic], exit_code: u8, now: DateTime<Utc>) -> String {
    let line_of = |problem: &Diagnostic| {
        let (level, severity) = match problem.severity {
            diagnostic::Severity::Error => ("error", "error"),
            diagnostic::Severity::Warning => ("warn", "warning"),
        };
        let detail: Vec<&str> = problem.detail.iter().chain(&problem.hints).map(String::as_str).collect();
        let diagnostic = json!({"severity": severity, "summary": problem.summary, "detail": detail.join("\n")});
        let mut ours = json!({"exit_code": exit_code, "check": problem.check});
        if let Some(position) = &problem.position {
            ours["file"] = json!(position.file.to_string_lossy());
            ours["line"] = json!(position.line);
            ours["column"] = json!(position.column);
        }
        let message = format!("{}: {}", capital(severity), problem.summary);
        line(now, level, "diagnostic", &message, json!({"diagnostic": diagnostic, "rotator": ours}))
    };
    problems.iter().map(line_of).collect()
}

impl Lines {
    /// For one of several plans that are applied together.
    pub fn new(plan: &Plan, all: &[&Plan]) -> Self {
        let path = Modules::of(all).path(plan);
        let module = super::plan_json::module_address(&path);
        Self { path, module }
    }

    fn resource(&self, address: &Address, resource_type: ResourceType) -> Value {
        let id = identity(address, resource_type, &self.path);
        let module = self.module.clone().unwrap_or_default();
        let within = id.address.strip_prefix(&format!("{module}.")).unwrap_or(&id.address).to_owned();
        json!({
            "addr": id.address,
            "module": module,
            "resource": within,
            "implied_provider": "aws",
            "resource_type": id.resource_type,
            "resource_name": id.name,
            "resource_key": id.index,
        })
    }

    /// What was planned: changes, their effects, problems, and a summary.
    pub fn planned(&self, plan: &Plan, resources: &[Resource], now: DateTime<Utc>) -> String {
        let mut out = String::new();
        for resource in resources.iter().filter(|resource| resource.action != ResourceAction::NoOp) {
            let action = match resource.action {
                ResourceAction::NoOp => "noop",
                ResourceAction::Create => "create",
                ResourceAction::Update => "update",
                ResourceAction::Replace => "replace",
                ResourceAction::Delete => "delete",
            };
            let shown = self.resource(&resource.address, resource.resource_type);
            let effects: Vec<&str> = resource.effects.iter().map(|effect| effect.word()).collect();
            let message = format!("{}: Plan to {action}", shown["addr"].as_str().unwrap_or_default());
            let change = json!({"resource": shown, "action": action});
            let ours =
                json!({"address": resource.address.to_string(), "effects": effects, "blocked": resource.blocked});
            out += &line(now, "info", "planned_change", &message, json!({"change": change, "rotator": ours}));
        }
        for found in &plan.problems {
            let words = problem::words(found, &There::of(plan));
            let (level, severity) = match found.severity {
                Severity::Error => ("error", "error"),
                Severity::Warning => ("warn", "warning"),
            };
            let detail: Vec<&str> = words.detail.iter().chain(&words.hints).map(String::as_str).collect();
            let message = format!("{}: {}: {}", capital(severity), found.address, words.summary);
            let diagnostic = json!({
                "severity": severity,
                "summary": words.summary,
                "detail": detail.join("\n"),
                "address": found.address.to_string(),
            });
            out += &line(now, level, "diagnostic", &message, json!({"diagnostic": diagnostic}));
        }
        let counts = counts(plan);
        let number = |operation| counts.get(&operation).copied().unwrap_or(0);
        let replaced = number(Operation::Replace);
        let (add, change, remove) =
            (number(Operation::Add) + replaced, number(Operation::Change), number(Operation::Destroy) + replaced);
        let effects: serde_json::Map<String, Value> = crate::plan::Effect::ALL
            .into_iter()
            .map(|effect| (effect, plan.affected(effect)))
            .filter(|(_, affected)| !affected.is_empty())
            .map(|(effect, affected)| {
                let words = effect_on(effect, affected.iter().map(|(address, _)| *address));
                (effect.word().to_owned(), json!({"count": affected.len(), "words": words}))
            })
            .collect();
        let message = format!("Plan: {add} to add, {change} to change, {remove} to destroy.");
        let changes = json!({"add": add, "change": change, "import": 0, "remove": remove, "operation": "plan"});
        out += &line(
            now,
            "info",
            "change_summary",
            &message,
            json!({"changes": changes, "rotator": {"effects": effects, "project": plan.project, "target": plan.target}}),
        );
        out
    }

    /// An event; `elapsed` is how long its step has been running.
    pub fn event(&self, event: &Event, steps: &[Step], elapsed: Duration, now: DateTime<Utc>) -> Option<String> {
        let (Event::Started { step }
        | Event::Waiting { step, .. }
        | Event::TryFailed { step, .. }
        | Event::Paused { step, .. }
        | Event::Warned { step, .. }
        | Event::Ended { step, .. }) = event;
        let step = steps.get(*step)?;
        let (resource_type, action) = subject(step.kind);
        let resource = self.resource(&step.address, resource_type);
        let address = resource["addr"].as_str().unwrap_or_default().to_owned();
        let what = doing(step.kind);
        let ours = json!({"address": step.address.to_string(), "step": what});
        let mut hook = json!({"resource": resource, "action": action});
        let seconds = elapsed.as_secs();
        Some(match event {
            Event::Started { .. } => {
                let message = format!("{address}: {}...", capital(what));
                line(now, "info", "apply_start", &message, json!({"hook": hook, "rotator": ours}))
            }
            Event::Waiting { status, .. } => {
                hook["elapsed_seconds"] = json!(seconds);
                let message = format!("{address}: {}... [{seconds}s elapsed] {status}", capital(what));
                let ours = json!({"address": step.address.to_string(), "step": what, "status": status});
                line(now, "info", "apply_progress", &message, json!({"hook": hook, "rotator": ours}))
            }
            Event::TryFailed { trouble, failed, .. } => {
                hook["elapsed_seconds"] = json!(seconds);
                let words = super::ends::trouble(trouble, false);
                let message = format!("{address}: {}: {words} ({failed} so far)", capital(what));
                let ours = json!({"address": step.address.to_string(), "step": what, "failed_tries": failed, "try_failed": words});
                line(now, "warn", "apply_progress", &message, json!({"hook": hook, "rotator": ours}))
            }
            Event::Paused { pause, .. } => {
                let (pause, words) = (pause.as_secs(), duration(*pause));
                let message = format!("{address}: {} begins with the next wave, in {words}", capital(what));
                let ours = json!({"address": step.address.to_string(), "step": what, "pause_seconds": pause});
                line(now, "info", "apply_progress", &message, json!({"hook": hook, "rotator": ours}))
            }
            Event::Warned { text, .. } => {
                hook["elapsed_seconds"] = json!(seconds);
                let message = format!("{address}: {}: warning: {text}", capital(what));
                let ours = json!({"address": step.address.to_string(), "step": what, "warning": text});
                line(now, "warn", "apply_progress", &message, json!({"hook": hook, "rotator": ours}))
            }
            Event::Ended { outcome, .. } => {
                hook["elapsed_seconds"] = json!(seconds);
                let (level, kind, outcome_word, detail) = match outcome {
                    Outcome::Applied { .. } => ("info", "apply_complete", "applied", None),
                    Outcome::Unchanged => ("info", "apply_complete", "unchanged", None),
                    Outcome::NotFinished(rest) if rest.waited.is_none() => ("info", "apply_complete", "accepted", None),
                    Outcome::NotFinished(rest) => ("warn", "apply_errored", "not_finished", Some(rest.version.clone())),
                    Outcome::TestFailed(test) => {
                        ("error", "apply_errored", "test_failed", Some(super::ends::trouble(&test.trouble, false)))
                    }
                    Outcome::Unverified(_) => ("warn", "apply_complete", "unverified", None),
                    Outcome::Failed(failure) => {
                        ("error", "apply_errored", "failed", Some(failure_words(failure, None).0))
                    }
                    Outcome::NotAttempted { .. } => ("warn", "apply_errored", "not_attempted", None),
                };
                let words = outcome_word.replace('_', " ");
                let message = format!("{address}: {}: {words} after {seconds}s", capital(what));
                let mut ours = json!({"address": step.address.to_string(), "step": what, "outcome": outcome_word});
                if let Some(detail) = detail {
                    let key = if outcome_word == "not_finished" { "version" } else { "reason" };
                    ours[key] = json!(detail);
                }
                if let Outcome::TestFailed(test) = outcome {
                    ours["version"] = json!(test.version);
                }
                line(now, level, kind, &message, json!({"hook": hook, "rotator": ours}))
            }
        })
    }

    /// How it ended.
    pub fn summary(&self, report: &Report, plan: &Plan, mode: Mode, now: DateTime<Utc>) -> String {
        let fates = fates(report);
        let number = |fate: Fate| fates.values().filter(|&&other| other == fate).count();
        // What was applied, as Terraform counts it; what was planned stands in the plan's own summary.
        let counts = counts_of(plan, |address| fates.get(address) == Some(&Fate::Applied));
        let applied = |operation| counts.get(&operation).copied().unwrap_or(0);
        let replaced = applied(Operation::Replace);
        let mut ended = json!({
            "applied": number(Fate::Applied),
            "unchanged": number(Fate::Unchanged),
            "not_finished": number(Fate::NotFinished),
            "failed": number(Fate::Failed),
            "partly_applied": number(Fate::Partly),
            "not_attempted": number(Fate::NotAttempted),
            "interrupted": report.interrupted,
            "project": plan.project,
            "target": plan.target,
        });
        let overridden: Vec<Value> = plan.notes.iter().filter_map(overridden_freeze).collect();
        if !overridden.is_empty() {
            ended["overridden_freezes"] = Value::Array(overridden);
        }
        if let Some(again) = &report.again {
            ended["again"] = json!(again);
        }
        if let Some(failures) = report.stopped {
            ended["stopped_after"] = json!(failures);
        }
        let untested = super::ends::untested(report, plan);
        if !untested.is_empty() {
            ended["untested"] = json!(untested);
        }
        let failed: Vec<Value> = report.steps.iter().zip(&report.outcomes).filter_map(failed_test).collect();
        if !failed.is_empty() {
            ended["failed_tests"] = Value::Array(failed);
        }
        let moved: Vec<Value> =
            report.moved.iter().filter_map(|(step, moved)| moved_date(report, *step, *moved)).collect();
        if !moved.is_empty() {
            ended["moved_rotations"] = Value::Array(moved);
        }
        let kept: Vec<Value> = report.kept.iter().filter_map(|(step, kept)| kept_code(report, *step, kept)).collect();
        if !kept.is_empty() {
            ended["kept_code"] = Value::Array(kept);
        }
        let changes = json!({
            "add": applied(Operation::Add) + replaced,
            "change": applied(Operation::Change),
            "import": 0,
            "remove": applied(Operation::Destroy) + replaced,
            "operation": "apply",
        });
        let bad = report.has_failed() || report.interrupted;
        let (level, how) = match (bad, report.has_unfinished()) {
            (true, _) => ("error", How::Incomplete),
            (false, true) => ("warn", How::Unfinished),
            (false, false) => ("info", How::Complete),
        };
        let words = Wording::of(mode);
        let message = format!("{}: {} {}.", words.title(how), number(Fate::Applied), words.done);
        line(now, level, "change_summary", &message, json!({"changes": changes, "rotator": ended}))
    }
}

/// A test that failed, and what its function was before.
fn failed_test((step, outcome): (&Step, &Outcome)) -> Option<Value> {
    let Outcome::TestFailed(test) = outcome else { return None };
    let replaced = test.replaced.as_ref().map(|replaced| {
        json!({
            "address": replaced.address.to_string(),
            "code_sha256": replaced.code,
            "path": replaced.path,
            "commit": replaced.commit,
            "version": replaced.kept.as_ref().map(|kept| &kept.version),
        })
    });
    Some(json!({
        "address": step.address.to_string(),
        "function": test.function,
        "reason": super::ends::trouble(&test.trouble, false),
        "before": replaced,
    }))
}

/// Old code that was kept.
fn kept_code(report: &Report, step: usize, kept: &Kept) -> Option<Value> {
    let address = report.steps.get(step)?.address.to_string();
    Some(json!({"address": address, "version": kept.version, "code_sha256": kept.code}))
}

/// A next rotation that a test has moved.
fn moved_date(report: &Report, step: usize, moved: Moved) -> Option<Value> {
    let address = report.steps.get(step)?.address.to_string();
    Some(json!({"address": address, "before": rfc3339(moved.before), "after": rfc3339(moved.after)}))
}

/// A freeze that a plan overrides.
fn overridden_freeze(note: &Note) -> Option<Value> {
    let NoteKind::FreezeOverridden(frozen) = &note.kind else { return None };
    let freeze = &frozen.freeze;
    Some(json!({
        "from": freeze.days.from.to_string(),
        "to": freeze.days.to.to_string(),
        "reason": freeze.reason,
        "at": freeze.at.to_string(),
    }))
}

/// Which resource a step works on, and Terraform's word for what it does there.
fn subject(kind: StepKind) -> (ResourceType, &'static str) {
    match kind {
        StepKind::Stack => (ResourceType::Stack, "create"),
        StepKind::DeleteStack => (ResourceType::Stack, "delete"),
        StepKind::Configuration | StepKind::Code => (ResourceType::Function, "update"),
        StepKind::Permission => (ResourceType::Permission, "create"),
        StepKind::Rotation | StepKind::Repair => (ResourceType::Rotation, "update"),
        StepKind::Watch | StepKind::WatchTest => (ResourceType::Rotation, "read"),
        StepKind::Disable => (ResourceType::Rotation, "delete"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{desired, empty_live};
    use crate::plan::{PlanOptions, Purpose, make_plan, order, resources};

    /// Without it, programs that follow a pipeline by these lines would lose a member that they read.
    #[test]
    fn lines_keep_their_shape() {
        let (mut desired, live) = (desired(), empty_live());
        desired.target.name = Some("prod-eu".to_owned());
        let plan =
            make_plan(&desired, &live, PlanOptions { purpose: Purpose::Converge { prune: false }, partial: false });
        let steps = order(&plan, &desired);
        let lines = Lines::new(&plan, &[&plan]);
        let now = DateTime::UNIX_EPOCH;
        let mut text = version(now);
        text += &lines.planned(&plan, &resources(&desired, &live, &plan), now);
        let event = |event: &Event| lines.event(event, &steps, Duration::from_secs(3), now).expect("a step");
        text += &event(&Event::Started { step: 0 });
        text += &event(&Event::Waiting { step: 0, status: "CREATE_IN_PROGRESS".to_owned() });
        let failure = crate::apply::Failure::SecretMissing;
        let outcomes = vec![Outcome::Applied { requests: Vec::new() }, Outcome::Failed(failure)];
        for (step, outcome) in outcomes.iter().enumerate() {
            text += &event(&Event::Ended { step, outcome: outcome.clone() });
        }
        let report = Report { steps: steps[..2].to_vec(), outcomes, ..Report::default() };
        text += &lines.summary(&report, &plan, Mode::Apply, now);
        assert!(
            text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["type"].is_string()))
        );
        insta::assert_snapshot!(text);
    }
}
