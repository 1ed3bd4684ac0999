//! Printing: data to stdout, everything else to stderr, colours only where they end up on a terminal.

use std::io::Write as _;

use anstream::ColorChoice;

use crate::diagnostic::{Diagnostic, Severity};
use crate::exit;
use crate::render::{ERROR, count, paint, safe};

use super::Color;

/// Decides on colours for the whole run.
pub fn colors(choice: Color) {
    let choice = match choice {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto => return,
    };
    choice.write_global();
}

/// Prints data. A reader that went away is no error.
pub fn data(text: &str) -> u8 {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&format!("cannot write: {error}"), &[]),
        _ => exit::OK,
    }
}

/// Prints data that must have been seen before anything else happens.
pub fn show(text: &str) -> Result<(), super::session::Printed> {
    match data(text) {
        exit::OK => Ok(()),
        code => Err(super::session::Printed(code)),
    }
}

/// Prints a line for people.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints an error with its hints. The answer is the exit code.
pub fn fail(summary: &str, hints: &[String]) -> u8 {
    // AWS's words and names from the command line stand in here; a hint's own lines stay lines.
    say(&format!("{} {}", paint(ERROR, "error:"), safe(summary)));
    for hint in hints {
        let lines: Vec<_> = hint.lines().map(safe).collect();
        say(&format!("  hint: {}", lines.join("\n")));
    }
    exit::ERROR
}

/// Prints diagnostics, and a last line that counts them.
pub fn diagnostics(diagnostics: &[Diagnostic]) {
    if diagnostics.is_empty() {
        return;
    }
    let colored = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let text = crate::render::diagnostics::render(diagnostics, colored, width());
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    let number = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
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

/// Prints a question without ending the line.
pub fn ask(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{text}");
    let _ = stderr.flush();
}

/// Ends the program now, whatever runs.
#[expect(clippy::exit, reason = "a second Ctrl-C asks for exactly this")]
pub fn stop_at_once(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// Listens from now on; ends with Ctrl-C, or with the signal that services and pipelines' jobs are stopped by.
pub fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        // Where one can't be listened for, it does what it does by itself.
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    #[cfg(unix)]
    let received = async move {
        let waits = signals.into_iter().filter_map(Result::ok).map(|mut signal| async move { signal.recv().await });
        let waits: Vec<_> = waits.map(Box::pin).collect();
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        futures::future::select_all(waits).await;
    };
    #[cfg(not(unix))]
    let received = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    received
}
