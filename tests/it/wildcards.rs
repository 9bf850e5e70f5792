//! Nothing hides a driver, an enforcer, a platform or a format: a new one is asked for by the compiler wherever code tells
//! them apart, or it stands here why an answer for all others is right.

use crate::rust_text::{Token, bracketed, is_path_separator, production, root, sources, tokens};
use std::collections::BTreeMap;

/// The enums, by the names under which code uses them.
const ENUMS: [&str; 7] = ["Driver", "D", "Enforcer", "PolicyMode", "Platform", "Format", "FormatName"];
/// Where they are declared, which may ask themselves.
const TABLES: [&str; 3] = ["record/driver_reach.rs", "record/enforcer.rs", "record/platform.rs"];
/// As many names at once are a list that a new one may belong on.
const LIST: usize = 3;

/// How many there are in a file, and why what they say is right for a new one.
const REASONS: &[(&str, usize, &str)] = &[
    ("drift/case.rs", 2, "any path suits any operation in a random case; a list makes the likely ones likelier"),
    ("evidence/contradiction.rs", 1, "a check more of some rows; the others are held to what all are held to"),
    ("launcher/inside/linux/objects.rs", 1, "those that mount, but two, call mount(2)"),
    ("launcher/inside/linux/process.rs", 2, "the drivers' own code, which names them all, performs the others"),
    (
        "launcher/inside/perform.rs",
        2,
        "the detail `confirmed` counts for every driver, and without it nothing is decided; the list is of those that ask about \
         a name and open nothing, so that one which is forgotten is withheld and stays open",
    ),
    (
        "launcher/lane/names.rs",
        1,
        "to read a descriptor is another name for three that read, and for no other operation",
    ),
    (
        "policy/landlock/model/files.rs",
        1,
        "Landlock has no right for attributes; two of their drivers fail by themselves",
    ),
    ("policy/landlock/model/mod.rs", 1, "a test holds every driver to what the model looks up for it"),
    ("policy/landlock/model/procfs.rs", 1, "the table is asked, so that one that opens is not forgotten"),
    (
        "policy/sbpl/model/action.rs",
        2,
        "the match before names them all; these add what a few need beside their target",
    ),
    (
        "launcher/lane/question.rs",
        1,
        "only what makes sockets of a family of its own has one there; of all others the family of the empty call says nothing",
    ),
    (
        "probe/macos/files.rs",
        1,
        "within an arm of one group; what it does not know fails with ENOSYS and decides nothing",
    ),
];

#[test]
fn no_answer_for_all_others_hides_a_driver() {
    let files = sources(&root().join("src"));
    let mut counts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut seen = 0;
    for (path, found) in production(&files) {
        let path = path.to_str().unwrap();
        let scan = Scan::of(&found, TABLES.contains(&path));
        seen += scan.matches;
        let lines = if TABLES.contains(&path) { scan.wildcards } else { [scan.wildcards, scan.lists].concat() };
        if !lines.is_empty() {
            counts.insert(path.to_owned(), lines);
        }
    }
    assert!(seen > 20, "only {seen} matches on drivers were found");
    let mut faults = Vec::new();
    for (path, lines) in &counts {
        let allowed = REASONS.iter().find(|(file, ..)| file == path).map_or(0, |(_, count, _)| *count);
        if lines.len() != allowed {
            faults.push(format!(
                "src/{path} has wildcard arms or lists at lines {lines:?}, and {allowed} with a reason: name each, make it a \
                 property in src/record/driver_reach.rs or driver_witness.rs, or write down why a new one needs none"
            ));
        }
    }
    for (file, ..) in REASONS.iter().filter(|(file, ..)| !counts.contains_key(*file)) {
        faults.push(format!("src/{file} has none any more: take it off the list"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn wildcards_and_lists_are_found() {
    let scan = |text: &str| {
        let scan = Scan::of(&tokens(text), false);
        (scan.matches, scan.wildcards, scan.lists)
    };
    assert_eq!(scan("match d {\n Driver::A => 1,\n _ => 2 }"), (1, vec![3], vec![]));
    assert_eq!(scan("match d { Driver::A | Driver::B => { 1 }\n other => f(other), }"), (1, vec![2], vec![]));
    assert_eq!(scan("match d { Some(D::A) if x => 1, None => 3 }"), (1, vec![], vec![]));
    // A guard leaves the rest to be named, and what an arm does is another matter.
    assert_eq!(
        scan("match d { Driver::A => 1, _ if x => 2, Driver::B => match y { C => 3, _ => 4 } }"),
        (1, vec![], vec![])
    );
    assert_eq!(scan("match x { 1 => Driver::A, _ => Driver::B }"), (0, vec![], vec![]));
    assert_eq!(scan("match x { 1 => match d { Driver::A => 1,\n _ => 2 }, _ => 3 }"), (1, vec![2], vec![]));
    assert_eq!(scan("matches!(d, Driver::A | Driver::B)"), (0, vec![], vec![]));
    assert_eq!(scan("\nmatches!(d, Driver::A | Driver::B | Driver::C)"), (0, vec![], vec![2]));
}

#[derive(Debug, Default)]
struct Scan {
    /// How many matches have arms of such an enum.
    matches: usize,
    /// The lines of arms of those that take whatever is left.
    wildcards: Vec<usize>,
    /// The lines of `matches!` with a list of them.
    lists: Vec<usize>,
}

impl Scan {
    fn of(tokens: &[Token<'_>], is_table: bool) -> Self {
        let mut scan = Self::default();
        for (at, token) in tokens.iter().enumerate() {
            match token.text {
                "match" => scan.take_match(&tokens[at..], is_table),
                "matches" if tokens.get(at + 1).is_some_and(|next| next.text == "!") => {
                    let inside = &tokens[at + 2..at + 2 + bracketed(&tokens[at + 2..], "(", ")")];
                    if names(inside, is_table) >= LIST {
                        scan.lists.push(token.line);
                    }
                }
                _ => {}
            }
        }
        scan
    }

    /// `tokens` starts with the word `match`.
    fn take_match(&mut self, tokens: &[Token<'_>], is_table: bool) {
        let Some(start) = body(tokens) else { return };
        let block = &tokens[start..start + bracketed(&tokens[start..], "{", "}")];
        let patterns = patterns(&block[1..block.len() - 1]);
        let named = |pattern: &&[Token<'_>]| {
            let guard = pattern.iter().position(|token| token.text == "if").unwrap_or(pattern.len());
            names(&pattern[..guard], is_table) > 0
        };
        if !patterns.iter().any(named) {
            return;
        }
        self.matches += 1;
        let takes_all = |pattern: &&&[Token<'_>]| matches!(pattern, [one] if one.text.starts_with(|c: char| c == '_' || c.is_lowercase()));
        self.wildcards.extend(patterns.iter().filter(takes_all).map(|pattern| pattern[0].line));
    }
}

/// Where the block of a match begins: the first brace that stands in no other bracket.
fn body(tokens: &[Token<'_>]) -> Option<usize> {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "(" => at += bracketed(&tokens[at..], "(", ")"),
            "[" => at += bracketed(&tokens[at..], "[", "]"),
            "{" => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The patterns of a match's arms, with their guards.
fn patterns<'t, 'a>(block: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < block.len() {
        let is_arrow = |n: &usize| matches!(block.get(*n..n + 2), Some([a, b]) if a.text == "=" && b.text == ">");
        let Some(arrow) = (at..block.len()).find(is_arrow) else { break };
        found.push(&block[at..arrow]);
        at = arrow + 2;
        // What the arm does: a block, or everything up to a comma.
        while at < block.len() && block[at].text != "," {
            let (open, close) = match block[at].text {
                "(" => ("(", ")"),
                "[" => ("[", "]"),
                "{" => ("{", "}"),
                _ => {
                    at += 1;
                    continue;
                }
            };
            at += bracketed(&block[at..], open, close);
            if open == "{" && block[arrow + 2].text == "{" {
                break;
            }
        }
        at += usize::from(block.get(at).is_some_and(|token| token.text == ","));
    }
    found
}

/// How many times a variant of one of the enums is named.
fn names(tokens: &[Token<'_>], is_table: bool) -> usize {
    (0..tokens.len())
        .filter(|at| {
            let name = tokens[*at].text;
            (ENUMS.contains(&name) || is_table && name == "Self")
                && is_path_separator(tokens, at + 1)
                && tokens.get(at + 3).is_some_and(|next| next.text.starts_with(char::is_uppercase))
        })
        .count()
}
