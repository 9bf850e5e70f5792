//! What really lies in a bundle's folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::finding::{Findings, Problem};
use super::index::clip;
use crate::base::bundle_path::BundlePath;
use crate::base::limits::MAX_BUNDLE_FILES;
use crate::record::layout;

/// Deepest folder of a bundle; ours has two levels.
const MAX_DEPTH: usize = 8;
/// Most entries that are looked at: past this the folder is no bundle, whatever else it is.
const MAX_ENTRIES: usize = 4 * MAX_BUNDLE_FILES;

/// The plain files of a folder, by path, with their sizes. Everything that is no plain file becomes a finding.
///
/// The walk uses names, and a name may lead elsewhere a moment later. That is no danger: what counts in the end are
/// bytes that were read once, through one descriptor, and agreed with the index.
pub(super) fn files(folder: &Path, findings: &mut Findings) -> BTreeMap<BundlePath, u64> {
    let mut walk = BundleWalk { found: BTreeMap::new(), entries: 0, findings };
    walk.folder(folder, "", 0);
    let found = walk.found;
    let mut folded: BTreeMap<String, &BundlePath> = BTreeMap::new();
    for path in found.keys() {
        if let Some(twin) = folded.insert(path.as_str().to_ascii_lowercase(), path) {
            findings.add(path, Problem::CaseTwin(twin.to_string()));
        }
    }
    found
}

/// Whether a folder is that of a part.
fn is_part(shown: &str) -> bool {
    shown
        .strip_prefix(layout::PARTS_FOLDER)
        .is_some_and(|name| name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_digit()))
}

struct BundleWalk<'a> {
    found: BTreeMap<BundlePath, u64>,
    entries: usize,
    findings: &'a mut Findings,
}

impl BundleWalk<'_> {
    /// Walks one folder; false when there is too much to go on.
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> bool {
        let here = if prefix.is_empty() { "." } else { prefix };
        if depth > MAX_DEPTH {
            self.findings.add(here, Problem::TooDeep);
            return true;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.findings.add(here, Problem::Unreadable(error.to_string()));
                return true;
            }
        };
        let mut empty = true;
        for entry in entries {
            empty = false;
            self.entries += 1;
            if self.entries > MAX_ENTRIES || self.found.len() > MAX_BUNDLE_FILES {
                self.findings.add(".", Problem::TooManyFiles);
                return false;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.findings.add(here, Problem::Unreadable(error.to_string()));
                    continue;
                }
            };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let shown = if prefix.is_empty() { name.into_owned() } else { format!("{prefix}/{name}") };
            if !self.entry(&entry.path(), &shown, depth) {
                return false;
            }
        }
        if empty {
            self.findings.add(here, Problem::EmptyFolder);
        }
        true
    }

    /// A part of a merge is a bundle by itself: its index is what is seen of it here, and answers for the rest.
    fn part(&mut self, at: &Path, shown: &str, depth: usize) -> bool {
        let index = at.join(layout::ARTIFACT_INDEX);
        if index.symlink_metadata().is_err() {
            self.findings.add(clip(shown), Problem::PartRefused("it has no index".into()));
            return true;
        }
        self.entry(&index, &format!("{shown}/{}", layout::ARTIFACT_INDEX), depth)
    }

    fn entry(&mut self, at: &Path, shown: &str, depth: usize) -> bool {
        let metadata = match fs::symlink_metadata(at) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.findings.add(clip(shown), Problem::Unreadable(error.to_string()));
                return true;
            }
        };
        let path = match BundlePath::new(shown) {
            Ok(path) => path,
            Err(error) => {
                self.findings.add(clip(shown), Problem::BadName(clip(&error.to_string())));
                return true;
            }
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            if is_part(shown) {
                return self.part(at, shown, depth + 1);
            }
            return self.folder(at, shown, depth + 1);
        }
        let other = if kind.is_symlink() {
            "a symbolic link"
        } else if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else if kind.is_block_device() || kind.is_char_device() {
            "a device"
        } else {
            if metadata.nlink() > 1 {
                self.findings.add(&path, Problem::HardLinked(metadata.nlink()));
            }
            self.found.insert(path, metadata.len());
            return true;
        };
        self.findings.add(&path, Problem::NotAFile(other));
        true
    }
}
