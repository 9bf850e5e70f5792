//! The canonical form of a JSON value: the bytes of RFC 8785 (JSON Canonicalization Scheme), which are what is digested.
//!
//! A value has one canonical form, whoever writes it and in whatever order its members stand. Two rules are stricter than
//! the RFC's, so that nobody needs a number printer to check a digest: numbers are whole and within ±(2⁵³ − 1), which
//! every reader of JSON keeps exactly (RFC 7493, section 2.2), and texts are in Unicode normal form C.

use std::fmt;

use serde_json::{Map, Value};
use unicode_normalization::is_nfc;

use super::digest::Digest;

/// The largest number, and its negative the smallest: beyond it not every whole number is a double.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// What has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", Pointer(.pointer))]
pub struct CanonError {
    /// JSON pointer of the value.
    pub pointer: String,
    /// What is wrong with it.
    pub problem: CanonProblem,
}

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonProblem {
    /// A number with a fraction or an exponent, or minus zero.
    #[error("the number is not an integer; write it as a string")]
    Fraction,
    /// A number that a double does not hold exactly.
    #[error("the number is outside ±{MAX_INTEGER}; write it as a string")]
    TooLarge,
    /// A text that another spelling of Unicode would give other bytes.
    #[error("the string is not in Unicode normal form C; normalise it")]
    NotNfc,
    /// A member's name, likewise.
    #[error("a member's name is not in Unicode normal form C; normalise it")]
    NameNotNfc,
}

struct Pointer<'a>(&'a str);

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the document itself") } else { write!(f, "`{}`", self.0) }
    }
}

/// The canonical bytes of `value`.
///
/// # Errors
/// The first thing that has none, by JSON pointer.
pub fn canonical(value: &Value) -> Result<Vec<u8>, CanonError> {
    check(value, true, &mut String::new())?;
    Ok(write(value))
}

/// The digest of the canonical bytes of `value`.
///
/// # Errors
/// As [`canonical`].
pub fn digest(value: &Value) -> Result<Digest, CanonError> {
    Ok(Digest::of(&canonical(value)?))
}

/// The same for data that is compared by digest alone and whose texts are as they have to be: a file's name may be
/// spelled in any form, and which one is the point of some probes. Numbers are held to the same rule.
///
/// # Errors
/// As [`canonical`], but for normal form C.
pub fn digest_data(value: &Value) -> Result<Digest, CanonError> {
    check(value, false, &mut String::new())?;
    Ok(Digest::of(&write(value)))
}

fn write(value: &Value) -> Vec<u8> {
    serde_jcs::to_vec(value).expect("a JSON value of whole numbers can be written to memory")
}

fn check(value: &Value, nfc: bool, at: &mut String) -> Result<(), CanonError> {
    let refuse = |at: &str, problem| Err(CanonError { pointer: at.to_owned(), problem });
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) if n.unsigned_abs() <= MAX_INTEGER => Ok(()),
            (None, None) => refuse(at, CanonProblem::Fraction),
            _ => refuse(at, CanonProblem::TooLarge),
        },
        Value::String(text) if nfc && !is_nfc(text) => refuse(at, CanonProblem::NotNfc),
        Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(n, item)| {
            let length = at.len();
            at.push('/');
            at.push_str(&n.to_string());
            check(item, nfc, at)?;
            at.truncate(length);
            Ok(())
        }),
        Value::Object(members) => check_members(members, nfc, at),
    }
}

fn check_members(members: &Map<String, Value>, nfc: bool, at: &mut String) -> Result<(), CanonError> {
    for (name, member) in members {
        let length = at.len();
        at.push('/');
        at.push_str(&pointer_part(name));
        if nfc && !is_nfc(name) {
            return Err(CanonError { pointer: at.clone(), problem: CanonProblem::NameNotNfc });
        }
        check(member, nfc, at)?;
        at.truncate(length);
    }
    Ok(())
}

/// Whether a text may stand in a canonical form.
pub fn is_normal(text: &str) -> bool {
    is_nfc(text)
}

/// A member's name as a part of a JSON pointer (RFC 6901).
pub fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use proptest::prelude::*;
    use serde_json::json;

    fn canonical_of_text(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        Ok(canonical(&json::parse(bytes)?)?)
    }

    fn refused(text: &str) -> String {
        canonical_of_text(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn members_are_ordered_by_utf16_units() {
        // RFC 8785, section 3.2.3: its example, without the comments.
        let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        // U+FB33 has a canonical decomposition and is excluded from recomposition, so it is in no normal form C.
        let error = refused(text);
        assert!(error.contains("name is not in Unicode normal form C"), "{error}");
        let value = json::parse(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(write(&value)).unwrap(),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"Latin Small Letter O With \
             Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew \
             Letter Dalet With Dagesh\"}"
        );
    }

    #[test]
    fn texts_are_written_as_the_rfc_writes_them() {
        // RFC 8785, section 3.2.2: the text and the literals of its example.
        let text = r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        assert_eq!(
            String::from_utf8(canonical_of_text(text.as_bytes()).unwrap()).unwrap(),
            "{\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        assert_eq!(canonical(&json!("\u{8}\t\n\u{c}\r\u{1}\u{7f}")).unwrap(), b"\"\\b\\t\\n\\f\\r\\u0001\x7f\"");
    }

    #[test]
    fn whole_numbers_up_to_the_last_exact_double() {
        // RFC 8785, appendix B: the samples that are whole numbers within the range.
        for (text, written) in [
            ("0", "0"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("-1", "-1"),
            ("[3,10,200]", "[3,10,200]"),
        ] {
            assert_eq!(canonical_of_text(text.as_bytes()).unwrap(), written.as_bytes());
        }
    }

    #[test]
    fn numbers_that_need_a_number_printer_are_refused() {
        // RFC 8785, appendix B and section 3.2.2: every other sample.
        for text in [
            "-0",
            "-0.0",
            "0.0",
            "5e-324",
            "-5e-324",
            "1.7976931348623157e+308",
            "295147905179352830000",
            "9.999999999999997e+22",
            "1e+23",
            "1.0000000000000001e+23",
            "999999999999999700000",
            "333333333.3333332",
            "-0.0000033333333333333333",
            "1424953923781206.2",
            "333333333.33333329",
            "1E30",
            "4.50",
            "2e-3",
            "0.000000000000000000000000001",
            "1.0",
        ] {
            assert!(refused(text).contains("not an integer"), "{text}: {}", refused(text));
        }
        for text in ["9007199254740992", "-9007199254740992", "18446744073709551615", "9223372036854775807"] {
            assert!(refused(text).contains("outside"), "{text}: {}", refused(text));
        }
        assert!(canonical_of_text(b"1e400").is_err() && canonical_of_text(b"NaN").is_err());
    }

    #[test]
    fn what_has_two_readings_is_refused_where_it_stands() {
        assert!(refused(r#"{"a":1,"a":1}"#).contains("occurs twice"));
        assert!(canonical_of_text(br#""\ud800""#).is_err() && canonical_of_text(br#""\udead""#).is_err());
        assert!(canonical_of_text(br#"{"\ud800":1}"#).is_err());
        assert!(canonical_of_text(b"\xef\xbb\xbf{}").is_err());
        assert_eq!(
            refused("{\"a\":{\"b/c~d\":[0,\"e\\u0301\"]}}"),
            "`/a/b~1c~0d/1`: the string is not in Unicode normal form C; normalise it"
        );
        assert_eq!(refused("1.5"), "the document itself: the number is not an integer; write it as a string");
        assert!(canonical_of_text("\"\u{e9}\"".as_bytes()).is_ok());
        assert!(digest_data(&json!(["e\u{301}"])).is_ok());
        assert!(digest_data(&json!([1.5])).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-(MAX_INTEGER as i64)..=MAX_INTEGER as i64).prop_map(Value::from),
            "\\PC{0,12}"
                .prop_map(|text| Value::String(unicode_normalization::UnicodeNormalization::nfc(&*text).collect())),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            let name = "\\PC{0,6}"
                .prop_map(|text| unicode_normalization::UnicodeNormalization::nfc(&*text).collect::<String>());
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(name, inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same value with the members of every object the other way round, indented.
    fn reversed(value: &Value, out: &mut String) {
        match value {
            Value::Object(members) => {
                out.push_str("{ ");
                for (n, (name, member)) in members.iter().rev().enumerate() {
                    out.push_str(if n > 0 { " ,\n" } else { "" });
                    out.push_str(&serde_json::to_string(name).unwrap());
                    out.push_str(" : ");
                    reversed(member, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { " , " } else { "" });
                    reversed(item, out);
                }
                out.push(']');
            }
            leaf => out.push_str(&leaf.to_string()),
        }
    }

    proptest! {
        #[test]
        fn a_value_has_one_form_and_the_form_is_that_value(value in values()) {
            let form = canonical(&value).unwrap();
            let mut other = String::new();
            reversed(&value, &mut other);
            prop_assert_eq!(&canonical_of_text(other.as_bytes()).unwrap(), &form);
            prop_assert_eq!(&json::parse(&form).unwrap(), &value);
            prop_assert_eq!(canonical_of_text(&form).unwrap(), form);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = canonical_of_text(text.as_bytes());
        }
    }
}
