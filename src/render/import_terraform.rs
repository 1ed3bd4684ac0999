//! What an import from Terraform's state says: to Terraform, in files for it, and to people and programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::import::terraform::{Moves, State, Stays, Wrong};

use super::command::{quoted, shell_word};
use super::import::why;
use super::{count, safe, some_of};

/// How many addresses a line has.
const NAMES: usize = 5;

/// What gives a state as JSON, and leaves no file with the values in it behind.
const SHOW: &str = "terraform show -json | rotator import --from-terraform -";

/// What came of a state.
#[derive(Debug, Clone)]
pub struct FromTerraform<'a> {
    /// The state.
    pub state: &'a State,
    /// What moves of it.
    pub moves: &'a Moves,
    /// The file of `removed` blocks, by its path; `None`: there are none.
    pub removed: Option<String>,
    /// The file of commands.
    pub forgotten: Option<String>,
    /// The command that plans the manifest.
    pub plan: String,
    /// The command that tags what is adopted, where something is.
    pub apply: Option<String>,
    /// The document, where it is a file: it holds the values of secrets.
    pub document: Option<String>,
}

/// What is wrong with a document, and what makes the right one. `file`: its path; `None`: standard input.
pub fn wrong_words(wrong: &Wrong, file: Option<&str>) -> (String, Vec<String>) {
    let name = file.map_or_else(|| "standard input".to_owned(), |file| format!("`{}`", safe(file)));
    let right = || format!("in the folder of the configuration: `{SHOW}`");
    let (what, hints) = match wrong {
        Wrong::Io(error) => return (format!("cannot read {name}: {error}"), Vec::new()),
        Wrong::Nothing => ("is empty".to_owned(), vec![right()]),
        Wrong::Utf16 => (
            "is UTF-16, as PowerShell writes what is sent into a file".to_owned(),
            vec!["without such a file: `terraform show -json | rotator import --from-terraform -`".to_owned()],
        ),
        Wrong::NoJson(line, column) => {
            let hint = "what Terraform prints for people isn't read: ask it for JSON";
            (format!("is no JSON from line {line}, column {column} on"), vec![hint.to_owned(), right()])
        }
        Wrong::Truncated => ("ends in the middle: its JSON isn't whole".to_owned(), vec![right()]),
        Wrong::TooLarge(most) => (
            format!("is larger than {} GiB", most >> 30),
            vec!["import the states of parts of the fleet one after the other".to_owned()],
        ),
        Wrong::TooMany(most) => (
            format!("has more than {most} resources of rotation"),
            vec!["import the states of parts of the fleet one after the other".to_owned()],
        ),
        Wrong::Plan => (
            "is a plan, and not what Terraform manages by now".to_owned(),
            vec![format!("without the plan's file: `{SHOW}`")],
        ),
        Wrong::Log => ("is the log of a command with `-json`, not its result".to_owned(), vec![right()]),
        Wrong::StateFile(version) => {
            let version = version.map(|version| format!(" of version {version}")).unwrap_or_default();
            (
                format!("is Terraform's own state file{version}, which may change with each release"),
                vec![match file {
                    Some(file) => {
                        format!(
                            "`terraform show -json {} | rotator import --from-terraform -`",
                            shell_word(&safe(file))
                        )
                    }
                    None => right(),
                }],
            )
        }
        Wrong::Other => ("isn't what `terraform show -json` prints".to_owned(), vec![right()]),
        Wrong::Format(version) => {
            let version: String = version.chars().take(20).collect();
            let hint = "a later version of this program may read it";
            (format!("has the format {}; 0.1 to 1.x are known here", safe(&version)), vec![hint.to_owned()])
        }
        Wrong::Empty => (
            "is of a state without resources".to_owned(),
            vec![format!("choose the workspace in which they are managed; {}", right())],
        ),
        Wrong::Order => {
            let hint = "a program changed its order; of attributes without a type nothing is read, since they may be values of secrets";
            ("says a resource's attributes before its type".to_owned(), vec![hint.to_owned(), right()])
        }
    };
    (format!("{name} {what}"), hints)
}

/// A file of `removed` blocks.
pub fn removed_file(moves: &Moves) -> String {
    let mut out = String::from(
        "# Written by `rotator import --from-terraform`: by these blocks Terraform lets go, and destroys nothing.\n\
         # They go beside the root module's files, in the same change that deletes the blocks that they name, and can be\n\
         # deleted once that is applied in every workspace. Terraform 1.7 or newer.\n",
    );
    for (block, instances) in &moves.removed {
        out.push('\n');
        if block.starts_with("module.") {
            out.push_str("# Of a module: where its block can't be deleted, switch it off there, and run this in place of the block below:\n");
            for address in instances {
                let _ = writeln!(out, "#   {}", forget(address));
            }
        }
        let _ = writeln!(out, "removed {{\n  from = {block}\n\n  lifecycle {{\n    destroy = false\n  }}\n}}");
    }
    out
}

/// A file of commands by which Terraform lets go of single instances.
pub fn forgotten_file(moves: &Moves) -> String {
    let why = if moves.is_old {
        "this Terraform doesn't know `removed`, which 1.7 brought"
    } else {
        "other instances of their blocks stay, so that `removed` can't say it"
    };
    let mut out = format!(
        "# Written by `rotator import --from-terraform`: Terraform lets go of these, and destroys nothing; {why}.\n\
         # Run it where Terraform runs, then apply the change that takes them out of the configuration. No other run of\n\
         # Terraform may come between: it would set them anew, and AWS rotates a secret whose rotation is set.\n"
    );
    for address in &moves.forgotten {
        let _ = writeln!(out, "{}", forget(address));
    }
    out
}

fn forget(address: &str) -> String {
    format!("terraform state rm {}", quoted(address))
}

fn stays_words(stays: &Stays) -> String {
    match stays {
        Stays::LeftOut(left_out) => why(left_out),
        Stays::NotThere => "AWS doesn't have this secret".to_owned(),
        Stays::Filtered => "the filters leave it out".to_owned(),
        Stays::Elsewhere { account, region } => {
            format!("no target is in account {}, region {}", safe(account), safe(region))
        }
        Stays::Unclear => "its secret's ARN or its address can't be read".to_owned(),
    }
}

/// For people.
pub fn text(from: &FromTerraform<'_>) -> String {
    let (state, moves) = (from.state, from.moves);
    let version = state.version.as_ref().map(|version| format!(" {}", safe(version))).unwrap_or_default();
    let mut out = format!("Terraform{version}: {}\n", count(state.rotations(), "rotation"));
    if moves.moved > 0 {
        let _ = writeln!(out, "  move to the manifest: {}", moves.moved);
    }
    let mut reasons: BTreeMap<&Stays, Vec<&str>> = BTreeMap::new();
    for (address, why) in &moves.stays {
        reasons.entry(why).or_default().push(address);
    }
    for (why, addresses) in reasons {
        let shown = some_of(addresses.iter().copied(), NAMES);
        let _ = writeln!(out, "  stay with Terraform: {}: {}: {shown}", addresses.len(), stays_words(why));
    }
    if moves.moved > 0 {
        let functions = match moves.functions.len() {
            0 => String::new(),
            _ => format!(", and the functions {}", some_of(moves.functions.iter().map(String::as_str), NAMES)),
        };
        let secrets = count(state.secrets(), "secret");
        let _ = writeln!(out, "  what else stays with Terraform: {secrets}{functions}");
        out.push_str(&steps(from));
    }
    out
}

/// What is to be done, in which order.
fn steps(from: &FromTerraform<'_>) -> String {
    let moves = from.moves;
    let mut steps = vec![format!(
        "`{}`: {}",
        from.plan,
        match from.apply {
            Some(_) => "it tags the stacks that are adopted, and changes nothing else; don't apply it yet",
            None => "no changes",
        }
    )];
    if let Some(file) = &from.forgotten {
        steps.push(format!(
            "where Terraform runs: `sh {}`, and apply the next step before Terraform runs again",
            quoted(file)
        ));
    }
    let mut change = Vec::new();
    let blocks: Vec<&str> = moves.removed.keys().map(String::as_str).collect();
    if let Some(file) = &from.removed {
        change.push(format!("delete {}", some_of(blocks, NAMES)));
        change.push(format!("put {} beside the root module's files", safe(file)));
    }
    if !moves.forgotten.is_empty() {
        let shown = some_of(moves.forgotten.iter().map(String::as_str), NAMES);
        change.push(format!("let the configuration ask no more for {shown}"));
    }
    if !moves.arguments.is_empty() {
        let shown = some_of(moves.arguments.iter().map(String::as_str), NAMES);
        change.push(format!(
            "take `rotation_lambda_arn` and `rotation_rules` out of {shown}, which stops no rotation from version 2.67 of the provider on"
        ));
    }
    if !change.is_empty() {
        steps.push(format!(
            "in Terraform's configuration, in one change: {}; what refers to them (`depends_on`, outputs) changes too",
            change.join("; ")
        ));
    }
    steps.push("`terraform plan`: nothing to add, to change or to destroy; then `terraform apply`".to_owned());
    steps.push(match &from.apply {
        Some(apply) => format!("`{apply}`: from now on the manifest is where rotations are changed"),
        None => format!("`{}`: still no changes; from now on the manifest is where rotations are changed", from.plan),
    });
    steps.extend(
        from.document
            .as_ref()
            .map(|file| format!("delete {}: what Terraform knows of secrets' values is in it", safe(file))),
    );
    let mut out = String::from("In this order nothing rotates and nothing stops:\n");
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(out, "  {}. {step}", number + 1);
    }
    out
}

/// The published format.
#[derive(Serialize)]
pub(super) struct Section<'a> {
    version: Option<&'a str>,
    rotations: usize,
    moved: usize,
    removed: Vec<&'a str>,
    forgotten: Vec<&'a str>,
    arguments: Vec<&'a str>,
    functions: Vec<&'a str>,
    stays: Vec<Staying<'a>>,
}

#[derive(Serialize)]
struct Staying<'a> {
    address: &'a str,
    reason: &'static str,
    words: String,
}

impl<'a> Section<'a> {
    pub(super) fn of(from: &FromTerraform<'a>) -> Self {
        let texts = |all: &'a std::collections::BTreeSet<String>| all.iter().map(String::as_str).collect();
        let staying = |(address, stays): (&'a String, &'a Stays)| Staying {
            address,
            reason: match stays {
                Stays::LeftOut(left_out) => left_out.word(),
                Stays::NotThere => "not-there",
                Stays::Filtered => "filtered",
                Stays::Elsewhere { .. } => "elsewhere",
                Stays::Unclear => "unclear",
            },
            words: stays_words(stays),
        };
        Self {
            version: from.state.version.as_deref(),
            rotations: from.state.rotations(),
            moved: from.moves.moved,
            removed: from.moves.removed.keys().map(String::as_str).collect(),
            forgotten: texts(&from.moves.forgotten),
            arguments: texts(&from.moves.arguments),
            functions: texts(&from.moves.functions),
            stays: from.moves.stays.iter().map(staying).collect(),
        }
    }
}
