//! The table of Lambda's runtimes that this run goes by.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{Months, NaiveDate};

use crate::config::runtimes::{self, Runtimes};
use crate::diagnostic::Diagnostic;
use crate::env;
use crate::model::Kind;
use crate::plan::runtimes::{Stops, stopped};
use crate::plan::{Problem, ProblemKind, Severity};
use crate::render::command::There;
use crate::render::problem::words;
use crate::render::rules::position;

use super::failure::Failure;
use super::offline::Offline;
use super::output;

/// The largest table that is read, in bytes: AWS's own has some thousands.
const LARGEST: u64 = 1_000_000;

/// Puts a newer table in place of the built-in one where the environment names one; else says why that can't be.
pub fn choose() -> Result<(), Failure> {
    let Some(file) = env::read(env::ROTATOR_LAMBDA_RUNTIMES) else { return Ok(()) };
    let wrong = |why: String| {
        Failure::new(format!("`{file}`, which {} names, {why}", env::ROTATOR_LAMBDA_RUNTIMES))
            .hint("it has the form of `src/config/lambda-runtimes.json`; unset the variable to go by the built-in one")
    };
    let text = read(Path::new(&file)).map_err(|error| wrong(format!("can't be read: {error}")))?;
    let table = Runtimes::read(&text).map_err(|error| wrong(format!("is no table of runtimes: {error}")))?;
    runtimes::use_instead(table);
    Ok(())
}

fn read(file: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// When AWS stops a runtime, by the table.
pub fn stops(runtime: &str) -> Option<Stops> {
    let known = runtimes::known().by_name.get(runtime)?;
    Some(Stops { given: known.create_block, changed: known.update_block, successor: known.successor.clone() })
}

/// How old a table may be without a word.
const FRESH: Months = Months::new(6);

/// Says that the table is old, where it is: AWS adds runtimes, and moves its days.
pub fn say_if_old(today: NaiveDate) {
    if let Some(as_of) = runtimes::known().as_of
        && as_of.checked_add_months(FRESH).is_some_and(|end| end < today)
    {
        output::say(&format!(
            "note: the table of Lambda's runtimes is of {as_of}, more than six months old; a newer one goes into `{}`",
            env::ROTATOR_LAMBDA_RUNTIMES
        ));
    }
}

/// What AWS refuses of the runtimes that manifests give their functions, as far as that is known without AWS: whether a function has its
/// runtime already isn't. Each once for all targets.
pub fn judge(offline: &Offline, today: NaiveDate) -> Result<Vec<Diagnostic>, Failure> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (manifest, index) in offline.selected() {
        let desired = offline.resolve(manifest, index)?;
        for (handle, function) in &desired.functions {
            let runtime = function.deployment().and_then(|deployment| deployment.settings.runtime.as_deref());
            let kind = runtime.and_then(|runtime| stopped(runtime, &stops(runtime)?, true, today));
            let Some(kind) = kind.filter(|_| seen.insert((manifest.path(), handle.clone()))) else { continue };
            let ProblemKind::RuntimeStopped { every_change, over, .. } = &kind else { continue };
            // A function that has the runtime already may be changed as long as AWS changes any with it.
            let severity = if *over && *every_change { Severity::Error } else { Severity::Warning };
            let address = desired.address(Kind::Function, handle);
            let place = desired.places.get(&address).map(|place| manifest.with_line(place));
            let words = words(&Problem { address, name: function.name.clone(), severity, kind }, &There::default());
            let summary = format!("function `{handle}`: {}", words.summary);
            let mut diagnostic = match severity {
                Severity::Error => Diagnostic::error("runtime", summary),
                Severity::Warning => Diagnostic::warning("runtime", summary),
            };
            diagnostic.detail = words.detail;
            diagnostic.hints = words.hints;
            diagnostic.position = place.map(position);
            found.push(diagnostic);
        }
    }
    Ok(found)
}
