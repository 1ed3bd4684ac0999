//! Schedules against a plain calendar, and against two foreign libraries.

pub mod calendar;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rotator::model::schedule::{check_window, parse_expression, windows};
use rotator::model::{RotationRules, Schedule};
use serde_json::{Value, json};

use crate::cases::{Cases, Dice, Seen, Throws, check, dice};
use calendar::Verdict;

fn number(throws: &mut Throws<'_>, least: usize, most: usize) -> String {
    (least + throws.below(most - least + 1)).to_string()
}

/// A part of a field: a value, a range, with or without a step.
fn part(throws: &mut Throws<'_>, least: usize, most: usize, names: &[&str]) -> String {
    let (kind, by_name) = (throws.below(100), throws.chance(40));
    let (one, other, step) = (throws.below(most - least + 1), throws.below(most - least + 1), throws.below(most) + 1);
    let (low, high) = (one.min(other), one.max(other));
    let name = |at: usize| match names.get(at) {
        Some(name) if by_name => (*name).to_owned(),
        _ => (least + at).to_string(),
    };
    match kind {
        0..50 => name(one),
        50..65 => format!("{}-{}", name(low), name(high)),
        65..75 => format!("{}/{step}", name(one)),
        75..85 => format!("{}-{}/{step}", name(low), name(high)),
        85..93 => format!("*/{step}"),
        _ => format!("/{step}"),
    }
}

fn parts(throws: &mut Throws<'_>, one: impl Fn(&mut Throws<'_>) -> String) -> String {
    let count = throws.below(3) + 1;
    let all: Vec<String> = (0..3).map(|_| one(throws)).collect();
    all[..count].join(",")
}

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DICE: usize = 160;

/// A `cron()` expression whose fields can be read. Whether it comes too often, or never, is another question.
fn cron(throws: &mut Throws<'_>) -> String {
    let lone_hour = number(throws, 0, 23);
    let some_hours = parts(throws, |throws| part(throws, 0, 23, &[]));
    let usual = throws.one_of(&["0", "/8", "0/6", "3,15", "23", "*/12", "0-23/12", "2/5", "0,20", "1,22"]);
    let hour = throws.one_of(&[usual.to_owned(), lone_hour, usual.to_owned(), some_hours]);
    let plain_days = parts(throws, |throws| part(throws, 1, 31, &[]));
    let with_last = format!("{plain_days},L");
    let last_weekday = format!("{}L", throws.one_of(&WEEKDAYS));
    let of_month = throws.one_of(&[
        "*".to_owned(),
        plain_days.clone(),
        plain_days,
        "L".to_owned(),
        with_last,
        last_weekday,
        "31".to_owned(),
        "29".to_owned(),
    ]);
    let of_week = parts(throws, |throws| {
        let (kind, which) = (throws.below(100), throws.below(5) + 1);
        let plain = part(throws, 1, 7, &WEEKDAYS);
        let day = throws.one_of(&WEEKDAYS);
        match kind {
            0..45 => plain,
            45..75 => format!("{day}#{which}"),
            75..90 => format!("{day}L"),
            _ => "L".to_owned(),
        }
    });
    let of_week =
        throws.one_of(&[of_week.clone(), of_week.clone(), of_week, "*".to_owned(), "2-6".to_owned(), "1#1".to_owned()]);
    let some_months = parts(throws, |throws| part(throws, 1, 12, &MONTHS));
    let month = throws.one_of(&["*".to_owned(), some_months, "2".to_owned(), "1/3".to_owned()]);
    if throws.chance(50) {
        format!("cron(0 {hour} ? {month} {of_week} *)")
    } else {
        format!("cron(0 {hour} {of_month} {month} ? *)")
    }
}

/// A moment at which somebody looks, from 1996 to 2035, leap years and turns of a century's fourth among them.
fn moment(throws: &mut Throws<'_>) -> DateTime<Utc> {
    let start: DateTime<Utc> = "1996-01-01T00:00:00Z".parse().expect("a date");
    let (day, second) = (throws.below(40 * 365), throws.below(3) * 40_000);
    start + TimeDelta::days(i64::try_from(day).unwrap_or(0)) + TimeDelta::seconds(i64::try_from(second).unwrap_or(0))
}

fn expression(text: &str) -> Schedule {
    Schedule::Expression(text.to_owned())
}

fn of_dice(dice: &Dice) -> String {
    let mut throws = dice.throws();
    let text = cron(&mut throws);
    format!("{text} from {}", moment(&mut throws))
}

/// How long a span of years is looked at.
const YEARS: i64 = 5;

/// Without it, a secret would be shown to rotate on days on which it doesn't, or the other way round.
#[test]
fn windows_agree_with_a_plain_calendar() {
    let expected = ["windows", "expressions with L", "expressions with #", "29ths of February"];
    check("windows_agree_with_a_plain_calendar", 400, &expected, &dice(DICE), of_dice, |dice, seen| {
        let mut throws = dice.throws();
        let text = cron(&mut throws);
        let from = moment(&mut throws);
        let to = from + TimeDelta::days(365 * YEARS);
        let wanted = throws.below(26);
        if check_window(&expression(&text), None).is_err() {
            return Ok(());
        }
        let expected = calendar::openings(&text, from, to).expect("what is valid can be read");
        let longest = calendar::longest_window(&text).expect("a cron");
        // The length of the window: AWS's default, or any that fits.
        let length = u8::try_from(wanted).ok().filter(|hours| *hours > 0);
        let fits = length.is_none_or(|hours| u32::from(hours) <= longest);
        prop_assert_eq!(check_window(&expression(&text), length).is_ok(), fits, "{:?}", length);
        let duration_hours = length.filter(|_| fits);
        let rules = RotationRules { schedule: expression(&text), duration_hours };
        let found: Vec<_> = windows(&rules, from).take_while(|window| window.opens <= to).collect();
        prop_assert_eq!(found.iter().map(|window| window.opens).collect::<Vec<_>>(), expected);
        let hours = duration_hours.map_or_else(|| calendar::default_window(&text).expect("a cron"), u32::from);
        for pair in found.windows(2) {
            prop_assert!(pair[0].closes <= pair[1].opens, "a window reaches into the next");
        }
        for window in &found {
            prop_assert_eq!(window.closes - window.opens, TimeDelta::hours(i64::from(hours)));
            prop_assert_eq!(
                (window.closes - TimeDelta::seconds(1)).date_naive(),
                window.opens.date_naive(),
                "a window leaves its day"
            );
        }
        seen.add("windows", found.len());
        seen.add("expressions with L", usize::from(text.contains('L')));
        seen.add("expressions with #", usize::from(text.contains('#')));
        seen.add(
            "29ths of February",
            found.iter().filter(|window| window.opens.format("%m-%d").to_string() == "02-29").count(),
        );
        Ok(())
    });
}

/// Without it, days and rates could be counted from elsewhere, or drift by a day at the turn of a year.
#[test]
fn rates_agree_with_a_plain_calendar() {
    let case = dice(8);
    check(
        "rates_agree_with_a_plain_calendar",
        100,
        &["windows"],
        &case,
        |dice| format!("{dice:?}"),
        |dice, seen| {
            let mut throws = dice.throws();
            let (days, hours) = (throws.below(1000) + 1, throws.below(400) + 4);
            let from = moment(&mut throws);
            let to = from + TimeDelta::days(365 * YEARS);
            let midnight = from.date_naive().and_hms_opt(0, 0, 0).expect("midnight").and_utc();
            let in_days = [
                Schedule::AutomaticallyAfterDays(u16::try_from(days).unwrap_or(1)),
                expression(&format!("rate({days} days)")),
            ];
            let all = in_days
                .map(|schedule| (schedule, days * 24))
                .into_iter()
                .chain([(expression(&format!("rate({hours} hours)")), hours)]);
            for (schedule, step) in all {
                // From the midnight before, hour by hour, every so many.
                let mut expected = Vec::new();
                let (mut at, mut count) = (midnight, 0_usize);
                while at <= to {
                    if count.is_multiple_of(step) && at > from.max(midnight) {
                        expected.push(at);
                    }
                    (at, count) = (at + TimeDelta::hours(1), count + 1);
                }
                let rules = RotationRules { schedule, duration_hours: None };
                let found: Vec<_> =
                    windows(&rules, from).map(|window| window.opens).take_while(|opens| *opens <= to).collect();
                seen.add("windows", found.len());
                prop_assert_eq!(found, expected, "{} from {}", rules, from);
            }
            Ok(())
        },
    );
}

/// A text that may be an expression: pieces of such, right ones and wrong ones.
#[expect(clippy::too_many_lines, reason = "a table of pieces")]
fn anything(throws: &mut Throws<'_>) -> String {
    let good = cron(throws);
    let mut fields: Vec<String> =
        good.trim_start_matches("cron(").trim_end_matches(')').split(' ').map(str::to_owned).collect();
    let wrong = [
        "",
        "?",
        "*",
        "0",
        "24",
        "32",
        "13",
        "8",
        "-1",
        "1-",
        "-",
        "5-2",
        "1,",
        ",1",
        "1/0",
        "1/",
        "*/",
        "L",
        "15W",
        "W",
        "LW",
        "1#6",
        "1#0",
        "#1",
        "SUN#",
        "0#1",
        "8#1",
        "1L",
        "0L",
        "8L",
        "SUNDAY",
        "JANUARY",
        "FOO",
        "FOOL",
        "L-3",
        "MONL,1",
        "1,MONL",
        "*,1",
        "1,*",
        "2-6/2",
        "1/8",
        "1/32",
        "007",
        "01",
        "30",
        "31",
        "1.5",
        "1 2",
        "FRI-MON",
        "0-23",
        "*/4",
        "*/3",
        "1/4",
        "0,4,8",
        "0,3",
        "22/3",
        "L,L",
        "TUE,THU#2,SATL",
    ];
    match throws.below(100) {
        0..50 => {
            let (at, with) = (throws.below(6), throws.one_of(&wrong));
            with.clone_into(&mut fields[at]);
            format!("cron({})", fields.join(" "))
        }
        50..75 => {
            let count = throws.one_of(&[
                "1",
                "3",
                "4",
                "0",
                "-1",
                "999",
                "1000",
                "1001",
                "24000",
                "24001",
                "4294967296",
                "x",
                "",
                "1.5",
                "+5",
                "05",
            ]);
            let unit = throws.one_of(&["days", "day", "hours", "hour", "minutes", "weeks", "Days", "", "d", "days "]);
            format!("rate({count} {unit})")
        }
        75..90 => good,
        90..95 => good.replace("cron", throws.one_of(&["Cron", "CRON", "", "cron ", "rate"])),
        _ => good.replace(')', throws.one_of(&["", "))", ") ", "*)"])),
    }
}

/// Without it, a schedule that AWS refuses would be met in the middle of an apply, or one that it takes could not be had.
#[test]
fn validity_agrees_with_a_plain_calendar() {
    let expected = ["valid", "refused", "too near at midnight"];
    let case = dice(DICE + 8);
    check(
        "validity_agrees_with_a_plain_calendar",
        400,
        &expected,
        &case,
        |dice| anything(&mut dice.throws()),
        |dice, seen| {
            let text = anything(&mut dice.throws());
            let found = parse_expression(&text);
            match calendar::verdict(&text) {
                Verdict::Valid => {
                    seen.add("valid", 1);
                    prop_assert!(found.is_ok(), "{}: {:?}", text, found);
                }
                Verdict::Refused => {
                    seen.add("refused", 1);
                    prop_assert!(found.is_err(), "{} is taken for {:?}", text, found);
                }
                Verdict::Either => seen.add("too near at midnight", 1),
            }
            if let Err(error) = found {
                prop_assert!(error.length >= 1 && error.offset <= text.chars().count(), "{}: {:?}", text, error);
            }
            Ok(())
        },
    );
}

/// The virtual environment with the libraries, made once.
fn python() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cron");
    let made = Command::new("bash")
        .arg(root.join("tests/peers/prepare"))
        .arg(&folder)
        .arg(root.join("tests/properties/requirements.txt"))
        .output()
        .expect("bash is there");
    assert!(made.status.success(), "cannot prepare the libraries: {}", String::from_utf8_lossy(&made.stderr));
    folder.join("bin/python")
}

/// How many windows of an expression the libraries are asked for.
const ASKED: usize = 300;

/// Without it, our own reading of AWS's table, in the code and in the plain calendar, could be wrong in the same way.
#[test]
fn windows_agree_with_other_libraries() {
    let cases = Cases::of("windows_agree_with_other_libraries", 200);
    let strategy = dice(DICE);
    let mut asked = Vec::new();
    for number in cases.numbers() {
        let mut runner = cases.runner(number);
        let tree = strategy.new_tree(&mut runner).expect("generators reject nothing");
        let dice = proptest::strategy::ValueTree::current(&tree);
        let mut throws = dice.throws();
        let text = cron(&mut throws);
        let from = moment(&mut throws);
        if parse_expression(&text).is_err() {
            continue;
        }
        // Python takes its time: so many windows of an expression are enough, and five years of one that has few.
        let rules = RotationRules { schedule: expression(&text), duration_hours: None };
        let to = from + TimeDelta::days(365 * YEARS);
        let to = windows(&rules, from).nth(ASKED).map_or(to, |window| window.opens.min(to));
        asked.push((number, text, from, to));
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/properties/schedules/openings.py");
    let mut child =
        Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    let mut stdin = child.stdin.take().expect("piped");
    let questions: Vec<String> = asked
        .iter()
        .map(|(_, text, from, to)| {
            json!({ "expression": text, "from": from.timestamp(), "to": to.timestamp() }).to_string()
        })
        .collect();
    // In a thread of its own: neither pipe may fill while the other isn't read.
    let writer = std::thread::spawn(move || stdin.write_all((questions.join("\n") + "\n").as_bytes()));
    let output = child.wait_with_output().expect("Python ends");
    writer.join().expect("no panic").expect("Python reads all");
    let answers: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut seen = Seen::expect(&["windows", "judged by aws-croniter", "judged by cronsim"]);
    assert_eq!(answers.len(), asked.len(), "Python ended early");
    for ((number, text, from, to), answer) in asked.iter().zip(&answers) {
        let rules = RotationRules { schedule: expression(text), duration_hours: None };
        let mut ours: Vec<i64> = windows(&rules, *from)
            .take_while(|window| window.opens <= *to)
            .map(|window| window.opens.timestamp() / 3600)
            .collect();
        seen.add("windows", ours.len());
        for (key, judge) in [("unix", "judged by cronsim"), ("aws", "judged by aws-croniter")] {
            let Some(theirs) = answer[key].as_array() else { continue };
            let theirs: Vec<i64> = theirs.iter().filter_map(Value::as_i64).collect();
            seen.add(judge, 1);
            // One library gives up where it looks for long; up to there, it has to agree.
            if answer["gave_up"] == true && key == "aws" {
                ours.truncate(theirs.len());
            }
            if theirs != ours {
                let at = ours
                    .iter()
                    .zip(&theirs)
                    .position(|(one, other)| one != other)
                    .unwrap_or(ours.len().min(theirs.len()));
                let shown = |hours: &[i64]| hours.get(at).map(|hour| DateTime::from_timestamp(hour * 3600, 0));
                let reason = format!("{judge}: window {at} opens at {:?}, here at {:?}", shown(&theirs), shown(&ours));
                cases.fail(*number, &reason, &format!("{text} from {from}"));
            }
        }
    }
    cases.tell(&seen);
}
