//! How fast the tool is, against the least that is possible: `cargo run --release -p rotator-performance` prints it all as Markdown.
//!
//! - **The floor** of a run is the same requests, recorded, and made again by a bare client on as many connections as the tool had
//!   calls under way; or what AWS's published quotas allow, whichever is slower. It starts no program, reads no manifest, signs
//!   nothing, and reads no answer; of what must come after what, it knows the pages of a list, which lead to each other, and that
//!   nothing is asked of an account before it is known whose it is.
//! - **AWS** is the sandbox in a process of its own, with the latency and the quotas that a line names. On a machine of few cores it
//!   takes its share of them: at a latency of 0, both sides wait for it.
//! - Each run is checked: a plan without changes must be empty, an apply must end as it should, a floor must get the same answers.

#![expect(clippy::cast_precision_loss, reason = "figures for people, of three digits")]

mod calls;
mod floor;
mod job;
mod machine;
mod measure;
mod model;
mod options;
mod peers;
mod record;
mod runner;
mod table;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use options::{Options, Part};
use runner::Runner;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == measure::LAUNCHER) {
        return measure::launch(arguments);
    }
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            drop(error.print());
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let measured =
        tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(run(options)));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let chain = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
            say(&format!("error: {}", chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let rotator = match &options.rotator {
        Some(file) => std::fs::canonicalize(file).map_err(|error| format!("{}: {error}", file.display()))?,
        None => machine::build()?,
    };
    let mut runner = Runner::new(options.clone(), rotator)?;
    print(&machine::describe(runner.rotator())?);
    let measured = parts(&mut runner, &options).await;
    if !runner.missing.is_empty() {
        print(&format!("\nNot on this machine: {}.", runner.missing.join("; ")));
    }
    if !runner.skipped.is_empty() {
        print(&format!("\nSkipped, for want of time: {}.", runner.skipped.join("; ")));
    }
    measured
}

async fn parts(runner: &mut Runner, options: &Options) -> Result<()> {
    let heading = |part, text: &str| options.wants(part).then(|| print(&format!("\n### {text}\n"))).is_some();
    // What is short first: large fleets take whatever time is left.
    if heading(Part::Calls, "Calls") {
        runner.calls().await?;
    }
    if heading(Part::Targets, "Several accounts") {
        runner.targets().await?;
    }
    if heading(Part::Peers, "Peers") {
        runner.peers().await?;
    }
    if heading(Part::Fleet, "Fleets") {
        runner.fleets().await?;
    }
    if heading(Part::Scale, "A thousand accounts") {
        runner.scale();
    }
    Ok(())
}

/// Prints a piece of the report.
fn print(text: &str) {
    // A reader that went away is no error.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Says how far it is.
fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
