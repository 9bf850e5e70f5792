//! The words of a line, as a shell splits them, without anything that a shell does to them.

use super::QuestionError;

/// A word of a question as it was typed, quotes taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineWord {
    /// Its first character's place in the line, counted from 1.
    pub(super) column: usize,
    /// What it says, without its quotes.
    pub(super) text: String,
}

/// A line in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineParts<'t> {
    pub(super) words: Vec<LineWord>,
    /// The line without its comment, as it was written.
    pub(super) written: &'t str,
    /// What stands behind the `#`; nothing if that is empty.
    pub(super) comment: Option<&'t str>,
}

/// Splits a line. A `#` that begins a word begins a comment. `'…'` keeps everything, `"…"` everything but `\` before `"` and
/// `\`, and elsewhere `\` keeps the next character. A `~` that was quoted is a name.
pub(super) fn split(line: &str) -> Result<LineParts<'_>, QuestionError> {
    let mut words: Vec<LineWord> = Vec::new();
    let mut word: Option<LineWord> = None;
    let mut letters = line.char_indices().zip(1..);
    while let Some(((at, c), column)) = letters.next() {
        if matches!(c, ' ' | '\t') {
            words.extend(word.take());
            continue;
        }
        if c == '#' && word.is_none() {
            let comment = Some(line[at + 1..].trim()).filter(|text| !text.is_empty());
            return Ok(LineParts { words, written: line[..at].trim_end(), comment });
        }
        if c.is_control() {
            let message = format!("the line holds a control character (U+{:04X})", u32::from(c));
            return Err(QuestionError::new(column, message, "remove it"));
        }
        let is_first = word.is_none();
        let LineWord { text, .. } = word.get_or_insert_with(|| LineWord { column, text: String::new() });
        if !matches!(c, '\'' | '"' | '\\') {
            text.push(c);
            continue;
        }
        if is_first && line[at + 1..].starts_with('~') {
            text.push_str("./");
        }
        let open = || {
            let message = if c == '\\' { "the line ends in a backslash" } else { "the quote is not closed" };
            QuestionError::new(column, message, "close it, or write `\\` before a quote that is a part of a name")
        };
        loop {
            let ((_, next), here) = letters.next().ok_or_else(open)?;
            if next.is_control() {
                let message = format!("the line holds a control character (U+{:04X})", u32::from(next));
                return Err(QuestionError::new(here, message, "remove it"));
            }
            match (c, next) {
                ('\\', next) => {
                    text.push(next);
                    break;
                }
                (quote, next) if quote == next => break,
                ('"', '\\') => {
                    let ((_, kept), _) = letters.next().ok_or_else(open)?;
                    if !matches!(kept, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(kept);
                }
                (_, next) => text.push(next),
            }
        }
    }
    words.extend(word);
    Ok(LineParts { words, written: line.trim_end(), comment: None })
}

/// Words in one line, each quoted where it needs quotes.
pub(super) fn joined<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word as it has to be written to be read as `text`.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| !matches!(c, ' ' | '\t' | '\'' | '"' | '\\');
    if !text.is_empty() && !text.starts_with('#') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<(usize, String)> {
        split(line).unwrap().words.into_iter().map(|word| (word.column, word.text)).collect()
    }

    #[test]
    fn words_are_those_of_a_shell_and_know_their_place() {
        for (line, wanted) in [
            ("", &[][..]),
            ("deny  read\t/é/x", &[(1, "deny"), (7, "read"), (12, "/é/x")]),
            (r#"read "/a b"'c d' \ e"#, &[(1, "read"), (6, "/a bc d"), (18, " e")]),
            (r#""a\"b\\c\d" 'e\f'"#, &[(1, r#"a"b\c\d"#), (13, r"e\f")]),
            ("a#b '#c' ''", &[(1, "a#b"), (5, "#c"), (10, "")]),
            ("'~/a' \\~b", &[(1, "./~/a"), (7, "./~b")]),
        ] {
            let wanted: Vec<(usize, String)> = wanted.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
            assert_eq!(words(line), wanted, "{line}");
        }
        let parts = split("read /x  # why: #1 ").unwrap();
        assert_eq!((parts.written, parts.comment), ("read /x", Some("why: #1")));
        assert_eq!(split("#").unwrap().comment, None);
    }

    #[test]
    fn what_is_left_open_says_where_it_began() {
        for (line, column) in
            [("read 'a", 6), ("read \"a\\", 6), ("read a\\", 7), ("read a\0", 7), ("read 'a\u{7}'", 8)]
        {
            assert_eq!(split(line).unwrap_err().column, column, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_word_comes_back(text in "[^\u{0}-\u{1f}\u{7f}-\u{9f}~][^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,20}") {
            prop_assert_eq!(words(&quoted(&text)), vec![(1, text)]);
        }

        #[test]
        fn no_line_panics(line in any::<String>()) {
            let _ = split(&line);
        }
    }
}
