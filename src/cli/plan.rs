//! `rotator plan`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::{self, worse};
use crate::plan::Purpose;
use crate::render::plan::Mode;
use crate::render::plan_json::Planned;

use super::failure::Failure;
use super::options::{Format, Global, Paths};
use super::plan_file::{self, Saved};
use super::policy::Released;
use super::prepared::Prepared;
use super::rehearsal::USUAL_STATE;
use super::rules::{Emergency, Override};
use super::session::Session;
use super::show::{detail, formatted};
use super::view::View;
use super::{live_code, output, policy};

/// Reads AWS, and prints what `apply` would do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator plan
  rotator plan --detailed-exitcode manifests/payments
  rotator plan --show-code                      with what changes in live code
  rotator plan --out plan.rotator && rotator apply plan.rotator
  rotator plan --target prod-eu/secret.payments/api-key")]
pub struct Arguments {
    #[command(flatten)]
    paths: Paths,
    /// Exit with 2 where changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
    /// Save the plan: `rotator apply FILE` does exactly that, or refuses
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// One line for each kind of change; with `--verbose`, the other way round, each resource by itself
    #[arg(long)]
    compact: bool,
    /// Show what changes in the code of live functions, as a diff: read from AWS, without private values
    #[arg(long, conflicts_with = "destroy")]
    show_code: bool,
    /// Plan the removal of what the manifests own, as `destroy` does
    #[arg(long, conflicts_with = "prune")]
    destroy: bool,
    /// Plan to end orphans too: what the project owns on AWS and no handle names
    #[arg(long)]
    prune: bool,
    /// Have AWS test each function whose code or configuration changes, as `verify: true` does
    #[arg(long, conflicts_with = "destroy")]
    verify: bool,
    #[command(flatten)]
    limits: Override,
    #[command(flatten)]
    emergency: Emergency,
}

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        self.format.view()
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments, view: View) -> Result<u8, Failure> {
    let purpose = if arguments.destroy { Purpose::Destroy } else { Purpose::Converge { prune: arguments.prune } };
    let mode = if arguments.destroy { Mode::Destroy } else { Mode::Plan };
    if arguments.show_code && arguments.format == Format::Json {
        return Err(Failure::new("`--show-code` is for people: its form is text or Markdown")
            .hint("leave out `--format json`, or `--show-code`: the plan in JSON names the files that differ"));
    }
    if let Some(file) = &arguments.out {
        plan_file::check_destination(file)?;
    }
    let session = Session::open(global, &arguments.paths.paths, &global.target).await?.verifying(arguments.verify);
    refuse_partial_pruning(&session, arguments.prune)?;
    let (mut prepared, failed) = session.prepare(purpose).await;
    policy::judge(&session, &mut prepared, purpose, &Released::by(arguments.limits, arguments.emergency));
    // Before what could be read, as whoever sees that must know that it isn't all.
    let failed = failed.map(|failure| view.failed(&failure));
    // Only programs are told of what doesn't change: of a large fleet, that is most of the memory.
    let told = |one: &Prepared| if arguments.format == Format::Json { one.resources() } else { Vec::new() };
    let resources: Vec<_> = prepared.iter().map(told).collect();
    let plans: Vec<Planned<'_>> =
        prepared.iter().zip(&resources).map(|(one, resources)| Planned { plan: &one.plan, resources }).collect();
    // People see what could be read, and on stderr what couldn't; a program would take a part for the whole.
    let is_shown = failed.is_none() || !(plans.is_empty() || arguments.format == Format::Json);
    let shown = if is_shown {
        let mut text = formatted(arguments.format, &plans, mode, detail(global, arguments.compact));
        if arguments.show_code {
            let differences = live_code::differences(&session, &prepared).await;
            text.push_str(&live_code::shown(&differences, arguments.format, text.len()));
        }
        let cut = failed.is_some() && arguments.format == Format::Markdown;
        output::data(&if cut { format!("{NOT_WHOLE}{text}") } else { text })
    } else {
        Ok(exit::OK)
    };
    session.notices();
    // A plan that lacks a target isn't the plan that was asked for.
    let saved = match (&arguments.out, &failed) {
        (Some(file), None) => {
            let asked = (&arguments.paths.paths[..], &global.target[..]);
            let saved = Saved::new(purpose, asked, &session, &prepared).at(session.endpoints().await?);
            saved.judged_by(session.policies(), arguments.limits.override_limits).write(file)
        }
        _ => Ok(()),
    };
    session.close().await?;
    let refused = prepared.iter().any(|one| one.plan.is_refused());
    let ended = |code| if refused { worse(code, exit::FORBIDDEN) } else { code };
    shown.and(saved).map_err(|failure| Failure { code: ended(failure.code), ..failure })?;
    if let Some(code) = failed {
        return Ok(ended(code));
    }
    if let Some(file) = &arguments.out {
        let shown = output::path(file);
        // What is refused can't be applied.
        let then = if refused {
            "It would be refused as it stands, for what is said above.".to_owned()
        } else {
            format!("To do exactly this:\n  rotator apply{} {shown}", same_world(global))
        };
        output::say(&format!("Saved the plan to: {shown}\n{then}"));
    }
    let has_errors = prepared.iter().any(|one| one.plan.has_errors());
    let pending = arguments.detailed_exitcode && prepared.iter().any(|one| !one.plan.is_empty());
    let code = if pending { exit::CHANGES } else { exit::OK };
    Ok(ended(if has_errors { worse(code, exit::ERROR) } else { code }))
}

/// What stands on top of a comment that lacks a target.
const NOT_WHOLE: &str =
    "> [!CAUTION]\n> **Not the whole plan**: a target could not be read. The run's log says which, and why.\n\n";

/// The options that lead to the same AWS, judged by the same rules.
fn same_world(global: &Global) -> String {
    let mut options = Vec::new();
    if let Some(file) = &global.sandbox {
        let usual = file.as_os_str() == USUAL_STATE;
        options.push(if usual { " --sandbox".to_owned() } else { format!(" --sandbox={}", output::path(file)) });
    }
    options.extend(global.policy.iter().map(|file| format!(" --policy {}", output::path(file))));
    let named = [("endpoint-url", &global.endpoint_url), ("profile", &global.profile), ("region", &global.region)];
    let stated = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    options.extend(stated.map(|(name, value)| format!(" --{name} {}", crate::render::safe(value))));
    options.concat()
}

/// Pruning looks at everything that a project owns; with a filter, what is left out would look like an orphan.
pub fn refuse_partial_pruning(session: &Session, prune: bool) -> Result<(), Failure> {
    if prune && session.is_partial() {
        return Err(Failure::new("`--prune` doesn't go together with a filter")
            .hint("plan the whole target, without filters by address or label"));
    }
    Ok(())
}
