//! Printing: data to stdout, everything else to stderr, colours only where they end up on a terminal.
//!
//! What can't be written is remembered for the whole run, so that nobody who prints can forget it: [`ended`] has the last word
//! on the exit code.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::ColorChoice;
use clap::builder::StyledStr;

use crate::diagnostic::{Diagnostic, Severity};
use crate::render::diagnostics;
use crate::render::runner::without_commands;
use crate::render::{ERROR, WARNING, count, paint, safe};
use crate::{env, exit};

use super::failure::{Cause, Failure};
use super::options::Color;

/// Decides on colours for the whole run.
pub fn colors(choice: Color) {
    let choice = match choice {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto => return,
    };
    choice.write_global();
}

/// Whether problems that say the same are each shown whole.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// Decides for the whole run whether problems that say the same are each shown whole.
pub fn whole(is_whole: bool) {
    WHOLE.store(is_whole, Ordering::Relaxed);
}

/// Whether something couldn't be written, for another reason than a reader that went away.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether data was printed.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether a reader went away before all was written.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Prints data. A reader that went away, such as `head`, is no error by itself. The answer is the exit code of good data.
pub fn data(text: &str) -> Result<u8, Failure> {
    printed(shown(text))
}

/// Prints data of which every character is meant as it is: a runner's own commands, scripts for a shell.
pub fn verbatim(text: &str) -> Result<u8, Failure> {
    SHOWN.store(true, Ordering::Relaxed);
    printed(written_as_it_is(anstream::stdout().lock(), text))
}

/// Prints data while something goes on that doesn't end for it: where it can't be written, that is said at once.
pub fn follow(text: &str) {
    if let Err(failure) = data(text) {
        failed(&failure);
    }
}

/// Whether data was printed.
pub fn has_shown() -> bool {
    SHOWN.load(Ordering::Relaxed)
}

fn shown(text: &str) -> std::io::Result<()> {
    SHOWN.store(true, Ordering::Relaxed);
    written(anstream::stdout().lock(), text)
}

/// How it ended that data was printed, or not.
fn printed(result: std::io::Result<()>) -> Result<u8, Failure> {
    match result {
        Ok(()) => Ok(exit::OK),
        Err(error) => {
            let is_known = LOST.load(Ordering::Relaxed);
            if note_failure(&error) {
                return Ok(exit::OK);
            }
            // Of many lines, the first says it for all.
            Err(if is_known { Failure::said(exit::ERROR) } else { Failure::new(cannot_write(&error)) })
        }
    }
}

/// Prints data that must have been seen before anything is changed.
pub fn show(text: &str) -> Result<(), Failure> {
    shown(text).map_err(|error| {
        note_failure(&error);
        Failure::new(format!("{}; nothing was changed", cannot_write(&error)))
    })
}

/// Prints how something ended. Where that can't be written, it goes to where errors go: what was done must not stay unknown.
pub fn report(text: &str) {
    if let Err(error) = shown(text) {
        note_failure(&error);
        error_line(&format!("the report can't be written where it should go: {error}; this is it"), &[]);
        noted(written(anstream::stderr().lock(), text));
    }
}

/// The exit code of a run that ends with this one: no run ends well whose words were lost. That a reader went away counts where
/// the words say what was changed.
pub fn ended(code: u8, is_changing: bool) -> u8 {
    let lost = LOST.load(Ordering::Relaxed) || (is_changing && UNREAD.load(Ordering::Relaxed));
    if lost { exit::worse(code, exit::ERROR) } else { code }
}

/// Writes all of a text. Without the flush, the rest of a line would be written at the program's end, where nobody sees an error.
fn written(stream: impl std::io::Write, text: &str) -> std::io::Result<()> {
    written_as_it_is(stream, &tame(text))
}

fn written_as_it_is(mut stream: impl std::io::Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Remembers that something couldn't be written. Whether its reader went away.
fn note_failure(error: &std::io::Error) -> bool {
    let is_unread = error.kind() == std::io::ErrorKind::BrokenPipe;
    if is_unread { &UNREAD } else { &LOST }.store(true, Ordering::Relaxed);
    is_unread
}

/// What was written to where errors go: there is no other place to complain.
fn noted(result: std::io::Result<()>) -> bool {
    result
        .inspect_err(|error| {
            note_failure(error);
        })
        .is_ok()
}

fn cannot_write(error: &std::io::Error) -> String {
    format!("cannot write: {error}")
}

/// What may be printed of a text: where a pipeline's runner reads it, no words that it would obey.
fn tame(text: &str) -> Cow<'_, str> {
    static RUNNER: LazyLock<bool> = LazyLock::new(|| {
        [env::GITHUB_ACTIONS, env::TF_BUILD, env::TEAMCITY_VERSION].iter().any(|name| env::read(name).is_some())
    });
    if *RUNNER { without_commands(text) } else { Cow::Borrowed(text) }
}

/// Prints a line for people.
pub fn say(text: &str) {
    noted(written(anstream::stderr().lock(), &format!("{text}\n")));
}

/// Prints what the reader of the command line has to say: help, the version, or wrong usage.
pub fn usage(mut error: clap::Error) -> u8 {
    escape(&mut error);
    // `--help` and `--version` are no errors; wrong usage exits as Terraform's does.
    let code = if error.use_stderr() { exit::ERROR } else { exit::OK };
    // Clap repeats words of the command line, which a pipeline may have filled in.
    let text = error.render().ansi().to_string();
    let result = if error.use_stderr() {
        written(anstream::stderr().lock(), &text)
    } else {
        written(anstream::stdout().lock(), &text)
    };
    noted(result);
    ended(code, false)
}

/// Makes what clap repeats of the command line harmless, each word by itself: what clap says around it has colours of its own.
fn escape(error: &mut clap::Error) {
    use clap::error::ContextValue;
    let repeated: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in repeated {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(safe(&text).into_owned()),
            ContextValue::Strings(texts) => {
                ContextValue::Strings(texts.iter().map(|text| safe(text).into_owned()).collect())
            }
            ContextValue::StyledStrs(texts) => ContextValue::StyledStrs(texts.into_iter().map(escaped).collect()),
            _ => continue,
        };
        error.insert(kind, value);
    }
}

/// A hint, which clap has styled already: it loses its colours where it holds something harmful.
fn escaped(text: StyledStr) -> StyledStr {
    match safe(&text.to_string()) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean.into(),
    }
}

/// Prints where errors go why something failed, for people: what it comes from first.
pub fn failed(failure: &Failure) {
    match &failure.cause {
        Cause::None | Cause::RefusedBy(_) | Cause::Stale(_) => {}
        Cause::Files(problems) => diagnostics(problems),
        Cause::Several(failures) => failures.iter().for_each(failed),
    }
    if !failure.summary.is_empty() {
        error_line(&failure.summary, &failure.hints);
    }
}

/// Prints an error that doesn't end the command, with its hints.
pub fn error_line(summary: &str, hints: &[String]) {
    told(&paint(ERROR, "error:"), summary, hints);
}

/// Prints a warning with its hints.
pub fn warn(summary: &str, hints: &[String]) {
    told(&paint(WARNING, "warning:"), summary, hints);
}

fn told(word: &str, summary: &str, hints: &[String]) {
    // AWS's words and names from the command line stand in here; a hint's own lines stay lines.
    let summary = shortened(summary);
    say(&format!("{word} {}", safe(&summary)));
    for hint in hints {
        let lines: Vec<_> = hint.lines().map(safe).collect();
        say(&format!("  hint: {}", lines.join("\n")));
    }
}

/// The longest error, in characters: it may quote what is of any length.
const LONGEST: usize = 4_000;

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Prints diagnostics, and a last line that counts them.
pub fn diagnostics(found: &[Diagnostic]) {
    if found.is_empty() {
        return;
    }
    let colored = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let render = if WHOLE.load(Ordering::Relaxed) { diagnostics::render } else { diagnostics::render_once };
    let text = render(found, colored, width());
    noted(written(anstream::stderr().lock(), &text));
    let number = |severity| found.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    say(&format!("\n{}", parts.join(", ")));
}

/// The width of the terminal that messages go to, or a usual one.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(100, |(width, _)| usize::from(width.0).max(40))
}

/// A path as it may be printed.
pub fn path(path: &std::path::Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

/// Prints a question without ending the line. Whether it could be printed: what nobody was asked has no answer.
pub fn ask(text: &str) -> bool {
    noted(written(anstream::stderr().lock(), text))
}

/// Ends the program now, whatever runs.
#[expect(clippy::exit, reason = "a second Ctrl-C asks for exactly this")]
pub fn stop_at_once(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// Listens from now on; ends with Ctrl-C, or with the signals that services, pipelines' jobs and terminals are stopped by.
pub fn stop_signal() -> impl Future<Output = ()> {
    let mut stops = Stops::listen();
    async move {
        stops.next().await;
    }
}

/// A wish to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C, or a service's or pipeline's signal.
    Asked,
    /// The terminal or the connection is gone.
    HungUp,
}

/// The signals that a run is ended by.
#[cfg(unix)]
pub struct Stops(Vec<(Stop, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Stops {
    /// Listens from now on: none that comes between two calls of [`Stops::next`] is lost.
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = (!ignores_hangup()).then_some((Stop::HungUp, SignalKind::hangup()));
        let kinds = [(Stop::Asked, SignalKind::interrupt()), (Stop::Asked, SignalKind::terminate())];
        // Where one can't be listened for, it does what it does by itself.
        Self(kinds.into_iter().chain(hangup).filter_map(|(stop, kind)| Some((stop, signal(kind).ok()?))).collect())
    }

    /// The next one.
    pub async fn next(&mut self) -> Stop {
        if self.0.is_empty() {
            std::future::pending::<()>().await;
        }
        let waits = self.0.iter_mut().map(|(stop, signal)| {
            Box::pin(async {
                signal.recv().await;
                *stop
            })
        });
        futures::future::select_all(waits).await.0
    }
}

/// The signals that a run is ended by.
#[cfg(not(unix))]
pub struct Stops;

#[cfg(not(unix))]
impl Stops {
    /// Listens from now on.
    pub fn listen() -> Self {
        Self
    }

    /// The next one.
    pub async fn next(&mut self) -> Stop {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Stop::Asked
    }
}

/// Whether the program was started to go on without its terminal, as by `nohup`. Looked at before anything listens, which would
/// take the place of what was inherited.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    static IGNORES: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *IGNORES.get_or_init(|| {
        use std::io::IsTerminal as _;
        let status = std::fs::read_to_string("/proc/self/status").ok();
        let ignored = status.as_deref().and_then(ignored_signals);
        // The first bit is the first signal, which is SIGHUP. Systems without such a file show it only to unsafe code; but where
        // `nohup` began the run, stderr is no terminal.
        ignored.map_or_else(|| !std::io::stderr().is_terminal(), |ignored| ignored & 1 == 1)
    })
}

/// The signals that a process ignores, as Linux shows them: one bit each.
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    /// Without it, a word of the command line that a pipeline filled in could turn what is said of it, or hide in it.
    #[test]
    fn wrong_usage_repeats_words_escaped() {
        let format = || Arg::new("format").long("format").value_parser(["text"]);
        // Where something may stand, a hint says how an unknown option would.
        let command = || Command::new("x").arg(format()).arg(Arg::new("path").value_parser(["here"]));
        let word = "a\u{202e}b\u{200b}c\u{1b}[8m\n::d";
        for line in [vec!["x", "--format", word], vec!["x", word], vec!["x", &format!("--{word}")]] {
            let mut error = command().try_get_matches_from(&line).expect_err("wrong usage");
            assert!(error.to_string().contains('\u{202e}'), "{line:?}");
            escape(&mut error);
            let text = error.render().ansi().to_string();
            assert!(
                !text.contains(['\u{202e}', '\u{200b}']) && !text.contains("\u{1b}[8m") && !text.contains("\n::d"),
                "{text:?}"
            );
            assert!(text.contains("\\u{202e}"), "{text:?}");
        }
    }
}
