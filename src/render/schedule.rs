//! Coming rotation windows as a table.

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};

use crate::model::RotationRules;
use crate::model::freeze::Period;
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
    /// The freezes that may meet them.
    pub freezes: Vec<Period>,
}

impl Row {
    /// The first freeze that a window meets.
    fn freeze(&self, window: &Window) -> Option<Period> {
        let days = Period { from: window.opens.date_naive(), to: window.closes.date_naive() };
        self.freezes.iter().copied().find(|freeze| freeze.meets(days))
    }
}

/// A table of all windows, in UTC.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let frozen = rows.iter().any(|row| row.windows.iter().any(|window| row.freeze(window).is_some()));
    let header = ["SECRET", "SCHEDULE", "OPENS (UTC)", "CLOSES (UTC)", "IN THE FREEZE"];
    let columns = if frozen { header.len() } else { header.len() - 1 };
    table.set_header(&header[..columns]);
    for row in rows {
        let address = safe(&row.address).into_owned();
        let Some(rules) = &row.rules else {
            let words = if row.off { "off" } else { "not managed" };
            table.add_row([address.as_str(), words, "", ""]);
            continue;
        };
        let schedule = safe(&rules.to_string()).into_owned();
        if row.windows.is_empty() {
            table.add_row([address.as_str(), schedule.as_str(), "none in sight", ""]);
        }
        for window in &row.windows {
            let freeze = row.freeze(window).map(|freeze| freeze.to_string()).unwrap_or_default();
            let row = [address.as_str(), schedule.as_str(), &moment(window.opens), &moment(window.closes), &freeze];
            table.add_row(&row[..columns]);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if frozen {
        text.push_str("\nA freeze holds back what rotator does; AWS rotates in these windows all the same.\n");
    }
    if rows.is_empty() {
        text.push_str("no secrets\n");
    }
    text
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%a %Y-%m-%d %H:%M").to_string()
}
