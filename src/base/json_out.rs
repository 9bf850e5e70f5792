//! JSON writing, in the one form that documents have: ASCII, indented by two spaces, no newline at the end.
//!
//! Large documents are written a row at a time, so that nothing holds a whole run; see [`ArrayOut`].

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Two-space indentation that can start deeper than zero, and `\uXXXX` for everything past ASCII.
#[derive(Clone, Debug)]
struct AsciiPretty {
    level: usize,
    has_value: bool,
}

impl AsciiPretty {
    fn at(level: usize) -> Self {
        Self { level, has_value: false }
    }

    fn newline<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        newline(writer, self.level)
    }
}

fn newline<W: ?Sized + Write>(writer: &mut W, level: usize) -> io::Result<()> {
    const BREAK: &[u8] = b"\n                                ";
    let width = 1 + 2 * level;
    if width <= BREAK.len() {
        return writer.write_all(&BREAK[..width]);
    }
    writer.write_all(BREAK)?;
    for _ in BREAK.len()..width {
        writer.write_all(b" ")?;
    }
    Ok(())
}

/// Writes a string fragment with everything past ASCII escaped, as UTF-16 code units.
fn ascii_fragment<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    if fragment.is_ascii() {
        return writer.write_all(fragment.as_bytes());
    }
    let mut units = [0_u16; 2];
    for c in fragment.chars() {
        if c.is_ascii() {
            writer.write_all(&[c as u8])?;
        } else {
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(())
}

impl Formatter for AsciiPretty {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.level += 1;
        self.has_value = false;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.level -= 1;
        if self.has_value {
            self.newline(writer)?;
        }
        writer.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.newline(writer)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.level += 1;
        self.has_value = false;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.level -= 1;
        if self.has_value {
            self.newline(writer)?;
        }
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.newline(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        ascii_fragment(writer, fragment)
    }
}

/// One line of a JSONL file: ASCII, `, ` and `: ` between parts, as the contract's packets have it.
struct AsciiLine;

impl Formatter for AsciiLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        ascii_fragment(writer, fragment)
    }
}

/// Compact and ASCII.
struct AsciiCompact;

impl Formatter for AsciiCompact {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        ascii_fragment(writer, fragment)
    }
}

/// Writes `value` indented, starting at `level` (0 for a whole document).
pub fn write_pretty<T: ?Sized + Serialize>(writer: &mut impl Write, level: usize, value: &T) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(writer, AsciiPretty::at(level));
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// A whole document, indented.
pub fn to_pretty<T: ?Sized + Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    write_pretty(&mut bytes, 0, value).expect("a document shape serialises into memory");
    bytes
}

/// Writes `value` as one spaced line, without the newline.
pub fn write_line<T: ?Sized + Serialize>(writer: &mut impl Write, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(writer, AsciiLine)).map_err(io::Error::from)
}

/// Writes `value` compactly, without a newline.
pub fn write_compact<T: ?Sized + Serialize>(writer: &mut impl Write, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(writer, AsciiCompact)).map_err(io::Error::from)
}

/// Appends `value` compactly in memory; the same bytes as [`write_compact`], sooner.
pub fn append_compact<T: ?Sized + Serialize>(out: &mut Vec<u8>, value: &T) -> io::Result<()> {
    super::json_fast::append_compact(out, value).map_err(io::Error::from)
}

/// A JSON array written one element at a time.
#[derive(Debug)]
pub struct ArrayOut {
    level: usize,
    empty: bool,
}

impl ArrayOut {
    /// Writes the opening bracket. `level` is the depth at which the array itself stands.
    pub fn open(writer: &mut impl Write, level: usize) -> io::Result<Self> {
        writer.write_all(b"[")?;
        Ok(Self { level, empty: true })
    }

    /// Writes one element.
    pub fn push<T: ?Sized + Serialize>(&mut self, writer: &mut impl Write, element: &T) -> io::Result<()> {
        if !self.empty {
            writer.write_all(b",")?;
        }
        self.empty = false;
        newline(writer, self.level + 1)?;
        write_pretty(writer, self.level + 1, element)
    }

    /// Appends one element in memory; the same bytes as [`Self::push`], sooner.
    pub fn append<T: ?Sized + Serialize>(&mut self, out: &mut Vec<u8>, element: &T) -> io::Result<()> {
        if !self.empty {
            out.push(b',');
        }
        self.empty = false;
        newline(out, self.level + 1)?;
        super::json_fast::append_pretty(out, self.level + 1, element).map_err(io::Error::from)
    }

    /// Writes the closing bracket.
    pub fn close(self, writer: &mut impl Write) -> io::Result<()> {
        if !self.empty {
            newline(writer, self.level)?;
        }
        writer.write_all(b"]")
    }
}

/// A JSON object written one member at a time.
#[derive(Debug)]
pub struct ObjectOut {
    level: usize,
    empty: bool,
}

impl ObjectOut {
    /// Writes the opening brace. `level` is the depth at which the object itself stands.
    pub fn open(writer: &mut impl Write, level: usize) -> io::Result<Self> {
        writer.write_all(b"{")?;
        Ok(Self { level, empty: true })
    }

    /// Writes a key; the caller writes its value next, at [`Self::value_level`].
    pub fn key(&mut self, writer: &mut impl Write, key: &str) -> io::Result<()> {
        if !self.empty {
            writer.write_all(b",")?;
        }
        self.empty = false;
        newline(writer, self.level + 1)?;
        write_compact(writer, key)?;
        writer.write_all(b": ")
    }

    /// Writes a whole member.
    pub fn member<T: ?Sized + Serialize>(&mut self, writer: &mut impl Write, key: &str, value: &T) -> io::Result<()> {
        self.key(writer, key)?;
        write_pretty(writer, self.level + 1, value)
    }

    /// The depth at which member values stand.
    pub fn value_level(&self) -> usize {
        self.level + 1
    }

    /// Writes the closing brace.
    pub fn close(self, writer: &mut impl Write) -> io::Result<()> {
        if !self.empty {
            newline(writer, self.level)?;
        }
        writer.write_all(b"}")
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
        let mut object = ObjectOut::open(&mut streamed, 0).unwrap();
        object.member(&mut streamed, "first", &1).unwrap();
        object.key(&mut streamed, "rows").unwrap();
        let mut array = ArrayOut::open(&mut streamed, object.value_level()).unwrap();
        for row in &rows {
            array.push(&mut streamed, row).unwrap();
        }
        array.close(&mut streamed).unwrap();
        object.close(&mut streamed).unwrap();
        let whole = to_pretty(&json!({"first": 1, "rows": rows}));
        assert_eq!(String::from_utf8(streamed).unwrap(), String::from_utf8(whole).unwrap());
    }

    #[test]
    fn empty_containers_have_no_space_inside() {
        let mut out = Vec::new();
        let array = ArrayOut::open(&mut out, 0).unwrap();
        array.close(&mut out).unwrap();
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
        write_line(&mut out, &json!({"a": [1, 2], "b": null})).unwrap();
        assert_eq!(out, br#"{"a": [1, 2], "b": null}"#);
    }
}
