//! Rust sources as tests look at them: files, and their words and signs.

use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`: its path relative to it, and its text.
pub fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A word or a sign of the source, and the line where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

pub fn is_path_separator(tokens: &[Token<'_>], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([a, b]) if a.text == ":" && b.text == ":")
}

/// Words and signs, without comments, texts and character literals.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        // Most of a source is white space and words; these begin nothing else.
        let plain = match bytes[at] {
            b' ' => bytes[at..].iter().position(|byte| *byte != b' ').unwrap_or(rest.len()),
            b'b' | b'c' | b'r' => 0,
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            _ => 0,
        };
        if plain > 0 {
            if bytes[at] != b' ' {
                found.push(Token { text: &rest[..plain], line });
            }
            at += plain;
            continue;
        }
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = text_literal(rest) {
            length
        } else if let Some(length) = character_literal(rest) {
            length
        } else {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let length = if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) };
            if !rest.starts_with(char::is_whitespace) {
                found.push(Token { text: &rest[..length], line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The tokens without the modules that only tests see.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(body) = test_module(&tokens[at..]) {
            at += body + bracketed(&tokens[at + body..], "{", "}");
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Whether an attribute leaves an item to tests alone. One with `not` or `any` does not.
fn only_tests(attribute: &[&str]) -> bool {
    let says = |word: &str| attribute.contains(&word);
    attribute.first() == Some(&"cfg") && says("test") && !says("not") && !says("any")
}

/// Where the body of a test module begins, if the tokens start with one: `#[cfg(… test …)]`, perhaps other attributes,
/// `mod NAME {`.
fn test_module(tokens: &[Token<'_>]) -> Option<usize> {
    let mut at = 0;
    let mut is_only_tests = false;
    while matches!(tokens.get(at..at + 2), Some([hash, open]) if hash.text == "#" && open.text == "[") {
        let end = at + 1 + bracketed(&tokens[at + 1..], "[", "]");
        let condition: Vec<&str> = tokens[at + 2..end].iter().map(|token| token.text).collect();
        is_only_tests |= only_tests(&condition);
        at = end;
    }
    let body = matches!(tokens.get(at..at + 3), Some([word, _, open]) if word.text == "mod" && open.text == "{");
    (is_only_tests && body).then_some(at + 2)
}

/// The modules in files of their own that only tests see: `#[cfg(test)] mod NAME;`.
pub fn test_files<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    let texts: Vec<&'a str> = tokens.iter().map(|token| token.text).collect();
    (0..texts.len()).filter_map(move |at| {
        let ["mod", name, ";"] = *texts.get(at..at + 3)? else { return None };
        let mut end = at;
        if texts[..end].ends_with(&[")"]) {
            end = texts[..end].iter().rposition(|text| *text == "(")?;
        }
        end -= usize::from(texts[..end].ends_with(&["pub"]));
        let start = texts[..end].iter().rposition(|text| *text == "#").filter(|_| texts[..end].ends_with(&["]"]))?;
        let condition = &texts[start..end];
        only_tests(condition.get(2..)?).then_some(name)
    })
}

/// The files without what only tests see: their paths and tokens.
pub fn production(files: &[(PathBuf, String)]) -> Vec<(&Path, Vec<Token<'_>>)> {
    let mut found: Vec<_> = files.iter().map(|(path, text)| (&**path, without_tests(&tokens(text)))).collect();
    let only_tests: Vec<PathBuf> = found
        .iter()
        .flat_map(|(path, tokens)| test_files(tokens).map(move |name| folder_of_children(path).join(name)))
        .collect();
    found.retain(|(path, _)| {
        let module = path.with_extension("");
        !only_tests.iter().any(|tests| module.starts_with(tests))
    });
    found
}

fn folder_of_children(path: &Path) -> PathBuf {
    let is_folder = matches!(path.file_stem().and_then(|stem| stem.to_str()), Some("mod" | "lib" | "main"));
    if is_folder { path.parent().unwrap().to_owned() } else { path.with_extension("") }
}

/// How many tokens the bracket at the start spans, to its counterpart.
pub fn bracketed(tokens: &[Token<'_>], open: &str, close: &str) -> usize {
    let mut depth = 0_usize;
    for (n, token) in tokens.iter().enumerate() {
        if token.text == open {
            depth += 1;
        } else if token.text == close {
            depth -= 1;
            if depth == 0 {
                return n + 1;
            }
        }
    }
    tokens.len()
}

/// The length of the (nested) block comment that the text starts with.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string literal (plain, byte, C or raw) that the text starts with, if it does.
fn text_literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix).unwrap_or("x");
        rest.starts_with('"') || (prefix.ends_with('r') && rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let body = prefix.len() + hashes + 1;
        return Some(text[body..].find(&close).map_or(text.len(), |end| body + end + close.len()));
    }
    let mut escaped = false;
    for (n, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + n + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of the character literal that the text starts with, if it does; a lifetime is none.
fn character_literal(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    if first == '\\' {
        let end = rest.char_indices().skip(2).find(|(_, c)| *c == '\'')?;
        return Some(1 + end.0 + 1);
    }
    rest[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}
