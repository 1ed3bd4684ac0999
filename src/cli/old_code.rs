//! What puts a function's old code back after a failed test: a commit that has its files. What was replaced is a version of the function too, where it may be kept.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::apply::{Outcome, Report};
use crate::config::Fetch as _;
use crate::git::{Repository, Snapshot, Stop};
use crate::model::{CodeSource, Desired, Selection};

use super::packages::build;
use super::wheels::Way;

/// How many commits that changed the code are looked at, the newest first.
const COMMITS: usize = 50;

/// How long is looked for it: whoever waits for a report has a broken function.
const LONGEST: Duration = Duration::from_secs(20);

/// Names, in a report, the commits that hold the code that functions had before their tests failed.
pub async fn look_up(report: &mut Report, desired: &Desired) {
    for outcome in &mut report.outcomes {
        let Outcome::TestFailed(test) = outcome else { continue };
        let Some(replaced) = test.replaced.as_mut() else { continue };
        let deployment = desired.functions.get(&replaced.handle).and_then(|function| function.deployment());
        let Some(code) = deployment.and_then(|deployment| deployment.code.as_ref()) else { continue };
        let CodeSource::Path { path, tree, selection, .. } = &code.source else { continue };
        replaced.path = Some(path.to_string_lossy().into_owned());
        let Some(sha256) = replaced.code.clone() else { continue };
        let (path, tree, selection) = (path.clone(), tree.clone(), selection.clone());
        let stop = Stop::default();
        // Should the run be ended, so is Git.
        let _ended = Ended(stop.clone());
        let found = tokio::task::spawn_blocking(move || commit_with(&path, &tree, &selection, &sha256, &stop)).await;
        replaced.commit = found.ok().flatten();
    }
}

/// Ends Git where nobody waits for it any more.
struct Ended(Stop);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ask();
    }
}

/// The newest commit whose files make the package with this hash, in Lambda's form of it; `None` where none is found.
fn commit_with(path: &Path, tree: &Path, selection: &Selection, sha256: &str, stop: &Stop) -> Option<String> {
    let began = Instant::now();
    let repository = Repository::of(path, stop.clone()).ok()?;
    let (place, tree) = (repository.place(path).ok()?, repository.place(tree).ok()?);
    let scratch = tempfile::tempdir().ok()?;
    for (number, commit) in repository.commits_of(&place, COMMITS).ok()?.into_iter().enumerate() {
        if began.elapsed() > LONGEST {
            return None;
        }
        let Ok(snapshot) = Snapshot::new(&repository, &commit, scratch.path().join(number.to_string())) else {
            continue;
        };
        let root = snapshot.root().to_path_buf();
        snapshot.fetch(&root.join(&place));
        if snapshot.failure().is_some() {
            continue;
        }
        let selection = of_commit(selection, &repository, &root, |path| snapshot.fetch(path));
        let built = build(&root.join(&place), &root.join(&tree), &selection, Way::Cached);
        if built.is_ok_and(|built| built.summary.sha256 == sha256) {
            return Some(commit.shown);
        }
    }
    None
}

/// What is chosen of the code, with the requirements that a commit has: a file outside of the repository is none of its own.
fn of_commit(selection: &Selection, repository: &Repository, root: &Path, fetch: impl Fn(&Path)) -> Selection {
    let mut selection = selection.clone();
    if let Some(requirements) = &mut selection.requirements
        && let Ok(place) = repository.place(&requirements.path)
    {
        requirements.path = root.join(place);
        fetch(&requirements.path);
    }
    selection
}
