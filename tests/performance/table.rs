//! Figures as Markdown.

use std::time::Duration;

use super::job::{Row, median};

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

/// The columns of jobs.
pub const JOBS: [&str; 14] = [
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
];

/// The first two lines of a table. Columns whose name ends in `:` are numbers, and stand on the right.
pub fn heading(columns: &[&str]) -> String {
    let titles: Vec<&str> = columns.iter().map(|column| column.trim_end_matches(':')).collect();
    let rules: Vec<&str> = columns.iter().map(|name| if name.ends_with(':') { "---:" } else { "---" }).collect();
    format!("| {} |\n|{}|", titles.join(" | "), rules.join("|"))
}

/// A line of a table.
pub fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// The line of a job.
pub fn job(row: &Row) -> String {
    let walls = || row.runs.iter().map(|run| run.wall);
    let online = |text: String| if row.in_flight == 0 { String::new() } else { text };
    let by_quota = row.floors.iter().all(|floor| floor.wall < row.quota);
    line(&[
        row.job.name().to_owned(),
        match row.fleet.targets {
            0 => row.fleet.secrets.to_string(),
            targets => format!("{targets} × {}", row.fleet.secrets),
        },
        online(format!("{} ms", row.conditions.latency)),
        online(if row.conditions.quotas { "on" } else { "off" }.to_owned()),
        time(row.wall()),
        format!("{}–{}", time(walls().min().unwrap_or_default()), time(walls().max().unwrap_or_default())),
        time(row.cpu()),
        megabytes(row.runs.iter().map(|run| run.peak_kb).max().unwrap_or_default()),
        online(row.calls.total().to_string()),
        online(row.calls.throttled.to_string()),
        online(row.in_flight.to_string()),
        row.floor().map(|floor| time(floor) + if by_quota { " (quota)" } else { "" }).unwrap_or_default(),
        online(time(median(row.floors.iter().map(|floor| floor.cpu).collect()))),
        row.ratio().map(times).unwrap_or_default(),
    ])
}
