//! Numbers of a declaration: each value has one spelling.

use serde_json::{Number, Value};

use crate::base::canon::MAX_INTEGER;

/// Which whole numbers an item can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WholeRange {
    /// The least of them; the largest is 2^53 − 1.
    pub(super) least: i64,
}

impl WholeRange {
    /// Every number that all readers of JSON keep exactly.
    pub(super) const ANY: Self = Self { least: -(MAX_INTEGER as i64) };
    /// From 0.
    pub(super) const NATURAL: Self = Self { least: 0 };
    /// From 1.
    pub(super) const POSITIVE: Self = Self { least: 1 };

    /// Whether a number is one of them.
    pub(super) fn contains(self, number: &Number) -> bool {
        number.as_i64().is_some_and(|n| n >= self.least && n.unsigned_abs() <= MAX_INTEGER)
    }
}

/// Whether a text is a decimal number in its only spelling: `^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$`, and not `-0`.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|fraction| digits(fraction) && !fraction.ends_with('0'))
        && text != "-0"
}

/// A decimal number in its only spelling, of a text that JSON may have for it. `None`: it has an exponent, or is no number.
pub fn shortest_decimal(text: &str) -> Option<String> {
    let short = match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => text.to_owned(),
    };
    is_decimal(&short).then_some(short)
}

/// Whether a decimal number lies from `least`, which is not negative, to `most`.
pub fn is_decimal_within(text: &str, least: i64, most: i64) -> bool {
    if !is_decimal(text) || text.starts_with('-') {
        return false;
    }
    let (whole, fraction) = text.split_once('.').map_or((text, false), |(whole, _)| (whole, true));
    // A fraction has a digit that is not zero, so that it is past its whole number.
    whole.parse::<i64>().is_ok_and(|n| n >= least && (n < most || (n == most && !fraction)))
}

/// Whether a value is an amount from 0 to `most` in its only spelling: a whole number, or a text if it has a fraction.
pub(super) fn is_amount(value: &Value, most: i64) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|n| (0..=most).contains(&n)),
        Value::String(text) => text.contains('.') && is_decimal_within(text, 0, most),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Aliases that mean another version another day.
const MOVING: [&str; 21] = [
    "canary",
    "current",
    "default",
    "dev",
    "edge",
    "experimental",
    "head",
    "latest",
    "live",
    "lts",
    "main",
    "master",
    "newest",
    "nightly",
    "preview",
    "prod",
    "production",
    "release",
    "rolling",
    "stable",
    "trunk",
];

/// The alias in a version that means another one another day: the whole of it, or what stands behind the last `-`, `:`, `@` or `/`.
pub fn moving_alias(version: &str) -> Option<&str> {
    let last = version.rsplit(['-', ':', '@', '/']).next().unwrap_or_default();
    let is_moving = |text: &&str| MOVING.contains(&text.trim().to_ascii_lowercase().as_str());
    // `1.2-dev` is a version in the making, and `2024-06-preview` a dated one: only what always moves counts as an ending.
    let always = |text: &&str| {
        matches!(text.to_ascii_lowercase().as_str(), "latest" | "head" | "main" | "master" | "nightly" | "newest")
    };
    Some(version).filter(is_moving).or(Some(last).filter(|last| *last != version).filter(always))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_of_json_is_spelled_as_a_decimal() {
        for (text, decimal) in [
            ("0.70", Some("0.7")),
            ("1.0", Some("1")),
            ("1", Some("1")),
            ("10", Some("10")),
            ("0.000", Some("0")),
            ("-0.5", Some("-0.5")),
            ("-0.0", None),
            ("7e-1", None),
        ] {
            assert_eq!(shortest_decimal(text).as_deref(), decimal, "{text}");
        }
    }

    #[test]
    fn a_decimal_has_one_spelling_and_a_range() {
        for (text, within) in [
            ("0", true),
            ("1", true),
            ("0.25", true),
            ("1.5", false),
            ("2", false),
            ("-0.5", false),
            ("-0", false),
            ("00", false),
            ("0.50", false),
            (".5", false),
            ("1.0", false),
            ("1e0", false),
            ("", false),
        ] {
            assert_eq!(is_decimal_within(text, 0, 1), within, "{text}");
        }
        for (value, right) in [
            (json!(0), true),
            (json!(100), true),
            (json!(101), false),
            (json!(-1), false),
            (json!("2.5"), true),
            (json!("2"), false),
            (json!(2.5), false),
            (json!(true), false),
            (json!("100.1"), false),
        ] {
            assert_eq!(is_amount(&value, 100), right, "{value}");
        }
    }

    #[test]
    fn an_alias_that_moves_is_no_version() {
        for moving in ["latest", "Latest", "stable", "main", "gpt-x-latest", "org/model@main", "image:latest", "HEAD"] {
            assert!(moving_alias(moving).is_some(), "{moving}");
        }
        for version in
            ["2026-09-30", "example-large-2026-09-30", "v1.2.3", "1.2-dev", "main-7f3c", "stable-diffusion-1.5"]
        {
            assert_eq!(moving_alias(version), None, "{version}");
        }
    }
}
