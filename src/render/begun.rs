//! What a function was begun with, and what its author does next: commands that work when they are followed.

use std::fmt::Write as _;
use std::path::Path;

use super::command::shell_word;
use super::{count, safe};

/// What was begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// The folder.
    pub into: &'a Path,
    /// Its files, each with what it is.
    pub files: &'a [(&'a str, &'a str)],
    /// The function's file.
    pub code: &'a str,
    /// The two functions in it that its author replaces.
    pub own: [&'a str; 2],
    /// The secret's name.
    pub secret: &'a str,
    /// Whether this system has the sandbox.
    pub has_sandbox: bool,
}

/// The report.
pub fn text(begun: &Begun<'_>) -> String {
    let Begun { into, files, code, own: [first, second], secret, has_sandbox } = begun;
    let folder = safe(&into.to_string_lossy()).into_owned();
    let width = files.iter().map(|(path, _)| path.len()).max().unwrap_or_default();
    let mut text = format!("Wrote {} into {folder}\n\n", count(files.len(), "file"));
    for (path, about) in *files {
        let _ = writeln!(text, "  {path:width$}  {about}");
    }
    let is_here = into.as_os_str() == ".";
    let mut commands = Vec::new();
    if !is_here {
        commands.push(format!("cd {}", shell_word(&folder)));
    }
    if *has_sandbox {
        text += "\nTry it, on an AWS that lives in this program:\n\n";
        commands.extend(["rotator test".to_owned(), "rotator apply --sandbox".to_owned()]);
    } else {
        text += "\nLook at it (the AWS that lives in this program, for rehearsals, needs Unix):\n\n";
        commands.push("rotator validate".to_owned());
    }
    for command in commands {
        let _ = writeln!(text, "  {command}");
    }
    let _ = write!(
        text,
        "\nThen make it yours: replace `{first}` and `{second}` in {code}, and `test` in rotator.yaml.\n\
         On AWS, the secret `{}` exists before, with a value of the form that rotator.yaml describes:\n\n  rotator plan\n  rotator apply\n",
        safe(secret)
    );
    text
}
