//! `rotator schedule`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use clap::Args;

use crate::model::freeze::Period;
use crate::model::{Kind, schedule};
use crate::render::schedule::{Row, table};

use super::failure::Failure;
use super::offline::Offline;
use super::options::{Global, Paths, whole};
use super::output;
use super::rules::freezes;

/// Prints the coming rotation windows of each secret, offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator schedule
  rotator schedule --from 2030-02-01 --count 12 --target secret.payments/ledger

A schedule in days counts from the last rotation, which only AWS knows: its windows are shown as if the secret had been
rotated at --from.")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// The moment to look from, in UTC: `2030-02-01` or `2030-02-01T12:00:00Z` [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// How many windows of each secret
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = |text: &str| whole::<u16>(text, 1..=1000))]
    count: u16,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let offline = Offline::open(global, &arguments.paths.paths)?;
    output::diagnostics(&offline.warnings);
    let from = arguments.from.unwrap_or_else(Utc::now);
    let mut rows = Vec::new();
    for (manifest, index) in offline.selected() {
        let freezes: Vec<Period> = freezes(manifest, &offline.policies).map(|freeze| freeze.days).collect();
        let mut desired = offline.resolve(manifest, index)?;
        offline.filter.apply(&mut desired);
        let secrets = desired.secrets.iter().map(|(handle, secret)| (Kind::Secret, handle, &secret.rotation));
        // Which secrets a rule means, only AWS knows.
        let rules = desired.select.iter().map(|(handle, rule)| (Kind::Select, handle, &rule.rotation));
        for (kind, handle, rotation) in secrets.chain(rules) {
            let address = desired.address(kind, handle).to_string();
            let rules = rotation.rules.as_ref().filter(|_| rotation.enabled != Some(false));
            let windows = rules
                .map(|rules| schedule::windows(rules, from).take(usize::from(arguments.count)).collect())
                .unwrap_or_default();
            let (rules, off) = (rules.cloned(), rotation.enabled == Some(false));
            rows.push(Row { address, rules, off, windows, freezes: freezes.clone() });
        }
    }
    output::data(&table(&rows))
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    if let Ok(moment) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S") {
        return Ok(moment.and_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    date.map(|date| date.and_utc()).ok_or_else(|| "write it as `2030-02-01` or `2030-02-01T12:00:00Z`".to_owned())
}
