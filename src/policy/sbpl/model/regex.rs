//! The profile language's regular expressions, in terms of the `regex` crate.
//!
//! The language takes a small dialect: characters, `.`, classes in brackets, groups, `|`, `*`, `+`, `?`, and the anchors
//! `^` and `$`. A pattern that uses anything else is not guessed at: what it matches counts as unknown.

use regex::{Regex, RegexBuilder};

/// How long a pattern may be. The compiler of the system serialises one filter to at most 65,535 bytes.
const MAX_PATTERN_BYTES: usize = 16 << 10;
/// How large the compiled form may become.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A pattern in two readings, exact and without regard to case.
#[derive(Debug)]
pub(super) struct Compiled {
    exact: Regex,
    folded: Regex,
}

/// Whether a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It does.
    Match,
    /// It does only if case makes no difference.
    CaseOnly,
    /// It does not.
    Nothing,
}

impl Compiled {
    /// Translates a pattern. The error says why it cannot be.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let translated = translate(pattern)?;
        let build = |ignore_case: bool| {
            RegexBuilder::new(&translated)
                .case_insensitive(ignore_case)
                .dot_matches_new_line(true)
                .size_limit(MAX_COMPILED_BYTES)
                .dfa_size_limit(MAX_COMPILED_BYTES)
                .nest_limit(64)
                .build()
                .map_err(|_| "the pattern is not a regular expression of the dialect, or too large".to_owned())
        };
        Ok(Self { exact: build(false)?, folded: build(true)? })
    }

    /// Looks for a match anywhere in `text`.
    pub(super) fn find(&self, text: &str) -> Found {
        if self.exact.is_match(text) {
            Found::Match
        } else if self.folded.is_match(text) {
            Found::CaseOnly
        } else {
            Found::Nothing
        }
    }
}

/// The same pattern as the `regex` crate writes it.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    // Whether something stands before that `*`, `+` or `?` can repeat.
    let mut repeatable = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(next) = chars.next() else { return Err("the pattern ends in a backslash".into()) };
                if next.is_alphanumeric() {
                    return Err(format!("what `\\{next}` means is not known"));
                }
                push_literal(&mut out, next);
                repeatable = true;
            }
            '[' => {
                bracket(&mut chars, &mut out)?;
                repeatable = true;
            }
            '*' | '+' | '?' => {
                if !repeatable {
                    return Err(format!("`{c}` has nothing to repeat"));
                }
                out.push(c);
                repeatable = false;
            }
            '(' => {
                if chars.peek() == Some(&'?') {
                    return Err("`(?` is not of the dialect".into());
                }
                out.push_str("(?:");
                repeatable = false;
            }
            ')' => {
                out.push(')');
                repeatable = true;
            }
            '|' | '^' | '$' => {
                out.push(c);
                repeatable = false;
            }
            '.' => {
                out.push('.');
                repeatable = true;
            }
            '{' | '}' => return Err("whether braces count repetitions is not known".into()),
            other => {
                push_literal(&mut out, other);
                repeatable = true;
            }
        }
    }
    Ok(out)
}

/// A class in brackets, behind its opening one.
fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Result<(), String> {
    let open = || Err("a bracket is not closed".to_owned());
    out.push('[');
    if chars.peek() == Some(&'^') {
        chars.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let Some(c) = chars.next() else { return open() };
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '[' if matches!(chars.peek(), Some(':' | '.' | '=')) => {
                return Err("named classes are not known to be of the dialect".into());
            }
            '\\' => {
                let Some(next) = chars.next() else { return open() };
                if next.is_alphanumeric() {
                    return Err(format!("what `\\{next}` means is not known"));
                }
                push_literal(out, next);
            }
            // A range's sign, unless it stands at an end of the class.
            '-' if !first && chars.peek() != Some(&']') => out.push('-'),
            other => push_literal(out, other),
        }
        first = false;
    }
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_dialect_is_read() {
        for (pattern, text, found) in [
            ("^/private/tmp/", "/private/tmp/x", Found::Match),
            ("/tmp/", "/private/tmp/x", Found::Match),
            ("^/tmp/", "/private/tmp/x", Found::Nothing),
            ("^/tmp(/|$)", "/tmp", Found::Match),
            (r"^/a\.txt$", "/a.txt", Found::Match),
            (r"^/a\.txt$", "/abtxt", Found::Nothing),
            ("^/a.txt$", "/abtxt", Found::Match),
            ("^/[^/]+$", "/one/two", Found::Nothing),
            ("^/[a-c-]*$", "/a-c", Found::Match),
            ("^/[]x]$", "/]", Found::Match),
            ("^/[[&]$", "/&", Found::Match),
            ("^/(one|two)?$", "/two", Found::Match),
            ("^/Users/a$", "/users/A", Found::CaseOnly),
            ("^com-apple&~#$", "com-apple&~#", Found::Match),
        ] {
            assert_eq!(Compiled::new(pattern).unwrap().find(text), found, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_not_of_the_dialect_is_not_guessed_at() {
        for pattern in [r"\d", "a{2}", "(?i)a", "*a", "a**", "a+?", "[[:alpha:]]", "[a", "(", r"a\", "[z-a]", r"[\w]"] {
            assert!(Compiled::new(pattern).is_err(), "{pattern}");
        }
        assert!(Compiled::new(&"(a*)*".repeat(4000)).is_err());
        assert!(Compiled::new(&"(".repeat(3000)).is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in ".{0,40}", text in ".{0,40}") {
            if let Ok(compiled) = Compiled::new(&pattern) {
                compiled.find(&text);
            }
        }

        /// A text with every sign escaped finds exactly itself.
        #[test]
        fn an_escaped_text_matches_itself(text in "[ -~]{0,30}") {
            let escaped: String = text.chars()
                .flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect();
            let compiled = Compiled::new(&format!("^{escaped}$")).unwrap();
            prop_assert_eq!(compiled.find(&text), Found::Match);
        }
    }
}
