//! One JSON object on one line, written member by member into memory that is there already.
//!
//! For probe processes: whatever page of memory or of program text such a process touches first has to be mapped for it,
//! which costs more than the writing. So this uses no formatting machinery, no tables and no allocation but the
//! buffer's own.

/// An object that is being written. Names are constants that need no escape.
#[derive(Debug)]
pub struct ReportLine<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> ReportLine<'o> {
    /// Opens the object behind what `out` holds.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Closes it and ends the line.
    pub fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &'static str) {
        debug_assert!(name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()), "{name:?}");
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes a member that is a whole number.
    pub fn signed(&mut self, name: &'static str, value: i64) {
        self.name(name);
        append_signed(self.out, value);
    }

    /// A number that is not negative.
    pub fn unsigned(&mut self, name: &'static str, value: u64) {
        self.name(name);
        append_unsigned(self.out, value);
    }

    /// `true`, `false`, or `null` for what is not known.
    pub fn truth(&mut self, name: &'static str, value: Option<bool>) {
        self.name(name);
        self.out.extend_from_slice(match value {
            Some(true) => b"true",
            Some(false) => b"false",
            None => b"null",
        });
    }

    /// Writes a member that is a text, escaped where it has to be.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        append_text(self.out, value);
    }

    /// A text of bytes from elsewhere. Those that are no text are replaced, as `String::from_utf8_lossy` does.
    pub fn bytes(&mut self, name: &'static str, value: &[u8]) {
        self.name(name);
        // Plain letters need no decoding.
        if value.is_ascii() {
            append_encoded(self.out, value);
        } else {
            append_text(self.out, &String::from_utf8_lossy(value));
        }
    }

    /// A text that is a number behind a prefix and before a suffix, such as `pipe:[7]`. None of the two needs an escape.
    pub fn text_of_number(&mut self, name: &'static str, prefix: &'static str, number: u64, suffix: &'static str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(prefix.as_bytes());
        append_unsigned(self.out, number);
        self.out.extend_from_slice(suffix.as_bytes());
        self.out.push(b'"');
    }

    /// Writes a member that is an object, whose members `write` writes.
    pub fn object(&mut self, name: &'static str, write: impl FnOnce(&mut ReportLine<'_>)) {
        self.name(name);
        append_object(self.out, write);
    }

    /// A list of objects.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut ReportLine<'_>, T),
    ) {
        self.name(name);
        append_list(self.out, items, |out, item| append_object(out, |line| write(line, item)));
    }

    /// A list of texts.
    pub fn texts<'t>(&mut self, name: &'static str, items: impl IntoIterator<Item = &'t str>) {
        self.name(name);
        append_list(self.out, items, append_text);
    }

    /// A list of pairs of a text and a number.
    pub fn pairs<'t>(&mut self, name: &'static str, items: impl IntoIterator<Item = (&'t str, i64)>) {
        self.name(name);
        append_list(self.out, items, |out, (text, number)| {
            out.push(b'[');
            append_text(out, text);
            out.push(b',');
            append_signed(out, number);
            out.push(b']');
        });
    }
}

fn append_object(out: &mut Vec<u8>, write: impl FnOnce(&mut ReportLine<'_>)) {
    out.push(b'{');
    write(&mut ReportLine { out, empty: true });
    out.push(b'}');
}

fn append_list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    let begin = out.len();
    for item in items {
        if out.len() > begin {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn append_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    append_unsigned(out, value.unsigned_abs());
}

fn append_unsigned(out: &mut Vec<u8>, mut value: u64) {
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

fn append_text(out: &mut Vec<u8>, text: &str) {
    append_encoded(out, text.as_bytes());
}

/// Appends bytes that are UTF-8.
fn append_encoded(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            // RFC 8259, section 7: control characters have to be escaped, and may be as `\u` and four digits.
            0..0x20 => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), hex(byte & 15)]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(write: impl FnOnce(&mut ReportLine<'_>)) -> Value {
        let mut out = Vec::new();
        let mut line = ReportLine::begin(&mut out);
        write(&mut line);
        line.end();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(out.last(), Some(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_kind_of_member_reads_back() {
        let found = read(|line| {
            line.text_of_number("pipe", "pipe:[", 7, "]");
            line.truth("yes", Some(true));
            line.truth("no", Some(false));
            line.truth("unknown", None);
            line.object("inside", |line| line.object("deeper", |_| ()));
            line.texts("none", []);
            line.list("rows", [1, 2], |line, n| line.signed("n", n));
        });
        let expected = json!({
            "pipe": "pipe:[7]", "yes": true, "no": false, "unknown": null, "inside": {"deeper": {}}, "none": [],
            "rows": [{"n": 1}, {"n": 2}],
        });
        assert_eq!(found, expected);
        assert_eq!(read(|_| ()), json!({}));
    }

    proptest! {
        #[test]
        fn any_text_and_any_number_reads_back(
            text: String, other: String, signed: i64, unsigned: u64, pairs: Vec<(String, i64)>, bytes: Vec<u8>,
        ) {
            let found = read(|line| {
                line.text("text", &text);
                line.bytes("bytes", &bytes);
                line.signed("signed", signed);
                line.unsigned("unsigned", unsigned);
                line.texts("texts", [&*text, &*other]);
                line.pairs("pairs", pairs.iter().map(|(text, number)| (&**text, *number)));
            });
            let expected = json!({
                "text": text, "signed": signed, "unsigned": unsigned, "texts": [text, other], "pairs": pairs,
                "bytes": String::from_utf8_lossy(&bytes),
            });
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_ends_of_the_number_ranges_read_back() {
        let found = read(|line| {
            line.signed("least", i64::MIN);
            line.unsigned("most", u64::MAX);
            line.signed("zero", 0);
        });
        assert_eq!(found, json!({"least": i64::MIN, "most": u64::MAX, "zero": 0}));
    }
}
