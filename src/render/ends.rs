//! How rotations and tests ended, in words: which step of which function failed, where, and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::{Kept, NotFinished, Outcome, Replaced, Report, TestFailed, Unknown, Unverified};
use crate::model::trouble::{Fault, Trouble};
use crate::plan::verdict::{Tries, Unproved};
use crate::plan::{Action, Plan, Step};

use super::command::{Route, There, aws, quoted};
use super::said::{aws_words, duration, moment};
use super::{BOLD, DESTROY, DIM, WARNING, count, paint, safe, some_of};

/// Where printed commands lead.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// The region.
    pub region: &'a str,
    /// Which AWS it is.
    pub route: Route<'a>,
    /// Whether the functions' own words are shown: somebody asked for them, or nothing is real.
    pub words: bool,
}

impl Reach<'_> {
    /// Where commands of AWS's CLI lead.
    pub(super) fn there(&self) -> There<'_> {
        There { region: self.region.into(), route: self.route }
    }

    /// The command that shows what a function has logged; `about`: only the lines that hold it.
    pub(super) fn log_command(&self, group: &str, about: Option<&str>) -> String {
        let filter = about.map(|about| format!(" --filter-pattern '\"{}\"'", safe(about))).unwrap_or_default();
        format!(
            "{} --log-group-name '{}'{filter} --query 'events[].message' --output text",
            aws("logs filter-log-events", &self.there()),
            safe(group)
        )
    }
}

/// What failed, and where: `setSecret failed at keys.py:40, in set_secret: HTTPError`. `words`: with the error's own words, which may
/// quote anything, the secret's value too.
pub fn trouble(trouble: &Trouble, words: bool) -> String {
    let mut text = trouble.step.map_or_else(|| "the function failed".to_owned(), |step| format!("{step} failed"));
    if let Some(place) = &trouble.place {
        let within = place.function.as_ref().map(|name| format!(", in {}", safe(name))).unwrap_or_default();
        let _ = write!(text, " at {}:{}{within}", safe(&place.file), place.line);
    }
    if let Some(error) = &trouble.error {
        let _ = write!(text, ": {}", fault(error, words));
    }
    text
}

/// An error's name. `words`: with its own words.
pub fn fault(error: &Fault, words: bool) -> String {
    let said = error.words.as_ref().filter(|_| words).map(|said| format!(": {}", safe(said)));
    format!("{}{}", safe(&error.name), said.unwrap_or_default())
}

/// A rotation that hasn't ended in time.
pub fn not_finished(address: &str, step: &Step, rest: &NotFinished, reach: Reach<'_>) -> String {
    let mut out = String::new();
    let waited = rest.waited.filter(|waited| waited.as_secs() > 0);
    let waited = waited.map(|waited| format!(" after {}", duration(waited))).unwrap_or_default();
    let failed = rest.tries.as_ref().ok().and_then(|tries| tries.last.as_ref());
    let how = if failed.is_some() { "fails, and hasn't finished" } else { "was accepted and hasn't finished" };
    let _ = writeln!(
        out,
        "{} {}",
        paint(WARNING, "not finished:"),
        paint(BOLD, &format!("{address}: the rotation {how}{waited}"))
    );
    match &rest.tries {
        Ok(tries) => out.push_str(&what_tries_did(tries, reach.words)),
        Err(unknown) => {
            if let Some(words) = unread(unknown) {
                let _ = writeln!(out, "  {words}");
            }
        }
    }
    let _ = writeln!(out, "  version {} of {}", safe(&rest.version), safe(&step.name));
    if let (Some(function), Some(group)) = (&rest.function, &rest.log_group) {
        if reach.route.lasts() {
            let _ = writeln!(out, "  function {} logs to {}; to read it:", safe(function), safe(group));
            let _ = writeln!(out, "    {}", reach.route.of_address("logs", address));
            let _ = writeln!(out, "    {}", reach.log_command(group, Some(&rest.version)));
        } else {
            let own = reach.route.of_address("logs", address);
            let _ = writeln!(out, "  function {} logs to {}; to read it:\n    {own}", safe(function), safe(group));
        }
    }
    out.push_str(&how_it_goes_on(step, rest, failed.is_some(), reach));
    out
}

/// What comes next, as far as it is known, and what frees a secret that is stuck. AWS doesn't say how often it tries.
fn how_it_goes_on(step: &Step, rest: &NotFinished, has_failed: bool, reach: Reach<'_>) -> String {
    let once_more = "once it has ended, `rotator plan` shows no change";
    if rest.silent {
        return format!(
            "  Secrets Manager was asked to try it again, and hasn't invoked the function since. This says what is known of it, and which other ways there are:\n    {}\n",
            reach.route.of_secret("repair", &step.address)
        );
    }
    match (rest.goes_on, has_failed) {
        (true, true) => {
            format!("  Secrets Manager tries it some times more, and then not before its next window; {once_more}.\n")
        }
        (true, false) => format!("  It goes on without this command; {once_more}.\n"),
        (false, _) if reach.route.lasts() => format!(
            "  It is stuck: nothing tries it again before its next window. Once what is wrong is mended, this has it tried at once, and watches it:\n    {}\n  which other ways there are:\n    {}\n",
            reach.route.of_secret("repair retry", &step.address),
            reach.route.of_secret("repair", &step.address)
        ),
        (false, _) => {
            "  No try is left, and it stays as it is until its next window. Mend the function, and apply again.\n"
                .to_owned()
        }
    }
}

fn what_tries_did(tries: &Tries, words: bool) -> String {
    let trouble = |one: &Trouble| trouble(one, words);
    let mut out = String::new();
    let Some(last) = &tries.last else { return out };
    let doubt = if tries.certain { "" } else { " (an invocation that doesn't name the secret)" };
    let _ = writeln!(out, "  {}{doubt}", trouble(last));
    if let Some(first) = tries.first.as_ref().filter(|first| trouble(first) != trouble(last)) {
        let _ = writeln!(out, "  the first of {}: {}", count(tries.failed, "failed invocation"), trouble(first));
    } else if tries.failed > 1 {
        let _ = writeln!(out, "  {} failed in this way", count(tries.failed, "invocation"));
    }
    out
}

/// A test that failed.
pub fn test_failed(address: &str, step: &Step, test: &TestFailed, reach: Reach<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {}",
        paint(DESTROY.bold(), "failed:"),
        paint(BOLD, &format!("{address}: {}", trouble(&test.trouble, reach.words)))
    );
    let _ = writeln!(
        out,
        "  the function {} can't work with {}, whose rotation would fail in its next window",
        safe(&test.function),
        safe(&step.name)
    );
    let _ = writeln!(out, "  {} its log, {}:", paint(DIM, "hint:"), safe(&test.log_group));
    let _ = writeln!(out, "    {}", reach.route.of_address("logs", address));
    if reach.route.lasts() {
        let _ = writeln!(out, "    {}", reach.log_command(&test.log_group, None));
    }
    if let Some(replaced) = &test.replaced {
        let _ = writeln!(out, "  {} {}", paint(DIM, "hint:"), way_back(replaced, reach));
    }
    out
}

/// What puts back what a function was before its test failed: a commit, else the version that was kept.
fn way_back(replaced: &Replaced, reach: Reach<'_>) -> String {
    let function = safe(&replaced.address.to_string()).into_owned();
    let Some(code) = &replaced.code else {
        return format!(
            "{function} runs with its new configuration: mend it, or put its entry back as it was, and apply again"
        );
    };
    if let (Some(kept), None, true) = (&replaced.kept, &replaced.commit, reach.route.lasts()) {
        return format!(
            "{function} runs the new code, and its version {} has the old one: this fetches it; then write `code: old.zip`, and apply again\n    {}",
            safe(&kept.version),
            fetches(kept, reach)
        );
    }
    match (&replaced.path, &replaced.commit) {
        (Some(path), Some(commit)) => format!(
            "{function} runs the new code, and the old code is in commit {}: this puts it back, and then apply again\n    git restore --source={} --staged --worktree -- {}",
            safe(commit),
            safe(commit),
            quoted(path)
        ),
        (Some(path), None) => format!(
            "{function} runs the new code, AWS has no old one, and no recent commit here makes the package that it had (SHA-256 {}): mend `{}`, or bring the old files back, and apply again",
            safe(code),
            safe(path)
        ),
        (None, _) => format!(
            "{function} runs the new code, and AWS has no old one: name the object with the package that it had (SHA-256 {}) in its entry again, and apply again",
            safe(code)
        ),
    }
}

/// The functions that an apply has changed and hasn't tested, though its plan does.
pub fn untested(report: &Report, plan: &Plan) -> BTreeSet<String> {
    let is_done = |change: usize| {
        report
            .steps
            .iter()
            .zip(&report.outcomes)
            .any(|(step, outcome)| step.change == Some(change) && matches!(outcome, Outcome::Applied { .. }))
    };
    let left = report.steps.iter().zip(&report.outcomes).filter_map(|(step, outcome)| {
        let change = plan.changes.get(step.change?)?;
        let is_test = matches!(change.action, Action::TestFunction(_));
        (is_test && matches!(outcome, Outcome::NotAttempted { .. })).then_some(change)
    });
    let of_functions = left.flat_map(|change| change.after.iter().copied()).filter(|change| is_done(*change));
    of_functions.filter_map(|change| Some(plan.changes.get(change)?.address.to_string())).collect()
}

/// That in words.
pub fn untested_words(report: &Report, plan: &Plan) -> String {
    let all = untested(report, plan);
    if all.is_empty() {
        return String::new();
    }
    let (was, it) = if all.len() == 1 { ("was", "it") } else { ("were", "them") };
    format!(
        "{} what is new of {} {was}n't tested: the same command, run again, tests {it}\n",
        paint(WARNING, "untested:"),
        safe(&some_of(all.iter().map(String::as_str), 5))
    )
}

/// What tests have moved though nobody asked for it.
pub fn moved(report: &Report) -> String {
    let mut out = String::new();
    for (step, moved) in &report.moved {
        let Some(step) = report.steps.get(*step) else { continue };
        let _ = writeln!(
            out,
            "{} {}: the test moved its next rotation from {} to {}",
            paint(WARNING, "warning:"),
            safe(&step.address.to_string()),
            moment(moved.before),
            moment(moved.after)
        );
    }
    out
}

/// The old code that was kept, and how it comes back. Of a function whose test failed, its own hint says it.
pub fn kept(report: &Report, reach: Reach<'_>) -> String {
    let mut out = String::new();
    for (step, kept) in &report.kept {
        let Some(step) = report.steps.get(*step) else { continue };
        let (address, version) = (safe(&step.address.to_string()).into_owned(), safe(&kept.version));
        let _ = writeln!(out, "{} {address}: its old code is version {version} of the function", paint(BOLD, "kept:"));
        if reach.route.lasts() {
            let hint = "to bring it back, fetch its package, write `code: old.zip`, and apply";
            let _ = writeln!(out, "  {} {hint}:\n    {}", paint(DIM, "hint:"), fetches(kept, reach));
        }
    }
    out
}

/// The command that fetches the package of a version.
fn fetches(kept: &Kept, reach: Reach<'_>) -> String {
    format!(
        "curl -o old.zip \"$({} --function-name '{}:{}' --query Code.Location --output text)\"",
        aws("lambda get-function", &reach.there()),
        safe(&kept.function),
        safe(&kept.version)
    )
}

/// The tests whose end isn't known: one warning for each reason.
pub fn unverified(report: &Report) -> String {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (step, outcome) in report.steps.iter().zip(&report.outcomes) {
        if let Outcome::Unverified(test) = outcome {
            by_reason.entry(why(test)).or_default().push(step.address.to_string());
        }
    }
    let mut out = String::new();
    for (reason, addresses) in by_reason {
        let is = if addresses.len() == 1 { "is" } else { "are" };
        let _ = writeln!(
            out,
            "{} {} {is} unverified: {} ({})",
            paint(WARNING, "warning:"),
            count(addresses.len(), "test"),
            reason,
            some_of(addresses.iter().map(String::as_str), 3)
        );
    }
    out
}

/// Why a test's end isn't known.
fn why(test: &Unverified) -> String {
    let function = safe(test.function.as_deref().unwrap_or("the function"));
    let group = safe(test.log_group.as_deref().unwrap_or("its log"));
    match &test.why {
        Unknown::Unproved(Unproved::Silent) => format!(
            "{group} has nothing since: {function} may not write logs, or wasn't invoked, or its words come later"
        ),
        Unknown::Unproved(Unproved::NoEnd) => format!("{group} doesn't have the end of the invocation"),
        Unknown::Unproved(Unproved::Several(number)) => {
            format!("{} of {function} may be meant, and none names the secret", count(*number, "invocation"))
        }
        Unknown::Unproved(Unproved::Format) => {
            format!(
                "the runtime of {function} doesn't write what it catches into a log in text; the JSON format says it"
            )
        }
        Unknown::Unproved(Unproved::SharedGroup) => {
            format!("others may log to {group} too, and no line names the secret")
        }
        Unknown::Unproved(Unproved::Simulated) => {
            format!("the sandbox can't run {function}, and only simulated it")
        }
        Unknown::NotWaited => "nobody waited for it".to_owned(),
        Unknown::NoFunction => "no function of this account's tests it".to_owned(),
        unknown => unread(unknown).unwrap_or_default(),
    }
}

/// Why a log can't say anything; `None` where it isn't the log's fault.
fn unread(unknown: &Unknown) -> Option<String> {
    match unknown {
        Unknown::Unread(error) => {
            let (summary, hints) = aws_words(error);
            let hint = hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
            Some(format!("what the function logged can't be read: {summary}{hint}"))
        }
        Unknown::Elsewhere => Some("the function, and its log, are in another account or region".to_owned()),
        Unknown::Unproved(_) | Unknown::NotWaited | Unknown::NoFunction => None,
    }
}
