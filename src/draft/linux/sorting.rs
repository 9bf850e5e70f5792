//! What was seen, sorted into what the document declares and what it cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use super::observation::{Observation, PathUse};
use super::whole::{WholeBounds, changed_since, is_declarable, made_since, text};
use crate::record::subject_digest::NamedThing;
use crate::seal::{followed, interpreter, names_of, script_interpreter};

/// Where there is nothing to declare: the kernel's own answers, and devices.
const ANSWERS: [&str; 3] = ["/proc", "/dev", "/sys"];
/// Places that have another meaning for a sealed command.
const TAKEN: [&str; 3] = ["/in", "/out", "/scratch"];
/// Folders that are never declared as a whole, whatever is in them.
const SHARED: [&str; 6] = ["/", "/etc", "/run", "/tmp", "/var", "/var/tmp"];

/// All of it, each by its path.
#[derive(Debug, Default)]
pub(super) struct SortedPaths {
    /// Below the document's folder, relative to it; and whether links keep it within.
    pub inputs: BTreeMap<String, (NamedThing, bool)>,
    /// From the root.
    pub runtime: BTreeSet<String>,
    /// Those of them that are loaded by programs.
    pub libraries: BTreeSet<String>,
    /// Folders that were listed and are not declared as a whole.
    pub listed: BTreeSet<String>,
    /// Files that the command made.
    pub made: BTreeSet<PathBuf>,
    /// Files that it wrote to and did not read.
    pub written: BTreeSet<PathBuf>,
    /// Files that were there before, and that it changed.
    pub changed: BTreeSet<PathBuf>,
    /// Answers of the kernel, devices, sockets.
    pub answers: BTreeSet<PathBuf>,
    /// What cannot be declared, and why.
    pub undeclarable: BTreeMap<PathBuf, &'static str>,
}

/// The state of sorting: what was seen, and what is found so far.
struct Sorting<'s> {
    seen: &'s Observation,
    home: &'s Path,
    /// Whether the command line or a variable names the folder from the root, so that its files are looked for there.
    home_is_named: bool,
    /// The home of the user, which is never declared as a whole.
    user_home: Option<&'s Path>,
    /// Files of the runtime without links, by each the names that they were called by.
    runtime: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    found: SortedPaths,
}

/// Sorts what was seen of a command in `home`, a folder without links.
pub(super) fn sorted(seen: &Observation, home: &Path, home_is_named: bool, user_home: Option<&Path>) -> SortedPaths {
    let mut sorting =
        Sorting { seen, home, home_is_named, user_home, runtime: BTreeMap::new(), found: SortedPaths::default() };
    for (path, how) in &seen.paths {
        sorting.sort(path, *how);
    }
    for path in &seen.executed {
        let is_input = path.starts_with(home);
        sorting.sort(path, PathUse { read: true, written: false, from_root: !is_input, relative: is_input });
    }
    sorting.add_interpreters();
    let listed: Vec<PathBuf> = seen.listed.iter().flat_map(|folder| sorting.names_of_folder(folder)).collect();
    for folder in &listed {
        sorting.sort_folder(folder);
    }
    sorting.name_runtime();
    sorting.found
}

fn is_below(path: &Path, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

impl Sorting<'_> {
    fn sort(&mut self, path: &Path, how: PathUse) {
        if is_below(path, &ANSWERS) {
            if how.read {
                self.found.answers.insert(path.to_owned());
            }
            return;
        }
        let Ok(real) = path.canonicalize() else {
            // A name that led somewhere once: what it made, and took away again.
            if how.written {
                self.found.made.insert(path.to_owned());
            }
            return;
        };
        let Ok(facts) = fs::metadata(&real) else { return };
        if is_below(&real, &ANSWERS) || !facts.is_file() && !facts.is_dir() {
            self.found.answers.insert(path.to_owned());
        } else if facts.is_file() {
            self.sort_file(path, &real, &facts, how);
        }
    }

    fn sort_file(&mut self, path: &Path, real: &Path, facts: &Metadata, how: PathUse) {
        if made_since(facts, self.seen.began) {
            self.found.made.insert(path.to_owned());
            return;
        }
        if how.written && !how.read {
            self.found.written.insert(path.to_owned());
            return;
        }
        if File::open(real).is_err() {
            self.found.undeclarable.insert(path.to_owned(), "it cannot be read");
            return;
        }
        if changed_since(facts, self.seen.began) {
            self.found.changed.insert(path.to_owned());
        }
        let plain = if path.components().any(|part| part == Component::ParentDir) { real } else { path };
        match plain.strip_prefix(self.home) {
            Ok(below) if how.relative || !self.home_is_named => {
                self.input(below, real, NamedThing::File);
                if how.from_root && self.home_is_named {
                    self.of_runtime(plain, real);
                }
            }
            _ => self.of_runtime(plain, real),
        }
    }

    fn input(&mut self, below: &Path, real: &Path, thing: NamedThing) {
        match text(below) {
            Some(name) => {
                let is_within = real.starts_with(self.home);
                self.found.inputs.insert(name, (thing, is_within));
            }
            None => {
                self.found.undeclarable.insert(self.home.join(below), "its name is no text in Unicode normal form C");
            }
        }
    }

    fn of_runtime(&mut self, named: &Path, real: &Path) {
        let reason = match () {
            () if is_below(named, &TAKEN) || is_below(real, &TAKEN) => "a sealed command has something else there",
            () if text(named).is_none() || text(real).is_none() => "its name is no text in Unicode normal form C",
            () => {
                self.runtime.entry(real.to_owned()).or_default().insert(named.to_owned());
                return;
            }
        };
        self.found.undeclarable.insert(named.to_owned(), reason);
    }

    /// What executable files of the runtime are executed by is declared with them, as sealing demands.
    fn add_interpreters(&mut self) {
        let mut left: Vec<PathBuf> = self.runtime.keys().cloned().collect();
        while let Some(path) = left.pop() {
            let Ok(file) = File::open(&path) else { continue };
            if !file.metadata().is_ok_and(|facts| facts.mode() & 0o111 != 0) {
                continue;
            }
            let Some(named) = interpreter(&file).or_else(|| script_interpreter(&file)) else { continue };
            let Ok((real, _)) = followed(&named) else { continue };
            if !self.runtime.contains_key(&real) {
                left.push(real.clone());
            }
            self.of_runtime(&named, &real);
        }
    }

    /// The names by which a listed folder was opened.
    fn names_of_folder(&self, folder: &Path) -> Vec<PathBuf> {
        let is_it = |path: &&PathBuf| {
            !path.components().any(|part| part == Component::ParentDir)
                && path.canonicalize().is_ok_and(|real| real == folder)
        };
        let mut names: Vec<PathBuf> = self.seen.paths.keys().filter(is_it).cloned().collect();
        if names.is_empty() {
            names.push(folder.to_owned());
        }
        names
    }

    fn sort_folder(&mut self, folder: &Path) {
        let Ok(facts) = fs::metadata(folder) else { return };
        if is_below(folder, &ANSWERS) || !facts.is_dir() || made_since(&facts, self.seen.began) {
            return;
        }
        let was_declared = match folder.strip_prefix(self.home) {
            Ok(below) if !below.as_os_str().is_empty() && !self.home_is_named => self.input_folder(folder, below),
            _ => !self.home.starts_with(folder) && self.runtime_folder(folder),
        };
        if !was_declared && let Some(name) = text(folder) {
            let below = folder.strip_prefix(self.home).ok().and_then(text);
            self.found.listed.insert(match below {
                Some(below) if below.is_empty() => ".".to_owned(),
                Some(below) => below,
                None => name,
            });
        }
    }

    /// Declares a listed folder of inputs as a whole, or else what stood directly in it.
    fn input_folder(&mut self, folder: &Path, below: &Path) -> bool {
        if let Some(name) = text(below)
            && is_declarable(folder, WholeBounds::INPUTS, self.seen.began)
        {
            let within = format!("{name}/");
            self.found.inputs.retain(|other, _| !other.starts_with(&within));
            let is_within = folder.canonicalize().is_ok_and(|real| real.starts_with(self.home));
            self.found.inputs.insert(name, (NamedThing::Folder, is_within));
            return true;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(real) = entry.path().canonicalize() else { continue };
            let is_old_file =
                fs::metadata(&real).is_ok_and(|facts| facts.is_file() && !made_since(&facts, self.seen.began));
            if is_old_file && File::open(&real).is_ok() {
                self.input(&below.join(entry.file_name()), &real, NamedThing::File);
            }
        }
        false
    }

    /// Declares a listed folder of the runtime of which nothing else is, if it is small: what it does not hold was looked for there.
    fn runtime_folder(&mut self, folder: &Path) -> bool {
        let Ok(real) = folder.canonicalize() else { return false };
        let is_shared = is_below(&real, &TAKEN)
            || SHARED.iter().any(|shared| real == Path::new(shared))
            || self.user_home.is_some_and(|home| home.starts_with(&real))
            || self.runtime.keys().any(|file| file.starts_with(&real))
            || self.home.starts_with(&real);
        if is_shared || !is_declarable(&real, WholeBounds::RUNTIME, self.seen.began) {
            return false;
        }
        self.of_runtime(folder, &real);
        true
    }

    /// Gives files of the runtime the names by which sealing finds all others that were used.
    fn name_runtime(&mut self) {
        let real: Vec<&Path> = self.runtime.keys().map(PathBuf::as_path).collect();
        let known = names_of(&real);
        for (real, names) in &self.runtime {
            let further: Vec<&PathBuf> = names
                .iter()
                .filter(|name| {
                    *name != real
                        && followed(name).is_ok_and(|(_, links)| links.keys().any(|link| !known.contains_key(link)))
                })
                .collect();
            let is_library = is_shared_object(real) && !self.seen.executed.contains(real);
            for name in if further.is_empty() { vec![real] } else { further } {
                let Some(name) = text(name) else { continue };
                if is_library {
                    self.found.libraries.insert(name.clone());
                }
                self.found.runtime.insert(name);
            }
        }
    }
}

/// Whether it is a file that programs load: an ELF object that is not executed by itself.
fn is_shared_object(path: &Path) -> bool {
    let mut start = [0; 18];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut start, 0));
    // ET_DYN
    read.is_ok() && start.starts_with(b"\x7fELF") && u16::from_le_bytes([start[16], start[17]]) == 3
}
