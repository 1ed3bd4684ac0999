//! What `apply` and `destroy` are alike, for plans that are made now and for saved ones: prepare, judge, show, refuse, brake, perform.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::apply::Options;
use crate::env;
use crate::exit::{self, worse};
use crate::model::Address;
use crate::plan::{Plan, Purpose, brake};
use crate::render::plan::Mode;
use crate::render::{BOLD, count, paint, safe, some_of};

use super::failure::Failure;
use super::options::{Global, Paths, duration, whole};
use super::perform::Performer;
use super::plan::refuse_partial_pruning;
use super::plan_file::Saved;
use super::policy::Released;
use super::prepared::Prepared;
use super::rules::{Emergency, Override};
use super::session::Session;
use super::show::detail;
use super::task::Task;
use super::view::View;
use super::{output, policy, saved, shell};

/// What `apply` and `destroy` are asked alike.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    pub paths: Paths,
    /// Don't ask
    #[arg(long)]
    pub auto_approve: bool,
    /// Take all targets of the manifests
    #[arg(long)]
    pub all_targets: bool,
    /// Take targets one after another, as the manifests list them, and stop at the first that isn't well
    #[arg(long)]
    pub in_order: bool,
    /// Show one line for each kind of change; with `--verbose`, the other way round, each resource by itself
    #[arg(long)]
    pub compact: bool,
    /// Print what happens as lines of JSON, after Terraform's machine-readable interface
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: Override,
}

/// What is asked alike of commands that may rotate secrets now.
#[derive(Debug, Args)]
pub struct RotationOptions {
    /// With `--sandbox`: take a rotation for good that was only simulated, since this machine can't run its function
    #[arg(long)]
    pub allow_simulated: bool,
    /// How long to wait for each rotation, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration,
          env = env::ROTATOR_ROTATION_TIMEOUT, hide_env_values = true)]
    pub rotation_timeout: Duration,
    /// How many secrets may rotate now, where nobody sits at a terminal [default: 20]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<usize>(text, 0..=u64::MAX),
          env = env::ROTATOR_MAX_ROTATIONS, hide_env_values = true)]
    pub max_rotations: Option<usize>,
    #[command(flatten)]
    pub emergency: Emergency,
}

impl RotationOptions {
    /// A run, with what this says of it.
    pub fn run<'a>(&self, run: Run<'a>) -> Run<'a> {
        Run {
            max_rotations: self.max_rotations,
            allow_simulated: self.allow_simulated,
            options: Options { rotation_timeout: self.rotation_timeout, ..run.options },
            released: Released { freezes: self.emergency.override_freeze, ..run.released },
            ..run
        }
    }
}

impl Common {
    /// Who reads.
    pub fn view(&self) -> View {
        if self.json { View::Lines } else { View::Text }
    }

    /// A run of a plan that is made now.
    pub fn run<'a>(&self, global: &'a Global, view: View, purpose: Purpose) -> Run<'a> {
        Run {
            global,
            view,
            purpose,
            approval: if self.auto_approve { Approval::Given } else { Approval::Asked },
            released: Released::by(self.limits, Emergency::default()),
            options: options(global),
            max_rotations: None,
            in_order: self.in_order,
            verify: false,
            compact: self.compact,
            allow_simulated: false,
            function_logs: false,
            require_verified: false,
            task: Task::Converge,
            secrets: Vec::new(),
        }
    }

    /// Makes a plan of the manifests, and does it.
    pub async fn converge(&self, run: Run<'_>) -> Result<u8, Failure> {
        if self.json && !self.auto_approve {
            return Err(Failure::new("lines of JSON can't ask for approval")
                .hint("`--json` goes with `--auto-approve`, or with a saved plan"));
        }
        // What isn't there can't be approved either; it may have been meant for a saved plan.
        if let Some(path) = self.paths.paths.iter().find(|path| is_missing(path)) {
            let failure = Failure::new(format!("there is no file or folder `{}`", output::path(path)));
            return Err(match installed(path) {
                Some(there) => {
                    failure.hint(format!("what was installed with this program is `{}`", output::path(&there)))
                }
                None => failure
                    .hint("name a manifest, a folder with a `rotator.yaml`, or a plan of `rotator plan --out FILE`"),
            });
        }
        // A pipeline that can't answer is told so before AWS is read.
        if !self.auto_approve && !std::io::stdin().is_terminal() {
            return Err(Failure::new("there is no terminal to ask for approval")
                .hint("`--auto-approve` applies without asking; `rotator plan` only shows"));
        }
        let session =
            Session::open(run.global, &self.paths.paths, &run.global.target).await?.verifying(run.verify).serving(true);
        let session = session.only(&run.secrets)?.doing(run.task.clone());
        refuse_partial_pruning(&session, run.purpose == Purpose::Converge { prune: true })?;
        if session.selected() > 1 && !session.names_targets() && !self.all_targets {
            let summary = format!("there are {} targets: {}", session.selected(), session.selected_names());
            return Err(
                Failure::new(summary).hint("choose with `--target NAME`, or take them all with `--all-targets`")
            );
        }
        run.within(session).await
    }
}

/// How steps run, where a command doesn't say it otherwise.
pub fn options(global: &Global) -> Options {
    let defaults = Options::default();
    Options { parallelism: global.parallelism.map_or(defaults.parallelism, usize::from), ..defaults }
}

/// A path among what a wheel or an archive brings along: examples, where one was meant.
fn installed(path: &Path) -> Option<PathBuf> {
    if !path.starts_with("examples") {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let folders = [program.parent()?.to_owned(), program.parent()?.join("../share/rotator")];
    folders.into_iter().map(|folder| folder.join(path)).find_map(|there| there.canonicalize().ok())
}

/// Whether nothing stands at a path.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Who says that a plan may be done.
#[derive(Clone, Copy)]
pub enum Approval<'a> {
    /// A person at the terminal, who is asked.
    Asked,
    /// Whoever wrote `--auto-approve`.
    Given,
    /// Whoever reviewed the plan in this file.
    Saved(&'a Path, &'a Saved),
}

/// A run that changes AWS.
pub struct Run<'a> {
    /// The options of every command.
    pub global: &'a Global,
    /// Who reads.
    pub view: View,
    /// What for.
    pub purpose: Purpose,
    /// Who says that it may be done.
    pub approval: Approval<'a>,
    /// Which brakes are released.
    pub released: Released,
    /// How steps run.
    pub options: Options,
    /// How many secrets may rotate now, where nobody sits at a terminal.
    pub max_rotations: Option<usize>,
    /// Whether targets are taken one after another, up to the first that isn't well.
    pub in_order: bool,
    /// Whether every function is tested that changes, whatever the manifest says.
    pub verify: bool,
    /// Whether plans show one line for each kind of change.
    pub compact: bool,
    /// Whether rotations that were simulated are taken for good.
    pub allow_simulated: bool,
    /// Whether the logs of functions whose rotations haven't finished are shown.
    pub function_logs: bool,
    /// Whether a test whose end isn't known counts as failed.
    pub require_verified: bool,
    /// What plans are made for.
    pub task: Task,
    /// The secrets that are meant, by name or pattern; none: all that `--target` selects.
    pub secrets: Vec<String>,
}

impl Run<'_> {
    /// Does it, and ends the session.
    pub async fn within(&self, session: Session) -> Result<u8, Failure> {
        let result = self.converge(&session).await;
        session.notices();
        session.close().await?;
        result
    }

    async fn converge(&self, session: &Session) -> Result<u8, Failure> {
        // Prepare.
        if let Approval::Saved(_, saved) = self.approval {
            saved::check_world(saved, session).await?;
        }
        if let Task::Rotate { run, .. } = &self.task {
            self.view.run_begins(&run.to_string())?;
        }
        let (mut prepared, failed) = session.prepare_settled(self.purpose, self.options.stack_timeout).await;
        session.notices();
        // Before what could be read, as whoever approves that must know that it isn't all.
        let failed = failed.map(|failure| self.view.failed(&failure));
        let is_saved = matches!(self.approval, Approval::Saved(..));
        if let Some(code) = failed
            && (is_saved || prepared.is_empty())
        {
            output::say("Nothing was changed.");
            return Ok(code);
        }
        let mut errors = failed.is_some();
        if let Approval::Saved(file, saved) = self.approval {
            errors |= confirm(file, saved, &mut prepared)?;
        }
        // Judge: what is left of a saved plan too, by today's date, by what is live now, and by rules that came to it.
        policy::judge(session, &mut prepared, self.purpose, &self.released);
        // Show.
        let detail = detail(self.global, self.compact);
        match self.approval {
            Approval::Saved(..) => self.view.reviewed(&prepared, detail)?,
            Approval::Asked | Approval::Given => self.view.plans(&prepared, self.mode(), detail)?,
        }
        // Refuse.
        policy::refuse(&prepared)?;
        let plans: Vec<&Plan> = prepared.iter().map(|one| &one.plan).collect();
        let changes = |one: &&Prepared| one.plan.runnable().next().is_some();
        // Where the order counts, nothing is begun behind a target that couldn't be read.
        let has_work = |one: &&Prepared| changes(one) || one.plan.unfinished().next().is_some();
        let reached = if self.in_order { session.in_turn(&prepared) } else { prepared.len() };
        // Nor behind one of which errors leave nothing to do.
        let is_last = |one: &Prepared| self.in_order && !is_saved && one.plan.has_errors() && !has_work(&one);
        let reached = prepared[..reached].iter().position(is_last).map_or(reached, |at| at + 1);
        let due: Vec<&Prepared> = prepared[..reached].iter().filter(has_work).collect();
        let performer = Performer {
            session,
            global: self.global,
            view: self.view,
            mode: self.mode(),
            options: &self.options,
            in_order: self.in_order,
            is_saved,
            allow_simulated: self.allow_simulated || self.purpose == Purpose::Destroy,
            function_logs: self.function_logs,
            require_verified: self.require_verified,
            again: self.again(session),
            plans: &plans,
        };
        let behind: Vec<&Prepared> = prepared[reached..].iter().filter(has_work).collect();
        errors |= !is_saved && plans.iter().any(|plan| plan.has_errors());
        if is_saved && !due.iter().any(changes) {
            output::say("There is nothing left to do.");
        }
        if due.is_empty() {
            performer.leave(&behind);
            return Ok(self.rehearsed(session, &prepared, if errors { exit::ERROR } else { exit::OK }).await);
        }
        // Brake. To watch what was begun before needs nobody's approval.
        if due.iter().any(changes) && !self.approve(&due)? {
            output::say("Cancelled; nothing was changed.");
            return Ok(exit::ERROR);
        }
        policy::refuse_frozen(session, &due, &self.released)?;
        // Perform.
        let code = performer.perform(&prepared[..reached], &due, &behind).await?;
        if failed.is_some() {
            output::say("Not every target could be read (the first message says why); the report is about the others.");
        }
        Ok(self.rehearsed(session, &prepared, if errors { worse(code, exit::ERROR) } else { code }).await)
    }

    /// The exit code, with what a rehearsal found beside it, and what it left out: a rotation that was only simulated hasn't been
    /// tested.
    async fn rehearsed(&self, session: &Session, prepared: &[Prepared], code: u8) -> u8 {
        if self.purpose == Purpose::Destroy || code == exit::INTERRUPTED {
            return code;
        }
        let simulated = session.is_simulated(prepared, self.allow_simulated).await && !self.allow_simulated;
        // Before each function rotates once more.
        let rotated = session.rotated(prepared);
        // With `--no-wait`, rotations are under way that nothing watches.
        let looked = if self.options.wait { Some(session.look(prepared, &rotated).await) } else { None };
        let is_flawed = looked.as_ref().is_some_and(|looked| looked.is_flawed);
        if code == exit::OK && !simulated && !is_flawed {
            session.tell(&rotated, looked.as_ref().map(|looked| &looked.functions[..]));
        }
        if simulated || is_flawed { worse(code, exit::NOT_FINISHED) } else { code }
    }

    /// The command that goes on, where that isn't the same one once more.
    fn again(&self, session: &Session) -> Option<String> {
        let Task::Rotate { run, resumed, .. } = &self.task else { return None };
        let more = if *resumed { Vec::new() } else { vec!["--resume".to_owned(), run.to_string()] };
        Some(shell::this_command(session.endpoint().as_deref(), &more))
    }

    /// How plans are worded.
    fn mode(&self) -> Mode {
        match self.task {
            Task::Rotate { .. } => Mode::Rotate,
            Task::Repair { way, .. } => Mode::Repair(way),
            Task::Converge if self.purpose == Purpose::Destroy => Mode::Destroy,
            Task::Converge => Mode::Apply,
        }
    }

    /// Whether it may be done: by whoever sits at the terminal, or by the number of secrets that rotate now.
    fn approve(&self, due: &[&Prepared]) -> Result<bool, Failure> {
        let brake = |most| brake::brake(due.iter().map(|one| &one.plan), most);
        match self.approval {
            Approval::Asked => return Ok(confirmed(due, self.mode())),
            Approval::Given if std::io::stdin().is_terminal() => {}
            Approval::Given => {
                if let Some(brake) = brake(self.max_rotations) {
                    let secrets = count(brake.rotations, "secret");
                    let summary = format!(
                        "{secrets} would rotate now, and without a terminal at most {} may; nothing was changed",
                        brake.limit
                    );
                    return Err(Failure::forbidden(summary, vec!["brake"])
                        .hint(format!("if that is what you want: `--max-rotations {}`", brake.rotations)));
                }
            }
            Approval::Saved(_, saved) => {
                // The plan was reviewed, so that nothing brakes it unasked.
                if let Some(most) = self.max_rotations
                    && let Some(brake) = brake(Some(most))
                {
                    let secrets = count(brake.rotations, "secret");
                    let summary = format!("{secrets} would rotate now, and at most {most} may; nothing was changed");
                    return Err(Failure::forbidden(summary, vec!["brake"]));
                }
                // What is used was read before; a tree that is changing now isn't the one that was reviewed.
                saved::check_files(saved)?;
            }
        }
        Ok(true)
    }
}

/// Leaves in plans what a saved one says, or refuses; says what isn't as it was reviewed. Whether errors keep something from being done.
fn confirm(file: &Path, saved: &Saved, prepared: &mut [Prepared]) -> Result<bool, Failure> {
    let saved::Confirmed { done, beside, left_out } = saved::confirm(saved, prepared)?;
    if done > 0 {
        let is = if done == 1 { "is" } else { "are" };
        output::say(&format!("{} of the plan {is} done already", count(done, "change")));
    }
    if !beside.is_empty() {
        output::say(&format!(
            "beside the plan, something differs by now at {}: it stays, and the next plan shows it",
            names(&beside)
        ));
    }
    if !left_out.is_empty() {
        let them = if left_out.len() == 1 { "it" } else { "them" };
        let hint = format!("mend what `rotator show {}` says of {them}, and make a new plan", output::path(file));
        let summary =
            format!("errors were foreseen when the plan was made, so that it leaves out {}", names(&left_out));
        output::error_line(&summary, &[hint]);
    }
    Ok(!left_out.is_empty())
}

/// Some of these addresses, by name.
fn names(addresses: &BTreeSet<Address>) -> String {
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    some_of(names.iter().map(String::as_str), 5)
}

/// Asks the person at the terminal, in Terraform's words.
fn confirmed(due: &[&Prepared], mode: Mode) -> bool {
    let places: Vec<String> = due
        .iter()
        .map(|one| format!("account {}, region {}", safe(&one.plan.account), safe(&one.plan.region)))
        .collect();
    let question = if mode == Mode::Destroy {
        "Do you really want to destroy all of this"
    } else {
        "Do you want to perform these actions"
    };
    output::say(&format!(
        "\n{}\n  Only `yes` will be accepted to approve.\n",
        paint(BOLD, &format!("{question} in {}?", places.join("; ")))
    ));
    if !output::ask("  Enter a value: ") {
        return false;
    }
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim_end_matches(['\n', '\r']) == "yes"
}
