//! A panic is a mistake of the program's own: it ends with words and with [`exit::ERROR`], in whatever thread it happens.

use std::panic::PanicHookInfo;

use crate::exit;

use super::output;

/// Ends the program where anything panics from now on.
///
/// Unwinding would end one thread, or one task, of several: the others would wait for it, or go on with half of an answer.
/// What is done on AWS at that moment is as after any other sudden end: the next plan finds it.
pub fn end_at_panics() {
    std::panic::set_hook(Box::new(|panic| {
        report(panic);
        output::stop_at_once(exit::ERROR);
    }));
}

/// Says where it happened. The panic's own words may quote what stands in a file or came from AWS, so they are left out.
fn report(panic: &PanicHookInfo<'_>) {
    let place =
        panic.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    let summary = format!("this is a bug in rotator {}, at {place}", env!("CARGO_PKG_VERSION"));
    let hints = [
        "report this line and the command that you ran, without anything private: on GitHub under \"Issues\"; if somebody else's file caused it, under \"Security\""
            .to_owned(),
        "if it was changing something on AWS, `rotator plan` says what is left to do".to_owned(),
    ];
    output::error_line(&summary, &hints);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the child panics in.
    const PLACE: &str = "ROTATOR_TEST_PANICS_IN";

    /// Panics where its parent tells it to; without a parent it does nothing.
    #[test]
    fn child() {
        let Ok(place) = std::env::var(PLACE) else { return };
        end_at_panics();
        let panic = || panic!("hunter2");
        match place.as_str() {
            "thread" => drop(std::thread::spawn(panic).join()),
            "task" => {
                let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("threads");
                drop(runtime.block_on(async { tokio::spawn(async move { panic() }).await }));
            }
            "blocking" => {
                let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("threads");
                drop(runtime.block_on(tokio::task::spawn_blocking(panic)));
            }
            _ => panic(),
        }
        // Where the hook didn't end it, the test harness ends it with 0.
    }

    /// Without it, a bug would end with a code that no pipeline knows, or go unnoticed in a task; or its words would print what
    /// stands in a file.
    #[test]
    fn a_panic_anywhere_ends_with_words_and_1() {
        for place in ["main", "thread", "task", "blocking"] {
            let program = std::env::current_exe().expect("this program");
            let child = std::process::Command::new(program)
                .args(["--exact", "cli::bug::tests::child", "--nocapture"])
                .env(PLACE, place)
                .output()
                .expect("it runs");
            let said = String::from_utf8_lossy(&child.stderr);
            assert_eq!(child.status.code(), Some(1), "{place}: {said}");
            assert!(said.contains("this is a bug in rotator") && said.contains("src/cli/bug.rs:"), "{place}: {said}");
            assert!(!said.contains("hunter2"), "{place}: {said}");
        }
    }
}
