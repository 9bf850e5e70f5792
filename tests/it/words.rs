//! One word, one meaning: a type name stands for one thing in all of `src`, and documentation says what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_text::{Token, bracketed, production, root, sources, tokens};

const EACH: &str = "one interface, of which each system has its own";
/// Names that several files declare on purpose, and why.
const SHARED: &[(&str, &[&str], &str)] = &[
    ("Prepared", &["probe/linux/mod.rs", "probe/macos/mod.rs"], EACH),
    ("ReadyProfile", &["enforce/seatbelt.rs", "enforce/seatbelt_absent.rs"], "the same where it cannot be enforced"),
    ("AbortOnUnwind", &["sys/darwin/native/sole.rs", "sys/linux/sole.rs"], EACH),
    ("Adoption", &["launcher/strays.rs", "launcher/strays_macos.rs"], EACH),
    ("NamelessFile", &["launcher/session/nameless_linux.rs", "launcher/session/nameless_macos.rs"], EACH),
    ("OutsideObject", &["launcher/lane/outside_objects.rs", "launcher/lane/outside_objects_macos.rs"], EACH),
    ("SessionTerminal", &["sys/darwin/native/tty.rs", "sys/linux/tty.rs"], EACH),
    ("NotSole", &["sys/darwin/native/sole.rs", "sys/linux/sole.rs"], EACH),
    ("Sole", &["sys/darwin/native/sole.rs", "sys/linux/sole.rs"], EACH),
    ("Stat", &["sys/darwin/native/path.rs", "sys/linux/path.rs"], EACH),
    ("Terminal", &["launcher/lane/outside_objects.rs", "launcher/lane/outside_objects_macos.rs"], EACH),
    ("AuditListener", &["audit/listener.rs", "audit/listener_absent.rs"], "the same where there is none"),
    ("ReadyRuleset", &["enforce/landlock.rs", "enforce/landlock_absent.rs"], "the same where it cannot be enforced"),
];

/// The most lines of a Rust file.
const MOST_LINES: usize = 600;

/// Words that say where something stands in a sentence, and not what it is.
const SAYS_NOTHING: &[&str] = &[
    "Around", "Aside", "At", "Before", "Beside", "Both", "Brought", "Compared", "Did", "Do", "Done", "Facts", "Found",
    "From", "Given", "Gone", "Got", "Had", "Held", "Inside", "Into", "Kind", "Known", "Look", "Made", "Of", "Outside",
    "Placed", "Said", "Seen", "Shown", "Shows", "Taken", "Then", "Through", "To", "Told", "Tried", "Use", "Want",
    "Way", "When", "Where", "Whose", "Within", "Written",
];

/// Words that ask what a documentation should say.
const ASKS: &[&str] = &["Both", "How", "That", "What", "When", "Where", "Which", "Who", "Whose", "Why"];

#[test]
fn a_type_name_has_one_meaning() {
    let files = sources(&root().join("src"));
    let declared = declarations(&files);
    assert!(declared.len() > 1000, "only {} names were found", declared.len());
    let mut faults = Vec::new();
    for (name, places) in &declared {
        let shared = SHARED.iter().find(|(shared, ..)| shared == name).map_or(&[][..], |(_, files, _)| files);
        if places.len() > 1 && places != shared {
            faults.push(format!("`{name}` is declared in {places:?}: give each meaning a name of its own"));
        }
        if SAYS_NOTHING.contains(&&**name) {
            faults.push(format!("`{name}` of {places:?} does not say what it is"));
        }
    }
    for (name, files, _) in SHARED {
        if declared.get(*name).is_none_or(|places| places != files) {
            faults.push(format!("`{name}` is no longer shared by {files:?}: take it off the list"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn declarations_are_found() {
    let found = |files: &[(&str, &str)]| -> Vec<(String, usize)> {
        let files: Vec<_> = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        declarations(&files).into_iter().map(|(name, places)| (name, places.len())).collect()
    };
    let names = |text: &str| found(&[("a.rs", text)]).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("pub struct A; enum B { C } pub(crate) trait D {} type E = u8; union F { g: u8 }").len(), 5);
    assert_eq!(names("struct A<T>(T); // struct B\nconst C: &str = \"struct D\";"), ["A"]);
    // A name within a function, and a type of a trait or an impl, are nobody else's.
    assert_eq!(
        names("fn f() { struct A; } trait B { type C; } impl B for D { type C = u8; } mod e { struct F; }"),
        ["B", "F"]
    );
    // Nor does it matter what only tests see.
    assert_eq!(names("struct A; #[cfg(test)] mod tests { struct B; }"), ["A"]);
    assert_eq!(found(&[("a/mod.rs", "#[cfg(test)] mod b; struct A;"), ("a/b.rs", "struct A;")]), [("A".to_owned(), 1)]);
    assert_eq!(found(&[("a.rs", "mod b; struct A;"), ("a/b.rs", "struct A;")]), [("A".to_owned(), 2)]);
}

#[test]
fn the_glossary_has_every_term_once_and_names_types_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let glossary = text.split_once("## Glossary").expect("a glossary").1;
    let files = sources(&root().join("src"));
    let declared = declared_anywhere(&files);
    let mut terms = Vec::new();
    for row in glossary.lines().filter(|line| line.starts_with("| **")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        terms.push(cells[0].split("**").filter(|term| term.contains(char::is_alphabetic)).collect::<Vec<_>>());
        for name in cells[2].split('`').skip(1).step_by(2) {
            let is_type = |part: &&str| part.starts_with(char::is_uppercase) && part.contains(char::is_lowercase);
            let found = name.split("::").find(is_type).is_none_or(|part| declared.contains(part));
            assert!(found, "the glossary names `{name}`, which no file declares");
        }
    }
    assert!(terms.len() > 30, "only {} rows were found", terms.len());
    assert!(terms.is_sorted_by_key(|terms| terms[0]), "the glossary is not in alphabetical order");
    let mut all: Vec<&str> = terms.concat();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "a term stands twice in {all:?}");
}

#[test]
fn documentation_says_more_than_the_name() {
    let mut faults = Vec::new();
    for (path, text) in sources(&root().join("src")) {
        for (line, doc) in empty_documentation(&text) {
            faults.push(format!("src/{}:{line}: `{doc}` says no meaning, unit, form or absence", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn empty_documentation_is_found() {
    let is_empty = |text: &str| !empty_documentation(text).is_empty();
    assert_eq!(empty_documentation("struct A {\n    /// Its name.\n    b: u8,\n}"), [(2, "Its name.")]);
    assert!(is_empty("/// Which plan.\nstruct A;") && is_empty("    /// Who decided.\n    a: u8,"));
    assert!(is_empty("/// Which.\na: u8,") && is_empty("    /// Its `b` size.\n    #[c]\n    a: u8,"));
    assert!(is_empty("/// The time zone.\n#[a]\npub(super) time_zone: u8,"));
    assert!(
        !is_empty("/// The time zone.\nTimeZone,") && !is_empty("/// The time zone, as `TZ` has it.\ntime_zone: u8,")
    );
    assert!(!is_empty("/// A part.\nfn part(part: u8) {}"));
    assert!(!is_empty("/// Its size when it was staged, in bytes.\na: u8,"));
    assert!(!is_empty("/// Its name.\n///\n/// It has no other.\na: u8,") && !is_empty("// Its name.\na: u8,"));
}

/// Documentation of a single line that names what stands below it and says nothing about it, with its line.
fn empty_documentation(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let doc = |at: usize| lines.get(at).and_then(|line| line.strip_prefix("///"));
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(said) = line.strip_prefix("/// ") else { continue };
        if doc(at + 1).is_some() || at > 0 && doc(at - 1).is_some() {
            continue;
        }
        let words: Vec<&str> = said.trim_end_matches('.').split(' ').collect();
        let field = lines[at + 1..].iter().find(|line| !line.starts_with("#[")).and_then(|line| line.split_once(": "));
        let field =
            field.filter(|(name, _)| !name.contains("fn ")).map(|(name, _)| name.rsplit(' ').next().unwrap_or(name));
        let is_empty = match &words[..] {
            [word] | [word, _] if ASKS.contains(word) => true,
            ["Its", rest @ ..] => rest.len() <= 2,
            ["A" | "An" | "The", rest @ ..] => field == Some(&*rest.join("_")),
            _ => false,
        };
        if is_empty {
            found.push((at + 1, said));
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_one_concept_needs() {
    let long = |folder: &str| {
        let sources = sources(&root().join(folder)).into_iter();
        let lines = sources.map(|(path, text)| (Path::new(folder).join(path), text.lines().count()));
        lines.filter(|(_, lines)| *lines > MOST_LINES).collect::<Vec<_>>()
    };
    let found: Vec<_> = ["src", "tests", "benches"].iter().flat_map(|folder| long(folder)).collect();
    assert!(found.is_empty(), "look for the second concept in {found:?}");
}

/// The types that are declared outside of functions and tests, and the files that do so.
fn declarations(files: &[(PathBuf, String)]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, tokens) in production(files) {
        for name in declared_in(&tokens) {
            let places = found.entry(name.to_owned()).or_default();
            let place = path.to_string_lossy().into_owned();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    found
}

/// The types that are declared in whatever place, macros included.
fn declared_anywhere(files: &[(PathBuf, String)]) -> BTreeSet<&str> {
    let is_keyword = |word: &str| ["struct", "enum", "trait", "type", "union"].contains(&word);
    let declared = |text| {
        let tokens = tokens(text);
        let after = |at: usize| tokens.get(at + 1).map_or("", |next| next.text);
        (0..tokens.len()).filter(|at| is_keyword(tokens[*at].text)).map(after).collect::<Vec<_>>()
    };
    files.iter().flat_map(|(_, text)| declared(text)).collect()
}

/// Where the files of a module's children lie.
fn declared_in<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let word = |n: usize| tokens.get(at + n).map_or("", |token| token.text);
        match tokens[at].text {
            "mod" if word(2) == "{" => at += 2,
            "{" => at += bracketed(&tokens[at..], "{", "}") - 1,
            "struct" | "enum" | "trait" | "type" | "union" if word(1).starts_with(char::is_uppercase) => {
                found.push(word(1));
            }
            _ => {}
        }
        at += 1;
    }
    found
}
