//! Which launcher it is: the files of its programs, and what it says of its version.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::base::digest::Digest;
use crate::policy::launcher::{LauncherDocument, Places};
use crate::record::launcher::LauncherProgram;

/// How long the question for the version may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most characters of the answer that are kept.
const MOST_CHARS: usize = 200;

/// The launcher's programs and its version, as far as they can be found.
pub(super) fn of(document: &LauncherDocument, places: &Places) -> (Vec<LauncherProgram>, Option<String>) {
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
fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return PathBuf::from(name).canonicalize().ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())?.canonicalize().ok()
}

/// The first line that a command prints.
fn ask(argv: &[String]) -> Option<String> {
    let (program, rest) = argv.split_first()?;
    let mut child = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begun = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = Vec::new();
    child.stdout.take()?.take(4096).read_to_end(&mut text).ok()?;
    let line = String::from_utf8_lossy(&text).lines().next()?.trim().chars().take(MOST_CHARS).collect::<String>();
    (!line.is_empty()).then_some(line)
}
