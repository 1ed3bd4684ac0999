//! Progress on stderr: lines that live on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::apply::{Event, Observer, Outcome};
use crate::aws::Progress;
use crate::plan::{Step, StepKind};
use crate::render::events::Lines;
use crate::render::report::{doing, duration, failure_words};
use crate::render::safe;

use super::output;

/// How often a long wait is mentioned where lines can't be redrawn.
const REMINDER: Duration = Duration::from_secs(10);
/// How many lines may live at once; with more steps than that, the rest shows only as it ends.
const LIVE_LINES: usize = 12;

fn is_live() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os(crate::env::CI).is_none()
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
    live: Option<MultiProgress>,
    quiet: bool,
    verbose: bool,
    /// Lines of JSON on stdout instead of lines for people.
    json: Option<Lines>,
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
    /// A progress for these steps.
    pub fn new(steps: &'a [Step], quiet: bool, verbose: bool, json: Option<Lines>) -> Self {
        let quiet = quiet || json.is_some();
        let live =
            (!quiet && is_live()).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        Self { steps, live, quiet, verbose, json, state: Mutex::default() }
    }

    /// Runs an apply to its end, and lets the sandbox speak meanwhile.
    pub async fn accompany<T>(&self, running: impl Future<Output = T>, notices: impl Fn()) -> T {
        let mut running = std::pin::pin!(running);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                result = &mut running => return result,
                _ = tick.tick() => match &self.live {
                    Some(live) => live.suspend(&notices),
                    None => notices(),
                },
            }
        }
    }

    /// Prints an event as a line of JSON. A wait is worth one as often as it is to people.
    fn line(&self, lines: &Lines, event: &Event, state: &mut BTreeMap<usize, Running>) {
        let now = Instant::now();
        let elapsed = match event {
            Event::Started { step } => {
                state.insert(*step, Running { began: now, said: now, bar: None });
                Duration::ZERO
            }
            Event::Waiting { step, .. } => match state.get_mut(step) {
                Some(running) if running.said.elapsed() >= REMINDER => {
                    running.said = now;
                    running.began.elapsed()
                }
                _ => return,
            },
            Event::Ended { step, .. } => state.remove(step).map(|running| running.began.elapsed()).unwrap_or_default(),
        };
        if let Some(line) = lines.event(event, self.steps, elapsed, chrono::Utc::now()) {
            output::data(&line);
        }
    }

    /// Says a line that stays.
    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.live {
            Some(bars) => bars.suspend(|| output::say(line)),
            None => output::say(line),
        }
    }

    fn title(&self, step: usize) -> String {
        let step = &self.steps[step];
        format!("{}: {}", safe(&step.address.to_string()), doing(step.kind))
    }

    fn started(&self, step: usize, state: &mut BTreeMap<usize, Running>) {
        let now = Instant::now();
        let shown = state.values().filter(|running| running.bar.is_some()).count();
        let bar = self.live.as_ref().filter(|_| shown < LIVE_LINES).map(|live| {
            let bar = live.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} [{elapsed}] {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(self.title(step));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        state.insert(step, Running { began: now, said: now, bar });
        if self.live.is_none() && self.is_worth_announcing(step) {
            self.say(&format!("{}...", self.title(step)));
        }
    }

    /// Steps that take their time are announced; the others are only worth a line once they have ended.
    fn is_worth_announcing(&self, step: usize) -> bool {
        self.verbose || matches!(self.steps[step].kind, StepKind::Stack | StepKind::DeleteStack)
    }

    fn waiting(&self, step: usize, status: &str, state: &mut BTreeMap<usize, Running>) {
        let Some(running) = state.get_mut(&step) else { return };
        let status = safe(status);
        if let Some(bar) = &running.bar {
            bar.set_message(status.into_owned());
        } else if self.live.is_none() && running.said.elapsed() >= REMINDER {
            running.said = Instant::now();
            let elapsed = duration(running.began.elapsed());
            self.say(&format!("{}: still waiting [{elapsed}] {status}", self.title(step)));
        }
    }

    fn ended(&self, step: usize, outcome: &Outcome, state: &mut BTreeMap<usize, Running>) {
        let running = state.remove(&step);
        if let Some(bar) = running.as_ref().and_then(|running| running.bar.as_ref()) {
            bar.finish_and_clear();
        }
        let elapsed = running.map(|running| duration(running.began.elapsed())).unwrap_or_default();
        let title = self.title(step);
        match outcome {
            Outcome::Applied { requests } => {
                let word = match self.steps[step].kind {
                    StepKind::Watch => "rotation finished",
                    StepKind::WatchTest => "over (AWS doesn't say how it ended)",
                    _ => "done",
                };
                let ids = if self.verbose && !requests.is_empty() {
                    format!(
                        " (requests {})",
                        requests.iter().map(|id| safe(id).into_owned()).collect::<Vec<_>>().join(", ")
                    )
                } else {
                    String::new()
                };
                self.say(&format!("{title}: {word} after {elapsed}{ids}"));
            }
            Outcome::Unchanged if self.verbose => self.say(&format!("{title}: nothing to do")),
            Outcome::Unchanged => {}
            Outcome::NotFinished(rest) if rest.waited.is_none() => {}
            Outcome::NotFinished(_) => self.say(&format!("{title}: not finished after {elapsed}")),
            Outcome::Failed(failure) => {
                self.say(&format!("{title}: failed after {elapsed}: {}", failure_words(failure).0));
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
        if let Some(lines) = &self.json {
            self.line(lines, event, &mut state);
            return;
        }
        match event {
            Event::Started { step } => self.started(*step, &mut state),
            Event::Waiting { step, status } => self.waiting(*step, status, &mut state),
            Event::Ended { step, outcome } => self.ended(*step, outcome, &mut state),
        }
    }
}
