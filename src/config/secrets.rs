//! Checks of secrets, and their way into the domain.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::names;
use super::raw::{RotationFile, SecretFile};
use super::scene::Scene;
use super::targets::Destination;
use super::typed;
use crate::diagnostic::Diagnostic;
use crate::model::schedule::{self, ScheduleError};
use crate::model::shared::once;
use crate::model::{Rotation, RotationRules, Schedule, Secret, Shared};

/// What many secrets have in common: a fleet has thousands of them, a handful of schedules, and as many owners as there are teams.
#[derive(Default)]
pub(super) struct Common {
    schedules: HashMap<(Schedule, Option<u8>), Result<(), ScheduleError>>,
    labels: HashSet<Shared<BTreeMap<String, String>>>,
}

impl Common {
    /// One copy of equal labels.
    fn labels(&mut self, labels: BTreeMap<String, String>) -> Shared<BTreeMap<String, String>> {
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
    super::functions::check_labels(scene, file.labels.as_ref());
    let labels = common.labels(file.labels.unwrap_or_default());
    Some(Secret { name, function: file.function, rotation, labels })
}

fn check_name(scene: &mut Scene<'_>, name: &str, place: &Destination) {
    if let Err(reason) = names::secret_name(name) {
        let problem = Diagnostic::error("secret-name", format!("`{name}` can't be a secret's name: {reason}"));
        scene.report(&["name"], problem);
        return;
    }
    let arn: Option<crate::model::arn::Arn> = name.starts_with("arn:").then(|| name.parse().ok()).flatten();
    if let (Some(arn), Some(region)) = (arn, &place.stated.1)
        && arn.region != *region
    {
        let problem =
            Diagnostic::error("secret-region", format!("the secret is in {}, and the target in {region}", arn.region))
                .hint("a secret rotates in its own region: limit it with `targets`");
        scene.report(&["name"], problem);
    }
}

fn rotation(scene: &mut Scene<'_>, file: &RotationFile, common: &mut Common) -> Rotation {
    let schedule = schedule_of(scene, file);
    let mut duration = duration_of(scene, file);
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
                scene.report(&["rotation", "automatically_after_days"], problem);
            }
            valid.map(Schedule::AutomaticallyAfterDays)
        }
        (None, Some(text)) if scene.is_open(text) => None,
        (None, Some(text)) => Some(Schedule::Expression(text.clone())),
        (None, None) => None,
    }
}

fn duration_of(scene: &mut Scene<'_>, file: &RotationFile) -> Option<u8> {
    let text = file.duration.as_ref().filter(|text| !scene.is_open(text))?;
    let digits = text
        .strip_suffix('h')
        // As numbers are: without a `0` before them, which some readers take for base 8.
        .filter(|digits| (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
        .filter(|digits| !digits.starts_with('0'));
    let in_a_day = |number: &str| number.parse::<u8>().ok().filter(|hours| (1..=24).contains(hours));
    let duration = digits.and_then(in_a_day);
    if duration.is_none() {
        let number: String = text.chars().take_while(char::is_ascii_digit).collect();
        let unit = text[number.len()..].trim().to_ascii_lowercase();
        let problem = Diagnostic::error("duration", format!("`{text}` is no window: whole hours from `1h` to `24h`"));
        let problem = match (in_a_day(&number), unit.as_str()) {
            (Some(hours), "" | "h" | "hr" | "hrs" | "hour" | "hours") => problem.hint(format!("write `{hours}h`")),
            _ => problem,
        };
        scene.report(&["rotation", "duration"], problem);
    }
    duration
}
