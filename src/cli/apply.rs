//! `rotator apply` and `rotator destroy`.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;

use crate::apply::{self, Context, Interrupt, Options, Report};
use crate::aws::Writer;
use crate::exit::{self, worse};
use crate::model::Address;
use crate::plan::{Plan, Purpose, fresh, guard, order};
use crate::render::events::{self, Lines};
use crate::render::plan::{Mode, plan as render};
use crate::render::policy as words;
use crate::render::stale::stale as stale_text;
use crate::render::{BOLD, count, paint, report, safe, some_of};

use super::output::{Stop, Stops};
use super::plan::refuse_partial_pruning;
use super::policy::Released;
use super::saved::{self, Saved};
use super::session::{Prepared, Printed, Session};
use super::show::detail;
use super::{Global, Paths, logs, output, policy, progress};

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
    /// Don't wait until rotations have ended
    #[arg(long)]
    no_wait: bool,
    /// Show what functions logged, where their rotations haven't finished: their authors' words, which may hold anything
    #[arg(long, conflicts_with = "no_wait")]
    show_function_logs: bool,
    /// How long to wait for each rotation, such as `90s` or `10m`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    rotation_timeout: Duration,
    /// How many secrets may rotate now, where nobody sits at a terminal [default: 20]
    #[arg(long, value_name = "N")]
    max_rotations: Option<usize>,
    #[command(flatten)]
    emergency: policy::Emergency,
}

/// Plans and applies the removal of what the manifests own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator destroy --sandbox examples/quickstart
  rotator destroy --target dev")]
pub struct DestroyArguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    paths: Paths,
    /// Don't ask
    #[arg(long)]
    auto_approve: bool,
    /// Take all targets of the manifests
    #[arg(long)]
    all_targets: bool,
    /// Show one line for each kind of change; with `--verbose`, the other way round, each resource by itself
    #[arg(long)]
    compact: bool,
    /// Print what happens as lines of JSON, after Terraform's machine-readable interface
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: policy::Override,
}

/// Runs `apply`.
pub async fn run(global: &Global, arguments: &Arguments) -> u8 {
    let options =
        Options { wait: !arguments.no_wait, rotation_timeout: arguments.rotation_timeout, ..base_options(global) };
    let purpose = Purpose::Converge { prune: arguments.prune };
    let wishes = Wishes {
        max_rotations: arguments.max_rotations,
        compact: arguments.common.compact,
        json: arguments.common.json,
        function_logs: arguments.show_function_logs,
    };
    let result = match &arguments.common.paths.paths[..] {
        [file] if saved::is_plan(file) => apply_saved(global, file, arguments, &options, wishes).await,
        _ => {
            let released = Released::by(arguments.common.limits, arguments.emergency);
            converge(global, &arguments.common, purpose, &options, (wishes, released)).await
        }
    };
    match result {
        Ok(code) | Err(Printed(code)) => code,
    }
}

/// Does exactly what a saved plan says, or refuses before anything is changed.
async fn apply_saved(
    global: &Global,
    file: &Path,
    arguments: &Arguments,
    options: &Options,
    wishes: Wishes,
) -> Result<u8, Printed> {
    if arguments.prune || !global.target.is_empty() {
        let hints = ["`--prune` and `--target` go with `rotator plan --out FILE`".to_owned()];
        return Err(Printed(output::fail("a saved plan is applied as it stands", &hints)));
    }
    let saved = saved::read(file)?;
    let loaded = saved::load(&saved)?;
    let session = Session::of(global, loaded, &saved.filters).await?;
    saved::check_policies(&saved, session.policies())?;
    let mut released = Released::by(arguments.common.limits, arguments.emergency);
    released.limits |= saved.override_limits;
    // Freezes that weren't overridden where the plan was reviewed hold, whatever else is overridden in it.
    let reviewed = policy::overridden_freezes(saved.plans.iter().map(|one| &one.plan));
    released.reviewed.extend(reviewed.map(|frozen| frozen.freeze.days));
    let result = confirmed(global, &session, (file, &saved, &released), options, wishes).await;
    session.notices();
    session.close().await?;
    result
}

async fn confirmed(
    global: &Global,
    session: &Session,
    (file, saved, released): (&Path, &Saved, &Released),
    options: &Options,
    wishes: Wishes,
) -> Result<u8, Printed> {
    saved::check_world(saved, session).await?;
    let (mut prepared, failed) = session.prepare_settled(saved.purpose, options.stack_timeout).await;
    session.notices();
    if let Some(printed) = failed {
        output::say("Nothing was changed.");
        return Err(printed);
    }
    saved::check_code(saved, &prepared)?;
    let mut stale = Vec::new();
    let (mut done, mut beside, mut left_out) = (0, BTreeSet::new(), BTreeSet::new());
    if prepared.len() != saved.plans.len() {
        return Err(saved::refuse("the manifests have other targets than the plan; nothing was changed", &[]));
    }
    for (one, planned) in prepared.iter_mut().zip(&saved.plans) {
        let place =
            |plan: &Plan| (plan.project.clone(), plan.target.clone(), plan.account.clone(), plan.region.clone());
        if place(&one.plan) != place(&planned.plan) {
            let to =
                |plan: &Plan| format!("project {} in account {}, region {}", plan.project, plan.account, plan.region);
            let summary =
                format!("the plan is for {}, and this is {}; nothing was changed", to(&planned.plan), to(&one.plan));
            return Err(saved::refuse(&summary, &["use the credentials that the plan was made with".to_owned()]));
        }
        match fresh::confirm(&planned.plan, &one.plan) {
            Ok(confirmed) => {
                one.plan = confirmed.plan;
                done += confirmed.done;
                beside.extend(confirmed.beside);
                left_out.extend(confirmed.left_out);
            }
            Err(reasons) => stale.extend(reasons),
        }
    }
    if !stale.is_empty() {
        let now = chrono::Utc::now();
        let lines = || events::version(now) + &events::stale(&stale, now);
        output::data(&if wishes.json { lines() } else { stale_text(&stale) });
        let hints = ["make a new plan: `rotator plan --out FILE`".to_owned()];
        return Err(saved::refuse("the saved plan no longer holds; nothing was changed", &hints));
    }
    if done > 0 {
        output::say(&format!(
            "{} of the plan {} done already",
            count(done, "change"),
            if done == 1 { "is" } else { "are" }
        ));
    }
    if !beside.is_empty() {
        output::say(&format!(
            "beside the plan, something differs by now at {}: it stays, and the next plan shows it",
            names(&beside)
        ));
    }
    if !left_out.is_empty() {
        let hint = format!(
            "mend what `rotator show {}` says of {}, and make a new plan",
            output::path(file),
            if left_out.len() == 1 { "it" } else { "them" }
        );
        let summary =
            format!("errors were foreseen when the plan was made, so that it leaves out {}", names(&left_out));
        output::fail(&summary, &[hint]);
    }
    // What is left to do is judged again: by today's date, by what is live now, and by rules that came to it.
    policy::judge(session, &mut prepared, saved.purpose, released);
    if wishes.json {
        show_lines(&prepared)?;
    } else {
        for one in prepared.iter().filter(|one| one.plan.is_refused()) {
            output::data(&render(&one.plan, Mode::Apply, detail(global, wishes.compact)));
        }
    }
    policy::refuse(&prepared, wishes.json)?;
    // The plan was reviewed, so that nothing brakes it unasked.
    if let Some(most) = wishes.max_rotations
        && let Some(brake) = guard::brake(prepared.iter().map(|one| &one.plan), Some(most))
    {
        let summary = format!(
            "{} would rotate now, and at most {most} may; nothing was changed",
            count(brake.rotations, "secret")
        );
        return Err(policy::forbid(&summary, &[], &["brake"], wishes.json));
    }
    let due: Vec<&Prepared> = prepared.iter().filter(|one| one.plan.runnable().next().is_some()).collect();
    if due.is_empty() {
        output::say("There is nothing left to do.");
    } else {
        // What is used was read before; a tree that is changing now isn't the one that was reviewed.
        saved::check_files(saved)?;
    }
    perform(global, session, &due, !left_out.is_empty(), options, wishes).await
}

/// Some of these addresses, by name.
fn names(addresses: &BTreeSet<Address>) -> String {
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    some_of(names.iter().map(String::as_str), 5)
}

/// Runs `destroy`.
pub async fn destroy(global: &Global, arguments: &DestroyArguments) -> u8 {
    let wishes = Wishes { compact: arguments.common.compact, json: arguments.common.json, ..Wishes::default() };
    // What is removed rotates, tests and replaces nothing: there is no freeze to override.
    let released = Released::by(arguments.common.limits, policy::Emergency::default());
    match converge(global, &arguments.common, Purpose::Destroy, &base_options(global), (wishes, released)).await {
        Ok(code) | Err(Printed(code)) => code,
    }
}

/// What concerns the command and not the steps.
#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    /// How many secrets may rotate now, where nobody sits at a terminal.
    max_rotations: Option<usize>,
    /// Whether plans show one line for each kind of change.
    compact: bool,
    /// Whether lines of JSON are printed.
    json: bool,
    /// Whether the logs of functions whose rotations haven't finished are shown.
    function_logs: bool,
}

fn base_options(global: &Global) -> Options {
    let defaults = Options::default();
    Options { parallelism: global.parallelism.map_or(defaults.parallelism, usize::from), ..defaults }
}

async fn converge(
    global: &Global,
    common: &Common,
    purpose: Purpose,
    options: &Options,
    (wishes, released): (Wishes, Released),
) -> Result<u8, Printed> {
    if common.json && !common.auto_approve {
        let hints = ["`--json` goes with `--auto-approve`, or with a saved plan".to_owned()];
        return Err(Printed(output::fail("lines of JSON can't ask for approval", &hints)));
    }
    // What isn't there can't be approved either; it may have been meant for a saved plan.
    if let Some(path) = common.paths.paths.iter().find(|path| is_missing(path)) {
        let hints =
            ["name a manifest, a folder with a `rotator.yaml`, or a plan of `rotator plan --out FILE`".to_owned()];
        return Err(Printed(output::fail(&format!("there is no file or folder `{}`", output::path(path)), &hints)));
    }
    // A pipeline that can't answer is told so before AWS is read.
    if !common.auto_approve && !std::io::stdin().is_terminal() {
        let hints = ["`--auto-approve` applies without asking; `rotator plan` only shows".to_owned()];
        return Err(Printed(output::fail("there is no terminal to ask for approval", &hints)));
    }
    let session = Session::open(global, &common.paths.paths, &global.target).await?;
    refuse_partial_pruning(&session, purpose == Purpose::Converge { prune: true })?;
    if session.selected() > 1 && !session.names_targets() && !common.all_targets {
        let hints = ["choose with `--target NAME`, or take them all with `--all-targets`".to_owned()];
        let names = session.selected_names();
        return Err(Printed(output::fail(&format!("there are {} targets: {names}", session.selected()), &hints)));
    }
    let result = approved(global, &session, common, purpose, options, (wishes, &released)).await;
    session.notices();
    session.close().await?;
    result
}

/// Whether nothing stands at a path.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

async fn approved(
    global: &Global,
    session: &Session,
    common: &Common,
    purpose: Purpose,
    options: &Options,
    (wishes, released): (Wishes, &Released),
) -> Result<u8, Printed> {
    let mode = if purpose == Purpose::Destroy { Mode::Destroy } else { Mode::Apply };
    let (mut prepared, failed) = session.prepare_settled(purpose, options.stack_timeout).await;
    policy::judge(session, &mut prepared, purpose, released);
    session.notices();
    // What couldn't be shown isn't done.
    if wishes.json {
        show_lines(&prepared)?;
    } else {
        for one in &prepared {
            output::show(&render(&one.plan, mode, detail(global, common.compact)))?;
        }
    }
    if let Some(printed) = &failed
        && prepared.is_empty()
    {
        output::say("Nothing was changed.");
        return Err(Printed(printed.0));
    }
    policy::refuse(&prepared, wishes.json)?;
    let errors = failed.is_some() || prepared.iter().any(|one| one.plan.has_errors());
    let due: Vec<&Prepared> = prepared.iter().filter(|one| one.plan.runnable().next().is_some()).collect();
    if due.is_empty() {
        return Ok(if errors { exit::ERROR } else { exit::OK });
    }
    if common.auto_approve {
        let watched = std::io::stdin().is_terminal();
        if let Some(brake) = guard::brake(due.iter().map(|one| &one.plan), wishes.max_rotations).filter(|_| !watched) {
            let hints = [format!("if that is what you want: `--max-rotations {}`", brake.rotations)];
            let secrets = count(brake.rotations, "secret");
            let summary = format!(
                "{secrets} would rotate now, and without a terminal at most {} may; nothing was changed",
                brake.limit
            );
            return Err(policy::forbid(&summary, &hints, &["brake"], wishes.json));
        }
    } else if !confirm(&due, mode) {
        output::say("Cancelled; nothing was changed.");
        return Ok(exit::ERROR);
    }
    policy::refuse_frozen(session, &due, released)?;
    let code = perform(global, session, &due, errors, options, wishes).await?;
    if failed.is_some() {
        output::say("Not every target could be read (the first message says why); the report is about the others.");
    }
    Ok(code)
}

/// Runs what was shown and approved.
async fn perform(
    global: &Global,
    session: &Session,
    due: &[&Prepared],
    errors: bool,
    options: &Options,
    wishes: Wishes,
) -> Result<u8, Printed> {
    let writers = connect_writers(session, due).await?;
    let interrupt = watch_interrupts();
    let plans: Vec<&Plan> = due.iter().map(|one| &one.plan).collect();
    let mut code = if errors { exit::ERROR } else { exit::OK };
    for (index, (one, writer)) in due.iter().zip(&writers).enumerate() {
        let lines = wishes.json.then(|| Lines::new(&one.plan, &plans));
        let report = execute(global, session, one, writer, options, (&interrupt, lines)).await;
        code = worse(code, code_of(&report));
        if wishes.function_logs || session.is_rehearsal() {
            logs::show(&report, writer.reader()).await;
        }
        session.goes_on(&report);
        if interrupt.is_pulled() {
            let left: Vec<&str> = due[index + 1..].iter().filter_map(|one| one.plan.target.as_deref()).collect();
            if !left.is_empty() {
                output::say(&format!("Not begun: {}", left.join(", ")));
            }
            break;
        }
    }
    Ok(code)
}

async fn execute(
    global: &Global,
    session: &Session,
    one: &Prepared,
    writer: &Writer,
    options: &Options,
    (interrupt, lines): (&Interrupt, Option<Lines>),
) -> Report {
    let steps = order(&one.plan, &one.desired);
    let observer = progress::Apply::new(&steps, global.quiet, global.verbose > 0, lines.clone());
    let context = Context {
        executor: writer,
        desired: &one.desired,
        live: &one.live,
        plan: &one.plan,
        packages: &one.packages,
        options,
        observer: &observer,
        versions: Mutex::default(),
        left: Mutex::default(),
        made: Mutex::default(),
    };
    let running = apply::run(&context, steps.clone(), interrupt);
    let report = observer.accompany(running, || session.notices()).await;
    if let Some(lines) = lines {
        output::report(&lines.summary(&report, &one.plan, chrono::Utc::now()));
        return report;
    }
    let mut text = report::report(&report, report::left_out(&one.plan), &one.plan.region);
    for frozen in policy::overridden_freezes([&one.plan]) {
        text.extend(["In spite of a freeze: ", &words::freeze_overridden(frozen), "\n"]);
    }
    let target = one.plan.target.as_ref().map(|target| format!("Target {}: ", safe(target))).unwrap_or_default();
    output::report(&format!("\n{target}{}", if target.is_empty() { text } else { format!("\n{text}") }));
    report
}

/// Shows plans as lines of JSON.
fn show_lines(prepared: &[Prepared]) -> Result<(), Printed> {
    let now = chrono::Utc::now();
    output::show(&events::version(now))?;
    let plans: Vec<&Plan> = prepared.iter().map(|one| &one.plan).collect();
    for one in prepared {
        output::show(&Lines::new(&one.plan, &plans).planned(&one.plan, &one.resources(), now))?;
    }
    Ok(())
}

/// Connects to all targets with their writing roles before the first write. Each must lead to where its plan was made for:
/// a role of another account would converge that account instead.
async fn connect_writers(session: &Session, due: &[&Prepared]) -> Result<Vec<Writer>, Printed> {
    let mut writers = Vec::new();
    for one in due {
        let connection = session.connect_writer(&one.desired.target).await?;
        if connection.account() != one.plan.account || connection.region() != one.plan.region {
            let summary = format!(
                "the writing role leads to account {}, region {}, and the plan is for account {}, region {}; nothing was changed",
                connection.account(),
                connection.region(),
                one.plan.account,
                one.plan.region
            );
            let hints = ["`role` and `apply_role` of a target belong to one account; state it as `account`".to_owned()];
            return Err(Printed(output::fail(&summary, &hints)));
        }
        writers.push(connection.writer());
    }
    Ok(writers)
}

/// The exit code of one report.
fn code_of(report: &Report) -> u8 {
    let all = [
        (report.interrupted, exit::INTERRUPTED),
        (report.has_failed(), exit::ERROR),
        (report.has_unfinished(), exit::NOT_FINISHED),
    ];
    all.into_iter().filter(|(holds, _)| *holds).fold(exit::OK, |code, (_, other)| worse(code, other))
}

/// Asks the person at the terminal, in Terraform's words.
fn confirm(due: &[&Prepared], mode: Mode) -> bool {
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

/// The first Ctrl-C, or the signal that ends pipelines' jobs or closed terminals' programs, lets running steps finish; the second
/// stops at once. A hang-up is never the second one: a terminal that is closed sends it twice, by the system and by the shell, and
/// services are sent it along with the first.
fn watch_interrupts() -> Interrupt {
    let (pull, interrupt) = Interrupt::new();
    let mut stops = Stops::listen();
    tokio::spawn(async move {
        stops.next().await;
        output::say("\nInterrupted: running steps finish, no new one begins. Ctrl-C again stops at once.");
        let _ = pull.send(true);
        while stops.next().await == Stop::HungUp {}
        output::stop_at_once(exit::INTERRUPTED);
    });
    interrupt
}

/// A span of time such as `90s`, `10m`, `1h`, or seconds alone.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, "s"),
    };
    let number: u64 = number.parse().map_err(|_| "write it as `90s`, `10m` or `1h`".to_owned())?;
    let seconds = match unit {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    match seconds {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("write it as `90s`, `10m` or `1h`, up to a day".to_owned()),
    }
}
