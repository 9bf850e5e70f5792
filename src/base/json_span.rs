//! Where a member of a JSON text stands, for messages that name a line.

use super::json;

/// A member's place in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonSpan {
    /// Where its key begins, in bytes; `None` for an item of a list, and for a document as a whole.
    pub key: Option<usize>,
    /// Where the value begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes: the first byte behind it.
    pub end: usize,
    /// Line of the beginning, from 1.
    pub line: u32,
    /// Column of the beginning in characters, from 1.
    pub column: u32,
}

/// Finds what the JSON pointer `pointer` (RFC 6901) names in `text`. `None` for a text that is not acceptable JSON, and
/// for a pointer that names nothing.
pub fn find(text: &str, pointer: &str) -> Option<JsonSpan> {
    // Once the text is known to be well formed, the scan below can rely on it.
    json::parse(text.as_bytes()).ok()?;
    find_in_good(text, pointer)
}

/// [`find`] in a text that is known to be acceptable JSON.
pub fn find_in_good(text: &str, pointer: &str) -> Option<JsonSpan> {
    let mut scan = SpanScan { text, at: 0, key: None };
    for part in pointer.split('/').skip(1) {
        scan.enter(&part.replace("~1", "/").replace("~0", "~"))?;
    }
    scan.space();
    let start = scan.at;
    scan.value()?;
    let (line, column) = line_and_column(text, start);
    Some(JsonSpan { key: scan.key, start, end: scan.at, line, column })
}

/// The line and the column in characters, both from 1, of the place `at` in bytes.
pub fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line as u32, column as u32)
}

struct SpanScan<'t> {
    text: &'t str,
    at: usize,
    /// Where the key of the member that was entered last begins.
    key: Option<usize>,
}

impl SpanScan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Takes a sign that may stand here.
    fn take(&mut self, sign: u8) -> bool {
        self.space();
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// Goes from before an object or array to before its member `name`.
    fn enter(&mut self, name: &str) -> Option<()> {
        if self.take(b'[') {
            let wanted: usize = name.parse().ok()?;
            for _ in 0..wanted {
                self.value()?;
                if !self.take(b',') {
                    return None;
                }
            }
            self.space();
            self.key = None;
            return (self.peek() != Some(b']')).then_some(());
        }
        if !self.take(b'{') {
            return None;
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return None;
            }
            self.value()?;
            let key: String = serde_json::from_str(&self.text[start..self.at]).ok()?;
            self.take(b':').then_some(())?;
            if key == name {
                self.key = Some(start);
                return Some(());
            }
            self.value()?;
            self.take(b',').then_some(())?;
        }
    }

    /// Goes behind one value.
    fn value(&mut self) -> Option<()> {
        self.space();
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ if depth == 0 => {
                    let rest = &self.text[self.at..];
                    let end = rest.find([',', ']', '}', ':']).unwrap_or(rest.len());
                    self.at += rest[..end].trim_end().len();
                }
                _ => self.at += 1,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn members_are_found_with_their_lines() {
        let text = "{\n  \"a\": [1, {\"é\": \"x\", \"b/c\": true}],\n  \"d\": {}\n}\n";
        for (pointer, value, line, column) in [
            ("", text.trim_end(), 1, 1),
            ("/a", r#"[1, {"é": "x", "b/c": true}]"#, 2, 8),
            ("/a/0", "1", 2, 9),
            ("/a/1/b~1c", "true", 2, 30),
            ("/d", "{}", 3, 8),
        ] {
            let place = find(text, pointer).unwrap_or_else(|| panic!("{pointer}"));
            assert_eq!((&text[place.start..place.end], place.line, place.column), (value, line, column), "{pointer}");
        }
        for pointer in ["/b", "/a/2", "/a/x", "/d/e", "/a/0/x"] {
            assert_eq!(find(text, pointer), None, "{pointer}");
        }
        assert_eq!(find("{", ""), None);
        assert_eq!(find("[]", "/0"), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\]:, é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a/~\"é]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn pointers(value: &Value, at: String, into: &mut Vec<String>) {
        into.push(at.clone());
        match value {
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(n, value)| pointers(value, format!("{at}/{n}"), into))
            }
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                pointers(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), into)
            }),
            _ => {}
        }
    }

    proptest! {
        /// What is found is what the pointer names, however the text is laid out.
        #[test]
        fn every_member_is_found(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut all = Vec::new();
            pointers(&value, String::new(), &mut all);
            for pointer in all {
                let place = find(&text, &pointer).unwrap();
                let found: Value = serde_json::from_str(&text[place.start..place.end]).unwrap();
                prop_assert_eq!(Some(&found), value.pointer(&pointer));
            }
        }

        #[test]
        fn nothing_panics(text in "[\\[\\]{}\",:a1\\\\ ]{0,20}", pointer in "(/[a0-9~]{0,2}){0,3}") {
            find(&text, &pointer);
        }
    }
}
