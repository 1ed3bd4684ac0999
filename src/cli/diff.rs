//! `rotator diff`.

mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use clap::{Args, ValueEnum};
use similar::DiffOp;

use crate::config::{Ambient, Manifest};
use crate::exit;
use crate::git::{Ambiguous, Attributes, Commit, Repository, RevisionError, Stop};
use crate::plan::diff::{Own, compare, group, guards};
use crate::render::diff::{self as render, ChangedFile, ComparedManifest, Comparison, Conversion, Presence};
use crate::render::lines as render_lines;
use crate::render::{WARNING, count, paint, safe};

use super::failure::Failure;
use super::filter::Filter;
use super::offline::placeholders;
use super::options::{Global, whole};
use super::output;
use super::view::View;
use side::Side;

/// Says what a change of the manifests means after expansion: without AWS, without credentials, and without running anything
/// that the repository brings along.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  rotator diff                                  the working tree against HEAD
  rotator diff main...                          what a topic branch changed since it left main
  rotator diff v1.4..v1.5 manifests/payments    two revisions of one manifest
  rotator diff -- manifests/payments            HEAD, of one manifest")]
pub struct Arguments {
    /// What to compare with the working tree [default: HEAD]; or two revisions, `A..B`; `A...B` compares B with where it left A
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Root manifests, or folders that hold a `rotator.yaml` [default: ./rotator.yaml]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same, without a revision before them
    #[arg(value_name = "PATH", last = true)]
    more: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit with 2 where the manifests differ in meaning
    #[arg(long)]
    detailed_exitcode: bool,
    /// Give up after so many seconds: a revision may hold more than anybody waits for
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = |text: &str| whole::<u64>(text, 1..=86_400))]
    time_limit: u64,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people at a terminal
    Text,
    /// For a comment on a pull request
    Markdown,
    /// For programs
    Json,
}

/// After how long it is said that a comparison takes long, and when it ends.
const LONG: Duration = Duration::from_secs(10);

impl Arguments {
    /// Who reads.
    pub fn view(&self) -> View {
        if self.format == Format::Json { View::Document } else { View::Text }
    }
}

/// Runs it.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<u8, Failure> {
    // Before there is anything that a signal could leave behind.
    let mut stops = output::Stops::listen();
    let folder = scratch().map_err(|error| Failure::new(format!("cannot make a temporary folder: {error}")))?;
    let stop = Stop::default();
    let mut compared = {
        let (global, arguments, stop) = (global.clone(), arguments.clone(), stop.clone());
        let scratch = folder.path().to_owned();
        // What it does waits for files and for Git; meanwhile signals are heard, and the time is looked at.
        tokio::task::spawn_blocking(move || diff(&global, &arguments, &scratch, &stop))
    };
    let limit = Duration::from_secs(arguments.time_limit);
    let mut late = std::pin::pin!(tokio::time::sleep(limit));
    let mut long = std::pin::pin!(tokio::time::sleep(LONG));
    let mut is_long = false;
    let ended = loop {
        tokio::select! {
            result = &mut compared => {
                if let Err(left) = remove(folder, &mut stops, late.as_mut()).await {
                    return Ok(left);
                }
                return result.map_err(|error| Failure::new(format!("the comparison ended early: {error}")))?;
            }
            _ = stops.next() => {
                output::say("interrupted; nothing was changed");
                break Ok(exit::INTERRUPTED);
            }
            () = &mut late => break Err(given_up(limit)),
            () = &mut long, if !is_long && limit > LONG => {
                is_long = true;
                output::say(&format!("reading the manifests; this is given up after {} seconds", limit.as_secs()));
            }
        }
    };
    stop.ask();
    // Nothing may be written any more while the folder is removed; but what hangs can't keep it.
    let _ = tokio::time::timeout(Duration::from_secs(2), compared).await;
    // Its time is over.
    if let Err(left) = remove(folder, &mut stops, std::future::ready(())).await {
        return Ok(left);
    }
    ended
}

fn given_up(limit: Duration) -> Failure {
    let time = count(usize::try_from(limit.as_secs()).unwrap_or(usize::MAX), "second");
    Failure::new(format!("the comparison takes more than {time}, and was given up"))
        .hint("compare fewer manifests, or a part: `rotator diff REV PATH`, `--target WHAT`")
        .hint(format!("wait longer: `--time-limit {}`", limit.as_secs().saturating_mul(5).min(86_400)))
}

/// A folder that no other user can look into: code that isn't public may be written there.
fn scratch() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("rotator-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// How long the folder may still take to go once an end was asked for, or its time is over.
const GRACE: Duration = Duration::from_secs(10);

/// Removes the folder with all that is in it, even while something is still being written. That takes long where it holds much;
/// meanwhile signals are heard, and the time is looked at. The error is the exit code of who didn't wait for it.
async fn remove(
    folder: tempfile::TempDir,
    stops: &mut output::Stops,
    late: impl Future<Output = ()>,
) -> Result<(), u8> {
    let path = folder.keep();
    let mut removal = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || removed(&path))
    };
    let left = || output::say(&format!("the temporary folder {} can't be removed", output::path(&path)));
    let is_asked = tokio::select! {
        done = &mut removal => {
            if !done.unwrap_or(false) {
                left();
            }
            return Ok(());
        }
        _ = stops.next() => true,
        () = late => false,
    };
    if is_asked {
        output::say("interrupted; removing the temporary folder");
    }
    if !tokio::time::timeout(GRACE, removal).await.is_ok_and(|done| done.unwrap_or(false)) {
        left();
    }
    if is_asked { Err(exit::INTERRUPTED) } else { Ok(()) }
}

fn removed(path: &Path) -> bool {
    for _ in 0..40 {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(50)),
            _ => return true,
        }
    }
    false
}

impl From<RevisionError> for Failure {
    fn from(error: RevisionError) -> Self {
        // Why it was stopped was said where that was asked for.
        if error.is_stopped { Self::said(exit::INTERRUPTED) } else { Self::new(error.summary).hints(error.hints) }
    }
}

fn diff(global: &Global, arguments: &Arguments, scratch: &Path, stop: &Stop) -> Result<u8, Failure> {
    let filter = Filter::new(&global.target)?;
    let mut paths: Vec<PathBuf> = arguments.paths.iter().chain(&arguments.more).cloned().collect();
    if paths.is_empty() {
        paths.push(PathBuf::from("rotator.yaml"));
    }
    let repository = Repository::of(&paths[0], stop.clone())?;
    let range = Range::read(&repository, arguments.revision.as_deref().unwrap_or("HEAD"))?;
    range.ambiguous.iter().for_each(say_ambiguous);
    let mut places = BTreeMap::new();
    for path in paths {
        places.entry(repository.place(&path)?).or_insert(path);
    }
    let (first, second) = (scratch.join("before"), scratch.join("after"));
    for folder in [&first, &second] {
        let failed = |error| RevisionError::new(format!("cannot write into the temporary folder: {error}"));
        std::fs::create_dir(folder).map_err(failed)?;
    }
    let before = Side::of_commit(&repository, &range.before, &places, &first, stop);
    let after = match &range.after {
        Some(commit) => Side::of_commit(&repository, commit, &places, &second, stop),
        None => Side::of_working_tree(&repository, &places, &second, stop),
    };
    // Both are loaded before either is given up on: all problems are said at once.
    let (before, after) = (before?, after?);
    let (before, after) = match (before.load(), after.load()) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(one), Err(other)) => return Err(one.and(other)),
        (Err(failure), _) | (_, Err(failure)) => return Err(failure),
    };
    if before.manifests.is_empty() && after.manifests.is_empty() {
        let shown: Vec<String> = places.values().map(|path| format!("`{}`", output::path(path))).collect();
        let summary = format!("there is no manifest at {} on either side", shown.join(", "));
        return Err(Failure::new(summary).hint("name the manifest, or a folder with a `rotator.yaml`"));
    }
    filter.check_targets(before.manifests.iter().chain(&after.manifests).map(|(_, manifest)| manifest))?;
    let mut comparison = comparison(global, &filter, &before, &after)?;
    let said = |Ambiguous { name, taken, others }| render::Ambiguous { name, taken, others };
    comparison.ambiguous = range.ambiguous.into_iter().map(said).collect();
    let text = match arguments.format {
        Format::Text => render::text(&comparison),
        Format::Markdown => render::markdown(&comparison),
        Format::Json => render::json(&comparison),
    };
    let shown = output::data(&text)?;
    for place in &before.submodules() | &after.submodules() {
        output::say(&format!(
            "note: {} is a submodule: its files aren't in this repository's revisions, and weren't compared",
            output::path(&place)
        ));
    }
    let differs = !comparison.is_empty() && arguments.detailed_exitcode;
    Ok(if shown == exit::OK && differs { exit::CHANGES } else { shown })
}

/// What is compared with what.
struct Range {
    before: Commit,
    /// `None`: the working tree.
    after: Option<Commit>,
    /// Names that mean more than one thing.
    ambiguous: Vec<Ambiguous>,
}

impl Range {
    fn read(repository: &Repository, text: &str) -> Result<Self, RevisionError> {
        if matches!(text, "." | "..") || text.starts_with("./") || text.starts_with("../") || text.starts_with('/') {
            return Err(RevisionError::new(format!("`{text}` is a path, and a revision comes first"))
                .hint(format!("name both:\n  rotator diff HEAD {text}")));
        }
        let or_head = |text: &str| if text.is_empty() { "HEAD".to_owned() } else { text.to_owned() };
        let mut ambiguous = Vec::new();
        let mut commit = |text: &str| -> Result<Commit, RevisionError> {
            let (commit, also) = repository.commit(text)?;
            ambiguous.extend(also.filter(|also| !ambiguous.contains(also)));
            Ok(commit)
        };
        let (before, after) = if let Some((one, other)) = text.split_once("...") {
            let (one, other) = (commit(&or_head(one))?, commit(&or_head(other))?);
            (repository.merge_base(&one, &other)?, Some(other))
        } else if let Some((one, other)) = text.split_once("..") {
            let other = commit(&or_head(other))?;
            (commit(&or_head(one))?, Some(other))
        } else {
            (commit(text)?, None)
        };
        Ok(Self { before, after, ambiguous })
    }
}

/// Says that another commit than was meant may be compared, and how to name the other one.
fn say_ambiguous(ambiguous: &Ambiguous) {
    let text = format!(
        "{} `{}` is ambiguous: `{}` is compared; to compare another, write {}",
        paint(WARNING, "warning:"),
        safe(&ambiguous.name),
        safe(&ambiguous.taken),
        ambiguous.others.iter().map(|other| format!("`{}`", safe(other))).collect::<Vec<_>>().join(" or ")
    );
    output::say(&text);
}

fn comparison(global: &Global, filter: &Filter, before: &Side, after: &Side) -> Result<Comparison, Failure> {
    let ambient = placeholders(global);
    let mut manifests = Vec::new();
    let mut placeholders = false;
    let mut matched = BTreeSet::new();
    let mut code = BTreeSet::new();
    for (old, new) in pairs(&before.manifests, &after.manifests) {
        let mut resolve = |side: &Side, one: Sided<'_>| match one {
            Some((_, manifest)) => side.resolve(manifest, &ambient, filter, &mut matched, &mut code),
            None => Ok(Vec::new()),
        };
        let (was, is) = (resolve(before, old)?, resolve(after, new)?);
        let groups = group(compare(&was, &is));
        let guards = guards(own_guards(old), own_guards(new), Utc::now().date_naive());
        let (Some((place, manifest)), false) = (new.or(old), groups.is_empty() && guards.is_empty()) else { continue };
        let presence = match (old, new) {
            (Some((from, _)), Some((to, _))) if from != to => Presence::Moved { from: from.display().to_string() },
            (Some(_), Some(_)) => Presence::Both,
            (None, _) => Presence::New,
            (_, None) => Presence::Gone,
        };
        placeholders |= was.iter().chain(&is).any(|one| one.target.account.is_none() || one.target.region.is_none());
        let (path, project) = (place.display().to_string(), manifest.project().to_owned());
        manifests.push(ComparedManifest { path, project, presence, guards, groups });
    }
    if let Some(missing) = filter.resources().find(|text| !matched.contains(*text)) {
        return Err(Failure::new(format!("`--target {missing}` matches nothing on either side")));
    }
    let named = |ambient: Ambient| ambient.region.zip(ambient.account);
    Ok(Comparison {
        before: before.name.clone(),
        after: after.name.clone(),
        files: changed_files(&before.files(), &after.files()),
        manifests,
        conversions: conversions(&before.attributes(&code)?, &after.attributes(&code)?),
        ambiguous: Vec::new(),
        placeholders: placeholders.then_some(ambient).and_then(named),
    })
}

/// What a checkout changes on either side. Attributes that change nothing on most machines are said where they differ: most
/// repositories have some.
fn conversions(before: &Attributes, after: &Attributes) -> Vec<Conversion> {
    let names = |all: &BTreeSet<PathBuf>| all.iter().map(|place| place.display().to_string()).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (is_changing, before, after) in
        [(true, &before.changing, &after.changing), (false, &before.depending, &after.depending)]
    {
        for attribute in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let side = |all: &BTreeMap<String, BTreeSet<PathBuf>>| all.get(attribute).map(names).unwrap_or_default();
            let (before, after) = (side(before), side(after));
            if is_changing || before != after {
                found.push(Conversion { attribute: attribute.clone(), is_changing, before, after });
            }
        }
    }
    found
}

type Sided<'a> = Option<&'a (PathBuf, Manifest)>;

/// The rules, limits and freezes that a manifest itself has, whatever is selected of it.
fn own_guards(side: Sided<'_>) -> Own<'_> {
    let of = |manifest| Own {
        rules: Manifest::policy(manifest),
        limits: manifest.limits(),
        freezes: manifest.freezes(),
        acknowledged: manifest.acknowledged(),
    };
    side.map_or(Own::NONE, |(_, manifest)| of(manifest))
}

/// Manifests by place; the others by their project, as a manifest may have moved.
fn pairs<'a>(before: &'a [(PathBuf, Manifest)], after: &'a [(PathBuf, Manifest)]) -> Vec<(Sided<'a>, Sided<'a>)> {
    let mut left: Vec<&(PathBuf, Manifest)> = before.iter().collect();
    let mut take =
        |same: &dyn Fn(&(PathBuf, Manifest)) -> bool| left.iter().position(|old| same(old)).map(|at| left.remove(at));
    let mut pairs: Vec<(Sided<'a>, Sided<'a>)> =
        after.iter().map(|new| (take(&|old| old.0 == new.0), Some(new))).collect();
    for (old, new) in pairs.iter_mut().filter(|(old, _)| old.is_none()) {
        *old = take(&|old| new.is_some_and(|new| new.1.project() == old.1.project()));
    }
    pairs.extend(left.into_iter().map(|old| (Some(old), None)));
    pairs
}

/// The files whose text differs, with how many lines do.
fn changed_files(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<ChangedFile> {
    let places: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let changed = |place: &PathBuf| {
        let text = |side: &BTreeMap<PathBuf, String>| side.get(place).cloned().unwrap_or_default();
        let (old, new) = (text(before), text(after));
        (old != new).then(|| ChangedFile { path: place.display().to_string(), lines: changed_lines(&old, &new) })
    };
    places.into_iter().filter_map(changed).collect()
}

/// How many lines differ: of replaced ones, the greater number of both sides.
fn changed_lines(old: &str, new: &str) -> usize {
    let lines = |op: &DiffOp| match *op {
        DiffOp::Equal { .. } => 0,
        DiffOp::Delete { old_len, .. } => old_len,
        DiffOp::Insert { new_len, .. } => new_len,
        DiffOp::Replace { old_len, new_len, .. } => old_len.max(new_len),
    };
    render_lines::differences(&render_lines::of(old), &render_lines::of(new)).iter().map(lines).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, signals and the time limit would wait until a folder of very many files is gone.
    #[tokio::test]
    async fn a_folder_goes_while_others_go_on() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};
        let folder = scratch().expect("a folder");
        let path = folder.path().to_owned();
        for number in 0..200 {
            std::fs::write(path.join(number.to_string()), "x").expect("a file");
        }
        let goes_on = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&goes_on);
        // It runs as soon as what removes the folder lets anything else run.
        tokio::spawn(async move { other.store(true, Ordering::Relaxed) });
        let ended = remove(folder, &mut output::Stops::listen(), std::future::pending()).await;
        assert_eq!((ended, path.exists(), goes_on.load(Ordering::Relaxed)), (Ok(()), false, true));
    }

    /// Without it, one edited line would count as two.
    #[test]
    fn lines_are_counted_as_people_count_them() {
        assert_eq!(changed_lines("a\nb\nc\n", "a\nx\nc\n"), 1);
        assert_eq!(changed_lines("a\n", "a\nb\nc\n"), 2);
        assert_eq!(changed_lines("", "a\n"), 1);
        assert_eq!(changed_lines("a\nb\n", "c\n"), 2);
    }
}
