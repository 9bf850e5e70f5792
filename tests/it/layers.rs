//! Keeps the layer table of `src/lib.rs` true, by reading what the sources import.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_text::{Token, is_path_separator, production, root, sources, test_files, tokens, without_tests};

/// Who may import whom, as groups of modules; `src/lib.rs` explains it. A module may always import itself.
const MAY_IMPORT: &[(&str, &[&[&str]])] = &[
    ("base", &[]),
    ("record", &[&["base"]]),
    ("policy", &[&["base", "record"]]),
    ("world", &[&["base", "record", "policy"]]),
    ("plan", &[&["base", "record", "policy"]]),
    ("evidence", &[&["base", "record", "policy", "plan"]]),
    ("identity", &[MEANING]),
    ("sys", &[MEANING]),
    ("process", &[MEANING, &[PROTOCOL]]),
    (PROTOCOL, &[MEANING]),
    ("enforce", &[MEANING, HOST]),
    ("probe", &[MEANING, HOST]),
    ("channel", &[MEANING, HOST]),
    ("audit", &[MEANING, HOST]),
    ("bundle", &[MEANING, &["identity", "sys", PROTOCOL]]),
    ("zygote", &[MEANING, HOST, PROCESSES]),
    ("lane", &[MEANING, HOST, PROCESSES]),
    ("launcher", &[MEANING, HOST, PROCESSES, &["lane"]]),
    ("run", &[MEANING, HOST, PROCESSES, &["bundle", "zygote", "lane", "launcher"]]),
    ("mutate", &[MEANING, HOST, &["enforce", "probe", "zygote", "lane", "launcher", "run", "review"]]),
    ("drift", &[MEANING, HOST, &["enforce", "probe", "zygote", "lane"]]),
    ("conformance", &[&["base", "record", "process"]]),
    ("promote", &[&["base", "record", "plan", "evidence", "identity", "bundle"]]),
    ("diff", &[&["base", "record", "plan", "identity", "bundle", "promote"]]),
    ("review", &[&["base", "record", "policy", "plan", "evidence", "identity", "bundle", "promote"]]),
    ("attest", &[&["base", "record", "identity", "bundle", "promote", "review"]]),
    ("seal", &[&["base", "record", "plan", "identity", "sys"]]),
    ("draft", &[&["base", "record", "plan", "sys", "seal"]]),
    ("store", &[&["base", "record", "bundle"]]),
    ("api", &[MEANING, HOST, PROCESSES, ROADS]),
    ("cli", &[MEANING, HOST, PROCESSES, ROADS]),
    ("test_support", &[MEANING, HOST, PROCESSES, ROADS, &["cli"]]),
];
/// The one part of a module that stands on a layer of its own.
const PROTOCOL: &str = "zygote::protocol";
/// What documents, policies and rows mean; nothing of it asks the host.
const MEANING: &[&str] = &["base", "record", "policy", "world", "plan", "evidence"];
/// What was declared, and the host beneath.
const HOST: &[&str] = &["identity", "sys", "process", PROTOCOL];
/// What happens in processes that are started.
const PROCESSES: &[&str] = &["enforce", "probe", "channel", "audit"];
/// What commands are made of.
const ROADS: &[&str] = &[
    "bundle",
    "zygote",
    "lane",
    "launcher",
    "run",
    "promote",
    "review",
    "diff",
    "mutate",
    "drift",
    "conformance",
    "attest",
    "seal",
    "draft",
    "store",
];

/// What others may use of the library.
const PUBLIC: &[&str] = &["api", "test_support"];

/// Where the sources may say `unsafe`.
const UNSAFE_HOME: &str = "sys";

/// A breach of the rules.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

#[test]
fn modules_import_only_what_their_layer_allows() {
    let mut breaches = Vec::new();
    let mut files = 0;
    for (path, text) in sources(&root().join("src")) {
        breaches.extend(check(&path, &text));
        files += 1;
    }
    assert!(files > 20, "only {files} source files were found");
    let shown: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(shown.is_empty(), "the layer table is broken:\n{}", shown.join("\n"));
}

#[test]
fn every_module_stands_in_the_table_and_in_its_documentation() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: Vec<(bool, &str)> = text
        .lines()
        .map(|line| (line.starts_with("pub "), line.strip_prefix("pub ").unwrap_or(line)))
        .filter_map(|(public, line)| Some((public, line.strip_prefix("mod ")?.strip_suffix(';')?)))
        .collect();
    assert!(modules.len() > 20, "only {} modules", modules.len());
    for (public, module) in modules {
        assert_eq!(public, PUBLIC.contains(&module), "`{module}`: only {PUBLIC:?} are for others");
        assert!(MAY_IMPORT.iter().any(|(name, _)| *name == module), "`{module}` is not in MAY_IMPORT");
        let documented = text.lines().any(|line| line.starts_with("//! |") && line.contains(&format!("`{module}`")));
        assert!(documented, "`{module}` is missing from the layer table in src/lib.rs");
    }
}

#[test]
fn no_import_can_close_a_circle() {
    fn reaches(from: &str, to: &str) -> bool {
        allowed(from).any(|next| next == to || reaches(next, to))
    }
    for (name, _) in MAY_IMPORT {
        assert!(!reaches(name, name), "`{name}` could import itself through others");
    }
}

/// Rooms whose code runs in processes that fork, which have one thread.
const OF_ONE_THREAD: &[&str] = &["zygote", "probe", "enforce", "launcher/inside", "seal", "draft"];

/// Where such a process gives that up, because a second thread is what is asked about.
const GIVES_IT_UP: &str = "probe/linux/held.rs";

#[test]
fn processes_that_fork_start_no_thread() {
    let files = sources(&root().join("src"));
    let files = production(&files);
    let rooms: Vec<_> =
        files.iter().filter(|(path, _)| OF_ONE_THREAD.iter().any(|room| path.starts_with(room))).collect();
    assert!(rooms.len() > 40, "only {} files were found", rooms.len());
    let starts =
        rooms.iter().flat_map(|(path, tokens)| thread_lines(tokens).into_iter().map(move |line| (*path, line)));
    let elsewhere: Vec<_> = starts.filter(|(path, _)| *path != Path::new(GIVES_IT_UP)).collect();
    assert!(elsewhere.is_empty(), "they start threads, or may: {elsewhere:?}");
    let home = files.iter().find(|(path, _)| *path == Path::new(GIVES_IT_UP)).unwrap();
    assert!(!thread_lines(&home.1).is_empty(), "`{GIVES_IT_UP}` starts none, and needs no leave");
}

#[test]
fn what_starts_a_thread_is_found() {
    let found = |text: &str| thread_lines(&tokens(text));
    for text in
        ["use crate::base::threads;", "std::thread::spawn(f);", "thread::Builder::new()", "thread::scope(|s| 1)"]
    {
        assert_eq!(found(text), [1], "{text}");
    }
    assert_eq!(found("std::thread::sleep(time); command.spawn(); // threads"), [] as [usize; 0]);
}

/// The lines that name what starts threads.
fn thread_lines(tokens: &[Token<'_>]) -> Vec<usize> {
    let starts = |at: usize| match tokens[at].text {
        "threads" => true,
        "thread" if is_path_separator(tokens, at + 1) => {
            tokens.get(at + 3).is_some_and(|next| matches!(next.text, "spawn" | "scope" | "Builder" | "{" | "*"))
        }
        _ => false,
    };
    (0..tokens.len()).filter(|at| starts(*at)).map(|at| tokens[at].line).collect()
}

/// Within a room too, imports go one way.
///
/// A file stands for its module. What only tests see does not count. A `pub use` of a child's item only shows it under a
/// shorter name: the module that does so imports nothing by it, and whoever uses the short name imports the file that has
/// the item. Everything else counts between any two files of a room, a module and its own children included: what
/// both need stands in a file of its own.
#[test]
fn no_file_imports_itself_through_others_of_its_room() {
    let found = circles(&sources(&root().join("src")));
    assert!(found.is_empty(), "files that import each other in a circle:\n{}", found.join("\n"));
}

#[test]
fn circles_are_found() {
    let found = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        circles(&files)
    };
    let two = |a: &str, b: &str| found(&[("base/mod.rs", "mod a; mod b;"), ("base/a.rs", a), ("base/b.rs", b)]);
    assert_eq!(two("use super::b::X;", "use crate::base::a::Y;"), ["base/a, base/b"]);
    assert_eq!(two("fn f() { super::b::g() }", "use super::{a::Y, c};"), ["base/a, base/b"]);
    assert_eq!(two("use super::b::X;", "//! [`super::a`]\nfn f() {}"), [""; 0]);
    assert_eq!(two("use super::b::X;", "#[cfg(test)]\nmod tests { use super::super::a::Y; }"), [""; 0]);
    // A module and its child, one of which needs the other.
    let child = |module: &str, child: &str| found(&[("base/mod.rs", module), ("base/a.rs", child)]);
    assert_eq!(child("mod a; pub use a::X;", "use super::Y;"), [""; 0]);
    assert_eq!(child("mod a; use a::X;", "use super::Y;"), ["base, base/a"]);
    assert_eq!(child("mod a; fn f() { a::g() }", "use super::Y;"), ["base, base/a"]);
    assert_eq!(child("mod a; use self::a::X;", "fn f() {}"), [""; 0]);
    assert_eq!(child("#[cfg(test)] pub(crate) mod a; fn f() { a::g() }", "use super::Y;"), [""; 0]);
    assert_eq!(child("mod a; fn f() { a::g() }", "pub(in crate::base) fn g() {}"), [""; 0]);
    // A file that tests see too is no test's.
    let also = "#[cfg(any(test, unix))] mod b; mod a;";
    let files = [("base/mod.rs", also), ("base/a.rs", "use super::b::X;"), ("base/b.rs", "use super::a::Y;")];
    assert_eq!(found(&files), ["base/a, base/b"]);
    // Through the short name that a module gives to what another file has.
    let short = [("base/mod.rs", "pub use b::X;"), ("base/a.rs", "use super::X;"), ("base/b.rs", "use super::a;")];
    assert_eq!(found(&short), ["base/a, base/b"]);
    assert_eq!(found(&[("base/a.rs", "use crate::plan::b;"), ("plan/b.rs", "use crate::base::a;")]), [""; 0]);
}

/// Every set of files that import each other, as their modules' names.
fn circles(sources: &[(PathBuf, String)]) -> Vec<String> {
    let parts = |path: &Path| -> Vec<String> {
        let path = path.with_extension("");
        let path = if path.ends_with("mod") { path.parent().unwrap_or(&path) } else { &path };
        path.iter().map(|part| part.to_string_lossy().into_owned()).collect()
    };
    let mut files: BTreeMap<Vec<String>, Vec<Token<'_>>> =
        sources.iter().map(|(path, text)| (parts(path), without_tests(&tokens(text)))).collect();
    let only_tests: Vec<Vec<String>> =
        files.iter().flat_map(|(module, tokens)| test_files(tokens).map(move |name| below(module, name))).collect();
    files.retain(|module, _| !only_tests.iter().any(|tests| module.starts_with(tests)));

    let mut shown: BTreeMap<&[String], BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut uses: Vec<(&[String], Vec<String>)> = Vec::new();
    for (module, tokens) in &files {
        for (path, is_shown) in used(module, tokens, &files) {
            match path.last().filter(|_| is_shown) {
                Some(name) => _ = shown.entry(module).or_default().insert(name.clone(), path),
                None => uses.push((module, path)),
            }
        }
    }
    let file_of = |path: &[String]| -> Option<Vec<String>> {
        let mut path = path.to_vec();
        // A name that is shown may be shown by a further module; more often than this would be a circle of its own.
        for _ in 0..8 {
            let length = (1..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
            let through = path.get(length).and_then(|name| shown.get(&path[..length])?.get(name));
            match through.filter(|through| **through != path) {
                Some(through) => path = through.iter().chain(&path[length + 1..]).cloned().collect(),
                None => return Some(path[..length].to_vec()),
            }
        }
        None
    };
    let mut imports: BTreeMap<&[String], BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, path) in &uses {
        if let Some(file) = file_of(path).filter(|file| file != module && file[0] == module[0]) {
            imports.entry(module).or_default().insert(file);
        }
    }
    let reached = |from: &[String]| -> BTreeSet<&[String]> {
        let mut found = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            for file in imports.get(module).into_iter().flatten() {
                if found.insert(&file[..]) {
                    next.push(file);
                }
            }
        }
        found
    };
    let reached: BTreeMap<&[String], BTreeSet<&[String]>> =
        files.keys().map(|module| (&module[..], reached(module))).collect();
    let circle = |module: &[String]| {
        let both_ways = reached[module].iter().filter(|file| reached[*file].contains(module));
        both_ways.map(|file| file.join("/")).collect::<Vec<_>>().join(", ")
    };
    let all: BTreeSet<String> = files.keys().map(|module| circle(module)).filter(|circle| !circle.is_empty()).collect();
    all.into_iter().collect()
}

fn below(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Every path that a module's file names, from the crate's root, and whether a `pub use` only shows it.
fn used(
    module: &[String],
    tokens: &[Token<'_>],
    files: &BTreeMap<Vec<String>, Vec<Token<'_>>>,
) -> Vec<(Vec<String>, bool)> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if at > 0 && tokens[at - 1].text == ":" || !is_path_separator(tokens, at + 1) {
            continue;
        }
        let (base, rest) = match tokens[at].text {
            "crate" => (&module[..0], at + 3),
            "self" => (module, at + 3),
            "super" => {
                let mut climbs = 1;
                while tokens.get(at + 3 * climbs).is_some_and(|token| token.text == "super") {
                    climbs += 1;
                }
                (&module[..module.len().saturating_sub(climbs)], at + 3 * climbs)
            }
            child if files.contains_key(&below(module, child)) => (module, at),
            _ => continue,
        };
        let word = |back: usize| at.checked_sub(back).map(|at| tokens[at].text);
        // `pub(in crate::plan)` says who may see an item, and imports nothing.
        if (word(1), word(2)) == (Some("in"), Some("(")) {
            continue;
        }
        let is_shown = word(1) == Some("use") && matches!(word(2), Some("pub" | ")"));
        for path in paths(tokens, rest) {
            found.push((base.iter().cloned().chain(path).collect(), is_shown));
        }
    }
    found
}

#[test]
fn every_test_file_is_wired_in() {
    let folder = root().join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let wired = |name: &str| main.lines().any(|line| line.trim() == format!("mod {name};"));
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").exists();
        assert!(name == "main" || !is_module || wired(&name), "tests/it/main.rs does not say `mod {name};`");
    }
    assert!(wired("layers") && !wired("no_such_file"));
}

#[test]
fn breaches_are_found() {
    let found = |path: &str, text: &str| -> Vec<(usize, String)> {
        check(Path::new(path), text).into_iter().map(|breach| (breach.line, breach.what)).collect()
    };
    let imports = |from: &str, to: &str| format!("`{from}` may not import `{to}`");
    assert_eq!(found("base/ids.rs", "use crate::record::Row;\n"), [(1, imports("base", "record"))]);
    assert_eq!(found("record/row.rs", "use crate::base::ids::RunId;\n"), []);
    assert_eq!(
        found("lane/mod.rs", "\nuse crate::{base::ids, bundle::{self, Writer}, probe};\n"),
        [(2, imports("lane", "bundle")), (2, imports("lane", "bundle"))]
    );
    assert_eq!(found("plan/a.rs", "fn f() -> bool {\n    crate::cli::main() == 0\n}"), [(2, imports("plan", "cli"))]);
    assert_eq!(found("run/a.rs", "pub(crate) use crate :: cli :: Exit;"), [(1, imports("run", "cli"))]);
    assert_eq!(found("probe/a.rs", "use crate::zygote::protocol::Job;"), []);
    assert_eq!(found("probe/a.rs", "use crate::zygote::{protocol, client};"), [(1, imports("probe", "zygote"))]);
    assert_eq!(found("probe/a.rs", "use crate::zygote::*;"), [(1, imports("probe", "zygote"))]);
    assert_eq!(found("zygote/protocol.rs", "use crate::zygote::spawn;"), [(1, imports(PROTOCOL, "zygote"))]);
    assert_eq!(found("zygote/child.rs", "use crate::zygote::protocol::Job;"), []);
    assert_eq!(found("base/a/b.rs", "use super::c;\nuse super::super::d;").len(), 0);
    assert_eq!(found("base/a/b.rs", "use super::super::super::run;").len(), 1);
    assert_eq!(found("base/mod.rs", "use super::run;").len(), 1);

    // What is no code, and what only tests see, does not count; what stands behind it does.
    assert_eq!(found("base/a.rs", "//! [`crate::run`]\n/* crate::run /* crate::cli */ */ // crate::lane\n"), []);
    assert_eq!(found("base/a.rs", r###"const A: &str = "\" crate::run"; const B: &str = r#"" crate::cli"#;"###), []);
    assert_eq!(found("base/a.rs", "const A: char = '\"'; use crate::run::x; const B: char = '\\'';").len(), 1);
    assert_eq!(found("base/a.rs", "fn f<'a>(x: &'a u8) { crate::run::g(x) }").len(), 1);
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::run::x;\n    fn f() { if true { } }\n}\n";
    assert_eq!(found("base/a.rs", tests), []);
    assert_eq!(found("base/a.rs", &format!("{tests}use crate::cli::x;")), [(6, imports("base", "cli"))]);
    assert_eq!(found("base/a.rs", &tests.replace("#[cfg(test)]\n", "")).len(), 1);
    assert_eq!(found("base/a.rs", &tests.replace("(test)", "(all(test, unix))").replace("mod", "#[x] mod")), []);
    assert_eq!(found("base/a.rs", &tests.replace("(test)", "(not(test))")).len(), 1);
    assert_eq!(found("base/a.rs", &tests.replace("cfg", "x")).len(), 1);

    assert_eq!(found("base/a.rs", "fn f() { unsafe { g() } }"), [(1, "`unsafe` stands outside src/sys".into())]);
    assert_eq!(found("base/a.rs", "#![allow(unsafe_code)]").len(), 1);
    assert_eq!(found("sys/a.rs", "fn f() { unsafe { g() } } // unsafe"), []);
    assert_eq!(found("base/a.rs", "// unsafe\nconst A: &str = \"unsafe\";"), []);
    assert_eq!(found("mystery/a.rs", "").len(), 1);
}

fn allowed(module: &str) -> impl Iterator<Item = &'static str> {
    let groups: &[&[&str]] = MAY_IMPORT.iter().find(|(name, _)| *name == module).map_or(&[], |(_, groups)| groups);
    groups.iter().flat_map(|group| group.iter().copied())
}

/// All that breaks the rules in one file; `path` is relative to `src`.
fn check(path: &Path, text: &str) -> Vec<Breach> {
    let parts: Vec<String> = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let mut breaches = Vec::new();
    let mut report = |line: usize, what: String| {
        breaches.push(Breach { file: format!("src/{}", path.display()), line, what });
    };
    let tokens = without_tests(&tokens(text));
    let is_root = parts.len() == 1 && matches!(&*parts[0], "lib" | "main");
    if parts[0] != UNSAFE_HOME {
        for token in &tokens {
            if token.text == "unsafe" || token.text == "unsafe_code" {
                report(token.line, format!("`{}` stands outside src/{UNSAFE_HOME}", token.text));
            }
        }
    }
    if is_root {
        return breaches;
    }
    let depth = parts.len() - usize::from(parts.last().is_some_and(|last| last == "mod"));
    let module = module_of(&parts);
    if !MAY_IMPORT.iter().any(|(name, _)| *name == module) {
        report(1, format!("`{module}` is not in the layer table"));
        return breaches;
    }
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "crate" if is_path_separator(&tokens, at + 1) => {
                for imported in paths(&tokens, at + 3) {
                    let name = module_of(&imported);
                    if name != module && !allowed(&module).any(|allowed| allowed == name) && is_module(&name) {
                        report(tokens[at].line, format!("`{module}` may not import `{name}`"));
                    }
                }
            }
            "super" if at == 0 || tokens[at - 1].text != ":" => {
                let mut climbs = 1;
                while is_path_separator(&tokens, at + 3 * climbs - 2)
                    && tokens.get(at + 3 * climbs).is_some_and(|token| token.text == "super")
                {
                    climbs += 1;
                }
                // Inline modules would make this wrong in the safe direction: spell such a path from `crate`.
                if climbs >= depth {
                    report(tokens[at].line, "`super` reaches the crate's root; spell the path from `crate`".into());
                }
            }
            _ => {}
        }
        at += 1;
    }
    breaches
}

/// The module of the table that a path lies in.
fn module_of(path: &[String]) -> String {
    match path {
        [first, second, ..] if first == "zygote" && second == "protocol" => PROTOCOL.to_owned(),
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

/// Whether the table knows the name: `crate::main!` or a re-exported item at the root would be no module.
fn is_module(name: &str) -> bool {
    MAY_IMPORT.iter().any(|(known, _)| *known == name)
}

/// Every path that begins at `at`, behind `crate::`, with groups spread out.
fn paths(tokens: &[Token<'_>], at: usize) -> Vec<Vec<String>> {
    fn spread(tokens: &[Token<'_>], at: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
        let mut path = prefix.to_vec();
        loop {
            match tokens.get(*at).map(|token| token.text) {
                Some("{") => {
                    *at += 1;
                    while let Some(token) = tokens.get(*at) {
                        match token.text {
                            "}" => {
                                *at += 1;
                                return;
                            }
                            "," => *at += 1,
                            _ => spread(tokens, at, &path, found),
                        }
                    }
                    return;
                }
                Some(word) => {
                    *at += 1;
                    if word != "self" {
                        path.push(word.to_owned());
                    }
                }
                None => return,
            }
            if is_path_separator(tokens, *at) {
                *at += 2;
                continue;
            }
            if tokens.get(*at).is_some_and(|token| token.text == "as") {
                *at += 2;
            }
            found.push(path);
            return;
        }
    }
    let mut found = Vec::new();
    let mut at = at;
    spread(tokens, &mut at, &[], &mut found);
    found
}
