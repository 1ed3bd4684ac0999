//! The generated part of `src/cli/README.md`: the help of every command, as the binary prints it.

use std::fmt::Write as _;
use std::process::Command;

const BEGIN: &str = "<!-- help: written by ROTATOR_REGENERATE=1 cargo test --test readme -->\n";
const END: &str = "<!-- end of help -->\n";

pub fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rotator"));
    let output =
        command.args(arguments).arg("--help").env_clear().env("COLUMNS", "100").output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stdout).expect("help is UTF-8");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The names of the commands in a help text.
pub fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// A command's help without the options that all commands share, which the first one shows.
fn own(help: &str) -> String {
    let (before, rest) = help.split_once("\nGlobal options:").unwrap_or((help, ""));
    let after =
        rest.split_once("\n\nExamples:").map_or(String::new(), |(_, examples)| format!("\n\nExamples:{examples}"));
    format!("{}{after}", before.trim_end())
}

fn generated() -> String {
    let main = help(&[]);
    let mut out = format!("```text\n{main}\n```\n");
    for name in commands(&main) {
        let text = help(&[&name]);
        let within = commands(&text);
        let _ =
            write!(out, "\n<details><summary><code>rotator {name}</code></summary>\n\n```text\n{}\n```\n", own(&text));
        for inner in within {
            let _ = write!(out, "\n```text\n{}\n```\n", own(&help(&[&name, &inner])));
        }
        out.push_str("\n</details>\n");
    }
    out
}

/// Without it, the page would go on promising options that are gone, and hide new ones.
#[test]
fn the_page_of_options_holds_the_help() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/README.md");
    let page = std::fs::read_to_string(path).expect("the page of options");
    let (before, rest) = page.split_once(BEGIN).expect("the page marks where the help begins");
    let (found, after) = rest.split_once(END).expect("the page marks where the help ends");
    let wanted = generated();
    if std::env::var_os("ROTATOR_REGENERATE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("writable");
        return;
    }
    assert!(found == wanted, "the help has changed: ROTATOR_REGENERATE=1 cargo test --test readme");
}

/// Without it, completions would be scripts that their shells refuse.
#[test]
fn completions_are_understood_by_their_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rotator"));
        let script = command.args(["completions", shell]).output().expect("the binary runs").stdout;
        let text = String::from_utf8(script).expect("UTF-8");
        assert!(text.contains("rotator") && text.contains("schedule"), "{shell}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("script");
        std::fs::write(&file, text).expect("writable");
        // A shell that the machine lacks can't judge; bash is everywhere that the tests run.
        match Command::new(shell).arg("-n").arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => assert_ne!(shell, "bash", "bash is missing"),
        }
    }
}

/// Without it, a command could have no page, or one that `man` can't show.
#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rotator"));
    assert!(command.arg("man").arg(folder.path()).status().expect("the binary runs").success());
    for name in commands(&help(&[])) {
        let page = std::fs::read_to_string(folder.path().join(format!("rotator-{name}.1"))).unwrap_or_default();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
    }
}
