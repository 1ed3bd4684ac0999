//! Who reads what a command says: chosen once, where the command begins.

use chrono::Utc;

use crate::apply::{Observer, Report};
use crate::plan::{Plan, Step};
use crate::render::ends::{self, Reach};
use crate::render::events::{self, Lines};
use crate::render::plan::{Detail, Mode, plan as render, plans as several};
use crate::render::rules as words;
use crate::render::stale::stale;
use crate::render::{place, report, safe};

use super::failure::{Cause, Failure};
use super::options::{Global, TextOrJson};
use super::prepared::Prepared;
use super::progress::Board;
use super::{lines, output, policy, progress};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// People at a terminal.
    Text,
    /// Programs that follow what happens, line by line: `--json`.
    Lines,
    /// Programs that take one document: `--format json`.
    Document,
}

impl TextOrJson {
    /// Who reads it.
    pub fn view(self) -> View {
        match self {
            Self::Text => View::Text,
            Self::Json => View::Document,
        }
    }
}

impl View {
    /// Says why a command failed, or a part of it. People read it where errors go; programs get a line of JSON for each thing that is
    /// wrong, unless their document was printed already. The answer is the exit code.
    pub fn failed(self, failure: &Failure) -> u8 {
        match self {
            Self::Text => told_stale(failure),
            Self::Lines => output::follow(&(beginning() + &lines_of(failure))),
            Self::Document if output::has_shown() => {}
            Self::Document => output::follow(&lines_of(failure)),
        }
        output::failed(failure);
        failure.code
    }

    /// Says which run begins: before anything else, as what goes on with it needs its id.
    pub fn run_begins(self, id: &str) -> Result<(), Failure> {
        match self {
            Self::Lines => output::show(&(beginning() + &events::run_id(id, Utc::now()))),
            Self::Text | Self::Document => output::show(&format!("Run {id}\n\n")),
        }
    }

    /// Shows plans before anything is changed: what couldn't be shown isn't done.
    pub fn plans(self, prepared: &[Prepared], mode: Mode, detail: Detail) -> Result<(), Failure> {
        match self {
            Self::Text | Self::Document => {
                let plans: Vec<&Plan> = prepared.iter().map(|one| &one.plan).collect();
                output::show(&several(&plans, mode, detail))
            }
            Self::Lines => {
                if !output::has_shown() {
                    output::show(&beginning())?;
                }
                let plans: Vec<&Plan> = prepared.iter().map(|one| &one.plan).collect();
                prepared.iter().try_for_each(|one| {
                    output::show(&Lines::new(&one.plan, &plans).planned(&one.plan, &one.resources(), Utc::now()))
                })
            }
        }
    }

    /// Shows plans that people have reviewed: to them, only what is refused since then.
    pub fn reviewed(self, prepared: &[Prepared], detail: Detail) -> Result<(), Failure> {
        let refused = || prepared.iter().filter(|one| one.plan.is_refused());
        match self {
            Self::Text | Self::Document => {
                refused().try_for_each(|one| output::data(&render(&one.plan, Mode::Apply, detail)).map(|_| ()))
            }
            Self::Lines => self.plans(prepared, Mode::Apply, detail),
        }
    }

    /// Where the progress of a run shows.
    pub fn board(self, global: &Global) -> Board {
        match self {
            Self::Text | Self::Document => Board::new(global.quiet, global.verbose > 0),
            Self::Lines => Board::silent(),
        }
    }

    /// Who watches the steps of one plan, of those that are applied.
    pub fn progress<'a>(self, board: &'a Board, steps: &'a [Step], plan: &Plan, all: &[&Plan]) -> Progress<'a> {
        match self {
            Self::Text | Self::Document => {
                Progress::People(progress::Apply::new(steps, board, place::before_addresses(plan, all)))
            }
            Self::Lines => Progress::Programs(lines::Apply::new(steps, Lines::new(plan, all))),
        }
    }

    /// Says how a plan ended, of those that are applied.
    pub fn ended(self, report: &Report, (plan, all): (&Plan, &[&Plan]), mode: Mode, reach: Reach<'_>) {
        if self == Self::Lines {
            return output::report(&Lines::new(plan, all).summary(report, plan, mode, Utc::now()));
        }
        let mut text = report::report(report, report::left_out(plan), mode, reach);
        text += &ends::untested_words(report, plan);
        for frozen in policy::overridden_freezes([plan]) {
            text.extend(["In spite of a freeze: ", &words::freeze_overridden(frozen), "\n"]);
        }
        let heading = place::heading(plan, all);
        output::report(&format!("\n{heading}{}", if heading.is_empty() { text } else { format!("\n{text}") }));
    }

    /// Says which targets weren't begun; `because` of which one, where that isn't an interrupt.
    pub fn not_begun(self, names: &[String], because: Option<&str>) {
        if self == Self::Lines {
            return output::report(&events::not_begun(names, because, Utc::now()));
        }
        let because = because.map(|name| format!(", since {} isn't well", safe(name))).unwrap_or_default();
        let names: Vec<_> = names.iter().map(|name| safe(name)).collect();
        output::say(&format!("Not begun{because}: {}", names.join(", ")));
    }
}

/// Who watches an apply.
pub enum Progress<'a> {
    /// At a terminal, or in a log.
    People(progress::Apply<'a>),
    /// By lines of JSON.
    Programs(lines::Apply<'a>),
}

impl Progress<'_> {
    /// Who hears of events.
    pub fn observer(&self) -> &dyn Observer {
        match self {
            Self::People(people) => people,
            Self::Programs(programs) => programs,
        }
    }
}

/// The line that lines of JSON begin with, where it wasn't printed yet.
fn beginning() -> String {
    if output::has_shown() { String::new() } else { events::version(Utc::now()) }
}

/// What has moved since a plan was saved is data, and goes where data goes.
fn told_stale(failure: &Failure) {
    if let Cause::Stale(reasons) = &failure.cause {
        output::follow(&stale(reasons));
    }
}

/// A failure as lines of JSON. One that was said elsewhere, or whose causes say it all, is none by itself.
fn lines_of(failure: &Failure) -> String {
    let now = Utc::now();
    let (mut text, by) = match &failure.cause {
        Cause::None => (String::new(), &[][..]),
        Cause::Files(problems) => (events::problems(problems, failure.code, now), &[][..]),
        Cause::RefusedBy(by) => (String::new(), &by[..]),
        Cause::Stale(reasons) => (events::stale(reasons, now), &[][..]),
        Cause::Several(failures) => (failures.iter().map(lines_of).collect(), &[][..]),
    };
    if !failure.summary.is_empty() {
        text += &events::failed(&failure.summary, &failure.hints, by, failure.code, now);
    }
    text
}
