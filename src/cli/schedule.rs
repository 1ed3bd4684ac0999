//! `rotator schedule`.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use clap::Args;

use crate::config::{self, Ambient};
use crate::exit;
use crate::model::freeze::Period;
use crate::model::schedule;
use crate::render::schedule::{Row, table};

use super::filter::Filter;
use super::session::{Printed, check_targets};
use super::{Global, Paths, output, policy};

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
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let filter = match Filter::new(&global.target) {
        Ok(filter) => filter,
        Err((summary, hints)) => return output::fail(&summary, &hints),
    };
    let loaded = match config::load(&arguments.paths.paths) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::diagnostics(&problems.0);
            return exit::ERROR;
        }
    };
    output::diagnostics(&loaded.warnings);
    if let Err(Printed(code)) = check_targets(&filter, &loaded.manifests) {
        return code;
    }
    let policies = match policy::load(&global.policy) {
        Ok(policies) => policies,
        Err(Printed(code)) => return code,
    };
    let from = arguments.from.unwrap_or_else(Utc::now);
    // Nothing that a schedule depends on needs the account; the words only fill variables.
    let ambient = Ambient { region: global.region.clone(), account: None };
    let mut rows = Vec::new();
    let mut matched = BTreeSet::new();
    for manifest in &loaded.manifests {
        let freezes: Vec<Period> = policy::freezes(manifest, &policies).map(|freeze| freeze.days).collect();
        let selected = (0..manifest.targets().len()).filter(|&index| filter.selects(&manifest.targets()[index]));
        for index in selected {
            let mut desired = match manifest.resolve(index, &ambient) {
                Ok(desired) => desired,
                Err(problems) => {
                    output::diagnostics(&problems.0);
                    return exit::ERROR;
                }
            };
            matched.extend(filter.apply(&mut desired));
            for (handle, secret) in &desired.secrets {
                let address = desired.address(crate::model::Kind::Secret, handle).to_string();
                let rules = secret.rotation.rules.as_ref().filter(|_| secret.rotation.enabled != Some(false));
                let windows = rules
                    .map(|rules| schedule::windows(rules, from).take(usize::from(arguments.count)).collect())
                    .unwrap_or_default();
                let (rules, off) = (rules.cloned(), secret.rotation.enabled == Some(false));
                rows.push(Row { address, rules, off, windows, freezes: freezes.clone() });
            }
        }
    }
    if let Some(missing) = filter.resources().find(|text| !matched.contains(*text)) {
        return output::fail(&format!("`--target {missing}` matches nothing"), &[]);
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
