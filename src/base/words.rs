//! Splitting a command line into words, as a POSIX shell does it, without any of a shell's expansions.

/// Why a text cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote has no end.
    #[error("the {0} quote that begins at byte {1} is not closed")]
    OpenQuote(&'static str, usize),
    /// A backslash stands at the end.
    #[error("the text ends in a backslash, which needs a character behind it")]
    OpenEscape,
    /// Something that only a shell can do.
    #[error("`{what}` at byte {at} needs a shell; quote it, or name a shell yourself (`sh -c '…'`)")]
    NeedsShell {
        /// The character or characters.
        what: String,
        /// Byte offset in the text, counted from 0.
        at: usize,
    },
}

/// The words of `text`.
///
/// Single quotes keep everything; double quotes everything but a backslash before `"`, `\`, `$` and a grave accent; a backslash
/// elsewhere keeps the next character. `${NAME}` in lower case is a placeholder of documents and stays as it is, in single
/// quotes too. Whatever else a shell would act upon is refused where it is not quoted.
///
/// # Errors
/// See [`WordsError`].
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some((_, '\'')) => break,
                        Some((_, c)) => word.push(c),
                        None => return Err(WordsError::OpenQuote("single", at)),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match rest.next() {
                            Some((_, c @ ('"' | '\\' | '$' | '`'))) => word.push(c),
                            Some((_, '\n')) => {}
                            Some((_, c)) => word.extend(['\\', c]),
                            None => return Err(WordsError::OpenQuote("double", at)),
                        },
                        Some((here, '$')) => word.push_str(placeholder(text, here, &mut rest)?),
                        Some((here, '`')) => return Err(WordsError::NeedsShell { what: "`".into(), at: here }),
                        Some((_, c)) => word.push(c),
                        None => return Err(WordsError::OpenQuote("double", at)),
                    }
                }
            }
            '\\' => match rest.next() {
                // A line goes on.
                Some((_, '\n')) => {}
                Some((_, c)) => word.get_or_insert_default().push(c),
                None => return Err(WordsError::OpenEscape),
            },
            '$' => {
                let text = placeholder(text, at, &mut rest)?;
                word.get_or_insert_default().push_str(text);
            }
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '`' | '\n' | '*' | '?' | '[' => {
                return Err(WordsError::NeedsShell { what: c.to_string(), at });
            }
            // At the start of a word alone these mean something.
            '#' | '~' | '{' | '!' if word.is_none() && !matches!(text.as_bytes().get(at + 1), None | Some(b' ')) => {
                return Err(WordsError::NeedsShell { what: c.to_string(), at });
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The placeholder that begins with the `$` at `at`, which was taken from `rest` already.
fn placeholder<'t>(
    text: &'t str,
    at: usize,
    rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
) -> Result<&'t str, WordsError> {
    let behind = &text[at + 1..];
    if let Some(inside) = behind.strip_prefix('{')
        && let Some(end) = inside.find('}')
        && end > 0
        && inside[..end].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_'))
    {
        for _ in 0..end + 2 {
            rest.next();
        }
        return Ok(&text[at..at + end + 3]);
    }
    match behind.bytes().next() {
        Some(b) if b.is_ascii_alphanumeric() || b"{(_@*#?$!-".contains(&b) => {
            Err(WordsError::NeedsShell { what: text[at..].chars().take(2).collect(), at })
        }
        _ => Ok("$"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, wanted) in [
            ("", &[][..]),
            ("  \t ", &[]),
            ("bwrap --ro-bind / / --", &["bwrap", "--ro-bind", "/", "/", "--"]),
            ("a  'b  c'd\"e f\" ''", &["a", "b  cde f", ""]),
            (r#"a\ b "c\"d\\e\x" 'f\g'"#, &["a b", r#"c"d\e\x"#, r"f\g"]),
            ("${workspace}/x \"${outside} y\" '${probe}'", &["${workspace}/x", "${outside} y", "${probe}"]),
            ("a=$ 5$ \"$\"", &["a=$", "5$", "$"]),
            ("'$HOME' \\$HOME \"\\$HOME\"", &["$HOME", "$HOME", "$HOME"]),
            ("a#b a~b x{y", &["a#b", "a~b", "x{y"]),
            ("'*' '|' \";\"", &["*", "|", ";"]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        for text in [
            "a | b",
            "a>b",
            "a & b",
            "a;b",
            "$HOME",
            "\"$HOME\"",
            "`a`",
            "\"`a`\"",
            "$(a)",
            "*.c",
            "~/x",
            "#x",
            "a\nb",
            "${HOME}",
        ] {
            assert!(matches!(split(text), Err(WordsError::NeedsShell { .. })), "{text}");
        }
        assert_eq!(split("a 'b"), Err(WordsError::OpenQuote("single", 2)));
        assert_eq!(split("\"b\\"), Err(WordsError::OpenQuote("double", 0)));
        assert_eq!(split("a\\"), Err(WordsError::OpenEscape));
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[ -~äß\n]{0,12}", 0..6)) {
            let text: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
            prop_assert_eq!(split(&text.join(" ")), Ok(words));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = split(&text);
        }
    }
}
