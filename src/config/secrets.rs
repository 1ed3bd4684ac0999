//! Checks of secrets, and their way into the domain.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::names;
use super::raw::{ExternalFile, RotationFile, SecretFile};
use super::scene::Scene;
use super::targets::Destination;
use super::{credentials, scalar, typed};
use crate::diagnostic::Diagnostic;
use crate::model::external::{DAYS_TO_EXPIRY, Doubt, doubts, unlikely};
use crate::model::schedule::{self, ScheduleError};
use crate::model::shared::once;
use crate::model::{External, Rotation, RotationRules, Schedule, Secret, Shared};

/// What many secrets have in common: a fleet has thousands of them, a handful of schedules, and as many owners as there are teams.
#[derive(Default)]
pub(super) struct Common {
    schedules: HashMap<(Schedule, Option<u8>), Result<(), ScheduleError>>,
    labels: HashSet<Shared<BTreeMap<String, String>>>,
}

impl Common {
    /// One copy of equal labels.
    pub(super) fn labels(&mut self, labels: BTreeMap<String, String>) -> Shared<BTreeMap<String, String>> {
        once(&mut self.labels, labels.into())
    }

    /// Judges a schedule, once.
    fn check(&mut self, schedule: &Schedule, duration: Option<u8>) -> Result<(), ScheduleError> {
        self.schedules
            .entry((schedule.clone(), duration))
            .or_insert_with_key(|(schedule, duration)| schedule::check_window(schedule, *duration))
            .clone()
    }
}

/// Reads and checks a secret.
pub(super) fn read(scene: &mut Scene<'_>, handle: &str, place: &Destination, common: &mut Common) -> Option<Secret> {
    let (file, misfits) = typed::read::<SecretFile>(scene.merged);
    if !misfits.is_empty() {
        scene.misfits(misfits);
    }
    let file = file?;
    let name = file.name.unwrap_or_else(|| handle.to_owned());
    // A handle that is none was reported as such.
    let stated = scene.merged.child("name").is_some() || names::handle(handle, true).is_ok();
    if stated && !scene.is_open(&name) {
        check_name(scene, &name, place);
    }
    let rotation = file.rotation.map_or_else(Rotation::default, |file| rotation(scene, &file, common));
    let external = external(scene, file.external.as_ref(), file.function.is_some(), &rotation);
    super::functions::check_labels(scene, file.labels.as_ref());
    let labels = common.labels(file.labels.unwrap_or_default());
    Some(Secret { name, function: file.function, external, rotation, labels })
}

/// What a managed external secret rotates with.
fn external(
    scene: &mut Scene<'_>,
    file: Option<&ExternalFile>,
    with_function: bool,
    rotation: &Rotation,
) -> Option<External> {
    let file = file?;
    if with_function {
        let problem = Diagnostic::error("external", "`external` and `function` exclude each other")
            .because("a partner's secret rotates without a function, and RotateSecret refuses one")
            .hint("remove one of the two");
        scene.report_key(&["external"], problem);
    }
    if let Some(role) = file.role.as_ref().filter(|role| !scene.is_open(role))
        && let Err(reason) = names::role_account(role)
    {
        let problem = Diagnostic::error("external", format!("`{role}` is no role: {reason}"));
        scene.report(&["external", "role"], problem);
    }
    let external = External { role: file.role.clone(), metadata: file.metadata.clone().unwrap_or_default() };
    for (key, value) in &external.metadata {
        if !scene.is_open(value)
            && let Some((unshown, problem)) = metadata(key, value)
        {
            match unshown {
                Unshown::Yes => scene.report_unshown(&["external", "metadata", key], problem),
                Unshown::No => scene.report(&["external", "metadata", key], problem),
            }
        }
    }
    // Of which type it is, AWS says; for how long its token is good, the manifest may say itself.
    for doubt in doubts(None, &external.metadata, rotation.rules.as_ref()) {
        if let Doubt::ExpiresFirst { days, gap_hours } = doubt {
            let gap = f64::from(gap_hours) / 24.0;
            let summary =
                format!("the token is over after {days} days, and up to {gap:.1} days lie between two rotations");
            let problem = Diagnostic::warning("external", summary).because("a window counts to its end");
            let problem = problem.hint("rotate more often, or choose a larger `daysToExpiry`");
            scene.report(&["external", "metadata", DAYS_TO_EXPIRY], problem);
        }
    }
    Some(external)
}

/// What is wrong with an item of metadata.
fn metadata(key: &str, value: &str) -> Option<(Unshown, Diagnostic)> {
    let error = |summary: &str| Diagnostic::error("external", summary);
    if let Some(kind) = credentials::kind_of(value) {
        let problem = error(&format!("the value of `{key}` looks like {kind}"))
            .because("all who may describe the secret can read it")
            .hint("metadata holds names and settings: keep credentials in a secret, and revoke it if it is real");
        return Some((Unshown::Yes, problem));
    }
    if key.is_empty() || key.chars().count() > 256 || value.is_empty() || value.chars().count() > 2048 {
        let summary = "an item of metadata has a key of 1 to 256 characters, and a value of 1 to 2048";
        return Some((Unshown::No, error(summary)));
    }
    let likely = unlikely(key, value)?;
    let problem = Diagnostic::warning("external", format!("as far as is known, `{key}` is {likely}, not `{value}`"));
    Some((Unshown::No, problem))
}

/// Whether the line of a problem must not be shown.
enum Unshown {
    Yes,
    No,
}

fn check_name(scene: &mut Scene<'_>, name: &str, place: &Destination) {
    if let Err(reason) = names::secret_name(name) {
        let problem = Diagnostic::error("secret-name", format!("`{name}` can't be a secret's name: {reason}"));
        scene.report(&["name"], problem);
        return;
    }
    if let Some((there, region)) = place.elsewhere(name, "secretsmanager") {
        let problem =
            Diagnostic::error("secret-region", format!("the secret is in {there}, and the target in {region}"));
        scene.report(&["name"], problem.hint(own_region("a secret rotates in its own region", place, &there)));
    }
}

/// What to do about an ARN of another region: `targets` limit an entry only where there are some.
pub(super) fn own_region(why: &str, place: &Destination, region: &str) -> String {
    if place.target.name.is_some() {
        format!("{why}: limit it with `targets`")
    } else {
        format!("{why}: run in that one (`AWS_REGION={region}`), or declare `targets` with their regions")
    }
}

pub(super) fn rotation(scene: &mut Scene<'_>, file: &RotationFile, common: &mut Common) -> Rotation {
    let schedule = schedule_of(scene, file);
    let valid = schedule.as_ref().filter(|schedule| common.check(schedule, None).is_ok());
    let mut duration = duration_of(scene, file, valid);
    if let Some(schedule) = &schedule {
        if let Err(error) = common.check(schedule, None) {
            let mut problem = Diagnostic::error("schedule", error.reason);
            problem.hints.extend(error.hint);
            scene.report_within(&["rotation", "schedule_expression"], error.offset, error.length, problem);
        } else if let Err(error) = common.check(schedule, duration) {
            duration = window_problem(scene, error, duration);
        }
    } else if file.duration.is_some() && !scene.incomplete {
        scene.report(
            &["rotation", "duration"],
            Diagnostic::error("duration", "a duration needs a schedule")
                .hint("add `automatically_after_days` or `schedule_expression`"),
        );
    }
    if file.enabled == Some(true) && schedule.is_none() && !scene.incomplete {
        scene.report(
            &["rotation", "enabled"],
            Diagnostic::error("no-schedule", "rotation is switched on without a schedule")
                .hint("add `automatically_after_days: 30`, or a `schedule_expression`"),
        );
    }
    let enabled = file.enabled.or(schedule.is_some().then_some(true));
    let rules = schedule.map(|schedule| RotationRules::new(schedule, duration));
    Rotation { enabled, rules, rotate_immediately: file.rotate_immediately }
}

/// A window that doesn't fit. An inherited length is left out where the entry chose its own schedule; else it is an error.
fn window_problem(scene: &mut Scene<'_>, error: ScheduleError, duration: Option<u8>) -> Option<u8> {
    let own = |field: &str| {
        let span = scene.merged.key_span(&["rotation", field])?;
        Some(span.file == scene.at.file && (scene.at.line..=scene.end).contains(&span.line))
    };
    let chose = own("schedule_expression").or_else(|| own("automatically_after_days")).unwrap_or(false);
    if chose && own("duration") == Some(false) {
        let problem = Diagnostic::warning(
            "duration",
            "the inherited window doesn't fit this secret's schedule, and AWS's default window is used",
        )
        .because(error.reason)
        .hint("state a `duration` that fits beside the schedule, or `duration: null`");
        scene.report(&["rotation", "duration"], problem);
        return None;
    }
    let mut problem = Diagnostic::error("duration", error.reason);
    problem.hints.extend(error.hint);
    scene.report(&["rotation", "duration"], problem);
    duration
}

fn schedule_of(scene: &mut Scene<'_>, file: &RotationFile) -> Option<Schedule> {
    match (file.automatically_after_days, &file.schedule_expression) {
        (Some(_), Some(_)) => {
            let problem = Diagnostic::error(
                "two-schedules",
                "`automatically_after_days` and `schedule_expression` exclude each other",
            )
            .because("AWS takes exactly one of them")
            .hint("remove one of the two");
            scene.report_key(&["rotation", "schedule_expression"], problem);
            None
        }
        (Some(days), None) => {
            let valid = u16::try_from(days).ok().filter(|days| (1..=1000).contains(days));
            if valid.is_none() {
                let problem =
                    Diagnostic::error("schedule", format!("`automatically_after_days` is 1 to 1000, not {days}"));
                let problem = match days {
                    0 => problem.hint("where it isn't to rotate: `rotation: {enabled: false}`"),
                    _ => problem,
                };
                scene.report(&["rotation", "automatically_after_days"], problem);
            }
            valid.map(Schedule::AutomaticallyAfterDays)
        }
        (None, Some(text)) if scene.is_open(text) => None,
        (None, Some(text)) => Some(Schedule::Expression(text.clone())),
        (None, None) => None,
    }
}

fn duration_of(scene: &mut Scene<'_>, file: &RotationFile, schedule: Option<&Schedule>) -> Option<u8> {
    let text = file.duration.as_ref().filter(|text| !scene.is_open(text))?;
    let digits = text
        .strip_suffix('h')
        // As numbers are: without a `0` before them, which some readers take for base 8.
        .filter(|digits| (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
        .filter(|digits| !digits.starts_with('0'));
    let duration = digits.and_then(scalar::in_a_day);
    if duration.is_none() {
        let problem = Diagnostic::error("duration", format!("`{text}` is no window: whole hours from `1h` to `24h`"));
        // What is proposed must fit the schedule, too.
        let meant = scalar::hours_of(text);
        let misfit =
            meant.zip(schedule).and_then(|(hours, schedule)| schedule::check_window(schedule, Some(hours)).err());
        let problem = match (meant, misfit) {
            (Some(hours), None) => problem.hint(format!("write `{hours}h`")),
            (_, Some(misfit)) => misfit.hint.into_iter().fold(problem, Diagnostic::hint),
            (None, None) => problem,
        };
        scene.report(&["rotation", "duration"], problem);
    }
    duration
}
