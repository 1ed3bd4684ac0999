//! Coming rotation windows as a table.

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};

use crate::model::RotationRules;
use crate::model::schedule::Window;

use super::safe;

/// One secret.
#[derive(Debug, Clone)]
pub struct Row {
    /// The secret's address.
    pub address: String,
    /// Its rules; `None` where the manifest states none, or rotation is off.
    pub rules: Option<RotationRules>,
    /// Whether the manifest switches rotation off.
    pub off: bool,
    /// The coming windows.
    pub windows: Vec<Window>,
}

/// A table of all windows, in UTC.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["SECRET", "SCHEDULE", "OPENS (UTC)", "CLOSES (UTC)"]);
    for row in rows {
        let address = safe(&row.address).into_owned();
        let Some(rules) = &row.rules else {
            let words = if row.off { "off" } else { "not managed" };
            table.add_row([address.as_str(), words, "", ""]);
            continue;
        };
        let schedule = safe(&rules.to_string()).into_owned();
        if row.windows.is_empty() {
            table.add_row([address.as_str(), &schedule, "none in sight", ""]);
        }
        for window in &row.windows {
            table.add_row([address.as_str(), &schedule, &moment(window.opens), &moment(window.closes)]);
        }
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if rows.is_empty() {
        text.push_str("no secrets\n");
    }
    text
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%a %Y-%m-%d %H:%M").to_string()
}
