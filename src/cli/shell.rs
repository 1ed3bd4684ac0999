//! What shells and manuals need: completions and man pages, made from the definitions of the commands themselves.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit;
use crate::render::command::shell_word;

use super::failure::Failure;
use super::output;

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

/// Prints completions for a shell, of this command and its subcommands.
pub fn completions(arguments: &Completions, mut command: Command) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "rotator", &mut text);
    output::verbatim(&String::from_utf8_lossy(&text))
}

/// Prints the main man page, or writes all of them.
pub fn man(arguments: &Man, mut command: Command) -> Result<u8, Failure> {
    command.build();
    let Some(folder) = &arguments.folder else {
        let text = page(&command).map_err(|error| Failure::new(format!("cannot write the man page: {error}")))?;
        return output::verbatim(&String::from_utf8_lossy(&text));
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| write_pages(&command, "rotator", folder));
    let failed = |error| Failure::new(format!("cannot write man pages to `{}`: {error}", folder.display()));
    written.map(|()| exit::OK).map_err(failed)
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

/// This very command, as a shell takes it, with more behind it; `endpoint`: where AWS is, as far as the command doesn't say so itself.
pub fn this_command(endpoint: Option<&str>, more: &[String]) -> String {
    let mut words: Vec<String> = vec!["rotator".to_owned()];
    words.extend(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
    let says = words.iter().any(|word| word == "--endpoint-url" || word.starts_with("--endpoint-url="));
    if let Some(endpoint) = endpoint.filter(|_| !says) {
        words.extend(["--endpoint-url".to_owned(), endpoint.to_owned()]);
    }
    words.extend_from_slice(more);
    words.iter().map(|text| shell_word(text)).collect::<Vec<_>>().join(" ")
}
