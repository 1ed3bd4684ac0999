//! What a rehearsal found wrong with a function, in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::LogEvent;
use crate::model::invocation::invocations;
use crate::model::trouble::Trouble;

use super::command::shell_word;
use super::{count, ends, safe};

/// Something that is wrong with a function, as a rehearsal saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flawed<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The secret that was rotated for it.
    pub secret: &'a str,
    /// The step of the rotation, such as `testSecret`.
    pub step: &'a str,
    /// What is wrong.
    pub flaw: Kind<'a>,
    /// Where in its code, where its log doesn't say it: file and line, and the function there.
    pub place: Option<(&'a str, u32, Option<&'a str>)>,
    /// What the invocation logged that failed.
    pub trouble: Option<Trouble>,
}

/// What is wrong with a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The first rotation ended well, and the second one doesn't.
    FailsOnceMore,
    /// Nothing rotated but this once, and it failed.
    Fails,
    /// A step that was done fails when it is called again.
    FailsAgain,
    /// A step that was done changes the new value when it is called again.
    ChangesAgain,
    /// The current version was changed before the last step.
    TouchesCurrent,
    /// The new version has no value.
    NoValue,
    /// The new value is the old one.
    SameValue,
    /// The new value lacks these members of the old one.
    LosesMembers(&'a [String]),
    /// testSecret passes with a wrong value.
    TestsNothing,
    /// The new version isn't current at the end.
    NotMoved,
    /// The log holds what only the secret may hold.
    LogsValue,
}

/// What a failed invocation of a rehearsal says, by its own log.
pub fn trouble(log: &[(i64, String)]) -> Option<Trouble> {
    let event = |(at, message): &(i64, String)| LogEvent { stream: String::new(), at: *at, message: message.clone() };
    let events: Vec<LogEvent> = log.iter().map(event).collect();
    invocations(&events).iter().rfind(|one| one.has_failed()).map(Trouble::of)
}

/// A summary, and what to do.
pub fn words(flawed: &Flawed<'_>) -> (String, Vec<String>) {
    let (function, secret, step) = (safe(flawed.function), safe(flawed.secret), safe(flawed.step));
    let place = flawed.place.map(|(file, line, within)| {
        let within = within.map(|name| format!(", in {}", safe(name))).unwrap_or_default();
        format!(" at {}:{line}{within}", safe(file))
    });
    let place = place.unwrap_or_default();
    let failed = flawed.trouble.as_ref().map_or_else(|| format!("{step} failed"), |one| ends::trouble(one, true));
    let again = "Secrets Manager calls a step again where its answer was lost: look first at what is done already";
    let (what, hint) = match flawed.flaw {
        Kind::FailsOnceMore => (
            format!("rotates once, and not a second time: {failed}"),
            "each later rotation of its secrets would fail so",
        ),
        Kind::Fails => (
            format!("a rotation by what is deployed now fails: {failed}"),
            "each rotation of its secrets would fail so; the version of this one stays pending until the next `apply` with mended code",
        ),
        Kind::FailsAgain => (format!("{step} fails when it is called again: {failed}"), again),
        Kind::ChangesAgain => (format!("{step}{place} changes the new value when it is called again"), again),
        Kind::TouchesCurrent => (
            format!(
                "{step}{place} changes the current version, which clients read, before the new one is known to work"
            ),
            "only finishSecret moves AWSCURRENT, by `update_secret_version_stage`",
        ),
        Kind::NoValue => (
            format!("after {step}{place}, the new version has no value"),
            "the first step puts it, with the event's ClientRequestToken and the label AWSPENDING",
        ),
        Kind::SameValue => (
            format!("after {step}{place}, the new value is the old one: nothing was rotated"),
            "make a new one in the first step",
        ),
        Kind::LosesMembers(names) => {
            let names: BTreeSet<_> = names.iter().map(|name| safe(name)).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            (
                format!("after {step}{place}, the new value lacks {names}"),
                "clients read the new value as they read the old one",
            )
        }
        Kind::TestsNothing => (
            format!("{step}{place} passes with a wrong value: it would let a broken one become current"),
            "use the value of AWSPENDING as its clients do, and raise what the service answers",
        ),
        Kind::NotMoved => (
            format!("after {step}{place}, the new version isn't AWSCURRENT"),
            "move the label by `update_secret_version_stage`, with RemoveFromVersionId",
        ),
        Kind::LogsValue => (
            format!("{step} logs what only the secret may hold{place}"),
            "whoever reads the log reads the secret: log ids and steps",
        ),
    };
    (format!("the rehearsal of {function} with {secret} failed: {what}"), vec![hint.to_owned()])
}

/// A rotation that a rehearsal ran. Of values, it is known only whether they differ.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The secret's name.
    pub secret: &'a str,
    /// The version that was current before.
    pub before: &'a str,
    /// The version that is current now.
    pub now: &'a str,
    /// Whether their values differ.
    pub differs: bool,
    /// Each step, and how long it ran.
    pub steps: &'a [(&'static str, Duration)],
    /// How many lines they logged.
    pub lines: usize,
}

/// How many rotations are told.
const MOST: usize = 3;

/// What happened in a rehearsal, for people who see a rotation for the first time, and what to try next. `looked`: functions that rotated
/// once more, each with a secret, and nothing wrong was found; `state`: where the sandbox keeps its state, where that isn't the usual place.
pub fn told(
    all: &[Told<'_>],
    looked: Option<&[(String, String)]>,
    state: Option<&Path>,
    manifests: &[PathBuf],
) -> String {
    let mut out = String::from("What happened:\n");
    for one in all.iter().take(MOST) {
        let values = if one.differs { "their values differ" } else { "their values are the same" };
        let steps: Vec<String> =
            one.steps.iter().map(|(step, took)| format!("{step} {:.2}s", took.as_secs_f64())).collect();
        let _ = writeln!(
            out,
            "  {}: AWSCURRENT moved from version {} to {}; {values}\n    {}; {}",
            safe(one.secret),
            short(one.before),
            short(one.now),
            steps.join(", "),
            count(one.lines, "log line"),
        );
    }
    if all.len() > MOST {
        let _ = writeln!(out, "  and {} more", count(all.len() - MOST, "rotation"));
    }
    match looked {
        Some(functions) if all.is_empty() => {
            for (function, secret) in functions.iter().take(MOST) {
                let _ = writeln!(
                    out,
                    "  {} rotated {} as it is now, each step called twice, testSecret with a wrong value too: nothing wrong was found.",
                    safe(function),
                    safe(secret)
                );
            }
        }
        Some(_) => out.push_str(
            "  Each function then rotated once more, each step called twice, testSecret with a wrong value too: nothing wrong was found.\n",
        ),
        None => {}
    }
    if !all.is_empty() {
        out.push_str("\nTry next:\n");
    }
    for (command, what) in next(all, state, manifests) {
        let _ = writeln!(out, "  {command}\n      {what}");
    }
    out.truncate(out.trim_end().len());
    out
}

/// The option that runs a sandbox with its state, where that isn't in the usual place.
pub fn option(state: Option<&Path>) -> String {
    state.map_or_else(|| "--sandbox".to_owned(), |file| format!("--sandbox={}", path_word(file)))
}

/// What to try next.
fn next(all: &[Told<'_>], state: Option<&Path>, manifests: &[PathBuf]) -> Vec<(String, &'static str)> {
    // What changes nothing but a function is no first look any more.
    let Some(first) = all.first() else { return Vec::new() };
    let sandbox = option(state);
    let usual = |path: &PathBuf| path.as_os_str() == "rotator.yaml" || path.as_os_str() == "./rotator.yaml";
    // A folder stands for the manifest of the usual name in it.
    let short =
        |path: &PathBuf| path_word(if path.ends_with("rotator.yaml") { path.parent().unwrap_or(path) } else { path });
    let paths = if matches!(manifests, [one] if usual(one)) {
        String::new()
    } else {
        manifests.iter().flat_map(|path| [" ".to_owned(), short(path)]).collect()
    };
    let mut next = vec![
        (format!("rotator plan {sandbox}{paths}"), "nothing differs any more: the plan is empty"),
        (format!("rotator logs {sandbox}{paths}"), "what the function's log says of the last rotation"),
    ];
    let state = state.map(|file| format!(" --state {}", path_word(file))).unwrap_or_default();
    next.push((
        format!("rotator sandbox secret show {}{state}", shell_word(&safe(first.secret))),
        "the secret's versions, and their labels",
    ));
    next.push((
        format!("rotator apply {sandbox} --auto-approve{paths}"),
        "after a change of the manifest or of the code: put `raise ValueError` into a step, and see what is said",
    ));
    next
}

/// The first characters of a version's id.
fn short(version: &str) -> String {
    safe(version).chars().take(8).collect()
}

/// A path as a word of a command.
fn path_word(path: &Path) -> String {
    shell_word(&safe(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, whoever is told would know neither the step nor the line.
    #[test]
    fn step_and_line_are_named() {
        let flawed = |flaw, place, trouble| {
            words(&Flawed { function: "f", secret: "app/one", step: "testSecret", flaw, place, trouble }).0
        };
        let place = Some(("lambda_function.py", 17, Some("test")));
        assert_eq!(
            flawed(Kind::TestsNothing, place, None),
            "the rehearsal of f with app/one failed: testSecret at lambda_function.py:17, in test passes with a wrong value: it would let a broken one become current"
        );
        let log = [
            (1, "START RequestId: 1 Version: $LATEST\n".to_owned()),
            (2, "[ERROR] KeyError: 'a'\nTraceback (most recent call last):\n  File \"/var/task/f.py\", line 9, in set_\n".to_owned()),
            (3, "END RequestId: 1\n".to_owned()),
            (4, "REPORT RequestId: 1\tDuration: 1 ms\n".to_owned()),
        ];
        let trouble = trouble(&log);
        assert_eq!(
            flawed(Kind::FailsAgain, None, trouble),
            "the rehearsal of f with app/one failed: testSecret fails when it is called again: setSecret failed at f.py:9, in set_: KeyError: 'a'"
        );
    }

    /// Without it, a newcomer would see that something was applied, and not that a secret rotated; or commands that lead elsewhere.
    #[test]
    fn what_happened_is_told_with_commands_that_work() {
        let steps = [("setSecret", Duration::from_millis(412)), ("finishSecret", Duration::from_millis(30))];
        let one = Told {
            secret: "it's/one",
            before: "01234567-89",
            now: "abcdefab-cd",
            differs: true,
            steps: &steps,
            lines: 12,
        };
        let manifests = [PathBuf::from("my examples/rotator.yaml"), PathBuf::from("other.yaml")];
        insta::assert_snapshot!(told(&[one], Some(&[]), Some(Path::new("s.json")), &manifests), @r"
        What happened:
          it's/one: AWSCURRENT moved from version 01234567 to abcdefab; their values differ
            setSecret 0.41s, finishSecret 0.03s; 12 log lines
          Each function then rotated once more, each step called twice, testSecret with a wrong value too: nothing wrong was found.

        Try next:
          rotator plan --sandbox=s.json 'my examples' other.yaml
              nothing differs any more: the plan is empty
          rotator logs --sandbox=s.json 'my examples' other.yaml
              what the function's log says of the last rotation
          rotator sandbox secret show 'it'\''s/one' --state s.json
              the secret's versions, and their labels
          rotator apply --sandbox=s.json --auto-approve 'my examples' other.yaml
              after a change of the manifest or of the code: put `raise ValueError` into a step, and see what is said
        ");
        let four = told(&[one; 4], None, None, &[PathBuf::from("rotator.yaml")]);
        assert!(four.contains("and 1 rotation more") && four.contains("  rotator plan --sandbox\n"), "{four}");
    }
}
