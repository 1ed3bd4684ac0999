//! How the program is met: commands in groups, and variables that stand for options.

use std::fmt::Write as _;

use clap::Command;

use crate::env;
use crate::render::paint;

/// The commands, as people look for them. What stands in none comes last.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Write and review, without AWS", &["validate", "diff", "explain", "targets", "schedule", "permissions"]),
    ("Begin", &["init", "import"]),
    ("Plan, and change AWS", &["plan", "show", "apply", "rotate", "repair", "destroy"]),
    ("See how rotation does", &["status", "logs"]),
    ("Rehearse", &["test", "sandbox"]),
    ("For editors, shells and pipelines", &["schema", "completions", "man"]),
];

/// The command line as it is parsed: its help has the commands in groups, and variables that are set to nothing count as unset, since
/// that is what a pipeline makes of an input that is left out.
pub fn prepared(command: Command) -> Command {
    let list = grouped(&command);
    let command = without_empty(command).mut_subcommands(|one| without_empty(one).hide(true));
    let command = without_refused(command);
    command.override_usage("rotator [OPTIONS] <COMMAND>").help_template(format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}\n{{all-args}}{{after-help}}"
    ))
}

/// Options of every command that `sandbox` refuses: they stand in its help no more than in what it takes.
fn without_refused(command: Command) -> Command {
    const REFUSED: [&str; 2] = ["sandbox", "sandbox_allow"];
    let hidden: Vec<_> = command
        .get_arguments()
        .filter(|arg| REFUSED.contains(&arg.get_id().as_str()))
        .map(|arg| arg.clone().hide(true))
        .collect();
    command.mut_subcommand("sandbox", |one| one.args(hidden))
}

fn without_empty(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_set = arg.get_env().and_then(|name| name.to_str()).is_none_or(|name| env::read(name).is_some());
        if is_set { arg } else { arg.env(None::<&'static str>) }
    })
}

/// The list of commands.
fn grouped(command: &Command) -> String {
    let all: Vec<(&str, String)> = command
        .get_subcommands()
        .filter(|one| !one.is_hide_set())
        .map(|one| (one.get_name(), one.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = paint(*command.get_styles().get_header(), "Commands:") + "\n";
    let is_listed = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others: Vec<&str> = all.iter().map(|(name, _)| *name).filter(|name| !is_listed(name)).collect();
    for (title, names) in GROUPS.into_iter().chain([("Others", &others[..])]) {
        let mut members = names.iter().filter_map(|name| all.iter().find(|(other, _)| other == name)).peekable();
        if members.peek().is_some() {
            let _ = writeln!(out, " {title}:");
        }
        for (name, about) in members {
            let space = width - name.len();
            let _ = writeln!(out, "  {}{:space$}  {about}", paint(*command.get_styles().get_literal(), name), "");
        }
    }
    out
}
