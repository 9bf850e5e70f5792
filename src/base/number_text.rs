//! Numbers of a JSON text as they are written there, where their value alone would not keep that.
//!
//! `0.70` and `7e-1` are one value and two texts, and a parser keeps neither of whole numbers past 2^53. Whoever hands such a
//! number on as it stands needs its text.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::canon::{MAX_INTEGER, pointer_part};

/// The texts of numbers that have no canonical form, by JSON pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberTexts(HashMap<String, String>);

impl NumberTexts {
    /// Those of a text that was parsed to `value`.
    pub fn of(text: &[u8], value: &Value) -> Self {
        let mut found = HashMap::new();
        if has_any(value)
            && let Ok(raw) = serde_json::from_slice::<&RawValue>(text)
        {
            gather(raw, String::new(), &mut found);
        }
        Self(found)
    }

    /// The text of the number at a pointer; `None` if it has a canonical form, which is its text.
    pub fn get(&self, pointer: &str) -> Option<&str> {
        self.0.get(pointer).map(String::as_str)
    }
}

/// Whether a number has a canonical form ([`super::canon`]).
pub fn is_canonical(number: &Number) -> bool {
    number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_INTEGER)
}

fn has_any(value: &Value) -> bool {
    match value {
        Value::Number(number) => !is_canonical(number),
        Value::Array(items) => items.iter().any(has_any),
        Value::Object(members) => members.values().any(has_any),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn gather(raw: &RawValue, at: String, found: &mut HashMap<String, String>) {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            // The text was read before, so that no name stands twice in it.
            for (name, member) in serde_json::from_str::<BTreeMap<String, &RawValue>>(text).unwrap_or_default() {
                gather(member, format!("{at}/{}", pointer_part(&name)), found);
            }
        }
        Some(b'[') => {
            for (n, item) in serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default().into_iter().enumerate() {
                gather(item, format!("{at}/{n}"), found);
            }
        }
        Some(b'-' | b'0'..=b'9') if !serde_json::from_str(text).is_ok_and(|number| is_canonical(&number)) => {
            found.insert(at, text.to_owned());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;

    #[test]
    fn only_numbers_without_a_canonical_form_are_kept_as_they_are_written() {
        let text = br#"{"a": [1, 0.70, {"b/c": 1E3}], "d": -0, "e": 18446744073709551615, "f": "0.5", "g": 12}"#;
        let texts = NumberTexts::of(text, &json::parse(text).unwrap());
        let found = ["/a/1", "/a/2/b~1c", "/d", "/e"].map(|at| texts.get(at));
        assert_eq!(found, [Some("0.70"), Some("1E3"), Some("-0"), Some("18446744073709551615")]);
        assert_eq!(texts.0.len(), 4);
        assert_eq!(NumberTexts::of(b"[1]", &json::parse(b"[1]").unwrap()), NumberTexts::default());
    }
}
