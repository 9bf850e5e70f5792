//! Which launcher it is: the files of its programs, and what it says of its version.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::digest::Digest;
use crate::policy::launcher::LauncherDocument;
use crate::process::tool;
use crate::record::absence::Absence;
use crate::record::identity::Stated;
use crate::record::launcher::LauncherProgram;
use crate::record::run_identity::LauncherElement;

/// How long the question for the version may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most characters of the answer that are kept.
const MOST_CHARS: usize = 200;

/// The launcher's programs, and its version if it may be started to say it.
pub fn of(document: &LauncherDocument, may_start: Result<(), Absence>) -> LauncherElement {
    let own: Vec<String> = document.argv.first().cloned().into_iter().collect();
    let names = if document.identity.is_empty() { &own } else { &document.identity };
    let version = match (&document.version, may_start) {
        (None, _) => Stated::absent(Absence::NoQuestion),
        (Some(_), Err(reason)) => Stated::absent(reason),
        (Some(question), Ok(())) if question.argv.iter().any(|word| word.contains("${")) => {
            Stated::absent(Absence::HasPlaceholders)
        }
        (Some(question), Ok(())) => Stated::or_absent(ask(&question.argv), Absence::AskedInVain),
    };
    LauncherElement { programs: names.iter().map(|name| program(name)).collect(), version }
}

/// A program by its resolved path, with its digest.
fn program(name: &str) -> (String, Stated<Digest>) {
    let Some(path) = find(name).filter(|path| path.is_file()) else {
        return (name.to_owned(), Stated::absent(Absence::NoSuchProgram));
    };
    let digest = match std::fs::File::open(&path).and_then(Digest::of_reader) {
        Ok((digest, _)) => Stated::Is(digest),
        Err(error) => Stated::absent_with(Absence::Unreadable, error.kind().to_string()),
    };
    (path.to_string_lossy().into_owned(), digest)
}

/// What is known, as a row has it.
pub(super) fn for_rows(element: &LauncherElement) -> (Vec<LauncherProgram>, Option<String>) {
    let known = |(path, stated): (&String, &Stated<Digest>)| match stated {
        Stated::Is(sha256) => Some(LauncherProgram { path: path.clone(), sha256: *sha256 }),
        Stated::Absent { .. } => None,
    };
    let version = match &element.version {
        Stated::Is(version) => Some(version.clone()),
        Stated::Absent { .. } => None,
    };
    (element.programs.iter().filter_map(known).collect(), version)
}

/// The file of a program: of a path, or of a name that is looked for as a shell does.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return PathBuf::from(name).canonicalize().ok();
    }
    std::env::split_paths(&search_path()?)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())?
        .canonicalize()
        .ok()
}

/// The first line that a command prints.
fn ask(argv: &[String]) -> Option<String> {
    let (program, rest) = argv.split_first()?;
    let environment: Vec<(String, String)> = search_path().map(|path| ("PATH".into(), path)).into_iter().collect();
    let said = tool::run(&find(program)?, rest, &environment, LIMIT).ok()?;
    let text = if said.stdout.trim().is_empty() { said.stderr } else { said.stdout };
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim().chars().take(MOST_CHARS).collect::<String>();
    (!line.is_empty()).then_some(line)
}

/// Where programs are looked for.
#[expect(clippy::disallowed_methods, reason = "what a launcher's name stands for is the user's PATH")]
fn search_path() -> Option<String> {
    std::env::var_os("PATH")?.into_string().ok()
}
