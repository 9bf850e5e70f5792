//! Values that are meant as they stand, in a form that is canonical and can be taken for nothing else.
//!
//! A number that has no canonical form becomes `{"number": "its text"}`, a text that is not in normal form C
//! `{"digest": "sha256:…"}` of its bytes, and an object whose one member has the name of a reference, `{"value": object}`. So two
//! values have one sealed form only if they are the same, as far as spaces and the order of members go.

use serde_json::{Map, Value, json};

use super::reference::RESERVED;
use crate::base::canon::{is_normal, pointer_part};
use crate::base::digest::Digest;
use crate::base::number_text::{NumberTexts, is_canonical};

/// Reports a member's name that has no canonical form: where the object stands, and the name.
pub(super) type OnName<'f> = &'f mut dyn FnMut(&str, &str);

/// A value as it is sealed. `within` is its pointer in the text whose numbers are `numbers`.
pub(super) fn seal(within: &str, value: Value, numbers: &NumberTexts, on_name: OnName<'_>) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::Number(number) if is_canonical(&number) => Value::Number(number),
        Value::Number(number) => {
            json!({"number": numbers.get(within).map_or_else(|| number.to_string(), str::to_owned)})
        }
        Value::String(text) => self::text(text),
        Value::Array(items) => {
            let seal = |(n, item)| seal(&format!("{within}/{n}"), item, numbers, &mut *on_name);
            Value::Array(items.into_iter().enumerate().map(seal).collect())
        }
        Value::Object(members) => {
            let mut sealed = Map::new();
            for (name, member) in members {
                if !is_normal(&name) {
                    on_name(within, &name);
                }
                let member = seal(&format!("{within}/{}", pointer_part(&name)), member, numbers, &mut *on_name);
                sealed.insert(name, member);
            }
            object(sealed)
        }
    }
}

/// A text as it is sealed within a value.
pub(super) fn text(text: String) -> Value {
    if is_normal(&text) { Value::String(text) } else { digest(&Digest::of(text.as_bytes())) }
}

/// A digest as it is sealed.
pub(super) fn digest(digest: &Digest) -> Value {
    json!({"digest": format!("sha256:{digest}")})
}

/// An object of sealed members that is meant as an object.
pub(super) fn object(sealed: Map<String, Value>) -> Value {
    let looks_like_a_reference = sealed.len() == 1 && sealed.keys().all(|name| RESERVED.contains(&name.as_str()));
    if looks_like_a_reference { json!({"value": sealed}) } else { Value::Object(sealed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::canon;
    use crate::base::json;

    fn sealed(text: &str) -> Value {
        let value = json::parse(text.as_bytes()).unwrap();
        let numbers = NumberTexts::of(text.as_bytes(), &value);
        let sealed = seal("", value, &numbers, &mut |_, name| panic!("{name}"));
        canon::canonical(&sealed).unwrap();
        sealed
    }

    #[test]
    fn what_has_no_canonical_form_keeps_what_it_says() {
        assert_eq!(sealed(r#"{"minimum": 0.50, "n": 7}"#), json!({"minimum": {"number": "0.50"}, "n": 7}));
        assert_eq!(sealed("[18446744073709551615, -0]"), json!([{"number": "18446744073709551615"}, {"number": "-0"}]));
        let nfd = Digest::of("cafe\u{301}".as_bytes());
        assert_eq!(sealed("[\"cafe\u{301}\"]"), json!([{"digest": format!("sha256:{nfd}")}]));
    }

    #[test]
    fn no_two_values_have_one_form() {
        let texts = [
            "0.5",
            "0.50",
            "\"0.5\"",
            r#"{"number": "0.5"}"#,
            r#"{"value": {"number": "0.5"}}"#,
            r#"{"file": "x"}"#,
            r#"{"file": {"file": "x"}}"#,
            r#"{"value": "x"}"#,
            "\"x\"",
            r#"{"none": true}"#,
            r#"{"value": {"none": true}}"#,
            r#"{"file": "x", "more": 1}"#,
            "null",
            "[]",
            "{}",
        ];
        for (n, one) in texts.iter().enumerate() {
            for other in &texts[n + 1..] {
                assert_ne!(sealed(one), sealed(other), "{one} and {other}");
            }
        }
    }
}
