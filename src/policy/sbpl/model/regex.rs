//! The profile language's regular expressions, in terms of the `regex` crate.
//!
//! The language takes a small dialect: characters, `.`, classes in brackets, groups, `|`, `*`, `+`, `?`, and the anchors
//! `^` and `$`. A pattern that uses anything else is not guessed at: what it matches counts as unknown.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

/// How long a pattern may be. The compiler of the system serialises one filter to at most 65,535 bytes.
const MAX_PATTERN_BYTES: usize = 16 << 10;
/// How large the compiled form may become.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// The regular expressions of a profile, each translated when it is first asked.
#[derive(Debug, Default)]
pub(super) struct Regexes {
    known: RefCell<HashMap<String, Rc<Result<CompiledPattern, String>>>>,
}

impl Regexes {
    /// Whether none was asked for yet.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.borrow().is_empty()
    }

    /// The pattern, ready to be looked for.
    pub(super) fn get(&self, pattern: &str) -> Rc<Result<CompiledPattern, String>> {
        if let Some(known) = self.known.borrow().get(pattern) {
            return Rc::clone(known);
        }
        let compiled = Rc::new(CompiledPattern::new(pattern));
        self.known.borrow_mut().insert(pattern.to_owned(), Rc::clone(&compiled));
        compiled
    }
}

/// A regular expression of a profile, compiled for matching.
#[derive(Debug)]
pub(super) struct CompiledPattern {
    /// Whether a class has a backslash, of which it is not known whether it is a member itself.
    backslash_in_class: bool,
    /// As other dialects read it.
    plain: PatternReading,
    /// Where it has groups `(?:…)`: as it is if they match nothing.
    without_groups: Option<PatternReading>,
}

/// One reading of a pattern, exact and, once that failed, without regard to case.
#[derive(Debug)]
struct PatternReading {
    translated: String,
    exact: Regex,
    folded: OnceCell<Result<Regex, String>>,
}

/// Whether a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternMatch {
    /// It does.
    Match,
    /// It does only if case makes no difference.
    CaseOnly,
    /// It does not.
    Nothing,
    /// It does not, because a group `(?:…)` matches nothing.
    NoGroup,
}

impl CompiledPattern {
    /// Translates a pattern. The error says why it cannot be.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let plain = translate(pattern, false)?;
        let without_groups =
            if plain.groups { Some(PatternReading::new(translate(pattern, true)?.text)?) } else { None };
        Ok(Self {
            backslash_in_class: plain.backslash_in_class,
            plain: PatternReading::new(plain.text)?,
            without_groups,
        })
    }

    /// Looks for a match anywhere in `text`.
    pub(super) fn find(&self, text: &str) -> Result<PatternMatch, String> {
        if self.backslash_in_class && text.contains('\\') {
            return Err("whether a backslash in brackets stands for itself is not known".into());
        }
        let found = self.plain.find(text)?;
        let Some(without) = self.without_groups.as_ref().filter(|_| found != PatternMatch::Nothing) else {
            return Ok(found);
        };
        match without.find(text)? {
            PatternMatch::Nothing => Ok(PatternMatch::NoGroup),
            _ => {
                Err("what a pattern matches beside its group `(?:…)`, which is not of the dialect, is not known".into())
            }
        }
    }
}

impl PatternReading {
    fn new(translated: String) -> Result<Self, String> {
        Ok(Self { exact: build(&translated, false)?, translated, folded: OnceCell::new() })
    }

    fn find(&self, text: &str) -> Result<PatternMatch, String> {
        if self.exact.is_match(text) {
            return Ok(PatternMatch::Match);
        }
        let folded = self.folded.get_or_init(|| build(&self.translated, true)).as_ref().map_err(String::clone)?;
        Ok(if folded.is_match(text) { PatternMatch::CaseOnly } else { PatternMatch::Nothing })
    }
}

fn build(translated: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(translated)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .nest_limit(64)
        .build()
        .map_err(|_| "the pattern is not a regular expression of the dialect, or too large".to_owned())
}

/// The text with every sign of the dialect that has a meaning behind a backslash.
pub(in crate::policy::sbpl) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '\\' | '^' | '$' | '.' | '|' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Whether macOS is known to refuse the pattern: an anchor at the beginning that is not at the beginning ("unexpected ^
/// operator in middle of expression"). What stands behind `(?` up to a sign that is no letter opens a group, too.
pub(in crate::policy::sbpl) fn is_refused(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    let mut begun = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                begun = true;
            }
            '[' => {
                chars.next_if_eq(&'^');
                let mut first = true;
                while let Some(c) = chars.next() {
                    match c {
                        ']' if !first => break,
                        '\\' => drop(chars.next()),
                        _ => {}
                    }
                    first = false;
                }
                begun = true;
            }
            '^' if begun => return true,
            '^' => {}
            '(' => {
                begun = false;
                if chars.next_if_eq(&'?').is_some() {
                    chars.next_if(|c| matches!(c, ':' | '=' | '!'));
                }
            }
            '|' => begun = false,
            _ => begun = true,
        }
    }
    false
}

/// A pattern as the `regex` crate writes it.
struct Translated {
    text: String,
    /// Whether it has groups `(?:…)`.
    groups: bool,
    /// See [`CompiledPattern::backslash_in_class`].
    backslash_in_class: bool,
}

/// The same pattern as the `regex` crate writes it. Groups `(?:…)` match nothing if that is said.
fn translate(pattern: &str, void_groups: bool) -> Result<Translated, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let (mut groups, mut backslash_in_class) = (false, false);
    // How many groups are open.
    let mut depth = 0_usize;
    if pattern.is_empty() {
        return Err("what an empty pattern matches is not known".into());
    }
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
                backslash_in_class |= bracket(&mut chars, &mut out)?;
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
                depth += 1;
                out.push_str("(?:");
                if chars.next_if_eq(&'?').is_some() {
                    if chars.next() != Some(':') {
                        return Err("`(?` is not of the dialect".into());
                    }
                    groups = true;
                    if void_groups {
                        out.push_str("[^\\s\\S]");
                    }
                }
                repeatable = false;
            }
            ')' => {
                depth = depth.saturating_sub(1);
                out.push(')');
                repeatable = true;
            }
            '$' if chars.peek().is_some_and(|next| !matches!(next, ')' | '|')) => {
                return Err("what a `$` that is not at the end stands for is not known".into());
            }
            '^' if depth > 0 => return Err("whether an anchor may stand in a group is not known".into()),
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
    Ok(Translated { text: out, groups, backslash_in_class })
}

/// A class in brackets, behind its opening one. Returns whether it has a backslash: POSIX takes one in brackets for itself,
/// other dialects for a sign before the next character.
fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Result<bool, String> {
    let open = || Err("a bracket is not closed".to_owned());
    out.push('[');
    if chars.peek() == Some(&'^') {
        chars.next();
        out.push('^');
    }
    let mut first = true;
    let mut backslash = false;
    loop {
        let Some(c) = chars.next() else { return open() };
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(backslash);
            }
            '[' if matches!(chars.peek(), Some(':' | '.' | '=')) => {
                return Err("named classes are not known to be of the dialect".into());
            }
            '\\' => {
                let Some(next) = chars.next() else { return open() };
                // Where both readings have the same members but for the backslash, only that one is open.
                if next.is_alphanumeric() || matches!(next, ']' | '-') || chars.peek() == Some(&'-') {
                    return Err(format!("what `\\{next}` means in brackets is not known"));
                }
                backslash = true;
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
            ("^/private/tmp/", "/private/tmp/x", PatternMatch::Match),
            ("/tmp/", "/private/tmp/x", PatternMatch::Match),
            ("^/tmp/", "/private/tmp/x", PatternMatch::Nothing),
            ("^/tmp(/|$)", "/tmp", PatternMatch::Match),
            (r"^/a\.txt$", "/a.txt", PatternMatch::Match),
            (r"^/a\.txt$", "/abtxt", PatternMatch::Nothing),
            ("^/a.txt$", "/abtxt", PatternMatch::Match),
            ("^/[^/]+$", "/one/two", PatternMatch::Nothing),
            ("^/[a-c-]*$", "/a-c", PatternMatch::Match),
            ("^/[]x]$", "/]", PatternMatch::Match),
            (r"^/[\.x]$", "/.", PatternMatch::Match),
            (r"^/[^\.]+$", "/a.b", PatternMatch::Nothing),
            ("^/[[&]$", "/&", PatternMatch::Match),
            ("^/(one|two)?$", "/two", PatternMatch::Match),
            ("^/Users/a$", "/users/A", PatternMatch::CaseOnly),
            ("^com-apple&~#$", "com-apple&~#", PatternMatch::Match),
        ] {
            assert_eq!(CompiledPattern::new(pattern).unwrap().find(text).unwrap(), found, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_not_of_the_dialect_is_not_guessed_at() {
        for pattern in [
            r"\d",
            "a{2}",
            "(?i)a",
            "*a",
            "a**",
            "a+?",
            "[[:alpha:]]",
            "[a",
            "(",
            r"a\",
            "[z-a]",
            r"[\w]",
            "",
            "a$b",
            r"[\]x]",
            r"[\-z]",
            r"[\.-z]",
            "(^/a|^/b)",
        ] {
            assert!(CompiledPattern::new(pattern).is_err(), "{pattern}");
        }
        let class = CompiledPattern::new(r"^/[\.x]+$").unwrap();
        assert!(class.find(r"/\").is_err() && class.find(r"/a\b").is_err());
        assert!(CompiledPattern::new(&"(a*)*".repeat(4000)).is_err());
        assert!(CompiledPattern::new(&"(".repeat(3000)).is_err());
    }

    #[test]
    fn a_group_that_is_no_group_matches_nothing_and_an_anchor_stands_at_the_beginning() {
        let found = |pattern: &str, text: &str| CompiledPattern::new(pattern).unwrap().find(text);
        assert_eq!(found("^/a/(?:b|c)$", "/a/b"), Ok(PatternMatch::NoGroup));
        assert_eq!(found("^/a/(?:b|c)$", "/a/d"), Ok(PatternMatch::Nothing));
        assert_eq!(found("^/a/(?:.*/)?\\.env$", "/a/deep/.env"), Ok(PatternMatch::NoGroup));
        assert!(found("^/a/(?:.*/)?\\.env$", "/a/.env").is_err());
        assert!(found("^/a|(?:b)", "/a").is_err());
        assert_eq!(found("^/[(?:]$", "/:"), Ok(PatternMatch::Match));
        for pattern in ["(?i)^/x", "/a^b", "(a)^", "a|b^", "[a]^"] {
            assert!(is_refused(pattern), "{pattern}");
        }
        for pattern in ["^/x", "^/a|^/b", "(^/a|^/b)", "[^/]", r"/a\^b", "a[x^]", "^^/a", "(?:^/x)"] {
            assert!(!is_refused(pattern), "{pattern}");
        }
        let text = "a.b(c)[d]{e}|f^g$h\\i*j+k?";
        assert_eq!(
            CompiledPattern::new(&format!("^{}$", quote(text))).unwrap().find(text).unwrap(),
            PatternMatch::Match
        );
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in ".{0,40}", text in ".{0,40}") {
            let _ = is_refused(&pattern);
            if let Ok(compiled) = CompiledPattern::new(&pattern) {
                let _ = compiled.find(&text);
            }
        }

        /// A text with every sign escaped finds exactly itself.
        #[test]
        fn an_escaped_text_matches_itself(text in "[ -~]{0,30}") {
            let escaped: String = text.chars()
                .flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect();
            let compiled = CompiledPattern::new(&format!("^{escaped}$")).unwrap();
            prop_assert_eq!(compiled.find(&text).unwrap(), PatternMatch::Match);
        }
    }
}
