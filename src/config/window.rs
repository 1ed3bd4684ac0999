//! The time of the week in which a policy lets windows be open.

use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::scene::Scene;
use super::suggest;
use crate::diagnostic::Diagnostic;
use crate::model::rule::{WEEKDAYS, WindowBounds};

/// The time in which windows may be open, in UTC. Windows lie inside it from their opening to their end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "window")]
pub(super) struct WindowFile {
    /// From this full hour on, such as `"22:00"`; stands with `to`.
    #[schemars(schema_with = "hour_schema")]
    pub from: Option<String>,
    /// Up to this full hour, such as `"06:00"`: on the next day, where it isn't after `from`.
    #[schemars(schema_with = "hour_schema")]
    pub to: Option<String>,
    /// The longest window, in hours.
    #[schemars(schema_with = "hours_schema")]
    pub max_hours: Option<i64>,
    /// The days on which this time begins. Default: all.
    #[schemars(schema_with = "weekdays_schema")]
    pub days: Option<Vec<String>>,
}

fn hour_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": "^([01][0-9]|2[0-4]):00$" })
}

fn hours_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 1, "maximum": 24 })
}

fn weekdays_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "enum": WEEKDAYS } })
}

/// Reads and checks the bounds of a rule; `None` once what is wrong with them is reported.
pub(super) fn read(scene: &mut Scene<'_>, file: &WindowFile) -> Option<WindowBounds> {
    let before = scene.found.len();
    let mut bounds = WindowBounds::any();
    match (&file.from, &file.to) {
        (Some(from), Some(to)) => {
            let (from, to) = (hour(scene, "from", from), hour(scene, "to", to));
            if let (Some(from), Some(to)) = (from, to) {
                // A day's end is the next one's beginning.
                (bounds.from, bounds.to) = (from % 24, if to == 0 { 24 } else { to });
                if bounds.from == bounds.to {
                    let problem = Diagnostic::error("policy-window", "`from` and `to` are the same hour")
                        .hint("for the whole day, leave both out");
                    scene.report(&["window", "to"], problem);
                }
            }
        }
        (None, None) => {}
        (from, _) => {
            let (there, missing) = if from.is_some() { ("from", "to") } else { ("to", "from") };
            if !scene.incomplete {
                let problem = Diagnostic::error("policy-window", format!("`{there}` stands without `{missing}`"))
                    .hint(format!("add `{missing}`, as in `{{from: \"22:00\", to: \"06:00\"}}`"));
                scene.report(&["window", there], problem);
            }
        }
    }
    if let Some(hours) = file.max_hours {
        bounds.max_hours = u8::try_from(hours).ok().filter(|hours| (1..=24).contains(hours));
        if bounds.max_hours.is_none() {
            let problem = Diagnostic::error("policy-window", format!("`max_hours` is 1 to 24, not {hours}"));
            scene.report(&["window", "max_hours"], problem);
        }
    }
    if let Some(days) = &file.days {
        bounds.days = days_of(scene, days);
    }
    let asks = file.from.is_some() || file.to.is_some() || file.max_hours.is_some() || file.days.is_some();
    if !asks && !scene.incomplete {
        let problem = Diagnostic::error("policy-window", "`window` asks for nothing")
            .hint("add `from` and `to`, `max_hours`, or `days`");
        scene.report(&["window"], problem);
    }
    (scene.found.len() == before && asks).then_some(bounds)
}

/// A full hour, 0 to 24.
fn hour(scene: &mut Scene<'_>, field: &str, text: &str) -> Option<u8> {
    let full = text.strip_suffix(":00").filter(|hours| hours.len() == 2 && hours.bytes().all(|b| b.is_ascii_digit()));
    let hour = full.and_then(|hours| hours.parse().ok()).filter(|hour| *hour <= 24);
    if hour.is_some() && is_unquoted(scene, field) {
        let summary = format!("`{text}` should be quoted: to some YAML readers it is a number in base 60");
        let problem = Diagnostic::warning("unquoted-hour", summary).hint(format!("write `\"{text}\"`"));
        scene.report(&["window", field], problem);
    }
    if hour.is_none() {
        let problem = Diagnostic::error("policy-window", format!("`{text}` is no full hour from `00:00` to `24:00`"))
            .because("windows open and close at full hours, in UTC");
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let guess = digits.parse::<u8>().ok().filter(|hour| *hour <= 24);
        let problem = match guess {
            Some(hour) => problem.hint(format!("write `\"{hour:02}:00\"`")),
            None => problem.hint("write it as `\"22:00\"`"),
        };
        scene.report(&["window", field], problem);
    }
    hour
}

/// Whether a text of the window stands in its file without quotes around it.
fn is_unquoted(scene: &Scene<'_>, field: &str) -> bool {
    let Some(span) = scene.merged.find(&["window", field]).map(|node| node.span) else { return false };
    let source = scene.sources.get(span.file);
    let first = source.line(span.line).chars().nth(span.column.saturating_sub(1) as usize);
    first.is_some_and(|c| c.is_ascii_digit())
}

fn days_of(scene: &mut Scene<'_>, days: &[String]) -> BTreeSet<u8> {
    let mut known = BTreeSet::new();
    if days.is_empty() && !scene.incomplete {
        let problem =
            Diagnostic::error("policy-window", "`days` is empty: no window could open").hint("remove it, or name some");
        scene.report(&["window", "days"], problem);
    }
    for (index, day) in days.iter().enumerate() {
        if let Some(number) = (0_u8..).zip(WEEKDAYS).find(|(_, name)| name == day).map(|(number, _)| number) {
            known.insert(number);
            continue;
        }
        let upper = day.to_uppercase();
        let near = WEEKDAYS.into_iter().find(|name| upper.starts_with(name));
        let hint = match near {
            Some(near) => format!("write `{near}`"),
            None => format!("the days are {}", suggest::list(WEEKDAYS)),
        };
        let problem = Diagnostic::error("policy-window", format!("`{day}` is no day of the week")).hint(hint);
        scene.report(&["window", "days", &index.to_string()], problem);
    }
    known
}
