//! Strict JSON reading: duplicate keys, deep nesting, over-long strings and trailing bytes are refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::limits::{MAX_JSON_DEPTH, MAX_STRING_BYTES};

/// Why bytes are not an acceptable JSON document.
#[derive(Debug, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct JsonError {
    message: String,
    /// Line of the problem, from 1.
    pub line: usize,
    /// Column of the problem, from 1; 0 when it is the line as a whole.
    pub column: usize,
}

impl JsonError {
    fn from_serde(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(head, _)| head).to_string();
        Self { message, line: error.line(), column: error.column() }
    }
}

/// Parses one JSON document, strictly.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| JsonError::from_serde(&error))?;
    Ok(value)
}

/// A JSON value read strictly; stands in a typed shape where any JSON may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct StrictValue(pub Value);

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict { depth: 0 }.deserialize(deserializer).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_JSON_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

fn check_length<E: de::Error>(text: &str) -> Result<(), E> {
    if text.len() > MAX_STRING_BYTES {
        return Err(E::custom(format_args!("a string is longer than {MAX_STRING_BYTES} bytes")));
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        check_length(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        check_length(&value)?;
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            check_length(&key)?;
            // Before the value is read, so that the place in the message is the key's.
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            let value = map.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn ordinary_documents_read() {
        let value = parse(br#" {"a":[1,-2,3.5,null,true,"x"],"b":{}} "#).unwrap();
        assert_eq!(value["a"][2], 3.5);
    }

    #[test]
    fn the_strict_refusals() {
        assert!(message(r#"{"a":1,"b":{"c":1,"c":2}}"#).contains("the key \"c\" stands twice"));
        assert!(message("{} {}").contains("trailing characters"));
        assert!(message("{").contains("EOF"));
        assert!(message("NaN").contains("expected value"));
        assert!(message(r#""\ud800""#).contains("surrogate") || message(r#""\ud800""#).contains("hex escape"));
        assert!(message(&"[".repeat(65)).contains("nested deeper"));
        assert!(parse(format!("{}{}", "[".repeat(64), "]".repeat(64)).as_bytes()).is_ok());
        assert!(message(&format!("\"{}\"", "x".repeat(MAX_STRING_BYTES + 1))).contains("longer than"));
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn errors_carry_the_place() {
        let error = parse(b"{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap_err();
        assert_eq!(error.line, 3);
    }
}
