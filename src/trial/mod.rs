//! Tests of rotation functions against the contract of rotation, on the sandbox: what Secrets Manager may do to a function, and what each
//! call leaves behind.
//!
//! | Module | Knows |
//! |---|---|
//! | [`checks`] | the table of checks: what each proves, how, and what it builds on |
//! | [`verdict`] | how a check ended, as data |
//! | `stand` | a function, its secret and its service, begun anew for each check; how its steps are called |
//! | `first` | the first rotation, which most checks are read from |
//! | `rounds` | the checks that rotate again: steps that are repeated, wrong values, characters, leftovers |
//! | `ended` | the check that ends the function at each of its calls |
//! | `versions` | the checks that name versions which nothing may change |
//!
//! It never sees a value: what the sandbox tells of two is whether they are the same and have the same form, and of a log whether it holds
//! one (`sandbox::Bench`).

pub mod checks;
mod ended;
mod first;
mod rounds;
mod stand;
pub mod verdict;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::Sensitive;
use crate::sandbox::{Placed, Sandbox};

use checks::{CHECKS, Check};
use stand::{Stand, Stop};
use verdict::{Ending, Trial, Verdict};

/// The longest that one call of a step is waited for, however long the function may run.
pub const LONGEST: Duration = Duration::from_mins(1);

/// A function that is to be tested.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its handle in the manifest.
    pub handle: &'a str,
    /// What it is deployed as.
    pub placed: Placed<'a>,
    /// The name of the secret that it rotates.
    pub secret: &'a str,
    /// What that secret holds at first; `None`: something made up.
    pub value: Option<&'a Sensitive>,
    /// Other secrets, by name, and what they hold.
    pub others: &'a BTreeMap<String, Sensitive>,
    /// The secrets that its role may read beside its own, by name.
    pub read_secrets: &'a [String],
    /// The program that stands for its service; empty: none.
    pub service: &'a [String],
    /// Where that is started.
    pub folder: &'a Path,
}

/// The account and region that functions are tested in.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// Such as `eu-west-1`.
    pub region: &'a str,
}

/// Tests one function. `only`: these checks, by name, and what they build on; empty: all. Each verdict is told as it comes.
pub async fn run(
    sandbox: &Sandbox,
    home: Home<'_>,
    subject: &Subject<'_>,
    only: &BTreeSet<&str>,
    told: &dyn Fn(&Verdict),
) -> Trial {
    let began = Instant::now();
    let mut verdicts = Verdicts { all: Vec::new(), only, told };
    let mut runtime = None;
    match Stand::new(sandbox, home, subject) {
        Ok(mut stand) => {
            all(&mut stand, &mut verdicts).await;
            runtime = stand.bench.runs_otherwise();
        }
        Err(Stop(reason)) => {
            for check in CHECKS {
                verdicts.add(check, Ending::NotTested { reason: reason.clone(), because: None }, Duration::ZERO);
            }
        }
    }
    Trial {
        function: subject.handle.to_owned(),
        name: subject.placed.name.to_owned(),
        secret: subject.secret.to_owned(),
        runtime,
        verdicts: verdicts.all,
        took: began.elapsed(),
    }
}

/// What was found so far.
struct Verdicts<'a> {
    all: Vec<Verdict>,
    only: &'a BTreeSet<&'a str>,
    told: &'a dyn Fn(&Verdict),
}

impl Verdicts<'_> {
    fn add(&mut self, check: &'static Check, ending: Ending, took: Duration) {
        let verdict = Verdict { check, ending, took };
        if self.is_asked_for(check) {
            (self.told)(&verdict);
        }
        self.all.push(verdict);
    }

    fn is_asked_for(&self, check: &Check) -> bool {
        self.only.is_empty() || self.only.contains(check.name)
    }

    /// Whether a check is needed, by itself or by one that builds on it.
    fn is_needed(&self, check: &Check) -> bool {
        self.is_asked_for(check)
            || CHECKS.iter().any(|other| other.needs.contains(&check.name) && self.is_needed(other))
    }

    fn ending(&self, name: &str) -> Option<&Ending> {
        self.all.iter().find(|verdict| verdict.check.name == name).map(|verdict| &verdict.ending)
    }

    /// That a check isn't tested for want of another one: where that couldn't be tried either, for the same reason.
    fn for_want_of(&self, name: &'static str) -> Ending {
        match self.ending(name) {
            Some(Ending::NotTested { reason, because: None }) => {
                Ending::NotTested { reason: reason.clone(), because: Some(name) }
            }
            _ => Ending::built_on(name),
        }
    }

    /// What a check builds on and didn't pass.
    fn missing(&self, check: &Check) -> Option<&'static str> {
        let leaves_it =
            |ending: &Ending| matches!(ending, Ending::NotTested { because, .. } if *because == Some(check.name));
        let stands = |ending: &Ending| ending.holds() || leaves_it(ending);
        check.needs.iter().copied().find(|name| !self.ending(name).is_some_and(stands))
    }
}

async fn all(stand: &mut Stand<'_>, verdicts: &mut Verdicts<'_>) {
    let began = Instant::now();
    let first = first::first(stand).await;
    let took = began.elapsed();
    for check in CHECKS {
        let Some(run) = check.run else {
            // The log is judged by all that was logged, at the end.
            if check.name != checks::LOG {
                verdicts.add(
                    check,
                    first.ending(check.name),
                    if check.name == "steps" { took } else { Duration::ZERO },
                );
            }
            continue;
        };
        if !verdicts.is_needed(check) {
            continue;
        }
        let began = Instant::now();
        let ending = match verdicts.missing(check) {
            Some(name) => verdicts.for_want_of(name),
            None => match run(stand, &first).await {
                Ok(ending) => ending,
                Err(Stop(reason)) => Ending::NotTested { reason, because: None },
            },
        };
        verdicts.add(check, ending, began.elapsed());
    }
    let log = match (stand.leaks.is_empty(), first.has_run) {
        (false, _) => Ending::failed(std::mem::take(&mut stand.leaks)),
        (true, true) => Ending::Passed { note: None },
        (true, false) => first.ending("steps").or_built_on("loads"),
    };
    if let Some(check) = checks::find(checks::LOG) {
        verdicts.add(check, log, Duration::ZERO);
    }
    let only = verdicts.only;
    verdicts.all.retain(|verdict| only.is_empty() || only.contains(verdict.check.name));
}
