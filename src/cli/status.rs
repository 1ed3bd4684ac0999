//! `rotator status`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use crate::aws::fleet::{Asked, Fleet};
use crate::aws::{Connection, ReadOnly};
use crate::config::Manifest;
use crate::exit::{self, worse};
use crate::model::account::AccountFunction;
use crate::model::live::Reading;
use crate::model::rule::Rule;
use crate::model::{Desired, Kind};
use crate::plan::ProblemKind;
use crate::plan::runtimes::stopped;
use crate::render::{self, command::Route};
use crate::status::{Facts, FunctionFacts, FunctionStatus, RuntimeStop, TargetStatus, Wanted, is_suspect, judge};

use super::failure::Failure;
use super::options::{self, Global, Paths};
use super::output;
use super::reasons::{self, Failures};
use super::runtimes;
use super::session::Session;
use super::view::View;

/// Reads AWS, and says how rotation does: what is failing, stuck, overdue or off, and which functions can't rotate.
#[derive(Debug, Args)]
#[command(after_help = "Exits with 4 where something that was asked about doesn't rotate as it should.

Examples:
  rotator status
  rotator status --format markdown manifests/payments
  rotator status --all --strict --region eu-west-1
  rotator status --reasons --since 14d --target secret.payments/key
  rotator status --format html > rotation.html")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// All secrets of each account and region, also those that no manifest names; without a manifest, those of the credentials
    #[arg(long)]
    all: bool,
    /// With `--all`: secrets that no manifest names count too
    #[arg(long, requires = "all")]
    strict: bool,
    /// Also why rotations fail: events of AWS, then the functions' logs; they come some minutes late
    #[arg(long)]
    reasons: bool,
    /// With `--reasons`: how far back, such as `36h` or `14d`, up to 90 days
    #[arg(long, value_name = "TIME", default_value = "7d", requires = "reasons", value_parser = span)]
    since: i64,
    /// Also what auditors' controls say, Security Hub's SecretsManager.1 to .4, computed from what was read; as text, JSON or Markdown
    #[arg(long)]
    controls: bool,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: StatusFormat,
}

/// How a status is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// For people at a terminal
    Text,
    /// For programs: `rotator schema status` describes it
    Json,
    /// For a pipeline's summary, or an issue
    Markdown,
    /// For pipelines that show tests
    Junit,
    /// A page for a browser: one file, which loads nothing
    Html,
}

/// How far back, in seconds: AWS keeps events for 90 days.
fn span(text: &str) -> Result<i64, String> {
    let span = options::span(text, 1..=2160, &["h", "d"]).map(|(number, unit)| number * unit);
    let seconds = span.filter(|seconds| *seconds <= 90 * 86_400).and_then(|seconds| i64::try_from(seconds).ok());
    seconds.ok_or_else(|| "write it as `36h` or `14d`, from an hour to 90 days".to_owned())
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        if self.format == StatusFormat::Json { View::Document } else { View::Text }
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let session = match &arguments.paths.paths[..] {
        [] if arguments.all && !Path::new("rotator.yaml").exists() => Session::without_manifest(global).await?,
        paths => Session::open(global, paths, &global.target).await?,
    };
    let (targets, failed) = session
        .read_each(|connection, desired, manifest| {
            let of_files = session.policies().files.iter().flat_map(|file| &file.rules);
            let rules: Vec<&Rule> = manifest.into_iter().flat_map(Manifest::policy).chain(of_files).collect();
            async move { read(connection, desired, &rules, arguments).await }
        })
        .await;
    let shown = if targets.is_empty() && failed.is_some() {
        Ok(exit::OK)
    } else {
        let (endpoint, sandbox) = session.lasting();
        let route = Route { endpoint: endpoint.as_deref(), sandbox: sandbox.as_deref() };
        let now = targets.first().and_then(|target| DateTime::<Utc>::from_timestamp(target.read_at, 0));
        output::data(&match arguments.format {
            StatusFormat::Text => render::status::text(&targets, global.verbose > 0, arguments.controls, route),
            StatusFormat::Json => render::status_data::json(&targets, failed.is_none(), arguments.controls),
            StatusFormat::Markdown => render::status::markdown(&targets, arguments.controls, route),
            StatusFormat::Junit => render::status_data::junit(&targets),
            StatusFormat::Html => render::status_page::page(&targets, now.unwrap_or_else(Utc::now)),
        })
    };
    session.notices();
    session.close().await?;
    shown?;
    let trouble = if targets.iter().any(TargetStatus::has_trouble) { exit::NOT_FINISHED } else { exit::OK };
    let known = if targets.iter().all(TargetStatus::is_complete) { exit::OK } else { exit::ERROR };
    let code = worse(trouble, known);
    match failed {
        Some(failure) => Err(Failure { code: worse(failure.code, code), ..failure }),
        None => Ok(code),
    }
}

/// Reads one target, and judges it.
async fn read(
    connection: Connection<ReadOnly>,
    desired: Desired,
    rules: &[&Rule],
    arguments: &Arguments,
) -> Result<TargetStatus, Failure> {
    let reader = connection.reader();
    let wanted: BTreeMap<String, Wanted> = desired
        .secrets
        .iter()
        .map(|(handle, secret)| {
            let address = desired.address(Kind::Secret, handle);
            let wanted = Wanted { address, enabled: secret.rotation.enabled, labels: (*secret.labels).clone() };
            (secret.name.clone(), wanted)
        })
        .collect();
    let names: BTreeSet<String> = wanted.keys().cloned().collect();
    let wants_rotation =
        |names: [&str; 2]| names.iter().filter_map(|name| wanted.get(*name)).any(|wanted| wanted.enabled == Some(true));
    let asked = if arguments.all { Asked::All(&names) } else { Asked::Named(&names) };
    let known = desired.selected.as_ref().filter(|selected| selected.unread.is_none());
    let known = known.map(|selected| selected.listed.iter().map(|secret| secret.record.clone()).collect());
    let fleet = reader
        .fleet(asked, known, |record| is_suspect(record, wants_rotation([&record.name, &record.arn]), reader.now()))
        .await;
    let fleet = fleet.map_err(|error| {
        let (summary, hints) = render::said::aws_words(&error);
        Failure::new(summary).hints(hints)
    })?;
    let judged =
        Judged { connection: &connection, desired: &desired, wanted: &wanted, fleet: &fleet, rules, arguments };
    let mut known = Known::default();
    let mut status = judged.status(&known);
    // Only of what would break a rule is asked when its value was made.
    let old = status.secrets.iter().filter(|secret| !secret.broken.is_empty());
    let arns: BTreeSet<&str> = old.filter_map(|secret| secret.arn.as_deref()).collect();
    let records = fleet.secrets.values().filter_map(Reading::found).filter(|record| arns.contains(record.arn.as_str()));
    let versions: Vec<_> =
        records.filter_map(|record| Some((record.arn.clone(), record.current_version.clone()?))).collect();
    if !versions.is_empty() {
        known.values = reader.current_versions(versions).await;
        status = judged.status(&known);
    }
    if arguments.reasons {
        let (failures, reasons) = reasons::look(&reader, &status, &fleet, reader.now() - arguments.since).await;
        known.failures = failures;
        status = TargetStatus { reasons: Some(reasons), ..judged.status(&known) };
    }
    Ok(status)
}

/// What was read beside a fleet, by the secret's ARN.
#[derive(Debug, Default)]
struct Known {
    /// When current versions were made, in seconds since 1970.
    values: BTreeMap<String, i64>,
    /// Failures of rotations.
    failures: Failures,
}

/// One target, and all that it is judged by.
struct Judged<'a> {
    connection: &'a Connection<ReadOnly>,
    desired: &'a Desired,
    wanted: &'a BTreeMap<String, Wanted>,
    fleet: &'a Fleet,
    rules: &'a [&'a Rule],
    arguments: &'a Arguments,
}

impl Judged<'_> {
    /// The status of what was read, and of what is known beside it.
    fn status(&self, known: &Known) -> TargetStatus {
        let (now, fleet, is_strict) = (self.connection.reader().now(), self.fleet, self.arguments.strict);
        let mut status = TargetStatus {
            target: self.desired.target.name.clone(),
            account: self.connection.account().to_owned(),
            region: self.connection.region().to_owned(),
            secrets: Vec::new(),
            functions: Vec::new(),
            unread: Vec::new(),
            read_at: now,
            is_from_list: fleet.is_from_list,
            reasons: None,
        };
        if let Some(unread) = self.desired.selected.as_ref().and_then(|selected| selected.unread.as_ref()) {
            status.unread.extend(self.desired.select.keys().map(|rule| (format!("select.{rule}"), unread.clone())));
        }
        for (asked, secret) in &fleet.secrets {
            let record = match secret {
                Reading::Unread(why) => {
                    status.unread.push((asked.clone(), why.clone()));
                    continue;
                }
                Reading::Absent => None,
                Reading::Found(record) => Some(record),
            };
            let pending = record.and_then(|record| fleet.pending.get(&record.arn));
            if let Some(Err(why)) = pending {
                status.unread.push((asked.clone(), why.clone()));
            }
            let facts = Facts {
                record,
                name: record.map_or(asked, |record| &record.name),
                wanted: self.wanted.get(asked),
                pending_since: pending.and_then(|since| since.as_ref().ok().copied().flatten()),
                failure: record.and_then(|record| known.failures.get(&record.arn)),
                value_since: record.and_then(|record| known.values.get(&record.arn).copied()),
                target: self.desired.target.name.as_deref(),
                rules: self.rules,
                is_strict,
            };
            status.secrets.push(judge(&facts, now));
        }
        status.functions = functions(self.connection.account(), self.wanted, fleet, is_strict, now);
        status.sort();
        status
    }
}

/// The functions' health.
fn functions(
    account: &str,
    wanted: &BTreeMap<String, Wanted>,
    fleet: &Fleet,
    is_strict: bool,
    now: i64,
) -> Vec<FunctionStatus> {
    let mut secrets: BTreeMap<&str, (Vec<&str>, bool)> = BTreeMap::new();
    for (asked, secret) in &fleet.secrets {
        let Some(record) = secret.found().filter(|record| record.rotates_here()) else { continue };
        let Some(function) = record.function_arn.as_deref() else { continue };
        let (arns, is_managed) = secrets.entry(function).or_default();
        arns.push(&record.arn);
        *is_managed |= wanted.contains_key(asked);
    }
    let of = |(arn, function): (&String, &AccountFunction)| {
        let (secrets, is_managed) = secrets.get(arn.as_str())?;
        let facts = FunctionFacts {
            arn,
            configuration: &function.configuration,
            policy: &function.policy,
            account,
            secrets,
            is_managed: *is_managed,
            runtime_stop: function
                .configuration
                .found()
                .and_then(|live| runtime_stop(live.settings.runtime.as_deref()?, now)),
        };
        Some(FunctionStatus::of(&facts, is_strict))
    };
    fleet.functions.iter().filter_map(of).collect()
}

/// When AWS lets no function of a runtime be changed any more, where that day is near or past.
fn runtime_stop(runtime: &str, now: i64) -> Option<RuntimeStop> {
    let today = DateTime::<Utc>::from_timestamp(now, 0)?.date_naive();
    match stopped(runtime, &runtimes::stops(runtime)?, false, today)? {
        ProblemKind::RuntimeStopped { runtime, from, over, successor, .. } => {
            Some(RuntimeStop { runtime, from, is_over: over, successor })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a look back could be another one than was asked for.
    #[test]
    fn spans_have_a_unit_and_an_end() {
        assert_eq!((span("1h"), span("36h"), span("90d")), (Ok(3600), Ok(129_600), Ok(7_776_000)));
        for text in ["", "7", "d", "0d", "91d", "2161h", "1w", "-1d", "07d", "1.5d", "7 d", "99999999999d", "7d "] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
