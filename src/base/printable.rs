//! What may be shown to a person of a text that somebody else wrote.
//!
//! A target, an id or a path can hold anything: characters that steer a terminal, turn the direction of what follows, cannot
//! be seen at all, or begin a line that nobody wrote. Everything that is not a JSON document passes through here on its way
//! to a terminal or a report. JSON stays exact: it escapes all of them.

use std::borrow::Cow;
use std::path::Path;

/// What stands for a character that is not shown.
pub const REPLACEMENT: char = '\u{fffd}';

/// The characters past U+009F that cannot be seen, or that change how others are seen: the general categories Cf, Zl and Zp,
/// and the property Default_Ignorable_Code_Point (Unicode 16). Sorted; both ends belong to a range.
const HIDDEN: [(u32, u32); 25] = [
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Whether `c` is not shown as it is: control characters, format characters (which turn the direction of a text, or join
/// and divide letters), line and paragraph separators, whatever else has no glyph of its own, and what is no character (which
/// may not stand in XML).
pub fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    if code < 0x7f {
        return code < 0x20;
    }
    let no_character = code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code);
    code <= 0x9f || no_character || HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// Untrusted text for one line of a terminal or a report: what is not shown is replaced, so that it stays on its
/// line and says nothing but what can be read.
pub fn printable(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if plain && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let shown: String = text.chars().map(|c| if is_hidden(c) { REPLACEMENT } else { c }).collect();
    Cow::Owned(without_commands(shown))
}

/// Runners of pipelines take `##[command]` and `##vso[command]` for theirs wherever in a line they stand.
fn without_commands(text: String) -> String {
    if text.contains("##[") || text.contains("##vso[") {
        return text.replace("##[", "#\\#[").replace("##vso[", "#\\#vso[");
    }
    text
}

/// The beginning of an untrusted text, for a message: at most `most_chars` of it, with `…` where more follows.
pub fn excerpt(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

/// A path as text, for a document or a message. Paths are bytes: what is not UTF-8 in one is replaced, because a document
/// cannot hold it. To serialise a `Path` instead fails for such a path.
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// [`path_text`] for `#[serde(serialize_with)]`.
pub fn serialize_path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path_text(path))
}

/// What stands in JSON text, on its way to where a person may see it. Such a text is ASCII, and holds no control character
/// but line feeds and DEL; DEL and the commands of pipelines are escaped, which changes nothing that it says.
pub fn json_for_streams(json: Vec<u8>) -> Vec<u8> {
    let harmless = |at: usize| json[at] != 0x7f && !(json[at] == b'#' && json[at..].starts_with(b"##"));
    if (0..json.len()).all(harmless) {
        return json;
    }
    let mut out = Vec::with_capacity(json.len() + 64);
    for (at, byte) in json.iter().enumerate() {
        if harmless(at) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        }
    }
    out
}

/// Lines for people, in the making. What is added as a line is one, whatever stands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    /// Where the lines begin that are never broken.
    kept: Vec<usize>,
}

impl Lines {
    /// Adds a line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.marked("", text);
    }

    /// Adds a line that begins with `mark`, a word of ours that may be coloured.
    pub fn marked(&mut self, mark: &str, text: impl AsRef<str>) {
        let text = printable(text.as_ref());
        self.text.push_str(mark);
        // Runners of pipelines take what begins a line with `::` for a command; white space before it does not help.
        let rest = text.trim_start();
        if mark.trim().is_empty() && rest.strip_prefix("::").is_some_and(|rest| rest.starts_with(char::is_alphabetic)) {
            self.text.push_str(&text[..text.len() - rest.len()]);
            self.text.push('\\');
            self.text.push_str(rest);
        } else {
            self.text.push_str(&text);
        }
        self.text.push('\n');
    }

    /// Adds a line that stays one however narrow a terminal is: what stands below it points at its columns.
    pub fn kept(&mut self, text: impl AsRef<str>) {
        self.kept.push(self.text.len());
        self.line(text);
    }

    /// Adds an empty line.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// The lines again, with each that has more than `width` characters broken by `broken`, which is given it without colour.
    #[must_use]
    pub fn within(&self, width: usize, broken: impl Fn(&str, usize) -> Vec<String>) -> Self {
        let mut lines = Self::default();
        let mut begin = 0;
        for line in self.text.split_inclusive('\n') {
            let text = line.trim_end_matches('\n');
            let kept = self.kept.contains(&begin);
            begin += line.len();
            let (mark, rest) = text.split_at(text.rfind(COLOUR).map_or(0, |at| at + end_of_colour(&text[at..])));
            let plain = without_colour(mark);
            if kept || plain.chars().count() + rest.chars().count() <= width {
                if kept {
                    lines.kept.push(lines.text.len());
                }
                lines.text.push_str(line);
                continue;
            }
            let mut parts = broken(&format!("{plain}{rest}"), width).into_iter();
            if let Some(first) = parts.next() {
                match first.strip_prefix(&*plain) {
                    Some(after) => lines.marked(mark, after),
                    None => lines.line(first),
                }
            }
            parts.for_each(|part| lines.line(part));
        }
        lines
    }

    /// Adds other lines.
    pub fn append(&mut self, other: &Self) {
        let begin = self.text.len();
        self.kept.extend(other.kept.iter().map(|at| begin + at));
        self.text.push_str(&other.text);
    }

    /// The lines as one text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The lines as one text.
    pub fn into_string(self) -> String {
        self.text
    }
}

/// How a change of colour begins. Nothing else of a line can: what is printed has no escapes.
const COLOUR: &str = "\u{1b}[";

/// How long the change of colour is that `text` begins with.
fn end_of_colour(text: &str) -> usize {
    text.find('m').map_or(text.len(), |at| at + 1)
}

fn without_colour(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some(at) = rest.find(COLOUR) {
        plain.push_str(&rest[..at]);
        rest = &rest[at + end_of_colour(&rest[at..])..];
    }
    plain + rest
}

impl<T: AsRef<str>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut out = Self::default();
        lines.into_iter().for_each(|line| out.line(line));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_unicode_calls_control_format_separator_or_ignorable_is_hidden() {
        // The tables of the regex crate; it knows categories, and what Unicode says is ignorable by default is spelled out.
        let categories = regex::Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]$").unwrap();
        for code in 0..=0x10_ffff {
            let Some(c) = char::from_u32(code) else { continue };
            let no_character = code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code);
            let expected = no_character || categories.is_match(c.encode_utf8(&mut [0; 4]));
            assert_eq!(is_hidden(c), expected, "U+{code:04X}");
        }
    }

    #[test]
    fn ordinary_text_of_any_script_is_shown_as_it_is() {
        for text in
            ["${root}/a b", "مرحبا", "שלום", "日本語", "ไทย", "हिन्दी", "naïve", "😀", "e\u{301}", "\u{a0}", "::1"]
        {
            assert_eq!(printable(text), text);
            assert_eq!(Lines::from_iter([text]).as_str(), format!("{text}\n"));
        }
    }

    #[test]
    fn what_is_hidden_is_replaced_and_a_line_stays_one() {
        assert_eq!(printable("a\u{1b}[2K\r\nb\u{202e}c\u{200b}d\u{7f}\u{9b}"), "a�[2K��b�c�d��");
        assert_eq!(Lines::from_iter(["x\n15 probes, 15 as expected."]).as_str(), "x�15 probes, 15 as expected.\n");
        assert_eq!(excerpt("abcdef", 3), "abc…");
        assert_eq!(excerpt("ab\n", 3), "ab�");
    }

    #[test]
    fn no_line_is_a_command_of_a_pipeline() {
        assert_eq!(Lines::from_iter(["  ::error file=x::y"]).as_str(), "  \\::error file=x::y\n");
        assert_eq!(printable("x ##[error]y ##vso[task.complete]"), "x #\\#[error]y #\\#vso[task.complete]");
        let json = json_for_streams(br###"{"a": "##[error]\\##[x]", "b": "c#d"}"###.to_vec());
        assert!(!String::from_utf8_lossy(&json).contains("##"));
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(read, serde_json::json!({"a": "##[error]\\##[x]", "b": "c#d"}));
        let del = json_for_streams(b"\"a\x7f\"".to_vec());
        assert_eq!(serde_json::from_slice::<String>(&del).unwrap(), "a\u{7f}");
        assert!(!del.contains(&0x7f));
    }
}
