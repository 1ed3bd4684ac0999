//! The tables of `calls.md`, held against what was counted.

use std::collections::BTreeMap;

use super::Result;
use super::job::Job;
use super::world::{Calls, Fleet};

/// The tables: what is called, what for, and why.
pub const TEXT: &str = include_str!("calls.md");

/// How many secrets a page of `ListSecrets` holds.
const PAGE: usize = 100;

/// The calls that the tables say a job makes, where that is exact; and at least so many, where it waits.
#[derive(Debug, Default)]
pub struct Expected {
    exactly: BTreeMap<String, usize>,
    /// How many more there may be of those.
    spare: BTreeMap<String, usize>,
    waiting: BTreeMap<String, usize>,
}

impl Expected {
    /// Reads the table under a job's heading, and those of the jobs that it says it includes.
    pub fn of(job: Job, fleet: Fleet) -> Result<Self> {
        let mut expected = Self::default();
        expected.read(job.name(), fleet)?;
        Ok(expected)
    }

    fn read(&mut self, heading: &str, fleet: Fleet) -> Result<()> {
        let (_, section) = TEXT.split_once(&format!("\n## {heading}\n")).ok_or("calls.md misses a job")?;
        let section = section.split("\n## ").next().unwrap_or_default();
        if let Some(other) = section.lines().find_map(|line| line.strip_prefix("What `")?.split('`').next()) {
            self.read(other, fleet)?;
        }
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [operation, each, _why] = cells[..] else { return Err(format!("calls.md: {line}").into()) };
            let (each, waits) = each.strip_suffix(", at least").map_or((each, false), |each| (each, true));
            let of_one = match each {
                "target" | "application" => 1,
                "role" => usize::from(fleet.targets > 0),
                "function" => fleet.functions,
                "secret" => fleet.secrets,
                "page" => fleet.secrets.div_ceil(PAGE),
                _ => return Err(format!("calls.md: each `{each}`").into()),
            };
            if each == "page" {
                // Read from both ends, which may meet in the middle of two pages.
                *self.spare.entry(operation.trim_matches('`').to_owned()).or_default() += 2 * fleet.targets.max(1);
            }
            let counts = if waits { &mut self.waiting } else { &mut self.exactly };
            *counts.entry(operation.trim_matches('`').to_owned()).or_default() += of_one * fleet.targets.max(1);
        }
        Ok(())
    }

    /// What differs from the tables; nothing, where all is as they say.
    pub fn differences(&self, calls: &Calls) -> Vec<String> {
        let all = self.exactly.keys().chain(self.waiting.keys()).chain(calls.operations.keys());
        let all: std::collections::BTreeSet<&String> = all.collect();
        let of = |counts: &BTreeMap<String, usize>, operation| counts.get(operation).copied().unwrap_or_default();
        all.into_iter()
            .filter_map(|operation| {
                let made = of(&calls.operations, operation);
                let least = of(&self.exactly, operation) + of(&self.waiting, operation);
                let waits = self.waiting.contains_key(operation);
                let most = least + of(&self.spare, operation);
                let is_right = made >= least && (waits || made <= most);
                let at_least = if waits { "at least " } else { "" };
                (!is_right).then(|| format!("{operation}: {made} instead of {at_least}{least}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a call that was added to the tool would go unnoticed because the tables can't be read.
    #[test]
    fn the_tables_say_how_many_calls_a_job_makes() {
        let expected = Expected::of(Job::Plan, Fleet { secrets: 250, functions: 2, targets: 0 }).expect("a table");
        let count = |operation: &str| expected.exactly.get(operation).copied();
        assert_eq!((count("DescribeSecret"), count("ListSecrets"), count("GetPolicy")), (Some(250), Some(3), Some(2)));
        let mut calls = Calls { operations: expected.exactly.clone(), throttled: 0 };
        assert_eq!(expected.differences(&calls), Vec::<String>::new());
        calls.operations.insert("ListFunctions".to_owned(), 1);
        assert_eq!(expected.differences(&calls), ["ListFunctions: 1 instead of 0"]);
        for job in [Job::Status, Job::Import, Job::Attach, Job::Apply] {
            Expected::of(job, Fleet::of(10)).expect("a table");
        }
    }
}
