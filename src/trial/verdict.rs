//! How a function's test ended, as data.

use std::time::Duration;

use crate::model::trouble::Trouble;
use crate::sandbox::Place;

use super::checks::{CHECKS, Check};

/// The test of one function.
#[derive(Debug)]
pub struct Trial {
    /// The function's handle.
    pub function: String,
    /// Its name.
    pub name: String,
    /// The secret that it was tested with, by name.
    pub secret: String,
    /// The function's runtime and the version that ran it, where that is another one.
    pub runtime: Option<(String, String)>,
    /// What was asked for, in the order of the table.
    pub verdicts: Vec<Verdict>,
    /// How long all of it took.
    pub took: Duration,
}

impl Trial {
    /// That nothing of a function could be tried, for one reason.
    pub fn none(function: &str, name: &str, secret: &str, reason: &str) -> Self {
        let verdict = |check| {
            let ending = Ending::NotTested { reason: reason.to_owned(), because: None };
            Verdict { check, ending, took: Duration::ZERO }
        };
        Self {
            function: function.to_owned(),
            name: name.to_owned(),
            secret: secret.to_owned(),
            runtime: None,
            verdicts: CHECKS.iter().map(verdict).collect(),
            took: Duration::ZERO,
        }
    }

    /// Calls files of the package as people know them.
    pub fn rename_files(&mut self, name: impl Fn(&str) -> String) {
        self.verdicts.iter_mut().for_each(|verdict| verdict.rename_files(&name));
    }

    /// Whether nothing failed, and everything could be tested.
    pub fn is_good(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.ending.holds())
    }
}

/// How one check ended.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which check.
    pub check: &'static Check,
    /// How it ended.
    pub ending: Ending,
    /// How long it took.
    pub took: Duration,
}

impl Verdict {
    /// Calls files of the package as people know them.
    pub fn rename_files(&mut self, name: &dyn Fn(&str) -> String) {
        let Ending::Failed { first, last, .. } = &mut self.ending else { return };
        for place in std::iter::once(first).chain(last).filter_map(|failure| failure.place.as_mut()) {
            place.file = name(&place.file);
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The function does what the check asks.
    Passed {
        /// What is worth a word all the same.
        note: Option<String>,
    },
    /// It doesn't.
    Failed {
        /// What was seen first.
        first: Box<Failure>,
        /// What was seen last, where that isn't the first.
        last: Option<Box<Failure>>,
        /// How often.
        times: usize,
    },
    /// It couldn't be tried.
    NotTested {
        /// Why.
        reason: String,
        /// The check on which this one builds, which didn't pass; or the one that is for what was met.
        because: Option<&'static str>,
    },
    /// There is nothing to try.
    DoesNotApply {
        /// Why.
        reason: String,
    },
}

impl Ending {
    /// That failures were seen, the first one first. None: it passed.
    pub fn failed(mut failures: Vec<Failure>) -> Self {
        let times = failures.len();
        if failures.is_empty() {
            return Self::Passed { note: None };
        }
        let first = Box::new(failures.remove(0));
        Self::Failed { first, last: failures.pop().map(Box::new), times }
    }

    /// That a check on which this one builds didn't pass.
    pub fn built_on(name: &'static str) -> Self {
        Self::NotTested { reason: format!("it builds on `{name}`"), because: Some(name) }
    }

    /// The same where it isn't tested either, else that it builds on that check.
    #[must_use]
    pub fn or_built_on(self, name: &'static str) -> Self {
        if matches!(self, Self::NotTested { .. }) { self } else { Self::built_on(name) }
    }

    /// Whether it passed, or there is nothing to try.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::DoesNotApply { .. })
    }
}

/// What a function did wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In which step, such as `setSecret`.
    pub step: Option<&'static str>,
    /// What, in words.
    pub what: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// Where in the author's own code.
    pub place: Option<Place>,
    /// What the invocation's log says, where one failed. Its words are left out where they hold something private.
    pub trouble: Option<Trouble>,
}
