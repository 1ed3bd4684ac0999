//! `rotator` killed at each of its calls, and two of it at once: whatever happens, the next run puts everything right.
//!
//! A sandbox's log says which calls an undisturbed run makes. Each of them is a point: the call is held before it has its effect,
//! or once it has had it, and `rotator` is killed with SIGKILL. Then the next run must converge, a further plan be empty, and the
//! world be the one that an undisturbed run makes; no secret may have rotated more often, nothing be left over.
//!
//! Beside that, two runs at once (`race`), and people who change AWS while a run is under way (`people`).
//!
//! A plain `cargo test` takes a sample. All points and all interleavings, with figures:
//!
//! ```text
//! cargo test --test crash every_point -- --ignored --nocapture
//! cargo test --test crash every_race -- --ignored --nocapture
//! ```
//!
//! | Variable | |
//! |---|---|
//! | `CRASH_SEED` | a number: another sample |
//! | `CRASH_ONLY` | points whose name begins like this, such as `change/saved` or `first/apply/cloudformation.ExecuteChangeSet.1/after` |
//! | `CRASH_JOBS` | how many points are tried side by side; they mostly wait |

mod course;
mod people;
mod race;
mod scenario;
mod stage;
#[path = "../end_to_end/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest of it")]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use rotator::sandbox::faults::When;
use tokio::time::Instant;

use course::{COURSES, Course, Fate, Mode, Point, Undisturbed, run};
use race::{Interleaving, interleavings};
use scenario::{points, word};
use stage::difference;
use support::{ACCOUNT, REGION};

/// How many points the sample has.
const SAMPLE: usize = 40;

/// A number of the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How many attempts are made side by side.
fn jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    usize::try_from(number("CRASH_JOBS", 0)).ok().filter(|jobs| *jobs > 0).unwrap_or(cores * 3)
}

/// Goes through courses undisturbed, and lists their points.
async fn survey(courses: impl Iterator<Item = &'static Course>) -> (Vec<Undisturbed>, Vec<Point>) {
    let surveyed: Vec<Undisturbed> =
        futures::stream::iter(courses.map(Undisturbed::new)).buffered(jobs()).collect().await;
    let all = surveyed.iter().enumerate().flat_map(|(number, undisturbed)| {
        points(undisturbed.calls.clone()).map(move |(call, when)| Point { course: number, call, when })
    });
    let all = all.collect();
    (surveyed, all)
}

fn name(surveyed: &[Undisturbed], point: &Point) -> String {
    format!("{}/{}/{}", surveyed[point.course].course.name(), point.call, word(point.when))
}

/// Tries points side by side.
async fn attempt(surveyed: &[Undisturbed], points: Vec<Point>) -> Vec<(Point, Fate)> {
    let (all, done) = (points.len(), AtomicUsize::new(0));
    let attempts = points.into_iter().map(|point| async {
        let point = point;
        let fate = surveyed[point.course].attempt(&point).await;
        if let Fate::Broken(why) = &fate {
            // At once: the rest may take long.
            say(&format!("\nBROKEN {why}\n"));
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(100) {
            say(&format!("{done} of {all}"));
        }
        (point, fate)
    });
    futures::stream::iter(attempts).buffer_unordered(jobs()).collect().await
}

fn say(text: &str) {
    // Where it isn't read, nothing is lost.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[track_caller]
fn none_is_broken(fates: &[(Point, Fate)]) {
    let broken: Vec<&str> = fates
        .iter()
        .filter_map(|(_, fate)| match fate {
            Fate::Broken(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert!(broken.is_empty(), "{} of {} points broke:\n\n{}", broken.len(), fates.len(), broken.join("\n\n"));
}

/// Without it, a pipeline that is killed could leave behind what no further run repairs, or rotate a secret twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_anywhere_is_repaired_by_the_next() {
    let mut dice = fastrand::Rng::with_seed(number("CRASH_SEED", 1));
    let (mut asked, mut courses): (Vec<&'static Course>, Vec<_>) =
        COURSES.iter().partition(|course| course.mode.is_asked());
    dice.shuffle(&mut courses);
    dice.shuffle(&mut asked);
    let (surveyed, mut points) = survey(courses.into_iter().take(3).chain(asked.into_iter().take(2))).await;
    dice.shuffle(&mut points);
    // Writes are where something can be left half done.
    points.sort_by_key(|point| point.call.only_reads());
    let writes = points.iter().filter(|point| !point.call.only_reads()).count().min(SAMPLE * 3 / 4);
    let reads = points.split_off(points.iter().filter(|point| !point.call.only_reads()).count());
    points.truncate(writes);
    points.extend(reads.into_iter().take(SAMPLE - writes));
    let fates = attempt(&surveyed, points).await;
    none_is_broken(&fates);
    let survived = fates.iter().filter(|(_, fate)| *fate == Fate::Survived).count();
    assert!(survived * 4 > fates.len() * 3, "only {survived} of {} points were reached", fates.len());
}

/// Without it, a version would collect a label for each day on which it was tried to give it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_was_killed_on_another_day_leaves_one_label() {
    let course = COURSES.iter().find(|course| course.mode == Mode::Drop).expect("it is there");
    let undisturbed = Undisturbed::new(course).await;
    let stage = undisturbed.stage().await;
    // As a run leaves it that was killed between its two calls.
    stage.sandbox.shared().write(ACCOUNT, REGION, |region| {
        let secret = region.secrets.edit("stuck").expect("it is there");
        let mut versions = secret.versions.values_mut();
        let pending = versions.find(|version| version.has("AWSPENDING")).expect("it is stuck");
        pending.stages.push("rotator-dropped-2026-01-31".to_owned());
    });
    run(&stage, &course.first(false, "")).await.exits(0);
    assert_eq!(difference(undisturbed.world(), &stage.world()), None);
}

/// Without it, only luck would tell whether there is a point that the sample misses.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "all points take long; see the top of this file"]
async fn every_point() {
    let began = Instant::now();
    let only = std::env::var("CRASH_ONLY").unwrap_or_default();
    let is_meant = |course: &&Course| only.starts_with(&course.name()) || course.name().starts_with(&only);
    let (surveyed, points) = survey(COURSES.iter().filter(is_meant)).await;
    let points: Vec<Point> = points.into_iter().filter(|point| name(&surveyed, point).starts_with(&only)).collect();
    assert!(!points.is_empty(), "`{only}` begins no point's name");
    say(&format!("{} points of {} courses, {} side by side", points.len(), surveyed.len(), jobs()));
    let fates = attempt(&surveyed, points).await;
    say(&figures(&surveyed, &fates));
    say(&format!("in {} s", began.elapsed().as_secs()));
    none_is_broken(&fates);
}

/// Tries interleavings side by side, and answers with what broke.
async fn races(surveyed: &[Undisturbed], chosen: Vec<(usize, Interleaving)>) -> Vec<String> {
    let attempts = chosen.iter().map(|(course, interleaving)| async move {
        let broken = surveyed[*course].race(interleaving).await.err();
        if let Some(why) = &broken {
            say(&format!("\nBROKEN {why}\n"));
        }
        broken
    });
    let results: Vec<Option<String>> = futures::stream::iter(attempts).buffer_unordered(jobs()).collect().await;
    results.into_iter().flatten().collect()
}

/// The courses that two can go through at once.
fn is_race(course: &Course) -> bool {
    course.mode == Mode::Apply
}

fn all_interleavings(surveyed: &[Undisturbed], delayed: u64) -> Vec<(usize, Interleaving)> {
    let of = |(number, undisturbed)| interleavings(undisturbed, delayed).into_iter().map(move |one| (number, one));
    surveyed.iter().enumerate().flat_map(of).collect()
}

/// Without it, two pipelines that start at once could leave a function half made, or rotate a secret twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_lead_to_the_same_world() {
    let mut dice = fastrand::Rng::with_seed(number("CRASH_SEED", 1));
    let mut courses: Vec<&'static Course> = COURSES.iter().filter(|course| is_race(course)).collect();
    dice.shuffle(&mut courses);
    let (surveyed, _) = survey(courses.into_iter().take(2)).await;
    let mut chosen = all_interleavings(&surveyed, 4);
    dice.shuffle(&mut chosen);
    chosen.truncate(SAMPLE / 3);
    let broken = races(&surveyed, chosen).await;
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// Without it, only luck would tell whether there is an interleaving that the sample misses.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "all interleavings take long; see the top of this file"]
async fn every_race() {
    let began = Instant::now();
    let only = std::env::var("CRASH_ONLY").unwrap_or_default();
    let is_meant = |course: &&Course| only.starts_with(&course.name()) || course.name().starts_with(&only);
    let (surveyed, _) = survey(COURSES.iter().filter(|course| is_race(course)).filter(is_meant)).await;
    let mut chosen = all_interleavings(&surveyed, 30);
    chosen.retain(|(course, one)| format!("{}/{one}", surveyed[*course].course.name()).starts_with(&only));
    let all = chosen.len();
    say(&format!("{all} interleavings of {} courses, {} side by side", surveyed.len(), jobs()));
    let broken = races(&surveyed, chosen).await;
    say(&format!("{} went well, {} broke, in {} s", all - broken.len(), broken.len(), began.elapsed().as_secs()));
    assert!(all > 0 && broken.is_empty(), "{} of {all} broke:\n\n{}", broken.len(), broken.join("\n\n"));
}

/// A table: what was tried and how it ended, by course and by operation.
fn figures(surveyed: &[Undisturbed], fates: &[(Point, Fate)]) -> String {
    type Row = [usize; 5];
    let mut by_course: BTreeMap<String, Row> = BTreeMap::new();
    let mut by_operation: BTreeMap<String, Row> = BTreeMap::new();
    let mut total: Row = Row::default();
    for (point, fate) in fates {
        let operation = format!("{}.{}", point.call.service, point.call.operation);
        let course = surveyed[point.course].course.name();
        let rows = [by_course.entry(course).or_default(), by_operation.entry(operation).or_default(), &mut total];
        for row in rows {
            row[0] += 1;
            row[usize::from(point.when == When::After) + 1] += usize::from(*fate == Fate::Survived);
            row[3] += usize::from(*fate == Fate::NotReached);
            row[4] += usize::from(matches!(fate, Fate::Broken(_)));
        }
    }
    let mut text = format!(
        "{:<55}{:>8}{:>18}{:>18}{:>12}{:>8}\n",
        "", "points", "survived before", "survived after", "not reached", "broken"
    );
    let total = BTreeMap::from([("all".to_owned(), total)]);
    for (name, [points, before, after, missed, broken]) in by_course.iter().chain(&by_operation).chain(&total) {
        let _ = writeln!(text, "{name:<55}{points:>8}{before:>18}{after:>18}{missed:>12}{broken:>8}");
    }
    text
}
