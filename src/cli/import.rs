//! `rotator import`.

mod code;
mod files;
mod filters;
mod places;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::config::facts;
use crate::exit;
use crate::import::{Draft, Group, Place, Root, Wanted, draft, file_name, unrotated};
use crate::model::account::TaggedSecret;
use crate::model::arn::is_in;
use crate::model::live::{Reading, Unread};
use crate::render::import::{FileReport, PlaceReport, Report, Unrotated};
use crate::render::import_files::{NewTarget, part, root};
use crate::render::words::unread_words;
use crate::render::{self, safe};

use super::failure::Failure;
use super::options::Global;
use super::output;
use super::view::View;
use code::Brought;
use files::NewFile;
use filters::Filters;
use places::{Read, Standing};

/// The folder of new parts, where the root includes none that they could lie in.
const FOLDER: &str = "imported";

/// Writes manifests of what rotates on AWS already: their plan is empty.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads AWS, and writes files that aren't there yet. Where a root stands, it is left alone: what it doesn't name yet
becomes new parts beside it. What can't be managed is left out, and said with its reason.

Examples:
  rotator import                                     all of the account and region, into ./rotator.yaml and parts
  rotator import --regions eu-west-1,us-east-1 fleet     a target for each region
  rotator import --name 'payments/*' --dry-run
  rotator import --adopt                             functions of AWS's generic template become the project's own
  rotator import --unrotated                         what doesn't rotate"
)]
pub struct Arguments {
    /// The root manifest, or the folder of its `rotator.yaml`; written where it isn't there [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The project's name in a new root [default: the name of its folder]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The regions of a new root, a target for each; separated by commas, or repeatable [default: the one of `--region`, or AWS's own]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    regions: Vec<String>,
    /// The folder of new parts, below the root's [default: one that the root includes, else `imported`]
    #[arg(long, value_name = "FOLDER")]
    into: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Write functions of stacks of AWS's generic template as the project's own: the plan tags their stacks, and nothing else
    #[arg(long)]
    adopt: bool,
    /// With `--adopt`: bring their live code too, where it holds no credentials, into folders beside the parts
    #[arg(long, requires = "adopt")]
    code: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the secrets that don't rotate, with the reason of each, and write nothing
    #[arg(long, conflicts_with_all = ["project", "into", "adopt", "code", "dry_run"])]
    unrotated: bool,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For programs
    Json,
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        if self.format == Format::Json { View::Document } else { View::Text }
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    let path = root_path(arguments.path.as_deref());
    let standing = Standing::at(&path)?;
    let into = arguments.into.as_deref().map(checked_folder).transpose()?;
    let project = match &standing {
        Some(standing) => standing.project.clone(),
        None => project(arguments.project.as_deref(), &path)?,
    };
    if let (Some(_), Some(option)) = (&standing, only_for_new(arguments)) {
        let summary = format!("`{option}` is about a new root, and `{}` is there", output::path(&path));
        return Err(
            Failure::new(summary).hint("change the root by hand: import writes only files that aren't there yet")
        );
    }
    let passes = arguments.filters.test()?;
    let (session, standing, reads) = places::read(global, arguments, standing, &passes).await?;
    let done = finish(arguments, (&path, &project, into.as_deref()), standing.as_ref(), reads, &passes).await;
    session.notices();
    session.close().await?;
    done
}

/// Drafts of what was read, and writes, or prints.
async fn finish(
    arguments: &Arguments,
    (path, project, into): (&Path, &str, Option<&str>),
    standing: Option<&Standing>,
    reads: Vec<Read>,
    passes: &(impl Fn(&TaggedSecret) -> bool + Sync),
) -> Result<u8, Failure> {
    if arguments.filters.is_some() && !reads.iter().any(|read| read.account.secrets.iter().any(passes)) {
        return Err(Failure::new("no secret passes the filters")
            .hint("`*` stands for any characters; without filters, the report counts all secrets"));
    }
    let (reads, same) = places::apart(reads);
    let places: Vec<Place<'_>> = reads.iter().map(Read::place).collect();
    let wanted = Wanted {
        project,
        adopts: arguments.adopt,
        targets: standing.map_or(reads.len(), |standing| standing.targets),
        root: standing.map_or(Root::Fresh, |standing| standing.root.clone()),
        taken: standing.map(|standing| standing.taken.clone()).unwrap_or_default(),
        passes,
    };
    if arguments.unrotated {
        return print_unrotated(arguments, &places, &wanted);
    }
    say_unread(&reads);
    let mut found = draft(&places, &wanted);
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let parts = folder_of_parts(into, standing);
    let code = if arguments.code { code::bring(&reads, &mut found, &folder, &parts).await } else { Brought::default() };
    for (handle, why) in &code.left {
        output::warn(&format!("the code of {handle} stays where it is: {why}"), &[]);
    }
    let mut composed = compose(path, project, &parts, standing, &reads, &found);
    composed.files.splice(0..0, code.files);
    if !arguments.dry_run {
        let written = files::write(&folder, &composed.files)?;
        if composed.to_include.is_none()
            && !composed.files.is_empty()
            && let Err(failure) = verify::verify(path, &reads, &found)
        {
            written.undo();
            return Err(failure);
        }
    }
    let shown = |file: NewFile| FileReport {
        path: folder.join(&file.path).to_string_lossy().into_owned(),
        content: if arguments.dry_run { String::from_utf8(file.content).ok() } else { None },
    };
    let report = Report {
        places: reads
            .iter()
            .zip(&found.places)
            .map(|(read, outcome)| PlaceReport {
                target: read.target.as_deref(),
                account: &read.account.account,
                region: &read.account.region,
                outcome,
            })
            .collect(),
        same,
        files: std::mem::take(&mut composed.files).into_iter().map(shown).collect(),
        is_dry: arguments.dry_run,
        to_include: composed.to_include,
    };
    print(arguments, &report)
}

/// Says which functions of the own account couldn't be read; that others' can't is no surprise.
fn say_unread(reads: &[Read]) {
    for Read { account, .. } in reads {
        let unread: Vec<(&String, &Unread)> = account
            .functions
            .iter()
            .filter(|(arn, _)| is_in(arn, &account.account, &account.region))
            .filter_map(|(arn, function)| match &function.configuration {
                Reading::Unread(unread) => Some((arn, unread)),
                Reading::Found(live) => live.tags.as_ref().err().map(|unread| (arn, unread)),
                Reading::Absent => None,
            })
            .collect();
        if let Some((arn, first)) = unread.first() {
            let more = if unread.len() > 1 { format!(", and {} more", unread.len() - 1) } else { String::new() };
            let hint = "they are written all the same; who made them, and whose they are, isn't known";
            output::warn(&format!("{arn} couldn't be read{more}: {}", unread_words(first)), &[hint.to_owned()]);
        }
    }
}

/// The option that only means something for a root that is written.
fn only_for_new(arguments: &Arguments) -> Option<&'static str> {
    match (&arguments.project, &arguments.regions[..]) {
        (Some(_), _) => Some("--project"),
        (None, [_, ..]) => Some("--regions"),
        (None, []) => None,
    }
}

/// Prints the report, and before it, where nothing is written, the files.
fn print(arguments: &Arguments, report: &Report<'_>) -> Result<u8, Failure> {
    if arguments.format == Format::Json {
        return output::data(&render::import::json(report));
    }
    if !arguments.dry_run {
        return output::data(&render::import::text(report));
    }
    let one =
        |file: &FileReport| format!("# --- {}\n{}", safe(&file.path), file.content.as_deref().unwrap_or_default());
    let files: Vec<String> = report.files.iter().map(one).collect();
    output::say(&render::import::text(report));
    output::data(&files.join("\n"))
}

fn print_unrotated(arguments: &Arguments, places: &[Place<'_>], wanted: &Wanted<'_>) -> Result<u8, Failure> {
    let found: Vec<(String, Unrotated)> =
        places.iter().map(|place| (place.account.region.clone(), unrotated(place, wanted))).collect();
    match arguments.format {
        Format::Json => output::data(&render::import::unrotated_json(&found)),
        Format::Text if found.iter().all(|(_, secrets)| secrets.is_empty()) => {
            output::say("Every secret rotates that could.");
            Ok(exit::OK)
        }
        Format::Text => output::data(&render::import::unrotated_text(&found)),
    }
}

/// The root that a path means: a folder's `rotator.yaml`, whether the folder is there or not.
fn root_path(path: Option<&Path>) -> PathBuf {
    let Some(path) = path else { return PathBuf::from("rotator.yaml") };
    let is_file = path.is_file() || path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if is_file && !path.is_dir() { path.to_owned() } else { path.join("rotator.yaml") }
}

/// The project's name in a new root.
fn project(stated: Option<&str>, path: &Path) -> Result<String, Failure> {
    if let Some(name) = stated {
        return match facts::project_name(name).filter(|clean| clean == name) {
            Some(name) => Ok(name),
            None => Err(Failure::new(format!("`{}` is no project's name", safe(name)))
                .hint("it holds letters, digits and `._-`, and starts with a letter or digit")),
        };
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    Ok(facts::project_name(&folder).unwrap_or_else(|| "rotation".to_owned()))
}

/// A folder for parts: plain names below the root's.
fn checked_folder(folder: &str) -> Result<String, Failure> {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(plain);
    if folder.split('/').all(is_plain) {
        return Ok(folder.to_owned());
    }
    Err(Failure::new(format!("`--into {}` is no folder for parts", safe(folder)))
        .hint("it lies below the root's folder, and its names hold letters, digits and `._-`"))
}

/// What is to be written, by paths from the root's folder.
struct Composed {
    files: Vec<NewFile>,
    /// The pattern that a standing root has to include.
    to_include: Option<String>,
}

/// The folder of new parts, from the root's.
fn folder_of_parts(into: Option<&str>, standing: Option<&Standing>) -> String {
    let included = || standing.and_then(Standing::folder_of_parts);
    into.map(str::to_owned).or_else(included).unwrap_or_else(|| FOLDER.to_owned())
}

/// Puts the files together: parts first, so that no root ever stands without them.
fn compose(
    path: &Path,
    project: &str,
    parts: &str,
    standing: Option<&Standing>,
    reads: &[Read],
    found: &Draft,
) -> Composed {
    let folder = path.parent().unwrap_or(Path::new(""));
    let groups: Vec<&Group> = found.groups.iter().filter(|group| !group.secrets.is_empty()).collect();
    let mut composed = Composed { files: Vec::new(), to_include: None };
    if groups.is_empty() {
        return composed;
    }
    let name_of = |group: &Group| group.handle.as_deref().map_or_else(|| "without-function".to_owned(), file_name);
    for group in groups {
        let prefix = standing.map_or("", |standing| standing.prefix(parts));
        let at = files::free(folder, parts, &format!("{prefix}{}", name_of(group)), &composed.files);
        composed.files.push(NewFile::text(at, part(group)));
    }
    let pattern = format!("{parts}/*.yaml");
    if let Some(standing) = standing {
        let is_in = |file: &NewFile| standing.takes_in(&file.path);
        composed.to_include = (!composed.files.iter().all(is_in)).then_some(pattern);
    } else {
        let target = |read: &Read| NewTarget {
            name: read.target.clone().unwrap_or_default(),
            region: read.account.region.clone(),
            account: read.account.account.clone(),
        };
        let targets: Vec<NewTarget> = reads.iter().map(target).collect();
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        composed.files.push(NewFile::text(name, root(project, &pattern, &targets, found)));
    }
    composed
}
