//! `rotator destroy`.

use clap::Args;

use crate::plan::Purpose;

use super::converge::Common;
use super::failure::Failure;
use super::options::Global;
use super::view::View;

/// Plans and applies the removal of what the manifests own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator destroy --sandbox examples/quickstart
  rotator destroy --target dev")]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.common.view()
    }
}

/// Runs it. What is removed rotates, tests and replaces nothing: there is no freeze to override.
pub async fn run(global: &Global, arguments: &Arguments, view: View) -> Result<u8, Failure> {
    arguments.common.converge(arguments.common.run(global, view, Purpose::Destroy)).await
}
