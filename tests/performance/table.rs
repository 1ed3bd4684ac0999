//! Figures as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::job::{Row, median};

/// Rows of cells under a heading.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one. Columns whose name ends in `:` are numbers, and stand on the right.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The text.
    pub fn text(&self) -> String {
        let titles: Vec<&str> = self.columns.iter().map(|column| column.trim_end_matches(':')).collect();
        let rules: Vec<&str> =
            self.columns.iter().map(|name| if name.ends_with(':') { "---:" } else { "---" }).collect();
        let mut text = format!("| {} |\n|{}|\n", titles.join(" | "), rules.join("|"));
        for row in &self.rows {
            // Writing to a string can't fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// A time as people read it.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.1 => format!("{:.1} ms", s * 1000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 10.0 => format!("{s:.2} s"),
        s => format!("{s:.1} s"),
    }
}

/// A ratio as people read it.
pub fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2} ×") } else { format!("{ratio:.0} ×") }
}

/// Kilobytes as people read them.
pub fn megabytes(kilobytes: i64) -> String {
    format!("{} MB", (kilobytes + 512) / 1024)
}

/// The table of jobs.
pub fn jobs(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        "job",
        "secrets:",
        "latency:",
        "quotas",
        "wall:",
        "fastest–slowest:",
        "CPU:",
        "peak:",
        "calls:",
        "throttled:",
        "at once:",
        "floor:",
        "floor's CPU:",
        "× floor:",
    ]);
    for row in rows {
        let walls = || row.runs.iter().map(|run| run.wall);
        let calls = row.calls.total();
        let online = |text: String| if row.in_flight == 0 { String::new() } else { text };
        let by_quota = row.floors.iter().all(|floor| floor.wall < row.quota);
        table.add(vec![
            row.job.name().to_owned(),
            match row.fleet.targets {
                0 => row.fleet.secrets.to_string(),
                targets => format!("{targets} accounts × {}", row.fleet.secrets),
            },
            online(format!("{} ms", row.conditions.latency)),
            online(if row.conditions.quotas { "on" } else { "off" }.to_owned()),
            time(row.wall()),
            format!("{}–{}", time(walls().min().unwrap_or_default()), time(walls().max().unwrap_or_default())),
            time(median(row.runs.iter().map(|run| run.cpu).collect())),
            megabytes(row.runs.iter().map(|run| run.peak_kb).max().unwrap_or_default()),
            online(calls.to_string()),
            online(row.calls.throttled.to_string()),
            online(row.in_flight.to_string()),
            row.floor().map(|floor| time(floor) + if by_quota { " (quota)" } else { "" }).unwrap_or_default(),
            online(time(median(row.floors.iter().map(|floor| floor.cpu).collect()))),
            row.ratio().map(times).unwrap_or_default(),
        ]);
    }
    table.text()
}
