//! Options that several commands take.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::{aws, env};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Use the AWS that lives in this program instead of the real one; its state lives in FILE
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, require_equals = true,
          default_missing_value = ".rotator/sandbox.json", help_heading = "Global options")]
    pub sandbox: Option<PathBuf>,
    /// Have the AWS of `--sandbox` refuse what this policy of IAM doesn't allow; repeatable
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub sandbox_allow: Vec<PathBuf>,
    /// Only this: a target's name or pattern, an address (`secret.payments/api-key`, `'secret.payments/*'`), or a label (`label:owner=me`); repeatable
    #[arg(long, global = true, value_name = "WHAT", help_heading = "Global options",
          env = env::ROTATOR_TARGET, hide_env_values = true)]
    pub target: Vec<String>,
    /// The region, where the manifest's targets don't say one
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub region: Option<String>,
    /// The profile of AWS's configuration files
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub profile: Option<String>,
    /// Send all calls there instead of to AWS
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub endpoint_url: Option<String>,
    /// How many calls or steps may be under way at once
    #[arg(long, global = true, value_name = "N", value_parser = |text: &str| whole::<u16>(text, 1..=1000),
          help_heading = "Global options", env = env::ROTATOR_PARALLELISM, hide_env_values = true)]
    pub parallelism: Option<u16>,
    /// A file of rules that plans are held to, beside the manifests' own `policy:`; repeatable
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options",
          env = env::ROTATOR_POLICY, hide_env_values = true)]
    pub policy: Vec<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: Color,
    /// Say less: no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Say more: every step, AWS's request ids, and each of many problems that are the same
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// How is printed what only people and programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people at a terminal
    Text,
    /// For programs
    Json,
}

/// How plans are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people at a terminal
    Text,
    /// For programs: the shape of Terraform's plan representation
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// A published format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// Manifests
    Manifest,
    /// Files of `--policy`
    Policy,
    /// What `plan --format json` and `show --format json` print
    Plan,
    /// What `status --format json` prints
    Status,
    /// What `repair --format json` prints
    Repair,
    /// What `targets --format json` prints
    Targets,
    /// What `permissions --format json` prints
    Permissions,
    /// What `test --format json` prints
    Test,
}

/// Manifests to read.
#[derive(Debug, Clone, Args)]
pub struct Paths {
    /// Root manifests, or folders that hold a `rotator.yaml` [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// A number of the command line within a range. As in manifests, it is written in digits alone: to some, `010` is 8.
pub fn whole<N: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>) -> Result<N, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().ok().filter(|_| digits).ok_or_else(|| "it is no whole number".to_owned())?;
    if text != number.to_string() {
        return Err(format!("a number that starts with 0 is another one to some: write `{number}`"));
    }
    let (first, last) = (*range.start(), *range.end());
    let outside =
        || if last == u64::MAX { "it is too large".to_owned() } else { format!("{number} is not in {first}..={last}") };
    N::try_from(number).ok().filter(|_| range.contains(&number)).ok_or_else(outside)
}

/// How many seconds a unit of time has, of those that an option takes: `s`, `m`, `h` or `d`.
pub fn seconds_in(unit: &str, taken: &[&str]) -> Option<u64> {
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    taken.contains(&unit).then_some(seconds)
}

/// A span of time such as `36h`: a number in a range, with one of these units right behind it. The number, and the unit's seconds.
pub fn span(text: &str, range: RangeInclusive<u64>, units: &[&str]) -> Option<(u64, u64)> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1))?;
    Some((whole(number, range).ok()?, seconds_in(unit, units)?))
}

/// A span of time such as `90s`, `10m`, `1h`, or seconds alone.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, "s"),
    };
    let number: u64 = whole(number, 0..=86_400).map_err(|_| "write it as `90s`, `10m` or `1h`".to_owned())?;
    let seconds = seconds_in(unit, &["s", "m", "h"]).and_then(|unit| number.checked_mul(unit));
    match seconds {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("write it as `90s`, `10m` or `1h`, up to a day".to_owned()),
    }
}

impl Global {
    /// How AWS is reached.
    pub fn settings(&self) -> aws::Settings {
        aws::Settings {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            parallelism: self.parallelism.map(usize::from),
            ..aws::Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a span could be another one than was asked for.
    #[test]
    fn spans_have_a_number_and_a_unit() {
        let of = |text: &str| span(text, 1..=2160, &["h", "d"]);
        assert_eq!((of("1h"), of("36h"), of("90d")), (Some((1, 3600)), Some((36, 3600)), Some((90, 86_400))));
        for text in ["", "7", "d", "0d", "2161h", "1w", "5m", "-1d", "07d", "1.5d", "7 d", "99999999999d", "7d "] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    /// Without it, a script that fills zeros in would ask for eight of something, or for ten.
    #[test]
    fn numbers_are_written_in_digits_alone() {
        assert_eq!((whole::<u16>("1", 1..=1000), whole::<u64>("0", 0..=5)), (Ok(1), Ok(0)));
        for text in ["010", "08", "0x10", "+5", "", "1e3", "5 ", "1001", "0", "70000", "99999999999999999999"] {
            assert!(whole::<u16>(text, 1..=1000).is_err(), "{text}");
        }
        assert_eq!(
            whole::<u16>("010", 1..=1000).expect_err("a zero"),
            "a number that starts with 0 is another one to some: write `10`"
        );
    }
}
