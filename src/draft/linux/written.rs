//! The document of what was seen.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::observation::Observation;
use super::sorting::{SortedPaths, sorted};
use crate::base::canon::is_normal;
use crate::base::limits::MAX_SUBJECT_FILES;
use crate::base::printable::path_text;
use crate::draft::document::DeclarationDraft;
use crate::draft::request::WatchRequest;
use crate::record::subject_digest::NamedThing;
use crate::seal::is_secret;

/// What a shell keeps for itself, and where temporary files go, which sealing says: no command is handed these.
const NOT_PASSED: [&str; 5] = ["OLDPWD", "PWD", "SHLVL", TEMPORARY, "_"];
/// The variable that says where temporary files go.
const TEMPORARY: &str = "TMPDIR";
/// As what files are taken for weights that a person has to name.
const WEIGHTS: [&str; 8] = [".gguf", ".safetensors", ".onnx", ".pt", ".pth", ".bin", ".tflite", ".npz"];
/// How many names a note has at most.
const MOST_NAMES: usize = 8;

/// The variables that the command is given, watched or sealed.
pub(super) fn passed(environment: &[(String, OsString)]) -> Vec<(String, OsString)> {
    let is_passed =
        |name: &str| !NOT_PASSED.contains(&name) && !name.is_empty() && is_normal(name) && !name.contains('=');
    environment.iter().filter(|(name, _)| is_passed(name)).cloned().collect()
}

/// The variables that the watched command is given: those, and where temporary files go, which sealing gives every command.
pub(super) fn given(environment: &[(String, OsString)], passed: &[(String, OsString)]) -> Vec<(String, OsString)> {
    let temporary = environment.iter().find(|(name, _)| name == TEMPORARY).map(|(_, value)| value.clone());
    let temporary = (TEMPORARY.to_owned(), temporary.unwrap_or_else(|| "/tmp".into()));
    passed.iter().cloned().chain([temporary]).collect()
}

/// Writes it.
pub(super) fn draft(
    home: &Path,
    request: &WatchRequest,
    passed: &[(String, OsString)],
    seen: &Observation,
) -> DeclarationDraft {
    let named_in = |text: &OsString| {
        let (text, home) = (text.as_bytes(), home.as_os_str().as_bytes());
        text.windows(home.len()).any(|piece| piece == home)
    };
    // Words and variables are handed over as they are, so what they name is looked for there.
    let home_is_named = request.command.iter().chain(passed.iter().map(|(_, value)| value)).any(named_in);
    let user_home = passed.iter().find(|(name, _)| name == "HOME").map(|(_, value)| Path::new(value));
    let found = sorted(seen, home, home_is_named, user_home);
    let mut draft = DeclarationDraft::of_run("nothing that was seen of the command says it");
    inputs(&mut draft, &found);
    command(&mut draft, request);
    runtime(&mut draft, passed, seen, &found);
    hardware(&mut draft);
    notes(&mut draft, seen, &found);
    draft
}

fn inputs(draft: &mut DeclarationDraft, found: &SortedPaths) {
    let (mut read, mut elsewhere) = (Map::new(), Vec::new());
    for (name, (thing, is_within)) in &found.inputs {
        // A `:` in the first part stands behind the name of a folder.
        let path = if name.split('/').next().is_some_and(|first| first.contains(':')) {
            format!("./{name}")
        } else {
            name.clone()
        };
        if *is_within && read.len() < MAX_SUBJECT_FILES - 100 {
            read.insert(
                name.clone(),
                match thing {
                    NamedThing::File => json!({ "file": path }),
                    NamedThing::Folder => json!({ "folder": path }),
                },
            );
        } else {
            elsewhere.push(name.clone());
        }
    }
    let looks_like_weights = |name: &&String| WEIGHTS.iter().any(|ending| name.ends_with(ending));
    let weights: Vec<&str> = found.inputs.keys().filter(looks_like_weights).map(String::as_str).collect();
    if !weights.is_empty() {
        draft.unknown(
            "/artifact/model/weights",
            format!("nothing says which files are weights; by their names these may be: {}", some(weights)),
        );
    }
    draft.unknown("/artifact/code", "nothing says which of the files under read are the program");
    if !read.is_empty() {
        draft.state("/artifact/read", read);
    }
    if !elsewhere.is_empty() {
        draft.state("/artifact/other/read", elsewhere);
    }
}

fn command(draft: &mut DeclarationDraft, request: &WatchRequest) {
    let words: Option<Vec<&str>> =
        request.command.iter().map(|word| word.to_str().filter(|word| is_normal(word))).collect();
    match words {
        Some(words) => draft.state("/artifact/command", words),
        None => draft.note("command", "a word of it is no text in Unicode normal form C; the document leaves it out"),
    }
    draft.state("/runtime/other/working_folder", "the folder of this document");
}

fn runtime(draft: &mut DeclarationDraft, passed: &[(String, OsString)], seen: &Observation, found: &SortedPaths) {
    let (mut values, mut names) = (Map::new(), Vec::new());
    for (name, value) in passed {
        match value.to_str().filter(|value| is_normal(value) && !is_secret(name)) {
            Some(value) => _ = values.insert(name.clone(), value.into()),
            None => names.push(name.clone()),
        }
    }
    draft.state("/runtime/environment", values);
    if !names.is_empty() {
        draft.note(
            "variables",
            format!(
                "{} are passed by their names alone: they may be secrets, or have no canonical form",
                some(names.iter().map(String::as_str))
            ),
        );
        draft.state("/runtime/other/environment", names);
    }
    let texts = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    draft.state("/runtime/other/read", texts(&found.runtime));
    if !found.libraries.is_empty() {
        draft.state("/runtime/libraries", json!({ "loaded": texts(&found.libraries) }));
    }
    if !found.listed.is_empty() {
        draft.state("/runtime/other/listed", texts(&found.listed));
    }
    if !seen.connections.is_empty() {
        let why = "what answers there is not part of this document";
        let connections: Map<String, Value> = seen
            .connections
            .iter()
            .filter(|address| is_normal(address))
            .map(|address| (address.clone(), json!({ "unknown": why })))
            .collect();
        draft.state("/runtime/other/connections", connections);
        draft.unknown("/runtime/provider", "the command made connections; who answers, and with what, is not seen");
    }
}

fn hardware(draft: &mut DeclarationDraft) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    if let Some(name) = name.filter(|name| !name.is_empty() && is_normal(name)) {
        draft.state("/runtime/hardware/processor", name);
    }
}

/// A few of many names.
fn some<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn notes(draft: &mut DeclarationDraft, seen: &Observation, found: &SortedPaths) {
    let mut of = |about: &'static str, paths: &mut dyn Iterator<Item = &PathBuf>, what: &str| {
        let texts: Vec<String> = paths.map(|path| path_text(path)).collect();
        if !texts.is_empty() {
            draft.note(about, format!("{what}: {}", some(texts.iter().map(String::as_str))));
        }
    };
    of("made", &mut found.made.iter(), "the command made these itself, so they are not declared");
    of("written", &mut found.written.iter(), "it wrote to these; sealed, it can write to /out and /scratch alone");
    of(
        "changed",
        &mut found.changed.iter(),
        "it changed these, or they were changed meanwhile; they are declared as they are now",
    );
    of("answers", &mut found.answers.iter(), "sealing has its own /proc and /dev, and nothing of these otherwise");
    of("not found", &mut seen.missing.iter(), "it looked for these, which are not there");
    let undeclarable: Vec<String> =
        found.undeclarable.iter().map(|(path, why)| format!("`{}`: {why}", path_text(path))).collect();
    for one in undeclarable {
        draft.note("undeclared", one);
    }
    if !found.listed.is_empty() {
        let names = some(found.listed.iter().map(String::as_str));
        draft.note("listed", format!("it listed these, of which only what it opened is declared: {names}"));
    }
    if !seen.connections.is_empty() {
        let names = some(seen.connections.iter().map(String::as_str));
        draft.note("connected", format!("{names}; sealed, it cannot"));
    }
    if !seen.refused.is_empty() {
        let names = some(seen.refused.iter().map(String::as_str));
        draft.note("unreached", format!("it tried to connect to {names}, in vain"));
    }
    if seen.unseen > 0 {
        draft.note("unseen", format!("{} calls could not be looked at, so something may be missing", seen.unseen));
    }
}
