//! The command line: the only place that builds clients, prints, or exits.

mod apply;
mod bug;
mod diff;
mod explain;
mod filter;
mod logs;
mod output;
mod plan;
mod policy;
mod progress;
mod rehearsal;
mod sandbox;
mod saved;
mod schedule;
mod session;
mod shell;
mod show;
mod validate;

use std::path::PathBuf;

pub use explain::Wanted;
pub use filter::Filter;
pub use saved::{Saved, SavedPlan, Unusable};

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keeps the rotation of AWS Secrets Manager secrets in Git.
#[derive(Debug, Parser)]
#[command(name = "rotator", version, styles = STYLES, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Examples:
  rotator plan                                  what differs between ./rotator.yaml and AWS
  rotator apply --sandbox examples/quickstart   rehearse without an AWS account
  rotator plan --target prod-eu payments/       one target of the manifest in payments/

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

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Use the AWS that lives in this program instead of the real one; its state lives in FILE
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, require_equals = true,
          default_missing_value = ".rotator/sandbox.json", help_heading = "Global options")]
    sandbox: Option<PathBuf>,
    /// Only this: a target's name or pattern, an address (`secret.payments/api-key`), or a label (`label:owner=me`); repeatable
    #[arg(long, global = true, value_name = "WHAT", help_heading = "Global options")]
    target: Vec<String>,
    /// The region, where the manifest's targets don't say one
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    region: Option<String>,
    /// The profile of AWS's configuration files
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    profile: Option<String>,
    /// Send all calls there instead of to AWS
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    endpoint_url: Option<String>,
    /// How many calls or steps may be under way at once
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000),
          help_heading = "Global options")]
    parallelism: Option<u16>,
    /// A file of rules that plans are held to, beside the manifests' own `policy:`; repeatable
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    policy: Vec<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    color: Color,
    /// Say less: no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    quiet: bool,
    /// Say more: every step, and AWS's request ids
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How plans are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For programs: the shape of Terraform's plan representation
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// A published format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Schema {
    /// Manifests
    Manifest,
    /// Files of `--policy`
    Policy,
    /// What `plan --format json` and `show --format json` print
    Plan,
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
    Destroy(apply::DestroyArguments),
    /// Print a saved plan
    Show(show::Arguments),
    /// Print the coming rotation windows of each secret, offline
    Schedule(schedule::Arguments),
    /// Print a JSON Schema: of manifests, of policies, or of plans in JSON
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

/// Manifests to read.
#[derive(Debug, Clone, Args)]
struct Paths {
    /// Root manifests, or folders that hold a `rotator.yaml` [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Parses the program's arguments and runs the command. The answer is the exit code.
pub fn main() -> u8 {
    bug::end_at_panics();
    leave_no_core();
    allow_connections();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    output::colors(cli.global.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&format!("cannot start threads: {error}"), &[]),
    };
    let is_changing = matches!(cli.command, Command::Apply(_) | Command::Destroy(_));
    let code = output::ended(runtime.block_on(run(cli)), is_changing);
    // Nothing that matters is left in the background; a task that hangs must not hold up the exit.
    runtime.shutdown_background();
    code
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

async fn run(cli: Cli) -> u8 {
    let global = cli.global;
    match cli.command {
        Command::Validate(arguments) => validate::run(&global, &arguments),
        Command::Plan(arguments) => plan::run(&global, &arguments).await,
        Command::Diff(arguments) => diff::run(&global, &arguments).await,
        Command::Explain(arguments) => explain::run(&global, &arguments),
        Command::Apply(arguments) => apply::run(&global, &arguments).await,
        Command::Destroy(arguments) => apply::destroy(&global, &arguments).await,
        Command::Schedule(arguments) => schedule::run(&global, &arguments),
        Command::Show(arguments) => show::run(&global, &arguments),
        Command::Schema { what: Schema::Manifest } => output::data(&crate::config::json_schema()),
        Command::Schema { what: Schema::Policy } => output::data(&crate::config::policy_schema()),
        Command::Schema { what: Schema::Plan } => output::data(&crate::render::plan_json::plan_schema()),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
        Command::Sandbox(command) => sandbox::run(&global, command).await,
    }
}
