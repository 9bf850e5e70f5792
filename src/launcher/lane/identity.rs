//! Which launcher it is: the files of its programs, and what it says of its version.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::digest::Digest;
use crate::policy::launcher::{LauncherDocument, StartTexts};
use crate::process::tool;
use crate::record::launcher::LauncherProgram;

/// How long the question for the version may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most characters of the answer that are kept.
const MOST_CHARS: usize = 200;

/// The launcher's programs and its version, as far as they can be found.
pub(super) fn of(document: &LauncherDocument, places: &StartTexts) -> (Vec<LauncherProgram>, Option<String>) {
    let own: Vec<String> = document.argv.first().cloned().into_iter().collect();
    let names = if document.identity.is_empty() { &own } else { &document.identity };
    let programs = names
        .iter()
        .filter_map(|name| {
            let path = find(&places.fill(name))?;
            let (sha256, _) = Digest::of_reader(std::fs::File::open(&path).ok()?).ok()?;
            Some(LauncherProgram { path: path.to_str()?.to_owned(), sha256 })
        })
        .collect();
    let version = document.version.as_ref().and_then(|question| {
        let argv: Vec<String> = question.argv.iter().map(|word| places.fill(word)).collect();
        ask(&argv)
    });
    (programs, version)
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
    let said = tool::run(&find(program)?, rest, &[("PATH".into(), search_path()?)], LIMIT).ok()?;
    let text = if said.stdout.trim().is_empty() { said.stderr } else { said.stdout };
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim().chars().take(MOST_CHARS).collect::<String>();
    (!line.is_empty()).then_some(line)
}

/// Where programs are looked for.
#[expect(clippy::disallowed_methods, reason = "what a launcher's name stands for is the user's PATH")]
fn search_path() -> Option<String> {
    std::env::var_os("PATH")?.into_string().ok()
}
