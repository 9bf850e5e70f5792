//! Strict JSON reading: duplicate keys, deep nesting, over-long strings and trailing bytes are refused.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::de::{self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::limits::{MAX_JSON_DEPTH, MAX_STRING_BYTES};
use super::line_excerpt::LineExcerpt;
use super::objects_only::ObjectsOnly;
use super::printable::excerpt;

/// Why bytes are not an acceptable JSON document.
#[derive(Debug, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct JsonError {
    message: String,
    /// Line of the problem, from 1.
    pub line: usize,
    /// Column of the problem in characters, from 1; 0 when it is the line as a whole.
    pub column: usize,
    /// The line with its place; `None` where the text has no such line.
    pub excerpt: Option<Box<LineExcerpt>>,
}

impl JsonError {
    fn in_bytes(error: &serde_json::Error, bytes: &[u8]) -> Self {
        let said = error.to_string();
        let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(head, _)| head);
        let message = encoding_fault(bytes).unwrap_or(message).to_string();
        let line = error.line();
        // The parser counts bytes.
        let whole = line.checked_sub(1).and_then(|n| bytes.split(|byte| *byte == b'\n').nth(n)).unwrap_or_default();
        let to = &whole[..error.column().min(whole.len())];
        let column = if error.column() == 0 { 0 } else { String::from_utf8_lossy(to).chars().count().max(1) };
        let text = String::from_utf8_lossy(whole);
        // One line of the text is a text of one line; the number is the document's.
        let excerpt = u32::try_from(line).ok().zip(u32::try_from(column).ok());
        let excerpt = excerpt.filter(|_| !whole.is_empty() && column > 0);
        let excerpt =
            excerpt.and_then(|(line, column)| LineExcerpt::of(&text, 1, column, 1).map(|it| it.on_line(line)));
        Self { message, line, column, excerpt: excerpt.map(Box::new) }
    }
}

/// What editors of some systems do to a text, so that no parser of JSON takes it; RFC 8259, 8.1.
fn encoding_fault(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some("the text begins with a byte order mark; save it as UTF-8 without one"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("the text is UTF-16; save it as UTF-8"),
        _ => None,
    }
}

/// A text that is read where it stands, unless it has escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Parses one JSON document, strictly.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    read(bytes, StrictValue { depth: 0 }).map_err(|error| JsonError::in_bytes(&error, bytes))
}

/// Reads bytes in the shape of `T`, by whose strictness it goes; but no list passes for an object.
///
/// Text that is checked once as a whole parses sooner. What is no text is no JSON either; the slower way says why.
pub fn typed<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(bytes) {
        Ok(text) => whole(serde_json::Deserializer::from_str(text)),
        Err(_) => whole(serde_json::Deserializer::from_slice(bytes)),
    }
}

fn whole<'de, R: serde_json::de::Read<'de>, T: Deserialize<'de>>(
    mut bytes: serde_json::Deserializer<R>,
) -> serde_json::Result<T> {
    let value = T::deserialize(ObjectsOnly(&mut bytes))?;
    bytes.end()?;
    Ok(value)
}

/// A value in the shape of `T`, likewise.
pub fn from_value<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    T::deserialize(ObjectsOnly(value))
}

/// A member that is there: with `default`, an absent one is `None`, and null is one that is there.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// How many members of a long object are looked at together.
const PIECE: usize = 64;
/// How much of a key a message shows.
const SHOWN_KEY_CHARS: usize = 100;

/// Whether a document is acceptable JSON, and `good` in each piece: as a whole, with only some members at a time in the
/// object that its member `long` is.
///
/// For what is demanded of each of those members by itself, this says the same as to look at the whole document, and the
/// whole never stands in memory. A document without that member gets a no. No explanation comes with it: the whole document
/// has to be looked at for that.
pub fn is_good_in_pieces(bytes: &[u8], long: &str, good: impl FnMut(&Value) -> bool) -> bool {
    let head = read(bytes, TopLevelObject { long, pieces: None::<Pieces<fn(&Value) -> bool>> });
    // A document without that member has no pieces.
    let Some(head) = head.ok().filter(|head| head.get(long).is_some()) else { return false };
    let pieces = Pieces { document: head, long, seen: HashSet::new(), hasher: RandomState::new(), good };
    read(bytes, TopLevelObject { long, pieces: Some(pieces) }).is_ok()
}

fn read<'de, S: DeserializeSeed<'de>>(bytes: &'de [u8], seed: S) -> serde_json::Result<S::Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

#[derive(Clone, Copy)]
struct StrictValue {
    depth: usize,
}

impl StrictValue {
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

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
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
                let key = excerpt(&key, SHOWN_KEY_CHARS);
                return Err(de::Error::custom(format_args!("the key `{key}` occurs twice in one object")));
            }
            let value = map.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// The object at the top of a document. Without `pieces`: everything but what is in the member `long`, which is empty in the
/// value. With them: nothing but that.
struct TopLevelObject<'l, F> {
    long: &'l str,
    pieces: Option<Pieces<'l, F>>,
}

impl<'de, F: FnMut(&Value) -> bool> DeserializeSeed<'de> for TopLevelObject<'_, F> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&Value) -> bool> Visitor<'de> for TopLevelObject<'_, F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let inner = StrictValue { depth: 1 };
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match (&mut self.pieces, key == self.long) {
                (Some(pieces), true) => map.next_value_seed(pieces)?,
                (Some(_), false) => drop(map.next_value::<IgnoredAny>()?),
                (None, _) => {
                    check_length(&key)?;
                    let value = if key == self.long {
                        map.next_value::<IgnoredAny>()?;
                        Value::Object(Map::new())
                    } else {
                        map.next_value_seed(inner)?
                    };
                    if object.insert(key, value).is_some() {
                        return Err(de::Error::custom("a key occurs twice in one object"));
                    }
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// The members of a long object, some at a time in an otherwise whole document.
struct Pieces<'l, F> {
    document: Value,
    long: &'l str,
    /// Keys by hash: of a million of them the texts would be large. Where two keys have one hash, the document is not found good
    /// here, and is looked at as a whole, as is any other that is not.
    seen: HashSet<u64>,
    hasher: RandomState,
    good: F,
}

impl<F: FnMut(&Value) -> bool> Pieces<'_, F> {
    /// Looks at a piece, and takes it out of the document again.
    fn look<E: de::Error>(&mut self, piece: Map<String, Value>) -> Result<(), E> {
        self.document[self.long] = Value::Object(piece);
        let good = (self.good)(&self.document);
        self.document[self.long] = Value::Null;
        if good { Ok(()) } else { Err(E::custom("it is not good")) }
    }
}

impl<'de, F: FnMut(&Value) -> bool> DeserializeSeed<'de> for &mut Pieces<'_, F> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&Value) -> bool> Visitor<'de> for &mut Pieces<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = StrictValue { depth: 2 };
        let mut piece = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            check_length(&key)?;
            if !self.seen.insert(self.hasher.hash_one(&key)) {
                return Err(de::Error::custom("a key occurs twice in one object"));
            }
            piece.insert(key, map.next_value_seed(inner)?);
            if piece.len() == PIECE {
                self.look(std::mem::take(&mut piece))?;
            }
        }
        self.look(piece)
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
        assert!(message(r#"{"a":1,"b":{"c":1,"c":2}}"#).contains("the key `c` occurs twice"));
        let hostile = message("{\"a\\u001b[2K\\n\": 1, \"a\\u001b[2K\\n\": 2}");
        assert!(hostile.contains("occurs twice") && !hostile.contains(char::is_control), "{hostile}");
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
        assert_eq!((error.line, error.column), (3, 5));
        let error = parse("{\n  \"é\": tru,\n}".as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column), (2, 11));
        assert_eq!(error.excerpt.unwrap().lines(), ["  2 |   \"é\": tru,", "    |           ^"]);
        assert_eq!(parse(b"{\n").unwrap_err().excerpt, None);
    }

    /// Whether the members of `m` are numbers, asked of the whole and in pieces.
    fn both(text: &str) -> (bool, bool) {
        let good = |value: &Value| {
            value["head"] == 1
                && value.as_object().is_some_and(|object| object.len() == 2)
                && value["m"].as_object().is_some_and(|members| members.values().all(Value::is_number))
        };
        let whole = parse(text.as_bytes()).is_ok_and(|value| good(&value));
        (whole, is_good_in_pieces(text.as_bytes(), "m", good))
    }

    #[test]
    fn pieces_say_what_the_whole_says() {
        let members = |count: usize, last: &str| {
            let list: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).chain([last.to_owned()]).collect();
            list.join(",")
        };
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE] {
            let member = members(count, "\"z\":1");
            assert_eq!(both(&format!("{{\"head\":1,\"m\":{{{member}}}}}")), (true, true));
            assert_eq!(both(&format!("{{\"m\":{{{member}}},\"head\":1}}")), (true, true));
            for bad in
                ["\"z\":null", "\"z\":[1", "\"z\":1,\"z\":1", "\"z\":{\"a\":1,\"a\":1}", "\"k0\":0,\"k0\":0", "x"]
            {
                let member = members(count, bad);
                assert_eq!(both(&format!("{{\"head\":1,\"m\":{{{member}}}}}")), (false, false), "{count} {bad}");
            }
        }
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"m":{}}"#,
            r#"{"head":1}"#,
            r#"{"head":2,"m":{}}"#,
            r#"{"head":1,"m":[]}"#,
            r#"{"head":1,"m":{},"m":{}}"#,
            r#"{"head":1,"head":1,"m":{}}"#,
            r#"{"head":1,"m":{},"x":1}"#,
            r#"{"head":1,"m":{}} 1"#,
        ] {
            assert_eq!(both(bad), (false, false), "{bad}");
        }
        // What one piece has, another one may not have again.
        let member = members(2 * PIECE, "\"k0\":0");
        assert_eq!(both(&format!("{{\"head\":1,\"m\":{{{member}}}}}")), (false, false));
        // As deep as the whole may be, and no deeper.
        for (depth, good) in [(MAX_JSON_DEPTH - 2, true), (MAX_JSON_DEPTH - 1, false)] {
            let text = format!("{{\"m\":{{\"a\":{}{}}}}}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(parse(text.as_bytes()).is_ok(), good);
            assert_eq!(is_good_in_pieces(text.as_bytes(), "m", |_| true), good);
        }
    }
}
