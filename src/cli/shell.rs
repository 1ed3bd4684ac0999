//! What shells and manuals need: completions and man pages, made from the definitions of the commands themselves.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::exit;

use super::{Cli, output};

/// Prints completions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator completions bash > ~/.local/share/bash-completion/completions/rotator
  rotator completions zsh > \"${fpath[1]}/_rotator\"
  rotator completions fish > ~/.config/fish/completions/rotator.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes man pages.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rotator man ~/.local/share/man/man1 && man rotator-plan")]
pub struct Man {
    /// The folder to write them to, one a command; without it, the main one is printed
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints completions for a shell.
pub fn completions(arguments: &Completions) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "rotator", &mut text);
    output::verbatim(&String::from_utf8_lossy(&text))
}

/// Prints the main man page, or writes all of them.
pub fn man(arguments: &Man) -> u8 {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &arguments.folder else {
        return match page(&command) {
            Ok(text) => output::verbatim(&String::from_utf8_lossy(&text)),
            Err(error) => output::fail(&format!("cannot write the man page: {error}"), &[]),
        };
    };
    match std::fs::create_dir_all(folder).and_then(|()| write_pages(&command, "rotator", folder)) {
        Ok(()) => exit::OK,
        Err(error) => output::fail(&format!("cannot write man pages to `{}`: {error}", folder.display()), &[]),
    }
}

/// Writes the page of a command, and those of its subcommands.
fn write_pages(command: &Command, name: &str, folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        write_pages(subcommand, &format!("{name}-{}", subcommand.get_name()), folder)?;
    }
    Ok(())
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(text)
}
