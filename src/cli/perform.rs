//! Carries plans out that were shown and approved: the targets side by side, or one after another.

use std::sync::Mutex;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::apply::{self, Context, Interrupt, Options, Report};
use crate::aws::Writer;
use crate::exit::{self, worse};
use crate::model::Live;
use crate::plan::{Plan, order};
use crate::render::command::Route;
use crate::render::ends::Reach;
use crate::render::place::place;
use crate::render::plan::Mode;

use super::failure::Failure;
use super::options::Global;
use super::output::{Stop, Stops};
use super::prepared::Prepared;
use super::progress::Board;
use super::session::Session;
use super::view::View;
use super::{logs, old_code, output};

/// How many targets are worked on side by side, as many as are read so.
const TARGETS: usize = 8;

/// Carries out plans.
pub struct Performer<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// The options of every command.
    pub global: &'a Global,
    /// Who reads.
    pub view: View,
    /// What was asked for.
    pub mode: Mode,
    /// How steps run.
    pub options: &'a Options,
    /// Whether targets are taken one after another, up to the first that isn't well.
    pub in_order: bool,
    /// Whether a plan that leaves something out because of an error is what was approved.
    pub is_saved: bool,
    /// Whether rotations that were simulated are taken for good.
    pub allow_simulated: bool,
    /// Whether the logs of functions whose rotations haven't finished are shown.
    pub function_logs: bool,
    /// Whether a test whose end isn't known counts as failed.
    pub require_verified: bool,
    /// The command that goes on, where that isn't the same one once more.
    pub again: Option<String>,
    /// All plans that were shown.
    pub plans: &'a [&'a Plan],
}

/// A target that has something to do, and the power to do it.
struct Due<'a> {
    one: &'a Prepared,
    writer: Writer,
}

impl Performer<'_> {
    /// Runs the plans that are due, of `all` that come in turn. `behind`: those that come after a target that couldn't be read, where the
    /// order counts. The answer is the exit code.
    pub async fn perform(&self, all: &[Prepared], due: &[&Prepared], behind: &[&Prepared]) -> Result<u8, Failure> {
        let due = self.connect(due).await?;
        let interrupt = watch_interrupts();
        let board = self.view.board(self.global);
        let working = async {
            if self.in_order {
                self.one_after_another(all, &due, behind, &board, &interrupt).await
            } else {
                self.side_by_side(&due, &board, &interrupt).await
            }
        };
        let (code, goes_on) = board.accompany(working, || self.session.notices()).await;
        if goes_on {
            self.session.goes_on();
        }
        Ok(code)
    }

    /// Connects to all targets with their writing roles before the first write. Each must lead to where its plan was made for:
    /// a role of another account would converge that account instead.
    async fn connect<'p>(&self, due: &[&'p Prepared]) -> Result<Vec<Due<'p>>, Failure> {
        let mut connected = Vec::new();
        for one in due.iter().copied() {
            let connection = self.session.connect_writer(&one.desired.target).await?;
            if connection.account() != one.plan.account || connection.region() != one.plan.region {
                let summary = format!(
                    "the writing role leads to account {}, region {}, and the plan is for account {}, region {}; nothing was changed",
                    connection.account(),
                    connection.region(),
                    one.plan.account,
                    one.plan.region
                );
                return Err(Failure::new(summary)
                    .hint("`role` and `apply_role` of a target belong to one account; state it as `account`"));
            }
            connected.push(Due { one, writer: connection.writer() });
        }
        Ok(connected)
    }

    /// All targets that fit beside each other at a time. Whether a rotation goes on that was waited for stands beside the exit code.
    async fn side_by_side(&self, due: &[Due<'_>], board: &Board, interrupt: &Interrupt) -> (u8, bool) {
        let most = self.global.parallelism.map_or(TARGETS, usize::from).min(TARGETS);
        let (mut code, mut goes_on) = (exit::OK, false);
        let mut begun = 0;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < most && begun < due.len() && !interrupt.is_pulled() {
                running.push(self.target(&due[begun], due, board, interrupt));
                begun += 1;
            }
            let Some((ended, unfinished)) = running.next().await else { break };
            code = worse(code, ended);
            goes_on |= unfinished;
        }
        let left: Vec<&Prepared> = due[begun..].iter().map(|left| left.one).collect();
        self.not_begun(&left, None);
        (code, goes_on)
    }

    /// Each target alone, in the manifests' order, as long as all is well.
    async fn one_after_another(
        &self,
        all: &[Prepared],
        due: &[Due<'_>],
        behind: &[&Prepared],
        board: &Board,
        interrupt: &Interrupt,
    ) -> (u8, bool) {
        let (mut code, mut goes_on, mut because) = (exit::OK, false, None);
        let mut left: Vec<&Due<'_>> = due.iter().collect();
        for one in all {
            if interrupt.is_pulled() {
                break;
            }
            let mut well = true;
            if let Some(at) = left.iter().position(|other| std::ptr::eq(other.one, one)) {
                let this = left.remove(at);
                let (ended, unfinished) = self.target(this, std::slice::from_ref(this), board, interrupt).await;
                code = worse(code, ended);
                goes_on |= unfinished;
                well = ended == exit::OK;
            }
            well &= self.is_saved || !one.plan.has_errors();
            well &= self.allow_simulated || !self.session.has_simulated(one).await;
            if !well {
                because = Some(self.name(one));
                break;
            }
        }
        let left: Vec<&Prepared> = left.iter().map(|left| left.one).chain(behind.iter().copied()).collect();
        self.not_begun(&left, because.as_deref());
        (code, goes_on)
    }

    /// What a target is called, for whoever knows the manifests.
    fn name(&self, one: &Prepared) -> String {
        place(&one.plan, self.plans)
            .or_else(|| one.plan.target.clone())
            .unwrap_or_else(|| format!("account {}, region {}", one.plan.account, one.plan.region))
    }

    /// Says what wasn't begun, if anything; `because` of which target.
    fn not_begun(&self, left: &[&Prepared], because: Option<&str>) {
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|one| self.name(one)).collect();
            self.view.not_begun(&names, because);
        }
    }

    /// Says what comes after a target that couldn't be read, and isn't begun for that.
    pub fn leave(&self, behind: &[&Prepared]) {
        self.not_begun(behind, None);
    }

    /// One target, to its end: what happens, its report, its exit code, and whether a rotation of it goes on that was waited for.
    async fn target(&self, this: &Due<'_>, beside: &[Due<'_>], board: &Board, interrupt: &Interrupt) -> (u8, bool) {
        let mut report = self.execute(this, beside, board, interrupt).await;
        if report.interrupted || report.stopped.is_some() || report.has_failed() || report.has_unfinished() {
            report.again.clone_from(&self.again);
        }
        if !interrupt.is_pulled() {
            old_code::look_up(&mut report, &this.one.desired).await;
        }
        let words = self.function_logs || self.session.is_rehearsal();
        let (endpoint, sandbox) = self.session.lasting();
        let route = Route { endpoint: endpoint.as_deref(), sandbox: sandbox.as_deref() };
        let reach = Reach { region: &this.one.plan.region, route, words };
        board.aside(|| {
            self.view.ended(&report, (&this.one.plan, self.plans), self.mode, reach);
            if words {
                logs::show(&report);
            }
        });
        (self.code_of(&report), report.has_unfinished_rotation())
    }

    async fn execute(&self, this: &Due<'_>, beside: &[Due<'_>], board: &Board, interrupt: &Interrupt) -> Report {
        let one = this.one;
        let steps = order(&one.plan, &one.desired);
        let progress = self.view.progress(board, &steps, &one.plan, self.plans);
        let others = beside.iter().filter(|other| !std::ptr::eq(other.one, one));
        let place = |one: &Prepared| (one.plan.account.clone(), one.plan.region.clone());
        let near: Vec<(&Plan, &Live)> = others
            .filter(|other| place(other.one) == place(one))
            .map(|other| (&other.one.plan, &other.one.live))
            .collect();
        let context = Context {
            executor: &this.writer,
            desired: &one.desired,
            live: &one.live,
            plan: &one.plan,
            beside: &near,
            packages: &one.packages,
            options: &Options {
                outlook: self.session.outlook(one),
                ..self.shared(beside.len().min(TARGETS), near.len() + 1)
            },
            observer: progress.observer(),
            sent: Mutex::default(),
            logs: apply::Logs::default(),
            moved: Mutex::default(),
            left: Mutex::default(),
            made: Mutex::default(),
            waited: Mutex::default(),
            kept: Mutex::default(),
        };
        apply::run(&context, steps.clone(), interrupt).await
    }

    /// How the steps of one target run beside `all` others at a time, of which so many share its account and region, and their quotas. What
    /// was asked for by a flag holds for all together.
    fn shared(&self, all: usize, near: usize) -> Options {
        let options = self.options.clone();
        let of = if self.global.parallelism.is_some() { all } else { near.min(TARGETS) };
        Options {
            parallelism: (options.parallelism / of.max(1)).max(1),
            stacks: (options.stacks / near.clamp(1, TARGETS)).max(1),
            ..options
        }
    }

    /// The exit code of one report.
    fn code_of(&self, report: &Report) -> u8 {
        let all = [
            (report.interrupted, exit::INTERRUPTED),
            (report.has_failed(), exit::ERROR),
            (report.has_unfinished(), exit::NOT_FINISHED),
            (self.require_verified && report.unverified() > 0, exit::NOT_FINISHED),
        ];
        all.into_iter().filter(|(holds, _)| *holds).fold(exit::OK, |code, (_, other)| worse(code, other))
    }
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
