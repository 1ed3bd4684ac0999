//! `rotator import`.

mod code;
mod filters;
mod places;
mod terraform;
mod verify;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::facts;
use crate::exit;
use crate::import::terraform::{Moves, State, moves};
use crate::import::{Draft, Group, Place, Root, Wanted, draft, file_name, held, propose, unrotated};
use crate::model::account::TaggedSecret;
use crate::model::arn::is_in;
use crate::model::live::{Reading, Unread};
use crate::render::command::{Route, shell_word};
use crate::render::import::{FileReport, PlaceReport, Report, Unrotated};
use crate::render::import_files::{NewTarget, part, root};
use crate::render::import_terraform::FromTerraform;
use crate::render::words::unread_words;
use crate::render::{self, safe, some_of};

use super::failure::Failure;
use super::files::{self, NewFile};
use super::options::{Global, TextOrJson};
use super::output;
use super::view::View;
use code::Brought;
use filters::Filters;
use places::{Read, Standing};
use terraform::ForTerraform;

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
  terraform show -json | rotator import --from-terraform - fleet
                                                     what Terraform rotates, and how it lets go of that
  rotator import --rules                             a rule for each folder whose secrets rotate alike
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
    /// Only secrets whose rotation Terraform manages, by what `terraform show -json` prints (`-`: standard input); also writes
    /// how Terraform lets go of those rotations. Of that document ARNs and addresses are read, and no value
    #[arg(long, value_name = "FILE")]
    from_terraform: Option<PathBuf>,
    /// Write one rule of `select` for a folder of names whose secrets all rotate with one function and alike, in place of their entries
    #[arg(long)]
    rules: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the secrets that don't rotate, with the reason of each, and write nothing
    #[arg(long, conflicts_with_all = ["project", "into", "adopt", "code", "rules", "dry_run", "from_terraform"])]
    unrotated: bool,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: TextOrJson,
}

impl Arguments {
    /// Who reads what it says.
    pub fn view(&self) -> View {
        self.format.view()
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
    let state = arguments.from_terraform.as_deref().map(terraform::read).transpose()?;
    let (filtered, rotating) = (arguments.filters.test()?, state.as_ref().map(State::rotating));
    let passes = |secret: &TaggedSecret| {
        filtered(secret) && rotating.as_ref().is_none_or(|rotating| rotating.contains(&secret.record.arn))
    };
    let (session, standing, reads) = places::read(global, arguments, standing, state.as_ref(), &passes).await?;
    let (endpoint, sandbox) = session.lasting();
    let task = Import {
        arguments,
        path: &path,
        project: &project,
        into: into.as_deref(),
        standing: standing.as_ref(),
        state: state.as_ref(),
        route: Route { endpoint: endpoint.as_deref(), sandbox: sandbox.as_deref() },
    };
    let done = task.finish(reads, &passes).await;
    session.notices();
    session.close().await?;
    done
}

/// An import, once AWS was read.
struct Import<'a> {
    arguments: &'a Arguments,
    /// The root.
    path: &'a Path,
    project: &'a str,
    into: Option<&'a str>,
    standing: Option<&'a Standing>,
    /// What Terraform manages.
    state: Option<&'a State>,
    /// Where commands lead that are printed.
    route: Route<'a>,
}

impl Import<'_> {
    /// Drafts of what was read, and writes, or prints.
    async fn finish(&self, reads: Vec<Read>, passes: &(impl Fn(&TaggedSecret) -> bool + Sync)) -> Result<u8, Failure> {
        let Self { arguments, path, standing, .. } = *self;
        let is_some = |read: &Read| read.account.secrets.iter().any(passes);
        if (arguments.filters.is_some() || self.state.is_some()) && !reads.iter().any(is_some) {
            return Err(self.nothing(&reads));
        }
        let (reads, same) = places::apart(reads);
        let places: Vec<Place<'_>> = reads.iter().map(Read::place).collect();
        let wanted = Wanted {
            project: self.project,
            adopts: arguments.adopt,
            targets: standing.map_or(reads.len(), |standing| standing.targets),
            root: standing.map_or(Root::Fresh, |standing| standing.root.clone()),
            taken: standing.map(|standing| standing.taken.clone()).unwrap_or_default(),
            passes,
            terraform: self.state,
        };
        if arguments.unrotated {
            return print_unrotated(arguments, &places, &wanted);
        }
        say_unread(&reads);
        let mut found = draft(&places, &wanted);
        if arguments.rules {
            propose(&mut found, &places, &wanted);
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let parts = folder_of_parts(self.into, standing);
        let code =
            if arguments.code { code::bring(&reads, &mut found, &folder, &parts).await } else { Brought::default() };
        for (handle, why) in &code.left {
            output::warn(&format!("the code of {handle} stays where it is: {why}"), &[]);
        }
        let mut composed = compose(path, self.project, &parts, standing, &reads, &found);
        let has_parts = !composed.files.is_empty();
        composed.files.splice(0..0, code.files);
        let moves = self.state.map(|state| (state, moves(state, &places, &found.places, passes)));
        let from =
            moves.as_ref().map(|(state, moves)| self.ends_in_terraform(state, moves, &found, &mut composed.files));
        if !arguments.dry_run {
            let written = files::write(&folder, &composed.files)?;
            if composed.to_include.is_none()
                && has_parts
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
        let place = |(read, outcome)| {
            let Read { target, account, .. }: &Read = read;
            PlaceReport { target: target.as_deref(), account: &account.account, region: &account.region, outcome }
        };
        let report = Report {
            places: reads.iter().zip(&found.places).map(place).collect(),
            same,
            files: std::mem::take(&mut composed.files).into_iter().map(shown).collect(),
            is_dry: arguments.dry_run,
            to_include: composed.to_include,
            terraform: from,
            rules: arguments.rules.then(|| held(&found)),
        };
        print(arguments, &report)
    }

    /// Adds the files for Terraform, and says what came of its state.
    fn ends_in_terraform<'m>(
        &self,
        state: &'m State,
        moves: &'m Moves,
        found: &Draft,
        files: &mut Vec<NewFile>,
    ) -> FromTerraform<'m> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let ForTerraform { removed, forgotten } = terraform::compose(folder, moves, files);
        let shown = |path: PathBuf| folder.join(path).to_string_lossy().into_owned();
        let root = self.arguments.path.as_ref().map(|path| format!(" {}", shell_word(&path.to_string_lossy())));
        let command = |name: &str| self.route.command(&format!("{name}{}", root.as_deref().unwrap_or_default()));
        let adopts = found.places.iter().any(|place| !place.adopted.is_empty());
        FromTerraform {
            state,
            moves,
            removed: removed.map(shown),
            forgotten: forgotten.map(shown),
            plan: command("plan"),
            // Several targets at once are asked for by name.
            apply: adopts.then(|| command(if found.places.len() > 1 { "apply --all-targets" } else { "apply" })),
            document: self.arguments.from_terraform.as_deref().and_then(terraform::document),
        }
    }

    /// No secret is meant.
    fn nothing(&self, reads: &[Read]) -> Failure {
        let Some(state) = self.state else {
            return Failure::new("no secret passes the filters")
                .hint("`*` stands for any characters; without filters, the report counts all secrets");
        };
        let place = |account: &str, region: &str| format!("{account} in {region}");
        let theirs: Vec<String> = state.places().iter().map(|(account, region)| place(account, region)).collect();
        let here: Vec<(&str, &str)> =
            reads.iter().map(|read| (read.account.account.as_str(), read.account.region.as_str())).collect();
        let ours: Vec<String> = here.iter().map(|(account, region)| place(account, region)).collect();
        let is_there = |(account, region): &(String, String)| here.contains(&(account.as_str(), region.as_str()));
        let is_account = |(account, _): &(String, String)| here.iter().any(|(own, _)| own == account);
        let what_to_do = match state.places() {
            places if places.iter().any(is_there) => "is it the newest state? Filters may leave secrets out, too",
            places if places.iter().any(is_account) && self.standing.is_none() => {
                "without `--region` and `--regions`, Terraform's own regions are read"
            }
            places if places.iter().any(is_account) => "the root has no target in that region: add one",
            _ => "use credentials of that account; of several accounts, a root with a target for each",
        };
        Failure::new("of the rotations in Terraform's state, none is of a secret that is read here")
            .hint(format!("Terraform's are in {}", some_of(theirs.iter().map(String::as_str), 5)))
            .hint(format!("read was {}", some_of(ours.iter().map(String::as_str), 5)))
            .hint(what_to_do)
    }
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
    if arguments.format == TextOrJson::Json {
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
        TextOrJson::Json => output::data(&render::import::unrotated_json(&found)),
        TextOrJson::Text if found.iter().all(|(_, secrets)| secrets.is_empty()) => {
            output::say("Every secret rotates that could.");
            Ok(exit::OK)
        }
        TextOrJson::Text => output::data(&render::import::unrotated_text(&found)),
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
    let groups: Vec<&Group> =
        found.groups.iter().filter(|group| !group.secrets.is_empty() || !group.select.is_empty()).collect();
    let mut composed = Composed { files: Vec::new(), to_include: None };
    if groups.is_empty() {
        return composed;
    }
    let name_of = |group: &Group| group.handle.as_deref().map_or_else(|| "without-function".to_owned(), file_name);
    for group in groups {
        let prefix = standing.map_or("", |standing| standing.prefix(parts));
        let at = files::free(folder, parts, &format!("{prefix}{}", name_of(group)), ".yaml", &composed.files);
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
