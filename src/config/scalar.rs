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
}
