//! The little of YAML that DVC writes locks in: mappings and lists in block style, plain and quoted texts. Anchors, tags, block texts,
//! and flow collections with something in them are refused: a document of which part is guessed says what nobody said.

use serde_json::{Map, Value};

/// How deep it may be nested.
const MOST_LEVELS: usize = 32;

/// What is no such text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlError {
    /// From 1.
    pub line: usize,
    pub what: &'static str,
}

/// A line that says something, without the spaces before it.
#[derive(Debug, Clone)]
struct YamlLine<'t> {
    number: usize,
    indent: usize,
    text: &'t str,
}

/// Reads a text.
///
/// # Errors
/// What is not read here.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, YamlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| YamlError { line: 1, what: "it is no UTF-8 text" })?;
    let mut lines = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let number = n + 1;
        let trimmed = line.trim_start_matches(' ');
        if trimmed.starts_with('\t') {
            return Err(YamlError { line: number, what: "a tab stands where it begins" });
        }
        let said = trimmed.trim_end();
        if said.is_empty() || said.starts_with('#') || (number == 1 && said == "---") {
            continue;
        }
        lines.push(YamlLine { number, indent: line.len() - trimmed.len(), text: said });
    }
    let mut reader = Reader { lines, at: 0 };
    let first = reader.lines.first().map_or(0, |line| line.indent);
    if reader.lines.is_empty() {
        return Err(YamlError { line: 1, what: "it says nothing" });
    }
    let value = reader.block(first, 0)?;
    match reader.lines.get(reader.at) {
        None => Ok(value),
        Some(line) => Err(YamlError { line: line.number, what: "it is indented as nothing before it" }),
    }
}

struct Reader<'t> {
    lines: Vec<YamlLine<'t>>,
    at: usize,
}

impl<'t> Reader<'t> {
    fn here(&self, indent: usize) -> Option<YamlLine<'t>> {
        self.lines.get(self.at).filter(|line| line.indent == indent).cloned()
    }

    fn block(&mut self, indent: usize, level: usize) -> Result<Value, YamlError> {
        let line = self.lines[self.at].clone();
        if level == MOST_LEVELS {
            return Err(YamlError { line: line.number, what: "it is nested too deeply" });
        }
        if is_item(line.text) { self.list(indent, level) } else { self.mapping(indent, level) }
    }

    fn list(&mut self, indent: usize, level: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        while let Some(line) = self.here(indent).filter(|line| is_item(line.text)) {
            let inner = line.text[1..].trim_start_matches(' ');
            if inner.is_empty() {
                self.at += 1;
                items.push(self.below(indent, level, false)?);
            } else if is_item(inner) || key_of(inner).is_some() {
                // What stands behind the dash is the first line of a block of its own.
                let offset = line.text.len() - inner.len();
                self.lines[self.at] = YamlLine { indent: indent + offset, text: inner, ..line };
                items.push(self.block(indent + offset, level + 1)?);
            } else {
                self.at += 1;
                items.push(self.scalar(&line, inner, indent)?);
            }
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, indent: usize, level: usize) -> Result<Value, YamlError> {
        let mut members = Map::new();
        while let Some(line) = self.here(indent).filter(|line| !is_item(line.text)) {
            let error = |what| YamlError { line: line.number, what };
            let (key, rest) = key_of(line.text).ok_or_else(|| error("it has no `name: value`"))?;
            let name = match plain_or_quoted(key).ok_or_else(|| error("a name of this form is not read"))? {
                Value::String(name) => name,
                _ => key.to_owned(),
            };
            self.at += 1;
            let value =
                if rest.is_empty() { self.below(indent, level, true)? } else { self.scalar(&line, rest, indent)? };
            if members.insert(name, value).is_some() {
                return Err(error("the name stands twice"));
            }
        }
        Ok(Value::Object(members))
    }

    /// What stands below a name or a dash; a list may be as far to the left as the name that it belongs to.
    fn below(&mut self, indent: usize, level: usize, of_name: bool) -> Result<Value, YamlError> {
        match self.lines.get(self.at) {
            Some(next) if next.indent > indent => {
                let deeper = next.indent;
                self.block(deeper, level + 1)
            }
            Some(next) if of_name && next.indent == indent && is_item(next.text) => self.list(indent, level + 1),
            _ => Ok(Value::Null),
        }
    }

    /// A text that may go on in the lines that follow, further to the right.
    fn scalar(&mut self, line: &YamlLine<'t>, first: &str, indent: usize) -> Result<Value, YamlError> {
        let mut text = without_remark(first).to_owned();
        while let Some(next) = self.lines.get(self.at).filter(|next| next.indent > indent) {
            text.push(' ');
            text.push_str(without_remark(next.text));
            self.at += 1;
        }
        plain_or_quoted(&text).ok_or(YamlError { line: line.number, what: "a value of this form is not read" })
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

fn without_remark(text: &str) -> &str {
    if text.starts_with(['\'', '"']) { text } else { text.split(" #").next().unwrap_or(text).trim_end() }
}

/// A name and what stands behind its colon.
fn key_of(text: &str) -> Option<(&str, &str)> {
    let end = match text.chars().next()? {
        quote @ ('\'' | '"') => 1 + text[1..].find(quote)? + 1,
        _ => {
            let spaced = text.find(": ");
            spaced.or_else(|| text.ends_with(':').then(|| text.len() - 1))?
        }
    };
    let rest = text[end..].strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (&text[..end], rest.trim()))
}

/// A value without structure, as YAML 1.2 reads it.
fn plain_or_quoted(text: &str) -> Option<Value> {
    if let Some(inner) = text.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'')?;
        let single = inner.replace("''", "");
        return (!single.contains('\'')).then(|| Value::String(inner.replace("''", "'")));
    }
    if text.starts_with('"') {
        // What JSON does not know of a quoted text is refused.
        return serde_json::from_str::<String>(text).ok().map(Value::String);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        "[]" => return Some(Value::Array(Vec::new())),
        "{}" => return Some(Value::Object(Map::new())),
        _ => {}
    }
    if text.starts_with(['&', '*', '!', '|', '>', '%', '@', '`', '{', '[', '?', ','])
        || text.contains(": ")
        || text.ends_with(':')
    {
        return None;
    }
    let is_number = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    let number = is_number.then(|| serde_json::from_str::<serde_json::Number>(text).ok()).flatten();
    Some(number.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_dvc_writes_is_read() {
        let text = "schema: '2.0'\nstages:\n  train:\n    cmd: python train.py --rate 0.1\n      --more 'x'\n    deps:\n    - path: data\n      hash: md5\n      md5: 22a1a2931c8370d3aeedd7183606fd7f.dir\n      size: 14445097\n    - path: train.py\n      md5: \"e06c\\u00e9\"\n    params:\n      params.yaml:\n        rate: 0.1\n        deep:\n          layers:\n          - 3\n          - 5\n        name:\n        on: true\n  # remark\n  two:\n    cmd:\n    - a\n    - b: c\n";
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            json!({"schema": "2.0", "stages": {
                "train": {
                    "cmd": "python train.py --rate 0.1 --more 'x'",
                    "deps": [
                        {"path": "data", "hash": "md5", "md5": "22a1a2931c8370d3aeedd7183606fd7f.dir", "size": 14_445_097},
                        {"path": "train.py", "md5": "e06c\u{e9}"},
                    ],
                    "params": {"params.yaml": {"rate": 0.1, "deep": {"layers": [3, 5]}, "name": null, "on": true}},
                },
                "two": {"cmd": ["a", {"b": "c"}]},
            }})
        );
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for (text, line) in [
            ("a: &x 1", 1),
            ("a: |\n  text", 1),
            ("a: [1, 2]", 1),
            ("a: {b: c}", 1),
            ("a: 1\na: 2", 2),
            ("a:\n    b: 1\n  c: 2", 3),
            ("a\nb", 1),
            ("\ta: 1", 1),
            ("", 1),
            ("a: 'x' y'", 1),
            ("a: \"\\x41\"", 1),
            ("a: b: c", 1),
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert_eq!(error.line, line, "{text:?}: {error:?}");
        }
        let deep = (0..40).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>();
        assert_eq!(parse(deep.as_bytes()).unwrap_err().what, "it is nested too deeply");
    }
}
