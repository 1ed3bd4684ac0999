//! Schedules, ARNs and names.

use chrono::{DateTime, TimeDelta, Utc};
use rotator::model::arn::{self, Arn};
use rotator::model::schedule::{self, parse_expression, windows};
use rotator::model::{RotationRules, Schedule};
use rotator::sandbox::wire::sigv4;

use super::text;

/// A text as a schedule expression, with durations of all lengths.
pub fn schedules(data: &[u8]) {
    let text = text(data);
    let expression = match parse_expression(&text) {
        Ok(expression) => expression,
        Err(error) => {
            let length = text.chars().count();
            assert!(error.length >= 1 && error.offset + error.length <= length.max(1), "{error:?} in {text:?}");
            return;
        }
    };
    let schedule = Schedule::Expression(text.clone());
    let longest = schedule::longest_interval_hours(&schedule).unwrap_or_else(|| panic!("{text:?} never opens"));
    assert!((4..=1000 * 24).contains(&longest) || matches!(expression, schedule::Expression::Cron(_)), "{longest}");
    assert!(schedule::openings(&schedule).is_some());
    // A leap day, late: the calendar's edges are near.
    let from: DateTime<Utc> = "2028-02-29T23:59:59Z".parse().expect("a time");
    let days = i64::from(u8::try_from(data.len() % 256).unwrap_or(0));
    let from = from + TimeDelta::days(days * 7);
    for duration in (0..=25).map(Some).chain([None]) {
        if schedule::check_window(&schedule, duration).is_err() {
            continue;
        }
        let rules = RotationRules::new(schedule.clone(), duration);
        let found: Vec<_> = windows(&rules, from).take(4).collect();
        assert_eq!(found.len(), 4, "{text:?} comes to an end");
        for window in &found {
            assert!(from < window.opens && window.opens < window.closes, "{text:?}: {window:?}");
            // The day's last moment still belongs to it.
            let last = window.closes - TimeDelta::seconds(1);
            assert_eq!(
                window.opens.date_naive(),
                last.date_naive(),
                "{text:?}, {duration:?}: {window:?} leaves its day"
            );
        }
        for pair in found.windows(2) {
            assert!(pair[0].closes <= pair[1].opens, "{text:?}, {duration:?}: {pair:?} overlap");
            let gap = (pair[1].opens - pair[0].opens).num_hours();
            assert!((4..=i64::from(longest)).contains(&gap), "{text:?}: {gap} hours, and {longest} at most");
        }
    }
}

/// A text as an ARN, a name, a reference, a signature.
pub fn names(data: &[u8]) {
    let text = text(data);
    if let Ok(arn) = text.parse::<Arn>() {
        assert_eq!(arn.to_string(), text, "an ARN changes when it is read");
        assert_eq!(arn.to_string().parse::<Arn>().as_ref(), Ok(&arn));
    }
    let names = arn::SecretName::of(&text).all();
    for part in [arn::function_name(&text), arn::unqualified_function_arn(&text)].into_iter().chain(names) {
        assert!(text.contains(part));
    }
    let plain = arn::unqualified_function_arn(&text);
    assert_eq!(arn::unqualified_function_arn(plain), plain, "a qualifier is left over");
    assert!(!arn::is_account_id(&text) || text.chars().count() == 12);
    let _ = arn::partition_of(&text);
    let header = format!("AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host, Signature={}", "0".repeat(64));
    if let Some(signed) = sigv4::read(&header) {
        assert!(signed.region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
    }
    let _ = sigv4::read(&text);
    let _ = rotator::sandbox::wire::arn::Arn::parse(&text);
    let _ = rotator::sandbox::wire::json::target(&text);
}

pub fn expressions() -> Vec<Vec<u8>> {
    [
        "rate(30 days)",
        "rate(4 hours)",
        "rate(1 day)",
        "cron(0 8 1 * ? *)",
        "cron(0 /8 * * ? *)",
        "cron(0 1/3 ? * SUN#1 *)",
        "cron(0 2 L * ? *)",
        "cron(0 2 SUNL * ? *)",
        "cron(0 0 29 2 ? *)",
        "cron(0 0,8,16 ? 1-6 MON-FRI *)",
        "cron(0 4/7 ? JAN/2 2L *)",
        "cron(0 0 31 * ? *)",
        "0 8 * * *",
        "rate(999 days)",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "arn:aws:lambda:eu-west-1:111111111111:function:f:live",
        "arn:aws:secretsmanager:eu-west-1:111111111111:secret:payments/api-key-AbCdEf",
        "arn:aws:iam::111111111111:role/rotator-read",
        "arn:aws-cn:serverlessrepo:cn-north-1:193023089310:applications/SecretsManagerRotationTemplate",
        "payments/api-key",
        "111111111111:function:f:1",
        "AKIA/20260131/eu-west-1/lambda/aws4_request",
        "secretsmanager.DescribeSecret",
        "secret.payments/api-key",
        "dev/function.stripe",
        "functions/${key}",
        "services/*.yaml",
        "../../etc/passwd",
        "prod-*",
        "30%",
        "rate(30 days)",
        "a\u{1b}]0;x\u{7}\u{202e}b",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
