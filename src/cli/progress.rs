//! Progress on stderr: lines that live on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::apply::{Event, Observer, Outcome};
use crate::aws::Progress;
use crate::plan::{Step, StepKind};
use crate::render::ends;
use crate::render::report::{doing, failure_words};
use crate::render::safe;
use crate::render::said::duration;

use super::output;

/// How often a long wait is mentioned where lines can't be redrawn.
pub const REMINDER: Duration = Duration::from_secs(10);
/// How many lines may live at once; with more steps than that, the rest shows only as it ends.
const LIVE_LINES: usize = 12;

fn is_live() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os(crate::env::CI).is_none()
}

/// Where the progress of a run shows, of all targets that are worked on: on a terminal, lines live in one place.
pub struct Board {
    live: Option<MultiProgress>,
    quiet: bool,
    verbose: bool,
    /// How many lines live there.
    shown: AtomicUsize,
}

impl Board {
    /// For people.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let live =
            (!quiet && is_live()).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        Self { live, quiet, verbose, shown: AtomicUsize::new(0) }
    }

    /// Where no progress shows.
    pub fn silent() -> Self {
        Self { live: None, quiet: true, verbose: false, shown: AtomicUsize::new(0) }
    }

    /// Prints something that stays, beside the lines that live on a terminal.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }

    /// Runs an apply to its end, and lets the sandbox speak meanwhile.
    pub async fn accompany<T>(&self, running: impl Future<Output = T>, notices: impl Fn()) -> T {
        let mut running = std::pin::pin!(running);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                result = &mut running => return result,
                _ = tick.tick() => self.aside(&notices),
            }
        }
    }

    /// Says a line that stays.
    fn say(&self, line: &str) {
        if !self.quiet {
            self.aside(|| output::say(line));
        }
    }

    /// A line that lives, where there is a terminal and room for it.
    fn line(&self, title: String) -> Option<ProgressBar> {
        let live = self.live.as_ref().filter(|_| self.shown.load(Ordering::Relaxed) < LIVE_LINES)?;
        self.shown.fetch_add(1, Ordering::Relaxed);
        let bar = live.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} [{elapsed}] {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(title);
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    /// Takes a line away.
    fn clear(&self, bar: &ProgressBar) {
        self.shown.fetch_sub(1, Ordering::Relaxed);
        bar.finish_and_clear();
    }
}

/// The reading of AWS before a plan.
pub struct Reading {
    bar: ProgressBar,
}

impl Reading {
    /// A line that shows nothing yet.
    pub fn new(quiet: bool) -> Self {
        let bar = if quiet || !is_live() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// Shows how far it is.
    pub fn show(&self, progress: Progress) {
        self.bar.set_message(format!("reading AWS: {} of {}", progress.done, progress.total));
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of an apply: one line a resource.
pub struct Apply<'a> {
    steps: &'a [Step],
    board: &'a Board,
    /// What stands before each address: which plan it is of, where targets alone don't tell several apart.
    place: String,
    state: Mutex<BTreeMap<usize, Running>>,
}

/// A step under way.
struct Running {
    began: Instant,
    /// When a plain line last spoke of it.
    said: Instant,
    bar: Option<ProgressBar>,
}

impl<'a> Apply<'a> {
    /// A progress for these steps; `place`: what stands before their addresses.
    pub fn new(steps: &'a [Step], board: &'a Board, place: String) -> Self {
        Self { steps, board, place, state: Mutex::default() }
    }

    /// Says a line that stays.
    fn say(&self, line: &str) {
        self.board.say(line);
    }

    fn title(&self, step: usize) -> String {
        let step = &self.steps[step];
        format!("{}{}: {}", self.place, safe(&step.address.to_string()), doing(step.kind))
    }

    fn started(&self, step: usize, state: &mut BTreeMap<usize, Running>) {
        let now = Instant::now();
        let bar = self.board.line(self.title(step));
        state.insert(step, Running { began: now, said: now, bar });
        if self.board.live.is_none() && self.is_worth_announcing(step) {
            self.say(&format!("{}...", self.title(step)));
        }
    }

    /// Steps that take their time are announced; the others are only worth a line once they have ended.
    fn is_worth_announcing(&self, step: usize) -> bool {
        self.board.verbose || matches!(self.steps[step].kind, StepKind::Stack | StepKind::DeleteStack)
    }

    fn waiting(&self, step: usize, status: &str, state: &mut BTreeMap<usize, Running>) {
        let Some(running) = state.get_mut(&step) else { return };
        let status = safe(status);
        if let Some(bar) = &running.bar {
            bar.set_message(status.into_owned());
        } else if self.board.live.is_none() && running.said.elapsed() >= REMINDER {
            running.said = Instant::now();
            let elapsed = duration(running.began.elapsed());
            self.say(&format!("{}: still waiting [{elapsed}] {status}", self.title(step)));
        }
    }

    fn ended(&self, step: usize, outcome: &Outcome, state: &mut BTreeMap<usize, Running>) {
        let running = state.remove(&step);
        if let Some(bar) = running.as_ref().and_then(|running| running.bar.as_ref()) {
            self.board.clear(bar);
        }
        let elapsed = running.map(|running| duration(running.began.elapsed())).unwrap_or_default();
        let title = self.title(step);
        match outcome {
            Outcome::Applied { requests } => {
                let word = match self.steps[step].kind {
                    StepKind::Watch => "rotation finished",
                    StepKind::WatchTest => "testSecret passed",
                    _ => "done",
                };
                let ids = if self.board.verbose && !requests.is_empty() {
                    format!(
                        " (requests {})",
                        requests.iter().map(|id| safe(id).into_owned()).collect::<Vec<_>>().join(", ")
                    )
                } else {
                    String::new()
                };
                self.say(&format!("{title}: {word} after {elapsed}{ids}"));
            }
            Outcome::Unchanged if self.board.verbose => self.say(&format!("{title}: nothing to do")),
            Outcome::Unchanged => {}
            Outcome::NotFinished(rest) if rest.waited.is_none() => {}
            Outcome::TestFailed(test) => {
                self.say(&format!("{title}: {} after {elapsed}", ends::trouble(&test.trouble, false)));
            }
            Outcome::Unverified(_) => {
                self.say(&format!("{title}: accepted; how it ended isn't known, after {elapsed}"));
            }
            Outcome::NotFinished(_) => self.say(&format!("{title}: not finished after {elapsed}")),
            Outcome::Failed(failure) => {
                self.say(&format!("{title}: failed after {elapsed}: {}", failure_words(failure, None).0));
            }
            Outcome::NotAttempted { because } => {
                let because = because.map(|step| format!(": {} failed", self.title(step))).unwrap_or_default();
                self.say(&format!("{title}: not attempted{because}"));
            }
        }
    }
}

impl Observer for Apply<'_> {
    fn event(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Started { step } => self.started(*step, &mut state),
            Event::Waiting { step, status } => self.waiting(*step, status, &mut state),
            Event::Warned { step, text } => self.say(&format!("{}: warning: {}", self.title(*step), safe(text))),
            Event::Paused { pause, .. } => {
                self.say(&format!("A wave is over: the next one begins in {}", duration(*pause)));
            }
            Event::TryFailed { step, trouble, failed } => {
                self.say(&format!("{}: {} ({failed} so far)", self.title(*step), ends::trouble(trouble, false)));
            }
            Event::Ended { step, outcome } => self.ended(*step, outcome, &mut state),
        }
    }
}
