//! Plain scalars: what an unquoted text means.

use super::node::{Number, Value};

/// What a plain scalar is in YAML 1.2's core schema.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = |integer| Value::Number(Number { text: text.to_owned(), integer });
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return number(text.parse::<i64>().ok());
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && let Ok(integer) = i64::from_str_radix(digits, radix)
            && !digits.starts_with(['-', '+'])
        {
            return number(Some(integer));
        }
    }
    let float_shape = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.bytes().any(|b| b.is_ascii_digit());
    if (float_shape && text.parse::<f64>().is_ok())
        || matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(text, ".nan" | ".NaN" | ".NAN")
    {
        return number(None);
    }
    Value::String(text.to_owned())
}

/// `2026-01-31`, with or without a time: a timestamp to readers of YAML 1.1.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"0000-00-00";
    bytes.len() >= shape.len()
        && shape
            .iter()
            .zip(bytes)
            .all(|(pattern, byte)| if *pattern == b'0' { byte.is_ascii_digit() } else { byte == pattern })
        && (bytes.len() == shape.len() || matches!(bytes[shape.len()], b'T' | b't' | b' '))
        && bytes[shape.len()..].iter().all(|byte| byte.is_ascii_digit() || b"Tt :.Z+-z".contains(byte))
}

/// The whole number in digits that was probably meant by another way of writing one, and why that way isn't read.
///
/// Readers of YAML 1.1 and 1.2 disagree about most of these, and so would two people who review the same change.
pub(super) fn meant(text: &str) -> Option<(String, &'static str)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let of_base = |digits: &str, base| u64::from_str_radix(digits, base).ok().map(|number| format!("{sign}{number}"));
    let plain = |digits: &str| {
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") }
    };
    for (prefix, base, why) in [
        ("0x", 16, "a number in base 16 reads like another one"),
        ("0o", 8, "a number in base 8 reads like another one"),
        ("0b", 2, "YAML readers don't agree on what a number in base 2 is"),
    ] {
        if let Some(rest) = unsigned.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            return Some((of_base(&rest.replace('_', ""), base)?, why));
        }
    }
    if digits(unsigned) {
        let why = if unsigned.len() > 1 && unsigned.starts_with('0') {
            "YAML readers don't agree on a number that starts with 0: to some it is in base 8"
        } else if text.starts_with('+') || unsigned == "0" {
            "a whole number is written in digits alone"
        } else {
            return None;
        };
        return Some((plain(unsigned), why));
    }
    if unsigned.contains('_') && digits(&unsigned.replace('_', "")) {
        return Some((
            plain(&unsigned.replace('_', "")),
            "YAML readers don't agree on a number with `_`: to some it is a text",
        ));
    }
    let mut parts = unsigned.split(':');
    if unsigned.contains(':') && parts.by_ref().all(digits) {
        let sum =
            unsigned.split(':').try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?;
        return Some((
            format!("{sign}{sum}"),
            "YAML readers don't agree on what it is: to some it is a number in base 60",
        ));
    }
    let float: f64 =
        unsigned.parse().ok().filter(|float: &f64| float.is_finite() && float.fract() == 0.0 && *float < 1e15)?;
    let shape = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    shape.then(|| (format!("{sign}{float:.0}"), "a whole number is written in digits alone"))
}

/// A number of hours that a window can have.
pub(super) fn in_a_day(number: &str) -> Option<u8> {
    number.parse().ok().filter(|hours| (1..=24).contains(hours))
}

/// The hours that a length of time was probably meant to have: `2`, `3 hours`, `180 minutes`, `1 day`, `PT3H`.
pub(super) fn hours_of(text: &str) -> Option<u8> {
    let lower = text.trim().to_ascii_lowercase();
    let iso = lower.strip_prefix("pt").or_else(|| lower.strip_prefix('p'));
    let lower = iso.unwrap_or(&lower);
    let number: String = lower.chars().take_while(char::is_ascii_digit).collect();
    match lower[number.len()..].trim() {
        "" if iso.is_none() => in_a_day(&number),
        "h" | "hr" | "hrs" | "hour" | "hours" => in_a_day(&number),
        "d" | "day" | "days" => (number == "1").then_some(24),
        "m" | "min" | "mins" | "minute" | "minutes" => {
            let minutes: u32 = number.parse().ok().filter(|minutes| minutes % 60 == 0)?;
            in_a_day(&(minutes / 60).to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a text could become a number or a boolean that its author never wrote, or the other way round.
    #[test]
    fn core_schema() {
        for text in ["", "~", "null", "NULL"] {
            assert!(matches!(plain(text), Value::Null), "{text}");
        }
        for text in ["true", "False"] {
            assert!(matches!(plain(text), Value::Bool(_)), "{text}");
        }
        for (text, integer) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("012", Some(12)),
            ("0x1F", Some(31)),
            ("0o17", Some(15)),
            ("1.5", None),
            ("1e3", None),
            (".inf", None),
        ] {
            assert!(matches!(plain(text), Value::Number(number) if number.integer == integer), "{text}");
        }
        for text in ["yes", "off", "tRue", "1.2.3", "1-2", "0x", "--1", "4h", "e3", ".", "+", "1_000", "0x-1", "12:30"]
        {
            assert!(matches!(plain(text), Value::String(_)), "{text}");
        }
    }

    /// Without it, a date would be text to us and a timestamp to other readers of the same file.
    #[test]
    fn dates() {
        assert!(["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00 +01:00"].into_iter().all(is_date));
        assert!(
            !["2026-1-31", "2026-01-31-backup", "20260131", "prod/2026-01-31", "2026-01-31x"].into_iter().any(is_date)
        );
    }

    /// Without it, the help for a number that two readers take for two would name a third.
    #[test]
    fn other_ways_to_write_a_number_have_a_plain_one() {
        for (text, plain) in [
            ("0777", "777"),
            ("010", "10"),
            ("-010", "-10"),
            ("00", "0"),
            ("089", "89"),
            ("0o36", "30"),
            ("0x1F", "31"),
            ("0x_1f", "31"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("+5", "5"),
            ("-0", "0"),
            ("1e3", "1000"),
            ("30.0", "30"),
            ("30.", "30"),
            ("1:30", "90"),
            ("1:00:00", "3600"),
        ] {
            assert_eq!(meant(text).map(|(meant, _)| meant).as_deref(), Some(plain), "{text}");
        }
        for text in [
            "5",
            "-5",
            ".5",
            "1.5",
            "4h",
            "",
            "x",
            "_",
            ":",
            "1:",
            "0o",
            "0o9",
            "1e999",
            "99999999999999999999",
            "inf",
            "1 0",
        ] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
