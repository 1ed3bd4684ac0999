//! `rotator apply`.

use std::path::Path;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::apply::Options;
use crate::env;
use crate::plan::Purpose;

use super::converge::{Approval, Common, RotationOptions, Run};
use super::failure::Failure;
use super::options::Global;
use super::policy::overridden_freezes;
use super::session::Session;
use super::view::View;
use super::{plan_file, saved};

/// Plans, asks, and converges.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator apply --sandbox examples/quickstart
  rotator apply --target prod-eu --show-function-logs
  rotator apply plan.rotator
  rotator apply --auto-approve --max-rotations 100 manifests/payments")]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// End orphans too: what the project owns on AWS and no handle names
    #[arg(long)]
    prune: bool,
    /// Have AWS test each function whose code or configuration changes, as `verify: true` does
    #[arg(long)]
    verify: bool,
    /// Don't wait until rotations have ended
    #[arg(long)]
    no_wait: bool,
    /// Show what functions logged, where their rotations haven't finished: their authors' words, which may hold anything
    #[arg(long, conflicts_with = "no_wait")]
    show_function_logs: bool,
    /// Take a test whose end nothing tells for one that failed
    #[arg(long, conflicts_with = "no_wait", env = env::ROTATOR_REQUIRE_VERIFIED, hide_env_values = true,
          value_parser = FalseyValueParser::new())]
    require_verified: bool,
    /// Replace code without waiting for rotations that are under way with it
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    rotations: RotationOptions,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.common.view()
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments, view: View) -> Result<u8, Failure> {
    let common = &arguments.common;
    let run = arguments.rotations.run(common.run(global, view, Purpose::Converge { prune: arguments.prune }));
    let run = Run {
        verify: arguments.verify,
        function_logs: arguments.show_function_logs,
        require_verified: arguments.require_verified,
        options: Options { wait: !arguments.no_wait, wait_before_code: !arguments.now, ..run.options.clone() },
        ..run
    };
    match &common.paths.paths[..] {
        [file] if plan_file::is_plan(file) => apply_saved(run, file, arguments).await,
        _ => common.converge(run).await,
    }
}

/// Does exactly what a saved plan says, or refuses before anything is changed.
async fn apply_saved(run: Run<'_>, file: &Path, arguments: &Arguments) -> Result<u8, Failure> {
    if arguments.prune || arguments.verify || !run.global.target.is_empty() {
        return Err(Failure::new("a saved plan is applied as it stands")
            .hint("`--prune`, `--verify` and `--target` go with `rotator plan --out FILE`"));
    }
    let saved = plan_file::read(file)?;
    let loaded = saved::load(&saved)?;
    let session =
        Session::of(run.global, loaded, &saved.filters).await?.verifying(saved.verify).serving(true).confirming();
    saved::check_policies(&saved, session.policies())?;
    let mut released = run.released.clone();
    released.limits |= saved.override_limits;
    // Freezes that weren't overridden where the plan was reviewed hold, whatever else is overridden in it.
    let reviewed = overridden_freezes(saved.plans.iter().map(|one| &one.plan));
    released.reviewed.extend(reviewed.map(|frozen| frozen.freeze.days));
    let approval = Approval::Saved(file, &saved);
    Run { purpose: saved.purpose, approval, released, ..run }.within(session).await
}
