//! `rotator show`.

use std::path::PathBuf;

use clap::Args;

use crate::render::plan::{Detail, Mode, plans as render};
use crate::render::plan_json::{Planned, plan_json};
use crate::render::plan_markdown::plan_markdown;

use crate::plan::Purpose;

use super::failure::Failure;
use super::options::{Format, Global};
use super::view::View;
use super::{output, plan_file};

/// Prints a saved plan.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator plan --out plan.rotator && rotator show plan.rotator
  rotator show --format json plan.rotator | jq .resource_changes")]
pub struct Arguments {
    /// The plan's file
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// One line for each kind of change; with `--verbose`, the other way round, each resource by itself
    #[arg(long)]
    compact: bool,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.format.view()
    }
}

/// Runs it.
pub fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let saved = plan_file::read(&arguments.plan)?;
    let mode = if saved.purpose == Purpose::Destroy { Mode::Destroy } else { Mode::Plan };
    let plans: Vec<Planned<'_>> = saved.plans.iter().map(plan_file::SavedPlan::planned).collect();
    output::data(&formatted(arguments.format, &plans, mode, detail(global, arguments.compact)))
}

/// How much of each change a text shows.
pub fn detail(global: &Global, compact: bool) -> Detail {
    match (compact, global.verbose) {
        (true, _) => Detail::Compact,
        (false, 0) => Detail::Grouped,
        (false, _) => Detail::Full,
    }
}

impl Format {
    /// Who reads.
    pub fn view(self) -> View {
        match self {
            Self::Text | Self::Markdown => View::Text,
            Self::Json => View::Document,
        }
    }
}

/// Plans in a format.
pub fn formatted(format: Format, plans: &[Planned<'_>], mode: Mode, detail: Detail) -> String {
    match format {
        Format::Text => render(&plans.iter().map(|one| one.plan).collect::<Vec<_>>(), mode, detail),
        Format::Json => plan_json(plans),
        Format::Markdown => plan_markdown(&plans.iter().map(|one| one.plan).collect::<Vec<_>>(), mode),
    }
}
