//! The command line: the only place that builds clients, prints, or exits.

mod apply;
mod bug;
mod chosen;
mod converge;
mod destroy;
mod diff;
mod explain;
mod failure;
mod files;
mod filter;
mod import;
mod init;
mod inspection;
mod lines;
mod live_code;
mod logs;
mod offline;
mod old_code;
mod options;
mod output;
mod packages;
mod perform;
mod permissions;
mod plan;
mod plan_file;
mod policy;
mod prepared;
mod progress;
mod reasons;
mod rehearsal;
mod repair;
mod rotate;
mod rules;
mod runtimes;
mod sandbox;
mod sandbox_secret;
mod saved;
mod schedule;
mod select;
mod session;
mod shell;
mod show;
mod stand_ins;
mod start;
mod status;
mod targets;
mod task;
mod test;
mod validate;
mod value;
mod view;
mod wheels;

pub use explain::Wanted;
pub use failure::{Cause, Failure};
pub use filter::Filter;
pub use plan_file::{Saved, SavedPlan, Unusable};

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use options::{Global, Schema};
use view::View;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keeps the rotation of AWS Secrets Manager secrets in Git.
#[derive(Debug, Parser)]
#[command(name = "rotator", version, styles = STYLES, max_term_width = 100, propagate_version = true)]
#[command(after_help = "First steps:
  rotator apply --sandbox examples/quickstart   rotate a secret on an AWS that lives in this program
  rotator validate                              check the rotator.yaml that you wrote
  rotator permissions                           the rights that it needs
  rotator plan                                  what differs between it and AWS
  rotator apply                                 make AWS so, after a question
  rotator status                                whether everything rotates

Examples:
  rotator plan --target prod-eu payments/       one target of the manifest in payments/
  rotator plan --target 'secret.payments/*'     the secrets with such names

Exit codes: 0 done; 1 error; 2 changes pending (with --detailed-exitcode);
  3 a saved plan no longer holds; 4 applied, but a rotation hasn't finished;
  5 refused by a policy, a limit, a freeze or the brake: nothing was changed; 130 interrupted.
  Where several hold: 130, 3, 5, 1, 4, 2")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check manifests offline: syntax, schema, schedules, references, code that exists
    Validate(validate::Arguments),
    /// Read AWS, and print what `apply` would do
    Plan(plan::Arguments),
    /// Say what a change of the manifests means after expansion, offline
    Diff(diff::Arguments),
    /// Show where each effective value of a function or secret came from, offline
    Explain(explain::Arguments),
    /// Plan, ask, and converge
    Apply(apply::Arguments),
    /// Plan and apply the removal of what the manifests own
    Destroy(destroy::Arguments),
    /// Give secrets new values now, and watch each rotation to its end
    Rotate(rotate::Arguments),
    /// Say which rotations are stuck, and end them
    Repair(repair::Arguments),
    /// Read AWS, and say how rotation does: what is failing, stuck, overdue or off
    Status(status::Arguments),
    Logs(logs::Arguments),
    /// Write a rotation function to begin with: its code, a service to try it on, a manifest
    Init(init::Arguments),
    /// Write manifests of what rotates on AWS already
    Import(import::Arguments),
    /// Test rotation functions against the contract of rotation, without AWS
    Test(test::Arguments),
    /// Print a saved plan
    Show(show::Arguments),
    /// Print the coming rotation windows of each secret, offline
    Schedule(schedule::Arguments),
    /// Print the targets of the manifests, offline
    Targets(targets::Arguments),
    /// Print the least rights that the manifests need, offline
    Permissions(permissions::Arguments),
    /// Print a JSON Schema: of manifests, policies, plans, statuses, repairs, targets, permissions or tests
    Schema {
        /// Of what
        #[arg(value_name = "WHAT", default_value = "manifest")]
        what: Schema,
    },
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Write man pages
    Man(shell::Man),
    /// Serve the AWS that lives in this program
    #[command(subcommand)]
    Sandbox(sandbox::Command),
}

/// Parses the program's arguments and runs the command. The answer is the exit code.
pub fn main() -> u8 {
    bug::end_at_panics();
    leave_no_core();
    allow_connections();
    if std::env::args_os().nth(1).is_some_and(|word| word == wheels::child::WORD) {
        return wheels::child::run();
    }
    let parsed = start::prepared(Cli::command()).try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return output::usage(error),
    };
    output::colors(cli.global.color);
    output::whole(cli.global.verbose > 0);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return View::Text.failed(&Failure::new(format!("cannot start threads: {error}"))),
    };
    let is_changing = cli.command.is_changing();
    let view = cli.command.view();
    if let Err(failure) = runtimes::choose() {
        return view.failed(&failure);
    }
    let code = runtime.block_on(run(cli, view)).unwrap_or_else(|failure| view.failed(&failure));
    let code = output::ended(code, is_changing);
    // Nothing that matters is left in the background; a task that hangs must not hold up the exit.
    runtime.shutdown_background();
    code
}

impl Command {
    /// Whether it may change AWS.
    fn is_changing(&self) -> bool {
        match self {
            Self::Apply(_) | Self::Destroy(_) | Self::Rotate(_) => true,
            Self::Repair(arguments) => arguments.is_changing(),
            _ => false,
        }
    }

    /// Who reads what it says.
    fn view(&self) -> View {
        match self {
            Self::Apply(arguments) => arguments.view(),
            Self::Destroy(arguments) => arguments.view(),
            Self::Rotate(arguments) => arguments.view(),
            Self::Repair(arguments) => arguments.view(),
            Self::Plan(arguments) => arguments.view(),
            Self::Show(arguments) => arguments.view(),
            Self::Diff(arguments) => arguments.view(),
            Self::Explain(arguments) => arguments.view(),
            Self::Status(arguments) => arguments.view(),
            Self::Logs(arguments) => arguments.view(),
            Self::Import(arguments) => arguments.view(),
            Self::Permissions(arguments) => arguments.view(),
            Self::Targets(arguments) => arguments.view(),
            Self::Test(arguments) => arguments.view(),
            Self::Validate(_)
            | Self::Init(_)
            | Self::Schedule(_)
            | Self::Schema { .. }
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Sandbox(_) => View::Text,
        }
    }
}

/// A crash leaves no image of the memory behind, with credentials and environment values in it: pipelines keep the files that they
/// find in a working folder.
#[cfg(unix)]
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Lowering one's own limit is always allowed; where it isn't known, there is nothing to lower.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(not(unix))]
fn leave_no_core() {}

/// More open files than the default of many systems, 1,024 or fewer: targets are read side by side on many connections each. No more
/// than are needed, since the limit is inherited, and some programs do something for each file that they could open.
#[cfg(unix)]
fn allow_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(MOST_FILES, |most| most.min(MOST_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it can't be raised, the old limit holds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

#[cfg(not(unix))]
fn allow_connections() {}

/// Eight targets side by side, with 256 connections each, and as much again; less than any system's greatest number.
#[cfg(unix)]
const MOST_FILES: u64 = 4096;

async fn run(cli: Cli, view: View) -> Result<u8, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Validate(arguments) => validate::run(&global, &arguments),
        Command::Plan(arguments) => plan::run(&global, &arguments, view).await,
        Command::Diff(arguments) => diff::run(&global, &arguments).await,
        Command::Explain(arguments) => explain::run(&global, &arguments),
        Command::Apply(arguments) => apply::run(&global, &arguments, view).await,
        Command::Destroy(arguments) => destroy::run(&global, &arguments, view).await,
        Command::Rotate(arguments) => rotate::run(&global, &arguments, view).await,
        Command::Repair(arguments) => repair::run(&global, &arguments, view).await,
        Command::Init(arguments) => init::run(&global, &arguments),
        Command::Schedule(arguments) => schedule::run(&global, &arguments),
        Command::Show(arguments) => show::run(&global, &arguments),
        Command::Status(arguments) => status::run(&global, &arguments).await,
        Command::Logs(arguments) => logs::run(&global, &arguments).await,
        Command::Import(arguments) => import::run(&global, &arguments).await,
        Command::Permissions(arguments) => permissions::run(&global, &arguments),
        Command::Test(arguments) => test::run(&global, &arguments).await,
        Command::Targets(arguments) => targets::run(&global, &arguments),
        Command::Schema { what: Schema::Manifest } => output::data(&crate::config::json_schema()),
        Command::Schema { what: Schema::Policy } => output::data(&crate::config::policy_schema()),
        Command::Schema { what: Schema::Plan } => output::data(&crate::render::plan_json::plan_schema()),
        Command::Schema { what: Schema::Status } => output::data(&crate::render::status_data::status_schema()),
        Command::Schema { what: Schema::Repair } => output::data(&crate::render::repair_data::repair_schema()),
        Command::Schema { what: Schema::Targets } => output::data(&crate::render::targets::targets_schema()),
        Command::Schema { what: Schema::Test } => output::data(&crate::render::trial_data::trial_schema()),
        Command::Schema { what: Schema::Permissions } => {
            output::data(&crate::render::permissions::permissions_schema())
        }
        Command::Completions(arguments) => shell::completions(&arguments, Cli::command()),
        Command::Man(arguments) => shell::man(&arguments, Cli::command()),
        Command::Sandbox(command) => sandbox::run(&global, command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a command could be left out of the help, or lose its words there.
    #[test]
    fn every_command_is_in_the_help() {
        let help = start::prepared(Cli::command()).render_help().to_string();
        for one in Cli::command().get_subcommands() {
            let about = one.get_about().expect("words").to_string();
            let line = help.lines().find(|line| line.starts_with(&format!("  {} ", one.get_name())));
            assert!(line.is_some_and(|line| line.ends_with(&about)), "{}: {line:?}", one.get_name());
        }
        assert!(help.contains("Usage: rotator [OPTIONS] <COMMAND>") && help.contains("First steps:"), "{help}");
        assert!(!help.contains("Others:"), "each has its group");
    }
}
