//! Rotations that are stuck, for programs.
//!
//! The JSON is a published format: a new member may come; none goes, and none changes its meaning within a version.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::model::trouble::Trouble;
use crate::model::{Address, live};

use super::command::Route;
use super::ends::Reach;
use super::repair::{Offer, Stuck, TargetRepairs};
use super::safe_json;
use super::said::rfc3339;
use super::words::unread_words;

/// The version of the format.
const FORMAT_VERSION: &str = "1.0";

/// The rotations that haven't finished, of all secrets that were asked about.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator repair")]
pub struct Document {
    /// The version of this format.
    format_version: &'static str,
    /// Whether a rotation is stuck: then the command ends with 4.
    trouble: bool,
    /// Whether all could be read.
    complete: bool,
    /// One for each target.
    targets: Vec<Target>,
}

/// One account and region.
#[derive(Debug, Serialize, JsonSchema)]
struct Target {
    /// Its name in the manifest, where it has one.
    name: Option<String>,
    /// The account's twelve digits.
    account: String,
    /// The region.
    region: String,
    /// How many secrets were looked at.
    looked_at: usize,
    /// Those whose rotation hasn't finished.
    unfinished: Vec<Unfinished>,
    /// Those that could not be read.
    unread: Vec<Unread>,
}

/// A secret whose rotation hasn't finished.
#[derive(Debug, Serialize, JsonSchema)]
struct Unfinished {
    /// Its address.
    address: String,
    /// Its name on AWS.
    name: String,
    /// Its ARN.
    arn: String,
    /// The ARN of the function that rotates it.
    function: Option<String>,
    /// Whether it is stuck: nothing may be running for it any more.
    stuck: bool,
    /// The version that holds `AWSPENDING`.
    pending_version: String,
    /// Since when it does, as RFC 3339 in UTC, where that is known.
    pending_since: Option<String>,
    /// The version that holds `AWSCURRENT`.
    current_version: Option<String>,
    /// The version that holds `AWSPREVIOUS`.
    previous_version: Option<String>,
    /// Whether the function's log shows that testSecret passed for the pending version; `null` where the log can't be read.
    test_passed: Option<bool>,
    /// Whether the pending version may hold the only live password, since setSecret may have run for it.
    may_be_live: bool,
    /// The last step that the function's log names for it.
    last_step: Option<String>,
    /// How its last try failed, where the function's log says it.
    failure: Option<Failure>,
    /// Why no way out is offered, in words; `null` where ways are.
    refused: Option<String>,
    /// The ways out, the best one first.
    ways: Vec<WayOut>,
}

/// How a try of a rotation failed.
#[derive(Debug, Serialize, JsonSchema)]
struct Failure {
    /// When, as RFC 3339 in UTC.
    at: Option<String>,
    /// The step, such as `setSecret`.
    step: Option<String>,
    /// The file of the function's own code that failed, as it is called in the package.
    file: Option<String>,
    /// The line in it, from 1.
    line: Option<u32>,
    /// The error's name.
    error: Option<String>,
}

/// A way out of a rotation that is stuck.
#[derive(Debug, Serialize, JsonSchema)]
struct WayOut {
    /// `retry`, `promote` or `drop`.
    way: &'static str,
    /// What it does, and when it is right.
    does: &'static str,
    /// Whether it asks for the secret's name once more (`--confirm`), because it may do harm.
    confirm: bool,
    /// The command that takes it, for a POSIX shell.
    command: String,
}

/// What could not be read.
#[derive(Debug, Serialize, JsonSchema)]
struct Unread {
    /// The secret's address.
    address: String,
    /// Why, in words.
    reason: String,
}

/// The report as JSON, with a final newline. `route`: where its commands lead.
pub fn json(targets: &[TargetRepairs], is_complete: bool, route: Route<'_>) -> String {
    let reach = |region| Reach { region, route, words: false };
    let document = Document {
        format_version: FORMAT_VERSION,
        trouble: targets.iter().flat_map(|target| &target.stuck).any(Stuck::is_stuck),
        complete: is_complete && targets.iter().all(|target| target.unread.is_empty()),
        targets: targets.iter().map(|one| target(one, reach(&one.region))).collect(),
    };
    // Nothing in it fails to serialise: no map has keys that are no text.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    safe_json(text)
}

/// The format's schema.
pub fn repair_schema() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<Document>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn target(one: &TargetRepairs, reach: Reach<'_>) -> Target {
    let unread =
        |(address, why): &(Address, live::Unread)| Unread { address: address.to_string(), reason: unread_words(why) };
    Target {
        name: one.target.clone(),
        account: one.account.clone(),
        region: one.region.clone(),
        looked_at: one.looked_at,
        unfinished: one.stuck.iter().map(|one| unfinished(one, reach)).collect(),
        unread: one.unread.iter().map(unread).collect(),
    }
}

fn unfinished(one: &Stuck, reach: Reach<'_>) -> Unfinished {
    let Stuck { address, secret, pending, .. } = one;
    let refused = one.no_way(&reach.there()).map(|words| words.summary);
    let way = |offer: &Offer| WayOut {
        way: offer.way.word(),
        does: offer.what,
        confirm: offer.confirmed,
        command: offer.command(one, reach),
    };
    let ways = if refused.is_some() { Vec::new() } else { one.offers().iter().map(way).collect() };
    Unfinished {
        address: address.to_string(),
        name: secret.name.clone(),
        arn: secret.arn.clone(),
        function: secret.function_arn.clone(),
        stuck: one.is_stuck(),
        pending_version: secret.unfinished_rotation().unwrap_or_default().to_owned(),
        pending_since: pending.since.and_then(rfc3339),
        current_version: secret.current_version.clone(),
        previous_version: secret.previous_version.clone(),
        test_passed: pending.tested,
        may_be_live: pending.may_be_live(),
        last_step: pending.last_step.map(|step| step.to_string()),
        failure: pending.trouble.as_deref().map(failure),
        refused,
        ways,
    }
}

/// Without the error's words: they may quote anything.
fn failure(trouble: &Trouble) -> Failure {
    Failure {
        at: rfc3339(trouble.at.div_euclid(1000)),
        step: trouble.step.map(|step| step.to_string()),
        file: trouble.place.as_ref().map(|place| place.file.clone()),
        line: trouble.place.as_ref().map(|place| place.line),
        error: trouble.error.as_ref().map(|error| error.name.clone()),
    }
}
