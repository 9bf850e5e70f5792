//! JSON writing, in the one form that documents have: ASCII, indented by two spaces, no newline at the end.
//!
//! Large documents are written a row at a time, so that nothing holds a whole run; see [`ArrayOut`].

use std::io;

use serde::Serialize;

use super::json_serializer::{Compact, IndentedLayout, Line, append, append_text, break_line};

/// Appends `value` indented, starting at `level` (0 for a whole document).
///
/// # Errors
/// As all functions here: if the value refuses to be written, or has a map with keys that are no texts.
pub fn append_pretty<T: ?Sized + Serialize>(out: &mut Vec<u8>, level: usize, value: &T) -> io::Result<()> {
    append(out, IndentedLayout { level }, value).map_err(io::Error::from)
}

/// A whole document, indented.
pub fn to_pretty<T: ?Sized + Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    append_pretty(&mut bytes, 0, value).expect("a document shape serialises into memory");
    bytes
}

/// Appends `value` as one spaced line, without the newline.
pub fn append_line<T: ?Sized + Serialize>(out: &mut Vec<u8>, value: &T) -> io::Result<()> {
    append(out, Line, value).map_err(io::Error::from)
}

/// Appends `value` compactly, without a newline.
pub fn append_compact<T: ?Sized + Serialize>(out: &mut Vec<u8>, value: &T) -> io::Result<()> {
    append(out, Compact, value).map_err(io::Error::from)
}

/// What a list or an object that is written a part at a time has so far.
#[derive(Debug)]
struct JsonParts {
    /// The depth at which the list or the object itself stands.
    level: usize,
    empty: bool,
}

impl JsonParts {
    fn open(out: &mut Vec<u8>, bracket: u8, level: usize) -> Self {
        out.push(bracket);
        Self { level, empty: true }
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        if !self.empty {
            out.push(b',');
        }
        self.empty = false;
        break_line(out, self.level + 1);
    }

    fn close(self, out: &mut Vec<u8>, bracket: u8) {
        if !self.empty {
            break_line(out, self.level);
        }
        out.push(bracket);
    }
}

/// A JSON array written one element at a time.
#[derive(Debug)]
pub struct ArrayOut(JsonParts);

impl ArrayOut {
    /// Writes the opening bracket. `level` is the depth at which the array itself stands.
    pub fn open(out: &mut Vec<u8>, level: usize) -> Self {
        Self(JsonParts::open(out, b'[', level))
    }

    /// Writes one element.
    pub fn push<T: ?Sized + Serialize>(&mut self, out: &mut Vec<u8>, element: &T) -> io::Result<()> {
        self.0.next(out);
        append_pretty(out, self.0.level + 1, element)
    }

    /// Writes the closing bracket.
    pub fn close(self, out: &mut Vec<u8>) {
        self.0.close(out, b']');
    }
}

/// A JSON object written one member at a time.
#[derive(Debug)]
pub struct ObjectOut(JsonParts);

impl ObjectOut {
    /// Writes the opening brace. `level` is the depth at which the object itself stands.
    pub fn open(out: &mut Vec<u8>, level: usize) -> Self {
        Self(JsonParts::open(out, b'{', level))
    }

    /// Writes a key; the caller writes its value next, at [`Self::value_level`].
    pub fn key(&mut self, out: &mut Vec<u8>, key: &str) {
        self.0.next(out);
        append_text(out, key);
        out.extend_from_slice(b": ");
    }

    /// Writes a whole member.
    pub fn member<T: ?Sized + Serialize>(&mut self, out: &mut Vec<u8>, key: &str, value: &T) -> io::Result<()> {
        self.key(out, key);
        append_pretty(out, self.value_level(), value)
    }

    /// The depth at which member values stand.
    pub fn value_level(&self) -> usize {
        self.0.level + 1
    }

    /// Writes the closing brace.
    pub fn close(self, out: &mut Vec<u8>) {
        self.0.close(out, b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_streamed_form_is_the_whole_form() {
        let rows = [json!({"a": [1, {"b": []}], "c": {}}), json!([]), json!("é😀\n")];
        let mut streamed = Vec::new();
        let mut object = ObjectOut::open(&mut streamed, 0);
        object.member(&mut streamed, "first", &1).unwrap();
        object.key(&mut streamed, "rows");
        let mut array = ArrayOut::open(&mut streamed, object.value_level());
        for row in &rows {
            array.push(&mut streamed, row).unwrap();
        }
        array.close(&mut streamed);
        object.close(&mut streamed);
        let whole = to_pretty(&json!({"first": 1, "rows": rows}));
        assert_eq!(String::from_utf8(streamed).unwrap(), String::from_utf8(whole).unwrap());
    }

    #[test]
    fn empty_containers_have_no_space_inside() {
        let mut out = Vec::new();
        let array = ArrayOut::open(&mut out, 0);
        array.close(&mut out);
        assert_eq!(out, b"[]");
    }

    #[test]
    fn text_past_ascii_is_escaped_and_reads_back() {
        let value = json!({"ключ": "é😀"});
        let bytes = to_pretty(&value);
        assert!(bytes.is_ascii());
        assert!(String::from_utf8_lossy(&bytes).contains(r"\ud83d\ude00"));
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn the_line_form_has_spaced_separators() {
        let mut out = Vec::new();
        append_line(&mut out, &json!({"a": [1, 2], "b": null})).unwrap();
        assert_eq!(out, br#"{"a": [1, 2], "b": null}"#);
    }
}
