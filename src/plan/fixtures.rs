//! Checks of fixtures: every one can be made under a fresh folder, and in the order given.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::diagnostic::{DiagnosticKind, Diagnostics};
use super::text::shared_folders;
use crate::base::placeholder;
use crate::record::driver::Platform;
use crate::record::fixture::{FixtureEntry, FixtureKind, OutsideFixture};

/// Checks `own`, which is made after `before` in the same folder, on that system. `pointer` is the place of
/// the list `own`.
pub(super) fn check(
    before: &[FixtureEntry],
    own: &[FixtureEntry],
    platform: Platform,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) {
    let shared = shared_folders(platform);
    let shared_words = format!("`{0}/${{name.NAME}}/` or `{1}/${{name.NAME}}/`", shared[0], shared[1]);
    let mut made: HashSet<&str> = before.iter().map(|entry| entry.path.as_str()).collect();
    for (n, entry) in own.iter().enumerate() {
        let at = |key: &str| format!("{pointer}/{n}/{key}");
        let path = entry.path.as_str();
        // Where the spelling is the question, a folder of the run's own in a shared one.
        let elsewhere = OutsideFixture::read(path).filter(|place| place.folder.starts_with("${"));
        let itself = elsewhere.is_some_and(|place| place.rest.is_empty());
        if itself && (entry.kind != FixtureKind::Dir || entry.mode.is_some() || !entry.xattrs.is_empty()) {
            let message = format!("`{path}` is the row's own folder in a shared one, and is made as a closed one");
            notes.error(DiagnosticKind::Fixture, at("kind"), message, "make it a `dir` without mode and attributes");
        }
        if let Some(reason) = bad_relative(elsewhere.map_or(path, |place| place.rest)).filter(|_| !itself) {
            notes.error(
                DiagnosticKind::Fixture,
                at("path"),
                format!("the fixture path `{path}` {reason}"),
                format!("write a plain path relative to `${{root}}`, or one below {shared_words}"),
            );
        }
        if let Some(place) = elsewhere.filter(|place| !shared.contains(&place.parent)) {
            let system = platform.title();
            notes.error(
                DiagnosticKind::Fixture,
                at("path"),
                format!(
                    "the profile is for {system}, where `{}` is not a shared folder to make `{path}` in",
                    place.parent
                ),
                format!("write it below {shared_words}"),
            );
        }
        if elsewhere.is_some() && entry.kind == FixtureKind::Hardlink {
            let message = format!("the hard link `{path}` lies outside of `${{root}}`");
            notes.error(DiagnosticKind::Fixture, at("kind"), message, "make it below `${root}`");
        }
        match entry.kind {
            FixtureKind::Symlink | FixtureKind::Hardlink if entry.to.is_none() => notes.error(
                DiagnosticKind::Fixture,
                format!("{pointer}/{n}"),
                format!("the link `{path}` says nothing about where it leads"),
                "add `to`",
            ),
            FixtureKind::Hardlink => {
                let to = entry.to.as_deref().unwrap_or_default();
                if !made.contains(to) {
                    notes.error(
                        DiagnosticKind::Fixture,
                        at("to"),
                        format!("the hard link `{path}` leads to `{to}`, which no fixture before it makes"),
                        "name the path of an earlier fixture",
                    );
                }
            }
            FixtureKind::Symlink => {
                if let Some(unknown) = placeholder::unknown(entry.to.as_deref().unwrap_or_default()) {
                    notes.error(
                        DiagnosticKind::Placeholder,
                        at("to"),
                        format!("the placeholder `{unknown}` does not exist"),
                        "a symbolic link's text knows `${root}`",
                    );
                }
            }
            _ if entry.to.is_some() => notes.error(
                DiagnosticKind::Fixture,
                at("to"),
                format!("`{path}` is not a link, so `to` has no meaning"),
                "remove it, or make the kind `symlink` or `hardlink`",
            ),
            _ => {}
        }
        if entry.text.is_some() && entry.kind != FixtureKind::File {
            notes.error(
                DiagnosticKind::Fixture,
                at("text"),
                format!("`{path}` is not a file, so it has no text"),
                "remove it",
            );
        }
        if let Some(mode) = &entry.mode {
            let octal = (3..=5).contains(&mode.len()) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
            if !octal || u32::from_str_radix(mode, 8).is_ok_and(|bits| bits > 0o7777) {
                notes.error(
                    DiagnosticKind::Fixture,
                    at("mode"),
                    format!("`{}` are not permission bits", super::diagnostic::shown(mode)),
                    "write octal digits, such as `0640`",
                );
            } else if matches!(entry.kind, FixtureKind::Symlink | FixtureKind::Hardlink) {
                notes.error(
                    DiagnosticKind::Fixture,
                    at("mode"),
                    "a link has no permission bits of its own",
                    "remove it",
                );
            }
        }
        if !made.insert(path) {
            notes.error(
                DiagnosticKind::Duplicate,
                at("path"),
                format!("the fixture `{path}` is made twice"),
                "remove one; a probe has its profile's fixtures already",
            );
        }
    }
}

fn bad_relative(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.starts_with('/') {
        Some("is absolute")
    } else if path.split('/').any(|part| part == "..") {
        Some("has a `..` part")
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        Some("has an empty or `.` part")
    } else if path.contains("${") {
        Some("has a placeholder")
    } else if path.len() > 1024 || path.split('/').any(|part| part.len() > 255) {
        Some("is longer than the system takes")
    } else if path.chars().any(char::is_control) {
        Some("holds a control character")
    } else {
        None
    }
}

/// Fixture lists, each kept once: profiles with equal fixtures share theirs, and rows share by profile set and probe.
#[derive(Default)]
pub(super) struct FixtureSets {
    sets: Vec<Arc<[FixtureEntry]>>,
    rows: HashMap<(usize, u32), Arc<[FixtureEntry]>>,
}

/// A row's fixtures; `fresh` if this combination was not met before.
pub(super) struct RowFixtures {
    pub(super) entries: Arc<[FixtureEntry]>,
    pub(super) fresh: bool,
}

impl FixtureSets {
    /// The number of a profile's list.
    pub(super) fn of_profile(&mut self, fixtures: &[FixtureEntry]) -> usize {
        if let Some(place) = self.sets.iter().position(|known| known[..] == *fixtures) {
            return place;
        }
        self.sets.push(fixtures.into());
        self.sets.len() - 1
    }

    /// The list of a row: the profile's list `set`, the fixtures of the probe with that number, and what it implies.
    pub(super) fn of_row(
        &mut self,
        set: usize,
        probe: u32,
        own: &[FixtureEntry],
        implied: Vec<FixtureEntry>,
    ) -> RowFixtures {
        if own.is_empty() && implied.is_empty() {
            return RowFixtures { entries: Arc::clone(&self.sets[set]), fresh: false };
        }
        if let Some(known) = self.rows.get(&(set, probe)) {
            return RowFixtures { entries: Arc::clone(known), fresh: false };
        }
        let entries: Arc<[FixtureEntry]> = self.sets[set].iter().chain(own).cloned().chain(implied).collect();
        self.rows.insert((set, probe), Arc::clone(&entries));
        RowFixtures { entries, fresh: true }
    }
}
