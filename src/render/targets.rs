//! The targets of manifests, for people and for the pipelines that have one job for each.

use std::fmt::Write as _;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::{safe, safe_json};

/// A target, as the manifest says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// Its name; `null` where the manifest has no `targets`.
    pub name: Option<String>,
    /// The account's twelve digits, where they are stated.
    pub account: Option<String>,
    /// The region, where it is stated.
    pub region: Option<String>,
    /// The manifest's project.
    pub project: String,
    /// The manifest's path, as it was given.
    pub manifest: String,
}

/// The targets of manifests, as these say them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "rotator targets")]
struct Document<'a> {
    /// The version of this format: a new member may come; none goes, and none changes its meaning.
    format_version: &'static str,
    /// In the order of the manifests, and as each lists them.
    targets: &'a [Named],
}

/// One a line: name, account, region; `-` where the manifest doesn't say it.
pub fn text(all: &[Named]) -> String {
    let mut out = String::new();
    for one in all {
        let [name, account, region] =
            [&one.name, &one.account, &one.region].map(|text| text.as_deref().map_or("-".into(), safe));
        let _ = writeln!(out, "{name} {account} {region}");
    }
    out
}

/// For programs.
pub fn json(all: &[Named]) -> String {
    let document = Document { format_version: "1.0", targets: all };
    safe_json(serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")
}

/// The format's schema.
pub fn targets_schema() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<Document<'_>>();
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
