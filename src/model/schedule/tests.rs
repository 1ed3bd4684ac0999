use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use proptest::prelude::*;

use super::*;
use crate::model::RotationRules;

fn expression(text: &str) -> Schedule {
    Schedule::Expression(text.to_owned())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a test's own date")
}

fn opens(text: &str, from: &str, count: usize) -> Vec<String> {
    let rules = RotationRules { schedule: expression(text), duration_hours: None };
    windows(&rules, time(from)).take(count).map(|window| window.opens.format("%F %H").to_string()).collect()
}

/// Without it, a valid schedule of AWS's guide would be refused and its secret could not be managed.
#[test]
fn accepts_what_the_guide_shows() {
    for text in [
        "rate(4 hours)",
        "rate(1 day)",
        "rate(10 days)",
        "rate(999 days)",
        "rate(12 hours)",
        "cron(0 /8 * * ? *)",
        "cron(0 8 * * ? *)",
        "cron(0 0/4 * * ? *)",
        "cron(0 10 ? * SUN#1 *)",
        "cron(0 10 1 * ? *)",
        "cron(0 18 ? * SUNL *)",
        "cron(0 6 L * ? *)",
        "cron(0 2 ? * L *)",
        "cron(0 16 ? * MON-FRI *)",
        "cron(0 1 1,15 * ? *)",
        "cron(0 3 1/3 * ? *)",
        "cron(0 3 ? 1/3 1#1 *)",
        "cron(0 0 SUNL * ? *)",
        "cron(0 0 ? JAN,JUL 2-6 *)",
        "cron(0 23 29 2 ? *)",
        "cron(0 0 31 * ? *)",
        "cron(0 8,20 ? * 7L *)",
        "cron(0 0,23 ? * MON *)",
        "cron(0 0 */2 * ? *)",
    ] {
        assert_eq!(check_window(&expression(text), None), Ok(()), "{text}");
    }
}

/// Without it, windows on the last day and on the one before it, in whichever month, could open too soon after each other.
#[test]
fn the_last_day_may_follow_a_listed_one() {
    for (days, are_neighbours) in
        [("27,L", true), ("30,L", true), ("1,L", true), ("1,28", true), ("26,L", false), ("1,27", false)]
    {
        let text = format!("cron(0 0,22 {days} * ? *)");
        assert_eq!(check_window(&expression(&text), None).is_err(), are_neighbours, "{text}");
    }
}

/// Without it, AWS would be the one to refuse a schedule, in the middle of an apply; or the caret would mislead.
#[test]
fn refuses_with_the_wrong_part() {
    for (text, wrong, reason) in [
        ("rate(3 hours)", "3 hours", "a secret rotates at most every 4 hours"),
        ("rate(0 days)", "0", "a rate is at least 1"),
        ("rate(010 days)", "010", "the number begins with a 0"),
        ("rate(03 hours)", "03 hours", "a secret rotates at most every 4 hours"),
        ("cron(0 010 * * ? *)", "010", "the number begins with a 0"),
        ("rate(-1 days)", "-1", "`rate()` starts with a whole number"),
        ("rate(5 minutes)", "minutes", "a rate is in `hours` or `days`, not `minutes`"),
        ("rate(1001 days)", "1001 days", "a secret rotates at least every 1000 days"),
        ("rate(99999999999 days)", "99999999999", "the number is too large"),
        ("rate(30days)", "30days", "`rate()` takes a number and a unit"),
        ("rate(30 days", "s", "`rate(` is not closed at the end"),
        ("30 days", "30 days", "a schedule expression is `rate(…)` or `cron(…)`"),
        (
            "cron(0 8 * * *)",
            "0 8 * * *",
            "AWS's cron has six fields (minutes, hours, day of month, month, day of week, year), not 5",
        ),
        ("cron(15 8 * * ? *)", "15", "the minutes are always 0: windows open at the full hour"),
        ("cron(0 8 * * ? 2026)", "2026", "the year is always `*`"),
        ("cron(0 8 * * * *)", "*", "one of day of month and day of week must be `?`"),
        ("cron(0 8 1 * MON *)", "MON", "one of day of month and day of week must be `?`"),
        ("cron(0 8 ? * ? *)", "?", "only one of day of month and day of week is `?`"),
        ("cron(0 24 * * ? *)", "24", "the hour is 0 to 23, not `24`"),
        ("cron(0 0/3 * * ? *)", "0/3", "a secret rotates at most every 4 hours"),
        ("cron(0 * * * ? *)", "*", "a secret rotates at most every 4 hours"),
        ("cron(0 0,22 * * ? *)", "0,22", "a secret rotates at most every 4 hours"),
        ("cron(0 0,22 ? * SAT,SUN *)", "0,22", "a secret rotates at most every 4 hours"),
        ("cron(0 8 15W * ? *)", "15W", "the day of the month can't be `15W`"),
        ("cron(0 8 32 * ? *)", "32", "the day of the month is 1 to 31, not `32`"),
        ("cron(0 8 0 * ? *)", "0", "the day of the month is 1 to 31, not `0`"),
        ("cron(0 8 31 FEB,APR ? *)", "31", "no month of the schedule has such a day: it never opens a window"),
        ("cron(0 8 1 JANUARY ? *)", "JANUARY", "the month can't be `JANUARY`"),
        ("cron(0 8 ? * SUNDAY *)", "SUNDAY", "the day of the week can't be `SUNDAY`"),
        ("cron(0 8 ? * SUN#6 *)", "SUN#6", "after `#` stands which one of the month: 1 to 5"),
        ("cron(0 8 ? * FRI-MON *)", "FRI-MON", "the range `FRI-MON` runs backwards"),
        ("cron(0 8 ? * 0 *)", "0", "the day of the week is 1 to 7, not `0`"),
        ("cron(0 8 1,,2 * ? *)", "", "the day of the month is missing a value"),
        ("cron(0 8 1/0 * ? *)", "0", "a step after `/` is 1 to 31"),
        ("rate(30 d\u{e4}ys)", "\u{e4}", "`ä` can't stand in a schedule expression"),
        ("", "", "a schedule expression is empty"),
        (" rate(1 day)", " ", "a schedule expression has no spaces around it"),
        ("Rate(1 day)", "Rate(1 day)", "a schedule expression is `rate(…)` or `cron(…)`"),
    ] {
        let error = parse_expression(text).expect_err(text);
        let shown: String = text.chars().skip(error.offset).take(error.length).collect();
        assert_eq!(error.reason, reason, "{text}");
        assert!(shown == wrong || wrong.is_empty(), "{text}: the caret is under `{shown}`");
    }
}

/// Without it, a hint would propose something that is refused again, or that means another day than was written.
#[test]
fn hints_are_valid_themselves() {
    for (text, meant) in [
        ("cron(0 8 * * *)", "cron(0 8 * * ? *)"),
        ("0 8 1 * *", "cron(0 8 1 * ? *)"),
        ("cron(0 8 * * MON)", "cron(0 8 ? * MON *)"),
        ("30 days", "rate(30 days)"),
        // Unix counts the days of the week from Sunday, which is 0 and 7; AWS from Sunday, which is 1.
        ("0 2 * * 1", "cron(0 2 ? * MON *)"),
        ("0 2 * * 0", "cron(0 2 ? * SUN *)"),
        ("0 2 * * 7", "cron(0 2 ? * SUN *)"),
        ("0 2 * * 1-5", "cron(0 2 ? * MON-FRI *)"),
        ("0 2 * * 6,0", "cron(0 2 ? * SUN,SAT *)"),
        ("0 2 * * 5-7", "cron(0 2 ? * SUN,FRI,SAT *)"),
        ("0 2 * * */2", "cron(0 2 ? * SUN,TUE,THU,SAT *)"),
        ("0 2 * * 0-6", "cron(0 2 * * ? *)"),
        ("0 2 * jan sat", "cron(0 2 ? JAN SAT *)"),
        ("0 */6 * * *", "cron(0 */6 * * ? *)"),
        ("30 2 * * 1", "cron(0 2 ? * MON *)"),
        ("@daily", "cron(0 0 * * ? *)"),
        ("@weekly", "cron(0 0 ? * SUN *)"),
        ("@monthly", "cron(0 0 1 * ? *)"),
        ("@yearly", "cron(0 0 1 JAN ? *)"),
        ("rate(7 Days)", "rate(7 days)"),
        ("RATE(7 Days)", "rate(7 days)"),
        ("CRON(0 2 ? * sun *)", "cron(0 2 ? * SUN *)"),
    ] {
        let hint = parse_expression(text).expect_err(text).hint.expect("a hint");
        let proposed = hint.split('`').nth(1).expect("the proposal");
        assert_eq!(proposed, meant, "{text}: {hint}");
        assert!(parse_expression(proposed).is_ok(), "{hint}");
    }
    // What AWS can't say so is given no such hint, and whatever is proposed can be taken all the same.
    for text in ["0 2 1 * 1", "0 * * * *", "*/15 * * * *", "0 2 * * 9", "@hourly", "@reboot", "at(2026-01-01T00:00:00)"]
    {
        let hint = parse_expression(text).expect_err(text).hint.expect("a hint");
        let proposed = hint.split('`').nth(1).expect("a proposal");
        assert!(parse_expression(proposed).is_ok(), "{text}: {hint}");
    }
}

/// Without it, what AWS's table shows in upper case alone would pass here, and be refused in a rehearsal or on AWS.
#[test]
fn days_and_months_are_in_upper_case() {
    for (text, word) in [
        ("cron(0 8 ? * sun *)", "SUN"),
        ("cron(0 8 ? * sunL *)", "SUN"),
        ("cron(0 8 ? * Mon-FRI *)", "MON"),
        ("cron(0 8 1 feb ? *)", "FEB"),
        ("cron(0 8 1 jul ? *)", "JUL"),
        ("cron(0 8 l * ? *)", "L"),
        ("cron(0 8 sunl * ? *)", "SUNL"),
        ("cron(0 8 ? * sun#1 *)", "SUN"),
    ] {
        let error = parse_expression(text).expect_err(text);
        assert_eq!(error.hint, Some(format!("write `{word}`, in upper case")), "{text}");
    }
    let hint = |text: &str| parse_expression(text).expect_err(text).hint.expect("a hint");
    assert_eq!(hint("cron(0 8 ? * 0 *)"), "write `SUN`: AWS counts from 1, which is SUN");
    assert!(hint("cron(0 8 L-2 * ? *)").contains("`28`"));
}

/// Without it, a window that AWS refuses would pass, or one that it takes would not.
#[test]
fn windows_end_with_the_day_and_before_the_next() {
    let days = Schedule::AutomaticallyAfterDays(30);
    for (schedule, longest) in [
        (days, 24),
        (expression("rate(10 days)"), 24),
        (expression("rate(6 hours)"), 6),
        (expression("rate(100 hours)"), 24),
        (expression("cron(0 8 1 * ? *)"), 16),
        (expression("cron(0 /8 * * ? *)"), 8),
        (expression("cron(0 0,20 ? * MON *)"), 4),
        (expression("cron(0 23 * * ? *)"), 1),
    ] {
        assert_eq!(check_window(&schedule, Some(longest)), Ok(()), "{schedule}");
        assert!(check_window(&schedule, Some(longest + 1)).is_err(), "{schedule}");
        assert!(check_window(&schedule, Some(0)).is_err(), "{schedule}");
        let default = default_duration_hours(&schedule).expect("a default");
        assert_eq!(check_window(&schedule, Some(default)), Ok(()), "the default of {schedule}");
    }
    assert!(check_window(&Schedule::AutomaticallyAfterDays(0), None).is_err());
    assert!(check_window(&Schedule::AutomaticallyAfterDays(1001), None).is_err());
}

/// Without it, two spellings of one window would differ for ever.
#[test]
fn default_windows() {
    for (text, hours) in
        [("rate(4 hours)", 1), ("rate(2 days)", 24), ("cron(0 8 1 * ? *)", 16), ("cron(0 /8 * * ? *)", 1)]
    {
        assert_eq!(default_duration_hours(&expression(text)), Some(hours), "{text}");
        assert_eq!(RotationRules::new(expression(text), Some(hours)), RotationRules::new(expression(text), None));
    }
    assert_eq!(default_duration_hours(&expression("rate(1 week)")), None);
}

/// Without it, `schedule` would show dates on which nothing happens.
#[test]
fn calendar() {
    assert_eq!(
        opens("cron(0 2 ? * SUN#1 *)", "2026-01-01T00:00:00Z", 3),
        ["2026-01-04 02", "2026-02-01 02", "2026-03-01 02"]
    );
    assert_eq!(opens("cron(0 2 ? * 1L *)", "2026-01-01T00:00:00Z", 2), ["2026-01-25 02", "2026-02-22 02"]);
    assert_eq!(opens("cron(0 2 SATL * ? *)", "2026-01-01T00:00:00Z", 2), ["2026-01-31 02", "2026-02-28 02"]);
    assert_eq!(opens("cron(0 2 L * ? *)", "2028-02-01T00:00:00Z", 2), ["2028-02-29 02", "2028-03-31 02"]);
    assert_eq!(opens("cron(0 2 29 2 ? *)", "2026-01-01T00:00:00Z", 2), ["2028-02-29 02", "2032-02-29 02"]);
    assert_eq!(
        opens("cron(0 /8 * * ? *)", "2026-01-01T00:00:00Z", 3),
        ["2026-01-01 08", "2026-01-01 16", "2026-01-02 00"]
    );
    assert_eq!(opens("rate(10 days)", "2026-01-01T13:14:15Z", 2), ["2026-01-11 00", "2026-01-21 00"]);
    assert_eq!(opens("rate(6 hours)", "2026-01-01T13:14:15Z", 2), ["2026-01-01 18", "2026-01-02 00"]);
    assert!(opens("cron(0 2 30 2 ? *)", "2026-01-01T00:00:00Z", 2).is_empty());
    let rules = RotationRules::new(Schedule::AutomaticallyAfterDays(30), Some(4));
    let first = windows(&rules, time("2026-01-01T13:00:00Z")).next().expect("a window");
    assert_eq!((first.opens, first.closes), (time("2026-01-31T00:00:00Z"), time("2026-01-31T04:00:00Z")));
}

proptest! {
    /// Without it, a text from outside could stop the program.
    #[test]
    fn never_panics(text in "(rate|cron)?\\(?[0-9A-Z#?*/, L\u{e4}-]{0,30}\\)?") {
        if let Err(error) = parse_expression(&text) {
            prop_assert!(error.length >= 1 && error.offset <= text.chars().count());
        }
    }
}

/// The longest time between openings, and between the opening of one window and the end of the next, by looking at each
/// window over a span of years.
fn gaps_by_looking(rules: &RotationRules, years: i64) -> (u32, u32) {
    // The moment before the year, so that an opening at its midnight counts too.
    let from = time("1999-12-31T23:59:59Z");
    let to = from + TimeDelta::days(years * 146_097 / 400);
    let all: Vec<Window> = windows(rules, from).take_while(|window| window.opens <= to).collect();
    let hours = |span: TimeDelta| u32::try_from(span.num_hours()).expect("a positive span");
    let longest = |gap: fn(&[Window]) -> TimeDelta| all.windows(2).map(|pair| hours(gap(pair))).max().unwrap_or(0);
    (longest(|pair| pair[1].opens - pair[0].opens), longest(|pair| pair[1].closes - pair[0].opens))
}

/// Without it, a policy's longest gap could be too short where the calendar is unkind: years without a leap day, months
/// without a fifth Saturday.
#[test]
fn the_worst_gap_is_that_of_the_whole_cycle() {
    for (text, days) in [
        ("cron(0 2 29 2 ? *)", 2921),      // 2096 to 2104
        ("cron(0 2 ? 2 SUN#5 *)", 14_609), // a 29th of February that is a Sunday
        ("cron(0 2 ? * SAT#5 *)", 119),
        ("cron(0 2 31 * ? *)", 61),
        ("cron(0 2 L * ? *)", 31),
        ("cron(0 2 ? 6 FRIL *)", 371),
        ("cron(0 2 ? 1,7 MON#1 *)", 189),
        ("cron(0 2 29,30 2,3 ? *)", 364),
    ] {
        let rules = RotationRules { schedule: expression(text), duration_hours: Some(4) };
        let exact = (longest_interval_hours(&rules.schedule), worst_gap_hours(&rules));
        // One cycle, and far enough into the next for the gap across its end.
        let looked = gaps_by_looking(&rules, 450);
        assert_eq!(exact, (Some(looked.0), Some(looked.1)), "{text}");
        assert_eq!(looked.0, days * 24, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Without it, a schedule could leave a secret longer as it is than a policy allows, and the plan would say that it doesn't.
    #[test]
    fn worst_gaps_agree_with_brute_force(
        hour in prop::sample::select(vec!["0", "8", "/8", "0/6", "3,15", "23"]),
        (month_days, week_days) in prop::sample::select(vec![
            ("*", "?"), ("1", "?"), ("31", "?"), ("L", "?"), ("1,15", "?"), ("1/3", "?"), ("10-20/5", "?"), ("28,L", "?"), ("MONL", "?"), ("*/7", "?"),
            ("?", "*"), ("?", "SUN"), ("?", "1"), ("?", "2-6"), ("?", "SAT#5"), ("?", "1#1,4#3"), ("?", "FRIL"), ("?", "7L"), ("?", "L"), ("?", "2/2"), ("?", "TUE,THU#2"),
        ]),
        month in prop::sample::select(vec!["*", "1", "2", "1/3", "6-8", "12,1"]),
        duration in 1_u8..4,
    ) {
        // 28 years hold each month on each day of the week; only the turn of a century adds to that.
        const YEARS: i64 = 28;
        let text = format!("cron(0 {hour} {month_days} {month} {week_days} *)");
        if check_window(&expression(&text), Some(duration)).is_err() {
            return Ok(());
        }
        let rules = RotationRules { schedule: expression(&text), duration_hours: Some(duration) };
        let looked = gaps_by_looking(&rules, YEARS + 1);
        let exact = (longest_interval_hours(&rules.schedule).expect("valid"), worst_gap_hours(&rules).expect("valid"));
        prop_assert!(looked.0 <= exact.0 && looked.1 <= exact.1, "{}: {:?} {:?}", text, looked, exact);
        if !text.contains("31 2 ") && !text.contains("SAT#5") && !text.contains(" 2 ?") {
            prop_assert_eq!(looked, exact, "{}", text);
        }
    }

    /// Without it, days and rates could be judged by other windows than AWS opens.
    #[test]
    fn worst_gaps_of_rates(days in 1_u16..400, hours in 4_u32..200, duration in 1_u8..4) {
        for schedule in [Schedule::AutomaticallyAfterDays(days), expression(&format!("rate({days} days)")), expression(&format!("rate({hours} hours)"))] {
            let rules = RotationRules { schedule, duration_hours: Some(duration) };
            let exact = (longest_interval_hours(&rules.schedule).expect("valid"), worst_gap_hours(&rules).expect("valid"));
            prop_assert_eq!(gaps_by_looking(&rules, 4), exact, "{}", rules);
        }
    }

    /// Without it, a window could open at an hour or on a day that a policy's bounds were never compared with.
    #[test]
    fn openings_name_each_hour_and_day(text in prop::sample::select(vec![
        "cron(0 /8 ? * MON,WED#2 *)", "cron(0 3 ? * FRIL *)", "cron(0 3,15 1 * ? *)", "rate(10 hours)", "rate(36 hours)", "rate(7 hours)", "rate(3 days)",
    ]), day in 0_i64..400) {
        let rules = RotationRules { schedule: expression(text), duration_hours: None };
        let named = openings(&rules.schedule).expect("valid");
        for window in windows(&rules, time("2026-01-01T05:00:00Z") + TimeDelta::days(day)).take(60) {
            let (hour, weekday) = (window.opens.hour(), window.opens.weekday().num_days_from_sunday());
            prop_assert!(named.hours.iter().any(|named| u32::from(*named) == hour), "{} {}", text, window.opens);
            prop_assert!(named.weekdays.as_ref().is_none_or(|days| days.iter().any(|day| u32::from(*day) == weekday)), "{} {}", text, window.opens);
        }
    }
}
