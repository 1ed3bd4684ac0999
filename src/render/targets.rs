//! The targets of manifests, for people and for the pipelines that have one job for each.

use std::fmt::Write as _;

use serde::Serialize;

use super::{safe, safe_json};

/// A target, as the manifest says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name; `None` where the manifest has no `targets`.
    pub name: Option<String>,
    /// The account, where it is stated.
    pub account: Option<String>,
    /// The region, where it is stated.
    pub region: Option<String>,
    /// The manifest's project.
    pub project: String,
    /// The manifest's path, as it was given.
    pub manifest: String,
}

/// The published format, versioned by `format_version`.
#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
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
