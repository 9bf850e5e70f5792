//! The elements of one JSON array in a document, one after the other, so that nothing holds the whole document.
//!
//! Only brackets and strings are understood here; each element goes to the JSON parser as a whole.

use std::io::{self, BufRead};

use super::limits::{MAX_JSON_DEPTH, MAX_ROW_BYTES};

/// Longest element, in bytes: a derived row repeats what its raw row says, and indents it.
pub const MAX_ELEMENT_BYTES: usize = 4 * MAX_ROW_BYTES;

/// Reads the elements of one array.
#[derive(Debug)]
pub struct ArrayReader<R> {
    input: R,
    /// Whether the array is the whole document, behind which nothing may follow.
    whole: bool,
    /// Whether an element was read.
    begun: bool,
    /// Whether the array's end was seen.
    done: bool,
    element: Vec<u8>,
}

fn malformed(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}

impl<R: BufRead> ArrayReader<R> {
    /// The elements of the array that the document is, or of the array that stands under `member` of the object that
    /// it is. A document without that member has no elements.
    ///
    /// # Errors
    /// If the document cannot be read as far as the array's begin.
    pub fn open(input: R, member: Option<&str>) -> io::Result<Self> {
        let mut elements = Self { input, whole: member.is_none(), begun: false, done: false, element: Vec::new() };
        if let Some(member) = member {
            elements.expect(b'{')?;
            if !elements.find(member)? {
                elements.done = true;
                return Ok(elements);
            }
        }
        elements.expect(b'[')?;
        Ok(elements)
    }

    /// The next element's bytes, which may still be no JSON inside their brackets.
    ///
    /// # Errors
    /// If what is there is no array, or an element is too long or nested too deep.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.done {
            return Ok(None);
        }
        if self.peek_past_space()? == b']' {
            self.input.consume(1);
            self.done = true;
            return if self.whole { self.expect_end() } else { Ok(None) };
        }
        if self.begun {
            self.expect(b',')?;
            if matches!(self.peek_past_space()?, b',' | b']') {
                return Err(malformed("an element was expected"));
            }
        }
        self.begun = true;
        self.read_value(true)?;
        Ok(Some(&self.element))
    }

    /// Goes to the value of a member of the object that was just entered; whether there is one.
    fn find(&mut self, member: &str) -> io::Result<bool> {
        loop {
            match self.peek_past_space()? {
                b'}' => return Ok(false),
                b',' => self.input.consume(1),
                b'"' => {
                    self.read_value(true)?;
                    let found = serde_json::from_slice::<String>(&self.element).is_ok_and(|key| key == member);
                    self.expect(b':')?;
                    if found {
                        return Ok(true);
                    }
                    self.peek_past_space()?;
                    self.read_value(false)?;
                }
                _ => return Err(malformed("a key was expected")),
            }
        }
    }

    /// Nothing but space may follow.
    fn expect_end(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let block = self.input.fill_buf()?;
            if block.is_empty() {
                return Ok(None);
            }
            if !block.iter().all(u8::is_ascii_whitespace) {
                return Err(malformed("something follows the array"));
            }
            let all = block.len();
            self.input.consume(all);
        }
    }

    fn expect(&mut self, wanted: u8) -> io::Result<()> {
        if self.peek_past_space()? != wanted {
            return Err(malformed(&format!("`{}` was expected", char::from(wanted))));
        }
        self.input.consume(1);
        Ok(())
    }

    /// The next byte that is no space, without taking it.
    fn peek_past_space(&mut self) -> io::Result<u8> {
        loop {
            let block = self.input.fill_buf()?;
            if block.is_empty() {
                return Err(malformed("the document ends early"));
            }
            match block.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(at) => {
                    let byte = block[at];
                    self.input.consume(at);
                    return Ok(byte);
                }
                None => {
                    let all = block.len();
                    self.input.consume(all);
                }
            }
        }
    }

    /// Takes one value, which begins at the next byte; with `keep`, its bytes stand in `element` then.
    fn read_value(&mut self, keep: bool) -> io::Result<()> {
        self.element.clear();
        let mut scan = ElementScan::default();
        loop {
            let block = self.input.fill_buf()?;
            if block.is_empty() {
                return Err(malformed("the document ends early"));
            }
            let (used, ended) = scan.advance(block)?;
            if keep {
                if self.element.len() + used > MAX_ELEMENT_BYTES {
                    return Err(malformed(&format!("an element is longer than {MAX_ELEMENT_BYTES} bytes")));
                }
                self.element.extend_from_slice(&block[..used]);
            }
            self.input.consume(used);
            if ended {
                return Ok(());
            }
        }
    }
}

/// How far into a value a scan is.
#[derive(Debug, Default)]
struct ElementScan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Whether the value is a number or a word, which end where something else begins.
    bare: bool,
}

impl ElementScan {
    /// Looks at more bytes: how many of them belong to the value, and whether it ended.
    fn advance(&mut self, block: &[u8]) -> io::Result<(usize, bool)> {
        for (at, &byte) in block.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Ok((at + 1, true));
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if !self.bare => self.in_string = true,
                b'{' | b'[' if !self.bare => {
                    self.depth += 1;
                    if self.depth > MAX_JSON_DEPTH {
                        return Err(malformed(&format!("nested deeper than {MAX_JSON_DEPTH} levels")));
                    }
                }
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok((at + 1, true));
                    }
                }
                b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if self.bare => return Ok((at, true)),
                _ if self.depth == 0 => self.bare = true,
                _ => {}
            }
        }
        Ok((block.len(), false))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::json_out;
    use super::*;

    fn all(text: &[u8], member: Option<&str>, block: usize) -> io::Result<Vec<Value>> {
        let mut elements = ArrayReader::open(BufReader::with_capacity(block, text), member)?;
        let mut found = Vec::new();
        while let Some(bytes) = elements.next()? {
            found.push(serde_json::from_slice(bytes).map_err(io::Error::from)?);
        }
        Ok(found)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\\\\"\\[\\]{},: a-zé😀]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\\\\\"{}a-c]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_are_those_of_the_parsed_document(
            rows in prop::collection::vec(value(), 0..6),
            before in value(),
            block in 1..40_usize,
        ) {
            let document = json!({"before": before, "rows": rows, "after": [1]});
            for text in [json_out::to_pretty(&document), serde_json::to_vec(&document).unwrap()] {
                prop_assert_eq!(&all(&text, Some("rows"), block).unwrap(), &rows);
            }
            let text = json_out::to_pretty(&rows);
            prop_assert_eq!(&all(&text, None, block).unwrap(), &rows);
        }
    }

    #[test]
    fn what_is_no_such_document_is_refused() {
        for (text, member) in [
            ("", None),
            ("{}", None),
            ("[1, 2", None),
            ("[{\"a\": 1}", None),
            ("[\"a", None),
            ("{\"rows\": 1}", Some("rows")),
            ("{1: 2}", Some("rows")),
            ("[]", Some("rows")),
            ("[1 2]", None),
            ("[,1]", None),
            ("[1,]", None),
            ("[1,,2]", None),
            ("[] []", None),
            ("[1] x", None),
        ] {
            assert!(all(text.as_bytes(), member, 7).is_err(), "{text}");
        }
        assert!(all(b"{\"other\": [1]}", Some("rows"), 7).unwrap().is_empty());
        assert!(all("[".repeat(70).as_bytes(), None, 16).unwrap_err().to_string().contains("nested deeper"));
        let long = format!("[\"{}\"]", "x".repeat(MAX_ELEMENT_BYTES));
        assert!(all(long.as_bytes(), None, 4096).unwrap_err().to_string().contains("longer than"));
    }
}
