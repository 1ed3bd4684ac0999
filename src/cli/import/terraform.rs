//! An import from Terraform's state: reading the document, and the files by which Terraform lets go.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crate::import::terraform::{self, Moves, State, Wrong};
use crate::render::import_terraform::{forgotten_file, removed_file, wrong_words};

use super::super::failure::Failure;
use super::super::output;
use super::files::{self, NewFile};

/// Standard input's name on the command line.
const STANDARD_INPUT: &str = "-";

/// Reads what `terraform show -json` prints, from a file or standard input.
pub fn read(file: &Path) -> Result<State, Failure> {
    let is_stdin = file == Path::new(STANDARD_INPUT);
    if is_stdin && std::io::stdin().is_terminal() {
        return Err(Failure::new("`--from-terraform -` reads standard input, and that is a terminal")
            .hint("`terraform show -json | rotator import --from-terraform -`"));
    }
    let name = file.to_string_lossy();
    let read = if is_stdin {
        terraform::read(std::io::stdin().lock())
    } else if file.is_dir() {
        return Err(Failure::new(format!("`{}` is a folder, and no file", output::path(file)))
            .hint("in it: `terraform show -json | rotator import --from-terraform -`"));
    } else {
        File::open(file).map_err(Wrong::Io).and_then(terraform::read)
    };
    let state = read.map_err(|wrong| {
        let (summary, hints) = wrong_words(&wrong, (!is_stdin).then_some(&*name));
        Failure::new(summary).hints(hints)
    })?;
    if state.rotations() == 0 {
        return Err(Failure::new("this state of Terraform has no rotation").hint(
            "`aws_secretsmanager_secret_rotation` is looked for; of several states, give the one that has them",
        ));
    }
    Ok(state)
}

/// The document as people are told of it, where it is a file that stays behind.
pub fn document(file: &Path) -> Option<String> {
    file.is_file().then(|| file.to_string_lossy().into_owned())
}

/// Where the files for Terraform are, from the root's folder.
#[derive(Debug, Default)]
pub struct ForTerraform {
    /// The file of `removed` blocks.
    pub removed: Option<PathBuf>,
    /// The file of commands.
    pub forgotten: Option<PathBuf>,
}

/// Adds the files for Terraform to those that are to be written: one that is there with the same words is left as it is.
pub fn compose(folder: &Path, moves: &Moves, all: &mut Vec<NewFile>) -> ForTerraform {
    let mut one = |is_needed: bool, name: &str, end: &str, text: String| {
        is_needed.then(|| {
            let same = folder.join(format!("{name}{end}"));
            if std::fs::read(&same).is_ok_and(|there| there == text.as_bytes()) {
                return PathBuf::from(format!("{name}{end}"));
            }
            let path = files::free(folder, "", name, end, all);
            all.push(NewFile::text(path.clone(), text));
            path
        })
    };
    ForTerraform {
        removed: one(!moves.removed.is_empty(), "rotator-removed", ".tf", removed_file(moves)),
        forgotten: one(!moves.forgotten.is_empty(), "rotator-state-rm", ".sh", forgotten_file(moves)),
    }
}
