//! The one writer of JSON: a serde serializer that appends to memory, in one of three layouts, in ASCII alone.
//!
//! Most of what a run writes is made of a few fixed shapes, row after row. Two things make them cheap here: the names
//! of a shape's fields are known to need no escape, and a text that needs none (nearly all) is copied in one piece.
//! But for the ASCII the bytes are those of `serde_json`; a property test holds the two together.

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

/// Appends `value` in a layout.
///
/// # Errors
/// If `value` refuses to be written, or has a map with keys that are no texts.
pub(super) fn append<T: ?Sized + Serialize>(out: &mut Vec<u8>, layout: impl Layout, value: &T) -> Result<(), Error> {
    value.serialize(Writer { out, layout })
}

/// What stands between the parts of a value.
pub(super) trait Layout: Copy {
    /// Between two elements, before the line break of a layout that has lines.
    const COMMA: &'static [u8] = b",";

    /// Between a key and its value.
    const COLON: &'static [u8] = b": ";

    /// That of what is inside a list or an object.
    fn inside(self) -> Self;

    /// What comes before an element, or before a closing bracket.
    fn begin_line(self, out: &mut Vec<u8>);
}

/// A line for each element, indented by two spaces for each level.
#[derive(Debug, Clone, Copy)]
pub(super) struct IndentedLayout {
    /// The depth of the value itself; 0 for a whole document.
    pub(super) level: usize,
}

impl Layout for IndentedLayout {
    fn inside(self) -> Self {
        Self { level: self.level + 1 }
    }

    fn begin_line(self, out: &mut Vec<u8>) {
        break_line(out, self.level);
    }
}

/// One line, a space after each comma and colon, as the packets of the contract have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line;

impl Layout for Line {
    const COMMA: &'static [u8] = b", ";

    fn inside(self) -> Self {
        self
    }

    fn begin_line(self, _: &mut Vec<u8>) {}
}

/// No space anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact;

impl Layout for Compact {
    const COLON: &'static [u8] = b":";

    fn inside(self) -> Self {
        self
    }

    fn begin_line(self, _: &mut Vec<u8>) {}
}

/// A line break and the indentation of `level`.
pub(super) fn break_line(out: &mut Vec<u8>, level: usize) {
    const BREAK: &[u8; 32] = b"\n                               ";
    let end = out.len() + 1 + 2 * level;
    // Always the same number of bytes, which is cheaper than the right number; then to measure.
    out.extend_from_slice(BREAK);
    out.resize(end, b' ');
}

/// Whether a byte stands for itself inside a JSON text of ours.
fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Whether eight bytes all do; never true if one does not.
fn are_plain(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(bytes);
    // The sign bit of a byte of `a - n * ONES` that was clear in `a` shows a byte less than n, and no such bit shows
    // if there is none. A byte that equals c is less than 1 after `^ c`.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    let equals = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (word | below(word, 0x20) | equals(b'"') | equals(b'\\')) & HIGH == 0
}

fn is_plain_text(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    match text.last_chunk::<8>() {
        // The last word overlaps the one before it, so that nothing is left over.
        Some(last) => words.iter().all(|word| are_plain(*word)) && are_plain(*last),
        None => rest.iter().all(|byte| is_plain(*byte)),
    }
}

/// Appends a text, with everything past ASCII escaped as UTF-16 code units.
pub(super) fn append_text(out: &mut Vec<u8>, text: &str) {
    if is_plain_text(text.as_bytes()) {
        append_plain(out, text);
        return;
    }
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\r' => out.extend_from_slice(b"\\r"),
            ' '..='\u{7f}' => out.push(c as u8),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    out.extend([12, 8, 4, 0].map(|shift| hex(*unit >> shift & 15)));
                }
            }
        }
    }
    out.push(b'"');
}

fn hex(digit: u16) -> u8 {
    b"0123456789abcdef"[usize::from(digit)]
}

/// Appends a text that needs no escape.
fn append_plain(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 4);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

struct Writer<'o, L> {
    out: &'o mut Vec<u8>,
    layout: L,
}

impl<'o, L: Layout> Writer<'o, L> {
    fn open(self, bracket: u8) -> Compound<'o, L> {
        self.out.push(bracket);
        Compound { out: self.out, around: self.layout, empty: true, variant: None }
    }

    /// `{"variant": ` and what `bracket` opens.
    fn open_variant(self, variant: &'static str, bracket: u8) -> Result<Compound<'o, L>, Error> {
        let layout = self.layout;
        self.out.push(b'{');
        layout.inside().begin_line(self.out);
        append_text(self.out, variant);
        self.out.extend_from_slice(L::COLON);
        self.out.push(bracket);
        Ok(Compound { out: self.out, around: layout.inside(), empty: true, variant: Some(layout) })
    }

    /// Numbers are rare enough to leave their form to `serde_json`.
    fn plain<T: Serialize>(self, value: T) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }
}

/// A list or an object that is being written.
struct Compound<'o, L> {
    out: &'o mut Vec<u8>,
    /// Of the list or the object itself.
    around: L,
    empty: bool,
    /// Of the object of one variant that stands around it, if one does.
    variant: Option<L>,
}

impl<L: Layout> Compound<'_, L> {
    fn next(&mut self) {
        if !self.empty {
            self.out.extend_from_slice(L::COMMA);
        }
        self.empty = false;
        self.around.inside().begin_line(self.out);
    }

    fn inside(&mut self) -> Writer<'_, L> {
        Writer { out: self.out, layout: self.around.inside() }
    }

    fn element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.next();
        value.serialize(self.inside())
    }

    fn field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.next();
        debug_assert!(is_plain_text(key.as_bytes()), "the field name {key:?} needs an escape");
        append_plain(self.out, key);
        self.out.extend_from_slice(L::COLON);
        value.serialize(self.inside())
    }

    fn close(self, bracket: u8) -> Result<(), Error> {
        if !self.empty {
            self.around.begin_line(self.out);
        }
        self.out.push(bracket);
        if let Some(object) = self.variant {
            object.begin_line(self.out);
            self.out.push(b'}');
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident($kind:ty),)*) => {
        $(fn $method(self, value: $kind) -> Result<(), Error> {
            self.plain(value)
        })*
    };
}

impl<'o, L: Layout> Serializer for Writer<'o, L> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'o, L>;
    type SerializeTuple = Compound<'o, L>;
    type SerializeTupleStruct = Compound<'o, L>;
    type SerializeTupleVariant = Compound<'o, L>;
    type SerializeMap = Compound<'o, L>;
    type SerializeStruct = Compound<'o, L>;
    type SerializeStructVariant = Compound<'o, L>;

    numbers! {
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_f32(f32), serialize_f64(f64),
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        append_text(self.out, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        append_text(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        let mut list = self.open(b'[');
        for byte in value {
            list.element(byte)?;
        }
        list.close(b']')
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        append_text(self.out, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.open(b'{');
        object.field(variant, value)?;
        object.close(b'}')
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'o, L>, Error> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'o, L>, Error> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'o, L>, Error> {
        Ok(self.open(b'['))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'o, L>, Error> {
        self.open_variant(variant, b'[')
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'o, L>, Error> {
        Ok(self.open(b'{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'o, L>, Error> {
        Ok(self.open(b'{'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'o, L>, Error> {
        self.open_variant(variant, b'{')
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<(), Error> {
        append_text(self.out, &value.to_string());
        Ok(())
    }
}

macro_rules! lists {
    ($($kind:ident::$method:ident,)*) => {
        $(impl<L: Layout> $kind for Compound<'_, L> {
            type Ok = ();
            type Error = Error;

            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close(b']')
            }
        })*
    };
}

lists! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! objects {
    ($($kind:ident,)*) => {
        $(impl<L: Layout> $kind for Compound<'_, L> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close(b'}')
            }
        })*
    };
}

objects! { SerializeStruct, SerializeStructVariant, }

impl<L: Layout> SerializeMap for Compound<'_, L> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        let start = self.out.len();
        key.serialize(self.inside())?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            // `serde_json` writes numbers and truth values as texts here; no shape of ours has such keys.
            _ => Err(Error::custom("a key must be a text")),
        }
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.out.extend_from_slice(L::COLON);
        value.serialize(self.inside())
    }

    fn end(self) -> Result<(), Error> {
        self.close(b'}')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use serde_json::ser::Formatter;

    use super::*;

    /// What the contract's lines look like, in the words of `serde_json`.
    struct Spaced;

    impl Formatter for Spaced {
        fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
            writer.write_all(b": ")
        }
    }

    /// JSON of `serde_json` as it is here: what is past ASCII stands in texts alone, and is escaped.
    fn in_ascii(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c.is_ascii() {
                true => out.push(c),
                false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        out
    }

    /// The three layouts of a value: as written here, and by `serde_json`.
    fn both<T: Serialize>(level: usize, value: &T) -> [[String; 3]; 2] {
        let mut here = [const { Vec::new() }; 3];
        append(&mut here[0], IndentedLayout { level }, value).unwrap();
        append(&mut here[1], Line, value).unwrap();
        append(&mut here[2], Compact, value).unwrap();
        let mut spaced = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut spaced, Spaced)).unwrap();
        // A line break is never inside a text, where it is escaped.
        let deeper = format!("\n{}", "  ".repeat(level));
        let there = [
            serde_json::to_string_pretty(value).unwrap().replace('\n', &deeper),
            String::from_utf8(spaced).unwrap(),
            serde_json::to_string(value).unwrap(),
        ];
        [here.map(|bytes| String::from_utf8(bytes).unwrap()), there.map(|text| in_ascii(&text))]
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(i8, String),
        Struct { a: Option<f64>, b: Vec<Shape> },
        Empty {},
    }

    #[test]
    fn every_kind_of_shape_has_the_form_of_serde_json() {
        let shapes = vec![
            Shape::Unit,
            Shape::New(7),
            Shape::Tuple(-1, "é\n\"\\\u{7f}".into()),
            Shape::Struct { a: Some(0.1), b: vec![Shape::Empty {}, Shape::Struct { a: None, b: Vec::new() }] },
        ];
        for level in [0, 3, 17] {
            let [here, there] = both(level, &(&shapes, 'x', u128::MAX, i64::MIN, 1e300, f64::NAN, ()));
            assert_eq!(here, there);
        }
        let map: BTreeMap<&str, Option<()>> = BTreeMap::from([("", None), ("\u{1f}", Some(()))]);
        let [here, there] = both(1, &map);
        assert_eq!(here, there);
    }

    #[test]
    fn each_byte_is_judged_alike_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for length in 1..=17 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(is_plain_text(&text), is_plain(byte), "{byte:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn keys_that_are_no_texts_are_refused() {
        assert!(append(&mut Vec::new(), IndentedLayout { level: 0 }, &BTreeMap::from([(1, 2)])).is_err());
        assert!(append(&mut Vec::new(), Compact, &BTreeMap::from([(1, 2)])).is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|n| json!(n)),
            any::<String>().prop_map(Value::String),
            "[ -~]{0,40}".prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_has_the_form_of_serde_json(value in any_value(), level in 0_usize..20) {
            let [here, there] = both(level, &value);
            prop_assert_eq!(here, there);
        }
    }
}
