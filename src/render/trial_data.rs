//! The tests of rotation functions, for programs.
//!
//! The JSON is a published format: a new member may come; none goes, and none changes its meaning within a version.

use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::trial::verdict::{Ending, Failure, Trial, Verdict};

use super::junit::xml;
use super::safe_json;

/// The version of the format.
const FORMAT_VERSION: &str = "1.0";

/// The tests of rotation functions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator test")]
struct Document<'a> {
    /// The version of this format.
    format_version: &'static str,
    /// Whether nothing failed and everything could be tested: else the command ends with 4.
    passed: bool,
    /// One for each function.
    functions: Vec<Function<'a>>,
}

/// The test of one function.
#[derive(Debug, Serialize, JsonSchema)]
struct Function<'a> {
    /// Its handle in the manifest.
    handle: &'a str,
    /// Its name.
    name: &'a str,
    /// The secret that it was tested with, by name.
    secret: &'a str,
    /// Whether nothing failed and everything could be tested.
    passed: bool,
    /// The function's runtime and what ran it, where that is another version.
    other_runtime: Option<Runtime<'a>>,
    /// How long it took.
    seconds: f64,
    /// In the order in which they build on each other.
    checks: Vec<Check<'a>>,
}

/// A runtime that another version stood in for.
#[derive(Debug, Serialize, JsonSchema)]
struct Runtime<'a> {
    /// The function's, such as `python3.13`.
    wanted: &'a str,
    /// The version that ran it, such as `3.11.7`.
    ran: &'a str,
}

/// How a check ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Check<'a> {
    /// Its name.
    name: &'static str,
    /// What is known of a function that passes it.
    proves: &'static str,
    /// How it ended.
    ending: Word,
    /// What is worth a word of one that passed; why one wasn't tested, or doesn't apply.
    note: Option<&'a str>,
    /// The check that it builds on and that didn't pass, or the one that is for what was met, where it wasn't tested for that.
    builds_on: Option<&'static str>,
    /// What was seen first, where it failed.
    first_failure: Option<Seen<'a>>,
    /// What was seen last, where that isn't the first.
    last_failure: Option<Seen<'a>>,
    /// How long it took; those that are read from the first rotation took no time of their own.
    seconds: f64,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// The function does what the check asks.
    Passed,
    /// It doesn't.
    Failed,
    /// It couldn't be tried.
    NotTested,
    /// There is nothing to try.
    DoesNotApply,
}

/// What a function did wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct Seen<'a> {
    /// The step, such as `setSecret`.
    step: Option<&'static str>,
    /// What, in words.
    what: &'a str,
    /// What to do about it.
    hint: Option<&'static str>,
    /// The file of the function's own code.
    file: Option<&'a str>,
    /// The line in it, from 1.
    line: Option<u32>,
    /// The function there, where one is known.
    function: Option<&'a str>,
    /// The error's name, where an invocation failed. Its words aren't told: they may quote anything.
    error: Option<&'a str>,
}

fn seen(failure: &Failure) -> Seen<'_> {
    let place = failure.place.as_ref();
    Seen {
        step: failure.step,
        what: &failure.what,
        hint: failure.hint,
        file: place.map(|place| place.file.as_str()),
        line: place.map(|place| place.line),
        function: place.and_then(|place| place.function.as_deref()),
        error: failure.trouble.as_ref().and_then(|trouble| Some(trouble.error.as_ref()?.name.as_str())),
    }
}

fn check(verdict: &Verdict) -> Check<'_> {
    let mut check = Check {
        name: verdict.check.name,
        proves: verdict.check.proves,
        ending: Word::Passed,
        note: None,
        builds_on: None,
        first_failure: None,
        last_failure: None,
        seconds: seconds(verdict.took),
    };
    match &verdict.ending {
        Ending::Passed { note } => check.note = note.as_deref(),
        Ending::Failed { first, last, .. } => {
            check.ending = Word::Failed;
            check.first_failure = Some(seen(first));
            check.last_failure = last.as_deref().map(seen);
        }
        Ending::NotTested { reason, because } => {
            check.ending = Word::NotTested;
            check.note = Some(reason);
            check.builds_on = *because;
        }
        Ending::DoesNotApply { reason } => {
            check.ending = Word::DoesNotApply;
            check.note = Some(reason);
        }
    }
    check
}

fn function(trial: &Trial) -> Function<'_> {
    Function {
        handle: &trial.function,
        name: &trial.name,
        secret: &trial.secret,
        passed: trial.is_good(),
        other_runtime: trial.runtime.as_ref().map(|(wanted, ran)| Runtime { wanted, ran }),
        seconds: seconds(trial.took),
        checks: trial.verdicts.iter().map(check).collect(),
    }
}

/// In milliseconds' precision.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The tests as JSON, with a final newline.
pub fn json(trials: &[Trial]) -> String {
    let document = Document {
        format_version: FORMAT_VERSION,
        passed: trials.iter().all(Trial::is_good),
        functions: trials.iter().map(function).collect(),
    };
    safe_json(serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")
}

/// The format's schema.
pub fn trial_schema() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<Document<'_>>();
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// The tests as `JUnit` XML: a suite for each function, a test for each check. What couldn't be tried is an error, what builds on another
/// check that didn't pass is skipped, as is what doesn't apply.
pub fn junit(trials: &[Trial]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rotator test\">\n");
    for trial in trials {
        let mut cases = String::new();
        let (mut failures, mut errors, mut skipped) = (0, 0, 0);
        for verdict in &trial.verdicts {
            let mut place = String::new();
            let inner = match &verdict.ending {
                Ending::Passed { .. } => String::new(),
                Ending::Failed { first, .. } => {
                    failures += 1;
                    place = first.place.as_ref().map(|place| place_of(&place.file, place.line)).unwrap_or_default();
                    failed(verdict, first)
                }
                Ending::NotTested { reason, because: None } => {
                    errors += 1;
                    format!("<error message=\"{}\"/>", xml(&format!("not tested: {reason}")))
                }
                Ending::NotTested { reason, because: Some(_) } | Ending::DoesNotApply { reason } => {
                    skipped += 1;
                    format!("<skipped message=\"{}\"/>", xml(reason))
                }
            };
            let _ = writeln!(
                cases,
                "    <testcase classname=\"{}\" name=\"{}\"{place} time=\"{:.3}\">{inner}</testcase>",
                xml(&trial.function),
                verdict.check.name,
                verdict.took.as_secs_f64()
            );
        }
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\">\n{cases}  </testsuite>",
            xml(&trial.function),
            trial.verdicts.len(),
            trial.took.as_secs_f64()
        );
    }
    out.push_str("</testsuites>\n");
    out
}

fn place_of(file: &str, line: u32) -> String {
    format!(" file=\"{}\" line=\"{line}\"", xml(file))
}

fn failed(verdict: &Verdict, failure: &Failure) -> String {
    let place = failure.place.as_ref().map(|place| format!(" at {}:{}", place.file, place.line)).unwrap_or_default();
    let error = failure.trouble.as_ref().and_then(|trouble| trouble.error.as_ref());
    let error = error.map(|error| format!(": {}", error.name)).unwrap_or_default();
    let hint = failure.hint.map(|hint| format!("; hint: {hint}")).unwrap_or_default();
    let message = format!("{}{place}{error}{hint}", failure.what);
    format!("<failure type=\"{}\" message=\"{}\"/>", verdict.check.name, xml(&message))
}
