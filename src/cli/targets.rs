//! `rotator targets`.

use clap::Args;

use crate::render::targets::{Named, json, text};

use super::failure::Failure;
use super::offline::Offline;
use super::options::{Global, Paths, TextOrJson};
use super::output;
use super::view::View;

/// Prints the targets of the manifests, offline: for pipelines that have one job for each.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator targets
  rotator targets --format json | jq --compact-output '[.targets[].name]'
  rotator targets --target 'prod-*'")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// How they are printed: as text, one a line with name, account and region; `rotator schema targets` describes the JSON
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: TextOrJson,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.format.view()
    }
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let offline = Offline::open(global, &arguments.paths.paths)?;
    output::diagnostics(&offline.warnings);
    let named = offline.selected().map(|(manifest, index)| {
        let target = &manifest.targets()[index];
        Named {
            name: target.name.clone(),
            account: target.account.clone(),
            region: target.region.clone().or_else(|| global.region.clone()),
            project: manifest.project().to_owned(),
            manifest: manifest.path().to_string_lossy().into_owned(),
        }
    });
    let named: Vec<Named> = named.collect();
    output::data(&match arguments.format {
        TextOrJson::Text => text(&named),
        TextOrJson::Json => json(&named),
    })
}
