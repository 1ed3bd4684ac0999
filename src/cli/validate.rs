//! `rotator validate`.

use clap::Args;

use crate::config;
use crate::exit;
use crate::render::count;

use super::{Global, Paths, output};

/// Checks manifests offline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator validate
  rotator validate manifests/payments manifests/weather.yaml")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

/// Runs it.
pub fn run(_global: &Global, arguments: &Arguments) -> u8 {
    match config::load(&arguments.paths.paths) {
        Err(problems) => {
            output::diagnostics(&problems.0);
            exit::ERROR
        }
        Ok(loaded) => {
            output::diagnostics(&loaded.warnings);
            let targets: usize = loaded.manifests.iter().map(|manifest| manifest.targets().len()).sum();
            output::data(&format!(
                "{} {} valid for {}.\n",
                count(loaded.manifests.len(), "manifest"),
                if loaded.manifests.len() == 1 { "is" } else { "are" },
                count(targets, "target")
            ));
            if arguments.strict && !loaded.warnings.is_empty() { exit::ERROR } else { exit::OK }
        }
    }
}
