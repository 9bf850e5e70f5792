//! What stands in documents and messages has a declared form.

use crate::rust_text::{Token, bracketed, root, sources, tokens, without_tests};

/// A path of the operating system is any bytes. serde refuses one that is not UTF-8 as it is written, and no schema says
/// what form it has. In documents paths are texts of a declared form (`base::bundle_path`, or relative to a root), or say at
/// the member how they are written.
#[test]
fn no_path_of_the_operating_system_stands_in_a_serialised_shape() {
    let mut faults = Vec::new();
    let mut shapes = 0;
    for (path, text) in sources(&root().join("src")) {
        let (found, lines) = bare_paths(&text);
        shapes += found;
        faults.extend(lines.into_iter().map(|line| format!("{}:{line}", path.display())));
    }
    assert!(shapes > 200, "only {shapes} shapes");
    assert!(faults.is_empty(), "paths without a declared form:\n{}", faults.join("\n"));
}

#[test]
fn bare_paths_are_found() {
    let lines = |text: &str| bare_paths(text).1;
    assert_eq!(lines("#[derive(Debug, Serialize)]\nstruct A {\n    a: u8,\n    b: Option<PathBuf>,\n}"), [4]);
    assert_eq!(lines("#[derive(Deserialize)]\n#[serde(x)]\nenum A { B(u8), C { d: Vec<std::path::PathBuf> } }"), [3]);
    assert_eq!(lines("#[derive(Serialize)] struct A<'p>(&'p Path);"), [1]);
    assert_eq!(lines("#[derive(Serialize)] struct A { #[serde(serialize_with = \"f\")] a: PathBuf, b: u8 }"), [0; 0]);
    assert_eq!(lines("#[derive(Serialize)] struct A { #[serde(serialize_with = \"f\")] a: u8, b: PathBuf }"), [1]);
    assert_eq!(lines("#[derive(Serialize)] struct A { #[serde(skip)] a: PathBuf }"), [0; 0]);
    assert_eq!(lines("#[derive(Debug)] struct A { a: PathBuf }"), [0; 0]);
    assert_eq!(lines("#[derive(Serialize)] struct A;\nstruct B { a: PathBuf }"), [0; 0]);
}

/// How many serialised shapes a source declares, and the lines where one holds a path without saying how it is written.
fn bare_paths(text: &str) -> (usize, Vec<usize>) {
    let tokens = without_tests(&tokens(text));
    let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let (mut shapes, mut lines) = (0, Vec::new());
    for at in 0..tokens.len() {
        if text_at(at) != "derive" || text_at(at + 1) != "(" {
            continue;
        }
        let end = at + 1 + bracketed(&tokens[at + 1..], "(", ")");
        if !tokens[at..end].iter().any(|token| matches!(token.text, "Serialize" | "Deserialize")) {
            continue;
        }
        shapes += 1;
        // Further attributes, then the name, and the first bracket of its body.
        let mut body = end + 1;
        while text_at(body) == "#" {
            body += 1 + bracketed(&tokens[body + 1..], "[", "]");
        }
        while !matches!(text_at(body), "{" | "(" | ";" | "") {
            body += if text_at(body) == "pub" && text_at(body + 1) == "(" { 4 } else { 1 };
        }
        let length = match text_at(body) {
            "{" => bracketed(&tokens[body..], "{", "}"),
            "(" => bracketed(&tokens[body..], "(", ")"),
            _ => continue,
        };
        let body = &tokens[body..body + length];
        let paths = body.iter().enumerate().filter(|(_, token)| matches!(token.text, "PathBuf" | "Path"));
        lines.extend(paths.filter(|(n, _)| !is_written_by(&body[..*n])).map(|(_, token)| token.line));
    }
    (shapes, lines)
}

/// Whether the member whose type begins at the end of `before` says how it is written, or is not.
fn is_written_by(before: &[Token<'_>]) -> bool {
    let mut depth = 0_usize;
    for token in before.iter().rev() {
        match token.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => return false,
            "(" | "[" | "{" => depth -= 1,
            "," if depth == 0 => return false,
            "serialize_with" | "skip" => return true,
            _ => {}
        }
    }
    false
}
