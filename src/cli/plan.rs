//! `rotator plan`.

use clap::Args;

use crate::exit;
use crate::plan::Purpose;
use crate::render::plan::{Mode, plan as render};

use super::session::{Printed, Session};
use super::{Global, Paths, output};

/// Reads AWS, and prints what `apply` would do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator plan
  rotator plan --detailed-exitcode manifests/payments
  rotator plan --target prod-eu/secret.payments/api-key")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Exit with 2 where changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan to end orphans too: what the project owns on AWS and no handle names
    #[arg(long)]
    prune: bool,
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> u8 {
    match plan(global, arguments).await {
        Ok(code) | Err(Printed(code)) => code,
    }
}

async fn plan(global: &Global, arguments: &Arguments) -> Result<u8, Printed> {
    let session = Session::open(global, &arguments.paths.paths).await?;
    refuse_partial_pruning(&session, arguments.prune)?;
    let (prepared, failed) = session.prepare(Purpose::Converge { prune: arguments.prune }).await;
    let mut shown = Ok(());
    for one in &prepared {
        shown = shown.and(output::show(&render(&one.plan, Mode::Plan)));
    }
    session.notices();
    session.close().await?;
    shown?;
    if let Some(printed) = failed {
        return Err(printed);
    }
    if prepared.iter().any(|one| one.plan.has_errors()) {
        return Ok(exit::ERROR);
    }
    let pending = prepared.iter().any(|one| !one.plan.is_empty());
    Ok(if pending && arguments.detailed_exitcode { exit::CHANGES } else { exit::OK })
}

/// Pruning looks at everything that a project owns; with a filter, what is left out would look like an orphan.
pub fn refuse_partial_pruning(session: &Session, prune: bool) -> Result<(), Printed> {
    if prune && session.is_partial() {
        let hints = ["plan the whole target, without filters by address or label".to_owned()];
        return Err(Printed(output::fail("`--prune` doesn't go together with a filter", &hints)));
    }
    Ok(())
}
